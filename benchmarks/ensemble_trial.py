"""Rules of the ensemble that were tried and not taken, beside those that were.

    python -m benchmarks.ensemble_trial
    python -m benchmarks.ensemble_trial --tasks spambase/symmetric/0.4 --seeds 10 11
    python -m benchmarks.ensemble_trial --summary

Families are fitted once for each draw; all rules share their left-out predictions. Draws are of seeds from 10 on, which
no leaderboard uses. A row is one rule on one draw, with its accuracy on clean test labels. "ensemble" is the rule that
the first trial started from and that every rule is compared with; "taken" is that of `NoisyLabelClassifier` today.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, softmax

from benchmarks.cells import markdown
from benchmarks.rows import RESULTS, append_row, environment, read_rows
from benchmarks.tasks import Task
from sklabelnoise._ensemble._combination import centered_log_proba, combination_weights, combine, deconvolve
from sklabelnoise._ensemble._decision import learn_decision
from sklabelnoise._ensemble._families import TrainingRows
from sklabelnoise._ensemble._left_out_folds import drawn_folds
from sklabelnoise._ensemble._members import TABLE_FAMILIES, families_of
from sklabelnoise._ensemble._transition import estimate_transition, simple_transition
from sklabelnoise._ensemble._views import Views
from sklabelnoise._foundation._work import Work

TASKS = (
    *(f"{table}/{noise}/0.4" for table in ("adult", "magic", "spambase") for noise in ("symmetric", "instance")),
    *(
        f"{table}/{noise}"
        for table in ("car_evaluation", "optdigits", "satimage", "wine_quality")
        for noise in ("clean/0", "symmetric/0.4", "pair_flip/0.4", "instance/0.4")
    ),
)
FLOOR = 1e-4


class Opinions:
    """What the parts of the ensemble say of left-out and of test rows.

    Parameters
    ----------
    left_out, test : ndarray of shape (n_members, n_samples, n_classes)
        Predictions of the families.
    codes : ndarray of int of shape (n_samples,)
        Given labels.
    """

    def __init__(self, left_out, test, codes):
        self.codes, self._probas = codes, (left_out, test)
        logits = centered_log_proba(left_out)
        self.given_weights = combination_weights(logits, codes)
        given = combine(logits, self.given_weights)
        self.clean_weights = combination_weights(logits, codes, simple_transition(given, codes))
        self.transition = estimate_transition(left_out.argmax(axis=2), given, codes)
        self.left_out, self.test = self._parts(left_out), self._parts(test)

    def without(self, family):
        """What the ensemble would say of test rows without one family, given by its number."""
        left_out, test = (np.delete(probas, family, axis=0) for probas in self._probas)
        return Opinions(left_out, test, self.codes).test["ensemble"]

    def taken(self):
        """What the rule of today says of test rows."""
        left_out, test = self._probas
        return learn_decision(left_out, self.codes, np.ones(len(self.codes))).proba(test)

    def with_prior(self, n_rows):
        """S of test rows, its weights held near equal ones by a prior that counts as much as some rows."""
        left_out, test = map(centered_log_proba, self._probas)
        return combine(test, combination_weights(left_out, self.codes, prior_rows=n_rows))

    def as_far_as_structure(self, full):
        """D counts as far as the noise has structure, wholly from `full` on."""
        gate = self.transition.gate
        seen = gate + (1 - gate) * min(1.0, self.transition.structure[-1] / full)
        return self.geometric({"D": seen, "F": 1 - gate, "mean": (1 - gate) / 2})[1]

    def _parts(self, probas):
        logits = centered_log_proba(probas)
        given = combine(logits, self.given_weights)
        parts = {
            "S": given,
            "F": combine(logits, self.clean_weights),
            "D": deconvolve(given, self.transition.matrix),
            "mean": probas.mean(axis=0),
            "forest": probas[0],
        }
        open_share = 1 - self.transition.gate
        others = {"mean": 1} if probas.shape[2] == 2 else {"F": open_share, "mean": open_share / 2}
        return {**parts, "ensemble": geometric_mean(parts, {"D": 1, **others})}

    def geometric(self, weights):
        """Weighted geometric means of parts, for left-out and for test rows."""
        return tuple(geometric_mean(parts, weights) for parts in (self.left_out, self.test))


def geometric_mean(parts, weights):
    """Weighted geometric mean of the parts that are named."""
    logs = sum(weight * np.log(parts[name] + FLOOR) for name, weight in weights.items())
    return softmax(logs / sum(weights.values()), axis=1)


def log_odds(proba):
    return np.log(proba[:, 1] + 1e-6) - np.log(proba[:, 0] + 1e-6)


def shifted(proba, offset):
    """Two-class probabilities after an offset of the log-odds."""
    positive = expit(log_odds(proba) - offset)
    return np.stack([1 - positive, positive], axis=1)


def agreement(margin, codes):
    """Thresholds between left-out rows, and how many given labels each of them agrees with."""
    order = np.argsort(margin)
    ordered, zeros = margin[order], codes[order] == 0
    thresholds = np.concatenate([[ordered[0] - 1], (ordered[1:] + ordered[:-1]) / 2, [ordered[-1] + 1]])
    below = np.concatenate([[0], np.cumsum(zeros)])
    above = np.sum(~zeros) - np.concatenate([[0], np.cumsum(~zeros)])
    return thresholds, below + above


def best_threshold(opinions):
    """The threshold of the largest left-out accuracy on given labels."""
    thresholds, agree = agreement(log_odds(opinions.left_out["ensemble"]), opinions.codes)
    return shifted(opinions.test["ensemble"], thresholds[np.argmax(agree)])


def mean_threshold(opinions, scale):
    """All thresholds, weighted by the likelihood of their agreement and a normal prior around none."""
    thresholds, agree = agreement(log_odds(opinions.left_out["ensemble"]), opinions.codes)
    rate = np.clip(agree.max() / len(opinions.codes), 0.501, 0.999)
    weight = softmax(agree * np.log(rate / (1 - rate)) - (thresholds / scale) ** 2 / 2)
    return shifted(opinions.test["ensemble"], weight @ thresholds)


def logistic_threshold(opinions):
    """Where a logistic regression of given labels on the left-out log-odds is undecided."""
    margin, codes = log_odds(opinions.left_out["ensemble"]), opinions.codes

    def loss(parameters):
        slope, intercept = parameters
        signed = np.where(codes == 1, 1, -1) * (slope * margin + intercept)
        return np.mean(np.logaddexp(0, -signed)) + intercept**2 / (2 * len(codes))

    slope, intercept = minimize(loss, [0.5, 0.0]).x
    return shifted(opinions.test["ensemble"], -intercept / max(slope, 1e-3))


def prior_threshold(opinions):
    """The quantile at which as many rows are predicted as the estimated clean share of the class."""
    rate = 1 - np.diag(opinions.transition.matrix).mean()
    share = np.clip((opinions.codes.mean() - rate) / max(1 - 2 * rate, 0.05), 0.02, 0.98)
    return shifted(opinions.test["ensemble"], np.quantile(log_odds(opinions.left_out["ensemble"]), 1 - share))


# The first is what others are compared with. Rules about a threshold start from it and, as those about a prior,
# are for two classes; those about structure are for more.
RULES = {
    "ensemble": lambda opinions: opinions.test["ensemble"],
    "S": lambda opinions: opinions.test["S"],
    "F": lambda opinions: opinions.test["F"],
    "D": lambda opinions: opinions.test["D"],
    "mean of the families": lambda opinions: opinions.test["mean"],
    "D F sqrt(mean)": lambda opinions: opinions.geometric({"D": 1, "F": 1, "mean": 0.5})[1],
    "D sqrt(mean)": lambda opinions: opinions.geometric({"D": 1, "mean": 0.5})[1],
    "random forest": lambda opinions: opinions.test["forest"],
    "taken": Opinions.taken,
    **{f"S, prior of {n} rows": partial(Opinions.with_prior, n_rows=n) for n in (10, 30, 50, 100, 200)},
    **{f"D up to structure {full}": partial(Opinions.as_far_as_structure, full=full) for full in (0.05, 0.1, 0.2)},
    **{
        f"without {name.replace('_', ' ')}": partial(Opinions.without, family=number)
        for number, name in enumerate(TABLE_FAMILIES)
    },
    "threshold of the best left-out accuracy": best_threshold,
    "threshold averaged, prior of scale 2": lambda opinions: mean_threshold(opinions, 2.0),
    "threshold averaged, prior of scale 0.5": lambda opinions: mean_threshold(opinions, 0.5),
    "threshold of a logistic regression": logistic_threshold,
    "threshold of the estimated clean share": prior_threshold,
}
THRESHOLDS = tuple(name for name in RULES if name.startswith("threshold"))
TWO_CLASSES = (*THRESHOLDS, *(name for name in RULES if name.startswith("S, prior")))
MORE_CLASSES = tuple(name for name in RULES if name.startswith("D up to"))


def opinions_of(task, seed):
    """What families fitted to a draw say, and its clean test labels as codes."""
    draw = task.draw(seed)
    classes, codes = np.unique(draw.y_given, return_inverse=True)
    X, X_test = (np.asarray(rows, dtype=np.float64) for rows in (draw.X_train, draw.X_test))
    views = Views().fit(X)
    rows = TrainingRows(
        views=views.transform(X),
        codes=codes,
        weight=np.ones(len(X)),
        n_classes=len(classes),
        splits=drawn_folds(codes, None, 5, seed),
        by_folds=False,
    )
    test_views = views.transform(X_test)
    left_out, test = [], []
    for family in families_of("auto", classes):
        fitted = family.fit(rows, Work(), seed)
        left_out.append(fitted.left_out)
        test.append(fitted.predict_proba(test_views[fitted.view], len(classes)))
    y_test = np.where(np.isin(draw.y_test, classes), np.searchsorted(classes, draw.y_test), -1)
    return Opinions(np.stack(left_out), np.stack(test), codes), y_test


def run(tasks, seeds, max_train, path):
    """Append the rows of all draws that are not there yet."""
    done = {(row["task"], row["seed"], row["max_train"]) for row in read_rows(path)}
    for name in tasks:
        for seed in seeds:
            if (name, seed, max_train) in done:
                continue
            opinions, y_test = opinions_of(Task.from_name(name, max_train=max_train, max_test=2000), seed)
            two = opinions.test["S"].shape[1] == 2
            about = environment()
            for rule, predict in RULES.items():
                if rule not in (MORE_CLASSES if two else TWO_CLASSES):
                    accuracy = round(float(np.mean(predict(opinions).argmax(axis=1) == y_test)), 5)
                    row = {"task": name, "seed": seed, "max_train": max_train, "rule": rule, "test_accuracy": accuracy}
                    append_row(path, {**row, **about})


def summary(rows):
    """Mean accuracy of the rule "ensemble" by kind of noise, and how far those of the others are from it."""
    frame = pd.DataFrame(rows)
    frame["noise"] = frame["task"].str.partition("/")[2]
    wide = frame.pivot_table("test_accuracy", ["noise", "task", "seed", "max_train"], "rule") * 100
    difference = wide.sub(wide["ensemble"], axis=0)
    # Rules have different tasks: what can be compared is the difference from the ensemble on the same ones.
    table = difference.groupby("noise").mean().T.map(lambda gain: "–" if np.isnan(gain) else f"{gain:+.2f}")
    table["all"] = [f"{difference[rule].mean():+.2f} ± {difference[rule].sem():.2f}" for rule in table.index]
    own = wide["ensemble"]
    table.loc["ensemble"] = [f"{accuracy:.1f}" for accuracy in (*own.groupby("noise").mean(), own.mean())]
    return table.loc[[rule for rule in RULES if rule in table.index]].rename_axis("rule")


def trial_block(rows):
    """The table with what was run, for the README."""
    tasks, seeds = ({row[name] for row in rows} for name in ("task", "seed"))
    return (
        f"{len(tasks)} tasks; seeds {', '.join(map(str, sorted(seeds)))}, which no leaderboard has rows of; at most "
        f"{max(row['max_train'] for row in rows):,} training rows; accuracy on clean test labels in percent, ± the "
        "standard error of the mean difference over draws. Rules about a threshold are for the tables of two classes "
        f"alone. Commits {', '.join(sorted({row['commit'] or '?' for row in rows}))}.\n\n{markdown(summary(rows))}"
    )


def main(arguments=None):
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--seeds", nargs="+", type=int, default=(10,))
    parser.add_argument("--max-train", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=RESULTS / "ensemble_trial.jsonl")
    parser.add_argument("--summary", action="store_true", help="only the table of the rows that are there")
    options = parser.parse_args(arguments)
    if not options.summary:
        run(options.tasks, options.seeds, options.max_train, options.output)
    print(summary(read_rows(options.output)).to_string())


if __name__ == "__main__":
    main()

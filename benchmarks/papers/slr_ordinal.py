"""The ordinal experiment of SLR: does refining grades by regression raise the quadratic weighted kappa (QWK)?

    python -m benchmarks.papers.slr_ordinal
    python -m benchmarks.papers.slr_ordinal --report

Fang et al., "Stochastic label refinery", ICPR 2020, Section III and Table III, grade retinopathy: 0.8247 before and
0.8348 after refining, a gain of 0.010, best after round 3 of 4. Those photographs are not shared; here the loop (one
number a row, 5 folds, weight 3, smooth outputs cut into grades) runs on two shared tables:

* *wine*: quality of wines as tasters graded it, as given, and with 40 % of the training grades moved to a neighboring
  or to any other grade;
* *lidc*: malignancy of lung nodules. One radiologist's ratings are for training, the rounded median of four for
  testing. Nodules of one patient stay together, in the test set and in the folds of the refinery.

Round 0 is the regressor on the given grades. QWK of test rows with thresholds halfway between grades and with
thresholds fitted to the out-of-fold predictions; and QWK of the refined training grades with the true ones.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.cells import markdown, mean_sd
from benchmarks.papers._runner import command_line, frame_of, product_of, rows_path, run_jobs, use_shared_data
from benchmarks.sources import load
from benchmarks.tasks import split_groups
from sklabelnoise import StochasticLabelRefineryRegressor
from sklabelnoise._label_refinery._grades import grade, halfway_thresholds, kappa_thresholds
from sklabelnoise.metrics import quadratic_weighted_kappa
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix

NAME = "slr_ordinal"
PAPER_GAIN = 0.8348 - 0.8247
N_ROUNDS = 4


@dataclass(frozen=True)
class Scale:
    """Training rows at most, and trees of the boosting."""

    max_train: int
    n_trees: int


SCALES = {"full": Scale(2500, 60), "tiny": Scale(150, 5)}


def neighbor_matrix(n_grades, rate):
    """Grades that move by one, up or down; T[i, j] = P(given = j | true = i)."""
    T = (1 - rate) * np.eye(n_grades)
    for i in range(n_grades):
        near = [j for j in (i - 1, i + 1) if 0 <= j < n_grades]
        T[i, near] = rate / len(near)
    return T


TASKS = {
    "wine, as given": ("wine_quality", None),
    "wine, 40 % to a neighbour": ("wine_quality", lambda n: neighbor_matrix(n, 0.4)),
    "wine, 40 % to any grade": ("wine_quality", lambda n: symmetric_transition_matrix(n, 0.4)),
    "lidc, one radiologist": ("lidc_malignancy", None),
}
ESTIMATORS = {
    "Ridge": lambda scale, seed: Ridge(),
    "HistGradientBoosting": lambda scale, seed: HistGradientBoostingRegressor(
        max_iter=SCALES[scale].n_trees, random_state=seed
    ),
}


def draw(task, scale, seed):
    """Rows, given and true grades and groups for training, rows and true grades for testing."""
    dataset, make_matrix = TASKS[task]
    source = load(dataset)
    split, noise = (np.random.default_rng([seed, stream]) for stream in range(2))
    train, test = split_groups(source.groups, split)
    train = np.sort(split.permutation(train)[: SCALES[scale].max_train])
    y = source.y[train]
    if source.human is not None:
        given = source.human[train]
    elif make_matrix is not None:
        # Among the grades that are there: a small subsample may lack the rarest.
        present, codes = np.unique(y, return_inverse=True)
        given = present[corrupt_labels(codes, make_matrix(len(present)), random_state=int(noise.integers(2**31)))]
    else:
        given = y
    encoder = source.make_encoder()
    X_train, X_test = encoder.fit_transform(source.X.iloc[train]), encoder.transform(source.X.iloc[test])
    return X_train, given, y, source.groups[train], X_test, source.y[test]


def execute(scale, task, estimator, seed):
    """QWK after each round; runs that differ in the number of rounds share their first ones."""
    X, given, clean, groups, X_test, y_test = draw(task, scale, seed)
    model = make_pipeline(StandardScaler(), ESTIMATORS[estimator](scale, seed))
    grades = np.unique(given)
    halfway = halfway_thresholds(grades)
    columns = {"qwk_half": [], "qwk_fitted": [], "label_qwk": []}
    with threadpool_limits(1):
        refined = {}
        StochasticLabelRefineryRegressor(
            model,
            n_rounds=N_ROUNDS,
            thresholds="qwk",
            random_state=seed,
            callback=lambda state: refined.update({state.round: (state.soft_labels.copy(), state.predicted.copy())}),
        ).fit(X, given, groups=groups)
        for n_rounds in range(N_ROUNDS + 1):
            targets = given if n_rounds == 0 else refined[n_rounds][0]
            predicted = model.fit(X, targets).predict(X_test)
            # Without a round there are no out-of-fold predictions; those of the first round are of the given grades.
            out_of_fold = refined[max(1, n_rounds)][1]
            for name, cuts in (("half", halfway), ("fitted", kappa_thresholds(grades, given, out_of_fold))):
                columns[f"qwk_{name}"].append(quadratic_weighted_kappa(y_test, grade(predicted, cuts, grades)))
            columns["label_qwk"].append(quadratic_weighted_kappa(clean, grade(targets, halfway, grades)))
    return {
        "n_train": len(X),
        "n_test": len(X_test),
        **{name: [round(float(v), 5) for v in values] for name, values in columns.items()},
    }


def tables(path=None, scale="full"):
    """QWK by round: mean ± sd over seeds, and the gain of round 3 over none."""
    frame = frame_of(path or rows_path(NAME))
    if frame.empty or not (frame["scale"] == scale).any():
        return f"No rows of scale {scale} yet.\n"
    frame = frame[frame["scale"] == scale]
    captions = {
        "qwk_half": "QWK of test rows, thresholds halfway between grades",
        "qwk_fitted": "QWK of test rows, thresholds fitted out of fold",
        "label_qwk": "QWK of refined training grades with the true ones",
    }
    parts = []
    for column, caption in captions.items():
        lines = {}
        for (task, estimator), part in frame.groupby(["task", "estimator"], sort=False):
            values = np.array(list(part[column]))
            cells = {f"round {t}": mean_sd(values[:, t], 1, 3) for t in range(values.shape[1])}
            lines[f"{task}, {estimator}"] = {**cells, "gain": mean_sd(values[:, 3] - values[:, 0], 1, 3)}
        table = markdown(pd.DataFrame.from_dict(lines, orient="index").rename_axis("task, estimator"))
        parts.append(f"{caption}; {frame['seed'].nunique()} seeds:\n\n{table}")
    return "\n".join(parts) + (
        f"\n*gain*: round 3 less round 0, by seed. The paper's gain of round 3 on retinopathy: {PAPER_GAIN:.3f}.\n"
    )


def main():
    options = command_line(__doc__, scales=SCALES, default_scale="full", seeds=range(5)).parse_args()
    use_shared_data()
    if not options.report:
        jobs = product_of(scale=[options.scale], seed=options.seeds, task=list(TASKS), estimator=list(ESTIMATORS))
        run_jobs(rows_path(NAME), jobs, execute)
    print(tables(scale=options.scale))


if __name__ == "__main__":
    main()

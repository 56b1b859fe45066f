"""Rows of `benchmarks.run` to tables: who is how good, over all tasks, by kind of noise, and task by task."""

import pandas as pd

from benchmarks.cells import best_in_bold, mean_sd, share_text
from benchmarks.comparison import (
    BASELINE,
    CEILING,
    INFORMED,
    Comparison,
    by_condition,
    condition,
    frame_of,
    left_out_text,
    noise_order,
    overall_ranks,
)
from benchmarks.ranks import differences, friedman, holm, not_worse_than_the_best, wilcoxon_p, win_tie_loss
from benchmarks.summary import points_text, recommended, recovered_by_method

# Sentences that more than one caption needs.
TIES = (
    "Tasks won/tied/lost; a tie is a mean difference within one standard error over seeds, which share rows and noise."
)
SCORE = "under imbalance it is accuracy averaged over the classes."


def leaderboard(rows):
    """Methods over all tasks: accuracy, rank, share recovered, wins, calibration, time; mean ± sd over seeds."""
    comparison = Comparison.of(frame_of(rows))
    frame, ranks, scores = comparison.rows, comparison.ranks, comparison.scores.mean()
    accuracy = frame.pivot_table("score", "seed", "method")
    recovered = recovered_by_method(comparison)
    calibration = frame.pivot_table("calibration_error", "seed", "method")
    seconds = frame.groupby("method")["fit_seconds"].median()
    table = {}
    for method in comparison.order:
        score, rank = mean_sd(accuracy[method], 100), f"{ranks[method]:.1f}" if method in ranks else "–"
        table[method] = {
            "test accuracy, %": f"**{score}**" if method in ranks and scores[method] == scores.max() else score,
            "mean rank": f"**{rank}**" if method in ranks and ranks[method] == ranks.min() else rank,
            "recovered, %": share_text(recovered[method], interval=True),
            "against cross entropy": _wins(frame, method, BASELINE),
            "calibration error": mean_sd(calibration[method], 1, 3),
            "fit, s": f"{seconds[method]:.2f}",
            "n": str(accuracy[method].count()),
        }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("method")


def _wins(frame, method, reference):
    if method == reference or reference not in set(frame["method"]):
        return "–"
    return "/".join(map(str, win_tie_loss(differences(frame, method, reference))))


def measures_table(rows):
    """What else is measured of each method over all tasks; mean ± sd over seeds."""
    comparison = Comparison.of(frame_of(rows))
    columns = {
        "balanced accuracy, %": ("balanced_accuracy", 100, 1),
        "wrong labels learned, %": ("memorised", 100, 0),
        "noise removed, %": ("label_recovery", 100, 0),
        "detection AUC": ("detection_auc", 1, 3),
        "calibration error": ("calibration_error", 1, 3),
    }
    by_seed = comparison.rows.groupby(["method", "seed"])[[name for name, _, _ in columns.values()]].mean()
    oracles = [method for method in comparison.methods if comparison.kinds[method] == "oracle"]
    of_oracles = {name: recovered_by_method(comparison, ceiling=name) for name in oracles}
    table = {}
    for method in comparison.order:
        of_oracle = {f"of {name}": share_text(of_oracles[name][method]) for name in oracles}
        table[method] = {
            **{title: text if method != CEILING else "–" for title, text in of_oracle.items()},
            **{
                title: mean_sd(by_seed.loc[method, name], scale, digits)
                for title, (name, scale, digits) in columns.items()
            },
        }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("method")


def wins_table(rows):
    """Each method against the references: tasks won, tied, lost, mean difference in points, p-value."""
    comparison = Comparison.of(frame_of(rows))
    table = pd.DataFrame(index=pd.Index(comparison.ranks.index, name="method"))
    # Wins and losses are counted against what everybody has, and against what we recommend.
    references = (BASELINE, recommended(comparison))
    for reference in (name for name in references if name in comparison.methods):
        others = [method for method in table.index if method != reference]
        by_method = {method: differences(comparison.rows, method, reference) for method in others}
        p_values = holm(pd.Series({method: wilcoxon_p(by["mean"]) for method, by in by_method.items()}, dtype=float))
        cells = {
            method: ("/".join(map(str, win_tie_loss(by))), points_text(by["mean"]), f"{p_values[method]:.3f}")
            for method, by in by_method.items()
        }
        for column, title in enumerate((f"against {reference}", f"points over {reference}", "p")):
            # Two references have a column of p-values each, and headers of a frame must differ.
            table[title if title != "p" else f"p ({reference})"] = [
                cells[method][column] if method in cells else "–" for method in table.index
            ]
    return table


def task_table(rows):
    """Score by task and method, mean ± sd over seeds, the best method that saw no clean label in bold."""
    frame = frame_of(rows)
    values = frame.groupby(["task", "method"])["score"]
    cells = values.apply(mean_sd, scale=100).unstack("method").fillna("–")
    means = values.mean().unstack("method")
    kinds = frame.groupby("method")["kind"].first()
    informed = [method for kind in INFORMED for method in kinds.index[kinds == kind]]
    cells = best_in_bold(cells, means.drop(columns=informed))
    # A mean over other tasks would say nothing: methods that lack one come last.
    lacking = means.drop(columns=informed).isna().any()
    order = means.mean().sort_values(ascending=False).index
    order = sorted(order.drop(informed), key=lambda method: lacking[method])
    return cells[[*informed, *order]]


def noise_table(rows):
    """Mean score (and mean rank) by kind of noise; the best of both in bold."""
    comparisons = by_condition(rows)
    order = noise_order(comparisons)
    table = pd.DataFrame(index=pd.Index(order, name="method"))
    ranks = overall_ranks(comparisons)
    table["mean rank"] = [f"{ranks[method]:.1f}" if method in ranks else "–" for method in order]
    for name, comparison in comparisons.items():
        means = comparison.rows.groupby("method")["score"].mean()
        scores, ranked = comparison.scores.mean(), comparison.ranks
        cells = {method: f"{100 * means[method]:.1f}" for method in comparison.informed}
        for method in ranked.index:
            score, rank = f"{100 * means[method]:.1f}", f"{ranked[method]:.1f}"
            score = f"**{score}**" if scores[method] == scores.max() else score
            cells[method] = f"{score} ({f'**{rank}**' if ranked[method] == ranked.min() else rank})"
        table[name] = [cells.get(method, "–") for method in order]
    table.loc["*tasks*"] = ["", *(str(len(comparison.tasks)) for comparison in comparisons.values())]
    seeds = (comparison.rows.groupby("method")["seed"].nunique() for comparison in comparisons.values())
    table.loc["*seeds*"] = ["", *(_range(number.min(), number.max()) for number in seeds)]
    table.loc["*critical difference of mean ranks*"] = [
        "", *(f"{comparison.critical_difference:.1f}" for comparison in comparisons.values())
    ]  # fmt: skip
    return table


def _range(least, most):
    return str(least) if least == most else f"{least} to {most}"


def _count(number, noun):
    return f"{number} {noun}{'' if number == 1 else 's'}"


def caption(rows):
    """Where the figures of a table come from: tasks, sizes, seeds, versions, machine, commit."""
    frame = frame_of(rows)
    kinds = dict.fromkeys(condition(*kind) for kind in frame[["noise", "rate"]].itertuples(index=False, name=None))
    names = sorted(frame["dataset"].unique())
    per_task = frame.groupby("task")["seed"].nunique()
    seeds = _range(per_task.min(), per_task.max()) + (" seed" if per_task.max() == 1 else " seeds")
    versions = frame["versions"].iloc[-1]
    budgets = frame["budget"].map(lambda budget: ", ".join(f"{k}={v!r}" for k, v in budget.items()) or "defaults")
    n_tasks = frame["task"].nunique()
    tasks = "" if n_tasks == len(names) else f"{_count(n_tasks, 'task')}: "
    return (
        f"{tasks}{_count(len(names), 'data set')} ({', '.join(names)}), {', '.join(kinds)}; at most "
        f"{frame['max_train'].max():,} training rows, {seeds}; networks trained with: "
        f"{'; '.join(sorted(budgets.unique()))}. Accuracy is that on clean test labels; ± is the standard deviation "
        f"over seeds. torch {versions['torch']}, scikit-learn {versions['scikit-learn']}, "
        f"{frame['processor'].iloc[-1]}, {frame['threads'].iloc[-1]} thread, commit "
        f"{', '.join(sorted(frame['commit'].dropna().unique()))}."
    )


def ranking_caption(comparison):
    """What the mean ranks of a comparison can say: Friedman's test, the critical difference, what it tells apart."""
    p_value = friedman(comparison.scores)
    alike = "" if p_value is None else f"Friedman's test that all methods are alike: p = {p_value:.1g}. "
    best = not_worse_than_the_best(comparison.scores)
    worse = [method for method in comparison.ranks.index if method not in best]
    return (
        f"Mean ranks are over {len(comparison.tasks)} tasks, among the {len(comparison.scores.columns)} methods that "
        f"saw no clean label. {alike}Two mean ranks differ (Nemenyi's test, 5 % level) from "
        f'{comparison.critical_difference:.1f} on: worse than the best are {"; ".join(worse) or "none"}. "Recovered" '
        "is the share won back from cross entropy or its early-stopped form, whichever is better on average, to cross "
        f"entropy on clean labels, with the 95 % interval of a bootstrap over data sets.{left_out_text(comparison)}"
    )

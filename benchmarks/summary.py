"""What rows say in few words: shares won back, where the recommended method stands, what to use when.

Everything here is made from rows; no method is named by hand but those a table shows and the two that may be
recommended.
"""

import functools

import numpy as np
import pandas as pd

from benchmarks.cells import markdown, percent, share_text, with_interval
from benchmarks.comparison import BASELINE, CEILING, Comparison, by_condition, frame_of, left_out_text, overall_ranks
from benchmarks.ranks import differences, holm, wilcoxon_p
from benchmarks.recovery import FLOORS, LEAST_LOSS, Recovered, best_plain_on_clean, floor_of, mean_interval

# What may be recommended, the first that has rows.
RECOMMENDED = ("NoisyLabelClassifier", "DMClassifierCV")
# The rows of the README's table; twelve at most.
SHOWN = (
    CEILING, *RECOMMENDED, "RandomForest, tuned", "ExtraTrees, tuned", "robust LightGBM, tuned", "cross entropy, tuned",
    "CleanLearning of RandomForest, tuned", "GCE", BASELINE, "RandomForest", "HistGradientBoosting",
)  # fmt: skip


def recommended(*comparisons):
    """The recommended method among those compared; None where neither is."""
    compared = {method for comparison in comparisons for method in comparison.methods}
    return next((name for name in RECOMMENDED if name in compared), None)


def task_means(comparison):
    """Mean score over seeds of every compared method, those that saw clean labels included; tasks are rows."""
    return _task_means(comparison.rows)


def _task_means(rows):
    return rows.groupby(["task", "method"])["score"].mean().unstack("method")


def recovered_by_method(comparison, ceiling=CEILING, tasks=None):
    """`Recovered` of every compared method over the seeds that it shares with floor and ceiling.

    Seeds are other rows and other noise, so one that few methods have must not stand for all that the floor has. None
    where there is no floor, no ceiling, or no such seed.

    Parameters
    ----------
    comparison : Comparison
    ceiling : str or callable, default=CEILING
        A method, or ``ceiling(seeds)``, which gives scores by task.
    tasks : sequence of str, default=None
        The tasks that count; all where they are not given.
    """
    rows = comparison.rows if tasks is None else comparison.rows[comparison.rows["task"].isin(tasks)]
    seeds = rows.groupby("method")["seed"].agg(set)
    ends = [name for name in FLOORS if name in seeds] + ([] if callable(ceiling) else [ceiling])
    if BASELINE not in seeds or ends[-1] not in seeds:
        return dict.fromkeys(comparison.methods)
    means = functools.cache(lambda seeds: _task_means(rows[rows["seed"].isin(seeds)]))
    recovered = {}
    for method in comparison.methods:
        shared = frozenset(seeds[method].intersection(*seeds[ends]))
        top = ceiling(shared) if callable(ceiling) else means(shared).get(ceiling)
        recovered[method] = Recovered.of(means(shared)[method], floor_of(means(shared)), top) if shared else None
    return recovered


def shares_table(rows):
    """Shares won back of each method, by number of classes and against two ceilings, and its distance to the best."""
    frame = frame_of(rows)
    symmetric = frame[(frame["noise"] == "symmetric") & (frame["rate"] == 0.4)]
    comparison = Comparison.of(symmetric)
    n_classes = comparison.rows.groupby("task")["n_classes"].first()
    two, more = list(n_classes.index[n_classes == 2]), list(n_classes.index[n_classes != 2])

    @functools.cache
    def plain(seeds):
        return best_plain_on_clean(frame[frame["seed"].isin(seeds)], comparison.tasks)

    means = task_means(comparison)
    shares = {
        "recovered, %": recovered_by_method(comparison),
        "two classes": recovered_by_method(comparison, tasks=two),
        "more than two": recovered_by_method(comparison, tasks=more),
        "of the best plain learner on clean labels": recovered_by_method(comparison, plain),
    }
    table = {}
    for method in comparison.order:
        of = {title: by_method[method] for title, by_method in shares.items()}
        whole = of["recovered, %"]
        table[method] = {
            "accuracy, two classes": _percent(means.loc[two, method]),
            "accuracy, more than two": _percent(means.loc[more, method]),
            "recovered, % [95 %]": share_text(whole, interval=True),
            "mean": "–" if whole is None else percent(whole.mean),
            "median": "–" if whole is None else percent(whole.median),
            "two classes": share_text(of["two classes"]),
            "more than two": share_text(of["more than two"]),
            "of the best plain learner on clean labels": share_text(of["of the best plain learner on clean labels"]),
        }
    table = pd.DataFrame.from_dict(table, orient="index").rename_axis("method")
    reference = recommended(comparison)
    if reference is None:
        return table
    others = [method for method in comparison.ranks.index if method != reference]
    ahead = {method: differences(comparison.rows, method, reference)["mean"] for method in others}
    p_values = holm(pd.Series({method: wilcoxon_p(by_task) for method, by_task in ahead.items()}, dtype=float))
    table[f"points over {reference} [95 %]"] = [
        points_text(ahead[method]) if method in ahead else "–" for method in table.index
    ]
    table["p"] = [f"{p_values[method]:.3f}" if method in p_values else "–" for method in table.index]
    return table


def points_text(differences):
    """Mean of differences of scores by task, in points, and its interval."""
    return with_interval(*(100 * value for value in mean_interval(differences)))


def _percent(scores):
    return f"{100 * scores.mean():.1f}" if len(scores) else "–"


def shares_block(rows):
    """The shares and what they mean, for `benchmarks.report`."""
    symmetric = [row for row in rows if row["task"].endswith("/symmetric/0.4")]
    if not symmetric:
        return "No rows of symmetric noise yet.\n"
    text = (
        f'{markdown(shares_table(rows))}\n"Recovered" is the share won back of what the noise takes, from cross '
        "entropy or its early-stopped form, whichever is better on average over the tables of a column, to cross "
        "entropy on clean labels: pooled over tables, and mean and median of the tables that lose "
        f"{100 * LEAST_LOSS:.0f} point at least. The last of these columns measures to the best of the plain learners "
        "(no method built for noise) on clean labels instead. Intervals are those of a bootstrap over data sets, p is "
        "Wilcoxon's over tables, adjusted by Holm. In shares, points and p a method is compared with others over the "
        "seeds that it has.\n"
    )
    return text.rstrip("\n") + left_out_text(Comparison.of(frame_of(symmetric))) + "\n"


def leads(comparison, name):
    """Score of a method minus that of each other, by task: means over the seeds that both have.

    Seeds are other rows and other noise. A rival with few of them is met on those, and the others on all of theirs.

    Returns
    -------
    leads : DataFrame
        Tasks are rows, the other methods that saw no clean label and share a seed are columns.
    """
    scores = comparison.scores_by_seed
    ahead = -scores.drop(columns=name).sub(scores[name], axis=0)
    return ahead.groupby("task").mean().dropna(axis=1)


def standing(comparisons, name):
    """Where a method stands under each kind of noise: against the best of all others there.

    Returns
    -------
    standing : DataFrame
        One row a kind: ``best`` of the others, ``ahead`` (points by which the method is ahead of it, a mean over
        tasks) with ``low`` and ``high``, ``verdict`` ("ahead", "level" or "behind": whether the interval has
        zero in it), ``first`` (whether its mean rank is the best) and ``n_tasks``.
    """
    lines = {}
    for kind, comparison in comparisons.items():
        of = leads(comparison, name) if name in comparison.scores else pd.DataFrame()
        if of.empty:
            continue
        best = of.mean().idxmin()
        ahead, low, high = 100 * np.array(mean_interval(of[best]))
        verdict = "ahead" if low > 0 else "behind" if high < 0 else "level"
        lines[kind] = {
            "best": best, "ahead": ahead, "low": low, "high": high, "verdict": verdict,
            "first": comparison.ranks.index[0] == name, "n_tasks": len(of),
        }  # fmt: skip
    columns = ["best", "ahead", "low", "high", "verdict", "first", "n_tasks"]
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns)


def _each(table):
    return "; ".join(
        f"{kind} ({line.best} {with_interval(-line.ahead, -line.high, -line.low)})" for kind, line in table.iterrows()
    )


def mind_block(rows):
    """The paragraph "what would change our mind": where the recommended method loses or ties, and to whom."""
    comparisons = by_condition(rows)
    name = recommended(*comparisons.values())
    table = standing(comparisons, name)
    if table.empty:
        return "No rows of a recommended method beside others yet.\n"
    behind, level, ahead = (table[table["verdict"] == verdict] for verdict in ("behind", "level", "ahead"))
    parts = [
        f"**What would change our mind.** Recommended is `{name}`. In brackets stands the best of all other methods "
        "under that kind of noise, with the points by which it is ahead over the seeds that both have, and the "
        "interval of a bootstrap over data sets."
    ]
    if len(behind):
        parts.append(f"It loses at {_each(behind)}: use that one if this is your case.")
    if len(level):
        parts.append(f"It can't be told apart at {_each(level)}.")
    if len(ahead):
        parts.append(f"It leads at {_each(ahead)}.")
    second = [kind for kind in table.index if not table.loc[kind, "first"]]
    parts.append(
        f"Its mean rank is not the best at {', '.join(second)}." if second else "Its mean rank is the best everywhere."
    )
    if not len(ahead):
        parts.append("So nothing here says that it is better than what is already there.")
    return " ".join(parts) + "\n"


def least_behind(comparisons):
    """The method that is least behind the best of each kind on average over the kinds, and by how many points.

    Whoever does not know the noise wants to be nowhere far from the best. Only methods compared under every kind count.
    """
    compared = [set(comparison.scores.columns) for comparison in comparisons.values()]
    everywhere = [method for method in next(iter(comparisons.values())).scores if all(method in of for of in compared)]
    behind = pd.Series(
        {
            name: np.mean([max(0, -leads(comparison, name).mean().min()) for comparison in comparisons.values()])
            for name in everywhere
        }
    )
    return behind.idxmin(), 100 * behind.min()


def advice(rows):
    """One sentence on what to use when."""
    comparisons = by_condition(rows)
    name, behind = least_behind(comparisons)
    table = standing(comparisons, name)
    better = table[table["verdict"] == "behind"]
    others = [f"{line.best} at {kind} (by {-line.ahead:.1f})" for kind, line in better.iterrows()]
    kinds = f"{len(comparisons)} kinds of noise" if len(comparisons) > 1 else f"{next(iter(comparisons))} noise"
    return (
        f"Use `{name}` where you don't know how your labels are wrong: over {kinds} it is on average {behind:.1f} "
        f"points behind the best method of each; clearly ahead of it {'are' if len(others) > 1 else 'is'} "
        f"{'; '.join(others) or 'none'}."
    )


def shown_rows(rows, methods=SHOWN):
    """Those of some methods."""
    return [row for row in rows if row["method"] in methods]


def summary_table(rows):
    """The README's table: mean score by kind of noise, mean rank over kinds, share won back, time of a fit."""
    comparisons = by_condition(shown_rows(rows), paired=True)
    ranks = overall_ranks(comparisons)
    informed = dict.fromkeys(method for comparison in comparisons.values() for method in comparison.informed)
    compared = {method for comparison in comparisons.values() for method in comparison.methods}
    lacking = [method for method in SHOWN if method in compared and method not in (*informed, *ranks.index)]
    table = pd.DataFrame(index=pd.Index([*informed, *ranks.index, *lacking], name="method"))
    for kind, comparison in comparisons.items():
        means = task_means(comparison).mean()
        best = means[comparison.scores.columns].max()
        cells = {method: f"{100 * means[method]:.1f}" for method in comparison.methods}
        for method in comparison.scores:
            if means[method] == best:
                cells[method] = f"**{cells[method]}**"
        table[kind] = [cells.get(method, "–") for method in table.index]
    bold = {method: "**" if rank == ranks.min() else "" for method, rank in ranks.items()}
    table["mean rank"] = [
        f"{bold[method]}{ranks[method]:.1f}{bold[method]}" if method in ranks else "–" for method in table.index
    ]
    if "symmetric 40%" in comparisons:
        # The floor may be a method that the table does not show.
        shares = recovered_by_method(by_condition(shown_rows(rows, (*SHOWN, *FLOORS)), paired=True)["symmetric 40%"])
        table["recovered, %"] = [share_text(shares.get(method), interval=True) for method in table.index]
    seconds = pd.DataFrame(shown_rows(rows)).groupby("method")["fit_seconds"].median()
    table["fit, s"] = [f"{seconds[method]:.1f}" for method in table.index]
    return table


def summary_block(rows):
    """The README's table, where it comes from, and the one sentence."""
    comparisons = by_condition(shown_rows(rows), paired=True)
    of = [comparison.rows for comparison in comparisons.values()]
    frame = pd.concat(of)
    seeds = frame.groupby(["task", "method"])["seed"].nunique()
    absent = [name for name in SHOWN if name not in set(frame["method"])]
    n_seeds = f"{seeds.min()}" if seeds.min() == seeds.max() else f"{seeds.min()} to {seeds.max()}"
    n_seeds += " seed" if n_seeds == "1" else " seeds"
    return (
        f"{advice(rows)}\n\n{markdown(summary_table(rows))}\n"
        f"Accuracy on clean test labels, a mean over {frame['dataset'].nunique()} tables with at most "
        f"{frame['max_train'].max():,} rows, {n_seeds}; at imbalance it is averaged over the classes, and no "
        "label is wrong there. What is called tuned chose its parameters on the same wrong labels. Mean rank: over "
        'tables, then over kinds, among the rows of this table. "Recovered" (at 40 % symmetric noise, with the 95 % '
        "interval of a bootstrap over tables): the share won back from cross entropy or its early-stopped form, "
        f"whichever is better, to cross entropy on clean labels. Commit {', '.join(sorted(frame['commit'].unique()))}."
        f"{left_out_text(*comparisons.values())}" + (f" No rows yet of {'; '.join(absent)}." if absent else "") + "\n"
    )

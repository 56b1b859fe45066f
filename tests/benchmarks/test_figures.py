import sys

import matplotlib as mpl
import pytest

from benchmarks import figures
from benchmarks.comparison import BASELINE
from benchmarks.rows import RESULTS


@pytest.mark.slow
def test_figures_are_equal_for_equal_rows_and_stale_for_others(results, rows, noise_rows, row):
    folder = results(tables=rows, noises=noise_rows)
    paths = [figures.path_of(name, folder) for name in figures.FIGURES]
    assert figures.stale(folder) == paths
    assert set(figures.update(folder).values()) == {"drawn"}
    assert figures.stale(folder) == []
    first = [path.read_bytes() for path in paths]
    assert set(figures.update(folder).values()) == {"unchanged"}
    for path in paths:
        path.unlink()
    figures.update(folder)
    assert [path.read_bytes() for path in paths] == first
    results(tables=[row(task, "newcomer", 0, 0.5) for task in {r["task"] for r in rows}])
    assert paths[0] in figures.stale(folder)


def test_without_matplotlib_the_tables_are_written_all_the_same(monkeypatch, results, rows):
    folder = results(tables=rows)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    states = set(figures.update(folder).values())
    assert len(states) == 1 and states.pop().startswith("not drawn: needs matplotlib")


def test_the_rank_figure_shows_methods_from_the_best_on(rows):
    figure = figures.draw_ranks(figures.rank_data(rows))
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["DM(2, 24)", "other", BASELINE]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first is on top
    assert ax.get_xlabel() == "mean rank over 2 tasks, 1 is best"


def test_the_frontier_is_who_nobody_beats_in_less_time(row):
    costs = {"quick": (0.5, 1.0), "slower": (0.6, 2.0), "worse": (0.55, 3.0), "best": (0.7, 9.0), "as good": (0.6, 2.5)}
    rows = [row("a/symmetric/0.4", name, 0, a, fit_seconds=s) for name, (a, s) in costs.items()]
    data = figures.cost_data(rows)
    assert list(data.index[data["frontier"]]) == ["quick", "slower", "best"]
    (ax,) = figures.draw_cost(data).axes
    assert {text.get_text() for text in ax.texts} == {"quick", "slower", "best"}


def test_the_map_of_gains_is_zero_for_cross_entropy(noise_rows):
    data = figures.gain_data(noise_rows)
    assert (data.loc[BASELINE] == 0).all()
    assert data.loc["good", "symmetric 20%"] == pytest.approx(10)
    figure = figures.draw_gains(data)
    assert len(figure.axes[0].texts) == data.size


def test_a_gain_is_over_cross_entropy_of_the_same_seeds(row):
    scores = {BASELINE: {0: 0.7, 1: 0.5}, "both": {0: 0.8, 1: 0.6}, "one": {0: 0.75}}
    rows = [row("a/human/0", name, seed, a) for name, seeds in scores.items() for seed, a in seeds.items()]
    assert figures.gain_data(rows)["human"].to_dict() == pytest.approx({BASELINE: 0, "both": 10, "one": 5})


@pytest.mark.slow
def test_committed_figures_show_the_committed_rows():
    assert figures.stale(RESULTS) == [], "run python -m benchmarks.report"


@pytest.mark.slow
@pytest.mark.parametrize("name", figures.FIGURES)
def test_nothing_of_a_committed_figure_is_cut_off(name):
    data = dict(figures.numbers(RESULTS))[name]
    with mpl.rc_context(figures.STYLE):
        figure = figures.FIGURES[name][2](data)
        figure.canvas.draw()
    drawn, page = figure.get_tightbbox(), figure.bbox_inches
    assert page.x0 <= drawn.x0 < drawn.x1 <= page.x1
    assert page.y0 <= drawn.y0 < drawn.y1 <= page.y1

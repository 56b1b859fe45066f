import numpy as np
import pytest

from benchmarks import selection
from benchmarks.comparison import BASELINE, CEILING
from benchmarks.selection import LAST, TODAY, evaluate, predictions, scores_of, selection_table
from benchmarks.tasks import Task


@pytest.fixture(scope="module")
def small():
    """A draw of digits with two candidates and the two other losses, and everything predicted for it."""
    patch = pytest.MonkeyPatch()
    for name, value in {"CANDIDATES": ((0, 0), (1, 16)), "N_CANDIDATES": 2, "CROSS_ENTROPY": 3}.items():
        patch.setattr(selection, name, value)
    task = Task("digits", max_train=200)
    arrays = predictions(task, 0)
    yield task, arrays, evaluate(task, 0, arrays)
    patch.undo()


@pytest.mark.slow
def test_predictions_are_distributions(small):
    _, arrays, _ = small
    for name in ("oof", "foldtest", "mem"):
        np.testing.assert_allclose(arrays[name].astype(float).sum(axis=-1), 1, atol=0.01)  # half precision


def test_no_choice_beats_the_oracle_and_all_are_accuracies(small):
    task, arrays, results = small
    right = [member.argmax(axis=-1) == task.draw(0).y_test for member in arrays["mem"].astype(np.float32).mean(axis=1)]
    oracle = results["oracle: best of the candidates on the test labels"]
    assert oracle == pytest.approx(max(np.mean(rows) for rows in right[:2]), abs=1e-12)
    assert min(results.values()) > 0.2  # twice as good as guessing one of ten digits
    assert oracle >= max(results[TODAY], results["balanced accuracy"], results["mutual information, folds repeated"])
    assert {BASELINE, CEILING, LAST} <= set(results)


def test_out_of_fold_predictions_do_not_know_their_label(small):
    task, arrays, _ = small
    y = task.draw(0).y_given
    # Labels that are uniformly wrong cannot be predicted out of fold above the rate of right ones.
    wrong = y != task.draw(0).y_clean
    assert (arrays["oof"][:, 0].argmax(axis=-1) == y)[:, wrong].mean() < 0.25


def test_scores_by_hand(monkeypatch):
    monkeypatch.setattr(selection, "N_CANDIDATES", 2)
    y = np.array([0, 0, 0, 1])
    right, majority = np.eye(2)[y], np.eye(2)[np.zeros(4, int)]
    oof = np.stack([[right, majority, right, majority]] * 2) * 0.8 + 0.1
    scores = scores_of(oof, y)
    np.testing.assert_allclose(scores[TODAY], [1, 0.75, 1, 0.75])
    np.testing.assert_allclose(scores["balanced accuracy"], [1, 0.5, 1, 0.5])
    np.testing.assert_allclose(scores["Cohen's kappa"], [1, 0, 1, 0], atol=1e-12)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    np.testing.assert_allclose(scores["mutual information with the given labels"], [entropy, 0, entropy, 0], atol=1e-12)


def test_the_table_measures_from_cross_entropy_to_the_ceiling():
    rows = [
        {"task": task, "seed": 0, "rule": rule, "test_accuracy": value}
        for task in ("a", "b")
        for rule, value in {BASELINE: 0.6, CEILING: 0.8, TODAY: 0.7, "half as good": 0.65}.items()
    ]
    table = selection_table(rows)
    assert table.loc[[CEILING, TODAY, "half as good", BASELINE], "recovered, %"].tolist() == ["100", "50", "25", "0"]
    assert table.loc["half as good", "points over today's"] == "-5.0 ± 0.0"
    rows = [row | {"seed": seed} for row in rows for seed in (0, 1)]
    rows += [
        {"task": task, "seed": seed, "rule": "varies", "test_accuracy": 0.7 + by + 0.01 * (-1) ** seed}
        for task, by in (("a", 0.01), ("b", 0.03))
        for seed in (0, 1)
    ]
    # Two tables one and three points ahead, whatever their seeds: sd 1.41 over sqrt(2).
    assert selection_table(rows).loc["varies", ["points over today's", "worst table"]].tolist() == [
        "+2.0 ± 1.0",
        "+1.0",
    ]

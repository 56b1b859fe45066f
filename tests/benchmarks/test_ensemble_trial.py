"""The rules that were tried for the ensemble, on predictions whose best threshold is known."""

import numpy as np
import pytest
from scipy.special import expit

from benchmarks import ensemble_trial


def make_opinions(shift=0.0, n_classes=2, seed=0):
    """Families that rank two classes well and put the threshold off by a shift; and true labels of test rows."""
    rng = np.random.default_rng(seed)
    clean = rng.integers(0, n_classes, 2 * 2000)
    if n_classes > 2:
        probas = rng.dirichlet(np.ones(n_classes), (7, len(clean)))
    else:
        margin = (2 * clean - 1 + 0.5 * rng.normal(size=(7, len(clean)))) + shift
        probas = np.stack([1 - expit(margin), expit(margin)], axis=2)
    given = np.where(rng.uniform(size=len(clean)) < 0.3, (clean + 1) % n_classes, clean)
    return ensemble_trial.Opinions(probas[:, :2000], probas[:, 2000:], given[:2000]), clean[2000:]


def accuracy(rule, opinions, y):
    return np.mean(ensemble_trial.RULES[rule](opinions).argmax(axis=1) == y)


@pytest.mark.parametrize("rule", ensemble_trial.THRESHOLDS)
def test_a_threshold_that_is_off_is_found(rule):
    opinions, y = make_opinions(shift=1.5)
    assert accuracy(rule, opinions, y) > 0.9 > accuracy("mean of the families", opinions, y)


def test_the_rule_of_two_classes_that_others_are_compared_with_is_half_the_mean():
    opinions, _ = make_opinions()
    ours, same = (ensemble_trial.RULES[rule](opinions) for rule in ("ensemble", "D F sqrt(mean)"))
    np.testing.assert_allclose(opinions.geometric({"D": 1, "mean": 1})[1], ours, atol=1e-9)
    assert np.abs(ours - same).max() > 1e-3


def test_each_rule_has_a_row_for_each_draw_and_is_not_run_again(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(ensemble_trial, "opinions_of", lambda task, seed: calls.append(seed) or make_opinions(1.0))
    path = tmp_path / "rows.jsonl"
    for _ in range(2):
        ensemble_trial.main(["--tasks", "magic/symmetric/0.4", "--seeds", "10", "11", "--output", str(path)])
    assert calls == [10, 11]
    rows = ensemble_trial.read_rows(path)
    of_two = [rule for rule in ensemble_trial.RULES if rule not in ensemble_trial.MORE_CLASSES]
    assert len(rows) == 2 * len(of_two)
    table = ensemble_trial.summary(rows)
    assert list(table.index) == of_two
    assert table.loc["F", "all"].startswith(("+", "-"))
    assert 50 < float(table.loc["ensemble", "all"]) < 100
    assert ensemble_trial.trial_block(rows).startswith("1 tasks; seeds 10, 11, which no leaderboard has rows of")


def test_a_difference_has_the_standard_error_of_its_mean_over_draws():
    rows = [
        {
            "task": f"{name}/clean/0",
            "seed": 10,
            "max_train": 1000,
            "rule": rule,
            "test_accuracy": 0.8 + by * (rule == "F"),
        }
        for name, by in (("a", 0.01), ("b", 0.03))
        for rule in ("ensemble", "F")
    ]
    assert ensemble_trial.summary(rows)["all"].to_dict() == {"ensemble": "80.0", "F": "+2.00 ± 1.00"}


def test_the_ensemble_without_a_family_learns_anew():
    opinions, y = make_opinions()
    proba = ensemble_trial.RULES["without random forest"](opinions)
    assert proba.shape == (2000, 2)
    assert 0 < np.abs(proba - opinions.test["ensemble"]).max()
    assert np.mean(proba.argmax(axis=1) == y) > 0.9


def test_rules_about_a_threshold_are_for_two_classes(tmp_path, monkeypatch):
    monkeypatch.setattr(ensemble_trial, "opinions_of", lambda task, seed: make_opinions(n_classes=3))
    ensemble_trial.run(["letter/symmetric/0.4"], [10], 1000, tmp_path / "rows.jsonl")
    rules = {row["rule"] for row in ensemble_trial.read_rows(tmp_path / "rows.jsonl")}
    assert rules == set(ensemble_trial.RULES) - set(ensemble_trial.TWO_CLASSES)


def test_the_rule_that_is_taken_is_that_of_the_classifier():
    opinions, _ = make_opinions()
    np.testing.assert_array_equal(
        ensemble_trial.RULES["taken"](opinions).argmax(axis=1),
        ensemble_trial.RULES["S, prior of 50 rows"](opinions).argmax(axis=1),
    )
    opinions, _ = make_opinions(n_classes=4)
    np.testing.assert_allclose(
        ensemble_trial.RULES["taken"](opinions), ensemble_trial.RULES["D up to structure 0.05"](opinions), rtol=1e-6
    )

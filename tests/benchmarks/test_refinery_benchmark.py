"""The benchmark of the refinery measures what it says."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from benchmarks import refinery
from benchmarks.rows import read_rows
from benchmarks.tasks import Draw


@pytest.fixture
def draw(blobs):
    X, y = blobs
    y_given = np.where(np.arange(150) % 4 == 0, (y + 1) % 3, y)
    return Draw(X[:100], y_given[:100], y[:100], X[100:], y[100:], 3)


def test_a_curve_begins_with_the_given_labels_and_the_plain_estimator(draw, monkeypatch):
    monkeypatch.setattr(refinery, "N_ROUNDS", 3)
    columns = refinery.curve(GaussianNB(), draw, seed=0)
    assert {len(values) for values in columns.values()} == {4}
    assert columns["refined_right"][:3] == [0.75] * 3  # nothing can flip before round 3
    assert columns["oof_right"][1] > 0.9
    assert columns["test_accuracy"][0] == GaussianNB().fit(draw.X_train, draw.y_given).score(draw.X_test, draw.y_test)


def test_competitors_begin_with_the_plain_estimator_and_do_not_see_rows_out_of_fold(draw, monkeypatch):
    monkeypatch.setattr(refinery, "N_ROUNDS", 2)
    columns = refinery.in_sample_competitors(GaussianNB(), draw)
    plain = GaussianNB().fit(draw.X_train, draw.y_given)
    assert columns["in_sample_right"][:2] == [0.75, plain.score(draw.X_train, draw.y_clean)]
    assert columns["in_sample_accuracy"][0] == plain.score(draw.X_test, draw.y_test)
    assert len(columns["distilled_accuracy"]) == 1


def test_the_stopwatch_adds_up_fits_and_keeps_the_estimator_as_it_is(draw):
    refinery._Stopwatch.seconds = {"fit": 0.0, "predict_proba": 0.0}
    timed = refinery.TimedLogisticRegression().fit(draw.X_train, draw.y_given)
    plain = LogisticRegression().fit(draw.X_train, draw.y_given)
    np.testing.assert_array_equal(timed.predict_proba(draw.X_test), plain.predict_proba(draw.X_test))
    assert min(refinery._Stopwatch.seconds.values()) > 0


def test_runs_that_have_a_row_are_not_run_again(draw, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(refinery, "PATH", tmp_path / "refinery.jsonl")
    monkeypatch.setattr(refinery, "N_ROUNDS", 1)
    monkeypatch.setattr(refinery, "ESTIMATORS", {"naive Bayes": lambda seed: GaussianNB()})
    monkeypatch.setattr(refinery.Task, "draw", lambda self, seed: draw)
    refinery.run_curves(["magic"], ["naive Bayes"], [0])
    assert len(capsys.readouterr().out.splitlines()) == 2  # one line for each rate
    refinery.run_curves(["magic"], ["naive Bayes"], [0])
    assert capsys.readouterr().out == ""
    text = refinery.refinery_block(read_rows(tmp_path / "refinery.jsonl"))
    assert "| naive Bayes, refined | 75.0 | 75.0 |" in text  # right labels before and after the one round
    assert "2 of 30 curves (tables magic; seeds 0; at most 1,500 rows)" in text


def test_the_best_of_the_refinery_and_its_competitors_is_bold_whoever_it_is():
    curve = {
        "estimator": "net", "task": "magic/symmetric/0.4", "seed": 0, "test_accuracy": [0.6, 0.5, 0.7],
        "in_sample_accuracy": [0.6, 0.5, 0.65], "distilled_accuracy": [0.8],
    }  # fmt: skip
    table = refinery.accuracy_table([curve, curve | {"seed": 1, "distilled_accuracy": [0.9]}])
    assert table.loc["net, symmetric/0.4"].to_dict() == {
        "plain estimator": "60.0",
        "refinery": "70.0",
        "label refinery in sample": "65.0",
        "knowledge distillation": "**85.0**",
        "curves": "2",
    }

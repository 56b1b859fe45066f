"""Long work shows for verbose=1 how much of it is done and how long the rest takes, and nothing unasked."""

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import DMClassifier, DMClassifierCV, NoisyLabelClassifier, StochasticLabelRefinery
from sklabelnoise.audit import audit_labels
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict

FAST = {"max_epochs": 2, "module__hidden": (4,), "random_state": 0}
# Right often enough for an audit to mean something.
JUDGE = {"lam": 0, "beta": 0, "max_epochs": 20, "random_state": 0}
WORK = {
    "choice, together": (
        "DMClassifierCV: 100%",
        "8/8 fits",
        lambda X, y, verbose: DMClassifierCV(
            candidates=[(0, 0), (1, 16)], cv=3, n_members=2, verbose=verbose, **FAST
        ).fit(X, y),
    ),
    "choice, one by one": (
        "DMClassifierCV: 100%",
        "5/5 fits",
        lambda X, y, verbose: DMClassifierCV(
            candidates=[(0, 0), (1, 16)], cv=2, n_members=1, early_stopping=True, verbose=verbose, **FAST
        ).fit(X, y),
    ),
    "fused search": (
        "search: 100%",
        "6/6 fits",
        lambda X, y, verbose: FusedGridSearchCV(
            DMClassifier(**FAST), {"beta": [0, 8]}, cv=3, refit=False, verbose=verbose
        ).fit(X, y),
    ),
    "search of ordinary fits": (
        "search: 100%",
        "6/6 fits",
        lambda X, y, verbose: FusedGridSearchCV(
            DMClassifier(early_stopping=True, **FAST), {"beta": [0, 8]}, cv=3, refit=False, verbose=verbose
        ).fit(X, y),
    ),
    "left-out predictions": (
        "DMClassifier: 100%",
        "3/3 fits",
        lambda X, y, verbose: fused_cross_val_predict(DMClassifier(**FAST), X, y, cv=3, verbose=verbose),
    ),
    "refinery": (
        "StochasticLabelRefinery: 100%",
        "3/3 rounds",
        lambda X, y, verbose: StochasticLabelRefinery(
            LogisticRegression(), n_rounds=2, cv=3, random_state=0, verbose=verbose
        ).fit(X, y),
    ),
    "refinery of networks": (
        "StochasticLabelRefinery: 100%",
        "2/2 rounds",
        lambda X, y, verbose: StochasticLabelRefinery(
            DMClassifier(**FAST), n_rounds=1, cv=3, random_state=0, verbose=verbose
        ).fit(X, y),
    ),
    "ensemble": (
        "members: 100%",
        "expected seconds",
        lambda X, y, verbose: NoisyLabelClassifier(
            [("linear", LogisticRegression(), {"C": [1.0]})], cv=3, random_state=0, verbose=verbose
        ).fit(X, y),
    ),
    "audit": (
        "audit by LogisticRegression: 100%",
        "4/4 fits",
        lambda X, y, verbose: audit_labels(LogisticRegression(), X, y, cv=4, random_state=0, verbose=verbose),
    ),
    "audit by threads": (
        "audit by LogisticRegression: 100%",
        "4/4 fits",
        lambda X, y, verbose: _audit_by_threads(X, y, verbose),
    ),
    "audit by a network": (
        "audit by DMClassifier: 100%",
        "3/3 fits",  # two halves and the whole
        lambda X, y, verbose: audit_labels(
            make_pipeline(StandardScaler(), DMClassifier(**JUDGE)), X, y, random_state=0, verbose=verbose
        ),
    ),
    "audit by folds of a network": (
        "audit by DMClassifier: 100%",
        "3/3 fits",
        lambda X, y, verbose: audit_labels(
            DMClassifier(**JUDGE), X, y, cv=3, evidence="out_of_fold", random_state=0, verbose=verbose
        ),
    ),
    "audit by the refinery": (
        "StochasticLabelRefinery: 100%",
        "3/3 rounds",
        lambda X, y, verbose: audit_labels(
            StochasticLabelRefinery(LogisticRegression(), n_rounds=2, cv=3, random_state=0), X, y, verbose=verbose
        ),
    ),
    "audit by the ensemble": (
        "members: 100%",
        "expected seconds",
        lambda X, y, verbose: audit_labels(
            NoisyLabelClassifier([("linear", LogisticRegression(), {"C": [1.0]})], cv=3, random_state=0),
            X,
            y,
            verbose=verbose,
        ),
    ),
}


def _audit_by_threads(X, y, verbose):
    with joblib.parallel_config(backend="threading"):
        return audit_labels(LogisticRegression(), X, y, cv=4, n_jobs=2, random_state=0, verbose=verbose)


@pytest.mark.parametrize("bar, counted, work", WORK.values(), ids=WORK)
def test_a_bar_runs_to_its_end_where_it_is_asked_for(bar, counted, work, blobs, capfd):
    work(*blobs, 0)
    assert capfd.readouterr() == ("", "")
    work(*blobs, 1)
    shown = capfd.readouterr().err
    assert bar in shown and counted in shown
    assert "<00:00" in shown.split("\r")[-1]  # nothing remains


def test_an_audit_has_one_bar_and_more_on_request(blobs, capfd):
    audits = [
        audit_labels(DMClassifier(**JUDGE), *blobs, random_state=0, verbose=verbose).proba for verbose in (0, 1, 2)
    ]
    assert all(np.array_equal(audits[0], proba) for proba in audits[1:])
    shown = capfd.readouterr().err
    assert shown.count("\raudit by DMClassifier:   0%") == 2
    assert shown.count("\rDMClassifier:   0%") == 3  # of verbose=2 alone: two halves and the whole


def test_a_round_that_settles_early_ends_the_bar(blobs, capfd):
    X, y = blobs
    StochasticLabelRefinery(LogisticRegression(), n_rounds=9, cv=3, tol=1.0, random_state=0, verbose=1).fit(X, y)
    assert "10/10 rounds" in capfd.readouterr().err


def test_more_than_one_shows_the_epochs_of_single_fits_too(blobs, capfd):
    one_by_one = {"candidates": [(0, 0)], "cv": 2, "n_members": 1, "early_stopping": True, **FAST}
    models = [DMClassifierCV(**one_by_one, verbose=verbose).fit(*blobs) for verbose in (1, 2)]
    assert capfd.readouterr().err.count("DMClassifier: ") > 0
    np.testing.assert_array_equal(*(model.predict_proba(blobs[0]) for model in models))

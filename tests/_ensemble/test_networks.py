"""Networks of several members are one stack, whoever asks for it first."""

import numpy as np
import pytest

from sklabelnoise import DMClassifier, NoisyLabelClassifier
from sklabelnoise._ensemble._families import TrainingRows
from sklabelnoise._ensemble._fitting import fit_families
from sklabelnoise._ensemble._members import families_of
from sklabelnoise._foundation._work import Work


def draw():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    return X, (X[:, 0] > 0).astype(int)


def members():
    return [("plain", DMClassifier(max_epochs=2, lam=0, beta=0)), ("damped", DMClassifier(max_epochs=2))]


@pytest.mark.parametrize("first", ["plain", "damped"])
def test_the_seed_does_not_depend_on_which_member_is_asked_first(first):
    X, y = draw()
    folds = [(np.arange(60) % 2 != fold, np.arange(60) % 2 == fold) for fold in range(2)]
    splits = [tuple(map(np.flatnonzero, fold)) for fold in folds]
    rows = TrainingRows({"own": X}, y, np.ones(60), 2, splits, True)
    fitted = []
    for backwards in (False, True):
        families = families_of(members(), np.unique(y))
        fitted.append(fit_families(families[::-1] if backwards else families, rows, Work(), 0)[0][first].left_out)
    assert np.array_equal(*fitted)


def test_networks_for_tables_and_networks_of_the_user_keep_their_own_results(tmp_path):
    X, y = draw()
    mixed = ["networks", ("mine", DMClassifier(max_epochs=2))]
    expected = NoisyLabelClassifier(mixed, cv=2, random_state=0).fit(X, y).predict_proba(X)
    for _ in ("first run", "resumed"):
        model = NoisyLabelClassifier(mixed, cv=2, random_state=0, checkpoint=tmp_path).fit(X, y)
        assert (model.members_["status"] == "used").all()
        assert np.array_equal(model.predict_proba(X), expected)

"""Networks of several members are one stack, whoever asks for it first."""

import numpy as np
import pytest

from sklabelnoise import DMClassifier, NoisyLabelClassifier
from sklabelnoise._ensemble._families import Candidate, FittedFamily, TrainingRows
from sklabelnoise._ensemble._fitting import fit_families
from sklabelnoise._ensemble._members import families_of
from sklabelnoise._ensemble._networks import NetworkStack, TableNetworks
from sklabelnoise._foundation._checkpoint import Checkpoint
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


class Told(TableNetworks):
    """Networks for tables whose accuracies are told, not measured."""

    def __init__(self, accuracies):
        super().__init__(np.arange(3))
        self.accuracies, self.asked = accuracies, {}

    def _fit(self, candidates, piece, rows, work, seed):
        self.asked[piece] = candidates
        told = self.accuracies[piece]
        found = [Candidate(parameters, 0.5, own) for (parameters, _), own in zip(candidates, told, strict=True)]
        chosen = int(np.argmax(told))
        return FittedFamily(self.name, self.view, found, chosen, f"left out by {piece}", [piece], failures=[piece])


SHORT, LONG = "networks-standard", "networks-standard-long"


@pytest.mark.parametrize("best", range(6))
def test_longer_networks_are_trained_only_where_cross_entropy_is_the_best_of_the_short_ones(best):
    family = Told({SHORT: 0.7 + 0.1 * (np.arange(6) == best), LONG: (0.9, 0.8)})
    fitted = family.fit(range(100), Work(), 0)
    plain = family.short[best][0] == {"loss": "cross_entropy"}
    assert (LONG in family.asked) == plain
    assert len(fitted.candidates) == (8 if plain else 6)


@pytest.mark.parametrize("long, taken", [((0.9, 0.8), LONG), ((0.8, 0.9), LONG), ((0.7, 0.6), SHORT)])
def test_the_best_of_short_and_longer_networks_is_taken_with_what_belongs_to_it(long, taken):
    fitted = Told({SHORT: (0, 0, 0, 0, 0, 0.75), LONG: long}).fit(range(100), Work(), 0)
    assert fitted.left_out == f"left out by {taken}" and fitted.models == [taken] and fitted.failures == [SHORT, LONG]
    assert fitted.candidates[fitted.chosen].accuracy == max(0.75, *long)


def test_where_no_longer_network_comes_to_an_end_the_short_ones_stay():
    class Diverges(Told):
        def _fit(self, candidates, piece, *others):
            if piece == LONG:
                raise ValueError("loss is not finite")
            return super()._fit(candidates, piece, *others)

    fitted = Diverges({SHORT: (0, 0, 0, 0, 0, 0.75)}).fit(range(100), Work(), 0)
    assert fitted.models == [SHORT] and fitted.candidates[fitted.chosen].accuracy == 0.75
    assert fitted.failures == [SHORT, "longer fits failed with loss is not finite"]


@pytest.mark.parametrize("kept", [False, True])
def test_where_no_time_is_left_for_longer_networks_the_short_ones_stay(tmp_path, monkeypatch, kept):
    X, y = draw()

    class Short(TableNetworks):
        SHORT_EPOCHS, LONG_EPOCHS = 1, 2

        def __init__(self, classes):
            super().__init__(classes)
            self.short = self.short[-1:]  # cross entropy alone is the best of them

        def _fit(self, candidates, piece, rows, work, seed):
            if piece == LONG:
                monkeypatch.setattr(work, "_deadline", 0.0)
            return super()._fit(candidates, piece, rows, work, seed)

    splits = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    rows = TrainingRows({"standard": X.astype(np.float32)}, y, np.ones(60), 2, splits, True)
    work = Work(Checkpoint(tmp_path, {}) if kept else None)
    fitted = Short(np.unique(y)).fit(rows, work, 0)
    assert [candidate.parameters for candidate in fitted.candidates] == [{"loss": "cross_entropy"}]
    assert fitted.failures == ["longer fits, for which no time was left"]
    assert np.isfinite(fitted.left_out).all()


@pytest.mark.parametrize("n_samples, n_epochs", [(50, 160), (2_000, 160), (5_000, 64), (8_000, 40), (1_000_000, 40)])
def test_longer_networks_see_many_rows_as_often_as_short_ones_and_few_rows_four_times_as_often(n_samples, n_epochs):
    family = Told({SHORT: (0, 0, 0, 0, 0, 1), LONG: (0, 0)})
    family.fit(range(n_samples), Work(), 0)
    for parameters, network in family.asked[LONG]:
        assert parameters["max_epochs"] == network.max_epochs == n_epochs
        assert parameters["hidden"] == network.get_params()["module__hidden"]
    assert {network.max_epochs for _, network in family.short} == {40}


class Killed(BaseException):
    """As a signal would end it."""


@pytest.mark.parametrize("n_done", [1, 2])
def test_a_killed_fit_goes_on_after_the_folds_that_networks_have_done_to_the_same_bits(tmp_path, monkeypatch, n_done):
    X, y = draw()
    trained = []
    train_folds = NetworkStack._train_folds

    def interrupted(self, rows, folds, *others):
        if len(trained) == n_done:
            raise Killed
        trained.extend(folds)
        return train_folds(self, rows, folds, *others)

    def fitted(checkpoint):
        return NoisyLabelClassifier(members(), cv=3, random_state=0, checkpoint=checkpoint).fit(X, y)

    expected = fitted(None).predict_proba(X)
    with monkeypatch.context() as patch:
        patch.setattr(NetworkStack, "_train_folds", interrupted)
        with pytest.raises(Killed):
            fitted(tmp_path)
        trained_first, n_done = list(trained), -1
        assert np.array_equal(fitted(tmp_path).predict_proba(X), expected)
    assert sorted(trained) == [0, 1, 2] and trained[: len(trained_first)] == trained_first


def test_longer_networks_survive_in_a_checkpoint(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(300, 2))
    y = (np.sin(3 * X[:, 0]) > X[:, 1]).astype(int)
    fitted = [
        NoisyLabelClassifier(["networks"], cv=2, random_state=0, checkpoint=folder).fit(X, y)
        for folder in (None, tmp_path, tmp_path)
    ]
    assert fitted[0].members_["parameters"].iloc[0]["loss"] == "label_smoothing"
    for again in fitted[1:]:
        assert np.array_equal(again.predict_proba(X), fitted[0].predict_proba(X))

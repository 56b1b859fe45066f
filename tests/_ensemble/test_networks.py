"""Networks of several members are one stack, whoever asks for it first."""

import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning

from sklabelnoise import DMClassifier, NoisyLabelClassifier, RobustLossClassifier
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


def rows_of(codes, weight=None):
    X = np.random.default_rng(0).normal(size=(len(codes), 3))
    halves = np.array_split(np.arange(len(codes)), 2)
    splits = [(halves[1], halves[0]), (halves[0], halves[1])]
    weight = np.ones(len(codes)) if weight is None else weight
    return TrainingRows({"own": X}, codes, weight, codes.max() + 1, splits, True)


def alone():
    """A network that takes no part in a stack: it stops early."""
    return DMClassifier(max_epochs=3, early_stopping=True)


def test_a_setting_that_fails_is_said_by_its_name_and_the_others_stay():
    codes = np.arange(60) % 2
    stack = NetworkStack("own", np.arange(2))
    mixed = stack.add_grid("mixed", DMClassifier(max_epochs=1), {"lam": [0.0, -1.0, 1.0]})
    bad = stack.add_grid("bad", DMClassifier(max_epochs=1), {"beta": ["none"]})
    fitted = mixed.fit(rows_of(codes), Work(), 0)
    assert [candidate.parameters["lam"] for candidate in fitted.candidates] == [0.0, 1.0]
    (failure,) = fitted.failures
    assert failure.startswith("{'lam': -1.0} failed with ") and "'lam' parameter" in failure
    with pytest.raises(ValueError, match="'beta' parameter"):
        bad.fit(rows_of(codes), Work(), 0)


@pytest.mark.parametrize("alone", [False, True])
def test_where_all_settings_fail_the_error_is_named_once(alone):
    X, y = draw()
    network = DMClassifier(max_epochs=1, beta="none", early_stopping=alone)
    with pytest.warns(FitFailedWarning, match="'bad' failed with InvalidParameterError: The 'beta' parameter"):
        NoisyLabelClassifier(["neighbors", ("bad", network)], cv=2, random_state=0).fit(X, y)


@pytest.mark.parametrize("network", [DMClassifier(max_epochs=2), alone()], ids=["in the stack", "alone"])
def test_what_a_network_says_of_rows_left_out_is_what_it_predicts(network):
    rows = rows_of(np.arange(60) % 3)
    member = NetworkStack("own", np.array(["a", "b", "c"])).add_grid("net", network, {"lam": [0.0, 1.0]})
    fitted = member.fit(rows, Work(), 0)
    for model, (_, test) in zip(fitted.models, rows.splits, strict=True):
        np.testing.assert_allclose(model.predict_proba(rows.views["own"][test]), fitted.left_out[test], atol=1e-6)
        assert model.model.lam == fitted.parameters["lam"]


@pytest.mark.parametrize("network", [DMClassifier(max_epochs=3), alone()], ids=["in the stack", "alone"])
def test_a_class_that_a_fold_does_not_know_has_no_probability_there(network):
    codes = np.arange(60) % 2
    codes[:10] = 2  # of the first half alone
    fitted = NetworkStack("own", np.arange(3)).add_grid("net", network, None).fit(rows_of(codes), Work(), 0)
    np.testing.assert_allclose(fitted.left_out.sum(axis=1), 1, rtol=1e-6)
    assert (fitted.left_out[:30, 2] < 1e-100).all() and (fitted.left_out[30:, 2] > 1e-3).all()


@pytest.mark.parametrize("early_stopping", [False, True], ids=["in the stack", "alone"])
def test_rows_weigh_in_a_network_in_the_stack_or_alone(early_stopping):
    """Both labels of each row are equally frequent: what they weigh tells which of them is learned."""
    codes = np.arange(120) % 2
    network = DMClassifier(lr=0.05, max_epochs=20, early_stopping=early_stopping)
    for heavy in (0, 1):
        rows = rows_of(codes, np.where(codes == heavy, 9.0, 1.0))
        fitted = NetworkStack("own", np.arange(2)).add_grid("net", network, None).fit(rows, Work(), 0)
        assert fitted.left_out[:, heavy].mean() > 0.6


@pytest.mark.parametrize("network", [DMClassifier(max_epochs=2), alone()], ids=["in the stack", "alone"])
def test_networks_without_a_seed_are_given_one_and_others_keep_theirs(network):
    for own_seed in (None, 5):
        fitted = [
            NetworkStack("own", np.arange(2))
            .add_grid("net", network.set_params(random_state=own_seed), None)
            .fit(rows_of(np.arange(60) % 2), Work(), seed)
            .left_out
            for seed in (1, 1, 2)
        ]
        assert np.array_equal(fitted[0], fitted[1])
        assert np.array_equal(fitted[0], fitted[2]) == (own_seed is not None)


def test_which_networks_are_tried_on_tables():
    family = TableNetworks(np.arange(2))
    tried = [(parameters, type(network), network.get_params()) for parameters, network in family.short]
    kept = [(kind, {name: own[name] for name in ("lam", "beta", "loss") if name in own}) for _, kind, own in tried]
    assert kept == [
        *((DMClassifier, {"lam": lam, "beta": beta}) for lam, beta in ((0, 0), (1, 8), (1, 16), (2, 12))),
        (RobustLossClassifier, {"loss": "gce"}),
        (RobustLossClassifier, {"loss": "cross_entropy"}),
    ]
    assert tried[4][2]["loss__q"] == 0.7
    for parameters, _, own in tried:
        assert {name: own[name] for name in parameters if name in own and name != "loss"}.items() <= parameters.items()
        assert own["dtype"] == "float32" and own["device"] == "cpu"  # of tables a graphics card is no help
    assert [parameters["hidden"] for parameters, _ in family.long] == [(256,), (128, 128)]
    for _, network in family.long:
        own = network.get_params()
        assert (own["loss"], own["lr"], own["dtype"], own["device"]) == ("label_smoothing", 3e-3, "float32", "cpu")

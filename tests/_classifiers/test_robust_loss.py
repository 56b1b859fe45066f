"""RobustLossClassifier trains with the loss of that name."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, make_blobs
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch import nn

from sklabelnoise import RobustLossClassifier, StochasticLabelRefinery
from sklabelnoise._classifiers._robust_loss import _unusable
from sklabelnoise.losses import NAMES, ELRLoss, PerExampleLoss, cross_entropy, forward, gce
from sklabelnoise.model_selection import FusedGridSearchCV
from sklabelnoise.noise import corrupt_labels, pair_flip_transition_matrix
from sklabelnoise.noise._anchors import transition_matrix_of_predictions

FAST = {"max_epochs": 3, "random_state": 0}


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.module_.parameters()])


def trainable_names():
    """Losses that need nothing but their name."""
    for name in NAMES:
        try:
            RobustLossClassifier(loss=name)._make_criterion()
        except TypeError:
            continue  # a hyper-parameter without a default
        yield name


@pytest.mark.parametrize("name", sorted(trainable_names()))
def test_every_loss_trains_with_its_defaults(name, blobs):
    X, y = blobs
    model = RobustLossClassifier(loss=name, max_epochs=2, random_state=0, module__hidden=(8,))
    fitted = clone(model).fit(X, y)
    assert np.isfinite(fitted.loss_curve_).all()
    assert np.allclose(fitted.predict_proba(X).sum(axis=1), 1)
    assert np.array_equal(clone(model).fit(X, y).predict_proba(X), fitted.predict_proba(X))


def test_a_name_and_its_function_train_the_same(blobs):
    by_name = RobustLossClassifier(loss="gce", loss__q=0.4, **FAST).fit(*blobs)
    by_function = RobustLossClassifier(loss=gce, loss__q=0.4, **FAST).fit(*blobs)
    assert torch.equal(weights(by_name), weights(by_function))


def test_a_loss_of_the_users_is_one_value_per_example(blobs):
    ours = RobustLossClassifier(loss=lambda logits, labels: 2 * cross_entropy(logits, labels), **FAST).fit(*blobs)
    assert ours.loss_curve_[0] == pytest.approx(
        2 * RobustLossClassifier(loss="cross_entropy", **FAST).fit(*blobs).loss_curve_[0], rel=1e-6
    )


@pytest.mark.parametrize(
    ("loss", "got"),
    [
        (lambda logits, labels: cross_entropy(logits, labels).mean(), r"shape \(\)"),
        (nn.CrossEntropyLoss(), r"shape \(\)"),
        (lambda logits, labels: logits, "shape "),
        (lambda logits, labels: 0.0, "float"),
    ],
)
def test_a_loss_that_is_not_one_value_per_example_is_refused(loss, got, blobs):
    # weights of rows would silently be ignored
    with pytest.raises(ValueError, match=f"loss must return one value per example, a tensor of shape .*, got {got}"):
        RobustLossClassifier(loss=loss, **FAST).fit(*blobs)


@pytest.mark.parametrize("loss", [ELRLoss, ELRLoss(), PerExampleLoss], ids=repr)
def test_classes_and_row_criteria_are_no_functions(loss, blobs):
    with pytest.raises(TypeError, match=r"loss must be a name or a function .* go by their names: 'elr', 'truncated"):
        RobustLossClassifier(loss=loss, **FAST).fit(*blobs)


def scaled(logits, labels, scale, *, shift=0.0):
    return scale * cross_entropy(logits, labels) + shift


@pytest.mark.parametrize("hyper, message", [
    ({"scale": 2.0, "stretch": 1.0}, "scaled with scale, stretch: got an unexpected keyword argument 'stretch'"),
    ({"shift": 1.0}, "scaled with shift: missing a required argument: 'scale'"),
    ({}, "scaled without any: missing a required argument: 'scale'"),
])  # fmt: skip
def test_hyper_parameters_that_a_loss_of_the_users_does_not_take_are_named(hyper, message, blobs):
    """They failed in the first batch with what Python says of the function."""
    with pytest.raises(TypeError, match=f"loss must take its hyper-parameters, got {message}"):
        RobustLossClassifier(loss=scaled, **{f"loss__{name}": v for name, v in hyper.items()}, **FAST).fit(*blobs)
    RobustLossClassifier(loss=scaled, loss__scale=2.0, **FAST).fit(*blobs)


class Waits(nn.Module):
    """A loss of the user's with what criteria of this package are told."""

    def __init__(self, **attributes):
        super().__init__()
        vars(self).update(attributes)

    def forward(self, logits, labels):
        return cross_entropy(logits, labels)


class Remembers(Waits):
    def forward(self, logits, labels, indices=None):
        return cross_entropy(logits, labels)


@pytest.mark.parametrize("loss, has", [
    (Waits(progress=0.0), "Waits, which has progress"), (Waits(prepare=print), "Waits, which has prepare"),
    (Remembers(), "Remembers, which has indices"),
    (lambda logits, labels, progress=0.0: cross_entropy(logits, labels), "<lambda>, which has progress"),
])  # fmt: skip
def test_a_loss_that_waits_for_what_it_is_not_told_is_refused(loss, has, blobs):
    """It trained as if no time passed, or no row had come before."""
    with pytest.raises(
        TypeError, match=f"loss must need nothing but logits, targets .*net.criterion_.hyper, got {has}"
    ):
        RobustLossClassifier(loss=loss, **FAST).fit(*blobs)
    RobustLossClassifier(loss=Waits(), **FAST).fit(*blobs)


def test_a_progress_that_a_user_passes_is_a_hyper_parameter_like_any_other():
    logits, labels = torch.zeros(3, 2), torch.zeros(3, dtype=torch.long)
    criterion = PerExampleLoss(lambda logits, labels, progress: progress * cross_entropy(logits, labels), progress=0.5)
    assert criterion(logits, labels) == 0.5 * cross_entropy(logits, labels).mean()


class HalvesScale(Callback):
    def on_epoch_begin(self, net, **kwargs):
        net.criterion_.hyper["scale"] = 0.5 ** len(net.history)


def test_a_callback_changes_hyper_parameters_as_training_goes_on(blobs):
    params = {"loss": scaled, "loss__scale": 1.0, "optimizer": "SGD", "weight_decay": 0.0, "lr": 0.1, **FAST}
    halved = RobustLossClassifier(callbacks=[HalvesScale()], **params).fit(*blobs)
    rates = RobustLossClassifier(callbacks=[HalvesRate()], **params).fit(*blobs)
    assert torch.allclose(weights(halved), weights(rates), atol=1e-6)


class HalvesRate(Callback):
    def on_epoch_begin(self, net, **kwargs):
        for group in net.optimizer_.param_groups:
            group["lr"] = 0.1 * 0.5 ** len(net.history)


def test_gce_tends_to_cross_entropy_as_q_tends_to_zero(blobs):
    near = RobustLossClassifier(loss="gce", loss__q=1e-9, **FAST).fit(*blobs)
    limit = RobustLossClassifier(loss="cross_entropy", **FAST).fit(*blobs)
    # the losses differ by terms of the order q (log p)^2
    assert torch.allclose(weights(near), weights(limit), atol=1e-5)


def test_hyper_parameters_can_be_searched(blobs):
    search = GridSearchCV(RobustLossClassifier(**FAST), {"loss": ["gce"], "loss__q": [0.3, 0.9]}, cv=2).fit(*blobs)
    assert search.best_params_["loss__q"] in (0.3, 0.9)


@pytest.mark.parametrize("params, error, message", [
    ({"loss": "gcee"}, ValueError, "or a name of sklabelnoise.losses.NAMES, got 'gcee'; the nearest are 'gce'"),
    ({"loss": "gce", "loss__q": 0.0}, ValueError, r"'q' of gce must be a number in \(0, 1\], got 0\.0"),
    ({"loss": "gce", "loss__p": 0.5}, TypeError, "gce has no such hyper-parameter, got 'p'; the nearest are 'q'"),
    ({"loss": "mae", "loss__q": 0.5}, TypeError, "mae has no such hyper-parameter, got 'q'; it has none"),
    ({"loss": 3}, ValueError, "The 'loss' parameter of RobustLossClassifier must be"),
])  # fmt: skip
def test_wrong_losses_are_named(params, error, message, blobs):
    with pytest.raises(error, match=message):
        RobustLossClassifier(**params, **FAST).fit(*blobs)


def test_a_loss_that_remembers_rows_does_not_train_on_chunks(blobs):
    model = RobustLossClassifier(loss="elr", **FAST).fit(*blobs)
    message = r"remember every training row by its number, .* \(call fit\), got loss='elr'"
    with pytest.raises(ValueError, match=message):
        model.partial_fit(*blobs)
    with pytest.raises(ValueError, match=message):
        clone(model).partial_fit(*blobs, classes=[0, 1, 2])


# The estimated transition matrix

ESTIMATED = {"loss": "forward", "loss__transition_matrix": "estimate"}


@pytest.fixture(scope="module")
def flipped():
    """Three classes in order around a triangle, a third of the labels moved on to the next one."""
    X, y_clean = make_blobs(600, centers=[[0, 0], [0, 4], [4, 0]], random_state=0)
    return X, corrupt_labels(y_clean, pair_flip_transition_matrix(3, 0.35), random_state=0), y_clean


@pytest.mark.parametrize("loss", ["forward", "backward", forward])
def test_the_estimate_is_that_of_cross_entropy_and_the_rest_is_the_matrix_passed_on(loss, flipped):
    X, y, _ = flipped
    estimated = RobustLossClassifier(**{**ESTIMATED, "loss": loss}, **FAST).fit(X, y)
    first = RobustLossClassifier(loss="cross_entropy", **FAST).fit(X, y)
    T = transition_matrix_of_predictions(first.predict_proba(X))
    assert np.array_equal(estimated.transition_matrix_, T)
    passed = RobustLossClassifier(loss=loss, loss__transition_matrix=T, **FAST).fit(X, y)
    assert torch.equal(weights(estimated), weights(passed))
    assert not hasattr(passed, "transition_matrix_")


def test_the_estimate_undoes_noise_that_misleads_cross_entropy():
    X, y_clean = load_digits(return_X_y=True)
    X = X / 16
    y = corrupt_labels(y_clean, pair_flip_transition_matrix(10, 0.4), random_state=0)
    train, test = np.arange(len(X)) % 4 > 0, np.arange(len(X)) % 4 == 0
    scores = {}
    for name, params in {"cross entropy": {"loss": "cross_entropy"}, "estimated": ESTIMATED}.items():
        model = RobustLossClassifier(**params, random_state=0).fit(X[train], y[train])
        scores[name] = model.score(X[test], y_clean[test])
    # two standard errors of a difference of accuracies on 450 rows are 0.06; seen: 0.82 against 0.63
    assert scores["estimated"] > scores["cross entropy"] + 0.06


@pytest.mark.parametrize("params, fit_params", [
    ({"early_stopping": True}, {}),
    ({"early_stopping": True, "n_iter_no_change": 1, "max_epochs": 20}, {"y_val": np.arange(9) % 3}),
    ({"class_weight": "balanced"}, {}),
    ({"optimizer": "SGD", "optimizer__momentum": 0.9, "module__hidden": (4,)}, {}),
    ({"random_state": None}, {}),
    ({"random_state": np.random.RandomState(0)}, {}),
    ({}, {"sample_weight": np.arange(600) % 3}),
    ({}, {"soft_labels": np.random.default_rng(0).dirichlet(np.ones(3), 600)}),
], ids=["early_stopping", "held-out", "class_weight", "net", "no seed", "generator", "weights", "soft"])  # fmt: skip
def test_the_first_network_follows_all_parameters(params, fit_params, flipped):
    X, y, _ = flipped
    if "y_val" in fit_params:
        fit_params = {**fit_params, "X_val": X[:9]}
    model = RobustLossClassifier(**{**ESTIMATED, **FAST, **params}).fit(X, y, **fit_params)
    np.testing.assert_allclose(model.transition_matrix_.sum(axis=1), 1, rtol=0, atol=1e-12)
    if "random_state" not in params:
        first = RobustLossClassifier(loss="cross_entropy", **{**FAST, **params}).fit(X, y, **fit_params)
        kept = fit_params.get("sample_weight", np.ones(600)) > 0
        expected = transition_matrix_of_predictions(first.predict_proba(X[kept]))
        assert np.array_equal(model.transition_matrix_, expected)


def test_strings_and_float64_and_names_of_columns(flipped):
    X, y, _ = flipped
    as_codes = RobustLossClassifier(**ESTIMATED, **FAST).fit(X, y)
    names = np.array(["ant", "bee", "cat"])
    as_names = clone(as_codes).fit(pd.DataFrame(X, columns=["a", "b"]), names[y])
    assert next(as_names.module_.parameters()).dtype == torch.float64
    assert np.array_equal(as_names.transition_matrix_, as_codes.transition_matrix_)
    assert np.array_equal(as_names.predict(pd.DataFrame(X, columns=["a", "b"])), names[as_codes.predict(X)])


def test_a_class_without_rows_is_taken_to_be_free_of_noise(flipped):
    X, y, _ = flipped
    soft = pd.DataFrame(np.eye(3)[y], columns=[0, 1, 2]).assign(**{"3": 0.0}).rename(columns={"3": 3})
    model = RobustLossClassifier(**ESTIMATED, **FAST).fit(X, y, soft_labels=soft)
    assert model.classes_.tolist() == [0, 1, 2, 3]
    assert model.transition_matrix_[3].tolist() == [0, 0, 0, 1]


def test_the_estimate_stays_when_training_goes_on(flipped):
    X, y, _ = flipped
    model = RobustLossClassifier(**ESTIMATED, warm_start=True, **FAST).fit(X, y)
    T = model.transition_matrix_
    assert model.fit(X[:300], y[:300]).transition_matrix_ is T
    assert model.partial_fit(X[300:], y[300:]).transition_matrix_ is T
    assert model.n_iter_ == 2 * FAST["max_epochs"] + 1


def test_a_fit_that_begins_anew_estimates_anew(flipped):
    X, y, y_clean = flipped
    model = RobustLossClassifier(**ESTIMATED, **FAST)
    again = clone(model).fit(X, y).fit(X, y_clean)
    assert np.array_equal(again.transition_matrix_, model.fit(X, y_clean).transition_matrix_)


def test_an_estimate_that_is_no_longer_wanted_goes(flipped):
    X, y, _ = flipped
    model = RobustLossClassifier(**ESTIMATED, **FAST).fit(X, y)
    assert not hasattr(model.set_params(loss__transition_matrix=np.eye(3)).fit(X, y), "transition_matrix_")


def test_the_estimate_survives_saving_and_pickling(flipped, tmp_path):
    X, y, _ = flipped
    model = RobustLossClassifier(**ESTIMATED, **FAST).fit(X, y)
    model.save(tmp_path / "model")
    for again in (RobustLossClassifier.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(again.transition_matrix_, model.transition_matrix_)
        assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
        again.partial_fit(X, y)


def test_a_matrix_that_was_passed_survives_saving(flipped, tmp_path):
    X, y, _ = flipped
    T = pair_flip_transition_matrix(3, 0.35)
    model = RobustLossClassifier(loss="forward", loss__transition_matrix=T, **FAST).fit(X, y)
    model.save(tmp_path / "model")
    again = RobustLossClassifier.load(tmp_path / "model")
    assert np.array_equal(again.get_params()["loss__transition_matrix"], T)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("loss", ["forward", "backward"])
def test_rows_and_columns_of_a_frame_are_found_by_name(loss, flipped):
    """As of the frame that labels were corrupted by, or a crosstab of true and given ones."""
    X, y = flipped[0], np.array(["b", "c", "a"])[flipped[1]]
    T = np.array([[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.3, 0.1, 0.6]])
    frame = pd.DataFrame(T, index=list("abc"), columns=list("abc"))
    params = {"loss": loss, **FAST}
    expected = RobustLossClassifier(loss__transition_matrix=T, **params).fit(X, y).predict_proba(X)
    for named in (frame, frame.loc[list("cab"), list("bca")]):
        model = RobustLossClassifier(loss__transition_matrix=named, **params).fit(X, y)
        assert np.array_equal(model.predict_proba(X), expected)
        assert np.array_equal(pickle.loads(pickle.dumps(clone(model).fit(X, y))).predict_proba(X), expected)
        model.set_params(warm_start=True).fit(X, y).partial_fit(X, y)
        searches = (search(clone(model), {"lr": [0.01, 0.02]}, cv=2) for search in (FusedGridSearchCV, GridSearchCV))
        fused, plain = (search.fit(X, y) for search in searches)
        assert np.array_equal(fused.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])
        assert fused.fused_["reason"][0] == "loss__transition_matrix is a frame, whose classes are found by name"
    with pytest.raises(ValueError, match=r"loss__transition_matrix must be named after the classes \['b', 'c', 'd'\]"):
        RobustLossClassifier(loss__transition_matrix=frame, **params).fit(X, np.where(y == "a", "d", y))


def test_searches_fit_an_estimate_alone_and_say_why(flipped):
    X, y, _ = flipped
    grid = {"loss__transition_matrix": ["estimate", pair_flip_transition_matrix(3, 0.35)]}
    model = RobustLossClassifier(loss="forward", **FAST)
    fused = FusedGridSearchCV(model, grid, cv=2).fit(X, y)
    alone = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert fused.fused_["fused"].tolist() == [False, True]
    assert fused.fused_["reason"][0] == "loss__transition_matrix='estimate' takes a training of its own"
    assert np.array_equal(fused.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


def test_the_label_refinery_estimates_in_every_fold(flipped):
    X, y, _ = flipped
    refinery = StochasticLabelRefinery(RobustLossClassifier(**ESTIMATED, **FAST), n_rounds=1, cv=2, random_state=0)
    assert refinery.fit(X, y).predict(X).shape == y.shape


class Scores(nn.Module):
    """The inputs are the logits, so that a test decides what the network predicts."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.scale * x


def test_a_singular_estimate_is_named(flipped):
    # Every class is the most probable one of its own rows, and yet the rows of even and odd numbers have one sum.
    T = np.array([np.roll([0.35, 0.25, 0.15, 0.25], i) for i in range(4)])
    X, y = np.log(np.tile(T, (10, 1))), np.tile(["a", "b", "c", "d"], 10)
    params = {**ESTIMATED, **FAST, "lr": 1e-30}
    np.testing.assert_allclose(
        RobustLossClassifier(Scores, **params).fit(X, y).transition_matrix_, T, rtol=0, atol=1e-12
    )
    model = RobustLossClassifier(Scores, **params).fit(X + np.eye(4)[np.tile(np.arange(4), 10)], y)
    before = vars(model.set_params(loss="backward")).copy()
    message = (
        "loss='backward' needs the inverse of the transition matrix, and the one estimated from the predictions of a "
        "first network is singular: its rows of the classes '(.)' and '(?!\\1).' are the nearest to each other. Use "
        "loss='forward', which needs no inverse, or pass a matrix as loss__transition_matrix"
    )
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert vars(model) == before


def test_the_rows_of_a_singular_estimate_that_are_named_are_the_nearest():
    T = np.array([[0.8, 0.1, 0.1], [0.75, 0.15, 0.1], [0.1, 0.2, 0.7]])  # of its columns these are the other two
    assert "rows of the classes 'a' and 'b' are the nearest" in _unusable("backward", T, np.array(["a", "b", "c"]))


@pytest.mark.parametrize("params, error, message", [
    ({"loss": "mae"}, TypeError, "mae has no such hyper-parameter, got 'transition_matrix'; it has none"),
    ({"loss": "gce"}, TypeError, "gce has no such hyper-parameter, got 'transition_matrix'; the nearest are 'q'"),
    ({"loss__transition_matrix": "estimated"}, ValueError, "loss__transition_matrix must be a matrix or 'estimate'"),
    ({"loss__transition_matrix": [[1.0, 0.0], [1.0, 0.0]]}, ValueError, "'transition_matrix' of forward must be a squ"),
    ({"loss": "backward", "loss__transition_matrix": np.full((3, 3), 1 / 3)}, ValueError,
     r"an inverse \(got a singular matrix\)"),
])  # fmt: skip
def test_what_cannot_be_corrected_by_is_refused(params, error, message, flipped):
    class Notes(Callback):
        def on_train_begin(self, net, **kwargs):
            trained.append(net)

    trained = []
    with pytest.raises(error, match=message):
        RobustLossClassifier(**{**ESTIMATED, **params}, callbacks=[Notes()], **FAST).fit(*flipped[:2])
    assert trained == []  # no time is spent before


def test_chunks_cannot_tell_the_noise(flipped):
    X, y, _ = flipped
    with pytest.raises(ValueError, match="needs all rows at once, of which chunks are parts, got 'estimate'"):
        RobustLossClassifier(**ESTIMATED, **FAST).partial_fit(X, y, classes=[0, 1, 2])


def of_labels_alone(logits, labels):
    return -logits.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)


def broken(logits, targets):
    raise KeyError("mine")


class TestLossOfLabelsAlone:
    def test_it_is_refused_by_name_on_soft_labels(self, blobs):
        X, y = blobs
        soft = np.eye(y.max() + 1)[y]
        with pytest.raises(
            ValueError, match=r"(?s)^loss must take soft targets .* Got of_labels_alone, .*gather"
        ) as info:
            RobustLossClassifier(loss=of_labels_alone, **FAST).fit(X, y, soft_labels=soft)
        assert isinstance(info.value.__cause__, RuntimeError)

    def test_a_refinery_of_replicates_trains_it(self, blobs):
        model = StochasticLabelRefinery(RobustLossClassifier(loss=of_labels_alone, **FAST), n_rounds=1, cv=2)
        with pytest.raises(ValueError, match="soft_label_method='replicate'"):
            model.fit(*blobs)
        assert model.set_params(soft_label_method="replicate").fit(*blobs).n_iter_ == 1

    def test_an_error_that_labels_raise_too_stays_what_it_is(self, blobs):
        X, y = blobs
        with pytest.raises(KeyError, match="mine"):
            RobustLossClassifier(loss=broken, **FAST).fit(X, y, soft_labels=np.eye(y.max() + 1)[y])

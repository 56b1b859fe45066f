"""What LearningDynamics records, and what it leaves as it was."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch.utils.data import TensorDataset

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.losses import DMEmphasis, global_trust, local_trust
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix
from sklabelnoise.training import LearningDynamics, MeanPrediction, _watch


@pytest.fixture
def noisy(blobs):
    X, y_clean = blobs
    names = np.array(["ant", "bee", "cow"])
    y = corrupt_labels(names[y_clean], symmetric_transition_matrix(3, 0.3), exact_counts=True, random_state=0)
    return X, y, names[y_clean]


class KeepDerivatives(Callback):
    """Keeps the logits of each batch and the derivative of its loss by them, the slow way."""

    def on_train_begin(self, net, **kwargs):
        self.batches = []
        net.module_.register_forward_hook(lambda module, _, z: z.retain_grad() if module.training else None)

    def on_batch_end(self, net, batch, training, y_pred, **kwargs):
        self.batches.append((batch.indices, y_pred.detach().double(), y_pred.grad.double()))


CLASSIFIERS = {
    "dm": lambda **params: DMClassifier(lam=1, beta=8, **params),
    "dm, integral": lambda **params: DMClassifier(normalization="integral", **params),
    "proselflc": ProSelfLCClassifier,
    "cross entropy": lambda **params: RobustLossClassifier(loss="cross_entropy", **params),
    "elr": lambda **params: RobustLossClassifier(loss="elr", **params),
    "ohem": lambda **params: RobustLossClassifier(loss="ohem", **params),
}


class TestWhatADerivativeWeighs:
    """The emphasis of training as it happens: variance within batches, and the part of wrong labels."""

    @pytest.mark.parametrize("make", CLASSIFIERS.values(), ids=CLASSIFIERS)
    def test_it_is_that_of_the_derivatives_themselves(self, make, noisy):
        X, y, y_clean = noisy
        kept = KeepDerivatives()
        model = make(max_epochs=2, batch_size=16, callbacks=[LearningDynamics(y_clean), kept], random_state=0)
        history = model.fit(X, y).history_
        wrong = torch.as_tensor(y != y_clean)
        per_epoch = len(kept.batches) // 2
        for epoch, batches in enumerate((kept.batches[:per_epoch], kept.batches[per_epoch:])):
            weights = [derivative.abs().sum(1) for _, _, derivative in batches]
            variance = np.mean([float((w / w.mean()).var(correction=0)) for w in weights])
            of_wrong = sum(float(w[wrong[index]].sum()) for (index, _, _), w in zip(batches, weights, strict=True))
            row = history.iloc[epoch]
            assert row["emphasis_variance"] == pytest.approx(variance, rel=1e-4)
            assert row["emphasis_wrong"] == pytest.approx(of_wrong / sum(float(w.sum()) for w in weights), rel=1e-4)

    @pytest.mark.parametrize(("make", "emphasis"), [
        (CLASSIFIERS["cross entropy"], lambda p: 2 * (1 - p)),
        (lambda **params: RobustLossClassifier(loss="mae", **params), lambda p: 2 * p * (1 - p)),
        (lambda **params: DMClassifier(emphasis=DMEmphasis(1, 8), damping=0.0, **params), DMEmphasis(1, 8)),
    ], ids=["cross entropy", "mae", "dm"])  # fmt: skip
    def test_it_is_the_emphasis_of_the_loss_over_its_mean(self, make, emphasis, noisy):
        X, y, y_clean = noisy
        kept = KeepDerivatives()
        model = make(max_epochs=1, batch_size=len(y), callbacks=[LearningDynamics(y_clean), kept], random_state=0)
        row = model.fit(X, y).history_.iloc[0]
        ((index, logits, _),) = kept.batches
        given = torch.as_tensor(np.searchsorted(model.classes_, y))[index]
        weight = emphasis(logits.softmax(1).gather(1, given[:, None]).squeeze(1))
        assert row["emphasis_variance"] == pytest.approx(float((weight / weight.mean()).var(correction=0)), rel=1e-4)
        wrong = torch.as_tensor(y != y_clean)[index]
        assert row["emphasis_wrong"] == pytest.approx(float(weight[wrong].sum() / weight.sum()), rel=1e-4)

    def test_alike_examples_have_no_variance_and_wrong_labels_their_share(self, noisy):
        """Without an emphasis every example weighs the same, whatever the network makes of it."""
        X, y, y_clean = noisy
        dynamics = LearningDynamics(y_clean)
        model = DMClassifier(lam=0, beta=0, max_epochs=3, callbacks=[dynamics], random_state=0).fit(X, y)
        assert model.history_["emphasis_variance"].max() < 1e-6
        # batches of one size: each row has the same part of the whole
        assert model.history_["emphasis_wrong"].iloc[0] == pytest.approx(np.mean(y != y_clean), abs=0.02)

    def test_without_true_labels_only_the_variance_is_known(self, noisy):
        X, y, _ = noisy
        history = DMClassifier(max_epochs=1, callbacks=[LearningDynamics()], random_state=0).fit(X, y).history_
        assert history["emphasis_variance"].iloc[0] > 0
        assert "emphasis_wrong" not in history


class KeepLogits(Callback):
    """Keeps what the network said of every row, the slow way."""

    def on_epoch_begin(self, net, **kwargs):
        self.seen = {}

    def on_batch_end(self, net, batch, training, y_pred, **kwargs):
        for i, logits in zip(batch.indices.tolist(), y_pred.detach().double(), strict=True):
            self.seen[i] = logits, getattr(net.criterion_, "progress", None)


def slow_reference(seen, y, y_clean, classes):
    rows = sorted(seen)
    y, y_clean, logits = y[rows], y_clean[rows], torch.stack([seen[i][0] for i in rows])
    proba = logits.softmax(1).numpy()
    given, true = np.searchsorted(classes, y), np.searchsorted(classes, y_clean)
    label_proba, predicted = proba[np.arange(len(y)), given], proba.argmax(1)
    wrong = given != true
    reference = {
        "label_proba": label_proba.mean(),
        "entropy": -(proba * np.log(proba)).sum(1).mean(),
        "label_proba_clean": label_proba[~wrong].mean(),
        "label_proba_wrong": label_proba[wrong].mean(),
        "corrupted_accuracy": np.mean(predicted == given),
        "intact_accuracy": np.mean(predicted == true),
        "memorization_rate": np.mean(predicted[wrong] == given[wrong]),
        "correction_rate": np.mean(predicted[wrong] == true[wrong]),
    }
    if seen[rows[0]][1] is not None:
        overall = global_trust(torch.tensor([seen[i][1] for i in rows]).double())
        reference["trust"] = float((overall * local_trust(logits)).mean())
    return reference


@pytest.mark.parametrize("classifier", [DMClassifier, ProSelfLCClassifier])
@pytest.mark.parametrize("max_pending", [1, 10**9])
def test_recorded_values_equal_a_slow_reference(classifier, max_pending, noisy, monkeypatch):
    monkeypatch.setattr(_watch, "_MAX_PENDING", max_pending)
    X, y, y_clean = noisy
    keep = KeepLogits()
    model = classifier(callbacks=[LearningDynamics(y_clean), keep], max_epochs=3, batch_size=32, random_state=0)
    history = model.fit(X, y).history_
    expected = slow_reference(keep.seen, y, y_clean, model.classes_)
    for name, value in expected.items():
        # Float32 sums of 150 values.
        assert history[name].iloc[-1] == pytest.approx(value, abs=2e-6), name
    assert set(expected) <= set(history)


def test_test_accuracy_is_that_of_the_model_at_the_end_of_the_epoch(noisy):
    X, y, y_clean = noisy
    dynamics = LearningDynamics(X_test=X[:40], y_test=y_clean[:40])
    model = DMClassifier(callbacks=[dynamics], max_epochs=4, random_state=0).fit(X, y)
    assert model.history_["test_accuracy"].iloc[-1] == pytest.approx(model.score(X[:40], y_clean[:40]))
    assert "label_proba_clean" not in model.history_


@pytest.mark.parametrize("convert", [
    scipy.sparse.csc_array, scipy.sparse.coo_matrix, torch.from_numpy, np.ndarray.tolist,
    lambda X: TensorDataset(torch.from_numpy(X)), lambda X: X.astype(np.float32),
])  # fmt: skip
def test_test_rows_come_in_any_form(convert, noisy):
    X, y, y_clean = noisy
    X = np.where(np.abs(X) > 1, X, 0)
    accuracies = [
        DMClassifier(callbacks=[LearningDynamics(X_test=test, y_test=y_clean)], max_epochs=3, random_state=0)
        .fit(X, y)
        .history_["test_accuracy"]
        .tolist()
        for test in (X, convert(X))
    ]
    assert accuracies[0] == accuracies[1]
    with pytest.raises(ValueError, match=r"y_test must have 150 labels as X_test, got 149\."):
        DMClassifier(callbacks=[LearningDynamics(X_test=convert(X), y_test=y_clean[1:])], max_epochs=1).fit(X, y)


def test_training_is_the_same_with_and_without_it(noisy):
    X, y, y_clean = noisy
    plain = DMClassifier(max_epochs=4, batch_size=32, random_state=0).fit(X, y)
    dynamics = LearningDynamics(y_clean, X_test=X[:40], y_test=y_clean[:40])
    watched = clone(plain).set_params(callbacks=[dynamics]).fit(X, y)
    np.testing.assert_array_equal(plain.predict_proba(X), watched.predict_proba(X))
    np.testing.assert_array_equal(plain.loss_curve_, watched.loss_curve_)


def test_without_truth_it_records_what_can_be_known(noisy):
    X, y, _ = noisy
    model = ProSelfLCClassifier(callbacks=[LearningDynamics()], max_epochs=2, random_state=0).fit(X, y)
    recorded = set(model.history_) - set(ProSelfLCClassifier(max_epochs=1).fit(X, y).history_)
    assert recorded == {"label_proba", "entropy", "emphasis_variance", "trust"}


def test_no_wrong_label_is_nan_not_zero(noisy):
    X, y, _ = noisy
    history = DMClassifier(callbacks=[LearningDynamics(y)], max_epochs=1, random_state=0).fit(X, y).history_
    assert np.isnan(history["memorization_rate"][0]) and np.isnan(history["label_proba_wrong"][0])
    assert history["label_proba_clean"][0] == pytest.approx(history["label_proba"][0])


def test_rows_that_no_batch_held_do_not_count(noisy):
    X, y, y_clean = noisy
    keep = KeepLogits()
    model = DMClassifier(
        callbacks=[LearningDynamics(y_clean), keep], max_epochs=2, batch_size=128, iterator_train__drop_last=True
    ).fit(X, y)
    expected = slow_reference(keep.seen, y, y_clean, model.classes_)
    assert len(keep.seen) == 128
    for name, value in expected.items():
        assert model.history_[name].iloc[-1] == pytest.approx(value, abs=2e-6), name


def test_a_fitted_model_carries_no_training_data(noisy):
    X, y, _ = noisy
    wide = np.tile(X, (1, 2000))
    model = DMClassifier(module__hidden=(2,), callbacks=[LearningDynamics()], max_epochs=1, random_state=0).fit(wide, y)
    assert len(pickle.dumps(model)) < wide.astype(np.float32).nbytes / 4
    assert not model.module_._forward_hooks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_clean": ["ant"] * 149}, "y_clean must have one label for each training row: expected 150, got 149"),
        ({"y_clean": ["ant", "bee"] * 75}, "must have the 3 classes of the network, got 2: pass classes"),
        ({"X_test": [[0.0] * 5]}, "X_test and y_test belong together"),
        ({"X_test": np.zeros((2, 5)), "y_test": ["ant"]}, "y_test must have 2 labels as X_test, got 1"),
        (
            {"y_clean": ["elk"] * 150, "classes": ["ant", "bee", "cow"]},
            r"y_clean must hold labels of the classes \['ant', 'bee', 'cow'\] only, got \['elk'\]",
        ),
    ],
)
def test_bad_input_is_named(noisy, change, message):
    X, y, _ = noisy
    with pytest.raises(ValueError, match=message):
        DMClassifier(callbacks=[LearningDynamics(**change)], max_epochs=1).fit(X, y)


def test_classes_that_only_the_given_labels_know_are_passed(noisy):
    X, y, _ = noisy
    dynamics = LearningDynamics(["ant", "bee"] * 75, classes=["ant", "bee", "cow"])
    model = RobustLossClassifier(callbacks=[dynamics], max_epochs=1, random_state=0).fit(X, y)
    # The same by numbers, in the same order.
    numbered = LearningDynamics([0, 1] * 75, classes=[0, 1, 2])
    codes = np.searchsorted(["ant", "bee", "cow"], y)
    expected = RobustLossClassifier(callbacks=[numbered], max_epochs=1, random_state=0).fit(X, codes).history_
    recorded = [name for name in expected if "accuracy" in name or name.startswith("memorization")]
    assert "intact_accuracy" in recorded and expected["intact_accuracy"].notna().all()
    pd.testing.assert_frame_equal(model.history_[recorded], expected[recorded])


def test_classes_may_be_among_the_test_labels_alone(noisy):
    X, y, y_clean = noisy
    few = np.where(y_clean == "cow", "ant", y_clean)
    dynamics = [LearningDynamics(few, X_test=X, y_test=y_clean, classes=c) for c in (None, ["ant", "bee", "cow"])]
    found, told = (DMClassifier(callbacks=[one], max_epochs=1, random_state=0).fit(X, y).history_ for one in dynamics)
    pd.testing.assert_frame_equal(found.drop(columns="seconds"), told.drop(columns="seconds"))


def test_mean_prediction_averages_what_training_saw(noisy):
    X, y, _ = noisy

    class Sum(KeepLogits):
        total = 0

        def on_epoch_end(self, net, **kwargs):
            self.total = self.total + torch.stack([self.seen[i][0] for i in range(len(X))]).softmax(1)

    mean, slow = MeanPrediction(), Sum()
    DMClassifier(callbacks=[mean, slow], max_epochs=4, batch_size=32, random_state=0).fit(X, y)
    np.testing.assert_allclose(mean.proba_, slow.total / 4, rtol=0, atol=1e-6)  # float32


def test_held_out_rows_are_none_of_training(noisy):
    """Their numbers are those of other rows."""
    X, y, y_clean = noisy
    found = []
    for held_out in ({}, {"X_val": X[:40], "y_val": y[:40]}):
        mean, dynamics = MeanPrediction(), LearningDynamics(y_clean)
        model = DMClassifier(callbacks=[mean, dynamics], max_epochs=2, batch_size=50, random_state=0)
        history = model.fit(X, y, **held_out).history_
        found.append((mean.proba_, history.drop(columns="seconds")))
    (alone, history), (beside, other) = found
    np.testing.assert_array_equal(beside, alone)
    pd.testing.assert_frame_equal(other[history.columns], history)


def test_batches_from_which_nothing_is_learned_do_not_hide_the_others(noisy):
    """Their weights have no mean; and where none of an epoch weighs, wrong labels have no share."""
    X, y, y_clean = noisy

    def fitted(emphasis):
        settings = {"batch_size": 75, "normalization": "none", "lr": 1e-12, "weight_decay": 0, "random_state": 0}
        dynamics = LearningDynamics(y_clean)
        return DMClassifier(emphasis=emphasis, callbacks=[dynamics], max_epochs=1, **settings).fit(X, y).history_

    calls = []

    def second_alone(p):
        calls.extend([1] * (len(p) == 75))  # it is looked at elsewhere, too
        return (p + 0.1) * (len(calls) != 1)

    assert 0 < fitted(second_alone)["emphasis_variance"][0] < np.inf
    nothing = fitted(lambda p: 1.0 * (p > 0.999))
    assert np.isnan(nothing["emphasis_variance"][0]) and np.isnan(nothing["emphasis_wrong"][0])


def test_mean_prediction_leaves_unseen_rows_undecided(noisy):
    X, y, _ = noisy
    mean = MeanPrediction()
    DMClassifier(callbacks=[mean], max_epochs=1, batch_size=128, iterator_train__drop_last=True).fit(X, y)
    assert (np.abs(mean.proba_ - 1 / 3) < 1e-7).all(axis=1).sum() == 150 - 128


class TestNames:
    @pytest.mark.parametrize("classes", [None, ["cow", "ant", "bee"]])
    def test_classes_are_those_of_the_network_whatever_their_order(self, noisy, classes):
        X, y, y_clean = noisy
        expected, found = (
            DMClassifier(max_epochs=2, callbacks=[LearningDynamics(y_clean, classes=order)], random_state=0).fit(X, y)
            for order in (["ant", "bee", "cow"], classes)
        )
        columns = expected.history_.columns.drop("seconds")
        pd.testing.assert_frame_equal(found.history_[columns], expected.history_[columns])

    @pytest.mark.parametrize("other", [[0, 1, 2], ["ant", "bee", "elk"]])
    def test_labels_of_other_classes_are_not_taken_for_those_of_the_network(self, noisy, other):
        X, y, _ = noisy
        message = r"must have the classes of the network, \['ant', 'bee', 'cow'\], got"
        with pytest.raises(ValueError, match=message):
            DMClassifier(max_epochs=1, callbacks=[LearningDynamics(other * 50)]).fit(X, y)

    def test_a_missing_label_is_called_so(self, noisy):
        X, y, _ = noisy
        with pytest.raises(ValueError, match="y_clean must not hold missing labels, got one in row 0"):
            DMClassifier(max_epochs=1, callbacks=[LearningDynamics([None] * len(y))]).fit(X, y)

    def test_columns_of_test_rows_are_found_by_name(self, noisy):
        X, y, y_clean = noisy
        X = pd.DataFrame(X).add_prefix("x")
        plain, turned = (
            DMClassifier(max_epochs=5, callbacks=[LearningDynamics(X_test=test, y_test=y_clean)], random_state=0)
            .fit(X, y)
            .history_["test_accuracy"]
            .tolist()
            for test in (X, X[X.columns[::-1]])
        )
        assert turned == plain

    @pytest.mark.parametrize("change", [lambda X: X.add_prefix("y"), lambda X: X.iloc[:, 1:]])
    def test_other_columns_are_refused(self, noisy, change):
        X, y, y_clean = noisy
        X = pd.DataFrame(X).add_prefix("x")
        dynamics = LearningDynamics(X_test=change(X), y_test=y_clean)
        with pytest.raises(ValueError, match="X_test must have the columns that the network was trained on"):
            DMClassifier(max_epochs=1, callbacks=[dynamics]).fit(X, y)

    def test_rows_of_another_shape_are_refused(self, noisy):
        X, y, y_clean = noisy
        dynamics = LearningDynamics(X_test=X[:, 1:], y_test=y_clean)
        message = r"X_test must have rows of shape \(5,\), as the network was trained on, got"
        with pytest.raises(ValueError, match=message):
            DMClassifier(max_epochs=1, callbacks=[dynamics]).fit(X, y)


@pytest.mark.parametrize("shape", [(5,), (2, 3), (3, 2, 2)], ids=["table", "gray", "images"])
def test_test_rows_of_bytes_are_the_rows_that_training_takes(shape):
    X, y = np.random.default_rng(0).integers(0, 256, (40, *shape), dtype=np.uint8), np.arange(40) % 2
    dynamics = LearningDynamics(X_test=X, y_test=y)
    model = DMClassifier(max_epochs=3, callbacks=[dynamics], random_state=0).fit(X, y)
    assert model.history_["test_accuracy"].iloc[-1] == pytest.approx(model.score(X, y))
    dynamics = LearningDynamics(X_test=X[:, :-1], y_test=y)
    with pytest.raises(ValueError, match=r"X_test must have rows of shape .*, as the network was trained on, got"):
        DMClassifier(max_epochs=1, callbacks=[dynamics]).fit(X, y)


def with_nan(X):
    X = X.copy()
    X[3, 1] = np.nan
    return X


NO_TEST_ROWS = {
    "missing": (with_nan, "X_test contains NaN"),
    "missing among few": (lambda X: scipy.sparse.csr_array(with_nan(X)), "X_test contains NaN"),
    "masked": (
        lambda X: np.ma.array(X, mask=np.isnan(with_nan(X))),
        "X_test must not hold missing values, got one in row 3",
    ),
    "texts": (lambda X: X.astype(str).astype(object) + "m", "X_test must be numbers of shape .* could not convert"),
    "a frame of texts": (lambda X: pd.DataFrame({"a": ["u"] * len(X)}), "X_test must be numbers of shape"),
    "complex": (lambda X: X * 1j, "X_test must be numbers of shape .* Complex data not supported"),
    "none": (lambda X: X[:0], "X_test must hold test rows, got none"),
    "a number": (lambda X: 5, "X_test must hold test rows, got 5"),
}


@pytest.mark.parametrize("convert, message", NO_TEST_ROWS.values(), ids=NO_TEST_ROWS)
def test_what_are_no_test_rows_is_refused_by_name(noisy, convert, message):
    X, y, y_clean = noisy
    X_test = convert(X)
    y_test = y_clean[: getattr(X_test, "shape", (150,))[0]]
    with pytest.raises((TypeError, ValueError), match=message):
        DMClassifier(max_epochs=1, callbacks=[LearningDynamics(X_test=X_test, y_test=y_test)]).fit(X, y)

"""skorch's callbacks do with our classifiers what their documentation says."""

import numpy as np
import pytest
import torch
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    PassthroughScoring,
    PrintLog,
    ProgressBar,
    TrainEndCheckpoint,
)
from torch.utils.data import TensorDataset

from sklabelnoise import DMClassifier, RobustLossClassifier
from sklabelnoise.training import StopTraining

FAST = {"max_epochs": 4, "batch_size": 50, "random_state": 0}


def silent(text):
    pass


def fit(blobs, *callbacks, held_out=True, **params):
    X, y = blobs
    model = RobustLossClassifier(loss="cross_entropy", callbacks=list(callbacks), **{**FAST, **params})
    return model.fit(X, y, X_val=X[:30], y_val=y[:30]) if held_out else model.fit(X, y)


def test_checkpoint_keeps_the_network_of_the_best_validation_loss(blobs, tmp_path):
    # Such a rate that the loss falls and rises again.
    saves = Checkpoint(dirname=tmp_path, sink=silent)
    model = fit(blobs, saves, lr=0.5, max_epochs=4)
    best = int(model.history_["valid_loss"].argmin()) + 1
    assert best < 4
    shorter = fit(blobs, lr=0.5, max_epochs=best)
    saved = torch.load(tmp_path / "params.pt", weights_only=True)
    assert all(torch.equal(saved[name], tensor) for name, tensor in shorter.module_.state_dict().items())


def test_checkpoint_can_follow_the_training_loss_where_nothing_is_held_out(blobs, tmp_path):
    fit(blobs, Checkpoint(monitor="train_loss_best", dirname=tmp_path, sink=silent), held_out=False)
    assert {"params.pt", "optimizer.pt", "history.json"} <= {path.name for path in tmp_path.iterdir()}


def test_train_end_checkpoint_and_load_init_state_go_on_where_training_ended(blobs, tmp_path):
    saves = TrainEndCheckpoint(dirname=tmp_path, sink=silent)
    first = fit(blobs, saves, held_out=False)
    again = fit(blobs, saves, LoadInitState(saves), held_out=False)
    assert len(again.net_.history) == 8
    assert again.loss_curve_[:4] == first.loss_curve_
    assert again.loss_curve_[4] < first.loss_curve_[-1]


def test_early_stopping_stops_and_restores_the_best_epoch(blobs):
    stops = EarlyStopping(monitor="valid_loss", patience=3, load_best=True, sink=silent)
    model = fit(blobs, stops, lr=0.5, max_epochs=100)
    best = int(model.history_["valid_loss"].argmin()) + 1
    assert model.n_iter_ == best + 3 < 100
    shorter = fit(blobs, lr=0.5, max_epochs=best)
    assert np.array_equal(model.predict_proba(blobs[0]), shorter.predict_proba(blobs[0]))


@pytest.mark.parametrize("use_caching", [True, False])
@pytest.mark.parametrize("on_train", [True, False])
def test_epoch_scoring_records_what_the_model_scores(blobs, use_caching, on_train):
    X, y = blobs
    # Without caching the score is that of the network after the epoch, with it that of the passes within.
    scores = EpochScoring(
        "balanced_accuracy", lower_is_better=False, name="score", use_caching=use_caching, on_train=on_train
    )
    model = fit(blobs, scores)
    assert len(model.history_["score"]) == 4
    if not (use_caching and on_train):
        rows = slice(None) if on_train else slice(30)
        assert model.history_["score"].iloc[-1] == pytest.approx(model.score(X[rows], y[rows]))


def test_epoch_scoring_with_probabilities(blobs):
    model = fit(blobs, EpochScoring("roc_auc_ovr", lower_is_better=False))
    assert 0.5 < model.history_["roc_auc_ovr"].iloc[-1] <= 1


def test_epoch_scoring_of_two_classes_takes_the_second_ones_probability(blobs):
    X, y = blobs
    model = fit((X[y < 2], y[y < 2]), EpochScoring("roc_auc", lower_is_better=False))
    assert 0.5 < model.history_["roc_auc"].iloc[-1] <= 1


def test_batch_scoring_averages_over_batches(blobs):
    model = fit(blobs, BatchScoring("accuracy", lower_is_better=False, name="score", on_train=True))
    # The batches have one size, so the mean over batches is the mean over rows.
    assert np.allclose(model.history_["score"], model.history_["train_accuracy"])


def test_what_a_callback_averages_over_batches_weighs_their_rows(blobs):
    """Batches of 64, 64 and 22 rows."""
    model = fit(blobs, ("mean", PassthroughScoring("seen", on_train=True)), NotesLoss(), batch_size=64)
    np.testing.assert_allclose(model.history_["seen"], model.history_["train_loss"], rtol=1e-12)
    assert model.net_.history[0, "batches", :3, "train_batch_size"] == [64, 64, 22]


class NotesLoss(Callback):
    def on_batch_end(self, net, training=None, loss=None, **kwargs):
        if training:
            net.history.record_batch("seen", loss.item())


def test_lr_scheduler_by_epoch(blobs):
    model = fit(blobs, LRScheduler(policy="StepLR", step_size=1, gamma=0.5), lr=0.1)
    assert np.allclose(model.history_["lr"], 0.1 * 0.5 ** np.arange(4))


def test_lr_scheduler_by_batch_with_its_parameters_set_on_the_classifier(blobs):
    scheduler = LRScheduler(policy=torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5, step_every="batch")
    model = fit(blobs, ("schedule", scheduler), callbacks__schedule__gamma=0.9, lr=0.1)
    rates = model.net_.history[:, "batches", :, "event_lr"]
    assert np.allclose(np.ravel([[r for r in row if r is not None] for row in rates])[:3], 0.1 * 0.9 ** np.arange(3))


def test_a_parameter_of_a_callback_that_is_not_there_is_refused(blobs):
    message = r"callbacks__timer__sink must name a callback among \['log'\], got 3 for none of them"
    with pytest.raises(ValueError, match=message):
        fit(blobs, ("log", EpochTimer()), callbacks__timer__sink=3)
    model = fit(blobs, ("log", EpochTimer()))
    model.set_params(warm_start=True, callbacks__timer__sink=3)
    with pytest.raises(ValueError, match=message):
        model.fit(*blobs)
    # None takes a callback away, and skorch's own are not there to begin with.
    assert (
        "dur" not in fit(blobs, ("log", EpochTimer()), callbacks__log=None, callbacks__print_log=None).net_.history[0]
    )


def test_lr_scheduler_on_a_plateau_reads_our_history(blobs):
    model = fit(blobs, LRScheduler(policy="ReduceLROnPlateau", monitor="valid_loss", patience=0, factor=0.1), lr=1.0)
    assert (model.history_["lr"].diff().dropna() <= 0).all()


def test_gradient_clipping_bounds_the_step(blobs):
    free, clipped = (fit(blobs, *c, optimizer="SGD", lr=1.0, weight_decay=0.0, max_epochs=1, batch_size=150)
                     for c in ([], [GradientNormClipping(1e-3)]))  # fmt: skip
    start = fit(blobs, optimizer="SGD", lr=1e-30, weight_decay=0.0, max_epochs=1, batch_size=150)

    def moved(model):
        pairs = zip(model.module_.parameters(), start.module_.parameters(), strict=True)
        return torch.sqrt(sum((a - b).square().sum() for a, b in pairs)).item()

    assert moved(clipped) == pytest.approx(1e-3, rel=1e-3)
    assert moved(free) > 0.1


def test_frozen_layers_stay_as_they_were(blobs):
    frozen = fit(blobs, Freezer("layers.*"))
    start = fit(blobs, lr=1e-30, weight_decay=0.0)
    assert torch.equal(frozen.module_.layers[0].weight, start.module_.layers[0].weight)
    assert not torch.equal(frozen.module_.output.weight, start.module_.output.weight)


def test_print_log_prints_a_row_an_epoch(blobs):
    lines = []
    fit(blobs, PrintLog(sink=lines.append))
    assert "train_loss" in lines[0] and "valid_accuracy" in lines[0]
    assert len(lines) == 2 + 4


def test_epoch_timer_and_progress_bar_run(blobs, capfd):
    model = fit(blobs, EpochTimer, ProgressBar())
    assert (model.history_["dur"] > 0).all()


class Mixes(Callback):
    """Changes inputs in place before each training batch, as mixing or jittering callbacks do."""

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        if training:
            batch[0].zero_()


def test_a_hook_may_change_the_batch_without_changing_the_data(blobs):
    X = blobs[0].copy()
    model = fit((X, blobs[1]), Mixes, held_out=False)
    assert np.array_equal(X, blobs[0])
    # Nothing can be learned from zeros.
    assert model.history_["train_accuracy"].iloc[-1] < 0.5


def test_what_callbacks_record_stands_in_the_history(blobs):
    class Records(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("norm", net.module_.output.weight.norm().item())

    model = fit(blobs, Records)
    assert model.history_["norm"].iloc[-1] == pytest.approx(model.module_.output.weight.norm().item())
    assert not [name for name in model.history_ if name.endswith("_best")]


def test_callbacks_see_a_torch_dataset_too(blobs):
    X, y = blobs
    dataset = TensorDataset(torch.from_numpy(X).float(), torch.from_numpy(y))
    scores = EpochScoring("accuracy", lower_is_better=False, name="score")
    model = DMClassifier(callbacks=[scores], **FAST).fit(dataset, X_val=dataset)
    assert np.allclose(model.history_["score"], model.history_["valid_accuracy"])


@pytest.mark.parametrize(
    "callbacks, got", [([3], "got 3"), ([("name", 3)], r"got \('name', 3\)"), ([int], "got <class")]
)
def test_what_is_no_callback_is_named(blobs, callbacks, got):
    with pytest.raises(TypeError, match=f"callbacks must hold skorch callbacks, or pairs of a name and .*{got}"):
        DMClassifier(callbacks=callbacks, **FAST).fit(*blobs)


def test_an_error_in_a_callback_is_the_users_to_see(blobs):
    class Fails(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fit(blobs, Fails)


class StopsInBatches(Callback):
    """Ends the training after a number of steps, in one of the hooks of a batch."""

    def __init__(self, hook, steps):
        self.hook, self.steps = hook, steps

    def initialize(self):
        self.left_ = self.steps
        return self

    def _count(self, hook, training):
        if training and hook == self.hook:
            self.left_ -= 1
            if self.left_ < 0:
                raise StopTraining

    def on_batch_begin(self, net, training=None, **kwargs):
        self._count("begin", training)

    def on_grad_computed(self, net, named_parameters, training=None, **kwargs):
        self._count("gradient", training)


@pytest.mark.parametrize("hook", ["begin", "gradient"])
@pytest.mark.parametrize("steps", [0, 1, 3, 4])
def test_a_callback_that_stops_within_an_epoch_leaves_the_network_of_the_steps_before(blobs, hook, steps):
    """Three batches an epoch: what an epoch that ended early has trained stands in the history."""
    rows = {"held_out": False, "batch_size": 50}
    model = fit(blobs, StopsInBatches(hook, steps), **rows)
    whole = fit(blobs, **rows)
    epochs = -(-steps // 3)
    assert model.n_iter_ == len(model.history_) == len(model.loss_curve_) == epochs
    assert model.loss_curve_[: steps // 3] == whole.loss_curve_[: steps // 3]
    assert np.isfinite(model.loss_curve_).all()
    if steps == 3:
        one = fit(blobs, **rows, max_epochs=1)
        assert np.array_equal(model.predict_proba(blobs[0]), one.predict_proba(blobs[0]))


@pytest.mark.parametrize("callback", [
    EarlyStopping(), Checkpoint(), EarlyStopping(monitor="valid_accuracy", lower_is_better=False),
    LRScheduler("ReduceLROnPlateau", monitor="valid_loss"),
], ids=["early stopping", "checkpoint", "accuracy", "plateau"])  # fmt: skip
def test_a_callback_that_wants_held_out_rows_is_told_how_to_hold_out_some(blobs, callback, tmp_path):
    if isinstance(callback, Checkpoint):
        callback.dirname = tmp_path
    with pytest.raises(Exception, match="valid_") as caught:
        fit(blobs, callback, held_out=False)
    assert "early_stopping=True, or X_val and y_val in fit, hold some out" in "".join(caught.value.__notes__)


def test_a_callback_that_sizes_the_network_is_refused_by_name(blobs):
    with pytest.raises(ValueError, match=r"callbacks must not size the network, .* n_features or in_features"):
        fit(blobs, InputShapeSetter(), held_out=False)


def test_callbacks_see_the_shape_of_the_rows(blobs):
    class Sees(Callback):
        def on_train_begin(self, net, X=None, y=None, **kwargs):
            net.seen = tuple(X.shape)

    assert fit(blobs, Sees, held_out=False).net_.seen == blobs[0].shape

"""Laws of stacks whose images are augmented: every replica ends where its own fit ends."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import KFold
from torch import nn

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise._foundation._work import Work
from sklabelnoise._fused import _kept_training, _training
from sklabelnoise._fused._fits import fit_together, predict_left_out
from sklabelnoise.model_selection import fused_cross_val_predict
from sklabelnoise.training import CropFlip, Cutout
from tests.model_selection.compared import assert_same_results, searches

N, N_CLASSES = 75, 3


class Convolution(nn.Module):
    """A network of a user's, which runs under vmap."""

    def __init__(self, n_classes, dropout=0.0):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.dropout, self.output = nn.Dropout(dropout), nn.Linear(4, n_classes)

    def forward(self, x):
        return self.output(self.dropout(torch.tanh(self.norm(self.convolution(x))).mean((2, 3))))


class LastChannels(nn.Module):
    """Takes images whose channels come last."""

    channels_last = True

    def __init__(self, n_classes):
        super().__init__()
        self.output = nn.Linear(8 * 8 * 3, n_classes)

    def forward(self, x):
        return self.output(x.flatten(1))


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    y = np.arange(N) % N_CLASSES
    return rng.normal(size=(N, 3, 8, 8)) + y[:, None, None, None], y


def noise(batch, generator):
    return batch + torch.randn(batch.shape, generator=generator, dtype=batch.dtype)


def remembering():
    seen = []

    def augment(batch, generator):
        seen.append(len(batch))
        return batch

    return augment


# Neither 50 rows of two folds of three nor 75 rows are full batches.
SMALL = {"max_epochs": 3, "batch_size": 16, "device": "cpu", "random_state": 0, "lr": 0.05}
AUGMENTATIONS = {
    "crop-flip": "crop-flip",
    "cutout": "cutout",
    "both": [CropFlip(2), Cutout(3)],
    "own": ["crop-flip", noise],
}


def make(kind=DMClassifier, **more):
    return kind(**{"module": Convolution, "augment": CropFlip(2), **SMALL, **more})


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_a_device_that_is_full_names_the_size_of_the_batches_of_a_stack(blobs, error, monkeypatch):
    def full(*args, **kwargs):
        raise error

    monkeypatch.setattr(_training, "train_replicas", full)
    model = DMClassifier(batch_size=77, max_epochs=3, random_state=0, device="cpu")
    with pytest.warns(UserWarning, match=r"one by one: .*: MemoryError: .* use a smaller batch_size, got 77\.$"):
        fused_cross_val_predict(model, *blobs, cv=2)


class TestSearch:
    @pytest.mark.parametrize("augment", AUGMENTATIONS)
    def test_a_search_is_the_search_one_by_one(self, images, augment):
        model = make(augment=AUGMENTATIONS[augment])
        fused, plain = searches(model, {"lam": [0, 1]}, *images, cv=KFold(3), scoring="neg_log_loss")
        assert fused.fused_["fused"].all() and fused.fused_["group"].tolist() == [0, 0]
        assert_same_results(fused, plain)

    def test_other_seeds_are_other_views_in_one_stack(self, images):
        fused, plain = searches(
            make(), {"random_state": [0, 1], "lr": [0.05, 0.1]}, *images, cv=2, scoring="neg_log_loss"
        )
        assert fused.fused_["group"].tolist() == [0] * 4
        assert_same_results(fused, plain)
        assert len(set(fused.cv_results_["mean_test_score"])) == 4

    def test_other_augmentations_are_stacks_of_their_own(self, images):
        grid = {"augment": ["crop-flip", CropFlip(4), False, CropFlip(1), noise]}
        fused, plain = searches(make(), grid, *images, cv=2, scoring="neg_log_loss")
        assert fused.fused_["group"].tolist() == [0, 0, 1, 2, 3]  # crop-flip is CropFlip(4)
        assert fused.fused_["reason"].tolist() == ["", ""] + ["another augment"] * 3
        assert_same_results(fused, plain)

    @pytest.mark.parametrize("model", [
        make(ProSelfLCClassifier, optimizer="SGD", optimizer__momentum=0.9, lr_schedule="cosine"),
        make(class_weight="balanced", optimizer="Adam"),
        make(module=LastChannels),
    ], ids=["proselflc", "balanced", "channels-last"])  # fmt: skip
    def test_with_weights(self, images, model):
        X, y = images
        X = X.transpose(0, 2, 3, 1).copy() if model.module is LastChannels else X
        more = {"fit_params": {"sample_weight": np.linspace(0, 2, N)}, "cv": 2, "scoring": "neg_log_loss"}
        fused, plain = searches(model, {"weight_decay": [0, 0.1]}, X, y, **more)
        assert fused.fused_["fused"].all()
        assert_same_results(fused, plain)

    def test_bytes_are_scaled_by_the_images_of_each_fold_before_they_are_augmented(self, images):
        X = (40 + 20 * images[0]).clip(0, 255).astype(np.uint8)
        model = make(dtype="float32", optimizer="SGD", max_epochs=1)
        fused, plain = searches(model, {"beta": [0, 2]}, X, images[1], cv=2, scoring="neg_log_loss")
        assert fused.fused_["fused"].all()
        assert_same_results(fused, plain, tolerance=1e-5)

    def test_rows_of_a_table_are_augmented_by_a_function(self, images):
        X, y = images[0].reshape(N, -1)[:, :20], images[1]
        model = make(module=None, module__hidden=(8,), augment=noise)
        fused, plain = searches(model, {"lam": [0, 1]}, X, y, cv=2, scoring="neg_log_loss")
        assert fused.fused_["fused"].all()
        assert_same_results(fused, plain)

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize(("changes", "reason"), [
        ({"augment": remembering()}, "augment calls augment, which may remember"),
        ({"augment": lambda batch, generator: batch + torch.randn(batch.shape, dtype=batch.dtype)}, "augment draws"),
        ({"loss": "elr"}, "ELRLoss remembers every row"),
    ], ids=["remembering", "global", "row memory"])  # fmt: skip
    def test_what_cannot_be_trained_together_is_fitted_alone_to_the_same_bits(self, images, changes, reason):
        model = make(RobustLossClassifier, **changes)
        fused, plain = searches(model, {"lr": [0.01, 0.05]}, *images, cv=2, scoring="neg_log_loss")
        assert not fused.fused_["fused"].any()
        assert fused.fused_["reason"].str.startswith(reason).all(), fused.fused_["reason"].tolist()
        assert_same_results(fused, plain, tolerance=0)


class TestFits:
    def test_members_are_the_fits_of_their_seeds(self, images):
        members = [make(random_state=seed) for seed in range(3)]
        for ours, member in zip(fit_together(members, *images), members, strict=True):
            alone = clone(member).fit(*images)
            np.testing.assert_allclose(ours.loss_curve_, alone.loss_curve_, rtol=1e-9)
            for n_augment in (0, 2):
                views, expected = (one.predict_proba(images[0], n_augment=n_augment) for one in (ours, alone))
                np.testing.assert_allclose(views, expected, rtol=1e-9)

    def test_in_float32_the_first_step_agrees(self, images):
        X, y = images[0].astype(np.float32), images[1]
        members = [make(random_state=seed, optimizer="SGD", max_epochs=1, batch_size=N) for seed in range(2)]
        for ours, member in zip(fit_together(members, X, y), members, strict=True):
            np.testing.assert_allclose(ours.predict_proba(X), clone(member).fit(X, y).predict_proba(X), atol=1e-5)

    def test_left_out_predictions_are_those_fold_by_fold(self, images):
        X, y = images
        found = fused_cross_val_predict(make(), X, y, cv=KFold(3), method="predict_proba")
        splits = list(KFold(3).split(X))
        np.testing.assert_allclose(predict_left_out(make(), X, np.eye(N_CLASSES)[y], splits), found, rtol=1e-9)
        for train, test in splits:
            expected = make().fit(X[train], y[train]).predict_proba(X[test])
            np.testing.assert_allclose(found[test], expected, rtol=1e-9)

    def test_dropout_beside_it_draws_from_another_generator(self, images):
        """The views do not depend on whether the network draws, nor on how much."""
        first, _ = fit_together([make(random_state=seed, module__dropout=1e-12) for seed in (0, 1)], *images)
        np.testing.assert_allclose(first.predict_proba(images[0]), make().fit(*images).predict_proba(images[0]))

    def test_a_stack_as_small_as_memory_is_the_same(self, images, monkeypatch):
        members = [make(random_state=seed, lr=lr) for seed in (0, 1) for lr in (0.05, 0.1)]
        whole = fit_together(members, *images)
        monkeypatch.setattr("sklabelnoise._stacked._memory._CPU_BYTES", 1)
        for ours, one in zip(fit_together(members, *images), whole, strict=True):
            np.testing.assert_allclose(ours.predict_proba(images[0]), one.predict_proba(images[0]), rtol=1e-9)


def test_a_training_that_goes_on_has_the_views_that_were_to_come(images, monkeypatch):
    """A snapshot holds the generators of the views: resumed after any epoch, the end is the same to the bit."""

    class Kept:
        """In place of a checkpoint: keeps the first snapshots alone, as if the run had been ended behind them."""

        def __init__(self, n_kept):
            self.n_left, self.stored = n_kept, {}

        def load(self, name):
            return self.stored.get(name)

        def save(self, name, value):
            self.n_left -= 1
            if self.n_left >= 0:
                self.stored[name] = value

    monkeypatch.setattr(_kept_training, "_SECONDS", 0.0)
    members = [make(random_state=seed) for seed in range(2)]
    plain = [member.predict_proba(images[0]) for member in fit_together(members, *images)]
    for n_kept in (1, 2):
        work = Work(Kept(n_kept))
        for _ in range(2):  # the second one goes on
            fitted = fit_together(members, *images, work=work)
            for member, expected in zip(fitted, plain, strict=True):
                np.testing.assert_array_equal(member.predict_proba(images[0]), expected)

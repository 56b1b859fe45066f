"""Laws of augmentation in a stack: each fold has the views it has alone, and what may remember is not taken in."""

import functools
import math
import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sklabelnoise._stacked._augmentation import stackable_augmentation
from sklabelnoise._stacked._criterion import NotStackableError
from sklabelnoise._stacked._loop import StackedFold, train_replicas
from sklabelnoise._stacked._network import StackedNetwork
from sklabelnoise._stacked._optimizer import StackedOptimizer
from sklabelnoise.losses import PerExampleLoss
from sklabelnoise.training import CropFlip, Cutout
from sklabelnoise.training._augmentation import resolve_augmentation
from sklabelnoise.training._batches import TensorData
from sklabelnoise.training._schedules import constant

SCALE, SHIFTS = 0.5, (1, 2)
COUNTED, GENERATOR, COUNT = [0], torch.Generator().manual_seed(0), 0


def noise(batch, generator):
    return batch + SCALE * torch.randn(batch.shape, generator=generator, dtype=batch.dtype)


def padded(batch, generator, *, width=1):
    if batch.ndim != 4:
        raise ValueError("no images")
    wide = F.pad(batch, (width,) * 4)
    return wide[:, :, width:-width, width:-width] * math.sqrt(max(SHIFTS))


def of_others(batch, generator):
    parts = [noise(row, generator) for row in batch.split(1)]
    return CropFlip(1)(torch.cat(parts), generator)


def scaled(scale):
    return lambda batch, generator: noise(batch, generator) * scale


def shifted_within(batch, generator):
    shift = SCALE
    return torch.stack([(lambda row: row + shift)(row) for row in batch])


PLAIN = {
    "noise": noise,
    "padded": padded,
    "of functions": of_others,
    "closure over a number": scaled(2.0),
    "lambda": lambda batch, generator: batch.flip(-1),
    "functions that know its own names": shifted_within,
    "functions within": lambda batch, generator: torch.stack([(lambda row: row * SCALE)(row) for row in batch]),
}


def counting_globally(batch, generator):
    global COUNT
    COUNT += 1
    return batch * COUNT


def counting_in_a_list(batch, generator):
    COUNTED[0] += 1
    return batch


def of_an_own_generator(batch, generator):
    return batch + torch.randn(batch.shape, generator=GENERATOR)


def of_numpy(batch, generator):
    return batch + np.random.default_rng().random()


def importing(batch, generator):
    import random

    return batch * random.random()


def counting_on_itself(batch, generator):
    counting_on_itself.count = getattr(counting_on_itself, "count", 0) + 1
    return batch


def counting_by_another(batch, generator):
    return counting_globally(batch, generator)


def by_an_unknown_builtin(batch, generator):
    return batch * id(generator)


def by_a_default(batch, generator, seen=[]):  # noqa: B006
    seen.append(len(batch))
    return batch


def by_a_keyword(batch, generator, *, seen=[]):  # noqa: B006
    seen.append(len(batch))
    return batch


def scaled_by_itself(batch, generator):
    return batch * scaled_by_itself.scale


scaled_by_itself.scale = 2.0


def not_yet_whole():
    def augment(batch, generator):
        return batch * later

    if N_LATER:
        later = 2.0
    return augment


N_LATER = 0


def counter():
    count = 0

    def counting(batch, generator):
        nonlocal count
        count += 1
        return batch * count

    return counting


def counter_within():
    count = 0

    def counting(batch, generator):
        def up():
            nonlocal count
            count += 1

        up()
        return batch * count

    return counting


class Object:
    def __init__(self):
        self.count = 0

    def __call__(self, batch, generator):
        self.count += 1
        return batch

    def method(self, batch, generator):
        return self(batch, generator)


class OwnCrop(CropFlip):
    """Of a user, who may do anything in it."""


MAY_REMEMBER = {
    "object": Object(),
    "method": Object().method,
    "partial": functools.partial(padded, width=1),
    "module": nn.Dropout(0.5),
    "subclass of ours": OwnCrop(2),
    "global number": counting_globally,
    "list": counting_in_a_list,
    "generator": of_an_own_generator,
    "numpy": of_numpy,
    "import": importing,
    "attribute": counting_on_itself,
    "another that counts": counting_by_another,
    "builtin": by_an_unknown_builtin,
    "default": by_a_default,
    "keyword": by_a_keyword,
    "attribute of its own": scaled_by_itself,
    "closure to be filled in": not_yet_whole(),
    "closure": counter(),
    "closure within": counter_within(),
    "closure over a tensor": scaled(torch.ones(1)),
}


def images(n=4, dtype=torch.float64):
    return torch.randn(n, 3, 6, 6, generator=torch.Generator().manual_seed(1), dtype=dtype)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class TestWhatIsTakenIn:
    @pytest.mark.parametrize("augment", ["crop-flip", "cutout", CropFlip(1, flip=False), [Cutout(2), "crop-flip"]])
    @pytest.mark.parametrize("channels_last", [False, True])
    def test_ours_are_taken_as_they_are(self, augment, channels_last):
        resolved = resolve_augmentation(augment, channels_last=channels_last)
        assert stackable_augmentation(resolved) is resolved

    def test_none_is_none(self):
        assert stackable_augmentation(None) is None

    @pytest.mark.parametrize("name", PLAIN)
    def test_a_plain_function_gives_in_a_stack_what_it_gives_alone(self, name):
        resolved = resolve_augmentation(["crop-flip", PLAIN[name]])
        in_stack = stackable_augmentation(resolved)
        for seed in (0, 1):
            assert torch.equal(in_stack(images(), generator(seed)), resolved(images(), generator(seed)))

    @pytest.mark.parametrize("name", MAY_REMEMBER)
    def test_what_may_remember_is_refused(self, name):
        for augment in (MAY_REMEMBER[name], ["crop-flip", MAY_REMEMBER[name]]):
            with pytest.raises(NotStackableError, match=r"augment calls \S+, which may remember"):
                stackable_augmentation(resolve_augmentation(augment))

    @pytest.mark.parametrize(
        "draw",
        [
            lambda batch, generator: batch + torch.randn(batch.shape),
            lambda batch, generator: F.dropout(batch),
            lambda batch, generator: batch[torch.randperm(len(batch))],
            lambda batch, generator: batch * torch.rand_like(batch),
            lambda batch, generator: batch * torch.bernoulli(torch.full_like(batch, 0.5)),
        ],
    )
    def test_what_draws_from_torchs_generator_is_refused_while_it_runs(self, draw):
        in_stack = stackable_augmentation(resolve_augmentation(draw))
        with pytest.raises(NotStackableError, match="not from the generator it is given"):
            in_stack(images(), generator())


def trained(folds, augment_all=None, *, batch_size=8, max_epochs=2):
    """Parameters that a stack of one linear layer ends with on some folds."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 6, 2)).double()
    network = StackedNetwork(module, [fold.state for fold in folds], 2, dtype=torch.float64)
    rates = {"lr": np.array([0.1, 0.2]), "weight_decay": 0.0, "momentum": 0.0, "dampening": 0.0}
    train_replicas(
        network,
        StackedOptimizer(torch.optim.SGD, network.parameters, rates),
        PerExampleLoss("cross_entropy"),
        folds,
        batch_size=batch_size,
        max_epochs=max_epochs,
        schedules=[constant] * 2,
    )
    return network.parameters


def make_folds(augment, seeds=(0, 1), n=20):
    torch.manual_seed(0)
    data = TensorData(images(n).numpy(), np.arange(n) % 2, dtype=torch.float64)
    layer = nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 6, 2)).double()
    rows = torch.arange(n)
    return [StackedFold(data, rows, seed, dict(layer.state_dict()), augment=augment) for seed in seeds]


class TestViews:
    def test_a_fold_has_the_views_it_has_alone(self):
        folds = make_folds(CropFlip(1), seeds=(3, 4))
        together = trained(folds)
        for g, fold in enumerate(folds):
            for name, p in trained([fold]).items():
                torch.testing.assert_close(together[name][g], p[0], rtol=1e-12, atol=1e-12)
        without = trained(make_folds(None, seeds=(3, 4)))
        assert all(not torch.allclose(p, without[name]) for name, p in together.items())

    def test_replicas_share_the_views_of_their_fold_and_folds_alike_share_them_too(self):
        sizes = []

        def augment(batch, generator):
            sizes.append(len(batch))
            return CropFlip(1)(batch, generator)

        trained(make_folds(augment, seeds=(5,)))
        once, sizes = sizes, []
        assert once == [8, 8, 4] * 2

        together = trained(make_folds(augment, seeds=(5, 5, 5)))
        assert sizes == once
        for p in together.values():
            assert torch.equal(p[0], p[1]) and torch.equal(p[0], p[2])

        sizes = []
        trained(make_folds(augment, seeds=(5, 6)))
        assert len(sizes) == 2 * len(once)

    @pytest.mark.parametrize("n_folds", [2, 5])
    def test_views_of_a_fold_are_let_go_of_before_those_of_the_next_are_made(self, n_folds):
        views, alive = [], []

        def augment(batch, generator):
            alive.append(sum(view() is not None for view in views))
            view = batch.clone()
            views.append(weakref.ref(view))
            return view

        trained(make_folds(augment, seeds=range(n_folds)))
        assert len(alive) == n_folds * 6
        assert max(alive) == 0

    def test_views_of_other_shapes_are_an_error_and_are_not_spread_over_a_fold(self):
        widths = iter((6, 1))

        def augment(batch, generator):
            return batch[..., : next(widths)]

        with pytest.raises(NotStackableError, match="other shapes"):
            trained(make_folds(augment))

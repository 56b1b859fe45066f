"""A seed gives the same bits again, and no other generator has a say or is touched."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_predict
from skorch.callbacks import Callback
from torch.utils.data import TensorDataset

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.training._net import NoisyLabelNet

CLASSIFIERS = [DMClassifier, ProSelfLCClassifier, RobustLossClassifier]
FAST = {"max_epochs": 3, "random_state": 0}

each_classifier = pytest.mark.parametrize("classifier", CLASSIFIERS)


def proba(model, X, y, **kwargs):
    return model.fit(X, y, **kwargs).predict_proba(X)


@each_classifier
@pytest.mark.parametrize(
    "options", [{}, {"module__dropout": 0.5, "module__batch_norm": True}, {"early_stopping": True}]
)
def test_an_integer_seed_gives_the_same_bits_again(classifier, options, blobs):
    first, second = (proba(classifier(batch_size=32, **options, **FAST), *blobs) for _ in range(2))
    assert np.array_equal(first, second)
    other = proba(classifier(batch_size=32, **options, **{**FAST, "random_state": 1}), *blobs)
    assert not np.array_equal(first, other)


def state_of_numpy():
    _, keys, position, *_ = np.random.get_state()  # noqa: NPY002, the global generator is what is asked about
    return keys.tolist(), position


@each_classifier
def test_the_global_generators_stay_as_they_were(classifier, blobs):
    torch.manual_seed(3)
    before = torch.get_rng_state(), state_of_numpy()
    model = classifier(module__dropout=0.5, **FAST).fit(*blobs)
    model.predict(blobs[0])
    model.embed(blobs[0])
    dataset = TensorDataset(torch.from_numpy(blobs[0]), torch.from_numpy(blobs[1]))
    classifier(module__dropout=0.5, **FAST).fit(dataset).predict(dataset)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert state_of_numpy() == before[1]


def test_the_global_generators_do_not_decide_what_is_trained(blobs):
    outcomes = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        outcomes.append(proba(DMClassifier(module__dropout=0.5, **FAST), *blobs))
    assert np.array_equal(*outcomes)


def test_without_a_seed_one_is_drawn_from_numpy_and_recorded(blobs):
    np.random.seed(4)  # noqa: NPY002
    model = DMClassifier(max_epochs=2).fit(*blobs)
    np.random.seed(4)  # noqa: NPY002
    assert np.array_equal(proba(DMClassifier(max_epochs=2), *blobs), model.predict_proba(blobs[0]))
    assert not np.array_equal(proba(DMClassifier(max_epochs=2), *blobs), model.predict_proba(blobs[0]))
    assert isinstance(model.history_.attrs["seed"], int)


def test_two_processes_give_the_same_as_one(blobs):
    X, y = blobs
    model = DMClassifier(batch_size=32, module__dropout=0.2, **FAST)
    assert np.array_equal(
        cross_val_predict(model, X, y, cv=3, method="predict_proba", n_jobs=1),
        cross_val_predict(model, X, y, cv=3, method="predict_proba", n_jobs=2),
    )


def test_the_seed_decides_which_rows_are_held_out(blobs):
    class HeldOut(Callback):
        def on_epoch_end(self, net, dataset_valid=None, **kwargs):
            rows.append(dataset_valid.X)

    rows = []
    for seed in (0, 0, 1):
        DMClassifier(early_stopping=True, callbacks=[HeldOut()], max_epochs=1, random_state=seed).fit(*blobs)
    first, again, other = (sorted(map(tuple, held_out.tolist())) for held_out in rows)
    assert first == again != other


def test_only_who_brings_a_seed_asks_for_kernels_of_the_same_bits(blobs, monkeypatch):
    """The others may be faster."""
    asked, fit_epochs = [], NoisyLabelNet.fit_epochs

    def noted(self, *args, same_bits, **kwargs):
        asked.append(same_bits)
        return fit_epochs(self, *args, same_bits=same_bits, **kwargs)

    monkeypatch.setattr(NoisyLabelNet, "fit_epochs", noted)
    for random_state in (None, 0, np.random.RandomState(0)):
        DMClassifier(max_epochs=1, random_state=random_state).fit(*blobs)
    assert asked == [False, True, True]

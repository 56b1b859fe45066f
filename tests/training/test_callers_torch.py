"""What a program has torch set to for its own use changes nothing that we compute."""

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from sklabelnoise import (
    DMClassifier,
    DMClassifierCV,
    NoisyLabelClassifier,
    ProSelfLCClassifier,
    RobustLossClassifier,
    StochasticLabelRefinery,
)
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict
from sklabelnoise.modules import ResNet20
from sklabelnoise.training._callers_torch import callers_torch_aside, steps_with_callers_torch_aside

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(int)
IMAGES = RNG.random((20, 3, 8, 8), dtype=np.float32)
QUICK = {"max_epochs": 2, "batch_size": 32, "random_state": 0}
PAIRS = {"candidates": ((0, 0), (0.5, 8)), "cv": 2, "n_members": 2}
NOISE = np.array([[0.9, 0.1], [0.1, 0.9]])


def fit(model, rows=X, labels=Y):
    return model.fit(rows, labels)


def saved_and_loaded(folder):
    fit(DMClassifier(**QUICK)).save(folder / "model")
    return DMClassifier.load(folder / "model").predict_proba(X)


def of_a_dataset(folder):
    rows = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return DMClassifier(**QUICK).fit(rows).predict_proba(rows)


CALLS = {
    "fit": lambda folder: fit(DMClassifier(**QUICK)).predict_proba(X),
    "early stopping": lambda folder: fit(DMClassifier(early_stopping=True, **QUICK)).predict_proba(X),
    "partial_fit": lambda folder: DMClassifier(**QUICK).partial_fit(X, Y, classes=[0, 1]).partial_fit(X, Y).embed(X),
    "dropout": lambda folder: fit(ProSelfLCClassifier(module__dropout=0.5, **QUICK)).predict_proba(X),
    "label_quality_": lambda folder: fit(RobustLossClassifier(loss="elr", **QUICK)).label_quality_,
    "transition matrix": lambda folder: fit(
        RobustLossClassifier(loss="forward", loss__transition_matrix=NOISE, **QUICK)
    ).predict_proba(X),
    "images": lambda folder: fit(DMClassifier(ResNet20, **QUICK), IMAGES, np.arange(20) % 2).predict_proba(IMAGES),
    "Dataset": of_a_dataset,
    "save and load": saved_and_loaded,
    "DMClassifierCV": lambda folder: fit(DMClassifierCV(**PAIRS, **QUICK)).predict_proba(X),
    "search": lambda folder: fit(FusedGridSearchCV(DMClassifier(**QUICK), {"lam": [0, 1]}, cv=2)).predict_proba(X),
    "left out": lambda folder: fused_cross_val_predict(DMClassifier(**QUICK), X, Y, cv=2, method="predict_proba"),
    "refinery": lambda folder: fit(
        StochasticLabelRefinery(DMClassifier(**QUICK), n_rounds=1, cv=2, random_state=0)
    ).predict_proba(X),
    "ensemble": lambda folder: fit(NoisyLabelClassifier([("own", DMClassifier(**QUICK))], random_state=0)).oof_proba_,
}


@pytest.mark.parametrize("name", CALLS)
def test_a_block_of_autocast_changes_nothing(name, tmp_path):
    expected = CALLS[name](tmp_path)
    with torch.autocast("cpu"):
        found = CALLS[name](tmp_path)
        assert torch.is_autocast_enabled("cpu")
    np.testing.assert_array_equal(found, expected)


# On the meta device there are no numbers: whatever was made there would be noticed.
@pytest.mark.parametrize("name", CALLS)
def test_another_default_device_changes_nothing(name, tmp_path):
    expected = CALLS[name](tmp_path)
    with torch.device("meta"):
        found = CALLS[name](tmp_path)
        assert torch.empty(0).device.type == "meta"
    np.testing.assert_array_equal(found, expected)


def test_a_default_device_for_the_whole_program_changes_nothing(tmp_path):
    expected = CALLS["fit"](tmp_path)
    torch.set_default_device("meta")
    try:
        found = CALLS["fit"](tmp_path)
    finally:
        torch.set_default_device(None)
    np.testing.assert_array_equal(found, expected)


def test_between_two_steps_the_caller_has_torch_as_it_was():
    seen = []

    @steps_with_callers_torch_aside
    def steps():
        try:
            for step in range(3):
                seen.append(torch.is_autocast_enabled("cpu") or torch.is_inference_mode_enabled())
                yield step
        finally:
            seen.append(torch.is_autocast_enabled("cpu") or torch.is_inference_mode_enabled())

    with torch.inference_mode(), torch.autocast("cpu"):
        for step in steps():
            assert torch.is_autocast_enabled("cpu")
            assert torch.is_inference_mode_enabled()
            if step:
                break
        del step
    assert seen == [False] * 3


def test_what_a_program_set_is_there_again_after_an_error():
    with torch.no_grad(), torch.autocast("cpu"):
        with pytest.raises(ZeroDivisionError), callers_torch_aside():
            assert torch.is_grad_enabled()
            assert not torch.is_autocast_enabled("cpu")
            raise ZeroDivisionError
        assert torch.is_autocast_enabled("cpu")
        assert not torch.is_grad_enabled()

"""RobustLossClassifier trains with the loss of that name."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklabelnoise import RobustLossClassifier
from sklabelnoise.losses import NAMES, cross_entropy, gce

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


def test_gce_tends_to_cross_entropy_as_q_tends_to_zero(blobs):
    near = RobustLossClassifier(loss="gce", loss__q=1e-9, **FAST).fit(*blobs)
    limit = RobustLossClassifier(loss="cross_entropy", **FAST).fit(*blobs)
    # the losses differ by terms of the order q (log p)^2
    assert torch.allclose(weights(near), weights(limit), atol=1e-5)


def test_hyper_parameters_can_be_searched(blobs):
    search = GridSearchCV(RobustLossClassifier(**FAST), {"loss": ["gce"], "loss__q": [0.3, 0.9]}, cv=2).fit(*blobs)
    assert search.best_params_["loss__q"] in (0.3, 0.9)


@pytest.mark.parametrize("params, error, message", [
    ({"loss": "gcee"}, ValueError, "loss must be a callable or a name of sklabelnoise.losses.NAMES, got 'gcee'; the"),
    ({"loss": "gce", "loss__q": 0.0}, ValueError, r"'q' of gce must be a number in \(0, 1\], got 0\.0"),
    ({"loss": "gce", "loss__p": 0.5}, TypeError, "gce has no hyper-parameter 'p'; the nearest are 'q'"),
    ({"loss": "mae", "loss__q": 0.5}, TypeError, "mae has no hyper-parameter 'q'; it has none"),
    ({"loss": 3}, ValueError, "The 'loss' parameter of RobustLossClassifier must be"),
])  # fmt: skip
def test_wrong_losses_are_named(params, error, message, blobs):
    with pytest.raises(error, match=message):
        RobustLossClassifier(**params, **FAST).fit(*blobs)

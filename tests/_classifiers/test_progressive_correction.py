"""ProSelfLCClassifier corrects as it promises, with a trust that follows its training."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklabelnoise import ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.losses import proselflc

FAST = {"max_epochs": 3, "random_state": 0}


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.module_.parameters()])


def test_a_step_follows_the_gradient_of_the_corrected_targets(blobs):
    X, y = blobs
    options = {"module__hidden": (), "optimizer": "SGD", "weight_decay": 0.0, "max_epochs": 1, "random_state": 0}
    params = {"slope": 6.0, "midpoint": 0.8, "temperature": 0.7, "local_trust": "max", "batch_size": 1000}
    after, before = (ProSelfLCClassifier(**options, **params, lr=lr).fit(X, y) for lr in (0.5, 1e-300))
    weight = before.module_.output.weight.detach().requires_grad_()
    logits = torch.from_numpy(X) @ weight.T + before.module_.output.bias.detach()
    del params["batch_size"]
    # The only batch is the last one: its progress is 1.
    loss = proselflc(logits, torch.from_numpy(y), progress=1.0, **params).mean()
    (gradient,) = torch.autograd.grad(loss, weight)
    assert torch.allclose(weight.detach() - after.module_.output.weight.detach(), 0.5 * gradient, rtol=1e-9, atol=1e-12)


def test_without_trust_it_is_cross_entropy(blobs):
    ours = ProSelfLCClassifier(slope=200.0, midpoint=10.0, **FAST).fit(*blobs)
    theirs = RobustLossClassifier(loss="cross_entropy", **FAST).fit(*blobs)
    assert torch.allclose(weights(ours), weights(theirs), rtol=1e-9, atol=1e-12)


def test_half_the_trust_at_the_midpoint_and_a_rise_between(blobs):
    class Trust(Callback):
        def on_batch_begin(self, net, training=None, **kwargs):
            c = net.criterion_
            self.seen.append(1 / (1 + np.exp(-c.slope * (c.progress - c.midpoint))))

        def __init__(self, seen):
            self.seen = seen

    seen = []
    ProSelfLCClassifier(batch_size=15, max_epochs=2, callbacks=[Trust(seen)]).fit(*blobs)
    assert len(seen) == 20 and np.all(np.diff(seen) > 0)
    assert seen[9] == pytest.approx(0.5)


def test_constant_targets_need_a_low_temperature(blobs):
    with pytest.raises(ValueError, match=r"(?i)detach_target.*temperature"):
        ProSelfLCClassifier(detach_target=True, **FAST).fit(*blobs)
    model = ProSelfLCClassifier(detach_target=True, temperature=0.5, **FAST).fit(*blobs)
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize("params, name", [
    ({"slope": -1.0}, "slope"), ({"slope": 0}, "slope"), ({"temperature": 0.0}, "temperature"),
    ({"local_trust": "margin"}, "local_trust"), ({"midpoint": np.nan}, "midpoint"),
    ({"detach_target": "no"}, "detach_target"),
])  # fmt: skip
def test_wrong_parameters_are_named(params, name, blobs):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of ProSelfLCClassifier must be"):
        ProSelfLCClassifier(**{**FAST, **params}).fit(*blobs)


def test_full_local_trust_can_be_chosen(blobs):
    fully, partly = (ProSelfLCClassifier(local_trust=kind, **FAST).fit(*blobs) for kind in (None, "entropy"))
    assert not torch.equal(weights(fully), weights(partly))

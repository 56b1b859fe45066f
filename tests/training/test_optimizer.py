"""A step costs what the optimizer does, and whoever listens to it hears of it."""

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from sklabelnoise import DMClassifier
from sklabelnoise._compat import unrecorded_step
from sklabelnoise.training._optimizer import clear_gradients, take_step


def stepped(kind, take, clear, n_steps=3, **params):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 3, generator=generator).requires_grad_()
    optimizer = kind([x], **params)
    for _ in range(n_steps):
        clear(optimizer)
        assert x.grad is None
        (x**2).sum().backward()
        take(optimizer)
    return x.detach()


@pytest.mark.parametrize(("kind", "params"), [
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    (torch.optim.AdamW, {"lr": 0.1, "fused": True}),
    (torch.optim.Adam, {"lr": 0.1, "weight_decay": 0.1}),
    (torch.optim.RMSprop, {"lr": 0.1}),
])  # fmt: skip
def test_a_step_is_the_one_of_torch(kind, params):
    plain = stepped(kind, kind.step, kind.zero_grad, **params)
    assert torch.equal(stepped(kind, take_step, clear_gradients, **params), plain)


def test_nobody_listens_to_a_plain_optimizer():
    x = torch.zeros(1, requires_grad=True)
    assert unrecorded_step(torch.optim.SGD([x])) is not None


def of_all(register):
    return lambda optimizer, hook: register(hook)


@pytest.mark.parametrize("register", [
    torch.optim.SGD.register_step_pre_hook,
    torch.optim.SGD.register_step_post_hook,
    of_all(register_optimizer_step_pre_hook),
    of_all(register_optimizer_step_post_hook),
])  # fmt: skip
def test_hooks_of_a_step_run(register):
    x = torch.ones(1, requires_grad=True)
    optimizer, heard = torch.optim.SGD([x], lr=0.1), []
    handle = register(optimizer, lambda *args: heard.append(1))
    try:
        x.sum().backward()
        take_step(optimizer)
    finally:
        handle.remove()
    assert heard == [1] and x.item() == pytest.approx(0.9)


def test_a_profiler_finds_the_steps():
    x = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=0.1)
    x.sum().backward()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        take_step(optimizer)
    assert "Optimizer.step#SGD.step" in {event.key for event in profile.key_averages()}


class Cautious(torch.optim.SGD):
    """An optimizer of a user's, with ways of its own."""

    cleared = 0

    def zero_grad(self, set_to_none=True):
        type(self).cleared += 1
        super().zero_grad(set_to_none)

    def step(self, closure=None):
        for group in self.param_groups:
            for x in group["params"]:
                x.grad.clamp_(-1, 1)
        return super().step(closure)


def test_an_optimizer_of_a_users_goes_its_own_ways():
    moved = stepped(Cautious, take_step, clear_gradients, n_steps=1, lr=1.0)
    assert Cautious.cleared == 1
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 3, generator=generator)
    torch.testing.assert_close(moved, x - (2 * x).clamp(-1, 1))


def test_a_step_that_a_scheduler_counts_is_counted(blobs):
    X, y = blobs
    counted = []

    class Counting(torch.optim.SGD):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            whole = self.step
            self.step = lambda *given: (counted.append(1), whole(*given))[1]

    DMClassifier(optimizer=Counting, lr=0.1, max_epochs=2, batch_size=len(y), random_state=0).fit(X, y)
    assert len(counted) == 2


def test_a_zero_grad_that_was_put_in_place_is_called():
    x = torch.ones(1, requires_grad=True)
    optimizer, heard = torch.optim.SGD([x]), []
    optimizer.zero_grad = lambda: heard.append(1)
    clear_gradients(optimizer)
    assert heard == [1]

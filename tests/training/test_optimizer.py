"""A step costs what the optimizer does, and whoever listens to it hears of it."""

import inspect
import re

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from sklabelnoise import DMClassifier
from sklabelnoise._compat import fused_adam_stepped, unrecorded_step
from sklabelnoise.training._optimizer import check_learning_rate, clear_gradients, take_step


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


def small_network():
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    for i, parameter in enumerate(network.parameters()):
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(i))
    return network


def trained(kind, take, change=lambda network, optimizer, number: None, **params):
    """Parameters and the optimizer's state after some steps, before each of which something may change."""
    network = small_network()
    first, *others = network.parameters()
    optimizer = kind([{"params": [first], "lr": 0.3}, {"params": others}], lr=0.1, **params)
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    for number in range(4):
        change(network, optimizer, number)
        clear_gradients(optimizer)
        (network(x) ** 2).sum().backward()
        take(optimizer)
    state = [value for p in network.parameters() for value in optimizer.state[p].values()]
    return [p.detach() for p in network.parameters()] + state


def anneal(network, optimizer, number):
    optimizer.param_groups[0]["lr"] = 0.3 / (1 + number)


def unfreeze(network, optimizer, number):
    network[2].weight.requires_grad_(number >= 2)


def load_back(network, optimizer, number):
    optimizer.load_state_dict(optimizer.state_dict())


ADAMS = [(torch.optim.Adam, {"weight_decay": 0.1}), (torch.optim.AdamW, {}), (torch.optim.AdamW, {"maximize": True})]


if "decoupled_weight_decay" in inspect.signature(torch.optim.Adam).parameters:  # newer versions of torch
    ADAMS.append((torch.optim.Adam, {"weight_decay": 0.1, "decoupled_weight_decay": True}))


@pytest.mark.parametrize("change", [anneal, unfreeze, load_back])
@pytest.mark.parametrize(("kind", "params"), [*ADAMS, (torch.optim.Adam, {"amsgrad": True})])
def test_a_step_of_adam_in_one_operation_is_the_one_of_torch(kind, params, change):
    plain = trained(kind, kind.step, change, fused=True, **params)
    taken = trained(kind, take_step, change, fused=True, **params)
    assert all(map(torch.equal, taken, plain))


@pytest.mark.parametrize(("kind", "params"), ADAMS)
def test_a_step_of_adam_in_one_operation_sorts_no_tensors(kind, params, monkeypatch):
    sorted_tensors = []
    whole = torch.optim.Optimizer._group_tensors_by_device_and_dtype

    def sort(*given):
        sorted_tensors.append(1)
        return whole(*given)

    monkeypatch.setattr(torch.optim.Optimizer, "_group_tensors_by_device_and_dtype", staticmethod(sort))
    trained(kind, take_step, fused=True, **params)
    assert len(sorted_tensors) == 2  # the first step, of two groups, makes the state


@pytest.mark.parametrize("params", [
    {"fused": False},
    {"fused": True, "amsgrad": True},
    {"fused": True, "lr": torch.tensor(0.1)},
    {"fused": True, "capturable": True},
])  # fmt: skip
def test_another_adam_is_left_to_torch(params):
    x = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.AdamW([x], **params)
    for _ in range(2):
        optimizer.zero_grad()
        x.sum().backward()
        before = x.detach().clone()
        assert not fused_adam_stepped(optimizer)
        assert torch.equal(x, before)
        optimizer.step()


def test_an_adam_of_a_users_is_left_to_it():
    class Adam(torch.optim.Adam):
        pass

    x = torch.ones(2, requires_grad=True)
    optimizer = Adam([x], fused=True)
    for _ in range(2):
        x.sum().backward()
        assert not fused_adam_stepped(optimizer)
        optimizer.step()


def test_sparse_gradients_are_left_to_torch_which_refuses_them():
    table = torch.nn.Embedding(4, 2, sparse=True)
    optimizer = torch.optim.Adam(table.parameters(), fused=True)
    table.weight.grad = torch.ones_like(table.weight)
    take_step(optimizer)
    clear_gradients(optimizer)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="sparse"):
        take_step(optimizer)


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


@pytest.mark.parametrize(("groups", "message"), [
    (3, "must be a list of pairs (pattern, arguments), got 3."),
    ([("output.*", 0.1)], "must hold pairs of a pattern of names of parameters and a dict, got ('output.*', 0.1)."),
    (["ab"], "must hold pairs of a pattern of names of parameters and a dict, got 'ab'."),
    ([("output.*", {"rate": 0.1})], "must have arguments of SGD, which takes ['"),
    ([("output.*", {"rate": 0.1})], "got 'rate' for 'output.*'."),
    ([("layer.*", {"lr": 0.1})], "must have patterns that match names of parameters, got 'layer.*', which none of"),
    ([("*", {"lr": 0.1}), ("output.*", {"lr": 1.0})], "got 'output.*', which none of [] is left for."),
])  # fmt: skip
def test_groups_of_parameters_that_say_nothing_are_refused(groups, message, blobs):
    """skorch passed over patterns of no parameter, and torch over arguments that the optimizer does not know."""
    model = DMClassifier(optimizer="SGD", max_epochs=1, random_state=0)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.set_params(optimizer__param_groups=groups).fit(*blobs)


def test_an_argument_of_one_group_alone_is_refused(blobs):
    """skorch has such names for nets that are there; for a new one they were an argument that torch did not know."""
    model = DMClassifier(optimizer="SGD", optimizer__param_groups__0__lr=0.5, max_epochs=1)
    with pytest.raises(ValueError, match="optimizer__param_groups__0__lr must be an argument of SGD, which takes"):
        model.fit(*blobs)


@pytest.mark.parametrize("way", [
    {"fused": False}, {"foreach": True}, {"foreach": False}, {"differentiable": False}, {"capturable": False},
])  # fmt: skip
def test_a_way_of_stepping_that_a_user_chose_is_taken(way, blobs):
    model = DMClassifier(max_epochs=1, random_state=0, **{f"optimizer__{name}": value for name, value in way.items()})
    (group,) = model.fit(*blobs).net_.optimizer_.param_groups
    assert {name: group[name] for name in way} == way
    assert not group["fused"]


def test_sparse_embeddings_are_trained(blobs):
    class Embeds(torch.nn.Module):
        def __init__(self, n_classes):
            super().__init__()
            self.table = torch.nn.Embedding(4, n_classes, sparse=True)

        def forward(self, x):
            return self.table((x[:, 0] > 2).long())

    sgd = {"optimizer": "SGD", "optimizer__momentum": 0.0, "weight_decay": 0.0, "lr": 1.0}
    X, y = blobs[0], (blobs[0][:, 0] > 2).astype(int)
    assert DMClassifier(Embeds, max_epochs=5, random_state=0, **sgd).fit(X, y).score(X, y) == 1


def test_weight_decay_by_its_long_name_stands(blobs):
    for given in ({"optimizer__weight_decay": 0.25}, {"optimizer__weight_decay": 0.25, "weight_decay": 0.5}):
        model = DMClassifier(max_epochs=1, random_state=0, **given).fit(*blobs)
        assert model.net_.optimizer_.param_groups[0]["weight_decay"] == 0.25


def test_a_rate_is_at_most_the_largest_number_of_its_type():
    for dtype in (torch.float32, torch.float64):
        largest = torch.finfo(dtype).max
        check_learning_rate(largest, dtype)
        with pytest.raises(ValueError, match=f"lr must be at most {largest:.3g} for".replace("+", "[+]")):
            check_learning_rate(largest * (1.5 if dtype == torch.float32 else float("inf")), dtype)

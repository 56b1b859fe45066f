"""Stacked steps are torch's steps."""

import inspect

import numpy as np
import pytest
import torch

from sklabelnoise._stacked._optimizer import StackedOptimizer, optimizer_options

SGD, Adam, AdamW = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
CASES = {
    "sgd": (SGD, [{"lr": 0.1}, {"lr": 0.1}]),
    "sgd, rates of their own": (SGD, [{"lr": 0.1, "weight_decay": 0.1}, {"lr": 0.2}]),
    "momentum": (SGD, [{"lr": 0.1, "momentum": 0.9}, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}]),
    "momentum for one": (SGD, [{"lr": 0.1, "momentum": 0.9}, {"lr": 0.1}]),
    "nesterov": (SGD, [{"lr": 0.1, "momentum": m, "nesterov": True} for m in (0.5, 0.9)]),
    "dampening": (SGD, [{"lr": 0.1, "momentum": 0.9, "dampening": d} for d in (0.3, 0.6)]),
    "adam": (Adam, [{"lr": 0.01}, {"lr": 0.01}]),
    "adam, rates of their own": (Adam, [{"lr": 0.01, "weight_decay": 0.1}, {"lr": 0.02, "betas": (0.8, 0.99)}]),
    "adamw": (AdamW, [{"lr": 0.01}, {"lr": 0.01}]),
    "adamw, rates of their own": (AdamW, [{"lr": 0.01, "weight_decay": 0.1}, {"lr": 0.02, "eps": 1e-3}]),
}
if "decoupled_weight_decay" in inspect.signature(Adam).parameters:  # newer versions of torch
    options = {"weight_decay": 0.1, "decoupled_weight_decay": True}
    CASES["adam, decoupled"] = (Adam, [{"lr": 0.01, **options}, {"lr": 0.02, **options}])


@pytest.mark.parametrize("case", CASES, ids=lambda name: name.replace(" ", "-"))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_steps_are_those_of_torch(case, dtype):
    optimizer, options = CASES[case]
    generator = torch.Generator().manual_seed(0)
    shapes = {"weight": (4, 3), "bias": (4,), "scale": ()}
    start = {name: torch.randn(2, 2, *shape, generator=generator, dtype=dtype) for name, shape in shapes.items()}
    stacked = {name: p.clone() for name, p in start.items()}
    singles = {(g, k): [p[g, k].clone().requires_grad_() for p in start.values()] for g in range(2) for k in range(2)}
    references = {key: optimizer(params, **options[key[1]]) for key, params in singles.items()}
    split = [optimizer_options(optimizer([torch.zeros(1)], **o)) for o in options]
    rates = {name: np.array([rates[name] for rates, _ in split]) for name in split[0][0]}
    common = {name: split[0][1].get(name) for name in ("nesterov", "decoupled_weight_decay")}
    ours = StackedOptimizer(optimizer, stacked, rates, **common)

    for t in range(5):
        gradients = {name: torch.randn(p.shape, generator=generator, dtype=dtype) for name, p in stacked.items()}
        factors = np.array([1 - t / 10, 1 - t / 5])
        for part in (
            (slice(0, 1), slice(1, 2)) if t == 3 else (slice(None),)
        ):  # apart, as with last batches of two sizes
            mine = {name: gradient[part].clone() for name, gradient in gradients.items()}
            ours.step(mine, *ours.coefficients([t], [factors]), folds=part)
        for (g, k), reference in references.items():
            reference.param_groups[0]["lr"] = options[k]["lr"] * factors[k]
            for p, gradient in zip(singles[g, k], gradients.values(), strict=True):
                p.grad = gradient[g, k].clone()
            reference.step()

    # A rate of its own for each replica multiplies in another order than a number: a unit in the last place a step.
    tolerance = 10 * torch.finfo(dtype).eps
    for (g, k), params in singles.items():
        for name, p in zip(shapes, params, strict=True):
            torch.testing.assert_close(stacked[name][g, k], p.detach(), rtol=tolerance, atol=tolerance)


def test_one_rate_for_all_gives_torchs_numbers_to_the_last_bit():
    for optimizer, options in (CASES["adamw"], CASES["adam"], CASES["sgd"]):
        start = torch.randn(1, 2, 50, generator=torch.Generator().manual_seed(0))
        rates, _ = optimizer_options(optimizer([torch.zeros(1)], **options[0]))
        ours = StackedOptimizer(optimizer, {"p": (p := start.clone())}, rates)
        single = start[0, 0].clone().requires_grad_()
        reference = optimizer([single], **options[0])
        for t in range(4):
            single.grad = torch.sin(start[0, 0] + t)
            reference.step()
            ours.step({"p": torch.sin(start + t)}, *ours.coefficients([t], [1.0]))
        assert torch.equal(p[0, 0], single.detach())


def test_a_replica_of_nan_touches_no_other():
    p = torch.zeros(1, 3, 4)
    rates = {"lr": np.array([0.1, 0.2, 0.3]), "weight_decay": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    ours = StackedOptimizer(AdamW, {"p": p}, rates)
    gradient = torch.ones(1, 3, 4)
    gradient[0, 1] = torch.nan
    ours.step({"p": gradient}, *ours.coefficients([0], [1.0]))
    assert p[0, 1].isnan().all()
    assert p[0, [0, 2]].isfinite().all()


@pytest.mark.parametrize("option", ["maximize", "amsgrad"])
def test_what_changes_the_steps_is_told_and_what_only_computes_them_is_not(option):
    plain, other = (optimizer_options(Adam([torch.zeros(1)], **more))[1] for more in ({}, {option: True}))
    assert other == {**plain, option: True} != plain
    assert optimizer_options(Adam([torch.zeros(1)], foreach=True))[1] == plain

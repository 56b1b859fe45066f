"""Laws of the learning-rate schedules: the same rates as torch's schedulers, defined by iteration."""

import math
import pickle

import numpy as np
import pytest
import torch

from sklabelnoise.training._schedules import constant, make_schedule

N = 40


def rates(spec, n=N, lr=0.1):
    factor = make_schedule(spec)
    return np.array([lr * factor(t, n) for t in range(n)])


def rates_of_torch(scheduler_class, n=N, lr=0.1, **options):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)
    scheduler = scheduler_class(optimizer, **options)
    seen = []
    for _ in range(n):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(seen)


# Two iterations are fewer than torch's own formula takes with its default rise.
@pytest.mark.parametrize("n", [7, 40, 101])
@pytest.mark.parametrize("options", [{}, {"div_factor": 10.0, "final_div_factor": 100.0}])
@pytest.mark.parametrize("rise", [0.3, 0.5])
def test_one_cycle_is_torchs(n, options, rise):
    ours = rates({"name": "one-cycle", "rise": rise, **options}, n=n)
    theirs = rates_of_torch(
        torch.optim.lr_scheduler.OneCycleLR, n=n, max_lr=0.1, total_steps=n, pct_start=rise, **options
    )
    assert np.allclose(ours, theirs, rtol=1e-12)


def test_one_cycle_has_torchs_defaults():
    theirs = rates_of_torch(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=N)
    assert np.allclose(rates("one-cycle"), theirs, rtol=1e-12)


def test_cosine_is_torchs():
    theirs = rates_of_torch(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=N)
    # torch computes it by recursion, which adds up rounding
    assert np.allclose(rates("cosine"), theirs, rtol=1e-9)


def test_cosine_rises_linearly_through_its_warmup_then_falls():
    ours = rates({"name": "cosine", "warmup": 0.25})
    assert np.allclose(ours[:10], 0.1 * np.arange(1, 11) / 10)
    assert (np.diff(ours[10:]) < 0).all()
    assert np.allclose(ours[10:], rates("cosine", n=30))


@pytest.mark.parametrize("warmup", [0.01, 0.05, 0.12, 0.33, 1.0])
@pytest.mark.parametrize("n", [1, 3, 10, 47])
def test_a_warmup_of_broken_iterations_ends_at_the_rate_itself(warmup, n):
    """It went beyond: in the last iteration of two and a half it was 6/5 of the rate."""
    ours, rise = rates({"name": "cosine", "warmup": warmup}, n=n, lr=1.0), warmup * n
    t = np.arange(n)
    np.testing.assert_allclose(ours[t < rise], np.minimum((t[t < rise] + 1) / rise, 1), rtol=1e-12)
    assert ((ours > 0) & (ours <= 1)).all()


@pytest.mark.parametrize("milestones", [[20, 30], [0.5, 0.75], [20, 0.75]])
def test_milestones_are_torchs_by_number_or_fraction(milestones):
    theirs = rates_of_torch(torch.optim.lr_scheduler.MultiStepLR, milestones=[20, 30], gamma=0.2)
    assert np.allclose(rates({"name": "milestones", "milestones": milestones, "gamma": 0.2}), theirs, rtol=1e-12)


def test_inv_is_caffes_policy():
    t = np.arange(N)
    ours = rates({"name": "inv", "gamma": 0.01, "power": 0.75})
    assert np.allclose(ours, 0.1 * (1 + 0.01 * t) ** -0.75, rtol=1e-12)
    # by default as in the experiments of derivative manipulation on IMDB
    assert np.allclose(rates("inv", lr=1.0), (1 + 1e-5 * t) ** -0.75, rtol=1e-12)


def test_the_first_iteration_is_a_milestone_by_its_number():
    """Only below one it is a fraction."""
    assert rates({"name": "milestones", "milestones": [1]}, n=4, lr=1.0) == pytest.approx([1, 0.1, 0.1, 0.1])


def test_constant_is_the_function_the_net_knows_by_identity():
    assert make_schedule("constant") is constant
    assert make_schedule({"name": "constant"}) is constant


def test_a_callable_gets_the_progress():
    assert np.allclose(rates(lambda progress: 1 - progress, lr=1.0), 1 - np.arange(N) / N)


@pytest.mark.parametrize("factor", [None, "half", -0.1, math.nan, math.inf])
def test_a_callable_that_gives_no_factor_is_refused(factor):
    message = f"lr_schedule must return a finite number of at least 0 .*, got {factor!r} at progress 0"
    with pytest.raises(ValueError, match=message):
        rates(lambda progress: factor, lr=1.0)


def _decay(progress):
    return 1 - progress


@pytest.mark.parametrize("spec", ["one-cycle", {"name": "milestones", "milestones": [3]}, _decay])
def test_schedules_pickle_whenever_their_specification_does(spec):
    factor = make_schedule(spec)
    again = pickle.loads(pickle.dumps(factor))
    assert [again(t, N) for t in range(N)] == [factor(t, N) for t in range(N)]


@pytest.mark.parametrize("name", ["constant", "cosine", "one-cycle", "inv"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_trainings_of_a_few_iterations_have_rates_in_range(name, n):
    values = rates(name, n=n, lr=1.0)
    assert ((values > 0) & (values <= 1)).all()


@pytest.mark.parametrize(
    "spec, message",
    [
        ("cos", r"lr_schedule must name one of \['constant', 'cosine', .*got 'cos'"),
        ({"milestones": [3]}, "lr_schedule must name one of"),
        ({"name": "cosine", "warm": 0.1}, r"lr_schedule must have options that fit the schedule 'cosine', got .*warm"),
        ({"name": "milestones"}, r"lr_schedule must have options that fit the schedule 'milestones', got"),
    ],
)
def test_wrong_specifications_are_named(spec, message):
    with pytest.raises(ValueError, match=message):
        make_schedule(spec)

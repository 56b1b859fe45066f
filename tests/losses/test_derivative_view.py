"""The derivative view in numbers."""

import math
from functools import cache

import pytest
import torch

from sklabelnoise.losses import (
    BATCH_CRITERIA,
    NAMES,
    ROW_CRITERIA,
    DMEmphasis,
    IMAEEmphasis,
    emphasis_of,
    emphasis_table,
    emphasis_variance,
)

# It takes seconds.
table_of = cache(emphasis_table)


@pytest.mark.parametrize(
    ("emphasis", "expected"),
    # the second moment of w less the squared mean, over [0, 1]
    [("cross_entropy", 1 / 3), ("mae", 4 / 30 - 1 / 9), ("mse", 16 / 105 - 1 / 9)],
)
def test_variance_over_even_probabilities_is_its_closed_form(emphasis, expected):
    assert emphasis_variance(emphasis).item() == pytest.approx(expected, rel=1e-8)


def test_variance_of_the_improved_mean_absolute_error_is_the_published_one():
    assert emphasis_variance(IMAEEmphasis(T=8.0)).item() == pytest.approx(4.55, abs=0.005)


def test_variance_of_a_batch_is_that_of_its_weights():
    p = torch.rand(3, 50, generator=torch.Generator().manual_seed(0))
    expected = DMEmphasis()(p).var(-1, correction=0)
    torch.testing.assert_close(emphasis_variance(DMEmphasis(), p), expected)
    torch.testing.assert_close(emphasis_variance(lambda p: DMEmphasis()(p), p), expected)
    expected = emphasis_of("gce", p, q=0.5).var(-1, correction=0)
    torch.testing.assert_close(emphasis_variance("gce", p, q=0.5), expected)
    assert emphasis_variance(DMEmphasis(beta=0.0)).item() == 0


@pytest.mark.parametrize("emphasis", [DMEmphasis(), torch.sin])
def test_a_weight_that_is_no_loss_takes_no_hyper_parameters(emphasis):
    with pytest.raises(TypeError, match=r"name of a loss to take the hyper-parameters \['beta', 'q'\], got "):
        emphasis_variance(emphasis, q=0.5, beta=1.0)


def test_certain_labels_have_a_variance():
    assert emphasis_variance(DMEmphasis(), torch.tensor([0.0, 1.0])).isfinite()


def test_table_has_every_loss_and_a_formula_for_each():
    table = table_of()
    assert set(table.index) == {*NAMES, *ROW_CRITERIA, *BATCH_CRITERIA, "derivative_manipulation", "imae"}
    assert (table["derivative"].str.len() > 0).all()
    assert set(table["sees"]) == {"label", "prediction", "more"}
    assert (table["mean"].isna() == (table["sees"] == "more")).all()


def test_a_loss_sees_the_label_alone_where_the_rest_of_the_prediction_has_no_part_in_its_weight():
    table = table_of()
    generator = torch.Generator().manual_seed(0)
    rest = torch.rand(5, 9, dtype=torch.double, generator=generator) ** 4
    p = torch.linspace(0.1, 0.9, 5).double()
    logits = torch.cat([p[:, None], (1 - p)[:, None] * rest / rest.sum(-1, keepdim=True)], -1).log()
    for name in NAMES:
        if name in ("forward", "backward"):  # whose matrix has no default
            assert table.loc[name, "sees"] == "more"
            continue
        z = logits.clone().requires_grad_()
        (derivative,) = torch.autograd.grad(NAMES[name](z, torch.zeros(5, dtype=torch.long)).sum(), z)
        weight = emphasis_of(name, p, n_classes=10)
        expected = "label" if torch.allclose(derivative.abs().sum(-1), weight, rtol=1e-9) else "prediction"
        assert table.loc[name, "sees"] == expected, name


def test_table_agrees_with_closed_forms():
    table = table_of()
    for name, mode in (("cross_entropy", 0.0), ("mae", 0.5), ("mse", 1 / 3), ("gce", 0.7 / 1.7), ("imae", 0.5)):
        assert table.loc[name, "mode"] == pytest.approx(mode, abs=2e-5)
    assert table.loc["derivative_manipulation", "mode"] == pytest.approx(1 / 3, abs=2e-5)
    assert table.loc["gce", "mean"] == pytest.approx(2 / (1.7 * 2.7), rel=1e-6)
    assert table.loc["rce", "variance"] == pytest.approx(math.log(1e-4) ** 2 * table.loc["mae", "variance"])
    assert table.loc["rce", "relative"] == pytest.approx(table.loc["mae", "relative"])
    assert table.loc["nce", "mean"] != emphasis_table(n_classes=3).loc["nce", "mean"]

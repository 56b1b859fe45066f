"""Softmax where rows are neighbors in memory is softmax."""

import pytest
import torch
import torch.nn.functional as F

from sklabelnoise._stacked._rows_last import RowsLast

FUNCTIONS = {
    "method": lambda z: z.log_softmax(-1),
    "keyword": lambda z: z.softmax(dim=-1),
    "function": lambda z: torch.log_softmax(z, z.ndim - 1),
    "functional": lambda z: F.softmax(z, dim=-1),
    "other dimension": lambda z: z.softmax(0),
    "other type": lambda z: z.softmax(-1, dtype=torch.float32),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize("shape", [(3, 4, 7, 5), (7, 5), (5,)], ids=str)
def test_values_and_derivatives_are_those_without_the_context(function, shape):
    generator = torch.Generator().manual_seed(0)
    stored = torch.randn(shape, generator=generator, dtype=torch.float64)
    for logits in (stored, stored.mT.contiguous().mT if len(shape) > 1 else stored.repeat_interleave(2)[::2]):
        logits = logits.requires_grad_()
        with RowsLast():
            inside = function(logits)
        outside = function(logits)
        direction = torch.randn(outside.shape, generator=generator, dtype=torch.float64)
        torch.testing.assert_close(inside, outside)
        torch.testing.assert_close(
            torch.autograd.grad(inside, logits, direction), torch.autograd.grad(outside, logits, direction)
        )


def test_the_layout_is_kept():
    logits = torch.randn(3, 5, 7).mT
    with RowsLast():
        assert logits.softmax(-1).stride() == logits.softmax(2).stride() == logits.stride()
        assert logits.contiguous().softmax(-1).is_contiguous()

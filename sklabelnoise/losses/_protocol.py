"""What training asks of a criterion, beside calling it."""

from torch import nn


class Criterion(nn.Module):
    """Base of all criteria, called as ``criterion(logits, target, sample_weight)``.

    Attributes
    ----------
    progress : float or None
        How far training is, in (0, 1], this batch included: set before each training batch where it is not None.
    needs_indices : bool
        Whether it is called with ``indices=``, the numbers of the rows of the batch, too. Such a criterion remembers
        something of every row, and can't be trained in a stack.
    """

    progress = None
    needs_indices = False

    def prepare(self, n_samples, n_classes, *, device=None, dtype=None):
        """Get ready for a training on so many rows; called before each `fit`. Most criteria have nothing to do."""

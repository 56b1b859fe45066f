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

    def trust(self, logits, progress):
        """How far the criterion trusts the predictions of rows at a progress of training; None where it asks nobody.

        Parameters
        ----------
        logits : tensor of shape (n_samples, n_classes)
            Scores before softmax.
        progress : tensor of shape (n_samples,)
            That of the training when each row was seen.

        Returns
        -------
        trust : tensor of shape (n_samples,) or None
        """
        return None

    def prepare(self, n_samples, n_classes, *, device=None, dtype=None):
        """Get ready for a training on so many rows; called before each `fit`. Most criteria have nothing to do."""

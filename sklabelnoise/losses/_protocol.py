"""What training asks of a criterion, beside calling it."""

from torch import nn


def knows_derivative(criterion):
    """Whether a criterion may be asked for its value and derivative in place of being called."""
    if not isinstance(criterion, Criterion) or "forward" in vars(criterion):
        return False
    forward, known = (
        next(kind for kind in type(criterion).__mro__ if name in vars(kind))
        for name in ("forward", "value_and_derivative")
    )
    return forward is known


class Criterion(nn.Module):
    """Base of all criteria, called as ``criterion(logits, target, sample_weight)``.

    Attributes
    ----------
    progress : float or None
        How far training is, in (0, 1], this batch included: set before each training batch where it is not None.
    needs_indices : bool
        Whether it is called with ``indices=``, the numbers of the rows of the batch, too. Such a criterion remembers
        something of every row, and can't be trained in a stack.
    same_in_a_stack : tuple of str
        Attributes that decide how it is computed: trainings in which they differ don't share a stack.
    """

    progress = None
    needs_indices = False
    same_in_a_stack = ()

    def value_and_derivative(self, logits, target, sample_weight=None):
        """What the criterion returns in training, and its derivative with respect to the logits.

        Where it is known in closed form, training needs no graph of the loss. A subclass that defines `forward` anew
        is not asked, unless it defines this as well.

        Parameters
        ----------
        logits, target, sample_weight
            As the criterion is called with.

        Returns
        -------
        known : pair of tensors or None
            The value, and the derivative of the shape of the logits; None where only torch knows.
        """
        return None

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

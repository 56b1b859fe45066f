"""Watching the logits of training itself, so that nothing is computed twice."""

import torch
from skorch.callbacks import Callback

# Logits kept before they are handed on: bounds the memory, and keeps the work off the path of each batch.
_MAX_PENDING = 4_000_000


class TrainingLogits(Callback):
    """Hands the logits of the training batches to :meth:`take`, many rows at a time.

    Each row is seen once an epoch, before the update it takes part in, with dropout and augmentation as they are in
    training. A subclass calls :meth:`flush` at the end of an epoch. One that has `follows_derivative` is handed the
    derivative of each batch's loss with respect to the logits as well, where the backward pass comes by it.
    """

    follows_derivative = False

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.pending_, self.n_pending_ = [], 0
        self.handle_ = net.criterion_.register_forward_hook(
            lambda criterion, args, _: self._keep(net, criterion, args[0])
        )

    def _keep(self, net, criterion, logits):
        # What the criterion is called with are the logits of the whole batch, where processes train together.
        if not criterion.training:
            return
        if self.follows_derivative and logits.requires_grad:
            indices = net.batch_.indices
            logits.register_hook(lambda derivative: self.take_derivative(indices, net.unscaled(derivative.detach())))
        logits = logits.detach()
        self.pending_.append((net.batch_.indices, logits, net.criterion_.progress))
        self.n_pending_ += logits.numel()
        if self.n_pending_ > _MAX_PENDING:
            self.flush(net)

    @torch.no_grad()
    def flush(self, net):
        """Hand on what is pending."""
        if not self.pending_:
            return
        indices, logits, progress = zip(*self.pending_, strict=True)
        self.pending_, self.n_pending_ = [], 0
        if progress[0] is not None:
            sizes = torch.tensor([len(index) for index in indices])
            progress = torch.tensor(progress).repeat_interleave(sizes)
        self.take(net, torch.cat(indices), torch.cat(logits).float(), progress)

    def take(self, net, indices, logits, progress):
        """Use the logits of the rows `indices`; `progress` is that of the training when each row was seen."""

    def take_derivative(self, indices, derivative):
        """Use the derivative of the loss of a batch with respect to its logits, those of the rows `indices`."""

    def on_train_end(self, net, X=None, y=None, **kwargs):
        self.handle_.remove()
        del self.handle_


def odds_of(logits):
    """Exponentials of the logits behind their maximum, with these differences and the row sums of the exponentials.

    Softmax, entropy and more follow from one exponential: torch's own softmax is several times slower over a few
    classes.
    """
    shifted = logits - logits.amax(-1, keepdim=True)
    odds = shifted.exp()
    return odds, shifted, odds.sum(-1)

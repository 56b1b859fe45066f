"""Callbacks of one training: which hooks they use, a progress bar over epochs, and scikit-learn's protocol."""

from skorch.callbacks import Callback

from sklabelnoise._foundation._progress import Progress
from sklabelnoise.training._early_stopping import StopTraining

_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


def used_hooks(callbacks):
    """The hooks of a batch in which one of some (name, callback) does more than skorch's empty base."""
    kinds = {type(callback) for _, callback in callbacks}
    return {hook for hook in _BATCH_HOOKS if any(getattr(kind, hook) is not getattr(Callback, hook) for kind in kinds)}


class EpochProgressBar(Callback):
    """Show one progress bar over the epochs, with the last loss and accuracy beside it.

    Parameters
    ----------
    epochs : int
        Number of epochs planned.
    name : str
        Shown in front of the bar.
    """

    def __init__(self, epochs, name):
        self.epochs = epochs
        self.name = name

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.bar_ = Progress(self.epochs, self.name, unit="epochs", shown=True)

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        shown = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")
        self.bar_.advance(beside={key: f"{row[key]:.3f}" for key in shown if key in row})

    def on_train_end(self, net, X=None, y=None, **kwargs):
        self.bar_.close()


class SklearnTasks(Callback):
    """Report each epoch as a task of scikit-learn's callback protocol (scikit-learn 1.9).

    Parameters
    ----------
    estimator : estimator
        The classifier being fitted.
    context : sklearn.callback.CallbackContext
        Its root context.
    X, y : array-like
        What ``fit`` was called with.
    fitted_attributes : callable
        ``fitted_attributes(net)``: what an estimator needs to predict with the net as it is now.
    """

    def __init__(self, estimator, context, X, y, fitted_attributes):
        self.estimator = estimator
        self.context = context
        self.X = X
        self.y = y
        self.fitted_attributes = fitted_attributes

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.context.call_on_fit_task_begin(estimator=self.estimator, X=self.X, y=self.y)

    def on_epoch_begin(self, net, **kwargs):
        self.task_ = self.context.subcontext(task_name="epoch")
        self.task_.call_on_fit_task_begin(estimator=self.estimator, X=self.X, y=self.y)

    def on_epoch_end(self, net, **kwargs):
        if self._end(self.task_, net):
            raise StopTraining

    def on_train_end(self, net, X=None, y=None, **kwargs):
        self._end(self.context, net)

    def _end(self, task, net):
        return task.call_on_fit_task_end(
            estimator=self.estimator,
            X=self.X,
            y=self.y,
            reconstruction_attributes=lambda: self.fitted_attributes(net),
        )

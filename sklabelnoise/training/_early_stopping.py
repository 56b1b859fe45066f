"""Training that ends before its last epoch: by a callback of the user, or by the accuracy on held-out rows."""

import numpy as np
from sklearn.model_selection import train_test_split
from skorch.callbacks import EarlyStopping

from sklabelnoise._foundation._callers_line import warn

_NAME = "early_stopping"


class StopTraining(KeyboardInterrupt):
    """Raised by a callback to end training as planned, with the network as it is then.

    A ``KeyboardInterrupt`` itself, with which callbacks end the training of a skorch net, is taken for Ctrl-C and
    leaves ``fit``; that of skorch's ``EarlyStopping`` is known.

    Examples
    --------
    >>> from skorch.callbacks import Callback
    >>> from sklearn.datasets import make_moons
    >>> from sklabelnoise import DMClassifier
    >>> from sklabelnoise.training import StopTraining
    >>> class UntilAccurate(Callback):
    ...     def on_epoch_end(self, net, **kwargs):
    ...         if net.history[-1, "train_accuracy"] > 0.8:
    ...             raise StopTraining
    >>> X, y = make_moons(200, random_state=0)
    >>> model = DMClassifier(callbacks=[UntilAccurate()], max_epochs=100, random_state=0).fit(X, y)
    >>> model.n_iter_ < 100
    True
    """


def early_stopping(patience):
    """A named callback that stops after `patience` epochs without a better accuracy on held-out rows.

    The network returns to its best epoch.
    """
    stop = EarlyStopping(
        monitor="valid_accuracy",
        patience=patience,
        lower_is_better=False,
        threshold=0,
        load_best=True,
        sink=_ignore,
    )
    return _NAME, stop


def hold_out(data, fraction, seed):
    """Split a TrainingSet into rows to train on and held-out rows, stratified by the given labels.

    Raises
    ------
    ValueError
        If there are too few rows for one of every class on both sides.
    """
    rows = np.arange(len(data))
    try:
        train, held_out = train_test_split(rows, test_size=fraction, stratify=data.labels, random_state=seed)
    except ValueError as error:
        raise ValueError(
            f"validation_fraction must leave every class on both sides for early_stopping, got {fraction:g} of "
            f"{len(rows)} rows; pass X_val and y_val, or do without. ({error})"
        ) from error
    return data.take(np.sort(train)), data.take(np.sort(held_out))


def stopped_early(net):
    """Whether skorch's ``EarlyStopping`` ended the training, which it does by an interrupt."""
    return any(
        isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience for _, callback in net.callbacks_
    )


def keep_interrupted_epoch(history):
    """Say that somebody interrupted the epoch that runs; where it has no loss yet, the history goes without it."""
    warn(f"Training was interrupted in epoch {len(history)}; the network is kept as it was then.")
    if "train_loss" not in history[-1]:
        history.pop()


def naming_held_out_rows(error, history):
    """Add to an error of a callback that misses held-out rows how to hold some out."""
    if "valid_" in str(error) and not any("valid_loss" in row for row in history):
        error.add_note(
            "No rows are held out here, unlike in skorch: early_stopping=True, or X_val and y_val in fit, hold some "
            "out. Without them a callback can watch train_loss."
        )


def forget_best_weights(net):
    """Let go of the second copy of the network, which is no longer needed after training."""
    dict(net.callbacks_)[_NAME].best_model_weights_ = None


def _ignore(text):
    """A sink for skorch's messages."""

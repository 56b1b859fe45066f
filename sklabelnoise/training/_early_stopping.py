"""Early stopping: which rows are held out, and when training ends."""

import numpy as np
from sklearn.model_selection import train_test_split
from skorch.callbacks import EarlyStopping

_NAME = "early_stopping"


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
            f"early_stopping can't hold out validation_fraction={fraction:g} of {len(rows)} rows with every class "
            f"among them; pass X_val and y_val, or do without. ({error})"
        ) from error
    return data.take(np.sort(train)), data.take(np.sort(held_out))


def forget_best_weights(net):
    """Let go of the second copy of the network, which is no longer needed after training."""
    dict(net.callbacks_)[_NAME].best_model_weights_ = None


def _ignore(text):
    """A sink for skorch's messages."""

"""What is said when numbers of a training stop being finite."""

_ADVICE = "Scale the features, lower lr, or add weight_decay."


def nonfinite_loss_message(kind, loss, *, epoch, batch, n_batches, lr):
    """Message for a training or validation loss (`kind`) that is infinite or NaN; epoch and batch count from 1."""
    return (
        f"Training stopped: the {kind} loss became {loss} in epoch {epoch}, batch {batch} of {n_batches}, "
        f"at lr={lr:g}. {_ADVICE}"
    )


def nonfinite_parameter_message(*, epoch, lr):
    """Message for a network whose last update, after the last loss was seen, was not finite."""
    return f"Training stopped: a parameter of the network is not finite after epoch {epoch}, at lr={lr:g}. {_ADVICE}"

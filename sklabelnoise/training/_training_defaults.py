"""Where the learning rate, the number of epochs and the rest come from: the user, else the module, else the MLP."""

from sklabelnoise.modules import MLP
from sklabelnoise.training._optimizer import resolve_optimizer, takes_weight_decay

# Parameters whose None means the module's own choice.
TRAINING_PARAMETERS = ("optimizer", "lr", "weight_decay", "max_epochs", "batch_size", "lr_schedule", "augment")


def training_parameters(module, given):
    """What to train a module with.

    Parameters
    ----------
    module : torch.nn.Module
        Its attribute `training_defaults`, where it has one, goes before that of :class:`~sklabelnoise.modules.MLP`.
    given : dict
        The user's choice for `TRAINING_PARAMETERS`, None for none, and arguments of the optimizer (``optimizer__...``).

    Returns
    -------
    used : dict
        A value for each of `TRAINING_PARAMETERS`, and arguments of the optimizer.
    """
    used = {**MLP.training_defaults, **getattr(module, "training_defaults", {})}
    if given["optimizer"] is not None:
        # Arguments meant for the module's own optimizer mean nothing to another.
        used = {name: value for name, value in used.items() if not name.startswith("optimizer__")}
    used.update({name: value for name, value in given.items() if value is not None or name.startswith("optimizer__")})
    if given["weight_decay"] is None and not takes_weight_decay(resolve_optimizer(used["optimizer"])):
        used["weight_decay"] = 0.0
    return used

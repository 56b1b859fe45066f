"""What a method is, as a hash: rows of a method that was defined otherwise are not mixed with those of today.

A definition is made of the estimator that a method makes: class names and parameters, all the way down. Of classes of
this project all parameters count, so that a changed default is seen; of other libraries those that differ from the
default, so that a new version with one more parameter changes nothing (the versions stand in each row anyway). Seeds
are no part of it, nor is what decides how a fit is run and not what comes out. Where a network has its default module,
the module's training defaults belong to it, and so do the families that `NoisyLabelClassifier` has by default. What
the code does with all that is said by the commit in a row.
"""

import hashlib
import inspect
import json

import numpy as np
from sklearn.base import BaseEstimator

OURS = ("sklabelnoise", "benchmarks")
# How a fit is run, watched and seeded; with equal values of the others it ends with the same model.
NO_PART = frozenset(
    (
        "callback", "callbacks", "checkpoint", "device", "n_jobs", "on_interrupt", "pre_dispatch", "random_state",
        "time_limit", "verbose", "warm_start",
    )
)  # fmt: skip

# Parameters of ours that came after rows, with the value by which all is as before: the same definition then.
ADDED_LATER = {"StochasticLabelRefinery": {"relabel": "all"}}


def definition(estimator):
    """Hash of what an unfitted estimator is, twelve hexadecimal digits."""
    text = json.dumps(described(estimator), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def described(value):
    """A value as JSON: estimators and splitters by class name and parameters, functions by name."""
    if isinstance(value, BaseEstimator):
        own = {**_training_defaults(value), **_families(value)}
        return {"class": type(value).__name__, **_parameters(value), **own}
    if isinstance(value, dict):
        return {str(name): described(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [described(item) for item in value]
    if isinstance(value, np.ndarray):
        return described(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, type) or inspect.isroutine(value):
        return value.__name__
    return {"class": type(value).__name__, **described(_attributes(value))}


def _attributes(value):
    """Public attributes of an object, and what its class has in capitals: settings that are no parameters."""
    constants = {name: getattr(value, name) for name in dir(type(value)) if name.isupper()}
    attributes = {**constants, **getattr(value, "__dict__", {})}
    return {name: item for name, item in attributes.items() if not name.startswith("_") and name not in NO_PART}


def _parameters(estimator):
    ours = type(estimator).__module__.split(".")[0] in OURS
    defaults = {name: p.default for name, p in inspect.signature(type(estimator)).parameters.items()}
    unseen = ADDED_LATER.get(type(estimator).__name__, {}) if ours else defaults
    return {
        name: described(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in NO_PART and (name not in unseen or not _is(value, unseen[name]))
    }


def _is(value, default):
    return value is default or (type(value) is type(default) and repr(value) == repr(default))


def _families(estimator):
    """Members that `NoisyLabelClassifier` has where none are given, their grids, and the constants of its decision."""
    if type(estimator).__name__ != "NoisyLabelClassifier" or estimator.members != "auto":
        return {}
    from sklabelnoise._ensemble import _decision
    from sklabelnoise._ensemble._members import families_of

    constants = {name: getattr(_decision, name) for name in dir(_decision) if name.isupper() and name[0] != "_"}
    return {"families": described(families_of("auto", np.arange(2))), "decision": described(constants)}


def _training_defaults(estimator):
    if "module" not in estimator.get_params(deep=False) or estimator.module is not None:
        return {}
    from sklabelnoise.modules import MLP

    return {"training_defaults": described(MLP.training_defaults)}

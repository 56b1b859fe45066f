"""Scikit-learn classifiers that train well on wrong labels, and tools that show which labels to doubt."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sklabelnoise._foundation._version import __version__ as __version__

if TYPE_CHECKING:
    # What editors and type checkers see.
    from sklabelnoise import (
        audit,
        datasets,
        feature_extraction,
        inspection,
        losses,
        metrics,
        model_selection,
        modules,
        noise,
        text,
        training,
    )
    from sklabelnoise._classifiers._derivative_manipulation import DMClassifier
    from sklabelnoise._classifiers._derivative_manipulation_cv import DMClassifierCV
    from sklabelnoise._classifiers._progressive_correction import ProSelfLCClassifier
    from sklabelnoise._classifiers._robust_loss import RobustLossClassifier
    from sklabelnoise._ensemble._classifier import NoisyLabelClassifier
    from sklabelnoise._label_refinery import StochasticLabelRefinery, StochasticLabelRefineryRegressor

# Names resolve on first use, so that `import sklabelnoise` loads neither torch nor skorch.
_HOME = {
    "DMClassifier": "_classifiers._derivative_manipulation",
    "DMClassifierCV": "_classifiers._derivative_manipulation_cv",
    "NoisyLabelClassifier": "_ensemble._classifier",
    "ProSelfLCClassifier": "_classifiers._progressive_correction",
    "RobustLossClassifier": "_classifiers._robust_loss",
    "StochasticLabelRefinery": "_label_refinery",
    "StochasticLabelRefineryRegressor": "_label_refinery",
}

# Pickles of version 0.1 name modules that lived here; these are found in the folder `_moved`.
__path__.append(f"{__path__[0]}/_moved")

__all__ = [
    "DMClassifier",
    "DMClassifierCV",
    "NoisyLabelClassifier",
    "ProSelfLCClassifier",
    "RobustLossClassifier",
    "StochasticLabelRefinery",
    "StochasticLabelRefineryRegressor",
    "audit",
    "datasets",
    "feature_extraction",
    "inspection",
    "losses",
    "metrics",
    "model_selection",
    "modules",
    "noise",
    "text",
    "training",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(_import(_HOME[name]), name)
    if name in __all__:
        return _import(name)
    raise AttributeError(f"module 'sklabelnoise' has no attribute {name!r}")


def _import(name: str) -> Any:
    try:
        return importlib.import_module(f"sklabelnoise.{name}")
    except ImportError:
        raise
    except Exception as error:
        # An AttributeError would read as "cannot import name", and `hasattr` as False, without the cause.
        raise ImportError(f"sklabelnoise.{name} can't be loaded: {type(error).__name__}: {error}") from error


def __dir__() -> list[str]:
    return ["__version__", *__all__]

"""Stochastic label refinery: scikit-learn's protocol only, no torch."""

from pathlib import Path

from sklabelnoise._label_refinery._classifier import StochasticLabelRefinery
from sklabelnoise._label_refinery._regressor import StochasticLabelRefineryRegressor

# Pickles of version 0.1 name modules that lived here; these are found beside those of the package itself.
__path__.append(str(Path(__file__).parents[1] / "_moved" / "_label_refinery"))

__all__ = ["StochasticLabelRefinery", "StochasticLabelRefineryRegressor"]

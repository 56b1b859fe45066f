"""Where version 0.1 had both label refineries."""

from sklabelnoise._label_refinery._classifier import StochasticLabelRefinery
from sklabelnoise._label_refinery._regressor import StochasticLabelRefineryRegressor

__all__ = ["StochasticLabelRefinery", "StochasticLabelRefineryRegressor"]

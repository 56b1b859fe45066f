"""Stochastic label refinery: scikit-learn's protocol only, no torch."""

from sklabelnoise._label_refinery._refinery import StochasticLabelRefinery, StochasticLabelRefineryRegressor

__all__ = ["StochasticLabelRefinery", "StochasticLabelRefineryRegressor"]

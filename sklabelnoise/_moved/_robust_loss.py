"""Where version 0.1 had :class:`sklabelnoise.RobustLossClassifier`."""

from sklabelnoise._classifiers._robust_loss import RobustLossClassifier

__all__ = ["RobustLossClassifier"]

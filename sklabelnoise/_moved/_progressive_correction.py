"""Where version 0.1 had :class:`sklabelnoise.ProSelfLCClassifier`."""

from sklabelnoise._classifiers._progressive_correction import ProSelfLCClassifier

__all__ = ["ProSelfLCClassifier"]

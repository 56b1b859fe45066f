"""Where version 0.1 had :func:`sklabelnoise.losses.negative_learning`."""

from sklabelnoise.losses._whole_prediction import negative_learning

__all__ = ["negative_learning"]

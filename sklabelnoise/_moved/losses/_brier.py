"""Where version 0.1 had :func:`sklabelnoise.losses.brier`."""

from sklabelnoise.losses._whole_prediction import brier

__all__ = ["brier"]

"""Where version 0.1 had what fitted nets with early stopping refer to."""

from sklabelnoise.training._early_stopping import _ignore

__all__ = ["_ignore"]

"""Searches and out-of-fold predictions whose fits are trained together in stacks."""

from sklabelnoise.model_selection._cross_val_predict import fused_cross_val_predict
from sklabelnoise.model_selection._grid_search import FusedGridSearchCV

__all__ = ["FusedGridSearchCV", "fused_cross_val_predict"]

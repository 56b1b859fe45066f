"""Searches and out-of-fold predictions whose fits are trained together in stacks.

They take the place of scikit-learn's ``GridSearchCV`` and ``cross_val_predict``, with their arguments and results, and
are quick where a network is small: many of them fit into one tensor. Fits that can't be stacked are made one by one.
"""

from sklabelnoise.model_selection._cross_val_predict import fused_cross_val_predict
from sklabelnoise.model_selection._grid_search import FusedGridSearchCV

__all__ = ["FusedGridSearchCV", "fused_cross_val_predict"]

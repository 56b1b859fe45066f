"""Searches and out-of-fold predictions whose fits are trained together as replicas of one model."""

from sklabelnoise.model_selection._grid_search import FusedGridSearchCV, fused_cross_val_predict

__all__ = ["FusedGridSearchCV", "fused_cross_val_predict"]

"""How a network is trained: batches on the device, schedules, and the skorch net that joins them."""

from sklabelnoise.training._augmentation import CropFlip, Cutout
from sklabelnoise.training._dynamics import LearningDynamics
from sklabelnoise.training._mean_prediction import MeanPrediction
from sklabelnoise.training._net import StopTraining

__all__ = ["CropFlip", "Cutout", "LearningDynamics", "MeanPrediction", "StopTraining"]

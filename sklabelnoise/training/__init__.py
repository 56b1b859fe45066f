"""How a network is trained: batches on the device, schedules, and the skorch net that joins them."""

from sklabelnoise.training._augmentation import CropFlip, Cutout
from sklabelnoise.training._dynamics import LearningDynamics
from sklabelnoise.training._early_stopping import StopTraining
from sklabelnoise.training._mean_prediction import MeanPrediction

__all__ = ["CropFlip", "Cutout", "LearningDynamics", "MeanPrediction", "StopTraining"]

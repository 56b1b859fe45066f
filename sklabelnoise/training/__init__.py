"""How a network is trained: batches on the device, schedules, and the skorch net that joins them."""

from sklabelnoise.training._dynamics import LearningDynamics

__all__ = ["LearningDynamics"]

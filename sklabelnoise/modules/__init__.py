"""Networks that know how they are trained: each carries its `training_defaults`."""

from sklabelnoise.modules._mlp import MLP
from sklabelnoise.modules._preact_resnet import PreActResNet18
from sklabelnoise.modules._resnet import ResNet20, ResNet32, ResNet44, ResNet56, ResNet110, SEResNet56

__all__ = ["MLP", "PreActResNet18", "ResNet20", "ResNet32", "ResNet44", "ResNet56", "ResNet110", "SEResNet56"]

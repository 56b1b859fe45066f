"""A network for small images of tracks, and for trials of the recipes."""

from torch import nn

from sklabelnoise.modules import ResNet20
from sklabelnoise.modules._image_network import ImageNetwork, convolution_3x3


class SmallConvNet(ImageNetwork):
    """Three convolutions of 32, 64 and 64 maps, each normalized, the image halved between them.

    It stands for the paper's network in `dm_table4`: two million multiplications for an image of 16 x 16 pixels, where
    ResNet-56 takes 125 million for one of 32 x 32. It can still learn 2,000 wrong labels by heart.

    Parameters
    ----------
    in_channels : int
        Number of color channels.
    n_classes : int
        Number of logits.
    dropout : float, default=0.0
        Probability of dropping an averaged feature before the linear layer.
    channels_last : bool, default=False
        Whether inputs have shape (n, height, width, channels).
    """

    training_defaults = ResNet20.training_defaults

    def __init__(self, in_channels, n_classes, *, dropout=0.0, channels_last=False):
        layers, n_in = [], in_channels
        for n_out, halve in ((32, True), (64, True), (64, False)):
            layers += [convolution_3x3(n_in, n_out), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)]
            layers += [nn.MaxPool2d(2)] if halve else []
            n_in = n_out
        super().__init__(
            nn.Sequential(*layers),
            in_channels=in_channels,
            n_features=n_in,
            n_classes=n_classes,
            dropout=dropout,
            channels_last=channels_last,
        )

"""The network of the tables' middle scale: whole images of 32 x 32 pixels in milliseconds on one core."""

import torch
from torch import nn
from torch.nn import functional as F

from sklabelnoise.modules import ResNet20
from sklabelnoise.modules._draws import Dropout
from sklabelnoise.modules._image_network import convolution_3x3

PATCH, STRIDE = 4, 2


class FastConvNet(nn.Module):
    """Whitened patches, four convolutions and one residual connection, in the manner of the CIFAR speed runs.

    The first layer is not trained: it projects patches of 4 x 4 pixels, two pixels apart, on their principal
    directions, scaled to variance one, and passes on both signs. So nothing is derived at full resolution, which
    is what a core spends most of its time on in an ordinary network for images of this size.

    Parameters
    ----------
    in_channels : int
        Number of color channels.
    n_classes : int
        Number of logits.
    whitening : tensor of shape (n_directions, in_channels, 4, 4)
        Of :func:`whitened_patches`.
    widths : tuple of int, default=(32, 64, 256)
        Feature maps at 16 x 16, 8 x 8 and 4 x 4 pixels.
    dropout : float, default=0.0
        Probability of dropping an averaged feature before the linear layer.

    References
    ----------
    K. Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv:2404.00498, Section 3.1: a frozen whitening
    layer, for patches of 2 x 2 pixels, and its negative.
    """

    training_defaults = ResNet20.training_defaults

    def __init__(self, in_channels, n_classes, *, whitening, widths=(32, 64, 256), dropout=0.0):
        super().__init__()
        self.register_buffer("whitening", whitening)
        n_in = 2 * len(whitening)
        first, second, third = widths
        self.halved = nn.Sequential(_halved(n_in, first), _halved(first, second))
        self.residual = _convolved(second, second)
        self.last = _convolved(second, third)
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        self.output = nn.Linear(third, n_classes)

    def forward_features(self, x):
        """Largest value of each feature map, shape (n_samples, n_features)."""
        with torch.no_grad():
            projected = F.conv2d(x, self.whitening, stride=STRIDE, padding=1)
            patches = torch.cat([projected.relu(), (-projected).relu()], dim=1)
        maps = self.halved(patches)
        return self.last(maps + self.residual(maps)).amax(dim=(2, 3))

    def forward(self, x):
        """Logits, shape (n_samples, n_classes)."""
        return self.output(self.dropout(self.forward_features(x)))


def whitened_patches(images, n_directions=16):
    """Principal directions of the patches of images, each scaled to variance one.

    Parameters
    ----------
    images : ndarray of shape (n, channels, height, width), uint8
    n_directions : int, default=16
        How many, those of the largest variance first.

    Returns
    -------
    whitening : tensor of shape (n_directions, channels, 4, 4)
        For images whose channels have mean zero and variance one.
    """
    x = torch.from_numpy(images).float()
    x = (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True)
    patches = F.unfold(x, PATCH, stride=PATCH).transpose(1, 2).reshape(-1, x.shape[1] * PATCH**2)
    variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
    largest = slice(-n_directions, None)
    scaled = directions[:, largest] / (variances[largest] + 1e-2).sqrt()
    return scaled.T.flip(0).reshape(n_directions, x.shape[1], PATCH, PATCH).contiguous()


def _convolved(n_in, n_out):
    return nn.Sequential(convolution_3x3(n_in, n_out), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))


def _halved(n_in, n_out):
    # Pooled before it is normalized: a quarter of the numbers to normalize.
    return nn.Sequential(convolution_3x3(n_in, n_out), nn.MaxPool2d(2), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))

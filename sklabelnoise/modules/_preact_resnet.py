"""Residual networks that normalize and rectify before each convolution (He et al., ECCV 2016)."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from sklabelnoise.modules._image_network import ImageNetwork, convolution_3x3, one_by_one


class _PreActBlock(nn.Module):
    """Two times batch normalization, rectifier, convolution, and the path around them.

    In the first block of a stage both paths start from the normalized input, in the others the shortcut is the input
    itself (He et al., ECCV 2016, appendix).
    """

    def __init__(self, n_in, n_out, *, stride, first):
        super().__init__()
        self.first = first
        self.norm1 = nn.BatchNorm2d(n_in)
        self.conv1 = convolution_3x3(n_in, n_out, stride)
        self.norm2 = nn.BatchNorm2d(n_out)
        self.conv2 = convolution_3x3(n_out, n_out)
        self.shortcut = nn.Identity() if n_in == n_out else one_by_one(n_in, n_out, stride)

    def forward(self, x):
        activated = self.norm1(x).relu_()
        residual = self.conv2(self.norm2(self.conv1(activated)).relu_())
        return residual + self.shortcut(activated if self.first else x)


class PreActResNet18(ImageNetwork):
    """Pre-activation residual network with 18 layers, 11.17 million parameters.

    The network of most papers on noisy labels: the 18-layer design for ImageNet with a 3 x 3 convolution in front, for
    images of 32 x 32 pixels, and with normalization and rectifier before each convolution [1]_. Four stages of two
    blocks have 64, 128, 256 and 512 feature maps.

    Parameters
    ----------
    in_channels : int
        Number of color channels. The estimators fill it in.

    n_classes : int
        Number of outputs (logits). The estimators fill it in.

    dropout : float, default=0.0
        Probability of dropping an averaged feature before the linear layer.

    channels_last : bool, default=False
        Whether inputs have shape (n, height, width, channels) in place of (n, channels, height, width).

    Attributes
    ----------
    training_defaults : dict
        What estimators use where their own parameter is None: 200 epochs of stochastic gradient descent with the
        milestones common for wide networks on CIFAR [2]_, and random crops and mirror images.

    Notes
    -----
    ``torch.vmap`` over parameters and buffers works in training and in evaluation
    mode: each replica updates running statistics of its own.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Identity mappings in deep residual
       networks", ECCV 2016.
    .. [2] S. Zagoruyko, N. Komodakis, "Wide residual networks", BMVC 2016,
       Section 3.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.modules import PreActResNet18
    >>> network = PreActResNet18(in_channels=3, n_classes=10)
    >>> network(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    training_defaults = {
        "optimizer": "SGD",
        "optimizer__momentum": 0.9,
        "optimizer__nesterov": True,
        "lr": 0.1,
        "weight_decay": 5e-4,
        "max_epochs": 200,
        "batch_size": 128,
        "lr_schedule": {"name": "milestones", "milestones": [0.3, 0.6, 0.8], "gamma": 0.2},
        "augment": "crop-flip",
    }

    def __init__(self, in_channels: int, n_classes: int, *, dropout: float = 0.0, channels_last: bool = False):
        blocks = []
        n_in = 64
        for n_out in (64, 128, 256, 512):
            blocks.append(_PreActBlock(n_in, n_out, stride=1 if n_in == n_out else 2, first=True))
            blocks.append(_PreActBlock(n_out, n_out, stride=1, first=False))
            n_in = n_out
        layers = OrderedDict(
            stem=convolution_3x3(in_channels, 64),
            blocks=nn.Sequential(*blocks),
            norm=nn.BatchNorm2d(512),
            relu=nn.ReLU(inplace=True),
        )
        super().__init__(
            nn.Sequential(layers),
            in_channels=in_channels,
            n_features=512,
            n_classes=n_classes,
            dropout=dropout,
            channels_last=channels_last,
        )

"""Residual networks for small images (He et al., CVPR 2016), with squeeze-and-excitation as an option."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from typing import Literal

import torch.nn.functional as F
from torch import nn

from sklabelnoise.modules._image_network import ImageNetwork, convolution_3x3, one_by_one


class SqueezeExcitation(nn.Module):
    """Scale each feature map by a number computed from the averages of all maps [1]_.

    Parameters
    ----------
    n_maps : int
        Number of feature maps.

    reduction : int, default=16
        The two linear layers, which have no biases, meet in
        ``max(1, n_maps // reduction)`` units.

    References
    ----------
    .. [1] J. Hu, L. Shen, G. Sun, "Squeeze-and-excitation networks", CVPR 2018,
       Equations 2 to 4; the parameters it adds are Equation 5.
    """

    def __init__(self, n_maps, *, reduction=16):
        super().__init__()
        n_hidden = max(1, n_maps // reduction)
        self.squeeze = nn.Linear(n_maps, n_hidden, bias=False)
        self.excite = nn.Linear(n_hidden, n_maps, bias=False)

    def forward(self, x):
        """Scaled maps, of the shape of x."""
        scale = self.excite(self.squeeze(x.mean(dim=(2, 3))).relu()).sigmoid()
        return x * scale[:, :, None, None]


class _Block(nn.Module):
    """Two convolutions and the path around them (He et al., CVPR 2016, Figure 2 and Section 3.3)."""

    def __init__(self, n_in, n_out, *, stride, shortcut, squeeze_excitation):
        super().__init__()
        self.conv1 = convolution_3x3(n_in, n_out, stride)
        self.norm1 = nn.BatchNorm2d(n_out)
        self.conv2 = convolution_3x3(n_out, n_out)
        self.norm2 = nn.BatchNorm2d(n_out)
        self.attention = SqueezeExcitation(n_out) if squeeze_excitation else nn.Identity()
        if n_in == n_out:
            self.shortcut = nn.Identity()
        elif shortcut == "A":
            self.shortcut = _SubsampleAndPad(stride, n_out - n_in)
        else:
            self.shortcut = nn.Sequential(one_by_one(n_in, n_out, stride), nn.BatchNorm2d(n_out))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        residual = self.relu(self.norm1(self.conv1(x)))
        residual = self.attention(self.norm2(self.conv2(residual)))
        return self.relu(residual + self.shortcut(x))


class _SubsampleAndPad(nn.Module):
    """Shortcut of option A: every `stride`-th pixel, new feature maps zero, no parameters."""

    def __init__(self, stride, n_new_maps):
        super().__init__()
        self.stride = stride
        self.n_new_maps = n_new_maps

    def forward(self, x):
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.n_new_maps))


_PARAMETERS = """
Parameters
----------
in_channels : int
    Number of color channels. The estimators fill it in.

n_classes : int
    Number of outputs (logits). The estimators fill it in.

shortcut : {"A", "B"}, default="A"
    The path around a block that changes the number of maps. ``"A"``, which the paper uses on CIFAR, takes every second
    pixel and sets the new maps to zero; it has no parameters. ``"B"`` is a 1 x 1 convolution with batch normalization.

dropout : float, default=0.0
    Probability of dropping an averaged feature before the linear layer.

channels_last : bool, default=False
    Whether inputs have shape (n, height, width, channels) in place of (n, channels, height, width).
"""


class _CifarResNet(ImageNetwork):
    """Three stages of 16, 32 and 64 feature maps, each half the size of the one before.

    A subclass says how many layers; its docstring gets the common parameters in place of ``{parameters}``.
    """

    # As in He et al., CVPR 2016, Section 4.2, with the batch, the length and the milestones of the experiments of
    # derivative manipulation on CIFAR-100: 30,000 iterations of 256 images are 154 epochs of 50,000.
    training_defaults = {
        "optimizer": "SGD",
        "optimizer__momentum": 0.9,
        "lr": 0.1,
        "weight_decay": 1e-4,
        "max_epochs": 154,
        "batch_size": 256,
        "lr_schedule": {"name": "milestones", "milestones": [15 / 30, 22 / 30], "gamma": 0.1},
        "augment": "crop-flip",
    }
    _n_layers = None
    _squeeze_excitation = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if cls.__doc__:  # python -OO strips docstrings
            cls.__doc__ = inspect.cleandoc(cls.__doc__).replace("{parameters}", _PARAMETERS.strip())

    def __init__(
        self,
        in_channels: int,
        n_classes: int,
        *,
        shortcut: Literal["A", "B"] = "A",
        dropout: float = 0.0,
        channels_last: bool = False,
    ):
        if shortcut not in ("A", "B"):
            raise ValueError(f"shortcut of {type(self).__name__} must be 'A' or 'B', got {shortcut!r}.")
        blocks_per_stage = (self._n_layers - 2) // 6
        blocks = []
        n_in = 16
        for n_out in (16, 32, 64):
            for _ in range(blocks_per_stage):
                stride = 1 if n_in == n_out else 2
                blocks.append(
                    _Block(n_in, n_out, stride=stride, shortcut=shortcut, squeeze_excitation=self._squeeze_excitation)
                )
                n_in = n_out
        stem = nn.Sequential(convolution_3x3(in_channels, 16), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
        super().__init__(
            nn.Sequential(OrderedDict(stem=stem, blocks=nn.Sequential(*blocks))),
            in_channels=in_channels,
            n_features=64,
            n_classes=n_classes,
            dropout=dropout,
            channels_last=channels_last,
        )


class ResNet20(_CifarResNet):
    """Residual network with 20 layers for small images, 0.27 million parameters [1]_.

    A 3 x 3 convolution with 16 feature maps is followed by three stages of three residual blocks with 16, 32 and 64
    maps, of which the last two begin by halving the image; the maps are averaged and go through one linear layer. Any
    size of image from about 8 x 8 pixels serves; the design is for 32 x 32.

    {parameters}

    Attributes
    ----------
    training_defaults : dict
        What estimators use where their own parameter is None: stochastic gradient descent with the rates, milestones,
        batch and augmentation of the papers [1]_ [2]_.

    Notes
    -----
    ``torch.vmap`` over parameters and buffers works in training and in evaluation
    mode: each replica updates running statistics of its own.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image
       recognition", CVPR 2016, Section 4.2.
    .. [2] X. Wang, E. Kodirov, Y. Hua, N. M. Robertson, "Derivative manipulation
       for general example weighting", arXiv:1905.11233, Section 4.2.1.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.modules import ResNet20
    >>> network = ResNet20(in_channels=3, n_classes=10)
    >>> images = torch.zeros(2, 3, 32, 32)
    >>> network(images).shape, network.forward_features(images).shape
    (torch.Size([2, 10]), torch.Size([2, 64]))
    """

    _n_layers = 20


class ResNet32(_CifarResNet):
    """Residual network with 32 layers for small images, 0.46 million parameters.

    As :class:`ResNet20`, with five blocks in each stage.

    {parameters}

    Examples
    --------
    >>> from sklabelnoise.modules import ResNet32
    >>> sum(p.numel() for p in ResNet32(in_channels=3, n_classes=10).parameters())
    464154
    """

    _n_layers = 32


class ResNet44(_CifarResNet):
    """Residual network with 44 layers for small images, 0.66 million parameters.

    As :class:`ResNet20`, with seven blocks in each stage: the network of derivative manipulation's and ProSelfLC's
    experiments on CIFAR-100.

    {parameters}

    Examples
    --------
    >>> from sklabelnoise.modules import ResNet44
    >>> sum(p.numel() for p in ResNet44(in_channels=3, n_classes=10).parameters())
    658586
    """

    _n_layers = 44


class ResNet56(_CifarResNet):
    """Residual network with 56 layers for small images, 0.85 million parameters.

    As :class:`ResNet20`, with nine blocks in each stage.

    {parameters}

    Examples
    --------
    >>> from sklabelnoise.modules import ResNet56
    >>> sum(p.numel() for p in ResNet56(in_channels=3, n_classes=10).parameters())
    853018
    """

    _n_layers = 56


class ResNet110(_CifarResNet):
    """Residual network with 110 layers for small images, 1.7 million parameters.

    As :class:`ResNet20`, with 18 blocks in each stage. The paper trains this depth with a rate of 0.01 for the first
    400 iterations, and 0.1 from there on.

    {parameters}

    Examples
    --------
    >>> from sklabelnoise.modules import ResNet110
    >>> sum(p.numel() for p in ResNet110(in_channels=3, n_classes=10).parameters())
    1727962
    """

    _n_layers = 110


class SEResNet56(_CifarResNet):
    """Residual network with 56 layers and squeeze-and-excitation, for small images.

    As :class:`ResNet56`; each block scales its feature maps by numbers computed from the averages of all maps, before
    the shortcut is added [1]_. This is the network of the stochastic label refinery's experiments on CIFAR-10.

    {parameters}

    References
    ----------
    .. [1] J. Hu, L. Shen, G. Sun, "Squeeze-and-excitation networks", CVPR 2018,
       Section 3 and Figure 3.

    Examples
    --------
    >>> from sklabelnoise.modules import SEResNet56
    >>> sum(p.numel() for p in SEResNet56(in_channels=3, n_classes=10).parameters())
    859066
    """

    _n_layers = 56
    _squeeze_excitation = True

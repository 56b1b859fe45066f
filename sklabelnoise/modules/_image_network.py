"""What all our networks for images share: the layout of the input and the last layer."""

from torch import nn

from sklabelnoise.modules._draws import Dropout


class ImageNetwork(nn.Module):
    """Feature maps, averaged over the image, and one linear layer.

    Parameters
    ----------
    body : torch.nn.Module
        Makes feature maps (n, n_features, h, w) from images (n, channels, height, width).

    in_channels : int
        Number of color channels.

    n_features : int
        Number of feature maps of `body`.

    n_classes : int
        Number of outputs (logits).

    dropout : float
        Probability of dropping an averaged feature before the linear layer.

    channels_last : bool
        Whether inputs have shape (n, height, width, channels).
    """

    def __init__(self, body, *, in_channels, n_features, n_classes, dropout, channels_last):
        super().__init__()
        self.in_channels = in_channels
        self.channels_last = channels_last
        self.body = body
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        self.output = nn.Linear(n_features, n_classes)
        _initialize(self)

    def forward_features(self, x):
        """Feature maps averaged over the image, shape (n_samples, n_features)."""
        return self.body(self._as_channels_first(x)).mean(dim=(2, 3))

    def forward(self, x):
        """Logits, shape (n_samples, n_classes)."""
        return self.output(self.dropout(self.forward_features(x)))

    def _as_channels_first(self, x):
        expected = "(n, height, width, channels)" if self.channels_last else "(n, channels, height, width)"
        name = type(self).__name__
        if x.ndim != 4:
            message = f"{name} takes images of shape {expected}, got shape {tuple(x.shape)}."
            if x.ndim == 3:
                gray = "X[..., None]" if self.channels_last else "X[:, None]"
                message += f" Gray images need an axis for their one channel: {gray}."
            raise ValueError(message)
        channels, other = (x.shape[3], x.shape[1]) if self.channels_last else (x.shape[1], x.shape[3])
        if channels != self.in_channels:
            message = f"{name} takes images of shape {expected} with {self.in_channels} channels, got {tuple(x.shape)}."
            if other == self.in_channels:
                message += f" Pass channels_last={not self.channels_last} to the module for the other layout."
            raise ValueError(message)
        # A view: for convolutions, images with channels last in memory are the fast layout as they are.
        return x.permute(0, 3, 1, 2) if self.channels_last else x


def _initialize(network):
    """Draw the weights so that activations neither grow nor vanish with depth, in place.

    Convolutions and linear layers are normal with variance 2 / fan-in, biases zero, for rectified units (He et al.,
    ICCV 2015, Equation 10).
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def convolution_3x3(n_in, n_out, stride=1):
    """A convolution that keeps the size of the image, or divides it by the stride."""
    return nn.Conv2d(n_in, n_out, kernel_size=3, stride=stride, padding=1, bias=False)


def one_by_one(n_in, n_out, stride):
    """A projection of each pixel, or of every `stride`-th."""
    return nn.Conv2d(n_in, n_out, kernel_size=1, stride=stride, bias=False)

"""Normalization of images by the statistics of the training set."""

import math

import torch
from torch import nn

from sklabelnoise.training._device import knows_float64
from sklabelnoise.training._pixel_scale import white_of
from sklabelnoise.training._streams import as_tensor

# Images whose statistics are computed at once, so that the float copy stays small.
_CHUNK = 4096


class ImageScaler(nn.Module):
    """Subtract the mean and divide by the standard deviation of each channel.

    Parameters
    ----------
    mean, std : Tensor of shape (n_channels,)
        In the scale of the input, 0 to 255 for uint8.
    channels_last : bool, default=False
        Whether images are (height, width, channels).
    dtype : torch.dtype, default=torch.float32
        Type of the output.
    """

    # What stands for white in the images it was made from, see `white_of`; None in old pickles.
    white = None

    def __init__(self, mean, std, *, channels_last=False, dtype=torch.float32):
        super().__init__()
        shape = (1, 1, 1, -1) if channels_last else (1, -1, 1, 1)
        self.register_buffer("mean", mean.to(dtype).view(shape))
        self.register_buffer("inverse_std", (1 / std).to(dtype).view(shape))

    def forward(self, x):
        """Normalized images, same shape."""
        return (x.to(self.mean.dtype) - self.mean) * self.inverse_std

    @classmethod
    def from_images(cls, images, *, channels_last=False, dtype=torch.float32):
        """Measure mean and standard deviation per channel, chunk by chunk in double precision.

        Parameters
        ----------
        images : Tensor or ndarray of shape (n_samples, n_channels, height, width)
            Or channels last.
        channels_last, dtype
            As of the class.
        """
        n_channels = images.shape[-1 if channels_last else 1]
        on_device = isinstance(images, torch.Tensor) and knows_float64(images.device)
        device = images.device if on_device else torch.device("cpu")
        total = torch.zeros(2, n_channels, dtype=torch.double, device=device)
        dims = (0, 1, 2) if channels_last else (0, 2, 3)
        extremes = []
        for start in range(0, len(images), _CHUNK):
            chunk = as_tensor(images[start : start + _CHUNK]).to(device)
            extremes.append(torch.stack([chunk.amin(dims), chunk.amax(dims)]))
            chunk = chunk.double()
            total += torch.stack([chunk.sum(dims), chunk.square().sum(dims)])
        mean, square = total / (math.prod(images.shape) / n_channels)
        std = (square - mean**2).sqrt()  # no number where rounding makes it negative
        # A channel that never changes keeps its scale; rounding of the sums gives it a tiny one.
        extremes = torch.stack(extremes)
        changes = (extremes[:, 0].amin(0) < extremes[:, 1].amax(0)) & (std > 0)
        scaler = cls(mean, torch.where(changes, std, 1.0), channels_last=channels_last, dtype=dtype)
        scaler.white = white_of(images)
        return scaler

    @classmethod
    def from_state(cls, state, white=None):
        """Restore a scaler from its ``state_dict`` and its `white`."""
        mean, inverse_std = state["mean"], state["inverse_std"]
        scaler = cls(mean.flatten(), 1 / inverse_std.flatten(), dtype=mean.dtype)
        # To the bit, and in the shape that tells where the channels are.
        scaler.mean, scaler.inverse_std = mean, inverse_std
        scaler.white = white
        return scaler

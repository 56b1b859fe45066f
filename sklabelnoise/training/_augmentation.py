"""Random image transformations of a whole batch at once, on the device the batch is on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from sklabelnoise._foundation._counts import is_integer, is_number


@dataclass(frozen=True)
class CropFlip:
    """Shift every image by a few pixels, and mirror about half of them.

    The image is padded with zeros on all four sides, a window of the original size is cut at a random place, and the
    window is mirrored left to right with probability one half. This is what residual networks are trained with on CIFAR
    [1]_. There, as in the experiments of derivative manipulation, the zeros are the mean color, because the mean was
    subtracted before; zeros of raw images are black.

    Parameters
    ----------
    padding : int, default=4
        Pixels added on each side, the largest possible shift.

    flip : bool, default=True
        Whether to mirror; False suits digits, letters and other images that mean something else in the mirror.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image
       recognition", CVPR 2016, Section 4.2.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.training import CropFlip
    >>> images = torch.arange(9.).reshape(1, 1, 3, 3)
    >>> CropFlip(padding=1)(images, torch.Generator().manual_seed(0))
    tensor([[[[4., 5., 0.],
              [7., 8., 0.],
              [0., 0., 0.]]]])
    """

    padding: int = 4
    flip: bool = True

    def __post_init__(self):
        if not is_integer(self.padding) or self.padding < 0:
            raise ValueError(f"padding of CropFlip must be a non-negative integer, got {self.padding!r}.")
        object.__setattr__(self, "padding", int(self.padding))  # the shifts of numpy's small integers overflow

    def __call__(self, batch, generator):
        n, channels, height, width = batch.shape
        n_shifts = 2 * self.padding + 1
        # One draw for shifts and mirror together: one transfer where the generator is on another device.
        draw = _randint(n_shifts**2 * (2 if self.flip else 1), n, batch, generator)
        down, right, mirrored = draw % n_shifts, draw // n_shifts % n_shifts, draw // n_shifts**2

        rows = down[:, None] + torch.arange(height, device=batch.device)
        columns = torch.arange(width, device=batch.device)
        columns = right[:, None] + torch.where(mirrored[:, None] == 1, columns.flip(0), columns)
        # One gather over flattened pixels is several times faster on a CPU than indexing rows and columns.
        pixels = (rows[:, :, None] * (width + 2 * self.padding) + columns[:, None, :]).view(n, 1, -1)
        padded = F.pad(batch, (self.padding,) * 4).reshape(n, channels, -1)
        return padded.gather(2, pixels.expand(n, channels, -1)).view(n, channels, height, width)


@dataclass(frozen=True)
class Cutout:
    """Set one square of every image to zero.

    The center of the square is uniform over the image, so that part of the square may lie outside [1]_. Zero is the
    mean color where the images were normalized before, as in the paper, and black in raw images.

    Parameters
    ----------
    size : int or float, default=0.5
        Side of the square in pixels, or as a fraction of the shorter side of the image. The paper uses 16 of 32 pixels
        for CIFAR-10, 8 for CIFAR-100.

    References
    ----------
    .. [1] T. DeVries, G. W. Taylor, "Improved regularization of convolutional
       neural networks with cutout", arXiv:1708.04552, 2017, Section 3.2.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.training import Cutout
    >>> Cutout(1)(torch.ones(1, 1, 3, 3), torch.Generator().manual_seed(0)).sum()
    tensor(8.)
    """

    size: int | float = 0.5

    def __post_init__(self):
        if not is_number(self.size) or self.size <= 0 or (self.size >= 1 and self.size != int(self.size)):
            raise ValueError(
                "size of Cutout must be a positive number of pixels, or a fraction of the image below 1, "
                f"got {self.size!r}."
            )

    def __call__(self, batch, generator):
        n, _, height, width = batch.shape
        side = int(self.size) if self.size >= 1 else round(self.size * min(height, width))
        draw = _randint(height * width, n, batch, generator)
        hidden_rows = _span(draw // width - side // 2, side, height)
        hidden_columns = _span(draw % width - side // 2, side, width)
        hidden = hidden_rows[:, None, :, None] & hidden_columns[:, None, None, :]
        return batch.masked_fill(hidden, 0)


@dataclass(frozen=True)
class _Sequence:
    """Several augmentations, one after the other."""

    steps: tuple

    def __call__(self, batch, generator):
        for step in self.steps:
            batch = step(batch, generator)
        return batch


@dataclass(frozen=True)
class _ChannelsLast:
    """An augmentation of (n, channels, height, width) for batches of shape (n, height, width, channels)."""

    augmentation: object

    def __call__(self, batch, generator):
        return self.augmentation(batch.permute(0, 3, 1, 2), generator).permute(0, 2, 3, 1)


_BY_NAME = {"crop-flip": CropFlip(), "cutout": Cutout()}


def resolve_augmentation(augment, *, channels_last=False):
    """Turn the parameter `augment` of an estimator into a function of a batch.

    Parameters
    ----------
    augment : None, str, callable, or list of them
        ``"crop-flip"`` (:class:`CropFlip`), ``"cutout"`` (:class:`Cutout`), one of these objects with parameters of
        your own, a callable ``augment(batch, generator)`` that returns the changed batch and takes all randomness from
        `generator`, a :class:`torch.Generator`, or a list of these, applied in order. None is no augmentation.

    channels_last : bool, default=False
        Whether batches have shape (n, height, width, channels). What is named adapts to it; a callable receives the
        batch as it is.

    Returns
    -------
    augmentation : callable or None
        ``augmentation(batch, generator)`` returns a batch of the same shape.

    Raises
    ------
    ValueError
        If `augment` is a name that does not exist. The returned function raises it for a batch that is not of images,
        and for a callable that returns another number of rows.
    TypeError
        If `augment` is something else.

    Examples
    --------
    >>> from sklabelnoise.training._augmentation import resolve_augmentation
    >>> resolve_augmentation(None) is None
    True
    >>> resolve_augmentation("random-erase")
    Traceback (most recent call last):
        ...
    ValueError: augment must be one of 'crop-flip', 'cutout', ...; got 'random-erase'.
    """
    if augment is None:
        return None
    if isinstance(augment, (list, tuple)):
        steps = [resolve_augmentation(step, channels_last=channels_last) for step in augment]
        steps = tuple(step for step in steps if step is not None)
        return _Sequence(steps) if steps else None
    if isinstance(augment, str):
        if augment not in _BY_NAME:
            names = ", ".join(map(repr, _BY_NAME))
            raise ValueError(
                f"augment must be one of {names}, a callable on (batch, generator), a list of these, or None; "
                f"got {augment!r}."
            )
        augment = _BY_NAME[augment]
    if isinstance(augment, (CropFlip, Cutout)):
        return _Checked(_ChannelsLast(augment) if channels_last else augment, only_images=True)
    if callable(augment):
        return _Checked(augment, only_images=False)
    raise TypeError(
        "augment must be a name, a callable on (batch, generator), a list of these, or None; "
        f"got {augment!r} of type {type(augment).__name__}."
    )


def steps_of(augmentation):
    """The augmentations, as they were passed or named, that a resolved one applies one after the other."""
    if isinstance(augmentation, _Sequence):
        return [step for inner in augmentation.steps for step in steps_of(inner)]
    if isinstance(augmentation, (_Checked, _ChannelsLast)):
        return steps_of(augmentation.augmentation)
    return [augmentation]


@dataclass(frozen=True)
class _Checked:
    """An augmentation that says what is wrong with a batch it cannot transform, or that it spoiled."""

    augmentation: object
    only_images: bool

    def __call__(self, batch, generator):
        if self.only_images and batch.ndim != 4:
            raise ValueError(
                f"{self.augmentation} transforms images: X must be of shape (n_samples, channels, height, width), or "
                f"augment=False, got batches of shape {tuple(batch.shape)}."
            )
        augmented = self.augmentation(batch, generator)
        if not isinstance(augmented, torch.Tensor) or len(augmented) != len(batch):
            raise ValueError(
                f"augment must return one transformed row for each of the {len(batch)} rows of its batch; "
                f"of {self.augmentation} got {_describe(augmented)}."
            )
        # Noise of double precision, say, would make a type of it that the network's layers refuse.
        floating = batch.is_floating_point() and augmented.is_floating_point()
        return augmented.to(batch.dtype) if floating else augmented


def _describe(value):
    return f"shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else f"a {type(value).__name__}"


def average_over_views(predict, batch, augmentation, n_augment, generator):
    """Mean of a prediction over a batch and `n_augment` augmented views of it.

    Parameters
    ----------
    predict : callable
        ``predict(batch)`` returns a tensor with one row per row of the batch, such as class probabilities.

    batch : tensor of shape (n, ...)

    augmentation : callable
        As :func:`resolve_augmentation` returns it.

    n_augment : int
        Number of augmented views beside the batch itself; 0 is ``predict(batch)``.

    generator : torch.Generator

    Returns
    -------
    prediction : tensor
        Mean over ``n_augment + 1`` predictions; rows of probabilities still sum to one.
    """
    total = predict(batch)
    for _ in range(n_augment):
        total = total + predict(augmentation(batch, generator))
    return total / (n_augment + 1)


def _randint(high, n, batch, generator):
    """Draw on the generator's device, so that a CPU generator gives every device the same images."""
    draw = torch.randint(high, (n,), generator=generator, device=generator.device)
    return draw.to(batch.device, non_blocking=True)


def _span(start, length, size):
    """Mask (n, size) of the positions from `start` to `start + length`, cut off at the borders."""
    position = torch.arange(size, device=start.device)
    return (position >= start[:, None]) & (position < start[:, None] + length)

"""Files of images as an array of pixels, as a step of a Pipeline."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal, Self

from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklabelnoise._compat import Interval, StrOptions, fit_context, num_samples
from sklabelnoise._foundation._counts import is_integer
from sklabelnoise._foundation._image_files import check_files, image_paths, read_images
from sklabelnoise._foundation._types import ArrayLike, Labels


class ImageReader(TransformerMixin, BaseEstimator):
    """Read files of images into an array of shape (n_samples, n_channels, height, width).

    Images are turned as their EXIF data say and resized without regard to their proportions; `preprocess` may cut
    instead. Transparency is left out, of several pictures in one file the first is read. Needs pillow (the extra
    `images`).

    Parameters
    ----------
    size : int or tuple of int, default=None
        Height and width; one number for both. None leaves images as they are, which then must be of one size.

    mode : {"RGB", "L"}, default="RGB"
        Three channels, or one.

    reader : callable, default=None
        ``reader(path)`` returns a picture of pillow, for formats that pillow does not know.

    preprocess : callable, default=None
        Applied to each picture of pillow last, as torchvision's ``transforms`` are; returns a picture, or an array or a
        tensor with the channels first. What it draws at random is drawn once; the parameter `augment` of the
        classifiers draws anew in each epoch.

    n_jobs : int, default=None
        Threads that read.

    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    image_shape_ : tuple of int
        Channels, height and width of the first image that was fitted; the others, later ones too, have the same.

    See Also
    --------
    embed_dataset : Features of a pretrained network, where there are few images.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from sklabelnoise.feature_extraction import ImageReader
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [Path(folder, f"{number}.png") for number in range(3)]
    ...     for number, path in enumerate(paths):
    ...         Image.new("RGB", (20 + number, 10)).save(path)
    ...     ImageReader(size=(8, 8)).fit_transform(paths).shape
    (3, 3, 8, 8)
    """

    image_shape_: tuple[int, ...]

    _parameter_constraints = {
        "size": [Interval(Integral, 1, None, closed="left"), tuple, list, None],
        "mode": [StrOptions({"RGB", "L"})],
        "reader": [callable, None],
        "preprocess": [callable, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        size: int | tuple[int, ...] | None = None,
        *,
        mode: Literal["RGB", "L"] = "RGB",
        reader: Callable[..., Any] | None = None,
        preprocess: Callable[..., Any] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.size = size
        self.mode = mode
        self.reader = reader
        self.preprocess = preprocess
        self.n_jobs = n_jobs
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Labels | None = None) -> Self:
        """Look at the first image for the shape of all.

        Parameters
        ----------
        X : array-like of shape (n_samples,)
            Paths of files: a list, array or Series of str or path objects.

        y : array-like of shape (n_samples,), default=None
            Not used.

        Returns
        -------
        self : ImageReader
            Fitted.

        Raises
        ------
        ValueError
            If X does not hold paths, a file is missing, or the first can't be read.
        """
        paths = self._check_paths(X)
        if self.reader is None:
            check_files(paths)
        self.image_shape_ = self._read(paths[:1], verbose=0).shape[1:]
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Read images.

        Parameters
        ----------
        X : array-like of shape (n_samples,)
            Paths of files.

        Returns
        -------
        images : ndarray of shape (n_samples, n_channels, height, width)
            uint8, or of the type that `preprocess` returns.

        Raises
        ------
        ValueError
            If a file is missing or no image, or the sizes differ and none is asked for. The message names the file.
        """
        check_is_fitted(self)
        images = self._read(self._check_paths(X), verbose=self.verbose)
        if images.shape[1:] != self.image_shape_:
            raise ValueError(
                f"X must name images of shape {self.image_shape_}, as in fit, got {images.shape[1:]}; size=... makes "
                "all of one size."
            )
        return images

    def _check_paths(self, X):
        paths = image_paths(X)
        if paths is None:
            empty = hasattr(X, "__len__") and num_samples(X) == 0
            raise ValueError(
                "X must be a list, array or Series of paths of images (str that end as .png or .jpg do, or path "
                f"objects), got {'an empty ' if empty else ''}{type(X).__name__}."
            )
        return paths

    def _read(self, paths, verbose):
        return read_images(
            paths,
            size=self._sides(),
            mode=self.mode,
            reader=self.reader,
            preprocess=self.preprocess,
            n_jobs=self.n_jobs,
            verbose=verbose,
            advice=" ImageReader(size=...) makes all of one size.",
        )

    def _sides(self):
        """Height and width asked for, None where none are."""
        if self.size is None:
            return None
        sides = (self.size, self.size) if isinstance(self.size, Integral) else tuple(self.size)
        if len(sides) != 2 or not all(is_integer(side) and side > 0 for side in sides):
            raise ValueError(f"size must be a positive integer or two of them, (height, width), got {self.size!r}.")
        return int(sides[0]), int(sides[1])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags

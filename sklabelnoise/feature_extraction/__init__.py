"""From images and texts to what a classifier takes: pixels of one size, or the features of a frozen network.

Two ways lead from files of images to a classifier. :class:`ImageReader` makes an array of pixels, for a network that is
trained on them; with files of one size a classifier takes the paths themselves. :func:`embed_dataset` lets a network
that others trained on much more data look at each image or text once and keeps what it says, a table of numbers: for a
few thousand rows that is faster and most often better, and any classifier of this package or of scikit-learn can be
fitted to it, :class:`~sklabelnoise.NoisyLabelClassifier` for one.
"""

from sklabelnoise.feature_extraction._embed_dataset import embed_dataset
from sklabelnoise.feature_extraction._image_reader import ImageReader

__all__ = ["ImageReader", "embed_dataset"]

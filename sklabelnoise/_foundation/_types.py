"""Types of what users hand over, one name each; for annotations only, nothing is checked with them."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    class Bunch(dict[str, Any]):
        """scikit-learn's ``Bunch``, which has no types of its own: a dictionary with its keys as attributes."""

        def __getattr__(self, key: str) -> Any: ...

else:
    from sklearn.utils import Bunch

    # matplotlib is optional; who asks for our annotations at run time (pydantic, typeguard, Sphinx) gets an answer.
    Axes = Figure = SubFigure = Any

__all__ = [
    "ArrayLike",
    "Axes",
    "Bunch",
    "CrossValidation",
    "Estimator",
    "Figure",
    "Labels",
    "RandomState",
    "Rows",
    "RowsByNumber",
    "Scoring",
    "SparseMatrix",
    "SubFigure",
]

# Whatever numpy makes an array of: lists, arrays, pandas' frames and columns.
ArrayLike: TypeAlias = npt.ArrayLike
# Given labels, one a row: numbers, booleans, texts, dates or durations.
Labels: TypeAlias = npt.ArrayLike
# scikit-learn's seeds.
RandomState: TypeAlias = int | np.random.RandomState | None


class SparseMatrix(Protocol):
    """Matrices and arrays of scipy.sparse, which has no types of its own."""

    def tocsr(self) -> Any: ...


class RowsByNumber(Protocol):
    """A torch ``Dataset`` that knows its length, named without torch."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


# Rows to train on or to predict: a table, images, or a Dataset.
Rows: TypeAlias = ArrayLike | SparseMatrix | RowsByNumber
# scikit-learn's `cv`: a number of folds, a splitter, or splits.
CrossValidation: TypeAlias = Any
# Anything that follows scikit-learn's protocol of fit and predict.
Estimator: TypeAlias = Any
# scikit-learn's `scoring`.
Scoring: TypeAlias = str | Callable[..., Any] | Iterable[str] | dict[str, Any] | None

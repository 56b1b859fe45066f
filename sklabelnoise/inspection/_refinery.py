"""How labels are refined, round by round, in the plane."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from sklabelnoise._foundation._classes import check_classes, check_probabilities
from sklabelnoise._foundation._counts import check_count
from sklabelnoise._foundation._given import check_same_kind, label_column, of_tensor
from sklabelnoise._foundation._matrix import check_matrix
from sklabelnoise._foundation._style import class_colors, pyplot, remove_frame, shorten
from sklabelnoise._foundation._types import ArrayLike, Figure, Labels, SparseMatrix
from sklabelnoise.metrics._class_columns import class_columns, complete_in_class_order

if TYPE_CHECKING:
    from sklabelnoise._label_refinery._classifier import StochasticLabelRefinery
else:
    StochasticLabelRefinery = Any  # it takes a while to load, which no other picture needs


class RefineryDisplay:
    """Labels of points in the plane after each round of a label refinery.

    A point has the colors of the classes mixed by its soft label: a label in doubt is gray, and one that changes sides
    changes its color.

    Parameters
    ----------
    positions : array-like of shape (n_samples, 2)
        Where the rows are.

    soft_labels : dict of int to array-like of shape (n_samples, n_classes)
        Soft labels by round; round 0 holds the given ones.

    classes : array-like of shape (n_classes,)
        Names of the classes.

    y_clean : array-like of shape (n_samples,), default=None
        True labels; the titles then count wrong ones, and those are ringed.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One axes a round.

    figure_ : matplotlib Figure
        Figure of the axes.

    References
    ----------
    Fang, Yang and Ni: "Stochastic Label Refinery: Toward Better Target Label Distribution", ICPR 2020, Figure 6.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklabelnoise import StochasticLabelRefinery
    >>> from sklabelnoise.inspection import RefineryDisplay
    >>> from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix
    >>> X, y_clean = make_blobs(90, random_state=0)
    >>> y = corrupt_labels(y_clean, symmetric_transition_matrix(3, 0.3), random_state=0)
    >>> refinery = StochasticLabelRefinery(LogisticRegression(), random_state=0)
    >>> display = RefineryDisplay.from_estimator(refinery, X, y, rounds=(0, 2, 6), y_clean=y_clean).plot()
    >>> display.axes_[0].get_title()
    'given: 30 wrong'
    """

    axes_: NDArray[Any]
    figure_: Figure

    def __init__(
        self, positions: ArrayLike, soft_labels: dict[int, ArrayLike], classes: Labels, *, y_clean: Labels | None = None
    ):
        self.positions = check_matrix(positions, "positions", "(n_samples, 2)")
        if self.positions.shape[1] != 2:
            raise ValueError(f"positions must be an array of shape (n_samples, 2), got shape {self.positions.shape}.")
        self.classes = check_classes(classes)
        if not isinstance(soft_labels, Mapping) or not soft_labels:
            came = type(soft_labels).__name__ if len(soft_labels) else "none"
            raise TypeError(f"soft_labels must be a dict of soft labels by round, one at least, got {came}.")
        for number in soft_labels:
            check_count("Each round of soft_labels", number, least=0)
        self.soft_labels = {int(k): self._check_soft_labels(v, k) for k, v in soft_labels.items()}
        self.y_clean = None if y_clean is None else label_column(y_clean, "y_clean")
        if self.y_clean is not None and len(self.y_clean) != len(self.positions):
            raise ValueError(f"y_clean must have {len(self.positions)} labels, got {len(self.y_clean)}.")

    def _check_soft_labels(self, soft_labels, number):
        argument, shape = f"soft_labels[{number}]", (len(self.positions), len(self.classes))
        columns, values = class_columns(soft_labels, self.classes, argument=argument, ordered=True)
        values = check_matrix(values, argument, "(n_samples, n_classes)")
        if columns is not None:
            values = complete_in_class_order(values, columns, self.classes, argument=argument)
        if values.shape != shape:
            raise ValueError(f"{argument} must have shape {shape}, got {values.shape}.")
        check_probabilities(values, argument)
        return values

    @classmethod
    def from_estimator(
        cls,
        refinery: StochasticLabelRefinery,
        X: ArrayLike | SparseMatrix,
        y: Labels,
        *,
        rounds: Sequence[int] = (0, 1, 2, 4, 6),
        y_clean: Labels | None = None,
    ) -> Self:
        """Fit a clone of a refinery and keep the labels of some rounds.

        Parameters
        ----------
        refinery : StochasticLabelRefinery
            It is cloned; its `n_rounds` becomes the last of `rounds`.

        X : {array-like, sparse matrix, dataframe} of shape (n_samples, ...)
            Rows of numbers, as the refinery takes them. More than two features are projected by principal components.

        y : array-like of shape (n_samples,)
            Given labels.

        rounds : sequence of int, default=(0, 1, 2, 4, 6)
            Rounds to show; 0 shows the given labels.

        y_clean : array-like of shape (n_samples,), default=None
            True labels.

        Returns
        -------
        display : RefineryDisplay

        Raises
        ------
        ValueError
            If `rounds` is empty, X is not numbers, or the refinery cannot be fitted.
        """
        from sklearn.base import BaseEstimator, clone, is_classifier

        params = refinery.get_params(deep=False) if isinstance(refinery, BaseEstimator) else {}
        if not ({"n_rounds", "callback"} <= params.keys() and is_classifier(refinery)):
            raise TypeError(f"refinery must be a StochasticLabelRefinery, got {type(refinery).__name__}.")
        asked, rounds = rounds, list(rounds) if isinstance(rounds, Iterable) else [rounds]
        if not rounds:
            raise ValueError(f"rounds must name one at least, 0 for the given labels, got {asked!r}.")
        for number in rounds:
            check_count("Each of rounds", number, least=0)
        if y_clean is not None:
            y, y_clean = check_same_kind(y=y, y_clean=y_clean)
        positions = _in_the_plane(X)  # before the fit, which may take long
        classes, codes = np.unique(label_column(y), return_inverse=True)
        kept = {0: np.eye(len(classes))[codes]}

        def keep(state):
            kept[state.round] = state.soft_labels.copy()

        clone(refinery).set_params(n_rounds=max(rounds), callback=keep).fit(X, y)
        return cls(positions, {k: kept[k] for k in rounds if k in kept}, classes, y_clean=y_clean)

    def plot(self, *, axes: ArrayLike | None = None, n_columns: int = 3, **kwargs: Any) -> Self:
        """Draw one picture a round.

        Parameters
        ----------
        axes : array-like of matplotlib Axes, default=None
            As many as there are rounds. None makes a new figure.

        n_columns : int, default=3
            Pictures beside each other.

        **kwargs
            Passed to ``ax.scatter``.

        Returns
        -------
        self : RefineryDisplay
        """
        plt = pyplot()
        check_count("n_columns", n_columns, least=1)
        if axes is None:
            n_columns = min(n_columns, len(self.soft_labels))
            n_rows = -(-len(self.soft_labels) // n_columns)
            figsize = (3.1 * n_columns, 3.1 * n_rows)
            axes = plt.subplots(n_rows, n_columns, figsize=figsize, squeeze=False, layout="constrained")[1]
        axes = np.ravel(axes)
        if len(axes) < len(self.soft_labels):
            raise ValueError(f"axes must be at least {len(self.soft_labels)}, got {len(axes)}.")
        colors = class_colors(len(self.classes))
        for ax, (k, soft) in zip(axes, self.soft_labels.items(), strict=False):
            self._plot_round(ax, k, soft, colors, kwargs)
        for ax in axes[len(self.soft_labels) :]:
            ax.axis("off")
        self._add_legend(axes[0], colors)
        self.axes_, self.figure_ = axes, axes[0].figure
        return self

    def _plot_round(self, ax, k, soft, colors, kwargs):
        x1, x2 = self.positions.T
        mixed = {} if "color" in kwargs else {"c": soft @ colors}
        ax.scatter(x1, x2, **mixed | {"s": 16, "lw": 0} | kwargs)
        name = "given" if k == 0 else f"round {k}"
        if self.y_clean is not None:
            wrong = self.classes[soft.argmax(axis=1)] != self.y_clean
            ax.scatter(x1[wrong], x2[wrong], facecolors="none", edgecolors="black", s=34, lw=0.7)
            name += f": {wrong.sum()} wrong"
        ax.set_title(name, fontsize=10)
        ax.set(xticks=[], yticks=[])
        remove_frame(ax, "top", "right", "bottom", "left")

    def _add_legend(self, ax, colors):
        from matplotlib.lines import Line2D

        handles = [
            Line2D([], [], marker="o", ls="", color=color, label=shorten(label))
            for color, label in zip(colors, self.classes, strict=True)
        ]
        if self.y_clean is not None:
            handles.append(Line2D([], [], marker="o", ls="", mfc="none", mec="black", label="wrong"))
        figure = ax.figure
        figure.legend(
            handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, labelcolor="black"
        )


def _in_the_plane(X):
    """Rows of numbers as two: themselves, or their principal components."""
    from sklearn.decomposition import PCA

    X = X.toarray() if scipy.sparse.issparse(X) else of_tensor(X)
    if np.ndim(X) > 2:
        X = np.reshape(X, (len(X), -1))
    X = check_matrix(X, "X", "(n_samples, n_features)", hint=" RefineryDisplay takes positions of rows of any kind.")
    if X.shape[1] == 1:
        return np.hstack([X, np.zeros_like(X)])
    return X if X.shape[1] == 2 else PCA(2, random_state=0).fit_transform(X)

"""What networks learned, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import pandas as pd
from sklearn.exceptions import NotFittedError

from sklabelnoise._foundation._last_step import last_step
from sklabelnoise._foundation._style import (
    METHOD_COLORS,
    NEUTRAL,
    PALETTE,
    RIGHT,
    WRONG,
    legend_below,
    line_style,
    method_colors,
    new_axes,
    remove_frame,
)
from sklabelnoise._foundation._types import Axes, Estimator, Figure

# Columns of the history, how they are called, and how they are drawn, for each quantity. A method keeps its color, and
# color tells several networks apart, so lines of one network differ in style.
_LINES = {
    "label_proba": [
        ("label_proba_clean", "right labels", RIGHT, "-"),
        ("label_proba_wrong", "wrong labels", WRONG, "--"),
    ],
    "accuracy": [
        ("corrupted_accuracy", "training, given labels", WRONG, "--"),
        ("intact_accuracy", "training, true labels", RIGHT, "-."),
        ("test_accuracy", "test", PALETTE[2], "-"),
    ],
    "wrong_labels": [
        ("memorization_rate", "predicted as given", WRONG, "--"),
        ("correction_rate", "predicted as the truth", RIGHT, "-"),
    ],
    "emphasis": [("emphasis_wrong", "wrong labels", WRONG, "-")],
    "confidence": [("entropy", "entropy", RIGHT, "-"), ("trust", "trust", PALETTE[2], "--")],
}
# What can be drawn where the true labels were not known.
_WITHOUT_TRUTH = {
    "label_proba": [("label_proba", "given labels", RIGHT, "-")],
    "accuracy": [
        ("train_accuracy", "training, given labels", WRONG, "--"),
        ("valid_accuracy", "held out, given labels", RIGHT, "-."),
        ("test_accuracy", "test", PALETTE[2], "-"),
    ],
}
_Y_LABELS = {
    "label_proba": "mean probability of the given label",
    "accuracy": "accuracy",
    "wrong_labels": "share of the wrong labels",
    "emphasis": "share in the derivatives",
    "confidence": "mean over training examples",
}


class LearningDynamicsDisplay:
    """Training recorded by :class:`~sklabelnoise.training.LearningDynamics`, as curves over epochs.

    Parameters
    ----------
    histories : dict of str to DataFrame
        `history_` of each classifier, by name; one row an epoch. Names in ``METHOD_COLORS`` have its colors.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.

    figure_ : matplotlib Figure
        Figure of the axes.

    lines_ : dict of (str, str) to matplotlib Line2D
        The curves by name and column.

    References
    ----------
    Wang et al.: "Derivative Manipulation for General Example Weighting", Figures 2 and 5.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklabelnoise.inspection import LearningDynamicsDisplay
    >>> history = pd.DataFrame({"label_proba_clean": [0.3, 0.8], "label_proba_wrong": [0.1, 0.2]})
    >>> display = LearningDynamicsDisplay({"DM": history}).plot()
    >>> display.ax_.get_ylabel()
    'mean probability of the given label'
    """

    ax_: Axes
    figure_: Figure
    lines_: dict[tuple[str, str], Any]

    def __init__(self, histories: dict[str, pd.DataFrame]):
        if not isinstance(histories, Mapping) or not all(isinstance(one, pd.DataFrame) for one in histories.values()):
            raise TypeError(f"histories must be a dict of history_ of classifiers by name, got {histories!r}.")
        # Version 0.1 recorded the rate of memorization under its British spelling.
        old = {"memorisation_rate": "memorization_rate"}
        self.histories = {name: history.rename(columns=old) for name, history in histories.items()}

    @classmethod
    def from_estimator(cls, estimator: Estimator, *, name: str | None = None) -> Self:
        """Display of one fitted classifier.

        Parameters
        ----------
        estimator : classifier
            Fitted with a `LearningDynamics` among its callbacks, or without, for what its `history_` holds anyway. Of a
            Pipeline it is the last step.

        name : str, default=None
            None takes the name of its class.

        Returns
        -------
        display : LearningDynamicsDisplay
        """
        return cls({name or type(last_step(estimator)).__name__: _history_of(estimator)})

    @classmethod
    def from_estimators(cls, estimators: dict[str, Estimator]) -> Self:
        """Display of several fitted classifiers in the same axes.

        Parameters
        ----------
        estimators : dict of str to classifier
            Fitted classifiers by name.

        Returns
        -------
        display : LearningDynamicsDisplay
        """
        if not isinstance(estimators, Mapping):
            raise TypeError(
                f"estimators must be a dict of fitted classifiers by name, got {type(estimators).__name__}."
            )
        return cls({name: _history_of(estimator) for name, estimator in estimators.items()})

    def plot(
        self,
        quantity: Literal["label_proba", "accuracy", "wrong_labels", "emphasis", "confidence"] = "label_proba",
        *,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw one quantity.

        Parameters
        ----------
        quantity : {"label_proba", "accuracy", "wrong_labels", "emphasis", "confidence"}, default="label_proba"
            * "label_proba": probability of the given labels, of right and of wrong ones apart.
            * "accuracy": agreement with the given training labels, the true training labels, and the test labels.
            * "wrong_labels": which share of the wrong labels is predicted as given, and as the truth.
            * "emphasis": the part that wrong labels have in what the network is taught.
            * "confidence": entropy of the predictions, and trust in them where there is one.

        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a new figure.

        **kwargs
            Passed to ``ax.plot``.

        Returns
        -------
        self : LearningDynamicsDisplay
        """
        if quantity not in _LINES:
            raise ValueError(f"quantity must be one of {list(_LINES)}, got {quantity!r}.")
        ax = new_axes(ax, figsize=(5.5, 4))
        self.lines_ = {}
        several = len(self.histories) > 1
        colors = method_colors(self.histories)
        for name, history in self.histories.items():
            for column, what, color, style in self._columns(quantity, history):
                if several or name in METHOD_COLORS:
                    color = colors[name]
                what = f"{name}: {what}" if several else what
                style = {"color": color, "linestyle": style, "label": what} | line_style(kwargs)
                epochs = range(1, len(history) + 1)
                (self.lines_[name, column],) = ax.plot(epochs, history[column], **style)
        if not self.lines_:
            wanted = [column for column, *_ in _LINES[quantity]]
            raise ValueError(
                f"histories must hold one of {wanted}, which callbacks=[LearningDynamics(y_clean)] record, got "
                f"{sorted({column for history in self.histories.values() for column in history})}."
            )
        ax.set(xlabel="epoch", ylabel=_Y_LABELS[quantity])
        if quantity != "confidence":
            ax.set_ylim(-0.02, 1.02)
        remove_frame(ax)
        if several:
            handles = self._handles(quantity, colors)
            legend_below(ax, handles=handles, ncols=min(3, len(handles)))
        else:
            ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _handles(self, quantity, colors):
        """Legend of several networks: a color each, then a style for each kind of line."""
        from matplotlib.lines import Line2D

        names = [Line2D([], [], color=color, label=name) for name, color in colors.items()]
        kinds = {
            kind: style for history in self.histories.values() for _, kind, _, style in self._columns(quantity, history)
        }
        return names + [Line2D([], [], color=NEUTRAL, ls=style, label=kind) for kind, style in kinds.items()]

    @staticmethod
    def _columns(quantity, history):
        known = [line for line in _LINES[quantity] if line[0] in history]
        needs_truth = {column for column, *_ in _LINES[quantity]} - {"test_accuracy", "entropy", "trust"}
        if quantity in _WITHOUT_TRUTH and not needs_truth & set(history):
            return [line for line in _WITHOUT_TRUTH[quantity] if line[0] in history]
        return known


def _history_of(estimator):
    """What the last step of an estimator recorded, epoch by epoch."""
    estimator = last_step(estimator)
    try:
        return estimator.history_
    except NotFittedError:
        raise
    except AttributeError:
        best = " Its best_estimator_ may." if hasattr(estimator, "best_estimator_") else ""
        raise TypeError(f"estimator must have a history_ of epochs, got {type(estimator).__name__}.{best}") from None

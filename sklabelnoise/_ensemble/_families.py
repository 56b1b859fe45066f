"""What a family of classifiers is: candidates, left-out predictions of each, and the one that is chosen."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from sklabelnoise._foundation._classes import at_all_classes


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """What families learn from.

    Attributes
    ----------
    views : dict of str to array-like
        The rows as each kind of family wants them, see :mod:`sklabelnoise._ensemble._views`.
    codes : ndarray of int of shape (n_samples,)
        Given labels as numbers of classes.
    weight : ndarray of shape (n_samples,)
        How many rows each row stands for.
    n_classes : int
        Number of classes.
    splits : list of (train, test)
        Row numbers; the test sets partition the rows.
    by_folds : bool
        Whether rows belong together in a way that only `splits` know: then nothing but folds leaves out a row.
    repeats : bool, default=False
        Whether equal rows, of different labels too, are what the table is made of.
    groups : ndarray of shape (n_samples,) or None, default=None
        What belongs together, for members that leave out rows themselves.
    """

    views: dict
    codes: np.ndarray
    weight: np.ndarray
    n_classes: int
    splits: list
    by_folds: bool
    repeats: bool = False
    groups: np.ndarray | None = None

    def __len__(self):
        return len(self.codes)

    @property
    def targets(self):
        """Given labels, one-hot, shape (n_samples, n_classes)."""
        return np.eye(self.n_classes)[self.codes]

    def scored(self, parameters, left_out):
        """A candidate from its left-out probabilities, shape (n_samples, n_classes)."""
        error = np.sum((left_out - self.targets) ** 2, axis=1)
        right = left_out.argmax(axis=1) == self.codes
        return Candidate(
            parameters, float(np.average(error, weights=self.weight)), float(np.average(right, weights=self.weight))
        )


@dataclass
class Candidate:
    """One setting of a family and how well it predicts the given labels of rows it has not seen.

    Attributes
    ----------
    parameters : dict
        What it is.
    brier : float
        Mean squared distance between prediction and one-hot label.
    accuracy : float
        Share of rows for which the given label is predicted.
    """

    parameters: dict
    brier: float
    accuracy: float


@dataclass
class FittedFamily:
    """The chosen candidate of a family.

    Attributes
    ----------
    name, view : str
        Of the family.
    candidates : list of Candidate
        All that were tried.
    chosen : int
        Which of them it is.
    left_out : ndarray of shape (n_samples, n_classes)
        Its probabilities for each row, by models that have not seen it.
    models : list
        Whose mean prediction is that of the family; each has ``predict_proba`` with a column for each of its
        ``classes_``, which are numbers of classes.
    seconds : float
        Time that the family took.
    failures : list of str
        What went wrong with settings that are no candidates, because of it.
    """

    name: str
    view: str
    candidates: list
    chosen: int
    left_out: np.ndarray
    models: list
    seconds: float = field(default=np.nan)
    failures: list = field(default_factory=list)

    @property
    def parameters(self):
        """Those of the chosen candidate."""
        return self.candidates[self.chosen].parameters

    def predict_proba(self, X, n_classes):
        """Mean probabilities of the models for rows of the family's view, shape (n_samples, n_classes)."""
        total = 0.0
        for model in self.models:
            try:
                proba = np.asarray(model.predict_proba(X))
            except Exception as error:
                error.add_note(f"This happened in member {self.name!r} of a NoisyLabelClassifier.")
                raise
            total = total + at_all_classes(proba, model.classes_, np.arange(n_classes), fill=0)
        return total / len(self.models)


class Family(ABC):
    """A kind of classifier with a few settings, of which left-out predictions choose one.

    Attributes
    ----------
    name : str
        What `members_` calls it.
    view : str
        Which view of the rows it is shown; the first of them where candidates differ in it.
    """

    name: str
    view: str = "given"

    @property
    def seeded_as(self):
        """What its seed is made from: one name for families that are trained as one, whoever of them is asked first."""
        return self.name

    @abstractmethod
    def fit(self, rows, work, seed):
        """Fit all candidates and choose one.

        Parameters
        ----------
        rows : TrainingRows
            What to learn from.
        work : Work
            Runs the pieces of the fit.
        seed : int
            Decides whatever is random.

        Returns
        -------
        fitted : FittedFamily
        """

    def cost(self, n_samples, n_features, n_classes, n_folds, by_folds):
        """Rough number of seconds that a fit takes on one core."""
        return 0.0


def distinct_views(rows, names):
    """Those of the named views that are not the same as an earlier one.

    Columns of few values have no ranks, and sparse rows have one kind of components: then views coincide.

    Parameters
    ----------
    rows : TrainingRows
        Which.
    names : sequence of str
        Of their views.

    Returns
    -------
    distinct : list of str
    """
    distinct = []
    for name in names:
        values = np.asarray(rows.views[name], dtype=np.float32)
        if not any(np.array_equal(values, np.asarray(rows.views[other], dtype=np.float32)) for other in distinct):
            distinct.append(name)
    return distinct


def best_by_brier(candidates):
    """Number of the candidate with the smallest Brier score on given labels.

    It chooses well among damped learners: noise adds the same to the score of all whose predictions are honest.
    """
    return int(np.argmin([candidate.brier for candidate in candidates]))


def best_by_accuracy(candidates):
    """Number of the candidate with the highest accuracy on given labels, of equals that with the best Brier score.

    For networks, whose probabilities are as sure of a wrong label as of a right one.
    """
    return int(np.lexsort(([c.brier for c in candidates], [-c.accuracy for c in candidates]))[0])

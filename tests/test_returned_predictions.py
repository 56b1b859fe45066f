"""What a classifier of the user returns is probabilities of its classes, or is refused by a word on what it is."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklabelnoise import NoisyLabelClassifier, StochasticLabelRefinery
from sklabelnoise.audit import audit_labels

rng = np.random.default_rng(0)
truth = rng.integers(0, 3, size=60)
X = rng.normal(size=(60, 3)) + 3 * np.eye(3)[truth]
y = np.array(["ant", "bee", "cow"])[truth]


class Odd(ClassifierMixin, BaseEstimator):
    """Logistic regression that returns what `change` makes of its probabilities and classes."""

    def __init__(self, change):
        self.change = change

    def fit(self, X, y):
        self.model_ = LogisticRegression().fit(X, y)
        self.classes_ = self.change(np.full((1, 3), 1 / 3), self.model_.classes_)[1]
        return self

    def predict_proba(self, X):
        return self.change(self.model_.predict_proba(X), self.model_.classes_)[0]


ODD = {
    "one row for all": (lambda p, classes: (p[:1], classes), r"1 (predictions|rows)|Got \(1, 3\)"),
    "a row too few": (lambda p, classes: (p[1:], classes), r"19 (predictions|rows)|Got \(19, 3\)"),
    "one class": (lambda p, classes: (p[:, 0], classes), r"a column for each of its 3 classes. Got shape \(20,\)"),
    "nothing": (lambda p, classes: (None, classes), r"a column for each of its 3 classes. Got shape \(\)"),
    "a list for each class": (
        lambda p, classes: ([np.c_[1 - q, q] for q in p.T], classes),
        r"a column for each of its 3 classes. Got shape \(3, 20, 2\)",
    ),
    "a sparse matrix": (lambda p, classes: (scipy.sparse.csr_array(p), classes), "an array or a frame. Got csr_array"),
    "logarithms": (lambda p, classes: (np.log(p), classes), "probabilities"),
    "a class twice": (lambda p, classes: (p, classes[[0, 0, 1]]), "distinct, got .* twice"),
    "other classes": (lambda p, classes: (p, np.array(["x", "y", "z"])), r"labels.* got \['x', 'y', 'z'\]"),
}
USES = {
    "ensemble": lambda model: NoisyLabelClassifier([("own", model)], cv=3, random_state=0).fit(X, y),
    "refinery": lambda model: StochasticLabelRefinery(
        model, n_rounds=1, cv=3, soft_label_method="argmax", random_state=0
    ).fit(X, y),
    "audit": lambda model: audit_labels(model, X, y, cv=3, random_state=0),
}


STACKS = {
    "alone": lambda stack: stack,
    "in a Pipeline": lambda stack: make_pipeline(StandardScaler(), stack),
    "in a search": lambda stack: GridSearchCV(stack, {"passthrough": [False, True]}, cv=2),
}


@pytest.mark.parametrize("form", STACKS)
@pytest.mark.parametrize("use", USES)
def test_probabilities_that_are_there_after_the_fit_alone_are_taken(use, form):
    default = StackingClassifier([("bayes", GaussianNB())], cv=2)  # says that it has none until it is fitted
    named = clone(default).set_params(final_estimator=LogisticRegression())
    one, other = (USES[use](STACKS[form](stack)) for stack in (default, named))
    of = "proba" if use == "audit" else "oof_proba_"
    np.testing.assert_array_equal(getattr(one, of), getattr(other, of))


@pytest.mark.parametrize("use", USES)
def test_no_probabilities_before_and_after_the_fit_are_refused_before_it(use):
    stack = StackingClassifier([("bayes", GaussianNB())], final_estimator=LinearSVC(), cv=2)
    for model in (stack, make_pipeline(stack), GridSearchCV(LinearSVC(), {"C": [1]}), VotingClassifier([])):
        with pytest.raises((ValueError, TypeError), match="must have predict_proba"):
            USES[use](model)


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("use", USES)
@pytest.mark.filterwarnings("ignore:Soft labels")
def test_what_are_no_probabilities_is_refused_by_name(use, kind):
    change, message = ODD[kind]
    with pytest.raises(ValueError, match=f"(?i){message}"):
        USES[use](Odd(change))


def test_a_member_that_predicts_one_row_for_all_is_left_out():
    """Its row was repeated for all that a fold leaves out."""
    members = [("good", LogisticRegression()), ("odd", Odd(ODD["one row for all"][0]))]
    with pytest.warns(FitFailedWarning, match="'odd' failed with ValueError: its predict_proba gives 1 rows for 20"):
        model = NoisyLabelClassifier(members, cv=3, random_state=0).fit(X, y)
    assert model.members_["status"][0] == "used"

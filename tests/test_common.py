"""scikit-learn's own checks, on every estimator that is exported."""

import inspect

import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from sklabelnoise import (
    DMClassifier,
    DMClassifierCV,
    NoisyLabelClassifier,
    ProSelfLCClassifier,
    RobustLossClassifier,
    StochasticLabelRefinery,
    StochasticLabelRefineryRegressor,
)
from sklabelnoise._compat import Interval
from sklabelnoise.feature_extraction import ImageReader
from sklabelnoise.text import PVDBOWVectorizer

DEFAULTS = [
    DMClassifier(),
    DMClassifierCV(),
    NoisyLabelClassifier(),
    ProSelfLCClassifier(),
    RobustLossClassifier(),
    StochasticLabelRefinery(LogisticRegression()),
    StochasticLabelRefineryRegressor(Ridge()),
]
# The same laws at a budget that keeps the suite fast; the learning they ask for needs this many epochs at least.
QUICK = [
    DMClassifier(max_epochs=20),
    DMClassifierCV(max_epochs=10, candidates=((0, 0), (1, 8)), cv=2, n_members=1),
    NoisyLabelClassifier(["neighbors", "logistic_regression"], cv=2),
    ProSelfLCClassifier(max_epochs=20),
    RobustLossClassifier(max_epochs=20),
    StochasticLabelRefinery(LogisticRegression(), cv=2, n_rounds=1),
    StochasticLabelRefineryRegressor(Ridge(), cv=2, n_rounds=1),
]


@parametrize_with_checks(QUICK)
def test_sklearn_check(estimator, check):
    check(estimator)


WRONG = {"object": object(), "empty": [], "list of object": [object()], "number": 3, "text": "nothing"}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("estimator", DEFAULTS, ids=lambda estimator: type(estimator).__name__)
def test_a_wrong_parameter_is_a_matter_of_fit_alone(estimator, value):
    parameters = [p for p in inspect.signature(type(estimator)).parameters if p != "net_params"]
    assert parameters
    for name in parameters:
        wrong = clone(estimator).set_params(**{name: value})
        assert type(estimator).__name__ in repr(wrong)
        assert get_tags(wrong).estimator_type == get_tags(estimator).estimator_type
    # A page takes far longer than a text, and shows each parameter on its own, beside a block for what is inside.
    for names in (parameters, [name for name in parameters if name not in ("estimator", "members")]):
        wrong = clone(estimator).set_params(**dict.fromkeys(names, value))
        assert type(estimator).__name__ in wrong._repr_html_()


@pytest.mark.parametrize("value", [True, False, 2**63, 10**400], ids=["True", "False", "65 bits", "401 digits"])
@pytest.mark.parametrize(
    "estimator", [*DEFAULTS, PVDBOWVectorizer(), ImageReader()], ids=lambda estimator: type(estimator).__name__
)
def test_a_number_is_no_boolean_and_fits_64_bits(estimator, value):
    constraints = type(estimator)._parameter_constraints.items()
    numbers = [name for name, constraint in constraints if any(isinstance(one, Interval) for one in constraint)]
    assert numbers
    for name in numbers:
        with pytest.raises(ValueError, match=rf"The '{name}' parameter of {type(estimator).__name__} must be .* Got"):
            clone(estimator).set_params(**{name: value})._validate_params()


@pytest.mark.slow  # minutes: every check, with the budget users get
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(
    "estimator",
    [*DEFAULTS, StochasticLabelRefinery(DMClassifier())],
    ids=lambda estimator: str(estimator),
)
def test_no_check_fails_with_defaults(estimator):
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    failed = [result["check_name"] for result in results if result["status"] == "failed"]
    assert failed == []
    assert len(results) > 50

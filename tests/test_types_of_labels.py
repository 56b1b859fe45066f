"""Labels of any type work alike everywhere, or are refused by one message, whichever estimator or function is asked."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

from sklabelnoise import (
    DMClassifier,
    DMClassifierCV,
    NoisyLabelClassifier,
    RobustLossClassifier,
    StochasticLabelRefinery,
)
from sklabelnoise._foundation._given import as_labels, check_same_kind
from sklabelnoise.audit import audit_labels, estimate_noise_rate, estimate_transition_matrix, find_label_issues
from sklabelnoise.metrics import (
    correction_rate,
    expected_calibration_error,
    label_recovery,
    memorization_rate,
    quadratic_weighted_kappa,
)
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict
from sklabelnoise.noise import (
    corrupt_labels,
    corrupt_labels_by_instance,
    realized_noise_rate,
    realized_transition_matrix,
    subsample_classes,
    symmetric_transition_matrix,
)

CODES = np.arange(40) % 2
X = np.random.default_rng(0).normal(size=(40, 3)) + 2 * CODES[:, None]
PROBA = np.where(np.eye(2)[CODES] == 1, 0.8, 0.2)


def of(first, second):
    """An array of objects."""
    labels = np.empty(40, dtype=object)
    labels[:] = [(first, second)[code] for code in CODES]
    return labels


def dates(unit):
    return np.array(["2020-01-01", "2021-01-01"], dtype=f"datetime64[{unit}]")


# The labels of two classes as users have them, and the classes as they come back.
SOUND = {
    "booleans": (CODES.astype(bool), np.array([False, True])),
    "booleans as objects": (of(True, False)[::-1], np.array([False, True])),
    "booleans of pandas": (pd.Series(CODES == 1, dtype="boolean"), np.array([False, True])),
    "integers as objects": (of(3, 7), np.array([3, 7])),
    "integers of pandas": (pd.Series(CODES, dtype="Int64"), np.array([0, 1])),
    "small integers": ((2 * CODES - 1).astype(np.int8), np.array([-1, 1], dtype=np.int8)),
    # As files of astronomers have them.
    "integers of the other byte order": (CODES.astype(np.dtype(int).newbyteorder()), np.array([0, 1])),
    "texts of the other byte order": (np.array(["b", "a"]).astype(">U1")[CODES], np.array(["a", "b"])),
    "large integers": (np.array([2**63, 2**64 - 1], dtype=np.uint64)[CODES], np.array([2**63, 2**64 - 1], np.uint64)),
    "half precision": (CODES.astype(np.float16), np.array([0, 1], dtype=np.float16)),
    "whole floats as objects": (of(1.0, 2), np.array([1.0, 2.0])),
    "texts": (np.array(["b", "a"])[CODES], np.array(["a", "b"])),
    "texts of pandas": (pd.Series(of("b", "a"), dtype="string"), np.array(["a", "b"], dtype=object)),
    "texts that end with a zero": (list(of("a\0", "a")), np.array(["a", "a\0"], dtype=object)),
    "categories, one unused": (
        pd.Series(pd.Categorical.from_codes(CODES, ["b", "a", "c"])),
        np.array(["a", "b"], dtype=object),
    ),
    "categories of numbers": (pd.Categorical(CODES + 3), np.array([3, 4])),
    "days": (dates("D")[CODES], dates("D")),
    "instants of pandas": (pd.Series(dates("ns")[CODES]), dates("ns")),
    "durations": (np.array([1, 2], dtype="timedelta64[h]")[CODES], np.array([1, 2], dtype="timedelta64[h]")),
    "a column": (CODES[:, None], np.array([0, 1])),
    "a frame of one column": (pd.DataFrame({"y": pd.Series(CODES, dtype="Int64")}), np.array([0, 1])),
}
# Labels that nothing can be made of, and what is said.
UNSOUND = {
    "numbers and texts": (of(1, "b"), TypeError, "one kind, .* got int and str"),
    "a list of numbers and texts": (list(of(1, "b")), TypeError, "one kind, .* got int and str"),
    "booleans and numbers": (of(True, 2), TypeError, "one kind, .* got bool and int"),
    "True and 1": (of(True, 1), TypeError, "one kind, .* got bool and int"),
    "bytes": (np.array([b"a", b"b"])[CODES], TypeError, "one kind, .* got bytes"),
    "bytes as objects": (of(b"a", b"b"), TypeError, "one kind, .* got bytes"),
    "decimals": (of(decimal.Decimal(1), decimal.Decimal(2)), TypeError, "one kind, .* got Decimal"),
    "dates of Python": (of(datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)), TypeError, "one kind, .* got date"),
    "tuples": (of((1, 2), (3, 4)), TypeError, "one kind, .* got tuple"),
    "periods": (pd.Series(pd.PeriodIndex(["2020", "2021"], freq="Y")[CODES]), TypeError, "one kind, .* got Period"),
    "intervals": (pd.Series(pd.cut(CODES, 2)), TypeError, "one kind, .* got Interval"),
    "records": (np.rec.fromarrays([CODES], names="y"), TypeError, "one kind, .* got"),
    "a text": ("ab" * 20, TypeError, "must be an array, a series or a list of labels, got str"),
    "a set": ({0, 1}, TypeError, "must be an array, a series or a list of labels, got set"),
    "a generator": (iter([0, 1]), TypeError, "must be an array, a series or a list of labels, got list_iterator"),
    "complex numbers": (CODES + 1j, ValueError, "Complex data not supported"),
    "integers of 100 bits": (of(10**30, 10**31), ValueError, "integers of at most 64 bits, got 1000"),
    "a masked label": (
        np.ma.masked_array(CODES, mask=np.arange(40) == 3),
        ValueError,
        "missing labels, got one in row 3",
    ),
}

NETWORK = {"max_epochs": 1, "random_state": 0}
LEARNERS = {
    "DMClassifier": DMClassifier(**NETWORK),
    "RobustLossClassifier": RobustLossClassifier(loss="elr", **NETWORK),
    "DMClassifierCV": DMClassifierCV(candidates=[(0, 0), (1, 8)], cv=2, n_members=1, **NETWORK),
    "NoisyLabelClassifier": NoisyLabelClassifier([("own", LogisticRegression())], cv=2),
    "StochasticLabelRefinery": StochasticLabelRefinery(n_rounds=1, cv=2, random_state=0),
    "StochasticLabelRefinery of a network": StochasticLabelRefinery(DMClassifier(**NETWORK), n_rounds=2, cv=2),
    "FusedGridSearchCV": FusedGridSearchCV(DMClassifier(**NETWORK), {"lam": [0, 1]}, cv=2),
}
CALLS = {
    **{name: lambda y, model=model: model.fit(X, y) for name, model in LEARNERS.items()},
    "partial_fit": lambda y: DMClassifier(**NETWORK).partial_fit(X, y, classes=[0, 1]),
    "classes of partial_fit": lambda y: DMClassifier(**NETWORK).partial_fit(X, CODES, classes=y),
    "fused_cross_val_predict": lambda y: fused_cross_val_predict(DMClassifier(**NETWORK), X, y, cv=2),
    "audit_labels": lambda y: audit_labels(LogisticRegression(), X, y, cv=2),
    "find_label_issues": lambda y: find_label_issues(y, PROBA),
    "estimate_noise_rate": lambda y: estimate_noise_rate(y, PROBA),
    "estimate_transition_matrix": lambda y: estimate_transition_matrix(y, PROBA),
    "corrupt_labels": lambda y: corrupt_labels(y, symmetric_transition_matrix(2, 0.4)),
    "corrupt_labels_by_instance": lambda y: corrupt_labels_by_instance(X, y, 0.3),
    "subsample_classes": lambda y: subsample_classes(X, y, 2),
    "realized_noise_rate": lambda y: realized_noise_rate(y, y),
    "realized_transition_matrix": lambda y: realized_transition_matrix(y, y),
    "expected_calibration_error": lambda y: expected_calibration_error(y, PROBA),
    "quadratic_weighted_kappa": lambda y: quadratic_weighted_kappa(y, y),
    "label_recovery": lambda y: label_recovery(y, y, y),
}


@pytest.mark.parametrize(("y", "classes"), SOUND.values(), ids=SOUND)
@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_classes_are_what_was_given_in_every_estimator(name, y, classes):
    model = CALLS[name](y)
    assert model.classes_.dtype == classes.dtype
    np.testing.assert_array_equal(model.classes_, classes)
    assert model.predict(X).dtype == classes.dtype


@pytest.mark.parametrize(("y", "classes"), SOUND.values(), ids=SOUND)
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_noise_stays_in_the_type_of_the_labels(y, classes):
    noisy = corrupt_labels(y, symmetric_transition_matrix(2, 0.4), random_state=0)
    assert noisy.dtype == classes.dtype
    np.testing.assert_array_equal(np.unique(noisy), classes)
    assert 0 < realized_noise_rate(y, noisy) < 1


@pytest.mark.parametrize(("y", "classes"), SOUND.values(), ids=SOUND)
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_evidence_knows_the_classes(y, classes):
    labels = as_labels(y).ravel().tolist()
    columns = np.argsort([labels.index(label) for label in classes.tolist()])
    issues = find_label_issues(y, PROBA[:, columns])
    assert len(issues) == 0
    assert expected_calibration_error(y, PROBA[:, columns]) == pytest.approx(0.2)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(("y", "error", "message"), UNSOUND.values(), ids=UNSOUND)
def test_what_are_no_labels_is_said_alike_everywhere(name, y, error, message):
    with pytest.raises(error, match=message):
        CALLS[name](iter([0, 1]) if hasattr(y, "__next__") else y)


COMPARED = {
    "realized_noise_rate": realized_noise_rate,
    "realized_transition_matrix": realized_transition_matrix,
    "quadratic_weighted_kappa": quadratic_weighted_kappa,
    "label_recovery": lambda first, second: label_recovery(first, second, first),
    "memorization_rate": lambda first, second: memorization_rate(first, second, first),
    "correction_rate": lambda first, second: correction_rate(first, second, first),
}


@pytest.mark.parametrize("compare", COMPARED.values(), ids=COMPARED)
def test_numbers_are_not_compared_with_texts_that_spell_them(compare):
    """Every row would differ, or none, by what NumPy does."""
    with pytest.raises(TypeError, match="must hold labels of one kind, got number and text"):
        compare(CODES, CODES.astype(str))


def test_probabilities_of_numbers_are_not_those_of_texts():
    with pytest.raises(ValueError, match=r"y_true must hold labels of the classes \['0', '1'\], got none, but"):
        expected_calibration_error(CODES, PROBA, labels=["0", "1"])
    with pytest.raises(ValueError, match=r"y must hold labels of the classes \['0', '1'\] only, got \[0, 1\]"):
        DMClassifier(**NETWORK).partial_fit(X, CODES, classes=["0", "1"])


def test_columns_of_probabilities_to_calibrate_are_found_by_name():
    names = np.array(["b", "a"])
    frame = pd.DataFrame(PROBA, columns=names)
    assert expected_calibration_error(names[CODES], frame) == pytest.approx(0.2)
    assert expected_calibration_error(names[CODES], frame[["a", "b"]], labels=["b", "a"]) == pytest.approx(0.2)


def test_true_and_one_are_the_same_label():
    assert check_same_kind(y_clean=[True, False], y_noisy=[1, 0])[0].dtype == bool
    assert realized_noise_rate([True, False], [1, 0]) == 0


class Noting(ClassifierMixin, BaseEstimator):
    """A classifier of a user, which notes the labels that it is fitted to."""

    noted = set()

    def fit(self, X, y, sample_weight=None):
        Noting.noted |= set(np.asarray(y).tolist())
        self.model_ = LogisticRegression().fit(X, y, sample_weight)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


def unweighted(**params):
    return RobustLossClassifier(loss="cross_entropy", **{**NETWORK, "max_epochs": 20}, **params)


# What fits a classifier that is handed in, and what it says of rows left out.
LEFT_OUT = {
    "audit_labels": lambda model, y: audit_labels(model, X, y, evidence="out_of_fold", cv=2, random_state=0).proba,
    "halves of audit_labels": lambda model, y: audit_labels(model, X, y, evidence="fit", random_state=0).proba,
    "NoisyLabelClassifier": lambda model, y: (
        NoisyLabelClassifier([("own", model)], cv=2, random_state=0).fit(X, y).oof_proba_
    ),
    "StochasticLabelRefinery": lambda model, y: (
        StochasticLabelRefinery(model, n_rounds=2, cv=2, random_state=0).fit(X, y).oof_proba_
    ),
    "the most probable class in StochasticLabelRefinery": lambda model, y: (
        StochasticLabelRefinery(model, n_rounds=2, cv=2, soft_label_method="argmax", random_state=0)
        .fit(X, y)
        .oof_proba_
    ),
}


@pytest.mark.parametrize("left_out", LEFT_OUT.values(), ids=LEFT_OUT)
@pytest.mark.parametrize("names", [(1, 2), ("a", "b"), (False, True)], ids=str)
def test_a_classifier_that_is_handed_in_is_fitted_to_the_labels_themselves(left_out, names):
    """Its class weights, thresholds and scores may speak of them."""
    Noting.noted = set()
    left_out(Noting(), np.array(names)[CODES])
    assert Noting.noted == set(names)
    assert {type(label) for label in Noting.noted} == {type(names[0])}


@pytest.mark.parametrize("left_out", LEFT_OUT.values(), ids=LEFT_OUT)
@pytest.mark.parametrize("make", [LogisticRegression, unweighted])
@pytest.mark.filterwarnings("ignore:class_weight=.* moves labels:UserWarning")
def test_weights_of_classes_are_those_of_the_names(left_out, make):
    """Numbers of the classes in place of their names would weigh class 2 by what is given to 1."""
    found = [
        left_out(make(class_weight={names[0]: 9}), np.array(names)[CODES]) for names in [(0, 1), (1, 2), ("a", "b")]
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    assert found[0][:, 0].mean() > left_out(make(), CODES)[:, 0].mean() + 0.01


def test_a_classifier_that_was_trained_elsewhere_judges_labels_of_any_name():
    y = np.array(["a", "b"])[CODES]
    model = LogisticRegression().fit(X[:20], y[:20])
    report = audit_labels(FrozenEstimator(model), X[20:], y[20:])
    np.testing.assert_array_equal(report.proba, model.predict_proba(X[20:]))


class OfNumbersFromZero(Noting):
    """One that takes no other labels, as XGBoost's."""

    def fit(self, X, y, sample_weight=None):
        if set(np.asarray(y).tolist()) != {*range(len(np.unique(y)))}:
            raise ValueError(f"Invalid classes. Expected numbers from zero, got {np.unique(y)}")
        return super().fit(X, y, sample_weight)


def test_an_audit_numbers_labels_for_a_classifier_that_takes_numbers_alone():
    y = np.array(["a", "b"])[CODES]
    found = [audit_labels(model(), X, y, random_state=0) for model in (OfNumbersFromZero, Noting)]
    np.testing.assert_array_equal(found[0].proba, found[1].proba)
    assert found[0].classes.tolist() == ["a", "b"]


def network_of_skorch():
    """A network of a user, whose loss takes the numbers of the classes."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=-1)).double()
    return NeuralNetClassifier(module, max_epochs=2, lr=0.1, train_split=None, iterator_train__shuffle=False, verbose=0)


class OfIntegersFromZero(OfNumbersFromZero):
    """One that fails with another error than scikit-learn's classifiers do, of floats and booleans as well."""

    def fit(self, X, y, sample_weight=None):
        if np.asarray(y).dtype.kind != "i":
            raise RuntimeError(f"expected target dtype to be Long, but got {np.asarray(y).dtype}")
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("make", [network_of_skorch, OfIntegersFromZero])
@pytest.mark.parametrize("names", [("a", "b"), (1, 2), (10, 30), (0.0, 1.0), (False, True)], ids=str)
def test_an_audit_numbers_labels_for_networks_of_others(make, names):
    y = np.array(names)[CODES]
    found = [audit_labels(make(), X, labels, random_state=0) for labels in (CODES, y)]
    np.testing.assert_array_equal(found[0].proba, found[1].proba)
    assert found[1].classes.tolist() == list(names)


class OfXGBoost(OfNumbersFromZero):
    """As far as its name goes; it refuses what XGBoost's refuse."""


OfXGBoost.__module__ = "xgboost.sklearn"


@pytest.mark.parametrize("left_out", LEFT_OUT.values(), ids=LEFT_OUT)
@pytest.mark.parametrize("make", [network_of_skorch, OfXGBoost, lambda: make_pipeline(StandardScaler(), OfXGBoost())])
@pytest.mark.parametrize("names", [("a", "b"), (1, 2), (False, True)], ids=str)
@pytest.mark.filterwarnings("ignore:NeuralNetClassifier can be given the most probable class only:UserWarning")
def test_classifiers_that_learn_numbers_of_classes_are_given_these(left_out, make, names):
    found = [left_out(make(), labels) for labels in (CODES, np.array(names)[CODES])]
    np.testing.assert_array_equal(found[0], found[1])


def test_a_member_that_learns_numbers_need_not_see_each_class():
    """Without the class of a single row the numbers of the others would have a gap."""
    y = np.where(np.arange(40) == 0, "b", np.array(["a", "c"])[CODES])
    model = NoisyLabelClassifier([("boosted", OfXGBoost())], random_state=0).fit(X, y)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.oof_proba_[0, 1] < 0.001
    assert model.score(X[1:], y[1:]) > 0.9


def test_the_loss_of_a_network_of_skorch_sees_numbers_of_classes_alone(monkeypatch):
    """On a GPU they would end every later computation of the process."""
    asked = set()
    fit = NeuralNetClassifier.fit
    monkeypatch.setattr(NeuralNetClassifier, "fit", lambda self, X, y: asked.update(y.tolist()) or fit(self, X, y))
    y = np.array([10, 30])[CODES]
    audit_labels(network_of_skorch(), X, y)
    audit_labels(GridSearchCV(network_of_skorch(), {"lr": [0.1]}, cv=2), X, y)
    audit_labels(make_pipeline(StandardScaler(), network_of_skorch()), X, y)
    assert asked == {0, 1}


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(class_weight={1: 9}),
        make_pipeline(StandardScaler(), LogisticRegression(class_weight={0: 1, 1: 9})),
        GridSearchCV(LogisticRegression(class_weight={1: 9}), {"C": [1.0]}, cv=2),
    ],
    ids=["by itself", "in a Pipeline", "in a search"],
)
def test_weights_of_other_classes_are_no_reason_for_numbers(model):
    """There 1 would be the second class, whatever the user meant by it."""
    with pytest.raises(ValueError, match="not in class_weight"):
        audit_labels(model, X, np.array(["a", "b"])[CODES])


def test_where_numbers_are_refused_as_well_an_audit_says_what_was_wrong_with_the_labels():
    with pytest.raises(ValueError, match=r"The classes, \['a', 'b'\], are not in class_weight"):
        audit_labels(LogisticRegression(class_weight={"c": 9}), X, np.array(["a", "b"])[CODES])

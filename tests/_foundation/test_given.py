"""Labels that are missing and weights that are negative get one answer, whichever estimator is asked."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.naive_bayes import GaussianNB

from sklabelnoise import (
    DMClassifier,
    DMClassifierCV,
    NoisyLabelClassifier,
    ProSelfLCClassifier,
    RobustLossClassifier,
    StochasticLabelRefinery,
    StochasticLabelRefineryRegressor,
)
from sklabelnoise._foundation._given import as_labels, check_none_missing, check_same_rows, check_weights, names_of_rows
from sklabelnoise.audit import audit_labels, estimate_noise_rate, estimate_transition_matrix, find_label_issues
from sklabelnoise.metrics import expected_calibration_error, quadratic_weighted_kappa
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict

X = np.random.default_rng(0).normal(size=(40, 3))
LABELS = np.arange(40) % 2
NAMES = ["ab"[label] for label in LABELS]


def with_hole(values, hole):
    return [hole if row == 7 else value for row, value in enumerate(values)]


MISSING = {
    "NaN among numbers": np.array(with_hole(LABELS.astype(float), np.nan)),
    "NaN in a masked array": np.ma.array(with_hole(LABELS.astype(float), np.nan)),
    "None among names": np.array(with_hole(NAMES, None), dtype=object),
    "NaN among names": np.array(with_hole(NAMES, np.nan), dtype=object),
    "a list with None": with_hole(NAMES, None),
    "a list with NaN among names": with_hole(NAMES, np.nan),
    "NA of pandas strings": pd.Series(with_hole(NAMES, pd.NA), dtype="string"),
    "NA of pandas integers": pd.Series(with_hole(LABELS.tolist(), pd.NA), dtype="Int64"),
    "a hole among categories": pd.Series(with_hole(NAMES, None), dtype="category"),
    "NaT among dates": pd.Series(pd.to_datetime(with_hole([f"202{label}-01-01" for label in LABELS], None))),
}

NETWORK = DMClassifier(max_epochs=1)
FITS = {
    "DMClassifier": NETWORK.fit,
    "DMClassifier.partial_fit": lambda X, y: NETWORK.partial_fit(X, y, classes=[0, 1]),
    "ProSelfLCClassifier": ProSelfLCClassifier(max_epochs=1).fit,
    "RobustLossClassifier": RobustLossClassifier(max_epochs=1).fit,
    "DMClassifierCV": DMClassifierCV(max_epochs=1, candidates=((0, 0), (0.5, 4)), n_members=1).fit,
    "StochasticLabelRefinery": StochasticLabelRefinery(GaussianNB(), n_rounds=1).fit,
    "StochasticLabelRefineryRegressor": StochasticLabelRefineryRegressor(n_rounds=1).fit,
    "FusedGridSearchCV": FusedGridSearchCV(NETWORK, {"lam": [0, 1]}, cv=2, error_score="raise").fit,
    "fused_cross_val_predict": lambda X, y: fused_cross_val_predict(NETWORK, X, y, cv=2),
    "audit_labels": lambda X, y: audit_labels(GaussianNB(), X, y),
    "find_label_issues": lambda X, y: find_label_issues(y, np.full((40, 2), 0.5)),
    "estimate_noise_rate": lambda X, y: estimate_noise_rate(y, np.full((40, 2), 0.5)),
    "estimate_transition_matrix": lambda X, y: estimate_transition_matrix(y, np.full((40, 2), 0.5)),
}


@pytest.mark.parametrize("y", MISSING.values(), ids=MISSING)
@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_a_missing_label_is_refused_by_its_row(fit, y):
    with pytest.raises(ValueError, match=r"^y must not hold missing labels, got one in row 7\.$"):
        fit(X, y)


def test_missing_labels_of_the_validation_set_are_called_by_their_name():
    with pytest.raises(ValueError, match=r"^y_val must not hold missing labels, got one in row 7"):
        DMClassifier(max_epochs=1).fit(X, NAMES, X_val=X, y_val=MISSING["None among names"])


def test_a_label_that_is_missing_among_several_of_a_row_is_told_by_the_row():
    with pytest.raises(ValueError, match="y must not hold missing labels, got one in row 1"):
        check_none_missing(np.array([["a", "b"], ["c", None]], dtype=object))


def test_labels_of_another_data_frame_library_are_understood():
    pyarrow = pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match="got one in row 7"):
        check_none_missing(pyarrow.chunked_array([with_hole(NAMES, None)]))


@pytest.mark.parametrize("y", [NAMES, tuple(NAMES), LABELS, pd.Series(NAMES, dtype="category"), [[0]] * 40, None])
def test_labels_that_are_all_there_pass(y):
    assert check_none_missing(y) is None


WEIGHTED = {
    name: FITS[name]
    for name in (
        "DMClassifier",
        "ProSelfLCClassifier",
        "RobustLossClassifier",
        "DMClassifierCV",
        "StochasticLabelRefinery",
        "StochasticLabelRefineryRegressor",
        "FusedGridSearchCV",
    )
}


@pytest.mark.parametrize("fit", WEIGHTED.values(), ids=WEIGHTED)
def test_a_negative_weight_is_refused(fit):
    weights = np.ones(40)
    weights[3] = -1e-3
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        fit(X, LABELS, sample_weight=weights)


NO_WEIGHTS = {
    "masked": (np.ma.masked_array(np.ones(40), mask=np.arange(40) == 7), "missing weights, got one in row 7"),
    "dates": (np.full(40, "2020-01-01", dtype="datetime64[D]"), r"must hold numbers that .*, got datetime64\[D\]"),
    "durations": (pd.Series(pd.to_timedelta(np.ones(40), unit="D")), "must hold numbers that .*, got timedelta64"),
    "complex numbers": (np.ones(40) + 1j, "must hold numbers that .*, got complex128"),
}


@pytest.mark.parametrize("fit", WEIGHTED.values(), ids=WEIGHTED)
@pytest.mark.parametrize("weights, message", NO_WEIGHTS.values(), ids=NO_WEIGHTS)
def test_what_are_no_weights_is_refused(fit, weights, message):
    with pytest.raises(ValueError, match=message):
        fit(X, LABELS, sample_weight=weights)


@pytest.mark.parametrize(
    "model",
    [
        NoisyLabelClassifier([("bayes", GaussianNB())]),
        DMClassifierCV(candidates=[(0, 0)], n_members=1, max_epochs=1),
        StochasticLabelRefinery(GaussianNB(), n_rounds=1),
        StochasticLabelRefineryRegressor(n_rounds=1),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize(
    "groups, error, message",
    [
        (with_hole(np.arange(40) // 4, None), ValueError, "groups must not hold missing labels, got one in row 7"),
        (with_hole(np.arange(40) / 4, np.nan), ValueError, "groups must not hold missing labels, got one in row 7"),
        (pd.Series(with_hole(NAMES, pd.NA)), ValueError, "groups must not hold missing labels, got one in row 7"),
        (np.array([1, "a"] * 20, dtype=object), TypeError, "groups must be of one kind .* got int and str"),
    ],
    ids=["None", "NaN", "NA", "mixed"],
)
def test_groups_are_all_there_and_can_be_sorted(model, groups, error, message):
    with pytest.raises(error, match=message):
        model.fit(X, LABELS, groups=groups)


@pytest.mark.parametrize("dtype", ["M8[D]", "M8[us]", "m8[h]"])
@pytest.mark.parametrize("form", [list, lambda labels: np.array([*labels, None], dtype=object)[:-1]])
def test_a_list_of_dates_of_numpy_is_their_array(dtype, form):
    labels = np.array([3, 1, 3]).astype(dtype)
    read = as_labels(form(labels))
    assert read.dtype == labels.dtype and np.array_equal(read, labels)


def test_arrays_of_pyarrow_are_labels():
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is an optional dependency")
    for column in (pyarrow.array(NAMES), pyarrow.chunked_array([NAMES[:20], NAMES[20:]])):
        assert GaussianNB().fit(X, as_labels(column)).classes_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="y must not hold missing labels, got one in row 7"):
        as_labels(pyarrow.array(with_hole(NAMES, None)))
    with pytest.raises(ValueError, match="y must not hold missing labels, got one in row 7"):
        as_labels(pyarrow.array(with_hole(LABELS.tolist(), None)))


def test_dates_in_columns_of_arrow_are_those_of_numpy():
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is an optional dependency")
    days = np.array(["2020-01-02", "2021-03-04"], dtype="datetime64[s]")
    for kind in (pyarrow.date32(), pyarrow.timestamp("ns", "UTC")):
        read = as_labels(pd.Series(days).astype(pd.ArrowDtype(kind)))
        assert read.dtype.kind == "M" and np.array_equal(read, days)


AS_TENSORS = {
    "float64": lambda values: torch.tensor(values, dtype=torch.float64),
    "with a derivative": lambda values: torch.tensor(values, dtype=torch.float32, requires_grad=True),
    "bfloat16": lambda values: torch.tensor(values, dtype=torch.bfloat16),
}


@pytest.mark.parametrize("as_tensor", AS_TENSORS.values(), ids=AS_TENSORS)
def test_labels_weights_and_groups_may_be_tensors_of_any_kind(as_tensor):
    weight = np.where(LABELS, 2.0, 1.0)
    groups = np.arange(40) // 4
    for model in (
        DMClassifier(max_epochs=1, random_state=0),
        NoisyLabelClassifier(["logistic_regression"], random_state=0),
    ):
        given, plain = (
            model.fit(X, y, w).predict_proba(X) for y, w in ((as_tensor(LABELS), as_tensor(weight)), (LABELS, weight))
        )
        np.testing.assert_array_equal(given, plain)
    by_groups = [
        NoisyLabelClassifier(["logistic_regression"], random_state=0).fit(X, LABELS, groups=g).oof_proba_
        for g in (as_tensor(groups), groups)
    ]
    np.testing.assert_array_equal(*by_groups)
    soft = np.eye(2)[LABELS]
    softly = [
        DMClassifier(max_epochs=1, random_state=0).fit(X, LABELS, soft_labels=s).predict_proba(X)
        for s in (as_tensor(soft), soft)
    ]
    np.testing.assert_array_equal(*softly)


@pytest.mark.parametrize("as_tensor", AS_TENSORS.values(), ids=AS_TENSORS)
def test_probabilities_may_be_tensors_of_any_kind(as_tensor):
    proba = np.where(LABELS[:, None] == [0, 1], 0.75, 0.25)
    proba[:3] = proba[:3, ::-1]
    given = as_tensor(proba)
    issues, expected = (find_label_issues(LABELS, table) for table in (given, proba))
    pd.testing.assert_frame_equal(issues, expected, check_dtype=False)  # those of a tensor of float32 are float32
    assert estimate_noise_rate(LABELS, given) == estimate_noise_rate(LABELS, proba)
    assert expected_calibration_error(LABELS, given) == expected_calibration_error(LABELS, proba)


@pytest.mark.parametrize("call", [find_label_issues, estimate_noise_rate, estimate_transition_matrix])
def test_sparse_probabilities_are_refused(call):
    with pytest.raises(TypeError, match="Sparse data was passed for proba"):
        call(LABELS, csr_array(np.eye(2)[LABELS]))


def test_masked_probabilities_and_soft_labels_are_refused():
    proba = np.ma.masked_array(np.full((40, 2), 0.5), mask=False)
    proba[7, 1] = np.ma.masked
    for call in (find_label_issues, estimate_noise_rate, estimate_transition_matrix, expected_calibration_error):
        with pytest.raises(ValueError, match="proba must not hold missing values, got one in row 7"):
            call(LABELS, proba)
    with pytest.raises(ValueError, match="soft_labels must not hold missing values, got one in row 7"):
        DMClassifier(max_epochs=1).fit(X, LABELS, soft_labels=proba)


@pytest.mark.parametrize("other", [["a", "b", "d"], ["d", "e", "f"], ["b", "b", "a"], ["a", "b", "c"], ["b", "a"]])
def test_only_one_index_in_two_orders_is_refused(other):
    first = pd.Series(0.0, index=["a", "b", "c"])
    check_same_rows(y=first, quality=pd.Series(0.0, index=other))  # other rows may still belong together by position
    with pytest.raises(ValueError, match="y and quality must have their rows in the same order"):
        check_same_rows(y=first, quality=pd.Series(0.0, index=["c", "a", "b"]))


def test_rows_are_called_by_names_where_some_of_the_data_have_any():
    numbered, named = pd.DataFrame(np.eye(2)), pd.Series([0, 1], index=["a", "b"])
    assert names_of_rows(np.eye(2), numbered, named).tolist() == ["a", "b"]
    assert names_of_rows(numbered, [0, 1]).tolist() == [0, 1]
    assert names_of_rows(np.eye(2), [0, 1]) is None


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 40])
def test_weights_whose_sum_is_infinite_keep_their_proportions(n):
    weights = np.arange(1.0, n + 1)
    found = check_weights(weights * 2.0**1018, n)
    assert np.isfinite(found.sum())
    np.testing.assert_array_equal(found / found[0], weights)
    np.testing.assert_array_equal(check_weights(weights * 2.0**1000, n), weights * 2.0**1000)


def test_huge_weights_are_those_in_proportion():
    grades = np.arange(30) % 3, np.arange(30) % 4 % 3
    weights = 1.0 + np.arange(30) % 5
    expected = quadratic_weighted_kappa(*grades, sample_weight=weights)
    assert quadratic_weighted_kappa(*grades, sample_weight=weights * 2.0**1021) == pytest.approx(expected)
    X, y = np.random.default_rng(0).normal(size=(30, 2)), grades[0]
    model = DMClassifierCV(candidates=[(0, 0)], cv=2, n_members=1, max_epochs=2, random_state=0)
    plain, huge = (model.fit(X, y, sample_weight=w).predict_proba(X) for w in (weights, weights * 2.0**1021))
    np.testing.assert_allclose(huge, plain, rtol=1e-9)


@pytest.mark.parametrize("shape", [(), (40, 2), (40, 1, 1)])
@pytest.mark.parametrize(
    "call",
    [
        lambda groups: audit_labels(GaussianNB(), X, LABELS, groups=groups),
        lambda groups: StochasticLabelRefinery(GaussianNB()).fit(X, LABELS, groups=groups),
        lambda groups: DMClassifierCV().fit(X, LABELS, groups=groups),
        lambda groups: NoisyLabelClassifier().fit(X, LABELS, groups=groups),
    ],
)
def test_groups_of_another_shape_are_refused_by_name(call, shape):
    with pytest.raises(ValueError, match=r"^groups must be one-dimensional, got shape \("):
        call(np.zeros(shape, dtype=int))

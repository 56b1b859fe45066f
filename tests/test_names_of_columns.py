"""Wherever columns are classes they are found by name: in frames that users pass, and in those that classifiers return.

A frame whose columns stand in another order than the classes must change nothing; read by position, it would give
wrong results without a word.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.utils import resample

from sklabelnoise import (
    DMClassifier,
    DMClassifierCV,
    NoisyLabelClassifier,
    ProSelfLCClassifier,
    RobustLossClassifier,
    StochasticLabelRefinery,
)
from sklabelnoise.audit import audit_labels
from sklabelnoise.metrics._class_columns import predicted_columns
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict

rng = np.random.default_rng(0)
NAMES = np.array(["ant", "bee", "cow"])
truth = rng.integers(0, 3, size=90)
X = rng.normal(size=(90, 3)) + 3 * np.eye(3)[truth]
y = NAMES[truth]
SOFT = 0.8 * np.eye(3)[truth] + 0.2 / 3
SHUFFLED = [2, 0, 1]
QUICK = {"max_epochs": 3, "random_state": 0}


def pyarrow_table(frame):
    return pytest.importorskip("pyarrow").table({str(name): frame[name].to_numpy() for name in frame})


def polars_frame(frame):
    return pytest.importorskip("polars").DataFrame({str(name): frame[name].to_numpy() for name in frame})


def scikit_learn_takes_rows_of(table):
    try:
        resample(table, n_samples=2)
    except TypeError:
        return False
    return True


LIBRARIES = {"pandas": lambda frame: frame, "pyarrow": pyarrow_table, "polars": polars_frame}


class TestSoftLabels:
    FITS = {
        "DMClassifier": DMClassifier(**QUICK),
        "ProSelfLCClassifier": ProSelfLCClassifier(**QUICK),
        "RobustLossClassifier": RobustLossClassifier(loss="cross_entropy", **QUICK),
        "DMClassifierCV": DMClassifierCV(candidates=[(0, 0), (0.5, 4)], cv=2, n_members=2, **QUICK),
        "FusedGridSearchCV": FusedGridSearchCV(DMClassifier(**QUICK), {"lam": [0, 1]}, cv=2),
    }

    @pytest.mark.parametrize("name", FITS)
    def test_rows_in_another_order_than_the_labels_are_refused(self, name):
        labels = pd.Series(y, index=[f"row {number}" for number in range(len(y))])
        frame = pd.DataFrame(SOFT, columns=NAMES, index=labels.index)
        with pytest.raises(ValueError, match="y and soft_labels must have their rows in the same order"):
            clone(self.FITS[name]).fit(X, labels, soft_labels=frame[::-1])
        if name == "DMClassifier":
            with pytest.raises(ValueError, match="y and soft_labels must have their rows in the same order"):
                fused_cross_val_predict(self.FITS[name], X, labels, params={"soft_labels": frame[::-1]})

    @pytest.mark.parametrize("library", LIBRARIES)
    @pytest.mark.parametrize("name", FITS)
    def test_the_order_of_the_columns_changes_nothing(self, name, library):
        frame = pd.DataFrame(SOFT, columns=NAMES)
        expected = clone(self.FITS[name]).fit(X, y, soft_labels=frame).predict_proba(X)
        shuffled = LIBRARIES[library](frame.iloc[:, SHUFFLED])
        if name == "FusedGridSearchCV" and not scikit_learn_takes_rows_of(shuffled):
            pytest.skip("this version of scikit-learn takes no rows of such a table, as its searches do")
        proba = clone(self.FITS[name]).fit(X, y, soft_labels=shuffled).predict_proba(X)
        np.testing.assert_array_equal(proba, expected)
        by_position = clone(self.FITS[name]).fit(X, y, soft_labels=SOFT[:, SHUFFLED]).predict_proba(X)
        assert np.abs(by_position - expected).max() > 0.01  # what reading by position would give

    @pytest.mark.parametrize("library", LIBRARIES)
    def test_a_class_that_no_row_has_been_given_keeps_its_column(self, library):
        frame = LIBRARIES[library](pd.DataFrame(SOFT[:, SHUFFLED], columns=NAMES[SHUFFLED]))
        given = np.where(y == "bee", "ant", y)
        model = DMClassifier(**QUICK).fit(X, given, soft_labels=frame)
        assert model.classes_.tolist() == NAMES.tolist()

    @pytest.mark.parametrize("library", LIBRARIES)
    def test_names_that_spell_numbers_are_these_numbers_also_of_a_class_without_rows(self, library):
        frame = LIBRARIES[library](pd.DataFrame(SOFT[:, SHUFFLED], columns=["12", "2", "3"]))
        labels = np.array([2, 3, 12])[truth]
        model = DMClassifier(**QUICK).fit(X, np.where(labels == 12, 3, labels), soft_labels=frame)
        assert model.classes_.tolist() == [2, 3, 12]
        array = SOFT[:, [0, 1, 2]]
        expected = DMClassifier(**QUICK).fit(X, labels, soft_labels=array)
        np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))

    @pytest.mark.parametrize(
        ("columns", "labels", "message"),
        [
            (None, NAMES, r"soft_labels must have columns named after the classes.* got \[0, 1, 2\]"),
            (None, [1, 2, 3], r"got columns without names, which cannot be the labels \[3\] of y"),
            (["ant", "ant", "bee"], NAMES, "soft_labels must have one column for each class, got two .* 'ant'"),
            (["x", "y", "z"], NAMES, r"soft_labels must have columns named after the classes.* got \['x', 'y', 'z'\]"),
        ],
    )
    @pytest.mark.parametrize("model", [DMClassifier(**QUICK), DMClassifierCV(cv=2, **QUICK)], ids=lambda m: type(m))
    def test_columns_that_cannot_be_aligned_are_an_error(self, model, columns, labels, message):
        with pytest.raises(ValueError, match=message):
            clone(model).fit(X, np.array(labels)[truth], soft_labels=pd.DataFrame(SOFT, columns=columns))


class Framed(ClassifierMixin, BaseEstimator):
    """A classifier that returns a frame whose columns are the classes, in an order of its own."""

    def __init__(self, library="pandas", names="classes"):
        self.library = library
        self.names = names

    def fit(self, X, y, sample_weight=None):
        self.model_ = LogisticRegression().fit(X, y, sample_weight)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        columns = self.classes_ if self.names == "classes" else [f"proba of {label}" for label in self.classes_]
        frame = pd.DataFrame(self.model_.predict_proba(X), columns=columns)
        return LIBRARIES[self.library](frame.iloc[:, np.roll(np.arange(len(columns)), 1)])


class Unsorted(ClassifierMixin, BaseEstimator):
    """A classifier whose `classes_` are in the order of their first row, as are its columns."""

    def fit(self, X, y, sample_weight=None):
        self.model_ = LogisticRegression().fit(X, y, sample_weight)
        self.order_ = np.roll(np.arange(len(self.model_.classes_)), 1)
        self.classes_ = self.model_.classes_[self.order_]
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(X)[:, self.order_]


class FramedRegressor(LinearRegression):
    """A regressor of one value a class that returns a frame, in an order of its own."""

    def predict(self, X):
        return pd.DataFrame(super().predict(X), columns=NAMES).iloc[:, SHUFFLED]


class Plain(Unsorted):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.order_ = slice(None)
        self.classes_ = self.model_.classes_
        return self


ODD = {"pandas": Framed("pandas"), "pyarrow": Framed("pyarrow"), "polars": Framed("polars"), "unsorted": Unsorted()}


class TestReturnedFrames:
    """What classifiers return in frames, or in an order of their own, is what they return as sorted arrays."""

    @pytest.mark.parametrize("kind", ODD)
    @pytest.mark.parametrize("final", ["refit", "folds"])
    def test_refinery(self, kind, final):
        odd, plain = (
            StochasticLabelRefinery(clone(model), n_rounds=2, cv=3, final=final, random_state=0).fit(X, y)
            for model in (ODD[kind], Plain())
        )
        np.testing.assert_allclose(odd.soft_labels_, plain.soft_labels_, atol=1e-12)
        np.testing.assert_allclose(odd.predict_proba(X), plain.predict_proba(X), atol=1e-12)

    def test_refinery_of_a_regressor(self):
        odd, plain = (
            StochasticLabelRefinery(model, n_rounds=2, cv=3, random_state=0).fit(X, y)
            for model in (FramedRegressor(), LinearRegression())
        )
        np.testing.assert_allclose(odd.soft_labels_, plain.soft_labels_, atol=1e-12)

    @pytest.mark.parametrize("kind", ODD)
    def test_ensemble(self, kind):
        odd, plain = (
            NoisyLabelClassifier([("own", clone(model))], cv=3, random_state=0).fit(X, y)
            for model in (ODD[kind], Plain())
        )
        np.testing.assert_allclose(odd.predict_proba(X), plain.predict_proba(X), atol=1e-12)
        np.testing.assert_allclose(odd.label_quality_, plain.label_quality_, atol=1e-12)

    @pytest.mark.parametrize(
        "how", [{"evidence": "out_of_fold", "cv": 3}, {"evidence": "fit"}], ids=["out_of_fold", "fit"]
    )
    @pytest.mark.parametrize("kind", ODD)
    def test_audit(self, kind, how):
        odd, plain = (audit_labels(clone(model), X, y, **how, random_state=0) for model in (ODD[kind], Plain()))
        columns = [odd.classes.tolist().index(name) for name in plain.classes]
        np.testing.assert_array_equal(odd.proba[:, columns], plain.proba)
        assert odd.noise_rate == plain.noise_rate
        assert odd.issues["row"].tolist() == plain.issues["row"].tolist()

    @pytest.mark.parametrize(
        "fit",
        [
            lambda model: StochasticLabelRefinery(model, n_rounds=1, cv=3).fit(X, y),
            lambda model: NoisyLabelClassifier([("own", model)], cv=3).fit(X, y),
            lambda model: audit_labels(model, X, y, cv=3),
            lambda model: audit_labels(model, X, y, evidence="fit"),
        ],
        ids=["refinery", "ensemble", "audit", "audit by one fit"],
    )
    def test_other_names_are_an_error(self, fit):
        with pytest.raises(ValueError, match="must have columns named after the classes"):
            fit(Framed(names="others"))

    def test_numbers_that_pandas_gives_are_no_names(self):
        table = pd.DataFrame(SOFT)
        np.testing.assert_array_equal(predicted_columns(table, [1, 2, 3], argument="proba"), SOFT)

    def test_a_class_without_a_column_is_an_error(self):
        with pytest.raises(ValueError, match=r"proba must have one column for each of 3 classes, got none for \['bee'"):
            predicted_columns(pd.DataFrame(SOFT[:, :1], columns=["ant"]), NAMES, argument="proba")

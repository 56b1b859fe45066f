"""One call from data to report."""

import inspect
import threading
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import euclidean_distances
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklabelnoise import NoisyLabelClassifier, StochasticLabelRefinery
from sklabelnoise.audit import (
    audit_labels,
    find_label_issues,
)
from sklabelnoise.noise import (
    realized_noise_rate,
)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: audit_labels(None, [[0]], [0]), "needs at least 2 classes, got one class: 0"),
        (lambda: audit_labels(None, None, [0, 1]), "X must hold rows to fit the classifier to, got None"),
        (lambda: audit_labels(None, [[0], [1]]), "y must hold the labels, got None: only a Dataset brings its own"),
        (lambda: audit_labels(None, None, [0], evidence="none"), "evidence must be"),
        (lambda: audit_labels(LogisticRegression(), [[0]], [0], classes=[0]), "classes name the columns of pred_probs"),
    ],
)
def test_bad_parameters_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("y", [None, [0, 1]])
@pytest.mark.parametrize("as_given", [str, Path])
def test_a_folder_is_refused_with_what_reads_it(as_given, y, tmp_path):
    with pytest.raises(
        TypeError, match=r"X must be an array, .*(Path|str)\. torchvision\.datasets\.ImageFolder\(X\) reads"
    ):
        audit_labels(None, as_given(tmp_path), y)


class CountingFits(LogisticRegression):
    fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).fits += 1
        return super().fit(X, y, sample_weight)


class TestAuditLabels:
    def test_finds_the_wrong_labels_of_separable_classes(self, noisy_blobs):
        X, y, y_clean = noisy_blobs
        report = audit_labels(LogisticRegression(), X, y, random_state=0)
        everything = find_label_issues(y, report.proba, which="disagree")
        assert set(everything["row"]) == set(np.flatnonzero(y != y_clean))
        assert set(report.issues["row"]) <= set(everything["row"])
        y_corrected = report.apply(report.issues.assign(decision="accept"))
        np.testing.assert_array_equal(np.flatnonzero(y_corrected != y), sorted(report.issues["row"]))
        assert realized_noise_rate(y_clean, y_corrected) < 0.1 < realized_noise_rate(y_clean, y)
        # Half of the rows are counted: five standard errors.
        assert abs(report.noise_rate - realized_noise_rate(y_clean, y)) < 5 * np.sqrt(0.2 * 0.8 / 300)

    def test_other_classifiers_are_judged_out_of_fold(self, noisy_blobs):
        CountingFits.fits = 0
        report = audit_labels(CountingFits(), *noisy_blobs[:2], cv=4, random_state=3)
        assert CountingFits.fits == 4 and not report.in_sample
        folds = StratifiedKFold(4, shuffle=True, random_state=np.random.RandomState(3).randint(2**31 - 1))
        proba = cross_val_predict(LogisticRegression(), *noisy_blobs[:2], cv=folds, method="predict_proba")
        np.testing.assert_array_equal(report.proba, proba)

    def test_folds_are_those_of_scikit_learn_for_distances_frames_and_any_number_of_jobs(self, noisy_blobs):
        X, y, _ = noisy_blobs
        distances, names = euclidean_distances(X), np.array(["a", "b", "c"])[y]
        for model, rows in (
            (KNeighborsClassifier(metric="precomputed"), distances),
            (LogisticRegression(), pd.DataFrame(X)),
            (LogisticRegression(), sparse.csr_matrix(X)),
        ):
            folds = list(StratifiedKFold(3).split(X, y))
            proba = cross_val_predict(model, rows, names, cv=folds, method="predict_proba")
            for n_jobs in (None, 2):
                with joblib.parallel_config(backend="threading"):
                    report = audit_labels(model, rows, names, cv=iter(folds), evidence="out_of_fold", n_jobs=n_jobs)
                np.testing.assert_array_equal(report.proba, proba)

    @pytest.mark.parametrize("n_jobs", [None, 2])
    def test_fits_run_in_as_many_jobs_as_asked_for(self, noisy_blobs, n_jobs):
        class Notes(GaussianNB):
            def fit(self, X, y, sample_weight=None):
                mains.add(threading.current_thread() is threading.main_thread())
                return super().fit(X, y, sample_weight)

        mains = set()
        with joblib.parallel_config(backend="threading"):
            audit_labels(Notes(), *noisy_blobs[:2], n_jobs=n_jobs, random_state=0)
        assert mains == {n_jobs is None}

    @pytest.mark.parametrize("folds", [
        [(np.arange(300), np.arange(300, 600))], [(np.arange(300), np.arange(600))] * 2, [],
    ], ids=["some are never left out", "left out twice", "none"])  # fmt: skip
    def test_each_row_is_left_out_once(self, noisy_blobs, folds):
        with pytest.raises(ValueError, match="must partition the 600 rows"):
            audit_labels(LogisticRegression(), *noisy_blobs[:2], cv=folds)

    def test_a_class_that_a_fold_does_not_know_is_said(self, noisy_blobs):
        X, y, _ = noisy_blobs
        y = np.where(np.arange(600) == 7, 9, y)
        folds = [(np.arange(300, 600), np.arange(300)), (np.arange(300), np.arange(300, 600))]
        with pytest.warns(RuntimeWarning, match=r"without any row of \[9\], so that the rows it left out have prob"):
            report = audit_labels(LogisticRegression(), X, y, cv=folds)
        assert (report.proba[:300, 3] == 0).all() and (report.proba[300:, 3] > 0).all()

    def test_one_fit_on_demand(self, noisy_blobs):
        CountingFits.fits = 0
        report = audit_labels(CountingFits(), *noisy_blobs[:2], evidence="fit", random_state=0)
        assert CountingFits.fits == 3 and report.in_sample  # two of them to one half, for the noise

    def test_our_classifiers_are_judged_by_one_fit_also_in_a_pipeline(self, noisy_blobs):
        from sklabelnoise import DMClassifier, RobustLossClassifier

        X, y, y_clean = noisy_blobs
        model = DMClassifier(lam=1, beta=8, max_epochs=15, random_state=0)
        report = audit_labels(make_pipeline(StandardScaler(), model), X, np.array(["a", "b", "c"])[y], random_state=0)
        assert report.in_sample
        found = np.isin(np.arange(len(y)), report.issues["row"])
        assert np.mean(found == (y != y_clean)) > 0.97
        # Half of the rows are counted: five standard errors.
        assert abs(report.noise_rate - realized_noise_rate(y_clean, y)) < 5 * np.sqrt(0.2 * 0.8 / 300)
        plain = RobustLossClassifier(loss="cross_entropy", max_epochs=15, random_state=0)
        assert not audit_labels(plain, X, y, random_state=0).in_sample  # it memorizes, so one fit is no evidence

    def test_a_network_that_holds_out_rows_is_asked_about_all_and_keeps_its_callbacks(self, noisy_blobs):
        from skorch.callbacks import Callback

        from sklabelnoise import DMClassifier

        class Counts(Callback):
            def on_train_end(self, net, **kwargs):
                trained.append(len(net.history))

        X, y, _ = noisy_blobs
        trained, params = [], {"lam": 1, "beta": 8, "max_epochs": 15, "random_state": 0}
        model = DMClassifier(callbacks=[Counts()], **params)
        for early_stopping in (False, True):
            report = audit_labels(model.set_params(early_stopping=early_stopping), X, y, random_state=0)
            assert report.in_sample and report.label_quality.shape == y.shape
        assert len(trained) == 6  # two halves and the whole, each
        expected = clone(model).set_params(callbacks=None).fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(report.proba, expected)

    def test_memorized_labels_still_count_as_noise(self, noisy_blobs):
        X, y, y_clean = noisy_blobs
        tree = DecisionTreeClassifier(random_state=0)  # knows its training labels by heart
        report = audit_labels(tree, X, y, evidence="fit", random_state=0)
        assert len(report.issues) == 0
        assert report.noise_rate > 0.5 * realized_noise_rate(y_clean, y)

    def test_a_refinery_brings_its_own_out_of_fold_probabilities(self, noisy_blobs):
        X, y, _ = noisy_blobs
        refinery = StochasticLabelRefinery(LogisticRegression(), n_rounds=2, random_state=0)
        report = audit_labels(refinery, X, y)
        assert not report.in_sample
        np.testing.assert_array_equal(report.proba, refinery.fit(X, y).oof_proba_)

    def test_a_classifier_that_knows_these_labels_is_asked_and_not_fitted(self, noisy_blobs):
        X, y, _ = noisy_blobs
        CountingFits.fits = 0
        fitted = NoisyLabelClassifier([("counting", CountingFits())], cv=3, random_state=0).fit(X, y)
        fits = CountingFits.fits
        report = audit_labels(fitted, X, y)
        assert CountingFits.fits == fits > 0
        assert not report.in_sample
        np.testing.assert_array_equal(report.proba, fitted.oof_proba_)
        steps = [("kept", "passthrough"), ("gone", None), ("model", fitted)]
        np.testing.assert_array_equal(audit_labels(Pipeline(steps), X, y).proba, fitted.oof_proba_)
        assert CountingFits.fits == fits
        audit_labels(fitted, X, np.where(np.arange(len(y)) == 0, (y + 1) % 3, y))  # another label in one row
        assert CountingFits.fits == 2 * fits

    def test_a_class_that_only_rows_without_weight_have_is_one_of_the_report(self, noisy_blobs):
        X, y, _ = noisy_blobs
        y = np.where(np.arange(len(y)) < 3, 9, y)
        fitted = NoisyLabelClassifier([("bayes", GaussianNB())], cv=3, random_state=0)
        fitted.fit(X, y, sample_weight=(y != 9).astype(float))
        report = audit_labels(fitted, X, y)
        assert fitted.classes_.tolist() == [0, 1, 2] and report.classes.tolist() == [0, 1, 2, 9]
        np.testing.assert_array_equal(report.proba, np.c_[fitted.oof_proba_, np.zeros(len(y))])
        assert {0, 1, 2} <= set(report.issues["row"])

    def test_takes_the_probabilities_of_cleanlab_and_gives_them_back(self, noisy_blobs):
        X, y, _ = noisy_blobs
        report = audit_labels(LogisticRegression(), X, np.array(["a", "b", "c"])[y], random_state=0)
        arguments = report.to_cleanlab()
        np.testing.assert_array_equal(arguments["labels"], y)
        again = audit_labels(None, None, arguments["labels"], pred_probs=arguments["pred_probs"])
        np.testing.assert_array_equal(again.issues["row"], report.issues["row"])
        assert again.noise_rate == report.noise_rate

    def test_beside_probabilities_what_would_ask_a_classifier_is_refused(self, noisy_blobs):
        X, y, _ = noisy_blobs
        proba = np.eye(3)[y] * 0.9 + 0.1 / 3
        with pytest.raises(
            ValueError, match=r"estimator must be None where pred_probs are given.*, got GaussianNB\(\)"
        ):
            audit_labels(GaussianNB(), X, y, pred_probs=proba)
        with pytest.raises(ValueError, match=r"evidence .* in_sample=True\), got evidence='fit'"):
            audit_labels(None, X, y, pred_probs=proba, evidence="fit")
        expected = audit_labels(None, X, y, pred_probs=proba)
        report = audit_labels(None, X, y, pred_probs=proba, evidence="out_of_fold")
        assert report.noise_rate == expected.noise_rate

    @pytest.mark.parametrize(
        "cv", [4, KFold(3), [(np.arange(300), np.arange(300, 600)), (np.arange(300, 600), np.arange(300))]]
    )
    def test_folds_that_nobody_uses_are_said(self, noisy_blobs, cv):
        X, y, _ = noisy_blobs
        refinery = StochasticLabelRefinery(GaussianNB(), n_rounds=1, random_state=0)
        for asked, name in [
            ({"estimator": GaussianNB(), "evidence": "fit"}, "GaussianNB"),
            ({"estimator": refinery}, "StochasticLabelRefinery"),
            ({"estimator": make_pipeline(StandardScaler(), refinery)}, "StochasticLabelRefinery"),
        ]:
            with pytest.warns(UserWarning, match=rf"^cv=.* is not used: .* {name} .*'out_of_fold'") as caught:
                audit_labels(X=X, y=y, cv=cv, random_state=0, **asked)
            assert caught[0].filename == __file__

    def test_folds_are_those_of_the_classifier_that_nobody_named(self, noisy_blobs, monkeypatch):
        X, y, _ = noisy_blobs
        folds = list(StratifiedKFold(3, shuffle=True, random_state=7).split(X, y))
        made = []

        def classifier(random_state, cv=5):
            made.append(NoisyLabelClassifier(["logistic_regression"], cv=cv, random_state=random_state))
            return made[-1]

        monkeypatch.setattr("sklabelnoise.audit._default_classifier._classifier", classifier)
        expected = NoisyLabelClassifier(["logistic_regression"], cv=folds, random_state=0).fit(X, y).oof_proba_
        for cv in (folds, iter(folds), StratifiedKFold(3, shuffle=True, random_state=7)):
            report = audit_labels(None, X, y, cv=cv, random_state=0)
            np.testing.assert_array_equal(report.proba, expected)
        for asked in ({}, {"cv": folds, "evidence": "out_of_fold"}):
            audit_labels(None, X, y, random_state=0, **asked)
            assert made[-1].cv == 5


class Unfitted(GaussianNB):
    def fit(self, X, y, sample_weight=None):
        raise AssertionError("fitted")


class OneRow(GaussianNB):
    def predict_proba(self, X):
        return super().predict_proba(X)[:1]


class TestRowsInOneOrder:
    names = pd.Index([f"row {i}" for i in range(60)])
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), index=names)
    y = (X[0] > 0).astype(int)

    @pytest.mark.parametrize("argument", ["X", "display", "ids", "pred_probs"])
    def test_what_pandas_has_in_another_order_is_refused_before_anything_is_fitted(self, argument):
        given = {"X": self.X, "y": self.y}
        frame = pd.DataFrame(np.full((60, 2), 0.5), index=self.names)
        given[argument] = {"X": self.X, "ids": pd.Series(range(60), index=self.names)}.get(argument, frame)[::-1]
        with pytest.raises(ValueError, match=f"y and {argument} must have their rows in the same order"):
            audit_labels(Unfitted(), **given)

    def test_numbers_that_pandas_gave_are_no_names(self):
        X = self.X.reset_index(drop=True).sample(frac=1, random_state=0)
        y = pd.Series((X[0] > 0).to_numpy())
        report = audit_labels(GaussianNB(), X, y, random_state=0)
        expected = audit_labels(GaussianNB(), X.to_numpy(), y.to_numpy(), random_state=0)
        np.testing.assert_array_equal(report.label_quality, expected.label_quality)

    def test_one_prediction_is_not_repeated_for_all_rows(self):
        with pytest.raises(ValueError, match="estimator must predict each of 12 rows, got 1 predictions"):
            audit_labels(OneRow(), self.X, self.y, random_state=0)


class SeesGroups(LogisticRegression):
    """A classifier that remembers which rows its fits had beside each other."""

    fits = []

    def fit(self, X, y, sample_weight=None):
        self.fits.append(set(X[:, -1].astype(int).tolist()))
        return super().fit(X, y, sample_weight)


def grouped(noisy_blobs):
    """Rows of patients, whose number is the last column, in several columns of text and number alike."""
    X, y, _ = noisy_blobs
    groups = np.random.default_rng(0).integers(0, 40, size=len(y))
    return np.column_stack([X, groups]), y, np.array([f"p{group:02d}" for group in groups])


class TestGroups:
    @pytest.mark.parametrize("evidence", ["fit", "out_of_fold"])
    @pytest.mark.parametrize("in_pipeline", [False, True])
    def test_no_group_is_on_both_sides_of_a_split(self, noisy_blobs, evidence, in_pipeline):
        X, y, groups = grouped(noisy_blobs)
        SeesGroups.fits.clear()
        estimator = make_pipeline("passthrough", SeesGroups()) if in_pipeline else SeesGroups()
        audit_labels(estimator, X, y, groups=groups, evidence=evidence, random_state=0)
        parts = [fit for fit in SeesGroups.fits if len(fit) < 40]
        left_out = [set(range(40)) - part for part in parts]
        assert len(parts) == (2 if evidence == "fit" else 5)
        # Each patient is left out once, and with all rows.
        assert sorted(group for part in left_out for group in part) == list(range(40))

    @pytest.mark.parametrize("make", [
        lambda: StochasticLabelRefinery(LogisticRegression(), n_rounds=1, cv=3, random_state=0),
        lambda: NoisyLabelClassifier(["logistic_regression"], cv=3, random_state=0),
        lambda: make_pipeline(StandardScaler(), NoisyLabelClassifier(["logistic_regression"], cv=3, random_state=0)),
    ])  # fmt: skip
    def test_a_classifier_that_leaves_rows_out_itself_is_told_the_groups(self, noisy_blobs, make):
        X, y, groups = grouped(noisy_blobs)
        report = audit_labels(make(), X, y, groups=groups)
        model = make()
        if isinstance(model, Pipeline):
            model.fit(X, y, noisylabelclassifier__groups=groups)
        else:
            model.fit(X, y, groups=groups)
        np.testing.assert_array_equal(report.proba, getattr(model, "steps", [[None, model]])[-1][1].oof_proba_)
        assert not np.array_equal(report.proba, audit_labels(make(), X, y).proba)

    @pytest.mark.parametrize("evidence", ["fit", "out_of_fold"])
    @pytest.mark.parametrize("routed", [False, True])
    @pytest.mark.parametrize("in_pipeline", [False, True])
    def test_a_search_by_groups_is_told_the_groups(self, noisy_blobs, in_pipeline, routed, evidence):
        X, y, groups = grouped(noisy_blobs)
        estimator = GridSearchCV(SeesGroups(max_iter=1000), {}, cv=GroupKFold(2))
        if in_pipeline:
            estimator = make_pipeline("passthrough", estimator)
        SeesGroups.fits.clear()
        with config_context(enable_metadata_routing=routed):
            audit_labels(estimator, X, y, groups=groups, evidence=evidence, random_state=0)
        # Two halves and a refit in each search: no group of a half is in the other one.
        for start in range(0, len(SeesGroups.fits), 3):
            first, second, both = SeesGroups.fits[start : start + 3]
            assert not first & second and first | second == both

    def test_the_default_classifier_is_told_the_groups(self, noisy_blobs, monkeypatch):
        X, y, groups = grouped(noisy_blobs)

        def quick(random_state, cv):
            return NoisyLabelClassifier(["logistic_regression"], cv=cv, random_state=random_state)

        monkeypatch.setattr("sklabelnoise.audit._default_classifier._classifier", quick)
        report = audit_labels(None, X, y, groups=groups, random_state=0, cv=2)
        model = quick(0, 2).fit(X, y, groups=groups)
        np.testing.assert_array_equal(report.proba, model.oof_proba_)

    def test_routing_of_metadata_brings_the_groups_too(self, noisy_blobs):
        X, y, groups = grouped(noisy_blobs)
        model = make_pipeline("passthrough", NoisyLabelClassifier(["logistic_regression"], cv=3, random_state=0))
        with config_context(enable_metadata_routing=True):
            routed = audit_labels(model, X, y, groups=groups)
        np.testing.assert_array_equal(routed.proba, audit_labels(model, X, y, groups=groups).proba)

    def test_one_that_was_fitted_without_them_is_fitted_again(self, noisy_blobs):
        X, y, groups = grouped(noisy_blobs)
        fitted = NoisyLabelClassifier(["logistic_regression"], cv=3, random_state=0).fit(X, y)
        report = audit_labels(fitted, X, y, groups=groups)
        fresh = audit_labels(clone(fitted), X, y, groups=groups)
        np.testing.assert_array_equal(report.proba, fresh.proba)

    def test_rows_that_are_groups_of_one_change_nothing_but_the_draw(self, noisy_blobs):
        X, y, _ = noisy_blobs
        report = audit_labels(LogisticRegression(), X, y, groups=np.arange(len(y)), random_state=0)
        assert (
            np.mean(report.proba.argmax(axis=1) == audit_labels(LogisticRegression(), X, y).proba.argmax(axis=1)) > 0.99
        )

    @pytest.mark.parametrize("groups, params, error, message", [
        (np.zeros(600), {}, ValueError, "cv=5 needs at least 5 groups, got 1"),
        (np.zeros(600), {"evidence": "fit"}, ValueError, "halves .* need at least 2 groups, got 1"),
        (np.zeros(599), {}, ValueError, "inconsistent numbers of samples"),
        ([None] * 600, {}, ValueError, "groups must not hold missing labels"),
        (np.arange(600) // 2, {"cv": StratifiedKFold(5)}, ValueError, "rows of a group must stay on one side"),
    ])  # fmt: skip
    def test_groups_that_can_not_be_kept_whole_are_refused(self, noisy_blobs, groups, params, error, message):
        X, y, _ = noisy_blobs
        with pytest.raises(error, match=message):
            audit_labels(LogisticRegression(), X, y, groups=groups, random_state=0, **params)

    def test_groups_beside_predictions_are_refused(self, noisy_blobs):
        _, y, _ = noisy_blobs
        proba = np.full((len(y), 3), 1 / 3)
        with pytest.raises(ValueError, match="groups keep rows together in fits, of which pred_probs need none"):
            audit_labels(None, None, y, pred_probs=proba, groups=np.arange(len(y)))

    def test_a_splitter_of_the_user_is_asked_with_the_groups(self, noisy_blobs):
        X, y, groups = grouped(noisy_blobs)
        report = audit_labels(LogisticRegression(), X, y, groups=groups, cv=GroupKFold(4))
        expected = cross_val_predict(
            LogisticRegression(), X, y, groups=groups, cv=GroupKFold(4), method="predict_proba"
        )
        np.testing.assert_allclose(report.proba, expected)


def test_everything_that_is_said_reaches_the_audit(monkeypatch):
    given = {name: object() for name in inspect.signature(audit_labels).parameters}
    monkeypatch.setattr(
        "sklabelnoise.audit._audit_labels.audit",
        lambda estimator, X, y, *, default, **options: (default, {"estimator": estimator, "X": X, "y": y, **options}),
    )
    default, reached = audit_labels(**given)
    assert reached == given
    assert default(np.eye(2))[0][-1].random_state is given["random_state"]

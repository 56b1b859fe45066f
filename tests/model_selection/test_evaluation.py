"""Which candidates of a search are fitted alone, and what is left where some fail."""

import warnings

import numpy as np
import pytest
import sklearn
import torch
from joblib import parallel_config
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, KFold
from torch import nn

import sklabelnoise
from sklabelnoise import DMClassifier, RobustLossClassifier
from sklabelnoise._classifiers._base import BaseNoisyLabelClassifier
from sklabelnoise.model_selection import FusedGridSearchCV
from tests.model_selection.compared import SMALL, assert_same_results, searches


class TestOrdinaryFits:
    """What can't be trained together is fitted alone, and `fused_` says why."""

    @pytest.mark.parametrize(
        ("classifier", "reason"),
        [
            (DMClassifier(**SMALL, early_stopping=True), "early_stopping ends each training by itself"),
            (DMClassifier(**SMALL, optimizer="RMSprop"), "optimizer RMSprop is none of SGD, Adam, AdamW"),
            (DMClassifier(**SMALL, optimizer="Adam", optimizer__amsgrad=True), "optimizer__amsgrad is set"),
            (DMClassifier(**SMALL, iterator_train__drop_last=True), "iterator_train__drop_last is set"),
            (
                DMClassifier(**SMALL, augment=lambda batch, generator: batch + torch.rand_like(batch)),
                "augment draws random numbers that are not from the generator it is given",
            ),
        ],
        ids=["early-stopping", "optimizer", "option", "iterator", "augment"],
    )
    def test_reasons(self, noisy, classifier, reason):
        X, y = noisy
        fused, plain = searches(classifier, {"lam": [0, 1]}, X, y, cv=2)
        assert not fused.fused_["fused"].any()
        assert fused.fused_["reason"].str.startswith(reason).all()
        assert (fused.fused_["group"] == -1).all()
        assert_same_results(fused, plain)

    def test_groups_say_what_sets_them_apart(self, noisy):
        X, y = noisy
        grid = [
            {"lam": [0, 1]},
            {"max_epochs": [2]},
            {"early_stopping": [True]},
            {"normalization": ["none"]},
            {"damping": [0.1], "lam": [0, 1]},  # which decides how the loss is computed
        ]
        search = FusedGridSearchCV(DMClassifier(**SMALL), grid, cv=2).fit(X, y)
        assert search.fused_["group"].tolist() == [0, 0, 1, -1, 2, 3, 3]
        reasons = search.fused_["reason"].tolist()
        assert reasons == [
            "",
            "",
            "another max_epochs",
            "early_stopping ends each training by itself",
            "loss.normalization differs in more than numbers",
            "another loss.damping",
            "another loss.damping",
        ]
        assert search.fused_["finished"].all()

    def test_other_estimators_are_searched_as_usual(self, noisy):
        X, y = noisy
        with parallel_config(backend="threading"):
            forest = RandomForestClassifier(n_estimators=5, random_state=0)
            fused, plain = searches(forest, {"max_depth": [1, 3]}, X, y, cv=3, n_jobs=2)
        assert_same_results(fused, plain)
        assert (
            fused.fused_["reason"].tolist()
            == ["RandomForestClassifier is none of the classifiers that can be trained in a stack"] * 2
        )

    def test_what_is_fitted_alone_is_fitted_and_scored_as_in_grid_search(self, noisy):
        X, y = noisy
        # A candidate has the parameters of its own setting and none of the one before it.
        grid = [{"lam": [4.0]}, {"beta": [0.0]}]
        weight = np.random.default_rng(0).uniform(0, 2, len(y))
        with sklearn.config_context(enable_metadata_routing=True):
            classifier = DMClassifier(**SMALL, early_stopping=True).set_fit_request(sample_weight=True)
            fused, plain = searches(
                classifier,
                grid,
                X,
                y,
                cv=2,
                scoring=make_scorer(log_loss, response_method="predict_proba").set_score_request(sample_weight=True),
                return_train_score=True,
                fit_params={"sample_weight": weight},
            )
        assert not fused.fused_["fused"].any()
        assert_same_results(fused, plain)
        np.testing.assert_array_equal(fused.predict_proba(X), plain.predict_proba(X))
        assert classifier.lam == DMClassifier().lam

    def test_a_subclass_with_a_fit_of_its_own_is_fitted_with_it(self, noisy):
        X, y = noisy

        class Shouting(DMClassifier):
            def fit(self, X, y, **params):
                return super().fit(X, y, **params)

        search = FusedGridSearchCV(Shouting(**SMALL), {"lam": [0, 1]}, cv=2).fit(X, y)
        assert search.fused_["reason"].tolist() == ["Shouting has a method fit of its own"] * 2

    def test_a_module_that_cannot_be_stacked_is_named_in_a_warning(self, noisy):
        X, y = noisy
        with pytest.warns(UserWarning, match=r"one by one.*layer 'odd' \(Branching\) can't run under vmap: .*[^.]\.$"):
            fused = FusedGridSearchCV(DMClassifier(WithBranch, **TINY), {"lam": [0, 1]}, cv=2).fit(X, y)
        assert not fused.fused_["fused"].any()
        assert_same_results(fused, GridSearchCV(DMClassifier(WithBranch, **TINY), {"lam": [0, 1]}, cv=2).fit(X, y))

    def test_a_module_that_keeps_state_in_python_is_named_in_a_warning(self, noisy):
        X, y = noisy
        with pytest.warns(UserWarning, match=r"layer 'odd' \(Counting\) changes its attribute 'calls' in forward"):
            FusedGridSearchCV(DMClassifier(WithCounter, **TINY), {"lam": [0, 1]}, cv=2).fit(X, y)

    def test_a_loss_that_fails_in_the_middle_falls_back_to_ordinary_fits(self, noisy):
        X, y = noisy
        classifier = RobustLossClassifier(loss=temperamental, **SMALL)
        with pytest.warns(UserWarning, match="training together failed: RuntimeError: not in the mood"):
            search = FusedGridSearchCV(classifier, {"lr": [0.01, 0.1]}, cv=2).fit(X, y)
        assert not search.fused_["fused"].any()
        assert search.fused_["finished"].all()
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()


TINY = {"max_epochs": 1, "random_state": 0, "device": "cpu"}


class Branching(nn.Module):
    def forward(self, x):
        return -x if x.sum() > 0 else x


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x


class WithBranch(nn.Module):
    def __init__(self, n_features, n_classes, odd=Branching):
        super().__init__()
        self.linear, self.odd = nn.Linear(n_features, n_classes), odd()

    def forward(self, x):
        return self.odd(self.linear(x))


class WithCounter(WithBranch):
    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes, Counting)


def temperamental(logits, targets):
    """A loss that takes the seven rows of the probe, and no full batch of several replicas."""
    if logits.dim() > 2 and logits.shape[-2] > 7:
        raise RuntimeError("not in the mood")
    return nn.functional.cross_entropy(logits.movedim(-1, 1), targets, reduction="none")


def several_scores(estimator, X, y):
    return {"accuracy": np.mean(estimator.predict(X) == y), "sure": estimator.predict_proba(X).max(axis=1).mean()}


def unwilling(estimator, X, y):
    """A scorer that scores only what agrees with it."""
    if np.mean(estimator.predict(X) == y) < 0.9:
        raise ValueError("not good enough")
    return 1.0


class TestBadInput:
    def test_an_unknown_parameter_is_named_with_the_nearest(self, noisy):
        X, y = noisy
        with pytest.raises(ValueError, match="DMClassifier has no parameter 'bata'; the nearest is 'beta'"):
            FusedGridSearchCV(DMClassifier(**SMALL), {"bata": [1, 2]}, cv=2).fit(X, y)

    def test_a_candidate_that_diverges_gets_the_error_score_and_changes_no_other(self, noisy):
        X, y = noisy
        classifier = DMClassifier(optimizer="SGD", **SMALL)
        params = {"cv": 3, "scoring": "neg_log_loss", "refit": False}
        sane = FusedGridSearchCV(classifier, {"lr": [0.1, 0.2, 0.3]}, **params).fit(X, y)
        with pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 9.(.|\n)*the train loss became nan"):
            wild = FusedGridSearchCV(classifier, {"lr": [0.1, 1e300, 0.3]}, error_score=-99.0, **params).fit(X, y)
        assert wild.fused_["fused"].all()
        for split in range(3):
            key = f"split{split}_test_score"
            assert wild.cv_results_[key][1] == -99
            assert (wild.cv_results_[key][[0, 2]] == sane.cv_results_[key][[0, 2]]).all()

    @pytest.mark.parametrize("scoring", [None, ["accuracy", "neg_log_loss"], several_scores, unwilling])
    def test_scores_of_what_failed_are_those_of_grid_search(self, noisy, scoring):
        X, y = noisy
        classifier = DMClassifier(optimizer="SGD", **SMALL)
        params = {"cv": 2, "scoring": scoring, "refit": False, "return_train_score": True, "error_score": -99.0}
        grid = {"lr": [0.1, 1e300], "early_stopping": [False, True]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the fits and scores that failed
            fused, plain = searches(classifier, grid, X, y, **params)
        assert fused.fused_["fused"].tolist() == [True, True, False, False]
        assert_same_results(fused, plain)
        assert sum(np.sum(values == -99) for name, values in fused.cv_results_.items() if "split0" in name) >= 4

    def test_a_candidate_that_diverges_raises_where_that_is_wanted(self, noisy):
        X, y = noisy
        search = FusedGridSearchCV(
            DMClassifier(optimizer="SGD", **SMALL), {"lr": [0.1, 1e300]}, cv=3, error_score="raise"
        )
        with pytest.raises(ValueError, match=r"Training stopped: the train loss became nan in epoch \d+, batch \d+"):
            search.fit(X, y)

    @pytest.mark.parametrize(("name", "values"), [("lam", [-1, 0.5]), ("max_epochs", [0, 2]), ("lr", ["fast", 0.1])])
    def test_an_invalid_value_fails_as_in_grid_search(self, noisy, name, values):
        X, y = noisy
        with pytest.warns(FitFailedWarning, match=f"'{name}'"):
            fused, plain = searches(DMClassifier(**SMALL), {name: values}, X, y, cv=2, error_score=-1)
        assert fused.fused_["fused"].tolist() == [False, True]
        assert f"'{name}'" in fused.fused_["reason"][0]
        assert_same_results(fused, plain)

    def test_when_all_fits_fail_the_reason_is_raised(self, noisy):
        X, y = noisy
        X = np.where(X > 3, np.nan, X)
        with pytest.raises(ValueError, match=r"All the 4 fits failed(.|\n)*Input X contains NaN"):
            FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 1]}, cv=2).fit(X, y)

    @pytest.mark.parametrize("cv", [0, "five"])
    def test_invalid_parameters_of_the_search_are_refused(self, noisy, cv):
        X, y = noisy
        with pytest.raises(ValueError, match="cv"):
            FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 1]}, cv=cv).fit(X, y)

    def test_a_failed_search_keeps_what_was_fitted(self, noisy):
        X, y = noisy
        search = FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 1]}, cv=2).fit(X, y)
        before = search.cv_results_
        with pytest.raises(ValueError):
            search.fit(np.full_like(X, np.nan), y)
        assert search.cv_results_ is before
        assert len(search.predict(X)) == len(X)

    def test_an_interruption_keeps_and_marks_what_is_finished(self, noisy, monkeypatch):
        X, y = noisy
        grid = [{"lam": [0, 1]}, {"lam": [0.5], "max_epochs": [2]}, {"early_stopping": [True]}]
        whole = FusedGridSearchCV(DMClassifier(**SMALL), grid, cv=2).fit(X, y)

        trained = []
        train = sklabelnoise._fused._training.train_replicas

        def interrupted(*args, **kwargs):
            if trained:
                raise KeyboardInterrupt
            trained.append(train(*args, **kwargs))
            return trained[0]

        monkeypatch.setattr("sklabelnoise._fused._training.train_replicas", interrupted)
        search = FusedGridSearchCV(DMClassifier(**SMALL), grid, cv=2)
        with pytest.raises(KeyboardInterrupt):
            search.fit(X, y)
        assert search.fused_["finished"].tolist() == [True, True, False, False]
        scores = search.cv_results_["mean_test_score"]
        assert (scores[:2] == whole.cv_results_["mean_test_score"][:2]).all()
        assert np.isnan(scores[2:]).all()
        assert not hasattr(search, "best_estimator_")

    def test_a_candidate_fitted_alone_is_finished_when_all_its_splits_are(self, noisy):
        X, y = noisy

        class Interrupted(LogisticRegression):
            fits = 0

            def fit(self, X, y, sample_weight=None):
                type(self).fits += 1
                if self.fits == 6:  # the last split of the second candidate
                    raise KeyboardInterrupt
                return super().fit(X, y, sample_weight)

        search = FusedGridSearchCV(Interrupted(), {"C": [0.1, 1.0, 10.0]}, cv=3)
        with pytest.raises(KeyboardInterrupt):
            search.fit(X, y)
        assert search.fused_["finished"].tolist() == [True, False, False]

    def test_an_error_in_the_middle_leaves_no_results_that_look_like_those_of_a_search(self, noisy):
        X, y = noisy
        scored = []

        def score(estimator, X, y):
            scored.append(estimator)
            if len(scored) == 3:
                raise ValueError("out of ink")
            return 1.0

        search = FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 1]}, cv=2, scoring=score, error_score="raise")
        with pytest.raises(ValueError, match="out of ink"):
            search.fit(X, y)
        assert not {"cv_results_", "fused_", "best_params_"} & vars(search).keys()

    @pytest.mark.parametrize("estimator", [DMClassifier(**SMALL), LogisticRegression()], ids=["network", "other"])
    def test_missing_labels_and_empty_or_uncertain_splits_are_named(self, noisy, estimator):
        class Uncertain(KFold):
            def get_n_splits(self, *args, **kwargs):
                return 4

        X, y = noisy
        search = FusedGridSearchCV(estimator, {}, cv=2)
        with pytest.raises(ValueError, match="y must not hold missing labels, got one in row 1"):
            search.fit(X, ["a", None] * 105 + ["b"])
        with pytest.raises(ValueError, match=r"No fits were performed: .* got 1 and 0"):
            search.set_params(cv=[]).fit(X, y)
        with pytest.raises(ValueError, match="cv must give as many splits as it announces, 4, got 3"):
            search.set_params(cv=Uncertain(3)).fit(X, y)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
    @pytest.mark.parametrize("where", ["train_replicas", "refit"])
    def test_a_fit_that_is_broken_off_leaves_what_an_earlier_one_found(self, noisy, monkeypatch, error, where):
        X, y = noisy
        search = FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 1]}, cv=2, error_score="raise").fit(X, y)
        before, proba = dict(vars(search)), search.predict_proba(X)

        def broken(*args, **kwargs):
            raise error

        if where == "refit":
            monkeypatch.setattr(BaseNoisyLabelClassifier, "fit", broken)
        else:
            monkeypatch.setattr("sklabelnoise._fused._training.train_replicas", broken)
            monkeypatch.setattr(BaseNoisyLabelClassifier, "fit", broken)
        with pytest.raises(error), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            search.fit(X[:60], y[:60])
        assert vars(search).keys() == before.keys()
        assert all(vars(search)[name] is value for name, value in before.items())
        assert np.array_equal(search.predict_proba(X), proba)

    def test_a_refit_that_fails_leaves_the_results(self, noisy, monkeypatch):
        X, y = noisy
        whole = FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 1]}, cv=2).fit(X, y)

        def broken(*args, **kwargs):
            raise MemoryError

        monkeypatch.setattr(BaseNoisyLabelClassifier, "fit", broken)
        search = FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 1]}, cv=2)
        with pytest.raises(MemoryError):
            search.fit(X, y)
        assert (search.cv_results_["mean_test_score"] == whole.cv_results_["mean_test_score"]).all()
        assert search.fused_["finished"].all() and not hasattr(search, "best_estimator_")

"""Fits trained together are the fits they replace."""

import time
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import KFold

from sklabelnoise import DMClassifier, RobustLossClassifier, StochasticLabelRefinery
from sklabelnoise._foundation._checkpoint import Checkpoint
from sklabelnoise._foundation._work import Work
from sklabelnoise._fused import _training as fused_training
from sklabelnoise._fused._fits import Fits, fit_alone, fit_together, predict_left_out, refuse
from sklabelnoise._fused._folds import make_folds
from sklabelnoise._stacked import _loop
from sklabelnoise._stacked._criterion import NotStackableError

SMALL = {"module__hidden": (8,), "max_epochs": 3, "batch_size": 32, "device": "cpu", "random_state": 0}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    labels = np.arange(103) % 3
    X = rng.normal(size=(103, 4)) + np.eye(3, 4)[labels]
    return X, labels, rng.dirichlet(np.ones(3), 103)


def left_out_one_by_one(estimator, X, targets, splits, sample_weight=None):
    """The definition: a fit for each fold, on soft labels unless all are one-hot."""
    proba = np.zeros(targets.shape)
    for train, test in splits:
        params = {} if sample_weight is None else {"sample_weight": sample_weight[train]}
        if targets[train].max(axis=1).min() < 1:
            params["soft_labels"] = pd.DataFrame(targets[train])
        model = clone(estimator).fit(X[train], targets[train].argmax(axis=1), **params)
        proba[np.ix_(test, model.classes_)] = model.predict_proba(X[test])
    return proba


class TestDerivatives:
    """Training needs derivatives, in whatever block it is called, and leaves the caller's as it was."""

    @pytest.mark.parametrize("loss", ["dm", "gce"])
    def test_in_a_block_without_derivatives_fits_are_trained_together_to_the_same_bits(self, table, loss):
        X, _, targets = table
        estimator = DMClassifier(**SMALL) if loss == "dm" else RobustLossClassifier(loss="gce", **SMALL)
        splits = list(KFold(3).split(X))
        expected = predict_left_out(estimator, X, targets, splits)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("error")  # of a training together that failed
            found = predict_left_out(estimator, X, targets, splits)
            assert not torch.is_grad_enabled()
        np.testing.assert_array_equal(found, expected)

    def test_ctrl_c_where_torch_is_about_to_begin_a_block_leaves_no_such_block(self, table, monkeypatch):
        X, _, targets = table

        def begun_and_interrupted(*args, **kwargs):
            torch.set_grad_enabled(False)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(_loop, "_equal_batches", begun_and_interrupted)
            with pytest.raises(KeyboardInterrupt):
                predict_left_out(DMClassifier(**SMALL), X, targets, list(KFold(3).split(X)))
        assert torch.is_grad_enabled()


class TestPredictLeftOut:
    @pytest.mark.parametrize("kind", ["soft", "hard", "one fold hard", "weighted", "class missing", "one class ahead"])
    def test_it_is_a_fit_for_each_fold(self, table, kind, monkeypatch):
        monkeypatch.setattr("sklabelnoise._fused._fits.fit_alone", lambda keys, *args: refuse(keys))
        X, labels, soft = table
        hard = np.eye(3)[labels]
        splits = list(KFold(4, shuffle=True, random_state=0).split(X))
        targets, weight = soft, None
        if kind == "hard":
            targets = hard
        elif kind == "one fold hard":
            targets = np.where(np.isin(np.arange(len(X)), splits[0][1])[:, None], soft, hard)
        elif kind == "weighted":
            weight = np.random.default_rng(1).integers(0, 3, len(X)).astype(float)
        elif kind == "one class ahead":
            targets = 0.6 * np.eye(3)[0] + 0.4 * soft
        elif kind == "class missing":
            targets = hard.copy()
            targets[labels == 2] = hard[0]
            targets[splits[0][1][0]] = [0, 0, 1]  # the only row of its class
        estimator = DMClassifier(**SMALL)
        together = predict_left_out(estimator, X, targets, splits, weight)
        alone = left_out_one_by_one(estimator, X, targets, splits, weight)
        np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(together.sum(axis=1), 1)

    @pytest.mark.parametrize("optimizer", ["Adam", "RMSprop"], ids=["together", "alone"])
    def test_the_losses_of_each_fold_are_left(self, table, optimizer):
        X, _, soft = table
        splits = list(KFold(3, shuffle=True, random_state=1).split(X))
        estimator = DMClassifier(**SMALL, optimizer=optimizer)
        predict_left_out(estimator, X, soft, splits)
        for (train, _), losses in zip(splits, estimator._left_out_loss_curves, strict=True):
            own = clone(estimator).fit(X[train], soft[train].argmax(axis=1), soft_labels=pd.DataFrame(soft[train]))
            np.testing.assert_allclose(losses, own.loss_curve_, rtol=1e-9)

    def test_what_cannot_be_trained_together_is_fitted_fold_by_fold(self, table):
        X, _, soft = table
        splits = list(KFold(3).split(X))
        estimator = DMClassifier(**SMALL, optimizer="RMSprop")
        np.testing.assert_array_equal(
            predict_left_out(estimator, X, soft, splits), left_out_one_by_one(estimator, X, soft, splits)
        )

    def test_frames_and_sparse_rows(self, table):
        import scipy.sparse

        X, _, soft = table
        splits = list(KFold(3).split(X))
        expected = predict_left_out(DMClassifier(**SMALL), X, soft, splits)
        for rows in (pd.DataFrame(X, columns=list("abcd")), scipy.sparse.csr_matrix(X)):
            np.testing.assert_allclose(
                predict_left_out(DMClassifier(**SMALL), rows, soft, splits), expected, rtol=1e-9, atol=1e-9
            )

    def test_a_fold_that_diverges_raises(self, table):
        X, _, soft = table
        estimator = DMClassifier(**{**SMALL, "optimizer": "SGD", "lr": 1e300})
        with pytest.raises(ValueError, match="Training stopped: the train loss became nan"):
            predict_left_out(estimator, X, soft, list(KFold(3).split(X)))


class TestRefinery:
    def test_a_refinery_trains_its_folds_together(self, table, monkeypatch):
        X, labels, _ = table

        class FoldByFold(DMClassifier):
            _predict_left_out = None

        alone = StochasticLabelRefinery(FoldByFold(**SMALL), n_rounds=3, cv=4, random_state=0).fit(X, labels)
        refinery = StochasticLabelRefinery(DMClassifier(**SMALL), n_rounds=3, cv=4, random_state=0)
        together = refinery.fit(X, labels)
        np.testing.assert_allclose(together.soft_labels_, alone.soft_labels_, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(together.predict_proba(X), alone.predict_proba(X), rtol=1e-8, atol=1e-8)

        stacked = []
        train = fused_training.train_replicas
        monkeypatch.setattr(fused_training, "train_replicas", lambda *a, **k: stacked.append(a) or train(*a, **k))
        refinery.fit(X, labels)
        assert len(stacked) == 3  # one training a round


class Shifted(torch.nn.Module):
    """Holds numbers that no file of its state has."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.output = torch.nn.Linear(n_features, n_classes)
        self.register_buffer("shift", torch.arange(float(n_features)), persistent=False)

    def forward(self, x):
        return self.output(x + self.shift)


class Ended(BaseException):
    """What nobody takes for a training together that failed."""


class TestFitTogether:
    def test_members_are_the_fits_of_their_seeds(self, table, monkeypatch):
        X, labels, _ = table
        y = np.array(["a", "b", "c"])[labels]
        members = [DMClassifier(**{**SMALL, "random_state": seed}) for seed in range(3)]
        alone = [clone(member).fit(X, y) for member in members]
        monkeypatch.setattr("sklabelnoise._classifiers._base._OWN_METHODS", ())
        monkeypatch.setattr(DMClassifier, "fit", None)  # not one of them is fitted alone
        together = fit_together(members, X, y)
        for ours, theirs in zip(together, alone, strict=True):
            assert ours.random_state == theirs.random_state
            np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)
            np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
            np.testing.assert_allclose(ours.label_quality_, theirs.label_quality_, rtol=1e-9)
            assert list(ours.classes_) == ["a", "b", "c"]
            assert list(ours.history_) == list(theirs.history_)
            assert ours.history_["train_accuracy"].tolist() == theirs.history_["train_accuracy"].tolist()
            assert ours.net_.iteration_ == theirs.net_.iteration_
            assert vars(ours).keys() == vars(theirs).keys()

    def test_members_of_other_rates_and_schedules_have_their_own_history(self, table):
        X, labels, _ = table
        X = pd.DataFrame(X, columns=list("abcd"))
        settings = {**SMALL, "optimizer": "SGD", "optimizer__momentum": 0.8, "optimizer__nesterov": True}
        members = [
            DMClassifier(**{**settings, "lr": 0.1}),
            DMClassifier(**{**settings, "lr": 0.01, "lr_schedule": "cosine"}),
            DMClassifier(**{**settings, "lr": 0.05, "lr_schedule": "one-cycle", "random_state": 1}),
        ]
        start = time.perf_counter()
        together = fit_together(members, X, labels)
        elapsed = time.perf_counter() - start
        for ours, member in zip(together, members, strict=True):
            theirs = clone(member).fit(X, labels)
            for name in ("epoch", "train_loss", "lr"):
                np.testing.assert_allclose(ours.history_[name], theirs.history_[name], rtol=1e-9)
            assert list(ours.feature_names_in_) == list("abcd")
            np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)
            assert not hasattr(member, "classes_")
        assert 0 < sum(ours.history_["seconds"].sum() for ours in together) < elapsed

    def test_without_a_seed_every_member_draws_its_own(self, table):
        X, labels, _ = table
        first, second = fit_together([DMClassifier(**{**SMALL, "random_state": None}) for _ in range(2)], X, labels)
        assert not np.allclose(first.predict_proba(X), second.predict_proba(X))

    def test_configurations_may_differ_and_some_may_be_fitted_alone(self, table):
        X, labels, soft = table
        estimators = [
            DMClassifier(**SMALL, lam=1),
            RobustLossClassifier(**SMALL, loss="mae"),
            DMClassifier(**SMALL, early_stopping=True),
            DMClassifier(**SMALL, lam=0),
        ]
        weight = np.linspace(0, 1, len(X))
        together = fit_together(estimators, X, labels, sample_weight=weight, soft_labels=soft)
        for ours, estimator in zip(together, estimators, strict=True):
            theirs = clone(estimator).fit(X, labels, weight, soft_labels=soft)
            np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)
            assert ours.label_quality_.shape == (len(X),)

    def test_held_out_rows_end_the_training_of_each(self, table):
        X, labels, _ = table
        validation = {"X_val": X[:30], "y_val": (labels[:30] + 1) % 3}  # the less is learned, the better
        members = [
            DMClassifier(**{**SMALL, "max_epochs": 40, "random_state": k}, early_stopping=True) for k in range(2)
        ]
        for ours, member in zip(fit_together(members, X, labels, validation=validation), members, strict=True):
            theirs = clone(member).fit(X, labels, **validation)
            assert ours.n_iter_ == theirs.n_iter_ < 40
            np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))

    @pytest.mark.parametrize("early_stopping", [False, True], ids=["together", "alone"])
    def test_what_was_kept_is_not_trained_again_and_counts_as_done(self, table, tmp_path, monkeypatch, early_stopping):
        X, labels, _ = table
        members = [DMClassifier(**{**SMALL, "random_state": k}, early_stopping=early_stopping) for k in range(3)]
        advances = ([], [])
        first = fit_together(members, X, labels, work=Work(Checkpoint(tmp_path, {})), advance=advances[0].append)

        def never(*args, **kwargs):
            raise Ended

        monkeypatch.setattr(_loop._EpochSums, "write", never)
        monkeypatch.setattr("sklabelnoise.training._net.NoisyLabelNet.fit_epochs", never)
        again = fit_together(members, X, labels, work=Work(Checkpoint(tmp_path, {})), advance=advances[1].append)
        for ours, theirs in zip(again, first, strict=True):
            np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
        assert [sum(own) for own in advances] == pytest.approx([3, 3])

    def test_a_member_that_diverges_raises(self, table):
        X, labels, _ = table
        members = [DMClassifier(**{**SMALL, "optimizer": "SGD", "lr": lr}) for lr in (0.1, 1e300)]
        with pytest.raises(ValueError, match="Training stopped"):
            fit_together(members, X, labels)


class TestFits:
    """The one way of fitting many candidates on many folds."""

    @pytest.fixture
    def splits(self, table):
        return list(KFold(3).split(table[0]))

    def fits(self, candidates, table, splits, **options):
        X, y, _ = table
        folds = partial(make_folds, X=X, y=y, splits=splits, fit_params={})
        alone = partial(
            fit_alone, candidates=candidates, X=X, splits=splits, fit_params=lambda fold: {"y": y[splits[fold][0]]}
        )
        return Fits(candidates, len(splits), folds, alone, **options)

    def test_each_candidate_is_fitted_once_on_each_fold(self, table, splits):
        candidates = [DMClassifier(**SMALL, lam=lam) for lam in (0, 1)]
        candidates.insert(1, DMClassifier(**SMALL, early_stopping=True))
        fits = self.fits(candidates, table, splits)
        keys = [(fit.candidate, fit.fold) for fit in fits]
        assert sorted(keys) == [(candidate, fold) for candidate in range(3) for fold in range(3)]
        assert fits.stack_of == {0: 0, 2: 0}
        assert fits.reasons == {1: "early_stopping ends each training by itself"}

    def test_a_fit_is_the_same_together_and_alone(self, table, splits):
        candidates = [DMClassifier(**SMALL, lam=lam) for lam in (0, 1)]
        fits = self.fits(candidates, table, splits, parts=("test", "train"))
        together = {(fit.candidate, fit.fold): fit for fit in fits}
        alone = {(fit.candidate, fit.fold): fit for fit in fits.fit_alone(list(together), parts=("test", "train"))}
        for key, fit in together.items():
            for ours, theirs in zip(fit.logits, alone[key].logits, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
            _, test = splits[fit.fold]
            np.testing.assert_allclose(fit.fitted().decision_function(table[0][test]), fit.logits[0], atol=1e-12)

    def test_a_training_that_breaks_is_left_to_ordinary_fits(self, table, splits, monkeypatch):
        def broken(*args, **kwargs):
            raise RuntimeError("out of luck")

        monkeypatch.setattr(fused_training, "train_replicas", broken)
        fits = self.fits([DMClassifier(**SMALL)], table, splits)
        with pytest.warns(UserWarning, match="training together failed: RuntimeError: out of luck"):
            assert [fit.fold for fit in fits] == [0, 1, 2]
        assert fits.stack_of == {}
        assert fits.reasons == {0: "training together failed: RuntimeError: out of luck"}

    def test_a_training_that_breaks_leaves_the_others_together(self, table, splits, monkeypatch):
        train = fused_training.train_replicas

        def broken_for_one_epoch(*args, max_epochs, **kwargs):
            if max_epochs == 1:
                raise RuntimeError("out of luck")
            return train(*args, max_epochs=max_epochs, **kwargs)

        monkeypatch.setattr(fused_training, "train_replicas", broken_for_one_epoch)
        fits = self.fits([DMClassifier(**{**SMALL, "max_epochs": n}) for n in (1, 2)], table, splits)
        ordinary, alone = fits.fit_alone, []
        fits.fit_alone = lambda keys: alone.extend(keys) or ordinary(keys)
        with pytest.warns(UserWarning, match="out of luck"):
            assert len(list(fits)) == 6
        assert alone == [(0, 0), (0, 1), (0, 2)]

    def test_a_training_that_breaks_leaves_candidates_that_were_done(self, table, splits, monkeypatch):
        train, taken = fused_training.train_replicas, []

        def broken_after_three(*args, **kwargs):
            taken.append(args)
            if len(taken) > 3:
                raise RuntimeError("out of luck")
            return train(*args, **kwargs)

        monkeypatch.setattr(fused_training, "replicas_within_memory", lambda *args, **kwargs: 1)
        monkeypatch.setattr(fused_training, "train_replicas", broken_after_three)
        fits = self.fits([DMClassifier(**SMALL, lam=lam) for lam in (0, 1)], table, splits)
        with pytest.warns(UserWarning, match="out of luck"):
            assert len(list(fits)) == 6
        assert fits.stack_of == {0: 0} and list(fits.reasons) == [1]

    @pytest.mark.parametrize("alone", [False, True], ids=["together", "alone"])
    def test_a_failure_is_noted_and_leaves_the_others(self, table, splits, alone):
        candidates = [DMClassifier(**SMALL, lr=lr, weight_decay=0, optimizer="SGD") for lr in (1e-3, 1e200)]
        fits = self.fits(candidates, table, splits)
        if alone:
            fits.make_folds = lambda candidate: refuse([])
        failures = {(fit.candidate, fit.fold): fit.failure for fit in fits}
        assert [failures[0, fold] for fold in range(3)] == [None] * 3
        assert all("Training stopped" in failures[1, fold] for fold in range(3))

    def test_all_stacks_are_trained(self, table, splits):
        candidates = [DMClassifier(**{**SMALL, "max_epochs": n_epochs}) for n_epochs in (1, 2, 1)]
        fits = self.fits(candidates, table, splits)
        fits.fit_alone = refuse
        assert len({(fit.candidate, fit.fold) for fit in fits}) == 9
        assert fits.stack_of == {0: 0, 1: 1, 2: 0}
        assert fits.apart_by == ["", "another max_epochs"]

    def test_modules_with_buffers_that_are_not_saved_are_trained_together(self, table, splits):
        own = {**SMALL, "module": Shifted}
        del own["module__hidden"]
        fits = self.fits([DMClassifier(**own)], table, splits)
        fits.fit_alone = refuse
        for fit in fits:
            alone = clone(fits.candidates[0]).fit(table[0][splits[fit.fold][0]], table[1][splits[fit.fold][0]])
            expected = alone.decision_function(table[0][splits[fit.fold][1]])
            np.testing.assert_allclose(fit.logits[0], expected, rtol=1e-9, atol=1e-12)
            assert torch.equal(fit.fitted().module_.shift, alone.module_.shift)

    def test_candidates_that_see_other_rows_are_said_to(self, table, splits):
        fits = self.fits([DMClassifier(**SMALL, dtype=dtype) for dtype in ("auto", "float32")], table, splits)
        fits.fit_alone = refuse
        assert len(list(fits)) == 6
        assert fits.stack_of == {0: 0, 1: 1}
        assert fits.apart_by == ["", "other rows to train on, of other transformers or dtype"]

    @pytest.mark.parametrize("share_seed", [True, False])
    def test_candidates_without_a_seed_share_one_where_that_is_wanted(self, table, splits, share_seed):
        candidates = [DMClassifier(**{**SMALL, "random_state": None}) for _ in range(2)]
        logits = [fit.logits[0] for fit in self.fits(candidates, table, splits, share_seed=share_seed) if fit.fold == 0]
        assert np.allclose(*logits, rtol=1e-9, atol=1e-12) is share_seed

    def test_ordinary_fits_leave_the_candidates_as_they_are_and_only_wrong_values_are_failures(self, table, splits):
        def broken(batch, generator):
            raise RuntimeError("out of ink")

        (candidate,) = candidates = [DMClassifier(**SMALL, early_stopping=True)]
        assert all(fit.failure is None for fit in self.fits(candidates, table, splits))
        assert not hasattr(candidate, "classes_")
        with pytest.raises(RuntimeError, match="out of ink"):
            list(self.fits([candidate.set_params(augment=broken)], table, splits))

    def test_kept_fits_are_known_by_candidate_fold_and_name(self, table, splits, tmp_path):
        X, y, _ = table
        candidates = [DMClassifier(**SMALL, early_stopping=True, lam=lam) for lam in (0, 1)]
        keys = [(number, fold) for number in range(2) for fold in range(3)]

        def logits(candidates, name, work=None):
            params = {"fit_params": lambda fold: {"y": y[splits[fold][0]]}, "work": work, "name": name}
            return [fit.logits[0] for fit in fit_alone(keys, candidates, X, splits, **params)]

        for of, name in ((candidates, "one"), (candidates, "one"), (candidates[::-1], "other")):
            found, expected = logits(of, name, Work(Checkpoint(tmp_path, {}))), logits(of, name)
            assert all(map(np.array_equal, found, expected))

    def test_a_fit_that_diverges_in_one_fold_fails_in_that_fold(self, table, splits):
        X, y, _ = table
        X = X.copy()
        X[splits[0][1][0]] = 1e200  # in the rows that the first fold leaves out
        candidates = [DMClassifier(**SMALL, lam=lam, optimizer="SGD") for lam in (0, 1)]
        fits = list(self.fits(candidates, (X, y, None), splits))
        assert [(fit.fold, fit.failure is None) for fit in fits if fit.candidate == 1] == [
            (fold, fold == 0) for fold in [fit.fold for fit in fits if fit.candidate == 1]
        ]

    def test_fitted_classifiers_of_one_candidate_are_one_a_fold(self, table, splits):
        candidates = [DMClassifier(**SMALL, lam=lam) for lam in (0, 1)]
        fits = list(self.fits(candidates, table, splits))
        fitted = [fit.fitted() for fit in fits]
        for fit, classifier in zip(fits, fitted, strict=True):
            _, test = splits[fit.fold]
            np.testing.assert_allclose(classifier.decision_function(table[0][test]), fit.logits[0], atol=1e-12)
            assert classifier.lam == fit.candidate
        assert not any(hasattr(candidate, "classes_") for candidate in candidates)

    def test_logits_within_little_memory_are_the_same(self, table, splits, monkeypatch):
        fits = self.fits([DMClassifier(**SMALL, lam=lam) for lam in (0, 0.5, 1)], table, splits)
        whole = {(fit.candidate, fit.fold): fit.logits[0] for fit in fits}
        for n_at_once in (1, 2):
            n_bytes = 8 * n_at_once * len(splits[0][1]) * 3
            monkeypatch.setattr(fused_training, "bytes_available", lambda device, n=n_bytes: n)
            found = {(fit.candidate, fit.fold): fit.logits[0] for fit in fits}
            assert found.keys() == whole.keys()
            for key, logits in found.items():
                np.testing.assert_allclose(logits, whole[key], rtol=1e-9, atol=1e-12)

    def test_replicas_apart_for_want_of_memory_keep_the_weights_of_their_classes(self, table, splits, monkeypatch):
        weights = [None, "balanced", {0: 1, 1: 2, 2: 4}, {0: 3, 1: 1, 2: 1}]
        y = np.array([0, 0, 0, 1, 1, 2])[np.arange(len(table[1])) % 6]
        fits = self.fits([DMClassifier(**SMALL, class_weight=w) for w in weights], (table[0], y, None), splits)
        whole = {(fit.candidate, fit.fold): fit.logits[0] for fit in fits}
        for n_replicas in (1, 2, 3):
            monkeypatch.setattr(fused_training, "replicas_within_memory", lambda *args, n=n_replicas, **kw: n)
            for fit in fits:
                np.testing.assert_allclose(fit.logits[0], whole[fit.candidate, fit.fold], rtol=1e-9, atol=1e-12)

    def test_kept_trainings_are_known_by_folds_seeds_and_name(self, table, splits, tmp_path, monkeypatch):
        monkeypatch.setattr(fused_training, "replicas_within_memory", lambda *args, **kwargs: 1)
        checkpoint = Checkpoint(tmp_path, {})

        def logits(seed, lam=0, **kept):
            candidates = [DMClassifier(**{**SMALL, "random_state": seed}, lam=lam + more) for more in (0, 2)]
            return [fit.logits[0] for fit in self.fits(candidates, table, splits, **kept)]

        # another configuration has another name, as the callers see to
        for seed, lam, name in ((0, 0, "one"), (1, 0, "one"), (0, 1, "other"), (0, 0, "one")):
            found = logits(seed, lam, checkpoint=checkpoint, name=name)
            assert all(map(np.array_equal, found, logits(seed, lam)))

    def test_refusing_ordinary_fits_is_an_error(self, table, splits):
        fits = self.fits([DMClassifier(**SMALL, early_stopping=True)], table, splits)
        fits.fit_alone = refuse
        with pytest.raises(NotStackableError, match="3 fits can't be trained together"):
            list(fits)

"""What every classifier promises: notes of its training, at home in scikit-learn, an end where it should be."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EpochScoring, LRScheduler
from torch import nn

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.modules import MLP, ResNet20

CLASSIFIERS = [DMClassifier, ProSelfLCClassifier, RobustLossClassifier]
FAST = {"max_epochs": 3, "random_state": 0}

each_classifier = pytest.mark.parametrize("classifier", CLASSIFIERS)


def proba(model, X, y, **kwargs):
    return model.fit(X, y, **kwargs).predict_proba(X)


def images(n=20, channels=3, size=8):
    X = np.random.default_rng(0).integers(0, 256, size=(n, channels, size, size), dtype=np.uint8)
    return X, np.arange(n) % 2


def test_the_history_records_each_epoch_and_what_was_used(blobs):
    X, y = blobs
    model = DMClassifier(**FAST).fit(X, y, X_val=X, y_val=y)
    columns = ["epoch", "train_loss", "train_accuracy", "lr", "seconds", "valid_loss", "valid_accuracy"]
    assert list(model.history_) == columns
    assert model.history_["epoch"].tolist() == [1, 2, 3]
    assert model.loss_curve_ == model.history_["train_loss"].tolist()
    assert model.history_["valid_accuracy"].iloc[-1] == pytest.approx(model.score(X, y))
    used = model.history_.attrs
    assert used["lr"] == MLP.training_defaults["lr"] and used["batch_size"] == MLP.training_defaults["batch_size"]
    assert used["max_epochs"] == 3
    assert used["optimizer"] == "torch.optim.adamw.AdamW" and used["device"] == "cpu"


def test_a_module_brings_its_own_training_and_the_user_overrules_it():
    X, y = images()
    used = DMClassifier(ResNet20, max_epochs=1).fit(X, y).history_.attrs
    defaults = ResNet20.training_defaults
    assert {name: used[name] for name in ("lr", "weight_decay", "batch_size", "augment")} == {
        name: defaults[name] for name in ("lr", "weight_decay", "batch_size", "augment")
    }
    used = DMClassifier(ResNet20, max_epochs=1, lr=0.01, augment=False, optimizer="Adam").fit(X, y).history_.attrs
    assert used["lr"] == 0.01 and used["augment"] is False
    assert "optimizer__momentum" not in used


def test_the_parameters_used_are_those_in_effect_under_the_names_of_skorch_too(blobs):
    by_skorch = {"optimizer__lr": 0.02, "optimizer__weight_decay": 0.1, "iterator_train__batch_size": 30}
    used = DMClassifier(**FAST, **by_skorch).fit(*blobs).history_.attrs
    assert (used["lr"], used["weight_decay"], used["batch_size"]) == (0.02, 0.1, 30)


def test_the_embedding_is_what_the_last_layer_reads(blobs):
    model = DMClassifier(module__hidden=(8, 6), **FAST).fit(*blobs)
    features = model.embed(blobs[0])
    assert features.shape == (150, 6)
    layer = model.module_.output
    logits = features @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    assert np.allclose(logits, model.decision_function(blobs[0]))


@each_classifier
@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function", "embed", "score"]
)
def test_every_answer_is_about_columns_as_in_fit(classifier, method, blobs):
    X, y = pd.DataFrame(blobs[0], columns=list("abcde")), blobs[1]
    ask = getattr(classifier(**FAST).fit(X, y), method)
    labels = [y] if method == "score" else []
    ask(X, *labels)
    with pytest.raises(ValueError, match="feature names should match those that were passed during fit"):
        ask(X[list("bacde")], *labels)
    with pytest.raises(ValueError, match="missing values in 'b'"):
        ask(X.assign(b=np.nan), *labels)


def test_a_module_without_features_says_so(blobs):
    model = DMClassifier(Scales(), **FAST).fit(blobs[0][:, :3], blobs[1])
    with pytest.raises(ValueError, match="embed needs a module with a Linear layer or forward_features, got Scales"):
        model.embed(blobs[0][:, :3])


class Scales(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return x * self.scale


# In scikit-learn


def test_a_grid_search_in_a_pipeline_fits_pickles_and_predicts(blobs):
    X, y = blobs
    grid = {
        "dmclassifier__lam": [0, 0.5],
        "dmclassifier__beta": [4],
        "dmclassifier__module__hidden": [(8,), (4,)],
        "dmclassifier__optimizer__betas": [(0.9, 0.99)],
    }
    search = GridSearchCV(make_pipeline(StandardScaler(), DMClassifier(**FAST)), grid, cv=2, n_jobs=2).fit(X, y)
    again = pickle.loads(pickle.dumps(search))
    assert np.array_equal(again.predict_proba(X), search.predict_proba(X))
    assert set(search.best_params_) == set(grid)
    serial = clone(search).set_params(n_jobs=1).fit(X, y)
    assert np.array_equal(serial.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])


@pytest.mark.parametrize("enabled", [False, True])
def test_soft_labels_and_weights_follow_the_folds(enabled, blobs):
    X, y = blobs
    seen = []

    class Watches(RobustLossClassifier):
        def fit(self, X, y=None, sample_weight=None, *, soft_labels=None, **kwargs):
            seen.append((X, sample_weight, soft_labels))
            return super().fit(X, y, sample_weight, soft_labels=soft_labels, **kwargs)

    targets = np.random.default_rng(0).dirichlet(np.ones(3), size=len(y))
    weight = X[:, 0] - X[:, 0].min() + 1
    with sklearn.config_context(enable_metadata_routing=enabled):
        model = Watches(**FAST)
        prefix = ""
        if enabled:
            model.set_fit_request(sample_weight=True, soft_labels=True).set_score_request(sample_weight=True)
            estimator = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        else:
            estimator, prefix = make_pipeline(StandardScaler(with_mean=False, with_std=False), model), "watches__"
        # In scikit-learn 1.6 a search without a scorer asks the Pipeline itself what its score wants.
        scoring = make_scorer(accuracy_score).set_score_request(sample_weight=True) if enabled else None
        search = GridSearchCV(estimator, {"watches__loss__q": [0.5, 0.9]}, cv=2, scoring=scoring)
        search.fit(X, y, **{f"{prefix}sample_weight": weight, f"{prefix}soft_labels": targets})
    assert len(seen) == 2 * 2 + 1
    assert [len(X) for X, _, _ in seen] == [75] * 4 + [150]
    for rows, weights, softs in seen[-1:] if enabled else seen:
        assert np.array_equal(weights, weight if enabled else rows[:, 0] - X[:, 0].min() + 1)
        assert len(softs) == len(rows)
    assert np.array_equal(seen[-1][2], targets)


def test_a_fold_without_a_class_still_predicts_it(blobs):
    X, y = blobs
    y = np.append(y[:-1], 3)
    frame = pd.DataFrame(np.eye(4)[y], columns=[0, 1, 2, 3])
    p = cross_val_predict(
        DMClassifier(**FAST), X, y, cv=KFold(3), method="predict_proba", params={"soft_labels": frame}
    )
    assert p.shape == (150, 4)


@each_classifier
def test_it_serves_inside_the_ensembles_of_scikit_learn(classifier, blobs):
    X, y = blobs
    model = classifier(max_epochs=20, lr=0.01, random_state=0)
    others = [("net", model), ("linear", LogisticRegression())]
    for ensemble in (
        CalibratedClassifierCV(model, cv=2, method="sigmoid"),
        VotingClassifier(others, voting="soft"),
        StackingClassifier(others, cv=2),
    ):
        assert ensemble.fit(X, y).score(X, y) > 0.9
    assert cross_val_predict(model, X, y, cv=3, method="predict_proba").shape == (150, 3)
    assert cross_val_score(model, X, y, cv=2).mean() > 0.9


# Early stopping, and what watches a training


def test_early_stopping_on_trusted_rows_returns_to_the_best_epoch(blobs):
    X, y = blobs
    flipped = np.where(np.random.default_rng(0).random(150) < 0.4, (y + 1) % 3, y)
    params = {"lr": 0.02, "random_state": 0, "loss": "cross_entropy", "batch_size": 16}
    model = RobustLossClassifier(early_stopping=True, n_iter_no_change=5, max_epochs=200, **params)
    model.fit(X, flipped, X_val=X, y_val=y)
    scores = model.history_["valid_accuracy"]
    assert model.n_iter_ == scores.argmax() + 1 + 5 < 200
    assert model.score(X, y) == scores.max()
    shorter = RobustLossClassifier(max_epochs=int(scores.argmax()) + 1, **params).fit(X, flipped)
    assert np.array_equal(shorter.predict_proba(X), model.predict_proba(X))


def test_early_stopping_holds_out_a_stratified_part(blobs):
    X, y = blobs
    model = DMClassifier(early_stopping=True, validation_fraction=0.2, callbacks=[Sizes], **FAST).fit(X, y)
    assert model.history_["n_train"].tolist() == [120] * 3
    assert model.history_["n_valid"].tolist() == [30] * 3
    assert len(model.label_quality_) == 150
    assert model.net_.train_split is None


def test_a_network_that_returned_to_its_best_epoch_is_kept_once(blobs):
    model = DMClassifier(early_stopping=True, **FAST).fit(*blobs)
    assert dict(model.net_.callbacks_)["early_stopping"].best_model_weights_ is None


@pytest.mark.parametrize("n, last", [(150, 7), (4, 1)])
def test_early_stopping_says_where_no_part_can_be_held_out(n, last, blobs):
    X, y = blobs[0][:n], np.append(blobs[1][: n - 1], last)
    with pytest.raises(
        ValueError, match=rf"validation_fraction must leave every class .* for early_stopping, got 0\.1 of {n} rows"
    ):
        DMClassifier(early_stopping=True, **FAST).fit(X, y)


def test_training_needs_gradients_whatever_the_caller_does(blobs):
    with torch.no_grad():
        inside = proba(DMClassifier(**FAST), *blobs)
    assert np.array_equal(inside, proba(DMClassifier(**FAST), *blobs))


class Sizes(Callback):
    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        net.history.record("n_train", len(dataset_train))
        net.history.record("n_valid", len(dataset_valid))
        assert torch.bincount(dataset_valid.labels).tolist() == [10, 10, 10]


def test_held_out_rows_are_only_recorded_without_early_stopping(blobs):
    X, y = blobs
    plain = DMClassifier(**FAST).fit(X, y)
    watched = DMClassifier(**FAST).fit(X, y, X_val=X[:9], y_val=y[:9], sample_weight_val=np.arange(9))
    assert np.array_equal(plain.predict_proba(X), watched.predict_proba(X))
    hit = watched.predict(X[:9]) == y[:9]
    assert watched.history_["valid_accuracy"].iloc[-1] == pytest.approx(np.average(hit, weights=np.arange(9)))


class Progress(Callback):
    """Records the progress of each epoch's last batch."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("progress", net.criterion_.progress)


def test_trust_stays_below_its_end_where_training_stops_early(blobs):
    X, y = blobs
    model = ProSelfLCClassifier(
        early_stopping=True, n_iter_no_change=2, max_epochs=50, lr=0.05, callbacks=[Progress], random_state=0
    ).fit(X, y)
    assert model.n_iter_ < 50
    assert np.allclose(model.history_["progress"], np.arange(1, model.n_iter_ + 1) / 50)


@pytest.mark.parametrize("as_callback", [lambda kind: kind, lambda kind: kind(), lambda kind: ("named", kind)])
def test_a_scheduler_of_skorch_beside_one_of_ours_is_refused(blobs, as_callback):
    X, y = blobs
    callbacks = [as_callback(LRScheduler)]
    with pytest.raises(ValueError, match=r"callbacks must not set the learning rate .* got 'cosine'"):
        DMClassifier(lr_schedule="cosine", callbacks=callbacks, **FAST).fit(X, y)
    assert DMClassifier(lr_schedule="constant", callbacks=callbacks, **FAST).fit(X, y).n_iter_ == FAST["max_epochs"]
    model = DMClassifier(warm_start=True, **FAST).fit(X, y)
    with pytest.raises(ValueError, match=r"callbacks must not set the learning rate .* got 'cosine'"):
        model.set_params(lr_schedule="cosine", callbacks=callbacks).fit(X, y)


@pytest.mark.parametrize("labels", [(0, 1), (1, 2), ("no", "yes")])
@pytest.mark.parametrize("use_caching", [True, False])
def test_scores_of_two_classes_are_those_of_scikit_learn(labels, use_caching):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = np.array(labels)[(X[:, 0] + rng.normal(size=80) > 0).astype(int)]
    score = EpochScoring("roc_auc", lower_is_better=False, use_caching=use_caching)
    model = DMClassifier(callbacks=[score], **FAST).fit(X, y, X_val=X, y_val=y)
    assert model.history_["roc_auc"].iloc[-1] == pytest.approx(roc_auc_score(y, model.predict_proba(X)[:, 1]), abs=1e-9)


def test_every_callback_reads_the_gradients(blobs):
    class Reading(Callback):
        def on_grad_computed(self, net, named_parameters=(), **kwargs):
            vars(net).setdefault("read", []).append(sorted(name for name, p in named_parameters if p.grad is not None))

    X, y = blobs
    model = DMClassifier(callbacks=[("a", Reading), ("b", Reading), ("c", Reading)], **FAST).fit(X, y)
    assert len(model.net_.read) % 3 == 0 and len(model.net_.read) > 0
    assert all(names == model.net_.read[0] and len(names) == 4 for names in model.net_.read)

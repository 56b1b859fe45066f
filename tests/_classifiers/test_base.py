"""What every classifier promises: reproducible, exact in its weights, at home in scikit-learn, intact after failure."""

import copy
import pickle
import warnings

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
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight
from skorch.callbacks import Callback, EpochScoring, LRScheduler
from torch import nn
from torch.utils.data import TensorDataset

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise._classifiers._base import BaseNoisyLabelClassifier
from sklabelnoise.modules import MLP, ResNet20

CLASSIFIERS = [DMClassifier, ProSelfLCClassifier, RobustLossClassifier]
FAST = {"max_epochs": 3, "random_state": 0}

each_classifier = pytest.mark.parametrize("classifier", CLASSIFIERS)


def proba(model, X, y, **kwargs):
    return model.fit(X, y, **kwargs).predict_proba(X)


def images(n=20, channels=3, size=8):
    X = np.random.default_rng(0).integers(0, 256, size=(n, channels, size, size), dtype=np.uint8)
    return X, np.arange(n) % 2


# Reproducibility


@each_classifier
@pytest.mark.parametrize(
    "options", [{}, {"module__dropout": 0.5, "module__batch_norm": True}, {"early_stopping": True}]
)
def test_an_integer_seed_gives_the_same_bits_again(classifier, options, blobs):
    first, second = (proba(classifier(batch_size=32, **options, **FAST), *blobs) for _ in range(2))
    assert np.array_equal(first, second)
    other = proba(classifier(batch_size=32, **options, **{**FAST, "random_state": 1}), *blobs)
    assert not np.array_equal(first, other)


def state_of_numpy():
    _, keys, position, *_ = np.random.get_state()  # noqa: NPY002, the global generator is what is asked about
    return keys.tolist(), position


@each_classifier
def test_the_global_generators_stay_as_they_were(classifier, blobs):
    torch.manual_seed(3)
    before = torch.get_rng_state(), state_of_numpy()
    model = classifier(module__dropout=0.5, **FAST).fit(*blobs)
    model.predict(blobs[0])
    model.embed(blobs[0])
    dataset = TensorDataset(torch.from_numpy(blobs[0]), torch.from_numpy(blobs[1]))
    classifier(module__dropout=0.5, **FAST).fit(dataset).predict(dataset)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert state_of_numpy() == before[1]


def test_the_global_generators_do_not_decide_what_is_trained(blobs):
    outcomes = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        outcomes.append(proba(DMClassifier(module__dropout=0.5, **FAST), *blobs))
    assert np.array_equal(*outcomes)


def test_without_a_seed_one_is_drawn_from_numpy_and_recorded(blobs):
    np.random.seed(4)  # noqa: NPY002
    model = DMClassifier(max_epochs=2).fit(*blobs)
    np.random.seed(4)  # noqa: NPY002
    assert np.array_equal(proba(DMClassifier(max_epochs=2), *blobs), model.predict_proba(blobs[0]))
    assert not np.array_equal(proba(DMClassifier(max_epochs=2), *blobs), model.predict_proba(blobs[0]))
    assert isinstance(model.history_.attrs["seed"], int)


def test_two_processes_give_the_same_as_one(blobs):
    X, y = blobs
    model = DMClassifier(batch_size=32, module__dropout=0.2, **FAST)
    assert np.array_equal(
        cross_val_predict(model, X, y, cv=3, method="predict_proba", n_jobs=1),
        cross_val_predict(model, X, y, cv=3, method="predict_proba", n_jobs=2),
    )


# Weights, soft labels and class weights


def full_batch(classifier=DMClassifier, **params):
    return classifier(batch_size=10_000, max_epochs=10, random_state=0, **params)


@each_classifier
@pytest.mark.parametrize("weight", [1.0, 7.5])
def test_equal_weights_change_nothing_to_the_bit(classifier, weight, blobs):
    model = classifier(batch_size=32, **FAST)
    assert np.array_equal(proba(model, *blobs), proba(model, *blobs, sample_weight=np.full(150, weight)))


@each_classifier
def test_integer_weights_equal_repetition(classifier, blobs):
    X, y = blobs
    weight = np.random.default_rng(0).integers(0, 4, size=len(y))
    ours = full_batch(classifier).fit(X, y, sample_weight=weight).predict_proba(X)
    theirs = full_batch(classifier).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).predict_proba(X)
    # sums over a full batch in another order: rounding of float64, grown over ten steps
    assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@each_classifier
def test_zero_weight_equals_removal(classifier, blobs):
    X, y = blobs
    kept = np.random.default_rng(0).random(len(y)) < 0.7
    model = classifier(batch_size=32, **FAST)
    ours = model.fit(X, y, sample_weight=kept).predict_proba(X)
    assert len(model.label_quality_) == len(y)
    assert np.array_equal(ours, model.fit(X[kept], y[kept]).predict_proba(X))


@each_classifier
def test_soft_labels_that_are_certain_equal_labels(classifier, blobs):
    X, y = blobs
    model = classifier(batch_size=32, **FAST)
    # the same terms, but a sum over classes in place of a look-up
    assert np.allclose(proba(model, X, y), proba(model, X, y, soft_labels=np.eye(3)[y]), rtol=1e-9, atol=1e-12)


def replicate(X, targets):
    rows, labels = targets.nonzero()
    return X[rows], labels, targets[rows, labels]


@pytest.mark.parametrize("model", [
    full_batch(DMClassifier, lam=1, beta=4), full_batch(DMClassifier, normalization="none"),
    full_batch(RobustLossClassifier, loss="cross_entropy"), full_batch(RobustLossClassifier, loss="gce"),
    full_batch(ProSelfLCClassifier),
])  # fmt: skip
def test_soft_labels_equal_one_weighted_row_for_each_class(model, blobs):
    X, y = blobs
    targets = np.random.default_rng(0).dirichlet(np.ones(3), size=len(y))
    ours = clone(model).fit(X, y, soft_labels=targets).predict_proba(X)
    rows, labels, weight = replicate(X, targets)
    theirs = clone(model).fit(rows, labels, sample_weight=weight).predict_proba(X)
    assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_a_frame_of_soft_labels_is_read_by_its_column_names(blobs):
    X, y = blobs
    names = np.array(["a", "b", "c"])[y]
    frame = pd.DataFrame(np.eye(3)[y], columns=["a", "b", "c"])
    model = DMClassifier(**FAST)
    expected = proba(model, X, names, soft_labels=frame.to_numpy())
    assert np.array_equal(proba(model, X, names, soft_labels=frame[["c", "a", "b"]]), expected)


def test_a_frame_of_soft_labels_brings_classes_that_the_labels_miss(blobs):
    X, y = blobs
    shown = y != 2
    frame = pd.DataFrame(np.eye(4)[y], columns=[0, 1, 2, 3])
    model = DMClassifier(**FAST).fit(X[shown], y[shown], soft_labels=frame[shown])
    assert model.classes_.tolist() == [0, 1, 2, 3]
    assert model.predict_proba(X).shape == (150, 4)


@each_classifier
def test_balanced_class_weights_are_scikit_learns(classifier, blobs):
    X, y = blobs[0][:100], np.minimum(blobs[1][:100], 1)
    explicit = dict(enumerate(compute_class_weight("balanced", classes=np.array([0, 1]), y=y)))
    balanced = full_batch(classifier, class_weight="balanced")
    expected = proba(balanced, X, y)
    assert np.allclose(proba(full_batch(classifier, class_weight=explicit), X, y), expected, rtol=1e-9)
    weight = np.array([explicit[label] for label in y])
    assert np.allclose(proba(full_batch(classifier), X, y, sample_weight=weight), expected, rtol=1e-9)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 1: 0.5, 2: 0.0}])
def test_class_weights_of_soft_labels_multiply_each_class_of_a_row(class_weight, blobs):
    X, y = blobs
    targets = np.random.default_rng(0).dirichlet([0.3, 1, 2], size=len(y))
    weight = np.random.default_rng(1).uniform(0.5, 2, size=len(y))
    model = full_batch(RobustLossClassifier, loss="cross_entropy", class_weight=class_weight)
    ours = clone(model).fit(X, y, soft_labels=targets, sample_weight=weight).predict_proba(X)
    rows, labels, shares = replicate(X, weight[:, None] * targets)
    theirs = clone(model).fit(rows, labels, sample_weight=shares).predict_proba(X)
    assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


# Predictions and fitted attributes


@each_classifier
def test_predictions_agree_with_each_other(classifier, blobs):
    X, y = blobs
    names = np.array(["cat", "ant", "bee"])[y]
    model = classifier(**FAST).fit(X, names)
    p = model.predict_proba(X)
    assert model.classes_.tolist() == ["ant", "bee", "cat"]
    assert np.allclose(p.sum(axis=1), 1)
    assert np.array_equal(model.predict(X), model.classes_[p.argmax(axis=1)])
    assert np.allclose(model.predict_log_proba(X), np.log(p))
    logits = model.decision_function(X)
    assert np.allclose(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), p)
    assert model.score(X, names) == np.mean(model.predict(X) == names)


def test_log_probabilities_are_finite_where_probabilities_vanish(blobs):
    X, y = blobs
    model = RobustLossClassifier(loss="cross_entropy", **FAST).fit(X, y)
    far = 1e6 * X
    assert (model.predict_proba(far) == 0).any()
    assert np.isfinite(model.predict_log_proba(far)).all()


def test_for_two_classes_the_decision_is_the_difference_of_the_logits(blobs):
    X, y = blobs[0], (blobs[1] == 0).astype(int)
    model = DMClassifier(**FAST).fit(X, y)
    decision, p = model.decision_function(X), model.predict_proba(X)
    assert decision.shape == (150,)
    assert np.allclose(1 / (1 + np.exp(-decision)), p[:, 1])
    assert np.array_equal(model.predict(X), (decision > 0).astype(int))


@each_classifier
def test_label_quality_is_the_probability_of_the_given_labels(classifier, blobs):
    X, y = blobs
    for options in ({}, {"early_stopping": True}, {"class_weight": {0: 0, 1: 1, 2: 2}}):
        model = classifier(**options, **FAST).fit(X, y)
        assert np.array_equal(model.label_quality_, model.predict_proba(X)[np.arange(150), y])


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


def test_the_embedding_is_what_the_last_layer_reads(blobs):
    model = DMClassifier(module__hidden=(8, 6), **FAST).fit(*blobs)
    features = model.embed(blobs[0])
    assert features.shape == (150, 6)
    layer = model.module_.output
    logits = features @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    assert np.allclose(logits, model.decision_function(blobs[0]))


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


@each_classifier
def test_parameters_with_prefixes_are_parameters(classifier, blobs):
    model = classifier(module__hidden=(3,), optimizer__amsgrad=True, amp=False)
    assert model.get_params()["module__hidden"] == (3,)
    assert clone(model).get_params() == model.get_params()
    model.set_params(module__hidden=(5,), callbacks__x__y=1, lr=0.5)
    assert model.get_params()["module__hidden"] == (5,) and model.lr == 0.5
    assert "module__hidden=(5,)" in repr(model)
    assert clone(model).set_params(module__hidden=(2,)).get_params() != model.get_params()
    assert model.get_params()["module__hidden"] == (5,)


@pytest.mark.parametrize("classifier, name, nearest", [
    (DMClassifier, "betta", "beta"), (DMClassifier, "lambda_", "lam"), (DMClassifier, "learning_rate", "lr"),
    (DMClassifier, "n_epochs", "max_epochs"), (DMClassifier, "hidden", "module__hidden"),
    (DMClassifier, "modul__hidden", "module__hidden"), (DMClassifier, "module_hidden", "module__hidden"),
    (DMClassifier, "momentum", "optimizer__momentum"), (DMClassifier, "num_workers", "iterator_train__num_workers"),
    (RobustLossClassifier, "betta", "loss__beta"), (RobustLossClassifier, "q", "loss__q"),
    (RobustLossClassifier, "los", "loss"), (DMClassifier, "hidden_layer_sizes", "module__hidden"),
    (ProSelfLCClassifier, "temprature", "temperature"),
])  # fmt: skip
def test_an_unknown_parameter_is_refused_and_the_nearest_named(classifier, name, nearest):
    with pytest.raises(TypeError, match=f"{classifier.__name__} has no parameter '{name}'; the nearest is '{nearest}'"):
        classifier(**{name: 1})
    model = classifier()
    with pytest.raises(
        ValueError, match=f"{classifier.__name__} has no parameter '{name}'; the nearest is '{nearest}'"
    ):
        model.set_params(random_state=3, **{name: 1})
    assert model.random_state is None


def test_unknown_arguments_of_the_parts_are_named_when_they_are_built(blobs):
    with pytest.raises(TypeError, match=r"module MLP takes the arguments \['activation', .*\], got 'hiden'\."):
        DMClassifier(module__hiden=3, **FAST).fit(*blobs)
    with pytest.raises(ValueError, match=r"optimizer__momentum must be an argument of AdamW, which takes \['amsgrad'"):
        DMClassifier(optimizer__momentum=0.9, **FAST).fit(*blobs)
    with pytest.raises(ValueError, match=r"optimizer must be a class or one of the names \[.*'SGD'.*got 'Sgd'"):
        DMClassifier(optimizer="Sgd", **FAST).fit(*blobs)
    with pytest.raises(ValueError, match="net_params is not a parameter itself: pass its items"):
        DMClassifier(net_params={"module__hidden": 3}, **FAST).fit(*blobs)


@pytest.mark.parametrize("params, message", [
    ({"lr": -1.0}, "The 'lr' parameter of DMClassifier must be"),
    ({"max_epochs": 0}, "The 'max_epochs' parameter"), ({"batch_size": 2.5}, "The 'batch_size' parameter"),
    ({"validation_fraction": 1.0}, "The 'validation_fraction' parameter"), ({"dtype": "float64"}, "The 'dtype' param"),
    ({"amp": "yes"}, "The 'amp' parameter"), ({"class_weight": "even"}, "The 'class_weight' parameter"),
    ({"device": "cuda"}, "device must be 'auto' or 'cpu' where torch sees no CUDA device, got 'cuda'"),
    ({"device": "gpu"}, "device must be 'auto' or a device that torch knows, got 'gpu'"),
    ({"lr_schedule": "cos"}, "lr_schedule must name one of"), ({"augment": "flip"}, "augment must be one of 'crop-fl"),
    ({"augment": "crop-flip"}, "transforms images: X must be of shape"),
    ({"module": nn.Linear(5, 7)}, r"module Linear must return logits of shape .* \(2, 3\) .*, got \(2, 7\)"),
    ({"module": nn.Linear(4, 3)}, r"module must take inputs of shape \(5,\), got Linear"),
    ({"module": 3}, "The 'module' parameter of DMClassifier"),
    ({"optimizer": "LBFGS", "weight_decay": 0.1}, "optimizer__weight_decay must be an argument of LBFGS"),
    ({"module__batch_norm": True, "batch_size": 149}, "batch of one row, on which BatchNorm can't be trained"),
])  # fmt: skip
def test_wrong_parameters_are_named(params, message, blobs):
    if params.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ValueError, match=message):
        DMClassifier(**{**FAST, **params}).fit(*blobs)


# Early stopping, warm start, partial_fit


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


def test_chunks_are_epochs_of_one_training(blobs):
    X, y = blobs
    whole = ProSelfLCClassifier(batch_size=32, callbacks=[Progress], lr_schedule="cosine", **FAST).fit(X, y)
    chunks = clone(whole)
    for _ in range(3):
        chunks.partial_fit(X, y, classes=[0, 1, 2])
    assert np.array_equal(chunks.predict_proba(X), whole.predict_proba(X))
    assert chunks.history_["progress"].tolist() == whole.history_["progress"].tolist()
    chunks.partial_fit(X, y)
    assert chunks.history_["progress"].iloc[-1] == 1
    assert chunks.n_iter_ == 4


def test_chunks_may_show_one_class_each_and_have_any_size(blobs):
    X, y = blobs
    model = DMClassifier(max_epochs=60, lr=0.01, random_state=0)
    for _ in range(20):
        for k, n in ((0, 50), (1, 3), (2, 40)):
            model.partial_fit(X[y == k][:n], y[y == k][:n], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.n_iter_ == 60
    assert len(model.label_quality_) == 40


def test_partial_fit_says_what_it_needs(blobs):
    X, y = blobs
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        DMClassifier(**FAST).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"Need at least 2 classes .*got one class: \[0\]"):
        DMClassifier(**FAST).partial_fit(X, np.zeros(150, dtype=int), classes=[0])
    model = DMClassifier(**FAST).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"classes must be the same in every call: expected \[0 1 2\], got \[0 1\]"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"y must hold labels of the classes \[0, 1, 2\] only, got \[5\]"):
        model.partial_fit(X[:1], [5])


def test_a_warm_start_continues_and_a_cold_one_does_not(blobs):
    X, y = blobs
    model = ProSelfLCClassifier(warm_start=True, callbacks=[Progress], batch_size=32, **FAST).fit(X, y)
    curve = model.loss_curve_
    model.fit(X, y)
    assert model.n_iter_ == 6
    assert model.loss_curve_[:3] == curve
    assert model.history_["progress"].tolist() == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1])
    model.set_params(warm_start=False).fit(X, y)
    assert model.loss_curve_ == curve


def test_two_warm_halves_are_one_training(blobs):
    X, y = blobs
    params = {"random_state": 0, "batch_size": 32, "loss": "cross_entropy"}
    halves = RobustLossClassifier(warm_start=True, max_epochs=3, **params).fit(X, y).fit(X, y)
    whole = RobustLossClassifier(max_epochs=6, **params).fit(X, y)
    assert np.array_equal(halves.predict_proba(X), whole.predict_proba(X))


def test_a_warm_start_takes_the_parameters_as_they_are_now(blobs):
    X, y = blobs
    model = DMClassifier(warm_start=True, beta=0, **FAST).fit(X, y)
    model.set_params(beta=4, lam=2, lr=0.5, weight_decay=0.25, optimizer__betas=(0.5, 0.6), batch_size=75).fit(X, y)
    group = model.net_.optimizer_.param_groups[0]
    assert (group["lr"], group["weight_decay"], group["betas"]) == (0.5, 0.25, (0.5, 0.6))
    assert (model.net_.criterion_.emphasis.lam, model.net_.criterion_.emphasis.beta) == (2, 4)
    assert model.history_.attrs["batch_size"] == 75 and model.history_["lr"].tolist() == [0.001] * 3 + [0.5] * 3
    with pytest.raises(ValueError, match=r"Training can't go on with another optimizer: it was torch.optim.adamw"):
        model.set_params(optimizer="SGD", optimizer__betas=(0.5, 0.6)).fit(X, y)


@pytest.mark.parametrize("types", [(np.float32, np.float64), (np.float64, np.float32)])
def test_held_out_rows_may_be_of_another_floating_type(blobs, types):
    X, y = blobs
    model = DMClassifier(**FAST).fit(X.astype(types[0]), y, X_val=X.astype(types[1]), y_val=y)
    assert model.net_.numpy_dtype == types[0]
    assert model.history_["valid_accuracy"].notna().all()


@pytest.mark.parametrize(
    "changed", [{"module__hidden": (3,)}, {"module": ResNet20}, {"module__dropout": 0.1}, {"channels_last": True}]
)
@pytest.mark.parametrize("again", ["fit", "partial_fit"])
def test_training_does_not_go_on_with_a_network_that_the_parameters_no_longer_describe(blobs, changed, again):
    X, y = blobs
    model = DMClassifier(warm_start=True, **FAST).fit(X, y)
    before = model.predict_proba(X)
    (name, _), *_ = changed.items()
    for same_one in (model, pickle.loads(pickle.dumps(model))):
        with pytest.raises(ValueError, match=f"Training goes on with the fitted network, .*got {name}="):
            getattr(same_one.set_params(**changed), again)(X, y)
        assert np.array_equal(same_one.predict_proba(X), before)
    model.set_params(warm_start=False)
    if again == "fit" and "module" not in changed:
        assert model.fit(X, y).n_iter_ == FAST["max_epochs"]


def test_parameters_that_are_equal_describe_the_same_network(blobs):
    X, y = blobs
    model = DMClassifier(warm_start=True, module__hidden=[3], **FAST).fit(X, y)
    model.set_params(module__hidden=[np.int64(3)][:1], amp=True, iterator_train__drop_last=True).fit(X, y)
    assert model.n_iter_ == 2 * FAST["max_epochs"] and model.net_.amp


@pytest.mark.parametrize("first, second", [("float64", "float32"), ("float32", "float64"), ("float64", "int64")])
def test_training_goes_on_with_rows_of_another_type(blobs, first, second):
    X, y = blobs
    model = DMClassifier(**FAST).fit(X.astype(first), y)
    model.partial_fit(X.astype(second), y)
    model.set_params(warm_start=True, dtype="float32").fit(X.astype(second), y)
    assert model.predict_proba(X).dtype == first
    assert model.n_iter_ == 2 * FAST["max_epochs"] + 1


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


def test_a_warm_start_needs_the_same_kind_of_data(blobs):
    X, y = blobs
    model = DMClassifier(warm_start=True, **FAST).fit(X, y)
    with pytest.raises(ValueError, match="X has 4 features, but DMClassifier is expecting 5"):
        model.fit(X[:, :4], y)
    with pytest.raises(ValueError, match="y must hold labels of the classes"):
        model.fit(X, y + 1)


# Failure leaves everything as it was


def failing_calls(X, y):
    wrong = X.copy()
    wrong[0, 0] = np.nan
    yield "NaN in X", lambda model: model.fit(wrong, y)
    yield "NaN in a chunk", lambda model: model.partial_fit(wrong, y)
    yield "other features", lambda model: model.fit(X[:, :2], y[:-1])
    yield "one class", lambda model: model.fit(X[:, :2], np.zeros(len(y)))
    yield "exploding loss", lambda model: model.set_params(lr=1e300).fit(1e200 * X, y)
    yield "exploding chunk", lambda model: model.set_params(lr=1e300).partial_fit(1e200 * X, y)
    yield "exploding warm start", lambda model: model.set_params(lr=1e300, warm_start=True).fit(1e200 * X, y)
    yield "wrong parameter", lambda model: model.set_params(lr=-1).fit(X, y)
    yield "wrong module", lambda model: model.set_params(module=nn.Linear(3, 3)).fit(X, y)
    yield "failing callback", lambda model: model.set_params(callbacks=[Fails]).partial_fit(X, y)
    yield "wrong held-out rows", lambda model: model.fit(X[:, :2], y, X_val=wrong, y_val=y)


class Fails(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise RuntimeError("mine")


@pytest.mark.parametrize("call", [c for _, c in failing_calls(np.zeros((4, 5)), np.arange(4) % 2)], ids=[
    name for name, _ in failing_calls(np.zeros((4, 5)), np.arange(4) % 2)
])  # fmt: skip
def test_a_failed_call_leaves_the_fitted_classifier_as_it_was(call, request, blobs):
    X, y = blobs
    call = dict(failing_calls(X, y))[request.node.callspec.id]
    model = DMClassifier(**FAST).fit(pd.DataFrame(X, columns=list("abcde")), y)
    before = {k: v for k, v in vars(model).items() if k.endswith("_")}
    kept = copy.deepcopy(model)
    with warnings.catch_warnings(), pytest.raises((ValueError, RuntimeError)):
        warnings.simplefilter("ignore", UserWarning)  # arrays after a frame
        call(model)
    assert {k: v for k, v in vars(model).items() if k.endswith("_")}.keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())
    frame = pd.DataFrame(X, columns=list("abcde"))
    assert np.array_equal(model.predict_proba(frame), kept.predict_proba(frame))
    weights = zip(model.module_.state_dict().values(), kept.module_.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
    assert len(model.net_.history) == 3


def test_a_loss_that_explodes_names_epoch_batch_and_rate(blobs):
    X, y = blobs
    model = RobustLossClassifier(loss="cross_entropy", optimizer="SGD", lr=1e200, batch_size=50, random_state=0)
    with pytest.raises(ValueError, match=r"train loss became (nan|inf) in epoch 1, batch \d of 3, at lr=1e\+200\."):
        model.fit(1e100 * X, y)
    assert not hasattr(model, "net_") and not hasattr(model, "n_features_in_")


def test_an_interruption_leaves_fit_or_keeps_what_was_trained(blobs):
    class Interrupts(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 3:
                raise KeyboardInterrupt

    X, y = blobs
    with pytest.raises(KeyboardInterrupt):
        DMClassifier(max_epochs=50, callbacks=[Interrupts], random_state=0).fit(X, y)
    with pytest.warns(UserWarning, match="Training was interrupted in epoch 3"):
        model = DMClassifier(max_epochs=50, callbacks=[Interrupts], on_interrupt="keep", random_state=0).fit(X, y)
    assert model.n_iter_ == 2
    expected = DMClassifier(max_epochs=2, random_state=0).fit(X, y)
    assert np.array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_label_quality_is_computed_when_it_is_read_and_no_rows_are_pickled(blobs, monkeypatch):
    X, y = blobs
    forward, calls = DMClassifier._forward, []
    monkeypatch.setattr(BaseNoisyLabelClassifier, "_forward", lambda *args: calls.append(1) or forward(*args))
    model = DMClassifier(**FAST).fit(X, y)
    model.partial_fit(X, y)
    assert not calls
    quality = model.label_quality_
    assert len(calls) == 1 and model.label_quality_ is quality
    assert np.array_equal(quality, model.predict_proba(X)[np.arange(len(y)), np.searchsorted(model.classes_, y)])

    model.fit(X[:80], y[:80])
    small = len(pickle.dumps(model))
    large = DMClassifier(**FAST).fit(np.tile(X, (50, 1)), np.tile(y, 50))
    pickled = pickle.dumps(large)
    assert len(pickled) < small + 50 * len(y) * 8 + 2000
    assert np.array_equal(pickle.loads(pickled).label_quality_, large.label_quality_)
    assert pickle.loads(pickle.dumps(model)).label_quality_.shape == (80,)


def test_a_network_is_not_lost_where_its_label_quality_can_not_be_computed(blobs, monkeypatch):
    X, y = blobs
    model = DMClassifier(**FAST).fit(X, y)

    def full(*args):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(BaseNoisyLabelClassifier, "_forward", full)
        with pytest.raises(MemoryError):
            model.label_quality_  # noqa: B018
        copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copied.predict(X), model.predict(X))
    with pytest.raises(AttributeError, match="label_quality_ could not be computed when the classifier was pickled"):
        copied.label_quality_  # noqa: B018
    assert model.label_quality_.shape == y.shape


class KeepsItsFeatures(nn.Module):
    def __init__(self, n_features, n_classes):
        super().__init__()
        self.first, self.last = nn.Linear(n_features, 4), nn.Linear(4, n_classes)

    def forward(self, x):
        self.features = self.first(x).relu()
        return self.last(self.features)


def test_a_module_that_keeps_what_it_computed_trains_on_embeds_and_pickles(blobs):
    X, y = blobs
    model = DMClassifier(KeepsItsFeatures, **FAST).fit(X, y)
    assert not model.module_.training and not model.module_.features.requires_grad
    assert model.embed(X).shape == (len(X), 4)
    model.partial_fit(X, y)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


class NotInEvaluation(nn.Linear):
    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.broken = False

    def forward(self, x):
        return super().forward(x) * (float("nan") if self.broken and not self.training else 1)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
def test_a_network_that_is_not_finite_in_evaluation_mode_says_so(blobs, method):
    X, y = blobs
    model = DMClassifier(NotInEvaluation, **FAST).fit(X, y)
    model.module_.broken = True
    with pytest.raises(ValueError, match="NotInEvaluation gives logits that are not finite for some rows of X"):
        getattr(model, method)(X)


def test_what_can_not_be_pickled_can_still_be_trained_on(blobs):
    X, y = blobs
    model = DMClassifier(emphasis=lambda p: 1 - p, lr_schedule=lambda progress: 1.0, **FAST)
    model.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y)
    assert model.n_iter_ == 2


def triangle(p):
    return 1 - p


def halves(progress):
    return 0.5


def test_a_fitted_classifier_pickles_whenever_its_parameters_do(blobs):
    X, y = blobs
    model = DMClassifier(emphasis=triangle, lr_schedule=halves, callbacks=[Progressless()], **FAST).fit(X, y)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


class Progressless(Callback):
    def on_epoch_end(self, net, **kwargs):
        pass


# Images


def test_images_are_normalised_by_numpys_statistics():
    X, y = images()
    model = DMClassifier(ResNet20, max_epochs=1, augment=False).fit(X, y)
    scaler = model.net_.preprocess
    assert np.allclose(scaler.mean.flatten(), X.mean(axis=(0, 2, 3)), rtol=1e-6)
    assert np.allclose(1 / scaler.inverse_std.flatten(), X.std(axis=(0, 2, 3)), rtol=1e-6)
    scaled = scaler(torch.from_numpy(X)).numpy()
    assert np.allclose(scaled.mean(axis=(0, 2, 3)), 0, atol=1e-5) and np.allclose(scaled.std(axis=(0, 2, 3)), 1)
    assert DMClassifier(max_epochs=1).fit(X[:, 0, 0], y).net_.preprocess is None


def test_a_channel_that_never_changes_does_no_harm():
    X, y = images()
    X[:, 1] = 7
    assert np.isfinite(DMClassifier(ResNet20, max_epochs=1).fit(X, y).predict_proba(X)).all()


def test_scale_and_offset_of_float_images_do_not_matter():
    X, y = images()
    params = {"max_epochs": 1, "augment": False, "random_state": 0}
    bytes_ = DMClassifier(ResNet20, **params).fit(X, y).predict_proba(X)
    unit = (X / 255).astype(np.float32)
    # float32 sums over a deep network, after inputs that differ in the last digit
    assert np.allclose(DMClassifier(ResNet20, **params).fit(unit, y).predict_proba(unit), bytes_, atol=1e-3)


def test_channels_last_images_are_the_same_images():
    X, y = images()
    params = {"max_epochs": 1, "augment": False, "random_state": 0}
    first = DMClassifier(ResNet20, **params).fit(X, y)
    last = DMClassifier(ResNet20, module__channels_last=True, **params).fit(X.transpose(0, 2, 3, 1), y)
    assert np.allclose(last.predict_proba(X.transpose(0, 2, 3, 1)), first.predict_proba(X), atol=1e-4)
    assert first.n_features_in_ == last.n_features_in_ == 3
    memory = DMClassifier(ResNet20, channels_last=True, **params).fit(X, y)
    assert np.allclose(memory.predict_proba(X), first.predict_proba(X), atol=1e-4)


def test_images_stay_bytes_until_they_are_a_batch():
    X, y = images()
    model = DMClassifier(ResNet20)
    data = model._check_training_set(X, y)
    tensors = data.as_tensors(torch.device("cpu"))
    assert tensors.X.dtype == torch.uint8 and tensors.X.data_ptr() == X.ctypes.data


def test_test_time_augmentation_averages_reproducible_views():
    X, y = images()
    model = DMClassifier(ResNet20, max_epochs=2, random_state=0).fit(X, y)
    plain, averaged = model.predict_proba(X), model.predict_proba(X, n_augment=3)
    assert np.array_equal(averaged, model.predict_proba(X, n_augment=3))
    assert not np.array_equal(averaged, plain)
    assert np.allclose(averaged.sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(model.predict_proba(X, n_augment=0), plain)
    with pytest.raises(
        ValueError, match="n_augment must be 0, or more where the classifier was trained with augment, got -1"
    ):
        model.predict_proba(X, n_augment=-1)
    with pytest.raises(ValueError, match="where the classifier was trained with augment, got 2"):
        DMClassifier(ResNet20, max_epochs=1, augment=False).fit(X, y).predict_proba(X, n_augment=2)


def test_a_grid_search_over_images():
    X, y = images()
    search = GridSearchCV(
        DMClassifier(ResNet20, max_epochs=1, random_state=0), {"lam": [0, 1]}, cv=StratifiedKFold(2)
    ).fit(X, y)
    assert search.predict(X).shape == (20,)

"""A fitted classifier comes back as it was, and a file from a stranger can do no harm."""

import copy
import json
import os
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from skorch.callbacks import Callback
from torch import nn

from sklabelnoise import DMClassifier, DMClassifierCV, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise._classifiers import _file_format
from sklabelnoise._classifiers import _file_format as file_format
from sklabelnoise._classifiers._file_format import checksum, decode, encode
from sklabelnoise.losses import BetaEmphasis, NormalEmphasis
from sklabelnoise.modules import MLP, ResNet20

FAST = {"max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def fitted(blobs):
    X, y = blobs
    return DMClassifier(**FAST).fit(X, np.array(["ant", "bee", "cat"])[y])


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.safetensors"
    fitted.save(path)
    return path


def by_pickle(model, folder):
    return pickle.loads(pickle.dumps(model))


def by_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


def by_copy(model, folder):
    return copy.deepcopy(model)


def by_file(model, folder):
    model.save(folder / "model.safetensors")
    return type(model).load(folder / "model.safetensors")


WAYS = [by_pickle, by_joblib, by_copy, by_file]


def assert_same(ours, theirs, X):
    assert np.array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    assert np.array_equal(ours.embed(X), theirs.embed(X))
    assert ours.get_params() == theirs.get_params()
    assert np.array_equal(ours.classes_, theirs.classes_) and ours.classes_.dtype == theirs.classes_.dtype
    assert ours.n_features_in_ == theirs.n_features_in_
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.loss_curve_ == theirs.loss_curve_
    pd.testing.assert_frame_equal(ours.history_, theirs.history_)
    assert ours.history_.attrs == theirs.history_.attrs
    assert np.array_equal(ours.label_quality_, theirs.label_quality_)


# Round trips


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", [
    DMClassifier(module__hidden=(8, 4), module__activation=nn.Tanh, lam=2, beta=12.5, **FAST),
    DMClassifier(emphasis=NormalEmphasis(0.5, 4.0), class_weight={0: 2, 1: 1, 2: 1}, **FAST),
    DMClassifier(emphasis=BetaEmphasis(2.0, 2.0), module__batch_norm=True, module__dropout=0.5, **FAST),
    ProSelfLCClassifier(lr_schedule={"name": "milestones", "milestones": [0.5, 3]}, early_stopping=True, **FAST),
    RobustLossClassifier(loss="gce", loss__q=0.5, optimizer=torch.optim.SGD, optimizer__momentum=0.9, **FAST),
    RobustLossClassifier(module=MLP, dtype="float32", **FAST),
])  # fmt: skip
def test_every_way_gives_the_classifier_back(model, way, blobs, tmp_path):
    model.fit(*blobs)
    again = way(model, tmp_path)
    assert not again.module_.training  # for whoever calls it
    assert_same(model, again, blobs[0])


@pytest.mark.parametrize("labels", [
    np.array(["b", "a", "ccc"]), np.array([10, -3, 7]), np.array([1.0, 0.0, 2.0]), np.array([7, 8, 9], dtype="u1"),
    np.array(["b", "a", "c"], dtype=object), np.array(["2001-02-03", "1960-01-01", "2020-05-06"], dtype="M8[D]"),
    np.array(["2001-02-03", "1960-01-01", "2020-05-06"], dtype="M8[ns]"),
])  # fmt: skip
def test_labels_of_any_kind_come_back(labels, blobs, tmp_path):
    X, y = blobs
    model = DMClassifier(**FAST).fit(X, labels[y])
    assert_same(model, by_file(model, tmp_path), X)


@pytest.mark.parametrize("way", WAYS)
def test_images_keep_their_normalization(way, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, size=(12, 3, 8, 8), dtype=np.uint8)
    model = DMClassifier(ResNet20, max_epochs=1, random_state=0).fit(images, np.arange(12) % 2)
    assert_same(model, way(model, tmp_path), images)


@pytest.mark.parametrize("way", WAYS)
def test_feature_names_come_back(way, blobs, tmp_path):
    X = pd.DataFrame(blobs[0], columns=list("abcde"))
    model = way(DMClassifier(**FAST).fit(X, blobs[1]), tmp_path)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X.rename(columns={"a": "z"}))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch's compiler
@pytest.mark.parametrize("way", WAYS)
def test_a_compiled_network_comes_back(way, blobs, tmp_path):
    X = blobs[0].astype(np.float32)
    model = DMClassifier(compile=True, **FAST).fit(X, blobs[1])
    again = way(model, tmp_path)
    plain = DMClassifier(**FAST).fit(X, blobs[1])
    # float32 sums in the order the compiler chose
    for each in (model, again):
        assert np.allclose(each.predict_proba(X), plain.predict_proba(X), atol=1e-5)


class Own(nn.Module):
    def __init__(self, n_features, n_classes):
        super().__init__()
        self.linear = nn.Linear(n_features, n_classes)

    def forward(self, x):
        return self.linear(x)


@pytest.mark.filterwarnings("ignore")  # of torch's compiler
def test_a_network_that_the_user_compiled_comes_back(blobs, tmp_path):
    model = DMClassifier(torch.compile(Own(5, 3), backend="eager"), **FAST).fit(*blobs)
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"its module is tests\._classifiers\.test_saving\.Own, pass that class"):
        DMClassifier.load(tmp_path / "model")
    for module in (torch.compile(Own(5, 3), backend="eager"), Own):
        loaded = DMClassifier.load(tmp_path / "model", module=module)
        assert np.array_equal(loaded.predict_proba(blobs[0]), model.predict_proba(blobs[0]))


@pytest.mark.parametrize("module", [Own, Own(5, 3), nn.Linear])
def test_a_module_of_the_users_is_handed_in_by_the_user(module, blobs, tmp_path):
    model = DMClassifier(module, **FAST).fit(*blobs)
    model.save(tmp_path / "model")
    name = r"torch\.nn\.modules\.linear\.Linear" if module is nn.Linear else r"tests\._classifiers\.test_saving\.Own"
    with pytest.raises(ValueError, match=rf"its module is {name}, pass that class or factory as module="):
        DMClassifier.load(tmp_path / "model")
    loaded = DMClassifier.load(tmp_path / "model", module=module)
    assert np.array_equal(loaded.predict_proba(blobs[0]), model.predict_proba(blobs[0]))


@pytest.mark.parametrize(
    "kind, params", [(DMClassifier, {}), (DMClassifier, {"module": MLP}), (DMClassifierCV, {"cv": 2})]
)
def test_a_module_for_a_file_that_names_one_of_ours_is_refused(kind, params, blobs, tmp_path):
    model = kind(**params, **FAST).fit(*blobs)
    model.save(tmp_path / "model")
    for other in (Own, ResNet20, Own(5, 3)):
        expected = r"its module is sklabelnoise\.modules\._mlp\.MLP, which it names, module must be "
        expected += "None or that class" if params.get("module") else "None"
        with pytest.raises(ValueError, match=rf"{expected}, got .*{'ResNet20' if other is ResNet20 else 'Own'}"):
            kind.load(tmp_path / "model", module=other)
    loaded = kind.load(tmp_path / "model", module=params.get("module"))
    assert np.array_equal(loaded.predict_proba(blobs[0]), model.predict_proba(blobs[0]))


@pytest.mark.parametrize("made, since", [
    ({}, {"module__hidden": (3,)}),
    ({"module__hidden": (8,)}, {"module__hidden": (3,), "module__dropout": 0.5}),
    ({}, {"module": ResNet20}),
    ({"module": MLP}, {"module": Own}),
    ({"module": Own}, {"module": None}),
    ({}, {"amp": True}),
    ({"amp": True}, {"amp": False}),
    ({}, {"compile": True}),
])  # fmt: skip
@pytest.mark.parametrize("kind", [DMClassifier, DMClassifierCV])
def test_a_file_holds_the_network_that_was_fitted_whatever_was_set_since(kind, made, since, blobs, tmp_path):
    more = {"cv": 2, "n_members": 2, "candidates": [(0, 0), (1, 8)]} if kind is DMClassifierCV else {}
    model = kind(**made, **more, **FAST).fit(*blobs)
    before = model.predict_proba(blobs[0])
    model.set_params(**since, lr=0.5).save(tmp_path / "model")
    loaded = kind.load(tmp_path / "model", module=made.get("module"))
    assert np.array_equal(loaded.predict_proba(blobs[0]), before)
    expected = kind(**made, **more, **FAST).set_params(lr=0.5).get_params()
    off = {"amp": False, "compile": False}
    assert off | loaded.get_params() == off | expected


def test_a_loaded_classifier_can_go_on(fitted, saved, blobs):
    loaded = DMClassifier.load(saved).set_params(warm_start=True)
    names = fitted.classes_[blobs[1]]
    loaded.fit(blobs[0], names)
    assert loaded.n_iter_ == 4
    assert loaded.loss_curve_[:2] == fitted.loss_curve_
    assert loaded.loss_curve_[2] < fitted.loss_curve_[0]


def test_a_loaded_classifier_goes_on_with_no_other_network(saved, blobs):
    loaded = DMClassifier.load(saved).set_params(warm_start=True, module__hidden=(3,))
    with pytest.raises(ValueError, match=r"Training goes on with the fitted network, .* module__hidden"):
        loaded.fit(blobs[0], loaded.classes_[blobs[1]])


def test_a_loaded_classifier_knows_how_far_its_training_was(blobs, tmp_path):
    class Progress(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("progress", net.criterion_.progress)

    ProSelfLCClassifier(batch_size=32, **FAST).fit(*blobs).save(tmp_path / "model")
    loaded = ProSelfLCClassifier.load(tmp_path / "model").set_params(warm_start=True, callbacks=[Progress])
    assert loaded.fit(*blobs).history_["progress"][2:].tolist() == [1, 1]


def test_a_gpu_in_the_parameters_does_not_keep_a_cpu_from_loading(saved, tmp_path, blobs, fitted):
    path = rewrite(saved, tmp_path, parameter("device", "cuda:1"))
    loaded = DMClassifier.load(path)
    assert np.array_equal(loaded.predict_proba(blobs[0]), fitted.predict_proba(blobs[0]))


def test_a_loaded_classifier_does_not_need_its_file(saved, tmp_path, blobs, fitted):
    path = tmp_path / "model"
    path.write_bytes(saved.read_bytes())
    loaded = DMClassifier.load(path)
    path.write_bytes(b"")
    assert_same(fitted, loaded, blobs[0])


# Saving


@pytest.mark.parametrize("params, name", [
    ({"emphasis": lambda p: 1 - p}, "emphasis"),
    ({"lr_schedule": lambda progress: 1.0}, "lr_schedule"),
    ({"augment": lambda batch, generator: batch}, "augment"),
    ({"callbacks": [object]}, "callbacks"),
    ({"random_state": np.random.RandomState(0)}, "random_state"),
])  # fmt: skip
def test_what_has_no_name_is_refused_and_nothing_is_written(params, name, fitted, tmp_path):
    model = copy.deepcopy(fitted).set_params(**params)
    (tmp_path / "model").write_text("before")
    with pytest.raises(TypeError, match=rf"{name} can't be saved: loading would have to execute code.*, got "):
        model.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model").read_text() == "before"


KINDS = [DMClassifier, ProSelfLCClassifier, RobustLossClassifier, DMClassifierCV]
WRONG = [-1, "nothing", float("nan"), [], (1, 2), {"a": 1}, True, np.arange(3), 10**30]


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_set_after_the_fit_a_file_that_is_written_can_be_loaded(kind, blobs, tmp_path):
    X, y = blobs
    more = {"candidates": ((0, 0), (1, 8)), "cv": 2, "n_members": 1} if kind is DMClassifierCV else {}
    model, path = kind(module__hidden=(4,), **more, **FAST).fit(X, y), tmp_path / "model"
    before, n_refused = model.predict_proba(X), 0
    prefixed = ["optimizer__momentum", "optimizer__bogus", "callbacks__x", "module__hidden", "module__bogus"]
    own = [name for name in model.get_params(deep=False) if "__" not in name]
    if kind is not DMClassifier:  # what they share is told by one of them
        own = [name for name in own if name not in DMClassifier().get_params()]
    for name in [*own, *prefixed, *(["loss__bogus", "loss__q"] if kind is RobustLossClassifier else [])]:
        for value in WRONG:
            other = copy.deepcopy(model).set_params(**{name: value})
            path.write_text("before")
            try:
                other.save(path)
            except ValueError as error:
                n_refused += 1
                assert f"{kind.__name__} can't be saved with parameters as they are now, which `load` would not" in str(
                    error
                )
                assert [found.read_text() for found in tmp_path.iterdir()] == ["before"]
            else:
                assert np.array_equal(kind.load(path).predict_proba(X), before)
    assert n_refused > (100 if kind is DMClassifier else 20)


def test_what_is_wrong_with_a_setting_is_said_when_it_is_saved(fitted, tmp_path):
    for params, message in [
        ({"batch_size": 0}, r"The 'batch_size' parameter of DMClassifier must be an int in the range \[1, inf\)"),
        ({"optimizer": "nothing"}, "optimizer must .*'nothing'"),
        ({"device": "nothing"}, "device must .*'nothing'"),
        ({"lr_schedule": "nothing"}, "lr_schedule must .*'nothing'"),
    ]:
        with pytest.raises(
            ValueError, match=rf"^DMClassifier can't be saved with parameters .*, got the error: {message}"
        ):
            copy.deepcopy(fitted).set_params(**params).save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_saved_as_a_path_is_written(blobs, tmp_path):
    made = {"candidates": ((0, 0), (1, 8)), "cv": 2, "n_members": 1, "checkpoint": tmp_path / "kept", **FAST}
    DMClassifierCV(**made).fit(*blobs).save(tmp_path / "model")
    assert DMClassifierCV.load(tmp_path / "model").checkpoint == str(tmp_path / "kept")


def test_saving_builds_no_module_and_copies_none(blobs, tmp_path):
    """A factory may read weights from a network that is gone, and some modules have no copies."""

    class Single(MLP):
        n_built = 0

        def __init__(self, n_features, n_classes):
            Single.n_built += 1
            super().__init__(n_features, n_classes)

        def __deepcopy__(self, memo):
            raise RuntimeError("no copies")

    model = DMClassifier(Single, **FAST).fit(*blobs)
    n_built = Single.n_built
    model.set_params(lr=0.5).save(tmp_path / "model")
    assert Single.n_built == n_built
    with pytest.raises(ValueError, match="can't be saved"):
        model.set_params(lr=-1.0).save(tmp_path / "model")
    assert DMClassifier.load(tmp_path / "model", module=Single).lr == 0.5


def test_a_missing_folder_is_named(fitted, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path must lie in an existing folder, got '.*gone/.*'"):
        fitted.save(tmp_path / "gone" / "model")


def test_a_classifier_that_was_not_fitted_can_not_be_saved(tmp_path):
    with pytest.raises(AttributeError, match="not fitted"):
        DMClassifier().save(tmp_path / "model")


def test_an_interrupted_write_leaves_the_file_as_it_was(fitted, saved, tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.write_bytes(saved.read_bytes())

    def fails(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="no space left"):
        fitted.save(path)
    assert path.read_bytes() == saved.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


# Loading what others wrote


def rewrite(saved, folder, change, tensors=None):
    """A copy of a saved file with its header changed."""
    with safe_open(saved, framework="pt") as file:
        metadata = file.metadata()
    header = json.loads(metadata["header"])
    change(header)
    path = folder / "changed"
    write(path, load_file(saved) if tensors is None else tensors, {**metadata, "header": json.dumps(header)})
    return path


def write(path, tensors, metadata):
    """A whole file, whatever is in it."""
    save_file(tensors, path, {**metadata, "checksum": checksum(metadata["header"], tensors)})


def item(section, name, value):
    def change(header):
        pairs = header[section]["dict"]
        header[section]["dict"] = [pair for pair in pairs if pair[0] != name] + [[name, value]]

    return change


def parameter(name, value):
    return item("params", name, value)


def attribute(name, value):
    return item("fitted", name, value)


def entry(name, value):
    def change(header):
        header[name] = value

    return change


HOSTILE_HEADERS = {
    "a function of os": (
        parameter("module", {"class": "os.system"}),
        "classes of torch or sklabelnoise, got 'os.system'",
    ),
    "a function of torch": (parameter("module", {"class": "torch.load"}), "must name classes .* got 'torch.load'"),
    "a function of torch.nn": (parameter("module", {"class": "torch.nn.factory_kwargs"}), "must name classes of torch"),
    "a private name": (parameter("module", {"class": "torch.nn.__loader__"}), "must name classes of torch"),
    "another class": (parameter("module", {"class": "torch.nn.Bilinear"}), "can't be loaded"),
    "no emphasis": (parameter("emphasis", {"emphasis": "DMLoss", "fields": {}}), r"something unknown: \['emphasis'"),
    "a wrong emphasis": (parameter("emphasis", {"emphasis": "DMEmphasis", "fields": {"lam": -1}}), "got -1"),
    "a callback": (parameter("callbacks", [{"class": "torch.nn.ReLU"}]), "callbacks must hold skorch callbacks"),
    "an unknown kind": (parameter("lam", {"pickle": "gASVHgAAAAAAAACM"}), r"something unknown: \['pickle'\]"),
    "an unknown parameter": (parameter("lamb", 1), "has no parameter 'lamb'; the nearest is 'lam'"),
    "a parameter out of its domain": (parameter("lam", -1), "The 'lam' parameter of DMClassifier must be"),
    "a parameter that is no number": (parameter("lam", float("nan")), "Got nan instead"),
    "an endless parameter": (parameter("lam", 10**400), "The 'lam' parameter of DMClassifier must be"),
    "a huge network": (parameter("module__hidden", {"tuple": [10**12]}), r"size mismatch.*1000000000000"),
    "a huge input": (attribute("input_shape_", {"tuple": [10**13]}), "size mismatch"),
    "an empty input": (attribute("input_shape_", {"tuple": [0]}), "must have a shape of positive integers, got"),
    "a negative input": (attribute("input_shape_", {"tuple": [-5]}), "must have a shape of positive integers, got"),
    "a strange input": (attribute("input_shape_", {"tuple": ["5"]}), "must have a shape of positive integers, got"),
    "no classes": (attribute("classes_", None), "it must have at least 2 classes, got None"),
    "too few classes": (attribute("classes_", {"array": ["a", "b"], "dtype": "U"}), "size mismatch"),
    "wide strings": (attribute("classes_", {"array": ["a"], "dtype": "<U1000000000"}), "an array of type '<U1000"),
    "numbers out of range": (attribute("classes_", {"array": [10**400, 1, 2], "dtype": "<i8"}), "damaged"),
    "a dtype with fields": (attribute("classes_", {"array": [1, 2], "dtype": [["a", "O"]]}), "damaged"),
    "an infinite iteration": (entry("iteration", float("inf")), "can't be loaded"),
    "an iteration that is no number": (entry("iteration", float("nan")), "can't be loaded"),
    "no training parameters": (entry("used", {"dict": []}), "can't be loaded"),
    "no history": (entry("history", 5), "can't be loaded"),
    "a history of unequal columns": (entry("history", {"dict": [["a", [1]], ["b", [1, 2]]]}), "can't be loaded"),
    "no dictionary": (lambda header: header.update(params=[1, 2]), "can't be loaded"),
    "missing parts": (lambda header: header.pop("fitted"), "can't be loaded"),
}


@pytest.mark.parametrize("change, message", HOSTILE_HEADERS.values(), ids=HOSTILE_HEADERS)
def test_a_hostile_header_is_refused(change, message, saved, tmp_path):
    path = rewrite(saved, tmp_path, change)
    with pytest.raises(ValueError, match=f"(?s){message}") as raised:
        DMClassifier.load(path)
    assert str(path) in str(raised.value)


def test_attributes_of_other_names_are_not_set(saved, tmp_path, fitted, blobs):
    loaded = DMClassifier.load(rewrite(saved, tmp_path, attribute("predict", "x")))
    assert np.array_equal(loaded.predict(blobs[0]), fitted.predict(blobs[0]))
    assert "predict" not in vars(loaded)


@pytest.mark.parametrize("change", [
    lambda tensors: {**tensors, "module.output.bias": torch.zeros(7)},
    lambda tensors: {**tensors, "module.output.more": torch.zeros(7)},
    lambda tensors: {name: tensor for name, tensor in tensors.items() if "bias" not in name},
    lambda tensors: {name: tensor for name, tensor in tensors.items() if name != "label_quality"},
], ids=["wrong shape", "too many", "too few", "no label quality"])  # fmt: skip
def test_tensors_that_do_not_fit_are_refused(change, saved, tmp_path):
    path = rewrite(saved, tmp_path, lambda header: None, tensors=change(load_file(saved)))
    with pytest.raises(ValueError, match="can't be loaded as a fitted DMClassifier"):
        DMClassifier.load(path)


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def foreign_files(saved, trace):
    data = saved.read_bytes()
    yield "empty", b""
    yield "truncated in the header", data[:100]
    yield "truncated in the tensors", data[:-100]
    yield "a header of endless length", (2**62).to_bytes(8, "little") + data[8:]
    yield "a header that is no JSON", (16).to_bytes(8, "little") + b"{" * 16
    yield "a pickle", pickle.dumps(Bomb(trace))
    yield "a text", b"not a model, " * 100
    yield "noise", np.random.default_rng(0).bytes(4096)


def test_foreign_files_are_refused_and_not_executed(saved, tmp_path):
    trace = tmp_path / "trace"
    for what, data in foreign_files(saved, trace):
        path = tmp_path / "foreign"
        path.write_bytes(data)
        with pytest.raises(ValueError, match="foreign' is damaged or no file of a saved classifier"):
            DMClassifier.load(path)
        assert not trace.exists(), what


def test_no_flipped_bit_goes_unnoticed(saved, tmp_path, fitted, blobs):
    """safetensors has no checksum: a network with another weight predicted something else."""
    data, path = saved.read_bytes(), tmp_path / "flipped"
    for place in np.random.default_rng(0).integers(len(data), size=60):
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(place) % 8
        path.write_bytes(flipped)
        try:
            loaded = DMClassifier.load(path)
        except ValueError as error:
            assert str(path) in str(error)
        else:
            assert np.array_equal(loaded.predict_proba(blobs[0]), fitted.predict_proba(blobs[0]))


def test_a_file_without_a_checksum_is_read(saved, tmp_path, fitted, blobs, monkeypatch):
    with safe_open(saved, framework="pt") as file:
        metadata = {name: value for name, value in file.metadata().items() if name != "checksum"}
    save_file(load_file(saved), tmp_path / "older", metadata)
    monkeypatch.setattr(_file_format, "checksum", None)  # nothing to compare with: it was computed all the same
    loaded = DMClassifier.load(tmp_path / "older")
    assert np.array_equal(loaded.predict_proba(blobs[0]), fitted.predict_proba(blobs[0]))


def test_a_torch_file_is_refused_and_not_executed(tmp_path):
    torch.save({"model": Bomb(tmp_path / "trace")}, tmp_path / "foreign.pt")
    with pytest.raises(ValueError, match="damaged or no file of a saved classifier"):
        DMClassifier.load(tmp_path / "foreign.pt")
    assert not (tmp_path / "trace").exists()


def test_tensors_of_another_program_are_refused(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "other")
    with pytest.raises(ValueError, match="expected format 'sklabelnoise-1', got None"):
        DMClassifier.load(tmp_path / "other")


def test_a_header_nested_without_end_is_refused(saved, tmp_path):
    with safe_open(saved, framework="pt") as file:
        metadata = file.metadata()
    write(tmp_path / "deep", load_file(saved), {**metadata, "header": "[" * 100_000})
    with pytest.raises(ValueError, match="damaged or no file of a saved classifier"):
        DMClassifier.load(tmp_path / "deep")


def test_another_classifier_is_named(saved):
    with pytest.raises(ValueError, match="must hold a RobustLossClassifier, got a 'DMClassifier'"):
        RobustLossClassifier.load(saved)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        DMClassifier.load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        DMClassifier.load(tmp_path)


@pytest.mark.parametrize("value", [
    None, True, 3, 0.1, float("inf"), "text", (1, (2, "x")), [1, [2]], {"a": 1, 2: (3,)}, nn.ReLU, torch.optim.SGD, MLP,
    NormalEmphasis(0.5, 2.0),
])  # fmt: skip
def test_values_survive_json(value):
    again = decode(json.loads(json.dumps(encode(value, "x"))))
    assert again == value and type(again) is type(value)


class Linear(nn.Linear):
    """Of a user's, with the name of one of torch's."""


@pytest.mark.parametrize(
    "value", [Linear, len, np.ndarray, object(), {"a": [Linear]}, np.array(3), np.datetime64("2020")]
)
def test_what_only_code_could_restore_is_not_written(value):
    with pytest.raises(TypeError, match="can't be saved: loading would have to execute code"):
        encode(value, "x")


@pytest.mark.parametrize(("value", "plain"), [
    (np.int64(3), 3), (np.float32(0.5), 0.5), (np.bool_(True), True), (np.str_("a"), "a"),
    (torch.device("cuda:1"), "cuda:1"),
])  # fmt: skip
def test_what_has_a_plain_form_is_written_in_it(value, plain):
    again = decode(json.loads(json.dumps(encode(value, "x"))))
    assert again == plain and type(again) is type(plain)


@pytest.mark.parametrize("dtype", ["<i8", ">i4", "u1", "<f4", ">f8", "?", "U3", "O", "<M8[D]", ">M8[25s]"])
def test_arrays_survive_json_with_their_type(dtype):
    value = np.array([[1, 0], [0, 1]]).astype(dtype)
    again = decode(json.loads(json.dumps(encode(value, "x"))))
    assert again.tolist() == value.tolist()
    assert again.dtype == value.dtype if dtype != "U3" else again.dtype == "U1"  # as wide as its strings


def test_a_checksum_is_of_names_types_shapes_and_all_values():
    tensors = {"a": torch.zeros(2, 3000), "b": torch.ones(2)}
    other = torch.zeros(2, 3000)
    other[-1, -1] = 1
    changed = [
        {**tensors, "a": tensors["a"].reshape(3000, 2)},
        {**tensors, "a": tensors["a"].to(torch.int32)},
        {**tensors, "a": other},
        {"a": tensors["a"], "c": tensors["b"]},
        {"a": tensors["a"]},
    ]
    sums = [checksum("header", own) for own in (tensors, *changed)] + [checksum("other", tensors)]
    assert len(set(sums)) == len(sums)
    assert checksum("header", dict(reversed(tensors.items()))) == sums[0]
    assert checksum("header", {**tensors, "a": torch.zeros(3000, 2).T}) == sums[0]


def test_tensors_that_share_memory_or_lie_across_it_are_written_as_they_are(fitted, tmp_path):
    weights = torch.arange(6.0).reshape(2, 3)
    tensors = {"one": weights, "again": weights, "turned": weights.T, "part": weights[:, 1]}
    file_format.write(tmp_path / "model", fitted, header=file_format.expressed({}), tensors=tensors)
    header, read = file_format.read(tmp_path / "model", DMClassifier)
    assert header == {} and read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())


def test_a_file_that_does_not_say_what_it_holds_is_refused(saved, tmp_path):
    with safe_open(saved, framework="pt") as file:
        metadata = {name: value for name, value in file.metadata().items() if name != "estimator"}
    save_file(load_file(saved), tmp_path / "nameless", metadata)
    with pytest.raises(ValueError, match="must hold a DMClassifier, got a None"):
        DMClassifier.load(tmp_path / "nameless")


def test_loading_draws_no_number_of_the_callers(saved):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    DMClassifier.load(saved)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_members_that_do_not_belong_together_are_refused(blobs, tmp_path):
    X, y = blobs
    model = DMClassifierCV(candidates=((0, 0),), cv=2, n_members=2, **FAST).fit(X, y)
    for other in (DMClassifier(**FAST).fit(X[:, :4], y), DMClassifier(**FAST).fit(X, y + 5)):
        mixed = copy.copy(model)
        mixed.estimators_ = [model.estimators_[0], other]
        mixed._label_quality = model.label_quality_
        mixed.save(tmp_path / "model")
        with pytest.raises(ValueError, match="its members must take examples of one shape and know its classes"):
            DMClassifierCV.load(tmp_path / "model")


# What is kept


def test_early_stopping_keeps_no_second_network(blobs):
    plain, stopped = (
        DMClassifier(module__hidden=(2000,), early_stopping=early, **FAST).fit(*blobs) for early in (False, True)
    )
    size = len(pickle.dumps(plain))
    assert len(pickle.dumps(stopped)) < 1.05 * size


def test_nothing_of_the_training_data_is_kept(blobs):
    X, y = np.tile(blobs[0], (200, 1)).astype(np.float32), np.tile(blobs[1], 200)
    params = {"max_epochs": 2, "batch_size": 10_000, "early_stopping": True, "dtype": "float32"}
    large = len(pickle.dumps(DMClassifier(**params).fit(X, y)))
    small = len(pickle.dumps(DMClassifier(**params).fit(X[:600], y[:600])))
    # Only label_quality_ grows with the rows, by one float32 each.
    assert large - small < 4.5 * (len(X) - 600)


def test_a_module_that_shares_its_name_with_one_of_ours_is_the_users(blobs, tmp_path):
    class Own(nn.Module):
        def __init__(self, n_features, n_classes):
            super().__init__()
            self.layer = nn.Linear(n_features, n_classes)

        def forward(self, x):
            return -self.layer(x)

    Own.__name__ = "MLP"
    model = DMClassifier(Own, **FAST).fit(*blobs)
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"its module is .*, pass that class or factory as module=, got None"):
        DMClassifier.load(tmp_path / "model")
    loaded = DMClassifier.load(tmp_path / "model", module=Own)
    assert np.array_equal(loaded.predict_proba(blobs[0]), model.predict_proba(blobs[0]))

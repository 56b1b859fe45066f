"""A saved ensemble predicts as the one that was fitted, and loading it executes nothing that nobody allowed."""

import copy
import json
import pickle
import sys
import zipfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import KFold, PredefinedSplit, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from torch import nn

from sklabelnoise import DMClassifier, NoisyLabelClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise._ensemble import _saving
from sklabelnoise._ensemble._members import TABLE_FAMILIES
from sklabelnoise.audit import audit_labels

pytestmark = pytest.mark.usefixtures("few_trees", "few_rounds")


class OwnModule(nn.Linear):
    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)


def draw():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    return X, np.array(["no", "yes"])[(X[:, 0] + 0.5 * rng.normal(size=80) > 0).astype(int)]


@pytest.fixture(scope="module")
def model(few_trees, few_rounds):
    members = ["kernel_ridge", "boosting", "extra_trees", ("net", DMClassifier(max_epochs=3)), ("bayes", GaussianNB())]
    return NoisyLabelClassifier(members, cv=2, random_state=0).fit(*draw())


@pytest.fixture(params=["skops", "pickle"])
def saved(request, model, tmp_path, monkeypatch):
    """A file of each kind, and how to load it."""
    if request.param == "skops":
        pytest.importorskip("skops", reason="skops is an optional dependency")
    else:
        monkeypatch.setitem(sys.modules, "skops", None)
    path = tmp_path / "model.zip"
    model.save(path, allow_pickle=request.param == "pickle")
    return path, {"allow_pickle": request.param == "pickle"}


def test_a_loaded_model_is_the_saved_one(model, saved):
    path, how = saved
    loaded = NoisyLabelClassifier.load(path, **how)
    X, y = draw()
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(loaded.predict(X), model.predict(X))
    for name in ("oof_proba_", "soft_labels_", "label_quality_", "transition_matrix_", "classes_"):
        assert np.array_equal(getattr(loaded, name), getattr(model, name))
    assert loaded.members_.equals(model.members_) and loaded.candidates_.equals(model.candidates_)
    assert vars(loaded).keys() == vars(model).keys()
    assert list(loaded.estimators_) == list(model.estimators_)
    assert loaded.report(X).fingerprint == model.report(X).fingerprint
    assert isinstance(loaded.estimators_["net"][0].model, DMClassifier)
    assert [entry if isinstance(entry, str) else entry[0] for entry in loaded.members] == [
        "kernel_ridge", "boosting", "extra_trees", "net", "bayes",
    ]  # fmt: skip
    again = loaded.fit(X, y)
    assert np.array_equal(again.oof_proba_, model.oof_proba_)


def test_saving_leaves_the_model_as_it_was(model, saved):
    assert isinstance(model.estimators_["net"][0].model, DMClassifier)


def test_networks_are_no_pickles(model, saved):
    path, _ = saved
    with zipfile.ZipFile(path) as file:
        names = [name for name in file.namelist() if name.startswith("network")]
        header = json.loads(file.read("header.json"))
    assert len(names) == 2
    assert header["networks"] == [{"class": "DMClassifier", "member": "net"}] * 2


def test_without_skops_a_pickle_has_to_be_allowed_on_both_sides(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops", None)
    with pytest.raises(ImportError, match=r"needs skops, .* install 'sklabelnoise\[save\]'\. Or pass allow_"):
        model.save(tmp_path / "model.zip")
    assert list(tmp_path.iterdir()) == []
    model.save(tmp_path / "model.zip", allow_pickle=True)
    with pytest.raises(ValueError, match="can execute whatever was written into the file"):
        NoisyLabelClassifier.load(tmp_path / "model.zip")


def test_without_skops_a_file_that_needs_it_says_so(model, tmp_path, monkeypatch):
    pytest.importorskip("skops", reason="skops is an optional dependency")
    model.save(tmp_path / "model.zip")
    monkeypatch.setitem(sys.modules, "skops", None)
    with pytest.raises(ImportError, match=r"^Loading '.*model\.zip' needs skops, .* install 'sklabelnoise\[save\]'\.$"):
        NoisyLabelClassifier.load(tmp_path / "model.zip", allow_pickle=True)


@pytest.mark.parametrize("content", [b"", b"PK nothing", pickle.dumps({})])
def test_a_foreign_file_is_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match="is damaged or no file of a saved NoisyLabelClassifier"):
        NoisyLabelClassifier.load(tmp_path / "file", allow_pickle=True)


def test_a_damaged_file_is_refused(saved, model, tmp_path):
    path, how = saved
    data, damaged = path.read_bytes(), tmp_path / "damaged"
    rng = np.random.default_rng(0)
    for place in [*rng.integers(len(data), size=20), *rng.integers(len(data) - 400, len(data), size=20)]:
        length = rng.integers(1, 30)
        damaged.write_bytes(data[:place] + rng.bytes(length // 2) + data[place + length :])
        try:
            loaded = NoisyLabelClassifier.load(damaged, **how)
        except ValueError as error:
            assert str(damaged) in str(error)
        else:
            assert np.array_equal(loaded.predict_proba(draw()[0]), model.predict_proba(draw()[0]))


def test_a_network_of_another_class_is_refused(saved, tmp_path):
    path, how = saved
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content.replace(b"DMClassifier", b"audit") if name == "header.json" else content)
    with pytest.raises(ValueError, match="names 'audit', which is no network of this package"):
        NoisyLabelClassifier.load(other, **how)


def test_a_module_of_the_user_is_handed_in(tmp_path):
    X, y = draw()
    members = [("net", DMClassifier(OwnModule, max_epochs=2))]
    model = NoisyLabelClassifier(members, cv=2, random_state=0).fit(X, y)
    model.save(tmp_path / "model.zip", allow_pickle=True)
    with pytest.raises(ValueError, match="pass that class or factory as module="):
        NoisyLabelClassifier.load(tmp_path / "model.zip", allow_pickle=True)
    loaded = NoisyLabelClassifier.load(tmp_path / "model.zip", allow_pickle=True, modules={"net": OwnModule})
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_modules_of_members_that_have_no_use_for_one_are_refused(saved):
    path, how = saved
    for name in ("nets", "bayes", "boosting"):
        with pytest.raises(ValueError, match=rf"modules must be .* networks in the file, 'net', got '{name}'\."):
            NoisyLabelClassifier.load(path, modules={name: OwnModule}, **how)
    with pytest.raises(ValueError, match=r"its module is .*MLP, which it names, module must be None, got .*OwnModule"):
        NoisyLabelClassifier.load(path, modules={"net": OwnModule}, **how)
    for given in ([OwnModule], OwnModule):
        with pytest.raises(TypeError, match=r"modules must be a dict from names of members to their modules, got "):
            NoisyLabelClassifier.load(path, modules=given, **how)


def test_no_folder_no_file(model, tmp_path):
    with pytest.raises(FileNotFoundError, match="existing folder"):
        model.save(tmp_path / "none" / "model.zip", allow_pickle=True)


def test_a_pickle_is_a_copy(model):
    X, _ = draw()
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    "n_classes, kind", [(3, "missing"), (3, "sparse"), pytest.param(2, "dense", marks=pytest.mark.slow)]
)
def test_whatever_auto_fits_to_a_table_is_loaded_without_naming_types(n_classes, kind, tmp_path):
    pytest.importorskip("skops", reason="skops is an optional dependency")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 220 if kind == "sparse" else 3))
    y = X[:, 0].argsort().argsort() * n_classes // 60
    if kind == "missing":
        X[::7, 1] = np.nan
    elif kind == "sparse":
        X = scipy.sparse.csr_matrix(X * (rng.uniform(size=X.shape) < 0.1))
    tables = [name for name in TABLE_FAMILIES if name != "networks"]
    model = NoisyLabelClassifier(tables, cv=2, random_state=0).fit(X, y)
    model.save(tmp_path / "model.zip")
    loaded = NoisyLabelClassifier.load(tmp_path / "model.zip")
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_a_loaded_network_has_the_parameters_that_its_user_gave_it(tmp_path):
    X, y = draw()
    members = [
        ("net", DMClassifier(max_epochs=2, lam=0.25), {"lam": [0.0, 1.0]}),
        ("seeded", DMClassifier(random_state=7)),
    ]
    members[1][1].set_params(max_epochs=1)
    model = NoisyLabelClassifier(members, cv=2, random_state=0).fit(X, y)
    model.save(tmp_path / "model", allow_pickle=True)
    loaded = NoisyLabelClassifier.load(tmp_path / "model", allow_pickle=True)
    for (_, given, *_), (_, back, *_) in zip(members, loaded.members, strict=True):
        assert back.get_params() == given.get_params()
    assert np.array_equal(loaded.fit(X, y).predict_proba(X), model.predict_proba(X))


class OwnBayes(GaussianNB):
    pass


def saved_and_loaded(model, path, **how):
    model.save(path, allow_pickle=True)
    return NoisyLabelClassifier.load(path, allow_pickle=True, **how)


def test_types_of_the_user_have_to_be_trusted_by_name(tmp_path):
    pytest.importorskip("skops", reason="skops is an optional dependency")
    X, y = draw()
    model = NoisyLabelClassifier([("bayes", OwnBayes())], cv=2, random_state=0).fit(X, y)
    model.save(tmp_path / "model")
    with pytest.raises(
        ValueError, match=r"pass those whose code you know as trusted=, got (\S*OwnBayes)\.$"
    ) as refused:
        NoisyLabelClassifier.load(tmp_path / "model")
    name = str(refused.value).split("got ")[1].rstrip(".")
    loaded = NoisyLabelClassifier.load(tmp_path / "model", trusted=[name])
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_weights_of_classes_and_names_of_columns_are_saved(tmp_path):
    X, y = draw()
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = NoisyLabelClassifier(["neighbors", "kernel_ridge"], class_weight={"no": 5.0}, random_state=0).fit(frame, y)
    loaded = saved_and_loaded(model, tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(frame), model.predict_proba(frame))
    assert loaded.get_params() == model.get_params()
    assert loaded.feature_names_in_.tolist() == list("abcd") and loaded.noise_rate_ == model.noise_rate_
    with pytest.raises(ValueError, match="feature names should match"):
        loaded.predict(frame[list("dcba")])


def test_a_loaded_model_knows_the_rows_it_was_fitted_to(tmp_path, monkeypatch):
    X, y = draw()
    model = NoisyLabelClassifier(["neighbors"], random_state=0).fit(X, y)
    loaded = saved_and_loaded(model, tmp_path / "model")
    monkeypatch.setattr(NoisyLabelClassifier, "fit", None)
    assert audit_labels(loaded, X, y).fingerprint == model.report(X).fingerprint


def test_folds_of_one_class_are_saved(tmp_path):
    pytest.importorskip("skops", reason="skops is an optional dependency")
    X, y = draw()
    order = np.argsort(y)
    cv = [(np.arange(60, 80), np.arange(60)), (np.arange(60), np.arange(60, 80))]
    members = ["logistic_regression", "neighbors", "boosting"]
    model = NoisyLabelClassifier(members, cv=cv, random_state=0).fit(X[order], y[order])
    model.save(tmp_path / "model")
    assert np.array_equal(NoisyLabelClassifier.load(tmp_path / "model").predict_proba(X), model.predict_proba(X))


def test_a_file_is_replaced_at_once_or_left_as_it_was(tmp_path, monkeypatch):
    X, y = draw()
    path = tmp_path / "model"
    model = NoisyLabelClassifier(["neighbors"], random_state=0).fit(X, y)
    model.save(path, allow_pickle=True)
    before = path.read_bytes()

    def full(*args, **options):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space left"):
        NoisyLabelClassifier(["kernel_ridge"], random_state=0).fit(X, y).save(path, allow_pickle=True)
    assert path.read_bytes() == before


def test_networks_of_each_kind_are_saved_without_those_that_failed(tmp_path):
    X, y = draw()
    members = [
        ("bad", DMClassifier(lam=-1.0)),
        ("progressive", ProSelfLCClassifier(max_epochs=2)),
        ("robust", RobustLossClassifier(max_epochs=2), [{"loss": ["cross_entropy"]}]),
    ]
    with pytest.warns(FitFailedWarning, match="'bad' failed"):
        model = NoisyLabelClassifier(members, cv=2, random_state=0).fit(X, y)
    loaded = saved_and_loaded(model, tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert [name for name, *_ in loaded.members] == ["progressive", "robust"]
    robust = loaded.members[1]
    assert robust[1].loss == "gce" == members[2][1].loss and robust[2] == members[2][2]
    assert [type(model.model) for models in loaded.estimators_.values() for model in models] == (
        [ProSelfLCClassifier] * 2 + [RobustLossClassifier] * 2
    )


def test_a_file_of_another_format_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "file", "w") as file:
        file.writestr("header.json", json.dumps({"format": "other-2", "state": "pickle", "networks": []}))
        file.writestr("state.pickle", pickle.dumps({}))
    with pytest.raises(ValueError, match="expected format 'sklabelnoise-ensemble-1', got 'other-2'"):
        NoisyLabelClassifier.load(tmp_path / "file", allow_pickle=True)


class Strange:
    pass


@pytest.mark.parametrize("by", ["skops", "pickle"])
def test_whatever_is_set_after_the_fit_a_file_that_is_written_can_be_loaded(by, tmp_path, monkeypatch):
    if by == "skops":
        pytest.importorskip("skops", reason="skops is an optional dependency")
    else:
        monkeypatch.setitem(sys.modules, "skops", None)
    X, y = draw()
    members = ["neighbors", ("bayes", GaussianNB()), ("net", DMClassifier(max_epochs=2))]
    model, path = NoisyLabelClassifier(members, cv=2, random_state=0).fit(X, y), tmp_path / "model"
    before, refused = model.predict_proba(X), set()
    wrong = [
        -1,
        "nothing",
        [],
        (1, 2),
        [("a",)],
        {"a": 1},
        {"yes": -1.0},
        3.5,
        Strange(),
        Strange,
        lambda x: x,
        float("nan"),
    ]
    for name in model.get_params(deep=False):
        for number, value in enumerate(wrong):
            other = copy.deepcopy(model).set_params(**{name: value})
            path.write_text("before")
            try:
                other.save(path, allow_pickle=by == "pickle")
            except ValueError as error:
                refused.add((name, number))
                message = (
                    "NoisyLabelClassifier can't be saved with parameters as they are now, which `fit` would not take"
                )
                assert message in str(error) and name in str(error)
                assert [found.read_text() for found in tmp_path.iterdir()] == ["before"]
            else:
                loaded = NoisyLabelClassifier.load(path, allow_pickle=by == "pickle")
                assert np.array_equal(loaded.predict_proba(X), before)
    assert {name for name, _ in refused} == set(model.get_params(deep=False)) and len(refused) > 80


SPLITS = [(np.arange(40), np.arange(40, 80)), (np.arange(40, 80), np.arange(40))]


@pytest.mark.parametrize(
    "params",
    [
        *({"cv": cv} for cv in (KFold(2), StratifiedKFold(2), PredefinedSplit(np.arange(80) % 2), SPLITS)),
        {"checkpoint": Path("kept")},
        {"random_state": np.random.RandomState(0)},
        {"class_weight": {"yes": 2.0}},
        {"time_limit": np.float64(100.0), "n_jobs": np.int64(1)},
    ],
    ids=lambda params: "-".join(f"{name}={type(value).__name__}" for name, value in params.items()),
)
def test_parameters_of_each_kind_come_back_without_naming_types(params, tmp_path, monkeypatch):
    pytest.importorskip("skops", reason="skops is an optional dependency")
    monkeypatch.chdir(tmp_path)
    X, y = draw()
    model = NoisyLabelClassifier(["neighbors"], **{"cv": 2, "random_state": 0, **params}).fit(X, y)
    loaded = saved_and_loaded(model, tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    for name in params:
        assert str(getattr(loaded, name)) == str(getattr(model, name)) or name == "random_state"
    loaded.fit(X, y)


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(np.arange(80)[::-1] * 10, name="patient"),
        pd.Index([f"row {number}" for number in range(80)]),
        pd.date_range("2024-01-01", periods=80),
        pd.RangeIndex(100, 180),
    ],
    ids=["numbers", "texts", "dates", "none"],
)
def test_a_loaded_model_reports_by_the_names_of_rows(index, tmp_path):
    X, y = pd.DataFrame(draw()[0], index=index), draw()[1]
    model = NoisyLabelClassifier(["neighbors"], cv=2, random_state=0).fit(X, y)
    loaded = saved_and_loaded(model, tmp_path / "model")
    issues = loaded.report().issues
    pd.testing.assert_frame_equal(issues, model.report().issues)
    assert len(issues) and np.array_equal(X.loc[issues.index], X.iloc[issues["row"]])
    for each in (model, loaded):
        # The numbers of rows without names are no names: shuffled rows may come with labels in their order.
        with nullcontext() if isinstance(index, pd.RangeIndex) else pytest.raises(ValueError, match="in two orders"):
            each.report(X[::-1])


def test_names_of_rows_that_are_no_numbers_texts_or_dates_keep_no_model_from_being_saved(tmp_path):
    X, y = draw()
    index = pd.MultiIndex.from_product([["left", "right"], range(40)])
    model = NoisyLabelClassifier(["neighbors"], cv=2, random_state=0).fit(pd.DataFrame(X, index=index), y)
    issues = saved_and_loaded(model, tmp_path / "model").report().issues
    assert issues.index.tolist() == issues["row"].tolist()


def test_what_cannot_be_written_is_said(tmp_path):
    X, y = draw()
    model = NoisyLabelClassifier(["neighbors"], cv=(fold for fold in SPLITS), random_state=0).fit(X, y)
    with pytest.raises(TypeError, match="NoisyLabelClassifier can't be saved, as one of its parameters or members"):
        model.save(tmp_path / "model", allow_pickle=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("around", [make_pipeline, lambda network: CalibratedClassifierCV(network, cv=2)])
def test_members_that_skops_cannot_write_are_pickled_where_that_is_allowed(around, tmp_path):
    pytest.importorskip("skops", reason="skops is an optional dependency")
    X, y = draw()
    members = [("inside", around(DMClassifier(max_epochs=2))), ("net", DMClassifier(max_epochs=2)), "neighbors"]
    model = NoisyLabelClassifier(members, cv=2, random_state=0).fit(X, y)
    with pytest.raises(TypeError, match=r"\S[.] With allow_pickle=True it is pickled"):
        model.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
    loaded = saved_and_loaded(model, tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.fit(X, y).predict_proba(X), model.predict_proba(X))
    with pytest.raises(ValueError, match="holds pickled members"):
        NoisyLabelClassifier.load(tmp_path / "model")


def test_memory_that_runs_out_is_no_fault_of_what_is_written(tmp_path, monkeypatch):
    X, y = draw()
    model = NoisyLabelClassifier(["neighbors"], cv=2, random_state=0).fit(X, y)

    def full(*arguments):
        raise MemoryError

    monkeypatch.setattr(_saving, "_written", full)
    with pytest.raises(MemoryError):
        model.save(tmp_path / "model", allow_pickle=True)
    assert list(tmp_path.iterdir()) == []

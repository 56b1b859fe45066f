"""Every argument that names a place on the disk takes the same, and says what it wants."""

import io
import os

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sklabelnoise import DMClassifier, DMClassifierCV, NoisyLabelClassifier, StochasticLabelRefinery
from sklabelnoise._foundation._paths import local_file, local_path
from sklabelnoise.audit import audit_labels
from sklabelnoise.datasets import load_table
from sklabelnoise.feature_extraction import embed_dataset

X = np.random.default_rng(0).normal(size=(40, 3))
y = (X[:, 0] > 0).astype(int)
y[:3] = 1 - y[:3]
network = DMClassifier(lam=0, beta=0, max_epochs=1, random_state=0).fit(X, y)
chosen = DMClassifierCV(candidates=[(0, 0)], cv=2, n_members=1, max_epochs=1, random_state=0)
ensemble = NoisyLabelClassifier(["neighbors"], random_state=0).fit(X, y)
report = audit_labels(LogisticRegression(), X, y, cv=2, random_state=0)
WRITES = {
    "network": (network.save, "path"),
    "ensemble": (ensemble.save, "path"),
    "page": (report.to_html, "path"),
}
READS = {
    "network": (DMClassifier.load, "path"),
    "ensemble": (NoisyLabelClassifier.load, "path"),
    "table": (lambda path: load_table("spambase", data_home=path), "data_home"),
}
KEEPS = {
    "cache": (lambda path: embed_dataset(torch.nn.Linear(3, 2), X.astype(np.float32), cache=path), "cache"),
    "chosen": (lambda path: chosen.set_params(checkpoint=path).fit(X, y), "checkpoint"),
    "members": (lambda path: ensemble.set_params(checkpoint=path).fit(X, y), "checkpoint"),
    "rounds": (
        lambda path: StochasticLabelRefinery(
            LogisticRegression(), n_rounds=1, cv=2, checkpoint=path, random_state=0
        ).fit(X, y),
        "checkpoint",
    ),
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "hömé of ours"))
    (tmp_path / "hömé of ours").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "hömé of ours"


@pytest.mark.parametrize("call", [WRITES[name][0] for name in WRITES] + [KEEPS[name][0] for name in KEEPS])
def test_a_tilde_is_the_home(call, home):
    """A folder that is called ~ is a trap: `rm -r ~` does not remove it."""
    call("~/kept")
    assert (home / "kept").exists() and not list((home.parent / "here").iterdir())


def test_what_lies_at_home_is_read(home):
    for model in (network, ensemble.set_params(checkpoint=None)):
        model.save("~/model")
        assert np.array_equal(type(model).load("~/model").predict(X), model.predict(X))
    report.issues.assign(decision="accept").to_csv("~/decided.csv")
    assert len(report.apply("~/decided.csv")) == len(y)


@pytest.mark.parametrize("call, name", [*WRITES.values(), *READS.values(), *KEEPS.values()])
@pytest.mark.parametrize("path", ["s3://bucket/kept", "https://somewhere/kept", "file:///kept"])
def test_an_address_of_something_elsewhere_is_no_folder_beside_the_program(call, name, path, home):
    with pytest.raises(ValueError, match=rf"^{name} must be a path on this machine, got '{path}'\.$"):
        call(path)
    assert not list((home.parent / "here").iterdir())


@pytest.mark.parametrize("call, name", [*WRITES.values(), *READS.values()])
@pytest.mark.parametrize("path", [b"kept", io.BytesIO(), 0, True, ["kept"]])
def test_what_is_no_path_is_named(call, name, path, home):
    with pytest.raises(TypeError, match=rf"^{name} must be a str or a path object, got {type(path).__name__}\.$"):
        call(path)


@pytest.mark.parametrize("call, name", [*WRITES.values(), *READS.values(), *KEEPS.values()])
def test_an_empty_path_is_not_the_folder_of_the_program(call, name, home):
    """It is what a variable leaves that nobody has set."""
    with pytest.raises(ValueError, match=rf"^{name} must name a file or a folder, got ''\.$"):
        call("")
    assert not list((home.parent / "here").iterdir())


@pytest.mark.parametrize("call, name", WRITES.values())
def test_a_folder_that_is_missing_is_named_before_anything_is_done(call, name, home):
    with pytest.raises(FileNotFoundError, match=r"^path must lie in an existing folder, got '.*missing.kept'\.$"):
        call(home / "missing" / "kept")


def test_drives_are_no_addresses():
    for path in ("C:/runs", "C:\\runs", "a:b", "notes: one/two"):
        assert os.fspath(local_path(path)).replace("\\", "/") == path.replace("\\", "/")
    with pytest.raises(FileNotFoundError, match="display must lie in an existing folder"):
        local_file("missing/file", "display")

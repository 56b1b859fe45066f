"""A fit that is killed or interrupted goes on where it stopped, and ends with the same bits."""

import os
import signal
import subprocess
import sys
import textwrap
import types

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import DMClassifier, NoisyLabelClassifier
from sklabelnoise._foundation._checkpoint import Checkpoint
from sklabelnoise._foundation._work import TimeIsOver, Work


class Stops(GaussianNB):
    """Counts its fits in a file, and stops the first run at the one that is numbered by the environment."""

    def fit(self, X, y, sample_weight=None):
        with open(os.environ["FITS"], "a+") as file:
            file.write("x")
            file.seek(0)
            number = len(file.read())
        if str(number) == os.environ.get("STOP_AT"):
            if os.environ["BY"] == "SIGKILL":
                os.kill(os.getpid(), signal.SIGKILL)
            raise KeyboardInterrupt
        return super().fit(X, y, sample_weight)


def draw():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 4))
    return X, (X[:, 0] + rng.normal(size=90) > 0).astype(int)


def members():
    return ["neighbors", ("network", DMClassifier(max_epochs=3)), ("stops", Stops())]


def fit(folder, **params):
    X, y = draw()
    return NoisyLabelClassifier(members(), cv=4, random_state=0, checkpoint=folder, **params).fit(X, y)


@pytest.fixture
def fits(tmp_path, monkeypatch):
    """File in which each fit of `Stops` leaves a mark."""
    path = tmp_path / "fits"
    monkeypatch.setenv("FITS", str(path))
    monkeypatch.delenv("STOP_AT", raising=False)
    return path


@pytest.mark.slow  # three fits, two of them in processes of their own
def test_a_run_killed_in_a_fold_goes_on_with_that_fold(tmp_path, fits):
    expected = fit(None)
    fits.unlink()
    code = f"""
        import sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        import test_work
        test_work.fit({str(tmp_path / "kept")!r})
    """
    environment = {**os.environ, "STOP_AT": "3", "BY": "SIGKILL"}
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=environment, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    finished = sorted(path.name for path in next((tmp_path / "kept").iterdir()).iterdir())
    assert finished == ["neighbors", *(f"networks-{fold}" for fold in range(4)), "stops-0-0", "stops-0-1"]
    # In a process of its own again, so that the pickled class is found under the same name.
    resumed = f"""
        import sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        import numpy as np, test_work
        model = test_work.fit({str(tmp_path / "kept")!r})
        np.save({str(tmp_path / "proba.npy")!r}, model.predict_proba(test_work.draw()[0]))
        np.save({str(tmp_path / "oof.npy")!r}, model.oof_proba_)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(resumed)], check=True, timeout=300)
    assert len(fits.read_text()) == 3 + 2
    assert np.array_equal(np.load(tmp_path / "proba.npy"), expected.predict_proba(draw()[0]))
    assert np.array_equal(np.load(tmp_path / "oof.npy"), expected.oof_proba_)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_ctrl_c_leaves_by_keyboard_interrupt_with_the_checkpoint_whole(tmp_path, fits, monkeypatch, n_jobs):
    expected = fit(None)
    fits.unlink()
    monkeypatch.setenv("STOP_AT", "2")
    monkeypatch.setenv("BY", "SIGINT")
    model = NoisyLabelClassifier(members(), cv=4, random_state=0, checkpoint=tmp_path / "kept", n_jobs=n_jobs)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*draw())
    assert not hasattr(model, "estimators_")
    model.fit(*draw())
    assert len(fits.read_text()) == 2 + 3
    assert np.array_equal(model.predict_proba(draw()[0]), expected.predict_proba(draw()[0]))


def test_a_checkpoint_of_other_data_members_or_seeds_is_not_used(tmp_path, fits):
    fit(tmp_path)
    assert len(fits.read_text()) == 4
    X, y = draw()
    model = NoisyLabelClassifier(members(), cv=4, random_state=0, checkpoint=tmp_path)
    model.fit(X, 1 - y)
    model.fit(X + 1e-9, y)
    model.set_params(random_state=1).fit(X, y)
    assert len(fits.read_text()) == 16
    fit(tmp_path, n_jobs=2)
    assert len(fits.read_text()) == 16


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="'checkpoint' parameter must be a folder"):
        fit(tmp_path / "file")


def test_a_piece_is_done_once_and_not_begun_when_the_time_is_over(tmp_path):
    checkpoint = Checkpoint(tmp_path, {})
    assert Work(checkpoint).piece("a", lambda: {"x": 1}) == {"x": 1}
    late = Work(checkpoint, deadline=-np.inf)
    assert late.piece("a", lambda: None) == {"x": 1}
    with pytest.raises(TimeIsOver):
        late.piece("b", lambda: None)
    assert late.without_limit().piece("b", lambda: 2) == 2
    assert late.piece("b", lambda: 3) == 2  # kept where the others are


@pytest.mark.parametrize("name", ["a/b", "../../outside", "x" * 300, "", "A", "*", "\udc80", "nul\0", "."])
def test_a_piece_may_have_any_name_and_stays_in_its_folder(tmp_path, name):
    work = Work(Checkpoint(tmp_path / "kept", {}))
    assert work.piece(name, lambda: 1) == work.piece(name, lambda: 2) == 1
    assert work.piece("a", lambda: 3) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == len({file.lower() for file in files}) == 2  # where capitals are no difference, too


def test_a_piece_that_cannot_be_read_any_more_is_done_again(tmp_path, caplog):
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.save("a", np.frombuffer(b"cno_such_module\nThing\n.", dtype=np.uint8))
    assert Work(checkpoint).piece("a", lambda: 1) == 1
    assert "'a' of the checkpoint cannot be read" in caplog.text
    assert Work(checkpoint).piece("a", lambda: 2) == 1


class Unpicklable(GaussianNB):
    def fit(self, X, y, sample_weight=None):
        self.function_ = lambda: None
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_no_member_is_left_out_because_its_checkpoint_cannot_be_kept(tmp_path, monkeypatch, n_jobs):
    given = [("a", GaussianNB()), ("b", Unpicklable())]
    model = NoisyLabelClassifier(given, random_state=0, n_jobs=n_jobs).fit(*draw())
    before = model.predict_proba(draw()[0])
    with pytest.raises(TypeError, match=r"fitted models must be picklable, .* got one of 'b-0-0' that is not"):
        model.set_params(checkpoint=tmp_path).fit(*draw())
    assert np.array_equal(model.predict_proba(draw()[0]), before)
    save = Checkpoint.save

    def full(self, name, array):
        if name == "b-2-0":
            raise OSError(28, "No space left on device")
        save(self, name, array)

    monkeypatch.setattr(Checkpoint, "save", full)
    model.set_params(members=[("a", GaussianNB()), ("b", GaussianNB(), {"var_smoothing": [1e-9, 1e-3, 1e-1]})])
    with pytest.raises(OSError, match="No space left"):
        model.fit(*draw())
    assert np.array_equal(model.predict_proba(draw()[0]), before)


def test_no_member_is_left_out_because_its_checkpoint_cannot_be_read(tmp_path):
    members = [("a", GaussianNB()), ("b", GaussianNB())]
    model = NoisyLabelClassifier(members, random_state=0, checkpoint=tmp_path).fit(*draw())
    (file,) = tmp_path.glob("*/b-0-3")
    file.unlink()
    file.mkdir()  # as a file that another user owns, or a disk that is gone, it is there and gives nothing
    with pytest.raises(OSError, match="b-0-3"):
        model.fit(*draw())


def test_a_checkpoint_of_another_code_of_a_member_is_not_used(tmp_path, monkeypatch):
    def folders_after_a_fit(scale):
        script = types.ModuleType("their_script")
        script.__file__ = str(tmp_path / "their_script.py")
        monkeypatch.setitem(sys.modules, "their_script", script)
        exec(
            "from sklearn.naive_bayes import GaussianNB\n"
            "class Own(GaussianNB):\n"
            "    def predict_proba(self, X):\n"
            f"        return super().predict_proba(X * {scale})\n",
            vars(script),
        )
        members = [("own", script.Own()), ("inside", make_pipeline(StandardScaler(), script.Own()))]
        NoisyLabelClassifier(members, random_state=0, checkpoint=tmp_path / "kept").fit(*draw())
        return len(list((tmp_path / "kept").iterdir()))

    assert [folders_after_a_fit(scale) for scale in (1, 1, 2)] == [1, 1, 2]

"""What version 0.1 pickled or saved loads, and predicts as it did."""

import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

import sklabelnoise
from sklabelnoise.losses import ROW_CRITERIA

FOLDER = Path(__file__).parent / "saved_by_0_1"
PREDICTIONS = np.load(FOLDER / "predictions.npz")
# numpy 1 can't read arrays that numpy 2 pickled.
READABLE = find_spec("numpy._core") is not None
needs_numpy_2 = pytest.mark.skipif(not READABLE, reason="numpy 1 can't read arrays that numpy 2 pickled")


def prediction(model):
    predict = getattr(model, "predict_proba", None) or model.predict
    return predict(PREDICTIONS["X"])


# scikit-learn warns of its own estimators in pickles of another version of it.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
@needs_numpy_2
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.pickle")), ids=lambda path: path.stem)
def test_a_pickle_of_the_version_before_loads(path):
    model = pickle.loads(path.read_bytes())
    assert type(model).__name__ == path.stem
    if path.stem == "LabelReport":
        assert 0 < model.noise_rate < 1
        assert list(model.classes) == ["ant", "bee"]
    else:
        np.testing.assert_allclose(prediction(model), PREDICTIONS[path.stem], rtol=1e-6)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.safetensors")), ids=lambda path: path.stem)
def test_a_file_saved_by_the_version_before_loads(path):
    model = getattr(sklabelnoise, path.stem).load(path)
    np.testing.assert_allclose(prediction(model), PREDICTIONS[path.stem], rtol=1e-6)


OTHERS = pickle.loads((FOLDER / "criteria_and_early_stopping.pkl").read_bytes()) if READABLE else {"criteria": {}}


@needs_numpy_2
@pytest.mark.parametrize("name", OTHERS["criteria"])
def test_a_criterion_of_every_loss_loads_and_gives_its_value(name):
    data, value = OTHERS["criteria"][name]
    criterion = pickle.loads(data)
    if name in ROW_CRITERIA:
        criterion.eval()  # what it learns from is asked for by row numbers
    logits, labels = torch.from_numpy(OTHERS["logits"]), torch.from_numpy(OTHERS["labels"])
    assert criterion(logits, labels).item() == pytest.approx(value, rel=1e-6)


@needs_numpy_2
def test_a_classifier_that_stopped_early_loads():
    model = pickle.loads(OTHERS["early_stopping"])
    assert model.predict_proba(np.zeros((1, 3))).shape == (1, 3)


@pytest.mark.skipif(find_spec("numpy._core") is None, reason="numpy 1 can't read arrays that numpy 2 pickled")
@pytest.mark.parametrize("name", ["LabelFlowDisplay", "LabelIssuesDisplay", "TransitionMatrixDisplay"])
def test_a_display_loads_and_draws(name):
    plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
    display = pickle.loads(pickle.loads((FOLDER / "displays.pkl").read_bytes())[name])
    assert type(display) is getattr(sklabelnoise.inspection, name)
    assert display.plot().figure_ is not None
    plt.close("all")

"""Evidence of models that are no good, labels to draw, and a browser for the review page."""

import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from sklabelnoise.audit import LabelReport


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A headless Chromium that downloads into `browser.downloads`."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("Chromium is not installed (apt-get install chromium chromium-driver)")
    downloads = tmp_path_factory.mktemp("downloads")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1300,1000"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    browser.set_script_timeout(120)  # others may keep the machine busy
    browser.downloads = downloads
    yield browser
    browser.quit()


@pytest.fixture(scope="session")
def axe():
    """Source of axe-core, which .ci/run gets from npm."""
    path = os.environ.get("AXE_CORE")
    if not path or not Path(path).is_file():
        pytest.skip("axe-core is not here: npm install axe-core, and AXE_CORE=node_modules/axe-core/axe.min.js")
    return Path(path).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def random_evidence():
    """Labels, and probabilities that say nothing of them: a function that draws them."""

    def draw(n_samples=400, n_classes=5, seed=0):
        rng = np.random.default_rng(seed)
        return rng.integers(0, n_classes, n_samples), rng.dirichlet(np.full(n_classes, 0.4), n_samples)

    return draw


@pytest.fixture
def no_warning_of_a_poor_model():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The predictions disagree with", category=UserWarning)
        yield


@pytest.fixture
def report(noisy):
    X, y, y_clean = noisy
    proba = np.where(np.eye(3)[y_clean] == 1, 0.9, 0.05)
    return LabelReport(np.array(["ant", "bee", "cow"])[y], proba, X=X, in_sample=True)

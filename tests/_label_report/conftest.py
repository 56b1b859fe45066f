"""Evidence of models that are no good, labels to draw, and the review page in a browser."""

import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklabelnoise.audit import LabelReport
from tests.review_page import NASTY, Page, on_its_own


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


@pytest.fixture
def nasty_report(nasty_report_of_all):
    return on_its_own(nasty_report_of_all)


@pytest.fixture
def animals(animals_of_all):
    """A report with three classes and a table, all labels in doubt."""
    return on_its_own(animals_of_all)


@pytest.fixture(scope="session")
def nasty_report_of_all():
    rng = np.random.default_rng(0)
    y = np.array(NASTY)[np.arange(300) % 6]
    proba = rng.dirichlet(np.full(6, 0.3), 300)
    texts = [f"text {i} {NASTY[i % 6]}" for i in range(300)]
    return LabelReport(y, proba, classes=NASTY, X=texts, in_sample=True)


@pytest.fixture(scope="session")
def animals_of_all():
    rng = np.random.default_rng(0)
    y = np.array(["cat", "dog", "cow"])[np.arange(60) % 3]
    proba = rng.dirichlet([1, 1, 1], 60)
    proba[np.arange(60), [["cat", "cow", "dog"].index(label) for label in y]] = 0
    proba /= proba.sum(axis=1, keepdims=True)
    table = pd.DataFrame({"legs": rng.normal(4, 1, 60), "sound": rng.choice(["moo", "meow", "woof"], 60)})
    return LabelReport(y, proba, X=table, in_sample=True, ids=[f"animal {i}" for i in range(60)])


@pytest.fixture
def nasty(browser, nasty_report, tmp_path):
    return Page(browser, nasty_report.to_html(tmp_path / "report.html", title="<b>Titel</b> & so"))


@pytest.fixture
def page(browser, animals, tmp_path):
    return Page(browser, animals.to_html(tmp_path / "report.html"))

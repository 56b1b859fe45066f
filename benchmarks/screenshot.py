"""Pictures of the review page, for the README: wide and light, and dark as on a phone, side by side.

    python -m benchmarks.screenshot

Needs Chromium and its driver (``apt-get install chromium chromium-driver``) and selenium.
"""

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.rows import RESULTS
from sklabelnoise import ProSelfLCClassifier
from sklabelnoise.audit import audit_labels
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix

PATH = RESULTS / "figures" / "review.png"
VIEWS = {"light": (1280, 900), "dark": (390, 900)}
KEYS = "aakau"  # a few decisions, so that it shows how they look


def write_page(path):
    """The page of digits of which three labels in ten are wrong."""
    X, y_clean = load_digits(return_X_y=True)
    y = corrupt_labels(y_clean, symmetric_transition_matrix(10, 0.3), random_state=0)
    auditor = make_pipeline(StandardScaler(), ProSelfLCClassifier(random_state=0))
    report = audit_labels(auditor, X, y, display=X.reshape(-1, 8, 8), random_state=0)
    return report.to_html(path, title="Digits to check")


def pictures(page):
    """One picture of the page for each of `VIEWS`."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    for scheme, (width, height) in VIEWS.items():
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": scheme == "dark"}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get(page.as_uri())
        browser.execute_script("localStorage.clear()")
        browser.get(page.as_uri())
        browser.execute_script("document.querySelector('#issues tbody tr').focus()")
        for key in KEYS:
            browser.switch_to.active_element.send_keys(key)
        browser.execute_script("document.getElementById('bar').scrollIntoView()")
        yield Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    browser.quit()


def main():
    with tempfile.TemporaryDirectory() as folder:
        shots = list(pictures(write_page(Path(folder) / "review.html")))
    gap = 20
    sheet = Image.new("RGB", (sum(shot.width for shot in shots) + gap, max(shot.height for shot in shots)), "white")
    left = 0
    for shot in shots:
        sheet.paste(shot, (left, 0))
        left += shot.width + gap
    sheet.quantize(64).save(PATH, optimize=True)


if __name__ == "__main__":
    main()

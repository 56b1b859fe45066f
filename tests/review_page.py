"""The review page in a real browser, as its user sees it, and reports to open there."""

import copy
import hashlib
import itertools
import time

NASTY = [
    '<img src=x onerror="document.title=1">',
    "say \"no\", or 'yes'",
    "two\r\nlines",
    "grün 🦊",
    "=1+1",
    "</script>",
]
DOWN, UP, ENTER, ESCAPE, BACKSPACE = "\ue015", "\ue013", "\ue007", "\ue00c", "\ue003"
# As the browser tells a page what another window has kept.
TOLD = "dispatchEvent(new StorageEvent('storage', {key: arguments[0], newValue: arguments[1]}))"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


_NUMBERS = itertools.count()


def on_its_own(report):
    """The report under a name of its own: what other tests decided stays in the browser, and may be kept late."""
    own = copy.copy(report)
    own.fingerprint = "r" + hashlib.sha256(f"{report.fingerprint} {next(_NUMBERS)}".encode()).hexdigest()[:16]
    return own


class Page:
    """A page in the browser, as its user sees it."""

    def __init__(self, browser, path):
        self.browser = browser
        self.path = path
        self.size("desktop")
        browser.get(path.as_uri())

    def until(self, look):
        """The first thing seen that is true; a browser answers when it comes to it."""
        for _ in range(600):  # what it passes from one window to another waits behind all that a busy machine does
            if seen := look():
                return seen
            time.sleep(0.05)
        raise AssertionError("it has not come to that within thirty seconds")

    def size(self, name, scheme="light"):
        width, height = SIZES[name]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": name == "phone"}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def one(self, selector):
        return self.browser.find_element("css selector", selector)

    def text(self, element_id):
        return self.browser.execute_script("return document.getElementById(arguments[0]).textContent", element_id)

    def press(self, *keys):
        for key in keys:
            self.browser.switch_to.active_element.send_keys(key)

    def start(self):
        """Focus on the first row, as Tab does."""
        self.browser.execute_script("document.querySelector('#issues tbody tr').focus()")

    @property
    def current(self):
        """Row number of the row in focus."""
        return int(self.browser.execute_script("return document.activeElement.closest('tr').dataset.row"))

    def column(self, name):
        script = "return [...document.querySelectorAll(`#issues td.${arguments[0]}`)].map((cell) => cell.textContent)"
        return self.browser.execute_script(script, name)

    @property
    def rows(self):
        script = "return [...document.querySelectorAll('#issues tr[data-row]')].map((row) => +row.dataset.row)"
        return self.browser.execute_script(script)

    def click(self, row, decision):
        self.one(f'#issues tr[data-row="{row}"] [data-decision={decision}]').click()

    def choose(self, element_id, value):
        self.browser.execute_script(
            "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
            "s.dispatchEvent(new Event('change'))",
            *(element_id, value),
        )

    def download(self, button="download"):
        before = set(self.browser.downloads.iterdir())
        self.one("#files").click()
        self.one(f"#{button}").click()

        def whole():
            new = [p for p in set(self.browser.downloads.iterdir()) - before if p.suffix in (".csv", ".json")]
            return new[0] if new and new[0].stat().st_size else None  # Chromium reserves the name before it writes

        path = self.until(whole)
        self.press(ESCAPE)
        return path

    def load(self, path):
        """Choose a file to load; what the page says of it."""
        self.one("#files").click()
        self.one("#import").send_keys(str(path))
        return self.until(lambda: self.text("import-text"))

"""How displays look, and what is said where nothing can be drawn."""

import sys

import numpy as np
import pytest

from sklabelnoise.inspection import (
    TransitionMatrixDisplay,
)


def test_without_matplotlib_the_line_that_installs_it_is_shown(monkeypatch):
    display = TransitionMatrixDisplay(np.eye(2), classes=["ant", "bee"])
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'sklabelnoise\[plot\]'"):
        display.plot()

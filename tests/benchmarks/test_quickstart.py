"""What the first example shows is what the project promises."""

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "plot_quickstart.py"


@pytest.mark.slow
def test_dm_and_proselflc_keep_eight_points_that_cross_entropy_loses_by_memorizing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = runpy.run_path(str(EXAMPLE), run_name="__main__")["table"]
    long_budget = table["budget"].iloc[0]
    mean = table[table["budget"] == long_budget].groupby("method")[["test accuracy", "given labels fitted"]].mean()
    assert mean.loc["cross entropy", "given labels fitted"] >= 0.9
    for method in ("DM", "ProSelfLC"):
        assert mean.loc[method, "test accuracy"] >= mean.loc["cross entropy", "test accuracy"] + 0.08

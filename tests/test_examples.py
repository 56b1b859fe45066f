"""The examples and the README's Python blocks run."""

import json
import re
import runpy
from pathlib import Path

import pandas as pd
import pytest
import sklearn
from packaging.version import Version

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))
# More than ten seconds; .ci/run includes them.
SLOW = {
    "plot_cifar10_resnet",
    "plot_emphasis_density",
    "plot_grid_search",
    "plot_hard_examples",
    "plot_imdb_sentiment",
    "plot_label_refinery",
    "plot_learning_dynamics",
    "plot_one_call",
    "plot_ordinal_grades",
    "plot_quickstart",
}
NEED_DATA = {"plot_cifar10_resnet", "plot_imdb_sentiment", "plot_one_call", "plot_ordinal_grades"}
# What an example uses that the oldest supported scikit-learn lacks.
NEED_SCIKIT_LEARN = {"plot_calibration": "1.8"}  # CalibratedClassifierCV(method="temperature")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """An empty working directory; figures are closed afterwards."""
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    yield tmp_path
    plt.close("all")


@pytest.mark.filterwarnings("ignore:Found unknown categories")  # skrub says so of a rare value of adult
@pytest.mark.parametrize(
    "path",
    [pytest.param(p, id=p.stem, marks=[pytest.mark.slow] if p.stem in SLOW else []) for p in EXAMPLES],
)
def test_example_runs_and_draws(path, scratch, request, monkeypatch, capsys):
    if path.stem in NEED_DATA:
        request.getfixturevalue("shared_data")
    needed = NEED_SCIKIT_LEARN.get(path.stem, "0")
    if Version(sklearn.__version__) < Version(needed):
        pytest.skip(f"this example needs scikit-learn {needed}")
    monkeypatch.setattr("sys.argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    assert list(scratch.rglob("*.png")), "no picture was written"


def test_the_leaderboard_away_from_a_checkout_says_what_it_needs(scratch):
    copied = scratch / "examples" / "plot_which_method.py"
    copied.parent.mkdir()
    copied.write_text((ROOT / "examples" / copied.name).read_text())
    with pytest.raises(SystemExit, match=r"No rows in .*results: this example reads those of a checkout"):
        runpy.run_path(str(copied), run_name="__main__")


def test_the_leaderboard_of_a_run_that_is_not_finished(scratch, capsys):
    tasks = {
        **{f"{table}/{noise}": ("cross entropy", "GCE") for table in "abc" for noise in ("clean/0", "symmetric/0.4")},
        # of people's labels there is no row of cross entropy yet, and one that came from a tree with changes
        "d/human/0": ("GCE",),
    }
    rows = [
        {"task": task, "method": method, "kind": "robust", "seed": seed, "max_train": 100, "n_train": 100}
        | {
            "n_classes": 3,
            "n_features": 2,
            "test_accuracy": 0.5 + 0.1 * (method == "GCE") + 0.01 * seed,
            "commit": "abc",
        }
        for task, methods in tasks.items()
        for method in methods
        for seed in (0, 1)
    ]
    rows.append(rows[0] | {"task": "d/human/0", "method": "cross entropy", "test_accuracy": 1, "commit": "abc+changes"})
    results = scratch / "benchmarks" / "results"
    results.mkdir(parents=True)
    (results / "noises.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    copied = scratch / "examples" / "plot_which_method.py"
    copied.parent.mkdir()
    copied.write_text((ROOT / "examples" / copied.name).read_text())
    runpy.run_path(str(copied), run_name="__main__")
    assert capsys.readouterr().out.startswith(
        "Use GCE: on average 0.0 points behind the best method for each kind of noise, at worst 0.0"
    )


@pytest.mark.usefixtures("short_networks", "few_trees", "few_rounds")  # no block says what comes out
@pytest.mark.parametrize("code", BLOCKS, ids=lambda code: code.strip().splitlines()[0])
def test_readme_block_runs(code, scratch):
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Found unknown categories")  # skrub says so of a rare country
def test_the_readme_takes_adult_as_it_comes(scratch, shared_data):
    """From raw columns, with text and gaps, to a review page by the block that a new user copies."""
    (block,) = (code for code in BLOCKS if "tabular_pipeline" in code)
    start, end = block.index("n = 200"), block.index("X, y =")
    table = pd.read_parquet(shared_data / "tab_adult.parquet").drop(columns="split").sample(800, random_state=0)
    assert table.isna().any(axis=None) and not all(map(pd.api.types.is_numeric_dtype, table.dtypes))
    own = block[:start] + block[end:].replace("income", "target")
    exec(compile(own, "README.md", "exec"), {"__name__": "readme", "table": table})
    assert "workclass" in (scratch / "review.html").read_text()


def test_the_readme_has_blocks_and_the_examples_are_listed():
    assert BLOCKS
    listed = (ROOT / "examples" / "README.md").read_text()
    assert [path.name for path in EXAMPLES if path.name not in listed] == []

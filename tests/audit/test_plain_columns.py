"""Whatever a frame holds and however its columns are called, the default classifier reads it."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from sklabelnoise.audit import audit_labels
from sklabelnoise.audit._default_classifier import with_default_classifier

N = 120
DATES = pd.date_range("2020-03-01 12:00", periods=N)
EVERY_THIRD = np.arange(N) % 3 == 0


def prepared(frame):
    estimator, rows = with_default_classifier(frame, 0)
    return estimator[:-1].fit_transform(rows)


def gaps(values, missing, dtype=object):
    return pd.Series([missing if gap else value for value, gap in zip(values, EVERY_THIRD, strict=True)], dtype=dtype)


NUMBERS = {
    "Int64": gaps(range(N), None, "Int64"),
    "Float64": gaps(map(float, range(N)), None, "Float64"),
    "objects": gaps(range(N), None),
    "objects with NA": gaps(map(float, range(N)), pd.NA),
    "decimals": gaps(map(Decimal, range(N)), None),
    "durations": gaps(pd.to_timedelta(np.arange(N), unit="D"), pd.NaT, "timedelta64[ns]"),
}
POINTS = {
    "dates": pd.Series(DATES).where(~EVERY_THIRD),
    "elsewhere": pd.Series(DATES.tz_localize("UTC").tz_convert("Asia/Tokyo")).where(~EVERY_THIRD),
    "days": gaps(DATES.date, None),
    "stamps": gaps(DATES, None),
    "periods": pd.Series(DATES.to_period("D")).where(~EVERY_THIRD),
}
KINDS = {
    "numbers and texts": [3, "3", "x"],
    "truth and texts": [True, "maybe", False],
    "texts and NA": ["a", pd.NA, "b"],
    "pairs": [(1, "a"), (2, "b"), (1, "c")],
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_any_kind_are_numbers_also_where_some_are_missing(kind):
    """A frame of a database, or one that went through convert_dtypes, is as good as one of NumPy."""
    found = np.asarray(prepared(pd.DataFrame({"c": NUMBERS[kind]})))
    np.testing.assert_array_equal(found[:, 0], np.where(EVERY_THIRD, np.nan, np.arange(N)))


@pytest.mark.parametrize("kind", POINTS)
def test_dates_are_days(kind):
    """A column for each of the fifty dates that are there most often says nothing of the next."""
    found = np.asarray(prepared(pd.DataFrame({"c": POINTS[kind]})))[:, 0]
    assert (np.isnan(found) == EVERY_THIRD).all()
    np.testing.assert_allclose(np.diff(found, n=3)[~np.isnan(np.diff(found, n=3))], 0)
    np.testing.assert_allclose(found[4] - found[1], 3)


def test_an_hour_that_clocks_show_twice_is_two_hours():
    hours = pd.date_range("2020-10-23", periods=N, freq="h", tz="Europe/Berlin")
    found = np.asarray(prepared(pd.DataFrame({"c": hours})))[:, 0]
    np.testing.assert_allclose(np.diff(found), 1 / 24)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [object, "category"])
def test_what_is_of_several_types_is_as_many_categories_as_can_be_told_apart_on_paper(kind, dtype):
    values = pd.Series(KINDS[kind] * (N // 3), dtype=object).astype(dtype)
    found = np.asarray(prepared(pd.DataFrame({"c": values})))
    assert (found.sum(axis=1) == 1).all()
    assert len(np.unique(found, axis=0)) == len(set(map(str, KINDS[kind])))


def test_types_of_arrow_are_read_as_those_of_numpy():
    pa = pytest.importorskip("pyarrow", reason="types of Arrow are its own")
    plain = pd.DataFrame({"when": DATES, "for": DATES - DATES[0], "n": np.arange(N) / 2, "k": ["a", "b"] * (N // 2)})
    kinds = pa.timestamp("us"), pa.duration("us"), pa.float64(), pa.string()
    arrow = plain.astype({name: pd.ArrowDtype(kind) for name, kind in zip(plain, kinds, strict=True)})
    np.testing.assert_array_equal(prepared(arrow), prepared(plain))


@pytest.mark.parametrize(
    "value, kind", [([1, 2], "list"), ({"a": 1}, "dict"), ({1}, "set"), (np.zeros(2), "ndarray"), (1j, "complex128")]
)
def test_a_column_of_what_is_neither_is_named(value, kind):
    """OneHotEncoder speaks of encoders, and of no column."""
    rows = pd.DataFrame({"n": np.arange(N), "embedded": pd.Series([value] * N)})
    with pytest.raises(ValueError, match=rf"X must hold numbers.*, got {kind} in column 'embedded'\."):
        audit_labels(None, rows, np.arange(N) % 2)


@pytest.mark.parametrize(
    "names", [[1, 0], [1, 2], ["a", 1], [None, "a"], ["a", "a"], [("a", 1), ("a", 2)], [0.5, 1.5], [True, False]]
)
def test_columns_of_any_names_are_taken_for_themselves(names):
    """scikit-learn takes a number for a position: of a file without a header whose first column are the labels, say."""
    rows = pd.DataFrame({"n": np.arange(N) * 1.5, "k": ["a", "b"] * (N // 2)})
    np.testing.assert_array_equal(prepared(rows.set_axis(names, axis=1)), prepared(rows))


def test_a_frame_of_numbers_and_texts_is_handed_on_as_it_is():
    rows = pd.DataFrame({"n": np.arange(N), "k": ["a", None] * (N // 2), "b": EVERY_THIRD})
    assert with_default_classifier(rows, 0)[1] is rows

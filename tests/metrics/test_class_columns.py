"""Columns that are classes are found by name, in frames of any library."""

import sys

import numpy as np
import pandas as pd
import pytest

from sklabelnoise.metrics._class_columns import class_columns, in_class_order

VALUES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
ORDER = [2, 0, 1]


class InterchangeOnly:
    """A frame of a library that nobody knows, with pandas' protocol and nothing else."""

    def __init__(self, frame):
        self._table = pyarrow_table(frame)

    def __dataframe__(self, *args, **kwargs):
        return self._table.__dataframe__(*args, **kwargs)


class ArrowOnly:
    """A frame of a library that nobody knows, with Arrow's protocol and nothing else."""

    def __init__(self, frame):
        self._table = pyarrow_table(frame)

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


def pyarrow_table(frame):
    return pytest.importorskip("pyarrow").table({str(name): frame[name].to_numpy() for name in frame})


def polars_frame(frame):
    return pytest.importorskip("polars").DataFrame({str(name): frame[name].to_numpy() for name in frame})


def without_narwhals(monkeypatch):
    monkeypatch.setitem(sys.modules, "narwhals", None)


LIBRARIES = {
    "pandas": lambda frame: frame,
    "pandas nullable": lambda frame: frame.astype("Float64"),
    "pyarrow": pyarrow_table,
    "polars": polars_frame,
}


def aligned(table, labels, **kwargs):
    columns, values = class_columns(table, labels, argument="proba", **kwargs)
    return in_class_order(values, columns, labels, argument="proba")


@pytest.mark.parametrize("labels", [["ant", "bee", "cow"], [1, 2, 10], [0.5, 1.0, 2.0]], ids=str)
@pytest.mark.parametrize("library", LIBRARIES)
def test_columns_come_in_the_order_of_the_classes(library, labels):
    frame = pd.DataFrame(VALUES, columns=labels).iloc[:, ORDER]
    np.testing.assert_array_equal(aligned(LIBRARIES[library](frame), np.array(labels)), VALUES)


@pytest.mark.filterwarnings("ignore:The Dataframe Interchange Protocol is deprecated")  # since pandas 3.0
@pytest.mark.parametrize("narwhals", [True, False], ids=["narwhals", "no narwhals"])
@pytest.mark.parametrize(
    "kind",
    [
        InterchangeOnly,
        pytest.param(
            ArrowOnly,
            marks=pytest.mark.skipif(not hasattr(pd.DataFrame, "from_arrow"), reason="pandas reads Arrow from 3.0 on"),
        ),
        pyarrow_table,
    ],
)
def test_an_unknown_frame_is_read_through_its_protocol(kind, narwhals, monkeypatch):
    if not narwhals:
        without_narwhals(monkeypatch)
    frame = pd.DataFrame(VALUES, columns=["ant", "bee", "cow"]).iloc[:, ORDER]
    np.testing.assert_array_equal(aligned(kind(frame), np.array(["ant", "bee", "cow"])), VALUES)


def test_a_frame_that_cannot_be_read_is_refused():
    class Frame(list):
        columns = ("ant", "bee", "cow")

    with pytest.raises(TypeError, match=r"proba must be an array, a pandas DataFrame, or a frame .* got .*Frame\."):
        class_columns(Frame(VALUES), np.array(["ant", "bee", "cow"]), argument="proba")


@pytest.mark.parametrize("table", [VALUES, VALUES.tolist()], ids=["array", "lists"])
def test_arrays_have_no_names(table):
    columns, values = class_columns(table, np.arange(3), argument="proba")
    assert columns is None and values is table


def test_a_class_without_a_label_keeps_its_column():
    columns, values = class_columns(
        pd.DataFrame(VALUES, columns=["cow", "bee", "ant"]), np.array(["ant"]), argument="p"
    )
    assert columns.tolist() == ["cow", "bee", "ant"]
    np.testing.assert_array_equal(in_class_order(values, columns, ["ant", "bee", "cow"], argument="p"), VALUES[:, ::-1])


@pytest.mark.parametrize("missing", range(4))
def test_a_class_without_a_column_is_zero(missing):
    classes = np.array(["a", "b", "c", "d"])
    placed = in_class_order(VALUES, np.delete(classes, missing), classes, argument="p")
    np.testing.assert_array_equal(placed, np.insert(VALUES, missing, 0, axis=1))


def test_float32_stays_float32():
    frame = pd.DataFrame(VALUES.astype(np.float32), columns=list("cab"))
    assert aligned(frame, np.array(list("abc"))).dtype == np.float32


def test_numbers_that_pandas_gives_to_columns_are_names_only_where_no_order_is_told():
    frame = pd.DataFrame(VALUES)
    assert class_columns(frame, np.arange(3), argument="proba", ordered=True)[0] is None
    np.testing.assert_array_equal(class_columns(frame, np.arange(3), argument="proba")[0], np.arange(3))
    numbers = pd.DataFrame(VALUES, columns=range(1, 4))  # grades: nobody gives columns such numbers by himself
    np.testing.assert_array_equal(class_columns(numbers, np.array([3, 1, 2]), argument="p", ordered=True)[0], [1, 2, 3])
    shuffled = frame[[2, 0, 1]]
    np.testing.assert_array_equal(class_columns(shuffled, np.arange(3), argument="proba", ordered=True)[0], [2, 0, 1])


@pytest.mark.parametrize(
    ("columns", "labels", "message"),
    [
        (["x", "y", "z"], ["a", "b", "c"], r"proba must have columns named after the classes, .*'a'.* got \['x'"),
        ([0, 1, 2], ["a", "b", "c"], r"named after the classes.* got \[0, 1, 2\].*pass the values alone"),
        (["0", "1", "x"], [0, 1, 2], r"named after the classes.* got \['0', '1', 'x'\]"),
        (["a", "b", "a"], ["a", "b", "c"], "one column for each class, got two columns named 'a'"),
        ([["a", "a", "b"], [1, 2, 3]], ["a", "b", "c"], "named after classes, got 2 levels"),
    ],
)
def test_columns_that_cannot_be_aligned_are_an_error(columns, labels, message):
    frame = pd.DataFrame(VALUES, columns=columns)
    with pytest.raises(ValueError, match=message):
        class_columns(frame, np.array(labels), argument="proba")


def test_a_column_of_no_class_is_an_error():
    with pytest.raises(ValueError, match=r"named after the classes \['a', 'b'\], got \['c'\] as well"):
        in_class_order(VALUES, np.array(["a", "b", "c"]), np.array(["a", "b"]), argument="proba")

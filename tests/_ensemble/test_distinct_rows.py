"""Rows are equal by what is in them, however that is stored."""

import numpy as np
import pandas as pd
import pytest

from sklabelnoise._ensemble._distinct_rows import distinct_rows, row_keys


def texts(*parts):
    """A text that is no other object of the same content."""
    return "".join(parts)


def test_rows_of_texts_are_equal_whichever_objects_hold_them():
    once = texts("a", "pple")
    X = np.empty((2, 2), dtype=object)
    X[0] = once, once
    X[1] = texts("ap", "ple"), texts("app", "le")
    assert len(distinct_rows(X, np.zeros(2, dtype=int)).rows) == 1


def test_long_doubles_are_equal_whatever_fills_their_bytes():
    values = np.arange(6).reshape(3, 2)
    filled = np.frombuffer(b"\xff" * 16 * 6, dtype=np.longdouble).reshape(3, 2).copy()
    filled[...] = values
    expected = row_keys(values.astype(np.float64))
    assert np.array_equal(row_keys(filled), expected)
    assert np.array_equal(row_keys(np.zeros((3, 2), dtype=np.longdouble) + values), expected)


@pytest.mark.parametrize("read", ["pyarrow", "polars"])
def test_rows_of_a_frame_of_any_library_are_its_rows(read):
    module = pytest.importorskip(read, reason=f"{read} is an optional dependency")
    columns = {"a": [1.0, 2.0, 1.0], "b": [0.0, 1.0, 0.0]}
    frame = module.table(columns) if read == "pyarrow" else module.DataFrame(columns)
    assert np.array_equal(row_keys(frame), row_keys(pd.DataFrame(columns)))


@pytest.mark.parametrize("scale", [1e-310, 1e308])
def test_weights_of_any_size_are_relative(scale):
    X, codes = np.arange(4.0)[:, None], np.zeros(4, dtype=int)
    relative = np.array([0.5, 1.0, 1.0, 1.5])
    expected = distinct_rows(X, codes, relative).weight
    np.testing.assert_allclose(distinct_rows(X, codes, relative * scale).weight, expected, rtol=1e-12)


def test_rows_are_told_apart_by_their_labels_and_by_what_keeps_them_apart():
    X = np.array([[1.0], [1.0], [1.0], [2.0], [1.0], [1.0]])
    codes, groups = np.array([0, 0, 1, 0, 0, 0]), np.array([0, 1, 0, 0, 1, 0])
    together = distinct_rows(X, codes, np.array([1.0, 1, 1, 1, 2, 0]))
    assert [together.weight[k] for k in together.of_row[:5]] == [4, 4, 1, 1, 4]
    apart = distinct_rows(X, codes, np.array([1.0, 1, 1, 1, 2, 0]), groups)
    assert [apart.weight[k] for k in apart.of_row[:5]] == [1, 3, 1, 1, 3]
    for found in (together, apart):
        assert found.of_row[5] == -1  # it weighs nothing
        firsts = [np.flatnonzero(found.of_row == k)[0] for k in range(len(found.rows))]
        assert found.rows.tolist() == firsts

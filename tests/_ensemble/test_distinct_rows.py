"""Rows are equal by what is in them, however that is stored."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from sklabelnoise._ensemble._distinct_rows import distinct_rows, row_keys, rows_digest


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


@pytest.mark.parametrize("relative", [[0.5, 1.0, 4.5], [0.25, 0.5, 0.75]])
def test_weights_that_are_not_all_whole_have_a_mean_of_one_over_the_rows_that_weigh(relative):
    X, codes = np.arange(5.0)[:, None], np.zeros(5, dtype=int)
    weight = np.array([0, *relative, 0])
    found = distinct_rows(X, codes, weight)
    assert found.weight.sum() == pytest.approx(3)
    np.testing.assert_allclose(found.weight[found.of_row[1:4]] / found.weight.sum(), weight[1:4] / weight.sum())


@pytest.mark.parametrize("each", [0.1, 1 / 7, 0.37, 7.7, 1e-300, np.float32(0.1)])
def test_equal_weights_that_are_not_whole_are_ones(each):
    # By rounding they would be nearly: trees choose among equally good splits by the last digit.
    found = distinct_rows(np.arange(7.0)[:, None], np.zeros(7, dtype=int), np.array([0, *[each] * 6]))
    assert (found.weight == 1).all()


def test_whole_weights_are_numbers_of_rows():
    found = distinct_rows(np.arange(3.0)[:, None], np.zeros(3, dtype=int), np.array([2.0, 0.0, 5.0]))
    assert sorted(found.weight) == [2, 5]


def test_rows_of_a_frame_are_equal_whatever_they_are_called():
    frame = pd.DataFrame({"a": [1.0, 2.0, 1.0], "b": ["x", "y", "x"]}, index=["one", "two", "three"])
    assert len(distinct_rows(frame, np.zeros(3, dtype=int)).rows) == 2
    assert rows_digest(frame) == rows_digest(frame.reset_index(drop=True))


FORMS = {
    "array": np.asarray,
    "objects": lambda X: X.astype(object),
    "list": list,
    "sparse": scipy.sparse.csr_matrix,
    "frame": pd.DataFrame,
    "frame that knows what is missing": lambda X: pd.DataFrame(X).astype({0: "Float64"}),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_zero_is_zero_whatever_its_sign(form):
    rows = form(np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, 2.0]]))
    assert len(distinct_rows(rows, np.zeros(3, dtype=int)).rows) == 2


def test_sparse_rows_are_told_apart_by_columns_and_stay_as_they_are_stored():
    data, columns, starts = (
        np.array([1.0, 2.0, 2.0, 1.0, 0.0, 1.0, 0.5, 0.5]),
        [0, 3, 3, 0, 2, 1, 0, 0],
        [0, 2, 5, 6, 8],
    )
    rows = scipy.sparse.csr_matrix((data, np.array(columns), np.array(starts)), shape=(4, 4))
    kept = [part.copy() for part in (rows.data, rows.indices, rows.indptr)]
    wide = rows.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    distinct = distinct_rows(rows, np.zeros(4, dtype=int))
    assert distinct.of_row[0] == distinct.of_row[1]  # in another order, and with a zero
    assert len(distinct.rows) == 3  # a one in the second column is none in the first
    one = scipy.sparse.csr_matrix(np.array([[1.0, 0, 0, 0]]))
    assert np.array_equal(row_keys(rows)[3], row_keys(one)[0])  # two halves in one place are one
    assert np.array_equal(row_keys(rows), row_keys(wide))
    for part, before in zip((rows.data, rows.indices, rows.indptr), kept, strict=True):
        np.testing.assert_array_equal(part, before)


def test_rows_of_numbers_in_a_list_are_those_of_an_array():
    X = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert np.array_equal(row_keys(list(X)), row_keys(X))

"""Frames of other libraries are told from their series."""

import numpy as np
import pandas as pd
import pytest

from sklabelnoise._foundation._frames import pandas_frame


class Column:
    """A series as of polars: of one dimension, and handed over through Arrow as a frame is."""

    shape = (2,)

    def __arrow_c_stream__(self, requested_schema=None):
        raise NotImplementedError("a column that is taken for a frame would be read here")


class NamedArray:
    """As of xarray: one type for all cells, names along the axes, and Arrow gives it as a row for each cell."""

    shape, ndim, dtype = (2, 2), 2, np.dtype(float)
    __arrow_c_stream__ = Column.__arrow_c_stream__


@pytest.mark.parametrize("table", [Column(), NamedArray(), pd.Series([1, 2]), np.zeros((2, 2)), [[1, 2]], None, "text"])
def test_what_is_no_frame_is_left_as_it_is(table):
    assert pandas_frame(table, "X") is None


def test_a_frame_that_cannot_be_read_is_refused():
    table = Column()
    table.shape = (2, 1)
    with pytest.raises(
        TypeError, match=r"X must be an array, a pandas DataFrame, or a frame that .* got tests\..*Column"
    ):
        pandas_frame(table, "X")

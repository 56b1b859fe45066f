"""Memory of large fits: what a refinery keeps beside the fit of scikit-learn in it."""

import pytest

from benchmarks import large


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Soft labels reach")
def test_beside_scikit_learns_last_fit_a_refinery_keeps_what_it_returns_and_little_else():
    rows, classes, of_x = 3_000, 10, 8 * 50
    ours, theirs = large.refinery_beside_its_last_fit(rows, classes)
    # The labels learned and the last predictions; number, class and weight of two copies; row, class and mean of a row.
    expected = 8 * (2 * classes + 3 * 2 + 3) / of_x
    # What Python keeps beside, as it is for however many rows: folds, records, the refinery's own objects.
    assert expected < ours - theirs < expected + 2e5 / (rows * of_x)

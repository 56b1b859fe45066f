"""A ratio is what it says, and neither of two has the better place."""

import pytest

from benchmarks import timing
from benchmarks.timing import compare, interleaved, single


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only where a function says so."""
    state = {"now": 0.0}
    monkeypatch.setattr(timing.time, "process_time", lambda: state["now"])

    def takes(*seconds):
        left = iter(seconds)

        def function():
            state["now"] += next(left)

        return function

    return takes


@pytest.mark.parametrize("scale", [1, 10])
def test_a_ratio_is_the_median_over_repeats_of_the_scaled_reference(clock, scale):
    ours, reference = clock(99, 2, 6, 3), clock(99, 1, 2, 3)  # the first call is the warm-up
    row = compare("case", 1.5, ours, reference, repeats=3, scale=scale, axis="rows")
    assert (row["ratio"], row["ours_ms"], row["reference_ms"]) == (2 / scale, 3000, 2000 * scale)
    assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
    assert {"case", "promise", "versions", "commit", "threads"} <= set(row)
    assert (row["repeats"], row["axis"]) == (3, "rows")


def test_the_two_take_turns_in_going_first():
    order = []
    interleaved(lambda: order.append("o"), lambda: order.append("r"), repeats=3, calls=2)
    assert "".join(order) == "or" + "rroo" + "oorr" + "rroo"


def test_what_is_measured_alone_has_quartiles_of_its_own_and_says_what_it_was_measured_with():
    row = single("case", 2.0, 1.0, 3.0, 2.0, threads=2)
    assert (row["ratio_low"], row["ratio"], row["ratio_high"]) == (1.5, 2.0, 2.5)
    assert (row["repeats"], row["threads"]) == (3, 2)
    assert single("case", 2.0, 1.5)["ratio"] == 1.5

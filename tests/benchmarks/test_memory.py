import numpy as np
import pytest

from benchmarks.memory import PeakMemory


def test_a_peak_that_is_over_is_seen_and_what_was_there_before_is_not():
    before = np.ones(20 * 2**17)  # 20 MB
    with PeakMemory() as memory:
        if memory.megabytes() is None:
            pytest.skip("the kernel does not tell")
        assert memory.megabytes() < 5
        np.ones(50 * 2**17).sum()
    assert 45 < memory.megabytes() < 60
    assert before[0] == 1

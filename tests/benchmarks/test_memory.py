import gc
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.memory import PeakMemory, peak_gigabytes


def test_a_peak_that_is_over_is_seen_and_what_was_there_before_is_not():
    before = np.ones(20 * 2**17)  # 20 MB
    with PeakMemory() as memory:
        if memory.megabytes() is None:
            pytest.skip("the kernel does not tell")
        assert memory.megabytes() < 5
        np.ones(50 * 2**17).sum()
    assert 45 < memory.megabytes() < 60
    assert before[0] == 1


def test_garbage_of_before_hides_nothing():
    loop = [np.ones(60 * 2**17)]
    loop.append(loop)
    del loop
    with PeakMemory() as memory:
        if memory.megabytes() is None:
            pytest.skip("the kernel does not tell")
        gc.collect()
        np.ones(50 * 2**17).sum()
    assert 45 < memory.megabytes() < 60


def test_the_peak_of_a_program_is_its_own_and_not_that_of_its_parent():
    filled = np.ones(2**27, dtype=np.uint8)  # 128 MiB, which `getrusage` of the child would begin with
    code = "from benchmarks.memory import peak_gigabytes; print(peak_gigabytes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert filled.all() and float(done.stdout) < 0.125 < peak_gigabytes()

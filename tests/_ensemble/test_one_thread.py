"""Callers that overlap leave the number of BLAS threads as it was."""

import sys
import threading
from types import ModuleType

import numpy as np  # noqa: F401 - loads the BLAS that is looked at
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from sklabelnoise._ensemble import _one_thread
from sklabelnoise._ensemble._one_thread import one_thread


def blas_threads():
    return {library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info()}


@pytest.fixture
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("this BLAS can't be given two threads")
        yield


def test_it_is_one_inside_and_as_before_outside(two_threads):
    with one_thread():
        assert blas_threads() == {1}
        with one_thread():
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == {2}


def test_callers_that_overlap_limit_blas_once_and_the_last_one_out_puts_it_back(monkeypatch):
    # A stand-in for the library, since some versions of OpenBLAS take no number from a thread.
    happened = []

    class Limit:
        def __init__(self, user_api):
            self.user_api = user_api
            self.note("limited")

        def note(self, what):
            if self.user_api == "blas":
                happened.append(what)

        def restore_original_limits(self):
            self.note("put back")

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.restore_original_limits()

    monkeypatch.setattr(_one_thread, "_limited", Limit)
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()

    def first():
        with one_thread():
            first_in.set()
            second_in.wait(10)
        happened.append("the first is out")
        first_out.set()

    def second():
        first_in.wait(10)
        with one_thread():
            second_in.set()
            first_out.wait(10)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert happened == ["limited", "the first is out", "put back"]


def test_a_caller_that_leaves_first_does_not_end_the_limit_of_the_main_thread(two_threads):
    def caller():
        with one_thread():
            pass

    with one_thread():
        thread = threading.Thread(target=caller)
        thread.start()
        thread.join()
        assert blas_threads() == {1}
    assert blas_threads() == {2}


def test_an_error_inside_puts_it_back(two_threads):
    with pytest.raises(RuntimeError, match="inside"), one_thread():
        raise RuntimeError("inside")
    assert blas_threads() == {2}


def test_openmp_has_one_thread_inside_as_well():
    def openmp_threads():
        return {library["num_threads"] for library in ThreadpoolController().select(user_api="openmp").info()}

    with threadpool_limits(2, user_api="openmp"):
        if openmp_threads() != {2}:
            pytest.skip("no OpenMP that can be given two threads is loaded")
        with one_thread():
            assert openmp_threads() == {1}
        assert openmp_threads() == {2}


def test_libraries_are_found_once_and_again_where_a_module_may_have_brought_others(monkeypatch):
    found = []

    class Noted(ThreadpoolController):
        def __init__(self):
            found.append(self)
            super().__init__()

    monkeypatch.setattr(_one_thread, "ThreadpoolController", Noted)
    _one_thread._libraries.cache_clear()
    for _ in range(3):
        with one_thread():
            pass
    assert len(found) == 1
    monkeypatch.setitem(sys.modules, "a module that was imported since", ModuleType("a library"))
    with one_thread():
        pass
    assert len(found) == 2

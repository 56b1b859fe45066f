"""Families fitted at the same time: what each is given, and what becomes of those that fail, are late or too long."""

import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning

from sklabelnoise._ensemble._fitting import _in_short, _too_long, fit_families
from sklabelnoise._foundation._work import TimeIsOver, Work


class Rows:
    """Ten rows in two forms, of three classes, in five splits."""

    def __init__(self):
        sparse = scipy.sparse.csr_array(np.eye(10, 400))
        self.views = {"table": np.zeros((10, 7)), "sparse": sparse}
        self.n_classes, self.splits, self.by_folds = 3, [0] * 5, True

    def __len__(self):
        return 10


class Family:
    """Notes what it is given, and does as it is told."""

    def __init__(self, name, seeded_as=None, view="table", seconds=1.0, do=lambda work: None, left_out=0.5):
        self.name, self.seeded_as, self.view, self.seconds, self.do = name, seeded_as or name, view, seconds, do
        self.left_out = np.full((10, 3), left_out)

    def cost(self, *sizes):
        self.sizes = sizes
        return self.seconds

    def fit(self, rows, work, seed):
        self.seed = seed
        self.do(work)
        return SimpleNamespace(left_out=self.left_out, failures=[], seconds=np.nan)


def fit(*families, seed=0, work=None, **options):
    return fit_families(families, Rows(), work or Work(), seed, **options)


def test_the_seed_of_a_family_follows_from_that_of_the_fit_and_from_what_it_is_seeded_as():
    def seed_of(seed=0, **options):
        family = Family(**{"name": "a", **options})
        fit(Family("first"), family, seed=seed)
        return family.seed

    assert seed_of() == seed_of(name="b", seeded_as="a") == seed_of(view="sparse")
    assert len({seed_of(), seed_of(seed=1), seed_of(seeded_as="b")}) == 3


def test_a_family_that_would_take_longer_than_all_that_are_left_is_left_out_unless_it_is_short():
    assert _too_long({"a": 1000.0}) == {}
    assert list(_too_long({"a": 1000.0, "b": 900.0, "c": 1.0})) == ["a", "b"]
    assert _too_long({"a": 1000.0, "b": 900.0, "c": 200.0}) == {}
    assert _too_long({"a": 119.0, "b": 1.0}) == {}
    with pytest.warns(UserWarning, match="Member 'long' is left out: about 1000 s would be longer than 2 s of all"):
        fitted, statuses = fit(Family("a"), Family("long", seconds=1000.0), Family("b"))
    assert list(fitted) == ["a", "b"] and list(statuses) == ["long"]


def test_costs_are_told_the_sizes_and_of_sparse_rows_what_they_hold():
    table, sparse = Family("a"), Family("b", view="sparse")
    fit(table, sparse)
    assert table.sizes == (10, 7, 3, 5, True)
    assert sparse.sizes == (10, 1, 3, 5, True)


def test_the_first_family_has_no_time_limit_and_what_is_late_is_not_said_to_have_failed():
    def work(work):
        work.piece("any", lambda: None)

    over = Work(deadline=time.monotonic() - 1)
    with pytest.warns(UserWarning, match="time_limit=3 was over before 'b', 'c' could be finished") as caught:
        fitted, statuses = fit(*(Family(name, do=work) for name in "abc"), work=over, time_limit=3)
    assert list(fitted) == ["a"] and statuses == dict.fromkeys("bc", "was not finished within the time limit")
    assert len(caught) == 1


def test_what_fails_or_predicts_no_numbers_is_left_out_and_said_so():
    def fail(work):
        raise RuntimeError("out of ink.\nand more")

    with pytest.warns(FitFailedWarning) as caught:
        fitted, statuses = fit(Family("a"), Family("b", do=fail), Family("c", left_out=np.nan))
    assert list(fitted) == ["a"]
    assert statuses == {"b": "failed with RuntimeError: out of ink", "c": "predicts NaN"}
    (warned,) = [str(one.message) for one in caught]
    assert warned == "Members are left out: 'b' failed with RuntimeError: out of ink; 'c' predicts NaN."
    with pytest.raises(ValueError, match="members must have one at least that can be fitted, got: 'b' failed"):
        fit(Family("b", do=fail))


def test_where_the_first_fails_and_the_others_are_late_both_are_said():
    def fail(work):
        raise RuntimeError("out of ink")

    over = Work(deadline=time.monotonic() - 1)
    families = Family("a", do=fail), Family("b", do=lambda work: work.piece("any", lambda: None))
    with pytest.raises(ValueError, match="'a' failed with RuntimeError: out of ink; 'b' was not finished within"):
        fit(*families, work=over, time_limit=3)


def test_where_a_result_cannot_be_kept_the_fit_ends():
    class Full:
        def load(self, name):
            return None

        def save(self, name, array):
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        fit(Family("a", do=lambda work: work.piece("any", lambda: 1)), Family("b"), work=Work(Full()))
    # One of the member's own is its failure.
    with pytest.warns(FitFailedWarning, match="'b' failed with FileNotFoundError"):
        fit(Family("a"), Family("b", do=lambda work: open("/nowhere/at/all")))


def test_a_family_knows_its_seconds_and_its_penalties_warn_nobody():
    def slow(work):
        warnings.warn("more steps", ConvergenceWarning, stacklevel=2)
        time.sleep(0.05)

    start = time.perf_counter()
    fitted, _ = fit(Family("a", do=slow), Family("b"))
    assert 0.05 <= fitted["a"].seconds
    assert fitted["a"].seconds + fitted["b"].seconds <= time.perf_counter() - start


def test_many_reasons_are_told_by_the_first_lines_of_three():
    assert _in_short(["a.\nb", "c", "d."]) == "a; c; d"
    assert _in_short(list("abcde")) == "a; b; c; and 2 more"


def test_time_that_is_over_is_no_failure_of_a_setting():
    def late(work):
        raise TimeIsOver("piece")

    with pytest.warns(UserWarning, match="was over before 'b'"):
        fitted, _ = fit(Family("a"), Family("b", do=late))
    assert list(fitted) == ["a"]

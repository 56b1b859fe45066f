"""Examples beside an issue: rows like it that nobody doubts."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sklabelnoise._label_report._evidence import codes_of
from sklabelnoise._label_report._neighbors import _candidates, _features, neighbors_of
from sklabelnoise.audit import LabelReport, audit_labels


def test_neighbors_are_rows_that_nobody_doubts_of_the_right_class(noisy_blobs):
    X, y, _ = noisy_blobs
    report = audit_labels(LogisticRegression(), X, y, random_state=0)
    rows = report.issues["row"].to_numpy()
    given, suggested = (codes_of(report.issues[f"{role}_label"], report.classes) for role in ("given", "suggested"))
    near_given, near_suggested = neighbors_of(report, rows, given, suggested)
    doubted = set(rows.tolist())
    for i in range(len(rows)):
        assert (y[near_given[i]] == given[i]).all() and (y[near_suggested[i]] == suggested[i]).all()
        assert len(near_given[i]) == len(near_suggested[i]) == 3
        assert not doubted & {*near_given[i], *near_suggested[i]}
    # Rows in doubt lie among those of the suggested class.
    away = [np.linalg.norm(X[rows] - X[[found[0] for found in near]], axis=1) for near in (near_given, near_suggested)]
    assert np.median(away[0]) > 3 * np.median(away[1])


def neighbors_of_rows(X, y, *, truth=None, display=None, **sizes):
    """Of labels that are right by halves, the lists of rows beside those in doubt."""
    proba = np.where(np.arange(2) == (X[:, :1] > 0 if truth is None else truth[:, None]), 0.9, 0.1)
    report = LabelReport(y, proba, X=X, display=display, in_sample=True)
    given, suggested = (codes_of(report.issues[f"{role}_label"], report.classes) for role in ("given", "suggested"))
    return neighbors_of(report, report.issues["row"].to_numpy(), given, suggested, **sizes)


@pytest.fixture
def doubted():
    """Rows, given labels of which a fifth is wrong, and the right ones."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    truth = (X[:, 0] > 0).astype(int)
    return X, np.where(rng.random(60) < 0.2, 1 - truth, truth), truth


def test_the_unit_and_the_origin_of_a_column_have_no_say_also_where_values_are_missing(doubted):
    X, y, truth = doubted
    X[np.random.default_rng(1).random(X.shape) < 0.2] = np.nan
    expected = neighbors_of_rows(X, y, truth=truth)
    assert len(expected[0]) > 5
    assert neighbors_of_rows(X * [1024, 1, 2] + [0, 4096, 0], y, truth=truth) == expected
    frame = pd.DataFrame(X * [1024, 1, 2], columns=["a", "b", "c"])
    assert neighbors_of_rows(frame, y, truth=truth) == expected


def test_rows_are_found_by_their_place_whatever_they_are_called(doubted):
    X, y, truth = doubted
    names = np.arange(60)[::-1]
    expected = neighbors_of_rows(X, y)
    assert neighbors_of_rows(pd.DataFrame(X, index=names), y, truth=truth) == expected
    texts = [" ".join(f"word{number // 10}" for number in range(i, i + 30)) for i in range(60)]
    by_text = neighbors_of_rows(texts, y, truth=truth)
    assert neighbors_of_rows(pd.Series(texts, index=names), y, truth=truth) == by_text != expected


def test_rows_are_compared_by_what_a_classifier_sees(doubted):
    X, y, truth = doubted
    expected = neighbors_of_rows(X, y)
    assert neighbors_of_rows(X, y, display=np.roll(X, 7, axis=0)) == expected
    assert neighbors_of_rows(None, y, truth=truth, display=X) == expected


@pytest.mark.parametrize(
    "display", [pd.DataFrame({"a": [1.0] * 60, "b": [True] * 60}), ["text"] * 60, np.zeros((60, 2))]
)
def test_where_nothing_is_in_doubt_there_is_nothing_to_compare(doubted, display, tmp_path):
    X, _, truth = doubted
    for sizes in ({"display": display}, {"X": display}):
        assert neighbors_of_rows(**{"X": X, **sizes}, y=truth, truth=truth) == ([], [])
        report = LabelReport(truth, np.eye(2)[truth], **sizes)
        assert report.to_html(tmp_path / "page.html").exists()


def test_as_many_neighbors_as_asked_for_the_nearest_first(doubted):
    X, y, _ = doubted
    for more, less in zip(neighbors_of_rows(X, y, n_neighbors=5), neighbors_of_rows(X, y, n_neighbors=2), strict=True):
        assert {len(found) for found in more} == {5} and [found[:2] for found in more] == less


@pytest.mark.parametrize("n_classes, n_rows, n_kept", [(2, 1_000, 750), (2, 700, 700), (100, 30, 20)])
def test_so_many_rows_of_each_class_are_looked_through_as_a_page_can_hold_the_same_each_time(n_classes, n_rows, n_kept):
    codes, nobody = np.repeat(np.arange(n_classes), n_rows), np.zeros(0, dtype=int)
    found, again = (_candidates(codes, nobody, np.arange(n_classes)) for _ in range(2))
    assert [len(members) for members in found.values()] == [n_kept] * n_classes
    for code, members in found.items():
        assert (codes[members] == code).all() and (np.diff(members) > 0).all()
        assert np.array_equal(members, again[code])


def test_of_wide_rows_columns_from_all_over_are_compared(doubted):
    X, y, truth = doubted
    X = X / X.std(axis=0)  # else columns that say more would be fewer
    wide = np.hstack([np.zeros((60, 2000)), np.repeat(X, 500, axis=1)])
    assert neighbors_of_rows(wide, y, truth=truth) == neighbors_of_rows(X, y)


@pytest.mark.filterwarnings("error")
def test_a_column_of_which_nothing_is_known_and_numbers_without_a_square_are_as_any_other():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = np.where(rng.random(60) < 0.2, X[:, 0] < 0, X[:, 0] > 0).astype(int)
    expected = neighbors_of_rows(X, y)
    assert len(expected[0]) > 5
    assert neighbors_of_rows(X * [2.0**600, 1, 1], y) == expected
    assert neighbors_of_rows(np.c_[X, np.full((60, 2), [np.nan, np.inf])], y) == expected
    assert neighbors_of_rows(np.ma.masked_array(X), y) == expected


class Folder(torch.utils.data.Dataset):
    """Files of pictures, as a folder of torchvision's lists them; nobody has to be able to read them."""

    def __init__(self, paths):
        self.paths, self.n_listed = paths, 0

    @property
    def samples(self):
        self.n_listed += 1
        return [(path, 0) for path in self.paths]

    def __len__(self):
        return len(self.paths)


def test_a_picture_that_is_missing_is_like_none_in_particular():
    found = _features([np.zeros((4, 4)), None, np.ones((4, 4))], np.arange(3))
    assert (found[1] == 127.5).all() and (found[0] == 0).all()


def test_files_of_a_data_set_are_listed_once_however_many_rows_are_compared():
    truth = np.arange(200) % 2
    folder = Folder([f"{row}.png" for row in range(200)])
    neighbors_of_rows(folder, np.where(np.arange(200) % 5, truth, 1 - truth), truth=truth)
    assert 0 < folder.n_listed < 20

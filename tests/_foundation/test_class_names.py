"""Labels that data sets keep, and by the names that they keep of their classes."""

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from sklabelnoise._foundation._class_names import kept_labels, named_labels


class With:
    def __init__(self, **attributes):
        vars(self).update(attributes)


@pytest.mark.parametrize(
    "dataset",
    [
        With(classes=["cat", "dog", "eel"]),
        With(classes=("cat", "dog", "eel")),
        With(classes=np.array(["cat", "dog", "eel"])),
        With(class_to_idx={"dog": 1, "cat": 0, "eel": 2}),
        With(classes=["cat", "dog", "eel"], class_to_idx={}),
    ],
)
@pytest.mark.parametrize("kind", [np.int64, np.uint8, list])
def test_numbers_become_names(dataset, kind):
    labels = [2, 0, 0, 1] if kind is list else np.array([2, 0, 0, 1], dtype=kind)
    assert named_labels(dataset, labels).tolist() == ["eel", "cat", "cat", "dog"]


@pytest.mark.parametrize(
    "dataset",
    [
        With(),
        With(classes=None),
        With(classes=3),
        With(classes=["cat", "dog"]),  # too few
        With(classes=["cat", "dog", "cat"]),  # two classes would become one
        With(classes=[0, 1, 2]),
        With(class_to_idx={"dog": 0, "hound": 0, "cat": 1, "eel": 2}),
        With(class_to_idx={"cat": 0, "dog": 2}),
        With(class_to_idx=["cat", "dog", "eel"]),
    ],
)
def test_numbers_stay_where_names_do_not_fit(dataset):
    assert named_labels(dataset, np.array([2, 0, 1])).tolist() == [2, 0, 1]


@pytest.mark.parametrize("labels", [["cat", "dog"], [0.5, 1.0], [True, False], [-1, 0], []])
def test_labels_that_are_no_numbers_of_classes_stay(labels):
    assert named_labels(With(classes=["cat", "dog"]), labels).tolist() == labels


def test_a_class_of_several_words_has_them_all():
    assert named_labels(With(classes=[("tench", "Tinca tinca"), ("crane",)]), [1, 0]).tolist() == [
        "crane",
        "tench, Tinca tinca",
    ]


class Three(With):
    def __len__(self):
        return 3


@pytest.mark.parametrize("name", ["targets", "labels", "y"])
@pytest.mark.parametrize(
    "kind", [list, np.array, lambda values: torch.tensor(values, dtype=torch.float).requires_grad_()]
)
def test_labels_are_found_where_data_sets_keep_them(name, kind):
    assert kept_labels(Three(**{name: kind([2, 0, 1])})).tolist() == [2, 0, 1]


def test_the_second_of_several_tensors_are_the_labels():
    X, y = torch.zeros(3, 2), torch.tensor([2, 0, 1])
    assert kept_labels(TensorDataset(X, y)).tolist() == [2, 0, 1]
    assert kept_labels(TensorDataset(X)) is None
    assert kept_labels(TensorDataset(X, X)) is None


@pytest.mark.parametrize("values", [[0, 1], [[0, 1]] * 3, "abc", None])
def test_what_is_no_label_for_each_item_is_not_taken_for_labels(values):
    assert kept_labels(Three(targets=values)) is None

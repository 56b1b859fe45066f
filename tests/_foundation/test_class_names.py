"""Labels by the names that data sets keep of their classes."""

import numpy as np
import pytest

from sklabelnoise._foundation._class_names import named_labels


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

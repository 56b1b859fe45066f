import hashlib
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.utils import Bunch

from sklabelnoise.datasets import _cifar_n, fetch_cifar_n

CLEAN = np.array([3, 1, 4, 1, 5, 9, 2, 6])


def human_labels():
    rng = np.random.default_rng(0)
    names = ["aggre_label", "random_label1", "random_label2", "random_label3", "worse_label", "noisy_label"]
    return {"clean_label": CLEAN, **{name: rng.integers(0, 10, len(CLEAN)) for name in names}}


@pytest.fixture
def serve(server, tmp_path, monkeypatch):
    """Function that publishes an object where the official human labels would be; the images are eight black ones."""

    def images(**kwargs):
        return Bunch(X_train=np.zeros((8, 3, 32, 32), np.uint8), y_train=CLEAN.copy())

    monkeypatch.setattr(_cifar_n, "fetch_cifar10", images)
    monkeypatch.setattr(_cifar_n, "fetch_cifar100", images)

    def publish(name, content):
        torch.save(content, tmp_path / "labels.pt")
        content = (tmp_path / "labels.pt").read_bytes()
        remote = _cifar_n._HUMAN_LABELS[name]
        server.files[remote.name] = content
        remote = replace(remote, url=server.url + remote.name, sha256=hashlib.sha256(content).hexdigest())
        monkeypatch.setitem(_cifar_n._HUMAN_LABELS, name, remote)

    return publish


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
@pytest.mark.parametrize(
    ("label_set", "name", "key"),
    [
        ("worse", "cifar10", "worse_label"),
        ("aggregate", "cifar10", "aggre_label"),
        ("random2", "cifar10", "random_label2"),
        ("noisy100", "cifar100", "noisy_label"),
    ],
)
def test_given_and_clean_labels_stand_side_by_side(serve, tmp_path, label_set, name, key, dtype):
    labels = {key: label.astype(dtype) for key, label in human_labels().items()}
    serve(name, labels)
    cifar = fetch_cifar_n(label_set, data_home=tmp_path)
    np.testing.assert_array_equal(cifar.y_train, labels[key])
    np.testing.assert_array_equal(cifar.y_train_clean, CLEAN)
    np.testing.assert_array_equal(cifar.label_sets[label_set], labels[key])
    assert cifar.y_train.dtype == np.int64


def test_writing_to_the_labels_leaves_the_sets_alone(serve, tmp_path):
    serve("cifar10", human_labels())
    cifar = fetch_cifar_n("worse", data_home=tmp_path)
    cifar.y_train[:] = 0
    np.testing.assert_array_equal(cifar.label_sets["worse"], human_labels()["worse_label"])


def test_labels_of_other_images_are_refused(serve, tmp_path):
    serve("cifar10", {**human_labels(), "clean_label": CLEAN[::-1].copy()})
    with pytest.raises(ValueError, match="belong to other images: their clean labels differ"):
        fetch_cifar_n(data_home=tmp_path)


@pytest.mark.parametrize("content", [[1, 2], {"clean_label": CLEAN}])
def test_a_file_without_the_labels_is_named(serve, tmp_path, content):
    serve("cifar10", content)
    with pytest.raises(ValueError, match=r"CIFAR-10_human\.pt does not hold the labels it should: aggre_label, clean"):
        fetch_cifar_n(data_home=tmp_path)


class Hostile:
    """Creates a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_hostile_file_is_refused_before_it_runs(serve, tmp_path):
    serve("cifar10", {**human_labels(), "worse_label": Hostile(tmp_path / "evil")})
    with pytest.raises(ValueError, match=r"CIFAR-10_human\.pt is refused: it holds more than numpy arrays"):
        fetch_cifar_n(data_home=tmp_path)
    assert not (tmp_path / "evil").exists()


def test_an_unknown_set_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"one of 'aggregate', 'random1', .*'noisy100'; got 'worst'"):
        fetch_cifar_n("worst")


def test_the_real_labels_have_the_published_noise_rates(shared_data):
    pytest.importorskip("PIL")
    cifar = fetch_cifar_n("worse", data_home=shared_data)
    rates = cifar.label_sets.ne(cifar.y_train_clean, axis=0).mean()
    # Noise rates of the published files, in percent.
    published = {"aggregate": 9.01, "random1": 17.23, "random2": 18.12, "random3": 17.64, "worse": 40.21}
    for name, percent in published.items():
        assert round(100 * rates[name], 2) == percent, name
    np.testing.assert_array_equal(cifar.y_train, cifar.label_sets["worse"])

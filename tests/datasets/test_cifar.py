import hashlib
import io
import os
import pickle
import struct
import sys
from dataclasses import replace

import numpy as np
import pytest

from sklabelnoise.datasets import _cifar, fetch_cifar10, fetch_cifar100

N = 6  # images in each part


def part(seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (N, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, N), rng.integers(0, 5, N)


def python2_pickle(pixels, **labels):
    """The dictionary of a part as Python 2 and numpy 1 wrote the official files, opcode by opcode."""

    def text(value):
        return b"U" + bytes([len(value)]) + value  # SHORT_BINSTRING, which Python 3 never writes

    def integer(value):
        return b"J" + struct.pack("<i", value)

    n, width = pixels.shape
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R("
    dtype += b"K\x03" + text(b"|") + b"NNN" + integer(-1) * 2 + b"K\x00tb"
    raw = pixels.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R("
    array += b"K\x01" + integer(n) + integer(width) + b"\x86" + dtype + b"\x89"
    array += b"T" + struct.pack("<i", len(raw)) + raw + b"tb"
    content = b"\x80\x02}(" + text(b"data") + array
    for name, values in labels.items():
        content += text(name.encode()) + b"](" + b"".join(integer(int(value)) for value in values) + b"e"
    return content + b"u."


def official_members(name):
    if name == "cifar10":
        folder, parts = "cifar-10-batches-py", [*[f"data_batch_{i}" for i in range(1, 6)], "test_batch"]
    else:
        folder, parts = "cifar-100-python", ["train", "test"]
    members = {f"{folder}/batches.meta": b"not read"}
    for seed, part_name in enumerate(parts):
        images, y, y_coarse = part(seed)
        labels = {"labels": y} if name == "cifar10" else {"fine_labels": y, "coarse_labels": y_coarse}
        members[f"{folder}/{part_name}"] = python2_pickle(images.reshape(N, -1), **labels)
    return members


@pytest.fixture
def serve(server, make_archive, monkeypatch):
    """Function that puts an archive with the given members where the official one would be."""

    def publish(name, members):
        content = make_archive(members.items())
        official = _cifar._ARCHIVES[name]
        server.files[official.remote.name] = content
        remote = replace(
            official.remote, url=server.url + official.remote.name, sha256=hashlib.sha256(content).hexdigest()
        )
        monkeypatch.setitem(_cifar._ARCHIVES, name, replace(official, remote=remote))

    return publish


def test_cifar10_is_read_from_the_official_archive(serve, tmp_path):
    serve("cifar10", official_members("cifar10"))
    cifar = fetch_cifar10(data_home=tmp_path)
    expected = [part(seed) for seed in range(6)]
    np.testing.assert_array_equal(cifar.X_train, np.concatenate([images for images, _, _ in expected[:5]]))
    np.testing.assert_array_equal(cifar.y_train, np.concatenate([y for _, y, _ in expected[:5]]))
    np.testing.assert_array_equal(cifar.X_test, expected[5][0])
    np.testing.assert_array_equal(cifar.y_test, expected[5][1])
    assert cifar.X_train.dtype == np.uint8
    assert cifar.y_train.dtype == np.int64
    assert os.listdir(tmp_path) == ["cifar-10-python.tar.gz"]
    assert len(set(cifar.target_names)) == 10
    assert cifar.target_names == sorted(cifar.target_names)


def test_cifar100_has_fine_and_coarse_labels(serve, tmp_path):
    serve("cifar100", official_members("cifar100"))
    cifar = fetch_cifar100(data_home=tmp_path)
    for seed, split in enumerate(["train", "test"]):
        images, y, y_coarse = part(seed)
        np.testing.assert_array_equal(cifar[f"X_{split}"], images)
        np.testing.assert_array_equal(cifar[f"y_{split}"], y)
        np.testing.assert_array_equal(cifar[f"y_{split}_coarse"], y_coarse)
    assert len(set(cifar.target_names)) == 100
    assert cifar.target_names == sorted(cifar.target_names)
    assert len(set(cifar.coarse_target_names)) == 20


def test_a_broken_connection_and_a_wrong_checksum_reach_the_user(serve, server, tmp_path):
    serve("cifar10", official_members("cifar10"))
    server.cuts = [1000]
    with pytest.raises(OSError, match="The 1000 bytes received so far are kept"):
        fetch_cifar10(data_home=tmp_path, n_retries=0)
    server.files["cifar-10-python.tar.gz"] = b"x" * 2000
    with pytest.raises(OSError, match=r"SHA-256 checksum .* it was deleted"):
        fetch_cifar10(data_home=tmp_path)


def test_an_archive_with_a_malicious_member_is_refused(serve, tmp_path):
    serve("cifar10", {**official_members("cifar10"), "cifar-10-batches-py/../../evil": b"x"})
    with pytest.raises(ValueError, match=r"evil' lies outside of the folder 'cifar-10-batches-py'"):
        fetch_cifar10(data_home=tmp_path / "home")
    assert not (tmp_path / "evil").exists()


def test_an_archive_with_a_hostile_pickle_is_refused(serve, tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    members = official_members("cifar10")
    members["cifar-10-batches-py/data_batch_3"] = pickle.dumps({b"data": Hostile(), b"labels": []})
    serve("cifar10", members)
    with pytest.raises(ValueError, match="The pickle data_batch_3 is refused: it asks for"):
        fetch_cifar10(data_home=tmp_path)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([1, 2], "no dictionary with images and labels"),
        ({b"data": np.zeros((2, 3072), np.uint8)}, "no dictionary with images and labels"),
        ({b"data": np.zeros((2, 3000), np.uint8), b"labels": [0, 1]}, "no uint8 array with 3072 columns"),
        ({b"data": np.zeros((2, 3072)), b"labels": [0, 1]}, "no uint8 array with 3072 columns"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}, "not hold one label for each image"),
    ],
)
def test_a_part_of_another_layout_is_refused(serve, tmp_path, batch, message):
    members = official_members("cifar10")
    members["cifar-10-batches-py/test_batch"] = pickle.dumps(batch, protocol=4)
    serve("cifar10", members)
    with pytest.raises(ValueError, match=rf"The pickle test_batch is refused: .*{message}"):
        fetch_cifar10(data_home=tmp_path)


def test_a_missing_part_is_named(serve, tmp_path):
    members = official_members("cifar10")
    del members["cifar-10-batches-py/data_batch_2"]
    serve("cifar10", members)
    with pytest.raises(ValueError, match="is damaged: it holds no data_batch_2"):
        fetch_cifar10(data_home=tmp_path)


def write_shared(folder, name):
    """The layout of the shared folder: sheets of lossless WebP, here of at most four images."""
    Image = pytest.importorskip("PIL.Image")
    for seed, part_name in enumerate([*[f"train{i}" for i in range(1, 6)], "test"]):
        images, y, y_coarse = part(seed)
        sheets = []
        for start in range(0, N, 4):
            sheet = images[start : start + 4].transpose(0, 2, 3, 1).reshape(-1, 32, 3)
            buffer = io.BytesIO()
            Image.fromarray(sheet).save(buffer, "WEBP", lossless=True, exact=True)
            sheets.append(buffer.getvalue())
        np.savez(
            folder / f"{name}_{part_name}.npz",
            blob=np.frombuffer(b"".join(sheets), np.uint8),
            offsets=np.cumsum([0, *map(len, sheets)]),
            shape=np.array([N, 32, 32, 3]),
            y=y.astype(np.uint8),
            **({"y_coarse": y_coarse.astype(np.uint8)} if name == "cifar100" else {}),
        )


@pytest.mark.parametrize(("name", "fetch"), [("cifar10", fetch_cifar10), ("cifar100", fetch_cifar100)])
def test_the_shared_layout_gives_the_same_images(name, fetch, tmp_path, monkeypatch):
    write_shared(tmp_path, name)
    monkeypatch.setenv("SKLABELNOISE_DATA", str(tmp_path))
    for cifar in (fetch(download_if_missing=False), fetch(data_home=tmp_path, download_if_missing=False)):
        expected = [part(seed) for seed in range(6)]
        np.testing.assert_array_equal(cifar.X_train, np.concatenate([images for images, _, _ in expected[:5]]))
        np.testing.assert_array_equal(cifar.X_test, expected[5][0])
        np.testing.assert_array_equal(cifar.y_test, expected[5][1])
        assert cifar.X_train.dtype == np.uint8
        assert cifar.y_train.dtype == np.int64
        assert cifar.X_train.flags.c_contiguous and cifar.X_test.flags.c_contiguous
        if name == "cifar100":
            np.testing.assert_array_equal(cifar.y_test_coarse, expected[5][2])


def test_a_sheet_that_holds_other_than_it_says_is_damaged(tmp_path):
    write_shared(tmp_path, "cifar10")
    with np.load(tmp_path / "cifar10_test.npz") as content:
        changed = {**content, "shape": np.array([N + 1, 32, 32, 3])}
    np.savez(tmp_path / "cifar10_test.npz", **changed)
    with pytest.raises(ValueError, match=rf"cifar10_test.npz is damaged: it holds {N} images, but says {N + 1}"):
        fetch_cifar10(data_home=tmp_path)


def test_a_shared_folder_that_lacks_a_file_has_none_of_them(tmp_path):
    write_shared(tmp_path, "cifar10")
    (tmp_path / "cifar10_train3.npz").unlink()
    with pytest.raises(OSError, match=r"cifar-10-python.tar.gz is not in .*, and download_if_missing is False"):
        fetch_cifar10(data_home=tmp_path, download_if_missing=False)


def test_names_of_classes_are_the_callers_own(tmp_path):
    write_shared(tmp_path, "cifar10")
    fetch_cifar10(data_home=tmp_path).target_names.clear()
    assert len(fetch_cifar10(data_home=tmp_path).target_names) == 10


def test_without_pillow_the_error_names_the_extra(tmp_path, monkeypatch):
    write_shared(tmp_path, "cifar10")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"cifar10_train1\.npz needs pillow, .* pip install 'sklabelnoise\[bench\]'"):
        fetch_cifar10(data_home=tmp_path)


@pytest.mark.slow  # 50,000 pictures are decoded
def test_the_real_training_set_has_the_official_bytes(shared_data):
    pytest.importorskip("PIL")
    cifar = fetch_cifar10(data_home=shared_data)
    assert cifar.X_train.shape == (50_000, 3, 32, 32)
    assert np.bincount(cifar.y_train).tolist() == [5000] * 10
    assert np.bincount(cifar.y_test).tolist() == [1000] * 10
    # Mean colors of the training set as published with countless models (0.4914, 0.4822, 0.4465).
    means = cifar.X_train.mean(axis=(0, 2, 3)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=5e-5)  # half a unit of the last digit


@pytest.mark.parametrize("short", ["fine_labels", "coarse_labels"])
def test_too_few_labels_of_either_kind_are_refused(short):
    labels = {"fine_labels": [0, 1], "coarse_labels": [0, 1], short: [0]}
    content = python2_pickle(np.zeros((2, 3072), np.uint8), **labels)
    with pytest.raises(ValueError, match="train is refused: it does not hold one label for each image"):
        _cifar._read_batch(content, _cifar._ARCHIVES["cifar100"], "train")

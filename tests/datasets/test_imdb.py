import hashlib
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sklabelnoise.datasets import _imdb, fetch_imdb

# The official paths: <number of the review>_<stars>.txt, in no order.
REVIEWS = {
    "train/pos/10_9.txt": "A film as good as a film can be – café included.",
    "train/neg/2_1.txt": "No.",
    "train/pos/2_7.txt": "Yes.<br />Indeed.",
    "train/neg/10_4.txt": "Rather not.",
    "test/neg/0_3.txt": "Hm.",
    "test/pos/0_10.txt": "Oh!",
}
BESIDE = {"train/unsup/0_0.txt": "no label", "train/urls_pos.txt": "http://", "imdb.vocab": "the"}


def check(imdb):
    assert imdb.X_train.tolist() == [REVIEWS[f"train/{x}.txt"] for x in ("neg/2_1", "neg/10_4", "pos/2_7", "pos/10_9")]
    np.testing.assert_array_equal(imdb.y_train, [0, 0, 1, 1])
    np.testing.assert_array_equal(imdb.rating_train, [1, 4, 7, 9])
    assert imdb.X_test.tolist() == ["Hm.", "Oh!"]
    np.testing.assert_array_equal(imdb.y_test, [0, 1])
    np.testing.assert_array_equal(imdb.rating_test, [3, 10])
    assert imdb.target_names == ["neg", "pos"]
    assert imdb.X_train.dtype == object
    assert imdb.y_train.dtype == np.int64


@pytest.fixture
def serve(server, make_archive, monkeypatch):
    """Function that puts an archive with the given members where the official one would be."""

    def publish(members):
        content = make_archive((name, text.encode()) for name, text in members.items())
        server.files["aclImdb_v1.tar.gz"] = content
        remote = replace(_imdb._IMDB, url=server.url + "aclImdb_v1.tar.gz", sha256=hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(_imdb, "_IMDB", remote)

    return publish


def test_reviews_are_read_from_the_official_archive(serve, tmp_path):
    serve({f"aclImdb/{name}": text for name, text in {**REVIEWS, **BESIDE}.items()})
    check(fetch_imdb(data_home=tmp_path))


def test_the_shared_layout_gives_the_same_reviews(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    rows = []
    for name, text in REVIEWS.items():
        split, label, file = name.split("/")
        file_id, rating = file.removesuffix(".txt").split("_")
        rows.append((split, int(label == "pos"), int(file_id), int(rating), text))
    frame = pd.DataFrame(rows, columns=["split", "label", "file_id", "rating", "text"])
    frame.astype({"label": np.int8, "file_id": np.int16, "rating": np.int8}).to_parquet(tmp_path / "imdb.parquet")
    monkeypatch.setenv("SKLABELNOISE_DATA", str(tmp_path))
    check(fetch_imdb(download_if_missing=False))

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"imdb\.parquet needs pyarrow, .* pip install 'sklabelnoise\[bench\]'"):
        fetch_imdb()


def test_a_malicious_member_refuses_the_archive(serve, tmp_path):
    serve({"aclImdb/train/pos/1_9.txt": "x", "aclImdb/../../train/pos/2_9.txt": "y"})
    with pytest.raises(ValueError, match="lies outside of the folder 'aclImdb'"):
        fetch_imdb(data_home=tmp_path)


def test_an_archive_without_reviews_says_so(serve, tmp_path):
    serve({f"aclImdb/{name}": text for name, text in BESIDE.items()})
    with pytest.raises(ValueError, match="is damaged: it holds no reviews"):
        fetch_imdb(data_home=tmp_path)


def test_the_real_reviews_are_balanced(shared_data):
    pytest.importorskip("pyarrow")
    imdb = fetch_imdb(data_home=shared_data)
    for split in ("train", "test"):
        assert len(imdb[f"X_{split}"]) == 25_000
        assert np.bincount(imdb[f"y_{split}"]).tolist() == [12_500, 12_500]
        np.testing.assert_array_equal(imdb[f"rating_{split}"] > 5, imdb[f"y_{split}"] == 1)

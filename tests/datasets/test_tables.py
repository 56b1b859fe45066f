import sys

import numpy as np
import pandas as pd
import pytest

from sklabelnoise.datasets import load_table


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "size": np.array([1, 2, 100, 3], dtype=np.int8),
            "weight": np.array([0.5, np.nan, 1, 2], dtype=np.float32),
            "color": ["red", None, "blue", "red"],
            "target": np.array([3, 1, 1, 7], dtype=np.int8),
            "split": ["train", "train", "test", "test"],
            "target_rings": [5, 6, 7, 8],
            "rater1": np.array([3, 1, 1, 7], dtype=np.int8),
            "rater2": np.array([3, 3, 1, 7], dtype=np.int8),
            "group_patient": np.array([1, 1, 2, 3], dtype=np.int16),
        }
    )
    frame.to_parquet(tmp_path / "tab_toy.parquet")
    return tmp_path


def test_only_features_are_features(folder):
    table = load_table("toy", data_home=folder)
    assert table.feature_names == list(table.data.columns) == ["size", "weight", "color"]
    assert list(table.frame.columns) == ["size", "weight", "color", "target"]
    assert list(table.raters.columns) == ["rater1", "rater2"]
    np.testing.assert_array_equal(table.groups, [1, 1, 2, 3])
    np.testing.assert_array_equal(table.split, ["train", "train", "test", "test"])
    assert table.split.dtype == object and {table.groups.dtype, *table.raters.dtypes} == {np.dtype(np.int64)}
    np.testing.assert_array_equal(table.target, [3, 1, 1, 7])
    assert table.target_names == ["1", "3", "7"]
    assert not table.ordinal


def test_numbers_are_wide_and_text_is_categorical(folder):
    table = load_table("toy", data_home=folder)
    assert table.data.dtypes.map(str).tolist() == ["int64", "float64", "category"]
    assert table.target.dtype == np.int64
    assert table.data.isna().sum().tolist() == [0, 1, 1]
    assert table.categorical_features == ["color"]


@pytest.mark.parametrize(
    ("name", "categories", "ordinal"),
    [
        ("toy", ["color"], False),
        ("nursery", ["size", "weight", "color"], True),
        ("mushroom", ["size", "weight", "color"], False),
        *((name, ["color"], True) for name in ("ERA", "ESL", "SWD", "abalone", "car_evaluation", "lidc_malignancy")),
        ("wine_quality", ["color"], True),
    ],
)
def test_what_numbers_mean_follows_from_the_table(folder, name, categories, ordinal):
    (folder / "tab_toy.parquet").rename(folder / f"tab_{name}.parquet")
    table = load_table(name, data_home=folder)
    assert (table.categorical_features, table.ordinal) == (categories, ordinal)


def test_columns_with_names_like_those_of_raters_and_groups_are_features(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"rate": [1, 2], "groups": [3, 4], "targets": [5.0, 6.0], "target": [0, 1]})
    frame.astype({"target": np.int8}).to_parquet(tmp_path / "tab_plain.parquet")
    table = load_table("plain", data_home=tmp_path)
    assert table.feature_names == ["rate", "groups", "targets"]
    assert not {"split", "groups", "raters"} & table.keys()
    assert table.frame.dtypes.map(str).tolist() == ["int64", "int64", "float64", "int64"]
    pd.testing.assert_frame_equal(table.frame, table.data.assign(target=table.target))


def test_the_environment_names_the_folder_and_the_argument_wins(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SKLABELNOISE_DATA", str(folder))
    assert load_table("toy").data.shape == (4, 3)
    with pytest.raises(ValueError, match="which holds no table at all, got 'toy'"):
        load_table("toy", data_home=tmp_path / "elsewhere")


@pytest.mark.parametrize("name", ["tiy", "../tab_toy", "", None])
def test_an_unknown_table_is_answered_with_the_known_ones(folder, name):
    with pytest.raises(ValueError, match=r"which holds toy, got"):
        load_table(name, data_home=folder)


def test_without_a_folder_the_error_says_how_to_name_one(monkeypatch):
    monkeypatch.delenv("SKLABELNOISE_DATA", raising=False)
    with pytest.raises(ValueError, match=r"data_home must be the folder .* environment variable SKLABELNOISE_DATA"):
        load_table("toy")


def test_without_pyarrow_the_error_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"tab_toy\.parquet needs pyarrow, .* pip install 'sklabelnoise\[bench\]'"):
        load_table("toy", data_home=folder)


class TestSharedTables:
    @pytest.fixture(autouse=True)
    def _shared(self, shared_data):
        pytest.importorskip("pyarrow")

    def test_every_table_has_features_and_a_target(self, shared_data):
        for path in shared_data.glob("tab_*.parquet"):
            table = load_table(path.stem.removeprefix("tab_"))
            assert len(table.data) == len(table.target) > 0
            assert not {"target", "target_rings", "split"} & set(table.data)
            assert len(table.target_names) == table.target.nunique() > 1
            assert set(table.categorical_features) >= set(table.data.select_dtypes("category"))

    @pytest.mark.parametrize(
        ("name", "shape", "n_classes"),
        [("adult", (48842, 14), 2), ("abalone", (4177, 8), 8), ("lidc_malignancy", (809, 65), 5)],
    )
    def test_published_sizes(self, name, shape, n_classes):
        table = load_table(name)
        assert table.data.shape == shape
        assert table.target.nunique() == n_classes

    @pytest.mark.parametrize(
        ("name", "counts"),
        [
            ("adult", {"<=50K": 37155, ">50K": 11687}),
            ("car_evaluation", {"unacc": 1210, "acc": 384, "good": 69, "vgood": 65}),
            ("nursery", {"not_recom": 4320, "very_recom": 328, "priority": 4266, "spec_prior": 4044}),
        ],
    )
    def test_names_of_classes_have_the_published_counts(self, name, counts):
        table = load_table(name)
        assert dict(zip(table.target_names, table.target.value_counts().sort_index(), strict=True)) == counts

    def test_adult_keeps_its_official_split(self):
        adult = load_table("adult")
        assert adult.split.value_counts().to_dict() == {"train": 32561, "test": 16281}
        assert adult.target_names == ["<=50K", ">50K"]

    def test_lidc_target_is_the_rounded_median_of_its_raters(self):
        lidc = load_table("lidc_malignancy")
        assert lidc.ordinal
        distance = (lidc.raters.median(axis=1) - lidc.target).abs()
        assert distance.max() <= 0.5
        assert lidc.groups.nunique() == 522


def test_other_files_beside_the_tables_are_none(tmp_path):
    for name in ("tab_a.parquet", "imdb.parquet"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match="which holds a, got 'imdb'"):
        load_table("imdb", data_home=tmp_path)

"""Files of images as an array of pixels, alone, in Pipelines, and inside of the classifiers."""

import pickle
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from torch import nn

from sklabelnoise import DMClassifier, DMClassifierCV, NoisyLabelClassifier, StochasticLabelRefinery
from sklabelnoise._foundation._image_files import are_image_paths
from sklabelnoise.feature_extraction import ImageReader
from sklabelnoise.model_selection import FusedGridSearchCV


class Averages(nn.Module):
    """The smallest network for images: the mean of each channel, and a linear layer."""

    def __init__(self, in_channels, n_classes):
        super().__init__()
        self.output = nn.Linear(in_channels, n_classes)

    def forward(self, x):
        return self.output(x.mean(dim=(2, 3)))


def small(**params):
    return DMClassifier(Averages, max_epochs=15, lr=0.05, optimizer="Adam", random_state=0, **params)


def pixels_of(paths):
    return np.stack([np.moveaxis(np.asarray(Image.open(path)), -1, 0) for path in paths])


CONTAINERS = {
    "list of str": list,
    "tuple": tuple,
    "paths": lambda paths: [Path(path) for path in paths],
    "array": np.array,
    "array of objects": lambda paths: np.array(paths, dtype=object),
    "array of paths": lambda paths: np.array([Path(path) for path in paths], dtype=object),
    "series": lambda paths: pd.Series(paths, index=np.arange(len(paths))[::-1]),
    "string series": lambda paths: pd.Series(paths, dtype="string"),
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_any_column_of_paths_is_read_in_its_order(picture_files, container):
    paths, _ = picture_files
    images = ImageReader().fit_transform(container(paths))
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, pixels_of(paths))


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_a_classifier_takes_paths_as_it_takes_their_pixels(picture_files, container):
    paths, y = picture_files
    by_path, by_pixels = small().fit(container(paths), y), small().fit(pixels_of(paths), y)
    assert by_path.n_features_in_ == 3
    np.testing.assert_array_equal(by_path.predict_proba(container(paths)), by_pixels.predict_proba(pixels_of(paths)))
    np.testing.assert_array_equal(by_path.label_quality_, by_pixels.label_quality_)
    assert by_path.predict(paths[:3]).tolist() == ["green", "red", "green"]


def test_size_and_mode_are_asked_for(picture_files):
    paths, _ = picture_files
    assert ImageReader(size=8).fit_transform(paths).shape == (24, 3, 8, 8)
    assert ImageReader(size=(6, 9), mode="L").fit_transform(paths).shape == (24, 1, 6, 9)


def test_images_are_turned_as_their_camera_said(tmp_path):
    picture = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    exif = picture.getexif()
    exif[0x0112] = 6  # a quarter to the right
    picture.save(tmp_path / "turned.png", exif=exif)
    (image,) = ImageReader(mode="L").fit_transform([tmp_path / "turned.png"])
    np.testing.assert_array_equal(image[0], np.rot90(np.asarray(picture), -1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_mode_of_eight_bits_becomes_three_channels(tmp_path, mode):
    path = tmp_path / ("picture.tif" if mode == "CMYK" else "picture.png")
    Image.new("RGB", (4, 5), (255, 255, 255)).convert(mode).save(path)
    assert (ImageReader().fit_transform([path]) == 255).all()


def test_the_colors_of_a_palette_are_read_where_some_are_transparent(tmp_path):
    picture = Image.fromarray(np.eye(4, dtype=np.uint8)).convert("P")
    picture.putpalette([10, 20, 30, 200, 210, 220])
    picture.save(tmp_path / "palette.png", transparency=b"\x00\xff")  # as bytes, of which pillow warns
    (image,) = ImageReader().fit_transform([tmp_path / "palette.png"])
    np.testing.assert_array_equal(
        image, np.where(np.eye(4), *np.array([[200, 210, 220], [10, 20, 30]])[..., None, None])
    )


def test_files_are_known_by_the_ends_of_their_names_in_capitals_too(tmp_path):
    Image.new("RGB", (4, 5), (9, 9, 9)).save(tmp_path / "PICTURE.PNG")
    path = str(tmp_path / "PICTURE.PNG")
    assert ImageReader().fit_transform([path]).shape == (1, 3, 5, 4)
    assert are_image_paths([path]) and not are_image_paths([path, "a text"]) and not are_image_paths([])


def test_more_than_eight_bits_are_not_clipped_without_a_word(tmp_path):
    Image.fromarray(np.full((4, 4), 40_000, dtype=np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match=r"deep\.png' in row 0: its mode I;16 has more than eight bits"):
        ImageReader().fit([tmp_path / "deep.png"])
    for mode in ("I", "F", "I;16", "I;16B", "I;16L"):
        with pytest.raises(ValueError, match=f"'of any kind' in row 0: its mode {mode} has more than eight bits"):
            ImageReader(reader=lambda path, mode=mode: Image.new(mode, (4, 4))).fit([Path("of any kind")])
    halved = ImageReader(reader=lambda path: Image.fromarray((np.asarray(Image.open(path)) >> 8).astype(np.uint8)))
    assert halved.fit_transform([tmp_path / "deep.png"]).max() == 40_000 >> 8


def test_preprocess_is_given_the_picture_and_may_return_floats(picture_files):
    paths, _ = picture_files

    def upper_left(picture):
        assert picture.size == (8, 8)
        return np.asarray(picture.crop((0, 0, 4, 4)), dtype=np.float32).transpose(2, 0, 1) / 255

    images = ImageReader(size=8, preprocess=upper_left).fit_transform(paths)
    assert images.dtype == np.float32 and images.shape == (24, 3, 4, 4) and images.max() <= 1


def test_what_a_reader_returns_has_the_mode_that_is_asked_for(picture_files):
    paths, _ = picture_files
    for mode, channels in (("RGB", 3), ("L", 1)):
        for given in ("RGB", "L"):
            reader = ImageReader(mode=mode, reader=lambda path, given=given: Image.open(path).convert(given))
            assert reader.fit_transform(paths).shape == (24, channels, 12, 10)


def test_without_pillow_the_error_names_the_extra(picture_files, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"needs pillow, .*: pip install 'sklabelnoise\[images\]'"):
        ImageReader().fit(picture_files[0])


def test_threads_read_the_same(picture_files):
    paths, _ = picture_files
    np.testing.assert_array_equal(ImageReader(n_jobs=2).fit_transform(paths), ImageReader().fit_transform(paths))
    threads = set()

    def noted(path):
        threads.add(threading.current_thread() is threading.main_thread())
        return Image.open(path)

    ImageReader(reader=noted).fit_transform(paths)
    assert threads == {True}
    ImageReader(reader=noted, n_jobs=2).fit_transform(paths)
    assert threads == {True, False}


def test_a_bar_counts_the_images(picture_files, capsys):
    paths, _ = picture_files
    ImageReader().fit_transform(paths)
    assert capsys.readouterr().err == ""
    ImageReader(verbose=1).fit_transform(paths)
    assert "reading images: 100%" in (shown := capsys.readouterr().err) and "24/24 images [" in shown


READS = {
    "reader": lambda paths, y: ImageReader().fit_transform(paths),
    "classifier": lambda paths, y: small().fit(paths, y),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
class TestBadFiles:
    def test_a_missing_file_is_named_before_any_is_read(self, picture_files, read, tmp_path):
        paths, y = picture_files
        Path(paths[0]).write_text("not a picture")
        paths[5] = paths[7] = str(tmp_path / "lost.png")
        with pytest.raises(ValueError, match=r"X must name files .* exist, got '.*lost\.png' in row 5, and 1 more\."):
            read(paths, y)

    def test_a_file_that_is_no_image_is_named(self, picture_files, read):
        paths, y = picture_files
        Path(paths[9]).write_text("not a picture")
        with pytest.raises(ValueError, match=r"X must name images that can be read, got '.*09\.png' in row 9: .*"):
            read(paths, y)

    def test_a_file_that_was_cut_short_is_named(self, picture_files, read):
        paths, y = picture_files
        Path(paths[9]).write_bytes(Path(paths[9]).read_bytes()[:100])
        with pytest.raises(ValueError, match=r"got '.*09\.png' in row 9"):
            read(paths, y)

    def test_one_that_does_not_end_as_images_do_is_a_path_all_the_same(self, picture_files, read):
        paths, y = picture_files
        paths[2] = paths[2].replace(".png", ".txt")
        with pytest.raises(ValueError, match=r"exist, got '.*02\.txt' in row 2\."):
            read(paths, y)

    def test_images_of_several_sizes_are_named_with_the_way_out(self, picture_files, read):
        paths, y = picture_files
        Image.new("RGB", (11, 12)).save(paths[4])
        told = r"one size, got 12 x 10 in '.*00\.png' and 12 x 11 in '.*04\.png' in row 4"
        with pytest.raises(ValueError, match=told):
            read(paths, y)
        with pytest.raises(ValueError, match=r"ImageReader\(size="):
            read(paths, y)


def test_a_folder_is_no_file_whatever_its_name(picture_files, tmp_path):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match=r"must name files of images that exist, got '.*folder\.png' in row 24\."):
        ImageReader().fit([*picture_files[0], str(tmp_path / "folder.png")])


def test_held_out_paths_are_named_as_such(picture_files):
    paths, y = picture_files
    with pytest.raises(ValueError, match=r"X_val must name files of images that exist, got 'lost\.png' in row 1\."):
        small().fit(paths, y, X_val=[paths[0], "lost.png"], y_val=y[:2])
    other = paths[0].replace("00.png", "other.png")
    Image.new("RGB", (11, 12)).save(other)
    with pytest.raises(
        ValueError, match=r"X_val must name images of one size, got 12 x 10 in .* and 12 x 11 in .* row 1"
    ):
        small().fit(paths, y, X_val=[paths[0], other], y_val=y[:2])
    Path(other).write_text("not a picture")
    with pytest.raises(ValueError, match=r"X_val must name images that can be read, got '.*other\.png' in row 1"):
        small().fit(paths, y, X_val=[paths[0], other], y_val=y[:2])


def test_images_to_predict_have_the_size_of_those_fitted(picture_files, tmp_path):
    paths, y = picture_files
    Image.new("RGB", (5, 5)).save(tmp_path / "other.png")
    with pytest.raises(ValueError, match=r"of shape \(3, 12, 10\), as in fit, got \(3, 5, 5\)"):
        small().fit(paths, y).predict([tmp_path / "other.png"])
    with pytest.raises(ValueError, match=r"of shape \(3, 12, 10\), as in fit, got \(3, 5, 5\)"):
        ImageReader().fit(paths).transform([tmp_path / "other.png"])
    with pytest.raises(ValueError, match=r"of shape \(3, 12, 10\), as in fit, got \(1, 12, 10\)"):
        ImageReader().fit(paths).set_params(mode="L").transform(paths)


@pytest.mark.parametrize(
    "X", [["some", "texts"], np.eye(3), [1, 2], pd.DataFrame({"a": ["x.png"]}), [], "x.png", Path("x")]
)
def test_what_is_no_column_of_paths_is_refused(X):
    with pytest.raises(ValueError, match="X must be a list, array or Series of paths of images"):
        ImageReader().fit(X)


@pytest.mark.parametrize("size", [0, (3,), (3, -1), (2.5, 3)])
def test_a_size_that_is_none_is_refused(picture_files, size):
    with pytest.raises(ValueError, match="size"):
        ImageReader(size=size).fit(picture_files[0])


def test_a_reader_is_a_step_like_any_other(picture_files):
    paths, y = picture_files
    reader = ImageReader(size=8)
    assert clone(reader).get_params() == reader.get_params()
    assert pickle.loads(pickle.dumps(reader.fit(paths))).transform(paths[:2]).shape == (2, 3, 8, 8)
    pipeline = make_pipeline(ImageReader(size=8), small())
    assert cross_val_score(pipeline, paths, y, cv=3).mean() > 0.9
    search = GridSearchCV(pipeline, {"imagereader__size": [4, 8], "dmclassifier__beta": [0, 8]}, cv=2).fit(paths, y)
    assert search.best_score_ > 0.9
    columns = ColumnTransformer([("picture", make_pipeline(ImageReader(mode="L", size=2), _Flat()), "file")])
    assert columns.fit_transform(pd.DataFrame({"file": paths, "n": 0})).shape == (24, 4)


class _Flat(ImageReader):
    """Pixels as rows of numbers."""

    def fit(self, X, y=None):
        self.image_shape_ = ()
        return self

    def transform(self, X):
        return X.reshape(len(X), -1)


def test_searches_and_folds_take_paths(picture_files):
    paths, y = picture_files
    grid = {"beta": [0, 8]}
    by_path = GridSearchCV(small(), grid, cv=3).fit(paths, y)
    by_pixels = GridSearchCV(small(), grid, cv=3).fit(pixels_of(paths), y)
    np.testing.assert_array_equal(by_path.cv_results_["mean_test_score"], by_pixels.cv_results_["mean_test_score"])
    fused = FusedGridSearchCV(small(), grid, cv=3).fit(paths, y)
    assert fused.fused_["fused"].all() and fused.best_score_ == by_path.best_score_
    assert (cross_val_predict(small(), paths, y, cv=3) == y).mean() > 0.9


def test_a_choice_among_candidates_and_a_refinery_take_paths(picture_files):
    paths, y = picture_files
    training = {"max_epochs": 15, "lr": 0.05, "optimizer": "Adam", "random_state": 0}
    chosen = DMClassifierCV(Averages, candidates=[(0, 0), (0.5, 8)], cv=2, n_members=2, **training)
    assert chosen.fit(paths, y).score(paths, y) > 0.9
    refinery = StochasticLabelRefinery(small(), n_rounds=1, cv=2, random_state=0).fit(paths, y)
    assert refinery.score(paths, y) > 0.9


@pytest.mark.parametrize("estimator", [small(), NoisyLabelClassifier()], ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("container", [list, np.array, pd.Series])
def test_texts_are_refused_with_what_makes_features_of_them(estimator, container):
    texts = container(["a good film", "a bad one", "good", "bad"])
    with pytest.raises(ValueError, match=r"X must hold numbers for \w+, got texts\. .*embed_dataset turns them into"):
        estimator.fit(texts, [0, 1, 0, 1])


def test_paths_are_refused_where_only_tables_are_taken(picture_files):
    paths, y = picture_files
    with pytest.raises(ValueError, match=r"NoisyLabelClassifier, got paths of images\. .*embed_dataset"):
        NoisyLabelClassifier().fit(paths, y)


@pytest.mark.parametrize("wrong", [None, "a text", [None, 1], 0.5], ids=str)
def test_what_preprocess_returns_is_numbers(picture_files, wrong):
    with pytest.raises(
        ValueError, match=r"preprocess must return a picture, an array or a tensor of numbers, got .* for"
    ):
        ImageReader(preprocess=lambda picture: wrong).fit(picture_files[0])


def test_what_preprocess_returns_is_of_one_type(picture_files):
    """Fractions after a first image of whole numbers were cut off."""
    paths, _ = picture_files
    seen = []

    def scaled(picture):
        seen.append(picture)
        return np.asarray(picture) if len(seen) <= 2 else np.asarray(picture) / 255  # one in fit, one in transform

    with pytest.raises(ValueError, match=r"preprocess must return numbers of one type, got uint8 for .* and float64"):
        ImageReader(size=8, preprocess=scaled).fit_transform(paths)


def test_fractions_may_be_of_any_width(picture_files):
    """They take the type of the first; nothing is cut off."""
    paths, _ = picture_files

    def scaled(picture):
        wide.append(len(wide) % 2 == 1)
        return (np.asarray(picture) / 255).astype(np.float64 if wide[-1] else np.float32)

    wide = []
    images = ImageReader(preprocess=scaled).fit_transform(paths)
    np.testing.assert_allclose(images, np.stack([np.asarray(Image.open(path)) for path in paths]) / 255, rtol=1e-6)


def test_no_paths_are_called_so(picture_files):
    reader = ImageReader().fit(picture_files[0])
    for method in (reader.transform, reader.fit):
        with pytest.raises(ValueError, match=r"paths of images .*, got an empty list\."):
            method([])

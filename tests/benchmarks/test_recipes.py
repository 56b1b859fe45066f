"""Recipes run on a folder of the layout its authors publish, and say what is wrong with any other."""

import builtins
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback
from torch import nn

from benchmarks.papers import (
    _recipes,
    recipe_clothing1m,
    recipe_deepdrid,
    recipe_mars,
    recipe_plant_pathology,
)
from benchmarks.papers._image_folders import ImageFiles, check_layout, read_columns, read_labels
from benchmarks.papers._recipes import Size

RECIPES = {
    "clothing1m": recipe_clothing1m,
    "mars": recipe_mars,
    "plant_pathology": recipe_plant_pathology,
    "deepdrid": recipe_deepdrid,
}
SIZE = Size(side=16, max_epochs=1, network="benchmarks.papers._small_network:SmallConvNet")


def draw(path, color, shape=(20, 24)):
    """A file with an image of one color."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*shape, 3), color, dtype=np.uint8)).save(path)


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def clothing1m(folder):
    """Six noisy and four clean images, among them one with both labels."""
    keys = [f"images/{i}/{i}/{i},{i}.jpg" for i in range(10)]
    for i, key in enumerate(keys):
        draw(folder / key, 20 * i)
    write(folder / "noisy_train_key_list.txt", keys[:6])
    write(folder / "clean_test_key_list.txt", keys[6:])
    write(folder / "noisy_label_kv.txt", [f"{key} {3 * (i % 4)}" for i, key in enumerate(keys[:7])])
    write(folder / "clean_label_kv.txt", [f"{key} {3 * (i % 4)}" for i, key in enumerate(keys[6:])])


def mars(folder):
    """Two persons to learn; two to find by two cameras each, a distractor and a junk track."""
    parts = {"train": [(1, 1), (1, 2), (2, 1), (2, 2)], "test": [(-1, 1), (0, 3), (3, 1), (3, 2), (4, 1), (4, 2)]}
    for part, tracks in parts.items():
        names, rows = [], []
        for number, (person, camera) in enumerate(tracks, start=1):
            who = "00-1" if person < 0 else f"{person:04d}"
            rows.append([len(names) + 1, len(names) + 2, person, camera])
            names += [f"{who}C{camera}T{number:04d}F{frame:03d}.jpg" for frame in (1, 2)]
            for name in names[-2:]:
                if person >= 0:
                    draw(folder / f"bbox_{part}" / who / name, 60 * person, shape=(24, 12))
        write(folder / "info" / f"{part}_name.txt", names)
        savemat(folder / "info" / f"tracks_{part}_info.mat", {f"track_{part}_info": np.array(rows)})
    savemat(folder / "info" / "query_IDX.mat", {"query_IDX": np.array([[3, 5]])})


def plant_pathology(folder):
    """Ten images of each class."""
    rows = {"image_id": [f"Train_{i}" for i in range(40)]}
    rows |= {name: (np.arange(40) % 4 == i).astype(int) for i, name in enumerate(recipe_plant_pathology.CLASSES)}
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(folder / "train.csv", index=False)
    for i, name in enumerate(rows["image_id"]):
        draw(folder / "images" / f"{name}.jpg", 60 * (i % 4))


def deepdrid(folder):
    """Six patients to learn and three for validation, two images of each eye."""
    for part, patients in zip(recipe_deepdrid.PARTS, (range(1, 7), range(7, 10)), strict=True):
        rows = []
        for patient in patients:
            for eye in "lr":
                for view in (1, 2):
                    grade, image = patient % 5, f"{patient}_{eye}{view}"
                    left, right = (grade, None) if eye == "l" else (None, grade)
                    rows.append((patient, image, left, right))
                    draw(folder / "regular_fundus_images" / part / "Images" / str(patient) / f"{image}.jpg", 50 * grade)
        table = pd.DataFrame(rows, columns=["patient_id", "image_id", *recipe_deepdrid.EYES])
        table.to_csv(folder / "regular_fundus_images" / part / f"{part}.csv", index=False)


MAKERS = {"clothing1m": clothing1m, "mars": mars, "plant_pathology": plant_pathology, "deepdrid": deepdrid}


@pytest.fixture(params=RECIPES)
def recipe(request, tmp_path):
    """A recipe's module and its folder."""
    MAKERS[request.param](tmp_path / "data")
    return RECIPES[request.param], tmp_path / "data"


class TestEveryRecipe:
    @pytest.mark.slow
    def test_it_runs_on_a_folder_of_its_layout(self, recipe):
        module, folder = recipe
        methods = module.RECIPE.methods
        for method in {methods[0], methods[-1]}:
            row = module.execute(folder, SIZE, method, seed=0)
            for measure in module.RECIPE.measures:
                assert -1 <= row[measure] <= 1
            json.dumps(row, allow_nan=False)

    def test_published_figures_belong_to_its_methods_and_measures(self, recipe):
        published = recipe[0].RECIPE.published
        assert {method for method, _ in published} <= set(recipe[0].RECIPE.methods)
        assert {measure for _, measure in published} == set(recipe[0].RECIPE.measures)

    def test_another_folder_is_refused_with_what_is_missing_and_what_is_there(self, recipe, tmp_path):
        other = tmp_path / "other"
        write(other / "holiday" / "notes.txt", ["sun"])
        with pytest.raises(FileNotFoundError, match=r"missing. Expected .*(github|kaggle).com.*Found holiday\.$"):
            recipe[0].execute(other, SIZE, recipe[0].RECIPE.methods[0], seed=0)
        with pytest.raises(FileNotFoundError, match=r"nowhere is no folder; expected the folder of "):
            recipe[0].execute(tmp_path / "nowhere", SIZE, recipe[0].RECIPE.methods[0], seed=0)

    def test_a_missing_image_is_named(self, recipe):
        module, folder = recipe
        first = sorted(folder.rglob("*.jpg"))[0]
        first.unlink()
        with pytest.raises(FileNotFoundError, match=rf"1 of \d+ images that .* names are missing, such as {first}"):
            module.execute(folder, SIZE, module.RECIPE.methods[0], seed=0)

    @pytest.mark.slow
    def test_the_command_line_leaves_rows_and_goes_on(self, recipe, tmp_path, monkeypatch, capsys):
        module, folder = recipe
        monkeypatch.setattr(_recipes, "rows_path", lambda name: tmp_path / f"{name}.jsonl")
        method = module.RECIPE.methods[-1]
        arguments = [str(folder), "--side", "16", "--max-epochs", "1", "--network", SIZE.network]
        arguments += ["--seeds", "0", "--methods", method]
        module.RECIPE.main(arguments)
        shown = capsys.readouterr().out
        assert "1 of 1" in shown and f"| {method} |" in shown
        assert all(f"({module.RECIPE.published[method, measure]})" in shown for measure in module.RECIPE.measures)
        module.RECIPE.main(arguments)
        assert "1 of 1" not in capsys.readouterr().out
        with pytest.raises(SystemExit, match="no folder; expected"):
            module.RECIPE.main([str(folder / "nowhere"), "--seeds", "1"])


class TestClothing1M:
    def test_noisy_labels_are_learned_and_clean_ones_tested(self, tmp_path):
        clothing1m(tmp_path)
        train, test = recipe_clothing1m.read(tmp_path, 16)
        assert train.labels.tolist() == [0, 3, 6, 9, 0, 3] and test.labels.tolist() == [0, 3, 6, 9]
        assert [path.name for path in test.paths] == ["6,6.jpg", "7,7.jpg", "8,8.jpg", "9,9.jpg"]

    def test_a_key_without_a_label_is_named(self, tmp_path):
        clothing1m(tmp_path)
        write(tmp_path / "noisy_label_kv.txt", ["images/0/0/0,0.jpg 1"])
        with pytest.raises(
            ValueError, match=r"no label for 5 of the 6 images that noisy_train_key_list.txt names, such as"
        ):
            recipe_clothing1m.read(tmp_path, 16)

    @pytest.mark.parametrize("line", ["images/0.jpg", "images/0.jpg 14", "images/0.jpg shirt", "images/0.jpg -1"])
    def test_a_line_that_is_no_label_is_named(self, line, tmp_path):
        write(tmp_path / "kv.txt", ["images/9.jpg 13", line])
        with pytest.raises(
            ValueError, match=r"kv.txt, line 2: expected a key and a class from 0 to 13, got 'images/0.jpg"
        ):
            read_labels(tmp_path / "kv.txt", 14)


class TestMars:
    def test_junk_is_left_out_and_distractors_stay(self, tmp_path):
        mars(tmp_path)
        train, test, queries = recipe_mars.read(tmp_path, 16)
        assert train.identities.tolist() == [1, 1, 2, 2] and train.identity_of_frame.tolist() == [1] * 4 + [2] * 4
        assert test.identities.tolist() == [0, 3, 3, 4, 4] and test.cameras.tolist() == [3, 1, 2, 1, 2]
        assert test.identities[queries].tolist() == [3, 4] and test.cameras[queries].tolist() == [1, 1]
        assert [path.name[:4] for path in test.frames.paths[2:4]] == ["0003", "0003"]

    def test_frames_beyond_the_names_are_an_error(self, tmp_path):
        mars(tmp_path)
        savemat(tmp_path / "info" / "tracks_train_info.mat", {"track_train_info": np.array([[1, 99, 1, 1]])})
        with pytest.raises(ValueError, match=r"should count frames from 1 to the 8 of train_name.txt.*from 1 to 99"):
            recipe_mars.read(tmp_path, 16)

    @pytest.mark.parametrize(("content", "message"), [
        ({"other": np.eye(2)}, "should hold track_test_info, got other"),
        ({"track_test_info": np.eye(3)}, r"should have 4 columns, got shape \(3, 3\)"),
        (None, "should be a MATLAB file, but scipy cannot read it"),
    ])  # fmt: skip
    def test_a_wrong_matrix_is_named(self, content, message, tmp_path):
        mars(tmp_path)
        path = tmp_path / "info" / "tracks_test_info.mat"
        write(path, ["no matrix here, " * 20]) if content is None else savemat(path, content)
        with pytest.raises(ValueError, match=message):
            recipe_mars.read(tmp_path, 16)

    @pytest.mark.parametrize("asked", [1, 7])
    def test_a_query_that_is_junk_or_not_there_is_an_error(self, asked, tmp_path):
        mars(tmp_path)
        savemat(tmp_path / "info" / "query_IDX.mat", {"query_IDX": np.array([[3, asked]])})
        with pytest.raises(ValueError, match=rf"query_IDX.mat asks for track {asked}, which"):
            recipe_mars.read(tmp_path, 16)


class TestPlantPathology:
    def test_labels_are_the_marked_columns(self, tmp_path):
        plant_pathology(tmp_path)
        X, y = recipe_plant_pathology.read(tmp_path, 16)
        assert X.shape == (40, 3, 16, 16) and X.dtype == np.uint8
        np.testing.assert_array_equal(y, np.arange(40) % 4)
        np.testing.assert_allclose(X.mean(axis=(1, 2, 3)), 60 * y, atol=2)  # JPEG rounds

    @pytest.mark.parametrize("marks", [(0, 0, 0, 0), (1, 0, 1, 0), (0.5, 0.5, 0, 0), (1, np.nan, 0, 0)])
    def test_rows_with_other_than_one_mark_are_an_error(self, marks, tmp_path):
        plant_pathology(tmp_path)
        table = pd.read_csv(tmp_path / "train.csv").astype(dict.fromkeys(recipe_plant_pathology.CLASSES, float))
        table.loc[5, list(recipe_plant_pathology.CLASSES)] = marks
        table.to_csv(tmp_path / "train.csv", index=False)
        with pytest.raises(ValueError, match=r"should be 1 and the others 0, got .* for Train_5"):
            recipe_plant_pathology.read(tmp_path, 16)

    def test_a_table_of_another_year_is_an_error(self, tmp_path):
        (tmp_path / "images").mkdir()
        write(tmp_path / "train.csv", ["image,labels", "a.jpg,healthy"])
        with pytest.raises(ValueError, match=r"no column 'image_id', 'healthy'.*got image, labels"):
            recipe_plant_pathology.read(tmp_path, 16)


class TestDeepDRiD:
    def test_the_grade_stands_in_the_column_of_the_eye(self, tmp_path):
        deepdrid(tmp_path)
        (X, y, patients), (X_test, y_test, _) = recipe_deepdrid.read(tmp_path, 16)
        assert X.shape == (24, 3, 16, 16) and X_test.shape == (12, 3, 16, 16)
        np.testing.assert_array_equal(y, patients % 5)
        np.testing.assert_array_equal(y_test, np.repeat([2, 3, 4], 4))

    @pytest.mark.parametrize(("levels", "message"), [
        ((1, 2), r"one of left_eye_DR_Level and right_eye_DR_Level should be a grade .* \[1.0, 2.0\] for 1_l1"),
        ((None, None), r"got \[nan, nan\] for 1_l1"),
        ((5, None), "grades should be 0 to 4, got 5"),
    ])  # fmt: skip
    def test_rows_without_a_grade_are_an_error(self, levels, message, tmp_path):
        deepdrid(tmp_path)
        path = tmp_path / "regular_fundus_images" / recipe_deepdrid.PARTS[0] / f"{recipe_deepdrid.PARTS[0]}.csv"
        table = pd.read_csv(path)
        table.loc[0, list(recipe_deepdrid.EYES)] = levels
        table.to_csv(path, index=False)
        with pytest.raises(ValueError, match=message):
            recipe_deepdrid.read(tmp_path, 16)

    def test_the_regressor_learns_one_number(self):
        y = np.tile([0.0, 4.0], 32)
        X = np.repeat((40 * y + 40).astype(np.uint8), 3 * 8 * 8).reshape(64, 3, 8, 8)
        first, second = (
            recipe_deepdrid.SmoothL1Regressor(SIZE.module(), max_epochs=20, random_state=0).fit(X, y).predict(X)
            for _ in range(2)
        )
        np.testing.assert_array_equal(first, second)
        assert first.shape == (64,) and np.abs(first - y).max() < 1  # between the grades' outermost thresholds


class TestImageFiles:
    def test_pairs_are_scaled_and_normalized(self, tmp_path):
        draw(tmp_path / "gray.png", 128)
        files = ImageFiles([tmp_path / "gray.png"], ["a"], 8, listed_in="the test")
        image, label = files[0]
        assert label == "a" and image.shape == (3, 8, 8)
        expected = (128 / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
        np.testing.assert_allclose(image.mean(dim=(1, 2)), expected, rtol=1e-5)  # float32
        np.testing.assert_array_equal(files.array(), np.full((1, 3, 8, 8), 128))

    def test_a_file_that_is_no_image_is_named(self, tmp_path):
        write(tmp_path / "text.jpg", ["no image"])
        files = ImageFiles([tmp_path / "text.jpg"], [0], 8, listed_in="the test")
        with pytest.raises(ValueError, match=r"text.jpg should be an image, but pillow cannot read it"):
            files[0]

    def test_without_pillow_the_extra_is_named(self, monkeypatch):
        real = builtins.__import__

        def without_pillow(name, *args, **kwargs):
            if name == "PIL":
                raise ImportError(name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without_pillow)
        with pytest.raises(ImportError, match=r"needs pillow.*pip install 'sklabelnoise\[bench\]'"):
            ImageFiles([], [], 8, listed_in="the test")

    def test_long_listings_are_cut(self, tmp_path):
        for i in range(12):
            write(tmp_path / f"file{i:02d}", [""])
        with pytest.raises(FileNotFoundError, match=r"a.txt, b missing. Expected c. Found file00, .* and 4 more\.$"):
            check_layout(tmp_path, ["a.txt", "b"], name="it", layout="c")
        (tmp_path / "empty").mkdir()
        with pytest.raises(FileNotFoundError, match=r"Found nothing\.$"):
            check_layout(tmp_path / "empty", ["a.txt"], name="it", layout="c")

    def test_missing_columns_are_named(self, tmp_path):
        write(tmp_path / "t.csv", ["a,b", "1,2"])
        with pytest.raises(ValueError, match="has no column 'c'; expected a, c, got a, b"):
            read_columns(tmp_path / "t.csv", ["a", "c"])


@pytest.mark.parametrize("network", ["ResNet20", "no_such_package:net", "sklabelnoise.modules:NoNet"])
def test_a_network_that_is_not_there_is_an_error(network):
    with pytest.raises(SystemExit, match=f"--network must be package.module:name, got '{network}'"):
        Size(16, 1, network).module()


@pytest.mark.parametrize("option", ["--side", "--max-epochs", "--n-train"])
def test_sizes_below_one_are_an_error(option, capsys):
    with pytest.raises(SystemExit):
        recipe_mars.RECIPE.main(["folder", option, "0"])
    assert f"{option[2:].replace('-', '_')} must be at least 1, got 0." in capsys.readouterr().err


def test_fewer_training_images_can_be_drawn(recipe):
    module, folder = recipe
    row = module.execute(folder, replace(SIZE, n_train=3 if module is recipe_mars else 20), module.RECIPE.methods[0], 0)
    assert row.get("n_images", 20) <= 20 and row.get("n_frames", 6) == 6


@pytest.mark.parametrize("start", [0.0, 0.5])
def test_averaged_weights_are_the_mean_of_the_last_epochs(start):
    """And the averaged network has statistics of its own: those of one pass over the training images."""
    seen = []

    class Keep(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append([p.detach().clone() for p in net.module_.parameters()])

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(24, 5)).astype(np.float32), rng.normal(size=24).astype(np.float32)
    network = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 1), nn.Flatten(0))
    net = NeuralNetRegressor(
        network, max_epochs=4, lr=0.05, batch_size=8, train_split=None, verbose=0,
        callbacks=[Keep(), recipe_deepdrid.AveragedWeights(start, batch_size=24)],
    ).fit(X, y)  # fmt: skip
    for parameter, *values in zip(net.module_.parameters(), *seen[int(4 * start) :], strict=True):
        torch.testing.assert_close(parameter.detach(), torch.stack(values).mean(0))
    hidden = net.module_[0](torch.from_numpy(X)).detach()
    torch.testing.assert_close(net.module_[1].running_mean, hidden.mean(0))

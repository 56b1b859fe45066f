"""The papers' tables: published figures are whole, runs resume, every script runs at a tiny size."""

import importlib
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.utils import Bunch

from benchmarks.papers import _images, _runner, cifar10_human, dm_table5, report, slr_ordinal
from benchmarks.papers._fast_network import FastConvNet, whitened_patches
from benchmarks.papers._small_network import SmallConvNet
from benchmarks.rows import append_row, read_rows
from sklabelnoise import RobustLossClassifier
from sklabelnoise.losses import BetaEmphasis, DMEmphasis
from sklabelnoise.training import CropFlip

IMAGE_TABLES = {
    name: importlib.import_module(f"benchmarks.papers.{name}").TABLE
    for name in (
        "cifar10_explained", "cifar10_human", "cifar10_rivals", "dm_figures5_11",
        "dm_table1", "dm_table2", "dm_table6", "dm_table6_cifar100", "dm_table7", "dm_table8", "dm_table9",
        "proselflc_figure2", "proselflc_table4", "slr_table1",
    )
}  # fmt: skip


@pytest.fixture
def small_images(monkeypatch):
    """Noise images of 8 x 8 pixels in place of CIFAR."""
    from sklabelnoise.datasets._cifar import _CIFAR10_CLASSES, _CIFAR100_CLASSES

    def fetch(dataset):
        names = _CIFAR100_CLASSES if dataset == "cifar100" else _CIFAR10_CLASSES
        rng, sizes = np.random.default_rng(0), {"train": 6 * len(names), "test": 2 * len(names)}
        data = Bunch(target_names=list(names))
        for part, n in sizes.items():
            data[f"X_{part}"] = rng.integers(0, 256, (n, 3, 8, 8), dtype=np.uint8)
            data[f"y_{part}"] = np.arange(n) % len(names)
        if dataset == "cifar10n":
            sets = cifar10_human.LABEL_SETS
            data.label_sets = pd.DataFrame({name: rng.permutation(data.y_train) for name in sets})
        return data

    monkeypatch.setattr(_images, "_fetch", fetch)
    monkeypatch.setitem(_images.SCALES, "tiny", replace(_images.SCALES["tiny"], n_train=None, n_test=20, max_epochs=1))


def of_small_network(*, module, **parameters):
    """A classifier with a small network in place of the one that is asked for."""
    return RobustLossClassifier(module=SmallConvNet, **parameters)


class TestImageTables:
    @pytest.mark.parametrize("table", IMAGE_TABLES.values(), ids=IMAGE_TABLES)
    def test_published_figures_belong_to_rows_and_columns(self, table):
        assert {row for row, _ in table.published} <= set(table.methods)
        assert {column for _, column in table.published} in (set(), set(table.conditions))
        assert all(0 <= float(value) <= 100 for value in table.published.values())

    @pytest.mark.slow
    @pytest.mark.parametrize("table", IMAGE_TABLES.values(), ids=IMAGE_TABLES)
    def test_every_row_and_every_column_runs(self, table, small_images, monkeypatch):
        if table.name == "slr_table1":  # its rows are 50 fits, of the paper's networks at any scale
            monkeypatch.setattr(_images, "RobustLossClassifier", of_small_network)
        conditions, methods = list(table.conditions), list(table.methods)
        # All columns with the last row, and all rows with the last column; CIFAR-100 has the largest of tiny sizes.
        jobs = [(conditions[-1], method) for method in methods] + [(column, methods[-1]) for column in conditions[:-1]]
        large = (table.dataset == "cifar100" and not table.classes) or len(table.methods) > 12
        for condition, method in jobs[:3] if large else jobs:
            row = table.execute("tiny", condition, method, seed=0)
            assert 0 <= row["final"] <= 1
            assert row["n_classes"] == (len(table.classes) or (100 if table.dataset == "cifar100" else 10))
            json.dumps(row, allow_nan=False)

    def test_the_realised_rate_is_that_of_the_column(self, small_images):
        table = IMAGE_TABLES["dm_table9"]
        row = table.execute("tiny", "r=0.4", "CCE", seed=0)
        assert row["realised_rate"] == pytest.approx(0.4, abs=4 * (0.24 / 60) ** 0.5)  # four standard errors of 60 rows
        assert row["epochs"] == 1 and row["best"] == row["final"] == pytest.approx(row["curve"][0], abs=1e-4)

    @pytest.mark.parametrize("amp, computed_in", [("bfloat16", "bfloat16"), (False, None)])
    def test_a_row_says_in_what_it_was_computed(self, amp, computed_in, small_images):
        assert IMAGE_TABLES["dm_table9"].execute("tiny", "r=0.4", "CCE", seed=0, amp=amp)["autocast"] == computed_in

    def test_human_labels_are_those_of_the_images_that_were_drawn(self, small_images):
        """The labels of a column stay with their images through drawing, so that its rate is that of the answers."""
        table, size = IMAGE_TABLES["cifar10_human"], _images.Scale(n_train=25)
        data = table.load(size, seed=0)
        whole = _images._fetch("cifar10n")
        for image, *labels in zip(data.X_train, data.y_train, data.label_sets["worse"], strict=True):
            row = np.flatnonzero((whole.X_train == image).all(axis=(1, 2, 3)))
            assert [*whole.y_train[row], *whole.label_sets["worse"][row]] == labels
        np.testing.assert_array_equal(table.conditions["worse"].given_labels(data, seed=0), data.label_sets["worse"])

    def test_images_are_averaged_in_square_blocks(self):
        images = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
        np.testing.assert_array_equal(_images.averaged_down(images, 2)[0, 0], [[2, 4], [10, 12]])  # 2.5 and 4.5 to even
        assert _images.averaged_down(images, 8) is images
        assert _images.averaged_down(images) is images

    def test_the_small_network_takes_what_the_tables_set(self):
        network = SmallConvNet(3, 7, dropout=0.2, channels_last=True)
        assert network(torch.zeros(2, 16, 16, 3)).shape == (2, 7)
        assert SmallConvNet(3, 7)(torch.zeros(2, 3, 8, 8)).shape == (2, 7)

    def test_classes_are_numbered_in_the_order_of_their_names(self, small_images):
        table = IMAGE_TABLES["dm_table8"]
        data = table.load(_images.Scale(), seed=0)
        assert data.target_names == list(table.classes)
        whole = _images._fetch("cifar100")
        first = np.flatnonzero(whole.y_train == whole.target_names.index("lawn_mower"))
        np.testing.assert_array_equal(data.X_train[data.y_train == 5], whole.X_train[first])

    @pytest.mark.parametrize("method", IMAGE_TABLES["cifar10_rivals"].methods)
    def test_every_rival_trains_by_the_protocol_of_one_core(self, method, small_images, monkeypatch, tmp_path):
        monkeypatch.setattr(_runner, "FOLDER", tmp_path)
        monkeypatch.setitem(_images.SCALES, "core", replace(_images.SCALES["core"], n_test=20, max_epochs=2))
        row = IMAGE_TABLES["cifar10_rivals"].execute("core", "symmetric 0.4", method, seed=0)
        assert row["network"] == "FastConvNet" and row["epochs"] == len(row["memorization_rate"]) == 2
        assert row["protocol"] == _images.SCALES["core"].protocol
        assert 0 <= row["memorized"] + row["corrected"] <= 1
        assert all(0 <= share <= 1 for share in row["emphasis_wrong"])

    def test_a_missing_cifar100_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SKLABELNOISE_DATA", str(tmp_path))
        monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
        with pytest.raises(SystemExit, match="This table needs CIFAR-100: put its files into the folder"):
            IMAGE_TABLES["dm_table1"].execute("tiny", "clean", "CCE", seed=0)


class TestProtocol:
    """The scale of one core: rows say by what they were made, and are neither mixed nor measured twice."""

    def test_the_protocol_follows_size_training_and_network(self):
        core = _images.SCALES["core"]
        others = [
            replace(core, max_epochs=31),
            replace(core, n_train=9_999),
            replace(core, training={**core.training, "lr": 0.05}),
            replace(core, training={**core.training, "augment": CropFlip(2)}),
            replace(core, network=SmallConvNet),
        ]
        assert len({scale.protocol for scale in [core, *others]}) == 6
        assert replace(core).protocol == core.protocol

    def test_the_protocol_does_not_follow_what_a_version_of_torch_prints(self, monkeypatch):
        """BatchNorm2d prints one word more since torch 2.13: rows of the same network are of the same protocol."""
        before = _images.SCALES["core"].protocol
        monkeypatch.setattr(torch.nn.BatchNorm2d, "extra_repr", lambda self: "in other words")
        assert _images.SCALES["core"].protocol == before

    def test_rows_of_another_protocol_are_neither_shown_nor_taken_for_done(self, tmp_path):
        path, table = tmp_path / "rows.jsonl", IMAGE_TABLES["dm_table9"]
        jobs = _runner.product_of(scale=["core"], seed=[0], condition=["r=0.4"], method=["CCE"])
        current = _images.SCALES["core"].protocol
        for protocol, final in (("another", 0.1), (current, 0.7), (current, 0.2)):
            _runner.run_jobs(
                path,
                jobs,
                lambda protocol=protocol, final=final, **_: {
                    "protocol": protocol,
                    **dict.fromkeys(table.measures, final),
                },
                protocol=protocol,
                report=lambda line: None,
            )
        assert [row["final"] for row in read_rows(path)] == [0.1, 0.7]
        assert table.frame(path, "core")["final"].tolist() == [0.7]
        assert "| CCE | 70.0 (60.9) |" in table.tables(path, "core")

    def test_a_run_that_another_table_made_is_taken_over_with_its_making(self, small_images, monkeypatch, tmp_path):
        monkeypatch.setattr(_runner, "FOLDER", tmp_path)
        job = {"scale": "tiny", "seed": 0, "condition": "r=0.4", "method": "CCE"}
        first = IMAGE_TABLES["dm_table9"].execute(**job)
        append_row(tmp_path / "dm_table9.jsonl", {"job": job, "seconds": 5.0, "commit": "abc", **first})
        figures = IMAGE_TABLES["dm_figures5_11"]
        _runner.run_jobs(tmp_path / "dm_figures5_11.jsonl", [job], figures.execute, report=lambda line: None)
        (row,) = read_rows(tmp_path / "dm_figures5_11.jsonl")
        expected = {"job": job, "seconds": 5.0, "commit": "abc", "taken_from": "dm_table9", **first}
        assert {name: row[name] for name in expected} == expected
        other = figures.execute(**{**job, "seed": 1})
        assert "taken_from" not in other and other["run"] != first["run"]

    def test_a_digest_is_of_values(self):
        a = np.arange(6)
        assert _runner.digest([a, {"x": 1}]) == _runner.digest([a.copy(), {"x": 1}])
        others = [[a[::-1], {"x": 1}], [a.reshape(2, 3), {"x": 1}], [a.astype(np.int32), {"x": 1}], [a, {"x": 2}]]
        assert len({_runner.digest(value) for value in [[a, {"x": 1}], *others]}) == 5

    def test_gains_are_paired_by_seed_with_their_standard_error(self):
        final = {"CCE": [0.50, 0.60, 0.55], "DM": [0.56, 0.64, 0.63], "GCE": [0.50, 0.66, 0.52], "one seed": [0.9]}
        frame = pd.DataFrame(
            [
                {"method": method, "condition": "c", "seed": seed, "final": value}
                for method, values in final.items()
                for seed, value in enumerate(values)
            ]
        )
        table = _images.gains(frame, "CCE")
        # Differences of 6, 4 and 8 points: mean 6, standard deviation 2; of 0, 6 and -3: mean 1, deviation 4.58.
        assert "| DM | **+6.0 ± 1.2** (3) |" in table
        assert "| GCE | +1.0 ± 2.6 (3) |" in table
        assert "one seed" not in table
        assert _images.gains(frame[frame["seed"] == 0], "CCE") == ""

    def test_the_fast_network_passes_on_both_signs_of_whitened_patches(self):
        rng = np.random.default_rng(0)
        mixing = rng.normal(size=(48, 48))
        images = np.clip(128 + 8 * rng.normal(size=(400, 64, 48)) @ mixing, 0, 255).astype(np.uint8)
        # Patches side by side, 8 x 8 of them in an image of 32 x 32.
        images = images.reshape(400, 8, 8, 3, 4, 4).transpose(0, 3, 1, 4, 2, 5).reshape(400, 3, 32, 32)
        whitening = whitened_patches(images, 16)
        x = torch.from_numpy(images).float()
        x = (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True)
        projected = torch.nn.functional.conv2d(x, whitening, stride=4).transpose(0, 1).reshape(16, -1)
        covariance = projected @ projected.T / projected.shape[1]
        torch.testing.assert_close(covariance, torch.eye(16), atol=0.05, rtol=0)
        network = FastConvNet(3, 7, whitening=whitening, dropout=0.2)
        assert network(x[:2]).shape == (2, 7)
        network(x[:8]).sum().backward()
        assert "whitening" not in dict(network.named_parameters())
        assert all(p.grad is not None for p in network.parameters())


class TestSentiment:
    """DM Table 5."""

    @pytest.mark.parametrize(("loss", "gradient"), [
        ("CCE", lambda p: 2 * (1 - p)),
        ("GCE", lambda p: 2 * p**0.7 * (1 - p)),
        ("MAE", lambda p: 2 * p * (1 - p)),
        ("MSE", lambda p: 4 * p * (1 - p) ** 2),
    ])  # fmt: skip
    def test_plain_losses_have_the_l1_norm_of_their_derivative(self, loss, gradient):
        p = torch.linspace(0, 1, 11, dtype=torch.double)
        alpha, eta, factor = dm_table5.LOSSES[loss]
        torch.testing.assert_close(factor * dm_table5.LossOrDMEmphasis(alpha, eta)(p), gradient(p))

    def test_the_common_family_holds_both(self):
        p = torch.linspace(0.01, 0.99, 11, dtype=torch.double)
        both = dm_table5.LossOrDMEmphasis
        torch.testing.assert_close(both(1.7, 2.0)(p), BetaEmphasis(1.7, 2.0)(p))
        torch.testing.assert_close(both(lam=0.3, beta=6.5)(p), DMEmphasis(0.3, 6.5)(p))

    @pytest.mark.parametrize("step", dm_table5.STEPS)
    def test_rate_and_decay_are_scaled_to_the_same_solver(self, step):
        """SGD on c times a derivative g, plus decay d: rate lr c on g plus d / c; their product is lr d throughout."""
        for condition in dm_table5.DM_SETTINGS:
            for normalization in ("none", "batch"):
                for _, parameters in dm_table5.candidates(normalization, condition, step):
                    assert parameters["lr"] * parameters["weight_decay"] == pytest.approx(0.01 * 0.002)

    def test_every_cell_of_the_paper_is_trained(self):
        trained = {
            (method, condition)
            for condition in dm_table5.DM_SETTINGS
            for normalization in ("none", "batch")
            for method, _ in dm_table5.candidates(normalization, condition, "mean")
        }
        assert set(dm_table5.PAPER) <= trained
        assert len(dm_table5.PAPER) == 45

    @pytest.mark.parametrize(("condition", "sizes"), [("r=0.4", (500, 500)), ("10:1", (50, 500)), ("50:1", (10, 500))])
    def test_conditions_have_the_papers_sizes(self, condition, sizes):
        y = np.repeat([0, 1], 500)
        rows, given = dm_table5.training_rows(y, condition, seed=0)
        assert tuple(np.bincount(y[rows])) == sizes
        rate = 0.4 if condition == "r=0.4" else 0
        assert np.mean(given != y[rows]) == pytest.approx(rate, abs=0.062)  # four standard errors of 1,000 labels

    def test_weights_are_drawn_as_caffe_does(self):
        torch.manual_seed(0)
        module = dm_table5.movie_net(100, 2)
        first, second = (layer for layer in module.modules() if isinstance(layer, torch.nn.Linear))
        assert first.weight.abs().max() <= (3 / 100) ** 0.5 and second.weight.abs().max() <= (3 / 8) ** 0.5
        assert not first.bias.any() and not second.bias.any()
        assert sum(parameter.numel() for parameter in module.parameters()) == 826  # the paper's network

    @pytest.mark.slow
    def test_it_runs_and_learns_from_vectors_that_tell(self, tmp_path, monkeypatch):
        monkeypatch.setattr(dm_table5, "vectors", lambda scale, seed, cache: _two_clouds())
        path = tmp_path / "rows.jsonl"
        jobs = dm_table5.jobs_of("tiny", [0], ["raw", "standard"], ["mean", "sum"], ["noise", "10:1", "emphases"])
        _runner.run_jobs(path, jobs, dm_table5.execute, report=lambda line: None)
        accuracies = {
            (a["method"], row["job"]["step"], a["condition"]): a["accuracy"]
            for row in read_rows(path)
            for a in row["accuracies"]
            if row["job"]["features"] == "standard" and row["job"]["group"] != dm_table5.EMPHASES
        }
        # 10 methods and 2 steps: three conditions in one group, one in the other.
        assert len(accuracies) == 10 * 2 * 4
        assert accuracies["CCE", "mean", "r=0"] > 0.9
        shown = dm_table5.tables(path, scale="tiny")
        assert "Features standard, step of a sum; number of seeds r=0: 1" in shown
        assert "(88.9)" in shown and "| DM, integral |" in shown and "| DM(0, -0.33) |" in shown

    def test_jobs_are_in_the_order_of_what_they_tell(self):
        jobs = dm_table5.jobs_of("paper", [3, 4])
        told = [(job["step"], job["features"], job["group"]) for job in jobs]
        assert told[:3] == [("mean", "raw", "noise")] * 2 + [("mean", "raw", "10:1")]  # all seeds, then the next
        assert {group for step, _, group in told if step == "four means"} == {"noise", "10:1", "50:1"}
        assert {features for step, features, _ in told if step == "four means"} == {"raw"}
        sums = [job for job in jobs if job["step"] == "sum"]
        assert jobs[-len(sums) :] == sums and {job["seed"] for job in sums} == {3}
        assert len(jobs) == len(set(map(str, jobs))) == 2 * (3 * 4 + 3) + 3 * 3

    def test_small_scales_draw_reviews_and_keep_their_vectors(self, shared_data, tmp_path, monkeypatch):
        monkeypatch.setitem(dm_table5.SCALES, "tiny", dm_table5.Scale(30, 1, 10))
        first, other = (dm_table5.vectors("tiny", seed, cache=tmp_path) for seed in (0, 1))
        again = dm_table5.vectors("tiny", 0, cache=tmp_path / "elsewhere")
        monkeypatch.setattr(dm_table5, "reviews", None)  # a second time they come from the file
        second = dm_table5.vectors("tiny", 0, cache=tmp_path)
        assert dm_table5.digest_of(first[0], first[2]) == dm_table5.digest_of(again[0], again[2])
        assert dm_table5.digest_of(first[0], first[2]) != dm_table5.digest_of(other[0], other[2])
        assert first[0].shape == first[2].shape == (30, 100)
        assert len(np.unique(first[1])) == 2
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)


def _two_clouds():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 300)
    X = (rng.normal(size=(600, 10)) + 2 * y[:, None]).astype(np.float32)
    return X[:400], y[:400], X[400:], y[400:]


class TestOrdinal:
    def test_neighbor_noise_moves_by_one(self):
        T = slr_ordinal.neighbor_matrix(4, 0.4)
        np.testing.assert_allclose(T.sum(axis=1), 1)
        assert T[0, 1] == pytest.approx(0.4) and T[1, 0] == T[1, 2] == pytest.approx(0.2)
        assert not T[0, 2:].any() and not T[3, :2].any()

    @pytest.mark.parametrize("task", slr_ordinal.TASKS)
    def test_every_task_runs(self, task, shared_data):
        row = slr_ordinal.execute("tiny", task, "Ridge", seed=0)
        assert all(len(row[name]) == slr_ordinal.N_ROUNDS + 1 for name in ("qwk_half", "qwk_fitted", "label_qwk"))
        if task == "wine, as given":
            assert row["label_qwk"][0] == 1
        else:
            assert row["label_qwk"][0] < 0.95

    def test_patients_are_on_one_side(self, shared_data):
        *_, groups, X_test, _ = slr_ordinal.draw("lidc, one radiologist", "full", seed=0)
        assert len(groups) + len(X_test) == 809
        source = slr_ordinal.load("lidc_malignancy")
        test = np.flatnonzero((source.X.to_numpy()[:, None, :] == X_test[None, :, :]).all(axis=2).any(axis=1))
        assert not set(source.groups[test]) & set(groups)


class TestRunner:
    def test_a_killed_run_goes_on(self, tmp_path):
        path, jobs = tmp_path / "rows.jsonl", _runner.product_of(seed=[0, 1, 2], name=["a"])
        calls = []

        def execute(seed, name):
            calls.append(seed)
            if calls == [0, 1]:
                raise KeyboardInterrupt
            return {"value": seed}

        with pytest.raises(KeyboardInterrupt):
            _runner.run_jobs(path, jobs, execute, report=lambda line: None)
        _runner.run_jobs(path, jobs, execute, report=lambda line: None)
        assert calls == [0, 1, 1, 2]
        rows = read_rows(path)
        assert [row["value"] for row in rows] == [0, 1, 2]
        assert all(row["versions"]["torch"] for row in rows)

    def test_our_figures_stand_beside_the_published_ones(self, tmp_path):
        path = tmp_path / "rows.jsonl"
        jobs = _runner.product_of(seed=[0, 1], method=["m", "n"], condition=["c"])
        _runner.run_jobs(path, jobs, lambda seed, **_: {"final": 0.5 + 0.1 * seed}, report=lambda line: None)
        table = _runner.beside_the_paper(
            _runner.frame_of(path), {("m", "c"): "61.2"}, rows="method", columns="condition", value="final"
        )
        assert "| m | 55.0 ± 7.1 (61.2) |" in table
        assert "| n | 55.0 ± 7.1 |" in table


@pytest.mark.slow
def test_the_readme_says_what_the_rows_say():
    text = report.README.read_text(encoding="utf-8")
    assert report.fill(text) == text


def test_the_readme_names_every_script():
    text = report.README.read_text(encoding="utf-8")
    scripts = [path.stem for path in report.README.parent.glob("*_*.py") if not path.stem.startswith("_")]
    assert [name for name in scripts if f"`{name}`" not in text] == []

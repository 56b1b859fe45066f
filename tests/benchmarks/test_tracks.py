"""DM Table 4: simulated tracks are what they say, and finding them is scored as MARS is."""

import json

import numpy as np
import pytest
from sklearn.utils import Bunch

from benchmarks.papers import _images, _runner, dm_table4
from benchmarks.papers._tracks import N_CAMERAS, Tracks, simulate_tracks


@pytest.fixture
def images():
    """Images each of one color, well apart from each other: gray of 40 and of 160."""
    return np.repeat(np.array([40, 160], dtype=np.uint8), 3 * 8 * 8).reshape(2, 3, 8, 8)


@pytest.fixture
def noise_images(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (200, 3, 8, 8), dtype=np.uint8)
    monkeypatch.setattr(_images, "_fetch", lambda dataset: Bunch(X_train=images))


class TestSimulatedTracks:
    def test_each_identity_has_one_track_from_each_camera(self, images):
        tracks, replaced = simulate_tracks(images, n_frames=5)
        assert tracks.frames.shape == (2 * N_CAMERAS * 5, 3, 8, 8) and tracks.frames.dtype == np.uint8
        seen = {(int(i), int(c)) for i, c in zip(tracks.identities, tracks.cameras, strict=True)}
        assert seen == {(i, c) for i in range(2) for c in range(N_CAMERAS)} and len(tracks.identities) == len(seen)
        np.testing.assert_array_equal(np.bincount(tracks.track_of_frame), 5)
        assert not replaced.any()

    def test_a_frame_is_a_window_of_its_image_or_of_its_mirror_image(self):
        """Dark left and light right: one edge in a frame at most, and it falls as often as it rises."""
        image = np.zeros((1, 3, 8, 8), dtype=np.uint8)
        image[..., 4:] = 255
        frames = simulate_tracks(image, n_frames=200)[0].frames
        # The cameras make 0 at most 30 and 255 at least 107.
        edges = np.diff((frames.mean(axis=(1, 2)) > 70).astype(int), axis=1)
        assert np.abs(edges).sum(axis=1).max() == 1
        assert edges.sum() == pytest.approx(0, abs=4 * 800**0.5)  # four standard deviations of 800 tosses
        assert np.unique(np.abs(edges).argmax(axis=1)).size > 1

    @pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
    def test_the_share_is_that_of_the_frames_that_show_something_else(self, images, share):
        others = np.full((3, 3, 8, 8), 255, dtype=np.uint8)
        tracks, replaced = simulate_tracks(images[:1], 250, share=share, others=others, seed=1)
        assert replaced.mean() == pytest.approx(share, abs=4 * (0.24 / 1000) ** 0.5)  # four standard errors
        bright = tracks.frames.mean(axis=(1, 2, 3)) > 110  # 40 becomes at most 92 on average, 255 at least 114
        np.testing.assert_array_equal(bright, replaced)

    def test_the_same_seed_films_the_same_tracks(self, images):
        first, second, other = (simulate_tracks(images, 3, seed=seed)[0].frames for seed in (0, 0, 1))
        np.testing.assert_array_equal(first, second)
        assert (first != other).any()

    def test_the_test_tracks_show_images_that_were_not_learned(self, noise_images, monkeypatch):
        filmed = []

        def simulate(images, n_frames, *, others=(), **kwargs):
            filmed.extend({image.tobytes() for image in part} for part in (images, others))
            return simulate_tracks(images, n_frames, **({"others": others} if len(others) else {}), **kwargs)

        monkeypatch.setattr(dm_table4, "simulate_tracks", simulate)
        train, _, test = dm_table4.draw("tiny", 0.4, seed=0)
        assert len(np.unique(train.identities)) == 8 and len(np.unique(test.identities)) == 6
        learned, replacing, found, _ = filmed
        assert (len(learned), len(replacing), len(found)) == (8, 80, 6)
        assert learned.isdisjoint(found) and replacing.isdisjoint(found) and replacing.isdisjoint(learned)


class TestScores:
    def test_tracks_of_the_same_camera_do_not_count(self):
        """Two persons, two cameras; features tell the camera only: the nearest track of the rest is the wrong one."""
        tracks = Tracks(None, np.repeat(np.arange(4), 2), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
        by_camera = np.repeat(np.eye(2)[tracks.cameras], 2, axis=0)
        assert tracks.scores(by_camera, [0, 2])["cmc_1"] == 0
        by_person = np.repeat(np.eye(2)[tracks.identities], 2, axis=0)
        assert tracks.scores(by_person, [0, 2]) == {"map": 1, "cmc_1": 1}

    def test_distractors_stay_in_the_gallery_and_lower_precision(self):
        identities, cameras = np.array([1, 1, 0]), np.array([0, 1, 1])
        features = np.array([[1.0, 0.0], [1.0, 0.2], [1.0, 0.1]])  # nobody is nearer than the person itself
        with_distractor = Tracks(None, np.arange(3), identities, cameras).scores(features, [0])
        without = Tracks(None, np.arange(2), identities[:2], cameras[:2]).scores(features[:2], [0])
        assert with_distractor == {"map": 0.5, "cmc_1": 0} and without == {"map": 1, "cmc_1": 1}


class TestTable:
    @pytest.mark.parametrize("method", dm_table4.METHODS)
    def test_every_method_runs_and_its_row_holds_what_its_features_find(self, method, noise_images, monkeypatch):
        found, scores = [], Tracks.scores

        def noted(tracks, features, queries):
            assert len(features) == len(tracks.frames) and np.ptp(features, axis=0).max() > 0
            found.append(scores(tracks, features, queries))
            return found[-1]

        monkeypatch.setattr(Tracks, "scores", noted)
        row = dm_table4.execute("tiny", 0.4, method, seed=0)
        (found,) = found
        assert {name: row[name] for name in found} == {name: round(value, 5) for name, value in found.items()}
        assert (row["n_queries"], row["n_gallery"]) == (6, 6 * N_CAMERAS)
        json.dumps(row, allow_nan=False)

    def test_the_figures_of_mars_stand_in_columns_of_their_own(self, tmp_path):
        path = tmp_path / "rows.jsonl"
        jobs = _runner.product_of(scale=["cpu"], seed=[0], share=[0.0, 0.4], method=["pixels", "DM, lam=1"])
        counts = {"n_queries": 1, "n_gallery": 4, "n_frames": 2000, "n_identities": 100}
        _runner.run_jobs(path, jobs, lambda **_: {"map": 0.5, "cmc_1": 0.25, **counts}, report=lambda line: None)
        shown = dm_table4.tables(path, scale="cpu")
        assert "| mAP of MARS | CMC-1 of MARS |" in shown
        assert "| DM, lam=1 | 50.0 | 50.0 | 25.0 | 25.0 | 72.8 | 84.3 |" in shown
        assert "| pixels | 50.0 | 50.0 | 25.0 | 25.0 | – | – |" in shown
        assert "No rows of scale full yet." in dm_table4.tables(path)

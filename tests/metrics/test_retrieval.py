"""Retrieval against a slow reference."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from sklabelnoise import metrics


@pytest.fixture
def rng():
    return np.random.default_rng(0)


class TestRetrieval:
    def test_equals_a_slow_reference(self, rng):
        queries, gallery = rng.normal(size=(40, 5)), rng.normal(size=(90, 5))
        query_labels, gallery_labels = rng.integers(0, 8, 40), rng.integers(0, 8, 90)
        cameras = rng.integers(0, 3, 40), rng.integers(0, 3, 90)
        scores = metrics.retrieval_scores(
            queries, query_labels, gallery, gallery_labels, query_groups=cameras[0], gallery_groups=cameras[1]
        )
        average_precision, ranks = [], []
        for i in range(40):
            similarity = gallery @ queries[i] / np.linalg.norm(gallery, axis=1) / np.linalg.norm(queries[i])
            match = gallery_labels == query_labels[i]
            shown = ~(match & (cameras[1] == cameras[0][i]))
            average_precision.append(average_precision_score(match[shown], similarity[shown]))
            ranks.append(np.flatnonzero(match[shown][np.argsort(-similarity[shown])])[0])
        assert scores["map"] == pytest.approx(np.mean(average_precision))
        for k in (1, 5, 10, 20):
            assert scores[f"cmc_{k}"] == pytest.approx(np.mean(np.array(ranks) < k))

    def test_blocks_of_queries_change_nothing(self, rng, monkeypatch):
        queries, labels = rng.normal(size=(50, 4)), rng.integers(0, 5, 50)
        whole = metrics.retrieval_scores(queries, labels, queries[::-1], labels[::-1])
        monkeypatch.setattr(metrics._retrieval, "_BLOCK", 7)
        assert metrics.retrieval_scores(queries, labels, queries[::-1], labels[::-1]) == pytest.approx(whole)

    def test_a_query_has_its_own_group_in_whatever_block_it_comes(self, rng, monkeypatch):
        queries, labels, groups = rng.normal(size=(50, 4)), rng.integers(0, 5, 50), rng.integers(0, 3, 50)

        def scores():
            both = {"query_groups": groups, "gallery_groups": groups[::-1]}
            return metrics.retrieval_scores(queries, labels, queries[::-1], labels[::-1], **both)

        whole = scores()
        monkeypatch.setattr(metrics._retrieval, "_BLOCK", 7)
        assert scores() == pytest.approx(whole)

    def test_sets_are_unit_means(self, rng):
        frames, videos = rng.normal(size=(60, 4)), rng.integers(0, 7, 60).astype(str)
        features, names = metrics.average_sets(frames, videos)
        for feature, name in zip(features, names, strict=True):
            mean = frames[videos == name].mean(axis=0)
            np.testing.assert_allclose(feature, mean / np.linalg.norm(mean), rtol=0, atol=1e-12)

    def test_a_row_of_zeros_has_no_direction_and_stays_zero(self):
        features, _ = metrics.average_sets([[0.0, 0.0], [3.0, 4.0]], [0, 1])
        np.testing.assert_array_equal(features, [[0, 0], [0.6, 0.8]])
        scores = metrics.retrieval_scores([[0.0, 0.0]], [0], [[1.0, 0.0], [0.0, 1.0]], [1, 0], ranks=(2,))
        assert scores["cmc_2"] == 1 and np.isfinite(scores["map"])

    def test_queries_without_a_match_do_not_count(self):
        scores = metrics.retrieval_scores([[1, 0], [0, 1]], [0, 9], [[1, 0]], [0], ranks=(1,))
        assert scores == {"map": 1, "cmc_1": 1}

    @pytest.mark.parametrize(
        ("kwargs", "message"),
        [
            ({"gallery": [[1, 0, 0]]}, "gallery must have the 2 features of queries, got 3"),
            ({"query_groups": [0]}, "belong together"),
            ({"gallery_labels": [5]}, "gallery must hold a match of one query at least, got none"),
            ({"queries": [[np.nan, 0]]}, "queries contains NaN"),
        ],
    )
    def test_bad_input_is_named(self, kwargs, message):
        good = {"queries": [[1, 0]], "query_labels": [0], "gallery": [[1, 0]], "gallery_labels": [0]}
        with pytest.raises(ValueError, match=message):
            metrics.retrieval_scores(**good | kwargs)

    @pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_only_directions_count(self, rng, scale, dtype):
        if dtype == np.float32:
            scale = np.clip(scale, 1e-30, 1e30)
        queries, gallery, labels = rng.normal(size=(9, 4)), rng.normal(size=(20, 4)), np.arange(20) % 3
        expected = metrics.retrieval_scores(queries, labels[:9], gallery, labels)
        scaled = (features.astype(dtype) * dtype(scale) for features in (queries, gallery))
        queries, gallery = scaled
        assert metrics.retrieval_scores(queries, labels[:9], gallery, labels) == pytest.approx(expected)
        lengths = np.linalg.norm(metrics.average_sets(gallery, labels)[0], axis=1)
        np.testing.assert_allclose(lengths, 1, rtol=1e-5)

    @pytest.mark.parametrize(
        ("kwargs", "error", "message"),
        [
            ({"ranks": (0,)}, ValueError, "ranks must hold positive integers, got 0"),
            ({"ranks": (2.5,)}, ValueError, "ranks must hold positive integers, got 2.5"),
            ({"query_labels": ["0", "1"]}, TypeError, "query_labels and gallery_labels must hold labels of one kind"),
            ({"query_labels": [0, None]}, ValueError, "query_labels must not hold missing labels, got one in row 1"),
            (
                {"query_groups": ["1", "2"], "gallery_groups": [1, 2]},
                TypeError,
                "query_groups and gallery_groups must hold labels of one kind",
            ),
        ],
    )
    def test_what_could_never_match_is_refused(self, kwargs, error, message):
        arguments = {"queries": np.eye(2), "query_labels": [0, 1], "gallery": np.eye(2), "gallery_labels": [0, 1]}
        with pytest.raises(error, match=message):
            metrics.retrieval_scores(**arguments | kwargs)

    def test_one_rank_is_a_list_of_one(self):
        assert metrics.retrieval_scores(np.eye(2), [0, 1], np.eye(2), [0, 1], ranks=1) == {"map": 1, "cmc_1": 1}

    def test_columns_of_frames_are_found_by_name(self, rng):
        queries, gallery, labels = rng.normal(size=(9, 4)), rng.normal(size=(20, 4)), np.arange(20) % 3
        expected = metrics.retrieval_scores(queries, labels[:9], gallery, labels)
        queries, gallery = (pd.DataFrame(features, columns=list("abcd")) for features in (queries, gallery))
        shuffled = gallery[list("cadb")]
        assert metrics.retrieval_scores(queries, labels[:9], shuffled, labels) == expected
        assert metrics.retrieval_scores(queries.to_numpy(), labels[:9], gallery, labels) == expected
        with pytest.raises(ValueError, match=r"gallery must have the columns of queries, \['a', 'b', 'c', 'd'\], got"):
            metrics.retrieval_scores(queries, labels[:9], gallery.rename(columns={"a": "e"}), labels)

    def test_rows_in_another_order_are_refused(self):
        features, labels = pd.DataFrame(np.eye(3)), pd.Series([0, 1, 1], index=[2, 0, 1])
        for call in (
            lambda: metrics.retrieval_scores(features, labels, np.eye(3), [0, 1, 1]),
            lambda: metrics.retrieval_scores(np.eye(3), [0, 1, 1], features, labels),
            lambda: metrics.average_sets(features, labels),
        ):
            with pytest.raises(ValueError, match="must have their rows in the same order"):
                call()

    @pytest.mark.parametrize("scale", [1e-300, 1.0, 1e307])
    def test_sets_of_any_scale_have_a_direction(self, scale):
        features = np.array([[2.0, 0.0], [4.0, 6.0], [0.0, 0.0]]) * scale
        features[2, 1] = 1e-300
        expected = [[np.sqrt(0.5), np.sqrt(0.5)], [0, 1]]
        np.testing.assert_allclose(metrics.average_sets(features, [0, 0, 1])[0], expected, rtol=1e-12)

    @pytest.mark.parametrize("ranks", [None, 2.5, "1"])
    def test_what_are_no_ranks_is_refused_by_name(self, ranks):
        with pytest.raises(ValueError, match=f"ranks must hold positive integers, got {ranks!r}"):
            metrics.retrieval_scores(np.eye(2), [0, 1], np.eye(2), [0, 1], ranks=ranks)

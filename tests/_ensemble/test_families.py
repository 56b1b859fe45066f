"""Left-out predictions of the families against the long way round."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from sklabelnoise._ensemble import _kernel_ridge
from sklabelnoise._ensemble._boosting import Boosting, FirstRounds, _Rounds
from sklabelnoise._ensemble._families import Candidate, TrainingRows, best_by_accuracy, distinct_views
from sklabelnoise._ensemble._forests import BagOfTrees, Forest, _mean_votes
from sklabelnoise._ensemble._kernel_ridge import KernelModel, KernelRidge, _Regression, as_proba, kernel_values
from sklabelnoise._ensemble._linear import Linear
from sklabelnoise._ensemble._neighbors import Neighbors, votes
from sklabelnoise._ensemble._networks import TableNetworks
from sklabelnoise._ensemble._views import Views
from sklabelnoise._foundation._checkpoint import Checkpoint
from sklabelnoise._foundation._work import Work

pytestmark = pytest.mark.usefixtures("short_networks")


@pytest.fixture
def small(monkeypatch):
    """Families of few trees, for what holds however many there are."""
    monkeypatch.setattr(Forest, "N_FIRST_OF_FEW", 6)
    monkeypatch.setattr(Forest, "N_TREES_OF_FEW", 15)
    for name, numbers in {"DAMPED_ROUNDS": (5, 10, 20), "MANY_ROUNDS": (40,), "BOLD_ROUNDS": (5, 10, 20)}.items():
        monkeypatch.setattr(Boosting, name, numbers)


def make_rows(n_samples=90, n_classes=3, by_folds=False, seed=0, weighted=False):
    X, y = make_classification(
        n_samples, 6, n_informative=4, n_classes=n_classes, flip_y=0.3, n_clusters_per_class=1, random_state=seed
    )
    views = Views().fit(X).transform(X)
    splits = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    weight = np.random.default_rng(0).integers(1, 4, n_samples).astype(float) if weighted else np.ones(n_samples)
    return TrainingRows(views, y, weight, n_classes, splits, by_folds)


FAMILIES = [
    Forest("random_forest"),
    Forest("extra_trees"),
    KernelRidge(),
    Neighbors(),
    Linear(),
    Boosting(),
    TableNetworks(np.arange(3)),
]
# The others leave out by folds anyhow.
BOTH_WAYS = ("random_forest", "extra_trees", "kernel_ridge", "neighbors")
each_way = pytest.mark.parametrize(
    ("family", "by_folds"),
    [
        pytest.param(family, by_folds, id=f"{family.name}-{by_folds}")
        for family in FAMILIES
        for by_folds in ([False, True] if family.name in BOTH_WAYS else [False])
    ],
)


@each_way
def test_left_out_probabilities_are_probabilities_of_the_chosen_candidate(family, by_folds, small):
    if family.name == "networks":
        family = TableNetworks(np.arange(3))
    rows = make_rows(by_folds=by_folds)
    fitted = family.fit(rows, Work(), 0)
    np.testing.assert_allclose(fitted.left_out.sum(axis=1), 1, rtol=1e-6)
    again = rows.scored(fitted.parameters, fitted.left_out)
    assert again.accuracy == pytest.approx(fitted.candidates[fitted.chosen].accuracy)
    proba = fitted.predict_proba(rows.views[fitted.view], 3)
    assert proba.shape == (90, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_no_label_is_seen_by_what_predicts_its_row(family, small):
    # Labels that no model can learn from other rows: whoever sees a label does better than chance.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    codes = rng.integers(0, 2, 200)
    splits = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, codes))
    if family.name == "networks":
        family = TableNetworks(np.arange(2))
    rows = TrainingRows(Views().fit(X).transform(X), codes, np.ones(200), 2, splits, False)
    fitted = family.fit(rows, Work(), 0)
    assert np.mean(fitted.left_out.argmax(axis=1) == codes) < 0.6


@each_way
def test_a_label_counts_as_much_as_its_row_weighs(family, by_folds, small):
    # Every point has both labels, and one of them weighs nine times as much: without weights nothing can be learned.
    rng = np.random.default_rng(0)
    points = rng.normal(size=(100, 3))
    heavy = (points[:, 0] > 0).astype(int)
    X, codes = np.tile(points, (2, 1)), np.concatenate([heavy, 1 - heavy])
    fold = np.tile(np.arange(100) % 4, 2)  # both rows of a point are left out together
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(4)]
    if family.name == "networks":
        family = TableNetworks(np.arange(2))
    rows = TrainingRows(Views().fit(X).transform(X), codes, np.repeat([9.0, 1.0], 100), 2, splits, by_folds)
    proba = family.fit(rows, Work(), 0).predict_proba(rows.views[family.view], 2)
    assert proba[np.arange(100), heavy].mean() > 0.6  # one half without weights


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_landmarks", [90, 25])
def test_the_closed_form_leaves_out_one_row_as_fitting_without_it_does(n_landmarks, weighted):
    rows = make_rows(weighted=weighted)
    X, landmarks = rows.views["normal"], np.random.default_rng(0).permutation(90)[:n_landmarks]
    for metric in KernelRidge.METRICS:
        fit = _Regression(X, rows, np.arange(90), landmarks, metric, 0.4)
        closed = fit.left_out([0.3, 10])[1]
        K = kernel_values(metric, X[landmarks], X[landmarks], fit.scale) + 1e-6 * np.eye(n_landmarks)
        phi = np.linalg.solve(np.linalg.cholesky(K), kernel_values(metric, X[landmarks], X, fit.scale)).T
        for i in (0, 17, 89):
            keep = np.arange(90) != i
            W = rows.weight[keep][:, None]
            coef = np.linalg.solve(
                phi[keep].T @ (W * phi[keep]) + 10 * np.eye(n_landmarks), phi[keep].T @ (W * rows.targets[keep])
            )
            np.testing.assert_allclose(closed[i], as_proba(phi[[i]] @ coef)[0], rtol=1e-6)


def test_with_all_rows_as_landmarks_it_is_kernel_ridge_regression():
    from sklearn.kernel_ridge import KernelRidge as Reference

    rows = make_rows()
    X = rows.views["normal"]
    fit = _Regression(X, rows, np.arange(90), np.arange(90), "sqeuclidean", 0.4)
    reference = Reference(alpha=3.0, kernel="rbf", gamma=fit.scale).fit(X, rows.targets)
    np.testing.assert_allclose(fit.model(3.0).predict_proba(X), as_proba(reference.predict(X)), atol=1e-5)


def test_neighbors_with_weights_are_neighbors_repeated():
    nearest = np.array([[0, 1, 2]])
    codes, weight = np.array([0, 1, 1]), np.array([2.0, 3.0, 1.0])
    of_three, of_six = votes(nearest, codes, weight, [3, 6], 2)
    np.testing.assert_allclose(of_three, [[2 / 3, 1 / 3]])
    np.testing.assert_allclose(of_six, [[1 / 3, 2 / 3]])


@pytest.mark.parametrize("apart", [True, False])
def test_votes_of_many_rows_are_counted_in_little_memory_and_are_those_of_each_row(apart):
    rng = np.random.default_rng(0)
    nearest = rng.integers(0, 300, (20_000, 80))
    codes, weight = (rng.integers(0, 3, 300), rng.random(300)) if apart else (None, rng.random((300, 3)))
    tracemalloc.start()
    try:
        found = votes(nearest, codes, weight, [10, 40], 3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * nearest.nbytes
    for i in (0, 4095, 4096, 19_999):
        for of_all, of_one in zip(found, votes(nearest[[i]], codes, weight, [10, 40], 3), strict=True):
            np.testing.assert_array_equal(of_all[[i]], of_one)


def test_few_trees_tell_the_score_of_many():
    rows, forest = make_rows(300), Forest("random_forest")
    X, seeds = rows.views["given"], np.arange(300)
    expected = rows.scored({}, forest._all_trees(rows, X, 3, seeds)[0]).brier
    firsts = [forest._first_trees(rows, X, 3, seeds[first : first + 30]) for first in range(0, 300, 30)]
    told = np.mean([brier for brier, _ in firsts])
    naive = np.mean([rows.scored({}, proba).brier for _, proba in firsts])
    assert abs(told - expected) < 0.003
    assert naive - expected > 0.01


def test_as_many_trees_as_there_are_to_be_tell_their_own_score(monkeypatch):
    rows, forest = make_rows(300), Forest("random_forest")
    monkeypatch.setattr(Forest, "N_TREES", 30)
    X, seeds = rows.views["given"], np.arange(300)
    told, own = [], []
    for first in range(0, 300, 30):
        brier, proba = forest._first_trees(rows, X, 3, seeds[first : first + 30])
        told.append(brier)
        own.append(rows.scored({}, proba).brier)
    assert abs(np.mean(told) - np.mean(own)) < 0.004  # a tree is out of .368 of all bags; .632 would be .01 off


def test_boosting_after_its_first_rounds_is_what_it_was_then():
    rows = make_rows(200, 2)
    X, train = rows.views["given"], np.arange(200)
    rounds = _Rounds("damped", {**Boosting.DAMPED, **Boosting.COMMON}, rows)
    model, early = rounds.more_rounds(None, "given", train, train, 10, 0)
    model, late = rounds.more_rounds(model, "given", train, train, 40, 0)
    np.testing.assert_allclose(FirstRounds(model, 10).predict_proba(X), early)
    np.testing.assert_allclose(FirstRounds(model, 40).predict_proba(X), late)
    assert np.abs(early - late).max() > 0.01


def rows_of(X, codes):
    splits = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, codes))
    return TrainingRows(Views().fit(X).transform(X), codes, np.ones(len(X)), codes.max() + 1, splits, False)


def test_bold_trees_learn_what_a_few_clean_rows_show_and_damped_ones_bear_wrong_labels():
    # Which of 27 boxes: about 17 rows show each of them, fewer than a damped leaf holds.
    X = np.random.default_rng(0).integers(0, 3, (450, 3)).astype(float)
    codes = (X @ [1, 1, 1] % 3).astype(int)
    clean = Boosting().fit(rows_of(X, codes), Work(), 0)
    assert clean.parameters["trees"] == "bold"
    assert clean.candidates[clean.chosen].accuracy > 0.99
    damped = [c.accuracy for c in clean.candidates if c.parameters["trees"] == "damped"]
    assert max(damped) < 0.9

    X, y = make_classification(450, 8, n_informative=5, random_state=0)
    wrong = np.where(np.random.default_rng(1).random(450) < 0.4, 1 - y, y)
    assert Boosting().fit(rows_of(X, wrong), Work(), 0).parameters["trees"] == "damped"


def test_the_chosen_rounds_predict_as_they_did_when_their_rows_were_left_out():
    rows = make_rows(200)
    fitted = Boosting().fit(rows, Work(), 0)
    for model, (_, test) in zip(fitted.models, rows.splits, strict=True):
        np.testing.assert_allclose(model.predict_proba(rows.views["binned"][test]), fitted.left_out[test])


def test_columns_of_one_unit_keep_what_their_spread_says():
    # Pixels at the rim of a digit are nearly always white; ranks blow what little they have up to the size of others.
    X, codes = load_digits(return_X_y=True)
    fitted = KernelRidge().fit(rows_of(X[:400], codes[:400]), Work(), 0)
    assert fitted.parameters["scale"] == "one for all" and fitted.view == "common"
    of_ranks = min(c.brier for c in fitted.candidates if c.parameters["scale"] == "ranks")
    assert fitted.candidates[fitted.chosen].brier < 0.75 * of_ranks


def test_a_view_like_an_earlier_one_is_not_tried_again():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (120, 4)).astype(float)
    rows = rows_of(X, rng.integers(0, 2, 120))
    assert distinct_views(rows, ("normal", "standard", "common")) == ["normal", "common"]  # codes have no ranks
    sparse = Views().fit(scipy.sparse.random(300, 400, 0.05, "csr", random_state=0))
    rows.views.update(sparse.transform(scipy.sparse.random(120, 400, 0.05, "csr", random_state=1)))
    assert distinct_views(rows, ("normal", "standard", "common")) == ["normal"]


def test_views_of_rows_are_filled_scaled_and_ranked():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.exp(3 * rng.normal(size=300)), rng.integers(0, 3, 300), np.ones(300)])
    X[::7, 0] = np.nan
    views = Views().fit(X)
    found = views.transform(X)
    assert np.isnan(found["given"]).any() and found["given"].dtype == np.float32
    for name in ("standard", "common", "normal"):
        assert found[name].shape == (300, 4)  # a column marks what was missing
        np.testing.assert_allclose(found[name].mean(axis=0), 0, atol=1e-5)
    assert np.abs(found["normal"]).max() < 5 < np.abs(found["standard"]).max()
    np.testing.assert_allclose(np.mean(found["common"].var(axis=0)), 1)
    filled = np.where(np.isnan(X), np.nanmedian(X[:, 0]), X)
    ratio = found["common"][:, :2].std(axis=0) / filled[:, :2].std(axis=0)
    assert ratio[0] == pytest.approx(ratio[1])  # columns keep their proportions
    assert np.isfinite(views.transform(np.full((1, 3), np.nan))["normal"]).all()


def test_columns_without_any_spread_stay_finite():
    views = Views().fit(np.full((20, 2), 7.0))
    assert all(np.isfinite(values).all() for values in views.transform(np.full((3, 2), 8.0)).values())


def test_a_row_is_landmark_for_at_most_fifteen_hundred(monkeypatch):
    monkeypatch.setattr(KernelRidge, "N_LANDMARKS", 40)
    fitted = KernelRidge().fit(make_rows(), Work(), 0)
    assert len(fitted.models[0].landmarks) == 40


# What is drawn, kept and counted


@pytest.mark.parametrize("name", ["random_forest", "extra_trees", "kernel_ridge", "networks", "boosting"])
def test_what_is_drawn_at_random_is_drawn_from_the_seed(name, monkeypatch, small):
    monkeypatch.setattr(KernelRidge, "N_LANDMARKS", 40)  # of all rows as landmarks none are drawn
    networks = TableNetworks(np.arange(3))
    networks.short = networks.short[:1]
    family = {"kernel_ridge": KernelRidge(), "networks": networks, "boosting": Boosting()}.get(name) or Forest(name)
    rows = make_rows()
    one, same, other = (family.fit(rows, Work(), seed).left_out for seed in (7, 7, 8))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other, atol=1e-4)


def test_each_tree_is_grown_from_a_seed_of_its_own():
    (bag,) = Forest("extra_trees").fit(make_rows(), Work(), 0).models
    assert len({tree.random_state for tree in bag.trees}) == len(bag.trees) == Forest.N_TREES_OF_FEW


@pytest.mark.parametrize("family", FAMILIES[1:-1], ids=lambda family: family.name)  # networks have a law of their own
def test_a_fold_that_learns_from_one_class_says_that_class(family):
    X, codes = np.random.default_rng(0).normal(size=(60, 3)), np.repeat([2, 0, 1], 20)
    folds = np.repeat([0, 1, 1], 20)
    splits = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in (0, 1)]
    fitted = family.fit(TrainingRows(Views().fit(X).transform(X), codes, np.ones(60), 3, splits, True), Work(), 0)
    np.testing.assert_array_equal(fitted.left_out[20:], np.tile([0, 0, 1], (40, 1)))


def test_pieces_that_are_kept_are_those_of_their_own_family_setting_and_fold(tmp_path, small):
    """All families share one folder; a piece of one must not be taken for that of another."""
    rows, work = make_rows(45), Work(Checkpoint(tmp_path, {}))
    families = [family for family in FAMILIES if family.name != "networks"]  # these have a law of their own
    expected = [family.fit(rows, Work(), 0) for family in families]
    for _ in ("first run", "resumed"):
        for family, own in zip(families, expected, strict=True):
            kept = family.fit(rows, work, 0)
            assert np.array_equal(kept.left_out, own.left_out), family.name
            assert kept.candidates == own.candidates


def test_a_score_counts_rows_as_often_as_they_weigh():
    rows = make_rows(weighted=True)
    times = rows.weight.astype(int)
    left_out = np.random.default_rng(1).dirichlet(np.ones(3), len(rows))
    repeated = TrainingRows({}, rows.codes.repeat(times), np.ones(times.sum()), 3, [], False)
    found, expected = rows.scored({}, left_out), repeated.scored({}, left_out.repeat(times, axis=0))
    assert found.brier == pytest.approx(expected.brier) and found.accuracy == pytest.approx(expected.accuracy)


def test_of_equally_accurate_candidates_the_one_with_the_best_brier_score_is_chosen():
    told = [(0.2, 0.6), (0.5, 0.7), (0.3, 0.7), (0.4, 0.7)]
    assert best_by_accuracy([Candidate({}, brier, accuracy) for brier, accuracy in told]) == 2


@pytest.mark.parametrize("family", [Linear(), Neighbors()], ids=lambda family: family.name)
def test_the_candidate_with_the_best_brier_score_is_chosen_however_accurate_others_are(family, monkeypatch):
    told = {0: (0.4, 0.6), 1: (0.2, 0.5), 2: (0.3, 0.7)}
    asked = []

    def scored(self, parameters, left_out):
        asked.append(parameters)
        return Candidate(parameters, *told.get(len(asked) - 1, (0.5, 0.4)))

    monkeypatch.setattr(TrainingRows, "scored", scored)
    fitted = family.fit(make_rows(), Work(), 0)
    assert fitted.chosen == 1 and fitted.parameters == asked[1]


# Forests


def test_a_row_that_makes_its_class_known_to_a_tree_has_no_say_in_it():
    """Trees know the classes of their bag: one row of each class comes along, and is out of the bag all the same."""
    X = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    codes = np.where(np.arange(30) == 4, 1, 0)
    bag = BagOfTrees(DecisionTreeClassifier(), 2, 30)
    said = [proba[out == 4] for out, proba in bag.grow(X, codes, np.ones(30), range(20))]
    np.testing.assert_array_equal(np.concatenate(said)[:, 1], 0)
    assert sum(len(one) for one in said) > 3


@pytest.mark.parametrize("by_folds", [False, True])
def test_no_more_rows_than_that_are_drawn_for_a_tree(by_folds, monkeypatch):
    monkeypatch.setattr(Forest, "MOST_ROWS", 20)
    fitted = Forest("random_forest").fit(make_rows(by_folds=by_folds), Work(), 0)
    for bag in fitted.models:
        assert max(tree.tree_.n_node_samples[0] for tree in bag.trees) <= 20 + 3  # and one to know each class by


def test_how_many_trees_there_are_of_few_and_of_many_rows():
    forest = Forest("random_forest")
    assert [forest.n_trees(n) for n in (200, 201, 10_000, 10_001)] == [100, 300, 300, 150]
    assert [forest.n_first(n) for n in (200, 201, 10_001)] == [12, 60, 60]


@pytest.mark.parametrize(
    "name, kind", [("random_forest", DecisionTreeClassifier), ("extra_trees", ExtraTreeClassifier)]
)
def test_trees_are_of_their_kind_and_look_at_a_sample_of_the_columns(name, kind):
    (bag,) = Forest(name).fit(make_rows(), Work(), 0).models
    assert {type(tree) for tree in bag.trees} == {kind}
    assert {tree.max_features_ for tree in bag.trees} == {2}  # of six


def test_what_is_tried_on_tables():
    """Thousands of rows of benchmarks/results were made so: with another number it is another classifier."""
    assert Forest.LEAVES == (1, 3, 8, 20, 60) and Forest.MOST_ROWS == 20_000
    assert Linear.PENALTIES == (0.001, 0.01, 0.1, 1.0)
    assert Neighbors.NUMBERS == (10, 20, 40, 80, 160)
    assert KernelRidge.METRICS == {"sqeuclidean": "gaussian", "cityblock": "laplace"}
    assert KernelRidge.WIDTHS == (0.4, 1.5)
    assert KernelRidge.RIDGES == (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
    assert (KernelRidge.N_LANDMARKS, KernelRidge.N_FIRST) == (1_500, 500)


@pytest.mark.parametrize(
    "trees, own",
    [
        ("damped", {"learning_rate": 0.1, "max_leaf_nodes": 8, "min_samples_leaf": 40, "max_features": 0.5}),
        ("bold", {"learning_rate": 0.2, "max_leaf_nodes": 24, "min_samples_leaf": 10, "max_features": 0.75}),
    ],
)
def test_which_trees_are_boosted(trees, own):
    rows = make_rows()
    rounds = _Rounds(trees, {**getattr(Boosting, trees.upper()), **Boosting.COMMON}, rows)
    model, _ = rounds.more_rounds(None, Boosting.view, *rows.splits[0], 2, 0)
    own |= {"l2_regularization": {"damped": 10.0, "bold": 1.0}[trees], "max_bins": 63, "early_stopping": False}
    assert own.items() <= model.get_params().items()


def test_the_size_of_leaves_is_chosen_by_the_score_that_all_trees_would_have():
    rows, forest = make_rows(), Forest("extra_trees")
    fitted = forest.fit(rows, Work(), 3)
    seeds = np.random.RandomState(3).randint(2**31 - 1, size=forest.n_trees(90))[: forest.n_first(90)]
    expected = [forest._first_trees(rows, rows.views["given"], leaf, seeds)[0] for leaf in (1, 3, 8, 20)]
    assert [candidate.brier for candidate in fitted.candidates] == pytest.approx(expected)
    assert fitted.chosen == np.argmin(expected)


def test_the_score_of_few_trees_counts_rows_as_often_as_they_weigh():
    """One of two rows is always told right and the other always wrong: what each weighs decides the score."""
    forest = Forest("random_forest")
    X = np.repeat([[0.0], [1.0]], 20, axis=0).astype(np.float32)
    codes = np.repeat([0, 1], 20)
    codes[[0, 20]] = 1, 0
    wrong = codes != np.repeat([0, 1], 20)

    def score(worth):
        rows = TrainingRows({}, codes, np.where(wrong, worth, 1.0), 2, [], False)
        return forest._first_trees(rows, X, 1, range(60))[0]

    assert score(1e-9) < 1e-6 < 0.01 < score(1.0) < score(2.0)


def test_where_no_tree_has_spoken_classes_are_equally_probable():
    found = _mean_votes(np.array([[1.0, 3.0], [0.0, 0.0]]), np.array([4.0, 0.0]))
    np.testing.assert_array_equal(found, [[0.25, 0.75], [0.5, 0.5]])


# Kernel ridge regression


@pytest.mark.parametrize("n_landmarks", [1, 40, 1_500])
def test_no_row_that_a_fold_leaves_out_is_a_landmark_of_it(n_landmarks, monkeypatch):
    monkeypatch.setattr(KernelRidge, "N_LANDMARKS", n_landmarks)
    rows = make_rows(by_folds=True)
    # A seed whose first landmark is left out together with the first row: of one landmark that fold has none.
    (together,) = (test for _, test in rows.splits if 0 in test)
    seed = next(seed for seed in range(100) if np.random.RandomState(seed).permutation(90)[0] in together)
    fitted = KernelRidge().fit(rows, Work(), seed)
    for model, (train, _) in zip(fitted.models, rows.splits, strict=True):
        own = {row.tobytes() for row in rows.views[fitted.view][train]}
        assert {row.tobytes() for row in model.landmarks} <= own
        assert (len(model.landmarks) == len(train)) == (n_landmarks == 1_500)


def test_scale_kernel_and_width_are_chosen_with_a_few_landmarks(monkeypatch):
    monkeypatch.setattr(KernelRidge, "N_FIRST", 15)
    asked = []
    candidates = KernelRidge._candidates
    monkeypatch.setattr(KernelRidge, "_candidates", lambda *args: asked.append(len(args[3])) or candidates(*args))
    fitted = KernelRidge().fit(make_rows(), Work(), 0)
    assert asked == [15, 15, 15] and len(fitted.models[0].landmarks) == 90


def test_the_width_of_a_kernel_is_in_units_of_the_distance_of_different_rows():
    """Most distances among equal rows are zero; the others count."""
    X = np.repeat([[0.0], [4.0], [8.0]], [8, 1, 1], axis=0)
    rows = TrainingRows({}, np.arange(10) % 2, np.ones(10), 2, [], False)
    assert _Regression(X, rows, np.arange(10), np.arange(10), "cityblock", 0.4).scale == pytest.approx(0.4 / 4)


@pytest.mark.parametrize("by_folds", [False, True])
def test_the_size_of_blocks_changes_nothing(by_folds, monkeypatch):
    rows = make_rows(by_folds=by_folds)
    expected = KernelRidge().fit(rows, Work(), 0)
    monkeypatch.setattr(_kernel_ridge, "_BLOCK", 13)
    fitted = KernelRidge().fit(rows, Work(), 0)
    assert fitted.parameters == expected.parameters
    np.testing.assert_allclose(fitted.left_out, expected.left_out, rtol=1e-6)
    X = rows.views[fitted.view]
    assert isinstance(fitted.models[0], KernelModel)
    np.testing.assert_allclose(fitted.predict_proba(X, 3), expected.predict_proba(X, 3), rtol=1e-6)


# Logistic regression and boosted trees


def test_each_penalty_has_a_model_of_its_own():
    rows = make_rows()
    fitted = Linear().fit(rows, Work(), 0)
    assert [model.C for model in fitted.models] == [fitted.parameters["C"]] * 3
    assert len({candidate.brier for candidate in fitted.candidates}) == 4
    for model, (_, test) in zip(fitted.models, rows.splits, strict=True):
        np.testing.assert_allclose(model.predict_proba(rows.views["linear"][test]), fitted.left_out[test])


class TestRounds:
    @staticmethod
    def climbed(monkeypatch, briers):
        """Numbers of rounds that are tried of each kind where their scores are told."""
        rows = make_rows()
        tried = []
        told = {"damped": iter(briers[0]), "bold": iter(briers[1])}

        def scored(self, parameters, left_out):
            tried.append((parameters["trees"], parameters["max_iter"]))
            return Candidate(parameters, next(told[parameters["trees"]]), 0.5)

        monkeypatch.setattr(TrainingRows, "scored", scored)
        monkeypatch.setattr(
            _Rounds, "more_rounds", lambda self, model, view, train, test, n, seed: ((self.trees, n), n + 0.0)
        )
        monkeypatch.setattr(
            FirstRounds, "__init__", lambda self, model, n_rounds: vars(self).update(taken=(model, n_rounds))
        )
        fitted = Boosting().fit(rows, Work(), 0)
        return tried, fitted

    def test_rounds_are_added_until_they_predict_worse_and_the_best_are_taken(self, monkeypatch):
        tried, fitted = self.climbed(monkeypatch, [[0.5, 0.4, 0.45], [0.6, 0.7]])
        assert tried == [("damped", 10), ("damped", 20), ("damped", 40), ("bold", 5), ("bold", 10)]
        assert fitted.parameters == {"trees": "damped", "max_iter": 20}
        assert (fitted.left_out == 20).all()
        assert [model.taken for model in fitted.models] == [(("damped", 40), 20)] * 3

    @pytest.mark.parametrize("bold, many", [(0.25, True), (0.1, False)])
    def test_many_rounds_are_for_damped_trees_that_bold_ones_have_not_beaten(self, monkeypatch, bold, many):
        tried, fitted = self.climbed(monkeypatch, [[0.5, 0.4, 0.3, 0.2, 0.19, 0.18], [bold, 0.9]])
        assert tried[:6] == [("damped", n) for n in (10, 20, 40, 80)] + [("bold", 5), ("bold", 10)]
        assert tried[6:] == ([("damped", 160), ("damped", 320)] if many else [])
        assert fitted.parameters == ({"trees": "damped", "max_iter": 320} if many else {"trees": "bold", "max_iter": 5})

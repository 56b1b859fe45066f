import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import cross_val_score

from benchmarks import grids
from benchmarks.methods import METHODS
from benchmarks.tuned import BOOSTERS, ChosenLeaf, ChosenRounds, KernelRidgeClassifier, folds

LIBRARIES = [
    library if booster.module == "sklearn" else pytest.param(library, marks=pytest.mark.filterwarnings("ignore"))
    for library, booster in BOOSTERS.items()
]


@pytest.fixture(scope="module")
def noisy():
    """Three classes that are easy to tell apart, 40 % of the labels wrong, and named 2, 5 and 7."""
    X, y = make_classification(400, 8, n_informative=6, n_classes=3, class_sep=2.0, random_state=0)
    rng = np.random.default_rng(0)
    given = np.where(rng.random(len(y)) < 0.4, (y + rng.integers(1, 3, len(y))) % 3, y)
    return X, np.array([2, 5, 7])[given]


@pytest.mark.parametrize("forest", [RandomForestClassifier, ExtraTreesClassifier])
def test_a_forest_takes_the_leaf_that_is_best_out_of_bag(noisy, forest):
    chosen = ChosenLeaf(forest(50), grids.LEAVES, random_state=3).fit(*noisy)
    scores = {
        leaf: forest(50, min_samples_leaf=leaf, bootstrap=True, oob_score=True, random_state=3).fit(*noisy).oob_score_
        for leaf in grids.LEAVES
    }
    assert scores[chosen.best_params_["min_samples_leaf"]] == max(scores.values())
    assert chosen.best_params_["min_samples_leaf"] > 1  # a leaf of one row learns the wrong labels by heart
    assert list(chosen.classes_) == [2, 5, 7]
    kept = forest(50, **chosen.best_params_, bootstrap=True, random_state=3).fit(*noisy)
    np.testing.assert_array_equal(chosen.predict_proba(noisy[0]), kept.predict_proba(noisy[0]))


@pytest.mark.parametrize("library", LIBRARIES)
def test_boosted_trees_take_the_rounds_that_are_best_out_of_fold(noisy, library):
    pytest.importorskip(BOOSTERS[library].module, exc_type=ImportError)
    X, y = noisy
    rounds = (2, 10, 40)
    chosen = ChosenRounds(library, {}, rounds, 3, random_state=1).fit(X, y)
    codes = np.searchsorted([2, 5, 7], y)
    make = BOOSTERS[library].make
    scores = [cross_val_score(make(k, 1), X, codes, cv=folds(3, 1)).mean() for k in rounds]
    assert chosen.best_params_["n_rounds"] == rounds[int(np.argmax(scores))]
    np.testing.assert_allclose(chosen.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    assert set(chosen.predict(X)) <= {2, 5, 7}


def test_every_number_of_rounds_is_scored_as_a_fit_of_its_own(noisy):
    X, y = noisy
    long = BOOSTERS["HistGradientBoosting"].make(40, 1).fit(X, y)
    after = BOOSTERS["HistGradientBoosting"].after(long, X, (5, 40))
    short = HistGradientBoostingClassifier(max_iter=5, early_stopping=False, random_state=1).fit(X, y)
    np.testing.assert_allclose(after[0], short.predict_proba(X))
    np.testing.assert_allclose(after[1], long.predict_proba(X))


@pytest.mark.parametrize("library", grids.ROBUST_BOOSTING)
@pytest.mark.filterwarnings("ignore")
def test_the_robust_setting_is_one_that_its_library_takes(noisy, library):
    pytest.importorskip(BOOSTERS[library].module, exc_type=ImportError)
    model = BOOSTERS[library].make(5, 0, **grids.ROBUST_BOOSTING[library])
    codes = np.searchsorted([2, 5, 7], noisy[1])
    assert model.fit(noisy[0], codes).predict_proba(noisy[0]).shape == (400, 3)


def test_a_class_that_a_fold_misses_does_no_harm(noisy):
    X, y = noisy
    y = y.copy()
    y[0] = 9  # one row, so one fold trains without it
    with pytest.warns(UserWarning, match="least populated class"):
        chosen = ChosenRounds("HistGradientBoosting", {}, (2, 4), 3, random_state=0).fit(X, y)
    assert list(chosen.classes_) == [2, 5, 7, 9] and chosen.predict_proba(X).shape == (400, 4)


def test_kernel_ridge_gives_probabilities_and_interpolates_without_a_ridge(noisy):
    model = KernelRidgeClassifier(alpha=1e-6, width=8.0).fit(*noisy)
    proba = model.predict_proba(noisy[0])
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert proba.min() > 0 and (model.predict(noisy[0]) == noisy[1]).all()


@pytest.mark.parametrize(
    "name", ["cross entropy, tuned", "GCE, tuned", "SCE, tuned", "ELR, tuned", "LogisticRegression, tuned"]
)
def test_a_search_is_over_the_committed_grid_and_by_accuracy_on_given_labels(name):
    grid = {
        "cross entropy, tuned": grids.CROSS_ENTROPY, "GCE, tuned": grids.GCE, "SCE, tuned": grids.SCE,
        "ELR, tuned": grids.ELR, "LogisticRegression, tuned": grids.LOGISTIC_REGRESSION,
    }[name]  # fmt: skip
    search = METHODS[name].make({}, 5)
    assert {key.split("__", 1)[1]: tuple(values) for key, values in search.param_grid.items()} == grid
    assert search.scoring == "accuracy" and search.cv.n_splits == grids.N_FOLDS and search.cv.random_state == 5


@pytest.mark.parametrize("name", ["cross entropy, tuned", "GCE, tuned", "SCE, tuned"])
def test_the_candidates_of_a_network_are_trained_together(noisy, name):
    search = METHODS[name].make({"max_epochs": 2} if name != "cross entropy, tuned" else {}, 0)
    if name == "cross entropy, tuned":
        search.set_params(param_grid={**search.param_grid, "robustlossclassifier__max_epochs": [1, 2]})
    search.fit(*noisy)
    assert search.fused_["fused"].all()

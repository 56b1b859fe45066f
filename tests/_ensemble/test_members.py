"""Members of the user are parameters, and so are theirs: read, set, searched over and replaced as in scikit-learn."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags

from sklabelnoise import (
    DMClassifier,
    NoisyLabelClassifier,
    StochasticLabelRefinery,
    StochasticLabelRefineryRegressor,
)
from sklabelnoise.model_selection import FusedGridSearchCV


def draw(n_samples=60):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 4))
    return X, (X[:, 0] + X[:, 1] ** 2 + 0.5 * rng.normal(size=n_samples) > 0.5).astype(int)


def pairs():
    return [
        ("tree", DecisionTreeClassifier(random_state=0)),
        ("line", make_pipeline(StandardScaler(), LogisticRegression())),
        ("net", DMClassifier(max_epochs=2, module__hidden=(4,), random_state=0)),
    ]


def ensemble(members=None, **params):
    return NoisyLabelClassifier(pairs() if members is None else members, cv=2, random_state=0, **params)


def test_parameters_of_members_have_the_names_that_a_voting_classifier_gives_them():
    members = pairs()
    own, votings = ensemble(members).get_params(), VotingClassifier(members).get_params()
    of_members = {name for name, _ in members}
    expected = {name: value for name, value in votings.items() if name.split("__")[0] in of_members}
    shallow = ensemble(members).get_params(deep=False)
    assert len(expected) > 50 and own.keys() == shallow.keys() | expected.keys()
    assert all(own[name] is value for name, value in expected.items() if hasattr(value, "fit"))


@pytest.mark.parametrize(
    "members", ["auto", ["random_forest"], [], None, 3, "no such", [3], [("a",)], [("a", 3)], [(3, GaussianNB())], [()]]
)
def test_what_are_no_members_have_no_parameters(members):
    model = NoisyLabelClassifier(members)
    assert model.get_params().keys() == model.get_params(deep=False).keys()
    assert clone(model).set_params(cv=3).cv == 3
    with pytest.raises(ValueError, match="Invalid parameter 'a' for estimator NoisyLabelClassifier"):
        model.set_params(a__max_depth=1)


@pytest.mark.parametrize("form", [list, tuple])
def test_a_parameter_that_is_set_is_one_that_was_given(form):
    X, y = draw()
    grid = {"min_samples_leaf": [1, 5]}
    given = ["neighbors", ("tree", DecisionTreeClassifier(max_depth=1), grid), ("net", DMClassifier(max_epochs=3))]
    model = ensemble(form(["neighbors", ("tree", DecisionTreeClassifier(), grid), ("net", DMClassifier())]))
    assert model.set_params(tree__max_depth=1, net__max_epochs=3) is model
    assert type(model.members) is form and model.get_params()["tree__max_depth"] == 1
    assert np.array_equal(model.fit(X, y).oof_proba_, ensemble(given).fit(X, y).oof_proba_)
    assert model.candidates_.query("family == 'tree'")["parameters"].tolist() == [
        {"min_samples_leaf": 1},
        {"min_samples_leaf": 5},
    ]


def test_a_member_is_replaced_by_name_and_its_grid_stays():
    members = ["neighbors", ("tree", DecisionTreeClassifier(), {"max_depth": [1, 2]}), ["line", LogisticRegression()]]
    model, forest = ensemble(members), RandomForestClassifier(n_estimators=3)
    model.set_params(tree=forest, line=GaussianNB(), tree__min_samples_leaf=5)
    assert forest.min_samples_leaf == 5
    assert model.members[0] == "neighbors" and model.members[1] == ("tree", forest, {"max_depth": [1, 2]})
    assert isinstance(model.members[2][1], GaussianNB)
    # The list of the caller is not the place to write to.
    assert isinstance(members[1][1], DecisionTreeClassifier) and isinstance(members[2][1], LogisticRegression)


def test_members_are_set_before_what_is_set_of_them():
    model = NoisyLabelClassifier().set_params(tree__max_depth=2, members=[("tree", DecisionTreeClassifier())])
    assert model.members[0][1].max_depth == 2
    copied = NoisyLabelClassifier().set_params(**ensemble().get_params())
    assert str(copied) == str(ensemble()) and copied.get_params().keys() == ensemble().get_params().keys()


def test_an_unknown_parameter_is_refused_and_nothing_of_the_ensemble_changes():
    model = ensemble()
    with pytest.raises(ValueError, match="Invalid parameter 'depth' for estimator DecisionTreeClassifier"):
        model.set_params(tree__depth=1)
    with pytest.raises(ValueError, match="Invalid parameter 'forest' for estimator NoisyLabelClassifier"):
        model.set_params(forest__max_depth=1)


@pytest.mark.parametrize("search", [GridSearchCV, FusedGridSearchCV])
def test_a_search_over_parameters_of_members_and_over_members(search):
    X, y = draw()
    members = [("tree", DecisionTreeClassifier()), ("line", LogisticRegression())]
    grid = [{"tree__max_depth": [1, 4]}, {"line": [LogisticRegression(C=1e-9), "drop"]}]
    found = search(ensemble(members), grid, cv=2, scoring="neg_log_loss", error_score="raise").fit(X, y)
    alone = [
        [("tree", DecisionTreeClassifier(max_depth=1)), members[1]],
        [("tree", DecisionTreeClassifier(max_depth=4)), members[1]],
        [members[0], ("line", LogisticRegression(C=1e-9))],
        [members[0]],
    ]
    for given, score in zip(alone, found.cv_results_["mean_test_score"], strict=True):
        expected = search(ensemble(given), {"cv": [2]}, cv=2, scoring="neg_log_loss").fit(X, y)
        assert score == expected.cv_results_["mean_test_score"][0]
    assert len(set(found.cv_results_["mean_test_score"])) == 4
    in_pipeline = search(
        make_pipeline(StandardScaler(), ensemble(members)), {"noisylabelclassifier__tree__max_depth": [1, 4]}, cv=2
    )
    assert in_pipeline.fit(X, y).best_params_.keys() == {"noisylabelclassifier__tree__max_depth"}


@pytest.mark.parametrize("dropped", ["tree", "net"])
def test_a_member_that_is_dropped_is_none(dropped):
    X, y = draw()
    model = ensemble().set_params(**{dropped: "drop"}).fit(X, y)
    assert not [name for name in model.get_params() if name.startswith(f"{dropped}__")]
    expected = ensemble([member for member in pairs() if member[0] != dropped]).fit(X, y)
    assert np.array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.members_["family"].tolist() == expected.members_["family"].tolist()
    # And comes back.
    again = model.set_params(**{dropped: dict(pairs())[dropped]})
    assert np.array_equal(again.fit(X, y).oof_proba_, ensemble().fit(X, y).oof_proba_)


def test_beside_members_that_are_dropped_tables_are_what_they_are_without(tmp_path):
    X, y = draw()
    X[0, 0] = np.nan
    dropped = ensemble(["neighbors", ("tree", "drop")])
    assert dropped.__sklearn_tags__().input_tags.allow_nan and dropped.__sklearn_tags__().input_tags.sparse
    assert np.array_equal(dropped.fit(X, y).oof_proba_, ensemble(["neighbors"]).fit(X, y).oof_proba_)


@pytest.mark.parametrize(
    "estimators",
    [
        [HistGradientBoostingClassifier()],
        [LogisticRegression()],
        [HistGradientBoostingClassifier(), "drop"],
        [HistGradientBoostingClassifier(), LogisticRegression()],
        [make_pipeline(SimpleImputer(), LogisticRegression()), DecisionTreeClassifier(), RandomForestClassifier()],
    ],
    ids=lambda estimators: "+".join(type(estimator).__name__ for estimator in estimators),
)
def test_what_rows_an_ensemble_takes_is_what_all_of_its_members_take(estimators):
    members = [(f"m{number}", estimator) for number, estimator in enumerate(estimators)]
    expected = get_tags(VotingClassifier(members)).input_tags
    for given in (members, tuple(members), ["neighbors", *members]):
        tags = get_tags(NoisyLabelClassifier(given)).input_tags
        assert (tags.allow_nan, tags.sparse) == (expected.allow_nan, expected.sparse)


def test_rows_that_are_only_said_to_be_an_array_are_one():
    class Rows:
        def __init__(self, values):
            self.values = values

        def __array__(self, dtype=None, copy=None):
            return np.asarray(self.values, dtype=dtype)

    X, y = draw()
    model = ensemble([("tree", DecisionTreeClassifier())])
    expected = model.fit(X, y).predict_proba(X)
    assert np.array_equal(model.fit(Rows(X), y).predict_proba(Rows(X)), expected)


def test_of_members_one_at_least_is_not_dropped():
    X, y = draw()
    model = ensemble().set_params(tree="drop", line="drop", net="drop")
    with pytest.raises(ValueError, match=r"at least one member that is not dropped, got .*'drop'"):
        model.fit(X, y)


@pytest.mark.parametrize("name", ["cv", "members", "a__b", "__"])
def test_names_that_parameters_could_not_be_told_by_are_refused(name):
    with pytest.raises(
        ValueError, match=f"names that are no parameters of the ensemble and hold no '__', .* got '{name}'"
    ):
        NoisyLabelClassifier([(name, GaussianNB())]).fit(*draw())


def test_a_parameter_of_a_member_is_part_of_what_a_checkpoint_is_of(tmp_path):
    X, y = draw()

    def folders(change, without):
        model = ensemble(checkpoint=tmp_path).set_params(**change).fit(X, y)
        assert np.array_equal(model.oof_proba_, without)
        return len(list(tmp_path.iterdir()))

    changes = [
        {},
        {"tree__max_depth": 2},
        {"line__logisticregression__C": 5.0},
        {"net__module__hidden": (5,)},
        {"tree": "drop"},
    ]
    without = [ensemble().set_params(**change).fit(X, y).oof_proba_ for change in changes]
    assert list(map(folders, changes, without)) == [1, 2, 3, 4, 5]
    assert list(map(folders, changes, without)) == [5] * 5


def test_a_member_that_was_fitted_before_is_what_it_was(tmp_path):
    X, y = draw()
    ensemble(checkpoint=tmp_path).fit(X, y)
    fitted = [(name, estimator.fit(X, y)) for name, estimator in pairs()]
    ensemble(fitted, checkpoint=tmp_path).fit(X, y)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_copy_shares_no_member():
    model = ensemble()
    copied = clone(model).set_params(tree__max_depth=1)
    assert model.get_params()["tree__max_depth"] is None and copied.get_params()["tree__max_depth"] == 1


def test_seeds_of_members_come_from_what_holds_the_ensemble():
    X, y = draw()
    members = [("tree", DecisionTreeClassifier(max_features=1))]
    bagged = [BaggingClassifier(ensemble(members), n_estimators=2, random_state=seed).fit(X, y) for seed in (0, 0, 1)]
    seeds = [[model.get_params()["tree__random_state"] for model in bag.estimators_] for bag in bagged]
    assert seeds[0] == seeds[1] and len({*seeds[0], *seeds[2]}) == 4
    probas = [bag.predict_proba(X) for bag in bagged]
    assert np.array_equal(*probas[:2]) and not np.array_equal(*probas[1:])


@pytest.mark.parametrize("fitted", [False, True])
def test_the_page_of_a_notebook_shows_each_member_by_its_name(fitted):
    model = ensemble([*pairs(), "neighbors", ("gone", "drop")])
    if fitted:
        model.fit(*draw())
    shown = model._repr_html_()
    places = [shown.index(f">{name}<") for name in ("tree", "line", "net", "neighbors", "gone")]
    assert all(a < b for a, b in pairwise(places))
    assert "DecisionTreeClassifier" in shown and "StandardScaler" in shown and "DMClassifier" in shown
    assert "DecisionTreeClassifier" in make_pipeline(StandardScaler(), model)._repr_html_()
    for members in ("auto", [], [3], "no such", None):
        assert "NoisyLabelClassifier" in NoisyLabelClassifier(members)._repr_html_()


def test_a_saved_ensemble_has_the_members_it_was_given(tmp_path):
    X, y = draw()
    model = ensemble([*pairs(), ("gone", "drop")]).set_params(tree__max_depth=2).fit(X, y)
    model.save(tmp_path / "model", allow_pickle=True)
    loaded = NoisyLabelClassifier.load(tmp_path / "model", allow_pickle=True)
    assert loaded.get_params().keys() == model.get_params().keys() and loaded.get_params()["gone"] == "drop"
    assert loaded.get_params()["tree__max_depth"] == 2
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(loaded.fit(X, y).oof_proba_, model.oof_proba_)


# The same of whatever else holds an estimator

HOLDERS = {
    "refinery": StochasticLabelRefinery(LogisticRegression(C=2.0), n_rounds=1, cv=2, random_state=0),
    "regressor": StochasticLabelRefineryRegressor(
        DecisionTreeClassifier(max_depth=2), n_rounds=1, cv=2, random_state=0
    ),
    "refined ensemble": StochasticLabelRefinery(
        ensemble(pairs()[:1]), n_rounds=1, cv=2, random_state=0, soft_label_method="argmax"
    ),
    "search": FusedGridSearchCV(DMClassifier(), {"lam": [0, 1]}),
}
INNER = {"refinery": "C", "regressor": "max_depth", "refined ensemble": "tree__max_depth", "search": "max_epochs"}


@pytest.mark.parametrize("name", HOLDERS)
def test_whatever_holds_an_estimator_has_its_parameters(name):
    model, inner = clone(HOLDERS[name]), f"estimator__{INNER[name]}"
    assert model.get_params()["estimator"] is model.estimator
    assert model.set_params(**{inner: 3}).get_params()[inner] == 3 != clone(HOLDERS[name]).get_params()[inner]
    assert type(model.estimator).__name__ in model._repr_html_()
    with pytest.raises(ValueError, match="no_such"):
        model.set_params(estimator__no_such=1)


@pytest.mark.parametrize("name", ["refinery", "refined ensemble"])
def test_and_a_checkpoint_of_its_own_for_each(name, tmp_path):
    X, y = draw()
    for expected, value in enumerate([1, 2, 1], start=1):
        clone(HOLDERS[name]).set_params(checkpoint=tmp_path, **{f"estimator__{INNER[name]}": value}).fit(X, y)
        assert len(list(tmp_path.iterdir())) == min(expected, 2)

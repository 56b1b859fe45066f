import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.definitions import definition, described
from benchmarks.methods import METHODS
from benchmarks.tuned import ChosenLeaf, ChosenRounds
from sklabelnoise import DMClassifier, DMClassifierCV, RobustLossClassifier, StochasticLabelRefinery
from sklabelnoise.modules import MLP


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (DMClassifier(lam=0.5), DMClassifier(lam=1)),
        (DMClassifier(), DMClassifierCV()),
        (RobustLossClassifier(loss="gce"), RobustLossClassifier(loss="gce", loss__q=0.5)),
        (make_pipeline(StandardScaler(), DMClassifier()), make_pipeline(DMClassifier())),
        (RandomForestClassifier(), RandomForestClassifier(min_samples_leaf=5)),
        (ChosenLeaf(RandomForestClassifier(), (1, 5), 0), ChosenLeaf(RandomForestClassifier(), (1, 6), 0)),
        (ChosenRounds("LightGBM", {}, (10,), 5, 0), ChosenRounds("LightGBM", {"num_leaves": 8}, (10,), 5, 0)),
    ],
)
def test_another_method_or_parameter_is_another_definition(one, other):
    assert definition(one) != definition(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (DMClassifier(random_state=0), DMClassifier(random_state=1, device="cpu", verbose=1)),
        (LogisticRegression(), LogisticRegression(C=1.0, max_iter=100)),  # these are its defaults
        (ChosenLeaf(RandomForestClassifier(), (1, 5), 0), ChosenLeaf(RandomForestClassifier(n_jobs=2), [1, 5], 7)),
    ],
)
def test_seeds_defaults_of_others_and_how_a_fit_is_run_do_not_count(one, other):
    assert definition(one) == definition(other)


def test_a_changed_default_of_ours_is_seen(monkeypatch):
    before = definition(DMClassifier())
    monkeypatch.setitem(MLP.training_defaults, "max_epochs", 41)
    assert definition(DMClassifier()) != before


def test_a_parameter_that_came_after_rows_is_seen_once_it_is_used():
    assert "relabel" not in described(StochasticLabelRefinery())
    assert definition(StochasticLabelRefinery(relabel="suspects")) != definition(StochasticLabelRefinery())


def test_a_splitter_and_a_function_have_a_description():
    assert described(StratifiedKFold(3, shuffle=True, random_state=1)) == {
        "class": "StratifiedKFold",
        "n_splits": 3,
        "shuffle": True,
    }
    assert described([len, DMClassifier]) == ["len", "DMClassifier"]


def test_every_method_that_can_be_made_has_a_definition_of_its_own():
    definitions = {name: method.definition for name, method in METHODS.items() if method.definition is not None}
    same = [name for name in definitions if list(definitions.values()).count(definitions[name]) > 1]
    assert same == ["cross entropy, clean labels", "cross entropy"]  # what differs is what they see

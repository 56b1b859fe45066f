"""By which name an estimator is told more of its rows."""

import pytest
from sklearn import config_context
from sklearn.ensemble import StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import DMClassifier, DMClassifierCV, NoisyLabelClassifier, StochasticLabelRefinery
from sklabelnoise._foundation._last_step import groups_keyword, keyword_of
from sklabelnoise.model_selection import FusedGridSearchCV

LINEAR, VOTES = LogisticRegression(), KNeighborsClassifier()
PIPED = make_pipeline(StandardScaler(), LINEAR)


@pytest.mark.parametrize(
    ("estimator", "keyword"),
    [
        (LINEAR, "sample_weight"),
        (VOTES, None),
        (PIPED, "logisticregression__sample_weight"),
        (make_pipeline(PIPED), "pipeline__logisticregression__sample_weight"),
        (GridSearchCV(LINEAR, {}), "sample_weight"),
        (GridSearchCV(PIPED, {}), "logisticregression__sample_weight"),
        (make_pipeline(GridSearchCV(LINEAR, {})), "gridsearchcv__sample_weight"),
        (GridSearchCV(VOTES, {}), None),
        (VotingClassifier([("a", LINEAR), ("b", "drop")]), "sample_weight"),
        (VotingClassifier([("a", LINEAR), ("b", VOTES)]), None),
        (VotingClassifier([("a", PIPED)]), None),
        (VotingRegressor([("a", LinearRegression())]), "sample_weight"),
        (StackingClassifier([("a", LINEAR)]), "sample_weight"),
        (StackingClassifier([("a", LINEAR)], final_estimator=VOTES), None),
    ],
)
def test_weights_have_the_name_by_which_they_reach_all_that_take_them(estimator, keyword):
    assert keyword_of(estimator, "sample_weight") == keyword


def test_where_metadata_are_routed_steps_are_not_named():
    with config_context(enable_metadata_routing=True):
        assert keyword_of(GridSearchCV(PIPED, {}), "sample_weight") == "sample_weight"


@pytest.mark.parametrize(
    ("estimator", "keyword"),
    [
        (LINEAR, None),
        (DMClassifier(), None),
        (DMClassifierCV(), "groups"),
        (NoisyLabelClassifier(), "groups"),
        (make_pipeline(StandardScaler(), StochasticLabelRefinery()), "stochasticlabelrefinery__groups"),
        (GridSearchCV(LINEAR, {}), None),
        (GridSearchCV(LINEAR, {}, cv=KFold(3)), None),
        (GridSearchCV(LINEAR, {}, cv=[([0], [1])]), None),
        (GridSearchCV(LINEAR, {}, cv=GroupKFold(3)), "groups"),
        (GridSearchCV(PIPED, {}, cv=StratifiedGroupKFold(3)), "groups"),
        (make_pipeline(GridSearchCV(LINEAR, {}, cv=GroupKFold(3))), "gridsearchcv__groups"),
        (FusedGridSearchCV(DMClassifier(), {}, cv=GroupKFold(3)), "groups"),
        (FusedGridSearchCV(DMClassifier(), {}), None),
    ],
)
def test_groups_have_a_name_where_rows_are_left_out_by_them(estimator, keyword):
    assert groups_keyword(estimator) == keyword

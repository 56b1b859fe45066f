"""By which name an estimator is told more of its rows."""

import pytest
from sklearn import config_context
from sklearn.ensemble import StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise._foundation._last_step import keyword_of

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

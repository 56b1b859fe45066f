"""The way of the candidates of a grid, from the search to the stack that is trained, is short."""

import inspect
import sys
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import sklabelnoise
from sklabelnoise import DMClassifier
from sklabelnoise.model_selection import FusedGridSearchCV

PACKAGE = Path(sklabelnoise.__file__).parent
# Where the classes live that hold candidates on the way.
HOLDERS = ("sklabelnoise._fused.", "sklabelnoise.model_selection.")


class Way:
    """The way that the candidates of a search take through the files of the package, as it runs.

    Candidates are the estimators made of the settings of the grid, in their list, alone, or within what holds them on
    the way (the evaluation, the runner, plan, candidate, stack, trained fold). They enter a room, a file, when one of
    its functions is handed them, `self` included; a candidate's own methods are no rooms on the way: it is asked, and
    goes nowhere. What was taken out of a candidate (its seed, its builder, its net, its loss) is no candidate any more.
    Repetitions count once: a function that is called again from the same function is the next turn of a loop. A return
    is an entry into a room that the way had left.
    """

    def __init__(self, lam):
        self.lam = lam
        self.stays = ["model_selection/_grid_search.py"]  # where it begins
        self._seen = set()

    def is_candidate(self, value):
        classifier = value.steps[-1][1] if isinstance(value, Pipeline) else value
        return isinstance(classifier, DMClassifier) and classifier.lam in self.lam

    def holds_candidates(self, value, depth=4):
        if self.is_candidate(value):
            return True
        if depth == 0 or isinstance(value, BaseEstimator):
            return False
        if isinstance(value, dict):
            value = list(value.values())
        elif not isinstance(value, list | tuple):
            is_holder = type(value).__module__.startswith(HOLDERS)
            value = list(vars(value).values()) if is_holder else []
        return any(self.holds_candidates(part, depth - 1) for part in value)

    def __call__(self, frame, event, argument):
        code = frame.f_code
        room = ROOMS.get(code.co_filename)
        if event != "call" or room is None:
            return
        caller = frame.f_back
        while caller is not None and caller.f_code.co_filename not in ROOMS:
            caller = caller.f_back
        # A generator that is asked for its next part is not entered anew.
        turn = (None if code.co_flags & inspect.CO_GENERATOR else caller and caller.f_code, code)
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        given = [frame.f_locals.get(name) for name in names]
        asked = bool(given) and names[0] == "self" and isinstance(given[0], DMClassifier)
        if turn in self._seen or asked or not any(map(self.holds_candidates, given)):
            return
        self._seen.add(turn)
        if not self.stays or self.stays[-1] != room:
            self.stays.append(room)


ROOMS = {str(path): str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_candidates_pass_at_most_eight_rooms_and_come_back_at_most_eight_times(blobs, in_pipeline):
    X, y = blobs
    prefix = "dmclassifier__" if in_pipeline else ""
    classifier = DMClassifier(lam=0.25, max_epochs=1, random_state=0)
    estimator = make_pipeline(StandardScaler(), classifier) if in_pipeline else classifier
    grid = {f"{prefix}lam": [0.5, 1.0], f"{prefix}beta": [1.0, 2.0], f"{prefix}module__hidden": [(4,), (8,)]}
    search = FusedGridSearchCV(estimator, grid, cv=2, refit=False)  # a refit is a fit, and no way of a grid
    way = Way(lam={0.5, 1.0})
    sys.setprofile(way)
    try:
        search.fit(X, y)
    finally:
        sys.setprofile(None)
    assert search.fused_["fused"].all()
    assert {"_fused/_plan.py", "_fused/_training.py"} <= set(way.stays)  # the way was followed to its end
    n_rooms = len(set(way.stays))
    assert n_rooms <= 8, way.stays
    assert len(way.stays) - n_rooms <= 8, way.stays

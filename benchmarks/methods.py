"""Methods: a name and a factory of estimators, with what a reader must know to compare fairly.

Every network is trained under the same budget, sees standardised features and gets no clean label. The kinds:

* ``ceiling`` trains on the clean labels: what noise takes away is measured from here.
* ``baseline`` knows nothing about noise.
* ``robust`` is built for it.

Values of `lam` and `beta`, and of the other losses, stand in the name or are the estimator's defaults: nothing is tuned
per task.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier

KINDS = ("ceiling", "baseline", "robust")


@dataclass(frozen=True)
class Method:
    """An entry of the comparison.

    Parameters
    ----------
    name : str
        What tables call it.
    make : callable
        ``make(budget, seed)`` returns an unfitted estimator; `budget` holds training parameters of our networks
        (``max_epochs``, ``lr``, ...), empty for their defaults.
    kind : {"ceiling", "baseline", "robust"}
        What it is in the comparison.
    """

    name: str
    make: Callable
    kind: str

    @property
    def takes_clean_labels(self):
        return self.kind == "ceiling"


def _network(estimator, **parameters):
    """Factory of a network behind a scaler; `parameters` are the method, the budget is the same for all."""

    def make(budget, seed):
        return make_pipeline(StandardScaler(), estimator(**parameters, **budget, device="cpu", random_state=seed))

    return make


def _scaled(estimator):
    def make(budget, seed):
        return make_pipeline(StandardScaler(), estimator(random_state=seed))

    return make


def _plain(estimator):
    def make(budget, seed):
        return estimator(random_state=seed)

    return make


def _dm(lam, beta):
    return Method(f"DM({lam:g}, {beta:g})", _network(DMClassifier, lam=lam, beta=beta), "robust")


_cross_entropy = _network(RobustLossClassifier, loss="cross_entropy")

METHODS = {
    method.name: method
    for method in (
        Method("cross entropy, clean labels", _cross_entropy, "ceiling"),
        Method("cross entropy", _cross_entropy, "baseline"),
        Method(
            "cross entropy, stopped early",
            _network(RobustLossClassifier, loss="cross_entropy", early_stopping=True),
            "baseline",
        ),
        *(_dm(lam, beta) for lam, beta in ((0, 0), (0.5, 4), (0.5, 8), (1, 8), (1, 16), (2, 12), (2, 24))),
        Method("ProSelfLC", _network(ProSelfLCClassifier), "robust"),
        Method("GCE", _network(RobustLossClassifier, loss="gce"), "robust"),
        Method("LogisticRegression", _scaled(LogisticRegression), "baseline"),
        Method("RandomForest", _plain(RandomForestClassifier), "baseline"),
        Method("HistGradientBoosting", _plain(HistGradientBoostingClassifier), "baseline"),
        Method("MLPClassifier", _scaled(MLPClassifier), "baseline"),
    )
}

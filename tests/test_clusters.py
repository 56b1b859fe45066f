"""Searches, choices, refinery and ensemble give on a cluster what they give on one machine.

Clusters of two workers on this machine, as backends of joblib: Dask's (the extra `distributed`) and Ray's.
"""

import warnings
from contextlib import contextmanager

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sklabelnoise import DMClassifier, DMClassifierCV, NoisyLabelClassifier, StochasticLabelRefinery
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of the clusters: ports in use, sizes of task graphs, sockets at shutdown
]


@contextmanager
def dask(folder):
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(folder)
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        yield


@contextmanager
def ray(folder):
    ray = pytest.importorskip("ray", reason="ray is not installed")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2**27)
    register_ray()
    try:
        with joblib.parallel_config(backend="ray", n_jobs=2):
            yield
    finally:
        ray.shutdown()


CLUSTERS = {"dask": dask, "ray": ray}
NET = {"max_epochs": 2, "random_state": 0, "device": "cpu"}
ONE_BY_ONE = {"early_stopping": True}  # what can't be trained as one stack is what goes to workers


def answers(X, y):
    """What each kind of estimator answers, as arrays."""
    grid = {"beta": [2, 8]}
    plain = GridSearchCV(DMClassifier(**NET), grid, cv=2, n_jobs=2).fit(X, y)
    yield "scikit-learn's search", plain.cv_results_["mean_test_score"]
    fused = FusedGridSearchCV(DMClassifier(**NET, **ONE_BY_ONE), grid, cv=2, n_jobs=2).fit(X, y)
    yield "fused search", fused.cv_results_["mean_test_score"]
    model = DMClassifier(**NET, **ONE_BY_ONE)
    yield "left out", fused_cross_val_predict(model, X, y, cv=2, n_jobs=2, method="predict_proba")
    choice = DMClassifierCV(candidates=[(0, 0), (1, 8)], cv=2, n_members=2, n_jobs=2, **NET, **ONE_BY_ONE).fit(X, y)
    yield "choice", choice.predict_proba(X)
    refinery = StochasticLabelRefinery(LogisticRegression(), cv=2, n_rounds=2, n_jobs=2, random_state=0).fit(X, y)
    yield "refinery", refinery.soft_labels_
    ensemble = NoisyLabelClassifier(members=["random_forest", "logistic_regression"], cv=2, n_jobs=2, random_state=0)
    yield "ensemble", ensemble.fit(X, y).predict_proba(X)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_cluster_answers_as_one_machine_does(noisy_blobs, tmp_path, cluster):
    X, y, _ = noisy_blobs
    here = dict(answers(X, y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with CLUSTERS[cluster](tmp_path):
            there = dict(answers(X, y))
    assert there.keys() == here.keys()
    for kind, expected in here.items():
        np.testing.assert_allclose(there[kind], expected, rtol=1e-6, err_msg=kind)

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.utils import check_random_state

from benchmarks import image_search
from benchmarks.speed import hand_written_loop
from sklabelnoise import RobustLossClassifier
from sklabelnoise.model_selection import FusedGridSearchCV


def test_the_hand_written_loop_does_the_work_of_the_estimator():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 10)).astype(np.float32), np.arange(300) % 4
    model = RobustLossClassifier(
        loss="cross_entropy", module__hidden=(8,), max_epochs=3, batch_size=64, lr=1e-2, optimizer="Adam",
        weight_decay=0.0, lr_schedule="constant", device="cpu", random_state=0,
    ).fit(X, y)  # fmt: skip
    seed = int(check_random_state(0).randint(2**31 - 1))
    history = hand_written_loop(X, y, hidden=8, batch_size=64, epochs=3, lr=1e-2, seed=seed)
    expected = model.history_[["train_loss", "train_accuracy"]].to_numpy()
    np.testing.assert_allclose(history, expected, rtol=1e-5)  # float32 sums, in another order


@pytest.mark.slow
@pytest.mark.parametrize("network", [image_search.TwoConvolutions, image_search.ResNet8])
def test_both_searches_over_images_make_the_same_fits_and_ours_makes_them_together(network):
    X, y = image_search.make_images(n=60, side=8)
    ours, theirs = (image_search.run(kind, network, 32, X, y, epochs=1) for kind in (FusedGridSearchCV, GridSearchCV))
    assert ours.fused_["fused"].all() and len(ours.fused_) == 6
    # of thirty images in a fold, one may be decided otherwise by rounding
    np.testing.assert_allclose(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], atol=0.034)

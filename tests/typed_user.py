"""A user's program, as an editor sees it: pyright in strict mode finds nothing to say. Run by tests/test_typing.py."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import TensorDataset

from sklabelnoise import DMClassifier, DMClassifierCV, RobustLossClassifier, StochasticLabelRefinery
from sklabelnoise.audit import LabelReport, audit_labels
from sklabelnoise.datasets import load_digits_noisy
from sklabelnoise.losses import DMEmphasis
from sklabelnoise.metrics import expected_calibration_error
from sklabelnoise.model_selection import FusedGridSearchCV
from sklabelnoise.modules import MLP
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix
from sklabelnoise.training import LearningDynamics


def main(folder: Path) -> float:
    rng = np.random.default_rng(0)
    y_clean = np.arange(120) % 3
    X = rng.normal(size=(120, 4)) + 2 * np.eye(3, 4)[y_clean]
    y = corrupt_labels(y_clean, symmetric_transition_matrix(3, 0.2), random_state=0)

    model = DMClassifier(MLP, lam=0.5, beta=8, emphasis=DMEmphasis(1, 16), max_epochs=5, random_state=0)
    proba = model.fit(X, y, sample_weight=np.ones(120)).predict_proba(X)
    worst: list[int] = model.label_quality_.argsort()[:10].tolist()
    error = expected_calibration_error(y_clean, proba)
    print(worst, error, model.loss_curve_[-1], model.n_iter_, len(model.history_))

    chosen = DMClassifierCV(candidates=[(0, 0), (0.5, 8)], cv=2, n_members=1, max_epochs=3, random_state=0).fit(X, y)
    search = FusedGridSearchCV(RobustLossClassifier(loss="gce", max_epochs=3), {"lr": [0.01, 0.1]}, cv=2).fit(X, y)
    print(chosen.lam_, chosen.beta_, search.best_params_, len(search.fused_))

    refinery = StochasticLabelRefinery(n_rounds=1, cv=3, random_state=0).fit(X, y)
    dynamics = LearningDynamics(y_clean=y_clean)
    DMClassifier(max_epochs=2, callbacks=[dynamics]).fit(X, y)
    softened = DMClassifier(max_epochs=2).fit(X, y, soft_labels=refinery.soft_labels_)
    report: LabelReport = audit_labels(refinery.estimator_, X, y, cv=3)
    print(report.noise_rate, len(report.issues), report.transition_matrix.shape, refinery.transduction_[:3])
    report.to_html(folder / "review.html", title="Three classes")

    pairs = TensorDataset(torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y))
    print(
        DMClassifier(max_epochs=2).fit(pairs).predict(pairs)[:3], DMClassifier(max_epochs=2).fit(pairs, None).classes_
    )

    softened.save(folder / "model.safetensors")
    again = DMClassifier.load(folder / "model.safetensors")
    images: NDArray[np.uint8] = load_digits_noisy(random_state=0)["X_train"]
    print(images.shape)
    return float((again.predict(X) == softened.predict(X)).mean())


if __name__ == "__main__":
    print(main(Path.cwd()))

"""Trains one model of each kind and writes down what became of it; run by several processes, or by one."""

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from sklabelnoise import DMClassifier, DMClassifierCV, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.training import LearningDynamics, MeanPrediction
from sklabelnoise.training._processes import current_processes

torch.set_num_threads(1)
rng = np.random.default_rng(0)
y = np.array(["a", "b", "c"])[np.arange(97) % 3]
X = 2 * np.eye(3, 5)[np.arange(97) % 3] + rng.normal(size=(97, 5))
images = rng.normal(size=(97, 2, 6, 6)) + (np.arange(97) % 3)[:, None, None, None]
weight = rng.uniform(0.5, 2, size=97)
soft = rng.dirichlet(np.ones(3), size=97)
common = {"batch_size": 24, "max_epochs": 3, "random_state": 0, "accelerator": "auto", "module__hidden": (8,)}


class Items(Dataset):
    def __len__(self):
        return 97

    def __getitem__(self, i):
        return torch.from_numpy(X[i]).float(), y[i]


class Network(nn.Module):
    """Of a user's, with normalization over the batch in two dimensions and in none."""

    def __init__(self, n_classes):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, momentum=None)
        self.output, self.last = nn.Linear(4, n_classes), nn.BatchNorm1d(n_classes, affine=False)

    def forward(self, x):
        return self.last(self.output(self.norm(self.convolution(x)).relu().mean((2, 3))))


class Processes(MeanPrediction):
    """How many processes train, seen from inside."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        super().on_train_begin(net, X, y, **kwargs)
        self.n_ = current_processes().size if current_processes() else 1


def of_images(**more):
    settings = {name: value for name, value in common.items() if name != "module__hidden"}
    # 96 rows: a batch of one has no variance
    return DMClassifier(Network, **settings, augment=False, **more), (images[:96], y[:96]), {}


CASES = {
    "batch": (DMClassifier(**common), (X, y), {}),
    "integral": (DMClassifier(normalization="integral", **common), (X, y), {}),
    "weights and balanced": (DMClassifier(class_weight="balanced", **common), (X, y), {"sample_weight": weight}),
    "soft labels": (DMClassifier(**common), (X, y), {"soft_labels": soft}),
    "own emphasis": (DMClassifier(emphasis=lambda p: 1 - p**2, **common), (X, y), {}),
    "proselflc": (ProSelfLCClassifier(**common), (X, y), {}),
    **{
        loss: (RobustLossClassifier(loss=loss, **common), (X, y), {"sample_weight": weight})
        for loss in ("gce", "elr", "truncated_gce", "ohem", "peer", "pencil", "joint_optimization", "sop")
    },
    "estimated": (RobustLossClassifier(loss="forward", loss__transition_matrix="estimate", **common), (X, y), {}),
    "norms of a table": (DMClassifier(module__batch_norm=True, iterator_train__drop_last=True, **common), (X, y), {}),
    "norms of images": of_images(),
    "dataset": (DMClassifier(**common), (Items(),), {}),
    "dataset with workers": (DMClassifier(iterator_train__num_workers=1, **common), (Items(),), {}),
    "in turn": (DMClassifier(iterator_train__shuffle=False, **common), (Items(),), {}),
    "early stopping": (
        DMClassifier(early_stopping=True, n_iter_no_change=1, **{**common, "max_epochs": 20}),
        (X, y),
        {},
    ),
    "seeds of numpy": (DMClassifier(**{**common, "random_state": np.random.RandomState(0)}), (X, y), {}),
    "choice": (DMClassifierCV(candidates=[(0, 0), (1, 8)], cv=2, n_members=2, **common), (X, y), {}),
    "LBFGS": (DMClassifier(optimizer="LBFGS", normalization="none", **{**common, "weight_decay": 0.0}), (X, y), {}),
}


def told(model, Z, callbacks=()):
    values = {"proba": model.predict_proba(Z), "label_quality": model.label_quality_, "classes": model.classes_ == "b"}
    columns = []
    if not isinstance(model, DMClassifierCV):
        history = model.history_.drop(columns="seconds")
        values |= {"weights": torch.cat([p.detach().flatten() for p in model.module_.parameters()]).numpy()}
        values |= {
            "buffers": np.concatenate([np.zeros(1), *(b.double().numpy().ravel() for b in model.module_.buffers())])
        }
        values |= {"history": history.to_numpy(dtype=float), "loss_curve": np.array(model.loss_curve_)}
        columns = [*history.columns]
    else:
        values |= {"choice": np.array([model.lam_, model.beta_])}
    single = not isinstance(model, DMClassifierCV) and model.net_.dtype == torch.float32
    return {"columns": columns, "values": values, "single": single}


# Four processes on few cores take their time.
FOR_FOUR = ("batch", "weights and balanced", "soft labels", "elr", "peer", "norms of images", "dataset")


def main():
    out, results = Path(sys.argv[1]), {}
    cases = FOR_FOUR if os.environ.get("WORLD_SIZE") == "4" else CASES
    for case in cases:
        model, given, more = CASES[case]
        observer = Processes()
        if not isinstance(model, DMClassifierCV):
            model.set_params(callbacks=[observer])
        model.fit(*given, **more)
        results[case] = told(model, given[0])
        if not isinstance(model, DMClassifierCV):
            results[case]["processes"] = observer.n_
            results[case]["values"]["mean prediction"] = observer.proba_
    n_processes = results["batch"]["processes"]
    if "choice" in results:
        results["choice"]["processes"] = n_processes

    # goes on, in parts and after
    dynamics = LearningDynamics(y)
    model = DMClassifier(**{**common, "callbacks": [dynamics], "warm_start": True})
    model.partial_fit(X, y, classes=["a", "b", "c"]).partial_fit(X, y, sample_weight=weight).fit(X, y)
    results["goes on"] = {**told(model, X), "processes": n_processes, "single": False}
    rank = int(os.environ.get("RANK", 0))
    path = out / f"model-{rank}"
    model.set_params(callbacks=None).save(path)
    results["saved"] = {
        "columns": [],
        "values": {"proba": DMClassifier.load(path).predict_proba(X)},
        "processes": n_processes,
        "single": False,
    }
    (out / f"{rank}.pkl").write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main()

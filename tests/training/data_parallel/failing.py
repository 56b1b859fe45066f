"""Fits that fail in one of two processes, or in both as they do not hold the same; writes down what each said."""

import os
import pickle
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from skorch.callbacks import Callback
from torch.utils.data import Dataset

from sklabelnoise import DMClassifier
from sklabelnoise.modules import MLP
from sklabelnoise.training import StopTraining

torch.set_num_threads(1)
rank = int(os.environ.get("RANK", 0))
rng = np.random.default_rng(0)
y = np.array(["a", "b", "c"])[np.arange(96) % 3]
X = 2 * np.eye(3, 5)[np.arange(96) % 3] + rng.normal(size=(96, 5))
settings = {"batch_size": 24, "max_epochs": 5, "random_state": 0, "accelerator": "auto"}


class Items(Dataset):
    """Fails at one item, in one of the processes: the one whose part of a batch it is in."""

    def __len__(self):
        return 96

    def __getitem__(self, i):
        if i == 7 and rank == 1:
            raise OSError("the disk is gone")
        return torch.from_numpy(X[i]).float(), y[i]


class AtLast(Callback):
    """Does something in the last process, in the middle of the second epoch or at the end of the third."""

    def __init__(self, error, hook):
        self.error, self.hook = error, hook

    def on_batch_begin(self, net, **kwargs):
        if self.hook == "batch" and rank == 1 and net.iteration_ == 6:
            raise self.error

    def on_epoch_end(self, net, **kwargs):
        if self.hook == "epoch" and rank == 1 and len(net.history) == 3:
            raise self.error


def said(fit):
    try:
        return f"{fit().n_iter_} epochs"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"


def model(**more):
    return DMClassifier(**{**settings, **more})


def main():
    first = rank == 0
    told = {
        "classes": said(lambda: model().fit(X, y if first else np.where(y == "c", "d", y))),
        "rows": said(lambda: model().fit(X, y) if first else model().fit(X[:90], y[:90])),
        "order": said(lambda: model().fit(X, y) if first else model().fit(X[::-1], y[::-1])),
        "batches": said(lambda: model(batch_size=24 if first else 16).fit(X, y)),
        "network": said(lambda: model(module__hidden=(8,) if first else (6,)).fit(X, y)),
        "own network": said(lambda: model(module=partial(MLP, hidden=(8,) if first else (6,))).fit(X, y)),
        "loss": said(lambda: model(beta=8.0 if first else 2.0).fit(X, y)),
        "held out": said(lambda: model().fit(X, y, **({} if first else {"X_val": X[:20], "y_val": y[:20]}))),
        "compile": said(lambda: model(compile=True).fit(X, y)),
        "unreadable rows": said(lambda: model().fit(X if first else np.where(X > 1, np.nan, X), y)),
        "dataset": said(lambda: model().fit(Items(), y)),
        "dataset in a worker": said(lambda: model(iterator_train__num_workers=1).fit(Items(), y)),
        "callback": said(lambda: model(callbacks=[AtLast(ZeroDivisionError("division by zero"), "batch")]).fit(X, y)),
        "interrupt": said(
            lambda: model(callbacks=[AtLast(KeyboardInterrupt(), "batch")], on_interrupt="keep").fit(X, y)
        ),
        "stop": said(lambda: model(callbacks=[AtLast(StopTraining(), "epoch")]).fit(X, y)),
    }
    fitted = model().fit(X, y)
    before = fitted.predict_proba(X)
    fitted.set_params(callbacks=[AtLast(ZeroDivisionError(), "epoch")])
    said(lambda: fitted.fit(X, y))
    told["kept"] = "the old network" if np.array_equal(fitted.predict_proba(X), before) else "something else"
    told["after"] = model().fit(X, y).predict_proba(X).sum(axis=0).round(9).tolist()
    (Path(sys.argv[1]) / f"{rank}.pkl").write_bytes(pickle.dumps(told))


if __name__ == "__main__":
    main()

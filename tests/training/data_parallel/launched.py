"""Trains one model and writes down its weights; started by a launcher."""

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import torch

from sklabelnoise import DMClassifier


def main():
    torch.set_num_threads(1)
    if sys.argv[2] == "accelerate":
        from accelerate import Accelerator

        Accelerator(cpu=True)
    rng = np.random.default_rng(0)
    y = np.arange(96) % 3
    X = 2 * np.eye(3, 5)[y] + rng.normal(size=(96, 5))
    # dropout and no seed: nothing but what they exchange keeps the processes together
    model = DMClassifier(accelerator="auto", max_epochs=3, batch_size=24, module__dropout=0.5).fit(X, y)
    told = {
        "processes": torch.distributed.get_world_size(),
        "weights": torch.cat([p.detach().flatten() for p in model.module_.parameters()]).numpy(),
    }
    (Path(sys.argv[1]) / f"{os.environ['RANK']}.pkl").write_bytes(pickle.dumps(told))


if __name__ == "__main__":
    main()

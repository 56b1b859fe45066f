"""Two processes train the network of one, by the recipe in the documentation of the net."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("accelerate")

SCRIPT = """
import sys

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from skorch.hf import AccelerateMixin

from sklabelnoise.losses import DMEmphasis, DMLoss
from sklabelnoise.modules import MLP
from sklabelnoise.training._batches import DatasetData
from sklabelnoise.training._net import NoisyLabelNet


class DataParallelNet(AccelerateMixin, NoisyLabelNet):
    def get_iterator(self, dataset, training=False):
        batches = NoisyLabelNet.get_iterator(self, dataset, training=training)
        batches.loader = self.accelerator.prepare(batches.loader)
        return batches


class CPUAccelerator(Accelerator):
    # On GPUs accelerate leaves modules without parameters, as a criterion is, alone; on CPUs it stumbles.
    def prepare_model(self, model, **kwargs):
        return super().prepare_model(model, **kwargs) if any(True for _ in model.parameters()) else model


normalization, path = sys.argv[1:]
torch.set_num_threads(1)
rng = np.random.default_rng(0)
y = np.arange(96) % 3
X = torch.from_numpy(2 * np.eye(3, 5)[y] + rng.normal(size=(96, 5)))
dataset = torch.utils.data.TensorDataset(X, torch.from_numpy(y))

torch.manual_seed(0)
module = MLP(5, 3, hidden=(8,)).double()
accelerator = CPUAccelerator(
    cpu=True, device_placement=False, dataloader_config=DataLoaderConfiguration(split_batches=True)
)
net = DataParallelNet(
    module, DMLoss(DMEmphasis(0.5, 8), normalization=normalization), accelerator=accelerator,
    device=accelerator.device, batch_size=24, optimizer=torch.optim.SGD, lr=0.1, optimizer__momentum=0.9,
)
net.initialize().fit_epochs(DatasetData(dataset, y, dtype=torch.float64), epochs=5)
if accelerator.is_main_process:
    weights = torch.cat([p.detach().flatten() for p in net.module_.parameters()])
    np.savez(path, weights=weights, world=accelerator.num_processes, iterations=net.iteration_)
"""


def train(n_processes, normalization, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script, path = folder / "train.py", folder / f"{n_processes}-{normalization}.npz"
    script.write_text(SCRIPT)
    common = {"WORLD_SIZE": str(n_processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), normalization, str(path)],
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(n_processes)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    return np.load(path)


@pytest.mark.slow
def test_two_processes_train_as_one_where_the_loss_is_a_mean_over_rows(tmp_path):
    one, two = (train(n, "none", tmp_path) for n in (1, 2))
    assert (one["world"], two["world"]) == (1, 2)
    assert one["iterations"] == two["iterations"] == 20
    # float64: sums over halves in another order
    assert np.allclose(two["weights"], one["weights"], rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_normalisation_by_the_batch_means_each_processs_part_of_it(tmp_path):
    one, two = (train(n, "batch", tmp_path) for n in (1, 2))
    difference = np.abs(two["weights"] - one["weights"]).max()
    # Close, as the sums of weights of two random halves are, but not the same training.
    assert 1e-6 < difference < 0.5 * np.abs(one["weights"]).max()

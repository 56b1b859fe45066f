"""DM Figures 2c and 5 to 11: lam and beta on a grid, CIFAR-10 with clean labels and with symmetric noise.

    python -m benchmarks.papers.dm_figures5_11 --scale core --seeds 0 --conditions r=0.4

Wang et al., "Derivative manipulation for general example weighting", supplement E.2: test accuracy of each emphasis
mode at four values of beta, for each rate of noise (Figures 6 to 9); lam = 0 on clean labels (10 and 11); the mode of
the best by the rate (2c). The figures are curves without numbers; their training is that of Table 9.
"""

from benchmarks.papers._images import Condition, ImageTable, dm, loss, symmetric
from benchmarks.papers.dm_table9 import TABLE as TABLE_9

GRID = {0: (0.5, 1, 2, 4), 0.5: (4, 8, 12, 16), 1: (8, 12, 16, 20), 2: (12, 16, 20, 24)}
METHODS = {
    "CCE": loss("cross_entropy"),
    "DM, beta=0": dm(0, 0),
    **{f"DM, lam={lam:g}, beta={beta:g}": dm(lam, beta) for lam, betas in GRID.items() for beta in betas},
}

TABLE = ImageTable(
    name="dm_figures5_11",
    document=__doc__,
    dataset="cifar10",
    network=TABLE_9.network,
    training=TABLE_9.training,
    conditions={"r=0": Condition(), **{f"r={rate:g}": symmetric(rate) for rate in (0.2, 0.4, 0.6, 0.8)}},
    methods=METHODS,
    published={},
    measures=("final", "best", "memorized", "fits true"),
)

if __name__ == "__main__":
    TABLE.main()

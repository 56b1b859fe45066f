"""DM Figures 5 to 9: lam and beta on a grid, CIFAR-10 with 40 % symmetric noise.

    python -m benchmarks.papers.dm_figures5_9 --scale core --seeds 0

Wang et al., "Derivative manipulation for general example weighting", supplement E.2: test accuracy of each emphasis
mode at four values of beta. The figures are curves without numbers; their training is that of Table 9.
"""

from benchmarks.papers._images import ImageTable, dm, loss, symmetric
from benchmarks.papers.dm_table9 import TABLE as TABLE_9

GRID = {0: (0.5, 1, 2, 4), 0.5: (4, 8, 12, 16), 1: (8, 12, 16, 20), 2: (12, 16, 20, 24)}
METHODS = {
    "CCE": loss("cross_entropy"),
    "DM, beta=0": dm(0, 0),
    **{f"DM, lam={lam:g}, beta={beta:g}": dm(lam, beta) for lam, betas in GRID.items() for beta in betas},
}

TABLE = ImageTable(
    name="dm_figures5_9",
    document=__doc__,
    dataset="cifar10",
    network=TABLE_9.network,
    training=TABLE_9.training,
    conditions={"r=0.4": symmetric(0.4)},
    methods=METHODS,
    published={},
    measures=("final", "best", "memorized", "fits true"),
)

if __name__ == "__main__":
    TABLE.main()

"""DM Table 9: CIFAR-10 under symmetric noise, best and final test accuracy and how the training labels are fitted.

    python -m benchmarks.papers.dm_table9
    python -m benchmarks.papers.dm_table9 --scale tiny --seeds 0 --conditions r=0.4

Wang et al., "Derivative manipulation for general example weighting", supplement E.2; the accuracy after each epoch,
their Figures 2 and 5, stands in the rows as ``curve``. The paper does not state the training of its ResNet-56; its
curves run to 100,000 iterations and jump near 32,000 and 48,000, which is the schedule of He et al. for CIFAR-10: batch
128, rate 0.1 divided by 10 at half and three quarters of 64,000 iterations, weight decay 1e-4.
"""

from benchmarks.papers._images import ImageTable, dm, in_table_order, loss, symmetric
from sklabelnoise.modules import ResNet56

RATES = ("r=0.2", "r=0.4", "r=0.6", "r=0.8")
# beta of each rate, as in the table; "final" is the second of its four figures.
BETAS = {0: (2, 1, 0.5, 0.5), 0.5: (12, 12, 12, 8), 1: (16, 16, 12, 8), 2: (24, 20, 12, 12)}
METHODS = {
    "CCE": loss("cross_entropy"),
    "DM, beta=0": dm(0, 0),
    **{
        f"DM, lam={lam:g}": {rate: dm(lam, beta) for rate, beta in zip(RATES, betas, strict=True)}
        for lam, betas in BETAS.items()
    },
}

TABLE = ImageTable(
    name="dm_table9",
    document=__doc__,
    dataset="cifar10",
    network=ResNet56,
    training={
        "batch_size": 128,
        "max_epochs": 164,
        "lr_schedule": {"name": "milestones", "milestones": [0.5, 0.75], "gamma": 0.1},
    },
    conditions={rate: symmetric(float(rate[2:])) for rate in RATES},
    methods=METHODS,
    published=in_table_order(
        METHODS,
        RATES,
        """
        76.8 60.9 37.2 16.1
        58.1 44.9 57.9 28.2
        76.4 65.6 53.9 21.3
        87.8 79.9 58.5 22.4
        86.7 83.3 70.0 31.5
        85.5 52.7 72.5 32.8
        """,
    ),
    measures=("final", "best", "fits given", "fits true"),
)

if __name__ == "__main__":
    TABLE.main()

"""DM Table 7: CIFAR-10 with 40 % symmetric noise, common losses and DM under six optimizers.

    python -m benchmarks.papers.dm_table7
    python -m benchmarks.papers.dm_table7 --scale tiny --seeds 0 --conditions SGD

Wang et al., "Derivative manipulation for general example weighting", Section 4.5: ResNet-56; SGD, with momentum, and
Nesterov's, rate 0.01; Adam with Caffe's delta (epsilon). lam and beta of DM are not stated: (0.5, 12) and batch, length
and schedule are those of Table 9 at that rate.
"""

from benchmarks.papers._images import COMMON_LOSSES, ImageTable, dm, in_table_order, symmetric
from sklabelnoise.modules import ResNet56

CONDITIONS = {
    "SGD": symmetric(0.4, lr=0.01, optimizer__momentum=0.0, optimizer__nesterov=False),
    "momentum": symmetric(0.4, lr=0.01, optimizer__nesterov=False),
    "Nesterov": symmetric(0.4, lr=0.01, optimizer__nesterov=True),
    **{
        f"Adam, lr {lr:g}, delta {delta:g}": symmetric(0.4, optimizer="Adam", lr=lr, optimizer__eps=delta)
        for lr, delta in ((0.01, 0.1), (0.005, 0.1), (0.005, 1.0))
    },
}
METHODS = {**COMMON_LOSSES, "DM": dm(0.5, 12)}

TABLE = ImageTable(
    name="dm_table7",
    document=__doc__,
    dataset="cifar10",
    network=ResNet56,
    training={
        "batch_size": 128,
        "max_epochs": 164,
        "lr_schedule": {"name": "milestones", "milestones": [0.5, 0.75], "gamma": 0.1},
    },
    conditions=CONDITIONS,
    methods=METHODS,
    published=in_table_order(
        METHODS,
        CONDITIONS,
        """
        64.6 61.7 57.3 39.3 44.3 52.0
        68.8 80.7 80.0 75.7 72.6 67.7
        39.3 64.7 63.9 57.5 60.8 37.3
        58.4 76.7 76.8 66.8 67.9 58.5
        82.0 83.8 84.0 78.2 80.8 79.2
        """,
    ),
    measures=("final", "fits given"),
)

if __name__ == "__main__":
    TABLE.main()

"""DM Table 6: weight decay and dropout with and without DM under 40 % symmetric noise, on CIFAR-10.

    python -m benchmarks.papers.dm_table6

Wang et al., "Derivative manipulation for general example weighting", Section 4.5: ResNet-44, beta = 8, lam = 0.5,
weight decay 1e-4, dropout 0.2, batch 256, 30,000 iterations. The published figures are of CIFAR-100, which
`dm_table6_cifar100` takes; with CIFAR-10 only their order can be compared.
"""

from benchmarks.papers._images import ImageTable, dm, in_table_order, loss, symmetric
from sklabelnoise.modules import ResNet44

REGULARIZERS = {
    "": {"weight_decay": 0.0},
    "L2": {"weight_decay": 1e-4},
    "dropout": {"weight_decay": 0.0, "module__dropout": 0.2},
    "L2, dropout": {"weight_decay": 1e-4, "module__dropout": 0.2},
}
METHODS = {
    **{f"CCE {name}".strip(): loss("cross_entropy", **params) for name, params in REGULARIZERS.items()},
    **{f"DM {name}".strip(): dm(0.5, 8, **params) for name, params in REGULARIZERS.items()},
}

TABLE = ImageTable(
    name="dm_table6",
    document=__doc__,
    dataset="cifar10",
    network=ResNet44,
    training={},
    conditions={"r=0.4": symmetric(0.4)},
    methods=METHODS,
    published=in_table_order(METHODS, ["r=0.4"], "44.7 \n 51.5 \n 46.7 \n 52.8 \n 55.7 \n 59.3 \n 54.3 \n 58.3"),
    measures=("final", "fits given"),
)

if __name__ == "__main__":
    TABLE.main()

"""DM Table 6: weight decay and dropout with and without DM under 40 % symmetric noise, on CIFAR-10.

    python -m benchmarks.papers.dm_table6
    python -m benchmarks.papers.dm_table6 --scale tiny --seeds 0 --dataset cifar100

Wang et al., "Derivative manipulation for general example weighting", Section 4.5: ResNet-44, beta = 8, lam = 0.5,
weight decay 1e-4, dropout 0.2, batch 256, 30,000 iterations. The published figures are of CIFAR-100; with CIFAR-10, the
default here, only their order can be compared.
"""

import argparse
import dataclasses
import sys

from benchmarks.papers._images import ImageTable, dm, in_table_order, loss, symmetric
from sklabelnoise.modules import ResNet44

REGULARISERS = {
    "": {"weight_decay": 0.0},
    "L2": {"weight_decay": 1e-4},
    "dropout": {"weight_decay": 0.0, "module__dropout": 0.2},
    "L2, dropout": {"weight_decay": 1e-4, "module__dropout": 0.2},
}
METHODS = {
    **{f"CCE {name}".strip(): loss("cross_entropy", **params) for name, params in REGULARISERS.items()},
    **{f"DM {name}".strip(): dm(0.5, 8, **params) for name, params in REGULARISERS.items()},
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


def main():
    """Take the data set from the command line, the rest as in every table."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--dataset", choices=("cifar10", "cifar100"), default="cifar10")
    options, sys.argv[1:] = parser.parse_known_args()
    name = TABLE.name if options.dataset == "cifar10" else f"{TABLE.name}_{options.dataset}"
    dataclasses.replace(TABLE, dataset=options.dataset, name=name).main()


if __name__ == "__main__":
    main()

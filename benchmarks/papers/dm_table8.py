"""DM Table 8: ten vehicles of CIFAR-100, 5,000 images, with weight decay and dropout. Needs CIFAR-100.

    python -m benchmarks.papers.dm_table8

Wang et al., "Derivative manipulation for general example weighting", Appendix C: ResNet-44, clean labels and 40 %
symmetric noise. Optimizer, length, lam and beta are not stated; those of Table 6 are taken, with 30,000 iterations.
"""

from benchmarks.papers._images import Condition, ImageTable, in_table_order, symmetric
from benchmarks.papers.dm_table6 import METHODS
from sklabelnoise.modules import ResNet44

CONDITIONS = {"r=0": Condition(), "r=0.4": symmetric(0.4)}

TABLE = ImageTable(
    name="dm_table8",
    document=__doc__,
    dataset="cifar100",
    network=ResNet44,
    training={"max_epochs": 1500},
    conditions=CONDITIONS,
    methods=METHODS,
    published=in_table_order(
        METHODS,
        CONDITIONS,
        """
        75.4 42.3
        76.4 44.8
        77.9 41.6
        78.7 47.4
        83.8 45.8
        84.4 55.7
        84.5 48.8
        84.7 58.1
        """,
    ),
    classes=(
        "bicycle", "bus", "motorcycle", "pickup_truck", "train", "lawn_mower", "rocket", "streetcar", "tank", "tractor",
    ),
)  # fmt: skip

if __name__ == "__main__":
    TABLE.main()

"""ProSelfLC Figure 2: trust that is fixed, global only, local only, and both, on CIFAR-100 with 40 % symmetric noise.

    python -m benchmarks.papers.proselflc_figure2 --scale core

Wang et al., "ProSelfLC: progressive self label correction for training robust deep neural networks", CVPR 2021,
Figure 2 and the answer to reviewer 2: a fixed trust is the worst but for local trust alone, which does not converge;
both together are best. The figure is a picture without numbers. The fixed trust is the best of the three of its Table
5; a local trust alone is the method with a global trust of one from the start.

At 60 % noise the paper's Table 5 has a slope of 8 before the others and one of 16 far behind: 8 stands beside the 14
of all other columns.
"""

from benchmarks.papers._images import ImageTable, loss, proselflc, symmetric
from benchmarks.papers.proselflc_table4 import TABLE as TABLE_4

METHODS = {
    "CCE": loss("cross_entropy"),
    "fixed": loss("soft_bootstrapping", loss__beta=0.5),
    "global only": proselflc(slope=14.0, local_trust=None),
    "local only": proselflc(slope=14.0, midpoint=-10.0),
    "ProSelfLC": proselflc(slope=14.0),
    "ProSelfLC, slope=8": proselflc(slope=8.0),
}

TABLE = ImageTable(
    name="proselflc_figure2",
    document=__doc__,
    dataset="cifar100",
    network=TABLE_4.network,
    training=TABLE_4.training,
    conditions={"symmetric 0.4": symmetric(0.4), "symmetric 0.6": symmetric(0.6)},
    methods=METHODS,
    published={},
    measures=("final", "best", "memorized", "corrected"),
)

if __name__ == "__main__":
    TABLE.main()

"""ProSelfLC Table 4: CIFAR-100 under noise, designed targets against ProSelfLC, final accuracy. Needs CIFAR-100.

    python -m benchmarks.papers.proselflc_table4

Wang et al., "ProSelfLC: progressive self label correction for training robust deep neural networks", CVPR 2021,
Table 4: ResNet-44 trained as in DM's Table 1, but with weight decay 5e-4. For each column the paper shows the best of
three strengths and of five slopes; here the strength is 0.5 and the slope 14, which come first or close to it in most
columns of its Table 5. Clean labels are a column of that table alone, of which the best is shown here, too.

Below the paper's rows stand those of its other tables and of DM's for the same noise, without a published figure here:
Forward with the true transition matrix, Boot-hard, D2L and SL.
"""

from benchmarks.papers._d2l import d2l
from benchmarks.papers._images import Condition, ImageTable, in_table_order, loss, proselflc, symmetric
from benchmarks.papers.dm_table1 import FORWARD, superclass_pairs
from sklabelnoise.modules import ResNet44

METHODS = {
    "CCE": loss("cross_entropy"),
    "label smoothing": loss("label_smoothing", loss__smoothing=0.5),
    "confidence penalty": loss("confidence_penalty", loss__strength=0.5, loss__rescale=True),
    "Boot-soft": loss("soft_bootstrapping", loss__beta=0.5),
    "ProSelfLC": proselflc(slope=14.0),
    "Forward": FORWARD,
    "Boot-hard": loss("hard_bootstrapping"),
    "D2L": d2l(),
    "SL": loss("sce", loss__alpha=6.0, loss__beta=0.1),
}
CONDITIONS = {
    **{f"asymmetric {rate:g}": superclass_pairs(rate) for rate in (0.2, 0.3, 0.4)},
    **{f"symmetric {rate:g}": symmetric(rate) for rate in (0.2, 0.4, 0.6)},
    "clean": Condition(),
}

TABLE = ImageTable(
    name="proselflc_table4",
    document=__doc__,
    dataset="cifar100",
    network=ResNet44,
    training={"weight_decay": 5e-4},
    conditions=CONDITIONS,
    methods=METHODS,
    published=in_table_order(
        METHODS,
        CONDITIONS,
        """
        66.6 63.4 59.5 58.0 50.1 37.9 69.0
        67.9 66.4 65.0 63.8 57.2 46.5 69.9
        67.7 66.0 64.4 64.0 56.8 44.1 69.5
        66.9 65.3 61.0 63.2 59.0 44.8 69.1
        68.7 68.5 67.9 64.8 59.3 47.7 70.3
        - - - - - - -
        - - - - - - -
        - - - - - - -
        - - - - - - -
        """,
    ),
)

if __name__ == "__main__":
    TABLE.main()

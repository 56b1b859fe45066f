"""SLR Table I: CIFAR-10 with the labels as they are, a SE-ResNet-56 alone and with refined labels.

    python -m benchmarks.papers.slr_table1
    python -m benchmarks.papers.slr_table1 --scale tiny --seeds 0

Fang et al., "Stochastic label refinery", ICPR 2020: one round, weight 3, five folds, one-cycle rate. Learning rate,
length, batch and AutoAugment's policy are not given: here 0.1, 154 epochs and 256 with crops and flips, so the rows to
compare are the paper's without AutoAugment ("alone") and with it ("SLR"); their difference is what can be checked.
"""

from benchmarks.papers._images import Condition, ImageTable, in_table_order, loss, refined
from sklabelnoise.modules import SEResNet56

METHODS = {
    "alone": loss("cross_entropy"),
    "SLR": refined(loss("cross_entropy"), n_rounds=1, label_weight=3, cv=5),
}
CONDITIONS = {"as given": Condition()}

TABLE = ImageTable(
    name="slr_table1",
    document=__doc__,
    dataset="cifar10",
    network=SEResNet56,
    training={"lr_schedule": "one-cycle"},
    conditions=CONDITIONS,
    methods=METHODS,
    published=in_table_order(METHODS, CONDITIONS, "95.87 \n 96.41"),
)

if __name__ == "__main__":
    TABLE.main()

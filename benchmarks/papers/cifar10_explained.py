"""CIFAR-10 under 40 % symmetric noise: methods that do not help in `cifar10_rivals`, with one thing changed.

    python -m benchmarks.papers.cifar10_explained --scale core
    python -m benchmarks.papers.cifar10_explained --scale core --report

Each stands beside itself as it is in that table, and what is changed is what its authors have otherwise. NCE+RCE has
their rate of 0.01 in place of 0.1. SOP has the step of u that they take for CIFAR-10 in place of that for CIFAR-100.
Peer loss stops where alpha still leaves the loss of a right prediction bounded: with C classes and a share r of wrong
labels a sure and right prediction costs r M - alpha (C - 1) / C M, M being the logarithm of what is left for the other
classes, which falls without end from alpha = r C / (C - 1) = .44 on. DM (1, 16) trains three times as long.

GCE-DN and MSE-DN of `dm_table2` have a rate of 0.01: divided by the sum of its weights, a step is as long as that of
cross entropy, however little the labels of a batch weigh.
"""

from benchmarks.papers._images import NORMALIZED_LOSSES, ImageTable, dm, loss, normalized
from benchmarks.papers.cifar10_rivals import METHODS as RIVALS
from benchmarks.papers.cifar10_rivals import TABLE as RIVALS_TABLE


def longer(make, factor):
    """The same with so many times the epochs."""
    return lambda training: make({**training, "max_epochs": factor * training["max_epochs"]})


METHODS = {
    "CCE": RIVALS["CCE"],
    "CCE, three times the epochs": longer(RIVALS["CCE"], 3),
    "DM, lam=1, beta=16": RIVALS["DM, lam=1, beta=16"],
    "DM, lam=1, beta=16, three times the epochs": longer(dm(1, 16), 3),
    "SOP, lr_u=1": RIVALS["SOP, lr_u=1"],
    "SOP, lr_u=10": RIVALS["SOP, lr_u=10"],
    "NCE+RCE": RIVALS["NCE+RCE"],
    "NCE+RCE, lr 0.01": loss("nce_rce", lr=0.01),
    "peer loss": RIVALS["peer loss"],
    "peer loss, alpha 0.4": loss("peer", loss__alpha=0.4),
    "GCE-DN": NORMALIZED_LOSSES["GCE-DN"],
    "GCE-DN, lr 0.01": normalized(1.7, 2, lr=0.01),
    "MSE-DN": NORMALIZED_LOSSES["MSE-DN"],
    "MSE-DN, lr 0.01": normalized(2, 3, lr=0.01),
}

TABLE = ImageTable(
    name="cifar10_explained",
    document=__doc__,
    dataset="cifar10",
    network=RIVALS_TABLE.network,
    training=RIVALS_TABLE.training,
    conditions=RIVALS_TABLE.conditions,
    methods=METHODS,
    published={},
    measures=RIVALS_TABLE.measures,
)

if __name__ == "__main__":
    TABLE.main()

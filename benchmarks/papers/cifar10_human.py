"""CIFAR-10 with labels from people: majority of three, each of three, and a wrong one wherever there is one.

    python -m benchmarks.papers.cifar10_human
    python -m benchmarks.papers.cifar10_human --scale core --seeds 0 --conditions aggregate worse

Wei et al., "Learning with noisy labels revisited: a study using real-world human annotations", ICLR 2022. Published is
the row of cross entropy there: ResNet-34, 100 epochs of batches of 128, momentum 0.9, weight decay 5e-4, rate 0.1 and
from epoch 60 on 0.01. Here pre-activation ResNet-18 stands for it. DM and ProSelfLC were not measured on these labels
by their authors: lam and beta are those of Table 2 and of lam = 1 in Table 9, ProSelfLC has its defaults.
"""

from benchmarks.papers._images import Condition, ImageTable, dm, in_table_order, loss, proselflc
from sklabelnoise.modules import PreActResNet18

METHODS = {
    "CCE": loss("cross_entropy"),
    "GCE": loss("gce"),
    "ELR": loss("elr"),
    "DM, lam=0.5": dm(0.5, 8),
    "DM, lam=1": dm(1, 16),
    "ProSelfLC": proselflc(),
}
LABEL_SETS = ("aggregate", "random1", "random2", "random3", "worse")

TABLE = ImageTable(
    name="cifar10_human",
    document=__doc__,
    dataset="cifar10n",
    network=PreActResNet18,
    training={
        "optimizer": "SGD",
        "optimizer__momentum": 0.9,
        "lr": 0.1,
        "weight_decay": 5e-4,
        "batch_size": 128,
        "max_epochs": 100,
        "lr_schedule": {"name": "milestones", "milestones": [0.6], "gamma": 0.1},
        "augment": "crop-flip",
    },
    conditions={name: Condition(label_set=name) for name in LABEL_SETS},
    methods=METHODS,
    published=in_table_order(["CCE"], LABEL_SETS, "87.77 85.02 86.46 85.16 77.69"),
    measures=("final", "best", "fits given"),
)

if __name__ == "__main__":
    TABLE.main()

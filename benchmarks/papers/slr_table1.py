"""SLR Table I: CIFAR-10 with the labels as they are, a SE-ResNet-56 alone and with refined labels.

    python -m benchmarks.papers.slr_table1
    python -m benchmarks.papers.slr_table1 --scale tiny --seeds 0

Fang et al., "Stochastic label refinery", ICPR 2020: one round, weight 3, five folds, one-cycle rate. Learning rate,
length, batch and AutoAugment's policy are not given: here 0.1, 154 epochs and 256 with crops and flips, so the rows to
compare are the paper's without AutoAugment ("alone") and with it (all others); their difference is what can be checked.

SLR-a averages the pseudo-labels over augmented copies, SLR-e over three architectures, SLR-ae over both; which copies
and which architectures is not stated. Here: four crops and flips; ResNet-56 and pre-activation ResNet-18 beside the
SE-ResNet-56. The paper evaluates the one SE-ResNet-56: so do these rows for SLR and SLR-a, while those with several
architectures evaluate the mean of the three. What the mean is worth by itself is a row of ours, "mean of three": the
three on the labels as they are.

At the scale of one core, two small networks stand for the other two, since eighteen fits of theirs would take a day:
one with more maps at 16 x 16 pixels and fewer at 4 x 4, and one of three ordinary convolutions, whose first layer is
trained. They were chosen by the time of one epoch, before any row of theirs.
"""

import functools

import torch

from benchmarks.papers._fast_network import FastConvNet
from benchmarks.papers._images import Condition, ImageTable, in_table_order, loss, refined
from benchmarks.papers._small_network import SmallConvNet
from sklabelnoise.modules import PreActResNet18, ResNet56, SEResNet56
from sklabelnoise.training import CropFlip


def cropped_and_flipped(X, rng):
    """Images cut out and mirrored at random, drawn from a generator of numpy."""
    return CropFlip()(torch.from_numpy(X), torch.Generator().manual_seed(int(rng.integers(2**63)))).numpy()


def of_network(network, of_one_core):
    """Row of a table: cross entropy with a network of its own, `of_one_core(module)` at the scale of one core."""

    def make(training):
        small = getattr(training["module"], "func", None) is FastConvNet
        module = of_one_core(training["module"]) if small else network
        return loss("cross_entropy", module=module)(training)

    return make


def with_wider_start(module):
    """`FastConvNet` with more maps where images are large, and fewer where they are small."""
    return functools.partial(module, widths=(48, 96, 192))


ALONE = loss("cross_entropy")
SEVERAL = (ALONE, of_network(ResNet56, with_wider_start), of_network(PreActResNet18, lambda module: SmallConvNet))
NO_ROUND = {"n_rounds": 0}
ONE_ROUND = {"n_rounds": 1, "label_weight": 3, "cv": 5}
AUGMENTED = {"augment": cropped_and_flipped, "n_augment": 4}
METHODS = {
    "alone": ALONE,
    "label smoothing": loss("label_smoothing", loss__smoothing=0.1),
    "SLR": refined(ALONE, **ONE_ROUND),
    "SLR-a": refined(ALONE, **ONE_ROUND, **AUGMENTED),
    "SLR-e": refined(*SEVERAL, **ONE_ROUND),
    "SLR-ae": refined(*SEVERAL, **ONE_ROUND, **AUGMENTED),
}
PUBLISHED = tuple(METHODS)
METHODS["mean of three"] = refined(*SEVERAL, **NO_ROUND)
CONDITIONS = {"as given": Condition()}

TABLE = ImageTable(
    name="slr_table1",
    document=__doc__,
    dataset="cifar10",
    network=SEResNet56,
    training={"lr_schedule": "one-cycle"},
    conditions=CONDITIONS,
    methods=METHODS,
    published=in_table_order(PUBLISHED, CONDITIONS, "95.87 \n 96.16 \n 96.41 \n 96.44 \n 96.42 \n 96.53"),
)

if __name__ == "__main__":
    TABLE.main()

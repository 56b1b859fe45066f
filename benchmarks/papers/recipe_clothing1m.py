"""Clothing1M, a million images with labels from the shops' texts: DM Table 3 and ProSelfLC Table 6.

    python -m benchmarks.papers.recipe_clothing1m FOLDER
    python -m benchmarks.papers.recipe_clothing1m FOLDER --side 224 --network my_networks:resnet50

FOLDER as https://github.com/Cysu/noisy_label describes it (Xiao et al., CVPR 2015): ``noisy_train_key_list.txt`` and
``clean_test_key_list.txt`` with a key a line, ``noisy_label_kv.txt`` and ``clean_label_kv.txt`` with a key and a class
a line, and ``images/``; a key is the path of an image in FOLDER. Training is on the noisy part alone, accuracy on the
clean test images.

Wang et al., arXiv:1905.11233, Section 4.2.3: ResNet-50 pretrained on ImageNet, SGD with momentum 0.9, weight decay
2e-5, rate 0.01 divided by 10 at 10,000 and 15,000 of 20,000 iterations, images of 256 pixels cropped to 224 and
mirrored, lam = 1 and beta = 2. ProSelfLC (Wang et al., CVPR 2021) trains 10,000 iterations. The batch is not stated,
64 here. The default network and size are what runs without a pretrained network, and not the paper's; shifts by up to
a fourteenth of the side stand for the crop.
"""

import functools

import numpy as np

from benchmarks.papers._image_folders import ImageFiles, check_layout, read_labels, read_lines
from benchmarks.papers._images import COMMON_LOSSES, NORMALIZED_LOSSES, dm, in_table_order, loss, proselflc
from benchmarks.papers._recipes import Recipe, Size
from sklabelnoise.training import CropFlip

N_CLASSES = 14
METHODS = {
    **COMMON_LOSSES,
    **NORMALIZED_LOSSES,
    "DM": dm(1, 2),
    "LS": loss("label_smoothing"),
    "ProSelfLC": proselflc(),
}
LISTS = {
    "train": ("noisy_train_key_list.txt", "noisy_label_kv.txt"),
    "test": ("clean_test_key_list.txt", "clean_label_kv.txt"),
}


@functools.lru_cache(maxsize=1)
def read(folder, side):
    """Noisy training images and clean test images."""
    files = [name for pair in LISTS.values() for name in pair]
    folder = check_layout(
        folder,
        ["images", *files],
        name="Clothing1M",
        layout=f"images/ and {', '.join(files)}, see github.com/Cysu/noisy_label",
    )
    parts = []
    for keys_name, labels_name in LISTS.values():
        keys, labels = read_lines(folder / keys_name), read_labels(folder / labels_name, N_CLASSES)
        unlabeled = [key for key in keys if key not in labels]
        if unlabeled:
            raise ValueError(
                f"{folder / labels_name} has no label for {len(unlabeled)} of the {len(keys)} images that {keys_name} "
                f"names, such as {unlabeled[0]}."
            )
        parts.append(
            ImageFiles([folder / key for key in keys], [labels[key] for key in keys], side, listed_in=keys_name)
        )
    return parts


def execute(folder, size, method, seed):
    """Accuracy on clean test images after training on noisy ones."""
    train, test = read(folder, size.side)
    if size.n_train is not None:
        train = train.take(np.random.default_rng([seed, 0]).permutation(len(train))[: size.n_train])
    training = {
        "module": size.module(),
        "optimizer": "SGD",
        "optimizer__momentum": 0.9,
        "lr": 0.01,
        "weight_decay": 2e-5,
        "batch_size": 64,
        "max_epochs": size.max_epochs,
        "lr_schedule": {"name": "milestones", "milestones": [0.5, 0.75], "gamma": 0.1},
        "augment": CropFlip(size.side // 14),
        "random_state": seed,
    }
    model = METHODS[method](training).fit(train)
    return {
        "n_images": len(train),
        "n_test": len(test),
        "label proba": round(float(np.mean(model.label_quality_)), 5),
        "final": round(float(np.mean(model.predict(test) == test.labels)), 5),
    }


RECIPE = Recipe(
    name="recipe_clothing1m",
    document=__doc__,
    size=Size(side=64, max_epochs=2, network="sklabelnoise.modules:PreActResNet18"),
    methods=tuple(METHODS),
    measures={"final": "test accuracy"},
    published=in_table_order(
        METHODS, ["final"], "71.7\n 72.4\n 39.7\n 71.7\n 72.5\n 64.5\n 16.4\n 69.9\n 73.3\n 72.6\n 73.4"
    ),
    execute=execute,
)

if __name__ == "__main__":
    RECIPE.main()

"""Plant Pathology 2020, leaves of apple trees and what ails them: SLR Table II.

    python -m benchmarks.papers.recipe_plant_pathology FOLDER
    python -m benchmarks.papers.recipe_plant_pathology FOLDER --side 456 --network my_networks:efficientnet_b5

FOLDER as https://www.kaggle.com/c/plant-pathology-2020-fgvc7/data gives it: ``train.csv`` with the columns image_id,
healthy, multiple_diseases, rust and scab, of which one is 1 in each row, and ``images/`` with IMAGE_ID.jpg for each.
The labels of the competition's test images are not published, so a fifth of the training images, drawn with each seed,
is for testing.

Fang et al., "Stochastic label refinery", ICPR 2020: EfficientNet-B5, two rounds, five runs, weight 3, five folds,
cosine rate with warm-up; rate, length, batch and augmentation are not stated, and how the images were split neither.
Here 0.05 with momentum 0.9, 20 epochs of batches of 32, shifts and mirror images. The default network and size are what
runs without a pretrained network, and not the paper's.
"""

import functools

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from benchmarks.papers._image_folders import ImageFiles, check_layout, read_columns
from benchmarks.papers._images import in_table_order, loss, refined
from benchmarks.papers._recipes import Recipe, Size
from sklabelnoise.training import CropFlip

CLASSES = ("healthy", "multiple_diseases", "rust", "scab")
METHODS = {
    "baseline": loss("cross_entropy"),
    "focal": loss("focal"),
    "label smoothing": loss("label_smoothing"),
    "SLR": refined(loss("cross_entropy"), n_rounds=2, label_weight=3, cv=5),
}


@functools.lru_cache(maxsize=1)
def read(folder, side):
    """Images in memory and their labels, numbers of `CLASSES`."""
    folder = check_layout(
        folder,
        ["train.csv", "images"],
        name="Plant Pathology 2020",
        layout="train.csv and images/, see kaggle.com/c/plant-pathology-2020-fgvc7/data",
    )
    table = read_columns(folder / "train.csv", ["image_id", *CLASSES])
    marks = table[list(CLASSES)].to_numpy()
    wrong = np.flatnonzero(~((marks == 1).sum(axis=1) == 1) | ~np.isin(marks, (0, 1)).all(axis=1))
    if len(wrong):
        raise ValueError(
            f"{folder / 'train.csv'}: one of {', '.join(CLASSES)} should be 1 and the others 0, got "
            f"{marks[wrong[0]].tolist()} for {table['image_id'].iloc[wrong[0]]}."
        )
    paths = [folder / "images" / f"{name}.jpg" for name in table["image_id"]]
    files = ImageFiles(paths, marks.argmax(axis=1), side, listed_in="train.csv")
    return files.array(), files.labels


def execute(folder, size, method, seed):
    """Accuracy and mean AUC of the classes on a fifth of the images."""
    X, y = read(folder, size.side)
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=seed)
    train = train[: size.n_train]
    training = {
        "module": size.module(),
        "optimizer": "SGD",
        "optimizer__momentum": 0.9,
        "lr": 0.05,
        "weight_decay": 1e-4,
        "batch_size": 32,
        "max_epochs": size.max_epochs,
        "lr_schedule": {"name": "cosine", "warmup": 0.1},
        "augment": CropFlip(size.side // 14),
        "random_state": seed,
    }
    proba = METHODS[method](training).fit(X[train], y[train]).predict_proba(X[test])
    return {
        "n_images": len(train),
        "n_test": len(test),
        "final": round(float(np.mean(proba.argmax(axis=1) == y[test])), 5),
        "auc": round(float(roc_auc_score(np.eye(len(CLASSES))[y[test]], proba)), 5),
    }


RECIPE = Recipe(
    name="recipe_plant_pathology",
    document=__doc__,
    size=Size(side=64, max_epochs=20, network="sklabelnoise.modules:PreActResNet18"),
    methods=tuple(METHODS),
    measures={"final": "accuracy", "auc": "mean AUC"},
    published=in_table_order(METHODS, ["final", "auc"], "0.9676 0.974 \n 0.9665 0.968 \n 0.9736 0.974 \n 0.9747 0.976"),
    execute=execute,
    scale=1,
    digits=4,
)

if __name__ == "__main__":
    RECIPE.main()

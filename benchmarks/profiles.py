"""Profiles: which tasks, methods and seeds one command runs, and the file that its rows go to.

All profiles with at most 2,000 training rows of tables share one file, so that a fit that two of them have in common is
made once: ``tables`` is every method under one kind of noise, ``kinds`` the methods that matter under seven.
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from benchmarks.methods import METHODS
from benchmarks.tasks import CIFAR10N, HELD_OUT, TABLES


@dataclass(frozen=True)
class Profile:
    """What one command runs.

    Parameters
    ----------
    tasks : sequence of str
        Names ``dataset/noise/rate``.
    methods : sequence of str
        Names of `benchmarks.methods.METHODS`.
    seeds : sequence of int
        Each fixes split, noise, initial weights and row order.
    budget : dict, default={}
        Training parameters that all networks get; empty for their defaults.
    max_train, max_test : int
        Rows used at most.
    without : sequence of (str, str)
        Data sets and methods that would take more time together than all the rest.
    file : str, default=""
        Name of the file of its rows; empty for the name of the profile.
    """

    tasks: tuple
    methods: tuple = tuple(METHODS)
    seeds: tuple = tuple(range(5))
    budget: dict = field(default_factory=dict)
    max_train: int = 5000
    max_test: int = 5000
    without: tuple = ()
    file: str = ""


# Candidates of DMClassifierCV, of which tables show some; what is asked for by name where classes are unequal; and what
# wraps every method of trees, of which they show one: five to thirty fits each.
_NOT_SHOWN = ("DM(0.5, 4)", "DM(1, 8)", "DM(2, 12)", "NoisyLabelClassifier, class weights")
WRAPPED = tuple(
    name
    for name in METHODS
    if name.startswith(("CleanLearning of", "refinery of"))
    and name not in ("CleanLearning of cross entropy", "CleanLearning of RandomForest", "refinery of cross entropy")
)
_SHOWN = tuple(name for name in METHODS if name not in (*_NOT_SHOWN, *WRAPPED))

# Shown under every kind of noise on tables, networks beside the best of the others; in the order of tables.
MATTER = (
    "cross entropy, clean labels", "NoisyLabelClassifier", "DMClassifierCV", "RandomForest, tuned", "ExtraTrees, tuned",
    "LightGBM, tuned", "robust LightGBM, tuned", "cross entropy, tuned", "CleanLearning of RandomForest, tuned",
    "CleanLearning of RandomForest", "GCE", "cross entropy", "cross entropy, stopped early", "RandomForest",
    "HistGradientBoosting",
)  # fmt: skip
# The ten best, at sizes at which time matters.
LARGE = (
    "cross entropy, clean labels", "NoisyLabelClassifier", "DMClassifierCV", "RandomForest, tuned", "ExtraTrees, tuned",
    "robust LightGBM, tuned", "cross entropy, tuned", "CleanLearning of RandomForest", "GCE", "cross entropy",
    "cross entropy, stopped early",
)  # fmt: skip
_LARGE_TABLES = ("adult", "letter", "magic", "shuttle", "sleep")

SIXTEEN = (*TABLES, "digits")
KINDS = (
    "symmetric/0.4", "pair_flip/0.4", "instance/0.4", "clean/0", "symmetric/0.2", "symmetric/0.6", "imbalance/0.1",
)  # fmt: skip

PROFILES = {
    # What `benchmarks.guard` runs again.
    "quick": Profile(
        tasks=("digits/symmetric/0.4", "magic/symmetric/0.4", "car_evaluation/symmetric/0.4"),
        methods=(
            "cross entropy, clean labels", "cross entropy", "cross entropy, stopped early", "DM(0, 0)", "DM(1, 16)",
            "DMClassifierCV", "ProSelfLC", "GCE", "LogisticRegression", "NoisyLabelClassifier",
        ),
        seeds=(0, 1),
        max_train=2000,
        without=(("magic", "NoisyLabelClassifier"),),  # the guard is to stay short
    ),
    "tables": Profile(tuple(f"{dataset}/symmetric/0.4" for dataset in SIXTEEN), _SHOWN, max_train=2000),
    # The kinds come one after the other within a seed, the most telling first.
    "kinds": Profile(
        tuple(f"{dataset}/{kind}" for kind in KINDS for dataset in SIXTEEN), MATTER, max_train=2000, file="tables"
    ),
    # The same on tables that nobody has looked at while choosing anything.
    "held_out": Profile(tuple(f"{dataset}/{kind}" for kind in KINDS for dataset in HELD_OUT), MATTER, max_train=2000),
    # CleanLearning and a refinery around every method of trees, plain and tuned.
    "wrapped": Profile(
        tuple(f"{dataset}/symmetric/0.4" for dataset in SIXTEEN), WRAPPED, (0, 1), max_train=2000, file="tables"
    ),
    "large": Profile(
        tuple(f"{dataset}/symmetric/0.4" for dataset in _LARGE_TABLES), LARGE, (0, 1), max_train=10_000, file="sizes"
    ),
    "full": Profile(
        tuple(f"{dataset}/symmetric/0.4" for dataset in _LARGE_TABLES), LARGE, (0,), max_train=10**6, file="sizes"
    ),
    # Every kind of noise and every data set; fewer rows, since there are nine times as many tasks.
    "noises": Profile(
        tasks=(
            *(
                f"{dataset}/{noise}"
                for dataset in (*SIXTEEN, "mnist", "banking77", "imdb")
                for noise in (
                    "clean/0", "symmetric/0.2", "symmetric/0.4", "symmetric/0.6", "pair_flip/0.3", "pair_flip/0.4",
                    "imbalance/0.1", "instance/0.4",
                )
            ),
            *(f"{dataset}/human/0" for dataset in ("lidc_malignancy", *CIFAR10N)),
        ),
        methods=(
            "cross entropy, clean labels", "cross entropy", "cross entropy, stopped early",
            "cross entropy, class weights", "label smoothing", "DM(0, 0)", "DM(0.5, 8)", "DM(1, 16)", "DMClassifierCV",
            "ProSelfLC", "soft bootstrapping", "hard bootstrapping", "GCE", "SCE", "ELR", "forward, estimated",
            "CleanLearning of cross entropy", "CleanLearning of RandomForest", "LogisticRegression", "RandomForest",
            "HistGradientBoosting", "MLPClassifier", "NoisyLabelClassifier", "RandomForest, tuned",
            "robust LightGBM, tuned", "cross entropy, tuned",
        ),
        seeds=(0, 1, 2),
        max_train=1000,
        max_test=2000,
        without=(
            ("banking77", "HistGradientBoosting"),
            ("banking77", "CleanLearning of RandomForest"),
            ("banking77", "robust LightGBM, tuned"),
        ),
    ),
}  # fmt: skip


def matching(patterns, tasks):
    """Names of tasks for some patterns, as ``*/pair_flip/0.4``; a pattern without wildcards is a task of its own.

    Raises
    ------
    ValueError
        If a pattern with wildcards matches none of the tasks.
    """
    chosen = []
    for pattern in patterns:
        found = [task for task in tasks if fnmatchcase(task, pattern)] if set(pattern) & set("*?[") else [pattern]
        if not found:
            raise ValueError(f"No task of the profile matches {pattern!r}; they are named as {tasks[0]!r}.")
        chosen += found
    return tuple(dict.fromkeys(chosen))

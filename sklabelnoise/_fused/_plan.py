"""Which fits of our classifiers can be trained together."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklabelnoise._classifiers._base import BaseNoisyLabelClassifier
from sklabelnoise._stacked._criterion import NotStackableError, check_stacked_criterion, same, stack_criteria
from sklabelnoise._stacked._optimizer import STACKABLE, optimizer_options
from sklabelnoise._stacked._vmap_check import why_not_stackable
from sklabelnoise.training._device import resolve_device, seeded
from sklabelnoise.training._training_set import check_training_set

MAX_SEED = 2**31 - 1

# A subclass that changes one of these may train or predict in a way the stacked training does not know.
_OWN_METHODS = (
    "fit",
    "_train",
    "_split",
    "_build_net",
    "_forward",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
)


@dataclass(frozen=True, eq=False)
class Fold:
    """One split of the rows.

    Attributes
    ----------
    X : ndarray or CSR matrix
        Validated rows, those of the test set included; folds may share them.
    dtype : numpy dtype
        Type to compute in.
    inputs : dict
        ``n_features_in_`` and, where there are names, ``feature_names_in_``.
    train, test : ndarray of int
        Row numbers in `X`.
    y : ndarray of shape (n_train,)
        Given labels of the training rows.
    sample_weight, soft_labels
        As in ``fit``, for the training rows.
    """

    X: object
    dtype: np.dtype
    inputs: dict
    train: np.ndarray
    test: np.ndarray
    y: np.ndarray
    sample_weight: object = None
    soft_labels: object = None

    def training_set(self, estimator):
        """What an estimator would train on in this fold, with row numbers in place of the rows."""
        # A column of row numbers goes through the checks: the rows themselves were validated once for all folds.
        column = self.train[:, None].astype(np.float64)
        data = check_training_set(clone(estimator), column, self.y, self.sample_weight, self.soft_labels, single=False)
        return replace(data, X=data.X[:, 0].astype(np.int64), dtype=self.dtype)

    def with_rows(self, data):
        """A training set of row numbers with the rows themselves."""
        return replace(data, X=self.X[data.X])

    def all_rows(self, data):
        """The same with the rows of weight zero beside it."""
        return replace(self.with_rows(data), all_X=self.X[self.train])


def validated_rows(estimator, X, y):
    """Rows as the ``fit`` of an estimator takes them.

    Returns
    -------
    fields : dict
        `X`, `dtype` and `inputs` of :class:`Fold`.
    """
    checker = clone(estimator)
    data = checker._check_training_set(X, y)
    names = ("n_features_in_", "feature_names_in_")
    inputs = {name: getattr(checker, name) for name in names if hasattr(checker, name)}
    return {"X": data.all_X, "dtype": data.dtype, "inputs": inputs}


@dataclass(eq=False)
class Recipe:
    """One candidate, with the net that its ``fit`` on the first fold would start from.

    Attributes
    ----------
    number : int
        Number of the candidate.
    estimator : BaseNoisyLabelClassifier
        Unfitted, with its parameters set.
    seed : int
        What its ``fit`` would draw from ``random_state``.
    sets : list of TrainingSet
        What it trains on in each fold, the rows given by their numbers.
    net : NoisyLabelNet
        Initialised.
    used : dict
        The training parameters.
    rates, options : dict
        See :func:`~sklabelnoise._stacked._optimizer.optimizer_options`.
    """

    number: int
    estimator: BaseNoisyLabelClassifier
    seed: int
    sets: list
    net: object
    used: dict
    rates: dict
    options: dict

    @property
    def criterion(self):
        """The loss, with the candidate's hyper-parameters."""
        return self.net.criterion_

    def difference(self, other):
        """Name what keeps two candidates from sharing a stack, seeds aside; None if nothing does."""
        mine, theirs = self.net.module_, other.net.module_
        module_params = [recipe.estimator._params_for("module") for recipe in (self, other)]
        if type(mine) is not type(theirs) or repr(mine) != repr(theirs) or not same(*module_params):
            return "another architecture"
        comparable = self.seed == other.seed or isinstance(self.estimator.module, torch.nn.Module)
        if comparable and not same(dict(mine.state_dict()), dict(theirs.state_dict())):
            return "other initial weights"
        for name in ("optimizer", "max_epochs", "batch_size", "device", "dtype"):
            if self.used[name] != other.used[name]:
                return f"another {name}"
        if not same(self.options, other.options):
            return "another option of the optimizer"
        if not all(same(a.X, b.X) and same(a.soft_targets, b.soft_targets) for a, b in self._pairs(other)):
            return "another class_weight"
        try:
            check_criteria([self, other])
        except NotStackableError as error:
            return str(error)
        return None

    def differs_in_seed_alone(self, other):
        """Whether two candidates can be the same replica of two groups."""
        return (
            self.difference(other) is None
            and self.rates == other.rates
            and same(self.used["lr_schedule"], other.used["lr_schedule"])
            and same(self.criterion, other.criterion)
            and all(same(a.sample_weight, b.sample_weight) for a, b in self._pairs(other))
        )

    def _pairs(self, other):
        return zip(self.sets, other.sets, strict=True)


@dataclass(eq=False)
class Stack:
    """Candidates that are trained together.

    Attributes
    ----------
    blocks : list of list of Recipe
        One list of K recipes for each seed; recipes at the same place differ in their seed alone.
    apart_by : str
        What keeps it from joining the first stack; empty for that one.
    """

    blocks: list
    apart_by: str = ""

    @property
    def recipes(self):
        """All recipes."""
        return [recipe for block in self.blocks for recipe in block]


@dataclass
class Plan:
    """Candidates sorted into those trained together and those fitted alone.

    Attributes
    ----------
    stacks : list of Stack
        Those trained together.
    reasons : dict of int to str
        Why the others are fitted alone, by their number.
    unusable_modules : set of str
        Those of the reasons that lie in a module that can't run as replicas.
    """

    stacks: list
    reasons: dict
    unusable_modules: set


def plan_fits(estimators, folds, *, share_seed=True):
    """Sort candidates into those that can be trained together and those that have to be fitted alone.

    Parameters
    ----------
    estimators : list of estimator
        Unfitted, with their parameters set.
    folds : list of Fold
        What each of them is trained on.
    share_seed : bool, default=True
        Whether estimators without a seed get one in common, so that they are compared on equal weights and orders.

    Returns
    -------
    plan : Plan
    """
    plan = Plan([], {}, set())
    common = None
    checked = []
    for number, estimator in enumerate(estimators):
        try:
            check_stackable(estimator)
            estimator._validate_params()
            seed = int(check_random_state(estimator.random_state).randint(MAX_SEED))
            if estimator.random_state is None and share_seed:
                seed = common = seed if common is None else common
            sets = _training_sets(estimator, folds, checked)
            _put(plan.stacks, _read_recipe(number, clone(estimator), folds[0], sets, seed))
        except NotStackableError as error:
            plan.reasons[number] = str(error)
        except Exception as error:  # the ordinary fit raises it again, where scikit-learn expects it
            plan.reasons[number] = first_line(error)
    _join_seeds(plan.stacks)
    for stack in list(plan.stacks):
        reason = _why_unusable(stack, folds[0])
        try:
            if reason is None:
                check_criteria(stack.blocks[0])
            else:
                plan.unusable_modules.add(reason)
        except NotStackableError as error:
            reason = str(error)
        if reason is not None:
            plan.stacks.remove(stack)
            plan.reasons.update(dict.fromkeys((recipe.number for recipe in stack.recipes), reason))
    return plan


def first_line(error):
    """An error as a reason in a table."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def check_stackable(estimator):
    """Raise a NotStackableError where the parameters tell already that an estimator has to be fitted alone."""
    name = type(estimator).__name__
    if not isinstance(estimator, BaseNoisyLabelClassifier):
        raise NotStackableError(f"{name} is none of the classifiers that can be trained as replicas")
    for method in _OWN_METHODS:
        if getattr(type(estimator), method) is not getattr(BaseNoisyLabelClassifier, method):
            raise NotStackableError(f"{name} has a method {method} of its own")
    if estimator.early_stopping:
        raise NotStackableError("early_stopping ends each training by itself")
    if estimator.callbacks:
        raise NotStackableError("callbacks watch a single training")
    for param, value in estimator.get_params().items():
        if param.startswith(("callbacks__", "iterator_")) or (param in estimator._net_switches and value):
            raise NotStackableError(f"{param} is set")


def build_net(estimator, fold, data, seed, *, whole=False):
    """The net that ``fit`` of an estimator would start from in a fold, and its training parameters.

    Parameters
    ----------
    estimator : BaseNoisyLabelClassifier
        With its parameters set.
    fold : Fold
        Holds the rows.
    data : TrainingSet
        The training set of the fold, by row numbers.
    seed : int
        Seeds the weights.
    whole : bool, default=False
        Whether statistics of all training rows are wanted, as images are scaled by; else two rows tell the sizes.
    """
    data = fold.with_rows(data if whole else data.take(np.arange(min(2, len(data)))))
    device = resolve_device(estimator.device)
    with seeded(seed, device):
        return estimator._build_net(estimator._as_tensors(data, device), data, device, seed)


def takes_statistics(fold):
    """Whether the net of a fold depends on its rows: images are scaled, tables are not."""
    return fold.X.ndim > 2


def _training_sets(estimator, folds, checked):
    """The training set of each fold; they depend on one parameter alone, by which `checked` remembers them."""
    for class_weight, sets in checked:
        if same(class_weight, estimator.class_weight):
            return sets
    sets = [fold.training_set(estimator) for fold in folds]
    checked.append((estimator.class_weight, sets))
    return sets


def _read_recipe(number, estimator, fold, sets, seed):
    net, used = build_net(estimator, fold, sets[0], seed)
    if net.augment is not None:
        raise NotStackableError("augment draws random numbers for each training")
    if hasattr(net.criterion_, "prepare"):
        raise NotStackableError(f"{type(net.criterion_).__name__} remembers every row")
    optimizer = net.optimizer_
    if type(optimizer) not in STACKABLE:
        names = ", ".join(kind.__name__ for kind in STACKABLE)
        raise NotStackableError(f"optimizer {type(optimizer).__name__} is none of {names}")
    if len(optimizer.param_groups) > 1:
        raise NotStackableError("the optimizer treats some parameters apart")
    rates, options = optimizer_options(optimizer)
    for name in ("amsgrad", "maximize"):
        if options.get(name):
            raise NotStackableError(f"optimizer__{name} is set")
    return Recipe(number, estimator, seed, sets, net, used, rates, options)


def _put(stacks, recipe):
    """Add a recipe to the first stack it fits into, else open one."""
    for stack in stacks:
        first = stack.blocks[0][0]
        if first.seed == recipe.seed and first.difference(recipe) is None:
            stack.blocks[0].append(recipe)
            return
    apart_by = ""
    if stacks:
        first = stacks[0].blocks[0][0]
        apart_by = first.difference(recipe) or "another random_state"
    stacks.append(Stack([[recipe]], apart_by))


def _join_seeds(stacks):
    """Make one stack of those whose candidates differ in their seeds alone."""
    for stack in list(stacks):
        for earlier in stacks[: stacks.index(stack)]:
            mine, theirs = stack.blocks[0], earlier.blocks[0]
            if len(mine) == len(theirs) and all(a.differs_in_seed_alone(b) for a, b in zip(mine, theirs, strict=True)):
                earlier.blocks += stack.blocks
                stacks.remove(stack)
                break


def _why_unusable(stack, fold):
    recipe = stack.blocks[0][0]
    data = fold.with_rows(recipe.sets[0].take(np.arange(min(4, len(recipe.sets[0])))))
    X = recipe.estimator._as_tensors(data, torch.device(recipe.net.device)).rows(np.arange(len(data)))
    return why_not_stackable(recipe.net.module_, X if recipe.net.preprocess is None else recipe.net.preprocess(X))


def check_criteria(recipes):
    """Raise a NotStackableError where the losses of some candidates can't be one loss of several replicas."""
    criteria = [recipe.criterion for recipe in recipes]
    like = {"dtype": recipes[0].net.dtype, "device": recipes[0].net.device}
    n_classes = len(recipes[0].sets[0].classes)
    check_stacked_criterion(stack_criteria(criteria, **like), criteria, n_classes=n_classes, **like)

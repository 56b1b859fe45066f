"""Which fits of our classifiers can be trained together."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklabelnoise._fused._folds import FusableClassifier, build_net, check_stackable
from sklabelnoise._stacked._criterion import NotStackableError, check_stacked_criterion, same, stack_criteria
from sklabelnoise._stacked._optimizer import STACKABLE, optimizer_options
from sklabelnoise._stacked._vmap_check import why_not_stackable

MAX_SEED = 2**31 - 1


@dataclass(eq=False)
class Recipe:
    """One candidate, with the net that its ``fit`` on the first fold would start from.

    Attributes
    ----------
    number : int
        Number of the candidate.
    estimator : FusableClassifier
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
    estimator: FusableClassifier
    seed: int
    sets: list
    net: object
    used: dict
    rates: dict
    options: dict

    @property
    def builder(self):
        """What makes its nets."""
        return self.estimator._net_builder()

    @property
    def criterion(self):
        """The loss, with the candidate's hyper-parameters."""
        return self.net.criterion_

    def difference(self, other):
        """Name what keeps two candidates from sharing a stack, seeds aside; None if nothing does."""
        mine, theirs = self.net.module_, other.net.module_
        module_params = [recipe.builder.module_params for recipe in (self, other)]
        if type(mine) is not type(theirs) or repr(mine) != repr(theirs) or not same(*module_params):
            return "another architecture"
        comparable = self.seed == other.seed or isinstance(self.builder.module, torch.nn.Module)
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
    X = data.as_tensors(torch.device(recipe.net.device)).rows(np.arange(len(data)))
    return why_not_stackable(recipe.net.module_, X if recipe.net.preprocess is None else recipe.net.preprocess(X))


def check_criteria(recipes):
    """Raise a NotStackableError where the losses of some candidates can't be one loss of several replicas."""
    criteria = [recipe.criterion for recipe in recipes]
    like = {"dtype": recipes[0].net.dtype, "device": recipes[0].net.device}
    n_classes = len(recipes[0].sets[0].classes)
    check_stacked_criterion(stack_criteria(criteria, **like), criteria, n_classes=n_classes, **like)

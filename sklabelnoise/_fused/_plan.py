"""Which fits of our classifiers can be trained together."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklabelnoise._foundation._seeds import draw_seed
from sklabelnoise._fused._folds import build_net
from sklabelnoise._stacked._augmentation import stackable_augmentation
from sklabelnoise._stacked._criterion import NotStackableError, check_stacked_criterion, stack_criteria
from sklabelnoise._stacked._equality import same
from sklabelnoise._stacked._optimizer import STACKABLE, optimizer_options
from sklabelnoise._stacked._vmap_check import why_not_stackable
from sklabelnoise.training._building import NetBuilder
from sklabelnoise.training._device import generator_on, resolve_device
from sklabelnoise.training._module import uncompiled
from sklabelnoise.training._net import NoisyLabelNet

# In a row, of which a batch is tried out before a module is trained in a stack.
_FEW_NUMBERS = 1024


@runtime_checkable
class FusableClassifier(Protocol):
    """What the fused fits ask of a classifier, beside scikit-learn's interface."""

    def _why_alone(self):
        """Why it has to be fitted alone, None where nothing in its parameters speaks against a stack."""

    def _check_training_set(self, X, y, sample_weight=None, soft_labels=None):
        """Rows and labels as its ``fit`` takes them, a TrainingSet."""

    def _net_builder(self):
        """What makes its nets, a NetBuilder."""

    def _record(self, net, data, used, given):
        """Take a trained net as the fitted state, and keep the given rows for what is asked of them later."""


@dataclass(eq=False)
class Candidate:
    """One candidate, with the net that its ``fit`` on the first fold would start from.

    Attributes
    ----------
    number : int
        Number of the candidate.
    estimator : FusableClassifier
        Unfitted, with its parameters set.
    seed : int
        What its ``fit`` would draw from ``random_state``.
    sets : dict of int to TrainingSet
        What it trains on in each fold at hand, the rows given by their numbers.
    builder : NetBuilder
        Makes its nets.
    net : NoisyLabelNet
        That of the first fold, initialized.
    used : dict
        The training parameters.
    rates, options : dict
        See :func:`~sklabelnoise._stacked._optimizer.optimizer_options`.
    has_all_sets : bool
        Whether all folds are at hand.
    """

    number: int
    estimator: FusableClassifier
    seed: int
    sets: dict
    builder: NetBuilder
    net: NoisyLabelNet
    used: dict
    rates: dict
    options: dict
    has_all_sets: bool

    @cached_property
    def traits(self):
        """What has to be equal within a stack, under the words for its being another."""
        module, builder = self.net.module_, self.builder
        # The weights of one seed, or of an instance that was handed in; other seeds are other weights anyway.
        from_user = isinstance(builder.module, torch.nn.Module)
        return {
            "another architecture": [type(module), repr(module), builder.module_params],
            "other initial weights": [None if from_user else self.seed, dict(module.state_dict())],
            # Two factories, or instances, may differ in what neither the layers nor the weights show.
            "another module": uncompiled(module) if from_user else builder.module,
            **{
                f"another {name}": self.used[name]
                for name in ("optimizer", "max_epochs", "batch_size", "device", "dtype")
            },
            "another option of the optimizer": self.options,
            "another augment": self.net.augment,
            "another class_weight": self._of_all_folds("X", "soft_targets"),
        }

    def _of_all_folds(self, *names):
        """Attributes of the training sets of all folds, or where not all are at hand, what these follow from."""
        if not self.has_all_sets:
            return self.estimator.class_weight
        return [[getattr(one, name) for name in names] for one in self.sets.values()]

    def difference(self, other):
        """Name the first trait that keeps two candidates from sharing a stack, seeds aside; None if there is none."""
        for name, mine in self.traits.items():
            theirs = other.traits[name]
            # Weights of other seeds are others anyway, and those of one module need not be fetched from a GPU.
            if name == "other initial weights" and (mine[0] != theirs[0] or self.net.module_ is other.net.module_):
                continue
            if not same(mine, theirs):
                return name
        return None

    def differs_in_seed_alone(self, other):
        """Whether two candidates can be the same replica under two seeds."""
        free = [
            [one.rates, one.used["lr_schedule"], one.net.criterion_, one._of_all_folds("sample_weight")]
            for one in (self, other)
        ]
        return _apart(self, other) is None and same(*free)


@dataclass(eq=False)
class Stack:
    """Candidates that are trained together.

    Attributes
    ----------
    by_seed : list of list of Candidate
        K candidates for each seed; those at the same place differ in their seed alone.
    numbers : list of int
        Numbers of all of them.
    unfit : str or None
        Why their losses can't be one after all.
    apart_by : str
        What keeps it from joining the first stack; empty for that one.
    """

    by_seed: list
    numbers: list
    unfit: str | None = None
    apart_by: str = ""


@dataclass
class Plan:
    """Candidates sorted into those trained together and those fitted alone.

    Attributes
    ----------
    data : SplitData or None
        Their folds, where some candidates can be trained together.
    stacks : list of Stack
        Those trained together.
    reasons : dict of int to str
        Why the others are fitted alone, by their number.
    unusable_modules : set of str
        Those of the reasons that lie in a module that can't run in a stack.
    """

    data: object = None
    stacks: list = field(default_factory=list)
    reasons: dict = field(default_factory=dict)
    unusable_modules: set = field(default_factory=set)

    def hold(self, splits):
        """Let go of the folds at hand, and make those of other splits."""
        self.data.hold(splits)
        for stack in self.stacks:
            for candidates in stack.by_seed:
                for candidate in candidates:
                    candidate.sets = self.data.training_sets(candidate.estimator)


def plan_fits(estimators, make_folds, *, share_seed=True):
    """Sort candidates into those that can be trained together and those that have to be fitted alone.

    Parameters
    ----------
    estimators : list of estimator
        Unfitted, with their parameters set.
    make_folds : callable
        ``make_folds(estimator)`` gives the SplitData of all that see the same rows as this one.
    share_seed : bool, default=True
        Whether estimators without a seed get one in common, so that they are compared on equal weights and orders.

    Yields
    ------
    plan : Plan
        One for all candidates that see the same rows, made when it is asked for.
    """
    for numbers in _with_equal_rows(estimators):
        yield _plan({number: estimators[number] for number in numbers}, make_folds, share_seed)


def final_classifier(estimator):
    """The last step of a Pipeline as scikit-learn's own class fits it, else the estimator itself.

    Folds are prepared by the steps before it, one by one. A subclass may fit otherwise, and what holds Pipelines itself
    is trained one fit after the other; :func:`~sklabelnoise._foundation._last_step.last_step` looks into these as well.
    """
    return estimator.steps[-1][1] if type(estimator) is Pipeline else estimator


def _with_equal_rows(candidates):
    """Numbers of candidates whose classifiers see the same rows: equal transformers, and one type to compute in."""
    groups = []
    for number, candidate in enumerate(candidates):
        classifier = final_classifier(candidate)
        head = {"": [getattr(classifier, name, None) for name in ("dtype", "device")]}
        if classifier is not candidate:
            head["steps"] = candidate.steps[:-1]
        _join(groups, (head, number), lambda first, one: same(one[0], first[0]))
    return [[number for _, number in group] for group in groups]


def _join(groups, item, is_alike):
    """Put an item into the first group whose first item is like it, into one of its own if there is none."""
    for group in groups:
        if is_alike(group[0], item):
            group.append(item)
            return
    groups.append([item])


def _plan(estimators, make_folds, share_seed):
    """The Plan of estimators that see the same rows, by their number."""
    plan = Plan()
    classifiers = {}
    for number, estimator in estimators.items():
        with _noting(plan, [number]):
            classifier = final_classifier(estimator)
            check_stackable(classifier)
            classifier._validate_params()
            classifiers[number] = classifier
    with _noting(plan, classifiers):
        plan.data = make_folds(estimators[next(iter(classifiers))]) if classifiers else None
    if plan.data is None:
        return plan
    common, candidates = None, []
    for number, classifier in classifiers.items():
        with _noting(plan, [number]):
            seed = draw_seed(classifier.random_state)
            if classifier.random_state is None and share_seed:
                seed = common = seed if common is None else common
            estimator = clone(classifier)
            sets, builder = plan.data.training_sets(estimator), estimator._net_builder()
            net, used = _shared_net(candidates, estimator, sets[0], builder, seed) or build_net(
                builder, plan.data.folds[0], sets[0], resolve_device(estimator.device), seed
            )
            of_net = net, used, *_rates_and_options(net)
            candidates.append(Candidate(number, estimator, seed, sets, builder, *of_net, plan.data.holds_all))
    plan.stacks = _sorted(plan, candidates)
    _join_seeds(plan.stacks)
    for stack in plan.stacks:
        with _noting(plan, stack.numbers):
            reason = _why_unusable(stack, plan.data.folds[0])
            if reason is not None:
                plan.unusable_modules.add(reason)
            reason = reason or stack.unfit
            if reason is not None:
                raise NotStackableError(reason)
    plan.stacks = [stack for stack in plan.stacks if stack.numbers[0] not in plan.reasons]
    return plan


def _shared_net(candidates, estimator, data, builder, seed):
    """The net of an earlier candidate that differs in the numbers of its loss alone, with this one's loss in it.

    A search over a loss would build the same net for each of its candidates, which takes longer than to train them
    together on a GPU. A loss that is none of ours may draw numbers as it is made, before what is drawn next.
    """
    known = {**vars(builder), "make_criterion": None}
    for other in candidates:
        if (
            other.seed == seed
            and other.estimator.device == estimator.device
            and type(other.net.criterion_).__module__.partition(".")[0] == "sklabelnoise"
            and same({**vars(other.builder), "make_criterion": None}, known)
            and same([other.sets[0].classes, other.sets[0].torch_dtype], [data.classes, data.torch_dtype])
        ):
            criterion = builder.make_criterion()
            if type(criterion) is not type(other.net.criterion_):
                return None
            # Not by `copy`, which brings the modules and the optimizer to the processor, and others back from there.
            net = object.__new__(type(other.net))
            vars(net).update(vars(other.net), criterion=criterion, criterion_=criterion.to(other.net.device))
            return net, dict(other.used)
    return None


@contextmanager
def _noting(plan, numbers):
    """Note why some candidates are fitted alone: an error of their own is raised again where they are fitted."""
    try:
        yield
    except Exception as error:
        plan.reasons.update(dict.fromkeys(numbers, reason_of(error)))


def reason_of(error):
    """An error as the reason for ordinary fits: a line of a table."""
    lines = str(error).strip().splitlines()
    if isinstance(error, NotStackableError):
        return str(error)
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def check_stackable(estimator):
    """Raise a NotStackableError where the parameters tell already that an estimator has to be fitted alone."""
    name = type(estimator).__name__
    # Of the class: scikit-learn's FrozenEstimator has the methods of the estimator in it, which must not be trained.
    if not issubclass(type(estimator), FusableClassifier):
        raise NotStackableError(f"{name} is none of the classifiers that can be trained in a stack")
    reason = estimator._why_alone()
    if reason is not None:
        raise NotStackableError(reason)


def _rates_and_options(net):
    """Those of its optimizer, of a net that can be trained in a stack."""
    stackable_augmentation(net.augment)
    if net.criterion_.needs_indices:
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
    return rates, options


def _sorted(plan, candidates):
    """Stacks of candidates of one seed each, in the order of their first ones."""
    groups = []
    for candidate in candidates:
        with _noting(plan, [candidate.number]):
            _join(groups, candidate, lambda first, one: first.seed == one.seed and _difference(first, one) is None)
    stacks = [stack for group in groups for stack in _stacks_of(group)]
    stacks.sort(key=lambda stack: stack.numbers[0])
    for stack in stacks[1:]:
        stack.apart_by = _apart(stacks[0].by_seed[0][0], stack.by_seed[0][0]) or "another random_state"
    return stacks


def _stacks_of(group):
    """Stacks of candidates whose losses can be one loss: almost always all of them, which one computation tells."""
    unfit = _unfit(group)
    if unfit is None or len(group) == 1:
        return [Stack([group], [candidate.number for candidate in group], unfit)]
    parts = []
    for candidate in group:
        _join(parts, candidate, lambda first, one: _unfit([first, one]) is None)
    return [Stack([part], [candidate.number for candidate in part], _unfit(part)) for part in parts]


def _difference(first, second):
    """What keeps two candidates from sharing a stack by what they are: a trait, or what is said in their losses."""
    difference = first.difference(second)
    if difference is not None:
        return difference
    try:
        stack_criteria([first.net.criterion_, second.net.criterion_])
    except NotStackableError as error:
        return str(error)
    return None


def _unfit(candidates):
    """Why the losses of some candidates can't be one, as computing tells; None if they can."""
    try:
        check_criteria(candidates)
    except Exception as error:  # a user's loss may fail in any way; where it is trained the error is noted
        return reason_of(error)
    return None


def _apart(first, second):
    """What keeps two candidates from sharing a stack, seeds aside."""
    return _difference(first, second) or _unfit([first, second])


def _join_seeds(stacks):
    """Make one stack of those whose candidates differ in their seeds alone."""
    for stack in list(stacks):
        for earlier in stacks[: stacks.index(stack)]:
            mine, theirs = stack.by_seed[0], earlier.by_seed[0]
            if len(mine) == len(theirs) and all(a.differs_in_seed_alone(b) for a, b in zip(mine, theirs, strict=True)):
                earlier.by_seed += stack.by_seed
                earlier.numbers += stack.numbers
                stacks.remove(stack)
                break


def _why_unusable(stack, fold):
    candidate = stack.by_seed[0][0]
    # Some functions of torch compute many rows in another way than few; of images, few have to do.
    n_rows = 32 if np.prod(fold.X.shape[1:]) <= _FEW_NUMBERS else 4
    data = fold.with_rows(candidate.sets[0].take(np.arange(min(n_rows, len(candidate.sets[0])))))
    X = data.as_tensors(torch.device(candidate.net.device)).rows(np.arange(len(data)))
    net = candidate.net
    X = X if net.preprocess is None else net.preprocess(X)
    if net.augment is not None:
        # What it can't do with these rows, or draws otherwise, it says here, and not in the middle of a training.
        stackable_augmentation(net.augment)(X.clone(), generator_on(net.device, candidate.seed))
    return why_not_stackable(net.module_, X)


def check_criteria(candidates):
    """Raise a NotStackableError where the losses of some candidates can't be one loss of several replicas.

    The processor tells it sooner than a GPU, which such small numbers keep waiting. What fails there is computed on the
    device: numbers of a loss may be on it.
    """
    criteria = [candidate.net.criterion_ for candidate in candidates]
    data, net = candidates[0].sets[0], candidates[0].net
    targets = {"n_classes": len(data.classes), "soft": data.soft_targets is not None}
    devices = dict.fromkeys([torch.device("cpu"), torch.device(net.device)])
    for device in devices:
        like = {"dtype": net.dtype, "device": device}
        try:
            return check_stacked_criterion(stack_criteria(criteria, **like), criteria, **targets, **like)
        except Exception as error:  # a user's loss may fail in any way
            refused = error
    raise refused

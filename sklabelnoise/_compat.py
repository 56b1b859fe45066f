"""The one room for names of scikit-learn, torch and skorch that are private or differ between their versions.

Each has a line on why it is needed and what will replace it. Everything else imports such names from here, which
tests/test_compat.py holds to. scikit-learn's names load with this file; torch is imported by the function that needs
it, so that what needs no torch does not load it.
"""

from __future__ import annotations

import numbers
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, partial
from inspect import signature
from typing import TYPE_CHECKING

import numpy as np

# Fits that check parameters against constraints, as scikit-learn's own do and its estimator checks ask for; goes when
# `_fit_context` is public, or each fit calls a check of its own.
from sklearn.base import _fit_context

# Tell which scorers ask for predictions alone; goes when scikit-learn's scorers have a public base class.
from sklearn.metrics._scorer import _BaseScorer as BaseScorer
from sklearn.metrics._scorer import _MultimetricScorer as MultimetricScorer
from sklearn.metrics._scorer import _PassthroughScorer as PassthroughScorer

# Recognizes searches, whose `fit` holds back rows and copies the estimator; goes with a public common base.
from sklearn.model_selection._search import BaseSearchCV

# One fit and its scores exactly as GridSearchCV notes them, its handling of failed fits included; replaced by nothing
# public: goes if scikit-learn lets a search hand over how its fits are run.
from sklearn.model_selection._validation import _fit_and_score
from sklearn.model_selection._validation import _insert_error_scores as insert_error_scores
from sklearn.model_selection._validation import _score as score_fitted
from sklearn.model_selection._validation import _warn_or_raise_about_fit_failures as warn_or_raise_about_fit_failures

# Rows of arrays, frames, sparse matrices and lists alike; goes when it has a public name again (it had one until 0.23).
from sklearn.utils import _safe_indexing as safe_indexing

# The language of `_parameter_constraints`; goes together with `fit_context`.
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils._param_validation import Interval as _Interval

# Rows and labels of a fold as scikit-learn's loops take them, of kernels rows and columns alike; no public name yet.
from sklearn.utils.metaestimators import _safe_split as safe_split

# Metadata of the right length cut to the rows of a fold, as GridSearchCV does it; a few lines of our own would do.
from sklearn.utils.validation import _check_method_params as check_method_params

# Weights of rows with scikit-learn's errors, which its estimator checks ask for; no public name yet.
from sklearn.utils.validation import _check_sample_weight

# A numeric target with scikit-learn's errors; `check_array(y, ensure_2d=False)` with other words.
from sklearn.utils.validation import _check_y as check_y

# Number of rows of anything that has rows; `check_consistent_length` has no public counterpart that returns it.
from sklearn.utils.validation import _num_samples as num_samples

from sklabelnoise._foundation._counts import is_integer

# What a notebook shows of an estimator that holds others in a list; no public name yet.
try:  # its place since scikit-learn 1.7
    from sklearn.utils._repr_html.estimator import _VisualBlock
except ImportError:
    from sklearn.utils._estimator_html_repr import _VisualBlock

try:  # scikit-learn 1.9 brings callbacks; when it is the floor, these two lines are all that stays
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """Stands in for scikit-learn's mixin where it has no callbacks: there is no `set_callbacks`."""

    def with_callbacks(method):
        """Stand in for scikit-learn's decorator."""
        return method


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Method = TypeVar("Method", bound=Callable[..., object])

    # scikit-learn's decorators have no types; to an editor a decorated method is the method.
    def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Method], Method]: ...
    def with_callbacks(method: Method) -> Method: ...
else:
    fit_context = _fit_context


class Interval(_Interval):
    """Numbers as arguments of estimators: no booleans, and no integers that what computes with them can't hold.

    scikit-learn reads True as 1, and takes integers of any size, which torch and NumPy overflow on.
    """

    def is_satisfied_by(self, val):
        """Whether a value of an argument is one of these numbers."""
        if isinstance(val, numbers.Integral) and not is_integer(val):
            return False
        return super().is_satisfied_by(val)


__all__ = [
    "abort_group",
    "BaseScorer",
    "BaseSearchCV",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "MultimetricScorer",
    "PassthroughScorer",
    "StrOptions",
    "binned_by_columns",
    "callback_context",
    "check_method_params",
    "check_sample_weight",
    "check_y",
    "close_if_open",
    "default_store",
    "dispatch_mode",
    "display_block",
    "ended",
    "fit_and_score",
    "fit_context",
    "forget_recording",
    "fused_adam_stepped",
    "fused_optimizer_devices",
    "go_back_with",
    "has_callbacks",
    "has_hooks",
    "has_step_hooks",
    "has_tensor_hooks",
    "insert_error_scores",
    "is_compiled_in_place",
    "num_samples",
    "overload_with_generator",
    "register_generator",
    "safe_globals",
    "safe_indexing",
    "safe_split",
    "score_fitted",
    "under_functorch_transforms",
    "under_modes",
    "unrecorded_step",
    "warn_or_raise_about_fit_failures",
    "with_callbacks",
]

_FIT_AND_SCORE_TAKES_CALLBACKS = "callback_ctx" in signature(_fit_and_score).parameters


class _NoCallbacks:
    """The part of scikit-learn's ``CallbackContext`` that we use, where scikit-learn has none."""

    def subcontext(self, **kwargs):
        return self

    def propagate_callback_context(self, estimator):
        return nullcontext()

    def call_on_fit_task_begin(self, **kwargs):
        return self

    def call_on_fit_task_end(self, **kwargs):
        return False


def has_callbacks(estimator):
    """Whether anybody listens to the fit of this estimator: its own callbacks or those of what fits it.

    Private attributes, as the public way, making a context, costs the fits that have no callbacks.
    """
    return bool(getattr(estimator, "_skl_callbacks", None)) or hasattr(estimator, "_parent_callback_ctx")


def callback_context(estimator, *, max_subtasks):
    """The root of an estimator's callback contexts; before scikit-learn 1.9 one that does nothing.

    Private, as scikit-learn documents ``CallbackSupportMixin`` for third parties but not yet this method's name.
    """
    if not hasattr(estimator, "_init_callback_context"):
        return _NoCallbacks()
    return estimator._init_callback_context(max_subtasks=max_subtasks)


def fit_and_score(estimator, X, y, *, caller, callback_ctx, **kwargs):
    """scikit-learn's `_fit_and_score`; before 1.9 it takes neither the search nor a callback context."""
    if _FIT_AND_SCORE_TAKES_CALLBACKS:
        kwargs |= {"caller": caller, "callback_ctx": callback_ctx}
    return _fit_and_score(estimator, X, y, **kwargs)


def check_sample_weight(sample_weight, X, **kwargs):
    """scikit-learn's `_check_sample_weight`; before 1.9 all-zero weights pass it, one in an array does not."""
    if getattr(sample_weight, "shape", None) == ():
        sample_weight = sample_weight.item()
    weight = _check_sample_weight(sample_weight, X, **kwargs)
    if not weight.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weight


def display_block(estimator, parts):
    """How scikit-learn's page of an estimator shows those it holds: side by side, each under its name.

    Parameters
    ----------
    estimator : estimator instance
        That holds them.
    parts : dict of str to estimator or str
        Where there are none, the estimator is shown alone.
    """
    if parts:
        return _VisualBlock("parallel", list(parts.values()), names=list(parts))
    return _VisualBlock("single", estimator, names=type(estimator).__name__, name_details=str(estimator))


@contextmanager
def safe_globals(allowed):
    """``torch.serialization.safe_globals``, which torch 2.4 lacks; goes when 2.5 is the floor.

    Parameters
    ----------
    allowed : list of callable or of (callable, str)
        What a file may name while it is loaded with ``weights_only=True``; in a pair, under which name.
    """
    import torch

    serialization = torch.serialization
    if hasattr(serialization, "safe_globals"):
        with serialization.safe_globals(allowed):
            yield
        return
    import _codecs

    before = serialization.get_safe_globals()
    # torch 2.4 does not yet trust the bytes of numpy 1's arrays, which Python pickles as encoded text
    serialization.add_safe_globals([_codecs.encode])
    serialization.add_safe_globals([_renamed(*one) if isinstance(one, tuple) else one for one in allowed])
    try:
        yield
    finally:
        serialization.clear_safe_globals()
        serialization.add_safe_globals(before)


def _renamed(function, name):
    """The same function under another full name, by which torch 2.4 finds what it allows."""

    def alias(*args, **kwargs):
        return function(*args, **kwargs)

    alias.__module__, _, alias.__name__ = name.rpartition(".")
    return alias


# Bins are found for so many columns at a time that their numbers take about this many bytes, or a sixteenth of all.
_BINNED_BYTES = 2**21


@contextmanager
def binned_by_columns(estimator, columns_of=None):
    """A block in which boosting on histograms finds its bins, and what lies in them, for few columns at a time.

    By itself it asks for every column of all rows in double precision, eight bytes where it goes on with one, and of
    more than 200,000 rows for a sample of as many beside them. The bins are the same. Private; goes when scikit-learn
    bins column by column. Estimators of another kind, or with a way of binning of their own, are left alone.

    Parameters
    ----------
    estimator : estimator instance
        What is fitted in the block.
    columns_of : callable or None, default=None
        ``columns_of(X, columns)`` returns a slice of columns, float64, where the X that is fitted stands for them. None
        where X holds them; then only the sample is spared.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    whole = getattr(HistGradientBoostingClassifier, "_bin_data", None)
    if whole is None or getattr(type(estimator), "_bin_data", None) is not whole:
        yield
        return

    def bin_data(X, *sample_weight, is_training_data):
        mapper = estimator._bin_mapper
        is_sampled = mapper.subsample is not None and len(X) > mapper.subsample
        if is_training_data and (columns_of is not None or is_sampled):
            mapper.fit_transform = partial(_binned, mapper, columns_of or (lambda X, columns: X[:, columns]))
        try:
            return whole(estimator, X, *sample_weight, is_training_data=is_training_data)
        finally:
            vars(mapper).pop("fit_transform", None)

    estimator._bin_data = bin_data
    try:
        yield
    finally:
        del estimator._bin_data


def _binned(mapper, columns_of, X, **sample_weight):
    """What the mapper's own `fit_transform` returns, by columns."""
    given, parts = mapper.get_params(deep=False), []
    width = max(1, X.shape[1] // 16, _BINNED_BYTES // (8 * len(X)))
    binned = np.empty(X.shape, dtype=np.uint8, order="F")
    for start in range(0, X.shape[1], width):
        columns = slice(start, start + width)
        own = {name: given[name][columns] for name in ("is_categorical", "known_categories") if given[name] is not None}
        table = columns_of(X, columns)
        # Its seed is an integer, so that each part draws the same sample.
        parts.append(type(mapper)(**{**given, **own}).fit(table, **sample_weight))
        binned[:, columns] = parts[-1].transform(table)
    mapper.bin_thresholds_ = [thresholds for part in parts for thresholds in part.bin_thresholds_]
    for name in ("n_bins_non_missing_", "is_categorical_"):
        setattr(mapper, name, np.concatenate([getattr(part, name) for part in parts]))
    mapper.missing_values_bin_idx_ = parts[0].missing_values_bin_idx_
    return binned


def go_back_with(logits, derivative):
    """As ``logits.backward(derivative)``, for a derivative that is known to be of the shape and type of the logits.

    torch compares the shapes through the symbols of its compiler, which is a tenth of the backward pass of a small
    network. Private: the pass itself.
    """
    import torch

    engine = getattr(torch.autograd.graph, "_engine_run_backward", None)
    if engine is None or type(logits) is not torch.Tensor:
        logits.backward(derivative)
    else:
        engine((logits,), (derivative,), False, False, (), allow_unreachable=True, accumulate_grad=True)


def under_functorch_transforms():
    """Whether this runs under ``torch.vmap`` or the like.

    Private, but ``torch.autograd.Function.apply`` itself decides by it; goes when torch names it in ``torch.func``.
    """
    import torch  # each time: a cached function in its place makes torch.compile warn

    return torch._C._are_functorch_transforms_active()


def under_modes():
    """Whether somebody in this thread hears of every operation of torch, or of every tensor that it saves.

    Private; goes when torch names a way to ask. Before 2.8 it can't be asked who hears of tensors that are saved.
    """
    import torch

    modes = torch._C._len_torch_dispatch_stack() + torch._C._len_torch_function_stack()
    hooks_of_saving = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", None)
    return modes > 0 or (hooks_of_saving is not None and hooks_of_saving(True) is not None)


def is_compiled_in_place(module):
    """Whether ``module.compile()`` was called, which leaves a module its class; goes when torch names a way to ask."""
    return module._compiled_call_impl is not None


def register_generator(graph, generator):
    """Tell a CUDA graph of a generator that is drawn from; torch from 2.14 on finds out, and warns of being told."""
    import torch

    if torch.__version__ < (2, 14):
        graph.register_generator_state(generator)


def forget_recording(pool, device, generators):
    """Bring torch's allocator and generators back from a recording that failed, which newer versions do themselves.

    Else the one asks the graph that is gone for every tensor, gives no memory back, and may stop the process; the
    others refuse to draw. Private: what torch does at the end of a recording that succeeds.

    Parameters
    ----------
    pool : tuple of int
        Where the recording had its memory.
    device : torch.device
        The GPU, with its number.
    generators : list of torch.Generator
        Those that were recorded, torch's own included.
    """
    import torch

    names = "_cuda_endAllocateToPool", "_cuda_endAllocateCurrentStreamToPool"
    end = next((getattr(torch._C, name) for name in names if hasattr(torch._C, name)), None)
    if end is not None:
        with suppress(RuntimeError):  # it has ended
            end(device.index, pool)
            torch._C._cuda_releasePool(device.index, pool)
    if torch.__version__ < (2, 13):
        for generator in generators:
            generator.graphsafe_set_state(generator.clone_state())


def has_tensor_hooks(tensor):
    """Whether somebody hears of the gradient of a parameter.

    Private; goes when torch names a way to ask.
    """
    return bool(tensor._backward_hooks or tensor._post_accumulate_grad_hooks)


def has_step_hooks(optimizer):
    """Whether somebody hears of the steps of an optimizer, or has put a step of his own in their place.

    Private; goes when torch names a way to ask.
    """
    listeners = (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks, *_hooks_of_every_step())
    return "step" in vars(optimizer) or any(listeners)


def has_hooks(module):
    """Whether somebody hears of it when a module is called.

    Private; goes when torch names a way to ask.
    """
    own = module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks
    return any(own) or any(_hooks_of_every_module())


@cache
def _hooks_of_every_module():
    from torch.nn.modules import module

    names = "_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks", "_global_backward_pre_hooks"
    return [getattr(module, name) for name in names]


@cache
def fused_optimizer_devices():
    """Types of devices on which ``torch.optim.SGD``, ``Adam`` and ``AdamW`` have a step in one operation.

    Private; goes when these choose it by themselves, as they do ``foreach``.
    """
    from torch.utils._foreach_utils import _get_fused_kernels_supported_devices

    return frozenset(_get_fused_kernels_supported_devices())


def unrecorded_step(optimizer):
    """The step of an optimizer, as a function of it, where nobody listens: no profiler and no hook; else None.

    torch wraps each step into a record for its profiler, which takes as long as a tenth of all that a small network's
    training does. Private; goes when torch makes the record only while it profiles.
    """
    import torch

    wrapped = type(optimizer).step
    if not getattr(wrapped, "hooked", False) or torch.autograd._profiler_enabled() or has_step_hooks(optimizer):
        return None
    return wrapped.__wrapped__


def fused_adam_stepped(optimizer):
    """Make the step of an Adam or AdamW that is one operation on a CPU; whether that was possible.

    Before that operation torch sorts the tensors by device and type and asks its compiler whether it is at work, which
    takes twice as long as the operation where a network is small. Private: the operation itself.
    """
    import torch

    kind = type(optimizer)
    if kind is not torch.optim.AdamW and kind is not torch.optim.Adam:
        return False
    known, prepared = optimizer.state, []
    for group in optimizer.param_groups:
        lr, (beta1, beta2) = group["lr"], group["betas"]
        if not group["fused"] or group["amsgrad"] or group["capturable"] or group["differentiable"]:
            return False
        if isinstance(lr, torch.Tensor) or isinstance(beta1, torch.Tensor) or isinstance(beta2, torch.Tensor):
            return False
        params, gradients, means, squares, steps = [], [], [], [], []
        dtype = None
        for p in group["params"]:
            gradient = p.grad
            if gradient is None:
                continue
            state, dtype = known.get(p), dtype or p.dtype
            if not state or not gradient.is_cpu or gradient.layout is not torch.strided or p.dtype is not dtype:
                return False
            params.append(p)
            gradients.append(gradient)
            means.append(state["exp_avg"])
            squares.append(state["exp_avg_sq"])
            steps.append(state["step"])
        if params:
            prepared.append((group, lr, beta1, beta2, params, gradients, means, squares, steps))
    with torch.no_grad():
        for group, lr, beta1, beta2, params, gradients, means, squares, steps in prepared:
            torch._foreach_add_(steps, 1)
            decoupled = group.get("decoupled_weight_decay", kind is torch.optim.AdamW)
            (torch._fused_adamw_ if decoupled else torch._fused_adam_)(
                params, gradients, means, squares, [], steps, lr=lr, beta1=beta1, beta2=beta2, amsgrad=False,
                weight_decay=group["weight_decay"], eps=group["eps"], maximize=group["maximize"],
            )  # fmt: skip
    return True


@cache
def _hooks_of_every_step():
    from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

    return _global_optimizer_pre_hooks, _global_optimizer_post_hooks


def default_store():
    """What processes that torch connects can write to and read from; goes when torch gives it a public name."""
    from torch.distributed.distributed_c10d import _get_default_store

    return _get_default_store()


def abort_group(group):
    """Give up what a group of processes exchanges, waiting for nobody; torch before 2.6 has no such method."""
    if hasattr(group, "abort"):
        group.abort()


def dispatch_mode():
    """The base class of blocks that see every operation of torch in their thread, at the level of its operators.

    Private by its path, though documented by torch's developers for extensions; goes when it stands in
    ``torch.overrides`` beside the modes of functions, which do not see what an operator written in C++ calls.
    """
    from torch.utils._python_dispatch import TorchDispatchMode

    return TorchDispatchMode


def close_if_open(mode):
    """Close a block of torch's modes that is the innermost of its kind in this thread still; any other stays.

    Private; goes when an interrupt can't come between an opened block and its end. It can come within that end, where
    torch has taken back a part of what it noted.
    """
    from torch.overrides import TorchFunctionMode, _get_current_function_mode
    from torch.utils._python_dispatch import _get_current_dispatch_mode, _pop_mode

    innermost = _get_current_function_mode if isinstance(mode, TorchFunctionMode) else _get_current_dispatch_mode
    while innermost() is mode:
        try:
            mode.__exit__(None, None, None)
        except IndexError:  # of modes of operators alone
            _pop_mode()


@contextmanager
def ended(mode):
    """A block of one of torch's modes that has ended behind it, also where Ctrl-C kept torch from closing it."""
    try:
        with mode:
            yield mode
    finally:
        close_if_open(mode)


@cache
def overload_with_generator(operator):
    """The overload of one of torch's operators that takes a generator and otherwise the same, None if there is none.

    Private, as schemas have no public accessor; goes when torch lets a mode hand over a generator.
    """
    packet = operator.overloadpacket
    wanted = [argument.name for argument in operator._schema.arguments]
    for overload in (operator, *(getattr(packet, name) for name in packet.overloads())):
        names = [argument.name for argument in overload._schema.arguments]
        if "generator" in names and [name for name in names if name != "generator"] == [
            name for name in wanted if name != "generator"
        ]:
            return overload
    return None

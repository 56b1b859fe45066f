"""The forward pass of a fitted net over many rows: batch by batch, and safe beside other threads."""

import threading
from contextlib import contextmanager, nullcontext

import numpy as np
import torch

from sklabelnoise.modules._draws import captured, may_draw, seeded
from sklabelnoise.training._augmentation import average_over_views
from sklabelnoise.training._batches import DatasetData
from sklabelnoise.training._callers_torch import callers_torch_aside
from sklabelnoise.training._device import generator_on
from sklabelnoise.training._failures import naming_batch_size
from sklabelnoise.training._module import input_of_last_linear, last_linear, twin, uncompiled


@callers_torch_aside()
def map_batches(net, X, function, *, own_module=False):
    """Apply a function to rows batch by batch, in evaluation mode.

    Calls from several threads do not meet, and nothing random depends on what was called before: a module that draws in
    evaluation mode draws the same in every call.

    Parameters
    ----------
    net : NoisyLabelNet
        A net that was trained.
    X : array, CSR matrix, Dataset, TensorData or DatasetData
        Rows.
    function : callable
        ``function(module, x)`` of the module, or a twin of it, and its input; returns one row for each row of x.
    own_module : bool, default=False
        Whether the function changes the module (by a hook, for example), so that it needs a twin for itself.

    Returns
    -------
    results : Tensor
        What it returned for all rows, on the CPU. It is the only memory that grows with the number of rows.
    """
    with naming_batch_size(None, net.device):
        data = net.get_dataset(X)
    batches = net.get_iterator(data, training=False)
    foreign = may_draw(net.module_)
    results, done = None, 0
    draws = foreign or isinstance(data, DatasetData)
    with (
        seeded(net.seed) if draws else nullcontext(),
        captured(draws),
        _module_apart(net, foreign, own_module) as module,
        torch.no_grad(),  # not inference mode, in which a module can't take derivatives of its own
        naming_batch_size(batches.batch_size, net.device, name="iterator_valid__batch_size"),
    ):
        module.eval()
        for batch in batches:
            x = batch[0] if net.preprocess is None else net.preprocess(batch[0])
            part = function(module, x)
            if results is None:
                # Small results kept between large ones would keep the heap from giving memory back.
                results = torch.empty((len(data), *part.shape[1:]), dtype=part.dtype)
            results[done : done + len(part)] = part
            done += len(part)
    return results


def map_logits(net, X, function):
    """Apply a function of logits to those of rows, batch by batch.

    Parameters
    ----------
    net : NoisyLabelNet
        A net that was trained.
    X : array, CSR matrix, Dataset, TensorData or DatasetData
        Rows.
    function : callable
        ``function(logits)`` returns one row for each row of logits.

    Returns
    -------
    results : ndarray
        What it returned for all rows.

    Raises
    ------
    ValueError
        If the logits of a row are no numbers to predict from.
    """
    finite = True

    def answer(module, x):
        nonlocal finite
        logits = net.call(module, x)
        # A class may be impossible to a network, but not all of them; NaN counts as the largest.
        finite = logits.amax(dim=1).isfinite().all() & finite
        return function(logits)

    results = map_batches(net, X, answer).numpy()
    if not finite:
        _refuse_not_finite(type(net.module_).__name__)
    return results


def check_logits(logits):
    """Refuse logits, known already, that are no numbers to predict from.

    Parameters
    ----------
    logits : ndarray of shape (n_rows, n_classes)

    Raises
    ------
    ValueError
        As :func:`map_logits`.
    """
    # Nearly always all are finite, which takes a tenth of the time that the greatest of each row takes.
    if not np.isfinite(logits).all() and not np.isfinite(logits.max(axis=1)).all():
        _refuse_not_finite("network")


def _refuse_not_finite(network):
    raise ValueError(
        f"The fitted {network} gives logits that are not finite for some rows of X in evaluation mode. Check the scale "
        "of X, and what the module does otherwise than in training, such as its running statistics."
    )


def mean_proba_over_views(net, X, n_augment):
    """Mean probabilities of rows and of `n_augment` augmented views of each; the views are the same in every call."""
    generator = generator_on(net.device, net.seed)

    def mean_proba(module, x):
        def proba(batch):
            return net.call(module, batch).softmax(dim=1)

        return average_over_views(proba, x, net.augment, n_augment, generator)

    with seeded(net.seed), captured(may_draw(net.augment)):
        return map_batches(net, X, mean_proba).numpy()


def embedding(net, X):
    """What the last ``Linear`` of the module is given for each row, or what its `forward_features` returns.

    Raises
    ------
    ValueError
        If the module has neither.
    """
    # By a hook on the layer, which must not see the rows of another call.
    by_hook = last_linear(net.module_) is not None
    if not by_hook and not hasattr(net.module_, "forward_features"):
        raise ValueError(
            f"embed needs a module with a Linear layer or forward_features, got {type(net.module_).__name__}."
        )

    def features(module, x):
        with net.autocast():
            found = input_of_last_linear(module, x) if by_hook else module.forward_features(x).flatten(1)
        return found.to(net.dtype)

    return map_batches(net, X, features, own_module=by_hook).numpy()


@callers_torch_aside()
def rows_at_once(net, X, limit):
    """About `limit` rows of X that are predicted, alone, in the same batches as among the others."""
    batch_size = net.get_iterator(net.get_dataset(X)).batch_size
    return max(1, limit // batch_size) * batch_size


@contextmanager
def _module_apart(net, foreign, own_module):
    """The module for one prediction, or a twin where the forward pass of another thread may meet this one.

    Modules of users may keep what they compute in attributes; those of torch and of this package do not.
    """
    module = uncompiled(net.module_)
    if own_module:
        yield twin(module)
    elif not foreign:
        yield net.module_
    elif net.turn_.lock.acquire(blocking=module is not net.module_):
        try:
            yield net.module_
        finally:
            net.turn_.lock.release()
    else:
        yield twin(module)


class Turn:
    """A lock that is a new one in a copy and in another process."""

    def __init__(self):
        self.lock = threading.Lock()

    def __reduce__(self):
        return Turn, ()

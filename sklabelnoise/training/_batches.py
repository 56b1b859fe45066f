"""Training data as tensors on the device, and the batches gathered from them."""

import copy
import math

import numpy as np
import scipy.sparse
import torch
from skorch.dataset import Dataset as SkorchDataset
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler

from sklabelnoise._foundation._counts import is_integer
from sklabelnoise.modules._draws import captured
from sklabelnoise.training._named_rows import NamedRows, collated, naming_item
from sklabelnoise.training._streams import as_tensor, reads_ahead, sent_ahead, stays_on_host

# Rows of a table in one forward pass of prediction.
PREDICTION_ROWS = 4096
# Bytes of inputs that are gathered at once, for several batches: to gather each costs a small network a good part of
# its step, and what does not stay in the cache is read twice.
_BYTES_AT_ONCE = 2**18
# Options of a DataLoader that say how items are loaded, and nothing of what they are.
_HOW_ITEMS_ARE_LOADED = {
    *("num_workers", "pin_memory", "pin_memory_device", "persistent_workers", "prefetch_factor", "timeout"),
    *("worker_init_fn", "multiprocessing_context", "in_order"),
}


class Batch(tuple):
    """Inputs and labels of a batch; unpacks as ``X, y`` for skorch's callbacks, and carries what the criterion needs.

    Where several processes train together ``X, y`` are the part of this one, and all else is of the whole batch.

    Attributes
    ----------
    labels : Tensor
        The labels.
    target : Tensor
        What the criterion is called with: soft targets where there are some, else the labels.
    sample_weight : Tensor or None
        Weight of each row.
    indices : Tensor
        Row numbers of the batch in its data set.
    """

    def __new__(cls, X, labels, target, sample_weight, indices, part=None):
        self = super().__new__(cls, (X, labels if part is None else labels[part]))
        self.labels, self.target, self.sample_weight, self.indices = labels, target, sample_weight, indices
        return self


class TensorData(SkorchDataset):
    """Rows, labels and what belongs to them, held as tensors on one device.

    Rows that do not fit there stay on the host (:func:`stays_on_host`) and are sent batch by batch. It is a data set in
    skorch's sense (``len``, integer indexing, `X` and `y`), so that skorch's callbacks can use it, and gives whole
    batches by index.

    Parameters
    ----------
    X : ndarray, Tensor or CSR matrix
        A CSR matrix stays one: its rows are made dense batch by batch. A memory-mapped array is never read whole.
    labels : ndarray of int of shape (n_samples,)
        Class indices of the given labels.
    soft_targets : ndarray of shape (n_samples, n_classes), default=None
        Rows on the simplex that replace the labels in the criterion.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weight of each row.
    device : torch.device, default="cpu"
        Where the tensors live.
    dtype : torch.dtype, default=torch.float32
        Type of soft targets, weights, and of the dense rows of a CSR matrix.
    """

    def __init__(self, X, labels, *, soft_targets=None, sample_weight=None, device="cpu", dtype=torch.float32):
        self.device, self.dtype = torch.device(device), dtype
        self.X = X if stays_on_host(X, self.device) else as_tensor(X).to(self.device)
        self.labels = as_tensor(labels).to(self.device)
        self.soft_targets, self.sample_weight = (
            None if values is None else as_tensor(values).to(self.device, dtype)
            for values in (soft_targets, sample_weight)
        )

    def __len__(self):
        return self.X.shape[0]

    def __getitem__(self, i):
        return self.rows(np.atleast_1d(i))[0], self.labels[i]

    @property
    def y(self):
        """The labels, under skorch's name."""
        return self.labels

    @property
    def shape(self):
        """That of the inputs, for callbacks, which skorch hands them."""
        return self.X.shape

    def rows(self, index):
        """Inputs of the rows `index`, dense, on the device."""
        if self.on_host:
            return self.rows_on_host(index).to(self.device, non_blocking=True)
        return self.X[torch.as_tensor(index, device=self.device)]

    @property
    def on_host(self):
        """Whether the rows wait on the host to be sent, so that their numbers are needed there."""
        return not isinstance(self.X, torch.Tensor)

    def rows_on_host(self, index):
        """Inputs of the rows `index`, dense, in memory from which a GPU fetches them while it computes."""
        if scipy.sparse.issparse(self.X):
            rows = torch.from_numpy(self.X[np.asarray(index)].toarray()).to(self.dtype)
        else:
            rows = torch.from_numpy(np.take(self.X, np.asarray(index), axis=0))
        return rows.pin_memory() if self.device.type == "cuda" else rows

    def batch(self, index, on_host=None, part=None, X=None):
        """The rows `index`, a LongTensor on the device, as a :class:`Batch`.

        `on_host` are the same numbers on the host, which a device is asked for where they are needed and not given.
        The inputs are those of a `part` of the rows, X where they are there already.
        """
        if X is None and self.on_host:
            on_host = index.cpu() if on_host is None else on_host
            X = self.rows(on_host if part is None else on_host[part])
        elif X is None:
            X = self.X.index_select(0, index if part is None else index[part])
        labels = self.labels.index_select(0, index)
        target = labels if self.soft_targets is None else self.soft_targets.index_select(0, index)
        weight = None if self.sample_weight is None else self.sample_weight.index_select(0, index)
        return Batch(X, labels, target, weight, index, part)

    def batches(self, index, size):
        """The rows `index`, a LongTensor on the device where they are, as batches of `size`, gathered at once."""
        if len(index) <= size:
            yield self.batch(index)
            return
        values = (self.X, self.labels, self.soft_targets, self.sample_weight)
        columns = [None if v is None else v.index_select(0, index).split(size) for v in values]
        indices = index.split(size)
        X, labels, soft, weights = ([None] * len(indices) if column is None else column for column in columns)
        for batch in zip(X, labels, labels if self.soft_targets is None else soft, weights, indices, strict=True):
            yield Batch(*batch)

    def without_inputs(self):
        """The same rows for who gathers their inputs by himself: of no columns, and without soft targets."""
        rest = copy.copy(self)
        rest.X, rest.soft_targets = self.X[:, :0], None
        return rest

    def batches_at_once(self, size):
        """How many batches of `size` rows to gather at once: one, where they would not all begin as a tensor does."""
        # The kernel that multiplies matrices, and so the last bits, may depend on where in memory they begin.
        n_bytes = size * math.prod(self.X.shape[1:]) * self.X.element_size()
        alignment = 64 if self.device.type == "cpu" else 16
        return max(1, _BYTES_AT_ONCE // max(1, n_bytes)) if n_bytes % alignment == 0 else 1


class DatasetData(Dataset):
    """A torch ``Dataset`` of the user with its encoded labels, soft targets and weights beside it.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Gives ``(x, y)`` or ``x``; only ``x`` is used, the labels were read and encoded before.
    labels, soft_targets, sample_weight, device, dtype
        As in :class:`TensorData`.

    Attributes
    ----------
    collate : callable
        Joins pairs (x, number) as the loaders of a training do; a net with a ``collate_fn`` of its own sets it.
    """

    collate = staticmethod(collated)

    def __init__(self, dataset, labels, *, soft_targets=None, sample_weight=None, device="cpu", dtype=torch.float32):
        self.dataset = NamedRows(dataset)
        self.side = TensorData(
            np.arange(len(labels)),
            labels,
            soft_targets=soft_targets,
            sample_weight=sample_weight,
            device=device,
            dtype=dtype,
        )

    def __len__(self):
        return len(self.side)

    def __getitem__(self, i):
        item = self.dataset[i]
        return (item[0] if isinstance(item, tuple | list) else item), i

    @property
    def device(self):
        return self.side.device

    @property
    def labels(self):
        return self.side.labels

    def rows(self, index):
        """Inputs of the rows `index`, on the device."""
        with captured():
            return self._on_device(self.collate([self[i] for i in index])[0])

    def batch(self, X, index, part=None):
        """Join loaded inputs with the labels, targets and weights of the rows `index`, on the host or the device."""
        side = self.side.batch(index.to(self.device))
        return Batch(self._on_device(X), side.labels, side.target, side.sample_weight, side.indices, part)

    def _on_device(self, X):
        # A data set may give float64, as numpy does; integers may be tokens and stay what they are.
        return X.to(self.device, self.side.dtype if X.is_floating_point() else X.dtype, non_blocking=True)


def as_data(X, y=None, *, device, dtype):
    """Rows of any kind as a :class:`TensorData` or :class:`DatasetData`; without labels they are only predicted."""
    if isinstance(X, TensorData | DatasetData):
        return X
    if isinstance(X, Dataset):
        return DatasetData(X, torch.zeros(len(X), dtype=torch.long), device=device, dtype=dtype)
    labels = torch.zeros(X.shape[0], dtype=torch.long) if y is None else y
    return TensorData(X, labels, device=device, dtype=dtype)


class TensorBatches:
    """Batches of a :class:`TensorData`, gathered where the data lives.

    Parameters
    ----------
    data : TensorData
        What to iterate over.
    batch_size : int
        Rows in a batch; the last one may be smaller.
    generator : torch.Generator, default=None
        Draws a new order of the rows in each pass; None keeps the order.
    drop_last : bool, default=False
        Leave out a last batch that is not full, unless it is the only one.
    processes : Processes, default=None
        Those that train together: the inputs of each batch are the part of this one.

    Raises
    ------
    TypeError
        If options of a ``DataLoader`` are given, which arrays do not go through.
    """

    def __init__(self, data, batch_size, *, generator=None, drop_last=False, processes=None, **loader_params):
        if loader_params:
            raise TypeError(
                "iterator_train__ and iterator_valid__ take batch_size, shuffle and drop_last where X is an array, and "
                f"other options of a DataLoader where it is a torch Dataset, got {sorted(loader_params)}."
            )
        self.data, self.batch_size, self.generator, self.processes = data, batch_size, generator, processes
        n, remainder = divmod(len(data), batch_size)
        self.n_batches = n if remainder == 0 or (drop_last and n) else n + 1

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        n = len(self.data)
        order = torch.arange(n) if self.generator is None else torch.randperm(n, generator=self.generator)
        if not self.data.on_host and self.processes is None:
            order, used = order.to(self.data.device), self.n_batches * self.batch_size
            if used <= self.batch_size:
                yield self.data.batch(order[:used] if used < n else order)
                return
            for index in order[:used].split(self.data.batches_at_once(self.batch_size) * self.batch_size):
                yield from self.data.batches(index, self.batch_size)
            return
        on_device = order.to(self.data.device).split(self.batch_size)[: self.n_batches]
        on_host = order.split(self.batch_size)[: self.n_batches]
        parts = [None if self.processes is None else self.processes.part(len(index)) for index in on_host]
        if not self.data.on_host or not reads_ahead(self.data.X, self.data.device):
            for index, numbers, part in zip(on_device, on_host, parts, strict=True):
                yield self.data.batch(index, numbers, part)
            return
        wanted = [numbers if part is None else numbers[part] for numbers, part in zip(on_host, parts, strict=True)]
        for index, part, X in zip(on_device, parts, sent_ahead(self.data, wanted), strict=True):
            yield self.data.batch(index, part=part, X=X)


class LoadedBatches:
    """Batches of a :class:`DatasetData` through a ``DataLoader`` and its workers.

    Parameters
    ----------
    data : DatasetData
        What to iterate over.
    batch_size : int
        Rows in a batch; the last one may be smaller.
    generator : torch.Generator, default=None
        Draws a new order of the rows in each pass, the same as :class:`TensorBatches` does; None keeps the order.
    worker_generator : torch.Generator, default=None
        Seeds the workers. A loader without one would take the seeds from torch's global generator.
    processes : Processes, default=None
        Those that train together: this one loads its part of each batch alone.
    **loader_params
        Of ``DataLoader``.

    Raises
    ------
    ValueError
        If processes that train together were to take the rows in an order of the user's.
    """

    def __init__(self, data, batch_size, *, generator=None, worker_generator=None, processes=None, **loader_params):
        self.data, self.batch_size, self.processes = data, batch_size, processes
        self.order = _Order(len(data), generator)
        if worker_generator is None:
            worker_generator = torch.Generator()
        if data.device.type == "cuda":
            loader_params = {"pin_memory": True, **loader_params}
        params = {"generator": worker_generator, "collate_fn": collated, **loader_params}
        if processes is not None:
            for name in ("sampler", "batch_sampler"):
                if params.get(name) is not None:
                    raise ValueError(
                        f"iterator_train__{name} must be left out where processes train together, as each takes its "
                        f"part of every batch, got {params[name]!r}."
                    )
            batches = BatchSampler(self.order, batch_size, params.pop("drop_last", False))
            self.loader = DataLoader(data, batch_sampler=_OwnParts(batches, processes), **params)
            self.is_ordered = True
            return
        if params.get("batch_sampler") is None:
            params["batch_size"] = batch_size
            if generator is not None:
                params = {"sampler": self.order, **params}
        self.loader = DataLoader(data, **params)
        # Not where the user's parameters put the rows into another order.
        self.is_ordered = self.loader.sampler is self.order

    def __len__(self):
        return len(self.loader)

    def __iter__(self):
        numbers = None
        for X, index in self._loaded():
            part = None
            if self.is_ordered:
                if numbers is None:  # sent once for all batches
                    numbers = iter(self.order.drawn.to(self.data.device).split(self.batch_size))
                index = next(numbers)
            if self.processes is not None:
                part = self.processes.part(len(index))
                X = X[: part.stop - part.start]
            yield self.data.batch(X, index, part)

    def _loaded(self):
        with naming_item():
            yield from self.loader


class _Order(Sampler):
    """The order of one pass, kept as `drawn`: a new permutation from a generator of its own, or as they come."""

    def __init__(self, n, generator):
        self.n, self.generator = n, generator

    def __len__(self):
        return self.n

    def __iter__(self):
        in_turn = self.generator is None
        self.drawn = torch.arange(self.n) if in_turn else torch.randperm(self.n, generator=self.generator)
        yield from self.drawn.tolist()


class _OwnParts(Sampler):
    """The part of each batch that this process loads: one item at least, as a loader can't collate none."""

    def __init__(self, batches, processes):
        self.batches, self.processes = batches, processes

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        for batch in self.batches:
            yield batch[self.processes.part(len(batch))] or batch[:1]


def prediction_rows(data, batch_size):
    """Rows in one forward pass of prediction: those of a training batch, of tables more where the device has room."""
    is_table = isinstance(data, TensorData) and data.X.ndim == 2
    is_tight = is_table and data.on_host and data.device.type != "cpu"
    return max(batch_size, PREDICTION_ROWS) if is_table and not is_tight else batch_size


def check_batch_size(batch_size, default, part):
    """The rows in a batch of an iterator, `part` for messages.

    Raises
    ------
    ValueError
        If it is no positive integer.
    """
    batch_size = default if batch_size is None else batch_size
    if not is_integer(batch_size) or batch_size < 1:
        raise ValueError(f"{part}__batch_size must be a positive integer, got {batch_size!r}.")
    return int(batch_size)  # torch takes no integers of numpy


def without_loading(params):
    """Parameters of ``iterator_valid`` for rows of an array, which a network trained on a ``Dataset`` predicts, too."""
    return {name: value for name, value in params.items() if name not in _HOW_ITEMS_ARE_LOADED}


def check_order_is_kept(params):
    """Refuse parameters of ``iterator_valid`` that change the order of rows or leave some out.

    Raises
    ------
    ValueError
        If one of them would.
    """
    for name in ("shuffle", "drop_last", "sampler", "batch_sampler"):
        if params.get(name):
            raise ValueError(
                f"iterator_valid__{name} must not change or leave out rows, as predictions are in the order of X, "
                f"got {params[name]!r}."
            )

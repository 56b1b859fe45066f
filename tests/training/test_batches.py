"""Laws of the batches: which rows come in which order, what belongs to them, and what is not copied."""

import numpy as np
import pytest
import scipy.sparse
import torch
from torch.utils.data import TensorDataset

from sklabelnoise.training import _batches
from sklabelnoise.training._batches import DatasetData, LoadedBatches, TensorBatches, TensorData, as_tensor


def make_data(n=10, **kwargs):
    X = np.arange(3 * n, dtype=np.float32).reshape(n, 3)
    return TensorData(X, np.arange(n) % 2, **kwargs)


def rows_in(batches):
    return [batch.indices.tolist() for batch in batches]


def test_without_generator_batches_are_consecutive_slices():
    assert rows_in(TensorBatches(make_data(), 4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_each_pass_is_the_next_permutation_of_the_generator():
    batches = TensorBatches(make_data(), 4, generator=torch.Generator().manual_seed(3))
    expected = torch.Generator().manual_seed(3)
    for _ in range(3):
        seen = torch.cat([batch.indices for batch in batches])
        assert torch.equal(seen, torch.randperm(10, generator=expected))


@pytest.mark.parametrize("n, batch_size, drop_last, expected", [
    (10, 5, False, 2), (10, 4, False, 3), (10, 4, True, 2), (10, 20, False, 1), (10, 20, True, 1), (1, 1, True, 1),
])  # fmt: skip
def test_length_counts_the_batches_that_come(n, batch_size, drop_last, expected):
    batches = TensorBatches(make_data(n), batch_size, drop_last=drop_last)
    assert len(batches) == len(list(batches)) == expected


def test_a_batch_unpacks_as_inputs_and_labels_and_carries_the_rest():
    soft = np.full((10, 2), 0.5)
    data = make_data(soft_targets=soft, sample_weight=np.arange(10.0))
    batch = data.batch(torch.tensor([7, 2]))
    X, y = batch
    assert X.tolist() == [[21, 22, 23], [6, 7, 8]]
    assert y.tolist() == [1, 0]
    assert batch.target.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert batch.sample_weight.tolist() == [7, 2]
    assert batch.indices.tolist() == [7, 2]


def test_without_soft_targets_the_target_is_the_labels():
    batch = make_data().batch(torch.tensor([1, 2]))
    assert batch.target is batch[1]
    assert batch.sample_weight is None


@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize("batch_size", [16, 24, 100, 4096])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_gathered_at_once_are_those_gathered_one_by_one(batch_size, more, drop_last, monkeypatch):
    n = 1000
    beside = {"soft_targets": np.eye(2)[np.arange(n) % 2], "sample_weight": np.arange(n) / n} if more else {}
    data = make_data(n, **beside)
    monkeypatch.setattr(_batches, "_BYTES_AT_ONCE", 3 * 24 * 12 + 1)  # batches of 16 and 24 rows come in threes or more
    batches = TensorBatches(data, batch_size, generator=torch.Generator().manual_seed(0), drop_last=drop_last)
    n_rows = 0
    for batch in batches:
        alone = data.batch(batch.indices)
        for got, expected in zip((*batch, batch.target), (*alone, alone.target), strict=True):
            assert torch.equal(got, expected)
        assert (batch.sample_weight is None) == (not more)
        assert not more or torch.equal(batch.sample_weight, alone.sample_weight)
        n_rows += len(batch.indices)
    assert n_rows == (n - n % batch_size if drop_last and n > batch_size else n)


def test_every_batch_begins_where_a_tensor_of_its_own_would():
    # the last bits of a product of matrices may depend on it
    for n_features in range(1, 20):
        data = TensorData(np.ones((100, n_features), dtype=np.float32), np.zeros(100, dtype=int))
        assert all(batch[0].data_ptr() % 64 == 0 for batch in TensorBatches(data, 10))


def test_rows_of_a_sparse_matrix_are_made_dense_batch_by_batch():
    dense = np.eye(6, 4)
    data = TensorData(scipy.sparse.csr_matrix(dense), np.zeros(6, dtype=int), dtype=torch.float64)
    assert scipy.sparse.issparse(data.X)
    batches = list(TensorBatches(data, 4))
    assert sorted(torch.cat([batch.indices for batch in batches]).tolist()) == list(range(6))
    for batch in batches:
        assert torch.equal(batch[0], torch.from_numpy(dense)[batch.indices])


def test_a_contiguous_array_is_shared_and_not_copied():
    X = np.ones((5, 3), dtype=np.float32)
    assert TensorData(X, np.zeros(5, dtype=int)).X.data_ptr() == X.ctypes.data


def test_a_read_only_array_gives_a_tensor_without_a_warning():
    X = np.ones((5, 3), dtype=np.float32)
    X.flags.writeable = False
    assert torch.equal(as_tensor(X), torch.ones(5, 3))


def make_dataset(n=10, dtype=torch.float32):
    return TensorDataset(torch.arange(3 * n, dtype=dtype).reshape(n, 3), torch.arange(n) % 2)


def test_a_dataset_gives_the_same_batches_as_its_arrays():
    generators = [torch.Generator().manual_seed(1) for _ in range(2)]
    dataset = make_dataset()
    arrays = TensorBatches(TensorData(*dataset.tensors), 4, generator=generators[0])
    loaded = LoadedBatches(DatasetData(dataset, dataset.tensors[1]), 4, generator=generators[1])
    for _ in range(2):
        for ours, theirs in zip(arrays, loaded, strict=True):
            assert torch.equal(ours.indices, theirs.indices)
            assert torch.equal(ours[0], theirs[0])
            assert torch.equal(ours[1], theirs[1])


def test_a_loader_does_not_touch_the_global_generator():
    before = torch.get_rng_state()
    dataset = make_dataset()
    list(LoadedBatches(DatasetData(dataset, dataset.tensors[1]), 4))
    list(LoadedBatches(DatasetData(dataset, dataset.tensors[1]), 4, generator=torch.Generator()))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_loader_casts_floats_and_leaves_integers():
    dataset = make_dataset(dtype=torch.float64)
    data = DatasetData(dataset, dataset.tensors[1])
    assert data.rows([0]).dtype == next(iter(LoadedBatches(data, 4)))[0].dtype == torch.float32
    tokens = make_dataset(dtype=torch.int64)
    assert DatasetData(tokens, tokens.tensors[1]).rows([0]).dtype == torch.int64


def test_options_of_a_loader_are_refused_for_arrays():
    with pytest.raises(
        TypeError, match=r"other options of a DataLoader where it is a torch Dataset, got \['num_workers'\]"
    ):
        TensorBatches(make_data(), 4, num_workers=2)


def test_skorchs_callbacks_can_index_the_data():
    X, y = make_data()[3]
    assert X.tolist() == [9, 10, 11] and y == 1
    assert make_data().y.tolist() == [0, 1] * 5

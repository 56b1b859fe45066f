"""Data sets of torch train as their arrays do, and their classes keep their names."""

import numpy as np
import pytest
import torch
from PIL import Image
from skorch.callbacks import Callback
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from sklabelnoise import DMClassifier, DMClassifierCV, RobustLossClassifier
from sklabelnoise.audit import audit_labels
from sklabelnoise.modules import ResNet20
from sklabelnoise.training._named_rows import collated
from sklabelnoise.training._training_set import (
    read_labels,
)

FAST = {"max_epochs": 2, "random_state": 0}


def fit(X, y, estimator=None, **kwargs):
    return (DMClassifier(**FAST) if estimator is None else estimator).fit(X, y, **kwargs)


class Pairs(Dataset):
    """Items from X and y, with nothing that tells the labels."""

    def __init__(self, X, y=None):
        self.inputs, self.outputs = X, y

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, i):
        return self.inputs[i] if self.outputs is None else (self.inputs[i], self.outputs[i])


class WithTargets(Pairs):
    """As torchvision's: the labels stand in an attribute."""

    def __init__(self, X, y):
        super().__init__(X, y)
        self.targets = list(y)


@pytest.mark.parametrize("make", [
    Pairs, WithTargets, lambda X, y: TensorDataset(torch.from_numpy(X), torch.from_numpy(y)),
    lambda X, y: Subset(WithTargets(np.concatenate([X, X]), np.concatenate([y, y])), range(len(X))),
])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_dataset_gives_the_model_of_its_arrays(make, dtype, blobs):
    X, y = blobs[0].astype(dtype), blobs[1]
    dataset = make(X, y)
    arrays = DMClassifier(batch_size=32, dtype="float32", **FAST).fit(X, y)
    model = DMClassifier(batch_size=32, **FAST).fit(dataset)
    assert np.array_equal(model.predict_proba(dataset), arrays.predict_proba(X))
    assert np.array_equal(model.label_quality_, arrays.label_quality_)
    assert model.n_features_in_ == 5


def test_a_dataset_has_the_soft_labels_and_weights_of_its_arrays(blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    rng = np.random.default_rng(0)
    for beside in ({"soft_labels": rng.dirichlet(np.ones(3), len(y))}, {"sample_weight": rng.uniform(0.1, 2, len(y))}):
        dataset, arrays, bare = (fit(Pairs(X, y), None, **beside), fit(X, y, **beside), fit(X, y))
        assert np.array_equal(dataset.predict_proba(X), arrays.predict_proba(X))
        assert dataset.loss_curve_ == arrays.loss_curve_ != bare.loss_curve_


class AtRandom(Pairs):
    """Rows with noise, as of random transformations."""

    def __getitem__(self, i):
        x, y = super().__getitem__(i)
        return x + torch.randn(5).numpy(), y


class KeepRows(Callback):
    """Keeps what the network is shown, and may predict before each epoch."""

    def __init__(self, predicts=None):
        self.predicts = predicts

    def on_train_begin(self, net, **kwargs):
        self.rows = []

    def on_epoch_begin(self, net, **kwargs):
        self.rows.append([])
        if self.predicts is not None:
            net.predict_proba(self.predicts)

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        self.rows[-1].append(batch[0].clone())


@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_noise_of_a_dataset_is_another_in_each_epoch_and_seed_and_none_of_its_predictions(num_workers, blobs):
    dataset = AtRandom(blobs[0].astype(np.float32), blobs[1])
    workers = {"iterator_train__num_workers": num_workers, "iterator_valid__num_workers": num_workers}
    workers["iterator_train__shuffle"] = False  # so that the noise alone can differ

    def shown(seed, predicts=None):
        keep = KeepRows(predicts)
        DMClassifier(max_epochs=2, batch_size=150, callbacks=[keep], random_state=seed, **workers).fit(dataset)
        return [torch.cat(rows) for rows in keep.rows]

    first, second = shown(0)
    noise = (torch.cat([first, second]) - torch.from_numpy(np.tile(dataset.inputs, (2, 1)))).round(decimals=3)
    assert len(noise.unique(dim=0)) == 2 * 150
    assert not torch.equal(first, second)
    assert all(map(torch.equal, (first, second), shown(0)))
    if num_workers:  # else the callback is what draws
        assert all(map(torch.equal, (first, second), shown(0, predicts=dataset)))
    assert not torch.equal(first, shown(1)[0])


def test_predictions_of_a_random_dataset_are_the_same_in_every_call_and_draw_nothing_of_the_callers(blobs):
    dataset = AtRandom(blobs[0].astype(np.float32), blobs[1])
    model = fit(dataset, None)
    before = torch.get_rng_state()
    proba = model.predict_proba(dataset)
    assert np.array_equal(model.predict_proba(dataset), proba)
    assert torch.equal(torch.get_rng_state(), before)


class OfFolders(WithTargets):
    """As torchvision's ImageFolder: labels are numbers of named classes."""

    def __init__(self, X, y, classes=("ant", "bee", "cat")):
        super().__init__(X, y)
        self.classes = list(classes)
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}


NAMED = {
    "folders": OfFolders,
    "by index alone": lambda X, y: _without_classes(OfFolders(X, y)),
    "a part": lambda X, y: Subset(Subset(OfFolders(X, y), range(len(X))), range(len(X))),
    "joined": lambda X, y: ConcatDataset([OfFolders(X[:70], y[:70]), OfFolders(X[70:], y[70:])]),
}


def _without_classes(dataset):
    del dataset.classes
    return dataset


@pytest.mark.parametrize("make", NAMED.values(), ids=NAMED)
def test_classes_of_a_dataset_keep_their_names(make, blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    names = np.array(["ant", "bee", "cat"])[y]
    dataset = make(X, y)
    model = DMClassifier(**FAST).fit(dataset)
    assert model.classes_.tolist() == ["ant", "bee", "cat"]
    assert set(model.predict(dataset)) <= {"ant", "bee", "cat"}
    assert model.score(dataset) == model.score(X, names) > 0.5
    assert model.score(dataset, names) == model.score(dataset)


def test_names_need_not_be_sorted_and_absent_ones_are_no_classes(blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    dataset = OfFolders(X, y, classes=["wasp", "bee", "ant", "nobody"])
    model = DMClassifier(**{**FAST, "max_epochs": 10}).fit(dataset)
    assert model.classes_.tolist() == ["ant", "bee", "wasp"]
    assert (model.predict(dataset) == np.array(["wasp", "bee", "ant"])[y]).mean() > 0.8


def test_labels_beside_a_dataset_with_names_stand_as_they_are(blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    assert DMClassifier(**FAST).fit(OfFolders(X, y), y).classes_.tolist() == [0, 1, 2]


def test_held_out_items_go_by_the_same_names(blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    model = DMClassifier(early_stopping=True, **FAST)
    model.fit(OfFolders(X[:100], y[:100]), X_val=OfFolders(X[100:], y[100:]))
    assert "valid_accuracy" in model.history_


def test_a_choice_among_candidates_keeps_the_names(blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    model = DMClassifierCV(candidates=[(0, 0), (0.5, 8)], cv=2, n_members=1, **FAST).fit(OfFolders(X, y))
    assert model.classes_.tolist() == ["ant", "bee", "cat"]
    assert set(model.predict(X)) <= {"ant", "bee", "cat"}


def test_joined_data_sets_of_which_one_has_no_names_are_refused(blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    with pytest.raises(ValueError, match=r"X must join data sets whose labels are all .*, got int64, str"):
        DMClassifier(**FAST).fit(ConcatDataset([OfFolders(X[:70], y[:70]), WithTargets(X[70:], y[70:])]))


def test_workers_change_nothing(blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    workers = {"iterator_train__num_workers": 1, "iterator_valid__num_workers": 1, "batch_size": 75}
    loaded = DMClassifier(**workers, **FAST).fit(Pairs(X, y)).predict_proba(Pairs(X))
    assert np.array_equal(loaded, DMClassifier(batch_size=75, **FAST).fit(X, y).predict_proba(X))


def test_how_items_are_loaded_does_not_matter_where_rows_of_an_array_are_predicted(blobs):
    """They were refused by `predict`, after the training. What joins items still is: rows of an array have no such."""
    X, y = blobs[0].astype(np.float32), blobs[1]
    loading = {"num_workers": 1, "pin_memory": False, "persistent_workers": True, "prefetch_factor": 2, "timeout": 9}
    valid = {f"iterator_valid__{name}": value for name, value in loading.items()}
    expected = fit(X, y).predict_proba(X)
    for model in (fit(Pairs(X, y), None, DMClassifier(**valid, **FAST)), fit(X, y, DMClassifier(**valid, **FAST))):
        assert np.array_equal(model.predict_proba(X), expected)
        assert np.array_equal(model.predict_proba(Pairs(X)), expected)
    for name in ("collate_fn", "num_worker"):
        with pytest.raises(TypeError, match=rf"where it is a torch Dataset, got \['{name}'\]"):
            fit(X, y, DMClassifier(**{f"iterator_valid__{name}": collated}, **FAST)).predict(X)


@pytest.mark.parametrize("name", ["sampler", "batch_sampler"])
@pytest.mark.parametrize("num_workers", [0, 1])
def test_rows_that_a_sampler_of_the_users_names_come_with_their_labels_and_weights(name, num_workers, blobs):
    """Trained on the first half alone, backwards, as on that half."""
    X, y = blobs[0].astype(np.float32), blobs[1]
    weight = np.linspace(0.5, 2, len(y))
    half = np.arange(75)[::-1]
    sampler = half.tolist() if name == "sampler" else [half[:50].tolist(), half[50:].tolist()]
    params = {"batch_size": 50, "max_epochs": 3, "random_state": 0}
    named = DMClassifier(**{f"iterator_train__{name}": sampler, "iterator_train__num_workers": num_workers}, **params)
    named.fit(Pairs(X, y), sample_weight=weight)
    expected = DMClassifier(iterator_train__shuffle=False, **params).fit(X[half], y[half], sample_weight=weight[half])
    assert np.array_equal(named.predict_proba(X), expected.predict_proba(X))
    assert named.loss_curve_ == expected.loss_curve_
    assert named.history_["train_accuracy"].tolist() == expected.history_["train_accuracy"].tolist()


def test_labels_can_come_beside_a_dataset_of_inputs(blobs):
    X, y = blobs[0].astype(np.float32), np.array(["a", "b", "c"])[blobs[1]]
    model = fit(Pairs(X), y)
    assert np.array_equal(model.predict(Pairs(X)), fit(X, y).predict(X))


def test_labels_are_read_from_each_item_once(blobs):
    class Counts(Pairs):
        calls = 0

        def __getitem__(self, i):
            self.calls += 1
            return super().__getitem__(i)

    dataset = Counts(*blobs)
    assert read_labels(dataset).tolist() == blobs[1].tolist()
    assert dataset.calls <= len(dataset) + 1


def test_a_dataset_can_be_held_out(blobs):
    dataset = Pairs(blobs[0].astype(np.float32), blobs[1])
    model = DMClassifier(early_stopping=True, **FAST).fit(dataset, X_val=dataset)
    assert np.allclose(model.history_["valid_accuracy"].iloc[-1], model.score(blobs[0].astype(np.float32), blobs[1]))


@pytest.mark.parametrize("make, y, error, message", [
    (Pairs, None, ValueError, r"Dataset of pairs \(x, y\), or y be given beside it, got items of type ndarray"),
    (Pairs, [0, 1], ValueError, "y must have one label for each of the 150 items of the Dataset, got 2"),
    (lambda X: Pairs(X[:0]), [], ValueError, "X must have at least one item, got a Dataset without items"),
    (lambda X: Endless(), [0, 1], TypeError, "got an IterableDataset, whose items have no numbers"),
    (lambda X: TensorDataset(torch.from_numpy(X), torch.from_numpy(X)), None, ValueError, "should be a 1d array"),
    # The second may be another input, a weight, or the number of a patient.
    (lambda X: TensorDataset(*[torch.from_numpy(X).float(), torch.arange(len(X)), torch.arange(len(X)) % 3]), None,
     ValueError, r"Dataset of pairs \(x, y\), or y be given beside it, got items of 3 parts"),
])  # fmt: skip
def test_datasets_without_usable_labels(make, y, error, message, blobs):
    with pytest.raises(error, match=message):
        fit(make(blobs[0]), y)


def test_items_of_more_parts_than_two_are_rows_where_the_labels_are_given(blobs):
    X, y = torch.from_numpy(blobs[0]).float(), blobs[1]
    triples = TensorDataset(X, torch.arange(len(X)), torch.from_numpy(y))
    model = fit(triples, y)
    assert np.array_equal(model.predict(triples), fit(TensorDataset(X), y).predict(TensorDataset(X)))
    with pytest.raises(ValueError, match="got items of 3 parts"):
        model.score(triples, None)
    with pytest.raises(ValueError, match=r"must be pairs \(x, y\) if there is no y, got items of 3 parts"):
        audit_labels(model, triples, random_state=0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16])
def test_items_of_integers_that_a_network_takes_for_none_are_told_to_be_floats(dtype):
    pixels = TensorDataset(torch.ones(20, 3, 8, 8).to(dtype), torch.arange(20) % 2)
    with pytest.raises(ValueError, match=rf"which can't: .* Items of a Dataset reach .*, here {dtype}: make floats"):
        DMClassifier(ResNet20, max_epochs=1).fit(pixels)


class Endless(IterableDataset):
    def __iter__(self):
        yield from ()


class Endings(Dataset):
    """Items without an end."""

    def __getitem__(self, i):
        return np.zeros(5, dtype=np.float32), 0


class Changed(Pairs):
    """Inputs as a function makes them."""

    def __init__(self, X, y, change):
        super().__init__(X, y)
        self.change = change

    def __getitem__(self, i):
        return self.change(self.inputs[i], i), self.outputs[i]


@pytest.mark.parametrize("change, found", [
    (lambda x, i: {"pixels": x}, "dict"), (lambda x, i: (x, x), "tuple"), (lambda x, i: x.tolist(), "list"),
    (lambda x, i: "a text", "str"), (lambda x, i: Image.new("L", (2, 2)), "Image"),
])  # fmt: skip
def test_items_of_which_no_batch_is_one_tensor_are_refused(change, found, blobs):
    with pytest.raises(
        TypeError, match=rf"X must be a Dataset whose items have a tensor or an array .* got {found} in"
    ):
        fit(Changed(*blobs, change), None)
    with pytest.raises(TypeError, match=rf"got {found} in item 0"):
        fit(*blobs).predict(Changed(*blobs, change))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_items_of_several_shapes_are_named(num_workers, blobs):
    ragged = Changed(*blobs, lambda x, i: x[: 3 if i == 77 else 5])
    params = {"iterator_train__num_workers": num_workers, "iterator_valid__num_workers": num_workers}
    model = DMClassifier(**FAST, **params)
    message = (
        r"X must be a Dataset of items of one shape, unless iterator_train__collate_fn and iterator_valid__collate_fn "
        r"join pairs \(x, number\) of several, got \(\d,\) in item \d+ and \(\d,\) in item \d+\.$"
    )
    with pytest.raises(ValueError, match=message) as caught:
        model.fit(ragged)
    assert "(3,) in item 77" in str(caught.value)
    model.fit(Pairs(*blobs))
    with pytest.raises(ValueError, match=r"got \(5,\) in item 0 and \(3,\) in item 77"):
        model.predict(ragged)


class BagOfTokens(nn.Module):
    """Logits of the sum of the tokens' vectors, which padding by zeros leaves as it is."""

    def __init__(self, n_classes):
        super().__init__()
        self.embedding = nn.Embedding(20, 8, padding_idx=0)
        self.output = nn.Linear(8, n_classes)

    def forward(self, x):
        return self.output(self.embedding(x).sum(1))


def padded(pairs):
    texts, numbers = zip(*pairs, strict=True)
    return pad_sequence(texts, batch_first=True), torch.tensor(numbers)


JOINED = {"iterator_train__collate_fn": padded, "iterator_valid__collate_fn": padded}


@pytest.mark.parametrize(
    "make",
    [
        lambda **params: DMClassifier(BagOfTokens, batch_size=8, **FAST, **params),
        lambda **params: DMClassifierCV(
            BagOfTokens, batch_size=8, candidates=[(0, 0), (1, 8)], cv=2, n_members=1, **FAST, **params
        ),
    ],
    ids=["one network", "CV"],
)
def test_items_of_several_lengths_are_joined_by_the_callers_function(make):
    """It is the model of the items padded beforehand, but for the order in which a sum is taken."""
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    texts = [torch.from_numpy(rng.integers(1, 20, length)) for length in rng.integers(3, 9, 40)]
    several = fit(Pairs(texts, y), None, make(**JOINED))
    of_one_length = fit(Pairs(list(pad_sequence(texts, batch_first=True)), y), None, make())
    for start in (0, 1):  # whatever the length of the first is
        rows = range(start, 40)
        mine = several.predict_proba(Subset(Pairs(texts), rows))
        theirs = of_one_length.predict_proba(Subset(Pairs(list(pad_sequence(texts, batch_first=True))), rows))
        np.testing.assert_allclose(mine, theirs, atol=1e-5)  # float32
    np.testing.assert_allclose(several.label_quality_, of_one_length.label_quality_, atol=1e-5)


def test_a_dataset_without_a_length_is_refused():
    with pytest.raises(TypeError, match="X must be a Dataset with __len__, got Endings, which has none"):
        fit(Endings(), None)


def test_a_loader_is_refused_with_what_to_pass(blobs):
    loader = DataLoader(Pairs(*blobs), batch_size=32)
    with pytest.raises(TypeError, match="X must be rows or a Dataset, got a DataLoader: pass its dataset"):
        fit(loader, None)
    with pytest.raises(TypeError, match="got a DataLoader"):
        fit(*blobs).predict(loader)


def test_predicting_a_dataset_of_other_features(blobs):
    model = fit(*blobs)
    with pytest.raises(ValueError, match=r"X must hold examples of shape \(5,\), as in fit, got \(4,\)"):
        model.predict(Pairs(blobs[0][:, :4]))


def test_options_of_a_loader_need_a_dataset(blobs):
    model = RobustLossClassifier(iterator_train__num_workers=1, **FAST)
    with pytest.raises(TypeError, match="other options of a DataLoader where it is a torch Dataset, got"):
        model.fit(*blobs)

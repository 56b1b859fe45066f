"""Features of frozen networks: the right ones, of any kind of data, kept on disk, and no trace left."""

import copy
import sys
from collections import OrderedDict, namedtuple
from dataclasses import make_dataclass
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset, get_worker_info

from sklabelnoise import DMClassifier
from sklabelnoise.feature_extraction import embed_dataset

# No attribute of the class, which would be a part of its code, by which features are kept.
SEEN = SimpleNamespace(last_batch=None)


class Body(nn.Module):
    """Three channels to five maps, and how often it was asked."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 5, 3)
        self.norm = nn.BatchNorm2d(5)
        self.calls = 0

    def forward(self, x):
        SEEN.last_batch = x
        return self.norm(self.convolution(x))


class Classifier(nn.Module):
    def __init__(self, num_classes=7):
        super().__init__()
        self.body = Body()
        self.head = nn.Linear(5, num_classes)

    def forward(self, x):
        return self.head(self.body(x).mean(dim=(2, 3)))


def network(kind=Body, seed=0):
    torch.manual_seed(seed)
    module = kind()
    body = getattr(module, "body", module)
    nn.init.uniform_(body.norm.running_mean)
    return module


def floats(image):
    return torch.from_numpy(np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 255)


def opened(path):
    with Image.open(path) as image:
        return image.copy()


def in_a_worker(item):
    return torch.full((1,), float(get_worker_info() is not None))


class Pictures(Dataset):
    """Pairs of a picture and a label; counts how many were read."""

    def __init__(self, paths):
        self.samples = [(path, 0) for path in paths]
        self.n_read = 0

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, number):
        self.n_read += 1
        return opened(self.samples[number][0]), 0


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(11, 3, 6, 6)).astype(np.float32)


def expected(module, X):
    with torch.no_grad():
        return copy.deepcopy(module).eval()(torch.as_tensor(np.asarray(X)))


class TestWhatIsTaken:
    def test_a_classifiers_features_are_what_its_last_layer_receives(self, X):
        module = network(Classifier)
        np.testing.assert_allclose(embed_dataset(module, X), expected(module.body, X).mean(dim=(2, 3)), rtol=1e-6)
        np.testing.assert_allclose(embed_dataset(module, X, drop_head=False), expected(module, X), rtol=1e-6)

    def test_a_network_without_a_head_gives_its_output(self, X):
        module = nn.Sequential(network(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        np.testing.assert_allclose(embed_dataset(module, X), expected(module, X), rtol=1e-6)

    def test_a_linear_layer_that_is_not_the_last_word_is_no_head(self, X):
        module = nn.Sequential(nn.Flatten(), nn.Linear(108, 4), nn.ReLU())
        np.testing.assert_allclose(embed_dataset(module, X), expected(module, X), rtol=1e-6)

    @pytest.mark.parametrize("pool, reduced", [("mean", torch.Tensor.mean), ("max", torch.Tensor.amax)])
    def test_maps_are_pooled_as_asked(self, X, pool, reduced):
        np.testing.assert_allclose(
            embed_dataset(network(), X, pool=pool), reduced(expected(network(), X), dim=(2, 3)), rtol=1e-5
        )

    @pytest.mark.parametrize("pool, reduced", [("mean", torch.Tensor.mean), ("max", torch.Tensor.amax)])
    def test_maps_of_three_dimensions_are_pooled_over_all(self, pool, reduced):
        volumes = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 3, 2, 5, 6)).astype(np.float32))
        found = embed_dataset(nn.Identity(), volumes, pool=pool)
        np.testing.assert_allclose(found, reduced(volumes, dim=(2, 3, 4)), rtol=1e-5)

    @pytest.mark.parametrize(
        "pool, taken", [("mean", lambda t: t.mean(1)), ("max", lambda t: t.amax(1)), ("first", lambda t: t[:, 0])]
    )
    def test_tokens_are_pooled_as_asked(self, X, pool, taken):
        module = nn.Sequential(network(), nn.Flatten(2))
        np.testing.assert_allclose(embed_dataset(module, X, pool=pool), taken(expected(module, X)), rtol=1e-5)

    def test_maps_and_tokens_are_refused_without_a_choice(self, X):
        with pytest.raises(
            ValueError, match=r'Body returns maps .* here \(11, 5, 4, 4\): pool must be "mean" or "max", got None'
        ):
            embed_dataset(network(), X)
        with pytest.raises(ValueError, match=r'tokens .*: pool must be "mean", "max" or "first" .*, got None'):
            embed_dataset(nn.Sequential(network(), nn.Flatten(2)), X)
        with pytest.raises(ValueError, match=r'pool must be "mean" or "max", got \'first\''):
            embed_dataset(network(), X, pool="first")
        with pytest.raises(ValueError, match='pool must be "mean", "max", "first" or None, got \'avg\''):
            embed_dataset(network(), X, pool="avg")

    @pytest.mark.parametrize(
        "returned, entry",
        [
            (lambda x: {"maps": x, "pooled": x.mean((2, 3))}, "pooled"),
            (lambda x: OrderedDict(maps=x, pooled=x.mean((2, 3))), "pooled"),
            (lambda x: (x, x.mean((2, 3))), 1),
            (lambda x: [x, x.mean((2, 3))], 1),
            (lambda x: namedtuple("Output", "maps pooled")(x, x.mean((2, 3))), "pooled"),
            (lambda x: make_dataclass("Output", ["maps", "pooled"])(x, x.mean((2, 3))), "pooled"),
        ],
        ids=["dict", "ordered dict", "tuple", "list", "namedtuple", "dataclass"],
    )
    def test_an_entry_of_what_is_returned_is_taken_as_asked(self, X, returned, entry):
        class Many(Body):
            def forward(self, x):
                return returned(super().forward(x))

        one = expected(network(), X).mean(dim=(2, 3))
        np.testing.assert_allclose(embed_dataset(network(Many), X, output=entry), one, rtol=1e-5)
        with pytest.raises(ValueError, match=r"Many returns a \w+: output must be one of .*5\)\), got None"):
            embed_dataset(network(Many), X)
        with pytest.raises(ValueError, match=r"got 'other'\."):
            embed_dataset(network(Many), X, output="other")

    def test_an_entry_of_a_tensor_is_refused(self, X):
        with pytest.raises(ValueError, match=r"output is for .*Classifier returns .*, got output='pooled'"):
            embed_dataset(network(Classifier), X, output="pooled")

    @pytest.mark.parametrize(
        "returned, output, got",
        [
            (lambda x: None, None, "a tensor or an array, got NoneType"),
            (lambda x: "text", None, "a tensor or an array, got str"),
            (lambda x: SimpleNamespace(pooled=x), None, "a tensor or an array, got SimpleNamespace"),
            (lambda x: (row for row in x), None, "a tensor or an array, got generator"),
            (lambda x: (None, x), 0, "a tensor or an array as 0, got NoneType"),
            (lambda x: {"deep": {"pooled": x}}, "deep", "a tensor or an array as 'deep', got dict"),
            (lambda x: torch.complex(x, x), None, r"real numbers, got torch\.complex64"),
            (lambda x: (), None, "one of its entries, of which there is none, got None"),
            (lambda x: {}, "pooled", "one of its entries, of which there is none, got 'pooled'"),
            (lambda x: [*x], None, r"0 \(shape \(5, 4, 4\)\), .* and 3 more, got None"),
            (lambda x: x[:, :0].flatten(1), None, r"one row of features for each of 11 items, got .*\(11, 0\)"),
        ],
    )
    def test_what_is_no_tensor_is_refused(self, X, returned, output, got):
        class Odd(Body):
            def forward(self, x):
                return returned(super().forward(x))

        with pytest.raises(ValueError, match=f"backbone Odd .*{got}"):
            embed_dataset(network(Odd), X, output=output)

    def test_sparse_features_are_taken(self, X):
        dense = embed_dataset(lambda batch: batch.flatten(1), X)
        np.testing.assert_array_equal(embed_dataset(lambda batch: batch.flatten(1).to_sparse(), X), dense)

    def test_features_that_are_not_finite_are_named(self, X, monkeypatch):
        X[7] = np.inf
        with pytest.raises(ValueError, match=r"must give finite features, got others for item 7 of data\."):
            embed_dataset(network(Classifier), X, batch_size=3)
        monkeypatch.setattr("sklabelnoise.feature_extraction._embed_dataset._KEPT_TOGETHER", 4)
        with pytest.raises(ValueError, match=r"must give finite features, got others for item 7 of data\."):
            embed_dataset(network(Classifier), X, batch_size=2)

    def test_what_a_network_cannot_take_is_said_with_its_shape(self, X):
        with pytest.raises(ValueError, match=r"must take a batch of shape \(11, 2, 6, 6\), got Body: .*channels"):
            embed_dataset(network(), X[:, :2], pool="mean")

    def test_one_row_of_features_an_item(self, X):
        with pytest.raises(ValueError, match=r"one row of features for each of 11 items, got .*\(3, 2\)"):
            embed_dataset(lambda batch: torch.zeros(3, 2), X)
        with pytest.raises(ValueError, match=r"one row of features for each of 11 items, got .*\(11, 0\)"):
            embed_dataset(lambda batch: torch.zeros(11, 0), X)

    def test_no_gradients_are_kept(self, X):
        def features(batch):
            assert not torch.is_grad_enabled()
            return module(batch)

        module = network(Classifier).eval()
        assert embed_dataset(features, X).tolist() == embed_dataset(module, X, drop_head=False).tolist()

    def test_of_items_that_are_lists_the_first_is_taken(self, X):
        class Lists(Dataset):
            def __len__(self):
                return len(X)

            def __getitem__(self, number):
                return [torch.from_numpy(X[number]), number]

        assert embed_dataset(network(Classifier), Lists()).tolist() == embed_dataset(network(Classifier), X).tolist()


def of_torchvision(*, weights=None, progress=True, **kwargs):
    return Classifier(**kwargs)


def of_timm(pretrained=False, **kwargs):
    return Classifier(**kwargs)


class TestBackbones:
    def test_a_class_a_factory_and_a_function_serve(self, X):
        whole = embed_dataset(network(Classifier), X)
        assert embed_dataset(partial(network, Classifier), X).tolist() == whole.tolist()
        assert embed_dataset(Classifier, X).shape == (11, 5)
        module = network(Classifier)
        given = embed_dataset(lambda batch: expected(module, batch).numpy(), X)
        np.testing.assert_allclose(given, expected(module, X), rtol=1e-6)

    @pytest.mark.parametrize("argument, some", [("weights", "DEFAULT"), ("pretrained", True)])
    def test_random_weights_are_warned_of(self, X, argument, some):
        factory = {"weights": of_torchvision, "pretrained": of_timm}[argument]
        told = rf"{factory.__name__} is built with random weights.*partial\({factory.__name__}, {argument}=\.\.\.\)"
        with pytest.warns(UserWarning, match=told):
            embed_dataset(factory, X)
        embed_dataset(partial(factory, **{argument: some}), X)

    def test_the_callers_network_is_left_as_it_was(self, X):
        module = network(Classifier).train()
        module.body.requires_grad_(False)
        before = copy.deepcopy(module.state_dict())
        embed_dataset(module, X)
        assert module.training and module.body.norm.training and not module.head._forward_hooks
        assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
        assert module.head.weight.requires_grad and not module.body.norm.weight.requires_grad

    def test_a_network_in_double_or_half_precision_takes_what_there_is(self, X):
        whole = embed_dataset(network(Classifier), X)
        double = embed_dataset(network(Classifier).double(), X)
        assert double.dtype == np.float32
        np.testing.assert_allclose(double, whole, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(embed_dataset(network(Classifier).bfloat16(), X), whole, rtol=0.1, atol=0.1)
        np.testing.assert_allclose(embed_dataset(network(Classifier), X.astype(np.float64)), whole, rtol=1e-6)

    @pytest.mark.parametrize("backbone", [3, None, [nn.ReLU()]])
    def test_what_is_no_backbone_is_refused(self, X, backbone):
        with pytest.raises(TypeError, match=rf"backbone must be a torch.nn.Module.*got {type(backbone).__name__}\."):
            embed_dataset(backbone, X)

    def test_a_factory_that_makes_something_else_is_refused(self, X):
        with pytest.raises(TypeError, match=r"must build a torch.nn.Module, got dict from <lambda>\."):
            embed_dataset(lambda: {}, X)
        with pytest.raises(TypeError, match=r"must be built by a call without arguments.*got the error: wrong"):
            embed_dataset(_failing, X)

    def test_a_name_asks_for_what_is_not_installed(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "sentence_transformers", None)
        with pytest.raises(ImportError, match=r"backbone='all-MiniLM', .* install 'sklabelnoise\[embed\]'"):
            embed_dataset("all-MiniLM", ["a text"])


def _failing():
    raise ValueError("wrong")


class _Encoder(nn.Module):
    """Has the interface of a SentenceTransformer: the number of letters, and of words."""

    def __init__(self, name="given"):
        super().__init__()
        self.name, self.asked = name, []

    def encode(self, texts, *, convert_to_tensor, show_progress_bar, device):
        assert convert_to_tensor and not show_progress_bar and device == "cpu"
        self.asked.append(list(texts))
        return torch.tensor([[float(len(text)), float(len(text.split()))] for text in texts])


_Encoder.__module__ = "sentence_transformers.base.model"
TEXTS = ["one", "two words", "and three words"]


class TestTexts:
    @pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series, lambda t: np.array(t, dtype=object)])
    def test_a_model_of_sentences_encodes_them_in_batches(self, container):
        features = embed_dataset(_Encoder(), container(TEXTS), batch_size=2)
        assert features.tolist() == [[3, 1], [9, 2], [15, 3]]

    def test_its_name_is_enough(self, monkeypatch):
        library = ModuleType("sentence_transformers")
        library.SentenceTransformer = _Encoder
        monkeypatch.setitem(sys.modules, "sentence_transformers", library)
        assert embed_dataset("all-MiniLM", TEXTS).shape == (3, 2)

    def test_a_dataset_of_texts_serves(self):
        assert embed_dataset(_Encoder(), _Texts()).shape == (3, 2)

    def test_a_tokenizer_is_a_way_of_preprocessing(self):
        class Embedding(nn.Module):
            def __init__(self):
                super().__init__()
                self.table = nn.Embedding(256, 4)

            def forward(self, input_ids, mask):
                return (self.table(input_ids) * mask[..., None]).sum(1)

        def tokenizer(text):
            ids = torch.tensor([ord(letter) for letter in text[:8].ljust(8)])
            return {"input_ids": ids, "mask": (ids != 32).float()}

        module = Embedding()
        features = embed_dataset(module, TEXTS, preprocess=tokenizer)
        np.testing.assert_allclose(features[0], module.table.weight[[ord(c) for c in "one"]].sum(0).detach(), rtol=1e-6)

    def test_networks_and_data_that_do_not_fit_are_refused(self, X):
        with pytest.raises(
            ValueError, match=r"Classifier takes no texts, or preprocess, a tokenizer, got data that are texts"
        ):
            embed_dataset(network(Classifier), TEXTS)
        with pytest.raises(ValueError, match=r"_Encoder takes texts, got data that are none"):
            embed_dataset(_Encoder(), X)
        with pytest.raises(ValueError, match=r"data must be all text or none, got 3 among others"):
            embed_dataset(_Encoder(), ["a", 3])


class _Texts(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, number):
        return TEXTS[number], number


class TestImages:
    def test_files_pictures_and_datasets_give_the_same(self, picture_files):
        paths, _ = picture_files
        module = network(Classifier)
        images = torch.stack([floats(opened(path)) for path in paths])
        whole = embed_dataset(module, images)
        for data in (
            paths,
            [Path(path) for path in paths],
            pd.Series(paths),
            Pictures(paths),
            list(map(Image.open, paths)),
        ):
            np.testing.assert_allclose(embed_dataset(module, data, preprocess=floats, batch_size=5), whole, rtol=1e-5)
        pairs = TensorDataset(images, torch.zeros(24))
        for data in (TensorDataset(images), pairs, list(images), list(images.numpy()), images.numpy()):
            np.testing.assert_allclose(embed_dataset(module, data, batch_size=7), whole, rtol=1e-5)
        part = Subset(Pictures(paths), [3, 1])
        np.testing.assert_allclose(embed_dataset(module, part, preprocess=floats), whole[[3, 1]], rtol=1e-5)

    def test_workers_read_the_same(self, picture_files):
        paths, _ = picture_files
        module = network(Classifier)
        alone = embed_dataset(module, paths, preprocess=floats)
        assert embed_dataset(module, paths, preprocess=floats, num_workers=2).tolist() == alone.tolist()
        for n_workers in (0, 2):
            data = [torch.zeros(1)] * 4
            inside = embed_dataset(nn.Identity(), data, preprocess=in_a_worker, num_workers=n_workers)
            assert inside.tolist() == [[n_workers > 0]] * 4

    @pytest.mark.parametrize("as_data", [list, Pictures, lambda paths: np.zeros((2, 3, 6, 6), dtype=np.uint8)])
    def test_pixels_are_refused_without_what_the_network_was_trained_on(self, picture_files, as_data):
        with pytest.raises(
            ValueError, match=r"preprocess must make of the images .*weights\.transforms\(\).*of yours.*got None"
        ):
            embed_dataset(network(Classifier), as_data(picture_files[0]))

    def test_the_preprocessing_of_a_network_of_timm_is_known(self, picture_files, monkeypatch):
        library, data = ModuleType("timm"), ModuleType("timm.data")
        data.resolve_model_data_config = lambda module: {"input_size": (3, 12, 10)}
        data.create_transform = lambda input_size: floats
        monkeypatch.setitem(sys.modules, "timm", library)
        monkeypatch.setitem(sys.modules, "timm.data", data)
        kind = type("ResNet", (Classifier,), {"__module__": "timm.models.resnet"})
        paths, _ = picture_files
        given = embed_dataset(network(Classifier), paths, preprocess=floats)
        assert embed_dataset(network(kind), paths).tolist() == given.tolist()

    def test_files_that_cannot_be_read_are_named(self, picture_files):
        paths, _ = picture_files
        Path(paths[3]).write_text("not a picture")
        with pytest.raises(ValueError, match=r"data must name images that can be read, got '.*03\.png' in row 3: "):
            embed_dataset(network(Classifier), paths, preprocess=floats)
        Path(paths[3]).unlink()
        with pytest.raises(ValueError, match=r"data must name files of images that exist, got '.*03\.png' in row 3\."):
            embed_dataset(network(Classifier), paths, preprocess=floats)

    def test_an_item_that_fails_is_named(self, picture_files):
        class Failing(Pictures):
            def __getitem__(self, number):
                return 1 / (number - 4)

        with pytest.raises(ValueError, match=r"data is a Dataset whose item 4 cannot be read, got ZeroDivisionError"):
            embed_dataset(network(Classifier), Failing(picture_files[0]), preprocess=lambda x: torch.zeros(3, 6, 6))
        with pytest.raises(ValueError, match=r"preprocess failed for item 0 of data, got ZeroDivisionError"):
            embed_dataset(network(Classifier), picture_files[0], preprocess=lambda x: 1 / 0)

    def test_items_of_several_shapes_are_refused(self, X):
        with pytest.raises(
            ValueError, match=r"one shape, got \(3, 5, 6\) and \(3, 6, 6\) in one batch: let preprocess"
        ):
            embed_dataset(network(Classifier), [X[0], X[1][:, 1:]])


@pytest.mark.parametrize("data", [[], np.zeros((0, 3, 6, 6), dtype=np.float32), Pictures([])])
def test_nothing_is_refused(data):
    with pytest.raises(ValueError, match="data must have at least one item"):
        embed_dataset(network(Classifier), data)


def test_other_kinds_of_data_are_refused(X):
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(X)

    with pytest.raises(TypeError, match="data must be a Dataset with __getitem__, got an IterableDataset"):
        embed_dataset(network(Classifier), Stream())
    with pytest.raises(TypeError, match=r"data must be a torch Dataset.* got dict"):
        embed_dataset(network(Classifier), {"image": X})
    with pytest.raises(ValueError, match=r"one item a row, got an array of shape \(3,\)"):
        embed_dataset(network(Classifier), np.zeros(3))
    for name, least in (("batch_size", 1), ("num_workers", 0)):
        for wrong in (least - 1, 2.5, "4", True):
            with pytest.raises(ValueError, match=f"{name} must be an integer of at least {least}, got {wrong!r}"):
                embed_dataset(network(Classifier), X, **{name: wrong})


def test_numbers_of_items_may_be_numpys(X):
    whole = embed_dataset(network(Classifier), X)
    for kind in (np.uint8, np.int64, np.uint64):
        np.testing.assert_array_equal(
            embed_dataset(network(Classifier), X, batch_size=kind(4), num_workers=kind(0)).shape, whole.shape
        )


def test_batches_of_unlike_width_are_refused(X):
    with pytest.raises(ValueError, match=r"backbone .* must give as many features of each item, got 2 and 1 in two"):
        embed_dataset(lambda batch: torch.ones(len(batch), len(batch)), X[:3], batch_size=2)


def test_each_item_draws_for_itself():
    class Drawn(Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, number):
            return torch.randn(4)

    assert len(np.unique(embed_dataset(nn.Identity(), Drawn()), axis=0)) == 6


def test_random_items_are_the_same_in_every_call_and_no_draw_of_the_callers(X):
    class Jittered(Dataset):
        def __len__(self):
            return len(X)

        def __getitem__(self, number):
            return torch.from_numpy(X[number]) + torch.randn(1)

    module = network(Classifier)
    state = torch.get_rng_state()
    first = embed_dataset(module, Jittered(), batch_size=2)
    np.testing.assert_allclose(embed_dataset(module, Jittered(), batch_size=4), first, rtol=1e-5)
    assert torch.equal(torch.get_rng_state(), state)
    assert abs(first - embed_dataset(module, X)).min() > 0


def test_a_bar_counts_the_items(X, capsys):
    embed_dataset(network(Classifier), X)
    assert capsys.readouterr().err == ""
    embed_dataset(network(Classifier), X, batch_size=4, verbose=1)
    assert "embedding: 100%" in (shown := capsys.readouterr().err) and "11/11 items [" in shown


_TENTH = torch.from_numpy(np.random.default_rng(0).normal(size=(11, 3, 6, 6)).astype(np.float32)[9]).sum()


class TestCache:
    @pytest.fixture
    def asked(self, monkeypatch):
        """Sizes of the batches that a network was asked for."""
        noted, forward = SimpleNamespace(asked=[]), Body.forward
        monkeypatch.setattr(Body, "forward", lambda self, x: noted.asked.append(len(x)) or forward(self, x))
        return noted.asked

    def test_the_same_is_computed_once(self, X, tmp_path, asked, capsys):
        first = embed_dataset(network(Classifier), X, cache=tmp_path)
        assert asked == [11]
        again = embed_dataset(network(Classifier), X.copy(), cache=str(tmp_path), batch_size=2, verbose=1)
        assert asked == [11] and again.tolist() == first.tolist()
        assert "embedding: 100%" in (shown := capsys.readouterr().err) and "11/11 items [" in shown

    def test_anything_else_is_computed_anew(self, X, tmp_path, asked):
        other = network(Classifier)
        with torch.no_grad():
            other.body.norm.running_var[0] = 2  # a buffer decides as a weight does
        calls = [
            (network(Classifier), X, {}),
            (network(Classifier, seed=1), X, {}),
            (other, X, {}),
            (network(Classifier), X + 1, {}),
            (network(Classifier), X[:5], {}),
            (network(Classifier), X, {"drop_head": False}),
            (network(Classifier), X, {"preprocess": torch.square}),
        ]
        found = [embed_dataset(module, data, cache=tmp_path, **params).tolist() for module, data, params in calls]
        assert len(asked) == len(calls)
        assert len({str(features) for features in found}) == len(calls)

    def test_a_network_of_the_same_weights_and_another_form_is_another(self, X, tmp_path):
        found = [
            embed_dataset(nn.Sequential(nn.Conv2d(3, 5, 3), kind(), nn.Flatten()), X, cache=tmp_path)
            for kind in (nn.ReLU, nn.Tanh, nn.ReLU)
            if torch.manual_seed(0)
        ]
        assert found[0].tolist() == found[2].tolist() != found[1].tolist()
        assert len(list(tmp_path.iterdir())) == 2

    def test_another_code_of_the_preprocessing_is_another(self, X, tmp_path, monkeypatch):
        def with_factor(factor):
            script = ModuleType("their_script")
            script.__file__ = str(tmp_path / "their_script.py")
            monkeypatch.setitem(sys.modules, "their_script", script)
            exec(f"def scaled(item):\n    return item * {factor}", vars(script))
            return embed_dataset(network(Classifier), X, preprocess=script.scaled, cache=tmp_path / "kept").tolist()

        first, again, other = with_factor(1), with_factor(1), with_factor(2)
        assert first == again != other

    def test_a_file_that_changed_is_read_again(self, picture_files, tmp_path, asked):
        paths, _ = picture_files
        for data in (paths, Pictures(paths), Subset(Pictures(paths), range(23))):
            before = embed_dataset(network(Classifier), data, preprocess=floats, cache=tmp_path / type(data).__name__)
            Image.new("RGB", (10, 12), (0, 0, len(asked))).save(paths[2])
            after = embed_dataset(network(Classifier), data, preprocess=floats, cache=tmp_path / type(data).__name__)
            assert (before != after).any(axis=1).nonzero()[0].tolist() == [2]
            size = Path(paths[2]).stat().st_size
            Image.new("RGB", (10, 12), (0, 0, 200)).save(paths[2])
            assert Path(paths[2]).stat().st_size == size  # only its time tells
            later = embed_dataset(network(Classifier), data, preprocess=floats, cache=tmp_path / type(data).__name__)
            assert (after != later).any(axis=1).nonzero()[0].tolist() == [2]

    def test_a_run_that_was_ended_goes_on_where_it_was(self, X, tmp_path, asked, monkeypatch):
        monkeypatch.setattr("sklabelnoise.feature_extraction._embed_dataset._KEPT_TOGETHER", 4)
        whole = embed_dataset(network(Classifier), X)
        asked.clear()

        with pytest.raises(KeyboardInterrupt):
            embed_dataset(network(Classifier), X, preprocess=partial(_interrupted, tmp_path), cache=tmp_path)
        Path(tmp_path, "again").touch()
        asked.clear()
        again = embed_dataset(network(Classifier), X, preprocess=partial(_interrupted, tmp_path), cache=tmp_path)
        assert asked == [3]
        np.testing.assert_allclose(again, whole, rtol=1e-5)

    @pytest.mark.parametrize(
        "wrap",
        [
            torch.from_numpy,
            lambda X: TensorDataset(torch.from_numpy(X)),
            list,
            lambda X: list(map(torch.from_numpy, X)),
        ],
        ids=["tensor", "dataset", "list of arrays", "list of tensors"],
    )
    def test_tensors_are_known_again(self, X, tmp_path, asked, wrap):
        first = embed_dataset(network(Classifier), wrap(X), cache=tmp_path)
        assert embed_dataset(network(Classifier), wrap(X.copy()), cache=tmp_path).tolist() == first.tolist()
        assert asked == [11]
        embed_dataset(network(Classifier), wrap(X + 1), cache=tmp_path)
        assert asked == [11, 11]

    def test_what_has_no_identity_is_refused(self, X, tmp_path):
        with pytest.raises(TypeError, match="picklable"):
            embed_dataset(network(Classifier), X, preprocess=lambda image: image, cache=tmp_path)


def _interrupted(folder, image):
    """As it is; the first call of the process that comes to the tenth image is interrupted."""
    if image.sum() == _TENTH and not Path(folder, "again").exists():
        raise KeyboardInterrupt
    return image


def test_from_files_to_names_of_classes(picture_files):
    paths, y = picture_files
    features = embed_dataset(network(Classifier), paths, preprocess=floats)
    model = DMClassifier(max_epochs=30, random_state=0).fit(features, y)
    assert (model.predict(features) == y).mean() > 0.9


def test_a_cache_that_cannot_be_written_is_called_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"The 'cache' parameter must be a folder that can be written\. Got .*file"):
        embed_dataset(nn.Linear(2, 2), np.ones((3, 2), dtype=np.float32), cache=tmp_path / "file", drop_head=False)

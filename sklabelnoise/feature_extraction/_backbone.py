"""A frozen network as a function from a batch to its features."""

import copy
import dataclasses
import inspect
from collections.abc import Mapping
from contextlib import contextmanager

import torch
from torch import nn

from sklabelnoise._foundation._callers_line import warn
from sklabelnoise._foundation._extras import is_of, needed
from sklabelnoise.training._module import last_linear, twin

# Where torchvision's and timm's factories say what weights they load, and what means none.
_NO_WEIGHTS = {"weights": None, "pretrained": False}
# Dimensions that are averaged over, by the number of dimensions of an output: tokens (n, t, d), maps (n, c, h, w).
_POOLED = {3: (1,), 4: (2, 3), 5: (2, 3, 4)}
# Entries of an output that a message lists.
_N_LISTED = 8


class Backbone:
    """Features of batches.

    Parameters
    ----------
    backbone : torch.nn.Module, class, factory, callable, SentenceTransformer or str
        See :func:`~sklabelnoise.feature_extraction.embed_dataset`.
    output, pool, drop_head
        As there.
    device : torch.device
        Where it runs.

    Attributes
    ----------
    takes_texts : bool
        Whether batches are lists of texts, for a model of sentence-transformers.
    identity : object
        What tells it from others: its weights and its form, or the function.
    code : object
        What names the classes and functions that compute.
    """

    def __init__(self, backbone, *, output, pool, drop_head, device):
        if isinstance(backbone, str):
            backbone = _sentence_transformer(backbone)
        self.output, self.pool, self.drop_head, self.device = output, pool, drop_head, device
        if _makes_a_module(backbone):
            backbone = _built(backbone)
        self.takes_texts = is_of(backbone, "sentence_transformers")
        if isinstance(backbone, nn.Module):
            self.name = type(backbone).__name__
            self.identity = (repr(backbone), dict(backbone.state_dict()))
            self.code = type(backbone)
            # The caller's own stays in its mode and on its device.
            at_home = all(tensor.device == device for tensor in (*backbone.parameters(), *backbone.buffers()))
            self.network = (twin(backbone) if at_home else copy.deepcopy(backbone).to(device)).eval()
        elif callable(backbone):
            self.name = getattr(backbone, "__name__", type(backbone).__name__)
            self.network, self.identity, self.code = backbone, backbone, backbone
        else:
            raise TypeError(
                "backbone must be a torch.nn.Module, a class or factory of one, a function of a batch, or the name of "
                f"a model of sentence-transformers, got {type(backbone).__name__}."
            )

    @property
    def wants_floats(self):
        """Whether numbers reach a network of torch, whose layers take no integers."""
        return isinstance(self.network, nn.Module)

    def own_preprocess(self):
        """What prepares pictures as the network was trained on, where that is known."""
        if not is_of(self.network, "timm"):
            return None
        from timm.data import create_transform, resolve_model_data_config  # whoever has such a network has timm

        return create_transform(**resolve_model_data_config(self.network))

    def __call__(self, batch):
        """Features of a batch, a float32 Tensor of shape (n, n_features) on the CPU."""
        if self.takes_texts:
            found = self.network.encode(batch, convert_to_tensor=True, show_progress_bar=False, device=str(self.device))
        else:
            found = self._forward(_on(batch, self.device, self._dtype))
        n = len(next(iter(batch.values()))) if isinstance(batch, Mapping) else len(batch)
        features = self._pooled(self._chosen(found))
        if features.ndim != 2 or len(features) != n or features.shape[1] == 0:
            raise ValueError(
                f"backbone {self.name} must give one row of features for each of {n} items, got an output of shape "
                f"{tuple(features.shape)}."
            )
        return features.detach().float().cpu()

    @property
    def _dtype(self):
        if not isinstance(self.network, nn.Module):
            return torch.float32
        return next((p.dtype for p in self.network.parameters() if p.is_floating_point()), torch.float32)

    def _forward(self, batch):
        shape = {key: tuple(value.shape) for key, value in batch.items()} if isinstance(batch, dict) else None
        try:
            with torch.inference_mode(), self._head() as head:
                found = self.network(**batch) if isinstance(batch, dict) else self.network(batch)
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
            inputs = shape or (f"shape {tuple(batch.shape)}" if isinstance(batch, torch.Tensor) else "texts")
            raise ValueError(f"backbone must take a batch of {inputs}, got {self.name}: {error}") from error
        # A classifier's last layer answers another question; what it receives is what the network sees.
        return head["received"] if head and head["gave"] is found else found

    @contextmanager
    def _head(self):
        """What the last linear layer receives and gives in a call, a dict; empty where it does not matter."""
        layer = last_linear(self.network) if self.drop_head and isinstance(self.network, nn.Module) else None
        seen = {}
        if layer is None:
            yield seen
            return
        handle = layer.register_forward_hook(lambda _, args, gave: seen.update(received=args[0], gave=gave))
        try:
            yield seen
        finally:
            handle.remove()

    def _chosen(self, found):
        """What is wanted of an output, as a tensor: itself, or an entry of a dict, a tuple or a dataclass."""
        entries, which = _entries(found), ""
        if entries is not None:
            if self.output not in entries:
                raise ValueError(
                    f"backbone {self.name} returns a {type(found).__name__}: output must be one of its entries, "
                    f"{_listed(entries)}, got {self.output!r}."
                )
            found, which = entries[self.output], f" as {self.output!r}"
        elif self.output is not None:
            raise ValueError(
                f"output is for backbones that return a dict, a tuple or a dataclass, and {self.name} returns "
                f"{_described(found)}, got output={self.output!r}."
            )
        try:
            numbers = found if isinstance(found, torch.Tensor) else torch.as_tensor(found)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"backbone {self.name} must return a tensor or an array{which}, got {_described(found)}. A function of "
                "a batch can be the backbone, and take out what is wanted."
            ) from error
        if numbers.is_complex():
            raise ValueError(f"backbone {self.name} must return real numbers{which}, got {numbers.dtype}.")
        return numbers.to_dense()

    def _pooled(self, features):
        if features.ndim not in _POOLED:
            return features
        places = _POOLED[features.ndim]
        if self.pool == "mean":
            return features.mean(places)
        if self.pool == "max":
            return features.amax(places)
        if self.pool == "first" and features.ndim == 3:
            return features[:, 0]
        choices = '"mean", "max" or "first" (the class token)' if features.ndim == 3 else '"mean" or "max"'
        what = "tokens of shape (n, tokens, features)" if features.ndim == 3 else "maps of shape (n, channels, ...)"
        raise ValueError(
            f"backbone {self.name} returns {what}, here {tuple(features.shape)}: pool must be {choices}, got "
            f"{self.pool!r}."
        )


def _entries(found):
    """What a dict, tuple, list or dataclass holds, by the names that `output` can choose; None of anything else."""
    if isinstance(found, Mapping):
        return dict(found)
    if isinstance(found, tuple | list):
        return dict(enumerate(found)) | dict(zip(getattr(found, "_fields", ()), found, strict=False))
    if dataclasses.is_dataclass(found):
        return {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    return None


def _described(value):
    return f"shape {tuple(value.shape)}" if hasattr(value, "shape") else type(value).__name__


def _listed(entries):
    if not entries:
        return "of which there is none"
    more = f" and {len(entries) - _N_LISTED} more" if len(entries) > _N_LISTED else ""
    some = list(entries.items())[:_N_LISTED]
    return ", ".join(f"{key!r} ({_described(value)})" for key, value in some) + more


def _on(batch, device, dtype):
    if isinstance(batch, Mapping):
        return {key: _on(value, device, dtype) for key, value in batch.items()}
    if not isinstance(batch, torch.Tensor):
        return batch
    return batch.to(device, dtype if batch.is_floating_point() else None)


def _makes_a_module(backbone):
    if isinstance(backbone, type):
        return issubclass(backbone, nn.Module)
    if isinstance(backbone, nn.Module) or not callable(backbone):
        return False
    try:
        inspect.signature(backbone).bind()
    except (TypeError, ValueError):
        return False  # it wants something: a batch
    return True


def _built(factory):
    name = getattr(factory, "__name__", getattr(getattr(factory, "func", None), "__name__", type(factory).__name__))
    for argument, none in _NO_WEIGHTS.items():
        parameter = inspect.signature(factory).parameters.get(argument)
        if parameter is not None and parameter.default is none:
            warn(
                f"backbone {name} is built with random weights, whose features say little: "
                f"functools.partial({name}, {argument}=...) loads trained ones.",
            )
    try:
        built = factory()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"backbone {name} must be built by a call without arguments, as functools.partial({name}, ...) makes it, "
            f"got the error: {error}"
        ) from error
    if not isinstance(built, nn.Module):
        raise TypeError(f"backbone must build a torch.nn.Module, got {type(built).__name__} from {name}.")
    return built


def _sentence_transformer(name):
    image_network = f"A network for images is passed as a module: timm.create_model({name!r}, pretrained=True)."
    with needed(f"backbone={name!r}, a name,", "sentence_transformers", extra="embed", instead=image_network):
        from sentence_transformers import SentenceTransformer
    return SentenceTransformer(name)

"""Saving a fitted classifier in one safetensors file, and loading it without executing anything from it."""

import hashlib
import json
import re
from pathlib import PurePath

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

import sklabelnoise.losses
import sklabelnoise.modules
from sklabelnoise._foundation._paths import local_file, local_path
from sklabelnoise._foundation._whole_files import write_whole

_FORMAT = "sklabelnoise-1"

# Where a class may come from that is written down by name: nothing else is ever looked up.
_NAMESPACES = {
    "torch.optim": torch.optim,
    "torch.nn": torch.nn,
    "sklabelnoise.modules": sklabelnoise.modules,
    "sklabelnoise.losses": sklabelnoise.losses,
}
# What goes wrong in taking apart a header that someone else wrote.
WRONG_CONTENT = (KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RuntimeError, MemoryError)

_EMPHASES = ("DMEmphasis", "ExponentialEmphasis", "NormalEmphasis", "BetaEmphasis", "IMAEEmphasis")


def expressed(header):
    """A header as JSON.

    Raises
    ------
    TypeError
        If it holds something that can't be stored.
    """
    return json.dumps({key: encode(value, key) for key, value in header.items()})


def read_back(written):
    """The header that :func:`expressed` wrote."""
    return {key: decode(value) for key, value in json.loads(written).items()}


def write(path, estimator, *, header, tensors):
    """Write tensors and a JSON header into one file, atomically.

    Parameters
    ----------
    path : path-like
        The file; its folder must exist.
    estimator : estimator
        Its class name is stored.
    header : str
        As :func:`expressed` gives it.
    tensors : dict of str to Tensor
        State of the module and other arrays.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    """
    path = local_file(path)
    # Tensors that share memory are refused by safetensors; copies are small beside the data.
    tensors = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    metadata = {
        "format": _FORMAT,
        "estimator": type(estimator).__name__,
        "header": header,
        "checksum": checksum(header, tensors),
    }
    write_whole(path, save(tensors, metadata))


def checksum(header, tensors):
    """Of all that a file holds: safetensors has none, and a weight with a flipped bit is a weight like any other."""
    digest = hashlib.sha256(header.encode("utf-8", "surrogatepass"))
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def read(path, cls):
    """Read what :func:`write` wrote for a class of estimators.

    Returns
    -------
    header : dict
    tensors : dict of str to Tensor

    Raises
    ------
    ValueError
        If the file is truncated, not one of ours, or of another class.
    """
    path = local_path(path)
    open(path, "rb").close()  # Python's own errors for what cannot be opened, a folder for one
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise ValueError(f"expected format {_FORMAT!r}, got {metadata.get('format')!r}")
            # Copies: the file's own are mapped from the disk, where it may be replaced.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
        expected = metadata.get("checksum")  # files of earlier versions have none
        if expected is not None and (found := checksum(metadata["header"], tensors)) != expected:
            raise ValueError(f"expected checksum {expected!r}, got {found!r}")
        header = read_back(metadata["header"])
    except (SafetensorError, ValueError, *WRONG_CONTENT) as error:
        raise ValueError(f"{str(path)!r} is damaged or no file of a saved classifier: {error}") from error
    if metadata.get("estimator") != cls.__name__:
        raise ValueError(f"{str(path)!r} must hold a {cls.__name__}, got a {metadata.get('estimator')!r}.")
    return header, tensors


def encode(value, name):
    """Express a parameter in JSON; classes of torch and of this package by name.

    Raises
    ------
    TypeError
        If it is a callable or object that loading could only restore by executing code.
    """
    if value is None or isinstance(value, bool | str | int | float):
        return value
    if isinstance(value, np.generic):
        return encode(value.item(), name)
    if isinstance(value, torch.device | PurePath):
        return str(value)
    if isinstance(value, list):
        return [encode(item, name) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item, name) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key, name), encode(item, f"{key}")] for key, item in value.items()]}
    if isinstance(value, np.ndarray) and value.dtype.kind == "M":
        return {**encode(value.astype("i8"), name), "dtype": value.dtype.str}
    if isinstance(value, np.ndarray) and value.ndim >= 1 and value.dtype.kind in "biufUO":
        # The width of strings is left to loading, where it follows from the strings themselves.
        dtype = value.dtype.kind if value.dtype.kind in "OU" else value.dtype.str
        return {"array": [encode(item, name) for item in value.tolist()], "dtype": dtype}
    if isinstance(value, type):
        for namespace, home in _NAMESPACES.items():
            if getattr(home, value.__name__, None) is value:
                return {"class": f"{namespace}.{value.__name__}"}
    if type(value).__name__ in _EMPHASES and isinstance(value, getattr(sklabelnoise.losses, type(value).__name__)):
        fields = {field: encode(getattr(value, field), name) for field in value.__dataclass_fields__}
        return {"emphasis": type(value).__name__, "fields": fields}
    raise TypeError(
        f"{name} can't be saved: loading would have to execute code to restore it. Save with pickle, or set {name} to "
        f"something that has a name, got {value!r}."
    )


def decode(value):
    """Turn what :func:`encode` wrote back into objects.

    Raises
    ------
    ValueError
        If it names something that :func:`encode` does not write.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(decode(item) for item in value["tuple"])
    if "dict" in value:
        return {decode(key): decode(item) for key, item in value["dict"]}
    if "array" in value:
        if not re.fullmatch(r"O|U|[<>|=]?[biuf]\d{1,2}|[<>]M8\[\d*[a-zA-Z]{1,2}\]", value["dtype"]):
            raise ValueError(f"The file must hold arrays of plain types, got an array of type {value['dtype']!r}.")
        return np.array(decode(value["array"]), dtype=value["dtype"])
    if "class" in value:
        namespace, _, name = value["class"].rpartition(".")
        found = getattr(_NAMESPACES.get(namespace), name, None) if not name.startswith("_") else None
        if not isinstance(found, type):
            raise ValueError(f"The file must name classes of torch or sklabelnoise, got {value['class']!r}.")
        return found
    if value.get("emphasis") in _EMPHASES:
        return getattr(sklabelnoise.losses, value["emphasis"])(**{k: decode(v) for k, v in value["fields"].items()})
    raise ValueError(f"The file must hold what save writes, got something unknown: {sorted(value)}.")

"""A fitted NoisyLabelClassifier as one file.

The file is a zip archive. Networks of this package are in it as files of their own `save`: safetensors and JSON, which
execute nothing when they are loaded. Everything else is written by skops where that is installed, which loads only
types that it trusts, and those of this folder; else, and of what skops cannot write, by pickle, if the user asks for it
in so many words.
"""

import io
import json
import os
import pickle
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from sklabelnoise._classifiers._base import BaseNoisyLabelClassifier
from sklabelnoise._classifiers._derivative_manipulation import DMClassifier
from sklabelnoise._classifiers._file_format import WRONG_CONTENT
from sklabelnoise._classifiers._progressive_correction import ProSelfLCClassifier
from sklabelnoise._classifiers._robust_loss import RobustLossClassifier
from sklabelnoise._ensemble._own_members import Recoded
from sklabelnoise._foundation._cloned import cloned_with
from sklabelnoise._foundation._extras import needed
from sklabelnoise._foundation._paths import local_file, local_path
from sklabelnoise._foundation._whole_files import write_whole

_FORMAT = "sklabelnoise-ensemble-1"
# What goes wrong in an archive some of whose bytes are others: places before its begin, ways to pack that nobody has.
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, *WRONG_CONTENT)
_NETWORKS = {kind.__name__: kind for kind in (DMClassifier, ProSelfLCClassifier, RobustLossClassifier)}
# What a file may name and loading it makes, beside what skops trusts: parts of a fitted ensemble and of trees.
_TRUSTED = frozenset(
    (
        "_loss.CyHalfMultinomialLoss",  # how scikit-learn 1.6 calls a compiled class of its own
        "numpy.dtype",
        "sklabelnoise._ensemble._boosting.FirstRounds",
        "sklabelnoise._ensemble._components.Components",
        "sklabelnoise._ensemble._decision.Decision",
        "sklabelnoise._ensemble._families.Candidate",
        "sklabelnoise._ensemble._families.FittedFamily",
        "sklabelnoise._ensemble._forests.BagOfTrees",
        "sklabelnoise._ensemble._kernel_ridge.KernelModel",
        "sklabelnoise._ensemble._linear.OneClass",
        "sklabelnoise._ensemble._neighbors.NeighborVotes",
        "sklabelnoise._ensemble._own_members.Recoded",
        "sklabelnoise._ensemble._saving.Elsewhere",
        "sklabelnoise._ensemble._transition.Transition",
        "sklabelnoise._ensemble._views.Views",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.MultinomialLogit",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.model_selection._split.GroupKFold",
        "sklearn.model_selection._split.KFold",
        "sklearn.model_selection._split.LeaveOneGroupOut",
        "sklearn.model_selection._split.LeaveOneOut",
        "sklearn.model_selection._split.PredefinedSplit",
        "sklearn.model_selection._split.StratifiedGroupKFold",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.tree._tree.Tree",
    )
)


class Elsewhere:
    """Stands in the state of an ensemble for a network that has a file of its own.

    Parameters
    ----------
    number : int
        Number of the file.
    params : dict, default=None
        Parameters that a member had before the fit chose others: of its grid, and seeds.
    """

    def __init__(self, number: int, params: dict[str, Any] | None = None):
        self.number = number
        self.params = params or {}


def save_ensemble(model: Any, path: Any, allow_pickle: bool) -> None:
    """Write a fitted ensemble; see :meth:`NoisyLabelClassifier.save`."""
    path = local_file(path)
    networks = []
    state = dict(vars(model))
    state["_families"] = [_without_networks(family, networks) for family in model._families]
    # Made again from the families, in which each model is once.
    del state["estimators_"]
    state["_row_names"] = _plain(getattr(model, "_row_names", None))
    for name in ("members_", "candidates_"):
        state[name] = state[name].to_dict("list")
    if model.checkpoint is not None:
        state["checkpoint"] = os.fspath(model.checkpoint)  # paths are of another type on another system
    state["members"] = _members_without_networks(model.members, networks)
    try:
        if isinstance(model.cv, Iterator):  # old versions of skops write what none reads
            raise TypeError(f"cv must be folds that can be asked for again, got {model.cv!r}")
        kind, content = _written(state, allow_pickle)
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # of whatever the user's own objects do
        said = " ".join(f"{part}".rstrip(".") + "." for part in [error, *getattr(error, "__notes__", [])])
        raise TypeError(
            f"{type(model).__name__} can't be saved, as one of its parameters or members can't be written, got "
            f"{type(error).__name__}: {said}"
        ) from error
    header = {
        "format": _FORMAT,
        "state": kind,
        "networks": [{"class": type(network).__name__, "member": member} for member, network in networks],
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("header.json", json.dumps(header))
        file.writestr(f"state.{kind}", content)
        for number, (_, network) in enumerate(networks):
            file.writestr(f"network-{number}.safetensors", _bytes_of(network))
    write_whole(path, archive.getvalue())


def load_ensemble(cls: Any, path: Any, allow_pickle: bool, trusted: Any, modules: dict[str, Any]) -> Any:
    """Read a fitted ensemble; see :meth:`NoisyLabelClassifier.load`."""
    if not isinstance(modules, dict):
        raise TypeError(f"modules must be a dict from names of members to their modules, got {modules!r}.")
    path = local_path(path)
    open(path, "rb").close()  # Python's own errors for what cannot be opened, a folder for one
    try:
        with zipfile.ZipFile(path) as file:
            header = json.loads(file.read("header.json"))
            if header.get("format") != _FORMAT:
                raise ValueError(f"expected format {_FORMAT!r}, got {header.get('format')!r}")
            content = file.read(f"state.{header['state']}")
            files = [file.read(f"network-{number}.safetensors") for number in range(len(header["networks"]))]
    except _DAMAGED as error:
        raise ValueError(f"{str(path)!r} is damaged or no file of a saved {cls.__name__}: {error}") from error
    members = {described["member"] for described in header["networks"]}
    if strange := [name for name in modules if name not in members]:
        raise ValueError(
            f"modules must be of members that are networks in the file, {_listed(members)}, got {_listed(strange)}."
        )
    state = _read(header["state"], content, allow_pickle, trusted, path)
    networks = [_network(described, own, modules) for described, own in zip(header["networks"], files, strict=True)]
    model = cls.__new__(cls)
    for name in ("members_", "candidates_"):
        state[name] = pd.DataFrame(state[name])
    vars(model).update({**state, "_row_names": _index(state.get("_row_names"))})
    for family in model._families:
        for recoded in family.models:
            if isinstance(getattr(recoded, "model", None), Elsewhere):
                recoded.model = networks[recoded.model.number]
    if not isinstance(model.members, str):
        model.members = [
            (name, _unfitted(entry, networks), *grid) if isinstance(entry, Elsewhere) else (name, entry, *grid)
            for name, entry, *grid in model.members
        ]
        model.members = [entry[0] if entry[1] is None else entry for entry in model.members]
    model.estimators_ = {family.name: family.models for family in model._families}
    return model


def _plain(index):
    """The names of rows as numbers that make a range, or an array; None where they are not numbers, texts or dates."""
    if index is None:
        return None
    if isinstance(index, pd.RangeIndex):
        values = (index.start, index.stop, index.step)
    else:
        values = index.to_numpy()
        values = values.astype(str) if index.inferred_type == "string" else values
        if values.dtype.kind not in "iufMU":
            return None
    return {"values": values, "name": index.name if isinstance(index.name, str) else None}


def _index(plain):
    """The names of rows that :func:`_plain` wrote."""
    if plain is None:
        return None
    values, name = plain["values"], plain["name"]
    return pd.RangeIndex(*values, name=name) if isinstance(values, tuple) else pd.Index(values, name=name)


def _without_networks(family, networks):
    """A copy of a fitted family, its networks noted elsewhere."""
    models = []
    for model in family.models:
        if isinstance(model, Recoded) and isinstance(model.model, BaseNoisyLabelClassifier):
            stand_in = Recoded.__new__(Recoded)
            stand_in.model, stand_in.classes_ = Elsewhere(len(networks)), model.classes_
            networks.append((family.name, model.model))
            model = stand_in
        models.append(model)
    copied = type(family).__new__(type(family))
    vars(copied).update({**vars(family), "models": models})
    return copied


def _members_without_networks(members, networks):
    """The parameter `members` as tuples: a network as its fitted one, the name of a family for tables with None."""
    if isinstance(members, str):
        return members
    first = {name: number for number, (name, _) in reversed(list(enumerate(networks)))}
    found = []
    for entry in members:
        name, estimator, *grid = (entry, None) if isinstance(entry, str) else entry
        if isinstance(estimator, BaseNoisyLabelClassifier):
            if name not in first:
                continue  # it failed, and nothing of it is left
            params, chosen = estimator.get_params(), networks[first[name]][1].get_params()
            estimator = Elsewhere(
                first[name], {key: params[key] for key in _set_by_the_fit(chosen, *grid) if key in params}
            )
        found.append((name, estimator, *grid))
    return found


def _set_by_the_fit(chosen, grid=None):
    """Names of parameters that the fit of a member sets: those of its grid, and seeds that its user left open."""
    grids = [grid] if isinstance(grid, dict) else grid or []
    seeds = {name for name in chosen if name.rpartition("__")[2] == "random_state"}
    return sorted(seeds.union(*grids))


def _unfitted(entry, networks):
    return cloned_with(networks[entry.number], getattr(entry, "params", {}))


def _listed(names):
    return ", ".join(sorted(map(repr, names))) or "none"


def _bytes_of(network):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network"
        network.save(path)
        return path.read_bytes()


def _network(described, content, modules):
    kind = _NETWORKS.get(str(described["class"]))
    if kind is None:
        raise ValueError(f"The file names {described['class']!r}, which is no network of this package.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network"
        path.write_bytes(content)
        return kind.load(path, module=modules.get(described["member"]))


def _written(state, allow_pickle):
    pickled = (
        "Or pass allow_pickle=True: then loading the file can execute whatever was written into it, got "
        "allow_pickle=False."
    )
    try:
        with needed("Saving members that are no networks of this package", "skops", extra="save", instead=pickled):
            from skops import io as skops_io
    except ImportError:
        if not allow_pickle:
            raise
        return "pickle", pickle.dumps(state)
    try:
        return "skops", skops_io.dumps(state)
    except Exception as error:  # of what it cannot write: networks in a Pipeline, frames of pandas
        if allow_pickle:
            return "pickle", pickle.dumps(state)
        error.add_note("With allow_pickle=True it is pickled, and loading such a file can execute what is in it.")
        raise


def _read(kind, content, allow_pickle, trusted, path):
    if kind == "pickle":
        if not allow_pickle:
            raise ValueError(
                f"{str(path)!r} holds pickled members, and loading these can execute whatever was written into the "
                "file: pass allow_pickle=True if you trust where it comes from, got allow_pickle=False."
            )
        return pickle.loads(content)
    with needed(f"Loading {str(path)!r}", "skops", extra="save"):
        from skops import io as skops_io

    trusted = _TRUSTED | set(trusted)
    if strange := sorted(set(skops_io.get_untrusted_types(data=content)) - trusted):
        raise ValueError(
            f"{str(path)!r} names types that are not trusted: pass those whose code you know as trusted=, got "
            f"{', '.join(strange)}."
        )
    return skops_io.loads(content, trusted=sorted(trusted))

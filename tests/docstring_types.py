"""How the type line of a numpydoc entry reads as an annotation: the docstring stays the reference."""

import re

SHAPE = re.compile(r" of shape \([^()]*\)(?: or \([^()]*\))*")
INTERVAL = re.compile(r" in [\[(][^\])]*[\])]")
SUFFIX = re.compile(r",? ?default=.*$|, float32$|, optional$")

# Type lines whose meaning is more than the sum of their words.
WHOLE = {
    "int, RandomState instance or None": "RandomState",
    "int, splitter or iterable": "CrossValidation",
    'int, "auto", splitter or iterable of (train, test)': "CrossValidation",
    "{array-like, sparse matrix, Dataset}": "Rows",
    "same types as X, and ndarray": "tuple[Any, NDArray[Any]]",
    "same as the parameter": "Any",
    "{'entropy', 'max', 'none'} or None": "Literal['entropy', 'max', 'none'] | None",
    "torch.nn.Module, class or factory": "torch.nn.Module | Callable[..., Any]",
    "str or class": "str | type[Any]",
    "str or callable": "str | Callable[..., Any]",
    "ndarray of matplotlib Axes": "NDArray[Any]",
    "ndarray of Text or None": "NDArray[Any] | None",
    "dict of (str, str) to matplotlib Line2D": "dict[tuple[str, str], Any]",
    "dict of (int, int) to matplotlib PathPatch": "dict[tuple[int, int], Any]",
    "dict of ndarray": "dict[str, Any]",
    "tensor of bool": "torch.Tensor",
    "iterable of str": "Iterable[str]",
    "array-like of str": "Sequence[str]",
    "array-like of matplotlib Axes": "ArrayLike",
    "list of estimators": "list[Estimator]",
    "estimator, list of estimators or of (str, estimator), or None": (
        "Estimator | list[Estimator | tuple[str, Estimator]] | None"
    ),
    "list of estimator instances": "list[Estimator]",
    "color": "Any",
    "same as the parameters": "Any",
    "str, path-like, file, DataFrame, or list of these": (
        "str | os.PathLike[str] | IO[str] | pd.DataFrame | list[str | os.PathLike[str] | IO[str] | pd.DataFrame]"
    ),
}
ATOMS = {
    "int": "int",
    "float": "float",
    "numeric": "float",
    "bool": "bool",
    "str": "str",
    "object": "Any",
    "None": "None",
    "False": "Literal[False]",
    "dict": "dict[Any, Any]",
    "list": "list[Any]",
    "tuple": "tuple[Any, ...]",
    "sequence": "Sequence[Any]",
    "callable": "Callable[..., Any]",
    "array": "ArrayLike",
    "array-like": "ArrayLike",
    "frame": "pd.DataFrame",
    "sparse array": "SparseMatrix",
    "sparse matrix": "SparseMatrix",
    "Dataset": "RowsByNumber",
    "dataframe": "pd.DataFrame",
    "DataFrame": "pd.DataFrame",
    "ndarray": "NDArray[Any]",
    "tensor": "torch.Tensor",
    "torch.nn.Module": "torch.nn.Module",
    "torch.nn.Sequential": "torch.nn.Sequential",
    "torch.nn.Linear": "torch.nn.Linear",
    "torch.device": "torch.device",
    "skorch.NeuralNet": "NeuralNet",
    "skorch.callbacks.Callback": "Any",
    "path-like": "os.PathLike[str]",
    "file": "IO[str]",
    "estimator": "Estimator",
    "estimator instance": "Estimator",
    "classifier": "Estimator",
    "Pipeline": "Estimator",
    ":class:`~sklearn.utils.Bunch`": "Bunch",
    "matplotlib Axes": "Axes",
    "matplotlib Figure": "Figure",
    "SubFigure": "SubFigure",
    "Colormap": "Any",
    "MetadataRouter": "MetadataRouter",
    "matplotlib Line2D": "Any",
    "matplotlib PathPatch": "Any",
    "matplotlib AxesImage": "Any",
    "gensim.models.Doc2Vec": "Any",
}
LABELS = {"y", "y_val", "y_test", "y_given", "y_clean", "classes", "labels", "query_labels", "gallery_labels"}


def annotation(name, kind, *, own_names=()):
    """The annotation that an entry ``name : kind`` stands for.

    Parameters
    ----------
    name : str
        Of the parameter or attribute; labels are told from other arrays by it.
    kind : str
        The type line.
    own_names : collection of str
        Classes of this package that a type line may name.
    """
    nullable = bool(re.search(r"default=None\b", kind))
    text = INTERVAL.sub("", SHAPE.sub("", SUFFIX.sub("", kind))).strip()
    found = _union(text, own_names)
    if name in LABELS and found == "ArrayLike":
        found = "Labels"
    if nullable and "None" not in found and found not in ("Any", "RandomState", "CrossValidation", "Estimator"):
        found += " | None"
    return found


def _union(text, own_names):
    if text in WHOLE:
        return WHOLE[text]
    literals = re.match(r"\{(.*?)\}", text)
    if literals and re.search(r"['\"]", literals[1]):
        rest = text[literals.end() :].removeprefix(",").strip().removeprefix("or ")
        values = [value for value in literals[1].replace('"', "'").split(", ") if value != "None"]
        parts = [f"Literal[{', '.join(values)}]"]
        parts += ["None"] if "None" in literals[1].split(", ") else []
        return _joined([*parts, *([_union(rest, own_names)] if rest else [])])
    if literals:
        text = literals[1] + text[literals.end() :]
    parts = [part.strip() for part in re.split(r", or | or |, ", text) if part.strip()]
    return _joined([_one(part, own_names) for part in parts])


def _joined(parts):
    flat = list(dict.fromkeys(piece for part in parts for piece in part.split(" | ")))
    if "ArrayLike" in flat:
        flat = [part for part in flat if part != "pd.DataFrame"]  # frames are array-like
    return " | ".join([part for part in flat if part != "None"] + ["None"] * ("None" in flat))


def _one(part, own_names):
    if part in WHOLE:
        return WHOLE[part]
    if part in ATOMS:
        return ATOMS[part]
    if part in own_names:
        return part
    if re.fullmatch(r"'\w+'|\"\w+\"", part):
        return f"Literal['{part[1:-1]}']"
    if match := re.fullmatch(r"(list|sequence|tuple) of (.+)", part):
        inner = _one(match[2], own_names)
        return {"list": f"list[{inner}]", "sequence": f"Sequence[{inner}]", "tuple": f"tuple[{inner}, ...]"}[match[1]]
    if re.fullmatch(r"ndarray of \w+", part):
        return "NDArray[Any]"
    if match := re.fullmatch(r"dict of (.+) to (.+)", part):
        key = "Any" if "(" in match[1] else _one(match[1], own_names)
        return f"dict[{key}, {_one(match[2], own_names)}]"
    if match := re.fullmatch(r"dict of (.+)", part):
        return f"dict[str, {_one(match[1], own_names)}]"
    raise ValueError(f"no annotation is known for {part!r}")

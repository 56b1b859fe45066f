"""What recipes share: a paper's table on a data set that is not shared, for whoever has its folder."""

import pkgutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pandas as pd

from benchmarks.cells import markdown, mean_sd
from benchmarks.papers._runner import command_line, frame_of, product_of, rows_path, run_jobs

_HELP = {
    "side": "height and width that images are scaled to (%(default)s)",
    "max_epochs": "passes over the training images (%(default)s)",
    "network": "package.module:name of a class or function of the number of classes (%(default)s)",
    "n_train": "training images, or tracks, drawn at random (all)",
}


@dataclass(frozen=True)
class Size:
    """How much of a recipe is run.

    Parameters
    ----------
    side : int
        Height and width that images are scaled to.
    max_epochs : int
        Passes over the training images.
    network : str
        ``package.module:name`` of a class or function that takes the number of classes as ``num_classes`` or
        ``n_classes``, such as a function of your own that loads pretrained weights.
    n_train : int, default=None
        Training images, or training tracks, drawn at random; None for all.
    """

    side: int
    max_epochs: int
    network: str
    n_train: int | None = None

    def __post_init__(self):
        for name in ("side", "max_epochs", "n_train"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}.")

    def module(self):
        """The network's factory."""
        try:
            return pkgutil.resolve_name(self.network)
        except (ImportError, AttributeError, ValueError) as error:
            raise SystemExit(f"--network must be package.module:name, got {self.network!r}: {error}.") from None


@dataclass(frozen=True)
class Recipe:
    """A table of a paper that needs a folder.

    Parameters
    ----------
    name : str
        Of the file of rows.
    document : str
        The script's docstring.
    size : Size
        Without options.
    methods : sequence of str
        Rows.
    measures : dict of str to str
        What is shown: names of measures, as `execute` returns them, and what they are called.
    published : dict of (str, str) to str
        What the paper states, by method and measure.
    execute : callable
        ``execute(folder, size, method, seed)`` returns the measures.
    scale : float, default=100
        Of our figures.
    digits : int, default=1
        Of our figures.
    """

    name: str
    document: str
    size: Size
    methods: tuple
    measures: dict
    published: dict
    execute: Callable
    scale: float = 100
    digits: int = 1

    def tables(self, path=None):
        """Ours, and the paper's in brackets; one table for each size that has rows."""
        frame = frame_of(path or rows_path(self.name))
        if frame.empty:
            return "No rows yet.\n"
        parts = []
        for values, rows in frame.groupby(list(asdict(self.size)), sort=False, dropna=False):
            lines = {
                method: {
                    label: mean_sd(part[measure], self.scale, self.digits) + self._beside(method, measure)
                    for measure, label in self.measures.items()
                }
                for method, part in rows.groupby("method", sort=False)
            }
            size = ", ".join(f"{key} {value}" for key, value in zip(asdict(self.size), values, strict=True))
            table = markdown(pd.DataFrame.from_dict(lines, orient="index").rename_axis("method"))
            parts.append(f"{self.name}, {size}; seeds {sorted(rows['seed'].unique().tolist())}:\n\n{table}")
        return "\n".join(parts)

    def _beside(self, method, measure):
        return f" ({self.published[method, measure]})" if (method, measure) in self.published else ""

    def main(self, arguments=None):
        """Command line."""
        parser = command_line(self.document)
        parser.add_argument("folder", nargs="?", help="the data set, as its authors publish it")
        parser.add_argument("--methods", nargs="+", choices=self.methods, default=self.methods)
        for option, default in asdict(self.size).items():
            kind = str if option == "network" else int
            parser.add_argument(f"--{option.replace('_', '-')}", type=kind, default=default, help=_HELP[option])
        options = parser.parse_args(arguments)
        try:
            size = Size(**{option: getattr(options, option) for option in asdict(self.size)})
        except ValueError as error:
            parser.error(str(error))
        if not options.report:
            if options.folder is None:
                parser.error("folder: where is the data set?")
            size.module()  # a misspelt network is found before hours of reading
            jobs = product_of(
                **{name: [value] for name, value in asdict(size).items()}, seed=options.seeds, method=options.methods
            )
            try:
                run_jobs(
                    rows_path(self.name),
                    jobs,
                    lambda method, seed, **_: self.execute(options.folder, size, method, seed),
                )
            except (FileNotFoundError, ImportError) as error:
                sys.exit(str(error))
        print(self.tables())

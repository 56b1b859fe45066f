"""What the displays share: axes, colors, and plain frames."""

from itertools import cycle

import numpy as np

from sklabelnoise._foundation._extras import needed

# Okabe and Ito's palette, which stays apart in the common forms of color blindness.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
RIGHT, WRONG, NEUTRAL = PALETTE[0], PALETTE[1], "#8A929C"

# What this package's pictures compare most often has one color in all of them.
METHOD_COLORS: dict[str, str] = {
    "cross entropy": PALETTE[1],
    "cross entropy, stopped early": PALETTE[4],
    "cross entropy, clean labels": NEUTRAL,
    "DM": PALETTE[0],
    "ProSelfLC": PALETTE[2],
    "refinery": PALETTE[3],
    "GCE": "#6A3D9A",
    "OHEM": "#A6761D",
    "random forest": PALETTE[5],
    "NoisyLabelClassifier": PALETTE[6],
}


def pyplot():
    """``matplotlib.pyplot``, imported when something is drawn.

    Raises
    ------
    ImportError
        If it is not installed, with the line that installs it.
    """
    with needed("Drawing", "matplotlib", extra="plot"):
        import matplotlib.pyplot as plt
    return plt


def new_axes(ax, **kwargs):
    """The given axes, or those of a new figure."""
    plt = pyplot()
    return plt.subplots(layout="constrained", **kwargs)[1] if ax is None else ax


def line_style(kwargs):
    """Options of a line under their whole names: matplotlib refuses a short one, as ``ls``, beside a default."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return normalize_kwargs(kwargs, Line2D)


def class_colors(n_classes):
    """One color a class, as an array of shape (n_classes, 3)."""
    mpl = pyplot().matplotlib
    if n_classes <= len(PALETTE):
        return np.array([mpl.colors.to_rgb(color) for color in PALETTE[:n_classes]])
    if n_classes <= 10:
        return np.array(mpl.colormaps["tab10"].colors[:n_classes])
    return mpl.colormaps["turbo"](np.linspace(0.05, 0.95, n_classes))[:, :3]


def method_colors(names):
    """A color for each name: that of the method, and for others those of the palette that are still free."""
    taken = {METHOD_COLORS.get(name) for name in names}
    free = cycle([color for color in PALETTE if color not in taken] or PALETTE)
    return {name: METHOD_COLORS[name] if name in METHOD_COLORS else next(free) for name in names}


def legend_below(ax, **kwargs):
    """A legend under the axes, where it hides no data; a figure with the layout "constrained" makes room for it."""
    return ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), **kwargs)


def remove_frame(ax, *sides):
    for side in sides or ("top", "right"):
        ax.spines[side].set_visible(False)


def shorten(label, length=18):
    """A label for a tick or title: one line of limited length, in which nothing is a formula."""
    text = " ".join(str(label).split()).replace("$", r"\$")
    return text if len(text) <= length else text[: length - 1] + "…"

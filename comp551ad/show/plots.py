"""Plots for the lectures: decision boundaries, learning and error curves, paths.

Reads NumPy and the palette; matplotlib is imported when a plot is drawn. Lectures,
tests and exercises may read it. Each function draws on `ax`, or on a new figure, and
returns the Axes; none shows the figure or touches matplotlib's global settings. The
text is large enough for the back of a room, and classes and lines differ in marker or
dash as well as in colour. `figure_html` turns a figure into an image with alternative
text.
"""

import base64
import html
import io
from typing import NamedTuple

import numpy as np

from comp551ad.extras import extra

from . import palette
from .figures import number

__all__ = [
    "FigureImage",
    "Region",
    "class_region",
    "figure_html",
    "plot_decision_boundary",
    "plot_error_curve",
    "plot_learning_curve",
    "plot_paths",
]

TITLE_SIZE, LABEL_SIZE, TICK_SIZE = 17, 15, 13
REGION_STEPS = 200  # rows and columns of the grid on which the classes are asked for


def plot_decision_boundary(
    predict,
    X,
    Y,
    *,
    feature_names=None,
    class_names=None,
    title="Decision boundaries",
    ax=None,
):
    """Colour the plane by the class that `predict` gives, with the data on it (S09).

    predict        takes rows like those of X and returns class scores, probabilities
                   (rows x C, the largest wins) or class labels (rows,). One column of
                   probabilities (rows x 1) means class 1 from a half upwards
    X              N x 2 inputs, or N x 3 of which the first or the last column is
                   constant: the bias. Grid points get the same constant
    Y              N x C one-hot, N x 1, or (N,) labels 0, 1, …
    feature_names  names of X's columns for the axis labels (the bias's may be left out)
    class_names    names of the classes for the legend
    ax             Axes to draw on; a new figure if left out

    Returns the Axes. Errors: ValueError for shapes that don't fit.
    """
    found = class_region(predict, X)
    inputs, across, up, region = found.inputs, found.across, found.up, found.classes
    labels = class_numbers(Y, len(inputs), "Y")
    classes = 1 + max(int(labels.max()), int(region.max()))
    if np.ndim(Y) == 2:
        classes = max(classes, np.shape(Y)[1])
    class_names = _names(class_names, classes, "class_names", "class {}")
    feature_names = _feature_names(feature_names, np.shape(X)[1], found.kept)

    ax = _axes(ax, (7.2, 5.4))
    drawn = []
    for c in range(classes):
        inside = (region == c).astype(float)
        if inside.any():
            hue = palette.CLASS_REGIONS[c % len(palette.CLASS_REGIONS)]
            ax.contourf(across, up, inside, levels=[0.5, 1.5], colors=[hue], zorder=0)
            if not inside.all():
                ax.contour(
                    across,
                    up,
                    inside,
                    levels=[0.5],
                    colors=[palette.INK],
                    linewidths=1.4,
                    zorder=1,
                )
    for c in range(classes):
        rows = inputs[labels == c]
        drawn.append(
            ax.scatter(
                rows[:, 0],
                rows[:, 1],
                s=58,
                marker=palette.CLASS_MARKERS[c % len(palette.CLASS_MARKERS)],
                color=palette.CLASSES[c % len(palette.CLASSES)],
                edgecolors=palette.INK,
                linewidths=0.8,
                label=class_names[c],
                zorder=2,
            )
        )
    ax.set_xlim(across[0], across[-1])
    ax.set_ylim(up[0], up[-1])
    _dress(ax, title, *feature_names, grid=False)
    _legend(ax, drawn, columns=4)
    return ax


class Region(NamedTuple):
    """The class of every point of a grid: what `class_region` returns.

    across, up  (K,) the grid's places on the two axes
    classes     K x K class numbers, a row for each place in `up`
    inputs      N x 2, the inputs without the bias
    kept        the columns of X that they are
    """

    across: np.ndarray
    up: np.ndarray
    classes: np.ndarray
    inputs: np.ndarray
    kept: tuple


def class_region(predict, X, steps=REGION_STEPS):
    """Ask `predict` for the class of every point of a grid that frames the rows of X.

    predict, X  as `plot_decision_boundary` takes them
    steps       K, rows and columns of the grid

    Returns a `Region`. Errors: ValueError for shapes that don't fit.
    """
    X = _finite_array(X, "X", 2)
    inputs, complete, kept = _split_off_bias(X)
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    margin = np.where(high > low, 0.08 * (high - low), 0.5)
    low, high = low - margin, high + margin
    across, up = (np.linspace(low[k], high[k], steps) for k in (0, 1))
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    answer = predict(complete(grid))
    classes = class_numbers(answer, len(grid), "what predict returns", scores=True)
    return Region(across, up, classes.reshape(steps, steps), inputs, kept)


def plot_learning_curve(
    history=None,
    *,
    iterations=None,
    cost=None,
    norms=None,
    title="Learning curve",
    ax=None,
):
    """Cost and gradient norms against the iteration, both axes logarithmic (S09).

    history     anything with the attributes `iterations`, `cost` and `norms`, or with a
                `.history` that has them; or leave it out and give the three themselves
    iterations  when the values were taken, (K,); 0, 1, 2, … if left out. They are drawn
                at iteration + 1, so that the start finds room on a logarithmic axis
    cost        (K,) values of the cost
    norms       {name: (K,) values} of gradient norms, drawn dashed on the right axis
    ax          Axes to draw on; a new figure if left out

    What has no logarithm (0 and less, nan, inf) leaves a gap in the line. Returns the
    Axes of the cost. Errors: ValueError for lengths that differ or nothing to draw.
    """
    if history is not None:
        history = getattr(history, "history", history)
        iterations = _attribute(history, iterations, "iterations")
        cost = _attribute(history, cost, "cost")
        norms = _attribute(history, norms, "norms")
    if cost is None:
        raise ValueError("cost is missing: give cost=, or a history that has one")
    cost = _array(cost, "cost", 1)
    if np.isnan(cost).all():
        raise ValueError(
            "cost is nan throughout, as in the history of a `descend` that was given no "
            "cost function: give it one, descend(…, cost=…), or cost= here"
        )
    if iterations is None:
        iterations = np.arange(cost.size)
    iterations = _finite_array(iterations, "iterations", 1)
    lines = {name: _array(v, f"norms[{name!r}]", 1) for name, v in _items(norms)}
    check_names(lines, "norms")
    for name, values in {"cost": cost, **lines}.items():
        if values.size != iterations.size:
            raise ValueError(
                f"{name} has {values.size} values for {iterations.size} iterations: "
                "give one for each"
            )
    if iterations.min() < 0:
        raise ValueError(f"iterations must be 0 or more, got {iterations.min():g}")
    cost = _with_gaps({"cost": cost})["cost"]
    lines = _with_gaps(lines, "norms: ", "; norms={} leaves them out")

    ax = _axes(ax, (7.2, 5.0))
    when = iterations + 1
    drawn = ax.plot(when, cost, color=palette.LINES[0], lw=2.6, label="cost")
    ax.set_xscale("log")
    ax.set_yscale("log")
    _dress(ax, title, "iteration + 1", "cost")
    _plain_decades(ax.yaxis)
    if lines:
        right = ax.twinx()
        for k, (name, values) in enumerate(lines.items(), start=1):
            drawn += right.plot(
                when,
                values,
                color=palette.LINES[k % len(palette.LINES)],
                linestyle=palette.LINE_DASHES[k % len(palette.LINE_DASHES)],
                lw=2.0,
                label=f"‖{name}‖",
            )
        right.set_yscale("log")
        right.set_ylabel("norm of the gradient", fontsize=LABEL_SIZE)
        right.tick_params(labelsize=TICK_SIZE)
        right.spines["top"].set_visible(False)
    _legend(ax, drawn, columns=len(drawn))
    return ax


def plot_error_curve(steps, errors, *, title="Error of a finite difference", ax=None):
    """Relative error against the step of a difference formula, the U of S10.

    steps   (K,) steps h, above 0
    errors  {name of the formula: (K,) relative errors}; what has no logarithm (0, nan,
            inf) leaves a gap in the line

    Returns the Axes. Errors: ValueError for lengths that differ or nothing to draw.
    """
    steps = _finite_array(steps, "steps", 1)
    if steps.min() <= 0:
        raise ValueError(f"steps must be above 0, got {steps.min():g}")
    lines = {name: _array(v, f"errors[{name!r}]", 1) for name, v in _items(errors)}
    if not lines:
        raise ValueError("errors is empty: give {name: errors}, one for each step")
    check_names(lines, "errors")
    for name, values in lines.items():
        if values.shape != steps.shape:
            raise ValueError(
                f"errors[{name!r}] has shape {values.shape} for {steps.size} steps: "
                "give one error for each step"
            )
    lines = _with_gaps(lines, "errors: ")
    ax = _axes(ax, (7.2, 5.0))
    drawn = []
    for k, (name, values) in enumerate(lines.items()):
        drawn += ax.plot(
            steps,
            values,
            color=palette.LINES[k % len(palette.LINES)],
            linestyle=palette.LINE_DASHES[k % len(palette.LINE_DASHES)],
            marker=palette.CLASS_MARKERS[k % len(palette.CLASS_MARKERS)],
            markersize=6,
            lw=2.0,
            label=str(name),
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    _dress(ax, title, "step h", "relative error")
    _legend(ax, drawn, columns=len(drawn))
    return ax


def plot_paths(layers, speeds, *, bold=None, title="", ax=None):
    """The paths through a graph, with the speed on each edge (S04).

    layers  lists of the nodes' names, from left to right; each name is set as a formula
    speeds  {(start, end): number} for each edge: how fast its end moves when its start
            moves at speed 1
    bold    the edges that stand out and show their speed; if left out, all of them
    ax      Axes to draw on; a new figure if left out

    Returns the Axes. Errors: ValueError for a name that stands twice in layers or is no
    formula, for an edge that isn't there, or if there are no names at all.
    """
    places = {}
    for across, layer in enumerate(layers):
        for i, name in enumerate(layer):
            if name in places:
                raise ValueError(f"layers has {name!r} twice: give each node its name")
            places[name] = np.array([2.6 * across, (len(layer) - 1) / 2 - i])
    if not places:
        raise ValueError(
            f"layers has no nodes, got {layers!r}: give lists of names, from left to right"
        )
    formulas = {name: _formula(name) for name in places}
    if lost := {name for edge in speeds for name in edge} - places.keys():
        lost = sorted(lost, key=repr)
        raise ValueError(f"speeds leads to {lost}, which stand in no layer")
    bold = speeds if bold is None else bold
    if unknown := set(bold) - speeds.keys():
        unknown = sorted(unknown, key=repr)
        raise ValueError(f"bold has {unknown}: choose from the edges of speeds")

    ax = _axes(ax, (3 + 1.5 * len(layers), 1 + 0.8 * max(map(len, layers))))
    # Out of the layout: the margins below give the rings their room.
    text = {"ha": "center", "va": "center", "color": palette.INK, "zorder": 3}
    text["in_layout"] = False
    for edge, speed in speeds.items():
        start, end = (places[name] for name in edge)
        strong = edge in bold
        look = (palette.VERMILLION, 3.5, 2) if strong else (palette.GRID, 1.5, 1)
        color, width, order = look
        ax.plot(*zip(start, end, strict=True), color=color, lw=width, zorder=order)
        if strong:
            blank = {
                "boxstyle": "round",
                "fc": palette.PAPER,
                "ec": "none",
                "pad": 0.15,
            }
            label = ax.text(*(start + end) / 2, number(speed), bbox=blank, **text)
            label.set_fontsize(LABEL_SIZE)
    ring = {"boxstyle": "circle", "fc": palette.PAPER, "ec": palette.INK}
    for name, place in places.items():
        ax.text(*place, formulas[name], fontsize=18, bbox=ring, **text)
    ax.set_title(title, fontsize=TITLE_SIZE, color=palette.INK)
    ax.set_axis_off()
    ax.margins(0.12, 0.3)
    return ax


class FigureImage:
    """A drawn figure as a PNG with alternative text.

    It shows in a notebook as an image, in an untrusted one too, and as its alternative
    text where there are no images. `png` holds the bytes, `alt` the text.
    """

    def __init__(self, png, alt, width):
        self.png, self.alt, self.width = png, alt, width

    def __repr__(self):
        return f"[figure: {self.alt}]"

    def _repr_html_(self):
        data = base64.b64encode(self.png).decode("ascii")
        alt = html.escape(self.alt, quote=True)
        source = f"data:image/png;base64,{data}"
        return f'<img alt="{alt}" width="{self.width}" src="{source}">'


def figure_html(fig, alt, *, dpi=110):
    """Draw and close a figure, and return it as an image with alternative text.

    fig  matplotlib figure, or an Axes of it
    alt  what a reader who can't see it should know: one sentence or two

    The same figure gives the same bytes each time. Returns a `FigureImage`; make it the
    last line of a cell. Errors: ValueError for an empty alt, TypeError for no figure.
    """
    fig = fig if hasattr(fig, "savefig") else getattr(fig, "figure", None)
    if not hasattr(fig, "savefig"):
        raise TypeError("fig must be a matplotlib figure or Axes")
    if not (isinstance(alt, str) and alt.strip()):
        raise ValueError(
            f"alt must say in words what the figure shows, got {alt!r}: a reader who "
            "can't see it has nothing else"
        )
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    fig.savefig(
        buffer,
        format="png",
        dpi=dpi,
        bbox_inches="tight",
        facecolor=palette.PAPER,
        metadata={"Software": None},
    )
    plt.close(fig)
    png = buffer.getvalue()
    width = int.from_bytes(png[16:20], "big")  # the PNG header's own field
    return FigureImage(png, " ".join(alt.split()), width)


# ---------------------------------------------------------------- drawing


def _axes(ax, size):
    if ax is not None:
        return ax
    with extra("show", "plots"):
        import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax


def _dress(ax, title, xlabel, ylabel, grid=True):
    ax.set_title(title, fontsize=TITLE_SIZE, color=palette.INK, pad=12)
    ax.set_xlabel(xlabel, fontsize=LABEL_SIZE, color=palette.INK)
    ax.set_ylabel(ylabel, fontsize=LABEL_SIZE, color=palette.INK)
    ax.tick_params(labelsize=TICK_SIZE)
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(True, which="major", color=palette.GRID, lw=0.8)
        ax.set_axisbelow(True)


def _legend(ax, handles, columns):
    """A legend below the plot, where it hides nothing."""
    from matplotlib.transforms import ScaledTranslation

    # In inches, so that it clears the axis label of a low figure, too.
    below = ScaledTranslation(0, -0.6, ax.figure.dpi_scale_trans)
    legend_of(
        ax,
        handles,
        fontsize=TICK_SIZE,
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + below,
        ncols=min(columns, 4),
        handletextpad=0.4,
        columnspacing=1.6,
    )


def legend_of(ax, handles, **look):
    """A legend of all handles; matplotlib's own leaves out names that begin with "_"."""
    legend = ax.legend(handles, [" "] * len(handles), **look)
    for text, handle in zip(legend.get_texts(), handles, strict=True):
        text.set_text(handle.get_label())
    return legend


def _plain_decades(axis):
    """Numbers such as 0.5 beside the decades where the axis spans less than two."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    low, high = axis.get_view_interval()
    if 0 < low < high < 100 * low:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(FuncFormatter(lambda *_: ""))


# ---------------------------------------------------------------- reading arguments


def _finite_array(value, name, ndim):
    array = _array(value, name, ndim)
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} holds nan or inf: leave those out before plotting")
    return array


def _array(value, name, ndim):
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold real numbers: {error}") from error
    if array.ndim != ndim or array.size == 0:
        shape = "rows and columns" if ndim == 2 else "one row of numbers"
        raise ValueError(f"{name} must have {shape}, got shape {array.shape}")
    return array


def _formula(name):
    """A name as matplotlib sets formulas."""
    with extra("show", "plots"):
        from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("path").parse(f"${name}$")
    except ValueError as error:
        raise ValueError(
            f"layers: {name!r} can't be set as a formula; write names as in x, z_1, z_{{12}}"
        ) from error
    return f"${name}$"


def _split_off_bias(X):
    """The two real inputs of X, a function that puts the bias back, their columns."""
    if X.shape[1] == 2:
        return X, lambda rows: rows, (0, 1)
    constant = np.ptp(X, axis=0) == 0
    if X.shape[1] == 3 and (constant[2] or constant[0]):
        place = 2 if constant[2] else 0
        kept = tuple(k for k in range(3) if k != place)

        def complete(rows):
            return np.insert(rows, place, X[0, place], axis=1)

        return X[:, kept], complete, kept
    raise ValueError(
        "X must be N x 2, or N x 3 with a constant first or last column (the bias); "
        f"got {X.shape[0]} x {X.shape[1]}"
        + (" without a constant one" if X.shape[1] == 3 else "")
        + ": choose the two inputs to draw"
    )


def check_names(names, argument):
    """Refuse a name between $ signs that is no formula: else only drawing it would fail."""
    with extra("show", "plots"):
        from matplotlib.cbook import is_math_text
        from matplotlib.mathtext import MathTextParser

    for name in map(str, names):
        try:
            if is_math_text(name):
                MathTextParser("path").parse(name)
        except ValueError as error:
            raise ValueError(
                f"{argument}: {name!r} can't be set as a formula; write what stands between "
                "$ signs as in $x_1$, and a dollar sign itself as \\$"
            ) from error


def class_numbers(value, rows, name, scores=False):
    """Whole class numbers from labels, one-hot rows or (if `scores`) scores."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers, got dtype {array.dtype}")
    if array.ndim not in (1, 2) or len(array) != rows or array.size == 0:
        raise ValueError(
            f"{name} must have one row for each of the {rows} rows of X, and a column at "
            f"least, got shape {array.shape}"
        )
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} holds nan or inf")
    if array.ndim == 2 and array.shape[1] > 1:
        one_hot = ((array == 0) | (array == 1)).all(axis=1) & (array.sum(axis=1) == 1)
        if not scores and not one_hot.all():
            k = int(np.argmin(one_hot))
            got = np.array2string(array[k], precision=4, threshold=8)
            raise ValueError(
                f"{name} must be one-hot, with a single 1 in each row, else 0; row {k} is "
                f"{got}: of labels 0, 1, … make it by np.eye(C)[labels]"
            )
        return np.argmax(array, axis=1)
    if array.ndim == 2:
        array = array[:, 0]
        if scores:
            array = array >= 0.5
    whole = array.astype(int)
    if np.any(whole != array) or np.any(whole < 0):
        raise ValueError(f"{name} must hold class labels 0, 1, 2, …")
    return whole


def _names(names, count, argument, default):
    if names is None:
        return [default.format(k) for k in range(count)]
    names = [str(name) for name in names]
    if len(names) < count:
        raise ValueError(f"{argument} has {len(names)} names, {count} are needed")
    check_names(names, argument)
    return names


def _feature_names(names, columns, kept):
    if names is None:
        return ["input 1", "input 2"]
    names = [str(name) for name in names]
    check_names(names, "feature_names")
    if len(names) == columns:
        return [names[k] for k in kept]
    if len(names) == 2:
        return names
    raise ValueError(
        f"feature_names has {len(names)} names: give one for each column of X, or two"
    )


def _attribute(history, given, name):
    return getattr(history, name, None) if given is None else given


def _items(lines):
    if lines is None:
        return []
    if not hasattr(lines, "items"):
        raise ValueError(f"give a dict of name: values, got a {type(lines).__name__}")
    return lines.items()


def _with_gaps(lines, where="", remedy=""):
    """The lines with nan where a logarithmic axis has no place; not all may be empty."""
    gaps = {
        name: np.where((values > 0) & np.isfinite(values), values, np.nan)
        for name, values in lines.items()
    }
    if lines and all(np.isnan(values).all() for values in gaps.values()):
        raise ValueError(
            f"{where}{', '.join(map(str, lines))}: got no finite number above 0, and the "
            f"axis is logarithmic: there is nothing to draw{remedy}"
        )
    return gaps

"""Plots for the lectures: decision boundaries, learning and error curves, paths.

The functions draw on ``ax``, or on a new figure, and return the Axes; none shows the figure or
changes matplotlib's global settings. The text is legible from the back of a lecture hall, and
classes and lines differ in marker or dash as well as in colour. ``figure_html`` converts a figure
to an image with alternative text.
"""

import base64
import html
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from comp551ad.extras import extra
from comp551ad.shapes import as_floats, fit, number, require_finite

from . import View, figures, palette
from .arguments import expect, finite_arrays, texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FigureImage",
    "figure_html",
    "plot_decision_boundary",
    "plot_error_curve",
    "plot_learning_curve",
    "plot_paths",
]

TITLE_SIZE, LABEL_SIZE, TICK_SIZE = 17, 15, 13
# Rows and columns of the grid on which classes are predicted.
REGION_STEPS = 200
MOST_CLASSES = 1000


def plot_decision_boundary(
    predict: Callable[[np.ndarray], ArrayLike],
    X: ArrayLike,
    Y: ArrayLike,
    *,
    feature_names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    title: str = "Decision boundaries",
    ax: "Axes | None" = None,
) -> "Axes":
    """Colour the plane by the class that ``predict`` returns, and plot the data on it (S09).

    Args:
        predict: takes rows like those of X, and returns class scores or probabilities
            (rows x C, the largest wins; rows x 1, class 1 if at least 0.5) or labels (rows,).
        X: N x 2 inputs, or N x 3 with a constant first or last column, the bias. Grid points
            get the same constant.
        Y: N x C one-hot, N x 1, or (N,) labels 0, 1, …
        feature_names: names of X's columns for the axis labels, with or without the bias.
        class_names: names of the classes for the legend.
        ax: Axes to draw on; by default a new figure.

    Raises:
        ValueError: shapes don't fit.
        TypeError: ``predict`` isn't callable, ``ax`` isn't an Axes, or names aren't a sequence.
    """
    expect("predict", predict, Callable, "a function of rows like those of X")
    (X,) = finite_arrays({"X": "N D"}, X)
    inputs, complete, kept = _split_off_bias(X)
    labels = class_numbers(Y, len(inputs), "Y")
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    margin = np.where(high > low, 0.08 * (high - low), 0.5)
    across, up = np.linspace(low - margin, high + margin, REGION_STEPS).T
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    answer = predict(complete(grid))
    region = class_numbers(answer, len(grid), "predict's result", scores=True)
    region = region.reshape(REGION_STEPS, REGION_STEPS)
    columns = np.shape(Y)[1] if np.ndim(Y) == 2 else 0
    classes = max(1 + int(labels.max()), 1 + int(region.max()), columns)
    if class_names is None:
        class_names = [f"class {c}" for c in range(classes)]
    class_names = texts("class_names", class_names, classes)
    if feature_names is None:
        feature_names = ["input 1", "input 2"]
    feature_names = texts("feature_names", feature_names)
    if len(feature_names) == X.shape[1]:
        feature_names = [feature_names[k] for k in kept]
    if len(feature_names) != 2:
        raise ValueError(
            f"feature_names: got {len(feature_names)} names, expected one for each column "
            "of X, or two"
        )

    ax = _axes(ax, (7.2, 5.4))
    drawn = []
    border: dict[str, Any] = {"colors": [palette.INK], "linewidths": 1.4, "zorder": 1}
    for c in range(classes):
        inside = (region == c).astype(float)
        hue = kth(palette.CLASS_REGIONS, c)
        if inside.any():
            ax.contourf(across, up, inside, levels=[0.5, 1.5], colors=[hue], zorder=0)
        if 0 < inside.mean() < 1:
            ax.contour(across, up, inside, levels=[0.5], **border)
        x, y = inputs[labels == c].T
        points = ax.scatter(
            x,
            y,
            s=58,
            marker=kth(palette.CLASS_MARKERS, c),
            color=kth(palette.CLASSES, c),
            edgecolors=palette.INK,
            linewidths=0.8,
            label=class_names[c],
            zorder=2,
        )
        drawn.append(points)
    ax.set_xlim(across[0], across[-1])
    ax.set_ylim(up[0], up[-1])
    dress(ax, title, *feature_names)
    _legend(ax, drawn, columns=4)
    return ax


def plot_learning_curve(
    history: Any = None,
    *,
    iterations: ArrayLike | None = None,
    cost: ArrayLike | None = None,
    norms: Mapping[str, ArrayLike] | None = None,
    title: str = "Learning curve",
    ax: "Axes | None" = None,
) -> "Axes":
    """Plot cost and gradient norms against the iteration, both axes logarithmic (S09).

    Values without a logarithm (0 and below, nan, inf) leave a gap in the line.

    Args:
        history: any object with attributes ``iterations``, ``cost`` and ``norms``, or with a
            ``.history`` that has them; or pass the three separately.
        iterations: (K,) iterations of the values; by default 0, 1, 2, …. They are drawn at
            iteration + 1, so that the start fits on a logarithmic axis.
        cost: (K,) values of the cost.
        norms: {name: (K,) values} of gradient norms, drawn dashed on the right axis.
        ax: Axes to draw on; by default a new figure.

    Returns:
        The Axes of the cost.

    Raises:
        ValueError: lengths differ, or there is nothing to draw.
    """
    history = getattr(history, "history", history)
    given: dict[str, Any] = {"cost": cost, "iterations": iterations, "norms": norms}
    for name, value in given.items():
        if value is None:
            given[name] = getattr(history, name, None)
    if given["cost"] is None:
        raise ValueError("cost: got None, expected (K,) values, or a history with them")
    if given["iterations"] is None:
        given["iterations"] = np.arange(np.size(given["cost"]))
    named = given.pop("norms")
    given |= _lines("norms", {} if named is None else named)
    lines = fit(dict.fromkeys(given, "K"), given)
    when = lines.pop("iterations") + 1
    without = "descend records none unless given a cost function: descend(…, cost=…)"
    costs = _with_gaps({"cost": lines.pop("cost")}, "cost", without)
    if lines:
        lines = _with_gaps(lines, "norms", "norms={} leaves them out")

    ax = _axes(ax, (7.2, 5.0))
    drawn = ax.loglog(when, costs["cost"], **line_look(0), lw=2.6, label="cost")
    dress(ax, title, "iteration + 1", "cost", grid=True)
    if lines:
        right = ax.twinx()
        pairs = zip(named, lines.values(), strict=True)
        for k, (name, values) in enumerate(pairs, start=1):
            drawn += right.semilogy(
                when, values, **line_look(k), lw=2.0, label=f"‖{name}‖"
            )
        right.set_ylabel("norm of the gradient", fontsize=LABEL_SIZE)
        right.tick_params(labelsize=TICK_SIZE)
        right.spines["top"].set_visible(False)
    _legend(ax, drawn, columns=len(drawn))
    return ax


def plot_error_curve(
    steps: ArrayLike,
    errors: Mapping[str, ArrayLike],
    *,
    title: str = "Error of a finite difference",
    ax: "Axes | None" = None,
) -> "Axes":
    """Plot the relative error of difference formulas against the step, the U of S10.

    Values without a logarithm (0, nan, inf) leave a gap in the line.

    Args:
        steps: (K,) steps h.
        errors: {name of the formula: (K,) relative errors}.

    Raises:
        ValueError: lengths differ, or there is nothing to draw.
    """
    given = {"steps": steps, **_lines("errors", errors)}
    h, *lines = fit(dict.fromkeys(given, "K"), given).values()
    gaps = _with_gaps(
        dict(zip(errors, lines, strict=True)), "errors", "choose other steps"
    )
    ax = _axes(ax, (7.2, 5.0))
    drawn: list = []
    for k, (name, values) in enumerate(gaps.items()):
        look = {**line_look(k), "marker": kth(palette.CLASS_MARKERS, k)}
        drawn += ax.loglog(h, values, **look, markersize=6, lw=2.0, label=str(name))
    dress(ax, title, "step h", "relative error", grid=True)
    _legend(ax, drawn, columns=len(drawn))
    return ax


def plot_paths(
    layers: Sequence[Sequence[str]],
    speeds: Mapping[tuple[str, str], float],
    *,
    bold: Iterable[tuple[str, str]] | None = None,
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Plot the paths through a graph, with the speed on each edge (S04).

    Args:
        layers: lists of the nodes' names, from left to right; each name is typeset as a formula.
        speeds: {(start, end): number} for each edge: how fast its end moves when its start
            moves at speed 1.
        bold: the edges to highlight, with their speed; by default all.
        ax: Axes to draw on; by default a new figure.

    Raises:
        ValueError: a name occurs twice in ``layers`` or can't be typeset, or an edge doesn't
            exist.
    """
    expect("layers", layers, Iterable, "lists of nodes' names")
    layers = [texts("layers", layer) for layer in layers]
    speeds = edges(speeds)
    places = {
        name: np.array([2.6 * across, (len(layer) - 1) / 2 - i])
        for across, layer in enumerate(layers)
        for i, name in enumerate(layer)
    }
    if not 0 < len(places) == sum(map(len, layers)):
        raise ValueError(
            f"layers: got {layers!r}, expected lists of nodes' names, each name once"
        )
    formulas = texts("layers", [f"${name}$" for name in places])
    if lost := {name for edge in speeds for name in edge} - places.keys():
        raise ValueError(
            f"speeds: got edges of {sorted(lost, key=repr)}, expected nodes of the layers"
        )
    expect("bold", bold, Iterable | None, "edges of speeds")
    shown = list(speeds if bold is None else bold)
    if unknown := [edge for edge in shown if edge not in list(speeds)]:
        raise ValueError(f"bold: got {unknown!r}, expected edges of speeds")

    ax = _axes(ax, (3 + 1.5 * len(layers), 1 + 0.8 * max(map(len, layers))))
    # Not part of the layout: the margins below make room for the rings.
    text: dict[str, Any] = {"ha": "center", "va": "center", "in_layout": False}
    text |= {"color": palette.INK, "zorder": 3}
    box = {"boxstyle": "round", "fc": palette.PAPER, "pad": 0.15, "ec": "none"}
    label: dict[str, Any] = {"bbox": box, "fontsize": LABEL_SIZE}
    for edge, speed in speeds.items():
        start, end = (places[name] for name in edge)
        strong = edge in shown
        look: dict[str, Any] = {"color": palette.GRID, "lw": 1.5, "zorder": 1}
        if strong:
            look = {"color": palette.VERMILLION, "lw": 3.5, "zorder": 2}
        ax.plot(*zip(start, end, strict=True), **look)
        if strong:
            x, y = (start + end) / 2
            ax.text(x, y, figures.number(speed), **text, **label)
    ring = {"boxstyle": "circle", "fc": palette.PAPER, "ec": palette.INK}
    for formula, (x, y) in zip(formulas, places.values(), strict=True):
        ax.text(x, y, formula, fontsize=18, bbox=ring, **text)
    (title,) = texts("title", [title])
    ax.set_title(title, fontsize=TITLE_SIZE, color=palette.INK)
    ax.set_axis_off()
    ax.margins(0.12, 0.3)
    return ax


class FigureImage(View):
    """A figure as a PNG, or as its alternative text where images can't be shown.

    Attributes:
        png: the image's bytes.
        alt: the text.
        width: the image's width in pixels.
    """

    def __init__(self, png: bytes, alt: str, width: int):
        self.png, self.alt, self.width = png, alt, width
        data = base64.b64encode(png).decode("ascii")
        source = f'width="{width}" src="data:image/png;base64,{data}"'
        super().__init__(f"[figure: {alt}]", f'<img alt="{html.escape(alt)}" {source}>')


def figure_html(fig: "Figure | Axes", alt: str, *, dpi: int = 110) -> FigureImage:
    """Render and close a figure and return it as an image, for the last line of a cell.

    The same figure produces the same bytes each time.

    Args:
        fig: a matplotlib figure, or one of its Axes.
        alt: what a reader who can't see it should know, in a sentence or two.

    Raises:
        ValueError: ``alt`` is empty.
        TypeError: ``fig`` is neither a figure nor an Axes.
    """
    figure: Any = fig if hasattr(fig, "savefig") else getattr(fig, "figure", None)
    if not hasattr(figure, "savefig"):
        raise TypeError(
            f"fig: got {type(fig).__name__}, expected a matplotlib figure or Axes"
        )
    if not (isinstance(alt, str) and alt.strip()):
        raise ValueError(
            f"alt: got {alt!r}, expected a description of the figure for readers who "
            "can't see it"
        )
    dpi = number("dpi", dpi, above=0)
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(
        buffer,
        format="png",
        dpi=dpi,
        bbox_inches="tight",
        facecolor=palette.PAPER,
        metadata={"Software": None},
    )
    plt.close(figure)
    png = buffer.getvalue()
    # The width field of the PNG header.
    width = int.from_bytes(png[16:20], "big")
    return FigureImage(png, " ".join(alt.split()), width)


# ---------------------------------------------------------------- drawing


def _axes(ax, size):
    with extra("show", "plots"):
        import matplotlib.pyplot as plt

    if ax is not None:
        expect("ax", ax, plt.Axes, "a matplotlib Axes")
        return ax
    _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax


def kth(things: Sequence, k: int) -> Any:
    """The k-th entry of a cyclic palette."""
    return things[k % len(things)]


def line_look(k: int) -> dict:
    """Colour and dash of the k-th line of a plot."""
    return {"color": kth(palette.LINES, k), "ls": kth(palette.LINE_DASHES, k)}


def dress(
    ax: "Axes",
    title: str,
    xlabel: str,
    ylabel: str,
    *,
    grid: bool = False,
    smaller: int = 0,
) -> None:
    """Style the title, labels and spines as in all plots of the course.

    Args:
        grid: whether to draw one.
        smaller: by how many points to reduce the text from lecture-hall size; if not 0, there
            are no minor ticks either.
    """
    (title,) = texts("title", [title])
    ink: dict[str, Any] = {"color": palette.INK}
    ax.set_title(title, fontsize=TITLE_SIZE - smaller, pad=12 - smaller, **ink)
    ax.set_xlabel(xlabel, fontsize=LABEL_SIZE - smaller, **ink)
    ax.set_ylabel(ylabel, fontsize=LABEL_SIZE - smaller, **ink)
    ax.tick_params(labelsize=TICK_SIZE - smaller)
    if smaller:
        ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(True, which="major", color=palette.GRID, lw=0.8)
        ax.set_axisbelow(True)


def _legend(ax, handles, columns):
    """Draw a legend below the plot, where it hides nothing."""
    from matplotlib.transforms import ScaledTranslation

    # In inches, so that it clears the axis label of a low figure too.
    below = ScaledTranslation(0, -0.6, ax.figure.dpi_scale_trans)
    ax.legend(
        handles,
        # By default, matplotlib leaves out labels that begin with "_".
        [handle.get_label() for handle in handles],
        fontsize=TICK_SIZE,
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + below,
        ncols=min(columns, 4),
        handletextpad=0.4,
        columnspacing=1.6,
    )


def _split_off_bias(X):
    """The two real inputs of X, a function that reinserts the bias, and the inputs' columns."""
    if X.shape[1] == 2:
        return X, lambda rows: rows, (0, 1)
    constant = np.ptp(X, axis=0) == 0
    if X.shape[1] == 3 and (constant[2] or constant[0]):
        place = 2 if constant[2] else 0
        kept = tuple(k for k in range(3) if k != place)

        def complete(rows):
            return np.insert(rows, place, X[0, place], axis=1)

        return X[:, kept], complete, kept
    without = " without a constant column" if X.shape[1] == 3 else ""
    raise ValueError(
        f"X: got {X.shape[0]} x {X.shape[1]}{without}, expected N x 2, or N x 3 with a "
        "constant first or last column (the bias); choose the two inputs to draw"
    )


def _lines(name, lines):
    """Lines of a plot, keyed by the argument as the user wrote it: errors['central']."""
    if not isinstance(lines, Mapping):
        got = type(lines).__name__
        raise ValueError(f"{name}: got {got}, expected a dict {{name: values}}")
    texts(name, lines)
    return {f"{name}[{key!r}]": values for key, values in lines.items()}


def _with_gaps(lines, name, remedy):
    """The lines with nan for values without a logarithm; raises if no value has one."""
    gaps = {
        key: np.where((values > 0) & np.isfinite(values), values, np.nan)
        for key, values in lines.items()
    }
    if all(np.isnan(values).all() for values in gaps.values()):
        raise ValueError(
            f"{name}: got no finite number above 0, expected at least one for a "
            f"logarithmic axis; {remedy}"
        )
    return gaps


def class_numbers(
    value: ArrayLike, rows: int, name: str, scores: bool = False
) -> np.ndarray:
    """Integer class numbers from labels, one-hot rows or, with ``scores``, scores."""
    array = as_floats(name, value)
    if array.ndim not in (1, 2) or len(array) != rows or array.size == 0:
        raise ValueError(
            f"{name}: got shape {array.shape}, expected ({rows},) or {rows} x C, one row "
            "for each row of X"
        )
    require_finite([name], [array])
    if array.ndim == 2 and array.shape[1] > 1:
        one_hot = ((array == 0) | (array == 1)).all(axis=1) & (array.sum(axis=1) == 1)
        if not scores and not one_hot.all():
            k = int(np.argmin(one_hot))
            raise ValueError(
                f"{name}: got {array[k]} in row {k}, expected one-hot rows, with a single 1; "
                "np.eye(C)[labels] turns labels 0, 1, … into them"
            )
        return np.argmax(array, axis=1)
    if array.ndim == 2:
        array = array[:, 0] >= 0.5 if scores else array[:, 0]
    wrong = array[(array != np.floor(array)) | (array < 0) | (array > MOST_CLASSES)]
    if wrong.size:
        raise ValueError(
            f"{name}: got {wrong[0]:g}, expected class labels 0, 1, 2, … {MOST_CLASSES}"
        )
    return array.astype(int)


def edges(speeds: Any) -> dict[tuple, float]:
    """The speeds on a graph's edges: {(start, end): number}."""
    expect("speeds", speeds, Mapping, "a dict {(start, end): number}")
    for edge in speeds:
        if not (isinstance(edge, tuple) and len(edge) == 2):
            raise ValueError(f"speeds: got the edge {edge!r}, expected (start, end)")
    return {edge: number(f"speeds[{edge!r}]", x) for edge, x in speeds.items()}

"""Players for ideas that aren't traces: descent, differences, symmetries, depth, batches, paths.

Each frame has a picture, and the steppers' player plays the frames. Each function below draws one
idea; ``PicturePlayer`` takes any frames, so that lecturers can make their own players.

    descent_player       a descent: boundary, cost and gradient norms together (S09)
    difference_player    the step of a difference and its error (S10)
    symmetry_player      moved weights, and their effect on the loss (S02)
    depth_player         a signal passing through the layers of a deep network (S17)
    batch_norm_player    batch normalization in training, then at test time (S18)
    path_player          the chain rule, path by path (S04)
"""

import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from comp551ad.byhand.deep import normalize, running_average
from comp551ad.differences import finite_difference
from comp551ad.extras import extra
from comp551ad.shapes import as_floats, count, fit, require_finite
from comp551ad.shapes import number as finite_number

from . import palette
from .arguments import expect, finite_arrays, texts
from .figures import constant, number, shape_text, tell_apart
from .graph import escape
from .player import LivePlayer
from .plots import (
    FigureImage,
    class_numbers,
    dress,
    edges,
    line_look,
    plot_decision_boundary,
    plot_learning_curve,
    plot_paths,
)

__all__ = [
    "PicturePlayer",
    "batch_norm_player",
    "depth_player",
    "descent_player",
    "difference_player",
    "path_player",
    "symmetry_player",
]

# Figures with two axes side by side; with two standard plots, which have larger text; with one.
MARGINS = dict(left=0.08, bottom=0.17, right=0.98, top=0.9, wspace=0.24, hspace=0.62)
PAIR = {"figsize": (6.6, 3.5), "dpi": 84, "gridspec_kw": MARGINS}
TWO_PLOTS = {"figsize": (9.4, 5.2), "dpi": 62, "layout": "constrained"}
ONE_PLOT = {"figsize": (6.2, 3.4), "dpi": 84, "layout": "constrained"}
# Their text is this many points smaller than in a separate plot.
SMALLER = 3
# The entries of a frame that a still shows as paragraphs.
WORDS = "title", "rule", "numbers", "result", "note"
# Bins of a histogram.
BINS = 41
# Colours in a picture: enough for the palette, with a third of the bytes.
COLOURS = 48


class PicturePlayer(LivePlayer):
    """A player for pictures; where scripts don't run, it shows its last frame.

    Attributes:
        label: the accessible name.
        frames: dicts of texts: ``title``, ``html`` and optionally ``rule``, ``numbers``,
            ``result``, ``note``; see the module ``player``.
    """

    def __init__(self, label: str, frames: Iterable[dict]):
        """Check and store the frames.

        Raises:
            TypeError: a frame isn't a dict of texts.
            ValueError: there are no frames, or one lacks its title or HTML.
        """
        expect("label", label, str, "words for those who can't see the player")
        expect("frames", frames, Iterable, "dicts with title and html")
        self.frames = list(frames)
        if not self.frames:
            raise ValueError("frames: got none, expected at least one")
        for k, frame in enumerate(self.frames):
            expect(f"frames[{k}]", frame, dict, "a dict with title and html")
            if lost := sorted({"title", "html"} - frame.keys()):
                raise ValueError(
                    f"frames[{k}]: got {', '.join(frame)}, expected title and html; add "
                    f"{' and '.join(lost)}"
                )
            for key, text in frame.items():
                expect(f"frames[{k}][{key!r}]", text, str, "a str")
        last = self.frames[-1]
        lines = "\n".join(last.get(key, "") for key in WORDS).split("\n")
        words = "".join(f"<p>{escape(line)}</p>" for line in filter(None, lines))
        data = {"kind": "pictures", "label": label, "frames": self.frames}
        super().__init__(data, f"{last['html']}\n{words}")

    def __len__(self):
        return len(self.frames)

    def __repr__(self):
        first, last = self.frames[0]["title"], self.frames[-1]["title"]
        return f"{self.label}: {len(self)} frames, from “{first}” to “{last}”"


# ---------------------------------------------------------------- descent


def descent_player(
    descent: Any,
    X: ArrayLike,
    Y: ArrayLike,
    predict: Callable[..., ArrayLike],
    class_names: Sequence[str] | None = None,
    frames: int = 24,
) -> PicturePlayer:
    """A finished descent, frame by frame: decisions, cost and gradients (S09).

    ``training_player`` runs one in the page.

    Args:
        descent: what ``gradient_descent`` or ``descend`` returned, with its history.
        X, Y: N x 2 inputs, or N x 3 including the bias; N x C one-hot.
        predict: predict(X, *parameters) -> scores, rows x C.
        class_names: names of the classes.
        frames: the number of frames, evenly spaced in log(1 + iteration).

    Raises:
        ValueError: fewer than two frames; or as in ``plot_decision_boundary``.
    """
    frames = count("frames", frames, 2)
    expect("predict", predict, Callable, "predict(X, W, V) -> scores")
    X, Y = finite_arrays({"X": "N D", "Y": "N C"}, X, Y)
    labels = class_numbers(Y, len(X), "Y")
    history: Any = getattr(descent, "history", None)
    if history is None:
        expect("descent", descent, (), "what gradient_descent or descend returned")
    when = np.log1p(history.iterations)
    wanted = np.linspace(0, when[-1], frames)
    chosen = sorted({int(np.argmin(np.abs(when - w))) for w in wanted})
    lines = {"cost": history.cost, **{f"‖{n}‖": v for n, v in history.norms.items()}}
    words = []
    for k in chosen:
        scores = predict(X, *history.iterates[k])
        found = class_numbers(scores, len(X), "predict's result", scores=True)
        values = (f"{name} = {number(v[k])}" for name, v in lines.items())
        words.append(
            {
                "title": f"After {history.iterations[k]:,} iterations",
                "numbers": "\n".join(values),
                "result": f"{np.sum(found == labels)} of {len(X)} rows classified correctly",
            }
        )

    def draw(k, left, right):
        parameters = history.iterates[chosen[k]]
        plot_decision_boundary(
            lambda rows: predict(rows, *parameters),
            X,
            Y,
            class_names=class_names,
            title="",
            ax=left,
        )
        plot_learning_curve(history, title="cost and gradients", ax=right)
        at = history.iterations[chosen[k]] + 1
        right.axvline(at, color=palette.INK, lw=1.5)

    return _played("Gradient descent", words, draw, TWO_PLOTS)


# ---------------------------------------------------------------- a difference


def difference_player(
    f: Callable[[float], float], x: float, slope: float
) -> PicturePlayer:
    """The step of the central difference: a chord that nears the tangent, then noise (S10).

    Args:
        f: a function of one number.
        x: the point at which to estimate the slope.
        slope: the true slope there.

    Raises:
        ValueError: the slope is nan or infinite; or as in ``finite_difference``.
    """
    expect("f", f, Callable, "a function of one number")
    x, slope = finite_number("x", x), finite_number("slope", slope)

    def at(point):
        """The value of f, without warnings; a nan leaves a gap in the curve."""
        with np.errstate(all="ignore"):
            return f(point)

    slope_at = {k: float(finite_difference(at, x, h=10.0**-k)) for k in range(16)}
    exponents = [k for k, found in slope_at.items() if math.isfinite(found)]
    steps, slopes = [10.0**-k for k in exponents], [slope_at[k] for k in exponents]
    errors = np.abs(np.array(slopes) - slope) / (abs(slope) or 1.0)
    words = [
        {
            "title": f"A step of 10 to the power {number(-exponent)}",
            "numbers": f"difference {found:.12g}\nslope      {slope:.12g}",
            "result": f"relative error {error:.0e}".replace("-", "−"),
        }
        for found, error, exponent in zip(slopes, errors, exponents, strict=True)
    ]

    def draw(k, left, right):
        h = steps[k]
        wide = 1.6 * h if x + h != x else abs(x) * 1e-15
        near = np.linspace(x - wide, x + wide, 201)
        ends = np.array([x - h, x + h])
        rise, chord = ([(at(z) - at(x)) / h for z in zs] for zs in (near, ends))
        across = (near - x) / h
        left.plot(across, rise, color=palette.LINES[0], lw=2, label="f")
        left.plot(across, slope * across, color=palette.INK, ls=":", label="tangent")
        look = {"color": palette.LINES[1], "marker": "o", "lw": 2}
        left.plot((ends - x) / h, chord, label="chord", **look)
        _dress(left, "around x, in units of the step", "(x' − x) / h")
        left.legend(fontsize=10, frameon=False)
        right.loglog(steps, errors, color=palette.LINES[0], marker="o", lw=2)
        right.axvline(h, color=palette.INK, lw=1.5)
        _dress(right, "relative error", "step")

    return _played("The step of the central difference", words, draw)


# ---------------------------------------------------------------- symmetries


def symmetry_player(
    moves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    cost: Callable[[np.ndarray, np.ndarray], float],
) -> PicturePlayer:
    """Moved weights, and a loss that stays the same or changes (S02).

    Args:
        moves: description of a move -> the weights (W, V) after it; the first is the start.
        cost: cost(W, V) -> a number.

    Raises:
        ValueError: there are no moves.
    """
    expect("moves", moves, Mapping, "a dict {words: (W, V)}, the start first")
    if not moves:
        raise ValueError("moves: got none, expected {words: (W, V)}, the start first")
    expect("cost", cost, Callable, "a function of W and V")
    given = {f"moves[{title!r}]": pair for title, pair in moves.items()}
    pairs = [*fit(dict.fromkeys(given, ("M C", "D M")), given).values()]
    require_finite([*given], pairs)
    losses = [finite_number("cost's result", cost(*pair)) for pair in pairs]

    def frame(title, pair, loss):
        same = np.isclose(loss, losses[0], rtol=1e-9, atol=0)
        was, now = (number(one, 6) for one in (losses[0], loss))
        if not same:
            was, now = tell_apart(losses[0], loss, 6)
        moved = max(np.abs(A - B).max() for A, B in zip(pair, pairs[0], strict=True))
        both = "".join(map(_weights_html, "VW", reversed(pair)))
        return {
            "title": title,
            "numbers": f"weights have moved by up to {number(moved)}\nat the start J = {was}",
            "result": f"now J = {now}: {'the same' if same else 'different'}",
            "html": f'<div style="display:flex;gap:24px;flex-wrap:wrap">{both}</div>',
        }

    return PicturePlayer("Symmetries of the loss", map(frame, moves, pairs, losses))


def _weights_html(name, weights):
    """A matrix of numbers, bluer for more negative, more orange for more positive ones."""
    middle = len(palette.HEAT) // 2
    shares = weights / (np.abs(weights).max() or 1.0)
    levels = np.rint(middle * (1 + np.sign(shares) * np.sqrt(np.abs(shares))))
    look = f"padding:4px 8px;text-align:right;color:{palette.INK};background:"
    rows = ""
    for row in zip(weights, levels, strict=True):
        cells = (
            f'<td style="{look}{palette.HEAT[int(level)]}">{number(entry)}</td>'
            for entry, level in zip(*row, strict=True)
        )
        rows += f"<tr>{''.join(cells)}</tr>"
    return f"<table><caption><b>{name}</b> {shape_text(weights.shape)}</caption>{rows}</table>"


# ---------------------------------------------------------------- depth


def depth_player(signals: Mapping[str, Sequence[ArrayLike]]) -> PicturePlayer:
    """A signal passing through the layers: one histogram for each network (S17).

    Args:
        signals: network's name -> its layers' arrays, lowest first; all of the same depth.

    Raises:
        ValueError: the networks differ in depth, or a layer is empty or not finite.
    """
    expect("signals", signals, Mapping, "a dict {name: layers}")
    texts("signals", signals, least=1)
    layers_of = {}
    for name, layers in signals.items():
        expect(f"signals[{name!r}]", layers, Sized, "arrays, one for each layer")
        names = [f"signals[{name!r}][{k}]" for k in range(len(layers))]
        layers_of[name] = [np.ravel(A) for A in map(as_floats, names, layers)]
        require_finite(names, layers_of[name])
        for where, layer in zip(names, layers_of[name], strict=True):
            count(f"{where}'s size", layer.size, 1)
    depths = {name: len(layers) for name, layers in layers_of.items()}
    depth = max(depths.values())
    if depth != min(depths.values()) or not depth:
        raise ValueError(
            f"signals: got depths {depths}, expected the same for all, at least 1"
        )
    sizes = {name: list(map(_size, layers)) for name, layers in layers_of.items()}

    words = [
        {
            "title": f"Layer {k + 1} of {depth}",
            "numbers": "root mean square of the layer's values",
            "result": "\n".join(f"{n}: {number(size[k])}" for n, size in sizes.items()),
        }
        for k in range(depth)
    ]

    def draw(k, left, right):
        for i, (name, layers) in enumerate(layers_of.items()):
            scale = np.abs(layers[k]).max() or 1.0
            counts, ends = np.histogram(layers[k] / scale, BINS, range=(-1, 1))
            base = len(layers_of) - 1 - i
            heights = base + 0.7 * counts / counts.max()
            look = line_look(i)
            left.stairs(heights, ends, baseline=base, fill=True, color=look["color"])
            label = f"{name}: ±{number(scale)}"
            left.text(-1, base + 0.97, label, fontsize=9, va="top")
            right.semilogy(range(1, depth + 1), sizes[name], lw=2, **look)
        left.set(ylim=(0, len(layers_of) + 0.2), yticks=[])
        _dress(left, f"values in layer {k + 1}", "value / the largest")
        right.axvline(k + 1, color=palette.INK, lw=1.5)
        _dress(right, "root mean square", "layer")
        right.xaxis.get_major_locator().set_params(integer=True)
        right.legend(right.lines, map(str, layers_of), fontsize=10, frameon=False)

    return _played("A signal on its way through the layers", words, draw)


def _size(values):
    """The root mean square, scaled so that squares neither overflow nor underflow."""
    scale = np.abs(values).max() or 1.0
    return float(scale * np.sqrt(np.mean(np.square(values / scale))))


# ---------------------------------------------------------------- batches


def batch_norm_player(
    batches: Iterable[ArrayLike],
    queries: ArrayLike,
    rate: float = 0.1,
) -> PicturePlayer:
    """Batch normalization of one unit: batch by batch in training, then at test time (S18).

    Args:
        batches: the unit's inputs, an array (N,) for each batch.
        queries: its inputs at test time, normalized one at a time.
        rate: the rate of the running averages.

    Raises:
        ValueError: there are no batches, one has fewer than two values, or something is nan
            or infinite.
    """
    expect("batches", batches, Iterable, "arrays (N,)")
    trained = [_row(f"batches[{k}]", batch, 2) for k, batch in enumerate(batches)]
    count("batches' length", len(trained), 1)
    tested = as_floats("queries", queries)
    tested = _row("queries", tested) if tested.size else tested
    rate = finite_number("rate", rate, 0, 1)

    average: Any = None
    points: list = []
    words: list = []
    for k, batch in enumerate(trained, start=1):
        Qh, _, statistics = normalize(batch[:, None])  # N x 1
        average = running_average(average, [statistics], len(batch), rate)
        points.append((batch, Qh[:, 0]))
        kept = f"running average: {_in_words(average[0])}"
        said = {
            "title": f"Training, batch {k}: normalized by its own mean and variance",
            "numbers": f"batch: {_in_words(statistics)}\n{kept}",
            "result": f"after: mean {number(round(Qh.mean(), 9))}, variance {number(Qh.var())}",
        }
        words.append(said)
    for query in tested:
        Qh, *_ = normalize(np.array([[query]]), statistics=average[0])
        points.append(([query], Qh[0]))
        said = {
            "title": "Test: a single value, normalized by the running averages",
            "numbers": kept,
            "result": f"{number(query)} becomes {number(Qh[0, 0])}",
            "note": "Normalized by its own mean, every value would become β.",
        }
        words.append(said)
    # All frames have the same limits, which include all points.
    widest = [np.abs(np.concatenate(rows)).max() for rows in zip(*points, strict=True)]
    reaches = widest[0] or 1.0, max(4, widest[1])

    def draw(k, *axes):
        for i, (ax, values) in enumerate(zip(axes, points[k], strict=True)):
            look = {"color": palette.LINES[i], "marker": palette.CLASS_MARKERS[i]}
            ax.scatter(values, np.zeros(len(values)), s=60, alpha=0.6, **look)
            ax.axvline(0, color=palette.GRID, zorder=0)
            ax.plot(np.mean(values), 0, "|", color=palette.INK, ms=34, mew=2)
            ax.set(xlim=(-1.1 * reaches[i], 1.1 * reaches[i]), yticks=[])
            _dress(ax, ("before", "after")[i])

    return _played("Batch normalization", words, draw, rows=2, columns=1)


def _row(name, values, least=1):
    """Values as a row of finite numbers."""
    (row,) = finite_arrays({name: "N"}, values)
    count(f"{name}'s length", len(row), least)
    return row


def _in_words(statistics):
    mean, variance = (number(part[0]) for part in statistics)
    return f"mean {mean}, variance {variance}"


# ---------------------------------------------------------------- paths


def path_player(
    layers: Sequence[Sequence[str]],
    speeds: Mapping[tuple[str, str], float],
    start: str,
    end: str,
) -> PicturePlayer:
    """The chain rule path by path: multiply along a path, add over the paths (S04).

    Args:
        layers, speeds: the graph, as in ``plot_paths``.
        start, end: names of two nodes.

    Raises:
        ValueError: no path leads from start to end, or there is a cycle.
    """
    speeds = edges(speeds)
    paths = list(_paths(speeds, start, end))
    if not paths:
        raise ValueError(
            f"start, end: got {start!r} and {end!r}, expected a path from one to the other"
        )

    products = [math.prod(speeds[edge] for edge in path) for path in paths]
    words = [
        {
            "title": f"Path {k} of {len(paths)}: multiply the speeds on its edges",
            "numbers": " · ".join(_signed(speeds[edge]) for edge in path),
            "result": f"= {number(product)}",
        }
        for k, (path, product) in enumerate(zip(paths, products, strict=True), start=1)
    ]
    last = {
        "title": "All paths: add their products",
        "numbers": " + ".join(map(_signed, products)),
        "result": f"= {number(math.fsum(products))}",
    }
    bold = [*paths, {edge for path in paths for edge in path}]

    def draw(k, ax):
        plot_paths(layers, speeds, bold=bold[k], ax=ax)

    words.append(last)
    return _played("The chain rule, path by path", words, draw, ONE_PLOT, columns=1)


def _paths(speeds, start, end, before=()):
    """Every path from start to end, as a list of edges."""
    way = (*before, start)
    if start in before:
        circle = " → ".join(map(str, way[way.index(start) :]))
        raise ValueError(
            f"speeds: got the cycle {circle}, expected edges without cycles"
        )
    if start == end:
        yield []
    for edge in speeds:
        if edge[0] == start:
            yield from ([edge, *rest] for rest in _paths(speeds, edge[1], end, way))


def _signed(x):
    return f"({constant(x)})" if x < 0 else constant(x)


# ---------------------------------------------------------------- drawing


def _played(label, words, draw, look=PAIR, rows=1, columns=2):
    """A player with a frame for each of the ``words``: an image with few colours that
    ``draw(k, *axes)`` draws, with the words as its alternative text."""
    with extra("show", "players"):
        import matplotlib.pyplot as plt
    # A dependency of matplotlib.
    from PIL import Image

    frames = []
    for k, said in enumerate(words):
        fig, axes = plt.subplots(rows, columns, **look)
        try:
            draw(k, *np.ravel(axes))
            full, small = io.BytesIO(), io.BytesIO()
            fig.savefig(full, format="png", dpi="figure", facecolor=palette.PAPER)
        finally:
            plt.close(fig)
        picture = Image.open(full).convert("RGB")
        method, no_dither = Image.Quantize.FASTOCTREE, Image.Dither.NONE
        picture = picture.quantize(COLOURS, method, dither=no_dither)
        picture.save(small, format="png", optimize=True)
        alt = " ".join(". ".join(said.values()).split())
        image = FigureImage(small.getvalue(), alt, picture.width)
        frames.append({**said, "html": image._repr_html_()})
    return PicturePlayer(label, frames)


def _dress(ax, title, xlabel=""):
    """``dress`` with the smaller text of a frame."""
    dress(ax, title, xlabel, "", smaller=SMALLER)

"""Players for ideas that are not a trace: descent, differences, symmetries, depth, batches, paths.

What this module is: frames with a picture each, played by the same player as the steppers'. Each
function below draws one idea; ``PicturePlayer`` takes any frames, so that a lecturer can make one
of their own.

    descent_player       a descent: boundary, cost and gradient norms together (S09)
    difference_player    the step of a difference formula and its error (S10)
    symmetry_player      weights that are moved, and what becomes of the loss (S02)
    depth_player         a signal on its way through the layers of a deep network (S17)
    batch_norm_player    batch normalization in training, then at test time (S18)
    path_player          the chain rule, path by path (S04)

Reads: ``player``, ``plots``, ``arguments``, ``figures``, ``palette``, and what the witnesses offer
for any function. Read by: notebooks.
"""

import io
import json
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
from .arguments import class_numbers, edges, expect, finite_arrays, texts
from .figures import constant, number, shape_text
from .graph import escape
from .player import LivePlayer
from .plots import (
    FigureImage,
    dress,
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

# Frames with two pictures side by side; with two plots, which have larger text; with one plot.
MARGINS = dict(left=0.08, bottom=0.17, right=0.98, top=0.9, wspace=0.24, hspace=0.62)
PAIR = {"figsize": (6.6, 3.5), "dpi": 84, "gridspec_kw": MARGINS}
TWO_PLOTS = {"figsize": (9.4, 5.2), "dpi": 62, "layout": "constrained"}
ONE_PLOT = {"figsize": (6.2, 3.4), "dpi": 84, "layout": "constrained"}
# Points by which the text in them is smaller than in a plot of its own.
SMALLER = 3
# Up to this exponent 10^-k and its inverse are float64.
MOST_EXPONENT = 300
# A frame's entries that a still shows as paragraphs.
WORDS = "title", "rule", "numbers", "result", "note"
# Colours of a picture: enough for the palette, and a third of the bytes.
COLOURS = 48


class PicturePlayer(LivePlayer):
    """A player over pictures; a notebook shows it, and its last frame where no script runs.

    Attributes:
        label: what it shows, for those who can't see it.
        frames: dicts with ``title``, ``html`` and optionally ``rule``, ``numbers``,
            ``result``, ``note``; the module ``player`` explains them.
    """

    def __init__(self, label: str, frames: Iterable[dict]):
        """Keep the frames.

        Raises:
            TypeError: one isn't a dict, its words or HTML aren't a str, or something in it
                can't be written as JSON.
            ValueError: there is none, or one lacks its title or its HTML.
        """
        expect("label", label, str, "words for those who can't see the player")
        expect("frames", frames, Iterable, "dicts with title and html")
        self.frames = list(frames)
        if not self.frames:
            raise ValueError("frames: got none, expected at least one")
        for k, frame in enumerate(self.frames):
            name = f"frames[{k}]"
            expect(name, frame, dict, "a dict with title and html")
            if lost := sorted({"title", "html"} - frame.keys()):
                raise ValueError(
                    f"{name}: got {', '.join(sorted(frame))}, expected title and html; "
                    f"add {' and '.join(lost)}"
                )
            for key in frame.keys() & {*WORDS, "html"}:
                expect(f"{name}[{key!r}]", frame[key], str, "a str")
            try:
                json.dumps(frame, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise TypeError(
                    f"{name}: {error}; expected texts, and in a question finite numbers"
                ) from error
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
    """A descent that has run, frame by frame: decisions, cost and gradients (S09).

    ``training_player`` runs one in the page.

    Args:
        descent: what ``gradient_descent`` or ``descend`` returned, with its history.
        X, Y: N x 2 or N x 3 inputs (the bias among them), N x C one-hot.
        predict: predict(X, *parameters) -> scores, rows x C.
        class_names: names of the classes.
        frames: how many, evenly spread over log(1 + iteration).

    Raises:
        ValueError: fewer than two frames, a ``Y`` that isn't one-hot, too few names for the
            classes; or as in ``plot_decision_boundary``.
    """
    frames = count("frames", frames, 2)
    expect("predict", predict, Callable, "predict(X, W, V) -> scores")
    X, Y = finite_arrays({"X": "N D", "Y": "N C"}, X, Y)
    if Y.shape[1] < 2:
        raise ValueError(
            f"Y: got shape {Y.shape}, expected N x C one-hot, C 2 or more; "
            "np.eye(C)[np.ravel(Y)] turns labels 0, 1, … into it"
        )
    labels = class_numbers(Y, len(X), "Y")
    history: Any = getattr(descent, "history", None)
    if history is None:
        expect("descent", descent, (), "what gradient_descent or descend returned")
    lines = {"cost": history.cost, **{f"‖{n}‖": v for n, v in history.norms.items()}}

    def frame(k):
        t, parameters = int(history.iterations[k]), history.iterates[k]
        scores = predict(X, *parameters)
        found = class_numbers(scores, len(labels), "predict's result", scores=True)
        values = [f"{name} = {number(v[k])}" for name, v in lines.items()]
        alt = f"Decision regions after {t} iterations; {', '.join(values)}"

        def draw(left, right):
            plot_decision_boundary(
                lambda rows: predict(rows, *parameters),
                X,
                Y,
                class_names=class_names,
                title="",
                ax=left,
            )
            plot_learning_curve(history, title="cost and gradients", ax=right)
            right.axvline(t + 1, color=palette.INK, lw=1.5)

        return {
            "title": f"After {t:,} iterations",
            "numbers": "\n".join(values),
            "result": f"{_share(np.mean(found == labels))} of the rows classified correctly",
            "html": _picture(alt, draw, TWO_PLOTS),
        }

    when = np.log1p(history.iterations)
    wanted = np.linspace(0, when[-1], frames)
    chosen = sorted({int(np.argmin(np.abs(when - w))) for w in wanted})
    return PicturePlayer("Gradient descent", [frame(k) for k in chosen])


def _share(part):
    """A part of 1 in per cent; 100% means all, and 0% none."""
    text = f"{part:.0%}"
    if text == "100%" and part < 1:
        return "more than 99%"
    return "less than 1%" if text == "0%" and part > 0 else text


# ---------------------------------------------------------------- a difference


def difference_player(
    f: Callable[[float], float],
    x: float,
    slope: float,
    exponents: Iterable[int] = range(0, 16),
    method: str = "central",
) -> PicturePlayer:
    """The step of a difference formula: a chord that turns into the tangent, then noise (S10).

    Args:
        f: a function of one number.
        x: the point at which the slope is estimated.
        slope: the true slope there.
        exponents: the steps are 10^-k for these k.
        method: "forward", "central" or "five-point", as in ``finite_difference``.

    Raises:
        ValueError: an exponent isn't whole or too large, the slope is nan or infinite, ``f``
            has no value that far from ``x``; or as in ``finite_difference``.
    """
    expect("f", f, Callable, "a function of one number")
    slope = finite_number("slope", slope)
    expect("exponents", exponents, Iterable, "whole numbers")
    exponents = [
        count(f"exponents[{i}]", k, -MOST_EXPONENT, MOST_EXPONENT)
        for i, k in enumerate(exponents)
    ]
    if not exponents:
        raise ValueError("exponents: got none, expected at least one whole number")
    steps = [10.0**-k for k in exponents]

    def at(point):
        """The value of f, nan where it has none."""
        try:
            with np.errstate(all="ignore"):
                return f(point)
        except (ArithmeticError, ValueError):
            return math.nan

    slopes = [float(finite_difference(at, x, method=method, h=h)) for h in steps]
    lost = [k for k, s in zip(exponents, slopes, strict=True) if not np.isfinite(s)]
    if lost:
        raise ValueError(
            f"exponents: got {lost}, where the {method} difference at x = {x} isn't a "
            "number, expected steps at which f has a value; leave those out"
        )
    errors = np.abs(np.array(slopes) - slope) / (abs(slope) or 1.0)

    def frame(h, found, error, exponent):
        wide = 1.6 * h if x + h != x else abs(x) * 1e-15
        near = np.linspace(x - wide, x + wide, 201)
        # There are gaps where f has no value.
        rise = np.array([at(one) for one in near]) - at(x)
        ends = np.array([x, x + h] if method == "forward" else [x - h, x + h])

        def draw(left, right):
            left.plot((near - x) / h, rise / h, color=palette.LINES[0], lw=2, label="f")
            tangent = slope * (near - x) / h
            left.plot(
                (near - x) / h, tangent, color=palette.INK, ls=":", label="tangent"
            )
            look = {"color": palette.LINES[1], "marker": "o", "lw": 2}
            chord = [(at(end) - at(x)) / h for end in ends]
            left.plot((ends - x) / h, chord, label="chord", **look)
            _dress(left, "around x, in units of the step", "(x' − x) / h")
            left.legend(fontsize=10, frameon=False)
            right.loglog(steps, errors, color=palette.LINES[0], marker="o", lw=2)
            right.axvline(h, color=palette.INK, lw=1.5)
            _dress(right, "relative error", "step")

        words = {
            "title": f"A step of 10 to the power {number(-exponent)}",
            "numbers": f"difference {found:.12g}\nslope      {slope:.12g}",
            "result": f"relative error {error:.0e}".replace("-", "−"),
        }
        return _frame(words, draw)

    frames = map(frame, steps, slopes, errors, exponents)
    return PicturePlayer(f"The step of the {method} difference", frames)


# ---------------------------------------------------------------- symmetries


def symmetry_player(
    moves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    cost: Callable[[np.ndarray, np.ndarray], float],
) -> PicturePlayer:
    """Weights that are moved, and a loss that stays the same or doesn't (S02).

    Args:
        moves: the move in words -> the weights (W, V) after it; the first is the start.
        cost: cost(W, V) -> a number.

    Raises:
        ValueError: there are no moves.
    """
    expect("moves", moves, Mapping, "a dict {words: (W, V)}, the start first")
    if not moves:
        raise ValueError("moves: got none, expected {words: (W, V)}, the start first")
    expect("cost", cost, Callable, "a function of W and V")
    given = {f"moves[{title!r}]": pair for title, pair in moves.items()}
    pairs = fit(dict.fromkeys(given, ("M C", "D M")), given)
    require_finite([*given], [*pairs.values()])
    W0, V0 = next(iter(pairs.values()))
    start = finite_number("cost's result", cost(W0, V0))

    def frame(title, W, V):
        loss = finite_number("cost's result", cost(W, V))
        same = np.isclose(loss, start, rtol=1e-9, atol=0)
        was, now = _losses_in_text(start, loss, same)
        moved = max(np.abs(W - W0).max(), np.abs(V - V0).max())
        both = _weights_html("V", V) + _weights_html("W", W)
        return {
            "title": title,
            "numbers": f"weights have moved by up to {number(moved)}\nat the start J = {was}",
            "result": f"now J = {now}: {'the same' if same else 'different'}",
            "html": f'<div style="display:flex;gap:24px;flex-wrap:wrap">{both}</div>',
        }

    frames = [
        frame(title, *pair) for title, pair in zip(moves, pairs.values(), strict=True)
    ]
    return PicturePlayer("Symmetries of the loss", frames)


def _weights_html(name, weights):
    """A matrix in numbers, the bluer the more negative, the more orange the more positive."""
    middle = len(palette.HEAT) // 2
    shares = np.asarray(weights) / (np.abs(weights).max() or 1.0)
    levels = np.rint(middle * (1 + np.sign(shares) * np.sqrt(np.abs(shares))))
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td style="padding:4px 8px;text-align:right;color:{palette.INK};'
            f'background:{palette.HEAT[int(level)]}">{number(entry)}</td>'
            for entry, level in zip(*row, strict=True)
        )
        + "</tr>"
        for row in zip(weights, levels, strict=True)
    )
    return f"<table><caption><b>{name}</b> {shape_text(np.shape(weights))}</caption>{rows}</table>"


def _losses_in_text(start, loss, same):
    """Two losses, with as many digits as show that they differ."""
    digits = 6 if same or number(start, 6) != number(loss, 6) else 12
    return number(start, digits), number(loss, digits)


# ---------------------------------------------------------------- depth


def depth_player(
    signals: Mapping[str, Sequence[ArrayLike]], bins: int = 41
) -> PicturePlayer:
    """A signal on its way through the layers: one histogram for each network (S17).

    Args:
        signals: a network's name -> its layers' arrays, the lowest first; all of one depth.
        bins: how many bins a histogram has.

    Raises:
        ValueError: the networks differ in depth, or a layer is empty or not finite.
    """
    expect("signals", signals, Mapping, "a dict {name: layers}")
    for name, layers in signals.items():
        expect(f"signals[{name!r}]", layers, Sized, "arrays, one for each layer")
    depths = {name: len(layers) for name, layers in signals.items()}
    if not any(depths.values()):
        raise ValueError(
            f"signals: got depths {depths}, expected {{name: layers}} with at least one "
            "network and one layer"
        )
    if len(set(depths.values())) != 1:
        raise ValueError(f"signals: got depths {depths}, expected the same for all")
    texts("signals", signals)
    bins = count("bins", bins, 1)
    sizes = {
        name: [
            _size(layer, f"signals[{name!r}][{k}]") for k, layer in enumerate(layers)
        ]
        for name, layers in signals.items()
    }
    (depth,) = set(depths.values())

    def frame(k):
        results = [f"{name}: {number(size[k])}" for name, size in sizes.items()]

        def draw(left, right):
            for i, (name, layers) in enumerate(signals.items()):
                values = np.ravel(layers[k])
                scale = np.abs(values).max() or 1.0
                counts, edges = np.histogram(values / scale, bins, range=(-1, 1))
                base = len(signals) - 1 - i
                heights = base + 0.85 * counts / counts.max()
                look = line_look(i)
                left.stairs(
                    heights, edges, baseline=base, fill=True, color=look["color"]
                )
                label = f"{name}: ±{number(scale)}"
                left.text(-1, base + 0.88, label, fontsize=9, va="bottom")
                right.semilogy(range(1, depth + 1), sizes[name], lw=2, **look)
            left.set_ylim(0, len(signals) + 0.2)
            left.set_yticks([])
            _dress(left, f"values in layer {k + 1}", "value / the largest")
            right.axvline(k + 1, color=palette.INK, lw=1.5)
            _dress(right, "root mean square", "layer")
            right.xaxis.get_major_locator().set_params(integer=True)
            right.legend(right.lines, map(str, signals), fontsize=10, frameon=False)

        words = {
            "title": f"Layer {k + 1} of {depth}",
            "numbers": "root mean square of the layer's values",
            "result": "\n".join(results),
        }
        return _frame(words, draw)

    frames = map(frame, range(depth))
    return PicturePlayer("A signal on its way through the layers", frames)


def _size(layer, name):
    """The root mean square of a layer's values."""
    layer = as_floats(name, layer)
    if not layer.size:
        raise ValueError(f"{name}: got an empty array, expected a layer's values")
    if not np.isfinite(layer).all():
        raise ValueError(
            f"{name}: got nan or inf, expected finite numbers; end all networks before the "
            "layer in which one overflows"
        )
    # Scaled by a power of two, which costs no digit: squares neither overflow nor vanish.
    exponent = int(np.frexp(np.abs(layer).max())[1])
    size = np.sqrt(np.mean(np.square(np.ldexp(layer, -exponent))))
    return math.ldexp(float(size), exponent)


# ---------------------------------------------------------------- batches


def batch_norm_player(
    batches: Iterable[ArrayLike],
    queries: ArrayLike,
    gamma: float = 1.0,
    beta: float = 0.0,
    rate: float = 0.1,
) -> PicturePlayer:
    """One unit under batch normalization: batch by batch in training, then at test time (S18).

    Args:
        batches: the unit's inputs, an array (N,) for each batch.
        queries: its inputs at test time, one number at a time.
        gamma, beta: the learned scale and shift; here they stay the same.
        rate: how fast the running averages follow.

    Raises:
        ValueError: there are no batches, one has fewer than two values, or something is nan
            or infinite.
    """
    expect("batches", batches, Iterable, "arrays (N,)")
    rows_of = {f"batches[{k}]": batch for k, batch in enumerate(batches)}
    if not rows_of:
        raise ValueError("batches: got none, expected at least one array (N,)")
    trained = [_row(name, batch) for name, batch in rows_of.items()]
    if lost := [
        name for name, row in zip(rows_of, trained, strict=True) if len(row) < 2
    ]:
        raise ValueError(f"{lost[0]}: got one value, expected two or more")
    tested = as_floats("queries", queries)
    tested = _row("queries", tested) if tested.size else tested
    gamma, beta = finite_number("gamma", gamma), finite_number("beta", beta)
    rate = finite_number("rate", rate, 0, 1)
    average: Any = None
    shown: list = []
    for k, batch in enumerate(trained, start=1):
        Qh, _, statistics = normalize(batch[:, None])  # N x 1
        average = running_average(average, [statistics], len(batch), rate)
        R = gamma * Qh[:, 0] + beta
        kept = f"running average: {_in_words(average[0])}"
        words = {
            "title": f"Training, batch {k}: normalized by its own mean and variance",
            "numbers": f"batch: {_in_words(statistics)}\n{kept}",
            "result": f"after: mean {number(round(R.mean(), 9))}, variance {number(R.var())}",
        }
        shown.append((batch, R, words))
    for query in tested:
        Qh, *_ = normalize(np.array([[query]]), statistics=average[0])
        R = gamma * Qh[:, 0] + beta
        words = {
            "title": "Test: a single value, normalized by the running averages",
            "numbers": kept,
            "result": f"{number(query)} becomes {number(R[0])}",
            "note": "Normalized by its own mean, every value would become β.",
        }
        shown.append(([query], R, words))
    # The same limits in all frames, which hold all points.
    befores, afters, _ = zip(*shown, strict=True)
    reaches = _widest(befores) or 1.0, max(4, _widest(afters))
    if not np.isfinite(reaches[1]):
        raise ValueError(
            f"gamma, beta: got {gamma} and {beta}, which overflow, expected smaller numbers"
        )
    frames = [_two_rows(reaches, *one) for one in shown]
    return PicturePlayer("Batch normalization", frames)


def _row(name, values):
    """Values as a row of finite numbers."""
    return finite_arrays({name: "N"}, values)[0]


def _widest(rows):
    return np.abs(np.concatenate(rows)).max()


def _in_words(statistics):
    mean, variance = (number(part[0]) for part in statistics)
    return f"mean {mean}, variance {variance}"


def _two_rows(reaches, before, after, words):
    """A frame: values before and after, as points on two lines one above the other."""

    def draw(*axes):
        pairs = zip(axes, (before, after), ("before", "after"), reaches, strict=True)
        for i, (ax, values, title, reach) in enumerate(pairs):
            look = {"color": palette.LINES[i], "marker": palette.CLASS_MARKERS[i]}
            ax.scatter(values, np.zeros(len(values)), s=60, alpha=0.6, **look)
            ax.axvline(0, color=palette.GRID, zorder=0)
            ax.plot(np.mean(values), 0, "|", color=palette.INK, ms=34, mew=2)
            ax.set(xlim=(-1.1 * reach, 1.1 * reach), yticks=[])
            _dress(ax, title)

    return _frame(words, draw, rows=2, columns=1)


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
        ValueError: no path leads from start to end, or there is a circle.
    """
    speeds = edges(speeds)
    paths = list(_paths(speeds, start, end))
    if not paths:
        raise ValueError(
            f"start, end: got {start!r} and {end!r}, expected a path from one to the other"
        )
    products = [math.prod(speeds[edge] for edge in path) for path in paths]

    def frame(title, numbers, result, bold):
        def draw(ax):
            plot_paths(layers, speeds, bold=bold, ax=ax)

        words = {"title": title, "numbers": numbers, "result": result}
        return _frame(words, draw, ONE_PLOT, columns=1)

    frames = []
    for k, (path, product) in enumerate(zip(paths, products, strict=True), start=1):
        factors = " · ".join(_signed(speeds[edge]) for edge in path)
        title = f"Path {k} of {len(paths)}: multiply the speeds on its edges"
        frames.append(frame(title, factors, f"= {number(product)}", path))
    terms = " + ".join(map(_signed, products))
    every = {edge for path in paths for edge in path}
    title = "All paths: add their products"
    frames.append(frame(title, terms, f"= {number(math.fsum(products))}", every))
    return PicturePlayer("The chain rule, path by path", frames)


def _paths(speeds, start, end, before=()):
    """Every path from start to end, as a list of edges."""
    way = (*before, start)
    if start in before:
        circle = " → ".join(map(str, way[way.index(start) :]))
        raise ValueError(
            f"speeds: got the circle {circle}, expected edges without circles"
        )
    if start == end:
        yield []
    for edge in speeds:
        if edge[0] == start:
            yield from ([edge, *rest] for rest in _paths(speeds, edge[1], end, way))


def _signed(x):
    return f"({constant(x)})" if x < 0 else constant(x)


# ---------------------------------------------------------------- drawing


def _frame(words, draw, *look, **grid):
    """A frame with a picture; the words are its alternative text, too."""
    alt = " ".join(". ".join(words.values()).split())
    return {**words, "html": _picture(alt, draw, *look, **grid)}


def _picture(alt, draw, look=PAIR, rows=1, columns=2):
    """What ``draw(*axes)`` draws, as an image of few colours."""
    with extra("show", "players"):
        import matplotlib.pyplot as plt
    # It comes with matplotlib.
    from PIL import Image

    fig, axes = plt.subplots(rows, columns, **look)
    try:
        draw(*np.ravel(axes))
        full, small = io.BytesIO(), io.BytesIO()
        fig.savefig(full, format="png", dpi="figure", facecolor=palette.PAPER)
    finally:
        plt.close(fig)
    picture = Image.open(full).convert("RGB")
    method, no_dither = Image.Quantize.FASTOCTREE, Image.Dither.NONE
    picture = picture.quantize(COLOURS, method, dither=no_dither)
    picture.save(small, format="png", optimize=True)
    return FigureImage(small.getvalue(), alt, picture.width)._repr_html_()


def _dress(ax, title, xlabel=""):
    """As ``dress`` does, in the smaller letters of a frame."""
    dress(ax, title, xlabel, "", smaller=SMALLER)

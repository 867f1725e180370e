"""Live training in the page: a network on points in the plane, and descent on a surface.

Prepares the data of two players. ``write_gradient`` differentiates the deck's ``cost`` into a
JavaScript program; the page runs it for any number of steps, at any learning rate, and draws the
decision boundary, the cost and the norms as they change (S09). A surface is a recorded function of
two numbers, which the page's engine differentiates; the user can type another one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from comp551ad.autodiff.program import write_gradient, write_value
from comp551ad.autodiff.trace import record
from comp551ad.byhand.descent import gradient_descent
from comp551ad.byhand.two_layer import TwoLayer, cost
from comp551ad.functions import logistic
from comp551ad.shapes import count, number

from .arguments import expect, finite_arrays, texts
from .live import number_data, program_of
from .player import LivePlayer
from .plots import figure_html, plot_decision_boundary

__all__ = ["LivePlayer", "surface_player", "training_player"]

# A still shows the network after this many steps.
STILL_AFTER = 2000
# The classes' marks, as the page draws them.
MARKS = "●■▲◆"


def training_player(
    X: ArrayLike,
    Y: ArrayLike,
    hidden: int = 16,
    rate: float = 0.1,
    seed: int = 551,
    feature_names: Sequence[str] = ("x1", "x2"),
    class_names: Sequence[str] | None = None,
) -> LivePlayer:
    """Train the lecture's network live: boundary, cost and gradient norms (S09).

    Args:
        X, Y: N x 3 inputs, the last column ones, and N x C one-hot, C at most 4.
        hidden: the initial number of hidden units.
        rate: the initial learning rate.
        seed: the seed of the initial weights, those of ``gradient_descent(…, rng=seed)``.
        feature_names, class_names: names of the two features and of the classes.

    Raises:
        ValueError: X or Y has another shape, or there are too few names.
    """
    X, Y = finite_arrays({"X": "N D", "Y": "N C"}, X, Y)
    if X.shape[1] != 3 or not np.all(X[:, 2] == 1):
        raise ValueError(
            f"X: got shape {X.shape}, expected N x 3, the last column ones; "
            "np.column_stack([X, np.ones(len(X))]) adds it"
        )
    classes = count("Y's columns", Y.shape[1], 2, len(MARKS))
    hidden, seed = count("hidden", hidden, 1), count("seed", seed, 0)
    rate = number("rate", rate, above=0)
    feature_names = texts("feature_names", feature_names, 2)
    hint = (
        "Colours show the network's prediction. Drag a point, or pick its row in X. "
        "Click a weight in V or W to change it; a dot marks those below 0."
    )
    if class_names is not None:
        class_names = texts("class_names", class_names, classes)
        hint = f"{', '.join(map('{} {}'.format, MARKS, class_names))}. {hint}"
    run = gradient_descent(X, Y, hidden, rng=seed, max_iters=STILL_AFTER, lr=rate)
    W, V = run.history.iterates[0]
    ax = plot_decision_boundary(
        lambda X: TwoLayer().predict(X, *run),
        X,
        Y,
        feature_names=feature_names,
        class_names=class_names,
    )
    said = f"The decision boundary after {run.iterations:,} iterations."
    still = f"{figure_html(ax, said)._repr_html_()}\n<p>{said}</p>"

    def scores(X, W, V):
        return np.dot(logistic(np.dot(X, V)), W)

    js: dict[str, Any] = {"language": "javascript"}
    programs = {
        "gradients": write_gradient(cost, X, Y, W, V, wrt=("W", "V"), **js).source,
        "cost": write_value(cost, X, Y, W, V, **js).source,
        "scores": write_value(scores, X, W, V, **js).source,
    }
    data = {
        "kind": "training",
        "label": "A network in training: decision boundary, cost and gradient norms",
        **{name: number_data(x) for name, x in zip("XYWV", (X, Y, W, V), strict=True)},
        "rate": rate,
        "features": feature_names,
        "hint": hint,
    }
    return LivePlayer(data, still, programs)


def surface_player(
    f: Callable[[float, float], float],
    start: tuple[float, float],
    across: tuple[float, float],
    up: tuple[float, float],
    rate: float = 0.1,
) -> LivePlayer:
    """A point on a surface: drag it, see the negative gradient, let it descend.

    Args:
        f: a function of two numbers.
        start: the point's initial position.
        across, up: the horizontal and vertical range shown, each (from, to).
        rate: the initial learning rate.

    Raises:
        TraceError: f can't be recorded.
        ValueError: f doesn't return one number; start, across or up aren't two numbers.
    """
    expect("f", f, Callable, "a function of two numbers")
    shapes = dict.fromkeys(("start", "across", "up"), "A")
    pairs = finite_arrays(shapes, start, across, up)
    if len(pairs[0]) != 2:
        raise ValueError(f"start: got {len(pairs[0])} numbers, expected two")
    start, across, up = map(np.ndarray.tolist, pairs)
    for name, (low, high) in {"across": across, "up": up}.items():
        if low >= high:
            raise ValueError(
                f"{name}: got {low} to {high}, expected the lower end first"
            )
    rate = number("rate", rate, above=0)
    trace = record(f, *start)
    if len(trace.inputs) != 2 or len(trace.outputs) != 1 or trace.outputs[0] is None:
        raise ValueError(
            f"f: got {len(trace.inputs)} inputs and {len(trace.outputs)} outputs, expected "
            "a function of two numbers that returns one"
        )
    data = {
        "kind": "surface",
        "label": f"A descent on the surface {trace.function}",
        "program": program_of(trace),
        "across": across,
        "up": up,
        "rate": rate,
        "hint": "The bluer, the lower. The arrow is minus the gradient. Drag the point, or move "
        "its inputs.",
    }
    return LivePlayer(data, f"<p>{data['label']}: run the cell to see it.</p>")

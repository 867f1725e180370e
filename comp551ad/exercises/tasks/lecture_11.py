"""Lecture 11: networks that are easier to optimize (S17)."""

import numpy as np

from ...autodiff.transforms import vjp
from ...functions import relu
from ..checking import Exercise, Mistake


def _measured_scale(below: int, slope: float) -> float:
    """The scale that keeps the size, by averaging h(q)² over a standard Gaussian q."""
    q = np.linspace(-12, 12, 200_001)
    weight = np.exp(-(q**2) / 2)
    h = np.where(q > 0, q, slope * q)
    kept = np.sum(weight * h**2) / np.sum(weight * q**2)
    return float(np.sqrt(1 / (below * kept)))


keeping_scale = Exercise(
    name="keeping_scale",
    lecture="11",
    title="A start that keeps the size",
    witness=_measured_scale,
    cases=lambda rng: [
        (50, 0.0),
        (64, 0.5),
        (int(rng.integers(10, 200)), float(rng.uniform(0.2, 0.9))),
    ],
    mistakes=(
        Mistake(
            "He's scale, for a slope of zero",
            lambda below, slope: np.sqrt(2 / below),
            "The negative half is not thrown away here: how much of its square is left?",
        ),
        Mistake(
            "Glorot's scale, which knows no activation",
            lambda below, slope: np.sqrt(1 / below),
            "What does h do to the mean square, after the weights have done their part?",
        ),
        Mistake(
            "the variance, not the standard deviation",
            lambda below, slope: 2 / (below * (1 + slope**2)),
            "s is what a weight is multiplied by; its square is the variance.",
        ),
        Mistake(
            "the slope is not squared",
            lambda below, slope: np.sqrt(2 / (below * (1 + slope))),
            "Sizes are mean squares: a number times a gives a square times what?",
        ),
        Mistake(
            "turned over",
            lambda below, slope: np.sqrt(below * (1 + slope**2) / 2),
            "More units below add more terms up: should each weight grow or shrink?",
        ),
    ),
    hints=(
        "First the mean square of q from that of z: a sum over the units below.",
        "Half of the q are negative, and h multiplies their squares by something.",
    ),
)

size_after = Exercise(
    name="size_after",
    lecture="11",
    title="Thirty layers later",
    witness=lambda L, M, s: float(np.prod([np.mean([0.0, M * s * s])] * L)),
    cases=lambda rng: [
        (30, 128, 0.01),
        (5, 50, 0.2),
        (int(rng.integers(2, 6)), 20, 0.4),
    ],
    mistakes=(
        Mistake(
            "ReLU's half is missing",
            lambda L, M, s: (M * s**2) ** L,
            "Half of the q are negative. What does ReLU leave of those?",
        ),
        Mistake(
            "one layer only",
            lambda L, M, s: M * s**2 / 2,
            "That happens at every layer, one after the other.",
        ),
        Mistake(
            "multiplied by the number of layers",
            lambda L, M, s: L * M * s**2 / 2,
            "A factor that acts L times over is not L times the factor.",
        ),
        Mistake(
            "s is not squared",
            lambda L, M, s: (M * s / 2) ** L,
            "The size is a mean of squares.",
        ),
        Mistake(
            "the size of the values, not of their squares",
            lambda L, M, s: np.sqrt(M * s**2 / 2) ** L,
            "Asked is the factor of the mean square.",
        ),
    ),
    hints=(
        "One layer multiplies the size by a number made of M and s.",
        "The same factor acts at each of the L layers.",
    ),
)


def _block(Z, W1, W2):
    return Z + np.dot(relu(np.dot(Z, W1)), W2)


def _down(Z, W1, W2, dR):
    inner = np.dot(dR, W2.T) * (np.dot(Z, W1) > 0)
    return np.dot(inner, W1.T)


skip_backward = Exercise(
    name="skip_backward",
    lecture="11",
    title="Down through a skip connection",
    witness=lambda Z, W1, W2, dR: vjp(_block, Z, W1, W2)[1](dR)[0],
    cases=lambda rng: [
        tuple(rng.normal(size=shape) for shape in ((n, m), (m, k), (k, m), (n, m)))
        for n, m, k in ((4, 3, 3), (5, 2, 6), (1, 4, 2))
    ],
    mistakes=(
        Mistake(
            "the skip's own way is missing",
            _down,
            "Z reaches R along two ways. One of them has no weights on it.",
        ),
        Mistake(
            "the way through the layers is missing",
            lambda Z, W1, W2, dR: dR,
            "Z also goes through W1, ReLU and W2.",
        ),
        Mistake(
            "the two ways are multiplied",
            lambda Z, W1, W2, dR: dR * _down(Z, W1, W2, dR),
            "Over paths one adds.",
        ),
        Mistake(
            "ReLU's derivative is missing",
            lambda Z, W1, W2, dR: dR + dR @ W2.T @ W1.T,
            "Where ReLU gave 0, nothing comes down.",
        ),
        Mistake(
            "ReLU's derivative at the wrong place",
            lambda Z, W1, W2, dR: dR + (dR @ W2.T * (dR @ W2.T > 0)) @ W1.T,
            "Whether a unit is open was settled on the way up, by its q = z W1.",
        ),
        Mistake(
            "the weights are not transposed",
            lambda Z, W1, W2, dR: dR + (dR @ W2 * (Z @ W1 > 0)) @ W1,
            "On the way up one multiplies by W1 and W2; on the way down?",
        ),
    ),
    hints=(
        "Draw it: from Z two arrows, one straight to the plus sign.",
        "Through the layers: first W2, then ReLU, then W1, each the way down.",
    ),
)


def _pairs(W, V):
    return {(*V[:, m], *W[m]) for m in range(len(W))}


distinct_units = Exercise(
    name="distinct_units",
    lecture="11",
    title="How many units are there really?",
    witness=lambda W, V: len(_pairs(W, V)),
    cases=lambda rng: [_copied(rng, *sizes) for sizes in ((4, 1), (5, 3), (6, 6))],
    mistakes=(
        Mistake(
            "columns of V alone",
            lambda W, V: len({tuple(v) for v in V.T}),
            "Two units with the same input weights differ if their outputs do.",
        ),
        Mistake(
            "rows of W alone",
            lambda W, V: len({tuple(w) for w in W}),
            "Two units with the same output weights differ if their inputs do.",
        ),
        Mistake(
            "all units are counted",
            lambda W, V: len(W),
            "Units that start equal stay equal: they count once.",
        ),
        Mistake(
            "the copies are counted",
            lambda W, V: len(W) - len(_pairs(W, V)),
            "Asked is how many different ones remain.",
        ),
    ),
    hints=(
        "A unit is a column of V together with a row of W.",
        "A set of tuples keeps each once.",
    ),
)


def _copied(rng, M, different):
    """A network of M units, `different` of them apart; V and W have other copies too."""
    which = np.arange(M) % different
    W, V = (
        rng.normal(size=(different, 2))[which],
        rng.normal(size=(3, different))[:, which],
    )
    if different > 1:
        extra = which == 1
        V[:, extra] = V[
            :, [0]
        ]  # the input weights of another unit, with its own outputs
    if different > 3:
        W[(which == 2) | (which == 3)] = W[0]  # and the other way round
    return W, V


EXERCISES = (distinct_units, size_after, keeping_scale, skip_backward)

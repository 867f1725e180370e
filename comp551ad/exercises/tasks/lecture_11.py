"""Lecture 11: networks that are easier to optimize (S17)."""

from collections import Counter

import numpy as np

from ...autodiff.transforms import vjp
from ...functions import relu
from ..exercise import Exercise, Mistake, edited


def _kept(slope: float) -> float:
    """The share of the mean square that h lets through, measured on a Gaussian q."""
    q = np.linspace(-12, 12, 20_001)
    weight = np.exp(-(q**2) / 2)
    h = np.where(q > 0, q, slope * q)
    return np.sum(weight * h**2) / np.sum(weight * q**2)


def _scale(below, slope):
    return np.sqrt(2 / (below * (1 + slope**2)))


keeping_scale = Exercise(
    name="keeping_scale",
    lecture="11",
    title="A start that keeps the size",
    witness=lambda below, slope: float(1 / np.sqrt(below * _kept(slope))),
    cases=lambda rng: [
        (50, 0.0),
        (64, 0.5),
        (27, 0.3),
    ],
    mistakes=(
        Mistake(
            "He's scale, for a slope of zero",
            edited(_scale, " * (1 + slope**2) → "),
            "The negative half is not thrown away here: how much of its square is left?",
        ),
        Mistake(
            "Glorot's scale, which ignores the activation",
            lambda below, slope: np.sqrt(1 / below),
            "What does h do to the mean square, after the weights have done their part?",
        ),
        Mistake(
            "each half counted as a whole",
            edited(_scale, "2 / (below → 1 / (below"),
            "The mean is over all q: half of them are positive, half negative.",
        ),
        Mistake(
            "squared after adding",
            lambda below, slope: np.sqrt(2 / below) / (1 + slope),
            "The squares of the two halves are added, not the values.",
        ),
        Mistake(
            "the mean slope, squared",
            lambda below, slope: 2 / ((1 + slope) * np.sqrt(below)),
            "The mean of squares is not the square of the mean.",
        ),
    ),
    hints=(
        "First the mean square of q from that of z: a sum over the units below.",
        "Half of the q are negative, and h multiplies their squares by something.",
    ),
)


def _size(L, M, s):
    return (M * s**2 / 2) ** L


size_after = Exercise(
    name="size_after",
    core=True,
    lecture="11",
    title="Thirty layers later",
    witness=lambda L, M, s: float(np.prod([M * s * s * _kept(0.0)] * L)),
    cases=lambda rng: [
        (30, 128, 0.01),
        (5, 50, 0.2),
        (4, 20, 0.4),
        (2, 3, 1.0),
    ],
    mistakes=(
        Mistake(
            "ReLU's half is missing",
            edited(_size, " / 2 → "),
            "Half of the q are negative. What does ReLU leave of those?",
        ),
        Mistake(
            "the size of the values, not of their squares",
            edited(_size, "return → return np.sqrt"),
            "The question is about the mean square.",
        ),
        Mistake(
            "ReLU's half once, not at every layer",
            edited(_size, " / 2) ** L → ) ** L / 2"),
            "Every layer has its ReLU.",
        ),
        Mistake(
            "ReLU's half is squared",
            edited(_size, "/ 2 → / 4"),
            "ReLU doesn't halve the entries: it makes half of them 0 and leaves the rest.",
        ),
        Mistake(
            "the square of the mean, not the mean of the squares",
            edited(_size, "/ 2 → / (2 * np.pi)"),
            "The mean of squares is not the square of the mean.",
        ),
        Mistake(
            "half the units, rounded down",
            edited(_size, "M * s**2 / 2 → M // 2 * s**2"),
            "// cuts the half off where M is odd.",
        ),
        Mistake(
            "the root of the number of units",
            edited(_size, "(M → (np.sqrt(M)"),
            "The mean square of a sum of M terms: do squares add, or sizes?",
        ),
        *(
            Mistake(
                "the power covers too little",
                edited(_size, f"(M * s**2 / 2) → {brackets}"),
                "The whole factor of a layer acts L times: check the parentheses.",
            )
            for brackets in ("M * s**2 / 2", "M * (s**2 / 2)")
        ),
    ),
    hints=(
        "One layer first. A q is a sum of M terms: what is the mean of its square, if that of z "
        "is known? And what does ReLU leave of it?",
        "By what factor has the size changed after two layers, if one layer halves it?",
    ),
)


def _block(Z, W1, W2):
    return Z + np.dot(relu(np.dot(Z, W1)), W2)


def _down(Z, W1, W2, dR):
    inner = np.dot(dR, W2.T) * (np.dot(Z, W1) > 0)
    return np.dot(inner, W1.T)


skip_backward = Exercise(
    name="skip_backward",
    core=True,
    lecture="11",
    title="Down through a skip connection",
    witness=lambda Z, W1, W2, dR: vjp(_block, Z, W1, W2)[1](dR)[0],
    cases=lambda rng: (
        [
            # Halves: their products are exact, and a sum of 0 is 0 in any order.
            tuple(rng.integers(-4, 5, s) / 2 for s in ((n, m), (m, k), (k, m), (n, m)))
            for n, m, k in ((4, 3, 3), (5, 2, 6), (1, 4, 2))
        ]
        + [(np.array([[1.0, -1.0], [0.0, 2.0]]), *3 * [np.ones((2, 2))])]
    ),
    mistakes=(
        Mistake(
            "the path along the skip is missing",
            _down,
            "Z reaches R along two paths. One of them has no weights on it.",
        ),
        Mistake(
            "the path through the layers is missing",
            lambda Z, W1, W2, dR: dR,
            "Z also goes through W1, ReLU and W2.",
        ),
        *(
            Mistake(
                "ReLU's derivative on the wrong side",
                lambda Z, W1, W2, dR, below=below: (
                    dR + (dR @ W2.T * below(Z @ W1, 0)) @ W1.T
                ),
                "Where ReLU lets q through, it lets the error through.",
            )
            for below in (np.less, np.less_equal)
        ),
        Mistake(
            "ReLU's derivative in the wrong place",
            lambda Z, W1, W2, dR: dR + (dR @ W2.T * (dR @ W2.T > 0)) @ W1.T,
            "Whether a unit is open was settled on the way up, by its q.",
        ),
        Mistake(
            "W1 and W2 are swapped",
            lambda Z, W1, W2, dR: dR + (dR @ W1 * (Z @ W1 > 0)) @ W2,
            "Going down, which of the two comes first?",
        ),
        Mistake(
            "the skip counted twice",
            lambda Z, W1, W2, dR: dR + dR + _down(Z, W1, W2, dR),
            "How many arrows lead from Z straight to the plus sign?",
        ),
        Mistake(
            "the weights are not transposed",
            lambda Z, W1, W2, dR: dR + (dR @ W2 * (Z @ W1 > 0)) @ W1,
            "On the way up you multiply by W1 and W2; and on the way down?",
        ),
        Mistake(
            "ReLU opens according to the sign of Z",
            lambda Z, W1, W2, dR: dR + dR @ W2.T @ W1.T * (Z > 0),
            "The ReLU's input is Z W1, and its derivative comes between W1 and W2.",
        ),
        Mistake(
            "ReLU's value instead of its derivative",
            lambda Z, W1, W2, dR: dR + (dR @ W2.T * relu(Z @ W1)) @ W1.T,
            "On its open side ReLU has slope 1, however large its value is.",
        ),
        Mistake(
            "the skip's slope without the error from above",
            lambda Z, W1, W2, dR: 1 + _down(Z, W1, W2, dR),
            "Along the skip the slope is 1: 1 times what?",
        ),
        Mistake(
            "the way up, not the way down",
            lambda Z, W1, W2, dR: _block(Z, W1, W2),
            "That is R. The question is how J changes with Z, which needs dR.",
        ),
    ),
    hints=(
        "Draw it: two arrows from Z, one straight to the plus sign.",
        "Through the layers: first W2, then ReLU, then W1, each on the way down.",
    ),
)


def _pairs(W, V):
    return Counter((*V[:, m], *W[m]) for m in range(len(W)))


distinct_units = Exercise(
    name="distinct_units",
    lecture="11",
    title="How many units are there really?",
    witness=lambda W, V: len(_pairs(W, V)),
    cases=lambda rng: [
        *(_copied(rng, *sizes) for sizes in ((4, 1, 3), (5, 3, 2), (6, 6, 1))),
        # The same numbers in another order; near copies; V with more kinds than W.
        (np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([[3.0, 3.0]])),
        (np.ones((2, 2)), np.array([[0.0, 1e-15]])),
        (np.ones((2, 2)), np.array([[1.0, 1.0 + 1e-12]])),
        (np.ones((4, 1)), np.array([[1.0, 2.0, 2.0, 3.0]])),
        (np.array([[1.0], [2.0], [2.0], [3.0]]), np.ones((2, 4))),
    ],
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
            "The question is how many different ones remain.",
        ),
        Mistake(
            "units that have a copy don't count at all",
            lambda W, V: sum(n == 1 for n in _pairs(W, V).values()),
            "Of equal units one remains, and that one counts.",
        ),
        *(
            Mistake(
                "V and W are counted separately",
                lambda W, V, join=join: join(
                    len({*map(tuple, V.T)}), len({*map(tuple, W)})
                ),
                "A unit is one column of V with the row of W that belongs to it.",
            )
            for join in (min, max, lambda v, w: v * w, lambda v, w: v + w)
        ),
        *(
            Mistake(
                "single numbers are counted, not units",
                numbers,
                "np.unique flattens an array, unless `axis` says what to compare.",
            )
            for numbers in (
                lambda W, V: np.unique(V).size,
                lambda W, V: np.unique(W).size,
                lambda W, V: np.unique([*V.ravel(), *W.ravel()]).size,
            )
        ),
        Mistake(
            "nearly equal is treated as equal",
            lambda W, V: len(_pairs(W.round(9), V.round(9))),
            "Units that start a millionth apart: lecture 11 showed what becomes of them.",
        ),
        Mistake(
            "each unit is compared only with its neighbour",
            lambda W, V: 1 + np.any(np.diff([*V, *W.T]), axis=0).sum(),
            "Can two units be alike without being neighbours?",
        ),
        Mistake(
            "a unit is treated as the set of its numbers",
            lambda W, V: len({frozenset(pair) for pair in _pairs(W, V)}),
            "A set forgets which number came from where.",
        ),
        Mistake(
            "a unit is treated as the sum of its weights",
            lambda W, V: len({round(sum(pair), 9) for pair in _pairs(W, V)}),
            "Different weights may have the same sum.",
        ),
        Mistake(
            "rows of V, not its columns",
            lambda W, V: len({tuple(v) for v in V}),
            "V is D x M: which of the two counts the units?",
        ),
        Mistake(
            "single rows of all weights are counted",
            lambda W, V: len(np.unique(np.vstack([V, W.T]), axis=0)),
            "Where is one unit in your table: in a row, or in a column?",
        ),
        Mistake(
            "the rank",
            lambda W, V: np.linalg.matrix_rank(np.vstack([V, W.T])),
            "A unit that is a sum of others is still one more unit.",
        ),
    ),
    hints=(
        "A unit is a column of V together with a row of W.",
        "A set of tuples keeps each once.",
    ),
)


def _copied(rng, M, different, D):
    """A network of M units, `different` of them distinct; V and W have other copies too."""
    which = np.arange(M) % different
    W = rng.normal(size=(different, 2))[which]
    V = rng.normal(size=(D, different))[:, which]
    if different > 1:  # the input weights of another unit, with its own outputs
        V[:, which == 1] = V[:, [0]]
    if different > 3:  # and the other way round; and a unit that mirrors another
        W[(which == 2) | (which == 3)] = W[0]
        V[:, which == 4], W[which == 4] = -V[:, [0]], -W[0]
    return W, V


EXERCISES = (distinct_units, size_after, keeping_scale, skip_backward)

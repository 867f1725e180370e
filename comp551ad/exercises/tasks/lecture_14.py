"""Lecture 14: the machine writes the backward pass (beyond the deck, S16)."""

import numpy as np

from ...autodiff.transforms import grad
from ..checking import WITNESSES, Exercise, Mistake
from ..formulas import formulas


def _half_square(X, Y, W, V):
    Z = np.tanh(np.dot(X, V))
    return 0.5 * np.sum((np.dot(Z, W) - Y) ** 2) / X.shape[0]


def _written(slope=lambda Q, Z: 1 - Z**2, mean=True, turned=False):
    """The program of the exercise with something changed."""

    def program(X, Y, W, V):
        Q = np.dot(X, V)
        Z = np.tanh(Q)
        dU = (np.dot(Z, W) - Y) / (len(X) if mean else 1)
        dZ = np.dot(dU, W if turned else W.T)
        return np.dot(Z.T, dU), np.dot(X.T, dZ * slope(Q, Z))

    return program


mended = Exercise(
    name="mended",
    lecture="14",
    title="Find the bug in a written program",
    witness=grad(_half_square, argnum=("W", "V")),
    cases=lambda rng: [
        tuple(rng.normal(size=shape) for shape in ((N, D), (N, C), (M, C), (D, M)))
        for N, D, M, C in ((4, 3, 3, 3), (6, 2, 4, 3), (1, 3, 2, 1))
    ],
    mistakes=(
        Mistake(
            "the bug is still there",
            _written(lambda Q, Z: 1 - Q**2),
            "Hold each line of the backward pass against its line of the forward pass.",
        ),
        Mistake(
            "derivative of tanh as 1 − tanh",
            _written(lambda Q, Z: 1 - Z),
            "The bug is at tanh, and its derivative has a square in it.",
        ),
        Mistake(
            "derivative of the logistic where tanh is meant",
            _written(lambda Q, Z: Z * (1 - Z)),
            "This network's hidden units are tanh.",
        ),
        Mistake(
            "derivative of tanh as sech",
            _written(lambda Q, Z: 1 / np.cosh(Q)),
            "It is the square of that.",
        ),
    ),
    batch=lambda X, Y, W, V: len(X),
    hints=(
        "dW is right. Which lines does dV need that dW does without?",
        "What does the derivative of tanh q look like in terms of z = tanh q?",
    ),
)


def _needed(program, wanted):
    operands = dict(program)

    def walk(name):
        return {name}.union(*map(walk, operands[name])) if name in operands else set()

    alive = set().union(*map(walk, wanted))
    return [name for name, _ in program if name in alive]


_BACKWARD = [
    ("Q", ["X", "V"]),
    ("Z", ["Q"]),
    ("U", ["Z", "W"]),
    ("P", ["U"]),
    ("J", ["P", "Y"]),
    ("dU", ["P", "Y"]),
    ("dZ", ["dU", "W"]),
    ("dQ", ["dZ", "Z"]),
    ("dW", ["Z", "dU"]),
    ("dV", ["X", "dQ"]),
]


def _random_program(rng):
    names = ["x", *(f"a{k}" for k in range(1, 9))]
    rows = [
        (name, [str(o) for o in rng.choice(names[:k], size=min(k, 2), replace=False)])
        for k, name in enumerate(names)
        if k
    ]
    return rows, [names[int(rng.integers(5, 9))]]


needed_lines = Exercise(
    name="needed_lines",
    lecture="14",
    title="Leave out what nobody needs",
    witness=_needed,
    cases=lambda rng: [
        (_BACKWARD, ["dW", "dV"]),
        (_BACKWARD, ["dW"]),
        (_BACKWARD, ["Z"]),
        *(_random_program(rng) for _ in range(3)),
    ],
    mistakes=(
        Mistake(
            "everything is kept",
            lambda program, wanted: [name for name, _ in program],
            "With dW alone wanted, who needs dZ?",
        ),
        Mistake(
            "one step back only",
            lambda program, wanted: [
                name
                for name, _ in program
                if name in wanted or any(name in dict(program)[w] for w in wanted)
            ],
            "What is needed needs something too.",
        ),
        Mistake(
            "in the wrong order",
            lambda program, wanted: _needed(program, wanted)[::-1],
            "The walk goes back, but the lines must run as they did.",
        ),
        Mistake(
            "the wanted ones alone",
            lambda program, wanted: list(wanted),
            "They can't be worked out from nothing.",
        ),
        Mistake(
            "the wanted ones are missing",
            lambda program, wanted: [
                n for n in _needed(program, wanted) if n not in wanted
            ],
            "The walk starts with what is wanted, and that stays.",
        ),
    ),
    hints=(
        "Keep a set of what is needed; at first it is what is wanted.",
        "Go through the lines from the last to the first: one walk is enough.",
    ),
)

higher_derivatives = Exercise(
    name="higher_derivatives",
    lecture="14",
    title="The derivative of the derivative",
    witness=lambda: {
        "first": "exp(2 * x) * (1 + 2 * x)",
        "second": "exp(2 * x) * (4 + 4 * x)",
        "third": "exp(2 * x) * (12 + 8 * x)",
    },
    cases=lambda rng: [({"x": x},) for x in rng.uniform(0.5, 1.5, size=3)],
    use=formulas,
    secret=True,
    mistakes=(
        Mistake(
            "the inner derivative is missing",
            lambda: {
                "first": "exp(2*x) * (1 + x)",
                "second": "exp(2*x) * (2 + x)",
                "third": "exp(2*x) * (3 + x)",
            },
            "exp(2x) grows twice as fast as exp(x).",
        ),
        Mistake(
            "half of the product rule",
            lambda: {
                "first": "2 * x * exp(2*x)",
                "second": "4 * x * exp(2*x)",
                "third": "8 * x * exp(2*x)",
            },
            "x moves too, not only the exponential.",
        ),
        Mistake(
            "both factors' derivatives multiplied",
            lambda: {"first": "2 * exp(2*x)", "second": "4 * exp(2*x)"},
            "The product rule has two terms, and a plus between them.",
        ),
        Mistake(
            "the product rule once only",
            lambda: {
                "second": "exp(2*x) * (2 + 4*x)",
                "third": "exp(2*x) * (4 + 8*x)",
            },
            "The first derivative is a product again: its second factor moves as well.",
        ),
    ),
    hints=(
        "Product rule: (x)' exp(2x) + x (exp(2x))'.",
        "Take exp(2x) out of the bracket, and do the same with what you have.",
    ),
)


def cubic(rng, P):
    A, b = rng.normal(size=(P, P)), rng.uniform(0.5, 2, size=P)
    A = A + A.T

    def gradient(w):
        return A @ w + 3 * b * w**2

    return gradient, rng.normal(size=P), rng.normal(size=P)


def _curvature(gradient, w, a):
    return grad(lambda w: np.sum(gradient(w) * a))(w)


hessian_times = Exercise(
    name="hessian_times",
    lecture="14",
    title="The Hessian times a direction, without the Hessian",
    witness=_curvature,
    cases=lambda rng: [cubic(rng, P) for P in (3, 5, 2)],
    forbidden=(*WITNESSES[:-1], "comp551ad.exercises.tasks.lecture_14._"),
    tolerance=1e-4,
    mistakes=(
        Mistake(
            "the 2 of the double step is missing",
            lambda gradient, w, a: (
                (gradient(w + 1e-4 * a) - gradient(w - 1e-4 * a)) / 1e-4
            ),
            "From w − h a to w + h a it is two steps.",
        ),
        Mistake(
            "the direction is left out",
            lambda gradient, w, a: (gradient(w + 1e-4) - gradient(w - 1e-4)) / 2e-4,
            "w moves along a, not along all axes alike.",
        ),
        Mistake(
            "not divided by the step",
            lambda gradient, w, a: gradient(w + 1e-4 * a) - gradient(w - 1e-4 * a),
            "A rate of change: divide by how far w has moved.",
        ),
        Mistake(
            "the gradient itself",
            lambda gradient, w, a: gradient(w),
            "Asked is how the gradient changes as w moves along a.",
        ),
        Mistake(
            "one number instead of a vector",
            lambda gradient, w, a: (
                np.dot(gradient(w + 1e-4 * a) - gradient(w - 1e-4 * a), a) / 2e-4
            ),
            "H a has as many entries as w. Don't multiply by a once more.",
        ),
    ),
    hints=(
        "How does the gradient change as w moves a little along a?",
        "The central difference of lecture 06, with the gradient in the function's place.",
    ),
)

EXERCISES = (mended, needed_lines, higher_derivatives, hessian_times)

"""Lecture 14: the machine writes the backward pass (beyond the deck, S16)."""

import numpy as np

from ...autodiff.transforms import grad
from ..exercise import WITNESSES, Exercise, Mistake, edited
from ..formulas import formulas


def _half_square(X, Y, W, V):
    Z = np.tanh(np.dot(X, V))
    return 0.5 * np.sum((np.dot(Z, W) - Y) ** 2) / X.shape[0]


def _written(X, Y, W, V):
    Q = np.dot(X, V)
    Z = np.tanh(Q)
    dU = (np.dot(Z, W) - Y) / len(X)
    dZ = np.dot(dU, W.T)
    return np.dot(Z.T, dU), np.dot(X.T, dZ * (1 - Z**2))


mended = Exercise(
    name="mended",
    lecture="14",
    title="Find the bug in a written program",
    witness=grad(_half_square, argnum=("W", "V")),
    parts=("dW", "dV"),
    cases=lambda rng: [
        tuple(rng.normal(size=shape) for shape in ((N, D), (N, C), (M, C), (D, M)))
        for N, D, M, C in ((4, 3, 3, 3), (6, 2, 4, 3), (1, 3, 2, 1))
    ],
    mistakes=(
        Mistake(
            "the bug is still there",
            edited(_written, "1 - Z**2 → 1 - Q**2"),
            "Compare each line of the backward pass with its line of the forward pass.",
        ),
        Mistake(
            "derivative of tanh as 1 − tanh",
            edited(_written, "1 - Z**2 → 1 - Z"),
            "The bug is at tanh, and its derivative has a square in it.",
        ),
        Mistake(
            "derivative of the logistic where tanh is meant",
            edited(_written, "1 - Z**2 → Z * (1 - Z)"),
            "This network's hidden units are tanh.",
        ),
        Mistake(
            "derivative of tanh as sech",
            edited(_written, "1 - Z**2 → 1 / np.cosh(Q)"),
            "It is the square of that.",
        ),
        Mistake(
            "the square of a difference",
            edited(_written, "1 - Z**2 → (1 - Z) ** 2"),
            "1 − z² and (1 − z)² differ: try z = −1.",
        ),
        Mistake(
            "tanh taken twice",
            edited(_written, "1 - Z**2 → 1 - np.tanh(Z) ** 2"),
            "Z is tanh(Q) already.",
        ),
    ),
    batch=lambda X, Y, W, V: len(X),
    rows=("X", "Y"),
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


def _found(before, again=False):
    """A search that lists lines as it finds them: users before what they use, or after."""

    def search(program, wanted):
        operands, lines = dict(program), []

        def walk(name):
            if name not in operands or (name in lines and not again):
                return
            if before:
                lines.append(name)
            for operand in operands[name]:
                walk(operand)
            if not before:
                lines.append(name)

        for name in wanted:
            walk(name)
        return lines

    return search


def _walked_back(program, wanted):
    needed, kept = {*wanted}, []
    for name, used in reversed(program):
        if name in needed:
            kept.append(name)
            needed.update(used)
    return kept[::-1]


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
    core=True,
    lecture="14",
    title="Leave out what nobody needs",
    witness=_needed,
    cases=lambda rng: [
        (_BACKWARD, ["dW", "dV"]),
        (_BACKWARD, ["dW"]),
        (_BACKWARD, ["Z"]),
        ([("s", ["x"]), ("t", ["s"]), ("t2", ["x"]), ("y", ["t2"])], ["y"]),
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
            edited(_walked_back, "(used) → (used if name in wanted else [])"),
            "What is needed needs something too.",
        ),
        Mistake(
            "a name is found inside another name",
            edited(
                _walked_back,
                "{*wanted} → ' '.join(wanted)",
                "needed.update(used) → needed += ' ' + ' '.join(used)",
            ),
            "Is 't' in 't2'? In a string it is; in a set of names it isn't.",
        ),
        Mistake(
            "inputs are included, and names are sorted",
            edited(_walked_back, "kept[::-1] → sorted(needed)"),
            "No line computes an input; and the order is the program's.",
        ),
        Mistake(
            "only the first of the wanted ones",
            edited(_walked_back, "{*wanted} → {wanted[0]}"),
            "All that is wanted is needed from the start.",
        ),
        Mistake(
            "in the wrong order",
            edited(_walked_back, "kept[::-1] → kept"),
            "The walk goes back, but the lines must run as they did.",
        ),
        *(
            Mistake(
                "in the order in which they are found",
                found,
                "First find which lines are needed, then go through the program once more.",
            )
            for found in (_found(before=False), _found(before=True))
        ),
        Mistake(
            "a line appears more than once",
            _found(before=False, again=True),
            "A value that was computed once is used again: keep each name once.",
        ),
        Mistake(
            "everything up to the wanted lines is kept",
            edited(_walked_back, "if name → if kept or name"),
            "Among the lines above there may be some that lead elsewhere.",
        ),
        Mistake(
            "what any line uses is kept",
            edited(
                _walked_back, "{*wanted} → {*wanted}.union(*dict(program).values())"
            ),
            "It counts only if a line that is needed itself uses it.",
        ),
        Mistake(
            "the inputs are included",
            edited(_walked_back, "kept[::-1] → sorted(needed - {*kept}) + kept[::-1]"),
            "No line computes an input: the answer is lines.",
        ),
        Mistake(
            "whole lines, not their names",
            edited(_walked_back, "append(name) → append((name, used))"),
            "The answer is names: the first of each pair.",
        ),
        Mistake(
            "what is not needed",
            edited(
                _walked_back, "kept[::-1] → [n for n, _ in program if n not in kept]"
            ),
            "These are the lines to leave out; the answer is the others.",
        ),
        Mistake(
            "what comes after, not what came before",
            edited(
                _walked_back,
                "reversed(program) → program",
                "name in needed → name in wanted or needed.intersection(used)",
                "update(used) → add(name)",
                "[::-1] → ",
            ),
            "Not who uses the wanted ones, but what they are computed from.",
        ),
        Mistake(
            "the wanted ones alone",
            lambda program, wanted: list(wanted),
            "They can't be computed from nothing. If your walk finds no more, at which end "
            "of the program does it begin?",
        ),
        Mistake(
            "the wanted ones are missing",
            edited(
                _walked_back, "kept[::-1] → [n for n in kept[::-1] if n not in wanted]"
            ),
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
            "one derivative too few each time",
            lambda: {
                "first": "x * exp(2*x)",
                "second": "exp(2*x) * (1 + 2*x)",
                "third": "exp(2*x) * (4 + 4*x)",
            },
            "The function itself is no derivative yet: f′ is the first.",
        ),
        Mistake(
            "one derivative too many each time",
            lambda: {
                "first": "exp(2*x) * (4 + 4*x)",
                "second": "exp(2*x) * (12 + 8*x)",
                "third": "exp(2*x) * (32 + 16*x)",
            },
            "Is your first line f′, or f″ already?",
        ),
        Mistake(
            "both factors' derivatives multiplied",
            lambda: {"first": "2 * exp(2*x)", "second": "4 * exp(2*x)"},
            "The product rule has two terms, and a plus between them.",
        ),
        Mistake(
            "the exponential treated as a power",
            lambda: {"first": "2 * x * x * exp(2*x - 1) + exp(2*x)"},
            "In exp(2x) it is the exponent that moves: its derivative has the same power.",
        ),
        Mistake(
            "the inner derivative is missing",
            lambda: {"second": "exp(2*x) * (2 + 2*x)", "third": "exp(2*x) * (4 + 4*x)"},
            "exp(2x) grows twice as fast as exp(x), in the second term and in the first.",
        ),
        Mistake(
            "the factor in parentheses is differentiated wrongly",
            lambda: {"second": "exp(2*x) * (3 + 4*x)", "third": "exp(2*x) * (8 + 8*x)"},
            "The derivative of 1 + 2x is not 1, and that of 4 + 4x is not 0.",
        ),
        Mistake(
            "the product rule once only",
            lambda: {
                "second": "exp(2*x) * (2 + 4*x)",
                "third": "exp(2*x) * (4 + 8*x)",
            },
            "The first derivative is a product again: both of its factors move.",
        ),
    ),
    hints=(
        "Product rule: (x)' exp(2x) + x (exp(2x))'.",
        "Factor out exp(2x), and do the same with what you have.",
    ),
)


def wavy(rng, P):
    """A gradient with enough curvature that a large step shows; a point; a direction."""
    A, b = rng.normal(size=(P, P)), rng.uniform(0.5, 2, size=P)
    A = A + A.T

    def gradient(w):
        return A @ w + b * np.sin(3 * w)

    return gradient, rng.normal(size=P), rng.normal(size=P)


class ThirdCall(RuntimeError):
    """Raised if an answer calls the gradient more often than allowed."""


def two_calls_at_most(answer, gradient, w, a):
    """Use an answer with a gradient that can be called twice."""
    calls = iter(range(2))

    def two_calls_only(w):
        if next(calls, None) is None:
            raise ThirdCall("gradient was called 3 times; 2 calls are enough")
        return gradient(w)

    return answer(two_calls_only, w, a)


def _by_columns(gradient, w, a, h=1e-5):
    steps = h * np.eye(len(w))
    H = [(gradient(w + e) - gradient(w - e)) / (2 * h) for e in steps]
    return np.array(H) @ a


def _curvature(gradient, w, a):
    return grad(lambda w: np.sum(gradient(w) * a))(w)


def _by_two_calls(gradient, w, a):
    h = 1e-5
    return (gradient(w + h * a) - gradient(w - h * a)) / (2 * h)


hessian_times = Exercise(
    name="hessian_times",
    lecture="14",
    title="The Hessian times a direction, without the Hessian",
    witness=_curvature,
    cases=lambda rng: [wavy(rng, P) for P in (3, 5, 2)],
    forbidden=(
        *(room for room in WITNESSES if not room.endswith((".autodiff.", ".tasks."))),
        "comp551ad.exercises.tasks.lecture_14._",
    ),
    tolerance=1e-4,
    use=two_calls_at_most,
    mistakes=(
        Mistake(
            "more than two calls of the gradient",
            _by_columns,
            "Move w along a in one go: then no axis needs its own call.",
        ),
        *(
            Mistake(
                name,
                edited(_by_two_calls, f"1e-5 → {h}", *more),
                "Truncation grows with h, rounding with 1/h: where do they balance?",
            )
            for name, steps in (
                ("the step is too large", (1.0, 0.1, 0.05, 0.01)),
                ("the step is too small", (1e-12, 1e-13, 1e-14, 1e-15, 1e-16)),
            )
            for h in steps
            for more in ((), ("w - h * a)) / (2 * h) → w)) / h",))
        ),
        Mistake(
            "a second difference of the gradient",
            edited(
                _by_two_calls,
                "gradient(w - h * a)) / (2 * h) → 2 * gradient(w)) / h**2",
            ),
            "The gradient is a first derivative already: one more, not two.",
        ),
        Mistake(
            "the curvature at another point",
            lambda gradient, w, a: _curvature(gradient, 0 * w, a),
            "At which weights should H be taken?",
        ),
        Mistake(
            "the gradient itself",
            lambda gradient, w, a: gradient(a),
            "The question is how the gradient changes as w moves along a.",
        ),
        Mistake(
            "multiplied by a again",
            lambda gradient, w, a: a * _curvature(gradient, w, a),
            "The direction is in the step already.",
        ),
        Mistake(
            "the gradient times a",
            lambda gradient, w, a: gradient(w) * a,
            "The question is how the gradient changes as w moves along a.",
        ),
        Mistake(
            "point and direction are swapped",
            lambda gradient, w, a: _curvature(gradient, a, w),
            "At which weights should H be taken?",
        ),
        Mistake(
            "a normalized to length 1",
            lambda gradient, w, a: _curvature(gradient, w, a) / np.linalg.norm(a),
            "H a is twice as long for an a twice as long.",
        ),
        Mistake(
            "the direction is left out",
            edited(_by_two_calls, "h * a → h"),
            "w moves along a, not along all axes alike.",
        ),
        Mistake(
            "the gradient itself",
            lambda gradient, w, a: gradient(w),
            "The question is how the gradient changes as w moves along a.",
        ),
        Mistake(
            "one number instead of a vector",
            edited(_by_two_calls, "return → return a @"),
            "H a has as many entries as w. Don't multiply by a once more.",
        ),
    ),
    hints=(
        "How does the gradient change as w moves a little along a?",
        "The central difference of lecture 06, with the gradient in place of the function.",
    ),
)

EXERCISES = (mended, needed_lines, higher_derivatives, hessian_times)

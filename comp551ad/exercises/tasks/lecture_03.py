"""Lecture 03: the three heads, and the gradient with respect to W (S05, S06)."""

import numpy as np

from ...autodiff.transforms import grad
from ...functions import logistic, logsumexp, softmax, softplus
from ..exercise import Exercise, Mistake, edited
from ..formulas import formulas


def _binary_in_u(y, u):
    return y * softplus(-u) + (1 - y) * softplus(u)


def _binary_in_yh(yh, y):
    return -y * np.log(yh) - (1 - y) * np.log(1 - yh)


binary_derivation = Exercise(
    name="binary_derivation",
    lecture="03",
    title="Two classes, factor by factor",
    witness=lambda: {
        "L": lambda y, u, yh: _binary_in_u(y, u),
        "dL/dyh": lambda y, u, yh: grad(_binary_in_yh)(yh, y),
        "dyh/du": lambda y, u, yh: grad(logistic)(u),
        "dL/du": lambda y, u, yh: grad(_binary_in_u, 1)(y, u),
    },
    cases=lambda rng: [
        ({"y": float(k % 2), "u": u, "yh": logistic(u)},)
        for k, u in enumerate([1.0, -0.5, *rng.uniform(-2, 2, size=2)])
    ],
    use=formulas,
    secret=True,
    mistakes=(
        Mistake(
            "the other class is left out",
            lambda: {
                "L": "-y * log(yh)",
                "dL/dyh": "-y / yh",
                "dL/du": "-y * (1 - yh)",
            },
            "With y = 0 this is always 0. What should it cost to be wrong there?",
        ),
        *(
            Mistake(
                "the squared error instead of the loss",
                lambda half=half: {
                    "L": f"{half} * (y - yh)**2",
                    "dL/dyh": f"{2 * half} * (yh - y)",
                    "dL/du": f"{2 * half} * (yh - y) * yh * (1 - yh)",
                },
                "With two classes the loss is the cross-entropy: logarithms of yh and 1 - yh.",
            )
            for half in (0.5, 1)
        ),
        Mistake(
            "the two classes are swapped",
            lambda: {
                "L": "(1 - y) * log(yh) + y * log(1 - yh)",
                "dL/dyh": "(1 - y) / yh - y / (1 - yh)",
                "dL/du": "1 - y - yh",
            },
            "yh is the probability of class 1: what should a large yh cost when y = 1?",
        ),
        Mistake(
            "used u where yh belongs",
            lambda: {"dyh/du": "u * (1 - u)", "dL/du": "u - y"},
            "The slope of the logistic function is written with its value.",
        ),
        Mistake(
            "y is treated as 1, and as 0",
            lambda: {"dL/dyh": "-1 / yh + 1 / (1 - yh)"},
            "y and 1 - y are factors, and stay where they are when yh moves.",
        ),
        Mistake(
            "y and yh are swapped",
            lambda: {"L": "-yh * log(y) - (1 - yh) * log(1 - y)"},
            "y is 0 or 1. What is the logarithm of 0?",
        ),
        Mistake(
            "a factor is missing",
            lambda: {"dL/du": "-y / yh + (1 - y) / (1 - yh)"},
            "yh comes between L and u: two factors.",
        ),
        Mistake(
            "added where the links are multiplied",
            lambda: {"dL/du": "-y / yh + (1 - y) / (1 - yh) + yh * (1 - yh)"},
            "Multiply along a path; add where paths meet.",
        ),
        Mistake(
            "one factor too many",
            lambda: {"dL/du": "(yh - y) * yh * (1 - yh)"},
            "Write both factors as fractions: something cancels.",
        ),
        Mistake(
            "the derivative with respect to u instead of yh",
            lambda: {"dL/dyh": "yh - y"},
            "That is a later line, after multiplying by the slope of yh.",
        ),
    ),
    hints=(
        "dL/du is the product of the two lines above it.",
        "Put dL/dyh over a common denominator and compare it with dyh/du.",
    ),
)


# --- three heads ----------------------------------------------------------------------

_LOSSES = {
    "regression": lambda Y, U: 0.5 * np.sum((Y - U) ** 2),
    "binary": lambda Y, U: np.sum(Y * softplus(-U) + (1 - Y) * softplus(U)),
    "multiclass": lambda Y, U: np.sum(logsumexp(U) - np.sum(Y * U, 1)),
}
_HEADS = {"regression": lambda U: U, "binary": logistic, "multiclass": softmax}


def _of_each_head(answer, U, Y):
    """How `head_error` is used: on the same scores and labels, for all three."""
    return {head: answer(head, U, Y) for head in _LOSSES}


def _softmax(U):
    E = np.exp(U - U.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def _with_heads(wrong=lambda U, Y, Yh: Yh - Y, **heads):
    """`head_error` with other heads, or with another formula for the error."""
    return lambda head, U, Y: wrong(U, Y, (_HEADS | heads)[head](U))


def _head_cases(rng: np.random.Generator) -> list[tuple]:
    cases = [
        (rng.normal(size=(N, C)), np.eye(C)[rng.integers(C, size=N)])
        for N, C in ((4, 3), (3, 2), (1, 5))
    ]
    return [*cases, (np.array([[800.0, 799.0, -9.0], [1.0, 2.0, 3.0]]), np.eye(3)[:2])]


head_error = Exercise(
    name="head_error",
    core=True,
    lecture="03",
    title="Three heads, one error",
    witness=lambda head, U, Y: grad(_LOSSES[head], 1)(Y, U),
    cases=_head_cases,
    use=_of_each_head,
    mistakes=(
        Mistake(
            "the head is left out",
            _with_heads(lambda U, Y, Yh: U - Y),
            "u are scores. What does this head make of them before y is subtracted?",
        ),
        Mistake(
            "softmax overflows",
            _with_heads(
                multiclass=edited(_softmax, " - U.max(axis=1, keepdims=True) → ")
            ),
            "exp overflows at a score of 800. The lecture subtracts the largest score first.",
        ),
        Mistake(
            "the diagonal alone",
            _with_heads(lambda U, Y, Yh: -Y * (1 - Yh)),
            "Raising the score of a wrong class hurts: its error is not 0 (E03).",
        ),
        Mistake(
            "the output's slope once too often",
            _with_heads(lambda U, Y, Yh: (Yh - Y) * Yh * (1 - Yh)),
            "It has cancelled already: that is what the head and its loss do together.",
        ),
        Mistake(
            "the derivative with respect to yh, not u",
            _with_heads(lambda U, Y, Yh: -Y / Yh),
            "Which does the question ask for, the slope in yh or in u?",
        ),
        Mistake(
            "the derivative with respect to yh, not u",
            _with_heads(lambda U, Y, Yh: -Y / Yh + (1 - Y) / (1 - Yh)),
            "Which does the question ask for, the slope in yh or in u?",
        ),
        Mistake(
            "the loss, not its derivative",
            _with_heads(lambda U, Y, Yh: 0.5 * (Yh - Y) ** 2),
            "How does the loss of a row change when one of its scores grows a little?",
        ),
        Mistake(
            "softmax where no head is needed",
            _with_heads(regression=softmax),
            "The regression head passes the scores through: what is its slope?",
        ),
        Mistake(
            "the logistic function overflows",
            _with_heads(binary=lambda U: np.exp(U) / (1 + np.exp(U))),
            "exp(800) overflows. The package's `logistic` copes with it.",
        ),
        Mistake(
            "the largest score of each column",
            _with_heads(multiclass=edited(_softmax, "max(axis=1 → max(axis=0")),
            "Every row has its own largest score, and subtracts it from that row.",
        ),
        Mistake(
            "the predicted class, not its probability",
            _with_heads(
                binary=lambda U: U > 0,
                multiclass=lambda U: np.eye(U.shape[1])[U.argmax(axis=1)],
            ),
            "A guess is 0 or 1, however sure the network is. What comes out of the head?",
        ),
        Mistake(
            "sums over the wrong axis",
            _with_heads(multiclass=edited(_softmax, "sum(axis=1 → sum(axis=0")),
            "The sum in the denominator runs along the row. What does axis=0 add up?",
        ),
        Mistake(
            "one largest score for all rows",
            _with_heads(
                multiclass=edited(_softmax, "max(axis=1, keepdims=True) → max()")
            ),
            "With an 800 in another row everything here becomes 0: each row has its own maximum.",
        ),
        Mistake(
            "added up over the instances",
            _with_heads(lambda U, Y, Yh: (Yh - Y).sum(axis=0)),
            "U is N x C, and so is the derivative: one row for each instance.",
        ),
    ),
    hints=(
        "For each head write yh = g(u) first.",
        "The lecture's table of three losses has the same last column for all of them.",
    ),
)


# --- a head that the deck does not have -----------------------------------------------


def _half_square_of_softmax(u, y):
    return 0.5 * np.sum((y - softmax(u)) ** 2)


def _through_the_table(u, y):
    p = softmax(u)
    return (np.diag(p) - np.outer(p, p)) @ (p - y)


softmax_half_square = Exercise(
    name="softmax_half_square",
    lecture="03",
    title="Find the bug: a factor for a sum",
    witness=lambda u, y: grad(_half_square_of_softmax)(u, y),
    cases=lambda rng: [
        (np.array([0.5, -1.0, 1.5]), np.array([0.0, 1.0, 0.0])),
        (rng.normal(size=4), np.eye(4)[rng.integers(4)]),
        (rng.normal(size=5), np.eye(5)[rng.integers(5)]),
    ],
    mistakes=(
        Mistake(
            "the diagonal alone",
            edited(_through_the_table, "np.outer(p, p) → np.diag(p * p)"),
            "From one score there is a path to the loss through every output.",
        ),
        Mistake(
            "a plus off the diagonal",
            edited(_through_the_table, "p, p) → p, p) * (2 * np.eye(len(p)) - 1)"),
            "Raising one score lowers all the other probabilities.",
        ),
        Mistake(
            "only off the diagonal",
            edited(_through_the_table, "np.diag(p) → np.diag(p * p)"),
            "The path through the output's own probability belongs to the sum too.",
        ),
        Mistake(
            "cross-entropy's error",
            lambda u, y: softmax(u) - y,
            "yh - y is the error of softmax with cross-entropy. Here the loss is different.",
        ),
        Mistake(
            "not added up over the outputs",
            edited(_through_the_table, "@ (p - y) → * (p - y)[:, None]"),
            "That is the table of all paths. What happens to the paths of one score?",
        ),
        Mistake(
            "scores instead of probabilities",
            edited(
                _through_the_table, "diag(p) → diag(u)", "outer(p, p) → outer(u, u)"
            ),
            "Softmax's Jacobian is written in terms of softmax's output.",
        ),
        Mistake(
            "the other outputs' paths are missing",
            edited(_through_the_table, "- np.outer(p, p) → "),
            "From one score there is a path to the loss through every output. (A single "
            "number there has no effect: the entries of yh − y add up to 0.)",
        ),
        Mistake(
            "the error is squared",
            edited(_through_the_table, "(p - y) → (p - y) ** 2"),
            "What is the derivative of half a square?",
        ),
        Mistake(
            "the factor p_c is left out",
            edited(
                _through_the_table, "np.diag(p) - np.outer(p, p) → np.eye(len(p)) - p"
            ),
            "Every entry of row c of the Jacobian has the factor p_c.",
        ),
    ),
    hints=(
        "Three lines: yh, the slopes dL/dyh, and softmax's whole Jacobian G (C x C).",
        "dL/du_c is a sum over k of dL/dyh_k times dyh_k/du_c. As a product of a vector "
        "and a matrix?",
    ),
)


# --- the gradient with respect to W ---------------------------------------------------


def _objective(W, X, Y, V):
    U = np.dot(logistic(np.dot(X, V)), W)
    return np.sum(logsumexp(U) - np.sum(Y * U, 1))


def _in_matrices(X, Y, W, V):
    Z = logistic(X @ V)
    Yh = softmax(Z @ W)
    return Z.T @ (Yh - Y)


def network_cases(rng: np.random.Generator) -> list[tuple]:
    """(X, Y, W, V) as in lectures 03 and 04: N x D, N x C, M x C, D x M; one is all squares."""
    return [
        (
            rng.normal(size=(N, D)),
            np.eye(C)[np.arange(N) % C],
            rng.normal(size=(M, C)),
            rng.normal(size=(D, M)),
        )
        for N, D, M, C in ((5, 3, 4, 3), (3, 3, 3, 3), (1, 3, 2, 4))
    ]


grad_W = Exercise(
    name="grad_W",
    core=True,
    lecture="03",
    title="The gradient with respect to W, over all instances",
    witness=lambda X, Y, W, V: grad(_objective)(W, X, Y, V),
    cases=network_cases,
    rows=("X", "Y"),
    mistakes=(
        Mistake(
            "used q where z belongs",
            edited(_in_matrices, "Z.T → (X @ V).T"),
            "W is multiplied by the activation's output, not by its input.",
        ),
        Mistake(
            "a part of the head's slope",
            edited(_in_matrices, "(Yh - Y) → ((Yh - Y) * Yh)"),
            "Softmax's slope has already cancelled against the loss's.",
        ),
        Mistake(
            "errors and inputs are added up separately",
            edited(
                _in_matrices, "Z.T @ (Yh - Y) → np.outer(Z.sum(0), (Yh - Y).sum(0))"
            ),
            "Each instance has its own error and input: multiply first, then add.",
        ),
        Mistake(
            "the hidden units' slope is multiplied in",
            edited(_in_matrices, "Z.T → (Z * (1 - Z)).T"),
            "W is above z: nothing passes through the activation on the way to W.",
        ),
    ),
    hints=(
        "Climb the tower: Q, Z, U, then the error dU (N x C).",
        "One instance gives np.outer(Z[n], dU[n]); their sum is one matrix product.",
    ),
)

EXERCISES = (binary_derivation, head_error, softmax_half_square, grad_W)

"""Lecture 04: the gradient with respect to V, biases, and the common pattern (S07, S08)."""

import numpy as np

from ...autodiff.transforms import grad
from ...functions import logistic, logsumexp, relu, softmax, softplus
from ..exercise import Exercise, Mistake, edited
from ..formulas import formulas
from .lecture_03 import network_cases

slopes_from_z = Exercise(
    name="slopes_from_z",
    core=True,
    lecture="04",
    title="Slopes, read off the values",
    witness=lambda: {  # back to q, and the machine's derivative there
        "logistic": lambda z: grad(logistic)(np.log(z / (1 - z))),
        "tanh": lambda z: grad(np.tanh)(np.arctanh(z)),
        "softplus": lambda z: grad(softplus)(np.log(np.expm1(z))),
    },
    cases=lambda rng: [({"z": z},) for z in (0.25, *rng.uniform(0.1, 0.9, size=3))],
    use=formulas,
    secret=True,
    mistakes=(
        Mistake(
            "used z where q belongs",
            lambda: {
                "logistic": "logistic(z) * (1 - logistic(z))",
                "tanh": "1 - tanh(z)**2",
                "softplus": "logistic(z)",
            },
            "z is h(q) already: do you treat it as if it were q?",
        ),
        Mistake(
            "derivative of tanh as 1 - tanh",
            lambda: {"tanh": "1 - z"},
            "At q = 0 that is right. Try a point far to the left, where tanh is -1 and flat.",
        ),
        Mistake(
            "another activation's rule",
            lambda: {
                "logistic": "1 - z**2",
                "tanh": "z * (1 - z)",
                "softplus": "z * (1 - z)",
            },
            "Each rule holds for its own h. How large is this slope at q = 0?",
        ),
        Mistake(
            "twice z instead of z squared",
            lambda: {"logistic": "z - 2 * z", "tanh": "1 - 2 * z"},
            "z squared is z * z. At z = ½ it is ¼, twice z is 1.",
        ),
        Mistake(
            "the square of a difference",
            lambda: {"tanh": "(1 - z)**2"},
            "1 - z² and (1 - z)² differ: try z = -1, where tanh is flat.",
        ),
        Mistake(
            "used z where q belongs",
            lambda: {"tanh": "1 - tanh(z)", "softplus": "1 / (1 + exp(-z))"},
            "z is h(q) already: do you treat it as if it were q?",
        ),
        Mistake(
            "the logistic function of -z",
            lambda: {"softplus": "1 / (1 + exp(z))"},
            "The slope is logistic(q). What is exp(q), written with z?",
        ),
        Mistake(
            "the denominator is left out",
            lambda: {"softplus": "exp(z) - 1"},
            "That is exp(q). Far to the right it grows without bound; the slope approaches 1.",
        ),
        Mistake(
            "the function in place of its slope",
            lambda: {"logistic": "z", "tanh": "z", "softplus": "z"},
            "z is how high the curve is. How steep is it?",
        ),
    ),
    hints=(
        "For softplus: its slope is logistic(q), and exp(z) = 1 + exp(q).",
        "Solve exp(z) = 1 + exp(q) for exp(q), and put that into exp(q) / (1 + exp(q)).",
    ),
)


# --- the common pattern ---------------------------------------------------------------


def _layer_back(dU: np.ndarray, W: np.ndarray, Z: np.ndarray) -> tuple:
    """What reverse mode returns for a loss whose slope in U is dU."""

    def loss(W, b, Z):
        return np.sum(dU * (np.dot(Z, W) + b))

    return grad(loss, argnum=(0, 1, 2))(W, np.zeros(W.shape[1]), Z)


layer_back = Exercise(
    name="layer_back",
    core=True,
    lecture="04",
    title="One layer, going down",
    witness=_layer_back,
    parts=("dW", "db", "dZ"),
    cases=lambda rng: [
        (rng.normal(size=(N, C)), rng.normal(size=(M, C)), rng.normal(size=(N, M)))
        for N, C, M in ((5, 3, 4), (3, 3, 3), (1, 2, 3))
    ],
    rows=("dU", "Z"),
    mistakes=(
        Mistake(
            "the slope of the bias without the error from above",
            lambda dU, W, Z: (Z.T @ dU, np.ones(W.shape[1]), dU @ W.T),
            "The input from below is 1. It must still be multiplied by the error from above.",
        ),
        Mistake(
            "the input from below instead of the weights",
            lambda dU, W, Z: (Z.T @ dU, dU.sum(axis=0), dU @ (dU.T @ Z)),
            "u = z W: when z moves, what is it multiplied by?",
        ),
        Mistake(
            "errors and inputs are added up separately",
            lambda dU, W, Z: (np.outer(Z.sum(0), dU.sum(0)), dU.sum(axis=0), dU @ W.T),
            "Each instance has its own error and input: multiply first, then add.",
        ),
        Mistake(
            "the input is multiplied in once more",
            lambda dU, W, Z: (Z.T @ dU, dU.sum(axis=0), dU @ W.T * Z),
            "u = z W: how does u change when z grows a little?",
        ),
        Mistake(
            "an activation's slope is multiplied in",
            lambda dU, W, Z: (Z.T @ dU, dU.sum(axis=0), dU @ W.T * Z * (1 - Z)),
            "There are only sums here. The activation belongs to the layer below.",
        ),
    ),
    hints=(
        "Three products of an error from above with something else: the input from "
        "below, the constant 1, the weights.",
        "Write the shapes: M x C, (C,), N x M. The missing index is summed over.",
    ),
)


# --- the gradient with respect to V ---------------------------------------------------

_HIDDEN = {"logistic": logistic, "tanh": np.tanh, "relu": relu}


def _objective(V, X, Y, W, activation):
    U = np.dot(_HIDDEN[activation](np.dot(X, V)), W)
    return np.sum(logsumexp(U) - np.sum(Y * U, 1))


def _for_each_activation(answer, X, Y, W, V):
    """How `grad_V` is used: on the same network with all three activations."""
    return {h: answer(X, Y, W, V, h) for h in _HIDDEN}


def _dV(X, Y, W, V, activation):
    Q = X @ V
    Z = _HIDDEN[activation](Q)
    slopes = {"logistic": Z * (1 - Z), "tanh": 1 - Z**2, "relu": Q > 0}
    dU = softmax(Z @ W) - Y
    return X.T @ (dU @ W.T * slopes[activation])


def _all_paths(kept: str):
    """One path per instance, output, unit and input, summed over all but these indices."""
    paths = f'np.einsum("nc,mc,nm,nd->{kept}", dU, W, slopes[activation], X)'
    return edited(_dV, f"X.T @ (dU @ W.T * slopes[activation]) → {paths}")


def _dV_cases(rng: np.random.Generator) -> list[tuple]:
    """As lecture 03's, and one hidden unit of the second case is always 0."""
    cases = network_cases(rng)
    cases[1][3][:, 0] = 0
    return cases


grad_V = Exercise(
    name="grad_V",
    core=True,
    lecture="04",
    title="The gradient with respect to V, for three activations",
    witness=lambda X, Y, W, V, activation: grad(_objective)(V, X, Y, W, activation),
    cases=_dV_cases,
    rows=("X", "Y"),
    use=_for_each_activation,
    mistakes=(
        Mistake(
            "the activation's slope is left out",
            edited(_dV, " * slopes[activation] → "),
            "h comes between z and q in the backward pass too.",
        ),
        Mistake(
            "forgot to sum over c",
            _all_paths("cdm"),
            "V_md reaches the loss through every output: one path for each c, added.",
        ),
        Mistake(
            "not added up over the instances",
            _all_paths("ndm"),
            "J is a sum over the instances, and so is its gradient.",
        ),
        Mistake(
            "used q where z belongs",
            edited(_dV, "Z * (1 - Z) → Q * (1 - Q)", "1 - Z**2 → 1 - Q**2"),
            "The short forms of the slopes are written with z = h(q).",
        ),
        Mistake(
            "used z where q belongs",
            edited(
                _dV,
                "Z * (1 - Z) → logistic(Z) * (1 - logistic(Z))",
                "1 - Z**2 → 1 - np.tanh(Z) ** 2",
            ),
            "z is h(q) already: do you treat it as if it were q?",
        ),
        Mistake(
            "derivative of tanh as 1 - tanh",
            edited(_dV, "1 - Z**2 → 1 - Z"),
            "Far to the left tanh is -1 and flat. What does this give there?",
        ),
        Mistake(
            "the logistic function's slope for every activation",
            edited(_dV, "slopes[activation] → Z * (1 - Z)"),
            "z (1 - z) holds for the logistic function alone.",
        ),
        Mistake(
            "ReLU itself instead of its derivative",
            edited(_dV, "Q > 0 → Z"),
            "The slope of q itself is 1, however large q is.",
        ),
        Mistake(
            "q instead of ReLU's derivative",
            edited(_dV, "Q > 0 → Q"),
            "The slope of ReLU is 0 or 1, however large q is.",
        ),
        Mistake(
            "the logistic function's slope for every activation",
            edited(_dV, "slopes[activation] → logistic(Q) * (1 - logistic(Q))"),
            "Each activation has its own slope.",
        ),
        Mistake(
            "ReLU where the logistic function is named",
            lambda *given: _dV(*given[:-1], given[-1].replace("logistic", "relu")),
            "An `else` belongs to the `if` right above it. Which activations end up there?",
        ),
        Mistake(
            "the logistic function for every activation",
            edited(_dV, "Z @ W → logistic(Q) @ W"),
            "`activation` says what h is in the forward pass too.",
        ),
        Mistake(
            "the activation is left out of the forward pass",
            edited(_dV, "Z @ W → Q @ W"),
            "h comes between q and u: the scores are computed from z.",
        ),
        Mistake(
            "the function in place of its slope",
            edited(_dV, "Z * (1 - Z) → Z", "1 - Z**2 → Z"),
            "z is how high the curve is. How steep is it?",
        ),
    ),
    hints=(
        "Up: Q, Z, U. Down: dU, then dZ = dU @ W.T, then dQ, then dV.",
        "The activation is used twice: h in the forward pass, its slope in the backward pass.",
    ),
)


# --- the constant unit ----------------------------------------------------------------


def _ones(X):
    return np.ones((len(X), 1))


def _with_biases(W, V, X, Y):
    Z = relu(np.dot(np.concatenate([X, _ones(X)], axis=1), V))
    U = np.dot(np.concatenate([Z, _ones(X)], axis=1), W)
    return np.sum(logsumexp(U) - np.sum(Y * U, 1))


def _biased(X, Y, W, V):
    X1 = np.hstack([X, _ones(X)])
    Z = relu(X1 @ V)
    Z1 = np.hstack([Z, _ones(X)])
    dU = softmax(Z1 @ W) - Y
    dZ = (dU @ W.T)[:, :-1]
    return Z1.T @ dU, X1.T @ (dZ * (Z > 0))


biased_gradients = Exercise(
    name="biased_gradients",
    lecture="04",
    title="Find the bug: the constant unit",
    witness=lambda X, Y, W, V: grad(_with_biases, argnum=(0, 1))(W, V, X, Y),
    parts=("dW", "dV"),
    rows=("X", "Y"),
    cases=lambda rng: [
        (X, Y, *(np.vstack([A, rng.normal(size=A.shape[1])]) for A in (W, V)))
        for X, Y, W, V in network_cases(rng)
    ],
    mistakes=(
        Mistake(
            "the first unit is dropped, not the constant one",
            edited(_biased, "[:, :-1] → [:, 1:]"),
            "The shapes fit, so nothing complains. Where is the constant unit?",
        ),
        Mistake(
            "the bias row is not dropped",
            edited(_biased, "[:, :-1] → ", "Z > 0 → Z1 > 0"),
            "The constant unit depends on no q: its error goes no further down.",
        ),
        Mistake(
            "the bias of the hidden layer has no gradient",
            edited(_biased, "X1.T → X.T"),
            "V has D + 1 rows, and so has its gradient: the last input is 1.",
        ),
        Mistake(
            "the bias of the output layer has no gradient",
            edited(_biased, "Z1.T → Z.T"),
            "W has M + 1 rows, and so has its gradient: the last z is 1.",
        ),
        Mistake(
            "ReLU's derivative on the wrong side",
            edited(_biased, "Z > 0 → X1 @ V < 0"),
            "Where the rectifier lets q through, it lets the error through.",
        ),
        Mistake(
            "ReLU's derivative in the wrong place",
            edited(_biased, "(Z > 0) → (dZ > 0)"),
            "Whether a unit is open was settled on the way up, by its q.",
        ),
        Mistake(
            "the activation's slope is left out",
            edited(_biased, " * (Z > 0) → "),
            "h comes between z and q in the backward pass too.",
        ),
        Mistake(
            "the bias row is dropped from W in the forward pass",
            edited(_biased, "Z1 @ W → Z @ W[:-1]"),
            "Only in the backward pass does the constant unit drop out.",
        ),
        Mistake(
            "ReLU itself instead of its derivative",
            edited(_biased, "(Z > 0) → Z"),
            "The slope of q itself is 1, however large q is.",
        ),
        Mistake(
            "the logistic function's slope",
            edited(_biased, "(Z > 0) → Z * (1 - Z)"),
            "z (1 - z) holds for the logistic function alone.",
        ),
        Mistake(
            "the ones come first",
            edited(
                _biased,
                "[X, _ones(X)] → [_ones(X), X]",
                "[Z, _ones(X)] → [_ones(X), Z]",
                "[:, :-1] → [:, 1:]",
            ),
            "The biases come last in V and W, so the ones come last in X and Z.",
        ),
    ),
    hints=(
        "Write the shape after each line. Which unit does each column belong to?",
        "The ones were appended at the end. Which slice leaves the last column out?",
    ),
)

EXERCISES = (slopes_from_z, layer_back, grad_V, biased_gradients)

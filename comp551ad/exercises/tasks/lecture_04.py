"""Lecture 04: the gradient with respect to V, biases, and the common pattern (S07, S08)."""

import numpy as np

from ...autodiff.transforms import grad
from ...functions import logistic, logsumexp, relu, softmax, softplus
from ..exercise import Exercise, Mistake
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
            "z is h(q) already: is h applied once more?",
        ),
        Mistake(
            "derivative of tanh as 1 - tanh",
            lambda: {"tanh": "1 - z"},
            "At q = 0 that fits. Try a point far to the left, where tanh is -1 and flat.",
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
            "a plus for the minus",
            lambda: {
                "logistic": "z * (1 + z)",
                "tanh": "1 + z**2",
                "softplus": "1 + exp(-z)",
            },
            "Where h levels off, or becomes a straight line of slope 1, this does not.",
        ),
        Mistake(
            "twice z for z squared",
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
            "z is h(q) already: is h applied once more?",
        ),
        Mistake(
            "the logistic function of -z",
            lambda: {"softplus": "1 / (1 + exp(z))"},
            "The slope is logistic(q). What is exp(q), written with z?",
        ),
        Mistake(
            "the exponent's sign",
            lambda: {"softplus": "1 - exp(z)"},
            "A slope below zero, where softplus rises.",
        ),
        Mistake(
            "the minus of 1 - exp is left out",
            lambda: {"softplus": "exp(-z)"},
            "Far to the right softplus is nearly q itself, so its slope is nearly 1.",
        ),
        Mistake(
            "the denominator is left out",
            lambda: {"softplus": "exp(z) - 1"},
            "That is exp(q). Far to the right it grows and grows; the slope should near 1.",
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
    """The machine, asked about a loss whose slope in U is dU."""

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
            "the bias is not added up over the instances",
            lambda dU, W, Z: (Z.T @ dU, dU, dU @ W.T),
            "There is one b for all instances: add up their errors.",
        ),
        Mistake(
            "averaged over the instances",
            lambda dU, W, Z: (Z.T @ dU / len(dU), dU.mean(axis=0), dU @ W.T / len(dU)),
            "A sum over the instances: if the cost is a mean, 1/N is in dU already.",
        ),
        Mistake(
            "the slope of the bias without the error from above",
            lambda dU, W, Z: (Z.T @ dU, np.ones(W.shape[1]), dU @ W.T),
            "The input from below is 1. The error from above is still to be multiplied in.",
        ),
        Mistake(
            "the input from below instead of the weights",
            lambda dU, W, Z: (Z.T @ dU, dU.sum(axis=0), dU @ (dU.T @ Z)),
            "u = z W: when z moves, what is it multiplied by?",
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
        "Write the shapes: M x C, (C,), N x M. The index that is missing is summed over.",
    ),
)


# --- the gradient with respect to V ---------------------------------------------------

_HIDDEN = {"logistic": logistic, "tanh": np.tanh, "relu": relu}
_SLOPES = {
    "logistic": lambda Q, Z: Z * (1 - Z),
    "tanh": lambda Q, Z: 1 - Z**2,
    "relu": lambda Q, Z: 1.0 * (Q > 0),
}


def _objective(V, X, Y, W, activation):
    U = np.dot(_HIDDEN[activation](np.dot(X, V)), W)
    return np.sum(logsumexp(U) - np.sum(Y * U, 1))


def _for_each_activation(answer, X, Y, W, V):
    """How `grad_V` is used: on the same network with all three activations."""
    return {h: answer(X, Y, W, V, h) for h in _HIDDEN}


def _dV(
    last=lambda dU, W, slope, X, Z: X.T @ (dU @ W.T * slope),
    hidden=_HIDDEN,
    **slopes,
):
    """The gradient in V with other slopes, or another backward or forward pass."""

    def wrong(X, Y, W, V, activation):
        Q = X @ V
        Z = hidden[activation](Q)
        slope = (_SLOPES | slopes)[activation](Q, _HIDDEN[activation](Q))
        return last(softmax(Z @ W) - Y, W, slope, X, Z)

    return wrong


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
            _dV(lambda dU, W, slope, X, Z: X.T @ (dU @ W.T)),
            "h comes between z and q, in the backward pass, too.",
        ),
        Mistake(
            "forgot to sum over c",
            _dV(lambda *a: np.einsum("nc,mc,nm,nd->cdm", *a[:4])),
            "V_md reaches the loss through every output: one path for each c, added.",
        ),
        Mistake(
            "not added up over the instances",
            _dV(lambda *a: np.einsum("nc,mc,nm,nd->ndm", *a[:4])),
            "J is a sum over the instances, and so is its gradient.",
        ),
        Mistake(
            "used q where z belongs",
            _dV(logistic=lambda Q, Z: Q * (1 - Q), tanh=lambda Q, Z: 1 - Q**2),
            "The short forms of the slopes are written with z = h(q).",
        ),
        Mistake(
            "used z where q belongs",
            _dV(
                logistic=lambda Q, Z: logistic(Z) * (1 - logistic(Z)),
                tanh=lambda Q, Z: 1 - np.tanh(Z) ** 2,
            ),
            "z is h(q) already: is h applied once more?",
        ),
        Mistake(
            "derivative of tanh as 1 - tanh",
            _dV(tanh=lambda Q, Z: 1 - Z),
            "Far to the left tanh is -1 and flat. What does this give there?",
        ),
        Mistake(
            "the logistic function's slope for all",
            _dV(tanh=lambda Q, Z: Z * (1 - Z), relu=lambda Q, Z: Z * (1 - Z)),
            "z (1 - z) holds for the logistic function alone.",
        ),
        Mistake(
            "ReLU's derivative at the wrong side",
            _dV(relu=lambda Q, Z: 1.0 * (Q < 0)),
            "Where the rectifier lets q through, it lets the error through.",
        ),
        Mistake(
            "ReLU's derivative 1 at zero",
            _dV(relu=lambda Q, Z: 1.0 * (Q >= 0)),
            "At q = 0 itself the deck and the lecture take 0.",
        ),
        Mistake(
            "ReLU itself for its derivative",
            _dV(relu=lambda Q, Z: Z),
            "The slope of q itself is 1, however large q is.",
        ),
        Mistake(
            "q instead of ReLU's derivative",
            _dV(relu=lambda Q, Z: Q),
            "The slope of ReLU is 0 or 1, however large q is.",
        ),
        Mistake(
            "the logistic function's slope for all",
            _dV(**dict.fromkeys(_HIDDEN, lambda Q, Z: logistic(Q) * (1 - logistic(Q)))),
            "Each activation has a slope of its own.",
        ),
        Mistake(
            "the logistic function for all",
            _dV(hidden=dict.fromkeys(_HIDDEN, logistic)),
            "In the forward pass, too, `activation` says what h is.",
        ),
        Mistake(
            "the activation is left out of the forward pass",
            _dV(hidden=dict.fromkeys(_HIDDEN, lambda Q: Q)),
            "h comes between q and u: the scores are made of z.",
        ),
        Mistake(
            "the function in place of its slope",
            _dV(logistic=lambda Q, Z: Z, tanh=lambda Q, Z: Z),
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


def _biased(
    keep=slice(None, -1), slope=lambda Q: 1.0 * (Q > 0), ones_in_X=True, ones_in_Z=True
):
    """Both gradients, with another part of dZ kept or a column of ones forgotten."""

    def wrong(X, Y, W, V):
        X1 = np.hstack([X, _ones(X)])
        Q = X1 @ V
        Z1 = np.hstack([relu(Q), _ones(X)])
        dU = softmax(Z1 @ W) - Y
        dZ = (dU @ W.T)[:, keep]
        slopes = slope(Q) if dZ.shape == Q.shape else slope(Z1)
        below, above = X1 if ones_in_X else X, Z1 if ones_in_Z else Z1[:, :-1]
        return above.T @ dU, below.T @ (dZ * slopes)

    return wrong


def _ones_in_front(X, Y, W, V):
    X1 = np.hstack([_ones(X), X])
    Z1 = np.hstack([_ones(X), relu(X1 @ V)])
    dU = softmax(Z1 @ W) - Y
    dQ = (dU @ W.T * (Z1 > 0))[:, 1:]
    return Z1.T @ dU, X1.T @ dQ


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
            _biased(keep=slice(1, None)),
            "The shapes fit, so nothing complains. Where is the constant unit?",
        ),
        Mistake(
            "the bias row is not dropped",
            _biased(keep=slice(None)),
            "The constant unit depends on no q: its error goes no further down.",
        ),
        Mistake(
            "the bias of the hidden layer has no gradient",
            _biased(ones_in_X=False),
            "V has D + 1 rows, and so has its gradient: the last input is 1.",
        ),
        Mistake(
            "the bias of the output layer has no gradient",
            _biased(ones_in_Z=False),
            "W has M + 1 rows, and so has its gradient: the last z is 1.",
        ),
        Mistake(
            "ReLU's derivative at the wrong side",
            _biased(slope=lambda Q: 1.0 * (Q < 0)),
            "Where the rectifier lets q through, it lets the error through.",
        ),
        Mistake(
            "the activation's slope is left out",
            _biased(slope=lambda Q: 1.0),
            "h comes between z and q, in the backward pass, too. (Z >= 0 holds everywhere.)",
        ),
        Mistake(
            "the bias row is dropped from W in the forward pass",
            lambda X, Y, W, V: _biased()(
                X, Y, W * (np.arange(len(W)) < V.shape[1])[:, None], V
            ),
            "Only in the backward pass does the constant unit drop out.",
        ),
        Mistake(
            "ReLU itself for its derivative",
            _biased(slope=relu),
            "The slope of q itself is 1, however large q is.",
        ),
        Mistake(
            "the logistic function's slope",
            _biased(slope=lambda Q: relu(Q) * (1 - relu(Q))),
            "z (1 - z) holds for the logistic function alone.",
        ),
        Mistake(
            "the ones stand in front",
            _ones_in_front,
            "The biases come last in V and W, so the ones do in X and Z.",
        ),
    ),
    hints=(
        "Write the shape after each line. Which unit does each column belong to?",
        "The ones were appended at the end. Which slice leaves the last column out?",
    ),
)

EXERCISES = (slopes_from_z, layer_back, grad_V, biased_gradients)

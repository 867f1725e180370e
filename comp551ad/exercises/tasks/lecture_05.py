"""Lecture 05: cost, gradients and descent from scratch, to the flowers (S09)."""

import functools

import numpy as np

from ...autodiff.transforms import grad
from ...byhand.descent import descend, gradient_descent
from ...byhand.two_layer import TwoLayer, accuracy, gradients
from ...byhand.two_layer import cost as their_cost
from ...datasets import load_iris
from ...functions import logistic, logsumexp, softmax
from ..exercise import WITNESSES, Exercise, Mistake, edited


def _network_cases(rng: np.random.Generator) -> list[tuple]:
    """(X, Y, W, V) as the deck has them: N x D, N x C, M x C, D x M; one is all squares."""
    return [
        (
            rng.normal(size=(N, D)),
            np.eye(C)[np.arange(N) % C],
            rng.normal(size=(M, C)),
            rng.normal(size=(D, M)),
        )
        for N, D, M, C in ((5, 3, 4, 2), (3, 3, 3, 3), (1, 2, 4, 3))
    ]


def _with_confident_network(rng: np.random.Generator) -> list[tuple]:
    """The same, and a network that is confidently wrong: scores near ±1000."""
    X, Y, W, V = _network_cases(rng)[0]
    return [*_network_cases(rng), (X, Y, np.array([[1000.0, -1000.0]] * 4), V)]


@functools.cache
def _flowers() -> tuple[np.ndarray, np.ndarray]:
    return tuple(load_iris(standardize=True))  # N x D, N x C


# --- the cost -------------------------------------------------------------------------


def _row_by_row(X, Y, W, V):
    """In terms of the scores: how far a row's other scores exceed the right one."""
    losses = []
    for x, y in zip(X, Y, strict=True):
        u = W.T @ logistic(V.T @ x)
        losses.append(np.logaddexp.reduce(u - u[y.argmax()]))
    return sum(losses) / len(losses)


def _of_probabilities(U, Y, least):
    return -np.mean(np.sum(Y * np.log(np.maximum(softmax(U), least)), axis=1))


def _yes_or_no(Yh, Y, eps):
    losses = -Y * np.log(Yh + eps) - (1 - Y) * np.log(1 - Yh + eps)
    return np.mean(losses.sum(axis=1))


def _cost(of_scores):
    return lambda X, Y, W, V: of_scores(logistic(X @ V) @ W, Y)


iris_cost = Exercise(
    name="cost",
    core=True,
    lecture="05",
    title="The cost, from the flowers to one number",
    witness=_row_by_row,
    cases=_with_confident_network,
    batch=lambda X, Y, W, V: len(X),
    rows=("X", "Y"),
    mistakes=(
        Mistake(
            "one logsumexp over all the flowers",
            _cost(lambda U, Y: np.mean(logsumexp(U, axis=None) - np.sum(U * Y, 1))),
            "A cost of ln 450 at the start: one sum for 150 flowers (E22).",
        ),
        Mistake(
            "softmax down the columns",
            _cost(lambda U, Y: np.mean(np.sum(Y * (logsumexp(U, axis=0) - U), 1))),
            "A flower's probabilities add up to 1: along its row.",
        ),
        Mistake(
            "one half is averaged, the other added up",
            _cost(lambda U, Y: np.mean(logsumexp(U)) - np.sum(U * Y)),
            "The average over the flowers is of their whole losses, both halves.",
        ),
        Mistake(
            "the logarithm is missing",
            _cost(lambda U, Y: -np.mean(np.sum(Y * softmax(U), 1))),
            "The loss of a flower is -log of the probability of its species.",
        ),
        Mistake(
            "the logarithm of the mean",
            _cost(lambda U, Y: -np.log(np.mean(np.sum(Y * softmax(U), axis=1)))),
            "Each flower has its own loss, with a logarithm. The mean is over the losses.",
        ),
        Mistake(
            "the logarithm of a probability that was rounded to 0",
            _cost(lambda U, Y: _of_probabilities(U, Y, 0)),
            "Scores of 1000: write the loss in u, where the log undoes the exponential.",
        ),
        Mistake(
            "exp overflows",
            _cost(
                lambda U, Y: np.mean(np.log(np.sum(np.exp(U), 1)) - np.sum(U * Y, 1))
            ),
            "Scores of 1000: `logsumexp` takes the largest one out first.",
        ),
        Mistake(
            "the largest score instead of the logsumexp",
            _cost(lambda U, Y: np.mean(U.max(axis=1) - np.sum(U * Y, 1))),
            "The largest score is only taken out: where are the logarithm and the sum?",
        ),
        Mistake(
            "the largest score instead of the flower's species'",
            _cost(lambda U, Y: np.mean(logsumexp(U, axis=1) - U.max(axis=1))),
            "Which score belongs to this flower's species? Y says so; the scores only guess.",
        ),
        *(
            Mistake(
                "the two-class loss, for each output",
                _cost(lambda U, Y, eps=eps: _yes_or_no(softmax(U), Y, eps)),
                "(1 - y) log(1 - yh) is the logistic head's. With softmax one term remains.",
            )
            for eps in (0, 1e-300, 1e-15, 1e-12, 1e-10, 1e-9, 1e-8)
        ),
        Mistake(
            "the fraction that is right",
            _cost(lambda U, Y: np.mean(U.argmax(1) == Y.argmax(1))),
            "The fraction that is right has no slope. Which loss does the question name?",
        ),
        Mistake(
            "half the squared error",
            _cost(lambda U, Y: np.mean(np.sum((softmax(U) - Y) ** 2, axis=1)) / 2),
            "Which loss does the question name?",
        ),
        *(
            Mistake(
                "probabilities are clipped from below",
                _cost(lambda U, Y, eps=eps: _of_probabilities(U, Y, eps)),
                "That avoids infinity, but no loss can exceed 40: write the loss in u.",
            )
            for eps in (1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-16, 1e-20, 1e-300)
        ),
    ),
    hints=(
        "Three lines up to U. Then one number per flower, then their mean.",
        "For one flower: logsumexp of its scores, minus the score of its species.",
    ),
)


# --- the gradients --------------------------------------------------------------------


def _traceable_cost(X, Y, W, V):
    U = np.dot(logistic(np.dot(X, V)), W)
    return np.mean(logsumexp(U) - np.sum(U * Y, 1))


def _in_matrices(X, Y, W, V):
    Q = X @ V
    Z = logistic(Q)
    dU = (softmax(Z @ W) - Y) / len(X)
    return Z.T @ dU, X.T @ (dU @ W.T * Z * (1 - Z))


iris_gradients = Exercise(
    name="gradients",
    core=True,
    lecture="05",
    title="Both gradients",
    witness=lambda X, Y, W, V: grad(_traceable_cost, argnum=("W", "V"))(X, Y, W, V),
    parts=("dW", "dV"),
    cases=_network_cases,
    batch=lambda X, Y, W, V: len(X),
    rows=("X", "Y"),
    mistakes=(
        Mistake(
            "the activation's slope is left out",
            edited(_in_matrices, " * Z * (1 - Z) → "),
            "The logistic function comes between Z and Q on the way down too.",
        ),
        Mistake(
            "used q where z belongs",
            edited(_in_matrices, "Z * (1 - Z) → Q * (1 - Q)"),
            "The slope is written with z, the value of the logistic function.",
        ),
        Mistake(
            "used z where q belongs",
            edited(_in_matrices, "Z * (1 - Z) → logistic(Z) * (1 - logistic(Z))"),
            "z is logistic(q) already: do you apply it again?",
        ),
        Mistake(
            "the slope of tanh",
            edited(_in_matrices, "Z * (1 - Z) → (1 - Z**2)"),
            "These hidden units are logistic.",
        ),
        Mistake(
            "forgot to sum over c",
            edited(
                _in_matrices,
                'X.T @ ( → np.einsum("nc,mc,nm,nd->cdm", ',
                "dU @ W.T * Z * (1 - Z) → dU, W, Z * (1 - Z), X",
            ),
            "A hidden unit feeds every score: its error is a sum over them (E05).",
        ),
        Mistake(
            "the activation is left out on the way up",
            edited(_in_matrices, "Z @ W → Q @ W"),
            "The logistic function comes between q and u: the scores are computed from z.",
        ),
    ),
    hints=(
        "For each matrix: what comes into its layer from below, and which error comes down to its "
        "sums? Write dW and dV as a product of these two.",
        "dU is N x C, dZ and dQ are N x M. Write the shapes, and the products follow.",
    ),
)


# --- one step, predicted --------------------------------------------------------------


def _moved(X, Y, W, V) -> str:
    dW, dV = gradients(X, Y, W, V)
    moved = [name for name, d in (("W", dW), ("V", dV)) if np.linalg.norm(d) > 1e-9]
    return {0: "neither", 1: "".join(moved), 2: "both"}[len(moved)]


def _first_step() -> dict:
    X, Y = load_iris()
    rng = np.random.default_rng(551)
    W, V = rng.standard_normal((16, 3)), rng.standard_normal((3, 16))
    alike = np.tile(W[0], (16, 1)), np.tile(V[:, :1], 16)
    end = descend(lambda W, V: gradients(X, Y, W, V), alike, lr=0.1, max_iters=10)
    still = all(
        np.ptp(A, axis=axis).max() < 1e-9 for A, axis in zip(end, (0, 1), strict=True)
    )
    return {
        "both zero": _moved(X, Y, 0 * W, 0 * V),
        "W zero": _moved(X, Y, 0 * W, V),
        "V zero": _moved(X, Y, W, 0 * V),
        "both zero, 100 flowers": _moved(X[:100], Y[:100], 0 * W, 0 * V),
        "alike": "alike" if still else "different",
    }


first_step = Exercise(
    name="first_step",
    lecture="05",
    title="What does one step do?",
    witness=_first_step,
    searched=False,
    cases=lambda rng: [()],
    secret=True,
    mistakes=(
        *(
            Mistake(f"not {word!r}", lambda at=at, word=word: {at: word}, hint)
            for at, words, hint in (
                (
                    "both zero",
                    ("W", "V", "both"),
                    "All probabilities are 1/3. Add up the errors of fifty flowers of each "
                    "species; and what comes down to V through W = 0?",
                ),
                (
                    "W zero",
                    ("neither", "V", "both"),
                    "What comes into W from below? And what is left of an error that comes "
                    "down through W = 0?",
                ),
                (
                    "V zero",
                    ("neither", "W", "V"),
                    "Put V = 0 into both formulas, factor by factor: what is Z then?",
                ),
                (
                    "both zero, 100 flowers",
                    ("neither", "V", "both"),
                    "All probabilities are 1/3. Add up the errors of fifty setosa and fifty "
                    "versicolor: is the sum zero in all three outputs?",
                ),
                (
                    "alike",
                    ("different",),
                    "Write down the gradients of two units with the same weights: how do they "
                    "differ?",
                ),
            )
            for word in words
        ),
    ),
    hints=(
        "Write dW and dV for each start. A product with a zero matrix is zero, but "
        "logistic(0) is not.",
        "With W = 0 every probability is 1/3. Add up the errors of fifty flowers of each "
        "species, and then those of only two species.",
    ),
)


# --- the descent ----------------------------------------------------------------------
# Functions passed to the student's function have no leading underscore.


def gradient_on(X, Y):
    return lambda W, V: gradients(X, Y, W, V)


def gradient_of_product(W, V):
    """Of the sum of log cosh(W V − 1): each gradient has the other matrix in it."""
    error = np.tanh(W @ V - 1)
    return error @ V.T, W.T @ error


def gradient_of_squares(W, V):
    """Of half the sum of all squares: the steps become arbitrarily small."""
    return W, V


def faint_gradient(W, V):
    """So small that a stopping rule would stop; used with a large learning rate."""
    return [1e-9 * d for d in gradient_of_product(W, V)]


def _descent_cases(rng: np.random.Generator) -> list[tuple]:
    X, Y = _flowers()
    W, V = rng.standard_normal((6, 3)), rng.standard_normal((3, 6))
    A, B = rng.uniform(0.5, 1.5, (2, 3)), rng.uniform(0.5, 1.5, (3, 2))
    return [
        (gradient_of_product, A, B, 0.01, 1),
        (gradient_of_product, A, B, 0.02, 7),
        (gradient_on(X, Y), W, V, 0.5, 40),
        (gradient_of_squares, A, B, 0.5, 40),
        (gradient_of_product, A, B, 0.1, 0),
        (faint_gradient, A, B, 1e7, 4),
    ]


def _descended(gradient, W, V, lr, steps):
    return tuple(descend(gradient, (W, V), lr=lr, eps=0, max_iters=steps))


def _step_by_step(gradient, W, V, lr, steps):
    for k in range(steps):  # noqa: B007, for the rule that stops
        dW, dV = gradient(W, V)
        W, V = W - lr * dW, V - lr * dV
    return W, V


def _stopping_after(free: int):
    """The stopping rule (E21), tested at every step but the first `free`."""
    small = "all(np.linalg.norm(d) < 1e-6 for d in (dW, dV))"
    rule = f"if k >= {free} and {small}: break"
    return edited(_step_by_step, f"(W, V)\n → (W, V)\n        {rule}\n")


descent = Exercise(
    name="descent",
    core=True,
    lecture="05",
    title="The descent",
    witness=_descended,
    parts=("W", "V"),
    cases=_descent_cases,
    forbidden=(
        *(room for room in WITNESSES if "byhand" not in room and "tasks" not in room),
        "comp551ad.byhand.descent.",
        "comp551ad.exercises.tasks.lecture_05._",
    ),
    mistakes=(
        Mistake(
            "uphill",
            edited(_step_by_step, "- lr → + lr"),
            "The gradient points in the direction in which the cost grows.",
        ),
        Mistake(
            "V's gradient is taken after W has moved",
            edited(
                _step_by_step,
                "W, V = W - lr * dW, V - lr * dV → W = W - lr * dW; "
                "V = V - lr * gradient(W, V)[1]",
            ),
            "Both gradients belong to the same place: compute both, then move both.",
        ),
        *(
            Mistake(
                "one of the two never moves",
                edited(_step_by_step, step),
                "Which matrices take a step every time?",
            )
            for step in (" - lr * dW → ", " - lr * dV → ")
        ),
        Mistake(
            "the learning rate is left out",
            edited(_step_by_step, "lr * → "),
            "A step is the gradient times lr.",
        ),
        Mistake(
            "one step, whatever `steps` says",
            edited(_step_by_step, "    return →         return"),
            "Is the `return` inside the loop?",
        ),
        Mistake(
            "the gradient is normalized to length 1",
            edited(
                _step_by_step,
                "lr * dW → lr * dW / np.linalg.norm(dW)",
                "lr * dV → lr * dV / np.linalg.norm(dV)",
            ),
            "A step is lr times the gradient, whatever its length.",
        ),
        Mistake(
            "the last gradient, not where it leads",
            edited(_step_by_step, "return W, V → return dW, dV"),
            "What should be returned, by name?",
        ),
        Mistake(
            "divided by the number of steps",
            edited(_step_by_step, "lr * → lr / steps * "),
            "Every step is lr times its gradient, however many there are.",
        ),
        *(
            Mistake(
                "it stops where the gradient is small",
                _stopping_after(free),
                "A small gradient is no reason to stop here: there are `steps` steps to take.",
            )
            for free in (0, 1)
        ),
    ),
    hints=(
        "A loop of two lines: the gradient where we are, then the step.",
        "W, V = W - lr * dW, V - lr * dV makes new arrays and leaves the old ones alone.",
    ),
)


# --- all together ---------------------------------------------------------------------


_LIBRARY = dict(lr=1.0, rng=551, progress=False)


@functools.cache
def _goal() -> tuple[float, float]:
    """Cost and accuracy that the library's descent reaches in 500 steps."""
    return _measured(*gradient_descent(*_flowers(), 16, max_iters=500, **_LIBRARY))


def _measured(W, V) -> tuple[float, float]:
    X, Y = _flowers()
    return their_cost(X, Y, W, V), accuracy(TwoLayer().predict(X, W, V), Y)


class Word(str):
    """A string that compares as a word, and is shown with the numbers behind it."""

    def __new__(cls, word: str, numbers: str = "") -> "Word":
        told = super().__new__(cls, word)
        told.numbers = numbers
        return told

    def __repr__(self) -> str:
        return f"{self}{self.numbers and f' ({self.numbers})'}"


def _further(X, Y, W, V) -> float:
    """The cost after a hundred more of the library's steps."""
    for _ in range(100):
        dW, dV = gradients(X, Y, W, V)
        W, V = W - dW, V - dV
    return their_cost(X, Y, W, V)


def _reached(answer, X, Y):
    """Where the weights that `train_iris` returns are, relative to the library's, and why."""
    given = answer(X, Y)
    if not isinstance(given, list | tuple) or len(given) != 2:
        return Word("not two results")
    W, V = (np.asarray(A, float) for A in given)
    if W.ndim != 2 or (X.shape[1], *W.shape) != (*V.shape, Y.shape[1]):
        return Word("weights of the wrong shape")
    there, right = _measured(W, V)
    if there <= 1.25 * _goal()[0] and right >= _goal()[1] - 0.02:
        return Word("as low as the library's")
    later = _further(X, Y, W, V)
    numbers = f"cost {there:.3g}; {later:.3g} 100 steps on"
    return Word(_why_so_high(W, V, there, later), numbers)


def _why_so_high(W, V, there: float, later: float) -> str:
    alike = np.ptp(W, axis=0).max() < 1e-9 and np.ptp(V, axis=1).max() < 1e-9
    largest = max(np.abs(W).max(), np.abs(V).max())
    if not np.isfinite(there) or there > np.log(3) + 0.02:
        size = "small" if largest < 5 else "large"
        return f"above ln 3, weights {size}"
    if there > np.log(3) - 0.05 and later > np.log(3) - 0.05:
        return "still at ln 3, and flat"
    if len(W) > 1 and alike:
        return "no lower than one unit, copied"
    if len(W) <= 2:
        return "as low as so few units can get"
    if largest > 25:
        return "far out, with huge weights"
    return "on its way down"


def _trained(X, Y, steps=400, units=8, **changed):
    settings = _LIBRARY | changed
    return tuple(gradient_descent(X, Y, units, max_iters=steps, **settings))


def _stretched_to(weights, units: int) -> tuple:
    """One unit, copied, with the outputs shared among the copies."""
    W, V = weights
    return np.tile(W / units, (units, 1)), np.tile(V, units)


def _uphill(X, Y, steps):
    start = np.ones((4, 3)) * [1, 2, 3], np.ones((X.shape[1], 4))
    rise = lambda W, V: [-d for d in gradients(X, Y, W, V)]  # noqa: E731
    return tuple(descend(rise, start, lr=1.0, max_iters=steps))


train_iris = Exercise(
    name="train_iris",
    lecture="05",
    title="From nothing to the flowers",
    witness=_trained,
    cases=lambda rng: [_flowers()],
    use=_reached,
    searched=False,
    seconds=60,
    forbidden=(*WITNESSES, "comp551ad.exercises.tasks.lecture_05._"),
    mistakes=(
        Mistake(
            "W and V do not fit",
            lambda X, Y: (np.zeros((X.shape[1], 4)), np.zeros((4, Y.shape[1]))),
            "W is M x C and V is D x M, and they are returned in this order.",
        ),
        Mistake(
            "not two results",
            lambda X, Y: (*_trained(X, Y), 0),
            "W and V are expected, in this order, and nothing else.",
        ),
        Mistake(
            "it has not left the saddle",
            lambda X, Y: (np.zeros((4, 3)), np.zeros((X.shape[1], 4))),
            "A start at zero never leaves it, one very close to zero takes long: look at "
            "the cost after 10, 100 and 300 steps.",
        ),
        Mistake(
            "it is worse than knowing nothing",
            lambda X, Y: _uphill(X, Y, 1),
            "The weights are no larger than usual. Print the cost of all flowers on the way: does "
            "it fall, and how far do all your steps go together?",
        ),
        Mistake(
            "it is worse than knowing nothing",
            lambda X, Y: _uphill(X, Y, 20),
            "The weights are large. Print the cost on the way: if it grows from the first step on, "
            "look at the sign; if it jumps, at lr and the 1/N; if it falls from far up, at the "
            "start.",
        ),
        Mistake(
            "all units are alike",
            lambda X, Y: _stretched_to(_trained(X, Y, units=1), 8),
            "What starts equal stays equal: any number of copies is one unit. How do yours start?",
        ),
        Mistake(
            "too few units",
            lambda X, Y: _trained(X, Y, units=1),
            "How many straight lines does it take to tell three species apart?",
        ),
        Mistake(
            "the steps are too long",
            lambda X, Y: _trained(X, Y, steps=50, lr=100.0),
            "Print the cost along the way: does it jump? Look at lr, and at the 1/N of the "
            "gradients.",
        ),
        Mistake(
            "it is not down yet",
            lambda X, Y: _trained(X, Y, steps=60),
            "The cost is still falling there. Too few steps, or too short? Does one of the two "
            "matrices stand still, or go uphill? Or are these the slopes of another cost?",
        ),
    ),
    hints=(
        "Start with small random numbers from np.random.default_rng(551).",
        "Standardized flowers allow a learning rate of 1; then 500 steps are enough.",
    ),
)

EXERCISES = (iris_cost, iris_gradients, first_step, descent, train_iris)

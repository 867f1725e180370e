"""Lecture 01: the symmetries of the landscape, and the saddle at zero (S02)."""

from itertools import permutations, product
from math import factorial

import numpy as np

from ...autodiff.jacobians import hessian
from ...functions import logistic, logsumexp
from ..exercise import Exercise, Mistake, edited


def _twin(W: np.ndarray, V: np.ndarray, order: np.ndarray, signs: np.ndarray) -> tuple:
    new_W, new_V = np.empty_like(W), np.empty_like(V)
    for k, old in enumerate(order):
        new_W[k], new_V[:, k] = signs[k] * W[old], signs[k] * V[:, old]
    return new_W, new_V


def _twin_cases(rng: np.random.Generator) -> list[tuple]:
    def case(M, D, C, order, signs):
        sizes = (M, C), (D, M)
        return *(rng.normal(size=s) for s in sizes), np.array(order), np.array(signs)

    return [
        case(4, 3, 2, [2, 0, 3, 1], [1, -1, 1, 1]),
        case(3, 3, 3, rng.permutation(3), rng.choice([-1, 1], 3)),
        case(1, 2, 3, [0], [-1]),
    ]


twin = Exercise(
    name="twin",
    core=True,
    lecture="01",
    title="A twin of a tanh network",
    witness=_twin,
    parts=("W", "V"),
    cases=_twin_cases,
    mistakes=(
        Mistake(
            "the signs are left out",
            lambda W, V, order, signs: (W[order], V[:, order]),
            "tanh is odd: if all of a unit's inputs change sign, what happens to z, and then to u?",
        ),
        Mistake(
            "the order is left out",
            lambda W, V, order, signs: (signs[:, None] * W, V * signs),
            "Which unit of the old network is unit k of the twin? Both matrices follow.",
        ),
        Mistake(
            "the signs are indexed by the old units",
            edited(_twin, "signs[k] → signs[old]"),
            "signs[k] belongs to unit k of the twin, after the renumbering.",
        ),
        *(
            Mistake(
                "the inverse of the order",
                edited(_twin, "enumerate(order) → enumerate(np.argsort(order))", *more),
                "Unit k of the twin was unit order[k], not the reverse.",
            )
            for more in ((), ("signs[k] → signs[old]",))
        ),
        Mistake(
            "a matrix is left unchanged",
            lambda W, V, order, signs: (W, V),
            "A unit owns its inputs and its outputs: both move with it.",
        ),
        Mistake(
            "the rows of V are treated as the units",
            lambda *given: (_twin(*given)[0], given[-1][:, None] * given[1][given[-2]]),
            "V is D x M: what goes into a unit is a column.",
        ),
    ),
    hints=(
        "What belongs to a unit? A row of one matrix and a column of the other.",
        "W[order] takes rows in a new order, V[:, order] takes columns.",
    ),
)


# --- rescaling a rectifier ------------------------------------------------------------


def _balanced(W: np.ndarray, V: np.ndarray) -> tuple:
    """By bisection on log alpha, for each unit, until its two norms are the same."""
    low, high = np.full(len(W), -30.0), np.full(len(W), 30.0)
    for _ in range(80):
        alpha = np.exp((low + high) / 2)
        longer = np.linalg.norm(V * alpha, axis=0) > np.linalg.norm(W.T / alpha, axis=0)
        low, high = (
            np.where(longer, low, np.log(alpha)),
            np.where(longer, np.log(alpha), high),
        )
    return W / alpha[:, None], V * alpha


def _rescaled(W: np.ndarray, V: np.ndarray) -> tuple:
    w, v = np.linalg.norm(W, axis=1), np.linalg.norm(V, axis=0)
    alpha = np.sqrt(w / v)
    return W / alpha[:, None], V * alpha


balanced = Exercise(
    name="balanced",
    lecture="01",
    title="The best place on a curve of equals",
    witness=_balanced,
    parts=("W", "V"),
    cases=lambda rng: [
        (
            np.arange(1.0, M + 1)[:, None] * rng.normal(size=(M, C)),
            rng.normal(size=(D, M)),
        )
        for M, C, D in ((4, 2, 3), (3, 3, 3), (1, 3, 2))
    ],
    mistakes=(
        Mistake(
            "the square root is missing",
            edited(_rescaled, "np.sqrt(w / v) → w / v"),
            "With this factor the two norms are swapped instead of becoming equal.",
        ),
        Mistake(
            "the ratio is upside down",
            edited(_rescaled, "w / v → v / w"),
            "Which of the two norms should grow?",
        ),
        Mistake(
            "one factor for all units",
            edited(_rescaled, ", axis=1 → ", ", axis=0 → ", "[:, None] → "),
            "Each unit has its own curve and its own factor.",
        ),
        Mistake(
            "inputs and outputs are both multiplied",
            edited(_rescaled, "W / alpha → W * alpha"),
            "What goes in is multiplied by alpha; then what comes out must be divided.",
        ),
        Mistake(
            "the norms are set to 1",
            edited(_rescaled, "W / alpha → W / w", "V * alpha → V / v"),
            "That is a different function: they may change only by alpha and 1/alpha.",
        ),
        Mistake(
            "norms along the wrong axis",
            edited(_rescaled, "W, axis=1 → W, axis=0", "V, axis=0 → V, axis=1"),
            "One norm for each of the M units: of a row of W, of a column of V.",
        ),
        Mistake(
            "only the inputs are rescaled",
            edited(_rescaled, "np.sqrt(w / v) → w / v", "W / alpha[:, None] → W"),
            "Now the norms are equal, but the network's output has changed: why?",
        ),
        Mistake(
            "the mean of the two norms",
            edited(
                _rescaled,
                "W / alpha[:, None] → W * ((w + v) / 2 / w)[:, None]",
                "V * alpha → V * ((w + v) / 2 / v)",
            ),
            "α multiplies one norm and divides the other: that keeps their product, not their sum.",
        ),
        *(
            Mistake(
                name,
                edited(
                    _rescaled,
                    f"np.linalg.norm(W → {size}(np.abs(W)",
                    f"np.linalg.norm(V → {size}(np.abs(V)",
                ),
                "A norm is the root of the sum of the squares.",
            )
            for name, size in (
                ("the largest absolute values instead of norms", "np.max"),
                ("sums of absolute values instead of norms", "np.sum"),
            )
        ),
    ),
    hints=(
        "For one unit: alpha times the norm of its inputs should equal its outputs' norm "
        "divided by alpha. Solve for alpha.",
        "np.linalg.norm has an `axis`; use it twice, for M numbers each time.",
    ),
)


# --- counting -------------------------------------------------------------------------


def _count_twins(M: int, activation: str) -> int:
    """Try all orders and signs of a random network: how many have its function?"""
    rng = np.random.default_rng(M)
    h = {"tanh": np.tanh, "logistic": logistic}[activation]
    W, V, X = rng.normal(size=(M, 2)), rng.normal(size=(3, M)), rng.normal(size=(5, 3))
    same, places = h(X @ V) @ W, set()
    for order in map(list, permutations(range(M))):
        for signs in map(np.array, product([1, -1], repeat=M)):
            new_W, new_V = W[order] * signs[:, None], V[:, order] * signs
            if np.allclose(h(X @ new_V) @ new_W, same, atol=1e-12):
                places.add((new_W.tobytes(), new_V.tobytes()))
    return len(places)


def _counting(tanh, logistic=factorial):
    return lambda M, activation: (tanh if activation == "tanh" else logistic)(M)


count_twins = Exercise(
    name="count_twins",
    core=True,
    lecture="01",
    title="How many twins?",
    witness=_count_twins,
    cases=lambda rng: [(M, h) for M in (3, 1, 2, 4) for h in ("tanh", "logistic")],
    secret=True,
    mistakes=(
        Mistake(
            "the logistic function is treated as odd",
            _counting(*[lambda M: factorial(M) * 2**M] * 2),
            "Compare logistic(-1) with -logistic(1).",
        ),
        Mistake(
            "the signs are left out",
            _counting(factorial),
            "Is there anything a tanh unit can do besides swapping places?",
        ),
        *(
            Mistake(
                "the orders are left out",
                _counting(lambda M: 2**M, *logistic),
                "Hidden units have no order: how many orders are there?",
            )
            for logistic in ([lambda M: 1], [])
        ),
        *(
            Mistake(
                "added instead of multiplied",
                _counting(*added),
                "Each order can be combined with every choice of signs.",
            )
            for added in (
                [lambda M: factorial(M) + 2**M],
                [lambda M: factorial(M) + 2**M] * 2,
                [lambda M: factorial(M) + 2**M - 1],
            )
        ),
        Mistake(
            "how many signs, not which",
            _counting(lambda M: factorial(M) * (M + 1)),
            "One flip among three units: in how many ways?",
        ),
        Mistake(
            "one sign for all units together",
            _counting(lambda M: factorial(M) * 2),
            "Each unit may flip its sign on its own.",
        ),
        Mistake(
            "orders counted with repetition",
            _counting(lambda M: M**M * 2**M, lambda M: M**M),
            "Once a place is taken, the second unit has one choice fewer.",
        ),
        *(
            Mistake(
                "the starting place is left out",
                _counting(lambda M: factorial(M) * 2**M - 1, logistic),
                "The question counts the starting place too.",
            )
            for logistic in (factorial, lambda M: factorial(M) - 1)
        ),
        Mistake(
            "one choice of signs is left out",
            _counting(lambda M: factorial(M) * (2**M - 1)),
            "Is flipping no sign at all among your choices?",
        ),
        Mistake(
            "the orders of twice as many units",
            _counting(lambda M: factorial(2 * M)),
            "Flipping a unit's sign doesn't make a second unit: how many choices does each have?",
        ),
        Mistake(
            "half of the sign choices",
            _counting(lambda M: factorial(M) * 2 ** (M - 1)),
            "Flip all signs together: is that the same place, or another with the same function?",
        ),
        *(
            Mistake(
                name,
                _counting(lambda M, p=p: M**p * 2**M, lambda M, p=p: M**p),
                "For the first place there are M units; how many are left for the second?",
            )
            for p, name in ((2, "M squared orders"), (1, "M orders"))
        ),
    ),
    hints=(
        "Two questions: how many orders do M things have, and which signs may flip?",
        "A sign may flip if h(-q) = -h(q). Try both functions at q = 1.",
    ),
)


# --- the saddle at zero ---------------------------------------------------------------


def _saddle_signs(M: int, D: int, C: int) -> tuple[int, int, int]:
    """The Hessian of a tanh network at zero, on random data, and its eigenvalues."""
    rng = np.random.default_rng([M, D, C])
    X, Y = rng.normal(size=(4 * C, D)), np.eye(C)[np.arange(4 * C) % C]

    def J(theta):
        W, V = theta[: M * C].reshape(M, C), theta[M * C :].reshape(D, M)
        U = np.dot(np.tanh(np.dot(X, V)), W)
        return np.mean(logsumexp(U) - np.sum(U * Y, 1))

    curvature = np.linalg.eigvalsh(hessian(J)(np.zeros(M * (C + D))))
    down, up = np.sum(curvature < -1e-9), np.sum(curvature > 1e-9)
    return int(down), int(up), int(curvature.size - down - up)


def _counted_signs(M: int, D: int, C: int) -> tuple[int, int, int]:
    k = M * min(D, C - 1)
    return k, k, M * (C + D) - 2 * k


saddle_signs = Exercise(
    name="saddle_signs",
    lecture="01",
    title="Which ways lead down from zero?",
    witness=_saddle_signs,
    parts=("below", "above", "zero"),
    cases=lambda rng: [
        *((3, 3, 3), (2, 2, 5), (2, 4, 2), (1, 3, 4), (2, 1, 3), (3, 2, 3)),
    ],
    secret=True,
    mistakes=(
        Mistake(
            "scores are counted, not their differences",
            edited(_counted_signs, "C - 1 → C"),
            "Raise all C scores by the same amount: does softmax notice?",
        ),
        Mistake(
            "one hidden unit is counted, not M",
            edited(_counted_signs, "k = M * → k = 1 *"),
            "Each singular value comes once for each hidden unit.",
        ),
        Mistake(
            "the case of few inputs is overlooked",
            edited(_counted_signs, "min(D, C - 1) → (C - 1)"),
            "B is D x C. Can it have more singular values than D?",
        ),
        Mistake(
            "the case of few classes is overlooked",
            edited(_counted_signs, "min(D, C - 1) → D"),
            "B is D x C, and each of its rows adds up to zero.",
        ),
        Mistake(
            "the number of units is treated as a limit",
            edited(_counted_signs, "min(D → min(M, D"),
            "B is D x C, whatever M is. Each unit has all of its singular values.",
        ),
        Mistake(
            "no direction is level",
            lambda M, D, C: (M * (C + D) / 2, M * (C + D) / 2, 0),
            "If only W moves and V stays zero, what does the network output?",
        ),
        Mistake(
            "all of them up, as at a minimum",
            edited(_counted_signs, "k, k → 0, 2 * k"),
            "Wherever J curves down along V W, it curves up along -V W.",
        ),
        Mistake(
            "all of them down",
            edited(_counted_signs, "k, k → 2 * k, 0"),
            "Wherever J curves down along V W, it curves up along -V W.",
        ),
        Mistake(
            "the Hessian is taken to be zero",
            lambda M, D, C: (0, 0, M * (C + D)),
            "The gradient is zero there. The sum with B is second order: is B zero?",
        ),
    ),
    hints=(
        "The eigenvalues are plus and minus the singular values of B, once for each unit.",
        "How many singular values of B, which is D x C with rows that add up to zero, "
        "are above zero? The remaining directions are level.",
    ),
)

EXERCISES = (twin, balanced, count_twins, saddle_signs)

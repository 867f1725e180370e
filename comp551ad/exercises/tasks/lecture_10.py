"""Lecture 10: passes, multiplications, and what must be kept (S16, S19)."""

import functools
import operator

import numpy as np

from ...autodiff.passes import pull_back
from ...autodiff.trace import forward, record, reverse
from ...functions import logistic, logsumexp
from ..exercise import Exercise, Mistake, edited
from ..values import numeric
from .lecture_05 import Word

# --- passes ---------------------------------------------------------------------------


def _passes(trace, inputs: tuple) -> tuple[int, int]:
    """Fill the whole Jacobian in both modes and count each mode's passes."""
    top = trace.nodes[-1]
    columns = [
        forward(trace, wrt=name, seed=seed.reshape(np.shape(trace[name])))[top.label]
        for name in inputs
        for seed in np.eye(np.size(trace[name]))
    ]
    seeds = np.eye(np.size(top.value)) if np.shape(top.value) else [1.0]
    rows = [reverse(trace, of=top.label, seed=seed) for seed in seeds]
    table = [np.concatenate([np.ravel(row[name]) for name in inputs]) for row in rows]
    assert np.allclose(np.array(table), np.array(columns).reshape(-1, len(rows)).T)
    return len(columns), len(rows)


def _layer(Q: int, P: int):
    A = np.random.default_rng(0).normal(size=(P, Q))
    return record(lambda x: np.tanh(np.dot(A, x)), x=np.linspace(-1, 1, Q))


def _network_cost(V, W):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(6, 5)), np.eye(4)[rng.integers(0, 4, 6)]
    U = np.dot(logistic(np.dot(X, V)), W)
    return -np.mean(np.sum(U * Y, 1) - logsumexp(U))


@functools.cache
def _measured_passes() -> dict:
    rng = np.random.default_rng(1)
    one_direction = forward(_layer(40, 7), wrt="x", seed=rng.normal(size=40))
    network = record(
        _network_cost, V=rng.normal(size=(5, 8)), W=rng.normal(size=(8, 4))
    )
    wide, cost = _passes(_layer(40, 7), ("x",)), _passes(network, ("V", "W"))
    first = next(
        Q for Q in range(1, 99) if operator.gt(*_passes(_layer(Q, 12), ("x",)))
    )
    return {
        "forward": wide[0],
        "reverse": wide[1],
        "one direction": len([one_direction]),
        "first Q": first,
        "cost forward": cost[0],
        "cost reverse": cost[1],
    }


count_the_passes = Exercise(
    name="count_the_passes",
    core=True,
    lecture="10",
    title="Predict: how many passes?",
    witness=lambda: dict(_measured_passes()),
    searched=False,
    cases=lambda rng: [()],
    secret=True,
    mistakes=(
        Mistake(
            "forward and reverse are swapped",
            lambda: {"forward": 7, "reverse": 40},
            "One forward pass starts at one input, and reaches every output.",
        ),
        Mistake(
            "a pass for every entry of the Jacobian",
            lambda: {"forward": 280, "reverse": 280},
            "A pass gives a whole column, or a whole row.",
        ),
        Mistake(
            "the whole Jacobian, where one product is wanted",
            lambda: {"one direction": 40},
            "A seed need not have a single 1 in it: it is a direction.",
        ),
        Mistake(
            "reverse mode, where forward mode needs one pass",
            lambda: {"one direction": 7},
            "A seed is a direction, and a forward pass gives J v.",
        ),
        Mistake(
            "an equal number is not fewer",
            lambda: {"first Q": 12},
            "There both modes need the same number.",
        ),
        Mistake(
            "the crossover on the wrong side",
            lambda: {"first Q": 11},
            "With fewer inputs than outputs forward mode has the fewer passes.",
        ),
        *(
            Mistake(
                "the weights of one matrix alone",
                lambda weights=weights: {"cost forward": weights},
                "Both matrices have weights.",
            )
            for weights in (40, 32)
        ),
        Mistake(
            "a pass for every example",
            lambda: {"cost forward": 72 * 150, "cost reverse": 150},
            "The cost is one function of the weights: all examples are in it.",
        ),
        Mistake(
            "the bias is counted twice",
            lambda: {"cost forward": 6 * 8 + 8 * 4},
            "The bias is one of the five inputs already.",
        ),
        Mistake(
            "a bias of the hidden layer is counted",
            lambda: {"cost forward": 5 * 8 + 9 * 4},
            "How many rows does W, M x C, have?",
        ),
        Mistake(
            "units are counted, not weights",
            lambda: {"cost forward": 5 + 8 + 4},
            "There is a weight for each pair of an input and a unit.",
        ),
        Mistake(
            "the inputs of the network, not the cost's",
            lambda: {"cost forward": 5},
            "The derivatives are with respect to the weights: these are the inputs of the cost.",
        ),
        Mistake(
            "a pass for every weight",
            lambda: {"cost reverse": 72},
            "How many outputs does the cost have?",
        ),
        Mistake(
            "a pass for every matrix",
            lambda: {"cost forward": 2, "cost reverse": 2},
            "A reverse pass reaches every input; a forward pass starts at one number.",
        ),
        Mistake(
            "a pass for every class",
            lambda: {"cost reverse": 4},
            "The network has four scores. How many numbers is its cost?",
        ),
    ),
    hints=(
        "A forward pass is a column of the Jacobian, a reverse pass is a row.",
        "Count the numbers that go in and those that come out; a matrix is many numbers.",
    ),
)

# --- multiplications ------------------------------------------------------------------


class _Counting:
    """A number that counts how often it is multiplied."""

    multiplications = 0

    def __mul__(self, other):
        _Counting.multiplications += 1
        return self

    def __add__(self, other):
        return self


def _counted(product, jacobians: list) -> int:
    _Counting.multiplications = 0
    functools.reduce(product, jacobians)
    return _Counting.multiplications


def _multiplied_out(sizes: list) -> tuple:
    """Multiply matrices of these sizes in both orders, and count."""
    number = _Counting()
    jacobians = [
        np.full((m, n), number, dtype=object)
        for n, m in zip(sizes, sizes[1:], strict=False)
    ]
    from_the_inputs = _counted(lambda J, K: np.dot(K, J), jacobians)
    from_the_outputs = _counted(lambda J, K: np.dot(J, K), jacobians[::-1])
    return from_the_inputs, from_the_outputs


def _totals(sizes: list) -> tuple:
    products = [n * m for n, m in zip(sizes, sizes[1:], strict=False)]
    forward = sizes[0] * sum(products[1:])
    reverse = sizes[-1] * sum(products[:-1])
    return forward, reverse


chain_multiplications = Exercise(
    name="chain_multiplications",
    lecture="10",
    title="What a chain of Jacobians costs",
    witness=_multiplied_out,
    parts=("forward", "reverse"),
    cases=lambda rng: [
        ([3, 4, 2],),
        ([2, 5, 3, 4],),
        ([5, 1, 4, 2, 3],),
        ([2, 3],),
        (rng.permutation([1, 2, 3, 4, 6]).tolist(),),
    ],
    mistakes=(
        Mistake(
            "the first matrix is counted as a product",
            edited(_totals, "products[1:] → products", "products[:-1] → products"),
            "With L Jacobians there are L - 1 products.",
        ),
        Mistake(
            "multiplied where the products' costs are added",
            edited(_totals, "sum(products[ → np.prod(products["),
            "What does a second product cost, in addition to the first?",
        ),
        *(
            Mistake(
                "the same number for both modes",
                edited(_totals, f"forward, reverse → {mode}, {mode}"),
                "Which Jacobian comes first in one mode, and which in the other?",
            )
            for mode in ("forward", "reverse")
        ),
        Mistake(
            "only neighbouring sizes",
            edited(_totals, "forward, reverse → sum(products), sum(products)"),
            "The cost of a product of two matrices depends on three sizes.",
        ),
        Mistake(
            "the same products in both modes",
            edited(_totals, "products[:-1] → products[1:]"),
            "Which Jacobian is the first in reverse mode, and which is multiplied last?",
        ),
        Mistake(
            "inputs and outputs are swapped",
            edited(
                _totals, "d = sizes[0] → d = sizes[-1]", "e = sizes[-1] → e = sizes[0]"
            ),
            "What forward mode carries along has a column for each input.",
        ),
    ),
    hints=(
        "(a x b) times (b x c) takes a b c multiplications.",
        "Write the three sizes under each product of L = 3: one of them is the same in "
        "all products of a mode.",
    ),
)


def _judged(answer) -> dict:
    """What is true of a chain of Jacobians with these sizes."""
    given = numeric(answer())
    known = ("the larger of Q and P", "the mode with fewer multiplications")
    if given is None or given.ndim != 1 or len(given) < 2:
        return dict.fromkeys(known, Word("no list of numbers"))
    if given.min() < 1 or not np.array_equal(given, np.round(given)):
        return dict.fromkeys(known, Word("sizes that aren't positive integers"))
    sizes = [int(n) for n in given]
    if len(sizes) == 2:
        return dict.fromkeys(known, Word("a single Jacobian has no product"))
    Q, P = sizes[0], sizes[-1]
    pairs = list(zip(sizes, sizes[1:], strict=False))
    up, down = (
        (Q * sum(n * m for n, m in pairs[1:])),
        P * sum(n * m for n, m in pairs[:-1]),
    )
    words = {-1: ("Q", "reverse"), 1: ("P", "forward"), 0: ("neither", "neither")}
    larger, fewer = words[int(np.sign(P - Q))][0], words[int(np.sign(down - up))][1]
    counts = "" if fewer == "forward" else f"forward {up}, reverse {down}"
    return dict(zip(known, (Word(larger), Word(fewer, counts)), strict=True))


slide_misleads = Exercise(
    name="slide_misleads",
    lecture="10",
    title="Find the erratum: where the rule of thumb misleads",
    witness=lambda: [6, 40, 3, 5],
    cases=lambda rng: [()],
    use=_judged,
    searched=False,
    mistakes=(
        Mistake(
            "not more inputs than outputs",
            lambda: [5, 3, 40, 6],
            "Q is the first number, P the last, and Q should be larger.",
        ),
        Mistake(
            "as many outputs as inputs",
            lambda: [5, 3, 5],
            "Q is the first number, P the last, and Q should be larger.",
        ),
        *(
            Mistake(
                "not a list of sizes",
                lambda sizes=sizes: sizes,
                "A list of at least two positive integers is expected: [5, 2, 8, 3].",
            )
            for sizes in ([0.5, -1], "5, 2, 8, 3")
        ),
        Mistake(
            "the rule is right there",
            lambda: [40, 5, 5, 6],
            "Reverse mode does need fewer. What makes a product expensive for it and "
            "not for forward mode?",
        ),
        Mistake(
            "a single Jacobian",
            lambda: [5, 3],
            "Two sizes are those of one Jacobian: there is nothing to multiply yet.",
        ),
        Mistake(
            "a tie",
            lambda: [6, 40, 5],
            "Both modes take the same number: where do their products differ?",
        ),
    ),
    hints=(
        "Use what you wrote for 10.3 to try some sizes. Let Q and P be nearly equal.",
        "The first two sizes meet in a product of reverse mode only, the last two in one "
        "of forward mode only. Make one of the inner sizes large.",
    ),
)

# --- what must be kept ----------------------------------------------------------------


def _hill(u, v):
    return (np.exp(u * v) + np.log(u)) ** 2


@functools.cache
def _poisoned() -> dict:
    """Replace one value at a time by nan: does any adjoint become nan?"""
    trace = record(_hill, u=1.3, v=0.7)
    found = {}
    for k, row in enumerate(trace.rows):
        rows = list(trace.rows)
        rows[k] = (row[0], float("nan"), *row[2:])
        adjoints = pull_back(rows, [(len(rows) - 1, 1.0)])
        found[f"a{k + 1}"] = bool(np.isnan(adjoints).any())
    return found


def _kept(row: str, keep: bool, name: str, hint: str) -> Mistake:
    return Mistake(name, lambda: {row: keep}, hint)


kept_for_the_way_back = Exercise(
    name="kept_for_the_way_back",
    core=True,
    lecture="10",
    title="Predict: which values must wait?",
    witness=lambda: dict(_poisoned()),
    searched=False,
    cases=lambda rng: [()],
    secret=True,
    mistakes=(
        Mistake(
            "True and False are swapped",
            lambda: {row: not keep for row, keep in _poisoned().items()},
            "True means that a value must wait.",
        ),
        _kept(
            *("a1", False, "an input is thrown away"),
            "a1 is a factor of a3, and the argument of a logarithm.",
        ),
        _kept(
            *("a2", False, "an input is thrown away"),
            "a2 is a factor of a3: its slope with respect to the other factor is a2.",
        ),
        _kept(
            *("a3", True, "an operand is kept, though the result is enough"),
            "The exponential is its own slope: the result is needed, and nothing else.",
        ),
        _kept(
            *("a4", False, "a result that is a slope is thrown away"),
            "The exponential is its own slope.",
        ),
        _kept(
            *("a5", True, "a value that no slope needs is kept"),
            "Row 5 is a logarithm, and is used in a sum: what are the slopes of these two?",
        ),
        _kept(
            *("a6", False, "the operand of the square is thrown away"),
            "What is the slope of a square, and where is it taken?",
        ),
        _kept(
            *("a7", True, "the output is kept"),
            "The way back begins with the adjoint of a7, which is 1. Who reads a7?",
        ),
    ),
    hints=(
        "Write the adjoints from the last row back. Which a's appear in them?",
        "A sum needs none of its values, a product its factors, a square its operand, an "
        "exponential its result, a logarithm its operand.",
    ),
)


def _needed_later(uses: dict, outputs: list) -> int:
    """After each step: which of the rows so far are outputs, or used by a later row?"""
    rows, most = list(uses), 0
    for k, _ in enumerate(rows, 1):
        later = {j for row in rows[k:] for j in uses[row]}
        most = max(
            most, len([row for row in rows[:k] if row in later or row in outputs])
        )
    return most


def _alive(uses: dict, outputs: list) -> int:
    last = {j: row for row, operands in uses.items() for j in operands}
    last |= dict.fromkeys(outputs, len(uses) + 1)
    return max(sum(i <= k < last.get(i, i) for i in uses) for k in uses)


def _lives(rng: np.random.Generator) -> list[tuple]:
    drawn = {1: [], 2: []}
    for row in range(3, 10):
        drawn[row] = [row - 1, int(rng.integers(1, row))]
    fork = {1: [], 2: [1], 3: [2], 4: [2], 5: [3, 4], 6: [5, 1], 7: [6]}
    return [
        ({1: [], 2: [], 3: [], 4: [2, 3], 5: [4, 1], 6: [5], 7: [5]}, [6, 7]),
        ({1: []} | {row: [row - 1] for row in range(2, 9)}, [8]),
        ({1: []} | {row: [row - 1] for row in range(2, 9)}, [2, 3, 4, 8]),
        (fork, [7]),
        ({1: [], 2: [1], 3: [1], 4: [1], 5: [1], 6: [4, 4]}, [6]),
        ({1: [], 2: [], 3: [], 4: [1, 2], 5: [4, 3], 6: [5, 1], 7: [6, 3]}, [7]),
        ({1: [], 2: [], 3: [1], 4: [1, 2]}, [4]),
        (drawn, [9]),
        ({1: [], 2: [], 3: [], 4: [3, 1]}, [2, 4]),
        ({1: [], 2: [1]}, [1, 2]),
        ({1: [], 2: [], 3: [1, 2], 4: [], 5: [], 6: [4, 5, 3]}, [6]),
    ]


most_kept = Exercise(
    name="most_kept",
    lecture="10",
    title="How much room does a computation need?",
    witness=_needed_later,
    cases=_lives,
    mistakes=(
        Mistake(
            "counted during the steps, not between them",
            edited(_alive, "k < last → k <= last"),
            "Rows that step k uses for the last time are gone after it.",
        ),
        *(
            Mistake(
                "dropped after the first use",
                edited(_alive, "uses.items() → reversed(uses.items())", *more),
                "A later row may use it again.",
            )
            for more in ((), ("last.get(i, i) → last.get(i, len(uses) + 1)",))
        ),
        Mistake(
            "the step, not how many",
            edited(
                _alive, "max(sum → max(uses, key=lambda k: sum", " for k in uses) → )"
            ),
            "The question asks for the largest number, not where it is reached.",
        ),
        Mistake(
            "the outputs are ignored",
            edited(
                _alive,
                "(outputs, → ([],",
                "last.get(i, i) → last.get(i, len(uses) + 1)",
            ),
            "An output stays, even if it has been used; what nobody needs goes at once.",
        ),
        Mistake(
            "an output is not kept to the end",
            edited(_alive, "len(uses) + 1 → len(uses)"),
            "After the last step the outputs are still there. How many are alive then?",
        ),
        Mistake(
            "the inputs are alive from the start",
            edited(_alive, "i <= k < last → (i <= k or not uses[i]) and k < last"),
            "An input is read in at its own step, and not before.",
        ),
        Mistake(
            "the inputs are not counted",
            edited(_alive, "i <= k < last → bool(uses[i]) and i <= k < last"),
            "An input is a row, and alive until its last use.",
        ),
        Mistake(
            "a row that nobody uses is kept to the end",
            edited(_alive, "last.get(i, i) → last.get(i, len(uses) + 1)"),
            "What no later row uses, and is no output, is gone at once.",
        ),
        *(
            Mistake(
                "the outputs are thrown away",
                edited(_alive, f"(outputs, → ({kept},"),
                "An output stays to the end: it is what we wanted.",
            )
            for kept in ("[]", "[j for j in outputs if j not in last]")
        ),
        Mistake(
            "a row that nobody uses is kept for a step",
            edited(_alive, "last.get(i, i) → last.get(i, i + 1)"),
            "What no later row uses, and is no output, is gone at once.",
        ),
        Mistake(
            "nothing is ever dropped",
            lambda uses, outputs: len(uses),
            "What no later row uses, and is no output, may go.",
        ),
        Mistake(
            "what is left at the end",
            lambda uses, outputs: len(outputs),
            "The question asks for the largest number on the way.",
        ),
    ),
    hints=(
        "For each row, when is it used for the last time? An output is needed to the end.",
        "After step k count the rows i up to k that are outputs or have their last use "
        "after k. Then take the largest count.",
    ),
)

EXERCISES = (
    count_the_passes,
    kept_for_the_way_back,
    chain_multiplications,
    slide_misleads,
    most_kept,
)

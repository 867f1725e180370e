"""Lecture 13: pretraining, continuation, curriculum (S17)."""

import math

import numpy as np

from ..exercise import WITNESSES, Exercise, Mistake, edited

standard_error = Exercise(
    name="standard_error",
    core=True,
    lecture="13",
    title="How sure is a mean?",
    witness=lambda values: math.sqrt(
        math.fsum((v - math.fsum(values) / len(values)) ** 2 for v in values)
        / (len(values) * (len(values) - 1))
    ),
    cases=lambda rng: [(rng.normal(size=S),) for S in (2, 5, 16)],
    mistakes=(
        Mistake(
            "the standard deviation",
            lambda values: np.std(values, ddof=1),
            "One value strays that much. The mean of many strays less.",
        ),
        Mistake(
            "the standard deviation, and divided by S",
            np.std,
            "One value strays that much. The mean of many strays less.",
        ),
        Mistake(
            "the root of S − 1",
            lambda values: np.std(values, ddof=1) / np.sqrt(len(values) - 1),
            "S − 1 belongs to the standard deviation. How many values is the mean taken over?",
        ),
        Mistake(
            "the range, not the standard deviation",
            lambda values: np.ptp(values) / np.sqrt(len(values)),
            "The standard deviation looks at all values, not at two of them.",
        ),
        Mistake(
            "the root is taken twice",
            lambda values: np.sqrt(np.std(values, ddof=1)) / np.sqrt(len(values)),
            "The standard deviation already includes a root.",
        ),
        Mistake(
            "the mean itself",
            np.mean,
            "The question is how far the mean would stray.",
        ),
        Mistake(
            "divided by S, not by its root",
            lambda values: np.std(values, ddof=1) / len(values),
            "Four times as many values make a mean twice as precise.",
        ),
        Mistake(
            "its square",
            lambda values: np.var(values, ddof=1) / len(values),
            "The error has the unit of the values, not of their squares.",
        ),
    ),
    hints=(
        "The standard deviation (with S − 1), divided by something.",
        "With four times as many seeds, how much more precise is the mean?",
    ),
)


def _moved(weights, gradients, frozen, lr):
    pairs = enumerate(zip(weights, gradients, strict=True))
    return tuple(W if k < frozen else W - lr * dW for k, (W, dW) in pairs)


def _layers(rng, L):
    shapes = [(3, 4), *[(4, 4)] * (L - 2), (4, 2)]
    return [rng.normal(size=s) for s in shapes], [rng.normal(size=s) for s in shapes]


frozen_step = Exercise(
    name="frozen_step",
    lecture="13",
    title="A step with frozen layers",
    witness=_moved,
    cases=lambda rng: [
        (*_layers(rng, L), k, 0.1) for L, k in ((3, 1), (4, 3), (3, 0), (5, 2), (3, 3))
    ],
    mistakes=(
        Mistake(
            "the top is frozen",
            edited(_moved, "k < frozen → k >= len(weights) - frozen"),
            "The lowest layers come first in the list, and they stand still.",
        ),
        Mistake(
            "nothing is frozen",
            edited(_moved, "k < frozen → False"),
            "The lowest layers should come out unchanged.",
        ),
        Mistake(
            "one layer too many is frozen",
            edited(_moved, "k < frozen → k <= frozen"),
            "With frozen = 0 every layer moves.",
        ),
        Mistake(
            "only one layer is frozen",
            edited(_moved, "k < frozen → k == frozen"),
            "`frozen` says how many layers stand still, counted from the lowest.",
        ),
        Mistake(
            "the frozen layers move and the others don't",
            edited(_moved, "k < frozen → k >= frozen"),
            "Frozen means: not moved.",
        ),
        Mistake(
            "the frozen layers are not returned",
            lambda *given: _moved(*given)[given[2] :],
            "They don't move, but the network still needs them.",
        ),
        Mistake(
            "the top is frozen",
            edited(_moved, "k < frozen → k >= len(weights[:-frozen])"),
            "The lowest layers come first in the list. (And [:-0] is empty.)",
        ),
    ),
    hints=(
        "Which positions of the list stay, and which move? Try frozen = 0 and frozen = 1.",
        "A slice takes a part of a list; zip goes through two lists at once. Do the two "
        "begin with the same layer?",
    ),
)


def solver(rng):
    """A stand-in for a descent, whose end depends on where it starts."""
    pull = float(rng.uniform(0.3, 0.7))

    def minimize(objective, start):
        return start + pull * (objective(start) - start)

    return minimize


def family_of(rng, many):
    return [lambda w, c=c: c + 0.1 * w for c in map(float, rng.normal(size=many) * 3)]


def _by_recursion(minimize, family, start):
    if not family:
        return start
    return minimize(family[-1], _by_recursion(minimize, family[:-1], start))


def _one_after_another(minimize, family, start):
    w = start
    for objective in family:
        w = minimize(objective, w)
    return w


continuation = Exercise(
    name="continuation",
    lecture="13",
    title="From easy to hard",
    witness=_by_recursion,
    cases=lambda rng: [
        (solver(rng), family_of(rng, many), float(rng.uniform(-2, 2)))
        for many in (3, 5, 2)
    ],
    forbidden=(*WITNESSES[:-1], "comp551ad.exercises.tasks.lecture_13._"),
    mistakes=(
        Mistake(
            "the last one begins at the start",
            edited(_one_after_another, "(objective, w) → (objective, start)"),
            "Each solution starts the next.",
        ),
        Mistake(
            "the last one is left out",
            edited(_one_after_another, "in family → in family[:-1]"),
            "The last of the family is the objective we care about.",
        ),
        Mistake(
            "the first one is left out",
            edited(_one_after_another, "in family → in family[1:]"),
            "The first descent is on the easiest objective.",
        ),
        Mistake(
            "the ones between are left out",
            edited(_one_after_another, "in family → in (family[0], family[-1])"),
            "The family may have many members: each gets its turn.",
        ),
        Mistake(
            "all the ends, not the last",
            edited(
                _one_after_another,
                "for → ends = [w := minimize(objective, w) for",
                "family:\n        w = minimize(objective, w) → family]",
                "w\n → ends\n",
            ),
            "The question is where the last descent ends.",
        ),
        Mistake(
            "the height, not the place",
            edited(_one_after_another, "return w → return objective(w)"),
            "The question is where the last descent ends, not how low that is.",
        ),
        Mistake(
            "ends of descents are compared, and the best is kept",
            lambda minimize, family, start: min(
                (minimize(objective, start) for objective in family), key=family[-1]
            ),
            "Each solution starts the next: nothing is compared.",
        ),
    ),
    hints=(
        "A loop over the family that keeps one w.",
        "What goes into minimize the second time, and where did you put it the first time?",
    ),
)


def _open(difficulty, t, T):
    N = len(difficulty)
    many = -(-N * (t + 1) // T)
    order = sorted(range(N), key=lambda n: difficulty[n])
    return np.array(order[:many])


def _opening(many: str):
    """With another number of rows."""
    return edited(_open, f"-(-N * (t + 1) // T) → {many}")


curriculum = Exercise(
    name="curriculum",
    lecture="13",
    title="Easy ones first",
    witness=_open,
    cases=lambda rng: [
        (2.0 ** rng.permutation(N), t, T)
        for N, t, T in (
            *((10, 0, 5), (7, 1, 3), (7, 0, 3), (6, 2, 4), (8, 3, 4)),
            *((42, 8, 14), (77, 8, 11)),
        )
    ],
    mistakes=(
        Mistake(
            "a share of the difficulty, not of the rows",
            lambda d, t, T: [n for n in np.argsort(d) if d[n] <= max(d) * (t + 1) / T],
            "How many of the N rows are open, however hard they are?",
        ),
        Mistake(
            "the hard ones first",
            edited(_open, "difficulty[n] → -difficulty[n]"),
            "argsort puts the smallest difficulty first.",
        ),
        Mistake(
            "the right rows, the hardest first",
            edited(_open, "order[:many] → order[:many][::-1]"),
            "The easiest first, as argsort returns them.",
        ),
        Mistake(
            "the difficulties, not the rows",
            edited(_open, "np.array(order[:many]) → np.sort(difficulty)[:many]"),
            "The answer is row numbers, for use in X[rows].",
        ),
        Mistake(
            "in the order of the data",
            edited(_open, "order[:many] → range(many)"),
            "Rank them by difficulty first.",
        ),
        Mistake(
            "all of them at once",
            _opening("N"),
            "At stage t only a share of (t + 1)/T is open.",
        ),
        Mistake(
            "a quotient that is not quite exact is rounded up",
            _opening("math.ceil(N * ((t + 1) / T))"),
            "42 · (9/14) is 27, but what does Python say? Multiply before you divide.",
        ),
        Mistake(
            "rounded down",
            _opening("N * (t + 1) // T"),
            "Where the share is not an integer, one more is open: math.ceil.",
        ),
        *(
            Mistake(
                "rounded to the nearest integer",
                _opening(nearest),
                "⌈ ⌉ rounds up, however small the fraction is: math.ceil.",
            )
            for nearest in ("round(N * (t + 1) / T)", "int(N * (t + 1) / T + 0.5)")
        ),
        Mistake(
            "one too many where the share is an integer",
            _opening("N * (t + 1) // T + 1"),
            "An integer stays what it is: ⌈4⌉ is 4.",
        ),
        Mistake(
            "rounded before it is multiplied",
            _opening("-(-N // T) * (t + 1)"),
            "First N (t + 1) / T, then rounded up.",
        ),
        Mistake(
            "only the new ones",
            edited(_open, "order[:many] → order[-(-N * t // T) : many]"),
            "What was open stays open.",
        ),
        Mistake(
            "the right rows, but not the easiest first",
            edited(_open, "order[:many] → sorted(order[:many])"),
            "Leave them in the order of their difficulty.",
        ),
        Mistake(
            "ranks, not rows",
            edited(_open, "order[:many] → np.argsort(order)[:many]"),
            "One argsort gives the rows in the order of difficulty; two give ranks.",
        ),
        Mistake(
            "a yes or no for each row",
            edited(_open, "np.array(order[:many]) → np.isin(range(N), order[:many])"),
            "The answer is the numbers of the open rows.",
        ),
        Mistake(
            "counted from 1",
            edited(_open, "np.array → 1 + np.array"),
            "Rows are counted as NumPy counts them.",
        ),
        Mistake(
            "how many, not which",
            edited(_open, "np.array(order[:many]) → many"),
            "The answer is row numbers, for use in X[rows].",
        ),
    ),
    hints=(
        "np.argsort(difficulty) lists the rows from easy to hard.",
        "How many of them are open at t = 0, and at t = T - 1? Try N = 7, T = 3.",
    ),
)

EXERCISES = (standard_error, frozen_step, continuation, curriculum)

"""Lecture 13: pretraining, continuation, curriculum (S17)."""

import math

import numpy as np

from ..exercise import WITNESSES, Exercise, Mistake

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
            "the standard deviation, and with S at that",
            np.std,
            "One value strays that much. The mean of many strays less.",
        ),
        Mistake(
            "the root of S − 1",
            lambda values: np.std(values, ddof=1) / np.sqrt(len(values) - 1),
            "S − 1 belongs to the standard deviation. How many values does the mean have?",
        ),
        Mistake(
            "the range, not the standard deviation",
            lambda values: np.ptp(values) / np.sqrt(len(values)),
            "The standard deviation looks at all values, not at two of them.",
        ),
        Mistake(
            "the root is taken twice",
            lambda values: np.sqrt(np.std(values, ddof=1)) / np.sqrt(len(values)),
            "The standard deviation has its root in it.",
        ),
        Mistake(
            "the mean itself",
            np.mean,
            "The question is how far the mean would stray.",
        ),
        Mistake(
            "divided by S, not by its root",
            lambda values: np.std(values, ddof=1) / len(values),
            "Four times as many values make a mean twice as sure.",
        ),
        Mistake(
            "the square of it",
            lambda values: np.var(values, ddof=1) / len(values),
            "The error has the unit of the values, not of their squares.",
        ),
    ),
    hints=(
        "The standard deviation (with S − 1), divided by something.",
        "With four times as many seeds, how much surer is the mean?",
    ),
)


def _moved(weights, gradients, lr, keep):
    return [
        W if keep(k) else W - lr * dW
        for k, (W, dW) in enumerate(zip(weights, gradients, strict=True))
    ]


def _layers(rng, L):
    shapes = [(3, 4), *[(4, 4)] * (L - 2), (4, 2)]
    return [rng.normal(size=s) for s in shapes], [rng.normal(size=s) for s in shapes]


frozen_step = Exercise(
    name="frozen_step",
    lecture="13",
    title="A step with frozen layers",
    witness=lambda weights, gradients, frozen, lr: tuple(
        _moved(weights, gradients, lr, lambda k: k < frozen)
    ),
    cases=lambda rng: [
        (*_layers(rng, L), k, 0.1) for L, k in ((3, 1), (4, 3), (3, 0), (5, 2))
    ],
    mistakes=(
        Mistake(
            "the top is frozen",
            lambda weights, gradients, frozen, lr: tuple(
                _moved(weights, gradients, lr, lambda k: k >= len(weights) - frozen)
            ),
            "The lowest layers come first in the list, and they stand still.",
        ),
        Mistake(
            "nothing is frozen",
            lambda weights, gradients, frozen, lr: tuple(
                _moved(weights, gradients, lr, lambda k: False)
            ),
            "The lowest layers are to come out as they went in.",
        ),
        Mistake(
            "one layer too many is frozen",
            lambda weights, gradients, frozen, lr: tuple(
                _moved(weights, gradients, lr, lambda k: k <= frozen)
            ),
            "With frozen = 0 every layer moves.",
        ),
        Mistake(
            "the frozen move and the others stand",
            lambda weights, gradients, frozen, lr: tuple(
                _moved(weights, gradients, lr, lambda k: k >= frozen)
            ),
            "Frozen means: not moved.",
        ),
        Mistake(
            "the frozen layers are not returned",
            lambda weights, gradients, frozen, lr: tuple(
                _moved(weights, gradients, lr, lambda k: False)[frozen:]
            ),
            "They don't move, but the network still needs them.",
        ),
        Mistake(
            "the top is frozen",
            lambda weights, gradients, frozen, lr: tuple(
                _moved(
                    weights,
                    gradients,
                    lr,
                    lambda k: k >= len(weights[:-frozen] if frozen else []),
                )
            ),
            "The lowest layers come first in the list. (And [:-0] is empty.)",
        ),
    ),
    hints=(
        "Which positions of the list stay, and which move? Try frozen = 0 and frozen = 1.",
        "A slice of a list takes a part of it; zip walks through two lists at once. Do the two "
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
            lambda minimize, family, start: minimize(family[-1], start),
            "Each solution starts the next.",
        ),
        Mistake(
            "the last one is left out",
            lambda minimize, family, start: _by_recursion(minimize, family[:-1], start),
            "The last of the family is the objective we care about.",
        ),
        Mistake(
            "the first one is left out",
            lambda minimize, family, start: _by_recursion(minimize, family[1:], start),
            "The first descent is on the easiest objective.",
        ),
        Mistake(
            "the ones between are left out",
            lambda minimize, family, start: minimize(
                family[-1], minimize(family[0], start)
            ),
            "The family may have many members: each has its turn.",
        ),
        Mistake(
            "all the ends, not the last",
            lambda minimize, family, start: [
                _by_recursion(minimize, family[: k + 1], start)
                for k in range(len(family))
            ],
            "The question is where the last descent ends.",
        ),
        Mistake(
            "the height, not the place",
            lambda minimize, family, start: family[-1](
                _by_recursion(minimize, family, start)
            ),
            "The question is where the last descent ends, not how low that is.",
        ),
        Mistake(
            "the best of separate descents",
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


def _open(difficulty, t, T, count=None, hardest=False):
    N = len(difficulty)
    many = -(-N * (t + 1) // T) if count is None else count(N)
    order = sorted(range(N), key=lambda n: difficulty[n], reverse=hardest)
    return np.array(order[:many], dtype=int)


curriculum = Exercise(
    name="curriculum",
    lecture="13",
    title="Easy ones first",
    witness=_open,
    cases=lambda rng: [
        (rng.permutation(N) + rng.uniform(0, 0.5, size=N), t, T)
        for N, t, T in (
            *((10, 0, 5), (7, 1, 3), (7, 0, 3), (6, 2, 4), (8, 3, 4)),
            *((42, 8, 14), (77, 8, 11)),
        )
    ],
    mistakes=(
        Mistake(
            "the hard ones first",
            lambda difficulty, t, T: _open(difficulty, t, T, hardest=True),
            "argsort puts the smallest difficulty first.",
        ),
        Mistake(
            "the right rows, the hardest first",
            lambda difficulty, t, T: _open(difficulty, t, T)[::-1],
            "The easiest first, as argsort has them.",
        ),
        Mistake(
            "the difficulties, not the rows",
            lambda difficulty, t, T: np.sort(difficulty)[
                : -(-len(difficulty) * (t + 1) // T)
            ],
            "The answer is row numbers, to take X[rows] with.",
        ),
        Mistake(
            "in the order of the data",
            lambda difficulty, t, T: np.arange(-(-len(difficulty) * (t + 1) // T)),
            "Rank them by difficulty first.",
        ),
        Mistake(
            "all of them at once",
            lambda difficulty, t, T: _open(difficulty, t, T, lambda N: N),
            "At stage t only a share of (t + 1)/T is open.",
        ),
        Mistake(
            "a quotient that is not quite exact is rounded up",
            lambda difficulty, t, T: _open(
                difficulty, t, T, lambda N: math.ceil(N * ((t + 1) / T))
            ),
            "42 · (9/14) is 27, but what does Python say? Multiply before you divide.",
        ),
        Mistake(
            "rounded down",
            lambda difficulty, t, T: _open(
                difficulty, t, T, lambda N: N * (t + 1) // T
            ),
            "Where the share is not whole, one more is open: math.ceil.",
        ),
        Mistake(
            "rounded to the nearest",
            lambda difficulty, t, T: _open(
                difficulty, t, T, lambda N: round(N * (t + 1) / T)
            ),
            "⌈ ⌉ rounds up, however small the fraction is: math.ceil.",
        ),
        Mistake(
            "rounded to the nearest",
            lambda difficulty, t, T: _open(
                difficulty, t, T, lambda N: int(N * (t + 1) / T + 0.5)
            ),
            "⌈ ⌉ rounds up, however small the fraction is: math.ceil.",
        ),
        Mistake(
            "one too many where the share is whole",
            lambda difficulty, t, T: _open(
                difficulty, t, T, lambda N: N * (t + 1) // T + 1
            ),
            "A whole number stays what it is: ⌈4⌉ is 4.",
        ),
        Mistake(
            "rounded before it is multiplied",
            lambda difficulty, t, T: _open(
                difficulty, t, T, lambda N: -(-N // T) * (t + 1)
            ),
            "First N (t + 1) / T, then rounded up.",
        ),
        Mistake(
            "only the new ones",
            lambda difficulty, t, T: _open(difficulty, t, T)[
                -(-len(difficulty) * t // T) :
            ],
            "What was open stays open.",
        ),
        Mistake(
            "the right rows, but not the easiest first",
            lambda difficulty, t, T: np.sort(_open(difficulty, t, T)),
            "Leave them in the order of their difficulty.",
        ),
        Mistake(
            "ranks, not rows",
            lambda difficulty, t, T: np.argsort(np.argsort(difficulty))[
                : -(-len(difficulty) * (t + 1) // T)
            ],
            "One argsort gives the rows in the order of difficulty; two give ranks.",
        ),
        Mistake(
            "a yes or no for each row",
            lambda difficulty, t, T: np.isin(
                np.arange(len(difficulty)), _open(difficulty, t, T)
            ),
            "The answer is the numbers of the open rows.",
        ),
        Mistake(
            "counted from 1",
            lambda difficulty, t, T: 1 + _open(difficulty, t, T),
            "Rows are counted as NumPy counts them.",
        ),
        Mistake(
            "how many, not which",
            lambda difficulty, t, T: len(_open(difficulty, t, T)),
            "The answer is row numbers, to take X[rows] with.",
        ),
    ),
    hints=(
        "np.argsort(difficulty) lists the rows from easy to hard.",
        "How many of them are open at t = 0, and at t = T - 1? Try N = 7, T = 3.",
    ),
)

EXERCISES = (standard_error, frozen_step, continuation, curriculum)

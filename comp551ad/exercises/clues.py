"""For which inputs an answer is right: often a clue, such as N = 1 or φ = 0.

`clue` returns a sentence on what the inputs for which it is right have in common.
"""

import contextlib
import io
from collections.abc import Callable
from itertools import islice, product
from typing import Any

import numpy as np

from .exercise import Exercise
from .language import _
from .values import Raised, alike, first_difference

_MOST_TRIED = 20


def _number(value: Any) -> Any:
    """The value, or None for an array: even with a single entry, only its length is tested."""
    return value if np.ndim(value) == 0 else None


# What may be true of an argument; a test that raises counts as false.
_ASKED: tuple[tuple[str, Callable], ...] = (
    ("{} is 0", lambda v: _number(v) == 0),
    ("{} is 1", lambda v: _number(v) == 1),
    ("{} is 1 or less", lambda v: _number(v) <= 1),
    ("{} is even", lambda v: _number(v) % 2 == 0),
    ("len({}) is 1", lambda v: len(v) == 1),
    ("{} has one column", lambda v: v.shape[1] == 1),
    ("{} is square", lambda v: v.shape[0] == v.shape[1]),
    ("len({}) is 2", lambda v: len(v) == 2 and not hasattr(v, "shape")),
    ("{} has at most three entries", lambda v: len(v) <= 3 and not hasattr(v, "shape")),
)


def clue(
    exercise: Exercise, good: list[tuple], bad: list[tuple], answer: Callable
) -> str:
    """What is true of every case in `good` and of none in `bad`; else a good case."""
    if not good or not bad:
        return ""
    names = exercise.argument_names()
    for k, name in enumerate(names):
        rights, wrongs = ([case[k] for case in cases] for cases in (good, bad))
        for text, holds in _ASKED:
            if (
                all(_true(holds, v) for v in rights)
                and not any(_true(holds, v) for v in wrongs)
                and _cases_for(exercise, answer, k, good, bad) > 1
            ):
                where = _("Of the cases tried, it is right where {where}.")
                return where.format(where=_(text).format(name))
    for k, name in enumerate(names):
        sizes, others = ({_size(case[k]) for case in cases} for cases in (good, bad))
        ((text, n), *more) = sizes
        if (
            not (more or sizes & others)
            and n in _typed_in(answer)
            and _cases_for(exercise, answer, k, good, bad)
        ):
            typed = _("It is right where {where}: is that number hard-coded?")
            return typed.format(where=_(text).format(name=name, n=n))
    shortest = min(good, key=lambda case: len(repr(case)))
    return _("It is right for {case}.").format(case=exercise.described(shortest)[0])


def _cases_for(
    exercise: Exercise, answer: Callable, k: int, good: list[tuple], bad: list[tuple]
) -> int:
    """How many cases are evidence for this argument; 0 if any is evidence against it.

    The bad cases are tried with the good ones' argument, where sizes match.
    """
    mixed = [
        (*case[:k], other[k], *case[k + 1 :])
        for case, other in islice(product(bad, good), _MOST_TRIED)
    ] * (len(good[0]) > 1)
    tried = len(good)
    for arguments in mixed:
        right = exercise.outcome(exercise.witness, arguments)
        if isinstance(right, Raised):
            continue
        with contextlib.redirect_stdout(io.StringIO()):
            given = alike(exercise.outcome(answer, arguments), right)
        if first_difference(given, right, exercise.tolerance):
            return 0
        tried += 1
    return tried


def _size(value: Any) -> tuple[str, int | None]:
    if isinstance(value, np.ndarray) and value.ndim or isinstance(value, list | dict):
        return "len({name}) is {n}", len(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return "{name} is {n}", value if whole else None


def _typed_in(answer: Callable) -> list:
    constants = getattr(getattr(answer, "__code__", None), "co_consts", ())
    # 0, 1 and 2 appear in most answers for other reasons.
    return [value for value in constants if type(value) is int and value > 2]


def _true(holds: Callable, value: Any) -> bool:
    try:
        return not isinstance(value, str) and bool(holds(value))
    except (TypeError, AttributeError, ValueError, IndexError):
        return False

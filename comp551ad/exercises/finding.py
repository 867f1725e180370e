"""What is wrong with an answer: the mistake that gives what the answer gives, by its name.

Where answer and witness differ, `finding` looks for a mistake that gives the same in every
case: one of the exercise's own, a usual one (sign, transpose, 1/N), or one of each. It does
so for the answer as a whole, then for each part of it. Where nothing fits, it says what can
be said in general.

    Trial      one case, tried out
    finding    cases -> names of mistakes, and what to say of them

Read by `checking.py`.
"""

import linecache
import os
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from .exercise import Exercise, Mistake
from .usual import usual_mistakes
from .values import Difference, Raised, agree, first_difference, in_words

# The names of the mistakes, and what to say of them.
Finding = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Trial:
    """One case: its arguments, what the answer gave and what the witness gave."""

    arguments: tuple
    given: Any
    right: Any


def finding(exercise: Exercise, trials: list[Trial]) -> Finding | None:
    """What is wrong in these cases; None if all is right."""
    missed = [trial for trial in trials if _wrong_parts(exercise, trial)]
    if not missed:
        return None
    first = missed[0]
    if isinstance(first.given, Raised):
        return _raised(exercise, trials, first)
    difference = first_difference(
        first.given, first.right, exercise.tolerance, exercise.parts
    )
    assert difference is not None  # or nothing would be missed
    case = exercise.described(first.arguments)
    where = f"{case and f'For {case}: '}{difference.told(exercise.secret)}"
    wrong = list(dict.fromkeys(p for t in missed for p in _wrong_parts(exercise, t)))
    whole = _explain_whole(exercise, trials) or _in_another_order(exercise, trials)
    if whole and len(wrong) > 1:
        return (whole.name,), (where, f"Hint: {whole.hint}")
    found = {path: whole or _explain(exercise, trials, path) for path in wrong}
    if not any(found.values()):
        return (_unexplained(exercise, trials, difference),), (where,)
    concerns: dict[Mistake, list[str]] = {}
    for path, mistake in found.items():
        if mistake:
            concerns.setdefault(mistake, []).append(path)
    everywhere = list(exercise.parts_of(first.right))
    names = [
        mistake.name
        if paths in ([""], everywhere)
        else f"{', '.join(paths)}: {mistake.name}"
        for mistake, paths in concerns.items()
    ]
    return tuple(names), (where, *(f"Hint: {mistake.hint}" for mistake in concerns))


def _wrong_parts(exercise: Exercise, trial: Trial) -> list[str]:
    """Which parts of the answer (`""` for all of it) differ from the witness's."""
    if isinstance(trial.given, Raised):
        return [""]
    given, right = exercise.parts_of(trial.given), exercise.parts_of(trial.right)
    if given.keys() != right.keys():
        return [path for path in right if path not in given] or [""]
    return [p for p in right if not agree(given[p], right[p], exercise.tolerance)]


def _explain_whole(exercise: Exercise, trials: list[Trial]) -> Mistake | None:
    """The first mistake that gives all of what the answer gives, in every case."""
    for mistake in exercise.mistakes:
        wrongs = [exercise.outcome(mistake.wrong, t.arguments) for t in trials]
        if all(
            agree(t.given, w, exercise.tolerance)
            if isinstance(t.given, Raised)
            else not first_difference(t.given, w, exercise.tolerance)
            for t, w in zip(trials, wrongs, strict=True)
        ):
            return mistake
    return None


def _in_another_order(exercise: Exercise, trials: list[Trial]) -> Mistake | None:
    """Are they the right parts of a tuple, but not in the order that was asked for?"""
    for order in permutations(range(len(exercise.parts))):
        if all(
            isinstance(t.given, tuple)
            and len(t.given) == len(order)
            and not first_difference(
                tuple(t.given[k] for k in order), t.right, exercise.tolerance
            )
            for t in trials
        ):
            due = f"What is asked for is {', '.join(exercise.parts)}, in this order."
            return Mistake("in another order", exercise.witness, due)
    return None


def _explain(exercise: Exercise, trials: list[Trial], path: str) -> Mistake | None:
    """The first mistake that gives what the answer gives at `path`, in every case."""

    def at_path(value: Any, missing: Any = None) -> Any:
        if isinstance(value, Raised):
            return value
        return exercise.parts_of(value).get(path, missing)

    def wrongly(mistake: Mistake) -> list:  # a mistake may give other parts alone
        wrongs = [exercise.outcome(mistake.wrong, t.arguments) for t in trials]
        return [at_path(wrong, Raised(KeyError(path))) for wrong in wrongs]

    givens = [at_path(t.given) for t in trials]
    rights = [at_path(t.right) for t in trials]
    own = [(mistake, wrongly(mistake)) for mistake in exercise.mistakes]
    for mistake, wrongs in own:
        if all(
            agree(given, wrong, exercise.tolerance)
            for given, wrong in zip(givens, wrongs, strict=True)
        ):
            return mistake
    sizes = [exercise.batch(*t.arguments) if exercise.batch else None for t in trials]
    for name, hint in usual_mistakes(givens, rights, sizes, exercise.tolerance):
        return Mistake(name, exercise.witness, hint)
    for mistake, wrongs in own:  # two mistakes at once
        for name, hint in usual_mistakes(givens, wrongs, sizes, exercise.tolerance):
            if name.startswith(("off by", "the same")):
                continue  # beside another mistake that is a coincidence
            both = f"{mistake.hint} And: {hint}"
            return Mistake(f"{mistake.name}, and {name}", mistake.wrong, both)
    return None


def _raised(exercise: Exercise, trials: list[Trial], first: Trial) -> tuple:
    """An exception of the answer's own, told as the student's."""
    error = first.given.error
    if isinstance(error, KeyboardInterrupt):
        return ("it was stopped before it gave an answer",), (
            f"It was still at work on {exercise.described(first.arguments)}.",
            "Hint: does the loop ever end?",
        )
    mistake = _explain_whole(exercise, trials)
    if mistake:
        return (mistake.name,), (_traceback(error), f"Hint: {mistake.hint}")
    case = exercise.described(first.arguments)
    says = [f"For {case}:", _traceback(error)] if case else [_traceback(error)]
    good = [t for t in trials if not _wrong_parts(exercise, t)]
    if good:
        says.append(f"It is right for {exercise.described(good[0].arguments)}.")
        return ("right for some inputs only",), tuple(says)
    return (f"it raises {type(error).__name__}",), tuple(says)


def _traceback(error: BaseException) -> str:
    """The error and the line of the student's own code that it came from."""
    text = in_words(error)
    here = os.path.dirname(__file__)
    steps = []
    step = error.__traceback__
    while step is not None:
        filename = step.tb_frame.f_code.co_filename
        if not filename.startswith(here):
            steps.append((filename, step.tb_lineno))
        step = step.tb_next
    if not steps:
        return text
    filename = steps[0][0]  # the answer's own file: deeper frames are the library's
    line = [number for name, number in steps if name == filename][-1]
    source = linecache.getline(filename, line).strip()
    return f"{text} (line {line}: {source})" if source else text


def _unexplained(
    exercise: Exercise, trials: list[Trial], difference: Difference
) -> str:
    """What is wrong in general, where no mistake that we know fits."""
    if any(not _wrong_parts(exercise, t) for t in trials):
        return "right for some inputs only"
    if difference.kind != "value":
        return difference.kind
    return "not the right value yet"

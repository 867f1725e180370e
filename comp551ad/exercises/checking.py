"""Checks that say which mistake was made.

An exercise stands beside a *witness*: a function that works the answer out another way
than the student is asked to. It also knows the mistakes that people make, each written
as the function that someone who makes it would hand in. A check runs the answer and the
witness on the same inputs; where they differ it looks for the mistake whose function
gives what the answer gives, and calls it by its name.

    Verdict     what a check found, in words
    judge       an answer against an exercise: a Verdict, and nothing else happens
    check       the same for students: finds the exercise, keeps their progress
    hint        a word of help

What an exercise is stands in `exercise.py`, how a mistake is found in `finding.py`; what is
asked in `tasks/`, a module a lecture; `catalogue.py` collects it.
"""

import difflib
import html
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .catalogue import catalogue
from .exercise import Exercise
from .finding import Finding, Trial, finding
from .progress import is_graded, note
from .values import Raised, in_words, kept, shown, unchanged

__all__ = [
    "NotPassed",
    "Verdict",
    "WitnessFailed",
    "check",
    "hint",
    "judge",
]

_PACKAGE = __package__.partition(".")[0] + "."


# --- what is found --------------------------------------------------------------------

_MARKS = {"passed": "✓", "not yet": "✗", "not attempted": "○"}
_COLOURS = {"passed": "#0072b2", "not yet": "#d55e00", "not attempted": "#777777"}


@dataclass(frozen=True)
class Verdict:
    """What a check found: `status`, the names of the `mistakes`, and what to say."""

    exercise: str
    status: str  # "passed", "not yet" or "not attempted"
    mistakes: tuple[str, ...] = ()
    says: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.status == "passed"

    @property
    def headline(self) -> str:
        found = "; ".join(self.mistakes) or self.status
        return f"{_MARKS[self.status]} {self.exercise}: {found}"

    def __repr__(self) -> str:
        return "\n  ".join([self.headline, *self.says])

    def _repr_html_(self) -> str:
        rows = "".join(f"<div>{html.escape(line)}</div>" for line in self.says)
        return (
            f'<div style="border-left:4px solid {_COLOURS[self.status]};'
            f'padding:2px 10px"><b>{html.escape(self.headline)}</b>{rows}</div>'
        )


class WitnessFailed(RuntimeError):
    """The course's own way to work an answer out raised: nothing of the student's."""


class NotPassed(AssertionError):
    """Raised by `check` where a grader runs it: there, words alone would earn the point."""


# --- judging --------------------------------------------------------------------------


def judge(exercise: Exercise, answer: Callable) -> Verdict:
    """Hold `answer` against the witness and name what is wrong with it.

    Whatever it gives, there is a Verdict: what can't even be looked at is told as such.
    """
    try:
        return _judged(exercise, answer)
    except WitnessFailed:
        raise
    except Exception as error:
        says = f"Looking at what your answer gives raises {in_words(error)}."
        return Verdict(exercise.name, "not yet", ("it can't be looked at",), (says,))


def _judged(exercise: Exercise, answer: Callable) -> Verdict:
    trials, broken_rule = _try_out(exercise, answer)
    given = trials[-1].given
    if _is_stub(given):
        return Verdict(exercise.name, "not attempted")
    if broken_rule is not None:
        return Verdict(exercise.name, "not yet", *broken_rule)
    with np.errstate(all="ignore"):  # mistakes may overflow
        found = finding(exercise, trials)
    if found is None:
        return Verdict(exercise.name, "passed")
    mistakes, says = found
    if exercise.hints:
        says = (*says, f"More help: hint({exercise.name})")
    return Verdict(exercise.name, "not yet", mistakes, says)


def _try_out(
    exercise: Exercise, answer: Callable
) -> tuple[list[Trial], Finding | None]:
    """Run every case; stop at the first that breaks a rule or isn't attempted.

    Returns the cases that were tried, and what to say of the rule that was broken.
    """
    trials: list[Trial] = []
    says: tuple[str, ...]
    for arguments in exercise.all_cases():
        right = exercise.outcome(exercise.witness, arguments)
        if isinstance(right, Raised):
            told = f"the witness of {exercise.name} failed"
            raise WitnessFailed(told) from right.error
        theirs = deepcopy(arguments)
        with _Watch(answer, exercise.forbidden) as watch:
            try:
                given = exercise.use(answer, *theirs)
            except BaseException as error:  # SystemExit, GeneratorExit, …
                given = Raised(error)
        if isinstance(right, tuple) and _is_row(given, len(right)):
            given = tuple(given)
        if isinstance(right, list | np.ndarray) and isinstance(given, tuple):
            given = list(given)
        trials.append(Trial(arguments, kept(given), right))
        if _is_stub(given) or _interrupted(given):
            return trials, None
        if watch.called is not None:
            says = (
                f"Your answer called {watch.called}; here you are to work it out yourself.",
            )
            return trials, (("it calls the library's own",), says)
        changed = _changed(exercise, arguments, theirs)
        if changed is not None:
            says = (
                f"After the call, {changed} is no longer what it was: whoever called your "
                "function still needs it.",
                "Hint: work on a copy; leave out +=, -=, a[...] =, append and pop on arguments.",
            )
            return trials, (("it changes its input in place",), says)
    return trials, None


def _is_row(given: Any, parts: int) -> bool:
    """May it stand for a tuple: a list, or an array with a row for each part?"""
    is_array = isinstance(given, np.ndarray) and given.shape[:1] == (parts,)
    return is_array or isinstance(given, list)


def _is_stub(given: Any) -> bool:
    """An answer that nobody has begun: nbgrader's stub, `...`, or a table of `...`."""
    if isinstance(given, Raised):
        return isinstance(given.error, NotImplementedError)
    if isinstance(given, dict) and given:
        return all(_is_stub(entry) for entry in given.values())
    return given is ...


def _interrupted(given: Any) -> bool:
    return isinstance(given, Raised) and isinstance(given.error, KeyboardInterrupt)


class _Watch:
    """Looks over an answer's shoulder: which forbidden function did it call, if any?

    What this package calls by itself is no business of the answer's.
    """

    def __init__(self, answer: Callable, forbidden: tuple[str, ...]):
        self.forbidden = forbidden
        module, function = (
            getattr(answer, part, "") for part in ("__module__", "__qualname__")
        )
        name = f"{module}.{function}"
        self.called = name if name.startswith(forbidden) else None

    def _profile(self, frame, event, _):
        if event == "call" and self.called is None:
            name = f"{_module(frame)}.{frame.f_code.co_qualname}"
            ours = _module(frame.f_back).startswith(_PACKAGE)
            if name.startswith(self.forbidden) and not ours:
                self.called = name

    def __enter__(self) -> "_Watch":
        self.before = sys.getprofile()
        if self.forbidden:
            sys.setprofile(self._profile)
        return self

    def __exit__(self, *_):
        sys.setprofile(self.before)


def _module(frame: Any) -> str:
    return frame.f_globals.get("__name__") or ""


def _changed(exercise: Exercise, before: tuple, after: tuple) -> str | None:
    """The name of the argument that the answer has changed, if it has."""
    for name, old, new in zip(exercise.argument_names(), before, after, strict=False):
        if not unchanged(old, new):
            return name
    return None


# --- for students ---------------------------------------------------------------------


def check(answer: Callable, exercise: str | None = None) -> Verdict:
    """Check an answer: `check(my_function)`.

    The function's own name says which exercise it answers; `exercise` says it where it
    is called otherwise. Whatever the function does, you get a Verdict: its own errors are
    told as its own. Where a grader runs the notebook, an answer that doesn't pass raises.
    """
    if not callable(answer):
        raise TypeError(
            f"check: answer is {shown(answer)}, but a function is checked; "
            f"write check({exercise or 'your_function'}), without calling it"
        )
    asked = _find(exercise or getattr(answer, "__name__", answer))
    verdict = judge(asked, answer)
    attempted = verdict.status != "not attempted"
    warning = attempted and note(asked.name, asked.lecture, verdict.passed)
    if warning:
        verdict = replace(verdict, says=(*verdict.says, warning))
    if not verdict.passed and is_graded():
        raise NotPassed(repr(verdict))
    return verdict


def hint(answer: Callable | str, which: int = 1) -> str:
    """A hint for an exercise, `hint(my_function)`; a further one is `hint(..., 2)`."""
    asked = _find(getattr(answer, "__name__", answer))
    many = len(asked.hints)
    whole = isinstance(which, int | np.integer) and not isinstance(which, bool)
    if not whole or which not in range(1, many + 1):
        raise ValueError(
            f"hint: which is {which!r}, but {asked.name} has hints 1 to {many}"
        )
    return _Text(f"{asked.hints[which - 1]} ({which} of {many})")


class _Text(str):
    """Text that shows itself as it reads, without quotes."""

    __repr__ = str.__str__


def _find(name: Any) -> Exercise:
    """The exercise of this name."""
    exercises = catalogue()
    if isinstance(name, str) and name in exercises:
        return exercises[name]
    near = difflib.get_close_matches(str(name), exercises, n=3)
    meant = f"did you mean {', '.join(near)}?" if near else "keep the name it was given"
    raise LookupError(f"no exercise is called {name}; {meant}")

"""Checks that say which mistake was made.

An exercise has a *witness*: a function that computes the answer in a different way
than the student is asked to. It also lists the mistakes that people make, each as the
function that someone who makes it would write. A check runs the answer and the
witness on the same inputs; if they differ, it looks for the mistake whose function
returns what the answer returns, and names it.

    Verdict     what a check found, in words
    judge       judge an answer: returns a Verdict and has no side effects
    check       the same for students: finds the exercise, saves their progress
    hint        a short hint

`exercise.py` defines exercises, `finding.py` finds mistakes, `tasks/` has the exercises, one
module per lecture, and `catalogue.py` collects them.
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
from .finding import Finding, Trial, finding, hinted
from .guard import TimeLimit, as_it_was, stoppable, time_limit
from .language import _
from .progress import is_graded, next_step, note
from .solutions import solution
from .values import Endless, Raised, alike, bounded, in_words, kept, shown, unchanged

__all__ = [
    "NotPassed",
    "Verdict",
    "WitnessFailed",
    "check",
    "hint",
    "judge",
]

# An answer computed by a formula agrees to this tolerance; finite differences don't.
EXACT = 1e-12
_PACKAGE = __package__.partition(".")[0] + "."


# --- what is found --------------------------------------------------------------------

_MARKS = {"passed": "✓", "not yet": "✗", "not attempted": "○"}
_COLOURS = {"passed": "#009e73", "not yet": "#d55e00", "not attempted": "#777777"}


@dataclass(frozen=True)
class Verdict:
    """What a check found: `status`, the names of the `mistakes`, and what to say.

    `case` holds the arguments of a small case that fails: `your_function(*verdict.case)`.
    """

    exercise: str
    status: str  # "passed", "not yet" or "not attempted"
    mistakes: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    case: tuple | None = None
    then: tuple[str, str] = ("", "")  # after a pass: what is next, and a link to it
    parts: tuple[tuple[str, bool], ...] = ()  # of an answer with parts: which are right

    @property
    def passed(self) -> bool:
        return self.status == "passed"

    @property
    def headline(self) -> str:
        found = "; ".join(self.mistakes) or _(self.status)
        return f"{_MARKS[self.status]} {self.exercise}: {found}"

    def __repr__(self) -> str:
        return "\n  ".join(filter(None, [self.headline, *self.says, self.then[0]]))

    def _repr_html_(self) -> str:
        parts = [_marked(*part) for part in self.parts] * (len(self.parts) > 1)
        told, link = self.then
        before, arrow, name = map(html.escape, told.partition(_("next: ")))
        following = f'<a href="{html.escape(link)}">{name}</a>' if link else name
        rows = [" · ".join(parts), *map(html.escape, self.says)]
        rows = [row for row in (*rows, before + arrow + following) if row]
        return (
            f'<div style="border-left:4px solid {_COLOURS[self.status]};'
            f'padding:2px 10px"><b>{html.escape(self.headline)}</b>'
            f"{''.join(f'<div>{row}</div>' for row in rows)}</div>"
        )


def _marked(name: str, right: bool) -> str:
    status = "passed" if right else "not yet"
    colour = f'style="color:{_COLOURS[status]}"'
    return f"<span {colour}>{_MARKS[status]} {html.escape(name)}</span>"


class WitnessFailed(RuntimeError):
    """The course's witness raised: not the student's fault."""


class NotPassed(AssertionError):
    """Raised by `check` under a grader, where a cell earns its point unless it raises."""


# --- judging --------------------------------------------------------------------------


def judge(exercise: Exercise, answer: Callable) -> Verdict:
    """Compare `answer` with the witness and name what is wrong with it.

    `answer` is called with the arguments of each case and may run in another process: only
    what it returns or raises matters. If its source can be read, the verdict also says on
    which line it departs from the solution. The same answer is always right or wrong in the
    same parts; only the name of a mistake may be missing on a slow machine. Whatever the
    answer does, there is a verdict, and the notebook's state is restored.

    Raises:
        WitnessFailed: the course's witness raised.
        KeyboardInterrupt: the check was interrupted while it examined a returned value.
    """
    with as_it_was(), stoppable(answer):
        try:
            # A generator has its own exception state: otherwise, an exception that the answer
            # was handling when it was stopped would become the context of the notebook's errors.
            return next(_judged(exercise, answer) for once in "1")
        except (WitnessFailed, KeyboardInterrupt):
            raise
        except TimeLimit:
            return _unseen(
                exercise, _("Examining what your answer returns takes too long.")
            )
        except BaseException as error:  # SystemExit too, from an object's own methods
            says = _("Examining what your answer returns raises {error}.")
            return _unseen(exercise, says.format(error=in_words(error)))


def inexact(exercise: Exercise, answer: Callable) -> tuple[str, ...]:
    """Why grading rejects an answer that passes, if it does: differences aren't exact."""
    by_hand = {"comp551ad.autodiff.", "comp551ad.differences."} <= {*exercise.forbidden}
    if not by_hand or exercise.tolerance >= 1e-5:
        return ()
    if judge(replace(exercise, forbidden=(), tolerance=EXACT), answer).passed:
        return ()
    return (
        _("right to a few digits only, as differences are"),
        _("This exercise asks for a formula, and grading checks twelve digits."),
    )


def _unseen(exercise: Exercise, says: str) -> Verdict:
    return Verdict(exercise.name, "not yet", (_("it can't be examined"),), (says,))


def _judged(exercise: Exercise, answer: Callable) -> Verdict:
    trials, broken_rule = _try_out(exercise, answer)
    given = trials[-1].given
    if _is_stub(given):
        return Verdict(exercise.name, "not attempted")
    # For examining what was returned: the search for a name has its own limit.
    with time_limit(6 * exercise.seconds):
        found = broken_rule or finding(exercise, trials, answer)
    if found is None:
        return Verdict(exercise.name, "passed")
    says = found.says
    if exercise.hints and not any(line.startswith(hinted("")) for line in says):
        more = _("More help: hint({name})").format(name=exercise.name)
        says = (*says, more)
    return Verdict(
        exercise.name, "not yet", found.mistakes, says, found.case, parts=found.parts
    )


def _try_out(
    exercise: Exercise, answer: Callable
) -> tuple[list[Trial], Finding | None]:
    """Run every case; stop at the first that breaks a rule or isn't attempted.

    Returns the cases that were tried, and a Finding if a rule was broken.
    """
    trials, limit = [], time_limit(exercise.seconds)
    for arguments, right in zip(exercise.all_cases, exercise.right, strict=True):
        if isinstance(right, Raised):
            told = f"the witness of {exercise.name} failed"
            raise WitnessFailed(told) from right.error
        theirs, watch = deepcopy(arguments), _Watch(answer, exercise.forbidden)
        try:
            with limit:
                with watch:
                    given = bounded(exercise.use(answer, *theirs))
                given = kept(alike(given, right))
        except BaseException as error:  # SystemExit, GeneratorExit, …
            given = Raised(error)
        trials.append(Trial(arguments, given, right))
        if _is_stub(given) or _interrupted(given):
            return trials, None
        broken = _broken_rule(exercise, watch.called, arguments, theirs, given)
        if broken:
            names, says = broken
            return trials, Finding(names, says, arguments)
    return trials, None


def _broken_rule(
    exercise: Exercise, called: str | None, before: tuple, after: tuple, given: Any
) -> tuple[tuple[str], tuple[str, ...]] | None:
    """The name of the rule that an answer broke, and what to say about it."""
    if called is not None:
        told = _(
            "Your answer called {function}: in this exercise, compute it yourself."
        )
        told = told.format(function=called.removeprefix(_PACKAGE))
        return (_("it calls the library"),), (told,)
    if isinstance(given, Raised) and isinstance(given.error, Endless):
        told = _("What your answer returns can't be examined: {error}.")
        told = told.format(error=given.error)
        return (_("it returns something endless"),), (told,)
    changed = _changed(exercise, before, after)
    if changed is None:
        return None
    told = _("After the call, {name} has changed, but the caller still needs it.")
    question = _(
        "Which of your lines writes into an argument: +=, -=, a[...] =, append, pop?"
    )
    says = told.format(name=changed), hinted(question)
    return (_("it changes its input in place"),), says


def _is_stub(given: Any) -> bool:
    """An answer that hasn't been started: nbgrader's stub, `...`, or a table of `...`."""
    if isinstance(given, Raised):
        return isinstance(given.error, NotImplementedError)
    if isinstance(given, dict) and given:
        return all(_is_stub(entry) for entry in given.values())
    return given is ...


def _interrupted(given: Any) -> bool:
    stopped = KeyboardInterrupt | TimeLimit
    return isinstance(given, Raised) and isinstance(given.error, stopped)


class _Watch:
    """Records the first forbidden function that an answer calls, if any.

    Calls from inside this package don't count.
    """

    def __init__(self, answer: Callable, forbidden: tuple[str, ...]):
        self.forbidden = forbidden
        module = getattr(answer, "__module__", "")
        name = f"{module}.{getattr(answer, '__qualname__', '')}"
        self.called = name if name.startswith(forbidden) else None

    def _profile(self, frame, event, argument):
        if event == "call" and self.called is None:
            name = f"{_module(frame)}.{frame.f_code.co_qualname}"
            caller = frame.f_back
            # These may come between two functions of ours.
            while _module(caller) in ("contextlib", "functools"):
                caller = caller.f_back
            ours = _module(caller).startswith(_PACKAGE)
            if name.startswith(self.forbidden) and not ours:
                self.called = name

    def __enter__(self) -> None:
        self.before = sys.getprofile()
        if self.forbidden:
            sys.setprofile(self._profile)

    def __exit__(self, *error):
        sys.setprofile(self.before)


def _module(frame: Any) -> str:
    return frame.f_globals.get("__name__") or ""


def _changed(exercise: Exercise, before: tuple, after: tuple) -> str | None:
    """The name of the first argument that the answer changed, if any."""
    for name, old, new in zip(exercise.argument_names(), before, after, strict=False):
        if not unchanged(old, new):
            return name
    return None


# --- for students ---------------------------------------------------------------------


def check(answer: Callable, exercise: str | None = None) -> Verdict:
    """Check an answer: `check(my_function)`.

    The function's name says which exercise it answers; pass `exercise` if it has a
    different name. Whatever the function does, you get a Verdict, which reports the errors
    that it raises. If a grader runs the notebook, an answer that doesn't pass raises.
    """
    if not callable(answer):
        raise TypeError(
            f"check: answer is {shown(answer)}, expected a function; "
            f"write check({exercise or 'your_function'}), without calling it"
        )
    asked = _find(exercise or getattr(answer, "__name__", answer))
    verdict = judge(asked, answer)
    attempted = verdict.status != "not attempted"
    warning = attempted and note(asked.name, passed=verdict.passed)
    if warning:
        verdict = replace(verdict, says=(*verdict.says, warning))
    elif verdict.passed and not is_graded():
        says = inexact(asked, answer)
        verdict = replace(verdict, says=says, then=next_step(asked))
    if not verdict.passed and is_graded():
        raise NotPassed(repr(verdict))
    return verdict


def hint(answer: Callable | str, which: int = 1) -> str:
    """A hint for an exercise, `hint(my_function)`; the next one is `hint(..., 2)`.

    The last one shows a line of the solution; `progress()` says if it was shown.
    """
    asked = _find(getattr(answer, "__name__", answer))
    line = _a_line_of_the_solution(asked)
    texts = [_(text) for text in asked.hints]
    if line:
        texts.append(_("One line of the solution: {line}").format(line=line))
    whole = isinstance(which, int | np.integer) and not isinstance(which, bool)
    if not whole or which not in range(1, len(texts) + 1):
        raise ValueError(
            f"hint: which is {which!r}, but {asked.name} has hints 1 to {len(texts)}"
        )
    if which > len(asked.hints):
        note(asked.name, shown=True)
    told = _("{hint} ({number} of {many})")
    if line and which == 2:
        told = _("{hint} ({number} of {many}; the last shows a line of the solution)")
    return _Text(told.format(hint=texts[which - 1], number=which, many=len(texts)))


def _a_line_of_the_solution(exercise: Exercise) -> str:
    """The longest of its lines; "" where the answer is a prediction."""
    known = solution(exercise.name, exercise.lecture) if exercise.searched else None
    if known is None:
        return ""
    body = known.source.split('"""')[-1].split("\n")
    lines = [line.partition("  #")[0].strip() for line in body]
    telling = [line for line in lines if len(line) > 8 and line[-1] not in "([{:"]
    return max(telling, key=len, default="")


class _Text(str):
    """A string whose repr has no quotes."""

    __repr__ = str.__str__


def _find(name: Any) -> Exercise:
    """The exercise of this name."""
    exercises = catalogue()
    if isinstance(name, str) and name in exercises:
        return exercises[name]
    near = difflib.get_close_matches(str(name), exercises, n=3)
    meant = f"did you mean {', '.join(near)}?" if near else "don't rename the function"
    raise LookupError(f"no exercise is called {name}; {meant}")

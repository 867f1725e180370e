"""Checks that say which mistake was made.

An exercise stands beside a *witness*: a function that works the answer out another way
than the student is asked to. It also knows the mistakes that people make, each written
as the function that someone who makes it would hand in. A check runs the answer and the
witness on the same inputs; where they differ it looks for the mistake whose function
gives what the answer gives, and calls it by its name.

    Exercise    what is asked: witness, inputs, mistakes, hints
    Mistake     a name, the wrong function, a hint
    Verdict     what a check found, in words
    judge       an answer against an exercise: a Verdict, and nothing else happens
    check       the same for students: finds the exercise, keeps their progress

Mistakes that any array can have (sign, transpose, 1/N) are in `usual.py`. What is asked
is in `tasks/`, a module a lecture; answers typed as formulas are read by `formulas.py`.
"""

import functools
import html
import importlib
import inspect
import linecache
import os
import pkgutil
import sys
import zlib
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from .progress import note
from .usual import usual_mistakes
from .values import Difference, Raised, agree, arrays, first_difference, leaves, shown

_PACKAGE = __package__.partition(".")[0] + "."

# What answers may not call, unless an exercise says otherwise: the library's own.
WITNESSES = (
    "comp551ad.autodiff.",
    "comp551ad.byhand.",
    "comp551ad.differences.",
    "comp551ad.gradcheck.",
    "comp551ad.exercises.tasks.",
)


# --- what is asked --------------------------------------------------------------------


@dataclass(frozen=True)
class Mistake:
    """A mistake that people make, as the function that they hand in.

    `wrong` is called as the answer is. Where the answer is a dict, it may give the
    entries it concerns and no others. `hint` helps without giving the answer.
    """

    name: str
    wrong: Callable[..., Any]
    hint: str


def plainly(answer: Callable, *arguments: Any) -> Any:
    """How most answers are used: they are called."""
    return answer(*arguments)


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    - `name` is the function the student writes, `lecture` two digits, `title` a few words;
    - `witness(*arguments)` gives the right answer, by another way than asked;
    - `cases(rng)` gives the inputs, a tuple of arguments each: several shapes, and the
      corners. It is called twice, with a generator that is the same every time (so that
      a student sees the same numbers again) and with a fresh one;
    - `use(answer, *arguments)` says how an answer meets a case where calling it is not
      enough: an answer that is a class, or a table of formulas (`formulas`). Witness and
      mistakes are used in the same way;
    - `batch(*arguments)` is the N by which an average divides, if there is one;
    - `secret` keeps the right value out of the verdict: for tables and predictions;
    - `forbidden` are the beginnings of names that an answer may not call.
    """

    name: str
    lecture: str
    title: str
    witness: Callable[..., Any]
    cases: Callable[[np.random.Generator], Iterable[tuple]]
    mistakes: tuple[Mistake, ...] = ()
    hints: tuple[str, ...] = ()
    use: Callable[..., Any] = plainly
    batch: Callable[..., int] | None = None
    secret: bool = False
    forbidden: tuple[str, ...] = WITNESSES
    tolerance: float = 1e-6

    def all_cases(self) -> list[tuple]:
        """The inputs of one check: the same as last time, then fresh ones."""
        same = np.random.default_rng(zlib.crc32(self.name.encode()))
        return [*self.cases(same), *self.cases(np.random.default_rng())]

    def outcome(self, answer: Callable, arguments: tuple) -> Any:
        """What `answer` gives for a copy of these arguments, or the `Raised` it raises."""
        try:
            with np.errstate(
                all="ignore"
            ):  # no warnings but for the student's own code
                return self.use(answer, *deepcopy(arguments))
        except Exception as error:
            return Raised(error)


@functools.cache
def catalogue() -> dict[str, Exercise]:
    """Every exercise by its name, in the order of the lectures."""
    from . import tasks

    found: dict[str, Exercise] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(tasks.__path__)):
        exercises = importlib.import_module(f"{tasks.__name__}.{module}").EXERCISES
        for exercise in exercises:
            if exercise.name in found:
                raise ValueError(f"two exercises are called {exercise.name}")
            found[exercise.name] = exercise
    return found


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


class NotPassed(AssertionError):
    """Raised by `check` where a grader runs it: there, words alone would earn the point."""


# --- judging --------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """One case: its arguments, what the answer gave and what the witness gave."""

    arguments: tuple
    given: Any
    right: Any


def judge(exercise: Exercise, answer: Callable) -> Verdict:
    """Hold `answer` against the witness and name what is wrong with it."""
    trials, broken_rule = _try_out(exercise, answer)
    given = trials[-1].given
    if _is_stub(given):
        return Verdict(exercise.name, "not attempted")
    if broken_rule is not None:
        return Verdict(exercise.name, "not yet", *broken_rule)
    with np.errstate(all="ignore"):  # mistakes may overflow
        finding = _finding(exercise, trials)
    if finding is None:
        return Verdict(exercise.name, "passed")
    mistakes, says = finding
    if exercise.hints:
        says = (*says, f"More help: hint({exercise.name})")
    return Verdict(exercise.name, "not yet", mistakes, says)


def _try_out(exercise: Exercise, answer: Callable) -> tuple[list[Trial], tuple | None]:
    """Run every case; stop at the first that breaks a rule or isn't attempted."""
    trials = []
    for arguments in exercise.all_cases():
        right = exercise.outcome(exercise.witness, arguments)
        if isinstance(right, Raised):
            raise RuntimeError(
                f"the witness of {exercise.name} failed"
            ) from right.error
        theirs = deepcopy(arguments)
        with _Watch(answer, exercise.forbidden) as watch:
            try:
                given = exercise.use(answer, *theirs)
            except KeyboardInterrupt as stop:
                given = Raised(stop)
            except Exception as error:
                given = Raised(error)
        if isinstance(right, tuple) and isinstance(given, list):
            given = tuple(given)
        if isinstance(right, list | np.ndarray) and isinstance(given, tuple):
            given = list(given)
        trials.append(Trial(arguments, deepcopy(given), right))
        if _is_stub(given) or _interrupted(given):
            return trials, None
        if watch.called is not None:
            says = f"Your answer called {watch.called}; here you are to work it out yourself."
            return trials, (("it calls the library's own",), (says,))
        changed = _changed(exercise, arguments, theirs)
        if changed is not None:
            says = (
                f"After the call, {changed} is no longer what it was: whoever called your "
                "function still needs it.",
                "Hint: work on a copy, and leave out +=, -= and a[...] = on arguments.",
            )
            return trials, (("it changes its input in place",), says)
    return trials, None


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
        name = (
            f"{getattr(answer, '__module__', '')}.{getattr(answer, '__qualname__', '')}"
        )
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
    for name, old, new in zip(_argument_names(exercise), before, after, strict=False):
        pairs = zip(arrays(old), arrays(new), strict=True)
        if any(not np.array_equal(a, b, equal_nan=True) for a, b in pairs):
            return name
    return None


def _finding(exercise: Exercise, trials: list[Trial]) -> tuple | None:
    """The names of the mistakes, and what to say of them; None if all is right."""
    missed = [t for t in trials if _wrong_leaves(exercise, t)]
    if not missed:
        return None
    first = missed[0]
    if isinstance(first.given, Raised):
        return _raised(exercise, trials, first)
    wrong = {path: None for t in missed for path in _wrong_leaves(exercise, t)}
    whole = _explain_whole(exercise, trials)
    if whole:
        found = dict.fromkeys(wrong, whole)
    else:
        found = {path: _explain(exercise, trials, path) for path in wrong}
    named = {m.name: (m.hint, path) for path, m in reversed(found.items()) if m}
    difference = first_difference(first.given, first.right, exercise.tolerance)
    where = _where(exercise, first, difference)
    if named:
        several = len(leaves(first.right)) > 1 and not (whole and len(wrong) > 1)
        names = [f"{p}: {n}" if several and p else n for n, (_, p) in named.items()]
        hints = [f"Hint: {hint}" for hint, _ in named.values()]
        return tuple(reversed(names)), (where, *reversed(hints))
    return (_unexplained(exercise, trials, difference),), (where,)


def _wrong_leaves(exercise: Exercise, trial: Trial) -> list[str]:
    """Which parts of the answer (`""` for all of it) differ from the witness's."""
    if isinstance(trial.given, Raised):
        return [""]
    given, right = leaves(trial.given), leaves(trial.right)
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


def _explain(exercise: Exercise, trials: list[Trial], path: str) -> Mistake | None:
    """The first mistake that gives what the answer gives at `path`, in every case."""

    def fits(wrongs: list) -> bool:
        return all(
            agree(given, wrong, exercise.tolerance)
            for given, wrong in zip(givens, wrongs, strict=True)
        )

    givens = [
        t.given if isinstance(t.given, Raised) else leaves(t.given).get(path)
        for t in trials
    ]
    own = [
        (
            mistake,
            [_at(path, exercise.outcome(mistake.wrong, t.arguments)) for t in trials],
        )
        for mistake in exercise.mistakes
    ]
    for mistake, wrongs in own:
        if fits(wrongs):
            return mistake
    sizes = [exercise.batch(*t.arguments) if exercise.batch else None for t in trials]
    rights = [leaves(t.right).get(path) for t in trials]
    for name, hint in usual_mistakes(givens, rights, sizes, exercise.tolerance):
        return Mistake(name, exercise.witness, hint)
    for mistake, wrongs in own:  # two mistakes at once
        for name, hint in usual_mistakes(givens, wrongs, sizes, exercise.tolerance):
            both = f"{mistake.hint} And: {hint}"
            return Mistake(f"{mistake.name}, and {name}", mistake.wrong, both)
    return None


def _at(path: str, value: Any) -> Any:
    """The part of a mistake's answer at `path`: a `Raised` if there is none, or if it raised."""
    if isinstance(value, Raised):
        return value
    return leaves(value).get(path, Raised(KeyError(path)))


def _raised(exercise: Exercise, trials: list[Trial], first: Trial) -> tuple:
    """An exception of the answer's own, told as the student's."""
    error = first.given.error
    if isinstance(error, KeyboardInterrupt):
        return ("it was stopped before it gave an answer",), (
            f"It was still at work on {_described(exercise, first)}.",
            "Hint: does the loop ever end?",
        )
    mistake = _explain_whole(exercise, trials)
    if mistake:
        return (mistake.name,), (_traceback(error), f"Hint: {mistake.hint}")
    case = _described(exercise, first)
    says = [f"For {case}:", _traceback(error)] if case else [_traceback(error)]
    good = [t for t in trials if not _wrong_leaves(exercise, t)]
    if good:
        says.append(f"It is right for {_described(exercise, good[0])}.")
        return ("right for some inputs only",), tuple(says)
    return (f"it raises {type(error).__name__}",), tuple(says)


def _traceback(error: BaseException) -> str:
    """The error and the line of the student's own code that it came from."""
    text = f"{type(error).__name__}: {error}"
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
    if any(not _wrong_leaves(exercise, t) for t in trials):
        return "right for some inputs only"
    if difference.kind != "value":
        return difference.kind
    return "not the right value yet"


def _where(exercise: Exercise, trial: Trial, difference: Difference) -> str:
    case = _described(exercise, trial)
    return f"{case and f'For {case}: '}{difference.told(exercise.secret)}"


def _argument_names(exercise: Exercise) -> list[str]:
    if exercise.use is plainly:
        return list(inspect.signature(exercise.witness).parameters)
    return list(inspect.signature(exercise.use).parameters)[1:]


def _described(exercise: Exercise, trial: Trial) -> str:
    """A case in words: `p = [0.2 0.3 0.5]`."""
    pairs = []
    for name, value in zip(_argument_names(exercise), trial.arguments, strict=False):
        named = isinstance(value, dict) and all(
            isinstance(key, str) and np.isscalar(part) for key, part in value.items()
        )  # values by their names speak for themselves
        pairs += value.items() if named else [(name, value)]
    return ", ".join(f"{name} = {shown(value)}" for name, value in pairs)


# --- for students ---------------------------------------------------------------------


def check(answer: Callable, exercise: str | None = None) -> Verdict:
    """Check an answer: `check(my_function)`.

    The function's own name says which exercise it answers; `exercise` says it where it
    is called otherwise. Whatever the function does, you get a Verdict: its own errors are
    told as its own. Where a grader runs the notebook, an answer that doesn't pass raises.
    """
    found = _find(answer, exercise)
    if not callable(answer):
        raise TypeError(
            f"check: answer is {shown(answer)}, but a function is checked; "
            f"write check({found.name}), without calling it"
        )
    verdict = judge(found, answer)
    attempted = verdict.status != "not attempted"
    warning = attempted and note(found.name, found.lecture, verdict.passed)
    if warning:
        verdict = Verdict(
            verdict.exercise, verdict.status, verdict.mistakes, (*verdict.says, warning)
        )
    if not verdict.passed and _is_graded():
        raise NotPassed(repr(verdict))
    return verdict


def hint(answer: Callable | str, which: int = 1) -> str:
    """A hint for an exercise, `hint(my_function)`; a further one is `hint(..., 2)`."""
    found = _find(answer, answer if isinstance(answer, str) else None)
    if not 1 <= which <= len(found.hints):
        many = len(found.hints)
        raise ValueError(
            f"hint: which is {which}, but {found.name} has hints 1 to {many}"
        )
    more = f" ({which} of {len(found.hints)})"
    return _Text(found.hints[which - 1] + more)


class _Text(str):
    """Text that shows itself as it reads, without quotes."""

    __repr__ = str.__str__


def _find(answer: Any, name: str | None) -> Exercise:
    name = name or getattr(answer, "__name__", None)
    exercises = catalogue()
    if name in exercises:
        return exercises[name]
    import difflib

    near = difflib.get_close_matches(str(name), exercises, n=3)
    meant = f"did you mean {', '.join(near)}?" if near else "keep the name it was given"
    raise LookupError(f"no exercise is called {name}; {meant}")


def _is_graded() -> bool:
    return "NBGRADER_EXECUTION" in os.environ

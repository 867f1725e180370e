"""What is wrong with an answer: the name of a mistake that returns what the answer returns.

If answer and witness differ, `finding` looks for something that returns the same as the
answer in every case, and in further ones: one of the exercise's own mistakes, a usual one
(sign, transpose, 1/N), one edit of the solution (`slips.py`), or one piece too many in the
answer (`mending.py`), for the answer as a whole, then for each part of it. If nothing fits, or
the search takes too long, it says for which inputs the answer is right, and on which line it
departs from the solution.

    Trial      one case, with what the answer and the witness returned
    Finding    names of mistakes, what to say about them, and a case that fails
    finding    trials -> a Finding
"""

import ast
import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import combinations, permutations, product
from typing import Any

import numpy as np

from .clues import clue
from .errors import in_the_students_words, is_theirs
from .exercise import Exercise, plainly
from .formulas import FormulaFault
from .guard import TimeLimit, in_time
from .language import _
from .mending import mends
from .places import place
from .slips import SLIPS, slips
from .solutions import solution, source_of
from .usual import symptoms, usual_mistakes
from .values import Raised, agree, alike, first_difference, kind, numeric

_NOTHING = Raised(KeyError())  # a mistake that doesn't concern this part
_EXCHANGED = (
    "two arguments are swapped",
    "Which argument is which? Say what each stands for, in the order of the question.",
)
_SHIFTED = (
    "off by one",
    "Do the smallest case by hand: is it counted from 0 or from 1?",
)
_ALONE = (
    "only one row is used",
    "What happens to the other rows' shares: are they added, or overwritten?",
)
_ONE_LESS = (
    "one row is left out",
    "For three rows, how many times does your loop run?",
)
_CHANCE = (
    "it gives a different result each time",
    "What draws random numbers, or is left over from the last call? Does the question need "
    "it?",
)
_DRAWN = (
    "it draws random numbers where the question needs none",
    "Another draw would give a different result. What do all draws have in common?",
)
_ROWS = (
    ((-1, None), _ALONE),
    ((0, 1), _ALONE),
    ((0, -1), _ONE_LESS),
    ((1, None), _ONE_LESS),
)


@dataclass(frozen=True, eq=False)
class Trial:
    """One case: its arguments, what the answer returned and what the witness returned."""

    arguments: tuple
    given: Any
    right: Any


@dataclass(frozen=True)
class Finding:
    """The names of the mistakes, what to say about them, and arguments that show them."""

    mistakes: tuple[str, ...]
    says: tuple[str, ...]
    case: tuple | None = None
    parts: tuple[tuple[str, bool], ...] = ()


def finding(
    exercise: Exercise, trials: list[Trial], answer: Callable
) -> Finding | None:
    """What is wrong in these cases; None if all is right."""
    missed = [trial for trial in trials if _wrong_parts(exercise, trial)]
    if not missed:
        return None
    search = _Search(exercise, trials, missed, answer)
    if _is_chance(exercise, answer, short := _smallest(missed)):
        line, trial, __ = _evidence(search, _wrong_parts(exercise, short)[0])
        return Finding((_(_CHANCE[0]),), (line, hinted(_(_CHANCE[1]))), trial.arguments)
    if any(isinstance(trial.given, Raised) for trial in missed):
        return _raised(search)
    paths = list(dict.fromkeys(p for t in missed for p in _wrong_parts(exercise, t)))
    paths = [p for p in paths if p not in exercise.derived] or paths
    found: dict[str, _Suspect | None] = dict.fromkeys(paths)
    in_time(2 * exercise.seconds, lambda: search.named(found), None)
    if not any(found.values()):
        return _unexplained(search, paths)
    return _explained(search, found)


def _is_chance(exercise: Exercise, answer: Callable, trial: Trial) -> bool:
    """Does the answer return something else for the same case when called again?"""
    if isinstance(trial.given, Raised):
        return False

    def again() -> bool:
        with contextlib.redirect_stdout(io.StringIO()):
            given = exercise.outcome(answer, trial.arguments)
        other = alike(given, trial.right)
        return first_difference(other, trial.given, exercise.tolerance) is not None

    return in_time(exercise.seconds / 2, again, False)


def _wrong_parts(exercise: Exercise, trial: Trial) -> list[str]:
    """Which parts of the answer (`""` for all of it) differ from the witness's."""
    if isinstance(trial.given, Raised):
        return [""]
    given, right = exercise.parts_of(trial.given), exercise.parts_of(trial.right)
    if given.keys() != right.keys():
        return [path for path in right if path not in given] or [""]
    return [p for p in right if not agree(given[p], right[p], exercise.tolerance)]


# --- looking for a name ---------------------------------------------------------------


@dataclass(eq=False)
class _Suspect:
    """A known wrong answer, run on the cases as needed."""

    name: str
    hint: str
    wrong: Callable
    outcomes: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name, self.hint = _(self.name), _(self.hint)


@dataclass(eq=False)
class _Search:
    """Everything that might explain what the answer returned in these trials."""

    exercise: Exercise
    trials: list[Trial]
    missed: list[Trial]
    answer: Callable

    @cached_property
    def own(self) -> list[_Suspect]:
        return [_Suspect(m.name, m.hint, m.wrong) for m in self.exercise.mistakes]

    @cached_property
    def all_parts(self) -> list[str]:
        return [*self.exercise.parts_of(self.trials[0].right)]

    @cached_property
    def every(self) -> list[Trial]:
        """The trials and more: what agrees by luck in a few cases doesn't in all."""
        further = in_time(self.exercise.seconds / 2, self._further, [])
        return [*self.trials, *further]

    def _further(self) -> list[Trial]:
        exercise, found = self.exercise, []
        with contextlib.redirect_stdout(io.StringIO()):
            for case, right in exercise.further:
                given = alike(exercise.outcome(self.answer, case), right)
                found.append(Trial(case, given, right))
        return found

    @cached_property
    def order(self) -> list[int]:
        """Cases that the answer gets wrong come first: one of them rules out most suspects."""
        missed = [trial in self.missed for trial in self.every]
        return sorted(range(len(missed)), key=lambda k: not missed[k])

    @cached_property
    def slips(self) -> list[_Suspect]:
        """The edits of the solution, except those that would give a secret away."""
        exercise = self.exercise
        if not exercise.searched:
            return []
        known = solution(exercise.name, exercise.lecture)
        if known is None and exercise.worked:
            known = source_of(exercise.worked)
        return [
            _Suspect(*((s.name, s.hint) if exercise.secret else s.spoken), s.wrong)
            for s in (slips(known) if known else ())
            if not (exercise.secret and s.reveals)
        ]

    def _outcome(self, suspect: _Suspect, k: int) -> Any:
        if k not in suspect.outcomes:
            trial = self.every[k]
            given = self.exercise.outcome(suspect.wrong, trial.arguments)
            suspect.outcomes[k] = alike(given, trial.right)
        return suspect.outcomes[k]

    def _part(self, value: Any, path: str) -> Any:
        if isinstance(value, Raised):
            return value
        return self.exercise.parts_of(value).get(path, _NOTHING)

    def _is_zero(self, value: Any) -> bool:
        """Are all its numbers 0?"""
        if isinstance(value, Raised):
            return True
        parts = map(numeric, self.exercise.parts_of(value).values())
        return not any(part is None or np.any(np.abs(part) > 1e-8) for part in parts)

    def _agree(self, one: Any, other: Any, path: str | None) -> bool:
        """Are two outcomes the same, at `path` or (None) as a whole?"""
        tolerance = self.exercise.tolerance
        if path is not None:
            one, other = self._part(one, path), self._part(other, path)
        if one is _NOTHING or other is _NOTHING:
            return False
        if path is not None or isinstance(one, Raised) or isinstance(other, Raised):
            return agree(one, other, tolerance)
        return first_difference(one, other, tolerance) is None

    def _gives(self, suspect: _Suspect, path: str | None) -> bool:
        """Does it return what the answer returns, at `path` or (None) as a whole?"""
        return self.speaks and all(
            self._agree(self.every[k].given, self._outcome(suspect, k), path)
            for k in self.order
        )

    @cached_property
    def speaks(self) -> bool:
        """Is there a wrong value, or an error whose text has numbers from its case?

        Many mistakes end in an IndexError: that alone is no evidence for any of them.
        """
        wrong = [t.given for t in self.every if _wrong_parts(self.exercise, t)]
        return any(not isinstance(given, Raised) or given.numbers for given in wrong)

    def whole(self) -> _Suspect | None:
        """The exercise's own mistake that returns exactly what the answer returns."""
        return next((s for s in self.own if self._gives(s, None)), None)

    def named(self, found: dict[str, _Suspect | None]) -> None:
        """Fill in each part's mistake, if it has a name."""
        paths = [*found]
        whole = self.whole()
        found |= dict.fromkeys(paths, whole) if whole else self.parts(paths)
        if not any(found.values()):
            found |= dict.fromkeys(paths, self.slip(None))
        if not _in_a_list(paths[0]):
            for path in paths:
                found[path] = found[path] or self.slip(path)
        unnamed = [path for path in paths if not found[path]]
        found |= dict.fromkeys(unnamed, self.mended(paths, unnamed))
        for path in paths:
            found[path] = found[path] or self.symptom(path)

    def _in_another_order(self) -> Iterator[_Suspect]:
        witness, parts = self.exercise.witness, self.exercise.parts
        expected = _("The question asks for {parts}, in this order.")
        for order in permutations(range(len(parts))):
            yield _Suspect(
                "in the wrong order",
                expected.format(parts=", ".join(parts)),
                lambda *a, order=order: tuple(witness(*a)[k] for k in order),
            )

    def parts(self, paths: list[str]) -> dict[str, _Suspect | None]:
        """Each part's own mistake, or a common one: as few different mistakes as possible."""
        given_by = {
            suspect: here
            for suspect in (*self._in_another_order(), *self.own)
            if (here := [path for path in paths if self._gives(suspect, path)])
        }
        denied = {suspect: self._denied(suspect) for suspect in given_by}
        told = [s for s in given_by if not (_in_a_list(paths[0]) and denied[s])]
        given_by = {s: given_by[s] for s in sorted(told, key=lambda s: denied[s])}
        common: dict[tuple, _Suspect] = {}
        for path, suspect in ((path, self._common(path)) for path in paths):
            if suspect:
                # n - 1 here and n + 1 there are two mistakes with the same name.
                one = suspect.name, suspect.wrong
                same = common.setdefault(one, suspect)
                given_by.setdefault(same, []).append(path)

        # A suspect that is contradicted nearly as often as it explains comes last. Ties go
        # to the first: the exercise's own, contradicted least.
        def explains(s: _Suspect, left: list[str]) -> tuple[bool, bool, int]:
            here = len({*given_by[s]} & {*left})
            return here > 0, 2 * denied.get(s, 0) <= len(given_by[s]), here

        found: dict[str, _Suspect | None] = {}
        while left := [path for path in paths if path not in found]:
            best = max(given_by, key=lambda s: explains(s, left), default=None)
            here = [path for path in left if best and path in given_by[best]]
            found |= dict.fromkeys(here, best) or dict.fromkeys(left)
        return {path: found[path] for path in paths}

    def _denied(self, suspect: _Suspect) -> int:
        """How many parts it gets wrong in a way that the answer doesn't."""
        spoken_of = self.exercise.parts_of(self._outcome(suspect, self.order[0]))
        return sum(
            not self._gives(suspect, path) and not self._is_right(suspect, [path])
            for path in spoken_of
        )

    def _common(self, path: str) -> _Suspect | None:
        """A mistake that is common to all exercises, in one part of the answer."""
        asked = () if _in_a_list(path) else self.other_questions
        # Swapped arguments are swapped for all parts.
        others = (
            s
            for s in asked
            if self._gives(s, path)
            and not (s.name == _(_EXCHANGED[0]) and self._denied(s))
        )
        return self._usual(path) or next(others, None)

    @cached_property
    def other_questions(self) -> list[_Suspect]:
        """What is right for only some rows, or with arguments swapped or shifted by 1."""
        exercise, witness = self.exercise, self.exercise.witness
        rows = _ROWS if exercise.rows else ()
        asked = [(named, self._of_rows(slice(*part))) for part, named in rows]
        first = self.trials[0].arguments if exercise.use is plainly else ()
        for j, k in combinations(range(len(first)), 2):
            others = lambda *a, j=j, k=k: witness(*_with(a, {j: a[k], k: a[j]}))  # noqa: E731
            asked.append((_EXCHANGED, others))
        for k, by in product(range(len(first)), (1, -1)):
            if type(first[k]) is int:
                other = lambda *a, k=k, by=by: witness(*_with(a, {k: a[k] + by}))  # noqa: E731
                asked.append((_SHIFTED, other))
        return [_Suspect(*named, wrong) for named, wrong in asked]

    def _of_rows(self, part: slice) -> Callable:
        """The witness on some rows; an average still divides by the number of all rows."""
        exercise = self.exercise

        def answer(*arguments: Any) -> Any:
            some = exercise.with_rows(arguments, part)
            many = len(arguments[0][part])
            right = exercise.witness(*(some if many else arguments))
            share = many / len(arguments[0]) if exercise.batch or not many else 1.0
            if isinstance(right, tuple):
                return tuple(share * np.asarray(each) for each in right)
            return share * np.asarray(right)

        return answer

    def _usual(self, path: str) -> _Suspect | None:
        exercise, batch = self.exercise, self.exercise.batch
        # "off by a factor of 1/D", said of an answer of 1, would reveal the secret D.
        dims = [
            {} if exercise.secret else sizes_of(exercise, t.arguments)
            for t in self.every
        ]
        named = usual_mistakes(
            [self._part(t.given, path) for t in self.every],
            [self._part(t.right, path) for t in self.every],
            [batch(*t.arguments) if batch else None for t in self.every],
            exercise.tolerance,
            dims,
        )
        return next((_Suspect(*each, exercise.witness) for each in named), None)

    def slip(self, path: str | None) -> _Suspect | None:
        """One edit of the solution that returns what the answer returns."""
        givens = [self._part(t.given, path) if path else t.given for t in self.trials]
        if all(map(self._is_zero, givens)):
            return None  # many different edits return zeros
        found = next((s for s in self.slips if self._gives(s, path)), None)
        # By an identity, one term too many may equal one too few.
        if found and found.name == SLIPS["term"][0]:
            here = [path] if path else self.all_parts
            found = self.mended(here, here) or found
        return found

    def mended(self, wrong: list[str], paths: list[str]) -> _Suspect | None:
        """What to leave out of the answer for these parts to be right.

        Parts that aren't in `wrong` must stay right.
        """
        if self.exercise.secret or not self.exercise.searched or not paths:
            return None
        paths = [*paths, *(path for path in self.all_parts if path not in wrong)]
        edited = (_Suspect(m.name, m.hint, m.slip.wrong) for m in mends(self.answer))

        def look() -> _Suspect | None:
            with contextlib.redirect_stdout(io.StringIO()):
                return next((s for s in edited if self._is_right(s, paths)), None)

        return in_time(self.exercise.seconds / 2, look, None)

    def _is_right(self, suspect: _Suspect, paths: list[str]) -> bool:
        return all(
            self._agree(self._outcome(suspect, k), self.every[k].right, path)
            for k in self.order
            for path in paths
        )

    def symptom(self, path: str) -> _Suspect | None:
        givens = [self._part(t.given, path) for t in self.missed]
        rights = [self._part(t.right, path) for t in self.missed]
        every = [self._part(t.given, path) for t in self.trials]
        for name, hint in symptoms(givens, rights, every):
            if self.exercise.secret and name != "not a number":
                continue  # a constant, or zeros, may be what is expected there
            return _Suspect(name, hint, self.exercise.witness)
        return None


def _in_a_list(path: str) -> bool:
    """In a list, such as one of all layers, a name must fit all the entries or none."""
    return path.startswith("[")


def _with(arguments: tuple, others: dict[int, Any]) -> list:
    return [others.get(k, argument) for k, argument in enumerate(arguments)]


def sizes_of(exercise: Exercise, arguments: tuple) -> dict[str, int]:
    """The sizes in a case, by name: `len(X)`, `W.shape[1]`, `M`."""
    sizes = {}
    for name, value in zip(exercise.argument_names(), arguments, strict=False):
        if isinstance(value, np.ndarray):
            for axis, length in enumerate(value.shape):
                sizes[f"{name}.shape[{axis}]" if axis else f"len({name})"] = length
        elif isinstance(value, list | tuple | dict):
            sizes[f"len({name})"] = len(value)
        elif isinstance(value, int) and not isinstance(value, bool) and value > 0:
            sizes[name] = value
    return sizes


# --- wording --------------------------------------------------------------------------


def _smallest(trials: list[Trial]) -> Trial:
    """The trial whose case has the shortest repr."""
    return min(trials, key=lambda trial: len(repr(trial.arguments)))


def _evidence(search: _Search, path: str) -> tuple[str, Trial, str]:
    """A line about a case that is wrong at `path`, its trial, and the kind of difference."""
    exercise = search.exercise
    here = [t for t in search.missed if path in _wrong_parts(exercise, t)]
    trial = _smallest(here or search.missed)
    given, right = trial.given, trial.right
    mine, theirs = exercise.parts_of(given), exercise.parts_of(right)
    tables = isinstance(given, dict) and isinstance(right, dict)
    if path in theirs and (path in mine or tables):
        right = {path: theirs[path]}
        given = {path: mine[path]} if path in mine else {}
    difference = first_difference(given, right, exercise.tolerance, exercise.parts)
    assert difference is not None  # the trial was missed here
    told = difference.told(exercise.secret)
    return _for_case(exercise, trial, told), trial, difference.kind


def _for_case(exercise: Exercise, trial: Trial, told: str) -> str:
    case, in_full = exercise.described(trial.arguments)
    line = _("For {case}: {told}")
    if not in_full and exercise.use is plainly:
        line = _("For {case} (in check({name}).case): {told}")
    return line.format(case=case, name=exercise.name, told=told) if case else told


def hinted(text: str) -> str:
    """A hint as verdicts show it."""
    return _("Hint: {hint}").format(hint=text)


def _explained(search: _Search, found: dict[str, _Suspect | None]) -> Finding:
    concerns: dict[str, list[str]] = {}
    for path, suspect in found.items():
        name = suspect.name if suspect else _("not right yet")
        concerns.setdefault(name, []).append(path)
    hints: dict[str, list[str]] = {}
    for path, suspect in found.items():
        if suspect:
            hints.setdefault(suspect.hint, []).append(path)
    first = next(path for path, suspect in found.items() if suspect)
    line, trial, __ = _evidence(search, first)
    names = tuple(_of(search, *each, len(concerns)) for each in concerns.items())
    # A hint for one part doesn't help with another.
    told = [_of(search, *each) for each in hints.items()] if len(hints) > 1 else hints
    says = (line, hinted(" · ".join([*told][:2])))
    return Finding(names, says, trial.arguments, _parts(search, found))


def _of(search: _Search, text: str, paths: list[str], many: int = 2) -> str:
    """The text, preceded by the parts that it applies to if these are not all."""
    exercise = search.exercise
    everywhere = {*exercise.parts_of(search.missed[0].right)}
    all_of_it = everywhere - {*exercise.derived} <= {*paths} or paths == [""]
    if all_of_it or (many == 1 and "[0]" in everywhere):
        return text
    return f"{', '.join(paths)}: {text}"


def _parts(search: _Search, found: dict) -> tuple[tuple[str, bool], ...]:
    every = search.exercise.parts_of(search.missed[0].right)
    return tuple((path, path not in found) for path in every if path)


def _unexplained(search: _Search, paths: list[str]) -> Finding:
    """What is wrong in general, and where, if no name was found."""
    exercise = search.exercise
    line, trial, sort = _evidence(search, paths[0])
    right_for = _clue(search)
    if _is_drawn(search):
        return Finding((_(_DRAWN[0]),), (line, hinted(_(_DRAWN[1]))), trial.arguments)
    name = _(sort if sort != "value" else "not the right value yet")
    if len(search.missed) < len(search.trials):
        name = _("right for some inputs only")
    if sort == "value":
        name = _of(search, name, paths, many=1)
    where = "" if exercise.secret else _place(search, trial)
    says = (line, right_for, where)
    parts = _parts(search, dict.fromkeys(paths))
    return Finding((name,), tuple(filter(None, says)), trial.arguments, parts)


def _is_drawn(search: _Search) -> bool:
    """Does the answer's code draw random numbers where the solution's doesn't?"""
    known = solution(search.exercise.name, search.exercise.lecture)
    if known is None:
        return False
    try:
        drawn = _draws(source_of(search.answer).tree())
    except (OSError, TypeError, SyntaxError):  # no source, or a part of a line
        return False
    return drawn and not _draws(known.tree())


def _draws(tree: ast.AST) -> bool:
    """Is ``random`` a name in it? Comments and docstrings don't count."""
    names = (getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(tree))
    return "random" in names


def _clue(search: _Search) -> str:
    good = [t.arguments for t in search.trials if t not in search.missed]
    bad = [t.arguments for t in search.missed]
    look = partial(clue, search.exercise, good, bad, search.answer)
    return in_time(search.exercise.seconds / 2, look, "")


def _place(search: _Search, trial: Trial) -> str:
    missed = sorted(search.missed, key=lambda other: other is not trial)
    cases = [each.arguments for each in missed]
    look = partial(place, search.exercise, search.answer, cases)
    return in_time(search.exercise.seconds / 2, look, "")


def _returned(exercise: Exercise, answer: Callable, arguments: tuple) -> str:
    """The kind of value that the answer returned, which `use` couldn't handle."""
    returned: list[Any] = []
    exercise.outcome(lambda *given: returned.append(answer(*given)), arguments)
    return kind(returned[-1] if returned else None)


def _raised(search: _Search) -> Finding:
    """A Finding for an answer that raises."""
    exercise = search.exercise
    trial = _smallest([t for t in search.missed if isinstance(t.given, Raised)])
    error, (case, __) = trial.given.error, exercise.described(trial.arguments)

    def told(name: str, *says: str) -> Finding:
        return Finding((name,), tuple(filter(None, says)), trial.arguments)

    if isinstance(error, KeyboardInterrupt | TimeLimit):
        at = _("It was still running on {case}.")
        loop = _("Does the loop ever end? Is the same thing computed again and again?")
        name = _("it was stopped before it returned")
        return told(name, at.format(case=case or _("the question")), hinted(loop))
    if isinstance(error, FormulaFault):
        return told(_("it can't be read as a formula"), str(error))
    line = in_the_students_words(error)
    paths = list(exercise.parts_of(trial.right))
    if found := in_time(
        exercise.seconds,
        lambda: search.whole() or search.slip(None) or search.mended(paths, paths),
        None,
    ):
        return told(found.name, line, hinted(found.hint))
    if not is_theirs(error) and not isinstance(search.answer, type):
        what = _(
            "Your answer returns {what}. What does the question ask for, and how many values?"
        )
        returned = _returned(exercise, search.answer, trial.arguments)
        return told(_("the wrong kind of value"), what.format(what=returned))
    if len(search.missed) < len(search.trials):
        name = _("right for some inputs only")
        return told(name, _for_case(exercise, trial, line), _clue(search))
    name = _("it raises {error}").format(error=type(error).__name__)
    return told(name, _for_case(exercise, trial, line))

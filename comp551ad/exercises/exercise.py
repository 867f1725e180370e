"""What an exercise is: a witness, inputs, and the mistakes that people make.

    Exercise    what is asked, and how the answer to it is worked out another way
    Mistake     a name, the wrong function, a hint
    edited      a function with a piece of its source replaced: how most mistakes come about

The exercises themselves are in `tasks/`, one module for each lecture.
"""

import inspect
import warnings
import zlib
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .language import _
from .solutions import source_of
from .values import Raised, bounded, kind, leaves, shown, unchanged

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


def edited(function: Callable[..., Any], *edits: str) -> Callable[..., Any]:
    """The function with its source edited: `edited(f, "a + b → a - b")`.

    Raises:
        ValueError: what should be replaced is not there.
    """
    source = source_of(function).source
    for edit in edits:
        old, __, new = edit.partition(" → ")
        if old not in source:
            raise ValueError(
                f"edits: got {edit!r}, expected a part of {function.__name__}'s source "
                "in front of the arrow; look it up there"
            )
        source = source.replace(old, new)
    defined: dict[str, Any] = {}
    exec(source, function.__globals__, defined)
    wrong = defined[function.__name__]
    wrong.edit_of = function
    return wrong


class ShortNumbers(np.random.Generator):
    """Draws numbers that can be typed: of one digit after the point, or two, and not 0."""

    def normal(self, *args: Any, **kwargs: Any) -> Any:
        return _not_zero(np.round(super().normal(*args, **kwargs), 1), 0.1)

    def standard_normal(self, *args: Any, **kwargs: Any) -> Any:
        return _not_zero(np.round(super().standard_normal(*args, **kwargs), 1), 0.1)

    def uniform(self, *args: Any, **kwargs: Any) -> Any:
        return _not_zero(np.round(super().uniform(*args, **kwargs), 2), 0.01)


def _not_zero(numbers: Any, instead: float) -> Any:
    return np.where(numbers == 0, instead, numbers)[()]


def plainly(answer: Callable, *arguments: Any) -> Any:
    """How most answers are used: they are called."""
    return answer(*arguments)


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    - `name` is the function the student writes, `lecture` two digits, `title` a few words;
    - `witness(*arguments)` gives the right answer, by another way than asked;
    - `cases(rng)` gives the inputs, a tuple of arguments each: several shapes, and the
      corners. `rng` draws the same short numbers every time: one answer, one verdict;
    - `use(answer, *arguments)` says how an answer meets a case where calling it is not
      enough: an answer that is a class, or a table of formulas (`formulas`). Witness and
      mistakes are used in the same way;
    - `parts` are names for the parts of an answer that is a tuple, as in ("dW", "dV");
    - `batch(*arguments)` is the N by which an average divides, if there is one;
    - `rows` are the names of the arguments that have a row for each instance;
    - `secret` keeps the right value out of the verdict: for tables and predictions;
    - `derived` are parts that follow from the others: looked at when those are right;
    - `forbidden` are the beginnings of names that an answer may not call;
    - `searched`: are the usual slips tried on the solution, for want of a name?
    - `seconds` is how long an answer may take for all the cases together;
    - `core`: is it one of those that nobody should leave out?
    """

    name: str
    lecture: str
    title: str
    witness: Callable[..., Any]
    cases: Callable[[np.random.Generator], Iterable[tuple]]
    mistakes: tuple[Mistake, ...] = ()
    hints: tuple[str, ...] = ()
    use: Callable[..., Any] = plainly
    parts: tuple[str, ...] = ()
    batch: Callable[..., int] | None = None
    rows: tuple[str, ...] = ()
    secret: bool = False
    derived: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = WITNESSES
    tolerance: float = 1e-6
    searched: bool = True
    seconds: float = 8.0
    core: bool = False

    @cached_property
    def all_cases(self) -> list[tuple]:
        """The inputs of a check, always the same."""
        return self._drawn(0)

    @cached_property
    def further(self) -> list[tuple[tuple, Any]]:
        """More inputs, of another draw, and what is right: names hold for them as well."""
        known = self.all_cases
        return [
            (case, self.outcome(self.witness, case))
            for case in self._drawn(1)
            if not any(unchanged(k, case) for k in known)
        ]

    def _drawn(self, which: int) -> list[tuple]:
        seed = zlib.crc32(self.name.encode()) + which
        return list(self.cases(ShortNumbers(np.random.PCG64(seed))))

    @cached_property
    def right(self) -> list[Any]:
        """What the witness gives for each case, or the `Raised` it raises."""
        return [self.outcome(self.witness, arguments) for arguments in self.all_cases]

    @cached_property
    def worked(self) -> Callable[..., Any] | None:
        """An answer as people write it, if its mistakes are edits of one."""
        edits = (m.wrong for m in self.mistakes if hasattr(m.wrong, "edit_of"))
        return next((edit.edit_of for edit in edits), None)

    def outcome(self, answer: Callable, arguments: tuple) -> Any:
        """What `answer` gives for a copy of these arguments, or the `Raised` it raises."""
        try:
            # Students see the warnings of their own code, not of ours.
            with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                return bounded(self.use(answer, *deepcopy(arguments)))
        except Exception as error:
            return Raised(error)

    def argument_names(self) -> list[str]:
        """What the arguments of a case are called."""
        if self.use is plainly:
            return list(inspect.signature(self.witness).parameters)
        return list(inspect.signature(self.use).parameters)[1:]

    def with_rows(self, arguments: tuple, part: slice) -> tuple:
        """A case with some of its instances alone."""
        which = [self.argument_names().index(name) for name in self.rows]
        return tuple(v[part] if k in which else v for k, v in enumerate(arguments))

    def described(self, arguments: tuple) -> tuple[str, bool]:
        """A case in words, `p = [0.2, 0.3, 0.5]`, and whether it can be typed from them.

        What is long stands there by its kind and size.
        """
        pairs: list[tuple[str, Any]] = []
        for name, value in zip(self.argument_names(), arguments, strict=False):
            named = isinstance(value, dict) and all(
                isinstance(key, str) and np.isscalar(part)
                for key, part in value.items()
            )  # values by their names speak for themselves
            pairs += value.items() if named else [(name, value)]
        texts = [shown(value) for __, value in pairs]
        most = 110 if any(isinstance(v, np.ndarray) for v in arguments) else 180
        most = most if len(", ".join(texts)) <= most else 20
        array = _("an array of shape {shape}").partition("{")[0]
        whole = [len(text) <= most and array not in text for text in texts]
        told = ", ".join(
            f"{name} = {text}" if all_of_it else f"{name}: {kind(value)}"
            for (name, value), text, all_of_it in zip(pairs, texts, whole, strict=True)
        )
        return told, all(whole) and not any(map(callable, arguments))

    def parts_of(self, value: Any) -> dict[str, Any]:
        """The parts of an answer, or of what the witness gives, by their names."""
        return leaves(value, self.parts)

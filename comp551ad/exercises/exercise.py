"""What an exercise is: a witness, inputs, and the mistakes that people make.

    Exercise    what is asked, and an independent way to compute the answer
    Mistake     a name, the wrong function, a hint
    edited      a function with a piece of its source replaced: most mistakes are made this way

The exercises themselves are in `tasks/`, one module per lecture.
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

# What answers may not call, unless an exercise says otherwise.
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
    """A mistake that people make, as the function that they would submit.

    `wrong` is called like the answer. If the answer is a dict, it may return only the
    entries it concerns. `hint` helps without giving the answer away.
    """

    name: str
    wrong: Callable[..., Any]
    hint: str


def edited(function: Callable[..., Any], *edits: str) -> Callable[..., Any]:
    """The function with its source edited: `edited(f, "a + b → a - b")`.

    Raises:
        ValueError: the text to replace is not in the source.
    """
    source = source_of(function).source
    for edit in edits:
        old, __, new = edit.partition(" → ")
        if old not in source:
            raise ValueError(
                f"edits: got {edit!r}, expected a part of {function.__name__}'s source "
                "before the arrow; copy it from there"
            )
        source = source.replace(old, new)
    defined: dict[str, Any] = {}
    exec(source, function.__globals__, defined)
    wrong = defined[function.__name__]
    wrong.edit_of = function
    return wrong


class ShortNumbers(np.random.Generator):
    """Draws nonzero numbers that are easy to type: one or two digits after the point."""

    def normal(self, *args: Any, **kwargs: Any) -> Any:
        return _not_zero(np.round(super().normal(*args, **kwargs), 1), 0.1)

    def standard_normal(self, *args: Any, **kwargs: Any) -> Any:
        return _not_zero(np.round(super().standard_normal(*args, **kwargs), 1), 0.1)

    def uniform(self, *args: Any, **kwargs: Any) -> Any:
        return _not_zero(np.round(super().uniform(*args, **kwargs), 2), 0.01)


def _not_zero(numbers: Any, instead: float) -> Any:
    return np.where(numbers == 0, instead, numbers)[()]


def plainly(answer: Callable, *arguments: Any) -> Any:
    """Call the answer: how most answers are used."""
    return answer(*arguments)


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    - `name` is the function the student writes, `lecture` two digits, `title` a few words;
    - `witness(*arguments)` returns the right answer, computed independently;
    - `cases(rng)` returns the inputs, each a tuple of arguments: several shapes, and edge
      cases. `rng` draws the same short numbers every time, so an answer has one verdict;
    - `use(answer, *arguments)` applies an answer to a case where calling it is not
      enough: an answer that is a class, or a table of formulas (`formulas`). Witness and
      mistakes are used in the same way;
    - `parts` are names for the parts of an answer that is a tuple, as in ("dW", "dV");
    - `batch(*arguments)` is the N by which an average divides, if there is one;
    - `rows` are the names of the arguments that have one row per instance;
    - `secret` keeps the right value out of the verdict: for tables and predictions;
    - `derived` are parts that follow from the others: judged only if those are right;
    - `forbidden` are prefixes of names that an answer may not call;
    - `searched`: are edits of the solution tried if no mistake's name fits?
    - `seconds` is how long an answer may take for all the cases together;
    - `core`: is it one of those that nobody should skip?
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
        """More inputs, from another draw, and their right answers: a name must fit these too."""
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
        """What the witness returns for each case, or a `Raised` with its error."""
        return [self.outcome(self.witness, arguments) for arguments in self.all_cases]

    @cached_property
    def worked(self) -> Callable[..., Any] | None:
        """An answer as people write it, if its mistakes are edits of such an answer."""
        edits = (m.wrong for m in self.mistakes if hasattr(m.wrong, "edit_of"))
        return next((edit.edit_of for edit in edits), None)

    def outcome(self, answer: Callable, arguments: tuple) -> Any:
        """What `answer` returns for a copy of these arguments, or a `Raised` with its error."""
        try:
            # Students should see their own code's warnings, not ours.
            with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                return bounded(self.use(answer, *deepcopy(arguments)))
        except Exception as error:
            return Raised(error)

    def argument_names(self) -> list[str]:
        """The names of a case's arguments."""
        if self.use is plainly:
            return list(inspect.signature(self.witness).parameters)
        return list(inspect.signature(self.use).parameters)[1:]

    def with_rows(self, arguments: tuple, part: slice) -> tuple:
        """A case with only some of its instances."""
        which = [self.argument_names().index(name) for name in self.rows]
        return tuple(v[part] if k in which else v for k, v in enumerate(arguments))

    def described(self, arguments: tuple) -> tuple[str, bool]:
        """A case in words, `p = [0.2, 0.3, 0.5]`, and whether these show it in full.

        A long value is described by its kind and size.
        """
        pairs: list[tuple[str, Any]] = []
        for name, value in zip(self.argument_names(), arguments, strict=False):
            named = isinstance(value, dict) and all(
                isinstance(key, str) and np.isscalar(part)
                for key, part in value.items()
            )  # named values are shown without the dict
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
        """The parts of an answer, or of the witness's, by name."""
        return leaves(value, self.parts)

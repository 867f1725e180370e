"""What an exercise is: a witness, inputs, and the mistakes that people make.

    Exercise    what is asked, and how the answer to it is worked out another way
    Mistake     a name, the wrong function, a hint

Read by `checking.py` and `finding.py`, which hold answers against it. What is asked is in
`tasks/`, a module a lecture.
"""

import inspect
import zlib
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from .values import Raised, leaves, shown

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
    - `parts` are names for the parts of an answer that is a tuple, as in ("dW", "dV");
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
    parts: tuple[str, ...] = ()
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
            ):  # students see the warnings of their own code
                return self.use(answer, *deepcopy(arguments))
        except Exception as error:
            return Raised(error)

    def argument_names(self) -> list[str]:
        """What the arguments of a case are called."""
        if self.use is plainly:
            return list(inspect.signature(self.witness).parameters)
        return list(inspect.signature(self.use).parameters)[1:]

    def described(self, arguments: tuple) -> str:
        """A case in words: `p = [0.2, 0.3, 0.5]`."""
        pairs: list[tuple[str, Any]] = []
        for name, value in zip(self.argument_names(), arguments, strict=False):
            named = isinstance(value, dict) and all(
                isinstance(key, str) and np.isscalar(part)
                for key, part in value.items()
            )  # values by their names speak for themselves
            pairs += value.items() if named else [(name, value)]
        return ", ".join(f"{name} = {shown(value)}" for name, value in pairs)

    def parts_of(self, value: Any) -> dict[str, Any]:
        """The parts of an answer, or of what the witness gives, by their names."""
        return leaves(value, self.parts)

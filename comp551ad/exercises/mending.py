"""What is superfluous in an answer: the one piece without which it would be right.

The edits of `edits.py` that remove something are made in the student's own code. If one of
them makes it right, what it removed is the mistake. Other edits might correct an answer too,
but by luck. If the right values are secret, nothing is tried.

    mends    an answer -> its edits, each with what it removed: `Mend`s that can be run
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from .language import _
from .slips import SLIPS, Slip, each_slip
from .solutions import source_of
from .values import in_a_line

# The most edits of an answer that are tried.
MOST = 1_000

# By kind of edit: the mistake's name, and a question.
_TOO_MANY = {
    "factor": (
        "one factor too many",
        "Say what each of your factors stands for: which one has no reason?",
    ),
    "term": ("one term too many", "How many parts does the result have? Count yours."),
    "count": SLIPS["count"],
    "divisor": (
        "one division too many",
        "What is divided by what in the question, and how often?",
    ),
    "left out": ("one function too many", "Read the formula from the inside out."),
    "activation": ("one activation too many", SLIPS["activation"][1]),
    "step": ("one step too many", "Which sentence of the question asks for each line?"),
    "not summed": (
        "added up once too often",
        "Which axes does your array have before the sum, and which should remain?",
    ),
    "case": (
        "a special case that isn't one",
        "Remove the distinction: for which inputs is the other branch wrong?",
    ),
}


@dataclass(frozen=True)
class Mend:
    """An edit of an answer: what was superfluous, and where."""

    slip: Slip
    first: int

    @property
    def name(self) -> str:
        return _TOO_MANY[self.slip.kind][0]

    @property
    def hint(self) -> str:
        """The place, and a question."""
        question = _(_TOO_MANY[self.slip.kind][1])
        part = self.slip.text.partition(" → ")[0]
        part = part.removeprefix("without ").removeprefix("always ")
        line = self.slip.line + self.first - 1
        told = _("Look at `{part}` (line {line}). {question}")
        return told.format(part=in_a_line(part, 60), line=line, question=question)


def mends(answer: Callable) -> Iterator[Mend]:
    """The edits of an answer that is a function whose source can be read.

    All of them, or the first `MOST`.
    """
    if not inspect.isfunction(answer) or answer.__closure__:
        return
    try:
        given, first = source_of(answer), answer.__code__.co_firstlineno
        match given.tree().body:
            case [ast.FunctionDef(name=answer.__name__, decorator_list=[])]:
                for slip in islice(each_slip(given, _TOO_MANY), MOST):
                    yield Mend(slip, first)
    except Exception:  # no source, or one that can't be unparsed: nothing to edit
        return

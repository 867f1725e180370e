"""What is too much in an answer: the one piece without which it would be right.

The edits of `edits.py` that leave something out are made in the student's own code. Where
one of them gives what is right, what it left out is the mistake. Other edits would mend
answers too, but by luck. Where the right values are secret, nothing is looked for.

    mends    an answer -> its edits, each with what was too much: `Mend`s that can be run
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

# So many edits of an answer are tried, on a slow machine too.
MOST = 1_000

# By the kind of edit: what was there, and a question.
_TOO_MANY = {
    "factor": (
        "one factor too many",
        "Say what each of your factors stands for: which one has no reason?",
    ),
    "term": ("a term too many", "How many parts does the result have? Count yours."),
    "count": SLIPS["count"],
    "divisor": (
        "a division too many",
        "What is divided by what in the question, and how often?",
    ),
    "left out": ("a function too many", "Go through the formula from the inside."),
    "activation": ("an activation too many", SLIPS["activation"][1]),
    "step": ("a step too many", "Which sentence of the question asks for each line?"),
    "not summed": (
        "added up once too often",
        "Which axes has your array before the sum, and which should be left?",
    ),
    "case": (
        "something is treated apart that isn't a case apart",
        "Leave the distinction out: for which inputs is the other way wrong?",
    ),
}


@dataclass(frozen=True)
class Mend:
    """An edit of an answer: what was too much, and where."""

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
    except Exception:  # no source, or one that can't be written again: nothing to edit
        return

"""One edit of the answer itself that mends it, or leaves a single mistake that we know.

The edits of `edits.py` are made in the student's own code. Where one of them gives what is
right, what it undoes is the mistake, and where it was made is the place. Where one gives
what a known mistake gives, two were made together.

    mends    an answer -> its edits, each with what they undo: `Mend`s that can be run

Read by `finding.py`; never for exercises whose right values are secret.
"""

import ast
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

from .language import _
from .slips import SLIPS, Slip, each_slip, likely_first
from .solutions import source_of
from .values import in_a_line

# Of the processor: to write an answer's edits, and as many again to run them.
SECONDS = 0.8

# What leaving something out undoes; other edits undo a mistake of their own kind.
_UNDOES = SLIPS | {
    "factor": (
        "a factor too many",
        "Which links has the chain? Find one for each of your factors.",
    ),
    "term": ("a term too many", "How many parts does the result have? Count yours."),
    "divisor": (
        "a division too many",
        "What is divided by what in the question, and how often?",
    ),
    "power": (
        "a power too many",
        "What has which unit? Weights can't be added to squares.",
    ),
    "left out": ("a function too many", "Go through the formula from the inside."),
    "activation": (
        "an activation too many",
        "Name the value at each floor, q, z, u, ŷ: what leads from each to the next?",
    ),
    "step": ("a step too many", "Which sentence of the question asks for each line?"),
    "twice": ("squared instead of twice", "The square of 3 is 9, twice 3 is 6."),
    "once more": SLIPS["left out"],
    "not summed": (
        "added up once too often",
        "Which axes has your array before the sum, and which should be left?",
    ),
    "overwritten": (
        "added to what was there before",
        "What stands there already when the first share arrives?",
    ),
    "ddof": (
        "divided by N − 1, not by N",
        "By what is the sum of the squared deviations divided here?",
    ),
    "parentheses": ("parentheses in the wrong place", SLIPS["parentheses"][1]),
}
# What is wrong where leaving the same thing out of both makes them equal.
_ANOTHER = {
    "factor": "another factor in its place",
    "divisor": "another divisor in its place",
    "power": "another power in its place",
}
# What two mistakes made together are made of; edits of other kinds change too much.
LIKELY = frozenset(
    ["off by one", "left out", "upside down", "lost axis", "once more"]
    + "sign transpose axis function exchanged number factor term divisor".split()
    + "activation power ddof border operation parentheses".split()
)


@dataclass(frozen=True)
class Mend:
    """An edit of an answer: what it undoes, and where."""

    slip: Slip
    first: int

    @property
    def name(self) -> str:
        return _UNDOES[self.slip.kind][0]

    @property
    def another(self) -> str:
        """What the mistake is if something is right but for what this edit leaves out."""
        return _ANOTHER.get(self.slip.kind, "")

    @property
    def hint(self) -> str:
        """A question, and before it the place, where there is one to look at."""
        question = _(_UNDOES[self.slip.kind][1])
        old, arrow, __ = self.slip.text.partition(" → ")
        line = self.slip.line + self.first - 1
        if not arrow:
            return question
        told = _("Look at `{part}` (line {line}). {question}")
        return told.format(part=in_a_line(old, 60), line=line, question=question)


def mends(answer: Callable) -> list[Mend]:
    """The edits of an answer that is a function whose source can be read.

    All of them, or as many as `SECONDS` of the processor's time are enough for.
    """
    if not inspect.isfunction(answer) or answer.__closure__:
        return []
    try:
        given, first = source_of(answer), answer.__code__.co_firstlineno
        match given.tree().body:
            case [ast.FunctionDef(name=answer.__name__, decorator_list=[])]:
                end = time.process_time() + SECONDS
                in_time = takewhile(
                    lambda _: time.process_time() < end, each_slip(given)
                )
                return [Mend(slip, first) for slip in likely_first(in_time)]
    except Exception:  # no source, or one that can't be written again: nothing to edit
        pass
    return []

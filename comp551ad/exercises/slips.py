"""Slips common to all exercises, as edits of a solution's syntax tree.

A sign, a transpose, a lost factor, the wrong axis, a loop that starts one too late can occur
in any exercise. `edits.py` makes them; here each kind of edit has a name and a question.

    slips       an exercise's solution, edited in each place: `Slip`s that can be run
    SLIPS       kind -> name of the mistake, and a question

They are tried if none of the exercise's own mistakes explains an answer. `tests/test_slips.py`
looks for edits that an exercise's cases don't detect.
"""

import ast
import functools
import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..functions import logistic, relu, softmax
from .edits import edits
from .language import _
from .solutions import Solution

SLIPS = {
    "sign": (
        "a sign inside is wrong",
        "Take the terms one by one: when this one grows, does the result grow or fall?",
    ),
    "term": (
        "a term is missing",
        "How many parts does the result have? Count those in yours.",
    ),
    "factor": (
        "a factor is missing",
        "Which factors belong there: one for each link of a chain, one for each count? Find yours.",
    ),
    "divisor": (
        "a division is missing",
        "Compare your result with the formula in a case where N, or what you divide by, is 1.",
    ),
    "upside down": (
        "a fraction is upside down",
        "If the numerator grows, should the result grow or fall?",
    ),
    "operation": (
        "the wrong operation",
        "Read the formula aloud, operation by operation: added, multiplied, or divided?",
    ),
    "power": (
        "the wrong power",
        "What is squared in the question, or raised to what power? Try yours with 2 and ½.",
    ),
    "times": (
        "a product instead of a power",
        "3 · 2 is 6 and 2³ is 8: is something added for each, or doubled?",
    ),
    "exchanged": (
        "two operands are swapped",
        "Try it with two numbers (or shapes) that differ: does their order matter?",
    ),
    "transpose": (
        "a transpose is missing, or there is one too many",
        "Write the shapes under the product. With equal sizes it runs and is wrong.",
    ),
    "left out": (
        "a function is left out",
        "Go through the formula from the inside out: what is applied to what?",
    ),
    "activation": (
        "an activation is left out",
        "Name the value at each stage, q, z, u, ŷ: what leads from each to the next?",
    ),
    "function": (
        "the wrong function or operation",
        "Which one does the formula ask for here? Try both on three numbers.",
    ),
    "slope again": (
        "the output's slope once too often",
        "It has cancelled already: that is what the head and its loss do together.",
    ),
    "below the head": (
        "the derivative with respect to ŷ, not u",
        "The head comes between ŷ and the scores u: is its slope in your error?",
    ),
    "diagonal": (
        "the diagonal alone",
        "Softmax ties the outputs together: what does a wrong class's score do to the loss?",
    ),
    "axis": (
        "along the wrong axis",
        "What is each row, and what is each column? Which of the two should vanish?",
    ),
    "all axes": (
        "over all the numbers at once",
        "One number for each row, or one for each column, and which?",
    ),
    "not summed": (
        "not added up",
        "The shares of all rows (or classes, or uses) go into one number: add them.",
    ),
    "lost axis": (
        "an axis is lost",
        "N numbers with an N x C array: along which axis does NumPy repeat them?",
    ),
    "ddof": (
        "divided by N, not by N − 1",
        "Around their own mean the values vary too little: what corrects that?",
    ),
    "whole": (
        "integers cut the fractions off",
        "Both // and an array made like an integer array give integers.",
    ),
    "off by one": (
        "off by one",
        "Do the smallest case by hand: where does it begin, and where does it end?",
    ),
    "number": (
        "one of the numbers is off",
        "Each number in the formula has a reason. Which one?",
    ),
    "slice": (
        "the wrong part is taken",
        "Write down which rows, columns or entries your index takes, for four of them.",
    ),
    "border": (
        "wrong where two numbers are equal",
        "Try the boundary itself: exactly 0, or exactly equal.",
    ),
    "condition": (
        "a condition is reversed",
        "Take a case for which the condition should hold, and one for which it shouldn't.",
    ),
    "case": (
        "a condition is missing",
        "Which inputs does the question treat separately? Where does your code test for them?",
    ),
    "variable": (
        "one quantity in another's place",
        "Say in words what each name in your formula stands for, and which one belongs there.",
    ),
    "parentheses": (
        "parentheses are missing",
        "** goes before * and /, and these go before + and −. What belongs together?",
    ),
    "overwritten": (
        "overwritten instead of added",
        "When a second share arrives, what happens to the first?",
    ),
    "direction": (
        "walked in the wrong direction",
        "Which end comes first, and what must be known before a step can be made?",
    ),
    "early return": (
        "it returns in the loop's first round",
        "How far is `return` indented?",
    ),
    "not anew": (
        "created once, where each round of the loop needs a new one",
        "What does the second round find that the first has left behind?",
    ),
    "step": (
        "a step is left out",
        "Go through the question sentence by sentence: where in your code is each?",
    ),
    "start": (
        "a wrong value to start with",
        "What is there before the loop runs for the first time?",
    ),
    "one part": (
        "one part of the answer in another's place",
        "Each part has a name and a shape in the question.",
    ),
}
SLIPS["count"] = SLIPS["off by one"]

# What functions are called in names that are more specific than the kind's.
SPOKEN = {
    "softmax": "softmax",
    "logistic": "the logistic function",
    "tanh": "tanh",
    "relu": "ReLU",
    "sqrt": "the square root",
    "log": "the logarithm",
    "mean": "the mean",
    "sum": "the sum",
    "min": "the smallest",
    "max": "the largest",
    "std": "the standard deviation",
    "var": "the variance",
    "sin": "sin",
    "cos": "cos",
}
FORMS = {
    "function": "{new} instead of {old}",
    "left out": "{old} is left out",
    "activation": "{old} is left out",
    "axis": "{old} along the wrong axis",
    "all axes": "{old} over all the numbers at once",
    "not summed": "{old} is missing",
    "variable": "{new} where {old} belongs",
}
# Questions for edits that concern softmax.
OF_SOFTMAX = {
    "axis": "Instances are rows: the probabilities of a row add up to 1.",
    "all axes": "Instances are rows: the probabilities of a row add up to 1.",
    "function": "With many classes the outputs are tied together: they add up to 1.",
    "activation": "u are scores. The error is that of the probabilities.",
}

_ACTIVATIONS = {"logistic": logistic, "softmax": softmax, "tanh": np.tanh, "relu": relu}
_MOST_ROUNDS = 10_000


@dataclass(frozen=True)
class Slip:
    """One edit of a solution; `text` tells the author what was changed into what."""

    kind: str
    text: str
    line: int
    source: str
    solution: Solution

    @property
    def name(self) -> str:
        return SLIPS[self.kind][0]

    @property
    def hint(self) -> str:
        return SLIPS[self.kind][1]

    @property
    def spoken(self) -> tuple[str, str]:
        """Its name, mentioning the functions or quantities if they have names, and its hint."""
        old, __, new = (_spoken(part) for part in self.text.partition(" → "))
        form = FORMS.get(self.kind)
        if not form or not old or ("{new}" in form and not new):
            return self.name, self.hint
        hint = OF_SOFTMAX.get(self.kind) if old == "softmax" else None
        return _(form).format(old=_(old), new=_(new)), hint or self.hint

    @property
    def reveals(self) -> bool:
        """Would its name help somebody to guess a secret number?"""
        # For example n + 1, where things are counted.
        whole = re.search(r"[+-] \d+ → ", self.text)
        return bool(whole) or self.kind in ("off by one", "count", "number", "start")

    @functools.cached_property
    def wrong(self) -> Callable[..., Any]:
        """The edited answer, called like the student's; invalid Python raises when called."""
        try:
            return _executed(self.source, self.solution)
        except Exception as error:
            cause = error

        def wrong(*arguments: Any) -> Any:
            raise cause

        return wrong


@functools.cache
def slips(solution: Solution) -> tuple[Slip, ...]:
    """Every distinct edit of a solution, likely ones first."""
    # If several edits have the same result, the first kind names it.
    found = each_slip(solution, SLIPS)
    return tuple(sorted(found, key=lambda slip: _LIKELY.get(slip.kind, 1)))


def each_slip(solution: Solution, kinds: Container[str]) -> Iterator[Slip]:
    """The distinct edits of some kinds, in source order, made lazily."""
    tree = solution.tree()
    seen = {ast.unparse(tree)}
    for kind, text, line in edits(tree):
        if kind not in kinds:
            continue
        source = ast.unparse(ast.fix_missing_locations(tree))
        if source not in seen:
            seen.add(source)
            yield Slip(kind, text, line, source, solution)


def _spoken(text: str) -> str:
    """The name of a function, of a call to one, or of a quantity in the deck; else ""."""
    name = text.partition("(")[0].rpartition(".")[2]
    hat = re.sub("h$", "\N{COMBINING CIRCUMFLEX ACCENT}", text)
    return SPOKEN.get(name, hat if re.fullmatch(r"d?[A-Z]h?", text) else "")


_LIKELY = {
    **dict.fromkeys(("overwritten", "not anew", "early return", "parentheses"), 0),
    **dict.fromkeys(("operation", "number", "step", "function", "exchanged"), 2),
    **dict.fromkeys(("variable", "one part"), 3),
}

# --- running --------------------------------------------------------------------------


class TooManyRounds(RuntimeError):
    """An edited loop that doesn't end."""


def _executed(source: str, solution: Solution) -> Callable[..., Any]:
    """What the source defines; its loops raise after too many rounds."""
    rounds = [0]
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.While):
            node.body.insert(0, ast.parse("__round__()").body[0])
    code = compile(tree, f"<slip of {solution.name}>", "exec")

    def one_round() -> None:
        rounds[0] += 1
        if rounds[0] > _MOST_ROUNDS:
            raise TooManyRounds

    namespace = {**_ACTIVATIONS, **solution.namespace(), "__round__": one_round}
    exec(code, namespace)
    answer = namespace[solution.name]
    if isinstance(answer, type):
        return answer

    @functools.wraps(answer)
    def wrong(*arguments: Any) -> Any:
        rounds[0] = 0
        return answer(*arguments)

    return wrong

"""The slips that people make everywhere, as edits of a solution's syntax tree.

A sign, a transpose, a lost factor, the other axis, a loop that begins one too late: known
in one exercise, they are known in all. Each operator below makes one kind of change in one
place; `SLIPS` has a name and a question for each kind. What an edit reads like is the
answer, and is never shown to students.

    slips       an exercise's solution, edited in each place: `Slip`s that can be run
    SLIPS       kind -> name of the mistake, and a question

Read by `finding.py`, for an answer that no mistake of the exercise's own explains, and by
`tests/test_slips.py`, which looks for edits that the cases let pass.
"""

import ast
import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..functions import logistic, relu, softmax
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
        "Go along the chain link by link: each link has a factor of its own.",
    ),
    "divisor": (
        "a division is missing",
        "Compare your result with the formula in a case where N, or what you divide by, is 1.",
    ),
    "upside down": (
        "a fraction is upside down",
        "If the number above the bar grows, should the result grow or fall?",
    ),
    "operation": (
        "another operation in its place",
        "Read the formula aloud, operation by operation: added, multiplied, or divided?",
    ),
    "power": (
        "a power is missing",
        "What has which unit? A square of weights can't stand where weights should.",
    ),
    "twice": (
        "twice for squared",
        "The square of 3 is 9, twice 3 is 6.",
    ),
    "times": (
        "a product instead of a power",
        "3 · 2 is 6 and 2³ is 8: is something added for each, or doubled?",
    ),
    "exchanged": (
        "two operands have changed places",
        "Try it with two numbers (or shapes) that differ: does their order matter?",
    ),
    "entrywise": (
        "multiplied entry by entry",
        "Write the index of each factor: is one of them summed over?",
    ),
    "transpose": (
        "a transpose is missing, or is one too many",
        "Write the shapes under the product. With equal sizes it runs and is wrong.",
    ),
    "left out": (
        "a function is left out",
        "Go through the formula from the inside: what is applied to what?",
    ),
    "activation": (
        "an activation is left out",
        "Name the value at each floor, q, z, u, ŷ: what leads from each to the next?",
    ),
    "once more": (
        "a function is applied once too often",
        "Has it been applied already where this value was made?",
    ),
    "function": (
        "another function in its place",
        "Which function does the question name here? Try both on three numbers.",
    ),
    "slope again": (
        "the output's slope once too often",
        "It has cancelled already: that is what the head and its loss do together.",
    ),
    "below the head": (
        "the derivative with respect to ŷ, not u",
        "The head lies between ŷ and the scores u: is its slope in your error?",
    ),
    "diagonal": (
        "the diagonal alone",
        "Softmax ties the outputs together: what does a wrong class's score do to the loss?",
    ),
    "axis": (
        "along the wrong axis",
        "What is each row, and what each column? Which of the two is to vanish?",
    ),
    "all axes": (
        "over all the numbers at once",
        "One number for each row, or one for each column, and which?",
    ),
    "not summed": (
        "not added up",
        "The shares of all rows (or classes, or uses) meet in one number: they are added.",
    ),
    "lost axis": (
        "an axis got lost",
        "N numbers beside an N x C array: along which axis does NumPy repeat them?",
    ),
    "ddof": (
        "divided by N, not by N − 1",
        "Around their own mean the values vary too little: what mends that?",
    ),
    "whole": (
        "whole numbers cut the fractions off",
        "What type has an array that is made like w, if w holds whole numbers?",
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
        "Try the border itself: exactly 0, or exactly equal.",
    ),
    "condition": (
        "a condition is turned round, or is missing",
        "Take a case for which the condition should hold, and one for which it shouldn't.",
    ),
    "variable": (
        "one quantity in another's place",
        "Say in words what each name in your formula stands for, and what should stand there.",
    ),
    "parentheses": (
        "parentheses are missing",
        "** goes before * and /, and these go before + and −. What belongs together?",
    ),
    "overwritten": (
        "overwritten instead of added",
        "When a second share arrives, what becomes of the first?",
    ),
    "direction": (
        "walked in the wrong direction",
        "Which end comes first, and what must be known before a step can be made?",
    ),
    "early return": (
        "it returns in the first round of the loop",
        "How far to the right does `return` stand?",
    ),
    "not anew": (
        "made once, where each round of the loop needs it anew",
        "What does the second round find that the first has left behind?",
    ),
    "step": (
        "a step is left out",
        "Go through the question sentence by sentence: where in your code is each?",
    ),
    "start": (
        "a wrong value to start with",
        "What is there before the loop has turned for the first time?",
    ),
    "branch": (
        "two cases have changed places",
        "Which of the two is which? Try one of each.",
    ),
    "one part": (
        "one part of the answer in another's place",
        "Each part has a name and a shape in the question.",
    ),
}

# Names that say more than the kind's, by the functions that an edit is about.
SPOKEN = {
    "softmax": "softmax",
    "logistic": "the logistic function",
    "tanh": "tanh",
    "relu": "ReLU",
    "sqrt": "the square root",
    "log": "the logarithm",
    "mean": "the mean",
    "sum": "the sum",
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
# Questions about softmax, which the outputs' names alone call for.
OF_SOFTMAX = {
    "axis": "Instances are rows: the probabilities of a row add up to 1.",
    "all axes": "Instances are rows: the probabilities of a row add up to 1.",
    "function": "With many classes the outputs are tied together: they add up to 1.",
    "activation": "u are scores. The error is that of the probabilities.",
}

# Functions that people take for one another.
_FAMILIES = (
    ("mean", "sum"),
    ("max", "min"),
    ("std", "var"),
    ("sin", "cos"),
    ("softmax", "logistic", "tanh", "relu"),
    ("outer", "dot", "multiply"),
    ("all", "any"),
    ("zeros", "ones", "eye"),
    ("argsort", "sort"),
    ("append", "extend"),
    ("add", "update"),
    ("exp", "log"),
)
_UNARY = "sqrt abs log exp logistic softmax tanh relu sin cos reversed sorted set diag".split()
_AGAIN = "logistic softmax tanh relu sqrt".split()
_HEADS = "logistic softmax tanh relu".split()
_ACTIVATIONS = {"logistic": logistic, "softmax": softmax, "tanh": np.tanh, "relu": relu}
_REDUCTIONS = "sum mean max min var std logsumexp".split()
_MOST_ROUNDS = 10_000

# Kinds, and what may stand in an expression's place.
_Edits = Iterator[tuple[str, ast.expr]]


@dataclass(frozen=True)
class Slip:
    """One edit of a solution; `text` says for the author what was changed into what."""

    kind: str
    text: str
    line: int
    code: Any
    solution: Solution

    @property
    def name(self) -> str:
        return SLIPS[self.kind][0]

    @property
    def hint(self) -> str:
        return SLIPS[self.kind][1]

    @property
    def spoken(self) -> tuple[str, str]:
        """Its name with the functions or quantities in it, as far as they have names; its hint."""
        old, __, new = (_spoken(part) for part in self.text.partition(" → "))
        form = FORMS.get(self.kind)
        if not form or not old or ("{new}" in form and not new):
            return self.name, self.hint
        hint = OF_SOFTMAX.get(self.kind) if old == "softmax" else None
        return _(form).format(old=_(old), new=_(new)), hint or self.hint

    @property
    def reveals(self) -> bool:
        """Would its name bring somebody who guesses numbers nearer to a secret one?"""
        return self.kind in ("off by one", "number", "start")

    @functools.cached_property
    def wrong(self) -> Callable[..., Any]:
        """The edited answer: called as the student's is."""
        return _executed(self.code, self.solution)


@functools.cache
def slips(solution: Solution) -> tuple[Slip, ...]:
    """Every edit of a solution that differs from it as text, once; likely ones first."""
    return tuple(likely_first(each_slip(solution)))


def each_slip(solution: Solution) -> Iterator[Slip]:
    """The same in the order of the text, each made when it is wanted."""
    tree = solution.tree()
    _count_rounds(tree)
    seen = {ast.unparse(tree)}
    for kind, text, line in edits(tree):
        source = ast.unparse(ast.fix_missing_locations(tree))
        if source not in seen:
            seen.add(source)
            code = compile(source, f"<slip of {solution.name}>", "exec")
            yield Slip(kind, text, line, code, solution)


def likely_first(found: Iterable[Slip]) -> list[Slip]:
    """Where several edits come to the same, the first kind gives the name."""
    return sorted(found, key=lambda slip: _LIKELY.get(slip.kind, 1))


def _spoken(text: str) -> str:
    """How a function, or a call of one, or a quantity of the deck is called; "" for others."""
    name = text.partition("(")[0].rpartition(".")[2]
    return SPOKEN.get(name, text if re.fullmatch(r"d?[A-Z]h?", text) else "")


_LIKELY = {
    **dict.fromkeys(("overwritten", "not anew", "early return", "parentheses"), 0),
    **dict.fromkeys(("operation", "number", "step", "function", "exchanged"), 2),
    **dict.fromkeys(("variable", "one part"), 3),
}

# --- running --------------------------------------------------------------------------


class TooManyRounds(RuntimeError):
    """An edited loop that doesn't end."""


def _executed(code: Any, solution: Solution) -> Callable[..., Any]:
    rounds = [0]

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


def _count_rounds(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.While):
            node.body.insert(0, ast.parse("__round__()").body[0])


def _is_counter(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node) == "__round__()"


# --- editing --------------------------------------------------------------------------


def edits(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Make one edit after the other in `tree`; each is undone when the next is wanted."""
    names = _names(tree)
    for parent in list(ast.walk(tree)):
        if _is_counter(parent):
            continue
        for field, value in list(ast.iter_fields(parent)):
            if isinstance(value, ast.expr):
                for kind, new in _instead(value, parent, names):
                    setattr(parent, field, new)
                    yield kind, _told(value, new), value.lineno
                setattr(parent, field, value)
            elif isinstance(value, list) and value:
                yield from _edits_of_list(parent, field, value, names)
    ast.fix_missing_locations(tree)


def _edits_of_list(
    parent: ast.AST, field: str, value: list, names: list[str]
) -> Iterator[tuple[str, str, int]]:
    if isinstance(value[0], ast.stmt):
        for kind, new, text, line in _other_bodies(parent, value):
            setattr(parent, field, new)
            yield kind, text, line
        setattr(parent, field, value)
        return
    for k, old in enumerate(value):
        if isinstance(old, ast.expr) and not (
            isinstance(parent, ast.Dict) and field == "keys"
        ):
            for kind, other in _instead(old, parent, names):
                value[k] = other
                yield kind, _told(old, other), old.lineno
            value[k] = old


def _told(old: ast.AST, new: ast.AST) -> str:
    return f"{ast.unparse(old)} → {ast.unparse(new)}"


def _names(tree: ast.AST) -> list[str]:
    """The names that the answer itself gives to values: arguments and variables."""
    found = [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.append(node.id)
    return list(dict.fromkeys(name for name in found if name not in ("self", "_")))


def _instead(node: ast.expr, parent: ast.AST, names: list[str]) -> _Edits:
    """What may stand instead of an expression: kinds and expressions."""
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        return
    yield from _without_parentheses(node)
    is_result = isinstance(parent, ast.Return | ast.Assign | ast.Tuple)
    if is_result and isinstance(node, ast.BinOp | ast.Call):
        yield "sign", ast.UnaryOp(ast.USub(), node)
    for operator, instead in _OPERATORS:
        if isinstance(node, operator):
            yield from instead(node, parent, names)


def _binary(node: ast.BinOp, parent: ast.AST, names: list[str]) -> _Edits:
    a, b = node.left, node.right

    def other(
        operator: type[ast.operator], left: ast.expr = a, right: ast.expr = b
    ) -> ast.expr:
        return ast.BinOp(left, operator(), right)

    match node.op:
        case ast.Add():
            yield "sign", other(ast.Sub)
            yield "term", a
            yield "term", b
            yield "operation", other(ast.Mult)
        case ast.Sub():
            yield "sign", other(ast.Add)
            yield "exchanged", other(ast.Sub, b, a)
            yield "term", a
            yield "term", ast.UnaryOp(ast.USub(), b)
            yield "term", b
            if isinstance(a, ast.Call) and _called(a) in _AGAIN:
                h, y = ast.unparse(a), ast.unparse(b)
                yield "slope again", _parsed(f"({h} - {y}) * {h} * (1 - {h})")
                yield "below the head", _parsed(f"-{y} / {h}")
                yield "diagonal", _parsed(f"-{y} * (1 - {h})")
        case ast.Mult():
            yield "factor", a
            yield "factor", b
            yield "operation", other(ast.Add)
            yield "operation", other(ast.Div)
        case ast.Div():
            yield "divisor", a
            yield "upside down", other(ast.Div, b, a)
            yield "operation", other(ast.Mult)
            yield "off by one", other(ast.FloorDiv)
        case ast.FloorDiv():
            yield "operation", other(ast.Div)
            yield "divisor", a
        case ast.Pow():
            yield "power", a
            squared = isinstance(b, ast.Constant) and b.value == 2
            yield "twice" if squared else "times", other(ast.Mult, b, a)
            yield "exchanged", other(ast.Pow, b, a)
        case ast.MatMult():
            yield "exchanged", other(ast.MatMult, b, a)
            yield "entrywise", other(ast.Mult)
            yield "factor", a
            yield "factor", b
            for left, right in ((_turned(a), b), (a, _turned(b))):
                yield "transpose", other(ast.MatMult, left, right)
            yield "transpose", other(ast.MatMult, _turned(a), _turned(b))


def _turned(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return node.value
    return ast.Attribute(node, "T", ast.Load())


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _unary(node: ast.UnaryOp, parent: ast.AST, names: list[str]) -> _Edits:
    if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "sign", node.operand
    if isinstance(node.op, ast.Not):
        yield "condition", node.operand


def _attribute(node: ast.Attribute, parent: ast.AST, names: list[str]) -> _Edits:
    if node.attr == "T":
        yield "transpose", node.value
    for other in _family(node.attr):
        if other in _HEADS:
            yield "function", ast.Name(other, ast.Load())
        else:
            yield "function", ast.Attribute(node.value, other, ast.Load())


def _family(name: str) -> list[str]:
    return [o for family in _FAMILIES if name in family for o in family if o != name]


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _call(node: ast.Call, parent: ast.AST, names: list[str]) -> _Edits:
    name, arguments = _called(node), node.args

    def call(
        args: list[ast.expr] = arguments, keywords: list[ast.keyword] = node.keywords
    ) -> ast.Call:
        return ast.Call(node.func, args, keywords)

    operand = arguments[0] if arguments else None
    if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) != "np":
        operand = node.func.value  # a method's
    if name in _UNARY and operand is not None:
        yield "activation" if name in _HEADS else "left out", operand
    if name in _AGAIN:
        yield "once more", call([node])
    if name in _REDUCTIONS and operand is not None:
        yield "not summed", operand
        if not any(k.arg == "axis" for k in node.keywords):
            for axis in (0, 1):
                yield "axis", call(keywords=[*node.keywords, _keyword("axis", axis)])
    if name == "softmax":
        yield "axis", call(keywords=[_keyword("axis", 0)])
        yield "all axes", call(keywords=[_keyword("axis", None)])
    if name in ("reversed", "sorted") and operand is not None:
        yield "direction", operand
    if name == "range" and len(arguments) == 1:
        yield "off by one", call([ast.Constant(1), *arguments])
        yield "off by one", call([_parsed(f"{ast.unparse(arguments[0])} - 1")])
        yield "off by one", call([_parsed(f"{ast.unparse(arguments[0])} + 1")])
        yield (
            "direction",
            ast.Call(ast.Name("reversed", ast.Load()), [node], []),
        )
    if name == "get" and len(arguments) == 2:
        yield (
            "start",
            call([arguments[0], _parsed(f"1 - ({ast.unparse(arguments[1])})")]),
        )
        yield "start", call([arguments[0], arguments[0]])
    if name == "zeros" and arguments and ast.unparse(arguments[0]).endswith(".shape"):
        like = ast.unparse(arguments[0]).removesuffix(".shape")
        yield "whole", _parsed(f"np.zeros_like({like})")
    if len(arguments) == 2 and name not in ("get", "dot", "outer", "multiply"):
        yield "exchanged", call(arguments[::-1])
    if name == "dot":
        for left, right in ((0, 1), (1, 0), (1, 1)):
            turned = [_turned(a) if t else a for a, t in zip(arguments, (left, right))]  # noqa: B905
            yield "transpose", call(turned)
        yield "exchanged", call(arguments[::-1])
        yield "factor", arguments[0]
        yield "factor", arguments[1]
    for k, keyword in enumerate(node.keywords):
        rest = [*node.keywords[:k], *node.keywords[k + 1 :]]
        for kind, value in _other_keywords(keyword):
            new = [] if value is Ellipsis else [_keyword(str(keyword.arg), value)]
            yield kind, call(keywords=[*rest, *new])


def _keyword(name: str, value: Any) -> ast.keyword:
    return ast.keyword(name, ast.Constant(value))


def _other_keywords(keyword: ast.keyword) -> Iterator[tuple[str, Any]]:
    """Other values for an option; `...` for leaving it out."""
    match keyword.arg, getattr(keyword.value, "value", None):
        case "axis", 0 | 1 as axis:
            yield "axis", 1 - axis
            yield "all axes", None
        case "axis", _:
            yield "all axes", None
        case "keepdims", True:
            yield "lost axis", ...
        case "ddof", 1:
            yield "ddof", 0


def _subscript(node: ast.Subscript, parent: ast.AST, names: list[str]) -> _Edits:
    def at(index: ast.expr) -> ast.expr:
        return ast.Subscript(node.value, index, ast.Load())

    index = node.slice
    if isinstance(index, ast.Slice):
        yield "slice", node.value
        if index.step is not None:
            return
        if index.lower is None or index.upper is None:
            yield "slice", at(ast.Slice(index.upper, index.lower))
        for side in ("lower", "upper"):
            bound = getattr(index, side)
            if bound is not None:
                for step in ("+ 1", "- 1"):
                    moved = _parsed(f"{ast.unparse(bound)} {step}")
                    yield "off by one", at(_replaced(index, side, moved))
    elif isinstance(index, ast.Tuple):
        is_new_axis = any(
            isinstance(part, ast.Constant) and part.value is None for part in index.elts
        )
        if is_new_axis:
            yield "lost axis", node.value
        turned = ast.Tuple(index.elts[::-1], ast.Load())
        yield "lost axis" if is_new_axis else "slice", at(turned)
        for element in index.elts:
            if not isinstance(element, ast.Slice | ast.Constant):
                yield "slice", at(element)
        for k, part in enumerate(index.elts):
            if isinstance(part, ast.Slice) and (part.lower or part.upper):
                alone = ast.Subscript(node.value, part, ast.Load())
                for __, new in _subscript(alone, parent, names):
                    if isinstance(new, ast.Subscript):
                        parts = [*index.elts[:k], new.slice, *index.elts[k + 1 :]]
                        yield "slice", at(ast.Tuple(parts, ast.Load()))
                for lower, upper in ((1, None), (None, -1)):
                    bounds = [
                        b if b is None else ast.Constant(b) for b in (lower, upper)
                    ]
                    parts = [*index.elts[:k], ast.Slice(*bounds), *index.elts[k + 1 :]]
                    yield "slice", at(ast.Tuple(parts, ast.Load()))


def _replaced(index: ast.Slice, side: str, bound: ast.expr) -> ast.Slice:
    moved = ast.Slice(index.lower, index.upper)
    setattr(moved, side, bound)
    return moved


_BORDERS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
_OPPOSITES = {
    **{ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In},
}


def _compare(node: ast.Compare, parent: ast.AST, names: list[str]) -> _Edits:
    for k, operator in enumerate(node.ops):
        for kind, table in (("border", _BORDERS), ("condition", _OPPOSITES)):
            if type(operator) in table:
                new = [*node.ops[:k], table[type(operator)](), *node.ops[k + 1 :]]
                yield kind, ast.Compare(node.left, new, node.comparators)


def _boolean(node: ast.BoolOp, parent: ast.AST, names: list[str]) -> _Edits:
    other = ast.Or if isinstance(node.op, ast.And) else ast.And
    yield "condition", ast.BoolOp(other(), node.values)
    for value in node.values:
        yield "condition", value


def _constant(node: ast.Constant, parent: ast.AST, names: list[str]) -> _Edits:
    value = node.value
    if isinstance(value, str):
        yield from _formula(value, names)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if isinstance(value, int) or value == int(value):
        for other in (value + 1, value - 1):
            yield _kind_of_number(node, parent), ast.Constant(other)
        if value not in (0, 1, -1):
            yield "number", ast.Constant(1)
    else:
        for other in (2 * value, value / 2):
            yield "number", ast.Constant(other)


def _kind_of_number(node: ast.Constant, parent: ast.AST) -> str:
    if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow):
        return "power"
    if isinstance(node.value, float):
        return "start"
    counts = isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Add | ast.Sub)
    other = getattr(parent, "left", None) if counts else None
    if counts and not isinstance(other, ast.Constant):
        return "off by one"
    return "off by one" if isinstance(parent, ast.Subscript | ast.Slice) else "number"


def _formula(text: str, names: list[str]) -> _Edits:
    """Edits inside of an answer that is typed as a formula."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return
    if isinstance(tree.body, ast.Constant | ast.Name):
        return
    for kind, *__ in edits(tree):
        yield kind, ast.Constant(ast.unparse(tree))


def _name(node: ast.Name, parent: ast.AST, names: list[str]) -> _Edits:
    if node.id in names:
        for other in names:
            if other != node.id:
                yield "variable", ast.Name(other, ast.Load())
    elif not isinstance(parent, ast.Attribute):
        for other in _family(node.id):
            yield "function", ast.Name(other, ast.Load())


def _choice(node: ast.IfExp, parent: ast.AST, names: list[str]) -> _Edits:
    yield "branch", ast.IfExp(node.test, node.orelse, node.body)
    yield "condition", node.body
    yield "condition", node.orelse


def _comprehension(node: Any, parent: ast.AST, names: list[str]) -> _Edits:
    for k, loop in enumerate(node.generators):
        if loop.ifs:
            bare = ast.comprehension(loop.target, loop.iter, [], 0)
            loops = [*node.generators[:k], bare, *node.generators[k + 1 :]]
            yield "condition", type(node)(**{**vars(node), "generators": loops})
    if isinstance(node, ast.SetComp):
        yield "function", ast.ListComp(node.elt, node.generators)


def _tuple(node: Any, parent: ast.AST, names: list[str]) -> _Edits:
    for k in range(len(node.elts)):
        if len(node.elts) > 1 and not isinstance(parent, ast.Subscript):
            for j, other in enumerate(node.elts):
                if j != k:
                    parts = [*node.elts[:k], other, *node.elts[k + 1 :]]
                    yield "one part", type(node)(parts, ast.Load())


_OPERATORS: tuple[tuple[Any, Callable[[Any, ast.AST, list[str]], _Edits]], ...] = (
    (ast.BinOp, _binary),
    (ast.UnaryOp, _unary),
    (ast.Attribute, _attribute),
    (ast.Call, _call),
    (ast.Subscript, _subscript),
    (ast.Compare, _compare),
    (ast.BoolOp, _boolean),
    (ast.Constant, _constant),
    (ast.Name, _name),
    (ast.IfExp, _choice),
    (ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, _comprehension),
    (ast.Tuple | ast.List, _tuple),
)


def _without_parentheses(node: ast.expr) -> _Edits:
    """The expression as Python reads it when a pair of parentheses is left out."""
    if not isinstance(node, ast.BinOp | ast.UnaryOp):
        return
    sign = {
        ast.Add: "+",
        ast.Sub: "-",
        ast.Mult: "*",
        ast.Div: "/",
        ast.FloorDiv: "//",
        ast.Pow: "**",
        ast.MatMult: "@",
    }
    if isinstance(node, ast.UnaryOp):
        texts = (
            [f"-{ast.unparse(node.operand)}"] if isinstance(node.op, ast.USub) else []
        )
    else:
        texts = [
            f"{ast.unparse(node.left)} {sign[type(node.op)]} {ast.unparse(node.right)}"
        ]
    for text in texts:
        new = _parsed(text)
        if ast.dump(new) != ast.dump(node):
            yield "parentheses", new


# --- statements -----------------------------------------------------------------------


def _other_bodies(parent: ast.AST, body: list) -> Iterator[tuple[str, list, str, int]]:
    for k, statement in enumerate(body):
        if _is_counter(statement) or _is_text(statement):
            continue
        line, text = statement.lineno, ast.unparse(statement).split("\n")[0]
        rest = [*body[:k], *body[k + 1 :]]
        if isinstance(statement, ast.Expr | ast.Assign | ast.AugAssign) and rest:
            yield "step", rest, f"without {text}", line
        if isinstance(statement, ast.AugAssign):
            plain = ast.Assign([statement.target], statement.value)
            yield "overwritten", [*body[:k], plain, *body[k + 1 :]], f"{text}: =", line
            minus = ast.AugAssign(statement.target, ast.Sub(), statement.value)
            yield "sign", [*body[:k], minus, *body[k + 1 :]], f"{text}: -=", line
        if isinstance(statement, ast.For):
            yield from _other_loops(body, k, statement, text)
        if isinstance(statement, ast.If) and isinstance(statement.body[-1], ast.Return):
            yield "condition", rest, f"without {text}", line
        if isinstance(statement, ast.If):
            yield (
                "condition",
                [*body[:k], *statement.body, *body[k + 1 :]],
                f"always {text}",
                line,
            )


def _other_loops(
    body: list, k: int, loop: ast.For, text: str
) -> Iterator[tuple[str, list, str, int]]:
    """A loop turned round, left too early, or with a line of it before it."""
    turned = ast.Call(ast.Name("reversed", ast.Load()), [_as_list(loop.iter)], [])
    last = body[k + 1] if k + 1 < len(body) else None

    def instead(new: list, after: int = k + 1) -> list:
        return [*body[:k], *new, *body[after:]]

    def other(iterable: ast.expr = loop.iter, inside: list = loop.body) -> ast.For:
        return ast.For(loop.target, iterable, inside, loop.orelse)

    yield "direction", instead([other(turned)]), f"{text} reversed", loop.lineno
    if isinstance(last, ast.Return):
        inside = [*loop.body, last]
        yield (
            "early return",
            instead([other(inside=inside), last], k + 2),
            text,
            loop.lineno,
        )
    for j, statement in enumerate(loop.body):
        if isinstance(statement, ast.Assign) and len(loop.body) > 2:
            inside = [*loop.body[:j], *loop.body[j + 1 :]]
            moved = ast.unparse(statement)
            new = instead([statement, other(inside=inside)])
            yield "not anew", new, f"before the loop: {moved}", statement.lineno


def _as_list(node: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("list", ast.Load()), [node], [])


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)

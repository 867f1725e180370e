"""Edits of a syntax tree that resemble people's mistakes.

Most of them are rules, `a + b → a - b`, with one kind of edit per paragraph. Each is made in
one place at a time. The text of an edit gives the answer away and is never shown to students.

    RULES    the rules, by kind: Python, in which one letter matches any expression
    edits    a tree -> each edit made in it: its kind, what it changed, the line
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# A one-letter name matches any expression, f any function, and F each of the functions
# in brackets. `sum(a)` matches np.sum(X, axis=1) as well as X.sum(): keyword arguments
# that a rule doesn't mention are kept.
RULES = """
sign: a + b → a - b | a - b → a + b | -a → a
slope again [logistic softmax tanh relu]: F(a) - b → (F(a) - b) * F(a) * (1 - F(a))
below the head [logistic softmax tanh relu]: F(a) - b → -b / F(a)
diagonal [logistic softmax tanh relu]: F(a) - b → -b * (1 - F(a))
exchanged: a - b → b - a | a ** b → b ** a | a @ b → b @ a | f(a, b) → f(b, a)
term: a + b → a | a + b → b | a - b → a | a - b → -b | a - b → b
factor: a * b → a | a * b → b | a @ b → a | a @ b → b | dot(a, b) → a | dot(a, b) → b
divisor: a / b → a | a // b → a
upside down: a / b → b / a
power: a ** b → a
times: a ** b → b * a
transpose: a.T → a | a @ b → a.T @ b | a @ b → a @ b.T | a @ b → a.T @ b.T
    | dot(a, b) → dot(a.T, b) | dot(a, b) → dot(a, b.T) | dot(a, b) → dot(a.T, b.T)
operation: a + b → a * b | a * b → a + b | a * b → a / b | a / b → a * b | a // b → a / b
activation [logistic softmax tanh relu]: F(a) → a
left out [sqrt abs log exp sin cos reversed sorted set diag]: F(a) → a
not summed [sum mean max min var std logsumexp]: F(a) → a
axis [sum mean max min var std logsumexp]: F(a) → F(a, axis=0) | F(a) → F(a, axis=1)
axis: softmax(a) → softmax(a, axis=0) | f(a, axis=0) → f(a, axis=1) | f(a, axis=1) → f(a, axis=0)
all axes: softmax(a) → softmax(a, axis=None) | f(a, axis=b) → f(a, axis=None)
lost axis: f(a, keepdims=True) → f(a) | a[b, None] → a | a[b, None] → a[None, b]
ddof: f(a, ddof=1) → f(a, ddof=0)
whole: zeros(a.shape) → np.zeros_like(a) | a / b → a // b
direction: range(a) → reversed(range(a))
off by one: range(a) → range(1, a) | range(a) → range(a - 1) | range(a) → range(a + 1)
    | a[b:] → a[b + 1:] | a[b:] → a[b - 1:]
    | a[:b] → a[:b + 1] | a[:b] → a[:b - 1]
slice: a[b:] → a | a[:b] → a | a[::b] → a | a[b:] → a[:b] | a[:b] → a[b:]
    | a[b, c] → a[c, b] | a[:, b] → a[b] | a[b, :] → a[b]
    | a[b, :c] → a[b, c:] | a[b, :c] → a[b] | a[b, :c] → a[b, 1:]
    | a[b, :c] → a[b, :c + 1] | a[b, :c] → a[b, :c - 1]
border: a < b → a <= b | a <= b → a < b | a > b → a >= b | a >= b → a > b
    | a <= b < c → a < b < c | a <= b < c → a <= b <= c
condition: a < b → a > b | a <= b → a >= b | a > b → a < b | a >= b → a <= b
    | a <= b < c → a >= b < c | a <= b < c → a <= b > c | a == b → a != b
    | a != b → a == b | a in b → a not in b | a not in b → a in b | not a → a
    | a and b → a or b | a or b → a and b
case: a and b → a | a and b → b | a or b → a | a or b → b
    | a if b else c → a | a if b else c → c
    | [a for b in c if d] → [a for b in c] | (a for b in c if d) → (a for b in c)
function: {a for b in c} → [a for b in c]
"""
# Functions that people confuse.
FAMILIES = (
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
_OF_THE_PACKAGE = "softmax logistic tanh relu".split()

# A kind of edit, and a replacement for an expression.
_Edits = Iterator[tuple[str, ast.expr]]


# --- rules ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rule:
    kind: str
    old: ast.expr
    new: ast.expr


def _rules() -> dict[type, list[_Rule]]:
    """The rules by the type of expression that they change."""
    found: dict[type, list[_Rule]] = {}
    for paragraph in RULES.strip().replace("\n    ", " ").split("\n"):
        head, __, rules = paragraph.partition(": ")
        kind, __, functions = head.strip("]").partition(" [")
        for rule in rules.split(" | "):
            for name in functions.split() or [""]:
                text = rule.replace("F", name) if name else rule
                old, new = map(parsed, text.split(" → "))
                found.setdefault(type(old), []).append(_Rule(kind, old, new))
    return found


def parsed(text: str) -> ast.expr:
    return ast.parse(text.strip(), mode="eval").body


def _is_wild(node: Any) -> bool:
    return isinstance(node, ast.Name) and len(node.id) == 1


def _operands(call: ast.Call) -> list[ast.expr]:
    """A call's positional arguments; a method's first operand is its object."""
    match call.func:
        case ast.Attribute(value=of) if not re.fullmatch(
            r"np(\.\w+)*", ast.unparse(of)
        ):
            return [of, *call.args]
    return call.args


def called(call: ast.Call) -> str:
    """The name of the function, or of the method, that is called."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _fits(pattern: Any, node: Any, found: dict[str, Any]) -> bool:
    """Does the node match the pattern? `found` collects what its letters match."""
    if _is_wild(pattern) and isinstance(node, ast.expr):
        known = found.setdefault(pattern.id, node)
        return known is node or ast.dump(known) == ast.dump(node)
    if isinstance(pattern, list):
        if not isinstance(node, list) or len(pattern) != len(node):
            return False
        return all(_fits(*pair, found) for pair in zip(pattern, node, strict=True))
    if type(pattern) is not type(node):
        return False
    if isinstance(pattern, ast.Call):
        return _fits_call(pattern, node, found)
    if isinstance(pattern, ast.AST):
        fields = [name for name in pattern._fields if name != "ctx"]
        return all(_fits(getattr(pattern, f), getattr(node, f), found) for f in fields)
    return bool(pattern == node)


def _fits_call(pattern: ast.Call, node: ast.Call, found: dict[str, Any]) -> bool:
    if not _is_wild(pattern.func) and called(pattern) != called(node):
        return False
    options = {k.arg: k.value for k in node.keywords}
    found["call"] = node
    return _fits(pattern.args, _operands(node), found) and all(
        k.arg in options and _fits(k.value, options.pop(k.arg), found)
        for k in pattern.keywords
    )


def _written(part: Any, rule: _Rule, found: dict[str, Any]) -> Any:
    """A part of the rule's new expression, with its letters replaced by what they matched."""
    if isinstance(part, list):
        return [_written(each, rule, found) for each in part]
    if isinstance(part, ast.Name):
        return found.get(part.id, part)
    if not isinstance(part, ast.AST):
        return part
    new = type(part)(
        **{name: _written(value, rule, found) for name, value in ast.iter_fields(part)}
    )
    match new:
        case ast.Attribute(attr="T", value=ast.Attribute(attr="T", value=twice_turned)):
            return twice_turned
        case ast.Call() if "call" in found and called(new) in (
            "f",
            called(found["call"]),
        ):
            return _called_as(found["call"], new, rule)
    return new


def _called_as(call: ast.Call, new: ast.Call, rule: _Rule) -> ast.Call:
    """The new call in the style of the old: of np or a method, with its keyword arguments."""
    lost = {part.arg for part in ast.walk(rule.old) if isinstance(part, ast.keyword)}
    kept = {k.arg: k for k in call.keywords if k.arg not in lost}
    options = list((kept | {k.arg: k for k in new.keywords}).values())
    if _operands(call) == call.args:
        return ast.Call(call.func, new.args, options)
    method = ast.Attribute(new.args[0], called(call), ast.Load())
    return ast.Call(method, new.args[1:], options)


_RULES = _rules()


# --- expressions ----------------------------------------------------------------------


def edits(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Make one edit at a time in `tree`; each is undone before the next."""
    names = _names(tree)
    for parent in list(ast.walk(tree)):
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
        for kind, new, text, line in _other_bodies(value):
            setattr(parent, field, new)
            yield kind, text, line
        setattr(parent, field, value)
        return
    for k, old in enumerate(value):
        if isinstance(old, ast.expr) and (type(parent), field) != (ast.Dict, "keys"):
            for kind, other in _instead(old, parent, names):
                value[k] = other
                yield kind, _told(old, other), old.lineno
            value[k] = old


def _told(old: ast.AST, new: ast.AST) -> str:
    return f"{ast.unparse(old)} → {ast.unparse(new)}"


def _names(tree: ast.AST) -> list[str]:
    """The names that the answer assigns: arguments and variables."""
    found = [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.append(node.id)
    return list(dict.fromkeys(name for name in found if name not in ("self", "_")))


def _instead(node: ast.expr, parent: ast.AST, names: list[str]) -> _Edits:
    """Replacements for an expression: kinds and expressions."""
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        return
    yield from _without_parentheses(node)
    is_result = isinstance(parent, ast.Return | ast.Assign | ast.Tuple)
    if is_result and isinstance(node, ast.BinOp | ast.Call):
        yield "sign", ast.UnaryOp(ast.USub(), node)
    counts = _is_count(node, parent)
    for rule in _RULES.get(type(node), ()):
        found: dict[str, Any] = {}
        if _fits(rule.old, node, found):
            kind = "count" if counts and rule.kind in ("sign", "term") else rule.kind
            yield kind, _written(rule.new, rule, found)
    match node:
        case ast.Constant(value=str(text)):
            yield from _edits_of_formula(text)
        case ast.Constant(value=int() | float() as value) if type(value) is not bool:
            yield from _other_numbers(value, parent)
        case ast.Name(id=name) if name in names:
            for other in names:
                yield "variable", ast.Name(other, ast.Load())
        case ast.Name(id=name) if not isinstance(parent, ast.Attribute):
            yield from (("function", ast.Name(o, ast.Load())) for o in _family(name))
        case ast.Attribute(value=value, attr=name):
            for other in _family(name):
                new = ast.Attribute(value, other, ast.Load())
                ours = other in _OF_THE_PACKAGE
                yield "function", ast.Name(other, ast.Load()) if ours else new
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            if not isinstance(parent, ast.Subscript):
                yield from _one_part_twice(node, parts)


def _is_count(node: ast.expr, parent: ast.AST) -> bool:
    """Is it n + 1 or n - 1 in an index or range, rather than a term of the result?"""
    match node, parent:
        case (
            ast.BinOp(op=ast.Add() | ast.Sub(), right=ast.Constant(value=int())),
            ast.Subscript() | ast.Slice() | ast.Call(func=ast.Name(id="range")),
        ):
            return True
    return False


def _family(name: str) -> list[str]:
    return [o for family in FAMILIES if name in family for o in family if o != name]


def _one_part_twice(node: Any, parts: list[ast.expr]) -> _Edits:
    for k in range(len(parts)):
        for other in parts[:k] + parts[k + 1 :]:
            new = [*parts[:k], other, *parts[k + 1 :]]
            yield "one part", type(node)(new, ast.Load())


def _other_numbers(value: float, parent: ast.AST) -> _Edits:
    if value != int(value):
        for other in (2 * value, value / 2):
            yield "number", ast.Constant(other)
        return
    for other in (value + 1, value - 1):
        yield _kind_of_number(value, parent), ast.Constant(other)
    if value not in (0, 1, -1):
        yield "number", ast.Constant(1)


def _kind_of_number(value: float, parent: ast.AST) -> str:
    if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow):
        return "power"
    if isinstance(value, float):
        return "start"
    counts = isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Add | ast.Sub)
    if counts and not isinstance(getattr(parent, "left", None), ast.Constant):
        return "off by one"
    return "off by one" if isinstance(parent, ast.Subscript | ast.Slice) else "number"


def _edits_of_formula(text: str) -> _Edits:
    """Edits inside an answer that is typed as a formula."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return
    if not isinstance(tree.body, ast.Constant | ast.Name):
        for kind, *__ in edits(tree):
            yield kind, ast.Constant(ast.unparse(tree))


def _without_parentheses(node: ast.expr) -> _Edits:
    """The expression as Python parses it if a pair of parentheses is left out."""
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            sign = ast.unparse(ast.BinOp(ast.Name("a"), op, ast.Name("b")))[1:-1]
            new = parsed(f"{ast.unparse(left)}{sign}{ast.unparse(right)}")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            new = parsed(f"-{ast.unparse(operand)}")
        case _:
            return
    if ast.dump(new) != ast.dump(node):
        yield "parentheses", new


# --- statements -----------------------------------------------------------------------


def _other_bodies(body: list) -> Iterator[tuple[str, list, str, int]]:
    """A body with one of its statements edited: kind, statements, text, line."""
    for k, statement in enumerate(body):
        line, text = statement.lineno, ast.unparse(statement).split("\n")[0]
        before, after = body[:k], body[k + 1 :]
        match statement:
            case ast.Expr(value=ast.Constant()):
                continue
            case ast.Expr() | ast.Assign() | ast.AugAssign():
                yield "step", before + after or [ast.Pass()], f"without {text}", line
            case ast.If(body=inside):
                if isinstance(inside[-1], ast.Return):
                    yield "case", before + after, f"without {text}", line
                yield "case", before + inside + after, f"always {text}", line
            case ast.For():
                for kind, new, told in _other_loops(statement, after):
                    yield kind, before + new, told or text, line
        if isinstance(statement, ast.AugAssign):
            plain = ast.Assign([statement.target], statement.value)
            yield "overwritten", [*before, plain, *after], f"{text}: =", line
            minus = ast.AugAssign(statement.target, ast.Sub(), statement.value)
            yield "sign", [*before, minus, *after], f"{text}: -=", line


def _other_loops(loop: ast.For, after: list) -> Iterator[tuple[str, list, str]]:
    """A loop reversed, left too early, or with one of its statements moved before it."""

    def other(iterable: ast.expr = loop.iter, inside: list = loop.body) -> ast.For:
        return ast.For(loop.target, iterable, inside, loop.orelse)

    text = ast.unparse(loop).split("\n")[0]
    turned = parsed(f"reversed(list({ast.unparse(loop.iter)}))")
    yield "direction", [other(turned), *after], f"{text} reversed"
    if after and isinstance(after[0], ast.Return):
        yield "early return", [other(inside=[*loop.body, after[0]]), *after], text
    for j, statement in enumerate(loop.body):
        if isinstance(statement, ast.Assign) and len(loop.body) > 1:
            inside = loop.body[:j] + loop.body[j + 1 :]
            told = f"before the loop: {ast.unparse(statement)}"
            yield "not anew", [statement, other(inside=inside), *after], told

"""Where an answer leaves the solution's way: the first value that the solution doesn't have.

Both are run once more on one case, with every expression's value noted down. Up to where
the student's values turn up among the solution's, all is well; the first that doesn't,
though all it is made of does, is the place to look at, with what comes after it: it may be a
sound step of another way.

    place    a sentence with the student's own line, or ""

Read by `finding.py`; never for exercises whose right values are secret.
"""

import ast
import contextlib
import inspect
import io
import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from .exercise import Exercise
from .language import _
from .solutions import Solution, solution, source_of
from .values import agree, finite, in_a_line, numeric

_NOTED = (
    *(ast.BinOp, ast.UnaryOp, ast.Call, ast.Subscript),
    *(ast.Compare, ast.IfExp, ast.ListComp),
)
_LOOPS = (
    ast.For
    | ast.While
    | ast.ListComp
    | ast.SetComp
    | ast.GeneratorExp
    | ast.DictComp
    # What is called again and again.
    | ast.Lambda
    | ast.FunctionDef
)
_MOST = 400


@dataclass(frozen=True, eq=False)
class _Noted:
    """A value of an expression: the expression's text and line, the value."""

    text: str
    line: int
    looped: bool
    value: np.ndarray

    def __str__(self) -> str:
        text = in_a_line(self.text, 60)
        return _("`{text}` (line {line})").format(text=text, line=self.line)


class _Full(Exception):
    """More values than anyone wants to compare."""


def place(exercise: Exercise, answer: Callable, cases: list[tuple]) -> str:
    """Where the answer's values leave the solution's, in the student's own words.

    In a case with zeros or a single row much is alike by chance: a value that isn't the
    solution's in one of the cases isn't the solution's.
    """
    known = solution(exercise.name, exercise.lecture)
    if known is None:
        return ""
    try:
        own = inspect.unwrap(answer)
        if own.__closure__:
            return ""
        source, line = source_of(answer), own.__code__.co_firstlineno
        runs = [_compared(exercise, source, line, known, case) for case in cases]
    except Exception:  # no source, a class: then there is no place to show
        return ""
    never = {str(noted) for noted, is_known in chain(*runs) if is_known is False}
    return next(filter(None, (_told(run, never) for run in runs)), "")


def _compared(
    exercise: Exercise, source: Solution, line: int, known: Solution, case: tuple
) -> list[tuple[_Noted, bool | None]]:
    """The values that the answer has in a case, and whether the solution has them.

    None where it has them with the other sign.
    """

    def use(noted: Callable) -> Any:
        return exercise.use(noted, *deepcopy(case))

    theirs = _values(source, use, line)
    # A name's value, as in a loop, is the solution's too.
    ours = _values(known, use, 1, (*_NOTED, ast.Name))
    if len(ours) == _MOST:
        return []
    made = [noted for noted in ours if not noted.text.isidentifier()]
    if any(noted.value.size > 1 for noted in made):
        # Sizes and steps are everyone's own.
        theirs = [noted for noted in theirs if noted.value.size > 1]
    if not any(noted.looped for noted in made):
        # Row by row, nothing can be compared.
        theirs = [noted for noted in theirs if not noted.looped]
    values = [v for a in case if (v := numeric(a)) is not None]
    values += [noted.value for noted in ours]

    def is_known(value: np.ndarray) -> bool | None:
        for form in (value, value.T):
            if any(agree(form, k, exercise.tolerance) for k in values):
                return True
            # Y - Yh is as good a step as Yh - Y; the solution's it isn't.
            if any(agree(-form, n.value, exercise.tolerance) for n in made):
                return None
        return False

    return [(noted, is_known(noted.value)) for noted in theirs]


def _told(run: list[tuple[_Noted, bool | None]], never: set[str]) -> str:
    right = [noted for noted, is_known in run if is_known and str(noted) not in never]
    # What one of the solution's values is made of is all right. Entries of a dict aren't that:
    # only one is chosen.
    parts = " ".join(noted.text for noted in right if "{" not in noted.text)
    theirs = [noted for noted, __ in run]
    odd = (n for n in theirs if str(n) in never and n.text not in parts)
    strange = next(odd, None)
    if strange is None:
        return ""
    before = theirs[: theirs.index(strange)]
    so_far = next((noted for noted in reversed(before) if noted in right), None)
    # It need not be the first step: not every value before it is compared.
    line = _("{noted} doesn't appear in the solution.")
    if so_far is not None:
        line = _(
            "{so_far} agrees with the solution; {noted}, after it, doesn't appear there."
        )
    another = _(
        "Start looking there; your approach may also simply differ at that point."
    )
    return f"{line.format(so_far=so_far, noted=strange)} {another}"


# --- noting values down ---------------------------------------------------------------


class _Noting(ast.NodeTransformer):
    """Wraps every expression whose value is worth looking at into a call that notes it."""

    def __init__(self, kinds: tuple[type[ast.expr], ...]) -> None:
        self.kinds = kinds
        self.texts: list[tuple[str, int, bool]] = []
        self.loops = 0

    def visit(self, node: ast.AST) -> Any:
        self.loops += isinstance(node, _LOOPS)
        try:
            return self._visited(node)
        finally:
            self.loops -= isinstance(node, _LOOPS)

    def _visited(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Slice | ast.JoinedStr):
            return node
        text = ast.unparse(node) if self._is_noted(node) else ""
        if isinstance(node, ast.Call):  # a function's name has no value to compare
            node.args = [self.visit(argument) for argument in node.args]
            if isinstance(node.func, ast.Attribute):
                node.func.value = self.visit(node.func.value)
        else:
            node = self.generic_visit(node)
        if not text or not isinstance(node, ast.expr):
            return node
        self.texts.append((text, node.lineno, self.loops > 0))
        number = ast.Constant(len(self.texts) - 1)
        note = ast.Name("__note__", ast.Load())
        return ast.copy_location(ast.Call(note, [number, node], []), node)

    def _is_noted(self, node: ast.AST) -> bool:
        if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            return False
        if isinstance(node, ast.Attribute):
            return node.attr == "T"
        return isinstance(node, self.kinds)


def _is_worth_it(value: Any, array: np.ndarray) -> bool:
    """Is it more than a size, a range, or zeros to be filled?"""
    made = np.asarray(value).dtype.kind in "fc"
    return made and array.size > 0 and (array.ndim == 0 or np.ptp(array) > 0)


def _values(
    of: Solution, use: Callable, line: int, kinds: tuple[type[ast.expr], ...] = _NOTED
) -> list[_Noted]:
    """The values of such expressions in a function's source, in the order of their making."""
    noting = _Noting(kinds)
    function = next(
        s
        for s in of.tree().body
        if isinstance(s, ast.FunctionDef) and s.name == of.name
    )
    function.decorator_list = []
    function.body = [noting.visit(statement) for statement in function.body]
    noted: list[_Noted] = []
    seen: set[tuple] = set()

    def note(number: int, value: Any) -> Any:
        array = numeric(finite(value))
        if array is not None and _is_worth_it(value, array):
            text, at, looped = noting.texts[number]
            key = looped, array.shape, array.tobytes()
            if key in seen:
                return value
            seen.add(key)
            noted.append(_Noted(text, at + line - 1, looped, array))
        if len(noted) >= _MOST:
            raise _Full
        return value

    module = ast.fix_missing_locations(ast.Module([function], []))
    namespace = {**of.namespace(), "__note__": note}
    exec(compile(module, "<noted>", "exec"), namespace)
    quiet = contextlib.redirect_stdout(io.StringIO())
    with quiet, np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        with contextlib.suppress(Exception):  # what was noted before it counts
            use(namespace[of.name])
    return noted

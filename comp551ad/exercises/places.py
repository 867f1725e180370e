"""Where an answer departs from the solution: the first value that the solution doesn't have.

Both are run once more, recording every expression's value. The first of the student's values
that isn't among the solution's is the place to look at, if all the others that aren't depend
on it and none of those that are does: running the answer with a changed value there shows
which depend on it. It may still be a valid step of another approach. If the right values are
secret, nothing is said.

    place    a sentence with the student's own line, or ""
"""

import ast
import contextlib
import inspect
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .exercise import Exercise
from .language import _
from .solutions import Solution, solution, source_of
from .values import bounded, in_a_line, numeric

_NOTED = (
    ast.BinOp, ast.UnaryOp, ast.Call, ast.Subscript, ast.Compare, ast.IfExp, ast.ListComp,
)  # fmt: skip
# Code in these may run many times.
_LOOPS = (
    ast.For, ast.While, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp,
    ast.Lambda, ast.FunctionDef,
)  # fmt: skip
_MOST = 400
# A value computed in another order differs only in its last digits.
_EXACT = 1e-10
_COLLECTS = ("[", "list(", "tuple(", "np.array(", "np.asarray(", "np.stack(")


@dataclass(frozen=True, eq=False)
class _Noted:
    """A recorded value, with its expression's number, text and line."""

    number: int
    text: str
    line: int
    looped: bool
    value: np.ndarray

    def __str__(self) -> str:
        text = in_a_line(self.text, 60)
        return _("`{text}` (line {line})").format(text=text, line=self.line)


class _Full(Exception):
    """Raised when there are too many values to compare."""


def place(exercise: Exercise, answer: Callable, cases: list[tuple]) -> str:
    """A sentence on where the answer departs from the solution, quoting the student's code.

    In a case with zeros or a single row, values may agree by chance: a value must be among
    the solution's in every case.
    """
    known = solution(exercise.name, exercise.lecture)
    if known is None:
        return ""
    try:
        own = inspect.unwrap(answer)
        if own.__closure__:
            return ""
        watched = _Watched(source_of(answer), own.__code__.co_firstlineno)
        # The values of names, such as loop variables, count as the solution's too.
        ours = _Watched(known, 1, (*_NOTED, ast.Name))
        runs = [_compared(exercise, watched, ours, case) for case in cases]
        pairs = [pair for run in runs for pair in run]
        never = {str(noted) for noted, is_known in pairs if is_known is False}
        unsure = {str(noted) for noted, is_known in pairs if not is_known}
        told = (
            _told(exercise, watched, case, run, never, unsure)
            for case, run in zip(cases, runs, strict=True)
        )
        return next(filter(None, told), "")
    except Exception:  # no source, or a class: there is no place to show
        return ""


def _compared(
    exercise: Exercise, answer: "_Watched", known: "_Watched", case: tuple
) -> list[tuple[_Noted, bool | None]]:
    """The answer's values in a case, and whether the solution has each.

    None if the solution has it with the opposite sign, or nearly.
    """
    theirs, ours = answer.run(exercise, case), known.run(exercise, case)
    if len(ours) == _MOST:
        return []
    made = [noted for noted in ours if not noted.text.isidentifier()]
    if any(noted.value.size > 1 for noted in made):
        # Scalars such as sizes and step lengths vary between right answers.
        theirs = [noted for noted in theirs if noted.value.size > 1]
    if not any(noted.looped for noted in made):
        # Values computed row by row can't be compared.
        theirs = [noted for noted in theirs if not noted.looped]
    values = [v for a in case if (v := numeric(a)) is not None]
    values += [noted.value for noted in ours]
    exact = _by_shape(values)
    # Y - Yh is as good a step as Yh - Y, but isn't the solution's. Neither is f(w - h)
    # instead of f(w - h·a): with a tiny h they nearly agree.
    near = _by_shape([*values, *(-noted.value for noted in made)])

    def is_known(value: np.ndarray) -> bool | None:
        for form in (value, value.T):
            if _is_among(form, exact, _EXACT):
                return True
            if _is_among(form, near, exercise.tolerance):
                return None
        return False

    return [(noted, is_known(noted.value)) for noted in theirs]


def _by_shape(values: list[np.ndarray]) -> dict[tuple, np.ndarray]:
    """The values by kind and shape, stacked as rows: comparing one by one takes seconds."""
    groups: dict[tuple, list] = {}
    for value in values:
        groups.setdefault((value.dtype.kind, value.shape), []).append(value.ravel())
    return {key: np.array(rows) for key, rows in groups.items()}


def _is_among(value: np.ndarray, rows_of: dict, tolerance: float) -> bool:
    """Does it agree with one of these, as in `agree`?"""
    rows, mine = rows_of.get((value.dtype.kind, value.shape)), value.ravel()
    if rows is None:
        return False
    largest = np.abs(np.where(np.isfinite(rows), rows, 0)).max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        close = np.abs(rows - mine) <= tolerance * np.where(largest, largest, 1)
    same = close | (rows == mine) | (np.isnan(rows) & np.isnan(mine))
    return bool(same.all(axis=1).any())


def _told(
    exercise: Exercise,
    answer: "_Watched",
    case: tuple,
    run: list[tuple[_Noted, bool | None]],
    never: set[str],
    unsure: set[str],
) -> str:
    theirs = [noted for noted, __ in run]
    right = [noted for noted in theirs if str(noted) not in never]
    # A value that one of the solution's values depends on is all right.
    others = [noted for noted in theirs if str(noted) in never]
    depending = {
        number: answer.depending_on(number, theirs, exercise, case)
        for number in dict.fromkeys(noted.number for noted in others)
    }
    odd = [noted for noted in others if depending[noted.number].isdisjoint(right)]
    if not odd or not depending[odd[0].number].issuperset(odd[1:]):
        return ""  # several departures: it is probably another approach
    strange = odd[0]
    if strange is theirs[-1] and strange.text.startswith(_COLLECTS):
        return ""  # the answer itself
    before = theirs[: theirs.index(strange)]
    # A transposed argument doesn't count as a step of the solution.
    steps = (n for n in reversed(before) if not n.text.endswith(".T"))
    so_far = next((noted for noted in steps if str(noted) not in unsure), None)
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


# --- recording values -----------------------------------------------------------------


class _Noting(ast.NodeTransformer):
    """Wraps every expression whose value is worth recording in a call that records it."""

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
        # An uninitialized array has arbitrary values.
        is_empty = isinstance(node, ast.Call) and "empty" in ast.unparse(node.func)
        return isinstance(node, self.kinds) and not is_empty


class _Watched:
    """A function's source, instrumented to record the values of its expressions.

    Args:
        line: where the function begins, in its own cell or file.
        kinds: the kinds of expressions to record.
    """

    def __init__(
        self, of: Solution, line: int, kinds: tuple[type[ast.expr], ...] = _NOTED
    ):
        noting = _Noting(kinds)
        function = next(
            s
            for s in of.tree().body
            if isinstance(s, ast.FunctionDef) and s.name == of.name
        )
        function.decorator_list = []
        function.body = [noting.visit(statement) for statement in function.body]
        module = ast.fix_missing_locations(ast.Module([function], []))
        self.code, self.of = compile(module, "<noted>", "exec"), of
        self.texts = [
            (text, at + line - 1, looped) for text, at, looped in noting.texts
        ]

    def run(
        self, exercise: Exercise, arguments: tuple, disturbed: int = -1
    ) -> list[_Noted]:
        """The values in the order of computation, changing that of expression `disturbed`."""
        noted: list[_Noted] = []
        seen: set[tuple] = set()

        def note(number: int, value: Any) -> Any:
            if number == disturbed and numeric(value) is not None:
                is_mask = np.asarray(value).dtype == bool
                value = ~value if is_mask else 1.37 * value + 0.1
            array = numeric(bounded(value))
            if array is None:
                return value
            text, line, looped = self.texts[number]
            key = looped or number, array.shape, array.tobytes()
            if _is_worth_it(value, array) and key not in seen:
                seen.add(key)
                noted.append(_Noted(number, text, line, looped, array))
            if len(noted) >= _MOST:
                raise _Full
            return value

        namespace = {**self.of.namespace(), "__note__": note}
        exec(self.code, namespace)
        with contextlib.redirect_stdout(io.StringIO()):
            # Values recorded before an error count.
            exercise.outcome(namespace[self.of.name], arguments)
        return noted

    def depending_on(
        self, number: int, among: list[_Noted], exercise: Exercise, arguments: tuple
    ) -> set[_Noted]:
        """The values that change when this expression's value does."""
        again = self.run(exercise, arguments, number)
        same = {(n.number, n.value.tobytes()) for n in again}
        return {n for n in among if (n.number, n.value.tobytes()) not in same}


def _is_worth_it(value: Any, array: np.ndarray) -> bool:
    """Is it more than a size, a range, or zeros to be filled?"""
    made = np.asarray(value).dtype.kind in "fcb"
    return made and array.size > 0 and (array.ndim == 0 or np.ptp(array) > 0)

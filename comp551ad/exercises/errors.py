"""An error that an answer raises, in one line: what it says, where, and the shapes involved.

NumPy's "mismatch in its core dimension 0, with gufunc signature (n?,k),(k,m?)->(n?,m?)"
becomes `X @ V: 5×2 and 3×2 don't fit`.

    in_the_students_words    an error -> a line
    is_theirs                was it raised by the answer?
"""

import ast
import linecache
import os
import re
from types import TracebackType
from typing import Any

import numpy as np

from .language import _
from .values import in_words

_HERE = os.path.dirname(__file__)
_MOST_STEPS = 2_000
_SHAPES = re.compile(r"mismatch|could not be broadcast|not aligned")


def is_theirs(error: BaseException) -> bool:
    """Does the error come from the answer's code, rather than ours examining its result?"""
    return hasattr(error, "place") or bool(_last_step_of_theirs(error.__traceback__))


def in_the_students_words(error: BaseException) -> str:
    """The error and the line of the student's own code that it came from.

    An error from another process brings its `place`: the line's number and its text.
    """
    step = _last_step_of_theirs(error.__traceback__)
    number, line = getattr(error, "place", (0, ""))
    if step:
        number = step.tb_lineno
        line = linecache.getline(step.tb_frame.f_code.co_filename, number).strip()
    at = _(" (line {number}: {line})").format(number=number, line=line) if line else ""
    if step and isinstance(error, ValueError) and _SHAPES.search(str(error)):
        told = _shapes_that_met(step)
        if told:
            return f"{told}{at}"
    return f"{in_words(error)}{at}"


def _last_step_of_theirs(step: TracebackType | None) -> TracebackType | None:
    """The deepest traceback entry in the file where the answer's own code begins."""
    own, last = None, None
    for _taken in range(_MOST_STEPS):
        if step is None:
            break
        filename = step.tb_frame.f_code.co_filename
        if own is None and not filename.startswith(_HERE):
            own = filename
        if filename == own:
            last = step
        step = step.tb_next
    return last


def _shapes_that_met(step: TracebackType) -> str:
    """`X @ V: 5×2 and 3×2 don't fit`, if the expression and its operands can be seen."""
    positions = list(step.tb_frame.f_code.co_positions())[step.tb_lasti // 2]
    first, last, begin, end = positions
    if first is None or first != last or begin is None:
        return ""
    source = linecache.getline(step.tb_frame.f_code.co_filename, first)
    text = source.encode()[begin:end].decode(errors="replace")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return ""
    match tree:
        case ast.BinOp(left=a, right=b) | ast.Call(args=[a, b]):
            shapes = [_shape(part, step.tb_frame) for part in (a, b)]
        case _:
            return ""
    if None in shapes:
        return _("{text}: the shapes don't fit").format(text=text)
    line = _("{text}: {one} and {other} don't fit")
    return line.format(text=text, one=shapes[0], other=shapes[1])


def _shape(part: ast.expr, frame: Any) -> str | None:
    """The shape of an operand that can be evaluated without a call, or None."""
    calls = ast.Call | ast.NamedExpr | ast.Await | ast.Lambda
    if any(isinstance(node, calls) for node in ast.walk(part)):
        return None
    try:
        value = eval(ast.unparse(part), frame.f_globals, frame.f_locals)
    except Exception:
        return None
    shape = np.shape(value)
    if len(shape) == 1:
        return (_("{n} numbers") if shape[0] != 1 else _("{n} number")).format(
            n=shape[0]
        )
    return "×".join(map(str, shape)) or _("one number")

"""Answers typed as formulas, worked out: numbers, names and a few functions, no more.

Read by `tasks/`, where an exercise says `use=formulas`.
"""

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

from ..functions import logistic

_KNOWN = {
    **{
        name: getattr(np, name) for name in ("sin", "cos", "exp", "log", "sqrt", "tanh")
    },
    **{"logistic": logistic, "pi": np.pi},
}
_ALLOWED = (
    *(
        ast.Expression,
        ast.BinOp,
        ast.UnaryOp,
        ast.Call,
        ast.Name,
        ast.Load,
        ast.Constant,
    ),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.UAdd, ast.USub),
)


def formulas(answer: Callable[[], dict], values: dict[str, float]) -> dict[str, Any]:
    """Work out a table of formulas, `{"a5": "a3 * cos(a2)"}`, for these values.

    Known besides the values' names are sin, cos, exp, log, sqrt, tanh, logistic and pi.
    Entries that are functions are called with the values, as a witness's may be; numbers
    stay what they are. So does an answer that is no table: it is for the check to say so.
    """
    table = answer()
    if not isinstance(table, dict):
        return table
    return {name: _entry(name, it, values) for name, it in table.items()}


def _entry(name: str, entry: Any, values: dict[str, float]) -> Any:
    if isinstance(entry, str):
        return _formula(name, entry, values)
    return entry(**values) if callable(entry) else entry


def _formula(name: str, text: str, values: dict[str, float]) -> float:
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError:
        raise ValueError(f"{name}: {text!r} can't be read as a formula") from None
    if "^" in text:
        raise ValueError(f"{name}: {text!r} has a ^; a power is written **")
    known = {**_KNOWN, **values}
    for part in ast.walk(tree):
        if isinstance(part, ast.Name) and part.id not in known:
            raise ValueError(
                f"{name}: {part.id} in {text!r} is none of {', '.join(known)}"
            )
        if not isinstance(part, _ALLOWED):
            raise ValueError(
                f"{name}: {text!r} has more than numbers, names, + - * / ** ( )"
            )
    return eval(compile(tree, "<formula>", "eval"), {"__builtins__": {}}, known)

"""Evaluate answers typed as formulas: numbers, names and a few functions, no more.

For what people type instead (`2x`, `np.exp`, `e**x`, `ln`, `^`, Greek letters, a left-hand
side), the error says how to write it. An exercise that asks for formulas has `use=formulas`.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..functions import logistic
from .language import _

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
_GREEK = {
    **{"α": "alpha", "β": "beta", "γ": "gamma", "σ": "logistic", "φ": "phi", "π": "pi"},
    **{"ŷ": "yh", "²": "**2", "³": "**3", "·": "*", "×": "*", "−": "-", "√": "sqrt"},
}
_FUNCTIONS = {
    **{"ln": "log", "sigmoid": "logistic", "sigma": "logistic"},
    **{"cosh": "(exp(x) + exp(-x)) / 2", "sinh": "(exp(x) - exp(-x)) / 2"},
}


class FormulaFault(ValueError):
    """A string that isn't a valid formula; the message says how to write it."""


def formulas(
    answer: Callable[[], dict],
    values: dict[str, float],
    asked: Callable[[str], Iterable[str]] | None = None,
) -> dict[str, Any]:
    """Evaluate a table of formulas, `{"a5": "a3 * cos(a2)"}`, for these values.

    Besides the values' names, formulas may use sin, cos, exp, log, sqrt, tanh, logistic and pi.
    Entries that are functions, as a witness's may be, are called with the values; numbers are
    returned unchanged. So is an answer that isn't a table: the check reports that.

    Args:
        asked: maps an entry's name to the names that the advice for it lists; default all.
    """
    table = answer()
    if not isinstance(table, dict):
        return table
    names = asked or (lambda entry: values)
    return {
        name: _entry(name, it, values, [*_KNOWN, *names(name)])
        for name, it in table.items()
    }


def _entry(name: str, entry: Any, values: dict[str, float], asked: list[str]) -> Any:
    if isinstance(entry, str):
        return _formula(name, entry, values, asked)
    if isinstance(entry, list | tuple | dict | set):
        raise FormulaFault(f"{name}: {_('write the formula as a string')}: '2 * x'")
    return entry(**values) if callable(entry) else entry


def _formula(name: str, text: str, values: dict[str, float], asked: list[str]) -> float:
    known = {**_KNOWN, **values}
    for advice in _advice(text, known, asked):
        raise FormulaFault(f"{name}: {text!r}: {_(advice)}")
    tree = ast.parse(text.strip(), mode="eval")
    try:
        for part in ast.walk(tree):
            # With ints, 9 ** 9 ** 9 would never end.
            if isinstance(part, ast.Constant) and isinstance(part.value, int):
                part.value = float(part.value)
        return eval(compile(tree, "<formula>", "eval"), {"__builtins__": {}}, known)
    except ArithmeticError:  # Python's floats raise where NumPy's return inf
        return np.nan


def _advice(text: str, known: dict[str, Any], asked: list[str]) -> Iterator[str]:
    """How to write what can't be parsed."""
    for letter, word in _GREEK.items():
        if letter in text:
            yield _("for {letter} write {word}").format(letter=letter, word=word)
    if "^" in text:
        yield "a power is written **"
    if re.search(r"(?<![=<>!])=(?!=)", text):
        yield "write only what is on the right of the ="
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        if re.search(r"\d\s*[A-Za-z(]|[A-Za-z)\d]\s+[A-Za-z(]|\)\s*[A-Za-z(]", text):
            yield "write * between factors, as in 2 * x"
        yield "this can't be read as a formula; are the parentheses closed?"
        return
    for part in ast.walk(tree):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            yield _("write {name}, without {module}.").format(
                name=part.attr, module=part.value.id
            )
        if isinstance(part, ast.Name) and part.id not in known:
            yield _instead_of(part.id, asked)
        if isinstance(part, ast.Call) and not (
            isinstance(part.func, ast.Attribute)
            or (isinstance(part.func, ast.Name) and part.func.id not in known)
            or (isinstance(part.func, ast.Name) and callable(known[part.func.id]))
        ):
            yield "write * between factors, as in 2 * (x + 1)"
        letters = isinstance(part, ast.Constant) and not isinstance(
            part.value, int | float
        )
        if letters or not isinstance(part, _ALLOWED):
            yield "use numbers, names, + - * / ** and parentheses"
        called = [c.func for c in ast.walk(tree) if isinstance(c, ast.Call)]
        if (
            isinstance(part, ast.Name)
            and callable(known[part.id])
            and part not in called
        ):
            yield _("{name} of what? Write {name}(…)").format(name=part.id)


def _instead_of(name: str, known: list[str]) -> str:
    if name == "e":
        return "write exp(x) for e to the power x"
    if name in _FUNCTIONS:
        return _("for {letter} write {word}").format(letter=name, word=_FUNCTIONS[name])
    told = _("{name} is not known here; use {known}")
    return told.format(name=name, known=", ".join(known))

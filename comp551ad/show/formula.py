"""Trees written as mathematics, ``ā₅ = ā₆·cos a₅``: as text, which HTML uses too, and as LaTeX.

``recorded`` provides the trees; they are printed with each primitive's ``notation``, so a formula
shows what ran. Elementwise products of arrays are written ⊙, products of matrices and of numbers ·,
the transpose ᵀ; a broadcast that a pass undoes appears as a sum over the copies.
"""

import functools
import html
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from comp551ad.autodiff.operands import Origins
from comp551ad.autodiff.primitives import (
    ATOM,
    POWER,
    PREFIX,
    PRODUCT,
    SUM,
    Notation,
    call,
)
from comp551ad.autodiff.tape import Tracer

from .figures import MINUS, SUBSCRIPTS, SUPERSCRIPTS, constant
from .recorded import Constant, Operation, Tree, number_of

NO_ORIGINS = Origins()
NO_NAMES: Mapping[int, str] = {}

# ---------------------------------------------------------------- how symbols are written


class Formula:
    """One formula as text and as LaTeX, each written when it is first read.

    Attributes:
        text, latex: the forms.
        html: the text, escaped.
    """

    def __init__(self, write: Callable[[bool], str]):
        """``write(True)`` returns the formula as LaTeX, ``write(False)`` as text."""
        self._write = write

    @functools.cached_property
    def text(self) -> str:
        return self._write(False)

    @functools.cached_property
    def latex(self) -> str:
        return self._write(True)

    @property
    def html(self) -> str:
        return html.escape(self.text)

    def __str__(self):
        return self.text


_ACCENTS = {"value": "", "tangent": "\u0307", "adjoint": "\u0304"}
# Over a single letter, over a longer name.
_LATEX_ACCENTS = {"value": ("", ""), "tangent": (r"\dot ", r"\dot")}
_LATEX_ACCENTS["adjoint"] = r"\bar ", r"\overline"
_LETTER_AND_NUMBER = re.compile(r"([A-Za-z])(\d*)")
_LATEX_ESCAPES = {
    "\\": r"\backslash ",
    "^": r"\hat{}",
    "~": r"\sim ",
    "<": r"\lt ",
    ">": r"\gt ",
    **{c: "\\" + c for c in "#$%&_{}"},
}


def _word(text, latex):
    escaped = "".join(_LATEX_ESCAPES.get(c, c) for c in text)
    return rf"\mathrm{{{escaped}}}" if latex else text


def symbol(kind: str, row: int, names: Mapping[int, str] = NO_NAMES) -> Formula:
    """The symbol of a node's value, tangent or adjoint: its name in ``names``, or its label."""
    return Formula(lambda latex: _symbol(latex, kind, row, names))


def _symbol(latex, kind, row, names):
    name = names.get(row)
    if not latex:
        name = "a" + str(row + 1).translate(SUBSCRIPTS) if name is None else name
        return unicodedata.normalize("NFC", name[:1] + _ACCENTS[kind] + name[1:])
    match = _LETTER_AND_NUMBER.fullmatch(f"a{row + 1}" if name is None else name)
    # A name such as a2 would look like a row's label.
    if match is None or (name is not None and match[1] == "a" and match[2]):
        word = _word(name, latex)
        return f"{_LATEX_ACCENTS[kind][1]}{{{word}}}" if kind != "value" else word
    letter, digits = match.groups()
    below = f"_{digits}" if len(digits) == 1 else f"_{{{digits}}}"
    return _LATEX_ACCENTS[kind][0] + letter + (below if digits else "")


# ---------------------------------------------------------------- writing a tree


class _Written(NamedTuple):
    """Text, how tightly it binds, and whether it begins with a minus sign."""

    text: str
    level: int
    minus: bool = False


def write(
    tree: Tree, names: Mapping[int, str] = NO_NAMES, origins: Origins = NO_ORIGINS
) -> Formula:
    """A tree as a formula; ``names`` and ``origins`` are those of its trace. Nodes without a name
    are written as labels, a5."""
    return Formula(lambda latex: _Writer(latex, names, origins).write(tree).text)


# Functions that compute masks and labels -> the sign between their operands: text, LaTeX.
_SIGNS = {
    "greater": (">", r"\gt"),
    "greater_equal": ("≥", r"\ge"),
    "less": ("<", r"\lt"),
    "less_equal": ("≤", r"\le"),
    "equal": ("=", "="),
    "not_equal": ("≠", r"\ne"),
    "bitwise_and": ("and", r"\wedge"),
    "bitwise_or": ("or", r"\vee"),
}


class _Writer:
    def __init__(self, latex=False, names=NO_NAMES, origins=NO_ORIGINS):
        self.latex, self.names, self.origins = latex, names, origins
        self.minus = "-" if latex else MINUS
        # Cached, because an operand is written again when it needs parentheses.
        self.write = functools.cache(self._written)

    def _written(self, tree, tail=False) -> _Written:
        """``tail``: what follows binds as tightly as a product, so sin x becomes sin(x)."""
        if isinstance(tree, Operation):
            return self.operation(tree, tail)
        if isinstance(tree, Constant):
            return self.constant(tree.value, tree.word)
        return self.symbol(tree.kind, tree.row)

    def symbol(self, kind, row) -> _Written:
        return _Written(_symbol(self.latex, kind, row, self.names), ATOM)

    # -- numbers and arrays

    def number(self, x):
        text = constant(x)
        if not self.latex:
            return text
        text = text.replace(MINUS, "-").replace("∞", r"\infty")
        digits, e, exponent = text.partition("e")
        return rf"{digits} \cdot 10^{{{exponent}}}" if e else digits

    def constant(self, x, word=None):
        if np.ndim(x):
            return self.array(x, word)
        x = float(x)
        ratio = Fraction(x).limit_denominator(1000) if math.isfinite(x) else Fraction(0)
        # 1/3 rather than 0.3333.
        if ratio.denominator > 1 and float(ratio) == x != float(f"{x:.3e}"):
            up, down = abs(ratio.numerator), ratio.denominator
            text = rf"\frac{{{up}}}{{{down}}}" if self.latex else f"{up}/{down}"
            return _Written(self.minus * (x < 0) + text, PRODUCT, x < 0)
        text = self.number(x)
        minus = text[0] == self.minus
        level = PRODUCT if minus or "e" in constant(x) else ATOM
        return _Written(text, level, minus)

    def origin_of(self, x):
        """The ``Origin`` of data, or of a constant computed from data."""
        return self.origins.of(x) or getattr(x, "origin", None)

    def origin(self, origin) -> _Written:
        """How data was computed, as a formula: y, a₄ > 0, argsort(y)."""
        if origin.function is None:
            return self.word(origin.operands[0])
        name = getattr(origin.function, "__name__", origin.function).strip("_")
        parts = [self.source(o) for o in origin.operands]
        if name in _SIGNS and len(parts) == 2:
            inner = [p.text if p.level else self.wrapped(p.text) for p in parts]
            # Lowest precedence of all.
            return _Written(f" {_SIGNS[name][self.latex]} ".join(inner), 0)
        if name == "getitem":
            index = self.parameter("index", origin.operands[1], name)
            return _Written(f"{parts[0].text}[{index}]", ATOM)
        arguments = [part.text for part in parts]
        for key, value in origin.parameters.items():
            arguments.append(f"{self.word(key).text}={self.source(value).text}")
        return _Written(f"{self.word(name).text}({', '.join(arguments)})", ATOM)

    def source(self, operand) -> _Written:
        """An operand of the call that computed the data."""
        if type(operand) is Tracer:
            return self.symbol("value", operand.index)
        is_number = isinstance(operand, np.ndarray | float | int)
        if is_number and not isinstance(operand, bool):
            return self.constant(operand)
        return self.word(str(operand))

    def array(self, x, word=None) -> _Written:
        if (origin := self.origin_of(x)) is not None:
            return self.origin(origin)
        if word:
            return self.word(word)
        x = np.asarray(x)
        whole = x.ndim == 1 and x.dtype.kind in "iu"
        if whole and x.size > 4 and np.all(np.diff(x) == 1):
            dots = r" \ldots " if self.latex else "…"
            return _Written(f"[{x[0]}, {x[1]}, {dots}, {x[-1]}]", ATOM)
        if x.ndim == 1 and 0 < x.size <= 4:
            entries = [str(e) if x.dtype == bool else self.number(e) for e in x]
            return _Written(f"[{', '.join(entries)}]", ATOM)
        sign = r" \times " if self.latex else "×"
        shape = sign.join(map(str, x.shape)) or "1"
        return _Written(f"{self.word('constant').text}[{shape}]", ATOM)

    # -- operations

    def operation(self, tree, tail):
        primitive, notation = tree.primitive, _notation_of(tree, self.latex)
        template = notation.latex if self.latex else notation.text
        level = notation.level
        # Literal text and fields alternate; any other name in braces belongs to LaTeX.
        known = "|".join([r"\d+", "operands", "parameters", *primitive.parameters])
        braces = re.compile(rf"{{{{|}}}}|{{({known})}}")
        parts = braces.sub(lambda m: f"\0{m[1]}\0" if m[1] else m[0][0], template)
        literals, fields = parts.split("\0")[::2], parts.split("\0")[1::2]
        out, minus = literals[0], False
        for field, following in zip(fields, literals[1:], strict=True):
            if field == "operands":
                out += ", ".join(self.write(o).text for o in tree.operands)
            elif field == "parameters":
                out += self.parameters(tree)
            elif not field.isdecimal():
                out += self.parameter(field, tree.parameters[field], primitive.name)
            else:
                out, level, first = self.operand(
                    tree, notation, int(field), out, following, level, tail
                )
                minus = minus or first
            out += following
        return _Written(out, level, minus or out.startswith(self.minus))

    def operand(self, tree, notation, k, out, following, level, tail):
        """Append operand k, in parentheses or as a call's argument where needed."""
        name, operand = tree.primitive.name, tree.operands[k]
        needs = notation.needs[k]
        before, after = out.rstrip()[-1:], following[:1]
        if needs == 0 or (
            before in ("(", "[", "{", ",") and after in (")", "]", "}", ",")
        ):
            return out + self.write(operand).text, level, False
        if _mixes_products(tree, operand):
            needs = max(needs, PREFIX)
        spaced = not following.strip() or following.lstrip()[:1] in ("+", "-", MINUS)
        inner_tail = tail if not following else not spaced
        written = self.write(operand, inner_tail and needs <= PREFIX)
        leftmost = not out
        if name == "power" and k == 1 and not self.latex:
            if re.fullmatch(r"−?\d+", written.text):
                return out[:-1] + written.text.translate(SUPERSCRIPTS), level, False
        wrap = written.level < needs
        if written.minus and not leftmost and not wrap:
            # a + (−b) is a − b.
            if name == "add":
                out = re.sub(r"\+ $", f"{self.minus} ", out)
                return out + written.text[1:], level, False
            wrap = True
        is_call = level == PREFIX and out.endswith(" ")
        # sin a5, but sin(a5 + 1), sin(a5)·a6.
        if is_call and (wrap or tail or isinstance(operand, Operation)):
            return out[:-1] + self.wrapped(self.write(operand).text), ATOM, False
        text = self.wrapped(self.write(operand).text) if wrap else written.text
        return out + text, level, leftmost and written.minus and not wrap

    def wrapped(self, text):
        return rf"\left({text}\right)" if self.latex else f"({text})"

    # -- parameters

    def parameters(self, tree):
        """, axis=1 and the like: the parameters that a caller would have to pass."""
        return "".join(
            f", {self.word(key).text}={self.parameter(key, value, tree.primitive.name)}"
            for key, value in _shown_parameters(tree).items()
        )

    def word(self, text) -> _Written:
        return _Written(_word(text, self.latex), ATOM)

    def parameter(self, key, value, name):
        if key == "index":
            parts = value if isinstance(value, tuple) else (value,)
            text = ", ".join(map(self.index, parts))
            text += "," * (isinstance(value, tuple) and len(value) == 1)
            return text if name == "getitem" else f"[{text}]"
        if isinstance(value, np.ndarray):
            return self.array(value).text if value.ndim else str(value[()])
        return str(value).replace("-", MINUS)

    def index(self, part):
        if isinstance(part, np.ndarray):
            return self.array(part).text if part.ndim else str(part)
        text = "..." if part is Ellipsis else str(part)
        if isinstance(part, slice):
            ends = ["" if e is None else str(e) for e in (part.start, part.stop)]
            text = ":".join(ends + ([] if part.step is None else [str(part.step)]))
        return text.replace("-", MINUS)


_TRANSPOSED = Notation("{0}ᵀ", r"{0}^\top", "np.transpose({0})", POWER, (ATOM,))


def _notation_of(tree, latex) -> Notation:
    """A primitive's notation, adapted to the operands of this operation."""
    name, notation = tree.primitive.name, tree.primitive.notation
    if tree.primitive.elementwise and all(np.ndim(o.value) for o in tree.operands):
        notation = notation._replace(
            text=notation.text.replace("·", "⊙"),
            latex=notation.latex.replace(r"\cdot", r"\odot"),
        )
    if name == "transpose" and not _shown_parameters(tree):
        return _TRANSPOSED
    if name == "expand_dims":
        return _with_new_axes(tree, latex)
    fields = set(re.findall(r"{([a-z_]+)}", notation.text))
    if "parameters" not in fields and set(_shown_parameters(tree)) - fields:
        # ‖x‖ can't show axis=1.
        return call(name, operands=len(tree.operands))
    return notation


def _with_new_axes(tree, latex):
    """expand_dims as indexing: a[:, None]."""
    ndim = np.ndim(tree.value)
    axes = {a % ndim for a in tree.parameters["axis"]}
    none = r"\mathrm{None}" if latex else "None"
    index = ", ".join(none if a in axes else ":" for a in range(ndim))
    return Notation(f"{{0}}[{index}]", f"{{0}}[{index}]", "", ATOM, (ATOM,))


def _shown_parameters(tree) -> dict:
    """The parameters that differ from their defaults, axes counted from 0."""
    if not tree.parameters:
        return {}
    shapes = [np.shape(o.value) for o in (*tree.operands, tree)]
    return tree.primitive.keywords(tree.parameters, *shapes)


def _mixes_products(tree, operand):
    """Whether a matrix product meets an elementwise one, so that parentheses show the order."""
    while isinstance(operand, Operation) and operand.primitive.name == "negative":
        operand = operand.operands[0]
    if not (
        isinstance(operand, Operation) and operand.primitive.notation.level == PRODUCT
    ):
        return False
    if tree.primitive.matrix_product:
        return not operand.primitive.matrix_product
    arrays = sum(np.ndim(o.value) > 0 for o in tree.operands)
    is_sum = tree.primitive.notation.level == SUM
    return operand.primitive.matrix_product and arrays > 1 and not is_sum


def badge(tree: Tree) -> str:
    """An operation's sign in a graph's node: +, ·, sin, 0.5·, logsumexp; "" for an input."""
    if not isinstance(tree, Operation):
        return ""
    notation = _notation_of(tree, False)
    if notation.level == ATOM:
        return tree.primitive.name

    def constant_or_nothing(match):
        operand = tree.operands[int(match[1])]
        return "" if number_of(operand) is None else write(operand).text

    signs = re.sub(r"{(\d+)}", constant_or_nothing, notation.text)
    if signs.startswith("^") and re.fullmatch(r"−?\d+", signs[1:]):
        return signs[1:].translate(SUPERSCRIPTS)
    return signs.strip()


def assignment(left: Formula, right: Formula) -> Formula:
    """left = right."""
    return Formula(
        lambda latex: (
            f"{left.latex} = {right.latex}" if latex else f"{left.text} = {right.text}"
        )
    )


_LATEX_SIGNS = str.maketrans(
    {MINUS: "-", "×": r" \times ", "…": r" \ldots ", "∞": r"\infty"}
)


def as_formula(text: str) -> Formula:
    """The text of a number or an array as a formula."""
    return Formula(lambda latex: text.translate(_LATEX_SIGNS) if latex else text)


def parameter_text(key: str, value: Any, name: str, origins: Origins) -> str:
    """A parameter of the primitive called ``name``, as text."""
    return _Writer(origins=origins).parameter(key, value, name)


def data_text(value: Any, origins: Origins) -> str | None:
    """How data was computed, as text; None for an ordinary constant."""
    writer = _Writer(origins=origins)
    if (origin := writer.origin_of(value)) is None:
        return None
    text, level, _ = writer.origin(origin)
    return text if level else writer.wrapped(text)

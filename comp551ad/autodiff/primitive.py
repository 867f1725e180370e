"""What an entry of the table of primitives is made of.

``primitives`` has the table itself and says what its fields mean; here are the classes and the
helpers that an entry is written with.

Reads: nothing of ours. Read by: ``primitives``, and through it by the rest of ``autodiff``.
"""

import functools
import inspect
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# ---------------------------------------------------------------- what an entry is made of

SUM, PRODUCT, PREFIX, POWER, ATOM = range(1, 6)  # how tightly a notation binds


class Notation(NamedTuple):
    """How an operation is written.

    The templates take the operands as ``{0}``, ``{1}`` and, for calls, ``{parameters}``; variadic
    primitives take ``{operands}``. An operand that binds less tightly than ``needs`` asks is put
    in parentheses.
    """

    text: str
    latex: str
    source: str
    level: int
    needs: tuple[int, ...]


def infix(text, latex, source, level, right=None):
    needs = (level, level if right is None else right)
    return Notation(
        f"{{0}}{text}{{1}}",
        f"{{0}}{latex}{{1}}",
        f"{{0}} {source} {{1}}",
        level,
        needs,
    )


def prefix(name, latex=None, source=None):
    """A function written without parentheses around a single letter: sin a5."""
    latex = latex or rf"\{name}"
    source = f"{source or 'np.' + name}({{0}})"
    return Notation(f"{name} {{0}}", f"{latex} {{0}}", source, PREFIX, (ATOM,))


def call(name, source=None, operands=1, latex=None):
    """A function written with parentheses: softmax(a5)."""
    slots = ", ".join(f"{{{k}}}" for k in range(operands))
    latex = latex or rf"\operatorname{{{{{name.replace('_', ' ')}}}}}"
    return Notation(
        f"{name}({slots}{{parameters}})",
        rf"{latex}\left({slots}{{parameters}}\right)",
        f"{source or 'np.' + name}({slots}{{parameters}})",
        ATOM,
        (0,) * operands,
    )


class Primitive:
    """One entry of the table; see the module's text for the fields."""

    __slots__ = (
        "name",
        "functions",
        "value",
        "jvps",
        "vjps",
        "notation",
        "examples",
        "prepare",
        "parameters",
        "arity",
        "elementwise",
        "uniform",
        "broadcasts",
        "variadic",
        "saves",
        "linear",
        "bilinear",
        "commutative",
        "view",
    )

    def __init__(
        self,
        name: str,
        value: Callable,
        jvps,
        vjps,
        *,
        functions: tuple = (),
        notation: Notation,
        examples,
        prepare: Callable | None = None,
        elementwise: bool = False,
        uniform: bool = False,
        broadcasts: bool = False,
        variadic: bool = False,
        saves: bool = False,
        linear: bool = False,
        bilinear: bool = False,
        commutative: bool = False,
        view: bool = False,
    ):
        self.name = name
        self.value = value
        self.jvps, self.vjps = jvps, vjps
        self.functions = functions
        self.notation = notation
        self.examples = examples
        self.prepare = prepare  # (parameters, operand values) -> parameters
        self.elementwise = elementwise
        self.uniform = uniform  # a vjp takes a scalar for an adjoint equal everywhere
        self.broadcasts = broadcasts  # operands broadcast; the pass sums a vjp back
        self.variadic = variadic  # any number of operands; rules take their number k
        self.saves = saves  # value() gives (value, what the rules need again)
        self.linear = linear  # f(c x) = c f(x) in the first operand
        self.bilinear = bilinear  # f(c x, d y) = c d f(x, y)
        self.commutative = commutative  # the operands may change places
        self.view = view  # the result shows the operand's memory
        self.out = (
            out  # how it writes into an array: "ufunc", "reduce", "dot" or not at all
        )
        self.parameters = _keyword_names(value, 0 if variadic else len(vjps))
        plain = elementwise and not self.parameters and None not in vjps
        self.arity = len(vjps) if plain else None  # for the passes' short way

    def jvp(self, k: int) -> Callable | None:
        """The forward rule of operand k."""
        return functools.partial(self.jvps, k) if self.variadic else self.jvps[k]

    def vjp(self, k: int) -> Callable | None:
        """The reverse rule of operand k."""
        return functools.partial(self.vjps, k) if self.variadic else self.vjps[k]

    def __repr__(self):
        return f"<primitive {self.name}>"


def _keyword_names(value, operands):
    """The names of the parameters of ``value`` behind its operands."""
    if isinstance(value, np.ufunc):  # operands only; newer NumPy lists out= and more
        return ()
    try:
        names = list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError):  # a ufunc or an operator: operands only
        return ()
    names = [p for p in names if p.kind is not p.VAR_POSITIONAL][operands:]
    return tuple(p.name for p in names)


PRIMITIVES: dict[str, Primitive] = {}  # by name
PRIMITIVE_OF: dict[Callable, Primitive] = {}  # by the callable that it answers for


def define(name, value, jvps, vjps, **fields) -> Primitive:
    """Enter a primitive into the table. The name and its callables must be new."""
    primitive = Primitive(name, value, jvps, vjps, **fields)
    taken = [f for f in primitive.functions if f in PRIMITIVE_OF]
    if name in PRIMITIVES or taken:
        raise ValueError(f"primitive {name!r}: already defined; choose another name")
    PRIMITIVES[name] = primitive
    for function in primitive.functions:
        PRIMITIVE_OF[function] = primitive
    return primitive


def elementwise(name, value, *rules, **fields) -> Primitive:
    """A primitive that works entry by entry: each rule serves both modes."""
    fields.setdefault("functions", (value,))
    broadcasts = len(rules) > 1
    fields |= {"elementwise": True, "uniform": True, "broadcasts": broadcasts}
    return define(name, value, rules, rules, **fields)


# ---------------------------------------------------------------- shapes


def shape_of(x) -> tuple[int, ...]:
    return () if type(x) is float else x.shape


def ndim_of(x) -> int:
    return 0 if type(x) is float else len(x.shape)


def size_of(x) -> int:
    return 1 if type(x) is float else x.size


def leading(t, x):
    """The extra leading axes of t: () for one tangent, (K,) for K at once."""
    return shape_of(t)[: ndim_of(t) - ndim_of(x)]


def with_gap(t, x, ndim):
    """K tangents of x, (K, *shape), set to broadcast among arrays of ``ndim`` axes: the axes
    that x lacks go behind K. One tangent stays as it is."""
    many, gap = leading(t, x), ndim - ndim_of(x)
    if many and gap > 0:
        return np.reshape(t, many + (1,) * gap + shape_of(x))
    return t

"""The primitives: every operation that the tracer can differentiate.

One table. An entry contains all facts about one operation, and they are stated nowhere else:

    name       its name in NumPy
    functions  the NumPy (or ``comp551ad.functions``) callables that it implements
    value      computes it, on arrays and floats
    jvps       forward rules, one per operand:  tangent of the operand  -> tangent of the result
    vjps       reverse rules, one per operand:  adjoint of the result   -> adjoint of the operand
    notation   how it is written: text, LaTeX, NumPy source
    examples   operands to try it on; the tests loop over them

A rule is an ordinary function written with operators and ``np.*``:

    jvp(t, y, *operands, **parameters)      t: tangent of operand k, y: the result
    vjp(g, y, *operands, **parameters)      g: adjoint of the result y

Called with numbers it returns numbers. Called with tracers it is recorded like any other program,
so the printed formulas, the generated source and the second derivative all come from this text.
``None`` as a rule means that the derivative is zero wherever it exists.

Assumptions shared by all rules:

* The passes undo broadcasting. A rule works with the full shape of the result.
* An elementwise rule is its own transpose, so it is written once, for both modes. Its adjoint may
  be smaller than y and only broadcast to it (uniform along an axis).
* A linear or bilinear operation is its own forward rule: the tangent replaces the operand.
* Axes are stored counted from the end (axis=-1 for the last), however the user wrote them.

Conventions where mathematics leaves a choice:

* relu and abs have derivative 0 at 0. max and min split the derivative equally among ties, and so
  do maximum and minimum of two traced operands. At a tie with a plain operand the plain one wins,
  so np.maximum(z, 0) has the slope of ``z > 0`` there, like relu: composed kinks then keep the
  slope of one side. Next to np.abs(z) of the same z it splits, since the two may cancel, as in
  np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))). With other kinks that cancel, such as that of
  z * (z > 0), the slope at 0 is not that of the sum: use softplus.
* norm at 0 and std of a constant have derivative 0 (the subgradient of least norm); sqrt at 0
  has inf, the limit. Second derivatives are nan there for abs, norm, hypot and std, at a tie for
  np.maximum(x, -x) and the like, and for eigenvalues and singular values where two are equal up
  to rounding: nan makes it visible that they don't exist.
* Steps (sign, floor, rint …) have derivative 0, even where they jump.
* An infinite slope times an adjoint of 0 is nan, as 0·∞ is in NumPy. So the gradient of
  np.sum(np.sqrt(x)[1:]) is nan at x[0] = 0: drop entries that you don't need *before* the root or
  the log, and give np.where a harmless number in the branch that it doesn't choose.
* x**0 is 1 with derivative 0, including at x = 0; 0**y has derivative 0 in y where y > 0.
* nan and inf propagate, as in NumPy; where max or min sees nan, the gradient is nan too.
* Rules use the result y where that is shorter: 1 − y² for tanh, y(1 − y) for logistic, y + 1 for
  expm1. Far out, where such a slope is tiny, its error is a rounding error relative to 1, not to
  the slope itself: σ′(30) has three digits, and tanh′(20) is 0 instead of 1.7e-17.

To add a primitive: add an entry below, with the function for its kind (``elementwise``,
``reduction``, ``view`` …) or with ``define``. Tests, printing, drawing and the program writer find
it automatically.
"""

import dataclasses
import functools
import inspect
import math
import operator
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from comp551ad import functions as fn

from .refusals import this_thread

# ---------------------------------------------------------------- the fields of an entry

SUM, PRODUCT, PREFIX, POWER, ATOM = range(1, 6)  # precedence, lowest first
REQUIRED = inspect.Parameter.empty  # no default


class Notation(NamedTuple):
    """How an operation is written.

    The templates take the operands as ``{0}``, ``{1}`` and, for calls, ``{parameters}``; variadic
    primitives take ``{operands}``. ``level`` is the precedence of the result; an operand of lower
    precedence than ``needs`` is parenthesized. JavaScript is the NumPy source without ``np.``,
    unless it has its own template.
    """

    text: str
    latex: str
    source: str
    level: int
    needs: tuple[int, ...]
    own_javascript: str | None = None

    @property
    def javascript(self) -> str:
        return self.own_javascript or re.sub(r"np\.(linalg\.)?", "", self.source)


class RuleOfEach:
    """The rules of a variadic primitive: ``rules[k]`` is the rule for operand k."""

    def __init__(self, rule: Callable):
        self.rule = rule

    def __getitem__(self, k: int) -> Callable:
        return functools.partial(self.rule, k)


@dataclasses.dataclass(eq=False, repr=False)
class Primitive:
    """One entry of the table.

    Attributes:
        name, functions, value, jvps, vjps, notation, examples: see the module docstring.
        canonicalize: (parameters, *operand shapes) -> the parameters in canonical form.
        elementwise: works entry by entry, operands broadcast.
        uniform: a vjp accepts a scalar for an adjoint that is equal everywhere.
        broadcasts: operands broadcast; the pass sums a vjp back to the operand's shape.
        variadic: any number of operands; the rules take the operand's position first.
        has_residuals: value() returns (value, residuals for the rules).
        linear: f(c x) = c f(x).
        bilinear: f(c x, d y) = c d f(x, y).
        commutative: the operands may be swapped.
        view: the result may share the operand's memory.
        matrix_product: a sum over products of entries, written like a product.
        stacks: a jvp accepts tangents with extra axes in front: several at once.
        new_axes: an axis parameter refers to the axes of the result.
        parameters: the parameters of ``value`` other than operands -> their defaults.
        array_parameters: those that are, or contain, arrays.
        unwritten: parameters that only the rules read, and that are never printed.
        out: whether it supports out=: as a "ufunc", as a "method" of its first operand, or "".
    """

    name: str
    value: Callable
    vjps: Any
    jvps: Any
    _: dataclasses.KW_ONLY
    notation: Notation
    examples: list
    functions: tuple
    canonicalize: Callable | None = None
    elementwise: bool = False
    uniform: bool = False
    broadcasts: bool = False
    variadic: bool = False
    has_residuals: bool = False
    linear: bool = False
    bilinear: bool = False
    commutative: bool = False
    view: bool = False
    matrix_product: bool = False
    stacks: bool = False
    new_axes: bool = False
    unwritten: tuple[str, ...] = ()
    out: str = ""

    def __post_init__(self):
        if self.variadic:
            self.vjps, self.jvps = RuleOfEach(self.vjps), RuleOfEach(self.jvps)
        elif not self.jvps:
            self.jvps = self._its_own_jvps()
        self.parameters = self._parameters()
        self.array_parameters = {"index", "condition"} & self.parameters.keys()

    def _its_own_jvps(self):
        value = self.value
        if self.bilinear:
            return (
                lambda t, y, a, b, **parameters: value(t, b, **parameters),
                lambda t, y, a, b, **parameters: value(a, t, **parameters),
            )
        return (lambda t, y, x, **parameters: value(t, **parameters),)

    def _parameters(self):
        """The parameters of ``value`` after its operands, with their defaults."""
        # A ufunc has operands only; newer NumPy lists out= and more.
        if isinstance(self.value, np.ufunc):
            return {}
        named = [*inspect.signature(self.value).parameters.values()]
        behind = named[1 if self.variadic else len(self.vjps) :]
        return {p.name: p.default for p in behind}

    def keywords(self, parameters: dict, *shapes: tuple) -> dict:
        """The parameters as a user would write them: axes counted from 0, defaults left out. A
        default is what ``canonicalize`` returns for no parameters.

        Args:
            parameters: as stored in a row of the tape.
            *shapes: the shapes of the operands, then that of the result.
        """
        defaults = self.parameters
        if self.canonicalize is not None and REQUIRED not in defaults.values():
            defaults = self.canonicalize(defaults, *shapes[:-1])
        ndim, written = len(shapes[-1] if self.new_axes else shapes[0]), {}
        for key, value in parameters.items():
            default = defaults.get(key)
            is_default = type(default) is type(value) and default == value
            if is_default or key in self.unwritten:
                continue
            if key in ("axis", "axes") and value is not None:
                several = type(value) is tuple
                axes = tuple(a % ndim for a in (value if several else (value,)))
                value = axes[0] if len(axes) == 1 else axes
            written[key] = value
        return written


PRIMITIVES: dict[str, Primitive] = {}  # by name
PRIMITIVE_OF: dict[Callable, Primitive] = {}  # by the callable that it implements


def define(
    name: str,
    vjps: Any,
    jvps: Any = None,
    *,
    value: Callable | None = None,
    notation: Notation | None = None,
    javascript: str | None = None,
    **fields: Any,
) -> Primitive:
    """Add a primitive to the table; its name and its callables must be new.

    The value and the notation default to those of the function with this name: ours, NumPy's or
    one from ``np.linalg``.
    """
    function, source = _function_called(name)
    fields.setdefault("functions", (function,))
    taken = [f for f in fields["functions"] if f in PRIMITIVE_OF]
    if name in PRIMITIVES or taken:
        raise ValueError(f"name: got {name!r}, already defined; choose another name")
    if notation is None:
        notation = call(name, source, len(vjps))
    notation = notation._replace(own_javascript=javascript)
    value = value or function
    primitive = Primitive(name, value, vjps, jvps, notation=notation, **fields)
    PRIMITIVES[name] = primitive
    PRIMITIVE_OF.update(dict.fromkeys(primitive.functions, primitive))
    return primitive


def _function_called(name):
    if name in fn.__all__:
        return getattr(fn, name), name
    if hasattr(np, name):
        return getattr(np, name), f"np.{name}"
    return getattr(np.linalg, name, None), f"np.linalg.{name}"


# -- how an operation is written


def infix(
    text: str, latex: str, source: Any, level: int, right: int | None = None
) -> Notation:
    """An operator between its operands: a + b."""
    needs = (level, level if right is None else right)
    texts = f"{{0}}{text}{{1}}", f"{{0}}{latex}{{1}}", f"{{0}} {source} {{1}}"
    return Notation(*texts, level, needs)


def prefix(name: Any) -> Notation:
    """A function written without parentheses around a single letter: sin a5."""
    texts = f"{name} {{0}}", rf"\{name} {{0}}", f"np.{name}({{0}})"
    return Notation(*texts, PREFIX, (ATOM,))


def call(name: Any, source: str = "", operands: int = 1, latex: str = "") -> Notation:
    """A function written with parentheses: softmax(a5)."""
    slots = ", ".join(f"{{{k}}}" for k in range(operands)) + "{parameters}"
    latex = latex or rf"\operatorname{{{{{name.replace('_', ' ')}}}}}"
    texts = (
        f"{name}({slots})",
        rf"{latex}\left({slots}\right)",
        f"{source or name}({slots})",
    )
    return Notation(*texts, ATOM, (0,) * operands)


# -- shapes and axes


def shape_of(x: Any) -> tuple[int, ...]:
    return () if type(x) is float else x.shape


def ndim_of(x: Any) -> int:
    return 0 if type(x) is float else len(x.shape)


def size_of(x: Any) -> int:
    return 1 if type(x) is float else x.size


def _from_the_end(axis, ndim):
    """Axes counted from the end: None -> all of them, 0 -> -ndim, (0, 1) -> ..."""
    if axis is None or (ndim == 0 and axis in (0, -1)):  # as NumPy for a number
        return tuple(range(-ndim, 0))
    if type(axis) is not int:
        if isinstance(axis, tuple):
            return tuple(_from_the_end(a, ndim) for a in axis)
        axis = operator.index(axis)
    return axis - ndim if 0 <= axis < ndim else axis


def _axis(default=None, more=0, key="axis", several=False):
    """A ``canonicalize`` for axes: those given or ``default``, which may be a function of the
    shape, counted from the end of an array with ``more`` extra axes (None: one per axis given).
    With ``several`` the axes are always a tuple."""

    def canonicalize(parameters, shape, *others):
        axis = parameters.get(key, None if callable(default) else default)
        if axis is None and callable(default):
            axis = default(shape)
        if several:
            axis = tuple(axis) if np.ndim(axis) else (axis,)
        ndim = len(shape) + (len(axis) if more is None else more)
        return {**parameters, key: _from_the_end(axis, ndim)}

    return canonicalize


# -- examples


def _sample(*shape, low=-1.3, high=1.7, turn=0.0):
    """Example numbers without ties: an uneven sweep over [low, high]."""
    n = int(np.prod(shape))
    sweep = (np.arange(n) * 0.61803398875 + 0.137 + turn) % 1.0
    sweep = low + (high - low) * sweep
    return sweep.reshape(shape) if shape else float(sweep[0])


def _example(*shapes, low=-1.3, high=1.7, **parameters):
    """Operands of these shapes, and parameters."""
    turned = [
        _sample(*shape, low=low, high=high, turn=0.31 * k)
        for k, shape in enumerate(shapes)
    ]
    return tuple(turned), parameters


# ---------------------------------------------------------------- entry by entry

_UNARY = [((),), ((2, 3),), ((0,),)]
_BINARY = [
    ((), ()), ((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (3,)), ((), (1, 3)),
    ((0, 3), (1, 3)),
]  # fmt: skip


def elementwise(
    name: str,
    *rules: Callable | None,
    low: float = -1.3,
    high: float = 1.7,
    **fields: Any,
) -> Primitive:
    """A primitive that works entry by entry, with one rule per operand for both modes. Examples
    lie between ``low`` and ``high``."""
    shapes = _UNARY if len(rules) == 1 else _BINARY
    fields.setdefault("examples", [_example(*s, low=low, high=high) for s in shapes])
    fields |= {"elementwise": True, "uniform": True, "broadcasts": len(rules) > 1}
    if isinstance(_function_called(name)[0], np.ufunc):
        fields["out"] = "ufunc"
    return define(name, rules, rules, **fields)


def _is_plain(x):
    return issubclass(type(x), (float, np.ndarray))


def _divide(a, b):
    """a / b. Rules use it too wherever both may be Python floats."""
    try:
        return a / b
    except ZeroDivisionError:  # Python floats raise where NumPy returns inf or nan
        return np.divide(a, b)


def _quotient(source):
    """Written as a fraction, regardless of its value where the denominator is 0."""
    latex = r"\frac{{{0}}}{{{1}}}"
    return Notation("{0}/{1}", latex, source, PRODUCT, (PRODUCT, PREFIX))


elementwise(
    "add",
    lambda g, y, a, b: g,
    lambda g, y, a, b: g,
    value=operator.add,
    notation=infix(" + ", " + ", "+", SUM),
    commutative=True,
)
elementwise(
    "subtract",
    lambda g, y, a, b: g,
    lambda g, y, a, b: -g,
    value=operator.sub,
    notation=infix(" − ", " - ", "-", SUM, right=PRODUCT),
)
elementwise(
    "multiply",
    lambda g, y, a, b: b * g,
    lambda g, y, a, b: a * g,
    value=operator.mul,
    notation=infix("·", r" \cdot ", "*", PRODUCT),
    bilinear=True,
    commutative=True,
)
elementwise(
    "divide",
    lambda g, y, a, b: _divide(g, b),
    lambda g, y, a, b: _divide(-g * y, b),
    value=_divide,
    notation=_quotient("{0} / {1}"),
    low=0.4,
)
elementwise(
    "negative",
    lambda g, y, x: -g,
    value=operator.neg,
    notation=Notation("−{0}", "-{0}", "-{0}", PRODUCT, (PRODUCT,)),
)


def _power_slope(a, b):
    """b a**(b-1), and 0 where a = b = 0, where the exponent is 0 instead of -1. (For a constant b
    this is done wherever b = 0; only for a variable b does the second derivative need the -1.)"""
    one = np.abs(np.sign(b))
    if not _is_plain(b):
        one = np.maximum(one, np.abs(np.sign(a)))
    return b * a ** (b - one)


def _power_log(y, a):
    """a**b log a, and 0 where both a and y = a**b are 0, as are all its derivatives in b."""
    if _is_plain(a) and not np.all(a):
        return y * fn.xlogy(np.sign(y), a)
    return fn.xlogy(y, a)


elementwise(
    "power",
    lambda g, y, a, b: _power_slope(a, b) * g,
    lambda g, y, a, b: _power_log(y, a) * g,
    notation=Notation("{0}^{1}", "{0}^{{{1}}}", "{0} ** {1}", POWER, (ATOM, ATOM)),
    javascript="power({0}, {1})",
    low=0.4,
)

# -- functions of one number

_SQUARE = Notation("{0}²", "{0}^2", "{0} ** 2", POWER, (ATOM,))
_ROOT = Notation("√{0}", r"\sqrt{{{0}}}", "np.sqrt({0})", POWER, (ATOM,))
_ABS = Notation("|{0}|", r"\left|{0}\right|", "np.abs({0})", ATOM, (0,))
_LOGISTIC = call("σ", "logistic", latex=r"\sigma")

elementwise(
    "square", lambda g, y, x: 2.0 * x * g, notation=_SQUARE, javascript="square({0})"
)
elementwise(
    "sqrt",
    lambda g, y, x, of_squares=False: (
        g * fn.safe_divide(0.5, y) if of_squares else g / (2.0 * y)
    ),
    value=lambda x, of_squares=False: np.sqrt(x),
    low=0.4,
    notation=_ROOT,
    unwritten=("of_squares",),
)
elementwise("cbrt", lambda g, y, x: _divide(g, 3.0 * np.square(y)), low=0.4)

elementwise("exp", lambda g, y, x: g * y, notation=prefix("exp"))
elementwise("exp2", lambda g, y, x: fn.xlogy(g * y, 2.0))
elementwise("expm1", lambda g, y, x: g * (y + 1.0))
elementwise("log", lambda g, y, x: _divide(g, x), low=0.4, notation=prefix("log"))
elementwise("log2", lambda g, y, x: _divide(g, fn.xlogy(x, 2.0)), low=0.4)
elementwise("log10", lambda g, y, x: _divide(g, fn.xlogy(x, 10.0)), low=0.4)
elementwise("log1p", lambda g, y, x: _divide(g, 1.0 + x), low=-0.6)

elementwise("sin", lambda g, y, x: g * np.cos(x), notation=prefix("sin"))
elementwise("cos", lambda g, y, x: -g * np.sin(x), notation=prefix("cos"))
elementwise(
    "tan", lambda g, y, x: g * (1.0 + np.square(y)), high=1.2, notation=prefix("tan")
)
elementwise(
    "arcsin", lambda g, y, x: g / np.sqrt(1.0 - np.square(x)), low=-0.8, high=0.8
)
elementwise(
    "arccos", lambda g, y, x: -g / np.sqrt(1.0 - np.square(x)), low=-0.8, high=0.8
)
elementwise(
    "arctan", lambda g, y, x: g / (1.0 + np.square(x)), notation=prefix("arctan")
)

elementwise("sinh", lambda g, y, x: g * np.cosh(x))
elementwise("cosh", lambda g, y, x: g * np.sinh(x))
elementwise("tanh", lambda g, y, x: g * (1.0 - np.square(y)), notation=prefix("tanh"))
elementwise("arcsinh", lambda g, y, x: g / np.sqrt(1.0 + np.square(x)))
elementwise(
    "arccosh", lambda g, y, x: g / np.sqrt(np.square(x) - 1.0), low=1.4, high=2.6
)
elementwise(
    "arctanh", lambda g, y, x: _divide(g, 1.0 - np.square(x)), low=-0.8, high=0.8
)

elementwise("logistic", lambda g, y, x: g * y * (1.0 - y), notation=_LOGISTIC)
elementwise("softplus", lambda g, y, x: g * fn.logistic(x))
elementwise(
    "relu", lambda g, y, x: g * np.heaviside(x, 0.0), notation=call("ReLU", "relu")
)
elementwise(
    "erf", lambda g, y, x: g * (2.0 / math.sqrt(math.pi)) * np.exp(-np.square(x))
)

elementwise("abs", lambda g, y, x: fn.abs_slope(x) * g, notation=_ABS)
# 0, except for nan at x = 0.
elementwise(
    "abs_slope",
    lambda g, y, x: fn.divide_at_kink(g * (1.0 - np.square(y)), x),
    low=0.1,
    notation=call("sign", "np.sign"),
)
for _step in ("sign", "floor", "ceil", "trunc", "rint"):
    elementwise(_step, None, low=0.6, high=0.9)

# -- functions of two numbers

elementwise(
    "logaddexp",
    lambda g, y, a, b: g * fn.logistic(a - b),
    lambda g, y, a, b: g * fn.logistic(b - a),
    commutative=True,
)
elementwise(
    "hypot",
    lambda g, y, a, b: g * fn.safe_divide(a, y),
    lambda g, y, a, b: g * fn.safe_divide(b, y),
    low=0.4,
    commutative=True,
)
elementwise(
    "arctan2",
    lambda g, y, a, b: _divide(g * b, np.square(a) + np.square(b)),
    lambda g, y, a, b: _divide(-g * a, np.square(a) + np.square(b)),
    low=0.4,
)
# a / b is between 2 and 3 in the examples, away from the steps.
_QUOTIENTS: list = [
    ((_sample(*a, low=2.1, high=2.4), _sample(*b, low=0.9, high=0.95)), {})
    for a, b in _BINARY[:3]
]
elementwise(
    "remainder",
    lambda g, y, a, b: g,
    lambda g, y, a, b: -g * np.floor_divide(a, b),
    examples=_QUOTIENTS,
)
elementwise("floor_divide", None, None, examples=_QUOTIENTS)

# -- choosing


def _indicator(source, second="0"):
    texts = f"[{{0}} > {second}]", rf"\left[{{0}} > {second}\right]"
    return Notation(*texts, source, ATOM, (0, 0))


elementwise(
    "heaviside",
    None,
    lambda g, y, a, b: g * (np.heaviside(a, 1.0) - np.heaviside(a, 0.0)),
    notation=_indicator("np.heaviside({0}, {1})"),
    examples=[((_sample(2, 3, low=0.1), 0.0), {})],
)
elementwise(
    "greater_share",
    lambda g, y, a, b: fn.divide_at_kink(g * y * (1.0 - y), a - b),
    lambda g, y, a, b: fn.divide_at_kink(-g * y * (1.0 - y), a - b),
    notation=_indicator("greater_share({0}, {1})", "{1}"),
    examples=[((_sample(2, 3), _sample(3, low=3.0, high=4.0)), {})],
)


def _share_of_greater(a, b, tie):
    """The slope of max(a, b) with respect to a; at a tie it is ``tie``."""
    if tie:
        return fn.greater_share(a, b)
    zero = [type(c) is float and c == 0.0 for c in (a, b)]
    return np.heaviside(a if zero[1] else -b if zero[0] else a - b, 0.0)


elementwise(
    "maximum",
    lambda g, y, a, b, tie=0.5: g * _share_of_greater(a, b, tie),
    lambda g, y, a, b, tie=0.5: g * _share_of_greater(b, a, tie),
    value=lambda a, b, tie=0.5: np.maximum(a, b),
    unwritten=("tie",),
    commutative=True,
)
elementwise(
    "minimum",
    lambda g, y, a, b, tie=0.5: g * _share_of_greater(b, a, tie),
    lambda g, y, a, b, tie=0.5: g * _share_of_greater(a, b, tie),
    value=lambda a, b, tie=0.5: np.minimum(a, b),
    unwritten=("tie",),
    commutative=True,
)
_CHOICE = np.array([[True, False, True], [False, False, True]])
elementwise(
    "where",
    lambda g, y, a, b, condition: np.where(condition, g, 0.0),
    lambda g, y, a, b, condition: np.where(condition, 0.0, g),
    value=lambda a, b, condition: np.where(condition, a, b),
    notation=Notation(
        "where({condition}, {0}, {1})",
        r"\operatorname{{where}}({condition}, {0}, {1})",
        "np.where({condition}, {0}, {1})",
        ATOM,
        (0, 0),
    ),
    javascript="({condition} ? {0} : {1})",
    examples=[
        _example((2, 3), (3,), condition=_CHOICE),
        _example((), (), condition=_CHOICE),
        _example((), (), condition=True),
    ],
)

# -- safe at the boundary

for _name in ("safe_divide", "divide_at_kink"):
    elementwise(
        _name,
        lambda g, y, a, b: fn.divide_at_kink(g, b),
        lambda g, y, a, b: -fn.divide_at_kink(g * y, b),
        notation=_quotient(f"{_name}({{0}}, {{1}})"),
        low=0.4,
    )
_XLOGY = "{0}·log({1})", r"{0} \log\left({1}\right)", "xlogy({0}, {1})"
elementwise(
    "xlogy",
    lambda g, y, a, b: fn.xlogy(g, b),  # 0 where g = 0
    lambda g, y, a, b: fn.safe_divide(g * a, b),
    notation=Notation(*_XLOGY, PRODUCT, (PRODUCT, 0)),
    low=0.4,
)

# ---------------------------------------------------------------- products of matrices


def _flip(a):
    """The transpose of the last two axes."""
    return a.T if a.ndim == 2 else np.swapaxes(a, -1, -2)


def _times(a, b):
    """The matrix product, with np.dot for up to two axes."""
    return np.dot(a, b) if a.ndim <= 2 and b.ndim <= 2 else np.matmul(a, b)


def _product_vjp_left(g, y, a, b):
    if a.ndim == 1:  # the adjoint of a vector is a vector
        return b * g if b.ndim == 1 else _times_vector(b, g)
    if b.ndim == 1:
        return np.expand_dims(g, -1) * b
    return _times(g, _flip(b))


def _product_vjp_right(g, y, a, b):
    if b.ndim == 1:
        return a * g if a.ndim == 1 else _times_vector(_flip(a), g)
    if a.ndim == 1:
        return np.expand_dims(a, -1) * np.expand_dims(g, -2)
    return _times(_flip(a), g)


def _times_vector(matrix, vectors):
    """matrix @ vector, for a vector or a stack of them."""
    if ndim_of(matrix) == 2 and ndim_of(vectors) == 1:
        return np.dot(matrix, vectors)
    return np.squeeze(np.matmul(matrix, np.expand_dims(vectors, -1)), -1)


_MATRIX_PAIRS = [
    ((2, 3), (3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,)), ((2, 0), (0, 4)),
]  # fmt: skip
_STACKED_PAIRS = [
    ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 1, 2, 3), (6, 3, 4)), ((3,), (5, 3, 4)),
    ((5, 2, 3), (3,)),
]  # fmt: skip


def matrix_product(name: str, source: str, pairs: list, **fields: Any) -> Primitive:
    """A product over a's last axis and b's second to last; a vector is a row, or a column."""
    return define(
        name,
        (_product_vjp_left, _product_vjp_right),
        notation=Notation("{0}·{1}", r"{0}\,{1}", source, PRODUCT, (2, 3)),
        examples=[_example(*pair) for pair in pairs],
        broadcasts=True,
        bilinear=True,
        matrix_product=True,
        **fields,
    )


matrix_product(
    "dot",
    "np.dot({0}, {1})",
    _MATRIX_PAIRS,
    value=lambda a, b: np.dot(a, b),
    out="method",
)
matrix_product(
    "matmul",
    "{0} @ {1}",
    _MATRIX_PAIRS + _STACKED_PAIRS,
    javascript="matmul({0}, {1}, {result})",
)
define(
    "outer",
    (lambda g, y, a, b: np.dot(g, b), lambda g, y, a, b: np.dot(a, g)),
    value=lambda a, b: np.expand_dims(a, -1) * b,
    examples=[_example((2,), (3,))],
    bilinear=True,
)

# ---------------------------------------------------------------- functions of square matrices


def _dominant(n, *stack):
    """Example matrices far from singular, even if their entries change a little."""
    return _sample(*stack, n, n, high=1.3) + 3.0 * np.eye(n)


def of_matrices(
    name: str, vjp: Callable, jvp: Callable, stacks: bool = True, **fields: Any
) -> Primitive:
    """A function of a square matrix, or of each matrix in a stack."""
    examples: list = [((_dominant(3),), {}), ((_dominant(2, 4),), {})]
    return define(name, (vjp,), (jvp,), examples=examples, stacks=stacks, **fields)


def _of_each(g):
    """Append two axes to one number per matrix, to broadcast against its entries."""
    return np.expand_dims(g, (-2, -1))


def _inner(a, b):
    """The sum of a·b over the entries of each matrix."""
    return np.sum(a * b, axis=(-2, -1))


def _inverse(a):
    """np.linalg.inv, which here also raises for a matrix that only rounding makes invertible: the
    result would be wrong. No digit of 1 = Σ aᵢⱼ yⱼᵢ is left then."""
    y = np.linalg.inv(a)
    if _is_plain(a) and np.any(np.sum(np.abs(a * _flip(y)), axis=-1) > 1e15):
        raise np.linalg.LinAlgError(
            "Singular matrix: got one that is singular up to rounding, expected an inverse with "
            "correct digits; add a small multiple of np.eye(n)"
        )
    return y


of_matrices(
    "inv",
    lambda g, y, a: -_times(_times(_flip(y), g), _flip(y)),
    lambda t, y, a: -_times(_times(y, t), y),
    value=_inverse,
    notation=Notation("inv({0})", "{0}^{{-1}}", "np.linalg.inv({0})", ATOM, (0,)),
)
define(
    "solve",
    (
        lambda g, y, a, b: -_times(np.linalg.solve(_flip(a), g), _flip(y)),
        lambda g, y, a, b: np.linalg.solve(_flip(a), g),
    ),
    (
        lambda t, y, a, b: -np.linalg.solve(a, _times(t, y)),
        lambda t, y, a, b: np.linalg.solve(a, t),
    ),
    javascript="solve({0}, {1}, {result})",
    examples=[
        ((_dominant(3), _sample(3, 2)), {}),
        ((_dominant(2, 4), _sample(2, 3)), {}),
        ((_dominant(2), _sample(4, 2, 3)), {}),
    ],
    broadcasts=True,
    stacks=True,
)
of_matrices(
    "det",
    lambda g, y, a: _of_each(g * y) * _flip(_inverse(a)),
    lambda t, y, a: y * _inner(_flip(_inverse(a)), t),
)
# As one array: the sign, whose derivative is 0, and log |det a|.
of_matrices(
    "slogdet",
    lambda g, y, a: _of_each(g[1]) * _flip(_inverse(a)),
    lambda t, y, a: fn.scatter(_inner(_flip(_inverse(a)), t), 1, shape_of(y)),
    value=lambda a: np.stack(np.linalg.slogdet(a)),
    notation=call("slogdet")._replace(source="np.stack(np.linalg.slogdet({0}))"),
    javascript="slogdet({0})",
    stacks=False,
)


def _lower_half(a):
    """The lower triangle with half the diagonal; plus its transpose, the matrix cholesky reads."""
    n = shape_of(a)[-1]
    return np.tri(n) * a - 0.5 * (np.eye(n) * a)


def _as_read(t):
    """The symmetric matrix with the lower triangle of t."""
    return _lower_half(t) + _flip(_lower_half(t))


def _cholesky_vjp(g, y, a):
    inner = np.linalg.solve(_flip(y), _lower_half(_times(_flip(y), g)))
    inner = _flip(np.linalg.solve(_flip(y), _flip(inner)))
    return _lower_half(inner + _flip(inner))


def _cholesky_jvp(t, y, a):
    inner = np.linalg.solve(y, _as_read(t))
    return _times(y, _lower_half(np.linalg.solve(y, _flip(inner))))


of_matrices(
    "cholesky", _cholesky_vjp, _cholesky_jvp, value=lambda a: np.linalg.cholesky(a)
)


def _resolvents(y, a, spare):
    """Σ over j ≠ i of Pⱼ / (λᵢ − λⱼ), for each i; nan where eigenvalues are equal."""
    values = np.linalg.eigvalsh(a)
    n = shape_of(a)[-1]
    gaps = np.expand_dims(values, -1) - np.expand_dims(values, -2)
    # A gap within rounding counts as 0: its reciprocal would be wrong.
    size = np.max(np.abs(values), axis=-1, keepdims=True)
    gaps = np.where(np.abs(gaps) <= 1e-15 * n * np.expand_dims(size, -1), 0.0, gaps)
    weights = fn.divide_at_kink(1.0 - np.eye(n), gaps + np.eye(n))
    if spare:
        places = np.expand_dims(np.arange(n), -1)
        weights = np.where(np.abs(2 * places - n + 1) < spare, 0.0, weights)
    lines = np.reshape(y, (*shape_of(y)[:-2], -1))
    return np.reshape(np.matmul(weights, lines), shape_of(y))


def _both_ways(r, t, p):
    return np.matmul(np.matmul(r, t), p) + np.matmul(np.matmul(p, t), r)


# ``spare``: this many eigenvalues in the middle are unused zeros, which may be equal.
of_matrices(
    "eigvalsh",
    lambda g, y, a, spare=0: _lower_half(
        2.0 * np.sum(_of_each(g) * fn.eigenprojections(a, spare), axis=-3)
    ),
    lambda t, y, a, spare=0: _inner(
        fn.eigenprojections(a, spare), np.expand_dims(_as_read(t), -3)
    ),
    value=lambda a, spare=0: np.linalg.eigvalsh(a),
    unwritten=("spare",),
)
of_matrices(
    "eigenprojections",
    lambda g, y, a, spare=0: _lower_half(
        np.sum(_both_ways(_resolvents(y, a, spare), g + _flip(g), y), axis=-3)
    ),
    lambda t, y, a, spare=0: _both_ways(
        _resolvents(y, a, spare), np.expand_dims(_as_read(t), -3), y
    ),
    unwritten=("spare",),
    stacks=False,
)

# ---------------------------------------------------------------- reductions

_REDUCED = [
    _example((2, 3)),
    _example((2, 3), axis=0),
    _example((2, 3), axis=-1, keepdims=True),
    _example((2, 3, 4), axis=(0, 2)),
    _example((4,), axis=0),
    _example(()),
]


def reduction(name: str, vjp: Callable, jvps: Any = None, **fields: Any) -> Primitive:
    """A primitive that removes axes: one operand, axis= and keepdims=."""
    fields = {"examples": _REDUCED, "uniform": True, "stacks": True, **fields}
    return define(name, (vjp,), jvps, canonicalize=_axis(), **fields)


def _unreduce(g, axis, keepdims):
    """Restore reduced axes with length 1. A scalar g is uniform and is left unchanged."""
    if keepdims or ndim_of(g) == 0:
        return g
    return np.expand_dims(g, axis)


def _count(x, y):
    """The number of entries reduced to each entry of the result; inf if that is empty."""
    return size_of(x) / size_of(y) if size_of(y) else np.inf


def _over_axes(function: Callable, ufunc: np.ufunc) -> Callable:
    """A NumPy reduction with an entry's parameters; for arrays it calls the ufunc's ``reduce``
    directly, without NumPy's overhead."""

    def value(x, axis=None, keepdims=False):
        if type(x) is np.ndarray:
            return ufunc.reduce(x, axis=axis, keepdims=keepdims)
        return function(x, axis=axis, keepdims=keepdims)

    return value


def _mean_value(x, axis=None, keepdims=False):
    if type(x) is np.ndarray and x.size:
        total = np.add.reduce(x, axis=axis, keepdims=keepdims)
        return total / (x.size / max(total.size, 1))
    return np.mean(x, axis=axis, keepdims=keepdims)


reduction(
    "sum",
    lambda g, y, x, axis, keepdims=False: _unreduce(g, axis, keepdims),
    value=_over_axes(np.sum, np.add),
    examples=[*_REDUCED, _example((0, 3), axis=0), _example((), axis=0)],
    out="method",
    linear=True,
)
reduction(
    "mean",
    lambda g, y, x, axis, keepdims=False: _divide(
        _unreduce(g, axis, keepdims), _count(x, y)
    ),
    value=_mean_value,
    linear=True,
)


def by_slope(name: str, slope: Callable, **fields: Any) -> Primitive:
    """A reduction with ``slope(x, y, axis, keepdims)``, the derivative of the result with respect
    to each entry, by which both rules multiply."""

    def vjp(g, y, x, axis, keepdims=False, **more):
        return slope(x, y, axis, keepdims, **more) * _unreduce(g, axis, keepdims)

    def jvp(t, y, x, axis, keepdims=False, **more):
        moved = slope(x, y, axis, keepdims, **more) * t
        return np.sum(moved, axis=axis, keepdims=keepdims)

    return reduction(name, vjp, (jvp,), **fields)


define(
    "tie_share",
    (None, None),
    (None, None),
    canonicalize=_axis(),
    examples=[((np.array([[1.0, 2.0, 0.5]]), np.array([2.0])), {"axis": 1})],
)


for _name, _function, _alias, _ufunc in (
    ("max", np.max, np.amax, np.maximum),
    ("min", np.min, np.amin, np.minimum),
):
    by_slope(
        _name,
        fn.tie_share,
        value=_over_axes(_function, _ufunc),
        functions=(_function, _alias),
        out="method",
    )


def _norm(x, axis=None, keepdims=False):
    if not _is_plain(x):  # a single operation inside another derivative too
        whole = type(axis) is tuple and len(axis) == ndim_of(x)
        return np.linalg.norm(x, axis=None if whole else axis, keepdims=keepdims)
    return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))


by_slope(
    "norm",
    lambda x, y, axis, keepdims: fn.safe_divide(x, _unreduce(y, axis, keepdims)),
    value=_norm,
    notation=Notation(
        "‖{0}‖",
        r"\left\lVert {0} \right\rVert",
        "np.linalg.norm({0}{parameters})",
        ATOM,
        (0,),
    ),
)


def _degrees(x, y, ddof):
    return np.float64(max(_count(x, y) - ddof, 0))  # np.float64: 2 / 0 is inf


def _centred(x, axis):
    return x - np.mean(x, axis=axis, keepdims=True)


def _standardized(x, y, axis, keepdims):
    """(x − mean) / std; 0 for a single number, whose std is always 0."""
    if _count(x, y) == 1:
        return 0.0 * x
    return fn.safe_divide(_centred(x, axis), _unreduce(y, axis, keepdims))


_SPREAD = [*_REDUCED[:5], _example((2, 3), axis=1, ddof=1)]
by_slope(
    "var",
    lambda x, y, axis, keepdims, ddof=0: 2.0 / _degrees(x, y, ddof) * _centred(x, axis),
    value=lambda x, axis=None, ddof=0, keepdims=False: np.var(
        x, axis=axis, ddof=ddof, keepdims=keepdims
    ),
    javascript="variance({0}{parameters})",
    examples=_SPREAD,
)
by_slope(
    "std",
    lambda x, y, axis, keepdims, ddof=0: (
        _standardized(x, y, axis, keepdims) / _degrees(x, y, ddof)
    ),
    functions=(fn.std, np.std),
    examples=_SPREAD,
)

# ---------------------------------------------------------------- along an axis


def _backwards(x, axis):
    return x[(Ellipsis, slice(None, None, -1)) + (slice(None),) * (-axis - 1)]


define(
    "cumsum",
    (lambda g, y, x, axis: _backwards(np.cumsum(_backwards(g, axis), axis), axis),),
    value=lambda x, axis: np.cumsum(x, axis=axis),
    canonicalize=_axis(),
    examples=[_example((4,), axis=0), _example((2, 3), axis=1)],
    linear=True,
    stacks=True,
)


def _softmax_of(x, axis, residuals):
    """The softmax saved with the value; recomputed if a rule is only printed."""
    return fn.softmax(x, axis=axis) if residuals is None else residuals


_ROWWISE = [
    _example((2, 3)),
    _example((2, 3), axis=0),
    _example((2, 3, 4), axis=1),
    _example((4,)),
    _example((2, 3), axis=None),
    _example((2, 3, 4), axis=(0, 2)),
    _example(()),
]
define(
    "logsumexp",
    (
        lambda g, y, x, axis, residuals=None: (
            _softmax_of(x, axis, residuals) * _unreduce(g, axis, False)
        ),
    ),
    (
        lambda t, y, x, axis, residuals=None: np.sum(
            _softmax_of(x, axis, residuals) * t, axis=axis
        ),
    ),
    value=lambda x, axis=-1: fn.logsumexp_and_softmax(x, axis),  # (value, residuals)
    canonicalize=_axis(-1),
    uniform=True,
    has_residuals=True,
    examples=_ROWWISE,
    stacks=True,
)


def _softmax_rule(g, y, x, axis):
    """y (g - sum of y g over the axis): the softmax Jacobian is symmetric."""
    return y * (g - np.sum(y * g, axis=axis, keepdims=True))


define(
    "softmax",
    (_softmax_rule,),
    (_softmax_rule,),
    canonicalize=_axis(-1),
    examples=_ROWWISE,
    stacks=True,
)

# ---------------------------------------------------------------- rearranging entries


def _as_shape(parameters, *shapes):
    shape = parameters["shape"]
    shape = tuple(shape) if np.ndim(shape) else (shape,)
    return {**parameters, "shape": tuple(operator.index(n) for n in shape)}


def _known_shape(parameters, old):
    """A shape with -1 filled in, as a tuple."""
    shape = _as_shape(parameters)["shape"]
    if shape.count(-1) == 1:
        others = math.prod(n for n in shape if n != -1)
        filled = math.prod(old) // others if others else -1
        shape = tuple(filled if n == -1 else n for n in shape)
    return {"shape": shape}


def view(name: str, vjp: Callable, **fields: Any) -> Primitive:
    """A primitive whose result may be a view of its operand."""
    return define(name, (vjp,), linear=True, view=True, **fields)


view(
    "reshape",
    lambda g, y, x, shape: np.reshape(g, shape_of(x)),
    value=lambda x, shape: np.reshape(x, shape),
    canonicalize=_known_shape,
    examples=[
        _example((2, 3), shape=(3, 2)),
        _example((2, 3), shape=-1),
        _example((6,), shape=(2, -1)),
        _example((1,), shape=()),
        _example((), shape=(1, 1)),
    ],
)


def _transpose_vjp(g, y, x, axes):
    back = [0] * len(axes)
    for to, axis in enumerate(axes):
        back[axis] = to
    return np.transpose(g, tuple(back))


view(
    "transpose",
    _transpose_vjp,
    canonicalize=_axis(
        lambda shape: tuple(range(len(shape)))[::-1], key="axes", several=True
    ),
    examples=[_example((2, 3)), _example((2, 3, 4), axes=(1, 2, 0)), _example((4,))],
)


view(
    "expand_dims",
    lambda g, y, x, axis: np.reshape(g, shape_of(x)),
    canonicalize=_axis(more=None, several=True),
    javascript="reshape({0}, {result})",
    examples=[
        _example((2, 3), axis=1),
        _example((3,), axis=(0, 2)),
        _example((), axis=0),
    ],
    new_axes=True,
)


view(
    "squeeze",
    lambda g, y, x, axis: np.reshape(g, shape_of(x)),
    canonicalize=_axis(
        lambda shape: tuple(a for a, n in enumerate(shape) if n == 1), several=True
    ),
    javascript="reshape({0}, {result})",
    examples=[_example((1, 3, 1)), _example((1, 3, 1), axis=0)],
)
view(
    "broadcast_to",
    lambda g, y, x, shape: g,
    value=lambda x, shape: np.broadcast_to(x, shape),
    canonicalize=_as_shape,
    broadcasts=True,
    examples=[
        _example((3,), shape=(2, 3)),
        _example((2, 1), shape=(4, 2, 3)),
        _example((), shape=(2,)),
    ],
)
_ITEM = "{0}[{index}]"
view(
    "getitem",
    lambda g, y, x, index: fn.scatter(g, index, shape_of(x)),
    value=lambda x, index: x[index],
    functions=(operator.getitem,),
    notation=Notation(_ITEM, _ITEM, _ITEM, ATOM, (ATOM,)),
    javascript="getitem({0}, {index}, {result})",
    examples=[
        _example((4,), index=2),
        _example((2, 3), index=(slice(None), 1)),
        _example((2, 3), index=(Ellipsis, slice(0, 2))),
        _example((2, 3), index=(None, 1)),
        _example((4,), index=np.array([0, 2, 2])),
        _example((2, 3), index=_CHOICE),
        _example((2, 3, 2), index=(0, slice(None), np.array([1, 1, 0]))),
    ],
)
define(
    "scatter",
    (lambda g, y, x, index, shape: g[index],),
    canonicalize=_as_shape,
    javascript="scatter({0}, {index}, {result}, {indexed})",
    examples=[
        _example((3,), index=np.array([0, 2, 2]), shape=(4,)),
        _example((2,), index=(slice(None), 1), shape=(2, 3)),
    ],
    linear=True,
)


def _last_written(g, index):
    """g[index], with 0 for values that were overwritten: if an index occurs twice, the last value
    is kept. A constant index without duplicates, such as np.arange(N), rules that out; data may
    have duplicates for other arguments."""
    picked = g[index]
    parts = index if isinstance(index, tuple) else (index,)
    arrays = [p for p in parts if np.ndim(p) and np.asarray(p).dtype.kind != "b"]
    size = math.prod(np.broadcast_shapes(*map(np.shape, arrays)))
    origins = this_thread.tape and this_thread.tape.origins
    fixed = [p for p in map(np.asarray, arrays) if not (origins and origins.of(p))]
    if not arrays or any(np.unique(p[p >= 0]).size == size for p in fixed):
        return picked
    count = np.reshape(np.cumsum(np.ones_like(picked)), np.shape(picked))
    return np.where(fn.set_at(g, count, index)[index] == count, picked, 0.0)


define(
    "set_at",
    (
        lambda g, y, x, values, index: fn.set_at(g, 0.0, index),
        lambda g, y, x, values, index: _last_written(g, index),
    ),
    (
        lambda t, y, x, values, index: fn.set_at(t, 0.0, index),
        lambda t, y, x, values, index: fn.set_at(np.zeros(shape_of(y)), t, index),
    ),
    broadcasts=True,
    javascript="set_at({0}, {1}, {index}, {indexed})",
    examples=[
        _example((4,), (), index=2),
        _example((2, 3), (2,), index=(slice(None), 1)),
        _example((2, 3), (), index=_CHOICE),
        _example((4,), (3,), index=np.array([0, 2, 2])),
    ],
)


def join(
    name: str, value: Callable, place: Callable, canonicalize: Callable, **fields: Any
) -> Primitive:
    """A primitive that joins any number of operands: operand k is at the index
    ``place(k, operands, axis)`` of the result."""
    slots = "({operands}{parameters})"
    texts = f"{name}{slots}", rf"\operatorname{{{{{name}}}}}{slots}"
    source = f"np.{name}([{{operands}}]{{parameters}})"
    return define(
        name,
        lambda k, g, y, *xs, axis: g[place(k, xs, axis)],
        lambda k, t, y, *xs, axis: fn.scatter(t, place(k, xs, axis), shape_of(y)),
        value=value,
        variadic=True,
        canonicalize=canonicalize,
        notation=Notation(*texts, source, ATOM, (0,)),
        **fields,
    )


def _share(k, xs, axis):
    start = sum(shape_of(x)[axis] for x in xs[:k])
    along = slice(start, start + shape_of(xs[k])[axis])
    return (Ellipsis, along) + (slice(None),) * (-axis - 1)


join(
    "concatenate",
    lambda *xs, axis=0: np.concatenate(xs, axis=axis),
    _share,
    _axis(0),
    examples=[
        _example((2, 3), (1, 3)),
        _example((2, 3), (2, 1), axis=1),
        _example((2,), (0,), (3,)),
    ],
)
join(
    "stack",
    lambda *xs, axis=0: np.stack(xs, axis=axis),
    lambda k, xs, axis: (Ellipsis, k) + (slice(None),) * (-axis - 1),
    _axis(0, more=1),
    examples=[
        _example((), ()),
        _example((2, 3), (2, 3), axis=1),
        _example((3,), (3,), axis=-1),
    ],
    new_axes=True,
)

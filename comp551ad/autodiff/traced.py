"""The traced value: it computes like an array and writes down what it computed.

While a function is recorded, its inputs are ``Traced`` objects. Every operation on one of them
computes the result at once and appends a row to the tape:

    ("multiply", value, *operands)                   or, where an operation has parameters,
    ("sum", value, *operands, {"axis": -1, ...})

An operand that was computed on this tape is the number of its row, an ``int``; any other operand
is a constant and stands there itself (a ``float``, an array: never an ``int``). Rows are in the
order of creation, so an operand's row always comes before the row that uses it. The first entry
is the primitive's name, not the primitive: a tuple of names, numbers and arrays is one that
Python's garbage collector need not look into again, however long the tape grows.

NumPy takes part through its two protocols: ``np.sin(a)`` arrives in ``__array_ufunc__``,
``np.sum(a)`` in ``__array_function__``. What has no entry in ``primitives`` is refused by name.

Tapes nest. A derivative inside a function that is itself being differentiated opens a tape of
its own, whose values are the outer tape's traced values; an operation is written on the innermost
tape among its operands, and computing its value writes the same operation on the next one out.

Reads: ``primitives``. Read by: ``trace``, ``calls`` and what stands on them.
"""

import functools
import inspect
import math
import operator
import sys
import threading
from collections.abc import Sized

import numpy as np

from .primitives import (
    COMPOSITES,
    PRIMITIVE_OF,
    PRIMITIVES,
    shape_of,
)

FLOAT64 = np.dtype(np.float64)


class TraceError(TypeError):
    """An operation that can't be traced; the text says what to write instead."""


# ---------------------------------------------------------------- the tape


class Tape:
    """The rows of one recording, and whether the recorded function is still running."""

    __slots__ = ("rows", "append", "level", "open", "thread", "decisions", "refused")

    def __init__(self, watch):
        self.rows = []
        self.append = self.rows.append
        self.thread = threading.get_ident()
        self.decisions = [] if watch else None  # where values became plain answers
        self.refused = False  # to become a plain array

    def __enter__(self):
        self.level = getattr(_this_thread, "level", 0) + 1  # 1 for the outermost, 2 …
        _this_thread.level = self.level
        self.open = True
        return self

    def __exit__(self, kind, error, where):
        """From now on the tape refuses to grow."""
        _this_thread.level = self.level - 1
        self.open, self.append = False, _refuse_to_grow
        if isinstance(error, ValueError) and isinstance(error.__cause__, TraceError):
            raise error.__cause__ from None  # NumPy's, for z[0] = a, hid the refusal
        if (
            error is None and self.refused
        ):  # np.array_equal([a], b) would just say False
            raise TraceError(
                "the function caught our refusal to make a plain array of a traced value, or a "
                "NumPy function did, such as np.array_equal([a], b): what it went on with is not "
                "what the numbers say; join traced values with np.stack([a, b]) first"
            )

    def write(self, row) -> "Traced":
        rows, index = self.rows, len(self.rows)
        self.append(row)
        while rows[index] is not row:  # another thread wrote in between
            index += 1
        traced = Traced()
        traced.value, traced.index, traced.tape = row[1], index, self
        return traced

    def add_input(self, value) -> "Traced":
        return self.write(("input", value))


def _refuse_to_grow(row):
    raise TraceError(
        "a traced value was used after the function that made it had returned: "
        "return what you need from the function instead of storing it elsewhere"
    )


_this_thread = threading.local()


def new_tape(watch=False) -> Tape:
    """A tape to record on: ``with new_tape() as tape``, inside the tapes that are open already.

    With ``watch`` the tape notes every comparison of traced values and its line: there the
    function may have taken a branch that other inputs would not take.
    """
    return Tape(watch)


# ---------------------------------------------------------------- what may be an operand


def as_input(value, name):
    """An input of a recording: a float, or a read-only float64 copy of an array.

    ``name()`` says what an error is to call it; it is asked only then.
    """
    kind = type(value)
    if kind is Traced or kind is float:
        return value
    if kind is np.ndarray and value.dtype is FLOAT64 and value.shape:
        return _frozen_copy(value)
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or _means_something_else(value):
        raise TraceError(
            f"{name()}: got {kind_of(value)}, expected real numbers (float or int, or an "
            "array of them); convert it with np.asarray(…, dtype=float), or keep it out "
            "of the arguments to differentiate by"
        )
    return _frozen_copy(array) if array.shape else float(array)


def is_number(value) -> bool:
    """Whether a recording takes ``value`` as an input: a real number, or an array of any kind
    (complex ones and the like are then refused by name)."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind != "b"
    return type(value) is Traced or (
        isinstance(value, int | float | complex | np.number)
        and not isinstance(value, bool)
    )


def _means_something_else(value):
    """Masked arrays, matrices, arrays with units: as plain numbers they would be wrong. So would
    a deque or a range as an array: a + b joins the ones and adds the others."""
    if isinstance(value, np.ndarray):
        return type(value) not in (np.ndarray, np.memmap)
    sequence = isinstance(value, Sized) and not isinstance(value, list | tuple)
    return sequence and not hasattr(value, "__array__")


def _frozen_copy(array):
    copy = array.copy("K") if array.dtype is FLOAT64 else array.astype(np.float64)
    copy.setflags(write=False)
    return copy


def as_constant(value, tape, name):
    """A constant operand, in a form that nobody can change under the tape's feet."""
    kind = type(value)
    if kind is float:
        return value
    if kind is np.ndarray:
        if value.dtype.kind in "fiub":
            return _frozen_copy(value) if value.shape else float(value)
    elif isinstance(value, int | float | np.floating | np.integer | np.bool_):
        if not isinstance(value, np.timedelta64):
            return float(value)
    elif kind is Traced:
        outer = value.tape
        if outer.open and outer.level < tape.level and outer.thread == tape.thread:
            return value
        raise TraceError(
            f"{name}: got traced values of two recordings; a recorded function may use "
            "its own inputs and constants only (pass the value in as an argument)"
        )
    elif isinstance(value, list | tuple):
        return as_constant(_array_of(value, name), tape, name)
    elif kind is np.memmap and value.dtype.kind in "fiub":
        return _frozen_copy(np.asarray(value))
    raise TraceError(
        f"{name}: got {kind_of(value)} as an operand, expected real numbers or an array "
        "of them; convert it with np.asarray(…, dtype=float)"
    )


def _array_of(value, name):
    """A list of numbers as an array."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise TraceError(
            f"{name}: got a list that is no array, expected rows of equal length: {error}"
        ) from None


def kind_of(value):
    dtype = getattr(value, "dtype", None)
    name = type(value).__name__
    return f"{name} of {dtype}" if isinstance(value, np.ndarray) else f"{name}"


def plain(value):
    """The numbers behind a traced value, through all its tapes; anything else as it is."""
    while type(value) is Traced:
        value = value.value
    return value


# ---------------------------------------------------------------- recording one operation


def apply(primitive, operands, parameters=None):
    """Compute one primitive and write its row; the general way in."""
    tape = None
    for operand in operands:
        if type(operand) is Traced and operand.tape is not tape:
            if tape is None or operand.tape.level > tape.level:
                tape = operand.tape
    values, row = [], [primitive.name, None]
    for operand in operands:
        if type(operand) is Traced and operand.tape is tape:
            values.append(operand.value)
            row.append(operand.index)
        else:
            constant = as_constant(operand, tape, primitive.name)
            values.append(constant)
            row.append(constant)
    if primitive.prepare is not None:
        parameters = primitive.prepare(parameters or {}, values)
    if parameters:
        value = primitive.value(*values, **parameters)
        if primitive.saves:
            value, parameters["saved"] = value
        row.append(parameters)
    else:
        value = primitive.value(*values)
    if type(value) is np.ndarray and not value.shape:
        value = value[()]
    row[1] = value
    return tape.write(tuple(row))


def call_primitive(primitive, function, args, kwargs):
    """Sort the arguments of a NumPy call into operands and parameters, then apply."""
    if not kwargs and not primitive.variadic and len(args) == len(primitive.vjps):
        return apply(primitive, args)
    args, parameters = _by_name(primitive, function, args, kwargs)
    if primitive.variadic:
        if not isinstance(args[0], list | tuple):
            raise TraceError(
                f"{primitive.name}: got {kind_of(args[0])}, expected a list of the "
                "operands, such as [a, b]"
            )
        args = tuple(args[0])
    for key, value in parameters.items():
        if type(value) is Traced:
            raise TraceError(
                f"{primitive.name}: {key}= is a traced value, expected a plain number; "
                "a derivative with respect to it does not exist"
            )
    return apply(primitive, args, parameters)


@functools.cache
def _order_of_arguments(function):
    """The names of a function's parameters, as far as it tells them."""
    try:
        return tuple(inspect.signature(function).parameters)
    except ValueError:  # one that is written in C
        return ()


def _by_name(primitive, function, args, kwargs):
    """The operands of a call, and its parameters by name. What asks for nothing is left out."""
    count = 1 if primitive.variadic else len(primitive.vjps)
    names = _order_of_arguments(function)
    if len(names) <= count:
        names = (*names, *("?",) * (count - len(names)), *primitive.parameters)
    if len(args) > len(names):
        raise _unsupported(primitive, args[len(names)])
    given = dict(zip(names[count:], args[count:], strict=False)) | kwargs
    operands = args[:count]
    for name in names[len(operands) : count]:  # np.sum(a=x)
        if name not in given:
            raise TraceError(
                f"{primitive.name}: got {len(operands)} operands, expected {count}"
            )
        operands += (given.pop(name),)
    parameters = {}
    for key, value in given.items():
        if key in primitive.parameters:
            if value is not np._NoValue:
                parameters[key] = value
        elif not (
            value is None
            or value is np._NoValue
            or (key == "order" and value == "C")
            or (key == "dtype" and value in (float, np.float64))
        ):
            raise _unsupported(primitive, key)
    return operands, parameters


def _unsupported(primitive, key):
    names = ", ".join(f"{name}=" for name in primitive.parameters) or "no keywords"
    return TraceError(
        f"{primitive.name}: {key!r} can't be traced, expected {names}; leave it out or "
        "write the operation with others"
    )


def _no_such_function(name):
    known = sorted({f.__name__ for f in (*PRIMITIVE_OF, *COMPOSITES)})
    return TraceError(
        f"{name} can't be differentiated here. Known: {', '.join(known)}. Write it with "
        "these, or add a primitive (comp551ad/autodiff/primitives.py)"
    )


def _raise(a, b):
    """a ** b: a constant exponent 2 is a square."""
    if isinstance(b, int | float | np.number) and b == 2 and not np.iscomplexobj(b):
        return apply(PRIMITIVES["square"], (a,))
    return apply(PRIMITIVES["power"], (a, b))


def _take(x, index):
    """x[index], with an index that can't change later."""
    parts = index if isinstance(index, tuple) else (index,)
    frozen = []
    for part in parts:
        if type(part) is Traced:
            raise TraceError(
                "a[index]: the index is a traced value, expected plain integers; an "
                "argument used as an index must not be recorded: keep it outside the "
                "function's arguments, as a constant"
            )
        if isinstance(part, list | tuple):
            part = np.array(part, dtype=None if len(part) else int)
        elif isinstance(part, int) and not isinstance(part, bool):
            part = operator.index(part)  # an IntEnum's, say
        elif np.ndim(part):  # an array, or another kind of it
            part = np.array(part)
        frozen.append(part)
    index = tuple(frozen) if isinstance(index, tuple) else frozen[0]
    if not shape_of(x.value):  # a number: x[()], x[None] and the like
        shape = np.zeros(())[index].shape
        if 0 in shape:  # x[False]
            return np.zeros(shape)
        return np.reshape(x, shape) if shape else x
    return apply(PRIMITIVES["getitem"], (x,), {"index": index})


def _where(condition, *choices):
    if len(choices) != 2:
        raise TraceError("np.where(condition) alone can't be traced: give both choices")
    _note_decision((condition,), "where")
    condition = np.array(plain(condition), dtype=bool)
    if type(choices[0]) is not Traced and type(choices[1]) is not Traced:
        return np.where(condition, *choices)
    return apply(PRIMITIVES["where"], choices, {"condition": condition})


def _norm(x, ord=None, axis=None, keepdims=False):
    if ord is not None:
        raise TraceError(
            f"np.linalg.norm: got ord={ord!r}, traced only without ord (the Euclidean "
            "norm); write other norms with np.abs, np.max and np.sum"
        )
    if isinstance(axis, tuple) and len(axis) not in (1, 2):
        raise TraceError(
            f"np.linalg.norm: got axis={axis}, expected one axis, two, or None for all"
        )
    return apply(PRIMITIVES["norm"], (x,), {"axis": axis, "keepdims": keepdims})


def _dot(a, b):
    if _is_scalar(plain(a)) or _is_scalar(plain(b)):
        return np.multiply(a, b)
    return apply(PRIMITIVES["dot"], (a, b))


def _is_scalar(x):
    return not (x.shape if type(x) is np.ndarray else np.shape(x))


def _outer(a, b):
    return apply(PRIMITIVES["outer"], (np.ravel(a), np.ravel(b)))


def _concatenate(arrays, axis=0, **rest):
    if axis is None and isinstance(arrays, list | tuple):
        arrays, axis = [np.ravel(a) for a in arrays], 0
    rest["axis"] = axis
    return call_primitive(PRIMITIVES["concatenate"], np.concatenate, (arrays,), rest)


def _full_like(a, fill_value):
    shape = np.shape(a)
    if type(fill_value) is Traced:
        return np.broadcast_to(fill_value, shape)
    return np.full(shape, fill_value, dtype=float)


# Functions whose arguments need more sorting than ``call_primitive`` does.
_SPECIAL = {
    np.power: _raise,
    np.where: _where,
    np.linalg.norm: _norm,
    np.dot: _dot,
    np.outer: _outer,
    np.concatenate: _concatenate,
    np.full_like: _full_like,
    operator.getitem: _take,
}

# ---------------------------------------------------------------- plain answers

# These ask about values and shapes; their answers are plain, not traced.
_QUESTIONS = {
    np.shape, np.ndim, np.size,
    np.zeros_like, np.ones_like, np.empty_like,
    np.result_type, np.iscomplexobj, np.isrealobj,
}  # fmt: skip
_COMPARISONS = {
    np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal,
    np.isnan, np.isinf, np.isfinite, np.signbit, np.isclose, np.allclose,
    np.array_equal, np.argmax, np.argmin, np.argsort, np.any, np.all,
    np.count_nonzero, np.searchsorted,
}  # fmt: skip


def _answer(function, args, kwargs):
    """Call ``function`` on plain numbers; note where, if it looked at values."""
    if function in _COMPARISONS:
        _note_decision((*args, *kwargs.values()), function.__name__)
    args = [_plain_list(a) for a in args]
    return function(*args, **{key: _plain_list(a) for key, a in kwargs.items()})


def _plain_list(value):
    if type(value) in (list, tuple):
        return type(value)(map(_plain_list, value))
    return plain(value)


def _note_decision(operands, name):
    watching = set()  # every tape notes a question once
    waiting = list(operands)
    for operand in waiting:
        if type(operand) in (list, tuple):
            waiting += operand
        while type(operand) is Traced:
            if operand.tape.decisions is not None:
                watching.add(operand.tape)
            operand = operand.value
    for tape in watching:
        tape.decisions.append((name, *_line_outside()))


def _line_outside():
    """File and line of the innermost frame that is neither ours nor NumPy's."""
    frame = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(
            ("comp551ad.autodiff", "numpy", "comp551ad.functions")
        ):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return "?", 0


def _compare(question, name):
    def method(self, other):
        _note_decision((self, other), name)
        return question(plain(self), _plain_list(other))

    return method


# ---------------------------------------------------------------- the traced value


def _binary(primitive):
    """The two operator methods of a primitive: a + b, and b + a with a constant b."""
    name, value_of = primitive.name, primitive.value

    def forward(self, other):
        tape = self.tape
        if type(other) is float:
            row = (name, value_of(self.value, other), self.index, other)
        elif type(other) is Traced and other.tape is tape:
            value = value_of(self.value, other.value)
            row = (name, value, self.index, other.index)
        else:
            return apply(primitive, (self, other))
        rows = tape.rows  # from here as Tape.write: this is the busiest place
        index = len(rows)
        tape.append(row)
        while rows[index] is not row:
            index += 1
        traced = Traced()
        traced.value, traced.index, traced.tape = row[1], index, tape
        return traced

    def reflected(self, other):
        if type(other) is float:
            row = (name, value_of(other, self.value), other, self.index)
            return self.tape.write(row)
        return apply(primitive, (other, self))

    return forward, reflected


def _refuse(what, instead):
    def method(self, *args, **kwargs):
        raise TraceError(f"{what} can't be traced: {instead}")

    return method


def _in_place(symbol):
    return _refuse(
        f"a {symbol}= b", f"it would change a in place; write a = a {symbol} b"
    )


def _as_method(function):
    def method(self, *args, **kwargs):
        return function(self, *args, **kwargs)

    method.__doc__ = f"As np.{function.__name__}."
    return method


class Traced:
    """A number or array under recording: its value, the number of its row, its tape.

    ``Tape.write`` makes them. There is no ``__init__``: it would double the cost of making one.
    """

    __slots__ = ("value", "index", "tape")

    def __format__(self, spec):
        return format(plain(self), spec) if spec else repr(self)

    def __repr__(self):
        return f"<traced a{self.index + 1} = {plain(self.value)!r}>"

    # -- operators
    __add__, __radd__ = _binary(PRIMITIVES["add"])
    __sub__, __rsub__ = _binary(PRIMITIVES["subtract"])
    __mul__, __rmul__ = _binary(PRIMITIVES["multiply"])
    __truediv__, __rtruediv__ = _binary(PRIMITIVES["divide"])

    def __neg__(self):
        return apply(PRIMITIVES["negative"], (self,))

    def __pos__(self):
        return self

    def __abs__(self):
        return apply(PRIMITIVES["abs"], (self,))

    def __pow__(self, exponent, modulus=None):
        if modulus is not None:
            raise TraceError("pow(a, b, n) can't be traced: write a ** b without n")
        return _raise(self, exponent)

    def __rpow__(self, base):
        return _raise(base, self)

    def __matmul__(self, other):
        return apply(PRIMITIVES["matmul"], (self, other))

    def __rmatmul__(self, other):
        return apply(PRIMITIVES["matmul"], (other, self))

    def __getitem__(self, index):
        return _take(self, index)

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    # -- NumPy's protocols
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        name = f"np.{ufunc.__name__}"
        if method != "__call__":
            raise TraceError(
                f"{name}.{method} can't be traced: write it with functions such as "
                "np.sum, np.max or np.outer"
            )
        for key, value in kwargs.items():
            if not (value is None or (key == "dtype" and value in (float, np.float64))):
                raise TraceError(
                    f"{name}: {key}= can't be traced; leave it out, results are new "
                    "float64 arrays"
                )
        if ufunc in _COMPARISONS:
            return _answer(ufunc, inputs, {})
        if ufunc in _SPECIAL:
            return _SPECIAL[ufunc](*inputs)
        if ufunc in PRIMITIVE_OF:
            return apply(PRIMITIVE_OF[ufunc], inputs)
        if ufunc in COMPOSITES:
            return COMPOSITES[ufunc](*inputs)
        raise _no_such_function(name)

    def __array_function__(self, function, types, args, kwargs):
        if kwargs and kwargs.get("out") is not None:
            raise TraceError(
                f"np.{function.__name__}: out= can't be traced; leave it out, results "
                "are new arrays"
            )
        if function in PRIMITIVE_OF and function not in _SPECIAL:
            return call_primitive(PRIMITIVE_OF[function], function, args, kwargs)
        definition = _SPECIAL.get(function) or COMPOSITES.get(function)
        if definition is not None:
            try:
                return definition(*args, **kwargs)
            except TypeError as error:
                if isinstance(error, TraceError):
                    raise
                if error.__traceback__.tb_next is None:  # the call itself
                    error = (
                        f"expected {inspect.signature(definition)}; leave out the rest"
                    )
                raise TraceError(
                    f"np.{function.__name__}: these arguments can't be traced, {error}"
                ) from None
        if function in _QUESTIONS or function in _COMPARISONS:
            return _answer(function, args, kwargs)
        module = function.__module__.replace("numpy", "np", 1)
        raise _no_such_function(f"{module}.{function.__name__}")

    # -- methods and attributes of arrays
    shape = property(lambda self: shape_of(self.value))
    ndim = property(lambda self: len(shape_of(self.value)))
    size = property(lambda self: math.prod(shape_of(self.value)))
    dtype = property(lambda self: np.dtype(np.float64))
    T = property(lambda self: np.transpose(self))

    sum = _as_method(np.sum)
    mean = _as_method(np.mean)
    max = _as_method(np.max)
    min = _as_method(np.min)
    var = _as_method(np.var)
    std = _as_method(np.std)
    dot = _as_method(np.dot)
    ravel = _as_method(np.ravel)
    flatten = _as_method(np.ravel)
    squeeze = _as_method(np.squeeze)
    swapaxes = _as_method(np.swapaxes)
    clip = _as_method(np.clip)
    argmax = _as_method(np.argmax)
    argmin = _as_method(np.argmin)

    def reshape(self, *shape, **kwargs):
        """As np.reshape; also a.reshape(2, 3)."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **kwargs)

    def transpose(self, *axes):
        """As np.transpose; also a.transpose(1, 0)."""
        return np.transpose(self, *axes) if len(axes) < 2 else np.transpose(self, axes)

    def copy(self, order="C"):
        """The value itself: traced values never change."""
        return self

    def __len__(self):
        if not self.shape:
            raise TraceError(
                "len() of a traced number, or a loop over it: it has no length; pass an "
                "array, or use the number itself"
            )
        return self.shape[0]

    # -- questions about values
    __lt__ = _compare(operator.lt, "less")
    __le__ = _compare(operator.le, "less_equal")
    __gt__ = _compare(operator.gt, "greater")
    __ge__ = _compare(operator.ge, "greater_equal")
    __eq__ = _compare(operator.eq, "equal")
    __ne__ = _compare(operator.ne, "not_equal")

    # -- what would lose the trace
    _math = "use NumPy's function (np.sin for math.sin), which is traced"
    __float__ = _refuse(
        "float(a), a function of math, or z[0] = a",
        _math + "; build arrays with np.stack([a, b])",
    )
    __trunc__ = _refuse("math.trunc(a)", "its derivative is zero; leave it out")
    __int__ = _refuse("int(a)", "it would cut the derivative; keep a as it is")
    __complex__ = _refuse(
        "complex(a)", "only real numbers are; write its real and imaginary parts apart"
    )
    __index__ = _refuse(
        "a traced value as an integer", "keep indices outside arguments"
    )
    __bool__ = _refuse(
        "the truth of a", "compare it: `if a > 0`; the branch taken is then recorded"
    )

    def __array__(self, *args, **kwargs):
        self.tape.refused = True
        raise TraceError(
            "np.array(a) or np.asarray(a) can't be traced: a behaves as an array already; join "
            "several with np.stack([a, b])"
        )

    __setitem__ = _refuse(
        "a[i] = b", "build the array with np.where, np.stack or np.concatenate"
    )
    __contains__ = _refuse("x in a", "use np.any(a == x)")
    __round__ = _refuse("round(a)", "its derivative is zero; leave it out")
    __floordiv__ = __rfloordiv__ = __ifloordiv__ = _refuse(
        "a // b", "its derivative is zero; use a / b, or leave it out"
    )
    __and__ = __rand__ = __iand__ = _refuse("a & b", "use np.where, on comparisons")
    __or__ = __ror__ = __ior__ = _refuse("a | b", "use np.where, on comparisons")
    __xor__ = __rxor__ = __ixor__ = _refuse("a ^ b", "write a power as a ** b")
    __invert__ = _refuse("~a", "use 1 - a, or compare: ~(a > 0)")
    __lshift__ = __rlshift__ = __ilshift__ = _refuse("a << b", "write a * 2.0 ** b")
    __rshift__ = __rrshift__ = __irshift__ = _refuse("a >> b", "write a / 2.0 ** b")
    __hash__ = _refuse(
        "hash(a), as for a key of a dict or a set,", "use its name as key"
    )
    __mod__ = __rmod__ = _refuse("a % b", "write a - b * n with a constant n")
    __divmod__ = __rdivmod__ = _refuse("divmod(a, b)", "write it with a / b")
    __iadd__, __isub__ = _in_place("+"), _in_place("-")
    __imul__, __itruediv__ = _in_place("*"), _in_place("/")
    __ipow__, __imatmul__ = _in_place("**"), _in_place("@")
    __delitem__ = _refuse("del a[i]", "keep the others by indexing: a[[0, 2]]")
    __reduce__ = _refuse("copying or pickling a", "it never changes; use a itself")
    __deepcopy__ = __copy__ = __reduce__
    item = _refuse("a.item()", "keep a as it is, or index it: a[0]")
    tolist = _refuse("a.tolist()", "keep a as it is")
    astype = _refuse("a.astype()", "all traced values are float64; leave it out")
    fill = sort = put = resize = __setitem__

    def __getattr__(self, name):
        raise AttributeError(
            f"a traced value has no attribute {name!r}; use the NumPy function of that "
            "name, if it is one that can be traced"
        )

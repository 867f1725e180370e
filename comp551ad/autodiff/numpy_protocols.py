"""How NumPy reaches the tracer: its two protocols, the methods of arrays, plain answers.

``np.sin(a)`` arrives in ``__array_ufunc__``, ``np.sum(a)`` in ``__array_function__``. What has no
entry in ``primitives`` or ``composites`` is refused by name. Questions about shapes and values get
plain answers; where a question looks at values, the tape notes its line.

Reads: ``tape``, ``primitives``, ``composites``, ``refusals``. Read by: ``autodiff/__init__``: its
import gives the tracer all this.
"""

import functools
import inspect
import math
import operator

import numpy as np

from .composites import COMPOSITES
from .operands import FLOAT64
from .primitives import PRIMITIVE_OF, shape_of
from .refusals import REFUSED, TraceError, kind_of
from .tape import Tracer, apply, concrete, note_decision

# ---------------------------------------------------------------- the two protocols


def _array_ufunc(self, ufunc, method, *inputs, **kwargs):
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
    if ufunc in COMPARISONS:
        return _answer(ufunc, inputs, {})
    if ufunc in COMPOSITES:
        return COMPOSITES[ufunc](*inputs)
    if ufunc in PRIMITIVE_OF:
        return apply(PRIMITIVE_OF[ufunc], inputs)
    raise _unknown(name)


def _array_function(self, function, types, args, kwargs):
    name = f"{function.__module__.replace('numpy', 'np', 1)}.{function.__name__}"
    if kwargs and kwargs.get("out") is not None:
        raise TraceError(
            f"{name}: out= can't be traced; leave it out, results are new arrays"
        )
    if function in COMPOSITES:
        return _call_composite(function, name, args, kwargs)
    if function in PRIMITIVE_OF:
        return _call_primitive(PRIMITIVE_OF[function], function, args, kwargs)
    if function in QUESTIONS or function in COMPARISONS:
        return _answer(function, args, kwargs)
    raise _unknown(name)


def _unknown(name):
    known = sorted({f.__name__ for f in (*PRIMITIVE_OF, *COMPOSITES)})
    return TraceError(
        f"{name} can't be differentiated here. Known: {', '.join(known)}. Write it with "
        "these, or add a primitive (comp551ad/autodiff/primitives.py)"
    )


def _call_composite(function, name, args, kwargs):
    definition = COMPOSITES[function]
    try:
        return definition(*args, **kwargs)
    except TypeError as error:
        if isinstance(error, TraceError):
            raise
        if error.__traceback__.tb_next is None:  # the call itself
            error = f"expected {inspect.signature(definition)}; leave out the rest"
        raise TraceError(f"{name}: these arguments can't be traced, {error}") from None


# ---------------------------------------------------------------- operands and parameters


def _call_primitive(primitive, function, args, kwargs):
    """Sort the arguments of a NumPy call into operands and parameters, then apply."""
    if not kwargs and not primitive.variadic and len(args) == len(primitive.vjps):
        return apply(primitive, args)
    operands, parameters = _sorted_arguments(primitive, function, args, kwargs)
    if primitive.variadic:
        if not isinstance(operands[0], list | tuple):
            raise TraceError(
                f"{primitive.name}: got {kind_of(operands[0])}, expected a list of the "
                "operands, such as [a, b]"
            )
        operands = tuple(operands[0])
    for key, value in parameters.items():
        if type(value) is Tracer:
            raise TraceError(
                f"{primitive.name}: {key}= is a traced value, expected a plain number; "
                "a derivative with respect to it does not exist"
            )
    return apply(primitive, operands, parameters)


def _sorted_arguments(primitive, function, args, kwargs):
    """The operands of a call, and its parameters by name. What changes nothing is left out."""
    count = 1 if primitive.variadic else len(primitive.vjps)
    names = _parameter_names(function)
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
        if value is np._NoValue:
            continue
        if key in primitive.parameters:
            parameters[key] = value
        elif not (
            value is None
            or (key == "order" and value == "C")
            or (key == "dtype" and value in (float, np.float64))
        ):
            raise _unsupported(primitive, key)
    return operands, parameters


@functools.cache
def _parameter_names(function):
    """The names of a function's parameters; none where it is written in C and shows none."""
    try:
        return tuple(inspect.signature(function).parameters)
    except ValueError:
        return ()


def _unsupported(primitive, key):
    names = ", ".join(f"{name}=" for name in primitive.parameters) or "no keywords"
    return TraceError(
        f"{primitive.name}: {key!r} can't be traced, expected {names}; leave it out or "
        "write the operation with others"
    )


# ---------------------------------------------------------------- plain answers

# These ask about values and shapes; their answers are plain, not traced.
QUESTIONS = {
    np.shape, np.ndim, np.size,
    np.zeros_like, np.ones_like, np.empty_like,
    np.result_type, np.iscomplexobj, np.isrealobj,
}  # fmt: skip
COMPARISONS = {
    np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal,
    np.isnan, np.isinf, np.isfinite, np.signbit, np.isclose, np.allclose,
    np.array_equal, np.argmax, np.argmin, np.argsort, np.any, np.all,
    np.count_nonzero, np.searchsorted,
}  # fmt: skip


def _answer(function, args, kwargs):
    """Call ``function`` on plain numbers; note where, if it looked at values."""
    if function in COMPARISONS:
        note_decision((*args, *kwargs.values()), function.__name__)
    args = [_plain(a) for a in args]
    return function(*args, **{key: _plain(a) for key, a in kwargs.items()})


def _plain(value):
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return concrete(value)


# ---------------------------------------------------------------- what an array has besides


def _compare(question, name):
    def method(self, other):
        note_decision((self, other), name)
        return question(concrete(self), _plain(other))

    return method


def _as_method(function):
    def method(self, *args, **kwargs):
        return function(self, *args, **kwargs)

    method.__doc__ = f"As np.{function.__name__}."
    return method


def _reshape(self, *shape, **kwargs):
    """As np.reshape; also a.reshape(2, 3)."""
    return np.reshape(self, shape[0] if len(shape) == 1 else shape, **kwargs)


def _transpose(self, *axes):
    """As np.transpose; also a.transpose(1, 0)."""
    return np.transpose(self, *axes) if len(axes) < 2 else np.transpose(self, axes)


def _len(self):
    if not self.shape:
        raise TraceError(
            "len() of a traced number, or a loop over it: it has no length; pass an "
            "array, or use the number itself"
        )
    return self.shape[0]


def _no_attribute(self, name):
    raise AttributeError(
        f"a traced value has no attribute {name!r}; use the NumPy function of that "
        "name, if it is one that can be traced"
    )


def _plain_array(self, *args, **kwargs):
    self.tape.refused = True
    return _refusal("__array__")(self)


def _refusal(name):
    what, instead = REFUSED[name]

    def method(self, *args, **kwargs):
        raise TraceError(f"{what} can't be traced: {instead}")

    return method


_NAMED_LIKE_NUMPYS = (
    "sum mean max min var std dot ravel squeeze swapaxes clip argmax argmin"
)
_METHODS = {
    **{name: _refusal(name) for name in REFUSED},
    "__lt__": _compare(operator.lt, "less"),
    "__le__": _compare(operator.le, "less_equal"),
    "__gt__": _compare(operator.gt, "greater"),
    "__ge__": _compare(operator.ge, "greater_equal"),
    "__eq__": _compare(operator.eq, "equal"),
    "__ne__": _compare(operator.ne, "not_equal"),
    **{name: _as_method(getattr(np, name)) for name in _NAMED_LIKE_NUMPYS.split()},
    "__array_ufunc__": _array_ufunc,
    "__array_function__": _array_function,
    "__array__": _plain_array,
    "__getattr__": _no_attribute,
    "__getitem__": COMPOSITES[operator.getitem],
    "__len__": _len,
    "__iter__": lambda self: (self[k] for k in range(len(self))),
    "__pos__": lambda self: self,
    "__format__": lambda self, spec: (
        format(concrete(self), spec) if spec else repr(self)
    ),
    "shape": property(lambda self: shape_of(self.value)),
    "ndim": property(lambda self: len(shape_of(self.value))),
    "size": property(lambda self: math.prod(shape_of(self.value))),
    "dtype": property(lambda self: FLOAT64),
    "T": property(lambda self: np.transpose(self)),
    "reshape": _reshape,
    "transpose": _transpose,
    "flatten": _as_method(np.ravel),
    "copy": lambda self, order="C": self,
}
for _name, _method in _METHODS.items():
    setattr(Tracer, _name, _method)

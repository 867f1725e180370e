"""How NumPy dispatches to the tracer: its two protocols, array methods, and plain answers.

``np.sin(a)`` calls ``__array_ufunc__``, ``np.sum(a)`` calls ``__array_function__``. Functions not
in ``primitives`` or ``composites`` raise an error. Questions about shapes return plain answers; so
do those about values, such as ``x > 0``, unless a tape watches: then the answers are data.
"""

import difflib
import functools
import inspect
import math
import operator
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from . import composites
from .composites import COMPOSITES, copied, power
from .data import SHAPES, compute, tapes_of
from .inplace import add_at, setitem, update
from .operands import FLOAT64
from .primitives import PRIMITIVE_OF, shape_of
from .refusals import (
    AN_OBJECT,
    REFUSED,
    TraceError,
    is_called_by_numpy,
    name_in_numpy,
    note_refusal,
    refusal,
)
from .tape import Tracer, apply, concrete, joined

# ---------------------------------------------------------------- the two protocols


_WAYS_OUT = {
    "where": "compute all entries and choose, with np.where(condition, result, otherwise)",
    **dict.fromkeys(("axis", "axes"), "move the axes to the end with np.moveaxis"),
}
_NEW = "leave it out and use the result, which is a new float64 array"


def _array_ufunc(self, ufunc, method, *inputs, **kwargs):
    if method != "__call__":
        return _method_of_ufunc(ufunc, method, inputs, kwargs)
    asked = {key: x for key, x in kwargs.items() if not _changes_nothing(key, x)}
    out = asked["out"] if asked.keys() == {"out"} and ufunc not in COMPARISONS else ()
    if len(out) == 1 and type(out[0]) is Tracer and out[0].shape:
        return update(out[0], ufunc(*inputs))
    for key in asked:
        raise refusal(f"{name_in_numpy(ufunc)}: {key}=", _WAYS_OUT.get(key, _NEW))
    return _call_ufunc(ufunc, inputs)


def _call_ufunc(ufunc, inputs):
    if ufunc in COMPARISONS:
        return _answer(ufunc, inputs, {})
    if ufunc in COMPOSITES:
        return COMPOSITES[ufunc](*inputs)
    if ufunc in PRIMITIVE_OF:
        return apply(PRIMITIVE_OF[ufunc], inputs)
    # X.clip(0, a) calls a ufunc of the same name.
    function = getattr(np, ufunc.__name__, None)
    if function in COMPOSITES:
        return COMPOSITES[function](*inputs)
    if function is not ufunc and ufunc.__name__ in composites.SCIPYS:
        return composites.SCIPYS[ufunc.__name__](*inputs)
    raise _unknown(ufunc)


def _method_of_ufunc(ufunc, method, inputs, kwargs):
    definitions = {"outer": composites.outer}
    if ufunc in composites.ASSOCIATIVE:
        definitions["reduce"] = composites.reduce
        definitions["accumulate"] = composites.accumulate
    if ufunc in (np.add, np.subtract):
        definitions["at"] = add_at
    if method not in definitions:
        raise refusal(
            name_in_numpy(getattr(ufunc, method)),
            "write it with functions such as np.sum, np.max or np.where",
        )
    definition = functools.partial(definitions[method], ufunc)
    return _call_composite(definition, getattr(ufunc, method), inputs, kwargs)


def _array_function(self, function, types, args, kwargs):
    if kwargs and (out := kwargs.pop("out", None)) is not None:
        if type(out) is Tracer and out.shape:
            return update(out, function(*args, **kwargs))
        raise refusal(f"{name_in_numpy(function)}: out=", _NEW)
    if function in composites.REDUCTIONS and kwargs.keys() & {"where", "initial"}:
        return _call_composite(composites.REDUCTIONS[function], function, args, kwargs)
    if function in COMPOSITES:
        return _call_composite(COMPOSITES[function], function, args, kwargs)
    if function in PRIMITIVE_OF:
        return _call_primitive(PRIMITIVE_OF[function], function, args, kwargs)
    if function in QUESTIONS or function in COMPARISONS:
        return _answer(function, args, kwargs)
    raise _unknown(function)


def _unknown(function):
    """The error for an unsupported function, with the closest supported names."""
    name = name_in_numpy(function)
    if getattr(np, function.__name__, None) is not function and name.startswith("np."):
        if not getattr(function, "__module__", None):
            name = f"{function.__name__} (not one of NumPy's: scipy.special's?)"
    entries = {*PRIMITIVE_OF, *COMPOSITES}
    known = sorted(f.__name__ for f in entries if getattr(np, f.__name__, None) is f)
    near = difflib.get_close_matches(function.__name__, known, 3, 0.75)
    hint = f"; the closest that can are np.{', np.'.join(near)}" if near else ""
    return TraceError(
        f"{name} can't be differentiated here{hint}. Write it with other NumPy functions, "
        "compute it outside if it doesn't use traced values, or add a primitive or a composite "
        "(comp551ad/autodiff)"
    )


def _call_composite(definition, function, args, kwargs):
    for key, value in list(kwargs.items()):
        decides = key == "order" and "order" in _signature(definition).parameters
        if not decides and _changes_nothing(key, value):
            del kwargs[key]
    try:
        return definition(*args, **kwargs)
    except TypeError as error:
        if isinstance(error, TraceError):
            raise
        if error.__traceback__.tb_next is None:  # the call itself
            error = f"expected {_signature(definition)}; leave out the rest"
        raise TraceError(
            f"{name_in_numpy(function)}: these arguments can't be traced, {error}"
        ) from None


@functools.cache
def _signature(function):
    """The signature without annotations."""
    signature = inspect.signature(function)
    named = signature.parameters.values()
    plain = [p.replace(annotation=p.empty) for p in named]
    return signature.replace(parameters=plain, return_annotation=signature.empty)


# ---------------------------------------------------------------- operands and parameters


def _call_primitive(primitive, function, args, kwargs):
    """Split the arguments of a NumPy call into operands and parameters, then apply."""
    count, parameters = len(primitive.vjps), {}
    if len(args) < count:
        given = _signature(function).bind(*args, **kwargs).arguments
        args = tuple(given.values())[:count]
        kwargs = dict(list(given.items())[count:])
    elif len(args) > count:
        names = list(_signature(function).parameters)[count:]
        kwargs = dict(zip(names, args[count:], strict=False)) | kwargs
        args = args[:count]
    for key, value in kwargs.items():
        if key in primitive.parameters and value is not np._NoValue:
            parameters[key] = value
        elif not _changes_nothing(key, value):
            known = [k for k in primitive.parameters if k not in primitive.unwritten]
            names = ", ".join(f"{name}=" for name in known)
            raise TraceError(
                f"{primitive.name}: {key!r} can't be traced, expected "
                f"{names or 'no keywords'}; leave it out or use other functions"
            )
    return apply(primitive, args, parameters)


def _changes_nothing(key, value):
    """Whether an option has no effect on a traced float64 array."""
    return (
        value is np._NoValue
        or (value is None and key != "axis")
        or (key == "order" and value in ("C", "K", "A"))
        or (key == "dtype" and value in (float, np.float64))
        or (key == "UPLO" and value == "L")
        or key in ("casting", "subok")
    )


# ---------------------------------------------------------------- questions

# These depend on shapes only, or only copy a shape; their results are plain, not traced.
QUESTIONS = SHAPES | {
    np.diag_indices_from, np.tril_indices_from, np.triu_indices_from, np.isreal, np.iscomplex,
}  # fmt: skip
# These depend on values. Their results have no derivative.
COMPARISONS = {
    np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal,
    np.isnan, np.isinf, np.isfinite, np.signbit, np.isclose, np.allclose,
    np.array_equal, np.argmax, np.argmin, np.argsort, np.argpartition, np.any, np.all,
    np.count_nonzero, np.searchsorted, np.logical_and, np.logical_or, np.logical_not,
    np.logical_xor, np.nonzero, np.flatnonzero, np.argwhere, np.isposinf, np.isneginf,
    np.lexsort, np.digitize, np.nanargmax, np.nanargmin, "astype",
}  # fmt: skip


def _answer(function, args, kwargs):
    """The answer to a question: data while a tape watches, else a plain value."""
    if function in COMPARISONS:
        args = tuple(map(joined, args))
        tapes = tapes_of((*args, *kwargs.values()))
        if any(tape.watch for tape in tapes):
            return compute(function, args, kwargs)
        # Only the innermost: an enclosing function sees the derivative, which may be constant.
        for tape in sorted(tapes, key=lambda tape: tape.level)[-1:]:
            tape.asked = True
    if isinstance(function, str):
        return getattr(np.asarray(concrete(args[0])), function)(*args[1:], **kwargs)
    return function(*map(concrete, args), **{k: concrete(a) for k, a in kwargs.items()})


# ---------------------------------------------------------------- other array methods


def _compare(ufunc):
    def method(self, other):
        if isinstance(other, str):  # never equal to a number
            return NotImplemented
        are_traced = self.shape and type(other) is Tracer
        if ufunc is np.equal and are_traced and is_called_by_numpy():
            # Equal only by chance: np.gradient would use just the first of equal steps.
            return np.zeros(np.broadcast_shapes(self.shape, other.shape), bool)
        return _answer(ufunc, (self, other), {})

    return method


# NumPy implements a += b as np.add(a, b, out=(a,)), which numbers don't support.
_CHANGE_IN_PLACE = "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"


def _in_place(name):
    computed = getattr(Tracer, f"__{name}__")
    return lambda self, other: update(self, computed(self, other))


def _as_method(function):
    def method(self, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__doc__ = f"As np.{function.__name__}."
    return method


def _reshape(self, *shape: Any, **kwargs: Any) -> Any:
    """Same as np.reshape; also a.reshape(2, 3)."""
    return np.reshape(self, shape[0] if len(shape) == 1 else shape, **kwargs)


def _transpose(self, *axes: Any) -> Any:
    """Same as np.transpose; also a.transpose(1, 0)."""
    order = axes[0] if len(axes) == 1 else axes or None
    if isinstance(order, list | tuple) and [*order] == [*range(self.ndim)]:
        return self  # e.g. for np.moveaxis(a, 0, 0)
    return np.transpose(self, order)


def _flat(self) -> Any:
    """np.ravel where that is a view, so that stores into it change the array."""
    flat = np.ravel(self)
    if self.ndim > 1 and not np.may_share_memory(concrete(flat), concrete(self)):
        raise refusal(
            "a.flat of a non-contiguous array", "write np.ravel(a) to read it"
        )
    return flat


def _sort_in_place(self, axis: int = -1, kind: Any = None) -> None:
    """np.sort in place."""
    setitem(self, Ellipsis, np.sort(self, axis, kind))


def _astype(self, dtype: Any, copy: bool = True, **kwargs: Any) -> Tracer:
    """A copy for float dtypes, since all traced values are float64; integers and truth values
    have no derivative."""
    kind = np.dtype(dtype)
    if kind.kind not in "fiub":
        raise refusal(f"a.astype({kind})", "a traced value is real; leave it out")
    if kind.kind != "f":
        return _answer("astype", (self, dtype), kwargs)
    return copied(self) if copy or kind != FLOAT64 else self


def _len(self):
    if not self.shape:
        raise TraceError(
            "len() of a traced number, or a loop over it: a number has no length; pass an "
            "array, or use the number itself"
        )
    return self.shape[0]


def _no_attribute(name):
    """A property for array attributes that tracers lack, and for functions of one number, which
    np.exp looks up on each entry of np.array([a, b]). ``__getattr__`` slows down the others."""
    ufunc = getattr(np, name, None)

    def attribute(self) -> Any:
        if isinstance(ufunc, np.ufunc) and not self.shape:
            return functools.partial(ufunc, self)
        raise AttributeError(
            f"a traced value has no attribute {name!r}; use the NumPy function of that "
            "name, if it can be traced"
        )

    return property(attribute)


# After the recording, a tracer that was kept behaves like its value.
_AFTERWARDS: dict[str, Callable] = {
    "__float__": float,
    "__int__": int,
    "__complex__": complex,
    "__bool__": bool,
    "__array__": np.array,
}


def _refusing(name):
    what, instead = REFUSED[name]

    def method(self, *args: Any, **kwargs: Any) -> Any:
        if not self.tape.open and name in _AFTERWARDS:
            return _AFTERWARDS[name](self.value)
        raise refusal(what, instead)

    return method


def _dtype(self: Tracer) -> np.dtype:
    # In np.mean of an object array, a sum without a dtype is treated as a number and left as it is.
    if sys._getframe(1).f_globals.get("__name__") == "numpy._core._methods":
        raise AttributeError
    return FLOAT64


_no_plain_array = _refusing("__array__")


def _as_object(self, dtype=None, copy=None):
    """A number in np.array([a, b]) or np.full(n, a): NumPy makes an object array, whose entries are
    still traced and are joined when it is combined with a traced array. An array in a list raises:
    X.dot(W) with a plain X would be thousands of products of numbers."""
    if self.shape or not self.tape.open or dtype not in (None, object):
        return _no_plain_array(self)
    # f may depend on its dtype, so the result is later compared with that for plain numbers.
    note_refusal(f"np.array([a, b]) can't be traced here: {AN_OBJECT}")
    cell = np.empty(1, object)
    cell[0] = self
    return cell.reshape(())


_NAMED_LIKE_NUMPYS = (
    "sum mean max min var std dot ravel squeeze swapaxes clip argmax argmin argsort any all "
    "prod cumsum cumprod repeat take trace diagonal round put"
)
_METHODS = {
    **{name: _refusing(name) for name in REFUSED},
    "__array__": _as_object,
    **{name: _as_method(getattr(np, name)) for name in _NAMED_LIKE_NUMPYS.split()},
    "__array_ufunc__": _array_ufunc,
    "__array_function__": _array_function,
    "__eq__": _compare(np.equal),
    "__ne__": _compare(np.not_equal),
    "__pow__": power,
    "__rpow__": lambda self, base: power(base, self),
    "__round__": lambda self, digits=0: np.round(self, digits),
    "__floor__": _as_method(np.floor),
    "__ceil__": _as_method(np.ceil),
    "__trunc__": _as_method(np.trunc),
    "__getitem__": COMPOSITES[operator.getitem],
    "__setitem__": setitem,
    **{f"__i{name}__": _in_place(name) for name in _CHANGE_IN_PLACE},
    "__len__": _len,
    "__iter__": lambda self: (self[k] for k in range(len(self))),
    **dict.fromkeys(("conj", "conjugate"), lambda self: self),
    "__copy__": copied,
    "__deepcopy__": lambda self, memo: copied(self),
    "__format__": lambda self, spec: (
        format(concrete(self), spec) if spec else repr(self)
    ),
    "shape": property(lambda self: shape_of(self.value), _refusing("shape")),
    "ndim": property(lambda self: len(shape_of(self.value))),
    "size": property(lambda self: math.prod(shape_of(self.value))),
    "dtype": property(_dtype),
    "mT": property(lambda self: np.matrix_transpose(self)),
    "T": property(lambda self: np.transpose(self)),
    "flat": property(_flat),
    "real": property(lambda self: self),
    "reshape": _reshape,
    "transpose": _transpose,
    "flatten": lambda self, order="C": np.copy(np.ravel(self, order)),
    "copy": lambda self, order="C": copied(self, order),
    "astype": _astype,
    "sort": _sort_in_place,
    "fill": lambda self, value: setitem(self, Ellipsis, value),
}
for _name, _method in _METHODS.items():
    setattr(Tracer, _name, _method)
_UFUNCS = [name for name, f in vars(np).items() if isinstance(f, np.ufunc)]
for _name in (*dir(np.ndarray), *_UFUNCS):
    if not _name.startswith("_") and not hasattr(Tracer, _name):
        setattr(Tracer, _name, _no_attribute(_name))

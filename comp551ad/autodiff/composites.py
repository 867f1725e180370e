"""NumPy's other functions, written with primitives: they have no rules or rows of their own.

Calling such a function on a tracer runs its definition here instead, with the same arguments. Some
prepare the arguments of a primitive (``np.where``, ``np.dot``, ``a[index]``), some are NumPy's own
code (``as_numpy_has_it``), some only rearrange entries (``by_places``), and the others are one to
three lines of primitives. To add one, write a definition with NumPy's signature, and add an example
to its test.
"""

import functools
import inspect
import itertools
import math
import operator
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from comp551ad import functions as fn
from comp551ad import pytrees

from .data import compute, snapshot
from .primitives import PRIMITIVES, shape_of
from .refusals import REFUSED, TraceError, is_called_by_numpy, refusal, this_thread
from .tape import Tracer, apply, concrete, joined

COMPOSITES: dict[Callable, Callable] = {}


def composite(*functions: Callable) -> Callable:
    """Register a definition for these functions."""

    def enter(definition):
        COMPOSITES.update(dict.fromkeys(functions, definition))
        return definition

    return enter


# ---------------------------------------------------------------- arguments for a primitive


def frozen_index(index: Any) -> Any:
    """An index of integers, slices and arrays, plain or data; a traced index raises."""
    parts = index if isinstance(index, tuple) else (index,)
    frozen = []
    for part in parts:
        leaves = part if isinstance(part, list | tuple) else [part]
        if any(type(leaf) is Tracer for leaf in leaves):
            raise TraceError(
                "a[index]: the index is a traced value, expected whole numbers; pass labels "
                "and indices as an array of integers, such as np.array([0, 2, 1]), which is "
                "data and not differentiated"
            )
        if any(getattr(leaf, "origin", None) is not None for leaf in leaves[:1]):
            part = np.stack(part) if leaves is part else part  # e.g. list(y)
        elif isinstance(part, list | tuple):
            part = np.array(part, dtype=None if len(part) else int)
        elif isinstance(part, int) and not isinstance(part, bool):
            part = operator.index(part)  # e.g. an IntEnum
        elif np.ndim(part) and not isinstance(part, np.ndarray):
            part = np.array(part)  # another array type
        frozen.append(part)
    return tuple(frozen) if isinstance(index, tuple) else frozen[0]


@composite(operator.getitem)
def _getitem(x, index):
    index = frozen_index(index)
    if not shape_of(x.value):  # a number: x[()], x[None] and the like
        shape = np.zeros(())[concrete(index)].shape
        x = x if math.prod(shape) else np.reshape(x, 1)[:0]  # x[False]
        return np.reshape(x, shape) if shape else x
    return apply(PRIMITIVES["getitem"], (x,), {"index": index})


@composite(np.power)
def power(a: Any, b: Any) -> Any:
    """a ** b; a square for a constant exponent 2."""
    constant = type(b) is not Tracer and isinstance(b, int | float | np.number)
    if constant and b == 2 and not np.iscomplexobj(b):
        return apply(PRIMITIVES["square"], (a,))
    return apply(PRIMITIVES["power"], (a, b))


@composite(np.where)
def _where(condition, *choices):
    if not choices:
        return np.nonzero(condition)
    if len(choices) == 1:
        raise TraceError("np.where: got one choice, expected two or none")
    a, b = choices
    if type(condition) is Tracer or np.asanyarray(condition).dtype.kind != "b":
        condition = np.not_equal(condition, 0)
    condition = np.asanyarray(condition)
    if type(a) is not Tracer and type(b) is not Tracer:
        return np.where(condition, a, b)
    return apply(PRIMITIVES["where"], choices, {"condition": condition})


def _extremum(name, a, b):
    """At a tie two traced operands split the derivative; a plain operand wins."""
    a, b = joined(a), joined(b)
    if a is b:  # smooth, unlike other ties
        return snapshot(a)
    if type(a) is type(b) is Tracer:
        return apply(PRIMITIVES[name], (a, b))
    x, bound = (a, b) if type(a) is Tracer else (b, a)
    at_zero = not np.any(concrete(bound))
    return apply(PRIMITIVES[name], (a, b), _tie_at_zero(x) if at_zero else {"tie": 0.0})


@composite(np.abs)
def _abs(x):
    _tie_at_zero(x)["tie"] = 0.5
    return apply(PRIMITIVES["abs"], (x,))


def _tie_at_zero(x):
    """The parameters shared by every max(x, 0). With |x| on the same tape it splits at 0 too: in
    log(1 + e^x), often written max(x, 0) + log1p(e^-|x|), the two kinks must cancel."""
    return x.tape.kinks.setdefault(x.index, {"tie": 0.0})


@composite(np.sqrt)
def _sqrt(x):
    """For an object array of traced numbers NumPy computes norms and spreads itself, as roots of
    sums of squares. At 0 such a root has slope 0, like our own norm and std."""
    of_squares = {"of_squares": True} if is_called_by_numpy() else None
    return apply(PRIMITIVES["sqrt"], (x,), of_squares)


@composite(np.dot)
def _dot(a, b):
    dimensions = [x.ndim if hasattr(x, "ndim") else np.ndim(x) for x in (a, b)]
    if 0 in dimensions:
        return np.multiply(a, b)
    if max(dimensions) > 2:
        return np.tensordot(a, b, (-1, -min(dimensions[1], 2)))
    return apply(PRIMITIVES["dot"], (a, b))


@composite(np.concatenate)
def _concatenate(arrays, axis=0):
    if type(arrays) is Tracer and arrays.ndim < 2:
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    arrays = tuple(arrays)
    if axis is None:
        arrays, axis = tuple(np.ravel(a) for a in arrays), 0
    return apply(PRIMITIVES["concatenate"], arrays, {"axis": axis})


@composite(np.reshape)
def _reshape(a, shape, order="C"):
    if order == "F":
        places = np.arange(np.size(a)).reshape(shape, order="F")
        return np.transpose(np.reshape(np.transpose(a), places.shape[::-1]))
    if order != "C":
        raise TypeError(f"got order={order!r}, expected 'C' or 'F'")
    return apply(PRIMITIVES["reshape"], (a,), {"shape": shape})


@composite(np.ravel)
def _ravel(a, order="C"):
    if order not in ("C", "F"):
        raise TypeError(f"got order={order!r}, expected 'C' or 'F'")
    return np.reshape(a if order == "C" else np.transpose(a), (-1,))


@composite(np.cumsum)
def _cumsum(a, axis=None):
    a, axis = (np.ravel(a), 0) if axis is None else (a, axis)
    return apply(PRIMITIVES["cumsum"], (a,), {"axis": axis})


@composite(np.linalg.solve)
def _solve(a, b):
    if np.ndim(b) == 1:
        return np.squeeze(np.linalg.solve(a, np.expand_dims(b, -1)), -1)
    return apply(PRIMITIVES["solve"], (a, b))


@composite(np.linalg.slogdet)
def _slogdet(a):
    both = apply(PRIMITIVES["slogdet"], (a,))
    return type(np.linalg.slogdet(np.eye(1)))(both[0], both[1])


@composite(np.full_like)
def _full_like(a, fill_value, shape=None):
    shape = np.shape(a) if shape is None else shape
    if type(fill_value) is Tracer:
        return np.broadcast_to(fill_value, shape)
    return np.full(shape, fill_value, dtype=float)


# ---------------------------------------------------------------- NumPy's own code


def copied(a: Any, order: Any = "K") -> Tracer:
    """Another tracer for the same row, with its own memory in the layout of NumPy's copy, so that
    its reshape is a view exactly where NumPy's is."""
    copy = snapshot(a)
    if a.ndim > 1:
        is_traced = type(a.value) is Tracer
        copy.value = (copied if is_traced else np.array)(a.value, order=order)
    this_thread.copied = this_thread.copied or not a.ndim
    return copy


def _lets_tracers_pass(as_array):
    def passing(a, *args, ndmin=0, **kwargs):
        if type(a) is not Tracer:
            return as_array(a, *args, **kwargs, **({"ndmin": ndmin} if ndmin else {}))
        # np.array copies: in-place changes to the copy don't affect the argument.
        a = copied(a) if kwargs.get("copy", as_array is np.array) else a
        return np.reshape(a, (1,) * (ndmin - a.ndim) + a.shape) if a.ndim < ndmin else a

    return passing


_PASSING = {
    name: _lets_tracers_pass(getattr(np, name))
    for name in ("array", "asarray", "asanyarray")
}
# np.average raises if some weight is 0, and nothing else depends on it.
_PASSING["any"] = lambda a, *args, **how: np.any(concrete(a), *args, **how)
# NumPy fills this array with its result, part by part.
_PASSING["empty_like"] = lambda a, **how: fn.set_at(a, 0.0, ...)
# NumPy's internal alias, which doesn't dispatch to tracers.
_PASSING["_concatenate"] = np.concatenate


def as_numpy_has_it(*functions: Callable) -> None:
    """Register functions that NumPy implements in Python with its other functions. Their code runs
    on tracers unchanged, in a namespace where np.asarray and similar functions accept tracers."""
    COMPOSITES.update({function: _text_of(function) for function in functions})


def _text_of(function, inside=()):
    own = inspect.unwrap(function)
    inside = (*inside, own)
    passing = dict(_PASSING)
    for name, g in own.__globals__.items():
        if isinstance(g, types.ModuleType) and hasattr(g, "asarray"):
            passing[name] = types.SimpleNamespace(**vars(g) | _PASSING)
        # Not a public function, such as the helper for np.average's weights.
        is_used = name in own.__code__.co_names and name not in _PASSING
        if is_used and type(g) is types.FunctionType and g not in inside:
            passing[name] = g if hasattr(g, "__wrapped__") else _text_of(g, inside)
    space = own.__globals__ | passing
    text = types.FunctionType(own.__code__, space, own.__name__, own.__defaults__)
    text.__kwdefaults__ = own.__kwdefaults__
    space[own.__name__] = text  # for recursive calls
    return text


as_numpy_has_it(
    np.atleast_1d, np.atleast_2d, np.atleast_3d,
    np.hstack, np.vstack, np.dstack, np.column_stack, np.append,
    np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit,
    np.moveaxis, np.rollaxis, np.matrix_transpose, np.linalg.matrix_transpose,
    np.flip, np.flipud, np.fliplr, np.rot90, np.tile,
    np.tril, np.triu, np.linalg.diagonal, np.linalg.trace,
    np.take_along_axis, np.put_along_axis, np.resize,
    np.diff, np.gradient, np.average, np.cov, np.ptp, np.trapezoid, np.polyval, np.polyfit,
    np.real, np.real_if_close, np.angle, np.copy, np.around, np.extract, np.block,
    np.nan_to_num, np.nansum, np.nanprod, np.nancumsum, np.nancumprod,
    np.tensordot, np.linalg.tensordot, np.linalg.outer, np.linalg.cross,
    np.linalg.matmul, np.linalg.multi_dot, np.linalg.matrix_power,
    np.linalg.vector_norm, np.linalg.matrix_norm, np.linalg.svdvals,
)  # fmt: skip
if hasattr(np, "unstack"):  # since NumPy 2.1; Pyodide's may be older
    as_numpy_has_it(np.unstack, np.cumulative_sum, np.cumulative_prod)


# ---------------------------------------------------------------- a line each

_LOG2 = math.log(2.0)
_SHORT: dict[Callable, Callable] = {
    np.maximum: lambda a, b: _extremum("maximum", a, b),
    np.minimum: lambda a, b: _extremum("minimum", a, b),
    np.outer: lambda a, b: apply(PRIMITIVES["outer"], (np.ravel(a), np.ravel(b))),
    np.stack: lambda arrays, axis=0: apply(
        PRIMITIVES["stack"], tuple(arrays), {"axis": axis}
    ),
    # The same row in a new tracer, which can change independently.
    **dict.fromkeys((np.positive, np.conjugate), snapshot),
    np.reciprocal: lambda x: 1.0 / x,
    np.float_power: power,
    np.fabs: lambda x: np.abs(x),
    np.fix: lambda x: np.trunc(x),
    np.modf: lambda x: (x - np.trunc(x), np.trunc(x)),
    np.copysign: lambda a, b: np.abs(a) * np.where(np.signbit(b), -1.0, 1.0),
    np.logaddexp2: lambda a, b: np.logaddexp(a * _LOG2, b * _LOG2) / _LOG2,
    np.correlate: lambda a, v, mode="valid": np.convolve(a, v[::-1], mode),
    np.fmod: lambda a, b: np.sign(a) * np.remainder(np.abs(a), np.abs(b)),
    np.divmod: lambda a, b: (np.floor_divide(a, b), np.remainder(a, b)),
    **dict.fromkeys((np.degrees, np.rad2deg), lambda x: x * (180.0 / math.pi)),
    **dict.fromkeys((np.radians, np.deg2rad), lambda x: x * (math.pi / 180.0)),
    np.fmax: lambda a, b: np.maximum(*_without_nan(a, b)),
    np.fmin: lambda a, b: np.minimum(*_without_nan(a, b)),
    np.linspace: lambda start, stop, num=50, endpoint=True: (
        start + np.multiply.outer(np.linspace(0.0, 1.0, num, endpoint), stop - start)
    ),
    np.vander: lambda x, N=None, increasing=False: (
        np.expand_dims(x, -1)
        ** np.arange(np.size(x) if N is None else N)[:: 1 if increasing else -1]
    ),
    np.diagflat: lambda v, k=0: np.diag(np.ravel(v), k),
    np.nanmean: lambda a, axis=None, keepdims=False: np.mean(
        a, axis, keepdims=keepdims, where=~np.isnan(a)
    ),
    np.percentile: lambda a, q, axis=None, keepdims=False: np.quantile(
        a, np.divide(q, 100), axis, keepdims=keepdims
    ),
    np.ediff1d: lambda ary: np.diff(np.ravel(ary)),
    np.vdot: lambda a, b: np.dot(np.ravel(a), np.ravel(b)),
    np.inner: lambda a, b: (
        np.tensordot(a, b, (-1, -1)) if np.ndim(a) and np.ndim(b) else a * b
    ),
    np.trace: lambda a, offset=0, axis1=0, axis2=1: np.sum(
        np.diagonal(a, offset, axis1, axis2), axis=-1
    ),
    fn.logsumexp_and_softmax: lambda U, axis=-1: (
        fn.logsumexp(U, axis=axis),
        fn.softmax(U, axis=axis),
    ),
    **dict.fromkeys(
        (np.vecdot, np.linalg.vecdot),
        lambda x1, x2, axis=-1: np.sum(x1 * x2, axis=axis),
    ),
}
COMPOSITES.update(_SHORT)
if hasattr(np, "matvec"):  # since NumPy 2.2
    COMPOSITES |= {
        np.matvec: lambda x1, x2: np.squeeze(np.matmul(x1, x2[..., None]), -1),
        vars(np)["vecmat"]: lambda x1, x2: np.squeeze(
            np.matmul(x1[..., None, :], x2), -2
        ),
    }


def _without_nan(a, b):
    return np.where(np.isnan(a), b, a), np.where(np.isnan(b), a, b)


# ---------------------------------------------------------------- rearranged


@composite(np.swapaxes)
def _swapaxes(a, axis1, axis2):
    axes = np.arange(np.ndim(a))
    axes[[axis1, axis2]] = axes[[axis2, axis1]]
    return np.transpose(a, axes.tolist())


@composite(np.take)
def _take(a, indices, axis=None):
    if axis is None:
        return np.ravel(a)[indices]
    axis = normalize_axis_index(axis, np.ndim(a))
    return a[(slice(None),) * axis + (indices,)]


def by_places(*functions: Callable) -> None:
    """Register functions that only rearrange entries: applied to the numbers of the entries, they
    show which entry goes where."""
    for function in functions:
        COMPOSITES[function] = functools.partial(_moved, function)


def _moved(function, a, *args, **kwargs):
    _refuse_traced(args, kwargs)
    return np.ravel(a)[function(_numbered(a), *args, **kwargs)]


def _refuse_traced(*settings):
    if any(type(x) is Tracer for x in pytrees.leaves(settings)):
        raise refusal(*REFUSED["__index__"])


def _numbered(a, start=0):
    """The numbers start, start + 1, … in the shape of a, as data that a program can compute."""
    numbers = compute(np.arange, (start, start + np.size(a)), {})
    return np.reshape(numbers, np.shape(a)) if np.ndim(a) else numbers[0]


@composite(np.interp)
def _interp(x, xp, fp):
    """Linear interpolation between neighbours in xp; constant beyond the ends."""
    xp, fp = (v if type(v) is Tracer else np.asanyarray(v) for v in (xp, fp))
    last = np.size(xp) - 1
    if last < 1:
        raise TraceError("np.interp: got one point, expected two or more")
    k = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, last - 1)
    # np.take doesn't dispatch to an index that is data.
    (left, right), (low, high) = (
        [
            np.reshape(np.take_along_axis(v, np.ravel(i), 0), np.shape(k))
            for i in (k, k + 1)
        ]
        for v in (xp, fp)
    )
    share = (np.clip(x, xp[0], xp[-1]) - left) / (right - left)
    return low + (high - low) * share


by_places(np.roll, np.repeat, np.delete, np.lib.stride_tricks.sliding_window_view)


@composite(np.insert)
def _insert(arr, obj, values, axis=None):
    _refuse_traced(obj)
    places = np.insert(_numbered(arr), obj, _numbered(values, np.size(arr)), axis)
    return np.append(arr, values)[places]


@composite(np.diagonal)
def _diagonal(a, offset=0, axis1=0, axis2=1):
    if np.ndim(a) != 2 or (axis1, axis2) != (0, 1):
        a = np.moveaxis(a, (axis1, axis2), (-2, -1))
    *others, rows, columns = np.shape(a)
    along = _along_diagonal(rows, columns, offset)
    return np.reshape(a, (*others, rows * columns))[..., along]


def _along_diagonal(rows, columns, offset):
    """The slice of a diagonal in a flattened matrix."""
    start = offset if offset >= 0 else -offset * columns
    length = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    return slice(start, start + length * (columns + 1), columns + 1)


@composite(np.diag)
def _diag(v, k=0):
    if np.ndim(v) == 2:
        return np.diagonal(v, k)
    n = np.shape(v)[0] + abs(k)
    return np.reshape(fn.scatter(v, _along_diagonal(n, n, k), (n * n,)), (n, n))


@composite(np.pad)
def _pad(array, pad_width, mode="constant", constant_values=0):
    if mode in ("edge", "reflect", "symmetric", "wrap"):
        return _moved(np.pad, array, pad_width, mode)
    if mode != "constant":
        raise TypeError(
            f"got mode={mode!r}, expected a constant or entries of the array"
        )
    shape = np.shape(array)
    widths = np.broadcast_to(pad_width, (len(shape), 2)).tolist()
    frame = np.pad(np.zeros(shape), widths, constant_values=constant_values)
    inside = tuple(slice(b, b + n) for (b, _), n in zip(widths, shape, strict=True))
    padded = fn.scatter(array, inside, frame.shape)
    return padded + frame if np.any(frame) else padded


@composite(np.broadcast_arrays)
def _broadcast_arrays(*args):
    shape = np.broadcast_shapes(*map(np.shape, args))
    return tuple(np.broadcast_to(a, shape) for a in args)


@composite(np.meshgrid)
def _meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    grids = [
        np.reshape(x, (1,) * k + (-1,) + (1,) * (len(xi) - 1 - k))
        for k, x in enumerate(xi)
    ]
    if indexing == "xy" and len(xi) > 1:
        grids = [np.swapaxes(grid, 0, 1) for grid in grids]
    grids = grids if sparse else np.broadcast_arrays(*grids)
    return tuple(map(np.copy, grids) if copy else grids)


@composite(np.apply_along_axis)
def _apply_along_axis(func1d, axis, arr, *args, **kwargs):
    rows = np.moveaxis(arr, axis, -1)
    found = [
        func1d(rows[place], *args, **kwargs) for place in np.ndindex(rows.shape[:-1])
    ]
    whole = np.reshape(np.stack(found), rows.shape[:-1] + np.shape(found[0]))
    return np.moveaxis(whole, -1, axis) if np.ndim(found[0]) else whole


# ---------------------------------------------------------------- ordered and chosen


@composite(np.sort)
def _sort(a, axis=-1, kind=None):
    a, axis = (np.ravel(a), 0) if axis is None else (a, axis)
    how = {} if kind is None else {"kind": kind}
    return np.take_along_axis(a, np.argsort(a, axis=axis, **how), axis)


@composite(np.partition)
def _partition(a, kth, axis=-1):
    a, axis = (np.ravel(a), 0) if axis is None else (a, axis)
    return np.take_along_axis(a, np.argpartition(a, kth, axis=axis), axis)


@composite(np.median)
def _median(a, axis=None, keepdims=False):
    axes = _several_axes(axis, a)
    rows = _ordered(a, axes)
    n = np.shape(rows)[-1]
    median = np.mean(rows[..., (n - 1) // 2 : n // 2 + 1], axis=-1)
    return np.expand_dims(median, axes) if keepdims else median


@composite(np.quantile)
def _quantile(a, q, axis=None, keepdims=False):
    np.quantile([0.0], concrete(joined(q)))  # raises for values outside 0 to 1
    axes = _several_axes(axis, a)
    rows = _ordered(a, axes)
    place = np.multiply(q, np.shape(rows)[-1] - 1)
    below, above = (end(place).astype(int) for end in (np.floor, np.ceil))
    found = rows[..., below] + (place - below) * (rows[..., above] - rows[..., below])
    n = np.ndim(q)
    found = np.moveaxis(found, range(-n, 0), range(n)) if n else found
    return np.expand_dims(found, [n + k for k in axes]) if keepdims else found


def _ordered(a, axes):
    """The array with these axes merged into a last one and sorted along it."""
    kept = [n for k, n in enumerate(np.shape(a)) if k not in axes]
    rows = np.moveaxis(a, axes, range(-len(axes), 0))
    return np.sort(_in_shape(rows, (*kept, math.prod(np.shape(a)[k] for k in axes))))


def _several_axes(axis, a):
    if axis is None or (np.ndim(a) == 0 and axis in (0, -1)):
        return tuple(range(np.ndim(a)))
    return normalize_axis_tuple(axis, np.ndim(a))


@composite(np.choose)
def _choose(a, choices):
    choices = np.stack(np.broadcast_arrays(*choices))
    which = np.broadcast_to(a, np.shape(choices)[1:])
    return np.take_along_axis(choices, which[None], 0)[0]


@composite(np.bincount)
def _bincount(x, weights=None, minlength=0):
    return fn.scatter(weights, x, (len(np.bincount(x, minlength=minlength)),))


@composite(np.select)
def _select(condlist, choicelist, default=0):
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        default = np.where(condition, choice, default)
    return default


@composite(np.piecewise)
def _piecewise(x, condlist, funclist, *args, **kw):
    is_list = isinstance(condlist, list | tuple) or np.ndim(condlist) > np.ndim(x)
    if not is_list or np.ndim(condlist[0]) < np.ndim(x):
        condlist = [condlist]
    conditions = [np.atleast_1d(condition) for condition in condlist]
    if len(funclist) > len(conditions):
        conditions.append(~functools.reduce(np.logical_or, conditions))
    a = np.atleast_1d(x)
    y = np.zeros_like(a)
    for condition, f in zip(conditions, funclist, strict=True):
        y[condition] = f(a[condition], *args, **kw) if callable(f) else f
    return y.reshape(np.shape(x))


@composite(np.clip)
def _clip(a, a_min=None, a_max=None, *, min=None, max=None):
    for one, other in ((a_min, min), (a_max, max)):
        if one is not None and other is not None:
            raise TypeError("got a bound twice; give each bound once")
    a_min, a_max = min if a_min is None else a_min, max if a_max is None else a_max
    a = a if a_min is None else np.maximum(a, a_min)
    return a if a_max is None else np.minimum(a, a_max)


@composite(np.round)
def _round(a, decimals=0):
    ten = 10.0 ** abs(decimals)
    return np.rint(a * ten) / ten if decimals > 0 else np.rint(a / ten) * ten


@composite(np.sinc)
def _sinc(x):
    """sin(πx)/(πx), with its series near 0 for the derivatives there."""
    y = np.square(math.pi * x)
    near = np.less(y, 0.01)
    series = 1 - y / 6 * (1 - y / 20 * (1 - y / 42 * (1 - y / 72)))
    root = math.pi * np.where(near, 1.0, x)
    return np.where(near, series, np.sin(root) / root)


# ---------------------------------------------------------------- reductions


@composite(np.cumprod)
def _cumprod(a, axis=None):
    a, axis = (np.ravel(a), 0) if axis is None else (a, axis)
    return accumulate(np.multiply, a, axis)


@composite(np.corrcoef)
def _corrcoef(x, y=None, rowvar=True):
    c = np.atleast_2d(np.cov(x, y, rowvar))
    spread = np.sqrt(np.diagonal(c))
    return np.squeeze(c / np.outer(spread, spread))


@composite(np.convolve)
def _convolve(a, v, mode="full"):
    a, v = (a, v) if np.size(a) >= np.size(v) else (v, a)
    n, m = np.size(a), np.size(v)
    whole = sum(np.pad(a * v[k], (k, m - 1 - k)) for k in range(m))
    cut = {"full": 0, "same": (m - 1) // 2, "valid": m - 1}[mode]
    return whole[cut : cut + n] if mode == "same" else whole[cut : n + m - 1 - cut]


# ---------------------------------------------------------------- methods of ufuncs


# The associative ufuncs, which can be applied pairwise, and their identity elements.
ASSOCIATIVE: dict[Callable, float] = {
    np.add: 0.0,
    np.multiply: 1.0,
    np.maximum: -np.inf,
    np.minimum: np.inf,
    np.hypot: 0.0,
    **dict.fromkeys((np.logaddexp, np.logaddexp2), -np.inf),
}
# Those whose reduction is a primitive.
_WHOLE: dict[Callable, Any] = {np.add: np.sum, np.maximum: np.max, np.minimum: np.min}


def reduce(
    ufunc: Any,
    array: Any,
    axis: Any = 0,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """ufunc.reduce, pairwise, so that derivatives of products are correct where entries are 0."""
    a = array if where is True else np.where(where, array, ASSOCIATIVE[ufunc])
    if ufunc in _WHOLE and (np.size(a) or initial is None):
        a = _WHOLE[ufunc](a, axis, keepdims=keepdims)
    else:
        a = _in_pairs(ufunc, a, _several_axes(axis, array), keepdims)
    return a if initial is None else ufunc(a, initial)


def _in_pairs(ufunc, a, axes, keepdims):
    for k in axes:
        a = np.moveaxis(a, k, 0)
        while (n := len(a)) > 1:
            even = n // 2 * 2
            pairs = ufunc(a[:even:2], a[1:even:2])
            a = np.concatenate([pairs, a[even:]]) if n > even else pairs
        a = a if len(a) else np.full((1, *np.shape(a)[1:]), ASSOCIATIVE[ufunc])
        a = np.moveaxis(a, 0, k)
    return a if keepdims else np.squeeze(a, axes)


def _reduction(ufunc):
    def whole(a, axis=None, keepdims=False, initial=None, where=True):
        return reduce(ufunc, a, axis, keepdims, initial, where)

    return whole


def _mean(a, axis=None, keepdims=False, where=True):
    shape = np.shape(a)
    each = where if np.shape(where) == shape else np.broadcast_to(where, shape)
    count = np.sum(each, axis, keepdims=keepdims)
    return np.sum(a, axis, keepdims=keepdims, where=where) / count


def _of_known(choose, bound):
    """The max or min of the entries that aren't nan; nan if all are."""

    def chosen(a, axis=None, keepdims=False):
        unknown = np.isnan(a)
        found = choose(np.where(unknown, bound, a), axis, keepdims=keepdims)
        return np.where(np.all(unknown, axis, keepdims=keepdims), np.nan, found)

    return chosen


COMPOSITES |= {
    np.nanmax: _of_known(np.max, -np.inf),
    np.nanmin: _of_known(np.min, np.inf),
}


@composite(np.nanvar)
def _nanvar(a, axis=None, ddof=0, keepdims=False):
    known = ~np.isnan(a)
    off = np.where(known, a - np.nanmean(a, axis, keepdims=True), 0.0)
    count = np.sum(known, axis, keepdims=keepdims)
    left = np.where(count > ddof, count - ddof, np.nan)
    return np.sum(np.square(off), axis, keepdims=keepdims) / left


@composite(np.nanstd)
def _nanstd(a, axis=None, ddof=0, keepdims=False):
    variance = np.nanvar(a, axis, ddof=ddof, keepdims=keepdims)
    return apply(PRIMITIVES["sqrt"], (variance,), {"of_squares": True})


# Used with where= or initial=.
REDUCTIONS: dict[Callable, Callable] = {
    np.sum: _reduction(np.add),
    **dict.fromkeys((np.max, np.amax), _reduction(np.maximum)),
    **dict.fromkeys((np.min, np.amin), _reduction(np.minimum)),
    np.mean: _mean,
}
COMPOSITES[np.prod] = _reduction(np.multiply)


def accumulate(ufunc: Any, array: Any, axis: int = 0) -> Any:
    """ufunc.accumulate: combine each entry with those 1, 2, 4 … places before it."""
    if ufunc is np.add:
        return np.cumsum(array, axis)
    a, ahead = np.moveaxis(array, axis, 0), 1
    while ahead < len(a):
        a = np.concatenate([a[:ahead], ufunc(a[ahead:], a[:-ahead])])
        ahead *= 2
    return np.moveaxis(a, 0, axis)


def outer(ufunc: Any, a: Any, b: Any) -> Any:
    """ufunc.outer: each entry of a with each of b."""
    return ufunc(np.reshape(a, np.shape(a) + (1,) * np.ndim(b)), b)


# ---------------------------------------------------------------- products


@functools.cache
def _letters_of_einsum():
    """NumPy's own parser for subscripts and operands, loaded when first needed."""
    return _text_of(inspect.unwrap(np.einsum).__globals__["_parse_einsum_input"])


@composite(np.einsum)
def _einsum(subscripts, *operands, optimize=False):
    inputs, output, operands = _letters_of_einsum()((subscripts, *operands))
    inputs = list(map(list, inputs.split(",")))
    length = {}
    for axes, x in zip(inputs, operands, strict=True):
        for k, n in zip(axes, np.shape(x), strict=True):
            length[k] = max(n, length.get(k, 0))
    y, of_y = None, []
    for at, (x, axes) in enumerate(zip(operands, inputs, strict=True)):
        x, axes = _each_once(x, axes)
        elsewhere = {*output}.union(*inputs[:at], *inputs[at + 1 :])
        # Sum over axes that no other operand has, and those of length 1 that broadcast.
        drop = [
            k not in elsewhere or n < length[k]
            for k, n in zip(axes, np.shape(x), strict=True)
        ]
        x = np.sum(x, axis=tuple(np.flatnonzero(drop))) if any(drop) else x
        axes = [k for k, gone in zip(axes, drop, strict=True) if not gone]
        later = {*output}.union(*inputs[at + 1 :])
        y, of_y = (x, axes) if y is None else _contract(y, x, of_y, axes, later, length)
    return _in_order(y, of_y, output)


def _each_once(x, axes):
    """Take the diagonal for every repeated axis."""
    for k in sorted({*axes}):
        while axes.count(k) > 1:
            i = axes.index(k)
            j = axes.index(k, i + 1)
            x = np.diagonal(x, 0, i, j)
            axes = [*axes[:i], *axes[i + 1 : j], *axes[j + 1 :], k]
    return x, axes


def _contract(a, b, of_a, of_b, kept, length):
    """Sum the products over the axes that both have, unless they are in ``kept``."""
    both = [k for k in of_a if k in of_b]
    shared, summed = [k for k in both if k in kept], [k for k in both if k not in kept]
    alone_a, alone_b = ([k for k in axes if k not in both] for axes in (of_a, of_b))

    def arranged(x, axes, *groups):
        x = _in_order(x, axes, shared + list(itertools.chain(*groups)))
        sizes = [math.prod(length[k] for k in group) for group in groups]
        return _in_shape(x, (*(length[k] for k in shared), *sizes))

    a, b = arranged(a, of_a, alone_a, summed), arranged(b, of_b, summed, alone_b)
    axes = shared + alone_a + alone_b
    y = np.matmul(a, b) if summed else a * b
    return _in_shape(y, tuple(length[k] for k in axes)), axes


def _in_order(x, axes, wanted):
    order = tuple(axes.index(k) for k in wanted)
    return x if order == tuple(range(len(order))) else np.transpose(x, order)


def _in_shape(x, shape):
    return x if np.shape(x) == shape else np.reshape(x, shape)


@composite(np.kron)
def _kron(a, b):
    n = max(np.ndim(a), np.ndim(b))
    of_a, of_b = ((1,) * (n - np.ndim(x)) + np.shape(x) for x in (a, b))
    a = np.reshape(a, tuple(k for m in of_a for k in (m, 1)))
    b = np.reshape(b, tuple(k for m in of_b for k in (1, m)))
    return np.reshape(a * b, tuple(np.multiply(of_a, of_b).tolist()))


@composite(np.cross)
def _cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if (np.shape(a)[-1], np.shape(b)[-1]) != (3, 3):
        raise TypeError("expected vectors of three numbers")
    ahead, behind = [1, 2, 0], [2, 0, 1]
    y = a[..., ahead] * b[..., behind] - a[..., behind] * b[..., ahead]
    return np.moveaxis(y, -1, axisc)


@composite(np.linalg.pinv)
def _pinv(a):
    # aᵀa squares the condition number of a.
    rank, full = np.linalg.matrix_rank(concrete(a), rtol=1e-6), min(np.shape(a)[-2:])
    if np.any(rank < full):
        raise TraceError(
            f"np.linalg.pinv: got a matrix of rank {np.min(rank)}, to six digits, expected {full}: "
            "the result jumps where columns are dependent; add a multiple of the identity"
        )
    turned = np.matrix_transpose(a)
    if np.shape(a)[-2] >= np.shape(a)[-1]:
        return np.linalg.solve(np.matmul(turned, a), turned)
    return np.matrix_transpose(np.linalg.solve(np.matmul(a, turned), a))


@composite(np.linalg.lstsq)
def _lstsq(a, b, rcond=None):
    m, n = np.shape(a)
    x, sizes = np.matmul(np.linalg.pinv(a), b), np.linalg.svdvals(a)
    if np.min(concrete(sizes)) <= (rcond or 0.0) * np.max(concrete(sizes)):
        raise TraceError(
            f"np.linalg.lstsq: got rcond={rcond}, which leaves singular values out, expected a "
            "smaller one, or None; add a multiple of the identity"
        )
    squares = np.sum(np.square(b - np.matmul(a, x)), axis=0)
    residuals = np.reshape(squares, -1)[: None if m > n else 0]
    return x, residuals, min(m, n), sizes


@composite(np.linalg.norm)
def _norm(x, ord=None, axis=None, keepdims=False):
    axes = _several_axes(axis, x)
    is_usual = ord is None or (ord, len(axes)) in ((2, 1), ("fro", 2))
    if is_usual and (axis is None or len(axes) in (1, 2)):
        whole = {"axis": None if axis is None else axes, "keepdims": keepdims}
        return apply(PRIMITIVES["norm"], (x,), whole)
    return _NUMPYS_NORM(x, ord, axis, keepdims)


_NUMPYS_NORM = _text_of(np.linalg.norm)


@composite(np.linalg.svd)
def _svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    """Singular values are eigenvalues of the symmetric matrix [0 aᵀ; a 0], which has |m − n|
    additional zeros."""
    if hermitian:
        raise TypeError("got hermitian=True; write np.abs(np.linalg.eigvalsh(a))")
    if compute_uv:
        raise TraceError(
            "np.linalg.svd: got compute_uv=True, expected False: the sign of singular vectors is "
            "arbitrary, so nothing should depend on them; use np.linalg.svdvals(a)"
        )
    m, n = np.shape(a)[-2:]
    widths = [(0, 0)] * (np.ndim(a) - 2) + [(n, 0), (0, m)]
    spare = {"spare": abs(m - n)} if m != n else None
    values = apply(PRIMITIVES["eigvalsh"], (np.pad(a, widths),), spare)
    return values[..., : -min(m, n) - 1 : -1]


@composite(np.linalg.eigh)
def _eigh(a, UPLO="L"):
    raise TraceError(
        "np.linalg.eigh can't be traced: the sign of eigenvectors is arbitrary, so nothing should "
        "depend on them; use np.linalg.eigvalsh(a)"
    )


# ---------------------------------------------------------------- scipy.special

# Its ufuncs dispatch to a tracer as NumPy's do, and are identified by name.
SCIPYS: dict[str, Callable] = {
    "erf": fn.erf,
    "erfc": lambda x: 1.0 - fn.erf(x),
    "expit": fn.logistic,
    "logit": lambda p: np.log(p) - np.log1p(-p),
    "log_expit": lambda x: -fn.softplus(-x),
    "xlogy": fn.xlogy,
    "entr": lambda x: -fn.xlogy(x, x),
    "rel_entr": lambda x, y: fn.xlogy(x, x / y),
    "exp10": lambda x: 10.0**x,
    "ndtr": lambda x: 0.5 * (1.0 + fn.erf(x / math.sqrt(2.0))),
}

"""NumPy's other functions, each written with primitives: no rule, no row of their own.

A call of the function on a tracer runs the definition here in its place, with the function's own
arguments. Some sort the arguments of a primitive (``np.where``, ``np.dot``, ``a[index]``), the
others are a line or three of primitives. To add one: write the definition, by NumPy's signature.

Reads: ``tape``, ``primitives``. Read by: ``numpy_protocols``.
"""

import operator
from collections.abc import Callable

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from comp551ad import functions as fn

from .primitives import PRIMITIVES, shape_of
from .refusals import TraceError
from .tape import Tracer, apply, concrete, power

COMPOSITES: dict[Callable, Callable] = {np.power: power}


def composite(*functions):
    """Enter a definition for these functions."""

    def enter(definition):
        COMPOSITES.update(dict.fromkeys(functions, definition))
        return definition

    return enter


# ---------------------------------------------------------------- sorted for a primitive


def frozen_index(index):
    """An index of whole numbers, slices and arrays that is plain, or data."""
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
        if isinstance(part, list | tuple):
            part = np.array(part, dtype=None if len(part) else int)
        elif isinstance(part, int) and not isinstance(part, bool):
            part = operator.index(part)  # an IntEnum's, say
        elif np.ndim(part) and not isinstance(part, np.ndarray):
            part = np.array(part)  # another kind of array
        frozen.append(part)
    return tuple(frozen) if isinstance(index, tuple) else frozen[0]


@composite(operator.getitem)
def _getitem(x, index):
    index = frozen_index(index)
    if not shape_of(x.value):  # a number: x[()], x[None] and the like
        shape = np.zeros(())[index].shape
        if 0 in shape:  # x[False]
            return np.zeros(shape)
        return np.reshape(x, shape) if shape else x
    return apply(PRIMITIVES["getitem"], (x,), {"index": index})


@composite(np.where)
def _where(condition, *choices):
    if len(choices) != 2:
        raise TraceError("np.where(condition) alone can't be traced: give both choices")
    if type(condition) is Tracer or np.asanyarray(condition).dtype.kind != "b":
        condition = np.not_equal(condition, 0)
    condition = np.asanyarray(condition)
    if type(choices[0]) is not Tracer and type(choices[1]) is not Tracer:
        return np.where(condition, *choices)
    return apply(PRIMITIVES["where"], choices, {"condition": condition})


@composite(np.linalg.norm)
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


@composite(np.dot)
def _dot(a, b):
    if not np.ndim(concrete(a)) or not np.ndim(concrete(b)):
        return np.multiply(a, b)
    return apply(PRIMITIVES["dot"], (a, b))


@composite(np.outer)
def _outer(a, b):
    return apply(PRIMITIVES["outer"], (np.ravel(a), np.ravel(b)))


@composite(np.concatenate)
def _concatenate(arrays, axis=0):
    if not isinstance(arrays, list | tuple):
        raise TraceError(
            f"np.concatenate: got {type(arrays).__name__}, expected a list of the "
            "operands, such as [a, b]"
        )
    if axis is None:
        arrays, axis = [np.ravel(a) for a in arrays], 0
    return apply(PRIMITIVES["concatenate"], tuple(arrays), {"axis": axis})


@composite(np.full_like)
def _full_like(a, fill_value):
    shape = np.shape(a)
    if type(fill_value) is Tracer:
        return np.broadcast_to(fill_value, shape)
    return np.full(shape, fill_value, dtype=float)


# ---------------------------------------------------------------- written with primitives


@composite(np.ravel)
def _ravel(a, order="C"):
    if order not in ("C", "F"):
        raise TypeError(f"got order={order!r}, expected 'C' or 'F'")
    return np.reshape(a if order == "C" else np.transpose(a), (-1,))


@composite(np.clip)
def _clip(a, a_min=None, a_max=None, *, min=None, max=None):
    if (a_min is not None and min is not None) or (
        a_max is not None and max is not None
    ):
        raise TypeError(
            "got a_min or a_max as well as min or max; give each bound once"
        )
    a_min, a_max = min if a_min is None else a_min, max if a_max is None else a_max
    a = a if a_min is None else np.maximum(a, a_min)
    return a if a_max is None else np.minimum(a, a_max)


@composite(np.swapaxes)
def _swapaxes(a, axis1, axis2):
    axes = list(range(np.ndim(a)))
    axis1, axis2 = (normalize_axis_index(axis, len(axes)) for axis in (axis1, axis2))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return np.transpose(a, tuple(axes))


@composite(np.positive)
def _positive(x):
    return x.handle()


@composite(np.copy)
def _copy(a):
    return a.handle()  # the same row under another name, which changes apart


@composite(fn.logsumexp_and_softmax)
def _logsumexp_and_softmax(U, axis=-1):
    return fn.logsumexp(U, axis=axis), fn.softmax(U, axis=axis)

"""In-place operations on traced arrays: functional updates that keep aliases and views in sync.

A tape never changes its rows. So ``a += b`` records a new row, and the tracer ``a`` refers to it
from then on: every alias of the array sees the change. Existing views (``v = a[0]``, ``a.T``) are
recomputed from the new array, and a change of a view is first written back to its base, as with
NumPy's shared memory.

Numbers can't change in place: ``L += x`` is L = L + x.
"""

import functools
from typing import Any

import numpy as np

from comp551ad import functions as fn

from .composites import composite, frozen_index
from .data import snapshot
from .primitives import PRIMITIVES, shape_of
from .refusals import REFUSED, TraceError, refusal, this_thread
from .tape import Tracer, apply, concrete, joined


def update(x: Tracer, new: Any) -> Any:
    """The value of x after x += …, or np.add(…, out=x), with result ``new``."""
    if not shape_of(x.value):
        this_thread.doubtful = this_thread.doubtful or this_thread.copied
        return new
    if type(new) is Tracer:
        assign(x, new)
    else:
        setitem(x, Ellipsis, new)
    return x


def setitem(x: Tracer, index: Any, values: Any) -> None:
    """x[index] = values; x[mask] = number is x = np.where(mask, number, x)."""
    if not shape_of(x.value):
        raise refusal("item assignment to a number", "write a = b for a[...] = b")
    index = frozen_index(index)
    is_mask = isinstance(index, np.ndarray) and index.dtype == bool
    shape = shape_of(x.value)
    if is_mask and not np.ndim(values) and index.shape == shape[: index.ndim]:
        each = np.reshape(index, index.shape + (1,) * (len(shape) - index.ndim))
        assign(x, apply(PRIMITIVES["where"], (values, x), {"condition": each}))
        return
    place = np.shape(np.broadcast_to(0.0, shape)[concrete(index)])
    while np.ndim(values) > len(place) and np.shape(values)[0] == 1:
        values = np.reshape(values, np.shape(values)[1:])
    assign(x, apply(PRIMITIVES["set_at"], (x, values), {"index": index}))


def _like(function):
    """The definition of np.zeros_like and similar functions: traced like the array, so that traced
    values can be stored in the result."""

    def definition(a, dtype=None, subok=True, shape=None, device=None):
        plain = function(np.empty(np.shape(a)), dtype, shape=shape)
        if plain.shape != np.shape(a) or not plain.ndim or plain.dtype != float:
            return plain
        blank = snapshot(a)
        setitem(blank, Ellipsis, plain.flat[0] if plain.size else 0.0)
        return blank

    return definition


for _function in (np.zeros_like, np.ones_like, np.empty_like):
    composite(_function)(_like(_function))


def _require_traced(a):
    if type(a) is not Tracer:
        raise refusal(*REFUSED["__array__"])


def add_at(ufunc: Any, a: Any, indices: Any, b: Any) -> None:
    """np.add.at(a, indices, b), or np.subtract.at: repeated indices accumulate."""
    _require_traced(a)
    index = frozen_index(indices)
    # Traced even if only the index depends on arguments.
    each = np.zeros_like(a)[index] + joined(b)
    assign(a, ufunc(a, fn.scatter(each, index, shape_of(a.value))))


@composite(np.fill_diagonal)
def _fill_diagonal(a, val):
    setitem(a, np.diag_indices(min(np.shape(a)), np.ndim(a)), val)


def _stores(function: Any) -> Any:
    """Define a function that changes its first argument, which must be traced."""

    def enter(definition):
        def checked(a, *args, **kwargs):
            _require_traced(a)
            definition(a, *args, **kwargs)

        return composite(function)(functools.wraps(definition)(checked))

    return enter


def _repeated(values, shape):
    values = joined(values)
    return np.resize(values, shape) if np.ndim(values) else values


@_stores(np.put)
def _put(a, ind, v):
    setitem(a.flat, ind, _repeated(v, np.shape(ind)))


@_stores(np.putmask)
def _putmask(a, mask, values):
    assign(a, np.where(mask, _repeated(values, a.shape), a))


@_stores(np.place)
def _place(arr, mask, vals):
    vals = joined(vals)
    count = np.count_nonzero(mask) if np.size(vals) > 1 else 1
    setitem(arr, np.asanyarray(mask), _repeated(vals, int(count)))


@_stores(np.copyto)  # also called by np.full_like(X, a)
def _copyto(dst, src, where=True):
    assign(dst, np.where(where, src, dst))


def assign(target: Tracer, new: Tracer) -> None:
    """Replace the contents of the array ``target``, its bases and views.

    Raises:
        ValueError: as in NumPy, if the shapes differ or the array is read-only.
    """
    tape = target.tape
    if new.tape is not tape:
        raise TraceError(
            "this would change an array of an enclosing function in place: write a = a + b, or "
            "pass the array in as an argument"
        )
    if shape_of(new.value) != shape_of(target.value):
        raise ValueError(
            f"could not put an array of shape {shape_of(new.value)} in place of one of shape "
            f"{shape_of(target.value)}"
        )
    changed = {_set(target, new)}
    while (shown := _shown_by(target)) is not None:
        base, primitive, parameters = shown
        new = _written_back(primitive, target, base, parameters)
        target = base
        changed.add(_set(base, new))
    for view, base, primitive, parameters in list(tape.views):
        seen = view()
        if seen is not None and id(base) in changed and id(seen) not in changed:
            changed.add(_set(seen, apply(primitive, (base,), parameters)))
    tape.views = [entry for entry in tape.views if entry[0]() is not None]
    if this_thread.copied or len(changed) > 1:
        this_thread.doubtful = True


def _set(target, new):
    target.value, target.index = new.value, new.index
    return id(target)


def _shown_by(tracer):
    """(base, primitive, parameters) of a view; None if the tracer isn't a view."""
    for view, *shown in tracer.tape.views:
        if view() is tracer:
            return shown
    return None


def _written_back(primitive, view, base, parameters):
    """The base with a view's new contents written back. Except for indexing, a view only rearranges
    entries, and its reverse rule puts them back."""
    if primitive.broadcasts:
        raise ValueError("assignment destination is read-only")
    if primitive.array_parameters:
        return apply(PRIMITIVES["set_at"], (base, view), parameters)
    return primitive.vjps[0](view, view, base, **parameters)

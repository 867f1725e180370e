"""The two modes: forward pushes tangents down the rows, reverse pulls adjoints back up.

The tangent of a node is its derivative in one direction of the inputs, ȧ_i = ∂a_i/∂w for the input
w seeded with 1. It depends only on the tangents of the operands, so one walk down the rows computes
them all (S12, S13):

    ȧ_i = Σ_k  jvp_k(ȧ of operand k)            one term per edge into the node

The adjoint of a node is the derivative of one output with respect to it, ā_i = ∂y/∂a_i. It depends
only on the adjoints of the nodes that use it, so one walk up the rows, the last one first, computes
them all (S14, S15); in networks this is backpropagation:

    ā_j = Σ_i  vjp(ā_i)                         one term per edge out of the node

The price of reverse mode: all values must be kept until the backward walk has used them.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from .directions import each_direction
from .operands import as_input
from .primitives import PRIMITIVES, shape_of
from .tape import Tracer, joined

# ---------------------------------------------------------------- reverse mode


def pull_back(
    rows: list[tuple],
    seeds: Iterable[tuple],
    keep: bool = True,
    terms: list | None = None,
) -> list:
    """The adjoints of all rows: the reverse-mode loop.

    Args:
        rows: a tape's rows.
        seeds: (row number, adjoint) pairs for the seeded outputs; a row may occur twice, and
            the row number of a constant is None.
        keep: False drops each adjoint after use, except for those of inputs.
        terms: a list to collect (number of the row that uses it, operand position, term).

    Returns:
        The adjoint of each row, or None for zero because the output doesn't depend on it.
        An adjoint may have a smaller shape than its value where it is uniform along an axis.
    """
    adjoints: list = [None] * len(rows)
    for number, seed in seeds:
        if number is not None:
            known = adjoints[number]
            adjoints[number] = seed if known is None else known + seed
    for i in range(len(rows) - 1, -1, -1):
        g = adjoints[i]
        name, y, *operands = rows[i]
        if g is None or not operands:
            continue
        parameters = operands.pop() if type(operands[-1]) is dict else {}
        primitive = PRIMITIVES[name]
        # In Python 3.11 a loop is faster than a comprehension.
        given = [g, y]
        for o in operands:
            given.append(rows[o][1] if type(o) is int else o)
        if not primitive.elementwise and (shape_of(g) or not primitive.uniform):
            given[0] = _stretched(g, shape_of(y))
        for k, j in enumerate(operands):
            if type(j) is not int or (vjp := primitive.vjps[k]) is None:
                continue
            term = vjp(*given, **parameters)
            if type(y) is not float and primitive.broadcasts:
                stretched = y if primitive.elementwise else term
                term = unbroadcast(term, shape_of(given[2 + k]), shape_of(stretched))
            if terms is not None:
                terms.append((i, k, term))
            adjoints[j] = term if adjoints[j] is None else adjoints[j] + term
        if not keep:
            adjoints[i] = None
    return adjoints


def unbroadcast(term: Any, shape: tuple, from_shape: tuple) -> Any:
    """Undo broadcasting: an operand of ``shape`` was broadcast to ``from_shape``, and each of its
    entries sums the adjoints of all its copies.

    The term may be smaller than ``from_shape`` (uniform along an axis): the sum over n copies is
    then n times one of them.
    """
    if shape == from_shape:
        return term
    ndim = len(from_shape)
    extra = ndim - len(shape)  # axes that the operand lacks
    lengths = (1,) * extra + shape
    term_lengths = (1,) * (ndim - len(shape_of(term))) + shape_of(term)
    gone: list[int] = []
    kept: list[int] = []
    copies = 1
    for axis, stretched in enumerate(from_shape):
        if lengths[axis] == 1 and stretched != 1:
            if term_lengths[axis] == 1:
                copies *= stretched
            else:
                (gone if axis < extra else kept).append(axis - ndim)
    if kept:
        term = np.sum(term, axis=tuple(kept), keepdims=True)
    if gone:
        term = np.sum(term, axis=tuple(gone))
    if copies != 1:
        term = copies * term
    now = shape_of(term)
    if len(now) > len(shape):
        term = np.reshape(term, now[len(now) - len(shape) :])
    return term


# ---------------------------------------------------------------- forward mode


def push_forward(
    rows: list[tuple],
    seeds: Iterable[tuple],
    many: bool = False,
    terms: list | None = None,
) -> list:
    """The tangents of all rows: the forward-mode loop.

    Args:
        rows: a tape's rows.
        seeds: (row number, tangent) pairs for the seeded inputs; all others have tangent 0.
        many: the tangents have an extra first axis: K directions at once.
        terms: a list to collect (row number, operand position, term).

    Returns:
        The tangent of each row, or None for zero because it doesn't depend on a seeded input.
        A single tangent may have a smaller shape than its value where it is uniform along an axis.
    """
    tangents: list = [None] * len(rows)
    for number, seed in seeds:
        tangents[number] = seed
    for i, (name, y, *operands) in enumerate(rows):
        parameters = operands.pop() if operands and type(operands[-1]) is dict else {}
        values: list = []
        for k, j in enumerate(operands):
            if type(j) is not int or tangents[j] is None:
                continue
            primitive, t = PRIMITIVES[name], tangents[j]
            if primitive.jvps[k] is None:
                continue
            values = values or [rows[o][1] if type(o) is int else o for o in operands]
            if many:
                term = each_direction(primitive, k, t, y, values, parameters)
            else:
                t = t if primitive.elementwise else _stretched(t, shape_of(values[k]))
                term = primitive.jvps[k](t, y, *values, **parameters)
            if terms is not None:
                terms.append((i, k, term))
            tangents[i] = term if tangents[i] is None else tangents[i] + term
        if many and tangents[i] is not None:
            count = shape_of(tangents[i])[:1]
            tangents[i] = _stretched(tangents[i], count + shape_of(y))
    return tangents


def _stretched(derivative, shape):
    if shape_of(derivative) == shape:
        return derivative
    return np.broadcast_to(derivative, shape)


def as_seed(seed: Any, shape: tuple, name: str) -> Any:
    """A pass's initial derivative: real numbers of this shape, or a tracer of them."""
    seed = joined(seed)
    if type(seed) is not Tracer:
        seed = as_input(seed, name)
    if shape_of(seed) != shape:
        raise ValueError(f"{name}: got shape {shape_of(seed)}, expected {shape}")
    return seed


def full(derivative: Any, value: Any) -> Any:
    """A derivative in the shape of its value, as a float or a new array."""
    shape = shape_of(value)
    if derivative is None:
        return np.zeros(shape) if shape else 0.0
    if shape_of(derivative) != shape:
        derivative = np.broadcast_to(derivative, shape)
    if type(derivative) is Tracer:  # a pass inside another derivative
        return derivative
    return np.array(derivative) if shape else float(derivative)

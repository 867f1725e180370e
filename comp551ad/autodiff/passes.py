"""The two modes: forward pushes tangents down the rows, reverse pulls adjoints back up.

The tangent of a node is its derivative in one direction of the inputs, ȧ_i = ∂a_i/∂w for the input
w that is seeded with 1. It needs only the tangents of the operands, so one walk down the rows gives
them all (S12, S13):

    ȧ_i = Σ_k  jvp_k(ȧ of operand k)            one term per edge into the node

The adjoint of a node is the derivative of one output with respect to it, ā_i = ∂y/∂a_i. It needs
only the adjoints of the nodes that use it, so one walk up the rows, the last one first, gives them
all (S14, S15); in networks this is backpropagation:

    ā_j = Σ_i  vjp(ā_i)                         one term per edge out of the node

Reverse mode needs the values of the evaluation until then: that is its price.

Reads: ``tape``, ``primitives``. Read by: ``trace``, ``transforms``, ``program``, ``show``.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .operands import as_input
from .primitives import PRIMITIVES, ndim_of, shape_of
from .tape import Tracer, operands_of, parameters_of

# ---------------------------------------------------------------- reverse mode


def pull_back(rows: list[tuple], seeds: Iterable[tuple], keep: bool = True) -> list:
    """The adjoints of all rows: the loop that reverse mode is.

    Args:
        rows: a tape's rows.
        seeds: (row number, adjoint) pairs for the seeded outputs; a row may come twice.
        keep: False drops each adjoint once it has been passed on; those of inputs stay.

    Returns:
        Per row its adjoint, or None where it is zero because the output doesn't depend on it.
        An adjoint may be smaller than its value, where it is uniform along an axis.
    """
    adjoints = [None] * len(rows)
    for number, seed in seeds:
        adjoints[number] = seed if adjoints[number] is None else adjoints[number] + seed
    for i in range(len(rows) - 1, -1, -1):
        row, g = rows[i], adjoints[i]
        if g is None or row[0] == "input":
            continue
        for _, j, term in reverse_terms(rows, row, g):
            adjoints[j] = term if adjoints[j] is None else adjoints[j] + term
        if not keep:
            adjoints[i] = None
    return adjoints


def reverse_terms(rows: list[tuple], row: tuple, g: Any) -> list[tuple]:
    """What a row with adjoint g passes back: (operand's position, its row number, the term)."""
    if row[0] == "input":
        return []
    primitive, y = PRIMITIVES[row[0]], row[1]
    operands, parameters = row[2:], {}
    if type(row[-1]) is dict:
        operands, parameters = row[2:-1], row[-1]
    values = [rows[o][1] if type(o) is int else o for o in operands]
    if not primitive.elementwise and shape_of(g) != shape_of(y):
        if not primitive.uniform or shape_of(g):
            g = np.broadcast_to(g, shape_of(y))
    stretches = primitive.broadcasts and type(y) is not float
    terms = []
    for k, operand in enumerate(operands):
        if type(operand) is not int or primitive.vjps[k] is None:
            continue
        term = primitive.vjps[k](g, y, *values, **parameters)
        if stretches:
            stretched = shape_of(y if primitive.elementwise else term)
            if stretched != shape_of(values[k]):
                term = unbroadcast(term, shape_of(values[k]), stretched)
        terms.append((k, operand, term))
    return terms


def unbroadcast(term: Any, shape: tuple, from_shape: tuple) -> Any:
    """Undo broadcasting: an operand of ``shape`` was stretched to ``from_shape``, and each of
    its entries collects the adjoints of all its copies.

    The term may be smaller than ``from_shape`` (uniform along an axis): there the sum over n
    copies is n times one of them.
    """
    extra = len(from_shape) - len(shape)  # axes that the operand lacked altogether
    had = (1,) * extra + shape
    has = (1,) * (len(from_shape) - len(shape_of(term))) + shape_of(term)
    gone: list[int] = []
    kept: list[int] = []
    copies = 1
    for axis, wide in enumerate(from_shape):
        if had[axis] == 1 and wide != 1:
            if has[axis] == 1:
                copies *= wide
            else:
                (gone if axis < extra else kept).append(axis - len(from_shape))
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


def push_forward(rows: list[tuple], seeds: Iterable[tuple], many: bool = False) -> list:
    """The tangents of all rows: the loop that forward mode is.

    Args:
        rows: a tape's rows.
        seeds: (row number, tangent) pairs for the seeded inputs; all others have tangent 0.
        many: the tangents have an extra first axis: K directions at once.

    Returns:
        Per row its tangent, or None where it is zero because nothing seeded reaches it.
        A single tangent may be smaller than its value, where it is uniform along an axis.
    """
    tangents = [None] * len(rows)
    for number, seed in seeds:
        tangents[number] = seed
    for i, row in enumerate(rows):
        for _, _, term in forward_terms(rows, row, tangents, many):
            tangents[i] = term if tangents[i] is None else tangents[i] + term
        if many and tangents[i] is not None:
            tangents[i] = _stretched(
                tangents[i], shape_of(tangents[i])[:1] + shape_of(row[1])
            )
    return tangents


def forward_terms(
    rows: list[tuple], row: tuple, tangents: list, many: bool = False
) -> Iterator[tuple]:
    """A row's terms: (operand's position, its row number, the term) per path into the row."""
    operands = operands_of(row)
    if all(type(o) is not int or tangents[o] is None for o in operands):
        return
    primitive, y = PRIMITIVES[row[0]], row[1]
    values = [rows[o][1] if type(o) is int else o for o in operands]
    parameters = parameters_of(row)
    for k, operand in enumerate(operands):
        rule = primitive.jvps[k]
        if rule is None or type(operand) is not int or tangents[operand] is None:
            continue
        t, x = tangents[operand], values[k]
        if many:
            term = _each_direction(rule, primitive, t, x, y, values, parameters)
        else:
            t = t if primitive.elementwise else _stretched(t, shape_of(x))
            term = rule(t, y, *values, **parameters)
        yield k, operand, term


def _each_direction(rule, primitive, t, x, y, values, parameters):
    """K tangents of x, (K, *shape), pushed through a rule. What works entry by entry takes them
    all at once: the axes that x lacks beside y go behind K."""
    if primitive.elementwise:
        gap = (1,) * (ndim_of(y) - ndim_of(x))
        t = np.reshape(t, shape_of(t)[:1] + gap + shape_of(x)) if gap else t
        return rule(t, y, *values, **parameters)
    if not len(t):
        return np.zeros((0, *shape_of(y)))
    return np.stack([rule(one, y, *values, **parameters) for one in t])


def _stretched(derivative, shape):
    if shape_of(derivative) == shape:
        return derivative
    return np.broadcast_to(derivative, shape)


def as_seed(seed: Any, shape: tuple, name: str) -> Any:
    """A derivative to start a pass with: real numbers of this shape, or a tracer of them."""
    if type(seed) is not Tracer:
        seed = as_input(seed, name)
    if shape_of(seed) != shape:
        raise ValueError(f"{name}: got shape {shape_of(seed)}, expected {shape}")
    return seed


def full(derivative: Any, value: Any) -> Any:
    """A derivative at the size of its value, as a float or an array of its own."""
    shape = shape_of(value)
    if derivative is None:
        return np.zeros(shape) if shape else 0.0
    if shape_of(derivative) != shape:
        derivative = np.broadcast_to(derivative, shape)
    if type(derivative) is Tracer:  # a pass inside another derivative
        return derivative
    return np.array(derivative) if shape else float(derivative)

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

Reads: ``primitives``, ``tape``, ``trace``. Read by: ``transforms``, ``program``, ``show``.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .primitives import PRIMITIVES, ndim_of, shape_of
from .tape import Tracer, as_input
from .trace import Node, Trace, check_trace, operands_of, parameters_of

# ---------------------------------------------------------------- reverse mode


def pull_back(rows, seeds, keep: bool = True) -> list:
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


def reverse_terms(rows, row, g) -> list[tuple]:
    """What a row with adjoint g passes back: (operand's position, its row number, the term)."""
    name, y, *operands = row
    if name == "input":
        return []
    primitive = PRIMITIVES[name]
    parameters = operands.pop() if type(row[-1]) is dict else {}
    values = [rows[o][1] if type(o) is int else o for o in operands]
    if not primitive.elementwise and shape_of(g) != shape_of(y):
        if not primitive.uniform or shape_of(g):
            g = np.broadcast_to(g, shape_of(y))
    terms = []
    for k, operand in enumerate(operands):
        if type(operand) is not int:
            continue
        rule = primitive.vjp(k) if primitive.variadic else primitive.vjps[k]
        if rule is None:
            continue
        term = rule(g, y, *values, **parameters)
        if primitive.broadcasts:
            stretched = shape_of(y if primitive.elementwise else term)
            if stretched != shape_of(values[k]):
                term = unbroadcast(term, shape_of(values[k]), stretched)
        terms.append((k, operand, term))
    return terms


def unbroadcast(term, shape, from_shape):
    """Undo broadcasting: an operand of ``shape`` was stretched to ``from_shape``, and each of
    its entries collects the adjoints of all its copies.

    The term may be smaller than ``from_shape`` (uniform along an axis): there the sum over n
    copies is n times one of them.
    """
    extra = len(from_shape) - len(shape)  # axes that the operand lacked altogether
    had = (1,) * extra + shape
    has = (1,) * (len(from_shape) - len(shape_of(term))) + shape_of(term)
    gone, kept, copies = [], [], 1
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


def push_forward(rows, seeds, many: bool = False) -> list:
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


def forward_terms(rows, row, tangents, many: bool = False):
    """A row's terms: (operand's position, its row number, the term) per path into the row."""
    operands = operands_of(row)
    if all(type(o) is not int or tangents[o] is None for o in operands):
        return
    primitive, y = PRIMITIVES[row[0]], row[1]
    values = [rows[o][1] if type(o) is int else o for o in operands]
    parameters = parameters_of(row)
    for k, operand in enumerate(operands):
        rule = primitive.jvp(k)
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


# ---------------------------------------------------------------- what a pass found


class Term(NamedTuple):
    """One path's share of a derivative.

    Attributes:
        node: the number of the node at the other end of the edge.
        operand: which operand of the upper node the edge goes to, from 0.
        derivative: the share.
    """

    node: int
    operand: int
    derivative: Any


class DerivativeRow(NamedTuple):
    """A node with its tangent or adjoint, and the terms that it is the sum of."""

    node: Node
    derivative: Any
    terms: tuple[Term, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Pass:
    """The derivatives that one walk over a trace found; ``p["a5"]`` is ȧ5, or ā5.

    Attributes:
        trace: the trace.
        wrt: the seeded input in forward mode, else None.
        of: the output in reverse mode, else None.
        seeds: (row number, derivative) of what was seeded.
    """

    trace: Trace
    wrt: str | None
    of: str | None
    seeds: tuple
    _derivatives: list

    @property
    def mode(self) -> str:
        """ "forward" (tangents) or "reverse" (adjoints)."""
        return "reverse" if self.wrt is None else "forward"

    def __getitem__(self, key):
        """The tangent or adjoint of a node, at the size of its value."""
        k = self.trace.row_number(key)
        return full(self._derivatives[k], self.trace.rows[k][1])

    def terms(self, key) -> tuple[Term, ...]:
        """The terms of a node's derivative, one per edge; they add up to it (S04)."""
        return self._terms()[self.trace.row_number(key)]

    @property
    def rows(self) -> list[DerivativeRow]:
        """Per node, in the order of the walk: the node, its derivative, its terms."""
        terms, nodes = self._terms(), self.trace.nodes
        rows = [DerivativeRow(n, self[n], terms[n.index - 1]) for n in nodes]
        return rows if self.mode == "forward" else rows[::-1]

    def _terms(self) -> list[tuple[Term, ...]]:
        """Per row its terms. An edge whose rule is None has a share of zero."""
        rows, collected = self.trace.rows, [[] for _ in self.trace.rows]
        for i, row in enumerate(rows):
            if self.mode == "forward":
                found = forward_terms(rows, row, self._derivatives)
            else:
                g = self._derivatives[i]
                found = [] if g is None else reverse_terms(rows, row, g)
            shares = {position: term for position, _, term in found}
            for position, j in edges_of(row):
                near, far = (i, j) if self.mode == "forward" else (j, i)
                share = full(shares.get(position), rows[near][1])
                collected[near].append(Term(far + 1, position, share))
        return [tuple(terms) for terms in collected]


def edges_of(row) -> list[tuple[int, int]]:
    """The edges into a row: (operand's position, its row number)."""
    return [(p, o) for p, o in enumerate(operands_of(row)) if type(o) is int]


def full(derivative, value):
    """A derivative at the size of its value, as a float or an array of its own."""
    shape = shape_of(value)
    if derivative is None:
        return np.zeros(shape) if shape else 0.0
    derivative = _stretched(derivative, shape)
    if type(derivative) is Tracer:  # a pass inside another derivative
        return derivative
    return np.array(derivative) if shape else float(derivative)


def forward(trace: Trace, wrt=None, seed=None) -> Pass:
    """Forward mode: the derivative of every node with respect to one input (S12).

    Args:
        trace: from ``record``.
        wrt: the input's name (such as "w1", or "p['w']" in a dict p), label or number. An input
            that is an array needs a ``seed``.
        seed: the direction, of the input's shape; 1 for a number unless given.

    Returns:
        The pass: ``d["y1"]`` is ∂y1/∂w, zero where y1 doesn't depend on w.

    Raises:
        TypeError: ``trace`` is something else.
        KeyError: no input is called that.
        ValueError: the seed is missing or doesn't have the input's shape.
    """
    check_trace(trace)
    number = trace.row_number(wrt, "wrt")
    if number not in trace.inputs:
        inputs = ", ".join(trace.names[k] for k in trace.inputs)
        raise KeyError(
            f"wrt: got {wrt!r}, which is computed; expected an input: {inputs}"
        )
    name = trace.names[number]
    seeds = ((number, _read_seed(seed, trace.rows[number][1], name)),)
    return Pass(trace, name, None, seeds, push_forward(trace.rows, seeds))


def reverse(trace: Trace, of=None, seed=None) -> Pass:
    """Reverse mode: the derivative of one output with respect to every node (S14).

    Args:
        trace: from ``record``.
        of: the output's name, label or number; may be left out where there is one output.
        seed: for an array, the weight of each of its entries, of its shape; 1 for a number
            unless given. The adjoints are those of the weighted sum.

    Returns:
        The pass: ``r["w1"]`` is ∂y/∂w1, zero where y doesn't depend on w1.

    Raises:
        TypeError: ``trace`` is something else.
        KeyError: nothing in the trace is called that.
        ValueError: which output is unclear, or the seed is missing or has another shape.
    """
    check_trace(trace)
    if of is None and len(trace.outputs) != 1:
        raise ValueError(
            f"of: the function returned {len(trace.outputs)} numbers; name the one to "
            "differentiate"
        )
    number = trace.outputs[0] if of is None else trace.row_number(of, "of")
    if number is None:  # the output is a constant: nothing depends on anything
        return Pass(trace, None, "a constant", (), [None] * len(trace.rows))
    name = trace.names.get(number, f"a{number + 1}")
    seeds = ((number, _read_seed(seed, trace.rows[number][1], name)),)
    return Pass(trace, None, name, seeds, pull_back(trace.rows, seeds))


def _read_seed(seed, value, name):
    """The seed of a pass: 1 for a number; for an array it must be given, at its shape."""
    shape = shape_of(value)
    if seed is None:
        if shape:
            raise ValueError(
                f"seed: {name} is an array of shape {shape}, expected a seed of that "
                "shape: the direction (forward) or the weights of the entries (reverse)"
            )
        return 1.0
    seed = as_input(seed, "seed")
    if shape_of(seed) != shape:
        raise ValueError(
            f"seed: got shape {shape_of(seed)}, expected {shape}, the shape of {name}"
        )
    return seed

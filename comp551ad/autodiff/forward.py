"""Forward mode: tangents, from the inputs up (S12, S13).

The tangent of a node is its derivative in one direction of the inputs: ȧ_i = ∂a_i/∂w for the
input w that is seeded with 1. A node's tangent needs only the tangents of its operands, so one
walk down the rows gives them all:

    ȧ_i = Σ_k  jvp_k(ȧ of operand k)            one term per edge into the node

Reads: ``primitives``, ``trace``. Read by: ``transforms``, ``show``.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .primitives import PRIMITIVES, ndim_of, shape_of, with_gap
from .trace import Node, Trace, check_trace, operands_of, parameters_of
from .traced import Traced, as_input


def push_forward(rows, seeds, many=False) -> list:
    """The tangents of all rows: the loop that forward mode is.

    Args:
        rows: a trace's rows.
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
            shape = shape_of(tangents[i])[:1] + shape_of(row[1])
            if shape_of(tangents[i]) != shape:
                tangents[i] = np.broadcast_to(tangents[i], shape)
    return tangents


def forward_terms(rows, row, tangents, many=False):
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
        if primitive.elementwise:
            t = with_gap(t, x, ndim_of(y)) if many else t
        elif not many and shape_of(t) != shape_of(x):
            t = np.broadcast_to(t, shape_of(x))
        yield k, operand, rule(t, y, *values, **parameters)


def edges_of(row) -> list[tuple[int, int]]:
    """The edges into a row: (operand's position, its row number)."""
    return [(p, o) for p, o in enumerate(operands_of(row)) if type(o) is int]


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
class ForwardPass:
    """The tangents of a trace in one direction; ``d["a5"]`` is ȧ5.

    Attributes:
        trace: the trace.
        wrt: the name of the seeded input, or "a direction".
        seeds: (row number, tangent) of what was seeded.
        rows: per node, a1 first: the node, its tangent, its terms.
    """

    trace: Trace
    wrt: str
    seeds: tuple
    _tangents: list

    def __getitem__(self, key):
        """The tangent of a node, at the size of its value."""
        k = self.trace.row_number(key)
        return full(self._tangents[k], self.trace.rows[k][1])

    def terms(self, key) -> tuple[Term, ...]:
        """The tangent's terms, one per edge into the node; they add up to it (S04)."""
        k = self.trace.row_number(key)
        rows, row = self.trace.rows, self.trace.rows[k]
        found = {p: t for p, _, t in forward_terms(rows, row, self._tangents)}
        return tuple(
            Term(j + 1, position, full(found.get(position), row[1]))
            for position, j in edges_of(row)
        )

    @property
    def rows(self) -> list[DerivativeRow]:
        nodes = self.trace.nodes
        return [DerivativeRow(n, self[n], self.terms(n)) for n in nodes]


def full(derivative, value):
    """A derivative at the size of its value, as a float or an array of its own."""
    shape = shape_of(value)
    if derivative is None:
        return np.zeros(shape) if shape else 0.0
    if shape_of(derivative) != shape:
        derivative = np.broadcast_to(derivative, shape)
    if type(derivative) is Traced:  # a pass inside another derivative
        return derivative
    return np.array(derivative) if shape else float(derivative)


def forward(trace: Trace, wrt=None, seed=None) -> ForwardPass:
    """Forward mode: the derivative of every node by one input (S12).

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
    value = trace.rows[number][1]
    seeds = ((number, read_seed(seed, value, trace.names[number])),)
    tangents = push_forward(trace.rows, seeds)
    return ForwardPass(trace, trace.names[number], seeds, tangents)


def read_seed(seed, value, name):
    """The seed of a pass: 1 for a number; for an array it must be given, at its shape."""
    shape = shape_of(value)
    if seed is None:
        if shape:
            raise ValueError(
                f"seed: {name} is an array of shape {shape}, expected a seed of that "
                "shape: the direction (forward) or the weights of the entries (reverse)"
            )
        return 1.0
    seed = as_input(seed, lambda: "seed")
    if shape_of(seed) != shape:
        raise ValueError(
            f"seed: got shape {shape_of(seed)}, expected {shape}, the shape of {name}"
        )
    return seed

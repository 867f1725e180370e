"""Reverse mode: adjoints, from an output back (S14, S15); in networks, backpropagation.

The adjoint of a node is the derivative of one output with respect to it: ā_i = ∂y/∂a_i. A node's
adjoint needs only the adjoints of the nodes that use it, so one walk up the rows, last first,
gives them all:

    ā_j = Σ_i  vjp(ā_i)                          one term per edge out of the node

The values of the evaluation are kept until then: that is the price of reverse mode.

Reads: ``primitives``, ``trace``, ``forward`` (what both modes share). Read by: ``transforms``,
``show``.
"""

from dataclasses import dataclass

import numpy as np

from .forward import DerivativeRow, Term, edges_of, full, read_seed
from .primitives import PRIMITIVES, shape_of
from .trace import Trace, check_trace


def pull_back(rows, seeds, keep=True) -> list:
    """The adjoints of all rows: the loop that reverse mode is.

    Args:
        rows: a trace's rows.
        seeds: (row number, adjoint) pairs for the seeded outputs; a row may come twice.
        keep: False drops each adjoint once it has been passed on; the inputs' stay.

    Returns:
        Per row its adjoint, or None where it is zero because the output doesn't depend on it.
        An adjoint may be smaller than its value, where it is uniform along an axis.
    """
    adjoints = [None] * len(rows)
    for number, seed in seeds:
        adjoints[number] = seed if adjoints[number] is None else adjoints[number] + seed
    for i in range(len(rows) - 1, -1, -1):
        g = adjoints[i]
        if g is None:
            continue
        row = rows[i]
        if row[0] == "input":
            continue
        primitive = PRIMITIVES[row[0]]
        if primitive.arity == 2:  # a + b, a * b …: written out for speed, as
            _, y, a, b = row  # reverse_terms has it in general
            u = rows[a][1] if type(a) is int else a
            v = rows[b][1] if type(b) is int else b
            by_left, by_right = primitive.vjps
            if type(a) is int:
                term = by_left(g, y, u, v)
                if type(y) is not float and shape_of(u) != shape_of(y):
                    term = unbroadcast(term, shape_of(u), shape_of(y))
                adjoints[a] = term if adjoints[a] is None else adjoints[a] + term
            if type(b) is int:
                term = by_right(g, y, u, v)
                if type(y) is not float and shape_of(v) != shape_of(y):
                    term = unbroadcast(term, shape_of(v), shape_of(y))
                adjoints[b] = term if adjoints[b] is None else adjoints[b] + term
        elif primitive.arity == 1:  # sin(a), exp(a) …: the same
            _, y, a = row
            term = primitive.vjps[0](g, y, rows[a][1])
            adjoints[a] = term if adjoints[a] is None else adjoints[a] + term
        else:
            for _, j, term in reverse_terms(rows, row, g):
                adjoints[j] = term if adjoints[j] is None else adjoints[j] + term
        if not keep:
            adjoints[i] = None
    return adjoints


def reverse_terms(rows, row, g) -> list:
    """What a row passes back: (operand's position, its row number, the term) per operand."""
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
            came_from = shape_of(y) if primitive.elementwise else shape_of(term)
            if came_from != shape_of(values[k]):
                term = unbroadcast(term, shape_of(values[k]), came_from)
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


@dataclass(frozen=True, eq=False, repr=False)
class ReversePass:
    """The adjoints of a trace for one output; ``r["a5"]`` is ā5.

    Attributes:
        trace: the trace.
        of: the name or label of the output.
        seeds: (row number, adjoint) of what was seeded.
        rows: per node in the order of the pass, the last node first: the node, its adjoint, its
            terms.
    """

    trace: Trace
    of: str
    seeds: tuple
    _adjoints: list

    def __getitem__(self, key):
        """The adjoint of a node, at the size of its value."""
        k = self.trace.row_number(key)
        return full(self._adjoints[k], self.trace.rows[k][1])

    def terms(self, key) -> tuple[Term, ...]:
        """The adjoint's terms, one per edge out of the node; they add up to it (S04)."""
        k = self.trace.row_number(key)
        return self._all_terms()[k]

    def _all_terms(self):
        rows = self.trace.rows
        collected = [[] for _ in rows]
        for i, row in enumerate(rows):
            g = self._adjoints[i]
            terms = [] if g is None else reverse_terms(rows, row, g)
            found = {position: term for position, _, term in terms}
            for position, j in edges_of(row):
                term = full(found.get(position), rows[j][1])
                collected[j].append(Term(i + 1, position, term))
        return [tuple(terms) for terms in collected]

    @property
    def rows(self) -> list[DerivativeRow]:
        terms = self._all_terms()
        nodes = self.trace.nodes
        return [DerivativeRow(n, self[n], terms[n.index - 1]) for n in nodes][::-1]


def reverse(trace: Trace, of=None, seed=None) -> ReversePass:
    """Reverse mode: the derivative of one output by every node (S14).

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
    if of is None:
        if len(trace.outputs) != 1:
            raise ValueError(
                f"of: the function returned {len(trace.outputs)} numbers; say which one"
            )
        number = trace.outputs[0]
    else:
        number = trace.row_number(of, "of")
    if number is None:  # the output is a constant: nothing depends on anything
        return ReversePass(trace, "a constant", (), [None] * len(trace.rows))
    name = trace.names.get(number, f"a{number + 1}")
    seeds = ((number, read_seed(seed, trace.rows[number][1], name)),)
    return ReversePass(trace, name, seeds, pull_back(trace.rows, seeds))

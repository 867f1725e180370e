"""Folding: a long trace as few boxes, one for each variable that the user has named.

A node without a name belongs to the one named variable that it leads to, as the steps of a long
line of code belong to what stands left of its ``=``. One that leads to several stays a box of its
own; inputs and outputs do too. A box shows its variable's value and derivative, which are those
of its last node, and its formula in terms of other boxes, where that is short.

Reads: ``recorded``, ``formula``, ``autodiff``. Read by: ``rows``.
"""

import numpy as np

from comp551ad.autodiff.forward import forward_terms, full
from comp551ad.autodiff.primitive import ATOM, PRODUCT, Notation, Primitive
from comp551ad.autodiff.trace import Trace, operands_of

from . import formula, recorded
from .recorded import MOST, Operation, Symbol, TermTree, Tree

__all__ = ["Folding", "boxes_of", "is_unspoken"]

UNSPOKEN = "unspoken"  # the name of a primitive that stands for many


def boxes_of(trace: Trace, seeds=(), unfold=()) -> list[int]:
    """Which box each row belongs to, by the row number of the box's last node.

    Args:
        trace: the trace to fold.
        seeds: row numbers that keep a box of their own.
        unfold: row numbers of variables whose nodes are all shown.
    """
    rows = trace.rows
    kept = {*trace.names, *trace.inputs, *trace.outputs, *seeds}
    users = [set() for _ in rows]
    boxes = list(range(len(rows)))
    for k in range(len(rows) - 1, -1, -1):
        if k not in kept and len(users[k]) == 1:
            (boxes[k],) = users[k]
        for o in operands_of(rows[k]):
            if type(o) is int:
                users[o].add(boxes[k])
    return [k if box in unfold else box for k, box in enumerate(boxes)]


class Folding:
    """A trace whose rows stand in boxes; a box of one node is that node.

    Attributes:
        trace: the trace.
        boxes: per row the row number of its box.
        members: per box the rows in it, in order; its own is the last.
    """

    def __init__(self, trace: Trace, boxes=None):
        self.trace = trace
        self.boxes = list(range(len(trace.rows))) if boxes is None else boxes
        self.members = {}
        for k, box in enumerate(self.boxes):
            self.members.setdefault(box, []).append(k)
        self.members = dict(sorted(self.members.items()))
        self._values = {}  # hidden row -> its value in terms of other boxes, or None

    def is_folded(self, k: int) -> bool:
        """Whether a box has more than one node in it."""
        return len(self.members[k]) > 1

    def edges(self, k: int) -> list[tuple[int, int]]:
        """The edges into a box: (position, row number of the other box)."""
        if not self.is_folded(k):
            operands = enumerate(operands_of(self.trace.rows[k]))
            return [(p, o) for p, o in operands if type(o) is int]
        inside = self.members[k]
        taken = {
            o
            for m in inside
            for o in operands_of(self.trace.rows[m])
            if type(o) is int and self.boxes[o] != k
        }
        return list(enumerate(sorted(taken)))

    def value_tree(self, k: int) -> Tree:
        """A box's formula in terms of other boxes; where that is long, how long it is."""
        tree = None
        for m in self.members[k]:
            tree = self._put_in(recorded.value_tree(self.trace, m), {})
            self._values[m] = tree
        if tree is not None:
            return tree
        taken = [o for _, o in self.edges(k)]
        symbols = [Symbol("value", o, self.trace.rows[o][1]) for o in taken]
        told = ", ".join(f"{{{i}}}" for i in range(min(len(taken), 4)))
        more = ", …" if len(taken) > 4 else ""
        words = f"{len(self.members[k])} operations on"
        notation = (f"{words} {told}{more}", rf"\text{{{words} }} {told}{more}")
        return _unspoken(notation, ATOM, symbols, self.trace.rows[k][1])

    def tangent_terms(self, d, k: int, names) -> tuple[list[TermTree], Tree]:
        """The terms of a box's tangent, one per edge into it, and its formula."""
        if not self.is_folded(k):
            terms = recorded.tangent_terms(d, k)
            return terms, recorded.total([term.tree for term in terms])
        hidden = {}
        for m in self.members[k]:
            whole = recorded.total([t.tree for t in recorded.tangent_terms(d, m)])
            hidden["tangent", m] = tree = self._put_in(whole, hidden)
        terms = []
        for p, o in self.edges(k):
            slope = self._slope(
                Symbol("tangent", o, d[o + 1]), k, o, self._share(d, k, o), names
            )
            terms.append(TermTree(o, p, slope))
        return terms, tree or recorded.total([term.tree for term in terms])

    def adjoint_terms(self, r, names) -> dict[int, list[TermTree]]:
        """Per box the terms of its adjoint, one per path, first user first (as on the slide)."""
        rows = self.trace.rows
        found = [[] for _ in rows]
        for user in range(len(rows)):
            for o, terms in recorded.adjoint_contributions(r, user).items():
                found[o].extend(terms)
        hidden = {}
        for k in range(len(rows) - 1, -1, -1):
            if self.boxes[k] != k:
                whole = recorded.total([term.tree for term in found[k]])
                hidden["adjoint", k] = self._put_in(whole, hidden)
        return {k: self._by_box(found[k], k, hidden, r, names) for k in self.members}

    def _by_box(self, terms, k, hidden, r, names):
        """Terms that come back through the same box are one."""
        through = {}
        for term in terms:
            box = self.boxes[term.node]
            key = (box,) if self.is_folded(box) else (box, term.operand)
            through.setdefault(key, []).append(term)
        merged = []
        for (box, *_), parts in through.items():
            if not self.is_folded(box):
                merged += parts
                continue
            position = next(p for p, o in self.edges(box) if o == k)
            whole = recorded.total([part.tree for part in parts])
            tree = self._put_in(whole, hidden)
            if tree is None:
                above = Symbol("adjoint", box, r[box + 1])
                tree = self._slope(above, box, k, whole.value, names)
            merged.append(TermTree(box, position, tree))
        return merged

    def _put_in(self, tree, hidden):
        """A tree without the symbols of hidden nodes; None where that would be long."""
        known = {("value", k): value for k, value in self._values.items()} | hidden
        inside = [s for s in recorded.symbols_in(tree) if self.boxes[s[1]] != s[1]]
        if any(known.get(symbol) is None for symbol in inside):
            return None
        tree = recorded.put_in(tree, {symbol: known[symbol] for symbol in inside})
        return tree if recorded.size(tree) <= MOST else None

    def _share(self, d, k, o):
        """What one edge into a box brings to its tangent."""
        tangents = [None] * len(self.trace.rows)
        tangents[o] = d[o + 1]
        for m in self.members[k]:
            for _, _, term in forward_terms(
                self.trace.rows, self.trace.rows[m], tangents
            ):
                tangents[m] = term if tangents[m] is None else tangents[m] + term
        return full(tangents[k], self.trace.rows[k][1])

    def _slope(self, passed_on, k, o, value, names):
        """A path through a box, unspoken: ȳ·∂y/∂x, or ∂y/∂x·ẋ."""
        needed = [Symbol("value", p, self.trace.rows[p][1]) for _, p in self.edges(k)]
        y, x = (formula.symbol("value", n, names) for n in (k, o))
        text = f"∂{_literal(y.text)}/∂{_literal(x.text)}"
        latex = [rf"{{{{\partial {_literal(part.latex)}}}}}" for part in (y, x)]
        notation = [text, r"\frac" + "".join(latex)]
        if passed_on.kind == "adjoint":
            notation = [f"{{0}}·{notation[0]}", rf"{{0}} \cdot {notation[1]}"]
        else:
            notation = [f"{notation[0]}·{{0}}", rf"{notation[1]} \cdot {{0}}"]
        return _unspoken(notation, PRODUCT, [passed_on, *needed], value)


def is_unspoken(tree: Tree) -> bool:
    """Whether a formula is only named, because it would be too long."""
    return isinstance(tree, Operation) and tree.primitive.name == UNSPOKEN


def _literal(text):
    """Text that a template shows as it is."""
    return text.replace("{", "{{").replace("}", "}}")


def _unspoken(notation, level, operands, value):
    """An operation that is only named: what it needs, and what it comes to."""
    rules = (None,) * len(operands)
    primitive = Primitive(
        UNSPOKEN,
        np.asarray,
        rules,
        rules,
        notation=Notation(*notation, "", level, (ATOM,) * len(operands)),
        examples=(),
    )
    return Operation(primitive, tuple(operands), {}, value)

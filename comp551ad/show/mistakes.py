"""Common mistakes in a derivative's formula, made on purpose: the wrong choices of "Predict".

Each is the recorded rule with one thing gone wrong, so it fits the function at hand: a path left
out, a sign lost, a value where a derivative belongs. A wrong formula that happens to be right (exp
is its own derivative) is left out.

Reads: ``recorded``, ``autodiff``. Read by: ``rows``.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from comp551ad.autodiff.primitives import PRIMITIVES
from comp551ad.autodiff.trace import Trace, operands_of

from .recorded import (
    ZERO,
    Constant,
    Operation,
    Symbol,
    TermTree,
    Tree,
    negated,
    simplified_throughout,
    symbols_in,
    total,
    value_tree,
)

PRODUCTS = ("dot", "matmul")
OTHER = {"adjoint": "tangent", "tangent": "adjoint"}


class WrongTree(NamedTuple):
    """A wrong formula, and what is wrong with it, in a sentence for whoever chose it."""

    tree: Tree
    explanation: str


class Asked(NamedTuple):
    """The derivative to mistake, in full or one path's share of it.

    Attributes:
        trace: what was recorded.
        kind: "tangent" or "adjoint".
        row: the node's row number.
        terms: the paths; one of them, or all.
        label: (kind, row number) -> its label.
        seed: whether the pass starts here.
    """

    trace: Trace
    kind: str
    row: int
    terms: list[TermTree]
    label: Callable
    seed: bool = False


def mistakes_with(asked: Asked) -> list[WrongTree]:
    """Wrong formulas for a derivative, the most instructive first.

    There are some for a seed too, and for a derivative that is 0 because nothing depends on the
    node.
    """
    asked = asked._replace(terms=[t for t in asked.terms if t.tree is not ZERO])
    if asked.terms:
        right = total([term.tree for term in asked.terms])
        found = _mistaken_rules(asked)
    else:
        right = Constant(1.0) if asked.seed else ZERO
        found = _mistaken_ends(asked)
    return [one for one in found if not _is_right(one.tree, right)]


def value_of(tree: Tree, put_in=lambda symbol: symbol.value):
    """What a tree comes to.

    Args:
        put_in: symbol -> its value; its own number if left out.

    Raises:
        ValueError: shapes don't fit, as may happen to a wrong formula.
    """
    if isinstance(tree, Symbol):
        return put_in(tree)
    if isinstance(tree, Constant):
        return tree.value
    operands = [value_of(o, put_in) for o in tree.operands]
    value = tree.primitive.value(*operands, **tree.parameters)
    return value[0] if tree.primitive.saves else value


def _mistaken_ends(asked):
    """Where no path comes in: at the seed, and where nothing depends on the node."""
    own, name = asked.label(asked.kind, asked.row), asked.label("value", asked.row)
    value = Symbol("value", asked.row, asked.trace.rows[asked.row][1])
    yield WrongTree(value, f"{name} is the value; {own} is a derivative.")
    if asked.seed:
        why = "The seed is 1: the output's derivative with respect to itself."
        yield WrongTree(ZERO, f"{why} A seed of 0 would make every derivative 0.")
    elif asked.kind == "adjoint":
        why = f"1 is the seed of the chosen output, which doesn't depend on {name}."
        yield WrongTree(Constant(1.0), why)
    else:
        why = (
            f"1 is the seed of the chosen input, and {name} doesn't depend on that one."
        )
        yield WrongTree(Constant(1.0), why)


def _mistaken_rules(asked):
    trees = [term.tree for term in asked.terms]
    value = total(trees).value
    kind, label, trace = asked.kind, asked.label, asked.trace
    uppers = [asked.row if kind == "tangent" else term.node for term in asked.terms]
    symbols = sorted({s for tree in trees for s in symbols_in(tree) if s[0] == kind})
    passed_on = ", ".join(label(*s) for s in symbols)

    def in_each(change):
        """All paths with the same thing gone wrong."""
        return _sum([simplified_throughout(change(t)) for t in trees], value)

    # A path is forgotten.
    for k, term in enumerate(asked.terms if len(trees) > 1 else ()):
        others = total(trees[:k] + trees[k + 1 :])
        way = "through" if kind == "adjoint" else "from"
        node = label("value", term.node)
        yield WrongTree(others, f"The path {way} {node} is missing: add up all paths.")

    # Matrices: a transpose or the order.
    yield WrongTree(in_each(_without_transposes), "A transpose is missing.")
    yield WrongTree(in_each(_in_other_order), "The factors are in the wrong order.")

    # A sign is lost, or one too many.
    *first, last = trees
    flipped = negated(simplified_throughout(last), np.negative(last.value))
    flipped = _sum([*first, flipped], value)
    yield WrongTree(flipped, "A sign is wrong." if first else "The sign is wrong.")

    # A value where a derivative belongs.
    def take_values(symbol):
        if symbol.kind != kind:
            return symbol
        return Symbol("value", symbol.row, trace.rows[symbol.row][1])

    for k, r in symbols[:1]:
        yield WrongTree(
            in_each(lambda t: _with(t, take_values)),
            f"This uses the value {label('value', r)} where the derivative {label(k, r)} belongs.",
        )

    # What comes along the edge is forgotten: only the edge's own derivative is left.
    def take_one(symbol):
        return Constant(1.0) if symbol.kind == kind else symbol

    scalar = not any(np.ndim(tree.value) for tree in trees)
    if scalar and symbols:
        way = "above" if kind == "adjoint" else "below"
        yield WrongTree(
            in_each(lambda t: _with(t, take_one)),
            f"The factor from {way} is missing: {passed_on}.",
        )

    # The other operand's rule.
    swaps = [_swap(trace, upper) for upper in uppers]
    if all(swaps):
        mixed = [_with(t, swap) for t, swap in zip(trees, swaps, strict=True)]
        yield WrongTree(
            _sum(mixed, value),
            "The two operands are mixed up: the derivative with respect to one factor contains "
            "the other.",
        )

    # The function instead of its derivative, for f(a): ā = ȳ·f(a) instead of ȳ·f′(a).
    rows = [trace.rows[upper] for upper in uppers]
    if scalar and all(
        PRIMITIVES[r[0]].elementwise and len(operands_of(r)) == 1 for r in rows
    ):
        functions = [
            _times(_derivative_in(tree, kind), value_tree(trace, upper))
            for tree, upper in zip(trees, uppers, strict=True)
        ]
        yield WrongTree(
            _sum(functions, value),
            "This multiplies by the function itself instead of its derivative.",
        )

    # Nothing is done on the way.
    yield WrongTree(
        _sum([_derivative_in(tree, kind) for tree in trees], value),
        f"This passes {passed_on} on unchanged: the edge's own derivative is missing.",
    )

    # The other mode's mark.
    def take_other(symbol):
        return replace(symbol, kind=OTHER[kind]) if symbol.kind == kind else symbol

    mark = {"adjoint": "bar", "tangent": "dot"}
    yield WrongTree(
        in_each(lambda t: _with(t, take_other)),
        f"That mark belongs to the other mode: {kind}s have a {mark[kind]}.",
    )


def _sum(trees, value):
    """The sum of wrong terms; ``value`` is the right one's: its shape decides the notation."""
    trees = [tree for tree in trees if tree is not ZERO] or [ZERO]
    whole = trees[0]
    for tree in trees[1:]:
        whole = Operation(PRIMITIVES["add"], (whole, tree), {}, value)
    return whole


def _with(tree, change):
    """The tree with each symbol changed."""
    if isinstance(tree, Operation):
        return replace(
            tree, operands=tuple(_with(operand, change) for operand in tree.operands)
        )
    return change(tree) if isinstance(tree, Symbol) else tree


def _swap(trace, row):
    """Put each of a product's two factors in the other's place; None for other operations."""
    name, operands = trace.rows[row][0], operands_of(trace.rows[row])
    if name not in ("multiply", *PRODUCTS):
        return None
    if any(type(o) is not int for o in operands) or operands[0] == operands[1]:
        return None
    other = dict(zip(operands, operands[::-1], strict=True))

    def change(symbol):
        if symbol.kind != "value" or symbol.row not in other:
            return symbol
        return Symbol("value", other[symbol.row], trace.rows[other[symbol.row]][1])

    return change


def _derivative_in(tree, kind):
    """The derivative that a term passes on; zero if there is none."""
    if isinstance(tree, Operation):
        found = (_derivative_in(operand, kind) for operand in tree.operands)
        return next((one for one in found if one is not ZERO), ZERO)
    return tree if isinstance(tree, Symbol) and tree.kind == kind else ZERO


def _times(a, b):
    return Operation(PRIMITIVES["multiply"], (a, b), {}, np.multiply(a.value, b.value))


def _without_transposes(tree):
    if not isinstance(tree, Operation):
        return tree
    if tree.primitive.name == "transpose":
        return tree.operands[0]
    return replace(tree, operands=tuple(map(_without_transposes, tree.operands)))


def _in_other_order(tree):
    if isinstance(tree, Operation) and tree.primitive.name in PRODUCTS:
        return replace(tree, operands=tree.operands[::-1])
    return tree


def _is_right(tree, right):
    """Whether a formula comes to the same whatever derivatives are put in.

    Not only those of this pass: where one of them happens to be 0, a path could be left out.
    """
    if has_other_mark(tree, right):
        return False

    def anything(symbol):
        if symbol.kind == "value":
            return symbol.value
        one = 1 + symbol.row * 0.618 % 1
        return (
            one + np.arange(np.size(symbol.value)).reshape(np.shape(symbol.value)) % 7
        )

    try:
        one, other = value_of(tree, anything), value_of(right, anything)
    except ValueError:  # shapes that don't fit
        return False
    return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=0.02)


def has_other_mark(tree: Tree, right: Tree) -> bool:
    """Whether a formula has tangents in it where adjoints belong, or the other way round."""
    marks = {kind for kind, _ in symbols_in(right)} | {"value"}
    return any(kind not in marks for kind, _ in symbols_in(tree))

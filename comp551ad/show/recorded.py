"""What ran, as trees: ``Symbol``, ``Constant`` and ``Operation``.

There are no derivative rules here. To get a derivative's tree, the pass (``push_forward``,
``pull_back``) processes the row again, on placeholders that record the operations on them. A symbol
stands for a whole derivative, of the shape of its value (``pass["a5"]``), even where the pass
stores a smaller one because it is uniform. ``formula`` writes trees down.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from comp551ad.autodiff.operands import edges_of, operands_of, parameters_of
from comp551ad.autodiff.passes import pull_back, push_forward
from comp551ad.autodiff.primitives import PRIMITIVES, Primitive
from comp551ad.autodiff.tape import Tape, Tracer, concrete
from comp551ad.autodiff.trace import Pass, Trace

MOST = 24  # symbols and operations in a formula in terms of the inputs


@dataclass(frozen=True, eq=False)
class Symbol:
    """A value or a derivative of a node, by the node's row number.

    kind is "value", "tangent" or "adjoint"; value is the number or array that it stands for.
    """

    kind: str
    row: int
    value: Any


@dataclass(frozen=True, eq=False)
class Constant:
    """A number or an array that isn't a row of the list; ``word`` is what to call it."""

    value: Any
    word: str | None = None


@dataclass(frozen=True, eq=False)
class Operation:
    """A primitive applied to trees, and its result."""

    primitive: Primitive
    operands: tuple
    parameters: dict
    value: Any


Tree = Symbol | Constant | Operation
ZERO = Constant(0.0)


def value_tree(trace: Trace, row: int) -> Tree:
    """How a node was computed from its operands: one operation on symbols."""
    entry = trace.rows[row]
    if entry[0] == "input":
        return Symbol("value", row, entry[1])
    return _operation(entry, lambda o: Symbol("value", o, trace.rows[o][1]))


def _operation(entry, tree_of):
    """A row of a tape as an operation on the trees of its operands."""
    operands = operands_of(entry)
    trees = (tree_of(o) if type(o) is int else Constant(o) for o in operands)
    return Operation(PRIMITIVES[entry[0]], tuple(trees), parameters_of(entry), entry[1])


def expanded_trees(value_trees: Mapping[int, Tree]) -> dict[int, Tree]:
    """The nodes in terms of the inputs, with the operands' trees substituted recursively.

    Reused nodes would make trees grow exponentially, so operands remain symbols where the whole
    would have more than ``MOST`` symbols and operations. The smallest are substituted first.
    """
    trees: dict[int, Tree] = {}
    for k, tree in value_trees.items():
        inner = [] if isinstance(tree, Symbol) else [o for _, o in symbols_in(tree)]
        sizes = {o: size(trees[o]) for o in inner if o in trees}
        room, chosen = MOST - size(tree), {}
        for o in sorted(sizes, key=lambda o: (sizes[o], -o)):
            room -= inner.count(o) * (sizes[o] - 1)
            if room >= 0:
                chosen["value", o] = trees[o]
        trees[k] = substituted(tree, chosen) if chosen else tree
    return trees


def substituted(
    tree: Tree, trees: Mapping[tuple[str, int], Tree], tidy: Callable = lambda x: x
) -> Tree:
    """A tree with trees substituted for symbols, by (kind, row number), and ``tidy`` applied to
    each operation."""
    if isinstance(tree, Operation):
        operands = tuple(substituted(operand, trees, tidy) for operand in tree.operands)
        return tidy(replace(tree, operands=operands))
    return trees.get((tree.kind, tree.row), tree) if isinstance(tree, Symbol) else tree


def terms_of(run: Pass, wanted: Collection[int]) -> dict[int, list[tuple]]:
    """For each wanted row, the terms of its derivative: (the edge's other node, operand, tree).

    In forward mode there is one per edge into it, in the order of the operands; in reverse mode one
    per edge out of it, first user first (as on the slide).
    """
    found: dict[int, list[tuple]] = {row: [] for row in wanted}
    for row, entry in enumerate(run.trace.rows):
        ends = {o for _, o in edges_of(entry)}
        if run.mode == "forward" and row in found:
            known = {o: Symbol("tangent", o, run[o + 1]) for o in ends}
            shares = terms(run.trace, row, known, push_forward)
            found[row] = [(o, p, tree) for p, o, tree in shares]
        elif run.mode == "reverse" and found.keys() & ends:
            adjoint = {row: Symbol("adjoint", row, run[row + 1])}
            for p, o, tree in terms(run.trace, row, adjoint, pull_back):
                found.get(o, []).append((row, p, tree))
    return found


def terms(
    trace: Trace, row: int, derivatives: dict[int, Symbol], walk: Callable
) -> list[tuple[int, int, Tree]]:
    """Run ``push_forward`` or ``pull_back`` over one row with placeholders, also for the
    ``derivatives``, and read (position, operand, term) off the tape."""
    entry = trace.rows[row]
    ends = edges_of(entry)
    if not ends:
        return []
    values = [*dict.fromkeys(o for _, o in ends), row]
    symbols = [Symbol("value", o, trace.rows[o][1]) for o in values]
    symbols += derivatives.values()
    number = {o: k for k, o in enumerate(values)}
    with Tape() as tape:
        # What a rule computes from data is data.
        tape.origins = trace.origins
        inputs = [tape.add_input(symbol.value, "symbol") for symbol in symbols]
        rows: list[tuple] = [("input", x) for x in inputs[: len(values) - 1]]
        operands = [number[o] if type(o) is int else o for o in operands_of(entry)]
        y = inputs[number[row]]
        rows.append((entry[0], y, *operands, parameters_of(entry)))
        seeds = zip(map(number.get, derivatives), inputs[len(values) :], strict=True)
        shares: list[tuple] = []
        walk(rows, list(seeds), terms=shares)
        found = {p: _tree(term, tape.rows, symbols) for _, p, term in shares}
    return [(p, o, found.get(p, ZERO)) for p, o in ends]


def _tree(result, rows, symbols) -> Tree:
    """A rule's result as a tree."""

    def tree_of(k):
        if k < len(symbols):
            return symbols[k]
        return _operation(rows[k], tree_of)

    return tree_of(result.index) if type(result) is Tracer else Constant(result)


def closed_form(tree: Tree, values: Mapping, derivatives: Mapping) -> Any:
    """A derivative in terms of the inputs, simplified as on the slide.

    Args:
        tree: the derivative's formula.
        values, derivatives: row number -> the tree to substitute for a value, for a derivative.

    Returns:
        The tree; None if one to substitute is None, or if it would have more than ``MOST`` symbols
        and operations.
    """
    known: dict[tuple[str, int], Any] = {
        (kind, row): (values if kind == "value" else derivatives)[row]
        for kind, row in symbols_in(tree)
    }
    if None in known.values():
        return None
    built = substituted(tree, known, simplified)
    return built if size(built) <= MOST else None


def size(tree: Tree) -> int:
    """The number of symbols and operations in a tree."""
    if isinstance(tree, Operation):
        return 1 + sum(size(o) for o in tree.operands)
    return int(isinstance(tree, Symbol))


def simplified(tree: Operation) -> Tree:
    """An operation on simplified operands, without 0·x, 1·x, x + 0 and −(−x); factors first."""
    name = tree.primitive.name
    parts = [_scaled(operand) for operand in tree.operands]
    if name == "negative":
        ((c, x),) = parts
        return _times(-c, x)
    if name not in ("add", "subtract", "multiply", "divide"):
        return tree
    (a, b), ((m, x), (n, y)) = tree.operands, parts
    if name == "multiply":
        factors = [one for one in (x, y) if one is not None]
        if len(factors) == 2:
            value = np.multiply(x.value, y.value)
            factors = [replace(tree, operands=(x, y), value=value)]
        return _times(m * n, *factors)
    if name == "divide":
        return ZERO if m == 0 else a if (n, y) == (1, None) else tree
    if n == 0:
        return a
    if m == 0:
        return b if name == "add" else _times(-n, y)
    return tree


def _scaled(tree):
    """A tree's numeric factor and the rest: (−2, x) for −2·x, (2, None) for 2."""
    if (number := number_of(tree)) is not None:
        return number, None
    if isinstance(tree, Operation) and tree.primitive.name == "negative":
        number, rest = _scaled(tree.operands[0])
        return -number, rest
    if isinstance(tree, Operation) and tree.primitive.name == "multiply":
        number = number_of(tree.operands[0])
        if number is not None:
            return number, tree.operands[1]
    return 1.0, tree


def _times(number, x=None):
    """A number times a tree, in its usual notation: −x rather than −1·x."""
    if number == 0 or x is None:
        return Constant(number) if number else ZERO
    if number == 1:
        return x
    sign = number == -1
    operands = (x,) if sign else (Constant(number), x)
    name = "negative" if sign else "multiply"
    return Operation(PRIMITIVES[name], operands, {}, np.multiply(number, x.value))


def number_of(tree: Any) -> Any:
    """The tree's value if it is a constant number, else None."""
    if isinstance(tree, Constant) and np.ndim(tree.value) == 0:
        return float(tree.value)
    return None


def total(trees: Iterable) -> Tree:
    """The sum of the terms, without those that a rule says are zero.

    It is a balanced tree of sums, which reads the same and isn't too deep for recursion.
    """
    trees = [t for t in trees if t is not ZERO]
    if len(trees) < 2:
        return trees[0] if trees else ZERO
    half = (len(trees) + 1) // 2
    parts = total(trees[:half]), total(trees[half:])
    value = np.add(*(concrete(part.value) for part in parts))
    return Operation(PRIMITIVES["add"], parts, {}, value)


def symbols_in(tree: Tree) -> list[tuple[str, int]]:
    """The (kind, row number) of every symbol in a tree, each as often as it occurs."""
    if isinstance(tree, Operation):
        return [symbol for operand in tree.operands for symbol in symbols_in(operand)]
    return [(tree.kind, tree.row)] if isinstance(tree, Symbol) else []

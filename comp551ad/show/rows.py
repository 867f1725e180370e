"""Rows: a trace, and a pass over it, as inert data: strings and plain numbers, nothing else.

What this module is: the one step between a computation and all that shows it. Tables, graphs and
steppers read what ``rows_of`` gives, and do no mathematics.

    Rows                 the whole: the function, the mode, one Row per node, the steps
      Row                a node: its labels, its formula, its value
        Derivative       its tangent or adjoint: formula, numbers put in, value
          Term           one path's share of it (S04)
        Mistake          a wrong formula for it, and what is wrong with it
        Matrix           one part of a formula with arrays in it
      Step               one step of the pass, and what no later step needs (S13)

Where something is written in symbols it is a ``Formula``: ``.text``, ``.latex``, ``.html``.

Reads: ``recorded``, ``formula``, ``mistakes``, ``matrices``, ``autodiff``.
Read by: ``table``, ``graph``, ``steppers``.
"""

from dataclasses import dataclass

import numpy as np

from comp551ad.autodiff.forward import ForwardPass, full
from comp551ad.autodiff.reverse import ReversePass
from comp551ad.autodiff.trace import Trace

from . import figures, formula, matrices, mistakes, recorded
from .formula import Formula
from .matrices import Matrix

Shown = Trace | ForwardPass | ReversePass

__all__ = [
    "MOST_ROWS",
    "Derivative",
    "Mistake",
    "Row",
    "Rows",
    "Shown",
    "Step",
    "Term",
    "rows_of",
]

# A longer trace shows its first and its last rows, and no steps.
MOST_ROWS = 120


@dataclass(frozen=True)
class Mistake:
    """A common mistake in a derivative.

    Attributes:
        formula: the wrong formula, as text.
        value: what it comes to; None for an array, and where that means nothing.
        explanation: what is wrong with it, in a sentence.
    """

    formula: str
    value: float | None
    explanation: str


@dataclass(frozen=True)
class Term:
    """One path's share of a derivative.

    Attributes:
        node: the number of the node at the edge's other end: of an operand in forward mode, of a
            node that uses this one in reverse mode.
        operand: which operand of the upper node the edge goes to, from 0.
        formula, numbers: the share in symbols, and with numbers put in.
        local: the edge's own derivative, ∂a₆/∂a₅ = cos a₅, if the operation is elementwise.
        local_numbers: the same with numbers put in.
        value, value_text: the share; value is None for an array.
        mistakes, matrices: as a derivative has them.
    """

    node: int
    operand: int
    formula: Formula
    numbers: Formula
    local: Formula | None
    local_numbers: Formula | None
    value: float | None
    value_text: str
    mistakes: tuple[Mistake, ...] = ()
    matrices: tuple[Matrix, ...] = ()


@dataclass(frozen=True)
class Derivative:
    """A node's tangent or adjoint.

    Attributes:
        label: ȧ₅ or ā₅.
        formula, numbers: its right-hand side, in symbols and with numbers put in.
        closed: in terms of the inputs, where everything is a number and it is short; else None.
        terms: the paths that it is the sum of.
        seed: whether the pass starts with it.
        value, value_text: what it is; value is None for an array.
        mistakes: common mistakes in it; only with ``details``.
        matrices: the equation's two sides, taken apart; only with ``details``, and only if
            there is an array in it.
    """

    label: Formula
    formula: Formula
    numbers: Formula
    closed: Formula | None
    terms: tuple[Term, ...]
    seed: bool
    value: float | None
    value_text: str
    mistakes: tuple[Mistake, ...] = ()
    matrices: tuple[Matrix, ...] = ()

    @property
    def equation(self) -> Formula:
        """ā₅ = ā₆·cos a₅ − ā₇·sin a₅"""
        return formula.assignment(self.label, self.formula)

    @property
    def shown_value(self) -> Formula:
        """The value, after its closed form where there is one: x·cos(w1·x + w0) = −0.8011."""
        value = formula.as_formula(self.value_text)
        if self.closed is None or self.closed.text == self.value_text:
            return value
        return formula.assignment(self.closed, value)

    @property
    def worked(self) -> Formula:
        """ā₅ = 0·cos 2.5 − 1·sin 2.5 = −0.5985"""
        return _worked(self.label, self.numbers, self.value_text)


@dataclass(frozen=True)
class Row:
    """A node.

    Attributes:
        index: its number in the list, from 1.
        key: "a5".
        label: a₅, or the name in ``names="names"``.
        name: the variable's name as the user wrote it, or "".
        operation: a sign for a graph's node, such as "sin" or "0.5·"; "" for an input.
        operands: per edge into it (operand's position, the other node's number).
        formula, numbers: its right-hand side, in symbols and with numbers put in.
        expanded: in terms of the inputs' names, as far as that is short.
        value, value_text, shape: what it is; value is None for an array.
        derivative: of the pass; None where there is only a trace.
        is_output: whether the function returns it.
        matrices: the equation's parts, as a derivative has them.
        named: the variable's name as a formula; None for an input, and where there is no name.
    """

    index: int
    key: str
    label: Formula
    name: str
    operation: str
    operands: tuple[tuple[int, int], ...]
    formula: Formula
    numbers: Formula
    expanded: Formula
    value: float | None
    value_text: str
    shape: tuple[int, ...]
    derivative: Derivative | None
    is_output: bool
    matrices: tuple[Matrix, ...] = ()
    named: Formula | None = None

    @property
    def equation(self) -> Formula:
        """a₅ = a₄ + a₁; for an input a₁ = w0."""
        return formula.assignment(self.label, self.formula)

    @property
    def introduced(self) -> Formula:
        """The formula in terms of the inputs, after the variable's name: a = w1·x + w0."""
        if self.named is None:
            return self.expanded
        return formula.assignment(self.named, self.expanded)

    @property
    def shown_value(self) -> Formula:
        """The value, or an array's summary."""
        return formula.as_formula(self.value_text)

    @property
    def worked(self) -> Formula:
        """a₅ = 2 + 0.5 = 2.5"""
        return _worked(self.label, self.numbers, self.value_text)


@dataclass(frozen=True)
class Step:
    """One step of a pass.

    Attributes:
        number: from 1.
        node: the node whose turn it is.
        finds: what it works out: ("value",), ("value", "derivative") or ("derivative",).
        drops: (node, "value" or "derivative") of all that no later step needs. The results
            stay: the outputs, their tangents, the adjoints of the inputs.
        drops_text: the same as labels: "a₄, ȧ₄, a₁, ȧ₁".
    """

    number: int
    node: int
    finds: tuple[str, ...]
    drops: tuple[tuple[int, str], ...]
    drops_text: str


@dataclass(frozen=True)
class Rows:
    """A trace, or a pass over it.

    Attributes:
        function: the recorded function's name.
        mode: "values" (a trace), "forward" or "reverse".
        about: the input that forward mode is for, the output that reverse mode is for, or "".
        rows: a1 first.
        order: the numbers of the nodes in the order in which the pass takes them.
        steps: in forward mode one per node; in reverse mode the evaluation, then the way back.
        left_out: how many rows in the middle of a long trace are not in ``rows``.
    """

    function: str
    mode: str
    about: str
    rows: tuple[Row, ...]
    order: tuple[int, ...]
    steps: tuple[Step, ...]
    left_out: int

    def row(self, node: int) -> Row:
        """The row of a node, by its number."""
        return next(row for row in self.rows if row.index == node)


def rows_of(
    shown: Shown,
    names: str = "labels",
    details: bool = False,
) -> Rows:
    """A trace, or a pass over it, as rows.

    Args:
        shown: from ``record``, ``forward`` or ``reverse``.
        names: "labels" writes a₅ = a₄ + a₁ as the deck does, "names" writes the user's own
            names where there are some: Q = X·V.
        details: whether to work out mistakes and matrices, for a player.

    Raises:
        TypeError: ``shown`` is something else.
        ValueError: ``names`` is neither.
    """
    if names not in ("labels", "names"):
        raise ValueError(f"names: got {names!r}, expected 'labels' or 'names'")
    if not isinstance(shown, Shown):
        raise TypeError(
            f"shown: got {type(shown).__name__}, expected what record, forward or reverse "
            "returned"
        )
    # The pass itself has warned of what overflows.
    with np.errstate(all="ignore"):
        return _Reading(shown, names, details).rows()


class _Reading:
    """What ``rows_of`` works out on the way."""

    def __init__(self, shown, names, details):
        self.trace = trace = shown if isinstance(shown, Trace) else shown.trace
        self.derivatives = None if shown is trace else shown
        self.names = trace.names if names == "names" else {}
        self.details = details
        every, half = range(len(trace.rows)), MOST_ROWS // 2
        self.left_out = max(0, len(every) - MOST_ROWS)
        self.chosen = [*every[:half], *every[-half:]] if self.left_out else list(every)
        self.values = {k: recorded.value_tree(trace, k) for k in self.chosen}
        self.edges = {k: recorded.edges(trace, k) for k in self.chosen}
        self.mode, self.about, self.terms = "values", "", {}
        if isinstance(shown, ForwardPass):
            self.mode, self.about, self.kind = "forward", shown.wrt, "tangent"
            self.terms = {k: recorded.tangent_terms(shown, k) for k in self.chosen}
        elif isinstance(shown, ReversePass):
            self.mode, self.about, self.kind = "reverse", shown.of, "adjoint"
            terms = recorded.adjoint_terms(shown)
            self.terms = {k: terms[k] for k in self.chosen}
        self.trees = {k: self._right_hand_side(k) for k in self.terms}
        self.expanded = recorded.expanded_trees(self.values)
        self.closed = self._closed_forms() if self.trees and not self.left_out else {}
        self.needs = {k: recorded.symbols_in(tree) for k, tree in self.trees.items()}

    def rows(self) -> Rows:
        order = [k + 1 for k in self.chosen]
        if self.mode == "reverse":
            order.reverse()
        return Rows(
            function=self.trace.function,
            mode=self.mode,
            about=self.about,
            rows=tuple(self._row(k) for k in self.chosen),
            order=tuple(order),
            steps=() if self.left_out else tuple(self._steps()),
            left_out=self.left_out,
        )

    # -- derivatives

    def _right_hand_side(self, k):
        """A derivative's formula: the seed, if the pass starts here, and the terms."""
        seeds = self.derivatives.seeds
        trees = [recorded.Constant(seed, "seed") for row, seed in seeds if row == k]
        return recorded.total([*trees, *(term.tree for term in self.terms[k])])

    def _closed_forms(self):
        """Every derivative in terms of the inputs; only where all values are numbers."""
        if any(np.ndim(row[1]) for row in self.trace.rows):
            return {}
        closed = {}
        for k in self.chosen if self.mode == "forward" else reversed(self.chosen):
            closed[k] = recorded.closed_form(self.trees[k], self.expanded, closed)
        return closed

    # -- rows

    def _row(self, k):
        row, tree = self.trace.rows[k], self.values[k]
        is_input = isinstance(tree, recorded.Symbol)
        name = self.trace.names.get(k, "")
        shown = (
            formula.symbol("value", k, self.trace.names)
            if is_input
            else self._write(tree)
        )
        label = formula.symbol("value", k, self.names)
        operation = formula.badge(tree)
        named = None
        if name and operation:
            named = formula.symbol("value", k, self.trace.names)
        return Row(
            index=k + 1,
            key=f"a{k + 1}",
            label=label,
            name=name,
            operation=operation,
            operands=tuple((p, o + 1) for p, o in self.edges[k]),
            formula=shown,
            numbers=self._write(tree, numbers=True),
            expanded=formula.write(self.expanded[k], self.trace.names),
            value=_plain(row[1]),
            value_text=figures.value_text(row[1]),
            shape=np.shape(row[1]),
            derivative=self._derivative(k) if k in self.trees else None,
            is_output=k in self.trace.outputs,
            matrices=self._matrices(tree, label),
            named=named,
        )

    def _derivative(self, k):
        tree, value = self.trees[k], self.derivatives[k + 1]
        closed = self.closed.get(k)
        is_constant = recorded.is_scalar(closed) is not None
        label = formula.symbol(self.kind, k, self.names)
        return Derivative(
            label=label,
            formula=self._write(tree),
            numbers=self._write(tree, numbers=True),
            closed=None if closed is None else formula.write(closed, self.trace.names),
            terms=tuple(self._terms(k)),
            seed=self._is_seed(k),
            value=_plain(value),
            value_text=(figures.constant if is_constant else figures.value_text)(value),
            mistakes=tuple(self._mistakes(k, self.terms[k], tree)),
            matrices=self._matrices(tree, label),
        )

    def _is_seed(self, k):
        return any(row == k for row, _ in self.derivatives.seeds)

    def _terms(self, k):
        # Such a term has no step of its own.
        alone = self.mode == "forward" or len(self.terms[k]) == 1
        for node, operand, tree in self.terms[k]:
            upper = k if self.mode == "forward" else node
            local = recorded.local_derivative(self.trace, upper, operand)
            value = full(tree.value, self.trace.rows[k][1])
            own = [recorded.TermTree(node, operand, tree)]
            yield Term(
                node=node + 1,
                operand=operand,
                formula=self._write(tree),
                numbers=self._write(tree, numbers=True),
                local=None if local is None else self._write(local),
                local_numbers=None
                if local is None
                else self._write(local, numbers=True),
                value=_plain(value),
                value_text=figures.value_text(value),
                mistakes=() if alone else tuple(self._mistakes(k, own, tree)),
                matrices=() if alone else self._matrices(tree, None),
            )

    # -- details

    def _mistakes(self, k, terms, right):
        """Common mistakes in the formula with these terms."""
        # A longer sum is too long to choose from.
        if not self.details or len(terms) > recorded.GROUP:
            return
        if self._is_seed(k) and (terms or np.ndim(self.derivatives.seeds[0][1])):
            return
        asked = mistakes.Asked(
            self.trace, self.kind, k, terms, self._named, self._is_seed(k)
        )
        is_number = not np.ndim(self.trace.rows[k][1])
        for tree, explanation in mistakes.mistakes_with(asked):
            value = None
            if is_number and not mistakes.has_other_mark(tree, right):
                # Adding 0 turns −0 into 0.
                value = float(mistakes.value_of(tree)) + 0.0
            yield Mistake(formula.in_text(tree, self.names), value, explanation)

    def _matrices(self, tree, label):
        """An equation's parts, if there is an array in it."""
        if not self.details or isinstance(tree, recorded.Symbol):
            return ()
        return matrices.factors(
            tree,
            label.text if label else "",
            lambda part: formula.in_text(part, self.names),
        )

    def _named(self, kind, row):
        return formula.symbol(kind, row, self.names).text

    def _write(self, tree, numbers=False):
        return formula.write(tree, self.names, numbers)

    # -- steps

    def _steps(self):
        """Each step with what nobody needs after it: uses are looked up in the formulas."""
        plan = [(k, ("value",)) for k in self.chosen]
        if self.mode == "forward":
            plan = [(k, ("value", "derivative")) for k in self.chosen]
        elif self.mode == "reverse":
            plan += [(k, ("derivative",)) for k in reversed(self.chosen)]
        last = {}  # (row, what) -> the number of the last step that needs it
        for number, (k, finds) in enumerate(plan, 1):
            for what in finds:
                last.setdefault((k, what), number)
            if "value" in finds:
                last.update({(o, "value"): number for _, o in self.edges[k]})
            if "derivative" in finds:
                for kind, row in self.needs[k]:
                    what = "value" if kind == "value" else "derivative"
                    last[row, what] = number
        for wanted in self._wanted():
            last.pop(wanted, None)
        for number, (k, finds) in enumerate(plan, 1):
            drops = sorted((d for d, at in last.items() if at == number), reverse=True)
            drops.sort(key=lambda drop: -drop[0])
            drops = [(row, what) for row, what in drops]
            yield Step(
                number=number,
                node=k + 1,
                finds=finds,
                drops=tuple((row + 1, what) for row, what in drops),
                drops_text=", ".join(self._label(*drop) for drop in drops),
            )

    def _wanted(self):
        """The results, which stay."""
        wanted = {(k, "value") for k in self.trace.outputs}
        if self.mode == "forward":
            wanted |= {(k, "derivative") for k in self.trace.outputs}
        elif self.mode == "reverse":
            wanted |= {(k, "derivative") for k in self.trace.inputs}
        return wanted

    def _label(self, row, what):
        return self._named("value" if what == "value" else self.kind, row)


def _plain(x):
    return None if np.ndim(x) else float(x)


def _worked(label, numbers, value):
    """label = numbers = value, without repeating anything."""
    if numbers.text in (value, label.text):
        return formula.assignment(label, formula.as_formula(value))
    return formula.assignment(
        formula.assignment(label, numbers), formula.as_formula(value)
    )

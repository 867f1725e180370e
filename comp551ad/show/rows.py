"""Rows: a trace, and a pass over it, as inert data, only strings and plain numbers.

Tables, graphs and steppers use what ``rows_of`` returns and do no mathematics.

    Rows                 the function, the mode, one Row per node, the steps
      Row                a node: its labels, its formula, its value
        Derivative       its tangent or adjoint: formula, value
          Term           one path's share of it (S04)
      Step               one step of the pass, and what no later step needs (S13)

Anything written in symbols is a ``Formula``, with ``.text``, ``.latex`` and ``.html``.
"""

from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from comp551ad.autodiff.operands import edges_of
from comp551ad.autodiff.passes import full
from comp551ad.autodiff.trace import Pass, Trace
from comp551ad.shapes import one_of

from . import figures, formula, recorded
from .arguments import expect
from .formula import Formula

Shown = Trace | Pass

__all__ = [
    "MOST_ROWS",
    "Derivative",
    "Row",
    "Rows",
    "Shown",
    "Step",
    "Term",
    "rows_of",
]

# What nodes are called: a₅, or the user's own names.
NAMES = "labels", "names"
# A longer trace shows its first and its last rows, and no steps.
MOST_ROWS = 120


@dataclass(frozen=True)
class Term:
    """One path's share of a derivative.

    Attributes:
        node: the node at the edge's other end: in forward mode an operand, in reverse mode a user.
        operand: the position, from 0, of the edge's lower node among the upper node's operands.
        formula, value, value_text: the share; value is None for an array.
    """

    node: int
    operand: int
    formula: Formula
    value: float | None
    value_text: str


@dataclass(frozen=True)
class Quantity:
    """A node's value, or its derivative in a pass.

    Attributes:
        label: a₅, ȧ₅ or ā₅; with ``names="names"``, the name.
        formula: the right-hand side, in symbols.
        value, value_text: the number; value is None for an array.
    """

    label: Formula
    formula: Formula
    value: float | None
    value_text: str

    @property
    def equation(self) -> Formula:
        """ā₅ = ā₆·cos a₅ − ā₇·sin a₅; for an input a₁ = w0, or just w0 with its own name."""
        if self.formula.text == self.label.text:
            return self.label
        return formula.assignment(self.label, self.formula)

    @property
    def shown_value(self) -> Formula:
        """The value, or an array's summary."""
        return formula.as_formula(self.value_text)

    @property
    def worked(self) -> Formula:
        """ā₅ = ā₆·cos a₅ − ā₇·sin a₅ = −0.5985, without repeating anything."""
        if self.formula.text == self.value_text:
            return self.equation
        return formula.assignment(self.equation, formula.as_formula(self.value_text))


@dataclass(frozen=True)
class Derivative(Quantity):
    """A node's tangent or adjoint.

    Attributes:
        closed: in terms of the inputs, if all values are numbers and it is short; else None.
        terms: the shares that add up to it.
    """

    closed: Formula | None
    terms: tuple[Term, ...]

    @property
    def shown_value(self) -> Formula:
        """The value, after its closed form if there is one: x·cos(w1·x + w0) = −0.8011."""
        value = formula.as_formula(self.value_text)
        if self.closed is None or self.closed.text == self.value_text:
            return value
        return formula.assignment(self.closed, value)


@dataclass(frozen=True)
class Row(Quantity):
    """A node.

    Attributes:
        index: its number in the list, from 1.
        name: the variable's name as the user wrote it, or "".
        operation: the sign in a graph's node, such as "sin" or "0.5·"; "" for an input.
        operands: for each edge into it, (operand's position, the other node's number).
        expanded: in terms of the inputs' names, unless that gets too long.
        shape: the shape of its value.
        derivative: its derivative in the pass; None for a trace.
        state: in a still "current", "done", "waiting" or "discardable".
    """

    index: int
    name: str
    operation: str
    operands: tuple[tuple[int, int], ...]
    expanded: Formula
    shape: tuple[int, ...]
    derivative: Derivative | None
    state: str = ""

    @property
    def key(self) -> str:
        """The node's id in a picture and on the page: "a5"."""
        return f"a{self.index}"

    @property
    def introduced(self) -> Formula:
        """The formula in terms of the inputs, after the variable's name: a = w1·x + w0."""
        if not (self.name and self.operation):
            return self.expanded
        row = self.index - 1
        name = formula.symbol("value", row, {row: self.name})
        return formula.assignment(name, self.expanded)


@dataclass(frozen=True)
class Step:
    """One step of a pass.

    Attributes:
        number: from 1.
        node: the node that it is about.
        finds: ("value",), ("value", "derivative") or ("derivative",).
        drops: each (node, "value" or "derivative") last needed by this step, except the results.
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
        about: forward mode's input, reverse mode's output, or "".
        rows: a1 first.
        steps: in forward mode one per node; in reverse mode the evaluation, then the backward pass.
        left_out: how many rows in the middle of a long trace are not in ``rows``.
        messages: in a still, the texts on edges at its step, by ``layout.edge_key``.
    """

    function: str
    mode: str
    about: str
    rows: tuple[Row, ...]
    steps: tuple[Step, ...]
    left_out: int
    messages: dict[str, str] = field(default_factory=dict)

    def row(self, node: int) -> Row:
        """The row of a node, by its number."""
        return next(row for row in self.rows if row.index == node)

    @property
    def subject(self) -> str:
        """Which derivatives are shown; "" for a trace."""
        ways = {"forward": "with respect to", "reverse": "of"}
        way = ways.get(self.mode)
        return f"derivatives {way} {self.about}" if way else ""

    @property
    def kept(self) -> list[int]:
        """How many numbers are kept after each step: already computed and still needed."""
        return list(accumulate(len(s.finds) - len(s.drops) for s in self.steps))


def rows_of(shown: Shown | Rows, names: str = "labels") -> Rows:
    """A trace, or a pass over it, as rows.

    Args:
        shown: from ``record``, ``forward`` or ``reverse``; rows are returned as they are.
        names: "labels" writes a₅ = a₄ + a₁ as the deck does, "names" uses the user's own names
            where there are some: Q = X·V.

    Raises:
        TypeError: ``shown`` is something else.
        ValueError: ``names`` is neither.
    """
    if isinstance(shown, Rows):
        return shown
    one_of("names", names, NAMES)
    expect("shown", shown, Shown, "what record, forward or reverse returned")
    # The pass has already warned of overflows.
    with np.errstate(all="ignore"):
        return _Reading(shown, names).rows()


class _Reading:
    """Converts a trace or a pass to rows: trees first, then their texts."""

    def __init__(self, shown, names):
        self.trace = trace = shown if isinstance(shown, Trace) else shown.trace
        self.derivatives = None if shown is trace else shown
        self.names = trace.names if names == "names" else {}
        every, half = range(len(trace.rows)), MOST_ROWS // 2
        self.left_out = max(0, len(every) - MOST_ROWS)
        self.chosen = [*every[:half], *every[-half:]] if self.left_out else list(every)
        self.values = {k: recorded.value_tree(trace, k) for k in self.chosen}
        self.expanded = recorded.expanded_trees(self.values)
        self.edges = {k: edges_of(trace.rows[k]) for k in self.chosen}
        self.mode, self.about, self.terms = "values", "", {}
        if shown is not trace:
            self.mode, self.about = shown.mode, shown.wrt or shown.of
            self.kind = "tangent" if shown.mode == "forward" else "adjoint"
            self.terms = recorded.terms_of(shown, self.chosen)
        self.trees = {k: self._right_hand_side(k) for k in self.terms}
        arrays = any(np.ndim(row[1]) for row in trace.rows)
        self.closed = {} if self.left_out or arrays else self._closed_forms()

    def rows(self) -> Rows:
        return Rows(
            function=self.trace.function,
            mode=self.mode,
            about=self.about,
            rows=tuple(map(self._row, self.chosen)),
            steps=() if self.left_out else tuple(self._steps()),
            left_out=self.left_out,
        )

    # -- derivatives

    def _right_hand_side(self, k):
        """A derivative's formula: the seed, if the node has one, plus the terms."""
        seeds = self.derivatives.seeds
        trees = [recorded.Constant(seed, "seed") for row, seed in seeds if row == k]
        return recorded.total([*trees, *(tree for *_, tree in self.terms[k])])

    def _closed_forms(self):
        """Every derivative in terms of the inputs."""
        closed = {}
        for k in self.trees if self.mode == "forward" else reversed(self.trees):
            closed[k] = recorded.closed_form(self.trees[k], self.expanded, closed)
        return closed

    # -- rows

    def _row(self, k):
        row, tree = self.trace.rows[k], self.values[k]
        return Row(
            index=k + 1,
            label=formula.symbol("value", k, self.names),
            name=self.trace.names.get(k, ""),
            operation=formula.badge(tree),
            operands=tuple((p, o + 1) for p, o in self.edges[k]),
            # An input's formula is its name.
            formula=self._write(tree, None if self.edges[k] else self.trace.names),
            expanded=self._write(self.expanded[k], self.trace.names),
            shape=np.shape(row[1]),
            derivative=self._derivative(k) if k in self.trees else None,
            **_value(row[1]),
        )

    def _derivative(self, k):
        closed, value = self.closed.get(k), _value(self.derivatives[k + 1])
        if recorded.number_of(closed) is not None:
            value["value_text"] = figures.constant(value["value"])
        return Derivative(
            label=formula.symbol(self.kind, k, self.names),
            formula=self._write(self.trees[k]),
            closed=closed and self._write(closed, self.trace.names),
            terms=tuple(self._term(k, *term) for term in self.terms[k]),
            **value,
        )

    def _term(self, k, node, operand, tree):
        value = full(tree.value, self.trace.rows[k][1])
        return Term(node + 1, operand, self._write(tree), **_value(value))

    def _write(self, tree, names=None):
        names = self.names if names is None else names
        return formula.write(tree, names, self.trace.origins)

    # -- steps

    def _steps(self):
        """Each step, with what is no longer needed after it."""
        plan = [(k, ("value",)) for k in self.chosen]
        if self.mode == "forward":
            plan = [(k, ("value", "derivative")) for k in self.chosen]
        elif self.mode == "reverse":
            plan += [(k, ("derivative",)) for k in reversed(self.chosen)]
        # (row, what) -> the number of the last step that needs it.
        last = {}
        for number, (k, finds) in enumerate(plan, 1):
            last.update(dict.fromkeys([(k, what) for what in finds], number))
            if "value" in finds:
                last.update({(o, "value"): number for _, o in self.edges[k]})
            if "derivative" in finds:
                for kind, row in recorded.symbols_in(self.trees[k]):
                    last[row, "value" if kind == "value" else "derivative"] = number
        # Results are never dropped.
        outputs, inputs = self.trace.outputs, self.trace.inputs
        ends = {"forward": outputs, "reverse": inputs}.get(self.mode, ())
        for k in outputs:
            last.pop((k, "value"), None)
        for k in ends:
            last.pop((k, "derivative"), None)
        for number, (k, finds) in enumerate(plan, 1):
            drops = sorted((d for d, at in last.items() if at == number), reverse=True)
            yield Step(
                number=number,
                node=k + 1,
                finds=finds,
                drops=tuple((row + 1, what) for row, what in drops),
                drops_text=", ".join(self._label(*drop) for drop in drops),
            )

    def _label(self, row, what):
        kind = "value" if what == "value" else self.kind
        return formula.symbol(kind, row, self.names).text


def _value(x):
    """A value as a number, None for an array, and as text."""
    number = None if np.ndim(x) else float(x)
    return {"value": number, "value_text": figures.value_text(x)}

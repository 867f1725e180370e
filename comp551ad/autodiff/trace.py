"""Record a function once: the deck's numbered list a1 … an (S11).

>>> def loss(w, x, y):
...     return 0.5 * (w * x - y) ** 2
>>> t = record(loss, w=0.5, x=2.0, y=3.0)
>>> [(node.label, node.primitive) for node in t.nodes][3:]
[('a4', 'multiply'), ('a5', 'subtract'), ('a6', 'square'), ('a7', 'multiply')]

A ``Trace`` keeps the rows of a tape, in the order of creation; a ``Node`` is one row for a person
to read, created on request. Constants are not numbered. A ``Pass`` is the same for derivatives:
the tangent or adjoint of every node, and the terms that it is the sum of.
"""

import functools
import math
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from comp551ad import pytrees

from .arguments import Call, code_of, with_integers
from .operands import Origins, edges_of, operands_of, parameters_of
from .passes import as_seed, full, pull_back, push_forward
from .primitives import shape_of
from .refusals import kind_of
from .tape import Tape, Tracer

_LABEL = re.compile(r"a([1-9]\d*)")


@dataclass(frozen=True)
class Node:
    """One row of a trace, as a reader sees it.

    Attributes:
        index: the number in the deck's list; the first input is 1.
        name: the input's or local variable's name in the recorded function, or None.
        primitive: the operation's name, "input" for an input.
        arguments: for each operand the number of its node (an int), or the constant itself
            (a float or an array).
        parameters: other arguments of the operation, such as {"axis": (-1,)}.
        value: the result, a float or a read-only float64 array.
    """

    index: int
    name: str | None
    primitive: str
    arguments: tuple
    parameters: dict
    value: Any

    @property
    def label(self) -> str:
        """a1, a2, …"""
        return f"a{self.index}"

    @property
    def inputs(self) -> tuple[int, ...]:
        """The numbers of the nodes it was computed from; x * x lists x twice."""
        return tuple(a for a in self.arguments if type(a) is int)


def check_trace(trace: Any) -> None:
    """Raise TypeError for anything but a trace."""
    if not isinstance(trace, Trace):
        raise TypeError(
            f"trace: got {kind_of(trace)}, expected the recording of a function: "
            "record(f, …)"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """A function's computation on given inputs, as the numbered list a1 … an.

    ``t["y1"]`` and ``t["a5"]`` are values; ``t.node("y1")`` is the node.

    Attributes:
        rows: the rows of the tape (see ``tape`` for the format); row k is node k + 1.
        names: row number -> name, for inputs and for the function's local variables.
        inputs: the row numbers of the inputs, in the order of the parameters.
        outputs: the row of each number or array that the function returned; None for a constant.
        result: the function's result with plain numbers, in its own structure.
        function: the recorded function's name.
        decisions: (question, file, line) for each time the function tested traced values.
        origins: id of a constant in a row -> (the constant, its ``Origin``), for those computed
            from data or by a comparison.
        code: the function's code object, or None.
        places: the instruction of ``code`` that recorded each row; None for an input.
    """

    rows: list
    names: dict[int, str]
    inputs: tuple[int, ...]
    outputs: tuple[int | None, ...]
    result: Any
    function: str
    decisions: tuple
    origins: Origins
    code: Any
    places: tuple

    @functools.cached_property
    def _index(self):
        return {name: row for row, name in self.names.items()}

    @property
    def nodes(self) -> list[Node]:
        """All nodes, a1 first."""
        return [self.node(k + 1) for k in range(len(self.rows))]

    def node(self, key: Any) -> Node:
        """The node with this name ("y1"), label ("a5") or number (5).

        Raises:
            KeyError: there is no such node; the message lists the names.
        """
        k = self.row_number(key)
        row = self.rows[k]
        arguments = tuple(o + 1 if type(o) is int else o for o in operands_of(row))
        return Node(
            k + 1, self.names.get(k), row[0], arguments, parameters_of(row), row[1]
        )

    def row_number(self, key: Any, argument: str = "key") -> int:
        """The row number for a name, a label, a node's number or a node."""
        if isinstance(key, Node):
            key = key.index
        if isinstance(key, str):
            label = _LABEL.fullmatch(key)
            row = int(label[1]) - 1 if label else self._index.get(key)
        else:
            row = key - 1 if isinstance(key, int) and key > 0 else None
        if row is None or row >= len(self.rows):
            names = f"{', '.join(self._index)} or a label a1 … a{len(self.rows)}"
            wanted = {
                "wrt": f"one of {self.listed(self.inputs)}",
                "of": f"an output ({self.listed(self.outputs)}) or another of {names}",
            }.get(argument, f"one of {names}")
            raise KeyError(f"{argument}: got {key!r}, expected {wanted}")
        return row

    def called(self, row: int) -> str:
        """A row's name, or its label if it has none."""
        return self.names.get(row, f"a{row + 1}")

    def listed(self, rows: Any) -> str:
        """The names of these rows, each once; constants are left out."""
        names = dict.fromkeys(self.called(k) for k in rows if k is not None)
        return ", ".join(names) or "there is none"

    def __getitem__(self, key):
        return self.rows[self.row_number(key)][1]

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.nodes)


def record(f: Callable, /, *args: Any, **kwargs: Any) -> Trace:
    """Run ``f(*args, **kwargs)`` once and keep every step (S11, step 1).

    Every real number and array in the arguments becomes a float64 input, including those inside
    tuples, lists and dicts. Boolean arrays, and integer arrays that f uses as labels or indices,
    are data and have no derivative. Anything else is passed through unchanged, and so are single
    integers where f needs one, as in np.arange(n): write 2.0 for a number. Inputs are named after
    f's parameters, intermediate values after f's local variables.

    Args:
        f: a function of numbers and arrays written with operators and NumPy.
        *args, **kwargs: the arguments to call it with.

    Raises:
        TraceError: f does something that can't be traced; the message says what to write instead.
    """
    return with_integers(
        lambda kinds: _record(f, args, kwargs, kinds), (*args, *kwargs.values())
    )


def _record(f, args, kwargs, kinds):
    call = Call.of(f, args, kwargs)
    with Recording(code_of(f)) as tape:
        names = dict(enumerate(call.trace(tape.add_input, tape, kinds)))
        inputs = tuple(names)
        result = call.run()
        outputs, values = tape.read_outputs(result)
    call.check(result, tape, kinds)
    for row in tape.rows:  # the passes read the values again
        if type(row[1]) is np.ndarray:
            row[1].setflags(write=False)
    for name, value in tape.local_names(set(names.values())):
        names.setdefault(value.index, name)
    return Trace(
        rows=tape.rows,
        names=names,
        inputs=inputs,
        outputs=tuple(outputs),
        result=pytrees.unflatten(result, iter(values)),
        function=getattr(f, "__name__", type(f).__name__),
        decisions=tuple(tape.decisions),
        origins=tape.origins,
        code=tape.code,
        places=tuple(tape.places),
    )


class Recording(Tape):
    """A tape that also notes which code records each row.

    Attributes:
        code: the recorded function's code object.
        frame: the frame of its call, whose local variables can be read after it returned; None
            before the first row.
        places: the instruction that recorded each row.
    """

    __slots__ = ("code", "frame", "places")

    def __init__(self, code: Any):
        super().__init__(watch=True)
        self.code, self.frame = code, None
        self.places: list[int | None] = []
        self.append = self._append

    def _append(self, row):
        frame: Any = sys._getframe(1)
        while frame is not None and frame.f_code is not self.code:
            frame = frame.f_back
        if self.frame is None:
            self.frame = self._outermost(frame)
        self.places.append(None if frame is None else frame.f_lasti)
        self.rows.append(row)

    def _outermost(self, frame):
        """The outermost frame with this code, for a recursive function."""
        outer = frame and frame.f_back
        while outer is not None:
            if outer.f_code is self.code:
                frame = outer
            outer = outer.f_back
        return frame

    def local_names(self, taken: set) -> Iterator[tuple[str, Tracer]]:
        """(name, tracer) of local variables, except those named like an input."""
        local: dict = dict(self.frame.f_locals) if self.frame else {}
        # Break the cycle: the frame refers to tracers, and they to this tape.
        self.frame = None
        for name, value in local.items():
            if type(value) is Tracer and value.tape is self:
                if name not in taken and not _LABEL.fullmatch(name):
                    yield name, value


# ---------------------------------------------------------------- the result of a pass


class Term(NamedTuple):
    """One edge's contribution to a derivative.

    Attributes:
        node: the number of the node at the other end of the edge.
        operand: the operand position of the edge, from 0.
        derivative: the contribution.
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
    """The derivatives from one pass over a trace; ``p["a5"]`` is ȧ5, or ā5.

    Attributes:
        trace: the trace.
        wrt: the seeded input in forward mode, else None.
        of: the output in reverse mode, else None.
        seeds: (row number, derivative) pairs.
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
        """The tangent or adjoint of a node, in the shape of its value."""
        k = self.trace.row_number(key)
        return full(self._derivatives[k], self.trace.rows[k][1])

    def terms(self, key: Any) -> tuple[Term, ...]:
        """The terms of a node's derivative, one per edge; they add up to it (S04)."""
        return self._terms()[self.trace.row_number(key)]

    @property
    def rows(self) -> list[DerivativeRow]:
        """For each node, in the order of the walk: the node, its derivative, its terms."""
        terms, nodes = self._terms(), self.trace.nodes
        rows = [DerivativeRow(n, self[n], terms[n.index - 1]) for n in nodes]
        return rows if self.mode == "forward" else rows[::-1]

    def _terms(self) -> list[tuple[Term, ...]]:
        """The terms of each row. An edge whose rule is None contributes zero."""
        rows = self.trace.rows
        found: list[tuple] = []
        walk = push_forward if self.mode == "forward" else pull_back
        walk(rows, self.seeds, terms=found)
        shares = {(i, position): term for i, position, term in found}
        collected: list[list[Term]] = [[] for _ in rows]
        for i, row in enumerate(rows):
            for position, j in edges_of(row):
                near, far = (i, j) if self.mode == "forward" else (j, i)
                share = full(shares.get((i, position)), rows[near][1])
                collected[near].append(Term(far + 1, position, share))
        return [tuple(terms) for terms in collected]


def forward(trace: Trace, wrt: Any = None, seed: Any = None) -> Pass:
    """Forward mode: the derivative of every node with respect to one input (S12).

    Args:
        trace: from ``record``.
        wrt: the input's name (such as "w1", or "p['w']" in a dict p), label or number; optional
            if there is only one input. An array input needs a ``seed``.
        seed: the direction, of the input's shape; 1 by default for a number.

    Returns:
        The pass: ``d["y1"]`` is ∂y1/∂w, zero where y1 doesn't depend on w.

    Raises:
        KeyError: there is no such input.
        ValueError: the seed is missing or doesn't have the input's shape.
    """
    check_trace(trace)
    is_clear = wrt is None and len(trace.inputs) == 1
    number = trace.inputs[0] if is_clear else trace.row_number(wrt, "wrt")
    if number not in trace.inputs:
        raise KeyError(
            f"wrt: got {wrt!r}, which is computed; expected an input: "
            f"{trace.listed(trace.inputs)}"
        )
    name = trace.names[number]
    seeds = ((number, _read_seed(seed, trace.rows[number][1], name)),)
    return Pass(trace, name, None, seeds, push_forward(trace.rows, seeds))


def reverse(trace: Trace, of: Any = None, seed: Any = None) -> Pass:
    """Reverse mode: the derivative of one output with respect to every node (S14).

    Args:
        trace: from ``record``.
        of: the output's name, label or number; optional if there is only one output.
        seed: for an array, the weights of its entries, of the same shape; 1 by default for a
            number. The adjoints are those of the weighted sum.

    Returns:
        The pass: ``r["w1"]`` is ∂y/∂w1, zero where y doesn't depend on w1.

    Raises:
        KeyError: there is no such node.
        ValueError: the output is ambiguous, or the seed is missing or has the wrong shape.
    """
    check_trace(trace)
    if of is None and len(trace.outputs) != 1:
        raise ValueError(
            f"of: the function returned {len(trace.outputs)} numbers; name the one to "
            f"differentiate: {trace.listed(trace.outputs)}"
        )
    number = trace.outputs[0] if of is None else trace.row_number(of, "of")
    if number is None:  # the output is a constant: nothing depends on anything
        return Pass(trace, None, "a constant", (), [None] * len(trace.rows))
    name = trace.called(number)
    seeds = ((number, _read_seed(seed, trace.rows[number][1], name)),)
    return Pass(trace, None, name, seeds, pull_back(trace.rows, seeds))


def _read_seed(seed, value, name):
    """The seed of a pass: 1 for a number; an array needs one of its own shape."""
    shape = shape_of(value)
    if seed is None:
        if math.prod(shape) != 1:
            raise ValueError(
                f"seed: {name} is an array of shape {shape}, expected a seed of that "
                "shape: the direction (forward) or the weights of the entries (reverse)"
            )
        return np.ones(shape) if shape else 1.0
    return as_seed(seed, shape, "seed")

"""Record a function once: the deck's numbered list a1 … an (S11).

>>> def loss(w, x, y):
...     return 0.5 * (w * x - y) ** 2
>>> t = record(loss, w=0.5, x=2.0, y=3.0)
>>> [(node.label, node.primitive) for node in t.nodes][3:]
[('a4', 'multiply'), ('a5', 'subtract'), ('a6', 'square'), ('a7', 'multiply')]

A ``Trace`` keeps the rows of a tape. Its rows stand in the order of creation, in which
every operand comes before its use, so forward mode walks them downwards and reverse mode upwards;
nothing has to be sorted. A ``Node`` is what a person looks at: a view of one row, made when asked
for. Constants take no number.

Reads: ``tape``, ``pytrees``. Read by: ``passes``, ``transforms``, ``program``, ``show``.
"""

import inspect
import re
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from comp551ad import pytrees

from .refusals import kind_of
from .tape import Tape, Tracer, is_number, read_outputs

_LABEL = re.compile(r"a([1-9]\d*)")


@dataclass(frozen=True)
class Node:
    """One row of a trace, as a reader sees it.

    Attributes:
        index: its number in the deck's list; the first input is 1.
        name: the input's or local variable's name in the recorded function, or None.
        primitive: the operation's name, "input" for an input.
        arguments: per operand the number of its node (an int), or the constant itself
            (a float or an array).
        parameters: what else the operation was told, such as {"axis": (-1,)}.
        value: what it computed, a float or a read-only float64 array.
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
        """The numbers of the nodes it was computed from; x * x names x twice."""
        return tuple(a for a in self.arguments if type(a) is int)


def check_trace(trace):
    """Refuse anything else where a trace is expected."""
    if not isinstance(trace, Trace):
        raise TypeError(
            f"trace: got {kind_of(trace)}, expected the recording of a function: "
            "record(f, …)"
        )


def operands_of(row) -> tuple:
    """The operands of a row: row numbers (ints) and constants."""
    return row[2:-1] if type(row[-1]) is dict else row[2:]


def parameters_of(row, residuals: bool = True) -> dict:
    """The parameters of a row, with or without what its value kept for the rules."""
    parameters = row[-1] if type(row[-1]) is dict else {}
    if residuals or "residuals" not in parameters:
        return parameters
    return {key: p for key, p in parameters.items() if key != "residuals"}


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """A function's computation on given inputs, as the numbered list a1 … an.

    ``t["y1"]`` and ``t["a5"]`` are values; ``t.node("y1")`` is the node.

    Attributes:
        rows: what the tape holds (``tape`` has the format); row k is node k + 1.
        names: row number -> name, for inputs and for the function's local variables.
        inputs: the row numbers of the inputs, in the order of the parameters.
        outputs: per number that the function returned, its row; None for a constant.
        result: what the function returned, with plain numbers, in its own structure.
        function: the recorded function's name.
        decisions: (question, file, line) wherever the function looked at traced values.
    """

    rows: list
    names: dict[int, str]
    inputs: tuple[int, ...]
    outputs: tuple[int | None, ...]
    result: Any
    function: str
    decisions: tuple = ()
    _index: dict = field(init=False, repr=False)

    def __post_init__(self):
        index = {name: row for row, name in self.names.items()}
        object.__setattr__(self, "_index", index)

    @property
    def nodes(self) -> list[Node]:
        """All nodes, a1 first."""
        return [self.node(k + 1) for k in range(len(self.rows))]

    def node(self, key) -> Node:
        """The node with this name ("y1"), label ("a5") or number (5).

        Raises:
            KeyError: no node is called that; the text lists the names.
        """
        k = self.row_number(key)
        row = self.rows[k]
        arguments = tuple(o + 1 if type(o) is int else o for o in operands_of(row))
        parameters = dict(parameters_of(row, residuals=False))
        return Node(k + 1, self.names.get(k), row[0], arguments, parameters, row[1])

    def row_number(self, key, argument="key") -> int:
        """The row that a name, a label or a node's number means."""
        if isinstance(key, Node):
            key = key.index
        if isinstance(key, str):
            label = _LABEL.fullmatch(key)
            row = int(label[1]) - 1 if label else self._index.get(key)
        else:
            row = key - 1 if isinstance(key, int) and key > 0 else None
        if row is None or row >= len(self.rows):
            names = ", ".join(self._index)
            raise KeyError(
                f"{argument}: got {key!r}, expected one of {names} or a label a1 … "
                f"a{len(self.rows)}"
            )
        return row

    def __getitem__(self, key):
        return self.rows[self.row_number(key)][1]

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.nodes)


def record(f, /, *args, **kwargs) -> Trace:
    """Run ``f(*args, **kwargs)`` once and keep every step (S11, step 1).

    Every real number and array among the arguments becomes an input, also inside tuples, lists
    and dicts; strings, booleans, None and functions are handed on as they are. Numbers become
    float64, arrays are copied. Inputs take the names of f's parameters, intermediate values the
    names of f's local variables.

    Args:
        f: a function of numbers and arrays written with operators and NumPy.
        *args, **kwargs: what to call it with.

    Returns:
        The trace.

    Raises:
        TraceError: f does something that can't be traced, or an argument is complex or an array
            of objects; the text says what to write instead.
    """
    call = Call.of(f, args, kwargs)
    with Tape(watch=True) as tape:
        names = dict(enumerate(call.trace(tape.add_input)))
        inputs = tuple(names)
        result, local = call.run_and_see_locals()
        outputs, values = read_outputs(result, tape)
    for row in tape.rows:  # the passes read the values again
        if type(row[1]) is np.ndarray:
            row[1].setflags(write=False)
    for name, value in local_names(local, tape, set(names.values())):
        names.setdefault(value.index, name)
    return Trace(
        tape.rows,
        names,
        inputs,
        tuple(outputs),
        pytrees.unflatten(result, iter(values)),
        getattr(f, "__name__", type(f).__name__),
        tuple(tape.decisions),
    )


# ---------------------------------------------------------------- which argument is meant


@dataclass
class Call:
    """A call of f with its arguments by name, each in a slot of its own.

    The slots are in the order of f's parameters; each of f's ``*args`` has one ("xs[0]"), unless
    the parameter is in ``whole``.
    """

    f: Any
    bound: inspect.BoundArguments
    slots: dict[str, Any]
    star: str | None

    @classmethod
    def of(cls, f, args, kwargs, whole=()) -> "Call":
        """Bind the arguments; errors are f's own TypeError."""
        signature = signature_of(f)
        bound = signature.bind(*args, **kwargs)
        kinds = {name: p.kind for name, p in signature.parameters.items()}
        slots, star = {}, None
        for name, kind in kinds.items():
            if kind is inspect.Parameter.VAR_POSITIONAL and name not in whole:
                star = name
        for name, value in bound.arguments.items():
            if name == star:
                slots |= {f"{name}[{k}]": each for k, each in enumerate(value)}
            else:
                slots[name] = value
        return cls(f, bound, slots, star)

    def slot(self, argnum, what: str) -> str:
        """The slot that a position or a name means; ``what`` is what an error calls it.

        Positions count f's parameters, and from the end the arguments of this call.
        """
        if type(argnum) is int:
            order = list(self.slots)
            if argnum >= 0:
                stars = [name for name in order if name.startswith(f"{self.star}[")]
                order = names_by_place(self.f) + stars
            name = order[argnum] if -len(order) <= argnum < len(order) else None
        else:
            name = argnum
        if not isinstance(name, str) or name not in self.slots:
            names = ", ".join(self.slots) or "none"
            raise TypeError(
                f"{what}: got {argnum!r}, expected one of {names} (the arguments of this "
                "call), or the position of one of them"
            )
        return name

    def trace(self, add_input, slots=None) -> list[str]:
        """Replace every number in the slots (all, or some) by ``add_input`` of it; their names."""
        names = []
        for slot in self.slots if slots is None else slots:
            tree, leaves = self.slots[slot], []
            for name, leaf in zip(
                pytrees.leaf_names(tree, slot), pytrees.leaves(tree), strict=True
            ):
                if slots is not None or is_number(leaf):
                    leaf = add_input(leaf, name)
                    names.append(name)
                leaves.append(leaf)
            self.slots[slot] = pytrees.unflatten(tree, iter(leaves))
        return names

    def run(self):
        """f of what stands in the slots now."""
        args, kwargs = self._arguments()
        return self.f(*args, **kwargs)

    def run_and_see_locals(self) -> tuple[Any, dict]:
        """Call f, and look at its local variables at the moment it returns.

        A profile function sees every return; nothing else does without touching f.
        """
        code, local = _code_of(self.f), {}

        def watch(frame, event, _):
            if event == "return" and frame.f_code is code:
                local.clear()
                local.update(frame.f_locals)

        args, kwargs = self._arguments()
        before = sys.getprofile()
        sys.setprofile(watch)
        try:
            result = self.f(*args, **kwargs)
        finally:
            sys.setprofile(before)
        return result, local

    def _arguments(self):
        arguments = dict.fromkeys(self.bound.arguments, ())
        for name, value in self.slots.items():
            if name in arguments:
                arguments[name] = value
            else:
                arguments[self.star] = (*arguments[self.star], value)
        self.bound.arguments.update(arguments)
        return self.bound.args, self.bound.kwargs


def signature_of(f) -> inspect.Signature:
    """The parameters of ``f``; built-in functions may not have any to show. A decorator's
    ``(*args, **kwargs)`` says nothing: then those of the function in it."""
    anything = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    try:
        own = inspect.signature(f, follow_wrapped=False)
        if all(p.kind in anything for p in own.parameters.values()):
            return inspect.signature(f)
        return own
    except (TypeError, ValueError):
        return inspect.signature(lambda *x, **options: None)


def names_by_place(f) -> list[str]:
    """The parameters of ``f`` that can be given by position, one by one."""
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [p.name for p in signature_of(f).parameters.values() if p.kind in kinds]


def _code_of(f):
    """The code that f's own lines were compiled to."""
    function = inspect.unwrap(f)
    function = getattr(function, "__func__", function)  # of a method
    if not hasattr(function, "__code__"):
        function = type(f).__call__
    return getattr(function, "__code__", None)


def local_names(local, tape, taken):
    """(name, tracer) of local variables; an input's name stays the input's."""
    for name, value in local.items():
        if type(value) is Tracer and value.tape is tape:
            if name not in taken and not _LABEL.fullmatch(name):
                yield name, value

"""The tape, the tracer and ``apply``: how a computation is written down while it runs.

While a function is recorded, its inputs are ``Tracer`` objects. Every operation on one of them
computes its result at once and appends a row to the tape:

    ("multiply", value, *operands)                   or, where an operation has parameters,
    ("sum", value, *operands, {"axis": (-1,), ...})

An operand that was computed on this tape is the number of its row, an ``int``; any other operand
is a constant and stands there itself (a ``float``, an array: never an ``int``). Rows are in the
order of creation, so an operand's row always comes before the row that uses it. The first entry
is the primitive's name, not the primitive: a tuple of names, numbers and arrays is one that
Python's garbage collector need not look into again, however long the tape grows.

Tapes nest. A derivative inside a function that is itself being differentiated opens a tape of its
own, whose values are tracers of the outer tape. An operation is written on the innermost tape among
its operands, and computing its value writes the same operation on the next tape out.

Reads: ``primitives``, ``operands``, ``refusals``, ``pytrees``. Read by: the rest of ``autodiff``.
NumPy's functions and the methods of arrays reach the tracer in ``numpy_protocols``.
"""

import threading
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from comp551ad import pytrees

from .operands import as_constant, as_input
from .primitives import PRIMITIVES, Primitive, shape_of
from .refusals import (
    TraceError,
    explain,
    forget_refusals,
    kind_of,
    last_refusal,
    line_outside,
)

_this_thread = threading.local()


class Tape:
    """The rows of one recording: ``with Tape() as tape``, inside the tapes that are open already.

    A tape belongs to the thread that opened it, and grows only while it is open.

    Attributes:
        rows: what was written.
        decisions: with ``watch``, (question, file, line) wherever the function looked at values:
            there it may take a branch that other inputs would not take; else None.
        asked: whether the function asked anything of values, such as ``x > 0``.
        refused: once closed, the last refusal, which the function may have caught.
        origins: while a tape watches, id of a constant in a row -> (itself, where it came from).
        views: (view, base, primitive, parameters) of arrays that share memory, weakly held.
    """

    __slots__ = (
        "rows", "append", "level", "open", "thread", "watch", "decisions", "asked",
        "refused", "origins", "views",
    )  # fmt: skip

    def __init__(self, watch: bool = False):
        self.rows: list[tuple] = []
        self.append = self.rows.append
        self.thread = threading.get_ident()
        self.watch = watch
        self.decisions: list = []
        self.asked = False
        self.refused: TraceError | None = None
        self.views: list[tuple] = []

    def __enter__(self):
        # 1 for the outermost, 2 for a tape inside it …
        self.level = getattr(_this_thread, "level", 0) + 1
        _this_thread.level = self.level
        if self.level == 1:
            forget_refusals()
        self.origins = getattr(_this_thread, "origins", None)
        if self.origins is None and self.watch:
            self.origins = _this_thread.origins = {}
        self.open = True
        return self

    def __exit__(self, kind, error, where):
        _this_thread.level = self.level - 1
        if self.level == 1:
            _this_thread.origins = None
        self.open, self.append = False, _refuse_to_grow
        self.refused = last_refusal()
        explain(error)

    def write(self, row: tuple) -> "Tracer":
        """Append a row; the tracer that stands for it."""
        if threading.get_ident() != self.thread:
            raise TraceError(
                "a traced value was used in another thread than the one that records: compute "
                "in the thread that calls the function, or record inside the other thread"
            )
        tracer = Tracer()
        tracer.value, tracer.index, tracer.tape = row[1], len(self.rows), self
        self.append(row)
        return tracer

    def add_input(self, value: Any, name: Any, *where: Any) -> "Tracer":
        """The tracer of an input; ``name`` is what an error calls it (see ``as_input``)."""
        if type(value) is not Tracer:
            value = as_input(value, name, *where)
        return self.write(("input", value))

    def constant(self, value: Any, name: str) -> Any:
        """What stands in a row for an operand that wasn't computed on this tape.

        A tracer of an open tape further out is one; ``name`` is what an error calls it.
        """
        if type(value) is not Tracer:
            return self.remember(as_constant(concrete(value), name), value)
        outer = value.tape
        if outer.open and outer.level < self.level and outer.thread == self.thread:
            return value
        raise TraceError(
            f"{name}: got traced values of two recordings; a recorded function may use "
            "its own inputs and constants only (pass the value in as an argument)"
        )

    def frozen(self, parameter: Any) -> Any:
        """A parameter of a row as nobody can change it: its arrays are copies."""
        if type(parameter) is tuple:
            return tuple([self.frozen(part) for part in parameter])
        if not isinstance(parameter, np.ndarray):
            return parameter
        copy = np.array(parameter)
        copy.setflags(write=False)
        return self.remember(copy, parameter)

    def note_view(
        self, view: Any, base: Any, primitive: Primitive, parameters: Any
    ) -> None:
        """Note that an array shows another one's memory: a change in place reaches both."""
        if np.may_share_memory(concrete(view), concrete(base)):
            entry = weakref.ref(view), base, primitive, parameters
            self.views.append(entry)

    def remember(self, constant: Any, source: Any) -> Any:
        """Note that a constant in a row came from data, or from a constant that did."""
        if self.origins is not None:
            origin = getattr(source, "origin", None) or self.origin_of(source)
            if origin is not None:
                self.origins[id(constant)] = constant, origin
        return constant

    def origin_of(self, constant: Any) -> Any:
        """Where a constant in a row came from; None where it is a constant like any other."""
        known = (self.origins or {}).get(id(constant))
        return known[1] if known and known[0] is constant else None


def _refuse_to_grow(row):
    raise TraceError(
        "a traced value was used after the function that made it had returned: "
        "return what you need from the function instead of storing it elsewhere"
    )


def operands_of(row: tuple) -> tuple:
    """The operands of a row: row numbers (ints) and constants."""
    return row[2:-1] if type(row[-1]) is dict else row[2:]


def parameters_of(row: tuple, residuals: bool = True) -> dict:
    """The parameters of a row, with or without what its value kept for the rules."""
    parameters = row[-1] if type(row[-1]) is dict else {}
    if residuals or "residuals" not in parameters:
        return parameters
    return {key: p for key, p in parameters.items() if key != "residuals"}


# ---------------------------------------------------------------- recording one operation


def apply(
    primitive: Primitive, operands: Sequence, parameters: dict | None = None
) -> "Tracer":
    """Compute one primitive and write its row. At least one operand is a tracer."""
    tape: Any = None
    for operand in operands:
        if type(operand) is Tracer and operand.tape is not tape:
            if tape is None or operand.tape.level > tape.level:
                tape = operand.tape
    values: list = []
    row: list = [primitive.name, None]
    for operand in operands:
        kind = type(operand)
        if kind is Tracer and operand.tape is tape:
            values.append(operand.value)
            row.append(operand.index)
        elif kind is float:
            values.append(operand)
            row.append(operand)
        else:
            if holds_tracers(operand):
                return apply(primitive, list(map(joined, operands)), parameters)
            constant = tape.constant(operand, primitive.name)
            values.append(constant)
            row.append(constant)
    if primitive.canonicalize is not None:
        shapes = [shape_of(value) for value in values]
        parameters = primitive.canonicalize(parameters or {}, *shapes)
    if parameters:
        for key in primitive.array_parameters:
            parameters[key] = tape.frozen(parameters[key])
        value = primitive.value(*values, **parameters)
        if primitive.has_residuals:
            value, parameters["residuals"] = value
        row.append(parameters)
    else:
        value = primitive.value(*values)
    if type(value) is np.ndarray and not value.shape:
        value = value[()]
    row[1] = value
    tracer = tape.write(tuple(row))
    if primitive.view:
        tape.note_view(tracer, operands[0], primitive, parameters)
    return tracer


def holds_tracers(operand: Any) -> bool:
    """Whether a list has tracers in it, or an array of objects, as np.array([a, b]) makes it."""
    kind = type(operand)
    if kind is np.ndarray:
        return operand.dtype == object and any(type(x) is Tracer for x in operand.flat)
    return kind in (list, tuple) and any(
        type(leaf) is Tracer or holds_tracers(leaf) for leaf in pytrees.leaves(operand)
    )


def joined(operand: Any) -> Any:
    """A list or an array of objects that has tracers in it as one tracer, by np.stack."""
    if not holds_tracers(operand):
        return operand
    if type(operand) is np.ndarray and not operand.ndim:
        return operand[()]
    return apply(PRIMITIVES["stack"], list(map(joined, operand)))


def _operators(name):
    """The two operator methods of a primitive: a + b, and b + a where b is a constant."""
    primitive = PRIMITIVES[name]

    def operator(self, other):
        return apply(primitive, (self, other))

    def reflected(self, other):
        return apply(primitive, (other, self))

    return operator, reflected


def power(a: Any, b: Any) -> Any:
    """a ** b. A constant exponent 2 makes it a square."""
    constant = type(b) is not Tracer and isinstance(b, int | float | np.number)
    if constant and b == 2 and not np.iscomplexobj(b):
        return apply(PRIMITIVES["square"], (a,))
    return apply(PRIMITIVES["power"], (a, b))


class Tracer:
    """A number or array under recording: its value, the number of its row, its tape.

    ``Tape.write`` makes it. There is no ``__init__``: it would double the cost of making one.
    """

    __slots__ = ("value", "index", "tape", "__weakref__")
    value: Any
    index: int
    tape: Tape

    __add__, __radd__ = _operators("add")
    __sub__, __rsub__ = _operators("subtract")
    __mul__, __rmul__ = _operators("multiply")
    __truediv__, __rtruediv__ = _operators("divide")
    __matmul__, __rmatmul__ = _operators("matmul")
    __mod__, __rmod__ = _operators("remainder")
    __floordiv__, __rfloordiv__ = _operators("floor_divide")

    def __divmod__(self, other):
        return self // other, self % other

    def __rdivmod__(self, other):
        return other // self, other % self

    def __round__(self, digits=0):
        return np.round(self, digits)

    def __pow__(self, exponent, modulus=None):
        if modulus is not None:
            raise TraceError("pow(a, b, n) can't be traced: write a ** b without n")
        return power(self, exponent)

    def __rpow__(self, base):
        return power(base, self)

    # So isinstance(x, np.ndarray) and np.isscalar(x) answer as for the plain value.
    __class__ = property(lambda self: type(concrete(self)))

    def __neg__(self):
        return apply(PRIMITIVES["negative"], (self,))

    def __abs__(self):
        return apply(PRIMITIVES["abs"], (self,))

    def __repr__(self):
        return f"<traced a{self.index + 1} = {concrete(self.value)!r}>"

    def handle(self) -> "Tracer":
        """Another tracer of the same row, which what happens to this one doesn't change."""
        tracer = Tracer()
        tracer.value, tracer.index, tracer.tape = self.value, self.index, self.tape
        return tracer


def concrete(value: Any) -> Any:
    """The numbers behind a tracer, through all its tapes, or behind data; lists and tuples of
    such; anything else as it is."""
    while type(value) is Tracer:
        value = value.value
    if type(value) in (list, tuple):
        return type(value)(map(concrete, value))
    return np.asarray(value) if hasattr(value, "origin") else value


# ---------------------------------------------------------------- decisions


def tapes_of(operands: Iterable) -> list[Tape]:
    """The tapes that tracers and data among the operands come from, each once."""
    tapes: dict[Tape, None] = {}
    waiting, seen = list(operands), set()
    for operand in waiting:
        if id(operand) in seen:
            continue
        seen.add(id(operand))
        if type(operand) in (list, tuple):
            waiting += operand
        elif type(operand) is Tracer:
            tapes[operand.tape] = None
            waiting.append(operand.value)
        elif getattr(operand, "origin", None) is not None:
            waiting += operand.origin.operands
            waiting += operand.origin.parameters.values()
            if operand.origin.tape is not None:
                tapes[operand.origin.tape] = None
    return list(tapes)


def note_decision(operands: Iterable, name: str) -> None:
    """Note a question about values, with its line, on every tape that the operands come from."""
    for tape in tapes_of(operands):
        tape.asked = True
        if tape.watch:
            tape.decisions.append((name, *line_outside()))


# ---------------------------------------------------------------- what the function returned


def read_outputs(
    result: Any, tape: Tape, differentiated: bool = False
) -> tuple[list[int | None], list]:
    """What a recorded function returned: per leaf its row (None: a constant), and its value.

    Raises:
        TraceError: it returned something other than numbers, arrays, or containers of them; or,
            where it is ``differentiated``, a comparison, a count, or a number made of these.
    """
    rows: list[int | None] = []
    values = []
    for leaf in pytrees.leaves(result):
        leaf = joined(leaf)
        if type(leaf) is Tracer and leaf.tape is tape:
            rows.append(leaf.index)
            values.append(leaf.value)
            continue
        if type(leaf) is Tracer:  # a constant, if it belongs to a tape further out
            leaf = tape.constant(leaf, "the function's output")
        elif not isinstance(leaf, bool | int | float | np.generic | np.ndarray) or (
            np.asarray(leaf).dtype.kind not in "fiub"
        ):
            raise TraceError(
                f"the function returned {kind_of(leaf)}, expected real numbers, arrays of "
                "them, or a tuple, list or dict of these"
            )
        else:  # a copy: the caller may change it afterwards
            counts = np.asarray(leaf).dtype.kind == "b" or hasattr(leaf, "origin")
            if differentiated and (counts or tape.decisions):
                raise TraceError(
                    f"the function returned {concrete(leaf)!r}, which has no derivative: it comes "
                    "from a comparison, a count or an index, such as an accuracy; return a cost "
                    "that changes smoothly, such as a cross-entropy"
                )
            leaf = np.array(concrete(leaf))[()]
        rows.append(None)
        values.append(leaf)
    return rows, values

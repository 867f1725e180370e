"""The tape, the tracer and ``apply``: how a computation is recorded while it runs.

While a function is recorded, its inputs are ``Tracer`` objects. Every operation on one of them
computes its result immediately and appends a row to the tape:

    ("input", value)
    ("multiply", value, 0, 2.0)
    ("sum", value, 1, {"axis": (-1,), "keepdims": False})

These are the primitive's name, the value, the operands, and a dict of the parameters, if there are
any (its "residuals" are what the value saves for the rules). An operand computed on this tape is
given by its row number, an ``int``; any other operand is a constant and is stored in the row (a
``float`` or an array, never an ``int``). Rows are in the order of creation, so an operand's row
always comes before the row that uses it. A row is one flat tuple and holds its primitive's name
instead of the primitive: this takes the least memory, and Python's garbage collector stops
tracking tuples of names, numbers and arrays.

Tapes nest. A derivative inside a function that is itself being differentiated opens its own tape,
whose values are tracers of the outer tape. An operation is recorded on the innermost tape among
its operands, and computing its value records the same operation on the next tape out.

This module has the tracer's basic operators; ``numpy_protocols`` adds NumPy's functions and the
methods of arrays.
"""

import weakref
from collections.abc import Sequence
from threading import get_ident
from typing import Any

import numpy as np

from comp551ad import pytrees

from .operands import (
    Origins,
    as_constant,
    as_input,
    as_output,
    frozen,
    numbers_of,
)
from .primitives import PRIMITIVES, Primitive, shape_of
from .refusals import TraceError, explain, this_thread


class Tape:
    """The rows of one recording: ``with Tape() as tape``, nested in any tape already open.

    A tape belongs to the thread that opened it, and grows only while it is open.

    Attributes:
        rows: the recorded rows; ``append`` adds one.
        enclosing, level: the open tape around this one, or None; 1 for the outermost, 2 …
        open, thread: whether it is open, and the thread that opened it.
        watch, asked, decisions, origins: questions about values such as ``x > 0``: see ``data``.
        views: arrays that share memory: see ``inplace``.
        kinks: row number -> the parameters of every max(x, 0) of that x: see ``composites``.
        doubtful, refused: once closed, the thread's values of these (see ``refusals``).
    """

    __slots__ = (
        "rows", "append", "enclosing", "level", "open", "thread", "watch", "asked", "decisions",
        "origins", "views", "kinks", "doubtful", "refused",
    )  # fmt: skip

    def __init__(self, watch: bool = False):
        self.rows: list[tuple] = []
        self.append = self.rows.append
        self.thread = get_ident()
        self.watch, self.asked = watch, False
        self.decisions: list[tuple] = []
        self.views: list[tuple] = []
        self.kinks: dict[int, dict] = {}

    def __enter__(self):
        self.enclosing = this_thread.tape
        if self.enclosing is None:
            vars(this_thread).clear()  # as in a new thread
        self.level = self.enclosing.level + 1 if self.enclosing else 1
        self.origins = self.enclosing.origins if self.enclosing else None
        if self.watch and self.origins is None:
            self.origins = Origins()
        self.open, this_thread.tape = True, self
        return self

    def __exit__(self, kind, error, traceback):
        self.open, self.append = False, _refuse_to_grow
        self.refused, self.doubtful = this_thread.refused, this_thread.doubtful
        this_thread.tape = self.enclosing
        if error is not None:
            explain(error)

    def add_input(self, value: Any, name: Any) -> "Tracer":
        """Add an input and return its tracer; errors use ``name`` (see ``as_input``)."""
        if type(value) is not float and type(value) is not Tracer:
            value = joined(value)
            value = value if type(value) is Tracer else as_input(value, name)
        tracer = Tracer()
        tracer.value, tracer.index, tracer.tape = value, len(self.rows), self
        self.append(("input", value))
        return tracer

    def constant(self, value: Any, name: str) -> Any:
        """The form in which a row stores an operand that wasn't computed on this tape.

        A tracer of an open outer tape is such a constant. Errors use ``name``.
        """
        if type(value) is Tracer:
            outer = value.tape
            if outer.open and outer.level < self.level and outer.thread == self.thread:
                return value
            raise TraceError(
                f"{name}: got traced values of two recordings; a recorded function may use "
                "its own inputs and constants only (pass the value in as an argument)"
            )
        constant = as_constant(value, name)
        if self.origins is not None:
            self.origins.note(constant, value)
            # Data goes to the outer tape, so that programs for a gradient inside f can use it.
            if self.enclosing is not None and self.origins.of(constant) is not None:
                return self.enclosing.constant(constant, name)
        return constant

    def read_outputs(self, result: Any) -> tuple[list[int | None], list]:
        """The row (None: a constant) and the value of each leaf of a function's result.

        Raises:
            TraceError: the result isn't made of numbers, arrays, or containers of them.
        """
        rows: list[int | None] = []
        values = []
        for leaf in map(joined, pytrees.leaves(result)):
            is_own = type(leaf) is Tracer and leaf.tape is self
            rows.append(leaf.index if is_own else None)
            if is_own:
                values.append(leaf.value)
            elif type(leaf) is Tracer:
                values.append(self.constant(leaf, "output"))
            else:
                values.append(as_output(leaf))
        return rows, values


def _refuse_to_grow(row):
    raise TraceError(
        "a traced value was used after the function that made it had returned: "
        "return what you need from the function instead of storing it elsewhere"
    )


# ---------------------------------------------------------------- recording one operation


def apply(
    primitive: Primitive, operands: Sequence, parameters: dict | None = None
) -> "Tracer":
    """Compute one primitive and record its row. At least one operand is a tracer."""
    tape: Any = None
    for operand in operands:
        if type(operand) is Tracer and (
            tape is None or operand.tape.level > tape.level
        ):
            tape = operand.tape
    values: list = []
    row: list = [primitive.name, None]
    for operand in operands:
        if type(operand) is Tracer and operand.tape is tape:
            values.append(operand.value)
            row.append(operand.index)
        else:
            if type(operand) is not float:
                if (new := joined(operand)) is not operand:
                    several = [new if o is operand else o for o in operands]
                    return apply(primitive, several, parameters)
                operand = tape.constant(operand, primitive.name)
            values.append(operand)
            row.append(operand)
    if primitive.canonicalize is not None:
        parameters = primitive.canonicalize(parameters or {}, *map(shape_of, values))
    if parameters:
        for key in primitive.array_parameters:
            parameters[key] = frozen(parameters[key], tape.origins)
        value = primitive.value(*values, **parameters)
        if primitive.has_residuals:
            value, parameters["residuals"] = value
        row.append(parameters)
    else:
        value = primitive.value(*values)
    if type(value) is np.ndarray and not value.shape:
        # NumPy may return a 0-d array, which, unlike a number, can change in place.
        value, this_thread.copied = value[()], True
    if get_ident() != tape.thread:
        raise TraceError(
            "a traced value was used in a different thread from the one that records: compute "
            "in the thread that calls the function, or record inside the other thread"
        )
    tracer = Tracer()
    tracer.value, tracer.index, tracer.tape = value, len(tape.rows), tape
    row[1] = value
    tape.append(tuple(row))
    if primitive.view:
        base = operands[0]
        if np.may_share_memory(concrete(value), concrete(base)):
            tape.views.append((weakref.ref(tracer), base, primitive, parameters))
        elif shape_of(value):
            this_thread.copied = True
    return tracer


def joined(operand: Any) -> Any:
    """A list or object array that contains tracers, stacked into one tracer; anything else
    unchanged."""
    kind = type(operand)
    if kind not in (list, tuple) and not (
        kind is np.ndarray and operand.dtype == object
    ):
        return operand
    if kind is np.ndarray and not operand.ndim:
        return operand[()]
    parts = list(map(joined, operand))
    if any(type(part) is Tracer for part in parts):
        # A row of plain numbers has dtype object too.
        parts = [p.astype(float) if type(p) is np.ndarray else p for p in parts]
        return apply(PRIMITIVES["stack"], parts)
    return operand


def operators(name: str) -> tuple:
    """The two methods for an operator: a + b, and the reflected b + a for a constant b."""
    primitive = PRIMITIVES[name]

    def operator(self, other):
        return apply(primitive, (self, other))

    def reflected(self, other):
        return apply(primitive, (other, self))

    return operator, reflected


class Tracer(np.lib.mixins.NDArrayOperatorsMixin):
    """A number or array being recorded: its value, its row number, its tape.

    All other operators call NumPy's functions, as ndarray's operators do. There is no ``__init__``:
    it would double the cost of creating a tracer.
    """

    __slots__ = ("value", "index", "tape", "__weakref__")
    value: Any
    index: int
    tape: Tape
    # Set in ``numpy_protocols``.
    __array_ufunc__: Any = None

    __add__, __radd__ = operators("add")
    __sub__, __rsub__ = operators("subtract")
    __mul__, __rmul__ = operators("multiply")
    __truediv__, __rtruediv__ = operators("divide")
    __matmul__, __rmatmul__ = operators("matmul")

    def __neg__(self):
        return apply(PRIMITIVES["negative"], (self,))

    # Makes isinstance(x, np.ndarray) and np.isscalar(x) return the same as for the plain value.
    __class__ = property(lambda self: type(concrete(self)))

    def __repr__(self):
        return f"<traced a{self.index + 1} = {concrete(self.value)!r}>"


def concrete(value: Any) -> Any:
    """The plain numbers of a tracer, through all its tapes, or of data, including inside lists,
    tuples and object arrays; anything else unchanged."""
    while type(value) is Tracer:
        value = value.value
    if type(value) in (list, tuple):
        return type(value)(map(concrete, value))
    if type(value) is np.ndarray and value.dtype == object:
        if any(type(entry) is Tracer for entry in value.flat):
            return np.array(concrete(value.tolist()))
    return numbers_of(value)

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

import numpy as np

from comp551ad import pytrees

from .operands import as_constant, as_input
from .primitives import PRIMITIVES, Primitive, shape_of
from .refusals import TraceError, kind_of, line_outside

_this_thread = threading.local()


class Tape:
    """The rows of one recording: ``with Tape() as tape``, inside the tapes that are open already.

    A tape belongs to the thread that opened it, and grows only while it is open. With ``watch``
    it notes every comparison of traced values with its line in ``decisions``: there the function
    may take a branch that other inputs would not take.
    """

    __slots__ = ("rows", "append", "level", "open", "thread", "decisions", "refused")

    def __init__(self, watch: bool = False):
        self.rows: list[tuple] = []
        self.append = self.rows.append
        self.thread = threading.get_ident()
        self.decisions: list | None = [] if watch else None
        # Whether somebody asked for a plain array, and was refused.
        self.refused = False

    def __enter__(self):
        # 1 for the outermost, 2 for a tape inside it …
        self.level = getattr(_this_thread, "level", 0) + 1
        _this_thread.level = self.level
        self.open = True
        return self

    def __exit__(self, kind, error, where):
        _this_thread.level = self.level - 1
        self.open, self.append = False, _refuse_to_grow
        if isinstance(error, ValueError) and isinstance(error.__cause__, TraceError):
            raise error.__cause__ from None  # NumPy's, for z[0] = a, hid the refusal
        if error is None and self.refused:
            # np.array_equal([a], b), for one, would just answer False.
            raise TraceError(
                "the function caught our refusal to make a plain array of a traced value, or a "
                "NumPy function did, such as np.array_equal([a], b): what it went on with is not "
                "what the numbers say; join traced values with np.stack([a, b]) first"
            )

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

    def add_input(self, value, name, *where) -> "Tracer":
        """The tracer of an input; ``name`` is what an error calls it (see ``as_input``)."""
        if type(value) is not Tracer:
            value = as_input(value, name, *where)
        return self.write(("input", value))

    def constant(self, value, name: str):
        """What stands in a row for an operand that wasn't computed on this tape.

        A tracer of an open tape further out is one; ``name`` is what an error calls it.
        """
        if type(value) is not Tracer:
            return as_constant(value, name)
        outer = value.tape
        if outer.open and outer.level < self.level and outer.thread == self.thread:
            return value
        raise TraceError(
            f"{name}: got traced values of two recordings; a recorded function may use "
            "its own inputs and constants only (pass the value in as an argument)"
        )


def _refuse_to_grow(row):
    raise TraceError(
        "a traced value was used after the function that made it had returned: "
        "return what you need from the function instead of storing it elsewhere"
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


# ---------------------------------------------------------------- recording one operation


def apply(primitive: Primitive, operands, parameters: dict | None = None) -> "Tracer":
    """Compute one primitive and write its row. At least one operand is a tracer."""
    tape = None
    for operand in operands:
        if type(operand) is Tracer and operand.tape is not tape:
            if tape is None or operand.tape.level > tape.level:
                tape = operand.tape
    values, row = [], [primitive.name, None]
    for operand in operands:
        kind = type(operand)
        if kind is Tracer and operand.tape is tape:
            values.append(operand.value)
            row.append(operand.index)
        elif kind is float:
            values.append(operand)
            row.append(operand)
        else:
            constant = tape.constant(operand, primitive.name)
            values.append(constant)
            row.append(constant)
    if primitive.canonicalize is not None:
        shapes = [shape_of(value) for value in values]
        parameters = primitive.canonicalize(parameters or {}, *shapes)
    if parameters:
        value = primitive.value(*values, **parameters)
        if primitive.has_residuals:
            value, parameters["residuals"] = value
        row.append(parameters)
    else:
        value = primitive.value(*values)
    if type(value) is np.ndarray and not value.shape:
        value = value[()]
    row[1] = value
    return tape.write(tuple(row))


def _operators(name):
    """The two operator methods of a primitive: a + b, and b + a where b is a constant."""
    primitive = PRIMITIVES[name]

    def operator(self, other):
        return apply(primitive, (self, other))

    def reflected(self, other):
        return apply(primitive, (other, self))

    return operator, reflected


def power(a, b):
    """a ** b. A constant exponent 2 makes it a square."""
    if isinstance(b, int | float | np.number) and b == 2 and not np.iscomplexobj(b):
        return apply(PRIMITIVES["square"], (a,))
    return apply(PRIMITIVES["power"], (a, b))


class Tracer:
    """A number or array under recording: its value, the number of its row, its tape.

    ``Tape.write`` makes it. There is no ``__init__``: it would double the cost of making one.
    """

    __slots__ = ("value", "index", "tape")

    __add__, __radd__ = _operators("add")
    __sub__, __rsub__ = _operators("subtract")
    __mul__, __rmul__ = _operators("multiply")
    __truediv__, __rtruediv__ = _operators("divide")
    __matmul__, __rmatmul__ = _operators("matmul")

    def __pow__(self, exponent, modulus=None):
        if modulus is not None:
            raise TraceError("pow(a, b, n) can't be traced: write a ** b without n")
        return power(self, exponent)

    def __rpow__(self, base):
        return power(base, self)

    def __neg__(self):
        return apply(PRIMITIVES["negative"], (self,))

    def __abs__(self):
        return apply(PRIMITIVES["abs"], (self,))

    def __repr__(self):
        return f"<traced a{self.index + 1} = {concrete(self.value)!r}>"


def concrete(value):
    """The numbers behind a tracer, through all its tapes; anything else as it is."""
    while type(value) is Tracer:
        value = value.value
    return value


# ---------------------------------------------------------------- decisions


def note_decision(operands, name: str) -> None:
    """Note a question about values, with its line, on every tape that watches."""
    watching = set()  # every tape notes a question once
    waiting = list(operands)
    for operand in waiting:
        if type(operand) in (list, tuple):
            waiting += operand
        while type(operand) is Tracer:
            if operand.tape.decisions is not None:
                watching.add(operand.tape)
            operand = operand.value
    for tape in watching:
        tape.decisions.append((name, *line_outside()))


# ---------------------------------------------------------------- what the function returned


def read_outputs(result, tape: Tape) -> tuple[list[int | None], list]:
    """What a recorded function returned: per leaf its row (None: a constant), and its value.

    Raises:
        TraceError: it returned something other than numbers, arrays, or containers of them.
    """
    rows, values = [], []
    for leaf in pytrees.leaves(result):
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
            leaf = np.array(leaf)[()]
        rows.append(None)
        values.append(leaf)
    return rows, values

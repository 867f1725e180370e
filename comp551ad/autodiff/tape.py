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

Reads: ``primitives``, ``refusals``, ``pytrees``. Read by: the rest of ``autodiff``. NumPy's
functions and the methods of arrays reach the tracer in ``numpy_protocols``.
"""

import threading
from collections.abc import Sized

import numpy as np

from comp551ad import pytrees

from .primitives import PRIMITIVES, Primitive, shape_of
from .refusals import TraceError, kind_of, line_outside

FLOAT64 = np.dtype(np.float64)
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
        """The tracer of an input."""
        return self.write(("input", as_input(value, name, *where)))


def _refuse_to_grow(row):
    raise TraceError(
        "a traced value was used after the function that made it had returned: "
        "return what you need from the function instead of storing it elsewhere"
    )


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
        if type(operand) is Tracer and operand.tape is tape:
            values.append(operand.value)
            row.append(operand.index)
        else:
            constant = as_constant(operand, tape, primitive.name)
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


# ---------------------------------------------------------------- what may be an operand


def is_number(value) -> bool:
    """Whether a recording takes ``value`` as an input: a real number, or an array of any kind
    (complex ones and the like are then refused by name)."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind != "b"
    return type(value) is Tracer or (
        isinstance(value, int | float | complex | np.number)
        and not isinstance(value, bool)
    )


def as_input(value, name, *where):
    """An input of a recording: a float, or a read-only float64 copy of an array.

    An error calls it ``name``, or ``name(*where)`` where there is something to look up.
    """
    kind = type(value)
    if kind is Tracer or kind is float:
        return value
    if kind is np.ndarray and value.dtype is FLOAT64 and value.shape:
        return _frozen_copy(value)
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or _means_something_else(value):
        name = name(*where) if where else name
        raise TraceError(
            f"{name}: got {kind_of(value)}, expected real numbers (float or int, or an "
            "array of them); convert it with np.asarray(…, dtype=float), or keep it out "
            "of the arguments to differentiate with respect to"
        )
    return _frozen_copy(array) if array.shape else float(array)


def _means_something_else(value):
    """Masked arrays, matrices, arrays with units: as plain numbers they would be wrong. So would
    a deque or a range as an array: a + b joins the ones and adds the others."""
    if isinstance(value, np.ndarray):
        return type(value) not in (np.ndarray, np.memmap)
    sequence = isinstance(value, Sized) and not isinstance(value, list | tuple)
    return sequence and not hasattr(value, "__array__")


def _frozen_copy(array):
    copy = array.copy("K") if array.dtype is FLOAT64 else array.astype(np.float64)
    copy.setflags(write=False)
    return copy


def as_constant(value, tape: Tape, name: str):
    """A constant operand, in a form that nobody can change under the tape's feet."""
    kind = type(value)
    if kind is float:
        return value
    if kind is np.ndarray:
        if value.dtype.kind in "fiub":
            return _frozen_copy(value) if value.shape else float(value)
    elif isinstance(value, int | float | np.floating | np.integer | np.bool_):
        if not isinstance(value, np.timedelta64):
            return float(value)
    elif kind is Tracer:
        outer = value.tape
        if outer.open and outer.level < tape.level and outer.thread == tape.thread:
            return value
        raise TraceError(
            f"{name}: got traced values of two recordings; a recorded function may use "
            "its own inputs and constants only (pass the value in as an argument)"
        )
    elif isinstance(value, list | tuple):
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise TraceError(
                f"{name}: got a list that is no array, expected rows of equal length: {error}"
            ) from None
        return as_constant(value, tape, name)
    elif kind is np.memmap and value.dtype.kind in "fiub":
        return _frozen_copy(np.asarray(value))
    raise TraceError(
        f"{name}: got {kind_of(value)} as an operand, expected real numbers or an array "
        "of them; convert it with np.asarray(…, dtype=float)"
    )


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
            leaf = as_constant(leaf, tape, "the function's output")
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

"""What may be an input, a constant or an output of a recording: real numbers, arrays of them.

Everything else is refused by name. Values are taken as float64, arrays as copies that nobody can
change while the tape refers to them. ``Origins`` says which constants came from data. The last
functions read a row: how it holds its operands stands in ``tape``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .refusals import TraceError, kind_of, this_thread

FLOAT64 = np.dtype(np.float64)
# No float is as large.
_HUGE = 2**1024


def as_input(value: Any, name: Any) -> Any:
    """An input of a recording: a float, or a read-only float64 copy of an array.

    An error calls it ``name``, or ``name(value)`` where that has to be looked up.
    """
    if type(value) is np.ndarray and value.dtype is FLOAT64 and value.shape:
        return _frozen_copy(value)
    if type(value) is np.ndarray and not value.shape:
        this_thread.copied = True
    array = value
    # A pandas Series, say. A kind of ndarray of its own stays what it is.
    if hasattr(value, "__array__") and not isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
    otherwise = (
        ", pass its parts in a tuple, list or dict, or keep it out of the arguments to "
        "differentiate with respect to"
    )
    return _as_real(array, value, name, "fiu", otherwise)


def as_constant(value: Any, name: str) -> Any:
    """A constant operand of the operation ``name``: a float, or a read-only float64 copy."""
    if type(value) is np.ndarray and value.dtype is FLOAT64 and value.shape:
        return _frozen_copy(value)
    return _as_real(_unboxed(value), value, name, "fiub", "")


def _unboxed(value):
    """The entries of an array of objects; anything else as it is. NumPy may have chosen plain
    numbers alone among traced ones, as np.maximum(np.array([a, b]), 0) where both are negative."""
    if type(value) is not np.ndarray or value.dtype != object:
        return value
    return value.tolist() if value.size else value.astype(float)


def _as_real(value, given, name, kinds, otherwise):
    """A float, or a frozen copy, where the dtype is of one of these kinds. Masked arrays, matrices,
    arrays with units are refused: as plain numbers they would be wrong. An error says what was
    ``given``, and ``otherwise`` what else to do."""
    if type(value) is float or (type(value) is int and abs(value) < _HUGE):
        return float(value)
    if isinstance(value, list | tuple):
        try:
            value = given = np.asarray(value)
        except ValueError as error:
            raise TraceError(
                f"{name}: got a list that is no array, expected rows of equal length: {error}"
            ) from None
    is_number = isinstance(value, int | float | np.number | np.bool_)
    is_array = type(value) in (np.ndarray, np.memmap) or hasattr(value, "origin")
    array = np.asarray(numbers_of(value) if is_number or is_array else None)
    # That of timedelta64, one of NumPy's integers, is "m".
    if array.dtype.kind in kinds:
        return _frozen_copy(array) if array.shape else float(array)
    name = name(given) if callable(name) else name
    instead = "convert it with np.asarray(…, dtype=float)"
    if np.iscomplexobj(value):
        instead = "compute with real and imaginary parts, each by itself"
    raise TraceError(
        f"{name}: got {kind_of(given)}, expected real numbers or an array of them; "
        f"{instead}{otherwise}"
    )


def as_output(value: Any) -> Any:
    """A constant that a recorded function returned: a copy, which the caller may change."""
    if (unboxed := _unboxed(value)) is not value:
        value = np.array(unboxed)
    if (
        not isinstance(value, bool | int | float | np.generic | np.ndarray)
        or np.asarray(value).dtype.kind not in "fiub"
    ):
        raise TraceError(
            f"the function returned {kind_of(value)}, expected real numbers, arrays of "
            "them, or a tuple, list or dict of these"
        )
    return np.array(numbers_of(value))[()]


def numbers_of(value: Any) -> Any:
    """The numbers of data as a plain array; anything else as it is."""
    if not hasattr(value, "origin"):
        return value
    return np.asarray(value) if value.origin is None else value.plain


def frozen(parameter: Any, origins: "Origins | None") -> Any:
    """A parameter of a row as nobody can change it: its arrays are copies."""
    if type(parameter) is tuple:
        return tuple([frozen(part, origins) for part in parameter])
    if not isinstance(parameter, np.ndarray):
        return parameter
    copy = np.array(numbers_of(parameter))
    copy.setflags(write=False)
    if origins is not None:
        origins.note(copy, parameter)
    return copy


class Origins(dict):
    """Where constants in rows came from: id of a constant -> (itself, its ``data.Origin``).

    Attributes:
        has_data: whether there was any data at all.
        recognise: a constant without an origin -> the ``data.Origin`` that it must have, or None.
        change: numbers of data, and their ``data.Origin`` -> the numbers that they have in a trial,
            and those that their memory holds.
    """

    has_data = False
    change: Callable = staticmethod(lambda numbers, origin: (numbers, numbers))
    recognise: Callable = staticmethod(lambda constant: None)

    def note(self, constant: Any, source: Any) -> None:
        """Note that a constant came from data, or from a constant that did."""
        origin = getattr(source, "origin", None) or self.of(source)
        if origin is not None:
            self[id(constant)] = constant, origin

    def of(self, constant: Any) -> Any:
        """Where a constant came from; None where it is a constant like any other."""
        known = self.get(id(constant))
        return known[1] if known and known[0] is constant else self.recognise(constant)


def _frozen_copy(array):
    copy = array.copy("K") if array.dtype is FLOAT64 else array.astype(np.float64)
    copy.setflags(write=False)
    return copy


# ---------------------------------------------------------------- rows


def operands_of(row: tuple) -> tuple:
    """The operands of a row: row numbers (ints) and constants."""
    return row[2:-1] if type(row[-1]) is dict else row[2:]


def parameters_of(row: tuple) -> dict:
    """The parameters of a row, without what its value kept for the rules."""
    parameters = row[-1] if type(row[-1]) is dict else {}
    return {key: p for key, p in parameters.items() if key != "residuals"}


def edges_of(row: tuple) -> list[tuple[int, int]]:
    """The edges into a row: (operand's position, its row number)."""
    return [(p, o) for p, o in enumerate(operands_of(row)) if type(o) is int]

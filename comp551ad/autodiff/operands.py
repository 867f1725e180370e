"""Valid inputs, constants and outputs of a recording: real numbers and arrays of them.

Everything else raises an error that names it. Values are converted to float64, and arrays are
copied so that they can't change while the tape refers to them. ``Origins`` says which constants
came from data. The last functions read a row; ``tape`` describes its format.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .refusals import TraceError, kind_of, this_thread

FLOAT64 = np.dtype(np.float64)
# Larger than any float.
_HUGE = 2**1024


def as_input(value: Any, name: Any) -> Any:
    """An input of a recording: a float, or a read-only float64 copy of an array.

    Errors use ``name``, or ``name(value)`` if it is a function that looks the name up.
    """
    if type(value) is np.ndarray and value.dtype is FLOAT64 and value.shape:
        return _frozen_copy(value)
    if type(value) is np.ndarray and not value.shape:
        this_thread.copied = True
    array = value
    # E.g. a pandas Series. Subclasses of ndarray stay what they are.
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
    """The entries of an object array; anything else unchanged. NumPy may have selected only plain
    numbers, as in np.maximum(np.array([a, b]), 0) where both are negative."""
    if type(value) is not np.ndarray or value.dtype != object:
        return value
    return value.tolist() if value.size else value.astype(float)


def _as_real(value, given, name, kinds, otherwise):
    """A float, or a frozen copy, if the dtype is of one of these kinds. Masked arrays, matrices and
    arrays with units are rejected, because their plain numbers would be wrong. Errors mention what
    was ``given``, and suggest ``otherwise``."""
    if type(value) is float or (type(value) is int and abs(value) < _HUGE):
        return float(value)
    if isinstance(value, list | tuple):
        try:
            value = given = np.asarray(value)
        except ValueError as error:
            raise TraceError(
                f"{name}: got a ragged list, expected rows of equal length: {error}"
            ) from None
    is_number = isinstance(value, int | float | np.number | np.bool_)
    is_array = type(value) in (np.ndarray, np.memmap) or hasattr(value, "origin")
    array = np.asarray(numbers_of(value) if is_number or is_array else None)
    # timedelta64 is a subclass of np.integer, but its kind is "m".
    if array.dtype.kind in kinds:
        return _frozen_copy(array) if array.shape else float(array)
    name = name(given) if callable(name) else name
    instead = "convert it with np.asarray(…, dtype=float)"
    if np.iscomplexobj(value):
        instead = "compute with the real and imaginary parts separately"
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
    """The numbers of data as a plain array; anything else unchanged."""
    if not hasattr(value, "origin"):
        return value
    return np.asarray(value) if value.origin is None else value.plain


def frozen(parameter: Any, origins: "Origins | None") -> Any:
    """A parameter of a row that can't change: its arrays are copied."""
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
    """The origins of constants in rows: id of a constant -> (the constant, its ``data.Origin``).

    Attributes:
        has_data: whether there was any data.
        recognise: a constant without an origin -> the ``data.Origin`` inferred for it, or None.
        change: (numbers of data, their ``data.Origin``) -> (their numbers in a trial, and those
            that their memory holds).
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
        """The origin of a constant; None if it has none."""
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
    """The parameters of a row, without the residuals saved for the rules."""
    parameters = row[-1] if type(row[-1]) is dict else {}
    return {key: p for key, p in parameters.items() if key != "residuals"}


def edges_of(row: tuple) -> list[tuple[int, int]]:
    """The edges into a row: (operand position, its row number)."""
    return [(p, o) for p, o in enumerate(operands_of(row)) if type(o) is int]

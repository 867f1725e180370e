"""What may be an input or a constant of a recording: real numbers, and arrays of them.

Everything else is refused by name. Values are taken as float64, arrays as copies that nobody can
change while the tape refers to them.

Reads: ``refusals``. Read by: ``tape``.
"""

from collections.abc import Sized
from typing import Any

import numpy as np

from .refusals import TraceError, kind_of

FLOAT64 = np.dtype(np.float64)


def as_input(value: Any, name: Any, *where: Any) -> Any:
    """An input of a recording: a float, or a read-only float64 copy of an array.

    An error calls it ``name``, or ``name(*where)`` where there is something to look up.
    """
    kind = type(value)
    if kind is float:
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


def as_constant(value: Any, name: str) -> Any:
    """A constant operand of the operation ``name``: a float, or a read-only float64 copy."""
    kind = type(value)
    if kind is np.ndarray:
        if value.dtype.kind in "fiub":
            return _frozen_copy(value) if value.shape else float(value)
    elif isinstance(value, int | float | np.floating | np.integer | np.bool_):
        if not isinstance(value, np.timedelta64):
            return float(value)
    elif isinstance(value, list | tuple):
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise TraceError(
                f"{name}: got a list that is no array, expected rows of equal length: {error}"
            ) from None
        return as_constant(value, name)
    elif kind is np.memmap and value.dtype.kind in "fiub":
        return _frozen_copy(np.asarray(value))
    raise TraceError(
        f"{name}: got {kind_of(value)} as an operand, expected real numbers or an array "
        "of them; convert it with np.asarray(…, dtype=float)"
    )


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

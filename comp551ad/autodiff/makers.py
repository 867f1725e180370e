"""Arrays that the recorded function makes, such as ``z = np.zeros(3)``, as traced ones.

NumPy asks no tracer where a plain array comes first: in ``z[0] = a``, in ``np.array([a, b])`` and
in ``X.dot(a)``; nor does ``math.log(a)`` ask one. A function that is refused for such a line is
recorded a second time. Then its other arrays of floats are traced, too, and where its lines say
``np.zeros`` or ``math.log`` they find a function that makes, or takes, traced values.

Only the names in f's modules change: NumPy itself stays, and whoever else calls it.
"""

import contextlib
import functools
import math
import statistics
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from comp551ad import functions as fn
from comp551ad import pytrees

from .arguments import function_of
from .composites import copied
from .operands import FLOAT64
from .refusals import TraceError, spaces_of, this_thread
from .tape import Tracer, joined

# id of a namespace -> in how many second attempts it is changed, of all threads; its own values.
_CHANGED: dict[int, list] = {}
_LOCK = threading.Lock()


def with_second_attempt(
    f: Callable, record: Callable, refusals: Any = TraceError
) -> Any:
    """``record(False)``; where that is refused ``record(True)``, in which f's arrays are traced.

    Raises:
        The first refusal, where the second attempt fails as well; but that f decides something by
        values is what the second one says.
    """
    if this_thread.makes_arrays:
        return record(True)
    try:
        return record(False)
    except refusals as refused:
        try:
            spaces = [getattr(function_of(f), "__globals__", {}), *spaces_of(refused)]
            with _traced_arrays(spaces):
                return record(True)
        except Exception as second:
            if isinstance(second, refusals) and not isinstance(second, TraceError):
                raise
            raise refused from None


@contextlib.contextmanager
def _traced_arrays(spaces: list[dict]) -> Iterator[None]:
    """In these namespaces NumPy's makers of arrays, and the functions of math, are others."""
    this_thread.makes_arrays = True
    try:
        with _LOCK:
            for space in spaces:
                names = {name: x for name, x in space.items() if _other(x) is not None}
                entry = _CHANGED.setdefault(id(space), [0, names])
                entry[0] += 1
                space.update((name, _other(x)) for name, x in names.items())
        yield
    finally:
        this_thread.makes_arrays = False
        with _LOCK:
            for space in spaces:
                entry = _CHANGED[id(space)]
                entry[0] -= 1
                if not entry[0]:
                    space.update(entry[1])
                    del _CHANGED[id(space)]


def _other(x):
    """What f finds in place of a global value; None where that stays."""
    return _vectorize(x) if type(x) is np.vectorize else _OTHERS.get(id(x))


def made(array: Any) -> Any:
    """An array of floats as a traced one, an input of all open tapes; anything else as it is."""
    if type(array) is not np.ndarray or array.dtype != FLOAT64:
        return array
    if not array.ndim:
        return array[()]
    tapes = [this_thread.tape]
    while tapes[0].enclosing is not None:
        tapes.insert(0, tapes[0].enclosing)
    for tape in tapes:
        array = tape.add_input(array, "an array")
    return array


# ---------------------------------------------------------------- what f finds


def _in_second_attempts(plain, other):
    """The function ``other``, but ``plain`` where nothing is recorded, or in another thread."""

    @functools.wraps(plain)
    def function(*args, **kwargs):
        is_meant = this_thread.makes_arrays and this_thread.tape is not None
        return (other if is_meant else plain)(*args, **kwargs)

    return function


def _maker(plain):
    # What stands in the memory of np.empty would be another constant each time.
    name = plain.__name__.replace("empty", "zeros")
    return _in_second_attempts(
        plain, lambda *args, **how: made(getattr(np, name)(*args, **how))
    )


def _converter(plain):
    """np.array and its kin: traced values and data pass, lists of traced values are stacked."""

    def converted(a, dtype=None, **how):
        new = joined(a)
        if type(new) is not Tracer and getattr(new, "origin", None) is None:
            return made(plain(a, dtype, **how))
        copies = plain is np.array and new is a and type(a) is Tracer
        new = copied(new) if copies and how.get("copy", True) else new
        return new if dtype is None else new.astype(dtype)

    return _in_second_attempts(plain, converted)


def _full(shape, fill_value, dtype=None, **how):
    if type(value := joined(fill_value)) is Tracer:
        return value * np.ones(shape)
    return made(np.full(shape, fill_value, dtype, **how))


def _full_like(a, fill_value, dtype=None, **how):
    dtype = dtype or np.result_type(a)
    return _full(np.shape(a), fill_value, dtype, **how)


def _of_numbers(plain, of_traced):
    """A function of plain numbers, and what it is of traced ones."""

    def function(*args, **kwargs):
        if any(type(x) is Tracer for x in pytrees.leaves(args)):
            return of_traced(*map(joined, args), **kwargs)
        return plain(*args, **kwargs)

    return _in_second_attempts(plain, function)


def _vectorize(vectorized):
    def each(*args):
        arrays = np.broadcast_arrays(*args)
        rows = zip(*map(np.ravel, arrays), strict=True)
        found = np.stack([vectorized.pyfunc(*row) for row in rows])
        return np.reshape(found, arrays[0].shape)

    return _of_numbers(vectorized, each)


class _Joiner:
    """np.c_ or np.r_, which take items."""

    def __init__(self, plain, join):
        self.plain, self.join = plain, join

    def __getitem__(self, parts):
        listed = parts if isinstance(parts, tuple) else (parts,)
        if any(type(joined(part)) is Tracer for part in listed):
            return self.join(listed)
        return self.plain[parts]


_MAKERS = "zeros ones empty eye identity zeros_like ones_like empty_like linspace"
_CONVERTERS = "array asarray asanyarray ascontiguousarray"
_FUNCTIONS: dict[Any, dict[str, Any]] = {
    np: {
        **{name: _maker(getattr(np, name)) for name in _MAKERS.split()},
        **{name: _converter(getattr(np, name)) for name in _CONVERTERS.split()},
        "full": _in_second_attempts(np.full, _full),
        "full_like": _in_second_attempts(np.full_like, _full_like),
        "vectorize": lambda f, *args, **how: _vectorize(np.vectorize(f, *args, **how)),
        "c_": _Joiner(np.c_, np.column_stack),
        "r_": _Joiner(
            np.r_, lambda parts: np.concatenate([*map(np.atleast_1d, parts)])
        ),
    },
    math: {
        name: _of_numbers(function, fn.erf if name == "erf" else getattr(np, name))
        for name, function in vars(math).items()
        if callable(function) and (name == "erf" or hasattr(np, name))
    },
    statistics: {
        name: _of_numbers(getattr(statistics, name), of_traced)
        for name, of_traced in {
            **dict.fromkeys(("mean", "fmean"), np.mean),
            "median": np.median,
            "pvariance": np.var,
            "pstdev": np.std,
            "variance": functools.partial(np.var, ddof=1),
            "stdev": functools.partial(np.std, ddof=1),
        }.items()
    },
}
# id of a module, or of one of its functions -> what f finds in its place.
_OTHERS: dict[int, Any] = {}
for _module, _functions in _FUNCTIONS.items():
    _OTHERS[id(_module)] = SimpleNamespace(**vars(_module) | _functions)
    for _name, _function in _functions.items():
        _OTHERS[id(getattr(_module, _name))] = _function

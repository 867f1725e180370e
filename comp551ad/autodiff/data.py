"""Data: arrays that are not differentiated, and where they come from.

Labels, masks and indices have no derivative, but a written program must still compute them from its
arguments. While ``record`` or ``write_gradient`` watches, they are ``Data``: arrays that compute as
in NumPy and remember their ``Origin``: an argument of the recorded function, or a call on traced
values and other data. ``x > 0`` is such a call, and so is ``np.sort(y)``.

Python's own questions (``if``, ``int(…)``, a dict key) need a plain answer immediately, which may
differ for other arguments. Each is noted as a decision on every tape that the data comes from.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from comp551ad import pytrees

from .refusals import (
    TraceError,
    is_in_assert,
    line_outside,
    loop_of_numpys,
    refusal,
    this_thread,
)
from .tape import Tape, Tracer, concrete, joined

# These depend on shapes only: other arguments of the same shapes give the same answer.
SHAPES = {np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.isrealobj}


class Origin(NamedTuple):
    """The call or argument that data came from.

    Attributes:
        function: the function called, the name of an array method, or None for an argument.
        operands: tracers, data and plain values; for an argument, only its name.
        parameters: the keyword arguments of the call.
        tape: for an argument, the tape that records it.
    """

    function: Callable | str | None
    operands: tuple
    parameters: dict
    tape: Tape | None = None


def counted(numbers: np.ndarray, end: int) -> np.ndarray:
    """0, 1, …, end − 1, repeated to fill the shape of ``numbers``."""
    return np.resize(np.arange(end), numbers.shape).astype(numbers.dtype)


# Labels -> other labels.
LABELS: list[Callable] = [
    np.zeros_like,
    lambda x: counted(x, max(1, np.max(x)) + 1),
    lambda x: np.full_like(x, np.max(x)),
]


_STORE = (
    "a[k] = b of labels or a mask",
    "write a = np.where(mask, b, a); of a diagonal the mask is np.eye(N) > 0",
)


class Data(np.ndarray):
    """An array of booleans or integers, or of values computed from them, with its origin.

    Anything computed from data is data too.

    Attributes:
        origin: None for a view that NumPy created internally.
        plain: the numbers. In a trial the array's memory holds different ones, which only code
            that bypasses the trace can see.
    """

    origin: Origin | None
    plain: np.ndarray

    def __array_finalize__(self, source):
        self.origin = None

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        if any(type(x) is Tracer for x in inputs):
            return NotImplemented
        if out is not None:
            raise refusal("a += b of labels or a mask", "write a = a + b")
        call = ufunc if method == "__call__" else getattr(ufunc, method)
        return _call(call, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        if not all(issubclass(kind, np.ndarray) for kind in types):
            return NotImplemented
        return _call(function, args, kwargs)

    def __setitem__(self, *args: Any, **kwargs: Any) -> None:
        raise refusal(*_STORE)

    fill = put = __setitem__

    def sort(self, *args: Any, **kwargs: Any) -> None:
        raise refusal("a.sort() of labels or a mask", "write a = np.sort(a)")

    def __len__(self) -> int:
        if _has_other_sizes(self):
            note_decision((self,), "len")
        return len(self.plain)

    def __iter__(self) -> Iterator:
        return (self[k] for k in range(len(self)))

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.item())

    @property
    def T(self) -> Any:
        """Same as np.transpose."""
        return compute(np.transpose, (self,), {})


def _has_other_sizes(data):
    """Whether other labels would give an array of a different length, as in np.unique(y). For
    masks, and traced arrays that they select, the trials are more precise."""
    if data.origin is None or data.origin.function in (None, "__getitem__"):
        return False
    for change in LABELS:
        with contextlib.suppress(Exception):  # labels that are invalid for f
            if np.shape(_for_others(data, change)) != data.shape:
                return True
    return False


def _for_others(value, change):
    """The value recomputed with its labels changed."""
    if type(value) in (list, tuple):
        return [_for_others(part, change) for part in value]
    origin = getattr(value, "origin", None)
    if origin is not None and origin.function and value.dtype != bool:
        keywords = {key: concrete(p) for key, p in origin.parameters.items()}
        return called(origin.function, _for_others(origin.operands, change), keywords)
    is_label = origin is not None and value.size and value.dtype.kind in "iu"
    return change(concrete(value)) if is_label else concrete(value)


def as_data(array: Any, origin: Origin) -> Data:
    """An array, or a number, as data of this origin."""
    plain = shown = np.array(array)
    if this_thread.tape is not None and this_thread.tape.origins is not None:
        this_thread.tape.origins.has_data = True
        plain, shown = this_thread.tape.origins.change(plain, origin)
    plain.setflags(write=False)
    shown.setflags(write=False)
    data = shown.view(Data)
    data.origin, data.plain = origin, plain
    return data


def one_hot(labels: list[Data], constant: Any) -> Origin | None:
    """The origin of a constant that equals ``np.eye(K)[y]`` for exactly one of these labels.
    Neither that nor a store into ``np.zeros`` is traced."""
    shape = np.shape(constant) if type(constant) is np.ndarray else ()
    found: list[Any] = []
    for y in labels:
        if shape[:-1] == y.shape:
            rows = np.eye(shape[-1])
            with contextlib.suppress(IndexError):  # other labels than these
                # Like f, use the memory of y.
                if np.array_equal(rows[np.asarray(y)], constant):
                    of_y: Any = as_data(rows, Origin(np.eye, shape[-1:], {}))[y]
                    found.append(of_y.origin)
    return found[0] if len(found) == 1 else None


def snapshot(value: Any) -> Any:
    """For a tracer, another one for the same row, unaffected by in-place updates of the original;
    anything else unchanged."""
    if type(value) is not Tracer:
        return value
    copy = Tracer()
    copy.value, copy.index, copy.tape = value.value, value.index, value.tape
    return copy


def compute(function: Callable | str, operands: tuple, parameters: dict) -> Any:
    """Call a function, or the array method of this name, on the operands' current values.

    A resulting array or number is data. None comes from a store into a plain array; a store into
    data raises. Any other result, such as a tuple of arrays, is noted as a decision.
    """
    if function in (np.nonzero, "nonzero"):
        places = compute(np.argwhere, operands, parameters).T
        return tuple(places[k] for k in range(len(places)))
    if function in (np.argwhere, np.flatnonzero) and operands:
        # A mask records that the number of entries depends on values.
        is_mask = operands[0].dtype == bool
        operands = operands if is_mask else (np.not_equal(operands[0], 0),)
    plain: list = list(map(concrete, operands))
    keywords = {key: concrete(p) for key, p in parameters.items()}
    try:
        result = called(function, plain, keywords)
    except ValueError as error:
        if "read-only" in str(error):
            raise refusal(*_STORE) from None
        raise
    if isinstance(result, np.ndarray | np.generic):
        if function is np.add and result.dtype == bool:
            # In JavaScript true + true is 2.
            function = np.bitwise_or
        origin = Origin(function, tuple(map(snapshot, operands)), parameters)
        return as_data(result, origin)
    if result is not None and function not in SHAPES:
        name = function if isinstance(function, str) else function.__name__
        note_decision((*operands, *parameters.values()), name.strip("_"))
    return result


def called(function: Callable | str, operands: Any, parameters: dict) -> Any:
    """The result of a function, or of the array method of this name."""
    if isinstance(function, str):
        return getattr(np.asarray(operands[0]), function)(*operands[1:], **parameters)
    return function(*operands, **parameters)


def _call(function, operands, parameters):
    """NumPy's calls on data. NumPy doesn't look for traced values in lists, so they are joined:
    ``mask * [a, b]`` is ``mask * np.stack([a, b])``."""
    operands = tuple(map(joined, operands))
    given = {key: x for key, x in parameters.items() if x is not np._NoValue}
    parameters = {key: joined(x) for key, x in given.items()}
    if function is np.where and len(operands) == 1:
        function = np.nonzero  # so that errors don't mention np.where
    if any(type(x) is Tracer for x in (*operands, *parameters.values())):
        return function(*operands, **parameters)
    return compute(function, operands, parameters)


def _method(name):
    def method(self, *args: Any, **kwargs: Any) -> Any:
        args = tuple(map(joined, args))
        if hasattr(np, name) and any(type(x) is Tracer for x in args):
            return getattr(np, name)(self, *args, **kwargs)
        return compute(name, (self, *args), kwargs)

    return method


def _question(name):
    """A Python special method that needs a plain answer."""

    def method(self, *args: Any) -> Any:
        asked = getattr(self.origin and self.origin.function, "__name__", name)
        loop = loop_of_numpys() if name == "__bool__" else ""
        note_decision((self,), asked.strip("_") + loop)
        return getattr(concrete(self), name)(*args)

    return method


for _name in (
    "__getitem__ all any argmax argmin argsort astype clip copy cumprod cumsum diagonal dot "
    "flatten max mean min nonzero prod ravel repeat reshape round squeeze std sum swapaxes take "
    "trace transpose var"
).split():
    setattr(Data, _name, _method(_name))
for _name in (
    "__bool__ __int__ __float__ __index__ __complex__ __contains__ item tolist"
).split():
    setattr(Data, _name, _question(_name))


# ---------------------------------------------------------------- decisions


def sources_of(operands: Iterable) -> Iterator:
    """The tracers and data among the operands and those they were computed from, each once."""
    waiting, seen = list(operands), set()
    for operand in waiting:
        if id(operand) in seen:
            continue
        seen.add(id(operand))
        if type(operand) in (list, tuple):
            waiting += operand
        elif type(operand) is Tracer:
            yield operand
            waiting.append(operand.value)
        elif getattr(operand, "origin", None) is not None:
            yield operand
            waiting += operand.origin.operands
            waiting += operand.origin.parameters.values()


def tapes_of(operands: Iterable) -> list[Tape]:
    """The tapes that the tracers and data among the operands come from, each once."""
    sources = sources_of(operands)
    tapes = (x.tape if type(x) is Tracer else x.origin.tape for x in sources)
    return list(dict.fromkeys(tape for tape in tapes if tape is not None))


def note_decision(operands: Iterable, name: str) -> None:
    """Note a question about values, with its line, on every tape that the operands come from.

    An assert is not a decision: it either raises or has no effect.
    """
    if is_in_assert():
        return
    file, line = line_outside()
    operands = [*operands]
    name += _of_labels(operands)
    for tape in tapes_of(operands):
        tape.asked = True
        if tape.watch:
            tape.decisions.append((name, file, line))


def _of_labels(operands):
    """ ", of y" if the question depends on an argument y that is data, and on no tracer."""
    sources = [*sources_of(operands)]
    if any(type(x) is Tracer for x in sources):
        return ""
    given = [x.origin.operands[0] for x in sources if x.origin.function is None]
    return f", of {given[0].split('[')[0]}" if given else ""


def refuse_counts(result: Any, tape: Tape) -> None:
    """Raise for a result that comes from a comparison, a count or an index.

    Raises:
        TraceError: a constant in it is data, or the function made a decision based on values.
    """
    for leaf in pytrees.leaves(result):
        if type(leaf) is not Tracer:
            counts = np.asarray(leaf).dtype.kind == "b" or hasattr(leaf, "origin")
            if counts or tape.decisions:
                raise TraceError(
                    f"the function returned {concrete(leaf)!r}, which has no derivative: it comes "
                    "from a comparison, a count or an index, such as an accuracy, or from a "
                    "branch; return a cost that changes smoothly, such as a cross-entropy, and "
                    "write np.maximum(x, 0) for max(x, 0)"
                )

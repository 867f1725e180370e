"""Plain values over a pipe, and calls in both directions.

A student's notebook runs in one process and is judged in another. They exchange JSON:
numbers, strings, arrays and containers of them. Anything else (a function, an object) stays
where it is, and the other process gets a reference to call. Nothing is pickled. Both
processes use this module: `answering.py` in the student's, `marking.py` in the judge's.

    Peer      one end of the pipe: `ask` the other end, `serve` its requests
    Remote    a reference to an object at the other end: call it, add it, read an attribute
    Live      a Remote inside a call from the other end, where NumPy may compute with it
    Stopped   the other end is gone
"""

import base64
import builtins
import json
import threading
from collections.abc import Callable
from typing import IO, Any, NoReturn

import numpy as np

MAX_MESSAGE_BYTES = 32_000_000
# Names of exception classes are looked up here, so that both ends mean the same class.
_ERRORS_LIVE_IN = (builtins, np.exceptions, np.linalg)
_PLAIN_DTYPES = "biufcSUmM"
_UNREADABLE = "sent something unreadable"


class Stopped(BaseException):
    """The other end is gone, or broke the protocol: it will not reply any more."""


class Remote:
    """A reference to an object at the other end.

    It supports calls and arithmetic, and has the object's public attributes. It is equal
    only to itself, and NumPy can't convert it, so results are only ever compared as plain
    values.
    """

    def __init__(self, peer: "Peer", key: int, name: str):
        self._peer, self._key, self.__name__ = peer, key, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given, changed = self._peer.ask("call", self, list(args), kwargs)
        for k, new in changed:
            _write_back(args[k], new)
        return given

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._peer.ask("apply", "builtins", "getattr", [self, name])

    def __iter__(self) -> Any:
        return iter(self._peer.ask("apply", "builtins", "list", [self]))

    def __deepcopy__(self, memo: dict) -> "Remote":
        return self


class Live(Remote):
    """An argument of a call from the other end: NumPy functions of it run there."""

    __hash__ = object.__hash__

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs):
        named = f"{ufunc.__name__}.{method}"
        return self._peer.ask("apply", "numpy", named, list(inputs), kwargs)

    def __array_function__(self, function: Callable, types: Any, args: Any, kwargs):
        where = function.__module__, function.__name__
        return self._peer.ask("apply", *where, list(args), kwargs)


def _forward(owner: type, names: str, module: str, reflected: bool = False) -> None:
    """Give a class dunder methods with these names, which run at the other end."""
    for name in names.split():

        def method(self, *others, name=name):
            return self._peer.ask("apply", module, name, [self, *others])

        def mirrored(self, other, name=name):
            return self._peer.ask("apply", module, name, [other, self])

        setattr(owner, f"__{name}__", method)
        if reflected:
            setattr(owner, f"__r{name}__", mirrored)


_forward(Remote, "add sub mul truediv floordiv mod pow matmul", "operator", True)
_forward(Remote, "neg pos abs", "operator")
_forward(Live, "lt le gt ge eq ne getitem", "operator")
_forward(Live, "len bool int float complex", "builtins")


def _write_back(old: Any, new: Any) -> None:
    """Apply changes that the call made to its argument at the other end."""
    if isinstance(old, np.ndarray) and np.shape(new) == old.shape:
        old[...] = new
    elif isinstance(old, list) and isinstance(new, list):
        old[:] = new
    elif isinstance(old, dict | set) and type(new) is type(old):
        old.clear()
        old.update(new)


class Peer:
    """One end of the pipe.

    Args:
        source: the stream of messages from the other end.
        target: the stream for ours.
        serves: the functions that the other end may call, by name.
        place: returns where an error of ours was raised: line number and text.
    """

    def __init__(
        self,
        source: IO[bytes],
        target: IO[bytes],
        serves: dict[str, Callable] | None = None,
        place: Callable[[BaseException], tuple[int, str] | None] = lambda error: None,
    ):
        self.source, self.target = source, target
        self.serves, self.place = {"call": self._call, **(serves or {})}, place
        self.objects: dict[int, Any] = {}
        self.lock = threading.RLock()
        self.depth = 0  # the number of nested calls being served
        self.gone: Stopped | None = None
        # Our last error, which may come back: its class names, its arguments, itself.
        self.raised: tuple[list, Any, BaseException] | None = None

    # --- messages ---------------------------------------------------------------------

    def ask(self, what: str, *args: Any) -> Any:
        """Call the other end; serve its requests in the meantime."""
        with self.lock:
            if self.gone:
                raise self.gone
            self._send(["ask", what, self.pack(list(args))])
            while True:
                try:
                    kind, *rest = self._receive()
                except Stopped:
                    raise
                except BaseException:
                    # One of the judge's own limits expired before the reply.
                    self.gone = Stopped("took too long to answer")
                    raise
                if kind == "ask":
                    self._serve(rest)
                elif kind == "gave":
                    return self._understood(rest and rest[0])
                else:
                    raise self._error(rest)

    def serve(self) -> None:
        """Serve requests until the other end goes away."""
        while True:
            kind, *rest = self._receive()
            if kind != "ask":
                self._stop(_UNREADABLE)
            self._serve(rest)

    def _serve(self, message: list) -> None:
        self.depth += 1
        try:
            what, packed = message
            reply = ["gave", self.pack(self.serves[what](*self._understood(packed)))]
        except Stopped:
            raise
        except BaseException as error:
            reply = ["raised", *self._pack_error(error)]
        finally:
            self.depth -= 1
        self._send(reply)

    def _call(self, function: Callable, args: list, kwargs: dict) -> tuple:
        """What a function returns, and the arguments that it changed."""
        before = [json.dumps(self.pack(arg)) for arg in args]
        given = function(*args, **kwargs)
        after = [json.dumps(self.pack(arg)) for arg in args]
        pairs = zip(before, after, strict=True)
        changed = [(k, args[k]) for k, (old, new) in enumerate(pairs) if old != new]
        return given, changed

    def _send(self, message: list) -> None:
        try:
            self.target.write(
                json.dumps(message, separators=(",", ":")).encode() + b"\n"
            )
            self.target.flush()
        except (OSError, ValueError):
            self._stop()

    def _receive(self) -> list:
        try:
            line = self.source.readline(MAX_MESSAGE_BYTES)
            if not line:
                self._stop()
            if len(line) == MAX_MESSAGE_BYTES:
                self._stop(f"sent more than {MAX_MESSAGE_BYTES // 1_000_000} MB")
            kind, *rest = json.loads(line)
            if kind not in ("ask", "gave", "raised"):
                raise ValueError(kind)
        except (OSError, ValueError, TypeError, RecursionError, MemoryError):
            self._stop(_UNREADABLE)
        return [kind, *rest]

    def _understood(self, packed: Any) -> Any:
        try:
            return self.unpack(packed)
        except Exception:
            self._stop(_UNREADABLE)

    def _stop(self, why: str = "") -> NoReturn:
        """Raise `Stopped`; `why` is empty if the other end just went away."""
        self.gone = self.gone or Stopped(why)
        raise self.gone

    # --- values -----------------------------------------------------------------------

    def pack(self, value: Any) -> Any:
        """A value as JSON; anything but a plain value as a reference to it."""
        kind = type(value)  # isinstance would take a traced value for what it traces
        if value is None or issubclass(kind, bool | str):
            return value
        if issubclass(kind, np.generic | np.ndarray):
            return self._pack_array(value)
        if issubclass(kind, int):
            return int(value) if abs(value) < 2**62 else {"int": hex(value)}
        if issubclass(kind, float):
            return float(value)
        if issubclass(kind, complex):
            return {"complex": [value.real, value.imag]}
        if value is ...:
            return {"...": 0}
        if issubclass(kind, list):
            return [self.pack(part) for part in value]
        if issubclass(kind, dict):
            return {"dict": [[self.pack(k), self.pack(v)] for k, v in value.items()]}
        for plain in (tuple, set, frozenset):
            if issubclass(kind, plain):
                return {plain.__name__: [self.pack(part) for part in value]}
        if issubclass(kind, Remote):
            return {"back": value._key}
        self.objects[id(value)] = value
        name = getattr(value, "__name__", "")
        name = name if isinstance(name, str) else ""
        return {"object": [id(value), kind.__name__, name]}

    def _pack_array(self, value: np.generic | np.ndarray) -> Any:
        array = np.asarray(value)
        if array.dtype.kind not in _PLAIN_DTYPES:
            return self.pack(array.tolist())
        if array.nbytes > MAX_MESSAGE_BYTES // 2:
            raise ValueError(f"an array of shape {array.shape} is too large to send")
        data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
        kind = "scalar" if isinstance(value, np.generic) else "array"
        return {kind: [array.dtype.str, list(array.shape), data]}

    def unpack(self, packed: Any) -> Any:
        """The value that `pack` packed at the other end; raises if anything is wrong."""
        if isinstance(packed, list):
            return [self.unpack(part) for part in packed]
        if not isinstance(packed, dict):
            return packed
        ((kind, about),) = packed.items()
        match kind:
            case "int":
                return int(about, 16)
            case "complex":
                return complex(*about)
            case "...":
                return ...
            case "dict":
                return {self.unpack(k): self.unpack(v) for k, v in about}
            case "tuple" | "set" | "frozenset":
                return getattr(builtins, kind)(self.unpack(part) for part in about)
            case "array" | "scalar":
                dtype, shape, data = about
                if np.dtype(dtype).kind not in _PLAIN_DTYPES:
                    raise ValueError(dtype)
                array = np.frombuffer(base64.b64decode(data), dtype)
                array = array.reshape(shape).copy()
                return array[()] if kind == "scalar" else array
            case "back":
                return self.objects[about]
            case "object":
                return self._reference(*about)
        raise ValueError(kind)

    def _reference(self, key: int, kind: str, name: str) -> Remote:
        """A Remote whose class has the name of the object's class."""
        base = Live if self.depth else Remote
        return type(str(kind)[:60], (base,), {})(self, int(key), str(name)[:60])

    # --- errors -----------------------------------------------------------------------

    def _pack_error(self, error: BaseException) -> list:
        names = [kind.__name__ for kind in type(error).__mro__]
        args = [a if isinstance(a, str | int) else _in_words(a) for a in error.args]
        self.raised = names, self.pack(args), error
        return [names, self.pack(args), self.place(error)]

    def _error(self, message: list) -> BaseException:
        """The other end's error, with its place there; or our own, if it has come back."""
        try:
            names, args, place = message
            if self.raised and [names, args] == [*self.raised[:2]]:
                return self.raised[2]
            error = _exception(list(map(str, names)), self.unpack(args))
            if place:
                error.place = int(place[0]), str(place[1])[:200]  # type: ignore[attr-defined]
            return error
        except Exception:
            self._stop(_UNREADABLE)


def _exception(names: list[str], args: list) -> BaseException:
    """An error of the first class with one of these names that is known here."""
    found = [getattr(home, name, None) for name in names for home in _ERRORS_LIVE_IN]
    classes = [c for c in found if isinstance(c, type) and issubclass(c, BaseException)]
    known = classes[0] if classes else Exception
    if known.__name__ != names[0]:
        known = type(names[0][:60], (known,), {})
    try:
        return known(*args)
    except Exception:  # some classes need particular arguments
        return type(names[0][:60], (Exception,), {})(*args)


def _in_words(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # its own method raises
        return ""

"""What keeps an answer from hanging a check, or from changing the notebook around it.

as_it_was    restores what answers change by accident: seeds, error states, folders
TimeLimit    raised in an answer that doesn't end
time_limit   raises it, on every system and in every thread
in_time      what a function returns, or a default if it takes too long
stoppable    gives an answer iterators that a time limit can stop
"""

import builtins
import contextlib
import gc
import inspect
import itertools
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

import numpy as np

_HERE = os.path.dirname(__file__)


class TimeLimit(BaseException):
    """Raised inside a running answer, whose `except Exception` doesn't catch it."""


def _folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # it has been removed
        return os.curdir


def _set_environment(variables: dict[str, str]) -> None:
    if dict(os.environ) != variables:
        os.environ.clear()
        os.environ.update(variables)


def _set_path(folders: list[str]) -> None:
    sys.path[:] = folders


def _set_collecting(on: bool) -> None:
    (gc.enable if on else gc.disable)()


def _set_stop_button(handler: Any) -> None:
    if signal.getsignal(signal.SIGINT) is not handler:
        signal.signal(signal.SIGINT, handler)


# How to read and restore each piece of process-wide state.
_STATE: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (np.random.get_state, np.random.set_state),  # noqa: NPY002, what answers may use
    (random.getstate, random.setstate),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.gettrace, sys.settrace),
    (sys.getprofile, sys.setprofile),
    (gc.isenabled, _set_collecting),
    (lambda: list(sys.path), _set_path),
    (lambda: dict(os.environ), _set_environment),
    (lambda: signal.getsignal(signal.SIGINT), _set_stop_button),
    (_folder, os.chdir),
)


class _Stream:
    """A stream that an answer can write to but not close."""

    def __init__(self, stream: Any):
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        pass


@contextlib.contextmanager
def as_it_was() -> Iterator[None]:
    """Restore whatever process-wide state an answer sets."""
    state = [(read, read(), put_back) for read, put_back in _STATE]
    outputs = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (stream and _Stream(stream) for stream in outputs)
    try:
        with np.errstate(), np.printoptions(), warnings.catch_warnings():
            yield
    finally:
        sys.stdout, sys.stderr = outputs
        for read, value, put_back in state:
            # The folder may be gone, or unreadable.
            with contextlib.suppress(OSError):
                if read() is not value:
                    put_back(value)


class time_limit:
    """`with time_limit(8.0):` raises `TimeLimit` inside when the time is over.

    Entered again, it continues with the time that is left. On exit, builtins that an answer
    replaced are restored: examining what the answer returned needs them.

    In the main thread, except on Windows, an alarm signal raises. After the alarm, and from
    the start where there is none, the clock is checked before every step of the answer, so
    one that catches all errors is stopped too. A call into C that doesn't return isn't
    stopped, such as a product of huge matrices; for long iterators there is `stoppable`.
    """

    def __init__(self, seconds: float):
        self.seconds = seconds

    def __enter__(self) -> None:
        self.builtins = dict(builtins.__dict__)
        self.end = time.monotonic() + self.seconds
        self.trace, self.hook = sys.gettrace(), sys.unraisablehook
        sys.unraisablehook = self._unraisable
        main = threading.current_thread() is threading.main_thread()
        self.rings = main and hasattr(signal, "setitimer")
        if self.rings:
            self.handler = signal.signal(signal.SIGALRM, self._ring)
            self.timer = signal.setitimer(signal.ITIMER_REAL, self.seconds, 1.0)
        else:
            sys.settrace(self._look)

    def __exit__(self, *_: object) -> None:
        builtins.__dict__.update(self.builtins)
        sys.settrace(self.trace)
        sys.unraisablehook = self.hook
        self.seconds = max(self.end - time.monotonic(), 1e-3)
        if self.rings:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self.handler)
            signal.setitimer(signal.ITIMER_REAL, *self.timer)  # the one set before

    def _ring(self, _: int, frame: Any) -> None:
        stack = []
        while frame is not None:
            stack.append(frame)
            frame = frame.f_back
        # Don't interrupt a limit that is starting, ending or checking the clock, nor what it
        # calls, such as a profiler that is still active.
        if any(step.f_code in _METHODS for step in stack):
            return
        sys.settrace(self._look)
        for step in takewhile(lambda frame: not _is_ours(frame), stack):
            step.f_trace = self._look(step, "call", None)
        raise TimeLimit

    def _unraisable(self, fault: Any) -> None:
        """The limit may be raised in a finalizer, such as a generator being closed."""
        if not issubclass(fault.exc_type, TimeLimit):
            self.hook(fault)

    def _look(self, frame: Any, event: str, _: Any) -> Callable | None:
        """Check the clock before each opcode that isn't ours: a loop may be a single line."""
        if _is_ours(frame):
            return None
        frame.f_trace_opcodes = True
        # Python 3.12's first releases tell of jumps back, but not of each opcode.
        if event in ("line", "opcode") and time.monotonic() > self.end:
            raise TimeLimit
        return self._look


_METHODS = {m.__code__ for m in vars(time_limit).values() if inspect.isfunction(m)}


def in_time(seconds: float, look: Callable[[], Any], otherwise: Any) -> Any:
    """What `look()` returns, or `otherwise` if that takes longer."""
    try:
        with time_limit(seconds):
            return look()
    except TimeLimit:
        return otherwise


def _is_ours(frame: Any) -> bool:
    code = frame.f_code
    return code.co_filename.startswith(_HERE) and code not in _ANSWERS


# --- endless iterators ----------------------------------------------------------------


def _in_python(endless: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """The same iterator, stepped in Python."""

    def steps(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for value in endless(*args, **kwargs):  # noqa: UP028
            yield value

    return steps


class _Kind(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return type(value) in (range, cls)


class _Range(metaclass=_Kind):
    """A `range`: a long one iterates in Python, a short one is the builtin."""

    numbers: range

    def __new__(cls, *bounds: Any) -> Any:
        numbers = range(*bounds)
        if not numbers[10**6 :]:
            return numbers
        long = super().__new__(cls)
        long.numbers = numbers
        return long

    def __iter__(self) -> Iterator[int]:
        for number in self.numbers:  # noqa: UP028
            yield number

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, where: Any) -> Any:
        return self.numbers[where]

    def __contains__(self, number: object) -> bool:
        return number in self.numbers

    def __getattr__(self, name: str) -> Any:
        return getattr(self.numbers, name)


_ENDLESS: dict[Any, Callable[..., Iterator[Any]]] = {
    kind: _in_python(kind)
    for kind in (itertools.count, itertools.cycle, itertools.repeat)
}
# Steps of these count as the answer's: a time limit may stop them.
_ANSWERS = [each.__code__ for each in (*_ENDLESS.values(), _Range.__iter__)]


@contextlib.contextmanager
def stoppable(answer: Callable[..., Any]) -> Iterator[None]:
    """Replace the endless iterators of `itertools` and long ranges by Python versions.

    A C function that consumes one, as in `sum(count())`, then returns to Python at each
    step, where a time limit can stop it. Names for them in the answer's notebook are
    replaced too.
    """
    names = answer.__globals__ if inspect.isfunction(answer) else {}
    if own_range := "range" not in names:
        names["range"] = _Range
    exchanged = [
        (namespace, name, value)
        for namespace in (vars(itertools), names)
        for name, value in list(namespace.items())
        if isinstance(value, type) and value in _ENDLESS
    ]
    for namespace, name, value in exchanged:
        namespace[name] = _ENDLESS[value]
    try:
        yield
    finally:
        for namespace, name, value in exchanged:
            namespace[name] = value
        if own_range:
            names.pop("range", None)

"""What keeps an answer from hanging a check, or from changing the notebook around it.

    as_it_was     puts back what answers change by accident: seeds, error states, folders
    time_limit    raises TimeLimit in an answer that doesn't end

Read by `checking.py`.
"""

import contextlib
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Iterator

import numpy as np


class TimeLimit(BaseException):
    """Raised in the midst of an answer; no `except Exception` of its own catches it."""


def _folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # somebody has removed it
        return os.curdir


@contextlib.contextmanager
def as_it_was() -> Iterator[None]:
    """Whatever an answer sets for the whole process is put back."""
    folder, environment, depth = _folder(), dict(os.environ), sys.getrecursionlimit()
    seeds = np.random.get_state()  # noqa: NPY002, what answers may use
    draws = random.getstate()
    outputs = sys.stdout, sys.stderr
    try:
        with np.errstate(), np.printoptions(), warnings.catch_warnings():
            yield
    finally:
        sys.stdout, sys.stderr = outputs
        np.random.set_state(seeds)  # noqa: NPY002
        random.setstate(draws)
        sys.setrecursionlimit(depth)
        with contextlib.suppress(OSError):  # the folder may be gone, or closed to us
            if os.getcwd() != folder:
                os.chdir(folder)
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeLimit` here after so many seconds, and again until it is heeded.

    It needs the main thread and a system with interval timers (all but Windows); elsewhere
    there is no limit, and the stop button is the student's.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_) -> None:
        raise TimeLimit

    handler = signal.signal(signal.SIGALRM, ring)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *timer)  # somebody else's

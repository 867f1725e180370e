"""The student's process: an IPython shell that runs cells, and answers.

It is started as `python -P -m comp551ad.exercises.grade.answering MEGABYTES FENCE`, with the
pipe to the judge as its standard input and output, in a folder with the files that were
handed in: none of them is imported before the shell is there (`-P`), as in a kernel.
It knows neither witnesses nor mistakes, and decides nothing.
"""

import ctypes
import importlib
import linecache
import os
import pkgutil
import platform
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from gc import get_objects
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from .wire import Peer, Stopped

MAX_FILE_BYTES = 200_000_000
NOT_ALLOWED = " is not allowed in this exercise"
# What an exercise that has to be worked out by hand may not import.
OTHER_AUTODIFF = (
    *("autograd", "jax", "jaxlib", "torch", "tensorflow", "micrograd", "tinygrad"),
    *("casadi", "pytensor", "numdifftools", "algopy", "sympy"),
)
# How another process is started, in which nothing would be forbidden.
_STARTS_ANOTHER = {
    *("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"),
    *("os.exec", "os.spawn", "os.system"),
}


def main() -> None:
    """Answer until the judge goes away."""
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    limit(int(sys.argv[1]))
    _leave_the_keyring()
    _draw_the_same_every_time()
    for name in OTHER_AUTODIFF:
        sys.modules[name] = None  # type: ignore[assignment]  # imports of it fail
    answerer = Answerer(alone=sys.argv[2] != "none")
    sys.path.insert(0, "")  # helper files beside the notebook, as in a kernel
    asked: dict[str, Callable] = {
        "apply": apply,
        "cell": answerer.cell,
        "answer": answerer.answer,
    }
    with suppress(Stopped):
        Peer(source, target, asked, _place).serve()
    os._exit(0)  # whatever threads the cells have started


# --- what the judge asks for ----------------------------------------------------------


class Answerer:
    """Runs cells in a shell as a kernel would, and hands out the functions they define.

    `alone`: all processes that can be seen are this notebook's.
    """

    def __init__(self, alone: bool) -> None:
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        class Shell(InteractiveShell):
            """A shell without a terminal: pictures go nowhere, nobody is asked to leave."""

            def enable_gui(self, gui: str | None = None) -> None:
                """There is no window to wait for."""

            def enable_matplotlib(self, gui: str | None = None) -> tuple[str, str]:
                return "inline", "agg"

            def ask_exit(self) -> None:
                """A kernel would go on to the end of the cell."""

        quiet = Config({"HistoryManager": {"enabled": False}})
        self.shell = Shell.instance(config=quiet)
        self.alone = alone
        self.refused: list[tuple[FunctionType, CodeType]] = []
        self.known: dict[tuple, str] = {}
        sys.addaudithook(self._watch)

    def cell(self, source: str) -> str | None:
        """Run a cell; say in words what it raised, if it did."""
        self._allow_all()
        ran = self.shell.run_cell(source, store_history=True)
        error = ran.error_before_exec or ran.error_in_exec
        return error and " ".join(f"{type(error).__name__}: {error}".split())[:200]

    def answer(self, name: str, forbidden: list[str]) -> Any:
        """The function of this name, or in words why there is none.

        Until the next cell, functions whose names begin like one in `forbidden` raise.
        """
        self._allow_all()
        found = self.shell.user_ns.get(name)
        if not callable(found):
            return "nothing has that name" if found is None else "not a function"
        if forbidden:
            self._refuse(tuple(forbidden))
        return found

    def _refuse(self, forbidden: tuple[str, ...]) -> None:
        if self.alone:  # others may still do what is about to be forbidden here
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        for room in forbidden:
            _import_all(room.rpartition(".")[0])
        functions = [each for each in get_objects() if type(each) is FunctionType]
        names = {each: f"{each.__module__}.{each.__qualname__}" for each in functions}
        ours = [each for each in functions if names[each].startswith(forbidden)]
        known = {_gist(f.__qualname__, f.__code__): names[f] for f in ours}
        # The library's files under other names are still the library; what stands in the
        # notebook may be an answer that happens to be written in the same way.
        named = {name for name, *_ in known if "<" not in name}
        alike = [each for each in functions if each.__qualname__ in named]
        copies = [each for each in alike if each.__module__ != "__main__"]
        for function in {*ours, *copies}:
            if name := known.get(_gist(function.__qualname__, function.__code__)):
                self.refused.append((function, function.__code__))
                function.__code__ = _refusal(name, function.__code__)
        self.known = known

    def _watch(self, event: str, args: tuple) -> None:
        """Until the next cell nothing that is known is read in again, by whatever name."""
        if not self.known:
            return
        if event in _STARTS_ANOTHER:
            raise PermissionError("starting a process" + NOT_ALLOWED)
        # Code that is run, or that a function gets, old or new.
        for code in _codes_in(args):
            name = self.known.get(_gist(code.co_qualname, code))
            if name and "<" not in code.co_qualname:
                raise PermissionError(name + NOT_ALLOWED)

    def _allow_all(self) -> None:
        self.known = {}
        for function, code in self.refused:
            function.__code__ = code
        self.refused.clear()


def _gist(name: str, code: CodeType) -> tuple:
    """What a function is called and does: the code of a wrapper is that of many."""
    return name, code.co_code, code.co_names


def _codes_in(values: tuple) -> Iterator[CodeType]:
    """The code among these, with that of the functions in it."""
    for value in values:
        if isinstance(value, CodeType):
            yield value
            yield from _codes_in(value.co_consts)


def _import_all(name: str) -> None:
    """Import a module and what is in it, so that nothing of it is imported later."""
    with suppress(ImportError):
        module = importlib.import_module(name)
        for inner in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
            importlib.import_module(inner.name)


def _refusal(name: str, code: CodeType) -> CodeType:
    """Code for a function that then raises, whatever it is called with."""
    refused = _refused.__code__
    said = [name + NOT_ALLOWED if isinstance(x, str) else x for x in refused.co_consts]
    # A function's code may be replaced by one with as many variables from outside.
    return refused.replace(co_consts=tuple(said), co_freevars=code.co_freevars)


def _refused(*_: Any, **__: Any) -> None:
    raise PermissionError("what is called")


def apply(module: str, name: str, args: list, kwargs: dict | None = None) -> Any:
    """Call a function of Python's or NumPy's, which has what the judge calculates with."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found(*args, **kwargs or {})


def _place(error: BaseException) -> tuple[int, str] | None:
    """The last line of the student's in the file that the answer itself stands in."""
    steps = traceback.walk_tb(error.__traceback__)
    named = [(frame.f_code.co_filename, number) for frame, number in steps]
    theirs = [s for s in named if s[0].startswith(("<ipython", os.getcwd()))]
    if not theirs:
        return None
    line = [number for name, number in theirs if name == theirs[0][0]][-1]
    return line, linecache.getline(theirs[0][0], line).strip()


# --- before anything of the student's runs --------------------------------------------


def _draw_the_same_every_time() -> None:
    """Equal submissions get equal points: generators without a seed begin alike."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002, as students may still use the old generator
    fresh = np.random.default_rng
    np.random.default_rng = lambda seed=0: fresh(0 if seed is None else seed)


def _leave_the_keyring() -> None:
    """Take a keyring of one's own: the grader's, with tickets and passwords, is inherited."""
    keyctl = {"x86_64": 250, "aarch64": 219}.get(platform.machine())
    if sys.platform == "linux" and keyctl:
        ctypes.CDLL(None).syscall(keyctl, 1, None)  # KEYCTL_JOIN_SESSION_KEYRING


def limit(megabytes: int, seconds: float = 0) -> None:
    """Let this process take so much memory and, if said, so much of the processor's time;
    files of a certain size, and no core dump."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    limits = {
        resource.RLIMIT_AS: megabytes * 1_000_000,
        resource.RLIMIT_FSIZE: MAX_FILE_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    if seconds:
        limits[resource.RLIMIT_CPU] = int(seconds) + 1
    for what, most in limits.items():
        with suppress(ValueError, OSError):  # a tighter limit stands; macOS may refuse
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()

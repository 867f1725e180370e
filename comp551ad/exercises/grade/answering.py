"""The student's process: an IPython shell that runs cells, and answers.

It is started as `python -P -m comp551ad.exercises.grade.answering MEGABYTES FENCE`, with the
pipe to the judge as its standard input and output, in a folder with the submitted files.
As in a kernel, none of them is imported before the shell starts (`-P`).
It has neither witnesses nor mistakes, and decides nothing.
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
# What an answer must not import if it has to be derived by hand.
OTHER_AUTODIFF = (
    *("autograd", "jax", "jaxlib", "torch", "tensorflow", "micrograd", "tinygrad"),
    *("casadi", "pytensor", "numdifftools", "algopy", "sympy"),
)
# Ways to start another process, where nothing would be forbidden.
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
        sys.modules[name] = None  # type: ignore[assignment]  # importing it fails
    answerer = Answerer(alone=sys.argv[2] != "none")
    sys.path.insert(0, "")  # helper files next to the notebook, as in a kernel
    asked: dict[str, Callable] = {
        "apply": apply,
        "cell": answerer.cell,
        "answer": answerer.answer,
    }
    with suppress(Stopped):
        Peer(source, target, asked, _place).serve()
    os._exit(0)  # without waiting for threads that the cells have started


# --- what the judge asks for ----------------------------------------------------------


class Answerer:
    """Runs cells in a shell, as a kernel would, and returns the functions they define.

    `alone`: all visible processes are this notebook's.
    """

    def __init__(self, alone: bool) -> None:
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        class Shell(InteractiveShell):
            """A shell without a terminal or a GUI."""

            def enable_gui(self, gui: str | None = None) -> None:
                """Do nothing: there are no windows."""

            def enable_matplotlib(self, gui: str | None = None) -> tuple[str, str]:
                return "inline", "agg"

            def ask_exit(self) -> None:
                """Do nothing: a kernel would run the cell to its end."""

        quiet = Config({"HistoryManager": {"enabled": False}})
        self.shell = Shell.instance(config=quiet)
        self.alone = alone
        self.refused: list[tuple[FunctionType, CodeType]] = []
        self.known: dict[tuple, str] = {}
        sys.addaudithook(self._watch)

    def cell(self, source: str) -> str | None:
        """Run a cell; return what it raised, in words, or None."""
        self._allow_all()
        ran = self.shell.run_cell(source, store_history=True)
        error = ran.error_before_exec or ran.error_in_exec
        return error and " ".join(f"{type(error).__name__}: {error}".split())[:200]

    def answer(self, name: str, forbidden: list[str]) -> Any:
        """The function of this name, or why there is none, in words.

        Until the next cell, functions whose names start with a prefix in `forbidden` raise.
        """
        self._allow_all()
        found = self.shell.user_ns.get(name)
        if not callable(found):
            return "nothing has that name" if found is None else "not a function"
        if forbidden:
            self._refuse(tuple(forbidden))
        return found

    def _refuse(self, forbidden: tuple[str, ...]) -> None:
        if self.alone:  # other processes could still do what is forbidden here
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        for room in forbidden:
            _import_all(room.rpartition(".")[0])
        functions = [each for each in get_objects() if type(each) is FunctionType]
        names = {each: f"{each.__module__}.{each.__qualname__}" for each in functions}
        ours = [each for each in functions if names[each].startswith(forbidden)]
        known = {_gist(f.__qualname__, f.__code__): names[f] for f in ours}
        # A copy of the library's files is still the library; a function defined in the
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
        """Until the next cell, prevent known code from being loaded again under any name."""
        if not self.known:
            return
        if event in _STARTS_ANOTHER:
            raise PermissionError("starting a process" + NOT_ALLOWED)
        # Code that is executed or assigned to a function.
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
    """A function's name and bytecode: many wrappers share the same bytecode."""
    return name, code.co_code, code.co_names


def _codes_in(values: tuple) -> Iterator[CodeType]:
    """The code objects among these, with those nested in them."""
    for value in values:
        if isinstance(value, CodeType):
            yield value
            yield from _codes_in(value.co_consts)


def _import_all(name: str) -> None:
    """Import a module and its submodules, so that none is imported later."""
    with suppress(ImportError):
        module = importlib.import_module(name)
        for inner in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
            importlib.import_module(inner.name)


def _refusal(name: str, code: CodeType) -> CodeType:
    """Replacement code for a function, which raises whatever it is called with."""
    refused = _refused.__code__
    said = [name + NOT_ALLOWED if isinstance(x, str) else x for x in refused.co_consts]
    # A function's code can only be replaced by one with as many free variables.
    return refused.replace(co_consts=tuple(said), co_freevars=code.co_freevars)


def _refused(*_: Any, **__: Any) -> None:
    raise PermissionError("what is called")


def apply(module: str, name: str, args: list, kwargs: dict | None = None) -> Any:
    """Call one of Python's or NumPy's functions: how the judge computes with objects here."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found(*args, **kwargs or {})


def _place(error: BaseException) -> tuple[int, str] | None:
    """The student's line that raised, in the file where the answer itself is defined."""
    steps = traceback.walk_tb(error.__traceback__)
    named = [(frame.f_code.co_filename, number) for frame, number in steps]
    theirs = [s for s in named if s[0].startswith(("<ipython", os.getcwd()))]
    if not theirs:
        return None
    line = [number for name, number in theirs if name == theirs[0][0]][-1]
    return line, linecache.getline(theirs[0][0], line).strip()


# --- before anything of the student's runs --------------------------------------------


def _draw_the_same_every_time() -> None:
    """Seed all generators, so that equal submissions get equal points."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002, as students may still use the old generator
    fresh = np.random.default_rng
    np.random.default_rng = lambda seed=0: fresh(0 if seed is None else seed)


def _leave_the_keyring() -> None:
    """Join a new session keyring: the grader's, with tickets and passwords, is inherited."""
    keyctl = {"x86_64": 250, "aarch64": 219}.get(platform.machine())
    if sys.platform == "linux" and keyctl:
        ctypes.CDLL(None).syscall(keyctl, 1, None)  # KEYCTL_JOIN_SESSION_KEYRING


def limit(megabytes: int, seconds: float = 0) -> None:
    """Limit this process's memory, its file sizes and, if given, its processor time; and
    disable core dumps."""
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

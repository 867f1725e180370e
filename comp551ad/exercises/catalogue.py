"""Every exercise: those of the course, and a lecturer's own.

The course's are in `tasks/`, one module per lecture. A lecturer's own are in folders outside
the package, in files called `NN_name.py` that define a tuple `EXERCISES` too. Such folders
are named by the environment variable COMP551AD_EXERCISES (separated as in PATH), by the
commands' option `--own`, or by a package's entry point `comp551ad.exercises`.
"""

import functools
import importlib
import importlib.util
import os
import pkgutil
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from .exercise import Exercise

_VARIABLE = "COMP551AD_EXERCISES"


def use_folders(folders: Iterable[str]) -> None:
    """Add folders to those named by the environment, which subprocesses inherit."""
    named = [os.environ.get(_VARIABLE, ""), *map(os.path.abspath, folders)]
    os.environ[_VARIABLE] = os.pathsep.join(filter(None, named))


def own_folders() -> list[Path]:
    """The folders with lecturers' own exercises."""
    named = os.environ.get(_VARIABLE, "").split(os.pathsep)
    folders = [Path(name).expanduser() for name in named if name]
    for entry in entry_points(group="comp551ad.exercises"):
        folders += map(Path, entry.load().__path__)
    return folders


def own_files() -> list[Path]:
    """The files with lecturers' own exercises."""
    return [
        p for folder in own_folders() for p in sorted(folder.glob("[0-9][0-9]_*.py"))
    ]


def _modules() -> Iterator[ModuleType]:
    from . import tasks

    for module in sorted(m.name for m in pkgutil.iter_modules(tasks.__path__)):
        yield importlib.import_module(f"{tasks.__name__}.{module}")
    for path in own_files():
        spec = importlib.util.spec_from_file_location(f"own_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} can't be read as Python")
        own = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(own)
        yield own


@functools.cache
def catalogue() -> dict[str, Exercise]:
    """Every exercise by name, in the order of the lectures."""
    found: dict[str, Exercise] = {}
    for module in _modules():
        for exercise in module.EXERCISES:
            if exercise.name in found:
                raise ValueError(f"two exercises are called {exercise.name}")
            found[exercise.name] = exercise
    return found

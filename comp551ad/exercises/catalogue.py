"""Every exercise of the course, collected from `tasks/`, a module a lecture.

Read by `checking.py`, `progress.py` and `running.py`.
"""

import functools
import importlib
import pkgutil

from .exercise import Exercise


@functools.cache
def catalogue() -> dict[str, Exercise]:
    """Every exercise by its name, in the order of the lectures."""
    from . import tasks

    found: dict[str, Exercise] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(tasks.__path__)):
        exercises = importlib.import_module(f"{tasks.__name__}.{module}").EXERCISES
        for exercise in exercises:
            if exercise.name in found:
                raise ValueError(f"two exercises are called {exercise.name}")
            found[exercise.name] = exercise
    return found

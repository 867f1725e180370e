"""What a notebook imports as `comp551ad.exercises` while it is graded.

Witnesses and mistakes are only in the judge's process. Here `check` and the others do
nothing, and the verdict they return is passed, with nothing to say.
"""

from collections.abc import Callable
from types import SimpleNamespace

__all__ = ["check", "hint", "progress", "set_language"]  # noqa: F822, see __getattr__


class Later(SimpleNamespace):
    """A verdict that isn't known yet."""

    def __repr__(self) -> str:
        return "This is checked once the whole notebook has run."


def __getattr__(name: str) -> Callable[..., Later]:
    """Stand in for `check`, `hint`, `progress`, and whatever else a notebook imports."""
    if name.startswith("__"):
        raise AttributeError(name)
    none: dict = dict.fromkeys(("mistakes", "says", "parts", "then"), ())
    empty = Later(passed=True, status="passed", headline="", case=None, **none)
    return lambda *_, **__: empty

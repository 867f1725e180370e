"""Optional packages: a missing one is named together with the extra that installs it.

The mathematics needs NumPy and tqdm alone. What draws, writes pages or reads notebooks imports its
packages where they are used, inside ``with extra(...)``; ``pyproject.toml`` lists the extras.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class MissingExtra(ImportError):
    """A package is missing that one of ours brings as an extra."""


@contextmanager
def extra(name: str, users: str) -> Iterator[None]:
    """Import what the extra ``name`` brings and ``users``, in the plural, need.

        with extra("show", "plots"):
            import matplotlib.pyplot as plt

    Raises:
        MissingExtra: a package isn't installed; which one, and how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise MissingExtra(
            f'{users} need {package}; install it with: pip install "comp551ad[{name}]"',
            name=package,
        ) from error

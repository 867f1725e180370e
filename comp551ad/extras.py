"""Optional packages: the error for a missing one names the extra that installs it.

The mathematics needs only NumPy and tqdm. Code that draws, writes pages or reads notebooks imports
its packages where they are used, inside ``with extra(...)``; ``pyproject.toml`` lists the extras.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class MissingExtra(ImportError):
    """A package is missing that one of our extras installs."""


@contextmanager
def extra(name: str, users: str) -> Iterator[None]:
    """Import packages from the extra ``name``; the error names the ``users``, a plural noun.

        with extra("show", "plots"):
            import matplotlib.pyplot as plt

    Raises:
        MissingExtra: a package isn't installed; the message says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise MissingExtra(
            f'{users} need {package}; install it with: pip install "comp551ad[{name}]"',
            name=package,
        ) from error

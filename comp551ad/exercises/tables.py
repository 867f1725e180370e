"""CSV files that grading writes: an old one is lost only when the new one can be written."""

import csv
import io
import os
import stat
from contextlib import suppress
from pathlib import Path


def same_file(one: Path, other: Path) -> bool:
    """Are they one file, by whatever names and links?"""
    with suppress(OSError):  # one of them isn't there yet
        return os.path.samefile(one, other)
    return os.path.realpath(one) == os.path.realpath(other)


class Unwritable(Exception):
    """A table that can't be written; names its option and says why."""


class Table:
    """A CSV file that is written row by row, or nothing if there is no path.

    What stood in it stays until `begin`. Entering finds out whether it can be written: the
    header is written after what is there, and leaving without `begin` takes it back.
    """

    def __init__(self, option: str, path: Path | None, header: list[str]):
        self.option, self.path, self.header = option, path or os.devnull, header
        self.has_begun = False

    def __enter__(self) -> "Table":
        self.is_new = not os.path.lexists(self.path)
        try:
            self.file = open(self.path, "ab", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from error
        about = os.fstat(self.file.fileno())
        self.is_file, self.old_size = stat.S_ISREG(about.st_mode), about.st_size
        try:
            self.writerow(self.header)
        except BaseException:
            self.__exit__()
            raise
        return self

    def begin(self) -> None:
        """From here on the old table is gone."""
        self.has_begun = True
        if self.is_file:  # others, a pipe say, have the header and can't take it back
            self.file.truncate(0)
            self.writerow(self.header)

    def writerow(self, row: list) -> None:
        text = io.StringIO()
        csv.writer(text).writerow(row)
        left = text.getvalue().encode("utf-8", "backslashreplace")
        try:
            while left:
                left = left[self.file.write(left) :]
        except OSError as error:
            raise self._unwritable(error) from error

    def __exit__(self, *_: object) -> None:
        if self.is_file and not self.has_begun:
            self.file.truncate(self.old_size)
        self.file.close()
        if self.is_file and self.is_new and not self.has_begun:
            os.unlink(self.path)

    def _unwritable(self, error: OSError) -> Unwritable:
        why = error.strerror or type(error).__name__
        return Unwritable(
            f"{self.option}: {self.path} can't be written ({why}): name another file"
        )

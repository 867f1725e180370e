"""Comparing answers: numbers, arrays, words, and tuples or dicts of them.

It knows nothing of exercises.
"""

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from .language import _


@dataclass(frozen=True)
class Raised:
    """Takes the place of a value: the call raised this error instead."""

    error: BaseException

    @property
    def numbers(self) -> list[str]:
        """The sizes and other numbers in the error's text."""
        return re.findall(r"\d+", in_words(self.error))

    def __deepcopy__(self, memo: dict) -> "Raised":
        return self


class Endless(ValueError):
    """A value that contains itself, or is far too large to examine."""


def bounded(value: Any) -> Any:
    """The value itself; raises `Endless` if its lists, dicts and arrays have no end."""
    waiting, depth = [value], 0
    while waiting:
        depth += 1
        numbers = sum(part.size for part in waiting if isinstance(part, np.ndarray))
        if depth > 30 or len(waiting) > 50_000 or numbers > 1_000_000:
            raise Endless(_("it contains itself, or is far too large"))
        waiting = [
            each
            for part in waiting
            if isinstance(part, list | tuple | dict | set)
            for each in (part.values() if isinstance(part, dict) else part)
        ]
    return value


def kept(value: Any) -> Any:
    """A copy, which later calls can't change; the value itself if it can't be copied."""
    try:
        return deepcopy(value)
    except Exception:
        return value


def leaves(value: Any, parts: tuple[str, ...] = ()) -> dict[str, Any]:
    """The parts of a value by name: `{"": x}`, `{"[0]": …, "[1]": …}`, `{"dW": …}`.

    `parts` are the names of a tuple's first parts, if they have names.
    """
    if isinstance(value, dict):
        return {
            f"{key}{path}": leaf
            for key, part in value.items()
            for path, leaf in leaves(part).items()
        }
    if isinstance(value, tuple):
        return {
            f"{parts[k] if k < len(parts) else f'[{k}]'}{path}": leaf
            for k, part in enumerate(value)
            for path, leaf in leaves(part).items()
        }
    return {"": value}


def alike(given: Any, right: Any) -> Any:
    """`given` converted to the container of `right`: list, tuple or rows of an array."""
    rows = isinstance(given, list) or (
        isinstance(given, np.ndarray)
        and isinstance(right, tuple)
        and given.shape[:1] == (len(right),)
    )
    if isinstance(right, tuple) and rows:
        return tuple(map(_unboxed, given))
    if isinstance(given, tuple) and isinstance(right, list):
        return list(given)
    if isinstance(given, tuple) and isinstance(right, np.ndarray):
        array = numeric(given)
        return given if array is None or array.shape != right.shape else array
    return given


def _unboxed(part: Any) -> Any:
    """Numbers again, where NumPy made objects of them: `np.array([dW, dV], dtype=object)`."""
    is_boxed = isinstance(part, np.ndarray) and part.dtype.kind == "O"
    numbers = numeric(part.tolist()) if is_boxed else None
    return part if numbers is None else numbers


def unchanged(old: Any, new: Any) -> bool:
    """Is `new` still equal to `old`, an earlier copy? For data, not functions."""
    if isinstance(old, dict):
        return list(old) == list(new) and all(unchanged(old[k], new[k]) for k in old)
    if isinstance(old, list | tuple):
        return len(old) == len(new) and all(map(unchanged, old, new))
    if isinstance(old, np.ndarray) and old.dtype.kind in "biufc":
        return np.array_equal(old, new, equal_nan=True)
    if isinstance(old, int | float | str):
        return bool(old == new or old != old)  # a nan stays a nan
    return True


def numeric(value: Any) -> np.ndarray | None:
    """The value as an array of float64 (or complex), or None if it isn't numeric."""
    if value is None or isinstance(value, str | Raised) or callable(value):
        return None
    try:
        array = np.asarray(value)
    except Exception:  # its own __array__ may raise anything
        return None
    if array.dtype.kind not in "biufc":
        return None
    array = array.astype(complex if array.dtype.kind == "c" else float)
    if np.ma.is_masked(value):
        array[np.ma.getmaskarray(value)] = np.nan  # masked entries are not numbers
    return array


def agree(given: Any, right: Any, tolerance: float) -> bool:
    """Do two leaves agree, to within `tolerance` times the largest entry?"""
    if isinstance(given, Raised) and isinstance(right, Raised):
        same = type(given.error) is type(right.error)
        return same and given.numbers == right.numbers
    if isinstance(given, Raised) or isinstance(right, Raised):
        return False
    if isinstance(given, str) and isinstance(right, str):
        return given.strip().casefold() == right.strip().casefold()
    if isinstance(given, bool | np.bool_) and not isinstance(right, bool | np.bool_):
        return False  # True doesn't count as 1 where a number is expected
    a, b = numeric(given), numeric(right)
    if a is None or b is None:
        return a is None and b is None and _same(_as_lists(given), _as_lists(right))
    # Complex numbers don't count as real, even if their imaginary part is 0.
    same_kind = a.dtype.kind == b.dtype.kind and a.shape == b.shape
    return same_kind and not _differs(a, b, tolerance).any()


def _as_lists(value: Any) -> Any:
    """Convert tuples and arrays to lists, at any depth."""
    if isinstance(value, np.ndarray) and value.ndim:
        return [_as_lists(part) for part in value.tolist()]
    if isinstance(value, list | tuple):
        return [_as_lists(part) for part in value]
    return value


def _same(mine: Any, theirs: Any) -> bool:
    try:
        return type(mine) is type(theirs) and bool(mine == theirs)
    except Exception:  # a class's own __eq__ may raise anything
        return False


def _differs(a: np.ndarray, b: np.ndarray, tolerance: float) -> np.ndarray:
    """Where two arrays of the same shape differ."""
    finite = np.isfinite(b)
    scale = np.abs(b[finite]).max(initial=0.0) or 1.0
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    close = np.zeros(b.shape, bool)
    both = finite & np.isfinite(a)
    close[both] = np.abs(a[both] - b[both]) <= tolerance * scale
    return ~(same | close)


@dataclass(frozen=True)
class Difference:
    """The first place where two values differ; `kind` is "value" or a mistake's name."""

    kind: str
    place: str
    given: str
    right: str

    def told(self, secret: bool) -> str:
        if self.kind == "an entry is missing":
            return _("There is no entry {place}.").format(place=self.place)
        line = _("{place} is {given}; expected {right}.")
        if secret and self.kind in ("value", "not a number"):
            line = _("{place} is {given}, which isn't right.")
        place = self.place or _("your answer")
        return line.format(place=place, given=self.given, right=self.right)


def first_difference(
    given: Any, right: Any, tolerance: float, parts: tuple[str, ...] = ()
) -> Difference | None:
    """The first leaf, and in it the first entry, where `given` is not `right`."""
    mine, theirs = leaves(given, parts), leaves(right, parts)
    for path in theirs:
        if path not in mine:
            return _missing(path, given, right, parts)
        if not agree(mine[path], theirs[path], tolerance):
            return _entry(path, mine[path], theirs[path], tolerance)
    for path in mine:
        if path not in theirs:
            return Difference("too many values", path, _("there"), _("nothing"))
    return None


def _missing(path: str, given: Any, right: Any, parts: tuple[str, ...]) -> Difference:
    if isinstance(given, tuple) and isinstance(right, tuple):
        expected = f"{len(right)}: {', '.join(parts)}" if parts else f"{len(right)}"
        many = _("{n} results") if len(given) != 1 else _("{n} result")
        returned = _("what you return"), many.format(n=len(given))
        return Difference("too few results", *returned, expected)
    if given is None:
        return Difference(
            "it returns nothing",
            "",
            _("None (is `return` missing?)"),
            kind(right),
        )
    if isinstance(given, dict) and isinstance(right, dict):
        return Difference("an entry is missing", path, "", kind(right))
    return Difference("the wrong kind of value", "", kind(given), kind(right))


def _entry(path: str, given: Any, right: Any, tolerance: float) -> Difference:
    place = path or _("your answer")
    if given is None and path:
        return Difference("not finished", place, "None", kind(right))
    if given is None:
        none = _("None (is `return` missing?)")
        return Difference("it returns nothing", place, none, kind(right))
    if given is ...:
        return Difference("not finished", place, _("still ..."), kind(right))
    if isinstance(given, bool | np.bool_) and not isinstance(right, bool | np.bool_):
        return Difference("the wrong kind of value", place, str(given), kind(right))
    a, b = numeric(given), numeric(right)
    if a is None or b is None:
        if type(given) is type(right) and not _no_numbers(given):
            return Difference("value", place, shown(given), shown(right))
        return Difference("the wrong kind of value", place, kind(given), kind(right))
    if a.shape != b.shape:
        mine = _("of shape {shape}").format(shape=a.shape)
        theirs = _("shape {shape}").format(shape=b.shape)
        return Difference("the shape", place, mine, theirs)
    if a.dtype.kind != b.dtype.kind:
        kinds = _("complex numbers"), _("real numbers")
        return Difference(
            "complex numbers", place, kind(given), kinds[b.dtype.kind == "f"]
        )
    index = tuple(int(k) for k in np.argwhere(_differs(a, b, tolerance))[0])
    entry = _("entry {index} of {place}")
    at = entry.format(index=list(index), place=place) if index else place
    if isinstance(given, bool) and isinstance(right, bool):
        return Difference("value", at, str(given), str(right))
    what = "not a number" if np.isnan(a[index]) else "value"
    mine, theirs = shown(a[index]), shown(b[index])
    if mine == theirs:  # they differ in later digits
        mine, theirs = f"{a[index]:.12g}", f"{b[index]:.12g}"
    return Difference(what, at, mine, theirs)


def _no_numbers(value: Any) -> bool:
    """Is it an array of anything but numbers: objects, strings, dates?"""
    return isinstance(value, np.ndarray) and value.dtype.kind not in "biufc"


def kind(value: Any) -> str:
    """What kind of value it is, and its size: `an array of shape (3, 4)`."""
    if isinstance(value, tuple):
        return _("a tuple of {n}").format(n=len(value))
    if _no_numbers(value) and value.ndim:
        line = _("an array of shape {shape} with dtype {dtype}, not of numbers")
        return line.format(shape=value.shape, dtype=value.dtype)
    if isinstance(value, np.ndarray) and value.ndim:
        line = _("an array of shape {shape}")
        if value.dtype.kind == "c":
            line = _("an array of shape {shape} of complex numbers")
        return line.format(shape=value.shape)
    if isinstance(value, list):
        return _("a list of {n}").format(n=len(value))
    if isinstance(value, np.ndarray):
        value = value.item()
    names = {dict: _("a dict"), str: _("text"), type(None): "None"}
    number = numeric(value) is not None
    if isinstance(value, complex):
        return _("a complex number")
    if callable(value):
        return _("a class") if isinstance(value, type) else _("a function")
    return names.get(type(value), _("a number") if number else _article(value))


def _article(value: Any) -> str:
    name = type(value).__name__
    line = _("an {name}") if name[0] in "aeiouAEIOU" else _("a {name}")
    return line.format(name=name)


def shown(value: Any) -> str:
    """A value in one line: six digits, large arrays by their shape.

    A value whose `__repr__` raises is named by its type.
    """
    try:
        return _written(value)
    except Exception:
        return _article(value)


def _written(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim and value.size > 12:
        return _("an array of shape {shape}").format(shape=value.shape)
    if isinstance(value, np.ndarray) and value.ndim:
        # Entries that differ must print differently, even 0 and 1e-15.
        kinds = len(np.unique(value))
        enough = [d for d in (4, 8) if len(np.unique(value.round(d))) == kinds]
        text = np.array2string(
            value,
            precision=enough[0] if enough else 17,
            separator=", ",
            suppress_small=bool(enough),
        )
        return " ".join(text.split())
    if isinstance(value, np.ndarray):
        value = value.item()
    if isinstance(value, float | complex | np.inexact):
        # Below this, floats lose digits, and the logistic function is clipped.
        return _("about 0") if 0 < abs(complex(value)) < 1e-300 else f"{value:.6g}"
    if isinstance(value, list):
        return f"[{', '.join(shown(part) for part in value)}]"
    if isinstance(value, tuple):
        alone = "," if len(value) == 1 else ""
        return f"({', '.join(shown(part) for part in value)}{alone})"
    if isinstance(value, dict):
        parts = (f"{key!r}: {shown(part)}" for key, part in value.items())
        return f"{{{', '.join(parts)}}}"
    if callable(value):
        return getattr(value, "__name__", _("a function"))
    # A string is a word or a sentence, and should be shown in full.
    return in_a_line(repr(value), 160 if isinstance(value, str) else 60)


def in_words(error: BaseException) -> str:
    """An error in one line: its type and its message, if that can be read."""
    name = type(error).__name__
    try:
        return in_a_line(f"{name}: {error}".removesuffix(": "), 400)
    except BaseException:  # its own __str__ may raise anything, or never end
        return name


def in_a_line(text: str, most: int = 200) -> str:
    """The text without line breaks, cut off after `most` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 3]}..."

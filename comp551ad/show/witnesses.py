"""Witnesses: the same numbers computed in different ways, in columns side by side.

This is how the lectures show that independent computations agree; the last line gives the largest
difference.
"""

import html
from typing import Any

import numpy as np

from .. import pytrees
from ..shapes import as_floats
from . import View
from .figures import number
from .table import aligned, html_table

__all__ = ["SideBySide", "side_by_side"]

# Maximum lines per leaf; a larger array shows its entries of largest magnitude.
ENTRIES = 6
# A difference is reported as below the first of these bounds that holds, as its digits are rounding
# and differ from machine to machine. The bounds are far from the errors of rounding (1e-15) and of
# central differences (1e-11 to 1e-9). Entries below the first bound are shown as 0.
BOUNDS = (1e-13, 1e-6, 1e-3)


class SideBySide(View):
    """What ``side_by_side`` returns: a table as text and as HTML.

    Attributes:
        difference: the largest between the first column and any other, relative to the largest
            number in the first column (absolute if that is 0).
    """

    def __init__(self, heads: list[str], lines: list[list[str]], difference: float):
        self.difference = difference
        below = next((bound for bound in BOUNDS if difference <= bound), None)
        size = number(difference, 2) if below is None else f"below {below:g}"
        verdict = f"largest difference: {size} of the largest number"
        escaped = [list(map(html.escape, line)) for line in lines]
        super().__init__(
            aligned([heads, *lines], right=True) + "\n" + verdict,
            html_table(verdict, heads, escaped, right=True),
        )


def side_by_side(**found: Any) -> SideBySide:
    """The same numbers from two or more computations, one column for each.

    Args:
        found: column name (``by_hand``, ``by_differences`` …) -> numbers, arrays, or dicts,
            lists and tuples of these, all of the same structure and shapes. In a dict the keys
            name the lines. Arrays of more than six entries show the six largest of the first
            column. Anything below 1e-13 of the largest number is rounding, and shown as 0.

    Returns:
        A table for the last line of a cell; ``.difference`` is a number to assert on.

    Raises:
        ValueError: fewer than two columns, or their structures or shapes differ.

    >>> side_by_side(by_rule={"a4": 3.0, "a5": 3.5}, measured={"a4": 3.0, "a5": 3.5})
         by rule   measured
    ──   ───────   ────────
    a4         3          3
    a5       3.5        3.5
    largest difference: below 1e-13 of the largest number
    """
    if len(found) < 2:
        raise ValueError(
            f"found: got {len(found)} column{'s' * (len(found) != 1)}, expected at least two; "
            "write side_by_side(by_hand=…, by_differences=…)"
        )
    first_name, first = next(iter(found.items()))
    columns = [_leaves(name, tree, first_name, first) for name, tree in found.items()]
    flat = np.array([np.concatenate([x.ravel() for x in c] or [[]]) for c in columns])
    if not flat.size:
        raise ValueError(f"{first_name}: got {first!r}, expected at least one number")
    size = np.max(np.abs(flat[0])) or 1.0
    names = pytrees.leaf_names(first, "")
    if isinstance(first, dict):
        # A dict's keys, unquoted.
        pairs = ((str(key), child) for key, child in first.items())
        names = [n for key, child in pairs for n in pytrees.leaf_names(child, key)]
    lines: list[list[str]] = []
    for name, *arrays in zip(names, *columns, strict=True):
        lines += _lines(
            name, [np.where(abs(x) < BOUNDS[0] * size, 0, x) for x in arrays]
        )
    difference = np.max(np.abs(flat - flat[0])) / size
    heads = ["", *(name.replace("_", " ") for name in found)]
    return SideBySide(heads, lines, float(difference))


def _leaves(name, tree, first_name, first):
    """A column's leaves as arrays; raises unless their structure and shapes match the first's."""
    if not pytrees.same_structure(tree, first):
        raise ValueError(
            f"{name}: got {_outline(tree)}, expected {_outline(first)} as {first_name} has; "
            "give every column the same keys and lengths"
        )
    labels = pytrees.leaf_names(first, name)
    like = map(np.shape, pytrees.leaves(first))
    leaves = [*map(as_floats, labels, pytrees.leaves_like(tree, first))]
    for label, shape, x in zip(labels, like, leaves, strict=True):
        if x.shape != shape:
            raise ValueError(
                f"{label}: got shape {x.shape}, expected {shape} as {first_name} has"
            )
    return list(map(np.asarray, leaves))


def _outline(tree):
    many = pytrees.is_container(tree)
    return f"{type(tree).__name__} of {len(tree)}" if many else "one leaf"


def _lines(name, arrays):
    """One line per entry, or per entry of largest magnitude."""
    first = arrays[0]
    order = np.argsort(-np.abs(first), axis=None, kind="stable")[:ENTRIES]
    lines = []
    for k in np.sort(order):
        place = np.unravel_index(k, first.shape)
        label = f"{name}[{', '.join(map(str, place))}]" if place else name
        lines.append([label, *(number(x[place], 6) for x in arrays)])
    left = first.size - len(lines)
    return [*lines, [f"{left} more", *("…" for _ in arrays)]] if left else lines

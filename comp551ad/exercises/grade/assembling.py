"""A student's cells and our checks: which steps are run, and in which order.

What is run is the student's notebook with *our* checks in it, and with those given cells
of ours that are gone, so that it does not matter what became of the cells that are not
theirs to write.

    read_cells   a notebook's cells, wherever it comes from
    assemble     a student's cells and ours: the steps

Read by `marking.py`, and by what needs to know our notebooks' exercises and points.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from ..notebooks import is_answer, is_check, marks

CHECK = "-check"  # a check cell's grade_id: the exercise's name and this
Cells = list[dict[str, Any]]


@dataclass(frozen=True)
class Step:
    """Code to run, or (where `source` is None) an exercise to check."""

    label: str
    source: str | None = None


# --- reading notebooks ----------------------------------------------------------------


class Unreadable(Exception):
    """A file that is no notebook; says what it is instead."""


def read_cells(data: bytes) -> Cells:
    """The cells of a notebook, which may come from anywhere; `Unreadable` if it is none.

    Of a cell its type, its source and nbgrader's metadata are kept.
    """
    try:
        # In UTF-8 or UTF-16, with a byte order mark or without.
        notebook = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable("is not JSON") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("is JSON, but not a notebook of format 4")
    try:
        return [
            {
                "cell_type": cell["cell_type"],
                "source": "".join(cell["source"]),
                "metadata": {"nbgrader": marks(cell)},
            }
            for cell in cells
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise Unreadable("has a cell that is no cell") from error


def grade_id(cell: dict[str, Any]) -> str:
    """nbgrader's name of a cell; empty if it has none."""
    name = marks(cell).get("grade_id")
    return name if isinstance(name, str) else ""


def is_code(cell: dict[str, Any]) -> bool:
    """Is it run?"""
    return cell["cell_type"] == "code"


def exercises_in(cells: Cells) -> dict[str, float]:
    """The names of a notebook's exercises and their points, in its order."""
    return {
        grade_id(cell).removesuffix(CHECK): marks(cell).get("points", 1)
        for cell in cells
        if is_check(cell)
    }


# --- a student's cells and our checks -------------------------------------------------


def assemble(ours: Cells, theirs: Cells) -> list[Step]:
    """A student's code in its order, with our checks in it.

    Each check of ours runs where theirs stands, but after the last cell with its answer;
    where theirs is gone, as late as it may: right before the next cell of ours. A given
    cell of ours that is gone, edited or moved runs first, right after the cell of ours
    that it follows, so that an edited one still has the last word.
    """
    which = _which_of_ours(ours, theirs)
    matched = SequenceMatcher(None, range(len(ours)), which, autojunk=False)
    stands = {  # where those cells of ours stand that are there, and in their order
        block.a + k: block.b + k
        for block in matched.get_matching_blocks()
        for k in range(block.size)
    }
    last = {k: i for i, k in enumerate(which)}
    by_id = {grade_id(cell): k for k, cell in enumerate(ours)}
    steps = {}  # by where they come: a cell of theirs, then what of ours follows it
    for i, (cell, k) in enumerate(zip(theirs, which, strict=True)):
        if is_code(cell) and (step := _step_of(cell, i, ours, k)):
            steps[i, -1] = step
    before = -1
    for k, cell in enumerate(ours):
        before = stands.get(k, before)
        if is_check(cell):
            name = grade_id(cell).removesuffix(CHECK)
            following = (stands[n] for n in range(k + 1, len(ours)) if n in stands)
            late = next(following, len(theirs)) - 1
            at = max(stands.get(k, late), last.get(by_id.get(name), -1))
            steps[at, k] = Step(name)
        elif is_code(cell) and not is_answer(cell) and k not in stands:
            steps[before, k] = Step(f"{k + 1} of ours", cell["source"])
    return [steps[where] for where in sorted(steps)]


def _which_of_ours(ours: Cells, theirs: Cells) -> list[int | None]:
    """Which cell of ours each of theirs is, None if it is one of their own.

    An answer and a check are known by their grade_id, whatever stands in them; the
    others, and a check that has lost it, by their text.
    """
    by_id = {grade_id(c): k for k, c in enumerate(ours) if is_answer(c) or is_check(c)}
    by_text = {
        (is_code(c), c["source"].strip()): k
        for k, c in enumerate(ours)
        if not is_answer(c)
    }
    return [
        by_id.get(grade_id(c), by_text.get((is_code(c), c["source"].strip())))
        for c in theirs
    ]


def _step_of(cell: dict[str, Any], i: int, ours: Cells, k: int | None) -> Step | None:
    """What of a student's code cell is run, given which of ours it is."""
    if k is None:
        return Step(str(i + 1), cell["source"])
    if is_answer(ours[k]):
        return Step(grade_id(cell), cell["source"])
    if not is_check(ours[k]):
        return Step(f"{k + 1} of ours", cell["source"])
    if cell["source"].strip() != ours[k]["source"].strip():
        return Step(grade_id(ours[k]), cell["source"])  # an answer may stand in it
    return None


# --- our notebooks --------------------------------------------------------------------


def our_notebooks(exercises: Path, lectures: Iterable[str] = ()) -> dict[str, Cells]:
    """Our notebooks' cells by the files' names."""
    paths = notebooks_in(exercises)
    there = {path.name[:2] for path in paths}
    wanted = set(lectures) or there
    if not there or not wanted <= there:
        missing = ", ".join(sorted(wanted - there)) or "any lecture"
        raise ValueError(
            f"--exercises: got {exercises}, expected a folder with exercises for "
            f"{missing}; name the folder of the exercises"
        )
    cells = {}
    for path in paths:
        if path.name[:2] in wanted:
            try:
                cells[path.name] = read_cells(path.read_bytes())
            except Unreadable as fault:
                raise Unreadable(f"{path} {fault}") from fault
    return cells


def notebooks_in(exercises: Path) -> list[Path]:
    """Our notebooks, which begin with two digits."""
    return sorted(Path(exercises).glob("[0-9][0-9]_*.ipynb"))

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

from ..notebooks import is_answer, is_check, marks

CHECK = "-check"  # a check cell's grade_id: the exercise's name and this


@dataclass(frozen=True)
class Step:
    """Code to run, or (where `source` is None) an exercise to check."""

    label: str
    source: str | None = None


# --- reading notebooks ----------------------------------------------------------------


class Unreadable(Exception):
    """A file that is no notebook; says what it is instead."""


@dataclass(frozen=True)
class Cell:
    """What of a cell matters here."""

    source: str
    is_code: bool
    grade_id: str
    is_answer: bool
    is_check: bool
    points: float = 1


def read_cells(data: bytes) -> list[Cell]:
    """The cells of a notebook, which may come from anywhere; `Unreadable` if it is none."""
    try:
        notebook = json.loads(
            data
        )  # in UTF-8 or UTF-16, with a byte order mark or without
    except (ValueError, RecursionError) as error:
        raise Unreadable("is not JSON") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("is JSON, but not a notebook of format 4")
    try:
        return [_cell(cell) for cell in cells]
    except (AttributeError, KeyError, TypeError) as error:
        raise Unreadable("has a cell that is no cell") from error


def _cell(cell: dict) -> Cell:
    about = marks(cell)
    grade_id, points = about.get("grade_id"), about.get("points", 1)
    return Cell(
        source="".join(cell["source"]),
        is_code=cell["cell_type"] == "code",
        grade_id=grade_id if isinstance(grade_id, str) else "",
        is_answer=is_answer(cell),
        is_check=is_check(cell),
        points=points if isinstance(points, int | float) else 1,
    )


def exercises_in(cells: list[Cell]) -> dict[str, float]:
    """The names of a notebook's exercises and their points, in its order."""
    return {
        cell.grade_id.removesuffix(CHECK): cell.points
        for cell in cells
        if cell.is_check
    }


# --- a student's cells and our checks -------------------------------------------------


def assemble(ours: list[Cell], theirs: list[Cell]) -> list[Step]:
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
    by_id = {cell.grade_id: k for k, cell in enumerate(ours)}
    steps = {}  # by where they come: a cell of theirs, then what of ours follows it
    for i, (cell, k) in enumerate(zip(theirs, which, strict=True)):
        if cell.is_code and (step := _step_of(cell, i, ours, k)):
            steps[i, -1] = step
    before = -1
    for k, cell in enumerate(ours):
        before = stands.get(k, before)
        if cell.is_check:
            name = cell.grade_id.removesuffix(CHECK)
            following = (stands[n] for n in range(k + 1, len(ours)) if n in stands)
            late = next(following, len(theirs)) - 1
            at = max(stands.get(k, late), last.get(by_id.get(name), -1))
            steps[at, k] = Step(name)
        elif cell.is_code and not cell.is_answer and k not in stands:
            steps[before, k] = Step(f"{k + 1} of ours", cell.source)
    return [steps[where] for where in sorted(steps)]


def _which_of_ours(ours: list[Cell], theirs: list[Cell]) -> list[int | None]:
    """Which cell of ours each of theirs is, None if it is one of their own.

    An answer and a check are known by their grade_id, whatever stands in them; the
    others, and a check that has lost it, by their text.
    """
    by_id = {c.grade_id: k for k, c in enumerate(ours) if c.is_answer or c.is_check}
    by_text = {
        (c.is_code, c.source.strip()): k for k, c in enumerate(ours) if not c.is_answer
    }
    return [
        by_id.get(c.grade_id, by_text.get((c.is_code, c.source.strip())))
        for c in theirs
    ]


def _step_of(cell: Cell, i: int, ours: list[Cell], k: int | None) -> Step | None:
    """What of a student's code cell is run, given which of ours it is."""
    if k is None:
        return Step(str(i + 1), cell.source)
    if ours[k].is_answer:
        return Step(cell.grade_id, cell.source)
    if not ours[k].is_check:
        return Step(f"{k + 1} of ours", cell.source)
    if cell.source.strip() != ours[k].source.strip():
        return Step(ours[k].grade_id, cell.source)  # an answer may stand in it
    return None


# --- our notebooks --------------------------------------------------------------------


def our_notebooks(
    exercises: Path, lectures: Iterable[str] = ()
) -> dict[str, list[Cell]]:
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

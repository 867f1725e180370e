"""A student's cells and our checks: which steps are run, and in which order.

The student's notebook is run with *our* checks, and with our given cells if any are missing
or moved, so it doesn't matter what happened to the cells that students shouldn't edit.

    read_cells   the code cells of any notebook
    assemble     the steps to run, from a student's cells and ours
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..notebooks import is_answer, is_check, marks
from ..values import in_a_line
from .submissions import Refused

CHECK = "-check"  # a check cell's grade_id is the exercise's name plus this
Cells = list[dict[str, Any]]


@dataclass(frozen=True)
class Step:
    """Code to run, or (where `source` is None) an exercise to check.

    An exception is reported as a problem only if the step has a label.
    """

    label: str
    source: str | None = None


# --- reading notebooks ----------------------------------------------------------------


def read_cells(data: bytes) -> Cells:
    """The code cells of a notebook from any source; raises `Refused` if it isn't one.

    Only a cell's source and nbgrader's metadata are kept.
    """
    try:
        # In UTF-8 or UTF-16, with or without a byte order mark.
        notebook = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Refused("is not JSON") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise Refused("is JSON, but not a version 4 notebook")
    try:
        return [
            {"source": "".join(cell["source"]), "metadata": {"nbgrader": marks(cell)}}
            for cell in cells
            if cell["cell_type"] == "code"
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise Refused("has an invalid cell") from error


def grade_id(cell: dict[str, Any]) -> str:
    """nbgrader's name for a cell; empty if it has none."""
    name = marks(cell).get("grade_id")
    return name if isinstance(name, str) else ""


def exercises_in(cells: Cells) -> dict[str, float]:
    """The names of a notebook's exercises and their points, in notebook order."""
    return {
        grade_id(cell).removesuffix(CHECK): marks(cell).get("points", 1)
        for cell in cells
        if is_check(cell)
    }


# --- a student's cells and our checks -------------------------------------------------


def assemble(ours: Cells, theirs: Cells) -> list[Step]:
    """A student's code in its order, with our checks inserted.

    Each check runs after the last cell that has its exercise's grade_id or the check's own
    text, or else at the end. Unless all our cells are there and in order, our given cells
    run first: this supplies what is missing or has moved, and the student's own edits
    still override it.
    """
    names = list(exercises_in(ours))
    ids = {grade_id(cell): k for k, cell in enumerate(ours) if grade_id(cell)}
    texts = {
        cell["source"].strip(): k for k, cell in enumerate(ours) if not is_answer(cell)
    }
    steps = []
    which = [
        ids.get(grade_id(cell), texts.get(cell["source"].strip())) for cell in theirs
    ]
    if [k for k in which if k is not None] != list(range(len(ours))):
        given = [c for c in ours if not is_answer(c) and not is_check(c)]
        steps = [Step("", cell["source"]) for cell in given]
    exercise_of = [grade_id(cell).removesuffix(CHECK) for cell in ours]
    checks = [cell["source"].strip() for cell in ours if is_check(cell)]
    last = {exercise_of[k]: i for i, k in enumerate(which) if k is not None}
    for i, cell in enumerate(theirs):
        if cell["source"].strip() not in checks:
            label = in_a_line(grade_id(cell))[:60] or str(i + 1)
            steps.append(Step(label, cell["source"]))
        steps += [Step(name) for name in names if last.get(name) == i]
    return steps + [Step(name) for name in names if name not in last]


# --- our notebooks --------------------------------------------------------------------


def our_notebooks(exercises: Path, lectures: Iterable[str] = ()) -> dict[str, Cells]:
    """The cells of our notebooks, by file name."""
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
            except Refused as fault:
                raise Refused(f"{path} {fault}") from fault
    return cells


def notebooks_in(exercises: Path) -> list[Path]:
    """Our notebooks, whose names begin with two digits."""
    return sorted(Path(exercises).glob("[0-9][0-9]_*.ipynb"))

"""The students' notebooks, made from the solved ones.

`solutions/` is the single source. Answers are cut out as nbgrader does it, with nbgrader's
markers, stubs and metadata, so a course may run nbgrader's own `generate_assignment` on the
same files and get the same notebooks. nbformat comes with JupyterLab and is imported only
where it is needed.

    cleared            one solved notebook without its answers
    exercises_from     the students' notebooks made from `solutions/`
    write_exercises    write them; existing files that differ are renamed
"""

import argparse
import os
import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comp551ad.extras import extra

if TYPE_CHECKING:
    from nbformat import NotebookNode

CODE_STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")
TEXT_STUB = "YOUR ANSWER HERE"
BEGIN, END = "BEGIN SOLUTION", "END SOLUTION"
_UNKNOWN_MARKERS = re.compile(r"(BEGIN|END) (HIDDEN TESTS|MARK SCHEME)")


class NotebookFault(ValueError):
    """A solved notebook can't be made into an exercise; the message says which cell and why."""


def marks(cell: dict[str, Any]) -> dict[str, Any]:
    """nbgrader's metadata of a cell, or an empty dict."""
    about = cell.get("metadata", {}).get("nbgrader")
    return about if isinstance(about, dict) else {}


def is_answer(cell: dict[str, Any]) -> bool:
    """Is it for the student to write: code that is checked, or text for people to read?"""
    return bool(marks(cell).get("solution"))


def is_check(cell: dict[str, Any]) -> bool:
    """Does it earn points by running?"""
    return bool(marks(cell).get("grade")) and not is_answer(cell)


# --- one notebook ---------------------------------------------------------------------


def cleared(notebook: "NotebookNode", name: str = "notebook") -> "NotebookNode":
    """Return a copy of a solved notebook without answers and outputs.

    `name` is used in errors: `NotebookFault` lists everything that `faults` finds.
    """
    if found := list(faults(notebook)):
        raise NotebookFault("\n".join(f"{name}, {fault}" for fault in found))
    result = deepcopy(notebook)
    for cell in result.cells:
        if is_answer(cell):
            cell.source = _without_answer(cell)
            cell.metadata["deletable"] = False
        elif is_check(cell):
            cell.metadata["deletable"] = cell.metadata["editable"] = False
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            for shown in ("collapsed", "scrolled"):
                cell.metadata.pop(shown, None)
    return result


def _without_answer(cell: "NotebookNode") -> str:
    if cell.cell_type != "code":
        return TEXT_STUB
    kept, inside = [], False
    for line in cell.source.split("\n"):
        if BEGIN in line:
            inside = True
            indent = line[: len(line) - len(line.lstrip())]
            kept += [indent + stub for stub in CODE_STUB]
        elif END in line:
            inside = False
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def faults(notebook: "NotebookNode") -> Iterator[str]:
    """Yield where an answer would remain, or a cell would not be found or counted."""
    names = Counter(marks(cell).get("grade_id") for cell in notebook.cells)
    for number, cell in enumerate(notebook.cells, 1):
        name = marks(cell).get("grade_id")
        cell_name = name or cell.source.strip().split("\n")[0][:40]
        found = [*_faults_of_regions(cell)]
        if "nbgrader" in cell.metadata and not name:
            found.append("nbgrader metadata: no grade_id")
        points = marks(cell).get("points", 1)
        if is_check(cell) and not isinstance(points, int | float):
            found.append(f"nbgrader metadata: points is {points!r}, not a number")
        if name and names[name] > 1:
            found.append("another cell has the same grade_id")
        yield from (f"cell {number} ({cell_name}): {fault}" for fault in found)


def _faults_of_regions(cell: "NotebookNode") -> Iterator[str]:
    marked = re.findall(f"{BEGIN}|{END}", cell.source)
    if marked != [BEGIN, END] * (len(marked) // 2):
        yield f"{BEGIN} and {END} don't alternate"
    if marker := _UNKNOWN_MARKERS.search(cell.source):
        yield f"{marker[0]} is not used here: checks are public"
    if marked and not (is_answer(cell) and cell.cell_type == "code"):
        yield "a region in a cell that is not a code answer (solution: true)"
    if not marked and is_answer(cell) and cell.cell_type == "code":
        yield f"an answer without {BEGIN} and {END}: not even its def would be left"


# --- the folders ----------------------------------------------------------------------


def exercises_from(solutions: Path) -> dict[str, str]:
    """The text of every exercise notebook, by file name."""
    with extra("exercises", "exercises"):
        import nbformat

    texts = {}
    for path in sorted(Path(solutions).glob("*.ipynb")):
        try:
            notebook = nbformat.read(path, as_version=4)
        except (ValueError, KeyError, nbformat.ValidationError) as error:
            raise NotebookFault(f"{path.name} is not a notebook: {error}") from error
        texts[path.name] = nbformat.writes(cleared(notebook, path.name)) + "\n"
    return texts


def write_exercises(solutions: Path, exercises: Path) -> tuple[list[str], list[Path]]:
    """Write `exercises/`; return the names written, and the files that were put aside.

    An existing file that differs is put aside: it was made from an older solution, or
    somebody ran it or worked in it. Nothing is written if any solved notebook has a fault.
    """
    written, aside = [], []
    due = exercises_from(solutions)
    Path(exercises).mkdir(parents=True, exist_ok=True)
    for name, text in due.items():
        path = Path(exercises) / name
        if os.path.lexists(path):
            if path.is_file() and path.read_text("utf-8", errors="replace") == text:
                continue
            aside.append(put_aside(path))
        path.write_text(text, encoding="utf-8", newline="\n")
        written.append(name)
    return written, aside


def put_aside(path: Path) -> Path:
    """Rename a file to an unused name; return its new path."""
    names = (path.with_name(f"{path.name}.older-{number}") for number in count(1))
    aside = next(name for name in names if not os.path.lexists(name))
    os.replace(path, aside)
    return aside


# --- the command ----------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--solutions", type=Path, default=Path("solutions"))
    parser.add_argument("--exercises", type=Path, default=Path("exercises"))


def main(chosen: argparse.Namespace) -> int:
    """`python -m comp551ad exercises`: write the students' notebooks."""
    if not list(chosen.solutions.glob("*.ipynb")):
        raise ValueError(
            f"no notebooks in {chosen.solutions}: name their folder with --solutions"
        )
    written, aside = write_exercises(chosen.solutions, chosen.exercises)
    for name in written:
        print(f"written: {name}")
    for path in aside:
        print(f"the earlier file was different, and was renamed to: {path}")
    if not written:
        print("the exercises are up to date")
    return 0

"""The students' notebooks, made from the solved ones.

`solutions/` is the single source. Here each answer is cut out as nbgrader would do it, with
nbgrader's markers, words and metadata, so that a course may use nbgrader's own
`generate_assignment` on the same files and get the same notebooks. nbformat comes with
JupyterLab and is imported where it is needed.

    cleared             one solved notebook without its answers
    unlike_solutions    which of the students' notebooks are not what `solutions/` makes
    write_exercises     make them so, but for those in which somebody has worked
"""

import argparse
import ast
import os
import re
import sys
import time
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
    """A solved notebook that no exercise can be made from; says which cell and why."""


def marks(cell: dict[str, Any]) -> dict[str, Any]:
    """nbgrader's metadata of a cell, or an empty dict."""
    about = cell["metadata"].get("nbgrader")
    return about if isinstance(about, dict) else {}


def is_answer(cell: dict[str, Any]) -> bool:
    """Is it a student's to write: code that is checked, or words for people to read?"""
    return bool(marks(cell).get("solution"))


def is_check(cell: dict[str, Any]) -> bool:
    """Does it earn points by running?"""
    return bool(marks(cell).get("grade")) and not is_answer(cell)


# --- one notebook ---------------------------------------------------------------------


def cleared(notebook: "NotebookNode", name: str = "notebook") -> "NotebookNode":
    """Return a copy of a solved notebook without answers and outputs.

    `name` stands in the error: `NotebookFault` lists all that `faults` finds.
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
    """Yield where an answer would stay in, or a cell not be found or not counted."""
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
        yield "a region in a cell that is no answer in code (solution: true)"
    if not marked and is_answer(cell) and cell.cell_type == "code":
        yield f"an answer without {BEGIN} and {END}: not even its def would be left"


# --- the folders ----------------------------------------------------------------------


def exercises_from(solutions: Path) -> dict[str, str]:
    """The text of every exercise notebook by its file's name."""
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


def unlike_solutions(solutions: Path, exercises: Path) -> list[str]:
    """Name the files in `exercises` that are missing, differ, or have no solution."""
    due = exercises_from(solutions)
    there = {
        path.name: path.read_text(encoding="utf-8", errors="replace")
        for path in Path(exercises).glob("*.ipynb")
    }
    return sorted(name for name in due | there if due.get(name) != there.get(name))


def write_exercises(
    solutions: Path, exercises: Path
) -> tuple[list[str], list[str], list[Path]]:
    """Write `exercises/` anew; return what was written, what was not, what is aside.

    A notebook in which somebody has worked, or that has no solution, stays as it is. One
    that was only run is written anew; so is one whose given cells read otherwise, but
    only after it was put aside: an older solution made it, or somebody wrote into them.
    Nothing is written if a single solved notebook has a fault.
    """
    due = exercises_from(solutions)
    written, left, aside = [], [], []
    Path(exercises).mkdir(parents=True, exist_ok=True)
    for name in unlike_solutions(solutions, exercises):
        path = Path(exercises) / name
        found = what_is_in(path, due[name]) if name in due else "work"
        if found == "work":
            left.append(name)
            continue
        if found == "reworded":
            aside.append(put_aside(path, "older"))
        path.write_text(due[name], encoding="utf-8", newline="\n")
        written.append(name)
    return written, left, aside


def put_aside(path: Path, why: str) -> Path:
    """Give a file a name of its own, which says why and when; return where it is now."""
    name = f"{path.name}.{why}-{time.strftime('%Y%m%d-%H%M%S')}"
    others = (path.with_name(f"{name}-{number}") for number in count(2))
    aside = path.with_name(name)
    while os.path.lexists(aside):
        aside = next(others)
    os.replace(path, aside)
    return aside


def what_is_in(path: Path, due: str) -> str:
    """What would be lost if the notebook that is due took a file's place.

    "work" if there is an answer that does more than our stub, a cell that isn't ours, or
    no notebook at all; "reworded" if other cells of ours read otherwise; else "nothing".
    """
    import nbformat

    if not os.path.lexists(path):
        return "nothing"
    try:
        theirs = nbformat.read(path, as_version=4).cells
    except Exception:  # nbformat raises this and that
        return "work"
    ours = nbformat.reads(due, as_version=4).cells
    texts = {(cell.cell_type, cell.source.strip()) for cell in ours}
    by_name = {name: cell for cell in ours for name in _names_of(cell)}
    found = "nothing"
    for cell in theirs:
        text = cell.source.strip()
        if not text or (cell.cell_type, text) in texts:
            continue
        same = next((by_name[n] for n in _names_of(cell) if n in by_name), None)
        if same is None or (is_answer(same) and _gist(text) != _gist(same.source)):
            return "work"
        found = "reworded"
    return found


def _names_of(cell: "NotebookNode") -> list[str]:
    """By what a cell is found in another notebook: its grade_id, its id."""
    names = marks(cell).get("grade_id"), cell.get("id")
    return [name for name in names if name and isinstance(name, str)]


def _gist(source: str) -> str:
    """What code does, whatever its comments and docstrings say; words are what they are."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # magics, or a null byte
        return source.strip()
    for part in ast.walk(tree):
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
            part.value.value = None
    return ast.dump(tree)


# --- the command ----------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--solutions", type=Path, default=Path("solutions"))
    parser.add_argument("--exercises", type=Path, default=Path("exercises"))
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if something would change",
    )


def main(chosen: argparse.Namespace) -> int:
    """`python -m comp551ad exercises`: returns 1 where there is something to mend."""
    if not list(chosen.solutions.glob("*.ipynb")):
        told = f"no notebooks in {chosen.solutions}: name their folder with --solutions"
        print(told, file=sys.stderr)
        return 1
    written: list[str] = []
    aside: list[Path] = []
    try:
        if chosen.check:
            left = unlike_solutions(chosen.solutions, chosen.exercises)
        else:
            written, left, aside = write_exercises(chosen.solutions, chosen.exercises)
    except NotebookFault as fault:
        print(fault, file=sys.stderr)
        return 1
    except OSError as error:
        told = f"--exercises: {chosen.exercises} can't be read or written"
        print(f"{told} ({error}): name a folder that can", file=sys.stderr)
        return 1
    for name in written:
        print(f"written: {name}")
    for path in aside:
        print(f"what stood there is put aside, as some cells read otherwise: {path}")
    for name in left:
        print(f"is not what the solutions make: {chosen.exercises / name}")
    if left and not chosen.check:
        print("Somebody has worked in it, or it has no solution: move it away first.")
    if not written and not left:
        print("the exercises are what the solutions make")
    return 1 if left else 0

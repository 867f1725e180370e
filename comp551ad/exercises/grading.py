"""Grading a folder of handed-in notebooks, without nbgrader.

    SUBMISSIONS/student/NN_name.ipynb    →    one row a student, one column an exercise

What is run is the student's notebook with *our* checks in it, and with those given cells
of ours that are gone, so that it does not matter what became of the cells that are not
theirs to write. `running.py` runs it.

    grade       every student: yields a `Graded` each, whatever they handed in
    assemble    a student's cells and our checks: the steps that are run
"""

import argparse
import json
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from comp551ad.extras import extra

from .notebooks import is_answer, is_check, marks
from .running import Limits, Result, Step, run
from .tables import Table, Unwritable, same_file
from .values import in_a_line

MAX_NOTEBOOK_BYTES = 500_000_000
CHECK = "-check"  # a check cell's grade_id: the exercise's name and this


@dataclass
class Graded:
    """A student's results by exercise, and what was out of order, in words."""

    student: str
    results: dict[str, Result] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


# --- reading notebooks ----------------------------------------------------------------


class Unreadable(Exception):
    """A file that is no notebook; says what it is instead."""


@dataclass(frozen=True)
class Cell:
    """What of a cell matters here."""

    source: str
    is_code: bool
    grade_id: str | None
    is_answer: bool
    is_check: bool

    @property
    def label(self) -> str:
        """What its step is called, if it is an answer or a check."""
        return self.grade_id or ""


def read_cells(path: Path) -> list[Cell]:
    """The cells of a notebook, which may come from anywhere; `Unreadable` if it is none."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # reading a pipe may never end
            raise Unreadable("is not a file")
        if about.st_size > MAX_NOTEBOOK_BYTES:
            raise Unreadable(f"is larger than {MAX_NOTEBOOK_BYTES // 1_000_000} MB")
        notebook = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise Unreadable(f"can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable("is not JSON") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("is JSON, but not a notebook of format 4")
    try:
        return [_cell(cell) for cell in cells]
    except (AttributeError, KeyError, TypeError) as error:
        raise Unreadable("has a cell that is no cell") from error


def _cell(cell: dict[str, Any]) -> Cell:
    grade_id = marks(cell).get("grade_id")
    return Cell(
        source="".join(cell["source"]),
        is_code=cell["cell_type"] == "code",
        grade_id=grade_id if isinstance(grade_id, str) else None,
        is_answer=is_answer(cell),
        is_check=is_check(cell),
    )


def exercises_in(cells: list[Cell]) -> list[str]:
    """The names of a notebook's exercises, in its order."""
    return [cell.label.removesuffix(CHECK) for cell in cells if cell.is_check]


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
            name = cell.label.removesuffix(CHECK)
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
        return Step(cell.label, cell.source)
    if not ours[k].is_check:
        return Step(f"{k + 1} of ours", cell.source)
    if cell.source.strip() != ours[k].source.strip():
        return Step(ours[k].label, cell.source)  # an answer may stand in it
    return None


# --- a student, and all of them -------------------------------------------------------


def grade(
    submissions: Path,
    exercises: Path,
    limits: Limits | None = None,
    lectures: Iterable[str] = (),
    jobs: int | None = None,
) -> Iterator[Graded]:
    """Grade every student's folder in `submissions`, in the order of their names.

    `exercises` holds our notebooks; `lectures` ("02", …) are the ones to grade, all if none
    is named; `jobs` is how many notebooks run at a time, one a processor if not said.
    """
    ours = our_notebooks(exercises, lectures)
    known = {path.name[:3] for path in _notebooks_in(exercises)}
    students = students_in(submissions)
    stop = threading.Event()
    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:

        def one(folder: Path) -> Graded:
            return _grade_student(folder, ours, known, limits or Limits(), stop)

        try:
            yield from pool.map(one, students)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def our_notebooks(
    exercises: Path, lectures: Iterable[str] = ()
) -> dict[str, list[Cell]]:
    """Our notebooks' cells by the files' names."""
    paths = _notebooks_in(exercises)
    there = {path.name[:2] for path in paths}
    wanted = set(lectures) or there
    if not there or not wanted <= there:
        missing = ", ".join(sorted(wanted - there)) or "any lecture"
        raise ValueError(
            f"{exercises} holds no exercises for {missing}: "
            "name the folder of the exercises with --exercises"
        )
    cells = {}
    for path in paths:
        if path.name[:2] in wanted:
            try:
                cells[path.name] = read_cells(path)
            except Unreadable as fault:
                raise Unreadable(f"{path} {fault}") from fault
    return cells


def _notebooks_in(exercises: Path) -> list[Path]:
    return sorted(Path(exercises).glob("[0-9][0-9]_*.ipynb"))


def students_in(submissions: Path) -> list[Path]:
    """The students' folders."""
    if not Path(submissions).is_dir():
        raise ValueError(f"{submissions} is not a folder")
    found = [p for p in sorted(Path(submissions).iterdir()) if p.is_dir()]
    found = [path for path in found if not path.name.startswith((".", "_"))]
    if not found:
        raise ValueError(
            f"{submissions} holds no folders; each student's should be one"
        )
    return found


def passed_over(submissions: Path) -> list[str]:
    """What lies among the students' folders, but is nobody's: `_x/`, loose notebooks."""
    return [
        path.name
        for path in sorted(Path(submissions).iterdir())
        if (path.name.startswith("_") if path.is_dir() else path.suffix == ".ipynb")
    ]


def _grade_student(
    folder: Path,
    ours: dict[str, list[Cell]],
    known: set[str],
    limits: Limits,
    stop: threading.Event,
) -> Graded:
    graded = Graded(folder.name)
    files = _handed_in(folder, ours, known, graded.problems)
    for name, cells in ours.items():
        due = exercises_in(cells)
        results: dict[str, Result] = {}
        if name in files:
            try:
                results, problems = run(
                    assemble(cells, read_cells(files[name])), limits, stop
                )
            except Unreadable as fault:
                graded.problems.append(f"{name} {fault}")
            except Exception as error:  # the other students' grades must not be lost
                words = in_a_line(f"{type(error).__name__}: {error}")
                graded.problems.append(f"{name} could not be graded: {words}")
            else:
                graded.problems += [f"{name}: {problem}" for problem in problems]
        status = "missing" if name in files else "not handed in"
        for exercise in due:
            graded.results[exercise] = results.get(exercise, Result(exercise, status))
    return graded


def _handed_in(
    folder: Path, ours: Iterable[str], known: set[str], problems: list[str]
) -> dict[str, Path]:
    """The student's file for each of our notebooks, found by its first two digits.

    `known` are the beginnings of all exercises' names, of those not asked for too.
    """
    there = [
        path
        for path in sorted(folder.rglob("*.ipynb"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not path.is_dir()
    ]
    files = [path for path in there if path.is_file()]  # no pipe, no broken link
    found = {}
    for name in ours:
        several = [path for path in files if path.name[:3] == name[:3]]
        several.sort(key=lambda path: (path.name != name, len(path.parts)))
        if several:
            found[name] = several[0]
        if len(several) > 1:
            taken = several[0].relative_to(folder).as_posix()
            problems.append(
                f"{name}: {len(several)} files begin like it, {taken} was taken"
            )
    if not found:
        problems.append("nothing handed in")
    for path in there:
        name = path.relative_to(folder).as_posix()
        if path not in files:
            problems.append(f"{name} is not a file")
        elif path.name[:3] not in known:
            problems.append(f"{name} is not graded: no exercise begins like its name")
    return found


# --- the command ----------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "submissions", type=Path, help="holds a folder for each student"
    )
    parser.add_argument(
        "--csv", type=Path, required=True, help="a row a student, a column an exercise"
    )
    parser.add_argument(
        "--details", type=Path, help="a row for each exercise, with the mistake's name"
    )
    parser.add_argument("--exercises", type=Path, default=Path("exercises"))
    parser.add_argument("--lectures", nargs="+", default=[], metavar="NN")
    parser.add_argument(
        "--timeout", type=_above_0(float), default=60.0, help="seconds for a cell"
    )
    parser.add_argument(
        "--memory", type=_above_0(int), default=2048, help="MB for a notebook"
    )
    parser.add_argument("--jobs", type=_above_0(int), help="notebooks at a time")


def _above_0(kind: type) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            if (number := kind(text)) > 0:
                return number
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number above 0")

    return read


def main(chosen: argparse.Namespace) -> int:
    """`python -m comp551ad grade`: writes each student's row as soon as it is known."""
    from tqdm import tqdm

    # The processes that run the notebooks import it; one message will do for all.
    with extra("exercises", "grades"):
        import IPython  # noqa: F401

    limits = Limits(chosen.timeout, chosen.memory)
    try:
        ours = our_notebooks(chosen.exercises, chosen.lectures)
        many = len(students_in(chosen.submissions))
        _refuse_tables(chosen)
        rows = grade(
            chosen.submissions, chosen.exercises, limits, chosen.lectures, chosen.jobs
        )
    except (ValueError, Unreadable) as error:
        print(error, file=sys.stderr)
        return 1
    if over := passed_over(chosen.submissions):
        told = "not graded, as each student's folder should be one without _"
        print(f"{told}: {', '.join(over)}", file=sys.stderr)
    lecture_of = {
        e: name[:2] for name, cells in ours.items() for e in exercises_in(cells)
    }
    columns = [f"{lecture} {name}" for name, lecture in lecture_of.items()]
    grades = Table(
        "--csv", chosen.csv, ["student", *columns, "total", "out of", "problems"]
    )
    details = Table(
        "--details",
        chosen.details,
        ["student", "lecture", "exercise", "status", "found"],
    )
    try:
        with grades, details:
            grades.begin()
            details.begin()
            for graded in tqdm(rows, total=many, unit="student"):
                grades.writerow(_row(graded))
                for name, result in graded.results.items():
                    done = [lecture_of[name], name, result.status, result.found]
                    details.writerow([graded.student, *done])
    except Unwritable as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stopped: {chosen.csv} holds those graded so far", file=sys.stderr)
        return 130
    return 0


def _refuse_tables(chosen: argparse.Namespace) -> None:
    """ValueError for a table that is no file, a notebook, or the other table."""
    notebooks = [
        *chosen.submissions.rglob("*.ipynb"),
        *chosen.exercises.glob("*.ipynb"),
    ]
    for option, table in (("--csv", chosen.csv), ("--details", chosen.details)):
        if table is None:
            continue
        if table.is_dir() or not table.parent.is_dir():
            raise ValueError(
                f"{option}: {table} can't be written: name a file in a folder"
            )
        called_so = ".ipynb" in (table.suffix, Path(os.path.realpath(table)).suffix)
        if called_so or any(same_file(table, notebook) for notebook in notebooks):
            raise ValueError(
                f"{option}: {table} is a notebook, or called like one: "
                "name another file, grades.csv say"
            )
    if chosen.details and same_file(chosen.details, chosen.csv):
        raise ValueError(
            f"--csv and --details are both the file {chosen.csv}: name two files"
        )


def _row(graded: Graded) -> list[str | int]:
    """A student's row: 1 or 0 an exercise, nothing where no notebook was handed in."""
    statuses = [result.status for result in graded.results.values()]
    total = statuses.count("passed")
    points = ["" if s == "not handed in" else int(s == "passed") for s in statuses]
    return [graded.student, *points, total, len(points), "; ".join(graded.problems)]

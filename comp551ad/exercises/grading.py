"""Grading a folder of handed-in notebooks, without nbgrader.

    SUBMISSIONS/student/NN_name.ipynb    →    one row a student, one column an exercise

What is run is *our* notebook with the student's answers in it, so that it does not matter
what became of the cells that are not theirs to write. `running.py` runs it.

    grade       every student: yields a `Graded` each, whatever they handed in
    assemble    a student's answers in our notebook: the steps that are run
"""

import argparse
import csv
import json
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .notebooks import is_answer, is_check, marks
from .running import Limits, Result, Step, run
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


def read_cells(path: Path) -> list[Cell]:
    """The cells of a notebook, which may come from anywhere; `Unreadable` if it is none."""
    try:
        if path.stat().st_size > MAX_NOTEBOOK_BYTES:
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


def _cell(cell: dict) -> Cell:
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
    return [cell.grade_id.removesuffix(CHECK) for cell in cells if cell.is_check]


# --- a student's answers in our notebook ----------------------------------------------


def assemble(ours: list[Cell], theirs: list[Cell]) -> list[Step]:
    """Put a student's answers into our notebook.

    Answers are found by their grade_id. Every other code cell of theirs that is not a copy
    of ours (a helper, a further import) runs after that cell of ours which it follows. A
    check cell of theirs is never run: ours is.
    """
    by_id = {cell.grade_id: k for k, cell in enumerate(ours) if cell.grade_id}
    by_source = {c.source.strip(): k for k, c in enumerate(ours) if not c.grade_id}
    after = defaultdict(list)
    place = -1
    for number, cell in enumerate(theirs, 1):
        same = by_source.get(cell.source.strip())
        place = by_id.get(cell.grade_id, place if same is None else same)
        known = cell.grade_id in by_id
        answers = known and ours[place].is_answer
        if cell.is_code and (answers or (not known and same is None)):
            label = cell.grade_id if answers else str(number)
            after[place].append(Step(label, cell.source))
    steps = after[-1]
    for k, cell in enumerate(ours):
        if cell.is_check:
            steps.append(Step(cell.grade_id.removesuffix(CHECK)))
        elif cell.is_code and not cell.is_answer:
            steps.append(Step(f"{k + 1} of ours", cell.source))
        steps += after[k]
    return steps


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
    students = students_in(submissions)
    stop = threading.Event()
    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:

        def one(folder: Path) -> Graded:
            return _grade_student(folder, ours, limits or Limits(), stop)

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
    paths = sorted(Path(exercises).glob("[0-9][0-9]_*.ipynb"))
    there = {path.name[:2] for path in paths}
    wanted = set(lectures) or there
    if not there or not wanted <= there:
        missing = ", ".join(sorted(wanted - there)) or "any lecture"
        raise ValueError(f"{exercises} holds no exercises for {missing}")
    return {path.name: read_cells(path) for path in paths if path.name[:2] in wanted}


def students_in(submissions: Path) -> list[Path]:
    """The students' folders."""
    hidden = (".", "_")
    if not Path(submissions).is_dir():
        raise ValueError(f"{submissions} is not a folder")
    found = [p for p in sorted(Path(submissions).iterdir()) if p.is_dir()]
    found = [path for path in found if not path.name.startswith(hidden)]
    if not found:
        raise ValueError(
            f"{submissions} holds no folders; each student's should be one"
        )
    return found


def _grade_student(
    folder: Path, ours: dict[str, list[Cell]], limits: Limits, stop: threading.Event
) -> Graded:
    graded = Graded(folder.name)
    files = _handed_in(folder, ours, graded.problems)
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
    folder: Path, ours: Iterable[str], problems: list[str]
) -> dict[str, Path]:
    """The student's file for each of our notebooks, found by its first two digits."""
    files = [
        path
        for path in sorted(folder.rglob("*.ipynb"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
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
    return found


# --- the command ----------------------------------------------------------------------


def add_arguments(parser) -> None:
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


def _above_0(kind: type):
    def read(text: str):
        try:
            if (number := kind(text)) > 0:
                return number
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number above 0")

    return read


def main(chosen) -> int:
    """`python -m comp551ad grade`: writes each student's row as soon as it is known."""
    from importlib.util import find_spec

    from tqdm import tqdm

    if find_spec("IPython") is None:
        print("grading needs IPython: pip install jupyterlab", file=sys.stderr)
        return 1
    limits = Limits(chosen.timeout, chosen.memory)
    try:
        ours = our_notebooks(chosen.exercises, chosen.lectures)
        many = len(students_in(chosen.submissions))
        for table in filter(None, (chosen.csv, chosen.details)):
            if table.is_dir() or not table.parent.is_dir():
                raise ValueError(f"{table} can't be written: name a file in a folder")
        if chosen.details and chosen.details.resolve() == chosen.csv.resolve():
            raise ValueError(
                f"--csv and --details are both {chosen.csv}: name two files"
            )
        rows = grade(
            chosen.submissions, chosen.exercises, limits, chosen.lectures, chosen.jobs
        )
    except (ValueError, Unreadable) as error:
        print(error, file=sys.stderr)
        return 1
    lecture_of = {
        e: name[:2] for name, cells in ours.items() for e in exercises_in(cells)
    }
    with _table(chosen.csv) as grades, _table(chosen.details) as details:
        columns = [f"{lecture} {name}" for name, lecture in lecture_of.items()]
        grades.writerow(["student", *columns, "total", "out of", "problems"])
        details.writerow(["student", "lecture", "exercise", "status", "found"])
        try:
            for graded in tqdm(rows, total=many, unit="student"):
                grades.writerow(_row(graded))
                for name, result in graded.results.items():
                    done = [lecture_of[name], name, result.status, result.found]
                    details.writerow([graded.student, *done])
        except KeyboardInterrupt:
            print(f"stopped: {chosen.csv} holds those graded so far", file=sys.stderr)
            return 130
    return 0


def _row(graded: Graded) -> list:
    """A student's row: 1 or 0 an exercise, nothing where no notebook was handed in."""
    points = [
        "" if result.status == "not handed in" else int(result.status == "passed")
        for result in graded.results.values()
    ]
    total = sum(point for point in points if point)
    return [graded.student, *points, total, len(points), "; ".join(graded.problems)]


class _table:
    """A CSV file that is written row by row, or nothing if there is no path."""

    def __init__(self, path: Path | None):
        self.path = path or os.devnull

    def __enter__(self) -> "_table":
        self.file = open(
            self.path, "w", newline="", encoding="utf-8", errors="backslashreplace"
        )
        self.writer = csv.writer(self.file)
        return self

    def writerow(self, row: list) -> None:
        self.writer.writerow(row)
        self.file.flush()

    def __exit__(self, *_) -> None:
        self.file.close()

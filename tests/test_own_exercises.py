"""A lecturer's own exercises: two files in a folder outside the package."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
TASK = """
import numpy as np

from comp551ad.exercises.exercise import Exercise, Mistake

EXERCISES = (
    Exercise(
        name="half_square",
        lecture="16",
        title="The slope of a parabola",
        witness=lambda x: np.asarray(x) * 1.0,
        cases=lambda *rng: [(2.0,), (-3.0,)],
        mistakes=(Mistake("the square itself", lambda x: x**2 / 2, "Which slope?"),),
        hints=("A power rule.",),
    ),
)
"""


def about(grade_id, **more):
    kinds = {"grade": False, "solution": False, "locked": False, "schema_version": 3}
    return {"nbgrader": {"grade_id": grade_id, **kinds, **more}}


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """The two files, and the students' notebook generated from the second; the folder is also
    a package, installed on `PYTHONPATH`."""
    folder = tmp_path_factory.mktemp("site") / "parabolas"
    folder.mkdir()
    (folder / "__init__.py").touch()
    about_it = folder.with_name("parabolas-1.0.dist-info")
    about_it.mkdir()
    (about_it / "METADATA").write_text("Name: parabolas\nVersion: 1.0\n")
    (about_it / "entry_points.txt").write_text(
        "[comp551ad.exercises]\nparabolas = parabolas\n"
    )
    (folder / "16_parabolas.py").write_text(TASK)
    code, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    answer = "def half_square(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION"
    points = {"grade": True, "locked": True, "points": 3}
    solved = nbformat.v4.new_notebook()
    solved.cells = [
        text("# Parabolas"),
        code("from comp551ad.exercises import check, progress"),
        code(answer, metadata=about("half_square", solution=True)),
        code("check(half_square)", metadata=about("half_square-check", **points)),
        code('progress("16")'),
    ]
    nbformat.write(solved, folder / "16_parabolas.ipynb")
    here = ["--solutions", folder, "--exercises", folder / "exercises"]
    run(folder, "variable", "exercises", *here)
    return folder


def run(mine, known_by, *command):
    """Run one of the package's commands, or a program, with these exercises."""
    start = ["-m", "comp551ad"] if command[0] != "-c" else []
    more = {
        "variable": {"COMP551AD_EXERCISES": str(mine)},
        "entry point": {"PYTHONPATH": os.pathsep.join([str(ROOT), str(mine.parent)])},
        "option": {},
    }
    options = ["--own", mine] if known_by == "option" else []
    ran = subprocess.run(
        [sys.executable, *start, *map(str, [*options, *command])],
        cwd=ROOT,
        env={
            **os.environ,
            **more[known_by],
            "COMP551AD_PROGRESS": str(mine / "progress.json"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


# All commands use the same catalogue; each is tested with a different way to name the exercises.


def test_they_are_checked_and_count_as_progress(mine):
    program = (
        "from comp551ad.exercises import check, progress\n"
        "def half_square(x): return x**2 / 2\n"
        "print(check(half_square)); print(progress('16'))"
    )
    found = run(mine, "variable", "-c", program)
    assert "half_square: the square itself" in found and "✗ half_square" in found


def test_they_are_graded_with_their_points(mine, tmp_path):
    zoe = tmp_path / "all" / "zoe" / "16_parabolas.ipynb"
    zoe.parent.mkdir(parents=True)
    zoe.write_bytes((mine / "16_parabolas.ipynb").read_bytes())
    options = ["--exercises", mine / "exercises", "--unsafe"]
    run(mine, "option", "grade", tmp_path / "all", tmp_path / "out", *options)
    table = (tmp_path / "out" / "grades.csv").read_text("utf-8-sig").splitlines()
    assert table[0].startswith("student,id,email,16 half_square,")
    assert table[1].startswith("zoe,,,3,,3,3")


def test_they_are_released_without_their_solution(mine, tmp_path):
    edition = tmp_path / "edition"
    run(mine, "entry point", "release", edition, "--lectures", "02", "16")
    released = edition / "exercises" / "16_parabolas.ipynb"
    cells = json.loads(released.read_text("utf-8"))["cells"]
    assert "raise NotImplementedError()" in "".join(cells[2]["source"])
    program = (
        f"import sys; sys.path.insert(0, {str(edition)!r})\n"
        "from comp551ad.exercises import check, progress\n"
        "def half_square(x): return x\n"
        "print(check(half_square), progress())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=edition,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        | {"COMP551AD_PROGRESS": str(tmp_path / "progress.jsonl")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "✓ half_square" in ran.stdout and "1 of 5 exercises" in ran.stdout

"""The student edition: what it contains and what it doesn't, and that it works on its own."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from comp551ad.__main__ import main
from comp551ad.exercises.release import without_links

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def edition(tmp_path_factory):
    """An edition with two of the lectures."""
    out = tmp_path_factory.mktemp("release") / "edition"
    assert main(["release", str(out), "--lectures", "02", "04"]) == 0
    return out


def test_it_has_the_chosen_lectures_and_exercises_alone(edition):
    """Including their side notebooks, `02a_…`."""
    found = {p.relative_to(edition).as_posix()[:-6] for p in edition.rglob("*.ipynb")}
    there = ROOT.glob("lectures/0[024][a-z]_*.ipynb")
    beside = {path.relative_to(ROOT).as_posix()[:-6] for path in there}
    assert beside <= found
    assert found - beside == {
        "lectures/00_start_here",
        "lectures/02_derivatives_and_the_chain_rule",
        "lectures/04_gradient_wrt_V",
        "exercises/02_derivatives_and_the_chain_rule",
        "exercises/04_gradient_wrt_V",
    }


def test_it_has_no_solutions_no_tests_and_no_grading(edition):
    for path in edition.rglob("*"):
        assert path.name not in ("solutions", "tests", "grade", "site"), path
        if path.suffix == ".ipynb":
            assert "BEGIN SOLUTION" not in path.read_text("utf-8")
    for name in ("pyproject.toml", "requirements.txt"):
        assert "[tool.pytest" not in (edition / name).read_text("utf-8")


def test_it_can_be_installed(edition, tmp_path):
    """It builds a wheel, which contains its package and nothing else."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(build, cwd=edition, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = [n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n]
    files = (p for p in (edition / "comp551ad").rglob("*") if p.is_file())
    there = {p.relative_to(edition).as_posix() for p in files if p.suffix != ".pyc"}
    assert {*names} == there


def test_every_link_leads_to_something_that_is_there(edition):
    links = 0
    for path in edition.rglob("*.ipynb"):
        for target in re.findall(r"\]\(([^(){}\s#]*\.ipynb)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
            links += 1
    assert links > 3


def run_in(edition, program):
    settings = {**os.environ, "PYTHONPATH": ".", "COMP551AD_PROGRESS": "progress.json"}
    command = [sys.executable, "-c", program]
    ran = subprocess.run(
        command, cwd=edition, env=settings, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_progress_knows_what_is_there_and_checks_work(edition):
    assert "0 of 8 exercises" in run_in(
        edition, "from comp551ad.exercises import progress; print(progress())"
    )
    found = run_in(
        edition,
        "from comp551ad.exercises import check\n"
        "def pull_back(J, g): return J @ g\n"
        "print(check(pull_back))",
    )
    assert "the transpose is missing" in found


def test_the_given_cells_of_its_exercises_run(edition):
    for path in (edition / "exercises").glob("*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        given = [
            "".join(cell["source"])
            for cell in cells
            if cell["cell_type"] == "code" and "nbgrader" not in cell["metadata"]
        ]
        assert given
        run_in(edition, "\n".join(given))


def test_a_link_to_what_is_not_there_becomes_text():
    text = "[a](02_x.ipynb#cell-id=y), [b](../lectures/03_z.ipynb), [c](https://x.org)"
    assert without_links(text, {"02_x.ipynb"}) == (
        "[a](02_x.ipynb#cell-id=y), b, [c](https://x.org)"
    )


def test_what_cant_be_released_says_why(tmp_path, capsys):
    (tmp_path / "x").touch()
    assert main(["release", str(tmp_path)]) == 1
    assert "expected an empty folder" in capsys.readouterr().err
    assert main(["release", str(tmp_path / "new"), "--lectures", "77"]) == 1
    assert "--lectures: got 77, expected numbers" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()

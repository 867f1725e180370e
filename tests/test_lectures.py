"""The course in a reader's own folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from comp551ad import lectures
from comp551ad.__main__ import main

ROOT = Path(__file__).parent.parent


def files_in(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.ipynb")}


def test_lectures_and_exercises_are_copied_as_they_are(tmp_path, capsys):
    folder = tmp_path / "my course"
    assert main(["lectures", str(folder), "--no-open"]) == 0
    copied = files_in(folder)
    assert copied == {
        name: content
        for name, content in files_in(ROOT).items()
        if name.parts[0] in ("lectures", "exercises") and len(name.parts) == 2
    }
    assert " 0 left as they are" in capsys.readouterr().out


def test_what_somebody_wrote_stays_and_what_is_missing_comes_back(tmp_path, capsys):
    lectures.copy_course(tmp_path)
    mine, gone = sorted((tmp_path / "exercises").glob("*.ipynb"))[:2]
    mine.write_text("my answers")
    whole = gone.read_bytes()
    gone.unlink()
    assert main(["lectures", str(tmp_path), "--no-open"]) == 0
    assert mine.read_text() == "my answers" and gone.read_bytes() == whole
    assert ": 1 files copied, " in capsys.readouterr().out


def test_the_course_is_opened_at_its_first_page(tmp_path, monkeypatch):
    asked = []

    def run(command):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(lectures.subprocess, "run", run)
    assert main(["lectures", str(tmp_path)]) == 0
    ((python, *options),) = asked
    assert python == sys.executable
    assert options == [
        *("-m", "jupyterlab", f"--notebook-dir={tmp_path}"),
        str(tmp_path / "lectures/00_start_here.ipynb"),
    ]


@pytest.mark.parametrize("place", ["installed", "checkout"])
def test_an_installed_package_has_the_course_inside(tmp_path, monkeypatch, place):
    """It is read from whichever of the two places has it."""
    course = tmp_path / place
    page = course / lectures.FIRST
    page.parent.mkdir(parents=True)
    page.write_text("{}")
    places = (tmp_path / "installed", tmp_path / "checkout")
    monkeypatch.setattr(lectures, "PLACES", places)
    assert lectures.copy_course(tmp_path / "out") == (1, 0)


def test_what_cannot_be_copied_is_said(tmp_path, monkeypatch, capsys):
    taken = tmp_path / "file"
    taken.write_text("")
    assert main(["lectures", str(taken), "--no-open"]) == 2
    assert str(taken) in capsys.readouterr().err
    monkeypatch.setattr(lectures, "PLACES", (tmp_path, tmp_path))
    assert main(["lectures", str(tmp_path / "out"), "--no-open"]) == 2
    assert "get the repository instead" in capsys.readouterr().err

"""Progress: survives restarts, crashes and concurrent notebooks; never disturbs a check."""

import dataclasses
import errno
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from comp551ad.exercises import check, hint, progress
from comp551ad.exercises.catalogue import catalogue
from comp551ad.exercises.exercise import Exercise
from comp551ad.exercises.progress import next_step, note, number_of

# Imported by name, since `exercises.progress` is the function.
module = importlib.import_module("comp551ad.exercises.progress")


@pytest.fixture(autouse=True)
def path(tmp_path, monkeypatch):
    """This test's file, in a folder that stands for the notebook's."""
    folder, home = tmp_path / "notebooks", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("COMP551AD_PROGRESS")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return folder / ".comp551ad_progress.jsonl"


@pytest.fixture
def course(monkeypatch):
    """A course of three exercises, one with a title that isn't valid HTML."""
    made_up = [
        ("add", "01", "Addition"),
        ("mul", "02", "Multi<b>plication"),
        ("power", "02", "Powers"),
    ]
    exercises = {
        name: Exercise(name, lecture, title, witness=abs, cases=lambda rng: [(1,)])
        for name, lecture, title in made_up
    }
    monkeypatch.setattr(module, "catalogue", lambda: exercises)
    return exercises


def states():
    return {name: state for _, name, _, state in progress().rows}


# --- what is shown --------------------------------------------------------------------


def test_nothing_is_done_at_first_and_looking_writes_nothing(course, path):
    assert set(states().values()) == {"to do"}
    assert list(path.parent.iterdir()) == []


def test_progress_in_words(course):
    note("mul", passed=True)
    note("power", passed=False)
    note("power", shown=True)
    assert repr(progress("02")) == (
        "Lecture 02\n"
        "  ✓ mul    Multi<b>plication\n"
        "  ✗ power  Powers (a line shown)\n"
        "1 of 3 exercises passed in the whole course\n"
        "  01  ○\n"
        "  02  ✓✗\n"
        "✓ passed; ✗ attempted; ○ to do"
    )
    assert progress().lectures() == [("01", 0, 0, 1), ("02", 1, 1, 0)]
    assert "Lecture 02" not in repr(progress())


def test_the_core_is_counted_apart_and_marked(course):
    course["mul"] = dataclasses.replace(course["mul"], core=True)
    course["power"] = dataclasses.replace(course["power"], core=True)
    note("add", passed=True)
    note("mul", passed=True)
    text = repr(progress("02"))
    assert "✓ mul    Multi<b>plication ● core\n" in text
    assert "1 of 2 in the core, 2 of 3 exercises passed in the whole course" in text
    assert "2.2 · Powers ● core</a>" in progress("02")._repr_html_()


def test_the_core_of_the_course_has_something_of_each_lecture():
    core = [exercise for exercise in catalogue().values() if exercise.core]
    assert len(core) == 30
    assert {e.lecture for e in core} == {e.lecture for e in catalogue().values()}


def test_progress_as_bars_with_links(course, path):
    path.with_name("01_plus.ipynb").write_text("{}")
    note("mul", passed=True)
    page = progress("02")._repr_html_()
    assert "2.1 · Multi&lt;b&gt;plication</a> (passed)" in page
    assert 'href="#2.2-%C2%B7-Powers"' in page
    assert '<a href="01_plus.ipynb">01</a>' in page
    assert 'aria-label="1 passed, 0 attempted, 1 to do"' in page
    assert page.count(module.GREEN) == 1


def test_a_lecture_without_exercises_is_refused_with_those_there_are(course):
    with pytest.raises(ValueError, match=r"lecture is '2'; there .* for 01, 02; write"):
        progress("2")


def test_what_comes_next_is_the_following_one_that_is_not_done(course):
    assert number_of(course["power"]) == "2.2"
    note("power", passed=True)
    told, link = next_step(course["power"])
    assert told == "1 of 2 done in lecture 02; next: 2.1 · Multi<b>plication"
    assert link == "#2.1-%C2%B7-Multi%3Cb%3Eplication"
    note("mul", passed=True)
    assert next_step(course["mul"]) == ("2 of 2 done in lecture 02", "")


def test_a_pass_says_what_is_next_with_a_link():
    verdict = check(lambda p: np.diag(p) - np.outer(p, p), "softmax_jacobian")
    assert repr(verdict) == (
        "✓ softmax_jacobian: passed\n"
        "  1 of 4 done in lecture 02; next: 2.1 · A Jacobian of two by two"
    )
    assert 'next: <a href="#2.1-%C2%B7-A-Jacobian' in verdict._repr_html_()
    assert module.GREEN in verdict._repr_html_()


# --- what is saved --------------------------------------------------------------------


def test_what_was_passed_stays_passed(course):
    assert note("add", passed=False) is None
    assert states()["add"] == "attempted"
    assert note("add", passed=True) is None
    assert note("add", passed=False) is None
    assert states() == {"add": "passed", "mul": "to do", "power": "to do"}


def test_check_keeps_progress_but_not_of_a_stub(path):
    def stub(p):
        raise NotImplementedError()

    check(stub, "softmax_jacobian")
    assert not path.exists()
    check(lambda p: np.diag(p), "softmax_jacobian")
    assert states()["softmax_jacobian"] == "attempted"
    check(lambda p: np.diag(p) - np.outer(p, p), "softmax_jacobian")
    assert states()["softmax_jacobian"] == "passed"


def test_a_line_that_was_shown_is_counted():
    hint("softmax_jacobian", 2)
    assert "a line shown" not in repr(progress("02"))
    assert "np.outer" in hint("softmax_jacobian", 3)
    assert "a line shown" in repr(progress("02"))
    assert states()["softmax_jacobian"] == "to do"


def test_a_grader_keeps_no_progress(path, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    verdict = check(lambda p: np.diag(p) - np.outer(p, p), "softmax_jacobian")
    assert repr(verdict) == "✓ softmax_jacobian: passed"
    assert list(path.parent.iterdir()) == []


def test_another_place_can_be_named(course, path, monkeypatch):
    elsewhere = path.parent.parent / "elsewhere.jsonl"
    monkeypatch.setenv("COMP551AD_PROGRESS", str(elsewhere))
    note("add", passed=True)
    assert elsewhere.exists() and not path.exists()
    assert states()["add"] == "passed"
    monkeypatch.setenv("COMP551AD_PROGRESS", "~/mine.jsonl")
    note("mul", passed=True)
    assert (path.parent.parent / "home" / "mine.jsonl").exists()


DAMAGED = {
    "cut off": '{"exercise": "mul", "pas',
    "somebody else's": '[1, 2]\n{"name": "mul"}\n{"exercise": 3}',
    "brackets without end": "[" * 100_000,
    "a byte order mark": "\ufeff",
    "an exercise that is gone": '{"exercise": "gone", "passed": true}',
    "the file of an earlier edition": '{\n "exercises": {\n }\n}',
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_costs_that_line_alone(course, path, damage):
    note("add", passed=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(damage)
    note("power", passed=True)
    assert states() == {"add": "passed", "mul": "to do", "power": "passed"}


def test_notebooks_that_write_at_once_lose_nothing(path):
    script = (
        "import sys; from comp551ad.exercises.progress import note\n"
        "for k in range(50): note(f'{sys.argv[1]}{k}', passed=True)"
    )
    root = str(Path(__file__).parent.parent)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, name], env={**os.environ, "PYTHONPATH": root}
        )
        for name in "ab"
    ]
    assert [process.wait() for process in running] == [0, 0]
    lines = filter(None, path.read_text().splitlines())
    assert len({json.loads(line)["exercise"] for line in lines}) == 100


# --- where it can't be saved ----------------------------------------------------------


def test_a_course_folder_that_cannot_be_written_is_no_matter(course, path, monkeypatch):
    def guarded(name, *args, **kwargs):
        if Path(name) == Path(module.FILE):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(name, *args, **kwargs)

    real = open
    monkeypatch.setattr("builtins.open", guarded)
    assert note("add", passed=True) is None
    assert (path.parent.parent / "home" / module.FILE).exists()
    assert states()["add"] == "passed"


def test_where_nothing_can_be_written_the_verdict_says_so(path, monkeypatch):
    monkeypatch.setenv("COMP551AD_PROGRESS", str(path.parent / "gone" / "p.jsonl"))
    verdict = check(lambda p: np.diag(p) - np.outer(p, p), "softmax_jacobian")
    assert verdict.passed
    assert "p.jsonl: No such file or directory" in verdict.says[-1]
    monkeypatch.setenv("COMP551AD_PROGRESS", str(path.parent))
    assert (
        "Your progress could not be saved" in check(lambda p: p, "pull_back").says[-1]
    )

"""Progress: kept through restarts, crashes and two notebooks; never in a check's way."""

import errno
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from comp551ad.exercises import check, progress
from comp551ad.exercises.catalogue import catalogue
from comp551ad.exercises.exercise import Exercise
from comp551ad.exercises.progress import note

ROOT = Path(__file__).parent.parent
# By its name, since `exercises.progress` is the function.
module = importlib.import_module("comp551ad.exercises.progress")


@pytest.fixture(autouse=True)
def path(tmp_path, monkeypatch):
    """A file of this test's own; the folder is what the notebook's would be."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("COMP551AD_PROGRESS")
    return folder / ".comp551ad_progress.json"


@pytest.fixture
def course(monkeypatch):
    """A course of three exercises, one of them with a title that is no HTML."""
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


def kept(path):
    return json.loads(path.read_text(encoding="utf-8"))["exercises"]


def states():
    return {name: state for _, name, _, state in progress().rows}


# --- what is shown --------------------------------------------------------------------


def test_nothing_is_done_at_first_and_looking_writes_nothing(course, path):
    assert set(states().values()) == {"to do"}
    assert list(path.parent.iterdir()) == []


def test_progress_in_words(course):
    note("mul", "02", True)
    note("power", "02", False)
    assert repr(progress("02")) == (
        "Lecture 02\n"
        "  ✓ mul    Multi<b>plication\n"
        "  ✗ power  Powers\n"
        "1 of 3 exercises passed in the whole course\n"
        "  01  ○\n"
        "  02  ✓✗\n"
        "✓ passed; ✗ attempted; ○ to do"
    )
    assert progress().lectures() == [("01", 0, 0, 1), ("02", 1, 1, 0)]
    assert "Lecture 02" not in repr(progress())


def test_titles_and_warnings_are_text_not_html(course, path, monkeypatch):
    assert "Multi&lt;b&gt;plication" in progress("02")._repr_html_()
    odd = path.with_name("<i>.json")
    odd.write_text("{", encoding="utf-8")
    monkeypatch.setenv("COMP551AD_PROGRESS", str(odd))
    page = progress()._repr_html_()
    assert "&lt;i&gt;.json was damaged" in page and "<i>" not in page


def test_a_lecture_without_exercises_is_refused_with_those_there_are(course):
    with pytest.raises(ValueError, match=r"lecture is '2'; there .* for 01, 02; write"):
        progress("2")


def test_the_real_course_can_be_shown():
    assert [row[1] for row in progress().rows] == list(catalogue())
    for lecture in {exercise.lecture for exercise in catalogue().values()}:
        assert repr(progress(lecture)).startswith(f"Lecture {lecture}\n")


# --- what is kept ---------------------------------------------------------------------


def test_what_was_passed_stays_passed(course, path):
    assert note("add", "01", False) is None
    assert states()["add"] == "attempted"
    assert note("add", "01", True) is None
    assert note("add", "01", False) is None
    assert states() == {"add": "passed", "mul": "to do", "power": "to do"}


def test_check_keeps_progress_but_not_of_a_stub(path):
    def stub(p):
        raise NotImplementedError()

    check(stub, "softmax_jacobian")
    assert not path.exists()
    check(lambda p: np.diag(p), "softmax_jacobian")
    assert kept(path) == {"softmax_jacobian": {"lecture": "02", "passed": False}}
    check(lambda p: np.diag(p) - np.outer(p, p), "softmax_jacobian")
    assert kept(path) == {"softmax_jacobian": {"lecture": "02", "passed": True}}


def test_a_grader_keeps_no_progress(path, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert check(lambda p: np.diag(p) - np.outer(p, p), "softmax_jacobian").passed
    assert list(path.parent.iterdir()) == []


def test_another_place_can_be_named(course, path, monkeypatch):
    elsewhere = path.with_name("mine.json")
    monkeypatch.setenv("COMP551AD_PROGRESS", str(elsewhere))
    note("add", "01", True)
    assert kept(elsewhere) == {"add": {"lecture": "01", "passed": True}}
    assert not path.exists()


def test_a_place_at_home_can_be_named(course, path, monkeypatch):
    monkeypatch.setenv("HOME", str(path.parent))
    monkeypatch.setenv("USERPROFILE", str(path.parent))
    monkeypatch.setenv("COMP551AD_PROGRESS", "~/mine.json")
    assert note("add", "01", True) is None
    assert kept(path.with_name("mine.json")).keys() == {"add"}


def test_a_link_stays_one_and_what_it_leads_to_is_written(course, path):
    shared = path.parent.parent / "shared.json"
    path.symlink_to(shared)
    assert note("add", "01", True) is None
    assert note("mul", "02", True) is None
    assert path.is_symlink() and kept(shared).keys() == {"add", "mul"}
    shared.write_text("{", encoding="utf-8")
    assert "was damaged" in note("add", "01", True)
    assert path.is_symlink() and len(list(shared.parent.glob("*.damaged-*"))) == 1


def test_a_file_with_a_byte_order_mark_is_not_damaged(course, path):
    note("add", "01", True)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert states()["add"] == "passed"
    assert note("mul", "02", True) is None
    assert kept(path).keys() == {"add", "mul"}


def test_it_can_be_deleted(course, path):
    note("add", "01", True)
    for left in path.parent.iterdir():
        left.unlink()
    assert set(states().values()) == {"to do"}
    assert note("mul", "02", True) is None
    assert states() == {"add": "to do", "mul": "passed", "power": "to do"}


def test_exercises_that_this_course_does_not_know_are_kept_all_the_same(course, path):
    note("from_a_newer_course", "09", True)
    note("add", "01", True)
    assert set(kept(path)) == {"from_a_newer_course", "add"}
    assert "1 of 3" in repr(progress())


# --- crashes and damage ---------------------------------------------------------------


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_file_whole(course, path, call):
    """The process is ended by force in the middle of writing, then at the other steps."""
    note("add", "01", True)
    before = path.read_bytes()
    crash = {
        "write": """
def dumps(*arguments, **options):
    with open(new, "wb") as file:
        file.write(b'{"exercises": {"ad')
    os._exit(9)
new = f"{progress.where()}.{os.getpid()}.new"
progress.json.dumps = dumps""",
        "fsync": "os.fsync = lambda file: os._exit(9)",
        "replace": "os.replace = lambda *paths: os._exit(9)",
    }[call]
    program = (
        "import os, sys\nfrom comp551ad.exercises.progress import note\n"
        f"progress = sys.modules[note.__module__]\n{crash}\nnote('mul', '02', True)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=path.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert ended.returncode == 9
    assert path.read_bytes() == before
    assert note("mul", "02", True) is None  # the dead process holds no lock
    assert states() == {"add": "passed", "mul": "passed", "power": "to do"}


DAMAGED = {
    "cut off": b'{"exercises": {"add": {"lect',
    "empty": b"",
    "zeros": bytes(512),
    "not UTF-8": b'{"exercises": {"\xff": 1}}',
    "a list": b"[1, 2]",
    "no exercises": b'{"exercises": 3}',
    "an odd entry": b'{"exercises": {"add": 7}}',
    "without an end": b"[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("meet", ["note", "progress"])
def test_a_damaged_file_is_put_aside_with_a_warning(course, path, damage, meet):
    path.write_bytes(damage)
    if meet == "note":
        warning = note("add", "01", True)
        assert states()["add"] == "passed"
    else:
        warning = progress().warning
        assert progress().warning is None
    (aside,) = path.parent.glob("*.damaged-*")
    assert aside.read_bytes() == damage
    assert warning.startswith(f"{path.name} was damaged and is now {aside.name}.")
    assert "run their checks again" in warning


def test_two_damaged_files_in_one_second_are_both_kept(course, path, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda form: "20260101-120000")
    for damage in (b"1", b"2", b"3"):
        path.write_bytes(damage)
        warning = note("add", "01", True)
    aside = sorted(path.parent.glob("*.damaged-*"))
    assert [one.read_bytes() for one in aside] == [b"1", b"2", b"3"]
    assert f"is now {aside[-1].name}." in warning


def test_the_warning_is_part_of_the_verdict_and_of_what_progress_shows(path):
    path.write_text("{", encoding="utf-8")
    verdict = check(lambda p: np.diag(p) - np.outer(p, p), "softmax_jacobian")
    assert verdict.passed
    assert "was damaged" in repr(verdict)
    path.write_text("{", encoding="utf-8")
    assert "was damaged" in repr(progress())


# --- where nothing can be kept --------------------------------------------------------


def right_answer_is_told_and_that(because):
    """A check gives its verdict, and says why the progress is lost."""
    verdict = check(lambda p: np.diag(p) - np.outer(p, p), "softmax_jacobian")
    assert verdict.passed
    (warning,) = verdict.says
    assert warning.startswith("Your progress could not be kept in ")
    assert because in warning


def test_a_full_disk_while_the_file_is_written(path, monkeypatch):
    note("polar_jacobian", "02", True)
    before = path.read_bytes()

    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.os, "fsync", full)
    right_answer_is_told_and_that("No space left on device")
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.new"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has this full device")
def test_a_disk_that_is_really_full(path, monkeypatch):
    """The new file is a link to a device on which every write finds no room."""
    full = path.with_name(f"{path.name}.{os.getpid()}.new")
    full.symlink_to("/dev/full")
    right_answer_is_told_and_that("No space left on device")
    assert not path.exists() and not full.is_symlink()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="folders have no modes here")
def test_a_read_only_folder(path):
    """As a user whom modes hold back, if the tests are run by an administrator."""
    check(np.diag, "softmax_jacobian")  # imports what it needs
    for left in path.parent.iterdir():
        left.unlink()
    me = os.geteuid()
    path.parent.chmod(0o555)
    os.seteuid(me or 65534)
    try:
        right_answer_is_told_and_that("Permission denied")
        assert progress().warning is None
    finally:
        os.seteuid(me)
        path.parent.chmod(0o755)
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_is_not_there(path, monkeypatch):
    monkeypatch.setenv("COMP551AD_PROGRESS", str(path.parent / "gone" / "p.json"))
    right_answer_is_told_and_that("No such file or directory")
    assert not (path.parent / "gone").exists()


def test_something_else_of_that_name(path):
    path.mkdir()
    right_answer_is_told_and_that("that is a folder; name a file in it")
    assert "can't be read: Is a directory" in repr(progress())
    assert path.is_dir()


@pytest.mark.parametrize("folder", [".", "..", "/"])
def test_a_folder_that_is_named_instead_of_a_file(path, monkeypatch, folder):
    monkeypatch.setenv("COMP551AD_PROGRESS", folder)
    right_answer_is_told_and_that("that is a folder; name a file in it")
    assert "can't be read" in repr(progress())
    assert list(path.parent.iterdir()) == []


# --- two notebooks --------------------------------------------------------------------


def test_notebooks_that_write_at_once_lose_nothing(path):
    """Four processes note twenty exercises each, all at the same time."""
    program = (
        "import sys; from comp551ad.exercises.progress import note\n"
        "sys.stdin.readline()\n"
        "told = [note(f'{sys.argv[1]}{k}', '01', True) for k in range(20)]\n"
        "assert told == [None] * 20, told"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, name],
            cwd=path.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
        )
        for name in "abcd"
    ]
    for writer in writers:
        writer.stdin.write(b"go\n")
        writer.stdin.close()
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0, 0]
    assert len(kept(path)) == 80


def test_a_notebook_that_never_lets_go_is_not_waited_for(course, path, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    with module._alone(path):
        warning = note("add", "01", True)
    assert "another notebook holds it" in warning
    assert note("add", "01", True) is None


def test_a_file_system_without_locks_will_do(course, path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def no_locks(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert note("add", "01", True) is None
    assert states()["add"] == "passed"

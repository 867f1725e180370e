"""Grading a folder of submissions: a small class, half of whose work is broken."""

import csv
import json
import os
import threading
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest

from comp551ad.__main__ import main
from comp551ad.exercises.grading import Cell, Unreadable, assemble, grade, read_cells
from comp551ad.exercises.running import Limits, Result, Step, run

ROOT = Path(__file__).parent.parent
NAME = "02_derivatives_and_the_chain_rule.ipynb"
EXERCISES = ["polar_jacobian", "pull_back", "sum_over_paths", "softmax_jacobian"]
RIGHT = {
    "polar_jacobian": """
def polar_jacobian(r, phi):
    c, s = np.cos(phi), np.sin(phi)
    return np.array([[c, -r * s], [s, r * c]])
""",
    "pull_back": """
def pull_back(J, g):
    return g @ J
""",
    "sum_over_paths": """
def sum_over_paths():
    u, v = "v * cos(x)", "2 * u * v"
    return {"through u": u, "through v": v, "all": f"{u} + {v}"}
""",
    "softmax_jacobian": """
def softmax_jacobian(p):
    return np.diag(p) - np.outer(p, p)
""",
}


# --- a class --------------------------------------------------------------------------


def cell_of(notebook, grade_id):
    cells = notebook.cells
    return next(
        c for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )


def notebook(**answers):
    """Our exercise notebook with these answers in it; the right ones where none is given."""
    made = nbformat.read(ROOT / "exercises" / NAME, as_version=4)
    for name in EXERCISES:
        cell_of(made, name).source = answers.get(name, RIGHT[name])
    return made


def hand_in(submissions, student, made, name=NAME):
    path = submissions / student / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = made if isinstance(made, str) else nbformat.writes(made)
    path.write_text(text, encoding="utf-8")


def without_checks():
    """A check is deleted, another asks nothing, and `check` itself says yes to all."""
    made = notebook(pull_back="def pull_back(J, g):\n    return J @ g\ncheck = print")
    made.cells.remove(cell_of(made, "polar_jacobian-check"))
    cell_of(made, "pull_back-check").source = "True"
    return made


def with_cells_of_their_own():
    """A helper and an import in further cells, and the answers' cells twice and mixed."""
    made = notebook(pull_back="def pull_back(J, g):\n    return turned(J) @ g")
    helper = nbformat.v4.new_code_cell("turned = lambda J: J.T\nimport math")
    made.cells.insert(made.cells.index(cell_of(made, "pull_back")) - 1, helper)
    first_try = deepcopy(cell_of(made, "softmax_jacobian"))
    first_try.id = "first-try"
    first_try.source = "def softmax_jacobian(p):\n    return None"
    made.cells.insert(3, first_try)
    return made


def untouched():
    return nbformat.read(ROOT / "exercises" / NAME, as_version=4)


CLASS = {
    "all_right": notebook,
    "checks_gone": without_checks,
    "own_cells": with_cells_of_their_own,
    "untouched": untouched,
    "wrong": lambda: notebook(
        polar_jacobian="def polar_jacobian(r, phi):\n    return 1 / 0",
        pull_back="def pull_back(J, g):\n    return J @ g",
        softmax_jacobian="softmax_jacobian = 3",
    ),
    "import_fails": lambda: notebook(pull_back=f"import no_such{RIGHT['pull_back']}"),
    "not_json": lambda: nbformat.writes(notebook())[:-20],
    "prints_50_MB": lambda: notebook(
        pull_back=f"{RIGHT['pull_back']}\nfor _ in range(500):\n    print('x' * 100_000)"
    ),
    "exits": lambda: notebook(pull_back="import sys\nsys.exit()"),
    "dies": lambda: notebook(
        pull_back="import os\ndef pull_back(J, g):\n    os._exit(1)",
    ),
    "eats_memory": lambda: notebook(
        pull_back="def pull_back(J, g):\n    return bytearray(3 * 10**9)"
    ),
    "loops": lambda: notebook(pull_back="def pull_back(J, g):\n    while True: pass"),
    "loops_on": lambda: notebook(
        pull_back="while True:\n    try:\n        1 + 1\n    except BaseException:\n        2"
    ),
}
# Points in the notebook's order, and the problems in words (after the notebook's name).
EXPECTED = {
    "all_right": ("1111", ""),
    "checks_gone": ("1011", ""),
    "own_cells": ("1111", ""),
    "untouched": ("0000", ""),
    "wrong": ("0010", ""),
    "import_fails": (
        "1011",
        ": cell pull_back raised ModuleNotFoundError: No module named 'no_such'",
    ),
    "not_json": ("0000", " is not JSON"),
    "prints_50_MB": ("1111", ""),
    "exits": ("1011", ": cell pull_back raised SystemExit:"),
    "dies": ("1011", ": cell pull_back ended its process (exit code 1)"),
    "eats_memory": ("1011", ""),
    "loops": ("1011", ": cell pull_back ran longer than 3 s"),
    "loops_on": ("1011", ": cell pull_back ran longer than 3 s"),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The class's two tables, as the command writes them, by student."""
    folder = tmp_path_factory.mktemp("class")
    submissions = folder / "handed in"
    for student, made in CLASS.items():
        hand_in(submissions, student, made())
    (submissions / "empty").mkdir()
    (submissions / ".hidden").mkdir()
    limits = ["--timeout", "3", "--memory", "2048", "--jobs", "2"]
    tables = ["--csv", str(folder / "g.csv"), "--details", str(folder / "d.csv")]
    ours = ["--exercises", str(ROOT / "exercises"), "--lectures", "02"]
    assert main(["grade", str(submissions), *tables, *limits, *ours]) == 0
    with open(folder / "g.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with open(folder / "d.csv", encoding="utf-8", newline="") as file:
        details = list(csv.DictReader(file))
    return {row["student"]: row for row in rows}, details


def test_every_student_has_a_row(graded):
    rows, details = graded
    assert list(rows) == sorted([*CLASS, "empty"])
    assert list(rows["wrong"]) == [
        "student",
        *(f"02 {name}" for name in EXERCISES),
        *("total", "out of", "problems"),
    ]
    assert len(details) == len(rows) * 4


@pytest.mark.parametrize("student", CLASS)
def test_points_and_problems(graded, student):
    row = graded[0][student]
    points, problem = EXPECTED[student]
    assert "".join(row[f"02 {name}"] for name in EXERCISES) == points
    assert (row["total"], row["out of"]) == (str(points.count("1")), "4")
    assert row["problems"] == (problem and NAME + problem)


def test_an_empty_folder_has_no_points_and_says_why(graded):
    row = graded[0]["empty"]
    assert [row[f"02 {name}"] for name in EXERCISES] == ["", "", "", ""]
    assert (row["total"], row["problems"]) == ("0", "nothing handed in")


@pytest.mark.parametrize(
    "student, exercise, status, found",
    [
        ("all_right", "pull_back", "passed", ""),
        ("checks_gone", "pull_back", "not yet", "the transpose is missing"),
        ("untouched", "pull_back", "not attempted", ""),
        ("wrong", "polar_jacobian", "not yet", "it raises ZeroDivisionError"),
        ("wrong", "pull_back", "not yet", "the transpose is missing"),
        ("wrong", "softmax_jacobian", "missing", "not a function"),
        ("import_fails", "pull_back", "missing", "nothing of that name"),
        ("not_json", "pull_back", "missing", ""),
        ("dies", "pull_back", "stopped", "ended its process (exit code 1)"),
        ("eats_memory", "pull_back", "not yet", "it raises MemoryError"),
        ("loops", "pull_back", "stopped", "ran longer than 3 s"),
        ("loops_on", "pull_back", "missing", "nothing of that name"),
        ("empty", "pull_back", "not handed in", ""),
    ],
)
def test_details_name_the_mistake(graded, student, exercise, status, found):
    wanted = {"student": student, "lecture": "02", "exercise": exercise}
    assert {**wanted, "status": status, "found": found} in graded[1]


# --- which cells are run --------------------------------------------------------------


def code(source, grade_id=None, is_answer=False, is_check=False):
    return Cell(source, True, grade_id, is_answer, is_check)


def text(source):
    return Cell(source, False, None, False, False)


OURS = [
    text("# Title"),
    code("import numpy"),
    code("stub", "a", is_answer=True),
    code("check(a)", "a-check", is_check=True),
    code("progress()"),
]
SETUP, A, LAST = (
    Step("2 of ours", "import numpy"),
    Step("a"),
    Step("5 of ours", "progress()"),
)


@pytest.mark.parametrize(
    "theirs, steps",
    [
        (OURS, [SETUP, Step("a", "stub"), A, LAST]),
        ([], [SETUP, A, LAST]),
        ([code("mine", "a", is_answer=True)], [SETUP, Step("a", "mine"), A, LAST]),
        ([code("mine", "a", is_check=True)], [SETUP, Step("a", "mine"), A, LAST]),
        (
            [code("ok", "a-check", is_answer=True)],
            [SETUP, Step("a-check", "ok"), A, LAST],
        ),
        (
            [text("# Title"), code("import numpy\nimport os"), *OURS[2:]],
            [SETUP, Step("2", "import numpy\nimport os"), Step("a", "stub"), A, LAST],
        ),
        (
            [*OURS[:2], code("def a(): 1"), OURS[3]],
            [SETUP, Step("3", "def a(): 1"), A, LAST],
        ),
        (
            [OURS[2], code("help"), code("more", "unknown", is_answer=True)],
            [SETUP, Step("a", "stub"), LAST, Step("2", "help"), Step("3", "more"), A],
        ),
        (
            [OURS[1], OURS[3], OURS[2], OURS[4]],
            [SETUP, Step("a", "stub"), A, LAST],
        ),
        (
            [OURS[2], OURS[3], OURS[4], OURS[1]],
            [SETUP, Step("a", "stub"), A, LAST, SETUP],
        ),
        (
            [*OURS[:3], OURS[1], code("help"), *OURS[3:]],
            [SETUP, Step("a", "stub"), SETUP, Step("5", "help"), A, LAST],
        ),
        (
            [OURS[1], code("def a(): 1"), code("check(a)")],
            [SETUP, Step("2", "def a(): 1"), A, LAST],
        ),
    ],
    ids=[
        "untouched",
        "nothing",
        "an answer alone",
        "an answer with the metadata of a check",
        "a check with the metadata of an answer",
        "a changed import",
        "an answer without metadata",
        "cells of their own",
        "an answer below its check",
        "an import at the end",
        "an import copied further down",
        "an answer and a check without metadata",
    ],
)
def test_our_checks_among_their_cells(theirs, steps):
    assert assemble(OURS, theirs) == steps


def mended_where_it_was_given():
    """Ours has a bug; the student's answer calls what it mended in the given cell."""
    ours, theirs = notebook(), notebook(pull_back="pull_back = given")
    for made, body in ((ours, "J @ g"), (theirs, "J.T @ g")):
        given = nbformat.v4.new_code_cell(f"def given(J, g):\n    return {body}")
        made.cells.insert(made.cells.index(cell_of(made, "pull_back")) - 1, given)
    return ours, theirs


def imports_copied_further_down():
    """A copy of the imports, and a cell after it that calls an earlier answer."""
    made = notebook()
    at = made.cells.index(cell_of(made, "pull_back"))
    copy = nbformat.v4.new_code_cell(made.cells[1].source)
    more = nbformat.v4.new_code_cell("polar_jacobian(1.0, 1.0)")
    made.cells[at:at] = [copy, more]
    return notebook(), made


def answer_in_the_checks_cell():
    made = notebook()
    check_cell = cell_of(made, "pull_back-check")
    check_cell.source = f"{RIGHT['pull_back']}\n{check_cell.source}"
    made.cells.remove(cell_of(made, "pull_back"))
    return notebook(), made


def nothing_said_by_nbgrader():
    made = notebook()
    made.cells[0].metadata["nbgrader"] = None
    return notebook(), made


@pytest.mark.parametrize(
    "pair",
    [
        *(mended_where_it_was_given, imports_copied_further_down),
        *(answer_in_the_checks_cell, nothing_said_by_nbgrader),
    ],
)
def test_what_passes_in_the_notebook_passes_here(tmp_path, pair):
    ours, theirs = pair()
    hand_in(tmp_path, "ours", ours)
    hand_in(tmp_path, "all/ann", theirs)
    (graded,) = grade(tmp_path / "all", tmp_path / "ours")
    assert graded.problems == []
    assert {r.status for r in graded.results.values()} == {"passed"}


# --- files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "not a notebook of format 4"),
        (b'{"worksheets": []}', "not a notebook of format 4"),
        (b'{"cells": [1]}', "has a cell that is no cell"),
        (b'{"cells": [{"cell_type": "code"}]}', "has a cell that is no cell"),
        (b'{"cells": [{"cell_type": "code", "source": 3}]}', "has a cell"),
        (
            b'{"cells": [{"cell_type": "code", "source": "", "metadata": 3}]}',
            "has a cell",
        ),
    ],
)
def test_what_is_no_notebook_is_told(tmp_path, content, words):
    path = tmp_path / "x.ipynb"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=words):
        read_cells(path)
    with pytest.raises(Unreadable, match="can't be read: No such file"):
        read_cells(tmp_path / "y.ipynb")
    with pytest.raises(Unreadable, match="is not a file"):
        read_cells(tmp_path)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "x.ipynb"
    with open(path, "wb") as file:
        file.truncate(500_000_001)  # takes no room on most disks
    with pytest.raises(Unreadable, match="is larger than 500 MB"):
        read_cells(path)


def test_source_may_be_one_text_or_lines(tmp_path):
    path = tmp_path / "x.ipynb"
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}}
        for source in ("a\nb", ["a\n", "b"])
    ]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    one, other = read_cells(path)
    assert one == other == code("a\nb")


def test_a_file_is_found_by_its_number_and_doubt_is_told(tmp_path):
    nobody = untouched()
    hand_in(tmp_path, "ann", nobody, "handed in/02_derivatives (1).ipynb")
    hand_in(tmp_path, "ben", nobody, "deeper/" + NAME)
    hand_in(tmp_path, "ben", nobody, "02_old.ipynb")
    hand_in(tmp_path, "ben", nobody, ".ipynb_checkpoints/" + NAME)
    hand_in(tmp_path, "cleo", nobody, "homework.ipynb")
    found = {g.student: g for g in grade(tmp_path, ROOT / "exercises", lectures=["02"])}
    assert found["ann"].problems == []
    assert found["ann"].results["pull_back"] == Result("pull_back", "not attempted")
    assert found["ben"].problems == [
        f"{NAME}: 2 files begin like it, deeper/{NAME} was taken"
    ]
    assert found["cleo"].problems == [
        "nothing handed in",
        "homework.ipynb is not graded: no exercise begins like its name",
    ]
    assert found["cleo"].results["pull_back"].status == "not handed in"


def test_a_notebook_for_no_exercise_is_told_but_not_one_not_asked_for(tmp_path):
    for name in (NAME, "deeper/Copy of 04_x.ipynb", "03_x.ipynb", "77_x.ipynb"):
        hand_in(tmp_path, "ann", untouched(), name)
    (graded,) = grade(tmp_path, ROOT / "exercises", lectures=["02"])
    why = "is not graded: no exercise begins like its name"
    assert graded.problems == [f"77_x.ipynb {why}", f"deeper/Copy of 04_x.ipynb {why}"]


def test_a_folder_named_like_a_notebook_is_looked_into(tmp_path):
    hand_in(tmp_path, "ann", untouched(), f"{NAME}/{NAME}")
    (graded,) = grade(tmp_path, ROOT / "exercises", lectures=["02"])
    assert graded.problems == []
    assert graded.results["pull_back"].status == "not attempted"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_what_is_no_file_is_told_and_not_waited_for(tmp_path):
    hand_in(tmp_path, "ann", untouched())
    os.mkfifo(tmp_path / "ann" / "02_pipe.ipynb")
    (tmp_path / "ann" / "03_device.ipynb").symlink_to("/dev/zero")
    (tmp_path / "ann" / "04_loop.ipynb").symlink_to("04_loop.ipynb")
    (graded,) = grade(tmp_path, ROOT / "exercises", lectures=["02"])
    assert graded.problems == [
        "02_pipe.ipynb is not a file",
        "03_device.ipynb is not a file",
        "04_loop.ipynb is not a file",
    ]
    with pytest.raises(Unreadable, match="is not a file"):
        read_cells(tmp_path / "ann" / "02_pipe.ipynb")


# --- the rest of the fence ------------------------------------------------------------


def test_a_run_that_is_stopped_ends_at_once():
    stop = threading.Event()
    stop.set()
    assert run([Step("1", "while True: pass")], Limits(), stop) == ({}, [])


def test_files_and_progress_stay_in_a_folder_that_goes_away(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMP551AD_PROGRESS", str(tmp_path / "progress.json"))
    wrong = "def pull_back(J, g):\n    return J @ g\n"
    steps = [
        Step("1", "from comp551ad.exercises import check\nimport numpy as np"),
        Step("2", f"{wrong}open('left.txt', 'w').write('x')\ncheck(pull_back)"),
        Step("pull_back"),
    ]
    results, problems = run(steps, Limits(20), threading.Event())
    assert results["pull_back"].found == "the transpose is missing" and problems == []
    assert list(tmp_path.iterdir()) == []


def test_a_command_without_anything_to_grade_says_so(tmp_path, capsys):
    def graded(submissions, *more):
        table = tmp_path / "g.csv"
        assert main(["grade", str(submissions), "--csv", str(table), *more]) == 1
        assert not table.exists()
        return capsys.readouterr().err

    ours = ["--exercises", str(ROOT / "exercises")]
    assert "holds no folders; each student's should be one" in graded(tmp_path, *ours)
    assert "is not a folder" in graded(tmp_path / "gone", *ours)
    (tmp_path / "ann").mkdir()
    assert "holds no exercises for 77" in graded(tmp_path, *ours, "--lectures", "77")
    empty = ["--exercises", str(tmp_path)]
    told = graded(tmp_path, *empty)
    assert "holds no exercises for any lecture: name the folder" in told
    assert "with --exercises" in told
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "04_x.ipynb").write_text("{")
    told = graded(tmp_path, "--exercises", str(tmp_path / "ours"))
    assert told == f"{tmp_path / 'ours' / '04_x.ipynb'} is not JSON\n"
    nowhere = ["--details", str(tmp_path / "gone" / "d.csv")]
    assert "d.csv can't be written" in graded(tmp_path, *ours, *nowhere)
    twice = ["--details", str(tmp_path / "ann" / ".." / "g.csv")]
    assert "g.csv: name two files" in graded(tmp_path, *ours, *twice)


def test_a_limit_that_is_none_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["grade", str(tmp_path), "--csv", str(tmp_path / "g.csv"), "--jobs", "0"])
    assert "--jobs: got '0', expected a number above 0" in capsys.readouterr().err


# --- the tables -----------------------------------------------------------------------


@pytest.fixture
def submitted(tmp_path):
    """A student who handed in, and the command for the folder; what it printed."""
    hand_in(tmp_path / "all", "ann", untouched())
    hand_in(tmp_path / "ours", ".", untouched())

    def command(**tables):
        options = [f"--{name}={path}" for name, path in tables.items()]
        ours = ["--exercises", str(tmp_path / "ours")]
        return main(["grade", str(tmp_path / "all"), *ours, *options])

    return command


def test_what_is_nobodys_folder_is_told(submitted, tmp_path, capsys):
    hand_in(tmp_path / "all", "_quiet", untouched())
    hand_in(tmp_path / "all", ".", untouched(), "02_loose.ipynb")
    (tmp_path / "all" / "grades.csv").touch()
    assert submitted(csv=tmp_path / "g.csv") == 0
    told = "not graded, as each student's folder should be one without _"
    assert f"{told}: 02_loose.ipynb, _quiet\n" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["csv", "details"])
@pytest.mark.parametrize("how", ["by name", "a new one", "a link", "ours"])
def test_no_table_takes_a_notebooks_place(submitted, tmp_path, capsys, option, how):
    path = tmp_path / ("ours" if how == "ours" else "all/ann") / NAME
    before = path.read_bytes()
    table = tmp_path / "link.csv"
    if how in ("a link", "ours"):
        os.link(path, table)
    else:
        table = path if how == "by name" else path.with_name("x.ipynb")
    assert submitted(**{"csv": tmp_path / "g.csv", option: table}) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"--{option}: {table} is a notebook") and "name" in told
    assert path.read_bytes() == before
    assert not (tmp_path / "g.csv").exists()


def test_two_names_of_one_file_are_no_two_tables(submitted, tmp_path, capsys):
    grades, details = tmp_path / "g.csv", tmp_path / "d.csv"
    grades.write_text("old")
    os.link(grades, details)
    assert submitted(csv=grades, details=details) == 1
    assert "name two files" in capsys.readouterr().err
    assert grades.read_text() == "old"


UNWRITABLE = [
    (path, why)
    for path, why in (("/dev/full", "No space left on device"), ("/proc/x.csv", ""))
    if os.path.exists(os.path.dirname(path)) and (why == "" or os.path.exists(path))
]


@pytest.mark.parametrize("broken, why", UNWRITABLE)
def test_a_table_that_cant_be_written_leaves_the_other(
    submitted, tmp_path, capsys, broken, why
):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("old")
    for tables, option in (
        ({"csv": broken, "details": old}, "--csv"),
        ({"csv": old, "details": broken}, "--details"),
        ({"csv": new, "details": broken}, "--details"),
    ):
        assert submitted(**tables) == 1
        told = capsys.readouterr().err
        assert told.startswith(f"{option}: {broken} can't be written ({why}")
        assert told.endswith("): name another file\n") and told.count("\n") == 1
        assert old.read_text() == "old" and not new.exists()


def test_an_old_table_is_written_anew(submitted, tmp_path):
    old = tmp_path / "old.csv"
    old.write_text("old\n" * 100)
    assert submitted(csv=old) == 0
    rows = list(csv.reader(old.read_text(encoding="utf-8").splitlines()))
    assert [row[0] for row in rows] == ["student", "ann"]

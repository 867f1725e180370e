"""The students' notebooks: generated from the solutions, uniform, and working as they are.

Untouched notebooks run, and say "not attempted" for each exercise, in the grader's process:
IPython, an empty folder, a time limit.
"""

import ast
import json
import re
from copy import deepcopy
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from comp551ad.__main__ import main
from comp551ad.exercises import check
from comp551ad.exercises.catalogue import catalogue
from comp551ad.exercises.grade import marking
from comp551ad.exercises.grade.assembling import assemble, read_cells
from comp551ad.exercises.grade.sandbox import Limits
from comp551ad.exercises.notebooks import (
    NotebookFault,
    cleared,
    exercises_from,
    is_answer,
    is_check,
    marks,
)
from comp551ad.exercises.progress import number_of

ROOT = Path(__file__).parent.parent
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
NAMES = [path.name for path in SOLUTIONS]


def solution(name):
    return nbformat.read(ROOT / "solutions" / name, as_version=4)


# --- what is committed ----------------------------------------------------------------


def test_the_exercises_are_what_the_solutions_make():
    due = exercises_from(ROOT / "solutions")
    committed = (ROOT / "exercises").glob("*.ipynb")
    there = {path.name: path.read_text(encoding="utf-8") for path in committed}
    differing = {name for name in due | there if due.get(name) != there.get(name)}
    assert not differing, "run: python -m comp551ad exercises"


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_its_lectures_and_has_a_head_and_an_end(name):
    assert (ROOT / "lectures" / name).is_file()
    first, second, *_, last = solution(name).cells
    assert first.source.startswith(f"# {name[:2]} · Exercises: ")
    assert "from comp551ad.exercises import" in second.source
    assert last.source == f'progress("{name[:2]}")'
    # Its output depends on the other notebooks: `tests/refresh.py` marks it.
    assert last.metadata.get("tags") == ["nbval-ignore-output"]
    core = [e for e in catalogue().values() if e.lecture == name[:2] and e.core]
    (head,) = re.findall("^The core of this lecture: .*", first.source, re.M)
    assert re.findall(r"\d+\.\d+", head) == [number_of(exercise) for exercise in core]


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_is_question_reasoning_answer_check(name):
    """Other cells, with given code or a picture, may come between."""
    cells = [c for c in solution(name).cells if marks(c) or c.source.startswith("## ")]
    exercises = [e for e in catalogue().values() if e.lecture == name[:2]]
    assert len(cells) == 4 * len(exercises)
    for number, exercise in enumerate(exercises, 1):
        question, reasoning, answer, check = cells[4 * number - 4 : 4 * number]
        heading = f"## {int(name[:2])}.{number} · {exercise.title}"
        assert question.source.split("\n")[0] == heading
        assert question.cell_type == "markdown" and len(question.source) < 2500
        assert marks(reasoning).get("grade_id") == f"{exercise.name}-reasoning"
        assert reasoning.cell_type == "markdown" and marks(reasoning).points == 0
        assert marks(answer).get("grade_id") == exercise.name and is_answer(answer)
        written = ast.parse(answer.source).body
        assert exercise.name in [getattr(part, "name", None) for part in written]
        for part in written:
            if isinstance(part, ast.FunctionDef):
                assert ast.get_docstring(part), f"{part.name}: say what is asked"
        assert marks(check).get("grade_id") == f"{exercise.name}-check" and is_check(
            check
        )
        assert check.source == f"check({exercise.name})" and marks(check).points == 1


def test_every_exercise_has_its_notebook():
    assert {exercise.lecture for exercise in catalogue().values()} == {
        name[:2] for name in NAMES
    }


def test_untouched_notebooks_run_and_nothing_in_them_is_attempted(tmp_path, fence):
    """One after another in one process."""
    steps = []
    for name in NAMES:
        cells = read_cells((ROOT / "exercises" / name).read_bytes())
        steps += assemble(cells, cells)
    found = list(marking.mark(steps, tmp_path, fence, Limits()))
    assert [problem for problem in found if isinstance(problem, str)] == []
    results = {result.exercise: result.status for result in found}
    assert results == dict.fromkeys(catalogue(), "not attempted")


def test_the_readmes_example_is_what_a_check_says():
    readme = (ROOT / "exercises" / "README.md").read_text(encoding="utf-8")
    source, said = re.findall(r"```(?:python)?\n(.*?)```", readme, flags=re.DOTALL)[:2]
    verdicts = []
    given = {"np": np, "check": lambda answer: verdicts.append(check(answer))}
    exec(source, given)
    assert [f"{verdict!r}\n" for verdict in verdicts] == [said]


# --- how they are generated -----------------------------------------------------------

SOLVED = '''def twice(x):
    """Two times x."""
    if x:
        ### BEGIN SOLUTION
        y = x + x
        return y
        ### END SOLUTION
    return 0'''


def graded(name, grade, solution, locked=False, points=None):
    about = dict(grade_id=name, grade=grade, solution=solution, locked=locked)
    if grade:
        about["points"] = points
    return {"nbgrader": {**about, "schema_version": 3}}


def solved():
    """A solved notebook with one exercise."""
    output = new_output("stream", text="4")
    return new_notebook(
        cells=[
            new_markdown_cell("# A title", id="title"),
            new_code_cell("import math", id="setup", execution_count=1),
            new_markdown_cell(
                "Add.", id="r", metadata=graded("t-r", True, True, points=0)
            ),
            new_code_cell(SOLVED, id="t", metadata=graded("twice", False, True)),
            new_code_cell(
                "check(twice)",
                id="c",
                metadata={**graded("t-c", True, False, True, 1), "scrolled": True},
                outputs=[output],
                execution_count=2,
            ),
        ]
    )


def test_answers_and_outputs_are_taken_out_and_nothing_else():
    before = solved()
    after = cleared(before)
    assert before == solved(), "the solved notebook stays as it was"
    assert [cell.id for cell in after.cells] == ["title", "setup", "r", "t", "c"]
    assert [cell.source for cell in after.cells] == [
        "# A title",
        "import math",
        "YOUR ANSWER HERE",
        'def twice(x):\n    """Two times x."""\n    if x:\n'
        "        # YOUR CODE HERE\n        raise NotImplementedError()\n    return 0",
        "check(twice)",
    ]
    check = after.cells[-1]
    assert check.outputs == [] and check.execution_count is None
    assert check.metadata == {
        **graded("t-c", True, False, True, 1),
        "deletable": False,
        "editable": False,
    }
    assert after.cells[3].metadata.deletable is False
    assert "editable" not in after.cells[3].metadata


def source(text):
    return lambda cell: cell.update(source=text)


def mark(**changes):
    return lambda cell: cell.metadata["nbgrader"].update(changes)


FAULTY = [
    (3, source(SOLVED.replace("        ### END SOLUTION\n", "")), "don't alternate"),
    (3, source(SOLVED.replace("y = x + x", "### BEGIN SOLUTION")), "don't alternate"),
    (3, source(SOLVED + "\n### END SOLUTION"), "don't alternate"),
    (3, source("def twice(x):\n    return 2 * x"), "not even its def"),
    (3, source(SOLVED + "\n### BEGIN HIDDEN TESTS"), "BEGIN HIDDEN TESTS is not used"),
    (1, source("### BEGIN SOLUTION\n1\n### END SOLUTION"), "not a code answer"),
    (2, source("### BEGIN SOLUTION\n### END SOLUTION"), "not a code answer"),
    (3, mark(grade_id=""), "no grade_id"),
    (4, mark(points="2"), "points is '2', not a number"),
]


@pytest.mark.parametrize("where, damage, words", FAULTY, ids=[w for _, _, w in FAULTY])
def test_a_faulty_cell_is_named_with_its_notebook(where, damage, words):
    notebook = solved()
    damage(notebook.cells[where])
    with pytest.raises(NotebookFault) as fault:
        cleared(notebook, "02_x.ipynb")
    assert f"02_x.ipynb, cell {where + 1} (" in str(fault.value)
    assert words in str(fault.value)
    assert len(str(fault.value).splitlines()) == 1


def test_two_cells_of_one_name_are_both_told():
    notebook = solved()
    notebook.cells.append(deepcopy(notebook.cells[3]))
    with pytest.raises(NotebookFault) as fault:
        cleared(notebook, "02_x.ipynb")
    assert str(fault.value).count("(twice): another cell has the same grade_id") == 2


# --- the command ----------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path):
    """A folder with a solved notebook, an empty folder, and the command for them."""
    solutions, exercises = tmp_path / "solutions", tmp_path / "exercises"
    solutions.mkdir()
    nbformat.write(solved(), solutions / "02_x.ipynb")

    def command(*more):
        here = ["--solutions", str(solutions), "--exercises", str(exercises)]
        return main(["exercises", *here, *more])

    return solutions, exercises, command


def test_the_command_writes_and_then_has_nothing_to_do(folders, capsys):
    solutions, exercises, command = folders
    assert command() == 0
    assert capsys.readouterr().out == "written: 02_x.ipynb\n"
    assert command() == 0
    assert capsys.readouterr().out == "the exercises are up to date\n"
    expected = nbformat.writes(cleared(solved())) + "\n"
    assert (exercises / "02_x.ipynb").read_text(encoding="utf-8") == expected


def test_what_has_no_solution_stays(folders):
    solutions, exercises, command = folders
    exercises.mkdir()
    nbformat.write(cleared(solved()), exercises / "02_mine.ipynb")
    before = (exercises / "02_mine.ipynb").read_bytes()
    assert command() == 0
    assert (exercises / "02_mine.ipynb").read_bytes() == before


STUB = "        # YOUR CODE HERE"
# Changes to a cell of a students' notebook.
DONE = {
    "beside the stub": (
        3,
        lambda cell: cell.update(
            source=cell.source.replace(STUB, f"        return x * 2\n{STUB}")
        ),
    ),
    "in a given cell": (1, source("import cmath")),
    "in words": (2, source("x + x")),
    "in an output": (1, lambda cell: cell.outputs.append(new_output("stream"))),
    "no source": (1, lambda cell: cell.pop("source")),
    "metadata that says nothing": (
        0,
        lambda cell: cell.update(source="# Older", metadata={"nbgrader": [3]}),
    ),
}


def older(work):
    """The text of a changed notebook, or of an invalid one."""
    made = cleared(solved())
    if work == "no notebook":
        return "\0{"
    if work == "a further cell":
        made.cells.append(new_code_cell("twice(3)"))
    else:
        where, change = DONE[work]
        change(made.cells[where])
    return json.dumps(made)


@pytest.mark.parametrize("work", [*DONE, "a further cell", "no notebook"])
def test_what_reads_otherwise_is_put_aside_whole(folders, work, capsys):
    solutions, exercises, command = folders
    text, path = older(work), exercises / "02_x.ipynb"
    exercises.mkdir()
    for _ in range(2):  # within a second
        path.write_text(text, encoding="utf-8")
        assert command() == 0
    told = capsys.readouterr().out
    aside = [other for other in exercises.iterdir() if other != path]
    assert len(aside) == 2 and all(str(other) in told for other in aside)
    assert all(other.read_text(encoding="utf-8") == text for other in aside)
    assert path.read_text(encoding="utf-8") == nbformat.writes(cleared(solved())) + "\n"


def test_with_one_fault_nothing_is_written(folders, capsys):
    solutions, exercises, command = folders
    (solutions / "03_y.ipynb").write_text("{", encoding="utf-8")
    assert command() == 1
    assert "03_y.ipynb is not a notebook" in capsys.readouterr().err
    assert not exercises.exists()


def test_exercises_that_can_be_no_folder_are_told(folders, tmp_path, capsys):
    solutions, _, _ = folders
    path = tmp_path / "afile"
    for there in (path, path / "deeper"):
        path.touch()
        here = ["--solutions", str(solutions), "--exercises", str(there)]
        assert main(["exercises", *here]) == 1
        assert str(there) in capsys.readouterr().err


def test_an_empty_folder_is_told(tmp_path, capsys):
    assert main(["exercises", "--solutions", str(tmp_path)]) == 1
    assert "name their folder with --solutions" in capsys.readouterr().err

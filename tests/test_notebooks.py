"""Rules for every committed notebook, so that none breaks unnoticed.

nbval runs the notebooks and compares their output; it doesn't notice cleared cells, ignored
cells, or anything about style. Each check here takes a notebook and returns its faults as
sentences. `FAULTY` lists the checks, each with notebooks that it must reject, which proves
that it can fail.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from comp551ad.site.course import is_folded

ROOT = Path(__file__).parent.parent
NOTEBOOKS = [
    path.relative_to(ROOT).as_posix()
    for room in ("lectures", "solutions")
    for path in sorted((ROOT / room).glob("*.ipynb"))
]

MAX_OUTPUT_BYTES = 500_000
MAX_CELL_LINES, MAX_MEDIAN_LINES = 20, 6
MAX_FOLDED_LINES = 40  # of a collapsed cell, such as a drawing
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# nbval also accepts these as comments, where no reason can be given.
IGNORING_TAG = re.compile(r"nbval-(ignore-output|skip)")
IGNORING_COMMENT = re.compile(
    r"#\s*(NBVAL_IGNORE_OUTPUT|NBVAL_SKIP|PYTEST_VALIDATE_IGNORE_OUTPUT)"
)
ABSOLUTE_PATH = re.compile(r"(?<![\w./:~-])/(home|tmp|work|root|Users)\b|\bC:\\")
ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
DATA_URI = re.compile(r"data:[\w/+.-]+;base64,[\w+/=\s]*")


def code_cells(notebook):
    """Yield (number of the cell in the notebook from 1, cell)."""
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code":
            yield number, cell


def outputs(notebook):
    """Yield (number of the cell, output)."""
    for number, cell in code_cells(notebook):
        for output in cell.outputs:
            yield number, output


def code_lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


def output_texts(output):
    """Yield an output's text, without colours and inlined pictures."""
    data = output.get("data", {})
    texts = [text for text in data.values() if isinstance(text, str)]
    texts += [output.get("text", ""), output.get("evalue", "")]
    texts += output.get("traceback", [])
    for text in texts:
        yield DATA_URI.sub("", ANSI_COLOUR.sub("", text))


# --- the checks ---------------------------------------------------------------


def was_run_from_top_to_bottom(notebook):
    """nbval never compares a cell whose execution count is null."""
    for turn, (number, cell) in enumerate(code_cells(notebook), 1):
        if cell.execution_count is None:
            yield f"cell {number} was never run, so its output is not compared"
        elif cell.execution_count != turn:
            yield f"cell {number} was run as number {cell.execution_count}, not {turn}"


def gives_reasons_for_ignored_outputs(notebook):
    for number, cell in code_cells(notebook):
        tags = " ".join(cell.metadata.get("tags", []))
        if IGNORING_COMMENT.search(cell.source):
            yield f"cell {number} is ignored by a comment: use the tag and a reason"
        if IGNORING_TAG.search(tags) and not cell.metadata.get("reason", "").strip():
            yield f"cell {number} is tagged {tags!r} without a 'reason' in its metadata"


def prints_no_warning(notebook):
    for number, output in outputs(notebook):
        if output.get("name") == "stderr":
            yield f"cell {number} wrote to stderr: {output.text.strip()[:200]!r}"


def fails_only_on_purpose(notebook):
    for number, cell in code_cells(notebook):
        failed = any(output.output_type == "error" for output in cell.outputs)
        meant = "raises-exception" in cell.metadata.get("tags", [])
        if failed and not meant:
            yield f"cell {number} failed and is not tagged 'raises-exception'"
        if meant and not failed:
            yield f"cell {number} is tagged 'raises-exception' and did not fail"


def names_no_absolute_path(notebook):
    for number, cell in enumerate(notebook.cells, 1):
        if found := ABSOLUTE_PATH.search(DATA_URI.sub("", cell.source)):
            yield f"cell {number} has an absolute path in its source: {found[0]!r}"
    for number, output in outputs(notebook):
        for text in output_texts(output):
            if found := ABSOLUTE_PATH.search(text):
                around = text[max(0, found.start() - 20) : found.end() + 40]
                yield f"cell {number} has an absolute path in its output: {around!r}"


def has_no_heavy_output(notebook):
    for number, output in outputs(notebook):
        size = len(json.dumps(output, ensure_ascii=False).encode())
        if size > MAX_OUTPUT_BYTES:
            yield f"cell {number} has an output of {size:,} bytes"


def saves_no_widget(notebook):
    """A saved widget takes space and shows nothing in a fresh clone."""
    if "widgets" in notebook.metadata:
        yield "the notebook's metadata saves the state of its widgets"
    for number, output in outputs(notebook):
        if WIDGET_VIEW in output.get("data", {}):
            yield f"cell {number} saves a widget's view"


def has_short_cells(notebook):
    """The median is over the cells that aren't collapsed."""
    for number, cell in code_cells(notebook):
        most = MAX_FOLDED_LINES if is_folded(cell) else MAX_CELL_LINES
        if not 0 < (size := len(code_lines(cell))) <= most:
            yield f"cell {number} has {size} lines of code, not 1 to {most}"
    sizes = [len(code_lines(c)) for _, c in code_cells(notebook) if not is_folded(c)]
    if sizes and median(sizes) > MAX_MEDIAN_LINES:
        yield f"the median cell has {median(sizes):g} lines, over {MAX_MEDIAN_LINES}"


def opens_with_a_title(notebook):
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown":
        yield "the first cell is not prose"
    elif not first.source.startswith("# "):
        yield f"the first cell is not a title: {first.source[:40]!r}"


def asks_for_the_common_kernel(notebook):
    name = notebook.metadata.get("kernelspec", {}).get("name")
    if name != "python3":
        yield f"the kernel is {name!r}, not 'python3'"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook(name):
    notebook = nbformat.read(ROOT / name, as_version=4)
    assert [fault for check in FAULTY for fault in check(notebook)] == []


# --- tests of the checks ------------------------------------------------------


def made_up(*cells, title="# A title", **metadata):
    """Return a valid notebook with these cells under its title."""
    notebook = new_notebook(cells=[new_markdown_cell(title), *cells])
    notebook.metadata = {"kernelspec": {"name": "python3"}, **metadata}
    return notebook


def code(source="1 + 1", *outputs, count=1, **metadata):
    return new_code_cell(
        source, execution_count=count, outputs=list(outputs), metadata=metadata
    )


def shown(mime, data):
    return new_output("display_data", data={mime: data})


def html(text):
    return shown("text/html", text)


def written(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def raised(traceback):
    return new_output("error", ename="E", evalue="no", traceback=[traceback])


def lines(count):
    return "\n".join(["x = 1"] * count)


# Check -> notebooks that it must reject, and the message.
FAULTY = {
    was_run_from_top_to_bottom: [
        (made_up(code(count=None)), "never run"),
        (made_up(code(count=2)), "as number 2, not 1"),
    ],
    gives_reasons_for_ignored_outputs: [
        (made_up(code(tags=["nbval-ignore-output"])), "without a 'reason'"),
        (made_up(code(tags=["nbval-skip"], reason="  ")), "without a 'reason'"),
        (made_up(code("# NBVAL_SKIP\n1")), "by a comment"),
    ],
    prints_no_warning: [
        (made_up(code("f()", written("Warning: overflow", "stderr"))), "overflow"),
    ],
    fails_only_on_purpose: [
        (made_up(code("f()", raised("no"))), "failed and is not"),
        (made_up(code(tags=["raises-exception"])), "did not fail"),
    ],
    names_no_absolute_path: [
        (made_up(code("open('/home/ann/x')")), "'/home'"),
        (made_up(code("open('C:\\\\x')")), "C:"),
        (made_up(new_markdown_cell("see /work/notes")), "in its source"),
        (made_up(code("1", written("saved to /tmp/x\n"))), "in its output"),
        (made_up(code("1", html("<a href='/Users/ann/x'>"))), "in its output"),
        (made_up(code("f()", raised("\x1b[32m/root/x.py:3\x1b[39m"))), "in its output"),
    ],
    has_no_heavy_output: [
        (made_up(code("1", shown("image/png", "A" * 500_001))), "bytes"),
    ],
    saves_no_widget: [
        (made_up(code("1", shown(WIDGET_VIEW, {}))), "widget's view"),
        (made_up(code(), widgets={}), "metadata saves"),
    ],
    has_short_cells: [
        (made_up(code(lines(21)), code("1"), code("2")), "has 21 lines"),
        (made_up(code("")), "has 0 lines"),
        (made_up(code(lines(41), jupyter={"source_hidden": True})), "has 41 lines"),
        (made_up(code(lines(7)), code(lines(7)), code("1")), "median cell has 7"),
    ],
    opens_with_a_title: [
        (made_up(title="No title"), "not a title"),
        (new_notebook(cells=[code()]), "not prose"),
        (new_notebook(), "not prose"),
    ],
    asks_for_the_common_kernel: [
        (made_up(code(), kernelspec={"name": "venv"}), "'venv'"),
        (new_notebook(), "None"),
    ],
}


@pytest.mark.parametrize("check", FAULTY, ids=lambda check: check.__name__)
def test_a_check_objects_to_faulty_notebooks_and_accepts_a_sound_one(check):
    for notebook, words in FAULTY[check]:
        (fault,) = check(notebook)
        assert words in fault
    picture = '<img alt="a graph" src="data:image/png;base64,AA+/home/AA==">'
    folded = {"source_hidden": True}
    sound = made_up(
        new_markdown_cell("See [us](https://example.org/home/tmp): 1/work ![a b](x)."),
        code("x = 1\n\nx", written("2 in ~/x and a/tmp/b\n")),
        code("f()", html(picture), count=2),
        code("g()", raised("no"), count=3, tags=["raises-exception"]),
        code("h()", count=4, tags=["nbval-ignore-output"], reason="prints a time"),
        code(lines(20), shown("image/png", "A" * 400_000), count=5),
        *(code(lines(40), count=6 + k, jupyter=folded) for k in range(9)),
    )
    assert list(check(sound)) == []


# --- files they leave behind --------------------------------------------------


def test_a_run_that_leaves_a_file_beside_the_notebooks_fails(tmp_path):
    """Lectures must be independent: the next one could read such a file."""
    for folder in ("tests", "lectures"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "tests/conftest.py", tmp_path / "tests")
    (tmp_path / "tests/test_it.py").write_text(
        "from pathlib import Path\n"
        "def test_it():\n    Path('lectures/notes.txt').write_text('1')\n"
    )
    command = [sys.executable, "-m", "pytest", "-n", "1", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [*command, "tests"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 1 and "1 passed" in result.stdout, result.stdout
    assert "left new files beside the notebooks" in result.stderr

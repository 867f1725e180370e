"""The lectures in JupyterLab, as a newcomer's browser shows them.

The first half proves the harness on made-up notebooks: it must notice a picture that does not
show, and a cell that fails.
"""

import base64
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect

ROOT = Path(__file__).parent.parent.parent
LECTURES = [path.stem for path in sorted((ROOT / "lectures").glob("*.ipynb"))]
# Contrast hangs on the scheme, all else that axe looks at on the width: both of each.
SCREENS = [("light", 1280), ("dark", 400)]


# --- driving a stepper --------------------------------------------------------


def press(stepper, name):
    stepper.get_by_role("button", name=name, exact=True).click()


def drive(stepper):
    """Step to the end and back, with buttons and keys; fail where the formula doesn't follow."""
    # Of two side by side the last one is the longer pass.
    formula = stepper.locator(".c5-formula").last
    slider = stepper.get_by_role("slider", name="Step", exact=True)
    press(stepper, "Last")
    last = formula.text_content()
    press(stepper, "First")
    first = formula.text_content()
    assert first.strip() and last.strip() and first != last
    slider.press("ArrowRight")
    expect(formula).not_to_have_text(first)
    slider.press("ArrowLeft")
    expect(formula).to_have_text(first)
    slider.press("End")
    expect(formula).to_have_text(last)


def saved_pictures(notebook):
    """Return how many pictures each cell has in the file, in prose and in outputs."""

    def in_html(text):
        return len(re.findall(r"<(?:img|svg)\b", text))

    def in_cell(cell):
        if cell.cell_type == "markdown":
            return in_html(cell.source) + len(re.findall(r"!\[.*?\]\(", cell.source))
        return sum(in_output(o.get("data", {})) for o in cell.get("outputs", []))

    def in_output(data):
        if "text/html" in data:  # the form that is shown, where there are several
            return in_html(data["text/html"])
        return int(any(mime.startswith("image/") for mime in data))

    return [in_cell(cell) for cell in notebook.cells]


# --- the harness, on made-up notebooks ----------------------------------------

GREEN = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect/></svg>'
GREEN_URI = "data:image/svg+xml;base64," + base64.b64encode(GREEN.encode()).decode()


def made_up(*cells):
    notebook = new_notebook(cells=[new_markdown_cell("# Made up"), *cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    return notebook


def code(source, html=None, **metadata):
    outputs = [new_output("display_data", data={"text/html": html})] if html else []
    return new_code_cell(source, execution_count=1, outputs=outputs, metadata=metadata)


def test_without_a_browser_ci_fails_and_a_reader_skips(launch, monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(PlaywrightError):
        launch(programs=(), channel="no-such-channel")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no Chromium"):
        launch(programs=(), channel="no-such-channel")


def test_reader_sees_pictures_of_an_untrusted_notebook(reader):
    picture = f'<img alt="a square" src="{GREEN_URI}">'
    notebook = made_up(
        new_markdown_cell(picture),
        code("1", f"{picture} and {picture}"),
        code("1", '<img alt="torn" src="data:image/png;base64,AAAA">'),
        code("1", f"{GREEN}<script>window.trusted = true</script>"),
    )
    reader.add("pictures.ipynb", notebook)
    reader.open("pictures.ipynb")
    assert saved_pictures(notebook) == [0, 1, 2, 1, 1]
    assert reader.pictures() == [0, 1, 2, 0, 0]  # neither the torn nor the inline one
    assert reader.page.evaluate("window.trusted") is None


def test_reader_runs_all_cells_and_sees_what_fails(reader):
    reader.add(
        "failing.ipynb",
        made_up(
            code("1 / 0", tags=["raises-exception"]),
            code("import sys, time\ntime.sleep(1); print('late', file=sys.stderr)"),
            code("import shutil\nassert shutil.which('dot') is None"),
            code("undefined"),
            code("print('never reached')"),
        ),
    )
    reader.open("failing.ipynb")
    assert reader.errors() == [] and reader.warnings() == []
    reader.run_all()
    assert [cell for cell, _ in reader.errors()] == [1, 4]
    assert "ZeroDivisionError" in reader.errors()[0][1]
    assert reader.warnings() == [(2, "late\n")]


# --- the lectures -------------------------------------------------------------


@pytest.mark.parametrize("name", LECTURES)
def test_lecture_shows_untrusted_then_trusted_and_steps(name, reader):
    notebook = nbformat.read(ROOT / "lectures" / f"{name}.ipynb", as_version=4)
    # nbval runs every cell, and compares what it puts out with what stands here.
    is_run = any(".widget()" in cell.source for cell in notebook.cells)
    (reader.open if is_run else reader.look_at)(f"lectures/{name}.ipynb")
    assert reader.pictures() == saved_pictures(notebook)
    if is_run:
        reader.run_all()
        assert reader.errors() == reader.warnings() == []
    elif "c5-stepper" in str(notebook):
        reader.trust()
    shown = reader.page.locator(".jp-Notebook .c5-stepper").count()
    assert bool(shown) == ("c5-stepper" in str(notebook))
    for stepper in reader.steppers():
        drive(stepper)
    assert reader.wrong == []

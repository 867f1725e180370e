"""The lectures in JupyterLab, as a newcomer's browser shows them.

The first half proves the harness on made-up notebooks: it must notice a picture that
does not show, a cell that fails, and a stepper that does not step.
"""

import base64
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect

ROOT = Path(__file__).parent.parent.parent
LECTURES = [path.stem for path in sorted((ROOT / "lectures").glob("*.ipynb"))]


# --- driving a stepper --------------------------------------------------------


def press(stepper, name):
    stepper.get_by_role("button", name=name, exact=True).click()


def text_after(stepper, name):
    """Press a button and return the formula that is then shown."""
    press(stepper, name)
    stepper.page.wait_for_timeout(50)
    return stepper.locator(".c5-formula").last.text_content()


def drive(stepper, play=True):
    """Step through with every control; fail at one that does not do what it says.

    Playing takes a second a frame, so it sets out near the end, and lectures are driven
    without it.
    """
    # Of two side by side the last one is the longer pass.
    formula = stepper.locator(".c5-formula").last
    slider = stepper.get_by_role("slider", name="Step", exact=True)
    last, first = text_after(stepper, "Last"), text_after(stepper, "First")
    assert first.strip() and last.strip() and first != last

    press(stepper, "Next")
    expect(formula).not_to_have_text(first)
    second = formula.text_content()
    press(stepper, "Previous")
    expect(formula).to_have_text(first)

    slider.focus()
    slider.press("ArrowRight")
    expect(formula).to_have_text(second)
    slider.press("ArrowLeft")
    expect(formula).to_have_text(first)
    slider.press("End")
    expect(formula).to_have_text(last)
    slider.press("Home")
    expect(formula).to_have_text(first)

    if play:
        press(stepper, "Last")
        for _ in range(2):
            press(stepper, "Previous")
        expect(formula).not_to_have_text(last)
        press(stepper, "Play")
        expect(formula).to_have_text(last)  # and nobody pressed Next


# --- the harness, on made-up notebooks ----------------------------------------

GREEN = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect/></svg>'
GREEN_URI = "data:image/svg+xml;base64," + base64.b64encode(GREEN.encode()).decode()

# JupyterLab takes the arrow keys for itself, to fold headings, unless the very element
# that has the focus asks it not to.
STEPPER = """
<div class="c5-stepper"><p class="c5-formula">a1 = 1</p>
<button aria-label="First">|&lt;</button><button aria-label="Previous">&lt;</button>
<button aria-label="Play">&gt;&gt;</button><button aria-label="Next">&gt;</button>
<button aria-label="Last">&gt;|</button>
<input type="range" aria-label="Step" min="1" max="4" value="1"
 data-lm-suppress-shortcuts="true"></div>
<script>{
const box = document.currentScript.parentElement.querySelector('.c5-stepper');
const slider = box.querySelector('input'), formula = box.querySelector('p');
const show = step => {
  slider.value = step;
  if (WORKS) formula.textContent = 'a' + slider.value + ' = ' + slider.value;
};
const step = () => Number(slider.value);
const press = (name, act) =>
  box.querySelector(`[aria-label=${name}]`).addEventListener('click', act);
slider.addEventListener('input', () => show(step()));
press('First', () => show(1)); press('Previous', () => show(step() - 1));
press('Next', () => show(step() + 1)); press('Last', () => show(4));
press('Play', () => setInterval(() => show(step() + 1), 200));
}</script>
"""


def display(html):
    return f"from IPython.display import HTML\nHTML({html!r})"


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


def test_reader_sees_pictures_of_an_untrusted_notebook(reader, promised_pictures):
    picture = f'<img alt="a square" src="{GREEN_URI}">'
    notebook = made_up(
        new_markdown_cell(picture),
        code("1", f"{picture} and {picture}"),
        code("1", '<img alt="torn" src="data:image/png;base64,AAAA">'),
        code("1", f"{GREEN}<script>window.trusted = true</script>"),
    )
    reader.add("pictures.ipynb", notebook)
    reader.open("pictures.ipynb")
    assert promised_pictures(notebook) == [0, 1, 2, 1, 1]
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


def test_drive_steps_through_a_stepper_and_objects_to_a_stuck_one(reader):
    working, stuck = (STEPPER.replace("WORKS", word) for word in ("true", "false"))
    reader.add("steppers.ipynb", made_up(code(display(working)), code(display(stuck))))
    reader.open("steppers.ipynb")
    assert reader.steppers() == []
    reader.run_all()
    assert reader.errors() == []
    first, second = reader.steppers()
    drive(first)
    with pytest.raises(AssertionError):
        drive(second)
    reader.screenshot("made_up_steppers")


# --- the lectures -------------------------------------------------------------


@pytest.mark.parametrize("name", LECTURES)
def test_lecture_shows_untrusted_then_runs_and_steps(name, reader, promised_pictures):
    notebook = nbformat.read(ROOT / "lectures" / f"{name}.ipynb", as_version=4)
    reader.open(f"lectures/{name}.ipynb")
    reader.screenshot(f"{name}_as_cloned")
    assert reader.pictures() == promised_pictures(notebook)

    reader.run_all()
    meant = [
        index
        for index, cell in enumerate(notebook.cells)
        if "raises-exception" in cell.metadata.get("tags", [])
    ]
    assert [cell for cell, _ in reader.errors()] == meant, reader.errors()
    assert reader.warnings() == []

    shown = reader.page.locator(".jp-Notebook .c5-stepper").count()
    assert bool(shown) == ("c5-stepper" in str(notebook))
    # The training player has no steps.
    steppers = reader.steppers()
    for stepper in steppers:
        drive(stepper, play=False)
    if steppers:
        reader.screenshot(f"{name}_after_stepping")
    assert reader.wrong == []

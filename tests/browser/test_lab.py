"""The lectures in JupyterLab, as a newcomer's browser shows them, and players with a kernel.

The first half tests the harness on made-up notebooks: it must notice a picture that doesn't
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
# Contrast depends on the colour scheme, axe's other rules on the width: test two of each.
SCREENS = [("light", 1280), ("dark", 400)]


def on_a_screen(page, scheme, width):
    """Set the scheme and width of the page, and wait until it has adapted."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("new Promise(r => requestAnimationFrame(() => setTimeout(r)))")


# --- driving a stepper --------------------------------------------------------


def press(stepper, name):
    stepper.get_by_role("button", name=name, exact=True).click()


def field(player, name):
    return player.locator(f'input[aria-label="{name}"]')


def node(player, key):
    return player.locator(f'.c5-node[data-row="{int(key[1:]) - 1}"]')


def drive(stepper):
    """Step to the end and back, with buttons and keys; fail if the formula doesn't follow."""
    # Of two passes side by side, the last is the longer.
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
    """Return the number of pictures in each cell of the file, in prose and in outputs."""

    def in_html(text):
        return len(re.findall(r"<(?:img|svg)\b", text))

    def in_cell(cell):
        if cell.cell_type == "markdown":
            return in_html(cell.source) + len(re.findall(r"!\[.*?\]\(", cell.source))
        return sum(in_output(o.get("data", {})) for o in cell.get("outputs", []))

    def in_output(data):
        if "text/html" in data:  # the form that is shown if there are several
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
    reader.look_at("pictures.ipynb")
    assert saved_pictures(notebook) == [0, 1, 2, 1, 1]
    assert reader.pictures() == [0, 1, 2, 0, 0]  # neither the torn nor the inline one
    assert reader.page.evaluate("window.trusted") is None


def test_reader_runs_all_cells_and_sees_what_fails(reader):
    reader.add(
        "failing.ipynb",
        made_up(
            code("1 / 0", tags=["raises-exception"]),
            code("import sys, time\ntime.sleep(0.3); print('late', file=sys.stderr)"),
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


# --- a player and its kernel ----------------------------------------------------------


def test_a_player_in_jupyterlab_steps_slides_types_and_lets_ctrl_s_save(
    reader, inaccessible
):
    source = (
        "import numpy as np\nfrom comp551ad import ReverseStepper, record\n"
        "def f(w, x):\n    return np.sin(w * x)\nReverseStepper(record(f, 0.5, 2.0))"
    )
    reader.add("player.ipynb", made_up(code(source)))
    reader.open("player.ipynb")
    reader.run_all()
    player = reader.steppers()[0]
    drive(player)
    slider = player.get_by_role("slider", name="w, slider")
    slider.focus()
    reader.page.keyboard.press("ArrowRight")
    expect(field(player, "w")).to_have_value("0.55")
    player.locator(".c5-typed").fill("x*exp(x)")
    expect(field(player, "x")).to_be_visible()
    expect(node(player, "a3")).to_have_count(1)
    press(player, "First")
    before = reader.page.locator(".jp-Notebook .jp-Cell").count()
    reader.page.keyboard.press("b")
    assert reader.page.locator(".jp-Notebook .jp-Cell").count() == before
    dirty = "() => jupyterapp.shell.currentWidget.context.model.dirty"
    assert reader.page.evaluate(dirty)
    reader.page.keyboard.press("Control+s")
    reader.page.wait_for_function(f"() => !({dirty})()")
    body = reader.page.locator("body")
    for theme, light in (("JupyterLab Dark", "false"), ("JupyterLab Light", "true")):
        command = (
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})"
        )
        reader.page.evaluate(command, theme)
        expect(body).to_have_attribute("data-jp-theme-light", light)
        for width in (400, 1280):
            reader.page.set_viewport_size({"width": width, "height": 720})
            assert inaccessible(reader.page, ".jp-Notebook .c5-stepper") == []
    reader.restart_kernel()
    press(player, "Last")
    assert reader.wrong == []


WIDGET = """\
import numpy as np
import ipywidgets as widgets
from comp551ad import ReverseStepper, record
def f(w, x):
    return np.sin(w * x)
player = ReverseStepper(record(f, 0.5, 2.0)).widget()
slider = widgets.IntSlider(0, 0, 20)
widgets.link((slider, "value"), (player, "step"))
heard = []
player.observe(lambda change: heard.append(change.new), "inputs")
widgets.interact(lambda at: print("step", at), at=slider)
widgets.HBox([player])"""


def test_a_widget_and_its_page_follow_each_other(reader):
    reader.add(
        "widget.ipynb",
        made_up(
            code(WIDGET),
            code("player.inputs = {'w': 1.5}; player.step = 4"),
            code("print(heard[-1], player.step, player.score, player.function)"),
            code("player.predicting = True"),
        ),
    )
    reader.open("widget.ipynb")
    cells = reader.page.locator(".jp-Notebook .jp-CodeCell")
    reader.run_cell(0)
    player = reader.page.locator(".c5-live").first
    expect(field(player, "w")).to_have_value("0.5", timeout=30_000)
    reader.run_cell(1)
    expect(field(player, "w")).to_have_value("1.5")
    expect(player.locator(".c5-count")).to_have_text(re.compile("^5 /"))
    slider = player.get_by_role("slider", name="w, slider")
    slider.focus()
    reader.page.keyboard.press("ArrowRight")
    expect(field(player, "w")).to_have_value("1.55")
    press(player, "Previous")
    expect(cells.nth(0).locator(".widget-output")).to_have_text("step 3")
    reader.run_cell(2)
    printed = cells.nth(2).locator(".jp-OutputArea-output")
    expect(printed).to_have_text("{'w': 1.55, 'x': 2.0} 3 [0, 0] ")
    reader.run_cell(3)
    expect(player.get_by_role("button", name="Predict")).to_have_attribute(
        "aria-pressed", "true"
    )
    # Without its kernel the player still plays, and rerunning its cell creates a new one.
    reader.restart_kernel()
    press(player, "Last")
    slider.press("ArrowRight")
    expect(field(player, "w")).to_have_value("1.6")
    reader.run_cell(0)
    expect(field(player, "w")).to_have_value("0.5")
    reader.run_cell(1)
    expect(field(player, "w")).to_have_value("1.5")
    assert reader.wrong == []


# --- the lectures -------------------------------------------------------------


@pytest.mark.parametrize("name", LECTURES)
def test_lecture_shows_untrusted_then_trusted_and_steps(name, reader):
    notebook = nbformat.read(ROOT / "lectures" / f"{name}.ipynb", as_version=4)
    # nbval runs every cell, and compares its output with the saved one.
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

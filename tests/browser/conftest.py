"""A reader with a browser: JupyterLab on a fresh, untrusted copy of the lectures.

`reader.open(name)` shows a notebook as a newcomer first sees it: nothing has been run,
nothing is trusted, and no program is on the PATH. Tests then check what the page shows.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).parent.parent.parent

# The first one that is installed. The headless shell has no windows, menus and sync to start,
# and takes a quarter less time than the whole browser for the same pages.
BROWSERS = (
    *("chromium-headless-shell", "chromium", "chromium-browser"),
    *("google-chrome", "chrome", "msedge"),
)
BROWSER_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # no network
]
START_SECONDS, RUN_SECONDS = 60, 180
expect.set_options(timeout=30_000)  # five seconds are too few if all cores are busy
LOOK_EVERY = 100  # milliseconds; by default a busy page is polled 60 times a second


# --- the browser --------------------------------------------------------------


@pytest.fixture(scope="session")
def playwright():
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def launch(playwright):
    """Return a function that starts a browser, or skips the test if there is none.

    With CI=true nothing is skipped: a browser that doesn't start is a failure.
    """

    def launch(programs=BROWSERS, channel="chrome"):
        found = next(filter(None, map(shutil.which, programs)), None)
        where = {"executable_path": found} if found else {"channel": channel}
        try:
            return playwright.chromium.launch(args=BROWSER_OPTIONS, **where)
        except PlaywrightError:
            if found or os.environ.get("CI") == "true":
                raise
            pytest.skip("no Chromium or Chrome on this machine to look with")

    return launch


@pytest.fixture(scope="session")
def browser(launch):
    running = launch()
    yield running
    running.close()


@contextmanager
def nothing_goes_wrong(page):
    """Assert that the page has no errors or console messages, and fetches nothing."""
    wrong = []
    ears = {
        "pageerror": lambda error: wrong.append(str(error)),
        "console": lambda message: wrong.append(message.text),
        "request": lambda request: wrong.append(request.url),
    }
    for event, ear in ears.items():
        page.on(event, ear)
    yield
    for event, ear in ears.items():
        page.remove_listener(event, ear)
    assert [w for w in wrong if not w.startswith(("file:", "data:"))] == []


@pytest.fixture
def new_page(browser):
    """A page in a new context, for lasting changes: permissions, a clock, stored data."""
    with browser.new_context(offline=True) as window:
        page = window.new_page()
        with nothing_goes_wrong(page):
            yield page


@pytest.fixture(scope="session")
def tab(browser):
    """A page that tests share one after another, as opening one takes as long as most tests."""
    with browser.new_context(offline=True) as window:
        yield window.new_page()


@pytest.fixture
def page(tab):
    """A page without network, reset to its initial state, in which nothing may go wrong."""
    tab.goto("about:blank")
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.emulate_media(
        media="screen", color_scheme="light", reduced_motion="no-preference"
    )
    tab.mouse.move(-9, -9)
    with nothing_goes_wrong(tab):
        yield tab


# Contrast depends on a text's colour, size and weight, and on its background. Marks one visible
# element of each such style: code has thousands of elements, and a dozen styles.
MARK_LOOKS = """part => {
  const looks = new Set(), isField = e => e.matches('input, select, textarea');
  // Fields come first: of JupyterLab, whose body has no height, axe sees nothing else.
  const all = [...document.querySelectorAll(`${part}, ${part} *`)];
  for (const e of all.sort((a, b) => isField(b) - isField(a))) {
    delete e.dataset.look;
    const hasText = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!hasText && !isField(e)) continue;
    if (!e.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const {color, fontSize, fontWeight} = getComputedStyle(e);
    const look = [color, fontSize, fontWeight];
    for (let behind = e; behind; behind = behind.parentElement) {
      const {backgroundColor, backgroundImage, opacity} = getComputedStyle(behind);
      const layer = [backgroundColor, backgroundImage, opacity].join();
      if (layer !== look.at(-1)) look.push(layer);
    }
    if (!looks.has(look.join())) e.dataset.look = looks.size;
    looks.add(look.join());
  }
}"""


# Report one passing element per rule, not thousands. Don't reload style sheets, which a page may
# forbid.
WHAT_AXE_FINDS = """part => {
  axe.configure({rules: [{id: 'color-contrast', selector: '[data-look]'}]});
  return axe.run(part, {resultTypes: ['violations'], preload: false});
}"""


@pytest.fixture(scope="session")
def inaccessible():
    """Return a function that returns axe-core's complaints about a part of a page.

    The rules are WCAG 2.2 and best practices: names, roles, contrast, focus.
    """
    axe = Axe()

    def inaccessible(page, part):
        page.evaluate(MARK_LOOKS, part)
        if not page.evaluate("'axe' in globalThis"):
            page.evaluate(axe.axe_script)
        found = page.evaluate(WHAT_AXE_FINDS, part)
        assert found["passes"] or found["violations"]  # it did check something
        return [
            f"{rule['id']}: {rule['help']}: {node['html'][:120]}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    return inaccessible


# --- JupyterLab ---------------------------------------------------------------


# A running JupyterLab: its address, and the folder that it serves.
Lab = namedtuple("Lab", "url folder")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_answers(url, server, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/api/status", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not answer:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    """Serve a copy of the lectures that is in no trust database.

    Trust is stored in Jupyter's data folder, so that must be new too; otherwise a lecture that
    was saved on this machine would open trusted, and prove nothing.
    """
    home = tmp_path_factory.mktemp("lab")
    folder, log = home / "course", home / "log.txt"
    unwanted = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
    shutil.copytree(ROOT / "lectures", folder / "lectures", ignore=unwanted)
    variables = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "IPYTHONDIR": home / "ipython",
        "PATH": home / "no-programs",  # nothing is needed
    }
    for path in variables.values():
        path.mkdir()
    # All cells are in the page at once, even those that are out of sight, and no dialog about
    # news covers them.
    for name, setting in {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/notification": {"fetchNews": "false"},
    }.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(setting))
    # The packages for running pages install JupyterLite's kernel, which JupyterLab can't load.
    extensions = home / "labextensions"
    extensions.mkdir()
    for path in Path(sys.prefix, "share/jupyter/labextensions").iterdir():
        if path.name != "@jupyterlite":
            (extensions / path.name).symlink_to(path)
    port = free_port()
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *("--IdentityProvider.token=", "--ServerApp.password="),
        "--ServerApp.disable_check_xsrf=True",  # `reader` shuts down kernels itself
        *(f"--ServerApp.root_dir={folder}", "--LabApp.news_url="),
        f"--LabApp.labextensions_path={extensions}",
        "--LabApp.expose_app_in_browser=True",  # so that `Reader` can ask for outputs
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with log.open("w") as file:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {name: str(path) for name, path in variables.items()},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}", server, log)
        yield Lab(f"http://127.0.0.1:{port}", folder)
    finally:
        server.terminate()  # also shuts down its kernels
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


# --- the reader ---------------------------------------------------------------

VISIBLE_PICTURES = """() =>
  [...document.querySelectorAll('.jp-Notebook .jp-Cell')].map(cell =>
    [...cell.querySelectorAll('.jp-OutputArea img, .jp-MarkdownOutput img')].filter(
      image => image.complete && image.naturalWidth > 0 && image.offsetWidth > 0
    ).length)"""

# Cells appear one after another, and prose is rendered a moment after its cell.
ALL_IS_SHOWN = """count =>
  document.querySelectorAll('.jp-Notebook .jp-Cell').length === count &&
  [...document.querySelectorAll('.jp-Notebook .jp-MarkdownCell')].every(
    cell => cell.querySelector('.jp-MarkdownOutput')?.childElementCount) &&
  [...document.querySelectorAll('.jp-Notebook img')].every(image => image.complete)"""

# The status bar may still show the previous notebook's kernel.
KERNEL = """() => {
  const kernel = jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
  return `${kernel?.connectionStatus}, ${kernel?.status}`;
}"""
KERNEL_IS_IDLE = f"() => ({KERNEL})() === 'connected, idle'"

# Close everything without asking whether to save. The page may have failed to open.
PUT_AWAY = """() => globalThis.jupyterapp &&
  [...jupyterapp.shell.widgets('main')].forEach(widget => widget.dispose())"""
HEAR_OF_IT = """async () => {
  await globalThis.jupyterapp?.serviceManager.sessions.refreshRunning();
  await globalThis.jupyterapp?.serviceManager.kernels.refreshRunning();
}"""
# Most lectures are only viewed, and need no kernel.
TAKE_OUT = """async ([path, preferKernel]) => {
  await jupyterapp.restored;
  const factory = jupyterapp.docRegistry.getWidgetFactory('Notebook');
  Object.defineProperty(factory, 'preferKernel', {value: preferKernel, configurable: true});
  await jupyterapp.commands.execute('docmanager:open', {path});
}"""

# Otherwise a command finds no notebook, and does nothing.
IS_CURRENT = "() => jupyterapp.commands.isEnabled('notebook:trust')"
TRUST = """() => {
  globalThis.trusting = jupyterapp.commands.execute('notebook:trust');
}"""
IS_TRUSTED = """() => jupyterapp.shell.currentWidget.content.widgets.every(
  cell => cell.model.type !== 'code' || cell.model.trusted)"""

# Each cell's outputs from JupyterLab's model, as errors and warnings look the same on the page.
OUTPUTS = """() => jupyterapp.shell.currentWidget.content.widgets.map(
  cell => cell.model.outputs?.toJSON() ?? [])"""

# Every code cell has a number, or one has failed unexpectedly and the rest didn't run. The page
# shows no number for a collapsed cell.
ALL_WAS_RUN = """() => {
  const code = jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type === 'code').map(cell => cell.model);
  const failed = code.some(model =>
    !(model.getMetadata('tags') ?? []).includes('raises-exception') &&
    model.outputs.toJSON().some(output => output.output_type === 'error'));
  return code.every(model => model.executionCount !== null) ||
    (failed && !code.some(model => model.executionState === 'running'));
}"""


# By command, as a busy page may lose a key.
RUN_CELL = """async k => {
  const {content} = jupyterapp.shell.currentWidget;
  const cells = content.widgets.filter(cell => cell.model.type === 'code');
  content.activeCellIndex = content.widgets.indexOf(cells[k]);
  await jupyterapp.commands.execute('notebook:run-cell');
}"""


class Reader:
    """A user with JupyterLab open. Cells are numbered from 0.

    `wrong` collects the page's errors and console messages.
    """

    def __init__(self, lab, page):
        self.lab, self.page, self.wrong, self.has_kernel = lab, page, [], True
        page.on("pageerror", self._notice)
        page.on("console", self._listen)

    def _notice(self, error):
        # The widget manager assumes that there is a kernel.
        if self.has_kernel or "jupyterlab-manager" not in error.stack:
            self.wrong.append(str(error))

    def _listen(self, message):
        if message.type == "error":
            self.wrong.append(message.text)

    def leave(self):
        """Close everything and shut down its kernels, for the next test."""
        self._clear_the_desk()
        self.page.remove_listener("pageerror", self._notice)
        self.page.remove_listener("console", self._listen)

    def _clear_the_desk(self):
        self.page.evaluate(PUT_AWAY)
        with urllib.request.urlopen(f"{self.lab.url}/api/sessions") as answer:
            sessions = json.load(answer)
        for session in sessions:
            address = f"{self.lab.url}/api/sessions/{session['id']}"
            urllib.request.urlopen(
                urllib.request.Request(address, method="DELETE"), timeout=30
            ).close()
        if sessions:
            # JupyterLab complains about requests to dead kernels once it notices; wait for that,
            # so that the next test doesn't see it.
            self.page.evaluate(HEAR_OF_IT)
            self.page.wait_for_timeout(100)

    def add(self, name, notebook):
        """Add a test notebook to the lectures."""
        nbformat.write(notebook, self.lab.folder / name)

    def look_at(self, name):
        """Open a notebook, untrusted, not run, and without a kernel."""
        self.has_kernel = False
        self._show(name)

    def open(self, name):
        """Open a notebook, untrusted and not run, and wait for its kernel.

        Occasionally a kernel never answers JupyterLab (its port was taken, its first message
        lost). A user would try again, and so does this one, twice.
        """
        for seconds in (20, 40):
            self._show(name)
            try:
                return self.wait_for_kernel(seconds)
            except PlaywrightTimeout:
                print(f"no kernel for {name}:", self.page.evaluate(KERNEL))
                self._clear_the_desk()
                self.page.goto("about:blank")
                self.wrong.clear()
        self._show(name)
        self.wait_for_kernel()

    def _show(self, name):
        """Open JupyterLab once for all notebooks, as it takes three seconds to start."""
        notebook = nbformat.read(self.lab.folder / name, as_version=4)
        if not self.page.url.startswith(self.lab.url):
            self.page.goto(f"{self.lab.url}/lab?reset")
            self.page.wait_for_function("globalThis.jupyterapp", timeout=60_000)
        self.page.evaluate(PUT_AWAY)
        self.page.evaluate(TAKE_OUT, [name, self.has_kernel])
        self.page.wait_for_function(
            ALL_IS_SHOWN,
            arg=len(notebook.cells),
            timeout=60_000,
            polling=LOOK_EVERY,
        )

    def wait_for_kernel(self, seconds=60):
        self.page.wait_for_function(
            KERNEL_IS_IDLE, timeout=1000 * seconds, polling=LOOK_EVERY
        )

    def choose(self, menu, item):
        """Choose an item from the menu bar."""
        self.page.click(f".lm-MenuBar-itemLabel:text-is('{menu}')")
        self.page.click(f".lm-Menu-itemLabel:text-is('{item}')")

    def run_all(self):
        """Run all cells from the menu and wait until the last one has finished."""
        self.page.click(".jp-Notebook .jp-Cell >> nth=0")
        self.choose("Edit", "Clear Outputs of All Cells")  # and all numbers
        self.choose("Run", "Run All Cells")
        self.page.wait_for_function(
            ALL_WAS_RUN, timeout=1000 * RUN_SECONDS, polling=LOOK_EVERY
        )
        self.wait_for_kernel()

    def trust(self):
        """Trust the notebook: saved outputs are shown with their scripts, and no cell is run."""
        self.page.wait_for_function(IS_CURRENT, timeout=60_000, polling=LOOK_EVERY)
        confirm = self.page.get_by_role("button", name="Confirm Trusting")
        for seconds in (20, 40):  # retry if the command finds no notebook
            self.page.evaluate(TRUST)
            try:
                confirm.click(timeout=1000 * seconds)
                break
            except PlaywrightTimeout:
                print("nothing to confirm")
        # Trusting saves the notebook; closing it before that would open a dialog.
        self.page.evaluate("() => globalThis.trusting")
        assert self.page.evaluate(IS_TRUSTED)

    def run_cell(self, k):
        """Run a code cell and wait until it has finished."""
        self.page.evaluate(RUN_CELL, k)
        cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(k)
        prompt = cell.locator(".jp-InputPrompt")
        expect(prompt).to_have_text(f"[{k + 1}]:", timeout=60_000)

    def restart_kernel(self):
        self.choose("Kernel", "Restart Kernel…")
        self.page.get_by_role("button", name="Confirm Kernel Restart").click()
        self.wait_for_kernel()

    def pictures(self):
        """Return the number of visible pictures in each cell."""
        return self.page.evaluate(VISIBLE_PICTURES)

    def outputs(self):
        """Return (cell, output) for all outputs."""
        cells = enumerate(self.page.evaluate(OUTPUTS))
        return [(index, output) for index, outputs in cells for output in outputs]

    def errors(self):
        """Return (cell, text) for each error."""
        return [
            (index, f"{output['ename']}: {output['evalue']}")
            for index, output in self.outputs()
            if output["output_type"] == "error"
        ]

    def warnings(self):
        """Return (cell, text) for each piece of stderr."""
        return [
            (index, output["text"])
            for index, output in self.outputs()
            if output.get("name") == "stderr"
        ]

    def steppers(self):
        """Return the steppers on the page."""
        return self.page.locator(".jp-Notebook .c5-stepper:not(.c5-training)").all()


@pytest.fixture(scope="session")
def desk(browser):
    """A worker's page with JupyterLab, which its readers use one after another."""
    with browser.new_context(viewport={"width": 1300, "height": 900}) as window:
        yield window.new_page()


@pytest.fixture
def reader(lab, desk, request):
    """Return a reader; the notebooks and kernels are closed after the test."""
    failed = request.session.testsfailed
    reader = Reader(lab, desk)
    yield reader
    reader.leave()
    if request.session.testsfailed > failed:  # anything may be open there
        desk.goto("about:blank")

"""Shared by all test modules: plots without windows and repeatable random programs."""

import functools
import os
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# One thread per process: matrices are small, and workers would compete for the cores. Set before
# NumPy is imported; notebooks' kernels inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Neither tests nor the notebooks that nbval runs save progress in the checkout.
_elsewhere = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
os.environ["COMP551AD_PROGRESS"] = str(Path(_elsewhere.name) / "progress.json")

# Workers, JupyterLab and commands start two seconds faster; see there.
_paths = str(Path(__file__).parent / "without"), os.environ.get("PYTHONPATH")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, _paths))

import nbval.kernel  # noqa: E402
import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402
from xdist.scheduler import LoadFileScheduling  # noqa: E402

# The same examples on every run; `--hypothesis-profile=long` tries many more.
settings.register_profile("house", deadline=None, derandomize=True, database=None)
settings.register_profile("long", deadline=None, max_examples=10_000, database=None)
settings.load_profile("house")

_start_new_kernel = nbval.kernel.start_new_kernel


def start_new_kernel(**options):
    """Start a notebook's kernel with no programs on its PATH, not even Graphviz's. Retry once if
    it dies immediately, as another process may have chosen the same free ports. (JupyterLab
    retries too.)
    """
    options["env"] = os.environ | {"PATH": str(Path(sys.executable).parent)}
    try:
        return _start_new_kernel(**options)
    except RuntimeError:
        return _start_new_kernel(**options)


nbval.kernel.start_new_kernel = start_new_kernel
# Otherwise each message, with megabytes of pictures, is formatted for a log that isn't kept.
nbval.kernel.pformat = lambda message: message


class Schedule(LoadFileScheduling):
    """Run a file's tests in one worker, as a notebook's cells share a kernel and JupyterLab is
    started once. Running pages are distributed singly, as they would occupy a worker for minutes.
    """

    def _split_scope(self, nodeid):
        is_long = nodeid.startswith("tests/browser/test_running.py::test_a_notebook")
        return nodeid if is_long else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)  # tests also run without workers
def pytest_xdist_make_scheduler(config, log):
    return Schedule(config, log)


@pytest.fixture(scope="session", autouse=True)
def plots_need_no_window():
    """Draw without windows, even on a machine with a screen.

    Not with an environment variable: notebooks that nbval runs would inherit it and show no
    pictures.
    """
    import matplotlib

    matplotlib.use("agg")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def _serving(folder):
    handler = functools.partial(_Quiet, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def serve():
    """Return a function that serves a folder on this machine and returns its address."""
    with ExitStack() as servers:
        yield lambda folder: servers.enter_context(_serving(folder))


@pytest.fixture(autouse=True)
def every_figure_is_closed():
    """Close a test's figures, so that no other test sees them."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


# --- notebooks leave nothing behind -------------------------------------------

ROOMS = [
    Path(__file__).parent.parent / n for n in ("lectures", "exercises", "solutions")
]
BEFORE = pytest.StashKey()


def files_beside_notebooks():
    every = {path for room in ROOMS for path in room.rglob("*")}
    return {p for p in every if p.suffix != ".ipynb" and "checkpoints" not in str(p)}


def pytest_sessionstart(session):
    session.config.stash[BEFORE] = files_beside_notebooks()


def pytest_sessionfinish(session):
    """Fail if a notebook wrote a file: if another one read it, the order would matter."""
    if hasattr(session.config, "workerinput"):  # one of xdist's workers
        return
    if new := files_beside_notebooks() - session.config.stash[BEFORE]:
        names = ", ".join(sorted(str(path) for path in new))
        print(
            f"\nthis run left new files beside the notebooks: {names}", file=sys.stderr
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def fence(tmp_path_factory):
    """The sandbox for submissions on this machine, with a copy of the course."""
    from comp551ad.exercises.grade.sandbox import Fence, course_copy

    folder = tmp_path_factory.mktemp("course")
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    return Fence.best(course_copy(folder))


@pytest.fixture(scope="session")
def deck():
    """The deck's own example, recorded (S12)."""
    import numpy as np

    from comp551ad import record

    def model(w0, w1, x):
        a = w1 * x + w0
        y1, y2 = np.sin(a), np.cos(a)
        return y1, y2

    return record(model, w0=0.5, w1=2.0, x=1.0)


@pytest.fixture
def drawn(monkeypatch):
    """The axes of each frame that a player draws, instead of pictures."""
    import numpy as np
    from matplotlib.figure import Figure

    from comp551ad import PicturePlayer

    seen = []

    def played(label, words, draw, *look, rows=1, columns=2):
        for k in range(len(words)):
            seen.append(np.ravel(Figure().subplots(rows, columns)))
            draw(k, *seen[-1])
        return PicturePlayer(label, [{**one, "html": ""} for one in words])

    monkeypatch.setattr("comp551ad.show.scenes._played", played)
    return seen

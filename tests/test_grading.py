"""Grading a class: honest work of every kind, broken files, and cheating.

Tests of the sandbox are skipped where bubblewrap doesn't work; continuous integration has it.
"""

import csv
import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import zipfile
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest

from comp551ad.__main__ import main
from comp551ad.exercises.grade import command, sandbox, submissions
from comp551ad.exercises.grade.assembling import (
    Step,
    assemble,
    read_cells,
)
from comp551ad.exercises.grade.marking import Result, mark
from comp551ad.exercises.grade.reports import (
    Course,
    Exercise,
    Graded,
    Roster,
    write_all,
)
from comp551ad.exercises.grade.sandbox import Fence, Limits
from comp551ad.exercises.grade.submissions import Refused, save, submissions_in
from comp551ad.exercises.language import VARIABLE

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


@pytest.fixture(scope="session")
def sandboxed(fence):
    """Skip tests that need the sandbox if it isn't available."""
    if not fence.is_safe:
        pytest.skip("bubblewrap doesn't work here")


# --- a class --------------------------------------------------------------------------


def cell_of(notebook, grade_id):
    cells = notebook.cells
    return next(
        c for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )


def notebook(**answers):
    """Our exercise notebook with these answers, and the right ones for all others."""
    made = nbformat.read(ROOT / "exercises" / NAME, as_version=4)
    for name in EXERCISES:
        cell_of(made, name).source = answers.get(name, RIGHT[name])
    return made


def hand_in(submissions, student, made, name=NAME):
    path = submissions / student / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = made if isinstance(made, str) else nbformat.writes(made)
    path.write_text(text, encoding="utf-8")


def in_disorder():
    """Checks are deleted or empty, and the student's own cells are between ours.

    One answer occurs twice, and one is in its check's cell.
    """
    made = notebook(
        pull_back="def pull_back(J, g):\n    return turned(J) @ g\ncheck = print"
    )
    made.cells.remove(cell_of(made, "polar_jacobian-check"))
    cell_of(made, "pull_back-check").source = "True"
    # A helper, our imports again, and a call.
    helper, call = "turned = lambda J: J.T\nimport math", "turned(np.eye(2))"
    at = made.cells.index(cell_of(made, "pull_back")) - 1
    cells = helper, made.cells[1].source, call
    made.cells[at:at] = map(nbformat.v4.new_code_cell, cells)
    first_try = deepcopy(cell_of(made, "softmax_jacobian"))
    first_try.id = "first-try"
    first_try.source = "def softmax_jacobian(p):\n    return None"
    made.cells.insert(3, first_try)
    # An answer at the end, below its stub and its check.
    made.cells.append(nbformat.v4.new_code_cell(RIGHT["polar_jacobian"]))
    cell_of(made, "polar_jacobian").source = untouched().cells[4].source
    check_cell = cell_of(made, "sum_over_paths-check")
    check_cell.source = f"{RIGHT['sum_over_paths']}\n{check_cell.source}"
    made.cells.remove(cell_of(made, "sum_over_paths"))
    made.cells[0].metadata["nbgrader"] = None
    return made


def untouched():
    return nbformat.read(ROOT / "exercises" / NAME, as_version=4)


def with_first_cells(*sources, made=None):
    """A notebook, by default a right one, with additional cells before all others."""
    made = made or notebook()
    made.cells[:0] = map(nbformat.v4.new_code_cell, sources)
    return made


BODY = "def pull_back(J, g):\n    "
FILL = """for k in range(10):
    with open(f"%s/{k}.bin", "wb") as file:
        file.write(bytes(60_000_000))"""


def as_in_a_kernel():
    """Magics, ``await``, widgets, ``exit()``, and the student's own check."""
    return with_first_cells(
        """%matplotlib inline
%config InlineBackend.figure_format = 'retina'
%load_ext autoreload
%autoreload 2
get_ipython().run_line_magic('matplotlib', 'widget')
import matplotlib.pyplot as plt
plt.plot([1, 2]); plt.show()
def back(J, g): return J.T @ g
""",
        "import asyncio\nawait asyncio.sleep(0)\nawaited = lambda J, g: back(J, g)",
        "import ipywidgets\nfrom IPython.display import display\n"
        "s = ipywidgets.IntSlider()\ndisplay(s)\ns",
        "exit()",
        "from comp551ad.exercises import *\n"
        "set_language('fr')\n"
        "def pull_back(J, g): return g @ J\n"
        "v = check(pull_back)\nassert v.passed and v.case is None\n"
        "hint(pull_back); progress('02')",
        made=notebook(pull_back="%%time\npull_back = awaited"),
    )


HONEST = {
    "all right": notebook,
    "in disorder": in_disorder,
    "as in a kernel": as_in_a_kernel,
    # With files beside the notebook.
    "Zoë (李明)": lambda: notebook(
        polar_jacobian="polar_jacobian = lambda r, phi: np.array(\n"
        "    [[np.cos(phi), -r * np.sin(phi)], [np.sin(phi), r * np.cos(phi)]])",
        pull_back="import sys\nsys.path.append('..')\nprint(open('../data/n.txt').read())\n"
        "from mine import back as pull_back",
        softmax_jacobian="class Table:\n    def __call__(self, p):\n"
        "        return np.diag(p) - np.outer(p, p)\nsoftmax_jacobian = Table()",
        sum_over_paths="from functools import partial\n"
        "def table(u, v): return {'through u': u, 'through v': v, 'all': u + '+' + v}\n"
        "sum_over_paths = partial(table, 'v * cos(x)', '2 * u * v')",
    ),
}
OTHERWISE_SENT = "zipped in utf-16", "renamed, with a byte order mark"

# The points, the problem, and for notebooks how to make them.
BROKEN = {
    "wrong": (
        "0010",
        "",
        lambda: notebook(
            polar_jacobian="def polar_jacobian(r, phi):\n    return 1 / 0",
            pull_back="def pull_back(J, g):\n    return J @ g",
            softmax_jacobian="softmax_jacobian = 3",
        ),
    ),
    "ends": (
        "0010",
        "polar_jacobian raised ModuleNotFoundError: No module named 'no_such'.*"
        "cell pull_back raised SystemExit:.*"
        r"cell softmax_jacobian ended its process \(exit code 1\)",
        lambda: notebook(
            polar_jacobian=f"import no_such{RIGHT['polar_jacobian']}",
            pull_back="import sys\nsys.exit()",
            softmax_jacobian="import os\nos._exit(1)",
        ),
    ),
    "cut off": ("0000", "is not JSON", lambda: nbformat.writes(notebook())[:-20]),
    "loops": (
        "0000",
        "cell polar_jacobian (ran longer|took too long)",
        lambda: notebook(
            polar_jacobian="def polar_jacobian(r, phi):\n    while True: pass",
            pull_back=f"{BODY}a = []\n    a.append(a)\n    return a",
            sum_over_paths="def sum_over_paths():\n"
            "    return {k: '9 ** 9 ** 9 ** 9' for k in ('through u', 'through v', 'all')}",
            softmax_jacobian="def softmax_jacobian(p):\n    return bytearray(3 * 10**9)",
        ),
    ),
    "loops on": (
        "0011",
        "^[^;]*cell pull_back ran longer than 5 s$",
        lambda: notebook(
            polar_jacobian="def polar_jacobian(r, phi):\n    return np.ones(5_000_000)",
            pull_back="while True:\n    try:\n        1 + 1\n"
            "    except BaseException:\n        2",
        ),
    ),
    "says more than anybody reads": (
        "1001",
        "^([^;]{1,300};){49} and so on$",
        lambda: with_first_cells(
            *["{}['x' * 10**6]", "raise ValueError('x' * 10**6)"] * 26,
            made=notebook(
                pull_back=f"{BODY}raise ValueError('x' * 10**6)",
                sum_over_paths="def sum_over_paths():\n    return {'y' * 10**6: 1}",
            ),
        ),
    ),
    "handed in twice": (
        "1111",
        f"{NAME}: 2 files match this notebook; {NAME} was",
        notebook,
    ),
    "empty": ("    ", "^nothing handed in$", None),
    "link to a file": ("    ", "is a link", None),
    "link to a folder": ("    ", "is a link", None),
}


# --- cheating and malicious submissions -----------------------------------------------

ALL_WRONG = {
    "polar_jacobian": "def polar_jacobian(r, phi):\n    return 0",
    "pull_back": "def pull_back(J, g):\n    return 0",
    "sum_over_paths": "def sum_over_paths():\n    return {}",
    "softmax_jacobian": "def softmax_jacobian(p):\n    return 0",
}
# Attempts to access what is forbidden, one per cell, and their outcomes; all the answers are
# wrong, and two compare equal to everything.
REACHES = {
    "the judge": (
        "import comp551ad.exercises.checking as c\nc._judged = lambda *_: 1",
        "ModuleNotFoundError: No module named 'comp551ad.exercises.checking'",
    ),
    "the marking": (
        "import comp551ad.exercises.grade.marking as m\nm._result = lambda *_: 1",
        "ModuleNotFoundError: No module named 'comp551ad.exercises.grade.marking'",
    ),
    "the witness": (
        "from comp551ad.exercises.catalogue import catalogue\n"
        "pull = catalogue()['pull_back'].witness",
        "No module named 'comp551ad.exercises.catalogue'",
    ),
    "the check": ("check = lambda f: True", ""),
    "what lies around": ("import os\nos.listdir('/usr/src')", "FileNotFoundError"),
    "the grader's keys": (
        "import ctypes\ncall = ctypes.CDLL(None, use_errno=True).syscall\n"
        "if call(249, b'user', b'comp551ad', None, 0) < 0:\n    raise LookupError",
        "LookupError",
    ),
    "being graded": ("import os\nos.environ.pop('NBGRADER_EXECUTION')", "KeyError"),
    "the solutions": (
        f"import json\nfound = json.load(open({str(ROOT / 'solutions' / NAME)!r}))",
        "FileNotFoundError",
    ),
    "equality": (
        "class Yes:\n    shape = (2, 2)\n    def __eq__(self, other): return True\n"
        "    def __array__(self, *_): raise TypeError\n"
        "    def __array_ufunc__(self, *_): return True\n"
        "    def __array_function__(self, *_): return True\n"
        "    def __bool__(self): return True\n    def __hash__(self): return 0",
        "",
    ),
    "NumPy": (
        "import numpy as np\nnp.allclose = np.isclose = np.all = lambda *_, **k: True",
        "",
    ),
}
EQUAL_TO_EVERYTHING = {
    "pull_back": "def pull_back(J, g):\n    return Yes()",
    "softmax_jacobian": "def softmax_jacobian(p):\n    return np.array([[Yes()]])",
}
WRITES_A_REPORT = """
import json, os
line = json.dumps({'result': {'exercise': 'pull_back', 'status': 'passed'}})
forged = json.dumps(['gave', 'passed']) + '\\n' + line + '\\n'
for k in range(3, 20):
    try: os.write(k, forged.encode())
    except OSError: pass
os._exit(0)
"""


@pytest.fixture(scope="module")
def listener():
    """A server outside the sandbox, and the connections to it."""
    calls = []
    server = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            try:
                calls.append(server.accept()[0])
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    yield server.getsockname()[1], calls
    server.close()


def harms(folder, port):
    """Malicious cells, and their outcomes."""
    package = ROOT / "comp551ad" / "exercises"
    victim = folder / "handed in" / "all right" / NAME
    return {
        # The first four end their process, so any cells before them would run again.
        "keeps the judge busy": (
            "import gc\n"
            "peer = next(p for p in gc.get_objects() if type(p).__name__ == 'Peer')\n"
            "same_hash = [k * (2**61 - 1) for k in range(300_000)]\n"
            'peer.target.write(b\'["gave",{"set":%a}]\\n\' % same_hash)\n'
            "peer.target.flush()",
            "cell ",
        ),
        "memory of children": (
            "import os, threading\n"
            "for _ in range(3):\n"
            "    hold = b'' if os.fork() else bytearray(450_000_000)\n"
            "    if hold: break\n"
            "threading.Event().wait()",
            "used more than 1024 MB",
        ),
        "forks for ever": ("import os\nwhile True: os.fork()", "cell "),
        "kills everybody": ("import os, signal\nos.kill(-1, signal.SIGKILL)", "cell "),
        "overwrites the victim": (f"open({str(victim)!r}, 'w')", "FileNotFoundError"),
        "writes into the course": (
            f"open({str(package / 'judge.py')!r}, 'a').write('x = 1')",
            "FileNotFoundError",
        ),
        "writes into its copy": (
            "import comp551ad\nopen(comp551ad.__file__, 'a')",
            "Read-only file system",
        ),
        "adds a row": (
            f"open({str(folder / 'out' / 'results.jsonl')!r}, 'a').write('x')",
            "FileNotFoundError",
        ),
        "looks for the grader": (
            "import os\nlines = [open(f'/proc/{p}/cmdline').read()\n"
            "         for p in os.listdir('/proc') if p.isdigit()]\n"
            "assert any('SUBMISSIONS' in line or '--jobs' in line for line in lines)",
            "AssertionError",
        ),
        "reads the token": ("import os\nos.environ['CANVAS_TOKEN']", "KeyError"),
        "calls home": (
            f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)",
            "ConnectionRefusedError",
        ),
        "kills its parent": (
            "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n"
            "raise SystemError('still there')",
            "SystemError: still there",
        ),
        "deletes what it can": (
            f"import shutil\nfor p in {[str(ROOT), str(folder), '/course', '/given']}:\n"
            "    shutil.rmtree(p, ignore_errors=True)\n"
            "import comp551ad\nopen(comp551ad.__file__).close()",
            "",
        ),
        "leaves a process behind": (
            "import subprocess\nsubprocess.Popen(['sleep', '2718281'], "
            "start_new_session=True)",
            "",
        ),
        "leaves an orphan behind": (
            "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
            "        os.execvp('sleep', ['sleep', '2718281'])\n    os._exit(0)",
            "",
        ),
        "prints 50 MB": ("for _ in range(500):\n    print('x' * 100_000)", ""),
        "floods the error output": (
            "import os\nfor _ in range(1000):\n    os.write(2, bytes(1_000_000))",
            "",
        ),
        "is no text": ("x = '\0'", "null byte"),
        "fills the disk": (FILL % ".", "OSError: [Errno 28]"),
        "fills the disk in memory": (FILL % "/dev/shm", "OSError: [Errno 28]"),
    }


def tree_of(*folders):
    """Every file in some folders, with its size and modification time."""
    return {
        path: (path.lstat().st_size, path.lstat().st_mtime_ns)
        for folder in folders
        for path in Path(folder).rglob("*")
        if "__pycache__" not in path.parts
    }


# --- the whole class, graded once -----------------------------------------------------


@pytest.fixture(scope="module")
def graded(tmp_path_factory, listener, sandboxed):
    """The class's table by student, and what the command printed."""
    folder = tmp_path_factory.mktemp("class")
    everyone = folder / "handed in"
    for student, made in HONEST.items():
        name = f"exercises/{NAME}" if student.startswith("Zoë") else NAME
        hand_in(everyone, student, made(), name)
    for student, (_, _, made) in BROKEN.items():
        if made:
            hand_in(everyone, student, made())
    forged = with_first_cells(WRITES_A_REPORT, made=notebook(**ALL_WRONG))
    hand_in(everyone, "writes a report", forged)
    reaches = [source for source, _ in REACHES.values()]
    made = notebook(**ALL_WRONG | EQUAL_TO_EVERYTHING)
    hand_in(everyone, "reaches", with_first_cells(*reaches, made=made))
    harm = [source for source, _ in harms(folder, listener[0]).values()]
    hand_in(everyone, "harms", with_first_cells(*harm))
    helped = everyone / "Zoë (李明)"
    (helped / "mine.py").write_text("back = lambda J, g: J.T @ g")
    # As in a kernel, helpers may have the name of an earlier import.
    for name in ("base64", "code", "numpy", "queue", "IPython"):
        (helped / "exercises" / f"{name}.py").write_text("mine = True")
    (helped / "data").mkdir()
    (helped / "data" / "n.txt").write_text("5")
    text = nbformat.writes(notebook())
    with zipfile.ZipFile(folder / "inside.zip", "w") as archive:
        # As Windows might write it.
        archive.writestr(f"my work\\{NAME}", text.encode("utf-16"))
        archive.writestr(f"__MACOSX/._{NAME}", "x")
    with zipfile.ZipFile(everyone / "zipped in utf-16.zip", "w") as archive:
        archive.write(folder / "inside.zip", "all/inside.zip")
    with zipfile.ZipFile(everyone / "handed in twice.zip", "w") as archive:
        archive.writestr(f"older/{NAME}", nbformat.writes(notebook(**ALL_WRONG)))
    loose = json.loads(text)
    del loose["cells"][0]["metadata"]
    renamed = "handed in/Copy of 02 derivatives (1).ipynb.txt"
    marked = f"\ufeff{json.dumps(loose)}"
    hand_in(everyone, "renamed, with a byte order mark", marked, renamed)
    (everyone / "empty").mkdir()
    (everyone / os.fsdecode(b"nobody's \xff")).touch()
    (everyone / "link to a file").mkdir()
    (everyone / "link to a file" / NAME).symlink_to(ROOT / "solutions" / NAME)
    (everyone / "link to a folder").symlink_to(ROOT / "solutions")
    # A key in the session's keyring, with the system call numbers of x86-64.
    call, keyring = ctypes.CDLL(None).syscall, ctypes.c_int(-3)
    key = call(248, b"user", b"comp551ad", b"ticket", 6, keyring)
    before = tree_of(everyone, *(ROOT / part for part in ("comp551ad", "solutions")))
    ran = subprocess.run(
        [sys.executable, "-m", "comp551ad", "grade", str(everyone), str(folder / "out")]
        + ["--exercises", str(ROOT / "exercises"), "--lectures", "02", "--jobs", "2"]
        + ["--timeout", "5", "--notebook-timeout", "120", "--memory", "1024"],
        cwd=ROOT,
        env=os.environ | {"CANVAS_TOKEN": "secret"},
        capture_output=True,
        text=True,
        check=False,
    )
    call(250, 9, key, keyring)  # removed again
    assert ran.returncode == 0, ran.stderr
    assert before == tree_of(everyone, *(ROOT / p for p in ("comp551ad", "solutions")))
    with open(folder / "out" / "grades.csv", encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}, ran, folder


def points(row):
    return "".join(row[f"02 {name}"] or " " for name in EXERCISES)


@pytest.mark.parametrize("student", [*HONEST, *OTHERWISE_SENT])
def test_honest_work_loses_nothing(graded, student):
    row = graded[0][student]
    assert (points(row), row["problems"]) == ("1111", "")


@pytest.mark.parametrize("student", BROKEN)
def test_what_is_broken_costs_what_is_broken(graded, student):
    row, (earned, problem, _) = graded[0][student], BROKEN[student]
    assert points(row) == earned
    if problem is not None:
        assert re.search(problem, row["problems"])
        assert bool(problem) == bool(row["problems"])


def test_a_forged_report_earns_nothing(graded):
    row = graded[0]["writes a report"]
    assert points(row) == "0000" and "cell 1 " in row["problems"]


@pytest.mark.parametrize(
    "student, what",
    [
        *(("reaches", what) for what in REACHES),
        *(("harms", what) for what in harms(Path(), 0)),
    ],
)
def test_what_is_out_of_reach_is_refused(graded, student, what):
    """Cell by cell; the answers still earn their points."""
    rows, _, folder = graded
    known = {"reaches": REACHES, "harms": harms(folder, 0)}[student]
    refused, cell = known[what][1], f"{NAME}: cell {[*known].index(what) + 1} "
    told = [p for p in rows[student]["problems"].split("; ") if p.startswith(cell)]
    assert len(told) == bool(refused) and all(refused in problem for problem in told)
    assert points(rows[student]) == {"reaches": "0000", "harms": "1111"}[student]


def test_nobody_calls_home_or_stays(graded, listener):
    assert listener[1] == []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with open(path, "rb") as file:
            assert b"2718281" not in file.read()


def test_equal_submissions_get_equal_rows(graded):
    one, other = (dict(graded[0][name]) for name in ("all right", "zipped in utf-16"))
    assert one | {"student": ""} == other | {"student": ""}


def test_details_name_the_mistake(graded):
    path = graded[2] / "out" / "details.csv"
    with open(path, encoding="utf-8-sig", newline="") as file:
        found = {
            (r["student"], r["exercise"]): r["found"] for r in csv.DictReader(file)
        }
    assert found["wrong", "pull_back"] == "the transpose is missing"
    assert found["wrong", "softmax_jacobian"] == "not a function"


def test_names_are_in_the_output_folder_alone(graded):
    rows, ran, folder = graded
    assert (folder / "out/not_graded.txt").read_text() == "nobody's \\udcff\n"
    assert not [name for name in rows if name in ran.stdout + ran.stderr]
    pages = [
        path.read_text("utf-8") for path in (folder / "out/feedback").glob("*.html")
    ]
    assert len(pages) == len(rows)
    assert max(map(len, pages)) < 30_000
    (wrong,) = [page for page in pages if "<h1>wrong:" in page]
    assert "pull_back: the transpose is missing" in wrong and "Hint:" in wrong
    assert "(line 2: return 1 / 0)" in wrong


# --- answers through the pipe ---------------------------------------------------------

BY_LIBRARY = """
from comp551ad import jacobian, softmax
from comp551ad.autodiff import transforms
def softmax_jacobian(p):
    return jacobian(softmax)(np.log(p))
"""
BY_JVP = """
from comp551ad import jvp
def slope_along(f, p, v):
    return jvp(f, (p,), (v,))[1] / np.linalg.norm(v)
def hessian_times(gradient, w, a):
    return jvp(gradient, (w,), (a,))[1]
"""
# Answers to softmax_jacobian that call the library nevertheless. All in one sandbox, in this
# order: the first one imports nothing until it is called.
BY_DETOURS = {
    "imports it at the last moment": """
def softmax_jacobian(p):
    from comp551ad.autodiff.jacobians import jacobian
    from comp551ad import softmax
    return jacobian(softmax)(np.log(p))
""",
    "copies it at the last moment": """
def softmax_jacobian(p):
    import shutil, comp551ad
    shutil.copytree(comp551ad.__path__[0], "late", dirs_exist_ok=True)
    from late.autodiff.jacobians import jacobian
    from late.functions import softmax
    return jacobian(softmax)(np.log(p))
""",
    "puts the functions' code back": f"""{BY_LIBRARY}
import gc
from types import FunctionType
kept = [(f, f.__code__) for f in gc.get_objects() if type(f) is FunctionType]
by_library = softmax_jacobian
def softmax_jacobian(p):
    for f, code in kept:
        if f.__code__ is not code:
            f.__code__ = code
    return by_library(p)
""",
    "hides its functions": f"import gc\ngc.get_objects = lambda *_: []\n{BY_LIBRARY}",
    "copies the library": """
import shutil
import comp551ad
shutil.copytree(comp551ad.__path__[0], "mine")
from mine.autodiff.jacobians import jacobian
from mine.functions import softmax
def softmax_jacobian(p):
    return jacobian(softmax)(np.log(p))
""",
    "uses it without a profiler": f"""{BY_LIBRARY}
import sys
by_library = softmax_jacobian
def softmax_jacobian(p):
    sys.setprofile(None)
    sys.settrace(None)
    return by_library(p)
""",
    "uses it by another name": """
from comp551ad import jacobian, softmax
softmax_jacobian = lambda p, f=jacobian(softmax): f(np.log(p))
""",
    "asks another process": """
import json, subprocess, sys
PROGRAM = '''import sys, json, numpy as np
from comp551ad import jacobian, softmax
p = json.loads(sys.argv[1])
print(json.dumps(jacobian(softmax)(np.log(p)).tolist()))'''
def softmax_jacobian(p):
    asked = [sys.executable, "-c", PROGRAM, json.dumps(list(p))]
    return np.array(json.loads(subprocess.check_output(asked)))
""",
}
# An exercise, an answer that goes further, and the verdict on it; methods that a lecture teaches
# are allowed. The last one would leave the others without modules.
FURTHER = {
    # The refusal is raised in the thread, whose list stays empty.
    "uses it in a thread": (
        "softmax_jacobian",
        BY_LIBRARY.replace("def softmax_jacobian", "def found")
        + """
import threading
def softmax_jacobian(p):
    kept = []
    t = threading.Thread(target=lambda: kept.append(found(p)))
    t.start(); t.join()
    return kept[0]
""",
        "^it raises IndexError$",
    ),
    "has a process from before": (
        "softmax_jacobian",
        """
import json, os
from comp551ad import jacobian, softmax
(asked, ask), (read, give) = os.pipe(), os.pipe()
if os.fork() == 0:
    for line in os.fdopen(asked):
        found = jacobian(softmax)(np.log(json.loads(line)))
        os.write(give, f"{json.dumps(found.tolist())}\\n".encode())
    os._exit(0)
os.close(give)
answers = os.fdopen(read)
def softmax_jacobian(p):
    os.write(ask, f"{json.dumps(list(p))}\\n".encode())
    return np.array(json.loads(answers.readline()))
""",
        "^it raises JSONDecodeError$",
    ),
    "imports another library": (
        "softmax_jacobian",
        """
def softmax_jacobian(p):
    import autograd, autograd.numpy as a
    f = lambda u: a.exp(u) / a.sum(a.exp(u))
    return autograd.jacobian(f)(np.log(p))
""",
        "^it raises ModuleNotFoundError$",
    ),
    "takes differences": (
        "polar_jacobian",
        """
def polar_jacobian(r, phi, h=6e-6):
    f = lambda r, p: np.array([r * np.cos(p), r * np.sin(p)])
    return np.array([(f(r + h, phi) - f(r - h, phi)) / (2 * h),
                     (f(r, phi + h) - f(r, phi - h)) / (2 * h)]).T
""",
        "as differences are",
    ),
    "looks for the answer in the frames": (
        "pull_back",
        """
import sys
def pull_back(J, g):
    frame = sys._getframe()
    while frame:
        if "right" in frame.f_locals:
            return frame.f_locals["right"]
        frame = frame.f_back
""",
        "^it returns nothing$",
    ),
    "is taught it": ("slope_along", BY_JVP, None),
    "is taught it twice": ("hessian_times", BY_JVP, None),
    "reads it in again": (
        "softmax_jacobian",
        """
import sys
def softmax_jacobian(p):
    for name in [m for m in sys.modules if m.startswith("comp551ad")]:
        del sys.modules[name]
    from comp551ad import jacobian, softmax
    return jacobian(softmax)(np.log(p))
""",
        "^it calls the library$",
    ),
}
WAYS = {
    way: ("softmax_jacobian", source, "^it calls the library$")
    for way, source in BY_DETOURS.items()
} | FURTHER


@pytest.fixture(scope="module")
def marked(fence, sandboxed, tmp_path_factory):
    """The results of all these answers."""
    given = tmp_path_factory.mktemp("given")
    # A file that would be imported before everything else doesn't help either.
    hides = "import gc\ngc.get_objects = lambda *_: []\nseed = print"
    (given / "random.py").write_text(hides)
    steps = [Step("", "import numpy as np")]
    for way, (exercise, source, _) in WAYS.items():
        steps += [Step(way, source), Step(exercise)]
    found = list(mark(steps, given, fence, Limits()))
    assert [problem for problem in found if isinstance(problem, str)] == []
    return dict(zip(WAYS, found, strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_what_is_forbidden_earns_nothing_and_what_is_taught_passes(marked, way):
    _, _, words = WAYS[way]
    assert (marked[way].status == "passed") == (words is None)
    assert words is None or re.search(words, marked[way].found)


# --- which cells are run --------------------------------------------------------------


def code(source, grade_id="", is_answer=False, is_check=False):
    about = {"grade_id": grade_id, "solution": is_answer, "grade": is_check}
    return {"cell_type": "code", "source": source, "metadata": {"nbgrader": about}}


def text(source):
    return {"cell_type": "markdown", "source": source, "metadata": {}}


OURS = [
    text("# Title"),
    code("import numpy"),
    code("stub", "a", is_answer=True),
    code("check(a)", "a-check", is_check=True),
    code("progress()"),
]
SETUP = [Step("", "import numpy"), Step("", "progress()")]  # ours, if some are missing
A = Step("a")


@pytest.mark.parametrize(
    "theirs, run",
    [
        (OURS, ["1", "a", A, "4"]),
        ([], [*SETUP, A]),
        ([code("mine", "a", is_check=True)], [*SETUP, "a", A]),
        ([code("ok", "a-check", is_answer=True), OURS[2]], [*SETUP, "a-check", "a", A]),
        ([*OURS[:2], code("def a(): 1"), OURS[3]], [*SETUP, "1", "2", A]),
        ([*OURS[2:], OURS[1]], [*SETUP, "a", A, "3", "4"]),
        ([*OURS[:3], OURS[1], *OURS[3:]], [*SETUP, "1", "a", "3", A, "5"]),
        ([OURS[1], code("def a(): 1"), code("check(a)")], [*SETUP, "1", "2", A]),
        ([text("# Title"), code("def a(): 1"), code("2")], [*SETUP, "1", "2", A]),
    ],
    ids=[
        *("untouched", "nothing", "an answer with the metadata of a check"),
        *("an answer below its check", "an answer without metadata"),
        *("an import at the end", "an import copied further down"),
        *("no metadata", "no metadata and no check"),
    ],
)
def test_our_checks_among_their_cells(theirs, run):
    """Theirs are recognized only by their labels."""
    both = [
        read_cells(json.dumps({"cells": cells}).encode()) for cells in (OURS, theirs)
    ]
    steps = assemble(*both)
    ours = [step for step in steps if step.source is None or not step.label]
    assert [step if step in ours else step.label for step in steps] == run


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "not a version 4 notebook"),
        (b'{"worksheets": []}', "not a version 4 notebook"),
        (b'{"cells": [1]}', "has an invalid cell"),
        (b'{"cells": [{"cell_type": "code"}]}', "has an invalid cell"),
        (b'{"cells": [{"cell_type": "code", "source": 3}]}', "has an invalid cell"),
        (
            b'{"cells": [{"cell_type": "code", "source": "", "metadata": 3}]}',
            "has an invalid cell",
        ),
    ],
)
def test_what_is_no_notebook_is_named(content, words):
    with pytest.raises(Refused, match=words):
        read_cells(content)


# --- who submitted what ---------------------------------------------------------------


def lay_out(folder, *names):
    """Write files with these names, or a zip file of them if the folder's name ends in .zip."""
    if folder.suffix == ".zip":
        with zipfile.ZipFile(folder, "w") as archive:
            for name in names:
                archive.writestr(name, "{}")
        return folder
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return folder


LAYOUTS = {
    "folders": (
        ["zoe/02_a.ipynb", "zoe/deeper/mine.py", "Ann B/02_a.ipynb", "Ann B/.git/x"],
        {"Ann B": ("", ["02_a.ipynb"]), "zoe": ("", ["02_a.ipynb", "deeper/mine.py"])},
    ),
    "Moodle": (
        [
            "Zoë Li_4711_assignsubmission_file_/02_a.ipynb",
            "Zoë Li_4711_assignsubmission_onlinetext_/onlinetext.html",
            "Ann B_12_assignsubmission_file/02_a.ipynb",
        ],
        {
            "Ann B 12": ("12", ["02_a.ipynb"]),
            "Zoë Li 4711": ("4711", ["02_a.ipynb", "onlinetext.html"]),
        },
    ),
    "Canvas": (
        [
            "lizoe_LATE_123_456_02_a-1.ipynb",
            "lizoe_123_457_mine.py",
            "bann_9_8_02_a.ipynb",
        ],
        {
            "bann 9": ("9", ["02_a.ipynb"]),
            "lizoe 123": ("123", ["02_a-1.ipynb", "mine.py"]),
        },
    ),
    "a file each": (
        ["zoe.zip", "ann.ipynb", "__MACOSX/._zoe.zip", ".DS_Store"],
        {"ann": ("", ["ann.ipynb"]), "zoe": ("", ["zoe.zip"])},
    ),
}


@pytest.mark.parametrize("kind", ["class", "class.zip"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_in_a_folder_and_in_a_zip_file(tmp_path, layout, kind):
    names, expected = LAYOUTS[layout]
    found, nobodys = submissions_in(lay_out(tmp_path / kind, *names), tmp_path / "new")
    assert {
        s.student: (s.id, sorted(name for name, _ in s.files)) for s in found
    } == expected
    assert nobodys == []


def test_what_is_nobodys_is_listed_and_a_single_notebook_is_somebodys(tmp_path):
    lay_out(
        tmp_path, "zoe/02_a.ipynb", "_old/02_a.ipynb", "02_loose.ipynb", "grades.csv"
    )
    new = tmp_path / "new"
    found, nobodys = submissions_in(tmp_path, new)
    assert [s.student for s in found] == ["zoe"]
    assert nobodys == ["02_loose.ipynb", "_old/", "_old/02_a.ipynb", "grades.csv"]
    ((alone,), _) = submissions_in(tmp_path / "02_loose.ipynb", new)
    assert alone.student == "02_loose"
    assert save(alone.files, tmp_path / "saved") == (["02_loose.ipynb"], [])
    (tmp_path / "nobody").mkdir()
    for path in (tmp_path / "none", tmp_path / "nobody", tmp_path / "grades.csv"):
        with pytest.raises(ValueError, match="^submissions: got .*, expected a folder"):
            submissions_in(path, new)


TOO_MUCH = "exceeds the limit for one student: 100 MB in 1000 files"
LINK = zipfile.ZipInfo("07_link.ipynb")
LINK.external_attr = 0o120777 << 16


def test_what_may_not_be_read_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_STUDENT_BYTES", 50_000)
    zoe = lay_out(tmp_path / "class" / "zoe", "02_a.ipynb")
    os.mkfifo(zoe / "04_pipe.ipynb")
    (zoe / "05_device.ipynb").symlink_to("/dev/zero")
    with zipfile.ZipFile(zoe / "06.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../inside.py", "x")
        archive.writestr("inner.zip", "no zip either")
        archive.writestr(LINK, "/etc/passwd")
        # For programs that end names at a null byte, this one is 08_a.ipynb.
        archive.writestr(zipfile.ZipInfo("08_a.ipynb\0.txt"), "{}")
        archive.writestr("broken.py", bytes(range(256)) * 9, zipfile.ZIP_STORED)
        archive.fp.seek(-9, os.SEEK_CUR)
        archive.fp.write(b"\xff" * 9)
    (zoe / "08.zip").write_text("no zip")
    (zoe / "09_large.ipynb").write_text("x" * 50_001)
    ((submission,), _) = submissions_in(tmp_path / "class", tmp_path / "new")
    (tmp_path / "to").mkdir()
    names, problems = save(submission.files, tmp_path / "to" / "saved")
    assert names == ["02_a.ipynb", "08_a.ipynb", "broken.py", "inside.py"]
    assert problems == [
        "04_pipe.ipynb is not a file",
        "05_device.ipynb is a link: hand in the file itself",
        "07_link.ipynb can't be unpacked: is a link: hand in the file itself",
        "broken.py can't be unpacked: Bad CRC-32 for file 'broken.py'",
        "inner.zip is not a zip file",
        "08.zip is not a zip file",
        f"09_large.ipynb {TOO_MUCH}",
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["class", "to"]
    assert [p.name for p in (tmp_path / "to").iterdir()] == ["saved"]


@pytest.mark.parametrize("limit", ["MAX_FILES", "MAX_STUDENT_BYTES"])
def test_a_zip_file_with_too_much_in_it_is_refused(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(submissions, limit, 9_000 if "BYTES" in limit else 4)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for k in range(5):
            archive.writestr(f"{k}.txt", bytes(2000))
    saved = save([("a.zip", str(tmp_path / "a.zip"))], tmp_path / "saved")
    assert saved == ([], [f"a.zip {TOO_MUCH}"])


def test_a_name_that_two_systems_write_in_two_ways_is_one_students(tmp_path):
    lay_out(tmp_path, "Zo\u00eb/02_a.ipynb", "Zoe\u0308/mine.py")
    ((zoe,), _) = submissions_in(tmp_path, tmp_path / "new")
    assert zoe.student == "Zo\u00eb"
    assert sorted(name for name, _ in zoe.files) == ["02_a.ipynb", "mine.py"]


# --- points, late days, tables --------------------------------------------------------

TWO = (Exercise("pull_back", "02", 1), Exercise("grad_W", "03", 2))


def somebody(student="zoe", **statuses):
    results = {"pull_back": "passed", "grad_W": "passed"} | statuses
    return Graded(
        student, results={e: Result(e, status) for e, status in results.items()}
    )


def test_points_and_late_days_come_from_a_small_file(tmp_path):
    assert Course.read(None, TWO).total(somebody()) == 3
    path = tmp_path / "course.toml"
    path.write_text(
        'assignment = "Gradients (77)"\n[points]\npull_back = 3\n"03" = 1.5\n'
        "[late]\nper_day = 0.25\nfree_days = 1\ndays = { zoe = 3, ann = 9 }"
    )
    course = Course.read(path, TWO)
    assert (course.out_of, course.assignment) == (4.5, "Gradients (77)")
    assert course.total(somebody("ben")) == 4.5
    assert course.total(somebody("ben", grad_W="not yet")) == 3
    assert course.total(somebody("zoe")) == 2.25
    assert course.total(somebody("ann")) == 0
    assert course.unmatched([somebody("zoe")], None) == ["late.days.ann"]
    for text, words in (
        ("[points]\npull = 1", "got points.pull = 1, expected"),
        ("[points]\npull_back = '3'", "got points.pull_back = '3', expected"),
        ("[points]\npull_back = nan", "got points.pull_back = nan, expected"),
        ("[late]\nper = 1", "got late.per = 1, expected"),
        ("[late]\nper_day = 10", "got late.per_day = 10, expected"),
        ("[late]\ndays = { zoe = -1 }", "got late.days.zoe = -1, expected"),
        ("[late]\ndays = 3", "got late.days = 3, expected"),
        ("assignment = 3", "got assignment = 3, expected"),
        ("weights = 1", "got weights = 1, expected"),
        ("=", "expected a TOML file"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=f"^--course: .*{words}"):
            Course.read(path, TWO)


CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Gradients (77)
    Points Possible,,,,,10
"Li, Zoe",123,s1,zoe@uni.edu,A,
"B, Ann",9,s2,ann,A,7
"""
MOODLE = """Identifier,Full name,Email address,Status,Grade,Maximum Grade
Participant 4711,Zoe Li,zoe@uni.edu,Submitted,,3
Participant 12,Ann B,ann@uni.edu,,,3
"""
SEMICOLONS = MOODLE.replace(",", ";")


@pytest.mark.parametrize(
    "text, name, who, row",
    [
        (CANVAS, "gradebook.csv", ("lizoe 123", "123"), "s1,zoe@uni.edu,A,3"),
        (CANVAS, "gradebook.csv", ("zoe@uni.edu", ""), "s1,zoe@uni.edu,A,3"),
        (MOODLE, "worksheet.csv", ("Zoe Li 4711", "4711"), "zoe@uni.edu,Submitted,3,3"),
        (SEMICOLONS, "table.csv", ("Zoe Li 4711", "4711"), "zoe@uni.edu;Submitted;3;3"),
    ],
)
def test_an_lms_gets_its_own_table_back_with_totals(tmp_path, text, name, who, row):
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    roster = Roster.read(tmp_path / name)
    graded = somebody(who[0])
    graded.id = who[1]
    assert roster.email_of(graded) == "zoe@uni.edu"
    course = Course(TWO, assignment="Gradients (77)")
    write_all(tmp_path, [graded], course, roster)
    written = (tmp_path / f"import_{name}").read_text()
    assert row in written and len(written.splitlines()) == len(text.splitlines())
    assert ("Points Possible,,,,,3" in written) == ("Points Possible" in text)
    assert text.splitlines()[-1] in written  # of a student who submitted nothing


def test_nobody_gets_points_by_taking_a_name(tmp_path):
    """Students choose the name that an LMS shows, but not their address or login."""
    path = tmp_path / "gradebook.csv"
    path.write_text(f"{CANVAS}zoe@uni.edu,77,s7,thief,A,\n")
    assert Roster.read(path).row_of(somebody("zoe@uni.edu"))["ID"] == "123"


def test_two_of_one_name_are_told_apart_or_get_nothing_by_it(tmp_path):
    path = tmp_path / "gradebook.csv"
    path.write_text(f'{CANVAS}"Li, Zoe",55,s5,zoe.li@uni.edu,A,\n')
    both = [somebody("Li, Zoe"), somebody("zoe.li@uni.edu")]
    write_all(tmp_path, both, Course(TWO, assignment="total"), Roster.read(path))
    told = {name: row["problems"] for name, row in rows_in(tmp_path).items()}
    assert "no row of the roster" in told["Li, Zoe"] and not told["zoe.li@uni.edu"]
    with open(tmp_path / "import_gradebook.csv", encoding="utf-8") as file:
        totals = {row["ID"]: row["total"] for row in csv.DictReader(file)}
    assert totals["55"] == "3" and totals["123"] == ""


def test_two_submissions_with_one_id_are_said(tmp_path):
    both = [somebody("li z"), somebody("li zoe"), somebody("ann")]
    for graded in both[:2]:
        graded.id = "123"
    write_all(tmp_path, both, Course(TWO), None)
    told = {name: row["problems"] for name, row in rows_in(tmp_path).items()}
    assert told["ann"] == "" and told["li z"] == told["li zoe"]
    assert "another submission has the same id" in told["li z"]


@pytest.mark.parametrize(
    "name",
    ["=2+3", "+1", "-1", "@x", " =1", "\t=1", "\r@x", "＝1", "﹣1", "<b>x</b>", "a/b"]
    + ["\x1b[2J", "\x9b2J"],
)
def test_no_cell_is_a_formula_or_a_terminals_command_and_no_page_is_markup(
    tmp_path, name
):
    write_all(tmp_path, [somebody(name)], Course(TWO), None)
    with open(tmp_path / "grades.csv", encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["student"].lstrip("'") == re.sub("[\x1b\x9b]", "�", name)
    assert row["student"].lstrip()[0] not in "=+-@＝﹣"
    (page,) = (tmp_path / "feedback").iterdir()
    assert not re.search("<b>|\x1b|\x9b", page.read_text("utf-8"))


# --- the command ----------------------------------------------------------------------


@pytest.fixture
def submitted(tmp_path, capsys, fence, monkeypatch):
    """One student who submitted nothing new, and the command, which returns its output."""
    # The class and Gradescope make their own copies of the course.
    monkeypatch.setattr(command, "course_copy", lambda folder: fence.course)
    hand_in(tmp_path / "all", "zoe", untouched())
    hand_in(tmp_path / "ours", ".", untouched())

    def run(*options, out="out", ours="ours", everyone="all"):
        folders = [str(tmp_path / everyone), str(tmp_path / out)]
        exercises = ["--exercises", str(tmp_path / ours)]
        code = main(["grade", *folders, *exercises, *options])
        return code, capsys.readouterr().err

    return run


def rows_in(folder):
    with open(folder / "grades.csv", encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_without_a_sandbox_it_wants_to_hear_unsafe_and_speaks_french(
    submitted, tmp_path, monkeypatch
):
    monkeypatch.setattr(sandbox, "_bubblewrap", lambda: None)
    code, printed = submitted()
    assert code == 1 and "--unsafe" in printed and "no sandbox works here" in printed
    monkeypatch.setenv(VARIABLE, "en")  # which the command changes
    wrong = "def softmax_jacobian(p):\n    return np.diag(p * (1 - p))"
    hand_in(tmp_path / "all", "ann", notebook(softmax_jacobian=wrong))
    assert submitted("--language", "fr", "--unsafe")[0] == 0
    rows = rows_in(tmp_path / "out")
    earned = {name: points(row) for name, row in rows.items()}
    assert earned == {"ann": "1110", "zoe": "0000"}
    assert [row["problems"] for row in rows.values()] == ["", ""]
    (page,) = (p.read_text("utf-8") for p in (tmp_path / "out/feedback").glob("ann*"))
    for words in ('lang="fr"', "3 sur 4", "la diagonale seule", "Indice", "réussi"):
        assert words in page


def test_a_run_that_was_killed_goes_on(submitted, tmp_path, sandboxed):
    """A notebook that took too long is not graded again."""
    hand_in(tmp_path / "all", "zoe", with_first_cells(*["while True: pass"] * 20))
    assert submitted("--timeout", "1", "--notebook-timeout", "2")[0] == 0
    problems = rows_in(tmp_path / "out")["zoe"]["problems"]
    assert "the notebook ran longer than 2 s" in problems
    kept = tmp_path / "out" / "results.jsonl"
    first = kept.read_text()
    hand_in(tmp_path / "all", "ann", notebook())
    code, printed = submitted()
    assert code == 1 and "--resume" in printed
    shutil.rmtree(tmp_path / "all" / "zoe")  # she is not graded again: it can't be
    kept.write_text(first.replace("pull_back", "grad_W"))
    assert "is of other notebooks" in submitted("--resume")[1]
    kept.write_text(first + '\n{"student": "ann", "resu')
    assert submitted("--resume")[0] == 0
    rows = rows_in(tmp_path / "out")
    assert {name: points(row) for name, row in rows.items()} == {
        "ann": "1111",
        "zoe": "0000",
    }


FILE = "a table of another kind"


@pytest.mark.parametrize(
    "options, folders, words",
    [
        ([], {"everyone": "none"}, "submissions: got"),
        ([], {"out": "all/out"}, "out: got .* which is inside"),
        ([], {"out": "all/zoe"}, "out: got .* which is inside"),
        ([], {"out": "ours"}, "out: got .* which is inside"),
        ([], {"out": "file"}, "out: got .* expected an empty folder"),
        ([], {"ours": "all"}, "--exercises: got .*\n?.* for any lecture"),
        (["--lectures", "77"], {}, "--exercises: got .*\n?.* for 77"),
        (["--course", "none.toml"], {}, "--course: got none.toml"),
        (["--roster", "none.csv"], {}, "--roster: got none.csv"),
        (["--roster", FILE], {}, "--roster: got .* with the columns name, mark"),
    ],
)
def test_what_cant_begin_says_why(submitted, tmp_path, options, folders, words):
    (tmp_path / "file").write_text("name,mark\n")
    options = [str(tmp_path / "file") if o is FILE else o for o in options]
    before = tree_of(tmp_path)
    code, printed = submitted(*options, **folders)
    assert code == 1
    assert re.match(words, printed), printed
    assert tree_of(tmp_path) == before


def test_a_limit_that_is_none_is_refused(submitted, capsys):
    with pytest.raises(SystemExit):
        submitted("--jobs", "0")
    assert "--jobs: got '0', expected a number above 0" in capsys.readouterr().err


# --- Gradescope -----------------------------------------------------------------------


def test_gradescope_runs_the_package_that_is_made_for_it(tmp_path, capsys):
    course = tmp_path / "course.toml"
    course.write_text("[points]\npull_back = 4")
    made = tmp_path / "grader.zip"
    asked = ["gradescope", str(made), "--lectures", "02", "--course", str(course)]
    assert main(asked) == 0
    there = tmp_path / "autograder"  # Gradescope's layout
    with zipfile.ZipFile(made) as archive:
        archive.extractall(there / "source")
    assert {p.name for p in (there / "source/exercises").iterdir()} == {NAME}
    assert {p.name for p in (there / "source/comp551ad/exercises/tasks").iterdir()} == {
        "__init__.py",
        "lecture_02.py",
    }
    (there / "results").mkdir()
    (there / "venv/bin").mkdir(parents=True)
    python = there / "venv/bin/python"  # what setup.sh creates
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    hand_in(there, "submission", notebook(softmax_jacobian="softmax_jacobian = 3"))
    settings = {**os.environ, "AUTOGRADER": str(there), "PYTHONPATH": "."}
    run = ["sh", str(there / "source/run_autograder")]
    subprocess.run(run, env=settings, check=True)
    found = json.loads((there / "results/results.json").read_text())
    scores = {
        t["name"]: (t["score"], t["max_score"], t["status"]) for t in found["tests"]
    }
    assert scores == {
        "02 polar_jacobian": (1, 1, "passed"),
        "02 pull_back": (4, 4, "passed"),
        "02 sum_over_paths": (1, 1, "passed"),
        "02 softmax_jacobian": (0, 1, "failed"),
    }
    assert found["output"] == "" and found["tests"][3]["output"] == "not a function"
    assert (
        main(asked) == 1 and "expected the name of a new zip" in capsys.readouterr().err
    )


# --- without the sandbox --------------------------------------------------------------


@pytest.fixture
def as_nobody(fence, tmp_path):
    """The sandbox for a container's root, where any user may run Python."""
    nobody = Fence("user", fence.course)
    (tmp_path / "given").mkdir()
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o711)
    try:
        run = [sandbox.PYTHON, "-c", ""]
        subprocess.run(run, user=61_000, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"Python can't be run by another user here: {error}")
    return nobody


def test_a_containers_root_runs_submissions_as_nobody(as_nobody, tmp_path):
    (tmp_path / "secret").write_text("the marks")
    (tmp_path / "secret").chmod(0o600)
    steps = [
        Step("1", f"open({str(tmp_path / 'secret')!r})"),
        Step("2", f"open({str(tmp_path / 'new')!r}, 'w')"),
        Step("3", "import os\nassert os.getuid() != 0\nopen('mine', 'w').write('x')"),
        Step("4", "import subprocess\nsubprocess.Popen(['sleep', '31415926'])"),
        Step("5", "import numpy as np" + RIGHT["pull_back"]),
        Step("pull_back"),
    ]
    found = list(mark(steps, tmp_path / "given", as_nobody, Limits(), 7))
    assert [x.status for x in found if isinstance(x, Result)] == ["passed"]
    problems = [x for x in found if isinstance(x, str)]
    assert len(problems) == 2 and all("Permission denied" in x for x in problems)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with open(path, "rb") as file:
            assert b"31415926" not in file.read()

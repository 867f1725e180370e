"""Running somebody's notebook: in a process of its own, an empty folder, with limits.

It is a fence against accidents. Who sets out to deceive can, since an answer shares its
process with the check. What an answer prints goes nowhere; results come back through a
file. IPython, which comes with JupyterLab, is imported in that process alone.

    Step      code to run, or an exercise to check
    run       run steps; a `Result` for each exercise, and in words what went wrong
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from .values import in_a_line

if TYPE_CHECKING:
    from .checking import Verdict
    from .exercise import Exercise

# The first step may take this long: Python, NumPy and the course are imported in it.
STARTING_SECONDS = 60
MAX_FILE_BYTES = 200_000_000


@dataclass(frozen=True)
class Limits:
    """What one cell may take: seconds of its own, and megabytes for its whole process."""

    seconds: float = 60.0
    megabytes: int = 2048


@dataclass(frozen=True)
class Result:
    """What became of one exercise. Only the status "passed" earns its point."""

    exercise: str
    status: str  # a Verdict's, or "not handed in", "missing", "stopped"
    found: str = ""


@dataclass(frozen=True)
class Step:
    """Code to run, or (where `source` is None) an exercise to check."""

    label: str
    source: str | None = None


def run(
    steps: list[Step], limits: Limits, stop: threading.Event
) -> tuple[dict[str, Result], list[str]]:
    """Run the steps; return the results by exercise, and what went wrong, in words.

    A step that takes too long, or takes its process down, is left out and the others run
    once more: what it would have spoilt is judged without it.
    """
    results: dict[str, Result] = {}
    problems: dict[str, None] = {}
    left_out: set[int] = set()
    while not stop.is_set():
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            lines, ended = _run_once(Path(folder), steps, left_out, limits, stop)
        at = -1  # no step has begun
        for line in lines:
            at = line.get("step", at)
            if "status" in line:
                results[line["exercise"]] = Result(**line)
                left_out.add(at)
            elif "error" in line:
                problems[f"cell {steps[at].label} raised {line['error']}"] = None
        if not ended:
            return results, list(problems)
        if at < 0:
            raise RuntimeError(f"Python, or the course, {ended}")
        left_out.add(at)
        step = steps[at]
        problems[f"cell {step.label} {ended}"] = None
        if step.source is None:
            results[step.label] = Result(step.label, "stopped", ended)
    return results, list(problems)


def _run_once(
    folder: Path,
    steps: list[Step],
    left_out: set[int],
    limits: Limits,
    stop: threading.Event,
) -> tuple[list[dict], str]:
    """Start a process for the steps and watch it; say how it ended if it had to end."""
    work, report = folder / "work", folder / "report.jsonl"
    work.mkdir()
    report.touch()
    todo = [(k, s.label, s.source) for k, s in enumerate(steps) if k not in left_out]
    (folder / "todo.json").write_text(json.dumps(todo), encoding="utf-8")
    program = (
        "import sys; from comp551ad.exercises.running import _inside; "
        "_inside(sys.argv[1], int(sys.argv[2]))"
    )
    home = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder), str(limits.megabytes)],
        cwd=work,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([home, os.environ.get("PYTHONPATH", "")]),
            "COMP551AD_PROGRESS": str(folder / "progress.json"),
            "IPYTHONDIR": str(folder / "ipython"),
            "MPLBACKEND": "agg",
            "OPENBLAS_NUM_THREADS": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    lines: list[dict] = []
    try:
        with open(report, encoding="utf-8", errors="replace") as file:
            since, allowed = time.monotonic(), float(STARTING_SECONDS)
            while True:
                over = _is_over(process)
                for line in _new_lines(file):
                    lines.append(line)
                    since, allowed = time.monotonic(), limits.seconds
                if any("done" in line for line in lines):
                    return lines, ""
                if over:
                    return lines, f"ended its process (exit code {process.returncode})"
                if time.monotonic() - since > allowed:
                    return lines, f"ran longer than {allowed:g} s"
                if stop.is_set():
                    return lines, "was interrupted"
    finally:
        _end(process)


def _is_over(process: subprocess.Popen) -> bool:
    try:
        process.wait(timeout=0.02)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen) -> None:
    """End it, and whatever it has started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _new_lines(file: TextIO) -> Iterator[dict]:
    """The report's new whole lines. One that is being written is read the next time."""
    while True:
        before = file.tell()
        text = file.readline()
        if not text.endswith("\n"):
            file.seek(before)
            return
        with suppress(ValueError):
            line = json.loads(text)
            if isinstance(line, dict):
                yield line


def _inside(folder: str, megabytes: int) -> None:
    """What the process does: run the steps in an IPython shell, and report each."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from .catalogue import catalogue
    from .checking import judge

    exercises = catalogue()
    todo = json.loads((Path(folder) / "todo.json").read_text(encoding="utf-8"))
    _limit(megabytes)
    quiet = Config({"HistoryManager": {"enabled": False}})
    shell = InteractiveShell.instance(config=quiet)
    with open(Path(folder) / "report.jsonl", "a", encoding="utf-8") as report:

        def tell(**line: Any) -> None:
            print(json.dumps(line), file=report, flush=True)

        for number, label, source in todo:
            tell(step=number)
            try:
                if source is None:
                    tell(**_judged(exercises[label], shell.user_ns, judge))
                else:
                    ran = shell.run_cell(source)
                    ran.raise_error()
            except BaseException as error:
                tell(error=in_a_line(f"{type(error).__name__}: {error}"))
        tell(done=True)
    os._exit(0)  # whatever threads the answers have started


def _judged(
    exercise: "Exercise", names: dict[str, Any], judge: Callable[..., "Verdict"]
) -> dict[str, str]:
    answer = names.get(exercise.name)
    if not callable(answer):
        found = "nothing of that name" if answer is None else "not a function"
        return {"exercise": exercise.name, "status": "missing", "found": found}
    verdict = judge(exercise, answer)
    found = in_a_line("; ".join(verdict.mistakes))
    return {"exercise": exercise.name, "status": verdict.status, "found": found}


def _limit(megabytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    for what, most in (
        (resource.RLIMIT_AS, megabytes * 1_000_000),
        (resource.RLIMIT_FSIZE, MAX_FILE_BYTES),
    ):
        with suppress(ValueError, OSError):  # a tighter limit stands; macOS may refuse
            resource.setrlimit(what, (most, most))

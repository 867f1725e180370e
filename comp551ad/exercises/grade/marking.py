"""The judge's process: runs one student's notebooks and judges what they answer.

It is started as `python -m comp551ad.exercises.grade.marking`, reads one task from its
standard input, and writes each result and each problem as a line of JSON. The notebooks
themselves run in processes of their own, behind a fence; nothing of theirs is executed here.

    Result    what became of one exercise
    mark      one notebook: run its steps, judge each answer
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from ..catalogue import catalogue
from ..checking import Verdict, judge
from ..exercise import Exercise
from ..language import _
from ..values import in_a_line
from .answering import NOT_ALLOWED, limit
from .assembling import Step, Unreadable, assemble, read_cells
from .sandbox import Fence, Limits, Watched
from .wire import Peer, Remote, Stopped

# The first step may take this long: Python, NumPy and the course are imported in it.
STARTING_SECONDS = 60.0
# An answer that was worked out by a formula agrees to so much, differences don't.
EXACT = 1e-12


@dataclass(frozen=True)
class Result:
    """What became of one exercise. Only the status "passed" earns its points."""

    exercise: str
    status: str  # a Verdict's, or "not handed in", "missing", "stopped"
    found: str = ""
    says: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Self:
        """What `asdict` gave, after it was JSON."""
        return cls(**kept | {"says": tuple(kept["says"])})


# --- a notebook -----------------------------------------------------------------------


def mark(
    steps: list[Step], given: Path, fence: Fence, limits: Limits, number: int = 0
) -> Iterator[Result | str]:
    """Run a notebook's steps; yield each result, and each problem in words.

    A step that takes too long, or takes its process down, is left out and the others run
    once more: what it would have spoilt is judged without it.
    """
    left_out: set[int] = set()
    until = time.monotonic() + limits.notebook_seconds
    told: set[str] = set()
    while True:
        why = ""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            os.chmod(folder, 0o711)  # where another user runs the notebook
            work = Path(folder, "work")
            process = fence.start(given, work, limits, number)
            with Watched(process, limits.megabytes) as watched:
                peer = Peer(watched.source, watched.target)
                allowed = max(STARTING_SECONDS, limits.seconds)
                for k, step in enumerate(steps):
                    if k in left_out:
                        continue
                    if watched.why:  # the judge was slow, which is not the step's fault
                        break
                    if (
                        step.source is None
                    ):  # it imports; `judge` has a limit of its own
                        allowed = max(STARTING_SECONDS, limits.seconds)
                    watched.allow(min(allowed, until - time.monotonic()))
                    allowed = limits.seconds
                    try:
                        if step.source is None:
                            yield _result(peer, catalogue()[step.label], limits.seconds)
                            left_out.add(k)
                        elif error := peer.ask("cell", step.source):
                            error = in_a_line(str(error))
                            problem = f"cell {step.label} raised {error}"
                            if problem not in told:
                                told.add(problem)
                                yield problem
                    except Stopped as stopped:
                        why = watched.why_ended(stopped)
                        left_out.add(k)
                        break
                else:
                    fence.sweep(number)
                    return
        fence.sweep(number)
        if why:
            yield f"cell {step.label} {why}"
        if why and step.source is None:
            yield Result(step.label, "stopped", why)
        if time.monotonic() > until:
            yield f"the notebook ran longer than {limits.notebook_seconds:g} s"
            for k, step in enumerate(steps):
                if k not in left_out and step.source is None:
                    yield Result(step.label, "stopped", "there was no time left")
            return


def _result(peer: Peer, exercise: Exercise, seconds: float) -> Result:
    """Judge one answer, which is at the other end."""
    answer = peer.ask("answer", exercise.name, list(exercise.forbidden))
    if not isinstance(answer, Remote):
        return Result(exercise.name, "missing", _(in_a_line(str(answer))))
    verdict = _verdict(exercise, answer, seconds)
    if peer.gone:  # which `judge` took for an error of the answer's own
        raise peer.gone
    found = in_a_line("; ".join(verdict.mistakes))
    return Result(exercise.name, verdict.status, found, verdict.says)


def _verdict(exercise: Exercise, answer: Callable, seconds: float) -> Verdict:
    """What `judge` finds; where an exercise forbids differences, no inexact answer passes."""
    # What is forbidden raises where the answer runs: it needn't be looked for here.
    # How long it may take is for the grader to say, whose machine may be busy.
    rules: dict[str, Any] = {"forbidden": ()}
    if hasattr(exercise, "seconds"):
        rules["seconds"] = seconds + 1
    unruled = replace(exercise, **rules)
    verdict = judge(unruled, answer)
    if any(NOT_ALLOWED in line for line in verdict.says):
        return replace(verdict, mistakes=(_("it calls the library's own"),))
    by_hand = {"comp551ad.autodiff.", "comp551ad.differences."} <= {*exercise.forbidden}
    if verdict.passed and by_hand and exercise.tolerance < 1e-5:
        if not judge(replace(unruled, tolerance=EXACT), answer).passed:
            return replace(
                verdict,
                status="not yet",
                mistakes=(_("right to a few digits only, as differences are"),),
                says=(_("This exercise asks for a formula, and a formula is exact."),),
            )
    return verdict


# --- a student ------------------------------------------------------------------------


def main() -> None:
    """Do the task on standard input; write what is found to standard output."""
    task = json.load(sys.stdin)
    limits = Limits(**task["limits"])
    # A value of a student's may ask for any amount of memory, when it is looked at.
    limit(2 * limits.megabytes, len(task["files"]) * limits.notebook_seconds)
    fence = Fence(**task["fence"] | {"course": Path(task["fence"]["course"])})
    folder = Path(task["folder"])
    for name, file in task["files"].items():
        try:
            ours = read_cells(Path(task["exercises"], name).read_bytes())
            theirs = read_cells((folder / "theirs" / file).read_bytes())
        except Unreadable as fault:
            print(json.dumps(f"{name} {fault}"))
            continue
        given = (folder / "given" / file).parent  # with what lay beside the notebook
        given.mkdir(parents=True, exist_ok=True)
        for found in mark(assemble(ours, theirs), given, fence, limits, task["number"]):
            told = f"{name}: {found}" if isinstance(found, str) else asdict(found)
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()

"""The judge's process: unpacks one student's submission and judges the answers.

It is started as `python -m comp551ad.exercises.grade.marking`, reads one task (the arguments
of `student`) from its standard input, and writes each result and each problem as a line of
JSON. The notebooks run in their own sandboxed processes; none of their code is executed here.

    Result    the outcome of one exercise
    mark      one notebook: run its steps, judge each answer
    student   everything that one student submitted
"""

import json
import pickle
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from ..catalogue import catalogue
from ..checking import inexact, judge
from ..exercise import Exercise
from ..guard import TimeLimit, time_limit
from ..language import _
from ..values import in_a_line
from .answering import NOT_ALLOWED, limit
from .assembling import Step, assemble, exercises_in, notebooks_in, read_cells
from .sandbox import Fence, Limits
from .submissions import Files, Refused, save
from .wire import Peer, Remote, Stopped

# The first step may take this long: it starts Python and imports NumPy and the course.
STARTING_SECONDS = 60.0
# Limits on text from a student's names and errors in tables and pages.
MOST_CHARACTERS = 2_000
MOST_PROBLEMS = 50


@dataclass(frozen=True)
class Result:
    """The outcome of one exercise. Only the status "passed" earns its points."""

    exercise: str
    status: str  # a Verdict's, or "not handed in", "missing", "stopped"
    found: str = ""
    says: Sequence[str] = ()


# --- a notebook -----------------------------------------------------------------------


def mark(
    steps: list[Step], given: Path, fence: Fence, limits: Limits, number: int = 0
) -> Iterator[Result | str]:
    """Run a notebook's steps; yield each result, and each problem in words.

    If a step takes too long or kills its process, the others run again without it, so that
    they are still judged. An answer that isn't there yet may be defined further down, in a
    cell that the student added: it is looked for again after all the other steps.
    """
    left_out: set[int] = set()
    steps, many = [*steps], len(steps)
    until = time.monotonic() + limits.notebook_seconds
    while time.monotonic() < until:
        why = ""
        with fence.running(given, limits, number) as watched:
            peer = Peer(watched.source, watched.target)
            allowed = max(STARTING_SECONDS, limits.seconds)
            for k, step in enumerate(steps):
                if k in left_out:
                    continue
                if step.source is None:  # it imports; `judge` has its own limit
                    allowed = max(STARTING_SECONDS, 4 * limits.seconds)
                seconds = max(0.0, min(allowed, until - time.monotonic()))
                allowed = limits.seconds
                watched.allow(seconds)
                try:
                    # What it sends may take longer to read than to create.
                    with time_limit(seconds + 1):
                        if step.source is not None:
                            told = peer.ask("cell", step.source)
                        else:
                            told = _result(
                                peer, catalogue()[step.label], limits.seconds
                            )
                except (Stopped, TimeLimit) as stopped:
                    why = watched.why_ended(stopped)
                    left_out.add(k)
                    break
                if isinstance(told, Result):
                    left_out.add(k)
                    if k < many and told.status in ("missing", "not attempted"):
                        steps.append(step)
                    else:
                        yield told
                elif told and step.label:
                    yield f"cell {step.label} raised {in_a_line(str(told))}"
            else:
                return
        yield f"cell {step.label} {why}"
        if step.source is None:
            yield Result(step.label, "stopped", why)
    yield f"the notebook ran longer than {limits.notebook_seconds:g} s"
    for k, step in enumerate(steps):
        if k not in left_out and step.source is None:
            yield Result(step.label, "stopped", "there was no time left")


def _result(peer: Peer, exercise: Exercise, seconds: float) -> Result:
    """Judge one answer, at the other end of the pipe."""
    answer = peer.ask("answer", exercise.name, list(exercise.forbidden))
    if not isinstance(answer, Remote):
        return Result(exercise.name, "missing", _(in_a_line(str(answer))))
    # Forbidden functions raise in the answer's process, so they needn't be detected here.
    # The grader sets the time limit, since the grading machine may be busy.
    exercise = replace(exercise, seconds=seconds + 1)
    verdict = judge(replace(exercise, forbidden=()), answer)
    if any(NOT_ALLOWED in line for line in verdict.says):
        verdict = replace(verdict, mistakes=(_("it calls the library"),))
    elif verdict.passed and (told := inexact(exercise, answer)):
        verdict = replace(verdict, status="not yet", mistakes=told[:1], says=told[1:])
    if peer.gone:  # `judge` took this for an error that the answer raised
        raise peer.gone
    found = in_a_line("; ".join(verdict.mistakes))
    says = [line[:MOST_CHARACTERS] for line in verdict.says]
    return Result(exercise.name, verdict.status, found, says)


# --- a student ------------------------------------------------------------------------


def student(
    files: Files,
    folder: Path,
    exercises: Path,
    names: Iterable[str],
    fence: Fence,
    limits: Limits,
    number: int,
) -> Iterator[Result | str]:
    """Mark one student's submission; yield each result, and each problem in words.

    All files are saved in `given/` in the folder, so a notebook finds the files next to it.
    """
    saved, refused = save(files, folder / "given")
    # Browsers may append a suffix to the name.
    notebooks = [name for name in saved if ".ipynb" in name.lower()]
    handed_in: dict[str, str] = {}
    for our in names:
        several = [name for name in notebooks if _is_called_like(name, our)]
        several.sort(key=lambda n: (PurePath(n).name != our, n.count("/"), n))
        if several:
            handed_in[our] = several[0]
        if len(several) > 1:
            many = f"{len(several)} files match this notebook; {several[0]} was used"
            yield f"{our}: {many}"
    known = [path.name for path in notebooks_in(exercises)]
    for name in notebooks:
        if not any(_is_called_like(name, our) for our in known):
            yield f"{name} is not graded: its name matches no exercise notebook"
    if not handed_in:
        yield "nothing handed in"
        yield from (f"{n} is not a notebook" for n in saved if n not in notebooks)
    yield from refused
    for our in names:
        ours = read_cells((exercises / our).read_bytes())
        status = "not handed in"
        if our in handed_in:
            status = "missing"
            try:
                theirs = read_cells((folder / "given" / handed_in[our]).read_bytes())
            except Refused as fault:
                yield f"{our} {fault}"
            else:
                beside = str(PurePath(handed_in[our]).parent)
                steps = [Step("", f'__import__("os").chdir({beside!r})')]
                steps += assemble(ours, theirs)
                found = mark(steps, folder / "given", fence, limits, number)
                yield from (f"{our}: {x}" if isinstance(x, str) else x for x in found)
                continue
        yield from (Result(exercise, status) for exercise in exercises_in(ours))


def _is_called_like(name: str, our: str) -> bool:
    """Does a file name start with our two digits, or contain our first words?

    For example "Copy of 02_derivatives.ipynb" and "02 derivatives (1).ipynb".
    """
    theirs = re.sub(r"[\W_]+", "_", PurePath(name).name)
    beginning = "_".join(re.split(r"\W|_", our)[:2])
    return theirs.startswith(our[:3]) or beginning in theirs


def main() -> None:
    """Do the task on standard input; write results and problems to standard output."""
    task = pickle.load(
        sys.stdin.buffer
    )  # from the command: contains no student's objects
    _, _, _, names, _, limits, _ = task
    # Examining a student's value, or a zip file's directory, may need any amount of memory.
    limit(2 * limits.megabytes, len(names) * limits.notebook_seconds)
    problems = 0
    for found in student(*task):
        told: Any = found
        if isinstance(found, Result):
            told = asdict(found)
        elif (problems := problems + 1) > MOST_PROBLEMS:
            continue
        elif problems == MOST_PROBLEMS:
            told = "and so on"
        else:
            told = in_a_line(found, 300)
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()

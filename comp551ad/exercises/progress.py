"""Progress, saved in a small file next to the notebook.

Every check appends a line; nothing is ever changed, so several notebooks may write at the same
time, and a line that a crash cut off loses only that check. The file is
`.comp551ad_progress.jsonl` in the current folder (or in the home folder, if that can't be
written), or the one named by the environment variable COMP551AD_PROGRESS. It may be deleted
at any time: checking an answer again records it again.

    note         called by `check` and `hint`
    next_step    how much of the lecture is done, and what comes next
    progress     for students: this notebook's lecture, and the course
"""

import html
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .catalogue import catalogue
from .exercise import Exercise
from .language import _

FILE = ".comp551ad_progress.jsonl"
CORE = "●"
_MARKS = {"passed": "✓", "attempted": "✗", "to do": "○"}
GREEN, GREY = "#009e73", "#d0d0d0"


def is_graded() -> bool:
    """Is nbgrader running this notebook?"""
    return "NBGRADER_EXECUTION" in os.environ


# --- saving ---------------------------------------------------------------------------


def _places() -> list[Path]:
    """The files for progress: the first that is writable is written, all are read."""
    named = os.environ.get("COMP551AD_PROGRESS")
    if named:
        return [Path(os.path.expanduser(named))]
    return [Path(FILE), Path(os.path.expanduser("~")) / FILE]


def note(name: str, **what: bool) -> str | None:
    """Record that an exercise was tried (`passed=`), or that a line of it was shown.

    When nbgrader runs the notebook, nothing is recorded.

    Returns:
        A warning if it can't be saved.
    """
    if is_graded():
        return None
    line = "\n" + json.dumps({"exercise": name, **what}) + "\n"
    for path in _places():
        try:
            with open(path, "ab") as file:
                file.write(line.encode())
            return None
        except OSError as error:
            cause = error.strerror or type(error).__name__
    told = _("Your progress could not be saved in {path}: {cause}.")
    return told.format(path=path, cause=cause)


def _kept() -> dict[str, dict[str, bool]]:
    """For each exercise, what was ever recorded as true: `passed`, `shown`."""
    kept: dict[str, dict[str, bool]] = {}
    for entry in _entries():
        of = kept.setdefault(entry.pop("exercise"), {})
        for what, true in entry.items():
            of[what] = of.get(what, False) or true is True
    return kept


def _entries() -> Iterator[dict]:
    for path in _places():
        try:
            lines = path.read_text("utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):  # cut off, or not ours
                continue
            if isinstance(entry, dict) and isinstance(entry.get("exercise"), str):
                yield entry


# --- showing --------------------------------------------------------------------------


def number_of(exercise: Exercise) -> str:
    """The exercise's number: 9.3 is the third of lecture 09."""
    same = [e.name for e in catalogue().values() if e.lecture == exercise.lecture]
    return f"{int(exercise.lecture)}.{same.index(exercise.name) + 1}"


def link_to(exercise: Exercise, here: str | None) -> str:
    """A link to its question: within this notebook, if this is lecture `here`'s."""
    heading = f"{number_of(exercise)} · {exercise.title}".replace(" ", "-")
    notebook = _notebook_of(exercise.lecture) if exercise.lecture != here else ""
    return f"{notebook}#{quote(heading)}"


def _notebook_of(lecture: str) -> str:
    """The URL of a lecture's exercises, or "" if they aren't in this folder."""
    found = sorted(Path().glob(f"{lecture}_*.ipynb"))
    return quote(found[0].name) if found else ""


def next_step(exercise: Exercise) -> tuple[str, str]:
    """After a pass: how many of the lecture's are done, what is next, and a link to it."""
    kept = _kept()
    course = [e for e in catalogue().values() if e.lecture == exercise.lecture]
    left = [e for e in course if not kept.get(e.name, {}).get("passed")]
    told = _("{done} of {many} done in lecture {lecture}").format(
        done=len(course) - len(left), many=len(course), lecture=exercise.lecture
    )
    if not left:
        return told, ""
    later = [e for e in left if number_of(e) > number_of(exercise)]
    following = (later or left)[0]
    told += f"; {_('next: ')}{number_of(following)} · {following.title}"
    return told, link_to(following, exercise.lecture)


@dataclass(frozen=True)
class Progress:
    """What is done: rows of (lecture, exercise, title, state), in the course's order.

    Core exercises are counted separately: they are the ones not to skip.
    """

    rows: tuple[tuple[str, str, str, str], ...]
    lecture: str | None = None
    shown: frozenset[str] = frozenset()
    core: frozenset[str] = frozenset()

    def lectures(self) -> list[tuple[Any, ...]]:
        """For each lecture: its number, and how many are passed, attempted, to do."""
        counts = Counter((lecture, state) for lecture, *_exercise, state in self.rows)
        lectures = dict.fromkeys(row[0] for row in self.rows)
        return [
            (lecture, *(counts[lecture, s] for s in _MARKS)) for lecture in lectures
        ]

    def _here(self) -> list[tuple[str, str, str]]:
        """The chosen lecture's exercises: name, title, and state with what was shown."""
        return [
            (
                name,
                title + f" {CORE} core" * (name in self.core),
                state + ", a line shown" * (name in self.shown),
            )
            for lecture, name, title, state in self.rows
            if lecture == self.lecture
        ]

    def _summary(self) -> str:
        passed = [
            name for _lecture, name, _title, state in self.rows if state == "passed"
        ]
        total = _("{done} of {many} exercises passed in the whole course").format(
            done=len(passed), many=len(self.rows)
        )
        core = _("{done} of {many} in the core, ").format(
            done=len(self.core.intersection(passed)), many=len(self.core)
        )
        return core * bool(self.core) + total

    def __repr__(self) -> str:
        lines = []
        if self.lecture:
            lines.append(_("Lecture {lecture}").format(lecture=self.lecture))
            wide = max(len(name) for name, *more in self._here())
            for name, title, state in self._here():
                mark, comma, more = state.partition(", ")
                told = f"  {_MARKS[mark]} {name:{wide}}  {title}"
                lines.append(told + f" ({more})" * bool(more))
        lines.append(self._summary())
        for lecture, *counts in self.lectures():
            marks = "".join(m * k for m, k in zip(_MARKS.values(), counts, strict=True))
            lines.append(f"  {lecture}  {marks}")
        lines.append("; ".join(f"{mark} {_(state)}" for state, mark in _MARKS.items()))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = []
        if self.lecture:
            title = _("Lecture {lecture}").format(lecture=html.escape(self.lecture))
            parts.append(f"<b>{title}</b>")
            for name, title, state in self._here():
                exercise = catalogue()[name]
                what = f"{number_of(exercise)} · {title}"
                mark = _MARKS[state.partition(",")[0]]
                linked = _link(link_to(exercise, self.lecture), what)
                parts.append(f"<div>{mark} {linked} ({state})</div>")
        parts.append(f"<b>{self._summary()}</b>")
        for lecture, *counts in self.lectures():
            linked = _link(_notebook_of(lecture), lecture)
            parts.append(f"<div>{linked} {_bar(*counts)}</div>")
        return "".join(parts)


def _link(address: str, text: str) -> str:
    """A link, or only the text if there is no address."""
    shown = html.escape(text)
    return f'<a href="{html.escape(address)}">{shown}</a>' if address else shown


def _bar(passed: int, attempted: int, to_do: int) -> str:
    """A progress bar: one box per exercise, described in words for screen readers."""
    box = "display:inline-block;width:1.2em;height:.8em;margin-right:2px;background:"
    boxes = [GREEN] * passed + ["#d55e00"] * attempted + [GREY] * to_do
    told = f"{passed} passed, {attempted} attempted, {to_do} to do"
    drawn = "".join(f'<span style="{box}{colour}"></span>' for colour in boxes)
    return f'<span role="img" aria-label="{told}" title="{told}">{drawn}</span>'


def progress(lecture: str | None = None) -> Progress:
    """Show what is done: in one lecture, `"02"` say, if given, and in the whole course.

    An exercise counts as passed once a check has passed it, whatever happens later.
    """
    exercises = catalogue().values()
    lectures = sorted({exercise.lecture for exercise in exercises})
    if lecture is not None and lecture not in lectures:
        raise ValueError(
            f"progress: lecture is {lecture!r}; there are exercises for "
            f"{', '.join(lectures)}; write progress({lectures[0]!r}), or progress() for all"
        )
    kept = _kept()
    rows = []
    for exercise in exercises:
        entry = kept.get(exercise.name, {})
        state = {None: "to do", False: "attempted", True: "passed"}[entry.get("passed")]
        rows.append((exercise.lecture, exercise.name, exercise.title, state))
    shown = frozenset(name for name, entry in kept.items() if entry.get("shown"))
    core = frozenset(exercise.name for exercise in exercises if exercise.core)
    return Progress(tuple(rows), lecture, shown, core)

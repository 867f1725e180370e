"""What is done, kept in a small file beside the notebook.

`check` notes here what it found; `progress()` shows it. The file is
`.comp551ad_progress.json` in the current folder, or what the environment variable
COMP551AD_PROGRESS names. It may be deleted at any time: checking an answer again notes it
again. A check never fails because of it: where something can't be read or kept, words say
so, and why.

    note        called by `check`
    progress    for students: this notebook's lecture, and the course
"""

import errno
import html
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .catalogue import catalogue
from .files import put_aside

FILE = ".comp551ad_progress.json"
_MARKS = {"passed": "✓", "attempted": "✗", "to do": "○"}
# A check waits this long for another notebook that is writing, in seconds.
_PATIENCE = 2.0


def where() -> Path:
    """The file that progress is kept in; of a link, what it leads to."""
    path = Path(os.path.expanduser(os.environ.get("COMP551AD_PROGRESS") or FILE))
    return Path(os.path.realpath(path)) if os.path.islink(path) else path


def is_graded() -> bool:
    """Is it nbgrader that runs this notebook?"""
    return "NBGRADER_EXECUTION" in os.environ


# --- noting ---------------------------------------------------------------------------


def note(name: str, lecture: str, passed: bool) -> str | None:
    """Note that an exercise was tried, or passed; return a warning if it can't be kept.

    What was passed once stays passed. The file is written whole beside the old one, which
    it then replaces: at any moment one of the two is complete. When nbgrader runs the
    notebook, nothing is noted: that is nobody's progress.
    """
    if is_graded():
        return None
    path = where()
    try:
        with _alone(path):
            kept, warning = _mended(path)
            before = kept.get(name, {}).get("passed", False)
            kept[name] = {"lecture": lecture, "passed": passed or before}
            _write(path, kept)
    except OSError as error:
        return f"Your progress could not be kept in {path}: {_cause(error)}."
    return warning


def _cause(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def _read(path: Path) -> dict[str, dict]:
    """The file's exercises; ValueError if it is not what `_write` writes."""
    try:
        kept = json.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except RecursionError as error:
        raise ValueError("brackets without end") from error
    exercises = kept.get("exercises") if isinstance(kept, dict) else None
    if not isinstance(exercises, dict):
        raise ValueError("no exercises in it")
    for name, entry in exercises.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("passed"), bool):
            raise ValueError(f"{name} is not an exercise's entry")
    return exercises


def _mended(path: Path) -> tuple[dict[str, dict], str | None]:
    """The same and a warning: a damaged file is put aside. Call it `_alone`."""
    try:
        return _read(path), None
    except ValueError:
        aside = put_aside(path, "damaged")
        return {}, (
            f"{path} was damaged and is now {aside.name}. Your notebooks are as they were: "
            "run their checks again, and your progress is back."
        )


def _write(path: Path, kept: dict[str, dict]) -> None:
    text = json.dumps({"exercises": kept}, indent=1, sort_keys=True) + "\n"
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with open(new, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other notebooks from writing between our reading and our writing.

    The lock is the operating system's and ends with the process, so that none is left
    behind by a crash. Where a file system has no locks we go on without: the file stays
    whole all the same.
    """
    if path.is_dir():  # it may have no name that a lock's could be made from
        raise IsADirectoryError(errno.EISDIR, "that is a folder; name a file in it")
    with open(path.with_name(f"{path.name}.lock"), "ab") as file:
        _lock(file)
        yield


def _lock(file: BinaryIO) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        def attempt() -> None:
            file.seek(0)
            # mypy looks with Linux's eyes (pyproject.toml), where msvcrt is empty.
            lock = msvcrt.LK_NBLCK  # type: ignore[attr-defined]
            msvcrt.locking(file.fileno(), lock, 1)  # type: ignore[attr-defined]
    else:

        def attempt() -> None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            return attempt()
        except (BlockingIOError, PermissionError):
            if time.monotonic() > give_up:
                raise TimeoutError("another notebook holds it") from None
            time.sleep(0.01)
        except OSError:  # no locks here
            return


# --- showing --------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """What is done: (lecture, exercise, title, state) a row, in the course's order."""

    rows: tuple[tuple[str, str, str, str], ...]
    lecture: str | None = None
    warning: str | None = None

    def lectures(self) -> list[tuple[str, int, int, int]]:
        """Per lecture: its number, and how many are passed, attempted, to do."""
        counts: dict[str, list[int]] = {}
        for lecture, _, _, state in self.rows:
            count = counts.setdefault(lecture, [0, 0, 0])
            count[list(_MARKS).index(state)] += 1
        return [
            (lecture, passed, attempted, to_do)
            for lecture, (passed, attempted, to_do) in counts.items()
        ]

    def _here(self) -> list[tuple[str, str, str]]:
        return [row[1:] for row in self.rows if row[0] == self.lecture]

    def _summary(self) -> str:
        passed = sum(row[3] == "passed" for row in self.rows)
        return f"{passed} of {len(self.rows)} exercises passed in the whole course"

    def __repr__(self) -> str:
        lines = [self.warning] if self.warning else []
        if self.lecture:
            lines.append(f"Lecture {self.lecture}")
            wide = max(len(name) for name, _, _ in self._here())
            for name, title, state in self._here():
                lines.append(f"  {_MARKS[state]} {name:{wide}}  {title}")
        lines.append(self._summary())
        for lecture, *counts in self.lectures():
            marks = "".join(m * k for m, k in zip(_MARKS.values(), counts, strict=True))
            lines.append(f"  {lecture}  {marks}")
        lines.append("; ".join(f"{mark} {state}" for state, mark in _MARKS.items()))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"<p>{html.escape(self.warning)}</p>"] if self.warning else []
        if self.lecture:
            rows = [(n, t, f"{_MARKS[s]} {s}") for n, t, s in self._here()]
            heads = ["exercise", "what it is about", "state"]
            parts.append(_table(f"Lecture {self.lecture}", heads, rows))
        heads = ["lecture", *_MARKS]
        parts.append(_table(self._summary(), heads, self.lectures()))
        return "".join(parts)


def _table(caption: str, heads: Iterable[str], rows: Iterable[tuple]) -> str:
    left = 'style="text-align:left"'
    head = "".join(f'<th scope="col" {left}>{html.escape(head)}</th>' for head in heads)
    body = "".join(
        "<tr>"
        + "".join(f"<td {left}>{html.escape(str(x))}</td>" for x in row)
        + "</tr>"
        for row in rows
    )
    caption = f"<caption {left}><b>{html.escape(caption)}</b></caption>"
    return f"<table>{caption}<tr>{head}</tr>{body}</table>"


def progress(lecture: str | None = None) -> Progress:
    """Show what is done: in the lecture `"02"`, if one is named, and in the whole course.

    Exercises count as passed once a check has passed them, whatever became of them later.
    """
    exercises = catalogue().values()
    lectures = sorted({exercise.lecture for exercise in exercises})
    if lecture is not None and lecture not in lectures:
        raise ValueError(
            f"progress: lecture is {lecture!r}; there are exercises for "
            f"{', '.join(lectures)}; write progress({lectures[0]!r}), or progress() for all"
        )
    path, kept, warning = where(), {}, None
    try:
        try:
            kept = _read(path)
        except ValueError:
            with _alone(path):
                kept, warning = _mended(path)
    except OSError as error:
        warning = f"{path} can't be read: {_cause(error)}."
    rows = []
    for exercise in exercises:
        entry = kept.get(exercise.name)
        state = "to do" if not entry else "passed" if entry["passed"] else "attempted"
        rows.append((exercise.lecture, exercise.name, exercise.title, state))
    return Progress(tuple(rows), lecture, warning)

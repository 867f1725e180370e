"""Who handed in what: in a folder for each student, a zip file, or an LMS's download.

    zoe/02_derivatives.ipynb                              a folder for each student
    Zoe Müller_4711_assignsubmission_file_/02_….ipynb     Moodle
    muellerzoe_LATE_12345_67890_02_….ipynb                Canvas: no folders at all
    zoe.zip, zoe.ipynb                                    a file for each student

Any of these may itself be in one zip file. Links are never followed: each is named among
the student's problems. Read by `command.py`.
"""

import os
import re
import stat
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

MAX_FILE_BYTES = 100_000_000
MAX_STUDENT_BYTES = 200_000_000
MAX_FILES = 1000
_MAX_LIST_BYTES = 1000 * MAX_FILES  # of what is in a student's zip file
_CHUNK_BYTES = 1_000_000
_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_\w+")
_CANVAS = re.compile(r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<id>\d+)_\d+_(?P<file>.+)")


class Refused(Exception):
    """A file that isn't read; says why."""


@dataclass(frozen=True)
class Member:
    """A file of a folder or of a zip file: its name inside, and how to open it."""

    name: str
    opened: Callable[[], IO[bytes]]

    def save(self, path: Path, room: int) -> int:
        """Copy it, piece by piece; return how much it is.

        `Refused` for a link, a pipe, what can't be read, and what is too large.
        """
        size = 0
        try:
            with self.opened() as source, path.open("wb") as copy:
                while data := source.read(_CHUNK_BYTES):
                    size += len(data)
                    _refuse_large(size)
                    if size > room:
                        raise Refused("is more than one student may hand in")
                    copy.write(data)
        except Exception as error:  # zip files are broken in many ways
            path.unlink(missing_ok=True)
            if isinstance(error, Refused):
                raise
            raise Refused(f"can't be read: {error}") from error
        return size


def _in_folder(folder: Path) -> Iterator[Member]:
    for here, folders, files in os.walk(folder):
        links = [f"{p}/" for p in folders if os.path.islink(os.path.join(here, p))]
        for name in sorted([*files, *links]):
            path = Path(here, name)
            inside = os.path.relpath(here, folder).replace(os.sep, "/")
            inside = name if inside == "." else f"{inside}/{name}"
            yield Member(inside, partial(_opened, path))


def _opened(path: Path) -> IO[bytes]:
    if path.is_symlink():
        raise Refused("is a link: hand in the file itself")
    # Between the two nobody makes it a link, and opening a pipe doesn't wait.
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.fdopen(os.open(path, os.O_RDONLY | flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Refused("is not a file")
    return file


def _in_zip(path: Path, largest_list: float = float("inf")) -> Iterator[Member]:
    try:
        with path.open("rb") as file:  # zipfile would read a list of any length
            file.seek(max(0, path.stat().st_size - 70_000))
            end = file.read().rpartition(b"PK\5\6")[2]
        if int.from_bytes(end[8:12], "little") > largest_list:
            raise Refused("has too many files in it")
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise Refused("is not a zip file") from error
    for info in archive.infolist():
        if not info.is_dir():
            yield Member(info.filename, partial(_unzipped, archive, info))


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if stat.S_ISLNK(info.external_attr >> 16):
        raise Refused("is a link: hand in the file itself")
    _refuse_large(info.file_size)  # zipfile doesn't unpack more than this
    return archive.open(info)


def _refuse_large(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise Refused(f"is larger than {MAX_FILE_BYTES // 1_000_000} MB")


@dataclass
class Submission:
    """What one student handed in: `student` is unique in a class, `id` is the LMS's."""

    student: str
    id: str = ""
    is_late: bool = False
    members: list[Member] = field(default_factory=list)

    def save(self, folder: Path) -> tuple[list[str], list[str]]:
        """Write the files into a folder; return their names, and what was refused and why.

        A zip file among them is unpacked; one inside it is not.
        """
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as zipped:
            return self._save(folder, Path(zipped))

    def _save(self, folder: Path, zipped: Path) -> tuple[list[str], list[str]]:
        names: list[str] = []
        problems: list[str] = []
        room = MAX_STUDENT_BYTES
        todo = list(self.members)
        for number, member in enumerate(todo):  # which grows
            try:
                if number >= MAX_FILES:
                    problems.append(f"{member.name} and more: too many files")
                    break
                is_zip = member.name.lower().endswith(".zip") and member in self.members
                path = _place(zipped if is_zip else folder, member.name)
                room -= member.save(path, room)
                if is_zip:
                    inside = _in_zip(path, _MAX_LIST_BYTES)
                    todo += [each for each in inside if _is_visible(each.name)]
                else:
                    names.append(member.name)
            except Refused as why:
                problems.append(f"{member.name} {why}")
        return names, problems


def _place(folder: Path, name: str) -> Path:
    """Where a file of this name goes, inside the folder."""
    if PurePosixPath(name).is_absolute() or ".." in name.split("/") or "\\" in name:
        raise Refused("is not a name that a file may have here")
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except (OSError, ValueError) as error:
        raise Refused("can't be copied: another name may help") from error
    return path


def _is_visible(name: str) -> bool:
    """Is it none of what systems leave behind: hidden files, checkpoints, `__MACOSX`?"""
    left = [p for p in name.split("/") if p.startswith((".", "__MACOSX")) and p != ".."]
    return not left


def submission_of(folder: Path) -> Submission:
    """A folder that is one student's."""
    members = [m for m in _in_folder(folder) if _is_visible(m.name)]
    return Submission(folder.name, members=members)


# --- a class --------------------------------------------------------------------------


def submissions_in(path: Path) -> tuple[list[Submission], list[str]]:
    """Every student's submission by name, and what is nobody's.

    Args:
        path: a folder, a zip file, or a single notebook.
    """
    if path.suffix.lower() == ".ipynb" and path.is_file():
        alone = Member(path.name, partial(_opened, path))
        return [Submission(path.stem, members=[alone])], []
    # A folder without files is a student who handed in nothing.
    members: list[tuple[str, Member | None]] = []
    if path.is_dir():
        members = [(f"{p.name}/", None) for p in path.iterdir() if p.is_dir()]
        members += [(member.name, member) for member in _in_folder(path)]
    elif path.suffix.lower() == ".zip":
        members = [(member.name, member) for member in _in_zip(path)]
    found: dict[str, Submission] = {}
    nobodys: list[str] = []
    for name, member in members:
        if not _is_visible(name):
            continue
        whose = _whose(name)
        if whose is None:
            nobodys.append(name)
            continue
        submission, inside = whose
        submission = found.setdefault(submission.student, submission)
        submission.is_late |= whose[0].is_late
        if member:
            submission.members.append(Member(inside, member.opened))
    if not found:
        raise ValueError(
            f"submissions: got {path}, expected a folder for each student, or the files "
            "of Canvas or Moodle as they were downloaded"
        )
    return [found[student] for student in sorted(found)], sorted(set(nobodys))


def _whose(name: str) -> tuple[Submission, str] | None:
    """The student of a file with this name, and what the student called it."""
    # Some systems write é as one character, some as two: it is the same student.
    first, _, rest = unicodedata.normalize("NFC", name).partition("/")
    if first.startswith((".", "_")):
        return None
    if "/" in name:
        moodle = _MOODLE.fullmatch(first)
        if moodle:
            student = f"{moodle['name']} {moodle['id']}"
            return Submission(student, moodle["id"]), rest
        return Submission(first), rest
    if canvas := _CANVAS.fullmatch(first):
        student = f"{canvas['name']} {canvas['id']}"
        return Submission(student, canvas["id"], bool(canvas["late"])), canvas["file"]
    stem, dot, kind = first.rpartition(".")
    if stem and kind.lower() in ("zip", "ipynb") and not stem[:2].isdigit():
        return Submission(stem), name
    return None

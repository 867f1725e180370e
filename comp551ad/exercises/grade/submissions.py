"""Who submitted what: in a folder for each student, a zip file, or an LMS's download.

    zoe/02_derivatives.ipynb                              a folder for each student
    Zoe Müller_4711_assignsubmission_file_/02_….ipynb     Moodle
    muellerzoe_LATE_12345_67890_02_….ipynb                Canvas: no folders at all
    zoe.zip, zoe.ipynb                                    a file for each student

Any of these may itself be in one zip file. Links are never followed: each is reported among
the student's problems.

    submissions_in   the files of every student
    save             copies one student's files, zip files unpacked
    visible_files    a folder's files, as one student's
"""

import os
import re
import shutil
import stat
import tempfile
import unicodedata
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

MAX_STUDENT_BYTES = 100_000_000
MAX_FILES = 1000
_TOO_MUCH = "exceeds the limit for one student: 100 MB in 1000 files"
_LINK = "is a link: hand in the file itself"
_LEFT_BEHIND = re.compile(r"(^|/)(\.|__MACOSX)")
_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_\w+")
_CANVAS = re.compile(r"(?P<name>[^_]+)(?:_LATE)?_(?P<id>\d+)_\d+_(?P<file>.+)")
Files = list[tuple[str, str]]  # each file's name in the submission, and its path


class Refused(ValueError):
    """A file that isn't read; the message says why."""


@dataclass
class Submission:
    """What one student submitted: `student` is unique in a class, `id` is the LMS's."""

    student: str
    id: str = ""
    files: Files = field(default_factory=list)


def visible_files(folder: Path) -> Files:
    """A folder's files and links, except what operating systems leave behind."""
    found = []
    for here, folders, files in os.walk(folder):
        links = [f"{p}/" for p in folders if os.path.islink(os.path.join(here, p))]
        for name in sorted([*files, *links]):
            inside = Path(here).relative_to(folder).as_posix()
            inside = f"{inside}/{name}".removeprefix("./")
            if not _LEFT_BEHIND.search(inside):
                found.append((inside, os.path.join(here, name)))
    return found


# --- one student's files --------------------------------------------------------------


def save(files: Files, folder: Path) -> tuple[list[str], list[str]]:
    """Copy files into a folder; return their names, and what was refused and why.

    Zip files are unpacked, including nested ones.
    """
    names: list[str] = []
    problems: list[str] = []
    room, seen = MAX_STUDENT_BYTES, 0
    todo = files[::-1]
    with tempfile.TemporaryDirectory(dir=folder.parent) as unpacked:
        while todo:
            name, path = todo.pop()
            seen += 1
            try:
                with _opened(path) as source:
                    room -= os.fstat(source.fileno()).st_size
                    if room < 0 or seen > MAX_FILES:
                        raise Refused(_TOO_MUCH)
                    if name.lower().endswith(".zip"):
                        inside = Path(unpacked, str(seen))
                        problems += unpack(source, inside, room)
                        # Next, so that they are counted before another one is unpacked.
                        todo += visible_files(inside)[::-1]
                        continue
                    target = folder / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with target.open("wb") as copy:
                        shutil.copyfileobj(source, copy)
                    names.append(name)
            except Refused as why:
                problems.append(f"{name} {why}")
            except OSError as error:
                problems.append(f"{name} can't be copied: {error.strerror}")
    return names, problems


def unpack(file: BinaryIO | Path, folder: Path, room: int | None = None) -> list[str]:
    """Unpack a zip file, within limits if `room` is given; return what failed, and why.

    zipfile sanitizes names that lead outside the folder.
    """
    problems = []
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            size = sum(info.file_size for info in infos)
            if room is not None and (size > room or len(infos) > MAX_FILES):
                raise Refused(_TOO_MUCH)
            for info in infos:
                try:
                    if stat.S_ISLNK(info.external_attr >> 16):
                        raise Refused(_LINK)
                    # Some systems write backslashes.
                    info.filename = info.filename.replace("\\", "/")
                    archive.extract(info, folder)
                except Exception as error:  # zip files are broken in many ways
                    problems.append(f"{info.filename} can't be unpacked: {error}")
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise Refused("is not a zip file") from error
    return problems


def _opened(path: str) -> BinaryIO:
    if os.path.islink(path.rstrip("/")):
        raise Refused(_LINK)
    # Even if it becomes a link meanwhile it isn't followed; and opening a pipe doesn't block.
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.fdopen(os.open(path, os.O_RDONLY | flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Refused("is not a file")
    return file


# --- a class --------------------------------------------------------------------------


def submissions_in(path: Path, empty: Path) -> tuple[list[Submission], list[str]]:
    """Every student's submission, by name, and the files that belong to no student.

    Args:
        path: a folder, a zip file, or a single notebook.
        empty: a new folder to unpack the zip file in.
    """
    if path.suffix.lower() == ".ipynb" and path.is_file():
        return [Submission(path.stem, files=[(path.name, str(path))])], []
    nobodys: list[str] = []
    if path.suffix.lower() == ".zip" and path.is_file():
        empty.mkdir(0o700)
        nobodys = unpack(path, empty)
        path = empty
    files: Files = []
    if path.is_dir():
        # A folder without files is a student who submitted nothing.
        folders = [f"{p.name}/" for p in path.iterdir() if p.is_dir()]
        files = [(name, "") for name in folders if not _LEFT_BEHIND.match(name)]
        files += visible_files(path)
    found: dict[str, Submission] = {}
    for name, where in files:
        student, lms_id, inside = _whose(name)
        if not student:
            nobodys.append(name)
            continue
        submission = found.setdefault(student, Submission(student, lms_id))
        if where:
            submission.files.append((inside, where))
    if not found:
        raise ValueError(
            f"submissions: got {path}, expected a folder for each student, or the files "
            "as downloaded from Canvas or Moodle"
        )
    return [found[student] for student in sorted(found)], sorted(nobodys)


def _whose(name: str) -> tuple[str, str, str]:
    """The student of a file with this name, the LMS's id, and the file's own name."""
    # Some systems write é as one character, some as two: it must be the same student.
    first, in_folder, rest = unicodedata.normalize("NFC", name).partition("/")
    if first.startswith("_"):
        return "", "", name
    if in_folder:
        if moodle := _MOODLE.fullmatch(first):
            return f"{moodle['name']} {moodle['id']}", moodle["id"], rest
        return first, "", rest
    if canvas := _CANVAS.fullmatch(first):
        return f"{canvas['name']} {canvas['id']}", canvas["id"], canvas["file"]
    stem, _, kind = first.rpartition(".")
    own = kind.lower() in ("zip", "ipynb") and not stem[:2].isdigit()
    return stem if own else "", "", name

"""`python -m comp551ad lectures`: copy the course to a folder and open it in JupyterLab.

A wheel has lectures and exercises inside the package; a checkout has them next to it. They are
copied because users edit them; files already in the folder are never overwritten.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from .extras import extra

_HERE = Path(__file__).parent
# In a wheel, in a checkout.
PLACES = (_HERE / "course", _HERE.parent)
ROOMS = ("lectures", "exercises")
FIRST = "lectures/00_start_here.ipynb"


def copy_course(folder: Path) -> tuple[int, int]:
    """Copy lectures and exercises into a folder, without overwriting existing files.

    Args:
        folder: a new folder, or one that holds an earlier copy.

    Returns:
        The number of files copied, and the number already there and left unchanged.

    Raises:
        FileNotFoundError: the package was installed without the course.
        OSError: the folder isn't writable.
    """
    places = [place for place in PLACES if (place / FIRST).is_file()]
    if not places:
        raise FileNotFoundError(
            f"lectures: got no {FIRST} in {' or '.join(map(str, PLACES))}, expected a wheel "
            "or a checkout with the course; get the repository instead"
        )
    copied = kept = 0
    for room in ROOMS:
        for path in sorted((places[0] / room).glob("*.*")):
            target = folder / room / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                # "x" is safe even if another process writes the same file.
                with target.open("xb") as file:
                    file.write(path.read_bytes())
                copied += 1
            except FileExistsError:
                kept += 1
    return copied, kept


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        type=Path,
        nargs="?",
        default=Path("comp551ad-course"),
        help="where to copy the course to (default: comp551ad-course)",
    )
    parser.add_argument(
        "--no-open", action="store_true", help="copy only; don't start JupyterLab"
    )


def main(chosen: argparse.Namespace) -> int:
    """Copy the course and open it; return 2 if it can't be copied."""
    if not chosen.no_open:
        with extra("lab", "lectures"):
            import jupyterlab  # noqa: F401
    try:
        copied, kept = copy_course(chosen.folder)
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{chosen.folder}: {copied} files copied, {kept} left as they are")
    if chosen.no_open:
        return 0
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={chosen.folder}"]
    return subprocess.run([*command, str(chosen.folder / FIRST)]).returncode

"""`python -m comp551ad release OUT`: the course as students get it.

It has the chosen lectures and exercises, and the package with their checks, but no solutions,
tests or grading. `progress()` lists the exercises that are included, and links to notebooks
that aren't become plain text. A package for Gradescope is such an edition plus the grading.
"""

import argparse
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from .catalogue import own_files, own_folders
from .grade.sandbox import PACKAGE

ROOT = PACKAGE.parent
START = "00"  # the start page is always included
# Parts of the package that students don't need and shouldn't read.
_TEACHERS = {
    *("grade", "site", "lectures.py", "release.py", "notebooks.py"),
    *("solutions", "__main__.py"),
}
_LINK = re.compile(r"\[([^\[\]]*)\]\((?:\.\./)?(?:\w+/)?(\w+\.ipynb)[^()\s]*\)")
_README = """# comp551ad: lectures and exercises

You need Python 3.11 or newer. In this folder (on Windows, `py` for `python3` and
`.venv\\Scripts\\` for `.venv/bin/`):

```bash
python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt
.venv/bin/jupyter lab --notebook-dir=. lectures/00_start_here.ipynb
```

Read and run `lectures/`. In `exercises/`, write your answers where a cell says
`# YOUR CODE HERE`; the check below it says at once what is wrong, `hint(name)` helps, and
`progress()` shows what is done. Don't rename the notebooks that you hand in.
"""


def release(
    out: Path, lectures: Iterable[str] = (), without: set[str] = _TEACHERS
) -> list[str]:
    """Write the student edition into a new folder; return the notebooks' names.

    Args:
        out: a folder that is empty or doesn't exist.
        lectures: "02", …: the lectures to include; all if none is named.
        without: parts of the package to leave out.
    """
    chosen = _notebooks_of(lectures)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"out: got {out}, expected an empty folder, or a new one")
    names = {path.name for path in chosen}
    for path in chosen:
        text = path.read_text(encoding="utf-8")
        target = out / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(without_links(text, names), encoding="utf-8", newline="\n")
    numbers = {name[:2] for name in names} if lectures else None
    _copy_package(out / PACKAGE.name, numbers, without)
    shutil.copy(ROOT / "lectures" / "coverage.toml", out / "lectures")
    shutil.copy(ROOT / "LICENSE", out)
    # The rest of these files is for people who work on the course.
    for name, rest in (
        ("pyproject.toml", "# --- only in a checkout"),
        ("requirements.txt", "# to run the tests"),
    ):
        kept, _, _ = (ROOT / name).read_text(encoding="utf-8").partition(rest)
        (out / name).write_text(kept, encoding="utf-8")
    (out / "README.md").write_text(_README, encoding="utf-8")
    return sorted(f"{path.parent.name}/{path.name}" for path in chosen)


def _notebooks_of(lectures: Iterable[str]) -> list[Path]:
    """The lecture and exercise notebooks with these numbers, a lecturer's own included."""
    wanted = {START, *lectures}
    folders = [ROOT / "lectures", ROOT / "exercises"]
    folders += [folder / "exercises" for folder in own_folders()]
    there = [path for folder in folders for path in folder.glob("*.ipynb")]
    missing = wanted - {path.name[:2] for path in there}
    if missing:
        raise ValueError(
            f"--lectures: got {', '.join(sorted(missing))}, expected numbers of notebooks "
            f"in {ROOT / 'lectures'}; run the command in a checkout of the course"
        )
    return sorted(p for p in there if not lectures or p.name[:2] in wanted)


def without_links(text: str, names: set[str]) -> str:
    """A notebook's text, keeping only links to notebooks with these names."""

    return _LINK.sub(lambda link: link[0] if link[2] in names else link[1], text)


def _copy_package(folder: Path, numbers: set[str] | None, without: set[str]) -> None:
    """Copy the package with the exercises of some lectures, leaving out some of its parts."""
    left_out = {"__pycache__", *without}
    shutil.copytree(PACKAGE, folder, ignore=lambda path, names: left_out & {*names})
    tasks = folder / "exercises" / "tasks"
    for path in own_files():
        if numbers is None or path.name[:2] in numbers:
            shutil.copy(path, tasks / f"own_{path.name}")
    there = sorted(tasks.glob("lecture_*.py"))
    kept = [p for p in there if numbers is None or p.stem[-2:] in numbers]
    used = "\n".join(p.read_text(encoding="utf-8") for p in kept)
    for path in there:
        if path in kept:
            continue
        if f"from .{path.stem} import" in used:
            with open(path, "a", encoding="utf-8") as file:
                file.write("\nEXERCISES = ()  # others use what is above\n")
        else:
            path.unlink()


# --- the command ----------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add = parser.add_argument
    add("out", type=Path, help="a new or empty folder")
    add("--lectures", nargs="+", default=[], metavar="NN", help="only these: 02 03")


def main(chosen: argparse.Namespace) -> int:
    """Write the student edition."""
    names = release(chosen.out, chosen.lectures)
    print(f"{chosen.out}: {len(names)} notebooks")
    return 0

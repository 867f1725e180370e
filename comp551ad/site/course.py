"""The course as the site needs it: its notebooks, the map of the deck, and its addresses.

`read_course` reads a folder with lectures/ and the folders and files beside it.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from comp551ad.extras import extra

with extra("site", "pages"):
    import nbformat

NAME = "Gradients and automatic differentiation"
ROOMS = {"lectures": "Lecture", "exercises": "Exercises", "solutions": "Solutions"}
# Reading speed: words, or lines of visible code, per minute.
WORDS, LINES = 100, 6


@dataclass(frozen=True)
class Source:
    """A notebook of the course and the place of its page."""

    room: str  # a key of ROOMS
    path: Path
    notebook: nbformat.NotebookNode

    @property
    def number(self) -> str:
        """``"05"``, or ``"05a"`` for a side notebook."""
        return self.path.stem.partition("_")[0]

    @property
    def lecture(self) -> str:
        """The number of its lecture."""
        return self.number[:2]

    @property
    def is_side(self) -> bool:
        """Whether it is a side notebook, off the main path."""
        return self.number != self.lecture

    @property
    def file(self) -> str:
        """The notebook's place in the site."""
        return f"{self.room}/{self.path.name}"

    @property
    def page(self) -> str:
        """The page's place in the site."""
        return f"{self.room}/{self.path.stem}.html"

    @property
    def title(self) -> str:
        """The first heading, without its number: `# 07 · The list` -> "The list"."""
        heading = self._opening()[0].removeprefix("# ")
        return heading.partition("·")[2].strip() or heading

    @property
    def label(self) -> str:
        """The text of a link to it from its lecture."""
        return self.title if self.is_side else ROOMS[self.room]

    @property
    def question(self) -> str:
        """The paragraph under the title."""
        return " ".join(self._opening()[1:2]).replace("\n", " ")

    @property
    def minutes(self) -> int:
        """How many minutes it takes to read, without exercises and tables."""
        words = lines = 0
        for cell in self.notebook.cells:
            if cell.cell_type == "markdown":
                prose = (s for s in cell.source.splitlines() if s[:1] != "|")
                words += sum(len(line.split()) for line in prose)
            elif not is_folded(cell):
                lines += sum(map(bool, map(str.strip, cell.source.splitlines())))
        return round(words / WORDS + lines / LINES) or 1

    def _opening(self) -> list[str]:
        return self.notebook.cells[0].source.strip().split("\n\n")


@dataclass(frozen=True)
class Course:
    """Everything the site is made from.

    - `sources`: the notebooks, room by room, in order;
    - `coverage`: `coverage.toml`, a section of the deck -> what it claims and where that runs;
    - `addresses`: label -> address, from `pyproject.toml`'s `[project.urls]`.
    """

    sources: list[Source]
    coverage: dict[str, dict]
    addresses: dict[str, str]

    @cached_property
    def lectures(self) -> list[Source]:
        """The lectures of the main path."""
        return [s for s in self.sources if s.room == "lectures" and not s.is_side]

    @cached_property
    def files(self) -> set[str]:
        """The available notebooks, as ``"lectures/05_iris.ipynb"``."""
        return {s.file for s in self.sources}

    def beside(self, source: Source) -> list[Source]:
        """The other notebooks of the same lecture: side notebooks, exercises, solutions."""
        return [
            s for s in self.sources if s.lecture == source.lecture and s is not source
        ]

    def around(self, source: Source) -> tuple[Source | None, Source | None]:
        """The previous and the next page; for a side notebook, the lectures around it."""
        row = [
            s
            for s in self.sources
            if s.room == source.room and (s is source or not s.is_side)
        ]
        at = row.index(source)
        return row[at - 1] if at else None, row[at + 1] if at + 1 < len(row) else None


def is_folded(cell: nbformat.NotebookNode) -> bool:
    """Whether JupyterLab has collapsed a cell's code."""
    return bool(cell.metadata.get("jupyter", {}).get("source_hidden"))


def read_course(folder: Path, solutions: bool = True) -> Course:
    """Read the notebooks, the map and the addresses of a course.

    Args:
        folder: contains lectures/, and perhaps exercises/ and solutions/.
        solutions: whether to include the solutions.

    Raises:
        FileNotFoundError: there are no lectures, or no `coverage.toml` among them.
        ValueError: a notebook or `coverage.toml` can't be read; the message names it.
    """
    if not any((folder / "lectures").glob("[0-9][0-9]*_*.ipynb")):
        raise FileNotFoundError(
            f"--course: got {folder}, expected a folder with lectures/*.ipynb; "
            "name the folder of the course"
        )
    rooms = [room for room in ROOMS if solutions or room != "solutions"]
    project = folder / "pyproject.toml"
    named = _toml(project).get("project", {}) if project.is_file() else {}
    return Course(
        [source for room in rooms for source in _sources(folder / room)],
        _toml(folder / "lectures/coverage.toml"),
        named.get("urls", {}),
    )


def _sources(room: Path) -> Iterator[Source]:
    for path in sorted(room.glob("[0-9][0-9]*_*.ipynb")):
        try:
            notebook = nbformat.read(path, as_version=4)
            nbformat.validate(notebook)
        except OSError:
            raise
        # An invalid file may raise anything. Take a schema error's message, without the schema.
        except Exception as error:
            says = getattr(error, "message", error)
            raise ValueError(f"{path} is not a notebook: {says}") from error
        source = Source(room.name, path, notebook)
        if not notebook.cells or not source.title:
            raise ValueError(
                f"{path} has no title; begin its first cell with one: # 07 · The list"
            )
        yield source


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not TOML: {error}") from error

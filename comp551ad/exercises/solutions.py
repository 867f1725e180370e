"""The solution notebooks, read as code: a function's source, and what it needs to run.

A wheel has `solutions/` inside the package, a checkout next to it. If neither is found, as in
a student edition, a check does without: it edits the function that the exercise's own mistakes
are edits of, if there is one, and doesn't say where an answer departs from the solution.

    solution     an exercise's answer in the solution notebooks: a `Solution`
    source_of    the same for any function whose source can be read
"""

import ast
import functools
import inspect
import json
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
FOLDERS = (_HERE / "solutions", _HERE.parents[1] / "solutions")


@dataclass(frozen=True)
class Solution:
    """An answer's source, without nbgrader's markers."""

    name: str
    source: str
    lecture: str

    def tree(self) -> ast.Module:
        """A fresh syntax tree, for the caller to change."""
        return ast.parse(self.source)

    def namespace(self) -> dict[str, Any]:
        """New globals in which the source can be executed."""
        return dict(_namespace(self.lecture, self.name))


@dataclass(frozen=True, eq=False)
class _Given(Solution):
    """A function's source, to run with the function's own globals."""

    names: dict[str, Any]

    def namespace(self) -> dict[str, Any]:
        return dict(self.names)


def source_of(function: Callable[..., Any]) -> Solution:
    """A function as if defined in a notebook; raises if its source can't be read."""
    source = textwrap.dedent(inspect.getsource(function))
    return _Given(function.__name__, source, "", function.__globals__)


@functools.cache
def solution(name: str, lecture: str) -> Solution | None:
    """The answer to an exercise in `solutions/`, or None if that folder isn't there."""
    for grade_id, source in _code_cells(lecture):
        if grade_id == name:
            lines = source.split("\n")
            text = "\n".join(line for line in lines if "### " not in line)
            return Solution(name, text, lecture)
    return None


@functools.cache
def _code_cells(lecture: str) -> tuple[tuple[str | None, str], ...]:
    """For each code cell that isn't a check: its grade_id, if any, and its source."""
    paths = [p for folder in FOLDERS for p in sorted(folder.glob(f"{lecture}_*.ipynb"))]
    cells = json.loads(paths[0].read_text("utf-8"))["cells"] if paths else []
    found = []
    for cell in cells:
        about = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "code" and not about.get("grade"):
            found.append((about.get("grade_id"), "".join(cell["source"])))
    return tuple(found)


def _definitions(lecture: str) -> Iterator[tuple[set[str], ast.stmt]]:
    """Each defining statement in the notebook's cells, with the names it defines."""
    for _, source in _code_cells(lecture):
        for statement in ast.parse(source).body:
            match statement:
                case ast.Import(names=names) | ast.ImportFrom(names=names):
                    yield {alias.asname or alias.name for alias in names}, statement
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    yield {name}, statement
                case ast.Assign(targets=[ast.Name(id=name)]):
                    yield {name}, statement


@functools.cache
def _namespace(lecture: str, name: str) -> dict[str, Any]:
    """Execute only what the answer needs, once, so that nothing is drawn or printed."""
    definitions = list(_definitions(lecture))
    needed, chosen = [name], []
    for wanted in needed:
        for names, statement in definitions:
            if wanted in names and statement not in chosen:
                chosen.append(statement)
                needed += {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
    body = [statement for _, statement in definitions if statement in chosen]
    namespace = {"__name__": "comp551ad.exercises.solution"}
    exec(compile(ast.Module(body, []), f"<solution {lecture}>", "exec"), namespace)
    return namespace

"""What is on a slide: no code that is folded, no assert, and formulas that need no script.

`jupyter nbconvert --to slides --config comp551ad/show/slides.json` names what is here, and the
template beside it, `deck/`. Nothing is fetched from a network.
"""

import ast
from typing import TYPE_CHECKING, Any

from comp551ad.extras import extra

from .course import is_folded
from .pages import markdown

if TYPE_CHECKING:
    from nbformat import NotebookNode

with extra("site", "slides"):
    from nbconvert.preprocessors import Preprocessor

__all__ = ["ForSlides", "markdown2html"]


class ForSlides(Preprocessor):
    """Take out of a notebook what nobody lectures from."""

    def preprocess_cell(
        self, cell: "NotebookNode", resources: dict[str, Any], index: int
    ) -> tuple["NotebookNode", dict[str, Any]]:
        """A cell as its slide has it; without its code if that is folded or gone."""
        if cell.cell_type == "code":
            cell.source = without_asserts(cell.source)
            if is_folded(cell) or not cell.source:
                cell.metadata["transient"] = {"remove_source": True}
        return cell, resources


def without_asserts(source: str) -> str:
    """Python source without its outermost ``assert`` statements."""
    lines = source.splitlines()
    for statement in reversed(ast.parse(source).body):
        if isinstance(statement, ast.Assert):
            del lines[statement.lineno - 1 : statement.end_lineno]
    return "\n".join(lines).strip("\n")


def markdown2html(source: str) -> str:
    """nbconvert's filter of this name, with formulas as MathML."""
    return markdown(source)

"""What is on a slide: no code that is folded, and no assert.

`jupyter nbconvert --to slides --config comp551ad/show/slides.json` names what is here, the
template beside it, `deck/`, and the filter of `pages` that sets formulas as MathML. Nothing is
fetched from a network.
"""

import ast
from typing import Any

from comp551ad.extras import extra

from .course import is_folded

with extra("site", "slides"):
    from nbconvert.preprocessors import Preprocessor
    from nbformat import NotebookNode

__all__ = ["ForSlides"]


class ForSlides(Preprocessor):
    """Take out of a notebook what nobody lectures from."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
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

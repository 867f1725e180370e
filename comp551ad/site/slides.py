"""What appears on slides: no collapsed code, and no asserts.

`jupyter nbconvert --to slides --config comp551ad/show/slides.json` uses this preprocessor, the
template `deck/` beside it, and the filters of `pages`, which write formulas as MathML. Nothing is
fetched from the network.
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
    """Remove from a notebook what slides don't show."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """A cell for its slide, without its code if that is collapsed or empty."""
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

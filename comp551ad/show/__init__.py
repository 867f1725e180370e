"""Show: traces, passes and results as formulas, tables, graphs and plots.

What this package is: everything to look at, and no mathematics of its own.

    formula   a recorded computation in symbols: text, LaTeX, HTML
    rows      a trace or a pass as inert data, which all below read
    table     rows -> the slide's table
    graph     rows -> the computational graph; ``dot`` or ``layout`` says what goes where
    plots     learning curves, decision boundaries, paths
    arguments what plots and players are handed, read in one place
    witnesses the same numbers, found in different ways, side by side
    player    frames -> something to step through, in a page with no Python behind it
    steppers  a pass as frames; ``scenes`` plays other ideas

``autodiff`` knows nothing of this: importing ``comp551ad.show`` teaches ``Trace`` and
``Pass`` to show themselves, as a table where there is only text, as graph and table in a notebook;
``graph_view`` and ``table_view`` show one of the two. ``comp551ad`` imports it when
``record``, ``forward`` or ``reverse`` is first used.
matplotlib is imported when something is drawn, and Graphviz is started only then.

Reads: ``autodiff``. Read by: notebooks and steppers.
"""

from typing import get_args

from comp551ad.shapes import count

from . import graph
from .rows import Shown, rows_of
from .table import table_html, table_text

__all__ = ["View", "graph_view", "rows_of", "table_html", "table_text", "table_view"]


def _html(shown):
    rows = rows_of(shown)
    return graph.graph_html(rows) + "\n" + table_html(rows)


for _class in get_args(Shown):
    _class.__repr__ = table_text
    _class._repr_html_ = _html


class View:
    """A part of what an object shows, for the last line of a cell: as text and as HTML."""

    def __init__(self, text: str, html: str):
        self._text, self._html = text, html

    def __repr__(self):
        return self._text

    def _repr_html_(self):
        return self._html


def table_view(shown: Shown) -> View:
    """The table of a trace or a pass, without its graph."""
    return View(table_text(shown), table_html(shown))


def graph_view(shown: Shown, width: int | None = None) -> View:
    """The graph of a trace or a pass, without its table.

    Args:
        shown: from ``record``, ``forward`` or ``reverse``.
        width: at most so many pixels.

    Raises:
        ValueError: ``width`` isn't a whole number above 0.
    """
    rows = rows_of(shown)
    html = graph.graph_html(rows)
    if width is not None:
        width = count("width", width, 1)
        html = f'<div style="max-width:{width}px">{html}</div>'
    return View(graph.graph_text(rows), html)

"""Show: traces, passes and results as formulas, tables, graphs and plots.

Everything to look at, and no mathematics of its own. A recording is read once, in this order:

    recorded  what ran, as trees: a value's formula, and the terms of a derivative
    formula   a tree in symbols: text, LaTeX, HTML
    rows      a trace or a pass as inert data
    table     rows -> the slide's table
    graph     rows -> the computational graph; ``dot`` or ``layout`` says what goes where
    live      a trace as the page's engine reads it
    player    what puts a player into a page; ``steppers``, ``scenes`` and ``training`` are players

Beside them ``plots`` draws curves and boundaries, and ``witnesses`` shows numbers side by side.

``autodiff`` knows nothing of this: importing ``comp551ad.show`` teaches ``Trace`` and ``Pass`` to
show themselves, as a table where there is only text, as graph and table in a notebook;
``graph_view`` and ``table_view`` show one of the two. ``comp551ad`` imports it when ``record``,
``forward`` or ``reverse`` is first used. matplotlib is imported when something is drawn, and
Graphviz is started only then.
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

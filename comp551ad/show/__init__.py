"""Show: traces, passes and results as formulas, tables, graphs and plots.

Display only, no mathematics. A recording is read once, in this order:

    recorded  what ran, as trees: a value's formula, and the terms of a derivative
    formula   a tree in symbols: text, LaTeX, HTML
    rows      a trace or a pass as inert data
    table     rows -> the slide's table
    graph     rows -> the computational graph, laid out by ``dot`` or ``layout``
    live      a trace as the page's engine reads it
    player    embeds a player in a page; ``steppers``, ``scenes`` and ``training`` are players

In addition, ``plots`` draws curves and boundaries, and ``witnesses`` shows numbers side by side.

``autodiff`` doesn't depend on this package: importing ``comp551ad.show`` gives ``Trace`` and
``Pass`` their reprs, a table in plain text, graph and table in a notebook; ``graph_view`` and
``table_view`` show one of the two. ``comp551ad`` imports it when ``record``, ``forward`` or
``reverse`` is first used. matplotlib is imported, and Graphviz started, only to draw something.
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
    """Part of an object's display, as text and as HTML, for the last line of a cell."""

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
        width: the maximum width in pixels.

    Raises:
        ValueError: ``width`` isn't a whole number above 0.
    """
    rows = rows_of(shown)
    html = graph.graph_html(rows)
    if width is not None:
        width = count("width", width, 1)
        html = f'<div style="max-width:{width}px">{html}</div>'
    return View(graph.graph_text(rows), html)

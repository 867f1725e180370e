"""The computational graph as a picture: rows -> layout -> SVG (S11, S13, S15).

Inputs are the leaves at the bottom, operations are inside the nodes, and each node shows its
number, its name, its value and, with a pass, its derivative. The node a5 is
``<g id="a5" class="node done">``, the edge into the first operand of a5 from a4 is
``<g id="a4-a5-0" class="edge">``. The state of a node shows in its colour, its border and a word,
never in colour alone. Where there is only text, the nodes are listed in words.

Reads: ``rows``, ``layout``, ``palette``. Read by: ``steppers``, notebooks.
"""

import base64
import html
import re
import unicodedata
from typing import NamedTuple

from . import palette
from .figures import shape_text
from .layout import lay_out
from .rows import Rows, Shown, rows_of

__all__ = ["MOST_NODES", "STATES", "graph_html", "graph_svg", "graph_text"]

# More can't be read on one screen.
MOST_NODES = 60
# Nodes that the alternative text names one by one.
MOST_LISTED = 12
# State -> the word that a node shows.
STATES = {
    "done": "done",
    "current": "now",
    "waiting": "waiting",
    "discardable": "not needed",
}
FONT = "'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
# Text sizes in pixels.
LABEL, VALUE, WORD = 20, 18, 13
# Pixels inside a card, and between its lines.
PAD, LINE = 12, 27
# Control characters and halves of surrogate pairs.
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Characters of a name or a value in a node.
LONGEST = 16

STYLE = f"""
.c5-graph text {{ font-family: {FONT}; fill: {palette.INK}; }}
.c5-graph .card {{ fill: {palette.PAPER}; stroke: {palette.INK}; stroke-width: 2; }}
.c5-graph .badge {{ fill: {palette.PAPER}; stroke: {palette.INK}; stroke-width: 1.5; }}
.c5-graph .operation {{ font-weight: 600; text-anchor: middle; }}
.c5-graph .operation {{ dominant-baseline: central; }}
.c5-graph .label {{ font-size: {LABEL}px; font-weight: 700; }}
.c5-graph .name {{ font-weight: 400; font-style: italic; }}
.c5-graph .value, .c5-graph .derivative {{ font-size: {VALUE}px; }}
.c5-graph .derivative {{ font-weight: 700; }}
.c5-graph .word {{ font-size: {WORD}px; text-anchor: end; }}
.c5-graph .line {{ fill: none; stroke: {palette.EDGE}; stroke-width: 2; }}
.c5-graph .done .card {{ fill: {palette.DONE_FILL}; stroke: {palette.DONE_EDGE}; }}
.c5-graph .current .card {{ fill: {palette.CURRENT_FILL};
  stroke: {palette.CURRENT_EDGE}; stroke-width: 4.5; }}
.c5-graph .waiting .card {{ fill: {palette.WAITING_FILL};
  stroke: {palette.WAITING_EDGE}; stroke-dasharray: 8 5; }}
.c5-graph .waiting text {{ fill: {palette.WAITING_TEXT}; }}
.c5-graph .discardable .card {{ fill: {palette.DISCARDABLE_FILL};
  stroke: {palette.DISCARDABLE_EDGE}; stroke-dasharray: 2 5; stroke-linecap: round; }}
.c5-graph .discardable text {{ fill: {palette.DISCARDABLE_TEXT}; }}
""".strip()
MARKER = (
    '<marker id="tip" viewBox="-13 -6 13 12" markerWidth="13" markerHeight="12" '
    'markerUnits="userSpaceOnUse" orient="auto">'
    f'<path d="M0,0L-13,6L-13,-6Z" fill="{palette.EDGE}"/></marker>'
)


class Card(NamedTuple):
    """The texts in one node.

    Attributes:
        key: the node's id, "a5".
        label: its number as the reader sees it, "a₅".
        name: the variable's name, or "".
        operation: what it does, "sin"; "" for an input.
        value, derivative: texts such as "2.5" and "ȧ₅ = 1"; "" for none.
        state: one of ``STATES``, or "" where no pass is on its way.
        operands: per edge into the node (operand's position, the other node's key).
    """

    key: str
    label: str
    name: str
    operation: str
    value: str
    derivative: str
    state: str
    operands: tuple[tuple[int, str], ...]


# ---------------------------------------------------------------- what is drawn


def cards_of(rows: Rows) -> list[Card]:
    """The nodes of a trace or a pass, as the texts in each."""
    cards = []
    for row in rows.rows:
        d, label = row.derivative, row.label.text
        derivative = ""
        if d and d.value_text:
            derivative = f"{d.label} = {brief(d.value_text, row.shape)}"
        cards.append(
            Card(
                key=row.key,
                label=shorten(label),
                name=shorten(row.name) if row.name != label else "",
                operation=shorten(row.operation.replace("·", "×")),
                value=brief(row.value_text, row.shape),
                derivative=derivative,
                state=row.state,
                operands=tuple((p, f"a{node}") for p, node in row.operands),
            )
        )
    return cards


def alt_of(rows: Rows) -> str:
    """What the picture shows, in words."""
    nodes = [
        row.worked.text + (f", {row.derivative.worked.text}" if row.derivative else "")
        for row in rows.rows
    ]
    if len(nodes) > MOST_LISTED:
        nodes = [nodes[0], f"{len(nodes) - 2} more nodes, see the table", nodes[-1]]
    what = (
        f"values and the {rows.subject}" if rows.subject else "the value of each node"
    )
    return f"Computational graph of {rows.function}, with {what}: {'; '.join(nodes)}"


def too_large(rows: Rows) -> str:
    """A sentence instead of a picture, or "" where the graph can be drawn."""
    count = len(rows.rows) + rows.left_out
    if count <= MOST_NODES:
        return ""
    return (
        f"The graph of {rows.function} has {count} nodes, too many to draw on one "
        f"screen (at most {MOST_NODES}); read its table instead"
    )


def graph_svg(rows: Rows | Shown) -> str:
    """The computational graph as SVG.

    Args:
        rows: from ``rows_of``, or a trace, or a pass.

    Raises:
        ValueError: more than ``MOST_NODES`` nodes.
    """
    shown = rows_of(rows)
    if too_large(shown):
        raise ValueError(f"rows: {too_large(shown)}")
    return _drawn(cards_of(shown))


def graph_html(rows: Rows | Shown, alt: str | None = None) -> str:
    """The computational graph as HTML that also shows in an untrusted notebook.

    That is a picture; for a graph of more than ``MOST_NODES`` nodes it is a sentence.

    Args:
        rows: from ``rows_of``, or a trace, or a pass.
        alt: what the picture shows, for a reader who can't see it; if left out, the nodes
            in words.
    """
    shown = rows_of(rows)
    if too_large(shown):
        return f'<p class="c5-sentence">{escape(too_large(shown))}</p>'
    data = base64.b64encode(graph_svg(shown).encode()).decode("ascii")
    return (
        f'<img alt="{escape(alt or alt_of(shown))}" style="max-width:100%;height:auto" '
        f'src="data:image/svg+xml;base64,{data}">'
    )


def graph_text(rows: Rows | Shown) -> str:
    """The computational graph in words."""
    shown = rows_of(rows)
    return too_large(shown) or alt_of(shown)


# ---------------------------------------------------------------- drawing


def _drawn(cards):
    lines = 2 + any(card.derivative for card in cards)
    sizes = {card.key: card_size(card, lines) for card in cards}
    layout = lay_out({card.key: card.operands for card in cards}, sizes)
    width, height = layout.width + 2 * PAD, layout.height + 2 * PAD
    box = f'width="{width:.0f}" height="{height:.0f}"'
    edges = [_draw_edge(*edge) for edge in layout.curves.items()]
    nodes = [
        _draw_card(card, layout.centres[card.key], sizes[card.key]) for card in cards
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="c5-graph" role="img" {box} '
            f'viewBox="{-PAD} {-PAD} {width:.0f} {height:.0f}">',
            f"<style>{STYLE}</style>",
            MARKER,
            f'<rect x="{-PAD}" y="{-PAD}" {box} fill="{palette.PAPER}"/>',
            *edges,
            *nodes,
            "</svg>\n",
        ]
    )


def card_size(card: Card, lines: int) -> tuple[float, float]:
    """Width and height of a node of so many lines."""
    first = text_width(card.label, LABEL) * 1.1 + text_width(f" {card.name}", VALUE)
    word = text_width(STATES.get(card.state, ""), WORD) + 10
    rest = [text_width(card.value, VALUE), text_width(card.derivative, VALUE) * 1.1]
    width = _badge_width(card) + max(first + word, *rest) + 2 * PAD
    return round(width), lines * LINE + PAD + 2


def _badge_width(card):
    """The width that the badge with the operation takes, its margin included."""
    if not card.operation:
        return 0.0
    return max(44.0, text_width(card.operation, _badge_text(card)) + 18) + 10


def _badge_text(card):
    return 24 if len(card.operation) < 3 else 17


def _text(kind, x, y, content, more=""):
    """A text at a place; ``content`` is XML."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}"{more}>{content}</text>'


def _draw_card(card, centre, size):
    (width, height), badge = size, _badge_width(card)
    left = PAD + badge
    parts = [
        f'<rect class="card" width="{width}" height="{height}" '
        f'rx="{10 if card.operation else 24}"/>'
    ]
    if badge:
        wide, middle, letters = badge - 10, height / 2, _badge_text(card)
        parts.append(
            f'<rect class="badge" x="{PAD}" y="{middle - 22}" '
            f'width="{wide:.1f}" height="44" rx="22"/>'
        )
        operation, more = escape(card.operation), f' font-size="{letters}"'
        parts.append(_text("operation", PAD + wide / 2, middle, operation, more))
    label = escape(card.label)
    if card.name:
        label += f' <tspan class="name">{escape(card.name)}</tspan>'
    parts.append(_text("label", left, LINE, label))
    if card.state:
        parts.append(_text("word", width - PAD, LINE - 4, STATES[card.state]))
    for line, kind in enumerate(["value", "derivative"], 2):
        if content := getattr(card, kind):
            parts.append(_text(kind, left, line * LINE, escape(content)))
    x, y = centre[0] - width / 2, centre[1] - height / 2
    return (
        f'<g id="{card.key}" class="node {card.state}">'
        f'<g transform="translate({x:.1f} {y:.1f})">{"".join(parts)}</g></g>'
    )


def _draw_edge(edge, curve):
    start, *rest = (f"{x:.1f},{y:.1f}" for x, y in curve)
    path = f'<path class="line" d="M{start}C{" ".join(rest)}" marker-end="url(#tip)"/>'
    return f'<g id="{edge}" class="edge">{path}</g>'


# ---------------------------------------------------------------- text


def escape(text: str) -> str:
    """A label as XML text; characters that XML forbids become a box."""
    return html.escape(FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text), quote=True)


def text_width(text: str, size: float) -> float:
    """About how wide a text is: fonts differ, so this errs on the wide side."""
    wide = 0.0
    for c in text:
        if unicodedata.combining(c):
            continue
        if c in " .,:;|'!ijl·()[]":
            wide += 0.37
        elif unicodedata.east_asian_width(c) in "WF":
            wide += 1.05
        else:
            wide += 0.86 if c in "mwMW×=+−" or c.isupper() else 0.64
    return wide * size


def brief(value_text: str, shape: tuple) -> str:
    """A value in a node or on an edge; instead of an array's long summary its shape."""
    return value_text if len(value_text) <= LONGEST or not shape else shape_text(shape)


def shorten(text: str) -> str:
    """A name cut to what a node has room for."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

"""The computational graph as a picture: rows -> layout -> SVG (S11, S13, S15).

Inputs are the leaves at the bottom, operations are inside the nodes, and each node shows its
number, its name, its value and, with a pass, its derivative. The node a5 is
``<g id="a5" class="node done">``, the edge into the first operand of a5 from a4 is
``<g id="a4-a5-0" class="edge">``.

Graphviz says where things go (``dot``); where it can't be started, ``layout`` does. Where there is
only text, the graph is drawn in text.

The state of a node shows in its colour, its border and a word, never in colour alone.

Reads: ``rows``, ``dot``, ``layout``, ``palette``. Read by: ``steppers``, notebooks.
"""

import base64
import html
import re
import unicodedata
from typing import NamedTuple

import numpy as np

from . import dot, palette
from .figures import columns, shape_text
from .layout import GAP, edge_key, lay_out
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
.c5-graph .operation, .c5-graph .said {{ dominant-baseline: central; }}
.c5-graph .label {{ font-size: {LABEL}px; font-weight: 700; }}
.c5-graph .name {{ font-weight: 400; font-style: italic; }}
.c5-graph .value, .c5-graph .derivative {{ font-size: {VALUE}px; }}
.c5-graph .derivative {{ font-weight: 700; }}
.c5-graph .word {{ font-size: {WORD}px; text-anchor: end; }}
.c5-graph .line {{ fill: none; stroke: {palette.EDGE}; stroke-width: 2; }}
.c5-graph .message .line {{ stroke: {palette.MESSAGE_EDGE}; stroke-width: 5; }}
.c5-graph .said {{ font-size: {VALUE}px; font-weight: 700; paint-order: stroke;
  fill: {palette.MESSAGE_TEXT}; stroke: {palette.PAPER}; stroke-width: 7px;
  stroke-linejoin: round; }}
.c5-graph .done .card {{ fill: {palette.DONE_FILL}; stroke: {palette.DONE_EDGE}; }}
.c5-graph .current .card {{ fill: {palette.CURRENT_FILL};
  stroke: {palette.CURRENT_EDGE}; stroke-width: 4.5; }}
.c5-graph .waiting .card {{ fill: {palette.WAITING_FILL};
  stroke: {palette.WAITING_EDGE}; stroke-dasharray: 8 5; }}
.c5-graph .waiting text {{ fill: {palette.WAITING_TEXT}; }}
.c5-graph .discardable .card {{ fill: {palette.DISCARDABLE_FILL};
  stroke: {palette.DISCARDABLE_EDGE}; stroke-dasharray: 2 5; stroke-linecap: round; }}
.c5-graph .discardable text {{ fill: {palette.DISCARDABLE_TEXT}; }}
.c5-graph text.dropped {{ fill: {palette.DISCARDABLE_TEXT}; font-weight: 400; }}
.c5-graph .chip {{ fill: none; stroke: {palette.DISCARDABLE_EDGE};
  stroke-dasharray: 1.5 3; }}
.c5-graph .discardable .chip {{ stroke: none; }}
""".strip()
MARKERS = "".join(
    f'<marker id="{name}" viewBox="-13 -6 13 12" markerWidth="13" markerHeight="12" '
    f'markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
    f'<path d="M0,0L-13,6L-13,-6Z" fill="{fill}"/></marker>'
    for name, fill in (("tip", palette.EDGE), ("message-tip", palette.MESSAGE_EDGE))
)


class Card(NamedTuple):
    """The texts in one node.

    Attributes:
        key: the node's id, "a5".
        label: its number as the reader sees it, "a₅".
        name: the variable's name, or "".
        operation: what it does, "sin"; "" for an input.
        value, derivative: texts such as "= 2.5" and "ȧ₅ = 1"; "" for none.
        operands: per edge into the node (operand's position, the other node's key).
    """

    key: str
    label: str
    name: str
    operation: str
    value: str
    derivative: str
    operands: tuple[tuple[int, str], ...]


class Look(NamedTuple):
    """What changes while a pass runs.

    Attributes:
        states: node's key -> one of ``STATES``; other nodes are plain.
        messages: edge's id -> the text that it carries.
        down: whether messages run from results to operands, as in reverse mode.
        hidden: (node's key, "value" or "derivative") of all that is not known yet.
        dropped: the same of all that may be discarded.
    """

    states: dict = {}
    messages: dict = {}
    down: bool = False
    hidden: frozenset = frozenset()
    dropped: frozenset = frozenset()


PLAIN = Look()


# ---------------------------------------------------------------- what is drawn


def cards_of(rows: Rows) -> list[Card]:
    """The nodes of a trace or a pass, as the texts in each."""
    key_of = {row.index: row.key for row in rows.rows}
    cards = []
    for row in rows.rows:
        d, label = row.derivative, row.label.text
        cards.append(
            Card(
                key=row.key,
                label=shorten(label),
                name=shorten(row.name) if row.name != label else "",
                operation=shorten(row.operation.replace("·", "×")),
                value=brief(row.value_text, row.shape),
                derivative=f"{d.label} = {brief(d.value_text, row.shape)}" if d else "",
                operands=tuple((p, key_of[node]) for p, node in row.operands),
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


def graph_svg(rows: Rows | Shown, look: Look = PLAIN) -> str:
    """The computational graph as SVG.

    Args:
        rows: from ``rows_of``, or a trace, or a pass.
        look: states and messages to show, as a stepper does.

    Raises:
        ValueError: more than ``MOST_NODES`` nodes, or a message on an edge that isn't there.
    """
    shown = rows_of(rows)
    if too_large(shown):
        raise ValueError(f"rows: {too_large(shown)}")
    return graph_of(cards_of(shown), look)


def graph_html(
    rows: Rows | Shown,
    alt: str | None = None,
    look: Look = PLAIN,
) -> str:
    """The computational graph as HTML that also shows in an untrusted notebook.

    That is a picture; for a graph of more than ``MOST_NODES`` nodes it is a sentence.

    Args:
        rows: from ``rows_of``, or a trace, or a pass.
        alt: what the picture shows, for a reader who can't see it; if left out, the nodes
            in words.
        look: states and messages to show, as a stepper does.
    """
    shown = rows_of(rows)
    if too_large(shown):
        return f'<p class="c5-sentence">{escape(too_large(shown))}</p>'
    data = base64.b64encode(graph_of(cards_of(shown), look).encode()).decode("ascii")
    return (
        f'<img alt="{escape(alt or alt_of(shown))}" style="max-width:100%;height:auto" '
        f'src="data:image/svg+xml;base64,{data}">'
    )


def graph_text(rows: Rows | Shown, look: Look = PLAIN) -> str:
    """The computational graph in plain text: layers of boxes, inputs at the bottom."""
    shown = rows_of(rows)
    return (
        too_large(shown) + "\n" if too_large(shown) else text_of(cards_of(shown), look)
    )


# ---------------------------------------------------------------- drawing


def graph_of(cards: list[Card], look: Look = PLAIN) -> str:
    """The drawing as SVG.

    Args:
        cards: the nodes, operands first.
        look: the states and messages to show.
    """
    sizes = {card.key: card_size(card) for card in cards}
    operands = {card.key: card.operands for card in cards}
    layout = dot.lay_out(operands, sizes) or lay_out(operands, sizes)
    edges = [
        (edge_key(operand, card.key, position), operand, card.key)
        for card in cards
        for position, operand in card.operands
    ]
    spots = _message_spots(layout, edges, sizes, look.down)
    if unknown := look.messages.keys() - spots:
        raise ValueError(
            f"look: got a message on {min(unknown)!r}, expected the id of an edge of this "
            "graph, such as 'a4-a5-0' for the first operand of a5, which is a4"
        )
    left, right = 0.0, layout.width
    for edge, text in look.messages.items():
        x, _, anchor = spots[edge]
        width = text_width(text, VALUE)
        left = min(left, x - width if anchor == "end" else x)
        right = max(right, x + width if anchor == "start" else x)
    left, right = left - PAD, right + PAD
    width, height = right - left, layout.height + 2 * PAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="c5-graph" role="img" '
        f'width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{left:.0f} {-PAD} {width:.0f} {height:.0f}">',
        f"<style>{STYLE}</style>",
        MARKERS,
        f'<rect x="{left:.0f}" y="{-PAD}" width="{width:.0f}" height="{height:.0f}" '
        f'fill="{palette.PAPER}"/>',
    ]
    for edge, _, _ in edges:
        parts.append(_draw_edge(edge, layout.curves[edge], look))
    for card in cards:
        place, size = layout.centres[card.key], sizes[card.key]
        parts.append(_draw_card(card, place, size, look))
    for edge, text in look.messages.items():
        x, y, anchor = spots[edge]
        more = f' id="{edge}-said" text-anchor="{anchor}"'
        parts.append(_text("said", x, y, escape(text), more))
    return "\n".join([*parts, "</svg>", ""])


def card_size(card: Card) -> tuple[float, float]:
    """Width and height of a node, with room for all that it may ever show."""
    first = text_width(card.label, LABEL) * 1.1 + text_width(f" {card.name}", VALUE)
    words = max(text_width(word, WORD) for word in STATES.values())
    rest = [text_width(card.value, VALUE), text_width(card.derivative, VALUE) * 1.1]
    lines = 2 + bool(card.derivative)
    width = _badge_width(card) + max(first + words + 10, *rest) + 2 * PAD
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


def _draw_card(card, centre, size, look):
    width, height = size
    state, badge = look.states.get(card.key, ""), _badge_width(card)
    left = PAD + badge
    parts = [
        f'<rect class="card" width="{width}" height="{height}" '
        f'rx="{10 if card.operation else 24}"/>'
    ]
    if badge:
        wide, middle, size = badge - 10, height / 2, _badge_text(card)
        parts.append(
            f'<rect class="badge" x="{PAD}" y="{middle - 22}" '
            f'width="{wide:.1f}" height="44" rx="22"/>'
        )
        operation, size = escape(card.operation), f' font-size="{size}"'
        parts.append(_text("operation", PAD + wide / 2, middle, operation, size))
    label = escape(card.label)
    if card.name:
        label += f' <tspan class="name">{escape(card.name)}</tspan>'
    parts.append(_text("label", left, LINE, label))
    if state:
        parts.append(_text("word", width - PAD, LINE - 4, STATES[state]))
    for line, kind in enumerate(["value", "derivative"], 2):
        content, y = getattr(card, kind), line * LINE
        if not content or (card.key, kind) in look.hidden:
            continue
        if (card.key, kind) in look.dropped:
            kind += " dropped"
            parts.append(
                f'<rect class="chip" x="{left - 5:.1f}" y="{y - VALUE}" rx="4" '
                f'width="{text_width(content, VALUE) + 10:.1f}" height="{VALUE + 6}"/>'
            )
        parts.append(_text(kind, left, y, escape(content)))
    x, y = centre[0] - width / 2, centre[1] - height / 2
    return (
        f'<g id="{card.key}" class="node {state}">'
        f'<g transform="translate({x:.1f} {y:.1f})">{"".join(parts)}</g></g>'
    )


def _draw_edge(edge, curve, look):
    kinds, tip = "edge", 'marker-end="url(#tip)"'
    if edge in look.messages:
        kinds, tip = "edge message", 'marker-end="url(#message-tip)"'
        if look.down:
            kinds, tip = f"{kinds} down", 'marker-start="url(#message-tip)"'
    start, *rest = (f"{x:.1f},{y:.1f}" for x, y in curve)
    path = f"M{start}C{' '.join(rest)}"
    return f'<g id="{edge}" class="{kinds}"><path class="line" d="{path}" {tip}/></g>'


def _message_spots(layout, edges, sizes, down):
    """Where each edge's text goes: beside it, in the free strip below its upper node.

    Texts that are shown together, those of one node's edges, keep to the outside.
    """
    places = {}
    for edge, _, user in edges:
        strip = layout.centres[user][1] + sizes[user][1] / 2 + GAP / 2
        nearest = min(_points_on(layout.curves[edge]), key=lambda p: abs(p[1] - strip))
        places[edge] = nearest[0], strip
    spots = {}
    for edge, operand, user in edges:
        fork = [places[e][0] for e, o, _ in edges if o == operand]
        join = [places[e][0] for e, _, u in edges if u == user]
        together = fork if (down and len(fork) > 1) or len(join) < 2 else join
        x, y = places[edge]
        side, anchor = (10, "start")
        if x < sum(together) / len(together) - 1:
            side, anchor = (-10, "end")
        spots[edge] = x + side, y, anchor
    return spots


def _points_on(curve):
    """Points along a curve: Bézier pieces, end to end."""
    t = np.linspace(0, 1, 17)[:, None]
    for k in range(0, len(curve) - 3, 3):
        a, b, c, d = np.array(curve[k : k + 4])
        s = 1 - t
        yield from s**3 * a + 3 * t * s**2 * b + 3 * t**2 * s * c + t**3 * d


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


# ---------------------------------------------------------------- drawn in text


def text_of(cards: list[Card], look: Look = PLAIN, wide: int = 76) -> str:
    """The graph in plain text: layers of boxes, inputs at the bottom.

    The lower border of a box names the nodes that its edges come from.
    """
    layer_of: dict[str, int] = {}
    for card in cards:
        below = [layer_of[operand] for _, operand in card.operands]
        layer_of[card.key] = 1 + max(below) if below else 0
    label = {card.key: card.label for card in cards}
    drawn = []
    for layer in sorted(set(layer_of.values()), reverse=True):
        boxes = [
            _text_box(card, label, look)
            for card in cards
            if layer_of[card.key] == layer
        ]
        row: list[list[str]] = []
        used = 0
        for box in boxes:
            if row and used + len(box[0]) > wide:
                drawn += _side_by_side(row)
                row, used = [], 0
            row.append(box)
            used += len(box[0]) + 2
        drawn += _side_by_side(row)
    return "\n".join(drawn) + "\n"


def _text_box(card, label, look):
    head = f" {card.label} {card.name}".rstrip() + " "
    word = STATES.get(look.states.get(card.key), "")
    value, derivative = (
        "" if (card.key, what) in look.hidden else getattr(card, what)
        for what in ("value", "derivative")
    )
    arrow = " → " if card.operation and value else ""
    lines = [card.operation + arrow + value, derivative, f"({word})" if word else ""]
    lines = [line for line in lines if line]
    sources = " and ".join(label[operand] for _, operand in card.operands)
    foot = f" ↑ {sources} " if sources else ""
    inner = max(columns(text) for text in (head, foot, *lines)) + 2
    return [
        f"┌{head}{'─' * (inner - columns(head))}┐",
        *(f"│ {line}{' ' * (inner - 1 - columns(line))}│" for line in lines),
        f"└{foot}{'─' * (inner - columns(foot))}┘",
    ]


def _side_by_side(boxes):
    tallest = max(len(box) for box in boxes)
    widths = [columns(box[0]) for box in boxes]
    padded = [
        box + [" " * width] * (tallest - len(box))
        for box, width in zip(boxes, widths, strict=True)
    ]
    return ["  ".join(parts).rstrip() for parts in zip(*padded, strict=True)]

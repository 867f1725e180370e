"""The computational graph as a picture: rows -> layout -> SVG (S11, S13, S15).

Inputs are at the bottom, operations are inside the nodes, and each node shows its number, its
name, its value and, with a pass, its derivative. The node a5 is
``<g id="a5" class="node done">``, the edge from a4 to the first operand of a5 is
``<g id="a4-a5-0" class="edge">``. A node's state shows in its colour, its border and a word,
never in colour alone. Graphviz lays out the graph (``dot``), or ``layout`` where Graphviz
can't be started. In plain text, the nodes are listed.
"""

import base64
import html
import re

from . import dot, palette
from .figures import columns, shape_text
from .layout import GAP, lay_out
from .rows import Rows, Shown, rows_of

__all__ = ["MOST_NODES", "STATES", "graph_html", "graph_svg", "graph_text"]

# A larger graph can't be read on one screen.
MOST_NODES = 60
# Nodes that the alternative text lists individually.
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
# Control characters and lone surrogates.
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
.c5-graph .message .line {{ stroke: {palette.MESSAGE_EDGE}; stroke-width: 5; }}
.c5-graph .said {{ font-size: {VALUE}px; font-weight: 700; fill: {palette.MESSAGE_TEXT};
  dominant-baseline: central; paint-order: stroke; stroke: {palette.PAPER}; stroke-width: 7px; }}
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
MARKERS = "".join(
    f'<marker id="{name}" viewBox="-13 -6 13 12" markerWidth="13" markerHeight="12" '
    'markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
    f'<path d="M0,0L-13,6L-13,-6Z" fill="{fill}"/></marker>'
    for name, fill in (("tip", palette.EDGE), ("message-tip", palette.MESSAGE_EDGE))
)


# ---------------------------------------------------------------- what is drawn


def alt_of(rows: Rows) -> str:
    """What the picture shows, in words."""
    nodes = [
        row.worked.text + (f", {row.derivative.worked.text}" if row.derivative else "")
        for row in rows.rows
    ]
    if len(nodes) > MOST_LISTED:
        nodes = [nodes[0], f"{len(nodes) - 2} more nodes, see the table", nodes[-1]]
    subject = rows.subject
    what = f"values and the {subject}" if subject else "the value of each node"
    return f"Computational graph of {rows.function}, with {what}: {'; '.join(nodes)}"


def too_large(rows: Rows) -> str:
    """The sentence that replaces the picture, or "" if the graph can be drawn."""
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
    cards = [_Card(row) for row in shown.rows]
    tall = (2 + any(card.derivative for card in cards)) * LINE + PAD + 2
    sizes = {card.key: (card.width, tall) for card in cards}
    operands = {card.key: card.operands for card in cards}
    layout = dot.lay_out(operands, sizes) or lay_out(operands, sizes)
    left, right, texts = _messages(shown.messages, layout)
    width, height = right - left + 2 * PAD, layout.height + 2 * PAD
    box = f'width="{width:.0f}" height="{height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="c5-graph" role="img" {box} '
            f'viewBox="{left - PAD:.0f} {-PAD} {width:.0f} {height:.0f}">',
            f"<style>{STYLE}</style>",
            MARKERS,
            f'<rect x="{left - PAD:.0f}" y="{-PAD}" {box} fill="{palette.PAPER}"/>',
            *(_draw_edge(edge, curve, shown) for edge, curve in layout.curves.items()),
            *(card.drawn(layout.centres[card.key], tall) for card in cards),
            *texts,
            "</svg>\n",
        ]
    )


def graph_html(rows: Rows | Shown, alt: str | None = None) -> str:
    """The computational graph as HTML that an untrusted notebook displays too.

    A picture, or a sentence if the graph has more than ``MOST_NODES`` nodes.

    Args:
        rows: from ``rows_of``, or a trace, or a pass.
        alt: alternative text; by default it lists the nodes.
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


class _Card:
    """A node: its texts and their widths."""

    def __init__(self, row):
        d, label = row.derivative, row.label.text
        self.key, self.state = row.key, row.state
        self.operands = [(p, f"a{node}") for p, node in row.operands]
        self.operation = shorten(row.operation.replace("·", "×"))
        self.letters = 24 if len(self.operation) < 3 else 17
        self.label = shorten(label)
        self.name = shorten(row.name) if row.name != label else ""
        self.value, self.derivative = brief(row.value_text, row.shape), ""
        if d and d.value_text:
            self.derivative = f"{d.label} = {brief(d.value_text, row.shape)}"
        # The badge with the operation, its margin included.
        self.badge = 0.0
        if self.operation:
            self.badge = max(44.0, text_width(self.operation, self.letters) + 18) + 10
        lines = [
            text_width(f"{self.label} {self.name}", LABEL)
            + text_width(STATES.get(self.state, ""), WORD),
            text_width(self.value, VALUE),
            text_width(self.derivative, VALUE),
        ]
        self.width = round(self.badge + max(lines) + 2 * PAD)

    def drawn(self, centre, height):
        """The node as SVG."""
        left = PAD + self.badge
        parts = [
            f'<rect class="card" width="{self.width}" height="{height}" '
            f'rx="{10 if self.operation else 24}"/>'
        ]
        if self.badge:
            wide, middle = self.badge - 10, height / 2
            parts.append(
                f'<rect class="badge" x="{PAD}" y="{middle - 22}" '
                f'width="{wide:.1f}" height="44" rx="22"/>'
            )
            size = f' font-size="{self.letters}"'
            x = PAD + wide / 2
            parts.append(_text("operation", x, middle, escape(self.operation), size))
        label = escape(self.label)
        if self.name:
            label += f' <tspan class="name">{escape(self.name)}</tspan>'
        parts.append(_text("label", left, LINE, label))
        if self.state:
            word = STATES[self.state]
            parts.append(_text("word", self.width - PAD, LINE - 4, word))
        for line, kind in enumerate(["value", "derivative"], 2):
            if content := getattr(self, kind):
                parts.append(_text(kind, left, line * LINE, escape(content)))
        x, y = centre[0] - self.width / 2, centre[1] - height / 2
        return (
            f'<g id="{self.key}" class="node {self.state}">'
            f'<g transform="translate({x:.1f} {y:.1f})">{"".join(parts)}</g></g>'
        )


def _text(kind, x, y, content, more=""):
    """Text at (x, y); ``content`` is XML."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}"{more}>{content}</text>'


def _draw_edge(edge, curve, rows):
    kinds, tip = "edge", 'marker-end="url(#tip)"'
    if edge in rows.messages:
        end = "start" if rows.mode == "reverse" else "end"
        kinds, tip = "edge message", f'marker-{end}="url(#message-tip)"'
    start, *rest = (f"{x:.1f},{y:.1f}" for x, y in curve)
    path = f'<path class="line" d="M{start}C{" ".join(rest)}" {tip}/>'
    return f'<g id="{edge}" class="{kinds}">{path}</g>'


def _messages(messages, layout):
    """The messages as text beside the upper ends of their edges, on the outer side; and the
    left and right limits of the whole drawing."""
    ends = {edge: layout.curves[edge][-1] for edge in messages}
    middle = sum(x for x, _ in ends.values()) / max(1, len(ends))
    left, right, texts = 0.0, layout.width, []
    for edge, (x, y) in ends.items():
        outwards, anchor = (-18, "end") if x < middle - 1 else (18, "start")
        x += outwards
        wide = text_width(messages[edge], VALUE)
        left, right = min(left, x - wide), max(right, x + wide)
        more = f' text-anchor="{anchor}"'
        texts.append(_text("said", x, y + GAP / 2, escape(messages[edge]), more))
    return left, right, texts


# ---------------------------------------------------------------- text


def escape(text: str) -> str:
    """A label as XML text; characters that XML forbids become U+FFFD."""
    return html.escape(FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text), quote=True)


def text_width(text: str, size: float) -> float:
    """The approximate width of a text; fonts differ, so it errs on the wide side."""
    return 0.68 * size * columns(text)


def brief(value_text: str, shape: tuple) -> str:
    """A value in a node or on an edge; an array's shape if its summary is long."""
    return value_text if len(value_text) <= LONGEST or not shape else shape_text(shape)


def shorten(text: str) -> str:
    """A name truncated to fit in a node."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

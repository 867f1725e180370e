"""Evaluation tables: rows -> the slide's table, as text and as HTML (S12, S14).

One line per node, a₁ first: its formula in terms of the inputs, how it was computed, and its
value; with a pass, also the formula and the value of its tangent or adjoint. In reverse mode the
right half is read from the bottom up.

The text is aligned for a monospaced font and is the same on every machine. The HTML has neither
scripts nor style sheets, so that an untrusted notebook displays it, and inherits the page's
colours.
"""

import html
import itertools

from .figures import columns
from .formula import as_formula
from .rows import Rows, Shown, rows_of

__all__ = ["table_html", "table_text"]

# Longest formula in the text table and in a cell of the HTML table, in characters.
LONGEST, WIDEST = 56, 80
DERIVATIVES = {"forward": "tangents", "reverse": "adjoints"}


def table_text(shown: Rows | Shown) -> str:
    """The table in plain text, without trailing spaces."""
    rows = rows_of(shown)
    lines = [heads(rows), *_lines(rows, lambda cell, _: _shorten(cell.text))]
    return "\n".join([caption(rows), "", aligned(lines)])


def aligned(lines: list[list[str]], right: bool = False) -> str:
    """Lines of cells as aligned text, the first line as heads; ``right``: right-align all columns
    but the first."""
    widths = [max(map(columns, column)) for column in zip(*lines, strict=True)]
    lines = [lines[0], ["─" * w for w in widths], *lines[1:]]

    def padded(k, cell):
        space = " " * (widths[k] - columns(cell))
        return space + cell if right and k else cell + space

    joined = ("   ".join(padded(*cell) for cell in enumerate(line)) for line in lines)
    return "\n".join(line.rstrip() for line in joined)


def table_html(shown: Rows | Shown) -> str:
    """The table as HTML, with everything from the user's program escaped. Formulas that are too
    wide for a column are in collapsed sections below it."""
    rows = rows_of(shown)
    parts = [html_table(caption(rows), heads(rows), _lines(rows, _cell))]
    for cell in itertools.chain(*map(_line, rows.rows)):
        if columns(cell.text) > WIDEST:
            summary = html.escape(_shorten(cell.text))
            parts.append(
                f"<details><summary>{summary}</summary><p>{cell.html}</p></details>"
            )
    return "\n".join(parts)


def _cell(cell, row):
    """A formula; if it is too wide, its number of terms or its beginning."""
    if columns(cell.text) <= WIDEST:
        return cell.html
    terms = row.derivative.terms if row.derivative else ()
    if len(terms) > 1 and cell.text == row.derivative.equation.text:
        return f"{row.derivative.label.html} = {len(terms)} terms"
    return html.escape(_shorten(cell.text))


def html_table(
    caption: str, heads: list[str], lines: list[list[str]], right: bool = False
) -> str:
    """A table that needs no style sheet; cells are HTML, the caption and heads plain text."""
    style = "padding:3px 14px 3px 0;white-space:nowrap"
    styles = [
        f"text-align:{'right' if right and k else 'left'};{style}"
        for k in range(len(heads))
    ]
    ths = zip(heads, styles, strict=True)
    parts = [
        '<table style="border-collapse:collapse;margin:6px 0">',
        '<caption style="caption-side:top;text-align:left;padding:3px 0">'
        f"{html.escape(caption)}</caption>",
        "<thead><tr>",
        *(f'<th scope="col" style="{s}">{html.escape(h)}</th>' for h, s in ths),
        "</tr></thead>",
        "<tbody>",
    ]
    for line in lines:
        tds = zip(line, styles, strict=True)
        cells = "".join(f'<td style="{s}">{cell}</td>' for cell, s in tds)
        parts.append(f"<tr>{cells}</tr>")
    return "\n".join([*parts, "</tbody></table>"])


def caption(rows: Rows) -> str:
    """What the table shows, in one line."""
    about = f"{rows.function}: {len(rows.rows) + rows.left_out} nodes"
    if rows.subject:
        about = f"{rows.function}, {rows.mode} mode: {rows.subject}"
    if rows.mode == "reverse":
        about += "; adjoints from the bottom up"
    return about + (f"; {rows.left_out} rows left out" if rows.left_out else "")


def heads(rows: Rows) -> list[str]:
    """The heads of the columns."""
    left = ["in the inputs", "evaluation", "value"]
    if rows.mode == "values":
        return left
    return [*left, f"partial derivatives ({DERIVATIVES[rows.mode]})", "value"]


def _lines(rows, write):
    """The cells of each line, as ``write(formula, row)`` returns them."""
    lines = [[write(cell, row) for cell in _line(row)] for row in rows.rows]
    if rows.left_out:
        lines.insert(len(lines) // 2, ["…"] * len(lines[0]))
    return lines


def _line(row):
    left = [row.introduced, row.equation, row.shown_value]
    d = row.derivative
    if d is None:
        return left
    # In a still, a derivative that isn't known yet shows neither its value nor its formula.
    equation = d.equation if d.value_text else as_formula("")
    return [*left, equation, d.shown_value]


def _shorten(text):
    return text if columns(text) <= LONGEST else text[: LONGEST - 1] + "…"

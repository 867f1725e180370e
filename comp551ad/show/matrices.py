"""Arrays as something to look at: small heat maps with their shapes, side by side.

Blue is negative, white is zero, orange is positive, the deeper the larger (by its square root, so
that small entries show) on each matrix's own scale. A negative entry also has a dot, and below
each matrix are its least and its greatest entry. A matrix of a few entries shows them as numbers
instead. The pictures are tiny PNGs written here, so that an untrusted notebook shows them too.

Reads: ``figures``, ``palette``. Read by: ``scenes``.
"""

import base64
import html
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from . import palette
from .figures import number, shape_text, value_text

__all__ = ["Matrix", "matrices_html", "matrix_of"]

# Rows and columns of a heat map; a larger array shows its first ones.
MOST_SHOWN = 24
# Entries and columns of an array that is shown as numbers.
MOST_NUMBERS = 16, 4
# Pixels: about the width of a heat map, and at least and at most that of a cell.
WIDE, LEAST, MOST = 170, 7, 18
ZERO_LEVEL = len(palette.HEAT) // 2


@dataclass(frozen=True)
class Matrix:
    """An array, or a number, as inert data.

    Attributes:
        sign: the sign before it: "=", "·", …
        label: its formula, "Xᵀ".
        shape: its shape in words; "" for a number.
        summary: its entries in words: a number, or the least and the greatest.
        levels: per row a digit per entry, 0 for the most negative, 4 for zero; () for a number.
        entries: per row the entries as they are printed, where they are few.
        cut: how much is shown, "first 24 of 150 rows"; "" for all of it.
    """

    sign: str
    label: str
    shape: str
    summary: str
    levels: tuple[str, ...] = ()
    entries: tuple[tuple[str, ...], ...] = ()
    cut: str = ""


def matrix_of(x: ArrayLike, label: str = "", sign: str = "") -> Matrix:
    """An array, or a number, as a ``Matrix``.

    Args:
        x: a number or an array of any shape; more than two axes are laid out as rows.
        label: its formula.
        sign: the sign before it.

    Raises:
        TypeError: it holds complex numbers.
    """
    if np.iscomplexobj(x):
        raise TypeError(
            "x: got complex numbers, expected real ones; show x.real or x.imag"
        )
    x = np.asarray(x, dtype=float)
    if not x.ndim:
        return Matrix(sign, label, "", number(x.item()))
    rows = x.reshape(-1, x.shape[-1]) if x.size else np.zeros((0, 0))
    shown = rows[:MOST_SHOWN, :MOST_SHOWN]
    kinds = zip(rows.shape, shown.shape, ("rows", "columns"), strict=True)
    cut = [f"first {s} of {n} {kind}" for n, s, kind in kinds if s < n]
    few = x.size <= MOST_NUMBERS[0] and rows.shape[1] <= MOST_NUMBERS[1]
    return Matrix(
        sign=sign,
        label=label,
        shape=shape_text(x.shape),
        summary=value_text(x).removeprefix(f"{shape_text(x.shape)}, "),
        levels=tuple("".join(map(str, row)) for row in _levels(shown, rows)),
        entries=tuple(tuple(map(number, row)) for row in rows) if few else (),
        cut=", ".join(cut),
    )


def _levels(shown, rows):
    finite = np.nan_to_num(shown, nan=0.0, posinf=np.inf, neginf=-np.inf)
    scale = np.max(np.abs(rows[np.isfinite(rows)]), initial=0.0) or 1.0
    part = np.clip(finite / scale, -1, 1)
    levels = ZERO_LEVEL + np.sign(part) * np.sqrt(np.abs(part)) * ZERO_LEVEL
    return np.rint(levels).astype(int)


# ---------------------------------------------------------------- HTML


def matrices_html(matrices: Iterable[Matrix]) -> str:
    """Matrices side by side, as HTML that needs neither script nor style sheet."""
    together = "display:inline-flex;align-items:center;gap:12px"
    parts = []
    for matrix in matrices:
        sign = html.escape(matrix.sign)
        sign = f'<span style="font-size:130%">{sign}</span>' if sign else ""
        parts.append(f'<span style="{together}">{sign}{_matrix_html(matrix)}</span>')
    row = "display:flex;flex-wrap:wrap;align-items:center;gap:6px 12px"
    return f'<div class="c5-matrices" style="{row}">{"".join(parts)}</div>'


def _matrix_html(matrix):
    label = html.escape(matrix.label)
    if not matrix.shape:
        shown = matrix.label if matrix.label == matrix.summary else ""
        return f"<span>{label if shown else f'{label} = {matrix.summary}'}</span>"
    # An empty array has no levels.
    if not matrix.levels:
        shown, below = "", ""
    elif matrix.entries:
        shown, below = _numbers_html(matrix), ""
    else:
        shown, below = _picture_html(matrix), f"<br>{html.escape(matrix.summary)}"
    cut = f"<br>{matrix.cut}" if matrix.cut else ""
    name = f"<b>{label}</b> {matrix.shape}" if label else matrix.shape
    return (
        '<span style="display:inline-block;text-align:center">'
        f"{name}<br>{shown}{below}{cut}</span>"
    )


def _numbers_html(matrix):
    wide = 0.62 * max(len(entry) for entries in matrix.entries for entry in entries)
    lines = []
    for entries, levels in zip(matrix.entries, matrix.levels, strict=True):
        cells = (
            f'<span style="display:inline-block;width:{wide:.1f}em;padding:2px 4px;'
            f'margin:1px;background:{palette.HEAT[int(level)]};color:{palette.INK}">'
            f"{entry}</span>"
            for entry, level in zip(entries, levels, strict=True)
        )
        lines.append("".join(cells))
    return "<br>".join(lines)


def _picture_html(matrix):
    wide = max(len(matrix.levels), len(matrix.levels[0]))
    cell = min(MOST, max(LEAST, WIDE // wide))
    data = base64.b64encode(heat_map(matrix.levels, cell)).decode("ascii")
    alt = f"heat map of {matrix.label or 'an array'}, {matrix.shape}: {matrix.summary}"
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def heat_map(levels: Sequence[str], cell: int) -> bytes:
    """A heat map as a PNG, with a dot in each negative cell.

    Args:
        levels: per row a digit per entry, as in ``Matrix``.
        cell: the width of a cell in pixels.
    """
    line, dot = len(palette.HEAT), len(palette.HEAT) + 1
    colours = [*palette.HEAT, palette.GRID, palette.INK]
    grid = np.array([[int(c) for c in row] for row in levels], dtype=np.uint8)
    pixels = np.kron(grid, np.ones((cell, cell), dtype=np.uint8))
    pixels[::cell], pixels[:, ::cell] = line, line
    pixels = np.pad(pixels, ((0, 1), (0, 1)), constant_values=line)
    for i, j in np.argwhere(grid < ZERO_LEVEL):
        y, x = i * cell + (cell + 1) // 2, j * cell + (cell + 1) // 2
        pixels[y : y + 1 + cell // 8, x : x + 1 + cell // 8] = dot
    height, width = pixels.shape
    lines = b"".join(b"\0" + bytes(row) for row in pixels)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + _chunk(b"PLTE", b"".join(bytes.fromhex(c[1:]) for c in colours))
        + _chunk(b"IDAT", zlib.compress(lines, 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind, data):
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

"""Lays out a graph with Graphviz: sizes and edges go to ``dot``, positions and curves come back.

Graphviz never gets a label, so no label can break it; ``graph`` draws the picture, so a player can
restyle it. Where no program can be started, as in a browser's Python, ``layout`` is used instead.
"""

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from .layout import GAP, Layout, Operands, Point, Sizes, edge_key

__all__ = ["lay_out"]

# Graphviz measures in inches.
PIXELS_PER_INCH = 72


def layout_program() -> str | None:
    """The layout program: ``dot``, or the one that pip installed."""
    here = {sysconfig.get_path("scripts"), str(Path(sys.executable).parent)}
    return shutil.which("dot") or next(
        filter(None, (shutil.which("graphviz-pure", path=p) for p in sorted(here))),
        None,
    )


def lay_out(operands: Operands, sizes: Sizes) -> Layout | None:
    """As in ``layout``; None if there is no program, or it fails."""
    program = layout_program()
    if program is None:
        return None
    try:
        from graphviz import Source
        from graphviz.backend import dot_command
    except ImportError:
        return None
    dot_command.DOT_BINARY = Path(program)
    try:
        source = Source(dot_source(operands, sizes))
        text = source.pipe("plain", encoding="utf-8", quiet=True)
        return read_plain(text, operands)
    # It couldn't be started, failed, or printed something unreadable.
    except (OSError, RuntimeError, subprocess.SubprocessError, ValueError, LookupError):
        return None


def dot_source(operands: Operands, sizes: Sizes) -> str:
    """The graph in the DOT language, inputs side by side at the bottom."""
    lines = [
        "digraph {",
        f"rankdir=BT nodesep=0.35 ranksep={GAP / PIXELS_PER_INCH:.3f}",
        'node [shape=box fixedsize=true label=""] edge [arrowhead=none]',
    ]
    for key in operands:
        width, height = (f"{n / PIXELS_PER_INCH:.3f}" for n in sizes[key])
        lines.append(f"{key} [width={width} height={height}]")
    lines.append(f"{{rank=min {' '.join(k for k in operands if not operands[k])}}}")
    lines += [f"{operand} -> {key}" for key in operands for _, operand in operands[key]]
    return "\n".join([*lines, "}"])


def read_plain(text: str, operands: Operands) -> Layout:
    """Read Graphviz's plain format: one line per element, in inches, y upwards."""
    # (tail, head) -> edges, in the order in which dot_source writes them.
    edges: dict[tuple[str, str], list[str]] = {}
    for key, below in operands.items():
        for position, operand in below:
            edge = edge_key(operand, key, position)
            edges.setdefault((operand, key), []).append(edge)
    width = height = 0.0
    centres: dict[str, Point] = {}
    curves: dict[str, list[Point]] = {}

    def points(fields: list[str]) -> Iterator[Point]:
        numbers = [PIXELS_PER_INCH * float(n) for n in fields]
        for x, y in zip(numbers[::2], numbers[1::2], strict=True):
            yield x, height - y

    for line in text.replace("\\\n", "").splitlines():
        kind, *fields = line.split()
        if kind == "graph":
            width, height = (PIXELS_PER_INCH * float(n) for n in fields[1:3])
        elif kind == "node":
            (centres[fields[0]],) = points(fields[1:3])
        elif kind == "edge":
            edge = edges[fields[0], fields[1]].pop(0)
            curves[edge] = list(points(fields[3 : 3 + 2 * int(fields[2])]))
    if len(centres) != len(operands) or any(edges.values()):
        raise ValueError("text: got a layout without some nodes or edges, expected all")
    return Layout(width, height, centres, curves)

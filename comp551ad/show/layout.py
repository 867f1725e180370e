"""Lays out a graph in layers, for when Graphviz can't be started.

A node's layer is the length of the longest path to it; an edge that crosses layers takes up a place
in each. From the bottom up, each place is put at the mean position of those below it, without
overlap. ``layout.js`` does the same, more carefully, for a player's cards.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

__all__ = ["GAP", "Layout", "edge_key", "lay_out"]

Point = tuple[float, float]
# For each node: (operand's position, operand's key) per edge into it; its width and height.
Operands = Mapping[str, Iterable[tuple[int, str]]]
Sizes = Mapping[str, tuple[float, float]]
# Pixels between neighbours, between layers, and for an edge that crosses a layer.
APART, GAP, PASSING = 26, 56, 24
# Maximum distance between the ends of edges at one node, in pixels.
FAN = 26


class Layout(NamedTuple):
    """Centres of nodes and curves of edges, in pixels, y downwards.

    A curve is a list of points: connected cubic Bézier pieces, from the operand to its user.
    """

    width: float
    height: float
    centres: dict[str, Point]
    curves: dict[str, list[Point]]


def edge_key(operand: str, key: str, position: int) -> str:
    """The id of the edge from an operand to the node ``key``: a4-a5-0."""
    return f"{operand}-{key}-{position}"


def lay_out(operands: Operands, sizes: Sizes) -> Layout:
    """Lay out a graph.

    Args:
        operands: per node, (operand's position, operand's key) of each edge; operands come first.
        sizes: width and height of each node.
    """
    # A place is a node, or where an edge crosses a layer.
    layer: dict[str, int] = {}
    below: dict[str, list[str]] = {}
    ways: dict[str, list[str]] = {}
    for key, edges in operands.items():
        layer[key] = 1 + max((layer[operand] for _, operand in edges), default=-1)
        below[key] = []
        for position, operand in edges:
            edge = edge_key(operand, key, position)
            passed = {f"{edge}@{n}": n for n in range(layer[operand] + 1, layer[key])}
            layer |= passed
            ways[edge] = [operand, *passed, key]
            for low, high in pairwise(ways[edge]):
                below.setdefault(high, []).append(low)
    wide = {place: sizes[place][0] if place in sizes else PASSING for place in layer}
    x: dict[str, float] = {}
    for level in range(1 + max(layer.values())):
        places = [place for place in layer if layer[place] == level]
        _pack(places, wide, below, x)
    left = min(x[place] - wide[place] / 2 for place in layer)
    right = max(x[place] + wide[place] / 2 for place in layer)
    tall = max(height for _, height in sizes.values())
    height = (1 + max(layer.values())) * (tall + GAP) - GAP

    def point(place, aside, up):
        y = height - layer[place] * (tall + GAP) - tall / 2
        return x[place] - left + aside, y - up * tall / 2

    def curve(edge, way):
        """Vertical where it leaves, crosses a layer and arrives."""
        arriving = [other for other, places in ways.items() if places[-1] == way[-1]]
        arriving.sort(key=lambda other: x[ways[other][-2]])
        apart = min(FAN, (wide[way[-1]] - 40) / len(arriving))
        aside = (arriving.index(edge) - (len(arriving) - 1) / 2) * apart
        stops = [point(place, 0, up) for place in way for up in (-1, 1)][1:-2]
        stops.append(point(way[-1], aside, -1))
        points = stops[:1]
        for (ax, ay), (bx, by) in pairwise(stops):
            points += [(ax, (ay + by) / 2), (bx, (ay + by) / 2), (bx, by)]
        return points

    curves = {edge: curve(edge, way) for edge, way in ways.items()}
    centres = {key: point(key, 0, 0) for key in operands}
    return Layout(right - left, height, centres, curves)


def _pack(places, wide, below, x):
    """Centre each place over those below it, without overlap; then undo the mean shift."""
    wish = {
        place: sum(x[low] for low in below[place]) / max(1, len(below[place]))
        for place in places
    }
    free = -math.inf
    for place in sorted(places, key=wish.get):
        x[place] = max(wish[place], free + wide[place] / 2)
        free = x[place] + wide[place] / 2 + APART
    pushed = sum(x[place] - wish[place] for place in places) / len(places)
    for place in places:
        x[place] -= pushed

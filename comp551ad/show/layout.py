"""Where the nodes and edges of a graph go when Graphviz can't be started: layers.

A node's layer is the length of the longest path that leads to it; an edge that passes layers takes
a place in each. In every layer nodes stand where their neighbours are on average, in that order,
without overlap: sweeps up and down the layers bring them there. ``layout.js`` does the same for a
player's cards, which shrink with the window.

Reads: nothing of ours. Read by: ``graph``, ``dot``, ``steppers``.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

__all__ = ["GAP", "Layout", "edge_key", "lay_out"]

Point = tuple[float, float]
# Per node (operand's position, the other node's key), and its width and height.
Operands = Mapping[str, Iterable[tuple[int, str]]]
Sizes = Mapping[str, tuple[float, float]]
# Pixels between neighbours, between layers, and for an edge that passes a layer.
APART, GAP, PASSING = 26, 56, 24
# Pixels between the ends of edges at one node, at most.
FAN = 26
SWEEPS = 6


class Layout(NamedTuple):
    """Where things go, in pixels, y downwards: centres of nodes, curves of edges.

    A curve is a list of points: cubic Bézier pieces, end to end, from the operand to its user.
    """

    width: float
    height: float
    centres: dict[str, Point]
    curves: dict[str, list[Point]]


@dataclass(eq=False)
class _Place:
    """A node in its layer, or an edge on its way through one."""

    layer: int
    wide: float
    x: float = 0.0
    wish: float = 0.0
    up: list["_Place"] = field(default_factory=list)
    down: list["_Place"] = field(default_factory=list)


def edge_key(operand: str, key: str, position: int) -> str:
    """What the edge from an operand into the node ``key`` is called: a4-a5-0."""
    return f"{operand}-{key}-{position}"


def lay_out(operands: Operands, sizes: Sizes) -> Layout:
    """Lay a graph out.

    Args:
        operands: per node (operand's position, the other node's key); operands come first.
        sizes: width and height of each node.
    """
    nodes: dict[str, _Place] = {}
    layers: list[list[_Place]] = []

    def put(layer, wide):
        layers.extend([] for _ in range(layer + 1 - len(layers)))
        layers[layer].append(_Place(layer, wide))
        return layers[layer][-1]

    for key, below in operands.items():
        layer = 1 + max((nodes[operand].layer for _, operand in below), default=-1)
        nodes[key] = put(layer, sizes[key][0])
    ways: dict[str, list[_Place]] = {}
    for key, below in operands.items():
        for position, operand in below:
            passed = range(nodes[operand].layer + 1, nodes[key].layer)
            way = [nodes[operand], *(put(n, PASSING) for n in passed), nodes[key]]
            for low, high in pairwise(way):
                low.up.append(high)
                high.down.append(low)
            ways[edge_key(operand, key, position)] = way
    _arrange(layers)
    left = min(place.x - place.wide / 2 for layer in layers for place in layer)
    right = max(place.x + place.wide / 2 for layer in layers for place in layer)
    tall = max(height for _, height in sizes.values())
    height = len(layers) * (tall + GAP) - GAP

    def point(place, aside, up):
        y = height - place.layer * (tall + GAP) - tall / 2
        return place.x - left + aside, y - up * tall / 2

    def curve(edge, way):
        """Upright where it leaves, passes and arrives."""
        low, high = way[0], way[-1]
        arriving = [e for e, other in ways.items() if other[-1] is high]
        arriving.sort(key=lambda e: ways[e][-2].x)
        leaving = sorted(low.up, key=attrgetter("x")).index(way[1])
        stops = [point(low, _fan(leaving, len(low.up), low.wide), 1)]
        stops += [point(place, 0, up) for place in way[1:-1] for up in (-1, 1)]
        arrival = _fan(arriving.index(edge), len(arriving), high.wide)
        stops.append(point(high, arrival, -1))
        points = stops[:1]
        for (ax, ay), (bx, by) in pairwise(stops):
            points += [(ax, (ay + by) / 2), (bx, (ay + by) / 2), (bx, by)]
        return points

    curves = {edge: curve(edge, way) for edge, way in ways.items()}
    centres = {key: point(place, 0, 0) for key, place in nodes.items()}
    return Layout(right - left, height, centres, curves)


def _arrange(layers):
    """Sweeps up and down, in which neighbours also change places, then some for the distances."""
    for layer in layers:
        for k, place in enumerate(layer):
            place.x = 100.0 * k
    for _ in range(SWEEPS):
        for layer in layers[1:]:
            _pack(layer, [place.down for place in layer], sort=True)
        for layer in layers[-2::-1]:
            _pack(layer, [place.up for place in layer], sort=True)
    for _ in range(SWEEPS):
        for layer in [*layers, *reversed(layers)]:
            _pack(layer, [place.down + place.up for place in layer])


def _pack(layer, neighbours, sort=False):
    """Each in the middle of its neighbours, without overlap; all pushed back by the mean."""
    for place, others in zip(layer, neighbours, strict=True):
        xs = [other.x for other in others]
        place.wish = sum(xs) / len(xs) if xs else place.x
    if sort:
        layer.sort(key=attrgetter("wish"))
    free = -math.inf
    for place in layer:
        place.x = max(place.wish, free + place.wide / 2)
        free = place.x + place.wide / 2 + APART
    pushed = sum([place.x - place.wish for place in layer]) / len(layer)
    for place in layer:
        place.x -= pushed


def _fan(k, count, wide):
    """How far from the middle of a node the k-th of its edges ends."""
    return (k - (count - 1) / 2) * min(FAN, (wide - 40) / count)

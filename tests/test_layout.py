"""Graph layout: nothing overlaps, operands are below, curves end at their nodes."""

import itertools
import random
import shutil
import sys

import graphviz
import pytest

from comp551ad import record
from comp551ad.show import dot
from comp551ad.show.graph import graph_html
from comp551ad.show.layout import GAP, lay_out


def any_graph(seed):
    """Operands and sizes in a random program's graph."""
    pick = random.Random(seed)
    operands: dict = {}
    for k in range(pick.randint(1, 40)):
        earlier = list(operands)
        count = min(len(earlier), pick.choice([0, 1, 1, 2, 2, 3]))
        operands[f"a{k}"] = list(enumerate(pick.choices(earlier, k=count)))
    return operands, {key: (pick.randint(90, 260), 95) for key in operands}


@pytest.mark.parametrize("lay_out", [dot.lay_out, lay_out])
@pytest.mark.parametrize("seed", range(8))
def test_nodes_are_apart_and_curves_run_from_each_operand_up_to_its_user(lay_out, seed):
    operands, sizes = any_graph(seed)
    layout = lay_out(operands, sizes)
    boxes = [(x, y, *sizes[key]) for key, (x, y) in layout.centres.items()]
    for (x, y, wide, tall), (u, v, width, height) in itertools.combinations(boxes, 2):
        beside = abs(x - u) >= (wide + width) / 2 - 0.1
        assert beside or abs(y - v) >= (tall + height) / 2 - 0.1
    for x, y, wide, tall in boxes:
        # Graphviz prints five digits.
        assert wide / 2 - 0.1 <= x <= layout.width - wide / 2 + 0.1
        assert tall / 2 - 0.1 <= y <= layout.height - tall / 2 + 0.1
    edges = {(o, key, p) for key, below in operands.items() for p, o in below}
    assert set(layout.curves) == {"{}-{}-{}".format(*edge) for edge in edges}
    for operand, key, position in edges:
        curve = layout.curves[f"{operand}-{key}-{position}"]
        assert len(curve) % 3 == 1
        for (x, y), node in ((curve[0], operand), (curve[-1], key)):
            centre, (wide, tall) = layout.centres[node], sizes[node]
            assert abs(y - centre[1]) < tall / 2 + 2
            assert abs(x - centre[0]) < wide / 2 + 2
        assert layout.centres[operand][1] - layout.centres[key][1] >= 95 + GAP - 1
    inputs = [layout.centres[key][1] for key in operands if not operands[key]]
    assert inputs == pytest.approx([layout.height - 95 / 2] * len(inputs), abs=0.1)


SQUARE = {"a": [], "b": [(0, "a"), (1, "a")]}
SIZES = dict.fromkeys("ab", (72, 36))


def test_graphviz_gets_sizes_and_edges_and_no_label(monkeypatch, capfd):
    source = dot.dot_source(SQUARE, SIZES)
    assert "b [width=1.000 height=0.500]" in source and source.count("a -> b") == 2
    monkeypatch.setenv("PATH", "")  # leaves the program that pip installed
    found = dot.lay_out(SQUARE, SIZES)
    assert found.curves["a-b-0"] != found.curves["a-b-1"]
    assert found.centres["a"][1] > found.centres["b"][1]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "error",
    [
        graphviz.ExecutableNotFound(["dot"]),
        OSError("a browser starts no program"),
        graphviz.CalledProcessError(1, ["dot"]),
        "graph 1 2 3\nstop\n",
        "no package",
        "no program",
    ],
    ids=str,
)
def test_without_graphviz_the_picture_is_laid_out_here(monkeypatch, error):
    def pipe(self, *arguments, **options):
        if isinstance(error, str):
            return error
        raise error

    monkeypatch.setattr(graphviz.Source, "pipe", pipe)
    if error == "no package":
        monkeypatch.setitem(sys.modules, "graphviz", None)
    if error == "no program":
        monkeypatch.setattr(shutil, "which", lambda *arguments, **options: None)
    assert dot.lay_out(SQUARE, SIZES) is None
    drawn = graph_html(record(lambda x: x * x, 3.0), alt='a "square"')
    assert drawn.startswith('<img alt="a &quot;square&quot;"')


def test_a_single_node_and_a_fork_stand_straight():
    alone = lay_out({"a": []}, {"a": (100, 50)})
    assert alone.centres == {"a": (50, 25)} and alone.height == 50
    fork = lay_out(
        {"a": [], "b": [(0, "a")], "c": [(0, "a")]}, dict.fromkeys("abc", (100, 50))
    )
    assert fork.centres["a"][0] == pytest.approx(fork.width / 2)

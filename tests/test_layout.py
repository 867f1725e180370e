"""Where nodes and edges go: nothing overlaps, operands are below, curves end at their nodes."""

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
    """Operands and sizes of a random program's graph."""
    pick = random.Random(seed)
    operands: dict = {}
    for k in range(pick.randint(1, 40)):
        earlier = list(operands)
        count = min(len(earlier), pick.choice([0, 1, 1, 2, 2, 3]))
        operands[f"a{k}"] = list(enumerate(pick.choices(earlier, k=count)))
    return operands, {key: (pick.randint(90, 260), 95) for key in operands}


@pytest.mark.parametrize(
    ("by", "seed"),
    [*((lay_out, seed) for seed in range(25)), *((dot.lay_out, k) for k in range(5))],
)
def test_no_two_nodes_overlap_and_all_are_inside(by, seed):
    operands, sizes = any_graph(seed)
    layout = by(operands, sizes)
    boxes = [(x, y, *sizes[key]) for key, (x, y) in layout.centres.items()]
    for (x, y, wide, tall), (u, v, width, height) in itertools.combinations(boxes, 2):
        beside = abs(x - u) >= (wide + width) / 2 - 0.1
        assert beside or abs(y - v) >= (tall + height) / 2 - 0.1
    for x, y, wide, tall in boxes:
        # Graphviz prints five digits.
        assert wide / 2 - 0.1 <= x <= layout.width - wide / 2 + 0.1
        assert tall / 2 - 0.1 <= y <= layout.height - tall / 2 + 0.1


@pytest.mark.parametrize("seed", range(25))
def test_curves_run_from_each_operand_up_to_its_user(seed):
    operands, sizes = any_graph(seed)
    layout = lay_out(operands, sizes)
    edges = {(o, key, p) for key, below in operands.items() for p, o in below}
    assert set(layout.curves) == {f"{o}-{key}-{p}" for o, key, p in edges}
    for operand, key, position in edges:
        curve = layout.curves[f"{operand}-{key}-{position}"]
        assert len(curve) % 3 == 1
        for (x, y), node, side in (
            (curve[0], operand, -1),
            (curve[-1], key, 1),
        ):
            centre, (wide, tall) = layout.centres[node], sizes[node]
            assert y == pytest.approx(centre[1] + side * tall / 2)
            assert abs(x - centre[0]) < wide / 2
        assert layout.centres[operand][1] - layout.centres[key][1] >= 95 + GAP - 1e-9
    ends = [tuple(curve[0] + curve[-1]) for curve in layout.curves.values()]
    assert len(set(ends)) == len(ends)


def test_a_single_node_and_a_fork_stand_straight():
    alone = lay_out({"a": []}, {"a": (100, 50)})
    assert alone.centres == {"a": (50, 25)} and alone.height == 50
    fork = lay_out(
        {"a": [], "b": [(0, "a")], "c": [(0, "a")]}, dict.fromkeys("abc", (100, 50))
    )
    assert fork.centres["a"][0] == pytest.approx(fork.width / 2)


# --- Graphviz -------------------------------------------------------------------------

SQUARE = {"a": [], "b": [(0, "a"), (1, "a")]}
SIZES = dict.fromkeys("ab", (72, 36))


def test_graphviz_gets_sizes_and_edges_and_no_label():
    source = dot.dot_source(SQUARE, SIZES)
    assert "b [width=1.000 height=0.500]" in source and source.count("a -> b") == 2
    found = dot.lay_out(SQUARE, SIZES)
    assert set(found.curves) == {"a-b-0", "a-b-1"}
    assert found.curves["a-b-0"] != found.curves["a-b-1"]
    assert found.centres["a"][1] > found.centres["b"][1]


def test_the_program_that_pip_installed_serves_without_dot(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "graphviz-pure" in dot.layout_program()
    assert dot.lay_out(SQUARE, SIZES)


def test_the_layout_program_prints_nothing(capfd):
    assert dot.lay_out(SQUARE, SIZES)
    assert capfd.readouterr() == ("", "")


def not_there(self, *arguments, **options):
    raise graphviz.ExecutableNotFound(["dot"])


def not_startable(self, *arguments, **options):
    raise OSError("a browser starts no program")


def failing(self, *arguments, **options):
    raise graphviz.CalledProcessError(1, ["dot"])


def broken(self, *arguments, **options):
    return "graph 1 2 3\nstop\n"


@pytest.mark.parametrize("pipe", [not_there, not_startable, failing, broken])
def test_where_the_program_does_not_run_there_is_no_answer(monkeypatch, pipe):
    monkeypatch.setattr(graphviz.Source, "pipe", pipe)
    assert dot.lay_out(SQUARE, SIZES) is None


def test_without_a_program_or_the_package_the_picture_is_laid_out_here(monkeypatch):
    trace = record(lambda x: x * x, 3.0)
    monkeypatch.setitem(sys.modules, "graphviz", None)
    assert graph_html(trace).startswith("<img")
    monkeypatch.setattr(shutil, "which", lambda *arguments, **options: None)
    assert dot.lay_out(SQUARE, SIZES) is None
    assert graph_html(trace).startswith("<img")

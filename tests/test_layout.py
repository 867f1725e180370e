"""Where nodes and edges go: nothing overlaps, operands are below, curves end at their nodes."""

import itertools
import random

import pytest

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


@pytest.mark.parametrize("seed", range(8))
def test_nodes_are_apart_and_curves_run_from_each_operand_up_to_its_user(seed):
    operands, sizes = any_graph(seed)
    layout = lay_out(operands, sizes)
    boxes = [(x, y, *sizes[key]) for key, (x, y) in layout.centres.items()]
    for (x, y, wide, tall), (u, v, width, height) in itertools.combinations(boxes, 2):
        beside = abs(x - u) >= (wide + width) / 2 - 0.1
        assert beside or abs(y - v) >= (tall + height) / 2 - 0.1
    for x, y, wide, tall in boxes:
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


def test_a_single_node_and_a_fork_stand_straight():
    alone = lay_out({"a": []}, {"a": (100, 50)})
    assert alone.centres == {"a": (50, 25)} and alone.height == 50
    fork = lay_out(
        {"a": [], "b": [(0, "a")], "c": [(0, "a")]}, dict.fromkeys("abc", (100, 50))
    )
    assert fork.centres["a"][0] == pytest.approx(fork.width / 2)

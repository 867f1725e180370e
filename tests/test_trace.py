"""comp551ad/autodiff/trace.py: the deck's numbering, names and outputs."""

from collections import namedtuple

import numpy as np
import pytest
from test_passes import half_square, waves

from comp551ad import (
    Node,
    Trace,
    forward,
    record,
    reverse,
)


def table(t):
    """(label, name, primitive, operands' numbers) per node."""
    return [(n.label, n.name, n.primitive, n.inputs) for n in t.nodes]


# ---------------------------------------------------------------- the deck's numbering


def test_s11_is_a1_to_a7():
    t = record(half_square, w=0.5, x=2.0, y=3.0)
    assert table(t) == [
        ("a1", "w", "input", ()),
        ("a2", "x", "input", ()),
        ("a3", "y", "input", ()),
        ("a4", None, "multiply", (1, 2)),
        ("a5", None, "subtract", (4, 3)),
        ("a6", None, "square", (5,)),
        ("a7", None, "multiply", (6,)),
    ]
    assert [n.value for n in t.nodes] == [0.5, 2.0, 3.0, 1.0, -2.0, 4.0, 2.0]
    assert t.nodes[6].arguments == (0.5, 6)
    assert t.result == 2.0 and t.outputs == (6,) and t.function == "half_square"


def test_s12_is_a1_to_a7():
    t = record(waves, w0=0.5, w1=2.0, x=1.0)
    assert table(t) == [
        ("a1", "w0", "input", ()),
        ("a2", "w1", "input", ()),
        ("a3", "x", "input", ()),
        ("a4", None, "multiply", (2, 3)),
        ("a5", "a", "add", (4, 1)),
        ("a6", "y1", "sin", (5,)),
        ("a7", "y2", "cos", (5,)),
    ]
    expected = [0.5, 2.0, 1.0, 2.0, 2.5, 0.5984721441039564, -0.8011436155469337]
    assert [n.value for n in t.nodes] == pytest.approx(expected, rel=1e-15)
    assert t.result == (np.sin(2.5), np.cos(2.5)) and t.outputs == (5, 6)
    assert t["y1"] == t["a6"] == t[6] == t[t.node("y1")] == np.sin(2.5)
    assert len(t) == 7 and [n.index for n in t] == [1, 2, 3, 4, 5, 6, 7]


def test_constants_take_no_number():
    t = record(lambda x: 3 * x + np.array([1.0, 2.0]) - 7, 1.0)
    assert [n.primitive for n in t] == ["input", "multiply", "add", "subtract"]
    assert t.nodes[1].arguments == (3.0, 1)
    assert t.nodes[2].arguments[1].tolist() == [1.0, 2.0]


def test_parameters_of_a_node():
    t = record(lambda X: np.sum(X, axis=0, keepdims=True)[:, 1], np.ones((2, 3)))
    assert t.nodes[1].parameters == {"axis": -2, "keepdims": True}
    assert t.nodes[2].parameters == {"index": (slice(None), 1)}


# ---------------------------------------------------------------- inputs and their names


Layer = namedtuple("Layer", "W b")


def test_inputs_are_copies_and_read_only():
    x = np.array([1.0, 2.0])
    t = record(lambda x: x * x, x)
    x[0] = 100.0
    assert t["x"].tolist() == [1.0, 2.0] and t.result.tolist() == [1.0, 4.0]
    assert reverse(t, seed=[1.0, 1.0])["x"].tolist() == [2.0, 4.0]
    with pytest.raises(ValueError, match="read-only"):
        t["x"][0] = 5.0


def test_computed_values_cannot_be_changed_behind_the_traces_back():
    """The passes read them again: exp's derivative is its value."""
    t = record(np.exp, np.array([0.0, 1.0]))
    before = reverse(t, seed=np.ones(2))["a1"].tolist()
    for array in (t["a2"], t.node("a2").value, t.result):
        try:
            array[...] = 7.0
        except ValueError:
            pass  # read-only is fine, and so is a copy
    assert reverse(t, seed=np.ones(2))["a1"].tolist() == before
    assert forward(t, "a1", seed=np.ones(2))["a2"].tolist() == before
    assert record(np.exp, np.array([0.0, 1.0]))["a2"].tolist() == before


# ---------------------------------------------------------------- names of local variables


def local_first(x):
    u = x * 2
    v = u  # the same row: keeps its first name
    x = v + 1  # the input keeps its own
    return x, u


def labels(x):
    a5 = x * 2
    a1 = a5 + 1
    a0 = a1 * 3  # no label
    return a0


def loop(x):
    h = x
    for _ in range(3):
        h = np.tanh(h)
    parts = [h * k for k in range(2)]
    return sum(parts)


def calls(x):
    y = local_first(x)[0] + 1
    return y


def calls_itself(x, depth=None):
    if depth == 0:
        bottom = x * 1
        return bottom
    top = calls_itself(x, 0 if depth is None else depth - 1) + 1
    return top


@pytest.mark.parametrize(
    ("f", "names"),
    [
        (local_first, {0: "x", 1: "u"}),
        (labels, {0: "x", 3: "a0"}),
        (loop, {0: "x", 3: "h"}),  # its last iteration's
        (calls, {0: "x", 3: "y"}),
        (calls_itself, {0: "x", 2: "top"}),  # the outermost call's
    ],
)
def test_names_are_those_of_the_functions_own_variables(f, names):
    assert record(f, 1.0).names == names


def test_labels_are_positions_whatever_an_input_is_called():
    """The deck's own a1 … are labels; a parameter of that name must not hide them."""
    t = record(lambda a2, a1: a2 - a1, 10.0, 1.0)
    assert [(n.label, n.name) for n in t.nodes[:2]] == [("a1", "a2"), ("a2", "a1")]
    assert t["a1"] == 10.0 and t["a2"] == 1.0
    t = record(labels, 1.0)
    assert t["a1"] == 1.0 and t["a2"] == 2.0 and t["a4"] == 9.0 == t["a0"]


def test_unknown_keys():
    t = record(waves, 0.5, 2.0, 1.0)
    for key in ("b", "a8", "a0", "a01", 0, 8, -1, "", None, 1.5, "w0 "):
        with pytest.raises(KeyError, match="w0, w1, x, a, y1, y2 or a label a1 … a7"):
            t[key]
    with pytest.raises(KeyError):
        t.node("a99")


# ---------------------------------------------------------------- outputs


def test_outputs_in_containers_and_constants():
    t = record(lambda x: {"y": x * 2, "n": 3, "c": np.ones(2), "ok": True, "x": x}, 1.0)
    assert t.outputs == (1, None, None, None, 0)
    assert t.result["n"] == 3 and t.result["ok"] == 1 and t.result["y"] == 2.0
    assert t.result["c"].tolist() == [1.0, 1.0] and t.result["x"] == 1.0
    t = record(lambda x: 5.0, 1.0)
    assert t.outputs == (None,) and t.result == 5.0 and len(t) == 1
    assert record(lambda x: (), 1.0).outputs == ()
    t = record(lambda x: [x, x], 1.0)
    assert t.outputs == (0, 0)
    t = record(lambda x: Layer(x, [x * 2]), 1.0)
    assert type(t.result) is Layer and t.result == Layer(1.0, [2.0])


def test_a_constant_result_is_not_the_callers_array():
    a = np.zeros(3)
    assert not np.shares_memory(record(lambda x: a, 1.0).result, a)


def test_public_types():
    t = record(waves, 0.5, 2.0, 1.0)
    assert isinstance(t, Trace) and all(isinstance(n, Node) for n in t)
    with pytest.raises(AttributeError):
        t.result = 3
    with pytest.raises(AttributeError):
        t.nodes[0].value = 3

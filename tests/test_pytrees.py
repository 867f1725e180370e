"""comp551ad/pytrees.py: containers taken apart and put together again."""

from collections import Counter, namedtuple

import pytest

from comp551ad.pytrees import (
    is_container,
    leaf_names,
    leaves,
    leaves_like,
    same_structure,
    tree_map,
    unflatten,
)

Pair = namedtuple("Pair", "first second")
TREE = {"W": 1, "layers": [2, (3, 4)], "pair": Pair(5, {}), "none": ()}


def test_leaves_and_their_names():
    assert all(map(is_container, [(), [], {}, (1,), Pair(1, 2)]))
    assert not any(map(is_container, [1, 2.0, "ab", None, {1}]))
    assert leaves(TREE) == [1, 2, 3, 4, 5]
    assert leaf_names(TREE, "p") == [
        "p['W']",
        "p['layers'][0]",
        "p['layers'][1][0]",
        "p['layers'][1][1]",
        "p['pair'][0]",
    ]
    assert leaves(7) == [7] and leaf_names(7, "x") == ["x"]
    assert leaves([]) == [] and leaf_names({}, "x") == []


def test_leaves_in_the_order_of_another_dict():
    assert leaves_like({"b": [3, 4], "a": 1}, {"a": 0, "b": [0, 0]}) == [1, 3, 4]
    assert leaves_like(
        {"n": (), "p": Pair({"y": 2, "x": 1}, 3)},
        {"p": Pair({"x": 0, "y": 0}, 0), "n": ()},
    ) == [1, 2, 3]
    assert leaves_like(7, 0) == [7]


def test_rebuilt_in_the_same_kinds_of_container():
    again = unflatten(TREE, iter("abcde"))
    assert again == {
        "W": "a",
        "layers": ["b", ("c", "d")],
        "pair": Pair("e", {}),
        "none": (),
    }
    assert type(again["pair"]) is Pair and type(again["layers"][1]) is tuple
    assert type(unflatten([1], iter([2]))) is list and unflatten(1, iter([2])) == 2
    assert tree_map(lambda leaf: -leaf, TREE)["pair"] == Pair(-5, {})


CLASSES = [type("Vector", (tuple,), {}), type("Stack", (list,), {})]


@pytest.mark.parametrize("tree", [*(c([1, 2]) for c in CLASSES), Counter(a=1, b=2)])
def test_rebuilt_in_the_same_class(tree):
    again = unflatten(tree, iter([5, 6]))
    assert type(again) is type(tree) and leaves(again) == [5, 6]
    assert leaves(tree) == [1, 2]


@pytest.mark.parametrize(
    "a, b, alike",
    [
        (1, 2, True),
        ((1, 2), [3, 4], True),
        ({"a": 1, "b": 2}, {"b": 1, "a": 2}, True),
        (Pair(1, (2,)), [0, [0]], True),
        (1, (1,), False),
        ((1, 2), (1,), False),
        ((1, (2,)), (1, 2), False),
        ({"a": 1}, {"b": 1}, False),
        ({0: 1}, [1], False),
        ({"a": (1,), "b": 2}, {"a": 1, "b": 2}, False),
        ({}, [], False),
    ],
)
def test_the_same_structure_is_the_same_nesting_and_the_same_keys(a, b, alike):
    assert same_structure(a, b) == same_structure(b, a) == alike

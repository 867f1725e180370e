"""Pytrees: arbitrarily nested tuples, lists and dicts of numbers.

A model's parameters are often kept in a dict, a network's layers in a list. Code that computes
with them sees only a flat list of leaves: containers are flattened on the way in, and results get
the same structure on the way out. A leaf is named by the expression that selects it,
``params['W']`` or ``layers[0]``.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_CONTAINERS = (tuple, list, dict)


def is_container(tree: Any) -> bool:
    """Whether ``tree`` is a tuple, list or dict (or a subclass), and not a leaf."""
    return issubclass(type(tree), _CONTAINERS)


def _children(tree: Any) -> Iterable:
    return tree.values() if isinstance(tree, dict) else tree


def _keys(tree: Any) -> Iterable:
    return tree.keys() if isinstance(tree, dict) else range(len(tree))


def leaves(tree: Any) -> list:
    """The leaves from left to right: {"W": 1, "b": [2, 3]} -> [1, 2, 3]."""
    if not issubclass(type(tree), _CONTAINERS):
        return [tree]
    return [leaf for child in _children(tree) for leaf in leaves(child)]


def leaf_names(tree: Any, name: str) -> list[str]:
    """The expression that selects each leaf: params['W'], layers[0] …"""
    if not is_container(tree):
        return [name]
    return [
        leaf_name
        for key, child in zip(_keys(tree), _children(tree), strict=True)
        for leaf_name in leaf_names(child, f"{name}[{key!r}]")
    ]


def unflatten(tree: Any, new_leaves: Iterator) -> Any:
    """A container like ``tree``, of the same classes, with leaves from an iterator."""
    if not issubclass(type(tree), _CONTAINERS):
        return next(new_leaves)
    if isinstance(tree, dict):
        # A copy keeps the state of a dict subclass, such as a default_factory.
        new = copy.copy(tree)
        for key, child in tree.items():
            new[key] = unflatten(child, new_leaves)
        return new
    children = [unflatten(child, new_leaves) for child in tree]
    # A namedtuple takes its fields as separate arguments.
    return type(tree)(*children) if hasattr(tree, "_fields") else type(tree)(children)


def tree_map(function: Callable, tree: Any) -> Any:
    """The container with the function applied to every leaf."""
    return unflatten(tree, map(function, leaves(tree)))


def same_structure(a: Any, b: Any) -> bool:
    """Whether two containers have the same nesting and the same keys."""
    return _structure(a) == _structure(b)


def _structure(tree: Any) -> Any:
    """Only the nesting: dicts, lists for all sequences, and None for each leaf."""
    if not is_container(tree):
        return None
    if isinstance(tree, dict):
        return {key: _structure(child) for key, child in tree.items()}
    return [_structure(child) for child in tree]


def leaves_like(tree: Any, like: Any) -> list:
    """The leaves of ``tree`` in the order of ``like``, which has the same structure; the dicts'
    keys may be in different orders."""
    if not is_container(like):
        return [tree]
    return [leaf for k in _keys(like) for leaf in leaves_like(tree[k], like[k])]

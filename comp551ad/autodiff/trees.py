"""Arguments in containers: tuples, lists and dicts of numbers, nested as one likes.

A model's parameters are often kept in a dict, a network's layers in a list. The passes know only
numbered rows, so a container is taken apart into its leaves on the way in, and gradients are put
together in the same structure on the way out.

Reads: nothing. Read by: the rest of ``autodiff``.
"""

import copy


def is_container(tree) -> bool:
    return isinstance(tree, (tuple, list, dict))  # quicker than with |


def _children(tree):
    return tree.values() if isinstance(tree, dict) else tree


def leaves(tree) -> list:
    """The leaves from left to right: {"W": 1, "b": [2, 3]} -> [1, 2, 3]."""
    if not is_container(tree):
        return [tree]
    return [leaf for child in _children(tree) for leaf in leaves(child)]


def leaf_names(tree, name: str) -> list[str]:
    """How a reader would write each leaf: params['W'], layers[0] …"""
    if not is_container(tree):
        return [name]
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree))
    return [
        leaf_name
        for key, child in zip(keys, _children(tree), strict=True)
        for leaf_name in leaf_names(child, f"{name}[{key!r}]")
    ]


def rebuild(tree, new_leaves):
    """A container like ``tree`` with the leaves that the iterator ``new_leaves`` gives."""
    if not is_container(tree):
        return next(new_leaves)
    if isinstance(tree, dict):
        new = copy.copy(
            tree
        )  # which keeps what is special about another class of dicts
        for key, child in tree.items():  # a Counter's update would add
            new[key] = rebuild(child, new_leaves)
        return new
    children = [rebuild(child, new_leaves) for child in tree]
    if hasattr(tree, "_fields"):  # a namedtuple takes its fields one by one
        return type(tree)(*children)
    return type(tree)(children)  # of whatever class: the function may use its methods


def same_structure(a, b) -> bool:
    """Whether two containers have the same shape of nesting and the same keys."""
    if not is_container(a) or not is_container(b):
        return is_container(a) == is_container(b)
    if isinstance(a, dict) != isinstance(b, dict) or len(a) != len(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_structure(a[k], b[k]) for k in a)
    return all(same_structure(x, y) for x, y in zip(a, b, strict=True))


def leaves_like(tree, like) -> list:
    """The leaves of a container in the order in which ``like``, of the same structure, has them:
    a dict's keys may come in any order."""
    if not is_container(like):
        return [tree]
    keys = like.keys() if isinstance(like, dict) else range(len(like))
    return [leaf for k in keys for leaf in leaves_like(tree[k], like[k])]

"""Many directions at once: push K tangents of an operand through a forward rule together.

The tangents have an extra first axis, (K, *shape). Most rules accept them with little change: the
elementwise ones, those that count axes from the end, and matrix products. The others run once per
direction.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .primitives import Primitive, ndim_of, shape_of


def each_direction(
    primitive: Primitive, k: int, t: Any, y: Any, values: Sequence, parameters: dict
) -> Any:
    """The terms of K tangents of operand k, K first; they broadcast to (K, *y.shape)."""
    rule, x = primitive.jvps[k], values[k]
    count, shape = len(t), shape_of(y)
    if not count:
        return np.zeros((0, *shape))
    if primitive.elementwise or primitive.stacks:
        # The axes that x lacks compared with y go after K.
        gap = (1,) * (len(shape) - ndim_of(x))
        t = np.reshape(t, (count, *gap, *shape_of(x))) if gap else t
        return rule(t, y, *values, **parameters)
    if primitive.matrix_product:
        return _products(k, t, y, values)
    return np.stack([rule(one, y, *values, **parameters) for one in t])


def _products(k, t, y, values):
    """K matrix products; a vector is a matrix with one row, or with one column."""
    a, b = map(shape_of, values)
    shapes = [(1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b]
    factors = [np.reshape(x, s) for x, s in zip(values, shapes, strict=True)]
    gap = (1,) * (max(map(len, shapes)) - len(shapes[k]))
    factors[k] = np.reshape(t, (len(t), *gap, *shapes[k]))
    return np.reshape(np.matmul(*factors), (len(t), *shape_of(y)))

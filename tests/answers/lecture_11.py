"""Students' answers for lecture 11: right answers in other styles."""

import numpy as np


def units_by_unique(W, V):
    return len(np.unique(np.hstack([W, V.T]), axis=0))


def size_loop(L, M, s):
    size = 1.0
    for _ in range(L):
        size = size * M * s**2 / 2
    return size


def scale_right(below, slope):
    kept = 0.5 * 1 + 0.5 * slope**2
    return 1 / np.sqrt(below * kept)


def skip_by_where(Z, W1, W2, dR):
    Q = Z @ W1
    dA = np.einsum("nm,km->nk", dR, W2)
    return np.where(Q > 0, dA, 0.0) @ W1.T + dR


RIGHT = {
    "distinct_units": [units_by_unique],
    "size_after": [size_loop],
    "keeping_scale": [scale_right],
    "skip_backward": [skip_by_where],
}

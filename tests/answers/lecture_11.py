"""What students hand in for lecture 11: wrong answers by their mistake, and right ones."""

import numpy as np


def units_by_inputs(W, V):
    return np.unique(V, axis=1).shape[1]


def units_by_outputs(W, V):
    return np.unique(W, axis=0).shape[0]


def units_all(W, V):
    return V.shape[1]


def units_copies(W, V):
    both = np.concatenate([V.T, W], axis=1)
    return len(both) - len(np.unique(both, axis=0))


def units_by_unique(W, V):
    return len(np.unique(np.hstack([W, V.T]), axis=0))


def size_loop(L, M, s):
    size = 1.0
    for _ in range(L):
        size = size * M * s**2 / 2
    return size


def scale_hasty(below, slope):
    return (2 / below) ** 0.5


def scale_glorot(below, slope):
    return below**-0.5


def scale_variance(below, slope):
    return 2 / below / (1 + slope**2)


def scale_unsquared(below, slope):
    return np.sqrt(2 / (1 + slope) / below)


def scale_integers(below, slope):
    return np.sqrt(2 // (below * (1 + slope**2)))


def scale_right(below, slope):
    kept = 0.5 * 1 + 0.5 * slope**2
    return 1 / np.sqrt(below * kept)


def mask(Z, W1):
    return (np.dot(Z, W1) > 0).astype(float)


def skip_forgotten(Z, W1, W2, dR):
    return ((dR @ W2.T) * mask(Z, W1)) @ W1.T


def skip_alone(Z, W1, W2, dR):
    return dR.copy()


def skip_multiplied(Z, W1, W2, dR):
    return dR * (((dR @ W2.T) * mask(Z, W1)) @ W1.T)


def skip_unmasked(Z, W1, W2, dR):
    return dR + (dR @ W2.T) @ W1.T


def skip_masked_by_error(Z, W1, W2, dR):
    dA = dR @ W2.T
    dA[dA < 0] = 0
    return dR + dA @ W1.T


def skip_untransposed(Z, W1, W2, dR):
    return dR + np.dot(np.dot(dR, W2) * mask(Z, W1), W1)


def skip_in_place(Z, W1, W2, dR):
    dR += ((dR @ W2.T) * mask(Z, W1)) @ W1.T
    return dR


def skip_by_where(Z, W1, W2, dR):
    Q = Z @ W1
    dA = np.einsum("nm,km->nk", dR, W2)
    return np.where(Q > 0, dA, 0.0) @ W1.T + dR


WRONG = {
    "distinct_units": [
        (units_by_inputs, "columns of V alone"),
        (units_by_outputs, "rows of W alone"),
        (units_all, "all units are counted"),
        (units_copies, "the copies are counted"),
    ],
    "size_after": [
        (lambda L, M, s: (M * s * s) ** L, "ReLU's half is missing"),
        (lambda L, M, s: 0.5 * M * s**2, "one layer only"),
        (lambda L, M, s: L * 0.5 * M * s**2, "multiplied by the number of layers"),
        (lambda L, M, s: (0.5 * M * s) ** L, "s is not squared"),
        (
            lambda L, M, s: (0.5 * M * s**2) ** (L / 2),
            "the size of the values, not of their squares",
        ),
    ],
    "keeping_scale": [
        (scale_hasty, "He's scale, for a slope of zero"),
        (scale_glorot, "Glorot's scale, which knows no activation"),
        (scale_variance, "the variance, not the standard deviation"),
        (scale_unsquared, "the slope is not squared"),
        (scale_integers, "whole numbers"),
    ],
    "skip_backward": [
        (skip_forgotten, "the skip's own way is missing"),
        (skip_alone, "the way through the layers is missing"),
        (skip_multiplied, "the two ways are multiplied"),
        (skip_unmasked, "ReLU's derivative is missing"),
        (skip_masked_by_error, "ReLU's derivative at the wrong place"),
        (skip_untransposed, "the weights are not transposed"),
        (skip_in_place, "it changes its input in place"),
    ],
}

RIGHT = {
    "distinct_units": [units_by_unique],
    "size_after": [size_loop],
    "keeping_scale": [scale_right],
    "skip_backward": [skip_by_where],
}

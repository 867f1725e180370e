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


def units_without_a_copy(W, V):
    units = [(*V[:, m], *W[m]) for m in range(len(W))]
    return sum(units.count(unit) == 1 for unit in units)


def units_smaller_count(W, V):
    return min(units_by_inputs(W, V), units_by_outputs(W, V))


def units_counts_multiplied(W, V):
    return units_by_inputs(W, V) * units_by_outputs(W, V)


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


def skip_masked_by_input(Z, W1, W2, dR):
    return dR + dR @ W2.T @ W1.T * np.where(Z > 0, 1, 0)


def skip_times_value(Z, W1, W2, dR):
    return dR + ((dR @ W2.T) * np.maximum(Z @ W1, 0)) @ W1.T


def skip_one(Z, W1, W2, dR):
    return 1 + skip_forgotten(Z, W1, W2, dR)


def skip_input(Z, W1, W2, dR):
    return Z + skip_forgotten(Z, W1, W2, dR)


def skip_upwards(Z, W1, W2, dR):
    return Z + np.maximum(Z @ W1, 0) @ W2


def skip_averaged(Z, W1, W2, dR):
    return (dR + skip_forgotten(Z, W1, W2, dR)) / len(Z)


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
        (units_without_a_copy, "units that have a copy don't count at all"),
        (units_smaller_count, "V and W are counted apart"),
        (units_counts_multiplied, "V and W are counted apart"),
        (lambda W, V: len(np.unique(W)), "single numbers are counted, not units"),
        (
            lambda W, V: len(np.unique(np.hstack([V.T, W]))),
            "single numbers are counted, not units",
        ),
        (lambda W, V: len(np.unique(V, axis=0)), "rows of V, not its columns"),
        (lambda W, V: np.linalg.matrix_rank(np.hstack([V.T, W])), "the rank"),
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
        (
            lambda L, M, s: 0.5 * (M * s**2) ** L,
            "ReLU's half once, not at every layer",
        ),
        (lambda L, M, s: (M * (s / 2) ** 2) ** L, "ReLU's half is squared"),
        (lambda L, M, s: (M * s**2 / 2) ** (L - 1), "one layer too few"),
        (lambda L, M, s: (s**2 / 2) ** L, "the sum over the units is left out"),
        (lambda L, M, s: M * s**2 / 2**L, "the power takes in too little"),
        (lambda L, M, s: M * (0.5 * s**2) ** L, "the power takes in too little"),
    ],
    "keeping_scale": [
        (scale_hasty, "He's scale, for a slope of zero"),
        (scale_glorot, "Glorot's scale, which knows no activation"),
        (scale_variance, "the variance, not the standard deviation"),
        (scale_unsquared, "the slope is not squared"),
        (scale_integers, "all zeros"),
        (lambda below, slope: (below * (1 + slope**2) / 2) ** 0.5, "turned over"),
        (
            lambda below, slope: (below * (1 + slope**2)) ** -0.5,
            "each half counted as a whole",
        ),
        (
            lambda below, slope: np.sqrt(2 / (below * (1 + slope) ** 2)),
            "squared after adding",
        ),
        (
            lambda below, slope: 1 / np.sqrt(below * ((1 + slope) / 2) ** 2),
            "the mean slope, squared",
        ),
        (
            lambda below, slope: np.sqrt(2 / (1 + slope**2)),
            "the units below are left out",
        ),
    ],
    "skip_backward": [
        (skip_forgotten, "the skip's own way is missing"),
        (skip_alone, "the way through the layers is missing"),
        (skip_multiplied, "the two ways are multiplied"),
        (skip_unmasked, "ReLU's derivative is missing"),
        (skip_masked_by_error, "ReLU's derivative at the wrong place"),
        (skip_untransposed, "the weights are not transposed"),
        (skip_in_place, "it changes its input in place"),
        (skip_masked_by_input, "ReLU opens by the sign of Z"),
        (skip_times_value, "ReLU's value in the derivative's place"),
        (skip_one, "the skip's slope without the error from above"),
        (skip_input, "Z added in place of dR"),
        (skip_upwards, "the way up, not the way down"),
        (skip_averaged, "1/N twice"),
    ],
}

RIGHT = {
    "distinct_units": [units_by_unique],
    "size_after": [size_loop],
    "keeping_scale": [scale_right],
    "skip_backward": [skip_by_where],
}

"""Students' answers for lecture 01: right answers in other styles."""

import numpy as np


def twin_by_matrix(W, V, order, signs):
    P = np.eye(len(order))[order] * signs[:, None]
    return P @ W, V @ P.T


def lengths(W, V):
    return np.sqrt((W**2).sum(1)), np.sqrt((V**2).sum(0))


def balanced_by_mean(W, V):
    w, v = lengths(W, V)
    both = np.sqrt(w * v)
    return W * (both / w)[:, None], V * both / v


def count_by_loop(M, activation):
    count = 1
    for m in range(1, M + 1):
        count *= 2 * m if activation == "tanh" else m
    return count


def saddle_to_array(M, D, C):
    X = np.random.default_rng(0).normal(size=(50 * C, D))
    Y = np.tile(np.eye(C), (50, 1))
    rank = int(np.linalg.matrix_rank(X.T @ (Y - 1 / C)))
    return np.array([rank * M, rank * M, M * (C + D) - 2 * rank * M])


RIGHT = {
    "twin": [twin_by_matrix],
    "balanced": [balanced_by_mean],
    "count_twins": [count_by_loop],
    "saddle_signs": [saddle_to_array],
}

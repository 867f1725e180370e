"""What students hand in for lecture 03: right answers in other styles, and some wrong ones."""

import numpy as np

from comp551ad import logistic, softmax


def derivation(
    L="-y * log(yh) - (1 - y) * log(1 - yh)",
    dL_dyh="-y / yh + (1 - y) / (1 - yh)",
    dyh_du="yh * (1 - yh)",
    dL_du="yh - y",
):
    return lambda: {"L": L, "dL/dyh": dL_dyh, "dyh/du": dyh_du, "dL/du": dL_du}


def head_by_loops(head, U, Y):
    rows = []
    for u, y in zip(U, Y, strict=True):
        if head == "multiclass":
            e = np.exp(u - max(u))
            u = e / sum(e)
        rows.append((logistic(u) if head == "binary" else u) - y)
    return rows


def square_short(u, y):
    p = softmax(u)
    return p * (p - y - p @ (p - y))


def W_one_by_one(X, Y, W, V):
    dW = np.zeros(W.shape)
    for x, y in zip(X, Y, strict=True):
        z = 1 / (1 + np.exp(-x @ V))
        dW += z[:, None] * (softmax(z @ W) - y)
    return dW


def head_clipped(head, U, Y):
    return head_by_loops(head, np.clip(U, -30, 30) if head != "regression" else U, Y)


RIGHT = {
    "binary_derivation": [
        derivation(
            "y*log(1 + exp(-u)) + (1 - y)*log(1 + exp(u))",
            "(yh - y) / (yh * (1 - yh))",
            "exp(-u) / (1 + exp(-u))**2",
            "logistic(u) - y",
        )
    ],
    "head_error": [head_by_loops],
    "softmax_half_square": [square_short],
    "grad_W": [W_one_by_one],
}

WRONG = {"head_error": [head_clipped]}

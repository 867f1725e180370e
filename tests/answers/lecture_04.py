"""Students' answers for lecture 04: right answers in other styles."""

import numpy as np

from comp551ad import logistic, relu, softmax


def back_by_einsum(dU, W, Z):
    dW = np.einsum("nc,nm->mc", dU, Z)
    return dW, np.einsum("nc->c", dU), np.einsum("nc,mc->nm", dU, W)


H = {"logistic": logistic, "tanh": np.tanh, "relu": relu}


def slope_of(activation, Q, Z):
    if activation == "logistic":
        return Z * (1 - Z)
    return 1 - Z * Z if activation == "tanh" else (Q > 0) * 1


def V_one_by_one(X, Y, W, V, activation):
    dV = np.zeros_like(V)
    for x, y in zip(X, Y, strict=True):
        q = x @ V
        z = H[activation](q)
        dq = W @ (softmax(z @ W) - y) * slope_of(activation, q, z)
        dV += np.outer(x, dq)
    return dV


def biased_in_parts(X, Y, W, V):
    A, a, B, b = W[:-1], W[-1], V[:-1], V[-1]
    Q = X @ B + b
    dU = softmax(relu(Q) @ A + a) - Y
    dQ = dU @ A.T * (Q > 0)
    dW = np.vstack([relu(Q).T @ dU, dU.sum(0)])
    return dW, np.vstack([X.T @ dQ, dQ.sum(0)])


RIGHT = {
    "slopes_from_z": [
        lambda: {
            "logistic": "z - z**2",
            "tanh": "(1 - z)*(1 + z)",
            "softplus": "(exp(z) - 1) / exp(z)",
        }
    ],
    "layer_back": [back_by_einsum],
    "grad_V": [V_one_by_one],
    "biased_gradients": [biased_in_parts],
}

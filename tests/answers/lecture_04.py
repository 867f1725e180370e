"""What students hand in for lecture 04: wrong answers by their mistake, and right ones."""

import numpy as np

from comp551ad import logistic, relu, softmax


def slopes(logistic="z * (1 - z)", tanh="1 - z**2", softplus="1 - exp(-z)"):
    return lambda: {"logistic": logistic, "tanh": tanh, "softplus": softplus}


def back_bias_rows(dU, W, Z):
    return np.dot(dU.T, Z), dU * 1, np.dot(dU, W)


def back_by_einsum(dU, W, Z):
    dW = np.einsum("nc,nm->cm", dU, Z)
    return dW, np.einsum("nc->c", dU), np.einsum("nc,cm->nm", dU, W)


H = {"logistic": logistic, "tanh": np.tanh, "relu": relu}


def slope_of(activation, Q, Z):
    if activation == "logistic":
        return Z * (1 - Z)
    return 1 - Z * Z if activation == "tanh" else (Q > 0) * 1


def V_one_by_one(X, Y, W, V, activation):
    dV = np.zeros_like(V)
    for x, y in zip(X, Y, strict=True):
        q = V @ x
        z = H[activation](q)
        dq = W.T @ (softmax(W @ z) - y) * slope_of(activation, q, z)
        dV += np.outer(dq, x)
    return dV


def biased_in_parts(X, Y, W, V):
    A, a, B, b = W[:, :-1], W[:, -1], V[:, :-1], V[:, -1]
    Q = X @ B.T + b
    dU = softmax(relu(Q) @ A.T + a) - Y
    dQ = dU @ A * (Q > 0)
    dW = np.column_stack([dU.T @ relu(Q), dU.sum(0)])
    return dW, np.column_stack([dQ.T @ X, dQ.sum(0)])


WRONG = {
    "layer_back": [(back_bias_rows, "the bias is not added up over the instances")]
}

RIGHT = {
    "slopes_from_z": [slopes("z - z**2", "(1 - z)*(1 + z)", "(exp(z) - 1) / exp(z)")],
    "layer_back": [back_by_einsum],
    "grad_V": [V_one_by_one],
    "biased_gradients": [biased_in_parts],
}

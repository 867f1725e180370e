"""Students' answers for lecture 05: right answers in other styles."""

import numpy as np

from comp551ad import logistic, softmax


def cost_one_by_one(X, Y, W, V):
    total = 0
    for x, y in zip(X, Y, strict=True):
        u = logistic(x @ V) @ W
        top = max(u)
        total += top + np.log(sum(np.exp(u - top))) - u @ y
    return total / len(X)


def gradients_one_by_one(X, Y, W, V):
    dW, dV = np.zeros_like(W), np.zeros_like(V)
    for x, y in zip(X, Y, strict=True):
        z = logistic(V.T @ x)
        du = softmax(W.T @ z) - y
        dW += np.outer(z, du) / len(X)
        dV += np.outer(x, (W @ du) * z * (1 - z)) / len(X)
    return dW, dV


def gradients_in_matrices(X, Y, W, V):
    Z = logistic(X @ V)
    dU = (softmax(Z @ W) - Y) / len(X)
    return Z.T @ dU, X.T @ (dU @ W.T * Z * (1 - Z))


def descent_on_copies(gradient, W, V, lr, steps):
    W, V = W.copy(), V.copy()
    while steps > 0:
        dW, dV = gradient(W, V)
        W -= lr * dW
        V -= lr * dV
        steps -= 1
    return W, V


def trained(scale=0.01, lr=1.0, count=500, M=10):
    def answer(X, Y):
        rng = np.random.default_rng(1)
        W = scale * rng.standard_normal((M, Y.shape[1]))
        V = scale * rng.standard_normal((X.shape[1], M))
        return descent_on_copies(
            lambda W, V: gradients_in_matrices(X, Y, W, V), W, V, lr, count
        )

    return answer


RIGHT = {
    "cost": [cost_one_by_one],
    "gradients": [gradients_one_by_one],
    "first_step": [
        lambda: {
            "both zero": " Neither ",
            "W zero": "W",
            "V zero": "both",
            "both zero, 100 flowers": "W",
            "alike": "alike",
        }
    ],
    "descent": [descent_on_copies],
    "train_iris": [trained(), trained(scale=0.5, lr=2, count=300, M=5)],
}

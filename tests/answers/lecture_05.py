"""What students hand in for lecture 05: wrong answers by their mistake, and right ones."""

import numpy as np

from comp551ad import logistic, logsumexp, softmax


def scores(X, W, V):
    return np.dot(logistic(np.dot(X, V)), W)


def cost_sum(X, Y, W, V):
    U = scores(X, W, V)
    return -np.sum(np.sum(U * Y, 1) - logsumexp(U))


def cost_sign(X, Y, W, V):
    U = scores(X, W, V)
    return np.mean(np.sum(U * Y, 1) - logsumexp(U))


def cost_all(X, Y, W, V):
    U = scores(X, W, V)
    top = U.max()
    return -np.mean(np.sum(U * Y, 1) - top - np.log(np.sum(np.exp(U - top))))


def cost_columns(X, Y, W, V):
    U = scores(X, W, V)
    E = U - U.max(axis=0)
    return -np.mean(np.sum(Y * (E - np.log(np.exp(E).sum(axis=0))), axis=1))


def cost_classes(X, Y, W, V):
    U = scores(X, W, V)
    return np.mean(Y * (logsumexp(U).reshape(-1, 1) - U))


def cost_no_log(X, Y, W, V):
    return np.mean(-(softmax(scores(X, W, V)) * Y).sum(1))


def cost_no_labels(X, Y, W, V):
    return np.mean(logsumexp(scores(X, W, V)))


def cost_by_softmax(X, Y, W, V):
    with np.errstate(all="ignore"):
        return np.mean(-np.sum(Y * np.log(softmax(scores(X, W, V))), 1))


def cost_overflowing(X, Y, W, V):
    U = scores(X, W, V)
    with np.errstate(all="ignore"):
        return -np.mean(np.sum(U * Y, 1) - np.log(np.exp(U).sum(1)))


def cost_linear(X, Y, W, V):
    U = X @ V @ W
    return np.mean(logsumexp(U) - np.sum(U * Y, axis=1))


def cost_in_place(X, Y, W, V):
    U = scores(X, W, V)
    Y *= U
    return np.mean(logsumexp(U) - Y.sum(1))


def cost_one_by_one(X, Y, W, V):
    total = 0
    for x, y in zip(X, Y, strict=True):
        u = logistic(x @ V) @ W
        top = max(u)
        total += top + np.log(sum(np.exp(u - top))) - u @ y
    return total / len(X)


def gradients_of(slope=lambda Q, Z: Z * (1 - Z), error=lambda Yh, Y: Yh - Y, N=len):
    def answer(X, Y, W, V):
        Q = np.dot(X, V)
        Z = logistic(Q)
        dU = error(softmax(np.dot(Z, W)), Y)
        dQ = np.dot(dU, W.T) * slope(Q, Z)
        return np.dot(Z.T, dU) / N(X), np.dot(X.T, dQ) / N(X)

    return answer


def gradients_half_mean(X, Y, W, V):
    dW, dV = gradients_of()(X, Y, W, V)
    return dW, dV * len(X)


def gradients_paths(X, Y, W, V):
    N = len(X)
    Z = logistic(X @ V)
    dU = softmax(Z @ W) - Y
    dV = [(X.T @ (dU[:, [c]] * W[:, c] * Z * (1 - Z))) / N for c in range(W.shape[1])]
    return Z.T @ dU / N, np.array(dV)


def gradients_exchanged(X, Y, W, V):
    Z = logistic(X @ V)
    dU = softmax(Z @ W) - Y
    dQ = dU @ W.T * Z * (1 - Z)
    return X.T @ dU / len(X), Z.T @ dQ / len(X)


def gradients_turned(X, Y, W, V):
    Z = logistic(X @ V)
    dU = softmax(Z @ W) - Y
    return Z.T @ dU / len(X), X.T @ (dU @ W * Z * (1 - Z)) / len(X)


def gradients_transposed(X, Y, W, V):
    dW, dV = gradients_of()(X, Y, W, V)
    return dW.T, dV.T


def gradients_columns(X, Y, W, V):
    Z = logistic(X @ V)
    E = np.exp(Z @ W)
    dU = E / E.sum(0) - Y
    return Z.T @ dU / len(X), X.T @ (dU @ W.T * Z * (1 - Z)) / len(X)


def gradients_one_by_one(X, Y, W, V):
    dW, dV = np.zeros_like(W), np.zeros_like(V)
    for x, y in zip(X, Y, strict=True):
        z = logistic(V.T @ x)
        du = softmax(W.T @ z) - y
        dW += np.outer(z, du) / len(X)
        dV += np.outer(x, (W @ du) * z * (1 - z)) / len(X)
    return dW, dV


def steps(zero="neither", W="W", V="both", hundred="W", alike="alike"):
    words = zero, W, V, hundred, alike
    starts = "both zero", "W zero", "V zero", "both zero, 100 flowers", "alike"
    return lambda: dict(zip(starts, words, strict=True))


def descent_uphill(gradient, W, V, lr, steps):
    for _ in range(steps):
        dW, dV = gradient(W, V)
        W, V = W + lr * dW, V + lr * dV
    return W, V


def descent_in_turn(gradient, W, V, lr, steps):
    for _ in range(steps):
        dW, _ = gradient(W, V)
        W = W - lr * dW
        _, dV = gradient(W, V)
        V = V - lr * dV
    return W, V


def descent_W_alone(gradient, W, V, lr, steps):
    for _ in range(steps):
        dW, dV = gradient(W, V)
        W = W - lr * dW
    return W, V


def descent_no_rate(gradient, W, V, lr, steps):
    for _ in range(steps):
        dW, dV = gradient(W, V)
        W, V = W - dW, V - dV
    return W, V


def descent_too_many(gradient, W, V, lr, steps):
    t = 0
    while t <= steps:
        dW, dV = gradient(W, V)
        W, V = W - lr * dW, V - lr * dV
        t += 1
    return W, V


def descent_too_few(gradient, W, V, lr, steps):
    for _ in range(1, steps):
        dW, dV = gradient(W, V)
        W, V = W - lr * dW, V - lr * dV
    return W, V


def descent_start(gradient, W, V, lr, steps):
    dW, dV = gradient(W, V)
    for _ in range(steps):
        W, V = W - lr * dW, V - lr * dV
    return W, V


def descent_in_place(gradient, W, V, lr, steps):
    for _ in range(steps):
        dW, dV = gradient(W, V)
        W -= lr * dW
        V -= lr * dV
    return W, V


def descent_returns_in_the_loop(gradient, W, V, lr, steps):
    for _ in range(steps):
        dW, dV = gradient(W, V)
        W, V = W - lr * dW, V - lr * dV
        return W, V


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
            lambda W, V: gradients_of()(X, Y, W, V), W, V, lr, count
        )

    return answer


def train_shapes(X, Y):
    W, V = trained()(X, Y)
    return V, W


def cost_clipped(eps):
    def answer(X, Y, W, V):
        P = np.clip(softmax(scores(X, W, V)), eps, 1 - eps)
        return -np.sum(Y * np.log(P)) / len(X)

    return answer


def cost_small_number(X, Y, W, V):
    P = softmax(scores(X, W, V)) + 1e-10
    return -np.mean(np.sum(Y * np.log(P), axis=1))


def cost_losses(X, Y, W, V):
    U = scores(X, W, V)
    return logsumexp(U) - (U * Y).sum(1)


def gradients_exchange_places(X, Y, W, V):
    dW, dV = gradients_one_by_one(X, Y, W, V)
    return dV, dW


def gradients_many_questions(X, Y, W, V):
    Z = logistic(X @ V)
    dU = (logistic(Z @ W) - Y) / len(X)
    return Z.T @ dU, X.T @ (dU @ W.T * Z * (1 - Z))


def descent_stops(gradient, W, V, lr, steps):
    for _ in range(steps):
        dW, dV = gradient(W, V)
        if np.abs(dW).max() < 1e-7 and np.abs(dV).max() < 1e-7:
            break
        W, V = W - lr * dW, V - lr * dV
    return W, V


def descent_stops_after(gradient, W, V, lr, steps):
    for _ in range(steps):
        dW, dV = gradient(W, V)
        W, V = W - lr * dW, V - lr * dV
        if np.linalg.norm(dW) + np.linalg.norm(dV) < 1e-7:
            break
    return W, V


def descent_exchanged(gradient, W, V, lr, steps):
    return descent_on_copies(gradient, W, V, lr, steps)[::-1]


WRONG = {
    "cost": [
        (cost_sum, "1/N is missing"),
        (cost_sign, "the wrong sign"),
        (cost_all, "one logsumexp over all the flowers"),
        (cost_columns, "softmax down the columns"),
        (cost_classes, "averaged over the classes as well"),
        (cost_no_log, "the logarithm is missing"),
        (cost_no_labels, "the labels are left out"),
        (cost_by_softmax, "the logarithm of a probability that was rounded to 0"),
        (cost_overflowing, "exp overflows"),
        (cost_linear, "the activation is left out"),
        (cost_in_place, "it changes its input in place"),
        (cost_clipped(1e-15), "probabilities are cut off below"),
        (cost_clipped(1e-8), "probabilities are cut off below"),
        (cost_small_number, "probabilities are cut off below"),
        (cost_losses, "one loss a flower, not their mean"),
        (lambda *given: np.array([cost_one_by_one(*given)]), "in another shape"),
    ],
    "gradients": [
        (gradients_of(N=lambda X: 1), "1/N is missing"),
        (gradients_half_mean, "1/N is missing"),
        (gradients_of(error=lambda Yh, Y: Y - Yh), "the wrong sign"),
        (gradients_of(lambda Q, Z: 1), "the activation's slope is left out"),
        (gradients_of(lambda Q, Z: Q - Q**2), "used q where z belongs"),
        (
            gradients_of(lambda Q, Z: logistic(Z) * logistic(-Z)),
            "used z where q belongs",
        ),
        (gradients_of(lambda Q, Z: 1 - Z * Z), "the slope of tanh"),
        (gradients_paths, "forgot to sum over c"),
        (gradients_exchanged, "the inputs from below are exchanged"),
        (gradients_turned, "W is turned the wrong way"),
        (gradients_of(error=lambda Yh, Y: Y * Yh - Y), "the diagonal alone"),
        (
            gradients_of(error=lambda Yh, Y: -Y / Yh),
            "the derivative by yh, not by u",
        ),
        (gradients_columns, "softmax down the columns"),
        (gradients_transposed, "transposed"),
        (gradients_exchange_places, "in another order"),
        (gradients_of(lambda Q, Z: Z), "the function in place of its slope"),
        (
            gradients_of(error=lambda Yh, Y: (Yh - Y) / Y.shape[1]),
            "averaged over the classes as well",
        ),
        (
            gradients_of(error=lambda Yh, Y: (Yh - Y) * (Yh - Yh**2)),
            "the output's slope once too often",
        ),
        (gradients_many_questions, "the logistic function in the place of softmax"),
    ],
    "first_step": [
        (steps(zero="W"), "each flower's error is taken for their mean"),
        (steps(zero="both"), "a flat place is taken for a slope"),
        (steps(W="both"), "an error comes down through W = 0"),
        (steps(W="V"), "the two matrices are exchanged"),
        (steps(V="V"), "W is taken to stand still"),
        (steps(V="W"), "a zero matrix is taken for one that can't move"),
        (steps(hundred="neither"), "z is taken for zero where q is"),
        (steps(alike="different"), "a flat place is taken for a slope"),
        (steps(alike=...), "not finished"),
    ],
    "descent": [
        (descent_uphill, "uphill"),
        (descent_in_turn, "V's gradient is taken after W has moved"),
        (descent_W_alone, "one of the two never moves"),
        (descent_no_rate, "the learning rate is left out"),
        (descent_too_many, "a step too many"),
        (descent_too_few, "a step too few"),
        (descent_start, "the gradient of the start, at every step"),
        (descent_in_place, "it changes its input in place"),
        (descent_returns_in_the_loop, "one step, whatever `steps` says"),
        (descent_stops, "it stops where the gradient is small"),
        (descent_stops_after, "it stops where the gradient is small"),
        (descent_exchanged, "in another order"),
    ],
    "train_iris": [
        (trained(scale=0), "it has not left the saddle"),
        (trained(lr=0.01, count=300), "it has not left the saddle"),
        (trained(scale=1, lr=-0.1), "it is worse than knowing nothing"),
        (trained(lr=0.1), "it stops too early"),
        (trained(lr=1, count=80), "it stops too early"),
        (train_shapes, "W and V do not fit"),
        (trained(scale=2, count=0), "it is worse than knowing nothing"),
    ],
}

RIGHT = {
    "cost": [cost_one_by_one],
    "gradients": [gradients_one_by_one],
    "first_step": [steps(zero=" Neither ")],
    "descent": [descent_on_copies],
    "train_iris": [trained(), trained(scale=0.5, lr=2, count=300, M=5)],
}

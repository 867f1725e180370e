"""What students hand in for lecture 04: wrong answers by their mistake, and right ones."""

import numpy as np

from comp551ad import logistic, relu, softmax


def slopes(logistic="z * (1 - z)", tanh="1 - z**2", softplus="1 - exp(-z)"):
    return lambda: {"logistic": logistic, "tanh": tanh, "softplus": softplus}


def back_bias_rows(dU, W, Z):
    return np.dot(dU.T, Z), dU * 1, np.dot(dU, W)


def back_bias_mean(dU, W, Z):
    return dU.T @ Z, np.mean(dU, 0), dU @ W


def back_bias_axis(dU, W, Z):
    return dU.T @ Z, np.sum(dU, 1), dU @ W


def back_bias_ones(dU, W, Z):
    return dU.T @ Z, np.ones(dU.shape[1]), dU @ W


def back_turned(dU, W, Z):
    return dU.T @ Z, dU.sum(0), np.dot(dU, W.T)


def back_transposed(dU, W, Z):
    return Z.T @ dU, dU.sum(0), (W.T @ dU.T)


def back_mean(dU, W, Z):
    N = len(dU)
    return dU.T @ Z / N, dU.sum(0) / N, dU @ W / N


def back_in_place(dU, W, Z):
    Z *= 2
    return dU.T @ Z / 2, dU.sum(0), dU @ W


def back_by_einsum(dU, W, Z):
    dW = np.einsum("nc,nm->cm", dU, Z)
    return dW, np.einsum("nc->c", dU), np.einsum("nc,cm->nm", dU, W)


H = {"logistic": logistic, "tanh": np.tanh, "relu": relu}


def slope_of(activation, Q, Z):
    if activation == "logistic":
        return Z * (1 - Z)
    return 1 - Z * Z if activation == "tanh" else (Q > 0) * 1


def with_slope(slope=slope_of):
    def answer(X, Y, W, V, activation):
        Q = np.dot(X, V.T)
        Z = H[activation](Q)
        dU = softmax(np.dot(Z, W.T)) - Y
        return np.dot((np.dot(dU, W) * slope(activation, Q, Z)).T, X)

    return answer


def q_for_z(activation, Q, Z):
    return slope_of(activation, Q, Q)


def h_again(activation, Q, Z):
    if activation == "logistic":
        return logistic(Z) * logistic(-Z)
    return 1 - np.tanh(Z) ** 2 if activation == "tanh" else Z > 0


def one_minus_tanh(activation, Q, Z):
    return 1 - Z if activation == "tanh" else slope_of(activation, Q, Z)


def logistic_always(activation, Q, Z):
    return Z - Z**2


def wrong_side(activation, Q, Z):
    return Q < 0 if activation == "relu" else slope_of(activation, Q, Z)


def one_at_zero(activation, Q, Z):
    return np.heaviside(Q, 1.0) if activation == "relu" else slope_of(activation, Q, Z)


def relu_itself(activation, Q, Z):
    return np.maximum(Q, 0) if activation == "relu" else slope_of(activation, Q, Z)


def no_slope(activation, Q, Z):
    return 1


def V_by_paths(X, Y, W, V, activation):
    Q = X @ V.T
    Z = H[activation](Q)
    dU = softmax(Z @ W.T) - Y
    paths = dU[:, :, None] * W * slope_of(activation, Q, Z)[:, None, :]  # N x C x M
    return np.tensordot(paths, X, (0, 0))  # C x M x D


def V_hidden(X, Y, W, V, activation):
    Q = X @ V.T
    Z = H[activation](Q)
    dQ = (softmax(Z @ W.T) - Y) @ W * slope_of(activation, Q, Z)
    return dQ.T @ Z


def V_turned(X, Y, W, V, activation):
    Q = X @ V.T
    Z = H[activation](Q)
    dQ = (softmax(Z @ W.T) - Y) @ W.T * slope_of(activation, Q, Z)
    return dQ.T @ X


def V_deck(X, Y, W, V, activation):
    return with_slope()(X, Y, W, V, activation).T


def V_sign(X, Y, W, V, activation):
    return -with_slope()(X, Y, W, V, activation)


def V_mean(X, Y, W, V, activation):
    return with_slope()(X, Y, W, V, activation) / X.shape[0]


def V_one_by_one(X, Y, W, V, activation):
    dV = np.zeros_like(V)
    for x, y in zip(X, Y, strict=True):
        q = V @ x
        z = H[activation](q)
        dq = W.T @ (softmax(W @ z) - y) * slope_of(activation, q, z)
        dV += np.outer(dq, x)
    return dV


def biased(X, Y, W, V, drop="last", slope=np.sign, ones_below=True, ones_above=True):
    one = np.ones((X.shape[0], 1))
    X1 = np.hstack([X, one])
    Z = relu(X1 @ V.T)
    Z1 = np.hstack([Z, one])
    dU = softmax(Z1 @ W.T) - Y
    dZ = dU @ W
    if drop == "last":
        dQ = dZ[:, :-1] * slope(Z)
    elif drop == "first":
        dQ = dZ[:, 1:] * slope(Z)
    else:
        dQ = dZ * slope(Z1)
    return dU.T @ (Z1 if ones_above else Z), dQ.T @ (X1 if ones_below else X)


def bug(X, Y, W, V):
    return biased(X, Y, W, V, drop="first")


def not_dropped(X, Y, W, V):
    return biased(X, Y, W, V, drop="nothing")


def no_hidden_bias(X, Y, W, V):
    return biased(X, Y, W, V, ones_below=False)


def no_output_bias(X, Y, W, V):
    return biased(X, Y, W, V, ones_above=False)


def other_side(X, Y, W, V):
    X1 = np.column_stack([X, np.ones(len(X))])
    Q = X1 @ V.T
    Z1 = np.column_stack([relu(Q), np.ones(len(X))])
    dU = softmax(Z1 @ W.T) - Y
    return dU.T @ Z1, ((dU @ W)[:, :-1] * (Q < 0)).T @ X1


def no_relu_slope(X, Y, W, V):
    return biased(X, Y, W, V, slope=np.ones_like)


def deck_shapes(X, Y, W, V):
    dW, dV = biased(X, Y, W, V)
    return dW.T, dV.T


def without_bias_weights(X, Y, W, V):
    one = np.ones((len(X), 1))
    X1 = np.hstack([X, one])
    W = W[:, :-1]
    Z = relu(X1 @ V.T)
    dU = softmax(Z @ W.T) - Y
    return dU.T @ np.hstack([Z, one]), (dU @ W * (Z > 0)).T @ X1


def biased_in_parts(X, Y, W, V):
    A, a, B, b = W[:, :-1], W[:, -1], V[:, :-1], V[:, -1]
    Q = X @ B.T + b
    dU = softmax(relu(Q) @ A.T + a) - Y
    dQ = dU @ A * (Q > 0)
    dW = np.column_stack([dU.T @ relu(Q), dU.sum(0)])
    return dW, np.column_stack([dQ.T @ X, dQ.sum(0)])


def back_slope(dU, W, Z):
    return dU.T @ Z, dU.sum(0), dU @ W * (Z - Z**2)


def back_one_number(dU, W, Z):
    return dU.T @ Z, np.sum(dU), dU @ W


def back_as_listed(dU, W, Z):
    return dU.T @ Z, dU @ W, dU.sum(0)


def back_row(dU, W, Z):
    return dU.T @ Z, dU.sum(0, keepdims=True), dU @ W


def V_with(h, head=softmax):
    def answer(X, Y, W, V, activation):
        Q = X @ V.T
        dU = head(h(Q) @ W.T) - Y
        return (dU @ W * slope_of(activation, Q, H[activation](Q))).T @ X

    return answer


def V_head(head):
    def answer(X, Y, W, V, activation):
        return V_with(H[activation], head)(X, Y, W, V, activation)

    return answer


def value_itself(activation, Q, Z):
    return slope_of("relu", Q, Z) if activation == "relu" else Z


def ones_first(X, Y, W, V):
    X1 = np.column_stack([np.ones(len(X)), X])
    Z1 = np.column_stack([np.ones(len(X)), np.maximum(X1 @ V.T, 0)])
    dU = softmax(Z1 @ W.T) - Y
    dQ = (dU @ W)[:, 1:] * (Z1[:, 1:] > 0)
    return dU.T @ Z1, dQ.T @ X1


def exchanged(X, Y, W, V):
    dW, dV = biased_in_parts(X, Y, W, V)
    return dV, dW


def bias_mean(X, Y, W, V):
    dW, dV = biased_in_parts(X, Y, W, V)
    return dW / len(X), dV / len(X)


WRONG = {
    "slopes_from_z": [
        (slopes(logistic="logistic(z)*(1-logistic(z))"), "used z where q belongs"),
        (slopes(tanh="1 - tanh(z)**2"), "used z where q belongs"),
        (slopes(softplus="exp(z) / (1 + exp(z))"), "used z where q belongs"),
        (slopes(tanh="1 - z"), "derivative of tanh as 1 - tanh"),
        (slopes(tanh="z - z**2"), "another activation's rule"),
        (slopes(tanh="1 + z**2"), "a plus for the minus"),
        (slopes(logistic="z * (z - 1)"), "the wrong sign"),
        (slopes(softplus="exp(-z)"), "the minus of 1 - exp is left out"),
        (slopes(softplus="1 - exp(z)"), "the exponent's sign"),
        (slopes(softplus="exp(z) - 1"), "the denominator is left out"),
        (slopes(logistic="z"), "the function in place of its slope"),
        (slopes(softplus="1 - exp(-q)"), "it raises ValueError"),
    ],
    "layer_back": [
        (back_bias_rows, "the bias is not added up over the instances"),
        (back_bias_mean, "averaged over the instances"),
        (back_bias_axis, "added up over the outputs, not over the instances"),
        (back_bias_ones, "the slope of the bias without the error from above"),
        (back_turned, "W is turned the wrong way"),
        (back_transposed, "transposed"),
        (back_mean, "averaged over the instances"),
        (back_in_place, "it changes its input in place"),
        (back_slope, "an activation's slope is multiplied in"),
        (back_one_number, "added up over everything"),
        (back_as_listed, "in another order"),
        (back_row, "in another shape"),
    ],
    "grad_V": [
        (with_slope(q_for_z), "used q where z belongs"),
        (with_slope(h_again), "used z where q belongs"),
        (with_slope(one_minus_tanh), "derivative of tanh as 1 - tanh"),
        (with_slope(logistic_always), "the logistic function's slope for all"),
        (with_slope(wrong_side), "ReLU's derivative at the wrong side"),
        (with_slope(one_at_zero), "ReLU's derivative 1 at zero"),
        (with_slope(relu_itself), "ReLU itself for its derivative"),
        (with_slope(no_slope), "the activation's slope is left out"),
        (V_by_paths, "forgot to sum over c"),
        (V_hidden, "Z where X belongs"),
        (V_turned, "W is turned the wrong way"),
        (V_deck, "transposed"),
        (V_sign, "the wrong sign"),
        (V_mean, "divided by N"),
        (V_with(logistic), "the logistic function for all"),
        (V_with(lambda Q: Q), "the activation is left out on the way up"),
        (V_head(lambda U: U), "softmax is left out"),
        (V_head(logistic), "the logistic function in the place of softmax"),
        (with_slope(value_itself), "the function in place of its slope"),
    ],
    "biased_gradients": [
        (bug, "the first unit is dropped, not the constant one"),
        (not_dropped, "the bias row is not dropped"),
        (no_hidden_bias, "the bias of the hidden layer has no gradient"),
        (no_output_bias, "the bias of the output layer has no gradient"),
        (other_side, "ReLU's derivative at the wrong side"),
        (no_relu_slope, "the activation's slope is left out"),
        (deck_shapes, "transposed"),
        (without_bias_weights, "the bias row is dropped from W on the way up"),
        (ones_first, "the ones stand in front"),
        (exchanged, "in another order"),
        (bias_mean, "divided by N"),
        (lambda *a: biased(*a, slope=relu), "ReLU itself for its derivative"),
    ],
}

RIGHT = {
    "slopes_from_z": [slopes("z - z**2", "(1 - z)*(1 + z)", "(exp(z) - 1) / exp(z)")],
    "layer_back": [back_by_einsum],
    "grad_V": [V_one_by_one],
    "biased_gradients": [biased_in_parts],
}

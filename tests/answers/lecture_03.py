"""What students hand in for lecture 03: wrong answers by their mistake, and right ones."""

import numpy as np

from comp551ad import logistic, softmax


def derivation(
    L="-y * log(yh) - (1 - y) * log(1 - yh)",
    dL_dyh="-y / yh + (1 - y) / (1 - yh)",
    dyh_du="yh * (1 - yh)",
    dL_du="yh - y",
):
    return lambda: {"L": L, "dL/dyh": dL_dyh, "dyh/du": dyh_du, "dL/du": dL_du}


def head_signs(head, U, Y):
    if head == "regression":
        return Y - U
    return U * 0 + Y - (logistic(U) if head == "binary" else softmax(U))


def head_forgotten(head, U, Y):
    return U - Y


def head_logistic(head, U, Y):
    return (U if head == "regression" else logistic(U)) - Y


def head_softmax(head, U, Y):
    return (U if head == "regression" else softmax(U)) - Y


def of_heads(multiclass):
    def answer(head, U, Y):
        if head == "regression":
            return U - Y
        if head == "binary":
            return logistic(U) - Y
        return multiclass(U, Y)

    return answer


def all_numbers(U, Y):
    E = np.exp(U - U.max())
    return E / E.sum() - Y


def columns(U, Y):
    E = np.exp(U - U.max(axis=0))
    return E / E.sum(axis=0) - Y


def overflowing(U, Y):
    with np.errstate(all="ignore"):
        E = np.exp(U)
        return E / E.sum(axis=1, keepdims=True) - Y


def diagonal(U, Y):
    Yh = softmax(U)
    return Y * Yh - Y


def slope_again(U, Y):
    Yh = softmax(U)
    return (Yh - Y) * (Yh - Yh**2)


def rows_averaged(U, Y):
    return (softmax(U) - Y) / U.shape[0]


def twice_regression(head, U, Y):
    if head == "regression":
        return 2 * (U - Y)
    return of_heads(lambda U, Y: softmax(U) - Y)(head, U, Y)


def head_by_loops(head, U, Y):
    rows = []
    for u, y in zip(U, Y, strict=True):
        if head == "multiclass":
            e = np.exp(u - max(u))
            u = e / sum(e)
        rows.append((logistic(u) if head == "binary" else u) - y)
    return rows


def square_by_factors(u, y):
    yh = softmax(u)
    return (yh - y) * yh * (1 - yh)


def square_plus(u, y):
    p = softmax(u)
    G = np.outer(p, p)
    for c in range(len(p)):
        G[c, c] = p[c] * (1 - p[c])
    return G @ (p - y)


def square_others(u, y):
    p = softmax(u)
    return np.array(
        [
            -sum((p[k] - y[k]) * p[k] * p[c] for k in range(len(u)) if k != c)
            for c in range(len(u))
        ]
    )


def square_cross_entropy(u, y):
    return softmax(u) - y


def square_table(u, y):
    p = softmax(u)
    return np.diag(p - y) @ (np.diag(p) - np.outer(p, p))


def square_sign(u, y):
    p = softmax(u)
    return (np.diag(p) - np.outer(p, p)) @ (y - p)


def square_doubled(u, y):
    p = softmax(u)
    return 2 * (np.diag(p) - np.outer(p, p)) @ (p - y)


def square_jacobian(u, y):
    p = softmax(u)
    return np.diag(p) - np.outer(p, p)


def square_short(u, y):
    p = softmax(u)
    return p * (p - y - p @ (p - y))


def up(X, W, V):
    Z = logistic(X @ V.T)
    return Z, softmax(Z @ W.T)


def W_deck(X, Y, W, V):
    Z, Yh = up(X, W, V)
    return np.dot(Z.T, Yh - Y)


def W_mean(X, Y, W, V):
    Z, Yh = up(X, W, V)
    return np.dot((Yh - Y).T, Z) / X.shape[0]


def W_sign(X, Y, W, V):
    Z, Yh = up(X, W, V)
    return (Y - Yh).T @ Z


def W_inputs(X, Y, W, V):
    _, Yh = up(X, W, V)
    return (Yh - Y).T @ X


def W_sums(X, Y, W, V):
    _, Yh = up(X, W, V)
    return (Yh - Y).T @ (X @ V.T)


def W_by_yh(X, Y, W, V):
    Z, Yh = up(X, W, V)
    return -(Y / Yh).T @ Z


def W_diagonal(X, Y, W, V):
    Z, Yh = up(X, W, V)
    dU = -(Y / Yh) * Yh * (1 - Yh)
    return dU.T @ Z


def W_last(X, Y, W, V):
    for x, y in zip(X, Y, strict=True):
        z = logistic(V @ x)
        dW = np.outer(softmax(W @ z) - y, z)
    return dW


def W_axis(X, Y, W, V):
    Z = logistic(X @ V.T)
    E = np.exp(Z @ W.T)
    return (E / np.sum(E, 0) - Y).T @ Z


def W_in_place(X, Y, W, V):
    Z, Yh = up(X, W, V)
    Y -= Yh
    return -Y.T @ Z


def W_untransposed(X, Y, W, V):
    Z = logistic(X @ V)
    return (softmax(Z @ W) - Y).T @ Z


def W_one_by_one(X, Y, W, V):
    dW = np.zeros(W.shape)
    for x, y in zip(X, Y, strict=True):
        z = 1 / (1 + np.exp(-V @ x))
        dW += (softmax(W @ z) - y)[:, None] * z
    return dW


def head_exploding(head, U, Y):
    if head == "binary":
        with np.errstate(all="ignore"):
            return np.exp(U) / (1 + np.exp(U)) - Y
    return of_heads(lambda U, Y: softmax(U) - Y)(head, U, Y)


def one_maximum(U, Y):
    E = np.exp(U - np.max(U))
    with np.errstate(all="ignore"):
        return E / E.sum(axis=1, keepdims=True) - Y


def head_added(head, U, Y):
    return np.sum(of_heads(lambda U, Y: softmax(U) - Y)(head, U, Y), axis=0)


def square_product(u, y):
    p = softmax(u)
    return (np.diag(p) - p @ p.T) @ (p - y)


def square_denominator(u, y):
    p = softmax(u)
    return -p * np.sum(p * (p - y))


def square_no_factor(u, y):
    e = softmax(u) - y
    return e - e @ softmax(u)


def W_first(X, Y, W, V):
    return W_one_by_one(X[:1], Y[:1], W, V)


def W_linear(X, Y, W, V):
    Z = X @ V.T
    return (softmax(Z @ W.T) - Y).T @ Z


def with_output(head):
    def answer(X, Y, W, V):
        Z = logistic(X @ V.T)
        return (head(Z @ W.T) - Y).T @ Z

    return answer


def W_slope(X, Y, W, V):
    Z = logistic(X @ V.T)
    return (softmax(Z @ W.T) - Y).T @ (Z * (1 - Z))


def W_output_slope(X, Y, W, V):
    Z = logistic(X @ V.T)
    P = softmax(Z @ W.T)
    return ((P - Y) * P * (1 - P)).T @ Z


WRONG = {
    "binary_derivation": [
        (derivation(L="y * log(yh) + (1 - y) * log(1 - yh)"), "the slide's sign"),
        (derivation(dL_dyh="y/yh - (1-y)/(1-yh)"), "the slide's sign"),
        (derivation(L="-log(yh) * y"), "the other class is left out"),
        (
            derivation(dL_dyh="-y/yh - (1-y)/(1-yh)"),
            "the inner minus of 1 - yh is lost",
        ),
        (derivation(dyh_du="yh**2 - yh"), "the inner derivative of -u is lost"),
        (derivation(dyh_du="u - u**2"), "used u where yh belongs"),
        (
            derivation(dyh_du="exp(-u) / (1 + exp(-u))"),
            "the square of the quotient rule is lost",
        ),
        (derivation(dL_du="y - yh"), "the wrong sign"),
        (derivation(dL_du="(yh - y) / (yh * (1 - yh))"), "a factor is missing"),
        (derivation(dL_du="(yh - y) * (yh - yh**2)"), "a factor too many"),
        (derivation(dL_du=...), "not finished"),
        (
            derivation(L="-y * log(yh) + (1 - y) * log(1 - yh)"),
            "the minus reaches the first term alone",
        ),
        (derivation(dL_dyh="yh - y"), "the derivative by u in place of that by yh"),
    ],
    "head_error": [
        (head_signs, "the wrong sign"),
        (head_forgotten, "the head is left out"),
        (head_logistic, "the logistic function in the place of softmax"),
        (head_softmax, "softmax in the place of the logistic function"),
        (of_heads(all_numbers), "softmax over all the numbers"),
        (of_heads(columns), "softmax down the columns"),
        (of_heads(overflowing), "softmax overflows"),
        (of_heads(diagonal), "the diagonal alone"),
        (of_heads(slope_again), "the output's slope once too often"),
        (of_heads(rows_averaged), "divided by N"),
        (twice_regression, "off by the factor 2"),
        (head_exploding, "the logistic function overflows"),
        (of_heads(one_maximum), "one largest score for all rows"),
        (head_added, "added up over the instances"),
    ],
    "softmax_half_square": [
        (square_by_factors, "the diagonal alone"),
        (square_plus, "a plus off the diagonal"),
        (square_others, "off the diagonal alone"),
        (square_cross_entropy, "cross-entropy's error"),
        (square_table, "not added up over the outputs"),
        (square_sign, "the wrong sign"),
        (square_doubled, "off by the factor 2"),
        (square_jacobian, "the loss's slope is left out"),
        (square_product, "a number where p_c p_k is due"),
        (square_denominator, "the numerator is held still"),
        (square_no_factor, "p_c in front is left out"),
    ],
    "grad_W": [
        (W_deck, "transposed"),
        (W_mean, "divided by N"),
        (W_sign, "the wrong sign"),
        (W_inputs, "X where Z belongs"),
        (W_sums, "used q where z belongs"),
        (W_by_yh, "the derivative by yh, not by u"),
        (W_diagonal, "the diagonal alone"),
        (W_last, "one instance alone"),
        (W_axis, "softmax down the columns"),
        (W_in_place, "it changes its input in place"),
        (W_untransposed, None),
        (W_first, "one instance alone"),
        (W_linear, "the activation is left out"),
        (with_output(lambda U: U), "softmax is left out"),
        (with_output(logistic), "the logistic function in the place of softmax"),
        (W_slope, "the hidden units' slope is multiplied in"),
        (W_output_slope, "the output's slope once too often"),
    ],
}

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

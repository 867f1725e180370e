"""What students hand in for lecture 09: wrong answers by their mistake, and right ones."""

import numpy as np

from comp551ad import softmax


def swing(**changed):
    right = dict(b1="a2*b3", b2="a1*b3 + a4*b5 - b6*sin(a2)", b3="b4*cos(a3)")
    right |= dict(b4="a2*b5", b5="b7", b6="-b7", b7=1)
    return lambda: right | changed


def tied_bug(X, V):
    Z = np.tanh(X @ V)
    dR = (Z @ V.T - X) / len(X)
    dV = dR.T @ Z
    dQ = dR @ V * (1 - Z**2)
    dV = X.T @ dQ
    return dV


def tied(X, V, N=None, slope=lambda Z: 1 - Z**2):
    Z = np.tanh(X @ V)
    dR = (Z @ V.T - X) / (N or len(X))
    return dR.T @ Z, X.T @ (dR @ V * slope(Z))


def tied_decoder(X, V):
    dV, _ = tied(X, V)
    return dV


def tied_minus(X, V):
    first, second = tied(X, V)
    return second - first


def tied_mean(X, V):
    return np.mean(tied(X, V), axis=0)


def tied_tanh(X, V):
    return sum(tied(X, V, slope=lambda Z: 1 - Z))


def tied_linear(X, V):
    return sum(tied(X, V, slope=lambda Z: 1))


def tied_summed(X, V):
    return sum(tied(X, V, N=1))


def tied_transposed(X, V):
    return sum(tied(X, V)).T


def tied_doubled(X, V):
    return 2 * sum(tied(X, V))


def tied_by_rows(X, V):
    dV = np.zeros_like(V)
    for x in X:
        z = np.tanh(x @ V)
        r = (V @ z - x) / len(X)
        dV += np.outer(r, z) + np.outer(x, (r @ V) * (1 - z * z))
    return dV


SLOPES = {
    "input": lambda: (),
    "add": lambda a, b: (1.0, 1.0),
    "subtract": lambda a, b: (1.0, -1.0),
    "multiply": lambda a, b: (b, a),
    "sin": lambda a: (np.cos(a),),
    "exp": lambda a: (np.exp(a),),
}


def slopes_of(row, a):
    name, *operands = row
    return list(zip(operands, SLOPES[name](*[a[j - 1] for j in operands]), strict=True))


def down_overwritten(rows, a, of):
    bar = [0.0] * len(rows)
    bar[of - 1] = 1.0
    for i in reversed(range(len(rows))):
        for j, slope in slopes_of(rows[i], a):
            bar[j - 1] = bar[i] * slope
    return bar


def down_from_the_first(rows, a, of):
    bar = np.zeros(len(rows))
    bar[of - 1] = 1.0
    for i in range(len(rows)):
        for j, slope in slopes_of(rows[i], a):
            bar[j - 1] += bar[i] * slope
    return bar


def down_off_by_one(rows, a, of):
    bar = [0.0] * len(rows)
    bar[of - 1] = 1.0
    for i in reversed(range(len(rows))):
        name, *operands = rows[i]
        slopes = SLOPES[name](*[a[j] for j in operands])
        for j, slope in zip(operands, slopes, strict=True):
            bar[j - 1] += bar[i] * slope
    return bar


def down_at_the_result(rows, a, of):
    bar = [0.0] * len(rows)
    bar[of - 1] = 1.0
    for i in reversed(range(len(rows))):
        name, *operands = rows[i]
        for j, slope in zip(
            operands, SLOPES[name](*[a[i]] * len(operands)), strict=True
        ):
            bar[j - 1] += bar[i] * slope
    return bar


def down_right(rows, a, of):
    bar = [0.0] * len(rows)
    bar[of - 1] = 1.0
    for i in reversed(range(of)):
        for j, slope in slopes_of(rows[i], a):
            bar[j - 1] += bar[i] * slope
    return bar


def down_from_the_last(rows, a, of):
    return down_right(rows, a, len(rows))


def down_unseeded(rows, a, of):
    bar = [0.0] * len(rows)
    for i in reversed(range(len(rows))):
        for j, slope in slopes_of(rows[i], a):
            bar[j - 1] += bar[i] * slope
    return bar


def down_without_adjoint(rows, a, of):
    bar = [0.0] * len(rows)
    bar[of - 1] = 1.0
    for i in reversed(range(len(rows))):
        for j, slope in slopes_of(rows[i], a):
            bar[j - 1] += slope
    return bar


def down_with_dict(rows, a, of):
    bar = {k: 0.0 for k in range(1, len(rows) + 1)} | {of: 1.0}
    for i in sorted(bar, reverse=True):
        for j, slope in slopes_of(rows[i - 1], a):
            bar[j] = bar[j] + bar[i] * slope
    return tuple(bar.values())


def back_softmax(U, G):
    P = softmax(U)
    return P * (G - np.sum(P * G, axis=1)[:, None])


def back_logsumexp(U, g):
    return softmax(U) * g.reshape(-1, 1)


def pair(first=back_softmax, second=back_logsumexp):
    return lambda U, G, g: (first(U, G), second(U, g))


def back_naive(U, G, g):
    with np.errstate(all="ignore"):
        E = np.exp(U)
        P = E / E.sum(axis=1, keepdims=True)
        return P * (G - np.sum(P * G, axis=1, keepdims=True)), P * g[:, None]


def back_diagonal(U, G):
    P = softmax(U)
    return G * (P - P**2)


def back_total(U, G):
    P = softmax(U)
    return P * (G - (P * G).sum())


def back_columns(U, G):
    P = softmax(U)
    return P * G - P * (P * G).sum(0)


def back_unweighted(U, G):
    return softmax(U) * (G - G.sum(1)[:, None])


def back_without_p(U, G):
    return G - (softmax(U) * G).sum(1)[:, None]


def back_unnormalised(U, g):
    with np.errstate(all="ignore"):
        return np.exp(U) * g[:, None]


def back_columnwise(U, g):
    return softmax(U.T).T * g[:, None]


def back_without_g(U, g):
    return softmax(U)


def back_flat(U, g):
    return softmax(U) * g


def back_by_rows(U, G, g):
    P = [softmax(u) for u in U]
    first = [(np.diag(p) - np.outer(p, p)) @ row for p, row in zip(P, G, strict=True)]
    return np.array(first), np.array([p * s for p, s in zip(P, g, strict=True)])


def ones_of(shape):
    return tuple(k for k, n in enumerate(shape) if n == 1)


def undone(g, shape):
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for k in ones_of(shape):
        g = g.sum(axis=k, keepdims=True)
    return g


def undone_by_mean(g, shape):
    while g.ndim > len(shape):
        g = g.mean(axis=0)
    for k in ones_of(shape):
        g = g.mean(axis=k, keepdims=True)
    return g


def undone_first(g, shape):
    while g.ndim > len(shape):
        g = g[0]
    for k in ones_of(shape):
        g = np.take(g, [0], axis=k)
    return g


def undone_in_front(g, shape):
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    return g


def undone_where_one(g, shape):
    front = g.ndim - len(shape)
    for k in ones_of(shape):
        g = g.sum(axis=front + k, keepdims=True)
    return g


def undone_and_lost(g, shape):
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    return g.sum(axis=ones_of(shape))


def undone_not(g, shape):
    return g


def undone_wholly(g, shape):
    return np.full(shape, g.sum())


def undone_from_behind(g, shape):
    while g.ndim > len(shape):
        g = g.sum(axis=-1)
    for k in ones_of(shape):
        g = g.sum(axis=k, keepdims=True)
    return g


def jvp_right(t, y, x):
    return np.cumsum(2 * x * t)


def vjp_right(g, y, x):
    return 2 * x * np.flip(np.cumsum(np.flip(g)))


def rules(jvp=jvp_right, vjp=vjp_right):
    return lambda: (jvp, vjp)


def unfinished(g, y, x):
    raise NotImplementedError()


def vjp_in_place(g, y, x):
    g *= 2 * x
    return g


def by_matrix():
    def table(x):
        return np.tril(np.ones((len(x), len(x)))) * (2 * x)

    return [lambda t, y, x: table(x) @ t, lambda g, y, x: table(x).T @ g]


WRONG = {
    "adjoints_of_the_swing": [
        (swing(b2="a1*b3"), "a use of a2 is left out"),
        (swing(b2="a4*b5 + a1*b3"), "a use of a2 is left out"),
        (swing(b2="-b6*sin(a2)"), "a use of a2 is left out"),
        (swing(b2="a1*b3 + a4*b5 + sin(a2)*b6"), "derivative of cos as + sin"),
        (swing(b6="b7"), "the difference became a sum"),
        (swing(b4="a4*b5"), "its own value where the other factor is due"),
        (swing(b1="a2"), "the slope without the adjoint from above"),
        (swing(b3="b4*cos(a4)"), "the slope is taken at the result"),
        (swing(b7="a7"), "the adjoints are seeded with the value"),
    ],
    "tied_gradient": [
        (tied_bug, "overwrote instead of added at the fork"),
        (tied_decoder, "the way through Q is left out"),
        (tied_minus, "one share is taken from the other, and the wrong sign"),
        (tied_mean, "the mean of the two shares"),
        (tied_tanh, "derivative of tanh as 1 - tanh"),
        (tied_linear, "the derivative of tanh is missing"),
        (tied_summed, "1/N is missing"),
        (tied_transposed, "transposed"),
        (tied_doubled, "off by the factor 2"),
    ],
    "adjoints_downwards": [
        (down_overwritten, "overwrote instead of added at a fork"),
        (down_from_the_first, "walked from the first row on"),
        (down_off_by_one, "the values of the rows after"),
        (down_at_the_result, "the slope is taken at the result"),
        (down_from_the_last, "the last row is seeded, whatever was asked for"),
        (down_unseeded, "the seed is missing"),
        (down_without_adjoint, "the adjoint from above is left out"),
    ],
    "rowwise_vjps": [
        (back_naive, "the exponential overflows"),
        (pair(back_diagonal), "the diagonal alone"),
        (pair(back_total), "the sum over everything"),
        (pair(back_columns), "the sum over the wrong axis"),
        (pair(back_unweighted), "P is missing in the sum"),
        (pair(back_without_p), "the factor P is missing"),
        (pair(second=back_unnormalised), "not normalised"),
        (pair(second=back_columnwise), "softmax down the columns"),
        (pair(second=back_without_g), "the adjoint g is left out"),
        (pair(second=back_flat), "g along the columns"),
        (lambda U, G, g: -back_softmax(U, G), "another kind of value"),
    ],
    "undo_broadcasting": [
        (undone_by_mean, "the mean instead of the sum"),
        (undone_first, "the share of one copy alone"),
        (undone_in_front, "new axes alone"),
        (undone_where_one, "stretched axes alone"),
        (undone_and_lost, "the axes of length 1 got lost"),
        (undone_not, "nothing is undone"),
        (undone_wholly, "summed over everything"),
        (undone_from_behind, "right for some inputs only"),
    ],
    "running_energy_rules": [
        (
            rules(vjp=lambda g, y, x: np.cumsum(g) * 2 * x),
            "the way back sums in the forward direction",
        ),
        (
            rules(vjp=lambda g, y, x: 2 * x * (g.sum() - np.cumsum(g))),
            "the sum begins one too late",
        ),
        (
            rules(vjp=lambda g, y, x: np.cumsum((2 * x * g)[::-1])[::-1]),
            "the slope 2x has slipped inside the sum",
        ),
        (rules(vjp=lambda g, y, x: g * 2 * x), "the sum over the users is missing"),
        (rules(vjp=lambda g, y, x: sum(g) * 2 * x), "every y uses every x"),
        (rules(jvp=lambda t, y, x: 2 * x * t), "the running sum is missing"),
        (
            rules(jvp=lambda t, y, x: 2 * x * np.cumsum(t)),
            "the slope 2x stands outside of the sum",
        ),
        (rules(jvp=lambda t, y, x: np.cumsum(x * t)), "off by the factor 0.5"),
        (rules(vjp=unfinished), "not finished"),
        (rules(vjp=vjp_in_place), "it changes its input in place"),
    ],
}

RIGHT = {
    "adjoints_of_the_swing": [
        swing(b5=1, b6=-1, b4="x", b2="w*b3 + a4 + sin(x)", b1="x*b3"),
    ],
    "tied_gradient": [tied_by_rows],
    "adjoints_downwards": [down_right, down_with_dict],
    "rowwise_vjps": [pair(), back_by_rows],
    "undo_broadcasting": [undone],
    "running_energy_rules": [rules(), by_matrix],
}

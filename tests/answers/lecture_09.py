"""Students' answers for lecture 09: right answers in other styles, and some wrong ones."""

import numpy as np

from comp551ad import softmax


def swing(**changed):
    right = dict(b1="a2*b3", b2="a1*b3 + a4*b5 - b6*sin(a2)", b3="b4*cos(a3)")
    right |= dict(b4="a2*b5", b5="b7", b6="-b7", b7=1)
    return lambda: right | changed


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


def down_with_dict(rows, a, of):
    bar = {k: 0.0 for k in range(1, len(rows) + 1)} | {of: 1.0}
    for i in sorted(bar, reverse=True):
        for j, slope in slopes_of(rows[i - 1], a):
            bar[j] = bar[j] + bar[i] * slope
    return tuple(bar.values())


def back_by_rows(U, G, g):
    P = [softmax(u) for u in U]
    first = [(np.diag(p) - np.outer(p, p)) @ row for p, row in zip(P, G, strict=True)]
    return np.array(first), np.array([p * s for p, s in zip(P, g, strict=True)])


def undone(g, shape):
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for k, n in enumerate(shape):
        g = g.sum(axis=k, keepdims=True) if n == 1 else g
    return g


def by_matrix():
    def table(x):
        return np.tril(np.ones((len(x), len(x)))) * (2 * x)

    return [lambda t, y, x: table(x) @ t, lambda g, y, x: table(x).T @ g]


def down_to_an_input(rows, a, of):
    bar = [0.0] * len(rows)
    bar[of - 1] = 1.0
    for i in range(of, 0, -1):
        if rows[i - 1][0] == "input":
            break
        for j, slope in slopes_of(rows[i - 1], a):
            bar[j - 1] += bar[i - 1] * slope
    return bar


RIGHT = {
    "adjoints_of_the_swing": [
        swing(b5=1, b6=-1, b4="x", b2="w*b3 + a4 + sin(x)", b1="x*b3"),
    ],
    "tied_gradient": [tied_by_rows],
    "adjoints_downwards": [down_with_dict],
    "rowwise_vjps": [back_by_rows],
    "undo_broadcasting": [undone],
    "running_energy_rules": [by_matrix],
}

WRONG = {"adjoints_downwards": [down_to_an_input]}

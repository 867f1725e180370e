"""Students' answers for lecture 14: right answers in other styles, and some wrong ones."""

import numpy as np

from comp551ad import grad, jvp


def mended_by_loops(X, Y, W, V):
    dW, dV = np.zeros(W.shape), np.zeros(V.shape)
    for x, y in zip(X, Y, strict=True):
        z = np.tanh(x @ V)
        error = (z @ W - y) / len(X)
        dW += np.outer(z, error)
        dV += np.outer(x, W @ error / np.cosh(x @ V) ** 2)
    return dW, dV


def hessian_forward(gradient, w, a, h=1e-7):
    return (gradient(w + h * a) - gradient(w)) / h


def lines_by_text(program, wanted):
    needed = list(wanted)
    for name, operands in reversed(program):
        if name in " ".join(needed):
            needed += operands
    return [name for name, _ in program if name in needed]


RIGHT = {
    "mended": [mended_by_loops],
    "higher_derivatives": [
        lambda: {
            "first": "exp(2*x) + 2*x*exp(2*x)",
            "second": "4*(1+x)*exp(2*x)",
            "third": "4*(3+2*x)*exp(2*x)",
        }
    ],
    "hessian_times": [
        hessian_forward,
        lambda gradient, w, a: jvp(gradient, (w,), (a,))[1],
        lambda gradient, w, a: grad(lambda w: np.sum(gradient(w) * a))(w),
    ],
}

WRONG = {"needed_lines": [lines_by_text]}

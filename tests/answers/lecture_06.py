"""Students' answers for lecture 06: right answers in other styles."""

import numpy as np


def error_by_rows(f, claim, w, h):
    rows = h * np.eye(w.size).reshape(w.size, *w.shape)
    g = np.array([f(w + row) - f(w - row) for row in rows]) / (2 * h)
    return max(abs(claim.ravel() - g)) / max(abs(g))


U = 1.1e-16


def step_by_scan(k):
    s = np.logspace(-8, 0, 1000)
    return s[np.argmin(s**2 / 12 + 4 * U / s**2)] / k


def complex_filled(f, w, h):
    g = np.zeros(w.shape)
    for k in range(w.size):
        moved = w.astype(complex)
        moved[k] = moved[k] + 1j * h
        g[k] = np.imag(f(moved)) / h
    return g


def swollen_step_by_step(depth):
    N = D = different = 1
    for _ in range(depth):
        N, D, different = 1 + 2 * N, 3 + 2 * N + 2 * D, different + 4
    return {"formula": N, "derivative": D, "different": different}


RIGHT = {
    "gradient_error": [error_by_rows],
    "best_step": [step_by_scan],
    "complex_gradient": [complex_filled],
    "swelling": [swollen_step_by_step],
}

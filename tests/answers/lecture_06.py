"""What students hand in for lecture 06: wrong answers by their mistake, and right ones."""

import numpy as np


def slopes(f, w, h, both=True, width=2):
    w = w.astype(float)
    result = np.zeros(w.shape)
    for at in np.ndindex(w.shape):
        plus, minus = w.copy(), w.copy()
        plus[at] += h
        if both:
            minus[at] -= h
        result[at] = (f(plus) - f(minus)) / (width * h)
    return result


def error_forward(f, claim, w, h):
    g = slopes(f, w, h, both=False, width=1)
    return np.max(np.abs(claim - g)) / np.max(np.abs(g))


def error_width(f, claim, w, h):
    g = slopes(f, w, h, width=1)
    return np.max(np.abs(claim - g)) / np.max(np.abs(g))


def error_stays(f, claim, w, h):
    v, g = np.array(w, dtype=float), np.empty(w.shape)
    for at in np.ndindex(w.shape):
        v[at] = v[at] + h
        high = f(v)
        v[at] = v[at] - 2 * h
        low = f(v)
        g[at] = (high - low) / (2 * h)
    return np.max(np.abs(claim - g)) / np.max(np.abs(g))


def error_at_once(f, claim, w, h):
    g = (f(w + h) - f(w - h)) / (2 * h)
    return np.max(np.abs(claim - g)) / np.max(np.abs(g))


def error_swallowed(f, claim, w, h):
    g = np.zeros(w.shape)
    for at in np.ndindex(w.shape):
        v = np.copy(w)
        v[at] = w[at] + h
        high = f(v)
        v[at] = w[at] - h
        g[at] = (high - f(v)) / (2 * h)
    return abs(claim - g).max() / abs(g).max()


def error_refused(f, claim, w, h):
    g = np.zeros(w.shape)
    for at in np.ndindex(w.shape):
        plus, minus = w.copy(), w.copy()
        plus[at] += h
        minus[at] -= h
        g[at] = (f(plus) - f(minus)) / (2 * h)
    return abs(claim - g).max() / abs(g).max()


def error_absolute(f, claim, w, h):
    return abs(claim - slopes(f, w, h)).max()


def error_signed(f, claim, w, h):
    g = slopes(f, w, h)
    return np.max(claim - g) / np.max(abs(g))


def error_mean(f, claim, w, h):
    g = slopes(f, w, h)
    return np.mean(abs(claim - g)) / np.max(abs(g))


def error_each(f, claim, w, h):
    g = slopes(f, w, h)
    return np.max(abs(claim - g) / abs(g))


def error_by_claim(f, claim, w, h):
    g = slopes(f, w, h)
    return np.max(abs(claim - g)) / np.max(abs(claim))


def error_norms(f, claim, w, h):
    g = slopes(f, w, h)
    return np.sqrt(np.sum((claim - g) ** 2) / np.sum(g**2))


def error_vectors_only(f, claim, w, h):
    g = [(f(w + h * e) - f(w - h * e)) / (2 * h) for e in np.eye(len(w))]
    return np.max(abs(claim - np.array(g))) / np.max(np.abs(g))


def error_in_place(f, claim, w, h):
    g = np.zeros(w.shape)
    for at in np.ndindex(w.shape):
        w[at] += h
        high = f(w)
        w[at] -= 2 * h
        g[at] = (high - f(w)) / (2 * h)
    return np.max(abs(claim - g)) / np.max(abs(g))


def error_by_rows(f, claim, w, h):
    rows = h * np.eye(w.size).reshape(w.size, *w.shape)
    g = np.array([f(w + row) - f(w - row) for row in rows]) / (2 * h)
    return max(abs(claim.ravel() - g)) / max(abs(g))


def runs(forward="D + 1", central="2 * D", five="4 * D", complex_="D"):
    formulas = forward, central, five, complex_

    def answer(D, C):
        names = "forward", "central", "five-point", "complex"
        numbers = (eval(text, {"D": D, "C": C}) for text in formulas)
        return dict(zip(names, numbers, strict=True))

    return answer


U = 1.1e-16


def step_unscaled(k):
    return 2.7e-4


def step_multiplied(k):
    return k * (48 * U) ** (1 / 4)


def step_central(k):
    return np.cbrt(3 * U) / k


def step_forward(k):
    return 2 * np.sqrt(U) / k


def step_tiny(k):
    return np.finfo(float).eps / k


def step_one(k):
    return 1 / k


def step_root_of_k(k):
    return (48 * U / k**2) ** (1 / 4)


def step_by_scan(k):
    s = np.logspace(-8, 0, 1000)
    return s[np.argmin(s**2 / 12 + 4 * U / s**2)] / k


def complex_at_once(f, w, h):
    g = np.zeros(len(w))
    for k in range(len(w)):
        moved = w + 1j * h
        g[k] = f(moved).imag / h
    return g


def complex_stays(f, w, h):
    moved, g = w.astype(complex), np.zeros(len(w))
    for k in range(len(w)):
        moved[k] += 1j * h
        g[k] = f(moved).imag / h
    return g


def complex_part(part, step=1j):
    def answer(f, w, h):
        return np.array([part(f(w + step * h * e), h) for e in np.eye(len(w))])

    return answer


def complex_real_difference(f, w, h):
    E = np.eye(len(w))
    return np.array([(f(w + h * e) - f(w - h * e)) / (2 * h) for e in E])


def complex_like_w(f, w, h):
    g = np.zeros_like(w)
    for k in range(len(w)):
        moved = w.astype(complex)
        moved[k] += 1j * h
        g[k] = f(moved).imag / h
    return g


def complex_filled(f, w, h):
    g = np.zeros(w.shape)
    for k in range(w.size):
        moved = w.astype(complex)
        moved[k] = moved[k] + 1j * h
        g[k] = np.imag(f(moved)) / h
    return g


def swollen(
    formula="2 ** (n + 1) - 1",
    derivative="(n + 1) * 2 ** (n + 1) - 1",
    different="4 * n + 1",
):
    def answer(depth):
        texts = dict(formula=formula, derivative=derivative, different=different)
        return {name: eval(text, {"n": depth}) for name, text in texts.items()}

    return answer


def swollen_step_by_step(depth):
    N = D = different = 1
    for _ in range(depth):
        N, D, different = 1 + 2 * N, 3 + 2 * N + 2 * D, different + 4
    return {"formula": N, "derivative": D, "different": different}


def error_one_sided(f, claim, w, h):
    s = slopes(f, w, h, both=False, width=2)
    return np.abs(claim - s).max() / np.abs(s).max()


def error_signed_below(f, claim, w, h):
    s = slopes(f, w, h)
    return max(np.abs(claim - s).ravel()) / max(s.ravel())


def error_unsigned(f, claim, w, h):
    s = slopes(f, w, h)
    return (claim - s).max() / s.max()


def error_of_each(f, claim, w, h):
    s = slopes(f, w, h)
    return abs(claim - s) / abs(s).max()


def complex_lonely(f, w, h):
    result = []
    for k in range(len(w)):
        moved = np.zeros(len(w), complex)
        moved[k] = w[k] + 1j * h
        result.append(f(moved).imag / h)
    return result


def complex_replaced(f, w, h):
    result = []
    for k in range(len(w)):
        moved = w + 0j
        moved[k] = 1j * h
        result.append(f(moved).imag / h)
    return result


def complex_dropped(f, w, h):
    result = []
    for k in range(len(w)):
        moved = w.copy()
        moved[k] = (moved[k] + 1j * h).real
        result.append(np.imag(f(moved)) / h)
    return np.array(result)


WRONG = {
    "gradient_error": [
        (error_forward, "the forward formula"),
        (error_width, "divided by h, not by 2 h"),
        (error_stays, "a weight is not put back"),
        (error_at_once, "all the weights move at once"),
        (error_swallowed, "whole numbers swallow the step"),
        (error_refused, "whole numbers swallow the step"),
        (
            error_absolute,
            "the difference is not divided by the size of the gradient",
        ),
        (error_signed, "the absolute value is missing"),
        (error_mean, "the mean in place of the largest"),
        (error_each, "each entry beside its own slope"),
        (error_by_claim, "beside the claim's own size"),
        (error_norms, "lengths in place of the largest entries"),
        (error_vectors_only, "right for some inputs only"),
        (error_in_place, "it changes its input in place"),
        (error_one_sided, "one side alone, divided by 2 h"),
        (error_signed_below, "the absolute value is missing"),
        (error_unsigned, "the absolute value is missing"),
        (error_of_each, "one error an entry"),
    ],
    "count_runs": [
        (
            runs("(D + 1) * C", "2 * D * C", "4 * D * C", "D * C"),
            "once more for every output",
        ),
        (runs("C * (D + 1)"), "once more for every output"),
        (runs("2 * D"), "f(w) is run anew for every weight"),
        (runs("D"), "the run at w is forgotten"),
        (runs(central="2 * D + 1"), "a run at w that nobody needs"),
        (runs(five="5 * D"), "five points for each weight"),
        (runs(central="D"), "one side only"),
        (runs(complex_="2 * D"), "a difference where none is taken"),
        (runs("6", "10", "20", "5"), "the same answer for every input"),
        (runs("C + 1", "2 * C", "4 * C", "C"), "outputs are moved in place of weights"),
        (runs("2", "2", "4", "1"), "one weight alone"),
    ],
    "best_step": [
        (step_unscaled, "the step does not follow the scale of w"),
        (step_multiplied, "the scale of w is taken the wrong way"),
        (step_central, "the best step of the central formula"),
        (step_forward, "the best step of the forward formula"),
        (step_tiny, "the smallest step there is"),
        (step_one, "truncation alone, or rounding alone"),
        (step_root_of_k, "right for some inputs only"),
        (lambda k: np.sqrt(48 * 2.0**-53) / k**2, "another root than the fourth"),
        (lambda k: 48 * 2.0**-53 / k**4, "another root than the fourth"),
    ],
    "complex_gradient": [
        (complex_at_once, "all the weights move at once"),
        (complex_stays, "a weight is not put back"),
        (complex_part(lambda v, h: v.real / h), "the real part"),
        (complex_part(lambda v, h: v / h), "the real part is not taken away"),
        (
            complex_part(lambda v, h: np.abs(v) / h),
            "the size in place of the imaginary part",
        ),
        (complex_part(lambda v, h: v.imag), "not divided by h"),
        (complex_part(lambda v, h: v.imag / h / 2), "divided by 2 h"),
        (complex_real_difference, "a real difference"),
        (complex_part(lambda v, h: v.imag / h, step=1), "a real step"),
        (complex_like_w, "whole numbers cut the slopes off"),
        (complex_lonely, "the other weights are set to 0"),
        (complex_replaced, "the weight is replaced by the step"),
        (complex_dropped, "a real step"),
    ],
    "swelling": [
        (swollen(formula="2 ** n"), "the leaves alone"),
        (swollen(formula="2 ** n - 1"), "the operations alone"),
        (
            swollen(formula="n + 1"),
            "a part that is used twice is counted once",
        ),
        (swollen(formula="2 ** (n + 1)"), "the top is counted twice"),
        (
            swollen(derivative="4 * 2 ** n - 3"),
            "the copies beside the derivatives are left out",
        ),
        (
            swollen(derivative="2 ** (n + 1) - 1"),
            "the derivative is taken to be as large as the formula",
        ),
        (
            swollen(different="4 * n + 2"),
            "the last square is counted, which the derivative lacks",
        ),
        (swollen(different="n + 1"), "the formula's parts alone"),
        (swollen(different="3 * n + 1"), "the two products are taken for one"),
        (
            swollen(different="(n + 1) * 2 ** (n + 1) - 1"),
            "every node is counted",
        ),
    ],
}

RIGHT = {
    "gradient_error": [error_by_rows],
    "count_runs": [runs("1 + D", "D + D", "4 * D", "1 * D")],
    "best_step": [step_by_scan],
    "complex_gradient": [complex_filled],
    "swelling": [swollen_step_by_step],
}

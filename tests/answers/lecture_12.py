"""What students hand in for lecture 12: wrong answers by their mistake, and right ones."""

import numpy as np

EPS = 1e-5


def forward_rows(Q, gamma, beta):
    mean, var = Q.mean(1)[:, None], Q.var(1)[:, None]
    return gamma * (Q - mean) / np.sqrt(var + EPS) + beta


def forward_global(Q, gamma, beta):
    return gamma * (Q - np.mean(Q)) / np.sqrt(np.var(Q) + EPS) + beta


def forward_ddof(Q, gamma, beta):
    return gamma * (Q - Q.mean(0)) / np.sqrt(Q.var(0, ddof=1) + EPS) + beta


def forward_variance(Q, gamma, beta):
    return gamma * (Q - Q.mean(0)) / (Q.var(0) + EPS) + beta


def forward_swapped(Q, gamma, beta):
    return beta * (Q - Q.mean(0)) / np.sqrt(Q.var(0) + EPS) + gamma


def forward_bare(Q, gamma, beta):
    return (Q - Q.mean(0)) / np.sqrt(Q.var(0) + EPS)


def forward_in_place(Q, gamma, beta):
    Q -= Q.mean(0)
    return gamma * Q / np.sqrt(np.mean(Q**2, 0) + EPS) + beta


def forward_without_eps(Q, gamma, beta):
    with np.errstate(invalid="ignore"):
        return gamma * (Q - Q.mean(0)) / Q.var(0) ** 0.5 + beta


def forward_by_columns(Q, gamma, beta):
    R = np.empty_like(Q)
    for m in range(Q.shape[1]):
        q = Q[:, m]
        mu = sum(q) / len(q)
        variance = sum((q - mu) ** 2) / len(q)
        R[:, m] = gamma[m] * (q - mu) / (variance + EPS) ** 0.5 + beta[m]
    return R


def kept_swapped(mean, variance, Q, rate):
    return (
        rate * mean + (1 - rate) * np.mean(Q, 0),
        rate * variance + (1 - rate) * np.var(Q, 0, ddof=1),
    )


def kept_uncorrected(mean, variance, Q, rate):
    return (
        mean + rate * (Q.mean(0) - mean),
        variance + rate * (Q.var(0) - variance),
    )


def kept_deviation(mean, variance, Q, rate):
    return (
        mean + rate * (Q.mean(0) - mean),
        variance + rate * (Q.std(0, ddof=1) - variance),
    )


def kept_new(mean, variance, Q, rate):
    return Q.mean(axis=0), Q.var(axis=0, ddof=1)


def kept_mean_only(mean, variance, Q, rate):
    return (1 - rate) * mean + rate * Q.mean(axis=0)


def kept_by_factor(mean, variance, Q, rate):
    N = len(Q)
    batch = np.mean((Q - Q.mean(0)) ** 2, axis=0) * N / (N - 1)
    return mean + rate * (Q.mean(0) - mean), variance + rate * (batch - variance)


def kept_corrected_downwards(mean, variance, Q, rate):
    N = len(Q)
    new = Q.var(0) * (N - 1) / N
    return (1 - rate) * mean + rate * Q.mean(0), (1 - rate) * variance + rate * new


def kept_corrected_whole(mean, variance, Q, rate):
    N = len(Q)
    variance = (1 - rate) * variance + rate * Q.var(0)
    return (1 - rate) * mean + rate * Q.mean(0), variance * N / (N - 1)


def kept_both_corrected(mean, variance, Q, rate):
    N = len(Q)
    m, v = Q.mean(0) * N / (N - 1), Q.var(0) * N / (N - 1)
    return (1 - rate) * mean + rate * m, (1 - rate) * variance + rate * v


def kept_around_new_mean(mean, variance, Q, rate):
    mean = (1 - rate) * mean + rate * Q.mean(0)
    v = ((Q - mean) ** 2).sum(0) / (len(Q) - 1)
    return mean, (1 - rate) * variance + rate * v


def kept_global(mean, variance, Q, rate):
    return (
        (1 - rate) * mean + rate * np.mean(Q),
        (1 - rate) * variance + rate * np.var(Q, ddof=1),
    )


def alone(r, dq, dgamma, dbeta):
    return lambda: {"r": r, "dq": dq, "dgamma": dgamma, "dbeta": dbeta}


def backward(dR, Q, gamma, dQh, dgamma=None, dbeta=None):
    deviation = np.sqrt(np.var(Q, 0) + EPS)
    Qh = (Q - np.mean(Q, 0)) / deviation
    dgamma = np.sum(dR * Qh, 0) if dgamma is None else dgamma
    dbeta = dR.sum(0) if dbeta is None else dbeta
    return gamma * dQh(Qh) / deviation, dgamma, dbeta


def backward_constants(dR, Q, gamma):
    return backward(dR, Q, gamma, lambda Qh: dR)


def backward_mean_only(dR, Q, gamma):
    return backward(dR, Q, gamma, lambda Qh: dR - dR.mean(0))


def backward_variance_only(dR, Q, gamma):
    return backward(dR, Q, gamma, lambda Qh: dR - Qh * (dR * Qh).mean(0))


def backward_sign(dR, Q, gamma):
    return backward(dR, Q, gamma, lambda Qh: dR - dR.mean(0) + Qh * (dR * Qh).mean(0))


def backward_sums(dR, Q, gamma):
    return backward(dR, Q, gamma, lambda Qh: dR - dR.sum(0) - Qh * (dR * Qh).sum(0))


def backward_raw(dR, Q, gamma):
    closed = lambda Qh: dR - dR.mean(0) - Qh * (dR * Qh).mean(0)  # noqa: E731
    return backward(dR, Q, gamma, closed, dgamma=(dR * Q).sum(0))


def backward_means(dR, Q, gamma):
    Qh = (Q - Q.mean(0)) / np.sqrt(Q.var(0) + EPS)
    return backward_by_steps(dR, Q, gamma)[0], (dR * Qh).mean(0), dR.mean(0)


def backward_no_gamma(dR, Q, gamma):
    _, dgamma, dbeta = backward_by_steps(dR, Q, gamma)
    return backward_by_steps(dR, Q, np.ones_like(gamma))[0], dgamma, dbeta


def backward_undivided(dR, Q, gamma):
    Qh = (Q - Q.mean(0)) / np.sqrt(Q.var(0) + EPS)
    dQ = gamma * (dR - dR.mean(0) - Qh * (dR * Qh).mean(0))
    return dQ, (dR * Qh).sum(0), dR.sum(0)


def backward_over_variance(dR, Q, gamma):
    dQ, dgamma, dbeta = backward_undivided(dR, Q, gamma)
    return dQ / (Q.var(0) + EPS), dgamma, dbeta


def backward_no_qh(dR, Q, gamma):
    return backward(dR, Q, gamma, lambda Qh: dR - dR.mean(0) - (dR * Qh).mean(0))


def backward_gamma_twice(dR, Q, gamma):
    dQ, dgamma, dbeta = backward_by_steps(dR, Q, gamma)
    return dQ, gamma * dgamma, dbeta


def backward_ddof(dR, Q, gamma):
    spread = np.sqrt(Q.var(0, ddof=1) + EPS)
    Qh = (Q - Q.mean(0)) / spread
    dQ = gamma / spread * (dR - dR.mean(0) - Qh * np.mean(dR * Qh, 0))
    return dQ, (dR * Qh).sum(0), dR.sum(0)


def backward_no_eps(dR, Q, gamma):
    with np.errstate(invalid="ignore", divide="ignore"):
        Qh = (Q - Q.mean(0)) / Q.std(0)
        dQ = gamma / Q.std(0) * (dR - dR.mean(0) - Qh * (dR * Qh).mean(0))
        return dQ, (dR * Qh).sum(0), dR.sum(0)


def backward_by_steps(dR, Q, gamma):
    N = len(Q)
    centred = Q - Q.mean(0)
    deviation = np.sqrt((centred**2).mean(0) + EPS)
    dQh = dR * gamma
    d_deviation = np.sum(-dQh * centred / deviation**2, 0)
    d_centred = dQh / deviation + d_deviation * centred / (N * deviation)
    dQ = d_centred - d_centred.mean(0)
    return dQ, np.sum(dR * centred / deviation, 0), np.sum(dR, 0)


WRONG = {
    "normalize_batch": [
        (forward_rows, "each row by itself"),
        (forward_global, "all entries together"),
        (forward_ddof, "divided by N − 1"),
        (forward_variance, "divided by the variance"),
        (forward_swapped, "gamma and beta exchanged"),
        (forward_bare, "gamma and beta are left out"),
        (forward_in_place, "it changes its input in place"),
        (
            lambda Q, g, b: g * Q / np.sqrt(Q.var(0) + EPS) + b,
            "the mean is not subtracted",
        ),
        (
            lambda Q, g, b: g * ((Q - Q.mean(0)) / np.sqrt(Q.var(0) + EPS) + b),
            "β is scaled as well",
        ),
        (
            lambda Q, g, b: g * Q - Q.mean(0) / np.sqrt(Q.var(0) + EPS) + b,
            "a bracket is missing",
        ),
        (
            lambda Q, g, b: g * (Q - Q.mean(0)) / (np.sqrt(Q.var(0)) + EPS) + b,
            "eps is outside the root",
        ),
        (forward_without_eps, "eps is left out"),
        (
            lambda Q, g, b: g * (Q - Q.mean(0)) * (Q.var(0) + 1e-8) ** -0.5 + b,
            "another eps than 1e-5",
        ),
    ],
    "kept_average": [
        (kept_swapped, "old and new exchanged"),
        (kept_uncorrected, "the variance of the batch is not corrected"),
        (kept_deviation, "the standard deviation in the variance's place"),
        (kept_new, "what was kept is forgotten"),
        (kept_mean_only, "the shape"),
        (
            lambda m, v, Q, r: (m + r * Q.mean(0), v + r * Q.var(0, ddof=1)),
            "what was kept is added whole",
        ),
        (kept_corrected_downwards, "corrected in the wrong direction"),
        (kept_corrected_whole, "what was kept is corrected again"),
        (kept_both_corrected, "the mean is corrected too"),
        (kept_around_new_mean, "deviations from the running mean"),
        (kept_global, "all units together"),
        (lambda *given: kept_by_factor(*given)[::-1], "in another order"),
    ],
    "batch_of_one": [
        (
            alone("gamma*q + beta", "gamma*dr", "q*dr", "dr"),
            "as if nothing were normalized",
        ),
        (alone("beta + gamma", 0, "dr", "dr"), "as if q̂ were 1"),
        (alone(0, 0, 0, 0), "β is left out"),
        (alone("beta", "gamma * dr", "0", "dr"), "as if nothing were normalized"),
        (alone("beta", 0, 0, ...), "not finished"),
        (alone("q", "dr", 0, "dr"), "as if r were q"),
        (
            alone("beta", "gamma*dr/sqrt(1e-5)", 0, "dr"),
            "the mean taken for a constant",
        ),
        (alone("beta", 0, 0, 1), "the error from above is left out"),
        (alone("beta", 0, "gamma*dr", "beta*dr"), "the parameter itself, times dr"),
    ],
    "normalize_backward": [
        (backward_constants, "mean and variance taken for constants"),
        (backward_mean_only, "the path through the variance is missing"),
        (backward_variance_only, "the path through the mean is missing"),
        (backward_sign, "the wrong sign at the path through the variance"),
        (backward_sums, "sums where means are due"),
        (backward_raw, "q used where q̂ belongs"),
        (backward_means, "means where sums are due"),
        (backward_no_gamma, "gamma is left out"),
        (backward_undivided, "not divided by the root of the variance"),
        (backward_over_variance, "divided by the variance"),
        (backward_no_qh, "q̂ is missing on the path through the variance"),
        (backward_gamma_twice, "gamma in its own gradient"),
        (backward_ddof, "the variance divided by N − 1"),
        (backward_no_eps, "eps is left out"),
        (lambda *given: [*backward_by_steps(*given)][::-1], "in another order"),
    ],
}

RIGHT = {
    "normalize_batch": [forward_by_columns],
    "kept_average": [kept_by_factor],
    "batch_of_one": [alone("beta", "0 * dr", "0", "1 * dr")],
    "normalize_backward": [backward_by_steps],
}

"""Lecture 12: batch normalization (S18)."""

import numpy as np

from ...autodiff.transforms import vjp
from ...byhand import deep
from ..exercise import Exercise, Mistake, edited
from ..formulas import formulas

EPS = 1e-5


def _batch(rng, N, M):
    scale, shift = rng.uniform(0.5, 3, size=M), rng.normal(size=M)
    return rng.normal(size=(N, M)) * scale + shift


def _small_batch(rng, N):
    """Three units for which eps matters: two that hardly vary, and one that doesn't."""
    Q = 0.02 * rng.normal(size=(N, 3))
    Q[:, 1] = 0.5
    return Q


def _parameters(rng, M):
    return rng.uniform(0.5, 2, size=M), rng.normal(size=M)


def _normalized(Q, gamma, beta):
    mean, variance = Q.mean(axis=0), Q.var(axis=0)
    return gamma * (Q - mean) / np.sqrt(variance + EPS) + beta


normalize_batch = Exercise(
    name="normalize_batch",
    core=True,
    lecture="12",
    title="Forward",
    witness=lambda Q, gamma, beta: deep.batch_norm(Q, gamma, beta, eps=EPS),
    cases=lambda rng: [
        *(
            (_batch(rng, N, M), *_parameters(rng, M))
            for N, M in ((4, 4), (6, 3), (3, 1))
        ),
        (_small_batch(rng, 8), *_parameters(rng, 3)),
    ],
    mistakes=(
        Mistake(
            "each row on its own",
            edited(_normalized, "axis=0 → axis=1, keepdims=True"),
            "The mean is one unit's, over the batch: which axis is the batch?",
        ),
        Mistake(
            "all entries together",
            edited(_normalized, "axis=0 → axis=None"),
            "Every unit has its own mean and variance.",
        ),
        Mistake(
            "divided by N − 1",
            edited(_normalized, "var(axis=0 → var(axis=0, ddof=1"),
            "Within the batch the variance is the plain mean of the squares.",
        ),
        Mistake(
            "the sum of the squares, not their mean",
            edited(_normalized, "variance + → variance * len(Q) +"),
            "Is the variance a sum over the rows, or their average?",
        ),
        Mistake(
            "the mean square, not the variance",
            edited(_normalized, "Q.var( → np.square(Q).mean("),
            "What are the deviations measured from?",
        ),
        Mistake(
            "gamma and beta are left out",
            edited(_normalized, "gamma * → ", " + beta\n → \n"),
            "What is normalized may be scaled and shifted again.",
        ),
        Mistake(
            "scaled and shifted first, normalized afterwards",
            lambda Q, gamma, beta: _normalized(gamma * Q + beta, 1, 0),
            "What can γ and β still change if the result is normalized after them?",
        ),
        Mistake(
            "β is scaled as well",
            edited(_normalized, "+ beta\n → + gamma * beta\n"),
            "γ multiplies what is normalized, and then β is added.",
        ),
        Mistake(
            "parentheses are missing",
            edited(_normalized, "(Q - mean) → Q - mean"),
            "* and / go before + and −: first the difference, then γ and the root.",
        ),
        Mistake(
            "eps is outside the root",
            edited(_normalized, "np.sqrt(variance + EPS) → (np.sqrt(variance) + EPS)"),
            "ε is added to the variance, and the root is taken of the sum.",
        ),
        Mistake(
            "eps is left out",
            edited(_normalized, "variance + EPS → variance"),
            "What happens to a unit that has the same value in all rows?",
        ),
        *(
            Mistake(
                "an eps other than 1e-5",
                edited(_normalized, f"EPS → {eps}"),
                "ε is given at the top of the notebook.",
            )
            for eps in (1e-2, 1e-3, 1e-4, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)
        ),
    ),
    hints=(
        "Mean and variance are those of a unit: M numbers each. Along which axis of Q?",
        "After it, with γ = 1 and β = 0, each column should have mean 0 and variance 1: look "
        "at yours with .mean(axis=0) and .var(axis=0).",
    ),
)


def _averaged(mean, variance, Q, rate):
    N, new = len(Q), Q.mean(axis=0)
    corrected = Q.var(axis=0) * N / (N - 1)
    return (1 - rate) * mean + rate * new, (1 - rate) * variance + rate * corrected


kept_average = Exercise(
    name="kept_average",
    parts=("mean", "variance"),
    lecture="12",
    title="What is kept for test time",
    witness=lambda mean, variance, Q, rate: tuple(
        deep.running_average(
            [np.stack([mean, variance])],
            [(Q.mean(axis=0), Q.var(axis=0))],
            len(Q),
            rate,
        )[0]
    ),
    cases=lambda rng: [
        (*_parameters(rng, M)[::-1], _batch(rng, N, M), rate)
        for N, M, rate in ((4, 2, 0.1), (8, 3, 0.3), (2, 1, 0.1))
    ],
    mistakes=(
        Mistake(
            "old and new are swapped",
            lambda mean, variance, Q, rate: _averaged(mean, variance, Q, 1 - rate),
            "A rate of 0 would leave the kept values unchanged.",
        ),
        Mistake(
            "what was kept is forgotten",
            lambda mean, variance, Q, rate: _averaged(mean, variance, Q, 1.0),
            "Only a part, the rate, is new.",
        ),
        Mistake(
            "corrected in the wrong direction",
            edited(_averaged, "N / (N - 1) → (N - 1) / N"),
            "The batch's variance is too small: the correction makes it larger.",
        ),
        Mistake(
            "corrected twice",
            edited(_averaged, "N / (N - 1) → (N / (N - 1)) ** 2"),
            "ddof=1 is the correction already.",
        ),
        Mistake(
            "the number of units instead of rows",
            edited(_averaged, "len(Q) → Q.shape[1]"),
            "N counts the rows of Q: which of its two sizes is that?",
        ),
        Mistake(
            "what was kept is corrected again",
            edited(_averaged, "variance + rate → variance * N / (N - 1) + rate"),
            "Only the batch's variance comes out too small; the kept one is already corrected.",
        ),
        Mistake(
            "the mean is corrected too",
            edited(_averaged, "rate * new → rate * new * N / (N - 1)"),
            "The mean of a batch is right on average; its variance is not.",
        ),
        Mistake(
            "deviations from the running mean",
            edited(
                _averaged,
                "Q.var(axis=0) → np.mean((Q - mean - rate * (new - mean)) ** 2, axis=0)",
            ),
            "The batch's variance is taken around the batch's own mean.",
        ),
    ),
    hints=(
        "a ← (1 − ρ) a + ρ (the batch's), for the mean and for the variance.",
        "What is the sum of the squared deviations divided by, once it is corrected?",
    ),
)

batch_of_one = Exercise(
    name="batch_of_one",
    lecture="12",
    title="A batch of one",
    witness=lambda: {"r": "beta", "dq": 0.0, "dgamma": 0.0, "dbeta": "dr"},
    cases=lambda rng: [
        (
            dict(
                zip(
                    ("q", "gamma", "beta", "dr"),
                    rng.uniform(0.5, 3, size=4),
                    strict=True,
                )
            ),
        )
        for _ in range(3)
    ],
    use=formulas,
    secret=True,
    mistakes=(
        Mistake(
            "as if nothing were normalized",
            lambda: {
                "r": "gamma * q + beta",
                "dq": "gamma * dr",
                "dgamma": "dr * q",
            },
            "q minus the mean of the batch, which is q alone: what is left?",
        ),
        Mistake(
            "as if r were q",
            lambda: {"r": "q", "dq": "dr"},
            "q minus the mean of the batch, which is q alone: what is left?",
        ),
        Mistake(
            "the mean treated as a constant",
            lambda: {"dq": "gamma * dr / sqrt(1e-5)"},
            "When q moves, its mean moves with it.",
        ),
        Mistake(
            "the error from above is left out",
            lambda: {"dbeta": 1.0},
            "The derivatives are those of J, not of r.",
        ),
        Mistake(
            "the parameter itself, times dr",
            lambda: {"dgamma": "gamma * dr", "dbeta": "beta * dr"},
            "What is r's derivative with respect to γ, and to β? Not γ and β.",
        ),
        Mistake(
            "as if q̂ were 1",
            lambda: {"r": "gamma + beta", "dgamma": "dr"},
            "q̂ is (q − μ)/√(σ² + ε), and here μ is q.",
        ),
        Mistake(
            "0 divided by 0",
            lambda: {"r": np.nan},
            "q - q is 0, and so is the variance. What does ε do under the root?",
        ),
        Mistake(
            "β is left out",
            lambda: {"r": 0.0, "dbeta": 0.0},
            "β is added after all this, whatever q̂ is.",
        ),
    ),
    hints=(
        "With one row the mean is that row. What is q̂ then?",
        "r does not depend on q at all. What does that say about dq?",
    ),
)


def _closed_form(dR, Q, gamma):
    N, root = len(Q), np.sqrt(Q.var(axis=0) + EPS)
    Qh = (Q - Q.mean(axis=0)) / root
    dbeta, dgamma = dR.sum(axis=0), (dR * Qh).sum(axis=0)
    dQ = gamma / root * (dR - dbeta / N - Qh * dgamma / N)
    return dQ, dgamma, dbeta


normalize_backward = Exercise(
    name="normalize_backward",
    core=True,
    parts=("dQ", "dgamma", "dbeta"),
    lecture="12",
    title="Backward",
    witness=lambda dR, Q, gamma: vjp(
        lambda Q, gamma, beta: deep.batch_norm(Q, gamma, beta, eps=EPS),
        Q,
        gamma,
        np.zeros(Q.shape[1]),
    )[1](dR),
    cases=lambda rng: [
        *(
            (rng.normal(size=(N, M)), _batch(rng, N, M), _parameters(rng, M)[0])
            for N, M in ((4, 4), (7, 3), (5, 1))
        ),
        (rng.normal(size=(8, 3)), _small_batch(rng, 8), _parameters(rng, 3)[0]),
    ],
    mistakes=(
        Mistake(
            "mean and variance treated as constants",
            edited(_closed_form, "(dR - dbeta / N - Qh * dgamma / N) → dR"),
            "μ and σ depend on every q of the batch: there are more paths.",
        ),
        Mistake(
            "the path through the variance is missing",
            edited(_closed_form, " - Qh * dgamma / N → "),
            "σ moves with q as well as μ.",
        ),
        Mistake(
            "the path through the mean is missing",
            edited(_closed_form, " - dbeta / N → "),
            "When one q grows, the mean grows, and all the other q̂ fall.",
        ),
        Mistake(
            "sums where means belong",
            edited(_closed_form, " / N → "),
            "μ is a mean: each q has a share of 1/N in it.",
        ),
        Mistake(
            "not added up over the batch",
            edited(_closed_form, "dQ, dgamma, dbeta → dQ, dR * Qh, dR"),
            "One γ and one β serve all rows: their shares are added.",
        ),
        Mistake(
            "gamma is left out",
            edited(_closed_form, "gamma / root → 1 / root"),
            "On its way down to q̂ the error passes γ.",
        ),
        Mistake(
            "divided by the variance",
            edited(_closed_form, "gamma / root → gamma / root**2"),
            "q̂ = (q − μ)/√(σ² + ε): what is its slope with respect to q, with μ and σ held?",
        ),
        Mistake(
            "the ½ of the root is lost",
            edited(_closed_form, "Qh * dgamma → 2 * Qh * dgamma"),
            "The slope of a root has a ½ in it.",
        ),
        Mistake(
            "gamma in its own gradient",
            edited(
                _closed_form, "dQ, dgamma, dbeta → dQ, gamma * dgamma, gamma * dbeta"
            ),
            "r = γ q̂ + β: what is its slope in γ, and in β? Neither has γ in it.",
        ),
        Mistake(
            "the variance divided by N − 1",
            edited(_closed_form, "Q.var(axis=0) → Q.var(axis=0, ddof=1)"),
            "12.1 divides by N.",
        ),
    ),
    hints=(
        "dβ and dγ first: R = γ Q̂ + β, row by row.",
        "For dQ: first dQ̂, the error at q̂. A q reaches q̂ along three paths, directly, through μ "
        "and through σ: write what comes down each of them, and add. How large is it if all "
        "rows of dR are the same?",
    ),
)

EXERCISES = (normalize_batch, kept_average, batch_of_one, normalize_backward)

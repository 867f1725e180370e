"""The gradient check on deep ReLU networks with zero biases, where kinks are everywhere.

    python tests/benchmarks/gradcheck_relu.py [SEEDS]

Networks 4-8-8-8-3 on four random samples, with weights of two sizes: at 0.5 whole layers die, so
that all later layers are exactly at their kinks; at 0.01 the slopes of the first layer are about
1e-7 and kinks may be as near as 1e-8. The left and right slopes with respect to every weight are
computed in long double by pushing both directions forward, choosing the side of each kink by the
direction. Five claims are checked: the left slopes, the right ones and those half-way, which are
all correct, and the left and the right ones with an error of 0.1 % in every coordinate. Prints the
counts, and fails if a correct claim was called wrong or an error passed away from kinks, that is,
where the nearest kink is so far that 0.1 % of the slope, up to it, moves the cost by at least
fifty units in its last place. 60 seeds took half an hour alongside a run of all tests.
"""

import sys
from collections import Counter

import numpy as np

from comp551ad.gradcheck import check_gradient
from comp551ad.pytrees import leaves

LAYERS, SIZES, PLANTED = (4, 8, 8, 8, 3), (0.5, 0.01), 1e-3


def once_each(f):
    """f, computed once at each point, as several claims evaluate it at the same points."""
    known = {}

    def remembered(x):
        key = b"".join(np.asarray(leaf).tobytes() for leaf in leaves(x))
        if key not in known:
            known[key] = f(x)
        return known[key]

    return remembered


def network(seed, size):
    """Return the cost as a function of (weights, biases), and the point it starts at."""
    rng = np.random.default_rng(seed)
    pairs = list(zip(LAYERS, LAYERS[1:], strict=False))
    W = [size * rng.standard_normal(pair) for pair in pairs]
    b = [np.zeros(n) for _, n in pairs]
    X, y = rng.standard_normal((4, LAYERS[0])), rng.integers(LAYERS[-1], size=4)

    def cost(parameters):
        (*hidden, (W, b)), Z = zip(*parameters, strict=True), X
        for A, a in hidden:
            Z = np.maximum(Z @ A + a, 0)
        U = Z @ W + b
        top = U.max(axis=1)
        log_sum = top + np.log(np.sum(np.exp(U - top[:, None]), axis=1))
        return np.mean(log_sum - U[np.arange(4), y])

    return once_each(cost), (W, b), X, y


def one_sided(parameters, X, y, way):
    """Return the one-sided slope (way = 1: right) for every weight, structured as `parameters`,
    and each weight's distance to the nearest kink on either side, 0 at a kink."""
    size = sum(a.size for part in parameters for a in part)
    X = X.astype(np.longdouble)
    Z, dZ = X, np.zeros((size, *X.shape), np.longdouble)
    at, places, clear = 0, ([], []), np.full(size, np.inf)
    for layer, (W, b) in enumerate(zip(*parameters, strict=True)):
        W, dU = W.astype(np.longdouble), dZ @ W.astype(np.longdouble)
        U = Z @ W + b
        for k, part in enumerate((W, b)):
            places[k].append(slice(at, at + part.size))
            for i, index in enumerate(np.ndindex(part.shape)):
                dU[at + i, :, index[-1]] += way * (Z[:, index[0]] if k == 0 else 1)
            at += part.size
        if layer < len(parameters[0]) - 1:
            # At a kink the relu follows the direction in which its input moves.
            moves = np.where(U == 0, dU > 0, U > 0)
            away = np.abs(np.divide(U, dU, where=dU != 0, out=np.full_like(dU, np.inf)))
            clear = np.minimum(clear, away.min(axis=(1, 2)))
            Z, dZ = np.maximum(U, 0), dU * moves
    P = np.exp(U - U.max(axis=1, keepdims=True))
    dC = P / P.sum(axis=1, keepdims=True) - np.eye(LAYERS[-1])[y]
    slopes = way * np.sum(dC * dU, axis=(1, 2)) / len(y)
    return tuple(
        tuple(
            [
                values[where].astype(float).reshape(a.shape)
                for where, a in zip(w, p, strict=True)
            ]
            for w, p in zip(places, parameters, strict=True)
        )
        for values in (slopes, clear)
    )


def both(one, other, mix):
    """Return mix(one, other), array by array."""
    return tuple(
        [mix(a, b) for a, b in zip(*parts, strict=True)]
        for parts in zip(one, other, strict=True)
    )


def flat(parameters):
    return np.concatenate([a.ravel() for part in parameters for a in part])


def examine(seed, size):
    """Return how often each verdict occurred: on correct claims, and on planted errors."""
    cost, point, X, y = network(seed, size)
    (left, _), (right, clear) = (one_sided(point, X, y, way) for way in (-1, 1))
    slopes = np.maximum(np.abs(flat(left)), np.finfo(float).tiny)
    smooth = np.isclose(flat(left), flat(right), rtol=1e-12, atol=0)
    told = flat(clear) > 50 * np.finfo(float).eps * cost(point) / PLANTED / slopes
    verdicts, evaluations = Counter(), 0
    for claim in (left, right, both(left, right, lambda a, b: (a + b) / 2)):
        report = check_gradient(cost, claim, point)
        evaluations += report.evaluations
        verdicts.update(f"right: {c.verdict}" for c in report.coordinates)
    for claim in (left, right):
        spoilt = both(claim, claim, lambda a, _: a * (1 + PLANTED))
        report = check_gradient(cost, spoilt, point)
        for c, *where in zip(report.coordinates, smooth, told, strict=True):
            is_smooth, is_away = where
            if is_smooth and c.claimed:
                beside = "" if is_away else " beside a kink"
                verdicts[f"planted{beside}: {c.verdict}"] += 1
    verdicts["checked"] += 3 * smooth.size
    verdicts["at kinks"] += 3 * int(np.sum(~smooth))
    verdicts["evaluations"] += evaluations
    return verdicts


def main(seeds=300):
    bad = 0
    for size in SIZES:
        total = Counter()
        for seed in range(seeds):
            total += examine(seed, size)
        print(
            f"weights of size {size}: {total['checked']} right claims, {total['at kinks']} at kinks"
        )
        for name in sorted(total):
            if ":" in name:
                print(f"  {name:32} {total[name]:7}")
        print(f"  {total['evaluations'] / total['checked']:.1f} evaluations a value")
        bad += total["right: wrong"] + total["planted: agrees"] + total["planted: kink"]
    print(f"{bad} false alarms and misses")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))

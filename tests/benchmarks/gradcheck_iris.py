"""The gradient check on Iris, at length: 23,040 right values and 23,040 wrong ones.

    python tests/benchmarks/gradcheck_iris.py

The deck's network with M = 16 hidden units has 96 derivatives, at 240 points (60 seeds at each
of four sizes of the weights). Each is checked twice: as `gradients` returns it, where every
complaint is a false alarm, and with an error added, where every silence is a miss. Prints the
counts and the processor time of one check of right values; takes a few minutes, and fails if
there was a false alarm.
"""

import sys
import time

import numpy as np

from comp551ad.byhand.two_layer import cost, gradients
from comp551ad.datasets import load_iris
from comp551ad.gradcheck import check_gradient

SCALES, SEEDS, M = (0.01, 0.1, 0.5, 1.0), 60, 16
PLANTED = 1e-7  # relative error


def check(X, Y, point, factor=1.0):
    """Return the report on factor times the gradient, and the processor time in seconds."""
    claimed = tuple(factor * part for part in gradients(X, Y, *point))
    start = time.process_time()
    report = check_gradient(lambda p: cost(X, Y, *p), claimed, point, names=("W", "V"))
    return report, time.process_time() - start


def main():
    X, Y = load_iris()
    print("size of weights  checks  false alarms  kinks  planted  missed  evaluations")
    seconds, alarms, checks, missed = [], 0, 0, 0
    for scale in SCALES:
        right, planted, evaluations = [], [], 0
        for seed in range(SEEDS):
            random = np.random.default_rng(seed)
            W = scale * random.standard_normal((M, Y.shape[1]))
            V = scale * random.standard_normal((X.shape[1], M))
            report, took = check(X, Y, (W, V))
            seconds.append(took)
            right += report.coordinates
            evaluations += report.evaluations
            planted += check(X, Y, (W, V), 1 + PLANTED)[0].coordinates
        false = sum(c.verdict in ("wrong", "unjudged") for c in right)
        kinks = sum(c.verdict == "kink" for c in right)
        silent = sum(c.verdict != "wrong" for c in planted)
        print(
            f"{scale:15}  {len(right):6}  {false:12}  {kinks:5}  {len(planted):7}  "
            f"{silent:6}  {evaluations / len(right):4.1f} a value"
        )
        alarms, checks, missed = alarms + false, checks + len(right), missed + silent
    print(f"{alarms} false alarms in {checks} checks of right values")
    print(f"{missed} of {checks} errors of {PLANTED:g} missed")
    fastest, median = 1e3 * min(seconds), 1e3 * float(np.median(seconds))
    print(
        f"processor time for 96 values: least {fastest:.0f} ms, median {median:.0f} ms"
    )
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())

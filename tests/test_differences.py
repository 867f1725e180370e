"""Slopes by differences: the formulas, and the error bars that must contain the truth."""

import math

import numpy as np
import pytest

from comp551ad.differences import (
    Function,
    Line,
    explore,
    finite_difference,
    measure_noise,
)


def explored(f, x):
    """The slopes of f at the number x, with the noise measured as in the checker."""
    function = Function(f, x)
    line = Line(function, 0)
    with np.errstate(all="ignore"):
        return explore(line, measure_noise(line))


# --- formulas -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method, order, accuracy",
    [("forward", 1, 1e-7), ("central", 2, 1e-9), ("five-point", 4, 1e-11)],
)
def test_formulas_have_their_orders_and_good_steps_of_their_own(
    method, order, accuracy
):
    coarse, fine = (
        abs(finite_difference(np.exp, 0.3, method, h) - math.exp(0.3))
        for h in (0.1, 0.05)
    )
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.1)
    found = finite_difference(np.exp, 0.3, method)
    assert found == pytest.approx(math.exp(0.3), rel=accuracy)


def test_special_steps():
    assert finite_difference(np.exp, 0.3, "complex", 1e-30) == math.exp(0.3)
    assert finite_difference(np.square, 3.0, "forward", h=0.5) == 6.5
    assert finite_difference(lambda x: 1.0 * x, 1.7e308) == 1
    found = finite_difference(lambda x: np.sum(np.log(x)), np.array([1.0, 0.01]), h=0.1)
    assert np.isnan(found[1]) and found[0] == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("h", [0, -1.0, math.nan, math.inf, "1", True])
def test_a_step_that_is_no_step(h):
    with pytest.raises(ValueError, match="h: got .*, expected a finite number above 0"):
        finite_difference(np.sin, 1.0, h=h)


def test_the_structure_of_x_comes_back_and_x_stays():
    x = {"W": np.ones((2, 3)), "rest": [(2.0, 3), np.float64(4)]}

    def f(x):
        (a, b), c = x["rest"]
        return np.sum(x["W"]) * a * b * c

    found = finite_difference(f, x, method="five-point")
    assert list(found) == ["W", "rest"] and type(found["rest"][0]) is tuple
    np.testing.assert_allclose(found["W"], np.full((2, 3), 24.0), rtol=1e-11)
    (a, b), c = found["rest"]
    assert (a, b, c) == pytest.approx((72, 48, 36), rel=1e-11)
    assert type(x["rest"][0][1]) is int and np.all(x["W"] == 1)


# --- error bars -----------------------------------------------------------------------


SMOOTH = {
    "exp": (np.exp, np.exp),
    "log": (lambda x: np.log(np.abs(x)), lambda x: 1 / x),
    "1/x": (lambda x: 1 / x, lambda x: -1 / x**2),
    "sin x^2": (lambda x: np.sin(x * x), lambda x: 2 * x * np.cos(x * x)),
    "|x|": (np.abs, np.sign),
    "x|x|": (lambda x: x * np.abs(x), lambda x: 2 * np.abs(x)),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_the_bars_hold_the_truth_and_are_sharp(name):
    f, derivative = SMOOTH[name]
    random = np.random.default_rng(0)
    for _ in range(20):
        x = random.standard_normal() * 10 ** random.uniform(-6, 1)
        found, truth = explored(f, x), derivative(x)
        assert all(slope.holds(truth) for slope in found)
        rounding = 1e-12 * max(1.0, abs(f(x))) / min(1.0, abs(x))
        assert found.center.bar <= 3e-8 * abs(truth) + rounding


@pytest.mark.parametrize(
    "f, x, least, most",
    [
        (lambda x: 3.0 * x, 1.0, 1e-16, 1e-15),
        (lambda x: (1e8 + np.sin(x)) - 1e8, 1.0, 1e-9, 1e-7),
        (lambda x: float(np.exp(np.float32(x))), 1.0, 1e-8, 1e-6),
        (lambda x: float(np.exp(np.float32(x))), 0.0, 1e-8, 1e-6),
        # neither a kink nor stairs count as noise
        (lambda x: abs(x - (1 + 1e-8)) + 1, 1.0, 1e-16, 1e-15),
        (lambda x: np.floor(1e3 * x) / 1e3, 0.5003, 1e-16, 1e-15),
        (lambda x: 5.0, 1.0, 1e-16, 2e-15),
    ],
)
def test_noise_is_measured(f, x, least, most):
    assert least < measure_noise(Line(Function(f, x), 0)) < most


# --- x and f --------------------------------------------------------------------------


def test_f_may_keep_its_argument_and_must_not_change_it():
    kept = []

    def f(x):
        kept.append(x)
        return float(np.sum(x["a"]) + x["b"])

    Line(Function(f, {"a": np.ones(2), "b": 3.0}), 0)(0.5)
    np.testing.assert_array_equal(kept[0]["a"], [1, 1])
    np.testing.assert_array_equal(kept[-1]["a"], [1.5, 1])
    with pytest.raises(ValueError, match="read-only"):
        kept[-1]["a"] += 1

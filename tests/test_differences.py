"""Slopes by differences: the formulas, and the bars that must hold the truth."""

import math

import numpy as np
import pytest

from comp551ad import differences
from comp551ad.differences import Function, find_slope, finite_difference

CHOICES = ["forward", "central", "five-point"]


def slope_of(f, x, method="five-point"):
    function = Function(f, x)
    formula, _ = differences.choose_formula(method)
    with np.errstate(all="ignore"):
        noise = function.noise()
        return find_slope(function.along(0), abs(float(x)), noise.far, formula)


# ---------------------------------------------------------------- finite_difference


def test_formulas_and_their_orders():
    for method, order in [("forward", 1), ("central", 2), ("five-point", 4)]:
        errors = [
            abs(finite_difference(np.exp, 0.3, method, h) - math.exp(0.3))
            for h in (0.1, 0.05)
        ]
        assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.1)
    assert finite_difference(np.exp, 0.3, "complex", 1e-30) == math.exp(0.3)
    assert finite_difference(np.square, 3.0, "forward", h=0.5) == 6.5
    for method, accuracy in [
        ("forward", 1e-7),
        ("central", 1e-9),
        ("five-point", 1e-11),
    ]:
        assert finite_difference(np.exp, 0.3, method) == pytest.approx(
            math.exp(0.3), rel=accuracy
        )


def test_outside_the_domain_is_nan():
    found = finite_difference(lambda x: np.sum(np.log(x)), np.array([1.0, 0.01]), h=0.1)
    assert np.isnan(found[1]) and found[0] == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("h", [0, -1.0, math.nan, math.inf, "1", True])
def test_a_step_that_is_no_step(h):
    with pytest.raises(ValueError, match="h must be a positive number"):
        finite_difference(np.sin, 1.0, h=h)


def test_the_structure_of_x_comes_back():
    x = {"W": np.ones((2, 3)), "rest": [(2.0, 3), np.float64(4)]}

    def f(x):
        (a, b), c = x["rest"]
        return np.sum(x["W"]) * a * b * c

    found = finite_difference(f, x, method="five-point")
    assert list(found) == ["W", "rest"] and type(found["rest"][0]) is tuple
    np.testing.assert_allclose(found["W"], np.full((2, 3), 24.0), rtol=1e-11)
    (a, b), c = found["rest"]
    assert (a, b, c) == pytest.approx((72, 48, 36), rel=1e-11)


# ---------------------------------------------------------------- the bar


SMOOTH = {
    "sin": (np.sin, np.cos),
    "exp": (np.exp, np.exp),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "log": (lambda x: np.log(np.abs(x)), lambda x: 1 / x),
    "1/x": (lambda x: 1 / x, lambda x: -1 / x**2),
    "sin x^2": (lambda x: np.sin(x * x), lambda x: 2 * x * np.cos(x * x)),
    "steep": (lambda x: np.arctan(1e3 * x), lambda x: 1e3 / (1 + 1e6 * x * x)),
    "x|x|": (lambda x: x * np.abs(x), lambda x: 2 * np.abs(x)),
    "relu": (lambda x: np.maximum(x, 0), lambda x: 1.0 * (x > 0)),
}


@pytest.mark.parametrize("method", CHOICES)
@pytest.mark.parametrize("name", SMOOTH)
def test_the_bar_holds_the_truth(name, method):
    f, derivative = SMOOTH[name]
    random = np.random.default_rng(0)
    for _ in range(20):
        x = random.standard_normal() * 10 ** random.uniform(-6, 1)
        slope, truth = slope_of(f, x, method), derivative(x)
        assert slope.sides is None
        assert abs(slope.estimate - truth) <= slope.bar
        # Sharp enough to be of use: as sharp as asked for, or as rounding allows.
        sharp = {"forward": 1e-4, "central": 1e-6}.get(method, differences.SHARP)
        rounding = 1e-12 * max(1.0, abs(f(x))) / min(1.0, abs(x))
        assert slope.bar <= sharp * abs(truth) + rounding


def test_a_bar_is_sharp_and_cheap():
    function = Function(np.exp, 0.3)
    formula, _ = differences.choose_formula("five-point")
    slope = find_slope(function.along(0), 0.3, function.noise().far, formula)
    assert abs(slope.estimate - math.exp(0.3)) <= slope.bar < 1e-7
    # 2 at x, 2 x 16 for the noise, and 6 for the slope: h/2, h and 2h to both sides.
    assert function.calls == 40


def test_a_longer_step_that_sees_too_little_is_contradicted():
    """At x = 1e6 the first steps go over 1300 periods of the sine."""
    slope = slope_of(np.sin, 1e6)
    assert abs(slope.estimate - math.cos(1e6)) <= slope.bar < 1e-6


@pytest.mark.parametrize("method", CHOICES)
def test_a_kink_has_two_slopes(method):
    cases = [
        (lambda x: np.maximum(x, 0), 0.0, (0, 1)),
        (np.abs, 0.0, (-1, 1)),
        (lambda x: np.sin(3 * x) + 2 * np.abs(x), 0.0, (1, 5)),
        (lambda x: np.maximum(x * x, x), 1.0, (1, 2)),
    ]
    for f, x, expected in cases:
        slope = slope_of(f, x, method)
        assert slope.sides == pytest.approx(expected, abs=slope.bar + 1e-15)
        assert slope.bar < 1e-4


@pytest.mark.parametrize("distance", [1e-2, 1e-5, 1e-8, 1e-14, 1e-100])
def test_a_kink_nearby_is_none_here(distance):
    for x, expected in ((distance, 1.0), (-distance, -1.0)):
        slope = slope_of(np.abs, x)
        assert slope.sides is None
        assert abs(slope.estimate - expected) <= slope.bar < 1e-6


def test_a_kink_next_to_a_number_of_size_1():
    """Down to the rounding of x it is none; nearer it can't be told from one at x."""
    for distance in (1e-9, 1e-11, 1e-13, 1e-15):
        slope = slope_of(lambda x, d=distance: abs(x - (1 + d)), 1.0)
        if distance > 1e-14:
            assert slope.sides is None
            assert abs(slope.estimate + 1) <= slope.bar < 0.5
        else:
            assert slope.sides == pytest.approx((-1, 1), abs=slope.bar)
            assert slope.bar < 1e-2


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize("x", [1e-10, 1e-6, 1e-3, 0.7, 100.0])
def test_a_kink_beyond_the_rounding_of_a_number_of_any_size_is_none(x, way):
    at = x + way * max(1e-14, 1e-13 * x)
    slope = slope_of(lambda t: abs(t - at), x)
    assert slope.sides is None
    assert abs(slope.estimate + way) <= slope.bar < 0.5


def test_stairs_at_a_kink_do_not_move_it():
    """x + 3 is rounded to steps of 4e-16, on which f is flat, as it is left of 0."""
    for x in (0.0, 1e-10, -1e-10):
        slope = slope_of(lambda t: max((t + 3) - 3, 0.0), x)
        assert slope.sides is None if x else slope.sides == pytest.approx((0, 1))


def test_near_the_largest_number():
    assert slope_of(math.exp, 709.0).estimate == pytest.approx(math.exp(709), rel=1e-8)
    assert slope_of(lambda x: 1.0 * x, 1.7e308).estimate == pytest.approx(1)
    assert finite_difference(lambda x: 1.0 * x, 1.7e308) == 1


@pytest.mark.parametrize("f", [np.sqrt, np.sign, lambda x: np.sqrt(np.abs(x))])
def test_no_slope_is_found_where_there_is_none(f):
    slope = slope_of(f, 0.0)
    assert math.isnan(slope.estimate) and slope.bar == math.inf


# ---------------------------------------------------------------- f near x


@pytest.mark.parametrize(
    "f, x, least, most",
    [
        (lambda x: 3.0 * x, 1.0, 1e-16, 1e-15),
        (lambda x: (1e8 + np.sin(x)) - 1e8, 1.0, 1e-9, 1e-7),
        (lambda x: np.sin(np.float32(x)), 1.0, 1e-8, 1e-6),
        (lambda x: float(np.exp(np.float32(x))), 1.0, 1e-8, 1e-6),
        (lambda x: float(np.exp(np.float32(x))), 0.0, 1e-8, 1e-6),
        (np.exp, 0.0, 1e-16, 1e-15),
        (lambda x: abs(x - (1 + 1e-8)) + 1, 1.0, 1e-16, 1e-15),  # a kink is no noise
        (lambda x: 5.0, 1.0, 1e-16, 2e-15),
    ],
)
def test_noise_is_measured(f, x, least, most):
    noise = Function(f, x).noise()
    assert least < noise.near <= noise.far < most


def test_a_wave_and_stairs_are_noise_from_afar():
    for f, x in [(np.sin, 1e8), (lambda x: np.floor(1e3 * x) / 1e3, 0.5003)]:
        noise = Function(f, x).noise()
        assert noise.near < 1e-15 and noise.far > 1e-4


def test_short_steps_contradict_where_a_longer_one_saw_too_little():
    def stairs(x):
        return np.floor(1e4 * x) * 1e-9 + x * x

    for f, expected in [(stairs, True), (np.square, False)]:
        function = Function(f, 0.50003)
        along, noise = function.along(0), function.noise()
        slope = find_slope(
            along, 0.5, noise.far, differences.choose_formula("central")[0]
        )
        for gap in (1e-5, 1e-4):
            found = differences.is_contradicted(slope, along, 0.5, noise.near, gap)
            assert found == (expected and gap == 1e-5)


def test_f_may_keep_its_argument():
    kept = []

    def f(x):
        kept.append(x)
        return float(np.sum(x["a"]) + x["b"])

    function = Function(f, {"a": np.ones(2), "b": 3.0})
    function.along(0)(0.5)
    np.testing.assert_array_equal(kept[0]["a"], [1, 1])
    np.testing.assert_array_equal(kept[-1]["a"], [1.5, 1])
    with pytest.raises(ValueError, match="read-only"):
        kept[-1]["a"] += 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        kept[-1]["a"].flags.writeable = True


def test_a_line_through_x():
    function = Function(
        lambda p: p["a"] ** 2 * np.sum(p["B"]), {"a": 3, "B": np.ones(2)}
    )
    assert function.names == ["a", "B"] and function.value == 18
    along = function.along(slice(1, 3), np.array([1.0, -0.5]))
    assert along(2.0) == 27 and along(0.0) == 18
    calls = function.calls
    assert along(2.0) == 27 and function.calls == calls  # remembered
    np.testing.assert_array_equal(function.vector, [3, 1, 1])


def test_where_f_refuses_it_is_nan():
    along = Function(math.log, 1.0).along(0)
    assert math.isnan(along(-2.0)) and along(1.0) == math.log(2)

"""The third witness: what it catches, what it accepts, what it rejects."""

import math
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from comp551ad.byhand.two_layer import cost, gradients
from comp551ad.datasets import load_iris
from comp551ad.gradcheck import check_gradient

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))
from gradcheck_relu import examine, once_each  # noqa: E402

X, Y = load_iris()
A = np.arange(1.0, 10).reshape(3, 3)
P = np.random.default_rng(0).standard_normal((3, 3))


def iris_point(seed, scale):
    random = np.random.default_rng(seed)
    return tuple(scale * random.standard_normal(size) for size in [(16, 3), (3, 16)])


def iris_cost(parameters):
    return cost(X, Y, *parameters)


def wave(x):
    return np.sum(A * np.sin(x))


# --- networks -------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.01, 0.5])
def test_no_false_alarm_on_iris_and_an_error_of_1e7_found_where_planted(scale):
    point = iris_point(1, scale)
    right = gradients(X, Y, *point)
    f = once_each(iris_cost)
    report = check_gradient(f, right, point)
    assert report.passed and not report.kinks and not report.mistake
    assert report.evaluations < 9 * 96
    planted = np.random.default_rng(1).permutation(96) < 48
    factors = np.split(1 + 1e-7 * planted, 2)
    spoilt = tuple(f.reshape(g.shape) * g for f, g in zip(factors, right, strict=True))
    report = check_gradient(f, spoilt, point, names=("W", "V"))
    names = [c.name for c in report.coordinates]
    assert names[:2] == ["W[0, 0]", "W[0, 1]"] and names[-1] == "V[2, 15]"
    # The report gives the resolution, below which errors are missed.
    visible = {c.name for c in report.coordinates if c.resolution < 0.9e-7}
    assert {c.name for c in report.wrong} & visible == {
        *np.array(names)[planted]
    } & visible
    assert len(visible) > 88 and not report.unjudged
    assert report.evaluations < 64 * 96


@pytest.mark.parametrize("scale", [0.5, 0.01])
def test_deep_relu_networks_with_zero_biases(scale):
    """Left, right and half-way slopes, and errors of 0.1 % in each: see the benchmark."""
    verdicts = examine(7, scale)
    assert not verdicts["right: wrong"], verdicts
    assert not verdicts["planted: agrees"] and not verdicts["planted: kink"]
    assert verdicts["right: unjudged"] < 0.01 * verdicts["checked"]
    assert verdicts["right: kink"] >= 0.9 * verdicts["at kinks"]


def test_the_verdict_on_one_array_does_not_hang_on_the_others():
    X, t = P[:, :2], np.ones(3)

    def f(p):
        return np.sum((np.maximum(X @ p["W"], 0) @ p["w"] + p["b"] - t) ** 2)

    p = {"W": P[:2] * 1e-2, "w": P[0], "b": 0.0}
    whole = check_gradient(f, {"W": P[:2], "w": P[0], "b": 0.0}, p).coordinates
    alone = check_gradient(lambda W: f({**p, "W": W}), P[:2], p["W"]).coordinates
    assert [c.verdict for c in alone] == [c.verdict for c in whole[: len(alone)]]
    assert [c.bar for c in alone] == [c.bar for c in whole[: len(alone)]]


@pytest.mark.parametrize("scale", [0.01, 1.0])
def test_no_false_alarm_on_iris_in_float32(scale):
    @once_each
    def cost32(parameters):
        X32, Y32, W, V = (part.astype("f4") for part in (X, Y, *parameters))
        U = (np.float32(1) / (np.float32(1) + np.exp(-X32 @ V))) @ W  # N x C
        losses = np.log(np.sum(np.exp(U), axis=1)) - np.sum(U * Y32, axis=1)
        return float(np.mean(losses))

    point = iris_point(2, scale)
    right = gradients(X, Y, *point)
    assert not check_gradient(cost32, right, point).wrong
    assert check_gradient(cost32, right, point, directions=2)
    flipped = check_gradient(cost32, tuple(-g for g in right), point)
    assert len(flipped.wrong) + len(flipped.unjudged) == 96
    assert len(flipped.wrong) > 80


# --- one number -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "f, slope, x",
    [
        (np.sin, np.cos, 0.7),
        (np.sin, np.cos, 1e8),
        (lambda x: math.sin(1e7 * x), lambda x: 1e7 * math.cos(1e7 * x), 0.3),
        (np.log, lambda x: 1 / x, 1e-200),
        (lambda x: 1 / x, lambda x: -1 / x**2, 1e-100),
        (lambda x: x**3, lambda x: 3 * x**2, 0.0),
        (lambda x: 3.0, lambda x: 0.0, 0.0),
        (lambda x: (1e8 + np.sin(x)) - 1e8, np.cos, 1.0),
        (lambda x: 1e-20 * x * x, lambda x: 2e-20 * x, 1.0),
        # float32 inside
        (lambda x: float(np.exp(np.float32(x))), np.exp, 0.0),
        # near the largest float
        (math.exp, math.exp, 709.0),
        (lambda x: x * 1.0, lambda x: 1.0, 1.797e308),
        # a kink or a jump nearby
        (lambda x: abs(x - (1 + 1e-10)), lambda x: -1.0, 1.0),
        (lambda x: max(x, 0), lambda x: 1.0, 1e-14),
        (lambda x: np.floor(1e4 * x) * 1e-9 + x * x, lambda x: 2 * x, 0.50003),
        # a bend at x: the second derivatives on the two sides differ
        (lambda x: x * abs(x) + x, lambda x: 1.0, 0.0),
        (lambda x: 1e3 * max(x, 0) ** 2 + np.exp(x), lambda x: 1.0, 0.0),
    ],
)
def test_right_slope_passes_and_wrong_one_does_not(f, slope, x):
    right = check_gradient(f, slope, x)
    assert right.passed and right.worst.verdict in ("agrees", "kink"), right
    wrong = check_gradient(f, slope(x) * 1.01 + (slope(x) == 0) * 0.01, x)
    assert not wrong, wrong


@pytest.mark.parametrize(
    "f, slope, low, high",
    [
        (lambda x: np.log(1 + np.exp(x)), lambda x: 1 / (1 + np.exp(-x)), -45, 5),
        (lambda x: -math.log(1 - 1 / (1 + math.exp(-x))), lambda x: 1 / (1 + np.exp(-x)), -36, 5),
        (lambda x: (1e4 + x) ** 2 - 1e8, lambda x: 2 * (1e4 + x), -1, 1),
        # One part of f is constant over short steps, which then miss its slope.
        (lambda x: float(np.exp(np.float32(x))) + x, lambda x: np.exp(x) + 1, -2, 2),
        (lambda x: float(np.float32(np.exp(x))) * x, lambda x: np.exp(x) * (1 + x), -2, 2),
        (lambda x: round(np.exp(x), 6) + x, lambda x: np.exp(x) + 1, -2, 2),
        (lambda x: float(np.exp(np.float16(x))), np.exp, -2, 2),
        (lambda x: float(f"{np.exp(x):.6g}"), np.exp, -2, 2),
        (lambda x: round(np.exp(x), 6), np.exp, -2, 2),
    ],
)  # fmt: skip
def test_a_right_slope_is_not_wrong_where_f_has_lost_its_last_digits(
    f, slope, low, high
):
    """These lose them in intermediate results, though the final one looks exact."""
    for x in np.linspace(low, high, 40):
        right = check_gradient(f, slope(x), x)
        assert not right.wrong, right
        assert not check_gradient(f, 1.01 * slope(x), x)


def test_a_claim_of_0_does_not_pass_where_f_stands_still_for_short_steps_alone():
    for f in (
        lambda x: round(np.exp(x), 6),
        lambda x: float(f"{np.exp(x):.6g}"),
        lambda x: np.float32(np.exp(np.float32(x))),
    ):
        for x in np.linspace(-2, 2, 40):
            assert not check_gradient(f, 0.0, x)


@pytest.mark.parametrize(
    "f, gradient, x, words",
    [
        # Beside an entry of 1e8, f has no digits left for the entry 1.
        (lambda x: np.sum(x**2), [2e-8, 2, 2e8], np.array([1e-8, 1, 1e8]), "the digits"),
        (lambda x: 1e15 + np.sum(np.sin(x)), [-3, -3], np.array([0.1, 0.2]), "digits of f"),
        # Stairs as low as the steps of float32, and higher ones.
        (lambda x: float(np.float32(1e3 + np.sin(x) / 100)), 0.01, 0.001, "digits of f allow"),
        (lambda x: 5 + np.floor(1e7 * x) / 1e7, 0.0, 0.500034567, "f is too rough"),
        (lambda x: np.floor(1e3 * x) / 1e3, 0.0, 0.50034, "f is too rough here"),
        # A saturated softmax: 1 + 2e-22 is 1.
        (lambda x: np.log(1 + np.exp(x)), np.exp(-50.0), -50.0, "this small can't be told from 0"),
        # No slope at all.
        (np.sqrt, 1.0, 0.0, "f jumps, ends or blows up here"),
        (lambda x: np.sqrt(x) ** 4 + x, 1.0, 0.0, "f jumps, ends or blows up here"),
        (lambda x: np.sqrt(abs(x)), 1.0, 0.0, "f jumps, ends or blows up here"),
        (lambda x: x + (x > 0), 1.0, 0.0, "f jumps, ends or blows up here"),
        (np.sign, 1.0, 0.0, "f jumps, ends or blows up here"),
    ],
)  # fmt: skip
def test_what_f_does_not_tell_is_unjudged_in_words(f, gradient, x, words):
    report = check_gradient(f, gradient, x)
    assert not report.passed and not report.wrong and words in str(report)


def test_a_claim_of_0_passes_where_only_rounding_is_seen():
    @once_each
    def normalized(x):
        return np.sum(A[0] * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5))

    def softmax_sums_to_1(x):
        return np.sum(np.exp(x) / np.sum(np.exp(x)))

    for seed in range(4):
        x = np.random.default_rng(seed).standard_normal((8, 3))
        for claim in (np.zeros_like(x), 1e-17 * x):
            assert check_gradient(normalized, claim, x)
    x = np.array([0.3, 0.2, -1.0])
    assert check_gradient(softmax_sums_to_1, np.array([1e-17, 0, -2e-17]), x)
    x = np.array([0, math.pi, 1.0, -3.0, 1e-12])
    for f in (np.cos, lambda x: 1e8 + np.cos(x)):
        assert check_gradient(lambda x, f=f: np.sum(f(x)), lambda x: -np.sin(x), x)


@pytest.mark.parametrize("method", ["central", "forward", "complex"])
def test_other_methods(method):
    x = np.linspace(-1, 2, 6).reshape(2, 3)

    def f(x):
        return np.sum(np.sin(x) * x)

    def slope(x):
        return np.cos(x) * x + np.sin(x)

    assert check_gradient(f, slope, x, method=method)
    report = check_gradient(f, 1.0001 * slope(x), x, method=method)
    assert len(report.wrong) >= 5 and report.method == method
    assert check_gradient(f, slope, x, method=method, directions=2)


# --- kinks ----------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize("method", ["five-point", "central", "forward"])
def test_at_a_kink_of_any_size_all_slopes_between_are_right(jump, method):
    def f(x):
        return np.exp(x) + jump * np.maximum(x, 0)

    for part in (0, 0.5, 1):
        report = check_gradient(f, 1 + part * jump, 0.0, method=method)
        assert report.passed and [c.name for c in report.kinks] == ["x"]
        assert report.worst.sides == pytest.approx((1, 1 + jump), abs=1e-2 * jump)
        assert report.worst.bar < 1e-6
        assert "kinks      x" in str(report)
    for part in (-0.5, 1.5):
        report = check_gradient(f, 1 + part * jump, 0.0, method=method)
        assert report.worst.verdict == "wrong" and "on the left" in str(report)


@pytest.mark.parametrize("x", [1e-10, 1e-6, 1e-3])
def test_a_kink_beside_x_is_none_at_x(x):
    for claim, verdict in (0.0, "wrong"), (1.0, "wrong"), (-1.0, "agrees"):
        report = check_gradient(lambda t: abs(t - (x + 1e-14)), claim, x)
        assert report.worst.verdict == verdict


def test_kinks_beside_smooth_coordinates():
    report = check_gradient(np.max, [0.5, 0.5, 0], np.array([2.0, 2.0, 1.0]))
    assert report.passed and [c.name for c in report.kinks] == ["x[0]", "x[1]"]


def test_directions():
    x = np.random.default_rng(0).standard_normal((200, 100))
    bad = np.cos(x)
    bad[3, 4] += 1e-2
    report = check_gradient(lambda x: np.sum(np.sin(x)), bad, x, directions=3)
    assert len(report.wrong) == 3 and report.evaluations < 300
    assert check_gradient(lambda x: np.sum(np.sin(x)), np.cos, x, directions=3)
    # The errors of a transpose come in pairs, equal but for the sign.
    for seed in range(10):
        report = check_gradient(wave, (A * np.cos(P)).T, P, directions=1, seed=seed)
        assert len(report.wrong) == 1

    def f(x):
        return 5 * abs(x[0]) + np.sum(x[1:] ** 2)

    report = check_gradient(f, 2 * np.arange(6.0), np.arange(6.0), directions=3)
    assert len(report.unjudged) == 3 and not report.kinks
    assert "crosses a kink; leave directions out" in str(report)


# --- the likely mistake ---------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda g: -g, "the sign is flipped; -1 times it fits"),
        (lambda g: 2 * g, "1/2 times it fits"),
        (lambda g: g * 150, "1/150 times it fits; a sum in one place"),
        (lambda g: g / -6, "the sign is flipped; -6 times it fits; a sum in one"),
        (lambda g: g * -6, "the sign is flipped; -1/6 times it fits; a sum in one"),
        (lambda g: g * 18 / 17, "17/18 times it fits; n in one place, n - 1 in the other"),
        (lambda g: g * 149 / 150, "150/149 times it fits; n in one place"),
        (lambda g: g.T, "x: the transpose fits; it is transposed"),
        (lambda g: -g.T, "x: transposed, and the sign is flipped"),
        (lambda g: 0 * g, "all zeros"),
        (lambda g: g + np.eye(3) * [0, 1, 0], "x: only 1 of 9 is wrong"),
        # Meaningless factors aren't reported.
        (lambda g: g * 461 / 505.5, "x: 9 of 9 are wrong"),
        (lambda g: g.astype("f4").astype(float), "the claim looks like float32"),
        (lambda g: g * (1 + 3e-7 * np.sin(99 * g)), "the claim looks like float32"),
    ],
)  # fmt: skip
def test_likely_mistake_is_named(spoil, words):
    report = check_gradient(wave, lambda x: spoil(A * np.cos(x)), P)
    assert not report.passed and words in report.mistake and words in str(report)


def test_a_float32_claim_may_be_right_to_its_digits_and_f_may_ignore_its_argument():
    assert check_gradient(wave, (A * np.cos(P)).astype("f4"), P)
    report = check_gradient(lambda _: wave(P), A * np.cos(P), P)
    assert len(report.wrong) == 9
    assert report.mistake.startswith("f gives the same number for every x")


def test_a_factor_needs_all_coordinates_and_is_found_through_noise():
    for claimed, words in (
        ([2e6, 2.0], "1/2 times it fits"),
        ([2e6, 10.0], "x: 2 of 2 are wrong"),
    ):
        report = check_gradient(lambda p: 1e6 * p[0] + p[1], claimed, np.ones(2))
        assert report.mistake == words
    noise = np.random.default_rng(1).standard_normal(10**4)

    def noisy(x):
        return wave(x) + 1e-6 * noise[int(np.sum(np.abs(x)) * 1e14) % 10**4]

    assert check_gradient(noisy, 1.5 * A * np.cos(P), P).mistake == "2/3 times it fits"


def test_gradients_of_other_arrays():
    a, b = np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6], [7, 9]])
    x = {"a": np.ones((2, 2)), "b": np.ones((2, 2))}

    def mistake(claim, uses_b=1):
        def f(p):
            return np.sum(a * p["a"]) + uses_b * np.sum(b * p["b"])

        return check_gradient(f, claim, x).mistake

    assert mistake({"a": b, "b": b}) == "x['a']: this is the gradient of x['b']"
    swapped = "x['a']: this is the gradient of x['b']; the two are swapped"
    assert swapped in mistake({"a": b, "b": a})
    small = {"a": a + [[1e-6, 0], [0, 0]], "b": b}
    assert mistake(small) == "x['a']: only 1 of 4 is wrong"
    unused = "x['b']: f doesn't depend on x['b'] here, its gradient is 0"
    assert mistake({"a": a, "b": b}, uses_b=0) == unused


@pytest.mark.parametrize("rare", [0.5, 0.02])
def test_an_f_that_is_random_is_named(rare):
    for seed in range(40):
        random = np.random.default_rng(seed)
        try:
            report = check_gradient(
                lambda w, r=random: np.sum(w * (r.random(4) > rare)),
                np.ones(4),
                np.ones(4),
            )
            # By chance, no draw may have occurred.
            assert report.passed and rare < 0.1
        except ValueError as error:
            assert "the same number each time" in str(error)


# --- structures, messages and errors --------------------------------------------------


def test_structures_names_and_promotion():
    pair = namedtuple("pair", "W b")
    x = {"layers": [pair(np.arange(6).reshape(2, 3), 2), (np.ones((1, 2)),)]}

    def f(x):
        (W, b), (U,) = x["layers"]
        assert W.dtype == np.float64 and isinstance(b, float)
        return np.sum(U @ W**2) * b

    def g(x):
        (W, b), (U,) = x["layers"]
        dW, db = 2 * W * U.T * b, np.sum(U @ W**2)
        return {"layers": [pair(dW, db), ((W**2).sum(axis=1)[None] * b,)]}

    report = check_gradient(f, g, x)
    names = [c.name for c in report.coordinates]
    assert report.passed and names[0] == "x['layers'][0][0][0, 0]"
    assert names[6] == "x['layers'][0][1]" and x["layers"][0].W.dtype.kind == "i"
    # f may call methods of NumPy's numbers.
    assert check_gradient(lambda x: x.clip(0, 1) * x, 0.6, np.float64(0.3))
    letters = (letter for letter in "ab")
    report = check_gradient(
        lambda x: x[0] * x[1], (2.0, 1.0), (1.0, 2.0), names=letters
    )
    assert [c.name for c in report.coordinates] == ["a", "b"]


def test_words():
    x = (np.array([[1.0, 2], [3, 4]]), 2.0)
    claim = np.array([[4.0, 8], [12, 17]]), 30.0
    report = check_gradient(
        lambda p: np.sum(p[0] ** 2) * p[1], claim, x, names=("W", "scale")
    )
    assert str(report).startswith("FAILED: 4 of 5 values agree with finite differences")
    lines = str(report).splitlines()
    assert lines[1:3] == ["  worst      W[1, 1], 0.059 off", "  claimed    17"]
    assert lines[3].startswith("  difference 16, known to within ")
    assert lines[4:] == ["  wrong      W[1, 1]", "  likely     W: only 1 of 4 is wrong"]
    assert report.worst.relative_error == pytest.approx(1 / 17)
    with pytest.raises(AssertionError, match="claimed    17"):
        report.raise_if_failed()
    report = check_gradient(np.square, 6.0, 3.0)
    assert report and report.raise_if_failed() is report
    assert repr(report).startswith("passed: 1 of 1 value agree")


def test_the_structure_is_that_of_x_and_an_arrays_gradient_may_be_a_list():
    x = {"a": two, "b": [1.0, two]}
    f = lambda x: np.sum(x["a"]) + x["b"][0] * np.sum(x["b"][1])  # noqa: E731
    assert check_gradient(f, {"b": (2.0, [1, 1]), "a": [1, 1]}, x)


def test_f_sees_what_x_is_and_may_refuse_a_point():
    """The root of a negative number is complex, and complex numbers have no order."""
    kinds = []
    check_gradient(lambda x: kinds.append(type(x)) or x * x, 2.0, np.array(1.0))
    assert {*kinds} == {np.ndarray}
    assert check_gradient(lambda x: x + 0 * max(x**0.5, 0), 1.0, 1e-9)
    assert check_gradient(lambda x: max(x**0.5, 0), 1.0, 0.0).unjudged
    with pytest.raises(TypeError, match="must be real number"):
        check_gradient(math.exp, 1.0, 0.0, method="complex")


def add_in_place(x):
    x += 1
    return x.sum()


one, two = np.ones(1), np.ones(2)


@pytest.mark.parametrize(
    "f, gradient, x, error, words",
    [
        (np.sum, two, two * 1j, ValueError, "x: got ndarray of complex128, expected"),
        (np.sum, two, [1.0, math.nan], ValueError, r"x\[1\]: got nan .* expected finite"),
        (np.sum, [], np.ones(0), ValueError, "x: got an array .* it has none"),
        (np.sum, two, np.ma.array(two), ValueError, "x: got MaskedArray of"),
        (np.sin, two, two, TypeError, r"f: got an array of shape \(2,\)"),
        (lambda x: None, 1.0, 1.0, TypeError, "f: got None .no return"),
        (lambda x: x * 1j, 1.0, 1.0, TypeError, "f: got 1j, expected one real number"),
        (lambda x: (x, [x, x]), 1.0, 1.0, TypeError, "f: got a tuple of 2"),
        (np.log, 1.0, 0.0, ValueError, r"f: got f\(x\) = -inf, expected a finite"),
        (np.emath.sqrt, 1.0, 1e-9, TypeError, "f: near x got .*j, expected one real"),
        (5, 1.0, 1.0, TypeError, "f: got 5, expected a function"),
        (np.sum, A[:2].T, A[:2], ValueError, r"gradient: got shape \(3, 2\).*transposed"),
        (np.sum, np.ones(3), two, ValueError, r"expected \(2,\), the shape of its x"),
        (np.sum, lambda x: None, two, ValueError, "no return"),
        (np.sum, (1.0, 2.0), (1.0,), TypeError, "gradient: got a tuple of 2, expected"),
        (lambda p: p["W"], {"V": 1}, {"W": 1}, TypeError, r"got a dict with keys \['V'\]"),
        (np.sum, [[1, 2], [3]], two, ValueError, "gradient: got list of object, expected"),
        (lambda _: 0, [1, {"b": 1}], [1, {"a": 1}], TypeError, r"gradient\[1\]: got a dict .*'b'"),
        (lambda _: 0, [1, 2], [1, {"a": 1}], TypeError, r"gradient\[1\]: got 2, expected .*'a'"),
        (add_in_place, two, two, ValueError, "f: got a function that changes its arg"),
        (np.sum, add_in_place, two, ValueError, "gradient: got a function that changes"),
    ],
)  # fmt: skip
def test_refusals(f, gradient, x, error, words):
    with pytest.raises(error, match=words):
        check_gradient(f, gradient, x)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"method": "best"}, "method: got 'best', expected one of"),
        ({"directions": 0}, "directions: got 0, expected a whole number from 1"),
        ({"directions": True}, "directions: got True"),
        ({"names": ("a", "a")}, "names: got .* expected a different name"),
        ({"names": 5}, "names: got"),
        ({"names": (1, 2)}, "names: got"),
        ({"names": (["a"], "b")}, "names: got"),
        ({"seed": "a", "directions": 1}, "got 'a'"),
    ],
)
def test_refused_options(options, words):
    x = (1.0, 2.0)
    with pytest.raises(ValueError, match=words):
        check_gradient(lambda x: x[0] * x[1], (2.0, 1.0), x, **options)
    with pytest.raises(ValueError, match="'complex', expected one that suits f"):
        check_gradient(lambda x: np.sum(abs(x) + x), two * 2, two, method="complex")

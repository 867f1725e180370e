"""The third witness: what it catches, what it lets pass, what it refuses."""

import math
from collections import namedtuple

import numpy as np
import pytest

from comp551ad.byhand.two_layer import cost, gradients
from comp551ad.datasets import load_iris
from comp551ad.differences import finite_difference
from comp551ad.gradcheck import check_gradient

X, Y = load_iris()


def iris_point(seed, scale, M=16):
    random = np.random.default_rng(seed)
    W = scale * random.standard_normal((M, Y.shape[1]))
    V = scale * random.standard_normal((X.shape[1], M))
    return W, V


def iris_cost(parameters):
    return cost(X, Y, *parameters)


def iris_gradients(parameters):
    return gradients(X, Y, *parameters)


# ---------------------------------------------------------------- Iris, issue 7


@pytest.mark.parametrize("scale", [0.01, 0.1, 0.5, 1.0])
def test_no_false_alarm_on_iris(scale):
    for seed in range(3):
        report = check_gradient(iris_cost, iris_gradients, iris_point(seed, scale))
        assert report.passed and len(report.coordinates) == 96
        assert not report.kinks and not report.mistake


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_error_of_1e7_is_caught_in_each_of_96_parameters(seed):
    """Planted in a half of them and then in the other: caught there and only there."""
    point = iris_point(seed=1, scale=0.1)
    right = np.concatenate([g.ravel() for g in gradients(X, Y, *point)])
    half = np.random.default_rng(seed).permutation(96) < 48
    for planted in (half, ~half):
        claim = right * (1 + 1e-7 * planted)
        dW, dV = claim[:48].reshape(16, 3), claim[48:].reshape(3, 16)
        report = check_gradient(iris_cost, (dW, dV), point, names=("W", "V"))
        names = [f"W[{m}, {c}]" for m in range(16) for c in range(3)]
        names += [f"V[{d}, {m}]" for d in range(3) for m in range(16)]
        assert [c.name for c in report.coordinates] == names
        assert [c.name for c in report.wrong] == [
            names[k] for k in np.where(planted)[0]
        ]
        assert not report.unjudged and not report.kinks
        for coordinate in report.wrong:
            assert coordinate.relative_error == pytest.approx(1e-7, rel=0.5)


def test_one_error_of_1e7_is_named():
    point = iris_point(seed=1, scale=0.1)
    dW, dV = gradients(X, Y, *point)
    dV[2, 5] *= 1 + 1e-7
    report = check_gradient(iris_cost, (dW, dV), point, names=("W", "V"))
    assert [c.name for c in report.wrong] == [
        "V[2, 5]"
    ] and report.worst.name == "V[2, 5]"
    assert report.mistake == "V: only 1 of 48 is wrong"


def test_what_would_be_missed_is_said():
    """A claim is caught exactly when it is off by more than the stated resolution."""
    for seed in range(4):
        point = iris_point(seed, scale=0.5)
        report = check_gradient(iris_cost, iris_gradients, point)
        visible = {c.name for c in report.coordinates if c.resolution < 0.5e-7}
        assert len(visible) >= 90
        planted = tuple(g * (1 + 1e-7) for g in gradients(X, Y, *point))
        caught = check_gradient(iris_cost, planted, point)
        assert visible <= {c.name for c in caught.wrong}


def test_few_evaluations():
    report = check_gradient(iris_cost, iris_gradients, iris_point(0, 0.1))
    assert report.evaluations < 96 * 8
    report = check_gradient(iris_cost, iris_gradients, iris_point(0, 0.1), directions=2)
    assert report.passed and report.evaluations < 80  # 34 of them for x and its noise
    assert len(report.coordinates) == 4


# ---------------------------------------------------------------- what is right passes


@pytest.mark.parametrize(
    "f, slope, x",
    [
        (np.sin, np.cos, 0.7),
        (np.sin, np.cos, 1e6),
        (lambda x: np.sin(1e6 * x), lambda x: 1e6 * np.cos(1e6 * x), 0.3),
        (np.log, lambda x: 1 / x, 1e-8),
        (math.log, lambda x: 1 / x, 1e-8),
        (np.log, lambda x: 1 / x, 1e-200),
        (lambda x: 1 / x, lambda x: -1 / x**2, 1e-5),
        (np.exp, np.exp, 300.0),
        (np.square, lambda x: 2 * x, 1e9),
        (lambda x: x**3, lambda x: 3 * x**2, 0.0),
        (lambda x: x * abs(x), lambda x: 2 * abs(x), 0.0),
        (lambda x: 3.0, lambda x: 0.0, 0.0),
        (lambda x: 1e8 + np.sin(x), np.cos, 1.0),
        (lambda x: (1e8 + np.sin(x)) - 1e8, np.cos, 1.0),
        (lambda x: np.sin(np.float32(x)), np.cos, 1.0),
        (lambda x: 1e-20 * x * x, lambda x: 2e-20 * x, 1.0),
        (lambda x: np.maximum(x, 0), lambda x: 1.0, 1e-5),
        (lambda x: np.floor(x) + x, lambda x: 1.0, 1 - 1e-6),
        # float32 inside, where the noise shows among wide points only
        (lambda x: float(np.exp(np.float32(x))), np.exp, 0.0),
        # many periods within the first step
        (np.sin, np.cos, 1e7),
        (lambda x: math.sin(1e7 * x), lambda x: 1e7 * math.cos(1e7 * x), 0.3),
        # near the largest number there is
        (math.exp, math.exp, 709.0),
        (lambda x: x * 1.0, lambda x: 1.0, 1.7e308),
        (lambda x: x * 1.0, lambda x: 1.0, 1.797e308),
        # a kink or a pole nearby
        (lambda x: abs(x - (1 + 3e-8)), lambda x: -1.0, 1.0),
        (lambda x: abs(x - (1 + 1e-8)), lambda x: -1.0, 1.0),
        (lambda x: abs(x - (1 + 1e-10)), lambda x: -1.0, 1.0),
        (lambda x: max(x, 0), lambda x: 1.0, 1e-14),
        (lambda x: max(x, 0), lambda x: 0.0, -1e-14),
        (lambda x: 1 / x, lambda x: -1 / x**2, 1e-14),
        (lambda x: 1 / x, lambda x: -1 / x**2, 1e-20),
        (lambda x: 1 / x, lambda x: -1 / x**2, 1e-100),
    ],
)
def test_right_slope_passes_and_wrong_one_does_not(f, slope, x):
    right = check_gradient(f, slope, x)
    assert right.passed and right.worst.verdict == "agrees"
    wrong = check_gradient(f, slope(x) * 1.01 + (slope(x) == 0) * 0.01, x)
    assert not wrong and wrong.worst.verdict == "wrong"


def test_the_length_of_a_short_vector():
    """The pole of the derivative is nearer than any step for numbers about 1."""
    report = check_gradient(
        lambda x: np.sqrt(np.sum(x * x)), np.array([0.6, 0.8]), np.array([3e-14, 4e-14])
    )
    assert report.passed and not report.kinks


def test_a_function_may_keep_its_x():
    class Model:
        last = None

        def __call__(self, x):
            if self.last is None or not np.array_equal(x, self.last):
                self.last, self.value = x, float(np.sum(x**2))
            return self.value

    x = np.array([1.0, 2.0])
    assert not check_gradient(Model(), np.zeros(2), x)
    assert check_gradient(Model(), 2 * x, x)
    np.testing.assert_allclose(finite_difference(Model(), x), 2 * x, rtol=1e-8)


# ---------------------------------------------------------------- what can't be judged


@pytest.mark.parametrize(
    "f, gradient, x",
    [
        # One entry of 1e8 leaves f no digits for the entry 1.
        (lambda x: np.sum(x**2), [2e-8, -2, 2e8], np.array([1e-8, 1, 1e8])),
        (lambda x: np.sum(x**2), [2e-8, 2, 2e8], np.array([1e-8, 1, 1e8])),
        (lambda x: 1e15 + np.sum(np.sin(x)), [-3, -3], np.array([0.1, 0.2])),
    ],
)
def test_a_bar_wider_than_the_claim_is_no_pass(f, gradient, x):
    report = check_gradient(f, gradient, x)
    assert not report.passed and not report.wrong
    assert "is all that the digits of f tell" in str(report)
    assert "is all that the digits of f tell" in report._repr_html_()


def test_an_entry_of_nearly_0_passes():
    for f in (np.cos, lambda x: 1e8 + np.cos(x)):
        x = np.array([0, math.pi, 1.0, -3.0, 1e-12])
        assert check_gradient(lambda x, f=f: np.sum(f(x)), lambda x: -np.sin(x), x)
    assert check_gradient(np.cos, -np.sin(math.pi), math.pi)

    def softmax_sums_to_1(x):
        return np.sum(np.exp(x) / np.sum(np.exp(x)))

    x = np.array([0.3, 0.2, -1.0])
    assert check_gradient(softmax_sums_to_1, np.array([1e-17, 0, -2e-17]), x)


@pytest.mark.parametrize(
    "f, claim, x",
    [
        (lambda x: np.floor(1e3 * x) / 1e3, 0.0, 0.5003),
        (lambda x: np.floor(1e4 * x) * 1e-9 + x * x, 2 * 0.50003, 0.50003),
        (np.sin, np.cos(1e8), 1e8),
        (np.sin, 0.0, 1e8),
    ],
)
def test_a_rough_function_sounds_no_alarm(f, claim, x):
    report = check_gradient(f, claim, x)
    assert report.worst.verdict == "unjudged" and not report.passed
    assert "f is too rough here" in str(report)


@pytest.mark.parametrize("scale", [0.01, 0.1, 0.5, 1.0])
def test_no_false_alarm_on_iris_in_float32(scale):
    X32, Y32 = X.astype("f4"), Y.astype("f4")

    def cost32(parameters):
        W, V = (part.astype("f4") for part in parameters)
        Z = np.float32(1) / (np.float32(1) + np.exp(-X32 @ V))  # N x M
        U = Z @ W  # N x C
        return float(
            np.mean(np.log(np.sum(np.exp(U), axis=1)) - np.sum(U * Y32, axis=1))
        )

    for seed in range(3):
        point = iris_point(seed, scale)
        right = gradients(X, Y, *point)
        assert not check_gradient(cost32, right, point).wrong
        assert check_gradient(cost32, right, point, directions=2)
        flipped = check_gradient(cost32, tuple(-g for g in right), point)
        assert len(flipped.wrong) + len(flipped.unjudged) == 96
        assert len(flipped.wrong) > 80


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


def test_complex_step_refuses_what_is_not_analytic():
    with pytest.raises(ValueError, match="does not suit f"):
        check_gradient(lambda x: np.sum(abs(x) + x), np.ones(2), np.ones(2) * 2,
                       method="complex")  # fmt: skip
    with pytest.raises(TypeError, match="returned the real number"):
        finite_difference(lambda x: float(x.real), 1.0, method="complex")


# ---------------------------------------------------------------- structures


def test_structures_names_and_promotion():
    pair = namedtuple("pair", "W b")
    x = {"layers": [pair(np.arange(6).reshape(2, 3), 2), (np.ones((1, 2)),)]}

    def f(x):
        (W, b), (U,) = x["layers"]
        assert W.dtype == np.float64 and isinstance(b, float)
        return np.sum(U @ W**2) * b

    def g(x):
        (W, b), (U,) = x["layers"]
        dW = 2 * W * U.T * b
        return {"layers": [(dW, np.sum(U @ W**2)), [(W**2).sum(axis=1)[None] * b]]}

    report = check_gradient(f, g, x)
    assert report.passed
    names = [c.name for c in report.coordinates]
    assert names[0] == "layers[0][0][0, 0]" and names[6] == "layers[0][1]"
    found = finite_difference(f, x)
    assert type(found["layers"][0]) is pair
    np.testing.assert_allclose(found["layers"][0].W, g(x)["layers"][0][0], atol=1e-7)
    assert x["layers"][0].W.dtype == np.arange(1).dtype  # x itself is as it was


def test_layouts_of_x_do_not_matter():
    x = np.random.default_rng(0).standard_normal((6, 8))
    A = np.arange(12.0).reshape(3, 4)
    for view in (x[::2, ::2], np.asfortranarray(x[:3, :4]), x[:3, :4].astype("f4")):
        assert check_gradient(lambda x: np.sum(A * np.sin(x)),
                              lambda x: A * np.cos(x), view)  # fmt: skip


# ---------------------------------------------------------------- kinks


@pytest.mark.parametrize(
    "claim, passed", [(0.0, True), (0.5, True), (1.0, True), (1.5, False), (-1, False)]
)
@pytest.mark.parametrize("method", ["five-point", "central", "forward"])
def test_relu_at_zero_admits_the_slopes_between(claim, passed, method):
    report = check_gradient(lambda x: np.maximum(x, 0), claim, 0.0, method=method)
    assert report.passed == passed
    if (method, claim) == ("forward", 1.0):
        return  # the one-sided formula agrees, and looks no further
    assert report.worst.sides == pytest.approx((0, 1))
    assert len(report.kinks) == passed
    if passed:
        assert "kinks      x" in str(report)


@pytest.mark.parametrize("x, away", [(1e-10, 1e-14), (1e-6, 1e-14), (1e-3, 1e-14)])
def test_a_kink_beside_x_is_none_at_x(x, away):
    for claim, verdict in (0.0, "wrong"), (1.0, "wrong"), (-1.0, "agrees"):
        report = check_gradient(lambda t: abs(t - (x + away)), claim, x)
        assert report.worst.verdict == verdict
    for claim, verdict in (0.0, "wrong"), (1.0, "agrees"):
        report = check_gradient(lambda t: max(t - (x - away), 0), claim, x)
        assert report.worst.verdict == verdict


def test_kinks_beside_smooth_coordinates():
    x = np.array([1.0, 0.0, -1.0])
    report = check_gradient(lambda x: np.abs(x).sum(), np.sign, x)
    assert report.passed and [c.name for c in report.kinks] == ["x[1]"]
    report = check_gradient(np.max, np.array([0.5, 0.5, 0]), np.array([2.0, 2.0, 1.0]))
    assert report.passed and [c.name for c in report.kinks] == ["x[0]", "x[1]"]


@pytest.mark.parametrize(
    "f",
    [
        np.sqrt,
        lambda x: np.sqrt(x) ** 4 + x,  # smooth, but on one side only
        lambda x: np.sqrt(abs(x)),
        lambda x: x + (x > 0),
        np.sign,
    ],
)
def test_no_slope_no_pass(f):
    report = check_gradient(f, 1.0, 0.0)
    assert not report.passed and report.worst.verdict == "unjudged"
    assert "unjudged   x" in str(report)


def test_relu_network():
    random = np.random.default_rng(3)
    for _ in range(5):
        A, b = random.standard_normal((150, 3)), random.standard_normal(4)
        V = random.standard_normal((3, 4))

        def f(V, A=A, b=b):
            return np.mean(np.maximum(A @ V, 0) @ b)

        dV = A.T @ ((A @ V > 0) * b) / 150
        assert check_gradient(f, dV, V)
        report = check_gradient(f, dV * (1 + 1e-5), V)
        assert len(report.wrong) == 12


# ---------------------------------------------------------------- the likely mistake


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda g: -g, "sign is flipped"),
        (lambda g: 2 * g, "1/2 times it fits"),
        (lambda g: g / 2, "2 times it fits"),
        (lambda g: g * 150, "1/150 times it fits; a sum in one place"),
        (lambda g: g / 150, "150 times it fits"),
        (lambda g: g.T, "x: the transpose fits; it is transposed"),
        (lambda g: -g.T, "x: transposed, and the sign is flipped"),
        (lambda g: 2 * g.T, "x: transposed, and 1/2 times it fits"),
        (lambda g: 0 * g, "all zeros"),
        (lambda g: g + np.eye(3) * [0, 1, 0], "only 1 of 9 is wrong"),
        (lambda g: g * [[1], [1], [3]], "only [2, :] is wrong"),
        (lambda g: g * [3, 1, 1], "only [:, 0] is wrong"),
    ],
)
def test_likely_mistake_is_named(spoil, words):
    x = np.random.default_rng(0).standard_normal((3, 3))
    A = np.arange(1.0, 10).reshape(3, 3)
    report = check_gradient(
        lambda x: np.sum(A * np.sin(x)), lambda x: spoil(A * np.cos(x)), x
    )
    assert not report.passed
    assert words in report.mistake and words in str(report)


def test_a_small_error_is_no_swap():
    w = np.array([1.0, 2.0])
    claimed, x = (w + [1e-6, 0], w), (np.ones(2), np.ones(2))
    report = check_gradient(lambda p: float(w @ p[0] + w @ p[1]), claimed, x)
    assert report.mistake == "x[0]: 1 of 2 is wrong"


def test_a_common_factor_fits_the_small_coordinates_too():
    def f(p):
        return 1e6 * p[0] + p[1]

    for claimed, words in (
        ([2e6, 2.0], "1/2 times it fits"),
        ([2e6, 10.0], "x: 2 of 2 are wrong"),
    ):
        assert check_gradient(f, np.array(claimed), np.ones(2)).mistake == words


def test_masks_are_not_dropped():
    masked, x = np.ma.array([1.0, 1.0], mask=[0, 1]), np.ones(2)
    for given, name in ((masked, x), "gradient"), ((x, masked), "x"):
        with pytest.raises(TypeError, match=f"{name} must be a plain array, got a Mas"):
            check_gradient(lambda p: float(np.sum(p)), *given)
    with pytest.raises(TypeError, match="one real number, got a masked array"):
        check_gradient(lambda p: np.ma.masked, x, x)


def test_swapped_and_reordered():
    a, b = np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6], [7, 9]])
    report = check_gradient(
        lambda p: np.sum(p["a"] ** 2 * p["b"]),
        lambda p: {"a": p["a"] ** 2, "b": 2 * p["a"] * p["b"]},
        {"a": a, "b": b},
    )
    assert "a: this is the gradient of b" in report.mistake
    report = check_gradient(  # in proportion, so that a factor would fit as well
        lambda p: np.sum(a * p["a"]) + np.sum(3 * a * p["b"]),
        {"a": 3 * a, "b": a},
        {"a": np.ones((2, 2)), "b": np.ones((2, 2))},
    )
    assert "a: this is the gradient of b; the two are swapped" in report.mistake
    assert "b: this is the gradient of a; the two are swapped" in report.mistake
    x, A = np.ones((2, 3)), np.arange(6.0).reshape(2, 3)
    report = check_gradient(lambda x: np.sum(A * x), A.T.reshape(2, 3), x)
    assert "in the order of the transpose" in report.mistake


def test_one_gradient_used_twice():
    a, b = np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6], [7, 9]])
    x = {"a": np.ones((2, 2)), "b": np.ones((2, 2))}
    report = check_gradient(
        lambda p: np.sum(a * p["a"]) + np.sum(b * p["b"]), {"a": b, "b": b}, x
    )
    assert report.mistake == "a: this is the gradient of b"


def test_directions_catch_one_entry_and_a_factor():
    x = np.random.default_rng(0).standard_normal((200, 100))
    bad = np.cos(x)
    bad[3, 4] += 1e-2
    report = check_gradient(lambda x: np.sum(np.sin(x)), bad, x, directions=3)
    assert len(report.wrong) == 3
    assert check_gradient(lambda x: np.sum(np.sin(x)), np.cos, x, directions=3)
    report = check_gradient(lambda x: np.sum(x * x), lambda x: -2 * x, x, directions=2)
    assert "sign" in report.mistake


@pytest.mark.parametrize("directions", [1, 2, 6])
def test_directions_catch_a_transpose(directions):
    """Its errors come in pairs, equal but for the sign: +1 and -1 would cancel them."""
    A = np.array([[1.0, 2], [3, 4]])
    for seed in range(10):
        report = check_gradient(
            lambda x: np.sum(A * x), A.T, np.ones((2, 2)),
            directions=directions, seed=seed,
        )  # fmt: skip
        assert len(report.wrong) == directions


def test_a_direction_that_crosses_a_kink_is_unjudged():
    def f(x):
        return 5 * abs(x[0]) + np.sum(x[1:] ** 2)

    x = np.arange(6.0)
    for gradient in (2 * x, 2 * x + [0, 0.9, 0, 0, 0, 0]):
        report = check_gradient(f, gradient, x, directions=3)
        assert len(report.unjudged) == 3 and not report.kinks
        assert "crosses a kink; leave directions out" in str(report)
    assert check_gradient(f, 2 * x, x)
    report = check_gradient(
        lambda x: np.sum(abs(x)), lambda x: np.sign(x) + 3, np.zeros(3000), directions=2
    )
    assert not report


# ---------------------------------------------------------------- the report


def test_words_of_a_failure():
    x = (np.array([[1.0, 2], [3, 4]]), 2.0)
    report = check_gradient(
        lambda p: np.sum(p[0] ** 2) * p[1],
        (np.array([[4.0, 8], [12, 17]]), 30.0),
        x,
        names=("W", "scale"),
    )
    assert str(report).splitlines()[1:] == [
        "  worst      W[1, 1]",
        "  claimed    17",
        "  difference 16",
        "  relative   0.059 off, known to within 1e-12",
        "  wrong      W[1, 1]",
        "  likely     W: only 1 of 4 is wrong",
    ]
    assert str(report).startswith("FAILED: 4 of 5 values agree with finite differences")
    again = check_gradient(
        lambda p: np.sum(p[0] ** 2) * p[1],
        (np.array([[4.0, 8], [12, 17]]), 30.0),
        x,
        names=("W", "scale"),
    )
    assert str(again) == str(report) == repr(report)
    worst = report.worst
    assert (worst.name, worst.claimed) == ("W[1, 1]", 17)
    assert worst.finite_difference == pytest.approx(16, abs=worst.bar)
    assert worst.relative_error == pytest.approx(1 / 17)
    with pytest.raises(AssertionError, match="claimed    17"):
        report.raise_if_failed()


def test_words_of_a_pass_and_html():
    report = check_gradient(lambda x: x["<b>"] ** 2, {"<b>": 6.0}, {"<b>": 3.0})
    assert report and report.raise_if_failed() is report
    assert str(report).startswith("passed: 1 of 1 value agree")
    page = report._repr_html_()
    assert "&lt;b&gt;" in page and "<b>[" not in page and "<table>" in page
    assert "<script" not in page and "<svg" not in page


# ---------------------------------------------------------------- refusals


def add_in_place(x):
    x += 1
    return x.sum()


def append(x):
    x.append(1.0)
    return x[0]


def coin():
    draws = iter(range(10**6))
    return lambda x: x * next(draws)


@pytest.mark.parametrize(
    "f, gradient, x, error, words",
    [
        (np.sum, np.ones(2), np.ones(2) * 1j, TypeError, "x must hold real numbers"),
        (np.sum, 1.0, True, TypeError, "x must hold real numbers"),
        (np.sum, 1.0, "text", TypeError, "x must hold real numbers"),
        (np.sum, [1.0, 1], np.array([1, np.nan]), ValueError, r"x\[1\] is nan"),
        (np.sum, [], np.ones(0), ValueError, "no numbers"),
        (
            np.sin,
            np.ones(2),
            np.ones(2),
            TypeError,
            r"one real number, got an array of shape \(2,\)",
        ),
        (
            lambda x: x[:1],
            np.ones(2),
            np.ones(2),
            TypeError,
            r"an array of shape \(1,\)",
        ),
        (lambda x: None, 1.0, 1.0, TypeError, "no return"),
        (lambda x: x * 1j, 1.0, 1.0, TypeError, "real number, got a complex"),
        (lambda x: (x, [x, x]), 1.0, 1.0, TypeError, "real number, got a tuple of 2"),
        (lambda x: "a", 1.0, 1.0, TypeError, "real number, got a str"),
        (np.log, 1.0, -1.0, ValueError, "f.x. is nan"),
        (np.log, 1.0, 0.0, ValueError, "f.x. is -inf"),
        (5, 1.0, 1.0, TypeError, "f must be a function"),
        (np.sum, np.ones((3, 2)), np.ones((2, 3)), ValueError, "transposed?"),
        (np.sum, np.ones(3), np.ones(2), ValueError, "must have the shape of its x"),
        (np.sum, [1, np.inf], np.ones(2), ValueError, r"gradient\[1\] is inf"),
        (np.sum, np.ones(2) * 1j, np.ones(2), TypeError, "gradient must hold real"),
        (np.sum, lambda x: None, np.ones(2), TypeError, "no return"),
        (lambda p: p[0], np.ones(1), (1.0,), TypeError, "structure of x, a tuple of 1"),
        (lambda p: p[0], (1.0, 2.0), (1.0,), TypeError, "tuple of 1; got a tuple of 2"),
        (
            lambda p: p["W"],
            {"V": 1},
            {"W": 1},
            TypeError,
            r"\['W'\]; got a dict .* \['V'\]",
        ),
        (add_in_place, np.ones(2), np.ones(2), ValueError, "f changes its argument"),
        (append, [1.0], [1.0], ValueError, "f changes its argument"),
        (np.sum, add_in_place, np.ones(2), ValueError, "gradient changes its argument"),
        (coin(), 1.0, 1.0, ValueError, "same number each time"),
        (lambda x: 10**25, 0.0, 1.0, TypeError, "got an int too large for NumPy"),
        (lambda x: x * 1.0, 1.0, 2**70, TypeError, "an int too large for NumPy"),
        (lambda x: x if x == 1 else x + 1j, 1.0, 1.0, TypeError, "f must .* near x"),
        (
            lambda x: np.emath.sqrt(x - 1),
            1.0,
            1.0,
            TypeError,
            "f must return one real number; near x it returned .*j",
        ),
    ],
)
def test_refusals(f, gradient, x, error, words):
    with pytest.raises(error, match=words):
        check_gradient(f, gradient, x)


def test_refused_options():
    for options, words in [
        ({"method": "best"}, "method must be one of"),
        ({"directions": 0}, "directions must be"),
        ({"directions": True}, "directions must be"),
        ({"directions": 2, "method": "complex"}, "leave directions out"),
        ({"method": ["five-point"]}, "method must be one of"),
        ({"names": ("a", "b")}, "names must give each entry"),
        ({"names": 5}, "names must give each entry"),
        ({"seed": "a"}, "seed must be a whole number from 0 up, got 'a'"),
        ({"seed": -1}, "seed must be a whole number from 0 up, got -1"),
    ]:
        with pytest.raises(ValueError, match=words):
            check_gradient(np.sin, np.cos, 1.0, **options)
    x = (1.0, 2.0)
    for names in (([1], 2), ("a", "a"), (1, 2), ("a",)):
        with pytest.raises(ValueError, match="names must give each entry"):
            check_gradient(lambda x: x[0] * x[1], (2.0, 1.0), x, names=names)
    letters = (letter for letter in "ab")
    report = check_gradient(lambda x: x[0] * x[1], (2.0, 1.0), x, names=letters)
    assert [c.name for c in report.coordinates] == ["a", "b"]


def test_x_is_never_changed():
    x = (np.arange(3.0), [np.ones((2, 2))])
    before = (x[0].copy(), [x[1][0].copy()])
    finite_difference(lambda x: x[0].sum() + x[1][0].sum(), x)
    check_gradient(
        lambda x: x[0].sum() + x[1][0].sum(), (np.ones(3), [np.ones((2, 2))]), x
    ).raise_if_failed()
    np.testing.assert_array_equal(x[0], before[0])
    np.testing.assert_array_equal(x[1][0], before[1][0])

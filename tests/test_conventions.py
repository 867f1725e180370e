"""Every convention that comp551ad/autodiff/primitives.py states, as literal numbers.

Covers choices that mathematics leaves open (ties, kinks, 0/0), extreme numbers (inf, nan,
logits of ±1e4) and empty arrays.
"""

import numpy as np
import pytest

from comp551ad import functions as fn
from comp551ad import (
    grad,
    hessian,
    jacobian,
    jvp,
    record,
    reverse,
    value_and_grad,
    vjp,
    write_gradient,
)
from comp551ad.functions import logistic, logsumexp, relu, softmax, softplus

INF, NAN = np.inf, np.nan


def both_modes(f, *x):
    """The gradient of the sum of f wrt every argument; asserts that both modes agree."""
    _, pull = vjp(f, *x)
    ones = np.ones(np.shape(f(*x)))
    gradients = pull(ones if ones.shape else 1.0)
    for k, g in enumerate(gradients):
        for at in np.ndindex(np.shape(x[k])):
            t = [np.zeros(np.shape(v)) for v in x]
            t[k][at] = 1.0
            _, tangent = jvp(f, x, tuple(t))
            with np.errstate(invalid="ignore"):
                forward = np.sum(tangent)
            np.testing.assert_allclose(forward, np.asarray(g)[at], rtol=1e-12)
    return [np.asarray(g).tolist() for g in gradients]


# ---------------------------------------------------------------- ties and kinks

KINKS = [
    # function, arguments, the gradient of the sum by each
    (np.abs, [[-2.0, 0.0, 3.0]], [[-1.0, 0.0, 1.0]]),
    (abs, [[-2.0, 0.0, 3.0]], [[-1.0, 0.0, 1.0]]),
    (relu, [[-2.0, 0.0, 3.0]], [[0.0, 0.0, 1.0]]),
    (relu, [-0.0], [0.0]),
    (np.sign, [[-2.0, 0.0, 3.0]], [[0.0, 0.0, 0.0]]),
    (np.maximum, [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], [[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]]),
    (np.minimum, [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], [[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]),
    # At a tie with a plain operand, the plain one is chosen.
    (lambda x: np.maximum(x, 0.0), [[-1.0, 0.0, 1.0]], [[0.0, 0.0, 1.0]]),
    (lambda x: np.maximum(0, x), [[-1.0, 0.0, 1.0]], [[0.0, 0.0, 1.0]]),
    (lambda x: np.maximum(x, 1) * abs(x), [[0.0, 1.0, -2.0]], [[0.0, 1.0, -1.0]]),
    (lambda x: np.minimum(x, [0.0, 1.0, 2.0]), [[0.0, 1.0, 1.0]], [[0.0, 0.0, 1.0]]),
    (lambda x: np.maximum(x, np.array([2.0, 2.0])), [2.0], [0.0]),
    (lambda x: np.maximum(x, x), [[-1.0, 0.0, 1.0]], [[1.0, 1.0, 1.0]]),
    (lambda x: np.clip(x, 0.0, 1.0), [[-1.0, 0.0, 0.5, 1.0, 2.0]], [[0, 0, 1, 0, 0]]),
    # Traced numbers in a list don't count as a plain operand.
    *[(f, [1.0], [2.0]) for e in (np.maximum, np.minimum) for f in (
        lambda v, e=e: e(v * np.ones(2), [v, v]),
        lambda v, e=e: e(np.array([v, v]), v * np.ones(2)),
    )],
    (np.max, [[1.0, 3.0, 3.0, 2.0]], [[0.0, 0.5, 0.5, 0.0]]),
    (np.min, [[1.0, 3.0, 1.0, 1.0]], [[1 / 3, 0.0, 1 / 3, 1 / 3]]),
    (np.max, [[0.0, -0.0]], [[0.5, 0.5]]),
    (lambda x: np.max(x, 0), [[[1.0, 2.0], [1.0, 0.0]]], [[[0.5, 1.0], [0.5, 0.0]]]),
    (lambda x: np.max(x, (0, 1)), [[[1.0, 2.0], [2.0, 0.0]]], [[[0, 0.5], [0.5, 0]]]),
    (np.max, [[[4.0, 4.0], [4.0, 4.0]]], [[[0.25, 0.25], [0.25, 0.25]]]),
    (np.heaviside, [[-1.0, 0.0, 1.0], 0.5], [[0.0, 0.0, 0.0], 1.0]),
    (lambda x: np.where(x > 0, x, 2 * x), [[-1.0, 0.0, 1.0]], [[2.0, 2.0, 1.0]]),
    (np.linalg.norm, [[0.0, 0.0]], [[0.0, 0.0]]),
    (np.linalg.norm, [[5.0, 12.0, 0.0]], [[5 / 13, 12 / 13, 0.0]]),
    (np.linalg.norm, [0.0], [0.0]),
    (np.linalg.norm, [[[], []]], [[[], []]]),
    (np.linalg.norm, [-2.0], [-1.0]),
    (lambda x: np.linalg.norm(x, axis=1), [[[0.0, 0.0], [0.0, 4.0]]], [[[0, 0], [0, 1]]]),
    # As NumPy computes it from an array of traced numbers.
    (lambda x: np.linalg.norm(np.array(list(x))), [[0.0, 0.0]], [[0.0, 0.0]]),
    (lambda x: np.linalg.norm([[*x], [*x]], axis=1), [[0.0, 0.0]], [[0.0, 0.0]]),
    (lambda x: np.std(list(x)), [[2.0, 2.0, 2.0]], [[0.0, 0.0, 0.0]]),
    (np.std, [[2.0, 2.0, 2.0]], [[0.0, 0.0, 0.0]]),
    (np.std, [[1.0, 3.0]], [[-0.5, 0.5]]),
    (np.std, [5.0], [0.0]),
    (lambda x: np.std(x, 0), [[[1.0, 7.0], [3.0, 7.0]]], [[[-0.5, 0.0], [0.5, 0.0]]]),
    (np.var, [[2.0, 2.0, 2.0]], [[0.0, 0.0, 0.0]]),
    (lambda x: x**0, [[0.0, 2.0, -3.0]], [[0.0, 0.0, 0.0]]),
    (lambda x: x**1, [[0.0, 2.0, -3.0]], [[1.0, 1.0, 1.0]]),
    (lambda x: x**2, [[0.0, 2.0, -3.0]], [[0.0, 4.0, -6.0]]),
    (lambda x: x**3, [[0.0, 2.0, -3.0]], [[0.0, 12.0, 27.0]]),
    (lambda x: x**-1, [[2.0, -4.0]], [[-0.25, -0.0625]]),
    (lambda x: x ** np.array([0, 1, 2]), [[0.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]),
    (lambda y: 0.0**y, [[1.0, 2.0, 0.5]], [[0.0, 0.0, 0.0]]),
    (np.power, [0.0, 3.0], [0.0, 0.0]),
    (np.power, [2.0, 0.0], [0.0, np.log(2.0)]),
    (fn.xlogy, [[0.0, 2.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 2.0]]),
    (fn.safe_divide, [[0.0, 6.0], [1.0, 2.0]], [[1.0, 0.5], [0.0, -1.5]]),
    (np.hypot, [[0.0, 3.0], [0.0, 4.0]], [[0.0, 0.6], [0.0, 0.8]]),
    (np.cbrt, [[8.0]], [[1 / 12]]),
    (logsumexp, [[[1e4, 0.0, -1e4], [1e4, 1e4, 0.0]]], [[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]]),
    (np.floor, [[-1.0, 0.5, 2.0]], [[0.0, 0.0, 0.0]]),
    (lambda x: x % 2, [[-1.0, 0.5, 4.0]], [[1.0, 1.0, 1.0]]),
    (lambda x: x // 2, [[-1.0, 0.5, 4.0]], [[0.0, 0.0, 0.0]]),
]  # fmt: skip


@pytest.mark.parametrize(("f", "x", "expected"), KINKS)
def test_ties_and_kinks(f, x, expected):
    x = [np.array(v) if isinstance(v, list) else v for v in x]
    assert both_modes(f, *x) == expected


@pytest.mark.parametrize("c", [0.1, -0.7, 1e-9, 3.3e7, 1 / 3])
@pytest.mark.parametrize("n", [3, 7, 150])
def test_std_of_a_constant_also_where_its_mean_is_rounded(c, n):
    """The mean of n copies of 0.1 isn't 0.1: the rounding must not count as spread."""
    assert grad(np.std)(np.full(n, c)).tolist() == [0.0] * n
    _, tangent = jvp(np.std, (np.full(n, c),), (np.arange(n),))
    assert tangent == 0.0


# A rule that applied / and ** to Python floats would raise, or become complex.
NUMBERS = [
    (np.log, (0.0,), (INF,)),
    (np.log1p, (-1.0,), (INF,)),
    (np.sqrt, (0.0,), (INF,)),
    (np.reciprocal, (0.0,), (-INF,)),
    (np.tan, (0.0,), (1.0,)),
    (lambda a, b: a / b, (1.0, 0.0), (INF, -INF)),
    (lambda a, b: a / b, (-2.0, 0.0), (INF, INF)),
    (lambda a: a / 0.0, (2.0,), (INF,)),
    (lambda a: a**0.5, (0.0,), (INF,)),
    (lambda a: a**0.5, (-1.0,), (NAN,)),
    (lambda a: a**-1, (0.0,), (-INF,)),
    (lambda a: a**3, (1e200,), (INF,)),
    (lambda a: np.power(a, 0.25), (0.0,), (INF,)),
    (lambda a, b: a**b, (0.0, 0.5), (INF, 0.0)),
    (lambda a, b: a**b, (-1.0, 0.5), (NAN, NAN)),
    (lambda a: 1.5 ** (a * a), (1e200,), (INF,)),
    (np.exp, (1e3,), (INF,)),
    (np.square, (1e200,), (2e200,)),
    (fn.xlogy, (0.0, 0.0), (-INF, 0.0)),
    *[(np.log1p, (1e-300,), (1.0,)), (np.expm1, (-1e-300,), (1.0,)), (np.tanh, (1e300,), (0.0,))],
    (lambda a: a * 1e-300, (1e300,), (1e-300,)),
    # Infinities and nan pass through as in NumPy.
    *[(np.tanh, (INF,), (0.0,)), (np.arctan, (-INF,), (0.0,)), (np.log, (INF,), (0.0,))],
    *[(np.sin, (INF,), (NAN,)), (np.exp, (NAN,), (NAN,)), (lambda a: 1 / a, (INF,), (0.0,))],
    *[(relu, (INF,), (1.0,)), (relu, (-INF,), (0.0,)), (relu, (NAN,), (NAN,))],
    *[(np.maximum, (NAN, other), (NAN, NAN)) for other in (1.0, -INF, INF, NAN)],
    *[(np.minimum, (other, NAN), (NAN, NAN)) for other in (1.0, -INF, INF, NAN)],
    (lambda a: np.clip(a, 0.0, 1.0), (NAN,), (NAN,)),
    # Large logits.
    *zip([logistic] * 5, [(-1e4,), (-INF,), (0.0,), (800.0,), (INF,)],
         [(0.0,), (0.0,), (0.25,), (0.0,), (0.0,)], strict=True),
    *zip([softplus] * 5, [(-1e4,), (-INF,), (0.0,), (800.0,), (INF,)],
         [(0.0,), (0.0,), (0.5,), (1.0,), (1.0,)], strict=True),
]  # fmt: skip


@pytest.mark.parametrize(("f", "x", "expected"), NUMBERS)
def test_numbers_overflow_and_divide_as_arrays_do(f, x, expected):
    which = tuple(range(len(x)))
    with np.errstate(all="ignore"):
        as_numbers = grad(f, which)(*x)
        arrays = [np.array([v]) for v in x]
        as_arrays = grad(lambda *x: np.sum(f(*x)), which)(*arrays)
        tangents = [
            jvp(lambda v, k=k: f(*x[:k], v, *x[k + 1 :]), (x[k],), (1.0,))
            for k in which
        ]
        np.testing.assert_array_equal(record(f, *x).result, f(*arrays)[0])
    for found in (as_numbers, [a[0] for a in as_arrays], [t for _, t in tangents]):
        np.testing.assert_allclose(found, expected, rtol=1e-15, atol=1e-300)
    assert all(isinstance(g, float) for g in as_numbers)


SECOND = [
    # function, where, its second derivatives
    (relu, 0.0, 0.0),
    (lambda x: np.maximum(x, 0.0) ** 2, 0.0, 0.0),
    (lambda x: np.sum(np.maximum(x, x) ** 2), 0.0, 2.0),
    (lambda x: x**0.0, 0.0, 0.0),
    (lambda x: x**1, 0.0, 0.0),
    (lambda x: x**2, 0.0, 2.0),
    (lambda x: x**3, 0.0, 0.0),
    (lambda y: 0.0**y, 2.0, 0.0),
    (softplus, 0.0, 0.25),
    (np.sinc, 0.0, -(np.pi**2) / 3),
    (np.std, 3.0, 0.0),
    (np.max, [1.0, 1.0], [[0.0, 0.0], [0.0, 0.0]]),
    (np.min, [0.0, 0.0], [[0.0, 0.0], [0.0, 0.0]]),
    (np.var, [1.0, 1.0], [[0.5, -0.5], [-0.5, 0.5]]),
    (lambda x: np.sum(x * x), [0.0, 0.0], [[2.0, 0.0], [0.0, 2.0]]),
    # ∂/∂a of b aᵇ⁻¹ at b = 0 is 0, but its slope in b is aᵇ⁻¹(1 + b log a): 1/a there.
    (lambda p: p[0] ** p[1], [2.0, 0.0], [[0.0, 0.5], [0.5, np.log(2.0) ** 2]]),
    (logsumexp, [1e4, 1e4, 0.0], [[0.25, -0.25, 0.0], [-0.25, 0.25, 0.0], [0.0] * 3]),
    (lambda q: np.sum(softplus(q)), [-1e4, 800.0], [[0.0, 0.0], [0.0, 0.0]]),
    (lambda q: np.sum(logistic(q)), [-1e4, 800.0], [[0.0, 0.0], [0.0, 0.0]]),
]


@pytest.mark.parametrize(("f", "x", "expected"), SECOND)
@pytest.mark.parametrize("outer", ["forward", "reverse"])
@pytest.mark.parametrize("inner", ["forward", "reverse"])
def test_second_derivatives_however_made(f, x, expected, inner, outer):
    x = np.array(x) if isinstance(x, list) else x
    found = jacobian(jacobian(f, mode=inner), mode=outer)(x)
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-300)


def test_a_power_of_zero_has_no_curvature_and_no_warning():
    assert not np.any(hessian(lambda p: p[0] ** p[1])(np.array([0.0, 3.0])))


# Eigenvalues 1, 1 and 4.
FOUR = np.ones((3, 3)) + np.eye(3)


def softplus_by_hand(x):
    return np.sum(np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0.0))


@pytest.mark.parametrize(
    "f",
    [
        np.linalg.norm,
        lambda x: np.linalg.norm(np.array([x[0], x[1]])),
        lambda x: np.sum(np.maximum(x, -x) ** 2),
        lambda x: np.sum(np.minimum(x, -x) ** 2),
        lambda x: np.sum(np.linalg.eigvalsh(x * np.eye(2)) ** 2),
        # Equal up to rounding.
        lambda x: np.sum(
            np.linalg.eigvalsh(x * np.eye(3, 2) @ np.eye(2, 3) + FOUR) ** 2
        ),
        lambda x: np.sum(
            np.linalg.svdvals(x * np.eye(3, 2) @ np.eye(2, 3) + FOUR) ** 2
        ),
        np.std,
        lambda x: np.sum(np.abs(x)),
        lambda x: np.hypot(x[0], x[1]),
        lambda x: np.linalg.norm(x) ** 2,
        lambda x: np.linalg.norm(x) * np.linalg.norm(x),
        lambda x: np.linalg.norm(x[None], axis=1)[0] ** 2,
        lambda x: np.std(x) ** 2,
        lambda x: np.std(x, ddof=1) ** 2 / 3,
        lambda x: np.sum(np.abs(x) ** 2),
        lambda x: np.sum(np.abs(x) * np.abs(x)),
        lambda x: np.hypot(x[0], x[1]) ** 2,
        softplus_by_hand,
    ],
)
def test_second_derivatives_that_a_convention_hides_are_nan(f):
    """Zeros are a common start. A slope is chosen there; a curvature would be invented."""
    x, t = np.zeros(2), np.array([1.0, -1.0])
    assert np.all(np.isfinite(grad(f)(x)))
    assert np.isnan(hessian(f)(x)).any(axis=1).all()
    assert np.isnan(jvp(grad(f), (x,), (t,))[1]).any()
    assert np.isnan(grad(lambda x: jvp(f, (x,), (t,))[1])(x)).any()
    assert np.isnan(grad(lambda x: np.sum(t * grad(f)(x)))(x)).any()


@pytest.mark.parametrize(
    "f",
    [
        softplus_by_hand,
        lambda z: np.sum(np.maximum(z, 0) - z * 0.0 + np.log1p(np.exp(-np.abs(z)))),
        lambda z: np.sum(np.log(1 + np.exp(-abs(z))) + np.maximum(0.0, z)),
        lambda z: np.sum(z - np.minimum(z, 0) + np.log1p(np.exp(-np.abs(z)))),
    ],
)
def test_kinks_that_cancel_leave_the_slope_of_what_is_smooth(f):
    """The cross-entropy of logits at zero weights: log(1 + e^z) has slope 1/2 there."""
    z = np.array([0.0, 1.0, -2.0])
    expected = logistic(z)
    np.testing.assert_allclose(grad(f)(z), expected, rtol=1e-14)
    np.testing.assert_allclose(reverse(record(f, z))["a1"], expected, rtol=1e-14)
    # A program written away from the kink is right at the kink too.
    np.testing.assert_allclose(write_gradient(f, z + 0.5)(z), expected, rtol=1e-14)
    np.testing.assert_allclose(jvp(f, (z,), (np.ones(3),))[1], np.sum(expected))
    both = jvp(lambda z: f(z) + f(z), (z,), (np.ones(3),))[1]
    np.testing.assert_allclose(both, 2 * np.sum(expected), rtol=1e-14)


def test_nan_stays_with_the_entry_that_has_the_kink():
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    H = hessian(lambda x: np.sum(np.linalg.norm(x, axis=1)))(x)
    assert np.isnan(H[0]).all() and not np.isnan(H[1]).any()
    H = hessian(lambda x: np.sum(np.abs(x) ** 3))(np.array([0.0, 2.0]))
    assert np.isnan(H[0]).all() and H[1].tolist() == [0.0, 12.0]


@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (3, 5)])
@pytest.mark.parametrize(
    "f",
    [
        np.linalg.svdvals,
        lambda A: np.linalg.norm(A, "nuc"),
        lambda A: np.linalg.eigvalsh(A @ A.T),
        lambda A: np.linalg.det(A @ A.T),
        lambda A: np.linalg.slogdet(A @ A.T)[1],
    ],
)
def test_curvatures_where_several_singular_values_are_zero_are_nan_or_refused(f, shape):
    """Zeros, exact or up to rounding."""
    for A in (np.zeros(shape), np.outer(np.arange(shape[0]) + 0.3, np.ones(shape[1]))):
        try:
            H = hessian(lambda A: np.sum(f(A) ** 2))(A)
        except np.linalg.LinAlgError as error:
            assert "Singular" in str(error)
        else:
            assert np.isnan(H).all()
    A = np.cos(np.arange(np.prod(shape))).reshape(shape) + np.eye(*shape)
    H = hessian(lambda A: np.sum(np.linalg.svdvals(A) ** 2))(A)
    size = np.prod(shape)
    np.testing.assert_allclose(
        H.reshape(size, size), 2 * np.eye(size), rtol=1e-9, atol=1e-9
    )


def test_kinks_behind_kinks_keep_a_slope_of_one_side():
    """If a layer is dead and biases are 0, every later layer is at a tie."""
    steps = np.random.default_rng(7).normal(size=(6, 3, 3))

    def behind(b, kink):
        h = np.zeros(3)
        for k, W in enumerate(steps):
            h = kink(h @ W + (b if k == 1 else 0.0))
        return np.sum(h)

    kinks = [
        lambda z: np.maximum(z, 0),
        lambda z: np.maximum(0.0, z),
        lambda z: np.maximum(z, np.zeros(3)),
        lambda z: -np.minimum(-z, 0.0),
        lambda z: np.clip(z, 0, 6),
        relu,
    ]
    for kink in kinks:
        gradient = grad(behind)(np.zeros(3), kink)
        for k, d in enumerate(np.eye(3) * 1e-6):
            left, right = -behind(-d, kink) / 1e-6, behind(d, kink) / 1e-6
            assert min(abs(gradient[k] - left), abs(gradient[k] - right)) < 1e-9


# ---------------------------------------------------------------- axes and empty arrays


def test_nan_stays_in_the_gradient_of_a_choice():
    for choose in (np.max, np.min):
        rows = grad(lambda x, f=choose: np.sum(f(x, 1)))(np.array([[NAN, 1], [2, 3.0]]))
        assert np.isnan(rows[0]).all() and np.isfinite(rows[1]).all()


@pytest.mark.parametrize("options", [{}, {"ddof": 1}])
@pytest.mark.parametrize("reduce", [np.var, np.std])
def test_reductions_of_nothing_along_an_axis_that_has_something(reduce, options):
    """No rows of three numbers: no sums, and a gradient of their shape."""
    g = grad(lambda x: np.sum(reduce(x, axis=1, **options)))(np.zeros((0, 3)))
    assert g.shape == (0, 3)


@pytest.mark.parametrize("reduce", [np.mean, np.var, np.std])
@pytest.mark.parametrize("shape, axis", [((0,), None), ((0, 3), 0), ((0, 3), None)])
def test_the_mean_of_nothing_is_nan_with_numpys_warning(shape, axis, reduce):
    x = np.zeros(shape)
    with pytest.warns(RuntimeWarning), np.errstate(all="ignore"):
        value, g = value_and_grad(lambda x: np.sum(reduce(x, axis=axis)))(x)
        _, tangent = jvp(lambda x: reduce(x, axis=axis), (x,), (x,))
    assert np.isnan(value) and g.shape == shape
    if reduce is np.mean:
        assert np.all(np.isnan(tangent))


@pytest.mark.parametrize(("reduce", "count"), [(np.sum, 1), (np.mean, 4)])
def test_an_adjoint_of_fewer_axes_reaches_a_reduction_at_full_size(reduce, count):
    """y · b with y 2 x 3 and b (3,): y's adjoint has shape (3,) until a rule needs more."""
    x, b = np.arange(24.0).reshape(4, 2, 3), np.array([1.0, 2.0, 3.0])
    g = grad(lambda x: np.sum(reduce(x, axis=0) * b))(x)
    assert np.array_equal(g, np.broadcast_to(b / count, (4, 2, 3)))


def test_numpys_integers_are_axes():
    x, axes = np.arange(24.0).reshape(2, 3, 4), (np.int64(0), np.int64(2))
    for axis, same in ((axes, (0, 2)), (axes[1], 2), (np.int64(-1), -1)):
        g = grad(lambda x, a=axis: np.sum(np.square(np.sum(x, axis=a))))(x)
        again = grad(lambda x, a=same: np.sum(np.square(np.sum(x, axis=a))))(x)
        assert np.array_equal(g, again)
        rows = record(lambda x, a=axis: np.sum(x, axis=a), x).rows
        assert "int64" not in repr(rows[-1][-1])


@pytest.mark.parametrize("axis", [0, -1, None, ()])
@pytest.mark.parametrize(
    "reduce", [np.sum, np.mean, np.max, np.min, np.std, softmax, logsumexp]
)
def test_a_number_has_no_axis_to_sum_directions_along(reduce, axis):
    def f(x):
        return reduce(x[0] * x[1] * x[1], axis=axis) * x[0]

    x = np.array([2.0, 3.0])
    forward, backward = jacobian(f, mode="forward")(x), jacobian(f)(x)
    np.testing.assert_allclose(forward, backward, rtol=1e-14)
    np.testing.assert_allclose(hessian(f)(x), jacobian(grad(f), mode="reverse")(x))
    if reduce in (np.sum, np.mean, np.max, np.min, logsumexp):
        assert backward.tolist() == [36.0, 24.0]


@pytest.mark.parametrize(
    ("x", "value", "slopes"),
    [([1.0, 2.0], INF, [-INF, INF]), ([1.0, 1.0], NAN, [NAN, NAN])],
)
@pytest.mark.parametrize("ddof", [2, 3, 9])
def test_more_degrees_are_taken_than_there_are(ddof, x, value, slopes):
    """NumPy then divides by 0, never by less; the gradient is infinite, as is the value."""
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="Degrees of"):
        found = value_and_grad(lambda x: np.var(x, ddof=ddof))(np.array(x))
    np.testing.assert_array_equal(found[0], value)
    np.testing.assert_array_equal(found[1], slopes)


def test_an_adjoint_of_zero_beside_an_infinite_slope():
    with pytest.warns(RuntimeWarning):
        g = grad(lambda x: np.sum(np.sqrt(x)[1:]))(np.array([0.0, 4.0]))
    assert np.isnan(g[0]) and g[1] == 0.25
    g = grad(lambda x: np.sum(np.sqrt(x[1:])))(np.array([0.0, 4.0]))
    assert g.tolist() == [0.0, 0.25]
    x = np.array([0.0, 2.0])
    safe = grad(lambda x: np.sum(np.where(x > 0, np.log(np.where(x > 0, x, 1)), 0 * x)))
    assert safe(x).tolist() == [0.0, 0.5]

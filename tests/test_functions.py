"""comp551ad/functions.py: values, safety at ±1e4, shapes, and dispatch."""

import inspect
import math

import numpy as np
import pytest

from comp551ad import functions
from comp551ad.functions import (
    greater_share,
    hands_over,
    logistic,
    logsumexp,
    logsumexp_and_softmax,
    relu,
    softmax,
    softplus,
    tie_share,
)

FAR = np.array([-1e4, -700.0, -1.0, 0.0, 1.0, 700.0, 1e4])


# ---- elementwise ---------------------------------------------------------------------


def test_logistic_is_the_written_formula_bit_for_bit_where_that_is_safe():
    q = np.linspace(-709, 709, 20001)
    assert np.array_equal(logistic(q), 1 / (1 + np.exp(-q)))
    assert 0 <= logistic(-1e4) < 1e-307 and logistic(1e4) == 1.0


def test_relu_and_softplus_values():
    assert relu([-2, 0, 3]).tolist() == [0.0, 0.0, 3.0]
    assert softplus(0.0) == pytest.approx(math.log(2), rel=1e-15)
    assert softplus(-700.0) == pytest.approx(9.8596765437597708e-305, rel=1e-13)
    assert softplus(np.array([-1e4, 1e4])).tolist() == [0.0, 1e4]
    u = np.linspace(-30, 30, 61)
    np.testing.assert_allclose(softplus(u), np.log1p(np.exp(u)), rtol=1e-14)


@pytest.mark.parametrize("f", [logistic, relu, softplus])
def test_elementwise_safe_scalar_and_promoting(f):
    assert np.all(np.isfinite(f(FAR)))
    assert f(FAR.reshape(7, 1)).shape == (7, 1)
    assert np.ndim(f(2)) == 0 and isinstance(f(2), float)
    for kind in (int, np.uint8, np.float32, bool):
        assert f(np.ones(3, kind)).dtype == np.float64
        assert np.array_equal(f(np.ones(3, kind)), f(np.ones(3)))
    assert math.isnan(f(np.nan))


# ---- row-wise ------------------------------------------------------------------------


def test_logsumexp_is_row_wise_and_one_number_a_row():
    """E22: over all entries the deck's cost would start at ln 450 instead of ln 3."""
    U = np.zeros((150, 3))
    assert logsumexp(U).shape == (150,)
    assert logsumexp(U) == pytest.approx(np.full(150, 1.0986122886681098))  # ln 3
    assert logsumexp(U, axis=None) == pytest.approx(6.109247582764365)  # ln 450
    assert logsumexp(U, axis=0) == pytest.approx(np.full(3, math.log(150)))


def test_softmax_values_and_axis():
    U = np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 2.0]])
    np.testing.assert_allclose(softmax(U), [[0.125, 0.25, 0.625], [0.375, 0.375, 0.25]])
    np.testing.assert_allclose(softmax(U, axis=0).sum(0), 1.0)
    np.testing.assert_allclose(softmax(U, axis=None).sum(), 1.0)
    np.testing.assert_allclose(softmax(U + 1000), softmax(U))


@pytest.mark.parametrize("U", [[-np.inf, -np.inf], [np.inf, 1.0]])
@pytest.mark.parametrize("f", [logsumexp, softmax])
def test_rows_whose_largest_logit_is_infinite_are_nan_but_not_silently(f, U):
    with pytest.warns(RuntimeWarning, match="invalid value encountered in subtract"):
        assert np.isnan(f(U)).all()
    assert logsumexp([-np.inf, 0.0]) == 0.0 and softmax([-np.inf, 0.0])[0] == 0.0


def test_rows_of_any_shape_and_kind():
    assert logsumexp([1, 2]) == pytest.approx(2.313261687518223)
    assert logsumexp(np.uint8([1, 2])) == logsumexp([1, 2])  # 1 - 2 must not wrap
    assert isinstance(logsumexp([1, 2]), float)
    assert logsumexp(3.0) == 3.0 and softmax(3.0) == 1.0
    assert softmax(np.zeros((4, 5, 2))).shape == (4, 5, 2)
    assert logsumexp(np.zeros((4, 5, 2))).shape == (4, 5)
    assert logsumexp(np.zeros((1, 3))).shape == (1,)  # other axes of length 1 stay
    assert logsumexp(np.zeros((1, 3, 1)), axis=1).shape == (1, 1)
    assert logsumexp(np.zeros((4, 5, 2)), axis=(0, 1)).shape == (2,)


@pytest.mark.parametrize("axis", [-1, 0, None])
def test_the_pair_is_both_bit_for_bit(axis):
    U = np.random.default_rng(0).normal(size=(6, 4))
    total, share = logsumexp_and_softmax(U, *(() if axis == -1 else (axis,)))
    assert np.array_equal(total, logsumexp(U, axis))
    assert np.array_equal(share, softmax(U, axis))


# ---- kinks ---------------------------------------------------------------------------


def test_greater_share():
    assert greater_share([1, 2, 3], 2).tolist() == [0.0, 0.5, 1.0]
    assert greater_share(0.0, 0.0) == 0.5
    assert greater_share(np.inf, np.inf) == 0.5
    assert np.isnan(greater_share(np.nan, 0.0)) and np.isnan(greater_share(0.0, np.nan))
    a, b = np.array([[1.0], [2.0]]), np.array([1.0, 2.0, 3.0])
    assert greater_share(a, b).tolist() == [[0.5, 0, 0], [1, 0.5, 0]]
    assert np.all(greater_share(a, b) + greater_share(b, a) == 1)


@pytest.mark.parametrize("reduce", [np.max, np.min])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (-1, 0)])
def test_tie_share_sums_to_one_along_the_reduced_axes(axis, keepdims, reduce):
    x = np.random.default_rng(1).integers(0, 3, size=(3, 4, 5)).astype(float)
    y = reduce(x, axis=axis, keepdims=keepdims)
    share = tie_share(x, y, axis, keepdims)
    assert share.shape == x.shape
    np.testing.assert_allclose(share.sum(axis=axis), 1.0)
    wide = reduce(x, axis=axis, keepdims=True)
    assert np.array_equal(share > 0, x == wide)


def test_tie_share_values():
    x = np.array([[1.0, 2.0, 2.0], [3.0, 0.0, 3.0]])
    assert tie_share(x, x.max(1), 1).tolist() == [[0, 0.5, 0.5], [0.5, 0, 0.5]]
    assert tie_share(x, 0.0).tolist() == [[0, 0, 0], [0, 1, 0]]
    assert np.isnan(tie_share(np.array([np.nan, 1.0]), np.nan)).all()
    assert type(tie_share(2.0, 2.0)) is np.float64


# ---- dispatch ------------------------------------------------------------------------


class Taker:
    """Accepts any call, and returns its arguments."""

    def __array_function__(self, function, types, args, kwargs):
        return function, types, args, kwargs


class Decliner:
    def __array_function__(self, function, types, args, kwargs):
        return NotImplemented


PUBLIC = [getattr(functions, n) for n in functions.__all__ if n != "hands_over"]


@pytest.mark.parametrize("f", PUBLIC, ids=lambda f: f.__name__)
def test_every_function_hands_over_and_keeps_its_plain_self_that_refuses_complex(f):
    if f in (logistic, relu, softplus, softmax, logsumexp, logsumexp_and_softmax):
        with pytest.raises(TypeError, match="complex128"):
            f(np.array([1j, 2]))
    x = Taker()
    arguments = (x,) if f not in (greater_share, tie_share) else (np.ones(2), x)
    assert f(*arguments) == (f, (Taker,), arguments, {})
    # Keywords are passed on, and the first operand that doesn't decline handles the call.
    assert softmax(U=x, axis=0) == (softmax, (Taker,), (), {"U": x, "axis": 0})
    no = Decliner()
    assert greater_share(no, x) == (greater_share, (Taker,), (no, x), {})
    assert f.plain is f.__wrapped__ and not hasattr(f.plain, "plain")
    assert inspect.signature(f) == inspect.signature(f.plain)
    assert f.__doc__ and f.__module__ == "comp551ad.functions"


def test_a_function_of_ones_own_can_hand_over_but_no_subclass_of_arrays_takes_it():
    @hands_over
    def double(x, *, times=1):
        return 2 * x * times

    x = Taker()
    assert double(3, times=2) == 12
    assert double(x) == (double, (Taker,), (x,), {})
    mine = np.zeros(3).view(type("Mine", (np.ndarray,), {}))
    assert np.array_equal(logistic(mine), [0.5] * 3)

"""Networks trained side by side: each does what it would do on its own."""

from itertools import repeat

import numpy as np
import pytest

from comp551ad import grad
from comp551ad.byhand.deep import Deep
from comp551ad.byhand.stacked import (
    accuracy,
    cost,
    gradients,
    growing_pool,
    start,
    train,
)

RUNS, N, WIDTHS = 3, 7, (4, 5, 6, 3)


@pytest.fixture
def stack():
    """Inputs, labels and weights of three networks of three layers."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((RUNS, N, WIDTHS[0]))
    Y = np.eye(WIDTHS[-1])[rng.integers(WIDTHS[-1], size=(RUNS, N))]
    return X, Y, start(WIDTHS, rng, RUNS, scale=1.0)


def alone(k, X, Y, weights):
    return X[k], Y[k], [W[k] for W in weights]


def test_the_gradient_is_the_machines(stack):
    X, Y, weights = stack
    machine = grad(lambda weights: np.sum(cost(X, Y, weights)))(weights)
    for by_hand, by_machine in zip(gradients(*stack), machine, strict=True):
        np.testing.assert_allclose(by_hand, by_machine, rtol=0, atol=1e-14)


def test_a_network_alone_is_a_deep_network_without_biases(stack):
    X, Y, weights = alone(0, *stack)
    parameters = [p for W in weights for p in (W, np.zeros(W.shape[1]))]
    np.testing.assert_allclose(cost(X, Y, weights), Deep().cost(X, Y, parameters))
    theirs = Deep().gradients(X, Y, parameters)[::2]
    for ours, other in zip(gradients(X, Y, weights), theirs, strict=True):
        np.testing.assert_allclose(ours, other, atol=1e-14)


@pytest.mark.parametrize("function", [cost, accuracy])
def test_each_network_of_a_stack_does_what_it_does_alone(function, stack):
    by_themselves = [function(*alone(k, *stack)) for k in range(RUNS)]
    np.testing.assert_allclose(function(*stack), by_themselves)


def test_training_is_descent_and_measures_before_each_step(stack):
    X, Y, weights = stack
    before = [W.copy() for W in weights]
    ended, seen = train(weights, repeat((X, Y), 3), (X, Y), lr=0.1, every=2)
    assert all(np.array_equal(a, b) for a, b in zip(before, weights, strict=True))
    expected = before
    for _ in range(3):
        slopes = gradients(X, Y, expected)
        expected = [W - 0.1 * dW for W, dW in zip(expected, slopes, strict=True)]
    for W, other in zip(ended, expected, strict=True):
        np.testing.assert_array_equal(W, other)
    assert seen.shape == (2, RUNS)
    np.testing.assert_array_equal(seen[0], accuracy(X, Y, before))


def test_weights_have_the_shape_and_size_that_one_asks_for():
    weights = start((100, 50, 10), 0, runs=4, scale=0.2)
    assert [W.shape for W in weights] == [(4, 100, 50), (4, 50, 10)]
    assert abs(weights[0].std() - 0.2) < 0.01
    assert [W.shape for W in start((3, 2), 0)] == [(3, 2)]


def test_a_pool_grows_along_the_order_and_holds_all_from_half_time_on():
    rows = np.broadcast_to(np.arange(200.0)[:, None], (RUNS, 200, 1))
    backwards = np.tile(np.arange(200)[::-1], (RUNS, 1))
    drawn = [X for X, _ in growing_pool(rows, rows, backwards, 100, rng=0)]
    assert all(X.shape == (RUNS, 32, 1) for X in drawn) and len(drawn) == 100
    lowest = [X.min() for X in drawn]
    assert lowest[0] >= 180 and lowest[20] >= 200 * (0.9 - 1.8 * 0.2) - 1
    assert min(lowest[50:]) < 10
    few, order = rows[:, :5], backwards[:, -5:]
    assert all(np.all(X == 4) for X, _ in growing_pool(few, few, order, 1, rng=0))
    first, same = next(iter(growing_pool(rows, 2 * rows, None, 1, rng=0)))
    assert first.min() < 20 and np.array_equal(2 * first, same)

"""comp551ad/byhand/deep.py: by hand, by machine and by finite differences."""

import math
import re

import numpy as np
import pytest

from comp551ad import check_gradient, descend, grad, load_digits, vjp
from comp551ad.byhand.deep import (
    EPS,
    SCALES,
    Deep,
    batch_norm,
    batch_norm_backward,
    batch_norm_backward_by_steps,
    initial_weights,
    minibatch_gradient,
    normalize,
    running_average,
)
from comp551ad.byhand.two_layer import HIDDEN, NotFiniteError, TwoLayer
from comp551ad.functions import relu, softmax

# ---- where to start ------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["gaussian", "uniform"])
@pytest.mark.parametrize(
    "scale, expected", [("tiny", 0.01), ("glorot", 0.1), ("he", 0.125), (0.3, 0.3)]
)
def test_initial_weights_have_the_scale_they_are_asked_for(scale, expected, shape):
    """128 below and 72 above: √(2/200) = .1 and √(2/128) = .125."""
    W = initial_weights(128, 72, np.random.default_rng(0), scale, shape)
    assert W.shape == (128, 72)
    assert np.std(W) == pytest.approx(expected, rel=0.02)
    assert abs(np.mean(W)) < 0.04 * expected
    limit = math.sqrt(3) * expected
    assert (np.max(np.abs(W)) <= limit) == (shape == "uniform")


def test_he_keeps_the_signal_of_relu_and_the_others_do_not():
    rng = np.random.default_rng(1)
    X, widths = rng.standard_normal((50, 200)), (200,) * 9 + (10,)
    for scale, factor in [("he", 1.0), ("glorot", 2.0**-8), ("tiny", 0.01**8)]:
        up = Deep().forward(X, Deep().start(widths, rng, scale))
        size = np.mean(up.Z[-1] ** 2) / np.mean(X**2)
        assert factor / 2 < size < 2 * factor, scale


def test_a_start_has_the_right_arrays():
    rng = np.random.default_rng(0)
    network = Deep(block=2, batch_norm=True)
    p = network.start((4, 6, 6, 6, 3), rng, last=0.0)
    *hidden, top = network.layers(p)
    assert [tuple(a.shape for a in layer) for layer in hidden] == [
        ((4, 6), (6,), (6,), (6,)),
        ((6, 6), (6,), (6,), (6,)),
        ((6, 6), (6,), (6,), (6,)),
    ]
    assert [a.shape for a in top] == [(6, 3), (3,)]
    for _, b, gamma, beta in hidden:
        assert not b.any() and not beta.any() and np.all(gamma == 1)
    assert hidden[0][0].any() and hidden[1][0].any() and not hidden[2][0].any()
    a, b = (Deep().start((4, 6, 3), np.random.default_rng(7)) for _ in range(2))
    assert all(np.array_equal(u, v) for u, v in zip(a, b, strict=True))


# ---- batch normalization -------------------------------------------------------------


def some(N=5, M=3, seed=0):
    rng = np.random.default_rng(seed)
    Q, dR = rng.normal(2.0, 3.0, (N, M)), rng.standard_normal((N, M))
    return Q, dR, rng.normal(1.0, 0.3, M), rng.standard_normal(M)


def test_batch_norm_on_paper():
    """Values 1, 3, 5, 7: mean 4, variance 5."""
    Q = np.array([[1.0], [3.0], [5.0], [7.0]])
    Qh, deviation, (mean, variance) = normalize(Q, eps=4.0)
    assert (mean, variance, deviation) == (4.0, 5.0, 3.0)
    assert Qh[:, 0] == pytest.approx([-1, -1 / 3, 1 / 3, 1])
    R = batch_norm(Q, np.array([6.0]), np.array([10.0]), eps=4.0)
    assert R[:, 0] == pytest.approx([4, 8, 12, 16])
    given = np.array([1.0]), np.array([0.0])
    R = batch_norm(Q, np.array([6.0]), np.array([10.0]), 4.0, given)
    assert R[:, 0] == pytest.approx([10, 16, 22, 28])


def test_normalized_units_have_mean_0_and_variance_just_below_1():
    Q, *_ = some(50)
    Qh, *_ = normalize(Q)
    assert np.allclose(np.mean(Qh, 0), 0, atol=1e-14)
    v = np.var(Q, 0)
    assert np.var(Qh, 0) == pytest.approx(v / (v + EPS), rel=1e-12)


@pytest.mark.parametrize("eps", [EPS, 0.5])
@pytest.mark.parametrize("N", [1, 2, 5, 40])
def test_backward_by_steps_in_closed_form_by_machine_and_by_differences(N, eps):
    Q, dR, gamma, beta = some(N)
    steps = batch_norm_backward_by_steps(dR, Q, gamma, eps)
    Qh, deviation, _ = normalize(Q, eps)
    closed = batch_norm_backward(dR, Qh, deviation, gamma)
    _, pull = vjp(lambda Q, g, b: batch_norm(Q, g, b, eps), Q, gamma, beta)
    for a, b, c in zip(steps, closed, pull(dR), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(b, c, rtol=1e-10, atol=1e-12)

    def f(given):
        return np.sum(dR * batch_norm(*given, eps))

    if N > 1:
        assert check_gradient(f, closed, (Q, gamma, beta)).passed
        assert np.max(np.abs(closed[0])) > 1e-3


@pytest.mark.parametrize(
    "dtype, size", [(np.float16, 300), (np.float32, 1e20), (np.float32, 3e38)]
)
def test_narrow_floats_are_normalized_where_their_squares_overflow(dtype, size):
    Q = np.array([[size], [-size]], dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        Qh, deviation, _ = normalize(Q)
    np.testing.assert_allclose(Qh, [[1], [-1]], rtol=1e-6)
    np.testing.assert_allclose(deviation, [float(Q[0, 0])], rtol=1e-6)


@pytest.mark.parametrize("size", [1e160, 1e308])
def test_a_variance_that_overflows_is_refused(size):
    Q = size * np.array([[1.0], [-1.0], [1.0]])
    network = Deep(batch_norm=True)
    p = network.start((1, 3, 2), 0)
    with np.errstate(all="ignore"):
        with pytest.raises(NotFiniteError, match="Q is finite but its variance overf"):
            normalize(Q)
        with pytest.raises(NotFiniteError, match="overflows"):
            network.cost(Q, np.eye(2)[[0, 1, 0]], p)


@pytest.mark.parametrize("size", [1e60, 1e130])
def test_backward_by_steps_where_the_deviation_is_large(size):
    Q, dR, gamma, _ = some()
    dQ, dgamma, _ = batch_norm_backward_by_steps(dR, size * Q, gamma, 0.0)
    expected, expected_dgamma, _ = batch_norm_backward_by_steps(dR, Q, gamma, 0.0)
    np.testing.assert_allclose(size * dQ, expected, rtol=1e-9)
    np.testing.assert_allclose(dgamma, expected_dgamma, rtol=1e-9)


def test_batch_norm_refuses_what_would_be_broadcast():
    Q, dR, gamma, beta = some()
    Qh, deviation, _ = normalize(Q)
    for f, given, name in [
        (batch_norm, (Q, np.ones((5, 1)), beta), "gamma"),
        (batch_norm, (Q, gamma, np.ones(1)), "beta"),
        (batch_norm, (Q, 2.0, beta), "gamma is a float"),
        (batch_norm, (Q.tolist(), gamma, beta), "Q is a list"),
        (batch_norm_backward_by_steps, (dR[:1], Q, gamma), "dR"),
        (batch_norm_backward_by_steps, (dR, Q, gamma[:1]), "gamma"),
        (batch_norm_backward, (dR[:1], Qh, deviation, gamma), "dR"),
        (batch_norm_backward, (dR, Qh, deviation[:1], gamma), "deviation"),
        (batch_norm_backward, (dR, Qh, deviation, gamma[:1]), "gamma"),
    ]:
        words = name if " " in name else rf"{name} has shape .*expected \("
        with pytest.raises(ValueError, match=words):
            f(*given)


def test_a_batch_of_one_passes_nothing_on():
    Q, dR, gamma, beta = some(1)
    assert np.array_equal(batch_norm(Q, gamma, beta)[0], beta)
    Qh, deviation, _ = normalize(Q)
    dQ, dgamma, dbeta = batch_norm_backward(dR, Qh, deviation, gamma)
    assert not dQ.any() and not dgamma.any() and np.array_equal(dbeta, dR[0])


def test_batch_norm_ignores_shift_and_scale():
    Q, dR, gamma, beta = some(20)
    moved = 7.0 * Q - 3.0
    a, b = (batch_norm(A, gamma, beta, eps=0.0) for A in (Q, moved))
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    dQ, *_ = batch_norm_backward_by_steps(dR, Q, gamma, 0.0)
    assert np.allclose(np.sum(dQ, 0), 0, atol=1e-14)  # so no shift is a way down
    assert np.allclose(np.sum(dQ * Q, 0), 0, atol=1e-13)  # and no scale


def test_running_average_on_paper():
    """Rate ¼ from (0, 2) towards mean 4, and variance 3 · 4/3 = 4 for N = 4."""
    one = [(np.array([0.0]), np.array([1.5]))]
    average = running_average(None, one, 4)
    assert [float(a[0]) for a in average[0]] == [0.0, 2.0]
    average = running_average(
        average, [(np.array([4.0]), np.array([3.0]))], 4, rate=0.25
    )
    assert [float(a[0]) for a in average[0]] == [1.0, 2.5]
    for rate, expected in (0.0, [0.0, 1.0]), (1.0, [0.0, 2.0]):  # all old, all new
        kept = running_average([(np.zeros(1), np.ones(1))], one, 4, rate=rate)
        assert [float(a[0]) for a in kept[0]] == expected
    with pytest.raises(ValueError, match="N is 1; expected 2 rows or more"):
        running_average(None, one, 1)
    for rate in (-0.1, 1.1):
        with pytest.raises(ValueError, match="rate is .*from 0 to 1"):
            running_average(None, one, 4, rate=rate)


def test_the_running_average_nears_the_training_sets_own():
    rng = np.random.default_rng(2)
    X = rng.normal(3.0, 2.0, (4000, 2))
    average = None
    for _ in range(400):
        rows = X[rng.integers(4000, size=8)]
        average = running_average(average, [normalize(rows)[2]], 8, rate=0.02)
    mean, variance = average[0]
    assert np.allclose(mean, X.mean(0), atol=0.3)
    assert np.allclose(variance, X.var(0), rtol=0.2)


# ---- the network ---------------------------------------------------------------------

KINDS = [
    Deep(),
    Deep("tanh"),
    Deep("logistic"),
    Deep(block=1),
    Deep(block=2),
    Deep("tanh", block=2, skip=False),
    Deep(batch_norm=True),
    Deep("tanh", batch_norm=True, eps=0.1),
    Deep("logistic", block=2, batch_norm=True),
    Deep(block=4, batch_norm=True),
]


def setting(network, N=6, widths=(3, 5, 5, 5, 5, 5, 2), seed=0):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((N, widths[0])), np.eye(widths[-1])
    start = network.start(widths, rng)
    p = tuple(a + 0.2 * rng.standard_normal(a.shape) for a in start)
    return X, Y[rng.integers(0, widths[-1], N)], p


@pytest.mark.parametrize("network", KINDS, ids=repr)
def test_gradients_by_hand_by_machine_and_by_differences(network):
    X, Y, p = setting(network)
    by_hand = network.gradients(X, Y, p)

    def cost(p):
        return network.cost(X, Y, p)

    by_machine = grad(cost)(p)
    assert len(by_hand) == len(p)
    for a, b, parameter in zip(by_hand, by_machine, p, strict=True):
        assert a.shape == parameter.shape
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)
    check_gradient(cost, by_hand, p).raise_if_failed()
    assert np.max(np.abs(by_hand[0])) > 1e-4  # the first layer gets some


def test_with_given_statistics_the_machine_differentiates_and_backward_refuses():
    network = Deep(batch_norm=True)
    X, Y, p = setting(network)
    statistics = network.forward(3 * X, p).statistics
    g = grad(lambda p: network.cost(X, Y, p, statistics))(p)
    assert check_gradient(lambda p: network.cost(X, Y, p, statistics), g, p).passed
    with pytest.raises(ValueError, match="up was made with given statistics"):
        network.backward(network.forward(X, p, statistics), Y, p)


def test_the_bias_before_batch_normalization_is_redundant():
    """E17: its gradient is zero to rounding; without normalization it is not."""
    for network, expected in [(Deep(batch_norm=True), True), (Deep(), False)]:
        X, Y, p = setting(network)
        g = network.layers(network.gradients(X, Y, p))
        for layer in g[:-1]:
            assert (np.max(np.abs(layer[1])) < 1e-15) == expected
    network = Deep(batch_norm=True)
    X, Y, p = setting(network)
    moved = (p[0], p[1] + 10.0, *p[2:])
    assert network.cost(X, Y, moved) == pytest.approx(network.cost(X, Y, p), rel=1e-12)


def test_one_hidden_layer_is_the_two_layer_network():
    for hidden in HIDDEN:
        X, Y, (V, b, W, c) = setting(Deep(hidden), widths=(3, 4, 2))
        ones = np.ones((len(X), 1))
        deck = TwoLayer("multiclass", hidden, output_bias=True)
        stacked = np.hstack([X, ones]), Y, np.vstack([W, c]), np.vstack([V, b])
        assert Deep(hidden).cost(X, Y, (V, b, W, c)) == pytest.approx(
            deck.cost(*stacked), rel=1e-13
        )
        dW, dV = deck.gradients(*stacked)
        gV, gb, gW, gc = Deep(hidden).gradients(X, Y, (V, b, W, c))
        np.testing.assert_allclose(np.vstack([gW, gc]), dW, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(np.vstack([gV, gb]), dV, rtol=1e-12, atol=1e-15)


def test_no_hidden_layer_is_softmax_regression():
    X, Y, (W, b) = setting(Deep(), widths=(3, 2))
    assert np.array_equal(Deep().predict(X, (W, b)), softmax(X @ W + b))
    dW, _ = Deep().gradients(X, Y, (W, b))
    np.testing.assert_allclose(dW, X.T @ (softmax(X @ W + b) - Y) / len(X), rtol=1e-12)


def test_a_block_is_the_slides_formula():
    """S17, E16: one layer, then a block of two: Z + relu(Z A + a) B + b."""
    X, _, p = setting(Deep(block=2), widths=(3, 5, 5, 5, 2))
    V, v, A, a, B, b, W, w = p
    Z = relu(X @ V + v)
    for skip in (True, False):
        block = relu(Z @ A + a) @ B + b + skip * Z
        up = Deep(block=2, skip=skip).forward(X, p)
        np.testing.assert_allclose(up.Z[3], block, rtol=1e-13)
        np.testing.assert_allclose(up.U, block @ W + w, rtol=1e-13, atol=1e-14)


def test_blocks_that_start_at_zero_are_the_identity():
    network, rng = Deep(block=2), np.random.default_rng(0)
    p = network.start((3, *[5] * 41, 2), rng, last=0.0)
    up = network.forward(rng.standard_normal((6, 3)), p)
    assert np.array_equal(up.Z[-1], up.Z[1])
    assert not np.array_equal(up.Z[2], up.Z[1])


def test_normalized_layers_with_the_batchs_own_or_with_given_statistics():
    network = Deep(batch_norm=True)
    X, _, p = setting(network, N=9)
    up = network.forward(X, p)
    W, b, gamma, beta = network.layers(p)[0]
    np.testing.assert_allclose(up.R[0], batch_norm(X @ W + b, gamma, beta), rtol=1e-13)
    assert up.statistics[0][1] == pytest.approx(np.var(X @ W, 0))
    same = network.predict(X, p, up.statistics)
    np.testing.assert_allclose(same, softmax(up.U), rtol=1e-13)
    one = network.predict(X[:1], p, up.statistics)  # alone, as in company
    np.testing.assert_allclose(one, softmax(up.U)[:1], rtol=1e-12)
    assert not np.allclose(one, network.predict(X[:1], p))


def test_minibatches_train_on_digits():
    X, Y = load_digits(bias=False)
    X = (X - X.mean()) / X.std()
    network, rng = Deep(block=2), np.random.default_rng(0)
    start = network.start((64, 16, 16, 16, 10), rng, last=0.1)
    gradient = minibatch_gradient(network, X, Y, 32, rng)
    assert [g.shape for g in gradient(*start)] == [p.shape for p in start]
    run = descend(gradient, start, lr=0.1, max_iters=150, progress=False)
    assert network.cost(X, Y, start) > 2
    assert network.cost(X, Y, run.parameters) < 0.6


def test_a_minibatch_is_drawn_anew_and_holds_no_row_twice():
    X = np.arange(8.0)[:, None]
    seen = []

    class Witness:
        def gradients(self, X, Y, parameters):
            assert np.array_equal(X, Y)
            seen.append(sorted(X[:, 0]))

    gradient = minibatch_gradient(Witness(), X, X, 5, np.random.default_rng(0))
    for _ in range(4):
        gradient()
    assert all(len(set(rows)) == 5 for rows in seen)
    assert len({tuple(rows) for rows in seen}) > 1


def test_nothing_given_is_changed():
    network = Deep(block=2, batch_norm=True)
    X, Y, p = setting(network, widths=(3, 5, 5, 5, 2))
    copies = [a.copy() for a in (X, Y, *p)]
    network.gradients(X, Y, p)
    assert all(np.array_equal(a, b) for a, b in zip(copies, (X, Y, *p), strict=True))


# ---- bad arguments -------------------------------------------------------------------


def test_misfits_name_the_argument():
    network = Deep(block=2, batch_norm=True)
    X, Y, p = setting(network, widths=(3, 5, 5, 5, 2))
    for call, words in [
        (lambda: network.cost(X[0], Y, p), r"X has shape \(3,\); expected rows, N x 3"),
        (lambda: network.cost(X[:, :2], Y, p), r"X has shape \(6, 2\); expected"),
        (lambda: network.cost(X, Y[:, 0], p), r"Y has shape \(6,\); expected one-hot"),
        (lambda: network.gradients(X, Y[:1], p), r"Y has shape \(1, 2\); .*\(6, 2\)"),
        (lambda: network.cost(X, Y, p[:-3]), "parameters has 11 arrays; expected 4 a"),
        (lambda: network.cost(X, Y, p[:8] + p[-2:]), "parameters has 10 .*block=2"),
        (lambda: network.cost(X, Y, ()), "parameters has 0 arrays"),
        (lambda: network.predict(X, p, []), "statistics has 0 entries; expected 3"),
        (lambda: Deep("ReLU"), "hidden is 'ReLU'; choose one of logistic, tanh, relu"),
        (lambda: Deep(block=-1), "block is -1; expected 0, 1, 2"),
        (lambda: Deep(block=1.5), "block is 1.5; expected 0, 1, 2"),
        (
            lambda: initial_weights(2, 2, None, "He"),
            f"scale is 'He'; choose one of {', '.join(SCALES)}",
        ),
        (
            lambda: initial_weights(2, 2, None, shape="normal"),
            "shape is 'normal'; choose one of gaussian, uniform",
        ),
    ]:
        with pytest.raises(ValueError, match=words):
            call()


def test_shapes_of_all_parameters_are_checked():
    """b (1,) broadcasts, and its gradient would be (4,); and so would a W (4, 1)."""
    network = Deep(batch_norm=True)
    X, Y, p = setting(network, widths=(3, 4, 4, 2))
    for i, wrong, said in [
        (1, np.ones(1), "parameters[1] has shape (1,); expected (4,)"),
        (1, np.ones((1, 4)), "parameters[1] has shape (1, 4); expected (4,)"),
        (2, np.array(1.0), "parameters[2] has shape (); expected (4,)"),
        (3, np.ones(5), "parameters[3] has shape (5,); expected (4,)"),
        (4, np.ones((4, 1)), "parameters[5] has shape (4,); expected (1,)"),
        (4, np.ones((5, 4)), "parameters[4] has shape (5, 4); expected (4, 4)"),
        (8, np.ones(4), "parameters[8] has shape (4,); expected (4, 4)"),
        (
            8,
            np.ones((4, 0)),
            "parameters[8] has shape (4, 0); expected (4, 0), and no a",
        ),
        (9, np.ones(1), "parameters[9] has shape (1,); expected (2,)"),
    ]:
        for call in network.cost, network.gradients:
            with pytest.raises(ValueError, match=re.escape(said)):
                call(X, Y, (*p[:i], wrong, *p[i + 1 :]))


@pytest.mark.parametrize("network", [Deep(), Deep("tanh", block=1, batch_norm=True)])
def test_kinds_and_emptiness_are_checked(network):
    X, Y, p = setting(network, widths=(3, 4, 4, 2))
    for call, words in [
        (lambda: network.cost(X.tolist(), Y, p), r"X is a list; .*np.array\(X\)"),
        (lambda: network.cost(X[:0], Y[:0], p), r"X has shape \(0, 3\)"),
        (lambda: network.predict(X + 1j, p), "X holds complex128"),
        (lambda: network.predict(np.ma.masked_array(X), p), "X is a MaskedArray"),
        (lambda: network.cost(X, Y.tolist(), p), "Y is a list"),
        (lambda: network.gradients(X, Y + 1j, p), "Y holds complex128"),
        (lambda: network.cost(X, np.ma.masked_array(Y), p), "Y is a MaskedArray"),
        (
            lambda: network.cost(X, Y, (p[0], [1.0] * 4, *p[2:])),
            r"parameters\[1\] is a l",
        ),
        (
            lambda: network.cost(X, Y, (1j * p[0], *p[1:])),
            r"parameters\[0\] holds comp",
        ),
        (lambda: network.cost(X, Y, (3.0, *p[1:])), r"parameters\[0\] is a float"),
        (lambda: network.cost(X, Y, (np.array(3.0), *p[1:])), r"expected rows, N x 0"),
        (lambda: network.cost(X, Y, None), "parameters has 0 arrays"),
        (
            lambda: network.cost(np.int8(X), Y, (np.int8(p[0]), *p[1:])),
            r"X holds int8 and parameters\[0\] int8; expected floats",
        ),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
    assert network.cost(np.int8(X), Y, p) == network.cost(np.int8(X) * 1.0, Y, p)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize("network", KINDS, ids=repr)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named(network, bad):
    X, Y, p = setting(network)

    def spoilt(A):
        A = A.copy()
        A.flat[1] = bad
        return A

    for call in network.cost, network.gradients:
        with pytest.raises(NotFiniteError, match=rf"X\[0, 1\] is {bad} \(1 such\)"):
            call(spoilt(X), Y, p)
        with pytest.raises(NotFiniteError, match=rf"Y\[0, 1\] is {bad}"):
            call(X, spoilt(Y), p)
        for i in range(len(p)):
            changed = (*p[:i], spoilt(p[i]), *p[i + 1 :])
            with pytest.raises(
                NotFiniteError, match=rf"parameters\[{i}\]\[.*1\] is {bad}"
            ):
                call(X, Y, changed)
            with pytest.raises(
                NotFiniteError, match=rf"parameters\[{i}\]\[.*1\] is {bad}"
            ):
                network.predict(X, changed)
    with pytest.raises(NotFiniteError, match=rf"X\[0, 1\] is {bad}"):
        network.predict(spoilt(X), p)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_finite_numbers_that_overflow_are_an_error_too():
    X, Y, p = setting(Deep(), widths=(3, 4, 2))
    with pytest.raises(NotFiniteError, match="are finite but the result overflows"):
        Deep().cost(1e200 * X, Y, [1e200 * A for A in p])
    with pytest.raises(NotFiniteError, match="are finite but the result overflows"):
        Deep().gradients(1e200 * X, Y, [1e200 * A for A in p])
    huge = np.full(2, 1e308)  # p · dp overflows though both are finite: no error
    p = (*p[:-1], huge)
    assert all(np.isfinite(g).all() for g in Deep().gradients(X, -1e3 * Y, p))


def test_statistics_fit_their_layers():
    network = Deep(batch_norm=True)
    X, Y, p = setting(network, widths=(3, 4, 4, 2))
    good = network.forward(X, p).statistics
    as_array = np.array(good)  # 2 layers x 2 x 4
    assert network.cost(X, Y, p, as_array) == network.cost(X, Y, p, good)
    one = np.ones(4)
    for bad, words in [
        (("nonsense",), r"statistics has \['str'\]; expected \(mean, variance\)"),
        ((0.0, 1.0), r"statistics has \['float', 'float'\]; .*\(4,\)"),
        ((one[:1], one[:1]), r"statistics has \[\(1,\), \(1,\)\]; expected"),
        ((one, one, one), r"two arrays of shape \(4,\)"),
        (3, r"two arrays of shape \(4,\)"),
        ((one, -one), "no variance below 0"),
        ((one, np.nan * one), "expected finite numbers"),
        ((np.inf * one, one), "expected finite numbers"),
        ((-np.inf * one, one), "expected finite numbers"),
        ((one, np.inf * one), "expected finite numbers"),
        ((one, np.array([1.0, 1.0, -1.0, 1.0])), "no variance below 0"),
        ((one, 1j * one), "statistics holds complex128"),
    ]:
        with pytest.raises(ValueError, match=words):
            network.cost(X, Y, p, [good[0], bad])
        with pytest.raises(ValueError, match=words):
            batch_norm(np.ones((5, 4)), one, one, statistics=bad)
    for bad in [("nonsense",)], good:
        with pytest.raises(
            ValueError, match=rf"statistics has {len(bad)} .*expected 0"
        ):
            Deep().predict(X, Deep().start((3, 4, 4, 2), 0), bad)
    with pytest.raises(ValueError, match="statistics has 0 entries; expected 2"):
        network.predict(X, p, 5)


def test_statistics_can_be_differentiated():
    Q, _, gamma, beta = some()

    def f(statistics):
        return np.sum(batch_norm(Q, gamma, beta, statistics=statistics) ** 2)

    at = np.ones(3), np.full(3, 2.0)
    assert check_gradient(f, grad(f)(at), at).passed


@pytest.mark.parametrize(
    "eps", [-5, np.nan, np.inf, "a", None, 1j, np.ones(2), [[1], [1, 2]]]
)
def test_epsilon_is_a_number_0_or_more(eps):
    with pytest.raises(ValueError, match="eps is .*expected a number, 0 or more"):
        Deep(batch_norm=True, eps=eps)
    with pytest.raises(ValueError, match="eps is .*expected a number, 0 or more"):
        normalize(np.ones((2, 2)), eps)


def test_a_running_average_takes_an_array_and_refuses_no_numbers():
    batch = [(np.full(2, 4.0), np.full(2, 3.0))]
    average = running_average(np.zeros((1, 2, 2)), batch, 4, rate=0.25)
    np.testing.assert_array_equal(average, [[[1.0, 1.0], [1.0, 1.0]]])
    for N in None, 2.5, "a", True:
        with pytest.raises(ValueError, match="N is .*expected 2 rows or more"):
            running_average(None, batch, N)
    for rate in -0.1, 1.1, np.nan, None, "a":
        with pytest.raises(ValueError, match="rate is .*a number from 0 to 1"):
            running_average(None, batch, 4, rate)


def test_a_minibatch_has_rows_and_each_its_label():
    network, (X, Y) = Deep(), np.ones((2, 6, 2))
    for size in 0, -1, 7, 2.0, True, None:
        with pytest.raises(ValueError, match="size is .*expected from 1 to X's 6 rows"):
            minibatch_gradient(network, X, Y, size, 0)
    for A, B in (X[:5], Y), (X, Y[:5]), (3.0, 4.0):
        with pytest.raises(ValueError, match="X has shape .*expected as many rows"):
            minibatch_gradient(network, A, B, 2, 0)
    with pytest.raises(ValueError, match="X is a MaskedArray"):
        minibatch_gradient(network, np.ma.masked_array(X), Y, 2, 0)
    with pytest.raises(ValueError, match="rng is 'a'; expected a NumPy Generator"):
        minibatch_gradient(network, X, Y, 2, "a")


def test_a_seed_will_do_where_a_generator_does():
    network, generator = Deep(), np.random.default_rng(3)
    from_seed = network.start((2, 4, 4, 2), 3)
    assert all(map(np.array_equal, from_seed, network.start((2, 4, 4, 2), generator)))
    assert not np.array_equal(from_seed[2][:2], from_seed[0])  # not drawn anew
    X, Y = np.random.default_rng(0).normal(size=(9, 2)), np.eye(2)[[0, 1, 1] * 3]
    draws = [
        minibatch_gradient(network, X.tolist(), Y, 4, rng)(*from_seed)
        for rng in (3, np.random.default_rng(3))
    ]
    assert all(map(np.array_equal, *draws))
    a, b = (initial_weights(2, 3, rng) for rng in (3, np.random.default_rng(3)))
    assert np.array_equal(a, b)


def test_a_start_that_makes_no_network_is_refused():
    rng = np.random.default_rng(0)
    for widths, words in [
        ((3,), r"widths is \(3,\); expected \(D, M"),
        ((), r"widths is \(\)"),
        (3, "widths is 3"),
        (None, "widths is None"),
        ((3, 0, 3), r"widths\[1\] is 0; expected a number of units, 1 or more"),
        ((3, 4.0, 3), r"widths\[1\] is 4.0"),
        ((3, 4, True), r"widths\[2\] is True"),
    ]:
        with pytest.raises(ValueError, match=words):
            Deep().start(widths, rng)
    for options, words in [
        ({"rng": "a"}, "rng is 'a'"),
        ({"last": None}, "last is None; expected a number"),
        ({"scale": np.nan}, "scale is nan; choose one of tiny"),
        ({"scale": None}, "scale is None; choose one of tiny"),
        ({"shape": ["uniform"]}, r"shape is \['uniform'\]; choose one of"),
    ]:
        with pytest.raises(ValueError, match=words):
            Deep().start((3, 4, 2), **{"rng": rng, **options})
    for below, above, words in (0, 2, "below is 0"), (2, "a", "above is 'a'"):
        with pytest.raises(ValueError, match=words):
            initial_weights(below, above, rng)
    for bad in True, None, "a":
        with pytest.raises(ValueError, match="block is .*expected 0, 1, 2"):
            Deep(block=bad)
    with pytest.raises(ValueError, match=r"hidden is \['relu'\]; choose one of"):
        Deep(["relu"])


def test_a_skip_connection_adds_what_is_as_wide():
    """Z (N, 1) + R (N, 5) would broadcast."""
    rng, X = np.random.default_rng(0), np.ones((2, 3))
    for widths, words in [
        ((3, 1, 5, 5, 2), "makes hidden layer 2 5 units wide; expected 1, as wide"),
        ((3, 5, 1, 1, 2), "makes hidden layer 2 1 units wide; expected 5"),
    ]:
        p = Deep(block=2, skip=False).start(widths, rng)
        assert Deep(block=2, skip=False).predict(X, p).shape == (2, 2)
        with pytest.raises(ValueError, match=f"parameters {words}"):
            Deep(block=2).predict(X, p)
        with pytest.raises(ValueError, match=f"widths {words}"):
            Deep(block=2).start(widths, rng)
    assert Deep(block=2).start((3, 4, 9, 4, 2), rng)  # inside a block it may differ
    with pytest.raises(ValueError, match="widths has 2 hidden layers; .*blocks of 2"):
        Deep(block=2).start((3, 4, 4, 2), rng)


# ---- defaults and edges, to the number -----------------------------------------------


def test_what_is_drawn_is_the_generators_own_sequence():
    """Mean 0 hides a sign: the numbers themselves are compared."""
    normal = np.random.default_rng(5).standard_normal((4, 3))
    for scale, factor in [("tiny", 0.01), ("he", np.sqrt(2 / 4)), (3.0, 3.0)]:
        W = initial_weights(4, 3, np.random.default_rng(5), scale)
        np.testing.assert_allclose(W, factor * normal, rtol=1e-15)
    glorot = initial_weights(4, 3, np.random.default_rng(5), "glorot", "uniform")
    uniform = np.random.default_rng(5).uniform(-np.sqrt(3), np.sqrt(3), (4, 3))
    np.testing.assert_allclose(glorot, np.sqrt(2 / 7) * uniform, rtol=1e-15)


def test_last_multiplies_the_blocks_last_weights_and_no_others():
    """Layers 0 | 1 | 2 and the output layer, at whose place a block would end too."""
    net, widths = Deep(block=1), (3, 4, 4, 4, 2)
    rng = np.random.default_rng(6)
    plain = [initial_weights(*ends, rng) for ends in zip(widths, widths[1:])]  # noqa: B905
    for last, factor in [(None, 1.0), (0.25, 0.25), (0.0, 0.0)]:
        given = {} if last is None else {"last": last}
        Ws = net.start(widths, np.random.default_rng(6), **given)[::2]
        for W, drawn, by in zip(Ws, plain, [1, factor, factor, 1], strict=True):
            np.testing.assert_allclose(W, by * drawn, rtol=1e-15)


def test_the_usual_epsilon_and_the_usual_rate():
    assert EPS == 1e-5
    before, batch = [np.array([[0.0], [1.0]])], [(np.ones(1), np.full(1, 1.5))]
    ((mean, variance),) = running_average(before, batch, 2)  # two rows are enough
    assert mean == pytest.approx([0.1]) and variance == pytest.approx([0.9 + 0.3])


def test_an_average_may_come_as_pairs():
    pair = np.zeros(2), np.ones(2)
    batch = [(np.full(2, 4.0), np.full(2, 3.0))]
    ((mean, variance),) = running_average([pair], batch, 4, rate=0.25)
    np.testing.assert_array_equal(mean, [1.0, 1.0])
    np.testing.assert_array_equal(variance, [1.75, 1.75])  # 3/4 + 3 · 4/3 / 4


def test_statistics_of_another_network_are_no_average():
    batch = [(np.zeros(1), np.ones(1))]
    average = running_average(None, 2 * batch, 4)
    with pytest.raises(ValueError, match="average has entries of .* like batch"):
        running_average(average, batch, 4)
    for scalars in [(0.0, 1.0)], np.array([[0.0, 1.0]]):
        with pytest.raises(
            ValueError, match=r"shapes \[\(2,\)\]; expected \[\(2, 1\)\]"
        ):
            running_average(scalars, batch, 4)


def test_a_block_of_three_written_out():
    """Forward and backward take a block's ends from one place: here they are by hand."""
    net = Deep("tanh", block=3)
    p = net.start((2, 3, 3, 3, 3, 2), np.random.default_rng(1))
    X = np.random.default_rng(2).normal(size=(4, 2))
    (W0, b0), (W1, b1), (W2, b2), (W3, b3), (W4, b4) = net.layers(p)
    Z = np.tanh(X @ W0 + b0)
    inner = np.tanh(np.tanh(Z @ W1 + b1) @ W2 + b2)
    U = (Z + inner @ W3 + b3) @ W4 + b4
    np.testing.assert_allclose(net.forward(X, p).U, U, rtol=1e-14)
    assert type(net.gradients(X, np.eye(2)[[0, 1, 1, 0]], p)) is tuple


def test_how_many_layers_fit():
    X, Y = np.ones((2, 3)), np.eye(2)
    p = Deep().start((3, 4, 4, 4, 4, 2), np.random.default_rng(0))
    assert Deep(block=3).cost(X, Y, p) > 0
    for net, wrong in [
        (Deep(block=3), p[:4] + p[-2:]),  # 2 hidden layers: 1 and a block of 1
        (Deep(block=3), p[:6] + p[-2:]),
        (Deep(), p[:3]),
        (Deep(), p[:1]),
        (Deep(), ()),
    ]:
        with pytest.raises(ValueError, match=f"parameters has {len(wrong)} arrays"):
            net.cost(X, Y, wrong)
    flat = Deep(block=2).start((3, 2), np.random.default_rng(0))
    assert Deep(block=2).predict(X, flat).shape == (2, 2)  # no hidden layer at all


def test_a_minibatch_may_be_one_row_or_all_of_them():
    network = Deep()
    X, Y, p = setting(network)
    for size in (1, len(X)):
        gradients = minibatch_gradient(network, X, Y, size, 0)(*p)
        assert [g.shape for g in gradients] == [a.shape for a in p]
    for size in (0, len(X) + 1):
        with pytest.raises(ValueError, match=f"size is {size}; expected from 1 to"):
            minibatch_gradient(network, X, Y, size, 0)

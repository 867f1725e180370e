"""comp551ad/byhand/deep.py: by hand, by machine and by finite differences."""

import math
import re

import numpy as np
import pytest

from comp551ad import check_gradient, grad, vjp
from comp551ad.byhand.deep import (
    EPS,
    SCALES,
    Deep,
    batch_norm,
    batch_norm_backward,
    initial_weights,
    minibatch_gradient,
    normalize,
    running_average,
)
from comp551ad.byhand.two_layer import HIDDEN, NotFiniteError, TwoLayer
from comp551ad.functions import relu, softmax

# ---- initial weights -----------------------------------------------------------------


@pytest.mark.parametrize("shape", ["gaussian", "uniform"])
@pytest.mark.parametrize(
    "scale, expected", [("tiny", 0.01), ("glorot", 0.1), ("he", 0.125), (0.3, 0.3)]
)
def test_initial_weights_have_the_scale_they_are_asked_for(scale, expected, shape):
    """128 below and 72 above: √(2/200) = .1 and √(2/128) = .125."""
    W = initial_weights(128, 72, np.random.default_rng(0), scale, shape)
    assert W.shape == (128, 72) and abs(np.mean(W)) < 0.04 * expected
    assert np.std(W) == pytest.approx(expected, rel=0.02)
    if shape == "gaussian":
        drawn = np.random.default_rng(0).standard_normal((128, 72))
        np.testing.assert_allclose(W, drawn * W[0, 0] / drawn[0, 0], rtol=1e-13)
    limit = math.sqrt(3) * expected
    assert (np.max(np.abs(W)) <= limit) == (shape == "uniform")


# ---- batch normalization -------------------------------------------------------------


def some(N=5, M=3):
    rng = np.random.default_rng(0)
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


@pytest.mark.parametrize("eps", [EPS, 0.5])
@pytest.mark.parametrize("N", [1, 2, 40])
def test_backward_in_closed_form_by_machine_and_by_differences(N, eps):
    Q, dR, gamma, beta = some(N)
    Qh, deviation, _ = normalize(Q, eps)
    closed = batch_norm_backward(dR, Qh, deviation, gamma)
    _, pull = vjp(lambda Q, g, b: batch_norm(Q, g, b, eps), Q, gamma, beta)
    for by_machine, by_hand in zip(pull(dR), closed, strict=True):
        np.testing.assert_allclose(by_hand, by_machine, rtol=1e-10, atol=1e-12)

    def f(given):
        return np.sum(dR * batch_norm(*given, eps))

    if N > 1:
        assert check_gradient(f, closed, (Q, gamma, beta)).passed
        assert np.max(np.abs(closed[0])) > 1e-3


def test_running_average_on_paper():
    """Rate ¼ from (0, 2) towards mean 4, and variance 3 · 4/3 = 4 for N = 4."""
    one = [(np.array([0.0]), np.array([1.5]))]
    average = running_average(None, one, 4)
    assert np.ravel(average).tolist() == [0.0, 2.0]
    more = [(np.array([4.0]), np.array([3.0]))]
    assert np.ravel(running_average(average, more, 4, 0.25)).tolist() == [1.0, 2.5]
    old = [(np.zeros(1), np.ones(1))]
    for rate, expected in (0.0, [0.0, 1.0]), (1.0, [0.0, 2.0]):  # all old, all new
        assert np.ravel(running_average(old, one, 4, rate)).tolist() == expected
    # The default rate is 0.1, the default ε 1e-5, and two rows are enough.
    usual = running_average(old, [(np.ones(1), np.full(1, 1.5))], 2)
    assert np.ravel(usual) == pytest.approx([0.1, 0.9 + 0.3]) and EPS == 1e-5


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


def setting(network, N=6, widths=(3, 5, 5, 5, 5, 5, 2)):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((N, widths[0])), np.eye(widths[-1])
    start = network.start(widths, rng)
    p = tuple(a + 0.2 * rng.standard_normal(a.shape) for a in start)
    return X, Y[rng.integers(0, widths[-1], N)], p


@pytest.mark.parametrize("network", KINDS, ids=repr)
def test_gradients_by_hand_and_by_machine(network):
    X, Y, p = setting(network)
    by_hand = network.gradients(X, Y, p)
    by_machine = grad(lambda p: network.cost(X, Y, p))(p)
    assert len(by_hand) == len(p) and type(by_hand) is tuple
    for a, b, parameter in zip(by_hand, by_machine, p, strict=True):
        assert a.shape == parameter.shape
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)
    assert np.max(np.abs(by_hand[0])) > 1e-4  # the first layer has a gradient


def test_with_given_statistics_the_machine_differentiates_and_backward_refuses():
    network = Deep(batch_norm=True)
    X, Y, p = setting(network)
    statistics = network.forward(3 * X, p).statistics
    g = grad(lambda p: network.cost(X, Y, p, statistics))(p)
    assert check_gradient(lambda p: network.cost(X, Y, p, statistics), g, p).passed
    with pytest.raises(ValueError, match="^up: got a pass with given statistics, exp"):
        network.backward(network.forward(X, p, statistics), Y, p)


def test_the_bias_before_batch_normalization_is_redundant():
    """E17: its gradient is zero to rounding; without normalization it is not."""
    for network, expected in [(Deep(batch_norm=True), True), (Deep(), False)]:
        X, Y, p = setting(network)
        g = network.layers(network.gradients(X, Y, p))
        for layer in g[:-1]:
            assert (np.max(np.abs(layer[1])) < 1e-15) == expected


def test_one_hidden_layer_is_the_two_layer_network():
    for hidden in HIDDEN:
        X, Y, (V, b, W, c) = setting(Deep(hidden), widths=(3, 4, 2))
        ones = np.ones((len(X), 1))
        deck = TwoLayer("multiclass", hidden, output_bias=True)
        stacked = np.hstack([X, ones]), Y, np.vstack([W, c]), np.vstack([V, b])
        expected = pytest.approx(deck.cost(*stacked), rel=1e-13)
        assert Deep(hidden).cost(X, Y, (V, b, W, c)) == expected


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


def test_normalized_layers_with_the_batchs_own_or_with_given_statistics():
    network = Deep(batch_norm=True)
    X, _, p = setting(network, N=9)
    up = network.forward(X, p)
    W, b, gamma, beta = network.layers(p)[0]
    np.testing.assert_allclose(up.R[0], batch_norm(X @ W + b, gamma, beta), rtol=1e-13)
    assert up.statistics[0][1] == pytest.approx(np.var(X @ W, 0))
    same = network.predict(X, p, up.statistics)
    np.testing.assert_allclose(same, softmax(up.U), rtol=1e-13)
    one = network.predict(X[:1], p, up.statistics)  # the same on its own as in a batch
    np.testing.assert_allclose(one, softmax(up.U)[:1], rtol=1e-12)
    assert not np.allclose(one, network.predict(X[:1], p))


@pytest.mark.parametrize("block, ends", [(1, (1, 2)), (2, (2,))])
def test_a_start_draws_the_generators_own_sequence(block, ends):
    """`last` multiplies only a block's last W."""
    network, widths = Deep(block=block, batch_norm=True), (3, 4, 4, 4, 2)
    uniform = {"scale": "glorot", "shape": "uniform"}
    for last, kind in (None, {}), (0.25, uniform), (0.0, {}):
        factor, given = (1, {}) if last is None else (last, {"last": last})
        layers = network.layers(network.start(widths, 6, **given, **kind))
        rng = np.random.default_rng(6)
        for i, (W, b, *scales) in enumerate(layers):
            below, above = widths[i : i + 2]
            drawn = initial_weights(below, above, rng, **kind)
            assert np.array_equal(W, drawn * (factor if i in ends else 1))
            assert np.array_equal(b, np.zeros(above))
            if i < 3:
                assert np.array_equal(scales, [np.ones(above), np.zeros(above)])
    assert len(layers[-1]) == 2 and type(network.start(widths, 6)) is tuple


def test_a_minibatch_holds_no_row_twice_and_is_drawn_anew():
    seen = []

    class Witness:
        def gradients(self, X, Y, parameters):
            assert np.array_equal(X, Y)
            seen.append(tuple(X[:, 0]))

    gradient = minibatch_gradient(Witness(), *[np.arange(8.0)[:, None]] * 2, 5, 0)
    for _ in range(4):
        gradient()
    assert all(len(set(rows)) == 5 for rows in seen) and len(set(seen)) == 4


# ---- bad arguments, checked by the mechanism that test_shapes.py tests ------------------

net = Deep(block=2, batch_norm=True)
X, Y, p = setting(net, widths=(3, 5, 5, 5, 2))
Q, dR, gamma, beta = some()
Qh, deviation, given = normalize(Q)
averages = net.forward(X, p).statistics


def changed(i, A):
    return (*p[:i], A, *p[i + 1 :])


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: net.cost(X, Y[:, 0], p), "Y: got shape (6,), .* N x C = 6 x 2, with N as"),
        (lambda: net.cost(X, Y[:, :1], p), "Y: .* with N as in X and C as in parameters[12]"),
        (lambda: net.gradients(X, Y[:1], p), "Y: .* with N as in X and C as in parameters[12]"),
        (lambda: net.backward(net.forward(X, p), Y[:1], p), "Y: got shape (1, 2), .* 6 x 2"),
        (lambda: net.cost(X.tolist(), Y, 3 * p), "parameters: got 42 arrays, expected 4 per"),
        (lambda: net.cost(X, Y, p[:8] + p[-2:]), "parameters: got 10 arrays.*block=2"),
        (lambda: net.cost(X, Y, changed(8, p[8][:, :1])), "parameters[8]: .* = 5 x 5"),
        (lambda: net.cost(X, Y, changed(13, np.ones(3))), "parameters[13]: .* C = 2"),
        (lambda: net.forward(X, p, averages[:2]), "statistics: got 2, expected 3 arrays"),
        (lambda: Deep("ReLU"), "hidden: got 'ReLU', expected one of 'logistic', 'tanh'"),
        (lambda: Deep(block=-1), "block: got -1, expected a whole number from 0"),
        (lambda: Deep(eps=-1), "eps: got -1, expected a finite number from 0"),
        (lambda: normalize(Q, statistics=(gamma, Q)), "statistics[1]: got shape (5, 3)"),
        (lambda: batch_norm(Q, np.ones((5, 1)), beta), "gamma: got shape (5, 1)"),
        (lambda: batch_norm_backward(dR[:1], Qh, deviation, gamma), "dR: got shape (1, 3)"),
        (lambda: initial_weights(0, 2, 0), "below: got 0, expected a whole number from 1"),
        (lambda: initial_weights(2, 2, 0, "He"), f"scale: .* one of {str([*SCALES])[1:-1]}"),
        (lambda: initial_weights(2, 2, 0, shape="normal"), "shape: .* 'gaussian', 'uniform'"),
        (lambda: net.start((3,), 0), "widths: got [3], expected (D, M, …, M, C)"),
        (lambda: net.start((3, 0, 2), 0), "widths[1]: got 0, expected a whole number"),
        (lambda: net.start((3, 4, 4, 2), 0), "widths: got [3, 4, 4, 2].*blocks"),
        (lambda: net.start((3, 1, 5, 5, 2), 0), "widths: got [3, 1, 5, 5, 2].*equal widths"),
        (lambda: running_average(None, averages, 1), "N: got 1, expected a whole number fr"),
        (lambda: running_average(None, averages, 4, 1.1), "rate: got 1.1, .* from 0 to 1"),
        (lambda: running_average([given] * 3, averages, 4), "average[0]: got shape (2, 3)"),
        (lambda: minibatch_gradient(net, X, Y, 7, 0), "size: got 7, .* from 1 to 6"),
        (lambda: minibatch_gradient(net, X, Y[1:], 2, 0), "Y: got shape (5, 2), .* N as in X"),
    ],
)  # fmt: skip
def test_misfits_name_the_argument(call, words):
    words = re.sub(r"([()\[\]])", r"\\\1", words)
    with pytest.raises(ValueError, match=f"^{words}"):
        call()


def test_a_skip_connection_adds_what_is_as_wide():
    """Z (N, 1) + R (N, 5) would broadcast."""
    for widths in (3, 1, 5, 5, 2), (3, 5, 1, 1, 2):
        p = Deep(block=2, skip=False).start(widths, 0)
        assert Deep(block=2, skip=False).predict(X, p).shape == (6, 2)
        with pytest.raises(
            ValueError, match=r"^parameters\[4\]: .* M2 x M1 = ., with|M1"
        ):
            Deep(block=2).predict(X, p)
    p = Deep(block=2).start((3, 4, 9, 4, 2), 0)  # inside a block it may differ
    assert Deep(block=2).predict(X, p).shape == (6, 2)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_a_variance_that_overflows_is_an_error_too():
    """With an infinite variance every Q̂ would silently be 0."""
    for call in lambda: normalize(1e160 * Q), lambda: net.cost(1e160 * X, Y, p):
        with pytest.raises(NotFiniteError, match="got nan or inf from finite"):
            call()

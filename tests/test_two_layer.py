"""comp551ad/byhand/two_layer.py: S05–S09 by hand, against the deck and differences."""

import itertools
import math

import numpy as np
import pytest

from comp551ad import record
from comp551ad.byhand.two_layer import (
    HEADS,
    HIDDEN,
    TwoLayer,
    accuracy,
    cost,
    gradients,
)
from comp551ad.datasets import load_iris
from comp551ad.functions import logistic, relu, softmax


def small_weights(D=3, M=16, C=3, seed=0, scale=0.01):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=(M, C)), scale * rng.normal(size=(D, M))


@pytest.fixture
def iris():
    return (*load_iris(), *small_weights())


# ---- the deck's example --------------------------------------------------------------


def test_the_cost_starts_at_ln_3(iris):
    """E25; with all-zero weights it is ln 3 exactly."""
    X, Y, W, V = iris
    assert cost(X, Y, W, V) == pytest.approx(1.0986, abs=2e-3)
    assert cost(X, Y, 0 * W, 0 * V) == pytest.approx(math.log(3), rel=1e-15)


def test_a_cost_worked_out_on_paper():
    X, V, W = np.array([[2.0]]), np.array([[0.0]]), np.array([[0.0, math.log(9)]])
    Y = np.array([[1.0, 0.0]])  # z = σ(0) = ½, u = (0, ln 3), ŷ = (¼, ¾)
    assert cost(X, Y, W, V) == pytest.approx(math.log(4), rel=1e-15)
    dW, dV = gradients(X, Y, W, V)
    assert dW == pytest.approx(np.array([[-0.375, 0.375]]), rel=1e-15)
    assert dV == pytest.approx(np.array([[0.75 * math.log(9) * 0.25 * 2]]), rel=1e-15)


def test_gradients_are_the_slides_bit_for_bit(iris):
    X, Y, W, V = iris
    N = X.shape[0]
    Z = logistic(np.dot(X, V))
    Yh = softmax(np.dot(Z, W))
    dY = Yh - Y
    dZ = np.dot(dY, W.T)
    dW, dV = gradients(X, Y, W, V)
    assert np.array_equal(dW, np.dot(Z.T, dY) / N)
    assert np.array_equal(dV, np.dot(X.T, dZ * Z * (1 - Z)) / N)


def test_the_general_network_is_the_decks_bit_for_bit(iris):
    network = TwoLayer("multiclass", "logistic")
    assert network == TwoLayer()
    for seed, scale in ((0, 0.01), (1, 1.0), (2, 30.0)):
        args = (*iris[:2], *small_weights(seed=seed, scale=scale))
        assert network.cost(*args) == cost(*args)
        for ours, deck in zip(network.gradients(*args), gradients(*args), strict=True):
            assert np.array_equal(ours, deck)


def test_the_tracer_finds_the_decks_names(iris):
    assert {"Q", "Z", "U", "nll"} <= set(record(cost, *iris).names.values())
    expected = {"Q", "Z", "U", "Yh", "dU", "dW", "dZ", "dQ", "dV"}
    assert expected <= set(record(gradients, *iris).names.values())


# ---- three heads, three hidden activations, with and without output bias -------------


def test_costs_are_their_definitions():
    """S06, with the leading minus that the slide lacks (E01, E02)."""
    rng = np.random.default_rng(5)
    X, (W, V) = rng.normal(size=(6, 3)), small_weights(M=4, C=2, scale=1.0)
    label = np.eye(2)[rng.integers(0, 2, 6)]
    real = rng.normal(size=(6, 2))

    def both(head, Y):
        network = TwoLayer(head, "tanh")
        return network.cost(X, Y, W, V), network.predict(X, W, V)

    got, Yh = both("regression", real)
    assert got == pytest.approx(0.5 * np.sum((Yh - real) ** 2) / 6)
    got, Yh = both("binary", label)
    loss = -label * np.log(Yh) - (1 - label) * np.log(1 - Yh)
    assert got == pytest.approx(np.sum(loss) / 6)
    got, Yh = both("multiclass", label)
    assert got == pytest.approx(-np.sum(label * np.log(Yh)) / 6)
    assert np.sum(Yh, 1) == pytest.approx(np.ones(6))


def test_the_output_bias_is_the_last_row_of_W():
    X, Y = load_iris()
    W, V = small_weights(scale=1.0)
    b = np.array([[0.5, -1.0, 2.0]])
    network = TwoLayer(output_bias=True)
    with_bias = np.concatenate([W, b])
    Z = logistic(X @ V)
    assert network.predict(X, with_bias, V) == pytest.approx(softmax(Z @ W + b))
    dW, _ = network.gradients(X, Y, with_bias, V)
    Yh = network.predict(X, with_bias, V)
    assert dW[-1] == pytest.approx(np.mean(Yh - Y, axis=0))


@pytest.mark.parametrize("head, hidden", [*itertools.product(HEADS, HIDDEN)])
def test_far_logits(head, hidden):
    """±1e4 at the output: no overflow, no nan, and a finite loss on a straight line."""
    X, V = np.array([[1.0], [1.0]]), np.array([[50.0]])
    W = np.array([[1e4, -1e4]]) / HIDDEN[hidden][0](50.0)
    Y = np.array([[0.0, 1.0], [1.0, 0.0]])
    network = TwoLayer(head, hidden)
    expected = {"regression": 1e8, "binary": 1e4, "multiclass": 1e4}[head]
    assert network.cost(X, Y, W, V) == pytest.approx(expected, rel=1e-3)
    assert all(np.all(np.isfinite(g)) for g in network.gradients(X, Y, W, V))
    V = np.array([[-1e4]])  # and ±1e4 at the hidden layer
    assert math.isfinite(network.cost(X, Y, W * 1e-4, V))
    assert all(np.all(np.isfinite(g)) for g in network.gradients(X, Y, W, V))


def test_unknown_names_are_refused_and_relu_has_slope_0_at_0():
    for names in ("softmax",), ("binary", "ReLU"):
        with pytest.raises(ValueError, match="^h.*: got '.*', expected one of '"):
            TwoLayer(*names)
    Q = np.array([[-1.0, 0.0, 2.0]])
    assert HIDDEN["relu"][1](1.0, Q, relu(Q)).tolist() == [[0, 0, 1]]


@pytest.mark.parametrize(
    "Yh, Y, expected",
    [
        ([[0.6, 0.4], [0.2, 0.8], [0.9, 0.1], [0.3, 0.7]], np.eye(2)[[0, 1, 1, 1]], 0.75),
        ([[0.6], [0.2], [0.9], [0.3]], [[1], [0], [1], [1]], 0.75),
        # ½ counts as 0, and a tie as the first class.
        ([[0.5], [0.7], [0.2], [0.9]], [[0], [1], [1], [0]], 0.5),
        ([[0.5, 0.5], [0.1, 0.9]], [[1, 0], [1, 0]], 0.5),
        ([[0.6], [0.4]], [[0], [0]], 0.5),
    ],
)  # fmt: skip
def test_accuracy(Yh, Y, expected):
    share = accuracy(Yh, Y)
    assert type(share) is float and share == expected


@pytest.mark.parametrize(
    "Yh, Y, words",
    [
        (np.zeros((4, 1)), np.eye(4), r"Y: got shape \(4, 4\), expected N x C = 4 x 1"),
        (np.eye(2), [[1, 0], [0.5, 0.5]], r"Y\[1\]: got \[0.5, 0.5\], .*one-hot"),
        (np.eye(2), [[0, 0], [0, 1]], r"Y\[0\]: got \[0.0, 0.0\], .*one-hot"),
        (np.eye(2), [[1, 1], [0, 1]], r"Y\[0\]: got \[1.0, 1.0\], .*one-hot"),
        ([[0.9], [0.4]], [[1], [-1]], r"Y\[1\]: got \[-1.0\], .*0 or 1"),
    ],
)
def test_accuracy_refuses_what_is_no_label(Yh, Y, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        accuracy(Yh, Y)


# ---- bad arguments, checked by the mechanism that test_shapes.py tests ------------------

biased = TwoLayer("binary", "relu", True)
CALLS = [cost, gradients, TwoLayer().cost, biased.gradients, biased.cost]


@pytest.fixture(params=CALLS)
def called(request, iris):
    """A function with valid arguments; with output biases, W has one more row."""
    X, Y, W, V = iris
    W = np.concatenate([W, W[:1]]) if request.param in CALLS[3:] else W
    return request.param, {"X": X, "Y": Y, "W": W, "V": V}


@pytest.mark.parametrize(
    "name, change, words",
    [
        (
            "X",
            lambda X: X[:, :2],
            r"V: got shape \(3, 16\), .* = 2 x M.*forget the bias",
        ),
        ("Y", lambda Y: Y.argmax(1), r"Y: got shape \(150,\).*np\.eye\(C\)\[Y\]"),
        ("Y", lambda Y: Y[:, :1], r"Y: got shape \(150, 1\), expected N x C = 150 x 3"),
        ("V", lambda V: V.T, r"V: got shape \(16, 3\), .* D as in X; write V.T"),
        ("W", lambda W: W[1:], r"W: got shape .* M.* = 1[67] x C, with M as in V"),
    ],
)
def test_misfits_name_the_argument(called, name, change, words):
    call, given = called
    given[name] = change(given[name])
    with pytest.raises(ValueError, match=f"^{words}"):
        call(**given)

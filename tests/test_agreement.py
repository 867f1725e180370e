"""The witnesses agree: by hand = reverse mode = forward mode = finite differences.

The only test that uses ``byhand``, ``autodiff`` and ``gradcheck`` together. The deck's `cost`
is repeated here as on S09, and traced unchanged.
"""

import numpy as np
import pytest
from test_two_layer import small_weights

from comp551ad import (
    TwoLayer,
    check_gradient,
    grad,
    gradients,
    hessian,
    jacobian,
    jvp,
    load_iris,
    record,
    reverse,
    value_and_grad,
)
from comp551ad import cost as cost_by_hand
from comp551ad.byhand.two_layer import HEADS, HIDDEN
from comp551ad.functions import logistic, logsumexp, softmax


def cost(X, Y, W, V):  # S09, line by line; Yh is never used there (E23)
    Q = np.dot(X, V)
    Z = logistic(Q)
    U = np.dot(Z, W)
    Yh = softmax(U)  # noqa: F841
    nll = -np.mean(np.sum(U * Y, 1) - logsumexp(U))
    return nll


SCALES = [0.01, 1.0, 30.0]  # the deck's start; trained; saturated


@pytest.mark.parametrize("scale", SCALES)
def test_the_decks_cost_traced_unmodified_on_iris(scale):
    X, Y = load_iris()
    W, V = small_weights(scale=scale)
    value, (dW, dV) = value_and_grad(cost, ("W", "V"))(X, Y, W, V)
    by_hand = gradients(X, Y, W, V)
    assert value == pytest.approx(cost_by_hand(X, Y, W, V), rel=1e-14)
    np.testing.assert_allclose(
        dW, by_hand[0], rtol=1e-12, atol=1e-12 * np.abs(dW).max()
    )
    np.testing.assert_allclose(
        dV, by_hand[1], rtol=1e-12, atol=1e-12 * np.abs(dV).max()
    )
    assert dW.shape == (16, 3) and dV.shape == (3, 16)


def test_the_costs_trace_carries_the_slides_names():
    X, Y = load_iris()
    W, V = small_weights()
    t = record(cost, X, Y, W, V)
    assert [(n.name, n.primitive) for n in t] == [
        ("X", "input"),
        ("Y", "input"),
        ("W", "input"),
        ("V", "input"),
        ("Q", "dot"),
        ("Z", "logistic"),
        ("U", "dot"),
        ("Yh", "softmax"),
        (None, "multiply"),
        (None, "sum"),
        (None, "logsumexp"),
        (None, "subtract"),
        (None, "mean"),
        ("nll", "negative"),
    ]
    assert t["nll"] == pytest.approx(np.log(3), abs=2e-3)  # E25
    r = reverse(t)
    N = 150
    np.testing.assert_allclose(
        r["U"], (t["Yh"] - Y) / N, rtol=1e-12, atol=1e-17
    )  # S08, E20
    np.testing.assert_allclose(
        r["W"], t["Z"].T @ (t["Yh"] - Y) / N, rtol=1e-11, atol=1e-16
    )
    assert not np.any(r["Yh"]), "what is unused gets no adjoint"


# ---------------------------------------------------------------- heads × activations


def problem(head, output_bias, N=12, D=3, M=5, C=3):
    rng = np.random.default_rng(4)
    X = np.concatenate([rng.normal(size=(N, D - 1)), np.ones((N, 1))], axis=1)
    C = 1 if head == "binary" else C
    Y = {
        "regression": rng.normal(size=(N, C)),
        "binary": (rng.random((N, 1)) < 0.5).astype(float),
        "multiclass": np.eye(3)[rng.integers(3, size=N)],
    }[head]
    return X, Y, rng.normal(size=(M + output_bias, C)), rng.normal(size=(D, M))


@pytest.mark.parametrize("output_bias", [False, True])
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("head", HEADS)
def test_hand_reverse_forward_and_differences(head, hidden, output_bias):
    net = TwoLayer(head, hidden, output_bias)
    X, Y, W, V = problem(head, output_bias)
    hand = net.gradients(X, Y, W, V)
    value, machine = value_and_grad(net.cost, ("W", "V"))(X, Y, W, V)
    assert value == pytest.approx(net.cost(X, Y, W, V), rel=1e-14)
    by_forward = jacobian(net.cost, (2, 3), mode="forward")(X, Y, W, V)
    recorded = reverse(record(net.cost, X, Y, W, V))
    for ours, theirs, pushed, name in zip(hand, machine, by_forward, "WV", strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(pushed, ours, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(recorded[name], ours, rtol=1e-12, atol=1e-14)
    report = check_gradient(
        lambda p: net.cost(X, Y, *p), hand, (W, V), names=("W", "V")
    )
    assert report.passed, str(report)
    t = np.cos(np.arange(W.size)).reshape(W.shape)
    _, slope = jvp(lambda W: net.cost(X, Y, W, V), (W,), (t,))
    assert slope == pytest.approx(np.sum(hand[0] * t), rel=1e-11, abs=1e-14)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("head", HEADS)
def test_the_machine_differentiates_the_hand_made_gradient(head, hidden):
    """∂dV/∂V by machine, of the hand-written gradient, is the Hessian by machine only."""
    net = TwoLayer(head, hidden)
    X, Y, W, V = problem(head, False, N=4, M=3)
    for k, name in ((2, "W"), (3, "V")):
        by_both = jacobian(lambda *a, k=k: net.gradients(*a)[k - 2], k)(X, Y, W, V)
        by_machine = hessian(net.cost, name)(X, Y, W, V)
        np.testing.assert_allclose(by_both, by_machine, rtol=1e-10, atol=1e-12)


def test_relu_at_zero_is_a_matter_of_convention_and_both_lie_in_the_kink():
    """At q = 0 the derivative is any number between 0 and 1; see each module's docstring."""
    net = TwoLayer("regression", "relu")
    X, Y = np.array([[1.0]]), np.array([[3.0]])
    W, V = np.array([[2.0]]), np.array([[0.0]])
    left, right = 0.0, -3.0 * 2.0
    for dV in (net.gradients(X, Y, W, V)[1], grad(net.cost, "V")(X, Y, W, V)):
        assert right <= dV[0, 0] <= left
        assert check_gradient(lambda V: net.cost(X, Y, W, V), dV, V).passed


def test_the_hand_refuses_traced_arguments_as_it_refuses_plain_ones():
    net = TwoLayer()
    X, Y, W, V = problem("multiclass", False)
    with pytest.raises(ValueError, match="V: got shape"):
        grad(net.cost, "W")(X, Y, W, V.T)
    with pytest.raises(ValueError, match="V: got shape"):
        grad(net.cost, "V")(X, Y, W, V.T)

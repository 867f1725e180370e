"""The program writer: what it writes, that it is right, and what it refuses."""

import ast
import copy
import inspect
import pickle
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum

import numpy as np
import pytest
from test_random_programs import Builder, like, run
from test_random_programs import Program as Drawn
from test_transforms import doubles_its_own, swaps

from comp551ad import pytrees
from comp551ad.autodiff.primitives import PRIMITIVES
from comp551ad.autodiff.program import ProgramError, write_gradient, write_value
from comp551ad.autodiff.tape import apply
from comp551ad.autodiff.trace import record
from comp551ad.autodiff.transforms import grad, hessian, jacobian, value_and_grad
from comp551ad.byhand.two_layer import HEADS, HIDDEN, TwoLayer, cost, gradients
from comp551ad.datasets import load_iris
from comp551ad.functions import logistic, logsumexp, relu, softmax, softplus


@pytest.fixture(scope="module")
def iris():
    X, Y = load_iris()
    rng = np.random.default_rng(0)
    return X, Y, rng.normal(size=(16, 3)), rng.normal(size=(3, 16))


def body(program):
    """The lines of the written function, without shapes."""
    lines = program.source.split('"""\n', 1)[1].splitlines()
    return [line.split("  #")[0].strip() for line in lines]


def written_equals_eager(f, *args, wrt=0, rtol=1e-12):
    program = write_gradient(f, *args, wrt=wrt)
    ast.parse(program.source)
    eager = grad(f, wrt)(*args)
    written = program(*args)
    if not isinstance(wrt, tuple):
        eager, written = (eager,), (written,)
    for e, w in zip(eager, written, strict=True):
        assert np.shape(e) == np.shape(w)
        np.testing.assert_allclose(w, e, rtol=rtol, atol=1e-13)
    return program


# ---------------------------------------------------------------- the texts


def test_the_decks_gradients(iris):
    """From the deck's cost the machine writes the deck's gradients (S09)."""
    program = write_gradient(cost, *iris, wrt=("W", "V"))
    assert body(program) == [
        "N = X.shape[0]",
        "Q = np.dot(X, V)",
        "Z = logistic(Q)",
        "U = np.dot(Z, W)",
        "dU = softmax(U) - Y",
        "dZ = np.dot(dU, W.T)",
        "dQ = dZ * Z * (1 - Z)",
        "dW = np.dot(Z.T, dU) / N",
        "dV = np.dot(X.T, dQ) / N",
        "return dW, dV",
    ]
    for written, by_hand in zip(program(*iris), gradients(*iris), strict=True):
        assert np.array_equal(written, by_hand), "bit for bit"


def test_the_value_of_the_decks_cost(iris):
    program = write_value(cost, *iris)
    assert body(program) == [
        "Q = np.dot(X, V)",
        "Z = logistic(Q)",
        "U = np.dot(Z, W)",
        "nll = -np.mean(np.sum(U * Y, axis=1) - logsumexp(U))",
        "return nll",
    ]
    assert program(*iris) == cost(*iris)


def test_the_half_square():
    """S11."""

    def loss(w, x, y):
        return 0.5 * (w * x - y) ** 2

    program = write_gradient(loss, 0.5, 2.0, 3.0, wrt=("w", "x", "y"))
    assert body(program) == [
        "t = w * x - y",
        "dw = x * t",
        "dx = w * t",
        "dy = -t",
        "return dw, dx, dy",
    ]
    assert program(0.5, 2, 3) == (-4.0, -1.0, 2.0)


def test_sine_and_cosine():
    """S14, the adjoints of y2."""

    def model(w0, w1, x):
        a = w1 * x + w0
        y2 = np.cos(a)
        return y2

    program = write_gradient(model, 0.5, 2.0, 1.0, wrt=("w0", "w1", "x"))
    assert body(program) == [
        "a = w1 * x + w0",
        "da = -np.sin(a)",
        "dw1 = x * da",
        "dx = w1 * da",
        "return da, dw1, dx",
    ]


def test_shapes_are_comments(iris):
    source = write_gradient(cost, *iris, wrt="V").source
    assert "    Q = np.dot(X, V)  # 150 x 16\n" in source
    assert "from comp551ad.functions import logistic, softmax\n" in source


def test_logistic_written_out_is_recognised(iris):
    def long_hand(X, Y, W, V):
        Q = X @ V
        Z = 1 / (1 + np.exp(-Q))
        U = Z @ W
        return -np.mean(np.sum(U * Y, 1) - logsumexp(U))

    program = write_gradient(long_hand, *iris, wrt=("W", "V"))
    assert "Z = logistic(Q)" in body(program)
    assert any("logistic" in note for note in program.simplified)
    for written, by_hand in zip(program(*iris), gradients(*iris), strict=True):
        np.testing.assert_allclose(written, by_hand, rtol=1e-12, atol=1e-15)


# ---------------------------------------------------------------- that it is right


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("head", HEADS)
def test_three_heads_three_activations(head, hidden, iris):
    X, Y, W, V = iris
    if head == "binary":
        Y, W = Y[:, :1], W[:, :1]
    network = TwoLayer(head, hidden)
    program = write_gradient(network.cost, X, Y, W, V, wrt=("W", "V"))
    for written, by_hand in zip(
        program(X, Y, W, V), network.gradients(X, Y, W, V), strict=True
    ):
        np.testing.assert_allclose(written, by_hand, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive(name):
    primitive = PRIMITIVES[name]
    for operands, parameters in primitive.examples:
        weights = np.cos(
            np.arange(np.size(apply_plain(primitive, operands, parameters)))
        )

        def f(xs, weights, primitive=primitive, parameters=parameters):
            y = apply(primitive, xs, dict(parameters))
            return np.sum(weights * np.reshape(y, (-1,)))

        eager = grad(f)(operands, weights)
        for buffered in (False, True):
            program = write_gradient(f, operands, weights, buffered=buffered)
            program(operands, 2 * weights)  # leaves something else in the buffers
            for w, e in zip(program(operands, weights), eager, strict=True):
                assert np.shape(w) == np.shape(e)
                np.testing.assert_allclose(w, e, rtol=1e-12, atol=1e-13)


def apply_plain(primitive, operands, parameters):
    return record(lambda *xs: apply(primitive, xs, dict(parameters)), *operands).result


def test_deep_tanh_net_with_parameters_in_containers(iris):
    X, Y, *_ = iris
    rng = np.random.default_rng(1)
    sizes = [(3, 5), (5, 4), (4, 3)]
    params = {
        "layers": [{"W": rng.normal(size=s), "b": rng.normal(size=s[1])} for s in sizes]
    }

    def net(params, X, Y):
        H = X
        for layer in params["layers"]:
            H = np.tanh(H @ layer["W"] + layer["b"])
        return 0.5 * np.mean(np.sum((H - Y) ** 2, axis=1))

    program = write_gradient(net, params, X, Y)
    eager = grad(net)(params, X, Y)
    written = program(params, X, Y)
    for e, w in zip(eager["layers"], written["layers"], strict=True):
        np.testing.assert_allclose(w["W"], e["W"], rtol=1e-11)
        np.testing.assert_allclose(w["b"], e["b"], rtol=1e-11)


def test_batch_normalization_and_residual_block(iris):
    X = iris[0]
    rng = np.random.default_rng(2)

    def batch_norm(X, gamma, beta):
        Xh = (X - np.mean(X, axis=0)) / np.sqrt(np.var(X, axis=0) + 1e-5)
        return np.sum(np.tanh(gamma * Xh + beta) ** 2)

    def residual(X, A, B):
        return np.sum(np.square(relu(X @ A) @ B + X))

    written_equals_eager(
        batch_norm, X[:, :2], rng.normal(size=2), np.zeros(2), wrt=(0, 1, 2)
    )
    A, B = rng.normal(size=(3, 4)), rng.normal(size=(4, 3))
    written_equals_eager(residual, X, A, B, wrt=(0, 1, 2))


def test_value_and_gradient_together(iris):
    value, dW = write_gradient(cost, *iris, wrt="W", value=True)(*iris)
    eager_value, eager = value_and_grad(cost, "W")(*iris)
    np.testing.assert_allclose(value, eager_value, rtol=1e-15)
    np.testing.assert_allclose(dW, eager, rtol=1e-12, atol=1e-16)


def test_gradient_of_a_written_gradient():
    def f(x):
        return np.sum(np.sin(x) * x**3)

    x = np.array([0.3, -1.2, 2.0])
    first = write_gradient(f, x)
    rows = [
        write_gradient(lambda x, e: np.sum(first(x) * e), x, e)(x, e) for e in np.eye(3)
    ]
    np.testing.assert_allclose(np.stack(rows), hessian(f)(x), rtol=1e-12, atol=1e-13)


def test_unused_input_and_constant_function():
    written_equals_eager(
        lambda x, y: np.sum(x), np.ones(3), np.ones((2, 2)), wrt=(0, 1)
    )
    program = write_gradient(lambda x: 3.0, np.ones((2, 2)))
    assert np.array_equal(program(np.ones((2, 2))), np.zeros((2, 2)))


def test_results_are_the_callers_own():
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    program = write_gradient(lambda x, y: np.sum(x * y), x, y, wrt=("x", "y"))
    dx, dy = program(x, y)
    dx[:], dy[:] = 0, 0
    assert x.tolist() == [1.0, 2.0] and y.tolist() == [3.0, 4.0]
    same = write_gradient(lambda x, y: np.sum((x + y) ** 2), x, y, wrt=("x", "y"))
    dx, dy = same(x, y)
    dx[:] = 0
    assert dy.tolist() == [8.0, 12.0]


# ---------------------------------------------------------------- the same as eager, everywhere


X3 = np.array([1.5, 0.5, 2.0])
MASK = np.array([True, False, True])
M23 = np.arange(6.0).reshape(2, 3)
A33 = np.random.default_rng(0).normal(size=(3, 3))

# function, arguments to write it for, arguments to run it with: float's edges, where gathering
# numbers, Python's own arithmetic or an integer in the source would show
VALUES = {
    "root of a negative number": (lambda x: x**0.5, (1.0,), (-1.0,)),
    "power of negative numbers": (lambda x, y: (x - y) ** 1.5, (3.0, 1.0), (1.0, 3.0)),
    "square overflows": (lambda x: x**2, (1.0,), (1e200,)),
    "division by zero": (lambda x: 1 / x, (1.0,), (0.0,)),
    "numbers of both signs of zero": (lambda x, y: x / y, (1.0, 1.0), (1.0, -0.0)),
    "small, small, large": (lambda x: x * 1e-200 * 1e-200 * 1e200, (1.0,), (1e250,)),
    "inf / inf": (lambda x: x * 1e200 * 1e200 / 1e200 / 1e201, (1.0,), (1e-100,)),
    "small mean": (lambda x: np.mean(x * 1e-308), (X3,), (np.full(3, 1e308),)),
    "two small": (lambda x, y: x * 1e-160 * (y * 1e-160), (1.0, 1.0), (1e160, 1e150)),
    "divided twice": (lambda x: x / 1e-200 / 1e-200, (X3,), (X3 * 1e-300,)),
    "small over large": (
        lambda x, y: np.sum(1e-25 * x / (1e25 * y)),
        (X3, X3),
        (X3 * 1e200, X3 * 1e-110),
    ),
    "large over small": (
        lambda x, w: np.sum((x * 1e30 / 1e-30) * w),
        (X3, X3),
        (X3 * 1e-170, X3 * 1e-150),
    ),
    "twice less once, at inf": (lambda x: 2 * x - x, (X3,), (X3 * np.inf,)),
    "once less thrice": (lambda x: x - 3 * x, (X3,), (X3 * 5e307,)),
    "twice and once": (lambda x: -2 * x - x, (X3,), (-X3 * np.inf,)),
    "zero times nan": (lambda x, y: 0.0 * x + y, (1.0, 2.0), (np.nan, 2.0)),
    "zero times what overflows": (lambda x: 0.0 * x * x, (X3,), (X3 * 1e200,)),
    "inf - inf": (lambda x: x - x, (X3,), (np.array([np.inf, np.nan, 1.0]),)),
    "times inf": (lambda x: x * np.inf / np.inf, (X3,), (X3,)),
    "two zeros": (lambda x: (x / 0.0, x / -0.0), (X3,), (X3,)),
    "an array of ones plus exp": (
        lambda x: 1 / (np.array([1.0, 2.0, 3.0]) + np.exp(-x)),
        (X3,),
        (X3,),
    ),
    "one, with axes, plus exp": (
        lambda x: 1 / (np.array([[1.0]]) + np.exp(-x)),
        (X3,),
        (X3,),
    ),
    "array over zeros": (lambda x: np.array([1.0, 2.0, 3.0]) / (x * 0.0), (X3,), (X3,)),
    "index in an index": (lambda x: x[((0, 1),)], (M23,), (M23,)),
    "indices in an index": (lambda x: x[(0, 1), (1, 2)], (M23,), (M23,)),
    "whole numbers where": (lambda x: np.where(MASK, 7.0, 8.0) * x, (X3,), (X3,)),
    "number without axes": (lambda x: np.reshape(x[:1], ()), (X3,), (X3,)),
    "squeezed to a number": (lambda x: np.squeeze(np.sin(x)), (X3[:1],), (X3[:1],)),
    "dots and a number": (lambda x: x[..., 0] * 1.0, (X3,), (X3,)),
    "choice of numbers": (lambda x: np.where(True, x, 2.0), (1.0,), (3.0,)),
    "count as a result": (lambda x: (np.mean(x), 3.0), (X3,), (X3,)),
}
GRADIENTS = {
    "where, twice": (
        lambda x: np.sum(np.where(MASK, 1e10 * np.where(MASK, 1e10 * x, 0.0), 0.0)),
        (X3,),
        (X3,),
    ),
    "where": (lambda x: np.sum(np.where(MASK, x, 0.0)), (X3,), (X3,)),
    "divided twice": (lambda x: np.sum(x / 1e-200 / 1e-200), (X3,), (X3,)),
    "divided by zero": (lambda x: np.sum(x / 0.0), (X3,), (X3,)),
    "a number, negative": (lambda x: -(2.0 * x), (1.0,), (1.0,)),
    "power": (lambda x, y: (x - y) ** 1.5, (3.0, 1.0), (1.0, 3.0)),
    "a mean over rows": (
        lambda x: np.sum(np.exp(np.mean(x, axis=1))),
        (M23,),
        (M23 / 2,),
    ),
    "sums of columns": (lambda x: np.sum(np.sin(np.sum(x, axis=0))), (M23,), (M23,)),
    "names of buffers": (
        lambda b_T, w: np.sum(logistic((np.sin(b_T) + 1).T @ w) ** 2),
        (A33, A33 + 1),
        (A33, A33 + 1),
    ),
    "keys that look like the text": (
        lambda p: np.sum(np.tanh(p["copy"] @ p["b.T"]) @ p["b_T"]),
        ({"copy": A33, "b.T": A33 + 1, "b_T": A33 - 1},),
        ({"copy": A33, "b.T": A33 - 2, "b_T": A33},),
    ),
    "keys that are one name to Python": (
        lambda p: p["\u00b5"] + 10 * p["\u03bc"] + p["\u00bd"],
        ({"\u00b5": 1.0, "\u03bc": 2.0, "\u00bd": 3.0},),
        ({"\u00b5": 1.0, "\u03bc": 2.0, "\u00bd": 3.0},),
    ),
}


def same(a, b):
    """Whether two results are equal: numbers to the last digits, shapes, kinds, structure."""
    assert pytrees.same_structure(a, b) and type(a) is type(b) or np.ndim(a) == 0
    for x, y in zip(pytrees.leaves(a), pytrees.leaves(b), strict=True):
        assert np.shape(x) == np.shape(y) and np.asarray(x).dtype == np.float64
        assert isinstance(x, np.ndarray) == bool(np.shape(x))
        np.testing.assert_allclose(x, y, rtol=1e-13, atol=0)
        zero = np.equal(x, 0) & np.equal(y, 0)
        assert np.array_equal(np.signbit(x) & zero, np.signbit(y) & zero)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflow and the like: as eager
@pytest.mark.parametrize("buffered", [False, True])
@pytest.mark.parametrize("case", VALUES)
def test_written_values_are_the_eager_ones(case, buffered):
    f, example, arguments = VALUES[case]
    eager = record(f, *arguments).result
    same(write_value(f, *example, buffered=buffered)(*arguments), eager)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("buffered", [False, True])
@pytest.mark.parametrize("case", GRADIENTS)
def test_written_gradients_are_the_eager_ones(case, buffered):
    f, example, arguments = GRADIENTS[case]
    program = write_gradient(f, *example, buffered=buffered)
    same(program(*arguments), grad(f)(*arguments))


def test_numbers_that_travel_are_moderate():
    """1/N and 1e-8 move outward; 1e-200 stays where it is."""
    texts = [
        body(write_value(lambda x, c=c: np.sum(c * x), X3))[0] for c in (1e-8, 1e-200)
    ]
    assert texts == ["value = 1e-08 * np.sum(x)", "value = np.sum(1e-200 * x)"]


def test_equal_terms_are_one_only_where_that_is_the_same():
    assert body(write_value(lambda x: 2 * x + x, 1.0))[0] == "value = 3 * x"
    assert body(write_value(lambda x: 2 * x - x, 1.0))[0] == "value = 2 * x - x"


# ---------------------------------------------------------------- the caller's own


RESULTS = {
    "the argument": lambda x: x,
    "twice": lambda x: (np.sin(x), np.sin(x)),
    "named twice": lambda x: [y := x + x.T, y],
    "and its transpose": lambda x: (np.sin(x), np.sin(x).T),
    "transpose": lambda x: np.sin(x).T,
    "transpose first": lambda x: (np.sin(x).T, np.sin(x)),
    "reshape": lambda x: np.reshape(np.sin(x), (9,)),
    "a row": lambda x: np.sin(x)[0],
    "rows": lambda x: (np.sin(x)[:2], np.sin(x)[1:], x[:1]),
    "repeated": lambda x: np.broadcast_to(np.sum(x, axis=0), (4, 3)),
    "repeated number": lambda x: np.broadcast_to(np.sum(x), (4, 3)),
    "columns": lambda x: np.expand_dims(np.exp(x), 0),
    "nothing of it": lambda x: (np.ones((2, 3)), np.ones((2, 3)).T, x),
}


@pytest.mark.parametrize("buffered", [False, True])
@pytest.mark.parametrize("case", RESULTS)
def test_every_result_is_an_array_of_its_own(case, buffered):
    """It can be changed, and changes nothing else: no argument, no other result, no later or
    earlier call's."""
    f, x = RESULTS[case], A33.copy()
    program = write_value(f, x, buffered=buffered)
    results = pytrees.leaves(program(x))
    expected = [np.array(y) for y in pytrees.leaves(f(x))]
    program(2 * x)
    for k, result in enumerate(results):
        np.testing.assert_allclose(result, expected[k], rtol=1e-15)
        result[...] = 7.0
        expected[k][...] = 7.0
        for one, other in zip(results, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-15)
    assert np.array_equal(x, A33)
    for one, other in zip(
        pytrees.leaves(program(x)), pytrees.leaves(f(x)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-15)


@pytest.mark.parametrize("buffered", [False, True])
def test_gradients_that_are_transposes_or_uniform_are_the_callers_own(buffered):
    X = np.random.default_rng(0).normal(size=(80, 4))
    cases = [
        (lambda A, B: np.sum(np.sin(A + B.T)), (A33, A33 + 1), (0, 1)),
        (lambda W, X: np.sum(softplus(X @ W.T)), (np.ones((2, 4)), X), 0),
        (lambda x, y: np.sum(np.exp(np.mean(x, axis=1))) + np.sum(y), (X, X), (0, 1)),
    ]
    for f, arguments, wrt in cases:
        program = write_gradient(f, *arguments, wrt=wrt, buffered=buffered)
        gradients = pytrees.leaves(program(*arguments))
        program(*(2 * a for a in arguments))
        for k, eager in enumerate(pytrees.leaves(grad(f, wrt)(*arguments))):
            np.testing.assert_allclose(gradients[k], eager, rtol=1e-13)
            gradients[k][...] = 0


def test_results_keep_the_classes_of_the_arguments():
    Layer = namedtuple("Layer", "W b")
    layers = [Layer(A33, X3), Layer(A33 + 1, 2.0)]

    def f(layers):
        return sum(np.sum(np.tanh(X3 @ layer.W + layer.b)) for layer in layers)

    for buffered in (False, True):
        gradient = write_gradient(f, layers, buffered=buffered)(layers)
        assert [type(layer) for layer in gradient] == [Layer, Layer]
        assert type(gradient[1].b) is float
        same(gradient, grad(f)(layers))


# ---------------------------------------------------------------- the buffered form


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("head", HEADS)
def test_buffered_networks(head, hidden, iris):
    X, Y, W, V = iris
    if head == "binary":
        Y, W = Y[:, :1], W[:, :1]
    network = TwoLayer(head, hidden)
    program = write_gradient(network.cost, X, Y, W, V, wrt=("W", "V"), buffered=True)
    rng = np.random.default_rng(3)
    before = [a.copy() for a in (X, Y, W, V)]
    for _ in range(3):
        w, v = W + rng.normal(size=W.shape), V + rng.normal(size=V.shape)
        for written, by_hand in zip(
            program(X, Y, w, v), network.gradients(X, Y, w, v), strict=True
        ):
            np.testing.assert_allclose(written, by_hand, rtol=1e-9, atol=1e-12)
    assert all(np.array_equal(a, b) for a, b in zip((X, Y, W, V), before, strict=True))


def test_buffered_text(iris):
    """Arrays are allocated outside the function; inside, results have a place to go."""
    source = write_gradient(cost, *iris, wrt=("W", "V"), buffered=True).source
    outside, inside = source.split("    def gradients(")
    assert outside.count("np.empty") == 6 and "np.empty" not in inside
    assert "np.empty((3, 150))" in outside, "logits are stored short axis first"
    assert "X.dot(b, out=b_2)" in inside, "the sign of -Q is in b, which is -V"


def test_buffered_takes_functions_apart(iris):
    """logsumexp and softmax share their work; at the edge they are as safe as ever."""
    program = write_gradient(cost, *iris, wrt="W", value=True, buffered=True)
    assert program.source.count("np.maximum.reduce") == 1
    X, Y, W, V = iris
    for scale in (1, 1e4):
        value, dW = program(X, Y, scale * W, scale * V)
        np.testing.assert_allclose(value, cost(X, Y, scale * W, scale * V), rtol=1e-12)
        by_hand, _ = gradients(X, Y, scale * W, scale * V)
        np.testing.assert_allclose(dW, by_hand, rtol=1e-9, atol=1e-13)

    def f(OUT, Q):  # a name that looks like a part of the text
        both = softmax(Q, axis=(0, 1)) * OUT
        return np.sum(both) + np.sum(np.log(logistic(Q)) * np.max(OUT, axis=0))

    rng = np.random.default_rng(4)
    OUT, Q = rng.normal(size=(5, 4)), np.linspace(-1e3, 1e3, 20).reshape(5, 4)
    program = write_gradient(f, OUT, Q, wrt=(0, 1), buffered=True)
    for written, eager in zip(program(OUT, Q), grad(f, (0, 1))(OUT, Q), strict=True):
        np.testing.assert_allclose(written, eager, rtol=1e-12, atol=1e-300)


def test_buffered_results_are_copies_unless_asked(iris):
    program = write_gradient(cost, *iris, wrt=("W", "V"), buffered=True)
    X, Y, W, V = iris
    first = program(X, Y, W, V)
    kept = [g.copy() for g in first]
    program(X, Y, 2 * W, V)
    assert all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))
    own = program(X, Y, W, V, copy=False)
    again = program(X, Y, 2 * W, V, copy=False)
    assert all(a is b for a, b in zip(own, again, strict=True))


def test_buffered_never_aliases_its_inputs():
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    f = lambda x, y: np.sum(x * y) + np.sum(x.T)  # noqa: E731
    for dx in write_gradient(f, x, y, wrt=("x", "y"), buffered=True)(x, y, copy=False):
        dx[:] = 0
    assert x.tolist() == [1.0, 2.0] and y.tolist() == [3.0, 4.0]


def test_buffered_in_threads(iris):
    """Two calls at once don't share arrays: the second takes the readable program."""
    X, Y, W, V = iris
    program = write_gradient(cost, X, Y, W, V, wrt="W", buffered=True)
    scales = np.linspace(0.5, 2, 40)
    expected = [program.readable(X, Y, s * W, V) for s in scales]
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda s: program(X, Y, s * W, V), scales))
    for g, e in zip(got, expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-9, atol=1e-13)


def test_buffered_program_can_be_recorded(iris):
    X, Y, W, V = iris
    program = write_gradient(cost, X, Y, W, V, wrt="W", buffered=True)

    def norm(W):
        return np.sum(program(X, Y, W, V) ** 2)

    eager = grad(lambda W: np.sum(grad(cost, 2)(X, Y, W, V) ** 2))(W)
    np.testing.assert_allclose(grad(norm)(W), eager, rtol=1e-10, atol=1e-14)


# ---------------------------------------------------------------- random programs


def test_random_programs_are_written_right():
    """What is written gives what the eager path gives; nothing warns, no type changes."""
    written = 0
    for seed in range(60):
        builder = Builder(seed)
        for _ in range(1 + seed % 7):
            builder.statement()
        outputs = (len(builder.values) - 1, seed % len(builder.values))
        drawn = Drawn(builder.inputs, tuple(builder.statements), outputs)
        weights = like(run(drawn, drawn.inputs), 1)

        def total(inputs, weights, drawn=drawn):
            pairs = zip(weights, run(drawn, inputs), strict=True)
            return sum(np.sum(w * y) for w, y in pairs)

        arguments = list(drawn.inputs), weights
        value, eager = value_and_grad(total)(*arguments)
        for buffered in (False, True):
            try:
                program = write_gradient(
                    total, *arguments, value=True, buffered=buffered
                )
            except ProgramError as error:
                assert "a constant array of shape" in str(error)  # it is too large
                continue
            program(arguments[0], [2 * w for w in weights])  # fills the buffers
            again, gradient = program(*arguments)
            np.testing.assert_allclose(again, value, rtol=1e-10, atol=1e-11)
            for w, e in zip(gradient, eager, strict=True):
                assert np.shape(w) == np.shape(e) and np.asarray(w).dtype == float
                np.testing.assert_allclose(w, e, rtol=1e-9, atol=1e-10)
            written += 1
    assert written > 90


# ---------------------------------------------------------------- names


def test_names_that_would_clash():
    def f(np_, softmax, x):
        N = softmax * np_
        lambda_ = N + x
        return np.sum(lambda_ * N)

    f.__name__ = "f-strange name"
    written_equals_eager(f, np.ones(3), np.ones(3) * 2, np.ones(3), wrt=(0, 1, 2))

    def g(p):
        return p["lambda"] * p["np"] * p["x y"] * p["gradient"]

    p = {"lambda": 2.0, "np": 3.0, "x y": 5.0, "gradient": 7.0}
    assert write_gradient(g, p)(p) == grad(g)(p)


# ---------------------------------------------------------------- the call's arguments


def test_arguments_come_by_key_and_name():
    """In any order; but what is swapped, missing or elsewhere is refused."""

    def f(p):
        return np.sum(p["a"]) ** 2 * np.sum(p["b"])

    a, b = np.arange(2.0), np.ones(3)
    program = write_gradient(f, {"a": a, "b": b})
    same(program({"b": b, "a": a})["a"], grad(f)({"a": a, "b": b})["a"])
    with pytest.raises(ProgramError, match=r"p\['a'\]: got shape \(3,\).*\(2,\)"):
        program({"b": a, "a": b})

    def keywords(**options):
        return f(options)

    program = write_gradient(keywords, a=a, b=b, wrt="options")
    assert program(b=b, a=a)["b"].tolist() == [1.0, 1.0, 1.0]

    def defaults(x, b=2.0, c=3.0):
        return x * b * b * c

    program = write_gradient(defaults, 1.0, c=5.0)
    assert program(2.0, c=7.0) == 28.0
    with pytest.raises(ProgramError, match="got x, b, but .* for x, c"):
        program(2.0, 7.0)

    def keyword_only(x, *, c):
        return x * c

    program = write_gradient(keyword_only, 1.0, c=5.0)
    assert program(c=3.0, x=1.0) == 3.0
    with pytest.raises(TypeError, match="positional"):
        program(1.0, 5.0)
    buffered = write_gradient(keyword_only, 1.0, c=5.0, buffered=True)
    assert grad(lambda c: buffered(1.0, c=c) ** 2)(3.0) == 6.0


def test_wrt_is_a_position_in_the_call():
    def f(x, b=2.0, c=3.0):
        return x * b * b * c

    assert write_gradient(f, 1.0, 2.0, 5.0, wrt=1)(1.0, 2.0, 5.0) == 20.0
    assert write_gradient(f, 1.0, c=5.0, wrt=2)(1.0, c=5.0) == 4.0
    assert write_gradient(f, 1.0, c=5.0, wrt=-1)(1.0, c=5.0) == 4.0
    with pytest.raises(ProgramError, match="wrt: got 1, expected one of x, c"):
        write_gradient(f, 1.0, c=5.0, wrt=1)

    def g(x, *xs, k=1.0):
        return k * x * xs[0] * xs[1] ** 2

    for wrt in (0, 1, 2, (0, 2), -1, "xs", ("x", "xs")):
        program = write_gradient(g, 1.0, 2.0, 3.0, wrt=wrt)
        assert program(1.0, 2.0, 3.0) == grad(g, wrt)(1.0, 2.0, 3.0)
    assert write_gradient(g, 1.0, 2.0, 3.0, k=5.0, wrt=2)(1.0, 2.0, 3.0, k=5.0) == 60
    for wrt in (3, -4, "y", 1.0, True, None.__class__, [0]):
        with pytest.raises(ProgramError, match="wrt: got"):
            write_gradient(g, 1.0, 2.0, 3.0, wrt=wrt)


def test_a_function_may_change_its_own_containers():
    for f, argument in (doubles_its_own, {"w": 3.0}), (swaps, [1.0, 2.0]):
        assert write_gradient(f, argument)(argument) == grad(f)(argument)
    assert argument == [1.0, 2.0]


def test_settings_are_equal_in_value_and_kind():
    mask, x = MASK.copy(), X3

    def f(x, mask):
        return np.sum(np.where(mask, x, 0.0))

    program = write_gradient(f, x, mask)
    assert program(x, mask.copy()).tolist() == [1.0, 0.0, 1.0]
    mask[1] = True
    for other in (mask, MASK.astype(int), [True, False, True], MASK[:2], None):
        with pytest.raises(ProgramError, match="mask"):
            program(x, other)

    def take(x, i):
        return x[i] * 1.0

    program = write_value(take, x, [True, False, True])
    assert program(x, [True, False, True]).tolist() == [1.5, 2.0]
    for other in ([1, 0, 1], (True, False, True), [True, True, True]):
        with pytest.raises(ProgramError, match="i"):
            program(x, other)
    assert write_value(take, x, slice(2))(x, slice(2)).tolist() == [1.5, 0.5]


@dataclass(frozen=True)
class Setting:
    value: object


@dataclass
class Changeable:
    value: int


def test_settings_that_are_hard_to_compare():
    """An array in an object, a set that grew, True and 1: as good as refused, and with a cause."""

    def written_for(setting):
        program = write_value(lambda x, setting: 2 * x, 1.0, setting)
        return lambda other: program(1.0, other)

    masked = np.ma.array(MASK, mask=[True, False, False])
    for one, equal in (
        ({1, 2}, {2, 1}),
        (frozenset({True, (1, "a")}), frozenset({True, (1, "a")})),
        (masked, masked.copy()),
        (Setting(1), Setting(1)),
        (c := Changeable(1), c),
        (s := Setting(X3), s),
    ):
        assert written_for(one)(equal) == 2.0
    for one, other, text in (
        ({1, 2}, {1, 2, 5}, r"setting: got \{1, 2, 5\}, but .* for \{1, 2\}"),
        (frozenset({True}), frozenset({1}), "setting: got"),
        (frozenset({(True,)}), frozenset({(1,)}), "setting: got"),
        (masked, np.ma.array(MASK), "setting: got"),
        (Setting(X3), Setting(X3.copy()), "setting: got a Setting that can't be comp"),
        (Changeable(1), Changeable(1), "setting: got another Changeable"),
    ):
        with pytest.raises(ProgramError, match=text):
            written_for(one)(other)
    grows = {1, 2}
    program = written_for(grows)
    grows.add(5)
    with pytest.raises(ProgramError, match="setting: got"):
        program(grows)

    def adds(x, seen):
        seen.add(len(seen))
        return len(seen) * x

    assert write_value(adds, 1.0, set())(2.0, set()) == 2.0


@pytest.mark.parametrize("buffered", [False, True])
def test_arguments_that_mean_something_else_are_refused(buffered):
    program = write_gradient(lambda x: np.sum(x**2), X3, buffered=buffered)
    others = (
        np.ma.array(X3, mask=[0, 1, 0]),
        X3.view(np.matrix),
        [[1.0, 2.0], [3.0]],
        ["a", "b", "c"],
        None,
        MASK,
    )
    for x in others:
        with pytest.raises(ProgramError, match="x: got"):
            program(x)


# ---------------------------------------------------------------- written and derived again


@pytest.mark.parametrize("buffered", [False, True])
def test_derivatives_of_programs_whose_results_are_uniform_or_arguments(buffered):
    for f in (
        lambda x: np.mean(x) ** 2,
        lambda x: np.sum(np.sum(x) * x),
        lambda x: np.sum(np.reshape(x, (3, 1)) * x),
        lambda x: np.sum(np.exp(np.sum(x))),
    ):
        program = write_gradient(f, X3, buffered=buffered)
        np.testing.assert_allclose(jacobian(program)(X3), hessian(f)(X3), rtol=1e-13)
    product = write_gradient(lambda x, y: np.sum(x * y), X3, X3, buffered=buffered)
    assert np.array_equal(jacobian(product, 1)(X3, X3), np.eye(3))
    twice = write_value(lambda x: [x**2, x**2], X3, buffered=buffered)
    assert np.array_equal(jacobian(lambda x: twice(x)[1])(X3), np.diag(2 * X3))


@pytest.mark.parametrize("buffered", [False, True])
def test_a_program_is_called_like_its_function(buffered):
    """Whatever the source names its parameters: so it can be differentiated like it, too."""

    def gathers(*xs):
        return xs[0] * xs[1] ** 2

    def keyword_only(x, *, k):
        return x**2 * k

    def keywords(x, **options):
        return x * options["a"] ** 2

    def clashes(a, sum):
        return a * sum**2

    for f, args, kwargs, argnum in (
        (gathers, (2.0, 3.0), {}, 1),
        (keyword_only, (2.0,), {"k": 3.0}, "x"),
        (keywords, (2.0,), {"a": 3.0}, "x"),
        (clashes, (2.0,), {"sum": 3.0}, "sum"),
    ):
        program = write_value(f, *args, buffered=buffered, **kwargs)
        assert inspect.signature(program) == inspect.signature(f)
        expected = grad(f, argnum)(*args, **kwargs)
        assert grad(program, argnum)(*args, **kwargs) == expected
        again = write_gradient(program, *args, wrt=argnum, buffered=buffered, **kwargs)
        assert again(*args, **kwargs) == expected
        if buffered and f is not keywords:
            with pytest.raises(TypeError, match="argument 'copy'"):
                write_gradient(program, *args, copy=False, **kwargs)


@pytest.mark.parametrize("buffered", [False, True])
def test_a_program_can_be_copied_and_pickled(buffered, iris):
    program = write_gradient(cost, *iris, wrt=("W", "V"), buffered=buffered)
    for other in (
        copy.copy(program),
        copy.deepcopy(program),
        pickle.loads(pickle.dumps(program)),
    ):
        assert type(other) is type(program) and other.source == program.source
        assert other.simplified == program.simplified
        same(other(*iris), program(*iris))
        X, Y, W, V = iris
        with pytest.raises(ProgramError, match="W: got shape"):
            other(X, Y, V=V, W=W[:2])
    if buffered:  # with arrays of its own
        own, others = program(*iris, copy=False), other(*iris, copy=False)
        assert not np.shares_memory(own[0], others[0])


# ---------------------------------------------------------------- refusals


def branching(x):
    if x > 0:  # the line that is to be named
        return x * x
    return -x


@pytest.mark.parametrize("buffered", [False, True])
def test_constant_arrays_are_results(buffered):
    """Each call gives an array of its own, of the kind that the function returned."""
    constants = [
        np.array([1.0, -2.0, np.nan]),
        np.zeros((0, 3)),
        np.array([[0, 1]]),
        np.array([True, False]),
        np.array([2**60 + 1]),
        2.0,
    ]
    x = np.arange(6.0)
    program = write_value(lambda x: (x, *constants), x, buffered=buffered)
    for _ in range(2):
        first, *others = program(x)
        np.testing.assert_array_equal(first, x)
        for other, constant in zip(others, constants, strict=True):
            assert np.asarray(other).dtype == np.asarray(constant).dtype
            np.testing.assert_array_equal(other, constant)
        others[0][:] = 7.0
    (line, _) = body(write_value(lambda x: np.ones(2), x))
    assert line == "value = np.array([1.0, 1.0])"


def test_a_constant_gradient_is_of_floats():
    for factors in (np.array([1.0, 2.0]), np.array([1, 2])):
        program = write_gradient(lambda x, c=factors: np.sum(c * x), np.zeros(2))
        assert program(np.zeros(2)).dtype == np.float64


@pytest.mark.parametrize("buffered", [False, True])
def test_the_function_gets_a_lawful_name(buffered):
    def logistic(x):
        return 1 / (1 + np.exp(-x))

    def np_(x):
        return np.sum(x)

    np_.__name__ = "np"
    for f, name in ((lambda x: 2 * x, "f"), (logistic, "logistic_2"), (np_, "np_2")):
        program = write_value(f, np.ones(2), buffered=buffered)
        assert program.__name__ == name
        np.testing.assert_allclose(program(np.ones(2)), f(np.ones(2)), rtol=1e-15)


@pytest.mark.parametrize("buffered", [False, True])
def test_arguments_that_a_function_gathers(buffered):
    def alone(*xs):
        return sum(np.sum(x**2) for x in xs)

    def behind(a, *xs, scale=1.0):
        return scale * a * alone(*xs)

    x, y = np.arange(3.0), np.ones(2)
    program = write_gradient(alone, x, wrt="xs", buffered=buffered)
    np.testing.assert_array_equal(program(x)[0], 2 * x)
    program = write_gradient(alone, x, y, wrt="xs", buffered=buffered)
    np.testing.assert_array_equal(program(x, y)[1], 2 * y)
    program = write_gradient(behind, 3.0, x, wrt="xs", scale=2.0, buffered=buffered)
    np.testing.assert_array_equal(program(3.0, x, scale=2.0)[0], 12 * x)
    program = write_gradient(behind, 3.0, x, wrt=("a", "xs"), buffered=buffered)
    assert program(3.0, x)[0] == 5.0
    with pytest.raises(ProgramError, match="xs: its structure"):
        program(3.0, x, x)


def test_a_branch_is_refused_with_its_line():
    line = branching.__code__.co_firstlineno + 1
    with pytest.raises(ProgramError, match=rf"line {line} of .*greater"):
        write_gradient(branching, 2.0)


def test_other_shapes_are_refused(iris):
    X, Y, W, V = iris
    program = write_gradient(cost, X, Y, W, V, wrt=("W", "V"))
    with pytest.raises(ProgramError, match=r"X: got shape \(10, 3\).*\(150, 3\)"):
        program(X[:10], Y, W, V)
    with pytest.raises(ProgramError, match="X: got .*complex128"):
        program(X + 0j, Y, W, V)


def test_integers_are_promoted(iris):
    X, Y, W, V = iris
    program = write_gradient(cost, X, Y, W, V, wrt="W")
    assert np.array_equal(program(X, Y.astype(int), W, V), program(X, Y, W, V))


def test_numbers_may_come_in_many_forms():
    """Also as an array without axes, which the program hands back as a number of its own."""
    assert type(write_gradient(lambda a: np.max(a), 2.0)(2.0)) is float
    program = write_gradient(lambda x, y: x * y, 2.0, 3.0)
    for five in (5, 5.0, np.float64(5), np.array(5.0), np.array(5)):
        assert type(program(1, five)) is float and program(1, five) == 5.0


def test_settings_and_structure_must_be_the_recorded_ones():
    def f(x, kind, p):
        return x * p["a"] if kind == "product" else x + p["a"]

    program = write_gradient(f, 2.0, "product", {"a": 3.0})
    assert program(5.0, "product", {"a": 4.0}) == 4.0
    assert program(5.0, p={"a": 4.0}, kind="product") == 4.0
    with pytest.raises(ProgramError, match="kind: got 'sum'.*'product'"):
        program(5.0, "sum", {"a": 4.0})
    with pytest.raises(ProgramError, match="p: its structure"):
        program(5.0, "product", {"b": 4.0})


def test_data_does_not_enter_the_source():
    data = np.linspace(0, 1, 100)
    with pytest.raises(ProgramError, match="constant array of shape"):
        write_gradient(lambda w: np.sum(w * data), 2.0)


def test_a_program_has_a_longest_length():
    def long(x):
        for _ in range(6000):
            x = np.sin(x)
        return x

    with pytest.raises(ProgramError, match="use grad"):
        write_gradient(long, 1.0)


def test_wrt_and_output_errors(iris):
    with pytest.raises(ProgramError, match="wrt: got 'Q'"):
        write_gradient(cost, *iris, wrt="Q")
    with pytest.raises(ProgramError, match="more than one number"):
        write_gradient(softmax, np.ones(3))


class Colour(Enum):
    RED = 1


def test_what_cannot_be_written_is_refused_with_its_cause():
    def w(p):
        return p["w"] ** 2

    with pytest.raises(ProgramError, match=r"wrt: p\['n'\] is 'relu', expected real"):
        write_gradient(w, {"w": 1.0, "n": "relu"})
    with pytest.raises(ProgramError, match="wrt: mode is 'relu'"):
        write_gradient(lambda x, mode: x, 1.0, "relu", wrt="mode")
    for key in (Colour.RED, np.inf, float("nan"), X3.shape.__class__):
        with pytest.raises(ProgramError, match="the key .* can't stand in the source"):
            write_gradient(lambda p, key=key: p[key] ** 2, {key: 3.0})
        with pytest.raises(ProgramError, match="the key .* can't stand in the source"):
            write_value(lambda x, key=key: {key: x}, 3.0)
    for key in ("a", 1, -1, 0.5, None, True, ("a", 1), b"c", "it's", "{out}"):
        program = write_gradient(lambda p, key=key: p[key] ** 2, {key: 3.0})
        assert program({key: 2.0}) == {key: 4.0}
    with pytest.raises(ProgramError, match="copy: a buffered program has a parameter"):
        write_value(lambda x, copy: x * copy, 1.0, 2.0, buffered=True)
    with pytest.raises(ProgramError, match="more than one number"):
        write_gradient(lambda x: np.ones(3), X3)


def test_values_of_a_recording_around_it_are_refused():
    writers = [
        lambda c: write_gradient(lambda x: x * c, 1.0),
        lambda c: write_value(lambda x: c, 1.0),
    ]
    for writer in writers:
        with pytest.raises(ProgramError, match="itself being recorded"):
            grad(lambda c, writer=writer: writer(c)(1.0))(2.0)

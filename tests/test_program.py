"""The program writer: its source, its results in every form, and its errors."""

import inspect
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from enum import Enum

import numpy as np
import pytest
from test_arguments import with_default, with_star
from test_composites import both_forms
from test_data import V

from comp551ad import grad, hessian, jacobian, pytrees
from comp551ad.autodiff.program import ProgramError, write_gradient, write_value
from comp551ad.autodiff.trace import record
from comp551ad.byhand.two_layer import cost, gradients
from comp551ad.datasets import load_iris
from comp551ad.functions import logistic, logsumexp, softmax

X3 = np.array([1.5, 0.5, 2.0])
MASK = np.array([True, False, True])
M23 = np.arange(6.0).reshape(2, 3)
A33 = np.random.default_rng(0).normal(size=(3, 3))


@pytest.fixture(scope="module")
def iris():
    X, Y = load_iris()
    rng = np.random.default_rng(0)
    return X, Y, rng.normal(size=(16, 3)), rng.normal(size=(3, 16))


def body(program):
    """The lines of the written function, without shapes."""
    lines = program.source.split('"""\n', 1)[1].splitlines()
    return [line.split("  #")[0].strip() for line in lines]


def same(a, b):
    """Whether two results are equal: numbers to the last digits, shapes, kinds, structure."""
    assert pytrees.same_structure(a, b) and type(a) is type(b) or np.ndim(a) == 0
    for x, y in zip(pytrees.leaves(a), pytrees.leaves(b), strict=True):
        assert np.shape(x) == np.shape(y) and np.asarray(x).dtype == np.float64
        assert isinstance(x, np.ndarray) == bool(np.shape(x))
        np.testing.assert_allclose(x, y, rtol=1e-13, atol=0)
        zero = np.equal(x, 0) & np.equal(y, 0)
        assert np.array_equal(np.signbit(x) & zero, np.signbit(y) & zero)


def close(a, b, rtol=1e-12, atol=1e-13):
    for x, y in zip(pytrees.leaves(a), pytrees.leaves(b), strict=True):
        assert np.shape(x) == np.shape(y) and np.asarray(x).dtype == np.float64
        np.testing.assert_allclose(x, y, rtol=rtol, atol=atol)


# ---------------------------------------------------------------- right, whatever is written


Layer = namedtuple("Layer", "W b")


def deep(layers, X):
    for layer in layers:
        X = np.tanh(X @ layer.W + layer.b)
    return np.mean(np.sum(X**2, axis=1))


@pytest.mark.parametrize(
    "f, args, wrt",
    [
        (deep, ([Layer(A33, X3), Layer(A33 + 1, 2.0)], M23), 0),
        (lambda x, y: np.sum(x), (X3, np.ones((2, 2))), (0, 1)),
        (lambda p, x: np.sum(p["a"]) * x, ({"a": X3, 1: 2.0}, 3.0), ("p", "x")),
    ],
)
def test_gradients_are_those_of_grad_and_the_callers_own(f, args, wrt):
    """They keep the classes of the arguments too."""
    eager = grad(f, wrt)(*args)
    for program in both_forms(write_gradient, f, *args, wrt=wrt):
        written = program(*args)
        close(written, eager)
        assert repr(written).count("Layer(") == repr(eager).count("Layer(")
        for gradient in pytrees.leaves(written):
            if np.shape(gradient):
                gradient[...] = 7.0
        close(program(*args), eager)


# ---------------------------------------------------------------- the same at the edges


# function, arguments to write it for, arguments to run it with: extreme floats, where collecting
# constants, Python's arithmetic or integers in the source would make a difference
VALUES = {
    "root of a negative number": (lambda x: x**0.5, (1.0,), (-1.0,)),
    "power of negative numbers": (lambda x, y: (x - y) ** 1.5, (3.0, 1.0), (1.0, 3.0)),
    "square overflows": (lambda x: x**2, (1.0,), (1e200,)),
    "division by zero": (lambda x: 1 / x, (1.0,), (0.0,)),
    "numbers of both signs of zero": (lambda x, y: x / y, (1.0, 1.0), (1.0, -0.0)),
    "small, small, large": (lambda x: x * 1e-200 * 1e-200 * 1e200, (1.0,), (1e250,)),
    "inf / inf": (lambda x: x * 1e200 * 1e200 / 1e200 / 1e201, (1.0,), (1e-100,)),
    "small mean": (lambda x: np.mean(x * 1e-308), (X3,), (np.full(3, 1e308),)),
    "large over small": (
        lambda x, w: np.sum((x * 1e30 / 1e-30) * w),
        (X3, X3),
        (X3 * 1e-170, X3 * 1e-150),
    ),
    "twice less once, at inf": (lambda x: 2 * x - x, (X3,), (X3 * np.inf,)),
    "once less thrice": (lambda x: x - 3 * x, (X3,), (X3 * 5e307,)),
    "zero times nan": (lambda x, y: 0.0 * x + y, (1.0, 2.0), (np.nan, 2.0)),
    "times inf": (lambda x: x * np.inf / np.inf, (X3,), (X3,)),
    "the largest number": (lambda x: x + np.finfo(float).max, (X3,), (-X3,)),
    "an array of ones plus exp": (
        lambda x: 1 / (np.array([1.0, 2.0, 3.0]) + np.exp(-x)),
        (X3,),
        (X3,),
    ),
    "array over zeros": (lambda x: np.array([1.0, 2.0, 3.0]) / (x * 0.0), (X3,), (X3,)),
    "index in an index": (lambda x: x[((0, 1),)], (M23,), (M23,)),
    "indices in an index": (lambda x: x[(0, 1), (1, 2)], (M23,), (M23,)),
    "whole numbers where": (lambda x: np.where(MASK, 7.0, 8.0) * x, (X3,), (X3,)),
    "number without axes": (lambda x: np.reshape(x[:1], ()), (X3,), (X3,)),
    "dots and a number": (lambda x: x[..., 0] * 1.0, (X3,), (X3,)),
    "choice of numbers": (lambda x: np.where(True, x, 2.0), (1.0,), (3.0,)),
    "nan in a matrix": (
        np.linalg.inv,
        (np.eye(2),),
        (np.array([[2.0, 0.0], [np.nan, 1.0]]),),
    ),
    "a singular matrix": (
        np.linalg.det,
        (np.eye(2),),
        (np.array([[1.0, 2.0], [2.0, 4.0]]),),
    ),
    "a matrix of nothing": (np.linalg.det, (np.zeros((0, 0)),), (np.zeros((0, 0)),)),
    "count as a result": (lambda x: (np.mean(x), 3.0), (X3,), (X3,)),
}
GRADIENTS = {
    "where, twice": (
        lambda x: np.sum(np.where(MASK, 1e10 * np.where(MASK, 1e10 * x, 0.0), 0.0)),
        (X3,),
        (X3,),
    ),
    "divided twice": (lambda x: np.sum(x / 1e-200 / 1e-200), (X3,), (X3,)),
    "divided by zero": (lambda x: np.sum(x / 0.0), (X3,), (X3,)),
    "a number, negative": (lambda x: -(2.0 * x), (1.0,), (1.0,)),
    "large logits": (
        lambda U: np.sum(softmax(logistic(U) * U) * U - logsumexp(U)),
        (A33,),
        (1e4 * A33,),
    ),
    "all axes": (lambda x: logsumexp(x, axis=None) ** 2, (M23,), (M23,)),
    "no deviation": (lambda x: np.sum(np.std(x, axis=0)), (M23,), (0 * M23 + 0.1,)),
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
    "an index of two axes": (
        lambda x: np.sum(x[:, np.array([[0, 1, 2], [2, 0, 1], [1, 1, 0]])] ** 3),
        (A33,),
        (A33 + 1,),
    ),
    "a mask inside a gradient": (
        lambda x: np.sum(grad(lambda x: np.sum(np.sin(x) * (0.1 + (x > 1))))(x)),
        (X3,),
        (X3[::-1] - 0.6,),
    ),
    "an order inside a gradient": (
        lambda x: np.sum(grad(lambda x: np.sum(np.sin(x[np.argsort(x)]) * X3))(x)),
        (X3,),
        (X3[::-1],),
    ),
    "views of a mask": (
        lambda x: np.sum(np.where((x > 0)[:, 1:2], x * (x > 1)[0], x[:, ::-1])),
        (A33,),
        (A33[::-1] - 0.5,),
    ),
    "keys that are one name to Python": (
        lambda p: p["\u00b5"] + 10 * p["\u03bc"] + p["\u00bd"],
        ({"\u00b5": 1.0, "\u03bc": 2.0, "\u00bd": 3.0},),
        ({"\u00b5": 1.0, "\u03bc": 2.0, "\u00bd": 3.0},),
    ),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflow and the like: as eager
@pytest.mark.parametrize("case", [*VALUES, *GRADIENTS])
def test_written_numbers_are_the_eager_ones(case):
    if case in VALUES:
        write, (f, example, arguments) = write_value, VALUES[case]
        eager = record(f, *arguments).result
    else:
        write, (f, example, arguments) = write_gradient, GRADIENTS[case]
        eager = grad(f)(*arguments)
    for program in both_forms(write, f, *example):
        same(program(*arguments), eager)


def test_large_logits_make_no_warning():
    f, example, arguments = GRADIENTS["large logits"]
    for program in both_forms(write_gradient, f, *example):
        program(*arguments)


RESULTS = {
    "the argument": lambda x: x,
    "named twice": lambda x: [y := x + x.T, y],
    "and its transpose": lambda x: (np.sin(x), np.sin(x).T),
    "transpose first": lambda x: (np.sin(x).T, np.sin(x)),
    "reshape": lambda x: np.reshape(np.sin(x), (9,)),
    "a row": lambda x: np.sin(x)[0],
    "rows": lambda x: (np.sin(x)[:2], np.sin(x)[1:], x[:1]),
    "repeated": lambda x: np.broadcast_to(np.sum(x, axis=0), (4, 3)),
    "repeated number": lambda x: np.broadcast_to(np.sum(x), (4, 3)),
    "nothing of it": lambda x: (np.ones((2, 3)), np.ones((2, 3)).T, x),
}


@pytest.mark.parametrize("case", RESULTS)
def test_every_result_is_an_array_of_its_own(case):
    """Changing it changes nothing else: no argument, no other result, none of an earlier or later
    call."""
    f, x = RESULTS[case], A33.copy()
    for program in both_forms(write_value, f, x):
        results = pytrees.leaves(program(x))
        expected = [np.array(y) for y in pytrees.leaves(f(x))]
        program(2 * x)
        for k, result in enumerate(results):
            np.testing.assert_allclose(result, expected[k], rtol=1e-15)
            result[...] = 7.0
            expected[k][...] = 7.0
            close(results, expected, rtol=1e-15)
        assert np.array_equal(x, A33)
        close(pytrees.leaves(program(x)), pytrees.leaves(f(x)), rtol=1e-15)


def test_constant_arrays_are_called_by_their_names():
    a = np.arange(36.0).reshape(6, 6) / 30

    def f(x, y):
        x = 0.25 * np.eye(6) * x + x @ np.tri(6, 6, -1)
        return np.sum(x[np.arange(6), y] * np.tril(x)[0])

    y = np.array([0, 3, 1, 1, 5, 2])
    program = write_gradient(f, a, y)
    for text in ("np.arange(6)", "np.tri(6, 6, -1)", "(0.25 * np.eye(6))"):
        assert text in program.source
    close(program(a, y), grad(f)(a, y))


def test_constant_arrays_are_results():
    """Each call returns a new array, of the type that the function returned."""
    entries = [
        [1.0, -2.0, np.nan],
        np.zeros((0, 3)),
        [[0, 1]],
        [True, False],
        [2**60 + 1],
    ]
    constants = list(map(np.array, entries))
    readable, buffered = both_forms(write_value, lambda x: (x, *constants), X3)
    for program in (readable, readable, buffered, buffered):
        _, *others = program(X3)
        for other, constant in zip(others, constants, strict=True):
            assert other.dtype == constant.dtype
            np.testing.assert_array_equal(other, constant)
        others[0][:] = 7.0


# ---------------------------------------------------------------- sources


def long_hand(X, Y, W, V):
    Q = X @ V
    Z = 1 / (1 + np.exp(-Q))
    U = Z @ W
    return -np.mean(np.sum(U * Y, 1) - logsumexp(U))


def test_the_decks_gradients(iris):
    """The deck's gradients are written from the deck's cost (S09)."""
    program = write_gradient(cost, *iris, wrt=("W", "V"))
    source = program.source
    assert both_forms(write_gradient, cost, *iris, wrt=("W", "V"))[0].source == source
    assert source.startswith(
        "import numpy as np\n\n"
        "from comp551ad.functions import logistic, softmax\n\n\n"
        "def gradients(X, Y, W, V):\n"
        '    """The gradient of cost with respect to W, V."""\n'
        "    N = X.shape[0]\n"
        "    Q = np.dot(X, V)  # 150 x 16\n"
    )
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
    again = write_gradient(long_hand, *iris, wrt=("W", "V"))
    assert body(again) == [
        line.replace("np.dot(X, V)", "X @ V").replace("np.dot(Z, W)", "Z @ W")
        for line in body(program)
    ]


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


def half_square(w, x, y):
    return 0.5 * (w * x - y) ** 2


def sine(w0, w1, x):
    a = w1 * x + w0
    y2 = np.cos(a)
    return y2


@pytest.mark.parametrize(
    "f, args, wrt, lines",
    [
        (  # S11
            half_square,
            (0.5, 2.0, 3.0),
            ("w", "x", "y"),
            "t = w * x - y; dw = x * t; dx = w * t; dy = -t; return dw, dx, dy",
        ),
        (  # S14, the adjoints of y2
            sine,
            (0.5, 2.0, 1.0),
            ("w0", "w1", "x"),
            "a = w1 * x + w0; da = -np.sin(a); dw1 = x * da; dx = w1 * da; "
            "return da, dw1, dx",
        ),
        # 1/N and 1e-8 move outwards; 1e-200 stays in place.
        (lambda x: np.sum(1e-8 * x), (X3,), None, "value = 1e-08 * np.sum(x)"),
        (lambda x: np.sum(1e-200 * x), (X3,), None, "value = np.sum(1e-200 * x)"),
        # Equal terms are merged only if the result is the same.
        (lambda x: 2 * x + x, (1.0,), None, "value = 3 * x"),
        (lambda x: 2 * x - x, (1.0,), None, "value = 2 * x - x"),
        # No magic numbers: thirds stay thirds.
        (lambda x: x ** (1 / 3), (1.0,), None, "value = x ** (1 / 3)"),
        (lambda x: 1 / 3 * x / 50, (1.0,), None, "value = x / 150"),
        (lambda x: x + 2 / 7, (1.0,), None, "value = x + 2 / 7"),
        (lambda x: 3 * (0.1 * x), (1.0,), None, "value = 0.3 * x"),
        (
            lambda x: np.var(x),
            (X3,),
            0,
            "N = x.shape[0]; dx = 2 * (x - np.mean(x, keepdims=True)) / N",
        ),
        # A scalar is never reshaped, broadcast or treated as a matrix.
        (lambda x: np.squeeze(np.reshape(x, (1, 1))), (1.0,), None, "return x"),
        (lambda x, y: np.broadcast_to(x, (3,)) * y, (2.0, X3), None, "value = x * y"),
        (
            lambda x, A: np.squeeze(np.dot(A, np.sin(A.T))),
            (1.0, X3[None]),
            "A",
            "dA = np.sin(A.T).T + (A.T * np.cos(A.T)).T",
        ),
        (
            lambda A, s: np.squeeze(np.dot(A.T, s))[0],
            (A33[:, :1].T, np.ones((1, 1))),
            None,
            "value = np.squeeze(A.T * s)[0]",
        ),
        (lambda x: np.ones(2), (1.0,), None, "value = np.array([1.0, 1.0])"),
        (lambda x: 3.0, (M23,), 0, "dx = np.full((2, 3), 0.0)"),
    ],
)
def test_what_is_written(f, args, wrt, lines):
    if wrt is None:
        program = write_value(f, *args)
    else:
        program = write_gradient(f, *args, wrt=wrt)
    assert "; ".join(body(program)).startswith(lines)


def buffered_source(f, *args, **how):
    return write_gradient(f, *args, buffered=True, **how).source


def test_buffered_text(iris):
    """Arrays are allocated outside the function; inside, results are written to them."""
    source = buffered_source(cost, *iris, wrt=("W", "V"))
    outside, inside = source.split("    def gradients(")
    assert outside.count("np.empty") == 6 and "np.empty" not in inside
    assert "np.empty((3, 150))" in outside, "logits are stored short axis first"
    source = buffered_source(cost, *iris, wrt="W", value=True)
    assert source.count(".max(") == 1, "logsumexp and softmax share their work"


# ---------------------------------------------------------------- buffers


def test_buffered_results_are_copies_unless_asked():
    def f(x, y):
        return np.sum(x * y) + np.sum(x.T)

    program = write_gradient(f, A33, A33 + 1, wrt=(0, 1), buffered=True)
    own = program(A33, A33 + 1, copy=False)
    again = program(A33, A33 + 2, copy=False)
    copies = program(A33, A33 + 1)
    assert own[0] is again[0] and own[0] is not copies[0]
    x, y = A33.copy(), A33 + 1
    for gradient in program(x, y, copy=False):
        gradient[:] = 0
    assert np.array_equal(x, A33) and np.array_equal(y, A33 + 1), "never an argument"


def test_buffered_in_threads(iris):
    """Calls from several threads wait for each other and don't share results."""
    X, Y, W, V = iris
    program = write_gradient(cost, X, Y, W, V, wrt="W", buffered=True)
    scales = np.linspace(0.5, 2, 40)
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda s: program(X, Y, s * W, V), scales))
    close(got, [program.readable(X, Y, s * W, V) for s in scales], rtol=1e-9)


# ---------------------------------------------------------------- differentiated again


def test_a_written_program_can_be_differentiated():
    """The buffered one too, which dispatches to the readable one."""

    def f(x):
        return np.sum(np.sin(x) * x**3) + np.mean(x) ** 2 + np.sum(x[:, None] * x)

    program = write_gradient(f, X3, buffered=True)
    close(jacobian(program)(X3), hessian(f)(X3))
    second = write_gradient(lambda x, e: np.sum(program(x) * e), X3, X3)
    close([second(X3, e) for e in np.eye(3)], [*hessian(f)(X3)])

    same_and_view = write_value(lambda x: (x, x.T), A33, buffered=True)

    def changes_results(x):
        y, z = same_and_view(x)
        y += 1
        z *= 2
        return np.sum(x * y * z)

    expected = grad(lambda x: np.sum(x * (x + 1) * 2 * x.T))(A33)
    close(grad(changes_results)(A33), expected)
    twice = write_value(lambda x: [x**2, x**2], X3)
    assert np.array_equal(jacobian(lambda x: twice(x)[1])(X3), np.diag(2 * X3))


# ---------------------------------------------------------------- names and arguments


def gathers(*xs):
    return xs[0] * xs[1] ** 2


def keyword_only(x, *, k):
    return x**2 * k


def keywords(x, **options):
    return x * options["a"] ** 2


def clashes(a, sum, np_):
    lambda_ = N = a * sum**2
    return np.sum(lambda_ * N * np_)


def named(name, f):
    f.__name__ = name
    return f


@pytest.mark.parametrize(
    "f, args, kwargs, argnum, name",
    [
        (gathers, (2.0, 3.0), {}, 1, "gathers"),
        (keyword_only, (2.0,), {"k": 3.0}, "x", "keyword_only"),
        (keywords, (2.0,), {"a": 3.0}, "x", "keywords"),
        (
            named("f-strange name", clashes),
            (2.0, 3.0, 4.0),
            {},
            "sum",
            "f_strange_name",
        ),
        (named("np", lambda np: 2 * np), (2.0,), {}, 0, "np_3"),
        (named("logistic", lambda x: logistic(x)), (2.0,), {}, 0, "logistic_2"),
        (lambda x: 3 * x, (2.0,), {}, 0, "f"),
    ],
)
def test_a_program_is_called_like_its_function(f, args, kwargs, argnum, name):
    """Whatever the source calls its parameters, so it can be differentiated like it too."""
    expected = grad(f, argnum)(*args, **kwargs)
    for program in both_forms(write_value, f, *args, **kwargs):
        assert inspect.signature(program) == inspect.signature(f)
        assert program.__name__ == name
        assert grad(program, argnum)(*args, **kwargs) == expected
        again = write_gradient(program, *args, wrt=argnum, **kwargs)
        assert again(*args, **kwargs) == expected


def test_arguments_come_by_key_and_name():
    """In any order; swapped, missing or misplaced ones are refused."""

    def f(p):
        return np.sum(p["a"]) ** 2 * np.sum(p["b"])

    a, b = np.arange(2.0), np.ones(3)
    program = write_gradient(f, {"a": a, "b": b})
    same(program({"b": b, "a": a})["a"], grad(f)({"a": a, "b": b})["a"])
    with pytest.raises(ProgramError, match=r"p\['a'\]: got shape \(3,\).*\(2,\)"):
        program({"b": a, "a": b})
    program = write_gradient(lambda **options: f(options), a=a, b=b, wrt="options")
    assert program(b=b, a=a)["b"].tolist() == [1.0, 1.0, 1.0]

    program = write_gradient(with_default, 1.0, c=5.0)
    assert program(2.0, c=7.0) == 28.0
    with pytest.raises(ProgramError, match="arguments: got x, b, expected x, c"):
        program(2.0, 7.0)
    program = write_gradient(keyword_only, 1.0, k=5.0, buffered=True)
    assert program(k=3.0, x=1.0) == 6.0
    assert grad(lambda k: program(1.0, k=k) ** 2)(3.0) == 24.0
    with pytest.raises(TypeError, match="positional"):
        program(1.0, 5.0)


@pytest.mark.parametrize("wrt", [3, -4, "y", 1.0, True, type, [0], ()])
def test_wrt_that_means_nothing_is_refused(wrt):
    with pytest.raises(ProgramError, match="wrt: got"):
        write_gradient(with_star, 1.0, 2.0, 3.0, wrt=wrt)


def test_numbers_may_come_in_many_forms(iris):
    """Also as 0-d arrays; the program still returns a float."""
    assert type(write_gradient(lambda a: np.max(a), 2.0)(2.0)) is float
    program = write_gradient(lambda x, y: x * y, 2.0, 3.0)
    for five in (5, 5.0, np.float64(5), np.array(5.0), np.array(5)):
        assert type(program(1, five)) is float and program(1, five) == 5.0
    X, Y, W, V = iris
    program = write_gradient(cost, X, Y, W, V, wrt="W")
    assert np.array_equal(program(X, Y.astype(int), W, V), program(X, Y, W, V))


def test_settings_must_be_equal_to_the_recorded_ones():
    def f(x, kind, p):
        return x * p["a"] if kind == "product" else x + p["a"]

    program = write_gradient(f, 2.0, "product", {"a": 3.0, "how": slice(2)})
    p = {"a": 4.0, "how": slice(2)}
    assert program(5.0, "product", p)
    assert program(5.0, p=p, kind="product") == 4.0
    masked = np.ma.array(5.0, mask=True)
    for others, text in (
        ((5.0, "sum", p), "kind: got 'sum', expected 'product'; write"),
        ((5.0, None, p), "kind: got None"),
        ((5.0, MASK, p), "kind: got ndarray of bool"),
        ((5.0, "product", {**p, "how": slice(3)}), r"p\['how'\]: got slice"),
        ((5.0, "product", {"b": 4.0, "how": slice(2)}), "p: got .* structure"),
        ((None, "product", p), "x: got NoneType, expected real numbers"),
        ((True, "product", p), "x: got bool, expected real numbers"),
        ((masked, "product", p), "x: got MaskedArray of float64"),
        ((X3, "product", p), r"x: got shape \(3,\), expected \(\)"),
        (([5.0], "product", p), "x: got .* structure"),
    ):
        with pytest.raises(ProgramError, match=text):
            program(*others)
    with pytest.raises(ProgramError, match="how: got Series.*functools.partial"):
        write_gradient(lambda x, how: x, 1.0, Series())


class Series:
    """Compares elementwise, like a column of a table."""

    def __eq__(self, other):
        return X3 == X3


# ---------------------------------------------------------------- refusals


def branching(x):
    if x > 0:  # the line that the error must name
        return x * x
    return -x


class Colour(Enum):
    RED = 1


LINE = branching.__code__.co_firstlineno + 1


REFUSED = {
    rf"line {LINE} of .*greater": lambda: write_gradient(branching, 2.0),
    "constant: got an array of shape": lambda: write_value(lambda w: w * V, 2.0),
    "output: got more than one number": lambda: write_gradient(softmax, X3),
    "output: got": lambda: write_gradient(lambda x: (x, x), 1.0),
    r"wrt: got p\['n'\], which is 'relu'": lambda: write_gradient(
        lambda p: p["w"], {"w": 1.0, "n": "relu"}
    ),
    "wrt: got 1, expected one of x, c": lambda: write_gradient(
        with_default, 1.0, c=5.0, wrt=1
    ),
    "wrt: got mode, which is": lambda: write_gradient(
        lambda x, mode: x, 1.0, "relu", wrt="mode"
    ),
    "key: got .*RED": lambda: write_gradient(
        lambda p: p[Colour.RED], {Colour.RED: 1.0}
    ),
    r"key: got \('a', 1\)": lambda: write_value(lambda x: {("a", 1): x}, 3.0),
    "f: got a value that an enclosing function is recording": lambda: grad(
        lambda c: write_gradient(lambda x: x * c, 1.0)(1.0)
    )(2.0),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_written_is_refused_with_its_cause(text):
    with pytest.raises(ProgramError, match=text):
        REFUSED[text]()


@pytest.mark.parametrize("key", ["a", 1, -1, True, "it's", "{out}", "a b", "\u00b5"])
def test_keys_that_can_stand_in_the_source(key):
    program = write_gradient(lambda p: p[key] ** 2, {key: 3.0})
    assert program({key: 2.0}) == {key: 4.0}


def test_batch_normalization_is_written_without_magic_numbers():
    def loss(W, X, y, g):
        z = np.dot(X, W)
        m, v = np.mean(z, axis=0, keepdims=True), np.var(z, axis=0, keepdims=True)
        a = np.maximum(0, g * (z - m) / np.sqrt(v + 1e-5))
        return np.sum((a - y) ** 2) / 2 / len(y)

    rng = np.random.default_rng(0)
    args = [rng.normal(size=s) for s in ((3, 4), (6, 3), (6, 4))]
    program = write_gradient(loss, *args, np.ones((1, 4)))
    assert "6666666" not in program.source and "3333333" not in program.source
    close(program(*args, np.ones((1, 4))), grad(loss)(*args, np.ones((1, 4))), 1e-10)

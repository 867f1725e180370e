"""comp551ad/autodiff/transforms.py: grad, jvp, vjp, jacobian, hessian, and their nesting.

The selection of arguments is tested in ``test_arguments``.
"""

import copy
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from comp551ad import (
    check_gradient,
    grad,
    hessian,
    jacobian,
    jvp,
    pytrees,
    softmax,
    value_and_grad,
    vjp,
    write_gradient,
)
from comp551ad.autodiff import jacobians, transforms

X3 = np.array([1.5, -0.5, 2.0])


def test_the_functions_keep_their_names():
    def loss(x):
        """Its docstring."""
        return x

    for transform in (grad, value_and_grad, jacobian, hessian):
        assert (
            transform(loss).__name__ == "loss"
            and transform(loss).__doc__ == "Its docstring."
        )


# ---------------------------------------------------------------- containers


def doubles_its_own(p):
    p["w"] = p["w"] * 2
    return p["w"] ** 2


def swaps(xs):
    xs[0], xs[1] = xs[1], xs[0]
    return xs[0] + 10 * xs[1]


def pops(p):
    b = p.pop("b")
    return p["w"] * b


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (doubles_its_own, {"w": 3.0}, {"w": 24.0}),
        (swaps, [1.0, 2.0], [10.0, 1.0]),
        (pops, {"w": 3.0, "b": 5.0}, {"w": 5.0, "b": 3.0}),
    ],
)
def test_a_function_may_change_the_container_that_it_is_given(f, x, expected):
    before = copy.deepcopy(x)
    direction = pytrees.unflatten(x, iter([1.0] + [0.0] * (len(x) - 1)))
    assert grad(f)(x) == expected and x == before
    assert vjp(f, x)[1](1.0) == (expected,)
    assert jacobian(f)(x) == jacobian(f, mode="forward")(x) == expected
    assert jvp(f, (x,), (direction,))[1] == pytrees.leaves(expected)[0]
    assert x == before


Layer = namedtuple("Layer", "W b")
X2, ONES = np.array([1.0, 2.0]), np.ones((2, 2))
LAYERS = {
    "layers": [Layer(X2, np.array([0.0, 1.0]))],
    "scale": 3.0,
    "pair": (7.0, 2.0),
    "no": [],
}


def of_layers(params, x):
    total = params["layers"][0].W * x + params["layers"][0].b
    return np.sum(total * total) + params["scale"] ** 2 * params["pair"][1]


def both(p):
    return {"sum": p["a"] + p["b"], "product": p["a"] * np.sum(p["b"]), "c": 1.0}


SLOPES = {
    "sum": {"a": np.ones(2), "b": np.eye(2)},
    "product": {"a": 3.0, "b": np.full(2, 3.0)},
    "c": {"a": 0.0, "b": np.zeros(2)},
}


def moved(p, q):
    return {"y": p[0] * q, "z": [p[1] + q]}


def twice(x):
    y = x * x
    return y, y


# a computation -> its result, in the structure of arguments and outputs
STRUCTURES = [
    (lambda: grad(of_layers)(LAYERS, 2.0),
     {"layers": [Layer(np.array([8.0, 20.0]), np.array([4.0, 10.0]))], "scale": 12.0,
      "pair": (0.0, 9.0), "no": []}),
    (lambda: grad(of_layers, (0, 1))(LAYERS, 2.0)[1], 24.0),
    (lambda: jacobian(both)({"a": 3.0, "b": X2}), SLOPES),
    (lambda: jacobian(both, mode="forward")({"a": 3.0, "b": X2}), SLOPES),
    (lambda: hessian(lambda p: p["a"] ** 2 * np.sum(p["b"] ** 2))({"a": 3.0, "b": X2}),
     {"a": {"a": 10.0, "b": 12 * X2}, "b": {"a": 12 * X2, "b": 18 * np.eye(2)}}),
    (lambda: hessian(lambda x, y: x * x * y, (0, 1))(3.0, 5.0), ((10.0, 6.0), (6.0, 0.0))),
    (lambda: jvp(moved, ((2.0, 3.0), 5.0), ((1.0, 10.0), 100.0)),
     ({"y": 10.0, "z": [8.0]}, {"y": 205.0, "z": [110.0]})),
    (lambda: vjp(moved, (2.0, 3.0), 5.0)[0], {"y": 10.0, "z": [8.0]}),
    (lambda: vjp(moved, (2.0, 3.0), 5.0)[1]({"y": 1.0, "z": [10.0]}), ((5.0, 10.0), 12.0)),
    # Directions may have their keys in any order.
    (lambda: vjp(moved, (2.0, 3.0), 5.0)[1]({"z": [10.0], "y": 1.0}), ((5.0, 10.0), 12.0)),
    (lambda: jvp(both, ({"a": 1.0, "b": 1.0},), ({"b": 0.0, "a": 1.0},))[1],
     {"sum": 1.0, "product": 1.0, "c": 0.0}),
    # The adjoints of an output that occurs twice add up.
    (lambda: vjp(twice, 3.0)[1]((1.0, 4.0)), (30.0,)),
    # No inputs to differentiate causes no internal error.
    (lambda: jvp(lambda: 3.0, (), ()), (3.0, 0.0)),
    (lambda: vjp(lambda: 3.0)[1](1.0), ()),
    # Inputs that the output doesn't depend on have zeros.
    (lambda: grad(lambda x, p: np.sum(x), (0, 1))(X2, {"W": ONES, "b": 1.0}),
     (np.ones(2), {"W": np.zeros((2, 2)), "b": 0.0})),
    (lambda: grad(lambda x: 5)(X2), np.zeros(2)),
    (lambda: grad(lambda x: 5.0)(2.0), 0.0),
    (lambda: grad(lambda x: np.sum(np.sign(x)))(X2), np.zeros(2)),
    (lambda: hessian(lambda x: np.sum(x))(X2), np.zeros((2, 2))),
    (lambda: jacobian(lambda x: np.ones(2))(X2), np.zeros((2, 2))),
]  # fmt: skip


@pytest.mark.parametrize(("found", "expected"), STRUCTURES)
def test_results_have_the_structure_of_arguments_and_outputs(found, expected):
    result = found()
    assert pytrees.same_structure(result, expected)
    assert pytrees.leaf_names(result, "") == pytrees.leaf_names(expected, "")
    for one, other in zip(*map(pytrees.leaves, (result, expected)), strict=True):
        assert np.shape(one) == np.shape(other) and np.array_equal(one, other)


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (lambda x: x, r"shape \(3,\)"),
        (lambda x: (x[0], x[1]), "2 values"),
        (lambda x: (x[0],), r"expected one number"),
        (lambda x: {"a": x[0]}, "expected one number"),
        (lambda x: [], "0 values"),
        (lambda x: np.ones(2), r"shape \(2,\)"),
    ],
)
def test_grad_wants_one_number(out, words):
    for transform in (grad, value_and_grad, hessian):
        with pytest.raises(ValueError, match=words) as e:
            transform(out)(X3)
        assert "use jacobian, or return a sum or mean" in str(e.value)


def test_an_array_with_one_entry_is_one_number():
    def f(x):
        return np.sum(x**2, keepdims=True)

    value, gradient = value_and_grad(f)(X3)
    assert value.shape == (1,) and value[0] == np.sum(X3**2)
    for found in (gradient, write_gradient(f, X3)(X3), grad(lambda x: f(x)[None])(X3)):
        np.testing.assert_array_equal(found, 2 * X3)
    np.testing.assert_allclose(hessian(f)(X3), 2 * np.eye(3))
    assert check_gradient(f, gradient, X3)


def pulled(f, adjoint):
    return lambda: vjp(f, X3)[1](adjoint)


def pushed(primals, tangents, **how):
    return lambda: jvp(lambda *x: x, primals, tangents, **how)


WRONG_DIRECTIONS = [
    (lambda: jacobian(np.sin, mode="backward"), "mode: got 'backward', expected 'reverse' or 'fo"),
    (pushed([X3], [np.ones(2)]), r"tangents: got shape \(2,\), expected \(3,\)"),
    (pushed((X3,), (X3, X3)), "tangents: got a different structure from the primals"),
    (pushed(({"a": 1.0},), ({"b": 1.0},)), "tangents: got a different structure"),
    (pushed((X3,), (X3 * 1j,)), "tangents: got .*complex"),
    (pushed((1.0,), (1.0,), many=True), "many=True, expected an extra first axis"),
    (pushed((), (), many=True), "tangents"),
    (pushed((X3,), (X3,), many=True), r"tangents: got shape \(3,\), expected \(3, 3\)"),
    (pushed(1.0, 1.0), r"primals: got float, .*\(x,\)"),
    (pushed((1.0,), 1.0), r"tangents: got float, .*\(x,\)"),
    (pulled(lambda x: (x, x[0]), (np.ones(2), 1.0)), r"adjoint: got shape \(2,\), expected"),
    (pulled(lambda x: (x, x[0]), X3), "adjoint: got a different structure from the output"),
    (pulled(lambda x: (x, x[0]), (X3, "x")), "adjoint: got"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "words"), WRONG_DIRECTIONS)
def test_directions_and_modes_that_there_are_not(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()


# ---------------------------------------------------------------- higher orders


def forward_slope(g):
    return lambda x: jvp(g, (x,), (1.0,))[1]


@pytest.mark.parametrize("order", range(2**4))
def test_every_mixture_of_the_modes(order):
    """exp(sin x) up to the fourth derivative, each level forward or reverse."""
    g = lambda x: np.exp(np.sin(x))  # noqa: E731
    for level in range(4):
        g = grad(g) if order >> level & 1 else forward_slope(g)
    x = 0.3
    s, c = np.sin(x), np.cos(x)
    expected = np.exp(s) * (c**4 - 6 * s * c**2 - 4 * c**2 + 3 * s**2 + s)
    assert g(x) == pytest.approx(expected, rel=1e-12)


def test_perturbations_are_not_confused():
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6.0
    assert grad(lambda x: x * forward_slope(lambda y: x * y)(2.0))(3.0) == 6.0
    assert forward_slope(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6.0
    assert forward_slope(lambda x: x * forward_slope(lambda y: x + y)(1.0))(1.0) == 1.0
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert grad(lambda x: grad(lambda x: x**3)(x) * x)(2.0) == 36.0
    assert grad(lambda x: grad(lambda y: grad(lambda z: x * y * z)(y))(x))(3.0) == 1.0


# ---------------------------------------------------------------- jacobian and jvp


JACOBIANS = [
    (np.sin, 0.5),
    (np.sin, X3),
    (lambda x: x[0], X3),
    (lambda x: 3.0, X3),
    (lambda x: np.ones((2, 2)), X3),
    (lambda x: x * X3, 2.0),
    (lambda x: np.outer(x, x), X3),
    (lambda x: x, X3),
    (lambda x: x.T @ x, np.arange(6.0).reshape(2, 3)),
    (lambda x: (x[:1], np.sum(x), x[None]), X3),
    (softmax, X3),
    (lambda x: x * 2, np.zeros((0, 2))),
    (lambda x: x[:0], X3),
    (lambda x: np.sum(x), np.zeros(0)),
    (lambda x: np.sum(x, axis=0), np.zeros((0, 2))),
    (lambda x: np.heaviside(x, 0.0) * x, X3),
]


@pytest.mark.parametrize(("g", "x"), JACOBIANS)
def test_the_two_modes_of_the_jacobian_agree(g, x):
    one, other = jacobian(g)(x), jacobian(g, mode="forward")(x)
    plain = g(x)
    if not isinstance(one, tuple):
        one, other, plain = (one,), (other,), (plain,)
    for a, b, y in zip(one, other, plain, strict=True):
        assert np.shape(a) == np.shape(b) == np.shape(y) + np.shape(x)
        np.testing.assert_allclose(a, b, rtol=1e-14)
        assert isinstance(a, float | np.ndarray) and isinstance(b, float | np.ndarray)


def test_each_mode_is_the_one_that_was_asked_for(monkeypatch):
    """The numbers are the same, the passes differ: one per output number, or one for x."""
    passes = []
    loops = (transforms, "pull_back"), (jacobians, "pull_back")
    for module, name in (*loops, (jacobians, "push_forward")):
        loop = getattr(module, name)
        monkeypatch.setattr(
            module,
            name,
            lambda *args, loop=loop, name=name, **how: (
                passes.append(name) or loop(*args, **how)
            ),
        )
    x = np.arange(3.0)
    jacobian(np.sin)(x)
    assert passes == ["pull_back"] * 3
    passes.clear()
    jacobian(np.sin, mode="forward")(x)
    assert passes == ["push_forward"]
    passes.clear()
    hessian(lambda x: np.sum(x * x))(x)
    assert passes == ["pull_back", "push_forward"]  # the gradient, then its slopes


def test_no_directions_at_all():
    def back(x):
        return np.concatenate([x[1:], x[:1]])

    assert jacobian(back, mode="forward")(np.zeros(0)).shape == (0, 0)
    assert hessian(lambda x: np.sum(back(x) ** 2))(np.zeros(0)).shape == (0, 0)
    x = np.arange(3.0)
    assert jvp(back, (x,), (np.zeros((0, 3)),), many=True)[1].shape == (0, 3)


def test_many_tangents_equal_one_by_one():
    def g(X, s):
        Z = np.tanh(X @ np.ones((3, 2)) * s)
        return {"Z": Z, "n": np.linalg.norm(Z, axis=0), "c": np.ones(2), "d": 2.0}

    rng = np.random.default_rng(0)
    X, s = rng.normal(size=(4, 3)), 0.7
    TX, Ts = rng.normal(size=(5, 4, 3)), rng.normal(size=5)
    out, together = jvp(g, (X, s), (TX, Ts), many=True)
    for k in range(5):
        again, single = jvp(g, (X, s), (TX[k], float(Ts[k])))
        for key, many in together.items():
            np.testing.assert_allclose(many[k], single[key], rtol=1e-13, atol=1e-15)
            np.testing.assert_array_equal(out[key], again[key])


def test_a_pull_may_be_called_many_times():
    x = np.array([1.0, 2.0])
    out, pull = vjp(lambda x: np.exp(x) * x, x)
    first = pull(np.ones(2))[0]
    out[:] = 0.0  # belongs to the caller
    first[:] = 0.0
    x[:] = 0.0
    expected = np.exp([1.0, 2.0]) * np.array([2.0, 3.0])
    for _ in range(3):
        np.testing.assert_allclose(pull(np.ones(2))[0], expected, rtol=1e-14)
    np.testing.assert_allclose(pull(np.array([2.0, 0.0]))[0], [2 * expected[0], 0.0])


# ---------------------------------------------------------------- ownership of arrays


@pytest.mark.parametrize(
    "found",
    [
        lambda x, t: jvp(lambda x: x, (x,), (t,)),
        lambda x, t: jvp(lambda x: (lambda y: (y, y))(x * 2), (x,), (t,)),
        lambda x, t: vjp(lambda x: x.T, x)[0],
        lambda x, t: vjp(lambda x: x.T, x)[1](t),
        lambda x, t: jacobian(lambda x: x)(x),
        lambda x, t: grad(lambda p: np.sum(p[0]) + np.sum(p[1]))((x, x)),
        lambda x, t: grad(lambda x, y: np.sum(x + y) + np.sum(x * y), (0, 1))(x, t),
        lambda x, t: grad(lambda x, y: np.mean(x) + np.sum(y[None].T), (0, 1))(x, t),
        lambda x, t: grad(lambda x, y: 2.0, (0, 1))(x, t),
    ],
)
def test_every_result_is_an_array_of_its_own(found):
    x, t = np.ones(3), np.ones(3)
    x.flags.writeable = t.flags.writeable = False
    known = [np.array(y) for y in pytrees.leaves(found(x, t))]
    results = pytrees.leaves(found(x, t))
    for k, result in enumerate(results):
        result += 1.0
        known[k] += 1.0
        for one, other in zip((x, t, *results), (1.0, 1.0, *known), strict=True):
            assert np.all(one == other)


# ---------------------------------------------------------------- deep and wide


def test_a_chain_of_many_operations():
    n = 20_000

    def chain(x):
        for _ in range(n):
            x = x * 1.000001
        return x

    limit = sys.getrecursionlimit()
    value, slope = value_and_grad(chain)(1.0)
    assert value == pytest.approx(1.000001**n, rel=1e-9)
    assert slope == pytest.approx(value)
    assert sys.getrecursionlimit() == limit


# ---------------------------------------------------------------- the call path


def test_a_gradient_takes_few_functions_in_few_files():
    """The functions that a debugger enters in grad(f)(3.0), after a first run."""
    gradient = grad(lambda x: x * x)
    gradient(3.0)
    met, depths, depth = set(), [], 0

    def watch(frame, event, _):
        nonlocal depth
        depth += {"call": 1, "return": -1}.get(event, 0)
        if event == "call":
            met.add(frame.f_code)
            depths.append(depth)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        gradient(3.0)
    finally:
        sys.setprofile(before)
    package = Path(transforms.__file__).parent.parent
    ours = {code for code in met if Path(code.co_filename).is_relative_to(package)}
    assert len(ours) <= 20 and max(depths) <= 7
    assert len({code.co_filename for code in ours}) <= 5


def test_reverse_mode_is_read_in_a_thousand_lines():
    room = Path(transforms.__file__).parent
    path = ("tape.py", "passes.py", "transforms.py")
    lines = sum(len((room / name).read_text().splitlines()) for name in path)
    assert lines + 300 <= 1000

"""comp551ad/autodiff/inplace.py: how an in-place operation affects every name and view.

Random sequences of such operations do to traced arrays what NumPy does to plain ones, eager,
recorded and written, and their derivatives match differences. Each has the rows of its functional
form.
"""

import operator
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_composites import both_forms, check_right

from comp551ad import (
    TraceError,
    grad,
    hessian,
    jacobian,
    jvp,
    record,
    value_and_grad,
    write_gradient,
)
from comp551ad.autodiff.program import ProgramError

X = np.array([[0.3, -0.7, 1.1], [0.9, 0.2, -0.4]])
T = np.array([[0.5, 1.0, -0.3], [-0.8, 0.6, 0.7]])

# ---------------------------------------------------------------- random sequences


def place(a, kind):
    """An index into a: whole rows, slices, steps, arrays with and without a repeat, masks."""
    n = len(a)
    return (
        0,
        -1,
        slice(1, None),
        slice(None, None, -1),
        (Ellipsis, 0),
        [0, n - 1],
        [n - 1, 0, n - 1],
        np.arange(n) % 2 == 0,
        Ellipsis,
        slice(0, 0),
    )[kind % 10]


def fitting(value, shape):
    """The value if it broadcasts to the shape, else a number computed from it."""
    try:
        if np.broadcast_shapes(np.shape(value), shape) == shape:
            return value
    except ValueError:
        pass
    return np.sum(value) * 0.3


VIEWS = [
    lambda a, k: a[place(a, k % 5)],
    lambda a, k: a.T,
    lambda a, k: a.reshape(-1),
    lambda a, k: a.ravel(),
    lambda a, k: a[None],
    lambda a, k: np.swapaxes(a, 0, -1),
    lambda a, k: np.squeeze(a),
    lambda a, k: np.expand_dims(a, -1),
    lambda a, k: a,
    lambda a, k: a.copy(),
    lambda a, k: a.flatten(),
    lambda a, k: np.sin(a),
    lambda a, k: a[place(a, 5 + k % 3)],
]


UPDATES = [
    operator.iadd,
    lambda a, b: operator.isub(a, 0.5 * b),
    lambda a, b: operator.imul(a, np.cos(b)),
    lambda a, b: operator.itruediv(a, 2.0 + np.tanh(b)),
    lambda a, b: operator.ipow(a, 2),
]


def run(steps, x):
    """The steps on the argument itself: the final value of every name, as one array."""
    names = [x]
    for kind, target, source, k in steps:
        a, b = names[target % len(names)], names[source % len(names)]
        if not a.ndim or not len(a) or kind % 4 == 0:
            a = a if a.ndim and len(a) else x
            names.append(VIEWS[k % len(VIEWS)](a, source))
        elif kind % 4 == 1:
            UPDATES[k % len(UPDATES)](a, fitting(b, a.shape))
        else:
            where = place(a, k)
            value = fitting(np.sin(b), np.shape(np.broadcast_to(0.0, a.shape)[where]))
            if kind % 4 == 2:
                a[where] = value
            else:
                a[where] += value
    return sum(weighed(v) for v in names)


def weighed(v):
    """A number that depends on each entry's position, without large constants."""
    some = v.flatten()[:12]
    return np.sum(v * v) + np.sum(np.cos(1.0 + np.arange(some.size)) * some)


step = st.tuples(*[st.integers(0, 129)] * 4)


def test_random_sequences_do_what_numpy_does():
    count = Counter()

    @settings(
        max_examples=settings().max_examples,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(step, min_size=1, max_size=8))
    def check(steps):
        def f(x):
            return run(steps, x)

        count["sequences"] += 1
        h, mine = 1e-5, X.copy()
        value, slope = jvp(f, (mine,), (T,))
        np.testing.assert_array_equal(mine, X)
        np.testing.assert_allclose(value, f(X.copy()), rtol=1e-13, atol=1e-13)
        known = (f(X + h * T) - f(X - h * T)) / (2 * h)
        size = 1 + abs(known)
        assert abs(slope - known) < 1e-6 * size
        assert abs(np.sum(grad(f)(X) * T) - slope) < 1e-11 * size
        assert record(f, X).result == value
        try:
            programs = both_forms(write_gradient, f, X, value=True)
        except ProgramError as refusal:
            assert "would be written as source" in str(refusal)
            count["refused"] += 1
            return
        for x in (X, X - 0.3 * T):
            value, gradient = value_and_grad(f)(x)
            for program in programs:
                again, written = program(x)
                np.testing.assert_allclose(again, value, rtol=1e-10, atol=1e-12)
                np.testing.assert_allclose(written, gradient, rtol=1e-9, atol=1e-10)

    check()
    assert count["refused"] < 0.1 * count["sequences"], count


# ---------------------------------------------------------------- the caller's arrays


def test_an_argument_that_changes_in_place_leaves_the_callers_array_alone():
    def f(p):
        p["w"] -= 0.5
        p["w"][0, 0] = 0.0
        return np.sum(p["w"] ** 2)

    p = {"w": X.copy()}
    expected = 2 * (X - 0.5) * ([[0, 1, 1], [1, 1, 1]])
    assert np.array_equal(grad(f)(p)["w"], expected) and np.array_equal(p["w"], X)
    t = record(f, p)
    assert np.array_equal(t["p['w']"], X) and np.array_equal(p["w"], X)
    program = write_gradient(f, p)
    assert np.allclose(program(p)["w"], expected) and np.array_equal(p["w"], X)


# ---------------------------------------------------------------- numbers


def stable_logistic(x):
    z, top = np.zeros_like(x), np.ones_like(x)
    z[x >= 0] = np.exp(-x[x >= 0])
    z[x < 0] = top[x < 0] = np.exp(x[x < 0])
    return top / (1 + z)


def step_by_step(x):
    history = x[0] * np.zeros((20, x.size))
    for t in range(20):
        history[t] = np.cos(history[t - 1] + x)
    return np.mean(history**2)


@pytest.mark.parametrize("f", [lambda x: np.sum(stable_logistic(x)), step_by_step])
def test_a_traced_array_of_zeros_takes_traced_values(f):
    """np.zeros_like returns one; so does a * np.zeros(n), however large."""
    x, t, h = np.array([0.3, -1.2, 0.9, -0.1]), np.array([1.0, 0.4, -0.3, 0.8]), 1e-6
    slope = (f(x + h * t) - f(x - h * t)) / (2 * h)
    for gradient in (grad(f), write_gradient(f, x)):
        np.testing.assert_allclose(np.sum(gradient(x) * t), slope, rtol=1e-8)
    assert np.zeros_like(1.0 * x, dtype=int).dtype == int


def test_a_number_in_the_places_of_a_mask_is_a_choice():
    def f(x):
        y = np.tanh(x)
        y[x < 0] = x[0]
        return np.sum(y[None] ** 2)

    x = np.array([0.3, -1.2, 0.9])
    assert "where" in [row[0] for row in record(f, x).rows]
    np.testing.assert_allclose(write_gradient(f, x)(-x), grad(f)(-x), rtol=1e-14)


def test_numbers_have_no_place_to_change_in():
    def f(w):
        loss = total = np.sum(np.exp(w))
        loss += 0.05 * np.sum(w * w)
        loss -= 1.0
        loss *= 2.0
        loss /= 4.0
        loss **= 2
        for v in w:
            total += v
        return loss, total

    w = np.array([1.0, -2.0])
    loss, total = jacobian(f)(w)
    inner = np.sum(np.exp(w)) + 0.05 * np.sum(w * w) - 1.0
    np.testing.assert_allclose(loss, inner / 2 * (np.exp(w) + 0.1 * w), rtol=1e-14)
    np.testing.assert_allclose(total, np.exp(w) + 1.0, rtol=1e-14)
    with pytest.raises(TypeError, match=r"write a = b for a"):
        grad(lambda w: w[0].__setitem__(0, 1.0))(w)


# ---------------------------------------------------------------- cost


def rows_of(f, *args):
    return len(record(f, *args))


def test_an_operation_in_place_costs_no_more_rows_than_the_functional_one():
    def in_place(x):
        y = x * 2.0
        y += x
        y *= x
        return np.sum(y)

    assert rows_of(in_place, X) == rows_of(lambda x: np.sum((x * 2.0 + x) * x), X)

    def one_by_one(x):
        y = x * 2.0
        for k in range(5):
            y[0, k % 3] = 0.5
        return np.sum(y)

    assert rows_of(one_by_one, X) == 2 + 5 + 1


def test_a_view_that_nobody_keeps_is_not_computed_again():
    def f(x):
        y = x * 2.0
        y[0].sum(), y.T.sum()
        y += x
        return y

    views = rows_of(lambda x: (x * 2.0)[0].sum() + (x * 2.0).T.sum(), X)
    assert rows_of(f, X) <= views


# ---------------------------------------------------------------- refused, or in a function


def test_an_array_of_a_function_around_is_not_changed_from_within():
    def outer(x):
        y = x * 2.0

        def inner(z):
            nonlocal y
            y += z
            return np.sum(y * z)

        return np.sum(grad(inner)(x)) + np.sum(y)

    with pytest.raises(TraceError, match="of an enclosing function"):
        grad(outer)(X)


def _windows(b):
    seen = np.lib.stride_tricks.sliding_window_view(b, 3, axis=1)
    b[0, 0] = 10.0
    return seen


def _number_without_axes(b):
    total = b[0, ..., 0]
    total += b[0, 1]
    return total


def _array_without_axes(made):
    def shared(b):
        first = made(b[0, 0])
        other = first.T
        other += b[0, 1]
        return first

    return shared


@pytest.mark.parametrize(
    "shared",
    [
        _windows,
        _number_without_axes,
        _array_without_axes(np.copy),
        _array_without_axes(lambda a: np.where(X[0, 0] > 9, 0.0, a)),
        _array_without_axes(lambda a: np.squeeze(np.stack([a]))),
    ],
)
@pytest.mark.parametrize(
    "derive",
    [
        grad,
        value_and_grad,
        record,
        write_gradient,
        hessian,
        lambda f: grad(lambda x: np.sum(grad(f)(x))),
    ],
)
def test_memory_that_is_shared_unseen_is_refused(shared, derive):
    def f(a):
        b = a * a
        return np.sum(shared(b)) + np.sum(b * b)

    with pytest.raises(TraceError, match="shares memory .* change a copy"):
        derive(f, X) if derive in (record, write_gradient) else derive(f)(X)


def test_memory_that_is_shared_unseen_is_refused_where_the_value_is_right_by_chance():
    def f(x):
        b = x * 1.0
        windows = np.lib.stride_tricks.sliding_window_view(b, 2)
        b[b > 1] = 0.0
        return np.sum(windows**2)

    small, large = np.array([0.5, -0.7, 0.4]), np.array([2.0, 0.8, 1.9])
    gradient = grad(f)
    np.testing.assert_allclose(gradient(small), [1.0, -2.8, 0.8])
    for derive in (gradient, lambda x: write_gradient(f, small)):
        with pytest.raises(TraceError, match="shares memory .* change a copy"):
            derive(large)


def test_an_argument_without_axes_changes_for_all_its_names():
    def f(a):
        b = a
        b += 1.0
        return a * b

    assert value_and_grad(f)(0.5) == (0.75, 2.0)
    with pytest.raises(TraceError, match="shares memory .* change a copy"):
        grad(f)(np.array(0.5))


def test_memory_that_is_shared_unseen_is_refused_in_a_later_call():
    def f(a, change):
        b = a * a
        return np.sum(change(b)) + np.sum(b * b)

    gradient = grad(f)
    gradient(X, np.sin)
    with pytest.raises(TraceError, match="shares memory .* change a copy"):
        gradient(X, _windows)


@pytest.mark.parametrize(
    "change",
    [
        lambda a: np.fill_diagonal(a, 2.0),
        lambda a: np.fill_diagonal(a[:, 1:], a[0, :2] * 2),
        lambda a: np.copyto(a, a[0] * a),
        lambda a: np.copyto(a, 3.0, where=X > 0),
        lambda a: np.multiply(a[::-1], a, out=a),
        lambda a: np.add(a[0], 1.0, out=a[1], casting="unsafe"),
        lambda a: np.sin(X, out=a),
        lambda a: np.clip(a, 0.1, 0.7, out=a),
        lambda a: np.cumsum(a, axis=1, out=a),
        lambda a: np.put(a, [0, 4, 5], [1.0, a[0, 0]]),
        lambda a: a.put([1, 2], a[0] * a[1, 0]),
        lambda a: np.putmask(a, a > 0.5, a**2),
        lambda a: np.putmask(a, X > 0, [2.0, a[0, 1]]),
        lambda a: np.place(a, X > 0, [a[0, 1], 2.0]),
        lambda a: np.place(a, a > 0.5, -1.0),
        lambda a: np.put_along_axis(a, np.argmax(X, 1)[:, None], a[:, :1] ** 2, 1),
        lambda a: a.sort(),
        lambda a: a.T.sort(),
        lambda a: a[0].sort(),
        lambda a: np.multiply(a[1], a[0, 0], out=a[0]),
        lambda a: np.exp(X, out=a),
        lambda a: np.clip(a, -0.3, 3 * a[0, 0], out=a),
        lambda a: np.dot(a[0], a.T, out=a[0, 1:]),
    ],
)
def test_functions_that_change_their_argument(change):
    def f(a):
        b = a * a
        change(b)
        return np.sum(b * np.cos(b)) + np.sum(b[::-1] * a)

    check_right(f, X)


@pytest.mark.parametrize(
    "other",
    [
        lambda a: a.T.copy(),
        lambda a: a.T.copy("K"),
        lambda a: np.copy(a.T),
        lambda a: a.astype(float, copy=False),
        lambda a: a.conj(),
        lambda a: np.conj(a),
        lambda a: np.nan_to_num(a, copy=False),
        lambda a: np.meshgrid(a[0], a[1], sparse=True)[0],
        lambda a: np.meshgrid(a[0], a[1], sparse=True, copy=False)[0],
        lambda a: np.meshgrid(a[0], a[1])[1],
    ],
)
def test_copies_and_views_are_numpys(other):
    """And so is what is a view of them."""

    def f(a):
        b = a * a
        c = other(b)
        flat = c.reshape(-1)
        flat *= b[0, 1]
        return sum(map(weighed, (b, c, flat)))

    h = 1e-5
    value, tangent = jvp(f, (X,), (T,))
    assert value == f(X) == record(f, X).result
    assert tangent == pytest.approx((f(X + h * T) - f(X - h * T)) / (2 * h), rel=1e-7)
    _, second = jvp(grad(f), (X,), (T,))
    known = (grad(f)(X + h * T) - grad(f)(X - h * T)) / (2 * h)
    np.testing.assert_allclose(second, known, rtol=1e-6, atol=1e-6)

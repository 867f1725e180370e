"""comp551ad/autodiff/tape.py: recording, threads, nested tapes, and values that outlive them."""

import gc
import math
import operator
import threading
from array import array
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from comp551ad import (
    TraceError,
    grad,
    hessian,
    jvp,
    record,
    value_and_grad,
    vjp,
)
from comp551ad import functions as fn
from comp551ad.autodiff.operands import operands_of, parameters_of
from comp551ad.autodiff.primitives import PRIMITIVES
from comp551ad.autodiff.tape import Tape, Tracer, apply, concrete

X = np.array([1.5, 0.5, 2.0])
T = np.array([0.3, -1.1, 0.7])


# ---------------------------------------------------------------- rows


def test_rows_are_what_the_module_says():
    with Tape() as tape:
        x = tape.add_input(np.array([1.0, 2.0]), "x")
        y = apply(PRIMITIVES["multiply"], (3, x))
        z = apply(PRIMITIVES["sum"], (y,), {"axis": 0})
    assert tape.rows[0][0] == "input" and tape.rows[1][0] == "multiply"
    assert tape.rows[1][2:] == (3.0, 0) and type(tape.rows[1][2]) is float
    assert operands_of(tape.rows[2]) == (1,) and z.index == 2 and z.value == 9.0
    assert parameters_of(tape.rows[2]) == {"axis": -1}
    assert concrete([x, (z, 1)])[1] == (9.0, 1)


def test_the_garbage_collector_need_not_look_into_rows_again():
    with Tape() as tape:
        x = tape.add_input(0.5, "x")
        for _ in range(1000):
            x = np.sin(x * 1.01)
    gc.collect()  # the tuples of operands
    gc.collect()
    assert not any(map(gc.is_tracked, tape.rows))


@pytest.mark.parametrize(
    ("use", "constant"),
    [
        (lambda x, c: x * c, np.array([2.0, 3.0, 4.0])),
        (lambda x, c: x * c, np.array([2.0, 3.0, 4.0])[:]),
        (lambda x, c: x[c], np.array([0, 1])),
        (lambda x, c: x[c], [[0], [1]]),
        (lambda x, c: x[c], array("l", [0, 2])),
        (lambda x, c: x[c] ** 2, np.array([True, False, False])),
        (lambda x, c: np.where(c, x, 0.0), np.array([True, False, False])),
        (lambda x, c: fn.scatter(x[:2], c, (3,)) * X, np.array([0, 1])),
    ],
)
def test_constants_are_copies_that_stay(use, constant):
    """A function that overwrites its work arrays must not change the recording."""

    def f(x, spoil=True):
        y = use(x, constant)
        if spoil:
            constant[:] = constant[::-1]
        return np.sum(y * y * np.cos(np.arange(np.size(y))).reshape(np.shape(y)))

    expected = grad(f)(X, spoil=False).tolist()
    assert grad(f)(X).tolist() == expected != grad(f)(X, spoil=False).tolist()


# ---------------------------------------------------------------- what outlives a recording


def test_values_of_another_recording():
    kept = []
    record(lambda x: kept.append(x * 2) or x, X)
    for use in (
        lambda x: x + kept[0],
        lambda x: kept[0] + x,
        lambda x: np.sin(kept[0]) + x,
        lambda x: np.stack([x, kept[0]]),
        lambda x: kept[0],
        lambda x: (x, [kept[0]]),
    ):
        for way in (record, lambda f, x: jvp(f, (x,), (T,)), vjp):
            with pytest.raises(
                TraceError, match="after the function .*return|two recordings"
            ):
                way(use, X)


def left_over():
    kept = []
    grad(lambda x: kept.append(x * 2) or np.sum(x) * 1.0)(X)
    return kept[0]


def test_what_is_left_over_is_the_number_that_it_was():
    """So that a training loop can print and store it; computing with it raises."""
    a = left_over()
    assert np.array_equal(np.asarray(a), 2 * X) and np.array_equal(
        np.array([a, a])[1], 2 * X
    )
    kept = []
    value_and_grad(lambda w: kept.append(w * w) or w * w)(3.0)
    number = kept[0]
    assert float(number) == 9.0 and int(number) == 9 and bool(number)
    assert (
        f"{number:.1f}" == "9.0"
        and str(np.round(float(number))) == "9.0"
        and math.sqrt(number) == 3.0
    )
    assert "3." in repr(a)
    w = np.zeros(3)
    w += np.asarray(left_over())
    assert w.tolist() == [3.0, 1.0, 4.0]


@pytest.mark.parametrize(
    "use",
    [
        lambda a: a + 1, lambda a: 2.0 * a, lambda a: a * a, lambda a: -a, lambda a: np.sin(a),
        lambda a: np.sum(a), lambda a: a[0], lambda a: a @ a, lambda a: list(a),
        lambda a: a.reshape(3, 1), lambda a: operator.isub(a, 0.1),
    ],
)  # fmt: skip
def test_what_is_left_over_computes_no_further(use):
    with pytest.raises(
        TraceError, match="after the function that made it had returned"
    ):
        use(left_over())


def test_exceptions_come_through_and_leave_no_trace():
    class Stop(Exception):
        pass

    def stops(x):
        if x > 0:
            raise Stop("here")
        return x * x

    def interrupted(x):
        raise KeyboardInterrupt

    def survives(x):
        try:
            grad(stops)(x)
        except Stop:
            pass
        return x**3

    for call in (
        grad(stops),
        hessian(stops),
        lambda x: vjp(stops, x),
        lambda x: record(stops, x),
    ):
        with pytest.raises(Stop, match="here"):
            call(1.0)
    with pytest.raises(KeyboardInterrupt):
        grad(interrupted)(1.0)
    assert grad(grad(survives))(2.0) == 12.0 and grad(stops)(-3.0) == -6.0


# ---------------------------------------------------------------- nested tapes


def test_an_operation_is_written_on_the_innermost_tape_of_its_operands():
    with Tape() as outer:
        x = outer.add_input(2.0, "x")
        with Tape() as inner:
            y = inner.add_input(x, "y")
            z = x * y
            w = x * x
        assert (outer.level, inner.level) == (1, 2)
    assert z.tape is inner and w.tape is outer and concrete(z) == 4.0
    assert [row[0] for row in inner.rows] == ["input", "multiply"]
    assert [row[0] for row in outer.rows] == ["input", "multiply", "multiply"]
    assert type(inner.rows[1][2]) is Tracer, (
        "the outer value is a constant of the inner tape"
    )


# ---------------------------------------------------------------- threads


def test_threads_record_at_the_same_time():
    barrier = threading.Barrier(4)

    def work(seed):
        x = np.random.default_rng(seed).normal(size=5)
        barrier.wait()
        for _ in range(20):
            H = hessian(lambda x: np.sum(np.sin(x) * x))(x)
            expected = 2 * np.cos(x) - x * np.sin(x)
            np.testing.assert_allclose(np.diag(H), expected, rtol=1e-12)
        return grad(lambda x: np.sum(x**3))(x) - 3 * x**2

    with ThreadPoolExecutor(4) as pool:
        for error in pool.map(work, range(4)):
            assert np.all(np.abs(error) < 1e-12)


def test_a_traced_value_in_another_thread_is_refused():
    """A tape belongs to the thread that opened it, so that rows don't get mixed up."""

    def in_a_thread(f):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(f).result()

    for f in (
        lambda x: in_a_thread(lambda: x * 2.0),
        lambda x: in_a_thread(lambda: np.sin(x)),
        lambda x: in_a_thread(lambda: grad(lambda y: x * y * y)(3.0)),
    ):
        for way in (grad(f), lambda x, f=f: record(f, x)):
            with pytest.raises(TraceError, match="thread|two recordings"):
                way(2.0)
    assert grad(lambda x: x * in_a_thread(lambda: grad(np.sin)(0.0)))(2.0) == 1.0

"""comp551ad/autodiff/operands.py: what counts as a real number, as an input and as a constant."""

import decimal
import enum
import fractions
import functools
import warnings
from collections import deque

import numpy as np
import pytest

from comp551ad import TraceError, grad, jacobian, jvp, record, value_and_grad, vjp
from comp551ad.autodiff.operands import as_constant, as_input


class Quantity(np.ndarray):
    """Like astropy's and pint's: an array with a unit, which we would lose."""


class Series:
    """Like pandas.Series: converts to an array, and doesn't know our operators."""

    def __array__(self, dtype=None, copy=None):
        return np.ones(3)


class Words:
    """A Series of strings."""

    def __array__(self, dtype=None, copy=None):
        return np.array(["a", "b"])


class Stranger:
    """Another library's array, which doesn't know our classes."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return NotImplemented


class Level(enum.IntEnum):
    HIGH = 2


@functools.cache
def matrix():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.matrix([[1.0, 2.0, 3.0]])


MASKED = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])
# value -> its description in the error
NO_NUMBERS = [
    (1j, "complex"), (np.array([1j]), "complex128"), (np.complex64(1), "complex64"),
    (np.array([1, None, 2]), "object"), (np.array(["a"] * 3), "<U1"), ("text", "str"),
    (np.array(["2020"], dtype="datetime64"), "datetime64"), (None, "NoneType"),
    (np.zeros(3, [("x", float)]), "ndarray of"), (b"x", "bytes"), ({1.0}, "set"),
    (object(), "object"), (MASKED, "MaskedArray"), (matrix(), "matrix"), (deque([2.0]), "deque"),
    (np.ones(3).view(Quantity), "Quantity"), (len, "builtin"),
    (Words(), "Words"), (10**400, "int"),
]  # fmt: skip
ids = [kind for _, kind in NO_NUMBERS]


@pytest.mark.parametrize(("value", "kind"), NO_NUMBERS, ids=ids)
def test_what_is_no_number_is_no_input(value, kind):
    for call in (
        lambda: grad(lambda weights: 1.0)(value),
        lambda: value_and_grad(lambda weights: 1.0, "weights")(value),
        lambda: jacobian(lambda weights: 1.0)({"k": value}),
        lambda: jvp(lambda weights: 1.0, (value,), (value,)),
        lambda: vjp(lambda weights: 1.0, value),
    ):
        with pytest.raises(
            TraceError, match=f"weights.*got .*{kind}.*expected real numbers"
        ):
            call()


@pytest.mark.parametrize(("value", "kind"), NO_NUMBERS, ids=ids)
def test_what_is_no_number_is_no_operand(value, kind):
    for f in (lambda a: np.multiply(a, value), lambda a: a * value):
        with pytest.raises(
            TraceError, match=f"multiply: got .*{kind}.*expected real numbers"
        ):
            grad(lambda a, f=f: np.sum(f(a)))(np.ones(3))


@pytest.mark.parametrize(
    "value",
    [
        decimal.Decimal("1.5"), fractions.Fraction(1, 2), np.timedelta64(1, "D"), Series(),
        Stranger(), (v for v in range(3)), [1.0, [2.0, 3.0]], {},
    ],
)  # fmt: skip
def test_other_operands_are_refused_on_both_sides(value):
    for f in (lambda a: np.add(a, value), lambda a: a + value, lambda a: value + a):
        with pytest.raises(TraceError, match="add: got "):
            grad(lambda a, f=f: np.sum(f(a)))(np.ones(3))


def test_masked_arrays_and_matrices_on_the_left_are_refused_not_misread():
    """A mask would be lost; a matrix means another product."""
    for left in (MASKED, matrix(), np.ones(3).view(Quantity)):
        with warnings.catch_warnings(), pytest.raises(TraceError):
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            grad(lambda x, left=left: np.sum(left * x))(np.ones((3, 1)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2, 2.0), (True, 1.0), (np.int8(3), 3.0), (np.float32(0.5), 0.5), (np.bool_(True), 1.0),
        (np.longdouble(2), 2.0), (np.array(2), 2.0), (10**30, 1e30), (Level.HIGH, 2.0),
        (np.arange(3), [0, 1, 2]), ([1, 2, 3], [1, 2, 3]), ((1.0, 2.0, 3.0), [1, 2, 3]),
        (np.array([True, False, True]), [1, 0, 1]), (np.ones(3, np.float32), [1, 1, 1]),
        (np.arange(6.0)[::2], [0, 2, 4]), (np.frombuffer(np.arange(3.0).tobytes()), [0, 1, 2]),
        ([[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, 5, 6]]),
        (np.arange(3.0).astype(">f8"), [0, 1, 2]),
    ],
    ids=repr,
)  # fmt: skip
def test_constants_are_float64_copies(value, expected):
    constant = as_constant(value, "add")
    assert np.array_equal(constant, expected)
    assert type(constant) is float or (
        constant.dtype == float and not constant.flags.writeable
    )
    assert not np.shares_memory(constant, value)
    assert np.array_equal(record(lambda x: x + value, 0.0).result, expected)


def test_inputs_are_float64_copies():
    for value in (
        3,
        np.array([[1, 2], [3, 4]], np.int32),
        np.array([1, 2], np.float16),
        np.array([1, 2], np.longdouble),
        np.array([1, 2], ">f8"),
        np.array(3.0),
    ):
        taken = as_input(value, "x")
        assert np.array_equal(taken, value)
        assert type(taken) is float or (
            taken.dtype == float and not taken.flags.writeable
        )
    x = np.asfortranarray(np.ones((2, 3)))
    assert as_input(x, "x").flags.f_contiguous, "as it lies"
    with pytest.raises(TraceError, match="^w3: got str"):
        as_input("3", lambda value: f"w{value}")


def test_a_memory_map_is_an_array(tmp_path):
    mapped = np.memmap(tmp_path / "x", float, "w+", shape=3)
    mapped[:] = [1.0, 2.0, 3.0]
    assert grad(lambda x: np.sum(x * mapped))(np.ones(3)).tolist() == [1.0, 2.0, 3.0]
    assert grad(lambda x: np.sum(x * x))(mapped).tolist() == [2.0, 4.0, 6.0]

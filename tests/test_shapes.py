"""comp551ad/shapes.py: what a declaration accepts, and what its errors say."""

import inspect
import re
from dataclasses import dataclass

import numpy as np
import pytest

from comp551ad import grad, record
from comp551ad.shapes import (
    NotFiniteError,
    as_generator,
    count,
    fit,
    number,
    one_of,
    shapes,
)


@shapes(X="N D", V="D M", b="M")
def layer(X, V, b=None, scale=1.0):
    """A docstring."""
    Q = X @ V
    return scale * (Q if b is None else Q + b)


class Padded:
    def __init__(self, pad):
        self.pad = pad

    @shapes(V="D M", W="M+pad C")
    def sizes(self, V, W):
        return V.shape, W.shape


X, V, b = np.arange(6.0).reshape(3, 2), np.ones((2, 4)), np.ones(4)


def refused(call, *parts):
    """Check the error's form and that its message contains these parts."""
    with pytest.raises(ValueError) as error:
        call()
    text = str(error.value)
    assert re.fullmatch(r"[^:]+: (got|returned) .+, expected .+", text), text
    assert not [part for part in parts if part not in text], text


# ---- what is accepted ----------------------------------------------------------------


def test_a_declared_function_is_called_as_before():
    assert np.array_equal(layer(X, V), X @ V)
    assert np.array_equal(layer(X, V=V, b=b, scale=2.0), 2 * (X @ V + 1))
    assert layer.__doc__ == "A docstring." and layer.__name__ == "layer"
    assert inspect.signature(layer) == inspect.signature(layer.__wrapped__)
    with pytest.raises(TypeError, match="missing a required argument: 'V'"):
        layer(X)
    with pytest.raises(TypeError, match="too many positional arguments"):
        layer(X, V, b, 1.0, 2.0)


def test_lists_become_arrays_and_integers_floats_and_nothing_given_is_changed(tmp_path):
    assert np.array_equal(layer(X.tolist(), V.tolist(), [1] * 4), X @ V + 1)
    # In int8, 16 · 16 + 16 · 16 would be 0.
    for kind in (np.int8, np.uint8, bool):
        A = np.full((1, 2), 16).astype(kind)
        for _ in range(2):
            B = A.astype(float)
            assert layer(A, A.T) == layer(B, B.T) == 2 * float(A[0, 0]) ** 2
        assert A.dtype == kind
    for kind in (np.float16, np.float32, np.longdouble):
        assert layer(X.astype(kind), V.astype(kind)).dtype == kind
    mapped = np.memmap(tmp_path / "X", float, "w+", shape=(3, 2))
    mapped[:] = X
    assert np.array_equal(layer(mapped, V), X @ V)


def test_tracers_pass_and_local_names_are_seen():
    trace = record(layer, X, V, b)
    assert "Q" in trace.names.values()
    assert np.array_equal(trace.result, X @ V + 1)
    for _ in range(2):
        by_V = grad(lambda V: np.sum(layer(X, V, b)))(V)
        assert np.array_equal(by_V, np.repeat(X.sum(0)[:, None], 4, 1))
        refused(lambda: grad(lambda V: np.sum(layer(X, V)))(V.T), "V: got shape (4, 2)")


def test_sums_take_attributes_of_self():
    # What is refused once is refused again, and the other one is still accepted.
    one, none, W = Padded(1), Padded(0), np.ones((4, 3))
    for _ in range(2):
        assert none.sizes(V, W) == (V.shape, W.shape)
        refused(lambda: one.sizes(V, W), "W: got shape (4, 3)", "M+pad x C = 5 x C")
        assert one.sizes(V, np.ones((5, 3)))[1] == (5, 3)


@shapes(X="N D", weights=("D M", "M"), top="M")
def weighted(X, weights, top=None):
    return X @ weights[0] + weights[1], weights[0].dtype, top


def test_what_fitted_before_is_no_passport_for_others():
    """Nor for the same shapes in a container, nor after an argument was omitted."""
    for _ in range(2):
        assert weighted(X, (V, b))[2] is None
        assert weighted(X, [V.astype(int), b])[1] == np.float64
        refused(lambda: weighted(X, (V, b[:3])), "weights[1]: got shape (3,)")
        refused(lambda: weighted(X, (V.T, b)), "weights[0]: got shape (4, 2)")
        refused(lambda: weighted(X, (V, b, b)), "weights: got 3")
        refused(lambda: weighted(X, (V, b), b[:3]), "top: got shape (3,)")
        refused(lambda: weighted(X, (V, b * 1j)), "weights[1]: got ndarray of complex")
        assert weighted(X, (V, b), b)[2] is b


def test_containers_are_declared_by_sequences_and_functions():
    def axes(owner, given):
        return ["N M"] * owner if given["A"] else []

    declared = {"A": "N", "pairs": [("N", "M"), ("N", "M")], "more": axes}
    ones, twos = np.ones(3), np.ones(2)
    given = {"A": [1, 2, 3], "pairs": np.array([[ones, ones]] * 2), "more": []}
    declared["more"] = []
    assert fit(declared, given)["pairs"][1][1].tolist() == [1, 1, 1]
    refused(
        lambda: fit(declared, given | {"pairs": [(ones, twos), (ones, ones)]}),
        "pairs[1][1]: got shape (3,), expected M = 2, with M as in pairs[0][1]",
    )
    refused(lambda: fit(declared, given | {"pairs": [(ones, twos)]}), "pairs: got 1")
    refused(lambda: fit(declared, given | {"pairs": 3}), "pairs: got 3, expected 2")
    declared["more"] = axes
    given["more"] = [np.ones((3, 1)), np.ones((3, 2))]
    refused(lambda: fit(declared, given, 2), "more[0]: got shape (3, 1)", "3 x 3")
    refused(lambda: fit(declared, given, 3), "more: got 2, expected 3 arrays")


# ---- what doesn't fit ----------------------------------------------------------------


@pytest.mark.parametrize(
    "call, parts",
    [
        (lambda: layer(X[0], V), ["X: got shape (2,), expected N x D;", "X[None]", "np.eye"]),
        (lambda: layer(X, V[:, 0]), ["V: got shape (2,), expected D x M = 2 x M, with D as in X"]),
        (lambda: layer(X, V.T), ["V: got shape (4, 2)", "2 x M", "write V.T"]),
        (lambda: layer(X, V[:1]), ["V: got shape (1, 4)", "forget the bias"]),
        (lambda: layer(X, np.ones((3, 4))), ["V: got shape (3, 4)", "forget the bias"]),
        (lambda: layer(X, np.ones((5, 4))), ["share a letter equal"]),
        # Not an inner length.
        (lambda: fit({"A": "N", "B": "N"}, {"A": b, "B": b[1:]}), ["share a letter equal"]),
        (lambda: layer(X, V, b[:3]), ["b: got shape (3,), expected M = 4, with M as in V"]),
        (lambda: layer(X, V, b[None]), ["b: got shape (1, 4)", "keep all axes"]),
        (lambda: layer(X[:0], V), ["X: got shape (0, 2)", "none of length 0"]),
        (lambda: layer(X, V[:, :0]), ["V: got shape (2, 0)", "none of length 0"]),
        (lambda: layer(None, V), ["X: got NoneType"]),
        (lambda: layer([[1.0], [1.0, 2.0]], V), ["X: got list", "np.asarray(X"]),
        (lambda: layer(X + 0j, V), ["X: got ndarray of complex128", "X.real"]),
        (lambda: layer(X, V.astype(object)), ["V: got ndarray of object"]),
        (lambda: layer(X, V.astype(str)), ["V: got ndarray of <U"]),
        (lambda: layer(np.ma.masked_array(X), V), ["X: got MaskedArray", "X.filled(0.0)"]),
        (lambda: layer(X, V.view(np.matrix)), ["V: got matrix"]),
    ],
)  # fmt: skip
def test_the_error_names_the_argument_and_what_to_do(call, parts):
    for _ in range(2):
        layer(X, V, b)
        refused(call, *parts)


# ---- nan and inf ---------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_entry_that_is_not_finite_is_named_and_all_are_counted(bad):
    spoilt = X.copy()
    spoilt[1, 1] = spoilt[2, 0] = bad
    with pytest.raises(NotFiniteError, match=rf"^X\[1, 1\]: got {bad} \(2 such\), exp"):
        layer(spoilt, V)
    with pytest.raises(NotFiniteError, match=rf"^b\[3\]: got {bad} \(1 such\)"):
        layer(X, V, np.array([1, 1, 1, bad]))

    @shapes(parts=["M", ["M"]], x="")
    def constant(parts, x):
        return 1.0

    assert constant([b, [b]], 3.0) == 1.0
    with pytest.raises(NotFiniteError, match=rf"^parts\[1\]\[0\]\[0\]: got {bad}"):
        constant([b, [bad * b]], 3.0)
    with pytest.raises(NotFiniteError, match=rf"^x: got {bad} \(1 such\)"):
        constant([b, [b]], bad)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize(
    "result", [np.array([1, np.inf]), np.nan, (1, [np.array(np.inf)])]
)
def test_finite_arguments_that_overflow_are_an_error_too(result):
    @shapes(A="N", B="N")
    def f(A, B):
        return result

    with pytest.raises(
        NotFiniteError, match="^f: got nan or inf from finite A, B, exp"
    ):
        f(b, b)


def test_large_numbers_are_no_false_alarm():
    large = np.array([[1.7e308, 1.0]])
    assert np.array_equal(layer(large, V[:, :1] * 1e-308), large @ V[:, :1] * 1e-308)


def test_the_owner_of_a_method_is_compared_by_identity():
    """Comparing two dataclasses of arrays has no single truth value."""

    @dataclass
    class Weights:
        W: np.ndarray

        @shapes(X="N D")
        def kind(self, X):
            return X.dtype

    for call in Weights(b).kind, Weights(b.copy()).kind:
        for x in (X.astype(int), X.astype(int), [[1, 2]], [[1, 2]]):
            assert call(x) == np.float64


# ---- single arguments ----------------------------------------------------------------


@pytest.mark.parametrize("x", [1, 1.5, np.float32(1.5), np.int8(1), np.array(1.5)])
def test_numbers_of_python_and_of_numpy_are_numbers(x):
    value = number("x", x, 1, 1.5)
    assert value == x and type(value) is float


@pytest.mark.parametrize(
    "x", [True, None, "a", 1j, np.nan, np.inf, np.ones(1), [1], [[1], [1, 2]], 0.5, 2]
)
def test_what_is_no_number_within_its_bounds_is_refused(x):
    refused(lambda: number("x", x, 1, 1.5), f"x: got {x!r}, expected a finite number")
    refused(lambda: number("x", x, above=2), "above 2")
    refused(lambda: count("x", x, 3), f"x: got {x!r}, expected a whole number from 3")


def test_counts_are_whole_and_have_bounds():
    for x in (3, np.int8(4), np.array(5)):
        assert count("x", x, 3, 5) == x and type(count("x", x, 3)) is int
    for x in (2, 6, 4.0, np.float64(4)):
        refused(lambda: count("x", x, 3, 5), "from 3 to 5")  # noqa: B023
    assert count("x", 10**9, 0) == 10**9


def test_a_choice_lists_the_known():
    known = {"tanh": 1, "relu": 2}
    assert one_of("hidden", "relu", known) == "relu"
    for x in ("ReLU", None, ["relu"]):
        refused(lambda: one_of("hidden", x, known), repr(x), "'tanh', 'relu'")  # noqa: B023


def test_a_generator_comes_from_a_seed_or_is_one():
    rng = np.random.default_rng(3)
    assert as_generator(rng) is rng
    assert as_generator(3).random() == np.random.default_rng(3).random()
    assert as_generator(None).random() != as_generator(None).random()
    for bad in ("a", -1, 1.5):
        refused(lambda: as_generator(bad), f"rng: got {bad!r}")  # noqa: B023

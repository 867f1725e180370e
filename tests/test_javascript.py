"""Programs written in JavaScript compute the same numbers as NumPy programs."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from javascript import JavaScriptError, javascript, like
from test_composites import OF_PRIMITIVES, dot, numbers_of, of_numbers
from test_composites import like as direction
from test_data import LABELS, OF_COMPARISONS, OF_LABELS, OTHERS, V, W, X
from test_program import A33, GRADIENTS, RESULTS, VALUES, X3, deep
from test_program import Layer as Layer
from test_random_programs import REFUSED, as_many, programs, run

from comp551ad import pytrees, record, value_and_grad
from comp551ad.autodiff.javascript import PARTS, RUNTIME
from comp551ad.autodiff.primitives import PRIMITIVES
from comp551ad.autodiff.program import ProgramError, write_gradient, write_value
from comp551ad.byhand.two_layer import cost
from comp551ad.datasets import load_iris

__all__ = ["javascript"]


def same_numbers(javascript, write, f, *example, args=None, size=0.0, wrt=0):
    """Whether they equal Python's up to 1e-12 of the largest number, or of ``size``."""
    args = example if args is None else args
    if write is write_value:
        program = write_value(f, *example, language="javascript")
        expected = record(f, *args).result
    else:
        how = {"wrt": wrt, "value": True, "language": "javascript"}
        program = write_gradient(f, *example, **how)
        expected = value_and_grad(f, wrt)(*args)
    found = like(javascript(program.source, *args), expected)
    for x, y in zip(pytrees.leaves(found), pytrees.leaves(expected), strict=True):
        largest = np.max(np.abs(y), initial=size) if np.all(np.isfinite(y)) else size
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12 * largest)


# ---------------------------------------------------------------- the numbers


@pytest.mark.parametrize(("function", "args", "kwargs"), OF_PRIMITIVES)
def test_every_primitive(function, args, kwargs, javascript):
    """Its value too, which is the gradient with respect to the weights."""
    f, numbers = of_numbers(function, args, kwargs), numbers_of(args)

    def total(numbers, weights):
        return dot(weights, f(*numbers))

    weights = direction(f(*numbers), 1)
    same_numbers(javascript, write_gradient, total, numbers, weights, wrt=(0, 1))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("case", [*VALUES, *GRADIENTS])
def test_numbers_at_the_edges(case, javascript):
    gradients = case in GRADIENTS
    f, example, args = (GRADIENTS if gradients else VALUES)[case]
    write = write_gradient if gradients else write_value
    same_numbers(javascript, write, f, *example, args=args)


@pytest.mark.parametrize("f", OF_LABELS + OF_COMPARISONS, ids=lambda f: f.__name__)
def test_labels_masks_and_comparisons(f, javascript):
    args = (V,) if f in OF_COMPARISONS else (W, X, LABELS)
    if f.__name__ in ("counted", "both", "clipped_by_a_mask"):
        with pytest.raises(ProgramError, match="^index: got a mask.*JavaScript"):
            write_gradient(f, *args, language="javascript")
    elif f.__name__ == "discounted":
        with pytest.raises(ProgramError, match="on data.*JavaScript"):
            write_gradient(f, *args, language="javascript")
    else:
        others = (V[::-1],) if f in OF_COMPARISONS else (W, X, OTHERS)
        same_numbers(javascript, write_gradient, f, *args, args=others)


CUBE = np.sin(np.arange(60.0)).reshape(3, 4, 5)
OF_INDICES = {
    "rows": lambda X, y, z: X[y],
    "columns": lambda X, y, z: X[:, z],
    "of each row": lambda X, y, z: X[np.arange(3), y],
    "last": lambda X, y, z: X[..., y],
    "apart": lambda X, y, z: X[y, :, z[:, None]],
    "beside a number": lambda X, y, z: X[1, :, y],
    "side by side": lambda X, y, z: X[:, z, y[:, None]],
    "numbers": lambda X, y, z: X[y[0], z[1]],
    "new axis": lambda X, y, z: X[None, z, ..., 1:3],
    "both ends": lambda X, y, z: X[y, ..., y],
    "a list": lambda X, y, z: X[list(y), [z[1], 0, 1]],
    "ordered": lambda X, y, z: X[np.argsort(-y)],
    "reshaped": lambda X, y, z: X[0][y.reshape(3, 1), np.ravel(z)],
    "one-hot": lambda X, y, z: np.eye(20)[y] @ X.reshape(20, 3),
    "sorted": lambda X, y, z: np.sort(X, axis=1) + np.sort(X, axis=None)[7],
    "remainders": lambda X, y, z: X[y % 3] * np.abs(-y[0]) + X[y // 2] * np.maximum(y[1], -1),
    "largest": lambda X, y, z: X[np.argmax(y)] * X[0, np.argmin(z)] + np.argmax(X),
    "counted": lambda X, y, z: X[0] * (X > 0).sum(0) * np.sum(y > 0) - (y[None] > 1).max(),
    "rolled": lambda X, y, z: np.roll(X, 2, axis=1) + np.roll(X, 7),
    "repeated": lambda X, y, z: np.repeat(X, 2, axis=1),
    "logical": lambda X, y, z: (
        X * np.logical_and(X > 0, y[:, None, None]) + X * np.logical_xor(y[0], X > 0.5)
        - X**2 * np.logical_or(X < 0, z[0] > 0) + X * ((X > 0.2) ^ (X > 0.4))
    ),
    "finite": lambda X, y, z: (
        X * np.isfinite(np.where(X > 0.1, np.inf, X)) + np.isinf(np.where(X < 0, -np.inf, y[0]))
    ),
    "any and all": lambda X, y, z: (
        X * np.any(X > 0.9, axis=1)[:, None] + X * np.all(y < 2) - X * (X[0] < 0.9).all(0)
    ),
    "largest of some": lambda X, y, z: np.nanmax(np.where(X > 0.9, np.nan, X), axis=(0, 1)),
    "above": lambda X, y, z: X[0] + 3 * np.tri(4, 5, -1) - np.tri(5, 4, 0).T,
    "one with a gap": lambda X, y, z: np.nanmean(X[0, 0, 0]) * X[0] + np.sum(y[0] > 0),
    "with gaps": lambda X, y, z: np.nanmean(np.where(X > 0.9, np.nan, X), axis=1),
    "infinite": lambda X, y, z: np.nan_to_num(np.where(X > 0.9, np.inf, X), posinf=2.0),
}  # fmt: skip


@pytest.mark.parametrize("case", OF_INDICES)
def test_indices_that_are_data(case, javascript):
    """For labels other than the recorded ones, including negative ones."""

    def f(X, y, z, weights):
        return np.sum(np.sin(OF_INDICES[case](X, y, z)) * weights)

    recorded = CUBE, np.array([2, 0, -1]), np.array([1, 0])
    other = CUBE[::-1], np.array([1, 1, 0]), np.array([1, -2])
    found = OF_INDICES[case](*recorded)
    weights = np.cos(np.arange(found.size)).reshape(found.shape)
    recorded, other = (*recorded, weights), (*other, weights)
    same_numbers(javascript, write_gradient, f, *recorded, args=other)


def test_an_index_out_of_bounds_is_an_error_in_javascript(javascript):
    labels = np.array([1, 2])
    p = write_gradient(lambda w, k: np.sum(w[k]), X3, labels, language="javascript")
    for k in (3, -4, 0.5):
        with pytest.raises(JavaScriptError, match=f"index: got {k}, expected a whole"):
            javascript(p.source, X3, [0, k])


def test_truth_values_add_up_to_one(javascript):
    def f(x):
        return np.sum(x * ((x > 0) + (x > 1)))

    same_numbers(javascript, write_gradient, f, V)


def test_casts_to_numbers_that_wrap_around_are_refused():
    with pytest.raises(ProgramError, match="^astype: .*JavaScript"):
        write_gradient(lambda x: x * x.astype(np.int8), 300.0, language="javascript")


@pytest.mark.parametrize("ask", [np.any, np.all])
def test_any_and_all_of_no_entries_are_refused(ask):
    with pytest.raises(ProgramError, match=f"^{ask.__name__}: got a call .*JavaScript"):
        write_value(lambda x: x * ask(x[:0] > 1), V, language="javascript")


@pytest.mark.parametrize("case", RESULTS)
def test_results_of_all_kinds(case, javascript):
    same_numbers(javascript, write_value, RESULTS[case], A33)


def test_random_programs(javascript):
    count = Counter()

    @as_many
    @given(programs())
    def check(program):
        weights = direction(run(program, program.inputs), 6)

        def total(inputs, weights):
            return dot(weights, run(program, inputs))

        args = list(program.inputs), weights
        count["programs"] += 1
        try:
            same_numbers(javascript, write_gradient, total, *args, size=1.0)
        except ProgramError as refusal:
            assert re.search(f"{REFUSED}|in JavaScript", str(refusal))
            count["refused"] += 1

    check()
    assert count["refused"] < 0.2 * count["programs"], count


# ---------------------------------------------------------------- arguments and results


def test_arguments_and_results_are_nested_as_in_python(javascript):
    layers = [Layer(A33, X3), Layer(A33 + 1, 2.0)]
    same_numbers(javascript, write_gradient, deep, layers, A33)

    def f(p, *xs, kind="sum", k=1.0):
        assert kind == "sum"
        return {"value": p["a b"] * xs[0] + p[1] * xs[1], "rest": [k, (xs[1],)]}

    same_numbers(javascript, write_value, lambda x: x[None] * 2, 1.0)
    args = {"a b": 2.0, 1: X3}, 3.0, A33
    same_numbers(javascript, write_value, f, *args)
    program = write_value(lambda x, kind: x, 1.0, "sum", language="javascript")
    assert javascript(program.source, 2.0, "sum") == 2.0
    for args, text in (
        ((2.0, "mean"), "kind: got mean, expected sum"),
        (("2", "sum"), "x: got string, expected number"),
        (([1.0], "sum"), r"x: got shape \(1\), expected numbers of shape \(\)"),
    ):
        with pytest.raises(JavaScriptError, match=text):
            javascript(program.source, *args)
    square = write_value(lambda X: X**2, A33, language="javascript").source
    for x in (A33[:2], [[1.0, 2.0, 3.0], [4.0, 5.0]], [["1"] * 3] * 3, None):
        with pytest.raises(JavaScriptError, match="TypeError"):
            javascript(square, x)


def test_a_second_call_does_not_change_the_first_ones_results(javascript):
    program = write_value(lambda x: [np.sin(x), x], A33, language="javascript")
    source = program.source.replace("export default", "const once =")
    source += "export default (x, y) => [once(x), once(y)];"
    for result, x in zip(
        javascript(source, A33, X3 * A33), (A33, X3 * A33), strict=True
    ):
        np.testing.assert_allclose(result, [np.sin(x), x], rtol=1e-15)


# ---------------------------------------------------------------- source


def test_the_decks_gradients():
    """The lines of the lecture; elementwise operations share one loop."""
    X, Y = load_iris()
    W, V = np.ones((16, 3)), np.ones((3, 16))
    program = write_gradient(cost, X, Y, W, V, wrt=("W", "V"), language="javascript")
    lines = program.source.split("export function gradients(X, Y, W, V) {\n")[1]
    assert lines.startswith(
        "  arrays.next = 0;\n"
        "  const N = X.shape[0];\n"
        "  const Q = dot(X, V); // 150 x 16\n"
        "  const Z = empty(Q.shape); // 150 x 16\n"
        "  for (let i = 0; i < Z.length; i++) Z[i] = logistic(Q[i]);\n"
        "  const U = dot(Z, W); // 150 x 3\n"
    )
    assert "dQ[i] = dZ[i] * Z[i] * (1 - Z[i]);\n" in lines
    assert "tanh" not in lines and "concatenate" not in program.source
    with pytest.raises(TypeError, match="gradients: got a call from Python"):
        program(X, Y, W, V)


# Called by the writer itself.
WRITTEN = "array nested setting argsort argmax argmin eye tri picked".split()


def test_the_runtime_is_small_and_all_of_it_used():
    arrays, algebra = RUNTIME.split("// a⁻¹ b by Gauss")
    assert len(arrays.splitlines()) < 330 and len(algebra.splitlines()) < 110
    assert "".join(dict.fromkeys(PARTS.values())).split() == RUNTIME.split()
    written = " ".join(p.notation.javascript for p in PRIMITIVES.values())
    others = set(re.findall(r"\w+", RUNTIME + written)) - set(PARTS)
    for name in PARTS:
        mentions = len(re.findall(rf"\b{name}\b", RUNTIME + written))
        assert mentions > 1 or name in others or name in WRITTEN


def test_what_javascript_cannot_hold_is_refused():
    for key in (True, ("a", 1), 0.5):
        with pytest.raises(ProgramError, match="key: got"):
            write_value(lambda x, key=key: {key: x}, 1.0, language="javascript")
    with pytest.raises(ProgramError, match="language: got 'fortran', expected"):
        write_value(lambda x: x, 1.0, language="fortran")

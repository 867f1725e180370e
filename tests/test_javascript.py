"""JavaScript as a language of the program writer: the same numbers as the NumPy program's."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from javascript import JavaScriptError, javascript, like
from test_data import LABELS, OF_COMPARISONS, OF_LABELS, V, W, X
from test_program import A33, GRADIENTS, RESULTS, VALUES, X3, deep, weighted_sums
from test_program import Layer as Layer
from test_random_programs import as_many, programs, run
from test_random_programs import like as direction

from comp551ad import pytrees
from comp551ad.autodiff.javascript import PARTS, RUNTIME
from comp551ad.autodiff.primitives import PRIMITIVES
from comp551ad.autodiff.program import ProgramError, write_gradient, write_value
from comp551ad.byhand.two_layer import cost
from comp551ad.datasets import load_iris

__all__ = ["javascript"]


def same_numbers(javascript, write, f, *example, args=None, size=0.0, **how):
    """Equal to 1e-12 of the largest of the numbers, or of ``size``."""
    args = example if args is None else args
    expected = write(f, *example, **how)(*args)
    program = write(f, *example, language="javascript", **how)
    found = like(javascript(program.source, *args), expected)
    for x, y in zip(pytrees.leaves(found), pytrees.leaves(expected), strict=True):
        largest = np.max(np.abs(y), initial=size) if np.all(np.isfinite(y)) else size
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12 * largest)
    return program


# ---------------------------------------------------------------- the numbers


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive(name, javascript):
    """Its value, too, which is the gradient with respect to the weights."""
    for f, *args in weighted_sums(name):
        same_numbers(javascript, write_gradient, f, *args, value=True, wrt=(0, 1))


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
    if f.__name__ in "one_against_all by_means targets huber leaky masked cast".split():
        same_numbers(javascript, write_gradient, f, *args, value=True)
    else:
        with pytest.raises(ProgramError, match="(index: got data|on data).*JavaScript"):
            write_gradient(f, *args, language="javascript")


def test_truth_values_add_up_to_one(javascript):
    def f(x):
        return np.sum(x * ((x > 0) + (x > 1)))

    same_numbers(javascript, write_gradient, f, V, value=True)


def test_casts_to_numbers_that_wrap_around_are_refused():
    with pytest.raises(ProgramError, match="^astype: .*JavaScript"):
        write_gradient(lambda x: x * x.astype(np.int8), 300.0, language="javascript")


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
            pairs = zip(weights, run(program, inputs), strict=True)
            return sum(np.sum(w * y) for w, y in pairs)

        args, how = (list(program.inputs), weights), {"value": True, "size": 1.0}
        try:
            write_gradient(total, *args)
        except ProgramError:
            # Which are few: tests/test_random_programs.py.
            return
        count["programs"] += 1
        try:
            same_numbers(javascript, write_gradient, total, *args, **how)
        except ProgramError as refusal:
            assert re.search("stand in the source|in JavaScript", str(refusal))
            count["refused"] += 1

    check()
    assert count["refused"] < 0.1 * count["programs"], count


# ---------------------------------------------------------------- what goes in and comes out


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


# ---------------------------------------------------------------- the text


def test_the_decks_gradients():
    """The lines of the lecture; what works entry by entry is one loop."""
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


def test_the_runtime_is_small_and_all_of_it_used():
    arrays, algebra = RUNTIME.split("// a⁻¹ b by elimination")
    assert len(arrays.splitlines()) < 300 and len(algebra.splitlines()) < 110
    assert "".join(dict.fromkeys(PARTS.values())).split() == RUNTIME.split()
    written = " ".join(p.notation.javascript for p in PRIMITIVES.values())
    others = set(re.findall(r"\w+", RUNTIME + written)) - set(PARTS)
    for name in PARTS:
        mentions = len(re.findall(rf"\b{name}\b", RUNTIME + written))
        assert mentions > 1 or name in others or name in ("array", "nested", "setting")


def test_what_javascript_cannot_hold_is_refused():
    for key in (True, ("a", 1), 0.5):
        with pytest.raises(ProgramError, match="key: got"):
            write_value(lambda x, key=key: {key: x}, 1.0, language="javascript")
    with pytest.raises(ProgramError, match="language: got 'fortran', expected"):
        write_value(lambda x: x, 1.0, language="fortran")

"""The usual mistakes: plausible, named, and never right by accident."""

import numpy as np
import pytest

from comp551ad import forward, record, reverse
from comp551ad.show.rows import rows_of


def mistakes(passed, key):
    """{formula: what is wrong with it} of a node, by its number."""
    rows = rows_of(passed, details=True)
    return {m.formula: m.explanation for m in rows.row(key).derivative.mistakes}


def test_exp_is_its_own_derivative_so_that_is_no_mistake():
    found = mistakes(reverse(record(lambda x: np.exp(x), 0.7)), 1)
    assert "This multiplies by the function itself instead of its derivative." not in (
        found.values()
    )
    assert found["−ā₂·a₂"] == "The sign is wrong."


def test_a_square_may_not_lose_one_of_its_two_paths():
    found = mistakes(reverse(record(lambda x: x * x, 3.0)), 1)
    assert found["a₁·ā₂"] == "The path through a₂ is missing: add up all paths."


def test_the_products_factors_mixed_up():
    found = mistakes(reverse(record(lambda u, v: u * v, 2.0, 5.0)), 1)
    assert found["a₁·ā₃"].startswith("The two operands are mixed up")


def test_adding_passes_on_unchanged_so_that_is_no_mistake():
    found = mistakes(reverse(record(lambda u, v: u + v, 2.0, 5.0)), 1)
    assert not any("unchanged" in why for why in found.values())
    assert found["ȧ₃"].startswith("That mark belongs to the other mode")


def test_forward_modes_own_marks_and_words():
    found = mistakes(forward(record(lambda u, v: u * v, 2.0, 5.0), wrt="u"), 3)
    assert found["a₂·ȧ₁"] == "The path from a₂ is missing: add up all paths."
    assert found["a₂ + a₁"] == "The factor from below is missing: ȧ₁, ȧ₂."
    assert found["a₂·ā₁ + a₁·ā₂"].endswith("tangents have a dot.")


@pytest.mark.parametrize("shape", [(3, 2), (2, 2)])
def test_a_matrix_product_transposed_or_turned_round(shape):
    X = np.arange(np.prod(shape)).reshape(shape) / 9.0
    t = record(lambda X, V: np.sum(np.tanh(X @ V)), X, np.ones((2, 4)))
    found = mistakes(reverse(t), 2)
    assert found["a₁·ā₃"] == "A transpose is missing."
    assert found["ā₃·a₁ᵀ"] == "The factors are in the wrong order."


def test_seeds_and_what_does_not_matter_are_mistaken_too():
    t = record(lambda x: (np.sin(x), np.cos(x)), 0.3)
    assert set(mistakes(reverse(t, of="a3"), 3)) == {"a₃", "0"}
    assert set(mistakes(reverse(t, of="a3"), 2)) == {"a₂", "1"}


def test_a_seed_that_is_an_array_is_not_asked_for():
    t = record(lambda x: 2 * x, np.ones(3))
    assert mistakes(reverse(t, seed=np.ones(3)), 2) == {}


def test_a_table_or_a_graph_pays_nothing_for_mistakes():
    rows = rows_of(reverse(record(lambda x: x * x, 3.0)))
    assert all(row.derivative.mistakes == row.matrices == () for row in rows.rows)


def numbers(trace, key):
    rows = rows_of(reverse(trace), details=True)
    return {m.formula: m.value for m in rows.row(key).derivative.mistakes}


def test_a_mistakes_value_is_what_its_formula_comes_to():
    found = numbers(record(lambda u, v: np.sin(u * v), 2.0, 0.5), 1)
    a3_bar = np.cos(1.0)
    assert found["−a₂·ā₃"] == pytest.approx(-0.5 * a3_bar)
    assert found["a₁·ā₃"] == pytest.approx(2.0 * a3_bar)
    assert found["a₂·a₃"] == pytest.approx(0.5 * 1.0)
    assert found["a₂"] == 0.5
    assert found["ā₃"] == pytest.approx(a3_bar)
    assert found["a₂·ȧ₃"] is None  # a tangent, of which input?

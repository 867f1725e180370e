"""Folding: which nodes go into which box, and what a box shows."""

import numpy as np
import pytest

from comp551ad import forward, record, reverse
from comp551ad.show.folding import boxes_of
from comp551ad.show.rows import rows_of


def steps(u, v):
    s = u * v + np.sin(u)  # a3 … a5
    y = s * np.exp(-s) + v  # a6 … a9
    return y


@pytest.fixture
def trace():
    return record(steps, 0.5, 2.0)


def test_a_node_belongs_to_the_variable_that_it_leads_to(trace):
    assert boxes_of(trace) == [0, 1, 4, 4, 4, 8, 8, 8, 8]


def test_what_leads_to_several_variables_stands_alone():
    def f(u):
        a = np.sin(u * u)  # u·u is used twice
        return a, np.cos(u * u)

    def g(u):
        square = [u * u]  # no name of its own
        a, b = np.sin(square[0]), np.cos(square[0])
        return a, b

    assert boxes_of(record(f, 0.5)) == [0, 2, 2, 4, 4]
    assert boxes_of(record(g, 0.5)) == [0, 1, 2, 3]


def test_unfolded_variables_show_all_of_their_nodes(trace):
    assert boxes_of(trace, unfold=[4]) == [0, 1, 2, 3, 4, 8, 8, 8, 8]
    assert [r.count for r in rows_of(trace, fold=True, unfold=["s"]).rows] == [
        *(1, 1, 1, 1, 1, 4)
    ]


def test_a_string_unfolds_the_one_variable_of_that_name():
    def f(u):
        Qa = u * u + 1.0
        return np.sin(Qa)

    trace = record(f, 0.5)
    assert len(rows_of(trace, fold=True, unfold="Qa").rows) == 4
    with pytest.raises(KeyError, match="unfold: got 'Qb', expected one of u, Qa"):
        rows_of(trace, fold=True, unfold="Qb")


def test_a_box_is_written_in_terms_of_other_boxes(trace):
    rows = rows_of(reverse(trace), "names", fold=True)
    assert [row.equation.text for row in rows.rows] == [
        "u = u",
        "v = v",
        "s = u·v + sin u",
        "y = s·exp(−s) + v",
    ]
    assert [row.operation for row in rows.rows] == ["", "", "3 steps", "4 steps"]
    assert rows.row(9).operands == ((0, 2), (1, 5))
    assert rows.row(1).derivative.formula.text == "v·s̄ + s̄·cos u"


@pytest.mark.parametrize("run", [lambda t: reverse(t), lambda t: forward(t, wrt="u")])
def test_values_and_derivatives_are_those_of_the_pass(trace, run):
    plain, folded = rows_of(run(trace)), rows_of(run(trace), fold=True)
    for row in folded.rows:
        same = plain.row(row.index)
        assert (row.value, row.derivative.value) == (same.value, same.derivative.value)
        if row.derivative.terms:
            shares = sum(term.value for term in row.derivative.terms)
            assert shares == pytest.approx(row.derivative.value)


def test_a_formula_too_long_is_named_and_its_value_still_adds_up():
    def long(u, v):
        s = u
        for k in range(20):
            s = s * np.sin(v + k) + 0.5 * u
        y = s * v
        return y

    t = record(long, 0.5, 2.0)
    up = rows_of(forward(t, wrt="v"), "names", fold=True)
    down = rows_of(reverse(t), "names", fold=True)
    s = up.rows[2]
    assert s.formula.text == "100 operations on u, v"
    assert s.formula.latex == r"\text{100 operations on } u, v"
    assert s.derivative.formula.text == "∂s/∂u·u̇ + ∂s/∂v·v̇"
    assert [t.value for t in s.derivative.terms] == [0.0, s.derivative.value]
    u, v = down.rows[:2]
    assert u.derivative.formula.text == "s̄·∂s/∂u"
    assert v.derivative.formula.text == "s̄·∂s/∂v + s·ȳ"
    for row in (u, v):
        values = [term.value for term in row.derivative.terms]
        assert sum(values) == pytest.approx(row.derivative.value)
        assert row.derivative.value == pytest.approx(reverse(t)[row.index])


def test_arrays_fold_as_well():
    def cost(X, V):
        Z = np.tanh(X @ V)
        L = np.sum(Z * Z) / 2
        return L

    t = record(cost, np.eye(3, 2), np.ones((2, 4)))
    rows = rows_of(reverse(t), "names", fold=True, details=True)
    assert [row.label.text for row in rows.rows] == ["X", "V", "Z", "L"]
    assert rows.row(2).derivative.formula.text == "Xᵀ·(Z̄⊙(1 − Z²))"
    assert rows.row(2).derivative.matrices[0].shape == "2×4"


def test_steps_and_what_they_set_free_follow_the_boxes(trace):
    rows = rows_of(reverse(trace), "names", fold=True)
    assert [step.node for step in rows.steps] == [1, 2, 5, 9, 9, 5, 2, 1]
    assert rows.steps[-1].drops_text == "s̄, v, u"


def test_names_with_braces_do_not_upset_the_formulas():
    def f(p):
        s = p["{0}"]
        for k in range(20):
            s = s * np.sin(s + k)
        return s * p["{0}"]

    t = record(f, {"{0}": 0.5})
    rows = rows_of(reverse(t), "names", fold=True)
    assert "{0}" in rows.row(1).derivative.formula.text

"""comp551ad/autodiff/forward.py: S12's table in numbers, terms, seeds."""

import numpy as np
import pytest

from comp551ad import forward, grad, logistic, record
from comp551ad.autodiff.passes import full


def waves(w0, w1, x):  # S12
    a = w1 * x + w0
    y1, y2 = np.sin(a), np.cos(a)
    return y1, y2


@pytest.fixture
def t():
    return record(waves, w0=0.5, w1=2.0, x=3.0)  # a5 = 6.5


SIN, COS = 0.21511998808781552, 0.9765876257280235  # of 6.5
TANGENTS = {  # per input: ȧ1 … ȧ7, and the formula each number comes from
    "w0": [1, 0, 0, 0, 1, COS, -SIN],
    "w1": [0, 1, 0, 3, 3, 3 * COS, -3 * SIN],  # ȧ4 = a2·0 + 1·a3
    "x": [0, 0, 1, 2, 2, 2 * COS, -2 * SIN],  # ȧ4 = a2·1 + 0·a3
}


@pytest.mark.parametrize("wrt", TANGENTS)
def test_the_table_of_s12(t, wrt):
    d = forward(t, wrt=wrt)
    expected = pytest.approx(TANGENTS[wrt], rel=1e-14)
    assert [d[f"a{k}"] for k in range(1, 8)] == expected
    assert [row.derivative for row in d.rows] == expected
    assert [row.node.label for row in d.rows] == [f"a{k}" for k in range(1, 8)]
    assert d.wrt == wrt and d.trace is t
    assert (d["y1"], d["y2"]) == (d["a6"], d["a7"])


def test_e07_the_minus_sine_of_the_cosine(t):
    """The graph slide has ȧ7 = −ȧ5 cos a5; differences tell which is right (E07)."""
    h = 1e-6
    slope = (np.cos((2 + h) * 3 + 0.5) - np.cos((2 - h) * 3 + 0.5)) / (2 * h)
    d = forward(t, "w1")
    assert d["a7"] == pytest.approx(slope, rel=1e-8)
    assert abs(d["a7"] + 3 * COS) > 2


def test_the_terms_are_the_paths_into_a_node(t):
    d = forward(t, "w1")
    assert d.terms("a4") == ((2, 0, 3.0), (3, 1, 0.0))  # ȧ2·a3 and a2·ȧ3
    assert d.terms("a5") == ((4, 0, 3.0), (1, 1, 0.0))
    [(node, operand, share)] = d.terms("a7")
    assert (node, operand) == (5, 0) and share == pytest.approx(-3 * SIN, rel=1e-14)
    assert d.terms("w1") == () and d.terms("w0") == ()
    term = d.terms("a4")[0]
    assert (term.node, term.operand, term.derivative) == (2, 0, 3.0)


def network(X, W, b, s):
    Z = logistic(X @ W + b)
    u = np.sum(Z * s, axis=1)
    return {"loss": np.mean(u * u) + s * s, "hidden": Z, "n": 3.0}


POINT = {
    "X": np.array([[0.1, -0.4], [0.7, 0.2], [-0.3, 0.5]]),
    "W": np.array([[0.3, -0.2, 0.5, 1.0], [0.8, 0.1, -0.6, 0.4]]),
    "b": np.array([0.1, 0.2, -0.3, 0.0]),
    "s": 1.5,
}


def check_terms(derivative_rows):
    for node, derivative, terms in derivative_rows:
        if terms:
            total = sum(term.derivative for term in terms)
            np.testing.assert_allclose(total, derivative, rtol=1e-13, atol=1e-16)
        for term in terms:
            assert np.shape(term.derivative) == np.shape(node.value)
        assert np.shape(derivative) == np.shape(node.value)


@pytest.mark.parametrize("wrt", POINT)
def test_terms_add_up_to_the_tangent(wrt):
    t = record(network, **POINT)
    d = forward(
        t,
        wrt,
        seed=np.cos(np.arange(np.size(POINT[wrt])).reshape(np.shape(POINT[wrt]))),
    )
    check_terms(d.rows)
    by_number = {row.node.index: row for row in d.rows}
    for row in d.rows:
        assert [term.node for term in row.terms] == list(row.node.inputs)
    assert len(by_number) == len(t)


def test_x_times_x_has_two_terms():
    d = forward(record(lambda x: x * x, 3.0), "x")
    assert d.terms("a2") == ((1, 0, 3.0), (1, 1, 3.0)) and d["a2"] == 6.0


def test_inputs_by_name_label_number_and_node(t):
    for wrt in ("w1", "a2", 2, t.node("w1")):
        d = forward(t, wrt)
        assert d.wrt == "w1" and d["a4"] == 3.0


def test_unknown_and_computed_wrt(t):
    for wrt in ("w2", "a8", 0, 9, -1, None, 1.5):
        with pytest.raises(KeyError, match=r"wrt: got .*expected one of w0, w1, x"):
            forward(t, wrt)
    with pytest.raises(KeyError):
        forward(t)
    for wrt in ("a", "a5", "y1", 7):
        with pytest.raises(
            KeyError, match="which is computed; expected an input: w0, w1, x"
        ):
            forward(t, wrt)
    with pytest.raises(KeyError, match="key: got 'z', expected one of w0"):
        forward(t, "w1")["z"]
    with pytest.raises(KeyError):
        forward(t, "w1").terms("z")


# ---------------------------------------------------------------- seeds


def test_an_array_needs_a_seed_of_its_shape():
    t = record(network, **POINT)
    with pytest.raises(
        ValueError, match=r"seed: W is an array of shape \(2, 4\), expected a seed"
    ):
        forward(t, "W")
    for seed in (1.0, np.ones(4), np.ones((4, 2)), np.ones((2, 4, 1)), [[1.0]]):
        with pytest.raises(ValueError, match=r"seed: got shape .*, expected \(2, 4\)"):
            forward(t, "W", seed)
    with pytest.raises(ValueError, match=r"seed: got shape \(1,\), expected \(\)"):
        forward(t, "s", [1.0])


def test_seeds_that_are_no_real_numbers():
    t = record(network, **POINT)
    for seed in (1j, "x", None, [[1j] * 4] * 2, object()):
        if seed is None:
            continue
        with pytest.raises((TypeError, ValueError)) as e:
            forward(t, "s" if np.ndim(seed) == 0 else "W", seed)
        assert "seed" in str(e.value)


def test_a_seed_scales_and_adds(t):
    assert forward(t, "w1", seed=10)["y1"] == pytest.approx(30 * COS, rel=1e-14)
    assert forward(t, "w1", seed=0.0)["y1"] == 0.0
    t = record(network, **POINT)
    A, B = np.cos(POINT["W"]), np.sin(POINT["W"])
    one, other = forward(t, "W", A)["a4"], forward(t, "W", B)["a4"]
    both = forward(t, "W", 2 * A + 3 * B)
    for k in range(1, len(t) + 1):
        expected = 2 * forward(t, "W", A)[k] + 3 * forward(t, "W", B)[k]
        np.testing.assert_allclose(both[k], expected, rtol=1e-12, atol=1e-15)
    assert one == other == 0.0  # the tangent of s


def test_integer_seeds_are_promoted():
    t = record(lambda x: x / 4, np.array([1, 2]))
    assert forward(t, "x", [1, 3])["a2"].tolist() == [0.25, 0.75]


def test_a_seed_is_copied():
    t = record(lambda x: x * 2, np.ones(2))
    seed = np.ones(2)
    d = forward(t, "x", seed)
    seed[:] = 9.0
    assert d["a2"].tolist() == [2.0, 2.0] and d["x"].tolist() == [1.0, 1.0]


# ---------------------------------------------------------------- results


def test_what_does_not_depend_on_the_input_has_tangent_zero():
    def f(x, unused):
        c = x * 2
        k = np.sign(x) + 0 * np.heaviside(x, 0.5)
        return c, k, np.ones(2)

    t = record(f, np.array([1.0, -2.0]), 5.0)
    d = forward(t, "unused")
    assert d["c"].tolist() == [0.0, 0.0] and d["unused"] == 1.0
    d = forward(t, "x", np.ones(2))
    assert d["k"].tolist() == [0.0, 0.0] and d["unused"] == 0.0
    assert [term.derivative.tolist() for term in d.terms("k")] == [
        [0.0, 0.0],
        [0.0, 0.0],
    ]


def test_calling_twice_gives_the_same(t):
    one, two = forward(t, "w1"), forward(t, "w1")
    assert [r.derivative for r in one.rows] == [r.derivative for r in two.rows]
    assert (
        [r.terms for r in one.rows]
        == [r.terms for r in one.rows]
        == [r.terms for r in two.rows]
    )
    forward(t, "x")
    assert one["y1"] == two["y1"] == pytest.approx(3 * COS, rel=1e-14)


def test_results_are_the_callers_own():
    """Also where a tangent passes through unchanged: add, sum, reshape, transpose."""

    def f(x):
        y = x + 1
        z = np.reshape(y, (2, 1)) + np.zeros((2, 2))
        return np.sum(z.T * 1.0)

    t = record(f, np.array([1.0, 2.0]))
    d = forward(t, "x", np.ones(2))
    before = [np.array(row.derivative) for row in d.rows]
    for row in d.rows:
        if np.ndim(row.derivative):
            row.derivative[...] = 99.0
        for term in row.terms:
            if np.ndim(term.derivative):
                term.derivative[...] = 99.0
    for k in range(1, len(t) + 1):
        d[k] if np.ndim(d[k]) == 0 else d[k].fill(77.0)
    for row, expected in zip(d.rows, before, strict=True):
        np.testing.assert_array_equal(row.derivative, expected)
    assert forward(t, "x", np.ones(2))[len(t)] == before[-1] == 4.0


def test_tangents_are_floats_or_float64_arrays_at_full_size():
    t = record(network, **POINT)
    for wrt, value in POINT.items():
        d = forward(t, wrt, np.ones(np.shape(value)))
        for node in t:
            got = d[node]
            if np.ndim(node.value):
                assert type(got) is np.ndarray and got.dtype == np.float64
                assert got.shape == node.value.shape and got.flags.writeable
            else:
                assert isinstance(got, float)


def test_full_fills_up_what_is_uniform():
    assert full(None, 2.0) == 0.0 and full(3.0, 1.0) == 3.0
    assert full(None, np.ones(2)).tolist() == [0.0, 0.0]
    assert full(2.0, np.ones((1, 2))).tolist() == [[2.0, 2.0]]
    assert full(np.array([[1.0], [2.0]]), np.ones((2, 2))).tolist() == [[1, 1], [2, 2]]
    assert full(1.0, np.ones((0, 2))).shape == (0, 2)


def test_a_tangent_is_the_limit_of_differences():
    h = 1e-6
    for wrt, value in POINT.items():
        seed = np.cos(np.arange(np.size(value))).reshape(np.shape(value))
        seed = seed if seed.shape else float(seed)
        t = record(network, **POINT)
        ahead = record(network, **{**POINT, wrt: value + h * seed})
        behind = record(network, **{**POINT, wrt: value - h * seed})
        d = forward(t, wrt, seed)
        for a, b, c in zip(ahead, behind, t, strict=True):
            np.testing.assert_allclose(
                d[c], (a.value - b.value) / (2 * h), rtol=1e-7, atol=1e-9
            )


def test_forward_mode_inside_another_derivative():
    """A trace of traced values: the tangent is traced, and can be differentiated."""

    def slope(w):
        t = record(lambda v: v**3, w)
        return forward(t, "v")[len(t)]

    assert slope(2.0) == 12.0
    assert grad(slope)(2.0) == 12.0


def test_nan_in_the_seed_or_the_value_shows():
    t = record(lambda x: x * 2, np.array([1.0, np.nan]))
    assert np.isnan(forward(t, "x", [np.nan, 1.0])["a2"]).tolist() == [True, False]

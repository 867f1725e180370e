"""comp551ad/autodiff/passes.py: the deck's tables in numbers, terms, seeds, unbroadcast."""

import itertools

import numpy as np
import pytest

from comp551ad import forward, grad, logistic, record, reverse
from comp551ad.autodiff.passes import unbroadcast


def waves(w0, w1, x):  # S12
    a = w1 * x + w0
    y1, y2 = np.sin(a), np.cos(a)
    return y1, y2


def half_square(w, x, y):  # S11
    return 0.5 * (w * x - y) ** 2


@pytest.fixture
def t():
    return record(waves, w0=0.5, w1=2.0, x=3.0)  # a5 = 6.5


SIN, COS = 0.21511998808781552, 0.9765876257280235  # of 6.5
# S12, per input: ȧ1 … ȧ7. The graph slide has ȧ7 = −ȧ5 cos a5 (E07).
TANGENTS = {
    "w0": [1, 0, 0, 0, 1, COS, -SIN],
    "w1": [0, 1, 0, 3, 3, 3 * COS, -3 * SIN],  # ȧ4 = a2·0 + 1·a3
    "x": [0, 0, 1, 2, 2, 2 * COS, -2 * SIN],  # ȧ4 = a2·1 + 0·a3
}
ADJOINTS = {  # S14, per output: ā1 … ā7; ā1 = ā5, ā2 = a3 ā4, ā3 = a2 ā4
    "y2": [-SIN, -3 * SIN, -2 * SIN, -SIN, -SIN, 0, 1],
    "y1": [COS, 3 * COS, 2 * COS, COS, COS, 1, 0],
}


@pytest.mark.parametrize("wrt", TANGENTS)
def test_the_table_of_s12(t, wrt):
    d = forward(t, wrt=wrt)
    expected = pytest.approx(TANGENTS[wrt], rel=1e-14)
    assert [d[f"a{k}"] for k in range(1, 8)] == expected
    assert [row.derivative for row in d.rows] == expected
    assert [row.node.label for row in d.rows] == [f"a{k}" for k in range(1, 8)]
    assert (d.wrt, d.of, d.mode, d.trace) == (wrt, None, "forward", t)


@pytest.mark.parametrize("of", ADJOINTS)
def test_the_table_of_s14(t, of):
    r = reverse(t, of=of)
    expected = ADJOINTS[of]
    assert [r[f"a{k}"] for k in range(1, 8)] == pytest.approx(expected, rel=1e-14)
    assert [row.derivative for row in r.rows][::-1] == pytest.approx(
        expected, rel=1e-14
    )
    assert [row.node.label for row in r.rows] == [f"a{k}" for k in range(7, 0, -1)]
    assert (r.wrt, r.of, r.mode, r.trace) == (None, of, "reverse", t)


def test_s11_and_the_sign_of_e10():
    """½(wx − y)²: the square hides the order of the difference, the adjoint shows it."""
    r = reverse(record(half_square, w=0.5, x=2.0, y=3.0))
    assert [r[k] for k in range(1, 8)] == [-4.0, -1.0, 2.0, -2.0, -2.0, 0.5, 1.0]
    assert r["y"] == -r.trace["a5"]


# ---------------------------------------------------------------- terms


def test_the_terms_are_the_paths_into_and_out_of_a_node(t):
    d = forward(t, "w1")
    assert d.terms("a4") == ((2, 0, 3.0), (3, 1, 0.0))  # ȧ2·a3 and a2·ȧ3
    assert d.terms("a5") == ((4, 0, 3.0), (1, 1, 0.0)) and d.terms("w1") == ()
    r = reverse(t, "y2")
    six, seven = r.terms("a5")  # ā5 = ā6 cos a5 − ā7 sin a5
    assert (six.node, six.operand, six.derivative) == (6, 0, 0.0)
    assert (seven.node, seven.operand) == (7, 0)
    assert seven.derivative == pytest.approx(-SIN, rel=1e-14)
    assert [(a.node, a.operand) for a in r.terms("w1")] == [(4, 0)]
    assert [(a.node, a.operand) for a in r.terms("x")] == [(4, 1)]
    assert r.terms("y1") == r.terms("y2") == ()
    t = record(lambda x: x * x, 3.0)  # the same operand twice
    assert forward(t, "x").terms("a2") == ((1, 0, 3.0), (1, 1, 3.0))
    assert reverse(t).terms("x") == ((2, 0, 3.0), (2, 1, 3.0))
    assert forward(t, "x")["a2"] == reverse(t)["x"] == 6.0


def network(X, W, b, s):
    Z = logistic(X @ W + b)
    u = np.sum(Z * s, axis=1)
    loss = np.mean(u * u) + s * s
    return {"loss": loss, "hidden": Z, "n": 3.0}


POINT = {
    "X": np.array([[0.1, -0.4], [0.7, 0.2], [-0.3, 0.5]]),
    "W": np.array([[0.3, -0.2, 0.5, 1.0], [0.8, 0.1, -0.6, 0.4]]),
    "b": np.array([0.1, 0.2, -0.3, 0.0]),
    "s": 1.5,
}
SEEDS = {
    name: np.cos(np.arange(np.size(x))).reshape(np.shape(x))
    for name, x in POINT.items()
}


def check_rows(found, seeded, seed):
    """Check each node's terms: one per edge, and they add up to its derivative."""
    edges = [(n.index, p, j) for n in found.trace for p, j in enumerate(n.arguments)]
    edges = [(i, p, j) for i, p, j in edges if type(j) is int]
    forwards = found.mode == "forward"
    for node, derivative, terms in found.rows:
        here = [(j, p) if forwards else (i, p) for i, p, j in edges
                if (i if forwards else j) == node.index]  # fmt: skip
        assert [(term.node, term.operand) for term in terms] == here
        total = sum(term.derivative for term in terms)
        total = total + (np.asarray(seed) if node.name == seeded else 0.0)
        np.testing.assert_allclose(total, derivative, rtol=1e-13, atol=1e-16)
        for array in (derivative, *(term.derivative for term in terms)):
            assert np.shape(array) == np.shape(node.value)
            assert isinstance(array, np.ndarray if np.ndim(array) else float)
            assert not np.ndim(array) or (
                array.flags.writeable and array.dtype == float
            )


@pytest.mark.parametrize("wrt", POINT)
def test_terms_add_up_to_the_tangent(wrt):
    check_rows(forward(record(network, **POINT), wrt, SEEDS[wrt]), wrt, SEEDS[wrt])


@pytest.mark.parametrize(
    ("of", "seed"), [("loss", 1.0), ("Z", np.ones((3, 4))), ("u", [1, 2, 3])]
)
def test_terms_add_up_to_the_adjoint(of, seed):
    check_rows(reverse(record(network, **POINT), of, seed), of, seed)


# ---------------------------------------------------------------- which node, which seed


def test_nodes_by_name_label_number_and_node(t):
    for wrt in ("w1", "a2", 2, t.node("w1")):
        assert forward(t, wrt).wrt == "w1" and forward(t, wrt)["a4"] == 3.0
    for of in ("y2", "a7", 7, t.node("y2")):
        assert reverse(t, of).of == "y2" and reverse(t, of)["a6"] == 0.0
    for of, adjoints in (
        ("a", [1.0, 3.0, 2.0, 1.0, 1.0, 0.0, 0.0]),
        ("a4", [0.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0]),
        ("w1", [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    ):
        assert [reverse(t, of)[k] for k in range(1, 8)] == adjoints


ABSENT = ("w2", "a8", 0, 9, -1, 1.5)
SHAPES = {forward: ("W", (2, 4)), reverse: ("Z", (3, 4))}
# pass, its argument for waves -> error
OF_WAVES = [
    *[(forward, (k,), KeyError, "wrt: got .*expected one of w0, w1, x.$")
      for k in (*ABSENT, None)],
    *[(reverse, (k,), KeyError, r"of: got .*an output \(y1, y2\) or another of w0, w1, x, a, y1")
      for k in ABSENT],
    *[(forward, (k,), KeyError, "computed; expected an input: w0") for k in ("a", "a5", 7)],
    (reverse, (), ValueError, "of: the function returned 2 numbers; name .*: y1, y2$"),
]  # fmt: skip
# the same for the network
OF_THE_NETWORK = [
    *[(run, (name, seed), ValueError, rf"seed: got shape .*, expected \({shape[0]}, {shape[1]}\)")
      for run, (name, shape) in SHAPES.items()
      for seed in (1.0, np.ones(4), np.ones(shape[::-1]), np.ones((*shape, 1)), [[1.0]])],
    *[(run, (name,), ValueError, rf"seed: {name} is an array of shape \({shape[0]}, {shape[1]}\)")
      for run, (name, shape) in SHAPES.items()],
    *[(forward, ("s", seed), (TypeError, ValueError), "seed") for seed in (1j, "x", object())],
    (reverse, ("loss", [1.0]), ValueError, r"seed: got shape \(1,\), expected \(\)"),
]  # fmt: skip
WRONG = [(waves, (0.5, 2.0, 3.0), *case) for case in OF_WAVES]
WRONG += [(network, tuple(POINT.values()), *case) for case in OF_THE_NETWORK]


@pytest.mark.parametrize(("f", "point", "run", "asked", "error", "words"), WRONG)
def test_nodes_and_seeds_that_there_are_not(f, point, run, asked, error, words):
    with pytest.raises(error, match=words):
        run(record(f, *point), *asked)


def test_what_is_no_trace_or_has_no_output():
    for run in (forward, reverse):
        with pytest.raises(TypeError, match=r"trace: got int, .*record\(f, …\)"):
            run(3, "x")
    with pytest.raises(
        ValueError, match="of: the function returned 0.*: there is none"
    ):
        reverse(record(lambda x: (), 1.0))
    assert reverse(record(lambda x: [x * 2], 1.0))["x"] == 2.0
    assert forward(record(lambda x: [x * 2, x], 1.0))["x"] == 1.0


def test_a_seed_scales_adds_and_is_copied(t):
    assert forward(t, "w1", seed=10)["y1"] == pytest.approx(30 * COS, rel=1e-14)
    assert forward(t, "w1", seed=0.0)["y1"] == 0.0
    assert reverse(t, "y2", seed=10)["w1"] == pytest.approx(-30 * SIN, rel=1e-14)
    square = record(lambda x: x * x, np.array([1.0, 2.0, 3.0]))
    assert reverse(square, seed=[1, 0, 2])["x"].tolist() == [2.0, 0.0, 12.0]
    assert forward(square, "x", [1, 0, 2])["a2"].tolist() == [2.0, 0.0, 12.0]
    seed = np.ones(3)
    r, d = reverse(square, seed=seed), forward(square, "x", seed)
    seed[:] = 9.0
    assert r["x"].tolist() == [2.0, 4.0, 6.0] and d["x"].tolist() == [1.0] * 3
    bad = forward(record(lambda x: x * 2, np.array([1.0, np.nan])), "x", [np.nan, 1.0])
    assert np.isnan(bad["a2"]).tolist() == [True, False]


# ---------------------------------------------------------------- results


def test_what_does_not_depend_is_zero():
    def f(x, unused):
        side = np.exp(x) * unused  # noqa: F841
        k = np.sign(x) + 0 * np.heaviside(x, 0.5)
        return np.sum(x * 2), k, 5.0

    t = record(f, np.array([1.0, -2.0]), 3.0)
    d = forward(t, "x", np.ones(2))
    assert d["k"].tolist() == [0.0, 0.0] and d["unused"] == 0.0
    assert [term.derivative.tolist() for term in d.terms("k")] == [[0.0, 0.0]] * 2
    r = reverse(t, t.outputs[0] + 1)
    assert r["unused"] == 0.0 and r["side"].tolist() == [0.0, 0.0]
    assert r["x"].tolist() == [2.0, 2.0]
    assert [0.0, 0.0] in [a.derivative.tolist() for a in r.terms("x")]
    r = reverse(record(lambda W, b: 5.0, np.ones((2, 3)), 1.0))
    assert r["W"].tolist() == [[0.0] * 3] * 2 and r["b"] == 0.0
    assert r.of == "a constant" and r.terms("W") == ()


def passing(x):
    """Adjoints and tangents pass through unchanged here, and are uniform."""
    y = x + 1
    z = np.reshape(y, (2, 1)) + np.zeros((2, 2))
    w = z.T * 1.0
    return np.sum(w) + np.mean(y) + np.sum(np.sum(np.mean(w, axis=0), keepdims=True))


def test_results_are_the_callers_own_and_nothing_adds_up():
    t = record(passing, np.array([1.0, 2.0]))
    for run in (lambda: reverse(t), lambda: forward(t, "x", np.ones(2))):
        found = run()
        before = [np.array(row.derivative) for row in found.rows]
        for row in found.rows:
            for array in (
                row.derivative,
                found[row.node],
                *(a.derivative for a in row.terms),
            ):
                if np.ndim(array):
                    array[...] = 99.0
        for again in (found, run()):
            for row, expected in zip(again.rows, before, strict=True):
                np.testing.assert_array_equal(row.derivative, expected)
    assert reverse(t)["x"].tolist() == [3.5, 3.5]


@pytest.mark.parametrize(
    "slope",
    [
        lambda w: reverse(record(lambda v: v**3, w))["v"],
        lambda w: forward(record(lambda v: v**3, w), "v")[2],
    ],
)
def test_a_pass_inside_another_derivative(slope):
    assert slope(2.0) == 12.0
    assert grad(slope)(2.0) == 12.0


# ---------------------------------------------------------------- unbroadcast

# shape of the operand, shape of the result
STRETCHED = [
    ((), ()), ((), (3,)), ((), (2, 3)), ((1,), (3,)), ((3,), (3,)), ((3,), (2, 3)),
    ((1,), (2, 3)), ((1, 3), (2, 3)), ((2, 1), (2, 3)), ((1, 1), (2, 3)),
    ((1, 1, 1), (2, 3, 4)), ((3, 1), (2, 3, 4)), ((2, 1, 4), (2, 3, 4)), ((4,), (2, 3, 4)),
    ((1, 4), (2, 3, 4)), ((), (0,)), ((1,), (0,)), ((0,), (0,)), ((0,), (2, 0)),
    ((1, 0), (2, 0)), ((2, 1), (2, 0)), ((1, 1), (0, 3)), ((3,), (0, 3)), ((1, 3), (0, 3)),
    ((), (0, 3)), ((1,), (1, 1)), ((), (1, 1)),
]  # fmt: skip


def dense(term, shape, wide):
    """Entry by entry: add each entry of the result to the operand's entry that it came from."""
    term = np.broadcast_to(term, wide)
    owner = np.broadcast_to(np.arange(int(np.prod(shape))).reshape(shape), wide)
    out = np.zeros(int(np.prod(shape)))
    for place in np.ndindex(wide):
        out[owner[place]] += term[place]
    return out.reshape(shape)


@pytest.mark.parametrize(("shape", "wide"), STRETCHED, ids=str)
def test_unbroadcast_against_a_dense_reference(shape, wide):
    """For the full term and for every term that is uniform along some of its axes."""
    rng = np.random.default_rng(0)
    for uniform in itertools.product([False, True], repeat=len(wide)):
        small = tuple(1 if u else n for u, n in zip(uniform, wide, strict=True))
        term = rng.normal(size=small)
        for lead in range(len(small) + 1):  # also without leading axes of length 1
            if small[:lead] != (1,) * lead:
                break
            given = term.reshape(small[lead:])
            given = given if given.shape else float(given)
            got = np.broadcast_to(unbroadcast(given, shape, wide), shape)
            expected = dense(given, shape, wide)
            np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-15)

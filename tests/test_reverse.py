"""comp551ad/autodiff/reverse.py: S14's table in numbers, terms, seeds, unbroadcast."""

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
ADJOINTS = {  # per output: ā1 … ā7
    "y2": [
        -SIN,
        -3 * SIN,
        -2 * SIN,
        -SIN,
        -SIN,
        0,
        1,
    ],  # ā1 = ā5, ā2 = a3 ā4, ā3 = a2 ā4
    "y1": [COS, 3 * COS, 2 * COS, COS, COS, 1, 0],
}


@pytest.mark.parametrize("of", ADJOINTS)
def test_the_table_of_s14(t, of):
    r = reverse(t, of=of)
    expected = ADJOINTS[of]
    assert [r[f"a{k}"] for k in range(1, 8)] == pytest.approx(expected, rel=1e-14)
    assert [row.node.label for row in r.rows] == [f"a{k}" for k in range(7, 0, -1)]
    assert [row.derivative for row in r.rows] == pytest.approx(
        expected[::-1], rel=1e-14
    )
    assert r.of == of and r.trace is t
    assert (r["w0"], r["w1"], r["x"]) == (r["a1"], r["a2"], r["a3"])


def test_the_closed_forms_of_s14(t):
    r, (w0, w1, x) = reverse(t, "y2"), (0.5, 2.0, 3.0)
    assert r["w0"] == pytest.approx(-np.sin(w1 * x + w0), rel=1e-15)
    assert r["x"] == pytest.approx(-w1 * np.sin(w1 * x + w0), rel=1e-15)
    assert r["w1"] == pytest.approx(-x * np.sin(w1 * x + w0), rel=1e-15)


def test_s11_and_the_sign_of_e10():
    """½(wx − y)²: the square hides the order of the difference, the adjoint doesn't."""
    r = reverse(record(half_square, w=0.5, x=2.0, y=3.0))
    assert [r[k] for k in range(1, 8)] == [-4.0, -1.0, 2.0, -2.0, -2.0, 0.5, 1.0]
    assert r["y"] == -r.trace["a5"]


def test_the_terms_are_the_paths_out_of_a_node(t):
    r = reverse(t, "y2")
    (six, seven) = r.terms("a5")  # ā5 = ā6 cos a5 − ā7 sin a5
    assert (six.node, six.operand, six.derivative) == (6, 0, 0.0)
    assert (seven.node, seven.operand) == (7, 0)
    assert seven.derivative == pytest.approx(-SIN, rel=1e-14)
    assert [(a.node, a.operand) for a in r.terms("w1")] == [(4, 0)]
    assert [(a.node, a.operand) for a in r.terms("x")] == [(4, 1)]
    assert r.terms("y1") == r.terms("y2") == ()


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


@pytest.mark.parametrize(
    ("of", "seed"), [("loss", None), ("Z", np.ones((3, 4))), ("u", [1, 2, 3])]
)
def test_terms_add_up_to_the_adjoint(of, seed):
    t = record(network, **POINT)
    r = reverse(t, of, seed)
    edges = [
        (n.index, p, j) for n in t for p, j in enumerate(n.arguments) if type(j) is int
    ]
    for node, derivative, terms in r.rows:
        assert np.shape(derivative) == np.shape(node.value)
        assert [(a.node, a.operand) for a in terms] == [
            (i, p) for i, p, j in edges if j == node.index
        ]
        total = sum(a.derivative for a in terms) + (
            1.0 * np.asarray(seed if seed is not None else 1.0)
            if node.name == of
            else 0.0
        )
        np.testing.assert_allclose(total, derivative, rtol=1e-13, atol=1e-16)
        assert all(np.shape(a.derivative) == np.shape(node.value) for a in terms)


def test_reverse_and_forward_give_the_same_derivatives():
    t = record(network, **POINT)
    r = reverse(t, "loss")
    for wrt, value in POINT.items():
        for at in np.ndindex(np.shape(value)):
            seed = np.zeros(np.shape(value))
            seed[at] = 1.0
            assert forward(t, wrt, seed)["loss"] == pytest.approx(
                np.asarray(r[wrt])[at], rel=1e-12
            )


def test_x_times_x_has_two_terms():
    r = reverse(record(lambda x: x * x, 3.0))
    assert r.terms("x") == ((2, 0, 3.0), (2, 1, 3.0)) and r["x"] == 6.0


def test_outputs_by_name_label_number_and_node(t):
    for of in ("y2", "a7", 7, t.node("y2")):
        r = reverse(t, of)
        assert r.of == "y2" and r["w0"] == pytest.approx(-SIN, rel=1e-14)


def test_of_an_inner_node(t):
    r = reverse(t, "a")
    assert [r[k] for k in range(1, 8)] == [1.0, 3.0, 2.0, 1.0, 1.0, 0.0, 0.0]
    r = reverse(t, "a4")
    assert [r[k] for k in range(1, 8)] == [
        0.0,
        3.0,
        2.0,
        1.0,
        0.0,
        0.0,
        0.0,
    ] and r.of == "a4"
    r = reverse(t, "w1")  # an input depends on itself alone
    assert [r[k] for k in range(1, 8)] == [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_unknown_of(t):
    for of in ("y3", "a8", 0, 9, -1, 1.5):
        with pytest.raises(
            KeyError, match=r"of: got .*expected one of w0, w1, x, a, y1, y2"
        ):
            reverse(t, of)
    with pytest.raises(KeyError, match="key: got 'z'"):
        reverse(t, "y1")["z"]


def test_of_may_be_left_out_where_there_is_one_output(t):
    with pytest.raises(
        ValueError, match="of: the function returned 2 numbers; name the one"
    ):
        reverse(t)
    with pytest.raises(ValueError, match="of: the function returned 0"):
        reverse(record(lambda x: (), 1.0))
    assert reverse(record(lambda x: [x * 2], 1.0))["x"] == 2.0


# ---------------------------------------------------------------- seeds


def test_an_array_needs_a_seed_of_its_shape():
    t = record(network, **POINT)
    with pytest.raises(
        ValueError, match=r"seed: Z is an array of shape \(3, 4\), expected a seed"
    ):
        reverse(t, "Z")
    for seed in (1.0, np.ones(4), np.ones((4, 3)), [[1.0]]):
        with pytest.raises(ValueError, match=r"seed: got shape .*, expected \(3, 4\)"):
            reverse(t, "Z", seed)
    with pytest.raises(ValueError, match=r"seed: got shape \(1,\), expected \(\)"):
        reverse(t, "loss", [1.0])


def test_a_seed_weighs_the_entries(t):
    assert reverse(t, "y2", seed=10)["w1"] == pytest.approx(-30 * SIN, rel=1e-14)
    x = np.array([1.0, 2.0, 3.0])
    square = record(lambda x: x * x, x)
    assert reverse(square, seed=[1, 0, 2])["x"].tolist() == [2.0, 0.0, 12.0]
    seed = np.ones(3)
    r = reverse(square, seed=seed)
    seed[:] = 9.0
    assert r["x"].tolist() == [2.0, 4.0, 6.0] and r["a2"].tolist() == [1.0, 1.0, 1.0]


def test_seeds_that_are_no_real_numbers(t):
    for seed in (1j, "x", object()):
        with pytest.raises((TypeError, ValueError), match="seed"):
            reverse(t, "y1", seed)


# ---------------------------------------------------------------- results


def test_a_constant_output_gives_zeros():
    t = record(lambda W, b: 5.0, np.ones((2, 3)), 1.0)
    r = reverse(t)
    assert r["W"].tolist() == [[0.0] * 3] * 2 and r["b"] == 0.0
    assert r.of == "a constant" and r.terms("W") == ()


def test_what_the_output_does_not_depend_on_has_adjoint_zero():
    def f(x, unused):
        y = np.sum(x * 2)
        side = np.exp(x) * unused  # noqa: F841
        return y

    r = reverse(record(f, np.ones(2), 3.0), "y")
    assert r["unused"] == 0.0 and r["side"].tolist() == [0.0, 0.0]
    assert r["x"].tolist() == [2.0, 2.0]
    assert [a.derivative.tolist() for a in r.terms("x")] == [[2.0, 2.0], [0.0, 0.0]]


def test_calling_twice_gives_the_same(t):
    """Nothing is added up from one pass to the next."""
    one = reverse(t, "y2")
    reverse(t, "y1")
    two = reverse(t, "y2")
    for k in range(1, 8):
        assert one[k] == two[k] and one.terms(k) == two.terms(k)


def test_results_are_the_callers_own():
    """Also where an adjoint passes through unchanged, and where it is uniform."""

    def f(x):
        y = x + 1
        z = np.reshape(y, (2, 1)) + np.zeros((2, 2))
        w = z.T * 1.0
        return np.sum(w) + np.mean(y)

    t = record(f, np.array([1.0, 2.0]))
    r = reverse(t)
    before = [np.array(row.derivative) for row in r.rows]
    for row in r.rows:
        for array in (row.derivative, r[row.node], *(a.derivative for a in row.terms)):
            if np.ndim(array):
                array[...] = 99.0
    for row, expected in zip(r.rows, before, strict=True):
        np.testing.assert_array_equal(row.derivative, expected)
    np.testing.assert_array_equal(reverse(t)["x"], [2.5, 2.5])


def test_uniform_adjoints_come_out_at_full_size():
    def f(X):
        Y = X * 2
        m = np.mean(Y, axis=0)
        s = np.sum(m, keepdims=True)
        return np.sum(s)

    t = record(f, np.ones((4, 3)))
    r = reverse(t)
    assert r["m"].tolist() == [1.0, 1.0, 1.0] and r["s"].tolist() == [1.0]
    assert r["Y"].tolist() == [[0.25] * 3] * 4 and r["X"].tolist() == [[0.5] * 3] * 4
    for node in t:
        got = r[node]
        if np.ndim(node.value):
            assert (
                type(got) is np.ndarray
                and got.dtype == np.float64
                and got.flags.writeable
            )
            assert got.shape == node.value.shape
        else:
            assert isinstance(got, float)


def test_reverse_mode_inside_another_derivative():
    def slope(w):
        return reverse(record(lambda v: v**3, w))["v"]

    assert slope(2.0) == 12.0
    assert grad(slope)(2.0) == 12.0


# ---------------------------------------------------------------- unbroadcast

# shape of the operand, shape of the result
STRETCHED = [
    ((), ()),
    ((), (3,)),
    ((), (2, 3)),
    ((1,), (3,)),
    ((3,), (3,)),
    ((3,), (2, 3)),
    ((1,), (2, 3)),
    ((1, 3), (2, 3)),
    ((2, 1), (2, 3)),
    ((1, 1), (2, 3)),
    ((1, 1, 1), (2, 3, 4)),
    ((3, 1), (2, 3, 4)),
    ((2, 1, 4), (2, 3, 4)),
    ((4,), (2, 3, 4)),
    ((1, 4), (2, 3, 4)),
    ((), (0,)),
    ((1,), (0,)),
    ((0,), (0,)),
    ((0,), (2, 0)),
    ((1, 0), (2, 0)),
    ((2, 1), (2, 0)),
    ((1, 1), (0, 3)),
    ((3,), (0, 3)),
    ((1, 3), (0, 3)),
    ((), (0, 3)),
    ((1,), (1, 1)),
    ((), (1, 1)),
]


def dense(term, shape, wide):
    """Entry by entry: each place of the result gives to the place that it came from."""
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
        for lead in range(len(small) + 1):  # also without its leading axes of length 1
            if small[:lead] != (1,) * lead:
                break
            given = term.reshape(small[lead:])
            given = given if given.shape else float(given)
            got = np.broadcast_to(unbroadcast(given, shape, wide), shape)
            expected = dense(given, shape, wide)
            np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("shape", "wide"), STRETCHED, ids=str)
def test_broadcasting_is_undone_in_a_gradient(shape, wide):
    rng = np.random.default_rng(1)
    weights, x = rng.normal(size=wide), rng.normal(size=shape)
    ones = np.ones(wide)
    for f, per_place in (
        (lambda x: np.sum(weights * (x + np.zeros(wide))), weights),
        (lambda x: np.sum(weights * np.broadcast_to(x, wide)), weights),
        (lambda x: np.sum(np.broadcast_to(x, wide)), ones),
        (lambda x: np.sum(x * ones), ones),
        (lambda x: np.sum((x - ones) / weights), 1 / weights),
    ):
        g = grad(f)(x)
        assert np.shape(g) == shape
        np.testing.assert_allclose(g, dense(per_place, shape, wide), rtol=1e-12)


def test_a_choice_and_a_stack_of_products_count_the_copies_of_an_operand():
    """An operand with an axis of length 1 where the result has more, and an adjoint that
    came as one number: neither the result's shape nor the term's alone says how many."""
    b = np.arange(6.0).reshape(2, 3)
    g = grad(lambda a: np.sum(np.where(True, a, b)))(np.ones(3))
    assert g.tolist() == [2.0, 2.0, 2.0]
    g = grad(lambda a: np.sum(np.where(False, b, a)))(np.ones((2, 1)))
    assert g.tolist() == [[3.0], [3.0]]
    a, b = np.ones((2, 1)), np.arange(20.0).reshape(5, 1, 4)
    g = grad(lambda a: np.sum(np.matmul(a, b)))(a)  # the sum of b's entries, 0 to 19
    assert g.tolist() == [[190.0], [190.0]]

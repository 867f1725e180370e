"""comp551ad/autodiff/traced.py: whatever people try on a traced value.

Each case is refused with a TraceError that names the operation and says what to write
instead, or is right: the value is plain NumPy's and the derivative is that of differences.
Never a wrong number, never an error from somewhere inside.
"""

import copy
import decimal
import fractions
import functools
import io
import math
import operator
import pickle
import threading

import numpy as np
import pytest

from comp551ad import (
    TraceError,
    grad,
    jacobian,
    jvp,
    logistic,
    logsumexp,
    pytrees,
    record,
    relu,
    softmax,
    softplus,
    vjp,
)

X = np.array([1.5, 0.5, 2.0])
T = np.array([0.3, -1.1, 0.7])  # a direction
REMEDY = (
    "use leave write keep expected convert return compare build give choose pass join index"
).split()


def numbers(result):
    return [np.asarray(leaf, dtype=float) for leaf in pytrees.leaves(result)]


def slope(f, x, t, h=1e-3):
    """The five-point difference of each number that f returns."""
    steps = {k: numbers(f(x + k * h * t)) for k in (-2, -1, 1, 2)}
    return [
        (8 * (p - m) - (pp - mm)) / (12 * h)
        for mm, m, p, pp in zip(*(steps[k] for k in (-2, -1, 1, 2)), strict=True)
    ]


def check_right(f, value, tangent):
    for got, plain in zip(numbers(value), numbers(f(X.copy())), strict=True):
        assert got.shape == plain.shape
        np.testing.assert_allclose(got, plain, rtol=1e-14)
    for got, known in zip(numbers(tangent), slope(f, X, T), strict=True):
        np.testing.assert_allclose(got, known, rtol=1e-7, atol=1e-9)


def check_refused(f, words=None):
    """By every way in: record, forward mode, reverse mode, and inside another derivative."""
    ways = (
        lambda: record(f, X),
        lambda: jvp(f, (X,), (T,)),
        lambda: grad(lambda x: first_number(f(x)))(X),
        lambda: grad(lambda x: np.sum(x) * first_number(jvp(f, (x,), (T,))[1]))(X),
    )
    for way in ways:
        with pytest.raises(TraceError, match=words) as caught:
            way()
        check_text(str(caught.value))


def check_text(text):
    """It says what to do, in terms of the user's program, not of ours."""
    assert any(word in text.lower() for word in REMEDY), text
    for inside in ("_ravel", "_clip", "_norm", "positional argument", "reduce=,"):
        assert inside not in text, text


def first_number(result):
    """A number to differentiate, if f gets so far."""
    leaf = pytrees.leaves(result)[0]
    return np.sum(leaf)


def ids(cases):
    return [case[0] for case in cases]


# ---------------------------------------------------------------- helpers to trip over


def then(action):
    """A statement as a function: do it to a, and return a."""

    def f(a):
        action(a)
        return a

    return f


def sets(a):
    a[0] = 1.0
    return a


def sets_mask(a):
    a[a > 1] = 0.0
    return a


def sets_slice(a):
    a[:] = 0.0
    return a


def deletes(a):
    del a[0]
    return a


def fills_zeros(a):
    z = np.zeros(3)
    z[0] = a[0]
    return z


def fills_zeros_at_once(a):
    z = np.zeros(3)
    z[:] = a
    return z


def fills_a_mask(a):
    z = np.zeros(3)
    z[a > 1] = a[a > 1]
    return z


def adds_into_zeros(a):
    z = np.zeros(3)
    z += a
    return z


def in_place(name):
    def f(a):
        return getattr(operator, name)(a, 2)

    return f


def out_of(function, *shape, **options):
    def f(a):
        z = np.zeros(shape)
        function(a, out=z, **options)
        return z

    return f


class Sparse:
    """Like scipy.sparse: has operators and dot, and isn't an array."""

    __array_priority__ = 10.1

    def __init__(self, a):
        self.a, self.shape = a, a.shape

    def dot(self, other):
        return self.a.dot(other)

    def __mul__(self, other):
        return np.multiply(self.a, np.asarray(other))

    __rmul__ = __mul__

    def __matmul__(self, other):
        return np.matmul(self.a, np.asarray(other))


class Series:
    """Like pandas.Series: turns into an array, and has no operators of ours."""

    def __init__(self, a):
        self.a = a

    def __array__(self, dtype=None, copy=None):
        return self.a


class Stranger:
    """Another library's array, which doesn't know ours."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return NotImplemented

    def __array_function__(self, function, types, args, kwargs):
        return NotImplemented


class Quantity(np.ndarray):
    """Like astropy's and pint's: an array with a unit that we would lose."""


EYE = np.eye(3)
A_OUTER = np.outer(X, X)
METRES = np.ones(3).view(Quantity)
MASKED = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])

# ---------------------------------------------------------------- must be refused

REFUSED = [
    # -- what asks for a plain number
    ("math.sin", lambda a: math.sin(a[0]), "function of math"),
    ("math.exp", lambda a: math.exp(a[0]), "function of math"),
    ("math.sqrt", lambda a: math.sqrt(a @ a), "function of math"),
    ("math.pow", lambda a: math.pow(a[0], 2), "function of math"),
    ("math.hypot", lambda a: math.hypot(*a), "function of math"),
    ("math.fsum", lambda a: math.fsum(a), "function of math"),
    ("math.dist", lambda a: math.dist(a, a), "function of math"),
    ("math.isnan", lambda a: math.isnan(a[0]), "function of math"),
    ("math.isclose", lambda a: math.isclose(a[0], 1.5), "function of math"),
    ("math.floor", lambda a: math.floor(a[0]), "math"),
    ("math.ceil", lambda a: math.ceil(a[0]), "math"),
    ("math.trunc", lambda a: math.trunc(a[0]), "math|trunc"),
    ("math.gcd", lambda a: math.gcd(a[0], 2), "integer"),
    ("math.comb", lambda a: math.comb(a[0], 2), "integer"),
    ("complex power", lambda a: a ** (2 + 0j), "got complex"),
    ("float32 by place", lambda a: np.sum(a, 0, np.float32), "'dtype' can't be traced"),
    (
        "out by place",
        lambda a: np.sum(a, 0, None, np.zeros(())),
        "'out' can't be traced",
    ),
    ("clip min twice", lambda a: np.clip(a, 0, 1, min=0), "give each bound once"),
    ("clip max twice", lambda a: np.clip(a, 0, 1, max=0), "give each bound once"),
    ("ravel as it lies", lambda a: np.ravel(a, order="K"), "expected 'C' or 'F'"),
    ("float", lambda a: float(a[0]), r"float\(a\)"),
    ("int", lambda a: int(a[0]), r"int\(a\)"),
    ("complex", lambda a: complex(a[0]), r"complex\(a\)"),
    ("np.float64", lambda a: np.float64(a[0]), r"np\.array|np\.asarray|float"),
    ("bool", lambda a: a if a[0] else -a, "truth of a"),
    ("not", lambda a: a if not a[0] else -a, "truth of a"),
    ("and", lambda a: a[0] and a[1], "truth of a"),
    ("or", lambda a: a[0] or a[1], "truth of a"),
    ("while", lambda a: [0 for _ in iter(lambda: bool(a[0]), False)], "truth of a"),
    ("any builtin", lambda a: any(a), "truth of a"),
    ("all builtin", lambda a: all(a), "truth of a"),
    ("filter None", lambda a: list(filter(None, a)), "truth of a"),
    ("assert", lambda a: 1.0 if a[0].__bool__() else 0.0, "truth of a"),
    ("operator.index", lambda a: operator.index(a[0]), "integer"),
    ("as an index", lambda a: [1.0, 2.0, 3.0][a[0]], "integer"),
    ("range", lambda a: list(range(a[0])), "integer"),
    ("repeat a list", lambda a: len([0] * a[0].__index__()), "integer"),
    ("hex", lambda a: hex(a[0]), "integer"),
    ("bytes", lambda a: bytes(a), "integer"),
    ("round", lambda a: round(a[0]), r"round\(a\)"),
    ("round digits", lambda a: round(a[0], 2), r"round\(a\)"),
    ("%f", lambda a: "%f".__mod__(a[0]), r"float\(a\)"),
    # -- hashing, copying, iterating
    ("hash", lambda a: hash(a[0]), "hash|key|set"),
    ("in a set", lambda a: {a[0]}, "hash|key|set"),
    ("as a key", lambda a: {a[0]: 1.0}, "hash|key|set"),
    ("lru_cache", functools.lru_cache(lambda a: a), "hash|key|set"),
    ("copy", lambda a: copy.copy(a), "copying or pickling"),
    ("deepcopy", lambda a: copy.deepcopy([a]), "copying or pickling"),
    ("pickle", lambda a: pickle.dumps(a), "copying or pickling"),
    ("in a", lambda a: 1.0 if 1.5 in a else 0.0, "x in a"),
    ("len of a number", lambda a: len(a[0]), r"len\(\) of a traced number"),
    ("iterate a number", lambda a: [v for v in a[0]], r"len\(\)|iter"),
    # -- writing
    ("a[0] =", sets, r"a\[i\] = b"),
    ("a[mask] =", sets_mask, r"a\[i\] = b"),
    ("a[:] =", sets_slice, r"a\[i\] = b"),
    ("del a[0]", deletes, r"del a\[i\]"),
    ("z[0] = a", fills_zeros, r"z\[0\] = a|float\(a\)"),
    ("z[:] = a", fills_zeros_at_once, r"np\.array\(a\)"),
    ("z[mask] = a", fills_a_mask, r"np\.array\(a\)"),
    ("z += a", adds_into_zeros, "np.add: out="),
    ("a += 2", in_place("iadd"), r"a \+= b"),
    ("a -= 2", in_place("isub"), r"a -= b"),
    ("a *= 2", in_place("imul"), r"a \*= b"),
    ("a /= 2", in_place("itruediv"), r"a /= b"),
    ("a **= 2", in_place("ipow"), r"a \*\*= b"),
    ("a @= 2", in_place("imatmul"), r"a @= b"),
    ("a //= 2", in_place("ifloordiv"), r"a //=? b"),
    ("a %= 2", in_place("imod"), r"a %=? b"),
    ("a.fill", lambda a: a.fill(0.0), r"a\[i\] = b|fill"),
    ("a.sort", lambda a: a.sort(), r"a\[i\] = b|sort"),
    ("a.put", lambda a: a.put(0, 1.0), r"a\[i\] = b|put"),
    ("a.resize", lambda a: a.resize(6), r"a\[i\] = b|resize"),
    ("np.put", lambda a: np.put(np.zeros(3), 0, a[0]), "np.put|np.array"),
    ("np.copyto", lambda a: np.copyto(np.zeros(3), a), "np.copyto"),
    ("np.copyto a", lambda a: np.copyto(a, X), "np.copyto"),
    ("np.putmask", lambda a: np.putmask(a, a > 1, 0), "np.putmask"),
    ("np.place", lambda a: np.place(a, a > 1, [0]), "np.place"),
    (
        "np.fill_diagonal",
        lambda a: np.fill_diagonal(EYE.copy(), a),
        "np.fill_diagonal|np.array",
    ),
    ("out= ufunc", out_of(np.sin, 3), "np.sin: out="),
    ("out= sum", out_of(np.sum), "np.sum: out="),
    ("out= mean", out_of(np.mean), "np.mean: out="),
    ("out= clip", lambda a: np.clip(a, 0, 1, out=np.zeros(3)), "np.clip: out="),
    ("out= dot", lambda a: np.dot(a, a, out=np.zeros(())), "np.dot: out="),
    ("out= matmul", lambda a: np.matmul(EYE, a, out=np.zeros(3)), "np.matmul: out="),
    ("out= concatenate", lambda a: np.concatenate([a, a], out=np.zeros(6)), "out="),
    ("out= stack", lambda a: np.stack([a, a], out=np.zeros((2, 3))), "out="),
    ("out of dot by place", lambda a: np.dot(EYE, a, np.zeros(3)), "np.dot: these"),
    ("out of outer by place", lambda a: np.outer(a, a, EYE.copy()), "np.outer: these"),
    ("out of a.dot by place", lambda a: a.dot(EYE, np.zeros(3)), "np.dot: these"),
    ("array_equal of a list", lambda a: a * np.array_equal([a[0]], [1.0]), "caught"),
    ("norm of no axis", lambda a: np.linalg.norm(a, axis=()), "norm: got axis"),
    ("out= a", lambda a: np.sin(X, out=a), "out="),
    ("a.sum(out=)", lambda a: a.sum(out=np.zeros(())), "out="),
    # -- options of ufuncs, and their methods
    ("where= ufunc", lambda a: np.sin(a, where=a > 1), "np.sin: where="),
    ("where= sum", lambda a: np.sum(a, where=a > 1), "sum: .*where"),
    ("where= mean", lambda a: np.mean(a, where=a > 1), "mean: .*where"),
    ("initial= sum", lambda a: np.sum(a, initial=3.0), "sum: .*initial"),
    ("initial= max", lambda a: np.max(a, initial=3.0), "max: .*initial"),
    ("dtype= ufunc", lambda a: np.sin(a, dtype=np.float32), "np.sin: dtype="),
    ("dtype= int", lambda a: np.add(a, 1, dtype=int, casting="unsafe"), "np.add: "),
    ("dtype= sum", lambda a: np.sum(a, dtype=np.float32), "sum: .*dtype"),
    ("casting=", lambda a: np.sin(a, casting="unsafe"), "np.sin: casting="),
    ("signature=", lambda a: np.sin(a, signature="f->f"), "np.sin: signature="),
    ("axes=", lambda a: np.matmul(EYE, a, axes=[(0, 1), 0, 0]), "np.matmul: axes="),
    ("ufunc.reduce", lambda a: np.add.reduce(a), r"np\.add\.reduce"),
    ("ufunc.accumulate", lambda a: np.add.accumulate(a), r"np\.add\.accumulate"),
    ("ufunc.outer", lambda a: np.multiply.outer(a, a), r"np\.multiply\.outer"),
    ("ufunc.at", lambda a: np.add.at(np.zeros(3), [0], a[0]), r"np\.add\.at"),
    ("ufunc.reduceat", lambda a: np.add.reduceat(a, [0, 1]), r"np\.add\.reduceat"),
    ("np.vectorize", lambda a: np.vectorize(lambda v: v * v)(a), r"np\.array\(a\)"),
    ("np.frompyfunc", lambda a: np.frompyfunc(abs, 1, 1)(a), "can't be differentiated"),
    # -- turning into an array
    ("np.array", lambda a: np.array(a), r"np\.array\(a\).*np\.stack"),
    ("np.asarray", lambda a: np.asarray(a), r"np\.asarray\(a\)"),
    ("np.array dtype", lambda a: np.array(a, dtype=float), r"np\.array\(a\)"),
    ("np.asarray list", lambda a: np.asarray([a[0], 2.0]), r"np\.stack"),
    ("np.array list", lambda a: np.array([a[0], a[1]]), r"np\.stack"),
    ("np.array nested", lambda a: np.array([[a[0]], [2.0]]), r"np\.stack"),
    ("np.ascontiguousarray", lambda a: np.ascontiguousarray(a), r"np\.a"),
    ("np.fromiter", lambda a: np.fromiter(a, float), r"float\(a\)|np\."),
    ("np.r_", lambda a: np.r_[a, 1.0], r"np\.array"),
    ("np.full", lambda a: np.full(3, a[0]), r"np\.array|np\.full"),
    ("np.full_like of x", lambda a: np.full_like(X, a[0]), r"np\.copyto|np\.full_like"),
    ("np.arange", lambda a: np.arange(a[0]), r"np\.a"),
    ("np.eye", lambda a: np.eye(a[0]), "integer"),
    ("a.item", lambda a: a.item(0), r"a\.item\(\)"),
    ("a.tolist", lambda a: a.tolist(), r"a\.tolist\(\)"),
    ("a.astype", lambda a: a.astype(int), r"a\.astype\(\)"),
    ("a * list of a", lambda a: a * [a[0], 1.0, 2.0], r"np\.stack"),
    # -- indexing by what is traced
    ("x[a]", lambda a: X[a[0]], "integer|np.array"),
    ("a[a]", lambda a: a[a[0]], "index is a traced value"),
    ("a[a, 0]", lambda a: np.outer(a, a)[a[0], 0], "index is a traced value"),
    ("a[:a]", lambda a: a[: a[0]], "integer|index"),
    ("a[[a]]", lambda a: a[[a[0]]], "index|np.array"),
    ("sum axis", lambda a: np.sum(a, axis=a[0]), "axis= is a traced value"),
    ("reshape", lambda a: np.reshape(a, (a[0], 1)), "integer|traced"),
    # -- operators without a derivative
    ("a // 2", lambda a: a // 2, "a // b"),
    ("2 // a", lambda a: 2 // a, "a // b"),
    ("a % 2", lambda a: a % 2, "a % b"),
    ("2 % a", lambda a: 2 % a, "a % b"),
    ("divmod", lambda a: divmod(a, 2), "divmod"),
    ("divmod r", lambda a: divmod(2, a), "divmod"),
    ("a & 1", lambda a: a & 1, "&"),
    ("a | 1", lambda a: a | 1, r"\|"),
    ("1 | a", lambda a: 1 | a, r"\|"),
    ("a ^ 2", lambda a: a ^ 2, r"\^"),
    ("~a", lambda a: ~a, "~"),
    ("a << 1", lambda a: a << 1, "<<"),
    ("a >> 1", lambda a: a >> 1, ">>"),
    ("pow mod", lambda a: pow(a, 3, 2), r"pow|%"),
    # -- operands of a wrong kind
    ("complex operand", lambda a: a + 1j, "add: got complex"),
    (
        "complex array",
        lambda a: np.array([1j, 2, 3]) * a,
        "multiply: got ndarray of complex",
    ),
    ("numpy complex", lambda a: a * np.complex64(1), "multiply: got complex64"),
    (
        "object array",
        lambda a: a * np.array([1, 2, None]),
        "multiply: got ndarray of object",
    ),
    (
        "object array r",
        lambda a: np.array([1, 2, None]) * a,
        "multiply: got ndarray of object",
    ),
    ("string", lambda a: a + "x", "add: got str"),
    ("string r", lambda a: "x" * a[0], "multiply: got str"),
    ("string array", lambda a: a + np.array(["x"] * 3), "add: got ndarray of <U1"),
    ("None", lambda a: a * None, "multiply: got NoneType"),
    ("a set", lambda a: a + {1.0}, "add: got set"),
    ("a dict", lambda a: a + {}, "add: got dict"),
    ("a generator", lambda a: a * (v for v in X), "multiply: got generator"),
    ("a function", lambda a: a + len, "add: got builtin"),
    ("Decimal", lambda a: a * decimal.Decimal("1.5"), "multiply: got Decimal"),
    ("Fraction", lambda a: a * fractions.Fraction(1, 2), "multiply: got Fraction"),
    ("Fraction r", lambda a: fractions.Fraction(1, 2) * a, "multiply: got Fraction"),
    ("datetime64", lambda a: a + np.datetime64("2020-01-01"), "add: got datetime64"),
    ("timedelta64", lambda a: a * np.timedelta64(1, "D"), "multiply: got timedelta64"),
    (
        "timedelta64 in s",
        lambda a: a * np.timedelta64(3, "s"),
        "multiply: got timedelta64",
    ),
    ("ragged list", lambda a: a * [1.0, [2.0, 3.0]], "multiply: got a list"),
    (
        "structured",
        lambda a: a * np.zeros(3, [("x", float)]),
        "multiply: got ndarray of",
    ),
    ("masked", lambda a: a * MASKED, "multiply: got MaskedArray"),
    ("masked r", lambda a: MASKED * a, "MaskedArray|np.array"),
    ("np.add masked", lambda a: np.add(MASKED, a), "add: got MaskedArray"),
    ("unit", lambda a: a * METRES, "multiply: got Quantity"),
    ("unit r", lambda a: METRES * a, "multiply: got Quantity"),
    ("sparse r", lambda a: a * Sparse(EYE), "multiply: got Sparse"),
    ("sparse", lambda a: Sparse(EYE) * a, r"np\.asarray|got Sparse"),
    ("a @ sparse", lambda a: a @ Sparse(EYE), "matmul: got Sparse"),
    ("sparse @ a", lambda a: Sparse(EYE) @ a, r"np\.asarray|got Sparse"),
    ("np.dot sparse", lambda a: np.dot(Sparse(EYE), a), "got Sparse"),
    ("pandas", lambda a: a + Series(X), "add: got Series"),
    ("pandas r", lambda a: Series(X) + a, "add: got Series"),
    ("stranger", lambda a: a + Stranger(), "add: got Stranger"),
    ("stranger r", lambda a: np.add(Stranger(), a), "add: got Stranger"),
    ("where of strings", lambda a: np.where(a > 1, a, "x"), "where: got str"),
    ("stack of strings", lambda a: np.stack([a, np.array(["x"] * 3)]), "stack: got"),
    (
        "concatenate a",
        lambda a: np.concatenate(a),
        "concatenate: got Tracer, expected a list",
    ),
    # -- random numbers with traced parameters
    (
        "rng.normal",
        lambda a: np.random.default_rng(0).normal(a, 1.0),
        r"np\.array|float",
    ),
    ("rng.choice", lambda a: np.random.default_rng(0).choice(a), r"np\.array|float"),
    (
        "rng.permutation",
        lambda a: np.random.default_rng(0).permutation(a),
        r"np\.array",
    ),
    (
        "rng.poisson",
        lambda a: np.random.default_rng(0).poisson(a[0]),
        r"np\.array|float",
    ),
]


@pytest.mark.parametrize(("name", "f", "words"), REFUSED, ids=ids(REFUSED))
def test_refused_by_name_with_a_remedy(name, f, words):
    check_refused(f, words)


OUTPUTS = [
    ("a generator out", lambda a: (v * v for v in a), "returned generator"),
    ("a string out", lambda a: f"{a[0]}", "returned str"),
    ("None out", lambda a: None, "returned NoneType"),
    ("a set out", lambda a: {1.0}, "returned set"),
    ("an iterator out", lambda a: map(abs, a), "returned map"),
    ("a function out", lambda a: lambda: a, "returned function"),
    ("objects out", lambda a: np.array([None]), "returned .*object"),
    ("strings out", lambda a: np.array(["x"]), "returned"),
    ("a complex out", lambda a: 1j, "returned complex"),
    ("complexes out", lambda a: np.array([1j]), "returned .*complex"),
]


@pytest.mark.parametrize(("name", "f", "words"), OUTPUTS, ids=ids(OUTPUTS))
def test_outputs_that_are_refused(name, f, words):
    for way in (
        lambda: record(f, X),
        lambda: jvp(f, (X,), (T,)),
        lambda: vjp(f, X),
        lambda: grad(f)(X),
        lambda: jacobian(lambda x: {"a": [x, f(x)]})(X),
    ):
        with pytest.raises(TraceError, match=words) as caught:
            way()
        check_text(str(caught.value))


# ---------------------------------------------------------------- refused by name, or right

UNKNOWN = {
    "np.cumsum": lambda a: np.cumsum(a),
    "np.cumprod": lambda a: np.cumprod(a),
    "np.prod": lambda a: np.prod(a),
    "np.diff": lambda a: np.diff(a),
    "np.sort": lambda a: np.sort(a),
    "np.median": lambda a: np.median(a),
    "np.percentile": lambda a: np.percentile(a, 30),
    "np.quantile": lambda a: np.quantile(a, 0.3),
    "np.average": lambda a: np.average(a, weights=X),
    "np.nansum": lambda a: np.nansum(a),
    "np.nanmax": lambda a: np.nanmax(a),
    "np.ptp": lambda a: np.ptp(a),
    "np.cov": lambda a: np.cov(a),
    "np.corrcoef": lambda a: np.corrcoef(a, X),
    "np.unique": lambda a: np.unique(a),
    "np.partition": lambda a: np.partition(a, 1),
    "np.trapezoid": lambda a: np.trapezoid(a),
    "np.gradient": lambda a: np.gradient(a),
    "np.interp": lambda a: np.interp(a, [0.0, 3.0], [0.0, 1.0]),
    "np.polyval": lambda a: np.polyval(a, 2.0),
    "np.convolve": lambda a: np.convolve(a, X),
    "np.histogram": lambda a: np.histogram(a)[0],
    "np.digitize": lambda a: np.digitize(a, [0.0, 1.0]),
    "np.einsum": lambda a: np.einsum("i,i", a, X),
    "np.tensordot": lambda a: np.tensordot(a, X, 1),
    "np.inner": lambda a: np.inner(a, X),
    "np.vdot": lambda a: np.vdot(a, X),
    "np.vecdot": lambda a: np.linalg.vecdot(a, X),
    "np.kron": lambda a: np.kron(a, X),
    "np.cross": lambda a: np.cross(a, X),
    "np.trace": lambda a: np.trace(np.outer(a, a)),
    "np.linalg.inv": lambda a: np.linalg.inv(np.outer(a, a) + EYE),
    "np.linalg.solve": lambda a: np.linalg.solve(EYE, a),
    "np.linalg.det": lambda a: np.linalg.det(np.outer(a, a) + EYE),
    "np.linalg.slogdet": lambda a: np.linalg.slogdet(np.outer(a, a) + EYE)[1],
    "np.linalg.eigvalsh": lambda a: np.linalg.eigvalsh(np.outer(a, a) + EYE),
    "np.linalg.svd": lambda a: np.linalg.svd(np.outer(a, a) + EYE)[1],
    "np.linalg.cholesky": lambda a: np.linalg.cholesky(np.outer(a, a) + EYE),
    "np.linalg.pinv": lambda a: np.linalg.pinv(np.outer(a, a) + EYE),
    "np.linalg.multi_dot": lambda a: np.linalg.multi_dot([a, EYE, a]),
    "np.linalg.matrix_power": lambda a: np.linalg.matrix_power(np.outer(a, a), 2),
    "np.linalg.matmul": lambda a: np.linalg.matmul(EYE, a),
    "np.fft.fft": lambda a: np.fft.fft(a),
    "np.hstack": lambda a: np.hstack([a, X]),
    "np.vstack": lambda a: np.vstack([a, X]),
    "np.column_stack": lambda a: np.column_stack([a, X]),
    "np.append": lambda a: np.append(a, 1.0),
    "np.insert": lambda a: np.insert(a, 0, 1.0),
    "np.delete": lambda a: np.delete(a, 0),
    "np.block": lambda a: np.block([a, a]),
    "np.tile": lambda a: np.tile(a, 2),
    "np.repeat": lambda a: np.repeat(a, 2),
    "np.roll": lambda a: np.roll(a, 1),
    "np.flip": lambda a: np.flip(a),
    "np.rot90": lambda a: np.rot90(np.outer(a, a)),
    "np.pad": lambda a: np.pad(a, 1),
    "np.split": lambda a: np.split(a, 3),
    "np.take": lambda a: np.take(a, 0),
    "np.compress": lambda a: np.compress([True, False, True], a),
    "np.choose": lambda a: np.choose([0, 1], [a[0], a[1]]),
    "np.select": lambda a: np.select([a > 1], [a]),
    "np.piecewise": lambda a: np.piecewise(a, [a > 1], [1.0, 2.0]),
    "np.extract": lambda a: np.extract(a > 1, a),
    "np.diag": lambda a: np.diag(a),
    "np.triu": lambda a: np.triu(np.outer(a, a)),
    "np.meshgrid": lambda a: np.meshgrid(a, a)[0],
    "np.moveaxis": lambda a: np.moveaxis(np.outer(a, a), 0, 1),
    "np.resize": lambda a: np.resize(a, 5),
    "np.atleast_2d": lambda a: np.atleast_2d(a),
    "np.broadcast_arrays": lambda a: np.broadcast_arrays(a, EYE)[0],
    "np.nan_to_num": lambda a: np.nan_to_num(a),
    "np.real": lambda a: np.real(a),
    "np.angle": lambda a: np.angle(a),
    "np.apply_along_axis": lambda a: np.apply_along_axis(np.sum, 0, a),
    "np.linspace": lambda a: np.linspace(0.0, a[0], 3),
    "np.full_like": lambda a: np.full_like(a, a[0]),
    "np.arctan2": lambda a: np.arctan2(a, X),
    "np.arcsin": lambda a: np.arcsin(a / 3),
    "np.sinh": lambda a: np.sinh(a),
    "np.hypot": lambda a: np.hypot(a, X),
    "np.log2": lambda a: np.log2(a),
    "np.log10": lambda a: np.log10(a),
    "np.exp2": lambda a: np.exp2(a),
    "np.cbrt": lambda a: np.cbrt(a),
    "np.fabs": lambda a: np.fabs(a),
    "np.fmax": lambda a: np.fmax(a, 1.0),
    "np.float_power": lambda a: np.float_power(a, 2),
    "np.logaddexp": lambda a: np.logaddexp(a, X),
    "np.floor": lambda a: np.floor(a),
    "np.rint": lambda a: np.rint(a),
    "np.trunc": lambda a: np.trunc(a),
    "np.round": lambda a: np.round(a, 1),
    "np.remainder": lambda a: np.mod(a, 2.0),
    "np.fmod": lambda a: np.fmod(a, 2.0),
    "np.floor_divide": lambda a: np.floor_divide(a, 2.0),
    "np.copysign": lambda a: np.copysign(a, -1.0),
    "np.conjugate": lambda a: np.conj(a),
    "np.sinc": lambda a: np.sinc(a),
    "np.i0": lambda a: np.i0(a),
    "np.deg2rad": lambda a: np.deg2rad(a),
    "np.ldexp": lambda a: np.ldexp(a, 2),
    "np.modf": lambda a: np.modf(a),
    "np.logical_not": lambda a: np.logical_not(a) * a,
    "np.logical_and": lambda a: np.logical_and(a, X) * a,
    "np.bitwise_and": lambda a: np.bitwise_and(a, 1),
    "np.linalg.norm ord": lambda a: np.linalg.norm(a, 1),
    "np.linalg.norm inf": lambda a: np.linalg.norm(a, np.inf),
    "np.linalg.norm fro": lambda a: np.linalg.norm(np.outer(a, a), "fro"),
    "np.linalg.norm 2": lambda a: np.linalg.norm(np.outer(a, a), 2),
    # options of what is known
    "np.concatenate axis": lambda a: np.concatenate([a, EYE], axis=None),
    "np.clip min": lambda a: np.clip(a, min=1.0),
    "np.clip method": lambda a: a.clip(min=1.0, max=1.8),
    "np.ravel C": lambda a: np.ravel(np.outer(a, a), order="C"),
    "np.ravel F": lambda a: np.ravel(np.outer(a, X), order="F"),
    "np.ravel method": lambda a: np.outer(a, X).ravel("F"),
    "np.reshape F": lambda a: np.reshape(np.outer(a, X), -1, order="F"),
    "np.reshape A": lambda a: np.outer(a, X).T.reshape(-1, order="A"),
    "np.reshape copy": lambda a: np.reshape(a, (3, 1), copy=True),
    "np.transpose axes": lambda a: np.transpose(np.outer(a, a), axes=(1, 0)),
    "np.var mean": lambda a: np.var(a, mean=1.0),
    "np.std correction": lambda a: np.std(a, correction=1),
    "np.sum float": lambda a: np.sum(a, dtype=float),
    "softmax None": lambda a: softmax(a, axis=None),
    "softmax axes": lambda a: softmax(np.outer(a, a), axis=(0, 1)),
    "logsumexp axes": lambda a: logsumexp(np.outer(a, a), axis=(0, 1)),
    "logsumexp number": lambda a: logsumexp(a[0]),
    "softmax keepdims": lambda a: np.sum(a) + 0.0,
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_refused_by_its_full_name_or_right(name):
    f = UNKNOWN[name]
    try:
        value, tangent = jvp(f, (X,), (T,))
    except TraceError as error:
        full_name = name.split()[0]
        assert full_name.removeprefix("np.") in str(error), (
            "the text names the function"
        )
        if full_name.startswith(("np.linalg", "np.fft")):
            assert full_name in str(error), "by its full name"
        check_refused(f)
    else:
        check_right(f, value, tangent)


# ---------------------------------------------------------------- methods and attributes

ATTRIBUTES = (
    "cumsum prod round all any take repeat diagonal trace nonzero argsort searchsorted ptp conj "
    "compress partition choose tobytes dump view byteswap setflags swapaxes2 flat real imag base "
    "nbytes itemsize strides flags data ctypes mT foo sin exp norm backward detach numpy grad "
    "values is_integer as_integer_ratio"
).split()


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_are_right_or_refused_by_name(name):
    """AttributeError, so that hasattr says no; the text says what to do."""

    def f(a):
        got = getattr(a, name)
        return got(0) if name in ("take", "repeat") else got() if callable(got) else got

    try:
        value, tangent = jvp(f, (X,), (T,))
    except (AttributeError, TraceError) as error:
        assert f"'{name}'" in str(error) or name in str(error)
        assert "use the NumPy function" in str(error) or isinstance(error, TraceError)
    else:
        check_right(f, value, tangent)


def test_attributes_cannot_be_set():
    for name in ("foo", "shape", "T", "size"):
        with pytest.raises((AttributeError, TraceError), match=f"{name}|no setter"):
            record(then(lambda a, name=name: setattr(a, name, 1)), X)


# ---------------------------------------------------------------- right

RIGHT = {
    "iteration": lambda a: sum(v * v for v in a),
    "unpacking": lambda a: (lambda p, q, r: p * q / r)(*a),
    "enumerate": lambda a: sum(k * v for k, v in enumerate(a)),
    "zip": lambda a: sum(v * w for v, w in zip(a, X, strict=True)),
    "reversed": lambda a: list(reversed(a)),
    "list": lambda a: list(a),
    "map": lambda a: list(map(lambda v: v * v, a)),
    "filter": lambda a: list(filter(lambda v: v > 1, a)),
    "generator": lambda a: sum(v for v in (w * w for w in a)),
    "sum": lambda a: sum([a[0], a[1]]),
    "sum start": lambda a: sum([a, a], start=np.zeros(3)),
    "max": lambda a: max(a[0], a[1]),
    "max of a": lambda a: max(a) * min(a),
    "sorted": lambda a: sorted([a[0], a[1], a[2] * 0.1]),
    "sorted key": lambda a: sorted(a, key=lambda v: -v),
    "math.prod": lambda a: math.prod(a),
    "reduce": lambda a: functools.reduce(operator.mul, a),
    "abs": lambda a: abs(-a),
    "pow": lambda a: pow(a, 3),
    "rpow": lambda a: 2**a,
    "neg pos": lambda a: -(+a),
    "negative": lambda a: np.negative(a) + np.positive(a) * a,
    "ternary": lambda a: a[0] if a[0] > 0 else -a[0],
    "chain": lambda a: a[0] if 0 < a[0] < 2 else -a[0],
    "any": lambda a: a if np.any(a > 1) else -a,
    "any builtin": lambda a: a if any(a > 1) else -a,
    "all": lambda a: a if np.all(a > 1) else -a,
    "is None": lambda a: a if a is not None else -a,
    "== None": lambda a: a if not np.any(a == None) else -a,  # noqa: E711
    "== string": lambda a: a if not np.any(a == "train") else -a,
    "in a list": lambda a: a if a[0] in [1.4, 1.6] else -a,
    "len": lambda a: len(a) * a,
    "shapes": lambda a: a * a.shape[0] * np.shape(a)[0] * a.ndim * np.size(a),
    "mask": lambda a: a[a > 1],
    "x[mask]": lambda a: X[a > 1] * a[0],
    "mask *": lambda a: (a > 1) * a,
    "argsort": lambda a: a[np.argsort(a)],
    "argmax": lambda a: a[np.argmax(a)] * a[a.argmin()],
    "isnan": lambda a: np.where(np.isnan(a), 0.0, a),
    "isfinite": lambda a: a[np.isfinite(a)],
    "searchsorted": lambda a: a * np.searchsorted([0.0, 1.0], a),
    "nonzero": lambda a: a[np.where(a > 1)],
    "zeros_like": lambda a: np.zeros_like(a) + np.ones_like(a) * a,
    "full_like": lambda a: np.full_like(a, 2.0) * a,
    "a.copy": lambda a: a.copy() * np.copy(a),
    "flatten": lambda a: np.outer(a, a).flatten() * np.outer(a, a).ravel(),
    "a.reshape": lambda a: a.reshape(3, 1) * a.reshape((1, -1)),
    "a.T": lambda a: np.outer(a, X).T * np.outer(a, X).transpose(1, 0),
    "a.transpose": lambda a: np.outer(a, X).transpose() @ a,
    "a.dot": lambda a: a.dot(EYE).dot(a),
    "methods": lambda a: a.sum() * a.mean() * a.max() / a.min() + a.var() * a.std(),
    "axis methods": lambda a: np.outer(a, X).sum(axis=0) + np.outer(a, X).mean(1),
    "keepdims": lambda a: a / a.sum(keepdims=True) + np.max(a, keepdims=True),
    "swapaxes": lambda a: (
        np.outer(a, X).swapaxes(0, -1) * np.swapaxes(np.outer(a, a), 0, 1)
    ),
    "squeeze": lambda a: a[:, None].squeeze() * np.squeeze(a[None, :, None]),
    "newaxis": lambda a: a[:, None] * a[None] * a[..., np.newaxis],
    "negative index": lambda a: a[-1] * a[::-1] * a[-2:][0],
    "fancy": lambda a: a[[0, 0, 2]] * a[np.array([2, 1, 1])],
    "numpy integers": lambda a: (
        a[np.int64(1)] * np.int8(3) + np.float32(0.5) * np.uint8(2)
    ),
    "slices": lambda a: a[slice(0, 2)] * a[1:],
    "nested list constant": lambda a: a * [[1, 2, 3], [4, 5, 6]],
    "tuple constant": lambda a: (1, 2, 3) + a - (1.0, 2.0, 3.0),
    "bool constant": lambda a: a * True + np.array([True, False, True]),
    "range constant": lambda a: a * np.arange(3),
    "big int": lambda a: a * 10**30 / 1e30,
    "longdouble": lambda a: a * np.longdouble(2),
    "0-d array": lambda a: a * np.array(2) + np.array(0.5),
    "clip": lambda a: np.clip(a, 0.6, 1.8) * a.clip(0.7, None),
    "clip by name": lambda a: np.clip(a, min=0.6, max=1.8) + np.clip(a, max=1.8),
    "several new axes": lambda a: np.expand_dims(a, (0, 2)) * np.expand_dims(a, [1, 2]),
    "clip traced": lambda a: np.clip(a, a[1] + 0.2, a[2] - 0.3),
    "where": lambda a: np.where(a > 1, a * a, -a),
    "where list": lambda a: np.where([True, False, True], a, 0),
    "where of constants": lambda a: np.where(a > 1, 1.0, 2.0) * a,
    "stack constants": lambda a: np.stack([a, X, [1, 2, 3]]),
    "stack numbers": lambda a: np.stack([a[0], 1.0, 2]),
    "stack tuple": lambda a: np.stack((a, a), axis=-1),
    "concatenate": lambda a: np.concatenate([a, [1.0], a[:1]]),
    "stack of a": lambda a: np.stack(list(a)),
    "norm": lambda a: np.linalg.norm(a) + np.linalg.norm(np.outer(a, X), axis=1),
    "dot of a number": lambda a: np.dot(a, 3.0) + np.dot(2.0, a),
    "out=None": lambda a: np.sin(a, out=None) + np.sum(a, out=None),
    "dtype=float": lambda a: np.sin(a, dtype=float),
    "axis=None": lambda a: np.sum(a, axis=None) + np.sum(a, None),
    "x ** a": lambda a: 2.0**a + X**a + a**a,
    "a ** 2": lambda a: (
        a**2 + a**2.0 + a ** np.array(2) + a**-1 + a**0.5 + a ** [1, 2, 3]
    ),
    "1 / a": lambda a: 1 / a + 2 // 1 / a,
    "dtype by place": lambda a: (
        np.sum(a, 0, float) + a.mean(0, float) + np.var(a, 0, None)
    ),
    "ddof by place": lambda a: np.std(a, 0, None, None, 1) + a.var(None, None, None, 1),
    "keepdims by place": lambda a: (
        np.sum(a, 0, None, None, True) * np.max(a, 0, None, True)
    ),
    "no value": lambda a: np.sum(a, keepdims=np._NoValue),
    "operands by name": lambda a: np.sum(a=a) * np.stack(arrays=[a, a], axis=1)[:, 0],
    "an array as a shape": lambda a: (
        np.reshape(a, np.array([3, 1])) * a.reshape([1, 3])
    ),
    "an array as axes": lambda a: np.outer(a, X).transpose(np.array([1, 0])) @ a,
    "no indices": lambda a: np.sum(a[[]]) + np.sum(np.outer(a, a)[[], []]) + a,
    "a tuple in an index": lambda a: np.outer(a, X)[((0, 2),)] * a,
    "a number's index": lambda a: (
        a[0][()] * a[1][...] * a[2][None] * a[0][None, ..., None]
    ),
    "copy with order": lambda a: a.copy("C") * a.copy(order="F"),
    "read-only views of odd memory": lambda a: (
        a * np.lib.stride_tricks.sliding_window_view(np.arange(5.0), 3)
        + np.frombuffer(np.arange(3.0).tobytes())
    ),
    "functions of ours": lambda a: logistic(a) + relu(a - 1) + softplus(a) + softmax(a),
    "isscalar": lambda a: a * (2.0 if isinstance(a, int) else 3.0),
    "print": then(lambda a: print(a, a[0], [a], file=io.StringIO())),
    "f-string": then(lambda a: f"{a} {a[0]} {a!r}"),
    "format": then(lambda a: f"{a[0]:.2f} {format(a[0], '8.3e')}"),
    "%s": then(lambda a: "%s %r" % (a, a)),  # noqa: UP031
    "closure": lambda a: (lambda: a * a)(),
    "default": lambda a, b=2.0: a * b,
    "recursion": lambda a: power_by_recursion(a, 5),
    "global": lambda a: a * X,
    "constant output": lambda a: 3.0,
    "int output": lambda a: 3,
    "bool output": lambda a: True,
    "comparison output": lambda a: a > 1,
    "empty output": lambda a: [],
}


def power_by_recursion(a, n):
    return a if n == 1 else a * power_by_recursion(a, n - 1)


@pytest.mark.parametrize("name", RIGHT)
def test_right(name):
    f = RIGHT[name]
    value, tangent = jvp(f, (X,), (T,))
    check_right(f, value, tangent)
    result = record(f, X).result
    for got, plain in zip(numbers(result), numbers(value), strict=True):
        np.testing.assert_array_equal(got, plain)
    _, again = jvp(lambda x: jvp(lambda v: f(v), (x,), (T,))[0], (X,), (T,))
    for got, plain in zip(numbers(again), numbers(tangent), strict=True):
        np.testing.assert_allclose(got, plain, rtol=1e-13)


def test_what_is_printed_is_the_value():
    seen = []

    def f(a):
        seen.extend([f"{a[0]:.2f}", format(a[0] * 2, "6.1e"), repr(a), str(a[0])])
        return a

    record(f, X)
    assert seen[:2] == ["1.50", "3.0e+00"]
    assert "traced" in seen[2] and "1.5" in seen[2] and "1.5" in seen[3]


# ---------------------------------------------------------------- NumPy's own errors

SAME_AS_NUMPY = {
    "index": lambda a: a[5],
    "too many indices": lambda a: a[0, 0],
    "index of a number": lambda a: a[0][0],
    "string index": lambda a: a["x"],
    "float index": lambda a: a[1.5],
    "mask of a wrong length": lambda a: a[np.array([True, False])],
    "shapes": lambda a: a + np.ones(4),
    "matmul shapes": lambda a: a @ np.ones((2, 2)),
    "dot shapes": lambda a: np.dot(a, np.ones(4)),
    "matmul number": lambda a: a @ 2.0,
    "reshape": lambda a: a.reshape(2, 2),
    "reshape -1": lambda a: a.reshape(2, -1),
    "reshape twice -1": lambda a: a.reshape(-1, -1),
    "reshape 0 -1": lambda a: a[:0].reshape(0, -1),
    "axis": lambda a: np.sum(a, axis=5),
    "axis of max": lambda a: a.max(axis=-2),
    "axis of softmax": lambda a: np.add(softmax(a, axis=5), 0),
    "axis twice": lambda a: np.sum(np.outer(a, a), axis=(0, 0)),
    "float axis": lambda a: np.sum(a, axis=1.5),
    "swapaxes": lambda a: np.swapaxes(a, 0, 3),
    "transpose": lambda a: np.transpose(a, (0, 0)),
    "transpose of too few": lambda a: np.outer(a, a).transpose(0),
    "transpose of none": lambda a: np.outer(a, a).transpose(()),
    "broadcast_to -1": lambda a: np.broadcast_to(a, (-1, 3)),
    "squeeze": lambda a: np.squeeze(a, 0),
    "expand_dims": lambda a: np.expand_dims(a, 5),
    "broadcast_to": lambda a: np.broadcast_to(a, (2, 2)),
    "concatenate": lambda a: np.concatenate([a, np.ones((2, 2))]),
    "concatenate axis": lambda a: np.concatenate([a, a], axis=1),
    "concatenate nothing": lambda a: np.concatenate([]) + a,
    "stack": lambda a: np.stack([a, np.ones(2)]),
    "stack axis": lambda a: np.stack([a, a], axis=3),
    "truth of an array": lambda a: a if a > 1 else -a,
    "max of nothing": lambda a: np.max(a[:0]),
    "a keyword that does not exist": lambda a: np.sum(a, foo=1),
    "too large an int": lambda a: a * 10**400,
    "str.join": lambda a: ",".join(a),
    "where of two": lambda a: np.where(a > 1, a),
    "clip of nothing": lambda a: np.outer(a),
}


@pytest.mark.parametrize("name", SAME_AS_NUMPY)
def test_errors_of_shapes_and_indices_are_numpys(name):
    """The traced program fails as the plain one does: the same kind of error, in words."""
    f = SAME_AS_NUMPY[name]
    with pytest.raises(Exception) as plain:  # noqa: B017, PT011
        f(X)
    kinds = {np.exceptions.AxisError: (ValueError, IndexError)}
    expected = kinds.get(plain.type, plain.type)
    if name == "too large an int":
        expected = (OverflowError, TraceError)
    elif name == "where of two":
        expected = (ValueError, TraceError)
    with pytest.raises(expected) as traced:
        record(f, X)
    text = str(traced.value)
    assert text and "list index out of range" not in text and "NoneType" not in text


# ---------------------------------------------------------------- one recording, one thread


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


def test_a_value_used_after_its_function_returned():
    kept = []

    def f(x):
        kept.append(x * 2)
        return x

    grad(lambda x: np.sum(f(x)))(X)
    for use in (
        lambda a: a + 1,
        lambda a: 2.0 * a,
        lambda a: a + 1.0,
        lambda a: a * a,
        lambda a: -a,
        lambda a: np.sin(a),
        lambda a: np.sum(a),
        lambda a: a[0],
        lambda a: a @ a,
        lambda a: list(a),
        lambda a: a.reshape(3, 1),
    ):
        with pytest.raises(
            TraceError, match="after the function that made it had returned"
        ):
            use(kept[0])
    assert "1.5" in repr(kept[0]) or "3." in repr(kept[0])  # may be looked at


def test_an_inner_value_kept_by_the_outer_function():
    kept = []

    def outer(x):
        grad(lambda y: kept.append(y * y) or y)(x)
        return kept[-1] * x

    with pytest.raises(TraceError, match="after the function|two recordings"):
        grad(outer)(2.0)


def test_state_that_outlives_a_call():
    """A counter in a closure: the first call leaks its value into the second."""

    class Layer:
        total = 0.0

        def __call__(self, x):
            self.total = self.total + x
            return self.total * x

    layer = Layer()
    assert grad(layer)(3.0) == 6.0
    with pytest.raises(TraceError, match="after the function|two recordings"):
        grad(layer)(3.0)


def test_a_generator_that_runs_on_afterwards():
    def f(x):
        return (v * 2 for v in x)

    kept = []
    with pytest.raises(TraceError, match="returned generator"):
        record(lambda x: kept.append(f(x)) or kept[0], X)
    with pytest.raises(TraceError, match="after the function"):
        next(kept[0])


def test_a_traced_value_in_another_thread():
    """While f runs, or after: right, or refused."""
    answers = []

    def f(x):
        def work():
            try:
                answers.append(np.sum(x * 2.0))
            except TraceError as error:
                answers.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return x[0] * 3

    t = record(f, X)
    assert t.result == 4.5
    if isinstance(answers[0], TraceError):
        assert "thread" in str(answers[0])
    else:
        assert t.rows[answers[0].index][1] == 8.0


def test_mixing_two_recordings_in_two_threads():
    ready, done, box, errors = threading.Event(), threading.Event(), [], []

    def other():
        def g(y):
            box.append(y)
            ready.set()
            done.wait(5)
            return y

        record(g, 2.0)

    def f(x):
        for use in (
            lambda: x + box[0],
            lambda: box[0] * x,
            lambda: np.stack([x, box[0]]),
        ):
            try:
                use()
            except TraceError as error:
                errors.append(str(error))
        return x

    thread = threading.Thread(target=other)
    thread.start()
    assert ready.wait(5)
    record(f, 1.0)
    done.set()
    thread.join()
    assert len(errors) == 3 and all(
        "two recordings" in e or "thread" in e for e in errors
    )


def test_a_trace_error_is_a_type_error():
    assert issubclass(TraceError, TypeError)


def test_there_are_many_cases():
    assert len(REFUSED) + len(UNKNOWN) + len(RIGHT) + len(ATTRIBUTES) > 80

"""comp551ad/autodiff/refusals.py: quotes what can't be traced, and suggests what works.

One table. Each case is refused by every transform with a TraceError that quotes the user's
expression or names the operation. Its alternative, taken from the message if it has one, has the
plain program's value, a derivative that matches differences, and works with every transform.
"""

import itertools
import linecache
import math
import re

import numpy as np
import pytest
from test_composites import check_right

from comp551ad import (
    TraceError,
    grad,
    jacobian,
    jvp,
    pytrees,
    record,
    vjp,
    write_gradient,
)
from comp551ad.autodiff.program import ProgramError
from comp551ad.autodiff.refusals import (
    REFUSED,
    WAYS_OUT,
)

X = np.array([1.5, 0.5, 2.2])
T = np.array([0.3, -1.1, 0.7])  # a direction
EYE = np.eye(3) + 0.5
numbers_of_cases = itertools.count()


def compiled(text):
    """A function of a whose source Python finds, as in a notebook's cell."""
    if "return" not in text:
        text = f"return {text}"
    source = "def f(a):\n" + "".join(f"    {line}\n" for line in text.splitlines())
    name = f"<case {next(numbers_of_cases)}>"
    linecache.cache[name] = len(source), None, source.splitlines(True), name
    known = {"np": np, "math": math, "X": X, "EYE": EYE}
    exec(compile(source, name, "exec"), known)
    return known["f"]


def store(line, start="np.zeros(3)"):
    return f"z = {start}\n{line}\nreturn z"


# an expression -> words in the message, and an alternative if the message has none
CASES: dict[str, tuple[str, str | None]] = {
    # -- plain numbers: the message has the alternative
    "math.exp(a[0])": ("math works on plain numbers only", None),
    "math.hypot(*a[:2])": ("plain numbers", None),
    "2 * math.log(\n    a[0])": (r"^math\.log\( a\[0\]\) \(line 2\)", None),
    "float(np.squeeze(np.sum(a ** 2)))": ("leave float\\(\\) out", None),
    "np.float64(a[0]) * 2": (r"^np\.float64\(a\[0\]\) \(line 2\)", None),
    "math.fsum(a)": ("NumPy's function", "np.sum(a)"),
    "np.fromiter((v * v for v in a), float)": ("plain numbers", "np.stack([v * v for v in a])"),
    "a[int(a[0] * 1.5)] * a": (r"write \(a\[0\] \* 1\.5\)\.astype\(int\)", None),
    "a[np.int64(a)] * a": (r"write a\.astype\(int\)", None),
    "a[np.asarray(a - 0.4, dtype=np.intp)] * a": (r"\(a - 0\.4\)\.astype\(np\.intp\)", None),
    "from math import log as ln\nreturn ln(a[0])": (
        r"^ln\(a\[0\]\).*write np\.log\(a\[0\]\)", "np.log(a[0])"
    ),
    "math.erf(a[0] / 2)": (
        r"functions; write erf\(a\[0\] / 2\)", "__import__('comp551ad').functions.erf(a[0] / 2)"
    ),
    "complex(a[0])": ("leave complex\\(\\) out", "a[0]"),
    "a.item(0)": ("index it", "a[0]"),
    "a.tolist()": ("keep a as it is", "a"),
    "sum({*a[:2]}) * a": ("in a set: use a list", "sum([*a[:2]]) * a"),
    "b = 2 * a\nb.shape = 3, 1\nreturn b": (r"write a = a\.reshape", "(2 * a).reshape(3, 1)"),
    "a.view(np.ndarray)": ("keep a as it is", "a"),
    "np.real(a.astype(complex)) * a": ("a traced value is real", "a * a"),
    "np.outer(a, X).T.flat[1] * a": (r"write np\.ravel\(a\)", "np.outer(a, X).T.ravel()[1] * a"),
    # -- arrays of traced values
    "np.array([a, 2 * a])": ("already behaves like an array", None),
    "np.array([[a, X], [X, 2 * a]])": ("already behaves like an array", None),
    "np.array([v * a for v in a])": ("already behaves like an array", None),
    "np.asarray(a, dtype=float)": ("already behaves like an array", None),
    "b = np.array(a)\nb[0] = 2.0\nreturn a * b": (
        r"write np\.copy\(a\) instead", "b = np.copy(a)\nb[0] = 2.0\nreturn a * b"
    ),
    "np.array(a, ndmin=2)": (r"write np\.atleast_2d\(a\) instead", None),
    "np.sum([a, 2 * a])": ("in a list", None),
    "np.linalg.det([[a[0], 1.0], [2.0, -1.0]])": (r"a\[0\], 1\.0\]\), \[2\.0, -1\.0\]\]", None),
    "np.lib.stride_tricks.as_strided(a, (2, 2), (8, 8))": (
        "plain array", "np.stack([a[:2], a[1:]])"
    ),
    "np.mean([v * a for v in a])": ("in a list", None),
    "np.max([a, 2 * a], axis=0)": ("in a list", None),
    "np.linalg.det([[a[0], 1.0], [2.0, a[1]]])": ("in a list", None),
    "np.logaddexp(np.array([v * v for v in a]), X)": ("in a list", None),
    "hs = [a, 2 * a]\nreturn np.array(hs)": (
        r"write np\.stack\(hs\) instead", "np.stack([a, 2 * a])"
    ),
    "hs = [a, 2 * a]\nreturn np.mean(hs)": (
        r"in a list; write np\.mean\(np\.stack\(hs\)\) instead", "np.mean(np.stack([a, 2 * a]))"
    ),
    "np.maximum.reduce([a, 2 * a])": (r"in a list; write np\.maximum\.reduce\(np\.st", None),
    "np.exp(np.array([a[0], 1.0]))": ("in a list", None),
    "np.hypot(np.array([a[0], 1.0]), 2.0)": ("in a list", None),
    "np.cov([a[0], 2.0, 1.0], [1.0, a[1], a[2]])": ("in a list", None),
    "np.interp([a[0], 1.0], np.array([0.0, 2.0]), [1.0, 3.0])": (
        r"np\.interp\(np\.stack\(\[a\[0\], 1\.0\]\), np\.array\(\[0\.0, 2\.0\]\), \[1", None
    ),
    "np.array([a[0], 1.0]).astype(float)": ("method of a plain array", None),
    "M = np.array([[a[0], 1.0], [2.0, a[1]]])\nreturn np.linalg.det(M)": (
        r"^np\.linalg\.det\(M\).*sums, products.*np\.stack",
        "np.linalg.det(np.stack([np.stack([a[0], 1.0]), np.stack([2.0, a[1]])]))",
    ),
    "np.full(3, a)": ("return plain arrays", None),
    "np.full_like(X, 2 * a)": (r"^np\.full_like\(X, 2 \* a\).*return plain arrays", None),
    "np.c_[a, X]": ("plain arrays", None),
    "np.r_[a, 1.0, a[0]]": ("plain arrays", None),
    "np.r_[a]": (r"write np\.atleast_1d\(a\) instead", None),
    "np.r_[a, 0:3]": (
        r"write np\.concatenate\(np\.atleast_1d\(a, np\.arange\(0, 3\)\)\) instead",
        None,
    ),
    "np.r_['0', a, a]": ("plain array", "np.concatenate([a, a])"),
    "X.dot(a)": ("method of a plain array", None),
    "a @ EYE.dot(a)": (r"^EYE\.dot\(a\).*np\.dot\(EYE, a\), or EYE @ a", None),
    "(X > 1).dot(a) * a": (r"or \(X > 1\) @ a", None),
    "np.vectorize(lambda v: v * v)(a)": ("returns plain arrays", None),
    "np.vectorize(lambda v, w: v * w)(a, X)": ("returns plain arrays", None),
    "g = np.vectorize(lambda v: v * v)\nreturn g(a)": (
        r"write np\.stack\(\[g\.pyfunc", "np.stack([v * v for v in a])"
    ),
    "sum((1 + k[0]) * v for k, v in np.ndenumerate(a * X))": ("yields plain numbers", None),
    "np.polynomial.chebyshev.chebval(2.0, a)": ("numpy.polynomial works on plain", None),
    "np.polynomial.polynomial.polyval(2.0, a)": (
        r"write np\.polyval\(c\[::-1\], x\)", "np.polyval(a[::-1], 2.0)"
    ),
    "np.random.default_rng(0).normal(a)": ("noise drawn outside", "a + 0.125"),
    "np.random.normal(a[0])": ("noise drawn outside", "a[0] + 0.5"),
    "np.arange(a[0]) * a[0]": ("plain numbers", "np.arange(2.0) * a[0]"),
    # -- plain arrays that should contain them
    store("z[0] = 2 * a[0]"): (
        r"^z\[0\] = 2 \* a\[0\] \(line 3\)", "np.stack([2 * a[0], 0.0, 0.0])"
    ),
    store("z[:] = a"): ("z a traced array first", store("z[:] = a", "0 * a")),
    store("z[1] = 2 * a", "np.zeros((2, 3))"): (
        "a \\* np.zeros", store("z[1] = 2 * a", "a * np.zeros((2, 3))")
    ),
    store("z[X > 1] = a[X > 1]"): ("np.zeros", store("z[X > 1] = a[X > 1]", "0 * a")),
    store("z += a"): (r"^z \+= a.*write z = z \+ a", store("z = z + a")),
    store("z[1:] += a[0]"): (
        r"^z\[1:\] \+= a\[0\].*z a traced array first", store("z[1:] += a[0]", "0 * a")
    ),
    store("z *= a - 1", "np.ones(3)"): (
        r"write z = z \* \(a - 1\) instead", store("z = z * (a - 1)", "np.ones(3)")
    ),
    store("np.add(a, 1, out=z)"): ("out=", "np.add(a, 1)"),
    "np.sin(a, where=X > 1)": ("where=.*np.where", "np.where(X > 1, np.sin(a), 0 * a)"),
    "np.sin(a, dtype=np.float32)": ("dtype=.*leave it out", "np.sin(a)"),
    "a.mean(dtype=np.float32)": ("'dtype'.*leave it out", "a.mean()"),
    "np.add.reduceat(a, [0, 1])": ("np.add.reduceat.*np.sum", "np.stack([a[0], np.sum(a[1:])])"),
    store("np.fill_diagonal(z, a)", "EYE.copy()"): ("plain array", None),
    **{
        store(line): (r"make z a traced array first, z = a", store(line, "0 * a"))
        for line in (
            "np.copyto(z, a)", "np.put(z, [0, 2], [a[0], 1.0])", "np.place(z, X > 1, a[1])",
            "z.fill(a[0])", "z.put([0, 2], a[:2])", "z.T[1] = a[0]", "z.reshape(-1)[1] = a[0]",
            "z.flat[1] = a[0]", "z.T[1:] += a[0]",
        )
    },
    "v = np.where(X[0] > 9, 0.0, a[0])\nnp.maximum(v, a[1], out=v)\nreturn v * a": (
        "maximum: out=: leave it out", "np.maximum(np.where(X[0] > 9, 0.0, a[0]), a[1]) * a"
    ),
    store("np.add.at(z, [0, 2, 0], a)"): (
        r"^np\.add\.at\(.*z a traced array first", store("np.add.at(z, [0, 2, 0], a)", "0 * a")
    ),
    store("np.subtract.at(z, [0, 0], np.array([a[0], a[1]]))"): (
        r"^np\.subtract\.at\(.*z a traced array first",
        store("np.subtract.at(z, [0, 0], np.array([a[0], a[1]]))", "0 * a"),
    ),
    store("np.multiply.at(z, [0, 2], a[:2])", "a * 1.0"): (
        "np.multiply.at: .*np.where", store("z[[0, 2]] *= a[:2]", "a * 1.0")
    ),
    # -- tests a value, or uses it as an integer
    "a if a[0] else -a": (r"^a if a\[0\] else -a|truth of a", "a if a[0] != 0 else -a"),
    "a if any(a) else -a": ("truth value of a.*compare it", "a if any(a != 0) else -a"),
    "X[a[0]] * a": (r"^X\[a\[0\]\].*integers that are not diff", "X[1] * a"),
    "X[np.array([a[0], 1.0])] * a": (r"^X\[np\.array.*integers that are not diff", None),
    store("z[a[0]] = 2.0"): (r"^z\[a\[0\]\] = 2.*integers that are not diff", None),
    "a[a[0]]": ("index is a traced value.*integers", "a[1]"),
    "[1.0, 2.0][a[0]] * a": ("integers that are not diff", "[1.0, 2.0][1] * a"),
    "np.eye(a[0])": ("integers that are not diff", None),
    "np.roll(a, (a[0],))": ("integers that are not diff", None),
    "np.insert(a, a[0], 1.0)": ("integers that are not diff", None),
    "np.sum(a, axis=a[0])": ("integers that are not diff", "np.sum(a, axis=0)"),
    "len(a[0]) * a": ("no length", "a.size * a"),
    "bytes(a)": ("integer", None),
    # -- attributes that numbers lack
    "'%.4f' % a[0]": ("f-string", None),
    "__import__('statistics').mean(a)": (r"statistics and fractions.*NumPy's", "np.mean(a)"),
    "np.nanmedian(a)": ("^np.nanmedian can't.*np.median", "np.median(a)"),
    "np.linalg.svd(np.outer(a, a) + EYE)[1] * a": (
        r"sign of .* is arbitrary.*np\.linalg\.svdvals\(a\)",
        "np.linalg.svdvals(np.outer(a, a) + EYE) * a",
    ),
    "np.linalg.svd(np.outer(a, a), hermitian=True)[1]": (r"write np\.abs\(np\.linalg\.eig", None),
    "np.linalg.eigh(np.outer(a, a) + EYE)[0] * a": (
        r"sign of .* is arbitrary.*np\.linalg\.eigvalsh\(a\)",
        "np.linalg.eigvalsh(np.outer(a, a) + EYE) * a",
    ),
    "np.fft.fft(a)": ("^np.fft.fft can't.*add a primitive", None),
    # -- operands of the wrong type
    "a + 1j": ("^add: got complex, expected real.*separately", "a + np.real(1j)"),
    "a * [1.0, [2.0, 3.0]]": ("expected rows of equal length", "a * [1.0, 2.0, 3.0]"),
    "a * np.ma.array(X, mask=[0, 1, 0])": ("got MaskedArray", "a * np.asarray(X)"),
    "np.ma.array(X, mask=[0, 1, 0]) * a": ("array", "X * a"),
    "a * __import__('fractions').Fraction(1, 2)": ("got Fraction.*dtype=float", "a * 0.5"),
}  # fmt: skip
# The plain program does something else, or nothing: the alternative is judged by its own value.
IN_WORDS = {
    "a.mean(dtype=np.float32)", "np.sin(a, dtype=np.float32)",
    "a * [1.0, [2.0, 3.0]]", "a + 1j",
    "a * np.ma.array(X, mask=[0, 1, 0])",
    "X[a[0]] * a", "a[a[0]]", "complex(a[0])", "a.tolist()",
    "np.ma.array(X, mask=[0, 1, 0]) * a", "[1.0, 2.0][a[0]] * a", "np.sum(a, axis=a[0])",
    "len(a[0]) * a", "np.arange(a[0]) * a[0]",
    "np.sin(a, where=X > 1)", "np.random.default_rng(0).normal(a)", "np.random.normal(a[0])",
    "a * __import__('fractions').Fraction(1, 2)",
}  # fmt: skip
ids = [text.replace("\n", "; ")[:50] for text in CASES]


def ways(f):
    """Every transform: record, both modes, inside another derivative, and the writer."""
    return (
        lambda: record(f, X),
        lambda: jvp(f, (X,), (T,)),
        lambda: grad(lambda x: total(f(x)))(X),
        lambda: grad(lambda x: np.sum(x) * total(jvp(f, (x,), (T,))[1]))(X),
        lambda: write_gradient(lambda x: total(f(x)), X),
    )


def total(result):
    return np.sum(pytrees.leaves(result)[0])


def written_out(text):
    """The message's alternative, completed to the whole quoted expression."""
    quoted = re.match(r"(.+) \(line \d+\) can't", text)
    found = re.search(r"; write (?!an f-string)([^;]+?),? instead$", text)
    return (quoted[1], found[1].split(", or ")[-1]) if found else None


@pytest.mark.parametrize("text", CASES, ids=ids)
def test_refused_in_the_users_own_words(text):
    words, _ = CASES[text]
    for way in ways(compiled(text)):
        with pytest.raises(TraceError, match=words) as caught:
            way()
        assert len(str(caught.value)) < 400
        for inside in ("_ravel", "_clip", "_norm", "Tracer", "positional argument"):
            assert inside not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")  # NumPy 2.5
@pytest.mark.parametrize("text", CASES, ids=ids)
def test_the_way_out_works(text):
    f, (_, way_out) = compiled(text), CASES[text]
    if way_out is None:
        with pytest.raises(TraceError) as caught:
            record(f, X)
        if not (found := written_out(str(caught.value))):
            return
        quoted, instead = found
        way_out = re.sub(r"\s+", " ", text).replace(quoted, instead)
        assert way_out != text
    g = compiled(way_out)
    plain = g if text in IN_WORDS else f
    check_right(g, X, plain=plain, written="if" not in way_out)


def test_every_way_out_and_every_refused_method_has_a_case():
    seen = []
    for text in CASES:
        with pytest.raises(TraceError) as caught:
            record(compiled(text), X)
        seen.append(str(caught.value))
    for _, why, _ in WAYS_OUT:
        assert any(f"; write {why}" in s or f": {why};" in s for s in seen), why
    for what, instead in REFUSED.values():
        assert any(instead in s for s in seen) or what in (
            "a.astype()", "a traced value as a plain array", "int() of a traced value"
        ), what  # fmt: skip


def test_without_a_source_the_operation_is_named(monkeypatch):
    # Python 3.13 finds the source of `python -c` under this name.
    other = (8, None, ["import it\n"], "<string>")
    monkeypatch.setitem(linecache.cache, "<string>", other)
    f = eval("lambda a: math.exp(a[0])", {"math": math})
    with pytest.raises(
        TraceError, match="^a traced value as a plain number can't be traced: use"
    ):
        grad(f)(X)


@pytest.mark.parametrize(
    "text", ["np.sum(np.maximum(np.array([*a]), 0))", "np.max(np.array([*a]))"]
)
def test_what_numpy_asks_of_each_number_is_told_from_what_f_asks(text):
    """np.maximum in place of np.maximum would be no alternative."""
    with pytest.raises(ProgramError, match=r"join its numbers with np\.stack first"):
        write_gradient(compiled(text), X)
    way_out = compiled(text.replace("np.array([*a])", "np.stack([*a])"))
    np.testing.assert_allclose(write_gradient(way_out, X)(X), grad(way_out)(X))
    with pytest.raises(ProgramError, match=r"looks at a value \(any\)"):
        write_gradient(compiled("np.sum(a if np.any(a > 0) else -a)"), X)
    first = compiled("np.sum(a[np.where(a > 1)[0][0]])")
    np.testing.assert_allclose(write_gradient(first, X)(X), grad(first)(X))


# ---------------------------------------------------------------- what f returns


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (lambda a: (v * v for v in a), "generator"), (lambda a: f"{a[0]}", "str"),
        (lambda a: None, "NoneType"), (lambda a: {1.0}, "set"), (lambda a: range(2), "range"),
        (lambda a: lambda: a, "function"), (lambda a: np.array([None]), "ndarray of object"),
        (lambda a: np.array(["x"]), "ndarray of <U1"), (lambda a: 1j, "complex"),
        (lambda a: np.array([1j]), "ndarray of complex"), (lambda a: b"x", "bytes"),
    ],
)  # fmt: skip
def test_outputs_that_are_no_numbers(result, kind):
    for f in (result, lambda a: [a, {"k": result(a)}]):
        for way in (
            lambda f=f: record(f, X),
            lambda f=f: jvp(f, (X,), (T,)),
            lambda f=f: vjp(f, X),
            lambda f=f: grad(f)(X),
            lambda f=f: jacobian(f)(X),
        ):
            with pytest.raises(
                TraceError, match=f"returned {kind}.*expected real numbers"
            ):
                way()


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[0] > 0,
        lambda x: x > 0,
        lambda x: True,
        lambda x: np.mean((x > 0) == [True, False, True]),
        lambda x: np.argmax(x),
        lambda x: np.sum(x > 0.7),
        lambda x: max(-x[0], 0.0),
        lambda x: np.clip(np.array([x[0], x[1]]), -0.1, 0.1),
        lambda x: {"loss": x[0], "accuracy": np.mean(np.argsort(x) == np.arange(3))},
    ],
)
def test_an_accuracy_is_no_cost(f):
    """A comparison, a count, an index: their derivative would silently be zero."""
    for way in (
        lambda: grad(lambda x: pytrees.leaves(f(x))[-1])(X),
        lambda: jacobian(f)(X),
        lambda: jvp(f, (X,), (T,)),
        lambda: vjp(f, X),
    ):
        with pytest.raises(TraceError, match="no derivative.*accuracy.*cross-entropy"):
            way()
    record(f, X)  # may be recorded


# ---------------------------------------------------------------- refusals that f swallows


def swallows(action, otherwise=0.0):
    def f(a):
        try:
            got = action(a)
        except Exception:
            got = otherwise
        return np.sum(a) * 0.0 + np.sum(a**3 if got is None else got)

    return f


def fills(a):
    c = np.zeros(2)
    c[0] = a[0] * a[1]
    return c


SWALLOWED = {
    "math.log": swallows(lambda a: math.log(a[0])),
    "float": swallows(lambda a: float(a[0]) ** 2),
    "complex": swallows(lambda a: complex(a[0]) * a[0]),
    "store": swallows(fills),
    "np.array": swallows(lambda a: np.array([a, a])),
    "an array of objects": swallows(lambda a: np.linalg.det([[a[0]]])),
    "X.dot": swallows(lambda a: X.dot(a)),
    "in a helper": swallows(lambda a: swallows(lambda v: math.sqrt(v[0]))(a)),
    "inside a gradient": lambda a: (
        grad(swallows(lambda v: math.exp(v[0])))(a)[0] + a[0]
    ),
}


@pytest.mark.parametrize("name", SWALLOWED)
def test_a_refusal_that_f_swallows_is_told_at_the_end(name):
    for way in ways(SWALLOWED[name]):
        with pytest.raises(TraceError, match="can't be traced"):
            way()


@pytest.mark.parametrize(
    "f",
    [
        swallows(lambda a: float("x") * a, None),
        swallows(lambda a: np.sum(a * [1.0, 2.0, 3.0]) ** 2),
        swallows(lambda a: hash(a) and None, None),
        lambda a: np.sum(as_float(a[0]) * a),
    ],
)
def test_a_swallowed_refusal_that_changes_nothing_is_benign(f):
    check_right(f, X)


def as_float(x):
    try:
        x = float(x)
    except TypeError:
        pass
    return x


def test_what_one_recording_swallowed_is_not_told_by_the_next():
    assert grad(lambda a: a * a)(3.0) == 6.0
    with pytest.raises(TraceError):
        grad(SWALLOWED["math.log"])(X)
    assert jvp(lambda a: np.sum(a) * 1.0, (X,), (T,))[1] == pytest.approx(np.sum(T))


def test_a_trace_error_is_a_type_error():
    assert issubclass(TraceError, TypeError)


def test_a_constant_beside_a_comparison_is_no_accuracy():
    """The slope of a leaky relu, a count of layers: they depend on no value."""

    def leaky(x):
        return np.sum(np.where(x > 0, x, 0.3 * x))

    assert grad(lambda x: np.sum(grad(leaky)(x)))(X).tolist() == [0.0] * 3
    assert jacobian(grad(leaky))(X).tolist() == np.zeros((3, 3)).tolist()
    out, pull = vjp(lambda x: (leaky(x), 3), X)
    assert out == (np.sum(X), 3) and pull((2.0, 1.0))[0].tolist() == [2.0] * 3


def test_a_refusal_that_python_puts_a_text_of_its_own_over_is_what_one_reads():
    """As "%f" % a does since Python 3.15."""

    def formatted(a):
        try:
            return float(a)
        except TypeError:
            text = "format argument: %f requires a real number, not Tracer"
            raise TypeError(text) from None

    with pytest.raises(TraceError, match=r"^float\(a\).*leave float\(\) out"):
        record(formatted, 2.0)


def test_an_error_of_the_function_itself_stays_as_it_is():
    def f(a):
        raise TypeError("format argument: %f requires a real number, not str")

    with pytest.raises(TypeError, match="not str") as caught:
        record(f, 2.0)
    assert not isinstance(caught.value, TraceError)

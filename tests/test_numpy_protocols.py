"""comp551ad/autodiff/numpy_protocols.py: NumPy code works the same on traced values.

Each program is right (its value is plain NumPy's and its derivative matches differences), or fails
with NumPy's own error; type queries have the plain value's result. NumPy's other functions are
tested in ``test_composites``, refusals in ``test_refusals``.
"""

import copy
import enum
import functools
import io
import math
import operator

import numpy as np
import pytest
from test_composites import check_right

from comp551ad import (
    TraceError,
    grad,
    jvp,
    logsumexp,
    record,
    reverse,
    softmax,
    vjp,
    write_gradient,
)

X = np.array([1.5, 0.5, 2.0])
T = np.array([0.3, -1.1, 0.7])  # a direction
EYE = np.eye(3)


def then(action):
    """A statement as a function: apply it to a, and return a."""

    def f(a):
        action(a)
        return a

    return f


class Place(enum.IntEnum):
    MIDDLE = 1


def real_parts(a):
    """Views of a, as NumPy's are."""
    b = a * 1.0
    c, d = b.real, np.real(b)
    c *= 2
    d += a[0]
    return b * c


# ---------------------------------------------------------------- right

RIGHT = {
    "real parts": real_parts,
    "iteration": lambda a: sum(v * v for v in a),
    "a.flat": lambda a: sum(v * v for v in np.outer(a, X).flat) * a.flat[1],
    "its diagonal": lambda a: np.outer(a, X)[np.diag_indices_from(np.outer(a, X))],
    "in": lambda a: a if 9.0 in a else 2 * a,
    "of a number": lambda a: np.sum(a[0][False]) + a[1][np.array(True)][0],
    "lower triangle": lambda a: np.linalg.eigvalsh(np.outer(a, a) + np.diag(a), "L"),
    "unpacking": lambda a: (lambda p, q, r: p * q / r)(*a),
    "enumerate": lambda a: sum(k * v for k, v in enumerate(a)),
    "reversed": lambda a: list(reversed(a)),
    "list": lambda a: list(a),
    "sum": lambda a: sum([a[0], a[1]]),
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
    "ternary": lambda a: a[0] if a[0] > 0 else -a[0],
    "any": lambda a: a if np.any(a > 1) else -a,
    "is None": lambda a: a if a is not None else -a,
    "== None": lambda a: a if not np.any(a == None) else -a,  # noqa: E711
    "== string": lambda a: a if not np.any(a == "train") else -a,
    "in a list": lambda a: a if a[0] in [1.4, 1.6] else -a,
    "shapes": lambda a: a * a.shape[0] * np.shape(a)[0] * a.ndim * np.size(a),
    "mask": lambda a: a[a > 1],
    "x[mask]": lambda a: X[a > 1] * a[0],
    "argmax": lambda a: a[np.argmax(a)] * a[a.argmin()],
    "where of a mask": lambda a: a[np.where(a > 1)],
    "zeros_like": lambda a: np.zeros_like(a) + np.ones_like(a) * a,
    "a.copy": lambda a: a.copy() * np.copy(a),
    "flatten": lambda a: np.outer(a, a).flatten() * np.outer(a, a).ravel(),
    "a.reshape": lambda a: a.reshape(3, 1) * a.reshape((1, -1)),
    "a.T": lambda a: np.outer(a, X).T * np.outer(a, X).transpose(1, 0),
    "a.dot": lambda a: a.dot(EYE).dot(a),
    "methods": lambda a: a.sum() * a.mean() * a.max() / a.min() + a.var() * a.std(),
    "negative index": lambda a: a[-1] * a[::-1] * a[-2:][0],
    "fancy": lambda a: a[[0, 0, 2]] * a[np.array([2, 1, 1])],
    "numpy integers": lambda a: (
        a[np.int64(1)] * np.int8(3) + np.float32(0.5) * np.uint8(2)
    ),
    "nested list constant": lambda a: a * [[1, 2, 3], [4, 5, 6]],
    "tuple constant": lambda a: (1, 2, 3) + a - (1.0, 2.0, 3.0),
    "bool constant": lambda a: a * True + np.array([True, False, True]),
    "range constant": lambda a: a * np.arange(3),
    "big int": lambda a: a * 10**30 / 1e30,
    "longdouble": lambda a: a * np.longdouble(2),
    "0-d array": lambda a: a * np.array(2) + np.array(0.5),
    "several new axes": lambda a: np.expand_dims(a, (0, 2)) * np.expand_dims(a, [1, 2]),
    "stack constants": lambda a: np.stack([a, X, [1, 2, 3]]),
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
    "another kind of index": lambda a: a[Place.MIDDLE] * a[True],
    "a number's index": lambda a: (
        a[0][()] * a[1][...] * a[2][None] * a[0][None, ..., None]
    ),
    "copy with order": lambda a: a.copy("C") * a.copy(order="F"),
    "read-only views of odd memory": lambda a: (
        a * np.lib.stride_tricks.sliding_window_view(np.arange(5.0), 3)
        + np.frombuffer(np.arange(3.0).tobytes())
    ),
    "print": then(lambda a: print(a, a[0], [a], file=io.StringIO())),
    "f-string": then(lambda a: f"{a} {a[0]} {a!r}"),
    "%s": then(lambda a: "%s %r" % (a, a)),  # noqa: UP031
    "constant output": lambda a: 3.0,
    "empty output": lambda a: [],
    "copies": lambda a: copy.copy(a) * copy.deepcopy([a])[0],
    "floor and mod": lambda a: a // 0.8 + a % 0.8 + 2.1 % a + divmod(a, 0.8)[1],
    "round": lambda a: round(a[0] * 1.02, 1) + round(a[2] * 1.1) * a,
    "X.clip": lambda a: np.array([0.7, 0.1, 0.3]).clip(a[1], a[0]),
    "reflected": lambda a: X - a + X * a / (X @ a) + 2 / a,
}


@pytest.mark.parametrize("name", RIGHT)
def test_right(name):
    f = RIGHT[name]
    # Another mask would select a different number of entries.
    check_right(f, X, written=not ("mask" in name or record(f, X).decisions))


def test_what_is_printed_is_the_value():
    seen = []

    def f(a):
        seen.extend([f"{a[0]:.2f}", format(a[0] * 2, "6.1e"), repr(a), str(a[0])])
        return a

    record(f, X)
    assert seen[:2] == ["1.50", "3.0e+00"]
    assert "traced" in seen[2] and "1.5" in seen[2] and "1.5" in seen[3]


# ---------------------------------------------------------------- type questions

TYPE_QUESTIONS = {
    "isinstance ndarray": lambda x: np.sum(x**2) if isinstance(x, np.ndarray) else x**3,
    "isinstance float": lambda x: x**2 if isinstance(x, float) else np.sum(x**3),
    "isinstance many": lambda x: (
        x**2 if isinstance(x, int | float | np.number) else np.sum(x**3)
    ),
    "isscalar": lambda x: x**2 if np.isscalar(x) else np.sum(x**3),
    "ndim": lambda x: x**2 if np.ndim(x) == 0 else np.sum(x**3),
    "shape": lambda x: x**2 if np.shape(x) == () else np.sum(x**3),
    "hasattr shape": lambda x: (
        np.sum(x**2) if hasattr(x, "shape") and x.shape else x**3
    ),
    "of a part": lambda x: np.sum(
        x * (2.0 if isinstance(x * 1.0, np.ndarray) else 3.0)
    ),
    "__class__": lambda x: np.sum(x**2) if x.__class__ is np.ndarray else x**3,
    "not a list": lambda x: x[0] if isinstance(x, list | tuple) else np.sum(x**2),
}


@pytest.mark.parametrize("x", [2.0, np.array([2.0, 3.0])], ids=["number", "array"])
@pytest.mark.parametrize("name", TYPE_QUESTIONS)
def test_type_questions_have_the_answers_of_the_plain_value(name, x):
    check_right(TYPE_QUESTIONS[name], x)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x**2 if type(x) is float else x**3,
        lambda x: x**2 if type(x) in (float, np.float64) else x**3,
        lambda x: {float: 2.0, np.float64: 2.0}.get(type(x), 3.0) * x,
    ],
)
def test_what_type_answers_is_noticed_by_a_recording(f):
    """type(x) can't return the plain type: record and write compare with one plain run."""
    for way in (record, write_gradient):
        with pytest.raises(
            TraceError, match=r"plain numbers give .*np\.ndim\(x\) == 0"
        ):
            way(f, 2.0)


# ---------------------------------------------------------------- numbers in lists


IN_LISTS = [
    lambda a: np.array([a[0], 2 * a[1]]),
    lambda a: np.array([[np.cos(a[0]), -np.sin(a[0])], [np.sin(a[0]), 2.0]]) @ X[:2],
    lambda a: np.exp(np.array([v * v for v in a])) * a,
    lambda a: np.sum([a[0], a[1]]) + np.mean([a[0], 1.0]) * np.std([v for v in a]),
    lambda a: np.var(np.array([[a[0], 1.0], [2.0, a[1]]])),
    lambda a: np.full((2, 2), a[0]).sum() * np.r_[a[0], 1.0, a[1]],
    lambda a: np.dot([a[0], 1.0, 2.0], X) + [a[1], 1.0],
    lambda a: a * [a[0], 1.0, 2.0],
    lambda a: np.linalg.norm([a[0], 2.0]) * np.asarray(a[1]),
    lambda a: np.concatenate([np.array([a[0], 2.0]), a]),
    lambda a: np.append([a[0]], [a[1] * a[0]]).prod(),
    lambda a: {"k": np.array([a[2], a[1]])},
    lambda a: np.array([[1.0, a[0]], [0.0, 1.0]]) @ X[:2] * np.array([[a[1]], [1]]),
    lambda a: np.where(a > 1, [a[0], a[1], 1.0], np.array([a[1] * a[0], a[0], a[2]])),
    lambda a: (a > 1) * [a[0], a[1], 1.0] + (a > 1) * np.array([a[1], a[0], a[2]]),
    lambda a: np.dot(a > 1, [a[1], a[0], a[2]]) * np.outer(a > 1, b=[a[0], a[1]]),
    lambda a: (
        np.where(a > [a[1], 1.0, a[0]], a, a * a) * np.isclose(a, [a[0], 1.0, a[2]])
    ),
    lambda a: np.where(a > np.array([a[1], 1.0, a[0]]), a, a * a),
    lambda a: np.array([np.sum(a**3)]),
]


@pytest.mark.parametrize("f", IN_LISTS)
def test_numbers_in_a_list_are_traced(f):
    check_right(f, X)


@pytest.mark.parametrize(
    "f",
    [
        np.sign,
        np.floor,
        np.ceil,
        np.trunc,
        np.vectorize(math.floor, otypes=[object]),
        lambda x: np.maximum(x - 9.0, 0),
        lambda x: x**2 if np.array_equal(x, np.array([*x])) else x,
    ],
)
def test_what_numpy_chooses_among_traced_numbers_may_be_plain(f):
    check_right(lambda a: f(np.array([a[0], a[1]])) * a[:2], X, written=False)
    check_right(lambda a: f(np.array([[a[0], a[1]]]))[:0] * a[:2], X, written=False)


def test_methods_of_data_take_traced_values():
    """mask.dot(a), also with a list of traced numbers, as in np.dot."""

    def f(a, mask):
        return mask.dot(a) + mask.dot([2 * a[0], a[1], a[2]])

    mask = np.array([True, False, True])
    assert reverse(record(f, X, mask))["a"].tolist() == [3.0, 0.0, 2.0]
    assert write_gradient(f, X, mask)(X, mask).tolist() == [3.0, 0.0, 2.0]


def test_a_list_is_joined_once():
    t = record(lambda a: np.sum(a * [a[0], a[1], 1.0]), X)
    primitives = [node.primitive for node in t.nodes]
    assert primitives == ["input", "getitem", "getitem", "stack", "multiply", "sum"]


def test_an_array_of_traced_numbers_is_where_one_differentiates_inside_a_function():
    def at(x):
        return np.array([x, 2 * x])

    def cubes(y):
        return np.sum(y**3)

    ways = [
        lambda x: np.sum(grad(cubes)(at(x))),
        lambda x: np.sum(vjp(np.square, at(x))[1](at(x))[0]),
        lambda x: np.sum(jvp(np.square, (at(x),), (at(x),))[1]),
    ]
    assert [grad(way)(2.0) for way in ways] == pytest.approx([60.0, 40.0, 40.0])


def test_a_list_inside_a_derivative_writes_nothing_further_out():
    """The plain run that a recording inside f is compared with isn't on f's tape."""

    def f(x, join):
        return grad(lambda y: np.sum(y * join([y * x[0], y * x[1]])))(x[0])

    listed, stacked = (functools.partial(f, join=j) for j in (np.array, np.stack))
    one, two = record(listed, X), record(stacked, X)
    assert len(one.nodes) == len(two.nodes)
    expected = grad(stacked)(X)
    assert grad(listed)(X).tolist() == pytest.approx(expected.tolist())
    np.testing.assert_allclose(write_gradient(listed, X)(X), expected, rtol=1e-12)


def squares_of_floats(y, x):
    """It returns cubes for an array of objects."""
    z = np.array([y, x])
    return np.sum(z**2 if z.dtype == float else z**3)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: squares_of_floats(x, 2 * x),
        lambda x: grad(lambda y: squares_of_floats(y, x))(x),
    ],
    ids=["alone", "inside a derivative"],
)
def test_an_answer_for_objects_is_not_believed(f):
    """np.array([a, b]) is an array of objects, and f may test for that."""
    for way in (grad(f), lambda x: record(f, x), lambda x: write_gradient(f, x)):
        with pytest.raises(TraceError, match=r"np.array\(\[a, b\]\) can't be traced"):
            way(2.0)


# ---------------------------------------------------------------- attributes

ATTRIBUTES = (
    "cumsum prod all any take repeat diagonal trace nonzero searchsorted ptp conj "
    "tobytes setflags flat real imag nbytes strides flags data mT foo sin backward numpy"
).split()


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_are_right_or_refused_by_name(name):
    """AttributeError, so that hasattr returns False; the message says what to do."""

    def f(a):
        got = getattr(
            np.outer(a, X) if name in ("trace", "mT", "diagonal") else a, name
        )
        return got(0) if name in ("take", "repeat") else got() if callable(got) else got

    try:
        jvp(f, (X,), (T,))
    except (AttributeError, TraceError) as error:
        assert name in str(error) or name in ("all", "any")
        kind = "use the NumPy function" in str(error) or isinstance(error, TraceError)
        assert kind or not hasattr(np.ndarray, name)
    else:
        check_right(f, X)


def test_attributes_cannot_be_set():
    for name in ("foo", "shape", "T", "size"):
        with pytest.raises((AttributeError, TraceError), match=f"{name}|no setter"):
            record(then(lambda a, name=name: setattr(a, name, 1)), X)


# ---------------------------------------------------------------- unknown functions


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (
            lambda a: np.nanmedian(a),
            "^np.nanmedian can't be .*the closest that can are .*np.nan",
        ),
        (
            lambda a: np.linalg.eigvals(np.outer(a, a)),
            "^np.linalg.eigvals can't be differentiated here. Write",
        ),
        (
            lambda a: np.linalg.eigvalsh(np.outer(a, a), UPLO="U"),
            "expected no keywords",
        ),
        (lambda a: np.linalg.eigh(np.outer(a, a), "U")[0], "sign of .* is arbitrary"),
        (lambda a: np.fft.rfft(a), "^np.fft.rfft can't"),
        (lambda a: np.frompyfunc(abs, 1, 1)(a), "can't be differentiated"),
        (lambda a: np.sum(a, foo=1), "sum.*foo"),
        (lambda a: np.sin(a, out=np.zeros(3)), "out=.*use the result"),
        (lambda a: np.sin(a[0], out=a[0]), "np.sin: out=.*use the result"),
        (lambda a: np.add(a[1], 1.0, out=a[0]), "np.add: out=.*use the result"),
        (lambda a: np.sum(a, out=a[0]), "np.sum: out=.*use the result"),
        (lambda a: np.vecdot(a, a, axis=0), r"np.vecdot: axis=.*np\.moveaxis"),
        (lambda a: np.add(a, 1.0, out=a, where=X > 1), "np.add: (out|where)="),
        (lambda a: np.add(a, 1.0, out=a, dtype=np.float32), "np.add: (out|dtype)="),
        (lambda a: np.less(a, 2.0, out=a), "np.less: out="),
        (lambda a: np.where(X > 1, a), "np.where: got one choice"),
        (lambda a: np.clip(a, 0, 1, out=X.copy()), "np.clip: out="),
        (lambda a: a.sum(out=np.zeros(())), "np.sum: out="),
        (lambda a: np.add.reduce(a, 0, None, np.zeros(())), "np.add.reduce"),
        (lambda a: np.dot(EYE, a, np.zeros(3)), "np.dot: these arguments"),
        (lambda a: np.clip(a, 0, 1, min=0), "np.clip: these arguments"),
        (lambda a: np.ravel(np.outer(a, X).T, order="K"), "np.ravel: .*'C' or 'F'"),
        (lambda a: np.outer(a, X).T.reshape(-1, order="A"), "np.reshape: .*'C' or 'F'"),
    ],
)
def test_functions_and_options_that_are_not_there_are_named(f, words):
    """Never a list of sixty names, and no names that NumPy doesn't have."""
    with pytest.raises(TypeError, match=words) as caught:
        grad(lambda a: np.sum(f(a)))(X)
    near = str(caught.value).partition("that can are ")[2].partition(". ")[0]
    for name in filter(None, near.split(", ")):
        assert eval(name, {"np": np}) and name.count(".") == 1


def test_functions_of_scipy_are_called_scipys():
    special = pytest.importorskip("scipy.special")
    with pytest.raises(TraceError, match="scipy") as caught:
        grad(lambda a: np.sum(special.psi(a)))(X)
    assert "np.psi" not in str(caught.value)
    # This one is written in Python, and converts its argument to an array.
    with pytest.raises(TraceError, match="comp551ad's logistic, softmax, logsumexp"):
        grad(special.logsumexp)(X)
    expected = special.expit(X) * (1 - special.expit(X))
    np.testing.assert_allclose(grad(lambda a: np.sum(special.expit(a)))(X), expected)


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
    "norm along three axes": lambda a: np.linalg.norm(a[None, None], axis=(0, 1, 2)),
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
    "einsum of two operands for three": lambda a: np.einsum("i,i,i", a, a),
    "where of two": lambda a: np.where(a > 1, a),
    "concatenate a vector": lambda a: np.concatenate(a),
    "clip of nothing": lambda a: np.outer(a),
    "in place, what is wider": lambda a: operator.iadd(a[:1] * 1.0, a),
    "in place, stretched": lambda a: operator.setitem(np.broadcast_to(a, (2, 3)), 0, 1),
    "in place, elsewhere": lambda a: operator.setitem(a * 1.0, 5, 0.0),
}
# If counted from the end, axis 2 of a matrix would be its axis 0, and the result wrong.
for _axis in (2, -3, (0, 2), 17, [0]):
    for _f in (np.sum, np.mean, np.max, np.min, np.var, np.std, softmax, logsumexp):
        SAME_AS_NUMPY[f"{_f.__name__}, axis={_axis}"] = lambda a, f=_f, axis=_axis: f(
            np.outer(a, a), axis=axis
        )


@pytest.mark.parametrize("name", SAME_AS_NUMPY)
def test_errors_of_shapes_and_indices_are_numpys(name):
    """The traced program fails like the plain one: the same type of error, with a message."""
    f = SAME_AS_NUMPY[name]
    with pytest.raises(Exception) as plain:  # noqa: B017, PT011
        f(X)
    kinds = {np.exceptions.AxisError: (ValueError, IndexError)}
    expected = kinds.get(plain.type, plain.type)
    if name in ("too large an int", "where of two", "concatenate nothing"):
        expected = (plain.type, TraceError)
    with pytest.raises(expected) as traced:
        record(f, X)
    text = str(traced.value)
    assert text and "list index out of range" not in text and "NoneType" not in text

"""Every composite and primitive on examples: NumPy's value, both modes, the program.

An example is a call of NumPy's own function. Its float arrays and np.float64's, in lists too, are
traced; lists of numbers, Python's numbers, masks and indices stay plain.
"""

import operator

import numpy as np
import pytest

from comp551ad import functions as fn
from comp551ad import grad, jvp, pytrees, record, value_and_grad, vjp, write_gradient
from comp551ad.autodiff.composites import COMPOSITES, SCIPYS
from comp551ad.autodiff.primitives import PRIMITIVES, _dominant, _sample
from comp551ad.autodiff.refusals import TraceError

# NumPy 2.5 calls it np.trunc.
pytestmark = pytest.mark.filterwarnings("ignore:numpy.fix is deprecated")


def call(*args, **kwargs):
    return args, kwargs


A, B, CUBE = _sample(2, 3), _sample(2, 3, turn=0.3), _sample(2, 3, 4)
SQUARE, VECTOR, OTHER = _sample(3, 3), _sample(3, turn=0.2), _sample(3, turn=0.6)
HIGH = _sample(2, 3, low=0.4, high=2.1)
NANS = np.array([[0.3, np.nan, -0.7], [np.nan, 1.1, 0.4]])
BOUNDS = np.array([-0.5, 0.2, 0.9])
NUMBER = np.float64(0.3)
FIRST = np.array([[True, False, True], [False, True, False]])

ONE_ARRAY = call(A)
REDUCED = [
    call(A),
    call(A, 0),
    call(CUBE, axis=(0, 2)),
    call(A, axis=-1, keepdims=True),
]
EXAMPLES = {
    np.power: [call(HIGH, B), call(HIGH, 2), call(2.0, B)],
    np.abs: [ONE_ARRAY],
    np.sqrt: [call(HIGH)],
    np.maximum: [call(A, B), call(A, 0), call(0.1, A), call(A, BOUNDS.tolist())],
    np.minimum: [call(A, B), call(A, 0), call(0.1, A), call(A, BOUNDS.tolist())],
    np.fmax: [call(A, B), call(A, NANS), call(NANS, A)],
    np.fmin: [call(A, B), call(A, NANS), call(NANS, A)],
    np.zeros_like: [call(A), call(NUMBER), call(A, dtype=int), call(A, shape=2)],
    np.ones_like: [call(A), call(NUMBER), call(A, dtype=int)],
    np.empty_like: [call(np.ones((0, 2)))],
    np.interp: [
        call(A, [-0.6, 0.1, 0.8], VECTOR),
        call(NUMBER, BOUNDS, VECTOR),
        call([0.0, 9], BOUNDS, OTHER),
    ],
    np.clip: [call(A, -0.5, 0.5), call(A, None, 0.5), call(A, min=-0.5), call(A, -1.0, BOUNDS)],
    np.where: [call(FIRST, A, B), call(FIRST, 0, B), call(FIRST, VECTOR, 1.0)],
    np.dot: [
        call(2.0, A), call(NUMBER, 2), call(A, VECTOR), call(CUBE, _sample(4)),
        call(VECTOR, _sample(2, 3, 2)), call(A, _sample(2, 3, 2)),
    ],
    np.outer: [call(A, VECTOR)],
    np.linalg.outer: [call(VECTOR, OTHER)],
    np.concatenate: [
        call([A, B]), call((A, B), axis=-1), call([A, VECTOR], axis=None), call(CUBE),
    ],
    np.stack: [call([A, B]), call((A, B), axis=-1), call(CUBE)],
    np.hstack: [call([A, B]), call([VECTOR, OTHER]), call([NUMBER, VECTOR])],
    np.vstack: [call([A, B]), call([VECTOR, A])],
    np.dstack: [call([A, B]), call([VECTOR, OTHER])],
    np.column_stack: [call([A, B]), call([VECTOR, OTHER]), call([VECTOR, SQUARE])],
    np.append: [call(A, B), call(VECTOR, 1.0), call(A, B, axis=1)],
    np.atleast_1d: [call(NUMBER), call(A), call(NUMBER, VECTOR)],
    np.atleast_2d: [call(NUMBER), call(VECTOR), call(A, VECTOR)],
    np.atleast_3d: [call(NUMBER), call(VECTOR), call(A), call(CUBE)],
    np.split: [call(A, 3, 1), call(A, [1], 0)],
    np.array_split: [call(_sample(5), 2), call(A, 2, axis=1)],
    np.hsplit: [call(A, 3), call(_sample(4), 2)],
    np.vsplit: [call(A, 2)],
    np.dsplit: [call(CUBE, 2)],
    np.reshape: [
        call(A, (3, 2)), call(A, -1), call(A, (3, -1), order="F"), call(CUBE, (4, 6), order="F"),
    ],
    np.ravel: [call(A), call(A, order="F"), call(NUMBER)],
    np.moveaxis: [call(CUBE, 0, -1), call(CUBE, (0, 1), (1, 2))],
    np.rollaxis: [call(CUBE, 2)],
    np.swapaxes: [call(CUBE, 0, -1)],
    np.matrix_transpose: [call(CUBE)],
    np.linalg.matrix_transpose: [call(A)],
    np.flip: [call(A), call(A, 1)],
    np.flipud: [ONE_ARRAY],
    np.fliplr: [ONE_ARRAY],
    np.rot90: [call(A), call(A, 2), call(A, -1), call(CUBE, 1, (1, 2))],
    np.roll: [
        call(NUMBER, 1),
        call(A, 2), call(A, 1, axis=1), call(A, -1, 0), call(A, (1, 2), axis=(0, 1)),
        call(VECTOR, 7),
    ],
    np.tile: [call(VECTOR, 2), call(A, (2, 1)), call(VECTOR, (2, 2)), call(NUMBER, 3)],
    np.repeat: [
        call(A, 2), call(A, 2, axis=0), call(A, 3, axis=-1), call(VECTOR, [0, 2, 1]),
        call(NUMBER, 2),
    ],
    np.delete: [call(VECTOR, 1), call(A, [0, 2], axis=1), call(A, [0, 2]), call(A, FIRST[0], 1)],
    np.lib.stride_tricks.sliding_window_view: [call(VECTOR, 2), call(A, (2, 2))],
    np.insert: [
        call(VECTOR, 1, 0.5), call(A, 1, VECTOR, axis=0), call(A, 2, 7.0), call(A, -1, 2.0, axis=1),
        call(VECTOR, [0, 2], OTHER[:2]), call(A, [0, 3], B[:, :2], axis=1), call(VECTOR, 1, OTHER),
        call(A, 1, _sample(2), axis=1),
    ],
    np.block: [call([[A, B], [B, A]]), call([VECTOR, OTHER])],
    np.unstack: [call(A), call(A, axis=1)],
    np.take: [
        call(A, [0, 5, 5]), call(A, [2, 0], axis=1), call(A, 1, axis=-1),
        call(A, np.array([[0, 1], [1, 1]]), 0),
    ],
    np.take_along_axis: [call(A, np.argsort(A, 1), 1), call(A, np.argmax(A, 0)[None], axis=0)],
    np.diagonal: [call(SQUARE), call(A, 1), call(A, offset=-1), call(CUBE, 0, 1, 2), call(A, 9)],
    np.linalg.diagonal: [call(CUBE), call(SQUARE, offset=1)],
    np.diag: [call(VECTOR), call(VECTOR, 1), call(VECTOR, k=-2), call(SQUARE), call(A, 1)],
    np.tril: [call(SQUARE), call(CUBE, -1)],
    np.triu: [call(SQUARE), call(A, k=1)],
    np.trace: [call(SQUARE), call(A, 1), call(CUBE, axis1=1, axis2=2)],
    np.linalg.trace: [call(CUBE)],
    np.pad: [
        call(A, 1), call(VECTOR, (1, 2)), call(A, ((1, 0), (0, 2)), constant_values=0.5),
        call(A, 1, "edge"), call(A, 1, mode="reflect"), call(VECTOR, 2, "wrap"),
    ],
    np.broadcast_arrays: [call(A, VECTOR, NUMBER)],
    np.meshgrid: [
        call(VECTOR, _sample(2)), call(VECTOR, _sample(2), indexing="ij"),
        call(VECTOR, _sample(2), sparse=True), call(VECTOR),
    ],
    np.full_like: [call(A, NUMBER), call(A, VECTOR), call(A, 2), call(A, NUMBER, shape=2)],
    np.linspace: [
        call(NUMBER, 2, 5), call(0, VECTOR, num=4), call(NUMBER, NUMBER, 3, endpoint=False),
        call(NUMBER, 2, 1), call(A, VECTOR, 0),
    ],
    np.copy: [ONE_ARRAY],
    np.sort: [call(A), call(A, 0), call(A, axis=None)],
    np.median: [*REDUCED, call(_sample(5)), call(CUBE, 1)],
    np.quantile: [
        call(A, 0.3), call(A, 0.3, axis=1), call(A, 1.0, 0, keepdims=True),
        call(CUBE, [0.1, 0.5], axis=(0, 2), keepdims=True), call(A, [[0.2, 0.9]]),
    ],
    np.percentile: [call(A, 30), call(A, [25, 75], 1)],
    np.ediff1d: [call(VECTOR), call(A)],
    np.choose: [call(FIRST.astype(int), [A, B]), call([1, 0, 2], [VECTOR, 0.5, OTHER])],
    np.bincount: [call([0, 2, 0], VECTOR), call(np.array([1, 0, 1]), OTHER, minlength=4)],
    np.piecewise: [
        call(A, [A < 0, A >= 0], [np.exp, lambda x: x * x]),
        call(VECTOR, VECTOR > 0.5, [2.0, lambda x, k: k * x], 3.0),
        call(A, [FIRST], [lambda x: 2 * x]), call(A, np.stack([FIRST, ~FIRST]), [np.sin, 0.5]),
        call(0.7, [True, False], [np.exp, np.sin, 0.5]), call(0.7, False, [np.exp, np.sin]),
    ],
    np.resize: [call(A, (2, 5)), call(VECTOR, 2)],
    np.select: [call([FIRST, ~FIRST], [A, B]), call([FIRST], [A], 0.5)],
    np.nan_to_num: [
        call(NANS), call(np.array([np.inf, 0.3, -np.inf]), posinf=1, neginf=0),
        call(NANS, nan=2),
    ],
    **dict.fromkeys((np.positive, np.reciprocal, np.conjugate), [ONE_ARRAY]),
    **dict.fromkeys((np.real, np.real_if_close, np.angle), [ONE_ARRAY]),
    **dict.fromkeys((np.fabs, np.fix), [ONE_ARRAY]),
    **dict.fromkeys((np.degrees, np.rad2deg, np.radians, np.deg2rad), [ONE_ARRAY]),
    np.around: [call(A), call(A, 1)],
    np.round: [
        call(A), call(np.array([0.32, 1.27]), decimals=1), call(np.array([32.0, -77.0]), -1),
    ],
    np.fmod: [call(3 * A, 0.7), call(3 * A, -HIGH)],
    np.float_power: [call(HIGH, B)],
    np.extract: [call(FIRST, A)],
    np.vander: [call(VECTOR), call(VECTOR, 2, increasing=True)],
    np.apply_along_axis: [
        call(np.sum, 0, A), call(fn.softmax, 1, A), call(np.cumsum, 1, CUBE), call(np.sum, 2, CUBE),
    ],
    np.partition: [call(_sample(6), 2), call(A, 1, axis=0)],
    np.modf: [ONE_ARRAY],
    np.copysign: [call(A, B), call(A, -1)],
    np.logaddexp2: [call(A, B)],
    np.sinc: [call(3 * A), call(np.array([0.0, 1e-3, -0.02, 0.0318, 0.04]))],
    np.correlate: [call(_sample(5), VECTOR), call(_sample(5), VECTOR, "full")],
    np.diagflat: [call(A), call(VECTOR, 1)],
    np.divmod: [call(3 * A, 0.7)],
    np.prod: [
        *REDUCED, call(_sample(5)), call(np.array([0.0, 2.0, 0.0, 3.0])),
        call(np.array([2.0, 0.0, 3.0])), call(_sample(0, 3), 0), call(NUMBER, -1),
    ],
    np.cumprod: [call(A), call(A, 1), call(np.array([2.0, 0.0, 3.0, 0.0, 4.0]))],
    np.cumsum: [call(A), call(A, axis=0), call(CUBE, -2)],
    np.cumulative_sum: [call(A, axis=0), call(A, axis=1, include_initial=True)],
    np.cumulative_prod: [call(VECTOR), call(VECTOR, include_initial=True)],
    np.ptp: REDUCED,
    np.nansum: [*REDUCED, call(NANS), call(NANS, 0)],
    **dict.fromkeys(
        (np.nanprod, np.nanmax, np.nanmin), [*REDUCED, call(NANS), call(NANS, 0)]
    ),
    **dict.fromkeys((np.nancumsum, np.nancumprod), [call(A), call(NANS, 1)]),
    **dict.fromkeys(
        (np.nanvar, np.nanstd),
        [*REDUCED, call(NANS), call(NANS, axis=1, keepdims=True, ddof=1)],
    ),
    np.nanmean: [*REDUCED, call(NANS), call(NANS, axis=1, keepdims=True)],
    np.average: [
        call(A), call(A, 0), call(A, weights=HIGH), call(A, 1, weights=HIGH[0]),
        call(A, axis=0, weights=[1, 3]), call([1.0, 2.0, 4.0], None, np.abs(VECTOR)),
    ],
    np.cov: [
        call(A), call(A, rowvar=False), call(VECTOR), call(VECTOR, OTHER), call(A, bias=True),
        call(A, ddof=0),
    ],
    np.corrcoef: [call(SQUARE), call(VECTOR, OTHER), call(SQUARE, rowvar=False)],
    np.diff: [call(A), call(A, 2), call(A, axis=0), call(A, prepend=0.5, append=B)],
    np.gradient: [
        call(_sample(5)), call(CUBE), call(A, 0.5, axis=1), call(SQUARE, 0.5, 2.0),
    ],
    np.trapezoid: [call(A), call(A, dx=0.5), call(_sample(4), [0, 1, 3, 4]), call(A, axis=0)],
    np.polyval: [call(VECTOR, NUMBER), call([1, 2, 3], A), call(VECTOR, OTHER)],
    np.convolve: [
        call(_sample(5), VECTOR), call(VECTOR, _sample(5), "same"),
        call(_sample(5), _sample(2), mode="valid"), call(_sample(4), _sample(4), "same"),
    ],
    np.einsum: [
        call("ij,jk->ik", A, SQUARE), call("ij,kj", A, B), call("ii", SQUARE),
        call("ii->i", SQUARE),
        call("ij->ji", A), call("ij->", A), call("i,j", VECTOR, OTHER),
        call("i,i->i", VECTOR, OTHER),
        call("ij,i,j", A, _sample(2), VECTOR), call("...j,j->...", CUBE, _sample(4)),
        call("bij,bjk->bik", CUBE, _sample(2, 4, 2)),
        call("bij,bij->b", CUBE, CUBE),
        call("...ij,...jk", _sample(2, 1, 2, 3), _sample(4, 3, 2)),
        call("iij,j->i", _sample(2, 2, 3), VECTOR),
        call("ij,ij->ij", A, _sample(2, 1)), call("ij , jk -> k", A, SQUARE),
        call(A, [0, 1], SQUARE, [1, 2], [2, 0]), call(CUBE, [..., 2, 0], _sample(4), [0]),
    ],
    np.tensordot: [
        call(CUBE, _sample(3, 4, 2)), call(A, B, ([1], [1])), call(A, SQUARE, 1), call(A, B, 0),
        call(CUBE, A, ((0, 1), (0, 1))),
    ],
    np.linalg.tensordot: [call(A, SQUARE, axes=1)],
    np.inner: [call(A, B), call(VECTOR, OTHER), call(2.0, A), call(CUBE, _sample(4))],
    np.vdot: [call(A, B)],
    np.vecdot: [call(A, B), call(A, VECTOR)],
    np.linalg.vecdot: [call(A, B, axis=0)],
    np.kron: [call(A, B), call(VECTOR, A), call(VECTOR, OTHER)],
    np.cross: [call(A, B), call(VECTOR, A), call(_sample(3, 2), _sample(3, 2, turn=0.3), axis=0)],
    np.linalg.cross: [call(A, B)],
    np.linalg.matmul: [call(A, SQUARE)],
    np.linalg.multi_dot: [call([A, SQUARE, VECTOR]), call([A, SQUARE])],
    np.linalg.matrix_power: [
        call(SQUARE, 0), call(SQUARE, 1), call(SQUARE, 5), call(_dominant(3), -2),
    ],
    np.linalg.solve: [call(_dominant(3), VECTOR), call(_dominant(3), SQUARE)],
    np.linalg.pinv: [call(_sample(4, 2)), call(_sample(2, 4)), call(_dominant(3))],
    np.linalg.lstsq: [
        call(_sample(5, 2), _sample(5)), call(_sample(4, 2), _sample(4, 3), rcond=None),
        call(_sample(2, 4), VECTOR[:2]),
    ],
    np.polyfit: [call(_sample(5), np.sqrt(_sample(5, low=0.2, high=3)), 2)],
    np.linalg.slogdet: [call(_dominant(3)), call(-_dominant(2, 3))],
    np.linalg.norm: [
        *REDUCED[2:], call(A, None, 0), call(A), call(A, "fro"), call(A, 1), call(A, -1),
        call(A, np.inf), call(A, -np.inf, keepdims=True),
        call(VECTOR, 1), call(VECTOR, 2), call(VECTOR, np.inf), call(VECTOR, -np.inf),
        call(VECTOR, 3), call(A, 1.5, axis=1), call(CUBE, 1, (2, 0)), call(VECTOR, -2),
        call(A, 2), call(A, -2), call(CUBE, "nuc", (0, 2), keepdims=True),
    ],
    np.linalg.vector_norm: [
        *REDUCED[2:], call(A), call(A, ord=1), call(CUBE, axis=(0, 1), ord=3, keepdims=True),
    ],
    np.linalg.matrix_norm: [
        call(A), call(CUBE, ord=1), call(_sample(2, 3, 5), ord=np.inf, keepdims=True),
    ],
    np.linalg.svd: [call(A, compute_uv=False)],
    np.linalg.svdvals: [call(A), call(_sample(2, 4, 3))],
    fn.logsumexp_and_softmax: [call(A), call(A, axis=0)],
}  # fmt: skip
# Methods of ufuncs, and reductions with `where` or `initial`.
METHODS = {
    np.sum: [call(A, where=FIRST), call(A, 0, initial=0.5)],
    np.max: [
        call(A, 1, where=FIRST, initial=-2.0),
        call(_sample(0, 2), 0, initial=0.5),
    ],
    np.min: [call(A, keepdims=True, initial=0.1), call(_sample(2, 0), -1, initial=0.5)],
    np.mean: [call(A, 0, where=FIRST | (A < 2)), call(A, keepdims=True, where=FIRST)],
    np.add.reduce: [call(A), call(A, axis=1, keepdims=True), call(A, axis=None)],
    np.multiply.reduce: [call(A), call(_sample(0, 2)), call(CUBE, axis=(0, 2))],
    np.maximum.reduce: [call(A), call(CUBE, axis=-1)],
    np.logaddexp.reduce: [call(A), call(A, axis=1, keepdims=True)],
    np.hypot.reduce: [call(HIGH, axis=None)],
    np.add.accumulate: [call(A), call(A, axis=1)],
    np.logaddexp.accumulate: [call(_sample(5)), call(A, axis=-1)],
    np.subtract.outer: [call(A, VECTOR), call(A, 0.5), call(NUMBER, VECTOR)],
}
if np.lib.NumpyVersion(np.__version__) >= "2.4.0":  # before, it sets a shape
    EXAMPLES[np.gradient] += [
        call(_sample(4), np.arange(4.0)),
        call(_sample(4), np.array([0.0, 0.1, 0.7, 0.9])),
    ]
if hasattr(np, "matvec"):
    EXAMPLES |= {np.matvec: [call(A, VECTOR)], np.vecmat: [call(VECTOR, SQUARE)]}


def name_of(function):
    # Older ufuncs have no __module__.
    owner = getattr(function, "__self__", None)
    owner = f"{owner.__name__}." if isinstance(owner, np.ufunc) else ""
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module}.{owner}{function.__name__}"


CASES = [
    pytest.param(function, args, kwargs, id=f"{name_of(function)}-{n}")
    for function, examples in (EXAMPLES | METHODS).items()
    for n, (args, kwargs) in enumerate(examples)
]


def as_call(primitive, operands, parameters):
    """An example of a primitive as a call with all operands traced."""
    function = primitive.functions[0]
    operands = [np.asarray(x)[()] for x in operands]
    if primitive.name == "where":
        return np.where, (parameters["condition"], *operands), {}
    if primitive.name == "getitem":
        return function, (operands[0], parameters["index"]), {}
    return function, (operands,) if primitive.variadic else tuple(operands), parameters


OF_PRIMITIVES = [
    pytest.param(*as_call(primitive, *example), id=f"{primitive.name}-{n}")
    for primitive in PRIMITIVES.values()
    for n, example in enumerate(primitive.examples)
]


def is_number(leaf):
    return isinstance(leaf, np.ndarray | np.float64) and leaf.dtype == float


def numbers_of(args):
    return [leaf for leaf in pytrees.leaves(args) if is_number(leaf)]


def of_numbers(function, args, kwargs):
    """The call as a function of its numbers that returns a list of arrays."""

    def f(*numbers):
        numbers = iter(numbers)
        leaves = [
            next(numbers) if is_number(leaf) else leaf for leaf in pytrees.leaves(args)
        ]
        result = function(*pytrees.unflatten(args, iter(leaves)), **kwargs)
        return pytrees.leaves(tuple(result) if isinstance(result, tuple) else result)

    return f


def like(values, seed):
    """A fixed random direction of the shape of these values."""
    rng = np.random.default_rng(seed)
    out = [rng.normal(size=np.shape(v)) for v in values]
    return [x if x.shape else float(x) for x in out]


def slope(f, numbers, t, h=1e-3):
    def at(k):
        return f(*(x + k * h * d for x, d in zip(numbers, t, strict=True)))

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h)


def assert_all_close(ours, known, **tolerance):
    for one, other in zip(ours, known, strict=True):
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(one, other, **tolerance)


def dot(xs, ys):
    """The inner product of two lists of arrays."""
    return sum(np.sum(np.multiply(x, y)) for x, y in zip(xs, ys, strict=True))


def both_forms(write, f, *args, **how):
    """The readable program and the buffered one, which contains it, so it is written once."""
    buffered = write(f, *args, buffered=True, **how)
    return buffered.readable, buffered


def floats(result):
    return [np.asarray(leaf, dtype=float) for leaf in pytrees.leaves(result)]


def total_of(f):
    """A scalar: every entry of the result with its own weight, none of them linear."""

    def total(xs, weights):
        pairs = zip(weights, pytrees.leaves(f(*xs)), strict=True)
        return sum(np.sum(w * (y + 0.1 * y * y)) for w, y in pairs)

    return total


def check_right(f, *xs, plain=None, written=True):
    """The value is plain NumPy's; slopes and curvatures, in both modes, match difference quotients;
    a recording, and a program in both forms, compute the same numbers."""
    plain, t, every = plain or f, like(xs, 1), tuple(range(len(xs)))
    known = floats(plain(*(x + 0.0 for x in xs)))
    weights = like(known, 2)

    def total(*xs):
        return total_of(f)(xs, weights)

    def along(*xs):
        return dot(grad(total, every)(*xs), t)

    assert_all_close(floats(record(f, *xs).result), known, rtol=1e-13, atol=1e-15)
    _, tangent = jvp(total, xs, tuple(t))
    plainly = total_of(lambda *xs: floats(plain(*xs)))
    expected = slope(lambda *xs: plainly(xs, weights), xs, t)
    assert tangent == pytest.approx(expected, rel=1e-7, abs=1e-8)
    assert along(*xs) == pytest.approx(tangent, rel=1e-11, abs=1e-12)
    _, second = jvp(along, xs, tuple(t))
    assert second == pytest.approx(slope(along, xs, t), rel=1e-6, abs=1e-7)
    if written:
        check_programs(f, *xs)


def check_programs(f, *xs):
    """The written programs' values and gradients are the eager ones."""
    total, weights = total_of(f), like(floats(f(*xs)), 2)
    value, gradient = value_and_grad(total)(xs, weights)
    for program in both_forms(write_gradient, total, xs, weights, value=True):
        program(xs, like(weights, 3))  # leaves something else in the buffers
        found, slopes = program(xs, weights)
        np.testing.assert_allclose(found, value, rtol=1e-9, atol=1e-11)
        assert_all_close(slopes, gradient, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("function", "args", "kwargs"), CASES + OF_PRIMITIVES)
def test_examples(function, args, kwargs):
    """Right, without changing the arguments. If an entry is nan or inf, the value is NumPy's too,
    and the adjoints of the other entries stay finite."""
    f, numbers = of_numbers(function, args, kwargs), numbers_of(args)
    values, pull = vjp(lambda *xs: [*f(*xs), *xs], *numbers)
    assert_all_close(values, [*f(*numbers), *numbers], rtol=1e-13, atol=1e-15)
    if not all(np.all(np.isfinite(x)) for x in numbers):
        for g in pull([np.ones(np.shape(y))[()] for y in values]):
            assert np.all(np.isfinite(g))
        check_programs(f, *numbers)
        numbers = [np.where(np.isfinite(x), x, 0.25)[()] for x in numbers]
    check_right(f, *numbers)


def test_every_composite_has_an_example():
    assert set(COMPOSITES) - set(EXAMPLES) == {
        operator.getitem,
        np.linalg.eigh,
        # in test_inplace
        np.copyto,
        np.fill_diagonal,
        np.put,
        np.put_along_axis,
        np.putmask,
        np.place,
    }


# ---------------------------------------------------------------- scipy.special

INSIDE = _sample(2, 3, low=0.2, high=0.8)


def test_interpolation_has_the_slope_to_the_right_at_a_point_and_0_at_its_ends():
    points, values = np.array([0.0, 1.0, 3.0]), [1.0, 4.0, 2.0]
    slopes = grad(lambda x: np.sum(np.interp(x, points, values)))(points)
    np.testing.assert_allclose(slopes, [0.0, -1.0, 0.0])


@pytest.mark.parametrize("name", SCIPYS)
def test_scipys_functions_have_right_derivatives(name):
    count = 2 if name in ("xlogy", "rel_entr") else 1
    check_right(SCIPYS[name], *[INSIDE, INSIDE[::-1]][:count])


@pytest.mark.parametrize("name", SCIPYS)
def test_scipys_functions_are_known_by_their_names(name):
    """scipy is optional: nothing imports it unless it is installed."""
    special = pytest.importorskip("scipy.special")
    numbers = [INSIDE, INSIDE[::-1]][: getattr(special, name).nin]
    value, tangent = jvp(getattr(special, name), tuple(numbers), tuple(numbers))
    np.testing.assert_allclose(value, getattr(special, name)(*numbers), rtol=1e-13)
    assert np.all(np.isfinite(tangent))


def test_pinv_has_all_its_digits_or_is_refused():
    A, y = np.vander(np.linspace(0, 1, 20), 12), _sample(20)
    value, _ = value_and_grad(lambda y: np.sum(np.linalg.lstsq(A, y)[0]))(y)
    assert value == pytest.approx(np.sum(np.linalg.lstsq(A, y)[0]), rel=1e-7)
    for columns in (A, A[:, [0, 1, 1]]):
        with pytest.raises(TraceError, match="rank .*, to six digits, expected"):
            grad(lambda A: np.sum(np.linalg.pinv(A) @ y))(columns)


def test_lstsq_and_nanvar_are_numpys_at_the_edge():
    A, y = _sample(5, 2), _sample(5)
    value, _ = value_and_grad(lambda y: np.sum(np.linalg.lstsq(A, y, 1e-3)[0]))(y)
    assert value == pytest.approx(np.sum(np.linalg.lstsq(A, y, 1e-3)[0]))
    with pytest.raises(TraceError, match="rcond=0.99, which leaves singular values"):
        grad(lambda y: np.sum(np.linalg.lstsq(A * [1, 9], y, 0.99)[0]))(y)
    for known in ([1.0], [1.0, 2.0]):
        x = np.array([*known, np.nan])
        with np.errstate(invalid="ignore"):
            assert np.isnan(value_and_grad(lambda x: np.nanvar(x, ddof=2))(x)[0])


@pytest.mark.parametrize("q", [-0.03, 1.02, np.nan])
def test_a_quantile_below_0_or_above_1_is_refused_as_numpy_does(q):
    with pytest.raises(ValueError, match="must be in the range"):
        grad(lambda a: np.quantile(a, q))(VECTOR)

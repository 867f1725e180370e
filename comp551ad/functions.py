"""The functions of the lecture that NumPy lacks: logistic, relu, softmax, logsumexp …

Plain NumPy and nothing else. All functions compute in float64, accept scalars and arrays
(integers are promoted, complex numbers rejected), and are numerically safe: finite logits, even
±1e4, neither overflow nor produce nan.

They know nothing about derivatives. Like NumPy's own functions they *dispatch* to an argument
that implements the call (``hands_over`` below), which is how a tracer sees ``logistic`` as one
operation instead of four.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "abs_slope",
    "divide_at_kink",
    "eigenprojections",
    "erf",
    "greater_share",
    "hands_over",
    "logistic",
    "logsumexp",
    "logsumexp_and_softmax",
    "relu",
    "safe_divide",
    "scatter",
    "set_at",
    "softmax",
    "softplus",
    "std",
    "tie_share",
    "xlogy",
]

Function = TypeVar("Function", bound=Callable[..., Any])


def hands_over(plain: Function) -> Function:
    """Dispatch calls to an argument that has its own ``__array_function__``.

    This applies NumPy's dispatch protocol (NEP 18) to our functions: the first such argument
    that doesn't return NotImplemented determines the result. Without one, ``plain`` runs; the
    check takes a fraction of a microsecond. ``plain`` remains available as ``.plain``.
    """

    @functools.wraps(plain)
    def public(*args: Any, **kwargs: Any) -> Any:
        for x in (*args, *kwargs.values()) if kwargs else args:
            if type(x) is not np.ndarray and hasattr(x, "__array_function__"):
                # Subclasses of ndarray don't override our functions.
                if issubclass(type(x), np.ndarray):
                    continue
                result = x.__array_function__(public, (type(x),), args, kwargs)
                if result is not NotImplemented:
                    return result
        return plain(*args, **kwargs)

    vars(public)["plain"] = plain
    return cast(Function, public)


# ---- one number in, one number out ---------------------------------------------------
# ``dtype=float`` in the first ufunc of each promotes integers and rejects complex numbers.


@hands_over
def logistic(q: ArrayLike) -> Any:
    """σ(q) = 1 / (1 + e^−q), elementwise (S06, S07).

    The lower bound keeps e^−q finite and changes no result above q = −709, so this is
    ``1 / (1 + np.exp(-q))`` bit for bit wherever that is safe; below, it is about 1e-308.
    """
    return 1 / (1 + np.exp(-np.maximum(q, -709.0, dtype=float)))


@hands_over
def relu(q: ArrayLike) -> Any:
    """max(q, 0), elementwise (S07)."""
    return np.maximum(q, 0.0, dtype=float)


@hands_over
def softplus(u: ArrayLike) -> Any:
    """log(1 + e^u), elementwise: the log-loss of the binary head in u (S06).

    L(y, u) = y·softplus(−u) + (1 − y)·softplus(u). Its derivative is logistic(u).
    """
    return np.maximum(u, 0.0, dtype=float) + np.log1p(
        np.exp(-np.absolute(u, dtype=float))
    )


_erf = np.frompyfunc(math.erf, 1, 1)


@hands_over
def erf(x: ArrayLike) -> Any:
    """The error function, elementwise: 2/√π ∫₀ˣ e^(−t²) dt, like ``math.erf``."""
    return np.asarray(_erf(np.asarray(x, dtype=float)), dtype=float)[()]


# ---- one row in: softmax and related functions ---------------------------------------


def _exponentials(U: Any, axis: Any) -> tuple[Any, Any, Any]:
    """shift, e^(U − shift) and their sums; the shift makes the largest exponent 0."""
    shift = np.maximum.reduce(U, axis=axis, keepdims=True)
    E = np.exp(np.subtract(U, shift, dtype=float))
    return shift, E, np.add.reduce(E, axis=axis, keepdims=True)


def _log_total(shift: Any, total: Any, axis: Any) -> Any:
    return np.squeeze(shift + np.log(total), axis=axis)[()]


@hands_over
def softmax(U: ArrayLike, axis: Any = -1) -> Any:
    """e^{u_c} / Σ_k e^{u_k} along ``axis``: N x C -> N x C, each row sums to 1 (S06)."""
    _, E, total = _exponentials(U, axis)
    return E / total


@hands_over
def logsumexp(U: ArrayLike, axis: Any = -1) -> Any:
    """log Σ_c e^{u_c} along ``axis``: N x C -> (N,), one number per row (S06).

    The default axis is the last: over *all* entries the deck's cost would start
    at ln 450 instead of ln 3, and an N x 1 result would broadcast to N x N (E22).
    Logits must be finite. If the largest in a row is inf or −inf, this and ``softmax``
    return nan with NumPy's warning (∞ − ∞), not the limit, for speed.
    """
    shift, _, total = _exponentials(U, axis)
    return _log_total(shift, total, axis)


@hands_over
def logsumexp_and_softmax(U: ArrayLike, axis: Any = -1) -> Any:
    """Both from one pass, (N,) and N x C: the second is the first's derivative."""
    shift, E, total = _exponentials(U, axis)
    return _log_total(shift, total, axis), E / total


# ---- where max and relu have a kink --------------------------------------------------
# At a tie any split of the derivative is a subgradient; we split it evenly.


@hands_over
def abs_slope(x: ArrayLike) -> Any:
    """The sign of x: the derivative of abs, whose own derivative at 0 is nan, not 0."""
    return np.sign(x)


@hands_over
def greater_share(a: ArrayLike, b: ArrayLike) -> Any:
    """1 where a > b, ½ where a = b, else 0: ∂ max(a, b) / ∂a. nan stays nan."""
    share = 0.5 * np.add(np.greater(a, b), np.greater_equal(a, b), dtype=float)
    return np.where(np.isnan(a) | np.isnan(b), np.nan, share)[()]


@hands_over
def tie_share(x: ArrayLike, y: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Where x attains its maximum (or minimum) y: 1 / the number of ties, else 0.

    x has any shape; y = np.max(x, axis, keepdims=keepdims), or np.min. The shares along the
    reduced axes sum to 1: this is the reduction's derivative with respect to x. nan stays nan.
    """
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
    ties = np.equal(x, y)
    count = np.add.reduce(ties, axis=axis, dtype=float, keepdims=True)
    shares = ties / np.maximum(count, 1.0)
    return np.where(np.isnan(y), np.nan, shares)[()]


# ---- defined at the edge, and the transpose of indexing ------------------------------


@hands_over
def std(x: Any, axis: Any = None, ddof: float = 0, keepdims: Any = False) -> Any:
    """np.std, but 0 where all entries are equal: NumPy may return 1e-17, whose slope is not 0.

    x has any shape; the result has the shape of np.std(x, …).
    """
    y = np.std(x, axis=axis, ddof=ddof, keepdims=keepdims)
    if not np.size(x):
        return y
    equal = np.equal(np.ptp(x, axis=axis, keepdims=keepdims), 0)
    return np.where(equal, np.minimum(y, 0.0), y)[()]


@hands_over
def safe_divide(a: ArrayLike, b: ArrayLike) -> Any:
    """a / b, and 0 where b = 0: the choice where a derivative is 0/0 (norm at 0)."""
    zero = np.equal(b, 0)
    return (np.where(zero, 0.0, a) / np.where(zero, 1.0, b))[()]


@hands_over
def divide_at_kink(a: ArrayLike, b: ArrayLike) -> Any:
    """a / b, and nan where b = 0: the derivative of ``safe_divide`` with respect to a. It
    doesn't exist at a kink, and nan says so without a warning.
    """
    return (a / np.where(np.equal(b, 0), np.nan, b))[()]


@hands_over
def xlogy(a: ArrayLike, b: ArrayLike) -> Any:
    """a log b, and 0 where a = 0, even if b = 0 (the convention 0 log 0 = 0)."""
    zero = np.equal(a, 0)
    return (np.where(zero, 0.0, a) * np.log(np.where(zero, 1.0, b)))[()]


@hands_over
def eigenprojections(a: Any, spare: int = 0) -> np.ndarray:
    """v vᵀ for each unit eigenvector v of a symmetric matrix: … x n x n -> … x n x n x n.

    The arbitrary sign of v cancels. Only the lower triangle of ``a`` is read, and the order is
    that of ``np.linalg.eigvalsh``. ``spare`` is for derivatives: that many projections in the
    middle are unused.
    """
    v = np.matrix_transpose(np.linalg.eigh(a)[1])
    return v[..., :, None] * v[..., None, :]


@hands_over
def scatter(x: Any, index: Any, shape: tuple) -> np.ndarray:
    """Zeros of ``shape`` with x added at ``index``: the transpose of ``array[index]``.

    Repeated indices accumulate.
    """
    out = np.zeros(shape)
    np.add.at(out, index, x)
    return out


@hands_over
def set_at(x: ArrayLike, values: ArrayLike, index: Any) -> np.ndarray:
    """A copy of x with ``x[index] = values`` applied."""
    out = np.array(x, dtype=float)
    out[index] = values
    return out

"""What is wrong with the arguments: errors that name one, and say what to do.

The lecture's functions check themselves, in about a microsecond: shapes and kinds first,
finiteness on the results, where one inner product shows it.

Reads NumPy alone; the rest of `byhand` reads it.
"""

import math

import numpy as np


class NotFiniteError(ValueError, FloatingPointError):
    """An argument holds nan or inf, or finite arguments overflowed on the way."""


UNLABELLED = object()  # stands for Y where there is none, in `predict`


def check_arguments(X, Y, W, V, output_bias=False):
    """Refuse shapes that don't fit and entries that aren't real numbers.

    Plain arrays of floats that fit pass at once, and so do traced values; integers,
    masked arrays and the like are looked at closely.
    """
    try:
        (N, D), (M, C), (D_V, M_V) = X.shape, W.shape, V.shape
        usual = D_V == D and M == M_V + output_bias and N * D * M * C > 0
        usual = usual and (Y is UNLABELLED or Y.shape == (N, C))
        for A in (X, Y, W, V):
            if isinstance(A, np.ndarray):
                usual = usual and type(A) is np.ndarray and A.dtype.kind == "f"
    except (AttributeError, TypeError, ValueError):
        usual = False
    if not usual:
        _look_closely({"X": X, "Y": Y, "W": W, "V": V}, output_bias)


def _look_closely(given, output_bias):
    axes = {"X": "N x D", "Y": "N x C", "W": "M x C", "V": "D x M"}
    if output_bias:
        axes["W"] = "(M + 1) x C"
    for name, A in given.items():
        if A is UNLABELLED:
            continue
        check_array(name, A, axes[name])
        if len(A.shape) != 2 or 0 in A.shape:
            advice = {
                "X": "one instance is X[n:n+1], one feature X[:, d:d+1]",
                "Y": "one-hot labels are np.eye(C)[labels], one column Y[:, None]",
            }.get(name, "keep both axes, even of length 1, and no axis empty")
            raise ValueError(
                f"{name} has shape {A.shape}; expected {axes[name]}: {advice}"
            )
    (N, D), (M, C), (D_V, M_V) = (given[name].shape for name in "XWV")
    if given["Y"] is not UNLABELLED and given["Y"].shape != (N, C):
        raise ValueError(
            f"Y has shape {given['Y'].shape}; expected N x C = {(N, C)}, as X has "
            f"{N} rows and W {C} columns: pass one one-hot row an instance"
        )
    if D_V != D:
        raise ValueError(
            f"V has shape {(D_V, M_V)}; expected D x M with D = {D}, as X has {D} "
            "columns: did you forget the bias column, or to transpose V?"
        )
    if M != M_V + output_bias:
        extra = " plus the constant unit" if output_bias else ""
        raise ValueError(
            f"W has shape {(M, C)}; expected {axes['W']} with {M_V + output_bias} "
            f"rows, as V has {M_V} columns{extra}: make M the same in both"
        )
    check_product("X", given["X"], "V", given["V"])


def check_array(name, A, axes):
    """Refuse what is no plain (or traced) array of real numbers."""
    kind = getattr(getattr(A, "dtype", None), "kind", None)
    if kind is None or not hasattr(A, "shape"):
        raise ValueError(
            f"{name} is a {type(A).__name__}; expected an array of shape {axes}: write "
            f"np.array({name})"
        )
    if isinstance(A, np.ndarray) and type(A) not in (np.ndarray, np.memmap):
        raise ValueError(
            f"{name} is a {type(A).__name__}; expected a plain array: fill in or leave "
            f"out what is masked, and write np.asarray({name})"
        )
    if kind not in "fiub":
        raise ValueError(
            f"{name} holds {A.dtype}; expected real numbers: convert it, for instance "
            f"with {name}.real or {name}.astype(float)"
        )


def real_array(name, A):
    """A as an array of real numbers, where lists and numbers are welcome too."""
    try:
        A = np.asanyarray(A)  # a masked array stays one, so that it can be refused
    except ValueError as error:
        raise ValueError(
            f"{name} is no array of numbers ({error}); expected rows of equal length"
        ) from error
    check_array(name, A, "numbers")
    return A


def check_product(left, A, right, B):
    """The product of two integer arrays is made in integers, which overflow unseen."""
    if A.dtype.kind in "iub" and B.dtype.kind in "iub":
        raise ValueError(
            f"{left} holds {A.dtype} and {right} {B.dtype}; expected floats, as the "
            f"product of integers overflows unseen: write {left}.astype(float)"
        )


def check_cost(value, X, Y, W, V):
    """nan anywhere shows in the cost; inf in X or V may hide in a saturated unit."""
    if isinstance(value, (float, np.floating)) and not (
        math.isfinite(value) and np.isfinite(X).all() and np.isfinite(V).all()
    ):
        check_finite({"X": X, "Y": Y, "W": W, "V": V}, value)


def check_gradient(dV, X, Y, W, V, output_bias=False):
    """The inner product of V and dV is finite only if every entry of both is.

    And nan or inf in X, Y or W reaches dV: as 0 · inf = nan if in no other way. Only the
    output bias, W's last row, does not: inf may hide there in a saturated unit.
    """
    if type(dV) is np.ndarray and not (
        math.isfinite(V.ravel().dot(dV.ravel()))
        and (not output_bias or np.isfinite(W[-1]).all())
    ):
        check_finite({"X": X, "Y": Y, "W": W, "V": V}, dV)


def check_finite(given, *results):
    """Name the first entry that is nan or inf, or say that finite ones overflow."""
    for name, A in given.items():
        finite = np.isfinite(A)
        if not finite.all():
            bad = np.argwhere(~finite)
            where = tuple(int(i) for i in bad[0])
            raise NotFiniteError(
                f"{name}{list(where)} is {A[where]} ({len(bad)} such); expected finite "
                "numbers: clean the data, or take smaller steps"
            )
    if not all(np.isfinite(result).all() for result in results):
        raise NotFiniteError(
            f"{', '.join(given)} are finite but the result overflows: scale the inputs "
            "(standardize X) or the weights down"
        )

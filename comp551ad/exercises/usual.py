"""Mistakes that an array can have whatever was asked: sign, transpose, 1/N, zeros.

Each is a sentence about two lists of arrays, what was given and what is right, one pair
a case: if it holds in all of them, and is not idle in all of them, the mistake is named.
"""

from collections.abc import Iterator

import numpy as np

from .values import agree, numeric

WHOLE = (
    "whole numbers",
    "Something cuts the fractions off: // or an array of integers.",
)
ZEROS = (
    "all zeros",
    "Nothing but 0 comes out: was it ever filled in, or does // cut the fractions off?",
)


def usual_mistakes(
    givens: list, rights: list, sizes: list[int | None], tolerance: float
) -> Iterator[tuple[str, str]]:
    """The (name, hint) of every usual mistake that turns `rights` into `givens`.

    `sizes` are the numbers N by which the cases' averages divide, or None.
    """
    mine = [array for g in givens if (array := numeric(g)) is not None]
    theirs = [array for r in rights if (array := numeric(r)) is not None]
    if len(mine) < len(givens) or len(theirs) < len(rights):
        return

    def all_are(wrongs: list[np.ndarray]) -> bool:
        return all(agree(m, w, tolerance) for m, w in zip(mine, wrongs, strict=True))

    wholes = [np.trunc(r) if np.isrealobj(r) else r for r in theirs]
    if _only_zeros(givens, mine) and any(r.any() for r in theirs):
        yield WHOLE if _integers(givens) and all_are(wholes) else ZEROS
        return  # other mistakes may give zeros as well, but by accident
    if all_are([-r for r in theirs]):
        yield "the wrong sign", "Everything is right but for its sign."
    if all_are([r.T for r in theirs]):
        yield (
            "transposed",
            "Rows and columns have changed places: write the shapes down.",
        )
    known = [n for n in sizes if n is not None]
    if len(known) == len(sizes):
        pairs = list(zip(theirs, known, strict=True))
        if all_are([r * n for r, n in pairs]):
            yield "1/N is missing", "The cost is an average over N rows, not their sum."
        if all_are([r / n for r, n in pairs]):
            yield "1/N twice", "The average over N rows has been taken twice."
        if all_are([-r * n for r, n in pairs]):
            yield (
                "the wrong sign, and 1/N is missing",
                "Look at the sign, and whether the cost is a sum or an average.",
            )
    if all(m.size == r.size for m, r in zip(mine, theirs, strict=True)) and all(
        agree(m.ravel(), r.ravel(), tolerance)
        for m, r in zip(mine, theirs, strict=True)
    ):
        yield (
            "in another shape",
            "The numbers are right: give them the shape that the question asks for.",
        )
    if any(w.any() for w in wholes) and all_are(wholes):
        yield WHOLE
    factor = _factor(mine, theirs, tolerance)
    if factor is not None and not np.isclose(abs(factor), 1):
        yield (
            f"off by the factor {factor:.4g}",
            "One constant factor is too much or missing: ½, 2 and the like.",
        )
    if len(mine) > 1 and all_are([mine[0]] * len(mine)) and not _all_equal(theirs):
        yield (
            "the same answer for every input",
            "It doesn't depend on what it is called with: is a number typed in?",
        )


def _factor(mine: list, theirs: list, tolerance: float) -> float | None:
    """The one number by which every right array was multiplied, if there is one.

    A single right number says nothing: whatever is given is a multiple of it.
    """
    if len(np.unique(np.concatenate([r.ravel() for r in theirs]))) < 2:
        return None
    for m, r in zip(mine, theirs, strict=True):
        if m.shape != r.shape:
            return None
    largest = max(theirs, key=lambda r: np.abs(r).max(initial=0.0))
    if not np.abs(largest).max(initial=0.0):
        return None
    which = [r is largest for r in theirs].index(True)
    at = np.unravel_index(np.abs(largest).argmax(), largest.shape)
    factor = mine[which][at] / largest[at]
    scaled = [factor * r for r in theirs]
    same = all(agree(m, s, tolerance) for m, s in zip(mine, scaled, strict=True))
    return factor if same and np.isfinite(factor) and factor else None


def _only_zeros(givens: list, mine: list[np.ndarray]) -> bool:
    """Are they arrays, or the 0.0 of several cases, and nothing but 0 in them?

    A single 0, or 0 as a count, may well have been worked out.
    """
    arrays = [np.asarray(g) for g in givens]
    if any(m.any() for m in mine) or any(a.dtype == bool for a in arrays):
        return False
    several = len(arrays) > 1 and all(a.dtype.kind in "fc" for a in arrays)
    return several or any(a.ndim and a.size for a in arrays)


def _integers(givens: list) -> bool:
    return all(np.asarray(g).dtype.kind in "iu" for g in givens)


def _all_equal(arrays: list) -> bool:
    return all(agree(a, arrays[0], 1e-12) for a in arrays)

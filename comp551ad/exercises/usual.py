"""Mistakes that any array can have, whatever the exercise: sign, transpose, 1/N, zeros.

Each is a relation between two lists of arrays, given and right, one pair per case. If it
holds in every case, and makes a difference in some, the mistake is named.

    usual_mistakes    what turns the right arrays into the given ones
    symptoms          what can be said about the given ones if no name was found
"""

from collections.abc import Iterator
from itertools import product

import numpy as np

from .language import _
from .values import agree, numeric

Named = tuple[str, str]

SIGN = (
    "the wrong sign",
    "Try it with simple numbers: should this be positive or negative?",
)
TURNED = (
    "transposed",
    "Rows and columns are swapped: write down the shapes.",
)
MISSING_N = ("1/N is missing", "Is the cost a sum over N rows, or their average?")
TWICE_N = ("1/N twice", "How many times is the average over the N rows taken?")


def usual_mistakes(
    givens: list,
    rights: list,
    sizes: list[int | None],
    tolerance: float,
    dims: list[dict[str, int]],
) -> Iterator[Named]:
    """The (name, hint) of every usual mistake that turns `rights` into `givens`.

    Args:
        sizes: for each case, the N by which its average divides, or None.
        dims: for each case, the sizes of its arguments, by name.
    """
    mine, theirs = _arrays(givens), _arrays(rights)
    if mine is None or theirs is None or _only_zeros(mine):
        return

    def all_are(wrongs: list[np.ndarray]) -> bool:
        return all(agree(m, w, tolerance) for m, w in zip(mine, wrongs, strict=True))

    averages: tuple[tuple[list[Named], int], ...]
    averages = ([], 0), ([MISSING_N], 1), ([TWICE_N], -1)
    for average, power in averages if None not in sizes else averages[:1]:
        for sign, turned in product((1, -1), (False, True)):
            named = [SIGN] * (sign < 0) + [TURNED] * turned + average
            wrongs = [
                sign * (r.T if turned else r) * (n or 1.0) ** power
                for r, n in zip(theirs, sizes, strict=True)
            ]
            if 0 < len(named) < 3 and all_are(wrongs):
                names, hints = zip(*named, strict=True)
                yield _(", and ").join(map(_, names)), " ".join(map(_, hints))
    if all(m.size == r.size for m, r in zip(mine, theirs, strict=True)) and all(
        agree(m.ravel(), r.ravel(), tolerance)
        for m, r in zip(mine, theirs, strict=True)
    ):
        yield (
            "in the wrong shape",
            "The numbers are right: give them the shape that the question asks for.",
        )
    yield from _ratio(mine, theirs, dims, tolerance)


def _arrays(values: list) -> list[np.ndarray] | None:
    """The values as arrays of numbers, or None if some aren't numeric."""
    found = [array for value in values if (array := numeric(value)) is not None]
    return found if len(found) == len(values) else None


def symptoms(givens: list, rights: list, every: list) -> Iterator[Named]:
    """What to say about an answer that no name was found for: what it is, not why.

    Args:
        givens, rights: the cases where they differ.
        every: what was given in all cases, including where it is right.
    """
    mine, theirs = _arrays(givens), _arrays(rights)
    if mine is None:
        return
    theirs = theirs or []  # the right values may not be arrays
    if all(np.isnan(m).any() for m in mine) and not any(
        np.isnan(r).any() for r in theirs
    ):
        yield (
            "not a number",
            "nan comes from 0/0, inf − inf, or the root or logarithm of a negative number: "
            "which of them can occur here?",
        )
    if _only_zeros(mine) and any(r.any() for r in theirs):
        yield (
            "all zeros",
            "Only zeros come out: which factor is 0, and should it be?",
        )
    always = _arrays(every) or theirs
    if len(mine) > 1 and theirs and not _all_equal(theirs) and _all_equal(always):
        yield (
            "the same answer for every input",
            "Which of the arguments does your answer use, and which should it?",
        )


# --- one factor -----------------------------------------------------------------------

_BASES = {np.log(2): "log2", 1 / np.log(2): "log2", np.log(10): "log10"}
_BASES[1 / np.log(10)] = "log10"
_POWERS = {1: "{}", -1: "1/{}", 0.5: "√{}", -0.5: "1/√{}", 2: "{}²", -2: "1/{}²"}


def _ratio(mine, theirs, dims, tolerance) -> Iterator[Named]:
    """One factor for all cases, or one proportional to a power of a size."""
    ratios = [_factor(m, r, tolerance) for m, r in zip(mine, theirs, strict=True)]
    if None in ratios:
        return
    told = np.array([ratio for ratio in ratios if ratio], float)
    numbers = np.concatenate([r.ravel() for r in theirs])
    if len(told) == 0 or len(np.unique(numbers)) < 2:
        return  # anything is a multiple of a single number
    sign, asked, off = "", "", _("off by a factor of {factor}")
    if told.max() < 0:
        sign, asked, told = _(SIGN[0]) + _(", and "), f" {_(SIGN[1])}", -told
    factor = _constant(told)
    if factor is not None:
        for known, name in _BASES.items():
            if np.isclose(factor, known):
                natural = _("Is it {log} where the question uses the natural log?")
                base = _("the wrong base for the logarithm")
                yield sign + base, natural.format(log=name) + asked
        if not np.isclose(factor, 1):
            constant = _(
                "Where does a constant factor come in: a ½, a 2, a hard-coded number?"
            )
            yield sign + off.format(factor=f"{factor:.4g}"), constant + asked
        return
    for label, (power, text) in product(dims[0], _POWERS.items()):
        sizes = np.array([d.get(label, 0) for d, r in zip(dims, ratios) if r], float)  # noqa: B905
        if sizes.min() < 1 or np.ptp(sizes) == 0:
            continue
        rest = _constant(told / sizes**power)
        if rest is None:
            continue
        if power == -1 and np.isclose(rest, 1):
            averaged = _("Is something averaged here that the question only adds up?")
            yield sign + _("divided by {size}").format(size=label), averaged + asked
            return
        times = "" if np.isclose(rest, 1) else f"{rest:.4g} · "
        how_often = _("Does {size} come in at all, once, or squared?")
        if times:
            how_often += " " + _("And is one of the sizes hard-coded?")
        yield (
            sign + off.format(factor=times + text.format(label)),
            how_often.format(size=label) + asked,
        )
        return


def _constant(values: np.ndarray) -> float | None:
    """The number that all of them equal, or None."""
    same = np.isfinite(values).all() and np.ptp(values) <= 1e-6 * np.abs(values[0])
    return float(values[0]) if same else None


def _factor(m: np.ndarray, r: np.ndarray, tolerance: float) -> float | None:
    """The factor c with `m` = c `r`; 0 if both are zero, None if there is none."""
    if m.shape != r.shape or np.iscomplexobj(m) or np.iscomplexobj(r):
        return None
    if not r.any():
        return None if m.any() else 0.0
    at = np.unravel_index(np.argmax(np.abs(r)), r.shape)
    factor = float(m[at] / r[at])
    return factor if factor and agree(m, factor * r, tolerance) else None


def _only_zeros(arrays: list[np.ndarray]) -> bool:
    """Is every entry 0? A single number doesn't count: it may well be a computed 0."""
    several = len(arrays) > 1 or any(a.size > 1 for a in arrays)
    return several and not any(a.any() for a in arrays)


def _all_equal(arrays: list) -> bool:
    return all(agree(a, arrays[0], 1e-12) for a in arrays)

"""What plots and players are handed, read in one place: classes, words, and kinds of objects.

Numbers, arrays and names are read by ``shapes``; here is what only pictures ask for.

Reads: ``shapes``. Read by: ``rows``, ``steppers``, ``plots``, ``scenes``, ``training``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from comp551ad.extras import extra
from comp551ad.shapes import as_floats, fit, number, require_finite


def expect(name: str, x: Any, kind: Any, words: str) -> None:
    """Refuse what isn't of a kind, in words that name the argument.

    Raises:
        TypeError: ``x`` isn't of this kind.
    """
    if not isinstance(x, kind):
        raise TypeError(f"{name}: got {type(x).__name__}, expected {words}")


def texts(name: str, given: Any, least: int = 0) -> list[str]:
    """Words for a picture, at least so many; what matplotlib can't set is refused here.

    Raises:
        TypeError: ``given`` is no sequence of words.
        ValueError: there are fewer, or one between $ signs is no formula.
    """
    with extra("show", "plots"):
        from matplotlib.cbook import is_math_text
        from matplotlib.mathtext import MathTextParser

    if isinstance(given, str):
        raise TypeError(f"{name}: got {given!r}, expected a list of words")
    expect(name, given, Iterable, "a list of words")
    words = list(map(str, given))
    if len(words) < least:
        raise ValueError(f"{name}: got {len(words)} names, expected {least}")
    for word in words:
        try:
            if is_math_text(word):
                MathTextParser("path").parse(word)
        except ValueError as error:
            raise ValueError(
                f"{name}: got {word!r}, expected a formula between $ signs, such as "
                "$x_1$; a dollar sign itself is written \\$"
            ) from error
    return words


def class_numbers(
    value: ArrayLike, rows: int, name: str, scores: bool = False
) -> np.ndarray:
    """Whole class numbers from labels, one-hot rows or, with ``scores``, scores.

    Raises:
        ValueError: it is none of these, or hasn't so many ``rows``; ``name`` is the
            argument to blame.
    """
    array = as_floats(name, value)
    if array.ndim not in (1, 2) or len(array) != rows or array.size == 0:
        raise ValueError(
            f"{name}: got shape {array.shape}, expected ({rows},) or {rows} x C, one row "
            "for each row of X"
        )
    require_finite([name], [array])
    if array.ndim == 2 and array.shape[1] > 1:
        one_hot = ((array == 0) | (array == 1)).all(axis=1) & (array.sum(axis=1) == 1)
        if not scores and not one_hot.all():
            k = int(np.argmin(one_hot))
            raise ValueError(
                f"{name}: got {array[k]} in row {k}, expected one-hot rows, with a single 1; "
                "np.eye(C)[labels] turns labels 0, 1, … into them"
            )
        return np.argmax(array, axis=1)
    if array.ndim == 2:
        array = array[:, 0] >= 0.5 if scores else array[:, 0]
    # What is too large for an int is cast to some other one.
    with np.errstate(invalid="ignore"):
        whole = array.astype(int)
    wrong = array[(whole != array) | (whole < 0)]
    if wrong.size:
        raise ValueError(f"{name}: got {wrong[0]:g}, expected class labels 0, 1, 2, …")
    return whole


def finite_arrays(shapes: Mapping[str, str], *given: ArrayLike) -> list[np.ndarray]:
    """Arrays of finite numbers of the declared shapes, as in {"X": "N D", "Y": "N C"}.

    Raises:
        ValueError: one isn't, or doesn't fit those before it.
    """
    fitted = fit(shapes, dict(zip(shapes, given, strict=True)))
    require_finite([*shapes], [*fitted.values()])
    return list(map(np.asarray, fitted.values()))


def edges(speeds: Any) -> dict[tuple, float]:
    """The speeds on a graph's edges.

    Raises:
        TypeError, ValueError: they aren't {(start, end): number}.
    """
    expect("speeds", speeds, Mapping, "a dict {(start, end): number}")
    for edge in speeds:
        if not (isinstance(edge, tuple) and len(edge) == 2):
            raise ValueError(f"speeds: got the edge {edge!r}, expected (start, end)")
    return {edge: number(f"speeds[{edge!r}]", x) for edge, x in speeds.items()}

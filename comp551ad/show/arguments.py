"""Checks of arguments that only plots and players need; ``shapes`` has those for all."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from comp551ad.extras import extra
from comp551ad.shapes import fit, require_finite


def expect(name: str, x: Any, kind: Any, words: str) -> None:
    """Raise a TypeError that names the argument unless x is an instance of ``kind``."""
    if not isinstance(x, kind):
        raise TypeError(f"{name}: got {type(x).__name__}, expected {words}")


def texts(name: str, given: Any, least: int = 0) -> list[str]:
    """At least ``least`` strings for a picture; raises for any that matplotlib can't typeset."""
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
                "$x_1$; a literal dollar sign is written \\$"
            ) from error
    return words


def finite_arrays(shapes: Mapping[str, str], *given: ArrayLike) -> list[np.ndarray]:
    """Arrays of finite numbers of the declared shapes, as in {"X": "N D", "Y": "N C"}."""
    fitted = fit(shapes, dict(zip(shapes, given, strict=True)))
    require_finite([*shapes], [*fitted.values()])
    return list(map(np.asarray, fitted.values()))

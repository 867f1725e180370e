"""Numbers as the course prints them: four significant digits, the same on every machine.

Numbers, arrays and shapes as text, and how wide a text is.
"""

import math
import unicodedata

import numpy as np
from numpy.typing import ArrayLike

MINUS = "−"
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
# Significant digits.
_DIGITS = 4
# A relative difference below this is rounding.
_NOISE = 1e-10


def number(x: float, significant: int = _DIGITS) -> str:
    """A number as the course prints it: four significant digits, whole numbers in full.

    >>> number(2.0), number(-0.59847), number(-0.0), number(1.5e-7)
    ('2', '−0.5985', '0', '1.5e−7')
    """
    x = float(x)
    if math.isnan(x):
        return "nan"
    if math.isinf(x):
        return "∞" if x > 0 else MINUS + "∞"
    if x == int(x) and abs(x) < 1e7:
        return str(int(x)).replace("-", MINUS)
    digits, power = f"{x:.{significant - 1}e}".split("e")
    exponent = int(power)
    if -4 <= exponent < 7:
        digits = f"{x:.{max(significant - 1 - exponent, 0)}f}"
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    if not -4 <= exponent < 7:
        digits = f"{digits}e{exponent}"
    return digits.replace("-", MINUS)


def constant(x: float) -> str:
    """A number in a formula, with more digits where four would make it look simpler than it is.

    Simpler means a whole number, or one with fewer than four digits.

    >>> constant(0.5), constant(3.14159), constant(0.99999), constant(2.00001)
    ('0.5', '3.142', '0.99999', '2.00001')
    """
    x, text = float(x), number(x)
    shown = float(text.replace(MINUS, "-").replace("∞", "inf"))
    short = shown == float(f"{shown:.{_DIGITS - 2}e}")
    whole = "." not in text and "e" not in text
    if math.isclose(x, shown, rel_tol=_NOISE) or not (short or whole):
        return text
    return tell_apart(x, shown)[0]


def tell_apart(x: float, y: float, least: int = _DIGITS) -> tuple[str, str]:
    """Two different numbers, with enough digits to show the difference."""
    for significant in range(least, 17):
        texts = number(x, significant), number(y, significant)
        if texts[0] != texts[1]:
            break
    return texts


def array_summary(x: ArrayLike) -> str:
    """A short summary of an array: its entries if it is a short vector, else shape and range.

    >>> array_summary(np.array([1.0, 2.5])), array_summary(np.zeros((2, 3)))
    ('[1, 2.5]', '2×3, all 0')
    """
    x = np.asarray(x)
    if x.ndim == 1 and 0 < x.size <= 4:
        return "[" + ", ".join(number(entry) for entry in x) + "]"
    shape = shape_text(x.shape)
    if x.size == 0:
        return f"{shape}, empty"
    numbers = x[~np.isnan(x)]
    if numbers.size == 0:
        return f"{shape}, all nan"
    low, high = float(np.min(numbers)), float(np.max(numbers))
    others = x.size - numbers.size
    note = f", except for {others} nan" if others else ""
    if math.isclose(low, high, rel_tol=_NOISE):
        return f"{shape}, all {number(low)}{note}"
    return f"{shape}, {' … '.join(tell_apart(low, high))}{note}"


def shape_text(shape: tuple[int, ...]) -> str:
    """2×3; for a vector, 3 entries."""
    return "×".join(map(str, shape)) if len(shape) != 1 else f"{shape[0]} entries"


def value_text(x: ArrayLike) -> str:
    """A number, or an array's summary."""
    return array_summary(x) if np.ndim(x) else number(np.asarray(x).item())


def columns(text: str) -> int:
    """How many columns a text takes in a monospaced font."""
    widths = [
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    ]
    return sum(widths)

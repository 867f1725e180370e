"""Numbers as the course prints them: four significant digits, the same on every machine.

Reads: nothing of ours. Read by: the other modules of ``show``.
"""

import math

import numpy as np

MINUS = "−"
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_DIGITS = 4  # significant ones


def number(x) -> str:
    """A number as the course prints it: four significant digits, and whole numbers whole.

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
    digits, exponent = f"{x:.{_DIGITS - 1}e}".split("e")
    exponent = int(exponent)
    if -4 <= exponent < 7:
        digits = f"{x:.{max(_DIGITS - 1 - exponent, 0)}f}"
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    if not -4 <= exponent < 7:
        digits = f"{digits}e{exponent}"
    return digits.replace("-", MINUS)


def array_summary(x) -> str:
    """An array in a few words: its shape, and its entries if they are few.

    >>> array_summary(np.array([1.0, 2.5])), array_summary(np.zeros((2, 3)))
    ('[1, 2.5]', '2×3, all 0')
    """
    x = np.asarray(x)
    if x.ndim == 1 and 0 < x.size <= 4:
        return "[" + ", ".join(number(entry) for entry in x) + "]"
    shape = shape_text(x.shape)
    if x.size == 0:
        return f"{shape}, empty"
    low, high = number(np.min(x)), number(np.max(x))
    return f"{shape}, all {low}" if low == high else f"{shape}, {low} … {high}"


def shape_text(shape) -> str:
    """2×3; a vector's length with the word that says so."""
    return "×".join(map(str, shape)) if len(shape) != 1 else f"{shape[0]} entries"


def value_text(x) -> str:
    """A number, or an array's summary."""
    return array_summary(x) if np.ndim(x) else number(x)

"""Single arguments: is this one number, a count, a source of random numbers?

Reads NumPy alone; `datasets` and `byhand` read it.
"""

import numpy as np


def is_number(x):
    """Is x one real number? True and False are none."""
    x = np.asarray(x)
    return x.ndim == 0 and x.dtype.kind in "fiu"


def is_count(x, least):
    """Is x a whole number, `least` or more?"""
    return is_number(x) and np.asarray(x).dtype.kind != "f" and x >= least


def as_generator(rng):
    """A NumPy Generator: itself, from a seed, or a different one each time (None)."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"rng is {rng!r}; expected a NumPy Generator, a seed such as 0, or None"
        ) from error

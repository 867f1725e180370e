"""Finite differences: a slope found by trying, and how well it is known (S10).

Move one number in x by h to both sides and see how far f goes: that is a slope, with no
calculus at all. It is never exact. Two things are wrong with it, and they pull apart:

- *truncation*: over a step h the function bends. A shorter step has less of it.
- *rounding*: f comes with about 16 digits, and the last ones are noise. The difference
  is divided by h, and so is the noise. A shorter step has more of it.

`measure` therefore gives every slope an error bar, made of three parts:

1. *Two steps.* The five-point formula with h/2 is about 16 times closer than with h, so
   that the distance between the two is about 15 times the error that is left. Twice that
   distance goes into the bar, which leaves room even for the one-sided formula, where
   the distance is the error itself.
2. *The kink.* At a kink (relu at 0) the slopes to the left and to the right differ, and
   a symmetric formula gives their mean for every h: two steps agree and both are wrong.
   So the slopes to both sides are taken apart, and half of what lies between them goes
   into the bar.
3. *Rounding.* The noise of f, which is measured and not guessed (`Function.noise`),
   divided by h.

`find_slope` looks for the h with the smallest bar. It walks: where truncation is the
larger part it halves h, where rounding is the larger part it doubles h, and it stops
when the bar is small enough or when it comes back to an h that it knows.

It reads NumPy and nothing of ours; `gradcheck`, notebooks and tests may read it.
"""

import math
from typing import NamedTuple

import numpy as np

__all__ = ["finite_difference"]

EPSILON = 2.0**-52  # the distance from 1 to the next float64
SHARP = 1e-8  # a bar this small, beside its slope, needs no better step
RESOLVED = 1e-3  # a wider bar, beside its slope, says nothing about the slope
FIRST_STEP, LONGEST_STEP = 2.0**-7, 2.0**-3  # for numbers of size 1 or less
MOST_STEPS = 30


# ---------------------------------------------------------------- formulas
# `along(t)` is the value of f when x has moved by t along one line.


def _forward(along, h):
    return (along(h) - along(0.0)) / h


def _central(along, h):
    return (along(h) - along(-h)) / (2 * h)


def _five_point(along, h):
    near, far = along(h) - along(-h), along(2 * h) - along(-2 * h)
    return (8 * near - far) / (12 * h)


def _complex(along, h):
    return along(1j * h).imag / h


_FORMULAS = {
    "forward": _forward,
    "central": _central,
    "five-point": _five_point,
    "complex": _complex,
}
# The best step for one use of a formula: where truncation and rounding are about equal.
# Powers of two, as x + h is then exact for most x.
_STEPS = {
    "forward": 2.0**-26,
    "central": 2.0**-17,
    "five-point": 2.0**-10,
    "complex": 2.0**-66,
}


def choose_formula(method):
    """The formula of that name: a function of `along` and h. ValueError if unknown."""
    if method not in _FORMULAS:
        raise ValueError(f"method must be one of {list(_FORMULAS)}, got {method!r}")
    return _FORMULAS[method]


def finite_difference(f, x, method="central", h=None):
    """Gradient of a scalar function by one difference formula with one step (S10).

    f       function of x that returns one real number
    x       array, number, or a tuple, list or dict of them; never changed
    method  "forward" (f(x+h) - f(x)) / h, error O(h); "central", error O(h^2);
            "five-point", error O(h^4); "complex" Im f(x + ih) / h, no cancellation,
            for functions that take complex input and are analytic
    h       step in the units of x, the same for every coordinate; if left out, a good
            one for the method, scaled to the size of each coordinate

    Returns the gradient with the structure and shapes of x, float64. A coordinate at
    which f is nan comes back nan. Errors: ValueError, TypeError for a bad argument.
    """
    formula = choose_formula(method)
    is_number = isinstance(h, int | float | np.number) and not isinstance(h, bool)
    if h is not None and not (is_number and 0 < h < math.inf):
        raise ValueError(f"h must be a positive number, got {h!r}")
    function = Function(f, x, complex if method == "complex" else float)
    slopes = np.empty(function.vector.size)
    with np.errstate(all="ignore"):
        for i, number in enumerate(function.vector):
            step = h or _STEPS[method] * _scale(abs(number))
            slopes[i] = formula(function.along(i), step)
    parts = (slopes[w].reshape(s)[()] for w, s in function.places)
    return rebuild(x, parts)


# ---------------------------------------------------------------- slopes with a bar


class Slope(NamedTuple):
    """A slope, and how well it is known: the truth lies within bar of the estimate."""

    estimate: float
    truncation: float  # what the formula leaves out, and what a kink adds
    rounding: float
    h: float

    @property
    def bar(self):
        bar = self.truncation + self.rounding
        return bar if math.isfinite(bar) else math.inf


def find_slope(along, size, noise, formula=_five_point):
    """The slope of f along a line, measured with the step that suits it best.

    along    t -> f(x moved by t), which remembers its values
    size     of the numbers that move
    noise    of f, as `Function.noise` measures it
    formula  of those above, but for the complex one

    Returns (slope, typical): a `Slope`, and a number that counts as a large slope of
    this function, to compare the bar with where the slope itself is 0.
    """
    scale = _scale(size)
    h = FIRST_STEP * scale
    tried = {}
    while h not in tried and h <= LONGEST_STEP * scale and len(tried) < MOST_STEPS:
        slope = tried[h] = measure(along, h, size, noise, formula)
        if slope.bar <= SHARP * abs(slope.estimate):
            break
        if slope.bar == math.inf and 0 < size < scale:  # f ends nearby, as log at 0
            h = min(h / 2, 2.0 ** math.floor(math.log2(FIRST_STEP * size)))
        elif slope.truncation <= slope.rounding:
            h = h * 2
        else:
            h = h / 2
    first, best = next(iter(tried.values())), min(tried.values(), key=lambda s: s.bar)
    sizes = (abs(first.estimate), abs(best.estimate))
    return best, max((s for s in sizes if math.isfinite(s)), default=0.0)


def measure(along, h, size, noise, formula=_five_point):
    """The `Slope` that steps h and h/2 give."""
    coarse, fine = formula(along, h), formula(along, h / 2)
    rounding = _rounding(along, fine, h, size, noise)
    # Without a kink the gap between the slopes to the right and to the left shrinks like
    # h^3, to an eighth, which cancels here. A kink's own gap is the same for every h.
    kink = (8 * _gap(along, h / 2) - _gap(along, h)) / 7
    truncation = 2 * abs(fine - coarse) + max(0.0, abs(kink) / 2 - rounding)
    return Slope(fine, truncation, rounding, h)


def sides(along, h, size, noise):
    """The slopes to the left and to the right of x: two `Slope`s, with bars."""
    left_and_right = []
    for step in (-h, h):
        coarse, fine = _one_sided(along, step), _one_sided(along, step / 2)
        rounding = 4 * _rounding(along, fine, h, size, noise)  # larger coefficients
        left_and_right.append(Slope(fine, abs(fine - coarse), rounding, h))
    return tuple(left_and_right)


def _one_sided(along, h):
    """The slope to the right of x, from three points; to the left if h < 0."""
    return (4 * along(h) - along(2 * h) - 3 * along(0.0)) / (2 * h)


def _gap(along, h):
    return _one_sided(along, h) - _one_sided(along, -h)


def _rounding(along, slope, h, size, noise):
    """What noise in f, and in x + h, adds to a slope: at most 4 of them over h."""
    noise = max(noise, EPSILON * abs(along(h)), EPSILON * abs(along(-h)))
    return 4 * (noise + EPSILON * size * abs(slope)) / h


def _scale(size):
    """The power of two at the size of a number, and 1 for all small numbers."""
    return 2.0 ** math.ceil(math.log2(max(1.0, size)))


# ---------------------------------------------------------------- x and f, taken apart


class Function:
    """f near x: all numbers in x stand in one vector, in which they can be moved.

    vector  the numbers in x, one after the other: private copies, float64 or complex
    names   of the arrays and numbers in x: W, layers[0], x
    places  where they stand: a (slice of the vector, shape) for each name
    value   f(x)
    calls   how often f was called
    """

    def __init__(self, f, x, kind=float, names=None):
        if not callable(f):
            raise TypeError(f"f must be a function of x, got {describe(f)}")
        self.f, self.x, self.kind, self.calls = f, x, kind, 0
        self._take_apart(x, names)
        with np.errstate(all="ignore"):
            self._first_call()

    def _take_apart(self, x, names):
        if names is not None:
            fits = isinstance(x, tuple | list) and len(names) == len(set(names))
            if not (fits and len(names) == len(x)):
                raise ValueError(
                    "names must give each entry of a tuple or list x its own name, got "
                    f"{names!r} for {describe(x)}"
                )
            x = dict(zip(names, x, strict=True))
        self.names, self.places, self._seen, arrays, start = [], [], [], [], 0
        for name, leaf in leaves(x):
            array = real_array(leaf, name)
            self.names.append(name)
            self.places.append((slice(start, start + array.size), array.shape))
            arrays.append(array.ravel())
            start += array.size
        if start == 0:
            raise ValueError(f"x has no numbers in it to differentiate: {describe(x)}")
        self.vector = np.concatenate(arrays).astype(self.kind)
        for (where, shape), (_, leaf) in zip(self.places, leaves(x), strict=True):
            view = self.vector[where].reshape(shape)
            view.flags.writeable = False
            self._seen.append((view, isinstance(leaf, np.ndarray)))

    def argument(self):
        """What f sees: the structure of x, with read-only views of the vector."""
        parts = (view if is_array else view.item() for view, is_array in self._seen)
        return rebuild(self.x, parts)

    def _first_call(self):
        """f at x itself, with every question that can be asked about its value."""
        seen = self.argument()
        before = leaves(seen)
        value, again = (call(self.f, argument) for argument in (seen, self.argument()))
        self.calls += 2
        if [(n, id(leaf)) for n, leaf in before] != [
            (n, id(leaf)) for n, leaf in leaves(seen)
        ]:
            raise _changes("f")
        self._examine(value)
        self.value = self.kind(value)
        if self.value != self.kind(again):
            raise ValueError(
                f"f must give the same number each time; at the same x it gave {value} "
                f"and then {again}. Fix its seed, or pass its random draws in"
            )
        number = np.asarray(value).dtype
        epsilon = float(np.finfo(number).eps) if number.kind in "fc" else EPSILON
        self._rounding = max(epsilon, EPSILON) * abs(self.value)

    def _examine(self, value):
        if value is None:
            raise TypeError("f must return one real number, got None: no return?")
        array = np.asarray(value)
        if array.dtype.kind not in "biufc" or array.ndim:
            raise TypeError(
                f"f must return one real number, got {describe(value)}. A gradient "
                "belongs to a scalar: sum the values, or check one of them at a time"
            )
        if self.kind is float and array.dtype.kind == "c":
            raise TypeError(f"f must return a real number, got the complex {value}")
        if self.kind is complex and array.dtype.kind != "c":
            raise TypeError(
                "method='complex' needs a function that hands complex numbers through; "
                f"f returned the real number {value}. Use method='five-point'"
            )
        if not np.isfinite(array):
            raise ValueError(f"f(x) is {value}: choose an x where f is finite")

    def along(self, where, direction=1.0):
        """t -> f(x) with the numbers at `where` moved by t * direction.

        It remembers its values, and gives nan where f refuses the number.
        """
        centre, known = self.vector[where].copy(), {0.0: self.value}

        def value_at(t):
            if t not in known:
                self.vector[where] = centre + t * direction
                self.calls += 1
                try:
                    known[t] = self.kind(call(self.f, self.argument()))
                except (ArithmeticError, ValueError, TypeError):
                    known[t] = math.nan
                self.vector[where] = centre
            return known[t]

        return value_at

    def noise(self):
        """How far rounding may put a value of f off.

        Nine values of f at neighbouring points: the fourth differences of a smooth
        function vanish there, those of rounding errors do not (R. W. Hamming,
        Numerical Methods for Scientists and Engineers, on noise in tables).
        """
        along = self.along(slice(None), self.vector.copy())
        differences = np.diff([along(k * 2.0**-26) for k in range(9)], 4) / 8
        return max(self._rounding, float(np.max(np.abs(np.nan_to_num(differences)))))


def call(f, argument, name="f"):
    """f(argument), with an error that says so if f writes to its argument."""
    try:
        return f(argument)
    except ValueError as error:
        if "read-only" in str(error):
            raise _changes(name) from error
        raise


def _changes(name):
    return RuntimeError(
        f"{name} changes its argument x in place, so that the next call sees another x. "
        f"Work on a copy inside {name}, as in x = x.copy()"
    )


# ---------------------------------------------------------------- structures of arrays


def leaves(tree, name=""):
    """[(name, array or number)]: {"W": A, "b": [1, 2]} -> W, b[0] and b[1]."""
    if isinstance(tree, dict):
        parts = [(f"{name}.{k}" if name else str(k), part) for k, part in tree.items()]
    elif isinstance(tree, tuple | list):
        parts = [(f"{name or 'x'}[{i}]", part) for i, part in enumerate(tree)]
    else:
        return [(name or "x", tree)]
    return [leaf for inner, part in parts for leaf in leaves(part, inner)]


def rebuild(tree, parts):
    """A structure like the tree, with the leaves that the iterator `parts` gives."""
    if isinstance(tree, dict):
        return {key: rebuild(part, parts) for key, part in tree.items()}
    if not isinstance(tree, tuple | list):
        return next(parts)
    entries = [rebuild(part, parts) for part in tree]
    if hasattr(tree, "_make"):  # a namedtuple
        return tree._make(entries)
    return tuple(entries) if isinstance(tree, tuple) else entries


def real_array(value, name):
    """The value as a finite float64 array, or an error that names it."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "iuf":
        raise TypeError(
            f"{name} must hold real numbers, got {describe(value)} ({array.dtype})"
        )
    array = array.astype(np.float64)
    for index in np.argwhere(~np.isfinite(array)):
        at = label(name, index)
        raise ValueError(f"{at} is {array[tuple(index)]}: it must be a finite number")
    return array


def label(name, index):
    """W and (2, 0) -> W[2, 0]."""
    return f"{name}[{', '.join(map(str, index))}]" if len(index) else name


def describe(value):
    """A few words on what was got, for error messages."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, dict):
        return f"a dict with keys {sorted(map(str, value))}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"a {type(value).__name__}"

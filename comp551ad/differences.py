"""Finite differences: a slope found by trying, and how well it is known (S10).

Move one number in x by h to both sides and see how far f goes: that is a slope, with no
calculus at all. It is never exact. Two things are wrong with it, and they pull apart:

- *truncation*: over a step h the function bends. A shorter step has less of it.
- *rounding*: f comes with about 16 digits, and the last ones are noise. The difference
  is divided by h, and so is the noise. A shorter step has more of it.

`measure` therefore gives every slope an error bar, made of three parts:

1. *Two steps.* The five-point formula with h/2 is about 16 times closer than with h, so
   that the distance between the two is about 15 times the error that is left. Twice that
   distance goes into the bar: room enough even for (f(x+h) - f(x)) / h, where it is the
   error itself.
2. *The kink.* At a kink (relu at 0) the slopes to the left and to the right differ, and
   a symmetric formula gives their mean for every h: two steps agree and both are wrong.
   So the slopes to both sides are taken apart, and half of what lies between them goes
   into the bar.
3. *Rounding.* The noise of f, which is measured (`Function.noise`), divided by h.

`find_slope` looks for the h with the smallest bar. It walks: where truncation is the
larger part it halves h, where rounding is the larger part it doubles h, and it stops
when the bar is small enough or when it comes back to an h that it knows. If the bar
stays wide, f is not smooth here, and the slopes to both sides are what can be said.

A bar is no proof. What f does between the points it is asked at, nobody sees; and where
f hides its noise (1 - cos x near 0, float32 inside), the bar may come out too small.

It reads NumPy and nothing of ours; `gradcheck`, notebooks and tests may read it.
"""

import math
from typing import NamedTuple

import numpy as np

__all__ = ["finite_difference"]

EPSILON = 2.0**-52  # the distance from 1 to the next float64
FIRST_STEP, LONGEST_STEP = 2.0**-7, 2.0**-3  # for numbers of size 1 or less
MOST_STEPS = 40
SHARP = 3e-8  # a bar this small, beside its slope, needs no better step
RESOLVED = 1e-3  # a wider bar, beside a large slope of f, says nothing


# ---------------------------------------------------------------- formulas
# `along(t)` is the value of f when x has moved by t along one line.


def _five_point(along, h):
    near, far = along(h) - along(-h), along(2 * h) - along(-2 * h)
    return (8 * near - far) / (12 * h)


# Each with the best step for using it once, where truncation and rounding are about
# equal. Powers of two, as x + h is then exact for most x.
_METHODS = {
    "forward": (lambda along, h: (along(h) - along(0.0)) / h, 2.0**-26),
    "central": (lambda along, h: (along(h) - along(-h)) / (2 * h), 2.0**-17),
    "five-point": (_five_point, 2.0**-10),
    "complex": (lambda along, h: along(1j * h).imag / h, 2.0**-66),
}


def choose_formula(method):
    """A function of `along` and h, and the best h for it. ValueError if unknown."""
    if method not in _METHODS:
        raise ValueError(f"method must be one of {list(_METHODS)}, got {method!r}")
    return _METHODS[method]


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
    formula, best_step = choose_formula(method)
    is_number = isinstance(h, int | float | np.number) and not isinstance(h, bool)
    if h is not None and not (is_number and 0 < h < math.inf):
        raise ValueError(f"h must be a positive number, got {h!r}")
    function = Function(f, x, complex if method == "complex" else float)
    slopes = np.empty(function.vector.size)
    with np.errstate(all="ignore"):
        for i, number in enumerate(function.vector):
            step = h or best_step * _scale(abs(number))
            slopes[i] = formula(function.along(i), step)
    parts = (slopes[at].reshape(shape)[()] for at, shape in function.places)
    return rebuild(x, parts)


# ---------------------------------------------------------------- slopes with a bar


class Slope(NamedTuple):
    """A slope, and how well it is known: the truth lies within bar of the estimate.

    Where f has a kink, `sides` are the slopes to the left and to the right, and bar
    holds for both. Where no slope was found, the estimate is nan and bar is inf.
    """

    estimate: float
    bar: float
    sides: tuple | None = None


def find_slope(along, size, noise, formula):
    """The `Slope` of f along a line, measured with the step that suits it best.

    along    t -> f(x moved by t), which remembers its values
    size     of the numbers that move
    noise    of f, as `Function.noise` measures it
    formula  any of those above, but for the complex one
    """
    scale = _scale(size)
    h = first = FIRST_STEP * scale
    tried = {}
    while h not in tried and h <= LONGEST_STEP * scale and len(tried) < MOST_STEPS:
        now = tried[h] = measure(along, h, size, noise, formula)
        if now.bar <= SHARP * abs(now.estimate):
            break
        if now.bar == math.inf and 0 < size < scale:  # f ends nearby, as log does at 0
            h = min(h / 2, FIRST_STEP * 2.0 ** math.floor(math.log2(size)))
        elif now.truncation <= now.rounding:
            h = h * 2
        else:
            h = h / 2
    best = _best(list(tried.values()))
    # Where the slope is 0 a bar can't be small beside it. What counts as large here?
    rises = [abs(along(t) - along(0.0)) / first for t in (first, -first)]
    large = max(filter(math.isfinite, [0.0, abs(best.estimate), *rises]))
    if best.truncation <= max(best.rounding, RESOLVED * large):
        return Slope(best.estimate, best.bar)
    left = _best([_measure_side(along, -h, noise) for h in tried])
    right = _best([_measure_side(along, h, noise) for h in tried])
    bar = left.bar + right.bar
    if bar <= RESOLVED * large:
        return Slope(best.estimate, bar, (left.estimate, right.estimate))
    return Slope(math.nan, math.inf)


class Measurement(NamedTuple):
    """A slope from steps h and h/2, and what is wrong with it."""

    h: float
    estimate: float
    truncation: float
    rounding: float

    @property
    def bar(self):
        """How far off the estimate may be; inf where f has no value."""
        bar = self.truncation + self.rounding
        return bar if math.isfinite(bar) else math.inf


def _best(measurements):
    """The one with the smallest bar, unless a shorter step contradicts it: then the
    longer step saw too little of f, as steps of a whole period do of a sine."""
    best, *shorter = sorted(measurements, key=lambda each: -each.h)
    for now in shorter:
        apart = abs(now.estimate - best.estimate)
        if now.bar < best.bar or apart > now.bar + best.bar:
            best = now
    return best


def measure(along, h, size, noise, formula):
    """The `Measurement` of the slope of f along a line; arguments as above."""
    coarse, fine = formula(along, h), formula(along, h / 2)
    # One use of any formula multiplies the noise of f by at most 4 / h. x + h is rounded
    # too, by EPSILON * size, which moves f by that times its slope.
    noise = max(noise, EPSILON * abs(along(h)), EPSILON * abs(along(-h)))
    rounding = 4 * (noise + EPSILON * size * abs(fine)) / h
    # Without a kink the gap between the slopes to the right and to the left shrinks like
    # h^3, to an eighth, which cancels here. A kink's own gap is the same for every h.
    kink = (8 * _gap(along, h / 2) - _gap(along, h)) / 7
    # A simpler formula is beside the five-point one as well: at some h its two largest
    # errors cancel, and then its own two steps agree by accident.
    best = _five_point(along, h / 2)
    truncation = 2 * max(abs(fine - coarse), abs(fine - best))
    if abs(kink) / 2 > rounding:  # one that is smaller can't be told from noise
        truncation += abs(kink) / 2
    return Measurement(h, fine, truncation, rounding)


def _measure_side(along, h, noise):
    """The same for the slope to one side of x: to the left if h < 0."""
    coarse, fine = _one_sided(along, h), _one_sided(along, h / 2)
    noise = max(noise, EPSILON * abs(along(h)))
    return Measurement(abs(h), fine, abs(fine - coarse), 8 * noise / abs(h))


def _one_sided(along, h):
    """The slope to the right of x, from three points; to the left if h < 0."""
    return (4 * along(h) - along(2 * h) - 3 * along(0.0)) / (2 * h)


def _gap(along, h):
    return _one_sided(along, h) - _one_sided(along, -h)


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

    def __init__(self, f, x, kind=float):
        if not callable(f):
            raise TypeError(f"f must be a function of x, got {describe(f)}")
        self.f, self.x, self.kind, self.calls = f, x, kind, 2
        arrays = [real_array(leaf, name) for name, leaf in leaves(x)]
        if not any(array.size for array in arrays):
            raise ValueError(f"x has no numbers in it to differentiate: {describe(x)}")
        self.vector = np.concatenate([array.ravel() for array in arrays]).astype(kind)
        self.names, self.places, self._views, end = [], [], [], 0
        for (name, leaf), array in zip(leaves(x), arrays, strict=True):
            start, end = end, end + array.size
            self.names.append(name)
            self.places.append((slice(start, end), array.shape))
            view = self.vector[start:end].reshape(array.shape)
            view.flags.writeable = False
            self._views.append((view, isinstance(leaf, np.ndarray)))
        with np.errstate(all="ignore"):
            self._ask_first()

    def argument(self):
        """What f sees: the structure of x, with read-only views of the vector."""
        parts = (view if is_array else view.item() for view, is_array in self._views)
        return rebuild(self.x, parts)

    def _ask_first(self):
        """f at x itself, twice, with every question that can be asked about it."""
        value, again = (call(self.f, self.argument(), "f") for _ in range(2))
        number = np.asarray(None if isinstance(value, tuple | list) else value)
        wanted = "biuf" if self.kind is float else "biufc"
        if number.dtype.kind not in wanted or number.ndim:
            raise TypeError(
                f"f must return one real number, got {describe(value)}. A gradient "
                "belongs to a scalar: sum the values, or check one of them at a time"
            )
        if self.kind is complex and number.dtype.kind != "c":
            raise TypeError(
                "method='complex' needs a function that hands complex numbers through; "
                f"f returned the real number {value}. Use method='five-point'"
            )
        if not np.isfinite(number):
            raise ValueError(f"f(x) is {value}: choose an x where f is finite")
        if number != again:
            raise ValueError(
                f"f must give the same number each time; at the same x it gave {value} "
                f"and then {again}. Fix its seed, or pass its random draws in"
            )
        self.value = self.kind(value)
        kind = number.dtype if number.dtype.kind in "fc" else float
        self._rounding = float(np.finfo(kind).eps) * abs(self.value)

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
                    known[t] = self.kind(self.f(self.argument()))
                except (ArithmeticError, ValueError, TypeError):
                    known[t] = math.nan
                self.vector[where] = centre
            return known[t]

        return value_at

    def noise(self):
        """How far rounding may put a value of f off.

        Nine values of f at neighbouring points: the fourth differences of a smooth
        function vanish there, those of rounding errors do not (R. W. Hamming,
        Numerical Methods for Scientists and Engineers, on noise in tables). Beside one
        unit of rounding they are about 8 units large.
        """
        along = self.along(slice(None), self.vector.copy())
        differences = np.diff([along(k * 2.0**-26) for k in range(9)], 4) / 8
        return max(self._rounding, float(np.max(np.abs(np.nan_to_num(differences)))))


def call(f, argument, name):
    """f(argument), with an error that says so if f changes its argument."""
    before = [id(leaf) for _, leaf in leaves(argument)]
    try:
        value = f(argument)
        changed = before != [id(leaf) for _, leaf in leaves(argument)]
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        changed = True
    if changed:
        raise ValueError(
            f"{name} changes its argument x in place, so that the next call sees "
            f"another x. Work on a copy inside {name}, as in x = x.copy()"
        )
    return value


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
    array = np.asarray(value)
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
    return "None (no return?)" if value is None else f"a {type(value).__name__}"

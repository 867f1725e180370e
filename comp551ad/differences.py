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
stays wide, f is not smooth here, and the slopes to both sides are what can be said,
unless the shortest steps show that the kink lies beside x.

A bar is no proof: what f does between the points it is asked at, nobody sees. A sine
of many periods within one step looks like noise, and so do stairs. Before a claim is
called wrong, `is_contradicted` therefore asks much shorter steps. Where f hides its
noise (float32 inside, at an x near 0 where f is nearly 0 too; float32 and float64 in one
sum), the bar may still come out too small.

It reads NumPy and nothing of ours; `gradcheck`, notebooks and tests may read it.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

__all__ = ["finite_difference"]

EPSILON = 2.0**-52  # the distance from 1 to the next float64
FIRST_STEP, LONGEST_STEP = 2.0**-7, 2.0**-3  # for numbers of size 1 or less
MOST_STEPS = 40  # of one walk
SHARP = 3e-8  # a bar this small, beside its slope, needs no better step
RESOLVED = 1e-3  # a wider bar, beside a large slope of f, says nothing
BESIDE = 64  # times the noise, so much must a step show of the gap of a kink near x
SINGLE = 2.0**-20  # of f: more than this is no rounding, not even that of float32
# To see the noise of f: so many points, and how far apart, beside the size of x.
POINTS, WIDE, SPACINGS = 16, 2.0**-26, (2.0**-40, 2.0**-26, 2.0**-20, 2.0**-14)


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
    if not isinstance(method, str) or method not in _METHODS:
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

    step    the h that was used
    around  how steep f is near x: where the slope is 0, what would be large?
    rivals  estimates with another h that contradict this one
    """

    estimate: float
    bar: float
    sides: tuple | None
    step: float
    around: float
    rivals: tuple = ()


def find_slope(along, size, noise, formula):
    """The `Slope` of f along a line, measured with the step that suits it best.

    along    t -> f(x moved by t), which remembers its values
    size     of the numbers that move
    noise    of f, as `Function.noise` measures it
    formula  any of those above, but for the complex one
    """
    # A small number may be one of many about 1, as a weight is, or have its own size for
    # a unit, as x in 1 / x has. The second is tried where the first does not do.
    units = [_scale(size)]
    if 0 < size < 1:
        units.append(2.0 ** math.floor(math.log2(size)))
    first = FIRST_STEP * units[0]
    rises = [abs(along(t) - along(0.0)) / first for t in (first, -first)]
    tried = {}
    for unit in units:
        _walk(tried, along, unit, size, noise, formula)
        best = _best(list(tried.values()))
        around = max(filter(math.isfinite, [0.0, abs(best.estimate), *rises]))
        # Noise may look like truncation, but not like much more than the rounding.
        if best.truncation <= max(4 * best.rounding, RESOLVED * around):
            rivals = [m.estimate for m in tried.values() if _contradict(m, best)]
            return Slope(best.estimate, best.bar, None, best.h, around, tuple(rivals))
    # Of the sides, only what is resolved: the rest would contradict it by chance.
    sides = [[_measure_side(along, way * h, noise) for h in tried] for way in (-1, 1)]
    sides = [[now for now in side if now.bar <= RESOLVED * around] for side in sides]
    if not all(sides):
        return Slope(math.nan, math.inf, None, 0.0, around)
    left, right = map(_best, sides)
    bar, both = left.bar + right.bar, (left.estimate, right.estimate)
    near = _beside_a_kink(along, size, noise, both)
    if near:
        return Slope(near.estimate, near.bar, None, near.h, around)
    return Slope(best.estimate, bar, both, min(left.h, right.h), around)


def _walk(tried, along, unit, size, noise, formula):
    """Measure with one h after the other, and note each measurement in tried."""
    h = FIRST_STEP * unit
    for _ in range(MOST_STEPS):
        if h in tried or h > LONGEST_STEP * unit or h / 2 == 0:
            break
        now = tried[h] = measure(along, h, size, noise, formula)
        if now.bar <= SHARP * abs(now.estimate) < math.inf:
            break
        h = h * 2 if now.truncation <= now.rounding else h / 2


def _beside_a_kink(along, size, noise, sides):
    """The `Measurement` at x itself if the kink lies only near x, otherwise None.

    Then steps shorter than the way to the kink see one slope to both sides of x, that of
    the side x is on. A slope of 0 is no evidence: stairs have one on every step.
    """
    gap, steep = abs(sides[1] - sides[0]), max(map(abs, sides))
    noise = noise + EPSILON * (size or 1.0) * steep  # a 0 may be one of many about 1
    shortest = BESIDE * noise / gap if gap else math.inf
    if not 0 < shortest / 2 < math.inf:
        return None
    h, found = 2.0 ** math.ceil(math.log2(shortest)), None
    for _ in range(MOST_STEPS):
        pair = [_measure_side(along, way * h, noise) for way in (-1, 1)]
        one, other = (now.estimate for now in pair)
        away = min(max(abs(now.estimate - side) for now in pair) for side in sides)
        now = max(pair, key=lambda each: each.bar)
        now = now._replace(truncation=now.truncation + abs(one - other))
        if not (one and other and now.bar + away <= gap / 2):
            break
        if found and now.bar >= found.bar:
            break
        h, found = 2 * h, now
    return found


def is_contradicted(slope, along, size, noise, gap):
    """Whether steps much shorter than the slope's own see it at least gap / 2 away.

    noise is that of f among points as near to each other as these. The shortest step
    that can tell is taken, the one at which the noise amounts to a quarter of the gap.
    """
    noise = noise + EPSILON * size * max(abs(slope.estimate), gap)
    shortest = max(32 * noise / gap, slope.step * 2.0**-40)
    if not 0 < shortest / 2 < slope.step / 4:  # nor nan, nor too small to halve
        return False
    h = 2.0 ** math.ceil(math.log2(shortest))
    expected = slope.sides or (slope.estimate, slope.estimate)
    near = _measure_side(along, -h, noise), _measure_side(along, h, noise)
    return any(
        abs(now.estimate - then) > max(gap / 2, now.bar + slope.bar)
        for now, then in zip(near, expected, strict=True)
    )


def steepness(noise, size):
    """The slope that carries f as far as its noise, from one point to the next."""
    return noise / (WIDE * _scale(size))


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
        if now.bar < best.bar or _contradict(now, best):
            best = now
    return best


def _contradict(one, other):
    return abs(one.estimate - other.estimate) > one.bar + other.bar


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
    # Twice the distance: so much is left of a kink that lies a little off x.
    return Measurement(abs(h), fine, 2 * abs(fine - coarse), 8 * noise / abs(h))


def _one_sided(along, h):
    """The slope to the right of x, from three points; to the left if h < 0."""
    near, far = along(h) - along(0.0), along(2 * h) - along(0.0)
    return (4 * near - far) / (2 * h)


def _gap(along, h):
    return _one_sided(along, h) - _one_sided(along, -h)


def _scale(size):
    """The power of two at the size of a number, and 1 for all small numbers."""
    return 2.0 ** min(math.ceil(math.log2(max(1.0, size))), 1023)  # the last there is


# ---------------------------------------------------------------- x and f, taken apart


class Noise(NamedTuple):
    """The noise of f among points very near to each other, and among less near ones.

    Where far is much larger, f is rough: noise it may be, or a wave too short for them.
    """

    near: float
    far: float


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
        self.names, self.places, self._are_arrays, end = [], [], [], 0
        for (name, leaf), array in zip(leaves(x), arrays, strict=True):
            start, end = end, end + array.size
            self.names.append(name)
            self.places.append((slice(start, end), array.shape))
            self._are_arrays.append(isinstance(leaf, np.ndarray))
        with np.errstate(all="ignore"):
            self._ask_first()

    def argument(self, where=slice(0), move=0.0):
        """What f sees: x, moved at `where`, in a read-only copy that f may keep."""
        vector = self.vector.copy()
        vector[where] += move
        vector.flags.writeable = False  # nor are its parts, then
        parts = [vector[where].reshape(shape) for where, shape in self.places]
        each = zip(parts, self._are_arrays, strict=True)
        return rebuild(self.x, (part if array else part.item() for part, array in each))

    def _ask_first(self):
        """f at x itself, twice, with every question that can be asked about it."""
        value, again = (call(self.f, self.argument(), "f") for _ in range(2))
        number = np.asarray(None if isinstance(value, tuple | list) else value)
        wanted = "biuf" if self.kind is float else "biufc"
        if number.dtype.kind not in wanted or number.ndim or np.ma.is_masked(value):
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
        known = {0.0: self.value}

        def value_at(t):
            if t not in known:
                self.calls += 1
                try:
                    value = complex(self.f(self.argument(where, t * direction)))
                except (ArithmeticError, ValueError, TypeError):
                    value = complex(math.nan)
                if self.kind is float and value.imag:
                    raise TypeError(
                        f"f must return one real number; near x it returned {value}. "
                        "The root or logarithm of a negative number?"
                    )
                known[t] = value if self.kind is complex else value.real
            return known[t]

        return value_at

    def noise(self):
        """How far rounding may put a value of f off: the `Noise` of f.

        The fourth differences of a smooth function vanish among neighbouring points,
        those of rounding errors do not (R. W. Hamming, Numerical Methods for Scientists
        and Engineers, on noise in tables). They are about 8 errors large; the largest
        of 12, divided by 6, is more than the errors of nearly all values.

        Where most values are equal, as those of float32 are, the points lie too near to
        each other to show the noise, and wider ones are asked as well: up to 2^-14 of
        the size of each number in x, and then of 1.
        """
        sizes = np.where(self.vector == 0, 1.0, np.abs(self.vector))
        # A power of two, for exact moves; times 13, as its square would be exact as well.
        own = 13 / 16 * np.spacing(sizes) / EPSILON
        moves = own, np.maximum(own, 13 / 16)
        lines = [self.along(slice(None), move) for move in moves]
        noise = 0.0
        for along, spacing in itertools.product(lines, SPACINGS):
            jitter, different = self._jitter(along, spacing)
            noise = max(noise, jitter)
            if different > POINTS / 2:
                break
        near = noise if noise <= SINGLE * abs(self.value) else self._rounding
        return Noise(near, max(noise, self._jitter(lines[0], WIDE)[0]))

    def last_digit(self):
        """The slope that moves f by its last digit while x moves by its own size."""
        return EPSILON * abs(self.value) / _scale(np.max(np.abs(self.vector)))

    def _jitter(self, along, spacing):
        """The noise of neighbouring values, and how many of them are different."""
        noise, values = [], []
        for way in (spacing, -spacing):
            # Without x itself, at which f may jump.
            values = [along(k * way) for k in range(1, POINTS + 1)]
            fourth = np.abs(np.diff(values, 4)) / 6
            finite = fourth[np.isfinite(fourth)]
            noise.append(max(self._rounding, np.max(finite, initial=0.0)))
            if noise[-1] <= 16 * self._rounding:
                break
            # Much, but perhaps a kink nearby: that lies to one side, noise to both.
        return float(min(noise)), len(set(values))


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
    if isinstance(value, np.ma.MaskedArray):  # its mask would be dropped, unseen
        raise TypeError(
            f"{name} must be a plain array, got a {type(value).__name__}: fill in or "
            f"leave out what is masked, and pass np.asarray({name})"
        )
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
    if isinstance(value, np.ma.MaskedArray):
        return "a masked array"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, dict):
        return f"a dict with keys {sorted(map(str, value))}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if value is None:
        return "None (no return?)"
    kind = type(value).__name__
    words = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    if isinstance(value, int) and value.bit_length() > 63:
        words += " too large for NumPy: write it as a float"
    return words

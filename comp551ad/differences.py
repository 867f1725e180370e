"""Finite differences: a numerical slope and its error bar (S10).

Move one number in x by h in both directions and measure the change in f: that is a slope, with no
calculus at all. It is never exact, for two reasons with opposite remedies:

- *Truncation*: f curves over a step h. A shorter step has less of it.
- *Rounding*: f has about 16 digits, and the last ones are noise. The difference is divided by h,
  and so is the noise. A shorter step has more of it.

So every slope has an error bar made of both. ``look`` evaluates f at x ± h/2 … ± 4h and computes
three slopes: left of x, right of x, and across x. A single look can mislead: a kink near x, within
its step, looks like a kink at x. ``explore`` looks with steps of many lengths and uses the longer,
more precise ones as long as they agree with the shorter ones, which stay close to x.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .pytrees import leaf_names, leaves, unflatten
from .shapes import as_floats, number, one_of, require_finite

__all__ = ["finite_difference"]

# From 1 to the next float64: the relative error of x + h.
EPSILON = 2.0**-52
# Where truncation and rounding are about equal for a smooth f, with x and f about 1; steps longer
# than the second leave the neighbourhood of x.
FIRST_STEP, LONGEST_STEP = 2.0**-7, 2.0**-3
# Enough halvings to go from the first step down to the rounding of x.
MOST_STEPS = 48

# The formulas for both sides and for one side amplify noise / h at most this many times.
CENTER_ROUNDING, SIDE_ROUNDING = 4, 16


# --- formulas -------------------------------------------------------------------------
# ``along(t)`` is the value of f when x is moved by t along a line.


def _five_point(along, h):
    near, far = along(h) - along(-h), along(2 * h) - along(-2 * h)
    return (8 * near - far) / (12 * h)


# Each with its best single step, where truncation and rounding are about equal. Steps are powers
# of two, so that x + h is exact for most x.
_METHODS: dict[str, tuple[Callable, float]] = {
    "forward": (lambda along, h: (along(h) - along(0.0)) / h, 2.0**-26),
    "central": (lambda along, h: (along(h) - along(-h)) / (2 * h), 2.0**-17),
    "five-point": (_five_point, 2.0**-10),
    "complex": (lambda along, h: along(1j * h).imag / h, 2.0**-66),
}


def choose_formula(method: str) -> tuple[Callable, float]:
    """The formula, a function of ``along`` and h, and its best h; ValueError if unknown."""
    return _METHODS[one_of("method", method, _METHODS)]


def finite_difference(
    f: Callable, x: Any, method: str = "central", h: float | None = None
) -> Any:
    """Gradient of a scalar function by one difference formula with one step (S10).

    Args:
        f: Function of x that returns one real number.
        x: Array, number, or a tuple, list or dict of them, nested as you like; never changed.
        method: "forward" (f(x+h) − f(x)) / h, error O(h); "central", error O(h²); "five-point",
            error O(h⁴); "complex" Im f(x + ih) / h, no cancellation, for functions that take
            complex input and are analytic.
        h: Step in the units of x, the same for every coordinate; by default a good one for the
            method, scaled to the size of each coordinate.

    Returns:
        The gradient with the structure and shapes of x, float64. A coordinate where f is nan is
        nan.

    Raises:
        ValueError, TypeError: an argument is invalid; the message names it.
    """
    formula, best_step = choose_formula(method)
    if h is not None:
        h = number("h", h, above=0)
    function = Function(f, x)
    slopes = np.empty(function.vector.size)
    with np.errstate(all="ignore"):
        for i in range(slopes.size):
            line = Line(function, i)
            slopes[i] = formula(line, h or best_step * scale(line.size))
    parts = (slopes[at].reshape(shape)[()] for at, shape in function.places)
    return unflatten(x, parts)


# --- one look -------------------------------------------------------------------------


class Slope(NamedTuple):
    """A slope and its error bar.

    Attributes:
        estimate: The slope.
        bar: The true slope lies within ± bar of it; inf if none was found.
        rounding: The part of the bar due to noise in f.
        h: The step.
    """

    estimate: float
    bar: float
    rounding: float
    h: float

    def holds(self, slope: float) -> bool:
        """Whether ``slope`` lies within the bar."""
        return abs(slope - self.estimate) <= self.bar

    def contradicts(self, other: "Slope") -> bool:
        """Whether the two bars don't overlap."""
        return abs(self.estimate - other.estimate) > self.bar + other.bar


class Look(NamedTuple):
    """The slopes across x, left of it and right of it.

    The bar of the first contains the other two slopes: it includes half of any kink between them.
    """

    center: Slope
    left: Slope
    right: Slope

    def answers(self) -> Slope:
        """The interval of all correct answers: both sides and what lies between them, or the
        center if that is narrower; all three if a side contradicts the center."""
        doubtful = any(self.center.contradicts(side) for side in self[1:])
        spanned = self if doubtful else self[1:]
        low = min(slope.estimate - slope.bar for slope in spanned)
        high = max(slope.estimate + slope.bar for slope in spanned)
        both = self.left._replace(estimate=(low + high) / 2, bar=(high - low) / 2)
        return both if doubtful or both.bar < self.center.bar else self.center


def look(line: "Line", h: float, noise: float) -> Look:
    """Measure f along a line with steps of h/2 to 4h; ``noise`` bounds the error of a value."""
    # On each side the secants over h/2, h, 2h and 4h, each extrapolated with the next one.
    steps = h / 2, h, 2 * h, 4 * h
    ways = [[(line(way * t) - line(0.0)) / (way * t) for t in steps] for way in (-1, 1)]
    left, right = ([a + (a - b) for a, b in pairwise(secants)] for secants in ways)
    middle = [_five_point(line, t) for t in steps[:3]]
    # Without a kink the gap between the sides shrinks like h³, which cancels here.
    near, far = right[0] - left[0], right[1] - left[1]
    kink = near + (near - far) / 7
    # x + h is rounded too, which changes f by that error times its slope.
    noise = max(noise, *(EPSILON * abs(line(t)) for t in (-2 * h, 2 * h)))
    noise += EPSILON * line.size * abs(middle[0])
    return Look(
        _limit(middle, 15, CENTER_ROUNDING * noise / h, h, abs(kink) / 2),
        _limit(left, 3, SIDE_ROUNDING * noise / h, h),
        _limit(right, 3, SIDE_ROUNDING * noise / h, h),
    )


def _limit(results, order, rounding, h, kink=0.0):
    """The limit of three results of a formula, for h/2, h and 2h.

    Each difference is a fraction of the previous one: 1/16 for five points and 1/4 for one side if
    f is smooth, more if it bends at x. The remaining differences form a geometric series, and the
    bar includes twice its sum. Differences, and half a kink, below the rounding are ignored.
    """
    fine, coarse, coarsest = results
    step, before = abs(fine - coarse), abs(coarse - coarsest)
    rest = step / order
    if step > rounding:
        rest = max(rest, step * step / (before - step) if step < before else math.inf)
    bar = rounding + 2 * rest + (kink if kink > rounding else 0.0)
    if not math.isfinite(bar):
        return Slope(0.0, math.inf, rounding, h)
    return Slope(fine + (fine - coarse) / order, bar, rounding, h)


# --- many looks -----------------------------------------------------------------------


def explore(line: "Line", noise: float, sharp: float = 0.0) -> Look:
    """Look with steps of many lengths; return the best slopes that no shorter step contradicts.

    Stop early once a bar is at most ``sharp`` times its slope.
    """
    looks: dict[float, Look] = {}
    units = [scale(line.size)]
    if not sharp and 0 < line.size < 1:
        # A small number may be one of many of order 1, like a weight, or set its own scale, like
        # x in 1 / x.
        units.append(_unit(line.size))
    for unit in units:
        h = FIRST_STEP * unit
        for _ in range(MOST_STEPS):
            if h in looks or h > LONGEST_STEP * unit or h / 4 == 0:
                break
            looks[h] = look(line, h, noise)
            center = looks[h].center
            if center.bar <= sharp * abs(center.estimate):
                break
            # Longer if rounding dominates the bar, shorter if f curves too much.
            h = h * 2 if center.bar <= 2 * center.rounding < math.inf else h / 2
    ordered = [looks[h] for h in sorted(looks)]
    return Look(*(_lengthen(slopes) for slopes in zip(*ordered, strict=True)))


def _lengthen(slopes: tuple[Slope, ...]) -> Slope:
    believed: list[Slope] = []
    for slope in slopes:
        if any(slope.contradicts(other) for other in believed):
            break
        believed.append(slope)
    return min(believed, key=lambda slope: slope.bar)


def _unit(size):
    """The largest power of two that is at most a number; 1 for 0."""
    return 2.0 ** math.floor(math.log2(size)) if size else 1.0


def scale(size: float) -> float:
    """The smallest power of two that is at least a number and at least 1."""
    # 2 ** 1023 is the largest in float64.
    return 2.0 ** min(math.ceil(math.log2(max(1.0, size))), 1023)


# Noise is measured on this many neighbouring points: close ones first, and farther apart where
# close values are equal, as with float32 inside f.
POINTS, NEAR, WIDER, WIDEST = 16, 2.0**-40, 2.0**13, 2.0**-14
# The last digits of a float32 and of a float16.
SINGLE, HALF = 2.0**-23, 2.0**-10


def measure_noise(line: "Line") -> float:
    """An estimate of the rounding error in the values of f along one line.

    Between neighbouring points the fourth differences of a smooth function vanish, but those of
    rounding errors do not (R. W. Hamming, Numerical Methods for Scientists and Engineers, on
    noise in tables). They are about 8 times an error; the largest of 12, divided by 6, exceeds
    nearly all errors. Large differences may also come from a nearby kink, but only on one side;
    noise is on both.
    """
    noise, step, left = line.floor, NEAR * _unit(line.size), 3
    while left > 0 and step <= WIDEST * scale(line.size):
        jitters = []
        for way in (1, -1):
            # 13/16, because squares of powers of two are exact.
            values = [line(way * 13 / 16 * k * step) for k in range(1, POINTS + 1)]
            fourth = np.abs(np.diff(values, 4)) / 6
            jitters.append(np.max(fourth[np.isfinite(fourth)], initial=line.floor))
        # Values that have lost their last digits need wider steps, and three of them: a step
        # that changes f by a whole number of digits shows no rounding.
        is_full = np.any(np.frexp(values)[0] * 2.0**40 % 1)
        differ = bool(np.count_nonzero(np.diff(values)) > POINTS / 2)
        if differ:
            noise = max(noise, float(min(jitters)))
            left -= 3 if is_full and step >= NEAR else 1
            step *= 21 / 13
        else:
            step = NEAR if step < NEAR else step * WIDER
    line.floor = max(line.floor, line.digit() * abs(line(0.0)))
    # Rounding to stairs is off by up to half a stair.
    return max(noise, line.floor, line.stair() / 2)


# --- x as a vector, and f along lines -------------------------------------------------


class Function:
    """f near x, as a function of one flat vector of all numbers in x.

    Attributes:
        vector: A flat copy of all numbers in x.
        names: The expressions for the arrays and numbers in x: x, x['W'], x[0].
        places: Their places in the vector: a (slice, shape) for each name.
        value: f(x).
        calls: How often f was called.
    """

    def __init__(self, f: Callable, x: Any):
        if not callable(f):
            raise TypeError(f"f: got {describe(f)}, expected a function of x")
        self.f, self.x, self.calls = f, x, 2
        self.names = leaf_names(x, "x")
        self._leaves = leaves(x)
        arrays = [*map(real_array, self.names, self._leaves)]
        if not any(array.size for array in arrays):
            raise ValueError(f"x: got {describe(x)}, expected numbers; it has none")
        self.vector: np.ndarray = np.concatenate([array.ravel() for array in arrays])
        ends = np.cumsum([array.size for array in arrays]).tolist()
        self.places = [
            (slice(end - array.size, end), array.shape)
            for end, array in zip(ends, arrays, strict=True)
        ]
        with np.errstate(all="ignore"):
            value, again = (call(f, self.argument(), "f") for _ in range(2))
        array = np.asarray(None if isinstance(value, tuple | list) else value)
        is_real = array.dtype.kind in "biuf" and not np.ma.is_masked(value)
        if not is_real or array.size != 1:
            raise TypeError(
                f"f: got {describe(value)}, expected one real number; a gradient belongs to "
                "a scalar, so sum the values, or check one of them at a time"
            )
        if not np.isfinite(array):
            raise ValueError(f"f: got f(x) = {value}, expected a finite number")
        self.value = float(array.item())
        must_repeat(self.value, float(np.asarray(again).item()))

    def argument(self, where: Any = slice(0), move: Any = 0.0) -> Any:
        """The argument for f: a read-only copy of x, moved at ``where``, that f may keep."""
        vector = self.vector.astype(np.result_type(float, move))
        vector[where] += move
        # This makes its slices read-only too.
        vector.flags.writeable = False
        kept = []
        for (at, shape), leaf in zip(self.places, self._leaves, strict=True):
            part = vector[at].reshape(shape)
            if not isinstance(leaf, np.ndarray):
                part = part[()] if isinstance(leaf, np.generic) else part.item()
            kept.append(part)
        return unflatten(self.x, iter(kept))

    def ask(self, where: Any, move: Any) -> Any:
        """f at a moved x, or nan where f raises."""
        self.calls += 1
        is_complex = np.iscomplexobj(move)
        try:
            value = self.f(self.argument(where, move))
            is_real = np.isrealobj(value)
            value = complex(value.item() if isinstance(value, np.ndarray) else value)
        except TypeError:
            # E.g. max() of the complex root of a negative number.
            if is_complex:
                raise
            return math.nan
        except (ArithmeticError, ValueError):
            return math.nan
        if is_complex:
            if is_real:
                raise TypeError(
                    f"f: got the real number {value.real} for a complex x, expected a complex "
                    "one; use method='five-point'"
                )
            return value
        if value.imag:
            raise TypeError(
                f"f: near x got {value}, expected one real number; "
                "is there a root or logarithm of a negative number?"
            )
        return value.real


def must_repeat(before: Any, again: Any) -> None:
    """ValueError if two values of f at one point differ."""
    if before != again and not (np.isnan(before) and np.isnan(again)):
        raise ValueError(
            f"f: got {before} and then {again} at the same x, expected the same number "
            "each time; fix its seed, or pass its random draws in"
        )


class Line:
    """f along one line through x: t -> f(x with the numbers at ``where`` moved by t * direction).
    Values are cached; nan where f raises.

    Attributes:
        size: The absolute value of the largest number that moves.
        floor: The least possible noise in f: the last digit of its value.
    """

    def __init__(self, function: Function, where: Any, direction: Any = 1.0):
        self._function, self._where, self._direction = function, where, direction
        self.size = float(np.max(np.abs(function.vector[where])))
        self.floor = EPSILON * abs(function.value)
        self._known = {0.0: function.value}

    def __call__(self, t: float) -> float:
        if t not in self._known:
            self._known[t] = self._function.ask(self._where, t * self._direction)
        return self._known[t]

    def is_flat(self, reach: float = math.inf) -> bool:
        """Whether all known values of f within ``reach`` are equal."""
        near = [value for t, value in self._known.items() if abs(t) <= reach]
        return all(value == self._known[0.0] for value in near)

    def stair(self) -> float:
        """The least difference between two values if f is constant next to x and changes by
        multiples of one step elsewhere, as if rounded; else 0. A network unit that is dead at x
        is constant too, but its other changes are arbitrary."""
        nearest = sorted(self._known, key=abs)[:3]
        values = np.unique([*self._known.values()])
        gaps = np.diff(values[np.isfinite(values)])
        if not gaps.size or not self.is_flat(abs(nearest[-1])):
            return 0.0
        least = float(np.min(gaps))
        # The least gap may be up to six steps: 60 is a multiple of 1 … 6.
        parts = 60 * gaps[gaps < 1000 * least] / least
        is_even = np.max(np.abs(parts - np.rint(parts))) < 1e-3
        return least if is_even and parts.size > POINTS / 2 else 0.0

    def digit(self) -> float:
        """The last digit of the smallest float type that holds all values exactly; 0 for float64,
        and if all values are equal."""
        values = np.array([*self._known.values()])
        values = values[np.isfinite(values)]
        for kind, digit in (np.float16, HALF), (np.float32, SINGLE):
            if not self.is_flat() and np.all(kind(values) == values):
                return digit
        return 0.0

    def ask_again(self) -> None:
        """ValueError if f returns another value at a point evaluated before."""
        for t, before in self._known.items():
            must_repeat(before, self._function.ask(self._where, t * self._direction))


def call(f: Callable, argument: Any, name: str) -> Any:
    """f(argument), with an error that names f if it modifies the argument."""
    try:
        return f(argument)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ValueError(
            f"{name}: got a function that changes its argument x in place, expected one "
            f"that leaves it alone; work on a copy inside {name}, as in x = x.copy()"
        ) from error


def real_array(name: str, value: Any) -> np.ndarray:
    """The value as a finite float64 array; errors name it."""
    array = np.asarray(as_floats(name, value), dtype=np.float64)
    require_finite([name], [array])
    return array


def describe(value: Any) -> str:
    """A short description of a value for error messages."""
    if isinstance(value, np.ma.MaskedArray):
        return "a masked array"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, dict):
        return f"a dict with keys {list(value)}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None (no return?)" if value is None else f"{value!r}"

"""Finite differences: a slope found by trying, and how well it is known (S10).

Move one number in x by h to both sides and see how far f goes: that is a slope, with no calculus
at all. It is never exact. Two things are wrong with it, and they pull apart:

- *Truncation*: over a step h the function bends. A shorter step has less of it.
- *Rounding*: f has about 16 digits, and the last ones are noise. The difference is divided by h,
  and so is the noise. A shorter step has more of it.

So every slope comes with an error bar, made of both. A ``Look`` evaluates f at x ± h/2, x ± h and
x ± 2h and finds three slopes: to the left of x, to the right, and the one through both sides.
They come from halving the step: when a formula is wrong by something that shrinks with h, its
results for h and h/2 tell how large that is, and what would be left without it (Richardson).

One look can be deceived: a kink beside x, hidden within its step, looks like a kink at x. Short
steps see x alone, but badly; long steps see well, but may see over something. ``look_closely``
therefore takes looks from short to long and believes the longer ones as long as they confirm the
shorter.

Reads: pytrees. Read by: gradcheck, show, exercises, notebooks.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .pytrees import leaf_names, leaves, unflatten

__all__ = ["finite_difference"]

# From 1 to the next float64: what x + h may be off by, beside x.
EPSILON = 2.0**-52
# The first h for numbers of size 1 or less. Five points over smooth functions about 1 are then
# off by h⁴/30, less than 1e-9, and rounding by some 1e-14.
FIRST_STEP, LONGEST_STEP = 2.0**-7, 2.0**-3
# From the first step down to the rounding of x, 2⁻⁵², in halves.
MOST_STEPS = 48

Along = Callable[[float], float]


# --- formulas -------------------------------------------------------------------------
# ``along(t)`` is the value of f when x has moved by t along one line.


def _five_point(along, h):
    near, far = along(h) - along(-h), along(2 * h) - along(-2 * h)
    return (8 * near - far) / (12 * h)


# Each with the best step for using it once, where truncation and rounding are about equal.
# Powers of two, as x + h is then exact for most x.
_METHODS: dict[str, tuple[Callable, float]] = {
    "forward": (lambda along, h: (along(h) - along(0.0)) / h, 2.0**-26),
    "central": (lambda along, h: (along(h) - along(-h)) / (2 * h), 2.0**-17),
    "five-point": (_five_point, 2.0**-10),
    "complex": (lambda along, h: along(1j * h).imag / h, 2.0**-66),
}


def choose_formula(method: str) -> tuple[Callable, float]:
    """A function of ``along`` and h, and the best h for it; ValueError if there is none."""
    if not isinstance(method, str) or method not in _METHODS:
        raise ValueError(
            f"method: got {method!r}, expected one of {list(_METHODS)}; "
            "'five-point' suits most functions"
        )
    return _METHODS[method]


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
        h: Step in the units of x, the same for every coordinate; if left out, a good one for
            the method, scaled to the size of each coordinate.

    Returns:
        The gradient with the structure and shapes of x, float64. A coordinate at which f is nan
        comes back nan.

    Raises:
        ValueError, TypeError: for an argument that can't be used, by name.
    """
    formula, best_step = choose_formula(method)
    is_number = isinstance(h, int | float | np.number) and not isinstance(h, bool)
    if h is not None and not (is_number and 0 < h < math.inf):
        raise ValueError(f"h: got {h!r}, expected a positive number; or leave it out")
    function = Function(f, x, complex if method == "complex" else float)
    slopes = np.empty(function.vector.size)
    with np.errstate(all="ignore"):
        for i, number in enumerate(function.vector):
            step = h or best_step * scale(abs(number))
            slopes[i] = formula(function.along(i), step)
    return unflatten(
        x, (slopes[at].reshape(shape)[()] for at, shape in function.places)
    )


# --- slopes with a bar ----------------------------------------------------------------


class Slope(NamedTuple):
    """A slope, and how well it is known.

    Attributes:
        estimate: The slope.
        bar: The truth lies within ± bar of it; inf where nothing was found.
        rounding: The part of the bar that the noise of f makes.
        h: The step.
    """

    estimate: float
    bar: float
    rounding: float
    h: float

    def holds(self, slope: float) -> bool:
        """Whether ``slope`` lies within the bar."""
        return abs(slope - self.estimate) <= self.bar

    def widened(self, by: float) -> "Slope":
        """The same with a wider bar."""
        return self._replace(bar=self.bar + by, rounding=self.rounding + by)

    def contradicts(self, other: "Slope") -> bool:
        """Whether the two bars have nothing in common."""
        return abs(self.estimate - other.estimate) > self.bar + other.bar


def span(one: Slope, other: Slope) -> Slope:
    """What holds two slopes, with their bars and all between them."""
    low = min(one.estimate - one.bar, other.estimate - other.bar)
    high = max(one.estimate + one.bar, other.estimate + other.bar)
    rounding, h = max(one.rounding, other.rounding), min(one.h, other.h)
    return Slope((low + high) / 2, (high - low) / 2, rounding, h)


class Look(NamedTuple):
    """What steps of h/2, h and 2h see of f.

    Attributes:
        center: The slope through both sides. Its bar holds the slopes to the left and to the
            right as well: half of the kink that may lie between them is part of it.
        left, right: The slopes to the two sides of x.
    """

    center: Slope
    left: Slope
    right: Slope

    def answers(self) -> Slope:
        """What holds all right answers: both sides and what lies between them."""
        return min(self.center, span(self.left, self.right), key=lambda slope: slope.bar)


def look(
    along: Along, h: float, size: float, noise: float, formula: Callable
) -> Look:
    """Measure f along a line with steps about h.

    Args:
        along: t -> f(x moved by t), which remembers its values.
        h: The step.
        size: Of the numbers that move.
        noise: How far off a value of f may be.
        formula: For the slope through both sides; any one from ``choose_formula`` that is real.
    """
    noise = max(noise, *(EPSILON * abs(along(t)) for t in (2 * h, -2 * h)))
    # To each side: secants, straightened once over h and over 2h, and once more.
    secants = [
        [(along(way * t) - along(0.0)) / (way * t) for t in (h / 2, h, 2 * h)]
        for way in (-1, 1)
    ]
    once = [(a + (a - b), b + (b - c)) for a, b, c in secants]
    twice = [a + (a - b) / 3 for a, b in once]
    # Without a kink the gap between the sides shrinks like h³, which cancels here.
    gaps = [right - left for left, right in zip(*once, strict=True)]
    kink = gaps[0] + (gaps[0] - gaps[1]) / 7
    # The slope through both sides, and what halving the step three times makes of it.
    fine = formula(along, h / 2)
    five = _five_point(along, h / 2)
    best = five + (five - _five_point(along, h)) / 15
    # x + h is rounded too, which moves f by that times its slope.
    noise = noise + EPSILON * size * abs(fine)
    truncations = [abs(kink) / 2 + 2 * abs(fine - best)]
    truncations += [2 * abs(side - near) for side, (near, _) in zip(twice, once, strict=True)]
    weights = CENTER_ROUNDING, SIDE_ROUNDING, SIDE_ROUNDING
    slopes = zip((best if formula is _five_point else fine, *twice), truncations, weights, strict=True)
    return Look(*(_slope(*each, noise, h) for each in slopes))


def _slope(estimate, truncation, weight, noise, h):
    rounding = weight * noise / h
    bar = truncation + rounding
    if math.isfinite(bar):
        return Slope(estimate, bar, rounding, h)
    return Slope(0.0, math.inf, rounding, h)


# The weights of the values of f in the formulas above, times h: no more than this times its
# noise gets into a slope through both sides (3) and into half a kink (12, if all rounding errors
# conspire; half of that is plenty), and into the slope to one side.
CENTER_ROUNDING, SIDE_ROUNDING = 4, 16


class Finding(NamedTuple):
    """What all looks together say: three slopes, as in a `Look`, and the noise they allow for."""

    center: Slope
    left: Slope
    right: Slope
    noise: float


def look_around(
    along: Along, size: float, formula: Callable, noise: float, sharp: float
) -> Finding:
    """Take looks until one is sharp, or none gets sharper.

    Args:
        along, size, formula, noise: As for ``look``.
        sharp: A bar this small, beside its slope, will do.
    """
    looks: dict[float, Look] = {}
    _walk(looks, scale(size), (along, size, noise, formula), sharp)
    return _put_together(looks, noise)


def look_closely(along: Along, size: float, formula: Callable, floor: float) -> Finding:
    """Measure the noise, then take all looks that tell something.

    Args:
        along, size, formula: As for ``look``.
        floor: The least noise that f can have.
    """
    noise = measure_noise(along, size, floor)
    looks: dict[float, Look] = {}
    units = [scale(size)]
    # A small number may be one of many about 1, as a weight is, or have its own size for a unit,
    # as x in 1 / x has.
    if 0 < size < 1:
        units.append(_unit(size))
    for unit in units:
        _walk(looks, unit, (along, size, noise, formula), 0.0)
    return _put_together(looks, noise)


def _walk(looks, unit, fit, sharp):
    """Halve h where f bends too much, double it where rounding is most of the bar."""
    along, size, noise, formula = fit
    h = FIRST_STEP * unit
    for _ in range(MOST_STEPS):
        if h in looks or h > LONGEST_STEP * unit or h / 4 == 0:
            break
        looks[h] = look(along, h, size, noise, formula)
        center = looks[h].center
        if center.bar <= sharp * abs(center.estimate):
            break
        h = h * 2 if center.bar <= 2 * center.rounding < math.inf else h / 2


def _put_together(looks, noise):
    """Believe the longest looks that the shorter ones confirm."""
    ordered = [looks[h] for h in sorted(looks)]
    return Finding(*(_lengthen(slopes) for slopes in zip(*ordered, strict=True)), noise)


def _lengthen(slopes: list[Slope]) -> Slope:
    """The best known slope among those that contradict no shorter step."""
    believed: list[Slope] = []
    for slope in slopes:
        if any(slope.contradicts(other) for other in believed):
            break
        believed.append(slope)
    return min(believed, key=lambda slope: slope.bar)


def _unit(size):
    """The power of two at or below a number, and 1 for 0."""
    return 2.0 ** math.floor(math.log2(size)) if size else 1.0


def scale(size: float) -> float:
    """The power of two at the size of a number, and 1 for all small numbers."""
    # 2 ** 1023 is the last there is.
    return 2.0 ** min(math.ceil(math.log2(max(1.0, size))), 1023)


# --- the noise of f -------------------------------------------------------------------

# So many neighbouring points show the noise, so far apart beside the size of x: near ones, and
# wider ones where float32 inside f makes the values of near ones equal.
POINTS, SPACINGS = 16, (2.0**-40, 2.0**-26, 2.0**-20, 2.0**-14)
# Of f: more than this is no rounding, not even that of float32 (2⁻²³).
SINGLE = 2.0**-20


def measure_noise(along: Along, size: float, floor: float) -> float:
    """How far rounding may put a value of f off, measured along one line.

    The fourth differences of a smooth function vanish among neighbouring points, those of
    rounding errors do not (R. W. Hamming, Numerical Methods for Scientists and Engineers, on
    noise in tables). They are about 8 errors large; the largest of 12, divided by 6, is more than
    the errors of nearly all values.
    """
    noise = floor
    for unit in sorted({_unit(size), scale(size)}):
        for spacing in SPACINGS:
            # 13/16, as the square of a power of two would be exact.
            jitter, changes = _jitter(along, 13 / 16 * unit * spacing, floor)
            moves = changes > POINTS / 2
            # Many equal neighbours and a large step between are stairs, no rounding.
            if moves or jitter <= SINGLE * abs(along(0.0)):
                noise = max(noise, jitter)
            if moves:
                break
    return noise


def _jitter(along, spacing, floor):
    """The noise of neighbouring values, and how many differ from the one before."""
    noise, values = [], []
    for way in (spacing, -spacing):
        # Without x itself, at which f may jump.
        values = [along(k * way) for k in range(1, POINTS + 1)]
        fourth = np.abs(np.diff(values, 4)) / 6
        noise.append(float(np.max(fourth[np.isfinite(fourth)], initial=floor)))
        if noise[-1] <= 16 * floor:
            break
        # Much, but perhaps a kink nearby: that lies to one side, noise to both.
    return min(noise), np.count_nonzero(np.diff(values))


# --- x and f, taken apart -------------------------------------------------------------


class Line:
    """The values of f along one line through x: t -> f(x moved by t), each asked once.

    They are nan where f refuses the number.
    """

    def __init__(self, function: "Function", where: Any, direction: Any = 1.0):
        self._function, self._where, self._direction = function, where, direction
        self.known = {0.0: function.value}

    def __call__(self, t: float) -> float:
        if t not in self.known:
            self.known[t] = self._function.ask(self._where, t * self._direction)
        return self.known[t]

    def moves(self) -> float:
        """How far f has moved from f(x) at most."""
        values = (abs(value - self.known[0.0]) for value in self.known.values())
        return max(filter(math.isfinite, values), default=0.0)

    def ask_again(self) -> None:
        """ValueError if f gives another value at a point where it was asked before."""
        for t, before in self.known.items():
            self._function.must_repeat(
                before, self._function.ask(self._where, t * self._direction)
            )


class Function:
    """f near x: all numbers in x stand in one vector, in which they can be moved.

    Attributes:
        vector: The numbers in x, one after the other: private copies, float64 or complex.
        names: Of the arrays and numbers in x, as one would write them: x, x['W'], x[0].
        places: Where they stand: a (slice of the vector, shape) for each name.
        value: f(x).
        noise: The least noise of f: the last digit of its value.
        calls: How often f was called.
    """

    def __init__(self, f: Callable, x: Any, kind: type = float):
        if not callable(f):
            raise TypeError(f"f: got {describe(f)}, expected a function of x")
        self.f, self.x, self.kind, self.calls = f, x, kind, 0
        self.names = leaf_names(x, "x")
        arrays = [
            real_array(leaf, name)
            for leaf, name in zip(leaves(x), self.names, strict=True)
        ]
        if not any(array.size for array in arrays):
            raise ValueError(f"x: got {describe(x)} without a number, expected some")
        self._are_arrays = [isinstance(leaf, np.ndarray) for leaf in leaves(x)]
        self.vector = np.concatenate([array.ravel() for array in arrays]).astype(kind)
        ends = np.cumsum([array.size for array in arrays])
        self.places = [
            (slice(end - array.size, end), array.shape)
            for end, array in zip(ends.tolist(), arrays, strict=True)
        ]
        with np.errstate(all="ignore"):
            self.value, self.noise = self._ask_first()

    def argument(self, where: Any = slice(0), move: Any = 0.0) -> Any:
        """What f sees: x, moved at `where`, in a read-only copy that f may keep."""
        vector = self.vector.copy()
        vector[where] += move
        vector.flags.writeable = False  # nor are its parts, then
        parts = [vector[where].reshape(shape) for where, shape in self.places]
        each = zip(parts, self._are_arrays, strict=True)
        return unflatten(
            self.x, (part if array else part.item() for part, array in each)
        )

    def along(self, where: Any, direction: Any = 1.0) -> Line:
        """The line through x on which the numbers at ``where`` move by t * direction."""
        return Line(self, where, direction)

    def ask(self, where: Any = slice(0), move: Any = 0.0) -> Any:
        """f at a moved x, or nan where f refuses it."""
        self.calls += 1
        try:
            value = complex(self.f(self.argument(where, move)))
        except (ArithmeticError, ValueError, TypeError):
            value = complex(math.nan)
        if self.kind is complex:
            return value
        if value.imag:
            raise TypeError(
                f"f: near x got {value}, expected one real number; "
                "is there a root or logarithm of a negative number?"
            )
        return value.real

    def must_repeat(self, before: Any, again: Any) -> None:
        """ValueError if two values of f at one point differ."""
        if before != again and not (np.isnan(before) and np.isnan(again)):
            raise ValueError(
                f"f: got {before} and then {again} at the same x, expected the same number "
                "each time; fix its seed, or pass its random draws in"
            )

    def _ask_first(self):
        """f at x itself, twice, with every question that can be asked about it."""
        value, again = (call(self.f, self.argument(), "f") for _ in range(2))
        self.calls += 2
        number = np.asarray(None if isinstance(value, tuple | list) else value)
        wanted = "biuf" if self.kind is float else "biufc"
        if number.dtype.kind not in wanted or number.ndim or np.ma.is_masked(value):
            raise TypeError(
                f"f: got {describe(value)}, expected one real number; a gradient belongs to "
                "a scalar, so sum the values, or check one of them at a time"
            )
        if self.kind is complex and number.dtype.kind != "c":
            raise TypeError(
                f"f: got the real number {value} for a complex x, expected a complex one; "
                "use method='five-point'"
            )
        if not np.isfinite(number):
            raise ValueError(
                f"f: got f(x) = {value}, expected a finite number; choose another x"
            )
        self.must_repeat(value, again)
        value = self.kind(value)
        kind = number.dtype if number.dtype.kind in "fc" else np.dtype(float)
        if kind.itemsize > 4 and _looks_like_float32(abs(value)):
            kind = np.dtype(np.float32)
        return value, float(np.finfo(kind).eps) * abs(value)


def _looks_like_float32(value):
    """Whether a float64 needs all bits of a float32 and no more, as one that was one before."""
    mantissa = math.frexp(value)[0]
    return (mantissa * 2**24).is_integer() and not (mantissa * 2**20).is_integer()


def call(f: Callable, argument: Any, name: str) -> Any:
    """f(argument), with an error that says so if f changes its argument."""
    before = [id(leaf) for leaf in leaves(argument)]
    try:
        value = f(argument)
        changed = before != [id(leaf) for leaf in leaves(argument)]
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        changed = True
    if changed:
        raise ValueError(
            f"{name}: got a function that changes its argument x in place, expected one "
            f"that leaves it alone; work on a copy inside {name}, as in x = x.copy()"
        )
    return value


def real_array(value: Any, name: str) -> np.ndarray:
    """The value as a finite float64 array, or an error that names it."""
    # The mask of a masked array would be dropped, unseen.
    masked = isinstance(value, np.ma.MaskedArray)
    array = np.asarray(value)
    if masked or array.dtype.kind not in "iuf":
        advice = f"fill in what is masked and pass np.asarray({name})" if masked else (
            "convert it with float() or .astype(float) if that makes sense"
        )
        raise TypeError(
            f"{name}: got {describe(value)}, expected real numbers; {advice}"
        )
    array = array.astype(np.float64)
    for index in np.argwhere(~np.isfinite(array)):
        raise ValueError(
            f"{label(name, index)}: got {array[tuple(index)]}, expected a finite number; "
            "was something divided by 0?"
        )
    return array


def label(name: str, index: Any) -> str:
    """W and (2, 0) -> W[2, 0]."""
    return f"{name}[{', '.join(map(str, index))}]" if len(index) else name


def describe(value: Any) -> str:
    """A few words on what was got, for error messages."""
    if isinstance(value, np.ma.MaskedArray):
        return "a masked array"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}" + (
            f" of {value.dtype}" if value.dtype.kind not in "iuf" else ""
        )
    if isinstance(value, dict):
        return f"a dict with keys {sorted(map(str, value))}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if value is None:
        return "None (no return?)"
    kind = type(value).__name__
    words = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    if isinstance(value, int) and value.bit_length() > 63:
        words += " too large for NumPy (write it as a float)"
    return words

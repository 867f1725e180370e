"""The third witness: is this the gradient of that function (S10)?

``check_gradient`` evaluates the function itself and checks each number in x separately, along its
own line through x:

1. Look with steps of several lengths until the error bar is small. If it contains the claim, they
   agree.
2. Otherwise measure the noise of f. The claim is wrong if it is outside the bar with that noise
   too, and if the shortest steps that can separate it from the measured slope also reject it.
3. In all other cases look with steps of all lengths. At a kink (relu at 0, ties of a max) every
   claim between the left and right slopes is correct.
4. A claim that all this rejects, but that long steps confirm on both sides, is unjudged: part of
   f is rounded, and is constant over short steps.

The error bar is the tolerance, so there is none to choose. Where f gives no clear answer, the claim
is unjudged and does not pass: a correct gradient is never called wrong.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from . import differences
from .differences import (
    FIRST_STEP,
    HALF,
    LONGEST_STEP,
    SINGLE,
    Function,
    Line,
    Look,
    Slope,
    describe,
    look,
    scale,
)
from .pytrees import is_container, leaf_names
from .shapes import as_generator, count

__all__ = ["Coordinate", "GradientReport", "check_gradient"]

# A bar this small, relative to its slope, is good enough: it shows an error of 1e-7.
SHARP = 3e-8
# A bar must leave three digits of its slope, so that an error of 0.1% shows.
COARSE = 5e-4
# For a kink, the bars of the two sides must leave one digit of the gap between them.
RESOLVED = 0.1
# A claim this small counts as 0: relative to the slopes of f around x, and to the largest claim,
# next to which it may be rounding left over from a sum that cancels.
NOTHING, CANCELS = 1e-9, 2.0**-47
# Two slopes can be told apart if their values of f differ by this many times its noise: rounding
# then contributes a quarter of the gap to a one-sided slope.
TELLING = 4 * differences.SIDE_ROUNDING

_FLAT = "f is constant here, up to rounding: a slope this small can't be told from 0"
_NO_SLOPE = "f jumps, ends or blows up here"
_CROSSES = "this direction crosses a kink; leave directions out to check each value"
_ROUGH = (
    "f is too rough here, like float32: longer and shorter steps contradict each other"
)


# --- results --------------------------------------------------------------------------


@dataclass(frozen=True)
class Coordinate:
    """One checked number: a coordinate of x, or a random direction.

    Attributes:
        name: Such as ``x['W'][2, 0]``.
        claimed: The gradient's value.
        finite_difference: The value from finite differences.
        bar: Its error bar: the true value lies within ± bar of it.
        verdict: "agrees", "wrong", "kink" (f has one at x, or too near to tell, and the claim
            lies between the left and the right derivative) or "unjudged" (differences can't tell).
        sides: The (left, right) derivatives at a kink, otherwise None.
        reason: Why it is unjudged, otherwise empty.
    """

    name: str
    claimed: float
    finite_difference: float
    bar: float
    verdict: str
    sides: tuple[float, float] | None = None
    reason: str = ""

    @property
    def gap(self) -> float:
        """Distance between the claim and the finite difference."""
        return abs(self.claimed - self.finite_difference)

    @property
    def relative_error(self) -> float:
        """The gap relative to the larger of the two values; 0 if both are 0."""
        return self._relative(self.gap)

    @property
    def resolution(self) -> float:
        """The smallest relative error of the claim that could be detected."""
        return self._relative(self.bar)

    def _relative(self, part):
        size = max(abs(self.claimed), abs(self.finite_difference))
        return part / size if size else math.inf if part else 0.0


@dataclass(frozen=True)
class GradientReport:
    """The result of `check_gradient`; true if the gradient passed.

    Attributes:
        coordinates: Every `Coordinate` checked, in the order of x.
        method: The difference formula.
        evaluations: The number of calls of f.
        mistake: The likely mistake in words, empty if none is recognised.
    """

    coordinates: tuple[Coordinate, ...]
    method: str
    evaluations: int
    mistake: str = ""

    @property
    def passed(self) -> bool:
        """Whether every coordinate was judged and none was wrong."""
        return not self.wrong and not self.unjudged

    @property
    def wrong(self) -> tuple[Coordinate, ...]:
        """The coordinates whose claim lies outside the error bar."""
        return self._with_verdict("wrong")

    @property
    def kinks(self) -> tuple[Coordinate, ...]:
        """The coordinates where f has a kink and the claim is a valid answer."""
        return self._with_verdict("kink")

    @property
    def unjudged(self) -> tuple[Coordinate, ...]:
        """The coordinates where differences can't tell; `reason` says why."""
        return self._with_verdict("unjudged")

    def _with_verdict(self, verdict):
        return tuple(c for c in self.coordinates if c.verdict == verdict)

    @property
    def worst(self) -> Coordinate:
        """The coordinate with the largest relative error: among the wrong ones if there are any,
        else among the unjudged."""
        order = ["wrong", "unjudged", "agrees", "kink"]
        return min(
            self.coordinates, key=lambda c: (order.index(c.verdict), -c.relative_error)
        )

    def __bool__(self) -> bool:
        return self.passed

    def raise_if_failed(self) -> "GradientReport":
        """Return the report if the gradient passed, raise AssertionError if not."""
        if not self.passed:
            raise AssertionError(str(self))
        return self

    def __repr__(self) -> str:
        worst, total = self.worst, len(self.coordinates)
        right = total - len(self.wrong) - len(self.unjudged)
        found = f"{worst.finite_difference:.12g}, known to within {worst.bar:.0e}"
        if worst.sides:
            found = "{:.6g} on the left, {:.6g} on the right".format(*worst.sides)
        lines = [
            f"{'passed' if self.passed else 'FAILED'}: {right} of {total} "
            f"value{'s'[: total - 1]} agree with finite differences "
            f"({self.method}, {self.evaluations} evaluations)",
            f"  worst      {worst.name}, {worst.relative_error:.2g} off",
            f"  claimed    {worst.claimed:.12g}",
            f"  difference {f'not found: {worst.reason}' if worst.reason else found}",
        ]
        for word in ("wrong", "unjudged", "kinks"):
            names = [c.name for c in getattr(self, word)]
            if names:
                more = f" and {len(names) - 6} more" if len(names) > 6 else ""
                lines.append(f"  {word:10} {', '.join(names[:6])}{more}")
        return "\n".join(
            [*lines, *[f"  likely     {self.mistake}"] * bool(self.mistake)]
        )


# --- the check ------------------------------------------------------------------------


def check_gradient(
    f: Callable,
    gradient: Any,
    x: Any,
    *,
    method: str = "five-point",
    directions: int | None = None,
    names: Iterable[str] | None = None,
    seed: int = 0,
) -> GradientReport:
    """Compare a claimed gradient of f at x with finite differences (S10).

    Args:
        f: Function of x that returns one real number, the same each time.
        gradient: The claimed gradient at x, or a function that returns it, with the structure and
            shapes of x. A float32 gradient only needs to be right to float32 precision.
        x: Array, number, or a tuple, list or dict of them, nested as you like. Integers are
            promoted to float64. f sees read-only copies.
        method: "five-point"; or, for comparison, a formula with a single step whose value is shown
            with its error as the bar: "central", "forward" or "complex" (see `finite_difference`).
        directions: If given, check this many random directions for each array in x instead of
            every coordinate, with few evaluations however large the arrays are. This detects an
            error in any coordinate but doesn't locate it. A direction across a kink is unjudged.
        names: For a tuple or list x: a name for each entry, used in the report.
        seed: The seed for the random directions.

    Returns:
        A `GradientReport`: true if passed, with ``.worst``, ``.wrong``, ``.kinks``, ``.unjudged``
        and a text. A claim is unjudged if the error bar leaves less than three digits of it, unless
        it is 0 or nearly 0: below 1e-9 of the slopes of f near x, below 7e-15 of the largest
        claim, or below the last digit of f.

    Raises:
        ValueError, TypeError: the arguments can't be checked: shapes don't match, values are nan,
            inf or complex, or f isn't scalar, isn't repeatable, or modifies x.
    """
    formula, step = differences.choose_formula(method)
    if directions is not None:
        directions = count("directions", directions, 1)
    function = Function(f, x)
    if names is not None:
        function.names = _rename(x, names)
    if callable(gradient):
        gradient = differences.call(gradient, function.argument(), "gradient")
    claimed, slack = _claims(x, gradient)
    nothing = CANCELS * float(np.max(np.abs(claimed)))
    coordinates, lines = [], []
    with np.errstate(all="ignore"):
        for name, where, direction in _moves(function, directions, seed):
            line = Line(function, where, direction)
            value = float(np.sum(claimed[where] * direction))
            claim = _Claim(name, value, float(np.sum(slack[where])), nothing)
            found = _judge(line, claim)
            if directions and found.sides:
                # The gap between the sides could hide errors in other coordinates.
                found = replace(found, verdict="unjudged", sides=None, reason=_CROSSES)
            if method != "five-point" and found.verdict in ("agrees", "wrong"):
                by_formula = formula(line, step * scale(line.size))
                found = _shown(found, by_formula, method)
            coordinates.append(found)
            lines.append(line)
        report = GradientReport(tuple(coordinates), method, 0)
        if not report:
            # Check first that f isn't random.
            lines[coordinates.index(report.worst)].ask_again()
        mistake = _likely_mistake(function, coordinates, lines, directions is None)
    return replace(report, evaluations=function.calls, mistake=mistake)


def _moves(function: Function, directions: int | None, seed: Any) -> Iterator[tuple]:
    """(name, place in the vector, direction) of everything to check."""
    random = as_generator(seed)
    for name, (where, shape) in zip(function.names, function.places, strict=True):
        size = math.prod(shape)
        if directions is None:
            for i, index in enumerate(np.ndindex(shape)):
                yield f"{name}{[*index] or ''}", where.start + i, 1.0
            continue
        for k in range(directions if size else 0):
            # At least 1, so an error in any coordinate counts in full; all different, so equal
            # errors, such as the pairs that a transpose causes, don't cancel.
            direction = random.uniform(1, 2, size) * random.choice([-1.0, 1.0], size)
            yield f"{name} along random direction {k + 1}", where, direction


def _rename(x: Any, names: Any) -> list[str]:
    """The names of the leaves of a tuple or list whose entries have these names."""
    names = list(names) if isinstance(names, Iterable) else [names]
    fits = isinstance(x, tuple | list) and all(isinstance(name, str) for name in names)
    if not fits or not len(names) == len(x) == len({*names}):
        raise ValueError(
            f"names: got {names!r} for {describe(x)}, expected a different name for each entry "
            "of a tuple or list"
        )
    return sum(map(leaf_names, x, names), [])


def _claims(x: Any, gradient: Any, name: str = "gradient") -> np.ndarray:
    """Two rows: the gradient in x's order, and half of each number's last digit: a float32 claim
    is right if it is the nearest float32."""
    if is_container(x):
        # An array's gradient may be a list, so only x determines the leaves.
        keys, there = (
            list(tree) if isinstance(tree, dict) else list(range(len(tree)))
            for tree in (x, gradient if is_container(gradient) else ())
        )
        if isinstance(x, dict) != isinstance(gradient, dict) or set(keys) != set(there):
            raise TypeError(
                f"{name}: got {describe(gradient)}, expected the structure of x, {describe(x)}"
            )
        parts = [_claims(x[key], gradient[key], f"{name}[{key!r}]") for key in keys]
        return np.concatenate([np.empty((2, 0)), *parts], axis=1)
    array, shape = differences.real_array(name, gradient), np.shape(x)
    if array.shape != shape:
        raise ValueError(
            f"{name}: got shape {array.shape}, expected {shape}, the shape of its x"
            f"{'; is it transposed?' if array.shape == shape[::-1] else ''}"
        )
    kind = np.asarray(gradient).dtype
    digit = np.finfo(kind).eps / 2 if kind.kind == "f" else 0.0
    return np.array([array.ravel(), digit * np.abs(array.ravel())])


# --- one verdict ----------------------------------------------------------------------


class _Claim(NamedTuple):
    """A claimed slope, exact up to ``slack``, its last digit; below ``nothing`` it counts as 0."""

    name: str
    value: float
    slack: float
    nothing: float


def _judge(line: Line, claim: _Claim) -> Coordinate:
    """The verdict on one claim."""
    judged = _judge_closely(line, claim)
    if judged.verdict == "wrong" and _holds_from_afar(line, claim, judged):
        return replace(judged, verdict="unjudged", reason=_ROUGH)
    return judged


def _holds_from_afar(line, claim, judged):
    """Whether long steps confirm the claim on both sides of x and reject the slope that short ones
    found. Long is relative to the last digit of a float32 or a float16, or to the stairs of a
    rounded f. A part of f with so few digits is constant over short steps."""
    found = Slope(judged.finite_difference, judged.bar, 0.0, 0.0)
    size = abs(line(0.0))
    ways = [(SINGLE * size, FIRST_STEP), (HALF * size, LONGEST_STEP)]
    if stair := line.stair():
        ways += [(stair, FIRST_STEP), (stair, LONGEST_STEP)]
    for noise, h in ways:
        slopes = look(line, h * scale(line.size), noise)
        slopes = [slope._replace(bar=slope.bar + claim.slack) for slope in slopes]
        if all(s.holds(claim.value) and s.contradicts(found) for s in slopes):
            return True
    return False


def _judge_closely(line, claim):
    """The verdict of the shortest steps over which f changes."""

    def confirms(near):
        is_far = not near.holds(claim.value)
        return is_far and near.holds(judged.finite_difference)

    found = differences.explore(line, line.floor, SHARP)
    judged = _weigh(line, claim, found, line.floor)
    # On stairs f is constant at first, whatever its slope.
    is_clear = found.center.estimate or not line.stair()
    if judged.verdict == "agrees" and found.center.holds(claim.value) and is_clear:
        return judged
    noise = differences.measure_noise(line)
    if judged.verdict == "wrong":
        # f may have more noise than its last digit: (1e4 + x)**2 - 1e8 has thousands of times that.
        found = differences.explore(line, noise, SHARP)
        judged = _weigh(line, claim, found, noise)
    if judged.verdict == "wrong":
        near = _nearby(line, claim, judged, found, line.floor)
        if near and confirms(near):
            return judged
    found = differences.explore(line, noise)
    judged = _weigh(line, claim, found, noise)
    if judged.verdict == "wrong":
        near = _nearby(line, claim, judged, found, noise)
        # Stairs are flat over short steps and steep over long ones.
        flat = _nearby(line, claim, judged, found, line.floor)
        is_flat = flat and flat.estimate == claim.value == 0
        if is_flat or (near and not confirms(near)):
            return replace(judged, verdict="unjudged", reason=_ROUGH)
    return judged


def _nearby(line, claim, judged, found, noise):
    """The `Slope` that holds all correct answers, from the shortest steps that can separate the
    claim from the measured slope; None if they are no shorter than those already taken."""
    noise += differences.EPSILON * line.size * abs(judged.finite_difference)
    shortest = TELLING * noise / judged.gap
    if not 0 < shortest < found.center.h / 2:
        return None
    h = 2.0 ** math.ceil(math.log2(shortest))
    near = look(line, h, noise).answers()
    return near._replace(bar=near.bar + claim.slack)


def _weigh(line: Line, claim: _Claim, found: Look, noise: float) -> Coordinate:
    """The verdict on a claim, given the measured slopes."""
    name, value, slack, nothing = claim
    found = Look(*(slope._replace(bar=slope.bar + slack) for slope in found))
    center, left, right = found
    far = FIRST_STEP * scale(line.size)
    rises = [abs(line(t) - line(0.0)) / far for t in (far, -far)]
    steep = max(filter(math.isfinite, [abs(center.estimate), *rises]))

    def is_clear(slope):
        # The part of the bar not due to rounding is small: f is nearly straight there.
        rest = slope.bar - slack - 4 * slope.rounding
        return slope.bar < math.inf and rest <= COARSE * steep

    def judged(slope, verdict, **more):
        return Coordinate(name, value, slope.estimate, slope.bar, verdict, **more)

    wide = found.answers()
    if not (is_clear(center) or is_clear(left) and is_clear(right)):
        return judged(wide, "unjudged", reason=_NO_SLOPE)
    if left.contradicts(right):
        sides = left.estimate, right.estimate
        bar, gap = max(left.bar, right.bar), abs(right.estimate - left.estimate)
        if 2 * bar > RESOLVED * gap:
            return judged(wide, "unjudged", reason=_NO_SLOPE)
        nearest = min(max(value, min(sides)), max(sides))
        verdict = "kink" if abs(value - nearest) <= bar else "wrong"
        return judged(Slope(nearest, bar, 0.0, 0.0), verdict, sides=sides)
    if not wide.holds(value):
        # Such as log(1 + exp(-40)), where the 1 absorbs the second term.
        reach = 2 * center.h
        if line.is_flat(reach) and abs(value) * reach <= differences.EPSILON:
            return judged(wide, "unjudged", reason=_FLAT)
        return judged(wide, "wrong")
    # If one side is more precise, as near a kink, its slope is a valid answer too.
    slopes = sorted(found, key=lambda slope: slope.bar)
    slope = next((slope for slope in slopes if slope.holds(value)), wide)
    # No bar is small relative to 0. Also counted as 0: a slope negligible next to those of f along
    # this line, or one that changes f by less than its noise.
    nothing = max(nothing, noise / 4 / scale(line.size))
    if slope.bar <= NOTHING * steep:
        nothing = math.inf
    # Require three digits of a slope, or a quarter of the digits of f if that is a float32.
    digit = line.floor / (abs(line(0.0)) or math.inf)
    coarse = max(COARSE, digit**0.25 if digit <= SINGLE else 0.0)
    coordinate = judged(slope, "agrees")
    if coordinate.resolution > coarse and min(slope.bar, abs(value)) > nothing:
        digits = f"{slope.estimate:.3g} \N{PLUS-MINUS SIGN} {slope.bar:.2g}"
        return judged(
            slope, "unjudged", reason=f"{digits} is as precise as the digits of f allow"
        )
    return coordinate


def _shown(judged: Coordinate, value: float, method: str) -> Coordinate:
    """The same with another formula's value, and its error as the bar."""
    bar = abs(value - judged.finite_difference) + judged.bar
    if method == "complex" and bar > 2 * judged.bar + COARSE * abs(value):
        raise ValueError(
            f"method: got 'complex', expected one that suits f: at {judged.name} f drops the "
            "imaginary part or takes its size (abs, max, .real); use 'five-point'"
        )
    verdict = "agrees" if abs(judged.claimed - value) <= bar else "wrong"
    return replace(judged, finite_difference=value, bar=bar, verdict=verdict)


# --- the likely mistake ---------------------------------------------------------------


def _likely_mistake(function, coordinates, lines, by_coordinate):
    """A message for a wrong gradient that a transpose, a sign or a factor would fix."""
    wrong = np.array([c.verdict == "wrong" for c in coordinates])
    if not wrong.any():
        return ""
    if all(line.is_flat() for line in lines):
        return "f gives the same number for every x; does it use its argument?"
    columns = [(c.claimed, c.finite_difference, c.bar) for c in coordinates]
    claimed, found, bars = np.array(columns).T
    if words := _factor(claimed, found, bars):
        return words
    errors = (found - claimed)[wrong] / np.abs(claimed[wrong])
    if np.all(np.abs(errors) <= 2.0**-18) and min(errors) < 0 < max(errors):
        return "the claim looks like float32, right to about 7 digits; use float64"
    if not by_coordinate:
        return ""
    arrays = {
        name: [part[at].reshape(shape) for part in (claimed, found, bars, wrong)]
        for name, (at, shape) in zip(function.names, function.places, strict=True)
    }
    guilty = [name for name in arrays if arrays[name][3].any()]
    return "; ".join(f"{name}: {_mistake_in(name, arrays)}" for name in guilty)


def _mistake_in(name, arrays):
    """What is wrong with one array of the gradient."""
    claimed, found, bars, wrong = arrays[name]
    if not claimed.any():
        return "all zeros: was it computed at all?"
    if np.all(np.abs(found) <= bars):
        return f"f doesn't depend on {name} here, its gradient is 0"
    if not _fits(claimed, found, bars):
        for other, (theirs, found_there, bars_there, _) in arrays.items():
            if _fits(claimed, found_there, bars_there):
                swapped = "; the two are swapped" * _fits(theirs, found, bars)
                return f"this is the gradient of {other}{swapped}"
        if words := _factor(claimed, found, bars):
            return words
        if _fits(claimed.T, found, bars):
            return "the transpose fits; it is transposed"
        if words := _factor(claimed.T, found, bars):
            return f"transposed, and {words}"
    n, size = int(wrong.sum()), wrong.size
    few, be = "only " * (4 * n <= size), "is" if n == 1 else "are"
    return f"{few}{n} of {size} {be} wrong"


def _factor(claimed, found, bars):
    """A message if found = factor * claimed for one meaningful factor, otherwise ''.

    Such factors are n (a sum versus a mean), a fraction of one-digit numbers, n/(n-1) (the two
    variances), and their inverses. To rule out coincidence, the factor must be much nearer than
    the next of its kind.
    """
    at = np.argmax(np.abs(claimed))
    claim, slope, bar = (part.flat[at] for part in (claimed, found, bars))
    if claimed.shape != found.shape or not claim or not abs(slope) > 4 * bar:
        return ""
    size = abs(slope / claim)
    large, off = max(size, 1 / size), bar / abs(slope) + 1e-7
    n, m = round(large), max(2, 1 + round(1 / max(large - 1, 1e-9)))
    digits = Fraction(large).limit_denominator(9)
    mean = "; a sum in one place, a mean in the other?" if n > 2 else ""
    # Each with the distance to the next one.
    kinds = [
        (Fraction(n), 1, mean),
        (digits, 1 / 72 if digits.numerator < 10 else 0, ""),
        (Fraction(m, m - 1), 1 / m**2, "; n in one place, n - 1 in the other (ddof)?"),
    ]
    for ratio, apart, why in kinds:
        if abs(ratio - large) <= off * large <= apart / 50:
            ratio = ratio if size > 1 else 1 / ratio
            factor = math.copysign(ratio, slope * claim)
            # Between two single numbers there is always some factor.
            means = claimed.size > 1 or max(ratio.as_integer_ratio()) < 10
            if means and factor != 1 and _fits(factor * claimed, found, bars):
                sign = "the sign is flipped; -" if factor < 0 else ""
                return f"{sign}{ratio} times it fits{why}"
    return ""


def _fits(claimed, found, bars):
    """Whether two arrays are equal, entry by entry, up to small errors."""
    if claimed.shape != found.shape or not np.all(np.isfinite(claimed - found)):
        return False
    size = np.abs(found)
    small = 1e-5 * size + NOTHING * np.max(size) + bars
    return bool(np.all(np.abs(claimed - found) <= small))

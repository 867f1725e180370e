"""The third witness: is this the gradient of that function (S10)?

A gradient is claimed, by hand or by machine. ``check_gradient`` asks the function itself:
``differences`` finds every slope by trying, with an error bar, so that nobody has to choose a
tolerance. For one number of x it goes like this:

1. One look, with steps of about 1/128. If it is sharp and its bar holds the claim, they agree.
2. If it is sharp and does not, the shortest steps that can tell the claim from what was found
   are asked as well. If they refuse the claim, it is wrong.
3. Otherwise the noise of f is measured, and looks are taken from short to long. At a kink (relu
   at 0, ties of a max) every claim between the slopes to the left and to the right is right.

Where f does not tell, the claim is unjudged, and has not passed: a right gradient is never called
wrong. Every number is judged by its own line through x, whatever else is in x.

Reads: differences, pytrees. Read by: notebooks, tests, exercises.
"""

import html
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from . import differences
from .differences import Function, Line, describe, label
from .pytrees import is_container, leaf_names, leaves, leaves_like, same_structure

__all__ = ["Coordinate", "GradientReport", "check_gradient"]

# A bar this small, beside its slope, needs no better step: it shows an error of 1e-7.
SHARP = 3e-8
# A bar wider than this, beside its slope, leaves no three digits of it: nothing was checked.
COARSE = 1e-3
# Bars wider than this, beside the gap between two sides, leave no digit of it: that is no kink.
RESOLVED = 0.1
# A claim this small, beside the slopes of f around x, counts as 0.
NOTHING = 1e-9
# To tell two slopes apart, steps must move them apart by this many times the noise of f: four
# times what rounding may add to a slope.
TELLING = 4 * differences.SIDE_ROUNDING
# f(x) is asked so often again: a coin that comes up the same that often is a rare one.
REPEATS = 8


# --- what comes out -------------------------------------------------------------------


@dataclass(frozen=True)
class Coordinate:
    """One checked number: a coordinate of x, or a random direction.

    Attributes:
        name: Such as ``x['W'][2, 0]``.
        claimed: The gradient's value.
        finite_difference: The value found by differences.
        bar: How well that is known: the truth lies within ± bar of it.
        verdict: "agrees", "wrong", "kink" (f has one at x, or too near to tell the two apart, and
            the claim lies between the left and the right derivative) or "unjudged" (differences
            can't tell).
        sides: The (left, right) derivative at a kink, otherwise None.
        reason: Why it is unjudged, in words, otherwise empty.
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
        """The gap beside the larger of the two values; 0 when both are 0."""
        return self._relative(self.gap)

    @property
    def resolution(self) -> float:
        """The smallest relative error of the claim that would have been seen."""
        return self._relative(self.bar)

    def _relative(self, part):
        size = max(abs(self.claimed), abs(self.finite_difference))
        return part / size if size else math.inf if part else 0.0


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradient` found; true when the gradient passed.

    Attributes:
        coordinates: Every `Coordinate` checked, in the order of x.
        method: The difference formula.
        evaluations: How often f was called.
        mistake: The likely mistake in words, empty when none is recognised.
    """

    coordinates: tuple[Coordinate, ...]
    method: str
    evaluations: int
    mistake: str = ""

    @property
    def passed(self) -> bool:
        """True when every coordinate was judged and none was wrong."""
        return not self.wrong and not self.unjudged

    @property
    def wrong(self) -> tuple[Coordinate, ...]:
        """The coordinates whose claim lies outside the error bar."""
        return self._with_verdict("wrong")

    @property
    def kinks(self) -> tuple[Coordinate, ...]:
        """The coordinates at which f has a kink, the claim being a right answer."""
        return self._with_verdict("kink")

    @property
    def unjudged(self) -> tuple[Coordinate, ...]:
        """The coordinates where differences can't tell; each says its `reason`."""
        return self._with_verdict("unjudged")

    def _with_verdict(self, verdict):
        return tuple(c for c in self.coordinates if c.verdict == verdict)

    @property
    def worst(self) -> Coordinate:
        """The wrong coordinate with the largest relative error; if none is wrong, one that could
        not be judged; otherwise the one nearest to the end of its bar."""
        if self.wrong:
            return max(self.wrong, key=lambda c: (c.relative_error, c.gap))
        if self.unjudged:
            return self.unjudged[0]
        smooth = self._with_verdict("agrees") or self.coordinates
        return max(smooth, key=lambda c: c.gap / c.bar if c.bar else 0.0)

    def __bool__(self) -> bool:
        return self.passed

    def raise_if_failed(self) -> "GradientReport":
        """Return the report if the gradient passed, raise AssertionError if not."""
        if not self.passed:
            raise AssertionError(str(self))
        return self

    def __str__(self) -> str:
        worst, total = self.worst, len(self.coordinates)
        right = total - len(self.wrong) - len(self.unjudged)
        lines = [
            f"{'passed' if self.passed else 'FAILED'}: {right} of {total} "
            f"value{'s'[: total - 1]} agree with finite differences "
            f"({self.method}, {self.evaluations} evaluations)"
        ]
        if self.passed:
            lines.append(
                f"  worst      {worst.name}: claimed {worst.claimed:.6g}, "
                f"error bar below {_power_of_ten(worst.bar)}"
            )
        else:
            lines += [
                f"  worst      {worst.name}",
                f"  claimed    {worst.claimed:.12g}",
                f"  difference {_found(worst)}",
            ]
        if worst.verdict == "wrong" and worst.sides is None:
            lines.append(
                f"  relative   {worst.relative_error:.2g} off, "
                f"known to within {_power_of_ten(worst.resolution)}"
            )
        for word in ("wrong", "unjudged", "kinks"):
            names = [c.name for c in getattr(self, word)]
            if names:
                more = f" and {len(names) - 6} more" if len(names) > 6 else ""
                lines.append(f"  {word:10} {', '.join(names[:6])}{more}")
        if self.mistake:
            lines.append(f"  likely     {self.mistake}")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        shown = sorted(self.wrong, key=lambda c: -c.relative_error)
        shown = [*shown, *self.unjudged, *self.kinks][:8] or [self.worst]
        heads = ("coordinate", "claimed", "difference", "error bar", "verdict")
        table = [[f"<th>{head}</th>" for head in heads]]
        for c in shown:
            bar = f"\N{LESS-THAN OR EQUAL TO} {_power_of_ten(c.bar)}"
            cells = (c.name, f"{c.claimed:.10g}", _found(c), bar, c.verdict)
            table.append([f"<td>{html.escape(cell)}</td>" for cell in cells])
        rows = "".join(f"<tr>{''.join(row)}</tr>" for row in table)
        headline = html.escape(str(self).splitlines()[0])
        likely = f"<p>Likely: {html.escape(self.mistake)}</p>" if self.mistake else ""
        return f"<p><b>{headline}</b></p><table>{rows}</table>{likely}"


def _found(coordinate):
    if coordinate.verdict == "unjudged":
        return f"not found: {coordinate.reason}"
    if coordinate.sides is None:
        return f"{coordinate.finite_difference:.12g}"
    return "{:.6g} on the left, {:.6g} on the right".format(*coordinate.sides)


def _power_of_ten(value):
    """The next power of ten above, so that a text doesn't hang on rounding."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"1e{math.ceil(math.log10(value)):+03d}"


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
        gradient: The claimed gradient at x, or a function that returns it; with the structure and
            shapes of x. In float32 it need only be right to the digits of float32.
        x: Array, number, or a tuple, list or dict of them, nested as you like. Integers are
            promoted to float64. f sees read-only copies.
        method: "five-point", "central", "forward" or "complex" (see `finite_difference`); all
            except the first are for comparison.
        directions: If given, this many random directions for each array in x instead of every
            coordinate: a few evaluations, however large the arrays are. An error in any
            coordinate shows, but not where it is. A direction that crosses a kink stays unjudged.
        names: For a tuple or list x: a name for each entry, used in the report.
        seed: Of the random directions.

    Returns:
        A `GradientReport`: true if passed, with ``.worst``, ``.wrong``, ``.kinks``, ``.unjudged``
        and words. It has not passed where a claim is unjudged, as when the error bar is wider
        than a thousandth of its value. Only a claim of 0 may have such a bar, or one as good as
        0: below 1e-9 of the slopes of f near x, or below the last digit of f.

    Raises:
        ValueError, TypeError: for arguments that can't be checked: shapes that don't match, nan
            or inf, complex x, f not scalar, not repeatable or changing x.
    """
    formula, _ = differences.choose_formula(method)
    if directions is not None and (type(directions) is not int or directions < 1):
        raise ValueError(
            f"directions: got {directions!r}, expected a whole number from 1 up; "
            "leave it out to check every coordinate"
        )
    if directions is not None and method == "complex":
        raise ValueError(
            "directions: got them with method='complex', expected one of the two; "
            "leave one out"
        )
    function = Function(f, x)
    if names is not None:
        function.names = _rename(x, names)
    if callable(gradient):
        gradient = differences.call(gradient, function.argument(), "gradient")
    claimed, digits = _claims(x, gradient)
    exact = None
    if method == "complex":
        exact = np.concatenate(
            [np.ravel(a) for a in leaves(differences.finite_difference(f, x, "complex"))]
        )
        function.calls += 2 + exact.size
        # Which the complex step must fit.
        formula, _ = differences.choose_formula("five-point")
    coordinates, lines = [], []
    with np.errstate(all="ignore"):
        for name, where, direction in _directions(function, directions, _random(seed)):
            line = function.along(where, direction)
            size = float(np.max(np.abs(function.vector[where])))
            claim = float(np.sum(claimed[where] * direction))
            slack = float(np.sum(digits[where] * np.abs(direction)))
            judge = _Judge(line, size, function.noise, formula, directions is not None)
            if exact is None:
                coordinates.append(judge.verdict(name, claim, slack))
            else:
                value, largest = float(exact[where]), float(np.max(np.abs(exact)))
                coordinates.append(judge.complex_verdict(name, claim, slack, value, largest))
            lines.append(line)
        report = GradientReport(tuple(coordinates), method, function.calls)
        _ask_again(function, report, lines)
        mistake = _likely_mistake(function, coordinates, directions is None)
    return replace(report, evaluations=function.calls, mistake=mistake)


def _ask_again(function, report, lines):
    """ValueError if f is random: it is asked once more at x, and where it seems to go wrong."""
    for _ in range(REPEATS):
        function.must_repeat(function.value, function.ask())
    if not report.passed:
        lines[report.coordinates.index(report.worst)].ask_again()


# --- one verdict ----------------------------------------------------------------------

_NO_SLOPE = "f jumps, ends or blows up here"
_CROSSES = "this direction crosses a kink; leave directions out, to check each value"
_STAIRS = "f moves in steps here, as float32 does; compute it in float64"
_ROUGH = "f is too rough here: longer and shorter steps contradict each other"


class _Judge:
    """Judges claims about the slope of f along one line.

    Args:
        line: t -> f(x moved by t).
        size: Of the numbers that move.
        noise: The least noise that f can have.
        formula: For the slope through both sides.
        is_direction: Whether many numbers move at once.
    """

    def __init__(
        self, line: Line, size: float, noise: float, formula: Callable, is_direction: bool
    ):
        self.line, self.size, self.noise = line, size, noise
        self.formula, self.is_direction = formula, is_direction
        self.steps = differences.SINGLE * abs(line(0.0))
        # Three digits of a slope are asked for, or a quarter of the digits of f.
        self.coarse = max(COARSE, (noise / (abs(line(0.0)) or math.inf)) ** 0.25)

    def verdict(self, name: str, claim: float, slack: float) -> Coordinate:
        """The `Coordinate` for one claim, which may be off by ``slack``, its own last digit."""
        fit = self.line, self.size, self.formula
        found = differences.look_around(*fit, self.noise, SHARP)
        judged = self.weigh(name, claim, found, slack)
        if judged.verdict == "agrees":
            return judged
        if judged.verdict == "wrong":
            near = self.look_nearby(claim, found.center, self.noise)
            # Flat short steps tell nothing: so do those of float32 inside f look.
            is_flat = near and near.estimate == 0
            if near and not is_flat and near.holds(judged.finite_difference) and not near.holds(claim):
                return judged
        found = differences.look_closely(*fit, self.noise)
        judged = self.weigh(name, claim, found, slack)
        if judged.verdict == "wrong":
            if judged.finite_difference == 0 and 0 < self.line.moves() <= self.steps:
                return replace(judged, verdict="unjudged", reason=_STAIRS)
            other = found.center._replace(estimate=judged.finite_difference)
            for noise in (found.noise, self.noise):
                near = self.look_nearby(claim, other, noise)
                if near and near.widened(slack).holds(claim):
                    return replace(judged, verdict="unjudged", reason=_ROUGH)
        return judged

    def look_nearby(self, claim, slope, noise):
        """What the shortest steps that can tell a claim from a slope see, as one `Slope` that
        holds all right answers; None if they are no shorter than those of the slope."""
        gap = abs(claim - slope.estimate)
        noise = noise + differences.EPSILON * self.size * max(abs(slope.estimate), gap)
        shortest = TELLING * noise / gap
        if not 0 < shortest < slope.h / 2:
            return None
        h = 2.0 ** math.ceil(math.log2(shortest))
        return differences.look(self.line, h, self.size, noise, self.formula).answers()

    def weigh(self, name, claim, found, slack):
        """The verdict on a claim, given all that was found about the slope."""
        center, left, right = (slope.widened(slack) for slope in found[:3])
        far = differences.FIRST_STEP * differences.scale(self.size)
        rises = (abs(self.line(t) - self.line(0.0)) / far for t in (far, -far))
        steep = max(filter(math.isfinite, (abs(center.estimate), *rises)))

        def unjudged(slope, reason):
            return Coordinate(name, claim, slope.estimate, slope.bar, "unjudged", None, reason)

        both = differences.span(left, right)
        # All right answers lie in here.
        wide = min(center, both, key=lambda slope: slope.bar)

        def is_clear(slope):
            return slope.bar <= max(4 * slope.rounding, COARSE * steep) < math.inf

        if not (is_clear(left) and is_clear(right) or is_clear(center)):
            return unjudged(wide, _NO_SLOPE)
        if left.contradicts(right):
            if self.is_direction:
                # Between the two sides there is room for errors in all other coordinates.
                return unjudged(both, _CROSSES)
            sides = left.estimate, right.estimate
            if left.bar + right.bar > RESOLVED * abs(sides[1] - sides[0]):
                return unjudged(both, _NO_SLOPE)
            nearest = min(max(claim, min(sides)), max(sides))
            verdict = "kink" if both.holds(claim) else "wrong"
            return Coordinate(name, claim, nearest, max(left.bar, right.bar), verdict, sides)
        if not wide.holds(claim):
            return Coordinate(name, claim, *wide[:2], "wrong")
        # If one side is known better, as beside a kink, its own slope is a right answer as well.
        sharp = min(center, left, right, key=lambda slope: slope.bar)
        slope = sharp if sharp.holds(claim) else wide
        judged = Coordinate(name, claim, *slope[:2], "agrees")
        # Of a 0 no bar is a small part. What counts as 0: nothing beside the slopes of f, or
        # what doesn't move f by its noise.
        nothing = max(NOTHING * steep, found.noise / 4 / differences.scale(self.size))
        if judged.resolution <= self.coarse or min(judged.bar, abs(claim)) <= nothing:
            return judged
        digits = f"{slope.estimate:.3g} \N{PLUS-MINUS SIGN} {slope.bar:.2g}"
        return unjudged(slope, f"{digits} is all that the digits of f tell")

    def complex_verdict(self, name, claim, slack, exact, largest):
        """The verdict with the complex step in place of the slope, which it must fit."""
        found = differences.look_closely(self.line, self.size, self.formula, self.noise)
        bar = 256 * differences.EPSILON * largest
        if not found.center.widened(bar).holds(exact):
            raise ValueError(
                f"method: got 'complex', but for {name} the complex step is not the slope of f, "
                "expected an analytic f; f drops or takes the size of the imaginary part (abs, "
                "max, comparisons, conj, .real), so use method='five-point'"
            )
        verdict = "agrees" if abs(claim - exact) <= bar + slack else "wrong"
        return Coordinate(name, claim, exact, bar + slack, verdict)


# ---------------------------------------------------------------- what is checked


def _directions(function, directions, random):
    """(name, where in the vector, direction) of all that is moved and checked."""
    for name, (where, shape) in zip(function.names, function.places, strict=True):
        if directions is None:
            for i, index in enumerate(np.ndindex(shape)):
                yield label(name, index), where.start + i, 1.0
            continue
        for k in range(directions if math.prod(shape) else 0):
            # None below 1: an error in any coordinate counts in full. No two alike: equal
            # errors, such as a transpose makes in pairs, don't cancel.
            direction = random.uniform(1.0, 2.0, size=math.prod(shape))
            direction *= random.choice([-1.0, 1.0], size=direction.size)
            yield f"{name} along random direction {k + 1}", where, direction


def _random(seed):
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        wanted = "seed must be a whole number from 0 up"
        raise ValueError(f"{wanted}, got {seed!r}") from error


def _rename(x, names):
    names = list(names) if isinstance(names, Iterable) else [names]
    fits = isinstance(x, tuple | list) and all(isinstance(name, str) for name in names)
    if not fits or not len(names) == len(x) == len(set(names)):
        raise ValueError(
            f"names: got {names!r} for {describe(x)}, expected a name of its own for each entry "
            "of a tuple or list; or leave them out"
        )
    return [
        leaf for part, name in zip(x, names, strict=True) for leaf in leaf_names(part, name)
    ]


def _claims(x, gradient):
    """The numbers of the gradient in one vector, as those of x stand in theirs, and half of the
    last digit of each: a claim in float32 is right when it is the nearest float32."""
    if not same_structure(x, gradient):
        raise TypeError(
            f"gradient: got {describe(gradient)}, expected the structure of x, {describe(x)}; "
            "return one array for each array in x"
        )
    claims, digits = [], []
    names = leaf_names(x, "gradient")
    for part, like, name in zip(leaves_like(gradient, x), leaves(x), names, strict=True):
        array = differences.real_array(part, name)
        if array.shape != np.shape(like):
            turned = array.shape == np.shape(like)[::-1]
            advice = "is it transposed?" if turned else "was it summed over an axis too many?"
            raise ValueError(
                f"{name}: got shape {array.shape}, expected that of its x, {np.shape(like)}; "
                f"{advice}"
            )
        kind = np.asarray(part).dtype
        half = np.finfo(kind).eps / 2 if kind.kind == "f" else 0.0
        claims.append(array.ravel())
        digits.append(half * np.abs(array.ravel()))
    return np.concatenate(claims), np.concatenate(digits)


# ---------------------------------------------------------------- the likely mistake


def _likely_mistake(function, coordinates, by_coordinate):
    """Words for a wrong gradient that a transpose, a sign or a factor would mend."""
    wrong = np.array([c.verdict == "wrong" for c in coordinates])
    if not wrong.any():
        return ""
    claimed = np.array([c.claimed for c in coordinates])
    found = np.array([c.finite_difference for c in coordinates])
    bars = np.array([c.bar for c in coordinates])
    factor = _common_factor(claimed, found, bars)
    if factor or not by_coordinate:
        return factor
    arrays = {  # name: what was claimed, found, how well, and wrong
        name: [part[where].reshape(shape) for part in (claimed, found, bars, wrong)]
        for name, (where, shape) in zip(function.names, function.places, strict=True)
    }
    guilty = [name for name in arrays if arrays[name][3].any()]
    return "; ".join(f"{name}: {_mistake_in(name, arrays)}" for name in guilty)


def _mistake_in(name, arrays):
    """What is the matter with one array of the gradient."""
    claimed, found, bars, wrong = arrays[name]
    if not claimed.any():
        return "all zeros: was it computed at all?"
    is_else = not _fits(claimed, found, bars)  # more than a small error
    for other, (claimed_there, found_there, bars_there, _) in arrays.items():
        if (
            is_else
            and _fits(claimed, found_there, bars_there)
            and _fits(claimed_there, found, bars)
        ):
            return f"this is the gradient of {other}; the two are swapped"
    factor = _common_factor(claimed, found, bars)
    if factor:
        return factor
    if is_else:
        reordered = claimed.reshape(claimed.shape[::-1]).T
        in_order = "the numbers are right, in the order of the transpose: a reshape?"
        for turned, words, short in (
            (claimed.T, "the transpose fits; it is transposed", "transposed"),
            (reordered, in_order, "in the order of the transpose"),
        ):
            if _fits(turned, found, bars):
                return words
            factor = _common_factor(turned, found, bars)
            if factor:
                return f"{short}, and {factor}"
        for other, (_, found_there, bars_there, _) in arrays.items():
            if _fits(claimed, found_there, bars_there):
                return f"this is the gradient of {other}"
    count, size = int(wrong.sum()), wrong.size
    for axis in range(wrong.ndim):
        for k in range(wrong.shape[axis]):
            part = wrong.take(k, axis)  # row k, column k ...
            if part.all() and 1 < part.size == count < size:
                place = [":"] * wrong.ndim
                place[axis] = str(k)
                return f"only [{', '.join(place)}] is wrong"
    few, be = "only " * (4 * count <= size), "is" if count == 1 else "are"
    return f"{few}{count} of {size} {be} wrong"


def _common_factor(claimed, found, bars):
    """Words if found = factor * claimed for one factor, otherwise ''."""
    largest = np.argmax(np.abs(claimed))
    factor = float(found.flat[largest] / claimed.flat[largest])
    if abs(factor - 1) < 1e-5 or factor == 0:
        return ""
    if not _fits(factor * claimed, found, bars):
        return ""
    if abs(factor + 1) < 1e-5:
        return "the sign is flipped; -1 times it fits"
    simple = Fraction(factor).limit_denominator(1000)
    is_simple = abs(factor - simple) < 1e-5 * abs(factor)
    if claimed.size == 1 and not (is_simple and simple.denominator < 10 > abs(simple)):
        return ""  # one number is always some factor away from another
    text = f"{simple if is_simple else format(factor, '.4g')} times it fits"
    if 0.4 <= abs(factor) <= 2.5:
        return text
    return f"{text}; a sum in one place, a mean in the other?"


def _fits(claimed, found, bars):
    """Whether two arrays are the same, entry by entry, but for small errors."""
    if claimed.shape != found.shape or not np.all(np.isfinite(claimed - found)):
        return False
    size = np.abs(found)
    small = 1e-5 * size + NOTHING * np.max(size) + bars
    return bool(np.all(np.abs(claimed - found) <= small))

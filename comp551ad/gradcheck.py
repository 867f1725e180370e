"""Finite differences: the witness that knows no calculus (S10).

A gradient is claimed, by hand or by machine. This module asks the function itself:
it moves one coordinate of x a little to both sides and looks at how far the value
goes. Three things make that sharper than the slide's (f(w + eps) - f(w)) / eps:

1. *Five points, twice.* Two five-point differences, with steps h and h/2, share their
   evaluations. The difference between them measures what the formula leaves out.
2. *An error bar.* That difference, plus a kink test, plus the rounding of f (measured,
   not guessed), is how well the number is known. A claim is wrong when it lies outside
   the bar, so nobody has to choose a tolerance. Where the bar is wide, other steps are
   tried; where a claim looks wrong, it is measured again before anything is said.
3. *Kinks are not errors.* Where the left and the right derivative differ (relu at 0,
   ties of a max) every claim between the two is right, and the report says so.

It reads NumPy and nothing of ours; notebooks, tests and exercises may read it.
"""

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["Coordinate", "GradientReport", "check_gradient", "finite_difference"]

EPSILON = float(np.finfo(np.float64).eps)
SHARP = 1e-8  # a bar this small beside the derivative needs no further step
SAFETY = 6.0  # rounding counts this many times its measured standard deviation
RESOLVED = 1e-3  # a one-sided derivative with a wider relative bar proves nothing
LARGEST_LADDER = 18  # steps tried for one coordinate


# ---------------------------------------------------------------- the formulas


def _forward(along, h):
    return (along(h) - along(0.0)) / h


def _central(along, h):
    return (along(h) - along(-h)) / (2 * h)


def _five_point(along, h):
    near, far = along(h) - along(-h), along(2 * h) - along(-2 * h)
    return (8 * near - far) / (12 * h)


def _complex(along, h):
    return along(1j * h).imag / h


class _Method(NamedTuple):
    formula: object  # (along, h) -> derivative of along at 0
    order: int  # the error of the formula shrinks like h ** order
    first_step: float  # for a coordinate of size 1 or less
    rounding: float  # error of the estimate, for noise 1 in f and step 1


# First steps are powers of two, so that x + h is exact for most x. The rounding is
# that of the extrapolated pair (h, h/2), all evaluations wrong by independent noise.
_METHODS = {
    "forward": _Method(_forward, 1, 2.0**-26, 6.0),
    "central": _Method(_central, 2, 2.0**-16, 2.0),
    "five-point": _Method(_five_point, 4, 2.0**-7, 2.1),
    "complex": _Method(_complex, 2, 2.0**-66, 0.0),
}
# One formula alone does best with a shorter step than an extrapolated pair.
_PLAIN_STEP = {"forward": 2.0**-26, "central": 2.0**-17, "five-point": 2.0**-10}


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
    formula = _choose_method(method).formula
    if h is not None and not (_is_real_number(h) and 0 < h < math.inf):
        raise ValueError(f"h must be a positive number, got {h!r}")
    point = _Point(x, complex_valued=method == "complex")
    evaluate = _Evaluator(f, point)
    gradient = []
    with np.errstate(all="ignore"):
        evaluate.first()
        for buffer in point.buffers:
            values = np.empty(buffer.size)
            for i in range(buffer.size):
                size = max(1.0, abs(buffer[i]))
                first = _PLAIN_STEP.get(method, _METHODS[method].first_step)
                step = _power_of_two(first * size) if h is None else float(h)
                values[i] = formula(_along_coordinate(evaluate, buffer, i), step)
            gradient.append(values)
    evaluate.check_untouched()
    return point.assemble(gradient)


# ---------------------------------------------------------------- the report


@dataclass(frozen=True)
class Coordinate:
    """One checked number: a coordinate of x, or a random direction.

    name              such as ``W[2, 0]``
    claimed           the gradient's value
    finite_difference the value found by differences
    bar               how well that is known: the truth lies within +- bar of it
    verdict           "agrees", "wrong", "kink" (the claim lies between the left and the
                      right derivative), "edge" (f exists on one side only and the claim
                      is that side's derivative) or "unjudged"
    sides             (left, right) derivative at a kink, otherwise None
    """

    name: str
    claimed: float
    finite_difference: float
    bar: float
    verdict: str
    sides: tuple | None = None

    @property
    def gap(self):
        """Distance between the claim and the finite difference."""
        return abs(self.claimed - self.finite_difference)

    @property
    def relative_error(self):
        """The gap beside the larger of the two values; 0 when both are 0."""
        size = max(abs(self.claimed), abs(self.finite_difference))
        return self.gap / size if size else 0.0

    @property
    def resolution(self):
        """The smallest relative error of the claim that would have been seen."""
        if self.bar == 0:
            return 0.0
        size = max(abs(self.claimed), abs(self.finite_difference))
        return self.bar / size if size else math.inf


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradient` found; true when the gradient passed.

    coordinates  every `Coordinate` checked, in the order of x
    method       the difference formula
    evaluations  how often f was called
    mistake      the likely mistake in words, empty when none is recognised
    """

    coordinates: tuple
    method: str
    evaluations: int
    mistake: str = ""

    @property
    def passed(self):
        """True when every coordinate was judged and none was wrong."""
        return not self.wrong and not self.unjudged

    @property
    def wrong(self):
        """The coordinates whose claim lies outside the error bar."""
        return tuple(c for c in self.coordinates if c.verdict == "wrong")

    @property
    def kinks(self):
        """The coordinates at which f has a kink or an edge, the claim being one of
        the right answers there."""
        return tuple(c for c in self.coordinates if c.verdict in ("kink", "edge"))

    @property
    def unjudged(self):
        """The coordinates where no derivative could be found by differences."""
        return tuple(c for c in self.coordinates if c.verdict == "unjudged")

    @property
    def worst(self):
        """The wrong coordinate with the largest relative error; if none is wrong, one
        that could not be judged; otherwise the one nearest to the edge of its bar."""
        if self.wrong:
            return max(self.wrong, key=lambda c: (c.relative_error, c.gap))
        if self.unjudged:
            return self.unjudged[0]
        smooth = [c for c in self.coordinates if c.verdict == "agrees"]
        return max(
            smooth or self.coordinates,
            key=lambda c: c.gap / c.bar if c.bar else 0.0,
        )

    def __bool__(self):
        return self.passed

    def raise_if_failed(self):
        """Return the report if the gradient passed, raise AssertionError if not."""
        if not self.passed:
            raise AssertionError(str(self))
        return self

    def __str__(self):
        total = len(self.coordinates)
        agreeing = total - len(self.wrong) - len(self.unjudged)
        headline = f"{'passed' if self.passed else 'FAILED'}: " + (
            f"{agreeing} of {_count(total, 'value')} agree with finite differences "
            f"({self.method}, {self.evaluations} evaluations)"
        )
        lines = [headline]
        if self.wrong or self.unjudged:
            lines += self._describe_failure()
        else:
            lines.append(
                f"  worst      {self.worst.name}: claimed {self.worst.claimed:.6g}, "
                f"error bar below {_power_of_ten(self.worst.bar)}"
            )
        if self.kinks:
            lines.append(f"  kinks      {_list_names(self.kinks)}")
            lines.append("             any slope between left and right is right there")
        if self.mistake:
            lines.append(f"  likely     {self.mistake}")
        return "\n".join(lines)

    __repr__ = __str__

    def _describe_failure(self):
        worst = self.worst
        lines = [
            f"  worst      {worst.name}",
            f"  claimed    {worst.claimed:.12g}",
        ]
        if worst.verdict == "unjudged":
            lines.append("  difference not found: f jumps, ends or blows up here")
        elif worst.sides is not None:
            left, right = (f"{side:.6g}" for side in worst.sides)
            lines.append(f"  slopes     {left} on the left, {right} on the right")
        else:
            lines += [
                f"  difference {worst.finite_difference:.12g}",
                f"  relative   {worst.relative_error:.2g} off, "
                f"known to within {_power_of_ten(worst.resolution)}",
            ]
        if self.wrong:
            lines.append(f"  wrong      {_list_names(self.wrong)}")
        if self.unjudged:
            lines.append(f"  unjudged   {_list_names(self.unjudged)}")
        return lines

    def _repr_html_(self):
        shown = sorted(self.wrong, key=lambda c: -c.relative_error)
        shown = (shown + list(self.unjudged) + list(self.kinks))[:8] or [self.worst]
        heads = ("coordinate", "claimed", "difference", "error bar", "verdict")
        rows = "".join(
            "<tr>"
            f"<td>{html.escape(c.name)}</td><td>{c.claimed:.10g}</td>"
            f"<td>{_sides_or_value(c)}</td><td>&le; {_power_of_ten(c.bar)}</td>"
            f"<td>{html.escape(c.verdict)}</td></tr>"
            for c in shown
        )
        headline, *_ = str(self).splitlines()
        likely = f"<p>Likely: {html.escape(self.mistake)}</p>" if self.mistake else ""
        return (
            f"<p><b>{html.escape(headline)}</b></p>"
            f"<table><thead><tr>{''.join(f'<th>{h}</th>' for h in heads)}</tr></thead>"
            f"<tbody>{rows}</tbody></table>{likely}"
        )


def _sides_or_value(coordinate):
    if coordinate.sides is None:
        return f"{coordinate.finite_difference:.10g}"
    left, right = coordinate.sides
    return f"left {left:.4g}, right {right:.4g}"


def _count(number, noun):
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _list_names(coordinates, most=6):
    names = [c.name for c in coordinates[:most]]
    more = len(coordinates) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _power_of_ten(value):
    """The next power of ten above, so that a text doesn't hang on rounding."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"1e{math.ceil(math.log10(value)):+03d}"


# ---------------------------------------------------------------- the check


def check_gradient(
    f, gradient, x, *, method="five-point", directions=None, names=None, seed=0
):
    """Compare a claimed gradient of f at x with finite differences (S10).

    f           function of x that returns one real number, the same each time
    gradient    the claimed gradient at x, or a function that returns it; with the
                structure and shapes of x
    x           array, number, or a tuple, list or dict of them, nested as you like.
                Integers are promoted to float64. f sees read-only copies.
    method      "five-point", "central", "forward" or "complex" (see
                `finite_difference`); all but the first are for comparison
    directions  if given, this many random directions for each array in x instead of
                every coordinate: a few evaluations, however large the arrays are.
                An error in any coordinate shows, which one it is does not
    names       for a tuple or list x: a name for each entry, used in the report
    seed        of the random directions

    Returns a `GradientReport`: true if passed, with `.worst`, `.wrong`, `.kinks` and
    words. Errors: ValueError, TypeError for arguments that can't be checked: shapes
    that don't match, nan or inf, complex x, f not scalar, not repeatable or changing x.
    """
    chosen = _choose_method(method)
    if directions is not None and (
        isinstance(directions, bool)
        or not isinstance(directions, int | np.integer)
        or directions < 1
    ):
        raise ValueError(
            f"directions must be a whole number from 1 up, or None, got {directions!r}"
        )
    if directions is not None and method == "complex":
        raise ValueError(
            "method='complex' checks coordinate by coordinate; leave directions out, "
            "or use method='five-point' with directions"
        )
    point = _Point(x, names=names)
    evaluate = _Evaluator(f, point)
    random = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        evaluate.first()
    claimed = point.take_gradient(gradient)
    with np.errstate(all="ignore"):
        noise = _noise_in(_along_everything(evaluate, point, random), 2.0**-22, 4)
        witness = _Witness(evaluate, max(noise, evaluate.rounding), chosen)
        if method == "complex":
            witness.slopes = _complex_slopes(f, x, point, evaluate, random)
        paths = (
            _coordinates(point, claimed, evaluate)
            if directions is None
            else _directions(point, claimed, evaluate, random, directions)
        )
        coordinates = tuple(witness.judge(path) for path in paths)
    evaluate.check_untouched()
    mistake = ""
    if directions is None:
        mistake = _likely_mistake(point, claimed, coordinates)
    elif any(c.verdict == "wrong" for c in coordinates):
        mistake = _common_factor(
            np.array([c.claimed for c in coordinates]),
            np.array([c.finite_difference for c in coordinates]),
            np.array([c.bar for c in coordinates]),
        )
    return GradientReport(coordinates, method, evaluate.count, mistake)


class _Path(NamedTuple):
    """A line through x: one coordinate or one direction."""

    name: str
    claim: float
    along: object  # t -> f(x + t * direction), remembering what it was asked
    size: float  # of x along the line
    leaf: int
    position: int


def _coordinates(point, claimed, evaluate):
    for leaf, buffer in enumerate(point.buffers):
        labels = point.labels(leaf)
        for i, claim in enumerate(claimed[leaf].tolist()):
            along = _along_coordinate(evaluate, buffer, i)
            yield _Path(labels(i), claim, along, abs(float(buffer[i])), leaf, i)


def _directions(point, claimed, evaluate, random, count):
    for leaf, buffer in enumerate(point.buffers):
        centre = buffer.copy()
        if not centre.size:
            continue
        for k in range(count):
            # Entries +1 and -1: an error in any coordinate counts in full.
            direction = random.choice([-1.0, 1.0], size=centre.size)
            name = f"{point.names[leaf]} along random direction {k + 1}"
            claim = float(claimed[leaf] @ direction)
            along = _along_direction(evaluate, [buffer], [centre], [direction])
            yield _Path(name, claim, along, float(np.max(np.abs(centre))), leaf, k)


class _Measurement(NamedTuple):
    estimate: float
    truncation: float  # what the formula leaves out, and what a kink adds
    rounding: float  # what the rounding of f adds
    step: float

    @property
    def bar(self):
        return self.truncation + self.rounding


def _belies(now, best):
    """Whether a shorter step shows that the longer one saw too little of f."""
    apart = abs(now.estimate - best.estimate)
    return now.step < best.step and apart > now.bar + best.bar


class _Witness:
    """Measures the slope along a path and judges the claim."""

    def __init__(self, evaluate, noise, method):
        self.evaluate = evaluate
        self.noise = noise  # standard deviation of the rounding error of f
        self.method = method
        self.slopes = None  # (leaf, direction) -> exact slope, for the complex step

    def judge(self, path):
        if self.slopes is not None:
            estimate, bar = self.slopes(path)
            best = _Measurement(estimate, 0.0, bar, 2.0**-8)
        else:
            best = self._measure(path)
        noise = self.noise
        if best is not None and abs(path.claim - best.estimate) > best.bar:
            noise = max(noise, _noise_in(path.along, best.step / 8, 6))
            if self.slopes is None:
                best = self._measure_again(path, best, noise)
        size = self._size_of_slope(path, best)
        agrees = best is not None and abs(path.claim - best.estimate) <= best.bar
        clear = best is not None and (
            best.bar <= RESOLVED**2 * size or best.truncation <= best.rounding
        )
        if not (clear and agrees):
            sided = self._judge_by_sides(path, size, noise)
            if sided is not None:
                return sided
        if best is None or not (clear or best.bar <= RESOLVED * size):
            return Coordinate(path.name, path.claim, math.nan, math.inf, "unjudged")
        verdict = "agrees" if agrees else "wrong"
        return Coordinate(path.name, path.claim, best.estimate, best.bar, verdict)

    def _size_of_slope(self, path, best):
        """What counts as a large slope here: the claim, the estimate, or f's own
        change over the first step."""
        step = _power_of_two(2.0**-7 * max(1.0, path.size))
        rises = [abs(path.along(h) - path.along(0.0)) / step for h in (step, -step)]
        sizes = [abs(path.claim)] + [rise for rise in rises if math.isfinite(rise)]
        return max(sizes + ([] if best is None else [abs(best.estimate)]))

    def _measure(self, path, below=None):
        """The sharpest measurement that a few different steps can give, or None."""
        step = _power_of_two(self.method.first_step * max(1.0, path.size))
        best, direction, grown = None, 0, 0
        if below is not None:
            direction, step = -1, below / 4
        for _ in range(LARGEST_LADDER):
            if step < 2.0**-36 * path.size:
                break  # too little of the step would survive in x + step
            now = self._measure_with(path, step)
            if not math.isfinite(now.bar):  # f ends within the step
                if direction > 0:
                    break
                direction, step = -1, step / 8
                if path.size:  # a logarithm near 0 wants steps far below its x
                    step = min(step, _power_of_two(path.size * 2.0**-8))
                continue
            if best is None or now.bar < best.bar or _belies(now, best):
                best = now
            if now.bar <= SHARP * abs(now.estimate):
                break
            if now.estimate == now.truncation == path.claim == 0:
                break  # f doesn't depend on it, and nobody says it does
            if now.truncation > now.rounding:
                if direction > 0:
                    break
                direction, step = -1, step / 4
            else:
                if direction < 0 or grown == 3:
                    break
                direction, step, grown = 1, step * 2, grown + 1
        return best

    def _measure_with(self, path, h):
        """The formula with h and h/2, extrapolated, with its error bar."""
        formula, order, _, weight = self.method
        along = path.along
        coarse, fine = formula(along, h), formula(along, h / 2)
        correction = (fine - coarse) / (2**order - 1)  # the error of the finer one
        estimate, truncation = fine + correction, abs(correction)
        noise = max(self.noise, EPSILON / 2 * abs(along(h)))
        rounding = SAFETY * weight * noise / h
        if order > 1:  # at a kink the estimate lies midway between the two slopes
            truncation += max(0.0, abs(_kink(along, h, order)) / 2 - rounding / 2)
        rounding += 4 * EPSILON * abs(estimate) * (1 + path.size / h)
        return _Measurement(estimate, truncation, rounding, h)

    def _measure_again(self, path, best, noise):
        """Before a claim is called wrong: other steps, and the noise on this path."""
        for _ in range(4):
            steps = (best.step * factor for factor in (0.75, 0.5, 0.375))
            others = [self._measure_with(path, step) for step in steps]
            others = [other for other in others if math.isfinite(other.bar)]
            if not any(_belies(other, best) for other in others):
                break
            best = self._measure(path, below=best.step) or best
        spread = max((abs(o.estimate - best.estimate) for o in others), default=0.0)
        more = SAFETY * self.method.rounding * (noise - self.noise) / best.step
        return best._replace(  # twice: it may converge no faster than its step
            rounding=best.rounding + more,
            truncation=max(best.truncation, 2 * spread),
        )

    def _judge_by_sides(self, path, size, noise):
        """The verdict where the left and right slopes differ, or one is missing."""
        left = self._one_sided(path, -1.0, noise)
        right = self._one_sided(path, 1.0, noise)
        found = [s for s in (left, right) if s and s.bar <= RESOLVED * size]
        if len(found) == 2:
            gap, bar = abs(left.estimate - right.estimate), left.bar + right.bar
            if gap <= 2 * bar:
                return None  # the same slope on both sides: smooth
            low, high = sorted((left.estimate, right.estimate))
            inside = low - bar <= path.claim <= high + bar
            nearest = min(max(path.claim, low), high)
            verdict, sides = "kink", (left.estimate, right.estimate)
        elif len(found) == 1 and (left is None or right is None):
            (side,) = found
            nearest, bar = side.estimate, side.bar
            inside = abs(path.claim - nearest) <= bar
            verdict, sides = "edge", None
        else:
            return None
        verdict = verdict if inside else "wrong"
        return Coordinate(path.name, path.claim, nearest, bar, verdict, sides)

    def _one_sided(self, path, sign, noise):
        """Slope to one side of x, or None if f has no values there."""

        def formula(h):
            return (4 * along(h) - along(2 * h) - 3 * along(0.0)) / (2 * h)

        along, best = path.along, None
        step = _power_of_two(2.0**-9 * max(1.0, path.size))
        while step > _power_of_two(2.0**-36 * max(1.0, path.size)):
            coarse, fine = formula(sign * step), formula(sign * step / 2)
            estimate = fine + (fine - coarse) / 3
            rough = max(noise, EPSILON / 2 * abs(along(sign * step)))
            rounding = SAFETY * 7 * rough / step
            now = _Measurement(estimate, abs(fine - coarse), rounding, step)
            if math.isfinite(now.bar) and (
                best is None or now.bar < best.bar or _belies(now, best)
            ):
                best = now
            step /= 8
        return best


def _kink(along, h, order):
    """How much the slope changes at 0: right minus left, 0 for a smooth function.

    The second difference over h of a smooth function is an odd series in h, of a kink
    a constant; combining steps removes the series' first terms and keeps the constant.
    """

    def bend(step):
        return (along(step) - 2 * along(0.0) + along(-step)) / step

    fine = 2 * bend(h / 2) - bend(h)
    if order == 2:
        return fine
    return (8 * fine - (2 * bend(h) - bend(2 * h))) / 7


def _noise_in(along, spacing, order):
    """Standard deviation of the rounding error of a function, from the differences
    of nine neighbouring values: a smooth function's high differences vanish, those
    of rounding errors do not (Hamming; More and Wild 2011, "Estimating
    computational noise")."""
    found = []
    for h in (spacing, -spacing):  # one side at a time: there may be a kink at 0
        differences = np.diff([along(k * h) for k in range(1, 10)], order)
        mean_square = float(np.mean(differences**2))
        found.append(math.sqrt(mean_square / math.comb(2 * order, order)))
    return min((noise for noise in found if math.isfinite(noise)), default=0.0)


def _complex_slopes(f, x, point, evaluate, random):
    """Slopes by the complex step, after a test that f is analytic."""
    gradient = point.take_gradient(finite_difference(f, x, method="complex"))
    evaluate.count += sum(values.size for values in gradient)
    plain = _Witness(evaluate, evaluate.rounding, _METHODS["five-point"])
    for path in _directions(point, gradient, evaluate, random, 2):
        if plain.judge(path).verdict not in ("agrees", "kink"):
            raise ValueError(
                f"method='complex' does not suit f: for {path.name} the complex step "
                "is not the slope of f. f drops or takes the size of the imaginary "
                "part (abs, max, comparisons, conj, .real); use method='five-point'"
            )
    largest = max(float(np.max(np.abs(values), initial=0)) for values in gradient)

    def slopes(path):
        return float(gradient[path.leaf][path.position]), 256 * EPSILON * largest

    return slopes


# ---------------------------------------------------------------- the likely mistake


def _likely_mistake(point, claimed, coordinates):
    """Words for a wrong gradient that a transpose, a sign or a factor would mend."""
    if not any(c.verdict == "wrong" for c in coordinates):
        return ""
    found, bars, wrong, start = [], [], [], 0
    for values in claimed:
        part = coordinates[start : start + values.size]
        start += values.size
        found.append(np.array([c.finite_difference for c in part]))
        bars.append(np.array([c.bar for c in part]))
        wrong.append(np.array([c.verdict == "wrong" for c in part]))
    whole = _common_factor(*(np.concatenate(p) for p in (claimed, found, bars)))
    if whole:
        return whole
    words = []
    for leaf, name in enumerate(point.names):
        if not wrong[leaf].any():
            continue
        said = _mistake_in(point, claimed, found, bars, wrong, leaf)
        if said:
            words.append(f"{name}: {said}")
    return "; ".join(words)


def _mistake_in(point, claimed, found, bars, wrong, leaf):
    value, truth, bar = claimed[leaf], found[leaf], bars[leaf]
    shape = point.shapes[leaf]
    said = _common_factor(value, truth, bar)
    if said:
        return said
    if len(shape) == 2 and min(shape) > 1:
        turned = value.reshape(shape).T.ravel()
        if shape[0] == shape[1] and _fits(turned, truth, bar):
            return "the transpose fits; it is transposed"
        if _fits(value.reshape(shape[::-1]).T.ravel(), truth, bar):
            return "the numbers are right, in the order of the transpose: a reshape "
    for other, name in enumerate(point.names):
        same = other != leaf and point.shapes[other] == shape
        if same and _fits(value, found[other], bars[other]):
            return f"this is the gradient of {name}; the two are swapped"
    if not value.any():
        return "all zeros: was it computed at all?"
    count = int(wrong[leaf].sum())
    for axis in range(len(shape)):
        hit = np.unique(np.nonzero(wrong[leaf].reshape(shape))[axis])
        full = value.size // shape[axis]
        if hit.size == 1 and 1 < full == count and shape[axis] > 1:
            where = [":"] * len(shape)
            where[axis] = str(hit[0])
            return f"only [{', '.join(where)}] is wrong"
    return f"only {count} of {value.size} is wrong" if 4 * count <= value.size else ""


def _common_factor(value, truth, bar):
    """Words if truth = factor * value for one factor, otherwise ''."""
    size = float(np.max(np.abs(value), initial=0))
    if size == 0 or not np.all(np.isfinite(truth)):
        return ""
    unit = value / size  # no overflow in the products
    factor = float((truth / size) @ unit / (unit @ unit))
    if value.size == 1 and not _is_simple(factor, 10):
        return ""  # one number is always some factor away from another
    if abs(factor - 1) < 1e-5 or factor == 0 or not _fits(factor * value, truth, bar):
        return ""
    if abs(factor + 1) < 1e-5:
        return "the sign is flipped; -1 times it fits"
    text = _name_factor(factor)
    if abs(factor) > 2.5 or abs(factor) < 0.4:
        return f"{text} times it fits; a sum in one place, a mean in the other?"
    return f"{text} times it fits"


def _is_simple(factor, most=1e6):
    size = abs(factor) if abs(factor) >= 1 else 1 / max(abs(factor), 1e-300)
    return size < most and abs(size - round(size)) < 1e-5 * size


def _name_factor(factor):
    if not _is_simple(factor):
        return f"{factor:.4g}"
    if abs(factor) >= 1:
        return f"{round(factor)}"
    return f"{'-' if factor < 0 else ''}1/{round(1 / abs(factor))}"


def _fits(value, truth, bar):
    return bool(
        np.all(np.isfinite(truth))
        and np.all(
            np.abs(value - truth) <= 4 * bar + 1e-5 * np.max(np.abs(truth), initial=0)
        )
    )


# ---------------------------------------------------------------- x and f, taken apart


class _Point:
    """x taken apart into private float64 copies, and put together again for f.

    `buffers` are flat writable arrays, one for each array or number in x. `build()`
    gives what f sees: the structure of x over read-only views of the buffers.
    """

    def __init__(self, x, names=None, complex_valued=False):
        self.original = x
        self.dtype = np.complex128 if complex_valued else np.float64
        self.buffers, self.names, self.shapes = [], [], []
        if names is not None and not (
            isinstance(x, tuple | list) and len(names) == len(x)
        ):
            raise ValueError(
                f"names must give one name for each entry of a tuple or list x, got "
                f"{names!r} for {_describe(x)}"
            )
        self.build = self._take(x, "", names)
        if not sum(buffer.size for buffer in self.buffers):
            raise ValueError(f"x has no numbers in it to differentiate: {_describe(x)}")

    def _take(self, x, name, names=None):
        if isinstance(x, Mapping | tuple | list):
            kind, keys = _kind(x), _keys(x)
            parts = [
                self._take(x[key], _name(name, key, names[key] if names else None))
                for key in _getters(x)
            ]
            if kind is dict:
                return lambda: {k: p() for k, p in zip(keys, parts, strict=True)}
            return lambda: kind([part() for part in parts])
        array = _as_real(x, f"x{name if name.startswith('[') else ''}" or "x")
        if not np.all(np.isfinite(array)):
            at = _index_of_first(~np.isfinite(array))
            raise ValueError(f"x holds nan or inf, at {name or 'x'}{at}: use finite x")
        copy = np.array(array, dtype=self.dtype, order="C")
        buffer, view = copy.reshape(-1), copy.view()
        view.flags.writeable = False
        self.buffers.append(buffer)
        self.names.append(name or "x")
        self.shapes.append(copy.shape)
        if isinstance(x, np.ndarray):
            return lambda: view
        if copy.ndim == 0:
            return lambda: buffer[0].item()
        return lambda: view

    def labels(self, leaf):
        """position in the buffer -> name such as W[2, 0]."""
        name, shape = self.names[leaf], self.shapes[leaf]
        if not shape:
            return lambda i: name

        def label(i):
            index = ", ".join(str(k) for k in np.unravel_index(i, shape))
            return f"{name}[{index}]"

        return label

    def take_gradient(self, gradient):
        """The claimed gradient as flat float64 arrays, one for each buffer."""
        if callable(gradient):
            try:
                gradient = gradient(self.build())
            except ValueError as error:
                if "read-only" in str(error):
                    raise _mutation("gradient") from error
                raise
        leaves = []
        self._pair(self.original, gradient, "", leaves)
        return leaves

    def _pair(self, x, gradient, name, leaves):
        where = f"gradient{name}" if name.startswith("[") or not name else name
        if isinstance(x, Mapping | tuple | list):
            both = isinstance(x, Mapping) == isinstance(gradient, Mapping)
            if not (both and isinstance(gradient, Mapping | tuple | list)):
                raise TypeError(
                    f"{where} must have the structure of x, {_describe(x)}; got "
                    f"{_describe(gradient)}"
                )
            if isinstance(x, Mapping) and set(x) != set(gradient):
                raise ValueError(
                    f"{where} must have the keys of x, {sorted(map(str, x))}; got "
                    f"{sorted(map(str, gradient))}"
                )
            if len(x) != len(gradient):
                raise ValueError(
                    f"{where} must have {len(x)} entries, as x has; got {len(gradient)}"
                )
            for key in _getters(x):
                self._pair(x[key], gradient[key], _name(name, key), leaves)
            return
        leaf = len(leaves)
        if gradient is None or isinstance(gradient, Mapping | tuple):
            raise TypeError(
                f"{where} must be an array of shape {self.shapes[leaf]}, as in x; got "
                f"{_describe(gradient)}" + (": a missing return?" * (gradient is None))
            )
        array = _as_real(gradient, where)
        if array.shape != self.shapes[leaf]:
            turned = array.shape == self.shapes[leaf][::-1]
            raise ValueError(
                f"{where} must have the shape of its x, {self.shapes[leaf]}; got "
                f"{array.shape}" + (": transposed?" if turned else "")
            )
        if not np.all(np.isfinite(array)):
            at = _index_of_first(~np.isfinite(array))
            raise ValueError(
                f"{where}{at} is {array[~np.isfinite(array)][0]}: the gradient must be "
                "finite to be compared"
            )
        leaves.append(array.reshape(-1))

    def assemble(self, leaves):
        """Flat arrays, one for each buffer, in the structure of x."""
        rest = iter(
            values.reshape(shape)
            for values, shape in zip(leaves, self.shapes, strict=True)
        )

        def build(x):
            if isinstance(x, Mapping):
                return {key: build(x[key]) for key in x}
            if isinstance(x, tuple | list):
                return _kind(x)([build(part) for part in x])
            values = next(rest)
            return values if values.ndim else values[()]

        return build(self.original)


class _Evaluator:
    """Calls f, counts the calls, and looks after what f must not do."""

    def __init__(self, f, point):
        if not callable(f):
            raise TypeError(f"f must be a function of x, got {_describe(f)}")
        self.f, self.point, self.count = f, point, 0
        self.convert = complex if point.dtype == np.complex128 else float
        self.rounding = EPSILON
        self.centres = [buffer.copy() for buffer in point.buffers]

    def __call__(self):
        """f at what the buffers hold; nan where f refuses the number."""
        self.count += 1
        try:
            return self.convert(self.f(self.point.build()))
        except (ArithmeticError, ValueError, TypeError) as error:
            if "read-only" in str(error):
                raise _mutation() from error
            return math.nan

    def first(self):
        """f at x itself, with every question that can be asked about its value."""
        seen = self.point.build()
        before = _fingerprint(seen)
        self.count += 2
        try:
            value = self.f(seen)
            again = self.f(self.point.build())
        except ValueError as error:
            if "read-only" in str(error):
                raise _mutation() from error
            raise
        if _fingerprint(seen) != before:
            raise _mutation()
        self._examine(value)
        if self.convert(value) != self.convert(again):
            raise ValueError(
                f"f must give the same number each time; at the same x it gave {value} "
                f"and then {again}. Fix its seed, or pass its random draws in"
            )
        self.value = self.convert(value)
        kind = np.asarray(value).dtype
        epsilon = np.finfo(kind).eps if kind.kind in "fc" else EPSILON
        self.rounding = float(max(epsilon, EPSILON)) / 2 * abs(self.value)

    def _examine(self, value):
        if value is None:
            raise TypeError(
                "f must return one real number, got None: a missing return?"
            )
        try:
            array = np.asarray(value)
        except ValueError:
            array = np.empty(0, dtype=object)
        if array.dtype.kind not in "biufc" or array.ndim:
            what = f"shape {array.shape}" if array.ndim else _describe(value)
            raise TypeError(
                f"f must return one real number, got {what}. A gradient belongs to a "
                "scalar: sum the values, or check one of them at a time"
            )
        if self.convert is float and array.dtype.kind == "c":
            raise TypeError(f"f must return a real number, got the complex {value}")
        if self.convert is complex and array.dtype.kind != "c":
            raise TypeError(
                "method='complex' needs a function that hands complex numbers through; "
                f"f returned the real number {value}. Use method='five-point'"
            )
        if not np.isfinite(array):
            raise ValueError(f"f(x) is {value}: choose an x where f is finite")

    def check_untouched(self):
        for buffer, centre in zip(self.point.buffers, self.centres, strict=True):
            if not np.array_equal(buffer, centre):
                raise _mutation()


def _along_coordinate(evaluate, buffer, i):
    """t -> f with coordinate i moved by t; remembers its values."""
    centre, known = buffer[i].item(), {0.0: evaluate.value}

    def along(t):
        value = known.get(t)
        if value is None:
            buffer[i] = centre + t
            value = known[t] = evaluate()
            buffer[i] = centre
        return value

    return along


def _along_direction(evaluate, buffers, centres, directions):
    """t -> f with everything moved by t times the directions; remembers its values."""
    known = {0.0: evaluate.value}

    def along(t):
        if t not in known:
            for buffer, centre, direction in zip(
                buffers, centres, directions, strict=True
            ):
                buffer[:] = centre + t * direction
            known[t] = evaluate()
            for buffer, centre in zip(buffers, centres, strict=True):
                buffer[:] = centre
        return known[t]

    return along


def _along_everything(evaluate, point, random):
    centres = evaluate.centres
    directions = [
        random.choice([-1.0, 1.0], size=centre.size) * _noise_scale(np.abs(centre))
        for centre in centres
    ]
    return _along_direction(evaluate, point.buffers, centres, directions)


def _noise_scale(size):
    """How far rounding is sampled: well inside x, and well above its last bits."""
    return np.maximum(2.0**-26 * size, np.where(size == 0, 1, np.minimum(size, 1)))


# ---------------------------------------------------------------- small helpers


def _choose_method(method):
    if method not in _METHODS:
        raise ValueError(f"method must be one of {list(_METHODS)}, got {method!r}")
    return _METHODS[method]


def _power_of_two(value):
    return 2.0 ** round(math.log2(value))


def _is_real_number(value):
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(
        value, bool
    )


def _as_real(value, name):
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.empty(0, dtype=object)
    if array.dtype.kind == "c":
        raise TypeError(f"{name} must be real, got complex numbers ({array.dtype})")
    if array.dtype.kind not in "iuf":
        raise TypeError(
            f"{name} must hold real numbers, got {_describe(value)} of dtype "
            f"{array.dtype}"
        )
    return array.astype(np.float64)


def _kind(x):
    """The type that puts a structure together from the list of its parts."""
    if isinstance(x, Mapping):
        return dict
    if hasattr(x, "_make"):
        return type(x)._make
    return tuple if isinstance(x, tuple) else list


def _keys(x):
    return list(x) if isinstance(x, Mapping) else list(getattr(x, "_fields", ()))


def _getters(x):
    return list(x) if isinstance(x, Mapping) else range(len(x))


def _name(outer, key, given=None):
    if given is not None:
        return str(given)
    if isinstance(key, str):
        return f"{outer}.{key}" if outer else key
    return f"{outer}[{key}]"


def _index_of_first(mask):
    if not mask.ndim:
        return ""
    return "[" + ", ".join(str(k) for k in np.argwhere(mask)[0]) + "]"


def _describe(value):
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, Mapping):
        return f"a dict with keys {sorted(map(str, value))}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if value is None:
        return "None"
    return f"a {type(value).__name__}"


def _fingerprint(x):
    """What a structure is made of, to see whether a call changed its containers."""
    if isinstance(x, Mapping):
        return tuple((key, _fingerprint(part)) for key, part in x.items())
    if isinstance(x, tuple | list):
        return tuple(_fingerprint(part) for part in x)
    return id(x) if isinstance(x, np.ndarray) else x


def _mutation(who="f"):
    return ValueError(
        f"{who} changes its argument x in place, so that the next call sees another x. "
        f"Work on a copy inside {who}, as in x = x.copy()"
    )

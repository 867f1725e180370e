"""The third witness: is this the gradient of that function (S10)?

A gradient is claimed, by hand or by machine. `check_gradient` asks the function itself:
`differences` finds every slope by trying, with an error bar. A claim outside its bar is
wrong, so nobody has to choose a tolerance. At a kink (relu at 0, ties of a max) every
claim between the slopes to the left and to the right is right, and the report says so.
Where the function itself does not tell, the claim is unjudged, and has not passed.

It reads `differences` and nothing else of ours; notebooks, tests and exercises may
read it.
"""

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from . import differences
from .differences import describe, label

__all__ = ["Coordinate", "GradientReport", "check_gradient"]

ROUGH = 64  # times the noise among nearer points: f is no smooth function with noise
COARSE = 0.1  # a bar this wide, beside its value, leaves not one digit of it
NOTHING = 1e-9  # a claim this small, beside the steepest slope of f, counts as 0


# ---------------------------------------------------------------- what comes out


@dataclass(frozen=True)
class Coordinate:
    """One checked number: a coordinate of x, or a random direction.

    name              such as ``W[2, 0]``
    claimed           the gradient's value
    finite_difference the value found by differences
    bar               how well that is known: the truth lies within +- bar of it
    verdict           "agrees", "wrong", "kink" (f has one at x, or too near to tell the
                      two apart, and the claim lies between the left and the right
                      derivative) or "unjudged" (differences can't tell)
    sides             (left, right) derivative at a kink, otherwise None
    reason            why it is unjudged, in words, otherwise empty
    """

    name: str
    claimed: float
    finite_difference: float
    bar: float
    verdict: str
    sides: tuple | None = None
    reason: str = ""

    @property
    def gap(self):
        """Distance between the claim and the finite difference."""
        return abs(self.claimed - self.finite_difference)

    @property
    def relative_error(self):
        """The gap beside the larger of the two values; 0 when both are 0."""
        return self._relative(self.gap)

    @property
    def resolution(self):
        """The smallest relative error of the claim that would have been seen."""
        return self._relative(self.bar)

    def _relative(self, part):
        size = max(abs(self.claimed), abs(self.finite_difference))
        return part / size if size else math.inf if part else 0.0


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
        return self._with_verdict("wrong")

    @property
    def kinks(self):
        """The coordinates at which f has a kink, the claim being a right answer."""
        return self._with_verdict("kink")

    @property
    def unjudged(self):
        """The coordinates where differences can't tell; each says its `reason`."""
        return self._with_verdict("unjudged")

    def _with_verdict(self, verdict):
        return tuple(c for c in self.coordinates if c.verdict == verdict)

    @property
    def worst(self):
        """The wrong coordinate with the largest relative error; if none is wrong, one
        that could not be judged; otherwise the one nearest to the end of its bar."""
        if self.wrong:
            return max(self.wrong, key=lambda c: (c.relative_error, c.gap))
        if self.unjudged:
            return self.unjudged[0]
        smooth = self._with_verdict("agrees") or self.coordinates
        return max(smooth, key=lambda c: c.gap / c.bar if c.bar else 0.0)

    def __bool__(self):
        return self.passed

    def raise_if_failed(self):
        """Return the report if the gradient passed, raise AssertionError if not."""
        if not self.passed:
            raise AssertionError(str(self))
        return self

    def __str__(self):
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

    def _repr_html_(self):
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
                An error in any coordinate shows, which one it is does not. A direction
                that crosses a kink stays unjudged
    names       for a tuple or list x: a name for each entry, used in the report
    seed        of the random directions

    Returns a `GradientReport`: true if passed, with `.worst`, `.wrong`, `.kinks`,
    `.unjudged` and words. It has not passed where a claim is unjudged, as when the error
    bar is wider than a tenth of its value. Only a claim of 0 may have such a bar, or one
    as good as 0: below 1e-9 of the steepest slope of f, or below the last digit of f.

    A kink counts as at x within about 1e-13 of the larger of 1 and |x|; mostly, for a
    small x, of |x|. Stairs lower than about 1e-6 of f can't be told from the rounding of
    float32: there the slope of the whole staircase counts as that of f.

    Errors: ValueError, TypeError for arguments that can't be checked: shapes that don't
    match, nan or inf, complex x, f not scalar, not repeatable or changing x.
    """
    formula, _ = differences.choose_formula(method)
    if directions is not None and (type(directions) is not int or directions < 1):
        raise ValueError(
            f"directions must be a whole number from 1 up, or None, got {directions!r}"
        )
    if directions is not None and method == "complex":
        raise ValueError("with method='complex' leave directions out, or use another")
    function = differences.Function(f, x)
    if names is not None:
        function.names = _rename(x, names)
    if callable(gradient):
        gradient = differences.call(gradient, function.argument(), "gradient")
    claimed = _as_vector(x, gradient)
    exact = None
    if method == "complex":
        exact = _as_vector(x, differences.finite_difference(f, x, "complex"))
        function.calls += 2 + exact.size
        formula, _ = differences.choose_formula("five-point")  # which it must fit
    lines = _lines(function, directions, _random(seed))
    coordinates, steepest = [], 0.0
    with np.errstate(all="ignore"):
        noise = function.noise()
        for name, where, direction in lines:
            along = function.along(where, direction)
            size = float(np.max(np.abs(function.vector[where])))
            slope = differences.find_slope(along, size, noise.far, formula)
            steepest = max(steepest, slope.around)
            if exact is not None:
                slope = _sharpen(slope, name, exact[where], np.max(np.abs(exact)))
            claim = float(np.sum(claimed[where] * direction))
            judged = _judge(name, claim, slope, directions is not None)
            if _is_doubtful(judged, slope, along, size, noise):
                judged = replace(judged, verdict="unjudged", reason=_ROUGH)
            coordinates.append(judged)
        as_good_as_0 = max(NOTHING * steepest, function.last_digit())
        coordinates = [_unless_coarse(c, as_good_as_0) for c in coordinates]
        mistake = _likely_mistake(function, coordinates, directions is None)
    return GradientReport(tuple(coordinates), method, function.calls, mistake)


_NO_SLOPE = "f jumps, ends or blows up here"
_CROSSES = "this direction crosses a kink; leave directions out, to check each value"
_ROUGH = "f is too rough here: longer and shorter steps contradict each other"


def _judge(name, claim, slope, is_direction):
    """The `Coordinate` with the verdict on one claim."""
    nearest, verdict, reason = slope.estimate, "agrees", ""
    if slope.sides:
        low, high = sorted(slope.sides)
        nearest, verdict = min(max(claim, low), high), "kink"
    if slope.bar == math.inf:
        verdict, reason = "unjudged", _NO_SLOPE
    elif slope.sides and is_direction:
        # Between the two sides there is room for errors in all other coordinates.
        verdict, reason = "unjudged", _CROSSES
    elif abs(claim - nearest) > slope.bar:
        verdict = "wrong"
    return Coordinate(name, claim, nearest, slope.bar, verdict, slope.sides, reason)


def _is_doubtful(judged, slope, along, size, noise):
    """Whether other steps contradict the verdict.

    Asked before every alarm: do they see a slope that is much nearer to the claim, ten
    times for longer ones? And where f is rough, of every claim: is what looks like noise
    a wave or stairs that carry a slope?
    """
    if judged.verdict == "unjudged":
        return False
    gaps = []
    if judged.verdict == "wrong":
        gaps.append(judged.gap)
        if any(abs(judged.claimed - near) <= judged.gap / 10 for near in slope.rivals):
            return True
    if noise.far > ROUGH * noise.near:
        gaps.append(differences.steepness(noise.far, size))
    contradicted = differences.is_contradicted
    return any(contradicted(slope, along, size, noise.near, gap) for gap in gaps)


def _unless_coarse(judged, as_good_as_0):
    """The same, or unjudged where the bar is so wide that nothing was checked."""
    if judged.verdict not in ("agrees", "kink") or judged.resolution <= COARSE:
        return judged
    if min(judged.bar, abs(judged.claimed)) <= as_good_as_0:
        return judged
    found = f"{judged.finite_difference:.3g} \N{PLUS-MINUS SIGN} {judged.bar:.2g}"
    reason = f"{found} is all that the digits of f tell"
    return replace(judged, verdict="unjudged", reason=reason)


def _sharpen(slope, name, exact, largest):
    """The complex step in place of a slope, which it must fit."""
    bar = 256 * differences.EPSILON * float(largest)
    if abs(exact - slope.estimate) > slope.bar + bar:
        raise ValueError(
            f"method='complex' does not suit f: for {name} the complex step is not the "
            "slope of f. f drops or takes the size of the imaginary part (abs, max, "
            "comparisons, conj, .real); use method='five-point'"
        )
    return slope._replace(estimate=float(exact), bar=bar, sides=None)


# ---------------------------------------------------------------- what is checked


def _lines(function, directions, random):
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
            "names must give each entry of a tuple or list x a name of its own, got "
            f"{names!r} for {describe(x)}"
        )
    return [name for name, _ in differences.leaves(dict(zip(names, x, strict=True)))]


def _as_vector(x, gradient):
    """The numbers of the gradient in one vector, as those of x stand in theirs."""
    return np.concatenate([part.ravel() for part in _pair_up(x, gradient, "gradient")])


def _pair_up(x, gradient, name):
    """The arrays of the gradient, one for each in x; an error where the two part."""
    if isinstance(x, dict | tuple | list):
        if _keys(x) != _keys(gradient):
            raise TypeError(
                f"{name} must have the structure of x, {describe(x)}; got "
                f"{describe(gradient)}"
            )
        parts = [_pair_up(x[k], gradient[k], f"{name}[{k!r}]") for k in _keys(x)]
        return [array for arrays in parts for array in arrays]
    array = differences.real_array(gradient, name)
    if array.shape != np.shape(x):
        turned = array.shape == np.shape(x)[::-1]
        raise ValueError(
            f"{name} must have the shape of its x, {np.shape(x)}; got {array.shape}"
            f"{': transposed?' if turned else ''}"
        )
    return [array]


def _keys(tree):
    if isinstance(tree, dict):
        return tree.keys()
    return range(len(tree)) if isinstance(tree, tuple | list) else None


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

"""Lecture 06: numerical and symbolic differentiation (S10)."""

import numpy as np

from ...differences import finite_difference
from ..exercise import WITNESSES, Exercise, Mistake, edited

# Answers call functions that the cases pass to them (`waves`, `valley`, `rational`), so only
# names with a leading underscore are forbidden here.
_FORBIDDEN = (
    *(room for room in WITNESSES if "tasks" not in room),
    "comp551ad.exercises.tasks.lecture_06._",
)


# --- a checker of one's own -----------------------------------------------------------


def waves(w):
    return np.sum(np.sin(w)) * np.sum(w)


def valley(w):
    return np.sum(np.cosh(w)) + np.exp(np.sum(w) / 2)


def _error_cases(rng: np.random.Generator) -> list[tuple]:
    def claim(f, w, worst, where):
        """The gradient of f, a little off everywhere and more so in one place."""
        g = finite_difference(f, w) * (1 + 0.01 * rng.uniform(-1, 1, w.shape))
        g[where] += worst
        return g

    a, b = rng.uniform(0.5, 1.5, size=3), rng.uniform(-1, 1, size=(2, 3))
    whole, one = np.array([1, 2, 4]), np.array([0.7])
    return [
        (waves, claim(waves, a, -0.5, 1), a, 0.1),
        (valley, claim(valley, b, 0.3, (1, 0)), b, 0.01),
        (waves, claim(waves, whole, 0.4, 2), whole, 0.1),
        (valley, claim(valley, one, 0.0, 0), one, 0.05),
        (valley, claim(valley, -1 - a, 0.2, 2), -1 - a, 0.01),
    ]


def _gradient_error(f, claim, w, h):
    slopes = finite_difference(f, w, "central", h)
    return np.abs(claim - slopes).max() / np.abs(slopes).max()


def _in_a_loop(f, claim, w, h):
    slopes = np.zeros(w.shape)
    for at in np.ndindex(w.shape):
        moved = w.astype(float)
        moved[at] += h
        up = f(moved)
        moved[at] -= 2 * h
        slopes[at] = (up - f(moved)) / (2 * h)
    off = claim - slopes
    return np.abs(off).max() / np.abs(slopes).max()


gradient_error = Exercise(
    name="gradient_error",
    core=True,
    lecture="06",
    title="A checker of one's own",
    witness=_gradient_error,
    cases=_error_cases,
    forbidden=_FORBIDDEN,
    # Answers compute differences, so no more digits than those have are required.
    tolerance=1e-5,
    mistakes=(
        Mistake(
            "the forward formula",
            edited(_in_a_loop, "f(moved)) / (2 * h) → f(w)) / h"),
            "The central formula steps to both sides.",
        ),
        Mistake(
            "the backward formula",
            edited(_in_a_loop, "(up - f(moved)) / (2 * h) → (f(w) - f(moved)) / h"),
            "The central formula steps to both sides.",
        ),
        Mistake(
            "2 h is in the denominator in the formula, not in the code",
            edited(_in_a_loop, "/ (2 * h) → / 2 * h"),
            "In Python a / 2 * h is (a / 2) * h. What is in the denominator?",
        ),
        Mistake(
            "sums instead of the largest entries",
            edited(_in_a_loop, ".max() → .sum()"),
            "The question asks for the largest difference relative to the largest slope.",
        ),
        Mistake(
            "relative to the larger of the two",
            edited(_in_a_loop, "np.abs(slopes) → np.maximum(abs(slopes), abs(claim))"),
            "Which size should you divide by: the slopes', the claim's, or the larger of the two?",
        ),
        Mistake(
            "yes or no instead of a number",
            lambda *given: bool(_gradient_error(*given) < 1e-5),
            "How far off is it? One number is expected.",
        ),
        Mistake(
            "divided by h, not by 2 h",
            edited(_in_a_loop, "(2 * h) → h"),
            "How far apart are the two points?",
        ),
        Mistake(
            "a weight is not restored",
            edited(
                _in_a_loop,
                "        moved = w.astype(float)\n → ",
                "    for →     moved = w.astype(float)\n    for",
            ),
            "One weight moves at a time: restore it before the next one moves.",
        ),
        Mistake(
            "all the weights move at once",
            edited(_in_a_loop, "moved[at] → moved"),
            "That is one slope, along the diagonal. There is one for each weight.",
        ),
        Mistake(
            "a whole row moves at once",
            edited(_in_a_loop, "np.ndindex(w.shape) → range(len(w))"),
            "How many slopes does a 2 x 3 matrix w have, and how many does your loop find?",
        ),
        Mistake(
            "integers swallow the step",
            edited(_in_a_loop, "w.astype(float) → w.copy()"),
            "An integer array holds integers: 1 + 0.1 is stored as 1, or an error is raised.",
        ),
        *(
            Mistake(
                "the absolute value is missing",
                edited(
                    _in_a_loop, f"np.abs(off).max() / np.abs(slopes).max() → {size}"
                ),
                "A claim may be off in either direction, and a slope may be negative.",
            )
            for size in (
                "np.abs(off).max() / slopes.max()",
                "off.max() / np.abs(slopes).max()",
                "off.max() / slopes.max()",
                "-off.min() / np.abs(slopes).max()",
                "-off.min() / slopes.max()",
            )
        ),
        Mistake(
            "the mean instead of the largest",
            edited(_in_a_loop, "np.abs(off).max() → np.abs(off).mean()"),
            "One wrong entry among a thousand right ones must not be averaged away.",
        ),
        Mistake(
            "each entry relative to its own slope",
            edited(
                _in_a_loop,
                "np.abs(off).max() / np.abs(slopes).max() → np.abs(off / slopes).max()",
            ),
            "Where a slope is nearly 0, rounding alone would look like a mistake.",
        ),
        Mistake(
            "relative to the claim's own size",
            edited(_in_a_loop, "np.abs(slopes) → np.abs(claim)"),
            "If the claim is far too large, so is what you divide by.",
        ),
        Mistake(
            "norms instead of the largest entries",
            edited(
                _in_a_loop,
                "np.abs(off).max() → np.linalg.norm(off)",
                "np.abs(slopes).max() → np.linalg.norm(slopes)",
            ),
            "The question asks for the largest difference relative to the largest slope.",
        ),
        Mistake(
            "one error per entry",
            edited(_in_a_loop, "np.abs(off).max() → np.abs(off)"),
            "One number is expected: the largest of them.",
        ),
    ),
    hints=(
        "First the slopes: an array like w, filled in a loop over its indices. "
        "np.ndindex(w.shape) goes through them, whatever the shape.",
        "In a copy as floats, w.astype(float), change one entry. Then compare: "
        "one largest absolute value over another.",
    ),
)


# --- counting runs --------------------------------------------------------------------

_FORMULAS = {  # for one weight, from values of f near w
    "forward": lambda at, here, h: (at(h) - here) / h,
    "central": lambda at, here, h: (at(h) - at(-h)) / (2 * h),
    "five-point": lambda at, here, h: (
        (8 * (at(h) - at(-h)) - at(2 * h) + at(-2 * h)) / (12 * h)
    ),
    "complex": lambda at, here, h: at(1j * h).imag / h,
}


def _count_runs(D: int, C: int) -> dict[str, int]:
    """Compute a Jacobian with each formula, of a function that counts its runs."""
    A, w = np.arange(1.0, C * D + 1).reshape(C, D), np.linspace(0, 1, D)
    counts = {}
    for name, formula in _FORMULAS.items():
        runs = []

        def f(w, runs=runs):
            runs.append(w)
            return np.sin(A @ w)

        here = f(w) if name == "forward" else None
        columns = [
            formula(lambda t, e=e: f(w + t * e), here, 2.0**-10)  # noqa: B023, used at once
            for e in np.eye(D)
        ]
        assert np.allclose(np.transpose(columns), np.cos(A @ w)[:, None] * A, rtol=1)
        counts[name] = len(runs)
    return counts


count_runs = Exercise(
    name="count_runs",
    core=True,
    lecture="06",
    title="How often is the function run?",
    witness=_count_runs,
    cases=lambda rng: [
        (5, 3),
        (1, 4),
        (4, 1),
        tuple(map(int, rng.integers(2, 9, size=2))),
    ],
    secret=True,
    mistakes=(
        Mistake(
            "once more for every output",
            lambda D, C: {
                "forward": (D + 1) * C,
                "central": 2 * D * C,
                "five-point": 4 * D * C,
                "complex": D * C,
            },
            "One run gives all outputs at once (E14).",
        ),
        Mistake(
            "f is run again for each output",
            lambda D, C: {"forward": D * C + 1},
            "One run gives all outputs at once (E14).",
        ),
        Mistake(
            "f(w) is run again for every weight",
            lambda D, C: {"forward": 2 * D},
            "f(w) is the same for all weights: once is enough.",
        ),
        Mistake(
            "the run at w is forgotten",
            lambda D, C: {"forward": D},
            "Which number is subtracted from f(w + h)?",
        ),
        *(
            Mistake(
                "an unneeded run at w",
                lambda D, C, part=part, n=n: {part: n * D + 1},
                "Does f(w) appear in this formula?",
            )
            for part, n in (("central", 2), ("five-point", 4), ("complex", 1))
        ),
        Mistake(
            "five points for each weight",
            lambda D, C: {"five-point": 5 * D},
            "The fifth point has weight zero.",
        ),
        Mistake(
            "one side only",
            lambda D, C: {"central": D, "five-point": 2 * D},
            "The formula needs points on both sides of w.",
        ),
        Mistake(
            "two runs for each weight",
            lambda D, C: {"complex": 2 * D},
            "The complex step subtracts nothing: the imaginary part is the answer.",
        ),
        Mistake(
            "points shared by neighbouring weights",
            lambda D, C: {"central": D + 1, "five-point": D + 3},
            "Each weight moves along its own axis. Where do two axes meet?",
        ),
        Mistake(
            "one weight alone",
            lambda D, C: {"forward": 2, "central": 2, "five-point": 4, "complex": 1},
            "That is one column of the Jacobian.",
        ),
    ),
    hints=(
        "Take one weight. Which values of f appear in the formula?",
        "Then D weights: which of those values are the same for all of them?",
    ),
)


# --- the best step --------------------------------------------------------------------


def _best_step(k: float) -> float:
    """Measured: the step, a power of two over k, with the smallest error on 256 points."""
    w = np.arange(1, 257) / 256 / k
    right = k**2 * np.exp(k * w)

    def error(h):
        second = (np.exp(k * (w + h)) - 2 * np.exp(k * w) + np.exp(k * (w - h))) / h**2
        return np.mean((second / right - 1) ** 2)

    return min(2.0 ** -np.arange(2, 40) / k, key=error)


def _in_halvings(answer, k):
    """Steps are compared by their logarithm, in the units of w that k sets."""
    return {"log2(k h)": np.log2(answer(k) * k)}


_u = 2.0**-53

best_step = Exercise(
    name="best_step",
    lecture="06",
    title="The best step, predicted",
    witness=_best_step,
    cases=lambda rng: [(1.0,), (1024.0,), (2.0**-6,), (2.0 ** rng.integers(-20, 20),)],
    use=_in_halvings,
    secret=True,
    tolerance=0.13,  # of 12 halvings: a factor of three
    mistakes=(
        Mistake(
            "the step does not follow the scale of w",
            lambda k: (48 * _u) ** 0.25,
            "With k = 1000 everything happens within a thousandth.",
        ),
        Mistake(
            "the scale of w is used the wrong way round",
            lambda k: (48 * _u) ** 0.25 * k,
            "If f changes faster, should the step be longer or shorter?",
        ),
        Mistake(
            "the best step of the central formula",
            lambda k: (3 * _u) ** (1 / 3) / k,
            "Here h is squared in the denominator: rounding weighs more.",
        ),
        Mistake(
            "the best step of the forward formula",
            lambda k: 2 * _u**0.5 / k,
            "Here h is squared in the denominator: rounding weighs more.",
        ),
        Mistake(
            "the smallest step there is",
            lambda k: 2 * _u / k,
            "Then nothing but rounding is left. The two errors should balance.",
        ),
        Mistake(
            "truncation alone, or rounding alone",
            lambda k: 1 / k,
            "A long step makes truncation large. The two errors should balance.",
        ),
        *(
            Mistake(
                "a step that depends on nothing",
                lambda k, h=h: h,
                "With k = 1000 everything happens within a thousandth.",
            )
            for h in 10.0 ** -np.arange(1, 13)
        ),
        *(
            Mistake(
                "a root other than the fourth",
                best,
                "Which power of h do you get when the derivative is set to zero?",
            )
            for best in (lambda k: (48 * _u) ** 0.5 / k**2, lambda k: 48 * _u / k**4)
        ),
    ),
    hints=(
        "Truncation, relative: (k h)² / 12. Rounding, relative: 4 τ / (k h)². Their sum "
        "is smallest where its derivative with respect to h is zero.",
        "With s = k h the sum is s² / 12 + 4 τ / s². Solve for s, then for h.",
    ),
)


# --- the complex step -----------------------------------------------------------------


def rational(w):
    return np.sum(w**3) / (1 + np.sum(w**2)) + np.exp(w[0])


def _complex_gradient(f, w, h):
    return finite_difference(f, w, "complex", h)


def _moved_by(quotient):
    return lambda f, w, h: np.array([quotient(f, w, e, h) for e in np.eye(len(w))])


complex_gradient = Exercise(
    name="complex_gradient",
    lecture="06",
    title="Find the bug: a complex step",
    witness=_complex_gradient,
    cases=lambda rng: [
        (rational, rng.uniform(0.5, 1.5, size=3), 1e-20),
        (rational, rng.uniform(0.5, 1.5, size=1), 1e-100),
        (rational, np.array([1, 2]), 1e-8),
        (rational, rng.uniform(0.5, 1.5, size=4), 0.25),
    ],
    forbidden=_FORBIDDEN,
    mistakes=(
        Mistake(
            "all the weights move at once",
            lambda f, w, h: np.full(len(w), f(w + 1j * h).imag / h),
            "1j * h is added to every entry. What should move in round k of the loop?",
        ),
        Mistake(
            "a weight is not restored",
            lambda f, w, h: [f(w + 1j * h * row).imag / h for row in np.tri(len(w))],
            "Each round starts from w itself.",
        ),
        *(
            Mistake(
                "the real part",
                _moved_by(part),
                "The real part is nearly f(w). Where has the slope gone?",
            )
            for part in (
                lambda f, w, e, h: f(w + 1j * h * e).real / h,
                lambda f, w, e, h: (f(w + 1j * h * e).real - f(w)) / h,
            )
        ),
        Mistake(
            "the real part is not removed",
            _moved_by(lambda f, w, e, h: f(w + 1j * h * e) / h),
            "The slope is in the imaginary part alone.",
        ),
        Mistake(
            "the absolute value instead of the imaginary part",
            _moved_by(lambda f, w, e, h: abs(f(w + 1j * h * e)) / h),
            "abs includes the real part. The slope is in the imaginary part alone.",
        ),
        *(
            Mistake(
                "a real difference",
                _moved_by(quotient),
                "With h = 1e-20 this is 0: the step is lost in rounding.",
            )
            for quotient in (
                lambda f, w, e, h: (f(w + h * e) - f(w - h * e)) / (2 * h),
                lambda f, w, e, h: (f(w + h * e) - f(w)) / h,
            )
        ),
        Mistake(
            "a real step",
            _moved_by(lambda f, w, e, h: np.imag(f(w + h * e)) / h),
            "No imaginary step, no imaginary part. Is the copy of w complex? An "
            "array of real numbers drops imaginary parts.",
        ),
        Mistake(
            "integers cut the slopes off",
            lambda f, w, h: _complex_gradient(f, w, h).astype(w.dtype),
            "zeros_like(w) has w's dtype: if that is an integer type, fractions are cut off.",
        ),
        Mistake(
            "the other weights are set to 0",
            _moved_by(lambda f, w, e, h: f(w * e + 1j * h * e).imag / h),
            "The other weights keep their values.",
        ),
        Mistake(
            "the weight is replaced by the step",
            _moved_by(lambda f, w, e, h: f(w * (1 - e) + 1j * h * e).imag / h),
            "The step is added to the weight.",
        ),
    ),
    hints=(
        "Try it on f(w) = w[0]² + 3 w[1]. Which slopes come out, and which should?",
        "In round k, one row of the identity matrix says which weight moves.",
    ),
)


# --- swelling -------------------------------------------------------------------------


def _derivative(e, known):
    """Of a formula in which equal parts are one object; the result is another such formula."""
    if e == "x":
        return known.setdefault("x", 1.0)
    if id(e) not in known:
        _, f, g = e
        df, dg = _derivative(f, known), _derivative(g, known)
        known[id(e)] = ("+", ("*", df, g), ("*", f, dg))
    return known[id(e)]


def _nodes(e, known):
    if not isinstance(e, tuple):
        known[e] = 1
    elif id(e) not in known:
        known[id(e)] = 1 + sum(_nodes(part, known) for part in e[1:])
    return known[id(e)] if isinstance(e, tuple) else 1


def _swelling(depth):
    e = "x"
    for _ in range(depth):
        e = ("*", e, e)
    slope, parts = _derivative(e, {}), {}
    counts = _nodes(e, {}), _nodes(slope, parts)
    return {"formula": counts[0], "derivative": counts[1], "different": len(parts)}


swelling = Exercise(
    name="swelling",
    lecture="06",
    title="How large does the formula get?",
    witness=_swelling,
    cases=lambda rng: [(1,), (2,), (0,), (5,), (40,), (int(rng.integers(3, 12)),)],
    secret=True,
    seconds=2,  # a walk through the tree of depth 40 never ends
    mistakes=(
        Mistake(
            "the leaves alone",
            lambda depth: {"formula": 2**depth},
            "Operations are nodes too: the one at the top, and those below it.",
        ),
        Mistake(
            "the operations alone",
            lambda depth: {"formula": 2**depth - 1},
            "The x's at the bottom are nodes too.",
        ),
        Mistake(
            "a part that is used twice is counted once",
            lambda depth: {"formula": depth + 1, "derivative": 4 * depth + 1},
            "A list does that. A formula writes everything out, every time.",
        ),
        Mistake(
            "the depths are counted from 1",
            lambda depth: (
                _swelling(depth - 1)
                if depth
                else {"formula": 0, "derivative": -1, "different": -3}
            ),
            "Depth 0 is x alone, one node.",
        ),
        Mistake(
            "the top is counted twice",
            lambda depth: {"formula": 2 ** (depth + 1)},
            "Count depth 0, which is x alone, and depth 1 by hand.",
        ),
        Mistake(
            "the copies next to the derivatives are left out",
            lambda depth: {"derivative": 2 ** (depth + 2) - 3},
            "The product rule writes f and g down again, next to df and dg.",
        ),
        Mistake(
            "one of the two products is left out",
            lambda depth: {"derivative": 2 ** (depth + 1) + depth - 1},
            "How often does `d` write the derivative of a half, if both halves are alike?",
        ),
        Mistake(
            "the derivative is taken to be as large as the formula",
            lambda depth: {"derivative": 2 ** (depth + 1) - 1},
            "Work depth 1 out by hand: the derivative of x x, as `d` writes it.",
        ),
        Mistake(
            "one level too few in front of the power",
            lambda depth: {"derivative": depth * 2 ** (depth + 1) + 1},
            "Try depth 0, whose derivative is 1, and depth 1, whose has seven nodes.",
        ),
        Mistake(
            "simplified as on paper",
            lambda depth: {"derivative": 2 ** (depth + 1) - 1 + 2 * depth},
            "`d` does not know that both halves are the same, nor what 1 times x is.",
        ),
        Mistake(
            "the last square is counted, which the derivative lacks",
            lambda depth: {"different": 4 * depth + 2},
            "Its two factors appear in the derivative. Does the square itself?",
        ),
        Mistake(
            "the formula's parts alone",
            lambda depth: {"different": depth + 1},
            "Each level also brings a sum and two products of its own.",
        ),
        Mistake(
            "the plain 1 and x are not counted",
            lambda depth: {"different": 4 * depth - 1},
            "A number or a letter alone is a formula too: which of them appear?",
        ),
        Mistake(
            "the two products are counted as one",
            lambda depth: {"different": 3 * depth + 1},
            "For `d`, df times f and f times df are different formulas.",
        ),
        Mistake(
            "every node is counted",
            lambda depth: {"different": (depth + 1) * 2 ** (depth + 1) - 1},
            "Equal parts count once here.",
        ),
    ),
    hints=(
        "If depth n has N nodes and its derivative D, what do depth n + 1 and its "
        "derivative have? Three new nodes, and what is written down twice.",
        "Begin a table with depths 0 to 3: nodes, nodes of the derivative, different parts. By "
        "how much does each column grow, and what does it grow like: n, or 2 to the n?",
    ),
)

EXERCISES = (gradient_error, count_runs, best_step, complex_gradient, swelling)

"""Lecture 09: adjoints, forks, and rules for the way back (S14, S15)."""

import numpy as np

from ...autodiff.trace import record, reverse
from ...autodiff.transforms import grad, vjp
from ...functions import logsumexp, softmax
from ..exercise import Exercise, Mistake, edited
from ..formulas import formulas
from .lecture_08 import of_rows, of_the_machine, swing

# --- a table of adjoints --------------------------------------------------------------


def _swing_table(answer, w: float, x: float) -> dict:
    known = of_rows(reverse(record(swing, w, x)), "b")
    return formulas(answer, {"w": w, "x": x} | known)


# What people write who walk the other way: with the rows' names, or evaluated.
_TANGENTS = (
    (0, 1, "a2 * b1 + a1 * b2", "b3 * cos(a3)", "b2 * a4 + a2 * b4", "-b2 * sin(a2)")
    + ("b5 - b6",),
    (0, 1, "a1", "b3 * cos(a3)", "a4 + a2 * b4", "-sin(a2)", "b5 - b6"),
    (0, 1, "a1", "a1 * cos(a3)", "a4 + a2 * a1 * cos(a3)", "-sin(a2)")
    + ("a4 + a2 * a1 * cos(a3) + sin(a2)",),
)


def _b2(formula: str, name: str, hint: str) -> Mistake:
    return Mistake(name, lambda: {"b2": formula}, hint)


_USES = {3: "a1 * b3", 5: "a4 * b5", 6: "- b6 * sin(a2)"}
_TURNED = {6: "b6 * sin(a2)"}
_LEFT_OUT = [(3,), (5,), (6,), (3, 5), (3, 6), (5, 6)]

adjoints_of_the_swing = Exercise(
    name="adjoints_of_the_swing",
    core=True,
    lecture="09",
    title="A table of adjoints",
    witness=lambda: {f"b{k}": of_the_machine(f"b{k}") for k in range(1, 8)},
    cases=lambda rng: [(0.7, 1.3), *map(tuple, rng.uniform(0.4, 1.4, (2, 2)).tolist())],
    use=_swing_table,
    secret=True,
    mistakes=(
        *(
            _b2(
                "0" + "".join(f" + {_USES[k]}".replace("+ -", "-") for k in kept),
                "a use of a2 is left out",
                "Go through the rows: which of them have a2 on the right-hand side?",
            )
            for kept in _LEFT_OUT
        ),
        *(
            _b2(
                " + ".join(_TURNED.get(k, _USES[k]) for k in kept),
                "a use of a2 is left out, and derivative of cos as + sin",
                "Which rows have a2 on the right-hand side? And does the cosine rise or fall "
                "just after its maximum?",
            )
            for kept in ((3, 6), (5, 6))
        ),
        _b2(
            "a1 * b3 + a4 * b5 + b6 * sin(a2)",
            "derivative of cos as + sin",
            "The cosine has its maximum at 0, and falls after it.",
        ),
        _b2(
            "(a1 * b3) * (a4 * b5) * (-b6 * sin(a2))",
            "multiplied where the terms are added",
            "Multiply along a path; add where paths meet.",
        ),
        *(
            Mistake(
                "tangents, not adjoints",
                lambda written=written: {f"b{k}": b for k, b in enumerate(written, 1)},
                "Here the output is fixed: how sensitive is it to each row? Begin at the end.",
            )
            for written in _TANGENTS
        ),
        Mistake(
            "its own value where the other factor belongs",
            lambda: {"b2": "a2 * b3 + a4 * b5 - b6 * sin(a2)"},
            "The slope of a product with respect to one factor is the other factor.",
        ),
        Mistake(
            "its own value where the other factor belongs",
            lambda: {"b1": "a1 * b3", "b4": "a4 * b5", "b2": "a2 * b3"},
            "The slope of a product with respect to one factor is the other factor.",
        ),
        Mistake(
            "the slope without the adjoint from above",
            lambda: {"b1": "a2", "b3": "cos(a3)", "b6": "-sin(a2)"},
            "The adjoint from above is a factor too.",
        ),
        Mistake(
            "the slope is taken at the result",
            lambda: {"b3": "b4 * cos(a4)"},
            "The slope of the sine is taken at the value of its operand.",
        ),
        Mistake(
            "the adjoints are seeded with the value",
            lambda: {"b7": "a7", "b5": "a7", "b6": "-a7"},
            "How much does y change per unit added to y?",
        ),
        Mistake(
            "numbered from the output",
            lambda: {"b1": 1},
            "b1 belongs to row 1, whichever is visited first. Which row is y?",
        ),
        Mistake(
            "the seed of another row",
            lambda: {"b7": 0},
            "y is row 7 itself.",
        ),
    ),
    hints=(
        "Begin at the end: y is row 7. Then go up row by row.",
        "A row's adjoint has a term for each row that uses it: the user's adjoint "
        "times the user's slope with respect to the row.",
    ),
)

# --- a bug ----------------------------------------------------------------------------


def _tied_cost(X, V):
    Z = np.tanh(X @ V)  # N x M
    return np.sum((Z @ V.T - X) ** 2) / (2 * len(X))


def _tied(X, V):
    Q = X @ V  # N x M
    Z = np.tanh(Q)
    dR = (Z @ V.T - X) / len(X)  # N x D
    return dR.T @ Z + X.T @ (dR @ V * (1 - Z**2))  # D x M


tied_gradient = Exercise(
    name="tied_gradient",
    core=True,
    lecture="09",
    title="Find the bug: one matrix, used twice",
    witness=lambda X, V: grad(_tied_cost, argnum=1)(X, V),
    cases=lambda rng: [
        (rng.normal(size=(n, d)), rng.normal(size=(d, m)))
        for n, d, m in ((5, 3, 2), (4, 4, 4), (3, 2, 5), (1, 3, 1))
    ],
    batch=lambda X, V: len(X),
    rows=("X",),
    mistakes=(
        Mistake(
            "overwrote instead of added at the fork",
            edited(_tied, "dR.T @ Z + → "),
            "V is used in two rows, and each of them contributes a share to dV.",
        ),
        Mistake(
            "the path through Q is left out",
            edited(_tied, "Z + X.T @ (dR @ V * (1 - Z**2)) → Z"),
            "V is used in two rows, and each of them contributes a share to dV.",
        ),
        Mistake(
            "the slope of the logistic function",
            edited(_tied, "1 - Z**2 → Z * (1 - Z)"),
            "These hidden units are tanh.",
        ),
        Mistake(
            "used q where z belongs",
            edited(_tied, "1 - Z**2 → 1 - Q**2"),
            "The slope of tanh is written with z, its value.",
        ),
        Mistake(
            "one share is transposed",
            edited(_tied, "dR.T @ Z → Z.T @ dR"),
            "Both shares are D x M, like V: write down the shapes of their factors.",
        ),
        Mistake(
            "the two shares, not their sum",
            edited(_tied, "Z + X.T → Z, X.T"),
            "There is one V, and one dV. What happens to shares that meet?",
        ),
    ),
    hints=(
        "Where is V read, in the two lines that compute the cost? And where is dV set?",
        "What does the second assignment to dV do to the result of the first?",
    ),
)

# --- the loop -------------------------------------------------------------------------

_SLOPES = {
    "input": lambda: (),
    "add": lambda a, b: (1.0, 1.0),
    "subtract": lambda a, b: (1.0, -1.0),
    "multiply": lambda a, b: (b, a),
    "sin": lambda a: (np.cos(a),),
    "exp": lambda a: (np.exp(a),),
}


def _added_by_paths(rows: list, a: list, of: int) -> list:
    """Each adjoint on its own: the sum over all paths from its row to row `of`."""

    def by(row: int, k: int) -> float:
        if row == k:
            return 1.0
        name, *operands = rows[row - 1]
        slopes = _SLOPES[name](*[a[j - 1] for j in operands])
        return sum(
            s * by(j, k) for j, s in zip(operands, slopes, strict=True) if j >= k
        )

    return [float(by(of, k)) for k in range(1, len(rows) + 1)]


def _walked_down(rows: list, a: list, of: int) -> list:
    bar = [0.0] * len(rows)
    bar[of - 1] = 1.0
    for row in reversed(range(1, len(rows) + 1)):
        name, *operands = rows[row - 1]
        slopes = _SLOPES[name](*[a[j - 1] for j in operands])
        for j, slope in zip(operands, slopes, strict=True):
            bar[j - 1] += bar[row - 1] * slope
    return bar


def _depth_first(rows, a, of) -> list:
    bar = [0.0] * len(rows)
    bar[of - 1] = 1.0

    def visit(row: int) -> None:
        name, *operands = rows[row - 1]
        slopes = _SLOPES[name](*[a[j - 1] for j in operands])
        for j, slope in zip(operands, slopes, strict=True):
            bar[j - 1] += bar[row - 1] * slope
            visit(j)

    visit(of)
    return bar


def _from_a_list(end: int):
    """The rows to visit wait in a list, and a row may wait in it twice."""
    return edited(
        _depth_first,
        f"def visit(row: int) -> None: → while todo:\n        row = todo.pop({end})",
        "bar[of - 1] = 1.0 → bar[of - 1], todo = 1.0, [of]",
        "visit(j) → todo.append(j)",
        "    visit(of)\n → ",
    )


def _walked_up(rows, a, of) -> list:
    dot: list = []
    for name, *operands in rows:
        slopes = _SLOPES[name](*[a[j - 1] for j in operands])
        shares = [s * dot[j - 1] for j, s in zip(operands, slopes, strict=True)]
        dot.append(sum(shares) if operands else float(not dot))
    return dot


def _loop_cases(rng: np.random.Generator) -> list[tuple]:
    model = [("multiply", 2, 3), ("add", 4, 1), ("sin", 5), ("exp", 5)]
    lists = [
        (3, model, 7),
        (3, model, 6),
        (3, model, 5),
        (1, [("multiply", 1, 1), ("multiply", 2, 1), ("subtract", 3, 2)], 4),
        (2, [("subtract", 1, 2), ("sin", 3), ("multiply", 4, 3), ("add", 5, 1)], 6),
        (1, [("sin", 1), ("input",), ("multiply", 2, 3)], 4),
        (1, [("sin", 1), ("subtract", 2, 2), ("add", 3, 1)], 4),
    ]
    cases = []
    for inputs, operations, of in lists:
        a = list(map(float, rng.uniform(0.3, 1.2, inputs)))
        for name, *operands in operations:
            computed = rng.uniform if name == "input" else getattr(np, name)
            a.append(float(computed(*[a[j - 1] for j in operands])))
        cases.append(([("input",)] * inputs + operations, a, of))
    return cases


adjoints_downwards = Exercise(
    name="adjoints_downwards",
    core=True,
    lecture="09",
    title="Reverse mode in ten lines",
    witness=_added_by_paths,
    cases=_loop_cases,
    mistakes=(
        Mistake(
            "the values of the rows after",
            edited(_walked_down, "a[j - 1] for → a[j % len(a)] for"),
            "Row 1 has its value in a[0].",
        ),
        Mistake(
            "the numbers of rows, not their values",
            edited(_walked_down, "*[a[j - 1] for j in operands] → *operands"),
            "A rule takes the operands' values. Where are these?",
        ),
        Mistake(
            "the slope is taken at the result",
            edited(_walked_down, "a[j - 1] for → a[row - 1] for"),
            "A rule takes the values of the operands.",
        ),
        Mistake(
            "one slope for a row that is both operands",
            edited(
                _walked_down,
                "bar[row - 1] * slope → bar[row - 1] * slopes[operands.index(j)]",
            ),
            "In a3 = a2 - a2 both operands are row 2. What is the slope of each?",
        ),
        Mistake(
            "the last row is seeded, whatever was asked for",
            edited(_walked_down, "bar[of - 1] → bar[-1]"),
            "Which row is the output? See the last argument.",
        ),
        *(
            Mistake(
                "passed on before all users have been visited",
                visits,
                "A row may pass on its adjoint once all of its users have been visited.",
            )
            for visits in (_depth_first, _from_a_list(0), _from_a_list(-1))
        ),
        *(
            Mistake(
                "the adjoint from above is left out",
                edited(_walked_down, "bar[row - 1] * slope → slope", *more),
                "A share is the slope times the adjoint of the row that passes it on.",
            )
            for more in ((), ("range(1, len(rows) + 1) → range(1, of + 1)",))
        ),
        Mistake(
            "overwritten instead of added",
            edited(
                _walked_down, "+= → =", "range(1, len(rows) + 1) → range(1, of + 1)"
            ),
            "When a second share arrives, what happens to the first?",
        ),
        Mistake(
            "the seed is one row off",
            edited(
                _walked_down,
                "[0.0] * len(rows) → [0.0] * (len(rows) + 1)",
                "bar[of - 1] → bar[of]",
                "return bar → return bar[:-1]",
            ),
            "Rows are counted from 1, Python's lists from 0.",
        ),
        Mistake(
            "tangents, not adjoints",
            _walked_up,
            "Which way does an adjoint go, up or down the list?",
        ),
        Mistake(
            "the seed is missing",
            edited(_walked_down, "of - 1] = 1.0 → of - 1] = 0.0"),
            "If every adjoint begins at 0, what is there to pass on?",
        ),
    ),
    hints=(
        "A list of zeros, a 1 at row `of`, then the rows from the last to the first.",
        "The slopes of a row belong to its operands one by one: zip goes through both.",
    ),
)

# --- softmax and logsumexp ------------------------------------------------------------


def _vjps(U, G, g) -> tuple:
    return vjp(softmax, U)[1](G)[0], vjp(logsumexp, U)[1](g)[0]


def _by_rows(U, G, g) -> tuple:
    P = softmax(U)
    mean = np.sum(P * G, axis=1, keepdims=True)
    return P * (G - mean), P * g[:, None]


rowwise_vjps = Exercise(
    name="rowwise_vjps",
    lecture="09",
    title="Back through softmax and logsumexp",
    witness=_vjps,
    parts=("through softmax", "through logsumexp"),
    cases=lambda rng: [
        (shift + rng.normal(size=(n, c)), rng.normal(size=(n, c)), rng.normal(size=n))
        for n, c, shift in ((4, 3, 0), (3, 3, 0), (1, 5, 0), (2, 3, 1000))
    ],
    mistakes=(
        Mistake(
            "the exponential overflows",
            edited(
                _by_rows,
                "softmax(U) → np.exp(U) / np.exp(U).sum(axis=1, keepdims=True)",
            ),
            "With scores of a thousand np.exp returns inf. The package's softmax is safe.",
        ),
        Mistake(
            "the diagonal alone",
            edited(_by_rows, "(G - mean) → (1 - P) * G"),
            "Every probability of a row depends on every score of that row.",
        ),
        Mistake(
            "p is subtracted, not the row's average",
            edited(_by_rows, "(G - mean) → (P - G)"),
            "What is subtracted from g is one number for each row.",
        ),
        Mistake(
            "softmax's slope, where logsumexp's belongs",
            edited(_by_rows, "P * g → P * (1 - P) * g"),
            "How does logsumexp change when one score grows a little?",
        ),
        Mistake(
            "every score gets all of g",
            edited(_by_rows, "P * g → np.ones_like(P) * g"),
            "Take two scores, a large and a small one: which of them moves ℓ more?",
        ),
        Mistake(
            "the slope of the logarithm alone",
            edited(
                _by_rows, "P * g → np.ones_like(P) / np.exp(logsumexp(U))[:, None] * g"
            ),
            "The argument of the logarithm moves with the score too: how fast?",
        ),
        Mistake(
            "not normalized",
            edited(_by_rows, "P * g → np.exp(U) * g"),
            "The slope of the logarithm is missing: one over its argument.",
        ),
    ),
    hints=(
        "One row first: the Jacobian of softmax is diag(p) - p p', and it is symmetric. "
        "Multiply it by g before you think of N rows.",
        "The derivative of logsumexp with respect to u is softmax(u), in each row.",
    ),
)

# --- broadcasting ---------------------------------------------------------------------


def _stretched(shape: tuple) -> tuple:
    return tuple(k for k, n in enumerate(shape) if n == 1)


def _summed(g: np.ndarray, shape: tuple) -> np.ndarray:
    while g.ndim > len(shape):
        g = np.sum(g, axis=0)
    return np.sum(g, axis=_stretched(shape), keepdims=True)


undo_broadcasting = Exercise(
    name="undo_broadcasting",
    lecture="09",
    title="Broadcasting, undone",
    witness=lambda g, shape: vjp(lambda x: x + 0 * g, np.zeros(shape))[1](g)[0],
    cases=lambda rng: [
        (rng.normal(size=whole), part)
        for whole, part in (
            ((4, 3), (3,)),
            ((4, 3), (4, 1)),
            ((3, 3), (3, 1)),
            ((3, 3), (1, 3)),
            ((2, 4, 3), (4, 1)),
            ((4, 3, 3), (1, 1, 3)),
            ((2, 3), ()),
            ((3, 2), (3, 2)),
        )
    ],
    mistakes=(
        Mistake(
            "the mean instead of the sum",
            edited(_summed, "np.sum → np.mean"),
            "Each copy has its share, and shares add.",
        ),
        Mistake(
            "the share of one copy alone",
            lambda g, shape: g[(0,) * (g.ndim - len(shape))][
                tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)
            ],
            "The number was used in many places, and each has its share.",
        ),
        Mistake(
            "the last axes are summed away",
            edited(_summed, "axis=0 → axis=-1"),
            "New axes come in front: which axes of g have no counterpart in shape?",
        ),
        Mistake(
            "one new axis alone",
            edited(_summed, "while → if", "(shape), → (shape)[: g.ndim],"),
            "There may be more than one new axis, as from () to (2, 3).",
        ),
        Mistake(
            "copies are cut into the shape, not added",
            lambda g, shape: g.reshape(shape),
            "Each copy has its share, and shares add: none may be lost.",
        ),
        Mistake(
            "new axes alone",
            edited(_summed, "np.sum(g, axis=_stretched(shape), keepdims=True) → g"),
            "Axes of length 1 were stretched as well.",
        ),
        Mistake(
            "stretched axes alone",
            lambda g, shape: np.sum(
                g,
                axis=tuple(g.ndim - len(shape) + k for k in _stretched(shape)),
                keepdims=True,
            ),
            "NumPy also puts new axes in front where the operand has too few.",
        ),
        Mistake(
            "nothing is undone",
            lambda g, shape: g,
            "The operand was smaller than the result, and so is its adjoint.",
        ),
        Mistake(
            "summed over everything",
            lambda g, shape: np.broadcast_to(np.sum(g), shape),
            "Only over the axes along which copies were made.",
        ),
    ),
    hints=(
        "NumPy stretches in two ways: it puts new axes in front, and it repeats along "
        "axes of length 1.",
        "First sum over the new axes in front; then over those where shape has a 1, "
        "keeping them.",
    ),
)

# --- a new primitive ------------------------------------------------------------------


def _energy(x: np.ndarray) -> np.ndarray:
    return np.cumsum(x**2)


def _rules_by_differences() -> tuple:
    """Both rules from the whole Jacobian; of squares the central difference is exact."""

    def table(x):
        columns = [(_energy(x + e / 2) - _energy(x - e / 2)) for e in np.eye(len(x))]
        return np.array(columns).T  # K x K

    return lambda t, y, x: table(x) @ t, lambda g, y, x: g @ table(x)


def _both_rules(answer, x: np.ndarray, t: np.ndarray, g: np.ndarray) -> dict:
    """What the two rules return: if both are right, each is the other's transpose."""
    jvp_rule, vjp_rule = answer()
    found: dict = {}
    for name, rule, direction in (("jvp", jvp_rule, t), ("vjp", vjp_rule, g)):
        try:
            found[name] = rule(direction, _energy(x), x)
        except NotImplementedError:  # the other may be there
            found[name] = ...
    return found


def _forward_rule(rule):
    return lambda: (rule, _rules_by_differences()[1])


def _reverse_rule(rule):
    return lambda: (_rules_by_differences()[0], rule)


def _from_the_end(g: np.ndarray) -> np.ndarray:
    return np.cumsum(g[::-1])[::-1]


running_energy_rules = Exercise(
    name="running_energy_rules",
    lecture="09",
    title="A primitive of your own",
    witness=_rules_by_differences,
    cases=lambda rng: [
        (*(rng.uniform(0.5, 1.5, n) * rng.choice([-1, 1], n) for _ in range(3)),)
        for n in (2, 5, 1, 4)
    ],
    use=_both_rules,
    mistakes=(
        Mistake(
            "the way back sums in the forward direction",
            _reverse_rule(lambda g, y, x: 2 * x * np.cumsum(g)),
            "Which of the y depend on x_k? Those before it or those after it?",
        ),
        Mistake(
            "the sum starts one too late",
            _reverse_rule(lambda g, y, x: 2 * x * (np.sum(g) - np.cumsum(g))),
            "The sum over the users of x_k begins at y_k itself.",
        ),
        Mistake(
            "every y uses every x",
            _reverse_rule(lambda g, y, x: 2 * x * np.sum(g)),
            "The first outputs have never seen the last inputs.",
        ),
        Mistake(
            "the slope 2x is inside the sum",
            _reverse_rule(lambda g, y, x: _from_the_end(2 * x * g)),
            "x_k has one slope, 2 x_k, whichever y uses it: it belongs in front of the sum.",
        ),
        Mistake(
            "the sum over the users is missing",
            _reverse_rule(lambda g, y, x: 2 * x * g),
            "x_k is used in more than one y.",
        ),
        Mistake(
            "the slope 2x is outside the sum",
            _forward_rule(lambda t, y, x: 2 * x * np.cumsum(t)),
            "Each x_j moves by its own t_j, with its own slope 2 x_j.",
        ),
        Mistake(
            "each x_j is left out of its own y_j",
            _forward_rule(lambda t, y, x: np.cumsum(2 * x * t) - 2 * x * t),
            "y_k depends on x_k: up to and including k.",
        ),
        Mistake(
            "the other mode's rule",
            lambda: _rules_by_differences()[::-1],
            "The first of the two takes a tangent, the second an adjoint.",
        ),
        Mistake(
            "not reversed back",
            _reverse_rule(lambda g, y, x: 2 * x * np.cumsum(g[::-1])),
            "What was reversed before the sum has to be reversed back after it.",
        ),
        Mistake(
            "the running sum is missing",
            _forward_rule(lambda t, y, x: 2 * x * t),
            "y_k moves with every x_j up to k.",
        ),
        Mistake(
            "the operation itself, on the tangent",
            _forward_rule(lambda t, y, x: np.cumsum(t**2)),
            "A tangent goes through slopes: the rule must be linear in t.",
        ),
    ),
    hints=(
        "Write the Jacobian for three numbers: row k is the output y_k, column j the "
        "input x_j. Which half of it is zero?",
        "jvp is that matrix times t, vjp is its transpose times g. Summing from the end: "
        "reverse the array, sum, reverse it back.",
    ),
)

EXERCISES = (
    adjoints_of_the_swing,
    tied_gradient,
    adjoints_downwards,
    rowwise_vjps,
    undo_broadcasting,
    running_energy_rules,
)

"""Lecture 08: tangents, dual numbers, and the derivative along a direction (S12, S13)."""

import re
from typing import Any

import numpy as np

from ...autodiff.trace import forward, record
from ..exercise import WITNESSES, Exercise, Mistake, edited
from ..formulas import formulas


def _tangents_as_t(given: Any) -> Any:
    """An answer in the letters of the question: many people write d4 for the tangent of a4."""
    if isinstance(given, dict):
        return {_tangents_as_t(key): _tangents_as_t(it) for key, it in given.items()}
    return re.sub(r"\bd(?=\d\b)", "t", given) if isinstance(given, str) else given


# --- a table of tangents --------------------------------------------------------------


def swing(w, x):
    """Seven rows, in two of which x is used; lecture 09 walks back through them."""
    return x * np.sin(w * x) - np.cos(x)


def of_rows(passed, letter: str) -> dict:
    """The rows' values by their names, and their derivatives by a letter and their number."""
    values = {row.node.label: row.node.value for row in passed.rows}
    return values | {f"{letter}{row.node.index}": row.derivative for row in passed.rows}


def _swing_table(answer, w: float, x: float) -> dict:
    known = of_rows(forward(record(swing, w, x), wrt="x"), "t")
    return formulas(lambda: _tangents_as_t(answer()), {"w": w, "x": x} | known)


# What people write who walk the other way: with the rows' names, or evaluated.
_ADJOINTS = (
    *(
        ("a2 * t3", f"a1 * t3 + a4 * t5 {down} * sin(a2)", "t4 * cos(a3)", "a2 * t5")
        + ("t7", "-t7", 1)
        for down in ("- t6", "+ t7")
    ),
    ("a2 * t3", "a1 * t3 + a4 + sin(a2)", "t4 * cos(a3)", "a2", 1, -1, 1),
    ("a2 * a2 * cos(a3)", "a1 * a2 * cos(a3) + a4 + sin(a2)", "a2 * cos(a3)")
    + ("a2", 1, -1, 1),
)


def of_the_machine(key: str):
    """An entry of a table of formulas that agrees with what forward mode returns."""
    return lambda **values: values[key]


tangents_of_the_swing = Exercise(
    name="tangents_of_the_swing",
    core=True,
    lecture="08",
    title="A table of tangents",
    witness=lambda: {f"t{k}": of_the_machine(f"t{k}") for k in range(1, 8)},
    cases=lambda rng: [(0.7, 1.3), *map(tuple, rng.uniform(0.4, 1.4, (2, 2)).tolist())],
    use=_swing_table,
    secret=True,
    mistakes=(
        *(
            Mistake(
                "not the seeds of x",
                lambda t3=t3: {"t1": 1, "t2": 0, "t3": t3, "t6": 0},
                "x moves, at speed 1. w stands still.",
            )
            for t3 in ("a2", "a2 * t1")
        ),
        *(
            Mistake(
                "adjoints, not tangents",
                lambda written=written: {f"t{k}": d for k, d in enumerate(written, 1)},
                "Which end is held fixed, and which moves? Here x moves, and the rows respond.",
            )
            for written in _ADJOINTS
        ),
        Mistake(
            "the slope is taken at the result",
            lambda: {"t4": "t3 * cos(a4)", "t6": "-t2 * sin(a6)"},
            "The slope of the sine is taken at the value of its operand.",
        ),
        Mistake(
            "w moves as well",
            lambda: {"t3": "a1 + a2"},
            "In this pass w is a constant: it stands still.",
        ),
        Mistake(
            "the product rule is left out",
            lambda: {"t3": "t1 * t2", "t5": "t2 * t4"},
            "The derivative of a product is a sum of two terms.",
        ),
        Mistake(
            "the slope is taken at the tangent",
            lambda: {"t4": "cos(t3)", "t6": "-sin(t2)"},
            "The slope of the sine is taken at the operand's value, not at its tangent.",
        ),
    ),
    hints=(
        "The seeds say that x moves at speed 1. Then go row by row.",
        "A row's tangent: for each operand, the slope times its tangent; add these.",
    ),
)

# --- one dot is wrong -----------------------------------------------------------------


def _growth(u, v):
    return u * np.log(1.0 + u * v)


def _row_and_formula(answer, u: float, v: float) -> dict:
    """A row's name, and a formula that is evaluated at this point."""
    given = dict(_tangents_as_t(answer()))
    if "formula" in given:
        entry = {"formula": given["formula"]}
        known = of_rows(forward(record(_growth, u, v), wrt="u"), "t")
        given |= formulas(lambda: entry, known)
    return given


wrong_dot = Exercise(
    name="wrong_dot",
    lecture="08",
    title="Find the erratum: one dot of six",
    witness=lambda: {"row": "t5", "formula": of_the_machine("t5")},
    cases=lambda rng: [
        (2.0, 0.75),
        tuple(rng.uniform(0.5, 2.0, 2).tolist()),
    ],
    use=_row_and_formula,
    secret=True,
    derived=("formula",),
    mistakes=(
        Mistake(
            "that row's rule is right",
            lambda: {"row": "t6"},
            "Its number is wrong, but its rule is right: look at what it was given.",
        ),
        *(
            Mistake(
                "that row's rule is right",
                lambda row=row: {"row": row},
                "Move u a little to both sides, and see how far each row moves.",
            )
            for row in ("t1", "t2", "t3", "t4")
        ),
        Mistake(
            "a row's name, not its tangent's",
            lambda: {"row": "a5"},
            "The wrong rule is that of a tangent: t1 to t6.",
        ),
        Mistake(
            "as it stands in the table",
            lambda: {"formula": "t4 / a3"},
            "The slope of a logarithm is one over its argument.",
        ),
        Mistake(
            "the slope without the operand's tangent",
            lambda: {"formula": "1 / a4"},
            "That is the slope of the logarithm. How fast does its operand move?",
        ),
        Mistake(
            "one over the logarithm itself",
            lambda: {"formula": "t4 / a5"},
            "One over the argument of the logarithm, not over its value.",
        ),
        Mistake(
            "a logarithm of the tangent",
            lambda: {"formula": "log(t4)"},
            "Tangents go through slopes, not through the operation itself.",
        ),
    ),
    hints=(
        "The table gives rules and numbers. Check each rule against its row's operation.",
        "Only one rule is wrong; the numbers in the rows below it, which use it, are off as well.",
    ),
)

# --- a pass over given rows -----------------------------------------------------------


def _solved(rows: dict, seeds: dict) -> list:
    """All tangents at once, as the solution of one system of linear equations."""
    place = {row: k for k, row in enumerate(rows)}
    slopes = np.zeros((len(rows), len(rows)))
    for row, operands in rows.items():
        for j, slope in operands:
            slopes[place[row], place[j]] += slope
    right_side = np.array([seeds.get(row, 0.0) for row in rows])
    return list(np.linalg.solve(np.eye(len(rows)) - slopes, right_side))


def _walked_up(rows: dict, seeds: dict) -> list:
    tangent: dict = {}
    for row, operands in rows.items():
        shares = [slope * tangent[j] for j, slope in operands]
        tangent[row] = sum(shares) if operands else seeds.get(row, 0.0)
    return list(tangent.values())


def _walked_back(rows: dict, seeds: dict) -> list:
    adjoint = dict.fromkeys(rows, 0.0)
    adjoint[max(rows)] = 1.0
    for row in sorted(rows, reverse=True):
        for j, slope in rows[row]:
            adjoint[j] += slope * adjoint[row]
    return list(adjoint.values())


def _rows_cases(rng: np.random.Generator) -> list[tuple]:
    def slope() -> float:
        return float(rng.uniform(0.5, 2.0) * rng.choice([-1, 1]))

    def case(inputs, operands, seeds):
        rows: dict = {k: [] for k in range(1, inputs + 1)}
        for row, numbers in enumerate(operands, inputs + 1):
            rows[row] = [(j, slope()) for j in numbers]
        return rows, {k: slope() for k in seeds}

    later = [[k - 1, int(rng.integers(1, k))] for k in range(4, 9)]
    return [
        case(3, [(2, 3), (4, 1), (5,), (5,)], [2]),
        case(1, [(1,), (2,)], [1]),
        case(2, [(1, 2), (3, 3), (4, 1)], [1, 2]),
        case(3, [(1, 2), (4, 4), *later], [1, 3]),
    ]


tangents_upwards = Exercise(
    name="tangents_upwards",
    core=True,
    lecture="08",
    title="Forward mode in a few lines",
    witness=_solved,
    cases=_rows_cases,
    mistakes=(
        Mistake(
            "multiplied where the terms are added",
            edited(_walked_up, "sum(shares) → np.prod(shares)"),
            "Multiply along a path; add where paths meet.",
        ),
        Mistake(
            "an operand that is used twice is counted once",
            edited(_walked_up, "in operands] → in dict(operands).items()]"),
            "x * x has two edges to the same row; a dict keeps one of them.",
        ),
        Mistake(
            "only one operand of each row",
            edited(_walked_up, "sum(shares) → shares[0]"),
            "How many edges come into the row? Is there a `return` or a slice in the way?",
        ),
        Mistake(
            "adjoints, not tangents",
            _walked_back,
            "Which way does a tangent go, up or down the list?",
        ),
        Mistake(
            "every seed is 1",
            edited(_walked_up, "seeds.get(row, 0.0) → float(row in seeds)"),
            "A seed is the speed of an input, and it says how large it is.",
        ),
        Mistake(
            "every input moves",
            edited(_walked_up, "seeds.get(row, 0.0) → seeds.get(row, 1.0)"),
            "An input without a seed stands still.",
        ),
    ),
    hints=(
        "Go from the first row on; inputs are the rows without operands.",
        "For a row: start at 0, and for each (operand, slope) add slope times the "
        "tangent found for that operand.",
    ),
)

# --- dual numbers ---------------------------------------------------------------------


class _Matrix:
    """A dual number as the matrix [[a, a'], [0, a]]: matrix algebra implies the rules."""

    def __init__(self, value, tangent=0.0):
        self.matrix = np.array([[value, tangent], [0.0, value]], float)

    value = property(lambda self: self.matrix[0, 0])
    tangent = property(lambda self: self.matrix[0, 1])

    def _like(self, matrix: np.ndarray) -> "_Matrix":
        return type(self)(matrix[0, 0], matrix[0, 1])

    def __add__(self, b):
        return self._like(self.matrix + b.matrix)

    def __mul__(self, b):
        return self._like(self.matrix @ b.matrix)

    def __sub__(self, b):
        return self._like(self.matrix - b.matrix)

    def __truediv__(self, b):
        return self._like(self.matrix @ np.linalg.inv(b.matrix))

    def exp(self):
        total, term = np.eye(2), np.eye(2)
        for k in range(1, 40):
            term = term @ self.matrix / k
            total = total + term
        return self._like(total)


def _rule(operation: str, value, tangent) -> type:
    """Dual numbers with one rule replaced: the value and tangent of an operation."""

    def own(a, *b):
        return type(a)(value(a, *b), tangent(a, *b))

    return type("Dual", (_Matrix,), {operation: own})


def _in_place(a: _Matrix, b: _Matrix) -> _Matrix:
    a.matrix = a.matrix - b.matrix
    return a


def _quotient(tangent) -> type:
    return _rule("__truediv__", lambda a, b: a.value / b.value, tangent)


def _exponential(tangent) -> type:
    return _rule("exp", lambda a: np.exp(a.value), tangent)


_OPERATIONS = {
    "a - b": lambda a, b: a - b,
    "a / b": lambda a, b: a / b,
    "exp(a)": lambda a, b: np.exp(a),
}


def _tried_out(answer, a: float, a_moves: float, b: float, b_moves: float) -> dict:
    """The value and the tangent of three operations, and of a program that has them all."""

    def program(a, b):
        return np.exp(a * b) / (a - b) + a

    found: dict = {}
    for text, operation in (_OPERATIONS | {"the program": program}).items():
        try:
            result = operation(answer(a, a_moves), answer(b, b_moves))
        except NotImplementedError:  # not written yet, the others may be
            found |= {f"value of {text}": ..., f"tangent of {text}": ...}
        else:
            found |= {
                f"value of {text}": getattr(result, "value", result),
                f"tangent of {text}": getattr(result, "tangent", None),
            }
    return found


Dual = Exercise(
    name="Dual",
    lecture="08",
    title="Dual numbers learn three operations",
    witness=_Matrix,
    use=_tried_out,
    derived=("value of the program", "tangent of the program"),
    cases=lambda rng: [
        (0.5, 1.0, 2.0, 0.0),
        (0.5, 0.0, 2.0, 1.0),
        tuple(map(float, (*rng.uniform(0.3, 0.8, 2), *rng.uniform(1.2, 1.9, 2)))),
    ],
    mistakes=(
        Mistake(
            "an operand is changed on the way",
            type("Dual", (_Matrix,), {"__sub__": _in_place}),
            "The operands are needed again: make a new Dual for the result.",
        ),
        Mistake(
            "the tangents are divided",
            _quotient(lambda a, b: a.tangent / b.tangent if b.tangent else 0.0),
            "A quotient has its own rule, as a product does.",
        ),
        Mistake(
            "the square in the denominator is missing",
            _quotient(
                lambda a, b: (a.tangent * b.value - a.value * b.tangent) / b.value
            ),
            "Try a = 1: how does 1 / b change with b?",
        ),
        Mistake(
            "the denominator is treated as a constant",
            _quotient(lambda a, b: a.tangent / b.value),
            "The denominator may move as well.",
        ),
        Mistake(
            "the exponential of the tangent",
            _exponential(lambda a: np.exp(a.tangent)),
            "The slope of the exponential, at the value, times the tangent.",
        ),
        Mistake(
            "the power rule for an exponential",
            _exponential(lambda a: a.value * np.exp(a.value - 1) * a.tangent),
            "In e to the a it is the exponent that moves, not the base.",
        ),
    ),
    hints=(
        "Each result is a Dual(value, tangent): the value as always, then the rule.",
        "If q = a / b, then a = q b: use the product rule, and solve for the tangent "
        "of q.",
    ),
)

# --- along a direction ----------------------------------------------------------------


def bowl(p):
    """A function to walk on; without a leading underscore, so that answers may call it."""
    return np.sum(p**2) + p[0] * p[-1]


def ripples(p):
    return np.sin(p[0]) * np.exp(p[-1] / 2)


def ridge(p):
    return np.exp(-np.sum(p * p) / 4) + np.cos(p[0])


def _by_a_complex_step(f, p: np.ndarray, v: np.ndarray) -> float:
    """The imaginary part of f after a tiny imaginary step: exact, and needs no rules."""
    unit = v / np.sqrt(np.sum(v * v))
    return float(np.imag(f(p + 1e-30j * unit)) / 1e-30)


def _gradient_by_steps(f, p: np.ndarray) -> np.ndarray:
    return np.array([_by_a_complex_step(f, p, e) for e in np.eye(len(p))])


def _walks(rng: np.random.Generator) -> list[tuple]:
    def point(n):
        return rng.uniform(0.3, 1.2, n)

    return [
        (bowl, np.array([1.0, 2.0]), np.array([3.0, 4.0])),
        (ripples, point(2), np.array([0.0, -0.5])),
        (ridge, point(3), point(3) + 0.5),
        (bowl, point(4), -point(4) - 0.5),
    ]


slope_along = Exercise(
    name="slope_along",
    lecture="08",
    title="How steep is it in that direction?",
    witness=_by_a_complex_step,
    cases=_walks,
    forbidden=(
        *(name for name in WITNESSES if not name.endswith((".autodiff.", ".tasks."))),
        "comp551ad.exercises.tasks.lecture_08._",
    ),
    mistakes=(
        Mistake(
            "a walk of length |v|, not of length 1",
            edited(_by_a_complex_step, " / np.sqrt(np.sum(v * v)) → "),
            "A direction twice as long is not twice as steep. What has length 1?",
        ),
        Mistake(
            "divided by the length twice",
            edited(_by_a_complex_step, "np.sqrt(np.sum(v * v)) → np.sum(v * v)"),
            "The direction or the result is divided, not both; and v @ v is the length "
            "squared.",
        ),
        *(
            Mistake(
                "a length other than the root of the sum of squares",
                edited(_by_a_complex_step, f"np.sqrt(np.sum(v * v)) → {length}"),
                "How far is it from (0, 0) to (3, 4)?",
            )
            for length in ("np.sum(abs(v))", "np.max(abs(v))", "np.sum(v)", "len(v)")
        ),
        Mistake(
            "the whole way in one step",
            lambda f, p, v: (f(p + v) - f(p)) / np.linalg.norm(v),
            "How steep is it here, before the ground bends? A tangent needs no step.",
        ),
        Mistake(
            "steepness without its sign",
            lambda f, p, v: abs(_by_a_complex_step(f, p, v)),
            "Downhill is negative.",
        ),
        Mistake(
            "the steepest direction, not this one",
            lambda f, p, v: np.linalg.norm(_gradient_by_steps(f, p)),
            "Along v it may be less steep, or go down.",
        ),
        Mistake(
            "value and tangent together",
            lambda f, p, v: (f(p), _by_a_complex_step(f, p, v)),
            "jvp returns two things, and the question asks for one of them.",
        ),
        Mistake(
            "the whole gradient",
            lambda f, p, v: _gradient_by_steps(f, p),
            "One number is expected: how steep it is along v.",
        ),
        *(
            Mistake(
                "point and direction are swapped",
                edited(_by_a_complex_step, f"p + 1e-30j * unit → {moved}"),
                "First where we are, then where we go; each in a tuple.",
            )
            for moved in ("v + 1e-30j * p / np.linalg.norm(v)", "unit + 1e-30j * p")
        ),
    ),
    hints=(
        "jvp(f, (p,), (v,)) returns the value at p and its speed when p moves at speed v.",
        "If v is three long, the speed is three times too large.",
    ),
)

EXERCISES = (tangents_of_the_swing, wrong_dot, tangents_upwards, Dual, slope_along)

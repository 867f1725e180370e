"""Lecture 02: derivatives, Jacobians and the chain rule (S03, S04)."""

import numpy as np

from ...autodiff.jacobians import jacobian
from ...functions import softmax
from ..exercise import Exercise, Mistake
from ..formulas import formulas


def _polar(v: np.ndarray) -> np.ndarray:
    return np.stack([v[0] * np.cos(v[1]), v[0] * np.sin(v[1])])


def _polar_table(r: float, phi: float) -> np.ndarray:
    return jacobian(_polar)(np.array([r, phi]))


polar_jacobian = Exercise(
    name="polar_jacobian",
    lecture="02",
    title="A Jacobian of two by two",
    witness=_polar_table,
    cases=lambda rng: [(2.0, 0.5), (1.0, 0.0), (3.0, 4.0)],
    mistakes=(
        Mistake(
            "the factor r is missing",
            lambda r, phi: _polar_table(r, phi) / [1, r],
            "r multiplies the cosine and the sine: it stays when phi moves.",
        ),
        Mistake(
            "y before x",
            lambda r, phi: _polar_table(r, phi)[::-1],
            "The first row belongs to x.",
        ),
        Mistake(
            "the Jacobian of the inverse",
            lambda r, phi: np.linalg.inv(_polar_table(r, phi)),
            "Inputs are r and phi, outputs x and y: which of them do you move, and which respond?",
        ),
        Mistake(
            "the determinant",
            lambda r, phi: r,
            "Four derivatives are expected, in a table.",
        ),
        Mistake(
            "the minus sign belongs to the other sine",
            lambda r, phi: _polar_table(r, phi) * [[1, -1], [-1, 1]],
            "Near phi = 0, does y rise or fall when r grows? And x, when phi grows?",
        ),
        Mistake(
            "multiplied by phi",
            lambda r, phi: _polar_table(r, phi) * [1, phi],
            "The derivative of cos phi has no factor phi.",
        ),
        Mistake(
            "degrees for radians",
            lambda r, phi: _polar_table(r, np.deg2rad(phi)),
            "NumPy's sine takes radians, and the derivative of sin is cos only there.",
        ),
        Mistake(
            "phi before r",
            lambda r, phi: _polar_table(r, phi)[:, ::-1],
            "The first column belongs to r.",
        ),
        Mistake(
            "the factor r is kept where r moves",
            lambda r, phi: _polar_table(r, phi) * [r, 1],
            "The derivative of r c with respect to r is c.",
        ),
        Mistake(
            "the diagonal alone",
            lambda r, phi: np.diag(np.diag(_polar_table(r, phi))),
            "Both outputs depend on both inputs.",
        ),
    ),
    hints=(
        "Four derivatives: of x and of y, each with respect to r and to phi.",
        "In a column one input moves and the other is a constant.",
    ),
)

softmax_jacobian = Exercise(
    name="softmax_jacobian",
    core=True,
    lecture="02",
    title="The Jacobian of softmax",
    witness=lambda p: jacobian(softmax)(np.log(p)),
    cases=lambda rng: [
        (np.array([0.2, 0.3, 0.5]),),
        (np.array([0.25, 0.75]),),
        (np.array([0.1, 0.3, 0.2, 0.15, 0.25]),),
    ],
    mistakes=(
        Mistake(
            "the diagonal alone",
            lambda p: np.diag(p * (1 - p)),
            "All the probabilities share one sum: when one input grows, every other "
            "probability shrinks.",
        ),
        Mistake(
            "a vector, not a matrix",
            lambda p: p * (1 - p),
            "C outputs and C inputs have C times C derivatives.",
        ),
        Mistake(
            "the diagonal lacks its own -p p",
            lambda p: np.diag(p) - np.outer(p, p) * (1 - np.eye(len(p))),
            "On the diagonal, the numerator and the sum both move.",
        ),
        Mistake(
            "a plus off the diagonal",
            lambda p: np.diag(p) + np.outer(p, p) * (1 - 2 * np.eye(len(p))),
            "Rows must add up to 0, since the probabilities always add up to 1.",
        ),
        Mistake(
            "the derivative at p, not where softmax gives p",
            lambda p: jacobian(softmax)(p),
            "p is softmax's output. Write the Jacobian in terms of it.",
        ),
        Mistake(
            "a number where p_c p_k belongs",
            lambda p: np.diag(p) - p @ p,
            "p has one dimension, so p @ p.T is a single number. A matrix needs np.outer.",
        ),
        Mistake(
            "p p is subtracted twice on the diagonal",
            lambda p: np.diag(p) - np.outer(p, p) - np.diag(p * p),
            "On the diagonal: p_c (1 - p_c). Does that include the - p_c p_c already?",
        ),
        Mistake(
            "p_k is missing off the diagonal",
            lambda p: np.where(np.eye(len(p)), p * (1 - p), -p[:, None]),
            "When u_k grows, by how much does p_c shrink? Rows must add up to 0.",
        ),
        Mistake(
            "p_c is missing off the diagonal",
            lambda p: np.where(np.eye(len(p)), p * (1 - p), -p),
            "When u_k grows, by how much does p_c shrink? Rows must add up to 0.",
        ),
        *(
            Mistake(
                "one factor p, where there are two",
                table,
                "When u_k grows, by how much does p_c shrink? Try it with p_c near 0.",
            )
            for table in (
                lambda p: np.diag(p) - p,
                lambda p: np.diag(p) - p[:, None],
                lambda p: np.eye(len(p)) - p,
                lambda p: np.eye(len(p)) - p[:, None],
            )
        ),
        Mistake(
            "p is missing on the diagonal",
            lambda p: np.diag(1 - p) - np.outer(p, p) * (1 - np.eye(len(p))),
            "The derivative of exp(u_c) / S has exp(u_c) / S in it.",
        ),
        Mistake(
            "ones on the diagonal",
            lambda p: np.eye(len(p)) - np.outer(p, p),
            "The derivative of exp(u_c) / S has exp(u_c) / S in it, not 1.",
        ),
        Mistake(
            "the diagonal's rule everywhere",
            lambda p: np.outer(p, 1 - p),
            "p_c (1 - p_k) is right for c = k. For another k, is u_k in the numerator?",
        ),
    ),
    hints=(
        "Write p_c = exp(u_c) / S and use the quotient rule, once for c = k, once for c ≠ k.",
        "Both cases contain p_c p_k; one of them contains something more.",
    ),
)

sum_over_paths = Exercise(
    name="sum_over_paths",
    core=True,
    lecture="02",
    title="One term a path",
    witness=lambda: {
        "through u": "v * cos(x)",
        "through v": "u * 2 * v",
        "all": "v * cos(x) + u * 2 * v",
    },
    cases=lambda rng: [
        ({"x": x, "u": np.sin(x), "v": np.exp(2 * x)},) for x in rng.normal(size=3)
    ],
    use=formulas,
    secret=True,
    mistakes=(
        Mistake(
            "the factor from above is missing",
            lambda: {"through u": "cos(x)", "through v": "2 * v"},
            "A path has two edges here: the derivative of the product too.",
        ),
        Mistake(
            "the inner derivative is missing",
            lambda: {"through v": "u * v", "all": "v * cos(x) + u * v"},
            "v = exp(2x): what factor does the 2 contribute?",
        ),
        Mistake(
            "derivative of sin as - cos",
            lambda: {"through u": "-v * cos(x)", "all": "-v * cos(x) + u * 2 * v"},
            "The sine rises at 0.",
        ),
        Mistake(
            "one path alone",
            lambda: {"all": "v * cos(x)"},
            "x reaches f along two paths: add their terms.",
        ),
        Mistake(
            "paths multiplied",
            lambda: {"all": "v * cos(x) * u * 2 * v"},
            "Multiply along a path, add over the paths.",
        ),
        Mistake(
            "the wrong factor of the product",
            lambda: {"through u": "u * cos(x)", "through v": "v * 2 * v"},
            "f = u v: when u moves, what is it multiplied by?",
        ),
        Mistake(
            "the derivatives of u and v multiplied",
            lambda: {"all": "cos(x) * 2 * v"},
            "When u moves, v is a constant factor. What does each path contribute?",
        ),
        Mistake(
            "the two paths are swapped",
            lambda: {"through u": "u * 2 * v", "through v": "v * cos(x)"},
            "Through u: the path on which u moves and v doesn't.",
        ),
        Mistake(
            "the power rule for an exponential",
            lambda: {
                "through v": "u * 2 * x * exp(2 * x - 1)",
                "all": "v * cos(x) + u * 2 * x * exp(2 * x - 1)",
            },
            "In exp(2x) it is the exponent that moves: its derivative has the same power.",
        ),
        Mistake(
            "the exponent in place of its derivative",
            lambda: {"through v": "u * 2 * x * v", "all": "v * cos(x) + u * 2 * x * v"},
            "What is the derivative of 2 x?",
        ),
    ),
    hints=(
        "Draw x, u, v and f. Write its derivative on each of the four edges.",
        "Through u: (how f responds to u) times (how u responds to x).",
    ),
)

pull_back = Exercise(
    name="pull_back",
    core=True,
    lecture="02",
    title="The transpose that is easy to lose",
    witness=lambda jac, g: np.array([sum(column * g) for column in jac.T]),
    cases=lambda rng: [
        (rng.normal(size=(M, D)), rng.normal(size=M))
        for M, D in ((3, 3), (2, 4), (4, 1), (1, 3))
    ],
    rows=("jac", "g"),
    mistakes=(
        Mistake(
            "the transpose is missing",
            lambda jac, g: jac @ g,
            "With three inputs and three outputs it runs and is wrong. Try 2 and 4.",
        ),
        Mistake(
            "not added up over the outputs",
            lambda jac, g: jac * g[:, None],
            "Every output contributes to the input's slope: sum over the outputs.",
        ),
        Mistake(
            "the outputs' slopes are left out",
            lambda jac, g: jac.sum(axis=0),
            "g says how much L responds to each output.",
        ),
        Mistake(
            "added up over the inputs",
            lambda jac, g: (jac * g[:, None]).sum(axis=1),
            "A row of the Jacobian is one output: the sum should run over the rows.",
        ),
        Mistake(
            "g normalized to length 1",
            lambda jac, g: jac.T @ (g / np.linalg.norm(g)),
            "If all slopes of L are twice as large, how large is the result?",
        ),
        Mistake(
            "an inverse in place of the transpose",
            lambda jac, g: np.linalg.pinv(jac) @ g,
            "An inverse maps outputs back to inputs. Slopes go back by multiplication.",
        ),
    ),
    hints=(
        "Write the chain rule for one input x_d: a sum over the outputs m.",
        "In the sum over m, which index of the Jacobian runs?",
    ),
)

EXERCISES = (polar_jacobian, pull_back, sum_over_paths, softmax_jacobian)

"""Each solution is edited in every place, and the edits are submitted.

An edit that passes, and isn't an equivalent function, is a gap: a case is missing. `EQUAL` has
the edits that change nothing, by reason. Every edit that is rejected must be named.

    python tests/test_slips.py grad_W …     lists the edits that none of the exercise's own
                                            mistakes names: should one of them be added?
"""

import ast
import dataclasses
import sys

import numpy as np
import pytest

from comp551ad.exercises.catalogue import catalogue
from comp551ad.exercises.checking import judge
from comp551ad.exercises.slips import SLIPS, TooManyRounds, slips
from comp551ad.exercises.solutions import Solution, solution
from comp551ad.exercises.values import Raised, first_difference

# Exercise 10.4 accepts any list; 5.5 only checks the result of the training.
SEARCHED = [name for name, exercise in catalogue().items() if exercise.searched]

EQUAL = {
    # 1 and −1 are their own inverses.
    "twin": """W[order] * signs[:, None] → W[order] / signs[:, None]
        V[:, order] * signs → V[:, order] / signs""",
    # min is the same in either order.
    "saddle_signs": "min(D, C - 1) → min(C - 1, D)",
    # An array with one axis has no other axis, and is its own transpose.
    "pull_back": "jac.T @ g → jac.T @ g.T",
    "cost": "np.mean(losses) → np.mean(losses, axis=0); logsumexp(U) → logsumexp(U, axis=1)",
    "standard_error": "np.std(values, ddof=1) → np.std(values, ddof=1, axis=0)",
    # Softmax's Jacobian is symmetric.
    "softmax_half_square": """softmax(u) → softmax(u, axis=0)
        softmax(u) → softmax(u, axis=None)
        G @ (yh - y) → G.T @ (yh - y); G @ (yh - y) → G @ (yh - y).T
        G @ (yh - y) → G.T @ (yh - y).T; G @ (yh - y) → (yh - y) @ G""",
    # ReLU's result is above 0 where its operand is, and ReLU doesn't change it.
    "grad_V": "Q → Z",
    "biased_gradients": "X → Y",
    # These have as many rows as X, and only the number of rows is used.
    "gradients": "X → Y; X → Z",
    "tied_gradient": "X → Z",
    "mended": "X → Y; X → Q; X → Z",
    "normalize_backward": "Q → dR",
    # The order of these iterations doesn't matter, nor do initial values that are overwritten.
    "descent": "for _ in range(steps): reversed; range(steps) → reversed(range(steps))",
    "gradient_error": """for place in np.ndindex(w.shape): reversed; np.zeros → np.ones
        np.zeros(w.shape) → -np.zeros(w.shape)
        claim - slopes → slopes - claim; w → claim; w → slopes""",
    "complex_gradient": """for k, row in enumerate(np.eye(len(w))): reversed
        np.zeros → np.ones; w → slopes
        np.zeros(len(w)) → -np.zeros(len(w))""",
    "tangents_upwards": "for j, slope in operands: reversed",
    "adjoints_downwards": """rows → a; rows → adjoint
        for j, slope in zip(operands, slopes, strict=True): reversed
        range(len(rows)) → range(1, len(rows))""",
    "undo_broadcasting": """
        range(g.ndim - len(shape)) → reversed(range(g.ndim - len(shape)))""",
    "distinct_units": "range(len(W)) → reversed(range(len(W)))",
    # A product of two sizes; a row that is never used is dropped immediately either way.
    "chain_multiplications": """
        zip(sizes[:-1], sizes[1:], strict=True) → zip(sizes[1:], sizes[:-1], strict=True)""",
    "most_kept": "1 → 2; 0 → 1; 0 → -1; uses → last",
    # Speeds and adjoints that are 1 or 0 here.
    "tangents_of_the_swing": """'a2 * t1 + a1 * t2' → 'a1 * t2'
        'a2 * t1 + a1 * t2' → 't1 + a1 * t2'; 'a2 * t1 + a1 * t2' → 'a2 * t1 + a1'
        't2 * a4 + a2 * t4' → 'a4 + a2 * t4'
        'a2 * t1 + a1 * t2' → 'a2 * t1 + a1 / t2'""",
    "adjoints_of_the_swing": """'a2 * b5' → 'a2'; 'a2 * b5' → 'a2 / b5'
        'a1 * b3 + a4 * b5 - b6 * sin(a2)' → 'a1 * b3 + a4 - b6 * sin(a2)'
        'a1 * b3 + a4 * b5 - b6 * sin(a2)' → 'a1 * b3 + a4 / b5 - b6 * sin(a2)'""",
    # Within the factor of three, or the four digits, that the question allows.
    "best_step": "48 * tau → tau; 53 → 54; 53 → 52; 48 → 49; 48 → 47; 48 → 1",
    "hessian_times": "1e-05 → 2e-05; 1e-05 → 5e-06",
}


def equal(name):
    texts = EQUAL.get(name, "").replace("\n", ";").split(";")
    return {text.strip() for text in texts if text.strip()}


def edited(name):
    return slips(solution(name, catalogue()[name].lecture))


def passes(exercise, answer):
    for arguments, right in zip(exercise.all_cases, exercise.right, strict=True):
        given = exercise.outcome(answer, arguments)
        if isinstance(given, Raised):
            return False
        if first_difference(given, right, exercise.tolerance, exercise.parts):
            return False
    return True


@pytest.mark.parametrize("name", SEARCHED)
def test_an_edit_that_passes_is_an_equal_function(name):
    exercise = catalogue()[name]
    passed = {slip.text for slip in edited(name) if passes(exercise, slip.wrong)}
    assert passed - equal(name) == set(), "a case is missing that refuses it"
    assert equal(name) - passed == set(), "these are refused: no need to list them"


@pytest.mark.parametrize("name", SEARCHED)
def test_every_edit_that_gives_values_gets_a_name(name):
    exercise = catalogue()[name]
    unnamed = []
    for slip in edited(name)[::20]:  # not all, as each takes a tenth of a second
        given = [exercise.outcome(slip.wrong, case) for case in exercise.all_cases]
        if any(isinstance(value, Raised) for value in given):
            continue
        with np.errstate(all="ignore"):
            verdict = judge(exercise, slip.wrong)
        if verdict.mistakes and verdict.mistakes[0] in (
            "not the right value yet",
            "right for some inputs only",
        ):
            unnamed.append(f"{slip.kind}: {slip.text}")
    if not exercise.secret:
        assert unnamed == []


def small(source):
    tree = ast.parse(source)
    return Solution(tree.body[0].name, source, "00")


@pytest.mark.parametrize(
    "source, kind, text",
    [
        ("def f(x):\n return x[1:] - 2", "off by one", "x[1:] → x[1 + 1:]"),
        ("def f(x, y):\n return x @ y", "transpose", "x @ y → x.T @ y"),
        ("def f(x):\n return (x - 1) / 2", "parentheses", "(x - 1) / 2 → x - 1 / 2"),
        ("def f(x):\n return x.sum(axis=0)", "axis", "x.sum(axis=0) → x.sum(axis=1)"),
        ("def f(x):\n return x > 0", "border", "x > 0 → x >= 0"),
        ("def f():\n return {'a': 'x * y'}", "factor", "'x * y' → 'x'"),
        ("def f(x):\n x += 1\n return x", "overwritten", "x += 1: ="),
        (
            "def f(x):\n for a in x:\n  b = a\n  x = b\n return x",
            "not anew",
            "before the loop: b = a",
        ),
        (
            "def f(x):\n for a in x:\n  x = a\n return x",
            "early return",
            "for a in x:",
        ),
    ],
)
def test_what_is_edited(source, kind, text):
    assert (kind, text) in [(slip.kind, slip.text) for slip in slips(small(source))]
    assert kind in SLIPS


@pytest.mark.parametrize(
    "line, name",
    [
        ("softmax(X)", "softmax along the wrong axis"),
        ("softmax(X)", "softmax over all the numbers at once"),
        ("softmax(X)", "the logistic function instead of softmax"),
        ("softmax(X)", "softmax is left out"),
        ("np.sqrt(X)", "the square root is left out"),
        ("X.sum(axis=0)", "the sum along the wrong axis"),
        ("X.std(axis=0)", "the variance instead of the standard deviation"),
        ("X.std(axis=0, ddof=1)", "divided by N, not by N − 1"),
        ("X.T @ Z", "Z where X belongs"),
        ("X.T @ Xh @ Z", "X̂ where X belongs"),
        ("X.T @ other", "one quantity in another's place"),
    ],
)
def test_an_edit_is_named_by_what_has_a_name_in_it(line, name):
    """So exercises need no mistakes of their own for these."""
    found = slips(small(f"def f(X, Xh, Z, other):\n return {line}"))
    assert name in [slip.spoken[0] for slip in found]


def test_an_edited_loop_that_never_ends_is_stopped():
    source = "def f(n):\n    while n > 0:\n        n -= 1\n    return n"
    with pytest.raises(TooManyRounds):
        for slip in slips(small(source)):
            slip.wrong(3)


def test_without_the_solutions_folder_there_is_still_a_verdict(monkeypatch):
    monkeypatch.setattr("comp551ad.exercises.finding.solution", lambda *_: None)
    monkeypatch.setattr("comp551ad.exercises.places.solution", lambda *_: None)
    verdict = judge(catalogue()["softmax_jacobian"], lambda p: np.diag(p) * 7)
    assert verdict.mistakes == ("not the right value yet",)


@pytest.mark.parametrize("searched", [True, False])
def test_an_exercise_may_do_without_the_usual_slips(searched):
    exercise = dataclasses.replace(catalogue()["size_after"], searched=searched)
    verdict = judge(exercise, lambda L, M, s: (M * s**2 / 2) * L)
    assert (verdict.mistakes == ("a product instead of a power",)) == searched


def unnamed(name):
    """The edits of a solution that only `SLIPS` names, with the verdict."""
    own = {mistake.name for mistake in catalogue()[name].mistakes}
    for slip in edited(name):
        with np.errstate(all="ignore"):
            verdict = judge(catalogue()[name], slip.wrong)
        names = {found.split(": ")[-1] for found in verdict.mistakes}
        if names and not names & own and not names & {"it calls the library"}:
            yield f"{slip.text}  (line {slip.line}): {'; '.join(verdict.mistakes)}"


if __name__ == "__main__":
    for name in sys.argv[1:] or SEARCHED:
        print(f"\n{name}", *unnamed(name), sep="\n  ")

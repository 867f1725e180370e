"""One thing too many, which no edit of a solution produces; and two mistakes at once."""

import ast
import linecache
import random
import re
from dataclasses import replace

import numpy as np
import pytest

from comp551ad.exercises.catalogue import catalogue
from comp551ad.exercises.checking import judge
from comp551ad.exercises.edits import edits
from comp551ad.exercises.mending import mends
from comp551ad.exercises.solutions import solution

LIKELY = "sign transpose axis function exchanged number factor term divisor".split()
CORE = [name for name, e in catalogue().items() if e.core and e.searched]


def typed(source):
    """A function defined as in its exercise's notebook, so that its source can be found."""
    name = re.findall(r"^(?:def|class) (\w+)", source, re.M)[-1]
    file = f"<cell {hash(source)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    names = {"np": np} | solution(name, catalogue()[name].lecture).namespace()
    names["__name__"] = "__main__"
    exec(compile(source, file, "exec"), names)
    return names[name]


def judge_source(source, **changes):
    answer = typed(source)
    return judge(replace(catalogue()[answer.__name__], **changes), answer)


LAYER = "def layer_back(dU, W, Z):\n    return {dW}, {db}, {dZ}\n"
RIGHT = dict(dW="Z.T @ dU", db="dU.sum(axis=0)", dZ="dU @ W.T")


def layer_back(**written):
    return LAYER.format(**RIGHT | written)


# Of two equivalent names, the one in the answer is found: the third share is the second's first
# term, dR V − dR V z² minus dR V.
TIED = """def tied_gradient(X, V):
    Z = np.tanh(X @ V)
    dR = (Z @ V.T - X) / len(X)
    A, B = dR.T @ Z, X.T @ (dR @ V * (1 - Z**2))
    return {terms}
"""
STEP_TOO_MANY = """def layer_back(dU, W, Z):
    dU = np.abs(dU)
    return Z.T @ dU, dU.sum(axis=0), dU @ W.T
"""
COUNT = """def chain_multiplications(sizes):
    def cost(n):
        return sum(n[0] * n[k - 1] * n[k] for k in {rounds})
    return cost(sizes), cost(sizes[::-1])
"""
APART = "dU @ W.T if len(dU) > 2 else 2 * Z"
# An edit that isn't valid Python, or can't be defined, doesn't prevent a name.
ODD = """def layer_back(dU, W, Z, one={one}):
    db = {db}
    return Z.T @ dU * abs(W), db, dU @ W.T
"""


@pytest.mark.parametrize(
    "source, mistake, said",
    [
        (
            layer_back(dW="Z.T @ dU * abs(W)"),
            "dW: one factor too many",
            "Look at `Z.T @ dU * abs(W)` (line 2).",
        ),
        (
            layer_back(db="dU.sum(axis=0) + W[0]"),
            "db: one term too many",
            "Look at `dU.sum(axis=0) + W[0]` (line 2).",
        ),
        (
            layer_back(dZ="abs(dU) @ W.T"),
            "dZ: one function too many",
            "Look at `abs(dU)` (line 2).",
        ),
        (
            layer_back(dZ=APART),
            "dZ: a special case that isn't one",
            f"Look at `{APART}` (line 2).",
        ),
        (STEP_TOO_MANY, "one step too many", "Look at `dU = np.abs(dU)` (line 2)."),
        (TIED.format(terms="A + B - X.T @ (dR @ V)"), "one term too many", ""),
        (TIED.format(terms="A - X.T @ (dR @ V * Z**2)"), "a term is missing", ""),
        # A count that is off by one isn't a term of the result.
        (
            COUNT.format(rounds="range(2, len(n) - 1)"),
            "off by one",
            "Look at `len(n) - 1` (line 3).",
        ),
        (ODD.format(one="1", db="sum(*[dU])"), "dW: one factor too many", ""),
        (ODD.format(one="1 / 1", db="dU.sum(axis=0)"), "dW: one factor too many", ""),
    ],
)
def test_what_mends_an_answer_is_named_with_its_place(source, mistake, said):
    verdict = judge_source(source)
    assert verdict.mistakes == (mistake,) and said in repr(verdict)


def test_what_mends_nothing_is_not_named():
    """A line isn't superfluous if something goes wrong without it."""
    source = COUNT.format(rounds="range(3, len(n) + 1 - 1)")
    assert "term" not in repr(judge_source(source))
    source = """def balanced(W, V):
    W2, V2 = 1.0 * W, 1.0 * V
    ratio = lambda m: np.sqrt(np.linalg.norm(W2[m]) / np.linalg.norm(V2[:, m]))
    for m in range(len(W)):
        V2[:, m] = V2[:, m] * ratio(m)
        W2[m] = W2[m] / ratio(m)
    return W2, V2
"""
    verdict = judge_source(source)
    assert "too many" not in repr(verdict)
    assert verdict.parts == (("W", False), ("V", True))


@pytest.mark.parametrize("answer", [len, lambda x: -x, int])
def test_what_has_no_source_of_its_own_is_not_edited(answer):
    assert not list(mends(answer))


@pytest.mark.parametrize("secret", [False, True])
def test_no_edit_of_an_answer_is_tried_where_values_are_secret(secret):
    verdict = judge_source(layer_back(dW="Z.T @ dU * abs(W)"), secret=secret)
    assert ("too many" in repr(verdict)) != secret


def test_a_limit_of_edits_takes_a_name_away_and_nothing_else(monkeypatch):
    source = layer_back(dW="Z.T @ dU * abs(W)")
    named = judge_source(source)
    monkeypatch.setattr("comp551ad.exercises.mending.MOST", 0)
    late = judge_source(source)
    assert named.mistakes != late.mistakes
    assert (named.status, named.parts) == (late.status, late.parts)


def test_an_answer_with_thousands_of_edits_gets_its_verdict_in_time():
    lines = (f"    y{k} = (W * {k} + 3) * (W + {k}) - W * {k}\n" for k in range(20))
    head, last = layer_back(dW="Z.T @ dU + W**2 - W").splitlines()
    verdict = judge_source(f"{head}\n{''.join(lines)}{last}\n")
    assert verdict.mistakes[0].startswith("dW: ")


def test_no_size_is_named_that_would_be_a_secret_formula():
    ones = dict.fromkeys(["forward", "central", "five-point", "complex"], 1)
    assert "1/D" not in repr(judge(catalogue()["count_runs"], lambda D, C: ones))


def likely_edits(source):
    tree = ast.parse(source)
    return [
        ast.unparse(ast.fix_missing_locations(tree))
        for kind, _, _ in edits(tree)
        if kind in LIKELY
    ]


def test_two_slips_made_together_are_named_or_located():
    """One pair per core exercise, always the same: thirty, nearly all of them."""
    lost = []
    for name in CORE:
        rng, exercise = random.Random(name), catalogue()[name]
        once = rng.choice(likely_edits(solution(name, exercise.lecture).source))
        source = rng.choice(likely_edits(once) or [once])
        with np.errstate(all="ignore"):
            said = repr(judge_source(source))
        general = "not the right value yet" in said or "right for some" in said
        located = "the solution" in said or "(line " in said
        if general and not located and not exercise.secret:
            lost.append(source)
    assert len(lost) <= 2, lost

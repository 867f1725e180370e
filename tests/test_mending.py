"""One thing too many: what no edit of a solution can be. And two mistakes made together."""

import ast
import linecache
import random
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


def typed(name, source):
    """A function as a cell of an exercise's notebook defines it, its source to be found."""
    file = f"<cell {hash(source)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    names = solution(name, catalogue()[name].lecture).namespace()
    names["__name__"] = "__main__"
    exec(compile(source, file, "exec"), names)
    return names[name]


LAYER = "def layer_back(dU, W, Z):\n    return {dW}, {db}, {dZ}\n"
RIGHT = dict(dW="Z.T @ dU", db="dU.sum(axis=0)", dZ="dU @ W.T")


@pytest.mark.parametrize(
    "part, written, mistake, place",
    [
        ("dW", "Z.T @ dU * abs(W)", "a factor too many", "Z.T @ dU * abs(W)"),
        ("db", "dU.sum(axis=0) + W[0]", "a term too many", "dU.sum(axis=0) + W[0]"),
        ("dZ", "abs(dU) @ W.T", "a function too many", "abs(dU)"),
        (
            "dZ",
            "dU @ W.T if len(dU) > 2 else 2 * Z",
            "something is treated apart that isn't a case apart",
            "dU @ W.T if len(dU) > 2 else 2 * Z",
        ),
    ],
)
def test_what_mends_an_answer_if_left_out_is_named_with_its_place(
    part, written, mistake, place
):
    answer = typed("layer_back", LAYER.format(**RIGHT | {part: written}))
    verdict = judge(catalogue()["layer_back"], answer)
    assert mistake in verdict.mistakes[0]
    assert f"Look at `{place}` (line 2)." in verdict.says[1]


def test_a_line_that_is_too_much_is_shown():
    lines = "    dU = np.abs(dU)\n    return Z.T @ dU, dU.sum(axis=0), dU @ W.T\n"
    answer = typed("layer_back", f"def layer_back(dU, W, Z):\n{lines}")
    verdict = judge(catalogue()["layer_back"], answer)
    assert verdict.mistakes == ("a step too many",)
    assert "Look at `dU = np.abs(dU)` (line 2)." in verdict.says[1]


@pytest.mark.parametrize(
    "terms, mistake",
    [
        ("A + B - X.T @ (dR @ V)", "a term too many"),
        ("A - X.T @ (dR @ V * Z**2)", "a term is missing"),
    ],
)
def test_of_two_names_that_come_to_the_same_the_answers_own_is_found(terms, mistake):
    """The third share is the second's first term: dR V − dR V z² less dR V."""
    lines = f"""
    Z = np.tanh(X @ V)
    dR = (Z @ V.T - X) / len(X)
    A, B = dR.T @ Z, X.T @ (dR @ V * (1 - Z**2))
    return {terms}
"""
    answer = typed("tied_gradient", f"def tied_gradient(X, V):{lines}")
    assert judge(catalogue()["tied_gradient"], answer).mistakes == (mistake,)


@pytest.mark.parametrize("rounds", ["range(2, len(n) - 1)", "range(3, len(n) + 1 - 1)"])
def test_a_count_that_is_one_off_is_no_term_of_the_result(rounds):
    source = f"""def chain_multiplications(sizes):
    def cost(n):
        return sum(n[0] * n[k - 1] * n[k] for k in {rounds})
    return cost(sizes), cost(sizes[::-1])
"""
    verdict = judge(
        catalogue()["chain_multiplications"], typed("chain_multiplications", source)
    )
    assert "term" not in repr(verdict)
    if "2" in rounds:
        assert verdict.mistakes == ("off by one",)
        assert "Look at `len(n) - 1` (line 3)." in verdict.says[1]


def test_a_line_is_too_much_only_if_nothing_goes_wrong_without_it():
    source = """def balanced(W, V):
    W2, V2 = 1.0 * W, 1.0 * V
    ratio = lambda m: np.sqrt(np.linalg.norm(W2[m]) / np.linalg.norm(V2[:, m]))
    for m in range(len(W)):
        V2[:, m] = V2[:, m] * ratio(m)
        W2[m] = W2[m] / ratio(m)
    return W2, V2
"""
    verdict = judge(catalogue()["balanced"], typed("balanced", source))
    assert "too many" not in repr(verdict) and verdict.parts == (
        ("W", False),
        ("V", True),
    )


@pytest.mark.parametrize("one, db", [("1", "sum(*[dU])"), ("1 / 1", "dU.sum(axis=0)")])
def test_an_edit_that_is_no_python_or_cant_be_defined_takes_no_name_away(one, db):
    head = f"def layer_back(dU, W, Z, one={one}):\n    db = {db}\n"
    answer = typed("layer_back", f"{head}    return Z.T @ dU * abs(W), db, dU @ W.T\n")
    verdict = judge(catalogue()["layer_back"], answer)
    assert verdict.mistakes == ("dW: a factor too many",)


@pytest.mark.parametrize("answer", [len, lambda x: -x, int])
def test_what_has_no_source_of_its_own_is_not_edited(answer):
    assert not list(mends(answer))


@pytest.mark.parametrize("secret", [False, True])
def test_no_edit_of_an_answer_is_tried_where_values_are_secret(secret):
    answer = typed("layer_back", LAYER.format(**RIGHT | {"dW": "Z.T @ dU * abs(W)"}))
    verdict = judge(replace(catalogue()["layer_back"], secret=secret), answer)
    assert ("too many" in repr(verdict)) != secret


def test_a_limit_of_edits_takes_a_name_away_and_nothing_else(monkeypatch):
    answer = typed("layer_back", LAYER.format(**RIGHT | {"dW": "Z.T @ dU * abs(W)"}))
    named = judge(catalogue()["layer_back"], answer)
    monkeypatch.setattr("comp551ad.exercises.mending.MOST", 0)
    late = judge(catalogue()["layer_back"], answer)
    assert named.mistakes != late.mistakes
    assert (named.status, named.parts) == (late.status, late.parts)


def test_an_answer_with_thousands_of_edits_gets_its_verdict_in_time():
    lines = (f"    y{k} = (W * {k} + 3) * (W + {k}) - W * {k}\n" for k in range(20))
    head, last = LAYER.format(**RIGHT | {"dW": "Z.T @ dU + W**2 - W"}).splitlines()
    answer = typed("layer_back", f"{head}\n{''.join(lines)}{last}\n")
    verdict = judge(catalogue()["layer_back"], answer)
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
    """Two pairs an exercise of the core, always the same: sixty, nearly without exception."""
    lost = []
    for name in CORE:
        rng, exercise = random.Random(name), catalogue()[name]
        for _ in range(2):
            once = rng.choice(likely_edits(solution(name, exercise.lecture).source))
            source = rng.choice(likely_edits(once) or [once])
            with np.errstate(all="ignore"):
                verdict = judge(exercise, typed(name, source))
            said = repr(verdict)
            general = "not the right value yet" in said or "right for some" in said
            located = "the solution" in said or "(line " in said
            if general and not located and not exercise.secret:
                lost.append(source)
    assert len(lost) <= 3, lost

"""The checks are checked: wrong answers are rejected by name, right ones accepted.

Every mistake of every exercise is submitted, here and through the pipe, in `test_wire.py`.
`answers/lecture_NN.py` has right answers in other styles, and in `WRONG` wrong ones that only
one case detects. Tests of stubs, exceptions, forbidden calls and changed arguments are below.
"""

import dataclasses
import importlib.util
import time
from pathlib import Path

import numpy as np
import pytest

from comp551ad.exercises import check, hint
from comp551ad.exercises.catalogue import catalogue
from comp551ad.exercises.checking import NotPassed, WitnessFailed, inexact, judge
from comp551ad.exercises.exercise import Exercise, Mistake
from comp551ad.exercises.formulas import formulas
from comp551ad.exercises.solutions import solution
from comp551ad.exercises.values import first_difference

HERE = Path(__file__).parent


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ANSWERS = [load(path) for path in sorted((HERE / "answers").glob("lecture_*.py"))]
RIGHT = {name: answers for module in ANSWERS for name, answers in module.RIGHT.items()}
WRONG = [
    (name, answer)
    for module in ANSWERS
    for name, answers in getattr(module, "WRONG", {}).items()
    for answer in answers
]


def solved(name):
    """The solution notebook's function for an exercise."""
    return solution(name, catalogue()[name].lecture).namespace()[name]


def names_in(verdict):
    return [found.split(": ")[-1] for found in verdict.mistakes]


# Exercise 11.1 is about whether two numbers are equal.
@pytest.mark.parametrize("name", sorted(catalogue().keys() - {"distinct_units"}))
def test_no_case_lies_so_near_a_border_that_rounding_decides(name):
    exercise, rng = catalogue()[name], np.random.default_rng(0)

    def moved(value):
        # Products of short binary fractions are exact, and so are their sums in any order.
        is_float = isinstance(value, np.ndarray) and value.dtype.kind == "f"
        some = is_float and np.any(value * 64 % 1)
        return value * (1 + 1e-13 * rng.normal(size=value.shape)) if some else value

    for case, right in [*zip(exercise.all_cases, exercise.right, strict=True)] * 5:
        given = exercise.outcome(exercise.witness, tuple(map(moved, case)))
        assert not first_difference(given, right, exercise.tolerance)


@pytest.mark.parametrize("name", list(catalogue()))
def test_right_answers_are_accepted_at_once(name):
    exercise = catalogue()[name]
    assert exercise.hints, "an exercise has hints"
    ours = [answer for answer in (exercise.witness, exercise.worked) if answer]
    for answer in (solved(name), *ours, *RIGHT.get(name, ())):
        rules = _unruled(exercise) if answer in ours else exercise
        verdict = judge(rules, answer)
        assert verdict.passed, verdict
        started = time.process_time()
        assert judge(rules, answer) == verdict
        assert time.process_time() - started < 0.5
        # Grading requires more digits if the question wants a formula.
        assert inexact(exercise, answer) == ()


def test_a_check_says_when_a_grade_asks_for_more_digits():
    def pull_back(jac, g):
        return (g @ jac).astype(np.float32)

    verdict = check(pull_back)
    assert verdict.passed and "twelve digits" in repr(verdict)


@pytest.mark.parametrize("name, answer", WRONG)
def test_a_wrong_answer_that_one_case_alone_refuses_is_refused(name, answer):
    assert judge(catalogue()[name], answer).status == "not yet"


def _unruled(exercise):
    return dataclasses.replace(exercise, forbidden=())


@pytest.mark.parametrize("name", list(catalogue()))
def test_the_expected_shape_alone_does_not_pass(name):
    exercise = catalogue()[name]

    def shape_alone(*arguments):
        right = exercise.witness(*arguments)
        zero = lambda x: np.zeros_like(x) if np.ndim(x) else type(x)()  # noqa: E731
        if isinstance(right, dict):
            return {key: zero(part) for key, part in right.items()}
        return tuple(map(zero, right)) if isinstance(right, tuple) else zero(right)

    assert not judge(exercise, shape_alone).passed


@pytest.mark.parametrize("name", list(catalogue()))
def test_the_witness_may_not_be_handed_in(name):
    exercise = catalogue()[name]
    if exercise.forbidden:
        for answer in (exercise.witness, lambda *given: exercise.witness(*given)):
            verdict = judge(exercise, answer)
            assert verdict.mistakes == ("it calls the library",)


# --- the machinery --------------------------------------------------------------------


def square(**changes):
    """An exercise for these tests: the mean of x squared."""
    rule = dict(
        name="square",
        lecture="00",
        title="Squares",
        witness=lambda x: x**2 / len(x),
        cases=lambda rng: [(rng.normal(size=n),) for n in (2, 3, 5)],
        batch=len,
        mistakes=(Mistake("a cube", lambda x: x**3 / len(x), "One power less."),),
        hints=("Multiply.", "By itself."),
    )
    return Exercise(**{**rule, **changes})


def in_place(x):
    x *= x
    return x / len(x)


def forgetful(x):
    x * x  # noqa: B018


def broken(x):
    y = x * x
    return y + undefined  # noqa: F821


def raises(error):
    raise error


@pytest.mark.parametrize(
    "answer, mistake",
    [
        (lambda x: x**2 / len(x), None),
        (lambda x: -(x**2) / len(x), "the wrong sign"),
        (lambda x: x**2, "1/N is missing"),
        (lambda x: x**2 / len(x) ** 2, "1/N twice"),
        (lambda x: -(x**2), "the wrong sign, and 1/N is missing"),
        (lambda x: 2 * x**2 / len(x), "off by a factor of 2"),
        (lambda x: -2 * x**2 / len(x), "the wrong sign, and off by a factor of 2"),
        (lambda x: x**3 / len(x), "a cube"),
        (lambda x: (x**2 / len(x))[:, None], "in the wrong shape"),
        (lambda x: np.sqrt(-(x**2)) * x, "not a number"),
        (lambda x: "x squared", "the wrong kind of value"),
        (lambda x: x[:2] ** 2 / len(x), "right for some inputs only"),
        (lambda x: np.cosh(x), "not the right value yet"),
        (lambda x: (x**2 / len(x)).sum(), "the shape"),
        (forgetful, "it returns nothing"),
        (in_place, "it changes its input in place"),
        (broken, "it raises NameError"),
        (
            lambda x: raises(KeyboardInterrupt()),
            "it was stopped before it returned",
        ),
        # A masked array without masked entries counts as an array.
        (lambda x: np.ma.array(x**2 / len(x)), None),
    ],
)
def test_every_finding(answer, mistake):
    with np.errstate(all="ignore"):
        verdict = judge(square(), answer)
    assert verdict.mistakes == (() if mistake is None else (mistake,))
    assert verdict.passed == (mistake is None)


def test_a_verdict_gives_the_place_both_values_and_a_hint():
    verdict = judge(square(cases=lambda rng: [(np.array([1.0, 3.0]),)]), lambda x: x**2)
    assert repr(verdict) == (
        "✗ square: 1/N is missing\n"
        "  For x = [1., 3.]: entry [0] of your answer is 1; expected 0.5.\n"
        "  Hint: Is the cost a sum over N rows, or their average?"
    )
    assert "0.5" not in repr(judge(square(secret=True), lambda x: x**2))


@pytest.mark.parametrize("lucky", [False, True])
def test_a_name_holds_for_further_cases_too(lucky):
    """An answer that agrees by luck in the check's one case isn't named."""
    few = square(cases=lambda rng: [(rng.normal(size=2),)])

    def answer(x):
        elsewhere = lucky and not np.array_equal(x, few.all_cases[0][0])
        return np.cosh(x) if elsewhere else x**3 / len(x)

    assert judge(few, answer).mistakes[0] == (
        "not the right value yet" if lucky else "a cube"
    )


def small_sum(**changes):
    return square(witness=lambda x: np.sum(x), rows=(), batch=None, **changes)


@pytest.mark.parametrize(
    "theirs, named",
    [
        (lambda x: [1.0][len(x)], False),  # "list index out of range", as many others
        (lambda x: x @ np.ones(len(x) + 1), True),  # the message has the sizes
        (lambda x: np.ones(len(x) + 2) @ x, False),
    ],
)
def test_the_same_error_is_a_sign_of_a_mistake_only_where_it_tells_of_the_case(
    theirs, named
):
    wrong = (lambda x: [2.0, 3.0][len(x)]) if not named else theirs
    mistake = Mistake("a wrong size", wrong, "Which sizes meet?")
    verdict = judge(small_sum(mistakes=(mistake,)), theirs)
    assert (verdict.mistakes == ("a wrong size",)) == named


DRAWS = np.random.default_rng(0)


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda x: DRAWS.normal(), "it gives a different result each time"),
        (lambda x: np.sum(x) if len(x) else None, None),
    ],
)
def test_chance_is_said_where_asking_again_shows_it(answer, said):
    verdict = judge(small_sum(), answer)
    assert verdict.passed if said is None else verdict.mistakes == (said,)


class Prickly:
    def __deepcopy__(self, memo):
        raise RuntimeError("no copies")

    def __eq__(self, other):
        raise RuntimeError("nothing is like me")

    __hash__ = None


class Shy(Exception):
    def __str__(self):
        raise SystemExit


class Leaving:
    def __array__(self, *_, **__):
        raise SystemExit


class Nameless:
    def __str__(self):
        raise RuntimeError("I have no name")

    __repr__ = __str__


ENDLESS = {}
ENDLESS["again"] = ENDLESS


@pytest.mark.parametrize(
    "answer, says",
    [
        (broken, "name 'undefined' is not defined (line "),
        (lambda x: raises(ValueError("no " * 10_000)), "it raises ValueError"),
        (lambda x: 10**5000, "your answer is an int; expected an array"),
        (lambda x: [10**5000, 1], "a list of 2; expected an array"),
        (lambda x: raises(Shy()), "it raises Shy"),
        (lambda x: Leaving(), "it can't be examined"),
        (lambda x: ENDLESS, "it returns something endless"),
        (lambda x: {Nameless(): 1}, "it can't be examined"),
        (lambda x: raises(GeneratorExit()), "it raises GeneratorExit"),
        (lambda x: np.array([0.5, 2], object), "with dtype object, not of numbers"),
        (lambda x: np.ma.array([0.5, 2], mask=True), "entry [0] of your answer is nan"),
        (lambda x: np.ma.array([0.5, 2], mask=[0, 1]), "entry [1] of your answer is"),
        (lambda x: (part for part in x**2 / len(x)), "a generator; expected an array"),
        (lambda x: Prickly(), "a Prickly; expected an array"),
        (lambda x: exit(), "SystemExit"),
        (lambda x: (x + 1j) ** 2, "of complex numbers; expected real numbers"),
        (
            lambda x: np.array("a"),
            "your answer is text; expected an array of shape (2,)",
        ),
        (lambda x: x.astype("U"), "shape (2,) with dtype <U32, not of numbers"),
    ],
)
def test_whatever_an_answer_does_there_is_a_verdict(answer, says):
    odd = square(cases=lambda rng: [(np.array([1.0, 2.0]),)])
    verdict = repr(judge(odd, answer))
    assert says in verdict and len(verdict) < 1000


def test_a_number_too_long_to_be_written_is_named_by_its_type():
    rule = dict(witness=lambda x: 3, batch=None, mistakes=())
    assert "your answer is an int; expected 3" in repr(
        judge(square(**rule), lambda x: 10**5000)
    )


def test_a_witness_that_fails_is_not_told_as_the_students():
    with pytest.raises(WitnessFailed, match="the witness of square failed"):
        judge(square(witness=lambda x: 1 / 0), lambda x: x)


def test_a_stop_while_an_answer_is_looked_at_stops_the_check():
    class Slow:
        def __array__(self, *_, **__):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(square(), lambda x: Slow())


ZEROS = {
    "zeros": lambda right: np.zeros(right.shape),
    "turned zeros": lambda right: np.zeros(right.shape[::-1]),
    "a row of zeros": lambda right: np.zeros(right.size),
    "next to nothing": lambda right: np.full(right.shape, 1e-9),
}


@pytest.mark.parametrize("kind", ZEROS)
@pytest.mark.parametrize(
    "name", "softmax_jacobian grad_V hessian_times balanced".split()
)
def test_zeros_are_not_two_mistakes(name, kind):
    exercise = _unruled(catalogue()[name])

    def answer(*given):
        right = exercise.witness(*given)
        if isinstance(right, tuple):
            return tuple(map(ZEROS[kind], right))
        return ZEROS[kind](right)

    verdict = judge(exercise, answer)
    expected = "not the right value yet" if kind == "next to nothing" else "all zeros"
    assert verdict.mistakes == (expected,)


NAMED = "squares", "sums"


@pytest.mark.parametrize(
    "parts, answer, mistakes, said",
    [
        ((), lambda S, s, N: [S, s], [], "passed"),
        (
            (),
            lambda S, s, N: (N * S, -s),
            ["[0]: 1/N is missing", "[1]: the wrong sign"],
            "",
        ),
        (
            NAMED,
            lambda S, s, N: (N * S, s),
            ["squares: 1/N is missing"],
            "entry [0, 0] of squares is",
        ),
        (NAMED, lambda S, s, N: (-S, -s), ["the wrong sign"], ""),
        (NAMED, lambda S, s, N: (s, S), ["in the wrong order"], "sums, in this order"),
        (NAMED, lambda S, s, N: 2 * (S,), ["sums: in the wrong order"], ""),
        (NAMED, lambda S, s, N: (S,), ["too few results"], ""),
    ],
)
def test_the_parts_of_a_tuple_have_an_order_and_may_have_names(
    parts, answer, mistakes, said
):
    pair = square(
        witness=lambda x: (x.T @ x / len(x), x.sum(axis=0)),
        cases=lambda rng: [(rng.normal(size=(n, 2)),) for n in (3, 4)],
        parts=parts,
        mistakes=(),
    )
    verdict = judge(pair, lambda x: answer(*pair.witness(x), len(x)))
    assert [*verdict.mistakes] == mistakes and said in repr(verdict)


def tower(nodes, edges, tree, paths):
    return dict(zip(TOWER, (nodes, edges, tree, paths), strict=True))


TOWER = "nodes", "edges", "nodes of the tree", "paths"


def size_after(L, M, s):
    return float(np.mean(np.random.default_rng(1).normal(size=M) ** 2))


def every_other(weights, gradients, frozen, lr):
    moved = enumerate(zip(weights, gradients, strict=True))
    return [W if k % 2 else W - lr * dW for k, (W, dW) in moved]


def saddle_signs(M, D, C):
    rank = min(D, C - 1)
    return 2 * M * rank, 2 * M * rank, M * (C + D) - 4 * M * rank


def count_runs(**wrong):
    """The right counts except for these."""
    right = catalogue()["count_runs"].witness
    return lambda D, C: right(D, C) | {k: f(D, C) for k, f in wrong.items()}


# An exercise of the course, an answer to it, and everything that the verdict says.
SAID_OF = [
    (
        "size_after",
        size_after,
        ["it draws random numbers where the question needs none"],
    ),
    ("keeping_scale", lambda *_: 0, ["all zeros"]),
    ("keeping_scale", lambda *_: 0.0, ["all zeros"]),
    # If one reason explains all the numbers, it is the only name.
    (
        "count_the_tower",
        lambda: tower(13, 24, 1457, 729),
        ["the first line is left out"],
    ),
    ("count_the_tower", lambda: tower(12, 22, 971, 486), ["one round too few"]),
    (
        "count_the_tower",
        lambda: tower(14, 26, 2915, 729),
        ["paths: the first line is left out"],
    ),
    (
        "count_the_tower",
        lambda: tower(13, 26, 1457, 1458),
        ["nodes, nodes of the tree: the operations alone are counted"],
    ),
    (
        "count_the_tower",
        lambda: tower(13, 26, 2915, 1458),
        ["nodes: not all rows before the loop are counted"],
    ),
    # A name for a list holds for all its entries.
    ("frozen_step", every_other, ["not the right value yet"]),
    # Too low in one place and too high in another are two mistakes.
    (
        "count_runs",
        count_runs(forward=lambda D, C: D, complex=lambda D, C: D + 1),
        ["forward: the run at w is forgotten", "complex: an unneeded run at w"],
    ),
    # Arguments are swapped for all the parts or for none.
    (
        "count_runs",
        lambda D, C: count_runs()(C, D),
        ["two arguments are swapped"],
    ),
    (
        "count_runs",
        count_runs(complex=lambda D, C: C),
        ["complex: one quantity in another's place"],
    ),
    (
        "swelling",
        lambda n: catalogue()["swelling"].witness(n) | {"formula": 2 ** (n + 2) - 1},
        ["formula: off by one"],
    ),
    ("slide_misleads", lambda: [2400, 520], ["a single Jacobian"]),
    # A shared name that explains more is preferred.
    (
        "saddle_signs",
        saddle_signs,
        ["below, above: off by a factor of 2", "zero: not right yet"],
    ),
]


@pytest.mark.parametrize("name, answer, mistakes", SAID_OF)
def test_what_is_said_of_an_answer(name, answer, mistakes):
    assert [*judge(_unruled(catalogue()[name]), answer).mistakes] == mistakes


@pytest.mark.parametrize(
    "wrong, named",
    [
        ({"a3": True, "a5": True}, ["an operand is kept", "a value that"]),
        (
            dict.fromkeys(["a1", "a2", "a4", "a6"], False),
            ["an input", "a result", "th"],
        ),
        (
            {f"a{k}": k in (3, 5, 7) for k in range(1, 8)},
            ["True and False are swapped"],
        ),
    ],
)
def test_a_reason_that_most_of_the_answer_denies_comes_last(wrong, named):
    exercise = _unruled(catalogue()["kept_for_the_way_back"])
    found = names_in(judge(exercise, lambda: exercise.witness() | wrong))
    assert all(map(str.startswith, found, named)) and len(found) == len(named)


@pytest.mark.parametrize(
    "rows, named",
    [
        (
            {"a4": "a1 * a2 + a3", "a5": "sin(a4)", "a6": "a2 * a5"}
            | {"a7": "0.5 * a6", "a8": "a7"},
            ["a4: several", "a5, a6, a7: this operation is one row too early"]
            + ["a8: no operation"],
        ),
        (
            {"a7": "0.5 * (a2 * a6)", "a8": "a7"},
            ["a7: several operations in one row", "a8: no operation in this row"],
        ),
    ],
)
def test_a_name_is_said_of_the_parts_that_it_is_true_of(rows, named):
    exercise = catalogue()["number_the_rows"]
    right = exercise.witness()
    verdict = judge(exercise, lambda: right | rows)
    for mistake, beginning in zip(verdict.mistakes, named, strict=True):
        assert mistake.startswith(beginning)
    parts, __, name = verdict.mistakes[1].partition(": ")
    assert verdict.says[1].startswith("Hint: a") and f" · {parts}: " in verdict.says[1]


def test_what_is_wrong_of_all_the_parts_is_said_without_them():
    exercise = _unruled(catalogue()["descent"])
    late = next(m for m in exercise.mistakes if m.name.startswith("V's gradient"))
    assert judge(exercise, late.wrong).mistakes == (late.name,)


def test_a_word_is_shown_with_the_numbers_that_it_is_about():
    verdict = judge(catalogue()["slide_misleads"], lambda: [40, 5, 5, 6])
    assert verdict.says[0] == (
        "the mode with fewer multiplications is reverse (forward 2200, reverse 1350); "
        "expected forward."
    )


def test_an_entry_that_is_missing_is_what_is_said():
    exercise = catalogue()["number_the_rows"]
    given = {"a1": "w", "a2": "x", "a3": "b", "a4": "a1 * a2 + a3", "a5": "sin(a4)"}
    verdict = judge(exercise, lambda: given)
    assert verdict.says[0].endswith("There is no entry a6.")


def test_an_array_may_stand_for_a_tuple_of_numbers():
    pair = square(witness=lambda x: (x[0], x[1]), mistakes=(), parts=("a", "b"))
    assert judge(pair, lambda x: x[:2]).passed
    assert judge(pair, lambda x: x[1::-1]).mistakes == ("in the wrong order",)


@pytest.mark.parametrize(
    "spoils",
    [
        lambda x, table: table.append(0) or x,
        lambda x, table: table[0].clear() or x,
        lambda x, table: table.clear() or x,
        lambda x, table: table[0].update(a=2) or x,
    ],
)
def test_lists_and_dicts_are_left_alone_too(spoils):
    rule = dict(witness=lambda x, table: x, mistakes=(), batch=None)
    cases = lambda rng: [(rng.normal(size=2), [{"a": 1}])]  # noqa: E731
    verdict = judge(square(cases=cases, **rule), spoils)
    assert verdict.mistakes == ("it changes its input in place",)


def test_a_table_with_a_missing_entry_and_one_to_fill_in():
    table = square(
        witness=lambda: {"a1": 1.0, "a2": 2.0}, cases=lambda rng: [()], batch=None
    )
    assert judge(table, lambda: {"a1": 1.0}).mistakes == ("an entry is missing",)
    assert judge(table, lambda: {"a1": 1, "a2": ...}).mistakes == ("not finished",)
    assert judge(table, lambda: {"a1": ..., "a2": ...}).status == "not attempted"
    assert judge(table, lambda: {"a1": 1, "a2": 2}).passed


def test_formulas_are_worked_out_and_nothing_else_is():
    values = {"a": 2.0}
    assert formulas(lambda: {"b": "3 * a**2 - 1"}, values) == {"b": 11.0}
    for text in ("__import__('os')", "a.real", "b + 1", "[a]", "a +", "lambda: a"):
        with pytest.raises(ValueError, match="b: "):
            formulas(lambda text=text: {"b": text}, values)
    with pytest.raises(ValueError, match=r"a power is written \*\*"):
        formulas(lambda: {"b": "a^2"}, values)


def test_formulas_that_are_no_table_are_told_so():
    rule = dict(witness=lambda: {"b": "a"}, cases=lambda rng: [({"a": 2.0},)])
    table = square(use=formulas, batch=None, mistakes=(), **rule)
    assert judge(table, lambda: {"b": "2 * a / 2"}).passed
    for given in ("a", ("a", "b"), None):
        verdict = judge(table, lambda given=given: given)
        assert verdict.mistakes[0] in ("the wrong kind of value", "it returns nothing")


def test_check_finds_the_exercise_by_the_functions_name():
    def softmax_jacobian(p):
        return -np.outer(p, p) + np.diag(p)

    assert check(softmax_jacobian).passed
    assert check(lambda p: np.diag(p), "softmax_jacobian").status == "not yet"
    assert "quotient rule" in hint(softmax_jacobian)
    assert repr(hint("softmax_jacobian", 2)).endswith(
        "(2 of 3; the last shows a line of the solution)"
    )
    assert "prediction" not in hint("first_step", 2)
    with pytest.raises(ValueError, match="first_step has hints 1 to 2"):
        hint("first_step", 3)


def test_check_says_what_it_was_not_given():
    with pytest.raises(LookupError, match="did you mean softmax_jacobian"):
        check(lambda p: p, "softmax_jacobien")
    with pytest.raises(
        TypeError, match=r"write check\(softmax_jacobian\), without call"
    ):
        check(np.eye(3), "softmax_jacobian")
    with pytest.raises(TypeError, match="answer is None, expected a function"):
        check(None)
    with pytest.raises(LookupError, match="no exercise is called 3"):
        hint(3)
    for which in ("2", 1.0, True, None):
        with pytest.raises(ValueError, match=f"which is {which!r}, but"):
            hint("softmax_jacobian", which)
    with pytest.raises(
        ValueError, match="which is 7, but softmax_jacobian has hints 1"
    ):
        hint("softmax_jacobian", 7)


def test_a_grader_sees_an_error_where_a_student_reads_words(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(NotPassed, match="the diagonal alone"):
        check(lambda p: np.diag(p * (1 - p)), "softmax_jacobian")


def test_the_parts_that_fail_are_marked():
    def layer_back(dU, W, Z):
        return Z.T @ dU, dU.mean(axis=0), dU @ W.T

    page = check(layer_back)._repr_html_()
    green, red = (f'<span style="color:{c}">' for c in ("#009e73", "#d55e00"))
    assert f"{green}✓ dW</span> · {red}✗ db</span> · {green}✓ dZ</span>" in page


def test_what_a_student_typed_is_text_not_html():
    verdict = judge(square(), lambda x: "<script>alert(1)</script>")
    assert "<script>" not in verdict._repr_html_()


def test_tangents_may_be_written_with_a_d():
    table = dict(d1=0, d2=1, d3="a1*d2 + a2*d1", d4="d3*cos(a3)", d5="d2*a4 + a2*d4")
    table |= dict(d6="-d2*sin(a2)", d7="d5 - d6")
    known = catalogue()
    assert judge(known["tangents_of_the_swing"], lambda: table).passed
    for row, right in ("d5", True), ("d6", False):
        answer = {"row": row, "formula": "d4 / a4"}
        assert judge(known["wrong_dot"], lambda answer=answer: answer).passed == right

"""What a verdict shows if no mistake is named: for which inputs, and at which line.

Also that an answer can neither hang a check nor change the notebook around it.
"""

import builtins
import gc
import itertools
import os
import random
import re
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
import pytest
from test_mending import judge_source, typed

from comp551ad.exercises import checking
from comp551ad.exercises.catalogue import catalogue
from comp551ad.exercises.checking import judge
from comp551ad.exercises.clues import clue
from comp551ad.exercises.errors import in_the_students_words
from comp551ad.exercises.exercise import Exercise, Mistake, ShortNumbers
from comp551ad.exercises.formulas import FormulaFault, formulas
from comp551ad.exercises.guard import stoppable, time_limit
from comp551ad.exercises.places import place
from comp551ad.exercises.values import Endless, alike, bounded, shown

# --- for which inputs -----------------------------------------------------------------

RIGHT_WHERE, ONES = "Of the cases tried, it is right where", np.ones((1, 3))


@pytest.mark.parametrize(
    "good, bad, said",
    [
        ([(1,), (0,)], [(5,), (2,)], f"{RIGHT_WHERE} x is 1 or less."),
        (
            [(ONES[0, :1],), (ONES[0, 1:2],)],
            [(ONES[0],)],
            f"{RIGHT_WHERE} len(x) is 1.",
        ),
        ([(4,), (2,)], [(3,)], f"{RIGHT_WHERE} x is even."),
        ([(ONES,), (2 * ONES,)], [(np.ones((2, 3)),)], f"{RIGHT_WHERE} len(x) is 1."),
        ([(np.eye(2),), (np.eye(3),)], [(ONES,)], f"{RIGHT_WHERE} x is square."),
        ([(7.0,)], [(8.0,)], "It is right for x = 7."),
        ([(np.float64(0.5),)], [(np.float64(-200.5),)], "It is right for x = 0.5."),
        (
            [(np.eye(3),)],
            [(np.eye(4),)],
            "It is right where len(x) is 3: is that number hard-coded?",
        ),
        ([(np.ones(5),)], [(np.ones(4),)], "It is right for x = [1., 1., 1., 1., 1.]."),
        ([("a",)], [("b",)], "It is right for x = 'a'."),
        ([], [(1,)], ""),
    ],
)
def test_what_the_inputs_have_in_common(good, bad, said):
    rule = dict(witness=lambda x: x, cases=lambda rng: [])
    exercise, answer = Exercise("f", "00", "f", **rule), lambda x: 3 * x
    assert clue(exercise, good, bad, answer) == said


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda r, phi: np.cos(phi) if r == 1 else 0.0, f"{RIGHT_WHERE} r is 1."),
        (lambda r, phi: r**2 * (1 - phi), "It is right for r = 1, phi = 0."),
    ],
)
def test_an_argument_is_only_a_clue_if_the_others_do_not_matter(answer, said):
    rule = dict(witness=lambda r, phi: r * np.cos(phi), cases=lambda rng: [])
    exercise = Exercise("f", "00", "f", **rule)
    assert clue(exercise, [(1, 0)], [(2, 0.5), (3, 0.25)], answer) == said


def test_a_verdict_says_for_which_inputs_and_hands_over_a_case():
    exercise = catalogue()["pull_back"]
    verdict = judge(exercise, lambda J, g: J[0] * g[0] * (1 + 0 * len(J)))
    assert verdict.mistakes == ("only one row is used",)
    assert exercise.witness(*verdict.case).shape == (verdict.case[0].shape[1],)
    odd = judge(exercise, lambda J, g: np.cosh(J).T @ g)
    assert odd.mistakes == ("not the right value yet",)
    assert len(odd.case) == 2


@pytest.mark.parametrize(
    "name, answer, pointed",
    [
        ("grad_W", lambda X, Y, W, V: W, True),
        ("gradient_error", lambda f, claim, w, h: 7.0, True),
        ("pull_back", lambda jac, g: 7 * g[:1], False),
        ("tangents_upwards", lambda rows, seeds: [7.0], False),
        ("head_error", lambda head, U, Y: 7 * U, False),
    ],
)
def test_a_case_that_is_not_all_there_to_be_typed_is_pointed_to(name, answer, pointed):
    line = judge(catalogue()[name], answer).says[0]
    assert (f" (in check({name}).case): " in line) is pointed


def test_cases_are_short_to_type_and_always_the_same():
    rng = ShortNumbers(np.random.PCG64(1))
    drawn = np.concatenate([rng.normal(size=500), rng.uniform(0, 1, 500)])
    assert np.array_equal(drawn, drawn.round(2)) and drawn.all()
    one, same = catalogue()["grad_W"].all_cases, catalogue()["grad_W"].all_cases
    assert one is same


@pytest.mark.parametrize(
    "number, said", [(-1.2e-308, "about 0"), (0.0, "0"), (1e-299, "1e-299")]
)
def test_a_number_that_has_no_more_digits_is_about_0(number, said):
    assert shown(number) == said


# --- in which line --------------------------------------------------------------------

STRANGE = """def grad_W(X, Y, W, V):
    Z = logistic(X @ V)
    U = Z @ W
    dU = softmax(U) - Y
    return np.cosh(Z.T @ dU)
"""


SCALED = STRANGE.replace("X @ V", "scale * np.cosh(X)").replace(
    "    Z", "    scale = np.sqrt(2.0)\n    Z", 1
)
KEEPING = """def keeping_scale(below, slope):
    return np.sqrt(1 / (below * (1 - slope**2)))
"""
TURNED = """def softmax_half_square(u, y):
    p = softmax(u)
    error = y - p
    return np.cosh(error)
"""
TOO_MANY_VALUES = """def descent(gradient, W, V, lr, steps):
    dW, dV = gradient(np.cosh(W), V)
    return W - lr * dW, V - lr * dV
"""
MASKED = """def skip_backward(Z, W1, W2, dR):
    mask = (Z @ W1 > 0).astype(float)
    through = (dR @ W2.T * mask) @ W1.T
    return dR * (1 + through)
"""
ANOTHER_WAY = """def grad_W(X, Y, W, V):
    Z = 1 / (1 + np.exp(-X @ V))
    E = np.exp(Z @ W)
    return Z.T @ (E / E.sum(axis=1, keepdims=True) - np.sqrt(Y + 0.5))
"""
TURNED_INPUT = """def grad_W(X, Y, W, V):
    filled = np.empty((7, 7))
    return X.T @ Y
"""
NEARLY = """def hessian_times(gradient, w, a):
    h = 1e-5
    return (gradient(w + h) - gradient(w - h)) / (2 * h) * a
"""
BY_LISTS = """def tangents_upwards(rows, seeds):
    return [np.cosh(v) for k, v in seeds.items()]
"""
IN_A_LOOP = """def complex_gradient(f, w, h):
    rows = np.eye(len(w))
    return np.array([np.cosh(f(w + 1j * h * rows[k]).imag) for k in range(len(w))])
"""


@pytest.mark.parametrize(
    "source, said",
    [
        (
            STRANGE,
            "`Z.T @ dU` (line 5) agrees with the solution; `np.cosh(Z.T @ dU)` (line 5), "
            "after it, doesn't appear there. Start looking there; your approach may also "
            "simply differ at that point.",
        ),
        # A value that agrees in only one case, or up to the sign, isn't praised.
        (KEEPING, "; `1 - slope ** 2` (line 2), after it, does"),
        (TURNED, "`softmax(u)` (line 2) agrees with"),
        (TOO_MANY_VALUES, "`np.cosh(W)` (line 2) does"),
        # Parts of one of the solution's values are fine, and so is a mask of floats.
        (MASKED, "; `1 + through` (line 4), after it, does"),
        # A different method isn't reported as a departure.
        (ANOTHER_WAY, None),
        (BY_LISTS, None),
        # X.T and near agreement aren't praised, and an empty array doesn't count.
        (TURNED_INPUT, "  `X.T @ Y` (line 3) doesn't appear"),
        (NEARLY, "  `gradient(w + h) - gradient(w - h)` (line 3) does"),
        # A comment draws no random numbers.
        (
            STRANGE.replace("    Z", "    # no random numbers\n    Z", 1),
            "(line 6), after it",
        ),
    ],
)
def test_the_first_value_that_the_solution_has_not(source, said):
    verdict = repr(judge_source(source))
    assert said in verdict if said else "Start looking there" not in verdict
    assert "draws" not in verdict


@pytest.mark.parametrize(
    "source, case, said",
    [
        # A value with scalars before it isn't called the first step.
        (SCALED, 0, "^`np.cosh\\(X\\)` \\(line 3\\) doesn't appear in the solution"),
        # A value from a loop of the solution is recognized.
        (IN_A_LOOP, 1, "^((?!rows\\[k\\]`).)*; `np.cosh\\("),
    ],
)
def test_the_first_value_that_the_solution_has_not_in_a_case(source, case, said):
    answer = typed(source)
    exercise = catalogue()[answer.__name__]
    told = place(exercise, answer, exercise.all_cases[case : case + 1])
    assert re.search(said, told), told


def test_a_place_is_never_shown_where_values_are_secret():
    verdict = judge_source("def count_twins(M, activation):\n    return 7 * M")
    assert not any("solution" in line for line in verdict.says)
    assert "expected" not in repr(verdict)


@pytest.mark.parametrize("answer", [len, lambda X, Y, W, V: X, Exercise])
def test_where_there_is_no_source_there_is_no_place(answer):
    exercise = catalogue()["grad_W"]
    assert place(exercise, answer, exercise.all_cases[:1]) == ""


def test_looking_for_a_place_prints_nothing_and_leaves_names_alone(capsys):
    source = """def grad_W(X, Y, W, V):
    global seen
    seen = 1
    print("noise")
    return np.cosh(X.T @ Y).T
"""
    exercise = catalogue()["grad_W"]
    answer = typed(source)
    place(exercise, answer, exercise.all_cases[:1])
    assert capsys.readouterr().out == ""
    assert "seen" not in answer.__globals__


# --- errors, in terms of the student's code -------------------------------------------


@pytest.mark.parametrize(
    "line, said",
    [
        ("X @ V", "X @ V: 5×2 and 3×2 don't fit"),
        ("X + V", "X + V: 5×2 and 3×2 don't fit"),
        ("np.dot(X, V)", "np.dot(X, V): 5×2 and 3×2 don't fit"),
        ("X @ V[0, 1:]", "X @ V[0, 1:]: 5×2 and 1 number don't fit"),
        ("X.sum(0) @ abs(V)", "X.sum(0) @ abs(V): the shapes don't fit"),
        ("X / nothing", "NameError: name 'nothing' is not defined"),
    ],
)
def test_shapes_that_do_not_fit(line, said):
    answer = typed(f"def pull_back(X, V):\n    return {line}\n")
    raised = small().outcome(answer, (np.ones((5, 2)), np.ones((3, 2))))
    assert in_the_students_words(raised.error) == f"{said} (line 2: return {line})"


@pytest.mark.parametrize(
    "name, answer, kind",
    [
        ("running_energy_rules", lambda: np.cumsum, "a function"),
        ("wrong_dot", lambda: "t5", "text"),
        ("best_step", lambda k: None, "None"),
        ("best_step", lambda k: [1, 2], "a list of 2"),
        ("train_iris", lambda X, Y: (None, None), "a tuple of 2"),
    ],
)
def test_an_error_of_our_own_is_never_told_as_the_students(name, answer, kind):
    verdict = judge(catalogue()[name], answer)
    assert verdict.status == "not yet" and "raises" not in repr(verdict)
    assert kind in repr(verdict) or "expected" in repr(verdict)


@pytest.mark.parametrize(
    "text, advice",
    [
        ("2x", r"write \* between factors"),
        ("x cos(x)", r"write \* between factors"),
        ("2(x + 1)", r"write \* between factors"),
        ("np.exp(x)", "write exp, without np"),
        ("e**(2*x)", "write exp"),
        ("y = 2*x", "on the right of the ="),
        ("ln(x)", "for ln write log"),
        ("x^2", r"a power is written \*\*"),
        ("β * x", "for β write beta"),
        ("sin * x", r"sin of what\? Write sin\(…\)"),
        ("z + 1", "z is not known here; use sin"),
        ("(x", "are the parentheses closed"),
        ("[x]", "use numbers, names"),
    ],
)
def test_how_to_write_a_formula(text, advice):
    with pytest.raises(FormulaFault, match=f"a: .*{advice}"):
        formulas(lambda: {"a": text}, {"x": 2.0})


def test_a_formula_is_told_only_of_names_that_it_may_use():
    rows = catalogue()["number_the_rows"].witness() | {"a3": "z", "a7": "a2 * s"}
    for wrong, known in (
        ({"a7": "a6"}, "w, x, b"),
        ({"a3": "b"}, "a1, a2, a3, a4, a5, a6"),
    ):
        verdict = judge(
            catalogue()["number_the_rows"], lambda wrong=wrong: rows | wrong
        )
        assert verdict.says[0].endswith(f"logistic, pi, {known}")


# --- nothing hangs, nothing is changed ------------------------------------------------


def small(**changes):
    rule = dict(witness=lambda x: x * 2.0, cases=lambda rng: [(3.0,), (4.0,)])
    return Exercise("small", "00", "Small", **{**rule, **changes})


def for_ever(x):
    while True: pass  # fmt: skip  # noqa: E701, a loop of a single step


def for_ever_and_catches(x):
    while True:
        try:
            time.sleep(10)
        except:  # noqa: E722
            pass


class NeverCompared:
    def __array__(self, *_, **__):
        return for_ever(0)


def stopped(answer):
    started = time.monotonic()
    verdict = judge(small(seconds=0.2), answer)
    assert time.monotonic() - started < 8  # the limit is 0.2, and a core may be busy
    return verdict.mistakes


LIMITS = {
    for_ever: ("it was stopped before it returned",),
    lambda x: NeverCompared(): ("it can't be examined",),
    lambda x: sum(itertools.count()): ("it was stopped before it returned",),
    lambda x: sum(range(10**12)): ("it was stopped before it returned",),
    lambda x: max(repeat(x)): ("it was stopped before it returned",),
    lambda x: set(itertools.cycle([x])): ("it was stopped before it returned",),
}


@pytest.mark.parametrize("answer", LIMITS)
@pytest.mark.parametrize("where", ["here", "without alarms", "in a thread"])
def test_what_never_ends_is_stopped_everywhere(answer, where, monkeypatch):
    if where == "without alarms":
        monkeypatch.delattr("signal.setitimer", raising=False)
    if where == "in a thread":
        with ThreadPoolExecutor() as threads:
            assert threads.submit(stopped, answer).result() == LIMITS[answer]
    else:
        assert stopped(answer) == LIMITS[answer]


@pytest.mark.parametrize("alarms", [True, False])
def test_where_the_search_for_a_name_takes_too_long_there_is_evidence(
    alarms, monkeypatch
):
    if not alarms:
        monkeypatch.delattr("signal.setitimer", raising=False)
    endless = Mistake("endless", for_ever, "")
    verdict = judge(small(seconds=0.2, mistakes=(endless,)), lambda x: 8.0)
    assert verdict.mistakes == ("right for some inputs only",)
    assert verdict.says == (
        "For x = 3: your answer is 8; expected 6.",
        "It is right for x = 4.",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no alarms there")
def test_a_loop_that_catches_every_error_is_stopped():
    assert stopped(for_ever_and_catches) == LIMITS[for_ever]
    # The exception that it was handling is not the context of later errors.
    assert sys.exc_info() == (None, None, None)


@pytest.mark.skipif(sys.platform == "win32", reason="no alarms there")
@pytest.mark.parametrize(
    "module, step", [(sys, "settrace"), (signal, "setitimer"), (signal, "signal")]
)
def test_an_alarm_that_rings_while_a_limit_ends_changes_nothing(
    module, step, monkeypatch
):
    def state():
        return signal.getsignal(signal.SIGALRM), signal.getitimer(0), sys.gettrace()

    before, limit, take = state(), time_limit(60.0), getattr(module, step)
    rung = []

    def ringing(*arguments):
        if not rung:
            rung.append(step)
            signal.raise_signal(signal.SIGALRM)
        return take(*arguments)

    with limit:
        monkeypatch.setattr(module, step, ringing)
    monkeypatch.undo()
    assert (rung, state()) == ([step], before)


@pytest.mark.skipif(sys.platform == "win32", reason="no alarms there")
def test_nor_does_one_that_rings_in_a_watch_that_was_not_taken_off(monkeypatch):
    def state():
        return signal.getsignal(signal.SIGALRM), signal.getitimer(0)

    before, rung, module_of = state(), [], checking._module

    def ringing(frame):
        if frame.f_code is time_limit.__exit__.__code__ and not rung:
            rung.append(frame.f_code.co_name)
            signal.raise_signal(signal.SIGALRM)
        return module_of(frame)

    monkeypatch.setattr(checking, "_module", ringing)
    try:
        with time_limit(60.0):
            sys.setprofile(checking._Watch(small, ("comp551ad.grad",))._profile)
    finally:
        sys.setprofile(None)
    assert (rung, state()) == (["__exit__"], before)


def test_time_that_is_over_in_a_generator_that_is_closed_says_nothing(
    capsys, monkeypatch
):
    def waiting():
        try:
            yield
        finally:
            sum(range(3))

    def leave():
        limit = time_limit(60.0)
        with limit:
            left = waiting()
            next(left)
            limit.end = 0
            del left

    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    thread = threading.Thread(target=leave)  # without alarms, but with tracing
    thread.start()
    thread.join()
    assert capsys.readouterr().err == ""


def test_iterators_that_can_be_stopped_give_what_those_of_itertools_give():
    def some():
        long = range(0, 10**30, 7)
        endless = [itertools.count(3, 0.5), itertools.cycle("ab"), repeat(object=7)]
        endless += [itertools.cycle(itertools.count()), long, reversed(long[:9])]
        ends = itertools.cycle(()), repeat(7, 2), repeat(7, 0), range(9, 2, -3)
        asked = len(long[:5]), 14 in long, long[-1], long.step, isinstance(long, range)
        firsts = (list(itertools.islice(each, 5)) for each in endless)
        return *firsts, *map(list, ends), asked

    expected, before = some(), (itertools.count, repeat)
    with stoppable(some):
        assert (itertools.count, repeat) != before
        assert some() == expected
    assert (itertools.count, repeat) == before


@pytest.mark.parametrize("name", "isinstance max len type dict".split())
def test_builtins_that_an_answer_replaces_are_put_back_and_there_is_a_verdict(name):
    before = getattr(builtins, name)
    try:
        verdict = judge(small(), lambda x: setattr(builtins, name, None) or x * 3)
        after = getattr(builtins, name)
    finally:
        setattr(builtins, name, before)  # or a failure could not be reported
    assert (after is before) and verdict.status == "not yet"


def holds_itself():
    held = [1.0]
    held += [held, held]
    return held


def doubles():
    held = [1.0]
    for _ in range(60):
        held = [held, held]
    return held


def far_too_many_numbers():
    return np.broadcast_to(0.0, (10**6, 10**6))


@pytest.mark.parametrize(
    "make",
    [holds_itself, doubles, far_too_many_numbers, lambda: {"a": holds_itself()}],
)
def test_what_has_no_end_is_not_looked_through(make):
    with pytest.raises(Endless):
        bounded(make())
    verdict = judge(small(), lambda x: make())
    assert verdict.mistakes == ("it returns something endless",)


def test_the_notebook_is_as_it_was(tmp_path):
    def careless(x):
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        np.seterr(all="raise")
        np.set_printoptions(precision=1)
        warnings.simplefilter("ignore")
        sys.setrecursionlimit(999)
        sys.settrace(lambda *_: None)
        sys.path.clear()
        gc.disable()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        (tmp_path / "gone").mkdir()
        os.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        os.environ["CARELESS"] = "yes"
        sys.stderr.close()
        sys.stdout = None
        return x

    def state():
        seeds = np.random.get_state()[1].tolist()  # noqa: NPY002
        return (
            *(seeds, random.getstate(), np.geterr(), np.get_printoptions()),
            *(list(warnings.filters), sys.getrecursionlimit(), os.getcwd()),
            *(dict(os.environ), sys.stdout, sys.stderr.closed, sys.gettrace()),
            *(list(sys.path), gc.isenabled(), signal.getsignal(signal.SIGINT)),
        )

    before = state()
    judge(small(), careless)
    assert state() == before


def test_lists_tuples_and_arrays_stand_for_each_other():
    assert alike([1, 2], (1, 2)) == (1, 2)
    assert alike((1, 2), [1, 2]) == [1, 2]
    assert alike(np.array([1, 2]), (1, 2)) == (1, 2)
    assert isinstance(alike((1.0, 2.0), np.array([1.0, 2.0])), np.ndarray)
    boxed = np.array([np.eye(2), np.ones((2, 2))], dtype=object)
    assert [part.dtype.kind for part in alike(boxed, (np.eye(2), np.eye(2)))] == [
        "f"
    ] * 2
    pair = (np.ones(2), np.ones(3))
    assert alike(pair, np.ones(2)) is pair


def test_the_same_answer_for_every_input_counts_the_right_ones_too():
    right = {1: 1.0, 2: 2.0, 3: 7.0, 4: 9.0}
    exercise = Exercise("f", "00", "f", right.get, lambda rng: [(k,) for k in right])
    for sometimes in (lambda k: right[k] if k < 3 else 5.0, lambda k: 5.0):
        said = repr(judge(exercise, sometimes))
        assert ("the same answer for every input" in said) == (sometimes(1) == 5.0)

"""comp551ad/byhand/descent.py: the deck's iterates, stop rules, history and the bar."""

import io
import math
import re
import sys

import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel
from tqdm import tqdm

from comp551ad.byhand import descent
from comp551ad.byhand.descent import Descent, descend, gradient_descent
from comp551ad.byhand.two_layer import (
    NotFiniteError,
    TwoLayer,
    accuracy,
    cost,
    gradients,
)
from comp551ad.datasets import load_iris


@pytest.fixture(scope="module")
def iris():
    return tuple(load_iris())


def bowl(p):
    """The gradient of ½‖p‖²: a step of lr shrinks p by 1 − lr."""
    return p


# ---- the deck's program --------------------------------------------------------------


def test_the_iterates_are_the_decks_bit_for_bit(iris):
    """The slide's loop written out (S09), from the same random numbers."""
    X, Y = iris
    M, lr, eps, max_iters = 16, 0.1, 1e-9, 300
    N, D = X.shape
    N, K = Y.shape
    rng = np.random.default_rng(7)
    W = rng.standard_normal((M, K)) * 0.01
    V = rng.standard_normal((D, M)) * 0.01
    dW = np.inf * np.ones_like(W)
    t = 0
    deck = [(W, V)]
    while np.linalg.norm(dW) > eps and t < max_iters:
        dW, dV = gradients(X, Y, W, V)
        W = W - lr * dW
        V = V - lr * dV
        t += 1
        deck.append((W, V))

    run = gradient_descent(X, Y, M, max_iters=max_iters, rng=7, keep_every=1)
    ours_W, ours_V = run
    assert np.array_equal(ours_W, W) and np.array_equal(ours_V, V)
    assert run.iterations == t == 300 and run.reason == "max_iters"
    assert len(run.history) == 301
    for kept, made in zip(run.history.iterates, deck, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(kept, made, strict=True))


def test_the_decks_signature_and_defaults(iris):
    code = gradient_descent.__code__
    assert code.co_varnames[:6] == ("X", "Y", "M", "lr", "eps", "max_iters")
    assert gradient_descent.__defaults__ == (0.1, 1e-9, 100000)
    assert gradient_descent.__kwdefaults__["stop"] == "dW"
    ours = descend.__kwdefaults__
    assert (ours["lr"], ours["eps"], ours["max_iters"]) == (0.1, 1e-9, 100000)
    assert ours["stop"] == "all"
    X, Y = iris
    run = gradient_descent(X.tolist(), Y.tolist(), 1, max_iters=1)  # one unit is enough
    assert isinstance(run.parameters, tuple) and run[0].shape == (1, 3)


def test_on_iris_a_plateau_near_ln_3_then_learning(iris):
    """E25, and E21: the norm of dW stays far above the deck's eps."""
    X, Y = iris
    run = gradient_descent(X, Y, 16, max_iters=3000, rng=0, keep_every=50)
    h = run.history
    assert h.cost[0] == pytest.approx(1.0986, abs=3e-3)
    assert h.cost[h.iterations == 50][0] == pytest.approx(1.0986, abs=0.05)
    assert h.cost[-1] < 0.3
    assert h.norms["dW"].min() > 1e-4 and run.reason == "max_iters"
    assert accuracy(TwoLayer().predict(X, *run), Y) > 0.9


def test_rng_is_none_a_seed_or_a_generator(iris):
    def start(rng):
        return gradient_descent(*iris, 4, max_iters=0, rng=rng).parameters

    W, V = start(3)
    assert np.array_equal(W, start(np.random.default_rng(3))[0])
    assert not np.array_equal(W, start(4)[0])
    assert not np.array_equal(start(None)[0], start(None)[0])
    assert W.shape == (4, 3) and V.shape == (3, 4) and abs(W).max() < 0.1


def test_other_networks(iris):
    X, Y = iris
    network = TwoLayer("regression", "tanh", output_bias=True)
    run = gradient_descent(X, Y, 5, max_iters=200, rng=0, lr=0.02, network=network)
    assert run[0].shape == (6, 3) and len(run) == 2
    assert run.history.cost[-1] < 0.7 * run.history.cost[0]
    assert run.history.cost[-1] == network.cost(X, Y, *run)


# ---- stop rules ----------------------------------------------------------------------


def test_small_gradient_stops_after_the_step_it_made():
    run = descend(bowl, np.array([8.0]), lr=0.5, eps=1.0)
    # gradients 8, 4, 2, 1: the last is <= eps, and its step is still taken
    assert run.reason == "small gradient" and run.iterations == 4
    assert run.parameters[0].tolist() == [0.5]
    (p,) = run
    assert p is run.parameters[0]


def test_the_decks_rule_looks_at_dW_alone_and_the_sound_one_at_all():
    """E21: dW vanishes at once while dV is still 1."""

    def slopes(W, V):
        return 0 * W, 0 * V + 1

    start = (np.zeros(2), np.zeros(2))
    deck = descend(slopes, start, names=("W", "V"), stop="dW", max_iters=10)
    assert (deck.reason, deck.iterations) == ("small gradient", 1)
    sound = descend(slopes, start, names=("W", "V"), max_iters=10)
    assert (sound.reason, sound.iterations) == ("max_iters", 10)
    assert sound.history.norms["dV"][0] == pytest.approx(math.sqrt(2))


def test_the_sound_rule_is_reachable_from_the_decks_program(iris):
    X, Y = iris
    norms = gradient_descent(X, Y, 3, rng=0, max_iters=0).history.norms
    dW, both = norms["dW"][0], math.hypot(norms["dW"][0], norms["dV"][0])
    eps = (dW + both) / 2  # above the norm of dW, below that of both
    deck = gradient_descent(X, Y, 3, rng=0, eps=eps, max_iters=2)
    assert (deck.reason, deck.iterations) == ("small gradient", 1)
    sound = gradient_descent(X, Y, 3, rng=0, eps=eps, max_iters=2, stop="all")
    assert sound.iterations == 2


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e200])
def test_diverged_ends_at_the_last_good_iterate(bad):
    def slope(p):
        return np.array([bad if p[0] < 3 else 1.0])

    run = descend(slope, np.array([5.0]), lr=1.0)
    assert run.reason == "diverged" and run.iterations == 3
    assert run.parameters[0].tolist() == [2.0]
    assert "try a smaller lr" in run.report


def test_a_gradient_in_float32_is_squared_in_float64():
    run = descend(lambda p: np.full(2, 3e20, np.float32), np.ones(2), max_iters=5)
    assert run.reason == "max_iters" and run.history.norms["dp0"][0] > 4e20
    small = np.full(2, 1e-24, np.float32)
    run = descend(lambda p: small, np.ones(2), eps=1e-30, max_iters=5)
    assert run.reason == "max_iters"
    assert run.history.norms["dp0"] == pytest.approx(math.sqrt(2) * 1e-24)
    later = iter([np.ones(2)] * 3)
    run = descend(
        lambda p: next(later, np.full(2, 1e25, np.float32)),
        np.ones(2),
        max_iters=8,
        keep_every=8,
    )
    assert run.reason == "max_iters"


@pytest.mark.parametrize("stop", ["all", "dp0"])
@pytest.mark.parametrize(
    "eps, reason", [(0, "max_iters"), (1e-170, "max_iters"), (2e-170, "small gradient")]
)
def test_a_norm_counts_where_its_square_would_vanish(eps, reason, stop):
    def gradient(p, q):
        return np.full(2, 1e-170), 0 * q

    run = descend(gradient, (np.ones(2), 1.0), eps=eps, max_iters=5, stop=stop)
    assert run.reason == reason
    assert run.history.norms["dp0"] == pytest.approx(math.sqrt(2) * 1e-170, abs=0)
    run = descend(lambda p: 0 * p, np.ones(2), eps=0, max_iters=5)
    assert run.reason == "small gradient" and run.iterations == 1


@pytest.mark.parametrize("start", [3.0, 3, np.array(3.0)])
@pytest.mark.parametrize("steps", [0, 2])
def test_a_parameter_without_axes_is_a_number_throughout(start, steps):
    run = descend(lambda p: 2 * p, start, max_iters=steps)
    numbers = [*run, *(p for kept in run.history.iterates for p in kept)]
    assert {type(number) for number in numbers} == {np.float64}


def test_a_step_too_large_diverges_without_a_warning(iris):
    X, Y = iris
    network = TwoLayer("regression", "tanh")
    run = gradient_descent(X, Y, 8, lr=100.0, rng=0, network=network)
    assert run.reason == "diverged" and 0 < run.iterations < 100
    assert len(run.history.cost) == len(run.history.iterates)


def test_bad_data_is_an_error_not_a_divergence(iris):
    X, Y = iris[0].copy(), iris[1]
    X[3, 1] = np.nan
    with pytest.raises(NotFiniteError, match=r"X\[3, 1\] is nan"):
        gradient_descent(X, Y, 4, rng=0)


def test_no_steps_at_all():
    start = np.array([1.0, 2.0])
    run = descend(bowl, start, max_iters=0)
    assert run.iterations == 0 and run.reason == "max_iters"
    assert run.parameters[0].tolist() == [1, 2] and run.history.iterations == [0]


# ---- Ctrl-C --------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["gradient", "cost"])
def test_ctrl_c_returns_what_was_reached(place):
    calls = {"gradient": 0, "cost": 0}

    def count(where):
        calls[where] += 1
        if where == place and calls[where] == 26:
            raise KeyboardInterrupt

    def slope(p):
        count("gradient")
        return p

    def height(p):
        count("cost")
        return float(p @ p) / 2

    run = descend(slope, np.array([1.0]), cost=height, max_iters=1000, keep_every=1)
    assert run.reason == "interrupted" and run.iterations == 25
    assert run.parameters[0][0] == pytest.approx(0.9**25)
    assert run.history.iterations.tolist() == list(range(26))
    assert run.report.startswith("interrupted after 25 iterations of 1,000")


# ---- history and words ---------------------------------------------------------------


def test_history_holds_cost_norms_and_iterates(iris):
    X, Y = iris
    run = gradient_descent(X, Y, 4, max_iters=25, rng=1, keep_every=10)
    h = run.history
    assert h.iterations.tolist() == [0, 10, 20, 25] and len(h) == 4
    for i, (W, V) in enumerate(h.iterates):
        dW, dV = gradients(X, Y, W, V)
        assert h.cost[i] == cost(X, Y, W, V)
        assert h.norms["dW"][i] == pytest.approx(np.linalg.norm(dW), rel=1e-12)
        assert h.norms["dV"][i] == pytest.approx(np.linalg.norm(dV), rel=1e-12)
    assert np.array_equal(h.iterates[-1][0], run.parameters[0])
    assert repr(h) == "History(4 iterates from 0 to 25; norms of dW, dV)"


def test_the_history_of_a_gradient_that_raises_is_whole():
    def slope(p):
        if p[0] < 3:
            raise FloatingPointError
        return np.ones(1)

    run = descend(slope, np.array([5.0]), lr=1.0, cost=lambda p: p[0])
    history = run.history
    assert (run.reason, run.iterations) == ("diverged", 3)
    assert history.iterations.tolist() == [0, 3]
    assert isinstance(history.cost, np.ndarray) and np.isnan(history.cost[1])
    assert history.norms["dp0"][0] == 1 and np.isnan(history.norms["dp0"][1])
    assert [type(i) for i in history.iterates] == [tuple, tuple]
    assert "cost" not in run.report
    history = descend(bowl, np.ones(1), max_iters=2).history
    assert [type(i) for i in history.iterates] == [tuple] * 3


def test_no_warning_from_a_gradient_that_overflows():
    def slope(p):
        return np.exp(1000 * p) - np.exp(1000 * p)  # inf - inf

    assert descend(slope, np.array([1.0])).reason == "diverged"


@pytest.mark.parametrize(
    "max_iters, step", [(10, 1), (1000, 1), (1001, 2), (2500, 3), (3000, 3)]
)
def test_a_thousand_iterates_at_most_are_kept_unless_asked(max_iters, step):
    run = descend(bowl, np.array([1.0]), lr=1e-6, max_iters=max_iters)
    kept = [*range(0, max_iters, step), max_iters]
    assert run.history.iterations.tolist() == kept


def test_history_is_short_unless_asked():
    run = descend(bowl, np.array([1.0]), lr=1e-6, max_iters=5001)
    assert len(run.history) <= 1002 and run.history.iterations[-1] == 5001
    assert np.all(np.isnan(run.history.cost))


def test_repr_says_which_rule_ended_it():
    run = descend(bowl, np.array([8.0]), lr=0.5, eps=1.0, names=["w"], stop="dw")
    assert repr(run) == "Descent: stopped after 4 iterations: ‖dw‖ <= 1; ‖dw‖ 5e-01"
    half = descend(bowl, np.array([1.0]), cost=lambda p: 0.125, max_iters=1, eps=0.5)
    assert half.report == (
        "used all 1 iteration: ‖the gradient‖ stayed above 0.5; cost 0.125, ‖dp0‖ 9e-01"
    )
    assert isinstance(run, Descent)


def test_parameters_are_promoted_and_never_changed():
    start = np.array([4, 2])
    run = descend(lambda p: (p,), [start], lr=0.5, max_iters=1)
    assert run[0].tolist() == [2.0, 1.0] and start.tolist() == [4, 2]
    number = descend(lambda w: 2 * float(w), 3.0, lr=0.25, max_iters=2)
    assert number[0] == 0.75


# ---- bad arguments -------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, words",
    [
        ({"lr": 0}, "lr is 0"),
        ({"lr": math.nan}, "lr is nan"),
        ({"eps": -1}, "eps is -1"),
        ({"max_iters": 10.5}, "max_iters is 10.5"),
        ({"max_iters": -1}, "max_iters is -1"),
        ({"keep_every": 0}, "keep_every is 0"),
        ({"lr": "a"}, "lr is 'a'; expected a number above 0"),
        ({"lr": None}, "lr is None"),
        ({"lr": 1j}, "lr is 1j"),
        ({"lr": True}, "lr is True"),
        ({"lr": np.array([0.1, 0.2])}, r"lr is array\(\[0.1, 0.2\]\); expected a numb"),
        ({"eps": None}, "eps is None; expected 0 or more"),
        ({"eps": "small"}, "eps is 'small'"),
        ({"max_iters": True}, "max_iters is True; expected a number of steps"),
        ({"keep_every": True}, "keep_every is True"),
        ({"stop": None}, "stop is None; choose one of 'all', 'dW', 'dV'"),
        ({"stop": ["dW"]}, r"stop is \['dW'\]; choose one of"),
        ({"rng": "a"}, "rng is 'a'; expected a NumPy Generator, a seed"),
        ({"rng": -1}, "rng is -1; expected"),
        ({"network": "x"}, "network is 'x'; expected a TwoLayer"),
        ({"network": TwoLayer}, "network is <class .*expected a TwoLayer"),
        ({"stop": "dQ"}, "stop is 'dQ'; choose one of 'all', 'dW', 'dV'"),
    ],
)
def test_arguments_out_of_range(iris, change, words):
    with pytest.raises(ValueError, match=words):
        gradient_descent(*iris, 4, **change)


def test_arguments_that_do_not_fit(iris):
    X, Y = iris
    for M in (0, 2.5, True, "16"):
        with pytest.raises(ValueError, match="M is .*hidden units"):
            gradient_descent(X, Y, M)
    with pytest.raises(ValueError, match=r"Y has shape \(150,\); expected N x C"):
        gradient_descent(X, Y.argmax(1), 4)
    with pytest.raises(ValueError, match=r"Y has shape \(149, 3\)"):
        gradient_descent(X, Y[1:], 4)
    with pytest.raises(ValueError, match=r"shapes \[\(3,\)\]; expected \[\(2,\)\]"):
        descend(lambda p: np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match=r"shapes \[\(2,\)\]; expected"):
        descend(lambda p, q: (p,), (np.ones(2), np.ones(2)))
    with pytest.raises(ValueError, match=r"parameters\[0\] holds complex128"):
        descend(bowl, np.array([1j]))
    with pytest.raises(ValueError, match="parameters is empty"):
        descend(bowl, ())
    with pytest.raises(ValueError, match="names is .*expected 1 different"):
        descend(bowl, np.ones(2), names=("a", "b"))
    with pytest.raises(ValueError, match="names is .*expected 2 different"):
        descend(lambda *p: p, (np.ones(2), np.ones(2)), names=("a", "a"))
    two = np.ones(2), np.ones(2)
    for names in ("a", "b", "a"), "ab", (1, 2), 3, ([], []):
        with pytest.raises(ValueError, match="names is .*expected 2 different"):
            descend(lambda *p: p, two, names=names)
    with pytest.raises(ValueError, match="gradient is 3; expected a function"):
        descend(3, np.ones(2))
    with pytest.raises(ValueError, match="gradient is None; expected a function"):
        descend(None, np.ones(2))
    for wrong in 3, 0, "cost":
        with pytest.raises(ValueError, match=f"cost is {wrong!r}; expected a function"):
            descend(bowl, np.ones(2), cost=wrong)
    masked = np.ma.masked_array(X, X > 6)
    with pytest.raises(ValueError, match="X is a MaskedArray"):
        gradient_descent(masked, Y, 4)
    with pytest.raises(ValueError, match=r"parameters\[1\] is a MaskedArray"):
        descend(lambda *p: p, (X, masked))
    with pytest.raises(ValueError, match="max_iters is None"):
        descend(bowl, np.ones(2), max_iters=None)
    for change in ({"lr": math.inf}, {"eps": math.inf}):
        with pytest.raises(ValueError, match="is inf; expected"):
            descend(bowl, np.ones(2), **change)
    assert descend(bowl, np.ones(2), eps=0, max_iters=3).iterations == 3


def test_numbers_may_be_numpys():
    given = {"lr": np.float32(0.5), "eps": np.float16(0), "max_iters": np.int8(2)}
    assert descend(bowl, np.array([8.0]), **given)[0].tolist() == [2.0]
    steps = {"max_iters": np.int16(300), "keep_every": np.int8(100)}
    run = descend(bowl, np.ones(1), eps=0, **steps)
    assert run.history.iterations.tolist() == [0, 100, 200, 300]
    run = descend(bowl, np.array([8.0]), lr=np.array(0.5), eps=2.0**-12, max_iters=99)
    tiny = {"lr": np.array(0.5), "eps": np.float16(2.0**-12)}  # eps² is 0 in float16
    assert descend(bowl, np.array([8.0]), **tiny, max_iters=99).report == run.report


# ---- what the gradient and the cost may do, and what they may not --------------------


def writes(p):
    p -= 1.0
    return np.full_like(p, 0.5)


def fills(p):
    p[0] = 0
    return np.ones_like(p)


@pytest.mark.parametrize("write", [writes, fills])
def test_a_gradient_or_cost_that_changes_its_argument_is_told_so(write):
    words = "gradient or cost changes an array that is read-only .*p = p - 1"
    for max_iters in (0, 3):
        with pytest.raises(ValueError, match=words):
            descend(write, np.ones(2), max_iters=max_iters, keep_every=1)
        with pytest.raises(ValueError, match=words):
            descend(bowl, np.ones(2), max_iters=max_iters, cost=write)


def test_every_iterate_is_locked_not_only_those_that_are_kept():
    def slope(p):
        return writes(p) if p[0] < 0.75 else np.ones(2)

    with pytest.raises(ValueError, match="changes an array that is read-only"):
        descend(slope, np.ones(2), max_iters=50, keep_every=50)


def test_another_error_of_the_gradient_stays_as_it_is():
    def slope(p):
        raise ValueError("not today")

    with pytest.raises(ValueError, match="^not today$"):
        descend(slope, np.ones(2))


@pytest.mark.parametrize("start", [np.ones(2), np.array(1.0), (np.ones(2), 1.0)])
def test_the_parameters_are_ones_own_and_the_history_a_record(start):
    run = descend(lambda *p: p if len(p) > 1 else p[0], start, max_iters=3)
    last = [np.array(p) for p in run.history.iterates[-1]]
    for p in run:
        if isinstance(p, np.ndarray):
            p += 100
    for kept, was in zip(run.history.iterates[-1], last, strict=True):
        assert np.array_equal(kept, was)
    for iterate in run.history.iterates:
        assert not any(p.flags.writeable for p in iterate)


def first_then(first, later, when=3):
    """A gradient that returns something else from a certain call on."""
    calls = iter(range(10**6))
    return lambda *p: first if next(calls) < when else later


@pytest.mark.parametrize("keep_every", [1, 5, 100])
@pytest.mark.parametrize(
    "later, words",
    [
        (np.ones((2, 2)), r"shapes \[\(2, 2\)\]; expected \[\(2,\)\]"),
        (np.ones(1), r"shapes \[\(1,\)\]; expected"),
        (1.0, r"shapes \[\(\)\]; expected"),
        (np.ones(2) * 1j, "dp0 as a ndarray of complex128"),
    ],
)
def test_what_the_gradient_returns_later_is_checked_too(later, words, keep_every):
    with pytest.raises(ValueError, match=words):
        descend(
            first_then(np.ones(2), later),
            np.ones(2),
            max_iters=12,
            keep_every=keep_every,
        )


def test_parameters_that_grew_on_the_way_are_found_at_the_end():
    calls = iter([np.ones(2), np.ones((2, 2)), np.ones(2), np.ones(2)])
    words = r"made the parameters \[\(2, 2\)\] within 3 steps; expected \[\(2,\)\]"
    with pytest.raises(ValueError, match=words):
        descend(lambda p: next(calls), np.ones(2), max_iters=3, keep_every=9)


@pytest.mark.parametrize(
    "returned, words",
    [
        (None, r"shapes \[\(\)\]"),
        (np.ones(2) * 1j, "dp0 as a ndarray of complex128; expected a plain array"),
        ([1.0, 2.0], "dp0 as a list of float64; .*np.asarray"),
        (np.int8([16, 16]), "dp0 as a ndarray of int8"),  # its square is 0
        (np.float16([1e-4, 0]), "dp0 as a ndarray of float16"),  # so is this one's
        (np.array([True, False]), "dp0 as a ndarray of bool"),
        (np.array(["a", "b"]), "dp0 as a ndarray of <U1"),
        (np.ma.masked_array(np.ones(2)), "dp0 as a MaskedArray"),
    ],
)
def test_a_gradient_returns_a_plain_array_of_floats(returned, words):
    with pytest.raises(ValueError, match=f"gradient returned .*{words}"):
        descend(lambda p: returned, np.ones(2))


def test_several_gradients_come_in_a_tuple():
    two = np.ones(2), np.ones(2)
    for returned, called in ((g for g in two), "generator"), (None, "NoneType"):
        with pytest.raises(ValueError, match=f"returned a {called}; expected a tuple"):
            descend(lambda W, V, given=returned: given, two, names=("W", "V"))
    assert descend(lambda *p: np.stack(p), two, max_iters=2).iterations == 2
    narrow = descend(lambda *p: [np.float32(1), 2], (1.0, 2.0), lr=0.5, max_iters=1)
    assert narrow.parameters == (0.5, 1.0)


@pytest.mark.parametrize("value", [None, np.ones(2), "low", 1j, [1.0]])
def test_a_cost_is_one_number(value):
    with pytest.raises(ValueError, match="cost returned .*; expected one number"):
        descend(bowl, np.ones(2), cost=lambda p: value)


# ---- the bar -------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock on which every look takes a tenth of a second."""
    ticks = iter(range(10**9))
    monkeypatch.setattr(descent.time, "perf_counter", lambda: next(ticks) * 0.11)


def run_seen_on(stderr, monkeypatch, **options):
    monkeypatch.setattr(sys, "stderr", stderr)
    descend(bowl, np.array([1.0]), lr=1e-6, **{"max_iters": 5000, **options})
    return stderr.getvalue()


def test_a_long_run_at_a_terminal_shows_a_bar(monkeypatch, clock):
    seen = run_seen_on(Terminal(), monkeypatch)
    assert re.search(r"descent: .*\d+/5000", seen)


def test_a_long_run_elsewhere_prints_nothing(monkeypatch, clock):
    assert run_seen_on(io.StringIO(), monkeypatch) == ""


def test_a_short_run_prints_nothing(monkeypatch):
    assert run_seen_on(Terminal(), monkeypatch, max_iters=50) == ""


def test_the_bar_can_be_asked_for_and_forbidden(monkeypatch, clock):
    assert "descent" in run_seen_on(io.StringIO(), monkeypatch, progress=True)
    assert run_seen_on(Terminal(), monkeypatch, progress=False) == ""


def test_the_bar_comes_to_its_end_and_is_closed(monkeypatch):
    bars, ended = [], []

    class Bar(tqdm):
        def update(self, n=1):
            bars.append(self)  # kept: it must not be closed by its own end
            super().update(n)

        def close(self):
            ended.append((self.n, self.total))
            super().close()

    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    run_seen_on(io.StringIO(), monkeypatch, progress=True, max_iters=77)
    assert ended == [(77, 77)]
    X, Y = np.ones((4, 2)), np.eye(4)
    gradient_descent(X, Y, 2, max_iters=5, rng=0, progress=True)
    assert ended[1:] == [(5, 5)]


@pytest.mark.parametrize("steps, shown", [(1400, False), (1600, True), (5000, True)])
def test_at_a_millisecond_a_step_the_bar_moves_ten_times_a_second(
    monkeypatch, steps, shown
):
    """And comes by itself once the run is expected to take more than a second and a half."""
    now, moved = [0.0], []

    class Bar(tqdm):
        def update(self, n=1):
            moved.append(self.n + n)
            assert not self.leave and self.unit == "step"
            super().update(n)

    def slope(p):
        now[0] += 0.001
        return p

    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    monkeypatch.setattr(descent.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", Terminal())
    descend(slope, np.array([1.0]), lr=1e-6, max_iters=steps)
    assert bool(moved) == shown
    if shown:
        assert moved[0] < 350 and moved[-1] == steps
        assert all(95 <= gap <= 101 for gap in np.diff(moved[:-1]))


def test_tqdm_is_imported_only_when_a_bar_is_shown():
    import subprocess

    code = (
        "import sys, numpy as np; from comp551ad.byhand.descent import descend;"
        "descend(lambda p: p, np.ones(2), max_iters=9); print('tqdm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_in_a_notebook_only_a_front_end_that_could_answer_is_watching():
    """A person's front end allows input(); a program that runs notebooks doesn't."""
    kernel, client = start_new_kernel()
    try:
        seen = []
        for allow_stdin in (True, False):
            client.execute_interactive(
                "from comp551ad.byhand.descent import _someone_is_watching as w\n"
                "print(w())",
                allow_stdin=allow_stdin,
                timeout=60,
                output_hook=lambda m: seen.append(m["content"].get("text", "")),
            )
        assert "".join(seen).split() == ["True", "False"]
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)

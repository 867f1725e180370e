"""comp551ad/byhand/descent.py: the deck's iterates, stopping rules, history, progress bar."""

import inspect
import io
import math
import re
import sys
import time

import numpy as np
import pytest

from comp551ad.byhand.descent import Descent, descend, gradient_descent
from comp551ad.byhand.two_layer import (
    NotFiniteError,
    TwoLayer,
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
    assert len(run) == 2 and np.array_equal(run[0], W) and np.array_equal(run[1], V)
    assert run.iterations == t == 300 and run.reason == "max_iters"
    for kept, made in zip(run.history.iterates, deck, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(kept, made, strict=True))


def test_the_decks_signature_and_defaults(iris):
    decks = inspect.signature(gradient_descent).parameters
    ours = inspect.signature(descend).parameters
    assert [*decks][:6] == ["X", "Y", "M", "lr", "eps", "max_iters"]
    for name, default in {"lr": 0.1, "eps": 1e-9, "max_iters": 100000}.items():
        assert decks[name].default == ours[name].default == default
    assert (decks["stop"].default, ours["stop"].default) == ("dW", "all")
    # Lists are accepted, and one unit is enough.
    run = gradient_descent(*(A.tolist() for A in iris), 1, max_iters=1)
    assert isinstance(run.parameters, tuple) and run[0].shape == (1, 3)


# ---- stopping rules ------------------------------------------------------------------


def test_other_networks_may_have_an_output_bias(iris):
    network = TwoLayer("regression", "tanh", output_bias=True)
    run = gradient_descent(*iris, 5, max_iters=9, rng=0, lr=0.02, network=network)
    assert run[0].shape == (6, 3) and type(run.history.iterates) is list
    assert run.history.cost[-1] == network.cost(*iris, *run) < run.history.cost[0]


def test_small_gradient_stops_after_the_step_it_made():
    run = descend(bowl, np.array([8.0]), lr=0.5, eps=2.0)
    # gradients 8, 4, 2: the last is <= eps, and its step is still taken
    assert run.reason == "small gradient" and run.iterations == 3
    assert run.parameters[0].tolist() == [1.0]
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


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e200])
def test_diverged_ends_at_the_last_good_iterate(bad):
    def slope(p):
        return np.array([bad if p[0] < 3 else 1.0])

    run = descend(slope, np.array([5.0]), lr=1.0)
    assert run.reason == "diverged" and run.iterations == 3
    assert run.parameters[0].tolist() == [2.0]
    assert "try a smaller lr" in run.report


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
    with pytest.raises(NotFiniteError, match=r"X\[3, 1\]: got nan"):
        gradient_descent(X, Y, 4, rng=0)
    W, V = np.ones((4, 3)), np.ones((3, 4))
    with pytest.raises(NotFiniteError, match=r"X\[3, 1\]: got nan"):
        descend(lambda W, V: gradients(X, Y, W, V), (W, V))


# ---- Ctrl-C --------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["gradient", "cost"])
def test_ctrl_c_returns_what_was_reached(place):
    calls = []

    def called(where):
        calls.append(where)
        if where == place and calls.count(where) == 26:
            raise KeyboardInterrupt

    def slope(p):
        called("gradient")
        return p

    def height(p):
        called("cost")
        return float(p @ p) / 2

    run = descend(slope, np.array([1.0]), cost=height, max_iters=1000, keep_every=1)
    assert run.reason == "interrupted" and run.iterations == 25
    assert run.parameters[0][0] == pytest.approx(0.9**25)
    assert run.history.iterations.tolist() == list(range(26))
    assert run.report.startswith("interrupted after 25 iterations of 1,000")


# ---- history and messages ------------------------------------------------------------


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
    assert (run.reason, run.iterations) == ("diverged", 3) and "cost" not in run.report
    assert history.iterations.tolist() == [0, 3] and np.isnan(history.cost[1])
    assert history.norms["dp0"][0] == 1 and np.isnan(history.norms["dp0"][1])
    assert [type(i) for i in history.iterates] == [tuple, tuple]


@pytest.mark.parametrize(
    "max_iters, step", [(10, 1), (1000, 1), (1001, 2), (2500, 3), (3000, 3)]
)
def test_a_thousand_iterates_at_most_are_kept_unless_asked(max_iters, step):
    run = descend(bowl, np.array([1.0]), lr=1e-6, max_iters=max_iters)
    kept = [*range(0, max_iters, step), max_iters]
    assert run.history.iterations.tolist() == kept


def test_repr_says_which_rule_ended_it():
    run = descend(bowl, np.array([8.0]), lr=0.5, eps=1.0, names=["w"], stop="dw")
    assert repr(run) == "Descent: stopped after 4 iterations: ‖dw‖ <= 1; ‖dw‖ 5e-01"
    half = descend(bowl, np.array([1.0]), cost=lambda p: 0.125, max_iters=1, eps=0.5)
    assert half.report == (
        "used all 1 iteration: ‖the gradient‖ stayed above 0.5; cost 0.125, ‖dp0‖ 9e-01"
    )
    assert isinstance(run, Descent)


# ---- bad arguments -------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, words",
    [
        ({"lr": 0}, "lr: got 0, expected a finite number above 0"),
        ({"eps": -1}, "eps: got -1, expected a finite number from 0"),
        ({"max_iters": -1}, "max_iters: got -1, expected a whole number from 0"),
        ({"keep_every": 0}, "keep_every: got 0, expected a whole number from 1"),
        ({"stop": "dQ"}, "stop: got 'dQ', expected one of 'all', 'dW', 'dV'"),
        ({"rng": "a"}, "rng: got 'a', expected a NumPy Generator, a seed"),
        ({"M": 0}, "M: got 0, expected a whole number from 1"),
        ({"Y": np.zeros(150)}, r"Y: got shape \(150,\), expected N x C"),
        ({"Y": np.ones((149, 3))}, r"Y: got shape \(149, 3\), expected .* = 150 x C"),
    ],
)
def test_arguments_that_do_not_fit(iris, change, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        gradient_descent(**{"X": iris[0], "Y": iris[1], "M": 4, **change})


def test_names_are_different_and_as_many_as_the_parameters():
    for names in ("a",), ("a", "a"), ("a", "b", "c"):
        with pytest.raises(ValueError, match="names: got .*expected 2 different ones"):
            descend(lambda *p: p, (np.ones(2), np.ones(2)), names=names)
    run = descend(lambda *p: p, (np.ones(2), np.ones(2)), names=["a", "b"], max_iters=1)
    assert [*run.history.norms] == ["da", "db"]
    with pytest.raises(ValueError, match=r"parameters\[1\]: got ndarray of complex128"):
        descend(lambda *p: p, [np.ones(2), np.array([1j])])


# ---- what the gradient and the cost may and may not do -------------------------------


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


def writes(p):
    p -= 1.0
    return np.full_like(p, 0.5)


def test_the_iterates_are_read_only_for_gradient_and_cost():
    def later(p):
        return writes(p) if p[0] < 0.75 else np.ones(2)

    for max_iters in (0, 3):
        for options in {"gradient": writes}, {"gradient": bowl, "cost": writes}:
            with pytest.raises(ValueError, match="read-only"):
                descend(parameters=np.ones(2), max_iters=max_iters, **options)
    with pytest.raises(ValueError, match="read-only"):
        descend(later, np.ones(2), max_iters=50, keep_every=50)


@pytest.mark.parametrize("keep_every", [1, 5])
@pytest.mark.parametrize(
    "returned",
    [
        np.ones((2, 2)),
        np.ones(1),
        1.0,
        [1.0, 2.0],
        (np.ones(2), np.ones(2)),
        np.ones(2) * 1j,
        np.int8([16, 16]),  # whose square is 0
        np.float16([1e-4, 0]),  # and so is this one's
        np.array([True, False]),
        np.array(["a", "b"]),
        np.ma.masked_array(np.ones(2)),
    ],
)
@pytest.mark.parametrize("first", [0, 3])
def test_a_gradient_returns_a_plain_array_of_floats(returned, first, keep_every):
    """Checked on the first call and on later ones."""
    calls = iter(range(10**6))
    with pytest.raises((ValueError, TypeError)) as error:
        descend(
            lambda p: np.ones(2) if next(calls) < first else returned,
            np.ones(2),
            max_iters=12,
            keep_every=keep_every,
        )
    words = r"gradient: returned .*, expected floats of shapes \[\(2,\)\]; return"
    assert first % keep_every or re.match(words, str(error.value))


def test_several_gradients_come_in_a_sequence():
    two = np.ones(2), np.ones(2)
    for returned in (g for g in two), None, two[:1], (1.0, *two[1:]):
        with pytest.raises(ValueError, match="returned .*; return arrays dp0, dp1 in"):
            descend(lambda *p, given=returned: given, two)
    assert descend(lambda *p: np.stack(p), two, max_iters=2).iterations == 2
    numbers = descend(lambda *p: [np.float32(1), 2], (1.0, 2.0), lr=0.5, max_iters=1)
    assert numbers.parameters == (0.5, 1.0)


@pytest.mark.parametrize("value", [None, np.ones(2), "low", 1j, [1.0], True])
def test_a_cost_is_one_number(value):
    with pytest.raises(ValueError, match="cost: returned .*, expected one number"):
        descend(bowl, np.ones(2), cost=lambda p: value)
    run = descend(bowl, np.ones(2), cost=lambda p: np.array(3), max_iters=0)
    assert run.history.cost.tolist() == [3.0]


# ---- the progress bar ----------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    "stream, progress, seconds, shown",
    [
        (Terminal, None, 1.3, True),
        (Terminal, None, 0.0, False),
        (Terminal, False, 1.3, False),
        (io.StringIO, None, 1.3, False),  # as in a notebook run by a program
        (io.StringIO, True, 0.0, True),
    ],
)
def test_a_bar_is_shown_where_somebody_watches(
    monkeypatch, stream, progress, seconds, shown
):
    monkeypatch.setattr(sys, "stderr", stream())

    def slope(p):
        if p[0] > 0.95:
            time.sleep(seconds / 10)
        return np.full(1, 0.05)

    run = descend(slope, np.ones(1), lr=0.1, max_iters=12, progress=progress)
    assert run.iterations == 12
    seen = sys.stderr.getvalue()
    assert (
        bool(re.search(r"descent: .*/12", seen)) == shown and ("step" in seen) == shown
    )
    assert not shown or seen.endswith("\r")  # the bar is removed at the end

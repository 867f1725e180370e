"""Players for ideas that are not a trace: what each frame says is what is the case."""

import base64
import math
import re
from html import unescape

import numpy as np
import pytest

from comp551ad import (
    PicturePlayer,
    TwoLayer,
    batch_norm_player,
    depth_player,
    descent_player,
    difference_player,
    gradient_descent,
    load_iris,
    path_player,
    symmetry_player,
)

PICTURE = r'<img alt="([^"]+)" width="(\d+)" src="data:image/png;base64,([^"]+)">'


def pictures(frame):
    return re.findall(PICTURE, frame["html"])


# ---------------------------------------------------------------- the player


def test_a_player_shows_its_last_frame_where_no_script_runs():
    frames = [{"title": f"{k} & co", "html": f"<b>{k}</b>"} for k in range(3)]
    player = PicturePlayer("Counting", frames)
    shown = player._repr_html_()
    still = shown.split("<script", 1)[0]
    assert "<b>2</b>" in still and "<p>2 &amp; co</p>" in still
    assert "<b>1</b>" not in still
    assert repr(player) == "Counting: 3 frames, from “0 & co” to “2 & co”"
    assert len(player) == 3


def test_frames_that_are_none_or_lack_something_are_refused():
    with pytest.raises(ValueError, match="frames is empty"):
        PicturePlayer("Nothing", [])
    with pytest.raises(ValueError, match=r"frames\[1\] lacks html"):
        PicturePlayer("Half", [{"title": "a", "html": "b"}, {"title": "c"}])
    with pytest.raises(TypeError, match=r"frames\[0\]: got int, expected a dict"):
        PicturePlayer("Numbers", [3])
    question = {"title": "a", "html": "b", "question": {"answer": np.nan}}
    with pytest.raises(TypeError, match=r"frames\[0\]: .*, and in a question finite"):
        PicturePlayer("Nan", [question])


# ---------------------------------------------------------------- descent


@pytest.fixture(scope="module")
def descent():
    X, Y = load_iris()
    network = TwoLayer()
    return X, Y, network, gradient_descent(X, Y, 4, max_iters=300, rng=0)


def test_a_descent_is_shown_from_its_start_to_its_end(descent):
    X, Y, network, run = descent
    player = descent_player(run, X, Y, network.predict, ("a", "b", "c"), frames=3)
    assert [f["title"] for f in player.frames][::2] == [
        "After 0 iterations",
        "After 300 iterations",
    ]
    share = np.mean(network.predict(X, *run).argmax(1) == Y.argmax(1))
    assert player.frames[-1]["result"] == f"{share:.0%} of the rows right"
    assert player.frames[0]["numbers"].startswith("cost = ")
    ((alt, width, data),) = pictures(player.frames[-1])
    assert "after 300 iterations" in alt
    assert int(width) < 600
    assert len(base64.b64decode(data)) < 20_000
    with pytest.raises(ValueError, match="frames: got 1, expected 2 or more"):
        descent_player(run, X, Y, network.predict, frames=1)
    with pytest.raises(ValueError, match="class_names: got 2, expected 3"):
        descent_player(run, X, Y, network.predict, ("a", "b"))
    with pytest.raises(
        ValueError, match=r"Y: got shape \(150,\), expected N x C one-hot"
    ):
        descent_player(run, X, Y.argmax(axis=1), network.predict)


def test_more_classes_than_colours():
    X, Y = np.random.default_rng(0).normal(size=(24, 2)), np.eye(12)[np.arange(24) % 12]
    run = gradient_descent(X, Y, 4, max_iters=3, rng=0)
    assert len(descent_player(run, X, Y, TwoLayer().predict, frames=2)) == 2


# ---------------------------------------------------------------- differences


def test_the_step_of_a_difference_and_its_error():
    player = difference_player(np.exp, 0.0, 1.0, exponents=(1, 5, 15))
    assert [f["title"] for f in player.frames] == [
        "A step of 10 to the power −1",
        "A step of 10 to the power −5",
        "A step of 10 to the power −15",
    ]
    errors = [float(f["result"].split()[-1].replace("−", "-")) for f in player.frames]
    assert errors[1] < 1e-9 < errors[0] and errors[1] < 1e-3 < errors[2]
    assert "difference 1.0016675002" in player.frames[0]["numbers"]  # sinh(0.1) / 0.1


@pytest.mark.parametrize("log", [np.log, math.log])
def test_where_a_function_has_no_value_there_is_no_difference(log):
    player = difference_player(
        log, 0.12, 1 / 0.12, exponents=(1, 5)
    )  # a gap beyond x - h
    assert len(player) == 2
    with pytest.raises(
        ValueError, match=r"exponents: for \[0\] the central difference at"
    ):
        difference_player(log, 0.5, 2.0, exponents=(0, 1))


@pytest.mark.parametrize("exponent", [400, -400])
def test_a_step_that_is_no_number_is_refused(exponent):
    with pytest.raises(
        ValueError, match=rf"exponents: got \[{exponent}\], expected whole"
    ):
        difference_player(np.exp, 0.0, 1.0, exponents=(1, exponent))


# ---------------------------------------------------------------- symmetries


def test_the_loss_is_said_to_stay_only_where_it_does():
    X, Y = load_iris()
    network = TwoLayer(hidden="tanh")
    rng = np.random.default_rng(0)
    W, V = rng.normal(size=(2, 3)), rng.normal(size=(3, 2))
    moves = {
        "start": (W, V),
        "swap": (W[::-1], V[:, ::-1]),
        "half a swap": (W[::-1], V),
        "negate": (-W, -V),
        "rescale": (W / 2, V * 2),
    }
    player = symmetry_player(moves, lambda W, V: network.cost(X, Y, W, V))
    said = {f["title"]: f["result"].split(": ")[1] for f in player.frames}
    assert said == {
        "start": "the same",
        "swap": "the same",
        "half a swap": "another one",
        "negate": "the same",
        "rescale": "another one",
    }


# ---------------------------------------------------------------- depth


def test_a_signal_layer_by_layer():
    ones = np.ones((4, 2))
    player = depth_player({"halved": [ones, ones / 2], "kept": [ones, -ones]})
    assert [f["result"] for f in player.frames] == [
        "halved: 1\nkept: 1",
        "halved: 0.5\nkept: 1",
    ]
    with pytest.raises(ValueError, match="expected the same for all"):
        depth_player({"a": [ones], "b": [ones, ones]})
    with pytest.raises(ValueError, match=r"signals\['a'\]\[1\]: got an empty array"):
        depth_player({"a": [ones, []]})
    for odd in (np.nan, np.inf, 1e300):
        with pytest.raises(ValueError, match=r"signals\['a'\]\[1\]: got values whose"):
            depth_player({"a": [ones, odd * ones]})


def test_more_networks_than_colours():
    ones = np.ones((4, 2))
    assert len(depth_player({f"network {k}": [ones, ones] for k in range(20)})) == 2


# ---------------------------------------------------------------- batches


def test_batches_by_their_own_mean_and_a_query_by_what_was_kept():
    player = batch_norm_player([[1.0, 3.0], [2.0, 6.0]], [4.0], rate=0.5)
    train, last, test = player.frames
    # variances 1 and 4; kept are N / (N - 1) times those: 2, then (2 + 8) / 2
    assert train["numbers"] == "batch: mean 2, variance 1\nkept: mean 2, variance 2"
    assert last["numbers"] == "batch: mean 4, variance 4\nkept: mean 3, variance 5"
    assert train["result"] == "after: mean 0, variance 1"
    assert test["numbers"] == "kept: mean 3, variance 5"
    assert test["result"] == "4 becomes 0.4472"  # (4 - 3) / sqrt(5)


def test_nothing_to_show_is_refused_by_its_name():
    assert len(batch_norm_player([[1.0, 3.0]], [])) == 1
    with pytest.raises(ValueError, match="batches is empty"):
        batch_norm_player([], [1.0])
    with pytest.raises(ValueError, match="moves is empty"):
        symmetry_player({}, abs)


# ---------------------------------------------------------------- paths

LAYERS = [["x"], ["u", "v"], ["f"]]
SPEEDS = {("x", "u"): 0.5, ("x", "v"): -2.0, ("u", "f"): 3.0, ("v", "f"): 1.5}


def test_every_path_has_its_product_and_the_last_frame_their_sum():
    player = path_player(LAYERS, SPEEDS, "x", "f")
    found = [(f["numbers"], f["result"]) for f in player.frames]
    assert found == [
        ("0.5 · 3", "= 1.5"),
        ("(−2) · 1.5", "= −3"),
        ("1.5 + (−3)", "= −1.5"),
    ]
    ((alt, _, _),) = pictures(player.frames[-1])
    assert unescape(alt).startswith("All paths")
    with pytest.raises(ValueError, match="speeds: got the circle u → f → u"):
        path_player(LAYERS, {**SPEEDS, ("f", "u"): 1.0}, "x", "f")
    with pytest.raises(ValueError, match="no path leads from 'f' to 'x'"):
        path_player(LAYERS, SPEEDS, "f", "x")

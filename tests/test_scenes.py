"""Players for ideas that aren't traces: the texts of each frame are true."""

import re

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
from comp551ad.show import palette
from comp551ad.show.figures import number


def results(player):
    return [(frame["numbers"], frame["result"]) for frame in player.frames]


# ---------------------------------------------------------------- the player


def test_a_player_shows_its_last_frame_where_no_script_runs():
    frames = [{"title": f"{k} & co", "html": f"<b>{k}</b>"} for k in range(3)]
    player = PicturePlayer("Counting", frames)
    still = player._repr_html_().split("<script", 1)[0]
    assert "<b>2</b>" in still and "<p>2 &amp; co</p>" in still
    assert "<b>1</b>" not in still
    assert repr(player) == "Counting: 3 frames, from “0 & co” to “2 & co”"
    assert len(player) == 3


# ---------------------------------------------------------------- descent


def test_a_descent_is_shown_from_its_start_to_its_end():
    (X, Y), network = load_iris(), TwoLayer()
    run = gradient_descent(X, Y, 4, max_iters=300, rng=0)
    player = descent_player(run, X, Y, network.predict, ("a", "b", "c"), frames=2)
    first, *_, last = player.frames
    assert first["title"] == "After 0 iterations"
    assert first["numbers"].startswith("cost = ")
    right = np.sum(network.predict(X, *run).argmax(1) == Y.argmax(1))
    assert last["result"] == f"{right} of 150 rows classified correctly"
    assert 'alt="After 300 iterations.' in last["html"]
    for wrong in (Y.argmax(axis=1), Y.argmax(axis=1)[:, None] + 0.5, Y - 0.3, Y[:99]):
        with pytest.raises(ValueError, match="^Y: got .*, expected"):
            descent_player(run, X, wrong, network.predict)


# ---------------------------------------------------------------- differences


def test_the_step_of_a_difference_and_its_error(drawn):
    player = difference_player(np.exp, 0.0, 1.0)
    frames = [player.frames[k] for k in (1, 5, 15)]
    assert [f["title"] for f in frames] == [
        "A step of 10 to the power −1",
        "A step of 10 to the power −5",
        "A step of 10 to the power −15",
    ]
    errors = [float(f["result"].split()[-1].replace("−", "-")) for f in frames]
    assert errors[1] < 1e-9 < errors[0] and errors[1] < 1e-3 < errors[2]
    assert "difference 1.0016675002" in frames[0]["numbers"]  # sinh(0.1) / 0.1

    # Steps at which the function has no value are left out.
    first = difference_player(np.log, 0.12, 1 / 0.12).frames[0]
    assert first["title"] == "A step of 10 to the power −1"


# ---------------------------------------------------------------- symmetries


def test_the_loss_stays_the_same_only_where_it_does():
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
    different = {"half a swap", "rescale"}
    assert said == {k: "different" if k in different else "the same" for k in moves}
    start = player.frames[0]["html"]
    for name, weights in {"V 3×2": V, "W 2×3": W}.items():
        assert name in re.sub("<[^>]*>", "", start)
        assert all(f">{number(x)}<" in start for x in weights.flat)
        peak = weights.flat[np.abs(weights).argmax()]
        assert f'{palette.HEAT[-1 if peak > 0 else 0]}">{number(peak)}<' in start


@pytest.mark.parametrize(
    "start, change, was, now",
    [
        (1e-9, 2.0, "1e−9", "2e−9: different"),
        (1e-9, 1.0, "1e−9", "1e−9: the same"),
        (0.5, 1.5, "0.5", "0.75: different"),
        (1.0, 1 + 1e-8, "1", "1.00000001: different"),
    ],
)
def test_losses_are_compared_by_their_size(start, change, was, now):
    one = np.ones((1, 1))
    moves = {"start": (one, one), "b": (change * one, one)}
    numbers, result = results(symmetry_player(moves, lambda W, V: start * W.sum()))[1]
    assert numbers.endswith(f"at the start J = {was}") and result == f"now J = {now}"


# ---------------------------------------------------------------- depth


def test_a_signal_layer_by_layer(drawn):
    ones = np.ones((4, 2))
    player = depth_player({"_halved": [ones, ones / 2], "kept": [ones, -ones]})
    found = [result for _, result in results(player)]
    assert found == ["_halved: 1\nkept: 1", "_halved: 0.5\nkept: 1"]
    legend = drawn[0][1].get_legend().get_texts()
    assert [text.get_text() for text in legend] == ["_halved", "kept"]
    # The squares of these overflow or underflow.
    sizes = {"a": [np.full((2, 2), size) for size in (1e-170, 1.0, 1e170)]}
    found = [result for _, result in results(depth_player(sizes))]
    assert found == ["a: 1e−170", "a: 1", "a: 1e170"]


# ---------------------------------------------------------------- batches


def test_batches_by_their_own_mean_and_a_query_by_what_was_kept():
    player = batch_norm_player([[1.0, 3.0], [2.0, 6.0]], [4.0], rate=0.5)
    # Variances 1 and 4; the averages use N / (N - 1) times those: 2, then (2 + 8) / 2.
    assert results(player) == [
        ("batch: mean 2, variance 1\nrunning average: mean 2, variance 2",
         "after: mean 0, variance 1"),
        ("batch: mean 4, variance 4\nrunning average: mean 3, variance 5",
         "after: mean 0, variance 1"),
        # (4 - 3) / sqrt(5)
        ("running average: mean 3, variance 5", "4 becomes 0.4472"),
    ]  # fmt: skip


def test_the_picture_holds_all_points(drawn):
    batch_norm_player([[1.0, 3.0], [2.0, 6.0]], [90.0])
    for ax in np.ravel(drawn):
        (points,) = (c.get_offsets()[:, 0] for c in ax.collections)
        low, high = ax.get_xlim()
        assert low < points.min() and points.max() < high
    # Nothing jumps from frame to frame.
    assert len({tuple(ax.get_xlim() for ax in axes) for axes in drawn}) == 1


# ---------------------------------------------------------------- paths


LAYERS = [["x"], ["u", "v"], ["f"]]
SPEEDS = {("x", "u"): 0.5, ("x", "v"): -2.0, ("u", "f"): 3.0, ("v", "f"): 1.5}


def test_every_path_has_its_product_and_the_last_frame_their_sum():
    player = path_player(LAYERS, SPEEDS, "x", "f")
    assert results(player) == [
        ("0.5 · 3", "= 1.5"),
        ("(−2) · 1.5", "= −3"),
        ("1.5 + (−3)", "= −1.5"),
    ]
    assert '<img alt="All paths' in player.frames[-1]["html"]


# ---------------------------------------------------------------- errors

CYCLE = SPEEDS | {("f", "u"): 1.0}
# Values of the wrong type are tested in test_show_arguments.py.
REFUSED = [
    (lambda: PicturePlayer("", [{"title": "c"}]), "got title, expected title and html"),
    (lambda: PicturePlayer("", [{"title": "a", "html": 5}]), r"\['html'\]: got int"),
    (lambda: depth_player({"a": [1], "b": [1, 1]}), "signals: got depths .* the same"),
    (lambda: depth_player({"a": [1, []]}), r"signals\['a'\]\[1\]'s size: got 0"),
    (lambda: depth_player({"a": [1, [np.inf]]}), r"signals\['a'\]\[1\]\[0\]: got inf"),
    (lambda: batch_norm_player([np.ones((3, 1))], [1]), r"batches\[0\]: got shape"),
    (
        lambda: batch_norm_player([[1.0]], [1]),
        r"batches\[0\]'s length: got 1, .* from 2",
    ),
    (lambda: path_player(LAYERS, SPEEDS, "f", "x"), "start, end: got 'f' and 'x', exp"),
    (lambda: path_player(LAYERS, CYCLE, "x", "f"), "speeds: got the cycle u → f → u"),
]


@pytest.mark.parametrize("play, words", REFUSED)
def test_what_cannot_be_played_is_refused(play, words):
    with pytest.raises((TypeError, ValueError), match=words):
        play()

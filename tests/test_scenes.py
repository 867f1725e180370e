"""Players for ideas that are not a trace: the words of each frame are true."""

import math
import re
from html import unescape

import matplotlib.pyplot as plt
import numpy as np
import pytest

import comp551ad.show.scenes as scenes
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

PICTURE = r'<img alt="([^"]+)" width="(\d+)" src="data:image/png;base64,([^"]+)">'


def pictures(frame):
    return re.findall(PICTURE, frame["html"])


# ---------------------------------------------------------------- descent


def test_a_descent_is_shown_from_its_start_to_its_end():
    (X, Y), network = load_iris(), TwoLayer()
    run = gradient_descent(X, Y, 4, max_iters=300, rng=0)
    player = descent_player(run, X, Y, network.predict, ("a", "b", "c"), frames=3)
    first, *_, last = player.frames
    assert first["title"] == "After 0 iterations"
    assert first["numbers"].startswith("cost = ")
    share = np.mean(network.predict(X, *run).argmax(1) == Y.argmax(1))
    assert last["result"] == f"{share:.0%} of the rows classified correctly"
    assert "after 300 iterations" in last["html"]
    for wrong in (Y.argmax(axis=1), Y.argmax(axis=1)[:, None], Y - 0.3, Y[:99]):
        with pytest.raises(ValueError, match="^Y: got .*, expected (N x C|one-hot)"):
            descent_player(run, X, wrong, network.predict)


@pytest.mark.parametrize(
    "part, text",
    [(1, "100%"), (0.997, "more than 99%"), (0.5, "50%")]
    + [(0.003, "less than 1%"), (0, "0%")],
)
def test_only_all_is_100_per_cent_and_only_none_is_0(part, text):
    assert scenes._share(part) == text


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
    with pytest.raises(ValueError, match="frames: got none"):
        PicturePlayer("Nothing", [])
    with pytest.raises(
        ValueError, match=r"frames\[1\]: got title, expected title and html; add html"
    ):
        PicturePlayer("Half", [{"title": "a", "html": "b"}, {"title": "c"}])
    with pytest.raises(TypeError, match=r"frames\[0\]: got int, expected a dict"):
        PicturePlayer("Numbers", [3])
    question = {"title": "a", "html": "b", "question": {"answer": np.nan}}
    with pytest.raises(TypeError, match=r"frames\[0\]: .*, and in a question finite"):
        PicturePlayer("Nan", [question])
    for key in ("title", "html", "note"):
        frame = {"title": "a", "html": "b", key: 5}
        with pytest.raises(
            TypeError, match=rf"frames\[0\]\['{key}'\]: got int, expected"
        ):
            PicturePlayer("A number for a text", [frame])


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
        ValueError, match=r"exponents: got \[0\], where the central difference at"
    ):
        difference_player(log, 0.5, 2.0, exponents=(0, 1))


@pytest.mark.parametrize("exponent", [400, -400, 0.5, np.nan])
def test_a_step_that_is_no_number_is_refused(exponent):
    with pytest.raises(
        ValueError, match=rf"exponents\[1\]: got {exponent}, expected a whole"
    ):
        difference_player(np.exp, 0.0, 1.0, exponents=(1, exponent))


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
    assert said == {
        "start": "the same",
        "swap": "the same",
        "half a swap": "different",
        "negate": "the same",
        "rescale": "different",
    }
    (start, *_) = (frame["html"] for frame in player.frames)
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
    player = symmetry_player(
        {"start": (one, one), "b": (change * one, one)}, lambda W, V: start * W.sum()
    )
    assert player.frames[1]["numbers"].endswith(f"at the start J = {was}")
    assert player.frames[1]["result"] == f"now J = {now}"


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
    for odd in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"signals\['a'\]\[1\]: got nan or inf"):
            depth_player({"a": [ones, odd * ones]})
    for none in ({}, {"a": []}):
        with pytest.raises(ValueError, match="signals: got .* at least one network"):
            depth_player(none)


def test_every_network_is_in_the_legend(monkeypatch):
    fig, axes = plt.subplots(1, 2)
    monkeypatch.setattr(scenes, "_picture", lambda alt, draw, *_: draw(*axes) or alt)
    depth_player(dict.fromkeys(["_a", "b"], [np.ones(3)]))
    texts = [text.get_text() for text in axes[1].get_legend().get_texts()]
    plt.close(fig)
    assert texts == ["_a", "b"]


def test_a_layer_of_tiny_or_huge_values_has_a_size():
    layers = [np.full((2, 2), size) for size in (1e-170, 1.0, 1e170)]
    shown = [frame["result"] for frame in depth_player({"a": layers}).frames]
    assert shown == ["a: 1e−170", "a: 1", "a: 1e170"]
    for size in (5e-324, 1e-310, 1.7e308):
        assert scenes._size([size, -size], "layer") == size


# ---------------------------------------------------------------- batches


def test_batches_by_their_own_mean_and_a_query_by_what_was_kept():
    player = batch_norm_player([[1.0, 3.0], [2.0, 6.0]], [4.0], rate=0.5)
    train, last, test = player.frames
    # variances 1 and 4; kept are N / (N - 1) times those: 2, then (2 + 8) / 2
    assert (
        train["numbers"]
        == "batch: mean 2, variance 1\nrunning average: mean 2, variance 2"
    )
    assert (
        last["numbers"]
        == "batch: mean 4, variance 4\nrunning average: mean 3, variance 5"
    )
    assert train["result"] == "after: mean 0, variance 1"
    assert test["numbers"] == "running average: mean 3, variance 5"
    assert test["result"] == "4 becomes 0.4472"  # (4 - 3) / sqrt(5)


def test_the_picture_holds_all_points(monkeypatch):
    def look(alt, draw, **grid):
        fig, axes = plt.subplots(2)
        draw(*axes)
        plt.close(fig)
        for ax in axes:
            (points,) = (c.get_offsets()[:, 0] for c in ax.collections)
            low, high = ax.get_xlim()
            assert low < points.min() and points.max() < high
        return str([ax.get_xlim() for ax in axes])

    monkeypatch.setattr(scenes, "_picture", look)
    player = batch_norm_player([[1.0, 3.0], [2.0, 6.0]], [90.0], gamma=3, beta=20)
    assert len({frame["html"] for frame in player.frames}) == 1  # nothing jumps
    (frame,) = batch_norm_player([[0.0, 1.0]], []).frames
    assert "(-4.4" in frame["html"]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"batches": [[1.0, 2.0], [1.0, np.nan]]}, r"batches\[1\]\[1\]: got nan"),
        ({"batches": [np.ones((3, 1))]}, r"batches\[0\]: got shape \(3, 1\), expected"),
        (
            {"gamma": 1.5e308, "beta": 1e308},
            "gamma, beta: got 1.5e.308 and 1e.308, which overflow",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_not_finite_is_refused_by_its_name(options, words):
    with pytest.raises(ValueError, match=words):
        batch_norm_player(**{"batches": [[1.0, 2.0]], "queries": [1.0], **options})


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
    with pytest.raises(
        ValueError, match="start, end: got 'f' and 'x', expected a path"
    ):
        path_player(LAYERS, SPEEDS, "f", "x")

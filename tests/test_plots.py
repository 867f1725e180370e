"""What the plots show, their alternative texts, and the palette's contrasts."""

import base64
import re
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from comp551ad.byhand.descent import descend
from comp551ad.show import palette
from comp551ad.show.plots import (
    figure_html,
    plot_decision_boundary,
    plot_error_curve,
    plot_learning_curve,
    plot_paths,
)

POINTS = np.array([[0.0, 0], [1, 0], [0, 2], [1, 2], [3, 1], [3, 2]])
LABELS = np.array([0, 0, 1, 1, 2, 2])
ONE_HOT = np.eye(3)[LABELS]


@pytest.fixture(autouse=True)
def settings_stay():
    settings = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == settings


def three_regions(X):
    """Class 2 right of x = 2, otherwise 1 above y = 1, otherwise 0."""
    return np.where(X[:, 0] > 2, 2, np.where(X[:, 1] > 1, 1, 0))


def colour_at(ax, x, y):
    """The colour drawn at a data point."""
    ax.figure.canvas.draw()
    column, row = ax.transData.transform((x, y))
    image = np.asarray(ax.figure.canvas.buffer_rgba())
    return matplotlib.colors.to_hex(image[-1 - int(row), int(column), :3] / 255).upper()


@pytest.mark.parametrize(
    "form, Y", [("labels", LABELS), ("scores", ONE_HOT), ("labels", LABELS[:, None])]
)
def test_regions_have_the_predicted_colours(form, Y):
    def predict(X):
        found = three_regions(X)
        return found if form == "labels" else np.eye(3)[found] * 5 - 2

    ax = plot_decision_boundary(predict, POINTS, Y)
    assert colour_at(ax, 0.5, 0.5) == palette.CLASS_REGIONS[0]
    assert colour_at(ax, 0.5, 1.5) == palette.CLASS_REGIONS[1]
    assert colour_at(ax, 2.5, 0.5) == palette.CLASS_REGIONS[2]
    drawn = [c for c in ax.collections if len(c.get_offsets()) == 2]
    assert [c.get_offsets().tolist() for c in drawn] == [
        POINTS[:2].tolist(),
        POINTS[2:4].tolist(),
        POINTS[4:].tolist(),
    ]
    assert len({c.get_paths()[0].vertices.tobytes() for c in drawn}) == 3  # markers


@pytest.mark.parametrize("place", [0, 2])
def test_bias_column_is_handed_to_predict(place):
    X = np.insert(POINTS, place, 1.0, axis=1)
    seen = []

    def predict(rows):
        seen.append(rows)
        return three_regions(np.delete(rows, place, axis=1))

    names = np.insert(np.array(["width", "length"], dtype=object), place, "bias")
    ax = plot_decision_boundary(predict, X, LABELS, feature_names=names)
    assert seen[0].shape[1] == 3 and np.all(seen[0][:, place] == 1)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("width", "length")
    assert colour_at(ax, 2.5, 0.5) == palette.CLASS_REGIONS[2]


def test_one_column_of_probabilities():
    Y = (POINTS[:, 0] > 2).astype(int)
    ax = plot_decision_boundary(
        lambda X: 1 / (1 + np.exp(2 - X[:, :1])), POINTS, Y, class_names=["no", "yes"]
    )
    assert colour_at(ax, 1.8, 0.5) == palette.CLASS_REGIONS[0]
    assert colour_at(ax, 2.3, 0.5) == palette.CLASS_REGIONS[1]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["no", "yes"]


def test_words_sizes_and_given_axes():
    _, mine = plt.subplots()
    ax = plot_decision_boundary(three_regions, POINTS, LABELS, title="Three", ax=mine)
    assert ax is mine and ax.get_title() == "Three"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("input 1", "input 2")
    texts = [ax.title, ax.xaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
    assert all(text.get_fontsize() >= 13 for text in texts)


def test_every_name_stands_in_the_legend():
    boundary = plot_decision_boundary(
        three_regions, POINTS, LABELS, class_names=["_a", "b", "$x_1$"]
    )
    curve = plot_error_curve([1, 2], {"_a": [1, 2], "b": [2, 3], "$x_1$": [3, 4]})
    for ax in (boundary, curve):
        texts = [text.get_text() for text in ax.get_legend().get_texts()]
        assert texts == ["_a", "b", "$x_1$"]
        ax.figure.canvas.draw()


def test_more_classes_than_colours():
    ax = plot_decision_boundary(three_regions, np.tile(POINTS, (2, 1)), np.arange(12))
    assert len(ax.get_legend().get_texts()) == 12


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"predict": lambda X: X[:3]}, "predict's result: got shape .3, 2."),
        ({"predict": lambda X: X * np.nan}, "predict's result.0, 0.: got nan"),
        ({"X": POINTS[:, :1]}, "X: got 6 x 1, expected N x 2, or N x 3"),
        ({"X": POINTS[:, [0, 1, 0]]}, "X: got 6 x 3 without a constant column"),
        ({"Y": LABELS[:3]}, "Y: got shape .3,., expected .6,. or 6 x C"),
        ({"Y": ONE_HOT * 0.5}, r"Y: got .0.5 0\.  0\. . in row 0, expected one-hot"),
        ({"Y": LABELS - 1}, "Y: got -1, expected class labels"),
        ({"Y": LABELS + 1e300}, r"Y: got 1e\+300, expected class labels"),
        ({"class_names": ["a"]}, "class_names: got 1 names, expected 3"),
    ],
)
def test_refused_boundaries(wrong, words):
    right = {"predict": three_regions, "X": POINTS, "Y": LABELS}
    with pytest.raises((ValueError, TypeError), match=words):
        plot_decision_boundary(**right | wrong)


def test_learning_curve_of_a_history():
    history = SimpleNamespace(
        iterations=[0, 9, 99],
        cost=[1.1, 0.5, 0.1],
        norms={"dW": [1e-2, 1e-1, 0.0], "dV": [1e-3, 1e-2, 1e-4]},
    )
    for source in (history, SimpleNamespace(history=history, iterations=99)):
        ax = plot_learning_curve(source)
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("iteration + 1", "cost")
        (line,) = ax.lines
        assert line.get_xdata().tolist() == [1, 10, 100]
        assert line.get_ydata().tolist() == [1.1, 0.5, 0.1]
        (right,) = (other for other in ax.figure.axes if other is not ax)
        assert right.get_yscale() == "log" and "gradient" in right.get_ylabel()
        assert np.isnan(right.lines[0].get_ydata()[2])  # 0 has no logarithm
        lines = [line, *right.lines]
        assert len({line.get_linestyle() for line in lines}) == 3
        texts = [t.get_text() for t in ax.get_legend().get_texts()]
        assert texts == ["cost", "‖dW‖", "‖dV‖"]
    ax.figure.canvas.draw()


def test_a_descent_that_diverged_is_drawn_as_far_as_it_came():
    start, options = np.array([3.0]), {"cost": lambda p: float(p[0] ** 4), "lr": 10.0}
    run = descend(lambda p: 10 * p**3, start, **options)
    assert run.reason == "diverged" and np.isinf(run.history.norms["dp0"][-1])
    ax = plot_learning_curve(run)
    assert np.isfinite(ax.lines[0].get_ydata()).tolist() == [True, False]
    ax.figure.canvas.draw()


@pytest.mark.parametrize("height", [3.0, 5.0])
def test_legend_clears_the_axis_label(height):
    ax = plot_learning_curve(cost=[3.0, 2.0, 1.0])
    ax.figure.set_size_inches(7, height)
    ax.figure.canvas.draw()
    label, legend = ax.xaxis.label, ax.get_legend()
    assert legend.get_window_extent().y1 <= label.get_window_extent().y0


@pytest.mark.parametrize(
    "options, words",
    [
        ({"cost": [np.nan, np.nan]}, r"cost: got no .* descend\(…, cost=…\)"),
        ({"cost": [0, -1, np.inf]}, "^cost: got no finite number above 0"),
        ({"cost": [1, 2], "norms": {"dW": [0, np.nan]}}, "^norms: .* norms={} leaves"),
        (
            {"cost": [1, 2], "iterations": [0]},
            "iterations: got shape .1,., .* as in cost",
        ),
        ({"cost": [1, 2], "norms": {"dW": [1]}}, r"norms\['dW'\]: got shape .1,."),
    ],
)
def test_refused_learning_curves(options, words):
    with pytest.raises(ValueError, match=words):
        plot_learning_curve(**options)


def test_error_curve():
    steps = [1e-3, 1e-2, 1e-1]
    ax = plot_error_curve(steps, {"forward": [1e-3, 1e-2, 1e-1], "central": [0, 1, 2]})
    assert [line.get_label() for line in ax.lines] == ["forward", "central"]
    assert len({line.get_marker() for line in ax.lines}) == 2
    assert np.isnan(ax.lines[1].get_ydata()[0])
    ax = plot_error_curve(steps, {"a": [np.nan] * 3, "b": [1, np.inf, 2]})
    assert np.isnan(ax.lines[1].get_ydata()).tolist() == [False, True, False]
    ax.figure.canvas.draw()
    for bad in ({}, {"a": [1]}, {"a": ["x"] * 3}, {"a": [0, np.nan, np.inf]}):
        with pytest.raises(ValueError, match="^errors"):
            plot_error_curve(steps, bad)


LAYERS = [["x"], ["z_1", "z_2"], ["y"]]
SPEEDS = {
    ("x", "z_1"): 2.0,
    ("x", "z_2"): -0.25,
    ("z_1", "y"): 1 / 3,
    ("z_2", "y"): 1e-5,
}


def shown(ax):
    """The texts and their positions."""
    return {text.get_text(): text.get_position() for text in ax.texts}


def test_paths_show_nodes_and_speeds():
    ax = plot_paths(LAYERS, SPEEDS, title="two paths")
    places = shown(ax)
    speeds = {"2", "−0.25", "0.3333", "1e−5"}
    assert places.keys() == {"$x$", "$z_1$", "$z_2$", "$y$"} | speeds
    assert (
        places["$x$"][0] < places["$z_1$"][0] == places["$z_2$"][0] < places["$y$"][0]
    )
    assert places["$z_1$"][1] > places["$x$"][1] == 0 > places["$z_2$"][1]
    half_way = np.mean([places["$x$"], places["$z_2$"]], axis=0)
    assert places["−0.25"] == tuple(half_way)
    assert len(ax.lines) == 4 and ax.get_title() == "two paths"
    ends = {tuple(map(tuple, line.get_xydata())) for line in ax.lines}
    assert (places["$z_1$"], places["$y$"]) in ends
    assert all(text.get_fontsize() >= 13 for text in ax.texts)


def test_bold_paths_stand_out_by_more_than_colour():
    _, mine = plt.subplots()
    ax = plot_paths(LAYERS, SPEEDS, bold=[("x", "z_1"), ("z_1", "y")], ax=mine)
    assert ax is mine
    assert shown(ax).keys() == {"$x$", "$z_1$", "$z_2$", "$y$", "2", "0.3333"}
    widths = [line.get_linewidth() for line in ax.lines]
    assert widths[0] == widths[2] > 2 * widths[1] == 2 * widths[3]
    assert len({line.get_color() for line in ax.lines}) == 2


@pytest.mark.parametrize(
    "layers, options, words",
    [
        ([["x"], ["x"]], {}, "layers: got .*, each name once"),
        (LAYERS[:2], {}, "speeds: got edges of \\['y'\\]"),
        (LAYERS, {"bold": [("x", 3), ("x", "y")]}, "bold: got .*, expected edges"),
    ],
)
def test_refused_paths(layers, options, words):
    with pytest.raises(ValueError, match=words):
        plot_paths(layers, **{"speeds": SPEEDS, **options})


def test_figure_html_is_repeatable_escaped_and_closed():
    def draw():
        ax = plot_decision_boundary(three_regions, POINTS, LABELS)
        return figure_html(ax, 'Three regions, "0" < "1"\n and <2>')

    first, second = draw(), draw()
    assert plt.get_fignums() == []
    assert first.png == second.png and first.png.startswith(b"\x89PNG")
    page = first._repr_html_()
    assert page.count("<") == 1
    alt = "Three regions, &quot;0&quot; &lt; &quot;1&quot; and &lt;2&gt;"
    assert f'alt="{alt}"' in page
    data = re.search(r"base64,([^\"]+)\"", page).group(1)
    assert base64.b64decode(data) == first.png
    assert repr(first) == '[figure: Three regions, "0" < "1" and <2>]'
    with pytest.raises(ValueError, match="alt: got '  ', expected"):
        figure_html(plt.figure(), "  ")


# ---------------------------------------------------------------- the palette


def contrast(one, other):
    """Contrast ratio of two colours, WCAG 2.2."""

    def luminance(hue):
        parts = np.array([int(hue[k : k + 2], 16) / 255 for k in (1, 3, 5)])
        linear = np.where(
            parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_text_can_be_read():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    for state in ("WAITING", "CURRENT", "DONE", "DISCARDABLE"):
        fill, edge = (getattr(palette, f"{state}_{part}") for part in ("FILL", "EDGE"))
        text = getattr(palette, f"{state}_TEXT", palette.INK)
        assert contrast(text, fill) >= 4.5
        assert contrast(palette.INK, fill) >= 4.5
        assert contrast(edge, palette.PAPER) >= 3
        assert contrast(edge, fill) >= 3
    texts = [name for name in vars(palette) if name.startswith("TEXT_")]
    assert len(texts) == 2
    for name in [*texts, "INK", "MUTED", "MESSAGE_TEXT"]:
        assert contrast(getattr(palette, name), palette.PAPER) >= 4.5
    for name in ("MESSAGE_EDGE", "EDGE"):
        assert contrast(getattr(palette, name), palette.PAPER) >= 3
    for region in palette.CLASS_REGIONS:
        assert contrast(palette.INK, region) >= 4.5

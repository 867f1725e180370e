"""Steppers: their steps, stills and texts, and the page's data."""

import base64
import html
import json
import linecache
import re

import numpy as np
import pytest
import traitlets

from comp551ad import ForwardStepper, ModesStepper, ReverseStepper, record
from comp551ad.show import player


@pytest.fixture
def backward(deck):
    return ReverseStepper(deck, of="y2")


@pytest.fixture
def upward(deck):
    return ForwardStepper(deck, wrt="w1")


def data_of(stepper):
    """The data in a player's HTML."""
    markup = stepper.player_html(script=False)
    (text,) = re.findall(r'<script type="application/json">(.*?)</script>', markup)
    return json.loads(text)


# ---------------------------------------------------------------- steps


def test_forward_mode_goes_node_by_node_value_and_tangent_together(upward):
    assert [(f["node"], f["result"]) for f in upward.frames] == [
        ("a1", "0.5, 2, 1, 0, 1, 0"),
        ("a4", "2, 1"),
        ("a5", "2.5, 1"),
        ("a6", "0.5985, −0.8011"),
        ("a7", "−0.8011, −0.5985"),
    ]


def test_reverse_mode_goes_up_then_down_and_splits_the_fork(backward):
    assert [(f["node"], f["result"]) for f in backward.frames][5:] == [
        ("a7", "1"),
        ("a6", "0"),
        ("a5", "0"),
        ("a5", "−0.5985"),
        ("a5", "−0.5985"),
        ("a4", "−0.5985"),
        ("a3", "−1.197"),
        ("a2", "−0.5985"),
        ("a1", "−0.5985"),
    ]
    assert [f["rule"] for f in backward.frames][7:10] == [
        "ā₆·cos a₅",
        "−ā₇·sin a₅",
        "ā₅ = ā₆·cos a₅ − ā₇·sin a₅",
    ]


@pytest.mark.parametrize("step", [-1, 14, 2.0, "3", None, True])
def test_a_value_out_of_range_says_the_range(backward, step):
    with pytest.raises(ValueError, match="value: got .*whole number from 0 to 13"):
        backward.value = step
    assert backward.value == 0


# ---------------------------------------------------------------- wrong arguments


def test_a_trace_too_long_or_empty_is_refused():
    def chain(x):
        for _ in range(200):
            x = np.sin(x)
        return x

    with pytest.raises(ValueError, match="trace: got 201 nodes, expected 1 to 120"):
        ReverseStepper(record(chain, 1.0))
    with pytest.raises(ValueError, match="trace: got 0 nodes"):
        ReverseStepper(record(lambda: 3.0))


# ---------------------------------------------------------------- texts and stills


@pytest.mark.parametrize("step", range(14))
def test_a_still_shows_its_step_and_nothing_later(backward, step):
    backward.value = step
    text, markup = repr(backward), html.unescape(backward.still()._repr_html_())
    title = "Reverse mode through model: derivatives of y2"
    assert text.startswith(f"{title}: {step + 1} of 14") and f"{title}. Step" in markup
    for shown in (text, markup):
        assert ("ā₅ = ā₆·cos a₅" in shown) == (step >= 9)
        assert ("−1.197" in shown) == (step >= 11)
    assert ("    ā₅ = ā₆·cos a₅ − ā₇·sin a₅ = −0.5985" in text) == (step == 9)


def test_edges_of_a_still_carry_what_its_step_adds_up(backward, upward):
    def drawn(stepper, step):
        svg = shown_by(stepper, step)
        said = re.findall(r'class="said".*?text-anchor="(\w+)">(.*?)</text>', svg)
        edges = re.findall(r'id="(\S+)" class="edge message">.*?marker-(\w+)', svg)
        return said, set(edges)

    left, right = ("end", "ā₆·cos a₅ = 0"), ("start", "−ā₇·sin a₅ = −0.5985")
    said, edges = drawn(backward, 9)
    assert said == [left, right]
    assert edges == {("a5-a6-0", "start"), ("a5-a7-0", "start")}
    # A path's share before the sum.
    said, edges = drawn(backward, 8)
    assert said == [right] and edges == {("a5-a7-0", "start")}
    said, edges = drawn(upward, 2)
    assert [text for _, text in said] == ["ȧ₄ = 1", "ȧ₁ = 0"]
    assert edges == {("a4-a5-0", "end"), ("a1-a5-1", "end")}


def test_the_still_of_a_player_has_neither_script_nor_style_sheet(backward):
    still = backward.player_html(script=False).split("<script")[0]
    assert "<style" not in still and "onclick" not in still and "<table" in still


@pytest.mark.parametrize("kind", [ForwardStepper, ReverseStepper])
def test_a_still_and_a_text_show_nothing_that_a_question_hides(kind):
    deck = record(lambda w, x: np.exp(w * x) * np.sin(w), 0.57, 1.39)
    about = "w" if kind is ForwardStepper else None
    telling, asking = kind(deck, about), kind(deck, about, predict=True)
    hidden = []
    for k, frame in enumerate(telling.frames[1:], 1):
        answer = frame["result"].split(", ")[-1]
        if answer not in shown_by(telling, k - 1):
            assert answer in shown_by(telling, k)
            is_derivative = "ȧ" in frame["rule"] or "ā" in frame["rule"]
            assert (answer in shown_by(asking, k)) != is_derivative
            hidden += [answer] * is_derivative
    assert len(hidden) >= 3


def shown_by(stepper, step):
    """The text and the HTML of a still, including its picture."""
    still = stepper.still(step)
    markup = still._repr_html_()
    pictures = re.findall(r"svg\+xml;base64,([^\"]*)", markup)
    drawn = [base64.b64decode(picture).decode() for picture in pictures]
    return "".join([repr(still), markup, *drawn])


# ---------------------------------------------------------------- the page's data


def test_the_page_gets_the_list_and_what_is_differentiated(deck, backward):
    backward.value = 3
    data = data_of(backward)
    assert data["panels"] == [{"mode": "reverse", "about": 6, "seed": 1}]
    assert data["step"] == 3 and data["predict"] is False
    rows = data["program"]["rows"]
    assert [row["op"] for row in rows[3:]] == ["multiply", "add", "sin", "cos"]
    assert [row["at"] for row in rows[:3]] == [0.5, 2, 1]
    code = data["program"]["code"]
    assert [code[slice(*row["span"])] for row in rows] == [
        *("w0", "w1", "x", "w1 * x", "w1 * x + w0", "np.sin(a)", "np.cos(a)")
    ]
    both = data_of(ModesStepper(deck, wrt="w1", of="y2"))
    assert [panel["mode"] for panel in both["panels"]] == ["forward", "reverse"]
    assert data_of(ReverseStepper(deck, of="y2", predict=True))["predict"]


@pytest.mark.parametrize("file", ["<string>", "changed.py"])
def test_where_the_source_is_not_to_be_had_there_is_no_code(file, monkeypatch):
    monkeypatch.setitem(linecache.cache, file, (8, None, ["def f(x):\n"], file))
    made: dict = {}
    exec(compile("def f(x):\n    return x * x", file, "exec"), made)
    program = data_of(ReverseStepper(record(made["f"], 2.0)))["program"]
    assert program["code"] == "" and "span" not in program["rows"][1]


def test_code_over_several_lines_and_with_wide_letters_is_cut_at_its_characters():
    def wide(α):
        return (
            np.sin(α)  # äöü
            * α
        )

    program = data_of(ReverseStepper(record(wide, 2.0)))["program"]
    code, rows = program["code"], program["rows"]
    assert code.startswith("def wide")
    assert code[slice(*rows[1]["span"])] == "np.sin(α)"
    assert code[slice(*rows[2]["span"])].startswith("np.sin(α)  # äöü")


def test_a_page_of_players_needs_the_script_once(backward, upward):
    page = backward.player_html(script=False) + upward.player_html()
    assert page.count(player.player_script("program")) == 1


def test_a_player_of_twenty_nodes_is_small():
    def f(w, x):
        s = w
        for k in range(6):
            s = np.sin(s * x) + k
        return s

    stepper = ReverseStepper(record(f, 0.5, 1.5))
    markup = re.sub(r'base64,[^"]*', "", stepper.player_html(script=False))
    assert len(stepper.run.trace) == 20 and len(markup) < 60_000


def test_numbers_that_json_lacks_come_into_a_page():
    with np.errstate(all="ignore"):
        stepper = ReverseStepper(record(lambda x: x * np.inf, 2.0))
        (row,) = data_of(stepper)["program"]["rows"][1:]
    assert row["args"] == [0, {"c": {"s": [], "d": ["Infinity"]}}]


def test_both_modes_are_one_player_and_the_shorter_one_waits(deck, backward):
    both = ModesStepper(deck, wrt="w1", of="y2")
    assert len(both) == 14 and both.frames == backward.frames
    both.value = 13
    text = repr(both)
    assert "5 of 5" in text and "14 of 14" in text


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"q": 1.0}, "inputs: got 'q', expected one of 'w0', 'w1', 'x'"),
        ({5: 1.0}, "inputs: got 5, expected one of 'w0', 'w1', 'x'"),
        ({"x": None}, r"inputs\['x'\]: got NoneType"),
        ({"x": np.nan}, r"inputs\['x'\]: got nan .*, expected finite numbers"),
        ({"x": [1.0, 2.0]}, r"inputs\['x'\]: got shape \(2,\), expected \(\)"),
    ],
)
def test_inputs_of_a_widget_are_numbers_and_keep_their_shapes(backward, inputs, words):
    player = backward.widget()
    with pytest.raises(traitlets.TraitError, match=words):
        player.inputs = inputs
    player.inputs = {"x": 3}
    assert player.inputs == {"w0": 0.5, "w1": 2.0, "x": 3.0}

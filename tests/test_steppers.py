"""Steppers: their frames, how they move, and what they show."""

import gc
import html
import json
import re
import tracemalloc
import weakref

import numpy as np
import pytest

from comp551ad import ForwardStepper, ModesStepper, ReverseStepper, forward, record
from comp551ad.show import palette, player
from comp551ad.show.rows import rows_of
from comp551ad.show.steppers import frames_of


def model(w0, w1, x):
    a = w1 * x + w0
    y1, y2 = np.sin(a), np.cos(a)
    return y1, y2


@pytest.fixture
def trace():
    return record(model, w0=0.5, w1=2.0, x=1.0)


@pytest.fixture
def backward(trace):
    return ReverseStepper(trace, of="y2")


@pytest.fixture
def upward(trace):
    return ForwardStepper(trace, wrt="w1")


def told(stepper, *keys):
    return [tuple(frame[key] for key in keys) for frame in stepper.frames]


# ---------------------------------------------------------------- forward mode (S12, S13)


def test_forward_mode_goes_node_by_node_value_and_tangent_together(upward):
    assert told(upward, "rule", "result") == [
        (
            "a₁ = w0, a₂ = w1, a₃ = x",
            "a₁ = 0.5, a₂ = 2, a₃ = 1\nȧ₁ = 0, ȧ₂ = 1, ȧ₃ = 0",
        ),
        ("a₄ = a₂·a₃\nȧ₄ = a₃·ȧ₂ + a₂·ȧ₃", "a₄ = 2\nȧ₄ = 1"),
        ("a₅ = a₄ + a₁\nȧ₅ = ȧ₄ + ȧ₁", "a₅ = 2.5\nȧ₅ = 1"),
        ("a₆ = sin a₅\nȧ₆ = ȧ₅·cos a₅", "a₆ = 0.5985\nȧ₆ = −0.8011"),
        ("a₇ = cos a₅\nȧ₇ = −ȧ₅·sin a₅", "a₇ = −0.8011\nȧ₇ = −0.5985"),
    ]
    assert upward.frames[4]["numbers"] == "a₇ = cos 2.5\nȧ₇ = −1·sin 2.5"


def test_after_a5_the_slide_drops_a4_and_a1(upward):
    frame = upward.frames[2]
    assert frame["note"] == "No longer needed: a₄, ȧ₄, a₁, ȧ₁."
    assert frame["drops"] == [
        ["a4", "value"],
        ["a4", "derivative"],
        ["a1", "value"],
        ["a1", "derivative"],
    ]
    assert frame["states"] == {
        "done": [],
        "current": ["a5"],
        "discardable": ["a1", "a2", "a3", "a4"],
    }


def test_forward_messages_go_up_with_each_term(upward):
    assert upward.frames[1]["messages"] == {
        "a2-a4-0": "a₃·ȧ₂ = 1",
        "a3-a4-1": "a₂·ȧ₃ = 0",
    }
    assert not any(frame["down"] for frame in upward.frames)


def test_the_last_frame_says_what_one_pass_found(upward, backward):
    assert upward.frames[-1]["note"].endswith(
        "the derivatives of every output with respect to one input: "
        "∂y1/∂w1 = −0.8011, ∂y2/∂w1 = −0.5985."
    )
    assert backward.frames[-1]["note"].endswith(
        "the derivatives of one output with respect to every input: "
        "∂y2/∂w0 = −0.5985, ∂y2/∂w1 = −0.5985, ∂y2/∂x = −1.197."
    )


# ---------------------------------------------------------------- reverse mode (S14, S15)


def test_reverse_mode_goes_up_then_down_and_splits_the_fork(backward):
    assert told(backward, "node", "result") == [
        ("a1", "a₁ = 0.5, a₂ = 2, a₃ = 1"),
        ("a4", "a₄ = 2"),
        ("a5", "a₅ = 2.5"),
        ("a6", "a₆ = 0.5985"),
        ("a7", "a₇ = −0.8011"),
        ("a7", "ā₇ = 1"),
        ("a6", "ā₆ = 0"),
        ("a5", "= 0"),
        ("a5", "= −0.5985"),
        ("a5", "ā₅ = −0.5985"),
        ("a4", "ā₄ = −0.5985"),
        ("a3", "ā₃ = −1.197"),
        ("a2", "ā₂ = −0.5985"),
        ("a1", "ā₁ = −0.5985"),
    ]
    assert [frame["down"] for frame in backward.frames] == [False] * 5 + [True] * 9


def test_the_fork_path_by_path_then_the_sum(backward):
    first, second, both = backward.frames[7:10]
    assert first["title"] == "ā₅: path 1 of 2, through a₆"
    assert (first["rule"], first["numbers"]) == ("ā₆·cos a₅", "= 0·cos 2.5")
    assert first["note"] == "This edge's own derivative: ∂a₆/∂a₅ = cos a₅ = cos 2.5"
    assert second["messages"] == {"a5-a7-0": "−ā₇·sin a₅ = −0.5985"}
    assert first["differentiated"] == second["differentiated"] == 2
    assert both["rule"] == "ā₅ = ā₆·cos a₅ − ā₇·sin a₅"
    assert both["numbers"] == "ā₅ = 0·cos 2.5 − 1·sin 2.5"
    assert both["messages"] == first["messages"] | second["messages"]
    assert both["differentiated"] == 3


def test_an_output_that_was_not_asked_for_has_adjoint_zero(backward):
    assert backward.frames[6]["title"] == "ā₆: y2 doesn't depend on a₆"


def test_evaluation_carries_values_up(backward):
    assert backward.frames[1]["messages"] == {"a2-a4-0": "2", "a3-a4-1": "1"}


@pytest.mark.parametrize("which", ["upward", "backward"])
def test_states_name_each_node_once_and_only_nodes(which, request):
    for frame in request.getfixturevalue(which).frames:
        members = sum(frame["states"].values(), [])
        assert len(members) == len(set(members)) <= 7
        assert set(members) <= {f"a{k}" for k in range(1, 8)}
        assert frame["node"] in frame["states"]["current"]


def test_both_paths_of_a_square_written_as_a_product():
    s = ReverseStepper(record(lambda x: x * x, 3.0))
    assert [frame["result"] for frame in s.frames[-3:]] == ["= 3", "= 3", "ā₁ = 6"]
    assert set(s.frames[-1]["messages"]) == {"a1-a2-0", "a1-a2-1"}


def test_arrays_show_shapes_and_summaries():
    t = record(lambda X, V: np.sum(np.tanh(X @ V)), np.eye(30, 4), np.eye(4, 20))
    s = ReverseStepper(t, names="names")
    frame = s.frames[-2]
    assert frame["rule"] == "V̄ = Xᵀ·ā₃"
    assert frame["result"].startswith("V̄ = 4×20, ")
    assert frame["numbers"] == ""  # they would say the same again
    assert frame["messages"] == {"a2-a3-1": "Xᵀ·ā₃"}


def test_many_inputs_are_listed_up_to_a_few():
    s = ReverseStepper(record(lambda p: sum(p), [float(k) for k in range(20)]))
    assert s.frames[0]["result"].endswith("a₆ = 5, … and 14 more")


def test_a_function_that_returns_its_input_has_one_frame():
    s = ForwardStepper(record(lambda x: x, 2.0), wrt="x")
    assert len(s) == 1
    assert "∂x/∂x = 1" in s.frames[0]["note"]


def test_frames_are_plain_data(upward, backward):
    for stepper in (upward, backward):
        assert json.loads(json.dumps(stepper.frames)) == stepper.frames


# ---------------------------------------------------------------- moving


@pytest.mark.parametrize("step", [-1, 14, 2.0, "3", None, True])
def test_a_value_out_of_range_says_the_range(backward, step):
    with pytest.raises(ValueError, match="value: got .*whole number from 0 to 13"):
        backward.value = step
    assert backward.value == 0


def test_a_still_out_of_range_says_the_range(backward):
    with pytest.raises(ValueError, match="step: got 99.*from 0 to 13"):
        backward.still(99)


# ---------------------------------------------------------------- wrong arguments


@pytest.mark.parametrize("kind", [ForwardStepper, ReverseStepper])
def test_something_else_than_a_trace_is_refused(kind):
    with pytest.raises(TypeError, match="trace: got function, expected what record"):
        kind(model)


def test_unknown_names_are_refused_as_the_passes_refuse_them(trace):
    with pytest.raises(KeyError, match="wrt"):
        ForwardStepper(trace, wrt="w9")
    with pytest.raises(KeyError, match="of"):
        ReverseStepper(trace, of="y9")
    with pytest.raises(ValueError, match="of"):
        ReverseStepper(trace)


def test_a_trace_too_long_or_empty_is_refused():
    def f(x):
        for _ in range(200):
            x = np.sin(x)
        return x

    with pytest.raises(ValueError, match="trace: got 201 nodes, expected 1 to 120"):
        ReverseStepper(record(f, 1.0))
    with pytest.raises(ValueError, match="0 nodes"):
        ReverseStepper(record(lambda: 1.0))


# ---------------------------------------------------------------- text

FORK = """\
Reverse mode through model: derivatives of y2: 10 of 14

ā₅: the sum over its 2 paths
    ā₅ = ā₆·cos a₅ − ā₇·sin a₅
    ā₅ = 0·cos 2.5 − 1·sin 2.5
    ā₅ = −0.5985
No longer needed: ā₇, ā₆, a₅.
"""


def test_text_is_the_current_frame_with_the_table_so_far(backward):
    backward.value = 9
    text = repr(backward)
    assert text.startswith(FORK)
    table = [re.split(r"\s{3,}", line) for line in text.splitlines()[-7:]]
    assert table[3] == ["w1·x", "a₄ = a₂·a₃", "2"]
    assert table[4][3] == "ā₅ = ā₆·cos a₅ − ā₇·sin a₅"
    assert repr(backward.still()) == text != repr(backward.still(0))


def test_showing_changes_nothing_and_is_the_same_every_time(backward):
    before = json.dumps(backward.frames)
    assert backward._repr_html_() == backward._repr_html_()
    assert repr(backward) == repr(backward)
    assert json.dumps(backward.frames) == before and backward.value == 0


# ---------------------------------------------------------------- HTML


def parts(stepper):
    """The still, and the data that the script gets."""
    markup = stepper.player_html(script=False)
    still, data = markup.split('<script type="application/json">')
    assert data.endswith("</script>\n</div>")
    return html.unescape(still), json.loads(data.removesuffix("</script>\n</div>"))


def test_the_player_is_one_block_that_asks_nobody_for_anything(backward):
    markup = backward._repr_html_()
    assert markup.count("<script") == markup.count("</script>") == 2  # data, and code
    outside = markup.replace("http://www.w3.org/2000/svg", "")
    assert "http" not in outside and "@import" not in outside
    assert "url(" not in outside


def test_the_still_in_it_has_neither_script_nor_style_sheet(backward):
    still, _ = parts(backward)
    assert still.count("<img ") == 1 and 'alt="Reverse mode through model' in still
    assert "<style" not in still and "<svg" not in still and "<button" not in still
    assert "∂y2/∂w1 = −0.5985" in still
    assert still.count("<tr>") == 8


def test_the_script_gets_the_frames_and_where_to_start(backward):
    backward.value = 3
    _, data = parts(backward)
    (panel,) = data["panels"]
    assert panel["frames"] == backward.frames
    assert (data["start"], data["predict"]) == (3, False)
    assert (panel["count"], panel["down"], panel["keys"][4]) == (7, True, "a5")


def test_a_page_of_players_needs_the_script_once(backward, upward):
    script = player.player_script()
    assert backward._repr_html_() == backward.player_html(script=False) + script
    assert upward._repr_html_().endswith(script)
    (css,) = re.findall(r'\("(/\*.*)"\);\n</script>$', script)
    assert palette.CURRENT_FILL in css and "$" not in css
    assert len(script) < 40_000  # and 100 KB are allowed
    assert (backward._repr_html_() + script).isascii()


def test_a_player_of_prepared_html_needs_no_graph():
    frames = [
        {"title": "one", "html": "<b>1</b>"},
        {"title": "two", "html": "<i>2</i>"},
    ]
    markup = player.player_html(player.Panel(frames, "<p>two</p>"), "Two pictures")
    assert markup.startswith('<div class="c5-stepper">\n<p>two</p>\n<script type=')
    assert "<b>1" not in markup and "\\u003cb\\u003e1" in markup
    assert '"lines":0' in markup


def test_labels_can_not_end_the_script():
    name = "</script><!--<script>&"
    t = record(lambda p: p[name] * p["b"], {name: 2.0, "b": 3.0})
    s = ReverseStepper(t)
    markup = s.player_html(script=False)
    assert markup.count("<script") == markup.count("</script>") == 1
    assert "<!--" not in markup
    assert parts(s)[1]["panels"][0]["frames"] == s.frames
    assert "</script><!--<script>" in s.frames[0]["rule"]


def test_a_still_shows_its_own_frame(backward):
    markup = backward.still(7)._repr_html_()
    assert "<script" not in markup
    assert "Step 8 of 14. ā₅: path 1 of 2, through a₆" in markup
    assert "∂a₆/∂a₅ = cos a₅" in markup
    assert "−1.197" not in markup  # found later
    assert markup != backward.still(8)._repr_html_()


def test_a_player_of_twenty_nodes_is_small():
    def f(w, x):
        for _ in range(9):
            x = np.sin(w * x)
        return x

    s = ReverseStepper(record(f, 0.7, 1.1))
    assert len(s.rows.rows) == 20
    assert len(s._repr_html_().encode()) < 150_000


def test_a_long_pass_plays_faster(backward):
    s = ForwardStepper(record(lambda p: sum(p), [1.0] * 59), wrt="p[0]")
    assert parts(backward)[1]["pace"] > parts(s)[1]["pace"] >= 500


# ---------------------------------------------------------------- predict, then reveal


def questions(stepper):
    return {
        f["question"]["ask"]: f["question"] for f in stepper.frames if f["question"]
    }


def test_every_derivative_is_asked_for_and_no_value(backward, upward):
    assert list(questions(backward)) == [
        *("ā₇", "ā₆", "the share of ā₅ through a₆", "the share of ā₅ through a₇"),
        *("ā₅", "ā₄", "ā₃", "ā₂", "ā₁"),
    ]
    assert list(questions(upward)) == ["ȧ₄", "ȧ₅", "ȧ₆", "ȧ₇"]


def test_a_question_gives_nothing_away(backward, upward):
    for stepper in (backward, upward):
        for before, frame in zip(stepper.frames, stepper.frames[1:], strict=False):
            if question := frame["question"]:
                assert question["differentiated"] == before["differentiated"]
                shown = question["title"] + question["given"]
                assert f"{question['ask']} = {question['text']}" not in shown
    assert questions(upward)["ȧ₄"]["given"] == "a₄ = a₂·a₃\na₄ = 2·1\na₄ = 2"
    assert questions(backward)["ā₆"]["title"] == "ā₆ = ?"  # not: doesn't depend


def test_the_forks_wrong_formulas_are_its_usual_mistakes(backward):
    why = {c["text"]: c["explanation"] for c in questions(backward)["ā₅"]["choices"]}
    assert why == {
        "ā₅ = ā₆·cos a₅ − ā₇·sin a₅": "",
        "ā₅ = ā₆·cos a₅": "The path through a₇ is missing: add up all paths.",
        "ā₅ = −ā₇·sin a₅": "The path through a₆ is missing: add up all paths.",
        "ā₅ = ā₆·cos a₅ + ā₇·sin a₅": "A sign is wrong.",
        "ā₅ = a₆·cos a₅ − a₇·sin a₅": (
            "This uses the value a₆ where the derivative ā₆ belongs."
        ),
    }


def test_a_number_that_a_mistake_leads_to_names_it(backward):
    question = questions(backward)["ā₂"]
    assert question["answer"] == pytest.approx(-np.sin(2.5))
    numbers = {
        round(one["value"], 4): one["explanation"] for one in question["mistakes"]
    }
    assert numbers == {
        0.5985: "The sign is wrong.",
        2.0: "This uses the value a₄ where the derivative ā₄ belongs.",
        1.0: "The factor from above is missing: ā₄.",
        -1.1969: (
            "The two operands are mixed up: the derivative with respect to one factor "
            "contains the other."
        ),
    }


@pytest.mark.parametrize("which", ["upward", "backward"])
def test_one_choice_is_right_and_no_mistake_has_the_right_value(which, request):
    places = set()
    for question in questions(request.getfixturevalue(which)).values():
        right = [c["right"] for c in question["choices"]]
        assert right.count(True) == 1 and 3 <= len(right) <= 5
        assert len({c["text"] for c in question["choices"]}) == len(right)
        assert all(c["explanation"] for c in question["choices"] if not c["right"])
        places.add(right.index(True))
        values = [question["answer"], *(m["value"] for m in question["mistakes"])]
        for k, value in enumerate(values):
            assert not np.any(np.isclose(value, values[:k], rtol=0.01, atol=0))
    assert len(places) > 1  # not always the first


def adjoint_asked(f, x, ask):
    return questions(ReverseStepper(record(f, x)))[ask]


def test_rounding_is_let_pass_and_a_small_derivative_is_not_taken_for_it():
    small = adjoint_asked(lambda x: np.sin(x * x) * 1e-10, 0.7, "ā₂")
    assert small["answer"] == pytest.approx(8.8233e-11, rel=1e-4)
    assert 0 < small["rounding"] < 1e-14 * small["answer"]
    assert any(m["value"] == -small["answer"] for m in small["mistakes"])
    exact = adjoint_asked(lambda x: np.sin(x * x) * 1e-20, 0.7, "ā₃")
    assert exact["answer"] == 1e-20 and exact["rounding"] == 0
    left = adjoint_asked(lambda x: np.sin(x), np.pi / 2, "ā₁")
    assert left["text"] == "6.123e−17" and left["rounding"] == 1e-15
    for mistake in left["mistakes"]:
        assert abs(mistake["value"] - left["answer"]) > 2 * left["rounding"]


def test_arrays_are_asked_for_by_formula():
    t = record(lambda X, V: np.sum(np.tanh(X @ V)), np.eye(3, 2), np.eye(2, 4))
    question = questions(ReverseStepper(t, names="names"))["V̄"]
    assert (question["answer"], question["mistakes"]) == (None, [])
    assert {c["text"]: c["explanation"] for c in question["choices"]}.items() >= {
        "V̄ = Xᵀ·ā₃": "",
        "V̄ = X·ā₃": "A transpose is missing.",
        "V̄ = ā₃·Xᵀ": "The factors are in the wrong order.",
    }.items()


def everywhere(f, x):
    with np.errstate(all="ignore"):
        trace = record(lambda x: f(x), x=x)
        return ReverseStepper(trace), ForwardStepper(trace, wrt="x")


@pytest.mark.parametrize(
    "f, x",
    [
        (np.sqrt, 0.0),  # ∞
        (lambda x: x / x, 0.0),  # nan
        (lambda x: np.exp(x) * np.exp(x), 500.0),  # a path at a time, ∞ each
        (np.log, 1e-320),
    ],
)
def test_what_is_infinite_or_nan_is_asked_for_by_formula(f, x):
    for stepper in everywhere(f, x):
        parts(stepper)  # JSON, as the page reads it
        asked = [f["question"] for f in stepper.frames if f["question"]]
        odd = [q for q in asked if q["text"] in ("∞", "nan")]
        assert odd
        for question in odd:
            assert (question["answer"], question["mistakes"]) == (None, [])
            assert question["choices"]
        told = [one["value"] for q in asked for one in q["mistakes"]]
        assert np.all(np.isfinite(told))


def test_only_the_pass_itself_warns_of_an_infinite_derivative():
    with pytest.warns(RuntimeWarning) as told:
        stepper = ReverseStepper(record(lambda x: np.sqrt(x), x=0.0))
        stepper._repr_html_()
    assert [str(one.message) for one in told] == [
        "divide by zero encountered in scalar divide"
    ]


def test_where_neither_number_nor_formula_can_be_asked_for_nothing_is(monkeypatch):
    import comp551ad.show.steppers as steppers

    monkeypatch.setattr(steppers, "MOST_WRONG", 0)
    stepper, _ = everywhere(np.sqrt, 0.0)
    assert [bool(frame["question"]) for frame in stepper.frames] == [0, 0, 1, 0]


def test_no_number_that_javascript_can_not_read_comes_into_a_page():
    frames = [{"title": "one", "html": "", "question": {"answer": np.inf}}]
    with pytest.raises(ValueError, match="not JSON compliant"):
        player.player_html(player.Panel(frames, ""), "A question")


def test_predict_is_handed_to_the_page(trace):
    stepper = ReverseStepper(trace, of="y2", predict=True)
    assert parts(stepper)[1]["predict"] is True


# ---------------------------------------------------------------- both modes


@pytest.fixture
def both(trace):
    return ModesStepper(trace, wrt="w1", of="y2")


def test_both_modes_step_together_and_the_shorter_one_waits(both, upward, backward):
    assert len(both) == len(both.frames) == 14
    assert both.forward.frames == upward.frames
    assert both.reverse.frames == backward.frames
    both.value = 9
    text = repr(both)
    assert "derivatives with respect to w1: 5 of 5" in text and FORK in text


def test_both_modes_are_one_player_of_two_panels(both):
    _, data = parts(both)
    assert data["label"] == "Forward and reverse mode through model, side by side"
    assert [panel["name"] for panel in data["panels"]] == [
        "Forward mode: every output with respect to w1",
        "Reverse mode: y2 with respect to every input",
    ]
    assert [len(panel["frames"]) for panel in data["panels"]] == [5, 14]
    assert both._repr_html_().count("<img ") == 2
    assert both.still(3)._repr_html_().count("<table") == 2


def test_each_mode_says_what_it_knows(both):
    assert [
        tuple(map(int, re.findall(r"\d+", frame["knows"])))
        for frame in both.forward.frames
    ] == [(3, 3, 6), (4, 4, 4), (5, 5, 2), (6, 6, 4), (7, 7, 4)]
    found = [re.findall(r"\d+", frame["knows"]) for frame in both.reverse.frames]
    assert max(int(needed) for _, _, needed in found) == 7  # as lecture 09 counts


def test_both_modes_refuse_what_each_refuses(trace):
    with pytest.raises(KeyError, match="wrt"):
        ModesStepper(trace, wrt="w9", of="y2")
    with pytest.raises(ValueError, match="of"):
        ModesStepper(trace, wrt="w1")


# ---------------------------------------------------------------- arrays and long traces


def test_matrices_stand_beside_an_arrays_formula_in_both_ways():
    t = record(lambda X, V: np.sum(np.tanh(X @ V)), np.eye(30, 4), np.eye(4, 20))
    s = ReverseStepper(t, names="names")
    markup = s.frames[-2]["html"]
    shown = re.sub(r"<img[^>]*>", "", markup).replace("<br>", " ")
    assert re.sub(r"<[^>]*>", "|", shown).replace("|", " ").split() == [
        *("V̄", "4×20", "0.42", "…", "1", "=", "Xᵀ", "4×30", "0", "…", "1"),
        *("first", "24", "of", "30", "columns", "·", "ā₃", "30×20", "0.42", "…", "1"),
        *("first", "24", "of", "30", "rows"),
    ]
    assert "first 24 of 30 rows" in s.frames[1]["html"]  # X·V, on the way up


def test_numbers_alone_show_no_matrices(backward):
    assert not any(frame["html"] for frame in backward.frames)


# ---------------------------------------------------------------- memory


def test_nothing_keeps_a_stepper_that_was_shown(trace):
    s = ReverseStepper(trace, of="y2")
    s._repr_html_(), repr(s)
    gone = weakref.ref(s)
    del s
    gc.collect()
    assert gone() is None


def test_what_a_notebook_has_shown_keeps_little(trace):
    shown = [ReverseStepper(trace, of="y2")]  # what is made once is made here
    repr(shown[0]), shown[0]._repr_html_()
    tracemalloc.start()
    for _ in range(20):
        shown.append(ReverseStepper(trace, of="y2"))
        repr(shown[-1]), shown[-1]._repr_html_()  # as IPython does
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 500_000  # one of them, and what the others need to be shown again
    assert shown[-1].frames == shown[0].frames  # made again when asked for


def test_frames_are_those_of_a_pass_that_can_be_stepped_through():
    trace = record(lambda x: x * x, 2.0)
    with pytest.raises(
        ValueError, match="rows: got the rows of values, expected .*pass"
    ):
        frames_of(rows_of(trace))

    def many(x):
        for _ in range(200):
            x = np.sin(x)
        return x

    with pytest.raises(ValueError, match="rows: got 201 nodes, expected at most 120"):
        frames_of(rows_of(forward(record(many, 0.5), "x")))

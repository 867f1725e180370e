"""Players in a real browser, on a page without Python."""

import io
import re
from functools import cache

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from test_lab import SCREENS, field, node, on_a_screen, press

from comp551ad import (
    ForwardStepper,
    ModesStepper,
    PicturePlayer,
    ReverseStepper,
    grad,
    gradient_descent,
    load_iris,
    logistic,
    logsumexp,
    record,
    reverse,
    surface_player,
    training_player,
)
from comp551ad.functions import erf
from comp551ad.show.player import player_script

PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>'
SITE = '<meta name="generator" content="comp551ad">'
FORK = 10  # the step of the slide's ā₅, which is a sum over two paths (S14)
TEN = "exp(sin(w1*x + w0))*tanh(w1/x)"
# JupyterLab's notebook at 1280 x 720 with the file browser open.
LAPTOP = {"width": 786, "height": 599}


def model(w0, w1, x):
    a = w1 * x + w0
    y1, y2 = np.sin(a), np.cos(a)
    return y1, y2


def s14(**options):
    return ReverseStepper(record(model, w0=0.5, w1=2.0, x=1.0), of="y2", **options)


def network():
    def loss(X, V):
        Z = np.tanh(X @ V)
        return np.sum(Z * Z)

    random = np.random.default_rng(0)
    trace = record(loss, random.normal(size=(30, 4)), random.normal(size=(4, 2)))
    return ReverseStepper(trace, names="names")


def batch():
    def loss(X, Y, W, V):
        Q = X @ V
        U = np.tanh(Q) @ W
        return np.sum((U - Y) ** 2) / X.shape[0]

    random = np.random.default_rng(0)
    shapes = (8, 3), (8, 2), (4, 2), (3, 4)
    trace = record(loss, *(random.normal(size=shape) for shape in shapes))
    return ReverseStepper(trace, names="names")


def long():
    def f(w, x):
        s = 0.0
        for k in range(14):
            s = s + np.sin(w * k) * x
        return s * s

    return ReverseStepper(record(f, 0.7, 1.1))


def pictures():
    frames = [
        {"title": f"picture {k}", "note": "as it is", "html": f"<b>{k}</b>"}
        for k in (1, 2, 3)
    ]
    return PicturePlayer("Three pictures", frames)


@cache  # its still takes a second
def training():
    return training_player(*load_iris())


def valley():
    def valley(x, y):
        return (1 - x) ** 2 + 2 * (y - x**2) ** 2

    return surface_player(valley, (-1.2, 1.0), (-2, 2), (-1, 3), rate=0.02)


def tower():
    def tower(W, V, x, y):
        q = x @ V
        z = logistic(q)
        u = z @ W
        every, right = logsumexp(u), y @ u
        L = every - right
        return L

    random = np.random.default_rng(0)
    arrays = (random.normal(size=shape) for shape in [(4, 3), (2, 4), 2, 3])
    return ReverseStepper(record(tower, *arrays), names="names", predict=True)


KINDS = {
    "reverse": s14,
    "forward": lambda: ForwardStepper(record(model, 0.5, 2.0, 1.0), wrt="w1"),
    "modes": lambda: ModesStepper(record(model, 0.5, 2.0, 1.0), wrt="w1", of="y2"),
    "arrays": network,
    "batch": batch,
    "long": long,
    "pictures": pictures,
    "predict": lambda: s14(predict=True),
    "training": training,
    "surface": valley,
    "tower": tower,
}


def show(page, *shown, style="", **size):
    """Put players on a page of this width and height, and return the first of them."""
    if size:
        page.set_viewport_size(size)
    markup = "\n".join(one._repr_html_() for one in shown)
    page.set_content(f"{PAGE}<body style='{style}'>{markup}</body></html>")
    return page.locator(".c5-stepper").first


@pytest.fixture
def player(page):
    """The player of S14 on a separate page."""
    return show(page, s14())


def count(player):
    return player.locator(".c5-count").text_content()


def texts(player):
    formula = player.locator(".c5-formula .c5-rule, .c5-formula .c5-numbers")
    return [text for text in formula.all_text_contents() if text]


def go(player, step):
    """Go to a step, counted from 1, with the slider's event."""
    player.get_by_role("slider", name="Step").evaluate(
        "(s, v) => { s.value = v; s.dispatchEvent(new Event('input')); }", step - 1
    )


def row(player, k):
    return player.locator("tbody tr").nth(k - 1)


def type_function(player, text):
    typed = player.locator(".c5-typed")
    typed.fill(text)
    typed.press("Enter")


# ---------------------------------------------------------------- every control


def test_keys_step_while_the_player_has_the_focus_and_with_control_are_the_browsers(
    new_page,
):
    page, keyboard = new_page, new_page.keyboard
    page.clock.install()
    player = show(page, s14(), width=1280, height=300)
    player.focus()
    place = page.evaluate("scrollY")
    keys = "ArrowRight ArrowDown ArrowUp ArrowLeft ArrowLeft End Home"
    for key, step in zip(keys.split(), [2, 3, 2, 1, 1, 14, 1], strict=True):
        keyboard.press(key)
        assert count(player) == f"{step} / 14", key
    assert page.evaluate("scrollY") == place
    keyboard.press("Control+End")  # which may scroll
    assert count(player) == "1 / 14"
    keyboard.press(" ")
    expect(player.get_by_role("button", name="Pause", exact=True)).to_have_count(1)
    page.clock.run_for(3000)
    keyboard.press(" ")
    expect(player.get_by_role("button", name="Play", exact=True)).to_have_count(1)
    stopped = count(player)
    assert stopped != "1 / 14"
    page.clock.run_for(5000)
    assert count(player) == stopped
    press(player, "Play")
    page.clock.run_for(60_000)
    assert count(player) == "14 / 14"
    press(player, "Previous")
    press(player, "Next")
    assert count(player) == "14 / 14"


# ---------------------------------------------------------------- what a step shows


def test_it_opens_with_the_first_step_and_what_comes_later_is_nowhere(player):
    assert count(player) == "1 / 14"
    assert texts(player) == ["a₁ = w0, a₂ = w1, a₃ = x", "a₁ = 0.5, a₂ = 2, a₃ = 1"]
    go(player, 7)
    assert "−0.5985" not in player.inner_text()
    expect(row(player, 5).locator("td").last).to_have_text("")


def test_the_fork_of_the_slide(player):
    go(player, FORK)
    assert texts(player) == [
        "ā₅ = ā₆·cos a₅ − ā₇·sin a₅",
        "= 0·cos 2.5 − 1·sin 2.5 = −0.5985",
    ]
    expect(player.locator(".c5-checked")).to_have_text("✓ by differences: −0.5985")
    expect(node(player, "a5")).to_have_class(re.compile("c5-current"))
    expect(row(player, 5)).to_contain_text("−0.5985")
    said = [t for t in player.locator(".c5-said").all_text_contents() if t]
    assert said == ["ā₆·cos a₅ = 0", "−ā₇·sin a₅ = −0.5985"]
    expect(player.locator(".c5-code .c5-now")).to_have_text(["w1 * x", " + w0"])
    # A number isn't shown twice.
    go(player, 6)
    assert texts(player) == ["ā₇ = 1"]


def test_at_the_end_is_what_was_found_and_what_is_gone_is_outlined_not_struck_through(
    player,
):
    press(player, "Last")
    expect(player.locator(".c5-foot")).to_contain_text(
        "∂y2/∂w0 = −0.5985, ∂y2/∂w1 = −0.5985, ∂y2/∂x = −1.197."
    )
    lines = player.evaluate(
        "p => [...p.querySelectorAll('*')].map(e => getComputedStyle(e))"
        ".filter(s => s.textDecorationLine.includes('line-through')).length"
    )
    assert lines == 0
    for gone in (player.locator("td.c5-gone"), player.locator("text.c5-gone")):
        expect(gone.first).to_have_css("outline-style", "dotted")


# ---------------------------------------------------------------- inputs


def test_a_slider_by_keyboard_and_mouse_moves_everything(player):
    go(player, FORK)
    slider = player.get_by_role("slider", name="w0, slider")
    for _ in range(10):
        slider.press("ArrowRight")
    expect(field(player, "w0")).to_have_value("1")
    expect(player.locator(".c5-numbers")).to_have_text("= 0·cos 3 − 1·sin 3 = −0.1411")
    expect(player.locator(".c5-checked")).to_have_text("✓ by differences: −0.1411")
    expect(row(player, 5)).to_contain_text("−0.1411")
    box = slider.bounding_box()
    slider.page.mouse.click(box["x"] + 2, box["y"] + box["height"] / 2)
    expect(field(player, "w0")).to_have_value("-5")
    expect(player.locator(".c5-numbers")).to_have_text(
        "= 0·cos(−3) − 1·sin(−3) = 0.1411"
    )
    player.get_by_role("button", name="Reset").click()
    expect(field(player, "w0")).to_have_value("0.5")


def test_a_number_that_is_being_typed_is_left_alone(player):
    go(player, FORK)
    box = field(player, "x")
    box.fill("1e308")
    expect(player.locator(".c5-foot")).to_contain_text("is ∞: it starts here")
    box.fill("")
    box.page.keyboard.type("0.25")
    expect(box).to_have_value("0.25")
    expect(player.locator(".c5-numbers")).to_contain_text("cos 1")


def test_a_slider_reaches_the_number_that_was_typed(player):
    box, slider = field(player, "x"), player.get_by_role("slider", name="x, slider")
    for typed in ("900", "0.3"):
        box.fill(typed)
        box.blur()
        assert float(slider.input_value()) == pytest.approx(float(typed), abs=0.06)


@pytest.mark.parametrize("x", ["1e16", "1e300"])
def test_a_difference_that_rounding_hides_accuses_nobody(player, x):
    field(player, "x").fill(x)
    press(player, "Last")
    expect(player.locator(".c5-checked")).to_have_text(
        "by differences: can't tell here"
    )


def test_a_number_is_typed_as_people_write_it(player):
    box, read = field(player, "x"), "1"
    numbers = {
        "0,5": "0.5",
        "2,": "",
        "−1/4": "-0.25",
        "pear": "",
        "3e2": "300",
        "": "",
    }
    for typed, number in numbers.items():
        box.fill(typed)
        expect(box).to_have_attribute("aria-invalid", str(not number).lower())
        box.blur()
        read = number or read
        expect(box).to_have_value(read)
        value = row(player, 3).locator("td").first
        expect(value).to_have_text(read.replace("-", "−"))
        assert box.get_attribute("aria-invalid") in (None, "false")


def test_an_entry_of_an_array_is_picked_and_moved(page):
    player = show(page, network())
    expect(row(player, 1).locator("th")).to_have_text("X")
    press(player, "Last")
    before = player.locator(".c5-checked").text_content()
    field(player, "V, axis 0").fill("9")
    field(player, "V, axis 0").blur()
    expect(field(player, "V, axis 0")).to_have_value("3")
    field(player, "V, axis 0").fill("2")
    player.get_by_role("slider", name="V, slider").press("ArrowRight")
    expect(player.locator(".c5-checked")).not_to_have_text(before)
    go(player, 12)
    expect(player.locator(".c5-checked")).to_contain_text("✓ by differences: [2, 0]")
    expect(player.locator(".c5-cells").first).to_be_visible()


def test_the_other_derivatives_are_chosen_from_a_list(player):
    player.get_by_role("combobox").select_option(label="forward: ∂/∂w1")
    assert count(player) == "1 / 5"
    press(player, "Last")
    assert texts(player) == [
        "a₇ = cos a₅ = cos 2.5 = −0.8011",
        "ȧ₇ = −ȧ₅·sin a₅ = −1·sin 2.5 = −0.5985",
    ]


# ---------------------------------------------------------------- type your own


@pytest.mark.parametrize("Stepper", [ReverseStepper, ForwardStepper])
def test_what_python_asked_for_is_in_the_list_also_where_it_is_no_end(page, Stepper):
    about = {"of": "a"} if Stepper is ReverseStepper else {"wrt": "x"}
    player = show(page, Stepper(record(model, 0.5, 2.0, 1.0), **about))
    name = "reverse: of a" if Stepper is ReverseStepper else "forward: ∂/∂x"
    chosen = player.locator("select option:checked")
    expect(chosen).to_have_text(name)
    player.get_by_role("combobox").select_option(label="reverse: of y1")
    player.get_by_role("combobox").select_option(label=name)
    press(player, "Last")
    expect(player.locator(".c5-checked")).to_have_text(re.compile("^✓"))


def test_a_typed_function_is_stepped_through(player):
    type_function(player, "sin(w*x)**2 / maximum(w, 1)")
    expect(field(player, "w")).to_have_value("0.5")
    expect(field(player, "x")).to_have_value("1")  # kept by name
    press(player, "Last")
    expect(player.locator(".c5-checked")).to_have_text(re.compile("^✓"))
    player.get_by_role("button", name="Reset").click()
    expect(player.locator(".c5-typed")).to_have_value("a = w1*x + w0; sin(a), cos(a)")


def test_line_breaks_of_a_pasted_function_separate_its_statements(player):
    typed = player.locator(".c5-typed")
    typed.fill("")
    typed.evaluate(
        """(field, text) => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text", text);
          field.dispatchEvent(new ClipboardEvent("paste", {clipboardData, cancelable: true}));
        }""",
        "a = w*x\n\nsin(a)\n",
    )
    expect(typed).to_have_value("a = w*x; sin(a)")
    expect(node(player, "a4")).to_contain_text("sin a₃")


def test_what_cannot_be_read_leaves_the_last_good_function(player):
    """It also shows a message; test_live.py tests the texts."""
    type_function(player, "<img src=x onerror=alert(1)>")
    expect(player.get_by_role("alert")).to_contain_text("“<” can't be read here.")
    # Its inputs still work.
    expect(node(player, "a7")).to_have_count(1)
    field(player, "x").fill("2")
    type_function(player, "w0*x")
    expect(player.get_by_role("alert")).to_have_count(0)
    expect(node(player, "a3")).to_have_count(1)


def test_signs_and_names_may_be_those_of_mathematics_and_light_up_whole(player):
    type_function(player, "−omega²·sigmoid(omega^3) + ln 2 + π")
    assert player.locator("tbody th").all_text_contents() == [
        *("a₁ = omega", "a₂ = a₁²", "a₃ = −a₂", "a₄ = a₁³", "a₅ = σ(a₄)"),
        *("a₆ = a₃·a₅", "a₇ = a₆ + 0.6931", "a₈ = a₇ + 3.142"),
    ]
    expect(player.locator(".c5-code .c5-now")).to_have_text(["omega"])
    type_function(player, "sin x² + sin(x)²")
    assert player.locator("tbody th").all_text_contents() == [
        *("a₁ = x", "a₂ = a₁²", "a₃ = sin a₂", "a₄ = sin a₁", "a₅ = a₄²"),
        "a₆ = a₃ + a₅",
    ]
    type_function(player, "f(x₁) = e^x₁ ÷ √x₁")
    assert player.locator("tbody th").all_text_contents() == [
        *("a₁ = x1", "a₂ = exp a₁", "a₃ = √a₁", "a₄ = a₂/a₃"),
    ]
    # Names with a value keep it.
    type_function(player, "def g(x: float) -> float: e = 3*x; return e**2")
    assert player.locator("tbody th").all_text_contents() == [
        *("a₁ = x", "a₂ = 3·a₁", "a₃ = a₂²"),
    ]
    # Some keyboards replace a minus by a dash.
    type_function(player, "atan(x) – np.arccos(x)")
    assert player.locator("tbody th").all_text_contents() == [
        *("a₁ = x", "a₂ = arctan a₁", "a₃ = arccos(a₁)", "a₄ = a₂ − a₃"),
    ]


def test_names_and_typed_texts_are_only_texts(page):
    player = show(page, s14())
    page.evaluate("window.hit = 0")
    for text in ("constructor*toString", "__proto__ + x", "hit = x*x; hit"):
        type_function(player, text)
    assert page.evaluate("window.hit") == 0
    names = {"</script><img src=x>": 1.0}
    shown = ReverseStepper(record(lambda p: p["</script><img src=x>"] ** 2, names))
    player = show(page, shown)
    expect(row(player, 1)).to_contain_text("</script><img src=x>")
    expect(player.locator("img")).to_have_count(0)


NOT_FINITE = [
    ("log(x) * 2", "0", 2, "a₂ = log 0 is −∞: it starts here."),
    ("sqrt(x) + w", "-1", 9, "a₃ = √(−1) is not a number: it starts here."),
    ("exp(exp(x))", "7", 6, "a₃ = exp 1097 is ∞: it starts here."),
    ("sqrt(x) * 2", "0", 6, "ā₁ = 2/(2·0) is ∞: it starts here."),
]


def test_what_is_no_finite_number_is_named_where_it_starts(player):
    for text, x, step, said in NOT_FINITE:
        type_function(player, text)
        field(player, "x").fill(x)
        go(player, step)
        expect(player.locator(".c5-remarks")).to_have_text(said)
        player.get_by_role("slider", name="x, slider").press("ArrowLeft")
        expect(field(player, "x")).not_to_have_value(x)


# ---------------------------------------------------------------- everything is linked


def test_hovering_a_node_lights_its_row_and_its_code(player):
    node(player, "a6").hover()
    expect(row(player, 6)).to_have_class(re.compile("c5-hover"))
    expect(player.locator(".c5-code .c5-hover")).to_have_text(["np.sin(a)"])
    player.locator(".c5-code span", has_text="w1 * x").last.hover()
    expect(node(player, "a4")).to_have_class(re.compile("c5-hover"))


def test_a_click_on_a_node_opens_its_derivation_and_escape_closes_it(player):
    press(player, "Last")
    node(player, "a5").click()
    card = player.get_by_role("group", name="Derivation")
    expect(card).to_contain_text("ā₅: the sum over its 2 paths.")
    expect(card).to_contain_text("from a₇: −ā₇·sin a₅= −1·sin 2.5 = −0.5985")
    player.page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    assert player.page.evaluate("document.activeElement.dataset.row") == "4"
    node(player, "a1").focus()
    player.page.keyboard.press("Enter")
    expect(card).to_contain_text("Where ā₁ comes from")


# ---------------------------------------------------------------- predict


def predict(player, step=FORK):
    go(player, step)
    player.get_by_role("button", name="Predict").click()


def choice(player, text):
    return player.locator(".c5-choices button").filter(
        has=player.page.locator(f".c5-choice:text-is('{text}')")
    )


def test_a_wrong_choice_stays_and_a_second_try_is_possible(player):
    predict(player)
    wrong = choice(player, "ā₅ = ā₆·cos a₅ + ā₇·sin a₅")
    wrong.click()
    expect(wrong).to_have_text(re.compile("^✗.*wrong$"))
    expect(player.locator(".c5-verdict")).to_have_text(
        "Not quite. A sign is wrong. Try again."
    )
    right = choice(player, "ā₅ = ā₆·cos a₅ − ā₇·sin a₅")
    right.click()
    expect(right).to_have_text(re.compile("^✓.*right$"))
    expect(player.locator(".c5-verdict")).to_contain_text("= −0.5985.")
    press(player, "Next")
    press(player, "Previous")
    expect(wrong).to_have_text(re.compile("^✗.*wrong$"))
    expect(player.locator(".c5-score")).to_have_text("0 of 1 right at the first try")


@pytest.mark.parametrize("right", ["−1·sin 2.5", "-0,599"])
def test_a_number_is_answered_with_a_lead(player, right):
    predict(player)
    box = player.get_by_role("textbox", name="ā₅")
    for typed, answer in {
        "0.5985": "Not quite. A sign is wrong.",
        "-1.197": "It is 2 times too large:",
        "2.5": "That is a₅ itself.",
        "7": "Both the sign and the size are wrong.",
        "pear": "That isn't a number yet.",
        right: "Right. ",
    }.items():
        box.fill(typed)
        box.press("Enter")
        expect(player.locator(".c5-verdict")).to_contain_text(answer)


def test_an_answer_moves_nothing(player):
    def places():
        parts = player.locator(".c5-choices button, .c5-picture").all()
        return [part.bounding_box() for part in parts]

    predict(player)
    before = places()
    choice(player, "ā₅ = ā₆·cos a₅ + ā₇·sin a₅").click()
    assert places() == before
    choice(player, "ā₅ = ā₆·cos a₅ − ā₇·sin a₅").click()
    assert places() == before


@pytest.mark.parametrize("way", ["Show me", "number"])
def test_who_answers_by_keyboard_goes_on_from_there(player, way):
    predict(player)
    if way == "number":
        player.get_by_role("textbox", name="ā₅").fill("-0.5985")
    else:
        player.get_by_role("button", name=way).focus()
    player.page.keyboard.press("Enter")
    expect(player.locator(".c5-verdict")).to_be_focused()
    player.page.keyboard.press("ArrowRight")
    assert count(player) == f"{FORK + 1} / 14"


def test_a_question_is_asked_again_at_other_inputs(player):
    def inputs():
        return [field(player, name).input_value() for name in ("w0", "w1", "x")]

    predict(player)
    before = inputs()
    player.get_by_role("button", name="New inputs").click()
    assert all(x != was for x, was in zip(inputs(), before, strict=True))
    expect(player.locator(".c5-asked")).to_have_text("What is ā₅?")
    player.get_by_role("button", name="Show me").click()
    expect(player.locator(".c5-verdict")).to_contain_text("It is ā₅ = ā₆·cos a₅")


def test_the_right_choice_may_stand_anywhere(player):
    type_function(player, TEN)
    press(player, "Predict")
    places = set()
    while count(player).split(" / ")[0] != count(player).split(" / ")[1]:
        if player.locator(".c5-choices").is_visible():
            press(player, "Show me")
            choices = player.locator(".c5-choices button").all()
            places |= {k for k, one in enumerate(choices) if "✓" in one.inner_text()}
        press(player, "Next")
    assert places == set(range(5))


def test_a_matrix_stands_in_no_choice_where_a_vector_does(page):
    def layer(z, W):
        return np.sum(np.tanh(z @ W))

    trace = record(layer, np.array([0.5, 1.0]), np.ones((2, 3)))
    player = show(page, ReverseStepper(trace, predict=True))
    offered = []
    for step in range(5, 10):
        go(player, step)
        offered += player.locator(".c5-choice").all_text_contents()
    # z̄ has the column W, and W̄ the outer product with z.
    assert len(offered) > 6 and not [text for text in offered if "a₂[" in text]


def test_an_open_question_shows_its_answer_nowhere(player):
    predict(player, 6)
    for step in range(6, 15):
        go(player, step)
        expect(player.locator(".c5-quiz"), f"{step}").to_be_visible()
        if not player.locator(".c5-asked", has_text="share").count():
            expect(player.locator("tr.c5-now td.c5-derivative")).to_have_text("")
        expect(player.locator(".c5-formula"), f"{step}").to_be_hidden()
        assert [t for t in player.locator(".c5-said").all_text_contents() if t] == []


def test_a_typed_function_asks_too(player):
    predict(player)
    type_function(player, "x*tanh(w)")
    press(player, "Last")
    expect(player.locator(".c5-quiz")).to_be_visible()
    player.page.keyboard.press("1")
    expect(player.locator(".c5-choices")).to_contain_text(re.compile("right|wrong"))


# ---------------------------------------------------------------- the address


@pytest.fixture
def site(page, tmp_path):
    """Return a function that opens a page of the site, with a separate address."""

    def site(hash="", *shown):
        page.goto("about:blank")
        markup = "\n".join(one.player_html(script=False) for one in shown or [s14()])
        file = tmp_path / "page.html"
        file.write_text(
            f"{PAGE}{SITE}<body>{markup}{player_script()}</body></html>", "utf-8"
        )
        page.goto(f"file://{file}{hash}")
        return page.locator(".c5-stepper").first

    return site


def copied_as_python(player):
    """The stepper that the copied code creates."""
    player.evaluate(
        "() => { navigator.clipboard.writeText = async t => { window.copied = t } }"
    )
    press(player, "Copy as Python")
    *lines, last = player.page.evaluate("copied").split("\n")
    made: dict = {}
    exec("\n".join(lines), made)
    return eval(last, made)


def test_the_state_is_in_the_address_and_in_python(site):
    player = site()
    type_function(player, TEN)
    field(player, "x").fill("1.5")
    go(player, 9)
    player.page.wait_for_function("location.hash.includes('step=9')")
    other = site(player.page.evaluate("location.hash"))
    expect(field(other, "x")).to_have_value("1.5")
    assert count(other).startswith("9 /")
    expect(other.locator(".c5-typed")).to_have_value(TEN)

    def ten(w1, x, w0):
        return np.exp(np.sin(w1 * x + w0)) * np.tanh(w1 / x)

    wanted = reverse(record(ten, 2, 1.5, 0.5))
    assert copied_as_python(other).run["x"] == wanted["x"]
    type_function(player, "a = w*x; y = sin(a)")
    assert copied_as_python(player).rows.subject == "derivatives of y"
    type_function(player, "a = w*x; a2 = sin(a)")
    assert copied_as_python(player).run["a4"] == 1


def of_data(x, labels):
    return np.sum(x[labels])


@pytest.mark.parametrize(
    "trace",
    [
        record(lambda p: p["a b"] ** 2, {"a b": 1.0}),
        record(of_data, np.ones(3), np.array([0, 2])),
        record(lambda x: x.sum(), np.ones(3)),
    ],
)
def test_a_call_that_would_not_run_is_not_offered(site, trace):
    player = site("", ReverseStepper(trace))
    button = player.get_by_role("button", name="Copy as Python")
    expect(button).to_be_hidden()
    type_function(player, "x*x")
    expect(button).to_be_visible()


def norm_of(w, x):
    return logsumexp(w * x)


def spread(x):
    return np.std(x)


def doubled(w):
    return 2 * w


@pytest.mark.parametrize(
    "trace",
    [
        record(norm_of, np.ones(3), np.arange(3.0)),
        record(spread, np.arange(3.0)),
        record(grad(lambda x: x * np.sin(x)), 0.5),  # not the code's result
        record(lambda w, x: doubled(w) - x, 2.0, 3.0),
        record(lambda x: np.tanh(erf(x)), 0.5),
        record(lambda w, x: w * x, 1.0, -0.0),
    ],
)
def test_what_is_copied_as_python_records_the_same_list(site, trace):
    player = site("", ReverseStepper(trace))
    copied = copied_as_python(player).run.trace
    assert "import std" not in player.page.evaluate("copied")  # np.std is NumPy's
    np.testing.assert_equal([r[1] for r in copied.rows], [r[1] for r in trace.rows])


def test_changed_entries_of_arrays_are_in_the_address_and_in_python(site):
    player = site("", network())
    place = {"X, axis 0": "2", "X, axis 1": "3"}
    for name, value in {**place, "X": "1.25"}.items():
        field(player, name).fill(value)
    player.page.wait_for_function("location.hash.includes('1.25')")
    assert copied_as_python(player).run.trace.rows[0][1][2, 3] == 1.25
    other = site(player.page.evaluate("location.hash"), network())
    for name, value in place.items():
        field(other, name).fill(value)
    expect(field(other, "X")).to_have_value("1.25")


@pytest.mark.parametrize(
    "hash",
    [
        "#player=1&f=sin(&in=1&d=reverse:1&step=1",
        "#player=1&in=1,2&d=reverse:6&step=9",
        "#player=1&in=0.5,2,x&d=reverse:6&step=9",
        "#player=1&in=0.5,2,1&d=reverse:2&step=9",
        "#player=1&in=0.5,2,1&d=reverse:6&step=99",
        "#player=1&in=*7:1,2,1&d=reverse:6&step=9",
        "#player=1&%E0%A4%A",
    ],
)
def test_a_damaged_link_opens_the_example_and_says_so(site, hash):
    player = site(hash)
    expect(player.get_by_role("alert")).to_contain_text("The link is damaged")
    assert count(player) == "1 / 14"


def test_each_player_of_a_page_has_links_of_its_own(site):
    first = site("#player=2&in=0.5,2,1&d=reverse:6&step=9", s14(), s14())
    assert count(first) == "1 / 14"
    assert count(first.page.locator(".c5-stepper").last) == "9 / 14"


# ---------------------------------------------------------------- it fits


# Parts of a player that overflow the window; nodes and rows scrolled out of their box.
OUT = """p => [...p.querySelectorAll(
    '.c5-bar, .c5-formula, .c5-node, tr.c5-now, .c5-foot, .c5-said')]
  .filter(e => e.textContent && e.checkVisibility()).filter(e => {
    const r = e.getBoundingClientRect();
    const box = e.closest('.c5-picture, .c5-table')?.getBoundingClientRect();
    return r.bottom > innerHeight || r.right > innerWidth || r.top < 0 || r.left < 0
      || e.matches('.c5-current, tr') && (r.top < box.top - 6 || r.bottom > box.bottom + 6);
  }).map(e => e.textContent)"""

# Numbers in the table that are truncated.
CUT = """p => [...p.querySelectorAll('td.c5-number')].filter(e =>
  e.scrollWidth > e.clientWidth || e.getBoundingClientRect().right
    > p.querySelector('.c5-table').getBoundingClientRect().right + 1).length"""

# The number of heat maps, and whether their box shows them completely.
HEAT = """p => {
  const box = p.querySelector('.c5-matrices');
  return [box.querySelectorAll('.c5-cells').length, box.scrollHeight <= box.clientHeight];
}"""


def at_every_step(player, look):
    """A script's result at each step, evaluated in the page."""
    seen = player.evaluate(
        """async (p, look) => {
      const slider = p.querySelector('[aria-label="Step"]'), seen = [];
      for (let step = 0; step <= slider.max; step++) {
        slider.value = step;
        slider.dispatchEvent(new Event('input'));
        await new Promise(requestAnimationFrame);
        seen.push(LOOK(p));
      }
      return seen;
    }""".replace("LOOK", f"({look})")
    )
    assert len(seen) == int(count(player).split(" / ")[1])
    return seen


SMALL = """p => [...p.querySelectorAll('*')].filter(e =>
  [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())
    && !e.matches('style, .c5-hidden') && parseFloat(getComputedStyle(e).fontSize) < 11
  ).map(e => e.outerHTML)"""


@pytest.mark.parametrize(
    ("kind", "text"), [("reverse", ""), ("reverse", TEN), ("modes", "")]
)
def test_in_a_notebook_on_a_laptop_all_is_on_screen_at_every_step(page, kind, text):
    player = show(page, KINDS[kind](), style="margin:0", **LAPTOP)
    if text:
        type_function(player, text)
    assert not any(at_every_step(player, OUT))
    type_function(player, "abcdefghij" * 6)
    assert player.evaluate("p => p.scrollWidth <= p.clientWidth")


@pytest.mark.parametrize(("width", "kind"), [(786, "reverse"), (1280, "batch")])
def test_the_graph_has_most_of_the_width_and_no_number_is_cut(page, width, kind):
    player = show(page, KINDS[kind](), style="margin:0", width=width, height=720)
    press(player, "Last")
    graph = player.locator(".c5-picture").bounding_box()
    assert graph["width"] > 0.55 * width
    if kind == "reverse":
        nodes = [n.bounding_box() for n in player.locator(".c5-node").all()]
        left = min(n["x"] for n in nodes)
        right = max(n["x"] + n["width"] for n in nodes)
        assert right - left > 0.95 * graph["width"]
    assert player.evaluate(CUT) == 0


@pytest.mark.parametrize(("width", "kind"), [(1280, "arrays"), (786, "batch")])
def test_heat_maps_are_as_tall_as_their_box_allows(page, width, kind):
    player = show(page, KINDS[kind](), style="margin:0", width=width, height=720)
    seen, fit = zip(*at_every_step(player, HEAT), strict=True)
    assert all(fit) and sum(seen) > 9


def under_a_head(page):
    """The page has a header of 72 pixels, like those of the site."""
    page.add_style_tag(content="html { scroll-padding-top: 72px }")
    page.evaluate("dispatchEvent(new Event('resize'))")
    page.evaluate("() => new Promise(requestAnimationFrame)")


@pytest.mark.parametrize("size", [(1280, 720), (768, 1024)])
def test_below_a_page_s_head_a_player_leaves_no_gap_and_is_seen_whole(page, size):
    player = show(page, s14(), style="margin:0", width=size[0], height=size[1])
    under_a_head(page)
    boxes = [
        player.locator(f".c5-{part}").bounding_box() for part in ("picture", "foot")
    ]
    assert boxes[1]["y"] - boxes[0]["y"] - boxes[0]["height"] < 12
    assert player.bounding_box()["height"] <= size[1] - 72


# Cards of the graph that its box cuts off.
CUT_OFF = """p => {
  const {top, bottom} = p.querySelector('.c5-picture').getBoundingClientRect();
  return [...p.querySelectorAll('.c5-node')].filter(e => {
    const r = e.getBoundingClientRect();
    return r.top < top - 1 || r.bottom > bottom + 1;
  }).map(e => e.textContent);
}"""


@pytest.mark.parametrize("kind", ["tower", "training"])
def test_on_a_page_on_a_laptop_questions_and_training_are_seen_whole(page, kind):
    style = "margin: 0 35px 0 317px"
    player = show(page, KINDS[kind](), style=style, width=1280, height=720)
    under_a_head(page)
    steps = range(8, 20) if kind == "tower" else ()
    for step in steps:
        go(player, step)
        expect(player.locator(".c5-quiz")).to_be_visible()
        player.evaluate("() => new Promise(requestAnimationFrame)")
        assert player.evaluate(CUT_OFF) == [], step
    assert player.bounding_box()["height"] < 649


# Pairs of numbers in a card that nearly touch, and controls that overflow their line.
MEETING = """p => [...p.querySelectorAll('.c5-node')].filter(e => {
    const [a, b] = [...e.querySelectorAll(':scope > text')].slice(-2)
      .map(t => t.getBoundingClientRect());
    return a.width && b.width && a.right > b.left - 6;
  }).concat([...p.querySelectorAll('.c5-input *')].filter(e =>
    e.getBoundingClientRect().right > p.getBoundingClientRect().right)
  ).map(e => e.outerHTML)"""


# Edges' texts that overflow the picture, or overlap each other or a card; numbers in a card that
# overlap its formula.
LAID_OVER = """p => {
  const boxes = (what, from = p) => [...from.querySelectorAll(what)]
    .filter(e => e.textContent || e.matches('rect')).map(e => {
      const r = e.getBoundingClientRect(), middle = (r.top + r.bottom) / 2;
      const half = e.matches('rect') ? r.height / 2 : 6;  // of its letters
      return {text: e.textContent, left: r.left, right: r.right,
        top: middle - half, bottom: middle + half};
    });
  const meet = (a, b) => a !== b && a.left < b.right - 1 && b.left < a.right - 1
    && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  return [...p.querySelectorAll('.c5-picture svg')].flatMap(svg => {
    const said = boxes('.c5-said', svg), all = [...said, ...boxes('.c5-box', svg)];
    const {left, right} = svg.getBoundingClientRect();
    const gone = [...svg.querySelectorAll('g')].flatMap(g => boxes('text.c5-gone', g)
      .filter(one => meet(one, boxes('text', g)[0])));
    return [...gone, ...said.filter(one => one.left < left || one.right > right
      || all.some(other => meet(one, other)))].map(({text}) => text);
  });
}"""


@pytest.mark.parametrize("width", [786, 360])
@pytest.mark.parametrize("kind", ["ten", "modes", "reverse"])
def test_no_text_of_the_graph_lies_over_another(page, width, kind):
    made = KINDS["modes" if kind == "modes" else "reverse"]()
    player = show(page, made, style="margin:0", width=width, height=599)
    if kind == "ten":
        type_function(player, TEN)
    assert not any(at_every_step(player, LAID_OVER))


@pytest.mark.parametrize("width", [786, 360])
@pytest.mark.parametrize("kind", ["modes", "arrays", "long"])
def test_numbers_stay_apart(page, width, kind):
    player = show(page, KINDS[kind](), style="margin:0", width=width, height=900)
    press(player, "Last")
    assert player.evaluate(MEETING) == []


def test_of_both_modes_the_code_stands_beside_the_table(page):
    player = show(page, KINDS["modes"](), style="margin:0", **LAPTOP)
    code, table = (player.locator(f".c5-{x}").bounding_box() for x in ("code", "table"))
    assert code["y"] == table["y"] and code["x"] + code["width"] < table["x"]


def test_on_paper_there_are_no_controls(player):
    player.page.emulate_media(media="print")
    for part in (".c5-bar", ".c5-source", ".c5-inputs"):
        expect(player.locator(part)).to_be_hidden()
    expect(player.locator(".c5-table")).to_be_visible()


def test_stored_pictures_are_dark_in_the_dark(page):
    picture = show(page, pictures()).get_by_role("group", name="Picture")
    for scheme, jupyter, dark in [
        *[("light", "", False), ("dark", "", True)],
        *[("light", "false", True), ("dark", "true", False)],
    ]:
        page.emulate_media(color_scheme=scheme)
        page.evaluate("light => document.body.dataset.jpThemeLight = light", jupyter)
        seen = np.asarray(Image.open(io.BytesIO(picture.screenshot())).convert("L"))
        assert seen.mean() < 56 if dark else seen.mean() > 200, (scheme, jupyter)


@pytest.mark.parametrize("width", [360, 400])
def test_on_a_phone_formula_and_graph_are_on_screen_together(page, width):
    player = show(page, s14(), width=width, height=800)
    go(player, FORK)
    assert player.evaluate("p => p.scrollWidth <= p.clientWidth")
    last = node(player, "a3").bounding_box()
    assert last["x"] + last["width"] < width - 8
    formula = player.locator(".c5-formula").bounding_box()
    graph = player.locator(".c5-picture").bounding_box()
    assert graph["y"] + graph["height"] - formula["y"] < 800
    node(player, "a6").click()
    expect(player.get_by_role("group", name="Derivation")).to_be_in_viewport(ratio=1)


# ---------------------------------------------------------------- training


def status(player):
    return player.locator(".c5-status").text_content()


def test_training_in_the_page_takes_the_steps_of_numpy(page):
    player = show(page, training())
    player.evaluate("p => p.descent.advance(1000)")
    X, Y = load_iris()
    run = gradient_descent(X, Y, 16, rng=551, max_iters=1000)
    for name, weights in zip("WV", run, strict=True):
        found = player.evaluate(f"p => Array.from(p.descent.state.{name})")
        np.testing.assert_allclose(found, weights.ravel(), rtol=0, atol=1e-9)


def test_training_plays_restarts_and_takes_other_units_and_rates(page):
    player = show(page, training())
    begun = status(player)
    press(player, "Step")
    assert "Iteration 1:" in status(player)
    press(player, "Play")
    expect(player.locator(".c5-status")).to_contain_text(
        re.compile("Iteration [0-9,]+01")
    )
    press(player, "Restart")
    assert status(player) == begun
    player.get_by_role("combobox", name="hidden units").select_option("32")
    expect(player.locator(".c5-cells span")).to_have_count(32 * (3 + 3))
    player.get_by_role("combobox", name="hidden units").select_option("2")
    expect(player.locator(".c5-matrices")).to_contain_text("V 3×2")
    begun = status(player)
    press(player, "Step")
    assert status(player) != begun
    press(player, "Restart")
    assert status(player) == begun
    player.get_by_role("slider", name="learning rate").press("End")
    expect(player.locator(".c5-count").first).to_have_text("32")


def test_a_flower_and_a_weight_are_dragged(page):
    player = show(page, training())
    begun = status(player)
    inputs = "p => Array.from(p.descent.state.X)"
    before = np.reshape(player.evaluate(inputs), (-1, 3))
    box = player.locator(".c5-map > svg > svg").last.bounding_box()  # it lies on top
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = player.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 60, y - 80)
    mouse.up()
    press(player, "Step")
    expect(player.locator(".c5-status")).not_to_have_text(begun)
    moved = np.reshape(player.evaluate(inputs), (-1, 3)) - before
    assert np.argwhere(moved).tolist() == [[149, 0], [149, 1]]
    assert np.all(moved[149, :2] > 0)
    press(player, "Restart")
    assert status(player) == begun
    # By keyboard, within the limits of the map.
    field(player, "X, axis 0").fill("2")
    field(player, "X").fill("99")
    moved = np.reshape(player.evaluate(inputs), (-1, 3)) - before
    assert np.argwhere(moved).tolist() == [[2, 0]] and 0 < moved[2, 0] < 9
    press(player, "Restart")
    assert status(player) == begun
    player.locator(".c5-cells span").nth(17).click()
    expect(field(player, "V, axis 0")).to_have_value("1")
    player.get_by_role("slider", name="V, slider").press("End")
    expect(player.locator(".c5-status")).not_to_have_text(begun)


def test_a_point_on_a_surface_is_moved_and_descends(page):
    player = show(page, valley())
    begun = status(player)
    assert begun.startswith("Step 0: f = 5.227; x = −1.2")
    player.get_by_role("slider", name="x, slider").press("ArrowRight")
    expect(player.locator(".c5-status")).not_to_have_text(begun)
    for _ in range(3):
        press(player, "Step")
    assert status(player).startswith("Step 3: f = ")
    field(player, "x").fill("9")  # the surface ends at 2
    expect(player.locator(".c5-status")).to_contain_text("; x = 2, ")
    assert player.locator(".c5-map text").all_text_contents() == [
        *("x, −2 to 2 →", "↑ y, −1 to 3"),
    ]
    type_function(player, "x**2 + 3*y**2")
    expect(player.locator(".c5-status")).to_contain_text(
        "f = 4.44; x = −1.2, ∂f/∂x = −2.4"
    )
    # A diverging point causes no errors on the page.
    player.get_by_role("slider", name="learning rate").press("End")
    press(player, "Play")
    expect(player.locator(".c5-status")).to_contain_text("has overflowed")
    type_function(player, "x**2")
    expect(player.get_by_role("alert")).to_contain_text("A surface has two inputs")


# ---------------------------------------------------------------- for everybody


def test_players_of_all_kinds_are_accessible_and_no_text_is_small(page, inaccessible):
    """Together on one page, half-way and at the end, with a question and its answer."""
    page.emulate_media(reduced_motion="reduce")
    show(page, *(make() for make in KINDS.values()))
    players = dict(zip(KINDS, page.locator(".c5-stepper").all(), strict=True))
    for part in (0.5, 1):
        for player in players.values():
            if steps := re.findall(r"/ (\d+)", player.inner_text()):
                go(player, int(part * int(steps[0])))
        if part == 1:
            node(players["predict"], "a5").click()
            page.keyboard.press("1")
        for screen in SCREENS:
            on_a_screen(page, *screen)
            assert inaccessible(page, ".c5-stepper") == [], screen
            assert page.locator("body").evaluate(SMALL) == [], screen
            assert page.evaluate("() => document.getAnimations().length") == 0


def test_axe_sees_what_is_wrong(page, inaccessible):
    texts = [
        *["<p>black on white</p>"] * 50,
        "<div style='background:#222'><p>black on black</p></div>",
        "<p style='color:#bbb; visibility:hidden'>pale, and nobody sees it</p>",
        "<p style='color:#bbb'>pale</p>",
        "<p style='color:#888'>grey</p>",
        "<p style='color:#888; font-size:40px'>grey but large</p>",
    ]
    page.set_content(f"{PAGE}{''.join(texts)}<button></button>")
    wrong = inaccessible(page, "body")
    faint = [found for found in wrong if found.startswith("color-contrast")]
    assert [re.search(r">(.*)</p>", found)[1] for found in faint] == [
        *("black on black", "pale", "grey")
    ]
    assert any(found.startswith("button-name") for found in wrong)


def test_a_screen_reader_hears_each_step_and_no_slider(player):
    status = player.locator("[role=status].c5-hidden")
    press(player, "Next")
    expect(status).to_have_text(re.compile("^Step 2. a₄ = a₂·a₃ = 2·1 = 2"))
    before = status.text_content()
    field(player, "x").fill("3")
    expect(row(player, 3)).to_contain_text("3")
    expect(status).to_have_text(before)
    predict(player)
    expect(status).to_have_text(f"Step {FORK}. What is ā₅?")


def test_running_a_cell_again_leaves_nothing_behind(page):
    page.set_content(f"{PAGE}<body><div id='out'></div></body></html>")
    html = s14()._repr_html_()
    page.evaluate(
        """() => { window.added = 0;
        for (const [name, by] of [["addEventListener", 1], ["removeEventListener", -1]]) {
          const own = window[name];
          window[name] = (...a) => { window.added += by; return own.apply(window, a); };
        } }"""
    )
    # Scripts parsed as a fragment run.
    fill = """html => document.getElementById('out').replaceChildren(
      document.createRange().createContextualFragment(html))"""
    for _ in range(5):
        page.evaluate(fill, html)
        page.keyboard.press("Shift")
        page.evaluate("dispatchEvent(new Event('resize'))")
    assert page.locator(".c5-live").count() == 1  # the last one plays
    assert page.evaluate("window.added") <= 2


def test_what_is_saved_of_a_widget_is_the_player(page):
    stepper = s14()
    bundle, _ = stepper.widget()._repr_mimebundle_()
    assert bundle["text/plain"] == repr(stepper)
    page.set_content(f"{PAGE}<body>{bundle['text/html']}</body></html>")
    assert count(page.locator(".c5-stepper")) == "1 / 14"

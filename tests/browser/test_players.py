"""Steppers in a real browser: on a page with no Python behind it, and in JupyterLab."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect
from test_lab import ROOT, code, drive, made_up, press

from comp551ad import ForwardStepper, ReverseStepper, record

SCREENSHOTS = ROOT / "build" / "screenshots"  # git-ignored
PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>'
FORK = 9  # the frame of the slide's ā₅, which is a sum over two paths (S14)
FORK_TEXTS = [
    "ā₅ = ā₆·cos a₅ − ā₇·sin a₅",
    "ā₅ = 0·cos 2.5 − 1·sin 2.5",
    "ā₅ = −0.5985",
]


def model(w0, w1, x):
    a = w1 * x + w0
    y1, y2 = np.sin(a), np.cos(a)
    return y1, y2


def s14():
    return ReverseStepper(record(model, w0=0.5, w1=2.0, x=1.0), of="y2")


def chain(links):
    def f(w, x):
        for _ in range(links):
            x = np.sin(w * x)
        return x

    return ReverseStepper(record(f, 0.7, 1.1))


class Page:
    """A page with some HTML on it, and what went wrong there."""

    def __init__(self, page):
        self.page, self.wrong = page, []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda message: self.wrong.append(message.text))
        page.on("request", lambda request: self.wrong.append(request.url))

    def show(self, *shown, style=""):
        """Put steppers on the page and return the first of them."""
        markup = "\n".join(one._repr_html_() for one in shown)
        self.page.set_content(f"{PAGE}<body style='{style}'>{markup}</body></html>")
        self.wrong = [w for w in self.wrong if not w.startswith("data:image/svg")]
        return self.page.locator(".c5-stepper").first

    def keep(self, name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_timeout(300)  # the colours have arrived
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.fixture
def open_page(browser):
    """Return the function that opens a page; nothing may go wrong on any."""
    contexts, pages = [], []

    def open_page(width=1280, height=900, **options):
        viewport = {"width": width, "height": height}
        contexts.append(browser.new_context(viewport=viewport, **options))
        pages.append(Page(contexts[-1].new_page()))
        return pages[-1]

    yield open_page
    wrong = [wrong for page in pages for wrong in page.wrong]
    for context in contexts:
        context.close()
    assert wrong == []


def count(stepper):
    return stepper.locator(".c5-count").text_content()


def texts(stepper):
    formula = stepper.locator(".c5-formula > div").all_text_contents()
    return [text for text in formula if text]


def node(stepper, key):
    return stepper.locator(f'[data-id="{key}"]')


# ---------------------------------------------------------------- every control


def every_control_steps(stepper):
    """As ``drive``, but with a clock that doesn't keep us waiting."""
    clock = stepper.page.clock
    for name, shown in [
        ("Last", "14 / 14"),
        ("Previous", "13 / 14"),
        ("First", "1 / 14"),
        ("Next", "2 / 14"),
    ]:
        press(stepper, name)
        assert count(stepper) == shown, name
    press(stepper, "Play")
    clock.run_for(2000)
    assert count(stepper) in ("3 / 14", "4 / 14")
    clock.run_for(60_000)
    assert count(stepper) == "14 / 14"
    slider = stepper.get_by_role("slider")
    for key, shown in [
        ("Home", "1 / 14"),
        ("ArrowRight", "2 / 14"),
        ("End", "14 / 14"),
    ]:
        slider.press(key)
        assert count(stepper) == shown, key


def test_every_control_steps(open_page):
    page = open_page()
    page.page.clock.install()
    every_control_steps(page.show(s14()))


def test_the_buttons_are_there_by_name(open_page):
    stepper = open_page().show(s14())
    for name in ("First", "Previous", "Play", "Next", "Last"):
        expect(stepper.get_by_role("button", name=name, exact=True)).to_have_count(1)
    expect(stepper.get_by_role("slider", name="Step", exact=True)).to_have_count(1)
    expect(stepper).to_have_attribute("role", "group")
    expect(stepper).to_have_attribute(
        "aria-label", "Reverse mode through model: derivatives of y2"
    )
    expect(stepper.locator(".c5-formula")).to_have_attribute("aria-live", "polite")


def test_keys_step_while_the_player_has_the_focus(open_page):
    stepper = open_page(height=300).show(s14())
    page = stepper.page
    stepper.focus()
    place = page.evaluate("scrollY")
    for key, shown in [
        ("ArrowRight", "2 / 14"),
        ("ArrowDown", "3 / 14"),
        ("ArrowLeft", "2 / 14"),
        ("ArrowUp", "1 / 14"),
        ("ArrowLeft", "1 / 14"),
        ("End", "14 / 14"),
        ("ArrowRight", "14 / 14"),
        ("Home", "1 / 14"),
    ]:
        page.keyboard.press(key)
        assert count(stepper) == shown, key
    assert page.evaluate("scrollY") == place


def test_keys_reach_the_player_from_its_slider_once_and_from_outside_never(open_page):
    stepper = open_page().show(s14())
    page = stepper.page
    stepper.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    assert count(stepper) == "2 / 14"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    assert count(stepper) == "2 / 14"


def test_keys_with_a_modifier_are_the_browsers(open_page):
    stepper = open_page().show(s14())
    stepper.focus()
    stepper.page.keyboard.press("Control+End")
    assert count(stepper) == "1 / 14"


def test_space_plays_and_pauses_and_its_button_says_so(open_page):
    page = open_page()
    page.page.clock.install()
    stepper = page.show(s14())
    stepper.focus()
    stepper.page.keyboard.press(" ")
    expect(stepper.get_by_role("button", name="Pause", exact=True)).to_have_count(1)
    page.page.clock.run_for(2000)
    stepper.page.keyboard.press(" ")
    expect(stepper.get_by_role("button", name="Play", exact=True)).to_have_count(1)
    stopped = count(stepper)
    assert stopped != "1 / 14"
    page.page.clock.run_for(5000)
    assert count(stepper) == stopped


def test_playing_ends_at_the_end_and_starts_again_from_there(open_page):
    stepper = open_page().show(s14())
    press(stepper, "Last")
    press(stepper, "Play")
    assert count(stepper) == "1 / 14"
    press(stepper, "Last")  # a step by hand ends it
    expect(stepper.get_by_role("button", name="Play", exact=True)).to_have_count(1)


def test_the_focus_shows_and_stays_at_the_ends(open_page):
    stepper = open_page().show(s14())
    stepper.page.keyboard.press("Tab")
    expect(stepper).to_be_focused()
    assert stepper.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    last = stepper.get_by_role("button", name="Last", exact=True)
    last.focus()
    stepper.page.keyboard.press("Enter")
    expect(last).to_be_focused()
    stepper.page.keyboard.press("ArrowLeft")
    assert count(stepper) == "13 / 14"


# ---------------------------------------------------------------- what a step shows


def go_to(stepper, step):
    stepper.get_by_role("slider").fill(str(step))


def test_the_fork_of_the_slide_path_by_path_then_the_sum(open_page):
    page = open_page()
    stepper = page.show(s14())
    go_to(stepper, FORK - 2)
    assert texts(stepper) == ["ā₆·cos a₅", "= 0·cos 2.5", "= 0"]
    expect(stepper.locator(".c5-note")).to_contain_text("∂a₆/∂a₅ = cos a₅")
    assert stepper.locator(".message").count() == 1
    go_to(stepper, FORK - 1)
    assert texts(stepper) == ["−ā₇·sin a₅", "= −1·sin 2.5", "= −0.5985"]
    assert node(stepper, "a5").locator(".derivative").text_content() == ""
    go_to(stepper, FORK)
    assert texts(stepper) == FORK_TEXTS
    said = [text for text in stepper.locator(".said").all_text_contents() if text]
    assert said == ["ā₆·cos a₅ = 0", "−ā₇·sin a₅ = −0.5985"]
    expect(node(stepper, "a5").locator(".derivative")).to_have_text("ā₅ = −0.5985")
    expect(stepper.locator(".c5-note")).to_have_text(
        "From here on ā₇, ā₆, a₅ may be discarded."
    )
    page.keep("stepper_1280")


def test_nodes_show_their_state_by_class_and_word(open_page):
    stepper = open_page().show(s14())
    go_to(stepper, 12)
    for key, state, word in [
        ("a1", "waiting", "waiting"),
        ("a2", "current", "now"),
        ("a3", "done", "done"),
        ("a4", "discardable", "may go"),
    ]:
        expect(node(stepper, key)).to_have_class(f"node {state}")
        expect(node(stepper, key).locator(".word")).to_have_text(word)
    expect(node(stepper, "a3").locator(".value")).to_have_class("value dropped")


def test_the_table_is_filled_as_far_as_the_pass_has_come(open_page):
    stepper = open_page().show(s14())
    seen = "tbody td:not(.c5-unknown)"
    assert stepper.locator(seen).count() == 7 + 3 * 2
    go_to(stepper, 4)
    assert stepper.locator(seen).count() == 7 * 3
    go_to(stepper, FORK)
    assert stepper.locator(seen).count() == 7 * 3 + 3 * 2
    expect(stepper.locator("tr.c5-now")).to_contain_text("−0.5985")
    go_to(stepper, 13)
    assert stepper.locator(seen).count() == 7 * 5
    go_to(stepper, 0)
    assert stepper.locator(seen).count() == 7 + 3 * 2


def test_forward_mode_shows_value_and_tangent_together(open_page):
    trace = record(model, w0=0.5, w1=2.0, x=1.0)
    stepper = open_page().show(ForwardStepper(trace, wrt="w1"))
    go_to(stepper, 4)
    assert texts(stepper) == [
        "a₇ = cos a₅\nȧ₇ = −ȧ₅·sin a₅",
        "a₇ = cos 2.5\nȧ₇ = −1·sin 2.5",
        "a₇ = −0.8011\nȧ₇ = −0.5985",
    ]


def test_the_player_starts_where_the_python_object_stands(open_page):
    shown = s14()
    shown.value = FORK
    assert texts(open_page().show(shown)) == FORK_TEXTS


def test_a_label_that_looks_like_a_tag_is_text(open_page):
    name = "</script><script>window.taken = 1</script>"
    shown = ReverseStepper(record(lambda p: p[name] * p["b"], {name: 2.0, "b": 3.0}))
    page = open_page()
    stepper = page.show(shown)
    go_to(stepper, 1)
    assert page.page.evaluate("window.taken") is None
    go_to(stepper, 0)
    assert name in texts(stepper)[0]


def test_without_a_layout_program_the_player_steps_beside_text(open_page, monkeypatch):
    shown = s14()
    monkeypatch.setattr("shutil.which", lambda *arguments, **options: None)
    page = open_page()
    page.page.clock.install()
    stepper = page.show(shown)
    expect(stepper.locator("pre")).to_contain_text("┌ a₅ a")
    every_control_steps(stepper)


def test_a_graph_too_large_to_draw_leaves_a_sentence(open_page):
    stepper = open_page().show(chain(31))
    expect(stepper.locator(".c5-sentence")).to_contain_text("64 nodes")
    go_to(stepper, 3)
    assert texts(stepper)


# ---------------------------------------------------------------- a good guest


def test_several_players_on_a_page_mind_their_own_steps(open_page):
    page = open_page()
    page.show(s14(), s14())
    first, second = page.page.locator(".c5-stepper").all()
    go_to(first, FORK)
    assert texts(first) == FORK_TEXTS
    assert count(second) == "1 / 14"
    ids = page.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert ids == []  # so none twice


RERUN = """async html => {
  const place = document.body.appendChild(document.createElement('div'));
  const listened = [];
  for (const target of [document, window, document.body]) {
    const add = target.addEventListener;
    target.addEventListener = function (...given) {
      listened.push(given[0]);
      return add.apply(this, given);
    };
  }
  const timers = [];
  const start = window.setInterval;
  window.setInterval = (...given) => { timers.push(1); return start(...given); };
  const stop = window.clearInterval;
  window.clearInterval = (id) => { if (id) timers.pop(); stop(id); };
  const names = Object.getOwnPropertyNames(window).length;
  for (let k = 0; k < 20; k += 1) {
    place.innerHTML = html;
    const old = place.querySelector('script');
    const script = document.createElement('script');
    script.textContent = old.textContent;
    old.replaceWith(script);
    place.querySelector('[aria-label=Play]').click();
  }
  place.remove();
  await new Promise(done => setTimeout(done, 2500));
  window.setInterval = start; window.clearInterval = stop;
  return [Object.getOwnPropertyNames(window).length - names, listened, timers.length];
}"""


def test_running_again_leaves_no_global_no_listener_and_no_timer(open_page):
    page = open_page()
    page.page.set_content(PAGE)
    assert page.page.evaluate(RERUN, s14()._repr_html_()) == [0, [], 0]


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_window_and_its_text_can_be_read(open_page, width, scheme):
    page = open_page(width=width, color_scheme=scheme)
    dark = "background:#111;color:#eee" if scheme == "dark" else ""
    stepper = page.show(s14(), style=dark)
    go_to(stepper, FORK)
    page.keep(f"stepper_{width}_{scheme}")
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    assert least_contrast(stepper) >= 4.5


def least_contrast(stepper):
    """The least contrast of the texts in the card with what they stand on."""
    return stepper.evaluate(
        """root => {
      const numbers = text => text.match(/[\\d.]+/g).map(Number);
      const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(
        v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
      ).reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
      const ground = e => {
        for (; e; e = e.parentElement) {
          const color = numbers(getComputedStyle(e).backgroundColor);
          if (color.length === 3 || color[3] === 1) return color;
        }
        return [255, 255, 255];
      };
      const ratios = [...root.querySelectorAll('p, span, td, th, caption, .c5-formula > *')]
        .filter(e => e.textContent.trim()).map(e => {
          const pair = [light(numbers(getComputedStyle(e).color)), light(ground(e))];
          return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        });
      return Math.min(...ratios);
    }"""
    )


def test_where_less_motion_is_asked_for_nothing_fades(open_page):
    for motion, fades in [("reduce", "0s"), ("no-preference", "0.2s, 0.2s")]:
        stepper = open_page(reduced_motion=motion).show(s14())
        card = stepper.locator(".card").first
        assert card.evaluate("e => getComputedStyle(e).transitionDuration") == fades


def test_without_scripts_a_readable_still_remains(open_page):
    page = open_page(java_script_enabled=False)
    stepper = page.show(s14())
    expect(stepper.locator("img")).to_be_visible()
    expect(stepper).to_contain_text("∂y2/∂w1 = −0.5985")
    expect(stepper.locator("tbody tr")).to_have_count(7)
    expect(page.page.get_by_role("button")).to_have_count(0)


SPEED = """html => {
  const place = document.body.appendChild(document.createElement('div'));
  const start = performance.now();
  place.innerHTML = html;
  const old = place.querySelector('script');
  const script = document.createElement('script');
  script.textContent = old.textContent;
  old.replaceWith(script);
  place.offsetHeight;
  const opened = performance.now() - start;
  const slider = place.querySelector('input'), steps = [];
  for (let k = 0; k <= slider.max; k += 1) {
    const before = performance.now();
    slider.value = k;
    slider.dispatchEvent(new Event('input'));
    place.offsetHeight;
    steps.push(performance.now() - before);
  }
  steps.sort((a, b) => a - b);
  return [opened, steps[Math.floor(steps.length / 2)]];
}"""


@pytest.mark.parametrize(
    "links, nodes, milliseconds, size", [(9, 20, 300, 150_000), (29, 60, 1000, 400_000)]
)
def test_it_opens_and_steps_fast(open_page, links, nodes, milliseconds, size):
    shown = chain(links)
    assert len(shown.rows.rows) == nodes
    markup = shown._repr_html_()
    assert len(markup.encode()) < size
    page = open_page().page
    page.set_content(PAGE)
    opened, step = page.evaluate(SPEED, markup)
    print(f"{nodes} nodes: opened in {opened:.0f} ms, a step in {step:.1f} ms")
    assert opened < milliseconds
    assert step < 16


# ---------------------------------------------------------------- in JupyterLab

CELL = """import numpy as np
from comp551ad import ReverseStepper, record
def model(w0, w1, x):
    a = w1 * x + w0
    return np.sin(a), np.cos(a)
t = record(model, w0=0.5, w1=2.0, x=1.0)
ReverseStepper(t, of="a7")"""


def choose_theme(reader, name):
    reader.choose("Settings", "Theme")
    reader.page.click(f".lm-Menu-itemLabel:text-is('JupyterLab {name}')")
    light = str(name == "Light").lower()
    reader.page.wait_for_selector(
        f'body[data-jp-theme-light="{light}"]', state="attached"
    )


def test_in_jupyterlab_a_still_when_untrusted_and_a_player_when_run(reader):
    wrong = []
    reader.page.on("pageerror", lambda error: wrong.append(str(error)))
    reader.add("stepper.ipynb", made_up(code(CELL, s14()._repr_html_())))
    reader.open("stepper.ipynb")
    assert reader.pictures() == [0, 1]  # the still: nothing was run yet
    output = reader.page.locator(".jp-OutputArea-output").first
    expect(output).to_contain_text("∂y2/∂w1 = −0.5985")
    expect(output.locator("tbody tr")).to_have_count(7)
    assert not re.search(r"addEventListener|c5-stepper \{", output.text_content())
    expect(output.get_by_role("button")).to_have_count(0)

    reader.run_all()
    assert reader.errors() == [] and reader.warnings() == []
    (stepper,) = reader.steppers()
    drive(stepper)
    go_to(stepper, 0)
    stepper.focus()
    for _ in range(FORK):
        reader.page.keyboard.press("ArrowRight")
    assert texts(stepper) == FORK_TEXTS
    assert least_contrast(stepper) >= 4.5
    reader.screenshot("stepper_in_lab_light")
    choose_theme(reader, "Dark")
    assert least_contrast(stepper) >= 4.5
    assert texts(stepper) == FORK_TEXTS
    reader.screenshot("stepper_in_lab_dark")
    choose_theme(reader, "Light")  # as the next test expects it
    assert wrong == []

"""The live player's cost in a real browser: events, training, bytes, calls.

    python tests/benchmarks/player.py [events] [training] [descent] [size]

events      time per move of a slider, style and layout included, for 7, 20 and 60 nodes (95 %)
training    frames per second with the boundary redrawn, at 100 iterations per frame
descent     100,000 iterations of the deck's descent on Iris in the page and in NumPy, in
            processor time
size        bytes of script, style and saved output; Python calls to show one player
"""

import json
import shutil
import sys
import time

import numpy as np
from playwright.sync_api import sync_playwright

from comp551ad import (
    ReverseStepper,
    gradient_descent,
    load_iris,
    record,
    training_player,
)
from comp551ad.byhand.two_layer import gradients
from comp551ad.show.player import player_module, player_script, player_style

PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Benchmark</title>'
# JupyterLab's notebook area at 1280 x 720 with the file browser open.
WINDOW = {"width": 786, "height": 599}
EVENTS = 300


def program(nodes):
    """A function with this many nodes, and the name of its output."""
    if nodes == 7:

        def f(w0, w1, x):
            a = w1 * x + w0
            y1, y2 = np.sin(a), np.cos(a)
            return y1, y2

        return ReverseStepper(record(f, 0.5, 2.0, 1.0), of="y2")

    def g(w, x):
        s = x
        for k in range(nodes - 2):
            if k % 4 == 0:
                s = s * w
            elif k % 4 == 2:
                s = s + x
            else:
                s = np.sin(s)
        return s

    return ReverseStepper(record(g, 0.7, 1.1))


# Events: the listener, the player's work before the next frame, and style and layout, which reading
# a height forces the browser to do immediately.
WORK = """([from, count]) => {
  const [player] = document.querySelectorAll('.c5-stepper');
  const slider = player.querySelector('.c5-input input[type=range]');
  const later = window.requestAnimationFrame;
  let frames = [];
  window.requestAnimationFrame = work => frames.push(work);
  for (let k = from; k < from + count; k++) {
    slider.value = Number(slider.min) + (k % 97 + 1) / 98 * (slider.max - slider.min);
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    frames.splice(0).forEach(work => work(performance.now()));
    player.offsetHeight;
  }
  window.requestAnimationFrame = later;
}"""
BATCH = 5
SECONDS = 4


def clock(page):
    """The processor time of the page's thread, in seconds."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy():
        found = devtools.send("Performance.getMetrics")["metrics"]
        return next(m["value"] for m in found if m["name"] == "TaskDuration")

    return busy


def events(page):
    """Measured in batches of five, in processor time of the page's thread, which excludes other
    programs."""
    busy = clock(page)

    def batch(k, count):
        begun = busy()
        page.evaluate(WORK, [k, count])
        return 1000 * (busy() - begun)

    for nodes in (7, 20, 60):
        stepper = program(nodes)
        assert len(stepper.run.trace) == nodes
        page.set_content(f"{PAGE}{stepper._repr_html_()}")
        for step in ("First", "Last"):
            page.get_by_role("button", name=step).click()
            empty = np.median([batch(0, 0) for _ in range(10)])
            batches = [batch(k, BATCH) for k in range(0, EVENTS, BATCH)]
            spent = (np.array(batches[4:]) - empty) / BATCH
            print(
                f"{nodes:3} nodes, {step.lower():5} step: median {np.median(spent):4.1f}, "
                f"95 % {np.percentile(spent, 95):4.1f} ms"
            )


PICTURES = """seconds => new Promise(done => {
  const [player] = document.querySelectorAll('.c5-stepper');
  player.querySelector('.c5-go').click();
  const begun = performance.now(), from = player.descent.state.iteration;
  setTimeout(() => {
    const took = (performance.now() - begun) / 1000;
    const count = player.descent.state.iteration - from;
    player.querySelector('.c5-go').click();
    done(count / 100 / took);
  }, 1000 * seconds);
})"""


def training(page):
    X, Y = load_iris()
    for size in ({"width": 786, "height": 599}, {"width": 1280, "height": 900}):
        page.set_viewport_size(size)
        page.set_content(f"{PAGE}{training_player(X, Y)._repr_html_()}")
        busy = clock(page)
        begun = busy()
        rate = page.evaluate(PICTURES, SECONDS)
        work = 1000 * (busy() - begun) / (rate * SECONDS)
        print(
            f"{size['width']} wide: {rate:.1f} pictures a second, 100 iterations each; "
            f"{work:.1f} ms of the processor a picture"
        )
    page.set_viewport_size(WINDOW)


def descent(page, steps=100_000):
    X, Y = load_iris()
    page.set_content(f"{PAGE}{training_player(X, Y)._repr_html_()}")
    page.evaluate("document.querySelector('.c5-stepper').descent.advance(2000)")
    page.evaluate("document.querySelector('.c5-bar button:nth-child(3)').click()")
    busy = clock(page)
    begun = busy()
    page.evaluate(
        """steps => { const {descent} = document.querySelector('.c5-stepper');
        for (let k = 0; k < steps; k += 1000) descent.advance(1000); }""",
        steps,
    )
    took = busy() - begun
    W, V = gradient_descent(X, Y, 16, rng=551, max_iters=1).history.iterates[0]
    begun = time.process_time()
    for _ in range(steps):
        dW, dV = gradients(X, Y, W, V)
        W, V = W - 0.1 * dW, V - 0.1 * dV
    numpy = time.process_time() - begun
    state = page.evaluate(
        "() => { const s = document.querySelector('.c5-stepper').descent.state;"
        " return [Array.from(s.W), Array.from(s.V)] }"
    )
    apart = max(
        float(np.max(np.abs(np.array(a) - b.ravel())))
        for a, b in zip(state, (W, V), strict=True)
    )
    print(
        f"{steps:,} iterations: page {took:.2f} s, NumPy {numpy:.2f} s of the processor, "
        f"{took / numpy:.2f} x; weights then {apart:.1e} apart"
    )


def size(page):
    script, style = len(player_script("program")), len(player_style())
    print(f"script and style, numbers alone: {script:,} bytes, style {style:,}")
    print(f"a widget's script, with all primitives: {len(player_module()):,} bytes")
    print(f"of all kinds together: {len(player_script()):,} bytes")
    stepper = program(20)
    print(f"data of a player of 20 nodes: {len(json.dumps(stepper.data())):,} bytes")
    count = 0

    def counting(frame, event, arg):
        nonlocal count
        count += event == "call"

    trace = program(7).run.trace
    ReverseStepper(trace, of="y2")._repr_html_()
    sys.setprofile(counting)
    ReverseStepper(trace, of="y2")._repr_html_()
    sys.setprofile(None)
    print(f"one ReverseStepper shown: {count:,} calls in Python")


def main(wanted):
    parts = {"events": events, "training": training, "descent": descent, "size": size}
    programs = ("chromium-headless-shell", "chromium", "google-chrome")
    found = next(filter(None, map(shutil.which, programs)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport=WINDOW)
        for name in wanted or parts:
            parts[name](page)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])

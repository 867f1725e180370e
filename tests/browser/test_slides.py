"""The lectures as slides: each fits a screen of 1280 x 720, with text of at least 24 px.

`jupyter nbconvert --to slides` writes pages that fetch nothing from the network; they are opened
without one here. They have no prompts, collapsed code or asserts.

    pytest tests/browser/test_slides.py -k 05      # one lecture
"""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbconvert import SlidesExporter
from nbconvert.nbconvertapp import NbConvertApp
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from traitlets.config import Config

ROOT = Path(__file__).parent.parent.parent
LECTURES = [path.stem for path in sorted((ROOT / "lectures").glob("*.ipynb"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# The lecturers' command, with its settings.
(COMMAND,) = re.findall(r"`\.venv/bin/(jupyter nbconvert --to slides .*?)`", README)
(SETTINGS,) = re.findall(r"--config (\S+)", COMMAND)
WIDTH, HEIGHT, TYPE = 1280, 720, 24
MOST_SLIDES = 40

# Each slide's cells, size, and smallest text outside of pictures and players.
MEASURE = """() => slides.map((slide, k) => {
  show(k);
  const shows = e => [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim());
  const texts = [...slide.querySelectorAll('*')].filter(e => shows(e) && e.checkVisibility()
    && !e.closest('svg, .c5-stepper, math, sub, sup, style, script'));
  return {
    cells: [...slide.querySelectorAll('[id^="cell-id="]')].map(cell => cell.id.slice(8)),
    text: slide.innerText,
    height: slide.scrollHeight,
    width: slide.scrollWidth,
    type: Math.min(99, ...texts.map(e => parseFloat(getComputedStyle(e).fontSize))),
  };
})"""


@pytest.fixture(scope="module")
def exporter():
    settings = Config(json.loads((ROOT / SETTINGS).read_text(encoding="utf-8")))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield SlidesExporter(config=settings)


@pytest.fixture
def measure(exporter, page, tmp_path):
    """Return a function that shows a notebook without network and measures its slides."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

    def measure(notebook):
        text, _ = exporter.from_notebook_node(notebook)
        path = tmp_path / "slides.html"
        path.write_text(text, encoding="utf-8")
        page.goto(path.as_uri())
        return page.evaluate(MEASURE)

    return measure


def faults(slides):
    """The faults of each faulty slide, with its contents."""
    return [
        f"{', '.join(slide['cells'])}: {slide['width']:.0f} x {slide['height']:.0f}, "
        f"type of {slide['type']:.0f} px"
        for slide in slides
        if slide["width"] > WIDTH or slide["height"] > HEIGHT or slide["type"] < TYPE
    ]


def on_a_slide(cell, slide_type="slide", **metadata):
    cell.metadata.update(slideshow={"slide_type": slide_type}, **metadata)
    return cell


def shown(html):
    return new_output("display_data", data={"text/html": html})


def test_what_is_too_large_or_too_small_is_noticed(measure):
    high = shown('<pre style="height: 900px">one block</pre>')
    small = shown('<p style="font-size: 20px">small print</p>')
    wide = shown('<p style="width: 1400px">wide</p>')
    found = measure(
        new_notebook(
            cells=[
                on_a_slide(new_code_cell("1", outputs=[o])) for o in (high, small, wide)
            ]
        )
    )
    assert len(faults([s for s in found if "1" != s["text"].strip()])) == 3


def test_what_is_too_much_for_one_slide_goes_to_the_next(measure):
    cells = [
        on_a_slide(new_markdown_cell("# Title\n\n" + "A line.\n\n" * 30)),
        on_a_slide(new_markdown_cell("text\n\n" * 99), "skip"),
        on_a_slide(new_markdown_cell("Last."), "fragment"),
    ]
    found = measure(new_notebook(cells=cells))
    assert len(found) > 1 and faults(found) == []
    text = "\n".join(slide["text"] for slide in found)
    assert text.count("A line.") == 30 and "text" not in text


def test_prompts_folded_code_and_asserts_are_not_shown(measure, page):
    cells = [
        on_a_slide(
            new_code_cell(
                "x = 1\nassert x == (\n    1\n)\nx",
                execution_count=7,
                outputs=[
                    new_output(
                        "execute_result", {"text/plain": "one"}, execution_count=7
                    )
                ],
            )
        ),
        on_a_slide(
            new_code_cell("plot()", outputs=[shown("<p>drawn</p>")]),
            jupyter={"source_hidden": True},
        ),
        on_a_slide(new_markdown_cell("A formula, $\\frac{a}{b}$.")),
    ]
    found = measure(new_notebook(cells=cells))
    assert [slide["text"].split() for slide in found[:2]] == [
        ["x", "=", "1", "x", "one"],
        ["drawn"],
    ]
    assert page.locator("math mfrac").count() == 1


def test_keys_lead_from_slide_to_slide_and_the_address_keeps_the_place(measure, page):
    cells = [on_a_slide(new_markdown_cell(f"Slide {k}")) for k in range(3)]
    cells.insert(1, on_a_slide(new_markdown_cell("More"), "fragment"))
    measure(new_notebook(cells=cells))
    page.keyboard.press("Home")
    seen = []
    for key in ("ArrowRight", "ArrowRight", "PageDown", "End", "ArrowLeft"):
        page.keyboard.press(key)
        seen.append((page.url.split("#")[1], page.get_by_text("More").is_visible()))
    assert [place for place, _ in seen] == ["1", "2", "3", "3", "2"]
    assert seen[0][1]


def test_the_readmes_command_finds_its_settings(monkeypatch):
    monkeypatch.chdir(ROOT)
    nbconvert = NbConvertApp()
    nbconvert.initialize(COMMAND.split()[2:])
    exporter = SlidesExporter(config=nbconvert.config)
    assert exporter.exclude_input_prompt and exporter.template_name == "deck"


@pytest.mark.parametrize("name", LECTURES)
def test_every_slide_fits_and_can_be_read(name, measure):
    notebook = nbformat.read(ROOT / "lectures" / f"{name}.ipynb", as_version=4)
    slides = measure(notebook)
    assert faults(slides) == [], "\n".join(faults(slides))
    kinds = [
        cell.metadata.get("slideshow", {}).get("slide_type") for cell in notebook.cells
    ]
    if name[2] == "_":  # not a side notebook
        assert kinds.count("slide") + kinds.count("subslide") <= MOST_SLIDES

"""The lectures as slides: no slide is higher or wider than a screen of 1280 x 720.

`jupyter nbconvert --to slides` writes pages that fetch reveal.js and MathJax from the network.
Nothing is fetched here: `THEME` is what reveal.js 4.0.2 and its theme `simple` say of how
much room things take, and a formula gets about the room that it takes once it is set. Beside
the real ones, slides come out some 30 pixels higher on average; one with many formulas may come
out 50 pixels lower, so look at it when it is close to the edge.

    pytest tests/browser/test_slides.py -k 05      # one lecture
"""

import json
import re
from copy import deepcopy
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
# The command for lecturers, with the settings that it names.
(COMMAND,) = re.findall(r"`\.venv/bin/(jupyter nbconvert --to slides .*?)`", README)
(SETTINGS,) = re.findall(r"--config (\S+)", COMMAND)
WIDTH, HEIGHT = 1280, 720

THEME = """
.reveal { font: 40px sans-serif; }
.reveal .slides { width: 1280px; text-align: left; line-height: 1.3; }
.reveal section { display: flow-root; }
.reveal section section, .reveal .slides > section:not(:has(section)) { padding: 20px 0; }
.reveal h1, .reveal h2, .reveal h3 { font-family: sans-serif; line-height: 1.2; }
.reveal h1 { font-size: 3.77em; }
.reveal h2 { font-size: 2.11em; }
.reveal h3 { font-size: 1.55em; }
.reveal p { margin: 20px 0; line-height: 1.3; }
.reveal ol, .reveal ul { display: inline-block; margin: 0 0 0 1em; }
.reveal pre { line-height: 1.2em; }
.reveal table { margin: auto; border-collapse: collapse; }
.reveal table th, .reveal table td { padding: .2em .5em; border-bottom: 1px solid; }
.reveal section img { max-width: 95%; max-height: 95%; margin: 20px 0; }
"""

MEASURE = """() =>
  [...document.querySelectorAll('.slides section:not(:has(section))')].map(slide => {
    const left = slide.getBoundingClientRect().left;
    const parts = [...slide.querySelectorAll(':not(pre, style, script)')];
    return {
      cells: [...slide.querySelectorAll('[id^="cell-id="]')].map(cell => cell.id.slice(8)),
      height: slide.scrollHeight,
      width: Math.max(...parts.map(part => part.getBoundingClientRect().right - left)),
    };
  })"""

FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$]+)\$", re.DOTALL)
MARKUP = re.compile(r"\\[a-zA-Z]+ ?|[{}^_]")


def as_large(formula):
    """What takes about as much room as a formula that has been set."""
    display, inline = formula.groups()
    if display is None:
        return MARKUP.sub("", inline)
    height = 35 + 45 * (1 + display.count(r"\\"))
    return f'<span style="display: block; height: {height}px"></span>'


@pytest.fixture
def measure(browser):
    """Return the function that gives the cells, height and width of each slide."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.route("**/*", lambda route: route.abort())
    settings = Config(json.loads((ROOT / SETTINGS).read_text(encoding="utf-8")))

    def measure(notebook):
        notebook = deepcopy(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = FORMULA.sub(as_large, cell.source)
        text, _ = SlidesExporter(config=settings).from_notebook_node(notebook)
        page.set_content(f"{text}<style>{THEME}</style>", wait_until="load")
        return page.evaluate(MEASURE)

    yield measure
    page.close()


def overflowing(slides):
    """Say of each slide that does not fit what is on it and how large that is."""
    return [
        f"{', '.join(slide['cells'])}: {slide['width']:.0f} x {slide['height']:.0f}"
        for slide in slides
        if slide["width"] > WIDTH + 1 or slide["height"] > HEIGHT
    ]


def on_a_slide(cell, slide_type="slide"):
    cell.metadata["slideshow"] = {"slide_type": slide_type}
    return cell


def test_a_slide_that_is_too_high_or_too_wide_is_noticed(measure):
    picture = new_output("display_data", data={"text/html": "<p>a line</p>" * 20})
    formula = new_markdown_cell(r"# Title" + r"$$a \\ b \\ c$$" * 3)
    first, second = measure(
        new_notebook(
            cells=[
                on_a_slide(new_markdown_cell("# Title"), "slide"),
                on_a_slide(new_markdown_cell("text\n\n" * 99), "skip"),
                on_a_slide(new_code_cell("1", outputs=[picture] * 2), "subslide"),
                on_a_slide(new_markdown_cell("last"), "fragment"),
            ]
        )
    )
    assert len(overflowing([first, second])) == 1 and second["height"] > 1800
    assert first["height"] < 250
    (wide,) = measure(new_notebook(cells=[new_code_cell("x" * 120)]))
    (fits,) = measure(new_notebook(cells=[new_code_cell("x" * 79)]))
    (high,) = measure(new_notebook(cells=[formula]))
    assert wide["width"] > WIDTH >= fits["width"]
    assert 600 < high["height"]


def test_the_readmes_command_writes_slides_of_that_size(monkeypatch):
    monkeypatch.chdir(ROOT)
    nbconvert = NbConvertApp()
    nbconvert.initialize(COMMAND.split()[2:])
    exporter = SlidesExporter(config=nbconvert.config)
    assert (exporter.reveal_width, exporter.reveal_height) == (str(WIDTH), str(HEIGHT))
    text, _ = exporter.from_notebook_node(
        new_notebook(cells=[on_a_slide(new_markdown_cell("# Title"))])
    )
    assert f"width: {WIDTH}," in text and f"height: {HEIGHT}," in text


@pytest.mark.parametrize("name", LECTURES)
def test_every_slide_fits(name, measure):
    path = ROOT / "lectures" / f"{name}.ipynb"
    slides = measure(nbformat.read(path, as_version=4))
    assert len(slides) > 9
    assert overflowing(slides) == [], "\n".join(overflowing(slides))

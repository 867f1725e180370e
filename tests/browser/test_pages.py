"""Every page of the web site in a browser that has no network."""

import re
from html import unescape
from urllib.parse import unquote, urljoin

import pytest
from test_lab import ROOT, drive

from comp551ad.site import write_site

MOST_BYTES = 5_000_000
NAMES = [
    f"{room}/{path.stem}"
    for room in ("lectures", "exercises", "solutions")
    for path in sorted((ROOT / room).glob("*.ipynb"))
]

# What sticks out of the window, unless it can be scrolled by itself.
OVERFLOW = """() => {
  const scrolls = e => e && (getComputedStyle(e).overflowX !== 'visible' ||
    scrolls(e.parentElement));
  return [...document.querySelectorAll('main *')]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
    .filter(e => !scrolls(e.parentElement))
    .map(e => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`);
}"""

# Pictures that don't show, or have nothing to say to who can't see them.
UNSEEN = """() => [...document.querySelectorAll('main img')]
  .filter(e => !(e.complete && e.naturalWidth > 0 && e.alt))
  .map(e => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    write_site(out, ROOT)
    return out


@pytest.fixture
def page(browser):
    """A page with no network, in which nothing may go wrong."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:")) or wrong.append(request.url)
        ),
    )
    yield page
    context.close()
    assert wrong == []


@pytest.mark.parametrize("name", ["index", *NAMES])
def test_a_page_shows_plays_and_fits(site, page, name):
    path = site / f"{name}.html"
    assert path.stat().st_size < MOST_BYTES
    page.goto(path.as_uri())
    assert page.evaluate(UNSEEN) == []
    for stepper in page.locator(".c5-stepper:not(.c5-training)").all():
        drive(stepper, play=False)
    assert page.evaluate(OVERFLOW) == []
    page.set_viewport_size({"width": 400, "height": 900})
    assert page.evaluate(OVERFLOW) == []


LOOKED_AT = ["index", "lectures/01_", "lectures/05_", "lectures/12_", "exercises/03_"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_is_accessible(site, page, inaccessible, name, scheme):
    (name,) = [n for n in ["index", *NAMES] if n.startswith(name)]
    page.emulate_media(color_scheme=scheme)
    page.goto((site / f"{name}.html").as_uri())
    assert inaccessible(page, "html") == []


def test_every_way_in_the_site_leads_somewhere(site):
    """What a link into the site names is a file and a place in it."""
    places, ways = set(), set()
    for path in site.rglob("*.html"):
        text, here = path.read_text(encoding="utf-8"), path.as_uri()
        places |= {here, *(f"{here}#{p}" for p in attributes(r"\w+", "id", text))}
        ways |= {urljoin(here, way) for way in attributes("a", "href", text)}
    # A browser looks for the decoded fragment, in a file by its encoded name.
    split = (way.partition("#") for way in ways if way.startswith("file:"))
    ways = {f"{file}{mark}{unquote(place)}" for file, mark, place in split}
    assert len(ways) > 150
    assert sorted(ways - places) == []


def attributes(tag, name, text):
    return map(unescape, re.findall(rf'<{tag}\b[^<>]*\s{name}="([^"]*)"', text))

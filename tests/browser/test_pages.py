"""The course's web site: every page as written, and in a browser without network."""

import re
from html import unescape
from itertools import pairwise
from urllib.parse import unquote, urljoin

import nbformat
import pytest
from test_lab import ROOT, SCREENS, drive, on_a_screen

from comp551ad.site import write_site
from comp551ad.site.course import read_course

MOST_SECONDS = 1  # until a player moves
NAMES = [
    f"{room}/{path.stem}"
    for room in ("lectures", "exercises", "solutions")
    for path in sorted((ROOT / room).glob("*.ipynb"))
]
FRONT = ["index", "map"]

# Elements that overflow the window, unless they can be scrolled.
OVERFLOW = """() => {
  const scrolls = e => e && (getComputedStyle(e).overflowX !== 'visible' ||
    scrolls(e.parentElement));
  return [...document.querySelectorAll('main *')]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
    .filter(e => !scrolls(e.parentElement))
    .map(e => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`);
}"""

# Pictures that don't show, or have no alternative text.
UNSEEN = """() => [...document.querySelectorAll('main img')]
  .filter(e => !(e.complete && e.naturalWidth > 0 && e.alt.trim()))
  .map(e => e.outerHTML.slice(0, 120))"""

# A full stop or comma on the next line, separated from its formula.
APART = """() => [...document.querySelectorAll('main math')].filter(e => {
  const mark = document.createRange(), next = e.nextSibling;
  if (!/^[.,;:!?)]/.test(next?.data)) return false;
  mark.setStart(next, 0);
  mark.setEnd(next, 1);
  return mark.getBoundingClientRect().left < e.getBoundingClientRect().left;
}).map(e => e.textContent)"""

# Targets too small to touch (WCAG 2.5.8): less than 24 px, unless in a sentence.
TOO_SMALL = """() => [...document.querySelectorAll('button, summary, nav a, .buttons a')]
  .filter(e => e.checkVisibility() && !e.closest('.c5-stepper'))
  .filter(e => e.getBoundingClientRect().height < 24)
  .map(e => e.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    write_site(out, ROOT)
    return out


def address(site, name):
    """The page whose name begins with this."""
    (name,) = [n for n in [*FRONT, *NAMES] if n.startswith(name)]
    return (site / f"{name}.html").as_uri()


@pytest.mark.parametrize("name", [*FRONT, *NAMES])
def test_a_page_shows_plays_and_fits(site, page, name):
    page.goto((site / f"{name}.html").as_uri())
    assert page.evaluate(UNSEEN) == []
    for stepper in page.locator(".c5-stepper:not(.c5-training)").all():
        drive(stepper)
    assert page.evaluate(OVERFLOW) == page.evaluate(APART) == []
    page.set_viewport_size({"width": 400, "height": 900})
    assert page.evaluate(OVERFLOW) == page.evaluate(APART) == []
    assert page.evaluate(TOO_SMALL) == []


def test_the_first_page_has_a_player_that_moves_at_once(site, page):
    """The best of three, as the page's process may have to wait for a core."""

    def seconds():
        page.goto(address(site, "index"))
        return page.evaluate("""() => {
          const counted = () => document.querySelector('.c5-stepper').innerText;
          const before = counted(), start = performance.now();
          document.querySelector('.c5-stepper .c5-go + button').click();
          if (counted() === before) throw new Error('it did not move');
          const [loading] = performance.getEntriesByType('navigation');
          return (loading.domContentLoadedEventEnd + performance.now() - start) / 1000;
        }""")

    assert min(seconds() for _ in range(3)) < MOST_SECONDS


# test_players.py tests the players on other pages.
LOOKED_AT = [*FRONT, "lectures/05_", "exercises/03_", "solutions/09_"]


@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_is_accessible(site, page, inaccessible, name):
    page.goto(address(site, name))
    unfold = "all => all.forEach(one => (one.open = true))"
    page.locator("main details.fold").evaluate_all(unfold)
    for screen in SCREENS:
        on_a_screen(page, *screen)
        assert inaccessible(page, "html") == [], screen


def test_search_finds_a_section_and_leads_there(site, page):
    page.goto(address(site, "lectures/09_"))
    page.keyboard.press("/")
    page.keyboard.type("jacobian of softmax")
    link = page.locator("#found a", has_text="The Jacobian of softmax").first
    link.click()
    page.wait_for_url("**/exercises/02_*#*")
    heading = page.locator("h2:target")
    assert "The Jacobian of softmax" in heading.inner_text()
    assert 0 <= heading.bounding_box()["y"] < 300
    page.fill("#search", "zzyzx")
    page.wait_for_selector("#found :text('Nothing found')")
    page.keyboard.press("Escape")
    assert page.inner_text("#found") == ""


def test_a_theme_is_chosen_and_kept(site, new_page):
    def paper():
        return new_page.evaluate("getComputedStyle(document.body).backgroundColor")

    new_page.emulate_media(color_scheme="light")
    new_page.goto(address(site, "lectures/09_"))
    light = paper()
    new_page.click("#theme")
    new_page.click("#theme")
    assert new_page.inner_text("#theme") == "Theme: dark"
    dark = paper()
    assert dark != light
    behind = "e => getComputedStyle(e).colorScheme"
    assert new_page.locator(".c5-stepper").first.evaluate(behind) == "dark"
    new_page.reload()
    assert paper() == dark
    new_page.click("#theme")
    assert paper() == light


def test_code_is_copied_as_it_stands(site, new_page):
    new_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    new_page.goto(address(site, "lectures/09_"))
    area = new_page.locator(".input_area", has_text="def model(").first
    area.hover()
    area.locator(".copy").click()
    new_page.wait_for_selector(".copy:text('Copied')")
    copied = new_page.evaluate("navigator.clipboard.readText()")
    (notebook,) = ROOT.glob("lectures/09_*.ipynb")
    sources = [cell.source for cell in nbformat.read(notebook, as_version=4).cells]
    assert copied == next(text for text in sources if "def model(" in text)


def test_what_an_exercise_hides_is_shown_one_by_one(site, page):
    """The question is visible; hints, reasoning and solution are collapsed until opened."""
    page.goto(address(site, "exercises/09_"))
    assert page.locator("text=YOUR ANSWER HERE").count() == 0
    folds = page.locator("details.fold")
    assert {"Hint 1", "Hint 2", "The reasoning", "The solution"} == {
        *page.locator("details.fold > summary").all_inner_texts()
    }
    assert folds.evaluate_all("all => all.filter(one => one.open).length") == 0
    first = page.locator("details.fold", has_text="The solution").first
    answer = first.locator(".input_area")
    assert not answer.is_visible()
    first.locator("summary").click()
    assert answer.is_visible() and "def adjoints_of_the_swing" in answer.inner_text()


def test_on_paper_there_is_only_what_one_reads(site, page):
    page.goto(address(site, "lectures/09_"))
    page.emulate_media(media="print")
    for part in ("header", "footer", ".frame > nav", ".buttons", ".onward"):
        assert not page.locator(part).first.is_visible()
    assert page.locator("h1").is_visible()


def test_every_way_in_the_site_leads_somewhere(site):
    """Every link within the site names an existing file and an element in it."""
    places, ways = {path.as_uri() for path in site.rglob("*.*")}, set()
    for path in site.rglob("*.html"):
        text, here = path.read_text(encoding="utf-8"), path.as_uri()
        places |= {here, *(f"{here}#{p}" for p in attributes(r"\w+", "id", text))}
        ways |= {urljoin(here, way) for way in attributes("a", "href", text)}
    # A browser searches for the decoded fragment, in the file with the encoded name.
    split = (way.partition("#") for way in ways if way.startswith("file:"))
    ways = {f"{file}{mark}{unquote(place)}" for file, mark, place in split}
    assert len(ways) > 150
    assert sorted(ways - places) == []


def test_the_font_that_comes_along_has_every_character_of_every_formula(site):
    from fontTools.ttLib import TTFont

    font = TTFont(site / "assets/math.woff2")
    assert "MATH" in font  # for placing subscripts and stretching brackets
    pages = [path.read_text("utf-8") for path in site.rglob("*.html")]
    formulas = (re.findall("(?s)<math.*?</math>", page) for page in pages)
    text = "".join(re.sub("<[^>]+>", "", f) for page in formulas for f in page)
    assert len(text) > 10_000
    assert {c for c in set(unescape(text)) if ord(c) not in font.getBestCmap()} == set()


def test_what_searchers_and_previews_read_stands_on_every_page_and_none_is_heavy(site):
    titles, pages = set(), [*site.rglob("*.html")]
    for path in pages:
        text = path.read_text("utf-8")
        scripts = [path.parent / s for s in re.findall(r'src="([^":]+\.js)"', text)]
        files = [path, site / "assets/math.woff2", *scripts]
        assert scripts and sum(f.stat().st_size for f in files) < 1_500_000, path
        head, body = text.split("</head>")
        (title,) = re.findall("<title>(.+)</title>", head)
        titles.add(title)
        assert "Gradients and automatic differentiation" in title
        assert re.search('<meta name="description" content="[^"]{20,}', head)
        assert re.search('<meta property="og:image" content="https://[^"]+png"', head)
        assert '<html lang="en">' in head and 'rel="icon"' in head
        assert "default-src 'none'" in head
        levels = [int(level) for level in re.findall(r"<h([1-6])\b", body)]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels)), path
    assert len(titles) == len(pages)
    assert (site / "assets/preview.png").read_bytes().startswith(b"\x89PNG")


def test_the_first_pages_say_how_long_the_lectures_take_together(site):
    start = (ROOT / "lectures/00_start_here.ipynb").read_text(encoding="utf-8")
    assert "## The course: six and a half hours on the main path" in start
    total = sum(page.minutes for page in read_course(ROOT).lectures)
    assert abs(total - 6.5 * 60) <= 15
    assert "take about 6.5 hours" in (site / "index.html").read_text("utf-8")


def attributes(tag, name, text):
    return map(unescape, re.findall(rf'<{tag}\b[^<>]*\s{name}="([^"]*)"', text))

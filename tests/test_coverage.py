"""The coverage map: every formula, claim and slip of the lecture is run by some cell.

`lectures/coverage.toml` says which. Nothing here knows whether a cell does what the map
says: that is for a reader. What rots by itself is looked after: a place that is gone or
has come to mean another cell, a section that was forgotten, a notebook that no page leads
to. (nbval finds a page that shows an older map.) `FAULTY` holds maps
to which the check must object.
"""

import re
import tomllib
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest

LECTURES = Path(__file__).parent.parent / "lectures"
START, MAP = "00_start_here", "15a_errata_and_map"
SECTIONS = [f"S{k:02}" for k in range(1, 21)] + [f"E{k:02}" for k in range(1, 27)]
# Slips in letters and spelling, with nothing to run: a cell mentions them.
IN_WORDS = {"E06", "E08", "E09", "E23", "E26"}
NUMBER = re.compile(r"[a-z]?(\d+-)?\d+")  # an id that changes when a cell is inserted


def is_side(name):
    """Whether it is a side notebook, as `05a_…` is of `05_…`."""
    return name[2] != "_"


def links_in(cells):
    """The notebooks in the same folder that the prose of these cells links to."""
    prose = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    return set(re.findall(r"\]\((\w+)\.ipynb(?:#[^)]*)?\)", prose))


def places_of(course):
    """Yield (section, claim, place)."""
    for name, section in course.items():
        for claim, places in section["claims"].items():
            for place in places:
                yield name, claim, place


def cells_of(folder):
    """Return {notebook: {cell id: cell}} of the notebooks in a folder."""
    return {
        path.stem: {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}
        for path in sorted(folder.glob("*.ipynb"))
    }


def faults(course, notebooks):
    """Yield a map's faults, as sentences."""
    for name in SECTIONS:
        if not course.get(name, {}).get("claims"):
            yield f"{name} has no claim"
    for name, section in course.items():
        if name not in SECTIONS:
            yield f"{name} is neither a section nor a slip"
        if not section.get("title"):
            yield f"{name} has no title"
        for claim, places in section["claims"].items():
            if not places:
                yield f"{name}, {claim!r}, is run nowhere"
    for name, claim, place in places_of(course):
        if fault := fault_of(place, notebooks):
            yield f"{name}, {claim!r}: {fault}"
    for name in IN_WORDS & set(course):
        places = [place for slip, _, place in places_of(course) if slip == name]
        if not any(name in source_of(place, notebooks) for place in places):
            yield f"{name} isn't mentioned in any of its cells"


def source_of(place, notebooks):
    notebook, _, rest = place.partition("#")
    cell = notebooks.get(notebook, {}).get(rest.split(" ")[0])
    return cell.source if cell else ""


def fault_of(place, notebooks):
    """The fault of one place, "notebook#cell" or "notebook#cell code", or None."""
    notebook, _, rest = place.partition("#")
    number, _, code = rest.partition(" ")
    if notebook not in notebooks:
        return f"there is no notebook {notebook!r}"
    if number not in notebooks[notebook]:
        return f"{notebook} has no cell {number!r}"
    cell = notebooks[notebook][number]
    if cell.cell_type != "code":
        return f"{number!r} of {notebook} isn't code, so it runs nothing"
    if cell.execution_count is None:
        return f"{number!r} of {notebook} was never run"
    if NUMBER.fullmatch(number) and not code:
        return f"{number!r} is a number: add part of the cell's code after it"
    if code not in cell.source:
        return f"{number!r} of {notebook} has no {code!r}: is it another cell now?"
    if code and sum(code in cell.source for cell in notebooks[notebook].values()) > 1:
        return f"{notebook} has {code!r} more than once"
    return None


@pytest.fixture(scope="module")
def course():
    text = (LECTURES / "coverage.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@pytest.fixture(scope="module")
def notebooks():
    return cells_of(LECTURES)


def test_every_formula_and_slip_is_run(course, notebooks):
    assert list(faults(course, notebooks)) == []


def test_every_lecture_is_on_the_map(course, notebooks):
    named = {place.partition("#")[0] for _, _, place in places_of(course)}
    assert {name for name in notebooks if not is_side(name)} <= named


def test_the_start_page_links_to_every_notebook(notebooks):
    assert set(notebooks) - {START} <= links_in(notebooks[START].values())


def test_a_lecture_links_to_what_is_beside_it(notebooks):
    """A side notebook is linked where its subject branches off, and links back there."""
    for name in filter(is_side, notebooks):
        (lecture,) = [n for n in notebooks if n.startswith(f"{name[:2]}_")]
        assert name in links_in(notebooks[lecture].values()), f"{lecture}: {name}"
        assert lecture in links_in(notebooks[name].values()), f"{name}: {lecture}"


# --- tests of the check -------------------------------------------------------


def without(name):
    return lambda course: course.pop(name)


def pointing_to(place, name="S12"):
    return lambda course: course[name]["claims"].update({"made up": [place]})


FAULTY = [
    (without("S07"), "S07 has no claim"),
    (without("E13"), "E13 has no claim"),
    (lambda course: course["S07"]["claims"].clear(), "S07 has no claim"),
    (lambda course: course["S03"].pop("title"), "S03 has no title"),
    (
        lambda course: course.update(S21={"title": "new", "claims": {}}),
        "S21 is neither",
    ),
    (lambda course: course["S04"]["claims"].update(new=[]), "'new', is run nowhere"),
    (pointing_to("77_nowhere#model"), "no notebook '77_nowhere'"),
    (pointing_to("08_forward_mode#nowhere"), "no cell 'nowhere'"),
    (pointing_to("08_forward_mode#title"), "isn't code"),
    (pointing_to("08_forward_mode#model def other"), "is it another cell now?"),
    (pointing_to("08_forward_mode#model return"), "more than once"),
    (pointing_to("made_up#unrun"), "was never run"),
    (pointing_to("made_up#03-014"), "is a number"),
    (pointing_to("made_up#c7"), "is a number"),
    (
        lambda course: course["E26"].update(claims={"new": ["08_forward_mode#model"]}),
        "E26 isn't mentioned",
    ),
]


@pytest.mark.parametrize("spoil, words", FAULTY, ids=[words for _, words in FAULTY])
def test_the_check_objects(spoil, words, course, notebooks):
    spoilt = deepcopy(course)
    spoil(spoilt)
    new_cell = nbformat.v4.new_code_cell
    made_up = {"unrun": new_cell("1"), "03-014": new_cell("1", execution_count=1)}
    made_up["c7"] = made_up["03-014"]
    before = set(faults(course, notebooks))
    found = set(faults(spoilt, notebooks | {"made_up": made_up})) - before
    assert len(found) == 1 and words in found.pop()

"""The web site: pages that need no network, made from executed notebooks."""

import re
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from comp551ad.__main__ import main
from comp551ad.site import mathml, write_site

ROOT = Path(__file__).parent.parent
TITLE = "# 03 · Weights & <ways>\n\n**Where does $W$ go?**\n\nThe slide S05."


def notebook(title, *cells):
    return new_notebook(cells=[new_markdown_cell(title, id="title"), *cells])


@pytest.fixture
def course(tmp_path):
    """Two lectures, one with exercises and a side notebook; a formula, an output, a link."""
    folder = tmp_path / "course"
    for room in ("lectures", "exercises", "solutions"):
        (folder / room).mkdir(parents=True)
    formula = "$$\\frac{\\partial J}{\\partial W} = Z^\\top (\\hat Y - Y)$$"
    shown = new_output("display_data", {"text/html": '<b id="made">made</b>'})
    lecture = notebook(
        TITLE,
        new_markdown_cell(
            f"{formula}\n\nSee [the next](04_next.ipynb#there) and "
            "[elsewhere](https://example.org/a.ipynb).",
            id="formula",
        ),
        new_code_cell("Z.T @ dU", id="code", outputs=[shown]),
    )
    nbformat.write(lecture, folder / "lectures/03_w.ipynb")
    nbformat.write(notebook("# 04 · Next\n\nWhat?"), folder / "lectures/04_next.ipynb")
    side = notebook("# 03a · Weights & walls\n\nFor the curious.")
    nbformat.write(side, folder / "lectures/03a_walls.ipynb")
    nbformat.write(notebook("# 03 · Exercises: W"), folder / "exercises/03_w.ipynb")
    (folder / "lectures/coverage.toml").write_text(
        '[S05]\ntitle = "W"\n[S05.claims]\n"a < b" = ["03_w#code"]\n'
    )
    return folder


@pytest.fixture
def site(course, tmp_path):
    out = tmp_path / "out"
    write_site(out, course)
    return out


def test_every_notebook_has_a_page_and_the_first_page_knows_them(site):
    found = sorted(str(p.relative_to(site)) for p in site.rglob("*.html"))
    assert found == [
        "exercises/03_w.html",
        "index.html",
        "lectures/03_w.html",
        "lectures/03a_walls.html",
        "lectures/04_next.html",
    ]
    first = (site / "index.html").read_text()
    assert '<a href="lectures/03_w.html">Weights &amp; &lt;ways&gt;</a>' in first
    assert '<a href="exercises/03_w.html">Exercises</a>' in first
    assert "Where does" in first
    assert "a &lt; b" in first
    assert '<a href="lectures/03_w.html#cell-id=code">' in first


def test_a_page_has_the_cells_their_outputs_and_the_addresses_of_cells(site):
    page = (site / "lectures/03_w.html").read_text()
    assert '<b id="made">made</b>' in page
    assert 'id="cell-id=code"' in page
    assert "<title>03 · Weights &amp; &lt;ways&gt;</title>" in page


def test_formulas_are_mathml(site):
    page = (site / "lectures/03_w.html").read_text()
    assert re.search(r'<math [^>]*display="block"[^>]*>.*<mfrac>', page)
    assert "$" not in page.split("<main", 1)[1]


def test_an_aligned_formula_is_a_table():
    made = mathml("\\begin{aligned} a &= b\\\\ &= c \\end{aligned}", "block")
    assert made.count("<mtr>") == 2 and made.count("<mtd") == 4
    assert "&" not in re.sub("&#x0003D;", "=", made)


@pytest.mark.parametrize(
    "latex, what",
    [
        ("a & b", "& stands where"),
        (r"\frob x", r"\frob stands where"),
        (r"\begin{gathered} a\\ b \end{gathered}", r"\\ stands where"),
        (r"\text{a<m}", "< stands where"),
        ("a}", "} stands where"),
        (r"\frac", "NoAvailableTokensError"),
        (r"a_b_c", "DoubleSubscriptsError"),
        (r"\begin{cases} a & b", "MissingEndError"),
    ],
)
def test_a_formula_that_would_be_set_wrongly_is_refused(latex, what):
    with pytest.raises(ValueError) as caught:
        mathml(latex)
    assert f"the formula ${latex}$ can't be set" in str(caught.value)
    assert what in str(caught.value)


def test_what_is_written_to_be_shown_is_shown():
    for latex in (
        r"a \& b",
        r"\{a\}",
        r"a\$",
        r"\backslash",
        r"a < b",
        r"50\%",
        r"a\ b",
    ):
        ElementTree.fromstring(mathml(latex))


def test_every_formula_of_the_course_is_set(tmp_path):
    """On every page; cells without Markdown are left out."""
    course = tmp_path / "course"
    for path in ROOT.glob("[les]*/[0-9][0-9]*_*.ipynb"):
        text = nbformat.read(path, as_version=4)
        text.cells = [c for c in text.cells if "markdown" in str(c)]
        copy = course / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(text, copy)
    (course / "lectures/coverage.toml").touch()
    pages = write_site(tmp_path / "out", course)
    assert len(pages) > 40
    for path in pages:
        for formula in re.findall("<math.*?</math>", path.read_text("utf-8"), re.S):
            assert not re.search(r"&amp;|\\|<merror", formula), path
            ElementTree.fromstring(formula)


def test_links_lead_from_page_to_page_and_others_stay(site):
    page = (site / "lectures/03_w.html").read_text()
    assert 'href="04_next.html#there"' in page
    assert 'href="https://example.org/a.ipynb"' in page
    for way in ("../index.html", "../exercises/03_w.html", "../lectures/04_next.html"):
        assert f'href="{way}"' in page


def ways_of(page):
    """The links of a page's first line of ways, without the one to the first page."""
    return re.findall(r'href="\.\./(\w+/\w+)\.html"', page.split("</nav>")[0])


def test_a_side_notebook_is_beside_its_lecture_and_off_the_main_path(site):
    first = (site / "index.html").read_text()
    rows = [re.findall(r"<td>.*?</td>", row)[0] for row in first.split("<tr>")[2:5]]
    assert rows == ["<td>03</td>", "<td>03a</td>", "<td>04</td>"]
    assert 'href="lectures/03a_walls.html">Weights &amp; walls</a>' in first
    page = (site / "lectures/03_w.html").read_text()
    assert ways_of(page) == ["lectures/03a_walls", "exercises/03_w", "lectures/04_next"]
    assert "03a · Weights &amp; walls" in page
    page = (site / "lectures/03a_walls.html").read_text()
    assert ways_of(page) == ["lectures/03_w", "exercises/03_w", "lectures/04_next"]
    page = (site / "lectures/04_next.html").read_text()
    assert ways_of(page) == ["lectures/03_w"]
    page = (site / "exercises/03_w.html").read_text()
    assert ways_of(page) == ["lectures/03_w", "lectures/03a_walls"]


def test_nothing_is_fetched(site):
    for path in site.rglob("*.html"):
        page = path.read_text()
        assert "default-src 'none'" in page
        assert not re.search(r'<link\b|<script[^>]*\bsrc=|url\(|src="(?!data:)', page)


def test_a_site_is_written_over_and_anything_else_is_left_alone(course, site, tmp_path):
    write_site(site, course)
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "index.html").write_text("my thesis")
    with pytest.raises(FileExistsError, match="name a new or an empty folder"):
        write_site(other, course)
    assert (other / "index.html").read_text() == "my thesis"


def test_a_page_whose_notebook_is_gone_goes_too(course, site):
    (course / "lectures/04_next.ipynb").unlink()
    write_site(site, course)
    assert not (site / "lectures/04_next.html").exists()
    assert (site / "lectures/03_w.html").exists()


def test_a_site_that_was_left_half_written_is_written_again(
    course, tmp_path, monkeypatch
):
    def stopped(*_):
        raise KeyboardInterrupt

    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("comp551ad.site.page", stopped)
        write_site(out, course)
    assert len(write_site(out, course)) == 5


CELLS = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": '


@pytest.mark.parametrize(
    "text, says",
    [
        ("{", "04_next.ipynb is not a notebook"),
        ("[]", "04_next.ipynb is not a notebook"),
        (f"{CELLS}3}}", "04_next.ipynb is not a notebook"),
        (f"{CELLS}[{{}}]}}", "04_next.ipynb is not a notebook"),
        (f"{CELLS}[]}}", "04_next.ipynb has no title"),
    ],
)
def test_a_damaged_notebook_is_named_and_nothing_is_written(
    course, tmp_path, capsys, text, says
):
    (course / "lectures/04_next.ipynb").write_text(text)
    out = tmp_path / "out"
    assert main(["site", str(out), "--course", str(course)]) == 2
    assert says in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    "title, cell", [("# 04 · Next\n\nWhat?", "sum"), ("# 04 · N\n\n$\\frac$?", "title")]
)
def test_a_formula_that_cannot_be_set_is_named_with_its_cell(
    course, tmp_path, capsys, title, cell
):
    lecture = notebook(title, new_markdown_cell("A half is $\\frac$.", id="sum"))
    nbformat.write(lecture, course / "lectures/04_next.ipynb")
    out = tmp_path / "out"
    assert main(["site", str(out), "--course", str(course)]) == 2
    error = capsys.readouterr().err
    assert f"04_next.ipynb, cell {cell}: the formula $\\frac$ can't be set" in error
    assert not out.exists()


@pytest.mark.parametrize(
    "text, says",
    [
        ("[S05", "is not TOML: "),
        ("S05 = 3", "section S05 has no claims; write [S05.claims]"),
        ('[S05]\ntitle = "W"', "section S05 has no claims; write [S05.claims]"),
        (
            '[S05.claims]\na = ["03_w"]',
            "section S05, claim 'a': got ['03_w'], expected",
        ),
        ('[S05.claims]\na = ["03_w#"]', "claim 'a': got ['03_w#'], expected a list"),
        (
            '[S05.claims]\na = "03_w#code"',
            "claim 'a': got '03_w#code', expected a list",
        ),
    ],
)
def test_a_damaged_coverage_is_named_and_nothing_is_written(
    course, tmp_path, capsys, text, says
):
    (course / "lectures/coverage.toml").write_text(text)
    out = tmp_path / "out"
    assert main(["site", str(out), "--course", str(course)]) == 2
    error = capsys.readouterr().err
    assert "coverage.toml" in error and says in error
    assert not out.exists()


def test_tables_have_heads_that_name_their_columns(site):
    first = (site / "index.html").read_text()
    assert '<th scope="col">Lecture</th>' in first
    assert "<th></th>" not in first and first.count("<th") == 7


def test_a_course_without_lectures_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="name the folder of the course"):
        write_site(tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


def test_the_command(course, tmp_path, capsys):
    out = tmp_path / "pages"
    assert main(["site", str(out), "--course", str(course)]) == 0
    assert "5 pages" in capsys.readouterr().out
    assert main(["site", str(course), "--course", str(course)]) == 2
    assert "isn't a site of this course" in capsys.readouterr().err

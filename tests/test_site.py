"""The web site: pages that need no network, made from executed notebooks."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from comp551ad.__main__ import main
from comp551ad.site import write_site

TITLE = "# 03 · Weights & <ways>\n\n**Where does $W$ go?**\n\nThe slide S05."


def notebook(title, *cells):
    return new_notebook(cells=[new_markdown_cell(title, id="title"), *cells])


@pytest.fixture
def course(tmp_path):
    """Two lectures, one with exercises; with a formula, an output and a link."""
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


def test_links_lead_from_page_to_page_and_others_stay(site):
    page = (site / "lectures/03_w.html").read_text()
    assert 'href="04_next.html#there"' in page
    assert 'href="https://example.org/a.ipynb"' in page
    for way in ("../index.html", "../exercises/03_w.html", "../lectures/04_next.html"):
        assert f'href="{way}"' in page


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
    assert len(write_site(out, course)) == 4


def test_a_damaged_notebook_is_named_and_nothing_is_written(course, tmp_path, capsys):
    (course / "lectures/04_next.ipynb").write_text("{")
    out = tmp_path / "out"
    assert main(["site", str(out), "--course", str(course)]) == 2
    assert "04_next.ipynb is not a notebook" in capsys.readouterr().err
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
    assert "4 pages" in capsys.readouterr().out
    assert main(["site", str(course), "--course", str(course)]) == 2
    assert "isn't a site of this course" in capsys.readouterr().err

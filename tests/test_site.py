"""The web site: pages that need no network, made from executed notebooks."""

import hashlib
import json
import re
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest
from jupyterlite_pyodide_kernel import constants
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from comp551ad.__main__ import main
from comp551ad.site import mathml, write_site
from comp551ad.site.course import read_course
from comp551ad.site.live import KERNEL

ROOT = Path(__file__).parent.parent
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
TITLE = "# 03 · Weights & <ways>\n\n**Where does $W$ go?**\n\nThe slide S05."


def notebook(title, *cells):
    return new_notebook(cells=[new_markdown_cell(title, id="title"), *cells])


def write_course(folder):
    """Two lectures, one with exercises and a side notebook; a formula, an output, a link."""
    for room in ("lectures", "exercises", "solutions"):
        (folder / room).mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", folder)
    formula = "$$\\frac{\\partial J}{\\partial W} = Z^\\top (\\hat Y - Y)$$"
    shown = new_output("display_data", {"text/html": '<b id="made">made</b>'})
    lecture = notebook(
        TITLE,
        new_markdown_cell(
            f"## Its gradient\n\n{formula}\n\nSee [the next](04_next.ipynb#there) and "
            "[elsewhere](https://example.org/a.ipynb), "
            "not [what is missing](09_gone.ipynb#there).",
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
def course(tmp_path):
    """A course to change."""
    return write_course(tmp_path / "course")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of an unchanged course, for reading only."""
    folder = tmp_path_factory.mktemp("made_up")
    write_site(folder / "out", write_course(folder / "course"))
    return folder / "out"


@pytest.fixture
def refused(course, tmp_path, capsys):
    """Return a function that runs the command, which must fail, and returns its output."""

    def refused(*options):
        out = tmp_path / "out"
        assert main(["site", str(out), "--course", str(course), *options]) == 2
        assert not out.exists()
        return capsys.readouterr().err

    return refused


def test_every_notebook_has_a_page_and_the_first_page_knows_them(site):
    found = sorted(str(p.relative_to(site)) for p in site.rglob("*.html"))
    assert found == [
        "exercises/03_w.html",
        "index.html",
        "lectures/03_w.html",
        "lectures/03a_walls.html",
        "lectures/04_next.html",
        "map.html",
    ]
    first = (site / "index.html").read_text()
    assert '<a href="lectures/03_w.html">Weights &amp; &lt;ways&gt;</a>' in first
    assert '<a href="exercises/03_w.html">Exercises</a>' in first
    assert "Where does" in first and "1 min</small>" in first


def test_the_map_leads_from_the_deck_to_cells_in_words(site):
    found = (site / "map.html").read_text()
    assert "S05 · W" in found and "<dt>a &lt; b</dt>" in found
    words = "03 Weights &amp; &lt;ways&gt;: Its gradient"
    assert f'<a href="lectures/03_w.html#cell-id=code">{words}</a>' in found


def test_a_page_has_the_cells_their_outputs_and_the_addresses_of_cells(site):
    page = (site / "lectures/03_w.html").read_text()
    assert '<b id="made">made</b>' in page
    assert 'id="cell-id=code"' in page
    assert "<title>03 · Weights &amp; &lt;ways&gt; · Gradients" in page


def test_formulas_are_mathml(site):
    page = (site / "lectures/03_w.html").read_text()
    assert re.search(r'<math [^>]*display="block"[^>]*>.*<mfrac>', page)
    assert "$" not in page.split("<main", 1)[1]


@pytest.mark.parametrize("name", ["sin", "log"])
def test_a_function_name_has_a_thin_space_before_its_argument(name):
    """As in TeX: after the name, unless a parenthesis follows; and before it."""
    thin = r'<m(o|space) [^>]*(lspace|width)="0.1667em"'
    assert re.search(f"{name}</mi></mrow>{thin}", mathml(rf"\{name} a_5"))
    assert not re.search(thin, mathml(rf"\{name}(a)"))
    assert re.search(f"<mi>x</mi>{thin}", mathml(rf"x \{name}(a)"))


@pytest.mark.parametrize(
    "latex, what",
    [
        (r"\frob x", r'Unknown command "\frob"'),
        (r"\frac", "Expected argument"),
    ],
)
def test_a_formula_that_cannot_be_set_is_refused(latex, what):
    with pytest.raises(ValueError) as caught:
        mathml(latex)
    assert f"the formula ${latex}$ can't be typeset" in str(caught.value)
    assert what in str(caught.value)


def test_links_lead_from_page_to_page_and_others_stay(site):
    page = (site / "lectures/03_w.html").read_text()
    assert 'href="04_next.html#there"' in page
    assert 'href="https://example.org/a.ipynb"' in page
    assert "not what is missing." in page
    for way in ("../index.html", "../exercises/03_w.html", "../lectures/04_next.html"):
        assert f'href="{way}"' in page


def onward(page):
    """The pages that a page's footer links to."""
    return re.findall(r'<a rel="\w+" href="\.\./([^"]+)\.html"', page)


def test_a_side_notebook_is_beside_its_lecture_and_off_the_main_path(site):
    first = (site / "index.html").read_text()
    assert first.count("<li value=") == 2
    assert '<a href="lectures/03a_walls.html">Weights &amp; walls</a>' in first
    for name, ways in {
        "lectures/03_w": ["lectures/04_next"],
        "lectures/03a_walls": ["lectures/03_w", "lectures/04_next"],
        "lectures/04_next": ["lectures/03_w"],
        "exercises/03_w": [],
    }.items():
        page = (site / f"{name}.html").read_text()
        assert onward(page) == ways
        assert ("../lectures/03a_walls.html" in page) == (name != "lectures/04_next")


def test_a_site_is_written_over_and_anything_else_is_left_alone(
    course, tmp_path, capsys
):
    out = tmp_path / "out"
    write_site(out, course)
    (course / "lectures/04_next.ipynb").unlink()
    write_site(out, course)
    assert not (out / "lectures/04_next.html").exists()
    assert (out / "lectures/03_w.html").exists()
    (out / "index.html").write_text("my thesis")
    assert main(["site", str(out), "--course", str(course)]) == 2
    assert "isn't a site of this course" in capsys.readouterr().err
    assert (out / "index.html").read_text() == "my thesis"


def test_a_site_that_was_left_half_written_is_written_again(
    course, tmp_path, monkeypatch
):
    def stopped(*_):
        raise KeyboardInterrupt

    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("comp551ad.site.pages.assets", stopped)
        write_site(out, course)
    assert len(write_site(out, course)) == 6


CELLS = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": '


@pytest.mark.parametrize(
    "file, text, says",
    [
        ("04_next.ipynb", "[]", "04_next.ipynb is not a notebook"),
        ("04_next.ipynb", f"{CELLS}[{{}}]}}", "04_next.ipynb is not a notebook"),
        ("04_next.ipynb", f"{CELLS}[]}}", "04_next.ipynb has no title"),
        ("coverage.toml", "[S05", "coverage.toml is not TOML: "),
        ("coverage.toml", "S05 = 3", "coverage.toml can't be shown as a map: 'int obj"),
        ("coverage.toml", "[S05.claims]\na = 3", "write sections [S05.claims]"),
        ("coverage.toml", "[S05.claims]\na = [3]", "write sections [S05.claims]"),
    ],
)
def test_a_damaged_file_is_named_and_nothing_is_written(
    course, refused, file, text, says
):
    (course / "lectures" / file).write_text(text)
    assert says in refused()


@pytest.mark.parametrize(
    "title, cell", [("# 04 · Next\n\nWhat?", "sum"), ("# 04 · N\n\n$\\frac$?", "title")]
)
def test_a_formula_that_cannot_be_set_is_named_with_its_cell(
    course, refused, title, cell
):
    lecture = notebook(title, new_markdown_cell("A half is $\\frac$.", id="sum"))
    nbformat.write(lecture, course / "lectures/04_next.ipynb")
    named = f"04_next.ipynb, cell {cell}: the formula $\\frac$ can't be typeset"
    assert named in refused()


@pytest.fixture
def pyodide(tmp_path):
    """A folder that looks like Pyodide: its list of packages, without the packages."""
    folder = tmp_path / "pyodide"
    folder.mkdir()
    packages = {
        name: {"name": name, "file_name": f"{name}-1-wasm32.whl", "depends": []}
        for name in ("numpy", "matplotlib")
    }
    lock = {"info": {"version": constants.PYODIDE_VERSION}, "packages": packages}
    (folder / "pyodide-lock.json").write_text(json.dumps(lock))
    return folder


@pytest.fixture
def address(pyodide, serve):
    """The same, served on this machine."""
    return serve(pyodide)


@pytest.mark.parametrize("kind", ["pyodide", "address"])
def test_a_running_copy_knows_where_its_python_is_and_has_our_wheels(
    kind, request, course, tmp_path
):
    where = str(request.getfixturevalue(kind))
    out = tmp_path / "out"
    write_site(out, course, live=True, pyodide=where)
    config = json.loads((out / "lite/jupyter-lite.json").read_text())
    settings = config["jupyter-config-data"]["litePluginSettings"][KERNEL]
    start = where if kind == "address" else "./pyodide"
    assert re.fullmatch(rf"{start}/pyodide\.m?js", settings["pyodideUrl"])
    lock = json.loads((out / "lite/pyodide/pyodide-lock.json").read_text())
    files = {name: about["file_name"] for name, about in lock["packages"].items()}
    theirs = f"{where}/" if kind == "address" else ""
    assert files["numpy"] == f"{theirs}numpy-1-wasm32.whl"
    for name in ("comp551ad", "tqdm", "autograd"):
        wheel = out / "lite/pyodide" / files[name]
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        assert lock["packages"][name]["sha256"] == digest
        with zipfile.ZipFile(wheel) as archive:
            inside = archive.namelist()
        assert f"{name}/__init__.py" in inside
        assert any(entry.endswith(".dist-info/RECORD") for entry in inside)
    assert set(lock["packages"]["comp551ad"]["depends"]) < set(files)
    contents = json.loads((out / "lite/api/contents/lectures/all.json").read_text())
    assert "03_w.ipynb" in [entry["name"] for entry in contents["content"]]
    run = 'href="../lite/notebooks/index.html?path=lectures/03_w.ipynb">Run this page'
    assert run in (out / "lectures/03_w.html").read_text()
    write_site(out, course)  # without live, nothing is left of it
    assert not (out / "lite").exists()
    assert "lite/" not in (out / "lectures/03_w.html").read_text()


@pytest.mark.parametrize(
    "change, says",
    [
        (None, "expected a folder or an address"),
        (lambda lock: lock.pop("packages"), "get Pyodide "),
        (
            lambda lock: lock["info"].update(version="0.1.0"),
            "got Pyodide 0.1.0, expected ",
        ),
        (
            lambda lock: lock["packages"].pop("numpy"),
            "got a Pyodide without numpy, expected the full distribution",
        ),
    ],
)
def test_a_pyodide_that_cannot_be_used_is_refused_before_anything_is_written(
    refused, pyodide, change, says
):
    path = pyodide / "pyodide-lock.json"
    if change is None:
        path.unlink()
    else:
        lock = json.loads(path.read_text())
        change(lock)
        path.write_text(json.dumps(lock))
    error = refused("--pyodide", str(pyodide))
    assert error.startswith("--pyodide: got ") and says in error


def test_solutions_can_be_left_out_and_then_nothing_leads_to_them(course, tmp_path):
    question = new_markdown_cell("## 3.1 · Q", id="q")
    solution = notebook("# 03 · Exercises: W", question)
    nbformat.write(solution, course / "solutions/03_w.ipynb")
    out = tmp_path / "out"
    write_site(out, course)
    assert (out / "solutions/03_w.html").exists()
    with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel:
        assert "comp551ad/exercises/solutions/03_w.ipynb" in wheel.namelist()
    command = ["site", str(out), "--course", str(course), "--without-solutions"]
    assert main(command) == 0
    assert not (out / "solutions").exists()
    assert not (out / "colab/solutions").exists()
    with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel:
        assert not [n for n in wheel.namelist() if "solutions/" in n]
    for path in out.rglob("*.html"):
        assert "olutions/" not in path.read_text()


def test_a_copy_for_colab_installs_the_package_there_and_nowhere_else(
    course, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    write_site(out, course)
    copy = nbformat.read(out / "colab/lectures/03_w.ipynb", as_version=4)
    first, *rest = copy.cells
    original = nbformat.read(course / "lectures/03_w.ipynb", as_version=4)
    assert rest == original.cells
    (wheel,) = out.glob("*.whl")
    address = URLS["Documentation"].rstrip("/")
    asked = []
    plain = first.source.replace("%pip install", "asked.append", 1)
    plain = re.sub(r"asked\.append -q (\S+)", r'asked.append("\1")', plain)
    exec(plain, {"asked": asked})
    assert asked == []
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    exec(plain, {"asked": asked})
    assert asked == [f"{address}/{wheel.name}"]


def test_every_page_has_buttons_to_the_addresses_that_pyproject_names(course, tmp_path):
    """A course with other addresses has other buttons; one without any has none."""
    out = tmp_path / "out"
    pyproject = course / "pyproject.toml"
    pyproject.write_text(
        '[project.urls]\nBinder = "https://b.example/x"\nRepository = "https://r.example"'
    )
    write_site(out, course)
    page = (out / "lectures/03_w.html").read_text()
    binder = "https://b.example/x?urlpath=lab/tree/lectures/03_w.ipynb"
    assert f'<a href="{binder}">Binder</a>' in page
    assert '<a href="https://r.example">The repository</a>' in page
    assert "Colab" not in page and not (out / "colab").exists()
    pyproject.write_text("")
    write_site(out, course)
    assert "https://" not in (out / "lectures/04_next.html").read_text()


def test_the_badges_of_the_readme_are_the_addresses_that_pyproject_names():
    readme = (ROOT / "README.md").read_text("utf-8")
    badges = dict(re.findall(r"\[!\[(\w+)\]\([^)]+\)\]\(([^)]+)\)", readme))
    assert set(badges) == {"Website", "Binder", "Colab", "Codespaces"}
    for label, address in badges.items():
        home = URLS["Documentation" if label == "Website" else label]
        assert address.startswith(home), label


def test_a_course_without_lectures_is_refused(course, refused):
    shutil.rmtree(course / "lectures")
    assert "name the folder of the course" in refused()


def test_the_tables_of_the_course_give_the_minutes_of_its_pages():
    tables = "README.md", "lectures/00_start_here.ipynb"
    texts = {table: (ROOT / table).read_text(encoding="utf-8") for table in tables}
    for page in read_course(ROOT).lectures:
        row = rf"{page.path.stem}\.ipynb\) \|(?:[^|\n]+\|)? (\d+) \|"
        # The start page has no row for itself.
        for text in (text for table, text in texts.items() if table != page.file):
            (minutes,) = re.findall(row, text)
            assert abs(int(minutes) - page.minutes) <= 2, page.path.stem

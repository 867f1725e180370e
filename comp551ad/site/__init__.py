"""The course as a web site: static pages that any host can serve and that need no network.

`python -m comp551ad site OUT` writes them. Each page is an executed notebook, with its players,
which are HTML and a script. Nothing is loaded from other sites, which each page's
Content-Security-Policy enforces.

    write_site    writes the whole course into a folder
    course        the sources: notebooks, the map of the deck, addresses
    pages         notebooks as pages, the front page, the map, the search
    live          `--live`: the notebooks running in the browser; wheels; Colab's copies

Alternatives considered. Jupyter Book and MyST need Node and a 1 MB theme that loads its parts
from a server: their pages don't open from a disk, and players' scripts are removed. nbconvert
converts cells to HTML and is used. Pagefind and lunr need an index that is fetched or larger
than the text; the text of all sections is 0.4 MB, and one short function searches it. KaTeX
and MathJax typeset formulas in every reader's browser, or need Node here; math-core converts
them to MathML Core with TeX's spacing, and `math.woff2` (STIX Two Math, SIL Open Font License
1.1, reduced to the characters needed) is included, so that they look the same everywhere.
"""

import argparse
import shutil
import sys
from pathlib import Path

from comp551ad.extras import extra

__all__ = ["add_arguments", "main", "mathml", "write_site"]

# Marks a site as ours.
MADE_BY = '<meta name="generator" content="comp551ad">'


def write_site(
    out: Path,
    course: Path,
    solutions: bool = True,
    live: bool = False,
    pyodide: str | None = None,
) -> list[Path]:
    """Write a course as pages.

    Args:
        out: new, empty, or an earlier site, which is overwritten.
        course: the folder that contains lectures/.
        solutions: whether to include the solutions.
        live: whether to include a copy that runs in the browser.
        pyodide: where its Python comes from: a folder or an address.

    Returns:
        The pages' paths.

    Raises:
        MissingExtra: a package needed for pages, or for running ones, isn't installed.
        FileExistsError: `out` contains something else.
        FileNotFoundError: `course` has no lectures, or no `coverage.toml` among them.
        ValueError: a notebook, a formula in it, `coverage.toml` or `pyodide` is invalid.
            Nothing is written in this case.
    """
    from tqdm import tqdm

    _check_is_ours(out)
    with extra("site", "pages"):
        from .course import ROOMS, read_course
        from .live import Live, colab_copies, own_wheel
        from .pages import Pages, assets

    running = Live(pyodide) if live else None
    read = read_course(course, solutions)
    pages = Pages(read, live)
    made = {
        source.page: pages.page(source)
        for source in tqdm(read.sources, desc="pages", unit="page")
    }
    # Written first, as the front page marks the site as ours.
    made = {"index.html": pages.index(), "map.html": pages.map(), **made}
    beside = {source.file: source.path.read_bytes() for source in read.sources}
    scripts = {**pages.scripts, "assets/search.js": pages.search()}
    for old in (*ROOMS, "assets", "colab", "lite"):
        shutil.rmtree(out / old, ignore_errors=True)
    for name, text in (made | scripts).items():
        _write(out / name, text.encode())
    for name, content in (beside | assets()).items():
        _write(out / name, content)
    if "Colab" in read.addresses:
        wheel = own_wheel(out, read)
        for name, text in colab_copies(read, wheel):
            _write(out / name, text.encode())
    if running:
        running.write(out, read)
    return [out / name for name in made]


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _check_is_ours(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    first = out / "index.html"
    if not first.is_file() or MADE_BY not in first.read_text("utf-8", "replace"):
        raise FileExistsError(
            f"OUT: {out} contains something that isn't a site of this course; "
            "name a new or an empty folder"
        )


def mathml(latex: str, display: str = "inline") -> str:
    """A formula as MathML.

    Raises:
        ValueError: it isn't LaTeX, or contains an unknown command.
    """
    with extra("site", "pages"):
        from math_core import LatexError, LatexToMathML

    formula = latex.strip()
    try:
        return LatexToMathML(fancy_error=False).convert_with_local_state(
            formula, displaystyle=display == "block"
        )
    except LatexError as error:
        raise ValueError(
            f"the formula ${formula}$ can't be typeset: {str(error).rstrip('.')}; "
            "fix its braces or arguments, or use a known command"
        ) from error


# --- the command ----------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder to write")
    parser.add_argument(
        "--course",
        type=Path,
        default=Path("."),
        help="the folder that contains lectures/ (default: this one)",
    )
    parser.add_argument(
        "--live", action="store_true", help="add a copy that runs in the browser"
    )
    parser.add_argument(
        "--pyodide",
        metavar="DIR|URL",
        help="where Pyodide is (default: fetched from the network)",
    )
    parser.add_argument(
        "--without-solutions", action="store_true", help="leave the solutions out"
    )


def main(chosen: argparse.Namespace) -> int:
    """`python -m comp551ad site OUT`."""
    try:
        written = write_site(
            chosen.out,
            chosen.course,
            not chosen.without_solutions,
            chosen.live or chosen.pyodide is not None,
            chosen.pyodide,
        )
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(written)} pages; open {written[0]}")
    return 0

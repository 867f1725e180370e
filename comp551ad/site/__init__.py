"""The course as a web site: static pages that any host can serve, and that need no network.

`python -m comp551ad site OUT` writes them. A page is a notebook as it was executed, with
its players, which are HTML and a script of their own; formulas become MathML, which
browsers set by themselves. So no page asks anybody for anything, and each says so to the
browser (its Content-Security-Policy allows no request at all).

    write_site    the whole course into a folder
    page          one notebook as a page
    index         the first page: the lectures, and where each part of the deck runs

Reads notebooks and `coverage.toml`, and nothing of this package: whoever executed the
notebooks did. nbconvert does the turning into HTML.
"""

import argparse
import functools
import html
import re
import string
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from comp551ad.extras import extra

if TYPE_CHECKING:
    from nbconvert import HTMLExporter
    from nbformat import NotebookNode

# Environments that latex2mathml doesn't know, by ones that it sets in the same way.
RENAMED = {"aligned": "split"}
# What stands in MathML only if latex2mathml didn't know what to do with it.
LOOSE = re.compile(r"\\\w*|[${}]|&(?!#)|<merror|<(?!/?m\w+[ />])|linebreak=")
ROOMS = {"lectures": "Lecture", "exercises": "Exercises", "solutions": "Solutions"}
MADE_BY = '<meta name="generator" content="comp551ad">'


@dataclass(frozen=True)
class Source:
    """A notebook of the course and where its page goes."""

    room: str  # a key of ROOMS
    path: Path
    notebook: "NotebookNode"

    @property
    def number(self) -> str:
        """``"05"``; of a side notebook, ``"05a"``."""
        return self.path.stem.partition("_")[0]

    @property
    def lecture(self) -> str:
        """The number of the lecture that it belongs to."""
        return self.number[:2]

    @property
    def is_side(self) -> bool:
        """Is it a notebook beside a lecture, off the main path?"""
        return self.number != self.lecture

    @property
    def page(self) -> str:
        return f"{self.room}/{self.path.stem}.html"

    @property
    def title(self) -> str:
        """The first heading without its number: `# 07 · The list` -> "The list"."""
        heading = self._opening()[0].removeprefix("# ")
        return heading.partition("·")[2].strip() or heading

    @property
    def question(self) -> str:
        """The paragraph under the title."""
        return " ".join(self._opening()[1:2]).replace("\n", " ")

    def _opening(self) -> list[str]:
        return self.notebook.cells[0].source.strip().split("\n\n")


def write_site(out: Path, course: Path) -> list[Path]:
    """Write the course in the folder `course` as pages into `out`; the pages' paths.

    `out` is new, empty, or a site written earlier, which is written over: pages whose
    notebook is gone go as well.

    Raises:
        FileExistsError: `out` has something else in it, which would be mixed up.
        FileNotFoundError: `course` has no lectures, or no `coverage.toml` among them.
        ValueError: a notebook, a formula in it, or `coverage.toml` can't be read. Nothing
            is written then.
    """
    from tqdm import tqdm

    _check_is_ours(out)
    sources = _sources(course)
    first = out / "index.html"  # and written first: by it a site is known as ours
    coverage = _coverage(course / "lectures/coverage.toml")
    pages = {
        out / source.page: page(source, sources)
        for source in tqdm(sources, desc="pages", unit="page")
    }
    out.mkdir(parents=True, exist_ok=True)
    first.write_text(index(sources, coverage), encoding="utf-8")
    for old in {path for room in ROOMS for path in (out / room).glob("*.html")}:
        if old not in pages:
            old.unlink()
    for path, text in pages.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [first, *pages]


def _check_is_ours(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    first = out / "index.html"
    if not first.is_file() or MADE_BY not in first.read_text("utf-8", "replace"):
        raise FileExistsError(
            f"OUT: {out} holds something that isn't a site of this course; "
            "name a new or an empty folder"
        )


def _sources(course: Path) -> list[Source]:
    with extra("site", "pages"):
        import nbformat

    if not any((course / "lectures").glob("[0-9][0-9]_*.ipynb")):
        raise FileNotFoundError(
            f"--course: {course} has no lectures/*.ipynb; name the folder of the course"
        )
    sources = []
    for room in ROOMS:
        # `05_iris`, then what is beside it: "_" comes before "a".
        for path in sorted((course / room).glob("[0-9][0-9]*_*.ipynb")):
            try:
                notebook = nbformat.read(path, as_version=4)
                nbformat.validate(notebook)
            except OSError:
                raise
            except Exception as error:  # whatever a file of anything may lead to
                says = getattr(error, "message", error)  # not the schema as well
                raise ValueError(f"{path} is not a notebook: {says}") from error
            sources.append(Source(room, path, notebook))
            if not notebook.cells or not sources[-1].title:
                raise ValueError(
                    f"{path} has no title; begin its first cell with one: # 07 · The list"
                )
    return sources


def _coverage(path: Path) -> dict:
    """`coverage.toml` as it was read, if it is built as `index` needs it."""
    try:
        coverage = tomllib.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    for section, entry in coverage.items():
        claims = entry.get("claims") if isinstance(entry, dict) else None
        if not isinstance(claims, dict):
            raise ValueError(
                f"{path}: section {section} has no claims; write [{section}.claims] "
                'and under it "what the slide says" = ["notebook#cell"]'
            )
        for claim, places in claims.items():
            if not isinstance(places, list) or not all(map(_is_place, places)):
                raise ValueError(
                    f"{path}: section {section}, claim {claim!r}: got {places!r}, "
                    'expected a list of places like "05_iris#descend"'
                )
    return coverage


def _is_place(place: object) -> bool:
    return isinstance(place, str) and bool(re.match(r"[^#]+#\S", place))


# --- a page ---------------------------------------------------------------------------


def page(source: Source, sources: list[Source]) -> str:
    """A notebook as a page, with ways to the ones before and after and beside it.

    Raises:
        ValueError: a formula in it can't be set; which one, and in which cell.
    """
    try:
        body = _exporter().from_notebook_node(source.notebook)[0]
    except ValueError as error:
        raise ValueError(f"{source.path}, {error}") from error
    return _filled(
        title=f"{source.number} · {source.title}",
        top="../",
        ways=_ways(source, sources),
        body=_linked(_anchored(body)),
    )


@functools.cache
def _exporter() -> "HTMLExporter":
    """nbconvert's HTML, with formulas as MathML instead of a script from a network."""
    with extra("site", "pages"):
        from nbconvert import HTMLExporter, TemplateExporter
        from nbconvert.filters import Highlight2HTML
        from nbconvert.filters.markdown_mistune import (
            IPythonRenderer,
            MarkdownWithMath,
        )

    class Renderer(IPythonRenderer):
        def block_math(self, body):
            return f'<div class="wide">{mathml(body, "block")}</div>'

        def inline_math(self, body):
            return mathml(body)

        def latex_environment(self, name, body):
            return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    class Exporter(HTMLExporter):
        def markdown2html(self, context, source):
            renderer = Renderer(escape=False, exclude_anchor_links=True)
            try:
                return MarkdownWithMath(renderer=renderer).render(source)
            except ValueError as error:
                cell = context.get("cell", {}).get("id", "title")
                raise ValueError(f"cell {cell}: {error}") from error

        def default_filters(self):
            yield from super().default_filters()
            yield "markdown2html", _with_context(self.markdown2html)
            yield "highlight_code", Highlight2HTML(pygments_lexer="python")
            # Pygments has escaped the code, and the outputs are the course's own.
            yield (
                "clean_html",
                lambda made: made.decode() if isinstance(made, bytes) else made,
            )

        # HTMLExporter's own parses the page again, for pictures without alternative text
        # and for classes that aren't here: it takes more than half of the time.
        from_notebook_node = TemplateExporter.from_notebook_node

    return Exporter(template_name="basic")


def mathml(latex: str, display: str = "inline") -> str:
    """A formula as MathML.

    Raises:
        ValueError: it isn't LaTeX, or has something in it that would be shown as written.
    """
    with extra("site", "pages"):
        from latex2mathml.converter import convert

    known = re.sub(
        r"(\\(?:begin|end)\{)(\w+)(?=\})",
        lambda found: found[1] + RENAMED.get(found[2], found[2]),
        latex.strip(),
    )
    try:
        made = convert(known, display=display)
    except Exception as error:  # latex2mathml has many kinds, and no common one
        says = f"{type(error).__name__} {error}".strip()
        raise ValueError(
            f"the formula ${latex.strip()}$ can't be set ({says}); "
            "look at its braces, arguments and ends"
        ) from error
    loose = LOOSE.search(made)
    if loose:
        what = "\\\\" if loose[0] == "linebreak=" else loose[0]
        raise ValueError(
            f"the formula ${latex.strip()}$ can't be set: {what} stands where "
            "latex2mathml doesn't know it; use a command or an environment that it knows"
        )
    return made


def _with_context(method):
    from jinja2 import pass_context

    @pass_context
    def markdown2html(context, source):
        return method(context, source)

    return markdown2html


def _anchored(body: str) -> str:
    """Every heading with the id that JupyterLab gives it: links lead there in both."""

    def with_id(match):
        level, text = match[1], match[2]
        plain = html.unescape(re.sub("<[^>]+>", "", text)).strip()
        name = html.escape(re.sub(r"\s", "-", plain))
        return f'<h{level} id="{name}">{text}</h{level}>'

    return re.sub(r"<h([1-6])>(.*?)</h\1>", with_id, body, flags=re.DOTALL)


def _linked(body: str) -> str:
    """Links from notebook to notebook lead from page to page."""
    return re.sub(r'(href="[^":#]*)\.ipynb(?=["#])', r"\1.html", body)


def _ways(source: Source, sources: list[Source]) -> str:
    """Links to the page before, the page after, and the same lecture's other pages.

    The way from page to page is the main path: of side notebooks it has this one alone.
    """
    row = [
        s for s in sources if s.room == source.room and (s is source or not s.is_side)
    ]
    at = row.index(source)
    links = [("←", row[at - 1])] if at else []
    links += [
        (_beside(s), s) for s in sources if s.lecture == source.lecture and s not in row
    ]
    links += [("→", row[at + 1])] if at + 1 < len(row) else []
    return " ".join(f'<a href="../{s.page}">{_way(word, s)}</a>' for word, s in links)


def _beside(source: Source) -> str:
    """What a page of the same lecture is called."""
    if source.is_side:
        return f"{source.number} · {html.escape(source.title)}"
    return ROOMS[source.room]


def _way(word: str, source: Source) -> str:
    name = f"{source.number} · {html.escape(source.title)}"
    return {"←": f"← {name}", "→": f"{name} →"}.get(word, word)


# --- the first page -------------------------------------------------------------------


def index(sources: list[Source], coverage: dict) -> str:
    """The lectures with the question of each, and where each section's claims run."""
    body = [
        "<h1>Gradients and automatic differentiation</h1>",
        "<p>A lecture that runs: every formula is derived, executed, drawn, stepped "
        "through and checked. To change and run the code, get the notebooks; these "
        "pages show what they gave, and the players in them work as they stand.</p>",
        "<h2>Lectures</h2>",
        _table(
            ["Number", "Lecture", "The question", "Practise"], _lecture_rows(sources)
        ),
        "<h2>Where each part of the deck runs</h2>",
        _table(["Slides", "What they say", "Cells that run it"], _claim_rows(coverage)),
    ]
    title = "Gradients and automatic differentiation"
    return _filled(title=title, top="", ways="", body="\n".join(body))


def _lecture_rows(sources: list[Source]) -> Iterator[tuple[str, ...]]:
    """A row for each lecture, and below it one for each notebook beside it."""
    for source in sources:
        if source.room == "lectures":
            practise = [
                f'<a href="{s.page}">{ROOMS[s.room]}</a>'
                for s in sources
                if s.number == source.number and s is not source
            ]
            title = f'<a href="{source.page}">{html.escape(source.title)}</a>'
            yield source.number, title, _markdown(source.question), " ".join(practise)


def _claim_rows(coverage: dict) -> Iterator[tuple[str, ...]]:
    for section, entry in coverage.items():
        for claim, places in entry["claims"].items():
            yield section, html.escape(claim), " ".join(map(_place, places))


def _place(place: str) -> str:
    """A link to a cell: `"05_iris#descend"`; code that may follow the id is left out."""
    notebook, _, rest = place.partition("#")
    cell = rest.split()[0]
    address = f"lectures/{notebook}.html#cell-id={cell}"
    number = notebook.partition("_")[0]
    return f'<a href="{address}">{number}&nbsp;{cell}</a>'


def _markdown(text: str) -> str:
    return _exporter().markdown2html({}, text)


def _table(head: list[str], rows: Iterable[tuple[str, ...]]) -> str:
    heads = "".join(f'<th scope="col">{name}</th>' for name in head)
    lines = [f"<tr>{''.join(f'<td>{part}</td>' for part in row)}</tr>" for row in rows]
    lines = [f"<tr>{heads}</tr>", *lines]
    return '<div class="wide"><table>' + "\n".join(lines) + "</table></div>"


def _filled(**parts: str) -> str:
    shell = string.Template(_shipped("page.html"))
    return shell.substitute(
        parts,
        made_by=MADE_BY,
        title=html.escape(parts["title"]),
        css=_code_colours() + _shipped("site.css"),
    )


def _code_colours() -> str:
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="xcode").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _shipped(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


# --- the command ----------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder to write")
    parser.add_argument(
        "--course",
        type=Path,
        default=Path("."),
        help="the folder that holds lectures/ (default: this one)",
    )


def main(chosen: argparse.Namespace) -> int:
    """`python -m comp551ad site OUT`."""
    try:
        written = write_site(chosen.out, chosen.course)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(written)} pages; open {written[0]}")
    return 0

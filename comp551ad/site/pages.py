"""Notebooks as pages: nbconvert's HTML in a shell of our own.

    Pages     a course's pages: one a notebook, the first page, the map, the search
    mathml    a formula as MathML

Reads: `course`, the exercises' hints. Read by: the command.
"""

import functools
import html
import json
import posixpath
import re
import string
import zlib
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

from comp551ad.exercises.catalogue import catalogue
from comp551ad.exercises.notebooks import is_answer, marks
from comp551ad.extras import extra

from .course import NAME, ROOMS, Course, Source, is_folded

if TYPE_CHECKING:
    from nbconvert import HTMLExporter
    from nbformat import NotebookNode

ABOUT = (
    "A lecture that runs: every formula is derived, executed, drawn, stepped through and "
    "checked. With live players, exercises that name the mistake, and code to change."
)
MADE_BY = '<meta name="generator" content="comp551ad">'
# A script of this many characters is a player's, and the same in many outputs.
LONG_SCRIPT = 10_000
CELLS = """
{%- extends 'classic/base.html.j2' -%}
{% macro folded(title, body) -%}
<details class="fold"><summary>{{ title }}</summary>{{ body }}</details>
{%- endmacro %}
{% block any_cell %}
{{ folded(cell.metadata.fold, super()) if cell.metadata.fold else super() }}
{%- endblock %}
{% block input_group %}
{{ folded("The code", super()) if cell.metadata.get("jupyter", {}).source_hidden
   else super() }}
{%- endblock %}
"""


class Pages:
    """The pages of a course.

    Args:
        course: what `read_course` has read.
        live: whether a running copy of the notebooks lies in the site, to link to.
    """

    def __init__(self, course: Course, live: bool = False):
        self.course, self.live = course, live
        # The players' scripts that pages have in common: place in the site -> text.
        self.scripts: dict[str, str] = {}

    def page(self, source: Source) -> str:
        """A notebook as a page.

        Raises:
            ValueError: a formula in it can't be set; which one, and in which cell.
        """
        body = self._converted(source)
        body, sections = _anchored(self._linked(body, source.room))
        top, rest = body.split("</h1>", 1)
        solved = " (solutions)" if source.room == "solutions" else ""
        return self._filled(
            title=f"{source.number} · {source.title}{solved}",
            about=_plain(markdown(source.question)),
            top="../",
            contents=self._contents("../", sections, source),
            body=f"{top}</h1>{self._buttons(source)}{self._shared(rest, '../')}",
            onward=self._onward(source),
        )

    def _converted(self, source: Source) -> str:
        from nbformat import NotebookNode

        notebook = NotebookNode(source.notebook)
        if source.room == "exercises":
            notebook.cells = list(self._with_answers(source))
        try:
            body = _exporter().from_notebook_node(notebook)[0]
        except ValueError as error:
            raise ValueError(f"{source.path}, {error}") from error
        # A head without a word is none: a screen reader would announce it.
        return re.sub(r"<th\b[^>]*></th>", "<td></td>", body)

    def _with_answers(self, source: Source) -> Iterator["NotebookNode"]:
        """An exercise's cells, with hints and the solution folded behind the answer's."""
        solved = {
            cell.id: cell
            for other in self.course.beside(source)
            if other.room == "solutions"
            for cell in other.notebook.cells
        }
        reasoning = []
        for cell in source.notebook.cells:
            if is_answer(cell) and cell.cell_type == "markdown":
                reasoning = [solved[cell.id]] if cell.id in solved else []
                continue
            yield cell
            if not is_answer(cell):
                continue
            exercise = catalogue().get(marks(cell)["grade_id"])
            for k, hint in enumerate(exercise.hints if exercise else (), 1):
                yield _folded(cell, f"Hint {k}", source=f"<p>{html.escape(hint)}</p>")
            for one in reasoning:
                yield _folded(one, "The reasoning")
            if cell.id in solved:
                yield _folded(solved[cell.id], "The solution")

    def _linked(self, body: str, room: str) -> str:
        """Links from notebook to notebook lead from page to page, or are mere text."""

        def led(link: re.Match) -> str:
            target = posixpath.normpath(posixpath.join(room, link[1]))
            if target not in self.course.files:
                return link[3]
            way = link[1].removesuffix(".ipynb")
            return f'<a href="{way}.html{link[2] or ""}">{link[3]}</a>'

        relative = r'<a href="(?![a-z]+:|#)([^"#]+)(#[^"]*)?"[^>]*>(.*?)</a>'
        return re.sub(relative, led, body, flags=re.DOTALL)

    def _shared(self, body: str, top: str) -> str:
        """Long scripts, which are the players', become files; each runs once, at the end."""
        names = []

        def moved(script: re.Match) -> str:
            if len(script[1]) < LONG_SCRIPT:
                return script[0]
            name = f"assets/{zlib.crc32(script[1].encode()):08x}.js"
            self.scripts[name] = script[1]
            names.append(name)
            return ""

        body = re.sub(r"<script>(.*?)</script>", moved, body, flags=re.DOTALL)
        calls = (
            f'<script src="{top}{name}"></script>' for name in dict.fromkeys(names)
        )
        return "\n".join([body, *calls])

    # --- around a page ----------------------------------------------------------------

    def _buttons(self, source: Source) -> str:
        """How long it takes, and where the notebook can be run and had."""
        at = self.course.addresses
        links = []
        if self.live:
            link = f"../lite/notebooks/index.html?path={source.file}"
            links.append(f'<a class="run" href="{link}">Run this page</a>')
        for name, link in (
            ("Colab", f"{at.get('Colab')}/{source.file}"),
            ("Binder", f"{at.get('Binder')}?urlpath=lab/tree/{source.file}"),
        ):
            if name in at:
                links.append(f'<a href="{html.escape(link)}">{name}</a>')
        links.append(f'<a href="{source.path.name}" download>Notebook (.ipynb)</a>')
        time = f"<span>about {source.minutes} min</span>"
        return f'<p class="buttons">{time} {" ".join(links)}</p>'

    def _contents(
        self, top: str, sections: list[tuple[str, str]], here: Source | None = None
    ) -> str:
        """The lectures; of the one at hand also its sections and what goes with it."""
        own = "".join(
            f'<li><a href="#{name}">{text}</a></li>' for name, text in sections
        )
        items = []
        for lecture in self.course.lectures:
            inner = own if lecture is here else ""
            if here and here.lecture == lecture.number:
                for source in self.course.beside(lecture):
                    name = source.title if source.is_side else ROOMS[source.room]
                    inner += _item(
                        top, source, here, name, own if source is here else ""
                    )
            name = f"{lecture.number} · {lecture.title}"
            items.append(_item(top, lecture, here, name, inner))
        return (
            '<nav aria-label="Contents"><details open><summary>Contents</summary>'
            f"<ol>{''.join(items)}</ol></details></nav>"
        )

    def _onward(self, source: Source) -> str:
        before, after = self.course.around(source)
        links = []
        for word, rel, other in (("Before", "prev", before), ("Next", "next", after)):
            if other:
                name = f"{other.number} · {html.escape(other.title)}"
                links.append(
                    f'<a rel="{rel}" href="../{other.page}"><small>{word}</small>{name}</a>'
                )
        return f'<nav class="onward" aria-label="Onward">{"".join(links)}</nav>'

    def _filled(self, **parts: str) -> str:
        whole = (
            parts["title"] if parts["title"] == NAME else f"{parts['title']} · {NAME}"
        )
        site = self.course.addresses.get("Documentation", "")
        return string.Template(_shipped("page.html")).substitute(
            parts,
            made_by=MADE_BY,
            name=NAME,
            title=html.escape(whole),
            about=html.escape(parts["about"]),
            preview=html.escape(f"{site.rstrip('/')}/assets/preview.png"),
            places=self._places(parts["top"]),
        )

    def _places(self, top: str) -> str:
        """What the foot of each page links to."""
        links = [
            ("The course", f"{top}index.html"),
            ("Slide by slide", f"{top}map.html"),
        ]
        if "Repository" in self.course.addresses:
            links.append(("The repository", self.course.addresses["Repository"]))
        return " ".join(f'<a href="{html.escape(at)}">{name}</a>' for name, at in links)

    # --- the first page, the map, the search ------------------------------------------

    def index(self) -> str:
        """The first page: a live player, what the course is, and the way through it."""
        player = next(filter(None, map(_first_player, self.course.sources)), "")
        hours = sum(s.minutes for s in self.course.lectures) / 60
        first = self.course.lectures[0]
        start = [f'<a class="run" href="{first.page}">Start reading</a>']
        if self.live:
            link = f"lite/notebooks/index.html?path={first.file}"
            start.append(f'<a href="{link}">Run it here, in the browser</a>')
        front = string.Template(_shipped("front.html")).substitute(
            name=NAME,
            about=ABOUT,
            player=player,
            start=" ".join(start),
            hours=f"{hours:.0f}" if hours >= 1 else "not even one",
            count=len(self.course.lectures),
            path="\n".join(map(self._step, self.course.lectures)),
        )
        return self._filled(
            title=NAME,
            about=ABOUT,
            top="",
            contents="",
            body=self._shared(front, ""),
            onward="",
        )

    def _step(self, lecture: Source) -> str:
        """One lecture of the path, with its question, its time and what goes with it."""
        beside = [
            f'<a href="{s.page}">'
            f"{html.escape(s.title) if s.is_side else ROOMS[s.room]}</a>"
            for s in self.course.beside(lecture)
        ]
        question = markdown(lecture.question).strip()
        return (
            f'<li value="{int(lecture.number)}"><h3><a href="{lecture.page}">'
            f"{html.escape(lecture.title)}</a> <small>{lecture.minutes} min</small></h3>"
            f"{question}<p>{' · '.join(beside)}</p></li>"
        )

    def map(self) -> str:
        """Where each part of the deck runs, in words."""
        lectures = {s.path.stem: s for s in self.course.sources if s.room == "lectures"}
        body = [
            "<h1>Slide by slide</h1>",
            "<p>For those who know the deck: what each of its sections states, and the "
            "places in the lectures where it is run.</p>",
        ]
        for section, entry in self.course.coverage.items():
            title = html.escape(entry.get("title", ""))
            body.append(f"<h2>{section} · {title}</h2><dl>")
            for claim, places in entry["claims"].items():
                body.append(f"<dt>{html.escape(claim)}</dt>")
                links = (_place(lectures, place) for place in places)
                body += [f"<dd>{link}</dd>" for link in dict.fromkeys(links) if link]
            body.append("</dl>")
        text, sections = _anchored("\n".join(body))
        return self._filled(
            title="Slide by slide",
            about="Where each part of the deck runs.",
            top="",
            contents=self._contents("", sections),
            body=text,
            onward="",
        )

    def search(self) -> str:
        """The text of all sections, as a script that a page reads when somebody searches."""
        found = [
            [source.page, f"{source.number} · {_plain(markdown(source.title))}", *part]
            for source in self.course.sources
            if source.room != "solutions"
            for part in _sections(source)
        ]
        return f"SECTIONS = {json.dumps(found, ensure_ascii=False)};\n"


def _folded(cell: "NotebookNode", title: str, source: str = "") -> "NotebookNode":
    """A copy of a cell that is folded behind a title; or text of ours in its place."""
    from nbformat.v4 import new_code_cell, new_markdown_cell

    new = new_markdown_cell if source or cell.cell_type == "markdown" else new_code_cell
    name = f"{cell.id}-{title.replace(' ', '-').lower()}"
    text = re.sub(r"(?m)^ *### (BEGIN|END) SOLUTION\n?", "", source or cell.source)
    return new(text, id=name, metadata={"fold": title})


def _item(top: str, source: Source, here: Source | None, name: str, inner: str) -> str:
    """A page in the list of contents, and what is listed under it."""
    current = ' aria-current="page"' if source is here else ""
    link = f'<a href="{top}{source.page}"{current}>{html.escape(name)}</a>'
    return f"<li>{link}{f'<ol>{inner}</ol>' if inner else ''}</li>"


def _first_player(source: Source) -> str:
    for cell in source.notebook.cells:
        for output in cell.get("outputs", []):
            made = output.get("data", {}).get("text/html", "")
            if 'class="c5-stepper"' in made and '"kind":"program"' in made:
                return made
    return ""


def _place(lectures: dict[str, Source], place: str) -> str:
    """A link to a cell in words: the page's title and the heading above the cell."""
    notebook, _, rest = place.partition("#")
    cell_id = rest.split()[0]
    if notebook not in lectures:
        return ""
    source, heading = lectures[notebook], ""
    for cell in source.notebook.cells:
        heads = re.findall(r"(?m)^##+ (.*)$", cell.source)
        if heads and cell.cell_type == "markdown":
            heading = ": " + _plain(markdown(heads[-1]))
        if cell.id == cell_id:
            break
    name = f"{source.number} {source.title}{heading}"
    return f'<a href="{source.page}#cell-id={cell_id}">{html.escape(name)}</a>'


def _sections(source: Source) -> Iterator[list[str]]:
    """Per section of a notebook: its heading, the heading's id, and its text."""
    part = ["", "", ""]
    for cell in source.notebook.cells:
        if cell.cell_type != "markdown":
            part[2] += "" if is_folded(cell) else f" {cell.source}"
            continue
        prose = re.sub(r"(?s)```.*?```", " ", cell.source)
        first, *rest = re.split(r"(?m)^##+ (.*)$", prose)
        part[2] += f" {first}"
        for heading, text in zip(rest[::2], rest[1::2], strict=True):
            yield _squeezed(part)
            plain = _plain(markdown(heading))
            part = [plain, _anchor(plain), text]
    yield _squeezed(part)


def _squeezed(part: list[str]) -> list[str]:
    text = re.sub(r"<[^>]+>|[*`$\\{}]+", " ", part[2])
    return [*part[:2], re.sub(r"\s+", " ", text).strip()]


# --- text -----------------------------------------------------------------------------


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
    from jinja2 import pass_context  # nbconvert brings it

    class Renderer(IPythonRenderer):
        def block_math(self, body):
            return f'<div class="wide">{mathml(body, "block")}</div>'

        def inline_math(self, body):
            return mathml(body)

        def latex_environment(self, name, body):
            return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    class Exporter(HTMLExporter):
        @pass_context
        def markdown2html(self, context, source):
            renderer = Renderer(escape=False, exclude_anchor_links=True)
            try:
                return MarkdownWithMath(renderer=renderer).render(source)
            except ValueError as error:
                cell = context.get("cell", {}).get("id", "title")
                raise ValueError(f"cell {cell}: {error}") from error

        def default_filters(self):
            yield from super().default_filters()
            yield "highlight_code", Highlight2HTML(pygments_lexer="python")
            # Pygments has escaped the code, and the outputs are the course's own.
            yield (
                "clean_html",
                lambda made: made.decode() if isinstance(made, bytes) else made,
            )

        # HTMLExporter's own parses the page again, for pictures without alternative text
        # and for classes that aren't here: it takes more than half of the time.
        from_notebook_node = TemplateExporter.from_notebook_node

    return Exporter(template_name="basic", raw_template=CELLS)


def mathml(latex: str, display: str = "inline") -> str:
    """A formula as MathML.

    Raises:
        ValueError: it isn't LaTeX, or has a command in it that isn't known.
    """
    with extra("site", "pages"):
        from math_core import LatexError

    try:
        return _setter().convert_with_local_state(
            latex.strip(), displaystyle=display == "block"
        )
    except LatexError as error:
        raise ValueError(
            f"the formula ${latex.strip()}$ can't be set: {str(error).rstrip('.')}; "
            "mend its braces or arguments, or use a command that is known"
        ) from error


@functools.cache
def _setter():
    from math_core import LatexToMathML

    return LatexToMathML(fancy_error=False)


def markdown(text: str) -> str:
    """Prose as HTML, with formulas as MathML; slides use it as nbconvert's filter."""
    return _exporter().markdown2html({}, text)


def _plain(made: str) -> str:
    return html.unescape(re.sub("<[^>]+>", "", made)).strip()


def _anchor(plain: str) -> str:
    """The id that JupyterLab gives a heading: links lead there in both."""
    return html.escape(re.sub(r"\s", "-", plain))


def _anchored(body: str) -> tuple[str, list[tuple[str, str]]]:
    """Every heading with its id and a link to it; and the sections: (id, heading)."""
    sections = []

    def with_id(match: re.Match) -> str:
        level, text = match[1], match[2]
        name = _anchor(_plain(text))
        if level == "2":
            sections.append((name, text))
        link = (
            f'<a class="anchor" href="#{name}" aria-label="Link to this section">#</a>'
        )
        here = "" if level == "1" else link
        return f'<h{level} id="{name}">{text}{here}</h{level}>'

    return re.sub(r"(?s)<h([1-6])>(.*?)</h\1>", with_id, body), sections


# --- what pages have in common --------------------------------------------------------


def assets() -> dict[str, bytes]:
    """Place in the site -> content: style, script, font and preview."""
    style = (code_colours() + _shipped("site.css")).encode()
    shipped = ("site.js", "math.woff2", "preview.png")
    folder = files(__package__)
    own = {f"assets/{name}": folder.joinpath(name).read_bytes() for name in shipped}
    return {"assets/site.css": style, **own}


def code_colours() -> str:
    """Pygments' colours for both themes."""
    from pygments.styles import get_style_by_name
    from pygments.token import STANDARD_TYPES

    light, dark = map(get_style_by_name, ("xcode", "lightbulb"))
    rules = []
    for token, style in light:
        pair = style["color"] or "000", dark.style_for_token(token)["color"] or "ddd"
        if pair != ("000", "ddd") and STANDARD_TYPES.get(token):
            colours = ", ".join(f"#{colour}" for colour in pair)
            rules.append(
                f".highlight .{STANDARD_TYPES[token]} {{ color: light-dark({colours}); }}"
            )
    return "\n".join(rules) + "\n"


def _shipped(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")

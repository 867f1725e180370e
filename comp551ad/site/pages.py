"""Notebooks as pages: nbconvert's HTML in our own template.

Pages       a course's pages, from the templates beside this module: one per notebook
            (page.html), the front page (front.html), the map (map.html); and the search's text
markdown    prose as HTML, with formulas as MathML
"""

import functools
import html
import json
import posixpath
import re
import zlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from comp551ad.exercises.catalogue import catalogue
from comp551ad.exercises.notebooks import is_answer, marks
from comp551ad.extras import extra

from . import MADE_BY, mathml
from .course import NAME, Course, Source, is_folded

with extra("site", "pages"):
    from nbconvert import HTMLExporter, TemplateExporter
    from nbconvert.filters import Highlight2HTML
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
    from nbformat import NotebookNode
    from nbformat.v4 import new_code_cell, new_markdown_cell

# Dependencies of nbconvert.
from jinja2 import Environment, FileSystemLoader, TemplateError, pass_context
from markupsafe import Markup
from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES

ABOUT = (
    "A lecture that runs: every formula is derived, executed, drawn, stepped through and "
    "checked. With live players, exercises that name the mistake, and code to change."
)
# A script of at least this many characters is a player's, and the same in many outputs.
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
        course: from `read_course`.
        live: whether the site contains a running copy of the notebooks, to link to.
    """

    def __init__(self, course: Course, live: bool = False):
        self.course = course
        # The players' scripts, which pages share: place in the site -> text.
        self.scripts: dict[str, str] = {}
        folder = FileSystemLoader(str(files(__package__)))
        self.templates = Environment(loader=folder, autoescape=True)
        shared = {"course": course, "live": live, "name": NAME, "made_by": MADE_BY}
        self.templates.globals |= shared
        self.templates.filters |= {
            "markdown": lambda text: Markup(markdown(text)),
            "place": functools.partial(_place, course),
        }

    def page(self, source: Source) -> str:
        """A notebook as a page.

        Raises:
            ValueError: a formula in it can't be typeset; the message names it and its cell.
        """
        solved = " (solutions)" if source.room == "solutions" else ""
        before, after = self.course.around(source)
        return self._filled(
            *_anchored(self._linked(self._converted(source), source.room)),
            title=f"{source.number} · {source.title}{solved}",
            about=_plain(markdown(source.question)),
            source=source,
            before=before,
            after=after,
        )

    def index(self) -> str:
        """The front page: a live player, what the course is, and the list of lectures."""
        player = next(filter(None, map(_first_player, self.course.sources)), "")
        hours = round(sum(s.minutes for s in self.course.lectures) / 30) / 2
        body = self.templates.get_template("front.html").render(
            about=ABOUT,
            player=Markup(player),
            hours=f"{hours:g}",
        )
        return self._filled(body, None, title=NAME, about=ABOUT)

    def map(self) -> str:
        """The map: where each part of the deck runs.

        Raises:
            ValueError: `coverage.toml` doesn't have the structure that the map needs.
        """
        try:
            body = self.templates.get_template("map.html").render()
        except (TemplateError, TypeError, AttributeError) as error:
            raise ValueError(
                f"coverage.toml can't be shown as a map: {error}; write sections [S05.claims] "
                'and in them "what the slide says" = ["notebook#cell"]'
            ) from error
        return self._filled(
            *_anchored(body),
            title="Slide by slide",
            about="Where each part of the deck runs.",
        )

    def search(self) -> str:
        """The text of all sections, as a script that pages load for a search."""
        found = [
            [source.page, f"{source.number} · {_plain(markdown(source.title))}", *part]
            for source in self.course.sources
            if source.room != "solutions"
            for part in _sections(source)
        ]
        return f"SECTIONS = {json.dumps(found, ensure_ascii=False)};\n"

    def _filled(self, body: str, sections: Any, **parts: Any) -> str:
        """A whole page; ``sections`` are listed in the contents, None for no contents."""
        heading, rest = body.split("</h1>", 1)
        return self.templates.get_template("page.html").render(
            parts,
            heading=Markup(f"{heading}</h1>"),
            body=Markup(self._shared(rest, "../" if "source" in parts else "")),
            sections=sections,
        )

    def _converted(self, source: Source) -> str:
        notebook = NotebookNode(source.notebook)
        if source.room == "exercises":
            notebook.cells = list(self._with_answers(source))
        try:
            # HTMLExporter's method parses the page again, for images without alternative
            # text and for unused classes, which takes more than half of the time.
            body = TemplateExporter.from_notebook_node(EXPORTER, notebook)[0]
        except ValueError as error:
            raise ValueError(f"{source.path}, {error}") from error
        # A screen reader would announce empty heads.
        return re.sub(r"<th\b[^>]*></th>", "<td></td>", body)

    def _with_answers(self, source: Source) -> Iterator[NotebookNode]:
        """An exercise's cells, with hints and the solution collapsed after the answer's cell."""
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
        """Change links between notebooks to links between pages, or to text if there is none."""

        def led(link: re.Match) -> str:
            target = posixpath.normpath(posixpath.join(room, link[1]))
            if target not in self.course.files:
                return link[3]
            way = link[1].removesuffix(".ipynb")
            return f'<a href="{way}.html{link[2] or ""}">{link[3]}</a>'

        relative = r'<a href="(?![a-z]+:|#)([^"#]+)(#[^"]*)?"[^>]*>(.*?)</a>'
        return re.sub(relative, led, body, flags=re.DOTALL)

    def _shared(self, body: str, top: str) -> str:
        """Move long scripts, which are the players', to files; each runs once, at the end."""
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


def _folded(cell: NotebookNode, title: str, source: str = "") -> NotebookNode:
    """A copy of a cell, or ``source`` in its place, collapsed under a title."""
    new = new_markdown_cell if source or cell.cell_type == "markdown" else new_code_cell
    name = f"{cell.id}-{title.replace(' ', '-').lower()}"
    text = re.sub(r"(?m)^ *### (BEGIN|END) SOLUTION\n?", "", source or cell.source)
    return new(text, id=name, metadata={"fold": title})


def _first_player(source: Source) -> str:
    for cell in source.notebook.cells:
        for output in cell.get("outputs", []):
            made = output.get("data", {}).get("text/html", "")
            if 'class="c5-stepper"' in made and '"kind":"program"' in made:
                return made
    return ""


def _place(course: Course, place: str) -> str:
    """A link to a cell, whose text is the page's title and the heading above the cell."""
    notebook, _, cell_id = place.partition(" ")[0].partition("#")
    for source in course.sources:
        if source.room != "lectures" or source.path.stem != notebook:
            continue
        heading = ""
        for cell in source.notebook.cells:
            heads = re.findall(r"(?m)^##+ (.*)$", cell.source)
            if heads and cell.cell_type == "markdown":
                heading = ": " + _plain(markdown(heads[-1]))
            if cell.id == cell_id:
                break
        name = html.escape(f"{source.number} {source.title}{heading}")
        return Markup(f'<a href="{source.page}#cell-id={cell_id}">{name}</a>')
    return ""


def _sections(source: Source) -> Iterator[list[str]]:
    """For each section of a notebook: its heading, the heading's id, and its text."""
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

# A formula and the punctuation after it, between which a browser might break the line.
_WITH_MARK = re.compile(r"<math\b(?:(?!</math>).)*</math>[.,;:!?)]+", re.DOTALL)


class _Renderer(IPythonRenderer):
    """Formulas as MathML instead of a script from the network."""

    def block_math(self, body):
        return f'<div class="wide">{mathml(body, "block")}</div>'

    def inline_math(self, body):
        return mathml(body)

    def latex_environment(self, name, body):
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


@pass_context
def _html_of(context, source):
    renderer = _Renderer(escape=False, exclude_anchor_links=True)
    try:
        html = MarkdownWithMath(renderer=renderer).render(source)
    except ValueError as error:
        cell = context.get("cell", {}).get("id", "title")
        raise ValueError(f"cell {cell}: {error}") from error
    return _WITH_MARK.sub(r'<span class="whole">\g<0></span>', html)


def as_it_is(made: str | bytes) -> str:
    """Replaces a sanitizing filter: Pygments has escaped the code, and the outputs are our own.
    Slides use it too."""
    return made.decode() if isinstance(made, bytes) else made


EXPORTER = HTMLExporter(
    template_name="basic",
    raw_template=CELLS,
    filters={
        "markdown2html": _html_of,
        "highlight_code": Highlight2HTML(pygments_lexer="python"),
        "clean_html": as_it_is,
    },
    optimistic_validation=True,  # once, not after each preprocessor
)


def markdown(text: str) -> str:
    """Prose as HTML, with formulas as MathML; also nbconvert's filter for slides."""
    return _html_of({}, text)


def _plain(made: str) -> str:
    return html.unescape(re.sub("<[^>]+>", "", made)).strip()


def _anchor(plain: str) -> str:
    """The id that JupyterLab gives a heading, so that links work in both."""
    return html.escape(re.sub(r"\s", "-", plain))


def _anchored(body: str) -> tuple[str, list[tuple[Markup, Markup]]]:
    """The body with an id and a link at each heading, and the sections: (id, heading)."""
    sections = []

    def with_id(match: re.Match) -> str:
        level, text = match[1], match[2]
        name = _anchor(_plain(text))
        if level == "2":
            sections.append((Markup(name), Markup(text)))
        link = (
            f'<a class="anchor" href="#{name}" aria-label="Link to this section">#</a>'
        )
        here = "" if level == "1" else link
        return f'<h{level} id="{name}">{text}{here}</h{level}>'

    return re.sub(r"(?s)<h([1-6])>(.*?)</h\1>", with_id, body), sections


# --- shared by all pages --------------------------------------------------------------


def assets() -> dict[str, bytes]:
    """Place in the site -> content: style, script, font and preview."""
    shipped = ("site.css", "site.js", "math.woff2", "preview.png")
    folder = files(__package__)
    made = {f"assets/{name}": folder.joinpath(name).read_bytes() for name in shipped}
    made["assets/site.css"] = code_colours().encode() + made["assets/site.css"]
    return made


def code_colours() -> str:
    """Pygments' colours for both themes."""
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

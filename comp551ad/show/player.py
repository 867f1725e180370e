"""The player as notebooks, the site and widgets embed it.

A player is a still (a picture, a paragraph, a table, which remain where scripts don't run), its
data, and the script that makes them a live player. All players share one script: runtime, table of
primitives, engine, page.

The data of a player for a program (``kind`` "program"):

    label      the accessible name
    program    the recorded list, see ``live``
    panels     [{mode, about, seed}]: "forward" or "reverse", the seeded row, its seed
    names      "labels" or "names"
    step       the number of the step that it opens with
    predict    whether it opens with its questions on
    needs      the primitives that a script must have to start it; other scripts skip it

and of a player for pictures (``kind`` "pictures"): label, and frames, dicts of

    title, html    the step in words; HTML that the caller has escaped
    rule, numbers, result, note    lines of the formula box, and a sentence below
"""

import functools
import json
import re
import zlib

from comp551ad import functions
from comp551ad.autodiff.primitives import PRIMITIVES

from . import palette
from .live import engine_source, operations_in, shipped

__all__ = [
    "LivePlayer",
    "player_html",
    "player_module",
    "player_script",
    "player_style",
]

# Kind of a player -> its modules, each after those that it depends on.
MODULES = {
    "pictures": "bar pictures",
    "program": "bar layout parse links quiz matrices panel inputs code graph player",
    "training": "bar parse matrices inputs training",
}
MODULES["surface"] = MODULES["training"]


class LivePlayer:
    """A player that doesn't show a pass: live in a notebook, a still where scripts don't run.

    Attributes:
        label: the accessible name.
        data, still, programs: as in ``player_html``.
    """

    def __init__(self, data: dict, still: str, programs: dict[str, str] | None = None):
        self.data, self.still, self.programs = data, still, programs
        self.label = data["label"]

    def __repr__(self):
        return f"{self.label}: a live player; a notebook shows it"

    def player_html(self, script: bool = True) -> str:
        """The player as HTML, with or without the shared script."""
        return player_html(self.data, self.still, script, self.programs)

    def _repr_html_(self):
        return self.player_html()


def player_html(
    data: dict, still: str, script: bool = True, programs: dict[str, str] | None = None
) -> str:
    """A player as HTML.

    Args:
        data: see the module's docstring.
        still: HTML to show where scripts don't run.
        script: whether to include the script, as in a notebook. False for a page with several
            players, followed by one ``player_script()``.
        programs: name -> a JavaScript program that ``write_gradient`` wrote for it.
    """
    key, given = embedded(programs) if programs else ("", "")
    mark = f' data-programs="{key}"' if programs else ""
    given = f"<script>\n{_escaped(given)}\n</script>\n" if programs else ""
    # ASCII takes one byte per character in memory, and IPython keeps all displayed output.
    still = still.encode("ascii", "xmlcharrefreplace").decode()
    needs = operations_in(data["program"]) if "program" in data else []
    data = data | ({"needs": needs} if needs else {})
    return (
        f'<div class="c5-stepper"{mark}>\n{still}\n'
        f'<script type="application/json">{_json(data)}</script>\n</div>{given}'
        + (player_script(data["kind"], needs=tuple(needs)) if script else "")
    )


@functools.cache
def player_script(*kinds: str, needs: tuple[str, ...] = ()) -> str:
    """The script that makes the stills before it live players, style sheet included.

    Args:
        kinds: the kinds of players; by default all, with all primitives.
        needs: the primitives that aren't elementwise.
    """
    start = f"startAll({_json(player_style())});"
    code = f'(function () {{\n"use strict";\n{_code(kinds, needs)}\n{start}\n}})();'
    return f"<script>\n{_escaped(code)}\n</script>"


@functools.cache
def player_module() -> str:
    """The script of a widget as an ES module, whose default export renders a program's player."""
    code = _code(("program",), start="widget.js")
    return f"{code}\nexport default {{ render }};\n"


@functools.cache
def player_style() -> str:
    """The style sheet, without its comments."""
    return re.sub(r"/\*.*?\*/\n?", "", shipped("player.css"), flags=re.DOTALL)


def _code(kinds, needs=PRIMITIVES, start="start.js"):
    modules = " ".join(MODULES[kind] for kind in kinds or MODULES).split()
    names = dict.fromkeys(f"{name}.js" for name in modules)
    code = "\n".join(map(shipped, [*names, start]))
    if set(kinds) == {"pictures"}:
        return code
    known = {"HEAT": palette.HEAT, "OURS": functions.__all__}
    lists = [f"const {name} = {json.dumps(x)};" for name, x in known.items()]
    return engine_source("\n".join([*lists, code]), needs if kinds else PRIMITIVES)


def _json(data):
    """JSON that is safe inside a script element, whatever the data contains."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for c in "<>&":
        text = text.replace(c, f"\\u{ord(c):04x}")
    return text


def _escaped(code):
    """JavaScript in ASCII; other characters occur only in string literals."""
    code = code.replace("</", "<\\/")
    return re.sub(r"[^\x00-\x7f]", lambda match: f"\\u{ord(match[0]):04x}", code)


def embedded(programs: dict[str, str]) -> tuple[str, str]:
    """A key, and a script that gives the written programs to the players with this key."""
    parts = []
    for name, source in programs.items():
        (function,) = re.findall(r"^export function (\w+)", source, re.MULTILINE)
        inner = source[: source.index("export default")].replace(
            "export function", "function"
        )
        parts.append(f"{name}: (() => {{\n{inner}\nreturn {function};\n}})()")
    body = "{" + ",\n".join(parts) + "}"
    key = f"{zlib.crc32(body.encode()):08x}"
    script = (
        f"for (const root of document.querySelectorAll('[data-programs=\"{key}\"]')) "
        f"root.programs ??= {body};"
    )
    return key, script

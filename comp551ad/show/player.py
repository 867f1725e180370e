"""The player's shell: frames in, and out comes a block of HTML that steps through them.

What this module is: the one place that puts a player into a page. It knows buttons, a slider, keys,
words and questions, but not what is stepped through: that is in the frames, plain data from whoever
makes a player. Until its script runs a player is a still: a picture, a paragraph, a table, which
stay where scripts don't run.

A frame is a dict. All but the title may be left out:

    title      the step in words
    rule, numbers, result    the formula box: in symbols, with numbers put in, what it comes to
    note       a sentence below it
    knows      what is known by now, for panels side by side
    html       HTML, escaped by whoever made it: shown instead of the last frame's
    question   what "Predict" asks before it shows the frame, see below
    node, states, messages, down, evaluated, differentiated, drops    for a panel with a graph;
               ``steppers`` explains them

and a question is one as well:

    title      the frame's title while the question is open, which gives nothing away
    given      shown instead of the rule meanwhile: what is known already, or ""
    ask        what to find, "ā₅"
    answer, text    the number, and how it is written; answer is None for an array, nan or ∞
    mistakes   [{value, explanation}] the numbers that common mistakes lead to, and why
    rounding   how far off a number may be besides half a per cent: what rounding may leave
    choices    [{text, right, explanation}] formulas to choose from, [] where there are too few
    differentiated    how many nodes have their derivative meanwhile

Reads: ``palette``. Read by: ``steppers``, other players, whatever puts many of them on one page.
"""

import functools
import json
import re
import string
from importlib.resources import files
from typing import NamedTuple

from . import palette
from .graph import STATES

__all__ = ["Panel", "player_html", "player_script"]

# Milliseconds a frame while playing: at most, at least.
PACE = 1200, 500
# A long player plays faster, to end within this time.
LONGEST_PLAY = 45_000


class Panel(NamedTuple):
    """What one part of a player steps through.

    Attributes:
        frames: the steps, each a dict; the module's text explains it.
        still: HTML that shows one of them where scripts don't run. With ``keys``, its first
            image is the graph at the last frame (``graph_html``), and its table the table.
        name: a heading, for a player with several panels.
        keys: the keys of the graph's nodes in order, "a1" first; none where there is no graph.
        down: whether derivatives are found from the last node down.
        shows: what ``html`` shows, for those who can't see it: "Matrices", "Picture".
    """

    frames: list[dict]
    still: str
    name: str = ""
    keys: tuple[str, ...] = ()
    down: bool = False
    shows: str = "Picture"


def player_html(
    panels: Panel | list[Panel],
    label: str,
    start: int = 0,
    predict: bool = False,
    script: bool = True,
) -> str:
    """A player as HTML.

    Args:
        panels: one ``Panel``, or several that step together side by side; one that has reached
            its last frame waits there for the others.
        label: what the player is, for those who can't see it.
        start: the number of the frame that it opens with.
        predict: whether it opens with its questions on.
        script: whether the script comes with it, as in a notebook. False for a page with
            several players, with one ``player_script()`` behind them all.
    """
    panels = [panels] if isinstance(panels, Panel) else list(panels)
    longest = max(len(panel.frames) for panel in panels)
    lines = max(len(formula_lines(f)) for panel in panels for f in panel.frames)
    data = {
        "label": label,
        "start": start,
        "predict": predict,
        "pace": max(PACE[1], min(PACE[0], LONGEST_PLAY // longest)),
        "panels": [_panel_data(panel, lines) for panel in panels],
    }
    still = "\n".join(panel.still for panel in panels)
    if len(panels) > 1:
        still = "\n".join(_one_of_several(panel) for panel in panels)
    # In ASCII, which takes a byte a character: IPython keeps all that it has shown.
    still = still.encode("ascii", "xmlcharrefreplace").decode()
    return (
        f'<div class="c5-stepper">\n{still}\n'
        f'<script type="application/json">{_json(data)}</script>\n</div>'
        + (player_script() if script else "")
    )


@functools.cache
def player_script() -> str:
    """The script that makes players of the stills before it, style sheet included."""
    css = string.Template(_shipped("player.css")).substitute(vars(palette))
    return f"<script>\n{_escaped(_shipped('player.js'))}({_json(css)});\n</script>"


def formula_lines(frame: dict) -> list[str]:
    """The lines of a frame's formula box, without repetitions."""
    texts = (frame.get(key, "") for key in ("rule", "numbers", "result"))
    return list(dict.fromkeys(filter(None, "\n".join(texts).split("\n"))))


def _panel_data(panel, lines):
    return {
        "name": panel.name,
        "lines": lines,
        "words": STATES,
        "count": len(panel.keys),
        "keys": panel.keys,
        "down": panel.down,
        "shows": panel.shows,
        "frames": panel.frames,
    }


def _one_of_several(panel):
    style = "display:inline-block;vertical-align:top;margin:0 24px 8px 0;max-width:100%"
    return f'<div class="c5-panel" style="{style}">\n{panel.still}\n</div>'


def _shipped(name):
    """A file of this folder, without indentation and lines of comment."""
    text = files("comp551ad.show").joinpath(name).read_text(encoding="utf-8")
    lines = map(str.strip, text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _json(data):
    """JSON that is safe inside a script element, whatever a label contains."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for c in "<>&":
        text = text.replace(c, f"\\u{ord(c):04x}")
    return text


def _escaped(code):
    """JavaScript in ASCII: other characters occur only in its texts."""
    return re.sub(r"[^\x00-\x7f]", lambda match: f"\\u{ord(match[0]):04x}", code)

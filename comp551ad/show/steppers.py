"""Steppers: step through a pass, in a notebook or on a page with no Python behind it.

>>> ReverseStepper(record(model, w0=0.5, w1=2.0, x=1.0), of="y2")

What this module is: players over a pass: forward mode, reverse mode, and the two side by
side. A frame is one step of a pass as inert data, put together here from ``rows``; there
is no mathematics in it. What a notebook shows is self-contained HTML: a still of the last
frame (picture, formula, table), and a script that turns the still into a player. Where
scripts don't run (an untrusted notebook, a web view of a repository), the still remains.

A frame is what ``player`` takes, a dict of strings, numbers, lists and dicts:

    title            the step in words
    node             the node whose turn it is, "a5"
    rule             its formula in symbols; a line each where there are two
    numbers          the same with numbers put in; "" where that adds nothing
    result           what it comes to
    note             what is no longer needed; at the end, what was found
    knows            how much is found by now, and how much of it is still needed
    html             the formula's matrices, where there are arrays in it
    question         what "Predict" asks before it shows the frame; None where it doesn't
    states           "done", "current", "discardable" -> keys of nodes; all others wait
    messages         edge's id -> what it carries now
    down             whether messages run from results to operands
    evaluated        how many nodes have their value, a1 first
    differentiated   how many have their derivative, in the order of the pass
    drops            [node, "value" or "derivative"] of all that no later step needs

Reads: ``rows``, ``table``, ``graph``, ``player``, ``matrices``, ``autodiff``. Read by: notebooks.
"""

import functools
import math
import weakref
import zlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from numpy.typing import ArrayLike

from comp551ad.autodiff.forward import forward
from comp551ad.autodiff.reverse import reverse
from comp551ad.autodiff.trace import Trace

from . import graph
from .formula import as_formula
from .matrices import matrices_html
from .player import Panel, formula_lines, player_html
from .rows import MOST_ROWS, Row, Rows, rows_of
from .table import table_html, table_text

__all__ = ["ModesStepper", "ForwardStepper", "ReverseStepper", "Still", "frames_of"]

# Characters that an edge of the graph has room for.
LONGEST_MESSAGE = 26
# Inputs that one line names.
MOST_LISTED = 6
# Wrong formulas to choose from beside the right one.
MOST_WRONG = 4
# Relative difference below which a mistake's number passes for the right one.
NEAR = 0.02
# What rounding may leave of a 0, relative to the numbers that it was made of.
ROUNDING = 1e-15


# ---------------------------------------------------------------- frames


def frames_of(rows: Rows) -> list[dict]:
    """A pass as frames: the inputs together, then a step a frame.

    In reverse mode a node that is used several times takes a frame for each path's term
    and one for their sum.

    Raises:
        ValueError: the rows are those of a trace, or of a pass too long to step through.
    """
    if rows.mode not in ("forward", "reverse"):
        raise ValueError(
            f"rows: got the rows of {rows.mode}, expected those of a pass: "
            "rows_of(forward(trace, wrt)) or rows_of(reverse(trace, of))"
        )
    if not rows.steps:
        raise ValueError(
            f"rows: got {len(rows.rows) + rows.left_out} nodes, expected at most "
            f"{MOST_ROWS}; record a smaller function"
        )
    frames = list(_Frames(rows).all())
    frames[-1]["note"] = f"{frames[-1]['note']} {summary(rows)}".strip()
    return frames


class _Frames:
    """Puts frames together, with what is found and what is dropped by each step."""

    def __init__(self, rows):
        self.rows = rows
        self.row = {row.index: row for row in rows.rows}
        self.found = {"value": [], "derivative": []}
        self.dropped = set()
        self.down = False

    def all(self):
        steps = self.rows.steps
        inputs = [
            s for s in steps if "value" in s.finds and not self.row[s.node].operands
        ]
        if inputs:
            yield self.inputs(inputs)
        for step in steps[len(inputs) :]:
            row = self.row[step.node]
            if self.backwards and len(row.derivative.terms) > 1:
                yield from self.terms(row)
            yield self.step(step, row)

    def frame(
        self,
        nodes,
        title,
        rule,
        numbers,
        result,
        messages,
        note="",
        drops=(),
        matrices=(),
        question=None,
    ):
        """A frame with the state of all nodes now, at the turn of ``nodes``."""
        found = self.found["derivative" if self.down else "value"]
        states = {"done": [], "current": [], "discardable": []}
        for n, row in self.row.items():
            if n in nodes:
                states["current"].append(row.key)
            elif {(n, "value"), (n, "derivative")} <= self.dropped:
                states["discardable"].append(row.key)
            elif n in found:
                states["done"].append(row.key)
        return {
            "title": title,
            "node": self.row[nodes[0]].key,
            "rule": rule,
            "numbers": numbers,
            "result": result,
            "note": note,
            "knows": self.knows(),
            "html": "".join(map(matrices_html, matrices)),
            "question": question,
            "states": states,
            "messages": messages,
            "down": self.down,
            "evaluated": len(self.found["value"]),
            "differentiated": len(self.found["derivative"]),
            "drops": [[self.row[n].key, what] for n, what in drops],
        }

    def knows(self):
        """How much has been found by now, and how much of it is still needed."""
        values, derivatives = (len(found) for found in self.found.values())
        word = {"forward": "tangents", "reverse": "adjoints"}[self.rows.mode]
        kept = values + derivatives - len(self.dropped)
        return f"Found: {values} values, {derivatives} {word}. Still needed: {kept}."

    @property
    def backwards(self):
        """Whether all values are there, so that what comes next is on the way back."""
        return self.rows.mode == "reverse" and len(self.found["value"]) == len(self.row)

    def take(self, step):
        for what in step.finds:
            self.found[what].append(step.node)
        self.dropped |= set(step.drops)

    # -- the inputs

    def inputs(self, steps):
        for step in steps:
            self.take(step)
        rows = [self.row[step.node] for step in steps]
        title = "First the evaluation, from the bottom up: the inputs"
        result = _listed(f"{row.label} = {row.value_text}" for row in rows)
        if self.rows.mode == "forward":
            title = f"The inputs, and the seeds: derivatives with respect to {self.rows.about}"
            seeds = (row.derivative for row in rows)
            result += "\n" + _listed(f"{d.label} = {d.value_text}" for d in seeds)
        return self.frame(
            [row.index for row in rows],
            title,
            rule=_listed(f"{row.label}{_is_called(row)}" for row in rows),
            numbers="",
            result=result,
            messages={},
            note=_not_needed(*(step.drops_text for step in steps)),
            drops=[drop for step in steps for drop in step.drops],
        )

    # -- one step

    def step(self, step, row):
        self.down = self.backwards
        self.take(step)
        d = row.derivative
        found = {"value": row, "derivative": d}
        found = [found[what] for what in step.finds]
        question = None
        if "derivative" in step.finds:
            given = _lines(row) if "value" in step.finds else ""
            question = self.question(row, d, d.label.text, d.label.text, given)
        if self.down:
            title = self.adjoint_title(row)
        elif self.rows.mode == "forward":
            title = f"{row.label}{_called(row)}: its value, and its tangent {d.label}"
        else:
            title = f"Evaluation, upwards: {row.label}{_called(row)}"
        if "derivative" in step.finds:
            messages = {self.edge(row, t): _message(t, row.shape) for t in d.terms}
        else:
            messages = {
                graph.edge_id(operand, row.index, position): self.row[
                    operand
                ].value_text
                for position, operand in row.operands
            }
        return self.frame(
            [row.index],
            title,
            rule="\n".join(str(one.equation) for one in found),
            numbers="\n".join(filter(None, map(_numbers_line, found))),
            result="\n".join(f"{one.label} = {one.value_text}" for one in found),
            messages=messages,
            note=_not_needed(step.drops_text),
            drops=step.drops,
            matrices=[one.matrices for one in found if one.matrices],
            question=question,
        )

    def adjoint_title(self, row):
        label, terms = row.derivative.label, row.derivative.terms
        if row.derivative.seed and not terms:
            return f"The way back, downwards. It starts with the seed: {label}"
        if not terms:
            return f"{label}: {self.rows.about} doesn't depend on {row.label}"
        if len(terms) > 1:
            return f"{label}: the sum over its {len(terms)} paths"
        return f"{label}: one path, through {self.row[terms[0].node].label}"

    def edge(self, row, term):
        """The id of the edge between a node and the other end of one of its terms."""
        lower, upper = row.index, term.node
        if self.rows.mode == "forward":
            lower, upper = upper, lower
        return graph.edge_id(lower, upper, term.operand)

    # -- a fork

    def terms(self, row):
        """A frame a path: what comes back along one edge."""
        self.down = True
        label, terms = row.derivative.label, row.derivative.terms
        for k, term in enumerate(terms, 1):
            through = self.row[term.node].label
            adds_something = str(term.numbers) not in (
                str(term.formula),
                term.value_text,
            )
            local = ""
            if term.local is not None:
                own = f"∂{through}/∂{row.label} = {term.local}"
                local = f"This edge's own derivative: {own}"
                if str(term.local) != str(term.local_numbers):
                    local += f" = {term.local_numbers}"
            yield self.frame(
                [row.index],
                f"{label}: path {k} of {len(terms)}, through {through}",
                rule=f"{term.formula}",
                numbers=f"= {term.numbers}" if adds_something else "",
                result=f"= {term.value_text}",
                messages={self.edge(row, term): _message(term, row.shape)},
                note=local,
                matrices=[term.matrices] if term.matrices else [],
                question=self.question(
                    row, term, f"the share of {label} through {through}", ""
                ),
            )

    # -- predict

    def question(self, row, found, ask, label, given=""):
        """What "Predict" asks about a derivative, or one path's share; None if nothing."""
        if not found.mistakes:
            return None
        of = f"{label} = " if label else ""
        wrong = {}
        for mistake in found.mistakes:
            wrong.setdefault(f"{of}{mistake.formula}", mistake.explanation)
        right = f"{of}{found.formula}"
        wrong.pop(right, None)
        choices = [{"text": right, "right": True, "explanation": ""}]
        for text, why in list(wrong.items())[:MOST_WRONG]:
            choices.append({"text": text, "right": False, "explanation": why})
        # In an order that is mixed, and the same on every machine.
        choices.sort(
            key=lambda choice: zlib.crc32(f"{row.key}{choice['text']}".encode())
        )
        # Nobody has to enter ∞, nor an array.
        is_number = found.value is not None and math.isfinite(found.value)
        if not is_number and len(choices) == 1:
            return None
        rounding = self.rounding(found) if is_number else 0.0
        return {
            "title": f"{ask} = ?" if label else f"{ask[0].upper()}{ask[1:]}?",
            "given": given,
            "ask": ask,
            # Adding 0 turns −0 into 0.
            "answer": found.value + 0.0 if is_number else None,
            "text": found.value_text,
            "rounding": rounding,
            "mistakes": _distinct(found, rounding) if is_number else [],
            "choices": choices if len(choices) > 1 else [],
            "differentiated": len(self.found["derivative"]) - bool(label),
        }

    def rounding(self, found):
        """How far rounding may shift a number: the cosine of π/2 is 6e−17, and 0 is right.

        Zero for a number far smaller than that: it can't be the result of rounding.
        """
        terms = getattr(found, "terms", (found,))
        made_of = [self.row[term.node].derivative.value for term in terms]
        made_of += [term.value for term in terms]
        known = (abs(x) for x in made_of if x is not None and math.isfinite(x))
        left = float(f"{ROUNDING * max(known, default=0.0):.0e}")
        return left if found.value == 0 or abs(found.value) > 0.01 * left else 0.0


def summary(rows: Rows) -> str:
    """What a pass has found, in a sentence."""
    if rows.mode == "reverse":
        ends = [row for row in rows.rows if not row.operands]
        slopes = [f"∂{rows.about}/∂{row.name}" for row in ends]
        what = "one output with respect to every input"
    else:
        ends = [row for row in rows.rows if row.is_output]
        slopes = [f"∂{row.name or row.label}/∂{rows.about}" for row in ends]
        what = "every output with respect to one input"
    pairs = zip(slopes, ends, strict=True)
    found = _listed(
        f"{y} = {row.derivative.value_text}" for y, row in pairs if row.derivative
    )
    return f"One pass found the derivatives of {what}: {found}."


def _distinct(found, rounding):
    """The mistakes that can be recognized by their number.

    No number may be near two of them, nor near one and the answer. The script's ``isNear``
    takes half a per cent and the rounding, less than half of what keeps them apart here.
    """
    distinct = []
    for mistake in found.mistakes:
        known = [found.value, *(one["value"] for one in distinct)]
        if mistake.value is None or not math.isfinite(mistake.value):
            continue
        if not any(
            abs(mistake.value - value)
            <= NEAR * max(abs(value), abs(mistake.value)) + 2 * rounding
            for value in known
        ):
            one = {"value": mistake.value, "explanation": mistake.explanation}
            distinct.append(one)
    return distinct


def _lines(one):
    """All that is known of a value: a₅ = a₄ + a₁, with numbers, and what it is."""
    result = f"{one.label} = {one.value_text}"
    lines = [str(one.equation), _numbers_line(one), result]
    return "\n".join(filter(None, lines))


def _numbers_line(one):
    """The formula with numbers put in; "" where that adds nothing."""
    if str(one.numbers) in (str(one.formula), one.value_text):
        return ""
    return f"{one.label} = {one.numbers}"


def _message(term, shape):
    """What an edge carries, as long as there is room: ā₇·sin a₅ = 0.5985."""
    formula, value = str(term.formula), graph.brief(term.value_text, shape)
    text = formula if term.value is None else f"{formula} = {value}"
    fits = len(text) <= LONGEST_MESSAGE and formula != value
    return text if fits else value


def _called(row: Row):
    return f" ({row.name})" if row.name and row.name != row.label.text else ""


def _is_called(row: Row):
    return f" = {row.name}" if row.name and row.name != row.label.text else ""


def _listed(texts):
    texts = list(texts)
    more = len(texts) - MOST_LISTED
    if more > 0:
        texts = [*texts[:MOST_LISTED], f"… and {more} more"]
    return ", ".join(texts)


def _not_needed(*texts):
    texts = ", ".join(filter(None, texts))
    return f"No longer needed: {texts}." if texts else ""


# ---------------------------------------------------------------- the steppers


class Still:
    """One frame, standing still: for a page where nothing moves."""

    def __init__(self, stepper, step):
        self._stepper, self._step = stepper, step

    def __repr__(self):
        return self._stepper._text(self._step)

    def _repr_html_(self):
        return f"<div>\n{self._stepper._still_html(self._step)}\n</div>"


class _Stepping:
    """What all steppers share: frames, the current one, and how to show it."""

    def __init__(self):
        self._value = 0

    @property
    def value(self) -> int:
        """The number of the current frame, from 0; set it to go there."""
        return self._value

    @value.setter
    def value(self, step: int) -> None:
        self._value = self._checked(step, "value")

    def _checked(self, step, name):
        last = len(self.frames) - 1
        whole = isinstance(step, int | np.integer) and not isinstance(step, bool)
        if not whole or not 0 <= step <= last:
            raise ValueError(
                f"{name}: got {step!r}, expected a whole number from 0 to {last}"
            )
        return int(step)

    def still(self, step: int | None = None) -> Still:
        """One frame to look at, the current one or ``step``; it never moves.

        Raises:
            ValueError: there is no frame ``step``.
        """
        return Still(self, self._value if step is None else self._checked(step, "step"))

    def __len__(self):
        return len(self.frames)

    def __repr__(self):
        _forget_all_but(self)
        return self._text(self._value)

    def _repr_html_(self):
        """The still of the last frame, and the script that makes a player of it."""
        _forget_all_but(self)
        return self.player_html()


class Stepper(_Stepping):
    """One pass to step through.

    When another stepper is shown in a notebook, this one keeps only its pass; rows and
    frames are made again when they are needed.

    Attributes:
        frames: the steps as plain data; the module's text explains them.
        rows: the pass that is stepped through.
        value: the number of the current frame, from 0.
        predict: whether the player opens with its questions on.
    """

    def __init__(self, run, trace, variable, seed, names, predict):
        """``run`` is ``forward`` or ``reverse``, ``variable`` its second argument."""
        super().__init__()
        if not isinstance(trace, Trace):
            raise TypeError(
                f"trace: got {type(trace).__name__}, expected what record(f, …) returned"
            )
        self._pass = run(trace, variable, seed)
        self._names = names
        self.predict = predict
        if not self.rows.steps:
            raise ValueError(
                f"trace: got {len(trace.rows)} nodes, expected 1 to {MOST_ROWS}; step "
                "through a smaller function, or the same one on fewer inputs, or look "
                "at the table of the pass"
            )

    @functools.cached_property
    def rows(self) -> Rows:
        """The pass that is stepped through."""
        return rows_of(self._pass, self._names, details=True)

    @functools.cached_property
    def frames(self) -> list[dict]:
        """The steps as plain data; the module's text explains them."""
        return frames_of(self.rows)

    def player_html(self, script: bool = True) -> str:
        """The player as HTML, with or without the script that all players share."""
        title = self._title()
        return player_html(self.panel(), title, self._value, self.predict, script)

    def panel(self, name: str = "") -> Panel:
        """The pass as a part of a player."""
        return Panel(
            frames=self.frames,
            still=self._still_html(len(self.frames) - 1),
            name=name,
            keys=tuple(row.key for row in self.rows.rows),
            down=self.rows.mode == "reverse",
            shows="Matrices",
        )

    def _forget(self):
        for made in ("rows", "frames", "_room"):
            self.__dict__.pop(made, None)

    # -- parts

    def _title(self):
        rows = self.rows
        way = "with respect to" if rows.mode == "forward" else "of"
        return (
            f"{rows.mode.capitalize()} mode through {rows.function}: "
            f"derivatives {way} {rows.about}"
        )

    def _text(self, step):
        frame = self.frames[step]
        drawn = [
            f"{self._title()}: {step + 1} of {len(self.frames)}",
            "",
            frame["title"],
            *("    " + line for line in formula_lines(frame)),
            *filter(None, [frame["note"]]),
            "",
            table_text(self._rows_at(step)),
        ]
        return "\n".join(drawn)

    def _still_html(self, step):
        """A frame as HTML with neither script nor style sheet."""
        frame = self.frames[step]
        lines = formula_lines(frame)
        where = f"Step {step + 1} of {len(self.frames)}"
        alt = f"{self._title()}. {where}. {frame['title']}. {'; '.join(lines)}"
        picture = graph.graph_html(self.rows, alt, self._look(step), self._room)
        words = [frame["title"], *lines, frame["note"]]
        bold = "font-weight:bold;font-size:120%"
        styles = ["", *(bold for _ in lines), ""]
        parts = [
            f'<p style="margin:4px 0;{style}">{graph.escape(text)}</p>'
            for text, style in zip(words, styles, strict=True)
            if text
        ]
        parts = [picture, *parts, frame["html"], table_html(self._rows_at(step))]
        return "\n".join(filter(None, parts))

    @functools.cached_property
    def _room(self):
        """The widest text that each edge carries in any frame."""
        room = {}
        for frame in self.frames:
            for edge, text in frame["messages"].items():
                room[edge] = max(room.get(edge, ""), text, key=len)
        return room

    def _rows_at(self, step):
        """The rows as far as they are known in a frame; the rest is left blank."""
        unknown = self._unknown(self.frames[step])
        lines = []
        for row in self.rows.rows:
            line = SimpleNamespace(
                introduced=row.introduced,
                **_columns(row, (row.key, "value") in unknown),
            )
            hidden = (row.key, "derivative") in unknown
            line.derivative = SimpleNamespace(**_columns(row.derivative, hidden))
            lines.append(line)
        return replace(self.rows, rows=tuple(lines))

    def _unknown(self, frame):
        """(node's key, "value" or "derivative") of all that is not known in a frame."""
        keys = [row.key for row in self.rows.rows]
        order = keys[::-1] if self.rows.mode == "reverse" else keys
        unknown = {(key, "value") for key in keys[frame["evaluated"] :]}
        return unknown | {
            (key, "derivative") for key in order[frame["differentiated"] :]
        }

    def _look(self, step):
        """How a frame's graph looks."""
        frame = self.frames[step]
        states = {row.key: "waiting" for row in self.rows.rows}
        for state, members in frame["states"].items():
            states |= dict.fromkeys(members, state)
        gone = [tuple(drop) for f in self.frames[: step + 1] for drop in f["drops"]]
        return graph.Look(
            states=states,
            messages=frame["messages"],
            down=self.rows.mode == "reverse",
            hidden=frozenset(self._unknown(frame)),
            dropped=frozenset(gone),
        )


class ForwardStepper(Stepper):
    """Step through forward mode: each node's value and tangent together (S12, S13)."""

    def __init__(
        self,
        trace: Trace,
        wrt: str | None = None,
        seed: ArrayLike | None = None,
        names: str = "labels",
        predict: bool = False,
    ):
        """Run forward mode, and get ready to step through it.

        Args:
            trace: from ``record``.
            wrt, seed: as in ``forward``.
            names: "labels" writes a₅, "names" the user's own names where there are some.
            predict: whether the player opens with its questions on.

        Raises:
            TypeError: ``trace`` isn't one.
            KeyError, ValueError: as in ``forward``; or the trace is empty or too long.
        """
        super().__init__(forward, trace, wrt, seed, names, predict)


class ReverseStepper(Stepper):
    """Step through reverse mode: values bottom-up, then adjoints top-down (S14, S15)."""

    def __init__(
        self,
        trace: Trace,
        of: str | None = None,
        seed: ArrayLike | None = None,
        names: str = "labels",
        predict: bool = False,
    ):
        """Run reverse mode, and get ready to step through it.

        Args:
            trace: from ``record``.
            of, seed: as in ``reverse``.
            names, predict: as in ``ForwardStepper``.

        Raises:
            TypeError: ``trace`` isn't one.
            KeyError, ValueError: as in ``reverse``; or the trace is empty or too long.
        """
        super().__init__(reverse, trace, of, seed, names, predict)


class ModesStepper(_Stepping):
    """Step through both modes at once, side by side on the same trace (S12–S16).

    At step k each shows what it knows after its k-th step. Forward mode, which takes value
    and tangent of a node together, is done first and waits.

    Attributes:
        forward, reverse: the two steppers.
        frames: those of whichever takes longer.
        value: the number of the current frame, from 0.
    """

    def __init__(
        self,
        trace: Trace,
        wrt: str | None = None,
        of: str | None = None,
        names: str = "labels",
    ):
        """Run both modes, and get ready to step through them.

        Args:
            trace: from ``record``.
            wrt: as in ``forward``.
            of: as in ``reverse``.
            names: as in ``ForwardStepper``.

        Raises:
            TypeError: ``trace`` isn't one.
            KeyError, ValueError: as in ``forward`` and ``reverse``; or the trace is empty
                or too long.
        """
        super().__init__()
        self.forward = ForwardStepper(trace, wrt, names=names)
        self.reverse = ReverseStepper(trace, of, names=names)

    @property
    def frames(self) -> list[dict]:
        """The steps of whichever mode takes longer."""
        return max(self.forward.frames, self.reverse.frames, key=len)

    def _both(self):
        return self.forward, self.reverse

    def _forget(self):
        for one in self._both():
            one._forget()

    def _text(self, step):
        texts = (one._text(min(step, len(one) - 1)) for one in self._both())
        return "\n\n".join(texts)

    def _still_html(self, step):
        stills = (one._still_html(min(step, len(one) - 1)) for one in self._both())
        return "\n".join(stills)

    def player_html(self, script: bool = True) -> str:
        """The player as HTML, with or without the script that all players share."""
        rows = self.forward.rows
        title = f"Forward and reverse mode through {rows.function}, side by side"
        output = self.reverse.rows.about
        panels = [
            self.forward.panel(
                f"Forward mode: every output with respect to {rows.about}"
            ),
            self.reverse.panel(f"Reverse mode: {output} with respect to every input"),
        ]
        return player_html(panels, title, self._value, script=script)


# One stepper, or none.
_last_shown: weakref.WeakSet = weakref.WeakSet()


def _forget_all_but(stepper):
    """Let go of the rows and frames of the stepper that was shown before this one.

    A notebook keeps all that it has shown in ``Out`` as long as its kernel runs; with all frames
    that would be a tenth of a megabyte each time a cell is run again.
    """
    for other in set(_last_shown) - {stepper}:
        other._forget()
        _last_shown.discard(other)
    _last_shown.add(stepper)


def _columns(found, hidden):
    """The two cells of the table that show a row or a derivative, blank if hidden."""
    if hidden:
        return {"equation": as_formula(""), "shown_value": as_formula("")}
    return {"equation": found.equation, "shown_value": found.shown_value}

"""Steppers: step through a pass, in a notebook or on a page without Python.

>>> ReverseStepper(record(model, w0=0.5, w1=2.0, x=1.0), of="y2")

Forward mode, reverse mode, and both side by side. A notebook contains a still of the current step
(picture, formula, table) and a script that makes it a live player. Where scripts don't run, the
still remains. It shows only what is known at its step, so that it gives no answers away.
"""

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import ArrayLike

from comp551ad.autodiff.trace import Pass, Trace, forward, reverse
from comp551ad.shapes import count, one_of

from . import View, graph
from .arguments import expect
from .formula import as_formula
from .layout import edge_key
from .live import number_data, program_of
from .player import player_html
from .rows import MOST_ROWS, NAMES, Rows, Term, rows_of
from .table import table_html, table_text

if TYPE_CHECKING:
    from .widget import PlayerWidget

__all__ = ["ForwardStepper", "ModesStepper", "ReverseStepper"]

# A still lists at most twice this many equations: two per input in forward mode.
MOST_LISTED = 6
# Longest text on an edge, in characters.
LONGEST_MESSAGE = 26
BLANK = as_formula("")


class PassStep(NamedTuple):
    """One step of a player.

    Attributes:
        nodes: the node that it is about, or all inputs together.
        finds: what it computes: "value", "derivative", both or nothing.
        term: the share that it shows, before their sum; else None.
    """

    nodes: tuple[int, ...]
    finds: tuple[str, ...]
    term: Term | None = None


def plan_of(rows: Rows) -> list[PassStep]:
    """The steps of a player: the inputs together, then node by node; in the backward pass, a node
    that is used several times takes a step for each share and one for their sum."""
    row = {r.index: r for r in rows.rows}
    inputs = [s for s in rows.steps if "value" in s.finds and not row[s.node].operands]
    plan = []
    if inputs:
        plan.append(PassStep(tuple(s.node for s in inputs), inputs[0].finds))
    for step in rows.steps[len(inputs) :]:
        derivative = row[step.node].derivative
        terms = derivative.terms if derivative else ()
        if step.finds == ("derivative",) and len(terms) > 1:
            plan += [PassStep((step.node,), (), term) for term in terms]
        plan.append(PassStep((step.node,), step.finds))
    return plan


class Player:
    """The display of one pass, or of two side by side.

    Attributes:
        names: "labels" or "names".
        predict: whether the player opens with its questions on.
        passes: the steppers, one per pass.
    """

    _value = 0
    names: str
    predict: bool
    passes: list["Stepper"]

    def _title(self) -> str:
        """What the player shows, in a few words."""
        raise NotImplementedError

    @property
    def frames(self) -> list[dict]:
        """What each step shows: the node's key, its formula, and its value; for two passes, the
        frames of the longer one."""
        return max((one.frames for one in self.passes), key=len)

    def __len__(self) -> int:
        return max(map(len, self.passes))

    @property
    def trace(self) -> Trace:
        """The recorded function."""
        return self.passes[0].run.trace

    @property
    def value(self) -> int:
        """The number of the current step, from 0; set it to go there."""
        return self._value

    @value.setter
    def value(self, step: int) -> None:
        self._value = count("value", step, 0, len(self) - 1)

    def still(self, step: int | None = None) -> View:
        """One step without a script: the current one, or ``step``.

        Raises:
            ValueError: ``step`` is out of range.
        """
        step = self._value if step is None else count("step", step, 0, len(self) - 1)
        texts, htmls = zip(*(one._shown(step) for one in self.passes), strict=True)
        return View("\n\n".join(texts), "\n".join(["<div>", *htmls, "</div>"]))

    def data(self) -> dict:
        """The player's data for the page; see ``player``."""
        return {
            "kind": "program",
            "label": self._title(),
            "program": program_of(self.trace),
            "panels": [one._panel() for one in self.passes],
            "names": self.names,
            "step": self._value,
            "predict": self.predict,
        }

    def player_html(self, script: bool = True) -> str:
        """The player as HTML, with or without the shared script."""
        return player_html(self.data(), self.still()._repr_html_(), script)

    def widget(self) -> "PlayerWidget":
        """The same player as an ipywidget, which can be linked, observed and laid out with others.

        Raises:
            MissingExtra: the package anywidget isn't installed.
        """
        from .widget import PlayerWidget

        return PlayerWidget(self)

    def __repr__(self):
        return repr(self.still())

    def _repr_html_(self):
        return self.player_html()


class Stepper(Player):
    """One pass to step through.

    Attributes:
        run: the pass.
        rows: the pass as ``Rows``.
        steps: its steps.
    """

    def __init__(
        self, go: Any, trace: Any, about: Any, seed: Any, names: Any, predict: Any
    ):
        """``go`` is ``forward`` or ``reverse``, ``about`` its second argument."""
        one_of("names", names, NAMES)
        expect("predict", predict, bool, "True or False")
        run: Pass = go(trace, about, seed)
        nodes = len(run.trace.rows)
        if not 1 <= nodes <= MOST_ROWS:
            raise ValueError(
                f"trace: got {nodes} nodes, expected 1 to {MOST_ROWS}; step through a "
                "smaller function, or the same one on fewer inputs, or look at the table "
                "of the pass"
            )
        self.run, self.names, self.predict = run, names, predict
        self.passes = [self]

    @functools.cached_property
    def rows(self) -> Rows:
        return rows_of(self.run, self.names)

    @functools.cached_property
    def steps(self) -> list[PassStep]:
        return plan_of(self.rows)

    def __len__(self):
        return len(self.steps)

    @property
    def frames(self) -> list[dict]:
        frames = []
        for step in self.steps:
            rules, results = zip(*self._found(step), strict=True)
            texts = {"rule": ", ".join(map(str, rules)), "result": ", ".join(results)}
            frames.append({"node": f"a{step.nodes[0]}", **texts})
        return frames

    def _panel(self):
        about, seed = self.run.seeds[0] if self.run.seeds else (None, 0.0)
        return {"mode": self.run.mode, "about": about, "seed": number_data(seed)}

    def _title(self):
        mode, function = self.run.mode.capitalize(), self.rows.function
        return f"{mode} mode through {function}: {self.rows.subject}"

    # -- one step: what it computes, what is known by then

    def _shown(self, step):
        """A step as text, and as HTML without scripts or style sheets."""
        step = min(step, len(self) - 1)
        lines, rows = self._lines(self.steps[step]), self._rows_at(step)
        where = f"{step + 1} of {len(self)}"
        text = [f"{self._title()}: {where}", "", *("    " + line for line in lines), ""]
        alt = f"{self._title()}. Step {where}: {'; '.join(lines)}"
        bold = "margin:4px 0;font-weight:bold;font-size:120%"
        words = (f'<p style="{bold}">{graph.escape(line)}</p>' for line in lines)
        html = [graph.graph_html(rows, alt), *words, table_html(rows)]
        return "\n".join([*text, table_text(rows)]), "\n".join(html)

    def _found(self, step):
        """(equation, value) of everything that a step computes."""
        if step.term is not None:
            return [(step.term.formula, step.term.value_text)]
        rows = [self.rows.row(node) for node in step.nodes]
        ones = [r if w == "value" else r.derivative for w in step.finds for r in rows]
        return [(one.equation, one.value_text) for one in ones]

    def _asks(self, step):
        """Whether a step is a question, whose answer must not be shown."""
        is_derivative = step.term is not None or "derivative" in step.finds
        return self.predict and len(step.nodes) == 1 and is_derivative

    def _lines(self, step):
        if self._asks(step):
            return [f"{self.rows.row(step.nodes[0]).derivative.label} = ?"]
        found = [f"{left} = {value}" for left, value in self._found(step)]
        more = len(found) - 2 * MOST_LISTED
        rest = [f"… and {more} more"] if more > 0 else []
        return found[: 2 * MOST_LISTED] + rest

    def _rows_at(self, step):
        """The rows as known at a step, with the rest blank."""
        now = self.steps[step]
        known = {
            (node, what)
            for done in self.steps[: step + 1]
            for what in done.finds
            for node in done.nodes
        }
        if self._asks(now):
            known.discard((now.nodes[0], "derivative"))
        gone = {
            drop
            for one in self.rows.steps
            if (one.node, one.finds[-1]) in known
            for drop in one.drops
        }
        finds = "value" if "value" in now.finds else "derivative"
        rows = []
        for row in self.rows.rows:
            value, derivative = (row.index, "value"), (row.index, "derivative")
            state = "waiting"
            if row.index in now.nodes:
                state = "current"
            elif {value, derivative} <= gone:
                state = "discardable"
            elif (row.index, finds) in known:
                state = "done"
            d, text = row.derivative, row.value_text if value in known else ""
            if derivative not in known:
                d = replace(d, formula=BLANK, closed=None, value_text="")
            rows.append(replace(row, value_text=text, derivative=d, state=state))
        return replace(self.rows, rows=tuple(rows), messages=self._messages(now))

    def _messages(self, step):
        """Edge's key -> its text at a step: ā₇·sin a₅ = 0.5985, or just the value if too long."""
        if len(step.nodes) > 1 or self._asks(step):
            return {}
        row, messages = self.rows.row(step.nodes[0]), {}
        if "derivative" not in step.finds and step.term is None:
            for position, operand in row.operands:
                edge = edge_key(f"a{operand}", row.key, position)
                messages[edge] = self.rows.row(operand).value_text
            return messages
        for term in [step.term] if step.term else row.derivative.terms:
            # The edge's lower end first.
            ends = sorted((row.index, term.node))
            rule, value = str(term.formula), graph.brief(term.value_text, row.shape)
            text = rule if term.value is None else f"{rule} = {value}"
            fits = len(text) <= LONGEST_MESSAGE and rule != value
            edge = edge_key(*(f"a{end}" for end in ends), term.operand)
            messages[edge] = text if fits else value
        return messages


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
        """Run forward mode and plan its steps.

        Args:
            trace: from ``record``.
            wrt, seed: as in ``forward``.
            names: "labels" writes a₅, "names" the user's own names where there are some.
            predict: whether the player opens with its questions on.

        Raises:
            TypeError, KeyError, ValueError: as in ``forward``; or the trace is empty or too long.
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
        """Run reverse mode; ``of`` and ``seed`` as in ``reverse``, the rest as in
        ``ForwardStepper``."""
        super().__init__(reverse, trace, of, seed, names, predict)


class ModesStepper(Player):
    """Step through both modes at once, side by side on the same trace (S12–S16).

    Step k shows each pass after its own k-th step. Forward mode, which computes a node's value and
    tangent together, finishes first.

    Attributes:
        forward, reverse: the two steppers.
    """

    def __init__(
        self,
        trace: Trace,
        wrt: str | None = None,
        of: str | None = None,
        names: str = "labels",
    ):
        """Run both modes; ``wrt`` as in ``forward``, ``of`` as in ``reverse``."""
        self.forward = ForwardStepper(trace, wrt, names=names)
        self.reverse = ReverseStepper(trace, of, names=names)
        self.passes = [self.forward, self.reverse]
        self.names, self.predict = names, False

    def _title(self):
        return f"Forward and reverse mode through {self.trace.function}, side by side"

"""The player as an ipywidget: linked, observed and laid out with other widgets.

>>> player = ReverseStepper(record(model, w0=0.5, w1=2.0, x=1.0), of="y2").widget()
>>> player.observe(lambda change: print(change.new), "inputs")
>>> player.inputs = {"w0": 1.0}

The kernel and the page share the widget's traits. A player needs no kernel, and notebooks show it
as HTML by default; a widget is for code that needs one. An untrusted notebook, or one saved without
widget views as the lectures are, shows the stepper's HTML instead; a trusted one with a view whose
model is gone shows an error until the cell is run again.
"""

from typing import Any

import numpy as np

from comp551ad.extras import extra
from comp551ad.shapes import as_floats, one_of, require_finite

from .player import player_module, player_style

with extra("show", "widgets of players"):
    import anywidget
# A dependency of anywidget.
import traitlets  # noqa: E402


class Inputs(traitlets.Dict):
    """Inputs converted to floats, as JSON has no 2.0. Omitted inputs keep their values."""

    def validate(self, obj: Any, value: Any) -> Any:
        given = super().validate(obj, value) or {}
        # A function typed into the page has inputs of its own.
        known = None if obj.function else obj._recorded
        try:
            given = {name: _floats(name, x, known) for name, x in given.items()}
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from error
        before = obj._trait_values.get("inputs", {})
        if known is None:
            return given
        return {**known, **{k: x for k, x in before.items() if k in known}, **given}


class PlayerWidget(anywidget.AnyWidget):
    """A player whose state is in traits that both kernel and page can change.

    Attributes:
        step: the number of the step, from 0.
        inputs: name -> number, or nested lists of numbers; setting some keeps the others.
        playing, predicting: whether it is playing, whether its questions are on.
        score: [number of questions right at the first try, number answered].
        function: the function typed into the player, "" for the recorded one.
    """

    _esm = player_module()
    _css = player_style()

    spec = traitlets.Dict().tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    inputs = Inputs().tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    predicting = traitlets.Bool(False).tag(sync=True)
    score = traitlets.List([0, 0]).tag(sync=True)
    function = traitlets.Unicode("").tag(sync=True)

    def __init__(self, stepper: Any):
        """The widget of a stepper, at its step and with its inputs."""
        trace, data = stepper.trace, stepper.data()
        values = {trace.names[k]: trace.rows[k][1] for k in trace.inputs}
        self._stepper = stepper
        self._recorded = {name: np.asarray(x).tolist() for name, x in values.items()}
        super().__init__(
            spec=data,
            step=data["step"],
            predicting=data["predict"],
            inputs=self._recorded,
        )

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget, and the stepper's own output for when the widget's model is gone."""
        shown = super()._repr_mimebundle_(**options)
        if shown is None:
            return None
        bundle, metadata = shown
        html = {"text/html": self._stepper._repr_html_()}
        return {**bundle, "text/plain": repr(self._stepper), **html}, metadata


def _floats(name, x, known) -> Any:
    """A number as a float, an array as nested lists of floats; raises for nan and inf, which JSON
    lacks."""
    label = f"inputs[{name!r}]"
    array = as_floats(label, x)
    require_finite([label], [array])
    if known is not None:
        expected = np.shape(known[one_of("inputs", name, known)])
        if array.shape != expected:
            raise ValueError(f"{label}: got shape {array.shape}, expected {expected}")
    return array.tolist()

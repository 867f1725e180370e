"""Whatever a plot or a player is given, it works or says which argument is wrong, and how."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

import comp551ad as c
from comp551ad.show import rows_of, table_html, table_text
from comp551ad.show.plots import plot_error_curve

# Players' drawings aren't rendered here; test_scenes.py does that.
pytestmark = pytest.mark.usefixtures("drawn")


def model(w, x):
    return np.sin(w * x)


def bowl(x, y):
    return x**2 + y**2


TRACE = c.record(model, w=0.5, x=2.0)
X = np.array([[0.0, 0, 1], [1, 0, 1], [0, 2, 1], [3, 1, 1]])
Y = np.eye(2)[[0, 0, 1, 1]]
W = np.ones((2, 2))
RUN = c.gradient_descent(X, Y, 3, max_iters=3, rng=0)
GRAPH = {"layers": [["x"], ["y"]], "speeds": {("x", "y"): 2.0}}
FRAME = {"title": "a", "html": "b"}
# A function and arguments that it accepts.
RIGHT = [
    (c.ForwardStepper, {"trace": TRACE, "wrt": "w", "names": "names", "predict": True}),
    (c.ReverseStepper, {"trace": TRACE, "of": "a4", "seed": 1.0, "names": "labels"}),
    (c.ModesStepper, {"trace": TRACE, "wrt": "w", "of": "a4", "names": "labels"}),
    (c.ReverseStepper(TRACE).still, {"step": 1}),
    (c.graph_view, {"shown": TRACE, "width": 300}),
    (c.table_view, {"shown": TRACE}),
    (rows_of, {"shown": TRACE, "names": "names"}),
    (table_text, {"shown": TRACE}),
    (table_html, {"shown": TRACE}),
    (c.side_by_side, {"one": [1.0, {"a": W}], "other": [1.0, {"a": W}]}),
    (c.plot_decision_boundary, {"predict": lambda X: X[:, :2], "X": X, "Y": Y,
     "feature_names": ["a", "b"], "class_names": ["c", "d"], "title": "t", "ax": None}),
    (c.plot_learning_curve, {"iterations": [1, 2], "cost": [2, 1], "norms": {"W": [1, 2]},
     "history": None, "title": "t", "ax": None}),
    (plot_error_curve, {"steps": [1, 2], "errors": {"a": [1, 2]}, "title": "t", "ax": None}),
    (c.plot_paths, {**GRAPH, "bold": [("x", "y")], "title": "t", "ax": None}),
    (lambda dpi, alt: c.figure_html(plt.figure(), alt, dpi=dpi), {"alt": "a", "dpi": 20}),
    (c.figure_html, {"fig": plt.figure(), "alt": "a"}),
    (c.PicturePlayer, {"label": "a", "frames": [FRAME]}),
    (c.descent_player, {"descent": RUN, "X": X, "Y": Y, "predict": c.TwoLayer().predict,
     "frames": 2}),
    (c.difference_player, {"f": np.sin, "x": 1.0, "slope": 0.5}),
    (c.symmetry_player, {"moves": {"a": (W, W)}, "cost": lambda W, V: 1.0}),
    (c.depth_player, {"signals": {"a": [W]}}),
    (c.batch_norm_player, {"batches": [[1.0, 2.0]], "queries": [1.0], "rate": 0.1}),
    (c.path_player, {**GRAPH, "start": "x", "end": "y"}),
    (c.training_player, {"X": X, "Y": Y, "hidden": 2, "rate": 0.1, "seed": 1,
     "feature_names": ["a", "b"], "class_names": ["c", "d"]}),
    (c.surface_player, {"f": bowl, "start": (0, 0), "across": (-1, 1), "up": (-1, 1),
     "rate": 0.1}),
]  # fmt: skip
ODD = "$x_{$"
WRONG = [None, -1.5, np.nan, ODD, [ODD, "b"], {ODD: [1, 2]}, [None], {5: "a"}]
WRONG += [[[1, 2], [3]], print, [], {}]
# Which of these values an argument accepts.
TAKEN = {
    **dict.fromkeys(["ax", "iterations", "of", "step", "width"], [None]),
    **dict.fromkeys(["class_names", "feature_names"], [None, [[1, 2], [3]]]),
    **dict.fromkeys(["alt", "label"], [ODD]),
    **dict.fromkeys(["slope", "x"], [-1.5]),
    "bold": [None, [], {}],
    "history": WRONG,
    "norms": [None, {}],
    "queries": [[]],
    "seed": [None, -1.5, np.nan],
    "title": [wrong for wrong in WRONG if wrong != ODD],
}
CASES = [
    pytest.param(f, right, name, id=f"{getattr(f, '__name__', 'f')}-{name}")
    for f, right in RIGHT
    for name in right
]


@pytest.mark.parametrize(("function", "right"), RIGHT)
def test_right_arguments_are_taken(function, right):
    function(**right)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("function", "right", "name"), CASES)
def test_a_wrong_argument_is_named_with_what_is_expected(function, right, name):
    # ``record``'s error for a function's result doesn't name an argument.
    start = rf"^['\"]?({'|'.join(right)})\b[^:]*: |^the function returned"
    for wrong in WRONG:
        try:
            function(**{**right, name: wrong})
        except (TypeError, ValueError, KeyError) as error:
            assert re.search(start, str(error)), (wrong, error)
            assert "expected" in str(error), (wrong, error)
        else:
            assert wrong in TAKEN.get(name, []), wrong
        plt.close("all")

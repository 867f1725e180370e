"""comp551ad: a lecture on gradients and automatic differentiation that runs.

Two independent witnesses work out every gradient: ``byhand`` as the lecture derives it, and
``autodiff`` by recording the computation. A third, ``gradcheck``, asks finite differences.
``show`` turns what they did into formulas, tables, graphs and players.

The names below are found when they are first used, so that importing the package costs little
more than NumPy.
"""

import importlib

_HOME = {
    "functions": "logistic relu softmax softplus logsumexp",
    "datasets": "load_iris load_digits",
    "gradcheck": "check_gradient",
    "differences": "finite_difference",
    "byhand.two_layer": "cost gradients TwoLayer accuracy",
    "byhand.descent": "gradient_descent descend",
    "autodiff.refusals": "TraceError",
    "autodiff.trace": "record forward reverse Trace Node",
    "autodiff.program": "write_gradient write_value",
    "autodiff.transforms": "grad value_and_grad jvp vjp jacobian hessian",
    "show": "graph_view table_view",
    "show.plots": "plot_decision_boundary plot_learning_curve plot_paths figure_html",
    "show.scenes": "PicturePlayer descent_player difference_player symmetry_player "
    "depth_player batch_norm_player path_player",
    "show.steppers": "ForwardStepper ReverseStepper ModesStepper",
}
# What these give shows itself as a graph and a table, which `show` teaches them.
_SHOWN = {"autodiff.trace"}
_HOME_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__version__ = "0.1.0"
__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"module 'comp551ad' has no attribute {name!r}")
    module = importlib.import_module(f"comp551ad.{_HOME_OF[name]}")
    if _HOME_OF[name] in _SHOWN:
        importlib.import_module("comp551ad.show")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__():
    return sorted({*globals(), *__all__})

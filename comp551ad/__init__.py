"""comp551ad: a runnable lecture on gradients and automatic differentiation.

Two independent witnesses compute every gradient: ``byhand`` as the lecture derives it, and
``autodiff`` by recording the computation. A third, ``gradcheck``, compares them with finite
differences. ``show`` presents the computation as formulas, tables, graphs and players.

The public names and their modules are listed once, in ``__init__.pyi``, which editors and type
checkers read. Each name is imported on first use, which keeps ``import comp551ad`` fast.
"""

import ast
import importlib
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

# Objects from these modules display as a graph and a table once `show` is imported.
_SHOWN = {"autodiff.trace"}
_LIST = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
_HOME_OF = {
    imported.name: line.module
    for line in _LIST.body
    if isinstance(line, ast.ImportFrom)
    for imported in line.names
}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'comp551ad' has no attribute {name!r}")
    module = importlib.import_module(f"comp551ad.{_HOME_OF[name]}")
    if _HOME_OF[name] in _SHOWN:
        importlib.import_module("comp551ad.show")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

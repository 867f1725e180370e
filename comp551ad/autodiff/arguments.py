"""Arguments of a call: which ones there are, which one is meant, and f called with tracers.

A call may use keywords, defaults and ``*args``; arguments may be containers. Here each argument
gets a name, so that ``record``, ``grad`` and ``write_gradient`` mean the same one by the same word.

Reads: ``tape``, ``pytrees``. Read by: ``trace``, ``transforms``, ``program``.
"""

import inspect
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp551ad import pytrees

from .tape import Tracer


@dataclass
class Call:
    """A call of f with its arguments by name, each in a slot of its own.

    The slots are in the order of f's parameters; each of f's ``*args`` has one ("xs[0]"), unless
    the parameter is in ``whole``.
    """

    f: Any
    bound: inspect.BoundArguments
    slots: dict[str, Any]
    star: str | None

    @classmethod
    def of(cls, f, args, kwargs, whole=()) -> "Call":
        """Bind the arguments; errors are f's own TypeError."""
        signature = signature_of(f)
        bound = signature.bind(*args, **kwargs)
        kinds = {name: p.kind for name, p in signature.parameters.items()}
        slots, star = {}, None
        for name, kind in kinds.items():
            if kind is inspect.Parameter.VAR_POSITIONAL and name not in whole:
                star = name
        for name, value in bound.arguments.items():
            if name == star:
                slots |= {f"{name}[{k}]": each for k, each in enumerate(value)}
            else:
                slots[name] = value
        return cls(f, bound, slots, star)

    def slot(self, argnum, what: str) -> str:
        """The slot that a position or a name means; ``what`` is what an error calls it.

        Positions count f's parameters, and from the end the arguments of this call.
        """
        if type(argnum) is int:
            order = list(self.slots)
            if argnum >= 0:
                stars = [name for name in order if name.startswith(f"{self.star}[")]
                order = names_by_place(self.f) + stars
            name = order[argnum] if -len(order) <= argnum < len(order) else None
        else:
            name = argnum
        if not isinstance(name, str) or name not in self.slots:
            names = ", ".join(self.slots) or "none"
            raise TypeError(
                f"{what}: got {argnum!r}, expected one of {names} (the arguments of this "
                "call), or the position of one of them"
            )
        return name

    def trace(self, add_input, slots=None) -> list[str]:
        """Replace every number in the slots (all, or some) by ``add_input`` of it; their names."""
        names = []
        for slot in self.slots if slots is None else slots:
            tree, leaves = self.slots[slot], []
            for name, leaf in zip(
                pytrees.leaf_names(tree, slot), pytrees.leaves(tree), strict=True
            ):
                if slots is not None or is_number(leaf):
                    leaf = add_input(leaf, name)
                    names.append(name)
                leaves.append(leaf)
            self.slots[slot] = pytrees.unflatten(tree, iter(leaves))
        return names

    def run(self):
        """f of what stands in the slots now."""
        args, kwargs = self._arguments()
        return self.f(*args, **kwargs)

    def run_and_see_locals(self) -> tuple[Any, dict]:
        """Call f, and look at its local variables at the moment it returns.

        A profile function sees every return; nothing else does without touching f.
        """
        code, local = code_of(self.f), {}

        def watch(frame, event, _):
            if event == "return" and frame.f_code is code:
                local.clear()
                local.update(frame.f_locals)

        args, kwargs = self._arguments()
        before = sys.getprofile()
        sys.setprofile(watch)
        try:
            result = self.f(*args, **kwargs)
        finally:
            sys.setprofile(before)
        return result, local

    def _arguments(self):
        arguments = dict.fromkeys(self.bound.arguments, ())
        for name, value in self.slots.items():
            if name in arguments:
                arguments[name] = value
            else:
                arguments[self.star] = (*arguments[self.star], value)
        self.bound.arguments.update(arguments)
        return self.bound.args, self.bound.kwargs


def signature_of(f) -> inspect.Signature:
    """The parameters of ``f``; built-in functions may not have any to show. A decorator's
    ``(*args, **kwargs)`` says nothing: then those of the function in it."""
    anything = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    try:
        own = inspect.signature(f, follow_wrapped=False)
        if all(p.kind in anything for p in own.parameters.values()):
            return inspect.signature(f)
        return own
    except (TypeError, ValueError):
        return inspect.signature(lambda *x, **options: None)


def names_by_place(f) -> list[str]:
    """The parameters of ``f`` that can be given by position, one by one."""
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [p.name for p in signature_of(f).parameters.values() if p.kind in kinds]


def code_of(f):
    """The code that f's own lines were compiled to."""
    function = inspect.unwrap(f)
    function = getattr(function, "__func__", function)  # of a method
    if not hasattr(function, "__code__"):
        function = type(f).__call__
    return getattr(function, "__code__", None)


def is_number(value) -> bool:
    """Whether a recording takes ``value`` as an input: a real number, or an array of any kind
    (complex ones and the like are then refused by name)."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind != "b"
    return type(value) is Tracer or (
        isinstance(value, int | float | complex | np.number)
        and not isinstance(value, bool)
    )

"""Arguments of a call: name them, select them, and call f with tracers.

A call may use keywords, defaults and ``*args``; arguments may be containers. Each argument gets a
name, so that ``record``, ``grad`` and ``write_gradient`` select arguments in the same way.
"""

import contextlib
import functools
import inspect
import io
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from comp551ad import pytrees

from .data import Origin, as_data
from .refusals import TraceError, this_thread
from .tape import Tracer, concrete


@dataclass
class Call:
    """A call of f with its arguments by name, one slot per argument.

    The slots are in the order of f's parameters. Each of f's ``*args`` has its own ("xs[0]"),
    unless the parameter is in ``whole``; ``star`` is the name of that parameter. ``given`` holds
    the original arguments.
    """

    f: Any
    bound: inspect.BoundArguments
    slots: dict[str, Any]
    star: str | None
    given: dict[str, Any] = field(init=False)

    def __post_init__(self):
        self.given = dict(self.slots)

    @classmethod
    def of(cls, f: Callable, args: tuple, kwargs: dict, whole: Any = ()) -> "Call":
        """Bind the arguments; raises the same TypeError as a call of f would."""
        signature = signature_of(f)
        bound = signature.bind(*args, **kwargs)
        slots: dict[str, Any] = {}
        star = None
        for name, p in signature.parameters.items():
            if p.kind is p.VAR_POSITIONAL and name not in whole:
                star = name
        for name, value in bound.arguments.items():
            if name == star:
                slots |= {f"{name}[{k}]": each for k, each in enumerate(value)}
            else:
                slots[name] = value
        return cls(f, bound, slots, star)

    def slot(self, argnum: Any, what: str) -> str:
        """The slot for a position or a name; errors use ``what``.

        Positions count f's parameters; negative ones count the arguments of this call.
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

    def several(self, argnums: tuple) -> list[str]:
        """The slots for several positions and names, which must be distinct."""
        slots = [self.slot(argnum, "argnum") for argnum in argnums]
        if len(set(slots)) != len(slots):
            raise TypeError(
                f"argnum: got {argnums}, an argument named twice; name each once"
            )
        return slots

    def trace(self, add_input: Callable, tape: Any, kinds: str) -> list[str]:
        """Replace every number in the slots by ``add_input(number, name)``, and arrays of these
        kinds ("iub": integers and truth values) by ``Data``; return the names of the numbers.
        With "n" single integers are left unchanged."""
        names = []

        def traced(leaf, name):
            if is_data(leaf, kinds):
                return as_data(leaf, Origin(None, (name,), {}, tape))
            if stays(leaf, kinds):
                return leaf
            names.append(name)
            return add_input(leaf, name)

        for slot, tree in self.slots.items():
            leaves = pytrees.leaves(tree), pytrees.leaf_names(tree, slot)
            self.slots[slot] = pytrees.unflatten(tree, map(traced, *leaves))
        return names

    def arguments(self, slots: dict) -> dict[str, Any]:
        """Parameter -> the value of its slot, or slots."""
        found: dict[Any, Any] = dict.fromkeys(self.bound.arguments, ())
        for name, value in slots.items():
            if name in found:
                found[name] = value
            else:
                found[self.star] = (*found[self.star], value)
        return found

    def run(self, slots: dict | None = None) -> Any:
        """Call f with the values in the slots."""
        self.bound.arguments.update(self.arguments(slots or self.slots))
        return self.f(*self.bound.args, **self.bound.kwargs)

    def run_plainly(self, kinds: str, traced: Iterable[str]) -> Any:
        """Call f silently with the original arguments, with the numbers in these slots as floats.
        Integer arrays are kept: narrow integers wrap around, and floats don't."""

        def plain(leaf: Any) -> Any:
            if stays(leaf, kinds) or is_data(leaf, "iu" + kinds):
                return leaf
            leaf = concrete(leaf)
            if isinstance(leaf, int | float) and not isinstance(leaf, np.generic):
                return float(leaf)
            numbers = np.array(leaf, dtype=float)
            return numbers if isinstance(leaf, np.ndarray) else numbers[()]

        slots = {name: pytrees.tree_map(plain, self.given[name]) for name in traced}
        with silence():
            return self.run(self.given | slots)

    def check(
        self, result: Any, tape: Any, kinds: str = "", traced: Iterable[str] = ()
    ) -> bool:
        """Raise if the recording's value isn't f's: a type check had a different result, or f
        caught a TraceError and did something else.

        A function that returns a different value each time can't be checked, nor can one that
        doesn't accept plain numbers. A recording inside another one isn't checked separately.

        Returns:
            Whether f returns a different value each time.

        Raises:
            TraceError: the error that f caught, or an error that the values differ.
        """
        if this_thread.tape is not None:
            return False

        def agree(a, b):
            # The rows are inspected only if the values differ.
            return _agree(a, b, 0.0) or _agree(a, b, 1e-13 * _largest(tape.rows))

        changes = False
        try:
            run = functools.partial(self.run_plainly, kinds, traced or [*self.given])
            plain = run()
            right = agree(result, plain)
            changes = not right and not agree(plain, run())
        except TraceError:
            # f differentiates something itself, and the error is about that.
            raise
        except Exception:
            right = tape.refused is None
        if not right and not changes:
            if tape.refused is not None:
                raise TraceError(*tape.refused)
            raise TraceError(
                f"f: the recording gave {concrete(pytrees.leaves(result)[:3])}, but plain numbers "
                f"give {pytrees.leaves(plain)[:3]}; f {_SHARES if tape.doubtful else _ASKS}"
            )
        return changes


# Possible reasons why a recording's value differs from f's.
_SHARES = (
    "changes an array in place that shares memory with another one, in a way that a recording "
    "can't follow: write a = a + b, or change a copy"
)
_ASKS = (
    "checks the type of its arguments, such as type(x) is float: compare shapes instead, "
    "np.ndim(x) == 0; or integers, which are traced as floats, wrap around: pass x.astype(float)"
)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Suppress output and warnings: f has run before and has shown them already."""
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield


def by_place(f: Callable, argnum: Any) -> Any:
    """An argnum with names replaced by positions where the parameters have one.

    Raises:
        TypeError: it isn't a position, a name or a tuple of them.
    """
    several = argnum if isinstance(argnum, tuple) else (argnum,)
    for a in several:
        if isinstance(a, bool) or not isinstance(a, int | str):
            raise TypeError(
                f"argnum: got {a!r}, expected a position (0 is the first), a "
                "parameter's name, or a tuple of them"
            )
    by_name = any(isinstance(a, str) for a in several)
    places = {name: k for k, name in enumerate(names_by_place(f) if by_name else ())}
    several = tuple(places.get(a, a) for a in several)
    return several if isinstance(argnum, tuple) else several[0]


def name_of(f: Callable, args: tuple, kwargs: dict, value: Any) -> str:
    """The expression that selects a value from the arguments: params['W']."""
    try:
        slots = Call.of(f, args, kwargs).slots
    except TypeError:  # invalid arguments: the call of f will raise
        slots = {f"argument {k}": tree for k, tree in enumerate(args)}
    for slot, tree in slots.items():
        names = pytrees.leaf_names(tree, slot)
        for name, leaf in zip(names, pytrees.leaves(tree), strict=True):
            if leaf is value:
                return name
    raise LookupError(value)


# Since Python 3.14 annotations are evaluated on access, and may contain undefined names.
_UNREAD: dict[str, Any] = {}
if sys.version_info >= (3, 14):
    from annotationlib import Format

    _UNREAD = {"annotation_format": Format.STRING}


def signature_of(f: Callable) -> inspect.Signature:
    """The parameters of ``f``; built-in functions may have no signature. If a decorator's is just
    ``(*args, **kwargs)``, that of the wrapped function is used."""
    anything = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    try:
        own = inspect.signature(f, follow_wrapped=False, **_UNREAD)
        if all(p.kind in anything for p in own.parameters.values()):
            return inspect.signature(f, **_UNREAD)
        return own
    except (TypeError, ValueError):
        return inspect.signature(lambda *x, **options: None)


def names_by_place(f: Callable) -> list[str]:
    """The parameters of ``f`` that can be passed by position, except ``*args``."""
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [p.name for p in signature_of(f).parameters.values() if p.kind in kinds]


def code_of(f: Callable) -> Any:
    """The code object of f itself, without decorators."""
    function = inspect.unwrap(f)
    function = getattr(function, "__func__", function)  # of a method
    if not hasattr(function, "__code__"):
        function = type(f).__call__
    return getattr(function, "__code__", None)


def is_number(value: Any) -> bool:
    """Whether a recording takes ``value`` as an input: a number, or an array of anything except
    truth values and strings (complex numbers and the like raise an error later)."""
    if type(value) is Tracer:
        return True
    if isinstance(value, np.ndarray):
        return value.dtype.kind not in "bUS"
    kinds = int | float | complex | np.number
    return isinstance(value, kinds) and not isinstance(value, bool)


def is_data(value: Any, kinds: str = "iub") -> bool:
    """Whether ``value`` is an array of integers or truth values: labels, indices, a mask."""
    is_array = issubclass(type(value), np.ndarray) and value.ndim > 0
    return is_array and value.dtype.kind in kinds


def stays(value: Any, kinds: str) -> bool:
    """Whether a recording passes ``value`` unchanged: not a number, or an index (see ``trace``)."""
    is_index = "n" in kinds and isinstance(value, int)
    return is_index or not is_number(value)


def with_integers(record: Callable, values: Iterable) -> Any:
    """Try ``record("b")``, with integers as numbers; then ``record("iub")``, with integer arrays as
    labels or indices; then ``record("iubn")``, with single integers left unchanged, such as the n
    of np.arange(n) or a seed."""
    leaves = pytrees.leaves(list(values))
    numbers = [leaf for leaf in leaves if is_number(leaf) and not is_data(leaf)]
    single = [stays(leaf, "n") for leaf in numbers]
    ways = ["b"]
    ways += ["iub"] * any(is_data(leaf, "iu") for leaf in leaves)
    ways += ["iubn"] * (any(single) and not all(single))
    for kinds in ways[:-1]:
        with contextlib.suppress(Exception):  # NumPy also raises for floats as indices
            return record(kinds)
    return record(ways[-1])


def _largest(rows):
    """The largest number in a recording, except for those that dwarf its inputs, such as the -1e30
    of a mask."""
    sizes = [(row[0], np.abs(np.ravel(concrete(row[1])))) for row in rows]
    inputs = np.concatenate([[1.0], *(x for name, x in sizes if name == "input")])
    every = np.concatenate([[0.0], *(x for _, x in sizes)])
    return np.max(every, initial=0.0, where=every < 1e13 * np.max(inputs))


def _agree(result, plain, rounding):
    """Whether a recorded result equals the function's value for plain numbers, to float32
    precision, since f may compute in float32."""
    if not pytrees.same_structure(result, plain):
        return False
    pairs = zip(pytrees.leaves(result), pytrees.leaves_like(plain, result), strict=True)
    return all(_near(concrete(a), concrete(b), rounding) for a, b in pairs)


def _near(a, b, rounding):
    try:
        a = np.asarray(a, dtype=float)
        if np.iscomplexobj(b) and np.any(np.isnan(a)):
            return True  # plain numbers became complex, where a recording has nan
        b = np.asarray(np.real(b), dtype=float)
    except (TypeError, ValueError):
        return True  # not numbers: raises elsewhere
    near = rounding + 1e-8 * np.max(np.abs(b), initial=0.0, where=np.isfinite(b))
    return a.shape == b.shape and np.allclose(a, b, 1e-5, near, equal_nan=True)

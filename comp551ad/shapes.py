"""Shapes and numbers: declared next to the parameters, checked in one place.

    @shapes(X="N D", V="D M", W="M C", Y="N C")
    def cost(X, Y, W, V): …

A letter is a length, the same wherever it occurs; the first array declared with it sets it. The
function receives arrays that match, and are real and finite; what it returns is checked to be
finite too. For tracers only the shapes are checked.
"""

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np

Array: TypeAlias = np.ndarray
_REAL, _CONTAINERS = (Array, float, np.floating), (list, tuple)
Function = TypeVar("Function", bound=Callable[..., Any])
# "N D", a sequence of these for a container, or a function of self and all arguments that
# returns one.
Axes: TypeAlias = Any


class NotFiniteError(ValueError, FloatingPointError):
    """An argument contains nan or inf, or the computation overflowed."""


def shapes(**declared: Axes) -> Callable[[Function], Function]:
    """Declare the shapes of a function's arrays by parameter name.

    Lists become arrays, and integers floats. An argument with default None may be None.

    Args:
        **declared: the letters of each axis, such as ``X="N D"``; ``M+output_bias`` adds an
            attribute of self.

    Raises:
        ValueError: an argument has the wrong shape, isn't real or is empty.
        NotFiniteError: an argument contains nan or inf, or the computation overflows.
    """

    def decorate(f: Function) -> Function:
        signature = inspect.signature(f)
        names = list(signature.parameters)
        places = [names.index(name) for name in declared]
        # (self, the arrays' types and shapes) of the last valid call: each step of a descent has
        # the same, and skips the checks.
        last: tuple = (None, None)

        def forms(args: Sequence) -> list | None:
            try:
                return [_form(args[k]) for k in places]
            except AttributeError:
                return None

        def fitted(args: tuple) -> tuple:
            given = {name: args[k] for name, k in zip(declared, places, strict=True)}
            for name in declared:
                if given[name] is signature.parameters[name].default is None:
                    del given[name]
            fitting = fit(declared, given, args[0])
            return tuple(fitting.get(*pair) for pair in zip(names, args, strict=False))

        @functools.wraps(f)
        def checked(*args: Any, **kwargs: Any) -> Any:
            nonlocal last
            if kwargs or len(args) != len(names):
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                args, kwargs = bound.args, bound.kwargs
            owner = args[0] if names[0] == "self" else None
            found = forms(args)
            if found is None or owner is not last[0] or found != last[1]:
                args = fitted(args)
                last = owner, forms(args)
            try:
                result = f(*args, **kwargs)
            except NotFiniteError:
                # Raised by another declared function inside f.
                require_finite(names, args)
                raise
            require_finite(names, args)
            if not _is_finite(result):
                raise NotFiniteError(
                    f"{f.__name__}: got nan or inf from finite {', '.join(declared)}, "
                    "expected finite numbers; scale the inputs (standardize X) or the weights "
                    "down"
                )
            return result

        return cast(Function, checked)

    return decorate


def _form(x: Any) -> tuple | None:
    """The type, dtype and shape of an array, or of each array in a container."""
    if x is None:
        return None
    if issubclass(type(x), _CONTAINERS):
        return tuple([_form(part) for part in x])
    return type(x), x.dtype, x.shape


def fit(
    declared: Mapping[str, Axes], given: Mapping[str, Any], owner: Any = None
) -> dict[str, Any]:
    """The given arrays as float arrays, after checking their shapes against the declared ones.

    Raises:
        ValueError: a shape conflicts with an earlier one; the message names the array.
    """
    # letter -> its length, and the array and axis that set it
    sizes: dict[str, tuple[int, str, int]] = {}

    def length(letter: str) -> int | None:
        if letter in sizes:
            return sizes[letter][0]
        first, _, more = letter.partition("+")
        known = length(first) if more else None
        return None if known is None else known + int(getattr(owner, more))

    def fitted(name: str, axes: Axes, A: Any) -> Any:
        if callable(axes):
            axes = axes(owner, given)
        if not isinstance(axes, str):
            got = len(A) if hasattr(A, "__len__") else A
            if got != len(axes):
                raise ValueError(
                    f"{name}: got {got}, expected {len(axes)} arrays; give one for each of "
                    f"{axes}"
                )
            parts = enumerate(zip(axes, A, strict=True))
            return [fitted(f"{name}[{k}]", *part) for k, part in parts]
        A, letters = as_floats(name, A), axes.split()
        expected = [length(letter) for letter in letters]
        if (
            len(A.shape) != len(letters)
            or 0 in A.shape
            or any(e not in (None, n) for e, n in zip(expected, A.shape, strict=True))
        ):
            raise ValueError(_misfit(name, A.shape, letters, expected, sizes))
        for axis, letter in enumerate(letters):
            sizes.setdefault(letter, (A.shape[axis], name, axis))
        return A

    return {name: fitted(name, declared[name], A) for name, A in given.items()}


def _misfit(
    name: str, shape: tuple, letters: list[str], expected: list, sizes: Mapping
) -> str:
    text = f"{name}: got shape {shape}, expected {' x '.join(letters)}"
    if any(expected):
        lengths = [
            str(e or letter) for e, letter in zip(expected, letters, strict=True)
        ]
        text += f" = {' x '.join(lengths)}"
    shared = [letter.partition("+")[0] for letter in letters]
    known = [f"{m} as in {sizes[m][1]}" for m in dict.fromkeys(shared) if m in sizes]
    if known:
        text += f", with {' and '.join(known)}"
    advice = "make the lengths that share a letter equal"
    if len(shape) == 1 < len(letters):
        advice = (
            f"one row is {name}[None], one column {name}[:, None], and labels become "
            f"one-hot rows with np.eye(C)[{name}]"
        )
    elif len(shape) != len(letters) or 0 in shape:
        advice = "keep all axes, even of length 1, and none of length 0"
    elif all(e in (None, n) for e, n in zip(expected, shape[::-1], strict=True)):
        advice = f"write {name}.T"
    # The inner length of a matrix product: columns there, rows here.
    elif sizes.get(shared[0], (0, "", 0))[2] == 1 and abs(shape[0] - expected[0]) == 1:
        advice = "did you forget the bias, a column of ones?"
    return f"{text}; {advice}"


def require_finite(names: Sequence[str], several: Sequence[Any]) -> None:
    """Raise for nan or inf in arrays, numbers and containers of them; the error names the entry."""
    if _is_finite(several):
        return
    name, x = next(
        pair for pair in zip(names, several, strict=False) if not _is_finite(pair[1])
    )
    if issubclass(type(x), _CONTAINERS):
        require_finite([f"{name}[{i}]" for i in range(len(x))], x)
    bad = np.argwhere(~np.isfinite(x))
    raise NotFiniteError(
        f"{name}{bad[0].tolist() or ''}: got {np.asarray(x)[*bad[0]]} ({len(bad)} such), "
        "expected finite numbers; clean the data, or take smaller steps"
    )


def _is_finite(x: Any) -> bool:
    """Whether there is no nan or inf; tracers are not checked."""
    # isinstance sees a tracer's __class__, the class of its value, so use type.
    if issubclass(type(x), _REAL):
        # A third of the time of np.isfinite. May overflow, without a warning.
        return math.isfinite(np.vdot(x, x)) or bool(np.isfinite(x).all())
    return not issubclass(type(x), _CONTAINERS) or all(map(_is_finite, x))


# ---- single arguments ----------------------------------------------------------------


def as_floats(name: str, A: Any) -> Any:
    """A as an array of floats; tracers are returned unchanged.

    Raises:
        ValueError: A is ragged, masked, complex, or not an array of numbers.
    """
    if not issubclass(type(A), Array) and hasattr(A, "__array_function__"):
        return A
    try:
        array = np.asanyarray(A)
    except ValueError:
        array = np.array(None)
    kind = array.dtype.kind
    if type(array) not in (Array, np.memmap) or kind not in "fiub":
        which = "(no return?)" if A is None else f"of {array.dtype}"
        part = ".real" if kind == "c" else ""
        part = ".filled(0.0)" if isinstance(array, np.ma.MaskedArray) else part
        raise ValueError(
            f"{name}: got {type(A).__name__} {which}, expected a plain array of "
            f"real numbers; convert it, for instance with np.asarray({name}{part}, dtype=float)"
        )
    return array if kind == "f" else array.astype(float)


def as_python(x: Any) -> Any:
    """A NumPy scalar as a Python number; anything else unchanged."""
    return x.item() if isinstance(x, (np.generic, Array)) and x.ndim == 0 else x


def number(
    name: str,
    x: Any,
    least: float = -math.inf,
    most: float = math.inf,
    *,
    above: float = -math.inf,
    whole: bool = False,
) -> Any:
    """One finite real number within bounds, as a float, or as an int if ``whole``.

    Raises:
        ValueError: x is anything else, including True and False.
    """
    value = as_python(x)
    fits = type(value) is int or (type(value) is float and not whole)
    if not (fits and math.isfinite(value) and least <= value <= most and above < value):
        bounds = {"from": least, "to": most, "above": above}
        words = [f"{word} {n:g}" for word, n in bounds.items() if math.isfinite(n)]
        kind = "whole number" if whole else "finite number"
        raise ValueError(f"{name}: got {x!r}, expected a {kind} {' '.join(words)}")
    return value if whole else float(value)


def count(name: str, x: Any, least: int, most: float = math.inf) -> int:
    """One whole number within bounds."""
    return number(name, x, least, most, whole=True)


def one_of(name: str, x: Any, known: Iterable[str]) -> str:
    """One of the known names."""
    if not isinstance(x, str) or x not in known:
        raise ValueError(f"{name}: got {x!r}, expected one of {str([*known])[1:-1]}")
    return x


def as_generator(rng: Any) -> np.random.Generator:
    """A NumPy Generator: the one given, one from a seed, or a fresh random one (None)."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"rng: got {rng!r}, expected a NumPy Generator, a seed such as 0, or None"
        ) from error

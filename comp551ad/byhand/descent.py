"""Gradient descent that records its history and why it stopped (S09).

``gradient_descent`` is the deck's program for the two-layer network; ``descend`` is the same
loop for any gradient. Both return a ``Descent``, which unpacks as the parameters
(``W, V = gradient_descent(…)``) and keeps the history of the run.

Expensive work happens only every ``keep_every`` steps, so that 100,000 small steps take about as
long as in a bare loop.
"""

import math
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import TqdmWarning

from comp551ad.byhand.two_layer import TwoLayer
from comp551ad.shapes import (
    Array,
    as_floats,
    as_generator,
    as_python,
    count,
    number,
    one_of,
    shapes,
)

with warnings.catch_warnings():
    # Without ipywidgets, as in Pyodide, the bar is plain text.
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm

__all__ = ["Descent", "History", "descend", "gradient_descent"]

# The dtypes allowed for gradients: in narrower ones squares overflow or underflow.
NUMBERS = {np.dtype(kind) for kind in (np.float32, np.float64, int)}


@dataclass(frozen=True, eq=False)
class History:
    """The history of K iterates, including the first and the last.

    Attributes:
        iterations: (K,) the number of steps before each.
        cost: (K,) the cost at each, nan if no cost function was given.
        norms: for each gradient, such as "dW": (K,) its Euclidean norm at each.
        iterates: K tuples of parameter arrays, read-only.
    """

    iterations: Array
    cost: Array
    norms: dict[str, Array]
    iterates: list[tuple]

    def __len__(self) -> int:
        return len(self.iterations)

    def __repr__(self) -> str:
        first, last = int(self.iterations[0]), int(self.iterations[-1])
        names = ", ".join(self.norms)
        return f"History({len(self)} iterates from {first} to {last}; norms of {names})"


@dataclass(frozen=True, eq=False)
class Descent:
    """The result of a descent: ``W, V = descent`` unpacks the parameters.

    Attributes:
        parameters: arrays in the order given to ``descend``; writable copies. A parameter without
            axes, such as a number, is a NumPy scalar here and in the history.
        iterations: the number of steps taken.
        reason: "small gradient", "max_iters", "interrupted" or "diverged".
        report: the outcome in a sentence.
    """

    parameters: tuple
    iterations: int
    reason: str
    report: str
    history: History = field(repr=False)

    def __iter__(self) -> Iterator:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    def __getitem__(self, index: Any) -> Any:
        return self.parameters[index]

    def __repr__(self) -> str:
        return f"Descent: {self.report}"


def descend(
    gradient: Callable[..., Any],
    parameters: Any,
    *,
    cost: Callable[..., float] | None = None,
    lr: float = 0.1,
    eps: float = 1e-9,
    max_iters: int = 100_000,
    stop: str = "all",
    names: Sequence[str] | None = None,
    keep_every: int | None = None,
    progress: bool | None = None,
) -> Descent:
    """Repeat p ← p − lr · dp for every parameter p until a stopping rule applies.

    Ctrl-C, or a notebook's stop button, ends the run and returns the current iterate. A gradient
    that is nan, inf or longer than 1e154 ends it as "diverged", at the iterate where it occurred.

    Args:
        gradient: ``gradient(*parameters)`` returns one float array per parameter, in the same
            order and shapes; the arrays it receives are read-only.
        parameters: a tuple (or list) of arrays, or one array; not changed.
        cost: ``cost(*parameters)`` returns a number, for the history only.
        lr: the learning rate, above 0.
        eps: stop once the norm of the gradient used in the last step is <= eps; norms below
            1e-162 count as 0.
        max_iters: the maximum number of steps.
        stop: which norm: "all" for that of all gradients together, or the name of one, such as
            "dW", as in the deck (E21).
        names: names of the parameters for the history; p0, p1, … by default.
        keep_every: keep every k-th iterate in the history; by default about 1000 at most.
        progress: show a progress bar (True) or not (False); by default, show one in a terminal or
            an open notebook on runs longer than a second.

    Raises:
        ValueError: an argument is invalid, or gradient or cost returns something invalid,
            checked whenever an iterate is kept.
    """
    single = not isinstance(parameters, (tuple, list))
    slopes: Callable = (lambda p: (gradient(p),)) if single else gradient
    start = [parameters] if single else parameters
    p = _locked(
        as_floats(f"parameters[{i}]", A).astype(float) for i, A in enumerate(start)
    )
    names = tuple(names or (f"p{i}" for i in range(len(p))))
    if len({*names}) != len(p):
        raise ValueError(f"names: got {names}, expected {len(p)} different ones")
    choices = ["all", *(f"d{name}" for name in names)]
    watched = choices.index(one_of("stop", stop, choices))
    lr, eps = number("lr", lr, above=0), number("eps", eps, 0)
    max_iters = count("max_iters", max_iters, 0)
    default = max(1, -(-max_iters // 1000))
    keep_every = count("keep_every", default if keep_every is None else keep_every, 1)
    kept: list[tuple] = []
    expected = [A.shape for A in p]

    def keep(dp: Sequence) -> None:
        _check_gradients(dp, expected, choices[1:])
        value = math.nan if cost is None else _checked_cost(cost(*p))
        kept.append((t, value, [math.sqrt(np.vdot(dA, dA)) for dA in dp], tuple(p)))

    t, reason = 0, "max_iters"
    # Overflow is reported as "diverged", not as a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            for _ in _bar(max_iters, progress):
                dp = slopes(*p)
                if t % keep_every == 0:
                    keep(dp)
                squares = [np.vdot(dA, dA) for dA in dp]
                if not sum(squares) < math.inf:
                    reason = "diverged"
                    break
                t, p = t + 1, _locked(A - lr * dA for A, dA in zip(p, dp, strict=True))
                if [sum(squares), *squares][watched] <= eps * eps:
                    reason = "small gradient"
                    break
        except KeyboardInterrupt:
            reason = "interrupted"
        # Raised by our own gradients and under np.errstate(all="raise").
        except FloatingPointError:
            if t == 0:
                raise
            reason = "diverged"
        if not kept or kept[-1][0] != t:
            try:
                keep(slopes(*p))
            except FloatingPointError:
                kept.append((t, math.nan, [math.nan] * len(p), tuple(p)))
    iterations, costs, norms, iterates = zip(*kept, strict=True)
    columns = dict(zip(choices[1:], np.array(norms).T, strict=True))
    history = History(np.array(iterations), np.array(costs), columns, list(iterates))
    report = _report(reason, eps, stop, max_iters, history)
    return Descent(tuple(A.copy() for A in p), t, reason, report, history)


@shapes(X="N D", Y="N C")
def gradient_descent(
    X: Array,
    Y: Array,
    M: int,
    lr: float = 0.1,
    eps: float = 1e-9,
    max_iters: int = 100000,
    *,
    rng: Any = None,
    stop: str = "dW",
    network: TwoLayer | None = None,
    keep_every: int | None = None,
    progress: bool | None = None,
) -> Descent:
    """The deck's gradient descent for the two-layer network with M hidden units (S09).

    W (M x C) and V (D x M) start as .01 times standard normal numbers. The stopping rule is the
    slide's, ‖dW‖ <= eps, which ignores dV and in fact is never met on Iris (E21); ``stop="all"``
    uses both.

    Args:
        X: N x D inputs, including a column of ones.
        Y: N x C one-hot labels.
        M: the number of hidden units.
        rng: a NumPy Generator, a seed, or None for a different start each time.
        network: a ``TwoLayer`` for other heads and activations; None for the deck's.
        lr, eps, max_iters, stop, keep_every, progress: as for ``descend``.

    Returns:
        A ``Descent``: ``W, V = gradient_descent(…)``.
    """
    network = TwoLayer() if network is None else network
    M, rng = count("M", M, 1), as_generator(rng)
    W = 0.01 * rng.standard_normal((M + network.output_bias, Y.shape[1]))
    V = 0.01 * rng.standard_normal((X.shape[1], M))
    return descend(
        lambda W, V: network.gradients(X, Y, W, V),
        (W, V),
        cost=lambda W, V: network.cost(X, Y, W, V),
        lr=lr,
        eps=eps,
        max_iters=max_iters,
        stop=stop,
        names=("W", "V"),
        keep_every=keep_every,
        progress=progress,
    )


def _bar(total: int, progress: bool | None) -> tqdm:
    """The range of steps, with a progress bar where a user can see it."""
    with warnings.catch_warnings():
        # Pyodide has no threads for tqdm's monitor.
        warnings.simplefilter("ignore", TqdmWarning)
        return tqdm(
            range(total),
            desc="descent",
            unit="step",
            leave=False,
            delay=0 if progress else 1,
            disable=not (_somebody_watches() if progress is None else progress),
        )


def _somebody_watches() -> bool:
    """Whether this is a terminal, or a notebook whose frontend can answer input().

    A program that executes a notebook can't, and would save the bar in the output.
    """
    if sys.stderr.isatty():
        return True
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return bool(getattr(getattr(shell, "kernel", None), "_allow_stdin", False))


# ---- what gradient and cost return, and the report ------------------------------------


def _locked(arrays: Iterable[Any]) -> list[Any]:
    """Read-only iterates, so that gradient and cost can't change the history; NumPy scalars where
    there are no axes."""
    p = [A[()] for A in arrays]
    for A in p:
        # Positional: twice as fast as write=False.
        A.setflags(False)
    return p


def _check_gradients(dp: Any, expected: list[tuple], names: list[str]) -> None:
    """Raise if gradients don't match the parameters: p − lr · dp would broadcast silently."""
    several = dp if isinstance(dp, (tuple, list, Array)) else [dp]
    kinds = [np.asarray(dA).dtype for dA in several]
    found = [np.shape(dA) for dA in several]
    plain = (float, int, np.floating)
    is_plain = all(type(dA) is Array or isinstance(dA, plain) for dA in several)
    if found != expected or not is_plain or not set(kinds) <= NUMBERS:
        got = ", ".join(map("{} {}".format, kinds, found))
        raise ValueError(
            f"gradient: returned {got}, expected floats of shapes {expected}; return arrays "
            f"{', '.join(names)} in that order"
        )


def _checked_cost(value: Any) -> float:
    if type(as_python(value)) not in (int, float):
        raise ValueError(
            f"cost: returned {value!r}, expected one number; take np.mean over the rows"
        )
    return float(value)


def _report(
    reason: str, eps: float, stop: str, max_iters: int, history: History
) -> str:
    t = int(history.iterations[-1])
    steps = f"{t:,} iteration{'' if t == 1 else 's'}"
    watched = "the gradient" if stop == "all" else stop
    ending = {
        "small gradient": f"stopped after {steps}: ‖{watched}‖ <= {eps:g}",
        "max_iters": f"used all {steps}: ‖{watched}‖ stayed above {eps:g}",
        "interrupted": f"interrupted after {steps} of {max_iters:,}",
        "diverged": f"diverged after {steps}: the gradient is no longer finite; "
        "try a smaller lr",
    }[reason]
    # Few digits: the last ones depend on rounding, and on the machine.
    last = history.cost[-1]
    cost = "" if math.isnan(last) else f"cost {last:.3g}, "
    norms = (f"‖{name}‖ {norm[-1]:.0e}" for name, norm in history.norms.items())
    return f"{ending}; {cost}{', '.join(norms)}"

"""Gradient descent with a memory: what it did, and which rule ended it (S09).

`gradient_descent` is the deck's program for the two-layer network; `descend` is the
same loop for any gradient. Both return a `Descent`, which unpacks as the parameters
(`W, V = gradient_descent(…)`) and keeps the history of the run.

Reads NumPy and `two_layer`; notebooks and tests read it. The loop does nothing but the
gradient, the step and one inner product a parameter, so that 100,000 small steps cost
what a bare loop costs; everything else happens every `keep_every` steps.
"""

import math
import sys
import time
from dataclasses import dataclass, field

import numpy as np

from comp551ad.byhand.two_layer import TwoLayer

__all__ = ["Descent", "History", "descend", "gradient_descent"]

AUTOMATIC_BAR_AFTER = 1.5  # seconds that the whole run is expected to take
LOOK_EVERY = 0.1  # seconds, about, between two looks at the clock


@dataclass(frozen=True, eq=False)
class History:
    """What was kept of K iterates, the first and the last among them.

    iterations  (K,) how many steps led to each
    cost        (K,) the cost there, nan if no cost function was given
    norms       for each gradient, as "dW": (K,) its Euclidean norm there
    iterates    K tuples of parameter arrays
    """

    iterations: np.ndarray
    cost: np.ndarray
    norms: dict
    iterates: list

    def __len__(self):
        return len(self.iterations)

    def __repr__(self):
        first, last = int(self.iterations[0]), int(self.iterations[-1])
        names = ", ".join(self.norms)
        return f"History({len(self)} iterates from {first} to {last}; norms of {names})"


@dataclass(frozen=True, eq=False)
class Descent:
    """The end of a descent: `W, V = descent` unpacks the parameters.

    parameters  tuple of arrays, as given to `descend`
    iterations  steps taken
    reason      "small gradient", "max_iters", "interrupted" or "diverged"
    report      the same in a sentence
    history     a `History`
    """

    parameters: tuple
    iterations: int
    reason: str
    report: str
    history: History = field(repr=False)

    def __iter__(self):
        return iter(self.parameters)

    def __len__(self):
        return len(self.parameters)

    def __getitem__(self, index):
        return self.parameters[index]

    def __repr__(self):
        return f"Descent: {self.report}"


def descend(
    gradient,
    parameters,
    *,
    cost=None,
    lr=0.1,
    eps=1e-9,
    max_iters=100_000,
    stop="all",
    names=None,
    keep_every=None,
    progress=None,
):
    """Repeat p ← p − lr · dp for every parameter p, until a rule says stop.

    gradient(*parameters)  returns one array a parameter, in order and shape
    parameters   a tuple (or list) of arrays, or one array; they are not changed
    cost         cost(*parameters) -> a number, for the history only
    lr           the learning rate, above 0
    eps          stop once the norm of the gradient that made the last step is <= eps
    max_iters    and after that many steps in any case
    stop         which norm: "all", that of all gradients together, or one by its name,
                 such as "dW", as the deck does (E21)
    names        names of the parameters for the history; p0, p1, … unless given
    keep_every   keep each k-th iterate in the history; unless given, at most ~1000
    progress     True shows a bar, False none; None shows one on a run expected to take
                 seconds if someone is there to see it: at a terminal, or at a notebook
                 (but not when a notebook is executed by a program)

    Ctrl-C, or a notebook's stop button, ends the run and returns what was reached.
    Raises ValueError for arguments that don't fit. A gradient that becomes nan, inf or
    beyond 1e154 ends the run as "diverged", at the last iterate before it.
    """
    parameters, single = _as_arrays(parameters)
    names = _check_names(names, parameters)
    _check_numbers(lr, eps, max_iters, keep_every)
    watched = _watched(stop, names)
    if keep_every is None:
        keep_every = max(1, -(-max_iters // 1000))

    book = _Book(gradient, cost, names)
    bar = _Bar(max_iters, progress)
    t, reason, next_keep = 0, "max_iters", 0
    vdot, enough = np.vdot, eps * eps
    # Overflow is looked for below and reported in words, not as warnings.
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            while t < max_iters:
                gradients = gradient(*parameters)
                if single:
                    gradients = (gradients,)
                if t == 0:
                    _check_gradients(gradients, parameters, names)
                squares = [vdot(g, g) for g in gradients]
                total = sum(squares)
                if not total < math.inf:
                    reason = "diverged"
                    break
                if t == next_keep:
                    book.keep(t, parameters, squares)
                    next_keep += keep_every
                steps = zip(parameters, gradients)  # noqa: B905, checked at t = 0
                t, parameters = t + 1, [p - lr * g for p, g in steps]
                if (total if watched is None else squares[watched]) <= enough:
                    reason = "small gradient"
                    break
                if t == bar.next_look:
                    bar.look(t)
        except KeyboardInterrupt:
            reason = "interrupted"
        except FloatingPointError:  # so say our gradients, and np.errstate(all="raise")
            if t == 0:
                raise
            reason = "diverged"
        finally:
            bar.close(t)
        book.close(t, parameters, single)
    report = _report(reason, t, max_iters, eps, stop, book, names)
    return Descent(tuple(parameters), t, reason, report, book.history())


def gradient_descent(
    X,
    Y,
    M,
    lr=0.1,
    eps=1e-9,
    max_iters=100000,
    *,
    rng=None,
    stop="dW",
    network=None,
    keep_every=None,
    progress=None,
):
    """The deck's descent for the two-layer network with M hidden units (S09).

    X  N x D (with its column of ones), Y  N x C one-hot. W (M x C) and V (D x M) start
    as .01 times standard normal numbers from `rng`: a NumPy Generator, a seed, or None
    for a different start each time. Returns a `Descent`: `W, V = gradient_descent(…)`.

    The rule that ends it is the slide's, ‖dW‖ <= eps, which never looks at dV and in
    fact never fires on Iris (E21); stop="all" looks at both. `network` is a `TwoLayer`
    for other heads and activations. The other arguments are those of `descend`.
    """
    network = TwoLayer() if network is None else network
    if isinstance(M, bool) or not isinstance(M, (int, np.integer)) or M < 1:
        raise ValueError(f"M is {M!r}; expected the number of hidden units, 1 or more")
    for name, A, shape in ("X", X, "N x D"), ("Y", Y, "N x C"):
        if np.ndim(A) != 2:
            raise ValueError(
                f"{name} has shape {np.shape(A)}; expected {shape}: pass one row an "
                "instance, labels as one-hot rows"
            )
    X, Y = np.asarray(X), np.asarray(Y)
    rng = np.random.default_rng(rng)
    rows = M + network.output_bias
    W = 0.01 * rng.standard_normal((rows, Y.shape[1]))
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


# ---- the book: what the history keeps ------------------------------------------------


class _Book:
    """Collects the history, and at the end one more entry for the last iterate."""

    def __init__(self, gradient, cost, names):
        self.gradient, self.cost_of, self.names = gradient, cost, names
        self.iterations, self.costs, self.norms, self.iterates = [], [], [], []

    def keep(self, t, parameters, squares):
        # All four or none: a Ctrl-C inside `cost` must not leave half an entry.
        value = math.nan if self.cost_of is None else float(self.cost_of(*parameters))
        norms = [math.sqrt(square) for square in squares]
        self.iterations.append(t)
        self.costs.append(value)
        self.norms.append(norms)
        self.iterates.append(tuple(parameters))

    def close(self, t, parameters, single):
        if self.iterations and self.iterations[-1] == t:
            return
        try:
            gradients = self.gradient(*parameters)
            gradients = (gradients,) if single else gradients
            squares = [float(np.vdot(g, g)) for g in gradients]
            self.keep(t, parameters, squares)
        except FloatingPointError:  # the last iterate of a run that diverged
            self.iterations.append(t)
            self.costs.append(math.nan)
            self.norms.append([math.nan] * len(parameters))
            self.iterates.append(tuple(parameters))

    def history(self):
        columns = np.array(self.norms, dtype=float).T  # one row a parameter
        return History(
            np.array(self.iterations),
            np.array(self.costs),
            {f"d{name}": row for name, row in zip(self.names, columns, strict=True)},
            self.iterates,
        )


def _report(reason, t, max_iters, eps, stop, book, names):
    steps = f"{t:,} iteration{'' if t == 1 else 's'}"
    watched = "the gradient" if stop == "all" else stop
    said = {
        "small gradient": f"stopped after {steps}: ‖{watched}‖ <= {eps:g}",
        "max_iters": f"used all {steps}: ‖{watched}‖ stayed above {eps:g}",
        "interrupted": f"interrupted after {steps} of {max_iters:,}",
        "diverged": f"diverged after {steps}: the gradient is no longer finite; "
        "try a smaller lr",
    }[reason]
    # One or two digits: the last ones hang on rounding, and on the machine.
    cost = "" if math.isnan(book.costs[-1]) else f"cost {book.costs[-1]:.3g}, "
    norms = zip(names, book.norms[-1], strict=True)
    return f"{said}; {cost}" + ", ".join(
        f"‖d{name}‖ {norm:.0e}" for name, norm in norms
    )


# ---- the bar -------------------------------------------------------------------------


class _Bar:
    """A tqdm bar, made only when it is wanted, and looked at a few times a second."""

    def __init__(self, total, wanted):
        self.total, self.wanted, self.bar = total, wanted, None
        self.start = time.perf_counter()
        self.next_look = 0 if wanted is False else 1
        if wanted:
            self._open()

    def look(self, t):
        spent = time.perf_counter() - self.start
        if self.bar is not None:
            self.bar.update(t - self.bar.n)
        elif spent > LOOK_EVERY and spent / t * self.total > AUTOMATIC_BAR_AFTER:
            if not _someone_is_watching():
                self.next_look = 0  # behind us: never looks again
                return
            self._open()
        self.next_look = t + max(1, int(t * LOOK_EVERY / max(spent, LOOK_EVERY / 15)))

    def _open(self):
        from tqdm.auto import tqdm

        self.bar = tqdm(total=self.total, desc="descent", unit="step", leave=False)

    def close(self, t):
        if self.bar is not None:
            self.bar.update(t - self.bar.n)
            self.bar.close()


def _someone_is_watching():
    """At a terminal, or at a notebook whose front end could answer an input().

    A program that executes a notebook can't, and there a bar would only end up in the
    saved output.
    """
    if sys.stderr.isatty():
        return True
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return bool(getattr(getattr(shell, "kernel", None), "_allow_stdin", False))


# ---- what is wrong with the arguments ------------------------------------------------


def _as_arrays(parameters):
    """The parameters as a tuple of float arrays of our own, and whether it was one."""
    single = not isinstance(parameters, (tuple, list))
    arrays = []
    for i, p in enumerate((parameters,) if single else parameters):
        p = np.asarray(p)
        if p.dtype.kind not in "fiub":
            raise ValueError(
                f"parameters[{i}] holds {p.dtype}; expected real numbers: pass arrays "
                "of floats, in a tuple if there are several"
            )
        arrays.append(p.astype(float))
    if not arrays:
        raise ValueError("parameters is empty; expected at least one array")
    return tuple(arrays), single


def _check_names(names, parameters):
    if names is None:
        names = [f"p{i}" for i in range(len(parameters))]
    names = tuple(names)
    if len(set(names)) != len(parameters):
        raise ValueError(
            f"names is {names}; expected {len(parameters)} different names, one "
            "for each parameter"
        )
    return names


def _check_numbers(lr, eps, max_iters, keep_every):
    if not 0 < lr < math.inf:
        raise ValueError(f"lr is {lr!r}; expected a number above 0: .1 is the deck's")
    if not 0 <= eps < math.inf:
        raise ValueError(f"eps is {eps!r}; expected 0 or more: 1e-9 is the deck's")
    for name, value, least in (
        ("max_iters", max_iters, 0),
        ("keep_every", keep_every, 1),
    ):
        if name == "keep_every" and value is None:
            continue
        if not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(
                f"{name} is {value!r}; expected a number of steps, {least} or more"
            )


def _watched(stop, names):
    """The position of the gradient that the stop rule looks at, None for all."""
    if stop == "all":
        return None
    known = [f"d{name}" for name in names]
    if stop not in known:
        choices = ", ".join(repr(name) for name in ["all", *known])
        raise ValueError(f"stop is {stop!r}; choose one of {choices}")
    return known.index(stop)


def _check_gradients(gradients, parameters, names):
    shapes = [np.shape(g) for g in gradients]
    expected = [p.shape for p in parameters]
    if shapes != expected:
        raise ValueError(
            f"gradient returned arrays of shapes {shapes}; expected {expected}, one "
            f"for each of {', '.join(names)}: return them in that order"
        )

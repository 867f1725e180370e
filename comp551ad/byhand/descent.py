"""Gradient descent with a memory: what it did, and which rule ended it (S09).

`gradient_descent` is the deck's program for the two-layer network; `descend` is the
same loop for any gradient. Both return a `Descent`, which unpacks as the parameters
(`W, V = gradient_descent(…)`) and keeps the history of the run.

Reads `checks` and `two_layer`; notebooks and tests read it. The loop does nothing but the
gradient, the step, one inner product a parameter and a lock on it, so that 100,000
small steps cost what a bare loop costs; everything else happens every `keep_every` steps.
"""

import math
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from comp551ad.arguments import as_generator, is_count, is_number
from comp551ad.byhand.checks import (
    real_array,
)
from comp551ad.byhand.two_layer import TwoLayer

__all__ = ["Descent", "History", "descend", "gradient_descent"]

AUTOMATIC_BAR_AFTER = 1.5  # seconds that the whole run is expected to take
LOOK_EVERY = 0.1  # seconds, about, between two looks at the clock
TINY = 1e-290  # a square below this has lost digits, or all of them
FLOATS = (np.float32, np.float64, np.longdouble)  # of a gradient: float16 is too small


@dataclass(frozen=True, eq=False)
class History:
    """What was kept of K iterates, the first and the last among them.

    iterations  (K,) how many steps led to each
    cost        (K,) the cost there, nan if no cost function was given
    norms       for each gradient, as "dW": (K,) its Euclidean norm there
    iterates    K tuples of parameter arrays, read-only: a record isn't changed
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

    parameters  tuple of arrays, as given to `descend`; yours to change. What had no
                axes, such as a number, is a NumPy number here and in the history
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

    gradient(*parameters)  returns one array of floats a parameter, in order and shape;
                 what it is given is read-only
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
    Raises ValueError for arguments that don't fit, and for a gradient or cost that
    changes what it is given or returns what doesn't fit: looked at as often as an
    iterate is kept, and at the end. A gradient that becomes nan, inf or
    beyond 1e154 ends the run as "diverged", at the last iterate before it.
    """
    parameters, single = _as_arrays(parameters)
    names = _check_names(names, parameters)
    _check_function("gradient", gradient)
    if cost is not None:
        _check_function("cost", cost)
    _check_numbers(lr, eps, max_iters, keep_every)
    lr, eps, max_iters = float(lr), float(eps), int(max_iters)  # not in 8 or 16 bits
    watched = _watched(stop, names)
    keep_every = int(keep_every or max(1, -(-max_iters // 1000)))

    book = _Book(gradient, cost, names, parameters)
    bar = _Bar(max_iters, progress)
    t, reason, next_keep = 0, "max_iters", 0
    square, enough = np.vdot, eps * eps
    # Overflow is looked for below and reported in words, not as warnings.
    with np.errstate(over="ignore", invalid="ignore"), _writing_explained():
        try:
            while t < max_iters:
                gradients = gradient(*parameters)
                if single:
                    gradients = (gradients,)
                if t == next_keep:
                    book.check(t, parameters, gradients)
                    square = _square_of(gradients)
                squares = [square(g, g) for g in gradients]
                total = sum(squares)
                if not total < math.inf:
                    squares = [_wide_square(g, g) for g in gradients]
                    total = sum(squares)  # float32 may have come since the last look
                    if not total < math.inf:
                        reason = "diverged"
                        break
                if t == next_keep:
                    book.keep(t, parameters, gradients, squares)
                    next_keep += keep_every
                steps = zip(parameters, gradients)  # noqa: B905, `check` looks at it
                t, parameters = t + 1, [p - lr * g for p, g in steps]
                for p in parameters:
                    p.setflags(False)  # write=False, which takes twice as long
                small = total if watched is None else squares[watched]
                if small <= enough or small < TINY:
                    seen = gradients if watched is None else [gradients[watched]]
                    if not small < TINY or math.hypot(*map(_norm, seen)) <= eps:
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
    parameters = tuple(p.copy() for p in parameters)
    return Descent(parameters, t, reason, report, book.history())


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
    if not isinstance(network, TwoLayer):
        raise ValueError(
            f"network is {network!r}; expected a TwoLayer, such as "
            "TwoLayer('multiclass', 'tanh'), or None for the deck's"
        )
    if not is_count(M, 1):
        raise ValueError(f"M is {M!r}; expected the number of hidden units, 1 or more")
    X, Y = real_array("X", X), real_array("Y", Y)
    for name, A, shape in ("X", X, "N x D"), ("Y", Y, "N x C"):
        if A.ndim != 2:
            raise ValueError(
                f"{name} has shape {A.shape}; expected {shape}: pass one row an "
                "instance, labels as one-hot rows"
            )
    rng = as_generator(rng)
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

    def __init__(self, gradient, cost, names, start):
        self.gradient, self.cost_of, self.names = gradient, cost, names
        self.shapes = [p.shape for p in start]
        self.iterations, self.costs, self.norms, self.iterates = [], [], [], []

    def check(self, t, parameters, gradients):
        """Refuse what doesn't fit the start: p − lr · dp would broadcast, unseen."""
        _check_gradients(gradients, self.shapes, self.names)
        shapes = [p.shape for p in parameters]
        if shapes != self.shapes:
            raise ValueError(
                f"gradient returned arrays that made the parameters {shapes} within "
                f"{t} steps; expected {self.shapes}, as at the start: return the same "
                "shapes at every step"
            )

    def keep(self, t, parameters, gradients, squares):
        # All four or none: a Ctrl-C inside `cost` must not leave half an entry.
        value = math.nan if self.cost_of is None else _cost(self.cost_of, parameters)
        pairs = zip(gradients, squares, strict=True)
        norms = [math.sqrt(s) if not s < TINY else _norm(g) for g, s in pairs]
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
            self.check(t, parameters, gradients)
            squares = [float(_wide_square(g, g)) for g in gradients]
            self.keep(t, parameters, gradients, squares)
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


# ---- squares and norms ---------------------------------------------------------------


def _square_of(gradients):
    """What squares a gradient: np.vdot, unless one of them is in float32."""
    narrow = any(np.asarray(g).dtype == np.float32 for g in gradients)
    return _wide_square if narrow else np.vdot


def _wide_square(g, _):
    """‖g‖², not in float32, whose squares overflow and vanish early."""
    g = np.asarray(g)
    g = g.astype(np.result_type(g, float), copy=False)
    return np.vdot(g, g)


def _norm(g):
    """‖g‖, also where its square would vanish."""
    g = np.asarray(g)
    largest = np.max(np.abs(g), initial=0)
    if not largest:
        return 0.0
    with np.errstate(under="ignore"):
        share = g.astype(np.result_type(g, float)) / largest
    return float(largest) * math.sqrt(np.vdot(share, share))


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
    """The parameters as a tuple of locked arrays of our own, and whether it was one."""
    single = not isinstance(parameters, (tuple, list))
    arrays = []
    for i, p in enumerate((parameters,) if single else parameters):
        p = real_array(f"parameters[{i}]", p).astype(float)
        p.setflags(write=False)
        arrays.append(p[()])  # a number where there are no axes, as each step makes one
    if not arrays:
        raise ValueError("parameters is empty; expected at least one array")
    return tuple(arrays), single


def _check_names(names, parameters):
    if names is None:
        return tuple(f"p{i}" for i in range(len(parameters)))
    given = names if isinstance(names, (tuple, list)) else ()
    different = {name for name in given if isinstance(name, str)}
    if not len(given) == len(different) == len(parameters):
        raise ValueError(
            f"names is {names!r}; expected {len(parameters)} different names, one "
            "for each parameter: write them as strings in a tuple"
        )
    return tuple(names)


def _check_function(name, f):
    if not callable(f):
        raise ValueError(
            f"{name} is {f!r}; expected a function of the parameters: for more "
            "arguments write lambda W, V: f(X, Y, W, V)"
        )


def _check_numbers(lr, eps, max_iters, keep_every):
    if not (is_number(lr) and 0 < lr < math.inf):
        raise ValueError(f"lr is {lr!r}; expected a number above 0: .1 is the deck's")
    if not (is_number(eps) and 0 <= eps < math.inf):
        raise ValueError(f"eps is {eps!r}; expected 0 or more: 1e-9 is the deck's")
    for name, value, least in (
        ("max_iters", max_iters, 0),
        ("keep_every", keep_every, 1),
    ):
        if name == "keep_every" and value is None:
            continue
        if not is_count(value, least):
            raise ValueError(
                f"{name} is {value!r}; expected a number of steps, {least} or more"
            )


def _watched(stop, names):
    """The position of the gradient that the stop rule looks at, None for all."""
    known = ["all", *(f"d{name}" for name in names)]
    if not isinstance(stop, str) or stop not in known:
        choices = ", ".join(repr(name) for name in known)
        raise ValueError(f"stop is {stop!r}; choose one of {choices}")
    return None if stop == "all" else known.index(stop) - 1


def _check_gradients(gradients, expected, names):
    if not isinstance(gradients, (tuple, list, np.ndarray)):
        raise ValueError(
            f"gradient returned a {type(gradients).__name__}; expected a tuple of "
            f"arrays, one for each of {', '.join(names)}: write return dW, dV"
        )
    shapes = [np.shape(g) for g in gradients]
    if shapes != expected:
        raise ValueError(
            f"gradient returned arrays of shapes {shapes}; expected {expected}, one "
            f"for each of {', '.join(names)}: return them in that order"
        )
    for name, g in zip(names, gradients, strict=True):
        g = float(g) if isinstance(g, (int, float)) else g
        dtype, plain = np.asarray(g).dtype, type(g) in (np.ndarray, float)
        if not (plain or isinstance(g, np.floating)) or dtype not in FLOATS:
            raise ValueError(
                f"gradient returned d{name} as a {type(g).__name__} of {dtype}; expected "
                "a plain array of floats, whose squares don't overflow: convert it "
                "with np.asarray(…, dtype=float)"
            )


def _cost(cost, parameters):
    value = cost(*parameters)
    if not is_number(value):
        raise ValueError(
            f"cost returned {value!r}; expected one number: take np.mean over the rows"
        )
    return float(value)


@contextmanager
def _writing_explained():
    """Say in our words what NumPy says of a write to an iterate, as all are locked."""
    try:
        yield
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ValueError(
            f"gradient or cost changes an array that is read-only ({error}), as the "
            "parameters are; expected that it leaves them as they are: write "
            "p = p - 1 for p -= 1, or change a p.copy()"
        ) from error

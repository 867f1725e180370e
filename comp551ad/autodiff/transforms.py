"""Function transformations: grad, vjp, jvp.

Each records the function on a tape, then runs one of the two loops over its rows: reverse mode
for ``grad`` and ``vjp``, forward mode for ``jvp``. A loop over tracers is itself recorded, so
transformations nest: ``grad(grad(f))`` is the second derivative.
"""

import functools
import itertools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from comp551ad import pytrees

from .arguments import Call, by_place, name_of
from .data import refuse_counts
from .passes import as_seed, full, pull_back, push_forward
from .primitives import shape_of, size_of
from .refusals import kind_of, this_thread
from .tape import Tape

# ---------------------------------------------------------------- one recorded call


class Recorded(NamedTuple):
    """A function's recorded call.

    Attributes:
        rows: the tape's rows; those of the inputs come first.
        inputs: the chosen argument as given, or a tuple of several: numbers, arrays, containers.
        values: the value of each input leaf, a float or an array.
        output: the function's result with plain values, in its own structure.
        out_rows, out_values: the row (None: a constant) and the value of each output leaf.
        doubtful: whether f changed arrays in place that may share memory.
    """

    rows: list[tuple]
    inputs: Any
    values: list
    output: Any
    out_rows: list
    out_values: list
    doubtful: bool


def record_call(
    f: Callable,
    argnum: Any,
    args: tuple,
    kwargs: dict,
    watch: bool = False,
    checked: bool = False,
) -> Recorded:
    """Call f with tracers for the arguments selected by ``argnum``.

    If f tests values and returns a constant, it is recorded again with ``watch``: the constant may
    depend on the tests, like an accuracy, or not, like the slope of a leaky relu.
    If f changes arrays in place that may share memory, its value is compared with that for plain
    numbers, but not again if nothing was copied and an earlier call passed (``checked``).
    """
    places = argnum if isinstance(argnum, tuple) else (argnum,)
    call: Any = None
    slots: Any = list(args)
    distinct = set(places)
    if kwargs or len(distinct) < len(places) or not distinct <= set(range(len(args))):
        call = Call.of(f, args, kwargs, whole=places)
        slots, places = call.slots, call.several(places)
    name = functools.partial(name_of, f, args, kwargs)
    inputs = []
    with Tape(watch) as tape:
        for place in places:
            tree = slots[place]
            inputs.append(tree)
            leaves = pytrees.leaves(tree)
            tracers = map(tape.add_input, leaves, itertools.repeat(name))
            slots[place] = pytrees.unflatten(tree, tracers)
        values = list(map(operator.itemgetter(1), tape.rows))
        result = call.run() if call else f(*slots)
        out_rows, out_values = tape.read_outputs(result)
    if None in out_rows:
        if tape.asked and not watch:
            return record_call(f, argnum, args, kwargs, watch=True)
        refuse_counts(result, tape)
    if tape.refused or tape.doubtful and (this_thread.copied or not checked):
        call = call or Call.of(f, args, kwargs)
        traced = [call.slot(place, "argnum") for place in places]
        call.check(result, tape, traced=traced)
    chosen = tuple(inputs) if isinstance(argnum, tuple) else inputs[0]
    found = pytrees.unflatten(result, iter(out_values)), out_rows, out_values
    return Recorded(tape.rows, chosen, values, *found, tape.doubtful)


# ---------------------------------------------------------------- reverse mode


def value_and_grad(f: Callable, argnum: int | str | tuple = 0) -> Callable:
    """A function that computes f and its gradient together (S14).

    Args:
        f: a function that returns one number, or an array with one entry.
        argnum: the argument to differentiate with respect to: a position, a parameter name, or a
            tuple of them (the gradient is then a tuple). The argument may be a number, an array,
            or a tuple, list or dict of them; its gradient has the same structure.

    Returns:
        A function of f's arguments that returns (value, gradient).
    """
    argnum = by_place(f, argnum)
    checked = False

    @functools.wraps(f)
    def value_and_gradient(*args, **kwargs):
        nonlocal checked
        call = record_call(f, argnum, args, kwargs, checked=checked)
        checked = checked or call.doubtful and this_thread.tape is None
        value, values = call.output, call.out_values
        is_one = len(values) == 1 and value is values[0]
        if not is_one or size_of(value) != 1:
            got = f"shape {shape_of(value)}" if is_one else f"{len(values)} values"
            raise ValueError(
                f"f: the function returned {got}, expected one number; use jacobian, or return "
                "a sum or mean"
            )
        adjoints = pull_back(call.rows, [(call.out_rows[0], 1.0)], keep=False)
        gradient = pytrees.unflatten(call.inputs, map(full, adjoints, call.values))
        return value, gradient

    return value_and_gradient


def grad(f: Callable, argnum: int | str | tuple = 0) -> Callable:
    """The gradient of a function that returns one number; see ``value_and_grad``."""
    value_and_gradient = value_and_grad(f, argnum)

    @functools.wraps(f)
    def gradient(*args, **kwargs):
        return value_and_gradient(*args, **kwargs)[1]

    return gradient


def vjp(f: Callable, *primals: Any) -> tuple[Any, Callable]:
    """Reverse mode in two steps: evaluate now, pull adjoints back later.

    Args:
        f: a function of the primals; it may return numbers, arrays, or containers of them.
        *primals: where to evaluate.

    Returns:
        (output, pull): ``pull(adjoint)`` takes an adjoint with the output's structure and shapes
        and returns a tuple with one gradient per primal. It may be called repeatedly.
    """
    call = record_call(f, tuple(range(len(primals))), primals, {})

    def pull(adjoint):
        seeds = _seeds_like(adjoint, call.output, call.out_values, "adjoint")
        numbered = zip(call.out_rows, seeds, strict=True)
        adjoints = pull_back(call.rows, numbered, keep=False)
        return pytrees.unflatten(call.inputs, map(full, adjoints, call.values))

    return _owned_output(call), pull


def _owned_output(call):
    """The output for the caller to keep and change: never a view of the tape's arrays."""
    return pytrees.unflatten(call.output, map(own, call.out_values))


def own(value: Any) -> Any:
    """A copy of an array; anything else unchanged."""
    return np.array(value) if type(value) is np.ndarray else value


def _seeds_like(tree, like, values, name, leading=()) -> list:
    """The leaves of an adjoint or a tangent as seeds. It must have the structure of ``like``; each
    leaf has the shape ``leading`` followed by that of the value."""
    if not pytrees.same_structure(tree, like):
        raise ValueError(
            f"{name}: got a different structure from the "
            f"{'output' if name == 'adjoint' else 'primals'}; expected the same nesting of "
            "tuples, lists and dicts"
        )
    leaves = []
    for leaf, value in zip(pytrees.leaves_like(tree, like), values, strict=True):
        leaves.append(as_seed(leaf, leading + shape_of(value), name))
    return leaves


# ---------------------------------------------------------------- forward mode


def jvp(f: Callable, primals: tuple, tangents: tuple, many: bool = False) -> tuple:
    """Forward mode: the value of f and its derivative in one direction (S12).

    Args:
        f: a function of the primals; it may return numbers, arrays, or containers of them.
        primals: a tuple of its arguments.
        tangents: the direction, a tuple with the same structure.
        many: every tangent has an extra first axis of the same length K; all K directions are
            pushed through in one pass.

    Returns:
        (output, tangent of the output), the latter with a first axis of length K if ``many``.
    """
    for name, given in ("primals", primals), ("tangents", tangents):
        if not isinstance(given, tuple | list):
            raise TypeError(
                f"{name}: got {kind_of(given)}, expected a tuple with one entry for each "
                "argument of the function, such as (x,)"
            )
    primals, tangents = tuple(primals), tuple(tangents)
    call = record_call(f, tuple(range(len(primals))), primals, {})
    first = next(iter(pytrees.leaves(tangents)), 0.0)
    if many and not np.shape(first):
        raise ValueError("tangents: many=True, expected an extra first axis")
    leading = np.shape(first)[:1] if many else ()
    seeds = _seeds_like(tangents, call.inputs, call.values, "tangents", leading)
    derivatives = push_forward(call.rows, enumerate(seeds), many)
    out = []
    for row, value in zip(call.out_rows, call.out_values, strict=True):
        shape = leading + shape_of(value)
        zero = np.broadcast_to(0.0, shape) if shape else 0.0
        out.append(full(None if row is None else derivatives[row], zero))
    return _owned_output(call), pytrees.unflatten(call.output, iter(out))

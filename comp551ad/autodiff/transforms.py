"""Functions of functions: grad, jvp, vjp, jacobian, hessian.

Each of them runs the function on a tape, then one of the two loops over its rows: reverse mode
for ``grad`` and ``vjp``, forward mode for ``jvp``, either for ``jacobian``. Since a loop over
tracers is itself recorded, they nest: ``grad(grad(f))`` is the second derivative, and ``hessian``
is forward mode over reverse mode.

Reads: ``tape``, ``arguments``, ``passes``, ``pytrees``. Read by: notebooks.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from comp551ad import pytrees

from .arguments import Call, names_by_place
from .passes import as_seed, full, pull_back, push_forward
from .primitives import shape_of, size_of
from .refusals import kind_of
from .tape import Tape, Tracer, read_outputs

# ---------------------------------------------------------------- one recorded call


class Recorded:
    """A function's recorded call.

    Attributes:
        rows: the tape; its first rows are the inputs.
        inputs: the chosen arguments as given: a list of numbers, arrays and containers.
        values: per leaf of the inputs its value, a float or an array.
        output: what the function returned, in its structure, as values.
        out_rows, out_values: per leaf of the output.
    """

    def __init__(
        self,
        rows: list[tuple],
        inputs: list,
        values: Any,
        result: Any,
        out_rows: list,
        out_values: list,
    ):
        self.rows, self.inputs, self.values = rows, inputs, values
        self.output = pytrees.unflatten(result, iter(out_values))
        self.out_rows, self.out_values = out_rows, out_values

    def gather(self, derivatives: list) -> list:
        """Derivatives of the inputs, in the inputs' structure: one per argument."""
        leaves = list(map(full, derivatives, self.values))
        return pytrees.unflatten(self.inputs, iter(leaves))

    def owned_output(self) -> Any:
        """The output that the caller may keep and change: never a view of the tape's arrays."""
        return pytrees.unflatten(self.output, map(_own, self.out_values))


def _own(value):
    return np.array(value) if type(value) is np.ndarray else value


class Argnums:
    """The argument or arguments of f that ``argnum`` means: records calls with these traced."""

    def __init__(self, f: Callable, argnum: Any):
        self.f = f
        self.single = not isinstance(argnum, tuple)
        self.argnums = (argnum,) if self.single else argnum
        for a in self.argnums:
            if isinstance(a, bool) or not isinstance(a, int | str):
                raise TypeError(
                    f"argnum: got {argnum!r}, expected a position (0 is the first), a "
                    "parameter's name, or a tuple of them"
                )
        by_name = any(isinstance(a, str) for a in self.argnums)
        place = {name: k for k, name in enumerate(names_by_place(f) if by_name else ())}
        self.places = [place.get(a, a) for a in self.argnums]
        self.by_place = all(isinstance(place, int) for place in self.places)

    def record(self, args: tuple, kwargs: dict, watch: bool = False) -> Recorded:
        """The recorded call.

        Where f looked at values and returned constants it is recorded once more, watched: they may
        come from what it saw, as an accuracy does, or not, as the slope of a leaky relu.
        """
        arguments: Any
        if kwargs or not self.by_place:
            call = Call.of(self.f, args, kwargs, whole=self.argnums)
            places = [call.slot(argnum, "argnum") for argnum in self.argnums]
            arguments = call.slots
        else:
            call, arguments, places = None, list(args), self._positions(len(args))
        if len(set(places)) != len(places):
            raise TypeError(
                f"argnum: got {self.argnums}, an argument named twice; name each once"
            )
        inputs, values = [], []
        with Tape(watch) as tape:
            for place in places:
                tree = arguments[place]
                tracers: list[Tracer] = []
                for leaf in pytrees.leaves(tree):
                    where = args, place, tree, len(tracers)
                    tracers.append(tape.add_input(leaf, self._name, *where))
                    values.append(tracers[-1].value)
                arguments[place] = pytrees.unflatten(tree, iter(tracers))
                inputs.append(tree)
            result = self.f(*arguments) if call is None else call.run()
            out_rows, out_values = read_outputs(result, tape, differentiated=True)
        if tape.asked and not watch and None in out_rows:
            return self.record(args, kwargs, watch=True)
        if tape.refused is not None:
            (call or Call.of(self.f, args, kwargs)).check(result, tape)
        return Recorded(tape.rows, inputs, values, result, out_rows, out_values)

    def _positions(self, count):
        """Positions among so many arguments; a negative place counts from the end."""
        positions = []
        for place in self.places:
            if not -count <= place < count:
                raise TypeError(
                    f"argnum: got {place}, but the function was called with {count} "
                    "arguments"
                )
            positions.append(place % count)
        return positions

    def _name(self, args, place, tree, leaf):
        """What an error calls the n-th leaf of an argument."""
        if type(place) is int:
            try:
                place = list(Call.of(self.f, args, {}).slots)[place]
            except TypeError:
                place = f"argument {place}"
        return pytrees.leaf_names(tree, place)[leaf]

    def unpack(self, gradients: list) -> Any:
        """One argument's gradient alone; several as a tuple."""
        return gradients[0] if self.single else tuple(gradients)


# ---------------------------------------------------------------- reverse mode


def value_and_grad(f: Callable, argnum: int | str | tuple = 0) -> Callable:
    """The function that computes f and its gradient together (S14).

    Args:
        f: a function that returns one number; an array with one entry is one, too.
        argnum: which argument to differentiate with respect to: a position, a parameter's name,
            or a tuple of them (the gradient is then a tuple). The argument may be a number, an
            array, or a tuple, list or dict of them; its gradient has the same structure.

    Returns:
        A function of f's arguments that returns (value, gradient).
    """
    argnums = Argnums(f, argnum)

    @functools.wraps(f)
    def value_and_gradient(*args, **kwargs):
        call = argnums.record(args, kwargs)
        if pytrees.is_container(call.output) or size_of(call.out_values[0]) != 1:
            _refuse_many_outputs(call)
        row = call.out_rows[0]
        seeds = [] if row is None else [(row, 1.0)]
        adjoints = pull_back(call.rows, seeds, keep=False)
        return call.output, argnums.unpack(call.gather(adjoints))

    return value_and_gradient


def grad(f: Callable, argnum: int | str | tuple = 0) -> Callable:
    """The gradient of a function that returns one number; see ``value_and_grad``."""
    value_and_gradient = value_and_grad(f, argnum)

    @functools.wraps(f)
    def gradient(*args, **kwargs):
        return value_and_gradient(*args, **kwargs)[1]

    return gradient


def _refuse_many_outputs(call):
    got = f"{len(call.out_values)} values"
    if len(call.out_values) == 1:
        got = f"shape {shape_of(call.out_values[0])}"
    raise ValueError(
        f"f: the function returned {got}, expected one number; use jacobian, or return a sum or "
        "mean"
    )


def vjp(f: Callable, *primals: Any) -> tuple[Any, Callable]:
    """Reverse mode in pieces: evaluate now, pull adjoints back later.

    Args:
        f: a function of the primals; it may return numbers, arrays, or containers of them.
        *primals: where to evaluate.

    Returns:
        (output, pull): ``pull(adjoint)`` takes an adjoint of the output's structure and shapes
        and returns a tuple, one gradient per primal. It may be called many times.
    """
    call = Argnums(f, tuple(range(len(primals)))).record(primals, {})

    def pull(adjoint):
        leaves = _directions(adjoint, call.output, call.out_values, "adjoint")
        pairs = zip(call.out_rows, leaves, strict=True)
        seeds = [(row, leaf) for row, leaf in pairs if row is not None]
        return tuple(call.gather(pull_back(call.rows, seeds, keep=False)))

    return call.owned_output(), pull


def _directions(tree, like, values, name, leading=()) -> list:
    """The leaves of an adjoint or a tangent, checked against the structure and the shapes of
    what it is a direction of."""
    if not pytrees.same_structure(tree, like):
        raise ValueError(
            f"{name}: got another structure than that of the "
            f"{'output' if name == 'adjoint' else 'primals'}; expected the same nesting of "
            "tuples, lists and dicts"
        )
    leaves = []
    for leaf, value in zip(pytrees.leaves_like(tree, like), values, strict=True):
        leaves.append(as_seed(leaf, leading + shape_of(value), name))
    return leaves


# ---------------------------------------------------------------- forward mode


def jvp(f: Callable, primals: tuple, tangents: tuple, many: bool = False) -> tuple:
    """Forward mode: the derivative of f in one direction, together with its value (S12).

    Args:
        f: a function of the primals; it may return numbers, arrays, or containers of them.
        primals: a tuple of its arguments.
        tangents: a tuple like it: the direction.
        many: every tangent has an extra first axis of the same length K; all K directions are
            pushed through in one pass.

    Returns:
        (output, tangent of the output), the latter with K in front where ``many``.
    """
    for name, given in ("primals", primals), ("tangents", tangents):
        if not isinstance(given, tuple | list):
            raise TypeError(
                f"{name}: got {kind_of(given)}, expected a tuple with one entry for each "
                "argument of the function, such as (x,)"
            )
    primals, tangents = tuple(primals), tuple(tangents)
    call = Argnums(f, tuple(range(len(primals)))).record(primals, {})
    leading = _leading(tangents) if many else ()
    seeds = enumerate(
        _directions(tangents, tuple(call.inputs), call.values, "tangents", leading)
    )
    derivatives = push_forward(call.rows, seeds, many)
    out = []
    for row, value in zip(call.out_rows, call.out_values, strict=True):
        shape = leading + shape_of(value)
        zero = np.broadcast_to(0.0, shape) if shape else 0.0
        out.append(full(None if row is None else derivatives[row], zero))
    return call.owned_output(), pytrees.unflatten(call.output, iter(out))


def _leading(tangents):
    """(K,): the extra first axis of the tangents."""
    for leaf in pytrees.leaves(tangents)[:1]:
        if np.ndim(leaf):
            return np.shape(leaf)[:1]
    raise ValueError("tangents: many=True, expected an extra first axis")


# ---------------------------------------------------------------- all of it


def jacobian(
    f: Callable, argnum: int | str | tuple = 0, mode: str = "reverse"
) -> Callable:
    """The function that computes the Jacobian of f: all outputs by all inputs (S03, S16).

    Reverse mode takes one pass per number in the output, forward mode pushes all directions,
    one per number in the input, through in one pass.

    Args:
        f: a function that returns numbers, arrays, or containers of them.
        argnum: as in ``value_and_grad``.
        mode: "reverse" or "forward".

    Returns:
        A function of f's arguments. Its result has the structure of f's output; in place of
        each of its leaves stands the structure of the input, with arrays of the shape
        output.shape + input.shape.
    """
    if mode not in ("reverse", "forward"):
        raise ValueError(f"mode: got {mode!r}, expected 'reverse' or 'forward'")
    argnums = Argnums(f, argnum)
    blocks_of = _reverse_blocks if mode == "reverse" else _forward_blocks

    @functools.wraps(f)
    def jacobian_of_f(*args, **kwargs):
        call = argnums.record(args, kwargs)
        per_output = [
            argnums.unpack(pytrees.unflatten(call.inputs, iter(blocks)))
            for blocks in blocks_of(call)
        ]
        return pytrees.unflatten(call.output, iter(per_output))

    return jacobian_of_f


def _reverse_blocks(call):
    """Per leaf of the output, per leaf of the input: one pass for each output number."""
    values = call.values
    for row, value in zip(call.out_rows, call.out_values, strict=True):
        passes = []
        for seed in _unit_vectors(value):
            seeds = [] if row is None else [(row, seed)]
            adjoints = pull_back(call.rows, seeds, keep=False)
            passes.append([full(a, v) for a, v in zip(adjoints, values, strict=False)])
        shapes = [shape_of(value) + shape_of(v) for v in values]
        if passes:
            columns = zip(zip(*passes, strict=True), shapes, strict=True)
            yield [_reshape(np.stack(column), shape) for column, shape in columns]
        else:
            yield [np.zeros(shape) for shape in shapes]


def _forward_blocks(call):
    """The same with one pass in all: every input number is one direction."""
    values = call.values
    total = sum(size_of(v) for v in values)
    ends = np.cumsum([size_of(v) for v in values], dtype=int)
    parts = [slice(end - size_of(v), end) for v, end in zip(values, ends, strict=True)]
    seeds = [
        (k, np.eye(total)[:, part].reshape((total,) + shape_of(values[k])))
        for k, part in enumerate(parts)
    ]
    tangents = push_forward(call.rows, seeds, many=True)
    for row, value in zip(call.out_rows, call.out_values, strict=True):
        d = None if row is None else tangents[row]
        if d is None:
            d = np.zeros((total,) + shape_of(value))
        d = np.transpose(d, (*range(1, len(shape_of(d))), 0))  # directions last
        yield [
            _reshape(d[..., part], shape_of(value) + shape_of(v))
            for part, v in zip(parts, values, strict=True)
        ]


def _reshape(array, shape):
    array = np.reshape(array, shape)
    return _own(array) if shape or type(array) is Tracer else float(array)


def _unit_vectors(value):
    """One array of value's shape per entry, with a single 1 in it."""
    if not shape_of(value):
        return [1.0]
    return [row.reshape(shape_of(value)) for row in np.eye(size_of(value))]


def hessian(f: Callable, argnum: int | str | tuple = 0) -> Callable:
    """The function that computes the second derivatives of a function with one number out.

    Forward mode over reverse mode: the gradient's own trace, with all directions pushed
    through at once. For an argument of shape s the result has the shape s + s; for containers
    it is nested twice in their structure.
    """
    return jacobian(grad(f, argnum), argnum, mode="forward")

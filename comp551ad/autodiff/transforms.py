"""Functions of functions: grad, jvp, vjp, jacobian, hessian.

Each of them runs the function on a tape, then one of the two loops over its rows: reverse mode
for ``grad`` and ``vjp``, forward mode for ``jvp``, either for ``jacobian``. Since a loop over
traced values is itself recorded, they nest: ``grad(grad(f))`` is the second derivative, and
``hessian`` is forward mode over reverse mode.

Reads: ``calls``, ``forward``, ``reverse``, ``traced``, ``pytrees``. Read by: notebooks.
"""

import functools

import numpy as np

from comp551ad import pytrees

from .calls import Chosen
from .forward import full, push_forward
from .primitives import shape_of, size_of
from .reverse import pull_back
from .traced import Traced, as_input, kind_of

# ---------------------------------------------------------------- what all of them share


def _own(value):
    """A result that the caller may keep and change: never a view of the tape's arrays."""
    return np.array(value) if type(value) is np.ndarray else value


def _gather(call, derivatives):
    """Derivatives of the inputs, in the inputs' structure: a tuple, one per argument."""
    leaves = [full(derivatives[x.index], x.value) for x in pytrees.leaves(call.inputs)]
    return pytrees.unflatten(call.inputs, iter(leaves))


def _scalar_output(call, what):
    """The row of the one number that the function returned."""
    values = call.out_values
    if pytrees.is_container(call.output) or shape_of(values[0]):
        got = (
            f"shape {shape_of(values[0])}"
            if len(values) == 1
            else f"{len(values)} values"
        )
        raise ValueError(
            f"{what}: the function returned {got}, expected one number; use jacobian, or "
            "return a sum or mean"
        )
    return call.out_rows[0]


# ---------------------------------------------------------------- reverse mode


def value_and_grad(f, argnum=0):
    """The function that computes f and its gradient together (S14).

    Args:
        f: a function that returns one number.
        argnum: which argument to differentiate by: a position, a parameter's name, or a tuple
            of them (the gradient is then a tuple). The argument may be a number, an array, or
            a tuple, list or dict of them; its gradient has the same structure.

    Returns:
        A function of f's arguments that returns (value, gradient).
    """
    chosen = Chosen(f, argnum)

    @functools.wraps(f)
    def value_and_gradient(*args, **kwargs):
        call = chosen.record(args, kwargs)
        row = _scalar_output(call, "value_and_grad")
        seeds = [] if row is None else [(row, 1.0)]
        adjoints = pull_back(call.rows, seeds, keep=False)
        return call.out_values[0], chosen.unpack(_gather(call, adjoints))

    return value_and_gradient


def grad(f, argnum=0):
    """The gradient of a function that returns one number; see ``value_and_grad``."""
    value_and_gradient = value_and_grad(f, argnum)

    @functools.wraps(f)
    def gradient(*args, **kwargs):
        return value_and_gradient(*args, **kwargs)[1]

    return gradient


def vjp(f, *primals):
    """Reverse mode in pieces: evaluate now, pull adjoints back later.

    Args:
        f: a function of the primals; it may return numbers, arrays, or containers of them.
        *primals: where to evaluate.

    Returns:
        (output, pull): ``pull(adjoint)`` takes an adjoint of the output's structure and shapes
        and returns a tuple, one gradient per primal. It may be called many times.
    """
    call = Chosen(f, tuple(range(len(primals)))).record(primals, {})

    def pull(adjoint):
        seeds = _seeds(adjoint, call, "adjoint")
        return _gather(call, pull_back(call.rows, seeds, keep=False))

    return _owned_output(call), pull


def _owned_output(call):
    return pytrees.unflatten(call.output, iter([_own(v) for v in call.out_values]))


def _seeds(adjoint, call, name):
    _check_structure(adjoint, call.output, name, "the output")
    leaves = pytrees.leaves_like(adjoint, call.output)
    pairs = zip(leaves, call.out_rows, call.out_values, strict=True)
    return [
        (row, _direction(leaf, value, name))
        for leaf, row, value in pairs
        if row is not None
    ]


def _check_structure(tree, like, name, of):
    if not pytrees.same_structure(tree, like):
        raise ValueError(
            f"{name}: its structure differs from that of {of}; expected the same nesting "
            "of tuples, lists and dicts"
        )


def _direction(leaf, value, name, leading=()):
    leaf = as_input(leaf, lambda: name)
    if shape_of(leaf) != leading + shape_of(value):
        raise ValueError(
            f"{name}: got shape {shape_of(leaf)}, expected {leading + shape_of(value)}"
        )
    return leaf


# ---------------------------------------------------------------- forward mode


def jvp(f, primals, tangents, many=False):
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
    call = Chosen(f, tuple(range(len(primals)))).record(primals, {})
    _check_structure(tangents, call.inputs, "tangents", "primals")
    leading = ()
    leaves = pytrees.leaves_like(tangents, call.inputs)
    if many:
        leading = (
            shape_of(as_input(leaves[0], lambda: "tangents"))[:1] if leaves else ()
        )
        if not leading:
            raise ValueError("tangents: many=True, expected an extra first axis")
    values = call.input_values()
    seeds = [
        (k, _direction(leaf, value, "tangents", leading))
        for k, (leaf, value) in enumerate(zip(leaves, values, strict=True))
    ]
    derivatives = push_forward(call.rows, seeds, many)
    return _owned_output(call), _output_tangents(call, derivatives, leading)


def _output_tangents(call, derivatives, leading):
    out = []
    for row, value in zip(call.out_rows, call.out_values, strict=True):
        d = None if row is None else derivatives[row]
        shape = leading + shape_of(value)
        out.append(full(d, np.broadcast_to(0.0, shape) if shape else 0.0))
    return pytrees.unflatten(call.output, iter(out))


# ---------------------------------------------------------------- all of it


def jacobian(f, argnum=0, mode="reverse"):
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
    chosen = Chosen(f, argnum)
    blocks_of = _reverse_blocks if mode == "reverse" else _forward_blocks

    @functools.wraps(f)
    def jacobian_of_f(*args, **kwargs):
        call = chosen.record(args, kwargs)
        blocks = blocks_of(call)
        per_output = [
            chosen.unpack(pytrees.unflatten(call.inputs, iter(row))) for row in blocks
        ]
        return pytrees.unflatten(call.output, iter(per_output))

    return jacobian_of_f


def _reverse_blocks(call):
    """Per leaf of the output, per leaf of the input: one pass for each output number."""
    values = call.input_values()
    blocks = []
    for row, value in zip(call.out_rows, call.out_values, strict=True):
        passes = []
        for seed in _unit_vectors(value):
            seeds = [] if row is None else [(row, seed)]
            adjoints = pull_back(call.rows, seeds, keep=False)
            passes.append([full(a, v) for a, v in zip(adjoints, values, strict=False)])
        blocks.append(
            [
                _reshape(
                    np.stack([p[k] for p in passes]), shape_of(value) + shape_of(v)
                )
                if passes
                else np.zeros(shape_of(value) + shape_of(v))
                for k, v in enumerate(values)
            ]
        )
    return blocks


def _forward_blocks(call):
    """The same with one pass in all: every input number is one direction."""
    values = call.input_values()
    total = sum(size_of(v) for v in values)
    seeds, start = [], 0
    for k, v in enumerate(values):
        block = np.zeros((total, size_of(v)))
        block[start : start + size_of(v)] = np.eye(size_of(v))
        seeds.append((k, block.reshape((total,) + shape_of(v))))
        start += size_of(v)
    tangents = push_forward(call.rows, seeds, many=True)
    blocks = []
    for row, value in zip(call.out_rows, call.out_values, strict=True):
        d = None if row is None else tangents[row]
        if d is None:
            d = np.zeros((total,) + shape_of(value))
        d = np.transpose(d, (*range(1, len(shape_of(d))), 0))  # directions last
        of_output, start = [], 0
        for v in values:
            part = d[..., start : start + size_of(v)]
            of_output.append(_reshape(part, shape_of(value) + shape_of(v)))
            start += size_of(v)
        blocks.append(of_output)
    return blocks


def _reshape(array, shape):
    array = np.reshape(array, shape)
    return _own(array) if shape or type(array) is Traced else float(array)


def _unit_vectors(value):
    """One array of value's shape per entry, with a single 1 in it."""
    if not shape_of(value):
        return [1.0]
    size = size_of(value)
    return [row.reshape(shape_of(value)) for row in np.eye(size)]


def hessian(f, argnum=0):
    """The function that computes the second derivatives of a function with one number out.

    Forward mode over reverse mode: the gradient's own trace, with all directions pushed
    through at once. For an argument of shape s the result has the shape s + s; for containers
    it is nested twice in their structure.
    """
    return jacobian(grad(f, argnum), argnum, mode="forward")

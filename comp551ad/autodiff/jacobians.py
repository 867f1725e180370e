"""All derivatives at once: jacobian and hessian.

A pass computes the derivatives of one number, or those in one direction; these functions combine
as many passes as needed.
"""

import functools
from collections.abc import Callable

import numpy as np

from comp551ad import pytrees

from .arguments import by_place
from .passes import full, pull_back, push_forward
from .primitives import shape_of, size_of
from .transforms import grad, record_call


def jacobian(
    f: Callable, argnum: int | str | tuple = 0, mode: str = "reverse"
) -> Callable:
    """A function that computes the Jacobian of f: all outputs by all inputs (S03, S16).

    Reverse mode takes one pass per number in the output. Forward mode takes one pass per number or
    array in the input, with the directions of all its entries at once.

    Args:
        f: a function that returns numbers, arrays, or containers of them.
        argnum: as in ``value_and_grad``.
        mode: "reverse" or "forward".

    Returns:
        A function of f's arguments. Its result has the structure of f's output, with each leaf
        replaced by the structure of the input, whose arrays have shape
        output.shape + input.shape.
    """
    if mode not in ("reverse", "forward"):
        raise ValueError(f"mode: got {mode!r}, expected 'reverse' or 'forward'")
    argnum = by_place(f, argnum)
    blocks_of = _reverse_blocks if mode == "reverse" else _forward_blocks

    @functools.wraps(f)
    def jacobian_of_f(*args, **kwargs):
        call = record_call(f, argnum, args, kwargs)
        per_output = [
            pytrees.unflatten(call.inputs, iter(blocks)) for blocks in blocks_of(call)
        ]
        return pytrees.unflatten(call.output, iter(per_output))

    return jacobian_of_f


def _reverse_blocks(call):
    """For each output leaf, a block for each input leaf; one pass per output number."""
    for row, value in zip(call.out_rows, call.out_values, strict=True):
        blocks: list[list] = [[] for _ in call.values]
        for seed in _standard_basis(value):
            seeds = [(row, seed if shape_of(value) else 1.0)]
            adjoints = pull_back(call.rows, seeds, keep=False)
            for block, adjoint, x in zip(blocks, adjoints, call.values, strict=False):
                block.append(full(adjoint, x))
        yield [
            _block(np.stack(block) if block else np.zeros(0), value, x)
            for block, x in zip(blocks, call.values, strict=True)
        ]


def _forward_blocks(call):
    """The same, with one pass per input leaf, whose numbers are all directions."""
    columns = [
        push_forward(call.rows, [(k, _standard_basis(x))], many=True)
        for k, x in enumerate(call.values)
    ]
    for row, value in zip(call.out_rows, call.out_values, strict=True):
        blocks = []
        for tangents, x in zip(columns, call.values, strict=True):
            d = None if row is None else tangents[row]
            if d is None:
                d = np.zeros((size_of(x), *shape_of(value)))
            # Move the direction axis to the end.
            d = np.transpose(d, (*range(1, len(shape_of(d))), 0))
            blocks.append(_block(d, value, x))
        yield blocks


def _standard_basis(value):
    """For each entry of the value, an array of its shape with a 1 there and 0 elsewhere."""
    return np.eye(size_of(value)).reshape(size_of(value), *shape_of(value))


def _block(array, value, x):
    """Derivatives of an output leaf with respect to an input leaf, of shape output + input."""
    array = np.reshape(array, shape_of(value) + shape_of(x))
    return full(array, array)


def hessian(f: Callable, argnum: int | str | tuple = 0) -> Callable:
    """A function that computes the second derivatives of a function that returns one number.

    Forward mode over reverse mode: directions are pushed through the gradient's trace as in
    ``jacobian``. For an argument of shape s the result has shape s + s; for containers their
    structure is nested twice.
    """
    return jacobian(grad(f, argnum), argnum, mode="forward")

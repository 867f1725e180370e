"""Trials: a function recorded again for other arguments, before its program is handed out.

A program must not hold what the function computes from its arguments. What leaves a trace is
written down; what leaves none, such as ``np.eye(3)[y]`` or the number of entries that a mask
chooses, shows in a recording of other arguments: numbers negated, labels turned round, neighbours
made equal.

Reads: ``arguments``, ``tape``, ``operands``, ``emit``, ``pytrees``. Read by: ``program``.
"""

import functools
import itertools
from typing import Any

import numpy as np

from comp551ad import pytrees

from .arguments import Call, is_data, is_number, silence
from .data import Data
from .emit import ProgramError
from .operands import operands_of, parameters_of
from .primitives import shape_of
from .tape import Tape, concrete


def plain_outputs(result: Any, rows: list) -> tuple:
    """The constants among a function's outputs."""
    leaves = zip(pytrees.leaves(result), rows, strict=True)
    return tuple(leaf for leaf, row in leaves if row is None)


def choosing_changes(call: Call, tape: Tape, plain: tuple, taken: str) -> list:
    """Changes of the arguments for which f's arrays have other sizes, as masks and comparisons
    choose: of the numbers first, then of data.

    Args:
        call: of the recorded function f.
        tape: what was recorded.
        plain: the constants that f returned.
        taken: the kinds of arrays that were data in the recording.

    Raises:
        ProgramError: f computes something without a trace.
    """
    changes: list = [_moved]
    leaves = pytrees.leaves([*call.given.values()])
    if tape.origins or any(is_data(leaf, taken) for leaf in leaves):
        changes.append(_with_one_label)
        for kinds, odd in itertools.product(("f", "iub"), (0, 1)):
            changes.append(functools.partial(_with_equals, kinds=kinds, odd=odd))
    choosing = []
    for change in changes:
        if found := _again(call, change, taken):
            again, plain_again = found
            if change is _moved or _sizes(again) == _sizes(tape):
                _refuse_hidden_constants(tape, plain, again, plain_again)
            elif change is not _with_one_label:
                choosing.append(change)
    return choosing


def _with_one_label(leaf):
    """Data whose entries are all as the first; anything else as it is."""
    return np.full_like(leaf, leaf.flat[0]) if is_data(leaf) and leaf.size else leaf


def _sizes(tape):
    return [shape_of(concrete(row[1])) for row in tape.rows]


def _again(call, change, kinds):
    """Another recording, of changed arguments, and the constants that f returned; None where f
    can't run with them."""
    call.slots = {
        slot: pytrees.tree_map(change, tree) for slot, tree in call.given.items()
    }
    again = Tape(watch=True)
    try:
        with again, np.errstate(all="ignore"), silence():
            call.trace(again.add_input, again, kinds)
            other = call.run()
            # Traced numbers in an array are joined, as in the first recording.
            return again, plain_outputs(other, again.read_outputs(other)[0])
    except Exception:
        return None


def _with_equals(leaf, kinds, odd):
    """An array of these kinds with neighbours by size made equal in pairs: the first two, or after
    an odd one; anything else as it is. What lies between two is above one entry less. A mask
    chooses one entry less: the first, or the last."""
    if not is_data(leaf, kinds):
        return leaf
    changed = np.array(leaf)
    if leaf.dtype.kind == "b":
        chosen = np.flatnonzero(leaf)
        changed.flat[chosen[-1:] if odd else chosen[:1]] = False
        return changed
    values, places = np.unique(leaf, return_index=True)
    changed.flat[places[1 + odd :: 2]] = values[odd:-1:2]
    return changed


def _moved(leaf):
    """Another number, array or data of the same shape; anything else as it is."""
    if is_data(leaf) and leaf.size:
        turned = leaf[::-1].copy()
        if leaf.dtype.kind == "b":  # as many chosen, where that is possible
            return ~leaf if np.array_equal(turned, leaf) else turned
        # Sums over all entries change with one of them.
        low, high = leaf.min(), leaf.max()
        turned.flat[0] = low if turned.flat[0] == high else high
        return turned
    return -np.asarray(leaf, dtype=float)[()] if is_number(leaf) else leaf


def _refuse_hidden_constants(tape, plain, again, plain_again):
    """Refuse a program in which something is fixed that f computes from its arguments.

    In a recording of other arguments constants of which no origin is known must be the same, or f
    computed them in a way that leaves no trace, such as np.eye(3)[y].
    """
    # What f returned counts as one more row.
    results = [("the output", None, each) for each in (plain, plain_again)]
    pairs = zip([*tape.rows, results[0]], [*again.rows, results[1]], strict=False)
    same = [row[0] for row in tape.rows] == [row[0] for row in again.rows]
    for one, two in pairs if same else ():
        for a, b in zip(_constants(one, tape), _constants(two, again), strict=False):
            same = same and np.array_equal(concrete(a), concrete(b), equal_nan=True)
        if not same:
            raise ProgramError(
                f"f: {one[0]} has a constant of shape {np.shape(a)} that f computes from its "
                "arguments in a way that leaves no trace, such as np.eye(3)[y] or a store into "
                "np.zeros; compute it outside f and pass it as an argument"
            )
    if not same:
        raise ProgramError(
            "f: got other operations for other arguments, expected the same; a program can't take "
            "another course: use grad, which runs the function each time"
        )


def _constants(row, tape):
    """The constants and the arrays among the parameters of a row that have no origin."""
    waiting = [o for o in operands_of(row) if type(o) is not int]
    waiting += parameters_of(row).values()
    for part in waiting:
        if isinstance(part, tuple):
            waiting += part
        elif issubclass(type(part), float | np.ndarray) and type(part) is not Data:
            if tape.origins.of(part) is None:
                yield part

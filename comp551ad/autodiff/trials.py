"""Trials: record a function again with other data before returning its program.

A program must not contain values that the function computes from its arguments without a trace,
such as a store into ``np.zeros`` or the number of entries that a mask selects. Only data can do so;
traced numbers raise an error. So the function is recorded again with the same numbers, but

- the memory of all data holds other numbers, which code that bypasses the trace reads;
- labels, masks and the results of comparisons are changed, so that other entries are selected.

If the text of the program changes, it contains something of the data.
"""

import contextlib
import functools
import itertools
import re
from collections.abc import Callable

import numpy as np

from comp551ad import pytrees

from .arguments import silence
from .data import LABELS, Data, called, counted, sources_of
from .emit import Computation, ProgramError, Writer
from .operands import parameters_of
from .primitives import shape_of
from .refusals import is_in_assert
from .tape import concrete

_HIDDEN = (
    "f: got a program with values that f computes from its arguments in ways that leave no trace, "
    "such as w[y] of plain w, a store into np.zeros, w[f'{k}'], or np.where inside a gradient, "
    "expected one valid for other arguments; compute them outside f and pass them as arguments"
)


def try_others(first: Computation, kinds: str, derive: Callable) -> tuple[bool, str]:
    """Check that a program is valid for other arguments.

    Args:
        first: the computation to be written.
        kinds: the kinds of arrays that were data.
        derive: a function from a change of data to the computation with that change.

    Returns:
        Whether array sizes depend on the arguments, through masks and comparisons; and the kinds of
        data ("b", "iu") for which the program is valid only with the recorded values: two masks
        that select equally many entries may have fewer in common.

    Raises:
        ProgramError: f computes something from its arguments without a trace, or the number of
            entries depends on numbers, which a program can't express.
    """
    if not first.tape.origins.has_data:
        return False, ""
    choosing = _choosing_kinds(first)
    sizes_vary, fixed = bool(choosing), ""
    sizes, text = _sizes(first), _text(first)
    # A trial says nothing about sizes that it doesn't change.
    untried = dict(enumerate(_chosen_sizes(first)))
    for in_memory in MEMORIES:
        try:
            with silence():
                other = derive(functools.partial(_hidden, in_memory))
                is_same = _text(other) == text
        except Exception as error:
            # If f doesn't read the memory it runs as before. Labels out of range say nothing.
            is_same = isinstance(error, AssertionError | IndexError)
        if not is_same:
            raise ProgramError(_HIDDEN)
    for of_labels, change in CHANGES:
        try:
            with silence():
                other = derive(change)
                its_sizes, its_text = _sizes(other), _text(other)
        except Exception:
            # No information: f can't run with these data, or has no program for them.
            continue
        pairs = zip(sizes, its_sizes, strict=False)
        short = any(1 in its and 1 not in known for (_, known), (_, its) in pairs)
        if short and its_text != text:
            # An axis of length 1 has different rules: nothing is summed along it.
            continue
        for k, size in enumerate(_chosen_sizes(other)):
            if untried.get(k) != size:
                untried.pop(k, None)
        if its_sizes != sizes:
            sizes_vary = True
            if its_text != text:
                fixed += of_labels + choosing
        elif its_text != text:
            raise ProgramError(_HIDDEN)
    if untried:
        fixed += choosing
    if not {*fixed} <= {*kinds}:
        raise ProgramError(
            "f: got a program that depends on how many entries a comparison chooses, expected one "
            "valid for other numbers; write np.sum(…) / np.sum(mask) for the mean of x[mask], "
            "choose with np.where, or use grad"
        )
    return sizes_vary, fixed


def _choosing_kinds(computation):
    """The kinds of values that determine the number of entries: truth values in an index, or in
    what an index is computed from, and everything that these are computed from."""
    origins, rows = computation.tape.origins, computation.tape.enclosing.rows
    calls = [origin for _, origin in origins.values()]
    sources = sources_of([call.operands for call in calls])
    calls += [x.origin for x in sources if type(x) is Data]
    indices = [parameters_of(row)["index"] for row in rows if row[0] == "getitem"]
    indices += [call.operands[1] for call in calls if call.function == "__getitem__"]
    kinds = {x.dtype.kind for index in indices for x in _choosing(index, origins)}
    return "".join(sorted(kinds))


def _chosen_sizes(computation):
    """The shapes of arrays selected by masks, in f and its derivative."""
    # The enclosing tape has the rows of f and of its derivative.
    tape = computation.tape
    chosen = [
        shape_of(concrete(row[1]))
        for row in tape.enclosing.rows
        if row[0] == "getitem" and _choosing(parameters_of(row)["index"], tape.origins)
    ]
    return [shape for shape in chosen if shape]


def _choosing(index, origins):
    """The masks in an index, or in what determines its shape, and all they are computed from."""
    found = []
    for part in pytrees.leaves(index):
        origin = getattr(part, "origin", None) or origins.of(part)
        parts = (part, *sources_of(origin.operands)) if origin else ()
        if parts and part.dtype != bool:
            calls = [(origin, part.shape)]
            calls += [(x.origin, x.shape) for x in parts if type(x) is Data]
            shaping = sources_of([_shaping(*call) for call in calls])
            masks = [x for x in shaping if x.dtype == bool]
            parts = (*masks, *sources_of(masks))
        found += parts
    return found


def _shaping(call, shape):
    """The operands of a call, if other values of them could change the shape of its result."""

    def with_others(change):
        def other(x):
            return change(concrete(x)) if type(x) is Data else concrete(x)

        told = [call.operands, call.parameters]
        return called(call.function, *pytrees.tree_map(other, told))

    with contextlib.suppress(Exception):  # invalid values
        if all(np.shape(with_others(change)) == shape for change in MEMORIES):
            return ()
    return call.operands


def _text(computation):
    """The source without its shape comments."""
    return re.sub("  # .*", "", Writer(computation).source)


def _sizes(computation):
    """The operation and the shape of the value of each row."""
    return [(row[0], shape_of(concrete(row[1]))) for row in computation.tape.rows]


# ---------------------------------------------------------------- other data


def _hidden(in_memory, numbers, origin):
    """Other numbers in the memory of all data."""
    return numbers, in_memory(numbers)


def _relabelled(labels, numbers, origin):
    """Other labels, for arguments and for labels computed from numbers, such as np.argsort(x)."""
    if numbers.dtype != bool and numbers.size and not _comes_from(origin, "biuf"):
        numbers = labels(numbers)
    return numbers, numbers


def _flipped(place, everywhere, numbers, origin):
    """Truth values flipped at this place: in arguments and comparisons, so that values computed
    from them follow, or everywhere. Assertions are left alone, so they still hold."""
    changes = everywhere or not _comes_from(origin, "b")
    if numbers.dtype == bool and numbers.size and changes and not is_in_assert():
        numbers = numbers.copy()
        numbers.flat[place] ^= True
    return numbers, numbers


def _comes_from(origin, kinds):
    """Whether something was computed from data of these kinds."""
    sources = sources_of([origin.operands, [*origin.parameters.values()]])
    return any(type(x) is Data and x.dtype.kind in kinds for x in sources)


# Replacements for the numbers in the memory of data.
MEMORIES: list[Callable] = [
    np.zeros_like,
    np.ones_like,
    lambda numbers: counted(numbers, numbers.size),
]
# (the kinds of labels changed, or ""; a ``change`` for ``Origins``)
CHANGES: list[tuple[str, Callable]] = [
    ("iu", functools.partial(_relabelled, labels)) for labels in LABELS
]
# An odd number of entries, so that the number of selected entries changes.
for _place, _everywhere in itertools.product(
    (slice(1), slice(3), slice(-3, None)), (False, True)
):
    CHANGES.append(("", functools.partial(_flipped, _place, _everywhere)))

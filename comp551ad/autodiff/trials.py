"""Trials: a function recorded again with other data, before its program is handed out.

A program must not hold what the function computes from its arguments without a trace, such as
a store into ``np.zeros`` or the number of entries that a mask chooses. Only data can be lost so: a
traced number refuses to be. So the recording is made again with the same numbers, but

- the memory of all data holds other numbers: who reads it without a trace gets those;
- labels, masks and the answers of comparisons are others: other entries are chosen.

Where the text of the program changes, it holds something of the data.
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
    "f: got a program that holds what f computes from its arguments in a way that leaves no trace, "
    "such as w[y] of plain w, a store into np.zeros, w[f'{k}'], or np.where inside a gradient, "
    "expected one that is right for others; compute it outside f and pass it as an argument"
)


def try_others(first: Computation, kinds: str, derive: Callable) -> tuple[bool, str]:
    """Whether a program is right for other arguments.

    Args:
        first: what is to become the program.
        kinds: the kinds of arrays that were data.
        derive: a change of data -> the same with data changed so.

    Returns:
        Whether arrays have other sizes for other arguments, as masks and comparisons choose, and
        for which kinds of data ("b", "iu") the program is right for the recorded ones alone: two
        masks that choose as many entries may do so in fewer places together.

    Raises:
        ProgramError: f computes something from its arguments without a trace, or numbers choose
            how many entries the program works on, which a program can't ask.
    """
    if not first.tape.origins.has_data:
        return False, ""
    choosing = _choosing_kinds(first)
    sizes_vary, fixed = bool(choosing), ""
    sizes, text = _sizes(first), _text(first)
    # A trial tells nothing of the sizes that it leaves as they are.
    untried = dict(enumerate(_chosen_sizes(first)))
    for in_memory in MEMORIES:
        try:
            with silence():
                other = derive(functools.partial(_hidden, in_memory))
                is_same = _text(other) == text
        except Exception as error:
            # Without a look at the memory f runs as before. Labels beyond their range tell nothing.
            is_same = isinstance(error, AssertionError | IndexError)
        if not is_same:
            raise ProgramError(_HIDDEN)
    for of_labels, change in CHANGES:
        try:
            with silence():
                other = derive(change)
                its_sizes, its_text = _sizes(other), _text(other)
        except Exception:
            # It tells nothing: f can't run with these data, or there is no program for them.
            continue
        pairs = zip(sizes, its_sizes, strict=False)
        short = any(1 in its and 1 not in known for (_, known), (_, its) in pairs)
        if short and its_text != text:
            # Rules for an axis of length 1 are others: nothing is summed along it.
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
            "f: got a program that holds how many entries a comparison chooses, expected one "
            "that is right for other numbers; write np.sum(…) / np.sum(mask) for the mean of "
            "x[mask], choose with np.where, or use grad"
        )
    return sizes_vary, fixed


def _choosing_kinds(computation):
    """The kinds of values that choose how many entries there are: truth values in an index, or in
    what one is computed from, and all that these are computed from."""
    origins, rows = computation.tape.origins, computation.tape.enclosing.rows
    calls = [origin for _, origin in origins.values()]
    sources = sources_of([call.operands for call in calls])
    calls += [x.origin for x in sources if type(x) is Data]
    indices = [parameters_of(row)["index"] for row in rows if row[0] == "getitem"]
    indices += [call.operands[1] for call in calls if call.function == "__getitem__"]
    kinds = {x.dtype.kind for index in indices for x in _choosing(index, origins)}
    return "".join(sorted(kinds))


def _chosen_sizes(computation):
    """The shapes of arrays that masks have chosen, in f and its derivative."""
    # All of f's rows are on the enclosing tape, and those of its derivative.
    tape = computation.tape
    chosen = [
        shape_of(concrete(row[1]))
        for row in tape.enclosing.rows
        if row[0] == "getitem" and _choosing(parameters_of(row)["index"], tape.origins)
    ]
    return [shape for shape in chosen if shape]


def _choosing(index, origins):
    """The masks in an index, or in what gives it its shape, and all they are computed from."""
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
    """The operands of a call, if other values of theirs may give what it gives another shape."""

    def with_others(change):
        def other(x):
            return change(concrete(x)) if type(x) is Data else concrete(x)

        told = [call.operands, call.parameters]
        return called(call.function, *pytrees.tree_map(other, told))

    with contextlib.suppress(Exception):  # values that it can't have
        if all(np.shape(with_others(change)) == shape for change in MEMORIES):
            return ()
    return call.operands


def _text(computation):
    """The source without the comments that tell shapes."""
    return re.sub("  # .*", "", Writer(computation).source)


def _sizes(computation):
    """For each row its operation and the shape of its value."""
    return [(row[0], shape_of(concrete(row[1]))) for row in computation.tape.rows]


# ---------------------------------------------------------------- other data


def _hidden(in_memory, numbers, origin):
    """Other numbers in the memory of all data."""
    return numbers, in_memory(numbers)


def _relabelled(labels, numbers, origin):
    """Other labels: among the arguments, and of those that numbers give, such as np.argsort(x)."""
    if numbers.dtype != bool and numbers.size and not _comes_from(origin, "biuf"):
        numbers = labels(numbers)
    return numbers, numbers


def _flipped(place, everywhere, numbers, origin):
    """Truth values with others at this place: of the arguments and of comparisons, so that what is
    computed from them goes with it, or everywhere. An assertion goes on to hold."""
    changes = everywhere or not _comes_from(origin, "b")
    if numbers.dtype == bool and numbers.size and changes and not is_in_assert():
        numbers = numbers.copy()
        numbers.flat[place] ^= True
    return numbers, numbers


def _comes_from(origin, kinds):
    """Whether data of these kinds are among what something was computed from."""
    sources = sources_of([origin.operands, [*origin.parameters.values()]])
    return any(type(x) is Data and x.dtype.kind in kinds for x in sources)


# What the memory of data holds in place of their numbers.
MEMORIES: list[Callable] = [
    np.zeros_like,
    np.ones_like,
    lambda numbers: counted(numbers, numbers.size),
]
# (kinds of labels, if they are changed; a change as ``Origins`` has it)
CHANGES: list[tuple[str, Callable]] = [
    ("iu", functools.partial(_relabelled, labels)) for labels in LABELS
]
# An odd number of entries, so that another number of them is chosen.
for _place, _everywhere in itertools.product(
    (slice(1), slice(3), slice(-3, None)), (False, True)
):
    CHANGES.append(("", functools.partial(_flipped, _place, _everywhere)))

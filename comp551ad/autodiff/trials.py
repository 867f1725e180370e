"""Trials: a function recorded again for other arguments, before its program is handed out.

A program must not hold what the function computes from its arguments without a trace, such as
a store into ``np.zeros`` or the number of entries that a mask chooses. That shows in a recording of
other arguments: numbers negated, labels all the same or one after the other, neighbours made equal.
"""

import functools
import itertools
import re
from collections.abc import Callable

import numpy as np

from comp551ad import pytrees

from .arguments import is_data, is_number, silence, stays
from .data import Data, sources_of
from .emit import Computation, ProgramError, Writer
from .operands import parameters_of
from .primitives import shape_of
from .tape import concrete


def try_others(
    first: Computation, given: list, kinds: str, derive: Callable
) -> tuple[bool, str]:
    """Whether a program is right for other arguments.

    Args:
        first: what is to become the program.
        given: the arguments.
        kinds: the kinds of arrays that were data.
        derive: other arguments -> the same of them.

    Returns:
        Whether arrays have other sizes for other arguments, as masks and comparisons choose, and
        for which kinds of data ("b", "iu") the program is right for the recorded ones alone: two
        masks that choose as many entries may do so in fewer places together.

    Raises:
        ProgramError: f computes something from its arguments without a trace, or numbers choose
            how many entries the program works on, which a program can't ask.
    """
    choosing = _choosing_kinds(first)
    sizes_vary, fixed = bool(choosing), ""
    if not first.tape.origins.has_data:
        return sizes_vary, fixed
    leaves = pytrees.leaves(given)
    known = _sizes(first), _text(first)
    # A trial tells nothing of the sizes that it leaves as they are.
    untried = dict(enumerate(_chosen_sizes(first)))
    for which, change in CHANGES:

        def changed(leaf, change=change):
            return leaf if stays(leaf, kinds) and not is_data(leaf) else change(leaf)

        if all(changed(leaf) is leaf for leaf in leaves):
            continue
        sizes = text = None
        try:
            with silence():
                other = derive(*pytrees.tree_map(changed, given))
                sizes = _sizes(other)
                text = _text(other)
            for k, size in enumerate(_chosen_sizes(other)):
                if which and untried.get(k) != size:
                    untried.pop(k, None)
        except ProgramError:
            # For these there is no program.
            pass
        except Exception:
            # They tell nothing: f can't run with them, or a rule needs a⁻¹ of a singular a.
            continue
        if sizes == known[0] and text != known[1]:
            raise ProgramError(
                "f: got a program that holds what f computes from its arguments in a way that "
                "leaves no trace, such as w[y] of plain w, a store into np.zeros, or w[f'{k}'], "
                "expected one that is right for others; compute it outside f and pass it as an "
                "argument"
            )
        if sizes != known[0] and which:
            sizes_vary = True
            if text != known[1]:
                fixed += which + choosing
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
    """The shapes of what masks among the arguments have chosen together with others, where two
    changes may make up for each other, in f and its derivative."""
    # All of f's rows are on the enclosing tape, and those of its derivative.
    tape, sizes = computation.tape, []
    for row in [row for row in tape.enclosing.rows if row[0] == "getitem"]:
        parts = _choosing(parameters_of(row)["index"], tape.origins)
        data = [x for x in parts if type(x) is Data and x.origin is not None]
        is_given = any(x.dtype == bool and not x.origin.function for x in data)
        if is_given and len(parts) > 2:
            sizes.append(shape_of(concrete(row[1])))
    return sizes


def _choosing(index, origins):
    """The masks in an index, or in what it is computed from, and all they are computed from."""
    found = []
    for part in pytrees.leaves(index):
        origin = getattr(part, "origin", None) or origins.of(part)
        parts = (part, *sources_of(origin.operands)) if origin else ()
        if parts and part.dtype != bool:
            masks = [x for x in parts if x.dtype == bool]
            parts = (*masks, *sources_of(masks))
        found += parts
    return found


def _text(computation):
    """The source without the comments that tell shapes."""
    return re.sub("  # .*", "", Writer(computation).source)


def _sizes(computation):
    """For each row its operation and the shape of its value."""
    return [(row[0], shape_of(concrete(row[1]))) for row in computation.tape.rows]


# ---------------------------------------------------------------- other arguments


def _negated(leaf):
    """A number, or an array of them, with the other sign; anything else as it is."""
    is_other = is_data(leaf) or not is_number(leaf)
    return leaf if is_other else -np.asarray(leaf, dtype=float)[()]


def _all_as(label, leaf):
    """Data whose entries are all this label, or the first; anything else as it is."""
    if not is_data(leaf) or not leaf.size:
        return leaf
    value = leaf.flat[0] if label is None else label
    return np.full(leaf.shape, value).astype(leaf.dtype)


def _counted(leaf):
    """Data that count as far as they went, at least to 1; anything else as it is."""
    if not is_data(leaf) or not leaf.size:
        return leaf
    return np.resize(np.arange(max(1, np.max(leaf)) + 1), leaf.shape).astype(leaf.dtype)


def _with_equals(kinds, odd, leaf):
    """An array of these kinds with neighbours by size made equal in pairs, the first two or after
    an odd one: less is above what lies between two. A mask chooses one entry less."""
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


# Which arrays they change, if one is to look at sizes: floats, or data.
CHANGES: list[tuple[str, Callable]] = [("f", _negated)]
# An index of -1 is the last one; a truth value is then True.
for _label in (None, -1):
    CHANGES.append(("", functools.partial(_all_as, _label)))
CHANGES.append(("", _counted))
for _which, _odd in itertools.product(("f", "iu", "b"), (0, 1)):
    CHANGES.append((_which, functools.partial(_with_equals, _which, _odd)))

"""The machine writes the backward pass: a trace becomes NumPy source.

``write_gradient`` records a function, differentiates the record (the derivative of a trace is a
trace too), simplifies both together, and writes them down as a NumPy function. From the deck's
``cost`` it writes the deck's ``gradients``. The text is there to be read, line against line with
one's own derivation, and it runs.

Reads: ``trace``, ``reverse``, ``expressions``, ``source``, ``buffered``.
Read by: notebooks and tests.
"""

import functools
import inspect
import operator
import threading
from dataclasses import dataclass

import numpy as np

from . import trees
from .buffered import BufferedWriter
from .expressions import recognise
from .primitives import shape_of
from .reverse import pull_back
from .source import ProgramError, Writer
from .trace import (
    bind,
    call_and_see_locals,
    local_names,
    read_outputs,
    signature_of,
    trace_inputs,
)
from .traced import Traced, new_tape

_FORM = operator.attrgetter("shape", "dtype", "__class__")
LONGEST = 5000  # operations: compiling costs some 20 microseconds each


# ---------------------------------------------------------------- what is called from outside


def write_gradient(
    f, /, *args, wrt=0, value=False, buffered=False, **kwargs
) -> "Program":
    """Write the gradient of ``f`` as NumPy source, for arguments shaped like these (S09, S14).

    Args:
        f: a function that returns one number.
        *args, **kwargs: arguments to record it with; their shapes become the program's.
        wrt: a parameter's name or position, or a tuple of them (the gradient is then a tuple).
        value: write the value as well: the program returns (value, gradient).
        buffered: write for speed instead of for reading: every result goes into an array that
            is allocated once and used again.

    Returns:
        A ``Program``: ``p.source`` is the text, ``p(*args)`` runs it.

    Raises:
        ProgramError: f's course depended on the values of its arguments (the text names the
            line), or the source would hold a large array or be too long.
        TraceError: as ``record`` does.
    """
    return _write(f, args, kwargs, wrt, value, buffered)


def write_value(f, /, *args, buffered=False, **kwargs) -> "Program":
    """Write ``f`` itself as NumPy source, for arguments shaped like these."""
    return _write(f, args, kwargs, None, True, buffered)


class Program:
    """A written program. It runs for arguments of the shapes it was written for.

    Attributes:
        source: the NumPy source, a module that defines ``function``.
        function: the function that the source defines.
        simplified: what was simplified, a sentence each.
    """

    def __init__(self, source, name, simplified, f, arguments):
        self.source = source
        self.simplified = simplified
        self.function = _compiled(source, name)
        self._f = f
        self._arguments = arguments  # parameter -> what is remembered of its argument
        kinds = [p.kind for p in signature_of(f).parameters.values()]
        self._gathers = inspect.Parameter.VAR_POSITIONAL in kinds  # def f(*xs)
        shapes = [getattr(a, "shape", ()) or None for a in arguments.values()]
        self._forms = [(shape, np.dtype(np.float64), np.ndarray) for shape in shapes]
        functools.update_wrapper(self, self.function)

    def __call__(self, *args, **kwargs):
        """Run the program.

        Raises:
            ProgramError: an argument's shape, structure or setting isn't the recorded one.
        """
        if kwargs or not self._fit(args):
            args = self._arguments_of(args, kwargs)
        return self.function(*args)

    def _fit(self, args) -> bool:
        """Whether these are arrays that need no closer look: all in the form recorded."""
        try:
            return list(map(_FORM, args)) == self._forms
        except AttributeError:  # a number, a container …
            return False

    def _arguments_of(self, args, kwargs) -> list:
        """The arguments in the order of the parameters, each as it was recorded."""
        recorded = self._arguments
        if kwargs or self._gathers or len(args) != len(recorded):
            bound = bind(self._f, args, kwargs)
            if bound.arguments.keys() != recorded.keys():
                raise ProgramError(
                    f"arguments: got {', '.join(bound.arguments)}, but the program was "
                    f"written for {', '.join(recorded)}; write it again"
                )
            args = tuple(bound.arguments.values())
        pairs = zip(args, recorded.values(), recorded, strict=True)
        return [_checked(*pair) for pair in pairs]

    def __repr__(self):
        return self.source

    def _repr_html_(self):
        text = self.source.replace("&", "&amp;").replace("<", "&lt;")
        return f"<pre><code>{text}</code></pre>"


class BufferedProgram(Program):
    """A program whose intermediate results live in arrays that are used again.

    ``readable`` is the same program written for reading. It runs instead while the arrays are
    in use already (another thread, a call from within), and when the program is itself recorded.
    """

    def __init__(self, source, name, simplified, f, arguments, readable):
        super().__init__(source, name, simplified, f, arguments)
        self.readable = readable
        self._in_use = threading.Lock()

    def __call__(self, *args, copy=True, **kwargs):
        """Run the program. With ``copy=False`` the results are the program's own arrays,
        overwritten by the next call."""
        if kwargs or not self._fit(args):
            args = self._arguments_of(args, kwargs)
            if any(type(leaf) is Traced for leaf in trees.leaves(args)):
                return self.readable.function(*args)
        if not self._in_use.acquire(False):
            return self.readable.function(*args)
        try:
            return self.function(*args, copy)
        finally:
            self._in_use.release()


def _compiled(source, name):
    namespace = {}
    exec(compile(source, f"<written {name}>", "exec"), namespace)
    return namespace[name]


@dataclass(frozen=True)
class _Number:
    """A recorded number."""

    shape = ()


@dataclass(frozen=True)
class _Array:
    """A recorded array."""

    shape: tuple


@dataclass(frozen=True)
class _Setting:
    """A recorded argument that is no number: the program holds for this one only."""

    value: object


def _example(tree):
    """What a program remembers of an argument, in the argument's structure."""

    def of_leaf(leaf):
        if type(leaf) is not Traced:
            return _Setting(leaf)
        return _Array(leaf.shape) if leaf.shape else _Number()

    return trees.rebuild(tree, iter([of_leaf(leaf) for leaf in trees.leaves(tree)]))


def _checked(x, example, name):
    """An argument in the form that was recorded, or an error."""
    if type(example) is _Array:
        if type(x) is np.ndarray and x.dtype == np.float64 and x.shape == example.shape:
            return x
    elif type(example) is _Setting:
        if x is example.value or x == example.value:
            return x
        raise ProgramError(
            f"{name}: got {x!r}, but the program was written for {example.value!r}; write "
            "it again"
        )
    elif trees.is_container(example):
        if not trees.same_structure(x, example):
            raise ProgramError(
                f"{name}: its structure isn't the recorded one; write the program again"
            )
        names = trees.leaf_names(x, name)
        pairs = zip(trees.leaves(x), trees.leaves(example), names, strict=True)
        return trees.rebuild(x, iter([_checked(*pair) for pair in pairs]))
    if type(x) is not Traced:  # traced: the program itself is being recorded
        x = np.asarray(x)
        if x.dtype.kind not in "fiu":
            raise ProgramError(f"{name}: got {x.dtype}, expected real numbers")
        x = x.astype(np.float64) if x.shape else float(x)
    if shape_of(x) != example.shape:
        raise ProgramError(
            f"{name}: got shape {shape_of(x)}, but the program was written for "
            f"{example.shape}; write it again for the new shape"
        )
    return x


# ---------------------------------------------------------------- recording and deriving


def _write(f, args, kwargs, wrt, value, buffered):
    bound = bind(f, args, kwargs)
    parameters = dict(bound.arguments)
    chosen, single = _chosen(wrt, list(parameters))
    with new_tape(watch=True) as outer:
        one = outer.add_input(1.0)
        with new_tape(watch=True) as tape:
            leaf_names = trace_inputs(
                bound, lambda x: tape.add_input(outer.add_input(x))
            )
            arguments = dict(bound.arguments)
            result, local = call_and_see_locals(f, bound)
            out_rows, out_values = read_outputs(result, tape)
        local = [
            (name, value)
            for name, value in local_names(local, tape, set(leaf_names))
            if value.index >= len(leaf_names)
        ]
        derivative_of = {}
        if wrt is not None:
            if trees.is_container(result) or shape_of(_number(out_values[0])):
                raise ProgramError(
                    "the function returned more than one number; a gradient needs one: "
                    "return a sum or mean, or one of the numbers"
                )
            seeds = [] if out_rows[0] is None else [(out_rows[0], one)]
            adjoints = pull_back(recognise(tape.rows), seeds)
            derivative_of = dict(enumerate(adjoints))
    _refuse_branches(outer.decisions)
    if len(outer.rows) > LONGEST:
        raise ProgramError(
            f"the program would have {len(outer.rows)} operations, at most {LONGEST} are "
            "written; use grad"
        )
    examples = {name: _example(tree) for name, tree in arguments.items()}

    def written_by(kind):
        writer = kind(f, outer.rows, arguments, local, derivative_of)
        name, source = writer.module(
            [(parameter, arguments[parameter]) for parameter in chosen],
            single,
            (result, out_values) if value else None,
        )
        return source, name, writer.simplified(), f, examples

    readable = Program(*written_by(Writer))
    if not buffered:
        return readable
    return BufferedProgram(*written_by(BufferedWriter), readable)


def _number(value):
    return value.value if type(value) is Traced else float(value)


def _chosen(wrt, names):
    """The parameters that ``wrt`` means, and whether it was one alone."""
    if wrt is None:
        return [], True
    single = not isinstance(wrt, tuple)
    chosen = []
    for w in (wrt,) if single else wrt:
        by_number = isinstance(w, int) and -len(names) <= w < len(names)
        if not by_number and w not in names:
            raise ProgramError(
                f"wrt: got {w!r}, expected one of {', '.join(names)}, or a position"
            )
        chosen.append(names[w] if by_number else w)
    return chosen, single


def _refuse_branches(decisions):
    if decisions:
        question, file, line = decisions[0]
        raise ProgramError(
            f"line {line} of {file} looks at a value ({question}): other arguments may take "
            "another branch, and a program can't; use np.maximum, np.minimum, relu or "
            "np.abs in its place, or grad, which runs the function each time"
        )

"""The machine writes the backward pass: a trace becomes NumPy source.

``write_gradient`` records a function, differentiates the record (the derivative of a trace is a
trace too), simplifies both together, and writes them down as a NumPy function. From the deck's
``cost`` it writes the deck's ``gradients``. The text is there to be read, line against line with
one's own derivation, and it runs.

Reads: ``traced``, ``trace``, ``reverse``, ``pytrees``, ``expressions``, ``source``, ``buffered``.
Read by: notebooks and tests.
"""

import functools
import inspect
import operator
import threading
from dataclasses import dataclass

import numpy as np

from comp551ad import pytrees

from .arguments import Call, names_by_place, signature_of
from .buffered import BufferedWriter
from .expressions import recognise
from .operands import as_input
from .passes import pull_back
from .primitives import shape_of
from .refusals import TraceError, kind_of
from .source import ProgramError, Writer
from .tape import Tape, Tracer, concrete, operands_of, read_outputs
from .trace import local_names

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
        wrt: a parameter's name, or a position in the call, or a tuple of them (the gradient is
            then a tuple).
        value: write the value as well: the program returns (value, gradient).
        buffered: write for speed instead of for reading: every result goes into an array that
            is allocated once and used again.

    Returns:
        A ``Program``: ``p.source`` is the text, ``p(*args)`` runs it. What f reads from elsewhere
        (globals, variables of a function around it) is written down as it is now: later changes
        of it, and branches that it decides, don't reach the program. Numbers are gathered and
        minus signs moved, so a result may differ in its last digits, and the sign of a zero may
        differ: of np.sum(-x), written -np.sum(x), and with it the sign of 1 / np.sum(-x) at
        zero, or of another infinite result.

    Raises:
        ProgramError: f's course depended on the values of its arguments (the text names the
            line), wrt means no numbers of this call, or the source would hold a large array or
            be too long.
        TraceError: as ``record`` does.
    """
    return _write(f, args, kwargs, wrt, value, buffered)


def write_value(f, /, *args, buffered=False, **kwargs) -> "Program":
    """Write ``f`` itself as NumPy source, for arguments shaped like these.

    What ``write_gradient`` says of its programs holds for this one too.
    """
    return _write(f, args, kwargs, None, True, buffered)


class Program:
    """A written program. It runs for arguments of the shapes it was written for.

    Arguments that are no numbers are settings: the program holds for an equal one of the same
    class. Of an object that can change (no array, set or container) only you know whether it
    has, as of everything that f reads without its being an argument: a global, a closure.

    Attributes:
        source: the NumPy source, a module that defines ``function``.
        function: the function that the source defines. It checks nothing, and its scalars are
            NumPy's: 1 / x of Python's 0.0 is an error, of ``np.float64(0)`` inf.
        simplified: what was simplified, a sentence each.
    """

    def __init__(self, name, source, results, simplified, signature, arguments):
        self.source = source
        self.simplified = simplified
        self.function = _compiled(source, name)
        self.__signature__ = signature  # f's: the source may name a parameter otherwise
        self._arguments = arguments  # parameter -> what is remembered of its argument
        self._results = results  # their structure
        numbers = any(
            type(leaf) is _Number for leaf in pytrees.leaves([*arguments.values()])
        )
        self._finished = not numbers and _is_ordinary(results)
        self._by_place = names_by_place(self)[: len(arguments)] == list(arguments)
        self._forms = None  # of arguments that are all arrays: then one look tells
        if self._by_place and all(type(a) is _Array for a in arguments.values()):
            kind = np.dtype(np.float64), np.ndarray
            self._forms = [(a.shape, *kind) for a in arguments.values()]
        functools.update_wrapper(self, self.function)

    def __call__(self, *args, **kwargs):
        """Run the program.

        Raises:
            ProgramError: an argument's shape, structure or setting isn't the recorded one.
        """
        if kwargs or not self._fit(args):
            args = self._arguments_of(args, kwargs)
        result = self.function(*args)
        return result if self._finished else self._finish(result)

    def _fit(self, args) -> bool:
        """Whether these are arrays that need no closer look: all in the form recorded."""
        try:
            return bool(self._forms) and list(map(_FORM, args)) == self._forms
        except AttributeError:  # a number, a container …
            return False

    def _arguments_of(self, args, kwargs) -> list:
        """The arguments in the order of the parameters, each as it was recorded."""
        recorded = self._arguments
        if kwargs or not self._by_place or len(args) != len(recorded):
            bound = self.__signature__.bind(*args, **kwargs)
            if bound.arguments.keys() != recorded.keys():
                raise ProgramError(
                    f"arguments: got {', '.join(bound.arguments)}, but the program was "
                    f"written for {', '.join(recorded)}; write it again"
                )
            args = [bound.arguments[name] for name in recorded]
        triples = zip(args, recorded.values(), recorded, strict=True)
        return [_checked(*triple) for triple in triples]

    def _finish(self, result):
        """The result in f's own classes of containers, with Python's numbers for NumPy's."""
        leaves = pytrees.leaves(result)
        own = (float(x) if type(x) is np.float64 else x for x in leaves)
        return pytrees.unflatten(self._results, own)

    def __reduce__(self):
        """A copy, or what comes out of a pickle, is compiled from the source again."""
        written = self.function.__name__, self.source, self._results, self.simplified
        return type(self), (*written, self.__signature__, self._arguments)

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

    def __init__(self, *written):
        *written, readable = written
        super().__init__(*written)
        self.readable = readable
        self._in_use = threading.Lock()

    def __call__(self, *args, copy=True, **kwargs):
        """Run the program.

        With ``copy=False`` the results are the program's own arrays, which the next call
        overwrites: use them before it, and don't hand them to it as arguments.
        """
        if kwargs or not self._fit(args):
            args = self._arguments_of(args, kwargs)
            if any(type(leaf) is Tracer for leaf in pytrees.leaves(args)):
                return self._finish(self.readable.function(*args))
        if not self._in_use.acquire(False):
            result = self.readable.function(*args)
        else:
            try:
                result = self.function(*args, copy)
            finally:
                self._in_use.release()
        return result if self._finished else self._finish(result)

    def __reduce__(self):
        kind, written = super().__reduce__()
        return kind, (*written, self.readable)


def _compiled(source, name):
    namespace = {}
    exec(compile(source, f"<written {name}>", "exec"), namespace)
    return namespace[name]


def _is_ordinary(tree):
    """Whether a container and those inside it are plain tuples, lists and dicts."""
    if not pytrees.is_container(tree):
        return True
    children = tree.values() if isinstance(tree, dict) else tree
    return type(tree) in (tuple, list, dict) and all(map(_is_ordinary, children))


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
        if type(leaf) is not Tracer:
            changes = isinstance(leaf, np.ndarray | set)
            return _Setting(leaf.copy() if changes else leaf)
        return _Array(leaf.shape) if leaf.shape else _Number()

    return pytrees.unflatten(
        tree, iter([of_leaf(leaf) for leaf in pytrees.leaves(tree)])
    )


def _checked(x, example, name):
    """An argument in the form that was recorded, or an error."""
    if type(example) is _Array:
        if type(x) is np.ndarray and x.dtype == np.float64 and x.shape == example.shape:
            return x
    elif type(example) is _Number:
        if type(x) is float:
            return np.float64(x)  # with which 1 / 0 is inf, as when it was recorded
    elif type(example) is _Setting:
        _check_setting(x, example.value, name)
        return x
    else:
        return pytrees.unflatten(example, _checked_leaves(x, example, name))
    try:
        x = x if type(x) is Tracer else as_input(x, name)
    except TraceError as error:
        raise ProgramError(str(error)) from None
    except ValueError as error:
        raise ProgramError(
            f"{name}: got a {kind_of(x)} that is no array: {error}"
        ) from None
    if shape_of(x) != example.shape:
        raise ProgramError(
            f"{name}: got shape {shape_of(x)}, but the program was written for "
            f"{example.shape}; write it again for the new shape"
        )
    return np.float64(x) if type(x) is float else x


def _checked_leaves(x, example, name):
    """The leaves of a container, in the order of the recorded one."""
    if not pytrees.is_container(example):
        yield _checked(x, example, name)
        return
    if not isinstance(x, type(example)) or not pytrees.same_structure(x, example):
        raise ProgramError(
            f"{name}: its structure isn't the recorded one; write the program again"
        )
    pairs = example.items() if isinstance(example, dict) else enumerate(example)
    for key, child in pairs:
        yield from _checked_leaves(x[key], child, f"{name}[{key!r}]")


def _check_setting(x, recorded, name):
    """Refuse a setting that isn't the recorded one, or can't be told from others."""
    try:
        if _same_setting(x, recorded):
            return
    except Exception as error:  # whatever the setting's own == raises
        raise ProgramError(
            f"{name}: got a {kind_of(x)} that can't be compared with the one the program was "
            f"written for ({error}); write it again for this one"
        ) from None
    if type(x) is type(recorded) and not _compares(x):
        raise ProgramError(
            f"{name}: got another {kind_of(x)} than the program was written for; as it can "
            "change, only the very same object is taken: pass that one, or write it again"
        )
    raise ProgramError(
        f"{name}: got {x!r}, but the program was written for {recorded!r}; write it again"
    )


def _same_setting(x, recorded):
    """Whether a setting is the recorded one: 1 isn't True, nor is an equal list a tuple."""
    if type(x) is not type(recorded):
        return False
    if isinstance(recorded, np.ndarray):
        masks = np.ma.getmask(x), np.ma.getmask(recorded)  # array_equal ignores them
        equal = x.dtype == recorded.dtype and np.array_equal(x, recorded)
        return equal and np.array_equal(*masks)
    if x is recorded or not _compares(x):
        return x is recorded
    return bool(_with_kinds(x) == _with_kinds(recorded))


def _compares(x):
    """Whether equal settings are one and the same: of what can change, arrays and these two."""
    return type(x).__hash__ is not None or isinstance(x, np.ndarray | slice | set)


def _with_kinds(x):
    """A setting with the classes of what a set or tuple holds, for True == 1."""
    if isinstance(x, tuple):
        return type(x), tuple(map(_with_kinds, x))
    if isinstance(x, set | frozenset):
        return type(x), frozenset(map(_with_kinds, x))
    return type(x), x


# ---------------------------------------------------------------- recording and deriving


def _write(f, args, kwargs, wrt, value, buffered):
    call = Call.of(f, args, kwargs, whole=tuple(signature_of(f).parameters))
    if buffered and "copy" in {*call.slots, *kwargs}:
        raise ProgramError(
            "copy: a buffered program has a parameter of this name; call yours otherwise"
        )
    with Tape(watch=True) as outer:
        one = outer.add_input(1.0, "seed")
        with Tape(watch=True) as tape:
            leaf_names = call.trace(
                lambda x, name: tape.add_input(outer.add_input(x, name), name)
            )
            arguments = {  # f may change its own
                name: pytrees.unflatten(tree, iter(pytrees.leaves(tree)))
                for name, tree in call.slots.items()
            }
            examples = {name: _example(tree) for name, tree in arguments.items()}
            chosen, single = _chosen(wrt, f, arguments)
            result, local = call.run_and_see_locals()
            out_rows, out_values = read_outputs(result, tape)
        _refuse_strangers(outer, out_values)
        local = [
            (name, value)
            for name, value in local_names(local, tape, set(leaf_names))
            if value.index >= len(leaf_names)
        ]
        derivative_of = {}
        if wrt is not None:
            if pytrees.is_container(result) or np.shape(concrete(out_values[0])):
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

    def written_by(kind):
        writer = kind(f, outer.rows, arguments, local, derivative_of)
        module = writer.module(chosen, single, (result, out_values) if value else None)
        return *module, writer.simplified(), signature_of(f), examples

    readable = Program(*written_by(Writer))
    if not buffered:
        return readable
    return BufferedProgram(*written_by(BufferedWriter), readable)


def _chosen(wrt, f, arguments):
    """(name, argument) of each that ``wrt`` means, and whether it was one alone."""
    if wrt is None:
        return [], True
    kinds = {name: p.kind for name, p in signature_of(f).parameters.items()}
    places, slots = names_by_place(f), {}
    for name, tree in arguments.items():
        if kinds[name] is inspect.Parameter.VAR_POSITIONAL:  # each has a place
            each = {f"{name}[{k}]": child for k, child in enumerate(tree)}
            places += each
            slots |= each
        else:
            slots[name] = tree
    named = arguments | slots
    single = not isinstance(wrt, tuple)
    chosen = []
    for w in (wrt,) if single else wrt:
        name = w
        if type(w) is int:
            order = places if w >= 0 else list(slots)  # from the end: of what was given
            name = order[w] if -len(order) <= w < len(order) else None
        if not isinstance(name, str) or name not in named:
            raise ProgramError(
                f"wrt: got {w!r}, expected one of {', '.join(arguments)} (the arguments of "
                "this call), or the position of one of them"
            )
        tree = named[name]
        for leaf_name, leaf in zip(
            pytrees.leaf_names(tree, name), pytrees.leaves(tree), strict=True
        ):
            if type(leaf) is not Tracer:
                raise ProgramError(
                    f"wrt: {leaf_name} is {leaf!r}, expected real numbers; keep it out of "
                    "the arguments to differentiate by"
                )
        chosen.append((name, tree))
    return chosen, single


def _refuse_strangers(tape, results):
    """Refuse values of a recording further out, which would be constants of the program."""
    operands = [operand for row in tape.rows for operand in operands_of(row)]
    if any(
        type(value) is Tracer and value.tape is not tape for value in operands + results
    ):
        raise ProgramError(
            "the function uses a value that is itself being recorded (of a function around "
            "it); a program holds plain numbers only: pass the value in as an argument"
        )


def _refuse_branches(decisions):
    if decisions:
        question, file, line = decisions[0]
        raise ProgramError(
            f"line {line} of {file} looks at a value ({question}): other arguments may take "
            "another branch, and a program can't; use np.maximum, np.minimum, relu or "
            "np.abs in its place, or grad, which runs the function each time"
        )

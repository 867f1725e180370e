"""The machine writes the backward pass: a trace becomes NumPy source.

``write_gradient`` records a function, differentiates the recording (the derivative of a trace is a
trace too), simplifies both together, and writes them as a NumPy function. From the deck's ``cost``
it writes the deck's ``gradients``. The source is meant to be compared line by line with one's own
derivation, and it runs.
"""

import contextlib
import functools
import html
import operator
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comp551ad import pytrees

from .arguments import Call, code_of, is_data, names_by_place, silence, with_integers
from .data import Data, one_hot, snapshot
from .emit import BufferedWriter, Computation, Output, ProgramError, Writer
from .javascript import JavaScriptWriter
from .operands import Origins, as_input, operands_of
from .passes import pull_back
from .primitives import shape_of
from .refusals import TraceError, kind_of
from .simplify import Expressions, is_view, recognise
from .tape import Tape, Tracer, concrete
from .trace import Recording
from .transforms import own
from .trials import try_others

_FORM = operator.attrgetter("shape", "dtype")

# ---------------------------------------------------------------- public functions


def write_gradient(
    f: Callable,
    /,
    *args: Any,
    wrt: Any = 0,
    value: bool = False,
    buffered: bool = False,
    language: str = "numpy",
    **kwargs: Any,
) -> "Program":
    """Write the gradient of ``f`` as source, for arguments shaped like these (S09, S14).

    Args:
        f: a function that returns one number.
        *args, **kwargs: arguments to record it with; their shapes become the program's.
        wrt: a parameter's name, or a position in the call, or a tuple of them (the gradient is
            then a tuple).
        value: write the value too: the program returns (value, gradient).
        buffered: write for speed instead of readability: every result goes into an array that
            is allocated once and reused.
        language: "numpy" or "javascript". JavaScript source is a module whose default export takes
            and returns numbers and nested arrays; it runs in a page or in node.

    Returns:
        A ``Program``: ``p.source`` is the text, ``p(*args)`` runs it. Other values that f reads
        (globals, variables of enclosing functions) are written with their current values. Numbers
        are collected and minus signs moved, so a result may differ in its last digits, and a zero
        in its sign: np.sum(-x) is written -np.sum(x).

    Raises:
        ProgramError: f branched on the values of its arguments (the message names the line), f
            returns a different value each time, wrt doesn't select numbers of this call, or the
            source would contain a large array, or the number of entries a comparison selects.
        TraceError: as for ``record``.
    """
    return _write(f, args, kwargs, wrt, value, buffered, language)


def write_value(
    f: Callable,
    /,
    *args: Any,
    buffered: bool = False,
    language: str = "numpy",
    **kwargs: Any,
) -> "Program":
    """Write ``f`` itself as source, for arguments shaped like these.

    The arguments, the program and the errors are those of ``write_gradient``.
    """
    return _write(f, args, kwargs, None, True, buffered, language)


class Program:
    """A written program. It runs for arguments of the shapes it was written for.

    Arguments that aren't numbers are settings: the program is valid for settings equal (==) to the
    recorded ones. It can't detect that one was modified since, or that something else that f reads
    (a global, a closure variable) has changed.

    Attributes:
        source: the source, a module that defines ``function``.
        function: the function that the source defines, compiled on first use. It doesn't check or
            copy anything, and expects NumPy scalars: 1 / x raises for Python's 0.0 and is inf for
            ``np.float64(0)``.
    """

    __wrapped__ = property(lambda self: self.function)

    def __init__(self, writer: Writer, fixed: str):
        computation = writer.computation
        self.source = writer.source
        self.__name__, self.__doc__ = writer.name, computation.title
        # The signature of f: the source may rename a parameter.
        self.__signature__ = computation.call.bound.signature
        # Parameter -> an example of its argument: numbers of the shape, data, or the setting.
        self._examples = examples = computation.examples
        # The kinds of data for which the program is valid only as recorded.
        self._fixed = fixed
        self._results = computation.results
        # Fast path: all arguments are arrays, and all results are distinct new arrays.
        results = self._results if type(self._results) is tuple else (self._results,)
        nodes = {x.node for x in results if type(x) is Output}
        self._is_plain = (
            {type(x) for x in examples.values()} == {np.ndarray}
            and names_by_place(self)[: len(examples)] == list(examples)
            and len(nodes) == len(results)
            and all(n.shape and n.operands and not is_view(n) for n in nodes)
        )
        self._forms = [*map(_FORM, examples.values())] if self._is_plain else []

    @functools.cached_property
    def function(self) -> Callable:
        namespace: dict[str, Any] = {}
        exec(compile(self.source, f"<written {self.__name__}>", "exec"), namespace)
        return namespace[self.__name__]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program.

        Raises:
            ProgramError: an argument has another shape, structure or setting than the recorded one.
        """
        checked = self._checked(args, kwargs)
        return self._finish(self.function(*checked), checked)

    def _checked(self, args, kwargs) -> Sequence:
        """The arguments in the order of the parameters, each in the recorded form."""
        if not kwargs and set(map(type, args)) == {np.ndarray}:
            if list(map(_FORM, args)) == self._forms:
                return args
        given = self.__signature__.bind(*args, **kwargs).arguments
        if given.keys() != self._examples.keys():
            raise ProgramError(
                f"arguments: got {', '.join(given)}, expected "
                f"{', '.join(self._examples)}; write the program again for these"
            )
        return [self._as_recorded(name, given[name]) for name in self._examples]

    def _as_recorded(self, name, x):
        """An argument in the recorded form."""
        example = self._examples[name]
        if not pytrees.same_structure(x, example):
            raise _misfit(name, repr(x), "the recorded structure")
        names = pytrees.leaf_names(example, name)
        parts = pytrees.leaves_like(x, example), pytrees.leaves(example)
        leaves = map(self._leaf_as_recorded, names, *parts)
        return pytrees.unflatten(example, leaves)

    def _leaf_as_recorded(self, name, x, example):
        if type(example) not in (float, np.ndarray, Data):
            if _are_equal(x, example):
                return x
            got = kind_of(x) if isinstance(x, np.ndarray) else repr(x)
            raise _misfit(name, got, repr(example))
        if type(example) is Data:
            x = np.asarray(x)
            # As an index, truth values are a mask and integers are positions.
            is_mask = example.dtype == bool
            if x.dtype.kind not in ("b" if is_mask else "iu"):
                expected = "truth values" if is_mask else "whole numbers"
                raise _misfit(name, kind_of(x), expected)
        elif type(x) is not Tracer:
            try:
                x = as_input(x, name)
            except TraceError as error:
                raise ProgramError(str(error)) from None
        if shape_of(x) != np.shape(example):
            raise _misfit(name, f"shape {shape_of(x)}", f"{np.shape(example)}")
        is_fixed = type(example) is Data and example.dtype.kind in self._fixed
        if is_fixed and not np.array_equal(x, example):
            raise ProgramError(
                f"{name}: got data that choose other entries, expected the recorded ones, whose "
                "number is fixed in the program; write the program again for them, or write "
                "np.sum(…) / np.sum(mask) for the mean of x[mask]"
            )
        # With NumPy scalars 1 / 0 is inf, as in the recording.
        return np.float64(x) if type(x) is float else x

    def _finish(self, result, args):
        """The result in f's container types, with Python numbers for NumPy scalars, and arrays that
        don't share memory with an argument or another result."""
        if self._is_plain:
            return result
        taken, found = set(map(id, pytrees.leaves(list(args)))), []
        for x in pytrees.leaves(result):
            if type(x) in (np.ndarray, np.float64) and not x.shape:
                x = x.item()
            elif type(x) is np.ndarray and (x.base is not None or id(x) in taken):
                x = x.copy()
            taken.add(id(x))
            found.append(snapshot(x))
        return pytrees.unflatten(self._results, iter(found))

    def __repr__(self) -> str:
        return self.source

    def _repr_html_(self) -> str:
        return f"<pre><code>{html.escape(self.source, quote=False)}</code></pre>"


class BufferedProgram(Program):
    """A program that reuses the arrays of its intermediate results.

    Attributes:
        readable: the same program written for readability. It runs instead when the program is
            itself recorded.
    """

    def __init__(self, writer: Writer, fixed: str, readable: Program):
        super().__init__(writer, fixed)
        self.readable = readable
        self._one_at_a_time = threading.Lock()

    def __call__(self, *args: Any, copy: bool = True, **kwargs: Any) -> Any:
        """Run the program.

        With ``copy=False`` the results are the program's own arrays, which the next call
        overwrites: use them before that, and don't pass them as arguments to it.
        """
        checked = self._checked(args, kwargs)
        # On the fast path all arguments are plain arrays.
        if checked is not args and Tracer in map(type, pytrees.leaves(list(checked))):
            return self.readable(*args, **kwargs)
        with self._one_at_a_time:
            result = self._finish(self.function(*checked), checked)
            return pytrees.tree_map(own, result) if copy else result


class JavaScriptProgram(Program):
    """A program to be imported in a page or in node."""

    @property
    def function(self) -> Callable:
        raise TypeError(
            f"{self.__name__}: got a call from Python, expected one from a page or node; import "
            'p.source there, or write the program with language="numpy"'
        )


def _misfit(name, got, expected):
    return ProgramError(
        f"{name}: got {got}, expected {expected}; write the program again for it"
    )


def _are_equal(a, b):
    """Whether a == b is a single true value."""
    try:
        equal = a == b
    except Exception:
        # The setting's own == may raise anything.
        return False
    return isinstance(equal, bool | np.bool_) and bool(equal)


# ---------------------------------------------------------------- recording and deriving


def _write(f, args, kwargs, wrt, value, buffered, language):
    if language not in ("numpy", "javascript"):
        raise ProgramError(
            f'language: got {language!r}, expected "numpy" or "javascript"'
        )

    def tried(by_labels):
        def derived(kinds, change=None):
            return _derived(f, args, kwargs, wrt, value, kinds, by_labels, change)

        def checked(kinds):
            found = derived(kinds)
            if found.tape.doubtful:
                _check_elsewhere(f, args, kwargs, kinds)
            if found.call.check(found.result, found.tape, kinds):
                raise ProgramError(
                    "f: got a function that returns a different value each time, such as one that "
                    "draws random numbers, expected the same value; draw them outside f and pass "
                    "them as an argument"
                )
            return found, kinds

        first, kinds = with_integers(checked, [args, kwargs])
        again = functools.partial(derived, kinds)
        return first, *try_others(first, kinds, again)

    try:
        first, sizes_vary, fixed = tried(False)
    except ProgramError as refused:
        try:
            with silence():
                first, sizes_vary, fixed = tried(True)
        except ProgramError:
            raise refused from None

    if language == "javascript":
        return JavaScriptProgram(JavaScriptWriter(first), fixed)
    readable = Program(Writer(first), fixed)
    if not buffered:
        return readable
    # If a mask determines the sizes of arrays, none can be reused.
    writer = Writer if sizes_vary else BufferedWriter
    return BufferedProgram(writer(first), fixed, readable)


def _check_elsewhere(f, args, kwargs, kinds):
    """Raise if the recording has f's value only by chance, such as when a mask selects nothing."""

    def moved(x):
        is_real = isinstance(x, np.ndarray | float) and np.asarray(x).dtype.kind == "f"
        return -3.0 * x if is_real else x

    others = pytrees.tree_map(moved, [list(args), kwargs])
    errors = ArithmeticError, AssertionError, LookupError, ValueError
    with silence(), contextlib.suppress(*errors):
        found = _derived(f, *others, None, True, kinds, False, None)
        found.call.check(found.result, found.tape, kinds)


def _derived(f, args, kwargs, wrt, value, kinds, by_labels, change) -> Computation:
    """Record f, and differentiate the recording. ``by_labels``: compute constants that are one-hot
    labels from these; ``change``: the change of data in a trial (see ``Origins``)."""
    several = wrt if isinstance(wrt, tuple) and wrt else (wrt,)
    call = Call.of(f, args, kwargs, whole=several)
    with Tape(watch=True) as outer:
        outer.origins = Origins()
        outer.origins.change = change or outer.origins.change
        one = outer.add_input(1.0, "seed")
        with _InnerTape(code_of(f)) as tape:
            taken = call.trace(
                lambda x, name: tape.add_input(outer.add_input(x, name), name),
                tape,
                kinds,
            )
            if by_labels:
                every = pytrees.leaves(list(call.slots.values()))
                labels = [x for x in every if is_data(x, "iu")]
                outer.origins.recognise = functools.partial(one_hot, labels)
            # Snapshots, because f may modify its arguments and containers.
            slots = pytrees.tree_map(snapshot, call.slots)
            arguments = call.arguments(slots)
            examples = {}
            for name, tree in arguments.items():
                leaves = pytrees.leaves(tree), pytrees.leaf_names(tree, name)
                examples[name] = pytrees.unflatten(tree, map(_example, *leaves))
            chosen = [] if wrt is None else _chosen(several, call, slots)
            result = call.run()
            out_rows, out_values = tape.read_outputs(result)
        _refuse_branches(tape.decisions)
        _refuse_strangers(outer, out_values)
        adjoints: list = [None] * len(tape.rows)
        if chosen:
            if pytrees.is_container(result) or np.size(concrete(out_values[0])) != 1:
                raise ProgramError(
                    "output: got more than one number, expected one; return a sum or mean, "
                    "or one of the numbers"
                )
            with np.errstate(all="ignore"):  # unused adjoints may overflow too
                adjoints = pull_back(recognise(tape.rows), [(out_rows[0], one)])
    named = [
        (name, tracer.value, adjoints[tracer.index])
        for name, tracer in tape.local_names(set(taken))
        if tracer.index >= len(taken)
    ]
    anchors = {
        adjoint.index: f"d{name}"
        for name, _, adjoint in named
        if type(adjoint) is Tracer
    }
    expressions = Expressions()
    scaled = expressions.read(outer.rows, [expressions.one], anchors, outer)

    def input_of(leaf):
        if type(leaf) is Tracer:
            return scaled[leaf.value.index].node
        return expressions.with_data(leaf, outer) if type(leaf) is Data else leaf

    def gradient_of(leaf):
        node = expressions.node_of(adjoints[leaf.index], outer)
        node = expressions.spread(expressions.as_float(node), leaf.shape)
        return Output(node, input_of(leaf))

    results = []
    if value:
        pairs = zip(pytrees.leaves(result), out_values, strict=True)
        values = (leaf if type(leaf) is Data else value for leaf, value in pairs)
        outputs = (Output(expressions.node_of(x, outer)) for x in values)
        results.append(pytrees.unflatten(result, outputs))
    gradients = tuple(pytrees.tree_map(gradient_of, tree) for _, tree in chosen)
    if chosen:
        results.append(gradients if isinstance(wrt, tuple) else gradients[0])
    # A local variable's adjoint is named d plus its name, even without a factor such as 1/N that
    # has moved on.
    names = [(expressions.node_of(x, outer), name) for name, x, _ in named]
    names += [(scaled[k].node, name) for k, name in anchors.items()]
    name = re.sub(r"\W", "_", getattr(call.f, "__name__", "f")).strip("_")
    title = f"The value of {name}."
    if chosen:
        by = ", ".join(argument for argument, _ in chosen)
        title = f"The gradient of {name} with respect to {by}."
        name = "gradients" if isinstance(wrt, tuple) else "gradient"
    return Computation(
        call=call,
        tape=tape,
        result=result,
        examples=examples,
        inputs=pytrees.tree_map(input_of, arguments),
        results=results[0] if len(results) == 1 else tuple(results),
        names={node: name for node, name in reversed(names) if node.operands},
        expressions=expressions,
        name=name,
        title=title,
    )


class _InnerTape(Recording):
    """The tape that a function is recorded on. Data among the operands becomes an input of the
    outer tape, so that what the rules compute from it is recorded too."""

    def constant(self, value: Any, name: str) -> Any:
        constant = super().constant(value, name)
        if self.origins.of(constant) is None:
            return constant
        tracer = self.enclosing.add_input(constant, name)
        self.origins.note(tracer.value, constant)
        return tracer


def _example(leaf, name):
    """An example of an argument, which a program keeps to check later ones."""
    if type(leaf) is Tracer:
        return np.broadcast_to(0.0, leaf.shape) if leaf.shape else 0.0
    if type(leaf) is not Data and not _are_equal(leaf, leaf):
        raise ProgramError(
            f"{name}: got {kind_of(leaf)}, expected numbers, or a setting that == compares; "
            f"bind it first: functools.partial(f, {name}=…)"
        )
    return leaf


def _chosen(several, call, slots) -> list[tuple[str, Any]]:
    """(name, argument) for each argument selected by ``wrt``."""
    chosen = []
    for each in several:
        try:
            name = call.slot(each, "wrt")
        except TypeError as error:
            raise ProgramError(str(error)) from None
        names = pytrees.leaf_names(slots[name], name)
        for leaf_name, x in zip(names, pytrees.leaves(slots[name]), strict=True):
            if type(x) is not Tracer:
                raise ProgramError(
                    f"wrt: got {leaf_name}, which is {x!r}, expected real numbers, such as 1.0; "
                    "leave it out of the arguments to differentiate with respect to"
                )
        chosen.append((name, slots[name]))
    return chosen


def _refuse_strangers(tape, results):
    """Raise for values of an enclosing recording, which would be constants of the program."""
    operands = [operand for row in tape.rows for operand in operands_of(row)]
    if any(type(x) is Tracer and x.tape is not tape for x in operands + results):
        raise ProgramError(
            "f: got a value that an enclosing function is recording, expected plain numbers; pass "
            "the value in as an argument"
        )


def _refuse_branches(decisions):
    if decisions:
        question, file, line = decisions[0]
        # A notebook cell has a file name, but no such file exists.
        where = file if Path(file).is_file() else "the cell"
        way_out = "use np.where, np.maximum, relu or np.abs in its place"
        _, is_label, label = question.partition(", of ")
        if is_label:
            bound = f"functools.partial(f, {label}={label})"
            way_out += f", or write the program of {bound}, for this {label} alone"
        raise ProgramError(
            f"line {line} of {where} looks at a value ({question}): other arguments may take "
            f"another branch, and a program can't; {way_out}, or use grad, which runs the function "
            "each time"
        )

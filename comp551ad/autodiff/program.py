"""The machine writes the backward pass: a trace becomes NumPy source.

``write_gradient`` records a function, differentiates the record (the derivative of a trace is a
trace too), simplifies both together, and writes them down as a NumPy function. From the deck's
``cost`` it writes the deck's ``gradients``. The text is there to be read, line against line with
one's own derivation, and it runs.

Reads: ``tape``, ``trace``, ``arguments``, ``data``, ``passes``, ``simplify``, ``emit``,
``javascript``, ``trials``, ``pytrees``. Read by: notebooks.
"""

import functools
import html
import inspect
import operator
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comp551ad import pytrees

from .arguments import (
    Call,
    names_by_place,
    silence,
    with_integers,
)
from .data import Data, handle
from .emit import BufferedWriter, Computation, Output, ProgramError, Writer
from .javascript import JavaScriptWriter
from .operands import FLOAT64, as_input, operands_of
from .passes import pull_back
from .primitives import shape_of
from .refusals import TraceError, kind_of
from .simplify import Expressions, recognise
from .tape import Tape, Tracer, concrete
from .trace import local_names
from .trials import choosing_changes, plain_outputs

_FORM = operator.attrgetter("shape", "dtype")
# Operations: compiling costs some 20 microseconds each.
LONGEST = 5000

# ---------------------------------------------------------------- what is called from outside


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
        value: write the value as well: the program returns (value, gradient).
        buffered: write for speed instead of for reading: every result goes into an array that
            is allocated once and used again.
        language: "numpy", or "javascript": then the source is a module whose default export takes
            and returns numbers and nested arrays, and is run by a page or by node.

    Returns:
        A ``Program``: ``p.source`` is the text, ``p(*args)`` runs it. What f reads from elsewhere
        (globals, variables of a function around it) is written down as it is now: later changes
        of it, and branches that it decides, don't reach the program. Numbers are gathered and
        minus signs moved, so a result may differ in its last digits, and the sign of a zero may
        differ: of np.sum(-x), written -np.sum(x), and with it the sign of 1 / np.sum(-x) at
        zero, or of another infinite result.

    Raises:
        ProgramError: f's course depended on the values of its arguments (the text names the
            line), wrt means no numbers of this call, or the source would hold a large array,
            the number of entries that a comparison chooses, or be too long.
        TraceError: as ``record`` does.
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

    Arguments that are no numbers are settings: the program holds for those that are equal (==)
    to the recorded ones. Only you know whether one of them, or what f reads without its being
    an argument (a global, a closure), has changed since.

    Attributes:
        source: the NumPy source, a module that defines ``function``.
        function: the function that the source defines. It checks nothing, and its scalars are
            NumPy's: 1 / x of Python's 0.0 is an error, of ``np.float64(0)`` inf.
        simplified: what was simplified, a sentence each.
        sizes_vary: whether a mask chooses how many entries arrays have. Where that number stands
            in the source, other data are refused.
    """

    def __init__(
        self, writer: Writer, rows: int, signature: inspect.Signature, arguments: dict
    ):
        self.source = writer.source
        counts = f"{rows} recorded rows became {len(writer.body)} lines"
        recognised = dict.fromkeys(writer.computation.expressions.recognised)
        self.simplified = counts, *recognised
        self.function = self._compiled(writer.name)
        # f's: the source may name a parameter otherwise.
        self.__signature__ = signature
        # Parameter -> what is remembered of its argument.
        self._arguments = arguments
        self._by_place = names_by_place(self)[: len(arguments)] == list(arguments)
        # Of arguments that all are arrays: one look tells whether others fit.
        arrays = [x for x in arguments.values() if type(x) is _Leaf and x.is_array]
        self._forms = [(x.shape, FLOAT64) for x in arrays]
        fits = self._by_place and len(arrays) == len(arguments)
        self._kinds = [np.ndarray] * len(arrays) if fits else None
        self._results = writer.computation.results
        self.sizes_vary = False
        # Numbers come out as NumPy's only where one goes in.
        leaves = pytrees.leaves([*arguments.values()])
        results = self._results if type(self._results) is tuple else (self._results,)
        containers = any(map(pytrees.is_container, results))
        self._is_finished = not containers and all(leaf.shape != () for leaf in leaves)
        functools.update_wrapper(self, self.function)

    def _compiled(self, name):
        namespace: dict[str, Any] = {}
        exec(compile(self.source, f"<written {name}>", "exec"), namespace)
        return namespace[name]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program.

        Raises:
            ProgramError: an argument's shape, structure or setting isn't the recorded one.
        """
        return self._finish(self.function(*self._checked(args, kwargs)))

    def _checked(self, args, kwargs) -> Sequence:
        """The arguments in the order of the parameters, each as it was recorded."""
        recorded = self._arguments
        if not kwargs and list(map(type, args)) == self._kinds:
            if list(map(_FORM, args)) == self._forms:
                return args
        if kwargs or not self._by_place or len(args) != len(recorded):
            bound = self.__signature__.bind(*args, **kwargs)
            if bound.arguments.keys() != recorded.keys():
                raise ProgramError(
                    f"arguments: got {', '.join(bound.arguments)}, expected "
                    f"{', '.join(recorded)}; write the program again for these"
                )
            args = [bound.arguments[name] for name in recorded]
        checked = zip(args, recorded.items(), strict=True)
        return [_checked(x, *example) for x, example in checked]

    def _finish(self, result):
        """The result in f's own classes of containers, with Python's numbers for NumPy's."""
        if self._is_finished:
            return result
        leaves = pytrees.leaves(result)
        own = (float(x) if type(x) is np.float64 else x for x in leaves)
        return pytrees.unflatten(self._results, own)

    def fix_data(self, kinds: str) -> None:
        """From now on the program is for the recorded data alone: two masks that choose as many
        entries as before may do so in fewer places together.

        Raises:
            ProgramError: numbers choose them, which a program can't ask ("f" in kinds).
        """
        data = [x for x in pytrees.leaves([*self._arguments.values()]) if x.is_data]
        if "f" in kinds or not data:
            raise ProgramError(
                "f: got a program that holds how many entries a comparison chooses, expected one "
                "that is right for other numbers; write np.sum(…) / np.sum(mask) for the mean of "
                "x[mask], choose with np.where, or use grad"
            )
        for leaf in data:
            leaf.is_fixed = True

    def __repr__(self) -> str:
        return self.source

    def _repr_html_(self) -> str:
        return f"<pre><code>{html.escape(self.source, quote=False)}</code></pre>"


class JavaScriptProgram(Program):
    """A program in JavaScript. It is text; its function says where it can be run."""

    def _compiled(self, name):
        def function(*args: Any) -> Any:
            raise TypeError(
                f"{name}: got a call from Python, expected one from a page or node; import "
                'p.source there, or write the program with language="numpy"'
            )

        return function


class BufferedProgram(Program):
    """A program whose intermediate results live in arrays that are used again.

    Attributes:
        readable: the same program written for reading. It runs instead when the program is
            itself recorded, or where ``sizes_vary``.
    """

    def __init__(self, *written: Any, readable: Program):
        super().__init__(*written)
        self.readable = readable
        self._one_at_a_time = threading.Lock()

    def __call__(self, *args: Any, copy: bool = True, **kwargs: Any) -> Any:
        """Run the program.

        With ``copy=False`` the results are the program's own arrays, which the next call
        overwrites: use them before it, and don't hand them to it as arguments.
        """
        checked = self._checked(args, kwargs)
        is_traced = checked is not args and Tracer in map(
            type, pytrees.leaves(list(checked))
        )
        if self.sizes_vary or is_traced:
            return self._finish(self.readable.function(*checked))
        with self._one_at_a_time:
            return self._finish(self.function(*checked, copy))


# ---------------------------------------------------------------- the arguments of a program


class _Leaf:
    """What a program remembers of a number or an array among the arguments, or of a setting."""

    def __init__(self, leaf, name):
        self.name = name
        self.is_data = type(leaf) is Data
        has_shape = type(leaf) is Tracer or self.is_data
        self.shape = leaf.shape if has_shape else None
        self.is_array = bool(self.shape) and not self.is_data
        self.setting = leaf
        # The program holds for data as this one alone.
        self.is_fixed = False
        if self.shape is None and not _are_equal(leaf, leaf):
            raise ProgramError(
                f"{name}: got {kind_of(leaf)}, expected numbers, or a setting that == compares; "
                f"bind it first: functools.partial(f, {name}=…)"
            )

    def check(self, x):
        """The argument in the form that was recorded, or an error."""
        if self.shape is None:
            if _are_equal(x, self.setting):
                return x
            got = kind_of(x) if isinstance(x, np.ndarray) else repr(x)
            expected = repr(self.setting)
        else:
            try:
                x = self._as_array(x)
            except TraceError as error:
                raise ProgramError(str(error)) from None
            except ValueError as error:
                raise ProgramError(f"{self.name}: got {x!r}: {error}") from None
            if self.is_data and x.shape == self.shape:
                if not self.is_fixed or np.array_equal(x, self.setting):
                    return x
                raise ProgramError(
                    f"{self.name}: got data that choose other entries, expected the recorded ones, "
                    "whose number stands in the program; write the program again for them, or "
                    "write np.sum(…) / np.sum(mask) for the mean of x[mask]"
                )
            if shape_of(x) == self.shape and not self.is_data:
                # With NumPy's numbers 1 / 0 is inf, as when it was recorded.
                return np.float64(x) if type(x) is float else x
            got, expected = f"shape {shape_of(x)}", f"{self.shape}"
        raise ProgramError(
            f"{self.name}: got {got}, expected {expected}; write the program again for it"
        )

    def _as_array(self, x):
        if self.is_data:
            x = np.asarray(x)
            # As an index truth values choose, and whole numbers count.
            kinds = "b" if self.setting.dtype.kind == "b" else "iu"
            if x.dtype.kind not in kinds:
                expected = "truth values" if kinds == "b" else "whole numbers"
                raise TraceError(f"{self.name}: got {kind_of(x)}, expected {expected}")
            return x
        return x if type(x) is Tracer else as_input(x, self.name)


def _are_equal(a, b):
    """Whether == says so, with one truth value."""
    try:
        equal = a == b
    except Exception:
        # Whatever the setting's own == raises.
        return False
    return isinstance(equal, bool | np.bool_) and bool(equal)


def _example(tree, name):
    """What a program remembers of an argument, in the argument's structure."""
    names = pytrees.leaf_names(tree, name)
    return pytrees.unflatten(tree, map(_Leaf, pytrees.leaves(tree), names))


def _checked(x, name, example):
    """An argument in the form that was recorded, or an error."""
    if not pytrees.same_structure(x, example):
        raise ProgramError(
            f"{name}: got {x!r}, whose structure isn't the recorded one; write the program again"
        )
    leaves = zip(pytrees.leaves_like(x, example), pytrees.leaves(example), strict=True)
    return pytrees.unflatten(example, (leaf.check(part) for part, leaf in leaves))


# ---------------------------------------------------------------- recording and deriving


def _write(f, args, kwargs, wrt, value, buffered, language):
    if language not in ("numpy", "javascript"):
        raise ProgramError(
            f'language: got {language!r}, expected "numpy" or "javascript"'
        )

    def written(args, kwargs):
        how = wrt, value, buffered, language
        return with_integers(
            lambda kinds: _written(f, args, kwargs, *how, kinds),
            (*args, *kwargs.values()),
        )

    program, choosing = written(args, kwargs)
    for change in choosing:
        # Another number of entries is chosen: the program must be the same.
        program.sizes_vary = True
        try:
            with silence():
                text = _text(written(*pytrees.tree_map(change, [args, kwargs]))[0])
        except ProgramError:
            text = ""
        if text != _text(program):
            program.fix_data(change.keywords["kinds"])
    return program


def _text(program):
    """The source without the comments that tell shapes."""
    return re.sub("  # .*", "", getattr(program, "readable", program).source)


def _written(f, args, kwargs, wrt, value, buffered, language, kinds):
    call = Call.of(f, args, kwargs, whole=True)
    if buffered and "copy" in {*call.slots, *kwargs}:
        raise ProgramError(
            "copy: got a parameter of this name, which a buffered program has already; "
            "give yours another name"
        )
    with Tape(watch=True) as outer:
        one = outer.add_input(1.0, "seed")
        with _InnerTape(watch=True) as tape:
            taken = call.trace(
                lambda x, name: tape.add_input(outer.add_input(x, name), name),
                tape,
                kinds,
            )
            # f may change its own, the containers and what is in them.
            arguments = {
                name: pytrees.tree_map(_handle, x) for name, x in call.slots.items()
            }
            examples = {name: _example(tree, name) for name, tree in arguments.items()}
            chosen = [] if wrt is None else _chosen(wrt, f, args, kwargs, arguments)
            result, local = call.run_and_see_locals()
            out_rows, out_values = tape.read_outputs(result)
        _refuse_branches(tape.decisions)
        _refuse_strangers(outer, out_values)
        adjoints = [None] * len(tape.rows)
        if chosen:
            if pytrees.is_container(result) or np.size(concrete(out_values[0])) != 1:
                raise ProgramError(
                    "output: got more than one number, expected one; return a sum or mean, "
                    "or one of the numbers"
                )
            adjoints = pull_back(recognise(tape.rows), [(out_rows[0], one)])
    call.check(result, tape, kinds)
    plain = plain_outputs(result, out_rows)
    choosing = choosing_changes(call, tape, plain, kinds)
    if len(outer.rows) > LONGEST:
        raise ProgramError(
            f"f: got {len(outer.rows)} operations, expected at most {LONGEST} in a program; "
            "use grad"
        )
    named = [
        (name, tracer.value, adjoints[tracer.index])
        for name, tracer in local_names(local, tape, set(taken))
        if tracer.index >= len(taken)
    ]
    anchors = {adjoint.index for *_, adjoint in named if type(adjoint) is Tracer}
    expressions = Expressions()
    scaled = expressions.read(outer.rows, [expressions.one], anchors, outer)

    def input_of(leaf):
        if type(leaf) is Tracer:
            return scaled[leaf.value.index].node
        return expressions.with_data(leaf, outer) if type(leaf) is Data else leaf

    def gradient_of(leaf):
        node = expressions.node_of(adjoints[leaf.index])
        return Output(expressions.spread(node, leaf.shape), input_of(leaf))

    results = []
    if value:
        nodes = map(expressions.node_of, out_values)
        results.append(pytrees.unflatten(result, map(Output, nodes)))
    gradients = tuple(pytrees.tree_map(gradient_of, tree) for _, tree in chosen)
    if chosen:
        results.append(gradients if isinstance(wrt, tuple) else gradients[0])
    # A local variable's adjoint goes by d and its name; its size may have moved on (1/N).
    names = [(expressions.node_of(x), name) for name, x, _ in named]
    names += [
        (scaled[adjoint.index].node, f"d{name}")
        for name, _, adjoint in named
        if type(adjoint) is Tracer
    ]
    name = re.sub(r"\W", "_", getattr(f, "__name__", "f")).strip("_")
    title = f"The value of {name}."
    if chosen:
        by = ", ".join(argument for argument, _ in chosen)
        title = f"The gradient of {name} with respect to {by}."
        name = "gradients" if isinstance(wrt, tuple) else "gradient"
    computation = Computation(
        name,
        title,
        {name: pytrees.tree_map(input_of, tree) for name, tree in arguments.items()},
        results[0] if len(results) == 1 else tuple(results),
        {node: name for node, name in reversed(names) if node.operands},
        expressions,
    )
    signature = call.bound.signature
    about = len(outer.rows), signature, examples
    program: Program
    if language == "javascript":
        program = JavaScriptProgram(JavaScriptWriter(computation, signature), *about)
    else:
        program = Program(Writer(computation), *about)
        if buffered:
            writer = BufferedWriter(computation)
            program = BufferedProgram(writer, *about, readable=program)
    return program, choosing


class _InnerTape(Tape):
    """The tape that a function is recorded on. Data among the operands becomes an input of the tape
    further out, so that what the rules compute from it is recorded, too."""

    def constant(self, value: Any, name: str) -> Any:
        constant = super().constant(value, name)
        if self.origins.of(constant) is None:
            return constant
        tracer = self.around.add_input(constant, name)
        self.origins.note(tracer.value, constant)
        return tracer


def _handle(leaf):
    return handle(leaf) if type(leaf) is Tracer else leaf


def _chosen(wrt, f, args, kwargs, arguments) -> list[tuple[str, Any]]:
    """(name, argument) of each that ``wrt`` means."""
    several = wrt if isinstance(wrt, tuple) and wrt else (wrt,)
    call, chosen = Call.of(f, args, kwargs, whole=several), []
    slots = dict(arguments)
    for k, tree in enumerate(arguments.get(call.star, ())):
        slots[f"{call.star}[{k}]"] = tree
    for each in several:
        try:
            name = call.slot(each, "wrt")
        except TypeError as error:
            raise ProgramError(str(error)) from None
        names = pytrees.leaf_names(slots[name], name)
        for leaf_name, x in zip(names, pytrees.leaves(slots[name]), strict=True):
            if type(x) is not Tracer:
                raise ProgramError(
                    f"wrt: got {leaf_name}, which is {x!r}, expected real numbers; leave it "
                    "out of the arguments to differentiate with respect to"
                )
        chosen.append((name, slots[name]))
    return chosen


def _refuse_strangers(tape, results):
    """Refuse values of a recording further out, which would be constants of the program."""
    operands = [operand for row in tape.rows for operand in operands_of(row)]
    if any(type(x) is Tracer and x.tape is not tape for x in operands + results):
        raise ProgramError(
            "f: got a value that is itself being recorded (of a function around it), expected "
            "plain numbers; pass the value in as an argument"
        )


def _refuse_branches(decisions):
    if decisions:
        question, file, line = decisions[0]
        # A notebook's cell has a file's name, but no file that one could open.
        where = file if Path(file).is_file() else "the cell"
        raise ProgramError(
            f"line {line} of {where} looks at a value ({question}): other arguments may take "
            "another branch, and a program can't; use np.where, np.maximum, relu or np.abs "
            "in its place, or grad, which runs the function each time"
        )

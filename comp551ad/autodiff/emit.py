"""Write nodes as NumPy source, for readability or for speed.

For readability, a node with a name in the user's function gets its own line under that name, and
its adjoint a line with the prefix ``d``; a node without a name is written inline, unless it is
used twice or is long.

For speed, each operation has its own line and an array for its result (``out=``): arrays are
allocated once. An array is reused after the last use of its contents, and an elementwise operation
overwrites an operand that is no longer needed. Tall arrays with a short last axis, such as N x 3
logits, are stored with the short axis first, so that sums and maxima over it run along memory.
"""

import builtins
import keyword
import math
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from comp551ad import pytrees

from .arguments import Call
from .primitives import ATOM, PRIMITIVES, PRODUCT, SUM, Notation
from .refusals import name_in_numpy
from .simplify import (
    LARGEST_CONSTANT,
    Expressions,
    Node,
    as_ratio,
    base_of,
    is_data,
    is_view,
    taken_apart,
    users_of,
)
from .tape import Tape

# The maximum number of characters of an inline expression.
LONGEST_UNNAMED = 60
# Calls on data that are written as infix operators.
INFIX: dict[Any, str] = {
    np.greater: ">", np.greater_equal: ">=", np.less: "<", np.less_equal: "<=",
    np.equal: "==", np.not_equal: "!=", np.add: "+", np.subtract: "-", np.multiply: "*",
    np.bitwise_and: "&", np.bitwise_or: "|", np.bitwise_xor: "^",
}  # fmt: skip
# Names that Python or the source may need.
TAKEN = {*keyword.kwlist, *dir(builtins)}
TAKEN |= {primitive.functions[0].__name__ for primitive in PRIMITIVES.values()}
# The maximum number of columns, and minimum number of rows, of arrays stored by columns.
SHORT, TALL = 8, 64


class ProgramError(ValueError):
    """A computation can't be written as a program, or a program is called with inputs that it
    wasn't written for; the message says what to do."""


@dataclass(eq=False)
class Output:
    """A result; for a derivative, also the input it is taken with respect to."""

    node: Node
    of: Node | None = None


class Computation(NamedTuple):
    """A computation to be written as source.

    Attributes:
        call, tape, result: the recorded function's call, its tape, and what it returned.
        examples: parameter -> an example of its argument.
        inputs: parameter -> its argument, with an input node for each number.
        results: a container of ``Output``.
        names: node -> the user's name for it.
        expressions: the ``Expressions`` that own the nodes.
        name: the preferred name of the written function.
        title: its docstring.
    """

    call: Call
    tape: Tape
    result: Any
    examples: dict[str, Any]
    inputs: dict[str, Any]
    results: Any
    names: dict[Node, str]
    expressions: Expressions
    name: str
    title: str


class Writer:
    """Writes a computation as a module with one readable function.

    Attributes:
        name: the function's name.
        source: the module.
        body: the function's lines before its return statement.
    """

    # The syntax of an assignment, and the start of a trailing comment.
    line, comment = "{name} = {text}", "  # "
    # The types allowed as dict keys.
    keys: tuple[type, ...] = (str, int, bool)
    # Other names that the source uses.
    reserved: frozenset = frozenset({"np", "gradient", "gradients"})

    def __init__(self, computation: Computation):
        self.computation = computation
        # The source text of each node, and its precedence.
        self.text: dict[Node, str] = {}
        self.level: dict[Node, int] = {}
        self.body: list[str] = []
        self.imports: set[str] = set()
        self.taken = {*TAKEN, *self.reserved}
        # Name -> the number of variants of it with a numeric suffix.
        self.numbers: Counter[str] = Counter()
        inputs = computation.inputs
        self.parameters = [self.fresh(name, "x") for name in inputs]
        for parameter, tree in zip(self.parameters, inputs.values(), strict=True):
            self.unpack(parameter, tree)
        variables = self.write_lines(pytrees.leaves(computation.results))
        name = computation.name
        self.name = name if name in ("gradient", "gradients") else self.fresh(name, "f")
        self.source = self.module(variables)

    # -- the module

    def module(self, variables: list[str]) -> str:
        imports = "import numpy as np\n"
        if self.imports:
            names = ", ".join(sorted(self.imports))
            imports += f"\nfrom comp551ad.functions import {names}\n"
        return f"{imports}\n\n{self.function(variables)}"

    def function(self, variables: list[str]) -> str:
        title = f'"""{self.computation.title}"""'
        lines = [title, *self.body, f"return {self.returned(variables)}"]
        text = "".join(f"    {line}\n" for line in lines)
        return f"def {self.name}({', '.join(self.parameters)}):\n{text}"

    def returned(self, variables: list[str]) -> str:
        """The expression after ``return``; the outermost tuple needs no parentheses."""
        results = pytrees.unflatten(self.computation.results, iter(variables))
        text = self.container(results)
        bare = type(results) is tuple and len(results) > 1 and text[0] == "("
        return text[1:-1] if bare else text

    # -- names

    def fresh(self, *wishes: str) -> str:
        """An unused name, as close as possible to the first wish that is a valid identifier.

        Python normalizes identifiers: two spellings of µ (U+00B5, U+03BC) are the same name.
        """
        normal = [unicodedata.normalize("NFKC", wish) for wish in (*wishes, "t")]
        usable = (w for w in normal if w.isidentifier() and not keyword.iskeyword(w))
        name = base = next(usable)
        while name in self.taken:
            self.numbers[base] += 1
            number = self.numbers[base] + 1
            name = f"{base}{number}" if base == "t" else f"{base}_{number}"
        self.taken.add(name)
        return name

    def unpack(self, parameter: Any, tree: Any) -> None:
        """Name every input, and write lines that unpack containers."""
        # Raises if a key can't be written as source.
        self.container(pytrees.tree_map(lambda leaf: "", tree))
        names = pytrees.leaf_names(tree, parameter)
        for path, leaf in zip(names, pytrees.leaves(tree), strict=True):
            if not isinstance(leaf, Node):
                continue
            name = parameter
            if path != parameter:
                wish = re.sub(r"\W+", "_", path.removeprefix(parameter)).strip("_")
                name = self.fresh(wish, f"{parameter}_{wish}")
                self.declare(name, path)
            self.keep(leaf, name)

    def keep(self, node: Node, name: Any) -> None:
        """Use this variable for the node from here on."""
        self.text[node], self.level[node] = name, ATOM

    # -- lines

    def write_lines(self, outputs: list[Output]) -> list[str]:
        """Write every line; return the variable for each output."""
        users = users_of([output.node for output in outputs])
        self.name_the_count(users)
        wishes = [self.wish(output) for output in outputs]
        names = {o.node: wish for o, wish in zip(outputs, wishes, strict=True)}
        names |= self.computation.names
        for node, its_users in users.items():
            self.write_expression(node)
            named = node in names or len(its_users) > 1
            if not self.is_short(node):
                if named or not self.can_stand_in(its_users[0], node):
                    self.write_line(self.fresh(names.get(node, "t")), node)
        pairs = zip(outputs, wishes, strict=True)
        return [self.write_output(output.node, wish) for output, wish in pairs]

    def is_short(self, node: Node) -> bool:
        """Whether a node never needs a line of its own."""
        return not node.reads or self.text[node].endswith(".T")

    def can_stand_in(self, user: Node, node: Node) -> bool:
        """Whether a node's text may be written inline at its only use."""
        return len(self.text[node]) <= LONGEST_UNNAMED

    def write_line(self, name: Any, node: Node) -> None:
        self.declare(name, self.text[node], node)
        self.keep(node, name)

    def declare(self, name: Any, text: str, node: Node | None = None) -> None:
        shape = " x ".join(map(str, node.shape)) if node else ""
        line = self.line.format(name=name, text=text)
        self.body.append(line + (f"{self.comment}{shape}" if shape else ""))

    def wish(self, output: Output) -> str:
        """The preferred name for a result that has none."""
        return "value" if output.of is None else f"d{self.text[output.of]}"

    def write_output(self, node: Node, wish: str) -> str:
        """The variable of a result; writes a line to assign it if needed."""
        is_constant = node.name == "constant"
        text = self.constant(node, floats=True)[0] if is_constant else self.text[node]
        if text.isidentifier():
            return text
        name = self.fresh(wish)
        self.declare(name, text, node)
        return name

    def name_the_count(self, needed: Any) -> None:
        """Write N = X.shape[0] if some division divides by it."""
        nodes = self.text.items()
        name, shape = next(((t, n.shape) for n, t in nodes if n.shape), ("", (0,)))
        count = self.computation.expressions.constant(float(shape[0]))
        divisors = (n.operands[1] for n in needed if n.name == "divide")
        if shape[0] > 1 and count in divisors:
            self.keep(count, self.fresh("N"))
            self.declare(self.text[count], f"{name}.shape[0]")

    # -- expressions

    def write_expression(self, node: Node) -> None:
        """Write the node's text in terms of its operands, which have been written."""
        if node in self.text:
            return
        if node.name == "constant":
            found = self.constant(node)
        elif node.name == "data":
            found = self.data_call(node, **node.parameters)
        else:
            found = self.operation(node)
        self.text[node], self.level[node] = found

    def operation(self, node: Node) -> tuple[str, int]:
        """The text of a primitive on its operands, and its precedence."""
        entry = PRIMITIVES[node.name]
        shapes = [operand.shape for operand in node.operands]
        told = entry.keywords(node.parameters, *shapes, node.shape)
        template, level = self.template(node, told)
        operands = []
        for k, operand in enumerate(node.operands):
            text = self.operand(operand, node, template)
            loose = is_loose(entry.notation, template, k, self.level[operand])
            loose = loose or (template[0] == "-" and self.begins_with_data(operand))
            operands.append(f"({text})" if loose else text)
        names = {"operands": ", ".join(operands), **self.slots(node, told)}
        text = template.format(*operands, **names)
        return text, ATOM if template.endswith(")") else level

    def begins_with_data(self, node: Node) -> bool:
        """Whether a minus in front would apply to data: boolean arrays don't support it."""
        while node.operands and self.level[node] < ATOM:
            node = node.operands[0]
        return is_data(node)

    def template(self, node: Node, told: dict) -> tuple[str, int]:
        """The template for the operation, and its precedence."""
        entry = PRIMITIVES[node.name]
        notation, function = entry.notation, entry.functions[0]
        if node.name == "transpose" and not told and len(node.shape) > 1:
            return "{0}.T", ATOM
        # Older ufuncs have no __module__.
        if getattr(function, "__module__", "") == "comp551ad.functions":
            self.imports.add(function.__name__)
        return notation.source, notation.level

    def operand(self, operand: Node, node: Node, template: str) -> str:
        """The operand's text inside the text of the node."""
        if operand.name == "constant" and template.endswith(")"):
            return self.constant(operand, floats=True)[0]
        return self.text[operand]

    def slots(self, node: Node, told: dict) -> dict[str, str]:
        """The values of the template's slots other than operands."""
        index = told.get("index")
        parameters = "".join(f", {self.parameter(*item)}" for item in told.items())
        condition = self.literal(told.get("condition", True))
        return {
            "parameters": parameters,
            "index": self.index(index),
            "condition": condition,
        }

    def data_call(
        self, node: Node, function: Any, args: tuple, kwargs: dict
    ) -> tuple[str, int]:
        """The text of a call that is not differentiated, and its precedence."""
        if function == "__getitem__":
            return f"{self.literal(args[0])}[{self.index(args[1])}]", ATOM
        # For integers y, 2 ** y is an integer; 2.0 ** y is not.
        texts = [_as_float(self.literal(x), isinstance(x, float)) for x in args]
        if function in INFIX and not kwargs:
            return f" {INFIX[function]} ".join(texts), 0
        texts += [f"{key}={self.literal(value)}" for key, value in kwargs.items()]
        if isinstance(function, str):
            name = f"{texts.pop(0)}.{function}"
        else:
            name = name_in_numpy(function)
            found: Any = np
            for part in name.split(".")[1:]:
                found = getattr(found, part, None)
            if found is None:
                raise ProgramError(
                    f"{function.__name__}: got a call of it on data, expected a NumPy function; "
                    "compute the data outside and pass it in as an argument"
                )
        return f"{name}({', '.join(texts)})", ATOM

    # -- values

    def constant(self, node: Node, floats: bool = False) -> tuple[str, int]:
        """A constant's text, 2.0 for 2 if ``floats``, and its precedence."""
        value = node.parameters["value"]
        is_full = node.shape != np.shape(value)
        text = _as_float(self.literal(value), floats or is_full)
        if is_full:
            return f"np.full({node.shape}, {text})", ATOM
        return text, SUM if text[0] == "-" else PRODUCT if " / " in text else ATOM

    def literal(self, value: Any) -> str:
        """A parameter, a small array, or an argument of a call, as source."""
        if isinstance(value, Node):
            text = self.text[value]
            return text if self.level[value] == ATOM else f"({text})"
        if isinstance(value, tuple | list):
            return self.container(pytrees.tree_map(self.literal, value))
        if isinstance(value, np.ndarray):
            return _array(value)
        if isinstance(value, np.dtype):
            value = value.type
        if isinstance(value, type):
            is_pythons = value in (int, float, bool)
            return value.__name__ if is_pythons else f"np.{value.__name__}"
        if isinstance(value, bool | np.bool_):
            return str(bool(value))
        if isinstance(value, float):
            return self.number(float(value))
        if isinstance(value, np.number):
            return repr(value.item())
        return "..." if value is Ellipsis else repr(value)

    def number(self, value: float) -> str:
        if not math.isfinite(value):
            return re.sub("(nan|inf)", r"np.\1", repr(value))
        p, q = as_ratio(value)
        if q != 1:
            return f"{p:.0f} / {q:.0f}"
        whole = value == int(value) and abs(value) < 1e15 and str(value) != "-0.0"
        return repr(int(value) if whole else value)

    def parameter(self, key: str, value: Any) -> str:
        """A parameter as an argument of a call."""
        if key == "index":
            return f"np.s_[{self.index(value)}]"
        return self.literal(value) if key == "shape" else f"{key}={self.literal(value)}"

    def index(self, index: Any) -> str:
        """An index as written between brackets: 0, 1:3, :, None …"""
        parts = index if isinstance(index, tuple) else (index,)
        return ", ".join(map(self.index_part, parts)) or "()"

    def index_part(self, part: Any) -> str:
        if isinstance(part, slice):
            ends = ["" if v is None else str(v) for v in (part.start, part.stop)]
            return ":".join(ends) + ("" if part.step is None else f":{part.step}")
        if isinstance(part, Node):
            return self.text[part]
        # (0, 1) would be two indices.
        return self.literal(list(part) if isinstance(part, tuple) else part)

    # -- containers

    def container(self, tree: Any) -> str:
        """A container of expressions as an expression."""
        if isinstance(tree, dict):
            for key in tree:
                if type(key) not in self.keys:
                    raise ProgramError(
                        f"key: got {key!r} in a dict, expected a string or an integer, which can "
                        "be written as source; rename the entry"
                    )
            items = (f"{key!r}: {self.container(v)}" for key, v in tree.items())
            return f"{{{', '.join(items)}}}"
        if not pytrees.is_container(tree):
            return tree
        inner = ", ".join(map(self.container, tree))
        if isinstance(tree, list):
            return f"[{inner}]"
        return f"({inner},)" if len(tree) == 1 else f"({inner})"


# ---------------------------------------------------------------- for speed


class BufferedWriter(Writer):
    """Writes a computation as a function that reuses its arrays."""

    def __init__(self, computation: Computation):
        # Lines that allocate arrays.
        self.allocated: list[str] = []
        # Line number -> the buffers that it is the last to read, with their shapes.
        self.ends: defaultdict[int, list] = defaultdict(list)
        # Shape -> buffers that are free after the lines before ``place``.
        self.free: defaultdict[tuple, list[str]] = defaultdict(list)
        self.place = 0
        super().__init__(computation)

    def write_lines(self, outputs: list[Output]) -> list[str]:
        results = [output.node for output in outputs]
        results = taken_apart(results, self.computation.expressions)
        nodes = list(users_of(results))
        last_use = _last_uses(nodes, results)
        for place, node in enumerate(nodes):
            if node.shape and node.operands and PRIMITIVES[node.name].out:
                self.write_into(node, place, last_use[node])
            else:
                self.write_expression(node)
                if node.reads and not is_view(node):
                    self.write_line(self.fresh("t"), node)
        pairs = zip(outputs, results, strict=True)
        return [self.write_output(node, self.wish(output)) for output, node in pairs]

    def write_into(self, node: Node, place: int, last_use: int) -> None:
        """Write a line that computes the node into a buffer."""
        entry = PRIMITIVES[node.name]
        variable = self.buffer(node, place, last_use)
        how = [
            f"{key}={value!r}"
            for key, value in node.parameters.items()
            if key not in entry.unwritten
        ]
        operands = [self.text[o] for o in node.operands]
        ndims = [len(o.shape) for o in node.operands]
        out = variable
        if _by_columns(node.shape) and set(ndims) <= {0, 2} and not how:
            # Compute the transpose from the transposed operands, in memory order.
            pairs = zip(operands, ndims, strict=True)
            operands = [_flipped(text) if n else text for text, n in pairs]
            operands = operands if entry.elementwise else operands[::-1]
            out = _flipped(variable)
        function = f"np.{entry.functions[0].__name__}"
        if entry.out == "method":
            function = f"{operands.pop(0)}.{node.name}"
        self.body.append(f"{function}({', '.join([*operands, *how, f'out={out}'])})")
        self.keep(node, variable)

    def buffer(self, node: Node, place: int, last_use: int) -> str:
        """The most recently freed buffer of the node's shape, or a new one. Elementwise operations
        may overwrite an operand."""
        stop = place + 1 if PRIMITIVES[node.name].out == "ufunc" else place
        for k in range(self.place, stop):
            for name, shape in self.ends[k]:
                self.free[shape].append(name)
        self.place = stop
        if self.free[node.shape]:
            name = self.free[node.shape].pop()
        else:
            name = self.fresh("b")
            shape = node.shape[::-1] if _by_columns(node.shape) else node.shape
            self.allocated.append(f"{name} = np.empty({shape})")
        self.ends[last_use].append((name, node.shape))
        return _flipped(name) if _by_columns(node.shape) else name

    def write_expression(self, node: Node) -> None:
        """The same, but with 2.0 for 2: NumPy is faster with floats."""
        super().write_expression(node)
        if node.name == "constant":
            self.text[node] = self.constant(node, floats=True)[0]
        self.text[node] = self.text[node].removesuffix(".T.T")

    def function(self, variables: list[str]) -> str:
        """The function nested in another one that allocates its arrays."""
        inner = super().function(variables)
        body = [*self.allocated, "", *inner.splitlines(), "", f"return {self.name}"]
        text = "".join(f"    {line}\n" if line else "\n" for line in body)
        return f"def _with_buffers():\n{text}\n\n{self.name} = _with_buffers()\n"


def _flipped(text):
    """The transpose of a variable."""
    return text.removesuffix(".T") if text.endswith(".T") else f"{text}.T"


def _last_uses(nodes, outputs):
    """Node -> the index of the last node that reads its memory, directly or through views."""
    last = dict.fromkeys(nodes, 0)
    for place, node in enumerate(nodes):
        for operand in node.reads:
            last[base_of(operand)] = place
    for node in outputs:
        last[base_of(node)] = len(nodes)
    return last


def _by_columns(shape):
    return len(shape) == 2 and shape[1] <= SHORT and shape[0] >= TALL


# ---------------------------------------------------------------- the text of values


def _as_float(text, is_float):
    return f"{text}.0" if is_float and text.lstrip("-").isdigit() else text


def is_loose(notation: Notation, template: str, k: int, level: int) -> bool:
    """Whether operand k, with precedence ``level``, needs parentheses in the template."""
    if template.endswith(")"):
        return False
    if template.startswith(("{0}.", "{0}[")):
        return level < ATOM
    need = notation.needs[min(k, len(notation.needs) - 1)]
    # a - (b - c): keep the order, because rounding depends on it.
    return level < (max(need, notation.level + 1) if k else need)


def small_array(value: np.ndarray) -> np.ndarray:
    """The array, if it is small enough to be written as source."""
    if value.size > LARGEST_CONSTANT:
        raise ProgramError(
            f"constant: got an array of shape {value.shape}, which would be written as source, "
            f"expected at most {LARGEST_CONSTANT} entries; compute it outside the function and "
            "pass it as an argument"
        )
    return value


def _patterns(n, m):
    """Matrices of zeros and ones that are shorter as a call: (text, matrix)."""
    if n == m:
        yield f"np.eye({n})", np.eye(n)
    for k in (0, -1):
        yield f"np.tri({n}, {m}, {k})", np.tri(n, m, k)
        yield f"np.tri({m}, {n}, {k}).T", np.tri(m, n, k).T


def patterned(value: np.ndarray) -> tuple[float, str]:
    """(number, NumPy call) whose product is the array, where the call returns a matrix of zeros
    and ones; the text is empty if there is none."""
    if value.ndim == 2 and value.dtype.kind in "fb" and min(value.shape) > 1:
        factor = (value[np.nonzero(value)].tolist() or [1.0])[0]
        for text, pattern in _patterns(*value.shape):
            if np.array_equal(value, factor * pattern):
                return factor, text
    return 1.0, ""


def is_whole(value: np.ndarray) -> bool:
    """Whether an array has an integer dtype, or holds whole numbers and is too large for source."""
    if value.dtype.kind != "f":
        return value.dtype.kind in "iu"
    # Excludes infinity and nan.
    whole = (np.abs(value) < 2**53) & (np.trunc(value) == value)
    return value.size > LARGEST_CONSTANT and bool(np.all(whole))


def _array(value):
    if value.size > 4 and is_whole(value):
        start, second = value.flat[:2].tolist()
        step = second - start
        stop = start + step * value.size
        if step and np.array_equal(np.ravel(value), np.arange(start, stop, step)):
            ends = f"{start}, {stop}, {step}" if step != 1 else f"{start}, {stop}"
            text = f"np.arange({ends if start or step != 1 else stop})"
            return text if value.ndim == 1 else f"{text}.reshape{value.shape}"
    factor, text = patterned(value)
    if text:
        if value.dtype == bool:
            return f"({text} > 0)"
        return text if factor == 1.0 else f"({factor} * {text})"
    if not value.size:
        return f"np.empty({value.shape}, dtype=np.{value.dtype.type.__name__})"
    entries = re.sub("(nan|inf)", r"np.\1", repr(small_array(value).tolist()))
    return f"np.array({entries})"

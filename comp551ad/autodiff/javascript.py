"""Write nodes as JavaScript: a module that a page can run without Python.

Consecutive elementwise operations become a single loop over the entries; everything else calls a
function from the runtime (``runtime.js``, ``linalg.js``) by its NumPy name, and the module includes
the ones that it uses. The table of primitives says how each operation is written.
"""

import inspect
import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from comp551ad import pytrees

from .emit import (
    INFIX,
    LARGEST_CONSTANT,
    Computation,
    Output,
    ProgramError,
    Writer,
    is_whole,
    patterned,
    small_array,
)
from .primitives import ATOM, PRIMITIVE_OF, PRIMITIVES, SUM
from .simplify import Node, users_of

# Without the header comment of each file.
RUNTIME = "\n".join(
    Path(__file__).with_name(name).read_text(encoding="utf-8").split("\n\n", 1)[1]
    for name in ("runtime.js", "linalg.js")
)
# A declaration in the runtime with the comment above it.
_PART = re.compile(
    r"(?:^//.*\n)*^(?:const|function) (?:(\w+)|\{([^}]*)\}).*\n(?:^[ })].*\n)*",
    re.MULTILINE,
)
# Elementwise calls on data.
CALLS = {
    np.isnan: "Number.isNaN({})", np.isposinf: "({} === Infinity)",
    np.isneginf: "({} === -Infinity)", np.where: "(({}) ? {} : {})", np.logical_not: "!({})",
    np.isfinite: "Number.isFinite({})", np.isinf: "(Math.abs({}) === Infinity)",
    np.logical_and: "!!(({}) && ({}))", np.logical_or: "!!(({}) || ({}))",
    np.logical_xor: "(!({}) != !({}))",
}  # fmt: skip
# Calls on whole arrays of data, by name: those that only reshape, those in the runtime, and those
# on truth values.
RESHAPED = {
    **dict.fromkeys(("reshape", "ravel", "flatten"), "reshape"),
    "broadcast_to": "broadcast_to",
}
ALONG_AXES = ("sum", "mean", "max", "min", "argsort", "argmax", "argmin")
OF_TRUTH = {"all": "min", "any": "max"}
WHOLE = {*RESHAPED, *ALONG_AXES, *OF_TRUTH, "stack", "__getitem__"}
CASTS = {
    "bool": "({} != 0)", "int64": "Math.trunc({})", "int32": "({} | 0)",
    "float64": "Number({})", "float32": "Math.fround({})",
}  # fmt: skip
# A name that isn't a property.
_NAMES = re.compile(r"(?<!\w)(?:(?<!\.)|(?<=\.\.\.))[A-Za-z_]\w*")
_WORDS = """break case catch class const continue debugger default delete do else enum export
extends false finally for function if import in instanceof new null return super switch this throw
true try typeof var void while with yield let static await implements interface package private
protected public arguments eval async of undefined NaN Infinity Math Array Object Number String
Float64Array Int32Array TypeError i"""


def _parts() -> dict[str, str]:
    """Name -> the part of the runtime that declares it."""
    parts = {}
    for match in _PART.finditer(RUNTIME):
        for name in (match[1] or match[2]).split(","):
            parts[name.split(":")[-1].strip()] = match[0]
    return parts


PARTS = _parts()


def parts_for(text: str) -> list[str]:
    """The parts of the runtime that JavaScript source needs, in their original order."""
    waiting, used = _NAMES.findall(text), set()
    while waiting:
        part = PARTS.get(waiting.pop())
        if part and part not in used:
            used.add(part)
            # Ignore names in comments and object keys.
            waiting += _NAMES.findall(re.sub(r"//.*|\w+:", "", part))
    return [part for part in dict.fromkeys(PARTS.values()) if part in used]


class JavaScriptWriter(Writer):
    """Writes a computation as an ES module.

    Its default export takes and returns numbers and nested arrays, and checks its arguments. The
    function itself, exported under its name, works on the runtime's arrays without checks.
    """

    line, comment = "const {name} = {text};", " // "
    keys = (str, int)
    reserved = Writer.reserved | {*_WORDS.split(), *PARTS}

    def __init__(self, computation: Computation):
        # Elementwise nodes without an array: their text is that of entry i.
        self.entries: set[Node] = set()
        # Arguments that are data, as recorded.
        trees = list(computation.inputs.values()), list(computation.examples.values())
        pairs = zip(*map(pytrees.leaves, trees), strict=True)
        self.examples = {node: x for node, x in pairs if hasattr(x, "dtype")}
        super().__init__(computation)

    def write_lines(self, outputs: list[Output]) -> list[str]:
        """Write every line; data that depends on no argument is computed now."""
        known: dict[Any, Any] = {}
        for node in users_of([output.node for output in outputs]):
            node.parameters = pytrees.tree_map(
                lambda part: known.get(part, part) if type(part) is Node else part,
                node.parameters,
            )
            node.__post_init__()
            if node.name == "data" and not node.reads:
                known[node] = _called(node)
        return super().write_lines(outputs)

    # -- the module

    def module(self, variables: list[str]) -> str:
        inner = self.function(variables)
        outer = self.checked()
        parts = parts_for(inner + outer)
        title = f"// {self.computation.title}\n"
        return "\n".join([title, *parts, inner + "\n", outer])

    def function(self, variables: list[str]) -> str:
        lines = [
            "arrays.next = 0;",
            *self.body,
            f"return {self.returned(variables)};",
        ]
        text = "".join(f"  {line}\n" for line in lines)
        names = ", ".join(self.parameters)
        return f"export function {self.name}({names}) {{\n{text}}}"

    def checked(self) -> str:
        """The default export: nested arrays in and out."""
        parameters, arguments = [], []
        named = zip(self.parameters, self.computation.inputs.items(), strict=True)
        for parameter, (name, tree) in named:
            kind = self.computation.call.bound.signature.parameters[name].kind
            rest = "..." if kind is inspect.Parameter.VAR_POSITIONAL else ""
            parameters.append(rest + parameter)
            leaves = map(
                self.argument,
                pytrees.leaf_names(tree, parameter),
                pytrees.leaves(tree),
                pytrees.leaf_names(tree, name),
            )
            arguments.append(self.container(pytrees.unflatten(tree, leaves)))
        lines = "".join(f"      {argument},\n" for argument in arguments)
        call = f"nested(\n    {self.name}(\n{lines}    ),\n  )"
        return f"export default ({', '.join(parameters)}) =>\n  {call};\n"

    def argument(self, text: str, leaf: Any, name: Any) -> str:
        """The expression that checks and converts an argument's leaf for the inner function."""
        if isinstance(leaf, Node):
            return f"array({text}, {self.literal(leaf.shape)}, {json.dumps(name)})"
        if leaf is None or isinstance(leaf, str | int):
            return f"setting({text}, {json.dumps(leaf)}, {json.dumps(name)})"
        return "null"

    def container(self, tree: Any) -> str:
        return super().container(list(tree) if isinstance(tree, tuple) else tree)

    # -- lines

    def is_short(self, node: Node) -> bool:
        is_number = not node.reads and not node.shape
        return self.text[node].isidentifier() or is_number or _is_spread(node)

    def can_stand_in(self, user: Node, node: Node) -> bool:
        loops = _is_loop(user)
        if node.shape:
            return loops == _is_loop(node) and (not loops or user.shape == node.shape)
        return not loops and super().can_stand_in(user, node)

    def write_output(self, node: Node, wish: str) -> str:
        return self.text[node]

    def write_line(self, name: Any, node: Node) -> None:
        if node in self.entries:
            self.entries.remove(node)
            self.declare(name, f"empty({self.shape_text(node)})", node)
            self.body.append(
                f"for (let i = 0; i < {name}.length; i++) {name}[i] = {self.text[node]};"
            )
        else:
            self.declare(name, self.text[node], node)
        self.keep(node, name)

    def shape_text(self, node: Node) -> str:
        """The shape of a node's loop, taken from an array in it if possible.

        This lets the page train with the same program for other numbers of rows and units.
        """
        for operand in node.operands:
            if operand.shape == node.shape and not _is_spread(operand):
                if self.text[operand].isidentifier():
                    return f"{self.text[operand]}.shape"
                return self.shape_text(operand)
        return self.literal(node.shape)

    # -- expressions

    def operation(self, node: Node) -> tuple[str, int]:
        if PRIMITIVES[node.name].elementwise and node.shape:
            self.entries.add(node)
        return super().operation(node)

    def template(self, node: Node, told: dict) -> tuple[str, int]:
        notation = PRIMITIVES[node.name].notation
        return notation.javascript, notation.level

    def operand(self, operand: Node, node: Node, template: str) -> str:
        elementwise = PRIMITIVES[node.name].elementwise
        return self.entry(operand, node) if elementwise else self.text[operand]

    def slots(self, node: Node, told: dict) -> dict[str, str]:
        found = {"result": self.literal(node.shape)}
        if "condition" in told:
            found["condition"] = self.in_loop(told.pop("condition"), node)
        if "index" in told:
            whole = told.get("shape", node.operands[0].shape)
            found["index"], indexed = self.places(told.pop("index"), whole)
            found["indexed"] = self.literal(indexed)
        shape = f", {self.literal(told.pop('shape'))}" if "shape" in told else ""
        named = ", ".join(f"{key}: {self.literal(v)}" for key, v in told.items())
        found["parameters"] = shape + (f", {{ {named} }}" if named else "")
        return found

    def in_loop(self, value: Any, node: Node) -> str:
        """The text of data, or of a constant, in the loop of an elementwise node."""
        if not isinstance(value, Node):
            value = self.computation.expressions.constant(value)
            self.write_expression(value)
            if value.shape and not self.text[value].isidentifier():
                self.write_line(self.fresh("t"), value)
        return self.entry(value, node)

    def data_call(
        self, node: Node, function: Any, args: tuple, kwargs: dict
    ) -> tuple[str, int]:
        """Comparisons, arithmetic, choices, casts, views, sums and sorting; other calls can't be
        written in JavaScript."""
        name = _name_of(function)
        if not node.reads:
            return self.constant(self.computation.expressions.constant(_called(node)))
        if _is_loop(node):
            self.entries.add(node)
        kind, primitive = self.sample(node).dtype, PRIMITIVE_OF.get(function)
        if kind.kind in "iu" and kind.itemsize < 4 and primitive is not None:
            raise ProgramError(
                f"{name}: got integers of type {kind}, which wrap around, expected int64 in "
                "JavaScript; pass y.astype(int)"
            )
        if function in INFIX:
            a, b = (f"({self.in_loop(x, node)})" for x in args)
            return f"{a} {INFIX[function]} {b}", SUM - 1
        if function is np.invert and self.sample(node).dtype == bool:
            function = np.logical_not
        if name == "astype" and (kind := np.dtype(args[1]).name) in CASTS:
            return CASTS[kind].format(f"({self.in_loop(args[0], node)})"), ATOM
        if function in CALLS:
            texts = (self.in_loop(x, node) for x in args)
            return CALLS[function].format(*texts), ATOM
        if primitive is not None and primitive.elementwise:
            texts = (f"({self.in_loop(x, node)})" for x in args)
            text = primitive.notation.javascript.format(*texts, parameters="")
            return text, SUM - 1
        if name in RESHAPED and "order" not in kwargs:
            array = self.whole(args[0])
            return f"{RESHAPED[name]}({array}, {self.literal(node.shape)})", ATOM
        if name in OF_TRUTH:
            truths = self.sample(args[0])
            # For an empty array the runtime's result would be infinite.
            name = OF_TRUTH[name] if truths.dtype == bool and truths.size else name
        if name in ALONG_AXES and kwargs.keys() <= {"axis", "keepdims", "kind"}:
            array, *axes = args
            how = {"axis": -1 if name == "argsort" else None, **kwargs, "kind": None}
            how |= dict(zip(["axis"], axes, strict=False))
            if how["axis"] is not None:
                how["axis"] = normalize_axis_tuple(how["axis"], len(array.shape))
            options = [
                f"{k}: {self.literal(v)}" for k, v in how.items() if v is not None
            ]
            return f"{name}({self.whole(array)}, {{ {', '.join(options)} }})", ATOM
        if name == "stack" and not kwargs and len(args) == 1:
            return f"stack([{', '.join(map(self.whole, args[0]))}])", ATOM
        if name == "__getitem__":
            array, index = args
            lists, shape = self.places(index, array.shape)
            return f"getitem({self.whole(array)}, {lists}, {self.literal(shape)})", ATOM
        raise ProgramError(
            f"{name}: got a call of it on data, expected a comparison, a choice, a cast, an index, "
            "a sum or a sort in JavaScript; compute the data outside and pass it in as an "
            "argument, or use slices"
        )

    def whole(self, value: Any) -> str:
        """The text of data, or of a constant, as a whole array."""
        if isinstance(value, Node):
            return self.text[value]
        return self.constant(self.computation.expressions.constant(value))[0]

    def sample(self, node: Node) -> Any:
        """A possible value of data, with its shape and dtype."""
        if node in self.examples:
            return np.zeros(node.shape, self.examples[node].dtype)
        if node.name != "data":
            return np.zeros(node.shape)
        return _called(node, self.sample)

    def entry(self, operand: Node, node: Node) -> str:
        """Entry i of an operand, in the loop of an elementwise node."""
        if not operand.shape or operand in self.entries:
            return self.text[operand]
        if _is_spread(operand):
            return self.literal(operand.parameters["value"])
        name = self.text[operand]
        if operand.shape != node.shape:
            name = self.fresh("t")
            shape = self.shape_text(node)
            self.declare(name, f"broadcast_to({self.text[operand]}, {shape})")
        return f"{name}[i]"

    # -- values

    def constant(self, node: Node, floats: bool = False) -> tuple[str, int]:
        value, shape = node.parameters["value"], self.literal(node.shape)
        if isinstance(value, np.ndarray) and value.size > LARGEST_CONSTANT:
            factor, matrix = patterned(value)
            if matrix:
                # From np.eye(3), np.tri(3, 4, -1), np.tri(3, 4, 0).T.
                text = matrix.removeprefix("np.").removesuffix(".T")
                text = f"{text[:-1]}, {self.literal(factor)})"
                return f"transpose({text})" if matrix[-1] == "T" else text, ATOM
            if is_whole(value):
                lists = self.lists(value.astype(int))
                return f"reshape(sumsOf([{lists}]), {shape})", ATOM
        text = self.literal(value)
        level = SUM if text[0] == "-" or " / " in text else ATOM
        if _is_spread(node):
            text = f"full({shape}, {text})"
        elif node.shape:
            text = f'array({text}, {shape}, "constant")'
        return text, level

    def literal(self, value: Any) -> str:
        if isinstance(value, np.ndarray):
            value = small_array(value).tolist()
        if isinstance(value, list | tuple):
            return self.container([*map(self.literal, value)])
        text = super().literal(value)
        return text.lower() if isinstance(value, bool | np.bool_) else text

    def number(self, value: float) -> str:
        if math.isfinite(value):
            return super().number(value)
        return "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"

    def places(self, index: Any, shape: tuple) -> tuple[str, tuple]:
        """The memory offsets of the indexed entries of an array of this shape, as lists whose
        sums in all combinations are the offsets; and the shape of the result."""
        parts = index if isinstance(index, tuple) else (index,)
        data = [part for part in parts if isinstance(part, Node)]
        if any(self.sample(part).dtype == bool for part in data):
            raise ProgramError(
                "index: got a mask, which chooses how many entries there are, expected whole "
                "numbers or slices in JavaScript; choose with np.where(mask, a, b), or write "
                "np.sum(mask * a) for np.sum(a[mask])"
            )
        firsts = [np.zeros(p.shape, int) if isinstance(p, Node) else p for p in parts]
        places = np.arange(math.prod(shape)).reshape(shape)[tuple(firsts)]
        if data and places.size:
            return self.picked(parts, firsts, places, shape), places.shape
        return f"[{self.lists(places)}]", places.shape

    def lists(self, places: np.ndarray) -> str:
        """The text of the lists whose sums, in all combinations, are the places."""
        return ", ".join(map(self.offsets, lists_of(places)))

    def picked(
        self, parts: tuple, firsts: list, places: np.ndarray, shape: tuple
    ) -> str:
        """The lists for an index with labels, given the places if all labels are 0: the lists for
        the axes before those of the labels, the entries that labels pick, and the axes after."""
        is_array = [isinstance(z, int | np.integer | np.ndarray) for z in firsts]
        own = np.broadcast_shapes(*map(np.shape, itertools.compress(firsts, is_array)))
        # NumPy puts their axes first if a slice separates two arrays.
        marked = [[] if a else z for z, a in zip(firsts, is_array, strict=True)]
        before = np.empty(shape)[tuple(marked)].shape.index(0) if own else 0
        outer, rest = places.shape[:before], places.shape[before + len(own) :]
        cube = places.reshape(math.prod(outer), math.prod(own), math.prod(rest))
        inner = cube[0] - cube[0, 0, 0]
        axes, choices = itertools.count(), []
        for part in parts:
            if part is Ellipsis:
                width = len(shape) - sum(p is not None for p in parts) + 1
                axes = itertools.count(next(axes) + width)
            elif part is not None:
                axis = next(axes)
                if isinstance(part, Node):
                    text = self.text[part]
                    if part.shape != own:
                        text = f"broadcast_to({text}, {self.literal(own)})"
                    size, stride = shape[axis], math.prod(shape[axis + 1 :])
                    choices.append(f"[{text}, {size}, {stride}]")
        first, last = cube[:, 0, 0].reshape(outer), inner[0].reshape(rest)
        middle = f"[{self.lists(inner[:, 0].reshape(own))}], {', '.join(choices)}"
        return f"[{self.lists(first)}, picked({middle}), {self.lists(last)}]"

    def offsets(self, places: Any) -> str:
        """The text of a list of places, as runs with a constant step if there are few runs."""
        ends = np.flatnonzero(np.diff(places, 2)) + 2
        runs = np.split(places, ends) if len(ends) < len(places) / 4 else [places]
        texts = []
        for run in runs:
            jumps = np.unique(np.diff(run))
            first = f", {run[0]}" if run[0:1].any() else ""
            is_run = len(run) > 1 and len(jumps) == 1
            texts.append(
                f"steps({len(run)}, {jumps[0]}{first})" if is_run else self.literal(run)
            )
        return texts[0] if len(texts) == 1 else f"[...{', ...'.join(texts)}]"


def lists_of(places: np.ndarray) -> list:
    """Lists whose sums, in all combinations, are the places; each covers one or more axes."""
    shape = places.shape
    for axis in range(1, places.ndim if places.size else 0):
        rows = places.reshape(math.prod(shape[:axis]), -1)
        first, others = rows[:, 0], rows[0] - rows[0, 0]
        if np.array_equal(np.add.outer(first, others), rows):
            first, others = first.reshape(shape[:axis]), others.reshape(shape[axis:])
            return [*lists_of(first), *lists_of(others)]
    return [places.reshape(-1)]


def _is_loop(node):
    """Whether the node is computed in a loop over its entries."""
    if node.name == "data":
        is_whole = _name_of(node.parameters["function"]) in WHOLE
        return bool(node.shape and node.reads) and not is_whole
    return bool(node.shape and node.operands) and PRIMITIVES[node.name].elementwise


def _is_spread(node):
    """Whether the node has the same number everywhere."""
    return node.name == "constant" and node.shape != np.shape(node.parameters["value"])


def _name_of(function):
    """The name of a function called on data, or of an array method."""
    return getattr(function, "__name__", function)


def _called(node, value_of=lambda node: node):
    """The result of a call on data for these values of the nodes that it reads."""
    told = pytrees.tree_map(
        lambda part: value_of(part) if type(part) is Node else part, node.parameters
    )
    function, (first, *others) = told["function"], told["args"]
    if isinstance(function, str):
        method = getattr(np.asarray(first), function)
        return np.asarray(method(*others, **told["kwargs"]))
    return np.asarray(function(first, *others, **told["kwargs"]))

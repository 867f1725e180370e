"""Nodes written down as JavaScript: a module that a page can run, without Python.

What works entry by entry becomes one loop over the entries, however many operations that is;
everything else calls a function of the runtime (``runtime.js``, ``linalg.js``) under its NumPy
name, of which the module carries those that it uses. How an operation is written stands in its
entry of the table.
"""

import inspect
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from comp551ad import pytrees

from .emit import INFIX, Computation, ProgramError, Writer, small_array
from .primitives import ATOM, PRIMITIVES, SUM
from .simplify import Node

# Without what each file says about itself.
RUNTIME = "\n".join(
    Path(__file__).with_name(name).read_text(encoding="utf-8").split("\n\n", 1)[1]
    for name in ("runtime.js", "linalg.js")
)
# A declaration of the runtime with the comment above it.
_PART = re.compile(
    r"(?:^//.*\n)*^(?:const|function) (?:(\w+)|\{([^}]*)\}).*\n(?:^[ })].*\n)*",
    re.MULTILINE,
)
# Calls on data, entry by entry, and types of numbers that an entry is cast to.
CALLS = {
    np.isnan: "Number.isNaN({})", np.where: "(({}) ? {} : {})", np.logical_not: "!({})",
}  # fmt: skip
CASTS = {
    "bool": "({} != 0)", "int64": "Math.trunc({})", "int32": "({} | 0)",
    "float64": "Number({})", "float32": "Math.fround({})",
}  # fmt: skip
# A name that isn't a property's.
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
    """The parts of the runtime that a text in JavaScript needs, in their order."""
    waiting, used = _NAMES.findall(text), set()
    while waiting:
        part = PARTS.get(waiting.pop())
        if part and part not in used:
            used.add(part)
            # Comments and the keys of objects name nothing.
            waiting += _NAMES.findall(re.sub(r"//.*|\w+:", "", part))
    return [part for part in dict.fromkeys(PARTS.values()) if part in used]


class JavaScriptWriter(Writer):
    """Writes a computation as an ES module.

    Its default export takes and returns numbers and nested arrays, and checks what it is given. The
    function itself, exported under its name, works on the runtime's arrays and checks nothing.
    """

    line, comment = "const {name} = {text};", " // "
    keys = (str, int)
    reserved = Writer.reserved | {*_WORDS.split(), *PARTS}

    def __init__(self, computation: Computation):
        # Elementwise nodes that have no array: their text is that of the entry i.
        self.entries: set[Node] = set()
        super().__init__(computation)

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
        """An argument's leaf as the inner function takes it."""
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
        """The shape of a node's loop: that of an array in it, if one has it.

        So the page's training runs the same program for other numbers of rows and units.
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
        """Data, or a constant, in the loop of an elementwise node."""
        if not isinstance(value, Node):
            value = self.computation.expressions.constant(value)
            self.write_expression(value)
            if value.shape and not self.text[value].isidentifier():
                self.write_line(self.fresh("t"), value)
        return self.entry(value, node)

    def data_call(
        self, node: Node, function: Any, args: tuple, kwargs: dict
    ) -> tuple[str, int]:
        """Comparisons, arithmetic, choices, casts and views; other calls have no JavaScript."""
        if _is_loop(node):
            self.entries.add(node)
        if function in INFIX:
            a, b = (f"({self.in_loop(x, node)})" for x in args)
            return f"{a} {INFIX[function]} {b}", SUM - 1
        if function == "astype" and (kind := np.dtype(args[1]).name) in CASTS:
            return CASTS[kind].format(f"({self.in_loop(args[0], node)})"), ATOM
        if function in CALLS:
            texts = (self.in_loop(x, node) for x in args)
            return CALLS[function].format(*texts), ATOM
        if function == "__getitem__":
            array, index = args
            lists, shape = self.places(index, array.shape)
            return f"getitem({self.text[array]}, {lists}, {self.literal(shape)})", ATOM
        name = getattr(function, "__name__", function)
        raise ProgramError(
            f"{name}: got a call of it on data, expected a comparison, a choice or a cast in "
            "JavaScript; compute the data outside and pass it in as an argument, or use slices"
        )

    def entry(self, operand: Node, node: Node) -> str:
        """An operand in the loop of an elementwise node: its entry i."""
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
        text, shape = self.literal(node.parameters["value"]), self.literal(node.shape)
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
        """Where in the memory of such an array the indexed entries are: lists of offsets, to be
        added each to each; and the shape that the index gives."""
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, Node) for part in parts):
            raise ProgramError(
                "index: got data, expected a plain index in JavaScript; pass one-hot labels Y in "
                "as an argument instead: np.sum(Y * logp, axis=1), and use np.where for masks"
            )
        places = np.arange(math.prod(shape)).reshape(shape)[index]
        lists = [self.offsets(axis) for axis in lists_of(places)]
        return f"[{', '.join(lists)}]", places.shape

    def offsets(self, places: Any) -> str:
        jumps = np.unique(np.diff(places))
        if len(places) > 1 and len(jumps) == 1:
            first = f", {places[0]}" if places[0] else ""
            return f"steps({len(places)}, {jumps[0]}{first})"
        return self.literal(places)


def lists_of(places: np.ndarray) -> list:
    """Lists whose sums, each to each, are the places: of single axes, or of several together."""
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
        return bool(node.shape) and node.parameters["function"] != "__getitem__"
    return bool(node.shape and node.operands) and PRIMITIVES[node.name].elementwise


def _is_spread(node):
    """Whether the node is one number everywhere."""
    return node.name == "constant" and node.shape != np.shape(node.parameters["value"])

"""The same program, written for speed: every result goes into an array allocated once.

Much of the time of a NumPy program goes into fetching memory for results that live for one line.
Here each operation is told where to put its result (``out=``). An array is free again after the
last use of what it holds, and an operation that works entry by entry writes over an operand that
nobody needs any more. Tall arrays with a short last axis, such as N x 3 logits, are stored short
axis first, so that sums and maxima over it run along memory.

Reads: ``source``. Read by: ``program``.
"""

import re

import numpy as np

from .expressions import Node
from .primitives import ATOM, PRIMITIVES
from .source import VIEWS, Writer, may_be_a_view, needed_nodes, returned

SHORT = 8  # entries of a last axis that is better stored first

UFUNCS = {
    name
    for name, primitive in PRIMITIVES.items()
    if primitive.elementwise and isinstance(primitive.functions[0], np.ufunc)
}
ENTRYWISE = UFUNCS | {"relu", "logistic", "softmax"}  # may write over their operand


class BufferedWriter(Writer):
    """Writes one computation as a function that keeps its arrays."""

    def _write_lines(self, outputs):
        self.buffers = []  # lines that allocate
        self.free = {}  # (shape, short axis first) -> names of buffers
        self.buffer_of = {}  # node -> (name, key)
        nodes, _ = needed_nodes([node for _, node in outputs])
        last_use = self._last_uses(nodes, [node for _, node in outputs])
        self._write_count(nodes)
        for place, node in enumerate(nodes):
            if node.operands and node.name not in VIEWS:
                self._write_operation(node, place, last_use)
            else:
                self._write_expression(node)
            for operand in {_base(o) for o in node.operands}:
                if last_use[operand] == place and operand in self.buffer_of:
                    self._release(operand)
        return [self._write_output(wish, node) for wish, node in outputs]

    def _last_uses(self, nodes, outputs):
        """Node -> the place of the last node that reads its memory, also through views."""
        last = dict.fromkeys(nodes, 0)
        for place, node in enumerate(nodes):
            for operand in node.operands:
                last[_base(operand)] = place
        for node in outputs:
            last[_base(node)] = len(nodes)
        return last

    # -- buffers

    def _take(self, node):
        """A free buffer for the node's result, or a new one."""
        key = (node.shape, _short_axis_first(node.shape))
        names = self.free.setdefault(key, [])
        if names:
            return names.pop(), key
        name = self._fresh("b")
        if key[1]:
            self.buffers.append(f"{name} = np.empty({node.shape[::-1]}).T")
        else:
            self.buffers.append(f"{name} = np.empty({node.shape})")
        return name, key

    def _release(self, node):
        name, key = self.buffer_of.pop(node)
        self.free[key].append(name)

    def _place_for(self, node, place, last_use):
        """The buffer of a dying operand that the node may write over, or another."""
        if node.name in ENTRYWISE:
            for operand in node.operands:
                held = self.buffer_of.get(operand)
                if held and operand.shape == node.shape and last_use[operand] == place:
                    del self.buffer_of[operand]
                    return held
        return self._take(node)

    # -- operations

    def _write_operation(self, node, place, last_use):
        statements = self._statements(node) if node.shape else None
        if statements is None:  # a number, or an operation without out=
            self._write_expression(node)
            name = self._fresh("t")
            self._write_line(name, self.text[node], node)
        else:
            taken = self._place_for(node, place, last_use)
            self.buffer_of[node] = taken
            name = taken[0]
            self.lines += [line.replace("OUT", name) for line in statements]
        self.text[node], self.level[node] = name, ATOM

    def _statements(self, node):
        """Lines that compute the node into OUT; None where there is no such form."""
        x, *rest = [self.text[o] for o in node.operands]
        if node.name in UFUNCS:
            ufunc = PRIMITIVES[node.name].functions[0].__name__
            return [f"np.{ufunc}({', '.join([x, *rest])}, out=OUT)"]
        if node.name == "relu":
            return [f"np.maximum({x}, 0.0, out=OUT)"]
        if node.name == "logistic":
            return [
                f"np.maximum({x}, -709.0, out=OUT)",
                "np.negative(OUT, out=OUT)",
                "np.exp(OUT, out=OUT)",
                "np.add(OUT, 1.0, out=OUT)",
                "np.reciprocal(OUT, out=OUT)",
            ]
        if node.name == "softmax":
            return self._softmax(node, x)
        if node.name == "dot" and [len(o.shape) for o in node.operands] == [2, 2]:
            if _short_axis_first(node.shape):
                return [f"np.dot({_flipped(rest[0])}, {_flipped(x)}, out=OUT.T)"]
            return [f"np.dot({x}, {rest[0]}, out=OUT)"]
        if node.name == "matmul" and len(node.shape) == 2:
            if _short_axis_first(node.shape):
                return [f"np.matmul({_flipped(rest[0])}, {_flipped(x)}, out=OUT.T)"]
            return [f"np.matmul({x}, {rest[0]}, out=OUT)"]
        if node.name in ("sum", "mean") and "axis" in node.parameters:
            keepdims = node.parameters.get("keepdims", False)
            axis = node.parameters["axis"]
            lines = [f"np.add.reduce({x}, axis={axis}, keepdims={keepdims}, out=OUT)"]
            if node.name == "mean":
                count = _size(node.operands[0]) / max(_size(node), 1)
                lines.append(f"np.divide(OUT, {count!r}, out=OUT)")
            return lines
        return None

    def _softmax(self, node, x):
        axis = node.parameters["axis"]
        if type(axis) is not int:
            return None
        shape = list(node.shape)
        shape[axis] = 1
        rows = self._take(Node("constant", (), {}, tuple(shape), -1))
        self.free[rows[1]].append(rows[0])  # needed within these lines only
        return [
            f"np.maximum.reduce({x}, axis={axis}, keepdims=True, out={rows[0]})",
            f"np.subtract({x}, {rows[0]}, out=OUT)",
            "np.exp(OUT, out=OUT)",
            f"np.add.reduce(OUT, axis={axis}, keepdims=True, out={rows[0]})",
            f"np.divide(OUT, {rows[0]}, out=OUT)",
        ]

    # -- the rest

    def _write_output(self, wish, node):
        if node in self.buffer_of:
            return self.text[node]
        if node.operands and not may_be_a_view(node) and node.name not in VIEWS:
            return self.text[node]
        name = self._fresh(wish)
        self._write_line(name, self._own(node), node)
        return name

    def _return(self, structure, variables):
        held = {name for name, _ in self.buffer_of.values()}
        own = [f"{name}.copy()" if name in held else name for name in variables]
        lines = super()._return(structure, variables)
        if held.intersection(variables):
            lines = ["if copy:", f"    return {returned(structure, own)}", *lines]
        return lines

    def _definition(self, name, lines):
        """The function inside another that allocates its arrays, and their transposes."""
        self.parameters.append("copy=True")
        inner = super()._definition(name, lines)
        self.parameters.pop()
        for buffer in re.findall(r"^(\w+) = ", "\n".join(self.buffers), re.MULTILINE):
            if f"{buffer}.T" in inner:
                inner = re.sub(rf"\b{buffer}\.T", f"{buffer}_T", inner)
                self.buffers.append(f"{buffer}_T = {buffer}.T")
        body = [*self.buffers, "", *inner.splitlines(), "", f"return {name}"]
        text = "".join(f"    {line}\n" if line else "\n" for line in body)
        return f"def _with_buffers():\n{text}\n\n{name} = _with_buffers()\n"


def _base(node):
    """The node whose memory a view shows."""
    while node.name in VIEWS:
        node = node.operands[0]
    return node


def _size(node):
    size = 1
    for n in node.shape:
        size *= n
    return size


def _short_axis_first(shape):
    return len(shape) == 2 and shape[1] <= SHORT and shape[0] > shape[1]


def _flipped(text):
    return text[:-2] if text.endswith(".T") else f"{text}.T"

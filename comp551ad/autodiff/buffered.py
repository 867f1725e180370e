"""The same program, written for speed: every result goes into an array allocated once.

Much of the time of a NumPy program goes into fetching memory for results that live for one line.
Here each operation is told where to put its result (``out=``). An array is free again after the
last use of what it holds, and an operation that works entry by entry writes over an operand that
nobody needs any more. So that softmax and its kin can do so too, they are first taken apart into
NumPy's functions. Tall arrays with a short last axis, such as N x 3 logits, are stored short axis
first, so that sums and maxima over it run along memory.

Reads: ``source``, ``expressions``. Read by: ``program``.
"""

import functools

import numpy as np

from .expressions import Node
from .primitives import ATOM, PRIMITIVES
from .source import (
    VIEWS,
    Writer,
    base_of,
    needed_nodes,
    returned,
    with_point,
)

SHORT, TALL = 8, 64  # columns at most, and rows at least, of what is stored by columns

UFUNCS = {
    name
    for name, primitive in PRIMITIVES.items()
    if primitive.elementwise and isinstance(primitive.functions[0], np.ufunc)
}
REDUCTIONS = {"sum": "add", "mean": "add", "max": "maximum", "min": "minimum"}
PRODUCTS = {"dot", "matmul"}
COMPOUND = {"relu", "logistic", "softmax", "logsumexp"}


# ---------------------------------------------------------------- taken apart


def taken_apart(outputs, expressions) -> list[Node]:
    """The outputs, with what is COMPOUND in terms of NumPy's functions."""
    make = functools.partial(_make, expressions)
    nodes, uses = needed_nodes(outputs)
    new = {}
    for node in nodes:
        operands = tuple(new[o] for o in node.operands)
        if node.name in COMPOUND and node.shape:
            once = uses[node.operands[0]] == 1
            new[node] = _apart(make, node, *operands, once)
        elif operands != node.operands:
            rest = node.parameters, node.shape
            new[node] = expressions.node(node.name, operands, *rest)
        else:
            new[node] = node
    return [new[node] for node in outputs]


def _make(expressions, name, *operands, shape=None, **parameters):
    """A node, of its first operand's shape unless told; operands may be numbers."""
    operands = [expressions.constant(o) if type(o) is float else o for o in operands]
    shape = operands[0].shape if shape is None else shape
    return expressions.node(name, tuple(operands), parameters, shape)


def _apart(make, node, x, once):
    """A compound node; ``once`` says that nothing else needs its operand x."""
    if node.name == "relu":
        return make("maximum", x, 0.0)
    if node.name == "logistic":
        power = make("exp", make("minimum", _minus(make, x, once), 709.0))
        return make(
            "divide", 1.0, make("add", power, 1.0), shape=x.shape
        )  # beats reciprocal
    axis = node.parameters["axis"]
    axes = axis if type(axis) is tuple else (axis,)
    shape = [1 if k - len(x.shape) in axes else n for k, n in enumerate(x.shape)]
    row = {"shape": tuple(shape), "axis": axis, "keepdims": True}
    shift = make("max", x, **row)
    powers = make("exp", make("subtract", x, shift))
    total = make("sum", powers, **row)
    if node.name == "softmax":
        return make("divide", powers, total)
    log_total = make("add", make("log", total), shift)
    return make("squeeze", log_total, shape=node.shape, axis=axis)


def _minus(make, x, once):
    """-x; a product that nothing else needs takes the sign in a factor smaller than itself."""
    a, b = x.operands if once and x.name in PRODUCTS else (x, x)
    if _size(b) < min(_size(a), _size(x)):
        return make(x.name, a, make("negative", b), shape=x.shape)
    if _size(a) < _size(x):
        return make(x.name, make("negative", a), b, shape=x.shape)
    return make("negative", x)


# ---------------------------------------------------------------- written down


class BufferedWriter(Writer):
    """Writes one computation as a function that keeps its arrays."""

    reserved = frozenset({"copy"})  # the function's own parameter

    def _write_lines(self, outputs):
        self.buffers = []  # lines that allocate
        self.transposed = {}  # a buffer's name -> its transpose's, once there is one; and back
        self.free = {}  # (shape, by columns) -> names of buffers
        self.buffer_of = {}  # node -> (name, key)
        new = taken_apart([node for _, node in outputs], self.expressions)
        nodes, _ = needed_nodes(new)
        last_use = self._last_uses(nodes, new)
        for place, node in enumerate(nodes):
            if node.operands and node.name not in VIEWS:
                self._write_operation(node, place, last_use)
            else:
                self._write_expression(node)
            for operand in {base_of(o) for o in node.operands}:
                if last_use[operand] == place and operand in self.buffer_of:
                    self._release(operand)
        wishes = [wish for wish, _ in outputs]
        return [self._write_output(*pair) for pair in zip(wishes, new, strict=True)]

    def _last_uses(self, nodes, outputs):
        """Node -> the place of the last node that reads its memory, also through views."""
        last = dict.fromkeys(nodes, 0)
        for place, node in enumerate(nodes):
            for operand in node.operands:
                last[base_of(operand)] = place
        for node in outputs:
            last[base_of(node)] = len(nodes)
        return last

    # -- buffers

    def _take(self, node):
        """A free buffer for the node's result, or a new one."""
        key = (node.shape, _by_columns(node.shape))
        names = self.free.setdefault(key, [])
        if names:
            return names.pop(), key
        name = self._fresh("b")
        shape = node.shape[::-1] if key[1] else node.shape
        self.buffers.append(f"{name} = np.empty({shape})")
        self.transposed[name] = None
        return name, key

    def _release(self, node):
        name, key = self.buffer_of.pop(node)
        self.free[key].append(name)

    def _place_for(self, node, place, last_use):
        """The buffer of a dying operand that the node may write over, or another."""
        if node.name in UFUNCS:
            for operand in node.operands:
                held = self.buffer_of.get(operand)
                if held and operand.shape == node.shape and last_use[operand] == place:
                    del self.buffer_of[operand]
                    return held
        return self._take(node)

    def _flipped(self, text):
        """The transpose of a variable; a buffer's is made once and has a name."""
        if text not in self.transposed:
            return text[:-2] if text.endswith(".T") else f"{text}.T"
        if self.transposed[text] is None:
            name = self._fresh(f"{text}_T")
            self.buffers.append(f"{name} = {text}.T")
            self.transposed |= {text: name, name: text}
        return self.transposed[text]

    # -- operations

    def _write_operation(self, node, place, last_use):
        lines = self._lines(node) if node.shape else None
        if lines is None:  # a number, or an operation without out=
            self._write_expression(node)
            text = self._fresh("t")
            self._write_line(text, self.text[node], node)
        else:
            name, key = self.buffer_of[node] = self._place_for(node, place, last_use)
            text = self._flipped(name) if key[1] else name
            lines = [line.replace("{stored}", name) for line in lines]
            self.lines += [line.replace("{out}", text) for line in lines]
        self.text[node], self.level[node] = text, ATOM

    def _lines(self, node):
        """Lines that compute the node into {out}, or its transpose into the array as it is
        {stored}; None where there is no such form."""
        dimensions = [len(o.shape) for o in node.operands]
        flip = _by_columns(node.shape) and set(dimensions) <= {0, 2}
        flip = flip and node.name in UFUNCS | PRODUCTS  # all transposed: along memory
        out = "{stored}" if flip else "{out}"
        texts = [self.text[o] for o in node.operands]
        if flip:
            pairs = zip(texts, dimensions, strict=True)
            texts = [self._flipped(text) if n else text for text, n in pairs]
        if node.name in UFUNCS:
            ufunc = PRIMITIVES[node.name].functions[0].__name__
            return [f"np.{ufunc}({', '.join(texts)}, out={out})"]
        if node.name in PRODUCTS and dimensions == [2, 2]:
            left, right = reversed(texts) if flip else texts
            return [f"{left}.dot({right}, out={out})"]
        if node.name in REDUCTIONS and "axis" in node.parameters:
            keepdims = node.parameters.get("keepdims", False)
            how = f"axis={node.parameters['axis']}, keepdims={keepdims}, out={out}"
            lines = [f"np.{REDUCTIONS[node.name]}.reduce({texts[0]}, {how})"]
            if node.name == "mean":
                count = _size(node.operands[0]) / max(_size(node), 1)
                lines.append(f"np.divide({out}, {count!r}, out={out})")
            return lines
        return None

    def _write_expression(self, node):
        """As in the readable form, but with 2.0 for 2: NumPy takes floats sooner."""
        super()._write_expression(node)
        text = with_point(self.text[node])
        self.text[node] = self._flipped(text[:-2]) if text.endswith(".T") else text

    # -- the rest

    def _return(self, structure, variables):
        held = {v for node, v in self.handed_out.items() if node in self.buffer_of}
        own = [f"{name}.copy()" if name in held else name for name in variables]
        lines = super()._return(structure, variables)
        if held:
            lines = ["if copy:", f"    return {returned(structure, own)}", *lines]
        return lines

    def _definition(self, name, lines):
        """The function inside another that allocates its arrays, and their transposes."""
        self.parameters.append("copy=True")
        inner = super()._definition(name, lines)
        self.parameters.pop()
        body = [*self.buffers, "", *inner.splitlines(), "", f"return {name}"]
        text = "".join(f"    {line}\n" if line else "\n" for line in body)
        return f"def _with_buffers():\n{text}\n\n{name} = _with_buffers()\n"


def _size(node):
    size = 1
    for n in node.shape:
        size *= n
    return size


def _by_columns(shape):
    return len(shape) == 2 and shape[1] <= SHORT and shape[0] >= TALL

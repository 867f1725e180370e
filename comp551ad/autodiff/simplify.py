"""A computation as simplified expressions: the program writer's input.

Rows of a tape are read as *coefficient × node*. A node is an operation on nodes, and equal nodes
are one object, so repeated work is shared automatically. Numbers are collected in the coefficient,
move outward through linear operations, and are applied once, at the end. That is how 1/N, which the
chain rule passes down from the mean at the very beginning, becomes one division at the end of each
gradient, where a person would write it.

Coefficients that move stay between 1e-30 and 1e30; any other number (including 0, inf and nan) is
applied where it occurs. So a program doesn't overflow or underflow where the recorded function
doesn't, unless its values come that close to the largest or the smallest float. 2 x + x becomes
3 x; 2 x - x is kept, because it is nan at inf.

Signs move too: -x - y becomes -(x + y). Where such a sum is exactly zero it is -0 instead of 0,
and an infinity derived from it has the opposite sign. This is the price of readable source: the
minus of a cost doesn't occur inside every sum, and 1 / (1 + exp(-w x - b)) is recognised as
logistic.
"""

import functools
import itertools
import math
import operator
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from comp551ad import pytrees

from .operands import operands_of, parameters_of
from .primitives import PRIMITIVES, shape_of
from .tape import Tape, Tracer, concrete
from .trace import record

# Bounds for coefficients that move.
SMALLEST, LARGEST = 1e-30, 1e30
# The maximum number of entries of an array written into the source.
LARGEST_CONSTANT = 16


@dataclass(eq=False, slots=True)
class Node:
    """An operation on nodes.

    Attributes:
        name: a primitive's name, "input", "constant", or "data" for a call that is not
            differentiated.
        operands: the nodes that it is computed from.
        parameters: the primitive's; for an input {"k": its row}, for a constant {"value": …}. A
            constant with a shape and a scalar value has that value everywhere.
        shape: the shape of its value.
        number: nodes are numbered in order of creation.
        reads: all nodes that it is computed from: its operands, and those in the parameters (a
            mask, an index, the arguments of a call on data).
    """

    name: str
    operands: tuple["Node", ...]
    parameters: dict[str, Any]
    shape: tuple[int, ...]
    number: int
    reads: tuple["Node", ...] = field(init=False)

    def __post_init__(self) -> None:
        parts = pytrees.leaves(self.parameters)
        self.reads = (*self.operands, *(p for p in parts if isinstance(p, Node)))


class Scaled(NamedTuple):
    """up / down × node."""

    up: float
    down: float
    node: Node

    @property
    def is_moderate(self) -> bool:
        """Whether the coefficient may move without causing overflow or underflow."""
        sizes = abs(self.up), abs(self.down)
        if not all(SMALLEST <= size <= LARGEST for size in sizes):
            return False
        return SMALLEST <= sizes[0] / sizes[1] <= LARGEST

    def reduced(self) -> "Scaled":
        """The same in lowest terms: 2 / 300 is 1 / 150, and 3 times 0.1 is 0.3."""
        up, down, node = self
        if up == down:
            return Scaled(1.0, 1.0, node)
        if up.is_integer() and down.is_integer() and abs(up) + abs(down) < 2**53:
            factor = math.copysign(math.gcd(int(up), int(down)) or 1, down)
            return Scaled(up / factor, down / factor, node)
        return Scaled(_short(up), _short(down), node)


def as_ratio(value: float) -> tuple[float, float]:
    """(p, q) if p / q is shorter, as 1 / 3 for 0.3333333333333333; otherwise (value, 1)."""
    if math.isfinite(value) and len(repr(value)) > 12:
        ratio = Fraction(value).limit_denominator(10**6)
        p, q = float(ratio.numerator), float(ratio.denominator)
        if p / q == value and abs(p) * q < 1e9:
            return p, q
    return value, 1.0


def _short(value):
    """The number without the rounding error at its end: 0.3 for 0.30000000000000004."""
    short = float(f"{value:.15g}")  # inf for the largest numbers
    return short if len(repr(short)) < 12 and math.isfinite(short) else value


class Expressions:
    """All nodes of one computation, without duplicates.

    Attributes:
        one: the constant 1; a plain number c is c × one.
        scaled: the scaled node for each row of the tape read last.
    """

    def __init__(self) -> None:
        self._nodes: dict[tuple, Node] = {}
        self.one = self.constant(1.0)
        self.scaled: list[Scaled] = []

    # -- making nodes

    def node(self, name: str, operands: tuple, parameters: dict, shape: tuple) -> Node:
        """The node for this operation; the existing one if there is one."""
        operands = self._as_floats(name, operands)
        numbers = [o.number for o in operands]
        if len(operands) > 1 and PRIMITIVES[name].commutative:
            numbers.sort()
        how = _hashable(parameters) if parameters else ()
        key = (name, tuple(numbers), how, shape)
        if key not in self._nodes:
            self._nodes[key] = Node(name, operands, parameters, shape, len(self._nodes))
        return self._nodes[key]

    def constant(self, value: Any, shape: tuple | None = None) -> Node:
        """A constant; if ``shape`` isn't that of its value, one number everywhere."""
        shape = np.shape(value) if shape is None else shape
        return self.node("constant", (), {"value": value}, shape)

    def spread(self, node: Node, shape: tuple) -> Node:
        """The node broadcast to a shape."""
        if node.shape == shape:
            return node
        if node.name == "constant" and not node.shape:
            return self.constant(node.parameters["value"], shape)
        return self.node("broadcast_to", (node,), {"shape": shape}, shape)

    def _unspread(self, node):
        """The node that was broadcast to this node's shape, or the node itself."""
        if node.name == "broadcast_to":
            return node.operands[0]
        is_one = node.name == "constant" and type(node.parameters["value"]) is float
        return self.one if is_one and node.parameters["value"] == 1 else node

    def written_out(self, scaled: Scaled) -> Node:
        """The node for a scaled node, with its coefficient applied."""
        up, down, node = scaled.reduced()
        if self._unspread(node) is self.one:
            return self.constant(_quotient(up, down), node.shape)
        if up == -1:
            node = self.node("negative", (node,), {}, node.shape)
        elif up != 1:
            node = self.node("multiply", (self.constant(up), node), {}, node.shape)
        if down != 1:
            node = self.node("divide", (node, self.constant(down)), {}, node.shape)
        return node

    def node_of(self, value: Any, tape: Tape) -> Node:
        """The node for a value on the tape that was read, data, or a constant; None is 0."""
        node = self.with_data(value, tape)
        if isinstance(node, Node):
            return node
        return self.constant(value if np.shape(value) else float(value or 0))

    # -- data

    def with_data(self, value: Any, tape: Tape) -> Any:
        """A parameter with every array that comes from data replaced by a node."""
        if pytrees.is_container(value):
            return pytrees.tree_map(lambda part: self.with_data(part, tape), value)
        if type(value) is Tracer:
            while value.tape is not tape:
                value = value.value
            return self.written_out(self.scaled[value.index])
        origin = getattr(value, "origin", None) or tape.origins.of(value)
        if origin is None:
            return value
        if origin.function is None:
            return self.node("input", (), {"k": origin.operands[0]}, np.shape(value))
        call = {
            "function": origin.function,
            "args": self.with_data(origin.operands, tape),
            "kwargs": self.with_data(origin.parameters, tape),
        }
        return self.node("data", (), call, np.shape(value))

    def _as_floats(self, name, operands):
        """The operands with data cast to float: sums of truth values, for example, would be
        wrong. Arithmetic with other float operands needs no cast."""
        if not any(map(is_data, operands)):
            return operands
        entry = PRIMITIVES[name]
        if entry.elementwise or entry.bilinear:
            if any(o.name != "constant" and not is_data(o) for o in operands):
                return operands
        return tuple(map(self.as_float, operands))

    def as_float(self, node: Node) -> Node:
        """The node, cast to float if it is data."""
        if not is_data(node):
            return node
        cast = {"function": "astype", "args": (node, float), "kwargs": {}}
        return self.node("data", (), cast, node.shape)

    # -- reading rows

    def read(
        self,
        rows: Iterable,
        given: Iterable[Node] = (),
        anchors: Collection[int] = (),
        tape: Tape | None = None,
    ) -> list[Scaled]:
        """Every row as a scaled node; ``self.scaled`` keeps them.

        Args:
            rows: a tape's rows.
            given: nodes for the first rows, which are inputs.
            anchors: rows that get a name of their own in the program: they keep their sign, and
                only factors such as 1/N move on.
            tape: the tape of the rows, if some of them may come from data.
        """
        self.scaled = scaled = [Scaled(1.0, 1.0, node) for node in given]
        for k, row in itertools.islice(enumerate(rows), len(scaled), None):
            if row[0] == "input":
                node = tape and self.with_data(row[1], tape)
                if not isinstance(node, Node):
                    shape = shape_of(concrete(row[1]))
                    node = self.node("input", (), {"k": k}, shape)
                new = Scaled(1.0, 1.0, node)
            else:
                operands = [
                    scaled[o] if type(o) is int else self._literal(o)
                    for o in operands_of(row)
                ]
                parameters = parameters_of(row)
                if tape is not None and tape.origins:
                    parameters = self.with_data(parameters, tape)
                shape = shape_of(concrete(row[1]))
                new = self.apply(row[0], operands, parameters, shape)
            up, down, node = new
            if k in anchors and up < 0 and node is not self.one:
                node = self.written_out(Scaled(-1.0, 1.0, node))
                new = Scaled(-up, down, node)
            scaled.append(new)
        return scaled

    def _literal(self, value):
        if type(value) is Tracer:
            # Data, which is an input of the outer tape.
            node = self.node("input", (), {"k": ("outer", value.index)}, value.shape)
            return Scaled(1.0, 1.0, node)
        if type(value) is float:
            return Scaled(*as_ratio(value), self.one)
        if value.size > LARGEST_CONSTANT and np.all(value == value.flat[0]):
            # E.g. np.zeros(n).
            return Scaled(1.0, 1.0, self.constant(float(value.flat[0]), value.shape))
        return Scaled(1.0, 1.0, self.constant(value))

    def apply(
        self, name: str, operands: list[Scaled], parameters: dict, shape: tuple
    ) -> Scaled:
        """An operation on scaled nodes, simplified."""
        entry = PRIMITIVES[name]
        if entry.elementwise:
            operands = self._without_stretching(operands, shape)
        if name == "negative":
            return _negated(operands[0])
        if name == "add":
            return self._add(operands[0], operands[1], shape)
        if name == "subtract":
            return self._add(operands[0], _negated(operands[1]), shape)
        if entry.bilinear or name == "divide":
            a, b = operands
            return self._multiply(name, a, b, parameters, shape)
        if entry.linear:
            return self._linear(name, operands[0], parameters, shape)
        if name == "set_at" and parameters["index"] is Ellipsis:
            up, down, node = operands[1]
            return Scaled(up, down, self.spread(node, shape))
        nodes = tuple(self.written_out(operand) for operand in operands)
        return Scaled(1.0, 1.0, self.node(name, nodes, parameters, shape))

    # -- arithmetic

    def _without_stretching(self, operands, shape):
        """The operands without any broadcasting that the operation does anyway."""
        operands = list(operands)
        for k, (up, down, node) in enumerate(operands):
            others = [o.node.shape for o in operands[:k] + operands[k + 1 :]]
            small = self._unspread(node)
            if small is node:
                continue
            if np.broadcast_shapes(small.shape, *others) == shape:
                operands[k] = Scaled(up, down, small)
        return operands

    def _linear(self, name, a, parameters, shape):
        up, down, node = a
        if not shape and not node.shape:
            # A sum or view of a single number.
            return a
        small = self._unspread(node)
        if PRIMITIVES[name].view and not small.shape:
            # All entries are equal and remain so.
            return Scaled(up, down, self.spread(small, shape))
        if "index" in parameters and not small.shape:
            # Scatter: one number goes to all the places.
            a, node = Scaled(up, down, small), small
        if name == node.name == "transpose":
            axes = [node.parameters["axes"][axis] for axis in parameters["axes"]]
            if axes == sorted(axes):
                return Scaled(up, down, node.operands[0])
        if node is self.one:
            up, down, node = 1.0, 1.0, self.written_out(a)
        return Scaled(up, down, self.node(name, (node,), parameters, shape))

    def _multiply(self, name, a, b, parameters, shape):
        """A product or a quotient: of the coefficients, and of the nodes."""
        shapes = a.node.shape, b.node.shape
        flat = len(shapes[0]) == len(shapes[1]) == 2
        if PRIMITIVES[name].matrix_product and flat and (1, 1) in shapes:
            return self.apply("multiply", [a, b], {}, shape)
        divides = name == "divide"
        by = (b.down, b.up) if divides else (b.up, b.down)
        product = Scaled(a.up * by[0], a.down * by[1], self.one)
        if a.node is self.one is b.node:
            operation = _quotient if divides else operator.mul
            return product if product.is_moderate else self._number(a, b, operation)
        if not product.is_moderate or (divides and a.node is self.one):
            nodes = self.written_out(a), self.written_out(b)
            node = self._as_logistic(*nodes) if divides else None
            node = node or self.node(name, nodes, parameters, shape)
            return Scaled(1.0, 1.0, node)
        for number, other in ((a, b), (b, a)):
            if number.node is self.one:
                return product._replace(node=other.node)
        node = self.node(name, (a.node, b.node), parameters, shape)
        return product._replace(node=node)

    def _number(self, a, b, operation):
        """A number computed from two numbers, as the recorded function would."""
        value = operation(_quotient(a.up, a.down), _quotient(b.up, b.down))
        return Scaled(value, 1.0, self.one)

    def _add(self, a, b, shape):
        """A sum; a common factor of both terms is taken out."""
        if a.node is self.one is b.node:
            return self._number(a, b, operator.add)
        if a.node is b.node and a.down == b.down and a.up * b.up > 0:
            total = Scaled(a.up + b.up, a.down, a.node)
            if total.is_moderate:
                return total
        for zero, other in ((a, b), (b, a)):
            if zero.node is self.one and zero.up == 0 and other.node.shape == shape:
                return other
        same = abs(a.up) == abs(b.up) and a.down == b.down
        if not same or self.one in (a.node, b.node):
            a, b = self._signed(a), self._signed(b)
        if a.up < 0 < b.up:
            a, b = b, a
        name = "subtract" if a.up > 0 > b.up else "add"
        node = self.node(name, (a.node, b.node), {}, shape)
        return Scaled(a.up, a.down, node)

    def _signed(self, scaled):
        """A term with its coefficient applied, except for the sign."""
        up, down, node = scaled
        sign = -1.0 if up < 0 else 1.0
        return Scaled(sign, 1.0, self.written_out(Scaled(abs(up), down, node)))

    # -- patterns

    def _as_logistic(self, top, bottom):
        """1 / (1 + exp(-q)) is logistic(q), which never overflows."""
        if top is not self.one or bottom.name != "add":
            return None
        for one, power in (bottom.operands, bottom.operands[::-1]):
            if one is self.one and power.name == "exp":
                (exponent,) = power.operands
                if exponent.name == "negative":
                    (q,) = exponent.operands
                    return self.node("logistic", (q,), {}, q.shape)
        return None


def recognise(rows: list) -> list:
    """The rows, with those recognised as a function of one other row rewritten as that function.
    They then use the function's own rule, which is as numerically safe as the function."""
    if all(row[0] != "exp" for row in rows):
        return rows
    scaled = Expressions().read(rows)
    first: dict[Scaled, int] = {}
    new = list(rows)
    for k, (up, down, node) in enumerate(scaled):
        turned_out = node.name != rows[k][0] and (up, down) == (1, 1)
        if turned_out and len(node.operands) == 1 and not node.parameters:
            operand = first.get(Scaled(1.0, 1.0, node.operands[0]))
            if operand is not None:
                new[k] = node.name, rows[k][1], operand
        first.setdefault(scaled[k], k)
    return new


# ---------------------------------------------------------------- what uses what


def is_data(node: Node) -> bool:
    """Whether the node is data: a call, or an argument, which has its name as key."""
    return node.name == "data" or (
        node.name == "input" and type(node.parameters["k"]) is str
    )


def users_of(outputs: list[Node]) -> dict[Node, list]:
    """The nodes that the outputs need, in order of creation, each with its users; None stands for
    the user of an output."""
    users: dict[Node, list] = {}
    waiting: list[tuple] = [(node, None) for node in outputs]
    for node, user in waiting:
        if node not in users:
            users[node] = []
            waiting += [(operand, node) for operand in node.reads]
        users[node].append(user)
    return {node: users[node] for node in sorted(users, key=lambda n: n.number)}


def is_view(node: Node) -> bool:
    """Whether the node is a view of its operand."""
    return bool(node.operands) and PRIMITIVES[node.name].view


def base_of(node: Node) -> Node:
    """The node that owns the memory of a view."""
    while is_view(node):
        node = node.operands[0]
    return node


# ---------------------------------------------------------------- in terms of NumPy functions


def _logistic(x):
    power = np.exp(np.minimum(x, 709.0))
    return power / (power + 1.0)


def _softmax(x, axis):
    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)


def _logsumexp(x, axis):
    shift = np.max(x, axis=axis, keepdims=True)
    total = np.sum(np.exp(x - shift), axis=axis, keepdims=True)
    return np.squeeze(np.log(total) + shift, axis=axis)


# The same functions in terms of operations that support out=.
IN_PARTS: dict[str, Callable] = {
    "relu": lambda x: np.maximum(x, 0.0),
    "logistic": _logistic,
    "softmax": _softmax,
    "logsumexp": _logsumexp,
    "mean": lambda x, **how: np.sum(x, **how) / (x.size / np.sum(x, **how).size),
    "matmul": lambda a, b: (np.dot if a.ndim <= 2 >= b.ndim else np.matmul)(a, b),
}


def taken_apart(outputs: list[Node], expressions: Expressions) -> list[Node]:
    """The outputs, with softmax and similar functions in terms of NumPy's functions."""
    new: dict[Node, Node] = {}

    def renewed(part):
        return new[part] if isinstance(part, Node) else part

    for node in users_of(outputs):
        operands = tuple(map(renewed, node.operands))
        parameters = pytrees.tree_map(renewed, node.parameters)
        new[node] = expressions.node(node.name, operands, parameters, node.shape)
        if node.shape and 0 not in node.shape and node.name in IN_PARTS:
            f = functools.partial(IN_PARTS[node.name], **parameters)
            trace = record(f, *(np.ones(o.shape) for o in operands))
            scaled = expressions.read(trace.rows, operands)
            new[node] = expressions.written_out(scaled[-1])
    return [new[node] for node in outputs]


# ---------------------------------------------------------------- numbers and keys


def _negated(scaled):
    return scaled._replace(up=-scaled.up)


def _quotient(a, b):
    """a / b of numbers, as in NumPy: 1 / 0 is inf."""
    with np.errstate(all="ignore"):
        return float(np.divide(a, b))


def _hashable(value: Any) -> Any:
    """The value in a form that can be compared and hashed."""
    if isinstance(value, Node):
        return "node", value.number
    if isinstance(value, dict):
        return tuple(value), _hashable(tuple(value.values()))
    if isinstance(value, tuple | list):
        return tuple(map(_hashable, value))
    if isinstance(value, slice):
        return "slice", value.start, value.stop, value.step
    if isinstance(value, np.ndarray):
        return "array", value.shape, value.dtype.str, value.tobytes()
    # repr, because 0.0 == -0.0 but they are different constants.
    return type(value).__name__, repr(value) if isinstance(value, float) else value

"""A computation as simplified expressions: what the program writer works on.

Rows of a tape are read into *coefficient × node*. A node is an operation on nodes, and equal nodes
are one object, so repeated work is shared by itself. Scalars never enter products: they gather in
the coefficient, travel outward through everything linear, and are applied once, at the end. That
is how 1/N, which the chain rule hands down from the mean at the very beginning, comes to stand as
one division at the end of each gradient, where a person would write it.

What travels stays between 1e-30 and 1e30; a number beyond (and 0, inf or nan) is applied where it
stands. So a program rounds otherwise than the recorded function, but doesn't overflow or vanish
otherwise, unless its values come that close to the largest or the smallest float. x + 0 is x, and
2 x + x is 3 x; 2 x - x stays, for at inf it is nan.

A sign travels too: sum(-x) becomes -sum(x), and -x - y becomes -(x + y). Where such a sum is
exactly zero, it is -0 instead of 0, and what is infinite on its account (1 / sum(-x), the
derivative of its square root) has the other sign. That is the price of sources that read well: the
minus of a cost doesn't stand inside of every sum, and 1 / (1 + exp(-w x - b)) is seen as logistic.

Reads: ``primitives``, ``traced``. Read by: ``program``.
"""

import math
import operator
from typing import NamedTuple

import numpy as np

from .primitives import shape_of
from .tape import concrete, operands_of, parameters_of

# f(c x) = c f(x) in the first operand, and f(c x, d y) = c d f(x, y)
LINEAR = {
    "sum", "mean", "reshape", "transpose", "expand_dims", "squeeze", "broadcast_to",
    "getitem", "scatter",
}  # fmt: skip
BILINEAR = {"multiply", "dot", "matmul", "outer"}
COMMUTATIVE = {"add", "multiply", "maximum", "minimum"}

SMALLEST, LARGEST = 1e-30, 1e30  # of the numbers that are gathered


class Node:
    """An operation on nodes. ``name`` is a primitive's name, "input" or "constant"."""

    __slots__ = ("name", "operands", "parameters", "shape", "number")

    def __init__(self, name, operands, parameters, shape, number):
        self.name = name
        self.operands = operands
        self.parameters = (
            parameters  # for an input {"k": …}, for a constant {"value": …}
        )
        self.shape = shape
        self.number = number  # nodes are numbered in the order they were made


class Scaled(NamedTuple):
    """up / down × node."""

    up: float
    down: float
    node: Node

    @property
    def moderate(self):
        """Whether the coefficient may travel: nothing overflows or vanishes on its account."""
        up, down = abs(self.up), abs(self.down)
        both = SMALLEST <= up <= LARGEST and SMALLEST <= down <= LARGEST
        return both and SMALLEST <= up / down <= LARGEST

    def reduced(self):
        """Whole numbers without a common factor: 2 / 300 is 1 / 150."""
        up, down, node = self
        if up == down:
            return Scaled(1.0, 1.0, node)
        if up.is_integer() and down.is_integer() and abs(up) + abs(down) < 2**53:
            factor = math.copysign(math.gcd(int(up), int(down)) or 1, down)
            return Scaled(up / factor, down / factor, node)
        return self


class Expressions:
    """All nodes of one computation, each once, and what was simplified on the way.

    Attributes:
        one: the constant 1; a plain number c is c × one.
        shared, moved, recognised: counts and texts for the list of simplifications.
    """

    def __init__(self):
        self._nodes = {}
        self.one = self.constant(1.0)
        self.shared = 0
        self.moved = 0
        self.recognised = []

    # -- making nodes

    def node(self, name, operands, parameters, shape) -> Node:
        """The node of this operation; the same one when it was made before."""
        numbers = [o.number for o in operands]
        if name in COMMUTATIVE:
            numbers.sort()
        key = (name, tuple(numbers), _hashable(parameters), shape)
        if key not in self._nodes:
            self._nodes[key] = Node(name, operands, parameters, shape, len(self._nodes))
        elif operands:
            self.shared += 1
        return self._nodes[key]

    def constant(self, value) -> Node:
        return self.node("constant", (), {"value": value}, np.shape(value))

    def written_out(self, scaled) -> Node:
        """The node for a scaled node, with its coefficient applied."""
        up, down, node = scaled.reduced()
        if node is self.one:
            return self.constant(_quotient(up, down))
        if up == -1:
            node = self.node("negative", (node,), {}, node.shape)
        elif up != 1:
            node = self.node("multiply", (self.constant(up), node), {}, node.shape)
        if down != 1:
            node = self.node("divide", (node, self.constant(down)), {}, node.shape)
        return node

    # -- reading rows

    def read(self, rows, numbers, anchors=()) -> list[Scaled]:
        """Every row as a scaled node.

        Args:
            rows: a tape's rows.
            numbers: row number -> float for inputs that stand for a plain number.
            anchors: rows that a reader will see under a name of their own: their sign stays
                with them, only sizes such as 1/N move on.
        """
        scaled = []
        for k, row in enumerate(rows):
            if k in numbers:
                scaled.append(Scaled(numbers[k], 1.0, self.one))
            elif row[0] == "input":
                node = self.node("input", (), {"k": k}, shape_of(row[1]))
                scaled.append(Scaled(1.0, 1.0, node))
            else:
                operands = [
                    scaled[o] if type(o) is int else self._literal(o)
                    for o in operands_of(row)
                ]
                parameters = parameters_of(row, residuals=False)
                shape = shape_of(concrete(row[1]))
                scaled.append(self._apply(row[0], operands, parameters, shape))
            up, down, node = scaled[k]
            if k in anchors and up < 0 and node is not self.one:
                node = self.written_out(Scaled(-1.0, 1.0, node))
                scaled[k] = Scaled(-up, down, node)
        return scaled

    def _literal(self, value):
        if type(value) is float:
            return Scaled(value, 1.0, self.one)
        return Scaled(1.0, 1.0, self.constant(value))

    def _apply(self, name, operands, parameters, shape) -> Scaled:
        if name == "negative":
            up, down, node = operands[0]
            return Scaled(-up, down, node)
        if name == "add":
            return self._add(*operands, shape)
        if name == "subtract":
            up, down, node = operands[1]
            return self._add(operands[0], Scaled(-up, down, node), shape)
        if name == "divide":
            return self._divide(*operands, shape)
        if name in BILINEAR:
            return self._multiply(name, *operands, parameters, shape)
        if name in LINEAR and operands[0].node is not self.one:
            up, down, node = operands[0]
            if name == node.name == "transpose" and _undoes(
                parameters, node.parameters
            ):
                return Scaled(up, down, node.operands[0])
            self.moved += (up, down) != (1, 1)
            return Scaled(up, down, self.node(name, (node,), parameters, shape))
        nodes = tuple(self.written_out(operand) for operand in operands)
        return Scaled(1.0, 1.0, self.node(name, nodes, parameters, shape))

    def _multiply(self, name, a, b, parameters, shape):
        product = Scaled(a.up * b.up, a.down * b.down, self.one)
        if a.node is self.one is b.node:
            return product if product.moderate else self._number(a, b, operator.mul)
        if not product.moderate:
            nodes = self.written_out(a), self.written_out(b)
            return Scaled(1.0, 1.0, self.node(name, nodes, parameters, shape))
        for scalar, other in ((a, b), (b, a)):
            if scalar.node is self.one:
                return product._replace(node=other.node)
        self.moved += product[:2] != (1, 1)
        node = self.node(name, (a.node, b.node), parameters, shape)
        return product._replace(node=node)

    def _divide(self, a, b, shape):
        quotient = Scaled(a.up * b.down, a.down * b.up, self.one)
        if a.node is self.one is b.node:
            return quotient if quotient.moderate else self._number(a, b, _quotient)
        if a.node is self.one or not quotient.moderate:
            nodes = self.written_out(a), self.written_out(b)
            node = self._as_logistic(*nodes) or self.node("divide", nodes, {}, shape)
            return Scaled(1.0, 1.0, node)
        if b.node is self.one:
            return quotient._replace(node=a.node)
        return quotient._replace(node=self.node("divide", (a.node, b.node), {}, shape))

    def _number(self, a, b, operation):
        """A number computed from two numbers, as the recorded function would."""
        value = operation(_quotient(a.up, a.down), _quotient(b.up, b.down))
        return Scaled(value, 1.0, self.one)

    def _add(self, a, b, shape):
        """A sum; a factor that both terms share goes in front of it."""
        if a.node is self.one is b.node:
            return self._number(a, b, operator.add)
        if a.node is b.node and a.down == b.down and a.up * b.up > 0:
            total = Scaled(a.up + b.up, a.down, a.node)
            if total.moderate:
                return total
        for zero, other in ((a, b), (b, a)):
            if zero.node is self.one and zero.up == 0 and other.node.shape == shape:
                return other
        same = (
            abs(a.up) == abs(b.up) and a.down == b.down and self.one not in (a[2], b[2])
        )
        if not same:
            a, b = self._apart(a), self._apart(b)
        if a.up < 0 < b.up:
            a, b = b, a
        name = "subtract" if a.up > 0 > b.up else "add"
        self.moved += same and (abs(a.up), a.down) != (1, 1)
        node = self.node(name, (a.node, b.node), {}, shape)
        return Scaled(a.up, a.down, node)

    def _apart(self, scaled):
        """A term with its coefficient applied, but for the sign."""
        up, down, node = scaled
        sign = -1.0 if up < 0 else 1.0
        return Scaled(sign, 1.0, self.written_out(Scaled(abs(up), down, node)))

    # -- patterns

    def _as_logistic(self, top, bottom):
        """1 / (1 + exp(-q)) is logistic(q), also written exp(-q) + 1."""

        def look(node):
            value = None if node.shape else node.parameters.get("value")
            return node.name, node.operands, value

        q = logistic_argument(top, bottom, look)
        if q is None:
            return None
        self.recognised.append(
            "1 / (1 + exp(-q)) is logistic(q), which never overflows"
        )
        return self.node("logistic", (q,), {}, q.shape)


def logistic_argument(top, bottom, look):
    """q, where top / bottom is 1 / (1 + exp(-q)); None elsewhere.

    ``look(x)`` gives an expression's name, operands and, for a constant number, its value.
    """
    if look(top)[2] != 1 or look(bottom)[0] != "add":
        return None
    for one, exponential in (look(bottom)[1], look(bottom)[1][::-1]):
        if look(one)[2] == 1 and look(exponential)[0] == "exp":
            (power,) = look(exponential)[1]
            if look(power)[0] == "negative":
                return look(power)[1][0]
    return None


def recognise(rows):
    """The rows with 1 / (1 + exp(-q)) as one logistic, before they are differentiated."""
    rows = list(rows)

    def look(operand):
        if type(operand) is float:
            return "constant", (), operand
        if type(operand) is not int:
            return "constant", (), None
        return rows[operand][0], operands_of(rows[operand]), None

    for k, row in enumerate(rows):
        if row[0] == "divide":
            q = logistic_argument(*operands_of(row), look)
            if type(q) is int:
                rows[k] = ("logistic", row[1], q)
    return rows


def _quotient(a, b):
    """a / b of numbers, as NumPy has it: 1 / 0 is inf."""
    with np.errstate(all="ignore"):
        return float(np.divide(a, b))


def _undoes(second, first):
    """Whether one transpose after another gives the original."""
    axes = [first["axes"][axis] for axis in second["axes"]]
    return axes == list(range(-len(axes), 0))


def _hashable(value):
    if isinstance(value, dict):
        return tuple((k, _hashable(v)) for k, v in sorted(value.items()))
    if isinstance(value, tuple | list):
        return tuple(_hashable(v) for v in value)
    if isinstance(value, slice):
        return "slice", value.start, value.stop, value.step
    if isinstance(value, np.ndarray):
        return "array", value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, float):  # 0.0 and -0.0 are equal, and two constants
        value = repr(value)
    return type(value).__name__, value

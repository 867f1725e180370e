"""Expressions written down as NumPy source.

A node that the user's function had a name for gets a line of its own under that name, its adjoint
one with a ``d`` in front; what has no name is written where it is used, unless it is used twice or
grows long.

Reads: ``expressions``, ``primitives``. Read by: ``program``.
"""

import ast
import builtins
import keyword
import math
import re
import unicodedata

import numpy as np

from comp551ad import pytrees

from .expressions import Expressions, Scaled
from .primitives import ATOM, PRIMITIVES, SUM, shape_of
from .tape import Tracer

LARGEST_CONSTANT = 16  # entries of an array that may stand in the source
LONGEST_UNNAMED = 60  # characters of an expression without a name of its own

_AXIS_ALWAYS = {"expand_dims", "squeeze", "concatenate", "stack"}
_AXES_OF_RESULT = {"expand_dims", "stack"}
VIEWS = {
    "transpose", "reshape", "expand_dims", "squeeze", "broadcast_to", "getitem",
}  # fmt: skip


class ProgramError(ValueError):
    """A computation that can't be written as a program, or a program used for other inputs than
    it was written for; the text says which and what to do."""


class Writer:
    """Writes one computation as a Python module with one function."""

    reserved = frozenset()  # names that the text uses besides

    def __init__(self, f, rows, arguments, local, derivative_of):
        """
        Args:
            f: the recorded function.
            rows: the outer tape; row 0 is the seed 1, then the inputs, then everything else.
            arguments: parameter -> its argument, with traced leaves.
            local: (name, traced value) of f's local variables.
            derivative_of: row number on f's own tape -> its adjoint, a value on the outer tape.
        """
        self.f_name = re.sub(r"\W", "_", getattr(f, "__name__", "f")).strip("_")
        self.rows, self.arguments = rows, arguments
        self.derivative_of = derivative_of
        self.expressions = Expressions()
        adjoints = [(f"d{name}", derivative_of.get(t.index)) for name, t in local]
        anchors = {a.index for _, a in adjoints if type(a) is Tracer}
        self.scaled = self.expressions.read(rows, {0: 1.0}, anchors)
        self.text, self.level = (
            {},
            {},
        )  # node -> its expression, and how tightly it binds
        self.lines, self.imports = [], set()
        self.taken = {*keyword.kwlist, *dir(builtins), "np", "gradient", "gradients"}
        self.taken |= {p.functions[0].__name__ for p in PRIMITIVES.values()}
        self.taken |= self.reserved
        self.handed_out = {}  # node -> the variable of the result that has its memory
        self.parameters = [self._fresh(p, "x") for p in arguments]
        self.variable = self._unpack()  # row number of an input -> its variable
        self.names = self._named_nodes(local, adjoints)

    def module(self, chosen, single, value):
        """The function's name, the module's text, and the structure of the results.

        Args:
            chosen: (its name, argument) to differentiate by.
            single: the gradient is that of one parameter, not a tuple.
            value: (result, its leaves) to return as well, or None.
        """
        outputs, results = [], []  # (wished name, node); structures of output numbers
        if value:
            result, leaves = value
            slots = iter(range(len(leaves)))
            results.append(pytrees.unflatten(result, slots))
            outputs += [("value", self._node(self._scaled_of(leaf))) for leaf in leaves]
        gradients = []
        for _, tree in chosen:
            leaves = pytrees.leaves(tree)
            slots = iter(range(len(outputs), len(outputs) + len(leaves)))
            gradients.append(pytrees.unflatten(tree, slots))
            outputs += [self._gradient_of(leaf) for leaf in leaves]
        if gradients:
            results.append(gradients[0] if single else tuple(gradients))
        variables = self._write_lines(outputs)
        structure = results[0] if len(results) == 1 else tuple(results)
        name = "gradient" if single else "gradients"
        name = name if chosen else self._fresh(self.f_name, "f")
        by = ", ".join(argument for argument, _ in chosen)
        title = f"The gradient of {self.f_name} by {by}." if chosen else "As recorded."
        imports = "import numpy as np\n"
        if self.imports:
            names = ", ".join(sorted(self.imports))
            imports += f"\nfrom comp551ad.functions import {names}\n"
        lines = [f'"""{title}"""', *self.lines, *self._return(structure, variables)]
        return name, f"{imports}\n\n{self._definition(name, lines)}", structure

    def _return(self, structure, variables):
        """The lines that hand back the results."""
        return [f"return {returned(structure, variables)}"]

    def _definition(self, name, lines):
        """The function's text, from its lines."""
        body = "".join(f"    {line}\n" for line in lines)
        return f"def {name}({', '.join(self.parameters)}):\n{body}"

    def simplified(self) -> tuple[str, ...]:
        """What was simplified, a sentence each."""
        e = self.expressions
        notes = [f"{len(self.rows)} recorded rows became {len(self.lines)} lines"]
        if e.moved:
            notes.append(f"numbers moved outward {e.moved} times, to be applied once")
        if e.shared:
            notes.append(f"{e.shared} values used again instead of computed again")
        return (*notes, *dict.fromkeys(e.recognised))

    # -- names

    def _fresh(self, *wishes):
        """A name that nothing else has, as near as possible to the first wish that can be one.

        Python takes two spellings of a letter (U+00B5, U+03BC) for one name: the normal one.
        """
        wishes = [unicodedata.normalize("NFKC", wish) for wish in (*wishes, "t")]
        usable = (w for w in wishes if w.isidentifier() and not keyword.iskeyword(w))
        name = base = next(usable)
        number = 1
        while name in self.taken:
            number += 1
            name = f"{base}{number}" if base == "t" else f"{base}_{number}"
        self.taken.add(name)
        return name

    def _unpack(self):
        """Lines that take containers apart, and the variable of every input."""
        variable, row = {}, 1
        arguments = zip(self.parameters, self.arguments.values(), strict=True)
        for parameter, tree in arguments:
            for path, leaf in _paths(tree, parameter):
                if type(leaf) is not Tracer:
                    continue
                if path == parameter:
                    variable[row] = parameter
                else:
                    inside = path[len(parameter) :]
                    wish = re.sub(r"\W+", "_", inside).strip("_")
                    variable[row] = self._fresh(wish, f"{parameter}_{wish}")
                    self.lines.append(f"{variable[row]} = {path}")
                row += 1
        return variable

    def _named_nodes(self, local, adjoints):
        """Node -> the user's name for it; an adjoint's size may have moved on (1/N)."""
        names = {}
        for name, traced in local:
            if type(traced.value) is Tracer:
                node = self._node(self.scaled[traced.value.index])
                names.setdefault(node, name)
        for name, adjoint in adjoints:
            if type(adjoint) is Tracer:
                names.setdefault(self.scaled[adjoint.index].node, name)
        return {node: name for node, name in names.items() if node.operands}

    # -- outputs

    def _scaled_of(self, value):
        if type(value) is Tracer:
            return self.scaled[value.index]
        if np.shape(value):
            return Scaled(1.0, 1.0, self.expressions.constant(value))
        return Scaled(0.0 if value is None else float(value), 1.0, self.expressions.one)

    def _node(self, scaled):
        return self.expressions.written_out(scaled)

    def _gradient_of(self, leaf):
        """(wished name, node) of the derivative by an input, at the input's shape."""
        node = self._node(self._scaled_of(self.derivative_of[leaf.index]))
        shape = leaf.shape
        if node.shape != shape:  # uniform along an axis
            parameters = {"shape": shape}
            node = self.expressions.node("broadcast_to", (node,), parameters, shape)
        return f"d{self.variable[leaf.value.index]}", node

    # -- lines

    def _write_lines(self, outputs):
        """Write every line; the variable that holds each output."""
        needed, uses = needed_nodes([node for _, node in outputs])
        self._write_count(needed)
        last = {node for _, node in outputs if node.operands and node not in self.names}
        for node in needed:
            self._write_expression(node)
            if node not in last:
                self._write_variable(node, uses[node])
        return [self._write_output(*output) for output in outputs]

    def _write_output(self, wish, node):
        """The variable of a result, with a line that makes it where there is none: a number, or
        an array that is the caller's alone: not an argument's memory, nor another result's, nor
        memory that can only be read."""
        base, text = base_of(node), self.text[node]
        if node.name == "constant":
            text = with_point(literal(node.parameters["value"]))
        elif not node.shape:
            text += "[()]" if _without_axes(node) else ""
        elif node.name == "broadcast_to" and node.operands[0].name == "constant":
            text = f"np.full({node.shape}, {self.text[node.operands[0]]}, dtype=float)"
        elif base.name == "input" or base in self.handed_out or _repeats(node):
            text = f"np.copy({text})"
        own = text == self.text[node]
        name = text if text.isidentifier() else self._fresh(wish)
        if name != text:
            self._write_line(name, text, node)
        if own:
            self.text[node], self.level[node] = name, ATOM
            if node.shape:
                self.handed_out[base] = name
        return name

    def _write_variable(self, node, uses):
        """A line for the node, if it has a name, is used twice or is long."""
        if not node.operands or self.text[node].endswith(".T"):
            return
        long = len(self.text[node]) > LONGEST_UNNAMED
        if node in self.names or uses > 1 or long:
            name = self._fresh(self.names.get(node, "t"))
            self._write_line(name, self.text[node], node)
            self.text[node], self.level[node] = name, ATOM

    def _write_line(self, name, text, node):
        shape = " x ".join(map(str, node.shape))
        self.lines.append(f"{name} = {text}" + (f"  # {shape}" if shape else ""))

    def _write_count(self, needed):
        """N = X.shape[0], if a division divides by it."""
        arrays = [(k, shape_of(self.rows[k][1])) for k in self.variable]
        k, shape = next(((k, shape) for k, shape in arrays if shape), (None, (0,)))
        count = self.expressions.constant(float(shape[0]))
        if shape[0] > 1 and any(
            node.name == "divide" and node.operands[1] is count for node in needed
        ):
            self.text[count], self.level[count] = self._fresh("N"), ATOM
            self.lines.append(f"{self.text[count]} = {self.variable[k]}.shape[0]")

    # -- expressions

    def _write_expression(self, node):
        """The node in terms of its operands, which have been written."""
        if node in self.text:
            return
        if node.name == "input":
            text, level = self.variable[node.parameters["k"]], ATOM
        elif node.name == "constant":
            text = literal(node.parameters["value"])
            level = SUM if text.startswith("-") else ATOM
        else:
            text, level = self._operation(node)
        self.text[node], self.level[node] = text, level

    def _operation(self, node):
        primitive = PRIMITIVES[node.name]
        template, level, needs = _source_form(node)
        operands = []
        for k, operand in enumerate(node.operands):
            text = self.text[operand]
            if operand.name == "constant" and template.endswith(")"):
                text = with_point(literal(operand.parameters["value"]))
            loose = self.level[operand] < needs[min(k, len(needs) - 1)]
            operands.append(f"({text})" if loose else text)
        function = primitive.functions[0]  # older ufuncs have no __module__
        if getattr(function, "__module__", "") == "comp551ad.functions":
            self.imports.add(function.__name__)
        text = template.format(
            *operands,
            operands=", ".join(operands),
            parameters=_keywords(node),
            index=_index(node.parameters.get("index")),
            condition=literal(node.parameters.get("condition", True)),
        )
        return text, level


def needed_nodes(outputs):
    """The nodes that the outputs need, in the order they were made, and how often each."""
    uses, waiting, seen = {}, list(outputs), set()
    for node in outputs:
        uses[node] = uses.get(node, 0) + 1
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += node.operands
            for operand in node.operands:
                uses[operand] = uses.get(operand, 0) + 1
    return sorted(seen, key=lambda n: n.number), uses


def base_of(node):
    """The node whose memory a view shows."""
    while node.name in VIEWS:
        node = node.operands[0]
    return node


def _repeats(node):
    """Whether the node's array shows entries many times: it can only be read."""
    while node.name in VIEWS:
        if node.name == "broadcast_to":
            return True
        node = node.operands[0]
    return False


def _without_axes(node):
    """Whether NumPy gives this number as an array without axes: a view, or nearly a number."""
    if node.name == "getitem":
        index = node.parameters["index"]
        return any(part is Ellipsis for part in _parts(index))
    return node.name in VIEWS or node.name in ("where", "scatter")


def _source_form(node):
    """Template, level and needs of an operation in source: operators bind, calls don't."""
    if node.name == "transpose":
        axes = node.parameters["axes"]
        if len(axes) > 1 and axes == tuple(range(-1, -len(axes) - 1, -1)):
            return "{0}.T", ATOM, (ATOM,)
    notation = PRIMITIVES[node.name].notation
    if notation.source.endswith(")"):
        return notation.source, ATOM, (0,)
    needs = notation.needs
    if len(needs) == 2:  # a - (b - c): rounding has an order, so it is kept
        needs = (needs[0], max(needs[1], notation.level + 1))
    return notation.source, notation.level, needs


def literal(value):
    """A number, or a small array, as source."""
    if isinstance(value, np.ndarray):
        if value.size > LARGEST_CONSTANT:
            raise ProgramError(
                f"a constant array of shape {value.shape} would stand in the source; pass "
                "it to the function as an argument"
            )
        texts = [literal(v) for v in value.ravel().tolist()]
        if value.dtype.kind == "f":
            texts = [with_point(text) for text in texts]
        flat = f"np.array([{', '.join(texts)}])"
        if not value.size:  # no entries that would say what they are: an index, say
            kind = {"f": "float", "b": "bool"}.get(value.dtype.kind, "int")
            flat = f"np.array([], dtype={kind})"
        return flat if value.ndim == 1 else f"np.reshape({flat}, {value.shape})"
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if not math.isfinite(value):
        return "np.nan" if math.isnan(value) else "-np.inf" if value < 0 else "np.inf"
    if isinstance(value, int):
        return repr(value)
    whole = value == int(value) and abs(value) < 1e15 and str(value) != "-0.0"
    return repr(int(value)) if whole else repr(float(value))


def with_point(text):
    """A whole number as a float: 2.0 for 2."""
    return f"{text}.0" if text.lstrip("-").isdigit() else text


def _keywords(node):
    """The parameters as one would write them; what is the default is left out."""
    ndim = len((node if node.name in _AXES_OF_RESULT else node.operands[0]).shape)
    texts = []
    for key, value in node.parameters.items():
        if key == "index":
            texts.append(f"np.s_[{_index(value)}]")
        elif key in ("shape", "axes"):
            texts.append(repr(value))
        elif key == "axis":
            value = value if type(value) is tuple else (value,)
            if node.name in ("softmax", "logsumexp"):
                usual = value == (-1,) or not ndim
            else:
                whole = value == tuple(range(-ndim, 0))
                usual = whole and node.name not in _AXIS_ALWAYS
            if not usual:
                axes = [a % ndim for a in value]
                texts.append(f"axis={axes[0] if len(axes) == 1 else tuple(axes)}")
        elif key != "condition" and value:  # keepdims=True, ddof=1
            texts.append(f"{key}={value!r}")
    return "".join(f", {text}" for text in texts)


def _index(index):
    """An index as it stands between brackets: 0, 1:3, :, None …"""
    return ", ".join(_one_index(part) for part in _parts(index)) or "()"


def _parts(index):
    return index if isinstance(index, tuple) else (index,)


def _one_index(part):
    if isinstance(part, slice):
        ends = ["" if v is None else str(v) for v in (part.start, part.stop)]
        return ":".join(ends) + ("" if part.step is None else f":{part.step}")
    if isinstance(part, np.ndarray):
        return literal(part)
    if isinstance(part, tuple):  # (0, 1) would be two indices
        part = list(part)
    return "..." if part is Ellipsis else repr(part)


def returned(structure, variables):
    """What stands behind return: the outermost tuple needs no parentheses."""
    text = _structure(structure, variables)
    return text[1:-1] if type(structure) is tuple and len(structure) > 1 else text


def _structure(structure, variables):
    """Containers of output numbers, as an expression of the variables."""
    if isinstance(structure, dict):
        items = (f"{_key(k)}: {_structure(v, variables)}" for k, v in structure.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(structure, list):
        return f"[{', '.join(_structure(v, variables) for v in structure)}]"
    if isinstance(structure, tuple):
        inner = ", ".join(_structure(v, variables) for v in structure)
        return f"({inner},)" if len(structure) == 1 else f"({inner})"
    return variables[structure]


def _key(key):
    """A dict's key as source."""
    try:
        same = ast.literal_eval(repr(key)) == key
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise ProgramError(
            f"the key {key!r} of a dict can't stand in the source; use text or a whole "
            "number"
        )
    return repr(key)


def _paths(tree, path):
    """(how the source gets at it, leaf) per leaf of an argument."""
    if not pytrees.is_container(tree):
        yield path, tree
        return
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, child in pairs:
        yield from _paths(child, f"{path}[{_key(key)}]")

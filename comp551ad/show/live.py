"""A recording as data that the page runs: the list, its rules, its code.

    program_of    a trace: its rows, names, values of the inputs, the user's code
    table_of      the table of primitives: how each is computed, written and differentiated

Rules are never written in JavaScript. A rule is run again on placeholders (``recorded``), and the
page gets the resulting tree: "g" is the incoming derivative, "y" the result, a number an operand,
["sin", [operands], {parameters}] an operation. For scalars a rule depends only on the primitive,
so it is in the table; for arrays it is recorded for the shapes at hand.
"""

import builtins
import dis
import functools
import inspect
import json
import keyword
import math
import re
import textwrap
import types
from collections.abc import Collection
from contextlib import suppress
from importlib.resources import files
from itertools import accumulate
from typing import Any

import numpy as np

from comp551ad import functions
from comp551ad.autodiff.data import tapes_of
from comp551ad.autodiff.javascript import lists_of, parts_for
from comp551ad.autodiff.operands import Origins, operands_of, parameters_of
from comp551ad.autodiff.passes import pull_back, push_forward
from comp551ad.autodiff.primitives import PRIMITIVES, Primitive, shape_of
from comp551ad.autodiff.refusals import lines_of
from comp551ad.autodiff.tape import apply
from comp551ad.autodiff.trace import Trace, record

from . import recorded
from .formula import data_text, parameter_text
from .recorded import Constant, Symbol

# Operands for recording a rule for scalars: distinct, and none special.
SAMPLES = 0.3, 0.7
# Constants for a rule that depends on its constant operand: two to fit a linear law, one to test
# it, and 0, which may be a special case.
CONSTANTS = 7.25, 9.5, -2.5, 0.0
# Longer code isn't shown, in characters.
LONGEST_CODE = 4000


# ---------------------------------------------------------------- a trace


def program_of(trace: Trace) -> dict:
    """A trace as the page's engine reads it."""
    code, spans = code_with_spans(trace)
    program = {
        "function": trace.function,
        "code": code,
        "rows": [_row(trace, k, span) for k, span in enumerate(spans)],
        "outputs": sorted({o for o in trace.outputs if o is not None}),
    }
    called = code and _takes_inputs(trace)
    notes = {"fixed": _why_fixed(trace), "uncalled": not called}
    return program | {key: note for key, note in notes.items() if note}


def _takes_inputs(trace):
    """Whether the code on its own is what was recorded: a function whose parameters are the inputs
    and that computes the outputs, with no names but its own, ours, NumPy's and builtins."""
    code = trace.code
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    names = [trace.names[k] for k in trace.inputs]
    is_plain = code.co_name.isidentifier() and not code.co_freevars
    given = {None, *trace.inputs}
    gives = all(o in given or trace.places[o] is not None for o in trace.outputs)
    known = {"np", *vars(builtins), *functions.__all__}
    return (
        is_plain and names == list(parameters) and gives and _globals_of(code) <= known
    )


def _globals_of(code):
    """The global names that the code uses."""
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    own = (i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL")
    return set(own).union(*map(_globals_of, inner))


def _row(trace, k, span):
    row, origins = trace.rows[k], trace.origins
    operands = operands_of(row)
    one: dict[str, Any] = {
        "op": row[0],
        "args": [o if type(o) is int else _constant(o, origins) for o in operands],
    }
    parts = {"name": trace.names.get(k), "span": span}
    if row[0] == "input":
        one["at"] = number_data(row[1])
    else:
        primitive, parameters = PRIMITIVES[row[0]], parameters_of(row)
        values = [trace.rows[o][1] if type(o) is int else o for o in operands]
        shapes = [shape_of(value) for value in (*values, row[1])]
        parts["params"] = parameter_data(primitive, parameters, shapes, origins)
        # The table has the rules for scalars.
        if parameters or any(shapes) or not primitive.elementwise:
            parts["rule"] = rules_of(trace, k)
    return one | {key: part for key, part in parts.items() if part}


def _why_fixed(trace):
    """Why the inputs can't change: f branched on a value, or a mask was computed from the inputs.
    None if the list is valid for all inputs."""
    if trace.decisions:
        question, _, line = trace.decisions[0]
        why = f"line {line} tests a value ({question}); others may take another branch."
    elif any(tapes_of(origin.operands) for _, origin in trace.origins.values()):
        why = "the list holds the result of a comparison of them, such as x > 0."
    else:
        return None
    return f"The inputs are fixed: {why}"


def _constant(x, origins):
    """A constant, and if it is data, how that was computed."""
    word = data_text(x, origins)
    return {"c": number_data(x)} | ({"word": word} if word else {})


def number_data(x: Any) -> Any:
    """A finite number; an array, nan or infinity as {"s": shape, "d": entries}."""
    x = np.asarray(x)
    entries = [_json_number(e) for e in x.astype(float).ravel().tolist()]
    is_number = x.shape == () and type(entries[0]) is not str
    return entries[0] if is_number else {"s": list(x.shape), "d": entries}


def _json_number(x):
    if not math.isfinite(x):
        return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"
    return int(x) if x == int(x) and abs(x) < 1e15 and str(x) != "-0.0" else x


def parameter_data(
    primitive: Primitive, parameters: dict, shapes: Any, origins: Origins
) -> dict:
    """{name: [value for the runtime, text for the reader]}; an entry without text isn't shown."""
    data: dict[str, list] = {}
    template = primitive.notation.javascript
    for key, value in primitive.keywords(parameters, *shapes).items():
        text = parameter_text(key, value, primitive.name, origins)
        if key == "index":
            whole = parameters.get("shape", shapes[0])
            places = np.arange(math.prod(whole)).reshape(whole)[value]
            data["indexed"] = [list(places.shape)]
            value = [offsets.tolist() for offsets in lists_of(places)]
        elif isinstance(value, np.ndarray | np.generic):
            value = number_data(np.asarray(value, dtype=float)[()])
        elif key == "condition":
            value = float(value)
        elif type(value) is tuple:
            value = list(value)
        data[key] = [value, text]
    if "{result}" in template:
        data["result"] = [list(shapes[-1])]
    return data


# ---------------------------------------------------------------- rules


def rules_of(trace: Trace, number: int) -> dict:
    """Both modes' rules of a row as trees: {"vjps": [per operand], "jvps": [per operand]}."""
    row = trace.rows[number]
    operands = operands_of(row)
    rows = [o for o in operands if type(o) is int]
    adjoint = {number: Symbol("adjoint", number, row[1])}
    tangents = {o: Symbol("tangent", o, trace.rows[o][1]) for o in rows}

    def rules(marks, walk):
        terms = recorded.terms(trace, number, marks, walk)
        trees = {p: _tree_data(tree, operands, trace.origins) for p, _, tree in terms}
        return [trees.get(k) for k in range(len(operands))]

    return {"vjps": rules(adjoint, pull_back), "jvps": rules(tangents, push_forward)}


def _tree_data(tree, operands, origins):
    """A recorded tree as the page reads it; None if the rule says that it is zero."""
    if tree is recorded.ZERO:
        return None
    if isinstance(tree, Symbol):
        if tree.kind == "value":
            # The same row as two operands is one symbol.
            same = (
                k for k, o in enumerate(operands) if type(o) is int and o == tree.row
            )
            return next(same, "y")
        return "g"
    if isinstance(tree, Constant):
        for k, operand in enumerate(operands):
            if type(operand) is not int and tree.value is operand:
                return k
        return _constant(tree.value, origins)
    inner = [_tree_data(o, operands, origins) for o in tree.operands]
    inner = [{"c": 0} if o is None else o for o in inner]
    shapes = [np.shape(o.value) for o in (*tree.operands, tree)]
    parameters = parameter_data(tree.primitive, tree.parameters, shapes, origins)
    data = [tree.primitive.name, inner]
    return [*data, parameters] if parameters else data


# ---------------------------------------------------------------- the table


def table_of(names: Collection[str] = PRIMITIVES) -> str:
    """The table of these primitives as JavaScript: values as functions, the rest as data.
    Elementwise ones are always included, as users may type them; so are the reserved names."""
    shown = [n for n, one in PRIMITIVES.items() if n in names or one.elementwise]
    taken = json.dumps([*keyword.kwlist, "np"])
    entries = ",\n".join(map(_entry, shown))
    return f"const KEYWORDS = {taken};\nconst TABLE = {{\n{entries}\n}};\n"


def operations_in(program: dict) -> list[str]:
    """The primitives that a program and its rules use, without those that every page has."""
    found: set[str] = set()

    def walk(tree):
        if isinstance(tree, list):
            if tree and isinstance(tree[0], str):
                found.add(tree[0])
            for part in tree:
                walk(part)

    for row in program["rows"]:
        found.add(row["op"])
        for trees in row.get("rule", {}).values():
            walk(trees)
    return sorted(
        name for name in found & PRIMITIVES.keys() if not PRIMITIVES[name].elementwise
    )


@functools.cache
def _entry(name):
    primitive = PRIMITIVES[name]
    notation = primitive.notation
    slots = ", ".join(f"{{{k}}}" for k in range(len(notation.needs)))
    data: dict = {"value": 0}
    # The page's default notation is a call.
    calls = (f"{name}({inner}{{parameters}})" for inner in (slots, "{operands}"))
    if notation.text not in calls:
        data |= {
            "text": notation.text,
            "level": notation.level,
            "needs": notation.needs,
        }
    data |= {"matrix": True} if primitive.matrix_product else {}
    data |= {"bilinear": True} if primitive.bilinear else {}
    if primitive.elementwise:
        # The samples may lie outside a function's domain: only the rule's operations count.
        with np.errstate(all="ignore"):
            data |= _rules_of_numbers(primitive)
    body = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    body = re.sub(r'"(\w+)":', r"\1:", body)
    return f"{name}: {body.replace('0', _javascript(primitive), 1)}"


def _rules_of_numbers(primitive):
    """The rules for scalars, and those for a constant operand if they differ."""
    count = len(primitive.vjps)
    general = _rules_with(primitive, {})
    variants = []
    for k in range(count) if count > 1 else []:
        one, other, third, zero = (_rules_with(primitive, {k: c}) for c in CONSTANTS)
        if one["vjps"][1 - k] == general["vjps"][1 - k]:
            continue
        law = {mode: _merged(one[mode], other[mode], k) for mode in one}
        # If no linear law fits, the general rule is used, as if the constant were an input.
        if _at(law, k, CONSTANTS[2]) == third:
            if _at(law, k, 0.0) != zero:
                variants.append({"operand": k, "only": 0, **zero})
            variants.append({"operand": k, **law})
    for one in [general, *variants]:
        if one["jvps"] == one["vjps"]:
            del one["jvps"]
    return general | ({"variants": variants} if variants else {})


def _rules_with(primitive, constants):
    """The rules for scalars, with the operands in ``constants`` fixed."""
    parameters = {"condition": True} if "condition" in primitive.parameters else None
    places = range(len(primitive.vjps))

    def call(*inputs):
        rest = iter(inputs)
        operands = [constants[k] if k in constants else next(rest) for k in places]
        if parameters:
            return apply(primitive, operands, parameters)
        return primitive.functions[0](*operands)

    trace = record(call, *(SAMPLES[k] for k in places if k not in constants))
    return rules_of(trace, len(trace.rows) - 1)


def _merged(one, other, k):
    """Merge two trees of one rule: where a number depends on the constant operand k, its law."""
    if isinstance(one, dict) and one != other:
        (x, y), (a, b) = (one["c"], other["c"]), CONSTANTS[:2]
        by = (y - x) / (b - a)
        return {"of": k, "by": by, "plus": x - by * a}
    if isinstance(one, list):
        return [_merged(*pair, k) for pair in zip(one, other, strict=True)]
    return one


def _at(rules, k, constant):
    """Merged rules at one constant."""
    if isinstance(rules, dict) and "of" in rules:
        return {"c": number_data(rules["by"] * constant + rules["plus"])}
    if isinstance(rules, dict):
        return {key: _at(x, k, constant) for key, x in rules.items()}
    return [_at(x, k, constant) for x in rules] if isinstance(rules, list) else rules


def _javascript(primitive):
    """A primitive's value as a JavaScript function of its operands and parameters."""
    template = primitive.notation.javascript
    names = [f"a{k}" for k in range(0 if primitive.variadic else len(primitive.vjps))]
    if primitive.elementwise:
        text = template.format(*names, parameters="", condition="c")
        names += ["c"] * ("condition" in primitive.parameters)
        return f"({', '.join(names)}) => {text}"
    inner = [f"xs[{k}]" for k in range(len(names))]
    shape = ", p.shape" if "shape" in primitive.parameters else ""
    text = template.format(
        *inner,
        operands="...xs",
        parameters=f"{shape}, p",
        result="p.result",
        index="p.index",
        indexed="p.indexed",
    )
    return f"(xs, p) => {text}"


# ---------------------------------------------------------------- the user's code


def code_with_spans(trace: Trace) -> tuple[str, list]:
    """The function's source, "" if Python can't find it, and for each row the span of the source
    that recorded it: [from, to], or None."""
    lines, first = [], 0
    # The file may have changed, or not be the code's own.
    with suppress(OSError, TypeError, IndexError):
        found, first = inspect.getsourcelines(trace.code)
        last = max(line or 0 for *_, line in trace.code.co_lines())
        lines = found if lines_of(trace.code) and last - first < len(found) else []
    text = textwrap.dedent("".join(lines))
    if not 0 < len(text) <= LONGEST_CODE:
        return "", [None] * len(trace.rows)
    shown = text.splitlines(keepends=True)
    margin = len(lines[0]) - len(shown[0])
    starts = list(accumulate(map(len, shown), initial=0))
    positions = list(trace.code.co_positions())

    def place(line, column):
        """Convert a line of the file and a column in bytes to an offset in the text."""
        line -= first
        before = shown[line].encode()[: max(0, column - margin)]
        return starts[line] + len(before.decode(errors="ignore"))

    def span(k):
        instruction = trace.places[k]
        if trace.rows[k][0] == "input":
            return _parameter_in(text, trace.names.get(k, ""))
        at = (None,) if instruction is None else positions[instruction // 2]
        if None in at:
            return None
        line, end_line, column, end_column = at
        return [place(line, column), place(end_line, end_column)]

    return text.rstrip("\n"), [span(k) for k in range(len(trace.rows))]


def _parameter_in(text, name):
    """The span of the parameter that an input such as ``p['w']`` belongs to."""
    word = re.match(r"\w+", name)
    head = re.search(r"\bdef \w+\(|\blambda\b", text)
    if not (word and head):
        return None
    found = re.compile(rf"\b{word[0]}\b").search(text, head.end())
    return list(found.span()) if found else None


# ---------------------------------------------------------------- the engine


def engine_source(modules: str = "", names: Collection[str] = PRIMITIVES) -> str:
    """The engine as JavaScript: the table, the loops over a list, the parts of the runtime that
    these and ``modules`` use, and the modules."""
    inner = f"{table_of(names)}\n{shipped('engine.js')}"
    # Only calls, as other words in the modules may happen to be names in the runtime.
    calls = " ".join(re.findall(r"(?<![.\w])\w+(?=\()", modules))
    return "\n".join([*map(_bare, parts_for(inner + calls)), inner, modules])


def shipped(name: str) -> str:
    """A file of this folder, without indentation, blank lines and // comment lines."""
    text = files("comp551ad.show").joinpath(name).read_text(encoding="utf-8")
    return _bare(text)


def _bare(text):
    lines = map(str.strip, text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))

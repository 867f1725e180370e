"""Errors for code that can't be traced: the user's own expression, the reason, and a replacement.

An error instead of a wrong number: anything that would lose the trace raises ``TraceError``. The
message quotes the expression from the user's source (Python knows which columns it is executing)
and, where a rewrite is known, says what to write instead: ``WAYS_OUT`` is a table of patterns over
the expression's syntax tree, with a test for each.
"""

import ast
import dis
import linecache
import re
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

_GUESTS = ("numpy", "scipy", "statistics", "fractions")
_OURS = ("comp551ad.autodiff", "comp551ad.functions")


class _Thread(threading.local):
    """The state of recording in a thread.

    Attributes:
        tape: the innermost open tape.
        refused: the text of the last TraceError since the outermost tape was opened; the recorded
            function may have caught it.
        copied: whether, since then, a recording got a copy or a number where NumPy may have
            returned a view or a 0-d array.
        doubtful: whether an array changed in place that may have other views in NumPy.
    """

    tape: Any = None
    refused: tuple | None = None
    copied: bool = False
    doubtful: bool = False


this_thread = _Thread()


class TraceError(TypeError):
    """An operation that can't be traced; the message says what to write instead."""

    def __init__(self, *text: str):
        super().__init__(*text)
        note_refusal(*text)


def note_refusal(*text: str) -> None:
    """Keep only the text: an exception refers to frames, and these to whole tapes."""
    this_thread.refused = text


def kind_of(value: Any) -> str:
    """A value's class, and for an array its dtype, for error messages."""
    name = type(value).__name__
    return f"{name} of {value.dtype}" if isinstance(value, np.ndarray) else name


def name_in_numpy(function: Any) -> str:
    """A function's full name: np.sum, np.linalg.norm, np.add.reduce."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):
        return f"{name_in_numpy(owner)}.{function.__name__}"
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module.replace('numpy', 'np', 1)}.{function.__name__}"


# ---------------------------------------------------------------- the user's expression


def _frame_outside(packages=(*_OURS, *_GUESTS)):
    """The innermost frame outside our own code, NumPy and scipy."""
    frame: Any = sys._getframe(1)
    while frame is not None and _is_in(frame, packages):
        frame = frame.f_back
    return frame


def _is_in(frame, packages):
    return frame.f_globals.get("__name__", "").startswith(packages)


def is_called_by_numpy() -> bool:
    """Whether the caller is NumPy's own Python code, not the user's: a NumPy function that was
    called with an object array of traced numbers."""
    frame = _frame_outside(_OURS)
    return frame is not None and _is_in(frame, ("numpy",))


def line_outside() -> tuple[str, int]:
    """File and line of the innermost frame outside our own code, NumPy and scipy."""
    frame = _frame_outside()
    return (frame.f_code.co_filename, frame.f_lineno) if frame else ("?", 0)


def is_in_assert() -> bool:
    """Whether that line is an assert statement."""
    frame = _frame_outside()
    lines = lines_of(frame.f_code)[frame.f_lineno - 1 :] if frame else []
    return bool(lines) and lines[0].lstrip().startswith(("assert ", "assert("))


def lines_of(code: Any, names: dict | None = None) -> list[str]:
    """The lines of the file that contains the code; none if it has no file of its own: under the
    name "<string>" linecache may hold the lines of another program."""
    name = code.co_filename
    return [] if name == "<string>" else linecache.getlines(name, names)


class Expression(NamedTuple):
    """The expression that the user's code is executing.

    Attributes:
        text: its text in the source.
        line: its line number.
        tree: its syntax tree, None if it isn't an expression. Each node has a flag ``is_list``.
        stores: whether it stores into an array: ``z[0] = a``, ``np.add.at(z, 0, a)``.
    """

    text: str
    line: int
    tree: Any
    stores: bool


def expression_outside() -> Expression | None:
    """The expression that the user's code is executing; None if the source isn't known."""
    frame = _frame_outside()
    return None if frame is None else expression_at(frame, frame.f_lasti)


def expression_at(frame: Any, instruction: int) -> Expression | None:
    """The expression for one instruction of a frame; None if the source isn't known."""
    code = frame.f_code
    place: Any = dis.Positions(*list(code.co_positions())[instruction // 2])
    lines = lines_of(code, frame.f_globals)
    if not lines or place.col_offset is None:
        return None
    stores = dis.opname[code.co_code[instruction]].startswith("STORE_S")
    text = ast.get_source_segment("".join(lines), place) or ""
    text = lines[place.lineno - 1] if stores else text
    text = " ".join(line.strip() for line in text.splitlines())
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        tree = None
    known = {**frame.f_globals, **frame.f_locals}
    node: Any
    for node in ast.walk(tree) if tree else ():
        is_list = isinstance(node, ast.List | ast.Tuple | ast.ListComp)
        named = isinstance(node, ast.Name) and known.get(node.id)
        vars(node)["is_list"] = is_list or isinstance(named, list | tuple)
        # For `from math import log`.
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        function: Any = known.get(node.func.id) if is_call else None
        if getattr(function, "__module__", "") == "math":
            vars(node)["func"] = ast.Attribute(ast.Name("math"), function.__name__)
    stores = stores or _is_like(tree, _STORING)
    return Expression(text, place.lineno, tree, stores)


def loop_of_numpys() -> str:
    """For a NumPy call in the user's code that compares number by number: the call, and what to
    do instead; otherwise ""."""
    frame, e = _frame_outside(), expression_outside()
    if e is None or not _is_like(e.tree, rf"{_NUMPY}(?!arange)[\w.]+"):
        return ""
    is_call = "CALL" in dis.opname[frame.f_code.co_code[frame.f_lasti]]
    return f" in {e.text}: join its numbers with np.stack first" if is_call else ""


# For an array of traced numbers, which has dtype object in NumPy.
AN_OBJECT = (
    "an array of traced numbers, such as np.array([a, b]), supports only sums, products and "
    "functions of one number in NumPy; write np.stack([a, b]) instead, and for a matrix "
    "np.stack([np.stack([a, b]), np.stack([c, d])])"
)


_OF_SCIPY = (
    "scipy works on plain numbers only; write its formula with NumPy's functions, or with "
    "comp551ad's logistic, softmax, logsumexp and erf"
)


_OF_POLYNOMIALS = (
    "numpy.polynomial works on plain numbers only; write np.polyval(c[::-1], x) for its "
    "polyval(x, c), or a formula"
)


def explain(error: BaseException) -> None:
    """Raise the TraceError behind a NumPy error, if there is one."""
    # For z[0] = a, and for np.add.at(z, 0, a), where NumPy chains two errors.
    cause = error.__cause__ if isinstance(error, ValueError | SystemError) else None
    cause = getattr(cause, "__cause__", None) or cause
    if isinstance(cause, TraceError):
        raise cause from None
    # For z.flat[0] = a.
    if "setting single item" in str(error) and this_thread.refused:
        raise TraceError(*this_thread.refused) from error
    kinds = TypeError | AttributeError | IndexError
    wrong = isinstance(error, kinds) and not isinstance(error, TraceError)
    if not wrong or this_thread.refused is None:
        return
    # Since Python 3.15 "%f" % a has its own error message instead of float()'s.
    if "requires a real number" in str(error):
        raise TraceError(*this_thread.refused) from error
    steps = [(tb.tb_frame, tb.tb_lasti) for tb in _traceback(error)]
    outside = [step for step in steps if not _is_in(step[0], (*_OURS, *_GUESTS))]
    e = expression_at(*outside[-1]) if outside else None
    if isinstance(error, IndexError) or "expected a sequence of integers" in str(error):
        # X[a] calls __index__, then __array__, and an object array is not a valid index.
        if "integer" not in str(error):
            return
        what, instead = REFUSED["__index__"]
        raise _in_place_of(e, f"{what}: {instead}", False) from error
    known = "dtype('O')", "not supported for the input types", "has no callable"
    # np.hypot(np.array([a, 1.0]), 2.0) looks up a method hypot on the 1.0.
    of_a_ufunc = isinstance(getattr(np, getattr(error, "name", "") or "", 0), np.ufunc)
    of_objects = of_a_ufunc or any(words in str(error) for words in known)
    if of_objects or _is_in(steps[-1][0], _GUESTS):
        by_scipy = _is_in(steps[-1][0], ("scipy",))
        general = _OF_SCIPY if by_scipy else AN_OBJECT
        raise _in_place_of(e, general, True) from error


def _traceback(error):
    at = error.__traceback__
    while at is not None:
        yield at
        at = at.tb_next


# ---------------------------------------------------------------- what to write instead


_NUMPY = r"(?:np|numpy)\."
_STORING = rf"{_NUMPY}(\w+\.at|put\w*|copyto|place|fill_diagonal)|.+\.(put|fill)"
_ONE_OF_NUMPYS = rf"{_NUMPY}[\w.]+"


def _is_like(tree, pattern):
    """Whether an expression is a call, or a subscription, whose function or object matches the
    pattern: ``np.sum``, ``np.c_[]``; or ``%`` for string formatting."""
    head = ""
    if isinstance(tree, ast.Call) and tree.args:
        head = ast.unparse(tree.func)
    elif isinstance(tree, ast.Subscript):
        head = f"{ast.unparse(tree.value)}[]"
    elif isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Mod):
        head = "%" if _is_text(tree.left) else ""
    return re.fullmatch(pattern, head, re.DOTALL) is not None


def _is_text(tree):
    is_constant = isinstance(tree, ast.Constant) and isinstance(tree.value, str)
    return is_constant or isinstance(tree, ast.JoinedStr)


_OF_NUMBERS = (ast.List, ast.Tuple, ast.Constant, ast.UnaryOp, ast.unaryop, ast.Load)


def _stacked(tree):
    """A list of traced values, or np.array of one, rewritten with np.stack, also inside lists."""
    inside = tree.args[0] if _is_like(tree, rf"{_NUMPY}array") else tree
    if all(isinstance(node, _OF_NUMBERS) for node in ast.walk(inside)):
        return ast.unparse(tree)  # a shape, such as (2, 3)
    if isinstance(inside, ast.List | ast.Tuple):
        return f"np.stack([{', '.join(map(_stacked, inside.elts))}])"
    text = ast.unparse(inside)
    return f"np.stack({text})" if vars(inside)["is_list"] else text


def _cast(text, kind="int"):
    """a as a.astype(int), a + b as (a + b).astype(int)."""
    tree: Any = ast.parse(text, mode="eval")
    return ast.unparse(ast.Attribute(tree.body, f"astype({kind})", ast.Load()))


def _as_array(tree):
    """np.array([a, b]) as np.stack([a, b]), np.array(a), which copies, as np.copy(a), and
    np.array(a, dtype=int) as a.astype(int)."""
    text = _stacked(tree.args[0])
    words = {word.arg: ast.unparse(word.value) for word in tree.keywords}
    if re.search("int|bool", words.get("dtype", "")):
        return _cast(text, words["dtype"])
    if words.get("ndmin") in ("1", "2"):
        return f"np.atleast_{words['ndmin']}d({text})"
    copies = tree.func.attr == "array" and text == ast.unparse(tree.args[0])
    return f"np.copy({text})" if copies else text


def _arguments(tree, texts=()):
    """The arguments of a call, or replacements for them, with its keywords."""
    words = [f"{word.arg}={ast.unparse(word.value)}" for word in tree.keywords]
    return ", ".join([*(texts or map(ast.unparse, tree.args)), *words])


def _stacked_arguments(tree):
    """np.sum([a, b]) as np.sum(np.stack([a, b]))."""
    stacked = [_stacked(arg) for arg in tree.args]
    if stacked == [ast.unparse(arg) for arg in tree.args]:
        return None
    return f"{ast.unparse(tree.func)}({_arguments(tree, stacked)})"


def _as_range(part):
    """0:9 between brackets as np.arange(0, 9)."""
    if not isinstance(part, ast.Slice):
        return ast.unparse(part)
    bounds = [part.lower or ast.Constant(0), part.upper, part.step]
    return f"np.arange({', '.join(ast.unparse(b) for b in bounds if b)})"


def _joined(tree):
    """np.c_[a, b] as np.column_stack([a, b]); np.r_ takes numbers as well as arrays."""
    parts = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
    # "1" is an axis; in 0:1:5j the 5 counts points.
    ends = [getattr(part, "step", part) for part in parts]
    if any(isinstance(getattr(end, "value", None), str | complex) for end in ends):
        return None
    texts = ", ".join(map(_as_range, parts))
    if ast.unparse(tree.value).endswith("c_"):
        return f"np.column_stack([{texts}])"
    each = f"np.atleast_1d({texts})"
    return f"np.concatenate({each})" if len(parts) > 1 else each


def _method_of_plain(tree):
    """X.dot(W) as X @ W, X.clip(0, h) as np.clip(X, 0, h)."""
    owner, name = ast.unparse(tree.func.value), tree.func.attr
    is_numpys = hasattr(np.ndarray, name) and hasattr(np, name)
    if not is_numpys or owner in ("np", "numpy"):
        return None
    if name == "astype":  # a traced value is float64 anyway
        return owner
    texts = [owner, *map(ast.unparse, tree.args)]
    call = f"np.{name}({_arguments(tree, texts)})"
    if name != "dot" or len(tree.args) > 1:
        return call
    product = ast.BinOp(tree.func.value, ast.MatMult(), tree.args[0])
    return f"{call}, or {ast.unparse(product)},"


def _first(tree):
    return ast.unparse(tree.args[0])


def _each_by_itself(tree):
    """np.vectorize(f)(a) as np.stack([f(v) for v in a]); also g(a) with g = np.vectorize(f)."""
    if isinstance(tree.func, ast.Call) and tree.func.args:
        f = tree.func.args[0]
        f = ast.unparse(f) if isinstance(f, ast.Name) else f"({ast.unparse(f)})"
    else:
        f = f"{ast.unparse(tree.func)}.pyfunc"
    several = len(tree.args) > 1
    each, rows = ("*v", f"zip({_arguments(tree)})") if several else ("v", _first(tree))
    return f"np.stack([{f}({each}) for v in {rows}])"


def _filled(tree):
    """np.full(n, a) as a * np.ones(n)."""
    if len(tree.args) < 2:
        return "a * np.ones(shape)"
    shape, value = map(ast.unparse, tree.args[:2])
    return f"{value} * np.{tree.func.attr.replace('full', 'ones')}({shape})"


def _in_place_of_a_store(text):
    """What to write for z[k] = a, with a plain z."""
    # A view of z, such as z.T[0], shares its memory.
    views = r"(\.(put|fill|flat|m?T|real|reshape|ravel|view|transpose|swapaxes)\b.*)?"
    z = (re.match(rf"({_NUMPY}[\w.]+\()?([\w.]+?){views}[\[,(]", text) or "  z")[2]
    return (
        "a plain array can't hold traced values: append the parts to a list and join them with "
        f"np.stack(parts) or np.concatenate(parts), or make {z} a traced array first, "
        f"{z} = a * np.zeros({z}.shape), with a traced number a"
    )


# (a pattern for ``_is_like``; why it can't be traced; syntax tree -> what to write instead, or None
# if that isn't known)
WAYS_OUT: list[tuple[str, str, Callable]] = [
    (
        r"math\.\w+",
        "math works on plain numbers only",
        lambda tree: (
            f"np.{tree.func.attr}({_arguments(tree)})"
            if hasattr(np, tree.func.attr)
            else None
        ),
    ),
    (
        r"math\.erf",
        "math works on plain numbers only; erf is in comp551ad.functions",
        lambda tree: f"erf({_arguments(tree)})",
    ),
    (
        rf"int|{_NUMPY}u?int(\d+|p|_)?",
        "integers have no derivative",
        lambda tree: _cast(_first(tree)),
    ),
    (
        "float",
        "float() returns a plain number, without a trace; leave float() out",
        _first,
    ),
    (
        "%",
        "% needs a plain number",
        lambda tree: 'an f-string, such as f"{x:.4f}",',
    ),
    (
        rf"{_NUMPY}ndenumerate",
        "np.ndenumerate yields plain numbers",
        lambda tree: (
            f"zip(np.ndindex(np.shape({_first(tree)})), np.ravel({_first(tree)}))"
        ),
    ),
    (
        r".+\.(normal|uniform|exponential|poisson|binomial|gamma|beta)",
        "random draws are plain numbers",
        lambda tree: "mean + spread * noise, with standard noise drawn outside,",
    ),
    (
        rf"{_NUMPY}(array|asarray|asanyarray|ascontiguousarray|float\d+)",
        "a traced value already behaves like an array",
        _as_array,
    ),
    (rf"{_NUMPY}full(_like)?", "np.full and np.full_like return plain arrays", _filled),
    (rf"{_NUMPY}[cr]_\[\]", "np.c_ and np.r_ return plain arrays", _joined),
    (
        _ONE_OF_NUMPYS,
        "NumPy doesn't look for traced values in a list",
        _stacked_arguments,
    ),
    (
        r".+\.\w+",
        "a method of a plain array can't compute with traced values",
        _method_of_plain,
    ),
]


def refusal(what: str, instead: str) -> TraceError:
    """The error for an operation, quoting the user's own expression if it is known.

    Args:
        what: a general description of the operation: "float(a)".
        instead: the general reason and remedy.
    """
    e = expression_outside()
    if e is None:
        return TraceError(f"{what} can't be traced: {instead}")
    guest = _frame_outside(_OURS)
    for package, text in (("scipy", _OF_SCIPY), ("numpy.polynomial", _OF_POLYNOMIALS)):
        if guest is not None and _is_in(guest, (package,)):
            return _in_place_of(e, text, False)
    by_vectorize = guest is not None and guest.f_code.co_qualname[:10] == "vectorize."
    if by_vectorize and isinstance(e.tree, ast.Call) and e.tree.args:
        each = _each_by_itself(e.tree)
        text = f"np.vectorize returns plain arrays; write {each} instead"
        return _in_place_of(e, text, False)
    if what == REFUSED["__float__"][0] and _is_like(e.tree, _ONE_OF_NUMPYS):
        instead = (
            "NumPy needs plain numbers here; pass ones that are not differentiated, or join "
            "traced ones with np.stack([a, b])"
        )
        return _in_place_of(e, instead, True)
    # If the user didn't write out=, NumPy did, in a function called with a list.
    is_lost = what in _STORES or (what.endswith("out=") and "out=" not in e.text)
    return _in_place_of(e, f"{what}: {instead}", is_lost)


def _in_place_of(e, general, is_lost):
    """The error for an expression: what to write instead if known, else the general text.
    ``is_lost``: the expression itself turns traced numbers into plain ones."""
    place = f"{e.text} (line {e.line}) can't be traced: " if e else ""
    if e is not None and is_lost:
        if e.stores:
            return TraceError(place + _in_place_of_a_store(e.text))
        for kind, why, way_out in WAYS_OUT:
            if _is_like(e.tree, kind) and (instead := way_out(e.tree)):
                return TraceError(f"{place}{why}; write {instead} instead")
    if e is not None and (update := _of_an_update(e.text)):
        return TraceError(place + update)
    return TraceError(place + general)


def _of_an_update(text):
    """What to write for z += a, with a plain z; None for anything else."""
    try:
        (statement,) = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    if not isinstance(statement, ast.AugAssign):
        return None
    if isinstance(statement.target, ast.Subscript):
        return _in_place_of_a_store(text)
    new = ast.BinOp(statement.target, statement.op, statement.value)
    return (
        "it can't change in place; "
        f"write {ast.unparse(statement.target)} = {ast.unparse(new)} instead"
    )


# ---------------------------------------------------------------- unsupported methods

# method -> (what the user wrote, what to write instead)
REFUSED: dict[str, tuple[str, str]] = {
    "__float__": (
        "a traced value as a plain number",
        "use NumPy's function (np.sin for math.sin), which is traced, and leave float() out",
    ),
    "__array__": (
        "a traced value as a plain array",
        "a traced value already behaves like an array; join several with np.stack([a, b])",
    ),
    "__bool__": (
        "the truth value of a traced value",
        "compare it: `if a > 0`; the branch taken is then recorded",
    ),
    "__int__": (
        "int() of a traced value",
        "it has no derivative; write a.astype(int) for an index",
    ),
    "__hash__": (
        "a traced value as a key or in a set",
        "use a list, or a key that isn't traced; functools.cache needs keys too",
    ),
    "__complex__": ("complex() of a traced value", "it is real; leave complex() out"),
    "__index__": (
        "a traced value as an integer",
        "pass sizes and indices as integers that are not differentiated",
    ),
    "item": ("a.item()", "keep a as it is, or index it: a[0]"),
    "tolist": ("a.tolist()", "keep a as it is"),
    "shape": ("a.shape = shape", "write a = a.reshape(shape)"),
    "view": ("a.view()", "keep a as it is; its numbers are float64"),
    "as_integer_ratio": (
        "a traced value as a fraction",
        "Python's statistics and fractions work on plain numbers only; use NumPy's functions",
    ),
}
_STORES = {REFUSED[name][0] for name in ("__float__", "__array__", "__int__")}

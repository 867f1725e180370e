"""What can't be traced: one table of what somebody may write, and what to write instead.

A refusal in place of a wrong number: what would lose the trace, or give a plain answer that other
inputs would not give, raises ``TraceError``. The text names the operation and the way out.

Reads: nothing of ours. Read by: the rest of ``autodiff``.
"""

import sys

import numpy as np

_OURS = ("comp551ad.autodiff", "comp551ad.functions", "numpy")


class TraceError(TypeError):
    """An operation that can't be traced; the text says what to write instead."""


def kind_of(value) -> str:
    """A value's class, and for an array its dtype, as an error names it."""
    name = type(value).__name__
    return f"{name} of {value.dtype}" if isinstance(value, np.ndarray) else name


def line_outside() -> tuple[str, int]:
    """File and line of the innermost frame that is neither ours nor NumPy's."""
    frame = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(_OURS):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return "?", 0


def _in_place(symbol):
    return (
        f"a {symbol}= b",
        f"it would change a in place; write a = a {symbol} b",
    )


_INTEGERS = "its derivative is zero; leave it out"
_MASKS = "use np.where, on comparisons"
_ITEMS = "a[i] = b", "build the array with np.where, np.stack or np.concatenate"
_COPIES = "copying or pickling a", "it never changes; use a itself"

# method -> (what somebody wrote, what to write instead)
REFUSED: dict[str, tuple[str, str]] = {
    "__float__": (
        "float(a), a function of math, or z[0] = a",
        "use NumPy's function (np.sin for math.sin), which is traced; build arrays with "
        "np.stack([a, b])",
    ),
    "__array__": (
        "np.array(a) or np.asarray(a)",
        "a behaves as an array already; join several with np.stack([a, b])",
    ),
    "__bool__": (
        "the truth of a",
        "compare it: `if a > 0`; the branch taken is then recorded",
    ),
    "__int__": ("int(a)", "it would cut the derivative; keep a as it is"),
    "__index__": ("a traced value as an integer", "keep indices outside arguments"),
    "__complex__": (
        "complex(a)",
        "only real numbers are; write its real and imaginary parts apart",
    ),
    "__trunc__": ("math.trunc(a)", _INTEGERS),
    "__round__": ("round(a)", _INTEGERS),
    "__floordiv__": ("a // b", "its derivative is zero; use a / b, or leave it out"),
    "__mod__": ("a % b", "write a - b * n with a constant n"),
    "__divmod__": ("divmod(a, b)", "write it with a / b"),
    "__and__": ("a & b", _MASKS),
    "__or__": ("a | b", _MASKS),
    "__xor__": ("a ^ b", "write a power as a ** b"),
    "__lshift__": ("a << b", "write a * 2.0 ** b"),
    "__rshift__": ("a >> b", "write a / 2.0 ** b"),
    "__invert__": ("~a", "use 1 - a, or compare: ~(a > 0)"),
    "__contains__": ("x in a", "use np.any(a == x)"),
    "__hash__": ("hash(a), as for a key of a dict or a set,", "use its name as key"),
    "__setitem__": _ITEMS,
    "__delitem__": ("del a[i]", "keep the others by indexing: a[[0, 2]]"),
    "__iadd__": _in_place("+"),
    "__isub__": _in_place("-"),
    "__imul__": _in_place("*"),
    "__itruediv__": _in_place("/"),
    "__ipow__": _in_place("**"),
    "__imatmul__": _in_place("@"),
    "__reduce__": _COPIES,
    "__deepcopy__": _COPIES,
    "__copy__": _COPIES,
    "item": ("a.item()", "keep a as it is, or index it: a[0]"),
    "tolist": ("a.tolist()", "keep a as it is"),
    "astype": ("a.astype()", "all traced values are float64; leave it out"),
    **dict.fromkeys(("fill", "sort", "put", "resize"), _ITEMS),
}
# These have a reflected and an in-place form: b // a, a //= b.
for _name in ("floordiv", "mod", "divmod", "and", "or", "xor", "lshift", "rshift"):
    REFUSED[f"__r{_name}__"] = REFUSED[f"__{_name}__"]
    if _name not in ("mod", "divmod"):
        REFUSED[f"__i{_name}__"] = REFUSED[f"__{_name}__"]

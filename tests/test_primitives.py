"""Every entry of the table: its rules meet the passes' requirements, and it is complete.

Values and derivatives on its examples are tested in ``test_composites``.
"""

import ast
from pathlib import Path

import numpy as np
import pytest
from test_composites import like

import comp551ad
from comp551ad.autodiff.passes import full, pull_back, push_forward
from comp551ad.autodiff.primitives import PRIMITIVE_OF, PRIMITIVES, define, shape_of
from comp551ad.autodiff.tape import Tape, apply

CASES = [
    pytest.param(primitive, operands, parameters, id=f"{primitive.name}-{n}")
    for primitive in PRIMITIVES.values()
    for n, (operands, parameters) in enumerate(primitive.examples)
]


def run(primitive, operands, parameters):
    """The primitive on a new tape, with every operand an input."""
    with Tape() as tape:
        inputs = [tape.add_input(x, "x") for x in operands]
        result = apply(primitive, inputs, dict(parameters))
    return tape.rows, result


@pytest.mark.parametrize(("primitive", "operands", "parameters"), CASES)
def test_uniform_adjoint_equals_the_full_one(primitive, operands, parameters):
    """A scalar in place of an array of equal entries yields the same adjoints."""
    rows, result = run(primitive, operands, parameters)
    last, y = len(rows) - 1, result.value
    assert last == len(operands), "a primitive is one row"
    short = pull_back(rows, [(last, 0.7)])
    full_size = pull_back(rows, [(last, np.full(shape_of(y), 0.7))])
    for k in range(last):
        np.testing.assert_allclose(
            full(short[k], rows[k][1]),
            full(full_size[k], rows[k][1]),
            rtol=1e-13,
            atol=1e-15,
        )


@pytest.mark.parametrize(("primitive", "operands", "parameters"), CASES)
def test_many_tangents_at_once(primitive, operands, parameters):
    """K tangents along a leading axis yield the same as one by one."""
    rows, result = run(primitive, operands, parameters)
    for k in range(len(operands)):
        singles = [like(operands, seed)[k] for seed in (4, 5, 6)]
        together = push_forward(rows, [(k, np.stack(singles))], many=True)[-1]
        for n, t in enumerate(singles):
            one = full(push_forward(rows, [(k, t)])[-1], result.value)
            many = 0.0 * one if together is None else together[n]
            assert np.shape(many) == np.shape(one)
            np.testing.assert_allclose(many, one, rtol=1e-13, atol=1e-15)


def test_every_entry_says_all_there_is_to_say():
    for primitive in PRIMITIVES.values():
        assert primitive.functions, primitive
        assert primitive.examples, primitive
        names = [f"{{{k}}}" for k in range(len(primitive.examples[0][0]))]
        names = ["{operands}"] if primitive.variadic else names
        for template in primitive.notation[:3]:
            written = [name in template for name in names]
            if primitive.name == "heaviside" and template != primitive.notation.source:
                written.pop()  # [x > 0], whatever its value at 0
            assert all(written), (primitive, template)
        assert all(PRIMITIVE_OF[f] is primitive for f in primitive.functions)


def test_a_name_can_be_defined_once():
    sin = PRIMITIVES["sin"]
    with pytest.raises(ValueError, match="'sin', already defined"):
        define("sin", sin.vjps, examples=[])
    with pytest.raises(ValueError, match="'sine', already defined"):  # np.sin is
        define("sine", sin.vjps, functions=(np.sin,), examples=[])


def test_names_as_latex_has_them():
    latex = {name: p.notation.latex for name, p in PRIMITIVES.items()}
    assert latex["logistic"].startswith(r"\sigma\left(")
    assert latex["softmax"].startswith(r"\operatorname{{softmax}}\left(")
    assert latex["expand_dims"].startswith(r"\operatorname{{expand dims}}")
    assert latex["sin"].startswith(r"\sin ")


# ---------------------------------------------------------------- the table is the only place

# file -> why primitives are named there (a rule is recognized or composed, or it is NumPy's
# name), and which
NAMED_ELSEWHERE = {
    "autodiff/tape.py": (
        "Python's operators, and lists of numbers",
        "add divide matmul multiply negative stack subtract",
    ),
    "autodiff/inplace.py": ("an assignment is one of these", "set_at where"),
    "autodiff/composites.py": (
        "what NumPy's functions are composed of",
        "abs concatenate cumsum dot eigvalsh erf getitem maximum minimum norm outer power reshape "
        "slogdet solve sqrt square stack where xlogy",
    ),
    "autodiff/numpy_protocols.py": (
        "operators, methods and a keyword of these names",
        "add matmul outer reshape transpose where",
    ),
    "autodiff/refusals.py": ("NumPy's name: X.dot(W)", "dot"),
    "autodiff/simplify.py": (
        "algebra: what patterns recognise and make",
        "add broadcast_to divide exp logistic logsumexp matmul mean multiply negative outer relu "
        "set_at softmax subtract transpose",
    ),
    "autodiff/javascript.py": (
        "NumPy's functions of data",
        "broadcast_to max mean min reshape stack sum",
    ),
    "autodiff/emit.py": ("1/N and .T", "divide transpose"),
    "autodiff/trials.py": ("what chooses entries by an index", "getitem"),
    "show/dot.py": ("Graphviz's program", "dot"),
    "show/formula.py": (
        "what is written without a name: signs, powers, indices, .T",
        "add expand_dims getitem negative power transpose",
    ),
    "show/recorded.py": (
        "algebra: what is simplified in a printed term",
        "add divide multiply negative subtract",
    ),
}


def names_in(file):
    """The primitives whose names are strings in a module."""
    tree = ast.parse(file.read_text())
    return {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)} & set(
        PRIMITIVES
    )


def test_a_primitive_is_named_in_the_table_alone():
    """Or where there is a reason; unneeded reasons must be removed."""
    root = Path(comp551ad.__file__).parent
    files = {*root.glob("autodiff/*.py"), *root.glob("show/*.py")}
    files.remove(root / "autodiff/primitives.py")
    named = {str(f.relative_to(root)): names_in(f) for f in files}
    allowed = {file: set(names.split()) for file, (_, names) in NAMED_ELSEWHERE.items()}
    assert {file: names for file, names in named.items() if names} == allowed

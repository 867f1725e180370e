"""Random programs over every primitive in the table, judged by three witnesses.

hypothesis draws a program: inputs (numbers and arrays, with axes of length 0 and 1) and
a few statements, each of them a primitive from the table on earlier values or on a constant.
Operands are mapped into the domain and the shape of the primitive's examples, so new entries
in ``primitives.py`` take part automatically; so do examples of composites. Other statements
change an array in place, through a view of it, or use labels, which are data: as an index, for
a mask, in a comparison.

For each program forward mode, reverse mode and five-point differences must agree; second
derivatives too, three ways; and the program written from it must compute the same, in both
forms. The default profile runs a few hundred of them, the same on every run. The long profile
draws more, at random, for about ten minutes:

    pytest --hypothesis-profile=long tests/test_random_programs.py
"""

import re
import warnings
from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_composites import (
    CASES,
    assert_all_close,
    both_forms,
    dot,
    like,
    numbers_of,
    of_numbers,
)

from comp551ad import (
    grad,
    jvp,
    value_and_grad,
    vjp,
    write_gradient,
    write_value,
)
from comp551ad.autodiff.primitives import PRIMITIVES
from comp551ad.autodiff.program import ProgramError

# A hundred programs per test, and three times as many where every function must occur; the long
# profile runs 10,000.
as_many = settings(suppress_health_check=list(HealthCheck), print_blob=False)
several_hundred = settings(as_many, max_examples=max(300, settings().max_examples))

SHAPES = [(), (), (1,), (3,), (2, 3), (1, 3), (2, 1), (2, 2, 3), (0,), (0, 3), (2, 0)]
# A value is tied with itself: nan.
NAMES = sorted(PRIMITIVES.keys() - {"greater_share"})
LABELS, OTHERS = np.array([2, 0, 1, 5, 2]), np.array([0, 3, 3, 1, 4])
# Composites, and primitives whose matrices must not become singular, use their examples' values.
COMPOSED = {
    case.id: case.values
    for case in CASES
    if sum(np.size(x) for x in numbers_of(case.values[1])) <= 12
    # It only checks whether its first argument is traced.
    and case.values[0] is not np.full_like
    and np.all([np.all(np.isfinite(x)) for x in numbers_of(case.values[1])])
}
OF_MATRICES = {n for n in NAMES if np.shape(PRIMITIVES[n].examples[0][0][0]) == (3, 3)}

# ---------------------------------------------------------------- programs


class Statement(NamedTuple):
    """One line: ``name`` is a primitive's name, or fit, squash or constant."""

    name: str
    operands: tuple  # numbers of earlier values
    parameters: dict


class Program(NamedTuple):
    """Inputs, statements, and the indices of the returned values."""

    inputs: tuple
    statements: tuple
    outputs: tuple

    def __repr__(self):
        lines = [f"v{k} = input {x!r}" for k, x in enumerate(self.inputs)]
        for k, s in enumerate(self.statements, len(self.inputs)):
            words = [f"v{o}" for o in s.operands]
            words += [f"{key}={value!r}" for key, value in s.parameters.items()]
            lines.append(f"v{k} = {s.name}({', '.join(words)})")
        lines.append(f"return {', '.join(f'v{k}' for k in self.outputs)}")
        return "\n" + "\n".join(lines)


def spread(shape):
    """Fixed distinct numbers, added where entries are copied so that none are tied."""
    return 0.4 * np.cos(1.0 + 1.7 * np.arange(int(np.prod(shape)))).reshape(shape)


def fit(x, shape):
    """x brought to ``shape`` by repeating or leaving out entries."""
    if np.size(x) == 0:
        return np.sum(x) + spread(shape)
    taken = np.arange(int(np.prod(shape))) % np.size(x)
    return np.reshape(np.reshape(x, (-1,))[taken], shape) + spread(shape)


def call_numpy(name, operands, parameters):
    if name in COMPOSED:
        found = of_numbers(*COMPOSED[name])(*operands)
        return found[0]
    primitive = PRIMITIVES[name]
    if name == "getitem":
        return operands[0][parameters["index"]]
    if name == "slogdet":
        return np.stack(np.linalg.slogdet(*operands))
    if name == "where":
        return np.where(parameters["condition"], *operands)
    function = primitive.functions[0]
    if primitive.variadic:
        return function(list(operands), **parameters)
    return function(*operands, **parameters)


def in_place(x, kind):
    """A copy of x after an in-place change, also through a view."""
    y = x * 1.0
    v = y.T
    if kind == 0:
        y[0] = 0.5 * y[-1]
    elif kind == 1:
        v *= 1.3
    elif kind == 2:
        y[y > 0.2] *= -0.5
    elif kind == 3:
        y[..., 0] += y[..., -1]
        v[0] -= 0.1 * v[-1]
    else:
        y += 0.5 * np.flip(v).T
    return y


def by_labels(x, labels, kind):
    """x, with as many entries as there are labels, indexed and changed by data."""
    if kind == 0:
        return x[labels % 5]
    if kind == 1:
        return np.where(labels > 1, x, -0.5 * x)
    if kind == 2:
        return x * (labels == 2) + 0.1 * labels
    if kind == 3:
        return np.where(x > 0.1, x, 0.3 * x)
    return x * (x > 0.2) + x[np.argsort(labels, kind="stable")]


def computed(statement, values, labels=LABELS):
    """A statement's value, given the earlier ones."""
    name, numbers, parameters = statement
    operands = [values[k] for k in numbers]
    if name == "constant":
        return parameters["value"]
    if name == "fit":
        return fit(operands[0], parameters["shape"])
    if name == "squash":
        low, high = parameters["low"], parameters["high"]
        middle, half = (low + high) / 2, 0.45 * (high - low)
        return middle + half * np.tanh(operands[0])
    if name == "labels":
        # A plain array would hide the labels that index it.
        x = operands[0] + 0.0 * np.sum(values[0])
        return by_labels(x, labels, parameters["kind"])
    if name == "in place":
        return in_place(operands[0], parameters["kind"])
    return call_numpy(name, operands, parameters)


def run(program, inputs, labels=LABELS):
    """Run the program on these inputs, as a user's function; returns a list."""
    values = list(inputs)
    for statement in program.statements:
        values.append(computed(statement, values, labels))
    return [values[k] for k in program.outputs]


# ---------------------------------------------------------------- drawing them


def domain(name):
    """The interval that a primitive's examples cover."""
    numbers = [
        np.ravel(x).astype(float) for xs, _ in PRIMITIVES[name].examples for x in xs
    ]
    numbers = np.concatenate(numbers)
    return float(numbers.min()), float(numbers.max())


DOMAIN = {name: domain(name) for name in NAMES}


class Builder:
    """Adds statements and evaluates each immediately, to choose operands that fit.

    Its choices come from one seed: if hypothesis drew each of them, it would try the first
    primitives of the table over and over. Shrinking removes the last lines.
    """

    def __init__(self, seed):
        self.rng = rng = np.random.default_rng(seed)
        shapes = [self.choose(SHAPES) for _ in range(self.choose([1, 1, 2, 3]))]
        self.inputs = tuple(
            rng.uniform(-1.5, 1.5, shape) if shape else float(rng.uniform(-1.5, 1.5))
            for shape in shapes
        )
        self.values, self.statements = list(self.inputs), []

    def choose(self, options):
        return options[self.rng.integers(len(options))]

    def add(self, name, operands=(), **parameters):
        statement = Statement(name, tuple(operands), parameters)
        value = computed(statement, self.values)
        assert np.all(np.isfinite(value))
        self.statements.append(statement)
        self.values.append(value)
        return len(self.values) - 1

    def pick(self, low, high, shape=None):
        """An earlier value, or occasionally a constant, mapped into the domain."""
        if self.rng.random() < 0.15:
            return self.constant(low, high, shape)
        k = self.choose(range(len(self.values)))
        if shape is not None and np.shape(self.values[k]) != shape:
            k = self.add("fit", [k], shape=shape)
        value, margin = self.values[k], 0.05 * (high - low)
        inside = np.all((value > low + margin) & (value < high - margin))
        free = low < -1 and high > 1  # the domain is a sample of all numbers
        if not inside and not (free and np.all(np.abs(value) < 2.5)):
            k = self.add("squash", [k], low=low, high=high)
        return k

    def constant(self, low, high, shape):
        if shape is None:
            shape = self.choose(SHAPES)
        value = self.rng.uniform(low, high, shape)
        return self.add("constant", value=value if shape else float(value))

    def near(self, example):
        """An earlier value, mapped to the neighbourhood of an example."""
        k = self.choose(range(len(self.values)))
        k = self.add("fit", [k], shape=np.shape(example))
        return self.add("squash", [k], low=example - 0.02, high=example + 0.02)

    def statement(self):
        if self.rng.random() < 0.08:
            shape = self.choose([(3,), (2, 3), (2, 2, 3), (1, 3)])
            k = self.pick(-1.3, 1.7, shape)
            return self.add("in place", [k], kind=int(self.rng.integers(5)))
        if self.rng.random() < 0.1:
            k = self.pick(-1.3, 1.7, (5,))
            return self.add("labels", [k], kind=int(self.rng.integers(5)))
        if self.rng.random() < 0.15:
            name = self.choose(sorted(COMPOSED))
            return self.add(name, map(self.near, numbers_of(COMPOSED[name][1])))
        name = self.choose(NAMES)
        primitive, (low, high) = PRIMITIVES[name], DOMAIN[name]
        if primitive.elementwise and not primitive.parameters:
            operands = [self.pick(low, high)]
            shape = np.shape(self.values[operands[0]])
            fitting = [shape, shape[1:], (1, *shape), shape[:-1] + (1,)]
            for _ in primitive.vjps[1:]:
                operands.append(self.pick(low, high, self.choose(fitting)))
            return self.add(name, self.rng.permutation(operands).tolist())
        if "axis" in primitive.parameters and not primitive.variadic:
            if len(primitive.vjps) == 1 and bool(self.choose([False, True])):
                return self.reduction(name, primitive, low, high)
        operands, parameters = self.choose(primitive.examples)
        if name in OF_MATRICES:
            operands = primitive.examples[0][0]
            return self.add(name, map(self.near, operands))
        numbers = [self.pick(low, high, np.shape(x)) for x in operands]
        return self.add(name, numbers, **parameters)

    def reduction(self, name, primitive, low, high):
        """Any shape, and any axis that isn't empty."""
        k = self.pick(low, high)
        ndim = np.ndim(self.values[k])
        if not ndim:
            k = self.add("fit", [k], shape=(2, 3))
            ndim = 2
        axes = list(range(-ndim, ndim))
        if "keepdims" in primitive.parameters:
            axes += [None, (0, -1) if ndim > 1 else (0,)]
        if name in ("expand_dims", "squeeze"):
            return self.add("expand_dims", [k], axis=self.choose(axes[:ndim]))
        parameters = {"axis": self.choose(axes)}
        if "keepdims" in primitive.parameters:
            parameters["keepdims"] = bool(self.choose([False, True]))
        taken = np.size(self.values[k]) and np.size(self.values[k]) / max(
            np.size(np.sum(self.values[k], parameters["axis"])), 1
        )
        if name != "sum" and taken < 2:
            return self.add("sum", [k], **parameters)
        return self.add(name, [k], **parameters)


def drawn(seed, lines):
    """The program for a seed."""
    builder = Builder(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(lines):
            builder.statement()
    last = len(builder.values) - 1
    others = [
        builder.choose(range(last + 1)) for _ in range(builder.choose([0, 0, 1, 2]))
    ]
    return Program(builder.inputs, tuple(builder.statements), (last, *others))


@st.composite
def programs(draw):
    return drawn(draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 7)))


# ---------------------------------------------------------------- witnesses


def scale(xs, ys):
    return 1.0 + sum(
        np.sum(np.abs(np.multiply(x, y))) for x, y in zip(xs, ys, strict=True)
    )


def moved(inputs, direction, h):
    return [x + h * t for x, t in zip(inputs, direction, strict=True)]


def differences(along):
    """The derivative of along(h) at 0 and its error bar: two five-point differences,
    extrapolated, which differ by the bar, or at a kink by much more."""

    def five_point(h):
        near, far = along(h) - along(-h), along(2 * h) - along(-2 * h)
        return (8 * near - far) / (12 * h)

    coarse, fine = five_point(2.0**-8), five_point(2.0**-9)
    return (16 * fine - coarse) / 15, abs(coarse - fine)


def assert_close(a, b, size, tolerance, what):
    assert abs(a - b) <= tolerance * size, f"{what}: {a!r} and {b!r}"


def total_of(program, weights):
    def total(*inputs, labels=LABELS):
        outputs = run(program, inputs, labels=labels)
        found = sum(np.sum(w * y) for w, y in zip(weights, outputs, strict=True))
        # A sign or a mask on its own would be refused, as it has no derivative.
        return found + 0.0 * sum(np.sum(x) for x in inputs)

    return total


def test_first_derivatives():
    """Forward = reverse = differences, on every primitive of the table."""
    seen, count = Counter(), Counter()

    @several_hundred
    @given(programs())
    def check(program):
        count["programs"] += 1
        seen.update(s.name for s in program.statements)
        inputs = program.inputs
        plain = run(program, inputs)
        weights, t = like(plain, 1), like(inputs, 2)

        outputs, tangents = jvp(lambda *x: run(program, x), inputs, tuple(t))
        assert_all_close(outputs, plain, rtol=1e-13, atol=1e-15)
        _, pull = vjp(lambda *x: run(program, x), *inputs)
        gradient = pull(weights)
        assert [np.shape(g) for g in gradient] == [np.shape(x) for x in inputs]
        forward, backward = dot(weights, tangents), dot(gradient, t)
        # At a jump: greater_share(v, v), which is half of a tie, has no slope.
        if np.isnan(forward) and np.isnan(backward):
            count["kinks"] += 1
            return
        size = scale(gradient, t) + scale(weights, tangents)
        assert_close(forward, backward, size, 1e-11, "forward and reverse")

        total = total_of(program, weights)
        value, again = value_and_grad(total, tuple(range(len(inputs))))(*inputs)
        assert value == pytest.approx(total(*inputs), rel=1e-12, abs=1e-13)
        assert_all_close(gradient, again, rtol=1e-10, atol=1e-11)

        slope, bar = differences(lambda h: total(*moved(inputs, t, h)))
        if bar < 1e-5 * size:
            count["by differences"] += 1
            assert abs(slope - backward) <= bar + 1e-9 * size, (slope, backward, bar)

    check()
    # Draws depend on hypothesis' version; tests/test_primitives.py tests every entry.
    assert len(set(PRIMITIVES) - set(seen)) <= len(PRIMITIVES) // 10, seen
    assert count["by differences"] > 0.9 * count["programs"], count
    assert count["kinks"] < 0.01 * count["programs"], count
    assert {"labels", "in place"} < set(seen) and len(set(COMPOSED) & set(seen)) > 50


def test_second_derivatives():
    """sᵀH t by reverse over forward = forward over reverse = reverse over reverse =
    differences of the gradient."""
    count = Counter()

    @as_many
    @given(programs())
    def check(program):
        count["programs"] += 1
        inputs = program.inputs
        numbers = tuple(range(len(inputs)))
        total = total_of(program, like(run(program, inputs), 3))
        s, t = like(inputs, 4), like(inputs, 5)

        def slope(*x):
            return jvp(total, x, tuple(t))[1]

        gradient = grad(total, numbers)
        over_forward = grad(slope, numbers)(*inputs)
        _, over_reverse = jvp(gradient, inputs, tuple(s))
        twice = grad(lambda *x: dot(gradient(*x), t) + 0.0, numbers)(*inputs)
        a, b, c = dot(over_forward, s), dot(over_reverse, t), dot(twice, s)
        if np.isnan(a + b + c):  # at a kink, such as abs of a relu that is 0
            count["kinks"] += 1
            return
        size = scale(over_forward, s) + scale(over_reverse, t) + scale(twice, s)
        assert_close(a, b, size, 1e-10, "reverse over forward, forward over reverse")
        assert_close(a, c, size, 1e-10, "reverse over forward, reverse over reverse")

        known, bar = differences(lambda h: dot(gradient(*moved(inputs, s, h)), t))
        if bar < 1e-5 * size:
            count["by differences"] += 1
            assert abs(known - a) <= bar + 1e-8 * size, (known, a, bar)

    check()
    assert count["by differences"] > 0.9 * count["programs"], count
    assert count["kinks"] < 0.05 * count["programs"], count


# Not possible in a program: large constants, branches, and the number of entries in a mask.
REFUSED = (
    "would be written as source|looks at a value|how many entries a comparison chooses"
)


def test_written_programs():
    """Written programs, readable and buffered, compute what `value_and_grad` and NumPy do; so does
    a second call of the same program."""
    count = Counter()

    @as_many
    @given(programs())
    def check(program):
        count["programs"] += 1
        inputs, plain = program.inputs, run(program, program.inputs)
        total = total_of(program, like(plain, 6))
        value_and_gradient = value_and_grad(lambda xs, y: total(*xs, labels=y))
        try:
            written = both_forms(
                write_gradient,
                lambda xs, y: total(*xs, labels=y),
                inputs,
                LABELS,
                value=True,
            )
            outputs = both_forms(write_value, lambda xs: run(program, xs), inputs)
        except ProgramError as refusal:
            assert re.search(REFUSED, str(refusal))
            count["refused"] += 1
            return
        for y in (LABELS, OTHERS, LABELS):
            value, gradient = value_and_gradient(inputs, y)
            for p in written:
                its_value, its_gradient = p(inputs, y)
                np.testing.assert_allclose(its_value, value, rtol=1e-9, atol=1e-10)
                assert_all_close(its_gradient, gradient, rtol=1e-8, atol=1e-9)
        for p in outputs:
            assert_all_close(p(inputs), plain, rtol=1e-9, atol=1e-10)

    check()
    assert count["refused"] < 0.1 * count["programs"], count

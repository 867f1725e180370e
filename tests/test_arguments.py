"""comp551ad/autodiff/arguments.py: argument selection, names, and calling f with tracers."""

import functools
import sys
from collections import defaultdict, namedtuple

import numpy as np
import pytest
from test_passes import half_square, waves

from comp551ad import (
    TraceError,
    grad,
    hessian,
    jacobian,
    record,
    reverse,
    value_and_grad,
    write_gradient,
)
from comp551ad.autodiff.program import ProgramError

Layer = namedtuple("Layer", "W b")
X3 = np.array([1.5, -0.5, 2.0])


def names_of(t):
    return [t.names[k] for k in t.inputs]


# ---------------------------------------------------------------- names of a recording's inputs


def test_inputs_stand_in_the_order_of_the_signature():
    for t in (
        record(waves, 0.5, 2.0, 1.0),
        record(waves, x=1.0, w1=2.0, w0=0.5),
        record(waves, 0.5, x=1.0, w1=2.0),
    ):
        assert names_of(t) == ["w0", "w1", "x"] and t["a5"] == 2.5


def test_star_arguments_and_keywords():
    def f(f, /, args, *rest, scale, **options):
        return f * args * rest[0] * scale * options["shift"]

    t = record(f, 1.0, 2.0, 3.0, scale=4.0, shift=5.0)
    assert names_of(t) == ["f", "args", "rest[0]", "scale", "options['shift']"]
    assert t.result == 120.0


def test_containers_and_how_their_leaves_are_called():
    def f(params, pair, layer):
        total = params["W"] * pair[1] + layer.b
        for b in params["deep"]:
            total = total + b
        assert type(layer) is Layer and type(pair) is tuple
        return {"loss": total, "parts": [total * 2, pair[0]]}

    t = record(f, {"W": 2.0, "deep": [3.0, 4.0]}, (5.0, 6.0), Layer(7.0, 8.0))
    assert names_of(t) == [
        "params['W']",
        "params['deep'][0]",
        "params['deep'][1]",
        "pair[0]",
        "pair[1]",
        "layer[0]",
        "layer[1]",
    ]
    assert t["params['W']"] == 2.0
    assert t.result == {"loss": 27.0, "parts": [54.0, 5.0]}
    assert t.outputs[2] == t.row_number("pair[0]")


def test_what_is_no_number_is_handed_on():
    seen = []

    def f(x, mode, flag, nothing, function, rng, mask):
        seen.append([mode, flag, nothing, function, rng])
        assert isinstance(mask, np.ndarray) and np.array_equal(mask, [True, False])
        return function(x) if flag else x

    given = ["train", True, None, np.sin, np.random.default_rng]
    t = record(f, 1.0, *given, np.array([True, False]))
    assert seen == [given] * 2, "once more plainly"
    assert names_of(t) == ["x"] and t.result == np.sin(1.0)


def test_integers_become_floats():
    t = record(lambda n, A: n * A, 3, np.array([[1, 2], [3, 4]], dtype=np.int32))
    assert t["n"] == 3.0 and type(t["n"]) is float
    assert t["A"].dtype == np.float64 and t.result.tolist() == [[3, 6], [9, 12]]
    assert record(lambda x: x / 2, 1).result == 0.5
    assert record(lambda x: x ** np.array(-1), np.int64(2)).result == 0.5


def test_wrong_calls_are_the_functions_own_errors():
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        record(waves, 1.0, 2.0)


def test_methods_lambdas_decorators_and_callable_objects():
    class Model:
        scale = 3.0

        def loss(self, x):
            hidden = x * self.scale
            return hidden + 1

        def __call__(self, x):
            called = x * 2
            return called

    def decorate(f):
        @functools.wraps(f)
        def wrapper(*args, **kwargs):
            outer = f(*args, **kwargs)
            return outer + 1

        return wrapper

    model = Model()
    t = record(model.loss, 2.0)
    assert t["hidden"] == 6.0 and t.function == "loss" and names_of(t) == ["x"]
    t = record(model, 2.0)
    assert t["called"] == 4.0 and t.function == "Model" and names_of(t) == ["x"]
    t = record(decorate(half_square), 1.0, 2.0, 3.0)
    assert names_of(t) == ["w", "x", "y"] and t.function == "half_square"
    t = record(functools.partial(half_square, 0.5), 2.0, 3.0)
    assert t.result == 2.0 and names_of(t) == ["x", "y"]
    assert grad(functools.partial(half_square, y=3.0), "x")(0.5, 2.0) == -1.0


def test_numpy_functions_have_no_signature_and_record_all_the_same():
    assert [n.primitive for n in record(np.sin, 1.0)] == ["input", "sin"]
    assert record(np.maximum, 1.0, 2.0).result == 2.0
    assert [n.primitive for n in record(np.sum, np.ones(3))] == ["input", "sum"]
    assert record(max, 1.0, 2.0).result == 2.0


def test_a_wrapper_with_parameters_of_its_own_is_called_by_them():
    def flip(f):
        @functools.wraps(f)
        def flipped(b, a):
            return f(a, b)

        return flipped

    f = flip(lambda a, b: a - 3 * b)
    assert f(a=1.0, b=2.0) == record(f, a=1.0, b=2.0).result == -5.0
    assert grad(f, "a")(a=1.0, b=2.0) == 1.0
    assert grad(f, "a")(1.0, 2.0) == 1.0  # its second


# ---------------------------------------------------------------- argnum


def f(x, y, z=2.0):
    return x * x * y + z * y


@pytest.mark.parametrize(
    "argnum", [True, False, None, 1.0, [0], np.array(0), (0, True), (0, None)]
)
def test_argnum_of_a_wrong_kind(argnum):
    for transform in (grad, value_and_grad, jacobian, hessian):
        with pytest.raises(
            TypeError, match="argnum: got .*expected a position .* or a tuple"
        ):
            transform(f, argnum)


def with_default(x, b=2.0, c=3.0):
    return x * b * b * c


def with_star(x, *xs, k=1.0):
    return x + 10 * xs[0] + 100 * xs[1] * k


def star_first(*layers, x=1.0):
    return layers[0] * layers[1] ** 2 * x**3


def keyword_only(x, *, scale, power=2):
    return scale * x**power


CALLS = [
    *[(f, argnum, (3.0, 5.0, 2.0), {}, expected) for argnum, expected in [
        (0, 30.0), (1, 11.0), (-3, 30.0), ("z", 5.0), ((0,), (30.0,)),
        ((-1, "y", 0), (5.0, 11.0, 30.0)),
    ]],
    (f, "y", (3.0,), {"y": 5.0}, 11.0),
    (f, ("z", "x"), (), {"z": 7.0, "y": 5.0, "x": 3.0}, (5.0, 30.0)),
    (keyword_only, ("scale", "x"), (3.0,), {"scale": 2.0, "power": 3}, (27.0, 54.0)),
    (with_default, ("c", 0), (1.0,), {"c": 5.0}, (4.0, 20.0)),
    (with_default, 1, (1.0,), {"c": 5.0, "b": 2.0}, 20.0),  # a parameter's position
    (with_default, -1, (1.0,), {"c": 5.0}, 4.0),
    (with_star, "k", (1.0, 2.0, 3.0), {"k": 5.0}, 300.0),
    (with_star, 2, (1.0, 2.0, 3.0, 4.0), {"k": 5.0}, 500.0),
    (with_star, (0, "k"), (1.0, 2.0, 3.0), {"k": 5.0}, (1.0, 300.0)),
    (with_star, -1, (1.0, 2.0, 3.0), {"k": 5.0}, 300.0),
    (with_star, "xs", (1.0, 2.0, 3.0), {"k": 5.0}, (10.0, 500.0)),
    (lambda x=1.0, b=2.0: x * b, 1, (), {"b": 3.0}, 1.0),
    (star_first, 1, (2.0, 3.0), {"x": 5.0}, 1500.0),
]  # fmt: skip


@pytest.mark.parametrize(("f", "argnum", "args", "kwargs", "expected"), CALLS)
def test_argnum(f, argnum, args, kwargs, expected):
    for gradient in (
        grad(f, argnum),
        jacobian(f, argnum),
        jacobian(f, argnum, "forward"),
    ):
        assert gradient(*args, **kwargs) == expected
    assert value_and_grad(f, argnum)(*args, **kwargs) == (f(*args, **kwargs), expected)
    program = write_gradient(f, *args, wrt=argnum, **kwargs)
    assert program(*args, **kwargs) == expected


@pytest.mark.parametrize(
    ("f", "argnum", "args", "kwargs", "words"),
    [
        (f, 3, (1.0, 2.0, 3.0), {}, "argnum: got 3, expected one of x, y, z"),
        (f, "w", (1.0, 2.0, 3.0), {}, "argnum: got 'w', expected one of x, y, z"),
        (f, (0, -3), (1.0, 2.0, 3.0), {}, "an argument named twice"),
        (lambda: 1.0, 0, (), {}, "argnum: got 0, expected one of none"),
        (with_default, 1, (1.0,), {"c": 5.0}, "got 1, expected one of x, c "),
        (lambda x=1.0, b=2.0: x * b, 0, (), {"b": 3.0}, "got 0, expected one of b "),
        (with_default, ("b", 1), (1.0,), {"b": 5.0}, "an argument named twice"),
        (with_star, 3, (1.0, 2.0, 3.0), {}, r"got 3, expected one of x, xs\[0\]"),
    ],
)
def test_argnum_that_a_call_does_not_have(f, argnum, args, kwargs, words):
    with pytest.raises(TypeError, match=words):
        grad(f, argnum)(*args, **kwargs)


def test_an_error_names_the_argument_of_a_call_with_keywords():
    with pytest.raises(TraceError, match="^b: got complex"):
        grad(with_default, "b")(1.0, b=1j)
    with pytest.raises(TraceError, match=r"^xs\[1\]: got complex"):
        grad(with_star, 2)(1.0, 2.0, 3j, k=1.0)


def test_other_arguments_may_be_anything():
    def g(x, mode, rng, table):
        return x * table["k"] if mode == "train" else x

    assert grad(g)(2.0, "train", np.random.default_rng(), {"k": 3}) == 3.0
    assert grad(lambda x, c: np.real(c) * x)(2.0, 3 + 1j) == 3.0


def test_dicts_of_other_classes_stay_what_they_are():
    class Parameters(dict):
        __getattr__ = dict.__getitem__

    gradient = grad(lambda p: p.w**2)(Parameters(w=3.0))
    assert type(gradient) is Parameters and gradient.w == 6.0
    counts = defaultdict(list, w=3.0)
    assert grad(lambda p: p["w"] ** 2 + len(p["others"]))(counts) == {"w": 6.0}


# ---------------------------------------------------------------- integers, and one plain run


def test_a_recording_is_compared_with_a_plain_run_of_the_same_arguments():
    """It runs twice more if f is random, prints nothing twice, and doesn't change arguments."""
    calls = []

    def noisy(p, rng):
        calls.append(type(p["w"]))
        p["w"] = p["w"] * rng.normal()
        return p["w"]

    p = {"w": 2.0}
    record(noisy, p, np.random.default_rng(0))
    assert len(calls) == 3 and p == {"w": 2.0}


def test_a_result_that_is_rounding_beside_its_terms_is_no_other_value():
    for seed in range(20):
        A = np.random.default_rng(seed).normal(size=(4, 4))
        record(lambda A: np.sum(np.einsum("ij,jk", A, A)) - np.sum(A @ A), A)


def test_a_large_number_beside_it_hides_no_other_value():
    def masked(x):
        return (x**2 if type(x) is float else x**3) + np.exp(x - 1e30)

    with pytest.raises(TraceError, match="gave .*8.0.*, but plain numbers give .*4.0"):
        record(masked, 2.0)
    with pytest.raises(TraceError, match="gave .*inf.*, but plain numbers give .*2.0"):
        record(lambda x: x if type(x) is float else x + np.inf, 2.0)


def test_a_plain_run_takes_what_is_not_traced_as_it_is_given():
    """An index, or a loop's number of iterations; and small integer types, which wrap around."""
    x, rows = np.array([1.0, 2.0, 4.0]), np.array([[0, 2], [1, 1]])

    def f(x, rows, n):
        for _ in range(n):
            x = x * 2.0
        return np.std([np.sum(x[row]) for row in rows])

    assert grad(f)(x, rows, 2) == pytest.approx([2.0, -4.0, 2.0])
    pixels = np.array([3, 250, 7], dtype=np.uint8)

    def edges(x, pixels):
        return np.sum(x * (pixels[1:] - pixels[:-1]))

    steps = [247.0, 13.0]
    assert reverse(record(edges, x[1:], pixels))["x"].tolist() == steps
    assert grad(edges)(x[1:], pixels).tolist() == steps
    program = write_gradient(edges, x[1:], pixels)
    assert program(x[1:], pixels[::-1].copy()).tolist() == [243.0, 9.0]
    with pytest.raises(ProgramError, match="uint8, which wrap around.*astype"):
        write_gradient(edges, x[1:], pixels, language="javascript")
    assert record(lambda x: np.sum(x[1:] - x[:-1]), pixels).result == 260


def test_nothing_is_printed_twice(capsys):
    def f(x):
        print("here")
        return x * x

    for way in (record, write_gradient):
        way(f, 2.0)
        assert capsys.readouterr().out.split() == ["here"]
    with pytest.raises(ProgramError):
        write_gradient(lambda x: f(x) if x > 0 else -x, 2.0)
    assert capsys.readouterr().out.split() == ["here"]


@pytest.mark.skipif(
    sys.version_info < (3, 14), reason="before 3.14 the def itself fails"
)
def test_an_annotation_may_name_what_is_not_there():
    def f(x: Undefined, *, y: Undefined = 2.0) -> Undefined:  # noqa: F821
        return x * y

    assert grad(f)(3.0) == 2.0

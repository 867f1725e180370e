"""The page's engine compared with Python: values, both modes, formulas, numbers as text."""

import math
import random
import re

import numpy as np
import pytest
from hypothesis import settings
from javascript import running
from test_formula import loss, passes_of, traces_of
from test_random_programs import drawn, like, total_of
from test_random_programs import run as run_program

from comp551ad import forward, functions, record, reverse
from comp551ad.autodiff.primitives import PRIMITIVES
from comp551ad.show import figures, live
from comp551ad.show.rows import rows_of

# Reads a list of {program, mode, about, seed} and returns what the page would show for each.
RUN = """
const out = x => isNumber(x) ? text(x) : {s: x.shape, d: Array.from(x, text)};
const text = x => Number.isFinite(x) ? x : String(x);
const results = cases.map(({program, mode, about, seed}) => {
  const read = readProgram(program);
  const pass = passOver(read, mode, about, seed);
  const v = run(read, read.inputs);
  const env = pass.environment(v);
  const d = env[pass.kind];
  const witness = v.map((x, i) => isNumber(x) || x.length
    ? difference(read, pass, read.inputs, v, i, 0) : null);
  return {v: v.map(out), d: d.map(out), witness,
    values: read.rows.map((_, i) => written(valueTree(read, i), env)),
    formulas: pass.trees.map(t => written(t, env)),
    texts: v.map(valueText)};
});
"""


# A message is code and its arguments. The code runs in the engine's scope, where $ is the only
# other name.
CALL = """
function call($) {
  $ = JSON.parse($, revived);
  try {
    $ = {results: eval(`({${Object.keys($.given)}}) => {${$.code}; return results;}`)($.given)};
  } catch (error) {
    $ = {error: error.stack};
  }
  return JSON.stringify($);
}
"""


@pytest.fixture(scope="module")
def run_js(tmp_path_factory):
    """Return a function that runs JavaScript with the engine and returns its ``results``."""
    engine = live.engine_source() + live.shipped("bar.js") + live.shipped("parse.js")
    with running(
        tmp_path_factory.mktemp("engine") / "engine.cjs", engine + CALL
    ) as call:

        def run_js(code, **given):
            answer = call({"code": code, "given": given})
            assert "error" not in answer, answer["error"]
            return answer["results"]

        yield run_js


def array(data):
    if isinstance(data, dict):
        return np.array([float(x) for x in data["d"]]).reshape(data["s"])
    return float(data)


def case(p):
    """A pass as the page receives it."""
    about, seed = p.seeds[0] if p.seeds else (0, 0.0)
    return {
        "program": live.program_of(p.trace),
        "mode": p.mode,
        "about": about,
        "seed": live.number_data(seed),
    }


def sizes(p):
    """For each row, the size of the terms in its derivative's sum."""
    rows = {row.node.index: row for row in p.rows}
    for k in range(1, len(p.trace) + 1):
        terms = [np.abs(t.derivative) for t in rows[k].terms]
        yield np.maximum(1.0, sum(terms, np.abs(p[k])))


def compare(run_js, passes):
    found_by_js = run_js(RUN, cases=list(map(case, passes)))
    for p, found in zip(passes, found_by_js, strict=True):
        rows = p.trace.rows
        for k, row in enumerate(rows):
            np.testing.assert_allclose(
                array(found["v"][k]), row[1], rtol=1e-12, atol=1e-12, err_msg=row[0]
            )
        for k, size in enumerate(sizes(p)):
            mine, theirs = array(found["d"][k]), p[k + 1]
            assert np.shape(mine) == np.shape(theirs)
            error = np.abs(mine - theirs) / size
            both = np.isnan(mine) & np.isnan(theirs) | (mine == theirs)
            assert np.all(both | (error <= 1e-12)), (rows[k][0], mine, theirs)
        shown = rows_of(p)
        computed = [k for k, row in enumerate(rows) if row[0] != "input"]
        for k in computed:
            assert found["values"][k] == shown.rows[k].formula.text
        assert found["formulas"] == [row.derivative.formula.text for row in shown.rows]
        assert found["texts"] == [row.value_text for row in shown.rows]


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive_runs_in_the_page_as_in_python(run_js, name):
    passes = [p for trace in traces_of(PRIMITIVES[name]) for p in passes_of(trace)]
    compare(run_js, passes)


# ---------------------------------------------------------------- numbers as text


def test_numbers_are_written_as_python_writes_them(run_js):
    pick = random.Random(1)
    numbers = [0.0, -0.0, 1.0, 2.0625, 8.1225, 1e7, 1e-5, 123456.5, 99999.5, 0.00012345]
    numbers += [pick.uniform(-10, 10) * 10 ** pick.randint(-8, 9) for _ in range(2000)]
    numbers += [
        pick.randint(-4000, 4000) / 2 ** pick.randint(0, 12) for _ in range(4000)
    ]
    numbers += [math.inf, -math.inf, math.nan]
    data = list(map(live.number_data, numbers))
    code = "const results = xs.map(x => [numberText(x), constantText(x)]);"
    found = run_js(code, xs=data)
    assert found == [[figures.number(x), figures.constant(x)] for x in numbers]


# ---------------------------------------------------------------- formulas with numbers

FILLED = """
const {program, mode, about} = one;
const read = readProgram(program);
const pass = passOver(read, mode, about, 1);
const v = run(read, read.inputs);
const env = pass.environment(v);
const results = {
  values: read.rows.map((_, i) => written(valueTree(read, i), env, true)),
  derivatives: pass.trees.map(t => written(t, env, true)),
};
"""


@pytest.fixture
def filled(run_js):
    return lambda p: run_js(FILLED, one=case(p))


def test_numbers_in_the_decks_tables(filled, deck):
    found = filled(forward(deck, wrt="w1"))
    assert found["values"][3:] == ["2·1", "2 + 0.5", "sin 2.5", "cos 2.5"]
    assert found["derivatives"][3:] == [
        *("1·1 + 2·0", "1 + 0", "1·cos 2.5", "−1·sin 2.5")
    ]
    found = filled(reverse(deck, of="a7"))
    assert found["derivatives"][2:5] == [
        *("2·(−0.5985)", "−0.5985", "0·cos 2.5 − 1·sin 2.5")
    ]


def test_negative_numbers_get_parentheses_where_they_must(filled):
    found = filled(reverse(record(loss, w=0.5, x=2.0, y=3.0)))
    assert found["values"][5] == "(−2)²"
    assert found["derivatives"][2] == "−(−2)"
    assert found["derivatives"][4] == "2·(−2)·0.5"


# ---------------------------------------------------------------- random programs


def test_random_programs_run_in_the_page_as_in_python(run_js):
    """Every number and formula, in reverse mode and in forward mode for each input; the long
    profile tests 2,000 programs."""
    count = 2000 if settings().max_examples > 1000 else 20
    passes = []
    for seed in range(count):
        program = drawn(seed, 1 + seed % 7)
        weights = like(run_program(program, program.inputs), 6)
        with np.errstate(all="ignore"):
            total = total_of(program, weights)
            trace = record(lambda *xs, f=total: f(*xs), *program.inputs)
            passes += passes_of(trace)
    for start in range(0, len(passes), 100):
        compare(run_js, passes[start : start + 100])


# ---------------------------------------------------------------- typed functions

TYPED = """
const inputNames = read => read.rows.filter(r => r.op === "input").map(r => r.name);
const last = (read, at) => run(read, at)[read.outputs.at(-1)];
const results = texts.map(([text, at]) => {
  const read = parse(text);
  const names = inputNames(read);
  // Written down again it is the same function.
  const again = parse(asTyped(read));
  const there = inputNames(again).map(name => at[names.indexOf(name)]);
  if (!Object.is(last(again, there), last(read, at))) throw new Error(asTyped(read));
  const pass = passOver(read, "reverse", read.outputs.at(-1), 1);
  const {adjoint: d} = pass.environment(run(read, at));
  return Object.fromEntries(names.map((name, k) => [name, String(d[k])]));
});
"""


@pytest.mark.parametrize(
    "text",
    [
        "x**3",
        "x**0",
        "x**-2",
        "2**x",
        "x**w",
        "maximum(x, 0)",
        "minimum(1, x)",
        "maximum(x, w)",
        "arctan2(x, 3)",
        "arctan2(2, x)",
        "exp(sin(w*x))/(1 + x**2)",
        "logistic(x) - relu(w)*tanh(x)",
        "a = w*x; sin(a)*a",
        "-x**2 + +x",
        "sqrt(x + 3) - log(w + 2)",
    ],
)
def test_a_typed_function_has_the_slopes_of_the_same_function_in_python(run_js, text):
    lines = [line.strip() for line in text.split(";")]
    names = list(dict.fromkeys(re.findall(r"\b[wx]\b", text)))
    body = "".join(f"    {line}\n" for line in [*lines[:-1], f"return {lines[-1]}"])
    made = {"logistic": functions.logistic, "relu": functions.relu, **vars(np)}
    exec(f"def f({', '.join(names)}):\n{body}", made)
    points = [(0.7, 1.3), (0.0, 0.0), (1.0, 1.0), (2.5, -0.5)]
    points = [point[: len(names)] for point in points]
    found = run_js(TYPED, texts=[[text, point] for point in points])
    with np.errstate(all="ignore"):
        for point, slopes in zip(points, found, strict=True):
            wanted = reverse(record(made["f"], *point))
            for name in names:
                np.testing.assert_allclose(
                    float(slopes[name]), wanted[name], rtol=1e-12, atol=1e-14
                )


UNREADABLE = {
    "sin(w1*x +": "Something is missing at the end.",
    "sin(w1 x)": "A product is written with *: w1*x",
    "sin(x)cos(x)": "A product is written with *: sin(x)*cos",
    "|x|": "The absolute value is written abs(x).",
    "(x + 1": "A parenthesis isn't closed: “)” is missing.",
    "x)": "“)” doesn't fit here.",
    "foo(x)": "No function is called foo.",
    "3 + 4": "There is no input in this output",
    "a = b; b = x": "b is used before it has a value.",
    "maximum(x)": "maximum takes 2 numbers.",
    "constructor(x)": "No function is called constructor.",
    "<img src=x onerror=alert(1)>": "“<” can't be read here.",
    "sin^2(x)": "Write the power after the parentheses: sin(x)**2",
    "x ^ ^ 2": "A name or a number is missing before “^”.",
    "x = 3; x**2": "Inputs are names without a value.",
    "lambda*x": "lambda is reserved in Python: use another name.",
    "0,5*x": "Is 0,5 one number? Write 0.5 for a number, 0, 5 for two.",
    "maximum(x1, 1,5)": "Write 1.5 for a number",
    "+".join(["sin(x)"] * 200): "This is too long",
}
ANSWERED = """const results = texts.map(text => {
  try { parse(text); } catch (error) { return error.message; }
});"""


def test_what_cannot_be_read_is_answered_in_words(run_js):
    found = run_js(ANSWERED, texts=list(UNREADABLE))
    for said, answer in zip(found, UNREADABLE.values(), strict=True):
        assert answer in said

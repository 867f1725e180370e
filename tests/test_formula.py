"""Formulas show what ran: the deck's as literals; all others are parsed and evaluated."""

import operator
import random
import re

import numpy as np
import pytest
from hypothesis import settings

from comp551ad import forward, functions, record, reverse
from comp551ad.autodiff.primitives import PRIMITIVES
from comp551ad.autodiff.tape import apply
from comp551ad.show import figures, formula, recorded
from comp551ad.show.live import program_of
from comp551ad.show.rows import rows_of


def loss(w, x, y):  # S11
    return 0.5 * (w * x - y) ** 2


def derivatives(rows):
    return [row.derivative.equation.text for row in rows.rows]


# ---------------------------------------------------------------- the deck's examples


def test_the_decks_formulas_in_latex(deck):
    """Their text is in the tables of test_table."""
    rows = rows_of(deck)
    assert rows.row(6).equation.latex == r"a_6 = \sin a_5"
    assert rows.row(7).expanded.latex == r"\cos\left(w_1 \cdot x + w_0\right)"
    fourth = rows_of(forward(deck, wrt="w1")).row(4).derivative
    assert fourth.equation.latex == (
        r"\dot a_4 = a_3 \cdot \dot a_2 + a_2 \cdot \dot a_3"
    )
    fifth = rows_of(reverse(deck, of="y2")).row(5).derivative
    assert fifth.equation.latex == (
        r"\bar a_5 = \bar a_6 \cdot \cos a_5 - \bar a_7 \cdot \sin a_5"
    )
    assert [(t.node, t.formula.text, t.value_text) for t in fifth.terms] == [
        (6, "ā₆·cos a₅", "0"),
        (7, "−ā₇·sin a₅", "−0.5985"),
    ]


def test_the_loss_of_the_deck():
    rows = rows_of(reverse(record(loss, w=0.5, x=2.0, y=3.0)))
    assert derivatives(rows)[::-1] == [
        "ā₇ = 1",
        "ā₆ = 0.5·ā₇",
        "ā₅ = 2·a₅·ā₆",
        "ā₄ = ā₅",
        "ā₃ = −ā₅",
        "ā₂ = a₁·ā₄",
        "ā₁ = a₂·ā₄",
    ]
    assert rows.row(7).expanded.text == "0.5·(w·x − y)²"
    assert rows.row(6).worked.text == "a₆ = a₅² = 4"
    assert rows.row(5).derivative.worked.text == "ā₅ = 2·a₅·ā₆ = −2"
    assert rows.row(1).derivative.closed.text == "x·(w·x − y)"
    assert [row.operation for row in rows.rows] == ["", "", "", "·", "−", "²", "0.5·"]


def test_a_seeded_output_that_is_used_again_adds_its_paths():
    def f_of(x):
        y = np.sin(x)
        return y, y * 2.0

    rows = rows_of(reverse(record(f_of, 0.5), of="y"))
    assert rows.row(2).derivative.equation.text == "ā₂ = 1 + 2·ā₃"


# ---------------------------------------------------------------- arrays

RANDOM = np.random.default_rng(0)
X, W, V = (
    RANDOM.normal(size=(5, 3)),
    RANDOM.normal(size=(4, 3)),
    RANDOM.normal(size=(3, 4)),
)
Y = np.eye(3)[[0, 1, 2, 0, 1]]


def cost(X, Y, W, V):  # S09
    Q = np.dot(X, V)
    Z = functions.logistic(Q)
    U = np.dot(Z, W)
    Yh = functions.logsumexp(U)
    nll = -np.mean(np.sum(U * Y, 1) - Yh)
    return nll


def test_the_cost_of_the_deck_by_names():
    rows = rows_of(reverse(record(cost, X, Y, W, V)), names="names")
    assert derivatives(rows) == [
        "X̄ = Q̄·Vᵀ",
        "Ȳ = U⊙ā₉",
        "W̄ = Zᵀ·Ū",
        "V̄ = Xᵀ·Q̄",
        "Q̄ = Z̄⊙Z⊙(1 − Z)",
        "Z̄ = Ū·Wᵀ",
        "Ū = softmax(U)⊙Ȳh[:, None] + Y⊙ā₉",
        "Ȳh = −ā₁₁",
        "ā₉ = ā₁₀[:, None]",
        "ā₁₀ = ā₁₁",
        "ā₁₁ = ā₁₂/5",
        "ā₁₂ = −n̄ll",
        "n̄ll = 1",
    ]
    assert rows.row(9).formula.text == "U⊙Y"
    assert rows.row(10).formula.text == "sum(a₉, axis=1)"
    assert rows.row(9).expanded.text == "(σ(X·V)·W)⊙Y"
    assert rows.row(3).derivative.equation.latex == r"\bar W = Z^\top\,\bar U"
    assert rows.row(12).worked.text == "a₁₂ = mean(a₁₁) = −1.041"
    assert rows.row(5).value is None and rows.row(5).shape == (5, 4)


def test_a_broadcast_is_undone_by_a_sum_over_the_copies():
    def f_of(X, b, c):
        return np.sum(np.sin(X + b) * c, axis=0)

    t = record(f_of, X, b=np.ones(3), c=2.0)
    rows = rows_of(reverse(t, seed=np.ones(3)), names="names")
    assert derivatives(rows) == [
        "X̄ = ā₄",
        "b̄ = sum(ā₄, axis=0)",
        "c̄ = sum(a₅⊙ā₆)",
        "ā₄ = ā₅⊙cos a₄",
        "ā₅ = c·ā₆",
        "ā₆ = ā₇[None, :]",
        "ā₇ = seed",
    ]
    assert rows.row(7).formula.text == "sum(a₆, axis=0)"


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: np.sin(x) * x, "sin(x)·x"),
        (lambda x: x * np.sin(x), "x·sin x"),
        (lambda x: np.sin(x) ** 2, "(sin x)²"),
        (lambda x: np.sin(-x), "sin(−x)"),
        (lambda x: (x + 1) * (x - 2), "(x + 1)·(x − 2)"),
        (lambda x: x + (-x), "x − x"),
        (lambda x: x - (-x), "x − (−x)"),
        (lambda x: x * -2.0, "x·(−2)"),
        (lambda x: x + -2.0, "x − 2"),
        (lambda x: -(x + 1), "−(x + 1)"),
        (lambda x: -(x * x), "−x·x"),
        (lambda x: x / np.sin(x) * x, "x/sin(x)·x"),
        (lambda x: x * (1 / 3), "x·1/3"),
        (lambda x: x * 123457.0, "x·123457"),
        (lambda x: x * np.finfo(float).max, "x·1.798e308"),
        (lambda x: x**-1.0, "x⁻¹"),
        (lambda x: x**0.5, "x^0.5"),
        (lambda x: (-x) ** 3, "(−x)³"),
        (lambda x: np.abs(-x), "|−x|"),
        (lambda x: np.sqrt(x + 1), "√(x + 1)"),
        (lambda x: np.exp(x) / (1 + np.exp(x)), "exp(x)/(1 + exp x)"),
        (lambda x: np.maximum(x, 0.0), "maximum(x, 0)"),
    ],
)
def test_parentheses_stand_where_they_must(function, text):
    rows = rows_of(record(function, 2.0))
    assert rows.rows[-1].expanded.text == text


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda A: A.T, "Aᵀ"),
        (lambda A: (A + A).T @ A, "(A + A)ᵀ·A"),
        (lambda A: (A * A) @ A, "(A⊙A)·A"),
        (lambda A: A * (A @ A), "A⊙(A·A)"),
        (lambda A: A @ (A @ A), "A·(A·A)"),
        (lambda A: 2.0 * (A @ A), "2·A·A"),
        (lambda A: np.mean(A, 0, keepdims=True), "mean(A, axis=0, keepdims=True)"),
        (lambda A: functions.softmax(A, axis=0), "softmax(A, axis=0)"),
        (lambda A: np.linalg.norm(A, axis=1), "norm(A, axis=1)"),
        (lambda A: np.reshape(A, (4, -1)), "reshape(A, shape=(4, 1))"),
        (lambda A: A[..., 0:2], "A[..., 0:2]"),
        (lambda A: (A + 1)[0], "(A + 1)[0]"),
        (lambda A: np.expand_dims(A, 1), "A[:, None, :]"),
        (lambda A: np.concatenate([A, A], axis=1), "concatenate(A, A, axis=1)"),
        (lambda A: A + np.ones((2, 2)), "A + constant[2×2]"),
        (lambda A: A * np.array([1.0, -2.5]), "A⊙[1, −2.5]"),
    ],
)
def test_arrays_read_as_a_reader_would_write_them(function, text):
    rows = rows_of(record(function, A=np.array([[1.0, 2.0], [3.0, 5.0]])))
    assert rows.rows[-1].expanded.text == text


# ---------------------------------------------------------------- numbers and names


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (-0.0, "0"),
        (2.0, "2"),
        (-0.59847214, "−0.5985"),
        (0.99999, "1"),
        (1234.5678, "1235"),
        (0.00012345, "0.0001234"),
        (-9.99999e-8, "−1e−7"),
        (float("nan"), "nan"),
        (float("inf"), "∞"),
        ([[1, 1], [1, 1]], "2×2, all 1"),
        ([[0.1 + 0.2, 0.3]], "1×2, all 0.3"),
        ([[1, 1.00001], [1, 1]], "2×2, 1 … 1.00001"),
        ([[np.nan, 1], [2, 3]], "2×2, 1 … 3, except for 1 nan"),
        ([[np.nan, np.nan]], "1×2, all nan"),
        ([[-np.inf, np.inf]], "1×2, −∞ … ∞"),
        (np.zeros((0, 2)), "0×2, empty"),
    ],
)
def test_numbers_are_rounded_in_one_way_and_arrays_summed_up(x, text):
    assert figures.value_text(np.array(x)) == text


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (np.pi, "3.142"),
        (-1.00001, "−1.00001"),
        (1234.5678, "1234.6"),
        (1e7 + 1, "1.0000001e7"),
    ],
)
def test_a_constant_does_not_pass_for_a_simpler_one(x, text):
    assert figures.constant(x) == text


def test_a_formula_is_not_made_false_by_rounding():
    rows = rows_of(reverse(record(lambda x: x**2.00001, x=2.0)))
    assert rows.row(2).formula.text == "a₁^2.00001"
    assert rows.row(1).derivative.equation.text == "ā₁ = 2.00001·a₁^1.00001·ā₂"
    rows = rows_of(record(lambda x: 1.00001 * x + 0.99999, x=1.0))
    assert rows.rows[-1].expanded.text == "1.00001·x + 0.99999"
    assert rows.rows[-1].worked.text == "a₃ = a₂ + 0.99999 = 2"  # values are rounded
    rows = rows_of(reverse(record(lambda x: 1.00001 * x, x=1.0)))
    assert rows.row(1).derivative.equation.text == "ā₁ = 1.00001·ā₂"
    assert rows.row(1).derivative.shown_value.text == "1.00001"  # not 1.00001 = 1
    rows = rows_of(record(lambda x: x * np.array([1.00001, 2.0]), x=np.ones(2)))
    assert rows.row(2).formula.text == "a₁⊙[1.00001, 2]"


def test_large_and_small_numbers_in_latex():
    rows = rows_of(record(lambda x: x * 1.5e-7, 2.0))
    assert rows.row(2).formula.latex == r"a_1 \cdot 1.5 \cdot 10^{-7}"
    rows = rows_of(record(lambda x: x**1.5e-7, 2.0))
    assert rows.row(2).formula.latex == r"a_1^{1.5 \cdot 10^{-7}}"


def test_names_from_the_user_are_escaped():
    t = record(lambda p: p["<script>"] * p["a_b"], {"<script>": 2.0, "a_b": 3.0})
    rows = rows_of(reverse(t), names="names")
    shown = rows.row(3).formula
    assert shown.text == "p['<script>']·p['a_b']"
    assert "<script" not in shown.html and "&lt;script&gt;" in shown.html
    assert r"a\_b" in shown.latex and "<" not in shown.latex
    adjoint = rows.row(1).derivative.label
    assert adjoint.text == "p̄['<script>']" and adjoint.latex.startswith(r"\overline{")


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("x1", "x_1"),
        ("x12", "x_{12}"),
        ("x_1", r"\mathrm{x\_1}"),
        ("a2", r"\mathrm{a2}"),
    ],
)
def test_a_name_that_would_look_like_another_stands_as_it_is(name, latex):
    assert formula.symbol("value", 0, {0: name}).latex == latex


def test_a_long_sum_keeps_its_order_and_its_signs():
    r = reverse(record(lambda x: [c - x for c in range(3, 1003)][-1], x=1.0))
    paths = [f"ā{str(k).translate(figures.SUBSCRIPTS)}" for k in range(2, 1002)]
    written = rows_of(r).row(1).derivative.formula.text
    assert written == "−" + " − ".join(paths)
    assert "reverse mode" in repr(r) and "reverse mode" in r._repr_html_()


def test_a_formula_in_the_inputs_stays_short():
    def doubling(x):
        for _ in range(60):
            x = x * x
        return x

    rows = rows_of(reverse(record(doubling, 1.0)))
    assert rows.row(3).expanded.text == "x·x·x·x"
    assert max(len(row.expanded.text) for row in rows.rows) < 80
    assert rows.row(3).derivative.closed is None


def test_an_output_that_depends_on_nothing_shows_zeros():
    rows = rows_of(reverse(record(lambda x: (np.sin(x), 3.0)[1], 2.0)))
    assert derivatives(rows) == ["ā₁ = ā₂·cos a₁", "ā₂ = 0"]
    assert [row.derivative.value for row in rows.rows] == [0.0, 0.0]


# ---------------------------------------------------------------- parsed and evaluated

SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
TOKEN = re.compile(r"\d+\.?\d*(?:e−?\d+)?|[^\W\d²³¹⁰-⁹ᵀ][^\W²³¹⁰-⁹ᵀ]*|[²³¹⁰-⁹⁻]+|\S")
CALLED = {"σ": functions.logistic, "ReLU": functions.relu, "norm": np.linalg.norm}
LISTS = ("concatenate", "stack")


class Reader:
    """Evaluates a formula as a person would, with NumPy and without the primitives' rules."""

    def __init__(self, text, known):
        self.tokens, self.known = TOKEN.findall(text), known
        self.value = self.sum()
        assert not self.tokens, f"{text}: can't read {self.tokens}"

    def takes(self, *wanted):
        return self.tokens[:1] and self.tokens[0] in wanted and self.tokens.pop(0)

    def python(self, *ends):
        """The tokens up to a closing bracket or a comma, as Python."""
        taken, depth = "", 0
        while depth or self.tokens[0] not in ends:
            token = self.tokens.pop(0).replace("−", "-")
            depth += (token in "([") - (token in ")]")
            taken += token
        return eval(f"np.s_[{taken}]")

    def sum(self):
        x = self.product()
        while sign := self.takes("+", "−"):
            x = x + self.product() if sign == "+" else x - self.product()
        return x

    def product(self):
        if self.takes("−"):
            return -self.product()
        x = self.power()
        while sign := self.takes("·", "⊙", "/"):
            y = self.power()
            matrices = sign == "·" and np.ndim(x) and np.ndim(y)
            x = x / y if sign == "/" else x @ y if matrices else x * y
        return x

    def power(self):
        if self.takes("√"):
            return np.sqrt(self.atom())
        x = self.atom()
        if self.tokens and self.tokens[0][0] in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹":
            return x ** float(self.tokens.pop(0).translate(SUPERSCRIPTS))
        return x ** self.atom() if self.takes("^") else x

    def atom(self):
        x = self.first()
        while sign := self.takes("ᵀ", "["):
            if sign == "ᵀ":
                x = np.transpose(x)
            else:
                x = x[self.python("]")]
                assert self.takes("]")
        return x

    def first(self):
        token = self.tokens.pop(0)
        if token == "[":
            x = [self.sum()]
            if self.takes(">"):
                x = np.greater(x[0], self.sum()) * 1.0
            while self.takes(","):
                x.append(self.sum())
            assert self.takes("]")
            return np.array(x)
        if token in "(|‖":
            x = self.sum()
            assert self.takes({"(": ")"}.get(token, token))
            return {"(": lambda x: x, "|": np.abs, "‖": np.linalg.norm}[token](x)
        if token in self.known:
            return self.known[token]
        if token[0].isdigit():
            return float(token.replace("−", "-"))
        return self.call(token) if token not in ("True", "False") else token == "True"

    def call(self, name):
        f = (
            CALLED.get(name)
            or getattr(functions, name, None)
            or getattr(np, name, None)
        )
        if not self.takes("("):
            return f(self.atom())
        operands, named = [], {}
        while not self.takes(")"):
            if self.tokens[1] == "=":
                key, _ = self.tokens.pop(0), self.tokens.pop(0)
                brackets = key == "index" and self.takes("[")
                named[key] = self.python("]" if brackets else ",", ")")
                assert not brackets or self.takes("]")
            else:
                operands.append(self.sum())
            self.takes(",")
        f = f or PRIMITIVES[name].value
        return f(operands, **named) if name in LISTS else f(*operands, **named)


def check(shown, known, value):
    """The text evaluates to the value; LaTeX has balanced braces."""
    assert shown.latex.count("{") == shown.latex.count("}")
    assert shown.latex.count(r"\left") == shown.latex.count(r"\right")
    if "constant[" in shown.text:
        return
    # A sum's derivative is the same for all its operands.
    found = np.broadcast_to(Reader(shown.text, known).value, np.shape(value))
    # Numbers have four digits: 2/√π in the rule of erf.
    rounded = 5e-4 if re.search(r"\d\.\d{3}", shown.text) else 1e-9
    np.testing.assert_allclose(found, value, rounded, 1e-12, err_msg=shown.text)


def check_pass(r):
    """Check all formulas of a pass, given the number for each label and name."""
    rows, shown = r.trace.rows, rows_of(r).rows
    known = {name: rows[k][1] for k, name in r.trace.names.items()}
    known |= {one.label.text: row[1] for one, row in zip(shown, rows, strict=True)}
    known |= {one.derivative.label.text: r[one.index] for one in shown}
    known["seed"] = r.seeds[0][1]
    known = {name: np.asarray(x) for name, x in known.items()}
    if not all(np.isfinite(x).all() for x in known.values()):
        return 0
    # The arguments that `*xs` took.
    known["xs"] = [np.asarray(rows[k][1]) for k in r.trace.inputs]
    trees = recorded.terms_of(r, range(len(rows)))
    for k, (one, row) in enumerate(zip(shown, rows, strict=True)):
        d = one.derivative
        check(one.formula, known, row[1])
        check(one.expanded, known, row[1])
        check(d.formula, known, r[k + 1])
        check(d.closed or d.formula, known, r[k + 1])
        ran = r.terms(k + 1)
        for term, was, (*_, tree) in zip(d.terms, ran, trees[k], strict=True):
            assert (term.node, term.operand) == (was.node, was.operand)
            check(term.formula, known, tree.value)
            if term.value is not None:
                np.testing.assert_allclose(term.value, was.derivative, 1e-13)
    return len(shown)


def passes_of(trace):
    """Reverse mode from the last row, and forward mode from each input."""

    def seed(k):
        x = trace.rows[k][1]
        return (
            np.linspace(-1, 2, np.size(x)).reshape(np.shape(x)) if np.ndim(x) else 1.5
        )

    last = len(trace) - 1
    forwards = [forward(trace, k + 1, seed=seed(k)) for k in trace.inputs]
    return [reverse(trace, of=last + 1, seed=seed(last)), *forwards]


def traces_of(primitive):
    """A primitive applied to its examples, all operands inputs."""
    for operands, parameters in primitive.examples:

        def f(*xs, parameters=parameters):
            return apply(primitive, xs, dict(parameters) or None)

        yield record(f, *operands)


UNARY = [np.sin, np.cos, np.exp, np.tanh, np.log, np.sqrt, np.abs, np.negative]
UNARY += [functions.logistic, np.square, lambda x: x**3, lambda x: x**-1.0]
BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
CONSTANTS = (0.5, 2.0, -1.5, 3.0, -1.0, 1.00001)


def random_function(seed):
    """A function of three numbers, the same for the same seed."""

    def f(u, v, w):
        draw = random.Random(seed)
        values = [u, v, w]
        for _ in range(draw.randint(1, 7)):
            x, y = draw.choice(values), draw.choice([*values, draw.choice(CONSTANTS)])
            f, g = draw.choice(UNARY), draw.choice(BINARY)
            if g is not operator.pow and draw.random() < 0.5:
                x, y = y, x
            values.append(f(x) if draw.random() < 0.4 else g(x, y))
        return values[-1] * u

    return f


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_formulas_of_random_functions_read_back_give_their_values():
    """With the long profile of 400."""
    read, count = 0, 400 if settings().max_examples > 1000 else 100
    for seed in range(count):
        trace = record(random_function(seed), 0.7, 1.3, -0.4)
        read += check_pass(reverse(trace)) + check_pass(forward(trace, wrt="v"))
    assert read > 5 * count


@pytest.mark.parametrize("name", PRIMITIVES)
def test_formulas_of_every_primitive_read_back_give_their_values(name):
    for trace in traces_of(PRIMITIVES[name]):
        assert all(map(check_pass, passes_of(trace)))


# ---------------------------------------------------------------- masks and labels


def test_masks_and_labels_are_printed_as_what_they_come_from():
    X, y = np.arange(15.0).reshape(5, 3) / 7 - 1, np.array([0, 2, 1, 1, 0])

    def f(U, y):
        h = np.where((U > 0) & (U < 1), U, 0.1 * U)
        picked = h[np.arange(5), y] * (y == 1)
        return np.sum(picked) + np.sum(h[np.argsort(y)])

    shown = rows_of(reverse(record(f, X, y)))
    written = " ".join(row.formula.text for row in shown.rows)
    for text in (
        "where((a₁ > 0) and (a₁ < 1), a₁, a₂)", "a₃[[0, 1, …, 4], y]", "⊙(y = 1)",
        "a₃[argsort(y)]",
    ):  # fmt: skip
        assert text in written
    adjoints = [row.derivative.formula for row in shown.rows if row.derivative]
    assert "where((a₁ > 0) and (a₁ < 1), ā₃, 0)" in adjoints[0].text
    assert r"\left(a_1 \gt 0\right) \wedge" in adjoints[0].latex
    assert not any("constant" in adjoint.text for adjoint in adjoints)
    page = str(program_of(record(f, X, y)))
    assert "(a₁ > 0) and" in page and "constant[" not in page

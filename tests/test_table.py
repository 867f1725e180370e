"""Tables: exactly the slides' own, in HTML that untrusted notebooks display."""

import html
import re
import subprocess
import sys

import numpy as np

from comp551ad import forward, record, reverse
from comp551ad.show import rows_of, table_html, table_text

EVALUATION = """\
model: 7 nodes

in the inputs         evaluation     value
───────────────────   ────────────   ───────
w0                    a₁ = w0        0.5
w1                    a₂ = w1        2
x                     a₃ = x         1
w1·x                  a₄ = a₂·a₃     2
a = w1·x + w0         a₅ = a₄ + a₁   2.5
y1 = sin(w1·x + w0)   a₆ = sin a₅    0.5985
y2 = cos(w1·x + w0)   a₇ = cos a₅    −0.8011"""

FORWARD = """\
model, forward mode: derivatives with respect to w1

in the inputs         evaluation     value     partial derivatives (tangents)   value
───────────────────   ────────────   ───────   ──────────────────────────────   ───────────────────────────
w0                    a₁ = w0        0.5       ȧ₁ = 0                           0
w1                    a₂ = w1        2         ȧ₂ = 1                           1
x                     a₃ = x         1         ȧ₃ = 0                           0
w1·x                  a₄ = a₂·a₃     2         ȧ₄ = a₃·ȧ₂ + a₂·ȧ₃               x = 1
a = w1·x + w0         a₅ = a₄ + a₁   2.5       ȧ₅ = ȧ₄ + ȧ₁                     x = 1
y1 = sin(w1·x + w0)   a₆ = sin a₅    0.5985    ȧ₆ = ȧ₅·cos a₅                   x·cos(w1·x + w0) = −0.8011
y2 = cos(w1·x + w0)   a₇ = cos a₅    −0.8011   ȧ₇ = −ȧ₅·sin a₅                  −x·sin(w1·x + w0) = −0.5985"""  # noqa: E501

REVERSE = """\
model, reverse mode: derivatives of y2; adjoints from the bottom up

in the inputs         evaluation     value     partial derivatives (adjoints)   value
───────────────────   ────────────   ───────   ──────────────────────────────   ───────────────────────────
w0                    a₁ = w0        0.5       ā₁ = ā₅                          −sin(w1·x + w0) = −0.5985
w1                    a₂ = w1        2         ā₂ = a₃·ā₄                       −x·sin(w1·x + w0) = −0.5985
x                     a₃ = x         1         ā₃ = a₂·ā₄                       −w1·sin(w1·x + w0) = −1.197
w1·x                  a₄ = a₂·a₃     2         ā₄ = ā₅                          −sin(w1·x + w0) = −0.5985
a = w1·x + w0         a₅ = a₄ + a₁   2.5       ā₅ = ā₆·cos a₅ − ā₇·sin a₅       −sin(w1·x + w0) = −0.5985
y1 = sin(w1·x + w0)   a₆ = sin a₅    0.5985    ā₆ = 0                           0
y2 = cos(w1·x + w0)   a₇ = cos a₅    −0.8011   ā₇ = 1                           1"""  # noqa: E501


def test_the_tables_of_the_deck(deck):
    assert table_text(rows_of(deck)) == EVALUATION
    assert table_text(rows_of(forward(deck, wrt="w1"))) == FORWARD
    assert table_text(rows_of(reverse(deck, of="y2"))) == REVERSE


def test_arrays_show_their_shape_and_range():
    t = record(
        lambda A, b: A @ b, np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, 0.25])
    )
    assert table_text(rows_of(t)).splitlines()[4:] == [
        "A               a₁ = A       2×2, 1 … 4",
        "b               a₂ = b       [0.5, 0.25]",
        "A·b             a₃ = a₁·a₂   [1, 2.5]",
    ]


def cells(markup):
    """The text of each cell, line by line."""
    lines = re.findall("<tr>(.*?)</tr>", markup, re.DOTALL)
    found = (re.findall("<t[hd][^>]*>(.*?)</t[hd]>", line) for line in lines)
    return [list(map(html.unescape, line)) for line in found]


def test_html_says_the_same_in_plain_tags(deck):
    markup = table_html(rows_of(reverse(deck, of="y2")))
    plain = set("table caption thead tbody tr th td".split())
    assert set(re.findall(r"</?(\w+)", markup)) == plain
    assert set(re.findall(r" ([\w-]+)=", markup)) == {"style", "scope"}
    heads, rule, *lines = REVERSE.splitlines()[2:]
    shown = [re.split(" {3,}", line) for line in (heads, *lines)]
    assert cells(markup) == shown


def test_names_from_the_user_are_escaped():
    def attack(p):
        return p["<img src=x onerror=alert(1)>"] * 2.0

    attack.__name__ = "<script>"
    t = record(attack, {"<img src=x onerror=alert(1)>": 2.0})
    for names in ("labels", "names"):
        text = table_html(rows_of(reverse(t), names=names))
        assert "<img" not in text and "<script" not in text
        assert "&lt;img" in text and "&lt;script&gt;" in text


def test_columns_align_also_under_marks():
    t = record(lambda w, x: w * x * w, 2.0, 3.0)  # w̄ and x̄ are two characters each
    assert table_text(rows_of(reverse(t), names="names")).splitlines()[4:] == [
        "w               w            2       w̄ = x·ā₃ + a₃·ā₄                 x·w + w·x = 12",
        "x               x            3       x̄ = w·ā₃                         w·w = 4",
        "w·x             a₃ = w·x     6       ā₃ = w·ā₄                        w = 2",
        "w·x·w           a₄ = a₃·w    12      ā₄ = 1                           1",
    ]


def test_a_long_trace_shows_that_rows_are_missing():
    def chain(x):
        for _ in range(5000):
            x = np.sin(x)
        return x

    trace = record(chain, 1.0)
    rows = rows_of(trace)
    lines = table_text(rows).splitlines()
    assert lines[0] == "chain: 5001 nodes; 4881 rows left out"
    assert [k for k, line in enumerate(lines) if line.startswith("…")] == [64]
    assert "   a₆₀ = sin a₅₉   " in lines[63]
    assert max(map(len, lines)) < 100
    assert len(cells(table_html(rows))) == 122
    (*_, last, _) = rows_of(reverse(trace)).rows
    assert last.derivative.equation.text == "ā₅₀₀₀ = ā₅₀₀₁·cos a₅₀₀₀"


def test_a_formula_too_wide_for_a_column_is_folded_below_the_table():
    def f(Z):
        return np.sum(np.exp(Z) / sum(np.exp(Z)))

    text = table_html(reverse(record(f, np.ones((10, 5)))))
    cells = [
        re.sub("<[^>]+>", "", cell) for cell in re.findall("<td[^>]*>(.*?)</td>", text)
    ]
    assert max(map(len, cells)) <= 80 and "ā₃ = 10 terms" in cells
    assert text.split("</table>")[1].count("index=[9]") == 1


def test_nothing_that_draws_is_imported_before_something_is_drawn():
    code = (
        "import comp551ad, sys; t = comp551ad.record(lambda x: x * x, 3.0); print(t);"
        "comp551ad.ReverseStepper(t);"
        "print(sorted({'matplotlib', 'ipywidgets', 'IPython'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.splitlines()[-2:] == ["x·x             a₂ = a₁·a₁   9", "[]"]

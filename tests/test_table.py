"""Tables: the slides' own, to the letter, and what untrusted notebooks can bear."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np

from comp551ad import forward, record, reverse
from comp551ad.show import graph, rows_of, table_html, table_text

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


def test_what_is_recorded_shows_itself(deck, monkeypatch):
    assert repr(deck) == EVALUATION
    assert repr(forward(deck, wrt="w1")) == FORWARD
    drawn = []
    monkeypatch.setattr(
        graph, "graph_html", lambda rows: drawn.append(rows.mode) or "<b>graph</b>"
    )
    shown = [
        x._repr_html_() for x in (deck, forward(deck, wrt="w1"), reverse(deck, "y2"))
    ]
    assert drawn == ["values", "forward", "reverse"]
    assert all(x.startswith("<b>graph</b>") and "<table" in x for x in shown)


def test_arrays_show_their_shape_and_range():
    t = record(
        lambda A, b: A @ b, np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, 0.25])
    )
    assert table_text(rows_of(t)).splitlines()[4:] == [
        "A               a₁ = A       2×2, 1 … 4",
        "b               a₂ = b       [0.5, 0.25]",
        "A·b             a₃ = a₁·a₂   [1, 2.5]",
    ]


class Reader(HTMLParser):
    """The cells of a table, and every tag and attribute that it is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.lines, self.inside = set(), set(), [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "tr":
            self.lines.append([])
        if tag in ("td", "th"):
            self.lines[-1].append("")
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data):
        if self.inside:
            self.lines[-1][-1] += data


def test_html_says_the_same_in_plain_tags(deck):
    reader = Reader(table_html(rows_of(reverse(deck, of="y2"))))
    assert reader.tags <= set("table caption thead tbody tr th td".split())
    assert reader.attributes == {"style", "scope"}
    assert reader.lines[0] == [
        "in the inputs",
        "evaluation",
        "value",
        "partial derivatives (adjoints)",
        "value",
    ]
    assert reader.lines[5] == [
        "a = w1·x + w0",
        "a₅ = a₄ + a₁",
        "2.5",
        "ā₅ = ā₆·cos a₅ − ā₇·sin a₅",
        "−sin(w1·x + w0) = −0.5985",
    ]
    assert len(reader.lines) == 8


def test_names_from_the_user_are_escaped():
    def attack(p):
        return p["<img src=x onerror=alert(1)>"] * 2.0

    attack.__name__ = "<script>"
    t = record(attack, {"<img src=x onerror=alert(1)>": 2.0})
    for names in ("labels", "names"):
        text = table_html(rows_of(reverse(t), names=names))
        reader = Reader(text)
        assert not reader.tags & {"img", "script"}
        assert "&lt;img" in text and "&lt;script&gt;" in text


def test_columns_align_also_under_marks():
    t = record(lambda w, x: w * x * w, 2.0, 3.0)  # w̄ and x̄ are two characters each
    assert table_text(rows_of(reverse(t), names="names")).splitlines()[4:] == [
        "w               w = w        2       w̄ = x·ā₃ + a₃·ā₄                 x·w + w·x = 12",
        "x               x = x        3       x̄ = w·ā₃                         w·w = 4",
        "w·x             a₃ = w·x     6       ā₃ = w·ā₄                        w = 2",
        "w·x·w           a₄ = a₃·w    12      ā₄ = 1                           1",
    ]


def test_a_long_trace_shows_that_rows_are_missing():
    def chain(x):
        for _ in range(500):
            x = np.sin(x)
        return x

    rows = rows_of(record(chain, 1.0))
    lines = table_text(rows).splitlines()
    assert lines[0] == "chain: 501 nodes; 381 rows left out"
    assert [k for k, line in enumerate(lines) if line.startswith("…")] == [64]
    assert lines[63].split("   ")[-2].strip() == "a₆₀ = sin a₅₉"
    assert max(map(len, lines)) < 100
    assert len(Reader(table_html(rows)).lines) == 122


def test_a_formula_too_wide_for_a_column_is_folded():
    def f(Z):
        return np.sum(np.exp(Z) / sum(np.exp(Z)))

    text = table_html(reverse(record(f, np.ones((10, 5)))))
    cells = re.findall("<td[^>]*>(.*?)</td>", text)
    folded = [cell for cell in cells if len(cell) > 80]
    assert len(folded) == 1 and "index=[9]" in folded[0]
    for cell in folded:
        (summary,) = re.findall("<details[^>]*><summary>(.*?)…</summary>", cell)
        assert len(summary) < 80 and cell.count(summary) == 2


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

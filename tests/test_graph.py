"""The computational graph as a picture, and as text."""

import base64
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from comp551ad import forward, record, reverse
from comp551ad.show import graph, palette
from comp551ad.show.rows import rows_of

SVG = "{http://www.w3.org/2000/svg}"


def parts(svg, kind):
    """The texts in each part of the drawing with this class, by the part's id."""
    root = ElementTree.fromstring(svg)
    return {
        part.get("id"): ["".join(text.itertext()) for text in part.iter(f"{SVG}text")]
        for part in root
        if kind in (part.get("class") or "").split()
    }


def picture_in(markup):
    (data,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', markup)
    return base64.b64decode(data).decode()


# ---------------------------------------------------------------- what is drawn (S14)


def test_nodes_of_the_slide_with_values_and_adjoints(deck):
    svg = graph.graph_svg(rows_of(reverse(deck, of="y2")))
    assert parts(svg, "node") == {
        "a1": ["a₁ w0", "0.5", "ā₁ = −0.5985"],
        "a2": ["a₂ w1", "2", "ā₂ = −0.5985"],
        "a3": ["a₃ x", "1", "ā₃ = −1.197"],
        "a4": ["×", "a₄", "2", "ā₄ = −0.5985"],
        "a5": ["+", "a₅ a", "2.5", "ā₅ = −0.5985"],
        "a6": ["sin", "a₆ y1", "0.5985", "ā₆ = 0"],
        "a7": ["cos", "a₇ y2", "−0.8011", "ā₇ = 1"],
    }
    assert set(parts(svg, "edge")) == {
        *("a2-a4-0", "a3-a4-1", "a4-a5-0", "a1-a5-1", "a5-a6-0", "a5-a7-0")
    }


def test_forward_mode_shows_tangents_and_a_bare_trace_none(deck):
    forwards = parts(graph.graph_svg(forward(deck, "w1")), "node")["a7"]
    assert forwards == ["cos", "a₇ y2", "−0.8011", "ȧ₇ = −0.5985"]
    assert parts(graph.graph_svg(deck), "node")["a7"] == forwards[:-1]


def test_both_edges_of_a_square_written_as_a_product_are_drawn():
    svg = graph.graph_svg(record(lambda x: x * x, 3.0))
    assert set(parts(svg, "edge")) == {"a1-a2-0", "a1-a2-1"}
    lines = re.findall(r'class="line" d="([^"]+)"', svg)
    assert len(set(lines)) == 2


def test_an_array_is_shown_by_its_shape():
    t = record(lambda X, V: np.tanh(X @ V), np.eye(30, 4), np.eye(4, 20))
    seed = np.linspace(0.1234, 1, 600).reshape(30, 20)
    node = parts(graph.graph_svg(reverse(t, seed=seed)), "node")["a3"]
    assert node == ["×", "a₃", "30×20, 0 … 1", "ā₃ = 30×20"]


# ---------------------------------------------------------------- states


def test_a_state_shows_in_class_colour_border_and_word(deck):
    rows = rows_of(deck)
    states = dict(zip((4, 5, 6, 7), graph.STATES, strict=True))
    shown = [replace(row, state=states.get(row.index, "")) for row in rows.rows]
    svg = graph.graph_svg(replace(rows, rows=tuple(shown)))
    rules = dict(re.findall(r"\.(\w+) \.card {([^}]*)}", svg))
    borders = set()
    for index, state in states.items():
        assert f'<g id="a{index}" class="node {state}">' in svg
        assert graph.STATES[state] in parts(svg, "node")[f"a{index}"]
        assert f"fill: {getattr(palette, f'{state.upper()}_FILL')}" in rules[state]
        borders.add(re.sub(r"(fill|stroke): \S+", "", rules[state]))
    assert len(borders) == 4


# ---------------------------------------------------------------- labels


def test_labels_are_escaped_and_odd_characters_boxed():
    names = ["<script>alert(1)</script>", 'a"b&c', "bell\x07", "a name far too long"]
    t = record(lambda p: sum(p.values()), {name: 1.0 for name in names})
    markup = graph.graph_html(reverse(t))
    assert "<script" not in markup
    svg = picture_in(markup)
    assert "<script" not in svg
    names = [texts[0] for texts in parts(svg, "node").values()][:4]  # and it is XML
    assert names[0].startswith("a₁ ") and names[0].endswith("…")
    assert any('a"b&c' in name for name in names)
    assert not any("\x07" in name for name in names)
    assert all(len(name) < 22 for name in names)


# ---------------------------------------------------------------- HTML


def test_html_is_one_picture_on_light_paper_that_an_untrusted_notebook_shows(deck):
    markup = graph.graph_html(deck, alt='the "model" & more')
    assert re.fullmatch(r"<img [^<>]*>", markup)
    assert 'alt="the &quot;model&quot; &amp; more"' in markup
    assert "max-width:100%" in markup
    svg = picture_in(markup)
    assert svg == graph.graph_svg(deck)
    root = ElementTree.fromstring(svg)
    paper = root.find(f"{SVG}rect")
    assert paper.get("fill") == palette.PAPER
    size = [paper.get(k) for k in ("width", "height")]
    assert size == root.get("viewBox").split()[2:]


def test_alternative_text_says_what_the_picture_shows(deck):
    rows = rows_of(reverse(deck, of="y2"))
    alt = graph.alt_of(rows)
    assert alt.startswith("Computational graph of model")
    assert "the derivatives of y2" in alt
    assert "ā₅ = ā₆·cos a₅ − ā₇·sin a₅ = −0.5985" in alt
    assert f'alt="{alt}"' in graph.graph_html(rows)
    assert graph.graph_text(rows) == alt


def chain(length):
    def f(x):
        for _ in range(length - 1):
            x = np.sin(x)
        return x

    return record(f, 1.0)


@pytest.mark.parametrize("length", [61, 200])
def test_a_graph_too_large_to_read_is_a_sentence(length):
    assert "<img" in graph.graph_html(chain(60))
    assert len(graph.alt_of(rows_of(chain(60)))) < 300
    t = chain(length)
    sentence = f"has {length} nodes, too many to draw"
    assert sentence in graph.graph_html(t) and "<img" not in graph.graph_html(t)
    assert sentence in graph.graph_text(t)
    with pytest.raises(ValueError, match=sentence):
        graph.graph_svg(t)

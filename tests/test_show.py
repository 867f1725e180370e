"""A trace's display as the last line of a cell, and how to show one part of it."""

import re

import numpy as np
import pytest

from comp551ad import forward, graph_view, record, reverse, table_view


def model(w, x):
    y = np.sin(w * x)
    return y


TRACE = record(model, w=2.0, x=1.5)


@pytest.mark.parametrize("shown", [TRACE, forward(TRACE, wrt="w"), reverse(TRACE)])
def test_a_trace_shows_its_graph_and_table(shown):
    graph, table = graph_view(shown), table_view(shown)
    assert shown._repr_html_() == f"{graph._repr_html_()}\n{table._repr_html_()}"
    assert repr(shown) == repr(table)
    assert "<table" in table._repr_html_() and "<img" not in table._repr_html_()
    assert "<img" in graph._repr_html_() and "<table" not in graph._repr_html_()
    assert "sin" in repr(graph) and repr(graph) != repr(table)


def test_a_graph_may_be_narrow():
    html = graph_view(TRACE, width=300)._repr_html_()
    assert re.fullmatch(r'<div style="max-width:300px"><img .*></div>', html)

"""Witnesses side by side: all columns and their largest difference, which is never hidden."""

import numpy as np
import pytest

from comp551ad import side_by_side

MATRIX = np.arange(12.0).reshape(3, 4)


def test_small_arrays_and_numbers_are_shown_entry_by_entry():
    shown = side_by_side(
        by_rule={"a4": 3.0, "V": [0.5, -1.25]}, measured={"V": [0.5, 2], "a4": 3}
    )
    assert str(shown).splitlines() == [
        "       by rule   measured",
        "────   ───────   ────────",
        "a4           3          3",
        "V[0]       0.5        0.5",
        "V[1]     −1.25          2",
        "largest difference: 1.1 of the largest number",
    ]
    assert shown.difference == 3.25 / 3


def test_of_a_larger_array_the_largest_entries_are_shown():
    lines = str(side_by_side(a=MATRIX, b=MATRIX)).splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["[1,", "[1,"]
    assert lines[-2].split() == ["6", "more", "…", "…"]


@pytest.mark.parametrize(
    ("moved", "expected"),
    [(0.0, "below 1e-13"), (1e-10, "below 1e-06"), (1e-7, "below 1e-06"), (1e-3, "below 0.001"),
     (0.11, "0.01 of"), (np.nan, "nan of")],
)  # fmt: skip
def test_the_distance_is_that_of_the_worst_entry_in_any_column(moved, expected):
    other = MATRIX.copy()
    other[0, 0] += moved
    shown = side_by_side(by_hand=MATRIX, by_machine=MATRIX, by_differences=other)
    assert f"largest difference: {expected}" in str(shown)


def test_rounding_is_shown_as_0_and_chooses_no_entry():
    dust = np.full(8, 1e-17) * np.arange(8)
    lines = str(side_by_side(a=[1.0, dust], b=[1.0, -dust])).splitlines()
    assert [line.split() for line in lines[3:5]] == [
        ["[1][0]", "0", "0"],
        ["[1][1]", "0", "0"],
    ]
    assert "below 1e-13" in lines[-1]


def test_html_escapes_names_and_has_every_cell():
    html = side_by_side(a={"<b>": 1.0}, b={"<b>": 2.0})._repr_html_()
    assert "&lt;b&gt;" in html and "<b>" not in html
    assert html.count("<td") == 3 and "1 of the largest number" in html


def test_columns_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="found: got 1 column"):
        side_by_side(by_hand=1.0)
    with pytest.raises(
        ValueError, match="b: got tuple of 2, expected one leaf as a has"
    ):
        side_by_side(a=1.0, b=(1.0, 2.0))
    with pytest.raises(ValueError, match=r"b: got shape \(3,\), expected \(2,\) as a"):
        side_by_side(a=np.ones(2), b=np.ones(3))

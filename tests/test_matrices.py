"""Arrays as heat maps and rows of matrices."""

import base64
import io
import re
import struct

import matplotlib.image
import numpy as np
import pytest

from comp551ad.show import palette
from comp551ad.show.matrices import MOST_SHOWN, heat_map, matrices_html, matrix_of


def pixels(png):
    """A PNG as colours, read by somebody else."""
    read = matplotlib.image.imread(io.BytesIO(png))[..., :3]
    return np.rint(255 * read).astype(int)


def colour(name):
    return [int(name[k : k + 2], 16) for k in (1, 3, 5)]


def test_levels_are_signed_square_roots_on_the_arrays_own_scale():
    x = np.array([[-4.0, -1.0, 0.0], [0.25, 1.0, 4.0]])
    assert matrix_of(x).levels == ("024", "568")
    assert matrix_of(1000 * x).levels == ("024", "568")
    assert matrix_of(np.zeros((2, 2))).levels == ("44", "44")
    assert matrix_of([np.inf, np.nan, -1.0]).levels == ("840",)


def test_a_heat_map_has_a_cell_an_entry_in_the_colour_of_its_level():
    shown = pixels(heat_map(("048", "444"), cell=9))
    assert shown.shape == (2 * 9 + 1, 3 * 9 + 1, 3)
    for j, level in enumerate((0, 4, 8)):
        assert list(shown[2, 9 * j + 2]) == colour(palette.HEAT[level])
    assert list(shown[0, 5]) == list(shown[9, 5]) == colour(palette.GRID)


def test_a_negative_entry_has_a_dot_so_that_colour_is_not_all():
    shown = pixels(heat_map(("0345",), cell=9))
    ink = (shown == colour(palette.INK)).all(axis=2)
    assert [ink[:, 9 * j : 9 * j + 9].any() for j in range(4)] == [
        *(True, True, False, False)
    ]


def test_a_heat_map_is_a_png_of_few_bytes():
    random = np.random.default_rng(0).normal(size=(24, 24))
    png = heat_map(matrix_of(random).levels, cell=7)
    assert png.startswith(b"\x89PNG\r\n\x1a\n") and len(png) < 3000
    assert struct.unpack(">II", png[16:24]) == (169, 169)


def test_a_large_array_shows_its_first_entries_and_says_so():
    m = matrix_of(np.ones((150, 30)), "X")
    assert (len(m.levels), len(m.levels[0])) == (MOST_SHOWN, MOST_SHOWN)
    assert m.cut == "first 24 of 150 rows, first 24 of 30 columns"
    assert (m.shape, m.summary) == ("150×30", "all 1")
    shown = matrices_html([m])
    assert m.cut in shown and 'alt="heat map of X, 150×30: all 1"' in shown


def test_a_few_entries_are_shown_as_numbers():
    shown = matrices_html([matrix_of([[1.0, -0.5]], "y")])
    assert "<img" not in shown
    assert re.findall(r">([^<]+)</span>", shown)[:2] == ["1", "−0.5"]
    assert palette.HEAT[8] in shown


@pytest.mark.parametrize(
    "x, shape", [(np.zeros((0, 3)), "0×3"), (np.zeros(0), "0 entries")]
)
def test_an_empty_array_shows_its_shape(x, shape):
    assert shape in matrices_html([matrix_of(x, "e")])


def test_more_than_two_axes_are_laid_out_as_rows():
    m = matrix_of(np.ones((2, 3, 5)))
    assert (m.shape, len(m.levels), len(m.levels[0])) == ("2×3×5", 6, 5)


def test_a_number_is_shown_as_one():
    shown = matrices_html([matrix_of(2.5, "a", "="), matrix_of(0.5, "0.5", "·")])
    assert "a = 2.5" in shown and "0.5 = 0.5" not in shown


@pytest.mark.parametrize("x", [1j, [1, 2j], np.eye(2, dtype=complex)])
def test_no_half_of_a_complex_number_is_lost(x):
    with pytest.raises(TypeError, match="x: got complex numbers, expected real ones"):
        matrix_of(x)


def test_labels_and_signs_are_escaped():
    shown = matrices_html([matrix_of(np.eye(9), "<b>", "<")])
    assert "<b><" not in shown and "&lt;b&gt;" in shown


def test_ink_can_be_read_on_every_level():
    def light(name):
        parts = [v / 255 for v in colour(name)]
        parts = [
            v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts
        ]
        return np.dot(parts, [0.2126, 0.7152, 0.0722])

    ink = light(palette.INK) + 0.05
    assert min((light(level) + 0.05) / ink for level in palette.HEAT) > 4.5


def test_pictures_are_shown_in_an_untrusted_notebook():
    """That is, they are images with their data in them, and styles stand on elements."""
    shown = matrices_html([matrix_of(np.eye(9), "I")])
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', shown)
    assert base64.b64decode(data) == heat_map(matrix_of(np.eye(9)).levels, 18)
    assert "<svg" not in shown and "<style" not in shown

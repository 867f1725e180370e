"""One palette for the course: plain constants, for everything in ``show`` to read.

The hues are those of Okabe and Ito (2008, "Color Universal Design"), which stay apart
for readers with any of the common kinds of colour blindness. A colour is never the only
sign: nodes also differ in border, classes in marker, lines in dash.

Text is on PAPER, or in INK on a fill; both have a contrast of
4.5 : 1 or more (WCAG 2.2, AA), which the tests compute.
"""

# Okabe and Ito's eight, for areas, lines and markers.
BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"

# Text, paper and lines that carry no meaning of their own.
INK = "#1A1A1A"
PAPER = "#FFFFFF"
# Text that matters less.
MUTED = "#5F5F5F"
GRID = "#D9D9D9"

# Nodes of a graph, by the state they are in while a pass runs.
WAITING_FILL, WAITING_EDGE, WAITING_TEXT = "#FFFFFF", "#767676", "#5F5F5F"
CURRENT_FILL, CURRENT_EDGE = "#FBD98A", "#B35000"
DONE_FILL, DONE_EDGE = "#CFE8F8", "#0072B2"
DISCARDABLE_FILL, DISCARDABLE_EDGE, DISCARDABLE_TEXT = "#E8E8E8", "#767676", "#5A5A5A"

# Edges: the one that carries a message now, and the others. The text of a message has the
# same hue, dark enough to be read on PAPER.
MESSAGE_EDGE = "#D55E00"
MESSAGE_TEXT = "#A84800"
EDGE = "#767676"

# The hues as text on PAPER.
TEXT_BLUE = "#00639C"
TEXT_VERMILLION = "#A84800"

# Classes 0, 1, 2, …: a hue for points, a pale one for regions, a marker (matplotlib's).
CLASSES = (BLUE, ORANGE, GREEN, PURPLE, SKY_BLUE, VERMILLION, YELLOW, BLACK)
CLASS_REGIONS = (
    "#C7E0F1",
    "#FCE6B8",
    "#BFE6DA",
    "#F2DAE7",
    "#D9EEFA",
    "#F6D3BD",
    "#FBF7CC",
    "#DDDDDD",
)
CLASS_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

# Lines of a plot, in order: a hue and a dash.
LINES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE)
LINE_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))

# Entries of a matrix, from the most negative over zero to the most positive; they carry INK.
HEAT = (
    "#56B4E9",
    "#80C7EE",
    "#AADAF4",
    "#D5ECFA",
    "#FFFFFF",
    "#F9E7BF",
    "#F2CF80",
    "#ECB740",
    "#E69F00",
)

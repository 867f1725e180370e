"""The course's palette: constants that all of ``show`` uses.

The hues are those of Okabe and Ito (2008, "Color Universal Design"), which readers with any of
the common kinds of colour blindness can tell apart. Colour is never the only distinction: nodes
also differ in border, classes in marker, lines in dash.

Text is on PAPER, or in INK on a fill; both have a contrast of at least 4.5:1 (WCAG 2.2, AA),
which the tests compute.
"""

# Okabe and Ito's eight colours, for areas, lines and markers.
BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"

# Text, background and neutral lines.
INK = "#1A1A1A"
PAPER = "#FFFFFF"
# Secondary text.
MUTED = "#5F5F5F"
GRID = "#D9D9D9"

# Nodes of a graph, by their state during a pass.
WAITING_FILL, WAITING_EDGE, WAITING_TEXT = "#FFFFFF", "#767676", "#5F5F5F"
CURRENT_FILL, CURRENT_EDGE = "#FBD98A", "#B35000"
DONE_FILL, DONE_EDGE = "#CFE8F8", "#0072B2"
DISCARDABLE_FILL, DISCARDABLE_EDGE, DISCARDABLE_TEXT = "#E8E8E8", "#767676", "#5A5A5A"

# Edges that carry a message at this step, and the others. A message's text has the same hue,
# dark enough to read on PAPER.
MESSAGE_EDGE = "#D55E00"
MESSAGE_TEXT = "#A84800"
EDGE = "#767676"

# The hues as text on PAPER.
TEXT_BLUE = "#00639C"
TEXT_VERMILLION = "#A84800"

# Classes 0, 1, 2, …: a hue for points, a pale one for regions, a matplotlib marker.
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

# Lines of a plot: a hue and a dash each.
LINES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE)
LINE_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))

# Entries of a matrix, from most negative through zero to most positive; text on them is in INK.
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

"""Witness one: gradients worked out by hand, in plain NumPy, as the deck derives them.

Reads `comp551ad.functions` only, and never `comp551ad.autodiff`: the two witnesses meet
in notebooks and tests, where they must agree.
"""

"""Witness one: gradients worked out by hand, in plain NumPy, as the deck derives them.

Reads ``functions`` and ``shapes``, and never ``autodiff``: the two witnesses meet in notebooks
and tests, where they must agree.
"""

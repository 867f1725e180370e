"""Witness one: gradients worked out by hand, in plain NumPy, as the deck derives them.

It never imports ``autodiff``: the two witnesses meet in notebooks and tests, where they must agree.
"""

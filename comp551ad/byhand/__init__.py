"""Witness one: gradients derived by hand, in plain NumPy, as in the deck.

It never imports ``autodiff``: the two witnesses meet in notebooks and tests, where they must agree.
"""

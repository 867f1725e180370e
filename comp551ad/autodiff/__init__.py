"""Witness two: gradients by machine. It never imports ``byhand``.

Read in this order: ``tape`` (how a function is recorded), ``passes`` (the two loops),
``transforms`` (grad, vjp, jvp), the first 300 lines of ``primitives`` (an entry, and how it is
made). Beside the path: ``jacobians``, ``numpy_protocols``, ``composites`` and ``refusals`` (what
NumPy code may say), ``trace`` (the recording for people to look at), and ``program`` (a derivative
written as NumPy or JavaScript).
"""

# This import gives the tracer NumPy's functions and the methods of arrays.
from . import numpy_protocols as numpy_protocols

"""Witness two: gradients by machine. It never imports ``byhand``.

Read in this order: ``tape`` (how a function is recorded), ``passes`` (the two loops),
``transforms`` (grad, vjp, jvp), and the first 300 lines of ``primitives`` (what an entry is and
how it is defined). The rest is optional: ``jacobians``, ``numpy_protocols``, ``composites`` and
``refusals`` (which NumPy code is supported), ``trace`` (the recording, for people to inspect), and
``program`` (a derivative written as NumPy or JavaScript).
"""

# This import adds NumPy's functions and the array methods to the tracer.
from . import numpy_protocols as numpy_protocols

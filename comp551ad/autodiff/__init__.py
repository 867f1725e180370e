"""Witness two: gradients by machine. It never imports ``byhand``.

Read in this order: ``primitives`` (the rules), ``traced`` (how a function is recorded), ``trace``
(what was recorded), ``forward`` and ``reverse`` (the two loops), ``transforms`` (grad and kin).
"""

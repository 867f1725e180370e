"""Marking what students hand in: `python -m comp551ad grade`.

A submission runs in a process of its own, in a sandbox, that only answers. Another process
judges the answers, and a third looks after both and writes the tables.

    command.py        the command: every student gets a row, whatever they handed in
    submissions.py    who handed in what, in folders, zip files or an LMS's download
    marking.py        the judge's process: unpacks a student's files, judges the answers
    assembling.py     a student's cells and our checks: the steps that are run
    sandbox.py        what the student's process can see, and how much it may take
    answering.py      the student's process: an IPython shell that answers
    wire.py           plain values and calls between these two processes
    reports.py        the tables, an LMS's included, and a page of feedback each
"""

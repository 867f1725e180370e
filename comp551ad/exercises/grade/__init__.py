"""Grading submissions: `python -m comp551ad grade`.

A submission runs in its own sandboxed process, which only answers. A second process judges
the answers, and a third supervises both and writes the tables.

    command.py        the command: every student gets a row, whatever they submitted
    submissions.py    who submitted what, in folders, zip files or an LMS's download
    marking.py        the judge's process: unpacks a student's files, judges the answers
    assembling.py     a student's cells and our checks: the steps to run
    sandbox.py        what the student's process can see, and its resource limits
    answering.py      the student's process: an IPython shell that answers
    wire.py           plain values and calls between these two processes
    reports.py        the tables, an LMS's included, and a feedback page per student
"""

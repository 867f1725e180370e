"""Exercises that answer at once: `check(your_function)` says which mistake was made.

    check       runs your answer against another way of working it out
    hint        a word of help; a second one on asking
    progress    what is done, in this notebook and in the course

`checking.py` is how a check works, `exercise.py` what an exercise is, `finding.py` how a
mistake is found; `tasks/` is what is asked, a module a lecture. The notebooks in
`exercises/` are made from those in `solutions/` by `notebooks.py`.
"""

from .checking import check, hint
from .progress import progress

__all__ = ["check", "hint", "progress"]

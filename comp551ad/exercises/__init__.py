"""Exercises that answer at once: `check(your_function)` says which mistake was made.

    check       runs your answer against another way of working it out
    hint        a word of help; a second one on asking
    progress    what is done, in this notebook and in the course
    set_language    set_language("fr"): the same in French

`checking.py` is how a check works, `exercise.py` what an exercise is, `tasks/` what is asked, a
module a lecture. `finding.py` looks for the name of a mistake: among the exercise's own, the
usual ones (`usual.py`) and the slips that people make everywhere (`slips.py`: `edits.py` makes
them in the solution that `solutions.py` reads; `mending.py` edits the answer itself). Where
there is no name, `clues.py` says for which inputs an answer is right, `places.py` in which line
it leaves the solution's way, and `errors.py` what an error means. `guard.py` keeps answers from
hanging a check. The notebooks in `exercises/` are made from those in `solutions/` by
`notebooks.py`.
"""

from .checking import check, hint
from .language import set_language
from .progress import progress

__all__ = ["check", "hint", "progress", "set_language"]

"""Exercises with immediate feedback: `check(your_function)` says which mistake was made.

    check       compares your answer with an independent computation
    hint        a short hint; `hint(..., 2)` gives the next one
    progress    what is done, in this notebook and in the course
    set_language    set_language("fr"): the same in French

`checking.py` runs a check, `exercise.py` defines what an exercise is, and `tasks/` has the
exercises, one module per lecture. `finding.py` looks for the name of a mistake: among the
exercise's own, the usual ones (`usual.py`) and slips common to all exercises (`slips.py`:
`edits.py` makes them in the solution that `solutions.py` reads; `mending.py` edits the answer
itself). If there is no name, `clues.py` says for which inputs an answer is right, `places.py`
on which line it departs from the solution, and `errors.py` what an error means. `guard.py`
keeps answers from hanging a check. `notebooks.py` makes the notebooks in `exercises/` from those
in `solutions/`.
"""

from .checking import check, hint
from .language import set_language
from .progress import progress

__all__ = ["check", "hint", "progress", "set_language"]

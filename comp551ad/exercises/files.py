"""Files that are put aside rather than lost.

Read by `notebooks.py`.
"""

import os
import time
from itertools import count
from pathlib import Path


def put_aside(path: Path, why: str) -> Path:
    """Give a file a name of its own, which says why and when; return where it is now."""
    name = f"{path.name}.{why}-{time.strftime('%Y%m%d-%H%M%S')}"
    aside = path.with_name(name)
    for number in count(2):
        if not os.path.lexists(aside):
            break
        aside = path.with_name(f"{name}-{number}")
    os.replace(path, aside)
    return aside

"""What checks say in another language, from gettext's catalogues.

A catalogue is ``languages/CODE.po``; what it doesn't translate stays English. In the package's
folder, ``xgettext -a -L Python --from-code=UTF-8 -o checks.pot exercises/*.py exercises/*/*.py``
lists all there is to translate, and ``msgmerge -U languages/fr.po checks.pot`` adds what is new
to a catalogue. It is read as it is: nothing has to be compiled, neither for a checkout nor for
a wheel.

    _               a text in the language that is set
    set_language    set it; the environment variable COMP551AD_LANGUAGE does the same
    languages       what there is
"""

import ast
import functools
import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "languages"
VARIABLE = "COMP551AD_LANGUAGE"
ENGLISH = "en"


def languages() -> list[str]:
    """The codes of the languages that there are."""
    return sorted([ENGLISH, *(path.stem for path in FOLDER.glob("*.po"))])


def language() -> str:
    """The code of the language that is set."""
    code = os.environ.get(VARIABLE, ENGLISH)
    return code if code in languages() else ENGLISH


def set_language(code: str) -> None:
    """Have checks, hints and progress speak another language, ``"fr"`` say.

    Raises:
        ValueError: there is no catalogue for it.
    """
    if code not in languages():
        known = ", ".join(languages())
        raise ValueError(f"language: got {code!r}, expected one of {known}")
    os.environ[VARIABLE] = code


def _(text: str) -> str:
    """The text in the language that is set, or as it is."""
    return _catalogue(os.environ.get(VARIABLE, ENGLISH)).get(text) or text


@functools.cache
def _catalogue(code: str) -> dict[str, str]:
    path = FOLDER / f"{code}.po"
    if code not in languages() or not path.is_file():
        return {}
    found = {
        ast.literal_eval(f"({text})"): ast.literal_eval(f"({translated})")
        for entry in path.read_text(encoding="utf-8").split("\n\n")
        if "\n#, fuzzy" not in f"\n{entry}"
        for text, translated in re.findall(
            r'^msgid ((?:".*"\n?)+)msgstr ((?:".*"\n?)+)', entry, re.MULTILINE
        )
    }
    del found[""]  # what stands there is about the catalogue
    return found

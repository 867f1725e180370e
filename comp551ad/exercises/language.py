"""What checks say in other languages, from gettext catalogues.

A catalogue is ``languages/CODE.po``; what it doesn't translate stays English. In the package's
folder, ``xgettext -a -L Python --from-code=UTF-8 -o checks.pot exercises/*.py exercises/*/*.py``
lists all texts to translate, and ``msgmerge -U exercises/languages/fr.po checks.pot`` adds new
ones to a catalogue. The .po file is read directly: it needn't be compiled.

    _               a text in the current language
    set_language    set the language, like the environment variable COMP551AD_LANGUAGE
    languages       the languages available
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
    """The codes of the available languages."""
    return sorted([ENGLISH, *(path.stem for path in FOLDER.glob("*.po"))])


def language() -> str:
    """The code of the current language."""
    code = os.environ.get(VARIABLE, ENGLISH)
    return code if code in languages() else ENGLISH


def set_language(code: str) -> None:
    """Set the language of checks, hints and progress, ``"fr"`` say.

    Raises:
        ValueError: there is no catalogue for it.
    """
    if code not in languages():
        known = ", ".join(languages())
        raise ValueError(f"language: got {code!r}, expected one of {known}")
    os.environ[VARIABLE] = code


def _(text: str) -> str:
    """The text in the current language, or unchanged if there is no translation."""
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
    del found[""]  # the catalogue's header
    return found

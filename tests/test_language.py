"""Checks in other languages: the catalogues have exactly the package's texts."""

import ast
import gettext
import io
import string

import numpy as np
import pytest
from babel.messages import mofile, pofile

from comp551ad.exercises import check, hint, set_language
from comp551ad.exercises.catalogue import catalogue
from comp551ad.exercises.language import FOLDER, VARIABLE, _, _catalogue, languages

CODES = [path.stem for path in FOLDER.glob("*.po")]
TREES = [ast.parse(path.read_text("utf-8")) for path in FOLDER.parent.rglob("*.py")]
NODES = [node for tree in TREES for node in ast.walk(tree)]


@pytest.fixture(autouse=True)
def english_again(monkeypatch):
    monkeypatch.setenv(VARIABLE, "en")


def texts_of(nodes):
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def fields(text):
    return sorted(field for _, field, *_ in string.Formatter().parse(text) if field)


@pytest.mark.parametrize("code", CODES)
def test_a_catalogue_translates_only_what_the_package_says(code):
    strange = _catalogue(code).keys() - texts_of(NODES)
    assert not strange, "msgmerge and msgattrib --no-obsolete take them out"


@pytest.mark.parametrize("code", CODES)
def test_nearly_all_that_is_marked_to_be_translated_is(code):
    marked = [
        node.args[0]
        for node in NODES
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_"
    ]
    left = texts_of(marked) - _catalogue(code).keys()
    assert len(left) < 0.05 * len(marked), left


@pytest.mark.parametrize("code", CODES)
def test_nearly_every_mistake_and_hint_is_translated(code):
    texts = {hint for exercise in catalogue().values() for hint in exercise.hints}
    for exercise in catalogue().values():
        texts |= {part for m in exercise.mistakes for part in (m.name, m.hint)}
    left = texts - _catalogue(code).keys()
    assert len(left) < 0.05 * len(texts), left


@pytest.mark.parametrize("code", CODES)
def test_a_translation_has_the_places_of_its_text(code):
    for text, translated in _catalogue(code).items():
        # A hint may mention sets, which have braces too: only `_` is formatted.
        if text.count("{") == len(fields(text)):
            assert fields(translated) == fields(text), text
        edges = [text[:1].isspace(), text[-1:].isspace()]
        assert [translated[:1].isspace(), translated[-1:].isspace()] == edges, text


@pytest.mark.parametrize("code", CODES)
def test_a_catalogue_is_read_as_gettext_reads_it(code):
    compiled = io.BytesIO()
    with open(FOLDER / f"{code}.po", "rb") as file:
        mofile.write_mo(compiled, pofile.read_po(file))
    compiled.seek(0)
    by_gettext = gettext.GNUTranslations(compiled)
    ours = _catalogue(code)
    assert len(ours) > 200
    assert all(by_gettext.gettext(text) == ours[text] for text in ours)


def test_a_check_speaks_french_and_english_again():
    def softmax_jacobian(p):
        return np.diag(p * (1 - p))

    english = check(softmax_jacobian)
    set_language("fr")
    french = check(softmax_jacobian)
    assert english.mistakes == ("the diagonal alone",)
    assert french.mistakes == ("la diagonale seule",)
    assert french.says[0] == (
        "Pour p = [0.25, 0.75]\u00a0: l'élément [0, 1] de votre réponse\u00a0: 0\u00a0; "
        "attendu\u00a0: -0.1875."
    )
    assert french.says[1].startswith("Indice\u00a0: ")
    assert "(1 sur 3)" in hint(softmax_jacobian)
    set_language("en")
    assert check(softmax_jacobian) == english


def test_what_is_not_translated_stays_english(monkeypatch):
    set_language("fr")
    assert _("nobody translates this") == "nobody translates this"
    monkeypatch.setenv(VARIABLE, "../../secret")
    assert _("your answer") == "your answer"


def test_a_language_without_a_catalogue_is_refused():
    assert "fr" in languages() and "en" in languages()
    with pytest.raises(ValueError, match="language: got 'xx', expected one of en, fr"):
        set_language("xx")

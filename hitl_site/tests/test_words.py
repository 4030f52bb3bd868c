"""What scripts say comes from the page, in its language: they hold no words of their own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

ROOT = Path(settings.BASE_DIR)
SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))
_LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`')
# Two words, the first with a capital: a sentence, or a label.
_SAID_ALOUD = re.compile(r"\b[A-Z][a-z]+,? [a-z]+ ")


def code_of(path: Path) -> str:
    """Return a script without its comments."""
    return re.sub(r"(^|\s)//.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)


def words_of(language: str) -> dict[str, str]:
    """Return what the page has for scripts, by the name that they ask for it."""
    with translation.override(language):
        page = render_to_string("_words.html")
    return {
        re.sub(r"-(\w)", lambda letter: letter[1].upper(), name): text
        for name, text in re.findall(r'data-([a-z-]+)="([^"]*)"', page)
    }


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.name))
def test_a_script_has_no_words_of_its_own(path: Path) -> None:
    literals = _LITERAL.findall(code_of(path))
    assert [each for each in literals if _SAID_ALOUD.search(each)] == []


def test_the_page_has_every_word_that_a_script_asks_for_and_no_other() -> None:
    asked = set()
    for path in SCRIPTS:
        for call in re.findall(r"\bsaid\(([^,)]*)", code_of(path)):
            asked |= set(re.findall(r'"(\w+)"', call))
    assert asked == set(words_of("en"))


def test_each_word_has_the_same_values_in_every_language() -> None:
    english, german = words_of("en"), words_of("de")
    assert {name: text.count("{}") for name, text in german.items()} == {
        name: text.count("{}") for name, text in english.items()
    }
    assert (english["updated"], german["updated"]) == ("Updated {} ago", "Stand vor {}")

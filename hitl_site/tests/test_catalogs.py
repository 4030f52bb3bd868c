"""The words of other languages: whole, with the same values, and read as gettext reads them."""

from __future__ import annotations

import gettext
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from django.conf import settings

from hitl_site import catalogs
from hitl_site.catalogs import Fault

BASE = Path(settings.BASE_DIR)
TEMPLATE = """{% load i18n %}
    <p>{% translate "Inbox" %}</p>
  {% blocktranslate count n=things|length trimmed %}
     {{ n }} thing
  {% plural %}
     {{ n }} things
  {% endblocktranslate %}
<b>It's "quoted" {not marked}</b>{% translate "May" context "month" %}
"""
MODULE = """
from django.utils.translation import gettext, ngettext
def say(count, name):
    return gettext("Held for {name}.").format(name=name) + ngettext("{n:,} day", "{n:,} days", count)
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A product of two files."""
    (tmp_path / "reviews").mkdir()
    (tmp_path / "reviews" / "said.py").write_text(MODULE)
    (tmp_path / "templates" / "reviews").mkdir(parents=True)
    (tmp_path / "templates" / "reviews" / "page.html").write_text(TEMPLATE)
    return tmp_path


def _message(words: Catalog, text: str, context: str) -> Message:
    found = words.get(text, context)
    assert found is not None
    return found


@pytest.mark.parametrize("app", catalogs.APPS)
@pytest.mark.parametrize("language", catalogs.LANGUAGES)
def test_every_text_of_the_product_has_its_words(app: str, language: str) -> None:
    assert catalogs.faults(BASE, app, language) == []


@pytest.mark.parametrize("language", catalogs.LANGUAGES)
def test_one_text_has_the_same_words_in_every_app(language: str) -> None:
    said: dict[tuple[str, str | None], set[str]] = {}
    for app in catalogs.APPS:
        for message in catalogs.load(catalogs.file_of(BASE, app, language), language):
            if message.id:
                said.setdefault((str(message.id), message.context), set()).add(str(message.string))
    assert {text: words for text, words in said.items() if len(words) > 1} == {}


def test_templates_and_modules_are_read(base: Path) -> None:
    found = {message.id: message.context for message in catalogs.texts_of(base, "reviews") if message.id}
    assert found == {
        "Inbox": None,
        ("%(n)s thing", "%(n)s things"): None,
        "May": "month",
        "Held for {name}.": None,
        ("{n:,} day", "{n:,} days"): None,
    }


def test_what_is_new_has_no_words_and_what_is_gone_leaves(base: Path) -> None:
    catalogs.merge(base, "reviews", "de")
    path = catalogs.file_of(base, "reviews", "de")
    words = catalogs.load(path, "de")
    words["Inbox"].string = "Eingang"
    catalogs.save(path, words)
    (base / "reviews" / "said.py").write_text('gettext("Another")\n')
    catalogs.merge(base, "reviews", "de")
    assert {message.id: message.string for message in catalogs.load(path, "de") if message.id} == {
        "Inbox": "Eingang",
        ("%(n)s thing", "%(n)s things"): ("", ""),
        "May": "",
        "Another": "",
    }
    assert [fault.text for fault in catalogs.faults(base, "reviews", "de")] == [
        "%(n)s thing",
        "Another",
        "May",
    ]


def test_a_text_that_becomes_a_plural_needs_words_again(base: Path) -> None:
    catalogs.merge(base, "reviews", "de")
    path = catalogs.file_of(base, "reviews", "de")
    words = catalogs.load(path, "de")
    words["Held for {name}."].string = "Angehalten für {name}."
    catalogs.save(path, words)
    said = base / "reviews" / "said.py"
    said.write_text('ngettext("Held for {name}.", "All held for {name}.", n)\n')
    assert Fault("reviews", "de", "Held for {name}.", "not in the catalogue") in catalogs.faults(
        base, "reviews", "de"
    )
    catalogs.merge(base, "reviews", "de")
    again = catalogs.load(path, "de").get("Held for {name}.")
    assert again is not None
    assert (again.id, again.string) == (("Held for {name}.", "All held for {name}."), ("", ""))


def test_words_with_other_values_are_a_fault(base: Path) -> None:
    catalogs.merge(base, "reviews", "de")
    path = catalogs.file_of(base, "reviews", "de")
    words = catalogs.load(path, "de")
    words["Inbox"].string = "Eingang"
    _message(words, "May", "month").string = "Mai"
    words["%(n)s thing"].string = ("ein Ding", "%(n)s Dinge")
    words["Held for {name}."].string = "Angehalten für {nam}."
    words["{n:,} day"].string = ("{n:,} Tag", "{n:,} Tage")
    catalogs.save(path, words)
    assert catalogs.faults(base, "reviews", "de") == [
        Fault("reviews", "de", "%(n)s thing", "other values: [] for ['%(n)s']"),
        Fault("reviews", "de", "Held for {name}.", "other values: ['{nam}'] for ['{name}']"),
    ]


def test_what_is_compiled_is_what_gettext_reads(base: Path) -> None:
    catalogs.merge(base, "reviews", "de")
    path = catalogs.file_of(base, "reviews", "de")
    words = catalogs.load(path, "de")
    words["%(n)s thing"].string = ("%(n)s Ding", "%(n)s Dinge")
    _message(words, "May", "month").string = "Mai"
    catalogs.save(path, words)
    assert catalogs.compile_all(base) == 1
    assert catalogs.compile_all(base) == 0
    read = gettext.translation("django", base / "reviews" / "locale", ["de"])
    assert [read.ngettext("%(n)s thing", "%(n)s things", n) for n in (0, 1, 2)] == [
        "%(n)s Dinge",
        "%(n)s Ding",
        "%(n)s Dinge",
    ]
    assert read.pgettext("month", "May") == "Mai"
    assert read.gettext("Inbox") == "Inbox"

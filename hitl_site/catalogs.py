"""The catalogues of the console's languages: found in the sources, merged, checked and compiled.

The formats are GNU gettext's (its manual, "The Format of PO Files" and "The Format of GNU MO Files"), read
and written by Babel, so that nobody needs the gettext programs. One catalogue for each app and language, in
its ``locale`` folder; ``templates/<app>`` belong to that app, all other templates to ``hitl_site``.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from babel.messages import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

APPS: Final = ("hitl_site", "policies", "reviews", "datasets")
LANGUAGES: Final = ("de",)
# What marks a text in Python: which arguments are the text, its plural and its context.
_KEYWORDS: Final[dict[str, tuple[int | tuple[int, str], ...] | None]] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
_NOT_SOURCES: Final = {"migrations", "tests", "locale", "__pycache__"}
# What stands for a value: %(name)s of a template, {name} and {name:,} of str.format, %s.
_PLACE: Final = re.compile(r"%\(\w+\)[sd]|\{\w*(?:![rsa])?(?::[^{}]*)?\}|%[sd]")

# The few fields that readers need: those with a date would differ at each writing.
_HEADER: Final = (
    'msgid ""\n'
    'msgstr ""\n'
    '"Language: {}\\n"\n'
    '"Plural-Forms: {}\\n"\n'
    '"Content-Type: text/plain; charset=utf-8\\n"\n\n'
)

# One form, or singular and plural, as Babel has it.
Text = str | list[str] | tuple[str, ...]


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong with the translation of one text."""

    app: str
    language: str
    text: str
    problem: str

    def __str__(self) -> str:
        return f"{self.app}/{self.language}: {self.text!r}: {self.problem}"


def texts_of(base: Path, app: str) -> Catalog:
    """Return every text that the sources of an app mark, without their places: a move changes nothing."""
    found = Catalog()
    for path in _python(base, app):
        _add(found, path.read_bytes(), path)
    for path in _templates(base, app):
        # The markup becomes code that the same reader reads; its indentation means nothing.
        code = templatize(path.read_text(encoding="utf-8"), origin=str(path))
        _add(found, "\n".join(line.lstrip() for line in code.splitlines()).encode(), path)
    return found


def file_of(base: Path, app: str, language: str) -> Path:
    """Return where the catalogue of an app in a language lies."""
    return base / app / "locale" / language / "LC_MESSAGES" / "django.po"


def merge(base: Path, app: str, language: str) -> Catalog:
    """Bring a catalogue in line with its sources: new texts come without words, gone ones leave."""
    path = file_of(base, app, language)
    known = load(path, language)
    merged = Catalog(locale=language, charset="utf-8", project="Handrail", fuzzy=False)
    for message in texts_of(base, app):
        if message.id:
            before = known.get(message.id, message.context)
            # A text that became a plural, or ceased to be one, is a new text.
            same = before is not None and isinstance(before.id, str) == isinstance(message.id, str)
            merged.add(message.id, before.string if same and before else None, context=message.context)
    save(path, merged)
    return merged


def load(path: Path, language: str) -> Catalog:
    """Read a catalogue; one that does not exist is empty."""
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def save(path: Path, catalog: Catalog) -> None:
    """Write a catalogue in the order of its texts: what two people add meets in no common last line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = io.BytesIO()
    write_po(written, catalog, width=0, no_location=True, omit_header=True, sort_output=True)
    path.write_bytes(_HEADER.format(catalog.locale, catalog.plural_forms).encode() + written.getvalue())


def faults(base: Path, app: str, language: str) -> list[Fault]:
    """Return what a catalogue lacks, has too many of, or says with other values than its text."""
    known = load(file_of(base, app, language), language)
    wanted = texts_of(base, app)
    found: list[Fault] = []
    for message in wanted:
        if not message.id:
            continue
        translated = known.get(message.id, message.context)
        is_same = translated is not None and translated.id == message.id
        problem = _problem(translated) if is_same and translated else "not in the catalogue"
        if problem:
            found.append(Fault(app, language, _first(message.id), problem))
    found += [
        Fault(app, language, _first(message.id), "no source has it any more")
        for message in known
        if message.id and wanted.get(message.id, message.context) is None
    ]
    return sorted(found)


def compile_all(base: Path) -> int:
    """Write what Django reads beside each catalogue that is newer than it; return how many."""
    count = 0
    for app in APPS:
        for language in LANGUAGES:
            path = file_of(base, app, language)
            target = path.with_suffix(".mo")
            if not path.exists() or (
                target.exists() and target.stat().st_mtime_ns >= path.stat().st_mtime_ns
            ):
                continue
            part = target.with_suffix(".part")
            with part.open("wb") as file:
                write_mo(file, load(path, language))
            part.replace(target)
            count += 1
    return count


def _python(base: Path, app: str) -> Iterator[Path]:
    for path in sorted((base / app).rglob("*.py")):
        if not _NOT_SOURCES & set(path.relative_to(base).parts):
            yield path


def _templates(base: Path, app: str) -> Iterator[Path]:
    others = [name for name in APPS if name != "hitl_site"]
    for path in sorted((base / "templates").rglob("*.html")) + sorted((base / "templates").rglob("*.txt")):
        first = path.relative_to(base / "templates").parts[0]
        if first == app or (app == "hitl_site" and first not in others):
            yield path


def _add(catalog: Catalog, source: bytes, path: Path) -> None:
    try:
        for _, text, _, context in extract("python", io.BytesIO(source), keywords=_KEYWORDS):
            catalog.add(text, context=context)
    except (SyntaxError, ValueError) as problem:
        raise ValueError(f"{path}: {problem}") from problem


def _problem(message: Message) -> str:
    words = _forms(message.string or "")
    if message.fuzzy:
        return "marked as unsure"
    if not all(words):
        return "not translated"
    # A singular may say "one" where the plural has a number.
    texts = _forms(message.id)
    allowed = {place for text in texts for place in _PLACE.findall(text)}
    for index, each in enumerate(words):
        places = set(_PLACE.findall(each))
        needed = set(_PLACE.findall(texts[min(index, len(texts) - 1)]))
        if not (places <= allowed and needed <= places):
            return f"other values: {sorted(places)} for {sorted(needed)}"
    return ""


def _forms(text: Text) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def _first(text: Text) -> str:
    return _forms(text)[0]

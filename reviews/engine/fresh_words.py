"""Fresh names and numbers of things: another person, another order, written as the old ones were.

A name is known by the member it stands in ("customer_name") or by an e-mail address; from then on its words
are replaced wherever they stand, also inside of a handle (``ana.ruiz_4909``). The number of a thing is a run
of three digits and more: it becomes as many other digits, the same ones wherever the run stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from reviews.engine.fresh_draws import Draws


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


WORD: Final = re.compile(r"[^\W\d_]+")
EMAIL: Final = re.compile(r"(?<![\w.+-])([\w.+-]+)@[\w-]+(?:\.[\w-]+)+")
_YEAR: Final = re.compile(r"(?:19|20)[0-9]{2}")
# Where prose says who somebody is.
_INTRODUCED: Final = re.compile(
    r"\b(?:Dear|Hi|Hello|Mr\.?|Mrs\.?|Ms\.?|name is|I am|I'm) ([A-Z][^\W\d_]+(?: [A-Z][^\W\d_]+)?)"
)
_NO_NAMES: Final = frozenset(_listed("there team all sir madam support customer everyone"))
_PERSON: Final = re.compile(r"[^\W\d_][\w'’.-]*(?: [^\W\d_][\w'’.-]*){0,3}")
_SHORTEST: Final = 3
_SHORTEST_NAME: Final = 2

_FIRST: Final = _listed(
    "Amara Anton Bea Bruno Carla Cedric Dalia Dario Edda Emil Farid Fiona Greta Gustav Hana Hugo Ines Ivo "
    "Jana Joris Kira Kaspar Lea Lorenz Malin Marco Nadia Nils Olga Oskar Paula Piet Rosa Ruben Selma Stefan "
    "Talia Tomas Ulla Vera Viktor Wanda Yara Yusuf Zoe Zeno"
)
_LAST: Final = _listed(
    "Abel Baumann Bergström Castell Cerny Dahl Dubois Eklund Engel Ferrara Fischer Galvan Grant Haas Holm "
    "Ivanov Jensen Keller Kowalski Lambert Lindqvist Maier Moreau Novak Nyberg Okafor Olsen Pereira Petrov "
    "Quist Rossi Rydell Sato Schuster Tanaka Thorn Ullman Varga Vogel Weber Winter Zeller Zimmer"
)
# What stands before the @ of an address that belongs to nobody.
_NOBODY: Final = frozenset(
    _listed("info support sales hello contact noreply reply service team office admin help billing orders")
)
_PARTIES: Final = frozenset(
    _listed(
        "customer client recipient passenger contact person employee patient payee beneficiary guest "
        "traveler traveller cardholder holder member user sender"
    )
)
_PART_OF_NAME: Final = frozenset(_listed("first last middle sur family given full"))


@dataclass(slots=True)
class Words:
    """The words of names of one case, and what becomes of each. Fill it first, then replace."""

    draws: Draws
    names: dict[str, str] = field(default_factory=dict)

    def note(self, member: str, value: str, *, beside: Mapping[str, object], holder: str) -> None:
        """Take in what a member says of a person, if it does."""
        for found in EMAIL.finditer(value):
            self._add(word for word in WORD.findall(found[1]) if word.casefold() not in _NOBODY)
        for found in _INTRODUCED.finditer(value):
            self._add(word for word in WORD.findall(found[1]) if word.casefold() not in _NO_NAMES)
        parts = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", member)]
        if not parts or not _PERSON.fullmatch(value) or not value[0].isupper():
            return
        named = parts[-1] in {"name", "surname", "lastname", "firstname", "fullname"}
        of_party = bool(set(parts) & _PARTIES) or holder.rstrip("s").lower() in _PARTIES
        person = (named and (of_party or bool(set(parts) & _PART_OF_NAME))) or parts[-1].rstrip(
            "s"
        ) in _PARTIES
        if person or (named and "email" in beside):
            self._add(WORD.findall(value))

    def replaced(self, text: str) -> str:
        """Return the text with the words of names replaced; a common word in small letters is left alone."""

        def other(found: re.Match[str]) -> str:
            word = found[0]
            new = self.names.get(word.casefold())
            if new is None or not (word[0].isupper() or _in_a_handle(text, found)):
                return word
            if word.isupper() and len(word) > 1:
                return new.upper()
            return new if word[0].isupper() else new.lower()

        return WORD.sub(other, text) if self.names else text

    def _add(self, words: Iterable[str]) -> None:
        for place, word in enumerate(words):
            plain = word.casefold()
            if len(word) < _SHORTEST_NAME or plain in self.names:
                continue
            taken = {name.casefold() for name in self.names.values()} | set(self.names)
            pool = _FIRST if place == 0 else _LAST
            free = [
                name for name in self.draws.shuffled(f"name:{plain}", pool) if name.casefold() not in taken
            ]
            if free and free[0].casefold() != plain:
                self.names[plain] = free[0]


@dataclass(slots=True)
class Numbers:
    """The numbers of things in one case, and what becomes of each. No two become one."""

    draws: Draws
    runs: dict[str, str] = field(default_factory=dict)

    def other(self, run: str) -> str:
        """Return other digits for a run of them: as many, and a leading zero where there was one."""
        if run not in self.runs:
            self.runs[run] = self._drawn(run)
        return self.runs[run]

    def _drawn(self, run: str) -> str:
        taken = set(self.runs.values())
        for attempt in range(10_000):
            digits = [str(self.draws.number(f"digit:{run}:{attempt}:{at}", 10)) for at in range(len(run))]
            if run[0] == "0":
                digits[0] = "0"
            elif digits[0] == "0":
                digits[0] = "7"
            new = "".join(digits)
            if new != run and new not in taken and new not in self.runs:
                return new
        raise ValueError("There are not enough numbers of this length.")


def is_number_of_a_thing(text: str, start: int, end: int) -> bool:
    """Say whether the digits there number something: three and more, and no year that stands alone."""
    run = text[start:end]
    if len(run) < _SHORTEST:
        return False
    joined = (start > 0 and (text[start - 1].isalnum() or text[start - 1] in "-_#/")) or (
        end < len(text) and (text[end].isalnum() or text[end] in "-_/")
    )
    return joined or not _YEAR.fullmatch(run)


def _in_a_handle(text: str, found: re.Match[str]) -> bool:
    before = text[found.start() - 1 : found.start()] if found.start() else ""
    after, beyond = text[found.end() : found.end() + 1], text[found.end() + 1 : found.end() + 2]
    if before and (before in "_.@+-:/" or before.isdigit()):
        return True
    # A dot ends a sentence, unless something follows right behind it.
    return after in {"_", "@", "+"} or after.isdigit() or (after == "." and beyond.isalnum())

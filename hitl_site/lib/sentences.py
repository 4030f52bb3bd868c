"""Sentences that were written in English, said in the language of the reader.

What is stored, or made by a part that knows no languages, is English. Where it is shown, the sentence is
read back: its values are taken out of it and put into the translated sentence. What is not recognised, a
person's or an agent's words for one, is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Final

from django.utils.translation import get_language, gettext

# Longer texts are not ours. It also bounds what reading one can cost.
_LONGEST: Final = 4_000
_PLACE: Final = re.compile(r"\{(\w+)\}")

# What a value may look like, and how it is said: where nothing is given, it is any text, said as it is.
Places = Mapping[str, tuple[str, Callable[[str], str] | None]]


class Sentences:
    """Marked sentences with places for values, such as "The rule {code} refuses it.", tried in order."""

    def __init__(self, *marked: str, places: Places | None = None) -> None:
        self._marked: Sequence[str] = marked
        self._places: Places = places or {}

    def __call__(self, text: str) -> str:
        """Return the text in the language in force, or as it is where it is none of these sentences."""
        if len(text) > _LONGEST or (get_language() or "en").startswith("en"):
            return text
        for marked, pattern in self._patterns:
            match = pattern.fullmatch(text)
            if match is not None:
                return self._put(match.groupdict(), into=gettext(marked))
        return text

    def _put(self, values: Mapping[str, str], *, into: str) -> str:
        return _PLACE.sub(lambda place: self._said(place[1], values[place[1]]), into)

    @cached_property
    def _patterns(self) -> list[tuple[str, re.Pattern[str]]]:
        return [(marked, re.compile(self._pattern(marked), re.DOTALL)) for marked in self._marked]

    def _pattern(self, marked: str) -> str:
        # Every second piece is the name of a place.
        pieces = _PLACE.split(marked)
        return "".join(
            f"(?P<{piece}>{self._places.get(piece, ('.+?', None))[0]})" if at % 2 else re.escape(piece)
            for at, piece in enumerate(pieces)
        )

    def _said(self, name: str, value: str) -> str:
        say = self._places.get(name, ("", None))[1]
        return say(value) if say is not None else value

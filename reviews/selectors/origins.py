"""Where each value of a proposal comes from: the user's words, a tool's result, or nowhere in the context.

Pure. The finding is the gate's own (policies.engine.provenance, mentions, folding), so that the page and a
rule never tell two stories; the page also says in which step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from policies.engine.folding import lookalike, plain
from policies.engine.mentions import Mentions
from policies.engine.provenance import MAX_TEXT, Spoken, Voice, spoken
from reviews.engine.value_kinds import Leaf, is_prose, leaves, names_something
from reviews.selectors.tool_results import ToolResult

_BUDGET = 60_000_000  # characters looked through for one page: some hundredths of a second
_MOST_NAMED = 20
_NAMED_IN_PROSE = re.compile(r"[^\s,;()<>\"“”«»]*[0-9@][^\s,;()<>\"“”«»]*|https?://[^\s<>\"]+")


class From(StrEnum):
    USER = "user"
    TOOL = "tool"
    NOWHERE = "nowhere"
    LOOKS_LIKE = "looks_like"  # not written anywhere, but something is that looks the same


@dataclass(frozen=True)
class Origin:
    """Where one value comes from. ``place`` is the part of the context, "" for nowhere.

    ``loud`` marks an identifier, a recipient or an amount that nobody named; ``missing`` are such values
    inside of prose.
    """

    source: From
    place: str = ""
    tool: str = ""
    loud: bool = False
    missing: tuple[str, ...] = ()


class Origins:
    """The questions about one context."""

    def __init__(self, context: object, results: tuple[ToolResult, ...]) -> None:
        self._texts = list(spoken(context))
        self._tools = {result.place: result.tool for result in results}
        self._left = _BUDGET

    @property
    def too_long(self) -> bool:
        """Say whether the context is too long to be looked through."""
        return sum(len(text.text) for text in self._texts) > MAX_TEXT

    def of(self, pointer: str, document: object) -> Origin | None:
        """Return where a value comes from; None where the question makes no sense or takes too long.

        Of a value with values in it the first that is nowhere counts, else the first.
        """
        if self.too_long or not self._texts:
            return None
        found = [
            origin for place, leaf in leaves(document, pointer) if (origin := self._of_leaf(place, leaf))
        ]
        doubtful = sorted(found, key=lambda origin: (not origin.loud, origin.source is not From.NOWHERE))
        return doubtful[0] if doubtful else None

    def _of_leaf(self, pointer: str, leaf: Leaf) -> Origin | None:
        if leaf is None or isinstance(leaf, bool) or leaf == "":
            return None
        if isinstance(leaf, str) and is_prose(leaf):
            missing = tuple(self._missing_in(leaf))
            return Origin(From.NOWHERE, loud=True, missing=missing) if missing else None
        self._left -= self._size
        if self._left < 0:
            return None
        at = self._place_of(leaf)
        if at is not None:
            return Origin(From(at.voice.value), at.place, self._tools.get(at.place, ""))
        loud = names_something(pointer, leaf)
        twin = self._looks_like(leaf) if isinstance(leaf, str) else None
        if twin is not None:
            return Origin(From.LOOKS_LIKE, twin.place, self._tools.get(twin.place, ""), loud=True)
        return Origin(From.NOWHERE, loud=loud)

    def _missing_in(self, prose: str) -> Iterator[str]:
        """Yield the numbers and addresses that a prose names and the context does not."""
        for match in list(dict.fromkeys(_NAMED_IN_PROSE.findall(prose)))[:_MOST_NAMED]:
            word = match.strip(".,:;!?'’*_")
            self._left -= self._size
            if len(word) < 2 or self._left < 0:
                continue
            bare = word.lstrip("€$£¥#").rstrip("€$£¥%")
            if self._place_of(word) is None and (not bare or self._place_of(bare) is None):
                yield word

    def _place_of(self, leaf: str | int | float) -> Spoken | None:
        """Return the first text that names the value: of the user, else of a tool."""
        for voice in (Voice.USER, Voice.TOOL):
            if _names(self._all[voice], leaf):
                return next(
                    (text for text, mentions in self._each if text.voice is voice and _names(mentions, leaf)),
                    None,
                )
        return None

    def _looks_like(self, leaf: str) -> Spoken | None:
        folded = lookalike(leaf)
        for text, mentions in self._folded:
            if mentions.has_text(folded, in_doubt=False):
                return text
        return None

    @cached_property
    def _size(self) -> int:
        return 2 * sum(len(text.text) for text in self._texts) + 1_000

    @cached_property
    def _all(self) -> Mapping[Voice, Mentions]:
        return {
            voice: Mentions([plain(text.text) for text in self._texts if text.voice is voice])
            for voice in Voice
        }

    @cached_property
    def _each(self) -> list[tuple[Spoken, Mentions]]:
        return [(text, Mentions([plain(text.text)])) for text in self._texts]

    @cached_property
    def _folded(self) -> list[tuple[Spoken, Mentions]]:
        return [(text, Mentions([lookalike(text.text)])) for text in self._texts]


def _names(mentions: Mentions, leaf: str | int | float) -> bool:
    if isinstance(leaf, str):
        return mentions.has_text(plain(leaf), in_doubt=False)
    return mentions.has_number(Decimal(repr(leaf)))

"""Redaction: a document without what should not leave, equal where there was nothing of it.

Never raises on what a document says, and is done in time proportional to its length: what is nested too deep
or too tangled to be read is replaced whole.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from datasets.redaction.checksums import is_card
from datasets.redaction.contacts import is_phone_member
from datasets.redaction.finding import NAMES, find
from datasets.redaction.generalising import generalised
from datasets.redaction.profile import Detector, Profile, Treatment
from datasets.redaction.pseudonyms import FIELD, MASK, TOKEN, plain_form, token
from datasets.redaction.rules import Nodes, Place, Rules, place_of, step, treatment_at
from datasets.redaction.secrets import is_secret_member
from hitl_site.lib.strict_json import JsonValue, pointer_token

Document: TypeAlias = dict[str, JsonValue]

_CASE: Final = "handrail.case/"
_MAX_DEPTH: Final = 64
_MAX_ROUNDS: Final = 8
_REMEMBERED_LENGTH: Final = 80
_MAX_REMEMBERED: Final = 20_000
_CONTAINERS: Final = '{["'
_PATHS: Final = ("path", "from", "pointer")
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class Redacted:
    """The document, and how often each detector and each treatment replaced something."""

    document: Document
    replaced: Mapping[str, int]


class Redactor:
    """Applies a profile under a key. The same key gives the same pseudonyms; it is as secret as the data."""

    def __init__(self, profile: Profile, key: bytes) -> None:
        self.profile = profile
        self._key = key
        self._rules: dict[str, Rules] = {}
        self._texts: dict[tuple[str, str], tuple[str, Counter[str]]] = {}

    def apply(self, document: Document) -> Redacted:
        """Return the document redacted. Applied to its own result it changes nothing."""
        walk = _Walk(self)
        if str(document.get("format")).startswith(_CASE):
            redacted = walk.case(document, self._rules_for(document))
        else:
            redacted = cast(Document, walk.value(document, (), "", 0))
        counts = {str(name): count for name, count in sorted(walk.replaced.items())}
        return Redacted(redacted, counts)

    @property
    def hides_fields(self) -> bool:
        """Say whether a rule hides anything: then group and cluster, named after fields, are hidden too."""
        return any(rule.treatment != Treatment.KEEP for rule in self.profile.rules)

    def token(self, kind: str, plain: str) -> str:
        return token(self._key, kind, plain)

    def text(self, text: str, member: str, depth: int) -> tuple[str, Counter[str]]:
        """Return a text redacted, and the counts; what is short is remembered, for most is said often."""
        if len(text) > _REMEMBERED_LENGTH or len(member) > _REMEMBERED_LENGTH:
            return self._text(text, member, depth)
        known = self._texts.get((text, member))
        if known is None:
            known = self._text(text, member, depth)
            if len(self._texts) >= _MAX_REMEMBERED:
                self._texts.clear()
            self._texts[text, member] = known
        return known

    def _text(self, text: str, member: str, depth: int) -> tuple[str, Counter[str]]:
        replaced: Counter[str] = Counter()
        for _ in range(_MAX_ROUNDS):
            # What was cut may read differently than before: until it stays as it is.
            redacted = _Text(self, member, depth, replaced).redacted(text)
            if redacted == text:
                return text, replaced
            text = redacted
        replaced[Detector.SECRET] += 1
        return self.token(Detector.SECRET, text), replaced

    def _rules_for(self, document: Document) -> Rules:
        action = document.get("action")
        name = action.get("type") if isinstance(action, dict) else None
        action_type = name if isinstance(name, str) else ""
        if action_type not in self._rules:
            if len(self._rules) >= _MAX_REMEMBERED:
                self._rules.clear()
            self._rules[action_type] = Rules.of(self.profile.rules, action_type)
        return self._rules[action_type]


class _Walk:
    """One document on its way through."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._detectors = redactor.profile.detectors
        self.replaced: Counter[str] = Counter()
        # How often a name had to be made different; the search for a free one goes on there.
        self._repeats: Counter[str] = Counter()

    def case(self, document: Document, rules: Rules) -> Document:
        """Redact a composed case: what says something of arguments follows the rules for arguments."""
        redacted: Document = {}
        for name, member in document.items():
            if name in ("patch", "differences") and isinstance(member, list):
                changes = [self._change(change, rules.arguments) for change in member]
                redacted[name] = [change for change in changes if change is not _NOTHING]
            elif name == "changed_fields" and isinstance(member, list):
                redacted[name] = [self._pointer(pointer) for pointer in member if not _drops(pointer, rules)]
            elif name in ("group", "cluster") and self._redactor.hides_fields and isinstance(member, str):
                redacted[name] = self._pseudonym(member)
            else:
                value = self.value(member, step(rules.case, name), name, 1)
                redacted[self._key(name, redacted, document)] = None if value is _NOTHING else value
        return redacted

    def value(self, value: JsonValue, nodes: Nodes, member: str, depth: int, kept: bool = False) -> JsonValue:
        """Redact a value that stands under the name ``member``; ``_NOTHING`` when a rule drops it."""
        if nodes:
            treatment = treatment_at(nodes)
            if treatment == Treatment.KEEP:
                kept = True
            elif treatment is not None:
                return self._treated(value, treatment, depth)
        if isinstance(value, str):
            return value if kept else self._text(value, member, depth)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value if kept else self._number(value, member)
        if depth >= _MAX_DEPTH:
            return self._masked()
        if isinstance(value, dict):
            return self._object(value, nodes, depth, kept)
        if isinstance(value, list):
            members = [
                self.value(one, step(nodes, str(number)), member, depth + 1, kept)
                for number, one in enumerate(value)
            ]
            return [one for one in members if one is not _NOTHING]
        return self._masked()

    def _object(self, value: Document, nodes: Nodes, depth: int, kept: bool) -> Document:
        redacted: Document = {}
        for name, member in value.items():
            inner = self.value(member, step(nodes, name), name, depth + 1, kept)
            if inner is not _NOTHING:
                redacted[name if kept else self._key(name, redacted, value)] = inner
        return redacted

    def _key(self, name: str, redacted: Document, original: Document) -> str:
        """Return a member's name redacted, and another one than all others have: nothing is lost by it."""
        wanted = self._text(name, "", 0)
        if wanted == name:
            return name
        free = wanted
        while free in redacted or free in original:
            self._repeats[wanted] += 1
            free = f"{wanted}#{self._repeats[wanted] + 1}"
        return free

    def _text(self, text: str, member: str, depth: int) -> str:
        if not self._detectors:
            return text
        redacted, replaced = self._redactor.text(text, member, depth)
        if replaced:
            self.replaced.update(replaced)
        return redacted

    def _number(self, value: float, member: str) -> JsonValue:
        if isinstance(value, float):
            if not value.is_integer() or abs(value) >= 1e19:
                return value
            value = int(value)
        digits = str(abs(value))
        kind = None
        if Detector.CARD in self._detectors and is_card(digits):
            kind = Detector.CARD
        elif Detector.PHONE in self._detectors and 7 <= len(digits) <= 15 and is_phone_member(member):
            kind = Detector.PHONE
        if kind is None:
            return value
        self.replaced[kind] += 1
        return self._redactor.token(kind, digits)

    def _change(self, change: JsonValue, arguments: Nodes) -> JsonValue:
        """Redact an operation of a patch, or a difference: its values are parts of the arguments."""
        if not isinstance(change, dict):
            return self.value(change, (), "", 2)
        places = [_place(change[name], arguments) for name in _PATHS if name in change]
        if any(place.treatment == Treatment.DROP for place in places):
            return cast(JsonValue, _NOTHING)
        redacted: Document = {}
        for name, value in change.items():
            if name in _PATHS:
                redacted[name] = self._pointer(value)
            elif name in ("value", "before", "after") and places:
                inner = self._at(value, places[0], _last_token(change))
                redacted[name] = None if inner is _NOTHING else inner
            else:
                redacted[name] = self.value(value, (), name, 2)
        return redacted

    def _at(self, value: JsonValue, place: Place, member: str) -> JsonValue:
        if place.treatment is not None:
            return self._treated(value, place.treatment, 3)
        return self.value(value, place.nodes, member, 3, place.kept)

    def _pointer(self, pointer: JsonValue) -> JsonValue:
        """Redact the names in a pointer as they are redacted where they stand."""
        if not isinstance(pointer, str) or not pointer.startswith("/"):
            return self.value(pointer, (), "", 2)
        return "".join(pointer_token(self._text(name, "", 0)) for name in _tokens(pointer))

    def _treated(self, value: JsonValue, treatment: Treatment, depth: int) -> JsonValue:
        if treatment == Treatment.DROP:
            self.replaced[treatment] += 1
            return cast(JsonValue, _NOTHING)
        if depth >= _MAX_DEPTH:
            return self._masked()
        if isinstance(value, dict):
            treated: Document = {}
            for name, member in value.items():
                treated[self._key(name, treated, value)] = self._treated(member, treatment, depth + 1)
            return treated
        if isinstance(value, list):
            return [self._treated(member, treatment, depth + 1) for member in value]
        if value is None:
            return None
        result = self._scalar(value, treatment)
        if result != value or type(result) is not type(value):
            self.replaced[treatment] += 1
        return result

    def _scalar(self, value: str | float, treatment: Treatment) -> JsonValue:
        if treatment == Treatment.PSEUDONYM:
            return self._token_of(value if isinstance(value, str) else json.dumps(value))
        if not isinstance(value, str):
            return None
        if value in ("", MASK):
            return value
        if treatment in (Treatment.YEAR, Treatment.MONTH):
            return generalised(value, to_month=treatment == Treatment.MONTH) or MASK
        return MASK

    def _pseudonym(self, text: str) -> str:
        result = self._token_of(text)
        if result != text:
            self.replaced[Treatment.PSEUDONYM] += 1
        return result

    def _token_of(self, text: str) -> str:
        """Return the token of a whole value: that of a detector when it is just what that one finds."""
        if not text or TOKEN.fullmatch(text):
            return text
        found = self._redactor.text(text, "", 0)[0] if self._detectors else text
        if TOKEN.fullmatch(found):
            return found
        return self._redactor.token(FIELD, plain_form(FIELD, text))

    def _masked(self) -> str:
        self.replaced[Treatment.MASK] += 1
        return MASK


class _Text:
    """One text on its way through, once."""

    def __init__(self, redactor: Redactor, member: str, depth: int, replaced: Counter[str]) -> None:
        self._redactor = redactor
        self._detectors = redactor.profile.detectors
        self._member = member
        self._depth = depth
        self._replaced = replaced

    def redacted(self, text: str) -> str:
        if self._is_secret(text):
            return self._token(Detector.SECRET, text)
        if text.lstrip()[:1] in _CONTAINERS and len(text) > 1:
            inner = self._json(text)
            if inner is not None:
                return inner
        return self._cut(text, 0)

    def _is_secret(self, text: str) -> bool:
        return (
            Detector.SECRET in self._detectors
            and is_secret_member(self._member)
            and bool(text.strip())
            and text != MASK
            and not TOKEN.fullmatch(text)
            and not NAMES.fullmatch(text)
        )

    def _json(self, text: str) -> str | None:
        """Redact JSON written in a text, and write it again if there was something; None if it is none."""
        pairs = _Pairs()
        try:
            value = json.loads(text, strict=False, parse_constant=_refuse, object_pairs_hook=pairs.read)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict | list | str):
            return None
        walk = _Walk(self._redactor)
        redacted = walk.value(value, (), self._member, self._depth + 1)
        # Of two members with one name a reader sees the last one, and the first one would go unseen.
        if redacted == value and not pairs.repeated:
            return text
        self._replaced.update(walk.replaced)
        try:
            return json.dumps(redacted, ensure_ascii=False, allow_nan=False)
        except (ValueError, RecursionError):
            return self._token(Detector.SECRET, text)

    def _cut(self, text: str, rounds: int) -> str:
        """Replace what is found, then look again at what is left between."""
        pieces: list[str] = []
        position = 0
        for known in TOKEN.finditer(text) if "⟨" in text else ():
            pieces.append(self._cut_between(text[position : known.start()], rounds))
            pieces.append(known[0])
            position = known.end()
        pieces.append(self._cut_between(text[position:], rounds))
        return "".join(pieces)

    def _cut_between(self, text: str, rounds: int) -> str:
        found = find(text, self._member, self._detectors)
        if not found:
            return text
        if rounds >= _MAX_ROUNDS:
            return self._token(found[0].kind, text)
        pieces: list[str] = []
        position = 0
        for one in found:
            pieces.append(self._cut_between(text[position : one.start], rounds + 1))
            pieces.append(self._token(one.kind, one.plain))
            position = one.end
        pieces.append(self._cut_between(text[position:], rounds + 1))
        return "".join(pieces)

    def _token(self, kind: Detector, plain: str) -> str:
        self._replaced[kind] += 1
        return self._redactor.token(kind, plain)


class _Pairs:
    """Makes objects of pairs, and remembers whether a name came twice in one."""

    def __init__(self) -> None:
        self.repeated = False

    def read(self, pairs: list[tuple[str, JsonValue]]) -> Document:
        made = dict(pairs)
        self.repeated = self.repeated or len(made) != len(pairs)
        return made


def _refuse(constant: str) -> JsonValue:
    raise ValueError(f"{constant} is no JSON.")


def _place(pointer: JsonValue, arguments: Nodes) -> Place:
    return place_of(arguments, _tokens(pointer) if isinstance(pointer, str) else ())


def _drops(pointer: JsonValue, rules: Rules) -> bool:
    return _place(pointer, rules.arguments).treatment == Treatment.DROP


def _last_token(change: Document) -> str:
    for name in _PATHS:
        pointer = change.get(name)
        if isinstance(pointer, str) and pointer:
            return next((part for part in reversed(list(_tokens(pointer))) if not part.isdigit()), "")
    return ""


def _tokens(pointer: str) -> Iterable[str]:
    return (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])

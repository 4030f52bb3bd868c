"""A redaction profile: which detectors look at an exported case, and what is done with which fields.

A profile is a JSON document, ``handrail.redaction/1`` (docs/redaction.md). Rules name places of the composed
case. ``/arguments/...`` stands for the arguments wherever a case repeats them (proposal, truth, patch,
differences, later answers, ground truth, samples): a value hidden in one place only is not hidden.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hitl_site.lib.strict_json import JsonValue, pointer_token

FORMAT: Final = "handrail.redaction/1"
MAX_RULES: Final = 200
MAX_POINTER_LENGTH: Final = 500
MAX_ACTION_TYPES: Final = 100
MAX_ACTION_TYPE_LENGTH: Final = 120
ANY: Final = "*"


class Detector(StrEnum):
    """What is found wherever it stands, in names and in values."""

    SECRET = "secret"  # noqa: S105 - the name of a detector
    URL_CREDENTIALS = "url_credentials"
    EMAIL = "email"
    IBAN = "iban"
    CARD = "card"
    PHONE = "phone"
    IP = "ip"


class Treatment(StrEnum):
    """What a rule does with what stands at its place."""

    DROP = "drop"
    MASK = "mask"
    PSEUDONYM = "pseudonym"
    YEAR = "year"
    MONTH = "month"
    KEEP = "keep"


# Where a rule may point. All else has a meaning to exporters and graders, and holds nothing an agent wrote.
PLACES: Final = (
    ("arguments",),
    ("input", "context"),
    ("input", "reason"),
    ("input", "judge"),
    ("action", "subject"),
    ("action", "conversation_id"),
    ("decision", "note"),
    ("later", "outcome", "detail"),
    ("later", "revisions", ANY, "note"),
    ("later", "ground_truth", ANY, "detail"),
    ("later", "tags"),
)
# In these a member may be missing.
_OPEN: Final = (
    ("arguments",),
    ("input", "context"),
    ("input", "judge"),
    ("later", "outcome", "detail"),
    ("later", "ground_truth", ANY, "detail"),
)
_DETECTORS: Final = {detector.value: detector for detector in Detector}
_TREATMENTS: Final = {treatment.value: treatment for treatment in Treatment}
_ESCAPES: Final = re.compile(r"~(?![01])")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a profile, and where in it (RFC 6901)."""

    pointer: str
    message: str


class InvalidProfile(ValueError):
    """The document is no profile; ``faults`` says every reason."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.pointer or '/'}: {fault.message}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What is done at a place (a pointer; ``*`` is any member) in cases of some action types, or of all."""

    pointer: str
    treatment: Treatment
    action_types: tuple[str, ...] = ()

    @property
    def tokens(self) -> tuple[str, ...]:
        """Return the reference tokens of the pointer, read."""
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in self.pointer.split("/")[1:])

    def applies_to(self, action_type: str) -> bool:
        return not self.action_types or action_type in self.action_types

    def to_document(self) -> dict[str, JsonValue]:
        return {
            "pointer": self.pointer,
            "treatment": self.treatment.value,
            "action_types": [*self.action_types],
        }


@dataclass(frozen=True, slots=True)
class Profile:
    """Detectors and field rules. Of two rules for the same place the first one counts."""

    detectors: frozenset[Detector]
    rules: tuple[FieldRule, ...] = ()

    @classmethod
    def from_document(cls, document: JsonValue) -> Profile:
        """Read a profile, or raise ``InvalidProfile`` with every fault."""
        reader = _Reader()
        profile = reader.profile(document)
        if reader.faults:
            raise InvalidProfile(tuple(reader.faults))
        return profile

    def to_document(self) -> dict[str, JsonValue]:
        """Return the document: ``from_document`` makes an equal profile of it."""
        return {
            "format": FORMAT,
            "detectors": [detector.value for detector in Detector if detector in self.detectors],
            "rules": [rule.to_document() for rule in self.rules],
        }


def everything() -> Profile:
    """Return the profile with all detectors and no rule."""
    return Profile(detectors=frozenset(Detector))


class _Reader:
    """Reads a document and collects what is wrong with it."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def profile(self, document: JsonValue) -> Profile:
        if not self._has_members(document, "", ("format", "detectors", "rules")):
            return Profile(detectors=frozenset())
        assert isinstance(document, dict)
        if document.get("format") != FORMAT:
            self._fault("/format", f"This release reads {FORMAT}.")
        detectors = self._detectors(document.get("detectors", []))
        rules = self._rules(document.get("rules", []))
        if not self.faults and not detectors and not rules:
            self._fault("", "A profile needs a detector or a rule.")
        return Profile(detectors=frozenset(detectors), rules=tuple(rules))

    def _detectors(self, value: JsonValue) -> list[Detector]:
        found: list[Detector] = []
        for number, name in enumerate(self._list(value, "/detectors", len(Detector))):
            place = f"/detectors/{number}"
            detector = _DETECTORS.get(name) if isinstance(name, str) else None
            if detector is None:
                self._fault(place, f"There is no such detector; there are {', '.join(Detector)}.")
            elif detector in found:
                self._fault(place, "It is named twice.")
            else:
                found.append(detector)
        return found

    def _rules(self, value: JsonValue) -> list[FieldRule]:
        rules = []
        for number, rule in enumerate(self._list(value, "/rules", MAX_RULES)):
            place = f"/rules/{number}"
            if self._has_members(rule, place, ("pointer", "treatment", "action_types")):
                assert isinstance(rule, dict)
                rules.append(self._rule(rule, place))
        return [rule for rule in rules if rule is not None]

    def _rule(self, rule: Mapping[str, JsonValue], place: str) -> FieldRule | None:
        before = len(self.faults)
        pointer, name = rule.get("pointer"), rule.get("treatment")
        treatment = _TREATMENTS.get(name) if isinstance(name, str) else None
        if treatment is None:
            self._fault(f"{place}/treatment", f"It is one of {', '.join(Treatment)}.")
        self._pointer(pointer, treatment, f"{place}/pointer")
        types = self._action_types(rule.get("action_types", []), f"{place}/action_types")
        if len(self.faults) > before or not isinstance(pointer, str) or treatment is None:
            return None
        return FieldRule(pointer=pointer, treatment=treatment, action_types=tuple(types))

    def _pointer(self, pointer: JsonValue, treatment: Treatment | None, place: str) -> None:
        if not isinstance(pointer, str) or not pointer.startswith("/"):
            self._fault(place, "It is a pointer, such as /arguments/customer/name.")
        elif len(pointer) > MAX_POINTER_LENGTH:
            self._fault(place, f"It has at most {MAX_POINTER_LENGTH} characters.")
        elif _ESCAPES.search(pointer):
            self._fault(place, "After ~ comes 0 or 1 (~0 is ~, ~1 is /).")
        else:
            self._place(FieldRule(pointer, Treatment.KEEP).tokens, treatment, place)

    def _place(self, tokens: tuple[str, ...], treatment: Treatment | None, place: str) -> None:
        if tokens[0] in ("proposal", "truth", "patch", "differences"):
            self._fault(place, "Write /arguments/...: that covers every place where a case repeats them.")
        elif not any(_is_within(tokens, known) for known in PLACES):
            names = ", ".join("".join(map(pointer_token, known)) for known in PLACES)
            self._fault(place, f"A rule points into one of {names}.")
        elif treatment == Treatment.DROP and not any(
            _is_within(tokens, known) and len(tokens) > len(known) for known in _OPEN
        ):
            self._fault(place, "Only what is inside of arguments, context and details can be dropped.")

    def _action_types(self, value: JsonValue, place: str) -> list[str]:
        types: list[str] = []
        for number, name in enumerate(self._list(value, place, MAX_ACTION_TYPES)):
            if not isinstance(name, str) or not 0 < len(name) <= MAX_ACTION_TYPE_LENGTH:
                self._fault(f"{place}/{number}", "It is the name of an action type.")
            elif name in types:
                self._fault(f"{place}/{number}", "It is named twice.")
            else:
                types.append(name)
        return types

    def _list(self, value: JsonValue, place: str, most: int) -> list[JsonValue]:
        if not isinstance(value, list):
            self._fault(place, "It is a list.")
            return []
        if len(value) > most:
            self._fault(place, f"It has at most {most} entries.")
            return []
        return value

    def _has_members(self, value: JsonValue, place: str, known: tuple[str, ...]) -> bool:
        if not isinstance(value, dict):
            self._fault(place, "It is an object.")
            return False
        for name in value:
            if name not in known:
                self._fault(place + pointer_token(name), "There is no such member.")
        return True

    def _fault(self, pointer: str, message: str) -> None:
        self.faults.append(Fault(pointer, message))


def _is_within(tokens: tuple[str, ...], known: tuple[str, ...]) -> bool:
    """Say whether a place is ``known`` or inside of it."""
    return len(tokens) >= len(known) and all(
        there in (ANY, token) for there, token in zip(known, tokens, strict=False)
    )

"""Policies as files: one YAML file an action type, to be reviewed in git.

A file holds the declaration of the type and the text of its policy. Reading one takes no database: every
fault is named with its file and line. What is imported becomes a draft, or goes into shadow; a file never
publishes anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast
from urllib.parse import quote

from hitl_site.lib.jsonb import from_jsonb
from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.strict_yaml import Document, YamlError, parse, write
from policies.choices import AutonomyLevel, Risk
from policies.engine.difference import Difference, differences
from policies.engine.documents import pointer_to
from policies.engine.policy import InvalidPolicy, PolicyDocument
from policies.models import ActionType, PolicyVersion
from policies.selectors import action_types as types
from policies.selectors import policies as versions
from policies.services import action_types, policies
from policies.services.action_types import Declaration, InvalidActionType
from policies.services.ledger import Actor

FORMAT: Final = 1
_KEYS: Final = ("format", "action_type", "declaration", "policy")
_FIELDS: Final = tuple(Declaration.__annotations__)
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    **dict.fromkeys(("title", "title_template", "icon", "risk", "cluster_pointer"), (str,)),
    **dict.fromkeys(("autonomy_cap", "first_contact_level"), (str,)),
    **dict.fromkeys(("irreversible", "widens_rights", "pause_on_mismatch"), (bool,)),
    **dict.fromkeys(("reason_codes", "checklist", "cosmetic_pointers", "evidence_sources"), (list,)),
    "argument_schema": (dict, type(None)),
    "normalised_fields": (dict,),
    "second_admin": (bool, type(None)),
    **dict.fromkeys(("reading_floor_ms", "bulk_cap"), (int,)),
    **dict.fromkeys(("drill_rate", "second_opinion_rate"), (float, int)),
    "material_pointers": (list,),
    **dict.fromkeys(("severities", "ladder"), (dict,)),
    "error_limit": (float, int, type(None)),
    **dict.fromkeys(("value_pointer", "currency"), (str,)),
    **dict.fromkeys(("cost_of_error", "cost_of_review_minute", "cost_of_delay"), (float, int, type(None))),
    **dict.fromkeys(("evals_required", "drill_burst"), (bool,)),
}
_WORDS: Final = {
    str: "a text",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    int: "a whole number",
    float: "a number",
}


class FaultyFile(ValueError):
    """A file that cannot be imported; ``faults`` holds every reason, each with its line."""

    def __init__(self, faults: list[YamlError]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class DraftInTheWay(Exception):
    """Somebody's draft would be overwritten."""


@dataclass(frozen=True, kw_only=True)
class PolicyFile:
    """What one file says. ``policy`` is None where the type has none."""

    name: str
    action_type: str
    declaration: Declaration
    policy: PolicyDocument | None


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What one file did, or would do.

    ``version`` is the draft, or what is in shadow now; None where the text is the one in force.
    ``declaration`` names the fields that differ; ``declared`` says that the type is new or was changed.
    """

    file: PolicyFile
    version: PolicyVersion | None
    declared: bool
    declaration: tuple[str, ...]
    differences: tuple[Difference, ...]


def file_name(action_type_name: str) -> str:
    """Return the name of a type's file; what a file name cannot hold is written as %2F."""
    return quote(action_type_name, safe="") + ".yaml"


def export(action_type: ActionType, version: PolicyVersion | None) -> str:
    """Return a type and one version of its policy as a file: the same bytes for the same content."""
    heading = [f"{action_type.title}: what this kind of act is, and what its policy asks."]
    policy: JsonValue = None
    if version is not None:
        heading.append(f"Version {version.number}, {version.state}, SHA-256 {version.content_sha256}")
        document = PolicyDocument.from_document(version.document)
        policy = cast(dict[str, JsonValue], document.to_document())
    declaration = {field: _declared(action_type, field) for field in _FIELDS}
    for field in ("risk", "autonomy_cap", "first_contact_level"):
        declaration[field] = str(declaration[field])
    return write(
        {
            "format": FORMAT,
            "action_type": action_type.name,
            "declaration": declaration,
            "policy": policy,
        },
        heading=heading,
    )


def read(text: str, *, name: str) -> PolicyFile:
    """Return what a file says. Raises ``FaultyFile`` with every fault, each with file and line."""
    try:
        document = parse(text, name=name)
    except YamlError as error:
        raise FaultyFile([error]) from None
    value = document.value
    if not isinstance(value, dict):
        raise FaultyFile([document.error("", "a policy file is an object")])
    faults = [
        document.error(pointer_to((key,)), f"unknown; known are {', '.join(_KEYS)}")
        for key in value
        if key not in _KEYS
    ]
    faults += [document.error("", f"{key} is missing") for key in _KEYS if key not in value]
    if faults:
        raise FaultyFile(faults)
    if value["format"] != FORMAT or value["format"] is True:
        faults.append(document.error("/format", f"this version of Handrail reads format {FORMAT}"))
    action_type = value["action_type"]
    if not isinstance(action_type, str):
        faults.append(document.error("/action_type", "the name of an action type, as a text"))
        action_type = "unknown"
    declaration, found = _declaration(document, action_type, value["declaration"])
    faults += found
    policy, found = _policy(document, value["policy"])
    faults += found
    if faults:
        raise FaultyFile(sorted(faults, key=lambda fault: fault.line))
    return PolicyFile(name=name, action_type=action_type, declaration=declaration, policy=policy)


def apply(
    file: PolicyFile,
    *,
    shadow: bool = False,
    change_declaration: bool = False,
    replace_draft: bool = False,
    reason: str = "",
    now: datetime,
) -> Imported:
    """Write what a file says as a draft, or put it in shadow. Call it in a transaction.

    A type that nobody has declared is declared. The declaration of one that there is counts at once for what
    is proposed, and it changes only where that was asked for. Raises ``DraftInTheWay``, and the declaration's
    ``InvalidActionType``.
    """
    actor = Actor.system("command line")
    action_type = types.by_name(file.action_type)
    changed: tuple[str, ...] = ()
    declared = action_type is None
    if action_type is None:
        action_type = action_types.declare(name=file.action_type, actor=actor, now=now, **file.declaration)
    else:
        changed = declared_otherwise(action_type, file.declaration)
        if changed and change_declaration:
            action_type = action_types.change(
                action_type=action_type, actor=actor, now=now, **file.declaration
            )
            declared = True
    version: PolicyVersion | None = None
    found: tuple[Difference, ...] = ()
    if file.policy is not None:
        version, found = _write(
            action_type, file.policy, shadow=shadow, replace_draft=replace_draft, reason=reason, now=now
        )
    return Imported(file=file, version=version, declared=declared, declaration=changed, differences=found)


def declared_otherwise(action_type: ActionType, declaration: Declaration) -> tuple[str, ...]:
    """Return the fields of a declaration in which a file differs from what is declared."""
    return tuple(field for field, value in declaration.items() if _declared(action_type, field) != value)


def _declared(action_type: ActionType, field: str) -> JsonValue:
    """Return a field as a file says it: amounts of money, of fourteen digits at most, as numbers."""
    value = getattr(action_type, field)
    return float(value) if isinstance(value, Decimal) else from_jsonb(cast(JsonValue, value))


def _write(
    action_type: ActionType,
    policy: PolicyDocument,
    *,
    shadow: bool,
    replace_draft: bool,
    reason: str,
    now: datetime,
) -> tuple[PolicyVersion | None, tuple[Difference, ...]]:
    policies.lock(action_type)
    document = policy.to_document()
    wanted = policies.content_hash(document)
    live = versions.live_version(action_type)
    if live is not None and live.content_sha256 == wanted:
        return None, ()
    found = differences(versions.live_document(live) if live is not None else None, policy)
    in_shadow = versions.shadow_version(action_type)
    if shadow and in_shadow is not None and in_shadow.content_sha256 == wanted:
        return in_shadow, found
    draft = versions.draft_version(action_type)
    if draft is None or draft.content_sha256 != wanted:
        if draft is not None and not replace_draft:
            raise DraftInTheWay(
                f"{action_type.name} has a draft by {draft.author_name} (version {draft.number}), which this"
                " would overwrite. Nothing was imported."
            )
        draft = policies.save_draft(
            action_type=action_type, document=document, author=None, reason=reason, now=now
        )
    if shadow:
        draft = policies.start_shadow(
            version=draft, person=None, content_sha256=draft.content_sha256, now=now
        )
    return draft, found


def _declaration(
    document: Document, action_type: str, value: JsonValue
) -> tuple[Declaration, list[YamlError]]:
    if not isinstance(value, dict):
        return Declaration(), [document.error("/declaration", "an object")]
    faults = []
    fields: dict[str, Any] = {}
    for key, member in value.items():
        pointer = pointer_to(("declaration", key))
        kinds = _TYPES.get(key)
        if kinds is None:
            faults.append(document.error(pointer, f"unknown; known are {', '.join(_FIELDS)}"))
        elif not isinstance(member, kinds) or (isinstance(member, bool) and bool not in kinds):
            faults.append(document.error(pointer, f"{_WORDS[kinds[0]]}"))
        else:
            fields[key] = member
    faults += [
        document.error("/declaration", f"{key} is missing") for key in ("title", "risk") if key not in value
    ]
    declaration = cast(Declaration, fields)
    if not faults:
        try:
            action_types.as_declared(name=action_type, **declaration)
        except InvalidActionType as invalid:
            for error in invalid.errors:
                where = "/action_type" if error.field == "name" else pointer_to(("declaration", error.field))
                faults.append(document.error(where, error.message))
        else:
            _as_members(fields)
    return declaration, faults


def _as_members(fields: dict[str, Any]) -> None:
    """Turn the checked texts of a declaration into the choices that they name."""
    fields["risk"] = Risk(fields["risk"])
    for field in ("autonomy_cap", "first_contact_level"):
        if field in fields:
            fields[field] = AutonomyLevel(fields[field])


def _policy(document: Document, value: JsonValue) -> tuple[PolicyDocument | None, list[YamlError]]:
    if value is None:
        return None, []
    if not isinstance(value, dict):
        return None, [document.error("/policy", "an object, or null for none")]
    try:
        return PolicyDocument.from_document(value), []
    except InvalidPolicy as invalid:
        return None, [document.error("/policy" + error.pointer, error.message) for error in invalid.errors]

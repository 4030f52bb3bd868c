"""Action types: an operator declares a kind of act, and every change of that is on record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final, TypedDict, Unpack, cast

from django.db import IntegrityError, transaction

from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
from policies.choices import AutonomyLevel, PublicationState, Risk
from policies.engine import binding, evidence_rules, evidence_sources
from policies.engine.declaration_loosening import loosening
from policies.engine.scope import InvalidSchema, check_schema
from policies.models import ActionType, DeclarationChange
from policies.selectors import autonomy as ladder
from policies.selectors.evidence_limits import is_costly
from policies.services import ledger
from policies.services.ledger import Actor

DEFAULT_REASON_CODES: Final[tuple[dict[str, str], ...]] = (
    {"code": "wrong_action", "label": "Wrong action for this case"},
    {"code": "wrong_arguments", "label": "Right action, wrong details"},
    {"code": "wrong_target", "label": "Wrong person, account or object"},
    {"code": "missing_information", "label": "Information is missing"},
    {"code": "against_policy", "label": "Against our policy"},
    {"code": "not_needed", "label": "Not needed"},
    {"code": "other", "label": "Something else"},
)

_FIRST_CONTACT: Final = frozenset({AutonomyLevel.SHADOW, AutonomyLevel.REVIEW_ALL})
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,119}")
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ICON: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_POINTER: Final = re.compile(r"(/([^~/]|~[01])*)*")
_LONGEST_FLOOR_MS: Final = 600_000
_MOST_CODES: Final = 50
_MOST_CHECKS: Final = 30
# Of what is decided: more drills would be most of the work, while everything may be asked twice.
MOST_DRILLS: Final = 0.05
MOST_SECOND_OPINIONS: Final = 1.0
# More than this nobody looks through.
MOST_TOGETHER: Final = 25


# A declaration as JSON, field by field.
Document = dict[str, JsonValue]


class Declaration(TypedDict, total=False):
    """What an operator may say of an action type besides its name; ``change`` takes any part of it."""

    title: str
    title_template: str
    icon: str
    risk: Risk
    irreversible: bool
    widens_rights: bool
    argument_schema: Mapping[str, JsonValue] | None
    reason_codes: Sequence[Mapping[str, str]]
    checklist: Sequence[str]
    cluster_pointer: str
    cosmetic_pointers: Sequence[str]
    normalised_fields: Mapping[str, Sequence[str]]
    pause_on_mismatch: bool
    second_admin: bool | None
    autonomy_cap: AutonomyLevel
    first_contact_level: AutonomyLevel
    reading_floor_ms: int
    evidence_sources: Sequence[Mapping[str, str]]
    drill_rate: float
    drill_burst: bool
    second_opinion_rate: float
    bulk_cap: int
    material_pointers: Sequence[str]
    severities: Mapping[str, float]
    error_limit: float | None
    ladder: Mapping[str, float]
    evals_required: bool
    value_pointer: str
    currency: str
    cost_of_error: float | None
    cost_of_review_minute: float | None
    cost_of_delay: float | None


_COSTS: Final = ("cost_of_error", "cost_of_review_minute", "cost_of_delay")
_HIGHEST_COST: Final = 1e12
_FIELDS: Final = tuple(Declaration.__annotations__)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault and the field it belongs to."""

    field: str
    message: str


class InvalidActionType(ValueError):
    """The declaration cannot stand; ``errors`` holds every fault, in the order of the fields."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in self.errors))


def declare(*, name: str, actor: Actor, now: datetime, **declaration: Unpack[Declaration]) -> ActionType:
    """Declare a kind of act. Only a title and a risk have to be given beside the name.

    What nobody says otherwise: a person reviews everything at first, and an irreversible or critical act, or
    one that widens the agent's rights, never passes ``review_all``.
    """
    action_type = ActionType(public_id=ids.new("aty"), name=name, created_at=now, updated_at=now)
    action_type.reason_codes = [dict(code) for code in DEFAULT_REASON_CODES]
    _apply(action_type, declaration)
    if "autonomy_cap" not in declaration and _is_grave(action_type):
        action_type.autonomy_cap = AutonomyLevel.REVIEW_ALL
    missing = [
        FieldError(field, "It is required.") for field in ("title", "risk") if field not in declaration
    ]
    _refuse([*missing, *_faults(action_type)])
    with transaction.atomic():
        try:
            with transaction.atomic():
                action_type.save(force_insert=True)
        except IntegrityError:
            raise InvalidActionType(
                [FieldError("name", f"There is an action type named {name} already.")]
            ) from None
        _record("action_type.declared", action_type, before=None, actor=actor, now=now)
    return action_type


def change(
    *,
    action_type: ActionType,
    actor: Actor,
    now: datetime,
    authority: Mapping[str, JsonValue] | None = None,
    **declaration: Unpack[Declaration],
) -> ActionType:
    """Change what is given of an action type; its name stays for ever. No difference, no entry.

    An act that becomes irreversible, critical or widens rights falls back to the cap ``review_all``. Nobody
    is asked for a second look here: that is ``declaration_changes``, through which every page goes; commands
    and seeding come straight, and where that loosens, the ledger says so. ``authority`` goes into the
    ledger: who stood for it. A wish that waits was asked against what stood before, and is withdrawn.
    """
    with transaction.atomic():
        current = ActionType.objects.select_for_update(no_key=True).get(pk=action_type.pk)
        before, after = amend(current, declaration)
        if after == before:
            return current
        for waiting in DeclarationChange.objects.filter(action_type=current, state=PublicationState.OPEN):
            close_change(
                waiting,
                state=PublicationState.WITHDRAWN,
                because="The declaration was changed.",
                actor=actor,
                now=now,
            )
        current.updated_at = now
        current.save()
        looser = [each.sentence for each in loosening(before, after)]
        said: Document = {}
        if looser:
            said["loosening"] = list[JsonValue](looser)
            said["authority"] = dict(authority) if authority is not None else {"four_eyes": "seeded"}
        _record("action_type.changed", current, before=before, actor=actor, now=now, **said)
    return current


def amend(action_type: ActionType, declaration: Declaration) -> tuple[Document, Document]:
    """Set what is given on the instance alone; return the declaration before and after.

    Raises ``InvalidActionType``.
    """
    before = document_of(action_type)
    was_grave = _is_grave(action_type)
    _apply(action_type, declaration)
    if _is_grave(action_type) and not was_grave and "autonomy_cap" not in declaration:
        action_type.autonomy_cap = ladder.lowest(
            AutonomyLevel(action_type.autonomy_cap), AutonomyLevel.REVIEW_ALL
        )
    _refuse(_faults(action_type))
    return before, document_of(action_type)


def close_change(
    change: DeclarationChange, *, state: PublicationState, because: str, actor: Actor, now: datetime
) -> None:
    """Close a change that waits, with its entry; the caller holds the action type's lock."""
    change.state, change.closed_at, change.closed_because = state, now, because
    change.save(update_fields=["state", "closed_at", "closed_because"])
    ledger.record(
        actor=actor,
        verb=f"declaration_change.{state}",
        object_kind="declaration_change",
        object_id=change.public_id,
        now=now,
        payload={
            "action_type": change.action_type.name,
            "content_sha256": change.content_sha256,
            "because": because,
            "before": {"state": PublicationState.OPEN.value},
            "after": {"state": state.value},
        },
    )


def as_declared(*, name: str, **declaration: Unpack[Declaration]) -> ActionType:
    """Return a type as it would be declared, without storing it. Raises ``InvalidActionType``."""
    action_type = ActionType(name=name)
    action_type.reason_codes = [dict(code) for code in DEFAULT_REASON_CODES]
    _apply(action_type, declaration)
    if "autonomy_cap" not in declaration and _is_grave(action_type):
        action_type.autonomy_cap = AutonomyLevel.REVIEW_ALL
    _refuse(_faults(action_type))
    return action_type


def _apply(action_type: ActionType, declaration: Declaration) -> None:
    for field, value in declaration.items():
        if field not in _FIELDS:
            raise TypeError(f"an action type has no {field}")
        setattr(action_type, field, value)


def _is_grave(action_type: ActionType) -> bool:
    return action_type.irreversible or action_type.widens_rights or action_type.risk == Risk.CRITICAL


def _refuse(errors: Sequence[FieldError]) -> None:
    if errors:
        raise InvalidActionType(errors)


def _faults(action_type: ActionType) -> list[FieldError]:
    """Return every fault, in the order of the fields."""
    checks: dict[str, Callable[[ActionType], Iterator[str]]] = {
        "name": _name_faults,
        "title": _title_faults,
        "title_template": _template_faults,
        "icon": _icon_faults,
        "risk": _risk_faults,
        "argument_schema": _schema_faults,
        "reason_codes": _reason_code_faults,
        "checklist": _checklist_faults,
        "cluster_pointer": _pointer_faults,
        "cosmetic_pointers": _cosmetic_faults,
        "normalised_fields": _normalised_faults,
        "second_admin": _second_admin_faults,
        "autonomy_cap": _cap_faults,
        "first_contact_level": _first_contact_faults,
        "reading_floor_ms": _floor_faults,
        "evidence_sources": _evidence_faults,
        "drill_rate": partial(_rate_faults, field="drill_rate", most=MOST_DRILLS),
        "second_opinion_rate": partial(_rate_faults, field="second_opinion_rate", most=MOST_SECOND_OPINIONS),
        "bulk_cap": _bulk_faults,
        "material_pointers": lambda declared: evidence_rules.pointer_faults(declared.material_pointers),
        "severities": _severity_faults,
        "value_pointer": _value_pointer_faults,
        "currency": _currency_faults,
        **{field: partial(_cost_faults, field=field) for field in _COSTS},
        "error_limit": lambda declared: evidence_rules.limit_faults(declared.error_limit),
        "ladder": lambda declared: evidence_rules.ladder_faults(declared.ladder, costly=is_costly(declared)),
    }
    return [FieldError(field, fault) for field, faults in checks.items() for fault in faults(action_type)]


def _name_faults(action_type: ActionType) -> Iterator[str]:
    if not _NAME.fullmatch(action_type.name):
        yield "1 to 120 letters, digits, dots, dashes, underscores, colons and slashes, as in refund.issue."


def _title_faults(action_type: ActionType) -> Iterator[str]:
    if not action_type.title.strip() or len(action_type.title) > 160:
        yield "1 to 160 characters."


def _template_faults(action_type: ActionType) -> Iterator[str]:
    template = action_type.title_template
    if len(template) > 300:
        yield "At most 300 characters."
    # What a field may say is the concern of whoever fills it in; here braces only have to come in pairs.
    outside = re.sub(r"\{[^{}]+\}", "", template.replace("{{", "").replace("}}", ""))
    if "{" in outside or "}" in outside:
        yield "A field stands in braces, as in {amount}, and every brace has its partner."


def _icon_faults(action_type: ActionType) -> Iterator[str]:
    if not _ICON.fullmatch(action_type.icon):
        yield "The name of an icon: up to 40 of a-z, 0-9 and dashes."


def _risk_faults(action_type: ActionType) -> Iterator[str]:
    if action_type.risk not in Risk.values:
        yield f"One of {', '.join(Risk.values)}."


def _schema_faults(action_type: ActionType) -> Iterator[str]:
    schema = action_type.argument_schema
    if schema is None:
        return
    if not isinstance(schema, Mapping):
        yield "A JSON Schema is an object."
        return
    try:
        check_schema(schema)
    except InvalidSchema as error:
        yield f"At {error.pointer or 'the root'}: {error.message}."


def _reason_code_faults(action_type: ActionType) -> Iterator[str]:
    codes = action_type.reason_codes
    if not isinstance(codes, list | tuple) or not 1 <= len(codes) <= _MOST_CODES:
        yield f"A list of 1 to {_MOST_CODES} codes."
        return
    seen: set[str] = set()
    for number, entry in enumerate(codes, start=1):
        if not isinstance(entry, Mapping) or set(entry) != {"code", "label"}:
            yield f"Number {number} has a code and a label, and nothing else."
            continue
        code, label = entry["code"], entry["label"]
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            yield f"Number {number}: a code starts with a letter and has up to 64 of a-z, 0-9 and underscore."
        elif code in seen:
            yield f"Number {number}: the code {code} is used twice."
        if not isinstance(label, str) or not label.strip() or len(label) > 120:
            yield f"Number {number}: a label has 1 to 120 characters."
        seen.add(str(code))


def _checklist_faults(action_type: ActionType) -> Iterator[str]:
    checklist = action_type.checklist
    if not isinstance(checklist, list | tuple) or len(checklist) > _MOST_CHECKS:
        yield f"A list of at most {_MOST_CHECKS} sentences."
        return
    for number, entry in enumerate(checklist, start=1):
        if not isinstance(entry, str) or not entry.strip() or len(entry) > 300:
            yield f"Number {number}: a sentence has 1 to 300 characters."


def _value_pointer_faults(action_type: ActionType) -> Iterator[str]:
    pointer = action_type.value_pointer
    if not isinstance(pointer, str) or len(pointer) > 200 or not _POINTER.fullmatch(pointer):
        yield "A JSON pointer such as /amount, or nothing."


def _currency_faults(action_type: ActionType) -> Iterator[str]:
    if not isinstance(action_type.currency, str) or not re.fullmatch(r"[A-Z]{0,12}", action_type.currency):
        yield "A code in capital letters, such as EUR."


def _cost_faults(action_type: ActionType, *, field: str) -> Iterator[str]:
    cost = getattr(action_type, field)
    if cost is None:
        return
    if isinstance(cost, bool) or not isinstance(cost, int | float | Decimal) or not 0 <= cost < _HIGHEST_COST:
        yield "A number from 0, or nothing."


def _severity_faults(action_type: ActionType) -> Iterator[str]:
    codes = action_type.reason_codes if isinstance(action_type.reason_codes, list | tuple) else ()
    named = {str(code.get("code")) for code in codes if isinstance(code, Mapping)}
    yield from evidence_rules.severity_faults(action_type.severities, codes=named)


def _pointer_faults(action_type: ActionType) -> Iterator[str]:
    if len(action_type.cluster_pointer) > 200 or not _POINTER.fullmatch(action_type.cluster_pointer):
        yield "A JSON pointer into the arguments, as in /order_id, of at most 200 characters; or nothing."


def _cosmetic_faults(action_type: ActionType) -> Iterator[str]:
    yield from binding.faults(action_type.cosmetic_pointers, {})[0]


def _normalised_faults(action_type: ActionType) -> Iterator[str]:
    yield from binding.faults([], action_type.normalised_fields)[1]


def _second_admin_faults(action_type: ActionType) -> Iterator[str]:
    if action_type.second_admin not in (True, False, None):
        yield "true, false, or nothing to go by the risk."


def _cap_faults(action_type: ActionType) -> Iterator[str]:
    if action_type.autonomy_cap not in AutonomyLevel.values:
        yield f"One of {', '.join(AutonomyLevel.values)}."
    elif _is_grave(action_type) and ladder.rank(action_type.autonomy_cap) > ladder.rank(
        AutonomyLevel.REVIEW_ALL
    ):
        yield "What is irreversible, critical or widens the agent's rights goes no further than Review all."


def _first_contact_faults(action_type: ActionType) -> Iterator[str]:
    if action_type.first_contact_level not in _FIRST_CONTACT:
        yield "Shadow or Review all: nobody runs alone on first contact."


def _floor_faults(action_type: ActionType) -> Iterator[str]:
    floor = action_type.reading_floor_ms
    if type(floor) is not int or not 0 <= floor <= _LONGEST_FLOOR_MS:
        yield f"A whole number of milliseconds from 0 to {_LONGEST_FLOOR_MS}."


def _evidence_faults(action_type: ActionType) -> Iterator[str]:
    yield from evidence_sources.faults(action_type.evidence_sources)


def _rate_faults(action_type: ActionType, *, field: str, most: float) -> Iterator[str]:
    rate = getattr(action_type, field)
    if type(rate) not in (int, float) or not 0 <= rate <= most:
        yield f"A share from 0 to {most:g}, as in 0.05."


def _bulk_faults(action_type: ActionType) -> Iterator[str]:
    cap = action_type.bulk_cap
    if type(cap) is not int or not 0 <= cap <= MOST_TOGETHER:
        yield f"A whole number from 0 to {MOST_TOGETHER}; 0 is each by itself."


def document_of(action_type: ActionType) -> Document:
    """Return the declaration as JSON, a copy that later changes do not reach."""
    fields = {field: getattr(action_type, field) for field in _FIELDS}
    fields["argument_schema"] = dict(fields["argument_schema"]) if fields["argument_schema"] else None
    fields["reason_codes"] = [dict(code) for code in fields["reason_codes"]]
    fields["checklist"] = list(fields["checklist"])
    fields["cosmetic_pointers"] = list(fields["cosmetic_pointers"])
    fields["material_pointers"] = list(fields["material_pointers"])
    fields["severities"] = dict(fields["severities"])
    fields["ladder"] = dict(fields["ladder"])
    fields["evidence_sources"] = [dict(source) for source in fields["evidence_sources"]]
    fields["normalised_fields"] = {
        pointer: list(forms) for pointer, forms in fields["normalised_fields"].items()
    }
    for field in ("risk", "autonomy_cap", "first_contact_level"):
        fields[field] = str(fields[field])
    for field in _COSTS:
        fields[field] = None if fields[field] is None else float(fields[field])
    for field in ("drill_rate", "second_opinion_rate"):
        # 0 and 0.0 are one rate.
        fields[field] = float(fields[field])
    return cast(Document, fields)


def _record(
    verb: str,
    action_type: ActionType,
    *,
    before: Document | None,
    actor: Actor,
    now: datetime,
    **said: JsonValue,
) -> None:
    after = document_of(action_type)
    old: dict[str, JsonValue] = {}
    if before is not None:
        # What did not change would bury what did.
        after = {field: value for field, value in after.items() if before[field] != value}
        old = {field: before[field] for field in after}
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="action_type",
        object_id=action_type.public_id,
        now=now,
        payload={"name": action_type.name, "before": old or None, "after": after, **said},
    )

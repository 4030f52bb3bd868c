"""Action types: what an operator may declare, and what is refused with every fault named."""

from __future__ import annotations

import pytest

from policies.choices import AutonomyLevel, Risk
from policies.models import ActionType, LedgerEntry
from policies.services import action_types
from policies.tests.base import NOON, SYSTEM, make_refund_type, recorded

pytestmark = pytest.mark.django_db


def test_a_declaration_is_stored_with_careful_defaults() -> None:
    declared = action_types.declare(
        name="refund.issue", title="Issue a refund", risk=Risk.LOW, actor=SYSTEM, now=NOON
    )
    stored = ActionType.objects.get()
    assert stored == declared
    assert (stored.first_contact_level, stored.autonomy_cap) == ("review_all", "autonomous")
    assert [code["code"] for code in stored.reason_codes] == [
        code["code"] for code in action_types.DEFAULT_REASON_CODES
    ]
    (body,) = recorded("action_type.declared")
    assert body["before"] is None
    assert body["after"]["risk"] == "low"


@pytest.mark.parametrize("grave", [{"risk": Risk.CRITICAL}, {"irreversible": True}, {"widens_rights": True}])
def test_a_grave_act_is_capped_at_review_all(grave: dict[str, object]) -> None:
    assert make_refund_type(**grave).autonomy_cap == "review_all"
    with pytest.raises(action_types.InvalidActionType) as refused:
        make_refund_type(name="other", autonomy_cap=AutonomyLevel.THRESHOLD, **grave)
    assert [error.field for error in refused.value.errors] == ["autonomy_cap"]
    assert ActionType.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "refund issue"),
        ("name", "x" * 121),
        ("title", " "),
        ("title", "x" * 161),
        ("title_template", "Refund {amount"),
        ("title_template", "Refund amount}"),
        ("title_template", "Refund {}"),
        ("title_template", "Refund {a{b}}"),
        ("title_template", "x" * 301),
        ("icon", "../wrench"),
        ("risk", "mild"),
        ("argument_schema", {"type": "objekt"}),
        ("argument_schema", {"$ref": "https://example.com/schema.json"}),
        ("argument_schema", {"$schema": "http://json-schema.org/draft-07/schema#"}),
        ("argument_schema", []),
        ("reason_codes", []),
        ("reason_codes", [{"code": "Bad Code", "label": "x"}]),
        ("reason_codes", [{"code": "a", "label": "x"}, {"code": "a", "label": "y"}]),
        ("reason_codes", [{"code": "a"}]),
        ("checklist", ["fine", ""]),
        ("cluster_pointer", "order_id"),
        ("cluster_pointer", "/a~2"),
        ("autonomy_cap", "boundless"),
        ("first_contact_level", AutonomyLevel.THRESHOLD),
        ("reading_floor_ms", -1),
        ("reading_floor_ms", True),
    ],
)
def test_a_faulty_field_is_named_and_nothing_is_stored(field: str, value: object) -> None:
    with pytest.raises(action_types.InvalidActionType) as refused:
        make_refund_type(**{field: value})
    assert {error.field for error in refused.value.errors} == {field}
    assert not ActionType.objects.exists()
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize("template", ["", "Refund {amount|money}", "{{literally}} {a/b}", "Refund"])
def test_a_template_with_paired_braces_is_taken(template: str) -> None:
    assert make_refund_type(title_template=template).title_template == template


def test_all_faults_come_at_once() -> None:
    with pytest.raises(action_types.InvalidActionType) as refused:
        make_refund_type(title="", icon="?", checklist=[""])
    assert [error.field for error in refused.value.errors] == ["title", "icon", "checklist"]


def test_a_title_and_a_risk_have_to_be_given() -> None:
    with pytest.raises(action_types.InvalidActionType) as refused:
        action_types.declare(name="refund.issue", actor=SYSTEM, now=NOON)
    assert {error.field for error in refused.value.errors} == {"title", "risk"}


def test_a_name_is_declared_once(refund: ActionType) -> None:
    with pytest.raises(action_types.InvalidActionType, match="already"):
        make_refund_type()
    assert ActionType.objects.get() == refund


def test_a_change_records_what_was_and_what_is(refund: ActionType) -> None:
    changed = action_types.change(action_type=refund, title="Refund", risk=Risk.HIGH, actor=SYSTEM, now=NOON)
    assert (changed.title, changed.risk, changed.icon) == ("Refund", "high", "wrench")
    (body,) = recorded("action_type.changed")
    assert body == {
        "name": "refund.issue",
        "before": {"title": "Issue a refund", "risk": "medium"},
        "after": {"title": "Refund", "risk": "high"},
    }


def test_a_change_of_nothing_leaves_no_trace(refund: ActionType) -> None:
    action_types.change(action_type=refund, title="Issue a refund", actor=SYSTEM, now=NOON)
    assert not LedgerEntry.objects.filter(verb="action_type.changed").exists()


def test_an_act_that_becomes_critical_falls_back_to_review_all(refund: ActionType) -> None:
    changed = action_types.change(action_type=refund, risk=Risk.CRITICAL, actor=SYSTEM, now=NOON)
    assert changed.autonomy_cap == "review_all"
    with pytest.raises(action_types.InvalidActionType):
        action_types.change(action_type=refund, autonomy_cap=AutonomyLevel.AUTONOMOUS, actor=SYSTEM, now=NOON)
    assert ActionType.objects.get().autonomy_cap == "review_all"


def test_a_refused_change_changes_nothing(refund: ActionType) -> None:
    with pytest.raises(action_types.InvalidActionType):
        action_types.change(action_type=refund, title="New", icon="?", actor=SYSTEM, now=NOON)
    assert ActionType.objects.get().title == "Issue a refund"

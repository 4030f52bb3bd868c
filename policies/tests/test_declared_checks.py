"""Shares of drills and second opinions, and how many go at once: declared, bounded, on record."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.forms.action_types import DeclarationForm, initial_of
from policies.forms.declaration_checks import read_share, written_share
from policies.models import ActionType, LedgerEntry
from policies.services import action_types
from policies.services.ledger import Actor


@pytest.mark.parametrize("percent", ["0", "0.5", "5", "12.5", "100", "33.3"])
def test_a_share_reads_back_as_it_was_written(percent: str) -> None:
    assert written_share(read_share(Decimal(percent))) == Decimal(percent)


def test_nothing_typed_is_none() -> None:
    assert read_share(None) == 0.0


def _declared() -> ActionType:
    return action_types.declare(
        name="parcel.send",
        title="Parcel",
        risk=Risk.LOW,
        second_opinion_rate=0.05,
        drill_rate=0.02,
        actor=Actor.system(),
        now=database_now(),
    )


def test_they_are_declared_changed_and_on_record(db: None) -> None:
    declared = _declared()
    action_types.change(
        action_type=declared, second_opinion_rate=0.1, actor=Actor.system(), now=database_now()
    )
    declared.refresh_from_db()
    assert (declared.second_opinion_rate, declared.drill_rate) == (0.1, 0.02)
    told: Any = LedgerEntry.objects.get(verb="action_type.changed").payload.body
    assert told["before"] == {"second_opinion_rate": 0.05}
    assert told["after"] == {"second_opinion_rate": 0.1}
    assert initial_of(declared)["second_opinion_rate"] == Decimal(10)


def test_how_many_are_answered_at_once_is_declared(db: None) -> None:
    declared = _declared()
    assert declared.bulk_cap == action_types.MOST_TOGETHER
    action_types.change(action_type=declared, bulk_cap=4, actor=Actor.system(), now=database_now())
    declared.refresh_from_db()
    assert declared.bulk_cap == 4
    assert initial_of(declared)["bulk_cap"] == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("drill_rate", 0.06),
        ("drill_rate", -0.01),
        ("second_opinion_rate", 1.01),
        ("second_opinion_rate", True),
        ("bulk_cap", 26),
        ("bulk_cap", -1),
        ("bulk_cap", 2.0),
    ],
)
def test_what_lies_beyond_its_bounds_is_refused(db: None, field: str, value: float) -> None:
    with pytest.raises(action_types.InvalidActionType, match=field):
        action_types.declare(
            name="x",
            title="X",
            risk=Risk.LOW,
            actor=Actor.system(),
            now=database_now(),
            **{field: value},  # type: ignore[arg-type]  # the test's own names
        )
    assert not ActionType.objects.exists()


@pytest.mark.parametrize(
    ("field", "typed"), [("drill_rate", "6"), ("second_opinion_rate", "101"), ("bulk_cap", "26")]
)
def test_the_form_says_where_the_bounds_are(field: str, typed: str) -> None:
    form = DeclarationForm({field: typed})
    assert "less than or equal to" in form.errors[field][0]

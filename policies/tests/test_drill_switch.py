"""The switch for drills that begin a shift: off by default, for ops admins, both values in the ledger."""

from __future__ import annotations

import pytest
from django.test import Client

from policies.forms.action_types import DeclarationForm, initial_of
from policies.models import ActionType
from policies.tests.base import recorded
from policies.tests.people import browser_of, make_member, text_of
from policies.tests.test_action_type_pages import EDIT, NEW, TYPED

pytestmark = pytest.mark.django_db
LOW = {name: value for name, value in TYPED.items() if name != "irreversible"} | {"risk": "low"}


def edit(client: Client, **typed: str) -> int:
    """Send the declaration as it stands, with what is typed; return the status."""
    form = DeclarationForm(initial=initial_of(ActionType.objects.get()))
    shown = {name: form[name].value() for name in form.fields}
    fields = {name: "on" if value is True else value for name, value in shown.items() if value is not False}
    return client.post(EDIT, {**fields, **typed}).status_code


def test_it_is_off_until_an_ops_admin_switches_it_on_and_the_ledger_has_both() -> None:
    admin = browser_of(make_member("ops_admin"))
    admin.post(NEW, LOW)
    assert ActionType.objects.get().drill_burst is False
    form = text_of(admin.get(EDIT))
    assert "Begin a shift with five drills" in form

    assert edit(admin, drill_burst="on") == 302
    assert ActionType.objects.get().drill_burst is True
    told = recorded("action_type.changed")[-1]
    assert (told["before"], told["after"]) == ({"drill_burst": False}, {"drill_burst": True})
    assert "five begin a shift" in text_of(admin.get("/policies/refund.issue/"))


@pytest.mark.parametrize("group", ["reviewer", "lead", "manager", "auditor"])
def test_nobody_else_switches_it(group: str) -> None:
    browser_of(make_member("ops_admin")).post(NEW, LOW)
    assert edit(browser_of(make_member(group)), drill_burst="on") == 403
    assert ActionType.objects.get().drill_burst is False
    assert recorded("action_type.changed") == []

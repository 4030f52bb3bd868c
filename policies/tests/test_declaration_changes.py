"""A declaration is tightened by one person at once, and loosened by as many as a policy of that type."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings as site
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from policies.choices import AutonomyLevel, PublicationState, Risk
from policies.models import ActionType, DeclarationApproval, DeclarationChange, LedgerEntry, PolicyVersion
from policies.selectors import declaration_changes as found
from policies.services import action_types, declaration_changes
from policies.tests.base import NOON, SYSTEM, make_policy, make_refund_type, recorded
from policies.tests.people import browser_of, everything_stored, make_member, text_of
from policies.tests.test_publications import LATER, make_admin

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

EDIT = "/policies/refund.issue/declaration/"


@pytest.fixture
def olga(refund_policy: PolicyVersion) -> User:
    return make_admin("olga")


@pytest.fixture
def pete(refund_policy: PolicyVersion) -> User:
    return make_admin("pete")


def ask(action_type: ActionType, person: User, **declaration: Any) -> declaration_changes.Saved:
    seen = ActionType.objects.get(pk=action_type.pk).updated_at
    return declaration_changes.ask(
        action_type=action_type,
        person=person,
        reason="It did well",
        seen_at=seen,
        now=LATER,
        **declaration,
    )


def approve(change: DeclarationChange | None, person: User, sha256: str = "") -> DeclarationChange:
    assert change is not None
    return declaration_changes.approve(
        change=change, person=person, content_sha256=sha256 or change.content_sha256, now=LATER
    )


def declared(action_type: ActionType) -> ActionType:
    return ActionType.objects.get(pk=action_type.pk)


def test_what_tightens_is_in_force_at_once(refund: ActionType, olga: User) -> None:
    saved = ask(refund, olga, risk=Risk.HIGH, pause_on_mismatch=True, title="Refund")
    assert (saved.in_force, saved.waiting) == (("title", "risk", "pause_on_mismatch"), None)
    assert declared(refund).risk == "high"
    assert "authority" not in recorded("action_type.changed")[0]


@pytest.mark.parametrize(
    "change",
    [
        {"risk": Risk.LOW},
        {"argument_schema": None},
        {"second_admin": False},
        {"cosmetic_pointers": ["/amount"]},
        {"normalised_fields": {"/order_id": ["upper"]}},
        {"cluster_pointer": ""},
        {"reading_floor_ms": 0},
    ],
)
def test_what_loosens_waits_and_changes_nothing(
    refund: ActionType, olga: User, change: dict[str, Any]
) -> None:
    before = action_types.document_of(declared(refund))
    saved = ask(refund, olga, **change)
    assert saved.in_force == ()
    assert saved.waiting is not None
    assert (saved.waiting.state, saved.waiting.people_required) == ("open", 2)
    assert action_types.document_of(declared(refund)) == before
    assert recorded("action_type.changed") == []
    (told,) = recorded("declaration_change.asked")
    assert list(told["before"]) == list(told["after"]) == list(change)
    with pytest.raises(declaration_changes.AlreadyCounted):
        approve(saved.waiting, olga)
    assert action_types.document_of(declared(refund)) == before


def test_a_second_person_puts_it_in_force_and_the_ledger_names_both(
    refund: ActionType, olga: User, pete: User
) -> None:
    done = approve(ask(refund, olga, risk=Risk.LOW).waiting, pete)
    assert (done.state, declared(refund).risk) == ("done", "low")
    (told,) = recorded("action_type.changed")
    assert (told["before"], told["after"]) == ({"risk": "medium"}, {"risk": "low"})
    assert told["loosening"] == ["Risk: medium → low."]
    assert [(each["name"], each["roles"]) for each in told["authority"]["people"]] == [
        ("olga", ["asked"]),
        ("pete", ["approved"]),
    ]
    with pytest.raises(declaration_changes.NotWaiting):
        approve(done, make_admin("rosa"))


def test_a_type_that_takes_a_second_admin_takes_three_people(
    refund: ActionType, olga: User, pete: User
) -> None:
    action_types.change(action_type=refund, risk=Risk.HIGH, actor=SYSTEM, now=NOON)
    change = ask(refund, olga, risk=Risk.LOW).waiting
    assert change is not None
    assert change.people_required == 3
    approve(change, pete)
    assert declared(refund).risk == "high"
    approve(change, make_admin("rosa"))
    assert declared(refund).risk == "low"


def test_of_one_form_the_stricter_part_counts_and_the_looser_part_waits(
    refund: ActionType, olga: User, pete: User
) -> None:
    saved = ask(refund, olga, pause_on_mismatch=True, title="Refund", risk=Risk.LOW, second_admin=False)
    assert saved.in_force == ("title", "pause_on_mismatch")
    now = declared(refund)
    assert (now.title, now.pause_on_mismatch, now.risk, now.second_admin) == ("Refund", True, "medium", None)
    approve(saved.waiting, pete)
    now = declared(refund)
    assert (now.title, now.pause_on_mismatch, now.risk, now.second_admin) == ("Refund", True, "low", False)


def test_a_cap_goes_up_only_together_with_what_allows_it(refund: ActionType, olga: User, pete: User) -> None:
    action_types.change(
        action_type=refund,
        irreversible=True,
        autonomy_cap=AutonomyLevel.REVIEW_ALL,
        second_admin=False,
        actor=SYSTEM,
        now=NOON,
    )
    with pytest.raises(action_types.InvalidActionType):
        ask(refund, olga, autonomy_cap=AutonomyLevel.AUTONOMOUS)
    assert not DeclarationChange.objects.exists()
    change = ask(refund, olga, irreversible=False, autonomy_cap=AutonomyLevel.AUTONOMOUS).waiting
    assert declared(refund).autonomy_cap == "review_all"
    approve(change, pete)
    assert (declared(refund).irreversible, declared(refund).autonomy_cap) == (False, "autonomous")


def test_one_change_of_a_type_waits_at_a_time_and_nothing_of_the_other_counts(
    refund: ActionType, olga: User, pete: User
) -> None:
    ask(refund, olga, risk=Risk.LOW)
    entries = LedgerEntry.objects.count()
    with pytest.raises(declaration_changes.AlreadyAsked, match="olga"):
        ask(refund, pete, pause_on_mismatch=True, reading_floor_ms=0)
    assert (declared(refund).pause_on_mismatch, LedgerEntry.objects.count()) == (False, entries)


def test_another_change_of_the_declaration_withdraws_what_waits(
    refund: ActionType, olga: User, pete: User
) -> None:
    change = ask(refund, olga, risk=Risk.LOW).waiting
    assert change is not None
    ask(refund, pete, pause_on_mismatch=True)
    change.refresh_from_db()
    assert (change.state, change.closed_because) == ("withdrawn", "The declaration was changed.")
    with pytest.raises(declaration_changes.NotWaiting):
        approve(change, pete)
    assert declared(refund).risk == "medium"


def test_a_declaration_that_changed_behind_its_back_is_not_loosened(
    refund: ActionType, olga: User, pete: User
) -> None:
    change = ask(refund, olga, reading_floor_ms=0).waiting
    ActionType.objects.filter(pk=refund.pk).update(risk=Risk.CRITICAL, autonomy_cap="review_all")
    # Critical by now, it takes a third person, whose approval would be the last.
    approve(change, pete)
    with pytest.raises(declaration_changes.ChangedMeanwhile):
        approve(change, make_admin("rosa"))
    assert declared(refund).reading_floor_ms == 2000


def test_what_was_not_read_is_not_approved(refund: ActionType, olga: User, pete: User) -> None:
    change = ask(refund, olga, risk=Risk.LOW).waiting
    with pytest.raises(declaration_changes.ChangedMeanwhile):
        approve(change, pete, "0" * 64)
    assert not DeclarationApproval.objects.exists()
    assert declared(refund).risk == "medium"


def test_what_people_read_cannot_be_rewritten(refund: ActionType, olga: User) -> None:
    change = ask(refund, olga, risk=Risk.LOW).waiting
    assert change is not None
    for rewritten in ({"after": {"risk": "critical"}}, {"content_sha256": "0" * 64}, {"reason": "other"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            DeclarationChange.objects.filter(pk=change.pk).update(**rewritten)


def test_who_lost_the_right_counts_no_more_and_does_nothing(
    refund: ActionType, olga: User, pete: User, alice: User
) -> None:
    change = ask(refund, olga, risk=Risk.LOW).waiting
    assert change is not None
    olga.groups.clear()
    approve(change, pete)
    assert declared(refund).risk == "medium"
    entries = LedgerEntry.objects.count()
    for act in (
        lambda: ask(refund, alice, pause_on_mismatch=True),
        lambda: approve(change, alice),
        lambda: declaration_changes.withdraw(change=change, person=alice, reason="no", now=LATER),
        lambda: declaration_changes.declare(name="x", person=alice, now=NOON, title="X", risk=Risk.LOW),
    ):
        with pytest.raises(declaration_changes.NotAllowed):
            act()
    assert (declared(refund).pause_on_mismatch, LedgerEntry.objects.count()) == (False, entries)


def test_until_somebody_relies_on_it_one_person_declares(olga: User) -> None:
    note = make_refund_type(name="note.add", risk=Risk.HIGH)
    assert ask(note, olga, risk=Risk.LOW).waiting is None
    assert declared(note).risk == "low"
    assert recorded("action_type.changed")[0]["authority"]["because"] == "nobody relied on it yet"
    make_policy(note, olga)
    assert ask(note, olga, reading_floor_ms=0).waiting is not None


def test_a_deployment_with_one_admin_says_so(refund: ActionType, olga: User, settings: Settings) -> None:
    settings.FOUR_EYES = False
    assert ask(refund, olga, risk=Risk.LOW).waiting is None
    assert declared(refund).risk == "low"
    authority = recorded("action_type.changed")[0]["authority"]
    assert (authority["four_eyes"], authority["because"]) == ("off", "switched off")


def test_a_command_that_loosens_is_told_from_people(refund: ActionType, refund_policy: PolicyVersion) -> None:
    action_types.change(action_type=refund, risk=Risk.LOW, actor=SYSTEM, now=NOON)
    (told,) = recorded("action_type.changed")
    assert (told["loosening"], told["authority"]) == (["Risk: medium → low."], {"four_eyes": "seeded"})


def form_of(browser: Client, **typed: str) -> dict[str, Any]:
    form = browser.get(EDIT).context["form"]
    fields = {name: form[name].value() for name in form.fields}
    return {
        name: "on" if value is True else value for name, value in fields.items() if value is not False
    } | typed


def test_in_the_browser_the_asker_is_led_to_it_and_another_admin_approves(
    refund: ActionType, olga: User, pete: User
) -> None:
    hers, his = browser_of(olga), browser_of(pete)
    unsaid = hers.post(EDIT, form_of(hers, risk="low", title="Refunds"))
    assert unsaid.status_code == 422
    assert "Say why" in text_of(unsaid)
    assert (declared(refund).title, DeclarationChange.objects.count()) == ("Issue a refund", 0)
    answer = hers.post(EDIT, form_of(hers, risk="low", title="Refunds", reason="<b>Why not</b>"), follow=True)
    change = DeclarationChange.objects.get()
    url = reverse("policies:declaration_change", args=[change.public_id])
    assert answer.redirect_chain[-1][0] == url
    assert (declared(refund).title, declared(refund).risk) == ("Refunds", "medium")
    page = his.get(url)
    assert "Risk: medium → low." in text_of(page)
    assert b"<b>Why not" not in page.content
    waiting = his.get("/policies/publications/")
    assert url in text_of(waiting)
    entries = [entry for section in waiting.context["nav"] for entry in section.entries]
    current = [entry.label for entry in entries if entry.current]
    assert current == ["To approve"]
    assert "A looser declaration waits for approval" in text_of(his.get("/policies/refund.issue/"))
    stale = his.post(f"{url}approve/", {"content_sha256": "0" * 64})
    assert (stale.status_code, declared(refund).risk) == (409, "medium")
    assert his.post(f"{url}approve/", {"content_sha256": change.content_sha256}).status_code == 302
    assert declared(refund).risk == "low"
    assert found.count_for(pete) == 0
    assert his.post(f"{url}approve/", {"content_sha256": change.content_sha256}).status_code == 409


def test_withdrawing_needs_a_reason_and_leaves_the_declaration(refund: ActionType, olga: User) -> None:
    change = ask(refund, olga, risk=Risk.LOW).waiting
    assert change is not None
    url = reverse("policies:declaration_withdraw", args=[change.public_id])
    browser = browser_of(olga)
    assert browser.post(url, {"withdraw-reason": ""}).status_code == 422
    assert browser.post(url, {"withdraw-reason": "Not yet"}).status_code == 302
    change.refresh_from_db()
    assert (change.state, change.closed_because) == (PublicationState.WITHDRAWN, "Not yet")
    assert declared(refund).risk == "medium"


def test_a_right_that_is_taken_between_the_page_and_the_save_saves_nothing(
    refund: ActionType, olga: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = browser_of(olga)
    typed = form_of(browser, pause_on_mismatch="on")
    before = everything_stored()

    def lose_it_then_ask(**given: Any) -> declaration_changes.Saved:
        # What happens after the view has looked, and before the transaction does.
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM auth_user_groups WHERE user_id = %s", [olga.pk])
        return really(**given)

    really = declaration_changes.ask
    monkeypatch.setattr(declaration_changes, "ask", lose_it_then_ask)
    answer = browser.post(EDIT, typed)
    assert (answer.status_code, "You need the right" in text_of(answer)) == (422, True)
    assert everything_stored() == before


def test_nobody_else_opens_or_answers_it(refund: ActionType, olga: User) -> None:
    change = ask(refund, olga, risk=Risk.LOW).waiting
    assert change is not None
    browser = browser_of(make_member("reviewer"))
    for name in ("declaration_change", "declaration_approve"):
        url = reverse(f"policies:{name}", args=[change.public_id])
        assert browser.get(url).status_code in {403, 405}
    assert browser_of(olga).get("/policies/publications/declarations/dch_none/").status_code == 404


def test_no_page_changes_a_declaration_past_the_second_person() -> None:
    pages = [
        path
        for app in ("policies", "reviews", "datasets")
        for path in Path(site.BASE_DIR, app, "views").glob("*.py")
    ]
    assert len(pages) > 20
    past = [str(path) for path in pages if re.search(r"\b(action_types|acts)\.change\(", path.read_text())]
    assert past == []

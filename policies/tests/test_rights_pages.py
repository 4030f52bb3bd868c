"""Every address of the governing app against every group of people: who gets in, who acts, who is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import get_resolver, reverse

from hitl_site.groups import GROUPS
from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from policies.choices import KillSwitchScope, Risk
from policies.models import (
    ActionType,
    Agent,
    AgentVersion,
    AutonomyProposal,
    DeclarationChange,
    PolicyVersion,
    Publication,
)
from policies.services import (
    action_types,
    agents,
    declaration_changes,
    kill_switch,
    policies,
    publications,
    verifications,
)
from policies.services.proposals import digest_of
from policies.tests.base import NOON, SYSTEM, make_policy, trust
from policies.tests.people import EVERYBODY, browser_of, everything_stored, make_member
from policies.tests.test_publications import make_admin

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

ADMINS = {"ops_admin"}
WITH_MANAGERS = {"ops_admin", "manager"}
SIGNED_IN = set(EVERYBODY)


@dataclass(frozen=True)
class Place:
    """One address: who may open it, who may act there, and a form that would act."""

    name: str
    args: tuple[object, ...] = ()
    readers: frozenset[str] | None = None
    actors: frozenset[str] | None = None
    form: tuple[tuple[str, str], ...] = ()
    # A part of a page, which a plain request is sent on from.
    fragment: bool = False

    @property
    def url(self) -> str:
        return reverse(f"policies:{self.name}", args=self.args)


@pytest.fixture
def places(
    refund: ActionType, refund_policy: PolicyVersion, clerk: Agent, clerk_v1: AgentVersion, alice: User
) -> list[Place]:
    """Every address of the app, with something at each that an act would change."""
    make_policy(refund, alice, threshold=0.85)
    third = policies.save_draft(action_type=refund, document={"threshold": 0.6}, author=alice, now=NOON)
    policies.start_shadow(version=third, person=None, content_sha256=third.content_sha256, now=NOON)
    draft = policies.save_draft(action_type=refund, document={"threshold": 0.5}, author=alice, now=NOON)
    waiting = _wait_for_approval()
    looser = _loosening()
    text = (("content_sha256", draft.content_sha256),)
    text_waiting = (("content_sha256", waiting.content_sha256),)
    key, _ = agents.create_key(agent=clerk, scopes=["actions:create"], actor=SYSTEM, now=NOON)
    grant = trust(clerk_v1, refund, alice)
    stop = kill_switch.engage(scope=KillSwitchScope.EVERYTHING, reason="A drill", engaged_by=alice, now=NOON)
    verification = verifications.request(asked_by=alice, now=NOON)
    verifications.run(verification_id=verification.public_id, clock=lambda: NOON)
    admins, managers = frozenset(ADMINS), frozenset(WITH_MANAGERS)
    auditors = frozenset({"ops_admin", "auditor"})
    trusting = frozenset({"ops_admin", "manager", "lead", "auditor"})
    proposal = _proposal(clerk_v1, refund)
    agent_id = clerk.public_id
    reason = (("reason", "Because"),)
    return [
        Place("index", readers=managers),
        Place("action_type", ("refund.issue",), readers=managers),
        Place("version", ("refund.issue", 1), readers=managers),
        Place("action_type_new", readers=admins, actors=admins, form=(("name", "x"), ("title", "X"))),
        Place("action_type_edit", ("refund.issue",), readers=admins, actors=admins, form=(("title", "X"),)),
        Place("calibration", ("refund.issue",), readers=managers),
        Place("calibration_refit", ("refund.issue",), readers=admins, actors=admins),
        Place("policy_edit", ("refund.issue",), readers=admins, actors=admins, form=(("threshold", "1"),)),
        Place("publish", ("refund.issue",), readers=admins, actors=admins, form=reason),
        Place("publish_version", ("refund.issue", 4), readers=admins, actors=admins, form=reason),
        Place("shadow", ("refund.issue", 3), readers=managers),
        Place("shadow_start", ("refund.issue", 4), actors=admins, form=text),
        Place("shadow_end", ("refund.issue", 3), actors=admins, form=reason),
        Place("rollback", ("refund.issue", 1), readers=admins, actors=admins, form=reason),
        Place("retire", ("refund.issue", 2), readers=admins, actors=admins, form=reason),
        Place("publications", readers=managers),
        Place("publication", (waiting.public_id,), readers=managers),
        Place("publication_approve", (waiting.public_id,), actors=admins, form=text_waiting),
        Place(
            "publication_withdraw",
            (waiting.public_id,),
            actors=admins,
            form=(("withdraw-reason", "Because"),),
        ),
        Place("declaration_change", (looser.public_id,), readers=managers),
        Place(
            "declaration_approve",
            (looser.public_id,),
            actors=admins,
            form=(("content_sha256", looser.content_sha256),),
        ),
        Place(
            "declaration_withdraw",
            (looser.public_id,),
            actors=admins,
            form=(("withdraw-reason", "Because"),),
        ),
        Place("agents", readers=managers),
        Place("agent_new", readers=admins, actors=admins, form=(("name", "newcomer"),)),
        Place("agent", (agent_id,), readers=managers),
        Place("agent_pause", (agent_id,), actors=admins, form=(("state-reason", "Because"),)),
        Place("agent_resume", (agent_id,), actors=admins, form=(("state-reason", "Because"),)),
        Place("key_new", (agent_id,), actors=admins, form=(("key-scopes", "actions:create"),)),
        Place("agent_change", (agent_id,), actors=admins, form=(("details-max_pending", "5"),)),
        Place("key_rotate", (agent_id, key.public_id), actors=admins, form=(("overlap", "3600"),)),
        Place("key_revoke", (agent_id, key.public_id), actors=admins),
        Place(
            "agent_retire",
            (agent_id,),
            readers=admins,
            actors=admins,
            form=(("reason", "Because"), ("word", "clerk")),
        ),
        Place("autonomy", readers=trusting),
        Place("autonomy_cell", (clerk_v1.public_id, "refund.issue"), readers=trusting),
        Place("autonomy_propose", (clerk_v1.public_id, "refund.issue"), actors=managers),
        Place(
            "autonomy_answer",
            (proposal.public_id,),
            actors=managers,
            form=(("answer", "refuse"), ("answer-reason", "Because")),
        ),
        Place("autonomy_end", (grant.public_id,), actors=managers, form=(("end-reason", "Because"),)),
        Place(
            "autonomy_minor",
            (clerk_v1.public_id, "refund.issue"),
            actors=managers,
            form=(("minor-reason", "Because"),),
        ),
        Place(
            "autonomy_override",
            (clerk_v1.public_id, "refund.issue"),
            actors=managers,
            form=(("override-level", "autonomous"), ("override-reason", "Because")),
        ),
        Place(
            "stop",
            readers=frozenset(SIGNED_IN),
            actors=admins,
            form=(("scope", "agent"), ("agent", agent_id), ("reason", "Because"), ("word", "clerk")),
        ),
        Place("stop_pending", (stop.public_id,), readers=frozenset(SIGNED_IN)),
        Place("lift", (stop.public_id,), actors=admins, form=((f"{stop.public_id}-reason", "Because"),)),
        Place("ledger", readers=auditors),
        Place("ledger_story", ("agent", agent_id), readers=auditors),
        Place("ledger_download", ("csv",), readers=auditors),
        Place("ledger_verify", readers=auditors, actors=auditors),
        Place("ledger_verification", (verification.public_id,), readers=auditors, fragment=True),
    ]


def _proposal(version: AgentVersion, action_type: ActionType) -> AutonomyProposal:
    """Return a proposal that waits for an answer."""
    return AutonomyProposal.objects.create(
        public_id=ids.new("apr"),
        agent_version=version,
        action_type=action_type,
        kind="promotion",
        from_level="threshold",
        to_level="autonomous",
        evidence={"labels": 0, "errors": 0, "limit": 0.05},
        evidence_digest=digest_of({"labels": 0, "errors": 0, "limit": 0.05}),
        proposed_by_name="Handrail",
        proposed_at=NOON,
        expires_at=database_now() + timedelta(days=7),
    )


def _wait_for_approval() -> Publication:
    """Return a publication of another type that waits for a second person."""
    note = action_types.declare(name="note.add", title="Note", risk=Risk.HIGH, actor=SYSTEM, now=NOON)
    version = policies.save_draft(action_type=note, document={"threshold": 0.5}, author=None, now=NOON)
    return publications.ask(
        version=version,
        person=make_admin("asker"),
        reason="Because",
        content_sha256=version.content_sha256,
        now=NOON,
    )


def _loosening() -> DeclarationChange:
    """Return a change of another type's declaration that waits for more people than there are here."""
    mail = action_types.declare(name="mail.send", title="Mail", risk=Risk.HIGH, actor=SYSTEM, now=NOON)
    asker = make_admin("loosener")
    make_policy(mail, asker)
    saved = declaration_changes.ask(
        action_type=mail, person=asker, reason="Because", seen_at=NOON, now=NOON, risk=Risk.LOW
    )
    assert saved.waiting is not None
    return saved.waiting


def test_the_list_of_places_is_complete(places: list[Place]) -> None:
    named = {name for name in get_resolver("policies.urls").reverse_dict if isinstance(name, str)}
    # Published for everybody, who are to compare them with what they kept.
    public = {"checkpoint", "checkpoint_keys"}
    # An entry gets its number after the commit, which there is none of here: see the tests of the ledger.
    assert {place.name for place in places} | public | {"ledger_entry"} == named


@pytest.mark.parametrize("group", EVERYBODY)
def test_a_page_opens_for_its_readers_and_for_nobody_else(places: list[Place], group: str) -> None:
    browser = browser_of(make_member(group))
    for place in places:
        answer = browser.get(place.url, headers={"HX-Request": "true"} if place.fragment else None)
        if place.readers is None:
            expected = 405 if place.actors is not None else 404
            assert answer.status_code == expected, place.name
        else:
            assert answer.status_code == (200 if group in place.readers else 403), place.name


@pytest.mark.parametrize("group", EVERYBODY)
def test_an_act_is_refused_to_all_but_its_actors_and_nothing_changes(places: list[Place], group: str) -> None:
    browser = browser_of(make_member(group))
    for place in places:
        before = everything_stored()
        if place.actors is not None and group in place.actors:
            continue
        answer = browser.post(place.url, dict(place.form))
        assert answer.status_code == (403 if place.actors is not None else 405), place.name
        assert everything_stored() == before, place.name


def test_an_act_of_somebody_who_may_changes_something(places: list[Place]) -> None:
    browser = browser_of(make_member("ops_admin"))
    # These need more than a reason; their own tests have them.
    left = {"action_type_new", "action_type_edit", "policy_edit", "publish", "agent_resume"}
    left |= {"publish_version", "shadow_start", "shadow_end", "rollback", "retire", "publication_withdraw"}
    left |= {"declaration_withdraw", "calibration_refit", "autonomy_propose", "autonomy_end"}
    left |= {"autonomy_minor"}
    for place in places:
        if place.actors is None or place.name in left:
            continue
        before = everything_stored()
        assert browser.post(place.url, dict(place.form)).status_code in {200, 302}, place.name
        assert everything_stored() != before, place.name


def test_strangers_are_sent_to_sign_in_and_change_nothing(places: list[Place], client: Client) -> None:
    before = everything_stored()
    for place in places:
        for answer in (client.get(place.url), client.post(place.url, dict(place.form))):
            assert answer.status_code in {302, 405}, place.name
            if answer.status_code == 302:
                assert answer.headers["Location"].startswith(reverse("login")), place.name
    assert everything_stored() == before


def test_a_refusal_names_the_right_and_who_has_it(alice: User) -> None:
    answer = browser_of(make_member("reviewer")).get(reverse("policies:action_type_new"))
    text = answer.content.decode()
    assert answer.status_code == 403
    assert "Can declare action types and publish policies" in text
    assert "policies.manage_policies" in text
    assert "<b>ops_admin</b>" in text


def test_a_form_from_elsewhere_is_refused(places: list[Place]) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_member("ops_admin"))
    before = everything_stored()
    for place in places:
        if place.actors is not None:
            assert browser.post(place.url, dict(place.form)).status_code == 403, place.name
    assert everything_stored() == before


def test_every_group_is_asked() -> None:
    assert set(EVERYBODY) == {*GROUPS, "nobody"}

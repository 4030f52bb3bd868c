"""Shadow: asked about every live action, holding none, and never in the way of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction

from policies.models import ActionType, AgentVersion, GateCheck, PolicyVersion, ShadowCheck
from policies.selectors import shadow as found
from policies.services import gate, policies, shadow
from policies.tests.base import NOON, make_proposal, recorded, trust

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db


def in_shadow(action_type: ActionType, author: User, **document: object) -> PolicyVersion:
    draft = policies.save_draft(
        action_type=action_type,
        document={"threshold": 0.8, "audit_rate": 0.2, **document},
        author=author,
        now=NOON,
    )
    return policies.start_shadow(version=draft, person=None, content_sha256=draft.content_sha256, now=NOON)


@pytest.fixture
def trusted(
    clerk_v1: AgentVersion, refund: ActionType, refund_policy: PolicyVersion, alice: User
) -> AgentVersion:
    trust(clerk_v1, refund, alice)
    return clerk_v1


def test_a_stricter_shadow_holds_nothing_and_says_where_it_would_have(
    trusted: AgentVersion, refund: ActionType, alice: User
) -> None:
    version = in_shadow(refund, alice, threshold=0.95)
    proposal = make_proposal(trusted, confidence=0.9)
    check = gate.check(proposal=proposal, now=NOON)
    assert check.verdict == "allow"
    kept = ShadowCheck.objects.get()
    assert (kept.policy_version, kept.action_id, kept.verdict, kept.live_verdict, kept.differs) == (
        version, proposal.action_id, "review", "allow", True,
    )  # fmt: skip
    assert [reason["code"] for reason in kept.reasons] == ["below_threshold"]
    assert "policy version 2" in kept.reasons[0]["detail"]
    assert check.reasons == []


def test_the_counts_go_by_direction(trusted: AgentVersion, refund: ActionType, alice: User) -> None:
    rule = {"code": "big", "title": "Big", "when": "args.amount > 2000", "then": "deny"}
    version = in_shadow(refund, alice, threshold=0.5, rules=[rule])
    for confidence, amount in ((0.6, 100), (0.7, 100), (0.9, 100), (0.9, 3000), (0.6, 3000)):
        gate.check(
            proposal=make_proposal(
                trusted, confidence=confidence, arguments={"order_id": "W1", "amount": amount}
            ),
            now=NOON,
        )
    summary = found.summary(version)
    assert (summary.asked, summary.differed, summary.looser, summary.stricter) == (5, 4, 2, 2)
    assert [(each.key, each.count) for each in summary.directions] == [
        ("review-allow", 2),
        ("allow-deny", 1),
        ("review-deny", 1),
    ]
    rows = found.differing(version, direction="review-allow")
    assert [row.live.verdict for row in rows.items if row.live] == ["review", "review"]


def test_the_draws_of_the_live_answer_are_those_without_a_shadow(
    trusted: AgentVersion, refund: ActionType, alice: User
) -> None:
    proposal = make_proposal(trusted)
    before = gate.evaluate(proposal=proposal, now=NOON).evaluation
    in_shadow(refund, alice, audit_rate=1.0)
    check = gate.check(proposal=proposal, now=NOON)
    assert (check.propensity, check.audit_selected) == (before.propensity, before.audit_selected)


def test_a_shadow_without_a_policy_in_force_is_asked_too(
    clerk_v1: AgentVersion, refund: ActionType, alice: User
) -> None:
    trust(clerk_v1, refund, alice)
    in_shadow(refund, alice, threshold=0.5)
    assert gate.check(proposal=make_proposal(clerk_v1), now=NOON).verdict == "review"
    assert ShadowCheck.objects.get().verdict == "allow"


def test_its_measures_are_its_own(trusted: AgentVersion, refund: ActionType, alice: User) -> None:
    measure = {"name": "total", "of": "agent", "function": "sum", "pointer": "/amount", "window_seconds": 60}
    rule = {"code": "sum", "title": "Sum", "when": "history.total > 1000.0", "then": "review"}
    in_shadow(refund, alice, measures=[measure], rules=[rule])
    gate.check(proposal=make_proposal(trusted, arguments={"order_id": "W1", "amount": 900}), now=NOON)
    gate.check(proposal=make_proposal(trusted, arguments={"order_id": "W1", "amount": 1100}), now=NOON)
    assert [each.verdict for each in ShadowCheck.objects.order_by("id")] == ["allow", "review"]


def test_a_dry_question_leaves_no_trace(trusted: AgentVersion, refund: ActionType, alice: User) -> None:
    in_shadow(refund, alice)
    gate.evaluate(proposal=make_proposal(trusted), now=NOON)
    assert not ShadowCheck.objects.exists()


def test_a_shadow_that_cannot_be_read_never_touches_the_answer(
    trusted: AgentVersion, refund: ActionType, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    draft = policies.save_draft(action_type=refund, document={}, author=alice, now=NOON)
    PolicyVersion.objects.filter(pk=draft.pk).update(document={"threshold": "nonsense"})
    policies.start_shadow(version=draft, person=None, content_sha256=draft.content_sha256, now=NOON)
    with transaction.atomic():
        check = gate.check(proposal=make_proposal(trusted), now=NOON)
    assert GateCheck.objects.get().pk == check.pk
    assert check.verdict == "allow"
    assert not ShadowCheck.objects.exists()
    assert "The shadow of refund.issue version 2 failed" in caplog.text


def test_a_statement_of_the_shadow_that_fails_never_touches_the_answer(
    trusted: AgentVersion, refund: ActionType, alice: User
) -> None:
    version = in_shadow(refund, alice)
    proposal = make_proposal(trusted)
    first = gate.check(proposal=proposal, now=NOON)
    facts = gate.evaluate(proposal=proposal, now=NOON)
    assert facts.facts is not None
    with transaction.atomic():
        # Once a version and action: the second row is refused by the database.
        refused = shadow.record(
            version=version,
            action_id=proposal.action_id,
            facts=facts.facts,
            agent=proposal.agent,
            live=facts.evaluation,
            now=NOON,
        )
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    assert refused is None
    assert ShadowCheck.objects.count() == 1
    assert GateCheck.objects.get() == first


def test_what_is_not_in_shadow_is_not_asked(trusted: AgentVersion, refund: ActionType, alice: User) -> None:
    version = in_shadow(refund, alice)
    version.state = "retired"
    version.retired_at = NOON
    version.save(update_fields=["state", "retired_at"])
    gate.check(proposal=make_proposal(trusted), now=NOON)
    assert not ShadowCheck.objects.exists()
    assert [each["number"] for each in recorded("policy.shadow_started")] == [2]

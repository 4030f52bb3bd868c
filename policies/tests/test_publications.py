"""Publications: how many people a version takes, who of them counts, and when it goes live."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Group

from policies.choices import PolicyState, PublicationState, Risk
from policies.models import ActionType, LedgerEntry, PolicyVersion, Publication, PublicationApproval
from policies.selectors import policies as versions
from policies.selectors import publications as found
from policies.services import action_types, policies, publications
from policies.tests.base import NOON, SYSTEM, make_policy, make_refund_type, make_user, recorded

if TYPE_CHECKING:
    from django.conf import LazySettings
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=1)


def make_admin(name: str) -> User:
    user = make_user(name)
    user.groups.set(Group.objects.filter(name="ops_admin"))
    return user


@pytest.fixture
def olga(db: None) -> User:
    return make_admin("olga")


@pytest.fixture
def pete(db: None) -> User:
    return make_admin("pete")


@pytest.fixture
def rosa(db: None) -> User:
    return make_admin("rosa")


def draft(action_type: ActionType, author: User, **document: object) -> PolicyVersion:
    return policies.save_draft(
        action_type=action_type,
        document={"threshold": 0.8, "audit_rate": 0.2, **document},
        author=author,
        reason="tried out",
        now=NOON,
    )


def ask(version: PolicyVersion, person: User, **more: object) -> Publication:
    given = {"reason": "It is time", "content_sha256": version.content_sha256, "now": NOON, **more}
    return publications.ask(version=version, person=person, **given)  # type: ignore[arg-type]  # any field


def approve(publication: Publication, person: User, **more: object) -> Publication:
    given = {"content_sha256": publication.content_sha256, "now": LATER, **more}
    return publications.approve(publication=publication, person=person, **given)  # type: ignore[arg-type]  # any field


def live_number(action_type: ActionType) -> int | None:
    live = versions.live_version(action_type)
    return live.number if live is not None else None


@pytest.mark.parametrize(
    ("risk", "second_admin", "threshold", "people"),
    [
        (Risk.MEDIUM, None, 0.9, 1),
        (Risk.MEDIUM, None, 0.7, 2),
        (Risk.MEDIUM, True, 0.9, 2),
        (Risk.MEDIUM, True, 0.7, 3),
        (Risk.HIGH, None, 0.9, 2),
        (Risk.CRITICAL, None, 0.7, 3),
        (Risk.HIGH, False, 0.9, 1),
        (Risk.HIGH, False, 0.7, 2),
    ],
)
def test_loosening_takes_one_more_and_grave_types_a_second_admin(
    alice: User, risk: Risk, second_admin: bool | None, threshold: float, people: int
) -> None:
    kind = make_refund_type(risk=risk)
    ActionType.objects.filter(pk=kind.pk).update(second_admin=second_admin)
    kind.refresh_from_db()
    make_policy(kind, alice)
    takes = found.requirement(draft(kind, alice, threshold=threshold))
    assert (takes.people, takes.loosens, takes.first) == (people, threshold < 0.8, False)


def test_the_first_policy_of_a_type_tightens_and_one_after_a_retirement_loosens(
    refund: ActionType, olga: User
) -> None:
    first = draft(refund, olga)
    assert (found.requirement(first).people, found.requirement(first).first) == (1, True)
    ask(first, olga)
    assert live_number(refund) == 1
    first.refresh_from_db()
    policies.retire(version=first, person=olga, reason="too early", now=LATER)
    assert live_number(refund) is None
    takes = found.requirement(draft(refund, olga))
    assert (takes.people, takes.first) == (2, False)


def test_what_tightens_goes_live_by_the_one_who_wrote_it(
    refund: ActionType, refund_policy: PolicyVersion, olga: User
) -> None:
    publication = ask(draft(refund, olga, threshold=0.9), olga)
    assert (publication.state, publication.people_required, publication.loosens) == ("done", 1, False)
    assert live_number(refund) == 2
    (_, body) = recorded("policy.published")
    assert body["reason"] == "It is time"
    assert body["authority"]["four_eyes"] == "on"
    assert [each["name"] for each in body["authority"]["people"]] == ["olga"]
    assert (body["before"]["threshold"], body["after"]["threshold"]) == (0.8, 0.9)


def test_what_loosens_waits_for_a_second_person(
    refund: ActionType, refund_policy: PolicyVersion, olga: User, pete: User
) -> None:
    publication = ask(draft(refund, olga, threshold=0.7), olga)
    assert (publication.state, publication.people_required, publication.loosens) == ("open", 2, True)
    assert live_number(refund) == 1
    with pytest.raises(publications.AlreadyCounted):
        approve(publication, olga)
    assert live_number(refund) == 1
    approve(publication, pete)
    publication.refresh_from_db()
    assert (publication.state, publication.closed_at) == ("done", LATER)
    live = versions.live_version(refund)
    assert live is not None
    assert (live.number, live.published_at, live.reason) == (2, LATER, "It is time")
    authority = recorded("policy.published")[1]["authority"]
    assert [(each["name"], each["roles"]) for each in authority["people"]] == [
        ("olga", ["wrote it", "asked"]),
        ("pete", ["approved"]),
    ]
    assert authority["loosening"] == ["Hold when the chance is under 80% → 70%."]


def test_author_and_asker_are_two_people(
    refund: ActionType, refund_policy: PolicyVersion, olga: User, pete: User
) -> None:
    assert ask(draft(refund, olga, threshold=0.7), pete).state == PublicationState.DONE
    assert live_number(refund) == 2


def test_a_draft_that_came_by_command_counts_for_nobody(
    refund: ActionType, refund_policy: PolicyVersion, olga: User, pete: User
) -> None:
    version = policies.save_draft(
        action_type=refund, document={"threshold": 0.7, "audit_rate": 0.2}, author=None, now=NOON
    )
    assert (version.author, version.author_name) == (None, "command line")
    publication = ask(version, olga)
    assert publication.state == PublicationState.OPEN
    assert approve(publication, pete).state == PublicationState.DONE


def test_somebody_who_lost_the_right_counts_no_more(
    refund: ActionType, refund_policy: PolicyVersion, olga: User, pete: User, rosa: User
) -> None:
    publication = ask(draft(refund, olga, threshold=0.7), olga)
    olga.groups.clear()
    approve(publication, pete)
    assert live_number(refund) == 1
    pete.is_active = False
    pete.save()
    approve(publication, rosa)
    assert live_number(refund) == 1
    publication.refresh_from_db()
    assert publication.state == PublicationState.OPEN
    standing = found.standing(publication, managers={rosa.pk})
    assert [(each.name, each.counts) for each in standing.supporters] == [
        ("olga", False),
        ("pete", False),
        ("rosa", True),
    ]


def test_only_people_with_the_right_ask_approve_withdraw_and_retire(
    refund: ActionType, refund_policy: PolicyVersion, alice: User, olga: User
) -> None:
    version = draft(refund, olga, threshold=0.7)
    publication = ask(version, olga)
    entries = LedgerEntry.objects.count()
    with pytest.raises(publications.NotAllowed):
        approve(publication, alice)
    with pytest.raises(publications.NotAllowed):
        publications.withdraw(publication=publication, person=alice, reason="no", now=LATER)
    with pytest.raises(publications.NotAllowed):
        policies.retire(version=refund_policy, person=alice, reason="no", now=LATER)
    with pytest.raises(publications.NotAllowed):
        policies.start_shadow(version=version, person=alice, content_sha256=version.content_sha256, now=LATER)
    with pytest.raises(publications.NotAllowed):
        publications.roll_back(
            to=refund_policy, person=alice, reason="no", draft_sha256=version.content_sha256, now=LATER
        )
    publication.refresh_from_db()
    assert publication.state == PublicationState.OPEN
    assert not PublicationApproval.objects.exists()
    assert (live_number(refund), LedgerEntry.objects.count()) == (1, entries)


def test_editing_the_draft_withdraws_what_waits_and_old_approvals_are_worth_nothing(
    refund: ActionType, refund_policy: PolicyVersion, olga: User, pete: User, rosa: User
) -> None:
    ActionType.objects.filter(pk=refund.pk).update(second_admin=True)
    publication = ask(draft(refund, olga, threshold=0.7), olga)
    approve(publication, pete)
    draft(refund, olga, threshold=0.1)
    publication.refresh_from_db()
    assert (publication.state, publication.closed_because) == ("withdrawn", "The draft was changed.")
    with pytest.raises(publications.NotWaiting):
        approve(publication, rosa)
    assert live_number(refund) == 1
    assert recorded("publication.withdrawn")[0]["because"] == "The draft was changed."


def test_another_text_than_the_one_read_is_neither_asked_nor_approved(
    refund: ActionType, refund_policy: PolicyVersion, olga: User, pete: User
) -> None:
    version = draft(refund, olga, threshold=0.7)
    with pytest.raises(publications.DraftChanged):
        ask(version, olga, content_sha256="0" * 64)
    assert not Publication.objects.exists()
    publication = ask(version, olga)
    with pytest.raises(publications.DraftChanged):
        approve(publication, pete, content_sha256="0" * 64)
    assert not PublicationApproval.objects.exists()
    assert live_number(refund) == 1


def test_one_publication_of_a_type_waits_at_a_time(
    refund: ActionType, refund_policy: PolicyVersion, olga: User, pete: User
) -> None:
    version = draft(refund, olga, threshold=0.7)
    ask(version, olga)
    with pytest.raises(publications.AlreadyAsked, match="olga"):
        ask(version, pete)
    assert Publication.objects.count() == 1


def test_what_was_withdrawn_can_be_asked_again(
    refund: ActionType, refund_policy: PolicyVersion, olga: User, pete: User
) -> None:
    version = draft(refund, olga, threshold=0.7)
    publication = ask(version, olga)
    publications.withdraw(publication=publication, person=pete, reason="Not yet", now=LATER)
    with pytest.raises(publications.NotWaiting):
        publications.withdraw(publication=publication, person=pete, reason="Not yet", now=LATER)
    version.refresh_from_db()
    assert version.state == PolicyState.DRAFT
    assert ask(version, pete).state == PublicationState.DONE


def test_a_scheduled_publication_waits_for_its_time_and_then_goes_live(
    refund: ActionType, refund_policy: PolicyVersion, olga: User
) -> None:
    publication = ask(draft(refund, olga, threshold=0.9), olga, publish_at=LATER)
    assert publication.state == PublicationState.OPEN
    assert publications.publish_due(now=LATER - timedelta(seconds=1)) == 0
    assert live_number(refund) == 1
    assert publications.publish_due(now=LATER) == 1
    assert publications.publish_due(now=LATER) == 0
    assert live_number(refund) == 2
    entry = LedgerEntry.objects.filter(verb="policy.published").latest("id")
    assert (entry.actor_kind, entry.actor_name) == ("system", "scheduled publication")


def test_a_scheduled_publication_without_its_people_stays_and_goes_live_with_the_approval(
    refund: ActionType, refund_policy: PolicyVersion, olga: User, pete: User
) -> None:
    publication = ask(draft(refund, olga, threshold=0.7), olga, publish_at=LATER)
    assert publications.publish_due(now=LATER) == 0
    assert live_number(refund) == 1
    approve(publication, pete, now=LATER)
    assert live_number(refund) == 2


def test_an_early_approval_waits_for_the_time(
    refund: ActionType, refund_policy: PolicyVersion, olga: User, pete: User
) -> None:
    publication = ask(draft(refund, olga, threshold=0.7), olga, publish_at=LATER)
    approve(publication, pete, now=NOON)
    assert live_number(refund) == 1
    assert publications.publish_due(now=LATER) == 1


def test_a_time_that_is_over_is_refused(refund: ActionType, refund_policy: PolicyVersion, olga: User) -> None:
    with pytest.raises(publications.WrongTime):
        ask(draft(refund, olga), olga, publish_at=NOON)
    assert not Publication.objects.exists()


def test_what_it_takes_is_worked_out_again_against_the_version_then_live(
    refund: ActionType, alice: User, olga: User
) -> None:
    """Asked as a tightening of 0.7, due when 0.9 is live: then it loosens, and one person is not enough."""
    make_policy(refund, alice, threshold=0.7)
    version = draft(refund, olga, threshold=0.8)
    policies.start_shadow(version=version, person=olga, content_sha256=version.content_sha256, now=NOON)
    publication = ask(version, olga, publish_at=LATER)
    assert (publication.people_required, publication.loosens) == (1, False)
    make_policy(refund, alice, threshold=0.9)
    assert publications.publish_due(now=LATER) == 0
    publication.refresh_from_db()
    assert (publication.state, publication.people_required, publication.loosens) == ("open", 2, True)
    assert live_number(refund) == 3
    body = recorded("publication.weighed_again")[0]
    assert (body["before"]["people_required"], body["after"]["people_required"]) == (1, 2)


def test_when_less_is_needed_by_now_somebody_who_counts_can_finish_it(
    refund: ActionType, refund_policy: PolicyVersion, olga: User
) -> None:
    ActionType.objects.filter(pk=refund.pk).update(second_admin=True)
    publication = ask(draft(refund, olga, threshold=0.9), olga)
    assert publication.state == PublicationState.OPEN
    ActionType.objects.filter(pk=refund.pk).update(second_admin=None)
    assert approve(publication, olga).state == PublicationState.DONE
    assert not PublicationApproval.objects.exists()


def test_one_that_cannot_be_published_holds_no_other_up(
    refund: ActionType,
    refund_policy: PolicyVersion,
    alice: User,
    olga: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = ask(draft(refund, olga, threshold=0.9), olga, publish_at=LATER)
    PolicyVersion.objects.filter(pk=broken.version_id).update(document={"threshold": 7})
    note = action_types.declare(name="note.add", title="Note", risk=Risk.LOW, actor=SYSTEM, now=NOON)
    ask(draft(note, olga), olga, publish_at=LATER + timedelta(seconds=1))
    assert publications.publish_due(now=LATER + timedelta(minutes=1)) == 1
    assert (live_number(refund), live_number(note)) == (1, 1)
    assert broken.public_id in caplog.text


def test_a_deployment_may_let_one_person_publish_and_the_ledger_says_so(
    refund: ActionType, refund_policy: PolicyVersion, olga: User, settings: LazySettings
) -> None:
    settings.FOUR_EYES = False
    publication = ask(draft(refund, olga, threshold=0.1), olga)
    assert (publication.state, publication.loosens, publication.people_required) == ("done", True, 1)
    assert recorded("policy.published")[1]["authority"]["four_eyes"] == "off"


def test_seeding_is_named_in_the_ledger(refund_policy: PolicyVersion) -> None:
    assert recorded("policy.published")[0]["authority"] == {"four_eyes": "seeded"}


def test_a_rollback_publishes_the_old_text_as_a_new_version_by_the_same_rule(
    refund: ActionType, alice: User, olga: User, pete: User
) -> None:
    strict = make_policy(refund, alice, threshold=0.9)
    loose = make_policy(refund, alice, threshold=0.7)
    done = publications.roll_back(to=strict, person=olga, reason="Errors", draft_sha256="", now=LATER)
    assert done.state == PublicationState.DONE
    live = versions.live_version(refund)
    assert live is not None
    assert (live.number, live.rollback_of, live.content_sha256) == (3, strict, strict.content_sha256)
    waiting = publications.roll_back(to=loose, person=olga, reason="Again", draft_sha256="", now=LATER)
    assert (waiting.state, waiting.loosens, live_number(refund)) == ("open", True, 3)
    approve(waiting, pete)
    assert live_number(refund) == 4


def test_a_rollback_never_takes_a_draft_that_was_not_seen(
    refund: ActionType, refund_policy: PolicyVersion, olga: User, pete: User
) -> None:
    theirs = draft(refund, pete, threshold=0.75)
    with pytest.raises(publications.DraftInTheWay, match="pete"):
        publications.roll_back(to=refund_policy, person=olga, reason="Back", draft_sha256="", now=LATER)
    assert versions.draft_version(refund) == theirs
    waiting = ask(theirs, pete)
    publications.roll_back(
        to=refund_policy, person=olga, reason="Back", draft_sha256=theirs.content_sha256, now=LATER
    )
    waiting.refresh_from_db()
    assert waiting.state == PublicationState.WITHDRAWN
    assert live_number(refund) == 2


def test_what_is_in_shadow_can_go_live_and_its_text_is_fixed(
    refund: ActionType, refund_policy: PolicyVersion, olga: User
) -> None:
    version = draft(refund, olga, threshold=0.9)
    policies.start_shadow(version=version, person=olga, content_sha256=version.content_sha256, now=NOON)
    other = draft(refund, olga, threshold=0.1)
    assert other.pk != version.pk
    version.refresh_from_db()
    assert (version.state, version.document["threshold"]) == (PolicyState.SHADOW, 0.9)
    assert ask(version, olga).state == PublicationState.DONE
    version.refresh_from_db()
    assert (version.state, live_number(refund)) == (PolicyState.LIVE, 2)


def test_a_second_version_in_shadow_takes_the_place_of_the_first(
    refund: ActionType, refund_policy: PolicyVersion, olga: User
) -> None:
    first = draft(refund, olga, threshold=0.7)
    policies.start_shadow(version=first, person=olga, content_sha256=first.content_sha256, now=NOON)
    waiting = ask(first, olga)
    second = draft(refund, olga, threshold=0.6)
    policies.start_shadow(version=second, person=olga, content_sha256=second.content_sha256, now=LATER)
    first.refresh_from_db()
    waiting.refresh_from_db()
    assert (first.state, first.retired_at, waiting.state) == ("retired", LATER, "withdrawn")
    shown = policies.end_shadow(version=second, person=olga, reason="Seen enough", now=LATER)
    assert shown.state == PolicyState.RETIRED
    with pytest.raises(policies.NotInThatState):
        policies.end_shadow(version=second, person=olga, reason="Again", now=LATER)
    assert [each["number"] for each in recorded("policy.shadow_started")] == [2, 3]
    assert [each["because"] for each in recorded("policy.shadow_ended")] == [
        "Version 3 took its place.",
        "Seen enough",
    ]


def test_a_text_that_was_not_read_does_not_go_into_shadow(
    refund: ActionType, refund_policy: PolicyVersion, olga: User
) -> None:
    version = draft(refund, olga)
    with pytest.raises(policies.DraftChanged):
        policies.start_shadow(version=version, person=olga, content_sha256="0" * 64, now=NOON)
    with pytest.raises(policies.NotADraft):
        policies.start_shadow(
            version=refund_policy, person=olga, content_sha256=refund_policy.content_sha256, now=NOON
        )
    version.refresh_from_db()
    assert version.state == PolicyState.DRAFT

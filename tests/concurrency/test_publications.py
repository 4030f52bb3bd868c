"""People at one policy at the same moment: it goes live once, and each learns what happened."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.contrib.auth.models import User

from hitl_site.lib.clock import database_now
from policies.choices import PublicationState
from policies.models import LedgerEntry, PolicyVersion, Publication
from policies.services import policies, publications
from reviews.tests.cast import Cast, make_cast, make_person
from tests.concurrency.threads import at_once, errors, values

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 3


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def make_draft(cast: Cast, threshold: float) -> PolicyVersion:
    document = {"threshold": threshold, "audit_rate": 0.01, "undo_seconds": 5, "blind_share": 0}
    return policies.save_draft(
        action_type=cast.refund, document=document, author=cast.olga, now=database_now()
    )


def ask(version: PolicyVersion, person: User, **more: object) -> Publication:
    return publications.ask(
        version=version,
        person=person,
        reason="Now",
        content_sha256=version.content_sha256,
        now=database_now(),
        **more,  # type: ignore[arg-type]  # the time to publish at
    )


def approve(publication: Publication, person: User) -> Publication:
    return publications.approve(
        publication=publication,
        person=person,
        content_sha256=publication.content_sha256,
        now=database_now(),
    )


def published(cast: Cast) -> int:
    live = PolicyVersion.objects.get(action_type=cast.refund, state="live")
    ids = PolicyVersion.objects.filter(action_type=cast.refund).values_list("public_id", flat=True)
    entries = LedgerEntry.objects.filter(verb="policy.published", object_id__in=list(ids))
    assert entries.count() == live.number
    return live.number


def test_two_approvals_at_once_publish_once(cast: Cast) -> None:
    admins = [make_person(name, "ops_admin") for name in ("Pete", "Rosa", "Sven")]
    for turn in range(ROUNDS):
        publication = ask(make_draft(cast, 0.8 - turn / 10), cast.olga)
        ended = at_once(*(partial(approve, publication, person) for person in admins))
        assert len(values(ended)) == 1
        assert all(isinstance(error, publications.NotWaiting) for error in errors(ended))
        assert published(cast) == turn + 2
        assert publication.approvals.count() == 1


def test_two_wishes_at_once_are_one(cast: Cast) -> None:
    admins = [cast.olga, *(make_person(name, "ops_admin") for name in ("Pete", "Rosa"))]
    for turn in range(ROUNDS):
        version = make_draft(cast, 0.91 + turn / 100)
        ended = at_once(*(partial(ask, version, person) for person in admins))
        assert len(values(ended)) == 1
        assert all(isinstance(error, publications.NotADraft) for error in errors(ended))
        assert published(cast) == turn + 2


def test_an_approval_and_an_edit_leave_one_of_both(cast: Cast) -> None:
    pete = make_person("Pete", "ops_admin")
    for _ in range(ROUNDS):
        publication = ask(make_draft(cast, 0.5), cast.olga)
        at_once(partial(approve, publication, pete), partial(make_draft, cast, 0.01))
        publication.refresh_from_db()
        live = PolicyVersion.objects.get(action_type=cast.refund, state="live")
        # What nobody approved is never in force.
        assert live.document["threshold"] != 0.01
        if publication.state == PublicationState.DONE:
            assert live.pk == publication.version_id
        else:
            assert publication.state == PublicationState.WITHDRAWN
            assert live.pk != publication.version_id
        policies.put_in_force(
            action_type=cast.refund,
            document={"threshold": 0.9, "audit_rate": 0.01, "undo_seconds": 5, "blind_share": 0},
            author=cast.olga,
            reason="again",
            now=database_now(),
        )


def test_two_sweeps_at_once_publish_once(cast: Cast) -> None:
    for turn in range(ROUNDS):
        at = database_now() + timedelta(minutes=1)
        ask(make_draft(cast, 0.91 + turn / 100), cast.olga, publish_at=at)
        ended = at_once(*(partial(publications.publish_due, now=at) for _ in range(4)))
        assert errors(ended) == []
        assert sorted(values(ended)) == [0, 0, 0, 1]
        assert published(cast) == turn + 2


def test_who_loses_the_right_at_that_moment_counts_wholly_or_not_at_all(cast: Cast) -> None:
    pete = make_person("Pete", "ops_admin")
    publication = ask(make_draft(cast, 0.5), cast.olga)
    at_once(partial(approve, publication, pete), partial(cast.olga.groups.clear))
    publication.refresh_from_db()
    approved = publication.approvals.count() == 1
    assert approved
    live = PolicyVersion.objects.get(action_type=cast.refund, state="live")
    assert (live.pk == publication.version_id) is (publication.state == PublicationState.DONE)

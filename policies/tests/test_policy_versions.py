"""Policies: drafted, published, replaced; a published text never changes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError, transaction

from hitl_site.lib.canonical import canonicalize, sha256_hex
from policies.models import ActionType, LedgerEntry, PolicyVersion
from policies.selectors import policies as found
from policies.services import policies
from policies.tests.base import NOON, SYSTEM, make_policy, recorded

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db


def test_a_draft_is_not_in_force(refund: ActionType, alice: User) -> None:
    draft = policies.save_draft(action_type=refund, document={"threshold": 0.7}, author=alice, now=NOON)
    assert (draft.number, draft.state, draft.author_name) == (1, "draft", "alice")
    assert draft.document["audit_rate"] == 0.2  # the whole text, defaults included
    assert draft.content_sha256 == sha256_hex(canonicalize(draft.document))
    assert found.live_version(refund) is None


def test_there_is_one_draft_and_it_can_be_written_over(refund: ActionType, alice: User) -> None:
    first = policies.save_draft(action_type=refund, document={"threshold": 0.7}, author=alice, now=NOON)
    second = policies.save_draft(action_type=refund, document={"threshold": 0.9}, author=alice, now=NOON)
    assert second.pk == first.pk
    assert PolicyVersion.objects.get().document["threshold"] == 0.9


def test_publishing_replaces_the_version_before(refund: ActionType, alice: User) -> None:
    first = make_policy(refund, alice, threshold=0.7)
    later = NOON + timedelta(days=1)
    second = policies.put_in_force(
        action_type=refund, document={"threshold": 0.9}, author=alice, reason="stricter", now=later
    )
    first.refresh_from_db()
    assert (first.state, first.retired_at) == ("retired", later)
    assert (second.state, second.number, second.published_at, second.reason) == ("live", 2, later, "stricter")
    assert found.live_version(refund) == second
    entries = LedgerEntry.objects.filter(object_kind="policy_version").order_by("id")
    assert [entry.verb for entry in entries] == [
        "policy.drafted",
        "policy.published",
        "policy.drafted",
        "policy.retired",
        "policy.published",
    ]
    body = recorded("policy.published")[1]
    assert (body["before"]["threshold"], body["after"]["threshold"]) == (0.7, 0.9)


def test_a_faulty_document_is_refused_and_nothing_is_stored(refund: ActionType, alice: User) -> None:
    document = {"audit_rate": 0, "threshold": 2, "colour": "red"}
    with pytest.raises(policies.InvalidPolicy) as refused:
        policies.put_in_force(action_type=refund, document=document, author=alice, reason="", now=NOON)
    assert {error.pointer for error in refused.value.errors} == {"/audit_rate", "/threshold", "/colour"}
    assert not PolicyVersion.objects.exists()


def test_a_version_is_published_once(refund: ActionType, refund_policy: PolicyVersion, alice: User) -> None:
    with pytest.raises(policies.NotADraft):
        policies.go_live(
            version=refund_policy, reason="again", actor=SYSTEM, authority={"four_eyes": "seeded"}, now=NOON
        )
    assert LedgerEntry.objects.filter(verb="policy.published").count() == 1


def test_the_database_keeps_a_published_text(refund_policy: PolicyVersion) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        PolicyVersion.objects.filter(pk=refund_policy.pk).update(document={})
    with pytest.raises(IntegrityError), transaction.atomic():
        refund_policy.delete()
    refund_policy.refresh_from_db()
    assert refund_policy.document["threshold"] == 0.8


def test_a_published_text_is_read_once_and_a_draft_every_time(refund: ActionType, alice: User) -> None:
    draft = policies.save_draft(action_type=refund, document={"threshold": 0.7}, author=alice, now=NOON)
    assert found.live_document(draft) is not found.live_document(draft)
    live = policies.go_live(version=draft, reason="go", actor=SYSTEM, authority={}, now=NOON)
    assert found.live_document(live) is found.live_document(live)
    assert found.live_document(live).threshold == 0.7

"""The sweep puts scheduled publications in force, and wakes for them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hitl_site.lib.clock import database_now
from policies.models import PolicyVersion
from policies.services import policies, publications
from reviews.services import sweep
from reviews.tests.cast import Cast

pytestmark = pytest.mark.django_db


def test_the_sweep_publishes_what_is_due_and_wakes_for_it(cast: Cast) -> None:
    now = database_now()
    at = now + timedelta(minutes=5)
    stricter = {"threshold": 0.95, "audit_rate": 0.01, "undo_seconds": 5, "blind_share": 0}
    draft = policies.save_draft(action_type=cast.refund, document=stricter, author=cast.olga, now=now)
    publications.ask(
        version=draft,
        person=cast.olga,
        reason="From Monday on",
        content_sha256=draft.content_sha256,
        publish_at=at,
        now=now,
    )
    assert sweep.next_due(now=now) == at
    assert sweep.run(now=at - timedelta(seconds=1)) == 0
    assert sweep.run(now=at) == 1
    live = PolicyVersion.objects.get(action_type=cast.refund, state="live")
    assert (live.pk, live.published_at) == (draft.pk, at)
    assert sweep.next_due(now=at) is None

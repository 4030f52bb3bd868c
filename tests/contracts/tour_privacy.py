"""The tour's leg through privacy: conversations closed and read, rules, holds, a sweep, an erasure."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from datasets.choices import DataKind
from datasets.demo import history
from datasets.models import Conversation, ConversationCheck, VersionMark
from datasets.selectors.reach import Whose
from datasets.selectors.selection import Selection
from datasets.services import conversations, datasets, erasure, freezing, holds, retention
from datasets.services.conversations import Closing
from hitl_site.lib.clock import database_now
from policies.choices import Criterion, RemovalState
from policies.models import Removal
from policies.services.agents import VersionClaim
from reviews.choices import DecisionKind
from reviews.services import deadlines
from reviews.tests.cast import Cast, decide_as, held


def privacy(cast: Cast) -> None:
    """Walk it."""
    read_conversations(cast)
    keep(cast)
    erase(cast)


def read_conversations(cast: Cast) -> None:
    """Two conversations: in one nothing was missing, in the other something was."""
    conversations.set_share(agent=cast.clerk, share=1.0, by=cast.olga, now=database_now())
    for number in range(2):
        closing = Closing(
            conversation_id=f"tour-{number}",
            messages=[{"role": "user", "content": "hello"}],
            version=VersionClaim(label="1"),
            environment="production",
            subject="tourist",
        )
        conversations.close(agent=cast.clerk, closing=closing, now=database_now())
    first, second = ConversationCheck.objects.order_by("id")
    conversations.find_complete(check_id=first.public_id, reviewer=cast.alice, note="", now=database_now())
    conversations.find_missing(
        check_id=second.public_id,
        reviewer=cast.alice,
        action_type=cast.refund,
        arguments={"order": "SO-9", "amount": 1},
        note="Promised",
        now=database_now(),
    )


def keep(cast: Cast) -> None:
    """A rule, a hold that comes and goes, and the sweep of a later day."""
    now = database_now()
    retention.set_rule(kind=DataKind.CONTEXT, action_type="", keep_days=1, by=cast.olga, now=now)
    hold = holds.place(
        action_type="", subject="tourist", conversation_id="", reason="A lawsuit", by=cast.olga, now=now
    )
    holds.lift(hold_id=hold.public_id, reason="Over", by=cast.olga, now=now)
    later = now + timedelta(days=3)
    sweep = retention.begin_if_due(now=later)
    assert sweep is not None
    retention.run(removal_id=sweep.public_id, clock=lambda: later)


def erase(cast: Cast) -> None:
    """Somebody's data in every place that it can be in, gone; a frozen version that had it says so."""
    assert settings.RETENTION_FLOOR_DAYS >= 0
    item = held(cast, subject="tourist", context={"messages": [{"role": "user", "content": "hi"}]})
    decide_as(cast.alice, item, DecisionKind.REJECT)
    deadlines.release_due(now=database_now() + timedelta(minutes=5))
    # Any transaction of the server's own may hold the chain back for a moment.
    history.learn()
    frozen = datasets.create_dataset(
        name="Travellers", selection=Selection(), created_by=cast.olga, now=database_now()
    )
    version = freezing.freeze(dataset_id=frozen.public_id, frozen_by=cast.olga, now=database_now()).version
    removal = erasure.request(
        whose=Whose(Criterion.SUBJECT, "tourist"),
        reason="By letter",
        legal_basis="GDPR Art. 17(1)(b)",
        by=cast.olga,
        now=database_now(),
    )
    erasure.run(removal_id=removal.public_id, clock=database_now)
    assert Removal.objects.get(pk=removal.pk).state == RemovalState.DONE
    assert not Conversation.objects.filter(messages__isnull=False).exists()
    assert VersionMark.objects.get(version=version, erasure_id=removal.public_id).cases > 0

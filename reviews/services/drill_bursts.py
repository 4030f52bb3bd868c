"""Bursts: the few drills that begin a person's shift, so that they meet errors before the real work does.

Rare errors are missed even when they are obvious; a run of frequent ones with feedback helps for a while
afterwards (Wolfe et al. 2007 and 2013). Because somebody in a burst expects errors, none of it counts.
The drills are made one after the other, for this person alone, and urgent work goes before each.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count

from hitl_site.lib import ids
from policies.engine.sampling import audit_draw
from policies.models import ActionType, DrillResult
from policies.services import ledger
from reviews.models import Drill, DrillBurst, DrillSeed, ReviewItem
from reviews.selectors import drill_bursts as questions
from reviews.selectors import inbox
from reviews.services import drills

_ACTOR: Final = ledger.Actor.system("drills")


@transaction.atomic
def next_drill(*, reviewer: User, view: inbox.View | None, now: datetime) -> ReviewItem | None:
    """Return the drill that comes next as this person's shift begins, made now or waiting; None: real work.

    None as well where nothing is switched on, in the midst of a shift, and while something is due soon. Twice
    at once it returns the same drill. An item that somebody is just writing to is passed over.
    """
    if not questions.is_whole_turn(view) or not ActionType.objects.filter(drill_burst=True).exists():
        return None
    burst = _current(reviewer, now=now)
    if burst is None and not _begin(reviewer, view=view, now=now):
        return None
    if burst is None:
        burst = _current(reviewer, now=now)
    if burst is None or questions.is_urgent(reviewer, now=now):
        return None
    return _next(burst, reviewer, now=now)


def _current(reviewer: User, *, now: datetime) -> DrillBurst | None:
    """Return the person's burst that goes on, held by this transaction. Switched off, it stops."""
    return (
        DrillBurst.objects.select_for_update(of=("self",))
        .select_related("action_type", "like__agent", "like__agent_version")
        .filter(
            reviewer=reviewer,
            ended_at=None,
            began_at__gt=now - questions.LONGEST,
            action_type__drill_burst=True,
        )
        .order_by("-id")
        .first()
    )


def _begin(reviewer: User, *, view: inbox.View | None, now: datetime) -> bool:
    """Begin the burst of this shift; say whether there is one. It may be over, or begun by another tab."""
    beginning = questions.beginning(reviewer, now=now)
    if beginning is None or questions.is_urgent(reviewer, now=now):
        return False
    item = questions.next_real(reviewer, view=view, now=now)
    if item is None or item.action.action_type is None:
        return False
    burst, fresh = DrillBurst.objects.get_or_create(
        reviewer=reviewer,
        rested_since=beginning.rested_since,
        defaults={
            "public_id": ids.new("bur"),
            "action_type": item.action.action_type,
            "like": item.action,
            "began_at": now,
        },
    )
    if fresh:
        _record(burst, "drill_burst.began", now=now, size=questions.SIZE)
    return True


def _next(burst: DrillBurst, reviewer: User, *, now: datetime) -> ReviewItem | None:
    made = Drill.objects.filter(burst=burst)
    waiting = inbox.my_turn(reviewer).filter(reserved_for=reviewer, action__served_drill__in=made)
    if waiting.exists():
        return waiting.select_for_update(skip_locked=True, of=("self",)).order_by("id").first()
    place = made.count() + 1
    if place > questions.SIZE:
        _end(burst, now=now)
        return None
    drill = Drill.objects.create(
        drawn_by=f"{burst.public_id}.{place}",
        burst=burst,
        action_type=burst.action_type,
        propensity=1.0,
        drawn_at=now,
        serve_at=now,
    )
    item = drills.serve(
        drill=drill, seeds=_seeds(burst, place), like=burst.like, reserved_for=reviewer, now=now
    )
    if item is None:
        # What the gate would not hold today, or cannot be made fresh, it will not be a moment later.
        _end(burst, now=now)
    return item


def _seeds(burst: DrillBurst, place: int) -> Sequence[DrillSeed]:
    """Return what to try for a place: with an error or without as drawn, none twice, the least used first."""
    places = sorted(range(1, questions.SIZE + 1), key=lambda each: _draw(burst, f"place {each}"))
    wrong = place in places[: questions.WITH_ERROR]
    seeds = list(
        drills.seeds_in_use(burst.action_type)
        .exclude(pk__in=Drill.objects.filter(burst=burst, seed__isnull=False).values("seed"))
        .select_related("action_type", "source__action__context")
        .annotate(used=Count("drills"))
    )
    seeds.sort(key=lambda seed: (seed.planted != wrong, seed.used, _draw(burst, seed.public_id)))
    return seeds


def _draw(burst: DrillBurst, purpose: str) -> float:
    return audit_draw(settings.AUDIT_DRAW_SECRET, burst.public_id, f"drill burst {purpose}")


def _end(burst: DrillBurst, *, now: datetime) -> None:
    served = Drill.objects.filter(burst=burst, action__isnull=False).values("action__public_id")
    results = DrillResult.objects.filter(reviewer=burst.reviewer_id, drill_id__in=served)
    burst.ended_at = now
    burst.save(update_fields=["ended_at"])
    _record(
        burst,
        "drill_burst.ended",
        now=now,
        served=len(served),
        answered=results.count(),
        right=results.filter(caught=True).count(),
    )


def _record(burst: DrillBurst, verb: str, *, now: datetime, **said: int) -> None:
    ledger.record(
        actor=_ACTOR,
        verb=verb,
        object_kind="drill_burst",
        object_id=burst.public_id,
        payload={
            "reviewer": burst.reviewer.get_username(),
            "action_type": burst.action_type.name,
            **said,
        },
        now=now,
    )

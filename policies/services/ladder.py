"""The ladder at work: evidence that takes away is acted on at once, evidence that gives is proposed.

``keep`` follows the ledger; ``tend`` looks at everything that time alone changes. Both may run anywhere, at
once and twice.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Max

from policies.choices import AutonomyLevel, ProposalKind, ProposalState, Route
from policies.engine.ladder import Demotion
from policies.engine.ladder_settings import CANARY_STEPS
from policies.models import AutonomyGrant, AutonomyProposal, EvidenceTrack, GateCheck, Observation
from policies.selectors import autonomy as levels
from policies.selectors import evidence as questions
from policies.selectors import evidence_samples as samples
from policies.selectors.evidence import Evidence
from policies.services import autonomy, demotions, evidence, ledger, minor_versions, proposals
from policies.services.ledger import Actor
from policies.statistics.auditing import audit_rate_for_delay

logger = logging.getLogger(__name__)

_ALONE: Final = frozenset({AutonomyLevel.THRESHOLD, AutonomyLevel.AUTONOMOUS})
# One overdue check of very few says nothing of a share.
_OVERDUE_AT_LEAST: Final = 2


def keep(*, now: datetime) -> int:
    """Follow the ledger to its end and act on the news. Return how many entries and tracks that was."""
    done = 0
    while read := evidence.follow(now=now):
        done += read
    return done + _attend_all(evidence.stale(), now)


def tend(*, now: datetime) -> int:
    """Do what time alone brings: what runs out or is overdue, canary steps, renewals. Return how much."""
    done = autonomy.lapse_due(now=now) + proposals.expire_due(now=now)
    tracks = EvidenceTrack.objects.order_by("id").values_list("pk", flat=True)
    return done + _attend_all(list(tracks), now)


def attend(track_pk: int, *, now: datetime) -> None:
    """Take in what is new of one track, and act on it in the same transaction."""
    with transaction.atomic():
        track, tally = evidence.take_in(track_pk, now=now)
        limits = questions.limits_of(track.action_type)
        found = questions.of_track(track, tally, limits=limits, now=now)
        grant = levels.grant_in_force(track.agent_version, track.action_type, now)
        held = grant.level if grant is not None else track.action_type.first_contact_level
        if held != track.level:
            # A level has changed: the ledger will say so before this evidence is acted on.
            return
        alone = grant if grant is not None and grant.level in _ALONE else None
        # Also where a cap cuts the grant: what still runs alone under it can be lost like any level.
        if alone is not None and (alone.granted_at > track.started_at or _demoted(found, alone)):
            return
        if levels.level_under(grant, track.action_type) != track.level:
            return
        if alone is not None:
            _tend_canary(found, alone)
            _tend_audit_rate(found, alone)
        _propose(found, grant)


def _attend_all(tracks: list[int], now: datetime) -> int:
    done = 0
    for track_pk in tracks:
        try:
            attend(track_pk, now=now)
            done += 1
        except (InterfaceError, OperationalError):
            raise
        except Exception:
            logger.exception("track %s failed and will be tried again", track_pk)
    return done


def _demoted(found: Evidence, grant: AutonomyGrant) -> bool:
    """Take the level away for the first reason there is (statistics.md 2); say whether there was one."""
    reason = _reason_to_demote(found, grant)
    if reason is None:
        return False
    because, says = reason
    tally = found.tally
    demotions.demote(
        agent_version=found.track.agent_version,
        action_type=found.track.action_type,
        because=because,
        says=says,
        facts={
            "checked_alone": tally.arrived_n,
            "errors_alone": tally.arrived_k,
            "detector": tally.drift.highest,
            "detector_limit": found.settings.drift_run,
            "lower": found.alone_lower,
            "limit": found.limits.limit,
            "overdue": found.overdue,
            "overdue_share": found.overdue_share,
        },
        now=found.now,
    )
    return True


def _reason_to_demote(found: Evidence, grant: AutonomyGrant) -> tuple[Demotion, str] | None:
    settings, tally = found.settings, found.tally
    if found.has_alarm:
        return Demotion.DRIFT, (
            f"The drift detector passed {settings.drift_run:g}: what runs alone is wrong more often than the"
            f" {100 * tally.drift.tolerated:.2g}% that is tolerated."
        )
    if tally.arrived_n and found.alone_lower > found.limits.limit:
        return Demotion.RATE_ABOVE_LIMIT, (
            f"At least {100 * found.alone_lower:.2g}% of what runs alone is wrong, above the limit of"
            f" {100 * found.limits.limit:.2g}%."
        )
    if found.overdue >= _OVERDUE_AT_LEAST and found.overdue_share > settings.overdue_demote:
        return Demotion.AUDITS_OVERDUE, (
            f"{found.overdue} checks are overdue, {100 * found.overdue_share:.0f}% of those drawn: nobody"
            " sees how it does."
        )
    if _is_silent(found):
        return Demotion.NO_LABELS, (f"It ran alone for {settings.silent_days:g} days without a single label.")
    if grant.canary_share < 1 and (step := _canary_step(found, grant))[0] > settings.canary_errors:
        return Demotion.CANARY_ERRORS, f"{step[0]} of {step[1]} checks were wrong while it was being tried."
    return None


def _is_silent(found: Evidence) -> bool:
    track = found.track
    newest = Observation.objects.filter(
        agent_version=track.agent_version_id, action_type=track.action_type_id, considered=True
    ).aggregate(at=Max("observed_at"))["at"]
    heard = max(newest or track.started_at, track.started_at)
    if found.now - heard < timedelta(days=found.settings.silent_days):
        return False
    return GateCheck.objects.filter(
        agent_version=track.agent_version_id,
        action_type=track.action_type_id,
        route=Route.ALONE,
        evaluated_at__gt=heard,
        drill=False,
    ).exists()


def _canary_step(found: Evidence, grant: AutonomyGrant) -> tuple[int, int]:
    """Return (errors, labels) of what ran alone on the new level since the present step began.

    What runs alone beside it, on the level before, would tell nothing of the step. One event is one.
    """
    rows = (
        Observation.objects.filter(
            agent_version=found.track.agent_version_id,
            action_type=found.track.action_type_id,
            gate_check__route=Route.ALONE,
            gate_check__level=grant.level,
            gate_check__evaluated_at__gte=grant.canary_since,
            considered=True,
        )
        .order_by("id")
        .values_list(
            "cluster_key", "observed_at__date", "error", "pk", "gate_check__double_review__settled_kind"
        )
    )
    first: dict[object, bool] = {}
    for cluster, day, error, pk, settled in rows:
        first.setdefault((cluster, day) if cluster else pk, error or samples.is_objection(settled))
    return sum(first.values()), len(first)


def _tend_canary(found: Evidence, grant: AutonomyGrant) -> None:
    """Widen the share that the level is tried on, once the present step has shown enough."""
    if grant.canary_share >= 1 or grant.canary_since is None:
        return
    settings = found.settings
    if found.now - grant.canary_since < timedelta(hours=settings.canary_hours):
        return
    errors, labels = _canary_step(found, grant)
    if labels < settings.canary_labels:
        return
    wider = next((step for step in CANARY_STEPS if step > grant.canary_share), 1.0)
    held = _hold(found, grant)
    if held is None or held.canary_share != grant.canary_share:
        return
    held.canary_share = wider
    held.canary_since = found.now if wider < 1 else None
    held.audit_rate = (
        max(settings.audit_start, settings.canary_checked) if wider < 1 else settings.audit_start
    )
    held.save(update_fields=["canary_share", "canary_since", "audit_rate"])
    _record(
        "autonomy.canary_widened",
        found,
        held,
        before={"canary_share": grant.canary_share, "audit_rate": grant.audit_rate},
        after={"canary_share": wider, "audit_rate": held.audit_rate},
        labels=labels,
        errors=errors,
    )


def _tend_audit_rate(found: Evidence, grant: AutonomyGrant) -> None:
    """Lower the share that is checked as checks without an error come in, down to what finds drift."""
    if grant.canary_share < 1 or grant.audit_rate is None:
        return
    wanted = planned_audit_rate(found, start=minor_versions.audit_start_of(grant, found.settings))
    # It only ever falls here: a demotion begins anew, and a new grant with it.
    if wanted >= grant.audit_rate:
        return
    held = _hold(found, grant)
    if held is None or held.audit_rate != grant.audit_rate or held.canary_share < 1:
        return
    held.audit_rate = wanted
    held.save(update_fields=["audit_rate"])
    _record(
        "autonomy.audit_rate_lowered",
        found,
        held,
        before={"audit_rate": grant.audit_rate},
        after={"audit_rate": wanted},
        clean_checks=found.tally.arrived_n - found.tally.arrived_k,
    )


def planned_audit_rate(found: Evidence, *, start: float) -> float:
    """Return the share to check now: halved for every run of clean checks, never under what finds a jump.

    It began at ``start``. A jump from the tolerated rate to five times as much is to be found within a
    month's volume.
    """
    settings, tally = found.settings, found.tally
    volume = GateCheck.objects.filter(
        agent_version=found.track.agent_version_id,
        action_type=found.track.action_type_id,
        route=Route.ALONE,
        evaluated_at__gte=found.now - timedelta(days=30),
        drill=False,
    ).count()
    tolerated = tally.drift.tolerated
    needed, _ = audit_rate_for_delay(tolerated, min(0.95, 5 * tolerated), max(1, volume), settings.drift_run)
    least = min(settings.audit_start, max(settings.audit_floor, needed))
    halvings = (tally.arrived_n - tally.arrived_k) // settings.audit_halving
    return float(max(least, start * 0.5**halvings))


def _propose(found: Evidence, grant: AutonomyGrant | None) -> None:
    """Propose what is earned, once; withdraw a proposal whose evidence no longer stands."""
    version, action_type = found.track.agent_version, found.track.action_type
    open_one = AutonomyProposal.objects.filter(
        agent_version=version, action_type=action_type, state=ProposalState.OPEN
    ).first()
    renewing = open_one is not None and open_one.kind == ProposalKind.RENEWAL
    # The shift of scores reads thousands of rows: it is asked last.
    rung = proposals.rung_of(found, grant=grant, renewing=renewing, with_scores=False)
    if open_one is not None:
        if (
            found.has_alarm
            or rung is None
            or rung.locked
            or not rung.is_earned
            or _is_outdated(found, open_one)
        ):
            demotions.change_of_level(agent_version_id=version.pk, action_type_id=action_type.pk)
            demotions.withdraw_open(
                agent_version=version,
                action_type=action_type,
                because="The evidence no longer speaks for it.",
                now=found.now,
            )
        return
    if grant is not None and grant.canary_share < 1:
        return
    if (rung is None or not rung.is_ready) and _ends_soon(found, grant):
        renewing = True
        rung = proposals.rung_of(found, grant=grant, renewing=True, with_scores=False)
    if rung is None or not rung.is_ready or _was_refused(found, rung.to.value):
        return
    rung = proposals.rung_of(found, grant=grant, renewing=renewing)
    if rung is None or not rung.is_ready:
        return
    demotions.change_of_level(agent_version_id=version.pk, action_type_id=action_type.pk)
    try:
        with transaction.atomic():
            proposals.draw_up(found, rung, grant=grant, proposed_by=None, now=found.now)
    except proposals.UnableToPropose:
        # A person was first.
        return


def _is_outdated(found: Evidence, proposal: AutonomyProposal) -> bool:
    """Say whether the threshold that was proposed is no longer certified, though another may be."""
    return (
        proposal.kind == ProposalKind.PROMOTION
        and proposal.to_level == AutonomyLevel.THRESHOLD
        and not questions.certifies(found, proposal.threshold)
    )


def _ends_soon(found: Evidence, grant: AutonomyGrant | None) -> bool:
    """Say whether a level that rests on evidence needs new evidence: its end is near, or it is too old."""
    if grant is None or grant.level not in _ALONE:
        return False
    if grant.certified and found.now - grant.granted_at >= timedelta(days=found.settings.certificate_days):
        return True
    if grant.expires_at is None:
        return False
    return grant.expires_at - found.now <= timedelta(days=found.settings.renewal_days)


def _was_refused(found: Evidence, to: str) -> bool:
    """Say whether somebody said no to this since the level last changed: asking again is up to people."""
    return AutonomyProposal.objects.filter(
        agent_version=found.track.agent_version_id,
        action_type=found.track.action_type_id,
        to_level=to,
        state=ProposalState.REFUSED,
        proposed_at__gte=found.track.started_at,
    ).exists()


def _hold(found: Evidence, grant: AutonomyGrant) -> AutonomyGrant | None:
    """Lock the grant as it is now, None where it has ended meanwhile."""
    demotions.change_of_level(
        agent_version_id=found.track.agent_version_id, action_type_id=found.track.action_type_id
    )
    return AutonomyGrant.objects.select_for_update(no_key=True).filter(pk=grant.pk, ended_at=None).first()


def _record(
    verb: str,
    found: Evidence,
    grant: AutonomyGrant,
    *,
    before: dict[str, float | None],
    after: dict[str, float | None],
    **facts: int,
) -> None:
    ledger.record(
        actor=Actor.system(),
        verb=verb,
        object_kind="autonomy_grant",
        object_id=grant.public_id,
        now=found.now,
        payload={
            "agent": found.track.agent_version.agent.name,
            "version": found.track.agent_version.label,
            "action_type": found.track.action_type.name,
            "before": dict(before),
            "after": dict(after),
            **facts,
        },
    )

"""Proposals of more autonomy: made by evidence, answered by a person, good for a few days.

What a proposal rests on is frozen with it. Whoever approves is asked again for everything that could have
changed since: their right, the level, the health of the evidence, the evals, the cap.
"""

from __future__ import annotations

import hmac
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

from django.db import transaction
from django.utils.translation import gettext

from hitl_site.lib import ids
from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.strict_json import JsonValue
from policies.choices import AutonomyLevel, ProposalKind, ProposalState
from policies.engine.ladder import Rung, next_rung, renewal
from policies.engine.ladder_settings import CANARY_STEPS
from policies.models import ActionType, AgentVersion, AutonomyGrant, AutonomyProposal
from policies.selectors import autonomy as levels
from policies.selectors import evidence as questions
from policies.selectors import owners
from policies.selectors.evidence import Evidence
from policies.selectors.rung_words import condition_in_words
from policies.services import autonomy, demotions, evidence, ledger, rights
from policies.services.autonomy import Terms
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

GRANT: Final = "policies.grant_autonomy"
_ALONE: Final = frozenset({AutonomyLevel.THRESHOLD, AutonomyLevel.AUTONOMOUS})


class UnableToPropose(ValueError):
    """The rung is not earned, or a proposal waits already. Nothing has changed."""


class UnableToApprove(ValueError):
    """The proposal cannot be approved now, or not by this person. Nothing has changed."""


class NoLongerOpen(UnableToApprove):
    """Somebody was first, it ran out, or an alarm withdrew it."""


def rung_of(
    found: Evidence, *, grant: AutonomyGrant | None, renewing: bool = False, with_scores: bool = True
) -> Rung | None:
    """Return the way to the next level, or to the same for longer, as it stands now."""
    situation = questions.situation_of(found, grant=grant, renewing=renewing, with_scores=with_scores)
    return renewal(situation, found.settings) if renewing else next_rung(situation, found.settings)


def propose(
    *, agent_version: AgentVersion, action_type: ActionType, proposed_by: User, note: str, now: datetime
) -> AutonomyProposal:
    """Propose the next level by hand. Raises ``UnableToPropose`` with what is missing."""
    with rights.acting(proposed_by, GRANT):
        ActionType.objects.select_for_update(no_key=True).get(pk=action_type.pk)
        demotions.change_of_level(agent_version_id=agent_version.pk, action_type_id=action_type.pk)
        found = _found(agent_version, action_type, now)
        if found is None:
            raise UnableToPropose(gettext("Nobody has looked at an action of this version yet."))
        grant = levels.grant_in_force(agent_version, action_type, now)
        rung = rung_of(found, grant=grant)
        if rung is None:
            raise UnableToPropose(gettext("This is the highest level."))
        return draw_up(found, rung, grant=grant, proposed_by=proposed_by, note=note, now=now)


def draw_up(
    found: Evidence,
    rung: Rung,
    *,
    grant: AutonomyGrant | None,
    proposed_by: User | None,
    note: str = "",
    now: datetime,
) -> AutonomyProposal:
    """Freeze the evidence and wait for a person. The caller's transaction holds the level."""
    version, action_type = found.track.agent_version, found.track.action_type
    _check_ready(rung, UnableToPropose)
    if grant is not None and grant.canary_share < 1:
        raise UnableToPropose(gettext("The present level is still being tried on a share of the actions."))
    if AutonomyProposal.objects.filter(
        agent_version=version, action_type=action_type, state=ProposalState.OPEN
    ).exists():
        raise UnableToPropose(gettext("A proposal waits for an answer already."))
    kind = ProposalKind.RENEWAL if rung.to.value == found.level else ProposalKind.PROMOTION
    named = grant.threshold if grant is not None else None
    if kind == ProposalKind.RENEWAL and found.level == AutonomyLevel.THRESHOLD and named is None:
        # Else the policy alone would say from where on it is certified, and could be changed.
        raise UnableToPropose(gettext("No threshold was certified that could go on."))
    snapshot = _snapshot(found, rung, grant=grant, now=now)
    actor = Actor.person(proposed_by) if proposed_by is not None else Actor.system()
    proposal = AutonomyProposal.objects.create(
        public_id=ids.new("apr"),
        agent_version=version,
        action_type=action_type,
        kind=kind,
        from_level=found.level,
        to_level=AutonomyLevel(rung.to.value),
        threshold=_threshold(found, rung, kind, grant),
        evidence=snapshot,
        evidence_digest=digest_of(snapshot),
        note=note.strip(),
        proposed_by=proposed_by,
        proposed_by_name=actor.name if proposed_by is not None else demotions.HANDRAIL,
        proposed_at=now,
        expires_at=now + timedelta(days=found.settings.proposal_days),
    )
    _record(
        "autonomy.proposed",
        proposal,
        actor=actor,
        now=now,
        evidence_digest=proposal.evidence_digest,
        threshold=proposal.threshold,
        expires_at=proposal.expires_at.isoformat(),
    )
    return proposal


def approve(*, proposal_id: str, approved_by: User, reason: str, now: datetime) -> AutonomyGrant:
    """Grant what was proposed. The level is tried on a small share of the actions first.

    Not by the agent's owner, and where a wrong action costs much not by whoever proposed it.
    """
    if not reason.strip():
        raise UnableToApprove(gettext("Say why: others will read it."))
    with rights.acting(approved_by, GRANT) as actor:
        proposal = _lock(proposal_id)
        _check_open(proposal, now)
        version, action_type = proposal.agent_version, proposal.action_type
        if owners.is_apart(version.agent, approved_by.pk, since=proposal.proposed_at):
            raise UnableToApprove(gettext("You own this agent; somebody else decides how far it may go."))
        if proposal.proposed_by_id == approved_by.pk and questions.is_costly(action_type):
            raise UnableToApprove(
                gettext("A wrong action of this type costs much: another person than the proposer approves.")
            )
        if not hmac.compare_digest(digest_of(proposal.evidence), proposal.evidence_digest):
            raise UnableToApprove(gettext("The evidence is not what it was when this was proposed."))
        grant = levels.grant_in_force(version, action_type, now)
        _check_still_stands(proposal, grant, now)
        granted = autonomy.grant(
            agent_version=version,
            action_type=action_type,
            level=AutonomyLevel(proposal.to_level),
            reason=reason,
            granted_by=approved_by,
            certified=True,
            expires_at=_expiry(proposal, now),
            terms=_terms(proposal, grant),
            now=now,
        )
        _close(proposal, ProposalState.APPROVED, by=approved_by, because=reason, now=now, grant=granted)
        _record("autonomy.approved", proposal, actor=actor, now=now, grant=granted.public_id, reason=reason)
    return granted


def refuse(*, proposal_id: str, refused_by: User, reason: str, now: datetime) -> AutonomyProposal:
    """Answer a proposal with no. Handrail does not propose the same again until the level changes."""
    if not reason.strip():
        raise UnableToApprove(gettext("Say why: others will read it."))
    with rights.acting(refused_by, GRANT) as actor:
        proposal = _lock(proposal_id)
        _check_open(proposal, now)
        _close(proposal, ProposalState.REFUSED, by=refused_by, because=reason, now=now)
        _record("autonomy.refused", proposal, actor=actor, now=now, reason=reason)
    return proposal


def expire_due(*, now: datetime) -> int:
    """Close what nobody answered in time. Return how many this call closed."""
    due = AutonomyProposal.objects.filter(state=ProposalState.OPEN, expires_at__lte=now)
    done = 0
    for proposal_id in list(due.values_list("public_id", flat=True)):
        with transaction.atomic():
            proposal = _lock(proposal_id)
            if proposal.state != ProposalState.OPEN:
                continue
            _close(proposal, ProposalState.EXPIRED, by=None, because="Nobody answered in time.", now=now)
            _record("autonomy.proposal_expired", proposal, actor=Actor.system(), now=now)
            done += 1
    return done


def digest_of(evidence: JsonValue) -> str:
    """Return the digest under which evidence is frozen."""
    return f"sha256:{sha256_hex(canonicalize(evidence))}"


def _lock(proposal_id: str) -> AutonomyProposal:
    """Lock the action type, the level and the proposal: everybody takes them in this order."""
    known = AutonomyProposal.objects.filter(public_id=proposal_id).first()
    if known is None:
        raise NoLongerOpen(gettext("There is no such proposal."))
    ActionType.objects.select_for_update(no_key=True).get(pk=known.action_type_id)
    demotions.change_of_level(agent_version_id=known.agent_version_id, action_type_id=known.action_type_id)
    return (
        AutonomyProposal.objects.select_for_update(of=("self",), no_key=True)
        .select_related("agent_version__agent", "action_type")
        .get(pk=known.pk)
    )


def _check_open(proposal: AutonomyProposal, now: datetime) -> None:
    if proposal.state != ProposalState.OPEN:
        state = proposal.get_state_display().lower()
        raise NoLongerOpen(gettext("This proposal is closed: {state}.").format(state=state))
    if proposal.expires_at <= now:
        raise NoLongerOpen(gettext("This proposal has run out; its evidence is too old."))


def _check_still_stands(proposal: AutonomyProposal, grant: AutonomyGrant | None, now: datetime) -> None:
    level = levels.level_under(grant, proposal.action_type)
    found = _found(proposal.agent_version, proposal.action_type, now)
    if found is None or level != proposal.from_level or found.level != proposal.from_level:
        raise UnableToApprove(gettext("The level has changed since this was proposed."))
    rung = rung_of(found, grant=grant, renewing=proposal.kind == ProposalKind.RENEWAL)
    if rung is None:
        raise UnableToApprove(gettext("This is the highest level."))
    _check_ready(rung, UnableToApprove)
    if proposal.kind != ProposalKind.PROMOTION or proposal.to_level != AutonomyLevel.THRESHOLD:
        return
    if not questions.certifies(found, proposal.threshold):
        raise UnableToApprove(gettext("The threshold that was proposed is no longer certified."))


def _found(agent_version: AgentVersion, action_type: ActionType, now: datetime) -> Evidence | None:
    """Return the evidence with every answer of this moment: what is granted rests on no older one."""
    track = questions.track_of(agent_version, action_type)
    if track is None:
        return None
    tally = evidence.read_on(track)
    return questions.of_track(track, tally, limits=questions.limits_of(track.action_type), now=now)


def _check_ready(rung: Rung, problem: type[ValueError]) -> None:
    if rung.locked:
        raise problem(gettext("The action type's declaration caps autonomy below this level."))
    missing = [each for each in (*rung.conditions, *rung.health) if not each.met]
    if missing:
        told = [condition_in_words(each) for each in missing]
        raise problem(" ".join(f"{each.title}: {each.says}" for each in told))


def _expiry(proposal: AutonomyProposal, now: datetime) -> datetime | None:
    if proposal.to_level not in _ALONE:
        return None
    return now + timedelta(days=questions.settings_of(proposal.action_type).certificate_days)


def _terms(proposal: AutonomyProposal, grant: AutonomyGrant | None) -> Terms:
    settings = questions.settings_of(proposal.action_type)
    if proposal.to_level not in _ALONE:
        return Terms(proposal_id=proposal.public_id)
    if proposal.kind == ProposalKind.RENEWAL and grant is not None:
        return Terms(threshold=grant.threshold, audit_rate=grant.audit_rate, proposal_id=proposal.public_id)
    return Terms(
        threshold=proposal.threshold,
        audit_rate=max(settings.audit_start, settings.canary_checked),
        canary_share=CANARY_STEPS[0],
        canary_base=AutonomyLevel(proposal.from_level),
        proposal_id=proposal.public_id,
    )


def _threshold(found: Evidence, rung: Rung, kind: ProposalKind, grant: AutonomyGrant | None) -> float | None:
    """Return the certified threshold: of the evidence, or the one in force, to fall back to."""
    if kind == ProposalKind.PROMOTION and rung.to.value == AutonomyLevel.THRESHOLD:
        point = questions.certified_point(found)
        return point.threshold if point is not None else None
    return grant.threshold if grant is not None else None


def _snapshot(
    found: Evidence, rung: Rung, *, grant: AutonomyGrant | None, now: datetime
) -> dict[str, JsonValue]:
    """Return everything that the proposal rests on, as it is now."""
    catch = found.limits.catch
    document = {
        "taken_at": now.isoformat(),
        "since": found.track.started_at.isoformat(),
        "level": str(found.level),
        "to": rung.to.value,
        "attempt": found.attempt,
        "limit": found.limits.limit,
        "tested_against": found.limits.alpha,
        "delta": found.delta,
        "labels": found.n,
        "errors": found.k,
        "upper": found.upper,
        "watermark_seq": found.track.watermark_seq,
        "started_seq": found.track.started_seq,
        "catch_rate": None
        if catch is None
        else {"planted": catch.planted, "caught": catch.caught, "lower": catch.lower},
        "conditions": [asdict(each) for each in rung.conditions],
        "health": [asdict(each) for each in rung.health],
        "grant": grant.public_id if grant is not None else None,
        "tally": found.tally.to_document(),
    }
    return cast(dict[str, JsonValue], document)


def _close(
    proposal: AutonomyProposal,
    state: ProposalState,
    *,
    by: User | None,
    because: str,
    now: datetime,
    grant: AutonomyGrant | None = None,
) -> None:
    proposal.state = state
    proposal.closed_at = now
    proposal.closed_by = by
    proposal.closed_by_name = Actor.person(by).name if by is not None else demotions.HANDRAIL
    proposal.closed_because = because.strip()
    proposal.grant = grant
    proposal.save(
        update_fields=["state", "closed_at", "closed_by", "closed_by_name", "closed_because", "grant"]
    )


def _record(
    verb: str, proposal: AutonomyProposal, *, actor: Actor, now: datetime, **facts: JsonValue
) -> None:
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="autonomy_proposal",
        object_id=proposal.public_id,
        now=now,
        payload={
            "agent": proposal.agent_version.agent.name,
            "version": proposal.agent_version.label,
            "action_type": proposal.action_type.name,
            "kind": str(proposal.kind),
            "from": str(proposal.from_level),
            "to": str(proposal.to_level),
            **facts,
        },
    )

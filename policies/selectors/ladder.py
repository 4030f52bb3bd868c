"""What the pages of autonomy show: the matrix, and one version with one action type."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q
from django.utils.translation import gettext, gettext_noop

from hitl_site.lib import wording
from hitl_site.lib.charts import Plot
from policies.choices import ActorKind, AutonomyLevel, ProposalState
from policies.engine.ladder import Rung, next_rung, renewal
from policies.models import (
    ActionType,
    AgentVersion,
    AutonomyGrant,
    AutonomyProposal,
    EvidenceTrack,
    LedgerPayload,
)
from policies.selectors import autonomy
from policies.selectors import evidence as questions
from policies.selectors.evidence import Evidence
from policies.selectors.ladder_words import sentences, time_to_go, trajectory
from policies.selectors.minor_versions import predecessor
from policies.selectors.rung_words import act_in_words, in_words
from policies.selectors.watermark import Holdup, holdup_of
from policies.statistics.tracking import Tally

# A version that nobody has seen for so long, and that holds no grant, is history.
_RECENT: Final = timedelta(days=90)
_MOST_ROWS: Final = 200
_MOST_ENTRIES: Final = 60
_ALONE: Final = frozenset({AutonomyLevel.THRESHOLD, AutonomyLevel.AUTONOMOUS})


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One rung in a row: ``state`` is now, below, ready, next, above or locked."""

    level: AutonomyLevel
    state: str
    says: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One agent version with one action type."""

    agent_version: AgentVersion
    action_type: ActionType
    level: AutonomyLevel
    grant: AutonomyGrant | None
    proposal: AutonomyProposal | None
    steps: tuple[Step, ...]
    to_go: str
    canary: str
    holdup: Holdup | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """All versions that propose one kind of action."""

    action_type: ActionType
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """Everything about one agent version and action type. ``found`` None: nobody was asked to look yet.

    ``minor_of`` is the grant of an earlier version that a person may let go on, were this a minor change;
    ``reason`` is why the present grant was made.
    """

    agent_version: AgentVersion
    action_type: ActionType
    level: AutonomyLevel
    cap: AutonomyLevel
    grant: AutonomyGrant | None
    proposal: AutonomyProposal | None
    found: Evidence | None
    rung: Rung | None
    renewal: Rung | None
    chart: Plot | None
    sentences: tuple[str, ...]
    before: tuple[str, ...]
    time_to_go: str
    holdup: Holdup | None
    minor_of: AutonomyGrant | None
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One entry of the record about this autonomy, in words."""

    at: datetime
    who: str
    title: str
    says: str
    lost: bool


def matrix(*, now: datetime) -> list[Group]:
    """Return every version that was seen lately or holds a grant, by action type."""
    live = Q(ended_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
    grants = {
        (grant.agent_version_id, grant.action_type_id): grant
        for grant in AutonomyGrant.objects.filter(live).select_related("agent_version__agent", "action_type")
    }
    proposals = {
        (each.agent_version_id, each.action_type_id): each
        for each in AutonomyProposal.objects.filter(state=ProposalState.OPEN, expires_at__gt=now)
    }
    tracks = {
        (track.agent_version_id, track.action_type_id): track
        for track in EvidenceTrack.objects.filter(
            Q(computed_at__gte=now - _RECENT) | Q(computed_at=None)
        ).select_related("agent_version__agent", "action_type")[:_MOST_ROWS]
    }
    limits = {}
    groups: dict[int, list[Row]] = {}
    for key in sorted({*tracks, *grants}):
        holder = tracks.get(key) or grants[key]
        action_type = holder.action_type
        if action_type.pk not in limits:
            limits[action_type.pk] = questions.limits_of(action_type)
        found = None
        if key in tracks:
            track = tracks[key]
            bounds = limits[action_type.pk]
            tally = Tally.from_document(track.state) if track.state else Tally.begin(alpha=bounds.alpha)
            found = questions.of_track(track, tally, limits=bounds, now=now)
        row = _row(holder.agent_version, action_type, grants.get(key), proposals.get(key), found)
        groups.setdefault(action_type.pk, []).append(row)
    return sorted(
        (Group(action_type=rows[0].action_type, rows=tuple(rows)) for rows in groups.values()),
        key=lambda group: group.action_type.name,
    )


def _row(
    version: AgentVersion,
    action_type: ActionType,
    grant: AutonomyGrant | None,
    proposal: AutonomyProposal | None,
    found: Evidence | None,
) -> Row:
    level, cap = autonomy.level_under(grant, action_type), autonomy.cap_of(action_type)
    more = questions.labels_to_go(found) if found is not None else None
    at_top = autonomy.rank(level) >= autonomy.rank(cap) or level == AutonomyLevel.AUTONOMOUS
    return Row(
        agent_version=version,
        action_type=action_type,
        level=level,
        grant=grant,
        proposal=proposal,
        steps=tuple(_step(each, level, cap, proposal) for each in autonomy.LADDER),
        to_go="" if at_top or found is None else _to_go(more, found.days_to_go),
        canary=gettext("tried on {share}").format(share=wording.percent(grant.canary_share))
        if grant and grant.canary_share < 1
        else "",
        holdup=holdup_of(found) if found is not None and found.waiting else None,
    )


def _step(
    step: AutonomyLevel, level: AutonomyLevel, cap: AutonomyLevel, proposal: AutonomyProposal | None
) -> Step:
    if step == level:
        return Step(level=step, state="now", says=gettext("Now"))
    if autonomy.rank(step) < autonomy.rank(level):
        return Step(level=step, state="below", says=gettext("Passed"))
    if autonomy.rank(step) > autonomy.rank(cap):
        return Step(level=step, state="locked", says=gettext("Locked by policy"))
    if proposal is not None and proposal.to_level == step:
        return Step(level=step, state="ready", says=gettext("Ready?"))
    return Step(level=step, state="above", says=gettext("Not yet"))


def cell(agent_version: AgentVersion, action_type: ActionType, *, now: datetime) -> Cell:
    """Return how one version stands with one action type."""
    grant = autonomy.grant_in_force(agent_version, action_type, now)
    found = questions.evidence_of(agent_version, action_type, now)
    rung = again = None
    if found is not None:
        situation = questions.situation_of(found, grant=grant)
        rung = next_rung(situation, found.settings)
        if grant is not None and grant.level in _ALONE and grant.certified:
            renewing = questions.situation_of(found, grant=grant, renewing=True, with_scores=False)
            again = renewal(renewing, found.settings)
    open_one = AutonomyProposal.objects.filter(
        agent_version=agent_version, action_type=action_type, state=ProposalState.OPEN, expires_at__gt=now
    ).first()
    return Cell(
        agent_version=agent_version,
        action_type=action_type,
        level=autonomy.level_under(grant, action_type),
        cap=autonomy.cap_of(action_type),
        grant=grant,
        proposal=open_one,
        found=found,
        rung=in_words(rung) if rung is not None else None,
        renewal=in_words(again) if again is not None else None,
        chart=trajectory(found) if found is not None else None,
        sentences=tuple(sentences(found, now)) if found is not None else (),
        before=tuple(_versions_before(agent_version, action_type)),
        time_to_go=time_to_go(found.days_to_go) if found is not None and found.days_to_go else "",
        holdup=holdup_of(found) if found is not None else None,
        minor_of=predecessor(agent_version, action_type, now) if grant is None else None,
        reason=_reason_of(grant) if grant is not None else "",
    )


def _reason_of(grant: AutonomyGrant) -> str:
    # What a level fell back for is Handrail's own sentence; a person's reason is theirs.
    return act_in_words(grant.reason) if grant.granted_by_id is None else grant.reason


def history(agent_version: AgentVersion, action_type: ActionType) -> list[Event]:
    """Return what the record says of this autonomy, newest first."""
    about = list(
        AutonomyGrant.objects.filter(agent_version=agent_version, action_type=action_type).values_list(
            "public_id", flat=True
        )
    )
    about += AutonomyProposal.objects.filter(
        agent_version=agent_version, action_type=action_type
    ).values_list("public_id", flat=True)
    said = (
        LedgerPayload.objects.filter(entry__object_id__in=about, entry__verb__startswith="autonomy.")
        .select_related("entry")
        .order_by("-entry_id")[:_MOST_ENTRIES]
    )
    return [_event(payload) for payload in said]


_TITLES: Final = {
    "autonomy.granted": gettext_noop("Granted"),
    "autonomy.ended": gettext_noop("Taken back"),
    "autonomy.lapsed": gettext_noop("Ran out"),
    "autonomy.demoted": gettext_noop("Demoted"),
    "autonomy.proposed": gettext_noop("Proposed"),
    "autonomy.approved": gettext_noop("Proposal approved"),
    "autonomy.refused": gettext_noop("Proposal refused"),
    "autonomy.proposal_expired": gettext_noop("Proposal ran out"),
    "autonomy.proposal_withdrawn": gettext_noop("Proposal withdrawn"),
    "autonomy.canary_widened": gettext_noop("Tried on more"),
    "autonomy.audit_rate_lowered": gettext_noop("Checked less often"),
}
_SHARES: Final = {
    "canary_share": gettext_noop("canary share {share}"),
    "audit_rate": gettext_noop("audit rate {share}"),
}
_LOST: Final = frozenset({"autonomy.ended", "autonomy.lapsed", "autonomy.demoted"})


def _event(payload: LedgerPayload) -> Event:
    entry = payload.entry
    body = payload.body if isinstance(payload.body, dict) else {}
    before, after = body.get("before"), body.get("after") or body.get("to")
    parts = []
    if isinstance(after, dict):
        parts += [
            gettext(_SHARES[name]).format(share=_percent(float(value)))
            for name, value in after.items()
            if value and name in _SHARES
        ]
    elif after:
        named = _label(after)
        changed = bool(before) and before != after
        told = gettext("{before} to {after}").format(before=_label(before), after=named)
        parts.append(told if changed else named)
    why = body.get("says") or body.get("reason") or body.get("because")
    if why:
        # What Handrail says of itself is ours to translate; a person's reason is not.
        parts.append(act_in_words(str(why)) if entry.actor_kind == ActorKind.SYSTEM else str(why))
    if entry.verb == "autonomy.granted" and not body.get("certified"):
        parts.append(gettext("Not certified."))
    return Event(
        at=entry.occurred_at,
        who="Handrail" if entry.actor_kind == ActorKind.SYSTEM else entry.actor_name,
        title=gettext(_TITLES.get(entry.verb, entry.verb)),
        says=" · ".join(parts),
        lost=entry.verb in _LOST,
    )


def _percent(share: float) -> str:
    # Shown beside a person's reason, where hidden characters are named.
    return wording.percent(share).replace("\N{NO-BREAK SPACE}", " ")


def _label(level: object) -> str:
    text = str(level)
    return str(AutonomyLevel(text).label) if text in AutonomyLevel.values else text


def _to_go(more: int | None, days: float | None) -> str:
    if more is None:
        return gettext("The evidence does not point upwards")
    if more == 0:
        return gettext("Evidence is enough")
    number = wording.number(more)
    if days is None:
        return gettext("About {number} more clean reviews; none come in at present").format(number=number)
    return gettext("About {number} more clean reviews, {time} at the present volume").format(
        number=number, time=time_to_go(days)
    )


def _versions_before(version: AgentVersion, action_type: ActionType) -> Iterable[str]:
    """Say what earlier versions held: a new version begins at the level of first contact."""
    held = (
        AutonomyGrant.objects.filter(
            agent_version__agent=version.agent_id,
            agent_version__first_seen_at__lt=version.first_seen_at,
            action_type=action_type,
        )
        .select_related("agent_version")
        .order_by("-granted_at")[:1]
    )
    for grant in held:
        yield gettext(
            "Version {version} was granted {level}; evidence and grants belong to a version, so this one"
            " began anew."
        ).format(version=grant.agent_version.label, level=grant.get_level_display())

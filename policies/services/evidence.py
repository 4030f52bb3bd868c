"""Evidence: made of the ledger, in its order, exactly once, and made again from it with the same result.

``follow`` gives every action that a person was to look at its place in the order of sampling, notes when its
label came, and begins a track anew when a level changes. ``take_in`` then takes into a track what is
answered, up to the watermark: the first action that is not. Each is one transaction that holds its cursor or
its track, so that any number of workers may do it at once.

A track begins anew wherever its labels would be of two populations: at a change of level, of the level of
first contact, and of the score that thresholds are looked for on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Max, Q

from policies.choices import AutonomyLevel, Route
from policies.models import (
    AutonomyGrant,
    EvidenceSample,
    EvidenceTrack,
    GateCheck,
    LedgerPayload,
    PolicyVersion,
)
from policies.selectors import autonomy as ladder
from policies.selectors import evidence_samples as samples
from policies.selectors import score_basis
from policies.selectors.evidence_limits import limits_of
from policies.services import ledger
from policies.statistics.tracking import Tally

READER: Final = "evidence"
# Where an action enters the record, where it leaves it without an answer, and where a level changes.
_ENTERED: Final = frozenset({"action.held", "action.allowed", "action.observed"})
_ANSWERED: Final = "decision.released"
_SETTLED: Final = "second_opinion.settled"
_CLOSED: Final = frozenset({"action.expired", "action.cancelled", "action.denied"})
_LEVELS: Final = frozenset({"autonomy.granted", "autonomy.ended", "autonomy.lapsed", "autonomy.demoted"})
# Levels under which labels are looked at by their score.
_BY_SCORE: Final = frozenset({AutonomyLevel.REVIEW_ALL, AutonomyLevel.THRESHOLD})
_PUBLISHED: Final = "policy.published"
_DECLARED: Final = "action_type.changed"
_FOLLOWED: Final = _ENTERED | _CLOSED | _LEVELS | {_ANSWERED, _SETTLED, _PUBLISHED, _DECLARED}
_SLICE: Final = 500


@transaction.atomic
def follow(*, now: datetime, limit: int = 2000) -> int:
    """Read the next entries of the ledger; return how many. Workers take turns."""
    stretch = ledger.read(reader=READER, verbs=_FOLLOWED, limit=limit)
    if not stretch.length:
        return 0
    sampled = _sample({each.action_id: each.seq for each in stretch.entries if each.verb in _ENTERED})
    # Strictly in their order: a level that was granted before an action holds for it.
    for each in stretch.entries:
        if each.verb in _ENTERED and each.action_id in sampled:
            _first_seen(sampled[each.action_id], each.seq)
        elif each.verb == _ANSWERED:
            _note_label(each.action_id, each.seq)
        elif each.verb == _SETTLED:
            _read_again(each.action_id)
        elif each.verb in _LEVELS:
            _change_level(each.object_id, each.entry_id, each.seq)
        elif each.verb == _PUBLISHED:
            _change_score(each.object_id, each.entry_id, each.seq)
        elif each.verb == _DECLARED:
            _change_first_contact(each.object_id, each.entry_id, each.seq)
    closed = [each.action_id for each in stretch.entries if each.verb in _CLOSED]
    _mark(EvidenceSample.objects.filter(gate_check__action_id__in=closed))
    ledger.advance(reader=READER, seq=stretch.last)
    return stretch.length


def stale() -> list[int]:
    """Return the keys of the tracks with news."""
    return list(EvidenceTrack.objects.filter(stale=True).order_by("id").values_list("pk", flat=True))


def take_in(track_pk: int, *, now: datetime) -> tuple[EvidenceTrack, Tally]:
    """Take into a track what is answered, and return both. The caller's transaction holds the track from now.

    What evidence is tested against may have changed (a limit, a drill): then it is read again from its
    beginning, since the highest value it ever had belongs to the rate it was tested against.
    """
    track = (
        EvidenceTrack.objects.select_for_update(of=("self",))
        .select_related("agent_version__agent", "action_type")
        .get(pk=track_pk)
    )
    tally = read_on(track)
    track.state = tally.to_document()
    track.stale = False
    track.computed_at = now
    track.save(update_fields=["state", "stale", "computed_at", "watermark_seq", "labels_seq"])
    return track, tally


def read_on(track: EvidenceTrack) -> Tally:
    """Return the tally with all that is answered by now, against what is to be tested now; nothing is stored.

    The marks of the track in memory move with it. For whoever grants something on evidence: what was taken
    in last may be older than an answer, or than a limit.
    """
    alpha = limits_of(track.action_type).alpha
    if track.state and track.state["alpha"] == alpha:
        tally = Tally.from_document(track.state)
    else:
        tally = _begin(track, alpha)
        track.watermark_seq = track.labels_seq = track.started_seq
    track.watermark_seq = _take_samples(track, tally, after=track.watermark_seq)
    track.labels_seq = _take_labels(track, tally, after=track.labels_seq)
    return tally


def rebuilt(track: EvidenceTrack) -> Tally:
    """Return what the track's state is when it is made from its first sample on; nothing is changed."""
    tally = _begin(track, limits_of(track.action_type).alpha)
    _take_samples(track, tally, after=track.started_seq)
    _take_labels(track, tally, after=track.started_seq)
    return tally


def _begin(track: EvidenceTrack, alpha: float) -> Tally:
    return Tally.begin(alpha=alpha, scores=samples.scores_before(track))


def _take_samples(track: EvidenceTrack, tally: Tally, *, after: int) -> int:
    """Take in what is answered in the order of sampling; return the new watermark."""
    while True:
        found = samples.in_order_of_sampling(track, after=after, limit=_SLICE)
        for sample in found:
            if not sample.answered:
                return after
            after = sample.seq
            if sample.missing:
                tally.pass_over()
            elif sample.label is not None and not sample.repeated:
                tally.take(sample.label, blind=sample.blind)
            # Its own label never counts on a grid that its score helped to fix.
            tally.see(sample.score)
        if len(found) < _SLICE:
            return after


def _take_labels(track: EvidenceTrack, tally: Tally, *, after: int) -> int:
    """Take in what has come, as it came: drift is to warn early."""
    while True:
        found = samples.in_order_of_labels(track, after=after, limit=_SLICE)
        for sample in found:
            assert sample.labelled_seq is not None
            after = sample.labelled_seq
            if sample.label is not None and not sample.repeated:
                tally.arrive(sample.label)
        if len(found) < _SLICE:
            return after


def _sample(places: dict[str, int]) -> dict[str, GateCheck]:
    """Give the actions that a person was to look at their place. Drills and what ran unseen have none."""
    checks = list(
        GateCheck.objects.filter(
            Q(route=Route.HELD) | Q(audit_selected=True),
            action_id__in=places,
            drill=False,
            propensity__gt=0,
            action_type__isnull=False,
        ).order_by("id")
    )
    EvidenceSample.objects.bulk_create(
        [
            EvidenceSample(
                gate_check=check,
                agent_version_id=check.agent_version_id,
                action_type_id=check.action_type_id,
                seq=places[check.action_id],
                drawn=check.audit_selected,
                cluster_key=check.cluster_key,
                day=check.evaluated_at.date(),
            )
            for check in checks
            if check.action_type_id is not None
        ],
        ignore_conflicts=True,
    )
    return {check.action_id: check for check in checks}


def _first_seen(check: GateCheck, seq: int) -> None:
    """Begin a track where there is none, at the level that the gate went by."""
    assert check.action_type_id is not None
    _track(
        agent_version_id=check.agent_version_id,
        action_type_id=check.action_type_id,
        level=AutonomyLevel(check.level),
        seq=seq - 1,
        at=check.evaluated_at,
    )


def _note_label(action_id: str, seq: int) -> None:
    found = EvidenceSample.objects.filter(
        gate_check__action_id=action_id, labelled_seq=None, gate_check__observation__isnull=False
    )
    keys = list(found.values_list("pk", flat=True))
    if keys:
        EvidenceSample.objects.filter(pk__in=keys).update(labelled_seq=seq)
        _mark(EvidenceSample.objects.filter(pk__in=keys))


def _read_again(action_id: str) -> None:
    """Let the track be read from its beginning where a disagreement over one of its labels was settled."""
    sample = EvidenceSample.objects.filter(gate_check__action_id=action_id).first()
    if sample is not None:
        EvidenceTrack.objects.filter(
            agent_version=sample.agent_version_id,
            action_type=sample.action_type_id,
            started_seq__lt=sample.seq,
        ).update(state={}, stale=True)


def _mark(found: Iterable[EvidenceSample]) -> None:
    for sample in found:
        EvidenceTrack.objects.filter(
            agent_version=sample.agent_version_id, action_type=sample.action_type_id
        ).update(stale=True)


def _change_level(grant_id: str, entry_id: int, seq: int) -> None:
    """Begin the track anew at this place: k = n = 0, e = 1. What is not a rise costs an attempt."""
    grant = AutonomyGrant.objects.select_related("action_type").filter(public_id=grant_id).first()
    if grant is None:
        return
    body, at = _said(entry_id)
    level = AutonomyLevel(str(body.get("after") or grant.action_type.first_contact_level))
    track, is_new = _track(
        agent_version_id=grant.agent_version_id,
        action_type_id=grant.action_type_id,
        level=level,
        seq=seq,
        at=at,
    )
    if is_new:
        return
    track = EvidenceTrack.objects.select_for_update().get(pk=track.pk)
    _begin_anew(track, level=level, seq=seq, at=at, costs=ladder.rank(level) <= ladder.rank(track.level))


def _change_score(policy_id: str, entry_id: int, seq: int) -> None:
    """Begin anew what looks for a threshold, where the policy goes by another score from here on.

    Another try at certifying one: it costs an attempt where anything had been looked at.
    """
    version = PolicyVersion.objects.filter(public_id=policy_id).first()
    if version is None or not score_basis.is_other_score(version.document, score_basis.text_before(version)):
        return
    _, at = _said(entry_id)
    tracks = EvidenceTrack.objects.select_for_update().filter(
        action_type=version.action_type_id, level__in=_BY_SCORE
    )
    for track in tracks.order_by("id"):
        seen = bool(track.state) and Tally.from_document(track.state).n > 0
        _begin_anew(track, level=AutonomyLevel(track.level), seq=seq, at=at, costs=seen)


def _change_first_contact(type_id: str, entry_id: int, seq: int) -> None:
    """Begin anew, at the level that holds now, what nobody was ever granted a level for."""
    body, at = _said(entry_id)
    after = body.get("after")
    wanted = after.get("first_contact_level") if isinstance(after, dict) else None
    if wanted is None:
        return
    level = AutonomyLevel(str(wanted))
    tracks = EvidenceTrack.objects.select_for_update().filter(action_type__public_id=type_id)
    for track in tracks.exclude(level=level).order_by("id"):
        held = AutonomyGrant.objects.filter(
            agent_version=track.agent_version_id, action_type=track.action_type_id, ended_at=None
        )
        if not held.exists():
            costs = ladder.rank(level) <= ladder.rank(track.level)
            _begin_anew(track, level=level, seq=seq, at=at, costs=costs)


def _begin_anew(track: EvidenceTrack, *, level: AutonomyLevel, seq: int, at: datetime, costs: bool) -> None:
    track.attempt += costs
    track.level = level
    track.started_at = at
    track.started_seq = track.watermark_seq = track.labels_seq = seq
    track.state = {}
    track.stale = True
    track.save()


def _said(entry_id: int) -> tuple[Mapping[str, object], datetime]:
    payload = LedgerPayload.objects.select_related("entry").get(pk=entry_id)
    return payload.body if isinstance(payload.body, dict) else {}, payload.entry.occurred_at


def _track(
    *, agent_version_id: int, action_type_id: int, level: AutonomyLevel, seq: int, at: datetime
) -> tuple[EvidenceTrack, bool]:
    """Return the track, made where there was none. Only whoever holds the reader's cursor makes one.

    Evidence begins anew with every version. The error budget does not: else a demoted agent had it back for a
    new label.
    """
    track = EvidenceTrack.objects.filter(agent_version=agent_version_id, action_type=action_type_id).first()
    if track is not None:
        return track, False
    tried = EvidenceTrack.objects.filter(
        action_type=action_type_id, agent_version__agent__versions=agent_version_id
    ).aggregate(attempt=Max("attempt"))["attempt"]
    track = EvidenceTrack.objects.create(
        agent_version_id=agent_version_id,
        action_type_id=action_type_id,
        level=level,
        attempt=tried or 1,
        started_at=at,
        started_seq=seq,
        watermark_seq=seq,
        labels_seq=seq,
    )
    return track, True

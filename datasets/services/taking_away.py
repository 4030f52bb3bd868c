"""Taking content away, table by table, to its erased form: what stays is that there was something.

Every function works in the transaction of a removal that is named (``naming``), which is the only time at
which the database lets guarded content go. All of them are safe to repeat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from datasets.choices import ExportState
from datasets.models import (
    CaseCuration,
    CaseIndex,
    Conversation,
    ConversationCheck,
    DatasetMember,
    DatasetVersion,
    EvalResult,
    Export,
    GroundTruth,
    LabelledCase,
    LabelRevision,
    Omission,
    VersionMark,
)
from datasets.selectors import reach
from datasets.services import case_index, export_claims, freezing, labelling, removal_lock
from hitl_site.lib.strict_json import JsonValue
from policies.choices import RemovalKind
from policies.models import GateCheck, LedgerCursor, Removal, RemovalTarget
from policies.services import past_chunks
from policies.services.ledger import Actor
from reviews.choices import SeedState
from reviews.models import (
    ActionContext,
    ActionRequest,
    Decision,
    Drill,
    DrillSeed,
    Escalation,
    Execution,
    Incident,
    IngestRow,
    Permit,
    Precedent,
    ReviewItem,
)
from reviews.models import Draft as ReviewDraft

ERASED: Final = "Erased"
NO_ARGUMENTS: Final = b"{}"
ACTION, CONVERSATION, CASE, EXPORT, INGEST_ROW = "action", "conversation", "case", "export", "ingest_row"
CONTEXT: Final = "context"

Counts = Counter[str]


def name(removal: Removal) -> None:
    """Name the removal until the transaction ends, and keep away from it whoever makes copies meanwhile.

    No version is being frozen, no case is being made, indexed or answered, and no hold placed until the
    commit: what is found is all.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('handrail.removal', %s, true)", [removal.public_id])
    freezing.wait_for_freezings()
    copyists = [case_index.READER, labelling.READER]
    list(LedgerCursor.objects.select_for_update().filter(reader__in=copyists).order_by("reader"))
    removal_lock.wait_for_writers()


def actions(removal: Removal, keys: Sequence[int], *, now: datetime) -> Counts:
    """Take away everything of these actions: what was proposed, said, decided, labelled, reported."""
    counts = contexts(keys)
    counts += arguments(removal, keys)
    public_ids = list(ActionRequest.objects.filter(pk__in=keys).values_list("public_id", flat=True))
    counts["ground_truth"] += GroundTruth.objects.filter(action_id__in=public_ids).update(
        arguments_canonical=None, detail={}
    )
    counts += cases(removal, reach.cases(public_ids, ()), now=now)
    ActionRequest.objects.filter(pk__in=keys).update(subject=None, conversation_id="")
    IngestRow.objects.filter(action__in=keys).update(body="", last_error="")
    return counts


def contexts(keys: Collection[int]) -> Counts:
    """Take away what agents said around their proposals."""
    rows = ActionContext.objects.filter(action__in=keys)
    return Counter(
        contexts=rows.update(context=None, judge=None, samples=None, reason="", reported_outcome=None)
    )


def arguments(removal: Removal, keys: Collection[int]) -> Counts:
    """Take away what was proposed and decided: arguments, titles, patches, notes and what reasons tell."""
    rows = ActionRequest.objects.filter(pk__in=keys)
    public_ids = list(rows.values_list("public_id", flat=True))
    final = rows.filter(final_arguments_canonical__isnull=False)
    counts: Counts = Counter(final_arguments=final.update(final_arguments_canonical=NO_ARGUMENTS))
    counts["actions"] = rows.update(title=ERASED, arguments_canonical=NO_ARGUMENTS, arguments={}, likeness="")
    decisions = Decision.objects.filter(action__in=keys)
    decisions.filter(final_arguments_canonical__isnull=False).update(final_arguments_canonical=NO_ARGUMENTS)
    counts["decisions"] = decisions.update(patch=[], note="")
    counts["drafts"] = ReviewDraft.objects.filter(item__action__in=keys).delete()[0]
    ReviewItem.objects.filter(action__in=keys).update(title=ERASED)
    Escalation.objects.filter(item__action__in=keys).exclude(note="").update(note="")
    Incident.objects.filter(action__in=keys).update(detail={}, note="")
    Execution.objects.filter(action__in=keys).update(detail=None)
    Permit.objects.filter(action__in=keys).exclude(revoke_reason="").update(revoke_reason="")
    Precedent.objects.filter(action__in=keys).update(tokens=[])
    counts["ingest_rows"] = IngestRow.objects.filter(action__in=keys).update(body="", last_error="")
    _drills(keys)
    _gate(removal, public_ids)
    return counts


def cases(removal: Removal, found: QuerySet[LabelledCase], *, now: datetime) -> Counts:
    """Take away what cases say, mark the versions they are in, and start their exports anew or end them."""
    rows = dict(found.values_list("pk", "public_id"))
    keys = list(rows)
    if not keys:
        return Counter()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE datasets_labelledcase
               SET content = datasets_erased_case(content), likeness = '', similarity = NULL,
                   group_key = 'erased:' || public_id, erased_at = coalesce(erased_at, %s)
             WHERE id = ANY(%s)
            """,
            [now, keys],
        )
        counts: Counts = Counter(cases=cursor.rowcount)
    revisions = LabelRevision.objects.filter(case__in=keys)
    revisions.filter(arguments_canonical__isnull=False).update(arguments_canonical=NO_ARGUMENTS)
    counts["revisions"] = revisions.update(note="")
    curations = CaseCuration.objects.filter(case__in=keys)
    curations.exclude(excluded_because="").update(excluded_because=ERASED)
    curations.exclude(disputed_because="").update(disputed_because=ERASED)
    curations.update(tags=[])
    CaseIndex.objects.filter(case__in=keys).update(words="", near_group="")
    counts["eval_results"] = EvalResult.objects.filter(case__in=keys).update(
        output_canonical=None, detail={}, error=""
    )
    counts["versions"] = _mark_versions(removal, keys, now=now)
    counts["exports"] = _end_exports(removal, keys, now=now)
    note_gone(removal, CASE, list(rows.values()), now=now)
    return counts


def conversations(removal: Removal, keys: Sequence[int], *, now: datetime) -> Counts:
    """Take away what was said in whole conversations, and what was found missing in them."""
    counts = cases(removal, reach.cases((), keys), now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE datasets_conversation
               SET messages = NULL, subject = NULL, conversation_id = 'erased:' || public_id
             WHERE id = ANY(%s)
            """,
            [list(keys)],
        )
        counts["conversations"] = cursor.rowcount
    ConversationCheck.objects.filter(conversation__in=keys).exclude(note="").update(note="")
    counts["omissions"] = Omission.objects.filter(conversation_check__conversation__in=keys).update(
        arguments_canonical=NO_ARGUMENTS, note=""
    )
    return counts


def payloads(action_ids: Collection[str], conversation_keys: Collection[int], *, now: datetime) -> int:
    """Take away what the ledger says of them: body and salt. The chain still verifies."""
    found = reach.payloads(action_ids, conversation_keys)
    return found.update(body=None, salt=None, erased_at=now)


def note_gone(removal: Removal, kind: str, object_ids: Sequence[str], *, now: datetime) -> None:
    """Write down what was reached, so that pages can say what took its content away."""
    RemovalTarget.objects.bulk_create(
        [RemovalTarget(removal=removal, kind=kind, object_id=each) for each in object_ids],
        ignore_conflicts=True,
    )
    removal.targets.filter(kind=kind, object_id__in=object_ids, removed_at=None).update(removed_at=now)


def conversation_ids(keys: Collection[int]) -> list[str]:
    """Return the public ids of these conversations."""
    return list(Conversation.objects.filter(pk__in=keys).values_list("public_id", flat=True))


def _drills(keys: Collection[int]) -> None:
    Drill.objects.filter(action__in=keys, expected_canonical__isnull=False).update(
        expected_canonical=NO_ARGUMENTS
    )
    # A seed whose decision says nothing any more makes no drills.
    seeds = DrillSeed.objects.filter(source__action__in=keys).exclude(state=SeedState.RETIRED)
    seeds.filter(judged_at__isnull=False).update(state=SeedState.RETIRED)


def _gate(removal: Removal, public_ids: Sequence[str]) -> None:
    """Take away what verdicts tell of an action. Its cluster stays one, under a name that tells nothing."""
    past_chunks.forget_numbers(
        checks=GateCheck.objects.filter(action_id__in=public_ids).values_list("pk", flat=True)
    )
    alias = (
        "encode(sha256(convert_to(%(salt)s || cluster_key, 'UTF8')), 'hex')"
        if removal.kind == RemovalKind.RETENTION
        else "%(removal)s"
    )
    given: dict[str, str | list[str]] = {
        "ids": list(public_ids),
        "removal": removal.public_id,
        "salt": settings.PSEUDONYM_SECRET.hex(),
    }
    anonymous = (
        "CASE WHEN cluster_key = '' OR starts_with(cluster_key, 'erased:')"
        f" THEN cluster_key ELSE 'erased:' || {alias} END"
    )
    checks = "SELECT id FROM policies_gatecheck WHERE action_id = ANY(%(ids)s)"
    with connection.cursor() as cursor:
        for statement in (
            f"UPDATE policies_observation SET cluster_key = {anonymous} WHERE gate_check_id IN ({checks})",  # noqa: S608 - literals of this function, values are parameters
            f"UPDATE policies_evidencesample SET cluster_key = {anonymous} WHERE gate_check_id IN ({checks})",  # noqa: S608 - literals of this function, values are parameters
            f"UPDATE policies_gatecheck SET cluster_key = {anonymous}, nearest_miss = '',"  # noqa: S608 - literals of this function, values are parameters
            " reasons = policies_erased_reasons(reasons) WHERE action_id = ANY(%(ids)s)",
            "UPDATE policies_shadowcheck SET reasons = policies_erased_reasons(reasons)"
            " WHERE action_id = ANY(%(ids)s)",
        ):
            cursor.execute(statement, given)


def _mark_versions(removal: Removal, keys: Sequence[int], *, now: datetime) -> int:
    marked = 0
    for version in DatasetVersion.objects.filter(members__case__in=keys).distinct().order_by("pk"):
        members = DatasetMember.objects.filter(version=version, case__in=keys)
        reached = members.exclude(later={}).update(later={}) or members.count()
        mark, made = VersionMark.objects.get_or_create(
            version=version, erasure_id=removal.public_id, defaults={"cases": 0, "marked_at": now}
        )
        VersionMark.objects.filter(pk=mark.pk).update(cases=mark.cases + reached)
        marked += made
    return marked


def _end_exports(removal: Removal, keys: Sequence[int], *, now: datetime) -> int:
    """End the finished exports of versions that were reached, and let those under way start from nothing.

    Each row is locked, so that no export ends between the mark and the look at it (``export_claims``). The
    files go once this is committed (``erasure.remove_files``), also the half ones: their worker may be dead.
    """
    versions = DatasetVersion.objects.filter(members__case__in=keys)
    rows = Export.objects.select_for_update(of=("self",)).filter(version__in=versions).order_by("pk")
    ended = []
    for export in rows:
        if export.state == ExportState.DONE:
            export.state = ExportState.CANCELLED
            export.error = f"Data in it was erased ({removal.public_id}), so its files were removed."
            export.save(update_fields=["state", "error"])
            ended.append(export.public_id)
            verb = "export.removed"
        elif export.state in (ExportState.REQUESTED, ExportState.RUNNING):
            export.state, export.epoch = ExportState.REQUESTED, export.epoch + 1
            export.checkpoint, export.lease_expires_at, export.sha256 = None, None, ""
            export.rows_done = export.bytes_done = 0
            export.save()
            verb = "export.interrupted"
        else:
            continue
        payload: dict[str, JsonValue] = {"removal": removal.public_id}
        export_claims.record(export, verb=verb, actor=Actor.system(), now=now, payload=payload)
    RemovalTarget.objects.bulk_create(
        [RemovalTarget(removal=removal, kind=EXPORT, object_id=each) for each in ended],
        ignore_conflicts=True,
    )
    return len(ended)

"""What an erasure reaches: everything of one person, one conversation or one customer key.

Found by the words that agents use for them: the subject of actions, the id of conversations, the key that an
action type declares for its cluster. From the actions found it goes on to their conversations, to what those
hold without naming anybody else, and to the drills made of their decisions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Exists, F, Func, JSONField, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, NullIf
from django.db.models.lookups import Exact
from django.utils.translation import gettext_noop

from datasets.choices import ExportState
from datasets.models import (
    Conversation,
    DatasetVersion,
    EvalResult,
    Export,
    GroundTruth,
    LabelledCase,
    LabelRevision,
    LegalHold,
    Omission,
)
from policies.choices import Criterion
from policies.models import LedgerPayload
from reviews.choices import ActionState, IngestState, ItemStatus
from reviews.models import (
    ActionContext,
    ActionRequest,
    Decision,
    Draft,
    Execution,
    IngestRow,
    Permit,
    ReviewItem,
)

# What is counted, in the order in which it is shown, and in words.
KINDS: Final = {
    "actions": gettext_noop("Actions: arguments, title, subject"),
    "contexts": gettext_noop("Contexts of actions"),
    "final_arguments": gettext_noop("Final arguments"),
    "decisions": gettext_noop("Decisions: notes and patches"),
    "drafts": gettext_noop("Drafts"),
    "conversations": gettext_noop("Whole conversations"),
    "omissions": gettext_noop("Omissions that were found"),
    "cases": gettext_noop("Labelled cases"),
    "ground_truth": gettext_noop("Ground truth"),
    "revisions": gettext_noop("Later answers to cases"),
    "versions": gettext_noop("Frozen versions, which are marked"),
    "exports": gettext_noop("Export files, which are removed"),
    "eval_results": gettext_noop("Answers of eval runs"),
    "ingest_rows": gettext_noop("Lines of batches"),
    "ledger_payloads": gettext_noop("What ledger entries say"),
}


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose data: what kind of word it is, and the word."""

    criterion: Criterion
    value: str


@dataclass(frozen=True, slots=True)
class Reach:
    """What was found, as primary keys and ids. Nothing of its content."""

    actions: tuple[int, ...] = ()
    action_ids: tuple[str, ...] = ()
    conversations: tuple[int, ...] = ()
    conversation_ids: tuple[str, ...] = ()
    ingest_rows: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.actions or self.conversations or self.ingest_rows)


def reach(whose: Whose, *, until: datetime) -> Reach:
    """Return what of ``whose`` data there is that came in before ``until``."""
    # A line of a batch came in when it was accepted, however much later it became an action.
    line = IngestRow.objects.filter(action=OuterRef("pk"), accepted_at__lte=until)
    actions = ActionRequest.objects.filter(Q(created_at__lte=until) | Exists(line))
    conversations = Conversation.objects.filter(closed_at__lte=until)
    # Those that became no action, or not yet. What they say is in their text alone.
    lines = IngestRow.objects.filter(action=None, accepted_at__lte=until).annotate(
        said=Cast(NullIf(F("body"), Value("")), JSONField())
    )
    match whose.criterion:
        case Criterion.SUBJECT:
            # Exactly this subject, found by the index of how subjects read.
            same = Exact(_folded(F("subject")), _folded(Value(whose.value)))
            direct = actions.filter(same, subject=whose.value)
            held = conversations.filter(subject=whose.value)
            named_by = Q(said__subject=whose.value)
        case Criterion.CONVERSATION:
            direct = actions.filter(conversation_id=whose.value)
            held = conversations.filter(conversation_id=whose.value)
            named_by = Q(said__conversation_id=whose.value)
        case _:
            direct = actions.filter(gate_check__cluster_key=whose.value)
            held, named_by = conversations.none(), Q(pk__in=[])
    found = dict(direct.values_list("pk", "public_id"))
    talks = dict(held.values_list("pk", "public_id"))
    named = set(direct.exclude(conversation_id="").values_list("agent_id", "conversation_id"))
    named |= set(held.values_list("agent_id", "conversation_id"))
    told = lines.filter(named_by).exclude(said__conversation_id="")
    named |= set(told.values_list("agent_id", KeyTextTransform("conversation_id", "said")))
    if named:
        within = _within(named)
        talks |= dict(conversations.filter(within).values_list("pk", "public_id"))
        found |= dict(actions.filter(within, subject=None).values_list("pk", "public_id"))
        named_by |= Q(said__subject=None) & _within(named, column="said__conversation_id")
    of_drills = actions.filter(served_drill__seed__source__action__in=found)
    found |= dict(of_drills.values_list("pk", "public_id"))
    return Reach(
        actions=tuple(sorted(found)),
        action_ids=tuple(found[key] for key in sorted(found)),
        conversations=tuple(sorted(talks)),
        conversation_ids=tuple(talks[key] for key in sorted(talks)),
        ingest_rows=tuple(sorted(lines.filter(named_by).values_list("public_id", flat=True))),
    )


def cases(action_ids: Iterable[str], conversations: Collection[int]) -> QuerySet[LabelledCase]:
    """Return the cases made of these actions, and of what was missing in these conversations."""
    missing = Omission.objects.filter(conversation_check__conversation__in=conversations)
    return LabelledCase.objects.filter(
        Q(action_id__in=list(action_ids)) | Q(decision_id__in=missing.values("public_id"))
    )


def preview(found: Reach) -> dict[str, int]:
    """Return how much of each kind is reached, in the order of ``KINDS``."""
    labelled = cases(found.action_ids, found.conversations)
    keys = list(labelled.values_list("pk", flat=True))
    versions = DatasetVersion.objects.filter(members__case__in=keys).distinct()
    decisions = Decision.objects.filter(action__in=found.actions)
    counts = {
        "actions": len(found.actions),
        "contexts": ActionContext.objects.filter(action__in=found.actions).count(),
        "final_arguments": ActionRequest.objects.filter(
            pk__in=found.actions, final_arguments_canonical__isnull=False
        ).count(),
        "decisions": decisions.count(),
        "drafts": Draft.objects.filter(item__action__in=found.actions).count(),
        "conversations": len(found.conversations),
        "omissions": Omission.objects.filter(
            conversation_check__conversation__in=found.conversations
        ).count(),
        "cases": len(keys),
        "ground_truth": GroundTruth.objects.filter(action_id__in=found.action_ids).count(),
        "revisions": LabelRevision.objects.filter(case__in=keys).count(),
        "versions": versions.count(),
        "exports": Export.objects.filter(version__in=versions, state=ExportState.DONE).count(),
        "eval_results": EvalResult.objects.filter(case__in=keys).count(),
        "ingest_rows": len(found.ingest_rows) + IngestRow.objects.filter(action__in=found.actions).count(),
        "ledger_payloads": payloads(found.action_ids, found.conversations).count(),
    }
    return {kind: counts[kind] for kind in KINDS}


def payloads(action_ids: Collection[str], conversations: Collection[int]) -> QuerySet[LedgerPayload]:
    """Return what the ledger still says of these actions and conversations."""
    found = Conversation.objects.filter(pk__in=conversations)
    related: set[str] = set(found.values_list("public_id", flat=True))
    related |= set(found.filter(audit__isnull=False).values_list("audit__public_id", flat=True))
    omissions = Omission.objects.filter(conversation_check__conversation__in=conversations)
    related |= set(omissions.values_list("public_id", flat=True))
    related |= set(cases(action_ids, conversations).values_list("public_id", flat=True))
    return LedgerPayload.objects.filter(
        Q(entry__action_id__in=list(action_ids)) | Q(entry__object_id__in=[*related, *action_ids]),
        erased_at=None,
    )


def unsettled(actions: Collection[int], *, now: datetime) -> dict[int, str]:
    """Return by primary key why an action cannot be touched yet: somebody or something still acts on it."""
    found: dict[int, str] = {}

    def note(keys: Iterable[int], why: str) -> None:
        for key in keys:
            found.setdefault(key, why)

    rows = ActionRequest.objects.filter(pk__in=actions)
    note(rows.filter(state=ActionState.PENDING_REVIEW).values_list("pk", flat=True), "waits for a person")
    items = ReviewItem.objects.filter(action__in=actions, status__in=(ItemStatus.OPEN, ItemStatus.RECORDED))
    note(items.values_list("action_id", flat=True), "has an open item in the inbox")
    going_out = Decision.objects.filter(action__in=actions, terminal=True, released_at=None, undone_at=None)
    note(going_out.values_list("action_id", flat=True), "has an answer in its undo window")
    live = Permit.objects.filter(
        action__in=actions, consumed_at=None, revoked_at=None, expired_at=None, expires_at__gt=now
    )
    note(live.values_list("action_id", flat=True), "has a permit that can still be used")
    running = Execution.objects.filter(action__in=actions, outcome="")
    note(running.values_list("action_id", flat=True), "is running")
    lines = IngestRow.objects.filter(action__in=actions, state=IngestState.ACCEPTED)
    note(lines.values_list("action_id", flat=True), "is being taken in")
    return found


def held(actions: Collection[int]) -> dict[int, str]:
    """Return by primary key which legal hold keeps an action."""
    holds = list(LegalHold.objects.filter(lifted_at=None))
    found: dict[int, str] = {}
    for hold in holds:
        rows = ActionRequest.objects.filter(pk__in=actions).filter(_covers(hold, "action_type_name"))
        for key in rows.values_list("pk", flat=True):
            found.setdefault(key, hold.public_id)
    return found


def held_conversations(conversations: Collection[int]) -> dict[int, str]:
    """Return by primary key which legal hold keeps a conversation: it names it, or an action within it."""
    found: dict[int, str] = {}
    rows = Conversation.objects.filter(pk__in=conversations)
    for hold in LegalHold.objects.filter(lifted_at=None):
        for key in rows.filter(_keeps_conversation(hold)).values_list("pk", flat=True):
            found.setdefault(key, hold.public_id)
    return found


def is_held_conversation() -> Q:
    """Return the condition of a conversation that a legal hold keeps, as of now."""
    condition = Q(pk__in=[])
    for hold in LegalHold.objects.filter(lifted_at=None):
        condition |= _keeps_conversation(hold)
    return condition


def of_held_conversations() -> QuerySet[Omission]:
    """Return what was found missing in conversations that a legal hold keeps."""
    kept = Conversation.objects.filter(is_held_conversation())
    return Omission.objects.filter(conversation_check__conversation__in=kept.values("pk"))


def is_held() -> Q:
    """Return the condition of an action that a legal hold keeps, as of now."""
    condition = Q(pk__in=[])
    for hold in LegalHold.objects.filter(lifted_at=None):
        condition |= _covers(hold, "action_type_name")
    return condition


def is_unsettled(now: datetime) -> Q:
    """Return the condition of an action that somebody or something still acts on (``unsettled``)."""
    this = {"action": OuterRef("pk")}
    items = ReviewItem.objects.filter(**this, status__in=(ItemStatus.OPEN, ItemStatus.RECORDED))
    answers = Decision.objects.filter(**this, terminal=True, released_at=None, undone_at=None)
    permits = Permit.objects.filter(
        **this, consumed_at=None, revoked_at=None, expired_at=None, expires_at__gt=now
    )
    runs = Execution.objects.filter(**this, outcome="")
    return (
        Q(state=ActionState.PENDING_REVIEW)
        | Q(Exists(items))
        | Q(Exists(answers))
        | Q(Exists(permits))
        | Q(Exists(runs))
    )


def _keeps_conversation(hold: LegalHold) -> Q:
    """Return what a hold keeps: conversations that it names, or in which an act of its own was or lacked."""
    acts = ActionRequest.objects.filter(
        _covers(hold, "action_type_name"),
        agent=OuterRef("agent"),
        conversation_id=OuterRef("conversation_id"),
    )
    if not hold.action_type:
        return Q(Exists(acts)) | _covers(hold, "")
    missing = Omission.objects.filter(
        conversation_check__conversation=OuterRef("pk"), action_type__name=hold.action_type
    )
    return Q(Exists(acts)) | _names(hold) & Q(Exists(missing))


def _covers(hold: LegalHold, type_field: str) -> Q:
    """Return what a hold covers: all that it names has to be so."""
    return Q(**{type_field: hold.action_type}) & _names(hold) if hold.action_type else _names(hold)


def _names(hold: LegalHold) -> Q:
    """Return whom and which conversation a hold names."""
    condition = Q()
    if hold.subject:
        condition &= Q(subject=hold.subject)
    if hold.conversation_id:
        condition &= Q(conversation_id=hold.conversation_id)
    return condition


def _folded(given: F | Value) -> Func:
    return Func(given, function="handrail_folded", output_field=TextField())


def _within(named: set[tuple[int, str]], *, column: str = "conversation_id") -> Q:
    """Return the condition of being in one of these conversations, each of one agent."""
    by_agent: dict[int, list[str]] = defaultdict(list)
    for agent, conversation in named:
        by_agent[agent].append(conversation)
    condition = Q()
    for agent, conversations in by_agent.items():
        condition |= Q(**{"agent_id": agent, f"{column}__in": conversations})
    return condition

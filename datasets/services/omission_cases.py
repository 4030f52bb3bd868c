"""Cases of what an agent failed to do: made from the ledger like those of decisions, without a proposal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef

from datasets.choices import CaseKind, Label, LabelSource, LabelStrength
from datasets.exporters.composition import FORMAT, Document, declaration_of, difference_documents
from datasets.models import LabelledCase, Omission
from datasets.services import case_content
from datasets.services.case_content import MAX_GROUP_LENGTH, instant, parsed
from datasets.services.similarity import similarity
from hitl_site.lib import ids
from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.jsonb import from_jsonb
from hitl_site.lib.strict_json import JsonValue
from policies.models import RemovalTarget
from reviews.selectors.decisions import pseudonym


def unlabelled(public_ids: Iterable[str]) -> dict[str, Omission]:
    """Return the omissions by id, without those that have their case or were erased."""
    wanted = set(public_ids)
    wanted -= set(LabelledCase.objects.filter(decision_id__in=wanted).values_list("decision_id", flat=True))
    gone = RemovalTarget.objects.filter(
        object_id=OuterRef("conversation_check__conversation__public_id"), removed_at__isnull=False
    )
    rows = Omission.objects.filter(~Exists(gone), public_id__in=wanted).select_related(
        "action_type", "conversation_check__conversation__agent_version__agent"
    )
    return {omission.public_id: omission for omission in rows}


def case(omission: Omission, *, ledger_seq: int, now: datetime) -> LabelledCase:
    """Return the case of an omission: nothing proposed, the whole of what was missing as the truth."""
    case_id = ids.new("case")
    content = build(case_id=case_id, omission=omission, ledger_seq=ledger_seq)
    talk = omission.conversation_check.conversation
    return LabelledCase(
        public_id=case_id,
        kind=CaseKind.OMISSION,
        decision_id=omission.public_id,
        action_id="",
        ledger_seq=ledger_seq,
        action_type=omission.action_type.name,
        agent=talk.agent_version.agent.name,
        agent_version=talk.agent_version.label,
        label=Label.CORRECTED,
        source=LabelSource.AUDIT,
        strength=LabelStrength.STRONG,
        similarity=similarity(from_jsonb(talk.messages), "", parsed(omission.arguments_canonical)),
        group_key=group(omission),
        decided_at=omission.found_at,
        content=content,
        content_sha256=sha256_hex(canonicalize(content)),
        created_at=now,
    )


def build(*, case_id: str, omission: Omission, ledger_seq: int) -> Document:
    """Return the canonical case of an omission (docs/cases.md): ids of action, item and decision are null."""
    check = omission.conversation_check
    talk = check.conversation
    truth = parsed(omission.arguments_canonical)
    declared = case_content.declared(omission.action_type)
    reviewer = pseudonym(omission.reviewer_id)
    content: Document = {
        "format": FORMAT,
        "id": case_id,
        "kind": CaseKind.OMISSION.value,
        "action": {
            "id": None,
            "type": omission.action_type.name,
            "mode": None,
            "environment": talk.environment,
            "subject": talk.subject,
            "conversation_id": talk.conversation_id,
            "created_at": instant(talk.closed_at),
        },
        "action_type": declared,
        "agent": case_content.agent(talk.agent_version),
        "input": {"context": {"messages": from_jsonb(talk.messages)}, "reason": ""},
        "proposal": None,
        "decision": {
            "id": None,
            "kind": "omission",
            "reasons": [],
            "note": omission.note,
            "decided_at": instant(omission.found_at),
            "considered": True,
            "blind": True,
            "reviewer": reviewer,
            "reviewers": [reviewer],
            "checklist": [],
            "policy_version": None,
        },
        "truth": {"should_act": True, "arguments": truth},
        "patch": [_whole(truth)],
        "label": Label.CORRECTED.value,
        "label_source": LabelSource.AUDIT.value,
        "label_strength": LabelStrength.STRONG.value,
        "gate": None,
        "attention": {"decision_ms": None, "arguments_seen": True, "parts_opened": [], "opened_at": None},
        "cluster": "",
        "group": group(omission),
        "lineage": {
            "action_id": None,
            "digest": None,
            "final_digest": None,
            "parent_action_id": None,
            "conversation_id": talk.conversation_id,
            "item_id": None,
            "decision_id": None,
        },
        "ledger_seq": ledger_seq,
    }
    found = difference_documents(None, truth, declaration_of(content))
    content["differences"] = found
    content["changed_fields"] = [each["pointer"] for each in found if isinstance(each, dict)]
    return content


def group(omission: Omission) -> str:
    """Return the group that no split may cut: the subject, else the conversation; as cases of actions do."""
    talk = omission.conversation_check.conversation
    kind, value = ("subject", talk.subject) if talk.subject else ("conversation", talk.conversation_id)
    name = f"{kind}:{value}"
    if len(name) <= MAX_GROUP_LENGTH:
        return name
    return f"{kind}:sha256:{hashlib.sha256(str(value).encode()).hexdigest()}"


def _whole(truth: JsonValue) -> Document:
    return {"op": "replace", "path": "", "value": truth}

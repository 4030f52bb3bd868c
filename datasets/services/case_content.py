"""The canonical case, ``handrail.case/2``: one decision with all that is known of it (docs/cases.md).

Everything but the declaration of the action type comes from rows that never change: a case made again from
the same decision would say the same. Arguments are read from their canonical bytes, never from jsonb, so
numbers stay what the agent sent.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Final

from django.core.exceptions import ObjectDoesNotExist

from datasets.choices import CaseKind, Label, LabelSource, LabelStrength
from datasets.exporters.composition import FORMAT as FORMAT
from datasets.exporters.composition import Document, declaration_of, difference_documents
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.jsonb import from_jsonb
from hitl_site.lib.strict_json import JsonValue
from policies.models import ActionType, AgentVersion, GateCheck, PolicyVersion
from reviews.choices import DecisionKind, ItemKind
from reviews.models import ActionContext, ActionRequest, Decision
from reviews.selectors.decisions import pseudonym

MAX_GROUP_LENGTH: Final = 200
# A case carries its schema so that it can be read alone; one of this size would outweigh everything else.
MAX_SCHEMA_BYTES: Final = 32_768

LABELS: Final = {
    DecisionKind.APPROVE: Label.APPROVED,
    DecisionKind.CORRECT: Label.CORRECTED,
    DecisionKind.REJECT: Label.REJECTED,
}
# Drills have answers of their own, second opinions ask about the first one: they are no labels.
LABELLED_KINDS: Final = frozenset({ItemKind.GATE, ItemKind.AUDIT})


def build(*, case_id: str, decision: Decision, ledger_seq: int) -> Document:
    """Return the canonical case of a released decision, from it and its action, item and gate check."""
    action = decision.action
    label = label_of(decision)
    proposed = parsed(action.arguments_canonical)
    truth = truth_of(decision, action)
    case: Document = {
        "format": FORMAT,
        "id": case_id,
        "kind": CaseKind.PROPOSAL.value,
        "action": {
            "id": action.public_id,
            "type": action.action_type_name,
            "mode": action.mode,
            "environment": action.environment,
            "subject": action.subject,
            "conversation_id": action.conversation_id,
            "created_at": instant(action.created_at),
        },
        "action_type": declared(action.action_type),
        "agent": agent(action.agent_version),
        "input": _input(action),
        "proposal": {
            "arguments": proposed,
            "digest": action.digest,
            "confidence": action.confidence,
            "judge_score": action.judge_score,
            "sample_agreement": action.sample_agreement,
        },
        "decision": {
            "id": decision.public_id,
            "kind": decision.kind,
            "reasons": [*decision.reasons],
            "note": decision.note,
            "decided_at": instant(decision.decided_at),
            "considered": decision.considered,
            "blind": decision.blind,
            "reviewer": pseudonym(decision.reviewer_id),
            "reviewers": _reviewers(decision),
            "checklist": from_jsonb(decision.checklist),
            "policy_version": _policy_version(decision.policy_version),
        },
        "truth": {"should_act": label != Label.REJECTED, "arguments": truth},
        "patch": from_jsonb(decision.patch),
        "label": label.value,
        "label_source": source(decision).value,
        "label_strength": strength(decision).value,
        "gate": _gate(action.gate_check),
        "attention": {
            "decision_ms": decision.decision_ms,
            "arguments_seen": decision.arguments_seen,
            "parts_opened": [*sorted(decision.parts_opened)],
            "opened_at": None if decision.opened_at is None else instant(decision.opened_at),
        },
        "cluster": action.gate_check.cluster_key,
        "group": group(action),
        "lineage": {
            "action_id": action.public_id,
            "digest": action.digest,
            "final_digest": decision.final_digest or None,
            "parent_action_id": action.parent_action_id or None,
            "conversation_id": action.conversation_id or None,
            "item_id": decision.item.public_id,
            "decision_id": decision.public_id,
        },
        "ledger_seq": ledger_seq,
    }
    case.update(differences_of(case, proposed, truth))
    return case


def truth_of(decision: Decision, action: ActionRequest) -> JsonValue:
    """Return the arguments that the person held to be right, None where nothing should be done."""
    if decision.kind == DecisionKind.REJECT:
        return None
    return parsed(decision.final_arguments_canonical or action.arguments_canonical)


def differences_of(case: Document, proposed: JsonValue, truth: JsonValue) -> Document:
    """Return the typed differences and the pointers of what differs, as the case's declaration has it."""
    found = difference_documents(proposed, truth, declaration_of(case))
    pointers = [each["pointer"] for each in found if isinstance(each, dict)]
    return {"differences": found, "changed_fields": pointers}


def declared(action_type: ActionType | None) -> JsonValue:
    """Return what was declared of the arguments when the case was made; None if nothing was."""
    if action_type is None:
        return None
    return {
        "title": action_type.title,
        "argument_schema": _schema(action_type.argument_schema),
        "cluster_pointer": action_type.cluster_pointer,
    }


def agent(version: AgentVersion) -> JsonValue:
    """Return the agent version with its fingerprint, "" where the agent gave a label alone."""
    return {"name": version.agent.name, "version": version.label, "fingerprint": version.fingerprint}


def label_of(decision: Decision) -> Label:
    """Return what the person said of the proposal."""
    return LABELS[DecisionKind(decision.kind)]


def source(decision: Decision) -> LabelSource:
    """Say what asked for the label: a rule held the action, or the draw chose it.

    An observed action that a policy would have held is looked at afterwards too, but nobody drew it: counting
    it among the random ones would make the agent look worse than it is.
    """
    drawn = decision.item.kind == ItemKind.AUDIT and decision.action.gate_check.audit_selected
    return LabelSource.AUDIT if drawn else LabelSource.REVIEW


def strength(decision: Decision) -> LabelStrength:
    """Say how much the label is worth: an approval in bulk or without a look is a weak one."""
    return LabelStrength.STRONG if decision.considered and not decision.bulk else LabelStrength.WEAK


def group(action: ActionRequest) -> str:
    """Return the group that no split may cut: the subject, else the conversation, the cluster, the action.

    The coarsest one known wins: two conversations of one customer in two splits would leak.
    """
    for kind, value in (
        ("subject", action.subject),
        ("conversation", action.conversation_id),
        ("cluster", action.gate_check.cluster_key),
    ):
        if value:
            name = f"{kind}:{value}"
            if len(name) <= MAX_GROUP_LENGTH:
                return name
            return f"{kind}:sha256:{hashlib.sha256(value.encode()).hexdigest()}"
    return f"action:{action.public_id}"


def parsed(canonical: bytes | memoryview | None) -> JsonValue:
    """Return the value of canonical bytes; None for none."""
    if canonical is None:
        return None
    value: JsonValue = json.loads(bytes(canonical))
    # RFC 8785 writes doubles from 1e21 up with an exponent, so what parses as an integer is a safe one.
    return value


def instant(moment: datetime) -> str:
    """Return a time as cases and manifests write it: RFC 3339, UTC, ``Z``."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _reviewers(decision: Decision) -> list[JsonValue]:
    """Return everybody who gave this very answer, in their order: a release may need several."""
    answers = [
        each
        for each in decision.item.decisions.all()
        if each.pk == decision.pk
        or (each.undone_at is None and each.final_digest and each.final_digest == decision.final_digest)
    ]
    return [pseudonym(each.reviewer_id) for each in sorted(answers, key=lambda each: each.pk)]


def _schema(schema: JsonValue) -> JsonValue:
    """Return the schema, or None for one that is too large to go with every case."""
    if not isinstance(schema, dict) or len(canonicalize(from_jsonb(schema))) > MAX_SCHEMA_BYTES:
        return None
    return from_jsonb(schema)


def _input(action: ActionRequest) -> dict[str, JsonValue]:
    try:
        said: ActionContext = action.context
    except ObjectDoesNotExist:
        return {"context": None, "reason": ""}
    document: dict[str, JsonValue] = {"context": from_jsonb(said.context), "reason": said.reason}
    if said.samples is not None:
        document["samples"] = from_jsonb(said.samples)
    if said.judge is not None:
        document["judge"] = from_jsonb(said.judge)
    return document


def _gate(check: GateCheck) -> dict[str, JsonValue]:
    return {
        "verdict": check.verdict,
        "route": check.route,
        "trigger": check.trigger,
        "reasons": [str(reason["code"]) for reason in check.reasons],
        "score": check.score,
        "score_source": check.score_source,
        "threshold": check.threshold,
        "level": check.level,
        "propensity": check.propensity,
        "min_propensity": check.min_propensity,
        "audit_selected": check.audit_selected,
        "policy_version": _policy_version(check.policy_version),
    }


def _policy_version(version: PolicyVersion | None) -> JsonValue:
    return None if version is None else {"id": version.public_id, "number": version.number}

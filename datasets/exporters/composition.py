"""The case as everybody downstream reads it: what was stored, in its newest form, with what came later.

Pure: a stored ``content`` never changes, what came later is handed in (``services.later``). The result is
valid by docs/case.schema.json and depends on nothing else, so that its hash can be frozen.
"""

from __future__ import annotations

from typing import Final, TypeAlias, cast

from datasets.engine.differences import Difference, DifferenceKind, differences
from datasets.engine.fields import Declaration
from hitl_site.lib.jsonb import from_jsonb
from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.textdiff import json_patch

Document: TypeAlias = dict[str, JsonValue]

FORMAT: Final = "handrail.case/2"
FIRST_FORMAT: Final = "handrail.case/1"


class UnknownFormat(ValueError):
    """The stored document says that it is of a format which this release does not know."""


def nothing_later() -> Document:
    """Return the facts of a case of which nothing came later."""
    return {"outcome": None, "ground_truth": [], "revisions": [], "tags": [], "disputed": False}


def compose(content: JsonValue, later: JsonValue) -> Document:
    """Return the case of a stored ``content`` and of what was known ``later`` ({}: nothing).

    The newest revision gives label, truth, patch and differences. The first answer then stands as revision 0
    under ``later.revisions``, and ``decision`` still says what that person did.
    """
    case = upgrade(content)
    since: Document = {**nothing_later(), **_object(from_jsonb(later))}
    revisions = _objects(since["revisions"])
    if revisions:
        since["revisions"] = [_first_answer(case), *sorted(revisions, key=_number)]
        _apply(case, max(revisions, key=_number))
    case["later"] = since
    return case


def upgrade(content: JsonValue) -> Document:
    """Return a stored content as a ``handrail.case/2`` of its own, without ``later``.

    What version 1 did not know is null or empty; its differences are told by the names of the fields alone.
    """
    # This copies as well: what the caller has stays as it is.
    case = _object(from_jsonb(content))
    if case.get("format") == FORMAT:
        return case
    if case.get("format") != FIRST_FORMAT:
        raise UnknownFormat(f"A case of the format {case.get('format')!r} is not known.")
    action, proposal, decision = (_object(case[name]) for name in ("action", "proposal", "decision"))
    group = str(case["group"])
    return {
        **case,
        "format": FORMAT,
        "kind": "proposal",
        "action_type": None,
        "agent": {**_object(case["agent"]), "fingerprint": ""},
        "proposal": {**proposal, "sample_agreement": None},
        "decision": {
            **decision,
            "reviewers": [decision["reviewer"]],
            "checklist": [],
            "policy_version": None,
        },
        "differences": difference_documents(
            proposal["arguments"], _object(case["truth"])["arguments"], declaration_of(case)
        ),
        "cluster": group.removeprefix("cluster:") if group.startswith("cluster:") else "",
        "lineage": {
            "action_id": action["id"],
            "digest": proposal["digest"],
            "final_digest": None,
            "parent_action_id": None,
            "conversation_id": action["conversation_id"] or None,
            "item_id": None,
            "decision_id": decision["id"],
        },
    }


def declaration_of(case: Document) -> Declaration:
    """Return what the case has written down of its action type's declaration."""
    declared = case.get("action_type")
    if not isinstance(declared, dict):
        return Declaration()
    schema = declared["argument_schema"]
    return Declaration(
        schema=schema if isinstance(schema, dict) else {}, cluster_pointer=str(declared["cluster_pointer"])
    )


def difference_documents(proposed: JsonValue, truth: JsonValue, declaration: Declaration) -> list[JsonValue]:
    """Return the typed differences as a case writes them: none where nothing should have been done.

    Where nothing was proposed, the whole of the truth is what was missing.
    """
    if truth is None:
        return []
    if proposed is None:
        return [Difference("", DifferenceKind.MISSING, None, truth).document()]
    return [found.document() for found in differences(proposed, truth, declaration)]


def _apply(case: Document, revision: Document) -> None:
    """Let a later answer take the place of the first one."""
    proposal = case["proposal"]
    proposed = None if proposal is None else _object(proposal)["arguments"]
    truth = revision["arguments"]
    found = difference_documents(proposed, truth, declaration_of(case))
    case["label"] = revision["label"]
    case["truth"] = {"should_act": truth is not None, "arguments": truth}
    case["patch"] = [] if truth is None else cast(list[JsonValue], json_patch(proposed, truth))
    case["differences"] = found
    case["changed_fields"] = [_object(difference)["pointer"] for difference in found]


def _first_answer(case: Document) -> Document:
    decision = _object(case["decision"])
    return {
        "number": 0,
        "kind": "first",
        "label": case["label"],
        "arguments": _object(case["truth"])["arguments"],
        "reasons": decision["reasons"],
        "note": decision["note"],
        "author": decision["reviewer"],
        "at": decision["decided_at"],
    }


def _number(revision: Document) -> int:
    return cast(int, revision["number"])


def _object(value: JsonValue) -> Document:
    return cast(Document, value)


def _objects(value: JsonValue) -> list[Document]:
    return cast(list[Document], value)

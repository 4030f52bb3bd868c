"""Adjudicating: a person settles a disputed case. Their answer is a revision; every earlier one stays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from django.contrib.auth.models import User
from django.db import transaction

from datasets.choices import Label, RevisionKind
from datasets.exporters.composition import Document, compose
from datasets.models import CaseCuration, LabelledCase, LabelRevision
from datasets.services.later import facts_since
from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.strict_json import JsonValue
from policies.services import ledger
from reviews.selectors.decisions import pseudonym


class UnableToSettle(Exception):
    """The dispute cannot be settled like this. Nothing has changed."""


class NotAllowed(UnableToSettle):
    """This person has no right to it, or gave one of the answers in dispute."""


class NotDisputed(UnableToSettle):
    """Nobody disputes this case, or somebody was first."""


class InvalidAnswer(UnableToSettle):
    """The answer does not fit the case."""


@transaction.atomic
def settle(
    *,
    case_id: str,
    label: Label,
    arguments: Mapping[str, JsonValue] | None,
    note: str,
    by: User,
    now: datetime,
) -> LabelRevision:
    """Answer a disputed case for good. ``arguments`` say what was right, with ``CORRECTED`` alone."""
    # As the database knows them now: the request's person may carry rights that are gone.
    by = User.objects.get(pk=by.pk)
    if not by.has_perm("datasets.curate_case"):
        raise NotAllowed("You may not settle disputes.")
    if not note.strip():
        raise InvalidAnswer("Say how you came to this: whoever reads the case next will ask.")
    case = LabelledCase.objects.get(public_id=case_id)
    curation = CaseCuration.objects.select_for_update().filter(case=case).first()
    if curation is None or curation.disputed_at is None or case.erased_at is not None:
        raise NotDisputed("This case is not in dispute.")
    standing = compose(case.content, facts_since([case])[case.pk])
    if pseudonym(by.pk) in cast(list[str], cast(Document, standing["decision"])["reviewers"]):
        raise NotAllowed("The answer in dispute is yours; somebody else settles it.")
    right = _right(standing, label, arguments)
    revision = LabelRevision.objects.create(
        case=case,
        number=case.revisions.count() + 1,
        kind=RevisionKind.ADJUDICATION,
        label=label,
        arguments_canonical=right,
        note=note.strip(),
        author=by,
        author_name=by.get_full_name() or by.get_username(),
        created_at=now,
    )
    because = curation.disputed_because
    curation.disputed_at, curation.disputed_because, curation.updated_at = None, "", now
    curation.save(update_fields=["disputed_at", "disputed_because", "updated_at"])
    ledger.record(
        actor=ledger.Actor.person(by),
        verb="case.adjudicated",
        object_kind="case",
        object_id=case.public_id,
        action_id=case.action_id,
        payload={
            "before": {"label": standing["label"], "disputed": True, "because": because},
            "after": {"label": label.value, "disputed": False},
            "revision": revision.number,
            "arguments_sha256": None if right is None else sha256_hex(right),
        },
        now=now,
    )
    return revision


def _right(standing: Document, label: Label, arguments: Mapping[str, JsonValue] | None) -> bytes | None:
    """Return the canonical arguments of the answer; None where nothing should have been done."""
    if (arguments is not None) != (label == Label.CORRECTED):
        raise InvalidAnswer("Arguments belong to a correction, and to nothing else.")
    if label == Label.REJECTED:
        return None
    proposal = standing["proposal"]
    proposed = None if proposal is None else canonicalize(cast(Document, proposal)["arguments"])
    if arguments is None:
        if proposed is None:
            raise InvalidAnswer("Nothing was proposed, so nothing was right as proposed.")
        return proposed
    right = canonicalize(dict(arguments))
    if right == proposed:
        raise InvalidAnswer("These are the arguments that were proposed: it was right as proposed.")
    return right

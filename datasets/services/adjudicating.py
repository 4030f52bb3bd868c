"""Adjudicating: a person settles a disputed case. Their answer is a revision; every earlier one stays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext

from datasets.choices import Label, RevisionKind
from datasets.exporters.composition import Document, compose
from datasets.models import CaseCuration, LabelledCase, LabelRevision
from datasets.services import removal_lock
from datasets.services.answering import (
    InvalidAnswer,
    NotAllowed,
    UnableToAnswer,
    answer,
    check_independent,
    current_curator,
    right_arguments,
)
from datasets.services.later import facts_since
from hitl_site.lib.canonical import sha256_hex
from hitl_site.lib.strict_json import JsonValue
from policies.services import ledger
from reviews.selectors.decisions import pseudonym


class NotDisputed(UnableToAnswer):
    """Nobody disputes this case, or somebody was first."""


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
    by = current_curator(by)
    if not note.strip():
        raise InvalidAnswer(gettext("Say how you came to this: whoever reads the case next will ask."))
    removal_lock.write_beside()
    case = LabelledCase.objects.get(public_id=case_id)
    curation = CaseCuration.objects.select_for_update().filter(case=case).first()
    if curation is None or curation.disputed_at is None or case.erased_at is not None:
        raise NotDisputed(gettext("This case is not in dispute."))
    check_independent(by, [case])
    standing = compose(case.content, facts_since([case])[case.pk])
    if pseudonym(by.pk) in cast(list[str], cast(Document, standing["decision"])["reviewers"]):
        raise NotAllowed(gettext("The answer in dispute is yours; somebody else settles it."))
    right = right_arguments(standing, label, arguments)
    revision = answer(
        case=case, kind=RevisionKind.ADJUDICATION, label=label, right=right, note=note, by=by, now=now
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

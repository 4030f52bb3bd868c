"""Curating: what people make of cases. They tag them, leave them out and take them in again, edit a label.

Each act is one transaction over all of its cases, with an entry of the ledger for every case that changed.
Taking no part in it are the cases themselves: they stay as they were made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, cast

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext

from datasets.choices import Label, RevisionKind
from datasets.exporters.composition import Document, compose
from datasets.models import CaseCuration, LabelledCase, LabelRevision
from datasets.services import answering, eval_standings, removal_lock
from datasets.services.answering import InvalidAnswer, NotAllowed, UnableToAnswer
from datasets.services.later import facts_since
from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.strict_json import JsonValue
from policies.services import ledger

MAX_CASES: Final = 500
MAX_TAGS: Final = 20
MAX_TAG_LENGTH: Final = 60
MAX_REASON_LENGTH: Final = 1_000

__all__ = [
    "InvalidAnswer",
    "NotAllowed",
    "StaleAnswer",
    "UnableToAnswer",
    "change_tags",
    "edit_label",
    "leave_out",
    "take_in",
]


class StaleAnswer(UnableToAnswer):
    """Somebody has answered or disputed the case since it was opened."""


@transaction.atomic
def change_tags(
    *, case_ids: Sequence[str], add: Iterable[str], remove: Iterable[str] = (), by: User, now: datetime
) -> int:
    """Give these cases tags and take others away; return how many cases that changed."""
    added, removed = _tags(add), {tag.strip() for tag in remove}

    def change(curation: CaseCuration) -> Document | None:
        before = sorted(curation.tags)
        after = sorted({*before, *added} - (removed - set(added)))
        if after == before:
            return None
        if len(after) > MAX_TAGS:
            raise InvalidAnswer(gettext("A case has at most {most} tags.").format(most=MAX_TAGS))
        curation.tags = after
        return {"before": {"tags": [*before]}, "after": {"tags": [*after]}}

    return _curate(case_ids, "case.tagged", change, by=by, now=now)


@transaction.atomic
def leave_out(*, case_ids: Sequence[str], because: str, by: User, now: datetime) -> int:
    """Keep these cases out of new versions, for a reason; those left out before keep theirs."""
    because = because.strip()
    if not 0 < len(because) <= MAX_REASON_LENGTH or "\0" in because:
        said = gettext("Say in up to {most} characters why: whoever misses the case will ask.")
        raise InvalidAnswer(said.format(most=MAX_REASON_LENGTH))
    person = answering.current_curator(by)
    # The removal lock and those of the cases come after: whose agent it is needs neither.
    wanted = LabelledCase.objects.filter(public_id__in=case_ids[:MAX_CASES])
    answering.check_independent(person, wanted.only("agent", "decided_at"))

    def change(curation: CaseCuration) -> Document | None:
        if curation.excluded_at is not None:
            return None
        curation.excluded_at, curation.excluded_because = now, because
        curation.excluded_by_name = person.get_full_name() or person.get_username()
        return {"before": {"left_out": False}, "after": {"left_out": True, "because": because}}

    return _curate(case_ids, "case.left_out", change, by=person, now=now)


@transaction.atomic
def take_in(*, case_ids: Sequence[str], by: User, now: datetime) -> int:
    """Let new versions take these cases again; return how many had been left out."""

    def change(curation: CaseCuration) -> Document | None:
        if curation.excluded_at is None:
            return None
        because = curation.excluded_because
        curation.excluded_at, curation.excluded_because, curation.excluded_by_name = None, "", ""
        return {"before": {"left_out": True, "because": because}, "after": {"left_out": False}}

    changed = _curate(case_ids, "case.taken_in", change, by=by, now=now)
    if changed:
        eval_standings.taken_in(now=now)
    return changed


@transaction.atomic
def edit_label(
    *,
    case_id: str,
    label: Label,
    arguments: Mapping[str, JsonValue] | None,
    reasons: Sequence[str] = (),
    note: str,
    seen: int,
    by: User,
    now: datetime,
) -> LabelRevision:
    """Answer a case anew, beside all earlier answers.

    ``seen`` is how many answers after the first the person had before them. A disputed case is
    settled instead: by somebody who gave none of the answers in dispute.
    """
    by = answering.current_curator(by)
    if not note.strip():
        raise InvalidAnswer(gettext("Say why: whoever reads the case next will ask."))
    if len(reasons) > answering.MAX_REASONS:
        raise InvalidAnswer(gettext("Give at most {most} reasons.").format(most=answering.MAX_REASONS))
    (curation,) = _locked([case_id], now=now)
    case = curation.case
    answering.check_independent(by, [case])
    if curation.disputed_at is not None:
        raise StaleAnswer(gettext("This case is disputed: settle the dispute."))
    if case.revisions.count() != seen:
        raise StaleAnswer(
            gettext("Somebody has answered this case since you opened it. Look at their answer first.")
        )
    standing = compose(case.content, facts_since([case])[case.pk])
    right = answering.right_arguments(standing, label, arguments)
    truth = cast(Document, standing["truth"])["arguments"]
    if standing["label"] == label and right == (None if truth is None else canonicalize(truth)):
        raise InvalidAnswer(gettext("That is the answer which stands."))
    revision = answering.answer(
        case=case,
        kind=RevisionKind.EDIT,
        label=label,
        right=right,
        reasons=reasons,
        note=note,
        by=by,
        now=now,
    )
    ledger.record(
        actor=ledger.Actor.person(by),
        verb="case.edited",
        object_kind="case",
        object_id=case.public_id,
        action_id=case.action_id,
        payload={
            "before": {"label": standing["label"]},
            "after": {"label": label.value},
            "revision": revision.number,
            "arguments_sha256": None if right is None else sha256_hex(right),
        },
        now=now,
    )
    return revision


def _curate(
    case_ids: Sequence[str],
    verb: str,
    change: Callable[[CaseCuration], Document | None],
    *,
    by: User,
    now: datetime,
) -> int:
    """Apply a change to the curation of each case; it returns what the ledger says, None for no change."""
    by = answering.current_curator(by)
    changed = 0
    for curation in _locked(case_ids, now=now):
        payload = change(curation)
        if payload is None:
            continue
        curation.updated_at = now
        curation.save()
        ledger.record(
            actor=ledger.Actor.person(by),
            verb=verb,
            object_kind="case",
            object_id=curation.case.public_id,
            action_id=curation.case.action_id,
            payload=payload,
            now=now,
        )
        changed += 1
    return changed


def _locked(case_ids: Sequence[str], *, now: datetime) -> list[CaseCuration]:
    """Return the curations of these cases under lock, in one order for everybody."""
    removal_lock.write_beside()
    wanted = set(case_ids)
    if not 0 < len(wanted) <= MAX_CASES:
        raise InvalidAnswer(gettext("Choose 1 to {most} cases.").format(most=MAX_CASES))
    found = dict(LabelledCase.objects.filter(public_id__in=wanted).values_list("pk", "erased_at"))
    if len(found) < len(wanted):
        raise InvalidAnswer(gettext("There is no such case."))
    if any(found.values()):
        raise InvalidAnswer(gettext("A case among them was erased; nothing of it is left to curate."))
    CaseCuration.objects.bulk_create(
        [CaseCuration(case_id=key, updated_at=now) for key in found], ignore_conflicts=True
    )
    return list(
        CaseCuration.objects.select_for_update(of=("self",))
        .select_related("case")
        .filter(case__in=found)
        .order_by("case_id")
    )


def _tags(given: Iterable[str]) -> list[str]:
    tags = list(dict.fromkeys(tag.strip() for tag in given if tag.strip()))
    for tag in tags:
        if len(tag) > MAX_TAG_LENGTH or not tag.isprintable():
            said = gettext("A tag has up to {most} characters, each of which can be seen.")
            raise InvalidAnswer(said.format(most=MAX_TAG_LENGTH))
    return tags

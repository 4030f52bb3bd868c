"""Answering a case again: what both an edit of a label and the settling of a dispute need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, cast

from django.contrib.auth.models import User
from django.utils.translation import gettext

from datasets.choices import Label, RevisionKind
from datasets.exporters.composition import Document
from datasets.models import LabelledCase, LabelRevision
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.strict_json import JsonValue
from policies.models import Agent
from policies.selectors import owners
from policies.services import rights

MAX_REASONS: Final = 20


class UnableToAnswer(Exception):
    """The case cannot be answered like this. Nothing has changed."""


class NotAllowed(UnableToAnswer):
    """This person has no right to it, owns the agent, or gave one of the answers in dispute."""


class InvalidAnswer(UnableToAnswer):
    """The answer does not fit the case."""


def current_curator(by: User) -> User:
    """Return the person as the database knows them now: the request's may carry rights that are gone.

    Whoever takes the right away meanwhile waits for this transaction.
    """
    rights.hold([by.pk])
    current = User.objects.get(pk=by.pk)
    if not current.has_perm("datasets.curate_case"):
        raise NotAllowed(gettext("You may not curate cases."))
    return current


def check_independent(person: User, cases: Iterable[LabelledCase]) -> None:
    """Raise where a case is of an agent that the person owns, or owned when it was decided or since.

    Corrections train agents, and stand in the way of promotions (``selectors.corrections``).
    """
    earliest: dict[str, datetime] = {}
    for case in cases:
        earliest[case.agent] = min(case.decided_at, earliest.get(case.agent, case.decided_at))
    for agent in Agent.objects.filter(name__in=earliest):
        if owners.is_apart(agent, person.pk, since=earliest[agent.name]):
            raise NotAllowed(gettext("You own this agent; somebody else says what its cases teach."))


def answer(
    *,
    case: LabelledCase,
    kind: RevisionKind,
    label: Label,
    right: bytes | None,
    reasons: Sequence[str] = (),
    note: str,
    by: User,
    now: datetime,
) -> LabelRevision:
    """Add the newest answer to a case, in the caller's transaction, which holds the case's curation."""
    return LabelRevision.objects.create(
        case=case,
        number=case.revisions.count() + 1,
        kind=kind,
        label=label,
        arguments_canonical=right,
        reasons=list(dict.fromkeys(reasons)),
        note=note.strip(),
        author=by,
        author_name=by.get_full_name() or by.get_username(),
        created_at=now,
    )


def right_arguments(
    standing: Document, label: Label, arguments: Mapping[str, JsonValue] | None
) -> bytes | None:
    """Return the canonical arguments of an answer; None where nothing should have been done.

    ``standing`` is the case as it stands; ``arguments`` say what was right, with ``CORRECTED`` alone.
    """
    if (arguments is not None) != (label == Label.CORRECTED):
        raise InvalidAnswer(gettext("Arguments belong to a correction, and to nothing else."))
    if label == Label.REJECTED:
        return None
    proposal = standing["proposal"]
    proposed = None if proposal is None else canonicalize(cast(Document, proposal)["arguments"])
    if arguments is None:
        if proposed is None:
            raise InvalidAnswer(gettext("Nothing was proposed, so nothing was right as proposed."))
        return proposed
    right = canonicalize(dict(arguments))
    if right == proposed:
        raise InvalidAnswer(gettext("These are the arguments that were proposed: it was right as proposed."))
    return right

"""The graders in use: one document an action type, numbered; a new one takes the place of the one before."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext

from datasets import graders
from datasets.models import Grader, LabelledCase
from hitl_site.lib.strict_json import JsonValue
from policies.models import ActionType, Agent
from policies.selectors import owners
from policies.services import ledger
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class UnableToSet(ValueError):
    """The grader cannot be put in use."""


@transaction.atomic
def put_in_use(*, action_type: str, document: object, author: User, now: datetime) -> Grader:
    """Judge the answers of an action type like this from the next run on. The same again is no new number.

    Not for who answers for an agent that has cases of this type: a promotion of it may rest on the grader.
    """
    if not ActionType.objects.filter(name=action_type).exists():
        raise UnableToSet(gettext("There is no such action type."))
    try:
        said = graders.from_document(document).document()
    except graders.InvalidGrader as error:
        raise UnableToSet(str(error)) from None
    if _is_judged_by(author, action_type, now=now):
        raise UnableToSet(
            gettext("You own an agent that this judges; somebody else says how its answers are judged.")
        )
    with connection.cursor() as cursor:
        # Rows of this table cannot be locked: they never change.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"grader {action_type}"])
    last = Grader.objects.filter(action_type=action_type).order_by("-number").first()
    if last is not None and last.document == said:
        return last
    actor = Actor.person(author)
    grader = Grader.objects.create(
        action_type=action_type,
        number=1 if last is None else last.number + 1,
        document=said,
        created_by_name=actor.name,
        created_at=now,
    )
    ledger.record(
        actor=actor,
        verb="grader.set",
        object_kind="grader",
        object_id=str(grader.pk),
        now=now,
        payload={
            "action_type": action_type,
            "number": grader.number,
            "before": None if last is None else last.document,
            "after": said,
        },
    )
    return grader


def _is_judged_by(author: User, action_type: str, *, now: datetime) -> bool:
    """Say whether answers of an agent of this person's are judged by this grader."""
    key = owners.key_of(author.pk)
    own = Agent.objects.filter(Q(owner=author) | Q(former_owners__has_key=key))
    names = [agent.name for agent in own if owners.is_apart(agent, author.pk, since=now)]
    return LabelledCase.objects.filter(agent__in=names, action_type=action_type).exists()


def in_use() -> dict[str, JsonValue]:
    """Return number and document of the newest grader of each action type, as a run keeps them."""
    newest = Grader.objects.order_by("action_type", "-number").distinct("action_type")
    return {grader.action_type: {"number": grader.number, "document": grader.document} for grader in newest}


def parsed(canonical: bytes | memoryview | None) -> JsonValue:
    """Return the value of canonical bytes, None for none."""
    if canonical is None:
        return None
    value: JsonValue = json.loads(bytes(canonical))
    return value

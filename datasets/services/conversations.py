"""Whole conversations: closed by their agent, drawn at random, looked at by a person.

What an agent proposed can be held at the gate; what it failed to propose cannot. So a random share of the
conversations that are over goes to a person, who reads all of it and says whether something was left undone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from datasets.choices import CheckFinding
from datasets.models import Conversation, ConversationCheck, ConversationShare, Omission
from datasets.services import removal_lock
from hitl_site.lib import ids, wording
from hitl_site.lib.canonical import body_digest, canonicalize
from hitl_site.lib.strict_json import JsonValue
from policies.engine.sampling import audit_draw
from policies.models import ActionType, Agent
from policies.selectors import owners
from policies.services import agents, ledger
from policies.services.agents import VersionClaim
from policies.services.ledger import Actor
from reviews import schema_form
from reviews.models import ActionRequest
from reviews.services.rights import current_holder, current_reviewer

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PURPOSE: Final = "omission"
MANAGE_AGENTS: Final = "policies.manage_agents"


class UnableToClose(Exception):
    """The conversation cannot be taken. Nothing has changed."""


class UnknownConversation(UnableToClose):
    """It belongs to another agent."""


class ClosedOtherwise(UnableToClose):
    """It was closed before, with other messages."""


class UnableToCheck(Exception):
    """The answer cannot be taken. Nothing has changed."""


class AlreadyChecked(UnableToCheck):
    """Somebody answered before."""


class NotYours(UnableToCheck):
    """The owner of an agent does not judge it."""


class WrongArguments(UnableToCheck):
    """What should have been done does not fit its action type. ``errors`` say where."""

    def __init__(self, errors: tuple[schema_form.FieldError, ...]) -> None:
        super().__init__(gettext("The fields do not fit the action type."))
        self.errors = errors


class BadShare(Exception):
    """Not a share that may be drawn."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What an agent reports of a conversation that is over."""

    conversation_id: str
    messages: Sequence[Mapping[str, JsonValue]]
    version: VersionClaim
    environment: str
    subject: str | None = None

    def digest(self) -> str:
        """Return what tells this report from another one of the same conversation."""
        return body_digest(
            {
                "conversation_id": self.conversation_id,
                "messages": [dict(message) for message in self.messages],
                "agent_version": self.version.label,
                "environment": self.environment,
                "subject": self.subject,
            }
        )


@dataclass(frozen=True, slots=True)
class Closed:
    conversation: Conversation
    replayed: bool


@transaction.atomic
def close(*, agent: Agent, closing: Closing, now: datetime) -> Closed:
    """Keep a whole conversation, once; the same report again answers the first one.

    Whether it goes to a person is drawn by HMAC over its id, under a secret: no agent can tell, and the
    probability is kept.
    """
    digest = closing.digest()
    earlier = _earlier(agent, closing.conversation_id, digest)
    if earlier is not None:
        return Closed(earlier, replayed=True)
    own = ActionRequest.objects.filter(agent=agent, conversation_id=closing.conversation_id)
    proposed = own.count()
    if not proposed and _is_anothers(agent, closing.conversation_id):
        raise UnknownConversation("There is no such conversation.")
    public_id = ids.new("cnv")
    propensity = share_of(agent)
    drawn = audit_draw(settings.AUDIT_DRAW_SECRET, public_id, PURPOSE) < propensity
    talk = Conversation(
        public_id=public_id,
        agent=agent,
        agent_version=agents.see_version(agent=agent, claim=closing.version, now=now),
        conversation_id=closing.conversation_id,
        environment=closing.environment,
        subject=closing.subject,
        messages=[dict(message) for message in closing.messages],
        message_count=len(closing.messages),
        action_count=proposed,
        body_digest=digest,
        propensity=propensity,
        drawn=drawn,
        closed_at=now,
    )
    try:
        with transaction.atomic():
            talk.save(force_insert=True)
    except IntegrityError:
        # The same conversation at the same moment: the other one was first.
        other = _earlier(agent, closing.conversation_id, digest)
        if other is None:
            raise
        return Closed(other, replayed=True)
    if drawn:
        ConversationCheck.objects.create(public_id=ids.new("cck"), conversation=talk, asked_at=now)
    # Not whether it was drawn: agents may read the ledger's events.
    payload: dict[str, JsonValue] = {"messages": talk.message_count, "actions": proposed}
    _record(Actor.agent(agent), "conversation.closed", "conversation", public_id, now, payload)
    return Closed(talk, replayed=False)


def share_of(agent: Agent) -> float:
    """Return the probability with which a conversation of this agent is drawn, never under the floor."""
    own = ConversationShare.objects.filter(agent=agent).first()
    share = settings.OMISSION_SHARE if own is None else own.share
    return min(1.0, max(share, settings.OMISSION_FLOOR))


@transaction.atomic
def set_share(*, agent: Agent, share: float, by: User, now: datetime) -> ConversationShare:
    """Say which share of an agent's conversations goes to a person. Not under the floor of the settings."""
    person = current_holder(by, MANAGE_AGENTS)
    if not settings.OMISSION_FLOOR <= share <= 1:
        said = gettext("A share lies between {least} and 100%.")
        raise BadShare(said.format(least=wording.share_of(settings.OMISSION_FLOOR, 1)))
    Agent.objects.select_for_update(of=("self",)).get(pk=agent.pk)
    before = share_of(agent)
    actor = Actor.person(person)
    row, _ = ConversationShare.objects.update_or_create(
        agent=agent, defaults={"share": share, "updated_by_name": actor.name, "updated_at": now}
    )
    payload: dict[str, JsonValue] = {"before": {"share": before}, "after": {"share": share}}
    _record(actor, "agent.conversation_share_changed", "agent", agent.public_id, now, payload)
    return row


@transaction.atomic
def find_complete(*, check_id: str, reviewer: User, note: str, now: datetime) -> ConversationCheck:
    """Answer that nothing was missing. The first answer counts; the same person's again changes nothing."""
    check = _held(check_id)
    person = _may_answer(check, reviewer)
    if check.finding:
        if check.finding == CheckFinding.COMPLETE and check.reviewer_id == person.pk:
            return check
        raise AlreadyChecked(_said_before(check))
    return _answer(check, CheckFinding.COMPLETE, person, note, now)


@transaction.atomic
def find_missing(
    *, check_id: str, reviewer: User, action_type: ActionType, arguments: JsonValue, note: str, now: datetime
) -> Omission:
    """Answer that something was missing, and what. Who found one thing may add others to the same answer."""
    check = _held(check_id)
    person = _may_answer(check, reviewer)
    if check.finding and (check.finding != CheckFinding.MISSING or check.reviewer_id != person.pk):
        raise AlreadyChecked(_said_before(check))
    declared = ActionType.objects.get(pk=action_type.pk)
    errors = schema_form.validate(declared.argument_schema, arguments)
    if not isinstance(arguments, dict):
        errors = (schema_form.FieldError("", gettext("This must be one object, in { and }.")),)
    if errors:
        raise WrongArguments(tuple(errors))
    canonical = canonicalize(arguments)
    same = check.omissions.filter(action_type=declared, arguments_canonical=canonical).first()
    if same is not None:
        # The same sent twice (a double click) is one omission.
        return same
    if not check.finding:
        _answer(check, CheckFinding.MISSING, person, "", now)
    omission = Omission.objects.create(
        public_id=ids.new("omi"),
        conversation_check=check,
        action_type=declared,
        arguments_canonical=canonical,
        note=note,
        reviewer=person,
        found_at=now,
    )
    payload: dict[str, JsonValue] = {
        "conversation": check.conversation.public_id,
        "check": check.public_id,
        "action_type": declared.name,
    }
    _record(Actor.person(person), "omission.found", "omission", omission.public_id, now, payload)
    return omission


def _held(check_id: str) -> ConversationCheck:
    removal_lock.write_beside()
    rows = ConversationCheck.objects.select_for_update(of=("self",))
    return rows.select_related("conversation__agent").get(public_id=check_id)


def _may_answer(check: ConversationCheck, reviewer: User) -> User:
    person = current_reviewer(reviewer)
    talk = check.conversation
    if owners.is_apart(talk.agent, person.pk, since=talk.closed_at):
        raise NotYours(gettext("This agent is yours: somebody else checks its conversations."))
    if check.conversation.messages is None:
        raise UnableToCheck(gettext("What was said in this conversation was erased."))
    return person


def _answer(
    check: ConversationCheck, finding: CheckFinding, person: User, note: str, now: datetime
) -> ConversationCheck:
    actor = Actor.person(person)
    check.finding, check.note, check.answered_at = finding, note, now
    check.reviewer, check.reviewer_name = person, actor.name
    check.save(update_fields=["finding", "note", "answered_at", "reviewer", "reviewer_name"])
    payload: dict[str, JsonValue] = {
        "conversation": check.conversation.public_id,
        "finding": str(finding),
        "propensity": check.conversation.propensity,
    }
    _record(actor, "conversation.checked", "conversation_check", check.public_id, now, payload)
    return check


def _said_before(check: ConversationCheck) -> str:
    said = gettext("{name} answered before: {found}.")
    return said.format(name=check.reviewer_name, found=str(check.get_finding_display()).lower())


def _earlier(agent: Agent, conversation_id: str, digest: str) -> Conversation | None:
    found = Conversation.objects.filter(agent=agent, conversation_id=conversation_id).first()
    if found is not None and found.body_digest != digest:
        raise ClosedOtherwise("This conversation was closed before, with another report.")
    return found


def _is_anothers(agent: Agent, conversation_id: str) -> bool:
    """Say whether only other agents know this conversation. One that nobody proposed anything in is new."""
    named = {"conversation_id": conversation_id}
    return (
        ActionRequest.objects.filter(**named).exclude(agent=agent).exists()
        or Conversation.objects.filter(**named).exclude(agent=agent).exists()
    )


def _record(
    actor: Actor, verb: str, kind: str, object_id: str, now: datetime, payload: dict[str, JsonValue]
) -> None:
    ledger.record(actor=actor, verb=verb, object_kind=kind, object_id=object_id, now=now, payload=payload)

"""Answers: what a person says to an item, read and checked before anything is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext
from pydantic import JsonValue

from hitl_site.lib.canonical import action_digest, canonicalize
from policies.models import PolicyVersion
from reviews.adapters.submission import ARGUMENTS_LIMIT
from reviews.choices import OVERRIDES, DecisionKind, ItemKind
from reviews.models import Decision, ReviewItem
from reviews.schema_form import FieldError, validate
from reviews.selectors.actions import Arguments, proposed_arguments
from reviews.selectors.reasons import reason_codes
from reviews.selectors.required_checks import required_under
from reviews.services.open_items import UnableToDecide


class InvalidAnswer(UnableToDecide):
    """The answer itself is incomplete or cannot stand. ``errors`` say where in the arguments.

    ``about`` names another part of the answer: ``reasons``, ``note`` or ``required``, the check list.
    """

    def __init__(self, message: str, errors: Sequence[FieldError] = (), *, about: str = "") -> None:
        super().__init__(message)
        self.errors = tuple(errors)
        self.about = about


class ChecksMissing(InvalidAnswer):
    """Something that the policy wants checked first was not ticked. ``sentences`` say what."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__(
            gettext("Tick each line of the check list before you let this run."), about="required"
        )
        self.sentences = tuple(sentences)


@dataclass(frozen=True)
class Answer:
    """What a person answers. ``arguments`` come with ``correct`` alone; reasons are codes of the type.

    ``checks`` are the sentences of the policy's check list that the person ticked.
    """

    kind: DecisionKind
    arguments: JsonValue = None
    reasons: tuple[str, ...] = ()
    note: str = ""
    bulk: bool = False
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Final:
    """What would run: arguments, their bytes and digest. All empty for a rejection."""

    arguments: Arguments | None
    canonical: bytes | None
    digest: str


def is_same(decision: Decision, answer: Answer) -> bool:
    """Say whether ``answer`` is the one already recorded, sent again."""
    if (decision.kind, tuple(decision.reasons), decision.note) != (answer.kind, answer.reasons, answer.note):
        return False
    if answer.kind != DecisionKind.CORRECT:
        return True
    try:
        return canonicalize(answer.arguments) == bytes(decision.final_arguments_canonical or b"")
    except ValueError:
        return False


def final_of(item: ReviewItem, answer: Answer) -> Final:
    """Return what would run. Corrections must fit the action type's schema and really change something."""
    action = item.action
    if answer.kind == DecisionKind.REJECT:
        return Final(arguments=None, canonical=None, digest="")
    if answer.kind == DecisionKind.APPROVE:
        return Final(
            arguments=proposed_arguments(action),
            canonical=bytes(action.arguments_canonical),
            digest=action.digest,
        )
    if not isinstance(answer.arguments, dict):
        raise InvalidAnswer(
            gettext("The arguments must be an object."), [FieldError("", gettext("This must be an object."))]
        )
    try:
        canonical = canonicalize(answer.arguments)
    except ValueError as error:
        raise InvalidAnswer(
            gettext("The arguments hold something that cannot be sent."), [FieldError("", str(error))]
        ) from None
    if len(canonical) > ARGUMENTS_LIMIT:
        raise InvalidAnswer(
            gettext("The arguments are too large; {most} KiB is the most.").format(
                most=ARGUMENTS_LIMIT // 1024
            )
        )
    if canonical == bytes(action.arguments_canonical):
        raise InvalidAnswer(gettext("You changed nothing. Approve it as it is, or change a field."))
    if action.action_type is not None:
        errors = validate(action.action_type.argument_schema, answer.arguments)
        if errors:
            raise InvalidAnswer(gettext("Some fields need another look."), errors)
    digest = action_digest(
        agent=action.agent.name,
        subject=action.subject,
        action_type=action.action_type_name,
        environment=action.environment,
        arguments=answer.arguments,
    )
    return Final(arguments=answer.arguments, canonical=canonical, digest=digest)


def check_reasons(item: ReviewItem, answer: Answer) -> None:
    """Raise where a reason is unknown, or missing though the answer goes against the proposal.

    Whoever settles what two people answered differently says how they came to it, whatever they find.
    """
    known = {reason.code for reason in reason_codes(item.action.action_type)}
    unknown = sorted(set(answer.reasons) - known)
    if unknown:
        raise InvalidAnswer(
            gettext("Unknown reason: {codes}.").format(codes=", ".join(unknown)), about="reasons"
        )
    if answer.kind in OVERRIDES and not answer.reasons:
        raise InvalidAnswer(gettext("Say why: choose at least one reason."), about="reasons")
    if item.kind == ItemKind.ADJUDICATION and not answer.note.strip():
        raise InvalidAnswer(
            gettext("Say in the note how you came to this: both of them will read it."), about="note"
        )


def ticked(item: ReviewItem, answer: Answer, in_force: PolicyVersion | None) -> list[str]:
    """Return the lines of the check list that the person ticked; raise where one is missing.

    Those of the policy that held the action, and of the one ``in_force``. To reject needs none: nothing runs.
    What was ticked of no list any more is no part of the record.
    """
    required = required_under(item.action, in_force)
    given = [sentence for sentence in required if sentence in answer.checks]
    if answer.kind != DecisionKind.REJECT and len(given) < len(required):
        raise ChecksMissing([sentence for sentence in required if sentence not in answer.checks])
    return given

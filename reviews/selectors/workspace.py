"""The review page's read model: one item as one person may see it now, in a fixed number of queries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils.translation import gettext

from hitl_site.lib import visible_text
from hitl_site.lib.strict_json import JsonValue
from policies.engine import evidence_sources
from reviews import schema_form
from reviews.choices import DecisionKind, ItemKind, ItemStatus
from reviews.models import ActionRequest, Decision, Draft, Escalation, ReviewItem, SecondReview
from reviews.schema_form import FieldError, FormView
from reviews.selectors import drills, edits, inbox, independence, second_reviews, timeline
from reviews.selectors.actions import proposed_arguments
from reviews.selectors.difference import Difference, difference
from reviews.selectors.earlier_refusal import earlier_refusal
from reviews.selectors.edits import Edit, Posted
from reviews.selectors.evidence import Annotated, annotate
from reviews.selectors.form_words import form_in_words, message_in_words
from reviews.selectors.precedents import NOTHING, Precedents, precedents_of
from reviews.selectors.reasons import reason_codes
from reviews.selectors.required_checks import required_checks
from reviews.selectors.small_screens import needs_large_screen
from reviews.selectors.their_answers import TheirAnswers, are_hidden, their_answers
from reviews.selectors.timeline import Timeline
from reviews.selectors.turn import Presence, Turn, name_of, others_at, turn_of
from reviews.selectors.verbs import verb_of
from reviews.selectors.why import Why, why_held
from reviews.selectors.workspace_parts import (
    Approvals,
    Check,
    Ending,
    Given,
    Lease,
    ReasonChoice,
    Repeated,
    RequiredCheck,
    Standing,
)

_JOINS = (
    "action__agent",
    "action__agent_version",
    "action__action_type",
    "action__context",
    "action__gate_check__policy_version",
    "queue",
    "claimed_by",
    "escalated_to",
)


# What nobody can answer any more once its time is over.
_LAPSE = frozenset({ItemKind.GATE, ItemKind.SECOND_OPINION})


@dataclass(frozen=True)
class Workspace:
    """All that the review page shows. Texts of the agent in it are hostile."""

    item: ReviewItem
    standing: Standing
    title: str
    proposed: JsonValue
    schema: JsonValue
    hidden: bool
    why: Why | None
    repeated: Repeated | None
    precedents: Precedents
    edit: Edit
    form: FormView
    difference: Difference
    changed: bool
    reasons: tuple[ReasonChoice, ...]
    checks: tuple[Check, ...]
    required_checks: tuple[RequiredCheck, ...]
    timeline: timeline.Timeline
    agent_says: str
    judge_says: str
    approvals: Approvals | None
    # What others answered, where the person is to know: ``kept_apart`` while they answer alone.
    answers: TheirAnswers | None
    kept_apart: bool
    why_not: str
    lease: Lease | None
    ending: Ending | None
    present: tuple[Presence, ...]
    # What the person had typed into an item that is now closed; None while it is open.
    typed: Edit | None
    typed_form: FormView | None

    # What the person is told of a drill; None for a real item, and before they may know.
    drill: str | None

    # Whose page it is, the reading of the inbox that they work through, and whether they typed here before.
    viewer: User
    view: inbox.View | None
    drafted: bool

    @property
    def unticked(self) -> int:
        """Return how many lines of the policy's check list are still to be ticked."""
        return sum(not check.checked for check in self.required_checks)

    @property
    def may_decide(self) -> bool:
        """Say whether the page offers the person a verdict."""
        return self.standing == Standing.DECIDES

    @property
    def held_by_other(self) -> bool:
        """Say whether somebody else is on it; the person can take it over."""
        return self.lease is not None and not self.lease.mine

    @property
    def is_gate(self) -> bool:
        """Say whether an agent waits for this answer."""
        return self.item.kind == ItemKind.GATE

    @property
    def is_settling(self) -> bool:
        """Say whether the item asks who of two people was right, long after something may have run."""
        return self.item.kind == ItemKind.ADJUDICATION

    @property
    def has_run(self) -> bool:
        """Say whether the page may tell that it has run already: of a second opinion that would be a hint."""
        return self.item.kind == ItemKind.AUDIT

    @cached_property
    def needs_large_screen(self) -> bool:
        """Say whether it takes a large screen to let this run."""
        return self.may_decide and needs_large_screen(self.item)

    @cached_property
    def escalation(self) -> Escalation | None:
        """Return how the item was last passed on. Only what draws it asks."""
        return self.item.escalations.select_related("to_user", "to_queue").order_by("-id").first()

    @cached_property
    def second_review(self) -> SecondReview | None:
        """Return why a second person answers after the viewer, where one does. Only what draws it asks."""
        if not self.may_decide or self.item.kind not in second_reviews.ABOUT:
            return None
        name = self.item.action_type_name
        return next(iter(second_reviews.of_person(self.viewer, at=Now(), action_type_name=name)), None)

    @cached_property
    def turn(self) -> Turn:
        """Return the place of the item among those of the person. Only what draws it asks."""
        return turn_of(self.item, self.viewer, view=self.view)

    @property
    def barred(self) -> str:
        """Return why the person looks on, for those whose answer is not asked."""
        return "" if self.standing != Standing.BARRED else self.why_not

    @property
    def runs_nothing(self) -> bool:
        """Say whether the item ended without anything that may run."""
        if self.ending is None:
            return False
        return self.ending.decision is None or self.ending.decision.kind == DecisionKind.REJECT

    @cached_property
    def annotated(self) -> Annotated:
        """Return the form with what stands beside its values, and the timeline that this points to.

        Only what draws them asks; a live diff does not.
        """
        action = self.item.action
        declared = action.action_type.evidence_sources if action.action_type else []
        return annotate(
            self.form,
            arguments=self.proposed,
            context=action.context.context,
            sources=evidence_sources.read(declared),
            timeline=self.timeline,
        )

    def uncovered(self) -> Timeline:
        """Return the timeline with its secrets, for somebody whose asking for them is on record."""
        return timeline.timeline(self.item.action.context.context, end=self.timeline.steps[-1], covered=False)

    @property
    def contradicts(self) -> str:
        """Return how the answer that the form stands for now would contradict what was decided before."""
        if not self.may_decide:
            return ""
        return self.precedents.contradiction(DecisionKind.CORRECT if self.changed else DecisionKind.APPROVE)

    @property
    def own(self) -> Edit:
        """Return the person's own version, also where the page shows what was decided."""
        return self.typed if self.typed is not None else self.edit

    @property
    def is_untouched(self) -> bool:
        """Say whether the person has typed and ticked nothing, now or before."""
        edit = self.edit
        said = (edit.errors, edit.reasons, edit.note, edit.checks, edit.required)
        return not (self.drafted or self.changed or any(said))

    @property
    def original_json(self) -> str:
        """Return the proposal as the JSON tab holds it."""
        return schema_form.pretty(self.proposed)

    @property
    def json_rows(self) -> int:
        """Return the height of a text area that holds the person's version."""
        return min(max(self.own.json_text.count("\n") + 2, 6), 28)

    @property
    def json_error(self) -> str:
        """Return what is wrong in the JSON tab, with line and column; "" when it is not what is shown."""
        return self.unreadable if self.edit.editor == "json" else ""

    @property
    def unreadable(self) -> str:
        """Return what cannot be read of the person's version, "" where all of it can."""
        return message_in_words(self.edit.errors[0].message) if self.edit.errors else ""


def workspace(
    *,
    item_id: str,
    viewer: User,
    now: datetime,
    posted: Posted | None = None,
    view: inbox.View | None = None,
    compare: bool = True,
) -> Workspace:
    """Return the page of one item. ``posted`` is what a form just said; else the person's draft is shown.

    ``view`` is the reading of the inbox that the person works through. Without ``compare`` it leaves out what
    was decided before, for parts of the page that do not show it.

    Raises ``ReviewItem.DoesNotExist`` for what is not there or not to be seen, ``KeptApart`` for an answer
    that is not to be seen yet.
    """
    item = inbox.visible_to(viewer).select_related(*_JOINS).get(public_id=item_id)
    action = item.action
    schema: JsonValue = action.action_type.argument_schema if action.action_type else None
    proposed: JsonValue = dict(proposed_arguments(action))
    decisions = list(item.decisions.filter(undone_at=None).select_related("reviewer").order_by("id"))
    if item.status == ItemStatus.DECIDED and item.kind not in independence.APART:
        independence.keep_apart(action, viewer)
    why_not = independence.why_not(item, viewer, heed_queue=True)
    standing = _standing(item, viewer, decisions, why_not=why_not, now=now)
    kept_apart = are_hidden(item, viewer, decisions, now=now)
    ending = _ending(item, viewer, decisions, proposed) if standing == Standing.CLOSED else None
    draft = Draft.objects.filter(item=item, reviewer=viewer).first()
    fields = posted if posted is not None else (draft.form if draft is not None else None)
    edit = edits.read(schema, proposed, fields) if fields is not None else edits.untouched(proposed)
    typed: Edit | None = None
    if ending is not None:
        # One's own answer is what was typed; only what did not come through is shown beside it.
        typed = edit if fields is not None and (posted is not None or not ending.mine) else None
        edit = edits.untouched(ending.final)
    hidden = item.blind and item.status not in {
        ItemStatus.DECIDED,
        ItemStatus.EXPIRED,
        ItemStatus.CANCELLED,
    }
    return Workspace(
        item=item,
        standing=standing,
        title=plainly(item.title),
        proposed=proposed,
        schema=schema,
        hidden=hidden,
        why=None if hidden else why_held(action.gate_check, action),
        repeated=None if hidden else _repeated(action, proposed),
        precedents=precedents_of(action) if compare and not hidden else NOTHING,
        edit=edit,
        form=form_in_words(edits.form_of(edit, schema=schema, proposed=proposed)),
        difference=difference(proposed, edit.value),
        changed=edits.is_changed(typed or edit, proposed),
        reasons=_reasons(item, edit),
        checks=_checks(item, edit),
        required_checks=tuple(
            RequiredCheck(sentence, sentence in edit.required) for sentence in required_checks(action)
        ),
        timeline=timeline.timeline(action.context.context, end=_end_of(item, hidden=hidden)),
        agent_says=action.context.reason,
        judge_says="" if hidden else _rationale(action.context.judge),
        approvals=_approvals(item, decisions, hidden=hidden or kept_apart),
        answers=their_answers(item, viewer, decisions, now=now),
        kept_apart=kept_apart,
        why_not=why_not,
        lease=_lease(item, viewer, now=now),
        ending=ending,
        present=others_at(item, viewer, now=now),
        typed=typed,
        typed_form=None
        if typed is None
        else form_in_words(edits.form_of(typed, schema=schema, proposed=proposed)),
        drill=drills.sentence_for(action, viewer) if action.drill else None,
        viewer=viewer,
        view=view,
        drafted=draft is not None,
    )


def with_errors(shown: Workspace, errors: Sequence[FieldError]) -> Workspace:
    """Return the page with errors that came up after the form was read (the schema's, the policy's)."""
    form = edits.form_of(shown.edit, schema=shown.schema, proposed=shown.proposed, errors=tuple(errors))
    return replace(shown, form=form_in_words(form))


def plainly(text: str) -> str:
    """Return a text for a place that holds no markup (a page's title): hidden characters are named."""
    pieces = visible_text.segments(text)
    return "".join(f"[{piece.label}]" if piece.hidden else piece.text for piece in pieces)


def _standing(
    item: ReviewItem, viewer: User, decisions: list[Decision], *, why_not: str, now: datetime
) -> Standing:
    late = item.kind in _LAPSE and item.due_at <= now
    if item.status != ItemStatus.OPEN or late:
        return Standing.CLOSED
    if not viewer.has_perm("reviews.review_item"):
        return Standing.LOOKS
    if item.action.agent.owner_id == viewer.pk:
        return Standing.OWNS
    if why_not:
        return Standing.BARRED
    if any(decision.reviewer_id == viewer.pk for decision in decisions):
        return Standing.ANSWERED
    return Standing.DECIDES


def _ending(item: ReviewItem, viewer: User, decisions: list[Decision], proposed: JsonValue) -> Ending:
    last = next((decision for decision in decisions if decision.terminal), None)
    if last is None:
        status = item.status if item.status != ItemStatus.OPEN else ItemStatus.EXPIRED
        at = item.due_at if status == ItemStatus.EXPIRED else item.closed_at or item.due_at
        return Ending(status, at, None, "", "", mine=False, final=proposed)
    final: JsonValue = (
        json.loads(bytes(last.final_arguments_canonical)) if last.final_arguments_canonical else proposed
    )
    return Ending(
        status=item.status,
        at=last.decided_at,
        decision=last,
        who=last.reviewer_name,
        verb=verb_of(last.kind),
        mine=last.reviewer_id == viewer.pk,
        final=final,
    )


def _repeated(action: ActionRequest, proposed: JsonValue) -> Repeated | None:
    refusal = earlier_refusal(action)
    if refusal is None:
        return None
    earlier = ActionRequest.objects.get(public_id=refusal.action_id)
    before: JsonValue = dict(proposed_arguments(earlier))
    return Repeated(refusal=refusal, difference=difference(before, proposed))


def _approvals(item: ReviewItem, decisions: list[Decision], *, hidden: bool) -> Approvals | None:
    if item.approvals_required < 2:
        return None
    given = tuple(
        Given(
            name="" if hidden else decision.reviewer_name,
            verb="" if hidden else verb_of(decision.kind),
            at=decision.decided_at,
            digest=decision.final_digest,
        )
        for decision in decisions
        if decision.kind != DecisionKind.REJECT
    )
    return Approvals(required=item.approvals_required, given=given)


def _lease(item: ReviewItem, viewer: User, *, now: datetime) -> Lease | None:
    if item.claimed_by is None or item.lease_expires_at is None or item.lease_expires_at <= now:
        return None
    return Lease(
        name=name_of(item.claimed_by), mine=item.claimed_by_id == viewer.pk, until=item.lease_expires_at
    )


def _reasons(item: ReviewItem, edit: Edit) -> tuple[ReasonChoice, ...]:
    return tuple(
        ReasonChoice(reason.code, reason.words, str(place) if place < 10 else "", reason.code in edit.reasons)
        for place, reason in enumerate(reason_codes(item.action.action_type), start=1)
    )


def _checks(item: ReviewItem, edit: Edit) -> tuple[Check, ...]:
    texts = item.action.action_type.checklist if item.action.action_type else []
    return tuple(Check(number, str(text), number in edit.checks) for number, text in enumerate(texts))


def _end_of(item: ReviewItem, *, hidden: bool) -> timeline.Step:
    if item.kind == ItemKind.AUDIT:
        words = gettext("Did this")
    else:
        words = gettext("Proposed this") if hidden else gettext("Proposed this and was held")
    return timeline.Step("hand", words, at=item.action.created_at, stop=True, kind="stop")


def _rationale(judge: JsonValue) -> str:
    said = judge.get("rationale") if isinstance(judge, dict) else None
    return said if isinstance(said, str) else ""

"""A tour through every act of the services: what the record and the database's rights must bear.

Each leg commits as it goes. The cast is made before, by ``make_cast``.
"""

from __future__ import annotations

import json
from datetime import timedelta

from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.test import Client

from datasets.choices import Cadence, Label
from datasets.models import Dataset, DatasetVersion, Freezing, LabelledCase
from datasets.selectors.choices import Choices, SplitBy, SplitRule
from datasets.selectors.selection import Selection
from datasets.services import (
    case_index,
    curating,
    datasets,
    evaluating,
    exporting,
    freezing,
    freezings,
    grader_documents,
    ground_truth,
    labelling,
    redaction,
    schedules,
)
from hitl_site.lib.clock import database_now
from hitl_site.lib.strict_json import JsonValue
from policies.choices import AGENT_SCOPES, AutonomyLevel, KillSwitchScope, Risk
from policies.engine.facts import Level
from policies.engine.ladder import Rung
from policies.models import ActionType, EvidenceTrack, LedgerEntry, PolicyVersion
from policies.selectors import evidence as questions
from policies.services import (
    accounts,
    action_types,
    agents,
    autonomy,
    checkpoints,
    declaration_changes,
    kill_switch,
    ladder,
    ledger,
    loops,
    policies,
    proposals,
    publications,
    trust_links,
    verifications,
)
from policies.services.ledger import Actor
from reviews.adapters import submission as wire
from reviews.choices import (
    DecisionKind,
    IncidentKind,
    ItemKind,
    Outcome,
    PaceAnswer,
    Resolution,
    SeedState,
    SkipReason,
)
from reviews.models import Drill, DrillBurst, Execution, Permit, ReviewItem
from reviews.services import (
    attention,
    cancellations,
    claims,
    deadlines,
    decisions,
    drills,
    executions,
    incidents,
    observed,
    pace,
    passing_on,
    permits,
    queues,
    second_opinions,
    working_off,
)
from reviews.tests.cast import Cast, decide_as, held, propose
from tests.contracts.tour_privacy import privacy
from tests.contracts.tour_team import lead, uncover

PASSWORD = "a long enough password"


def everything(cast: Cast) -> None:
    """Walk all legs."""
    be_somebody()
    govern(cast)
    publish(cast)
    review(cast)
    look_twice(cast)
    run(cast)
    climb(cast)
    share(cast)
    stop(cast)
    ingest_batch(cast)
    learn(cast)
    drill(cast)
    begin_a_shift(cast)
    privacy(cast)
    lead(cast)
    uncover(cast)
    look_after_the_ledger(cast)


def be_somebody() -> None:
    """Make people, sign in and out, fail to, change rights and passwords."""
    now = database_now()
    root = accounts.make_person(
        name="root", password=PASSWORD, is_superuser=True, actor=Actor.system("command line"), now=now
    )
    accounts.set_password(user=root, password=f"{PASSWORD}!", actor=Actor.system("command line"), now=now)
    browser = Client()
    browser.post("/login/", {"username": "root", "password": "wrong"})
    browser.post("/login/", {"username": "root", "password": f"{PASSWORD}!"})
    group = {"name": "night shift"}
    assert browser.post("/admin/auth/group/add/", group).status_code == 302
    rita = {"username": "rita", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    assert browser.post("/admin/auth/user/add/", rita).status_code == 302
    made = User.objects.get(username="rita")
    rights = {
        "username": "rita",
        "is_active": "on",
        "groups": Group.objects.get(name="lead").pk,
        "user_permissions": Permission.objects.latest("id").pk,
        "date_joined_0": "2026-01-01",
        "date_joined_1": "12:00:00",
    }
    assert browser.post(f"/admin/auth/user/{made.pk}/change/", rights).status_code == 302
    queue = {"slug": "nights", "name": "Nights", "icon": "moon"}
    assert browser.post("/admin/reviews/queue/add/", queue).status_code == 302
    queues.make_queue(slug="money", name="Money", icon="banknote", actor=Actor.person(root), now=now)
    browser.post("/logout/")


def govern(cast: Cast) -> None:
    """Agents, keys, action types and autonomy: made, changed, taken away."""
    now, olga = database_now(), Actor.person(cast.olga)
    agent = agents.create_agent(name="porter", owner=cast.carol, actor=olga, now=now)
    key, token = agents.create_key(agent=agent, scopes=AGENT_SCOPES, actor=olga, now=now)
    agents.authenticate(token=token, now=now)
    version = agents.see_version(agent=agent, label="7", now=now)
    agents.pause_agent(agent=agent, reason="a look", actor=olga, now=now)
    agents.resume_agent(agent=agent, reason="all is well", actor=olga, now=now)
    declared = action_types.declare(name="parcel.send", title="Parcel", risk=Risk.LOW, actor=olga, now=now)
    action_types.change(action_type=declared, title="Send a parcel", actor=olga, now=now)
    grant = autonomy.grant(
        agent_version=version,
        action_type=declared,
        level=AutonomyLevel.THRESHOLD,
        reason="earned",
        granted_by=cast.olga,
        now=now,
    )
    autonomy.end(grant=grant, reason="a new version", actor=olga, now=now)
    agents.revoke_key(key=key, actor=olga, now=now)
    agents.retire_agent(agent=agent, reason="no longer used", actor=olga, now=now)


def publish(cast: Cast) -> None:
    """A policy's life: drafted, in shadow, published with a second person, withdrawn, put back."""
    peter = accounts.make_person(
        name="peter",
        password=PASSWORD,
        groups=Group.objects.filter(name="ops_admin"),
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    earlier = PolicyVersion.objects.filter(action_type=cast.refund).latest("id")
    draft = policies.save_draft(
        action_type=cast.refund,
        document={**earlier.document, "threshold": 0.5},
        author=cast.olga,
        now=database_now(),
    )
    shadow = policies.start_shadow(
        version=draft, person=cast.olga, content_sha256=draft.content_sha256, now=database_now()
    )
    propose(cast, confidence=0.7)  # what the shadow would say is noted beside the verdict
    asked = publications.ask(
        version=shadow,
        person=cast.olga,
        reason="It did well",
        content_sha256=shadow.content_sha256,
        now=database_now(),
    )
    publications.withdraw(publication=asked, person=cast.olga, reason="Not yet", now=database_now())
    asked = publications.ask(
        version=shadow,
        person=cast.olga,
        reason="It did well",
        content_sha256=shadow.content_sha256,
        now=database_now(),
    )
    publications.approve(
        publication=asked, person=peter, content_sha256=shadow.content_sha256, now=database_now()
    )
    refund = ActionType.objects.get(pk=cast.refund.pk)
    for approve in (False, True):
        loosened = declaration_changes.ask(
            action_type=refund,
            person=cast.olga,
            reason="It did well",
            seen_at=refund.updated_at,
            now=database_now(),
            second_admin=False,
        ).waiting
        assert loosened is not None
        if approve:
            declaration_changes.approve(
                change=loosened, person=peter, content_sha256=loosened.content_sha256, now=database_now()
            )
        else:
            declaration_changes.withdraw(
                change=loosened, person=cast.olga, reason="Not yet", now=database_now()
            )
    policies.put_in_force(
        action_type=cast.refund,
        document=earlier.document,
        author=cast.olga,
        reason="As it was",
        now=database_now(),
    )


def review(cast: Cast) -> None:
    """Items: claimed, drafted, skipped, escalated, decided in every way, taken back, expired, cancelled."""
    item = held(cast)
    claims.claim(item_id=item.public_id, reviewer=cast.alice, now=database_now())
    token = attention.view_token(item=item, reviewer=cast.alice, now=database_now())
    attention.note(
        token=token,
        item_id=item.public_id,
        reviewer=cast.alice,
        arguments_seen=True,
        parts_opened=["why"],
        editing=True,
        now=database_now(),
    )
    attention.save_draft(
        item_id=item.public_id, reviewer=cast.alice, form={"note": ["hm"]}, now=database_now()
    )
    claims.release(item_id=item.public_id, reviewer=cast.alice)
    passing_on.skip(
        item_id=item.public_id, reviewer=cast.alice, reason=SkipReason.NEED_TIME, now=database_now()
    )
    item.refresh_from_db()
    passing_on.escalate(
        item_id=item.public_id,
        reviewer=cast.alice,
        note="You know them",
        item_version=item.version,
        to_user=cast.bob,
        now=database_now(),
    )
    first = decide_as(cast.bob, item).decision
    decisions.undo(decision_id=first.public_id, reviewer=cast.bob, now=database_now())
    decide_as(cast.bob, item, DecisionKind.REJECT)
    corrected = {"order": "SO-48213", "amount": 20, "message": "Sorry!"}
    decide_as(cast.alice, held(cast), DecisionKind.CORRECT, arguments=corrected)
    decide_as(cast.alice, held(cast))
    deadlines.release_due(now=database_now() + timedelta(minutes=5))
    cancellations.cancel(action_id=propose(cast).public_id, agent=cast.clerk, now=database_now())
    held(cast)
    deadlines.expire_due(now=database_now() + timedelta(days=60))


def look_twice(cast: Cast) -> None:
    """A second opinion that differs, settled by a lead; another that nobody gives in time."""
    action_types.change(
        action_type=cast.refund, second_opinion_rate=1.0, actor=Actor.person(cast.olga), now=database_now()
    )
    lead = accounts.make_person(
        name="lena",
        password=PASSWORD,
        groups=Group.objects.filter(name="lead"),
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    for order in ("T-1", "T-2"):
        item = held(cast, arguments={"order": order, "amount": 20})
        decide_as(cast.alice, item)
    deadlines.release_due(now=database_now() + timedelta(minutes=5))
    action_types.change(
        action_type=cast.refund, second_opinion_rate=0.0, actor=Actor.person(cast.olga), now=database_now()
    )
    drawn = ReviewItem.objects.filter(kind=ItemKind.SECOND_OPINION).order_by("-id")
    second, first = drawn[:2]
    decide_as(cast.bob, first, DecisionKind.REJECT)
    deadlines.release_due(now=database_now() + timedelta(minutes=5))
    differ = ReviewItem.objects.get(kind=ItemKind.ADJUDICATION)
    decide_as(lead, differ, note="The order was paid")
    deadlines.release_due(now=database_now() + timedelta(minutes=5))
    second_opinions.expire_due(now=second.due_at)


def drill(cast: Cast) -> None:
    """Drills: made of a correction, approved, drawn, served, answered, dropped; and the card of the pace."""
    now = database_now()
    first = decide_as(cast.bob, held(cast), DecisionKind.REJECT, now=now).decision
    deadlines.release_due(now=now + timedelta(seconds=6))
    first.refresh_from_db()
    seed = drills.make_seed(decision=first, error_kind="not_needed", made_by=cast.olga, approve=True, now=now)
    action_types.change(
        action_type=cast.refund,
        drill_rate=0.05,
        reading_floor_ms=2000,
        actor=Actor.person(cast.olga),
        now=now,
    )
    for number in range(400):
        decide_as(cast.alice, held(cast))
        # One in twenty draws a drill; so many answers without a look draw the card.
        if number >= 20 and Drill.objects.exists():
            break
    pace.notice(reviewer=cast.alice, now=database_now())
    pace.answer(reviewer=cast.alice, said=PaceAnswer.TAKE_FIVE, now=database_now())
    pace.answer(reviewer=cast.alice, said=PaceAnswer.GO_ON, now=database_now())
    drills.serve_due(now=now + timedelta(minutes=11))
    decide_as(cast.alice, ReviewItem.objects.filter(action__drill=True, status="open").latest("id"))
    drills.judge_seed(seed=seed, state=SeedState.RETIRED, judged_by=cast.olga, now=database_now())
    action_types.change(
        action_type=cast.refund,
        drill_rate=0.0,
        reading_floor_ms=0,
        actor=Actor.person(cast.olga),
        now=database_now(),
    )


def begin_a_shift(cast: Cast) -> None:
    """The drills that begin somebody's shift: one after the other, then the real ones."""
    eve = accounts.make_person(
        name="eve",
        password=PASSWORD,
        groups=Group.objects.filter(name="reviewer"),
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    now = database_now()
    answered = [decide_as(cast.bob, held(cast), DecisionKind.REJECT, now=now).decision for _ in range(5)]
    deadlines.release_due(now=now + timedelta(seconds=6))
    for decision in answered:
        decision.refresh_from_db()
        drills.make_seed(
            decision=decision, error_kind="not_needed", made_by=cast.olga, approve=True, now=database_now()
        )
    olga = Actor.person(cast.olga)
    action_types.change(action_type=cast.refund, drill_burst=True, actor=olga, now=database_now())
    held(cast)
    while True:
        item = claims.claim_next(reviewer=eve, now=database_now())
        if not item.action.drill:
            break
        decide_as(eve, item, DecisionKind.REJECT)
    assert DrillBurst.objects.get().ended_at is not None
    claims.release(item_id=item.public_id, reviewer=eve)
    action_types.change(action_type=cast.refund, drill_burst=False, actor=olga, now=database_now())


def run(cast: Cast) -> None:
    """Permits: consumed, reported, revoked, run out; a run whose end nobody knows."""
    execution = _run(cast, _permit(cast))
    executions.heartbeat(execution_id=execution.public_id, agent=cast.clerk, now=database_now())
    executions.report_outcome(
        execution_id=execution.public_id,
        agent=cast.clerk,
        outcome=Outcome.SUCCEEDED,
        detail={"reference": "R-1"},
        executed_digest=execution.permit.digest,
        now=database_now(),
    )
    lost = _run(cast, _permit(cast))
    deadlines.end_leases(now=database_now() + timedelta(days=2))
    incident = lost.incidents.get()
    assert incident.kind == IncidentKind.OUTCOME_UNKNOWN
    incidents.resolve(
        incident_id=incident.public_id,
        resolver=cast.alice,
        resolution=Resolution.DID_NOT_RUN,
        note="It never left",
        now=database_now(),
    )
    permits.revoke(
        permit_id=_permit(cast).public_id, reason="Wrong customer", actor=cast.olga, now=database_now()
    )
    _permit(cast)
    deadlines.expire_permits(now=database_now() + timedelta(days=30))


def climb(cast: Cast) -> None:
    """The evidence follows the record; a level is proposed, refused, and granted by hand."""
    ledger.link_entries(now=database_now())
    ladder.keep(now=database_now())
    track = EvidenceTrack.objects.select_related("agent_version", "action_type").earliest("id")
    found = questions.evidence_of(track.agent_version, track.action_type, database_now())
    assert found is not None
    # As if it had been earned: that takes more labels than a tour has.
    earned = Rung(to=Level.AUTONOMOUS, conditions=(), health=(), locked=False)
    with transaction.atomic():
        waiting = proposals.draw_up(found, earned, grant=None, proposed_by=None, now=database_now())
    proposals.refuse(
        proposal_id=waiting.public_id, refused_by=cast.olga, reason="not yet", now=database_now()
    )
    ladder.tend(now=database_now())


def share(cast: Cast) -> None:
    """The trust page is shown to somebody without an account, and no longer."""
    now = database_now()
    link = trust_links.make(
        person=cast.olga, for_whom="The board", filters={"days": "30"}, lasts=timedelta(days=7), now=now
    )
    trust_links.revoke(link_id=link.public_id, person=cast.olga, now=now)


def stop(cast: Cast) -> None:
    """Stops: of an agent, lifted again."""
    stopped = kill_switch.engage(
        scope=KillSwitchScope.AGENT,
        agent=cast.clerk,
        reason="A drill",
        engaged_by=cast.olga,
        now=database_now(),
    )
    propose(cast)  # denied, which is recorded like any other verdict
    kill_switch.lift(kill_switch=stopped, reason="Over", lifted_by=cast.olga, now=database_now())


def ingest_batch(cast: Cast) -> None:
    """What ran elsewhere, line by line."""
    line: dict[str, JsonValue] = {
        "action_type": "note.add",
        "arguments": {"text": "x"},
        "mode": "observed",
        "idempotency_key": "line-1",
    }
    body = wire.read_line(json.loads(json.dumps(line)))
    observed.accept(key=cast.key, lines=[body], request_id="", now=database_now())
    for row_id in working_off.rows_to_do():
        working_off.work_off(row_id=row_id, now=database_now())


def learn(cast: Cast) -> None:
    """Cases, datasets, frozen versions, exports: made, and one taken back."""
    while ledger.link_entries(now=database_now()):
        pass
    labelling.label_cases(now=database_now())
    case_index.index_cases(now=database_now())
    curate(cast)
    contradict(cast)
    redaction.default_profile(now=database_now())
    dataset = datasets.create_dataset(
        name="Refunds",
        selection=Selection(),
        redaction=redaction.DEFAULT_NAME,
        created_by=cast.olga,
        now=database_now(),
    )
    version = freezing.freeze(dataset_id=dataset.public_id, frozen_by=cast.olga, now=database_now()).version
    split = Choices(split=SplitRule(SplitBy.GROUP))
    datasets.change_dataset(
        dataset_id=dataset.public_id,
        description="Split",
        selection=Selection(),
        choices=split,
        changed_by=cast.olga,
        now=database_now(),
    )
    job = freezings.ask(dataset_id=dataset.public_id, asked_by=cast.olga, now=database_now(), at_once=0)
    assert isinstance(job, Freezing)
    freezings.run(freezing_id=job.public_id, clock=database_now)
    export = exporting.request(version_id=version.public_id, requested_by=cast.olga, now=database_now())
    exporting.run(export_id=export.public_id, clock=database_now)
    export = exporting.request(version_id=version.public_id, requested_by=cast.olga, now=database_now())
    exporting.cancel(export_id=export.public_id, cancelled_by=cast.olga, now=database_now())
    export_by_schedule(cast, dataset)
    evaluate(cast, version)


def curate(cast: Cast) -> None:
    """Cases are tagged, left out and taken in again; one is answered anew; most of it twice."""
    mia = accounts.make_person(
        name="mia",
        password=PASSWORD,
        groups=Group.objects.filter(name="ml_engineer"),
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    newest = LabelledCase.objects.filter(label=Label.REJECTED).latest("id")
    chosen = [newest.public_id]
    for _ in range(2):
        now = database_now()
        curating.change_tags(case_ids=chosen, add=["golden"], by=mia, now=now)
        curating.leave_out(case_ids=chosen, because="A test order", by=mia, now=now)
    for _ in range(2):
        curating.take_in(case_ids=chosen, by=mia, now=database_now())
    curating.edit_label(
        case_id=newest.public_id,
        label=Label.APPROVED,
        arguments=None,
        note="It was right.",
        seen=0,
        by=mia,
        now=database_now(),
    )


def contradict(cast: Cast) -> None:
    """A chargeback comes for something that a person approved; it is reported twice."""
    case = LabelledCase.objects.filter(label=Label.APPROVED, agent=cast.clerk.name).earliest("id")
    for _ in range(2):
        ground_truth.receive(
            action_id=case.action_id,
            agent=cast.clerk,
            report=ground_truth.Report(correct=False, source="chargeback"),
            idempotency_key="chargeback",
            now=database_now(),
        )
    while ledger.link_entries(now=database_now()):
        pass
    assert labelling.label_cases(now=database_now()).disputes == 1


def evaluate(cast: Cast, version: DatasetVersion) -> None:
    """Evals: a grader, a run that is done, one that is given up."""
    grader_documents.put_in_use(
        action_type="refund.issue", document={"others": "ignore"}, author=cast.olga, now=database_now()
    )
    runs = [
        evaluating.start(
            agent=cast.clerk,
            version_id=version.public_id,
            claim=agents.VersionClaim(label="8"),
            split="",
            source="handrail",
            note="",
            idempotency_key=key,
            body_digest="",
            now=database_now(),
        ).run.public_id
        for key in ("one", "two")
    ]
    results = [
        evaluating.Sent(case=case, acted=False)
        for case in version.members.values_list("case__public_id", flat=True)
    ]
    evaluating.take_results(run_id=runs[0], agent=cast.clerk, results=results, now=database_now())
    evaluating.give_up(run_id=runs[1], agent=cast.clerk, now=database_now())


def export_by_schedule(cast: Cast, dataset: Dataset) -> None:
    """A schedule: made, run, paused, and let go on."""
    plan = schedules.Plan(order=exporting.JSON_LINES, cadence=Cadence.DAILY)
    schedule = schedules.create(
        dataset_id=dataset.public_id, plan=plan, created_by=cast.olga, now=database_now()
    )
    schedules.run_now(schedule_id=schedule.public_id, by=cast.olga, now=database_now())
    for active in (False, True):
        schedules.set_active(schedule_id=schedule.public_id, active=active, by=cast.olga, now=database_now())


def look_after_the_ledger(cast: Cast) -> None:
    """The record's own acts: linked, signed, verified, one payload erased."""
    ledger.erase_payload(
        entry=LedgerEntry.objects.latest("id"),
        actor=Actor.person(cast.olga),
        reason="Asked for",
        now=database_now(),
    )
    while ledger.link_entries(now=database_now()):
        pass
    checkpoints.sign_due(now=database_now())
    asked = verifications.request(asked_by=cast.olga, now=database_now())
    verifications.run(verification_id=asked.public_id, clock=database_now)
    loops.tick("sequencer", database_now())


def _permit(cast: Cast) -> Permit:
    # Another order each time: what looks like a refused act is held.
    order = f"P-{Permit.objects.count()}"
    permit: Permit = propose(cast, arguments={"order": order, "amount": 20}, confidence=0.95).permits.get()
    return permit


def _run(cast: Cast, permit: Permit) -> Execution:
    return permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=permit.digest,
        consume_key=f"run-{permit.pk}",
        now=database_now(),
    ).execution

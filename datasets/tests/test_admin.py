"""Django's admin: superusers read all of it, secrets stay out, and long lists cost what short ones cost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets.choices import Cadence, ExportFormat, Label, RevisionKind
from datasets.models import (
    CaseCuration,
    DatasetVersion,
    EvalResult,
    EvalRun,
    ExportSchedule,
    Freezing,
    Grader,
    GroundTruth,
    LabelledCase,
    LabelRevision,
    RedactionProfile,
    VersionMark,
)
from datasets.services import case_index, exporting, freezing
from datasets.tests.base import Learners, label, make_dataset
from datasets.tests.privacy_rows import fill_privacy
from datasets.tests.team_rows import fill_team
from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from policies.choices import KillSwitchScope, MissingLabelReason, PublicationState, Verdict
from policies.models import (
    ActionType,
    Agent,
    AgentVersion,
    AutonomyProposal,
    ConditionMatch,
    DeclarationApproval,
    DeclarationChange,
    DoubleReview,
    DrillResult,
    EvalStanding,
    EvidenceSample,
    EvidenceTrack,
    GateCheck,
    KillSwitch,
    LedgerCheckpoint,
    LedgerVerification,
    MissingLabel,
    PastChunk,
    PolicyVersion,
    Publication,
    PublicationApproval,
    ScoreBin,
    ShadowCheck,
    TrustLink,
    WhatIfRun,
)
from policies.services import agents, kill_switch, loops
from policies.services.ledger import Actor
from reviews.choices import DecisionKind, IncidentKind, IngestState, SkipReason
from reviews.models import (
    Draft,
    Drill,
    DrillBurst,
    DrillSeed,
    Escalation,
    Execution,
    Incident,
    IngestRow,
    ItemView,
    PaceNotice,
    Permit,
    Precedent,
    Preferences,
    Queue,
    SavedView,
    SecondOpinion,
    SecondReview,
    Skip,
)
from reviews.tests.cast import Cast, decide_as, held, make_person, propose

pytestmark = pytest.mark.django_db

OURS = [
    model for app in ("policies", "reviews", "datasets") for model in apps.get_app_config(app).get_models()
]
EDITABLE = {User, Group, Queue}
EVERYTHING: list[type[Model]] = [*OURS, User, Group]


@pytest.fixture
def superuser(db: None) -> Client:
    return browser_of(User.objects.create_superuser("root", password="a long enough password"))


def browser_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def url(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def fill(cast: Cast, *, round_number: int = 0) -> None:
    """Make a row of every kind: what services make by services, the rest by hand."""
    now = database_now()
    olga = Actor.person(cast.olga)
    item = held(cast)
    decide_as(cast.alice, item, DecisionKind.APPROVE)
    label()
    permit = Permit.objects.filter(action=item.action).first()
    assert permit is not None
    if not hasattr(permit, "execution"):
        Execution.objects.create(
            public_id=ids.new("exe"),
            permit=permit,
            action=item.action,
            started_at=now,
            lease_until=now + timedelta(minutes=5),
        )
    other = held(cast)
    Escalation.objects.create(
        item=other, reviewer=cast.alice, reviewer_name="Alice", to_user=cast.bob, note="?", escalated_at=now
    )
    Skip.objects.create(item=other, reviewer=cast.alice, reason=SkipReason.NEED_TIME, skipped_at=now)
    fill_team(item=other, round_number=round_number)
    SecondOpinion.objects.create(
        item=other, first_decision=item.decisions.get(), propensity=0.05, opened_at=now
    )
    SecondReview.objects.create(
        public_id=ids.new("srv"),
        reviewer=cast.alice,
        action_type=cast.refund,
        reason="?",
        started_by=cast.olga,
        started_by_name="Olga",
        started_at=now,
        ends_at=now + timedelta(days=1),
        ended_at=now,
    )
    Precedent.objects.create(
        action=item.action,
        decision=item.decisions.get(),
        action_type=cast.refund,
        kind=DecisionKind.APPROVE,
        tokens=[round_number],
        decided_at=now,
    )
    TrustLink.objects.create(
        public_id=ids.new("tlk"),
        for_whom="Board",
        made_by=cast.olga,
        made_by_name="Olga",
        made_at=now,
        expires_at=now + timedelta(days=1),
    )
    view = SavedView.objects.create(
        public_id=ids.new("sav"), owner=cast.alice, name=f"View {round_number}", created_at=now
    )
    if not round_number:
        Preferences.objects.create(user=cast.alice, default_view=view, updated_at=now)
    seed = DrillSeed.objects.create(
        public_id=ids.new("drs"),
        action_type=cast.refund,
        source=item.decisions.get(),
        planted=False,
        made_by=cast.olga,
        made_by_name="Olga",
        made_at=now,
    )
    Drill.objects.create(
        drawn_by=seed.public_id, action_type=cast.refund, propensity=0.02, drawn_at=now, serve_at=now
    )
    DrillBurst.objects.create(
        public_id=ids.new("bur"),
        reviewer=cast.alice,
        rested_since=now,
        action_type=cast.refund,
        like=item.action,
        began_at=now,
    )
    PaceNotice.objects.create(reviewer=cast.alice, sitting_began_at=now, median_ms=900, shown_at=now)
    Draft.objects.create(item=other, reviewer=cast.alice, form={"note": ["n"]}, updated_at=now)
    ItemView.objects.create(
        public_id=ids.new("view"), item=other, reviewer=cast.alice, opened_at=now, last_seen_at=now
    )
    IngestRow.objects.create(
        public_id=ids.new("act"),
        batch_id=ids.new("bat"),
        agent=cast.clerk,
        idempotency_key=f"row-{round_number}",
        body_digest="sha256:0",
        body="{}",
        state=IngestState.ACCEPTED,
        accepted_at=now,
    )
    agent = agents.create_agent(name=f"agent-{round_number}", owner=cast.carol, actor=olga, now=now)
    kill_switch.engage(
        scope=KillSwitchScope.AGENT, agent=agent, reason="A drill", engaged_by=cast.olga, now=now
    )
    version = freezing.freeze(
        dataset_id=make_dataset(f"Set {round_number}").public_id, frozen_by=None, now=now
    ).version
    exporting.request(version_id=version.public_id, requested_by=cast.olga, now=now)
    fill_governing(cast, round_number=round_number)
    fill_learning(cast, version, round_number=round_number)
    fill_privacy(cast, round_number=round_number)
    Incident.objects.create(
        public_id=ids.new("inc"),
        kind=IncidentKind.OUTCOME_UNKNOWN,
        action=permit.action,
        execution=Execution.objects.get(permit=permit),
        item=other,
        opened_at=now,
    )


def fill_governing(cast: Cast, *, round_number: int) -> None:
    """Make a row of every kind that waits for a second person, or looks after the ledger."""
    now = database_now()
    live = PolicyVersion.objects.filter(action_type=cast.refund).latest("id")
    publication = Publication.objects.create(
        public_id=ids.new("pub"),
        action_type=cast.refund,
        version=live,
        state=PublicationState.WITHDRAWN,
        content_sha256=live.content_sha256,
        reason="?",
        loosens=True,
        people_required=2,
        asked_by=cast.olga,
        asked_by_name="Olga",
        asked_at=now,
        closed_at=now,
    )
    PublicationApproval.objects.create(
        publication=publication, person=cast.dan, person_name="Dan", approved_at=now
    )
    change = DeclarationChange.objects.create(
        public_id=ids.new("dch"),
        action_type=cast.refund,
        state=PublicationState.WITHDRAWN,
        before={"risk": "high"},
        after={"risk": "low"},
        loosening=["Risk: high → low."],
        reason="?",
        people_required=2,
        asked_by=cast.olga,
        asked_by_name="Olga",
        asked_at=now,
        closed_at=now,
    )
    DeclarationApproval.objects.create(change=change, person=cast.dan, person_name="Dan", approved_at=now)
    ShadowCheck.objects.create(
        policy_version=live,
        action_id=ids.new("act"),
        agent=cast.clerk,
        verdict=Verdict.ALLOW,
        live_verdict=Verdict.REVIEW,
        differs=True,
        reasons=[],
        evaluated_at=now,
    )
    LedgerCheckpoint.objects.create(seq=1000 + round_number, hash="0" * 64, note="?", created_at=now)
    LedgerVerification.objects.create(public_id=ids.new("ver"), asked_by_name="Olga", asked_at=now)
    loops.tick(f"loop-{round_number}", now)
    fill_evidence(cast, live.action_type, round_number=round_number)


def fill_autonomy(action_type: ActionType, *, round_number: int) -> None:
    """Make a row of every kind that autonomy is earned by."""
    now = database_now()
    agent = Agent.objects.create(public_id=ids.new("agt"), name=f"climber-{round_number}", created_at=now)
    version = AgentVersion.objects.create(public_id=ids.new("agv"), agent=agent, label="1", first_seen_at=now)
    check = GateCheck.objects.filter(sample=None).latest("id")
    place = 1_000_000 + round_number
    EvidenceSample.objects.create(
        gate_check=check,
        agent_version=version,
        action_type=action_type,
        seq=place,
        drawn=True,
        day=now.date(),
    )
    EvidenceTrack.objects.create(
        agent_version=version,
        action_type=action_type,
        level="review_all",
        started_at=now,
        started_seq=place,
        watermark_seq=place,
        labels_seq=place,
    )
    EvalStanding.objects.create(
        agent_version=version, run_id="evr", cases=1, failed_corrections=0, finished_at=now
    )
    AutonomyProposal.objects.create(
        public_id=ids.new("apr"),
        agent_version=version,
        action_type=action_type,
        kind="promotion",
        from_level="review_all",
        to_level="threshold",
        evidence={},
        evidence_digest="?",
        proposed_by_name="Handrail",
        proposed_at=now,
        expires_at=now,
    )


def fill_past(cast: Cast, action_type: ActionType, *, round_number: int) -> None:
    """Make a row of every kind that what-if is asked of."""
    now = database_now()
    version = AgentVersion.objects.filter(agent=cast.clerk).latest("id")
    ScoreBin.objects.create(
        action_type=action_type, agent_version=version, day=now.date(), bin=round_number, n=1
    )
    chunk = PastChunk.objects.create(
        action_type=action_type,
        agent_version=version,
        number=round_number + 1,
        size=0,
        first_day=now.date(),
        last_day=now.date(),
        first_check=0,
        last_check=0,
        columns=b"",
        numbers=b"",
    )
    ConditionMatch.objects.create(chunk=chunk, condition_sha256="0" * 64, size=0, bits=b"", asked_at=now)
    WhatIfRun.objects.create(
        public_id=ids.new("wif"),
        action_type=action_type,
        conditions=["true"],
        days=30,
        question_sha256=str(round_number),
        asked_by_name="Olga",
        asked_at=now,
    )


def fill_evidence(cast: Cast, action_type: ActionType, *, round_number: int) -> None:
    """Make a row of every kind that says how well people look."""
    now = database_now()
    fill_autonomy(action_type, round_number=round_number)
    fill_past(cast, action_type, round_number=round_number)
    checks = iter(GateCheck.objects.filter(missing_label=None, double_review=None).order_by("-id"))
    MissingLabel.objects.create(gate_check=next(checks), reason=MissingLabelReason.EXPIRED, noted_at=now)
    DrillResult.objects.create(
        drill_id=f"drill-{round_number}",
        action_type=action_type,
        reviewer=cast.alice,
        caught=True,
        decided_at=now,
    )
    DoubleReview.objects.create(
        gate_check=next(checks),
        action_type=action_type,
        first_reviewer=cast.alice,
        second_reviewer=cast.dan,
        first_kind=DecisionKind.APPROVE,
        second_kind=DecisionKind.REJECT,
        agreed=False,
        reviewed_at=now,
    )


def fill_learning(cast: Cast, version: DatasetVersion, *, round_number: int) -> None:
    """Make a row of every kind that comes after a case and its version."""
    now = database_now()
    case = LabelledCase.objects.latest("id")
    CaseCuration.objects.get_or_create(case=case, defaults={"tags": ["odd"], "updated_at": now})
    case_index.index_case(case, now=now)
    LabelRevision.objects.create(
        case=case,
        number=1 + case.revisions.count(),
        kind=RevisionKind.EDIT,
        label=Label.REJECTED,
        note="?",
        author_name="Olga",
        created_at=now,
    )
    GroundTruth.objects.create(
        public_id=ids.new("gtr"),
        action_id=case.action_id,
        agent=cast.clerk,
        correct=True,
        source="audit",
        idempotency_key=f"truth-{round_number}",
        body_digest="sha256:0",
        contradicts=False,
        received_at=now,
    )
    Freezing.objects.create(
        public_id=ids.new("frz"),
        dataset=version.dataset,
        cases_total=1,
        requested_by_name="Olga",
        requested_at=now,
    )
    Grader.objects.create(
        action_type="refund.issue",
        number=1 + Grader.objects.count(),
        document={},
        created_by_name="Olga",
        created_at=now,
    )
    RedactionProfile.objects.create(
        public_id=ids.new("rdp"),
        name=f"Profile {round_number}",
        number=1,
        document={},
        created_by_name="Olga",
        created_at=now,
    )
    ExportSchedule.objects.create(
        public_id=ids.new("sch"),
        dataset=version.dataset,
        format=ExportFormat.JSONL,
        cadence=Cadence.DAILY,
        next_at=now,
        created_by_name="Olga",
        created_at=now,
    )
    run = EvalRun.objects.create(
        public_id=ids.new("evr"),
        version=version,
        agent=cast.clerk,
        agent_name="clerk",
        agent_version="1",
        source="handrail",
        cases_total=1,
        idempotency_key=f"run-{round_number}",
        body_digest="sha256:0",
        posted_by_name="clerk",
        created_at=now,
    )
    EvalResult.objects.create(run=run, case=case, acted=True, received_at=now)
    VersionMark.objects.create(version=version, erasure_id=ids.new("req"), cases=1, marked_at=now)


def test_every_model_of_ours_is_there() -> None:
    assert [model.__name__ for model in OURS if not admin.site.is_registered(model)] == []


def test_every_list_and_one_page_of_each_open_for_a_superuser(superuser: Client, learners: Learners) -> None:
    fill(learners.cast)
    assert superuser.get(reverse("admin:index")).status_code == 200
    for model in EVERYTHING:
        assert superuser.get(url(model, "changelist")).status_code == 200, model
        row = model._default_manager.first()
        assert row is not None, model
        assert superuser.get(url(model, "change", row.pk)).status_code == 200, model


def test_facts_cannot_be_added_changed_or_deleted(superuser: Client, learners: Learners) -> None:
    fill(learners.cast)
    for model in OURS:
        if model in EDITABLE:
            continue
        row = model._default_manager.first()
        assert row is not None
        before = list(model._default_manager.order_by("pk").values())
        for page, args in (("add", ()), ("change", (row.pk,)), ("delete", (row.pk,))):
            assert superuser.post(url(model, page, *args), {"post": "yes"}).status_code == 403, (model, page)
        assert list(model._default_manager.order_by("pk").values()) == before


def test_people_and_groups_and_queues_can_be_edited(superuser: Client, learners: Learners) -> None:
    answer = superuser.post(url(Queue, "add"), {"slug": "refunds", "name": "Refunds", "icon": "banknote"})
    assert answer.status_code == 302
    queue = Queue.objects.get(slug="refunds")
    assert ids.is_valid(queue.public_id, "que")
    superuser.post(url(Queue, "change", queue.pk), {"slug": "other", "name": "Money", "icon": "banknote"})
    queue.refresh_from_db()
    assert (queue.slug, queue.name) == ("refunds", "Money")
    assert superuser.post(url(Queue, "delete", queue.pk), {"post": "yes"}).status_code == 403
    peoples: tuple[type[Model], ...] = (User, Group)
    for model in peoples:
        assert superuser.get(url(model, "add")).status_code == 200


def test_secrets_are_not_shown(superuser: Client, learners: Learners) -> None:
    fill(learners.cast)
    permit = Permit.objects.first()
    key = learners.cast.key
    assert permit is not None
    assert len(permit.token) > 50
    for model, row in ((Permit, permit), (type(key), key)):
        pages = [superuser.get(url(model, "changelist")), superuser.get(url(model, "change", row.pk))]
        for page in pages:
            text = page.content.decode()
            assert permit.token not in text
            assert "secret_hmac" not in text
            assert "Secret hmac" not in text


@pytest.mark.parametrize("group", ["ops_admin", "auditor", "reviewer", "staff"])
def test_nobody_else_gets_in(learners: Learners, group: str) -> None:
    person = make_person("Somebody", group)
    if group == "staff":
        # Even with every permission: being staff is not enough.
        from django.contrib.auth.models import Permission

        person.is_staff = True
        person.save()
        person.user_permissions.set(Permission.objects.all())
    browser = browser_of(person)
    assert browser.get(reverse("admin:index")).status_code == 302
    for model in EVERYTHING:
        assert browser.get(url(model, "changelist")).status_code == 302, model
    assert Client().get(url(Agent, "changelist")).status_code == 302


def test_a_list_asks_as_much_for_many_rows_as_for_few(superuser: Client, learners: Learners) -> None:
    fill(learners.cast)
    few = {}
    for model in OURS:
        superuser.get(url(model, "changelist"))
        with CaptureQueriesContext(connection) as queries:
            superuser.get(url(model, "changelist"))
        few[model] = len(queries)
    for round_number in (1, 2, 3):
        fill(learners.cast, round_number=round_number)
    propose(learners.cast, action_type="note.add", arguments={"text": "x"}, confidence=0.9)
    assert KillSwitch.objects.count() == 4
    for model in OURS:
        with CaptureQueriesContext(connection) as queries:
            superuser.get(url(model, "changelist"))
        assert len(queries) == few[model], model

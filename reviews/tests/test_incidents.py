"""Incidents: opened once for a run, found out by a person, and counted nowhere else."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from hitl_site.lib.clock import database_now
from policies.models import KillSwitch, LedgerEntry, Observation
from policies.services import action_types, kill_switch
from policies.services.ledger import Actor
from reviews.choices import DecisionKind, IncidentKind, ItemStatus, Outcome, Resolution, SkipReason
from reviews.models import Decision, Execution, Incident, Permit, ReviewItem, Skill
from reviews.selectors import inbox
from reviews.services import claims, deadlines, executions, incidents, passing_on, permits, rights
from reviews.services.incidents import resolve
from reviews.services.open_items import AlreadyDecided
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import Cast, decide_as, propose

OTHER = "sha256:" + "0" * 64


@pytest.fixture
def run(cast: Cast) -> Execution:
    permit = propose(cast, confidence=0.95).permits.get()
    return permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=permit.digest,
        consume_key="run-1",
        now=database_now(),
    ).execution


def report(
    cast: Cast, run: Execution, *, digest: str = "", outcome: Outcome = Outcome.SUCCEEDED
) -> Execution:
    return executions.report_outcome(
        execution_id=run.public_id,
        agent=cast.clerk,
        outcome=outcome,
        detail=None,
        executed_digest=digest,
        now=database_now(),
    )


@pytest.fixture
def lost(cast: Cast, run: Execution) -> Incident:
    # As if the run had begun a lease ago.
    Execution.objects.update(lease_until=run.started_at)
    assert deadlines.end_leases(now=database_now()) == 1
    return Incident.objects.get()


def test_a_run_that_never_reported_becomes_an_incident_in_the_inbox(cast: Cast, lost: Incident) -> None:
    assert (lost.kind, lost.resolution) == (IncidentKind.OUTCOME_UNKNOWN, "")
    item = lost.item
    assert (item.kind, item.trigger, item.status) == ("incident", "incident", ItemStatus.OPEN)
    assert (item.blind, item.title) == (False, lost.action.title)
    assert list(inbox.my_turn(cast.alice)) == [item]
    # The agent's owner may look, and it is not theirs to find out.
    assert list(inbox.my_turn(cast.carol)) == []
    entry = LedgerEntry.objects.get(verb="incident.opened")
    assert (entry.object_id, entry.action_id) == (lost.public_id, lost.action.public_id)


def test_the_end_of_a_lease_makes_one_incident_however_often_it_is_swept(cast: Cast, run: Execution) -> None:
    late = run.lease_until + timedelta(seconds=1)
    assert (deadlines.end_leases(now=late), deadlines.end_leases(now=late)) == (1, 0)
    again = incidents.open_incident(
        execution=run, kind=IncidentKind.OUTCOME_UNKNOWN, detail={"other": 1}, now=late
    )
    assert Incident.objects.get() == again
    assert ReviewItem.objects.filter(kind="incident").count() == 1


def test_a_heartbeat_keeps_a_run_from_becoming_an_incident(cast: Cast, run: Execution) -> None:
    until = run.lease_until
    kept = executions.heartbeat(
        execution_id=run.public_id, agent=cast.clerk, now=until - timedelta(seconds=1)
    )
    assert kept.lease_until > until
    assert deadlines.end_leases(now=until + timedelta(seconds=1)) == 0
    assert Incident.objects.count() == 0


def test_another_digest_than_decided_opens_an_incident_and_marks_the_run(cast: Cast, run: Execution) -> None:
    report(cast, run, digest=OTHER)
    run.refresh_from_db()
    incident = Incident.objects.get()
    assert (run.mismatch, run.outcome, run.executed_digest) == (True, "succeeded", OTHER)
    assert incident.kind == IncidentKind.DIGEST_MISMATCH
    assert incident.detail == {"decided_digest": run.permit.digest, "executed_digest": OTHER}
    assert KillSwitch.objects.count() == 0
    # The same report again is the same report, and makes nothing more.
    report(cast, run, digest=OTHER)
    assert Incident.objects.count() == LedgerEntry.objects.filter(verb="execution.outcome").count() == 1


@pytest.mark.parametrize("digest", ["", "decided"])
def test_what_was_decided_makes_no_incident(cast: Cast, run: Execution, digest: str) -> None:
    report(cast, run, digest=run.permit.digest if digest else "")
    run.refresh_from_db()
    assert run.mismatch is False
    assert Incident.objects.count() == 0


def test_a_mismatch_stops_the_action_type_where_its_declaration_says_so(cast: Cast, run: Execution) -> None:
    action_types.change(
        action_type=cast.refund,
        actor=Actor.person(cast.olga),
        now=database_now(),
        pause_on_mismatch=True,
    )
    report(cast, run, digest=OTHER)
    stop = KillSwitch.objects.get(lifted_at=None)
    assert (stop.scope, stop.action_type, stop.engaged_by) == ("action_type", cast.refund, None)
    assert Incident.objects.get().public_id in stop.reason
    assert LedgerEntry.objects.filter(verb="kill_switch.engaged", actor_kind="system").count() == 1
    assert propose(cast, confidence=0.95).state == "denied"
    # A second report of the same does not stop again what people have lifted.
    kill_switch.lift(kill_switch=stop, reason="fixed", lifted_by=cast.olga, now=database_now())
    with pytest.raises(executions.OutcomeConflict):
        report(cast, run, digest=OTHER, outcome=Outcome.FAILED)
    assert not KillSwitch.objects.filter(lifted_at=None).exists()


def test_a_contradicting_report_is_refused_and_stays_on_record(cast: Cast, run: Execution) -> None:
    report(cast, run)
    with pytest.raises(executions.OutcomeConflict):
        report(cast, run, outcome=Outcome.FAILED)
    run.refresh_from_db()
    assert run.outcome == "succeeded"
    entry = LedgerEntry.objects.get(verb="execution.outcome_conflict")
    assert entry.object_id == run.public_id
    with pytest.raises(executions.OutcomeConflict):
        report(cast, run, digest=OTHER)
    assert Incident.objects.get().kind == IncidentKind.DIGEST_MISMATCH


def test_an_agent_that_never_stops_contradicting_does_not_fill_the_ledger(cast: Cast, run: Execution) -> None:
    report(cast, run)
    for _ in range(25):
        with pytest.raises(executions.OutcomeConflict):
            report(cast, run, outcome=Outcome.FAILED)
    assert LedgerEntry.objects.filter(verb="execution.outcome_conflict").count() == 20


def test_a_late_report_replaces_unknown_and_leaves_the_incident_to_a_person(
    cast: Cast, run: Execution, lost: Incident
) -> None:
    report(cast, run)
    run.refresh_from_db()
    lost.refresh_from_db()
    assert (run.outcome, run.reported, lost.resolution) == ("succeeded", True, "")
    entry = LedgerEntry.objects.get(verb="incident.reported_late")
    assert entry.object_id == lost.public_id
    page = text_of(browser_of(cast.alice).get(f"/incidents/{lost.public_id}/"))
    assert "The report came after this incident was opened." in page
    with pytest.raises(permits.AlreadyConsumed):
        permits.consume(
            permit_id=run.permit.public_id,
            agent=cast.clerk,
            digest=run.permit.digest,
            consume_key="run-2",
            now=database_now(),
        )


@pytest.mark.parametrize("resolution", list(Resolution))
def test_a_finding_closes_the_incident_once(cast: Cast, lost: Incident, resolution: Resolution) -> None:
    now = database_now()

    def find(person_note: str = "The ledger of the bank") -> incidents.Resolved:
        return resolve(
            incident_id=lost.public_id,
            resolver=cast.alice,
            resolution=resolution,
            note=person_note,
            now=now,
        )

    assert (find().replayed, find().replayed) == (False, True)
    lost.refresh_from_db()
    assert (lost.resolution, lost.resolved_by_name, lost.resolved_at) == (resolution, "Alice", now)
    assert (lost.item.status, lost.item.closed_at) == (ItemStatus.DECIDED, now)
    with pytest.raises(incidents.AlreadyResolved, match="Alice"):
        find("Another story")
    with pytest.raises(incidents.AlreadyResolved):
        resolve(incident_id=lost.public_id, resolver=cast.bob, resolution=resolution, note="Mine", now=now)
    assert LedgerEntry.objects.filter(verb="incident.resolved").count() == 1
    assert Permit.objects.get().consumed_at is not None


def test_who_may_not_find_out_changes_nothing(cast: Cast, lost: Incident) -> None:
    for person in (cast.carol, cast.dan, cast.olga):
        with pytest.raises(rights.NotAllowed):
            resolve(
                incident_id=lost.public_id,
                resolver=person,
                resolution=Resolution.AS_DECIDED,
                note="fine",
                now=database_now(),
            )
    with pytest.raises(incidents.NoteMissing):
        resolve(
            incident_id=lost.public_id,
            resolver=cast.alice,
            resolution=Resolution.AS_DECIDED,
            note="  ",
            now=database_now(),
        )
    lost.refresh_from_db()
    assert (lost.resolution, lost.item.status) == ("", ItemStatus.OPEN)
    assert not LedgerEntry.objects.filter(verb="incident.resolved").exists()


def test_nobody_approves_an_incident(cast: Cast, lost: Incident) -> None:
    for kind in DecisionKind:
        with pytest.raises(Exception, match="incident"):
            decide_as(cast.alice, lost.item, kind)
    assert Decision.objects.count() == 0
    lost.item.refresh_from_db()
    assert lost.item.status == ItemStatus.OPEN


def test_an_incident_is_no_evidence(cast: Cast, lost: Incident) -> None:
    before = Observation.objects.count()
    resolve(
        incident_id=lost.public_id,
        resolver=cast.alice,
        resolution=Resolution.OTHERWISE,
        note="It ran twice",
        now=database_now(),
    )
    deadlines.release_due(now=database_now() + timedelta(days=1))
    assert Observation.objects.count() == before
    assert Decision.objects.count() == 0


def test_the_database_lets_no_finding_change(cast: Cast, lost: Incident) -> None:
    resolve(
        incident_id=lost.public_id,
        resolver=cast.alice,
        resolution=Resolution.UNKNOWN,
        note="No trace",
        now=database_now(),
    )
    with pytest.raises(DatabaseError, match="resolved once"), transaction.atomic():
        Incident.objects.update(resolution=Resolution.AS_DECIDED)
    assert Incident.objects.get().resolution == "unknown"


def test_the_pages_show_the_incident_and_take_the_finding(cast: Cast, lost: Incident) -> None:
    browser = browser_of(cast.alice)
    listed = text_of(browser.get("/incidents/"))
    assert f"/incidents/{lost.public_id}/" in listed
    assert "Nobody knows how the run ended" in listed

    inbox_page = text_of(browser.get("/inbox/"))
    assert f"/review/{lost.item.public_id}/" in inbox_page
    led = browser.get(f"/review/{lost.item.public_id}/")
    assert (led.status_code, led.headers["Location"]) == (302, f"/incidents/{lost.public_id}/")

    page = text_of(browser.get(f"/incidents/{lost.public_id}/"))
    assert "What is known to have run" in page
    assert lost.execution.permit.digest in page

    empty = browser.post(f"/incidents/{lost.public_id}/", {"note": "seen"})
    assert empty.status_code == 422
    assert "seen" in text_of(empty)
    found = {"resolution": "did_not_run", "note": "The bank has no such <b>transfer</b>"}
    assert browser.post(f"/incidents/{lost.public_id}/", found).status_code == 302
    after = text_of(browser.get(f"/incidents/{lost.public_id}/"))
    assert "It did not run" in after
    assert "<b>transfer" not in after
    late = browser_of(cast.bob).post(f"/incidents/{lost.public_id}/", {**found, "note": "My words"})
    assert late.status_code == 409
    assert "My words" in text_of(late)
    assert "No open incident" in text_of(browser.get("/incidents/"))


def test_the_pages_are_for_those_who_may_look(cast: Cast, lost: Incident) -> None:
    path = f"/incidents/{lost.public_id}/"
    found = {"resolution": "did_not_run", "note": "x"}
    assert browser_of(None).get(path).status_code == 302
    assert "You own this agent" in text_of(browser_of(cast.carol).get(path))
    assert browser_of(cast.carol).post(path, found).status_code == 403
    assert browser_of(cast.dan).get(path).status_code == 200
    assert browser_of(cast.dan).post(path, found).status_code == 403
    assert browser_of(cast.alice).get("/incidents/inc_none/").status_code == 404
    assert browser_of(cast.alice).post("/incidents/inc_none/", found).status_code == 404
    assert Incident.objects.get().resolution == ""


def test_who_has_no_skill_for_the_action_type_does_not_resolve_its_incidents(
    cast: Cast, lost: Incident
) -> None:
    Skill.objects.create(user=cast.alice, action_type_name="note.add", added_at=database_now())
    path = f"/incidents/{lost.public_id}/"
    assert "Your skills do not include this action type" in text_of(browser_of(cast.alice).get(path))
    found = {"resolution": "did_not_run", "note": "x"}
    assert browser_of(cast.alice).post(path, found).status_code == 403
    assert Incident.objects.get().resolution == ""
    assert browser_of(cast.bob).post(path, found).status_code == 302


def test_starting_to_review_leads_to_an_incident_that_is_next(cast: Cast, lost: Incident) -> None:
    assert claims.claim_next(reviewer=cast.alice, now=database_now()) == lost.item
    led = browser_of(cast.alice).post("/review/next/", follow=True)
    assert led.redirect_chain[-1][0] == f"/incidents/{lost.public_id}/"


@pytest.mark.django_db(transaction=True)
def test_two_people_who_resolve_at_once_make_one_finding(cast: Cast, lost: Incident) -> None:
    barrier = threading.Barrier(2)
    answers: list[str] = []

    def find(person_pk: int, resolution: Resolution) -> None:
        try:
            barrier.wait()
            person = type(cast.alice).objects.get(pk=person_pk)
            resolve(
                incident_id=lost.public_id,
                resolver=person,
                resolution=resolution,
                note="I looked",
                now=database_now(),
            )
            answers.append("recorded")
        except incidents.AlreadyResolved:
            answers.append("too late")
        finally:
            connection.close()

    threads = [
        threading.Thread(target=find, args=(cast.alice.pk, Resolution.AS_DECIDED)),
        threading.Thread(target=find, args=(cast.bob.pk, Resolution.DID_NOT_RUN)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["recorded", "too late"]
    assert LedgerEntry.objects.filter(verb="incident.resolved").count() == 1


def test_an_incident_is_passed_on_and_left_to_others(cast: Cast, lost: Incident) -> None:
    item, now = lost.item, database_now()
    passed = passing_on.escalate(
        item_id=item.public_id,
        reviewer=cast.alice,
        note="She knows the bank",
        item_version=item.version,
        to_user=cast.bob,
        now=now,
    )
    assert (passed.escalated_to, passed.status, passed.due_at) == (cast.bob, ItemStatus.OPEN, item.due_at)
    passing_on.skip(item_id=item.public_id, reviewer=cast.bob, reason=SkipReason.NOT_MY_FIELD, now=now)
    # Whoever finds out may say so, whoever it was passed on to.
    resolve(
        incident_id=lost.public_id,
        resolver=cast.alice,
        resolution=Resolution.AS_DECIDED,
        note="The bank has it",
        now=now,
    )
    entries = LedgerEntry.objects.count()
    with pytest.raises(AlreadyDecided):
        passing_on.skip(item_id=item.public_id, reviewer=cast.carol, reason=SkipReason.NOT_MY_FIELD, now=now)
    assert LedgerEntry.objects.count() == entries


def test_in_the_browser_an_incident_is_passed_on_from_its_page(cast: Cast, lost: Incident) -> None:
    browser = browser_of(cast.alice)
    page = text_of(browser.get(f"/incidents/{lost.public_id}/"))
    url = f"/review/{lost.item.public_id}/escalate/"
    assert url in page
    form = {"note": "She knows the bank", "to_user": cast.bob.pk, "item_version": lost.item.version}
    assert browser.get(url).status_code == 200
    assert browser.post(url, form, follow=True).redirect_chain == [("/incidents/", 302)]
    assert ReviewItem.objects.get(pk=lost.item_id).escalated_to == cast.bob
    stale = browser.post(url, form, follow=True)
    assert "has changed since you opened it" in text_of(stale)
    assert Incident.objects.get().resolution == ""

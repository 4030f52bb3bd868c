"""Evals: how an agent version does on a frozen version of cases, judged here and never by the runner.

A run keeps the graders as they were when it began, so its results mean one thing. A case has one result in a
run, for good. A run is done when every case has one; a run that nobody goes on with is given up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from datasets import graders
from datasets.choices import EvalState, Label
from datasets.exporters.composition import compose
from datasets.graders import Answer, Expected, Grade, GraderDocument
from datasets.models import DatasetMember, DatasetVersion, EvalResult, EvalRun
from datasets.redaction import Redactor
from datasets.selectors import corrections
from datasets.services import eval_standings, grader_documents, removal_lock
from datasets.services.export_redaction import CannotRedact, redactor_of
from hitl_site.lib import ids
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.jsonb import from_jsonb
from hitl_site.lib.strict_json import JsonValue
from policies.models import Agent, AgentVersion
from policies.services import agents, ledger
from policies.services.agents import VersionClaim
from policies.services.ledger import Actor


class UnableToEvaluate(Exception):
    """The run, or its results, cannot be taken."""


class UnknownVersion(UnableToEvaluate):
    """There is no such dataset version."""


class NotReadable(UnableToEvaluate):
    """The version was frozen with a redaction that cannot be done here, so nothing of it may be used."""


class NothingToEvaluate(UnableToEvaluate):
    """The version has no case in that split."""


class IdempotencyKeyReused(UnableToEvaluate):
    """The key began another run before."""


class UnknownRun(UnableToEvaluate):
    """There is no such run, or it is another agent's."""


class RunClosed(UnableToEvaluate):
    """The run takes no results any more, or cannot be given up."""


class NeverEvaluated(Exception):
    """No finished run tells how this version does."""


@dataclass(frozen=True, slots=True)
class Started:
    """A run, and whether it had begun before."""

    run: EvalRun
    replayed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """One result as a runner sends it. ``action_type`` "" is the case's own."""

    case: str
    acted: bool
    action_type: str = ""
    output: dict[str, JsonValue] | None = None
    error: str = ""


class Taken(StrEnum):
    """What became of one result that was sent."""

    NEW = "taken"
    SAME = "same"
    CONFLICT = "conflict"
    NOT_A_CASE = "not_a_case"


@dataclass(frozen=True, slots=True)
class Line:
    """The answer to one result, in the order in which they were sent."""

    case: str
    taken: Taken
    passed: bool | None = None
    score: float | None = None
    why: str = ""


def start(
    *,
    agent: Agent,
    version_id: str,
    claim: VersionClaim,
    split: str,
    source: str,
    note: str,
    idempotency_key: str,
    body_digest: str,
    now: datetime,
) -> Started:
    """Begin a run, or answer the one that this key began. Two at once with one key begin one."""
    known = EvalRun.objects.filter(agent=agent, idempotency_key=idempotency_key).first()
    if known is not None:
        return _replayed(known, body_digest)
    version = DatasetVersion.objects.filter(public_id=version_id).first()
    if version is None:
        raise UnknownVersion("There is no such dataset version.")
    _redactor(version)
    with transaction.atomic():
        count = _cases(version, split).filter(case__erased_at=None).count()
        if count == 0:
            raise NothingToEvaluate(f"The version has no case in the split {split!r}.")
        tested = agents.see_version(agent=agent, claim=claim, now=now)
        run, is_new = EvalRun.objects.get_or_create(
            agent=agent,
            idempotency_key=idempotency_key,
            defaults={
                "public_id": ids.new("evr"),
                "version": version,
                "agent_name": agent.name,
                "agent_version": tested.label,
                "tested": tested,
                "split": split,
                "source": source,
                "graders": grader_documents.in_use(),
                "cases_total": count,
                "body_digest": body_digest,
                "note": note,
                "posted_by_name": agent.name,
                "created_at": now,
            },
        )
        if is_new:
            _record("eval_run.started", run, agent=agent, now=now, **_facts(run))
    return Started(run, replayed=False) if is_new else _replayed(run, body_digest)


@transaction.atomic
def take_results(
    *, run_id: str, agent: Agent, results: Sequence[Sent], now: datetime
) -> tuple[EvalRun, list[Line]]:
    """Grade results and keep them; one line for each, in their order.

    The same again is answered as before. Another result for a case that has one changes nothing, nor does one
    for what is no case of this run.
    """
    removal_lock.write_beside()
    run = _locked(run_id, agent)
    wanted = {result.case for result in results}
    members = {
        member.case.public_id: member
        for member in _cases(run.version, run.split).filter(case__public_id__in=wanted).select_related("case")
    }
    kept = {
        result.case.public_id: result
        for result in run.results.filter(case__public_id__in=wanted).select_related("case")
    }
    documents, redactor = _documents(run), _redactor(run.version)
    fresh: dict[str, EvalResult] = {}
    lines: list[Line] = []
    for sent in results:
        member = members.get(sent.case)
        if member is None:
            lines.append(Line(sent.case, Taken.NOT_A_CASE, why="It is no case of this run."))
            continue
        earlier = kept.get(sent.case) or fresh.get(sent.case)
        result = _result(run, member, sent, now=now)
        if earlier is not None:
            lines.append(_again(earlier, result, sent.case))
            continue
        if run.state != EvalState.OPEN:
            raise RunClosed("This run was given up: it takes no results.")
        grade = _graded(documents, member, result, redactor)
        result.passed, result.score, result.detail = grade.passed, grade.score, grade.document()
        fresh[sent.case] = result
        lines.append(Line(sent.case, Taken.NEW, grade.passed, grade.score, grade.why))
    if fresh:
        _keep(run, list(fresh.values()), agent=agent, now=now)
    if run.state == EvalState.OPEN and not _is_asked(run):
        _end(run, agent=agent, now=now)
    return run, lines


@transaction.atomic
def give_up(*, run_id: str, agent: Agent, now: datetime) -> EvalRun:
    """End a run that will not be finished; the results it has stay. Again is the same."""
    run = _locked(run_id, agent)
    if run.state == EvalState.DONE:
        raise RunClosed("This run is done.")
    if run.state == EvalState.OPEN:
        run.state, run.finished_at = EvalState.ABANDONED, now
        run.save(update_fields=["state", "finished_at"])
        _record("eval_run.given_up", run, agent=agent, now=now, cases_done=run.cases_done)
    return run


def failed_corrections(*, agent_version: AgentVersion) -> list[str]:
    """Return the ids of the corrected cases that the version does not pass by its finished runs, in order.

    Which are asked is not for a run to choose (``selectors.corrections``). What was not answered, or could
    not be graded, counts as failed: without proof nothing has been learned. Raises ``NeverEvaluated`` where
    no run of exactly this version has finished.
    """
    failed = corrections.not_passed(agent_version=agent_version)
    if failed is None:
        raise NeverEvaluated(f"No finished eval run tested {agent_version}.")
    return failed


def corrections_failed_in(run: EvalRun) -> list[str]:
    """Return the ids of the corrected cases with a result in this run that is not a pass, in order."""
    failed = (
        DatasetMember.objects.filter(version=run.version, case__eval_results__run=run)
        .exclude(case__eval_results__in=run.results.filter(passed=True))
        .select_related("case", "revision")
        .order_by("position")
    )
    return [
        member.case.public_id
        for member in failed
        if (member.revision.label if member.revision else member.case.label) == Label.CORRECTED
    ]


def _replayed(run: EvalRun, body_digest: str) -> Started:
    if run.body_digest != body_digest:
        raise IdempotencyKeyReused("This key began another run before.")
    return Started(run, replayed=True)


def _locked(run_id: str, agent: Agent) -> EvalRun:
    run = (
        EvalRun.objects.select_for_update(of=("self",))
        .select_related("version__redaction")
        .filter(public_id=run_id, agent=agent)
        .first()
    )
    if run is None:
        raise UnknownRun("There is no such run.")
    return run


def _cases(version: DatasetVersion, split: str) -> QuerySet[DatasetMember]:
    members = version.members.all()
    return members.filter(split=split) if split else members


def _documents(run: EvalRun) -> dict[str, GraderDocument]:
    said: Mapping[str, dict[str, JsonValue]] = run.graders
    return {name: graders.from_document(from_jsonb(grader["document"])) for name, grader in said.items()}


def _result(run: EvalRun, member: DatasetMember, sent: Sent, *, now: datetime) -> EvalResult:
    if member.case.erased_at is not None:
        # The runner read the case before: what it made of it would bring back what was taken away.
        return EvalResult(run=run, case=member.case, acted=sent.acted, received_at=now)
    return EvalResult(
        run=run,
        case=member.case,
        acted=sent.acted,
        action_type=(sent.action_type or member.case.action_type) if sent.acted else "",
        output_canonical=None if sent.output is None else canonicalize(sent.output),
        error=sent.error,
        received_at=now,
    )


def _again(earlier: EvalResult, result: EvalResult, case: str) -> Line:
    if _said(earlier) != _said(result):
        return Line(case, Taken.CONFLICT, why="This case has another result in this run.")
    return Line(case, Taken.SAME, earlier.passed, earlier.score, str(earlier.detail.get("why", "")))


def _said(result: EvalResult) -> tuple[bool, str, bytes | None, str]:
    output = None if result.output_canonical is None else bytes(result.output_canonical)
    return result.acted, result.action_type, output, result.error


def expected_of(member: DatasetMember, redactor: Redactor | None) -> JsonValue:
    """Return the right arguments by which an answer is measured; None where nothing should be done.

    The agent saw the case as it left, with pseudonyms: so does its answer.
    """
    document = compose(member.case.content, member.later)
    truth = (document if redactor is None else redactor.apply(document).document)["truth"]
    assert isinstance(truth, dict)
    return truth["arguments"]


def _redactor(version: DatasetVersion) -> Redactor | None:
    try:
        return redactor_of(version)
    except CannotRedact as error:
        raise NotReadable(str(error)) from None


def _graded(
    documents: Mapping[str, GraderDocument],
    member: DatasetMember,
    result: EvalResult,
    redactor: Redactor | None,
) -> Grade:
    case = member.case
    if case.erased_at is not None:
        return Grade(passed=None, score=None, why="The case was erased.")
    grader = documents.get(case.action_type, graders.DEFAULT)
    answer = Answer(
        acted=result.acted,
        action_type=result.action_type,
        arguments=grader_documents.parsed(result.output_canonical),
        error=result.error,
    )
    return graders.grade(grader, Expected(case.action_type, expected_of(member, redactor)), answer)


def _keep(run: EvalRun, fresh: list[EvalResult], *, agent: Agent, now: datetime) -> None:
    EvalResult.objects.bulk_create(fresh)
    run.cases_done += len(fresh)
    run.cases_passed += sum(result.passed is True for result in fresh)
    _record(
        "eval_run.results_taken", run, agent=agent, now=now, results=len(fresh), cases_done=run.cases_done
    )
    run.save(update_fields=["cases_done", "cases_passed"])


def _is_asked(run: EvalRun) -> bool:
    """Say whether a case still waits for its result. One that was erased meanwhile is shown to nobody."""
    answered = run.results.filter(case=OuterRef("case"))
    asked = _cases(run.version, run.split).filter(~Exists(answered), case__erased_at=None)
    return asked.exists()


def _end(run: EvalRun, *, agent: Agent, now: datetime) -> None:
    run.state, run.finished_at, run.cases_total = EvalState.DONE, now, run.cases_done
    run.save(update_fields=["state", "finished_at", "cases_total"])
    _record("eval_run.finished", run, agent=agent, now=now, cases_passed=run.cases_passed)
    if run.tested is not None:
        eval_standings.run_ended(tested=run.tested, now=now)


def _facts(run: EvalRun) -> dict[str, JsonValue]:
    return {
        "dataset_version": run.version.public_id,
        "agent_version": "" if run.tested is None else run.tested.public_id,
        "label": run.agent_version,
        "split": run.split,
        "source": run.source,
        "cases_total": run.cases_total,
        "graders": {name: grader["number"] for name, grader in run.graders.items()},
    }


def _record(verb: str, run: EvalRun, *, agent: Agent, now: datetime, **payload: JsonValue) -> None:
    ledger.record(
        actor=Actor.agent(agent),
        verb=verb,
        object_kind="eval_run",
        object_id=run.public_id,
        now=now,
        payload=payload,
    )

"""``/stops``: what is stopped, and stopping by software: itself always, others with a scope of its own."""

from __future__ import annotations

from typing import Any, Literal

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import ConfigDict, Field

from hitl_site.lib import problems
from hitl_site.lib.openapi import DOOR, may_answer, takes
from hitl_site.lib.problems import FieldError
from policies.api import key_of, needs, received_at
from policies.choices import KillSwitchScope, Scope
from policies.models import ActionType, Agent, AgentKey, KillSwitch
from policies.selectors import kill_switches
from policies.services import kill_switch
from policies.services.ledger import Actor
from reviews.api import bodies
from reviews.api.answers import moment

router = Router(tags=["stops"])

# Some character that is a space in no dialect of patterns: ECMA's, Rust's and Python's \s are not the same.
_SAID = r"[^\s\u001c-\u001f\u0085\ufeff]"
_LONGEST_REASON = 2_000


# What `_named` checks beyond the types, for the OpenAPI document.
_NAMES: dict[str, Any] = {
    "allOf": [
        {
            "if": {"not": {"properties": {"scope": {"const": scope}}}},
            "then": {"properties": {scope: {"const": ""}}},
        }
        for scope in ("agent", "action_type")
    ]
}


class StopBody(bodies.StrictSchema):
    model_config = ConfigDict(json_schema_extra=_NAMES)

    scope: Literal["everything", "agent", "action_type"]
    agent: str = Field("", max_length=120, description="Name or id; empty: the caller itself.")
    action_type: str = Field("", max_length=120, description="Its name, where the scope is action_type.")
    reason: str = Field(max_length=_LONGEST_REASON, pattern=_SAID)
    reject_pending: bool = Field(False, description="Close what waits for a person in the scope: denied.")


class LiftBody(bodies.StrictSchema):
    reason: str = Field(max_length=_LONGEST_REASON, pattern=_SAID)


class StopAnswer(Schema):
    """One stop. While ``lifted_at`` is null, nothing in its scope is allowed and no permit is used up."""

    id: str
    scope: KillSwitchScope
    agent: str | None
    action_type: str | None
    reason: str
    engaged_by: str
    engaged_at: str
    reject_pending: bool
    pending_closed: int
    drill: bool
    lifted_at: str | None


class StopList(Schema):
    items: list[StopAnswer]


@router.get(
    "",
    auth=needs(counted=False),
    response=StopList,
    summary="The stops in force that concern the caller",
    openapi_extra=may_answer(),
)
def list_stops(request: HttpRequest) -> StopList:
    """Those of everything, of action types and of the caller; every one with the scope ``stops:write``."""
    return StopList(items=[_answer(stop) for stop in _visible(key_of(request))])


@router.post(
    "",
    auth=needs(counted=False),
    response={201: StopAnswer, 200: StopAnswer},
    summary="Stop the caller itself; with stops:write anything",
    openapi_extra=may_answer(*DOOR, requestBody=takes(json=StopBody)),
)
def engage_stop(request: HttpRequest) -> Status[StopAnswer]:
    """Once this is answered nothing in scope is allowed or run. 200 where the same is stopped already."""
    key, now = key_of(request), received_at(request)
    body = bodies.shape(StopBody, bodies.json_body(request))
    agent, action_type = _named(body, key)
    if Scope.STOPS_WRITE not in key.scopes and agent != key.agent:
        raise problems.error("scope", "This key lacks the scope stops:write: it stops its own agent alone.")
    try:
        stop = kill_switch.engage(
            scope=KillSwitchScope(body.scope),
            agent=agent,
            action_type=action_type,
            reason=body.reason,
            actor=Actor.agent(key.agent),
            reject_pending=body.reject_pending,
            now=now,
        )
    except kill_switch.InvalidStop as error:
        raise problems.error("validation", str(error)) from None
    return Status(201 if stop.engaged_at == now else 200, _answer(stop))


@router.post(
    "/{stop_id}/lift",
    auth=needs(Scope.STOPS_WRITE, counted=False),
    response=StopAnswer,
    summary="Lift a stop that the caller engaged",
    openapi_extra=may_answer(
        *DOOR, "not-found", "forbidden", "stop-lifted", requestBody=takes(json=LiftBody)
    ),
)
def lift_stop(request: HttpRequest, stop_id: str) -> StopAnswer:
    """Software lifts what it stopped itself, and never itself. What people stopped, people lift."""
    key = key_of(request)
    body = bodies.shape(LiftBody, bodies.json_body(request))
    stop = KillSwitch.objects.filter(public_id=stop_id).first()
    if stop is None:
        raise problems.error("not-found", "There is no such stop.")
    try:
        lift = kill_switch.lift(
            kill_switch=stop, reason=body.reason, actor=Actor.agent(key.agent), now=received_at(request)
        )
    except kill_switch.InvalidStop as error:
        raise problems.error("validation", str(error)) from None
    except kill_switch.NotYoursToLift as error:
        raise problems.error("forbidden", str(error)) from None
    except kill_switch.NotEngaged as error:
        raise problems.error("stop-lifted", str(error)) from None
    return _answer(lift.stop)


def _named(body: StopBody, key: AgentKey) -> tuple[Agent | None, ActionType | None]:
    """Return what the body names, or raise the problem at the place that names nothing."""
    agent: Agent | None = None
    action_type: ActionType | None = None
    scope = KillSwitchScope(body.scope)
    if scope == KillSwitchScope.AGENT:
        agent = key.agent
        # Who may stop itself alone is not told which other agents there are.
        if body.agent not in {"", agent.name, agent.public_id}:
            agent = _agent(body.agent) if Scope.STOPS_WRITE in key.scopes else None
            if agent is None and Scope.STOPS_WRITE in key.scopes:
                raise _fault("/agent", "There is no such agent.")
    elif body.agent:
        raise _fault("/agent", "An agent goes with the scope agent alone.")
    if scope == KillSwitchScope.ACTION_TYPE:
        if Scope.STOPS_WRITE in key.scopes:
            action_type = ActionType.objects.filter(name=body.action_type).first()
            if action_type is None:
                raise _fault("/action_type", "There is no such action type.")
    elif body.action_type:
        raise _fault("/action_type", "An action type goes with the scope action_type alone.")
    return agent, action_type


def _agent(named: str) -> Agent | None:
    return Agent.objects.filter(name=named).first() or Agent.objects.filter(public_id=named).first()


def _fault(pointer: str, message: str) -> problems.ProblemError:
    return problems.error("validation", message, errors=(FieldError(pointer, "invalid", message),))


def _visible(key: AgentKey) -> QuerySet[KillSwitch]:
    live = kill_switches.live()
    if Scope.STOPS_WRITE in key.scopes:
        return live
    return live.filter(~Q(scope=KillSwitchScope.AGENT) | Q(agent=key.agent))


def _answer(stop: KillSwitch) -> StopAnswer:
    return StopAnswer(
        id=stop.public_id,
        scope=KillSwitchScope(stop.scope),
        agent=stop.agent.name if stop.agent else None,
        action_type=stop.action_type.name if stop.action_type else None,
        reason=stop.reason,
        engaged_by=stop.engaged_by_name,
        engaged_at=moment(stop.engaged_at),
        reject_pending=stop.reject_pending,
        pending_closed=stop.pending_closed,
        drill=stop.drill,
        lifted_at=moment(stop.lifted_at) if stop.lifted_at else None,
    )

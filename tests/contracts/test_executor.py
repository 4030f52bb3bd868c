"""The example executor, which holds the credentials: ten ways of not being paid, and one of being killed.

Over real HTTP, against the real site: the executor is what stands between an agent and the world (A1, F27).
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from joserfc import jws
from joserfc.jwk import OKPKey
from pytest_django.live_server_helper import LiveServer

import handrail
from hitl_site.lib.clock import database_now
from policies.choices import KillSwitchScope, Scope
from policies.services import agents, kill_switch, policies
from policies.services.ledger import Actor
from reviews.choices import IncidentKind
from reviews.models import Execution, Incident, Permit
from reviews.services import deadlines, permit_keys, permits
from reviews.tests.cast import REFUND, Cast, make_cast, propose

EXAMPLE = Path(django_settings.BASE_DIR) / "sdk" / "python" / "examples" / "refund_executor.py"
SLOW = """
import importlib.util, os, sys, time
spec = importlib.util.spec_from_file_location("refund_executor", sys.argv[1])
example = importlib.util.module_from_spec(spec)
sys.modules["refund_executor"] = example
spec.loader.exec_module(example)

def pay(**arguments):
    print("paying", flush=True)
    time.sleep(600)

example.pay = pay
example.main()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with override_settings(PERMIT_KEY_DIR=tmp_path / "keys"):
        yield tmp_path / "keys"


@pytest.fixture
def cast(transactional_db: None, folder: Path) -> Cast:
    return make_cast()


@pytest.fixture
def key(cast: Cast) -> str:
    """A key for the executor alone: it can use permits up and report, and propose nothing."""
    return agents.create_key(
        agent=cast.clerk,
        scopes=[Scope.PERMITS_CONSUME, Scope.OUTCOMES_WRITE],
        actor=Actor.person(cast.olga),
        now=database_now(),
    )[1]


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("refund_executor", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["refund_executor"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def paid() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def executor(
    example: ModuleType, live_server: LiveServer, key: str, cast: Cast, paid: list[dict[str, Any]]
) -> Any:
    client = handrail.Client(live_server.url, key, retries=handrail.Retries(attempts=1))
    return example.Executor(
        client,
        agent="clerk",
        jwks=permit_keys.public_keys(now=database_now()),
        pay=lambda **arguments: paid.append(arguments),
    )


@pytest.fixture
def permit(cast: Cast) -> Permit:
    return propose(cast, confidence=0.95).permits.get()


@pytest.fixture
def order(example: ModuleType, permit: Permit) -> Any:
    return example.Order(permit.action.public_id, permit.public_id, permit.token, dict(REFUND))


def test_what_was_decided_is_paid_once_and_reported(
    executor: Any, order: Any, permit: Permit, paid: list[dict[str, Any]]
) -> None:
    executor.execute(order)
    execution = Execution.objects.get()
    assert paid == [REFUND]
    assert (execution.outcome, execution.executed_digest) == ("succeeded", permit.digest)
    assert Incident.objects.count() == 0


def no_permit(cast: Cast, order: Any, permit: Permit) -> Any:
    return replace(order, permit_id="prm_none", token="")


def expired(cast: Cast, order: Any, permit: Permit) -> Any:
    old = propose(cast, confidence=0.95, now=database_now() - timedelta(days=2)).permits.get()
    return replace(order, action_id=old.action.public_id, permit_id=old.public_id, token=old.token)


def foreign(cast: Cast, order: Any, permit: Permit) -> Any:
    other = propose(cast, confidence=0.95, arguments={**REFUND, "order": "SO-1"}).permits.get()
    return replace(order, permit_id=other.public_id, token=other.token)


def revoked(cast: Cast, order: Any, permit: Permit) -> Any:
    permits.revoke(permit_id=permit.public_id, reason="x", actor=cast.olga, now=database_now())
    return order


def consumed(cast: Cast, order: Any, permit: Permit) -> Any:
    permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=permit.digest,
        consume_key="somebody else",
        now=database_now(),
    )
    return order


def other_arguments(cast: Cast, order: Any, permit: Permit) -> Any:
    return replace(order, arguments={**REFUND, "amount": 1840})


def stopped(cast: Cast, order: Any, permit: Permit) -> Any:
    kill_switch.engage(scope=KillSwitchScope.EVERYTHING, reason="x", engaged_by=cast.olga, now=database_now())
    return order


def paused(cast: Cast, order: Any, permit: Permit) -> Any:
    agents.pause_agent(agent=cast.clerk, reason="x", actor=Actor.person(cast.olga), now=database_now())
    return order


def stricter(cast: Cast, order: Any, permit: Permit) -> Any:
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.99},
        author=cast.olga,
        reason="x",
        now=database_now(),
    )
    return order


def forged(cast: Cast, order: Any, permit: Permit) -> Any:
    """Sign a permit for another amount with a key of one's own, under the name of ours."""
    arguments = {**REFUND, "amount": 1840}
    head, claims = (json.loads(_decoded(part)) for part in permit.token.split(".")[:2])
    claims["act"]["digest"] = handrail.action_digest(
        agent="clerk",
        subject=None,
        action_type="refund.issue",
        environment="production",
        arguments=arguments,
    )
    mine = OKPKey.generate_key("Ed25519", private=True)
    token = jws.serialize_compact(head, json.dumps(claims).encode(), mine, algorithms=["Ed25519"])
    return replace(order, token=token, arguments=arguments)


@pytest.mark.parametrize(
    ("prepare", "refusal"),
    [
        (no_permit, handrail.PermitInvalid),
        (expired, handrail.PermitExpired),
        (foreign, handrail.DigestMismatch),
        (revoked, handrail.PermitRevoked),
        (consumed, handrail.AlreadyConsumed),
        (other_arguments, handrail.DigestMismatch),
        (stopped, handrail.KillSwitchActive),
        (paused, handrail.KillSwitchActive),
        (stricter, handrail.NotApproved),
        (forged, handrail.PermitInvalid),
    ],
)
def test_the_executor_pays_nothing(
    cast: Cast,
    executor: Any,
    order: Any,
    permit: Permit,
    paid: list[dict[str, Any]],
    prepare: Callable[[Cast, Any, Permit], Any],
    refusal: type[Exception],
) -> None:
    handed_over = prepare(cast, order, permit)
    runs = Execution.objects.count()
    with pytest.raises(refusal):
        executor.execute(handed_over)
    assert paid == []
    assert Execution.objects.count() == runs


@pytest.mark.parametrize("prepare", [no_permit, expired, other_arguments, forged])
def test_the_online_consume_refuses_what_a_careless_executor_would_let_through(
    cast: Cast,
    executor: Any,
    order: Any,
    permit: Permit,
    prepare: Callable[[Cast, Any, Permit], Any],
) -> None:
    handed_over = prepare(cast, order, permit)
    digest = handrail.action_digest(
        agent="clerk",
        subject=None,
        action_type="refund.issue",
        environment="production",
        arguments=handed_over.arguments,
    )
    with pytest.raises(handrail.NotApproved):
        executor.client.consume(handed_over.permit_id, digest)
    assert not Execution.objects.exists()


def test_a_token_of_a_key_that_was_rotated_out_is_refused_before_anything_is_asked(
    cast: Cast, executor: Any, order: Any, permit: Permit, example: ModuleType, paid: list[dict[str, Any]]
) -> None:
    permit_keys.rotate(retire_after=timedelta(0), actor=Actor.system(), now=database_now())
    fresh = example.Executor(
        executor.client,
        agent="clerk",
        jwks=permit_keys.public_keys(now=database_now()),
        pay=executor.pay,
    )
    with pytest.raises(handrail.PermitInvalid, match="not in the JWKS"):
        fresh.execute(order)
    assert paid == []
    # The row is what counts: an executor that asks online alone may still use the permit.
    assert executor.client.consume(permit.public_id, permit.digest).digest == permit.digest


def test_an_executor_that_is_killed_in_the_middle_leaves_an_incident_and_never_a_second_run(
    cast: Cast, live_server: LiveServer, key: str, permit: Permit, executor: Any, order: Any
) -> None:
    handed_over = {
        "action_id": permit.action.public_id,
        "permit": {"id": permit.public_id, "token": permit.token},
        "arguments": REFUND,
    }
    with override_settings(EXECUTION_LEASE_SECONDS=10):
        process = subprocess.Popen(
            [sys.executable, "-c", SLOW, str(EXAMPLE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": str(EXAMPLE.parents[1] / "src"),
                "HANDRAIL_URL": live_server.url,
                "HANDRAIL_KEY": key,
                "HANDRAIL_AGENT": "clerk",
            },
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(handed_over))
            process.stdin.close()
            assert process.stdout.readline() == "paying\n"
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    execution = Execution.objects.get()
    assert (execution.outcome, execution.lease_until - execution.started_at) == ("", timedelta(seconds=10))

    assert deadlines.end_leases(now=execution.lease_until - timedelta(seconds=1)) == 0
    assert deadlines.end_leases(now=execution.lease_until) == 1

    execution.refresh_from_db()
    incident = Incident.objects.get()
    assert (execution.outcome, execution.reported) == ("unknown", False)
    assert (incident.kind, incident.execution) == (IncidentKind.OUTCOME_UNKNOWN, execution)
    with pytest.raises(handrail.AlreadyConsumed):
        executor.execute(order)
    assert Execution.objects.count() == 1


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "==")
